use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use skybridge_base::{MacAddr, VlanId};
use skybridge_blueprint::{Attached, Device, Service};
use skybridge_wire::arp::ArpRepr;
use skybridge_wire::icmpv4::{self, Icmpv4Kind};
use skybridge_wire::tcp::{self, TcpFlags};
use skybridge_wire::{EthernetRepr, Tags, ipv4, protocol};

use super::*;
use crate::ConnectionId;

const US: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const OUR_MAC: u64 = 1;
const PEER_MAC: u64 = 2;
const NOW: Instant = Instant::from_secs(5);

fn namespace(services: Vec<Service>) -> External {
    let host = blueprint::Host {
        port: "eth0".into(),
        mac: MacAddr::local(OUR_MAC),
        addresses: vec!["10.0.0.1/24".parse().unwrap()],
        gateways: vec![IpAddr::from([10, 0, 0, 254])],
        mtu: 1500,
        services,
        synthetic: false,
    };
    let spec = blueprint::External::Namespace(Box::new(host));
    up(External::new(&"app".into(), &spec, 1))
}

fn attached(mode: PortMode) -> External {
    let attached = Attached {
        port: "wan".into(),
        device: Device::Tap { name: "t0".into() },
        mode,
        persona: None,
    };
    let spec = blueprint::External::Attached(Box::new(attached));
    up(External::new(&"ce".into(), &spec, 1))
}

fn up(mut node: External) -> External {
    node.handle_link(NOW, LINK, true, &mut Outbox::default());
    node
}

fn frame(tags: Tags, ethertype: EtherType, payload: &[u8]) -> Frame {
    let mut frame = Frame::with_headroom(payload);
    let header = EthernetRepr {
        dst: MacAddr::local(OUR_MAC),
        src: MacAddr::local(PEER_MAC),
        tags,
        ethertype,
    };
    header.push(&mut frame);
    frame
}

fn packet(payload: &[u8]) -> Frame {
    frame(Tags::Untagged, EtherType::IPV4, payload)
}

fn hand(node: &mut External, port: PortIndex, frame: Frame) -> Outbox {
    let mut out = Outbox::default();
    node.handle_frames(NOW, port, &mut vec![frame], &mut out);
    out
}

fn echo(src: Ipv4Addr, dst: Ipv4Addr, kind: Icmpv4Kind) -> Vec<u8> {
    icmpv4::packet(src, dst, kind, b"data")
}

fn segment(ports: (u16, u16), flags: TcpFlags) -> Vec<u8> {
    let repr = tcp::TcpRepr {
        src_port: ports.0,
        dst_port: ports.1,
        seq: 7,
        ack: 0,
        flags,
        window: 1000,
        options: &[],
    };
    let mut bytes = Vec::new();
    repr.emit(PEER.into(), US.into(), &[], &mut bytes);
    let mut packet = Vec::new();
    ipv4::Ipv4Repr::new(PEER, US, protocol::TCP, bytes.len()).emit(&mut packet);
    packet.extend(bytes);
    packet
}

/// A probe of the namespace's to the peer, resolved: the identifier it carries.
fn probe(node: &mut External, trace: u32) -> u16 {
    let reply = ArpRepr::request(MacAddr::local(OUR_MAC), US, PEER).reply(MacAddr::local(PEER_MAC));
    let command = HostCommand::Echo {
        id: ConnectionId(77),
        sequence: 3,
        target: PEER.into(),
        ttl: 64,
        payload_len: 8,
        dont_fragment: false,
        timeout: Duration::from_secs(1),
        trace,
    };
    let mut out = Outbox::default();
    assert!(node.command(NOW, command, &mut out));
    let arp = frame(Tags::Untagged, EtherType::ARP, &reply.to_bytes());
    let out = hand(node, LINK, arp);
    let ports: Vec<PortIndex> = out.frames.iter().map(|(port, _)| *port).collect();
    assert_eq!(
        ports,
        [LINK, OUTSIDE],
        "the echo request, and the reply for the kernel"
    );
    let view = ethernet::parse(out.frames[0].1.bytes()).unwrap();
    let ip = ipv4::parse(view.payload()).unwrap();
    let kind = icmpv4::parse(ip.payload()).unwrap().kind();
    let Icmpv4Kind::EchoRequest { identifier, .. } = kind else {
        panic!("{kind:?}");
    };
    identifier
}

#[test]
fn frames_cross_between_link_and_outside_unchanged() {
    let mut node = namespace(Vec::new());
    let request = packet(&echo(
        PEER,
        US,
        Icmpv4Kind::EchoRequest {
            identifier: 1,
            sequence: 1,
        },
    ));
    for (from, to) in [(LINK, OUTSIDE), (OUTSIDE, LINK)] {
        let out = hand(&mut node, from, request.clone());
        assert_eq!(out.frames, [(to, request.clone())]);
    }
    let counters = node.counters();
    assert_eq!((counters.frames_in, counters.frames_out), (1, 1));
}

