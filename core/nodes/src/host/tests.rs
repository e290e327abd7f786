//! Two hosts on a toy link in virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use proptest::prelude::*;
use skybridge_base::{Instant, MacAddr, Rng};
use skybridge_blueprint::{self as blueprint, NodeKind, NodeName, Service, ServiceKind};
use skybridge_wire::arp::{self, ArpRepr};
use skybridge_wire::icmpv4::{self, Icmpv4Kind};
use skybridge_wire::{EtherType, EthernetRepr, Frame, Tags, ethernet, ipv4};

use super::*;
use crate::{DropReason, EchoFault, Hop, HopVerdict};

mod halves;

const DELAY: Duration = Duration::from_millis(2);
const CLIENT: ConnectionId = ConnectionId(7);

fn ip(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

fn spec(last: u8, services: Vec<Service>) -> blueprint::Host {
    blueprint::Host {
        port: PortName::from("eth0"),
        mac: MacAddr::local(u64::from(last)),
        addresses: vec![format!("10.0.0.{last}/24").parse().unwrap()],
        gateways: vec![ip(254)],
        mtu: 1500,
        services,
        synthetic: false,
    }
}

fn service(tcp_port: u16, kind: ServiceKind) -> Service {
    Service {
        name: "db".to_owned(),
        tcp_port,
        kind,
    }
}

fn bridge() -> ServiceKind {
    ServiceKind::Bridge {
        target: "127.0.0.1:5432".to_owned(),
    }
}

/// What the wire does to a frame from side 0 or 1: what arrives, if anything.
type Fault = Box<dyn FnMut(usize, Frame) -> Option<Frame>>;

struct Lan {
    now: Instant,
    hosts: [Host; 2],
    flying: VecDeque<(Instant, usize, Frame)>,
    events: [Vec<NodeEvent>; 2],
    /// Ethertype and layer 3 bytes of everything sent.
    sent: [Vec<(EtherType, Vec<u8>)>; 2],
    received: [BTreeMap<ConnectionId, Vec<u8>>; 2],
    fault: Fault,
}

impl Lan {
    fn new(services: Vec<Service>) -> Self {
        let specs = [spec(1, Vec::new()), spec(2, services)];
        let names = ["a", "b"].map(NodeName::from);
        let mut lan = Self {
            now: Instant::from_secs(1),
            hosts: [
                Host::new(&names[0], &specs[0], 1),
                Host::new(&names[1], &specs[1], 2),
            ],
            flying: VecDeque::new(),
            events: Default::default(),
            sent: Default::default(),
            received: Default::default(),
            fault: Box::new(|_, frame| Some(frame)),
        };
        for side in 0..2 {
            lan.on(side, |host, now, out| {
                host.handle_link(now, PORT, true, out)
            });
        }
        lan
    }

    fn on(&mut self, side: usize, act: impl FnOnce(&mut Host, Instant, &mut Outbox)) {
        let mut out = Outbox::default();
        act(&mut self.hosts[side], self.now, &mut out);
        for (port, frame) in out.frames {
            assert_eq!(port, PORT);
            let view = ethernet::parse(frame.bytes()).unwrap();
            self.sent[side].push((view.ethertype(), view.payload().to_vec()));
            if let Some(frame) = (self.fault)(side, frame) {
                self.flying.push_back((self.now + DELAY, 1 - side, frame));
            }
        }
        for event in out.events {
            if let NodeEvent::TcpReceived { id, bytes } = &event {
                self.received[side].entry(*id).or_default().extend(bytes);
            } else {
                self.events[side].push(event);
            }
        }
    }

    fn command(&mut self, side: usize, command: HostCommand) {
        self.on(side, |host, now, out| host.command(now, command, out));
    }

    fn step(&mut self, until: Instant) -> bool {
        let arrival = self.flying.front().map(|(at, _, _)| *at);
        let timers = self.hosts.iter().filter_map(Node::poll_timeout);
        let next = timers.map(|deadline| deadline.at).chain(arrival).min();
        let Some(next) = next.filter(|next| *next <= until) else {
            self.now = until;
            return false;
        };
        self.now = next.max(self.now);
        if arrival == Some(next) {
            let (_, side, frame) = self.flying.pop_front().unwrap();
            let mut frames = vec![frame];
            self.on(side, |host, now, out| {
                host.handle_frames(now, PORT, &mut frames, out);
            });
        } else {
            for side in 0..2 {
                self.on(side, |host, now, out| host.handle_timeout(now, out));
            }
        }
        true
    }

    fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        let mut steps = 0;
        while self.step(until) {
            steps += 1;
            assert!(steps < 200_000, "no progress");
        }
    }

    fn ping(&mut self, target: IpAddr, payload_len: u16, dont_fragment: bool) {
        self.command(
            0,
            HostCommand::Echo {
                id: CLIENT,
                sequence: 3,
                target,
                ttl: 64,
                payload_len,
                dont_fragment,
                timeout: Duration::from_secs(5),
                trace: 42,
            },
        );
    }

    fn connect(&mut self, port: u16) {
        self.command(
            0,
            HostCommand::TcpConnect {
                id: CLIENT,
                target: ip(2),
                port,
                timeout: Duration::from_secs(5),
                trace: 43,
            },
        );
    }

    fn hops(&self, side: usize) -> Vec<Hop> {
        let hops = self.events[side].iter().filter_map(|event| {
            if let NodeEvent::Hop(hop) = event {
                Some((**hop).clone())
            } else {
                None
            }
        });
        hops.collect()
    }

    fn fault(&self) -> EchoFault {
        let mut faults = self.events[0].iter().filter_map(|event| {
            if let NodeEvent::EchoFailed { fault, .. } = event {
                Some(fault.clone())
            } else {
                None
            }
        });
        faults.next_back().expect("an echo failed")
    }

    fn closed(&self, side: usize) -> Vec<&'static str> {
        let reasons = self.events[side].iter().filter_map(|event| {
            if let NodeEvent::TcpClosed { reason, .. } = event {
                Some(*reason)
            } else {
                None
            }
        });
        reasons.collect()
    }

    /// Sends `data` from the client, minding its room, until as much has come back.
    fn send_and_collect(&mut self, data: &[u8], limit: Duration) -> Vec<u8> {
        let until = self.now + limit;
        let (mut at, mut room, mut seen) = (0, 0, 0);
        while self.received[0].get(&CLIENT).map_or(0, Vec::len) < data.len() {
            for event in &self.events[0][seen..] {
                if let NodeEvent::TcpWritable { room: told, .. } = event {
                    room = *told;
                }
            }
            seen = self.events[0].len();
            let n = room.min(data.len() - at);
            if n > 0 {
                let bytes = data[at..at + n].to_vec();
                self.command(0, HostCommand::TcpSend { id: CLIENT, bytes });
                (at, room) = (at + n, room - n);
            }
            assert!(self.step(until), "stalled at {} with {at}", self.now);
        }
        self.received[0].remove(&CLIENT).unwrap()
    }
}

