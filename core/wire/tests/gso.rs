//! A super-frame and the frames it stands for carry the same payload; each frame is what a sender
//! without offload would have sent.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use skybridge_base::{MacAddr, VlanId};
use skybridge_wire::ipv4::Ipv4Repr;
use skybridge_wire::ipv6::Ipv6Repr;
use skybridge_wire::tcp::{TcpFlags, TcpRepr};
use skybridge_wire::udp::UdpRepr;
use skybridge_wire::{
    ChecksumState, EtherType, EthernetRepr, Frame, FramePool, Malformed, Tags, checksum, ethernet,
    flow, gso, ipv4, protocol, tcp, udp,
};

#[derive(Clone, Debug)]
struct Train {
    v4: bool,
    tcp: bool,
    tags: Tags,
    flags: TcpFlags,
    seq: u32,
    identification: u16,
    partial: bool,
    gso_size: u16,
    payload: Vec<u8>,
}

fn train() -> impl Strategy<Value = Train> {
    let vlan = |id| VlanId::new(id).unwrap();
    let tags = prop_oneof![
        Just(Tags::Untagged),
        Just(Tags::dot1q(vlan(7))),
        Just(Tags::qinq(vlan(7), vlan(9))),
    ];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(fin, psh, cwr)| {
        let mut flags = TcpFlags::ACK;
        for (set, flag) in [
            (fin, TcpFlags::FIN),
            (psh, TcpFlags::PSH),
            (cwr, TcpFlags::CWR),
        ] {
            if set {
                flags = flags.with(flag);
            }
        }
        flags
    });
    (
        (any::<bool>(), any::<bool>(), tags, flags),
        (any::<u32>(), any::<u16>(), any::<bool>()),
        (1_u16..1500, prop::collection::vec(any::<u8>(), 0..6000)),
    )
        .prop_map(
            |((v4, tcp, tags, flags), (seq, identification, partial), (gso_size, payload))| Train {
                v4,
                tcp,
                tags,
                flags,
                seq,
                identification,
                partial,
                gso_size,
                payload,
            },
        )
}

fn ends(v4: bool) -> (IpAddr, IpAddr) {
    if v4 {
        (
            Ipv4Addr::new(10, 1, 0, 9).into(),
            Ipv4Addr::new(10, 2, 0, 9).into(),
        )
    } else {
        let v6 = |n| Ipv6Addr::new(0x2001, 0xdb8, 0, n, 0, 0, 0, 9);
        (v6(1).into(), v6(2).into())
    }
}

impl Train {
    fn transport(&self) -> Vec<u8> {
        let (src, dst) = ends(self.v4);
        let mut l4 = Vec::new();
        if self.tcp {
            let tcp = TcpRepr {
                src_port: 40_000,
                dst_port: 443,
                seq: self.seq,
                ack: 5,
                flags: self.flags,
                window: 1000,
                options: &[],
            };
            tcp.emit(src, dst, &self.payload, &mut l4);
        } else {
            let udp = UdpRepr {
                src_port: 40_000,
                dst_port: 443,
            };
            udp.emit(src, dst, &self.payload, &mut l4);
        }
        l4
    }

    fn frame(&self) -> Frame {
        let (src, dst) = ends(self.v4);
        let mut l4 = self.transport();
        let number = if self.tcp {
            protocol::TCP
        } else {
            protocol::UDP
        };
        if self.partial {
            let sum = checksum::pseudo_header_sum(src, dst, number, l4.len());
            let at = if self.tcp { 16 } else { 6 };
            l4[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        }
        let mut packet = Vec::new();
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => Ipv4Repr {
                identification: self.identification,
                ..Ipv4Repr::new(src, dst, number, l4.len())
            }
            .emit(&mut packet),
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                Ipv6Repr::new(src, dst, number, l4.len()).emit(&mut packet);
            }
            (_, _) => unreachable!(),
        }
        let l4_at = packet.len();
        packet.extend_from_slice(&l4);
        let mut frame = Frame::with_headroom(&packet);
        frame.meta.gso_size = self.gso_size;
        if self.partial {
            frame.meta.csum = ChecksumState::Partial {
                start: u16::try_from(l4_at).unwrap(),
                offset: if self.tcp { 16 } else { 6 },
            };
        }
        EthernetRepr {
            dst: MacAddr::local(1),
            src: MacAddr::local(2),
            tags: self.tags,
            ethertype: if self.v4 {
                EtherType::IPV4
            } else {
                EtherType::IPV6
            },
        }
        .push(&mut frame);
        frame
    }
}

fn split(frame: Frame) -> Vec<Frame> {
    let mut out = Vec::new();
    gso::split(frame, &mut FramePool::new(8), &mut out).unwrap();
    out
}

/// Every checksum that a frame has holds.
fn is_sound(packet: &[u8]) -> bool {
    let info = flow::parse(packet).unwrap();
    let l4 = &packet[info.l4_offset..info.total_len];
    let ip = info.src.is_ipv6() || ipv4::is_header_checksum_valid(packet);
    let transport = match info.protocol {
        protocol::TCP => tcp::parse(l4)
            .unwrap()
            .is_checksum_valid(info.src, info.dst),
        _ => udp::parse(l4)
            .unwrap()
            .is_checksum_valid(info.src, info.dst),
    };
    ip && transport && info.total_len == packet.len()
}

