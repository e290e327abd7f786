//! Flow state: who may answer whom, for how long, and what a full table does.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, where a panic is the report"
)]

use std::time::Duration;

use skybridge_base::Instant;
use skybridge_dataplane::{Direction, FlowTable, FlowTimeouts, Opened};
use skybridge_wire::tcp::TcpFlags;
use skybridge_wire::{Fragment, PacketInfo};

const HOST: &str = "10.0.0.1";
const SERVER: &str = "10.1.0.1";

fn packet(protocol: u8, src: (&str, u16), dst: (&str, u16)) -> PacketInfo {
    PacketInfo {
        src: src.0.parse().unwrap(),
        dst: dst.0.parse().unwrap(),
        protocol,
        dscp: 0,
        ttl: 64,
        total_len: 40,
        l4_offset: 20,
        fragment: Fragment::Whole,
        src_port: src.1,
        dst_port: dst.1,
        tcp_flags: TcpFlags::default(),
        icmp: None,
    }
}

fn table() -> FlowTable {
    FlowTable::new(1000, FlowTimeouts::default(), 1)
}

fn secs(s: u64) -> Instant {
    Instant::from_secs(s)
}

#[test]
fn a_reply_passes_only_the_other_way_and_only_from_the_other_side() {
    let mut flows = table();
    let there = packet(17, (HOST, 1000), (SERVER, 53));
    let back = packet(17, (SERVER, 53), (HOST, 1000));
    assert!(!flows.pass(secs(0), Direction::In, &there));
    assert_eq!(flows.open(secs(0), Direction::In, &there), Opened::Yes);
    assert!(flows.pass(secs(1), Direction::Out, &back));
    assert!(flows.pass(secs(1), Direction::In, &there));
    assert!(!flows.pass(secs(1), Direction::In, &back));
    assert!(!flows.pass(secs(1), Direction::Out, &there));
    let other_port = packet(17, (SERVER, 54), (HOST, 1000));
    assert!(!flows.pass(secs(1), Direction::Out, &other_port));
}

#[test]
fn each_protocol_is_forgotten_after_its_own_time() {
    let syn = |flags| PacketInfo {
        tcp_flags: flags,
        ..packet(6, (HOST, 1000), (SERVER, 80))
    };
    let echo = |kind| PacketInfo {
        icmp: Some((kind, 0)),
        ..packet(1, (HOST, 7), (SERVER, 7))
    };
    let swap = |p: PacketInfo| PacketInfo {
        src: p.dst,
        dst: p.src,
        src_port: p.dst_port,
        dst_port: p.src_port,
        ..p
    };
    let udp = packet(17, (HOST, 1), (SERVER, 2));
    let esp = packet(50, (HOST, 0), (SERVER, 0));
    for (open, reply, lifetime) in [
        (syn(TcpFlags::SYN), None, 60),
        (syn(TcpFlags::SYN), Some(swap(syn(TcpFlags::ACK))), 86_400),
        (syn(TcpFlags::FIN), Some(swap(syn(TcpFlags::ACK))), 120),
        (syn(TcpFlags::SYN), Some(swap(syn(TcpFlags::RST))), 120),
        (udp, None, 30),
        (udp, Some(swap(udp)), 180),
        (echo(8), Some(swap(echo(0))), 15),
        (esp, Some(swap(esp)), 300),
    ] {
        let mut flows = table();
        flows.open(secs(0), Direction::Out, &open);
        if let Some(reply) = reply {
            assert!(flows.pass(secs(0), Direction::In, &reply), "{open:?}");
        }
        let mut late = flows.clone();
        assert!(
            flows.pass(secs(lifetime), Direction::Out, &open),
            "{open:?}"
        );
        let after = secs(lifetime) + Duration::from_nanos(1);
        assert!(!late.pass(after, Direction::Out, &open), "{open:?}");
    }
}

#[test]
fn an_echo_request_does_not_pass_as_a_reply() {
    let mut flows = table();
    let request = PacketInfo {
        icmp: Some((8, 0)),
        ..packet(1, (HOST, 7), (SERVER, 7))
    };
    flows.open(secs(0), Direction::Out, &request);
    let reverse = |kind| PacketInfo {
        icmp: Some((kind, 0)),
        ..packet(1, (SERVER, 7), (HOST, 7))
    };
    assert!(!flows.pass(secs(0), Direction::In, &reverse(8)));
    assert!(flows.pass(secs(0), Direction::In, &reverse(0)));
}

#[test]
fn an_icmp_error_about_a_flow_is_related_in_the_opposite_direction() {
    let mut flows = table();
    let there = packet(17, (HOST, 1000), (SERVER, 53));
    flows.open(secs(0), Direction::Out, &there);
    let tuple = there.five_tuple().unwrap();
    assert!(flows.is_related(secs(1), Direction::In, &tuple));
    assert!(!flows.is_related(secs(1), Direction::Out, &tuple));
    assert!(flows.is_related(secs(1), Direction::Out, &tuple.reversed()));
    assert!(!flows.is_related(secs(31), Direction::In, &tuple));
}

#[test]
fn a_full_table_refuses_and_takes_new_flows_once_old_ones_are_swept() {
    let mut flows = FlowTable::new(100, FlowTimeouts::default(), 1);
    let flow = |port| packet(17, (HOST, port), (SERVER, 53));
    for port in 0..100 {
        assert_eq!(flows.open(secs(0), Direction::In, &flow(port)), Opened::Yes);
    }
    assert_eq!(flows.open(secs(1), Direction::In, &flow(100)), Opened::Full);
    assert_eq!(flows.open(secs(1), Direction::In, &flow(99)), Opened::Yes);
    // 30 s later all but the last are dead; opening itself makes the room.
    for port in 200..290 {
        assert_eq!(
            flows.open(secs(31), Direction::In, &flow(port)),
            Opened::Yes
        );
    }
    assert!(flows.len() <= 100);
}

#[test]
fn a_flow_found_earlier_is_live_until_it_expires_or_another_takes_its_place() {
    let mut flows = table();
    let there = packet(17, (HOST, 1000), (SERVER, 53));
    let back = packet(17, (SERVER, 53), (HOST, 1000));
    flows.open(secs(0), Direction::Out, &there);
    let found = flows.find(secs(0), Direction::Out, &there).unwrap();
    assert_eq!(flows.admit(secs(1), Direction::Out, &there), Some(found));
    // Found is not used: 30 s after the packet above it is gone.
    assert!(flows.find(secs(31), Direction::Out, &there).is_some());
    assert!(flows.is_live(secs(31), found) && !flows.is_live(secs(32), found));
    // Touching is using.
    flows.touch(secs(30), found, &there);
    assert!(flows.is_live(secs(60), found));
    let answer = flows.find(secs(60), Direction::In, &back).unwrap();
    assert_ne!(answer, found);
    flows.touch(secs(60), answer, &back);
    assert!(flows.is_live(secs(240), found), "both have sent now");
    // The same conversation opened anew is another flow.
    flows.open(secs(241), Direction::Out, &there);
    assert!(!flows.is_live(secs(241), found));
    assert!(flows.find(secs(241), Direction::Out, &there).is_some());
}