#[test]
fn link_up_announces_the_address_and_both_hosts_learn_nothing_unasked() {
    let mut lan = Lan::new(Vec::new());
    lan.run_for(Duration::from_secs(1));
    let (ethertype, bytes) = &lan.sent[0][0];
    assert_eq!(*ethertype, EtherType::ARP);
    let packet = arp::parse(bytes).unwrap();
    assert!(packet.is_gratuitous() && packet.sender_ip == Ipv4Addr::new(10, 0, 0, 1));
    assert!(lan.hosts[1].neighbours(lan.now).is_empty());
}

#[test]
fn a_ping_is_answered_with_round_trip_time_and_four_hops() {
    let mut lan = Lan::new(Vec::new());
    lan.run_for(Duration::from_secs(1));
    lan.ping(ip(2), 56, true);
    lan.run_for(Duration::from_secs(1));
    let reply = NodeEvent::EchoReply {
        id: CLIENT,
        sequence: 3,
        from: ip(2),
        ttl: 64,
        // ARP first, then the packet itself: four crossings.
        rtt: 4 * DELAY,
    };
    assert!(lan.events[0].contains(&reply), "{:?}", lan.events[0]);
    let (a, b) = (lan.hops(0), lan.hops(1));
    assert_eq!((a.len(), b.len()), (2, 2));
    assert!(a[0].ingress.is_none() && matches!(a[0].verdict, HopVerdict::Forwarded { .. }));
    assert_eq!(b[0].verdict, HopVerdict::Delivered);
    assert!(b[1].ingress.is_none());
    assert_eq!(a[1].verdict, HopVerdict::Delivered);
    assert!(a.iter().chain(&b).all(|hop| hop.trace == 42));
    let known = lan.hosts[0].neighbours(lan.now);
    assert_eq!(known[0].mac, Some(MacAddr::local(2)));
}

