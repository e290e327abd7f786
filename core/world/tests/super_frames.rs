//! Super-frames stay whole where nothing looks closer, and are everywhere counted, charged, lost and seen as
//! the frames they stand for.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../../solve/tests/common/mod.rs"]
mod net;

use std::net::IpAddr;
use std::time::Duration;

use net::Net;
use skybridge_base::{Instant, MacAddr};
use skybridge_blueprint::{LinkName, Policer, Tagging};
use skybridge_dataplane::DropReason;
use skybridge_wire::icmpv4::{self, Icmpv4Kind};
use skybridge_wire::ipv4::Ipv4Repr;
use skybridge_wire::udp::{self, UdpRepr};
use skybridge_wire::{
    ChecksumState, EtherType, EthernetRepr, Frame, Tags, checksum, ethernet, ipv4, protocol,
};
use skybridge_world::{CapturePoint, LinkDrop, World};

const STATION: MacAddr = MacAddr::local(900);
const SRC: [u8; 4] = [10, 1, 0, 9];
const DST: [u8; 4] = [10, 2, 0, 10];

/// A port to the outside, two routers, a host.
fn net() -> Net {
    let mut net = Net::default();
    net.router("a");
    net.router("b");
    net.interface("a", "tap", "10.1.0.1/24");
    net.join("a", "b", 1);
    net.host("h", "b", "10.2.0.10/24", "10.2.0.1");
    let via = |interface: &str, address: &str| skybridge_blueprint::NextHop::Via {
        interface: interface.into(),
        address: net::ip(address),
    };
    net.route("a", "10.2.0.0/24", via("b", "10.255.1.2"));
    net.route("b", "10.1.0.0/24", via("a", "10.255.1.1"));
    net
}

/// `payload_len` octets of UDP in a train of `gso_size`, with the checksum left to the card.
fn train(gateway: MacAddr, payload_len: usize, gso_size: u16) -> Frame {
    let (src, dst) = (IpAddr::from(SRC), IpAddr::from(DST));
    let mut datagram = Vec::new();
    // The echo service.
    let udp = UdpRepr {
        src_port: 5000,
        dst_port: 7,
    };
    udp.emit(src, dst, &vec![7; payload_len], &mut datagram);
    let sum = checksum::pseudo_header_sum(src, dst, protocol::UDP, datagram.len());
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    let mut packet = Vec::new();
    Ipv4Repr::new(SRC.into(), DST.into(), protocol::UDP, datagram.len()).emit(&mut packet);
    packet.extend_from_slice(&datagram);
    let mut frame = Frame::with_headroom(&packet);
    frame.meta.gso_size = gso_size;
    frame.meta.csum = ChecksumState::Partial {
        start: 20,
        offset: 6,
    };
    EthernetRepr {
        dst: gateway,
        src: STATION,
        tags: Tags::Untagged,
        ethertype: EtherType::IPV4,
    }
    .push(&mut frame);
    frame
}

struct Bench {
    world: World,
    gateway: MacAddr,
}

impl Bench {
    /// Neighbours are known before the first train comes.
    fn new(mut net: Net) -> Self {
        let gateway = net.router_mut("a").ports["tap"].mac;
        let mut world = World::new(net.blueprint, 1).unwrap();
        world.open_external(&"a".into(), &"tap".into()).unwrap();
        let mut bench = Self { world, gateway };
        bench.send(10, 0);
        bench
    }

    /// Sends a train, and gives the packets that come back to the station.
    fn send(&mut self, payload_len: usize, gso_size: u16) -> Vec<Vec<u8>> {
        let frame = train(self.gateway, payload_len, gso_size);
        let (node, port) = ("a".into(), "tap".into());
        self.world.inject(&node, &port, &mut vec![frame]).unwrap();
        self.world
            .run_until(self.world.now() + Duration::from_secs(1));
        let mut came = Vec::new();
        let mut asked = None;
        while let Some(left) = self.world.poll_external() {
            let view = ethernet::parse(left.frame.bytes()).unwrap();
            if view.ethertype() == EtherType::IPV4 {
                came.push(view.payload().to_vec());
            } else {
                let request = skybridge_wire::arp::parse(view.payload()).unwrap();
                if request.target_ip.octets() == SRC {
                    asked = Some(request.reply(STATION));
                }
            }
        }
        if let Some(answer) = asked {
            let mut frame = Frame::with_headroom(&answer.to_bytes());
            EthernetRepr {
                dst: self.gateway,
                src: STATION,
                tags: Tags::Untagged,
                ethertype: EtherType::ARP,
            }
            .push(&mut frame);
            self.world.inject(&node, &port, &mut vec![frame]).unwrap();
            self.world.poll_external();
        }
        came
    }

    fn link(&self, name: &str) -> skybridge_world::DirectionView {
        self.world.link_state(&LinkName::from(name)).unwrap().a_to_b
    }
}

#[test]
fn a_host_answers_each_datagram_of_a_train_and_every_link_counts_each() {
    let mut bench = Bench::new(net());
    let before = bench.link("a-b");
    let answers = bench.send(4500, 1000);
    let lens: Vec<usize> = answers
        .iter()
        .map(|packet| {
            let view = ipv4::parse(packet).unwrap();
            let datagram = udp::parse(view.payload()).unwrap();
            assert!(datagram.is_checksum_valid(DST.into(), SRC.into()));
            datagram.payload().len()
        })
        .collect();
    assert_eq!(lens, [1000, 1000, 1000, 1000, 500]);
    let after = bench.link("a-b");
    assert_eq!(after.frames - before.frames, 5);
    assert_eq!(after.bytes - before.bytes, 4500 + 5 * (14 + 20 + 8));
    let counters = bench.world.router(&"b".into()).unwrap().counters();
    let inward = counters.interfaces.iter().find(|i| i.name.as_str() == "a");
    assert_eq!(inward.unwrap().counters.in_packets, 1 + 5);
}