proptest! {
    #[test]
    fn the_frames_of_a_train_carry_its_payload_in_order(train in train()) {
        let whole = train.frame();
        let shape = gso::shape(&whole);
        let header = ethernet::parse(whole.bytes()).unwrap().repr();
        let first = gso::first(&whole).unwrap();
        let frames = split(whole);
        prop_assert_eq!(&frames[0], &first);
        prop_assert_eq!(frames.len() as u64, shape.frames);
        prop_assert_eq!(frames.iter().map(|f| f.len() as u64).sum::<u64>(), shape.octets);
        prop_assert_eq!(frames.iter().map(Frame::len).max(), Some(shape.frame_len_max));
        let mut payload = Vec::new();
        for (at, frame) in frames.iter().enumerate() {
            prop_assert_eq!(frame.len() as u64, shape.frame_len(at as u64));
            let view = ethernet::parse(frame.bytes()).unwrap();
            prop_assert_eq!(view.repr(), header);
            prop_assert_eq!(frame.l3(), view.payload());
            prop_assert!(is_sound(frame.l3()));
            prop_assert_eq!((frame.meta.gso_size, frame.meta.csum), (0, ChecksumState::Valid));
            let info = flow::parse(frame.l3()).unwrap();
            let l4 = &frame.l3()[info.l4_offset..];
            let (last, number) = (at + 1 == frames.len(), u16::try_from(at).unwrap());
            if train.v4 {
                let id = ipv4::parse(frame.l3()).unwrap().identification();
                prop_assert_eq!(id, train.identification.wrapping_add(number));
            }
            if train.tcp {
                let view = tcp::parse(l4).unwrap();
                let offset = u32::try_from(payload.len()).unwrap();
                prop_assert_eq!(view.seq(), train.seq.wrapping_add(offset));
                let has = |flag| view.flags().contains(flag);
                let had = |flag| train.flags.contains(flag);
                prop_assert_eq!(has(TcpFlags::FIN), last && had(TcpFlags::FIN));
                prop_assert_eq!(has(TcpFlags::PSH), last && had(TcpFlags::PSH));
                prop_assert_eq!(has(TcpFlags::CWR), at == 0 && had(TcpFlags::CWR));
                payload.extend_from_slice(view.payload());
            } else {
                payload.extend_from_slice(udp::parse(l4).unwrap().payload());
            }
        }
        prop_assert_eq!(payload, train.payload);
    }

    #[test]
    fn a_train_of_one_is_the_frame_that_was_sent_without_offload(train in train()) {
        let gso_size = u16::try_from(train.payload.len().max(1)).unwrap();
        let plain = Train { partial: false, gso_size: 0, ..train.clone() }.frame();
        let frames = split(Train { gso_size, ..train }.frame());
        prop_assert_eq!(frames.len(), 1);
        prop_assert_eq!(frames[0].bytes(), plain.bytes());
    }

    #[test]
    fn a_partial_checksum_is_completed_to_what_the_sender_would_have_filled_in(train in train()) {
        let train = Train { gso_size: 0, ..train };
        let plain = Train { partial: false, ..train.clone() }.frame();
        let mut frame = Train { partial: true, ..train }.frame();
        gso::complete_checksum(&mut frame);
        prop_assert_eq!(frame.bytes(), plain.bytes());
        prop_assert_eq!(frame.meta.csum, ChecksumState::Valid);
    }

    #[test]
    fn no_bytes_make_it_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        gso_size in any::<u16>(),
        train in train(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut garbage = Frame::from_l2(&bytes);
        garbage.meta.gso_size = gso_size;
        let mut damaged = train.frame();
        damaged.truncate(cut.index(damaged.len()));
        for frame in [garbage, damaged] {
            let shape = gso::shape(&frame);
            prop_assert!(shape.frames >= 1);
            let mut out = Vec::new();
            if gso::split(frame, &mut FramePool::new(1), &mut out).is_err() {
                prop_assert!(out.is_empty());
            }
        }
    }
}

#[test]
fn a_datagram_without_checksum_stays_without() {
    let train = Train {
        v4: true,
        tcp: false,
        tags: Tags::Untagged,
        flags: TcpFlags::default(),
        seq: 0,
        identification: 1,
        partial: false,
        gso_size: 10,
        payload: vec![1; 25],
    };
    let mut frame = train.frame();
    frame.bytes_mut()[14 + 20 + 6..14 + 20 + 8].fill(0);
    let frames = split(frame);
    assert_eq!(frames.len(), 3);
    assert!(
        frames
            .iter()
            .all(|frame| frame.l3()[26..28] == [0, 0] && is_sound(frame.l3()))
    );
}

#[test]
fn what_is_no_train_of_tcp_or_udp_is_refused() {
    let ping = skybridge_wire::icmpv4::packet(
        Ipv4Addr::new(10, 0, 0, 1),
        Ipv4Addr::new(10, 0, 0, 2),
        skybridge_wire::icmpv4::Icmpv4Kind::EchoRequest {
            identifier: 1,
            sequence: 1,
        },
        &[0; 100],
    );
    let mut frame = Frame::with_headroom(&ping);
    EthernetRepr {
        dst: MacAddr::local(1),
        src: MacAddr::local(2),
        tags: Tags::Untagged,
        ethertype: EtherType::IPV4,
    }
    .push(&mut frame);
    frame.meta.gso_size = 10;
    let mut out = Vec::new();
    let refused = gso::split(frame, &mut FramePool::new(1), &mut out);
    assert_eq!(refused, Err(Malformed::Unsupported));
    assert!(out.is_empty());
}