#[test]
fn a_neighbour_that_does_not_answer_fails_the_echo_after_three_requests() {
    let mut lan = Lan::new(Vec::new());
    lan.ping(ip(9), 56, true);
    lan.run_for(Duration::from_secs(4));
    let unresolved = EchoFault::Unsendable(DropReason::NeighbourUnresolved);
    assert_eq!(lan.fault(), unresolved);
    let asked = lan.sent[0].iter().filter(|(ethertype, bytes)| {
        *ethertype == EtherType::ARP && !arp::parse(bytes).unwrap().is_gratuitous()
    });
    assert_eq!(asked.count(), 3);
    // While the failure is fresh, the next one fails at once; then it is asked again.
    lan.events[0].clear();
    lan.ping(ip(9), 56, true);
    assert_eq!(lan.fault(), unresolved);
    lan.run_for(Duration::from_secs(4));
    let before = lan.sent[0].len();
    lan.ping(ip(9), 56, true);
    assert_eq!(lan.sent[0].len(), before + 1);
}

#[test]
fn an_unanswered_echo_times_out_exactly_when_asked_to() {
    let mut lan = Lan::new(Vec::new());
    lan.ping(ip(2), 56, true);
    lan.run_for(Duration::from_secs(1));
    lan.events[0].clear();
    lan.fault = Box::new(|_, _| None);
    lan.ping(ip(2), 56, true);
    let deadline = lan.now + Duration::from_secs(5);
    assert_eq!(lan.hosts[0].poll_timeout().unwrap().at, deadline);
    lan.run_for(Duration::from_secs(6));
    assert_eq!(lan.fault(), EchoFault::Timeout);
}

#[test]
fn a_large_ping_is_fragmented_and_put_together_or_refused_with_df() {
    let mut lan = Lan::new(Vec::new());
    lan.ping(ip(2), 5000, false);
    lan.run_for(Duration::from_secs(1));
    let replied = |event: &NodeEvent| matches!(event, NodeEvent::EchoReply { .. });
    assert!(lan.events[0].iter().any(replied));
    let biggest = lan.sent[0].iter().map(|(_, bytes)| bytes.len()).max();
    assert!(biggest.unwrap() <= 1500);
    lan.ping(ip(2), 1473, true);
    assert_eq!(lan.fault(), EchoFault::Unsendable(DropReason::TooBig));
}

#[test]
fn large_pings_in_flight_together_do_not_mix_their_fragments() {
    let mut lan = Lan::new(Vec::new());
    lan.run_for(Duration::from_secs(1));
    for sequence in 0..5 {
        lan.command(
            0,
            HostCommand::Echo {
                id: CLIENT,
                sequence,
                target: ip(2),
                ttl: 64,
                payload_len: 4000,
                dont_fragment: false,
                timeout: Duration::from_secs(5),
                trace: 0,
            },
        );
    }
    lan.run_for(Duration::from_secs(6));
    let replied = |event: &&NodeEvent| matches!(event, NodeEvent::EchoReply { .. });
    assert_eq!(lan.events[0].iter().filter(replied).count(), 5);
}

#[test]
fn a_host_can_ping_and_connect_to_itself() {
    let mut lan = Lan::new(Vec::new());
    lan.ping(ip(1), 56, true);
    let replied = |event: &NodeEvent| matches!(event, NodeEvent::EchoReply { .. });
    assert!(lan.events[0].iter().any(replied));
    lan.command(
        1,
        HostCommand::TcpConnect {
            id: CLIENT,
            target: ip(2),
            port: 99,
            timeout: Duration::from_secs(5),
            trace: 0,
        },
    );
    assert_eq!(lan.closed(1), ["refused"]);
}

#[test]
fn no_link_and_no_route_are_said_so() {
    let mut lan = Lan::new(Vec::new());
    lan.ping(IpAddr::from([1_u16; 8]), 0, true);
    assert_eq!(lan.fault(), EchoFault::Unsendable(DropReason::NoRoute));
    lan.on(0, |host, now, out| host.handle_link(now, PORT, false, out));
    lan.ping(ip(2), 0, true);
    assert_eq!(lan.fault(), EchoFault::Unsendable(DropReason::LinkDown));
    assert_eq!(lan.hosts[0].counters().drops[&DropReason::LinkDown], 1);
}