#[test]
fn a_capture_shows_the_frames_of_a_train() {
    let mut bench = Bench::new(net());
    let point = CapturePoint::Link("a-b".into());
    let id = bench.world.start_capture(point, 100).unwrap();
    bench.send(4500, 1000);
    let take = bench.world.stop_capture(id).unwrap();
    let lens: Vec<usize> = take.frames.iter().map(|frame| frame.bytes.len()).collect();
    assert_eq!(lens[..5], [1042, 1042, 1042, 1042, 542]);
}

#[test]
fn a_link_that_loses_frames_loses_single_ones_of_a_train() {
    let mut net = net();
    net.link_mut("a-b").loss_ppm = 300_000;
    let mut bench = Bench::new(net);
    let mut partly = 0;
    for _ in 0..40 {
        let before = bench.link("a-b").frames;
        bench.send(5000, 1000);
        let came = bench.link("a-b").frames - before;
        partly += u64::from(came > 0 && came < 5);
    }
    assert!(partly > 20, "{partly} of 40 trains came in part");
    let view = bench.link("a-b");
    let lost = view.drops[&LinkDrop::Loss];
    assert!((40..80).contains(&lost), "{lost} of 200 frames lost");
}

#[test]
fn a_rate_paces_the_frames_of_a_train() {
    let mut net = net();
    let link = net.link_mut("a-b");
    link.rate_bps = Some(8_000_000);
    link.delay = None;
    let mut bench = Bench::new(net);
    let point = CapturePoint::Link("a-b".into());
    let id = bench.world.start_capture(point, 100).unwrap();
    let start = bench.world.now();
    bench.send(3000, 1000);
    let take = bench.world.stop_capture(id).unwrap();
    let at: Vec<u128> = take.frames[..3]
        .iter()
        .map(|frame| frame.at.since(start).as_micros())
        .collect();
    // 1,042 octets and 24 of wire overhead at a megabyte a second.
    assert_eq!(at, [1066, 2132, 3198]);
}

#[test]
fn a_policer_charges_a_train_for_every_header_and_counts_every_packet() {
    let mut net = net();
    let policer = Policer {
        rate_bps: 1000,
        burst_bytes: 6000,
        rate_pps: None,
        burst_packets: 0,
    };
    let router = net.router_mut("b");
    router.policers.insert("p".to_owned(), policer);
    net.interface_mut("b", "a").policer_in = Some("p".to_owned());
    let mut bench = Bench::new(net);
    bench.send(5000, 100);
    let policers = bench.world.router(&"b".into()).unwrap().policers();
    assert_eq!(policers[0].passed, (1, 38));
    assert_eq!(policers[0].dropped, (50, 5000 + 50 * 28));
    let counters = bench.world.router(&"b".into()).unwrap().counters();
    assert_eq!(counters.drops.count(DropReason::Policed), 50);
}

#[test]
fn an_mtu_is_met_by_the_frames_of_a_train_and_an_error_quotes_the_first() {
    let mut net = net();
    net.interface_mut("a", "b").mtu = 1028;
    let mut bench = Bench::new(net);
    bench.send(10, 0);
    assert_eq!(bench.send(4500, 1000).len(), 5);
    let errors = bench.send(4500, 1001);
    let view = ipv4::parse(&errors[0]).unwrap();
    let message = icmpv4::parse(view.payload()).unwrap();
    assert!(matches!(
        message.kind(),
        Icmpv4Kind::Unreachable {
            next_hop_mtu: 1028,
            ..
        }
    ));
    let quoted = ipv4::parse_header(message.payload()).unwrap();
    assert_eq!(quoted.total_len(), 1029);
    assert_eq!(bench.world.now(), Instant::from_secs(4));
}

#[test]
fn a_carrier_carries_what_pads_a_frame_with_and_without_a_flow_cache() {
    let run = |cached: bool| {
        let mut net = Net::default();
        net.router("r");
        net.interface("r", "in", "10.1.0.1/24");
        net.switch("s", Tagging::Untagged, Tagging::Untagged);
        net.link("s-r", ("s", "cloud"), ("r", "in"));
        let gateway = net.router_mut("r").ports["in"].mac;
        let mut world = World::new(net.blueprint, 1).unwrap();
        world.set_flow_cache(cached);
        let (node, port) = ("s".into(), "customer".into());
        world.open_external(&node, &port).unwrap();
        for padding in [0, 0, 0, 0, 6, 0, 6] {
            let mut frame = train(gateway, 10, 0);
            frame.extend(&vec![0; padding]);
            world.inject(&node, &port, &mut vec![frame]).unwrap();
            world.run_until(world.now() + Duration::from_millis(10));
        }
        let link = world.link_state(&LinkName::from("s-r")).unwrap();
        let hits = world.flow_cache().hits;
        (link.a_to_b.bytes, world.trace_hash(), hits > 0)
    };
    let (with, without) = (run(true), run(false));
    assert_eq!((with.0, with.1), (without.0, without.1));
    assert_eq!(with.0, 7 * (14 + 38) + 12);
    assert!(with.2 && !without.2);
}