#[test]
fn a_probe_takes_its_own_answer_and_leaves_those_of_the_kernel() {
    let mut node = namespace(Vec::new());
    let identifier = probe(&mut node, 0);
    let reply = |identifier| {
        packet(&echo(
            PEER,
            US,
            Icmpv4Kind::EchoReply {
                identifier,
                sequence: 3,
            },
        ))
    };
    let kernels = hand(&mut node, LINK, reply(identifier.wrapping_add(1)));
    assert_eq!(kernels.frames.len(), 1);
    assert!(kernels.events.is_empty());
    let ours = hand(&mut node, LINK, reply(identifier));
    assert!(ours.frames.is_empty());
    assert!(matches!(
        ours.events[..],
        [NodeEvent::EchoReply { sequence: 3, .. }]
    ));
    let again = hand(&mut node, LINK, reply(identifier));
    assert_eq!(again.frames.len(), 1, "what nobody awaits is the kernel's");
}

#[test]
fn arp_requests_are_answered_by_the_kernel_alone() {
    let mut node = namespace(Vec::new());
    let request = ArpRepr::request(MacAddr::local(PEER_MAC), PEER, US);
    let out = hand(
        &mut node,
        LINK,
        frame(Tags::Untagged, EtherType::ARP, &request.to_bytes()),
    );
    assert_eq!(out.frames.len(), 1);
    assert_eq!(out.frames[0].0, OUTSIDE);
}

#[test]
fn connections_go_to_the_kernel_unless_a_service_with_a_target_has_the_port() {
    let service = |name: &str, tcp_port, kind| Service {
        name: name.to_owned(),
        tcp_port,
        kind,
    };
    let target = "127.0.0.1:5432".to_owned();
    let mut node = namespace(vec![
        service("db", 5432, ServiceKind::Bridge { target }),
        service("web", 80, ServiceKind::Echo),
    ]);
    for port in [80, 22] {
        let out = hand(
            &mut node,
            LINK,
            packet(&segment((40_000, port), TcpFlags::SYN)),
        );
        assert_eq!(out.frames.len(), 1, "{port}");
        assert_eq!(out.frames[0].0, OUTSIDE, "{port}");
    }
    let out = hand(
        &mut node,
        LINK,
        packet(&segment((40_000, 5432), TcpFlags::SYN)),
    );
    assert!(out.frames.iter().all(|(port, _)| *port == LINK));
    assert!(
        !out.frames.is_empty(),
        "the prober asks for the peer's station"
    );
}

#[test]
fn the_kernels_answer_carries_the_trace_of_the_packet_it_answers() {
    let mut node = namespace(Vec::new());
    let mut request = packet(&echo(
        PEER,
        US,
        Icmpv4Kind::EchoRequest {
            identifier: 9,
            sequence: 1,
        },
    ));
    request.meta.trace = 42;
    let out = hand(&mut node, LINK, request);
    assert_eq!(
        out.frames[0].1.meta.trace, 0,
        "the kernel knows nothing of traces"
    );
    assert!(
        matches!(&out.events[..], [NodeEvent::Hop(hop)] if hop.verdict == HopVerdict::Delivered)
    );
    let reply = packet(&echo(
        US,
        PEER,
        Icmpv4Kind::EchoReply {
            identifier: 9,
            sequence: 1,
        },
    ));
    let out = hand(&mut node, OUTSIDE, reply.clone());
    assert_eq!(out.frames[0].1.meta.trace, 42);
    assert!(matches!(&out.events[..], [NodeEvent::Hop(hop)] if hop.trace == 42));
    let later = hand(&mut node, OUTSIDE, reply);
    assert_eq!(later.frames[0].1.meta.trace, 0);
}

#[test]
fn an_access_port_passes_no_tags_and_a_trunk_passes_all() {
    let tags = Tags::dot1q(VlanId::new(7).unwrap());
    for (mode, passes) in [(PortMode::Access, 0), (PortMode::Trunk, 1)] {
        let mut node = attached(mode);
        for port in [LINK, OUTSIDE] {
            let tagged = frame(tags, EtherType::IPV4, b"whatever");
            assert_eq!(
                hand(&mut node, port, tagged).frames.len(),
                passes,
                "{mode:?} {port:?}"
            );
        }
        let drops = node.counters().drops.get(&DropReason::UnknownTags);
        assert_eq!(drops.copied().unwrap_or(0), 2 - 2 * passes as u64);
    }
}

#[test]
fn nothing_enters_while_the_link_is_down() {
    let mut node = attached(PortMode::Trunk);
    node.handle_link(NOW, LINK, false, &mut Outbox::default());
    assert!(hand(&mut node, OUTSIDE, packet(b"x")).frames.is_empty());
    assert_eq!(node.counters().drops[&DropReason::LinkDown], 1);
}