#[test]
fn an_icmp_error_about_an_echo_names_its_sender_and_mtu() {
    let mut lan = Lan::new(Vec::new());
    lan.ping(ip(2), 100, true);
    lan.fault = Box::new(|_, _| None);
    lan.run_for(Duration::from_millis(3));
    lan.ping(ip(2), 1000, true);
    lan.run_for(Duration::from_millis(1));
    let (_, request) = lan.sent[0].last().unwrap().clone();
    let kind = Icmpv4Kind::Unreachable {
        code: 4,
        next_hop_mtu: 900,
    };
    let error = icmpv4::error_packet(Ipv4Addr::new(10, 0, 0, 254), kind, &request);
    let mut frame = Frame::with_headroom(&error.expect("the request went out"));
    EthernetRepr {
        dst: MacAddr::local(1),
        src: MacAddr::local(254),
        tags: Tags::Untagged,
        ethertype: EtherType::IPV4,
    }
    .push(&mut frame);
    lan.on(0, |host, now, out| {
        host.handle_frames(now, PORT, &mut vec![frame], out);
    });
    let fault = EchoFault::Icmp {
        from: ip(254),
        icmp_type: 3,
        code: 4,
        mtu: Some(900),
    };
    assert_eq!(lan.fault(), fault);
}

#[test]
fn an_echo_service_returns_a_hundred_kilobytes_intact_despite_loss() {
    let mut lan = Lan::new(vec![service(9000, ServiceKind::Echo)]);
    lan.run_for(Duration::from_secs(1));
    let mut rng = Rng::new(11);
    lan.fault = Box::new(move |_, frame| (!rng.chance_ppm(30_000)).then_some(frame));
    lan.connect(9000);
    let mut noise = Rng::new(12);
    let data: Vec<u8> = (0..100_000)
        .map(|_| u8::try_from(noise.below(256)).unwrap())
        .collect();
    assert!(lan.send_and_collect(&data, Duration::from_secs(600)) == data);
    lan.command(0, HostCommand::TcpClose { id: CLIENT });
    lan.run_for(Duration::from_secs(60));
    assert_eq!(lan.closed(0), ["closed"]);
    assert!(lan.hosts.iter().all(|host| host.connections().is_empty()));
    assert!(lan.hosts.iter().all(|host| host.poll_timeout().is_none()));
}

#[test]
fn connecting_is_timed_traced_and_refused_without_a_listener() {
    let mut lan = Lan::new(vec![service(9000, ServiceKind::Echo)]);
    lan.connect(9001);
    lan.run_for(Duration::from_secs(1));
    assert_eq!(lan.closed(0), ["refused"]);
    let verdict = lan.hops(1)[0].verdict.clone();
    assert!(matches!(
        verdict,
        HopVerdict::Dropped {
            reason: DropReason::NoListener,
            ..
        }
    ));
    lan.events = Default::default();
    lan.connect(9000);
    lan.run_for(Duration::from_secs(1));
    let connected = NodeEvent::TcpConnected {
        id: CLIENT,
        rtt: 2 * DELAY,
    };
    assert!(lan.events[0].contains(&connected), "{:?}", lan.events[0]);
    // SYN out and in, SYN-ACK out and in: the ACK is not part of the trace.
    assert_eq!((lan.hops(0).len(), lan.hops(1).len()), (2, 2));
    assert!(lan.hops(1).iter().all(|hop| hop.trace == 43));
    assert_eq!(lan.hosts[0].connections()[0].state, "ESTABLISHED");
}

#[test]
fn a_silent_target_times_out_and_an_unresolved_one_is_unreachable() {
    let mut lan = Lan::new(Vec::new());
    lan.ping(ip(2), 0, true);
    lan.run_for(Duration::from_secs(1));
    lan.fault = Box::new(|_, _| None);
    lan.connect(80);
    lan.run_for(Duration::from_secs(6));
    assert_eq!(lan.closed(0), ["timeout"]);
    let mut lan = Lan::new(Vec::new());
    lan.run_for(Duration::from_secs(1));
    lan.fault = Box::new(|_, _| None);
    lan.connect(80);
    lan.run_for(Duration::from_secs(6));
    assert_eq!(lan.closed(0), ["unreachable"]);
}

