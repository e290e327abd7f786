//! Whatever comes in, a router neither panics nor falls out of step.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, where a panic is the report"
)]

mod router_support;

use proptest::prelude::*;
use router_support::{two, two_specs};
use skybridge_base::{Instant, MacAddr};
use skybridge_nodes::{Node, Outbox, Router};
use skybridge_wire::{EtherType, EthernetRepr, Frame, Tags};

fn feed(router: &mut Router, frames: Vec<Frame>) {
    let port = router.port_index(&"lan".into()).unwrap();
    let wan = router.port_index(&"wan".into()).unwrap();
    let mut out = Outbox::default();
    let mut now = Instant::ZERO;
    for up in [port, wan] {
        router.handle_link(now, up, true, &mut out);
    }
    for frame in frames {
        now += std::time::Duration::from_millis(100);
        router.handle_frames(now, port, &mut vec![frame], &mut out);
        while router.poll_timeout().is_some_and(|d| d.at <= now) {
            router.handle_timeout(now, &mut out);
        }
    }
    let interfaces = router.counters().interfaces;
    assert_eq!(interfaces.len(), 2);
}

fn router(filtered: bool) -> Router {
    let [mut spec, _] = two_specs();
    if filtered {
        let lan = spec.interfaces.get_mut("lan").unwrap();
        lan.filter_in = Some(skybridge_blueprint::Filter::default());
        lan.proxy_arp = true;
    }
    Router::new("left", &spec, 1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_frames_never_panic(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..8),
        trace in 0_u32..2,
    ) {
        let frames = frames.into_iter().map(|bytes| {
            let mut frame = Frame::from_l2(&bytes);
            frame.meta.trace = trace;
            frame
        });
        feed(&mut router(true), frames.collect());
    }

    #[test]
    fn arbitrary_packets_behind_a_good_header_never_panic(
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 1..8),
        ethertype in prop::sample::select(vec![EtherType::IPV4, EtherType::IPV6, EtherType::ARP]),
        gso in prop::sample::select(vec![0_u16, 1, 1000]),
    ) {
        let frames = packets.into_iter().map(|bytes| {
            let mut frame = Frame::with_headroom(&bytes);
            let header = EthernetRepr {
                dst: MacAddr::local(1),
                src: MacAddr::local(77),
                tags: Tags::Untagged,
                ethertype,
            };
            header.push(&mut frame);
            frame.meta.trace = 1;
            frame.meta.gso_size = gso;
            frame
        });
        feed(&mut router(true), frames.collect());
    }

    #[test]
    fn a_damaged_echo_never_panics(
        at in 0_usize..64, value in any::<u8>(), cut in 0_usize..64, dst in 0_u8..4,
    ) {
        let net = two(&two_specs());
        let dst = [[10, 2, 0, 9], [10, 1, 0, 1], [192, 0, 2, 2], [255, 255, 255, 255]][usize::from(dst)];
        let mut packet = net.echo(0, dst, 64, 36, false);
        packet[at] = value;
        packet.truncate(64 - cut);
        // Repair the header checksum, so that the packet gets further.
        skybridge_wire::ipv4::fill_checksum(&mut packet);
        let mut frame = Frame::with_headroom(&packet);
        let header = EthernetRepr {
            dst: MacAddr::local(1),
            src: MacAddr::local(77),
            tags: Tags::Untagged,
            ethertype: EtherType::IPV4,
        };
        header.push(&mut frame);
        frame.meta.trace = 1;
        feed(&mut router(false), vec![frame]);
    }
}