#[test]
fn a_bridge_hands_bytes_to_the_world_outside_and_back() {
    let mut lan = Lan::new(vec![service(1521, bridge())]);
    lan.connect(1521);
    lan.run_for(Duration::from_secs(1));
    let accepted = lan.events[1].iter().find_map(|event| {
        if let NodeEvent::ServiceAccepted { id, service, from } = event {
            Some((*id, service.clone(), *from))
        } else {
            None
        }
    });
    let (id, name, from) = accepted.unwrap();
    assert_eq!((name.as_str(), from, id.0 >> 63), ("db", ip(1), 1));
    let bytes = b"question".to_vec();
    lan.command(0, HostCommand::TcpSend { id: CLIENT, bytes });
    lan.run_for(Duration::from_secs(1));
    assert_eq!(lan.received[1][&id], b"question");
    let bytes = b"answer".to_vec();
    lan.command(1, HostCommand::TcpSend { id, bytes });
    lan.command(1, HostCommand::TcpClose { id });
    lan.run_for(Duration::from_secs(30));
    assert_eq!(lan.received[0][&CLIENT], b"answer");
    assert_eq!(
        (lan.closed(0), lan.closed(1)),
        (vec!["closed"], vec!["closed"])
    );
}

#[test]
fn sending_more_than_there_is_room_for_closes_the_connection() {
    let mut lan = Lan::new(vec![service(1521, bridge())]);
    lan.connect(1521);
    lan.run_for(Duration::from_secs(1));
    let bytes = vec![0; 20_000];
    lan.command(0, HostCommand::TcpSend { id: CLIENT, bytes });
    lan.run_for(Duration::from_secs(1));
    assert_eq!(
        (lan.closed(0), lan.closed(1)),
        (vec!["reset"], vec!["reset"])
    );
}

#[test]
fn a_postgresql_client_makes_a_round_trip_through_the_link() {
    let mut lan = Lan::new(vec![service(5432, ServiceKind::Echo)]);
    lan.connect(5432);
    lan.run_for(Duration::from_secs(1));
    let mut bytes = b"\x00\x00\x00\x10\x00\x03\x00\x00user\x00u\x00\x00".to_vec();
    bytes.extend(b"Q\x00\x00\x00\x0dSELECT 1\x00X\x00\x00\x00\x04");
    lan.command(0, HostCommand::TcpSend { id: CLIENT, bytes });
    lan.run_for(Duration::from_secs(60));
    let answer = &lan.received[0][&CLIENT];
    assert!(answer.starts_with(b"R\x00\x00\x00\x08\x00\x00\x00\x00"));
    assert!(answer.windows(19).any(|w| w == b"skybridge test echo"));
    // Terminate closes the connection from the server's side.
    assert_eq!(lan.closed(0), ["closed"]);
}

#[test]
fn a_narrow_path_lowers_the_segments_of_a_connection() {
    let mut lan = Lan::new(vec![service(9000, ServiceKind::Echo)]);
    lan.connect(9000);
    lan.run_for(Duration::from_secs(1));
    let errors = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let queue = errors.clone();
    lan.fault = Box::new(move |side, frame| {
        let packet = ethernet::parse(frame.bytes()).unwrap().payload();
        if packet.len() <= 1000 {
            return Some(frame);
        }
        let kind = Icmpv4Kind::Unreachable {
            code: 4,
            next_hop_mtu: 1000,
        };
        let error = icmpv4::error_packet(Ipv4Addr::new(10, 0, 0, 254), kind, packet).unwrap();
        queue.borrow_mut().push((side, error));
        None
    });
    let bytes = vec![5; 10_000];
    lan.command(0, HostCommand::TcpSend { id: CLIENT, bytes });
    for _ in 0..100 {
        lan.run_for(Duration::from_millis(100));
        for (side, error) in errors.borrow_mut().drain(..) {
            let mut frame = Frame::with_headroom(&error);
            EthernetRepr {
                dst: MacAddr::local(side as u64 + 1),
                src: MacAddr::local(254),
                tags: Tags::Untagged,
                ethertype: EtherType::IPV4,
            }
            .push(&mut frame);
            lan.flying.push_back((lan.now, side, frame));
        }
    }
    assert_eq!(lan.received[0][&CLIENT], vec![5; 10_000]);
    assert_eq!(lan.hosts[0].counters().tcp.path_mtu_lowered, 1);
}

#[test]
fn a_second_station_with_our_address_is_reported_once_and_answered() {
    let mut lan = Lan::new(Vec::new());
    lan.run_for(Duration::from_secs(1));
    let before = lan.sent[0].len();
    for _ in 0..3 {
        let packet = ArpRepr::announcement(MacAddr::local(66), Ipv4Addr::new(10, 0, 0, 1));
        let mut frame = Frame::with_headroom(&packet.to_bytes());
        EthernetRepr {
            dst: MacAddr::BROADCAST,
            src: MacAddr::local(66),
            tags: Tags::Untagged,
            ethertype: EtherType::ARP,
        }
        .push(&mut frame);
        lan.on(0, |host, now, out| {
            host.handle_frames(now, PORT, &mut vec![frame], out);
        });
    }
    let told = |event: &&NodeEvent| matches!(event, NodeEvent::DuplicateAddress { .. });
    assert_eq!(lan.events[0].iter().filter(told).count(), 1);
    assert_eq!(lan.sent[0].len(), before + 1);
}

#[test]
fn another_address_resets_its_connections_and_another_mtu_does_not() {
    let mut lan = Lan::new(vec![service(9000, ServiceKind::Echo)]);
    lan.connect(9000);
    lan.run_for(Duration::from_secs(1));
    let mut changed = spec(1, Vec::new());
    changed.mtu = 1400;
    let kind = NodeKind::Host(Box::new(changed.clone()));
    lan.on(0, |host, now, out| host.reconfigure(now, &kind, out));
    assert!(lan.closed(0).is_empty());
    changed.addresses = vec!["10.0.0.3/24".parse().unwrap()];
    let kind = NodeKind::Host(Box::new(changed));
    lan.on(0, |host, now, out| host.reconfigure(now, &kind, out));
    assert_eq!(lan.closed(0), ["reset"]);
    lan.run_for(Duration::from_secs(1));
    lan.connect(9000);
    lan.run_for(Duration::from_secs(1));
    assert_eq!(lan.hosts[0].connections()[0].local.ip(), ip(3));
}

#[test]
fn services_come_and_go_under_running_connections() {
    let mut lan = Lan::new(vec![service(9000, ServiceKind::Echo)]);
    lan.connect(9000);
    lan.run_for(Duration::from_secs(1));
    let kind = NodeKind::Host(Box::new(spec(2, vec![service(9001, ServiceKind::Echo)])));
    lan.on(1, |host, now, out| host.reconfigure(now, &kind, out));
    assert_eq!(
        lan.send_and_collect(b"still here", Duration::from_secs(1)),
        b"still here"
    );
    lan.command(0, HostCommand::TcpAbort { id: CLIENT });
    lan.connect(9000);
    lan.run_for(Duration::from_secs(1));
    assert_eq!(lan.closed(0), ["refused"]);
    lan.connect(9001);
    lan.run_for(Duration::from_secs(1));
    assert_eq!(
        lan.hosts[0].connections().last().unwrap().state,
        "ESTABLISHED"
    );
}

#[test]
fn a_segment_with_its_checksum_left_to_the_card_is_taken() {
    let mut lan = Lan::new(vec![service(9000, ServiceKind::Echo)]);
    lan.fault = Box::new(|_, mut frame| {
        let is_tcp = frame.l3().first() == Some(&0x45) && frame.l3()[9] == 6;
        if is_tcp {
            frame.l3_mut()[36..38].fill(0);
            frame.meta.csum = skybridge_wire::ChecksumState::Partial {
                start: 34,
                offset: 16,
            };
        }
        Some(frame)
    });
    lan.connect(9000);
    assert_eq!(
        lan.send_and_collect(b"offloaded", Duration::from_secs(2)),
        b"offloaded"
    );
}

#[test]
fn udp_is_echoed_on_port_seven_and_refused_elsewhere() {
    let mut lan = Lan::new(Vec::new());
    lan.ping(ip(2), 0, true);
    lan.run_for(Duration::from_secs(1));
    for (port, protocol) in [(7, 17), (8, 1)] {
        let mut datagram = Vec::new();
        skybridge_wire::udp::UdpRepr {
            src_port: 5000,
            dst_port: port,
        }
        .emit(ip(1), ip(2), b"hello", &mut datagram);
        let mut packet = Vec::new();
        let (src, dst) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        ipv4::Ipv4Repr::new(src, dst, 17, datagram.len()).emit(&mut packet);
        packet.extend_from_slice(&datagram);
        let mut frame = Frame::with_headroom(&packet);
        EthernetRepr {
            dst: MacAddr::local(2),
            src: MacAddr::local(1),
            tags: Tags::Untagged,
            ethertype: EtherType::IPV4,
        }
        .push(&mut frame);
        lan.on(1, |host, now, out| {
            host.handle_frames(now, PORT, &mut vec![frame], out);
        });
        let (_, answer) = lan.sent[1].last().unwrap();
        assert_eq!(ipv4::parse(answer).unwrap().protocol(), protocol);
    }
}

proptest! {
    #[test]
    fn no_frame_makes_a_host_panic(
        frames in proptest::collection::vec(
            (0_usize..4, proptest::collection::vec(any::<u8>(), 0..120)), 0..20)
    ) {
        let mut host = Host::new(&NodeName::from("h"), &spec(1, vec![service(80, bridge())]), 1);
        let mut out = Outbox::default();
        let now = Instant::from_secs(1);
        host.handle_link(now, PORT, true, &mut out);
        for (how, bytes) in frames {
            let mut frame = Frame::with_headroom(&bytes);
            // Some are well-formed further up, so that deeper layers are reached.
            if how > 0 {
                let protocol = [1, 6, 17][how - 1];
                let mut packet = Vec::new();
                ipv4::Ipv4Repr::new(
                    Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(10, 0, 0, 1), protocol, bytes.len(),
                )
                .emit(&mut packet);
                packet.extend_from_slice(&bytes);
                frame = Frame::with_headroom(&packet);
                frame.meta.csum = skybridge_wire::ChecksumState::Partial { start: 34, offset: 16 };
                EthernetRepr {
                    dst: MacAddr::local(1),
                    src: MacAddr::local(2),
                    tags: Tags::Untagged,
                    ethertype: EtherType::IPV4,
                }
                .push(&mut frame);
            }
            frame.meta.trace = 5;
            host.handle_frames(now, PORT, &mut vec![frame], &mut out);
        }
        host.handle_timeout(Instant::from_secs(9), &mut out);
    }

    #[test]
    fn no_bytes_make_the_test_echo_panic(
        chunks in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..40), 0..20),
        postgres in any::<bool>(),
    ) {
        let mut echo = TestEcho::new();
        if postgres {
            echo.handle(b"\x00\x00\x00\x10\x00\x03\x00\x00user\x00u\x00\x00");
        }
        for chunk in chunks {
            echo.handle(&chunk);
        }
    }
}

#[test]
fn a_super_frame_of_datagrams_is_answered_datagram_by_datagram() {
    use skybridge_wire::{ChecksumState, protocol};
    let mut host = Host::new(&NodeName::from("b"), &spec(2, Vec::new()), 1);
    let now = Instant::from_secs(1);
    host.handle_link(now, PORT, true, &mut Outbox::default());
    let station = |ethertype, payload: &[u8]| {
        let mut frame = Frame::with_headroom(payload);
        EthernetRepr {
            dst: MacAddr::local(2),
            src: MacAddr::local(1),
            tags: Tags::Untagged,
            ethertype,
        }
        .push(&mut frame);
        frame
    };
    let (us, peer) = (Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(10, 0, 0, 1));
    let hello = ArpRepr::announcement(MacAddr::local(1), peer).to_bytes();
    // Three datagrams of 100 octets for the echo port, as a sender with offloads hands them over.
    let mut packet = Vec::new();
    ipv4::Ipv4Repr::new(peer, us, protocol::UDP, 8 + 300).emit(&mut packet);
    packet.extend([0x30, 0x39, 0, 7, 1, 52, 0, 0]);
    packet.extend([5; 300]);
    let mut train = station(EtherType::IPV4, &packet);
    train.meta.gso_size = 100;
    train.meta.csum = ChecksumState::Partial {
        start: 34,
        offset: 6,
    };
    let mut frames = vec![station(EtherType::ARP, &hello), train];
    let mut out = Outbox::default();
    host.handle_frames(now, PORT, &mut frames, &mut out);
    // The peer is asked for first where the announcement is not learned from.
    let reply = ArpRepr::request(MacAddr::local(2), us, peer).reply(MacAddr::local(1));
    let mut frames = vec![station(EtherType::ARP, &reply.to_bytes())];
    host.handle_frames(now, PORT, &mut frames, &mut out);
    let answers = out
        .frames
        .iter()
        .filter(|(_, frame)| frame.len() == 14 + 20 + 8 + 100);
    assert_eq!(answers.count(), 3);
}
