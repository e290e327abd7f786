//! Two stacks on a toy wire in virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use proptest::prelude::*;
use skybridge_base::{Instant, Rng};
use skybridge_blueprint::Secret;
use skybridge_wire::icmpv4::{self, Icmpv4Kind};
use skybridge_wire::{ipv4, ipv6, tcp};

use super::*;

const A: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 0, 1));
const B: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 0, 2));
const DELAY: Duration = Duration::from_millis(3);

fn endpoint(local: IpAddr, remote: IpAddr, key: Option<&str>) -> SessionEndpoint {
    SessionEndpoint {
        local,
        remote,
        md5: key.map(|key| Secret::new(key.to_owned())),
        mtu: 1500,
        ttl: 255,
        ttl_min: 254,
        dscp: ipv4::DSCP_CS6,
    }
}

/// What the wire does to a packet from side 0 or 1: what arrives, if anything.
type Fault = Box<dyn FnMut(usize, Vec<u8>) -> Option<Vec<u8>>>;

struct Pair {
    now: Instant,
    stacks: [Stack; 2],
    flying: VecDeque<(Instant, usize, Vec<u8>)>,
    events: [Vec<StackEvent>; 2],
    sent: [Vec<Vec<u8>>; 2],
    received: [BTreeMap<ConnId, Vec<u8>>; 2],
    fault: Fault,
}

impl Pair {
    fn new(stacks: [Stack; 2]) -> Self {
        Self {
            now: Instant::ZERO,
            stacks,
            flying: VecDeque::new(),
            events: Default::default(),
            sent: Default::default(),
            received: Default::default(),
            fault: Box::new(|_, packet| Some(packet)),
        }
    }

    fn with_sessions(keys: [Option<&str>; 2]) -> (Self, [SessionId; 2]) {
        let mut a = Stack::new(1);
        let mut b = Stack::new(2);
        let ids = [
            a.add_session(endpoint(A, B, keys[0])),
            b.add_session(endpoint(B, A, keys[1])),
        ];
        (Self::new([a, b]), ids)
    }

    fn drain(&mut self) {
        for side in 0..2 {
            while let Some(event) = self.stacks[side].poll_event() {
                if let StackEvent::Received { conn, bytes } = &event {
                    let all = self.received[side].entry(*conn).or_default();
                    all.extend_from_slice(bytes);
                } else {
                    self.events[side].push(event);
                }
            }
            while let Some(out) = self.stacks[side].poll_packet(self.now) {
                self.sent[side].push(out.bytes.clone());
                if let Some(bytes) = (self.fault)(side, out.bytes) {
                    self.flying.push_back((self.now + DELAY, 1 - side, bytes));
                }
            }
        }
    }

    /// Runs to the next thing that happens; false when nothing ever will.
    fn step(&mut self, until: Instant) -> bool {
        self.drain();
        let arrival = self.flying.front().map(|(at, _, _)| *at);
        let timers = self.stacks.iter().filter_map(|stack| stack.poll_timeout());
        let next = timers.map(|deadline| deadline.at).chain(arrival).min();
        let Some(next) = next.filter(|next| *next <= until) else {
            self.now = until;
            return false;
        };
        assert!(next >= self.now);
        self.now = next;
        if arrival == Some(next) {
            let (_, side, bytes) = self.flying.pop_front().unwrap();
            self.stacks[side].handle_packet(next, None, &bytes);
        } else {
            for stack in &mut self.stacks {
                stack.handle_timeout(next);
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

    fn connected(&self, side: usize) -> Vec<ConnId> {
        let ids = self.events[side].iter().filter_map(|event| {
            if let StackEvent::Connected { conn, .. } = event {
                Some(*conn)
            } else {
                None
            }
        });
        ids.collect()
    }

    fn closed(&self, side: usize) -> Vec<CloseReason> {
        let reasons = self.events[side].iter().filter_map(|event| {
            if let StackEvent::Closed { reason, .. } = event {
                Some(*reason)
            } else {
                None
            }
        });
        reasons.collect()
    }

    /// Sends `data` from both ends and runs until it has arrived.
    fn exchange(&mut self, ends: [ConnId; 2], data: [&[u8]; 2], limit: Duration) {
        let until = self.now + limit;
        let mut at = [0; 2];
        for (received, end) in self.received.iter_mut().zip(ends) {
            received.remove(&end);
        }
        while (0..2)
            .any(|s| self.received[1 - s].get(&ends[1 - s]).map_or(0, Vec::len) < data[s].len())
        {
            for side in 0..2 {
                at[side] += self.stacks[side].send(ends[side], &data[side][at[side]..]);
            }
            assert!(self.step(until), "stalled at {} with {at:?}", self.now);
        }
        for side in 0..2 {
            let got = self.received[1 - side].get(&ends[1 - side]);
            assert!(got.map_or(&[][..], Vec::as_slice) == data[side]);
        }
    }
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    (0..len)
        .map(|_| u8::try_from(rng.below(256)).unwrap())
        .collect()
}

#[test]
fn a_signed_session_connects_and_looks_as_bgp_should_on_the_wire() {
    let (mut pair, [a, _]) = Pair::with_sessions([Some("k3y"), Some("k3y")]);
    pair.stacks[0].connect(pair.now, a, BGP_PORT);
    pair.run_for(Duration::from_secs(1));
    let (left, right) = (pair.connected(0), pair.connected(1));
    assert_eq!((left.len(), right.len()), (1, 1));
    pair.exchange(
        [left[0], right[0]],
        [b"open", b"open too"],
        Duration::from_secs(1),
    );
    for packet in pair.sent.iter().flatten() {
        let ip = ipv4::parse(packet).unwrap();
        assert!(ip.is_checksum_valid() && ip.dont_fragment());
        assert_eq!((ip.ttl(), ip.dscp()), (255, 48));
        let view = tcp::parse(ip.payload()).unwrap();
        assert!(view.is_checksum_valid(ip.src().into(), ip.dst().into()));
        let options: Vec<_> = view.options().collect();
        assert!(options.iter().any(|o| matches!(o, tcp::TcpOption::Md5(_))));
        assert!(!options.contains(&tcp::TcpOption::SackPermitted));
        assert!(
            !options
                .iter()
                .any(|o| matches!(o, tcp::TcpOption::Timestamps(..)))
        );
        for option in options {
            if let tcp::TcpOption::MaxSegmentSize(mss) = option {
                assert_eq!(mss, 1440);
            }
        }
    }
}

#[test]
fn a_signed_full_segment_fits_the_mtu_exactly() {
    let (mut pair, [a, _]) = Pair::with_sessions([Some("k3y"), Some("k3y")]);
    pair.stacks[0].connect(pair.now, a, BGP_PORT);
    pair.run_for(Duration::from_secs(1));
    let ends = [pair.connected(0)[0], pair.connected(1)[0]];
    pair.exchange(ends, [&noise(1, 50_000), &[]], Duration::from_secs(5));
    assert_eq!(pair.sent[0].iter().map(Vec::len).max(), Some(1500));
}

#[test]
fn different_keys_never_connect_and_time_out_silently() {
    for keys in [
        [Some("one"), Some("two")],
        [Some("one"), None],
        [None, Some("two")],
    ] {
        let (mut pair, [a, _]) = Pair::with_sessions(keys);
        pair.stacks[0].connect(pair.now, a, BGP_PORT);
        pair.run_for(Duration::from_millis(5100));
        assert_eq!(pair.closed(0), [CloseReason::Timeout]);
        assert!(pair.connected(1).is_empty());
        assert!(
            pair.sent[1].is_empty(),
            "a wrong signature is dropped without an answer"
        );
        let counters = pair.stacks[1].counters();
        let counted = match keys {
            [Some(_), Some(_)] => counters.md5_mismatch,
            [Some(_), None] => counters.md5_unexpected,
            _ => counters.md5_missing,
        };
        assert!(counted >= 3, "{counters:?}");
        assert!(pair.stacks[0].poll_timeout().is_none());
    }
}

#[test]
fn a_reset_without_signature_does_not_end_a_signed_session() {
    let (mut pair, [a, _]) = Pair::with_sessions([Some("k3y"), Some("k3y")]);
    pair.stacks[0].connect(pair.now, a, BGP_PORT);
    pair.run_for(Duration::from_secs(1));
    let ends = [pair.connected(0)[0], pair.connected(1)[0]];
    // The last segment from B, turned into an unsigned reset.
    let last = pair.sent[1].last().unwrap().clone();
    let ip = ipv4::parse(&last).unwrap();
    let view = tcp::parse(ip.payload()).unwrap();
    let mut segment = Vec::new();
    tcp::TcpRepr {
        flags: tcp::TcpFlags::RST,
        options: &[],
        ..view.repr()
    }
    .emit(B, A, &[], &mut segment);
    let mut packet = Vec::new();
    ipv4::Ipv4Repr {
        ttl: 255,
        ..ipv4::Ipv4Repr::new(ip.src(), ip.dst(), 6, segment.len())
    }
    .emit(&mut packet);
    packet.extend_from_slice(&segment);
    pair.stacks[0].handle_packet(pair.now, None, &packet);
    assert_eq!(pair.stacks[0].counters().md5_missing, 1);
    pair.exchange(ends, [b"alive", b"alive"], Duration::from_secs(1));
}

#[test]
fn a_changed_byte_is_dropped_and_the_data_still_arrives_intact() {
    let (mut pair, [a, _]) = Pair::with_sessions([Some("k3y"), Some("k3y")]);
    let mut count = 0;
    pair.fault = Box::new(move |_, mut packet| {
        count += 1;
        if count % 9 == 0 {
            let last = packet.len() - 1;
            packet[last] ^= 0x40;
        }
        Some(packet)
    });
    pair.stacks[0].connect(pair.now, a, BGP_PORT);
    pair.run_for(Duration::from_secs(3));
    let ends = [pair.connected(0)[0], pair.connected(1)[0]];
    pair.exchange(
        ends,
        [&noise(1, 40_000), &noise(2, 40_000)],
        Duration::from_secs(120),
    );
    assert!(pair.stacks[0].counters().checksum + pair.stacks[1].counters().checksum > 5);
}

#[test]
fn a_hundred_kilobytes_survive_seeded_loss_both_ways() {
    for seed in 0..8 {
        let (mut pair, [a, _]) = Pair::with_sessions([None, None]);
        let mut rng = Rng::new(seed);
        pair.fault = Box::new(move |_, packet| (!rng.chance_ppm(50_000)).then_some(packet));
        pair.stacks[0].connect(pair.now, a, BGP_PORT);
        pair.run_for(Duration::from_secs(4));
        let ends = [pair.connected(0)[0], pair.connected(1)[0]];
        let data = [noise(seed, 100_000), noise(seed + 100, 100_000)];
        pair.exchange(ends, [&data[0], &data[1]], Duration::from_secs(600));
    }
}

#[test]
fn both_sides_opening_at_once_yields_two_working_connections() {
    let (mut pair, [a, b]) = Pair::with_sessions([Some("k3y"), Some("k3y")]);
    let from_a = pair.stacks[0].connect(pair.now, a, BGP_PORT);
    let from_b = pair.stacks[1].connect(pair.now, b, BGP_PORT);
    pair.run_for(Duration::from_secs(1));
    let other = |ids: Vec<ConnId>, own| ids.into_iter().find(|id| *id != own).unwrap();
    let at_b = other(pair.connected(1), from_b);
    let at_a = other(pair.connected(0), from_a);
    pair.exchange([from_a, at_b], [b"one", b"eno"], Duration::from_secs(1));
    pair.exchange([at_a, from_b], [b"two", b"owt"], Duration::from_secs(1));
}

#[test]
fn an_unknown_peer_and_a_session_that_does_not_accept_are_refused() {
    let (mut pair, [_, b]) = Pair::with_sessions([None, None]);
    pair.stacks[1].set_accepting(b, false);
    let a = pair.stacks[0].session_between(A, B).unwrap();
    pair.stacks[0].connect(pair.now, a, BGP_PORT);
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.closed(0), [CloseReason::Refused]);
    pair.stacks[1].remove_session(pair.now, b);
    pair.stacks[0].connect(pair.now, a, BGP_PORT);
    pair.run_for(Duration::from_secs(1));
    // The answer to a stranger has TTL 64, below GTSM: it is dropped and the connect runs on.
    assert_eq!(pair.stacks[0].counters().ttl_too_low, 1);
    pair.run_for(Duration::from_secs(5));
    assert_eq!(pair.closed(0), [CloseReason::Refused, CloseReason::Timeout]);
}

#[test]
fn a_packet_that_crossed_routers_fails_gtsm() {
    let (mut pair, [a, _]) = Pair::with_sessions([None, None]);
    pair.fault = Box::new(|_, mut packet| {
        ipv4::decrement_ttl(&mut packet);
        ipv4::decrement_ttl(&mut packet);
        Some(packet)
    });
    pair.stacks[0].connect(pair.now, a, BGP_PORT);
    pair.run_for(Duration::from_secs(6));
    assert_eq!(pair.closed(0), [CloseReason::Timeout]);
    assert!(pair.stacks[1].counters().ttl_too_low >= 3);
}

#[test]
fn a_changed_key_resets_the_session_and_the_new_key_works() {
    let (mut pair, [a, b]) = Pair::with_sessions([Some("old"), Some("old")]);
    pair.stacks[0].connect(pair.now, a, BGP_PORT);
    pair.run_for(Duration::from_secs(1));
    pair.stacks[0].update_session(pair.now, a, endpoint(A, B, Some("new")));
    pair.run_for(Duration::from_secs(1));
    // The reset is signed with the old key, so the peer believes it.
    assert_eq!(pair.closed(0), [CloseReason::Reset]);
    assert_eq!(pair.closed(1), [CloseReason::Reset]);
    pair.stacks[1].update_session(pair.now, b, endpoint(B, A, Some("new")));
    pair.stacks[1].connect(pair.now, b, BGP_PORT);
    pair.run_for(Duration::from_secs(1));
    assert_eq!((pair.connected(0).len(), pair.connected(1).len()), (2, 2));
}

#[test]
fn an_established_connection_survives_silence_and_costs_no_timer() {
    let (mut pair, [a, _]) = Pair::with_sessions([None, None]);
    pair.stacks[0].connect(pair.now, a, BGP_PORT);
    pair.run_for(Duration::from_secs(1));
    assert!(
        pair.stacks
            .iter()
            .all(|stack| stack.poll_timeout().is_none())
    );
    let sent = pair.sent[0].len();
    pair.run_for(Duration::from_secs(100_000));
    assert_eq!(pair.sent[0].len(), sent);
    assert!(pair.closed(0).is_empty());
    // A dead wire is the protocol's affair unless a user timeout is set.
    pair.fault = Box::new(|_, _| None);
    let conn = pair.connected(0)[0];
    pair.stacks[0].send(conn, b"keepalive");
    pair.run_for(Duration::from_secs(3600));
    assert!(pair.closed(0).is_empty());
}

#[test]
fn a_user_timeout_ends_a_connection_that_makes_no_progress() {
    let (mut pair, [a, _]) = Pair::with_sessions([None, None]);
    pair.stacks[0].set_user_timeout(Some(Duration::from_secs(20)));
    let conn = pair.stacks[0].connect(pair.now, a, BGP_PORT);
    pair.run_for(Duration::from_secs(100));
    assert!(pair.closed(0).is_empty());
    pair.fault = Box::new(|_, _| None);
    pair.stacks[0].send(conn, b"keepalive");
    pair.run_for(Duration::from_secs(19));
    assert!(pair.closed(0).is_empty());
    pair.run_for(Duration::from_secs(2));
    assert_eq!(pair.closed(0), [CloseReason::Timeout]);
}

#[test]
fn closing_delivers_everything_first_and_leaves_nothing_behind() {
    let (mut pair, [a, _]) = Pair::with_sessions([Some("k"), Some("k")]);
    let conn = pair.stacks[0].connect(pair.now, a, BGP_PORT);
    pair.run_for(Duration::from_secs(1));
    let data = noise(3, 12_000);
    assert_eq!(pair.stacks[0].send(conn, &data), data.len());
    pair.stacks[0].close(conn);
    pair.run_for(Duration::from_secs(60));
    let at_b = pair.connected(1)[0];
    assert!(pair.received[1][&at_b] == data);
    assert_eq!(pair.closed(0), [CloseReason::Closed]);
    assert_eq!(pair.closed(1), [CloseReason::Closed]);
    for stack in &pair.stacks {
        assert_eq!(stack.connections().count(), 0);
        assert_eq!(stack.poll_timeout(), None);
    }
}

#[test]
fn half_close_lets_the_answer_out_after_the_peers_fin() {
    let (mut a, mut b) = (Stack::new(1), Stack::new(2));
    a.set_half_close(true);
    b.set_half_close(true);
    b.listen_any(7);
    let mut pair = Pair::new([a, b]);
    let conn = pair.stacks[0].connect_any(pair.now, A, SocketAddr::new(B, 7), CONNECT_TIMEOUT);
    pair.run_for(Duration::from_secs(1));
    pair.stacks[0].close(conn);
    pair.run_for(Duration::from_secs(1));
    let at_b = pair.connected(1)[0];
    assert!(pair.events[1].contains(&StackEvent::PeerClosed { conn: at_b }));
    pair.stacks[1].send(at_b, b"late answer");
    pair.stacks[1].close(at_b);
    pair.run_for(Duration::from_secs(30));
    assert_eq!(pair.received[0][&conn], b"late answer");
    assert_eq!(pair.closed(0), [CloseReason::Closed]);
}

#[test]
fn a_paused_reader_closes_the_window_and_loses_nothing() {
    let (mut pair, [a, _]) = Pair::with_sessions([None, None]);
    let conn = pair.stacks[0].connect(pair.now, a, BGP_PORT);
    pair.run_for(Duration::from_secs(1));
    let at_b = pair.connected(1)[0];
    pair.stacks[1].set_paused(at_b, true);
    let data = noise(5, 40_000);
    let mut at = 0;
    for _ in 0..20 {
        at += pair.stacks[0].send(conn, &data[at..]);
        pair.run_for(Duration::from_secs(1));
    }
    assert_eq!(at, 2 * BUFFER_LEN);
    assert_eq!(pair.stacks[0].room(conn), 0);
    assert!(!pair.received[1].contains_key(&at_b));
    pair.stacks[1].set_paused(at_b, false);
    for _ in 0..20 {
        at += pair.stacks[0].send(conn, &data[at..]);
        pair.run_for(Duration::from_secs(1));
    }
    assert!(pair.received[1][&at_b] == data);
}

#[test]
fn an_owner_that_counts_its_room_is_told_when_there_is_more() {
    let (mut pair, [a, _]) = Pair::with_sessions([None, None]);
    let conn = pair.stacks[0].connect(pair.now, a, BGP_PORT);
    let mut room = 0;
    let mut sent = 0;
    for _ in 0..400 {
        pair.run_for(Duration::from_millis(50));
        for event in pair.events[0].drain(..) {
            if let StackEvent::Writable { room: told, .. } = event {
                room = told;
            }
        }
        // Odd sizes, and never more than it was told.
        let n = room.min(3001);
        assert_eq!(pair.stacks[0].send(conn, &vec![7; n]), n);
        room -= n;
        sent += n;
    }
    assert!(sent > 500_000, "{sent}");
}

#[test]
fn fragmentation_needed_lowers_the_segments_of_a_running_connection() {
    let (mut pair, [a, _]) = Pair::with_sessions([Some("k"), Some("k")]);
    pair.stacks[0].connect(pair.now, a, BGP_PORT);
    pair.run_for(Duration::from_secs(1));
    let ends = [pair.connected(0)[0], pair.connected(1)[0]];
    let errors = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let to_a = errors.clone();
    pair.fault = Box::new(move |side, packet| {
        if side == 0 && packet.len() > 1400 {
            let kind = Icmpv4Kind::Unreachable {
                code: 4,
                next_hop_mtu: 1400,
            };
            let router = Ipv4Addr::new(10, 9, 9, 9);
            to_a.borrow_mut()
                .extend(icmpv4::error_packet(router, kind, &packet));
            return None;
        }
        Some(packet)
    });
    let data = noise(9, 30_000);
    let mut at = 0;
    while pair.received[1].get(&ends[1]).map_or(0, Vec::len) < data.len() {
        at += pair.stacks[0].send(ends[0], &data[at..]);
        assert!(pair.step(Instant::from_secs(60)));
        for error in errors.borrow_mut().drain(..) {
            pair.stacks[0].handle_packet(pair.now, None, &error);
        }
    }
    assert!(pair.received[1][&ends[1]] == data);
    assert_eq!(pair.stacks[0].counters().path_mtu_lowered, 1);
    let sizes: Vec<usize> = pair.sent[0].iter().map(Vec::len).collect();
    assert!(
        sizes.contains(&1400),
        "full segments of the new size are used"
    );
}

#[test]
fn an_icmp_error_that_quotes_nothing_in_flight_is_not_believed() {
    let (mut pair, [a, _]) = Pair::with_sessions([None, None]);
    pair.stacks[0].connect(pair.now, a, BGP_PORT);
    let mut syn = pair.stacks[0].poll_packet(pair.now).unwrap().bytes;
    // Another sequence number than the one in flight.
    syn[24] ^= 0x55;
    let kind = Icmpv4Kind::Unreachable {
        code: 1,
        next_hop_mtu: 0,
    };
    let error = icmpv4::error_packet(Ipv4Addr::new(10, 9, 9, 9), kind, &syn).unwrap();
    pair.stacks[0].handle_packet(pair.now, None, &error);
    assert_eq!(pair.stacks[0].counters().icmp_unmatched, 1);
    assert_eq!(pair.stacks[0].poll_event(), None);
}

#[test]
fn host_unreachable_ends_a_connect_at_once() {
    let mut stack = Stack::new(1);
    let conn = stack.connect_any(Instant::ZERO, A, SocketAddr::new(B, 80), CONNECT_TIMEOUT);
    let syn = stack.poll_packet(Instant::ZERO).unwrap().bytes;
    let kind = Icmpv4Kind::Unreachable {
        code: 1,
        next_hop_mtu: 0,
    };
    let error = icmpv4::error_packet(Ipv4Addr::new(10, 9, 9, 9), kind, &syn).unwrap();
    stack.handle_packet(Instant::from_millis(1), None, &error);
    let reason = CloseReason::Unreachable;
    assert_eq!(
        stack.poll_event(),
        Some(StackEvent::Closed { conn, reason })
    );
    assert_eq!(stack.poll_timeout(), None);
}

#[test]
fn ipv6_sessions_work_with_signatures_too() {
    let a = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
    let b = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2));
    let (mut left, mut right) = (Stack::new(1), Stack::new(2));
    let id = left.add_session(endpoint(a, b, Some("six")));
    right.add_session(endpoint(b, a, Some("six")));
    let mut pair = Pair::new([left, right]);
    pair.stacks[0].connect(pair.now, id, BGP_PORT);
    pair.run_for(Duration::from_secs(1));
    let ends = [pair.connected(0)[0], pair.connected(1)[0]];
    pair.exchange(ends, [&noise(1, 20_000), b"v6"], Duration::from_secs(5));
    let first = ipv6::parse(&pair.sent[0][0]).unwrap();
    assert_eq!((first.hop_limit(), first.dscp()), (255, 48));
}

#[test]
fn the_same_link_local_pair_on_two_interfaces_is_two_sessions() {
    let a = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
    let b = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2));
    let mut left = Stack::new(1);
    let ids = [
        left.add_session(endpoint(a, b, None)),
        left.add_session(endpoint(a, b, Some("x"))),
    ];
    let mut right = Stack::new(2);
    right.add_session(endpoint(b, a, Some("x")));
    let now = Instant::ZERO;
    left.connect(now, ids[1], BGP_PORT);
    let out = left.poll_packet(now).unwrap();
    assert_eq!(out.session, Some(ids[1]));
    right.handle_packet(now, None, &out.bytes);
    let answer = right.poll_packet(now).unwrap().bytes;
    left.handle_packet(now, Some(ids[1]), &answer);
    let event = left.poll_event();
    assert!(
        matches!(event, Some(StackEvent::Connected { session, .. }) if session == Some(ids[1]))
    );
}

#[test]
fn connections_beyond_a_sessions_limit_are_ignored() {
    let mut stack = Stack::new(1);
    let id = stack.add_session(endpoint(A, B, None));
    let conns: Vec<_> = (0..=CONNECTIONS_PER_SESSION_MAX)
        .map(|_| stack.connect(Instant::ZERO, id, BGP_PORT))
        .collect();
    let conn = *conns.last().unwrap();
    let reason = CloseReason::Limit;
    assert_eq!(
        stack.poll_event(),
        Some(StackEvent::Closed { conn, reason })
    );
    assert_eq!(stack.connections().count(), CONNECTIONS_PER_SESSION_MAX);
}

#[test]
fn a_session_that_fails_again_and_again_can_always_try_once_more() {
    let (mut pair, [a, _]) = Pair::with_sessions([Some("k"), Some("k")]);
    for round in 1..50 {
        let conn = pair.stacks[0].connect(pair.now, a, BGP_PORT);
        pair.run_for(Duration::from_millis(100));
        assert_eq!(pair.connected(1).len(), round);
        pair.stacks[0].send(conn, b"notification");
        pair.stacks[0].close(conn);
        pair.run_for(Duration::from_millis(100));
    }
    assert!(pair.stacks[0].connections().count() <= 2 * CONNECTIONS_PER_SESSION_MAX);
    assert_eq!(pair.stacks[0].counters().limit, 0);
}

#[test]
fn two_hundred_sessions_of_one_stack_connect_and_then_rest() {
    let (mut left, mut right) = (Stack::new(1), Stack::new(2));
    let pairs: Vec<[IpAddr; 2]> = (0..200_u8)
        .map(|i| [[169, 254, i, 1].into(), [169, 254, i, 2].into()])
        .collect();
    let ids: Vec<SessionId> = pairs
        .iter()
        .map(|[a, b]| {
            right.add_session(endpoint(*b, *a, Some("k")));
            left.add_session(endpoint(*a, *b, Some("k")))
        })
        .collect();
    let mut pair = Pair::new([left, right]);
    for id in ids {
        pair.stacks[0].connect(pair.now, id, BGP_PORT);
    }
    pair.run_for(Duration::from_secs(1));
    assert_eq!(
        (pair.connected(0).len(), pair.connected(1).len()),
        (200, 200)
    );
    assert!(
        pair.stacks
            .iter()
            .all(|stack| stack.poll_timeout().is_none())
    );
}

#[test]
fn two_stacks_of_one_seed_send_the_same_packets() {
    let run = || {
        let (mut pair, [a, _]) = Pair::with_sessions([Some("k"), Some("k")]);
        pair.stacks[0].connect(pair.now, a, BGP_PORT);
        pair.run_for(Duration::from_secs(2));
        pair.sent
    };
    assert_eq!(run(), run());
}

proptest! {
    #[test]
    fn no_packet_makes_a_stack_panic(
        packets in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..120), 0..20)
    ) {
        let mut stack = Stack::new(1);
        stack.add_session(endpoint(A, B, Some("k")));
        for packet in packets {
            stack.handle_packet(Instant::ZERO, None, &packet);
        }
    }

    #[test]
    fn no_well_wrapped_segment_makes_a_stack_panic(
        segments in proptest::collection::vec(
            (any::<u8>(), any::<u32>(), any::<u32>(), any::<u16>(), 0_usize..3,
             proptest::collection::vec(any::<u8>(), 0..40),
             proptest::collection::vec(any::<u8>(), 0..60)), 1..30)
    ) {
        let mut stack = Stack::new(1);
        stack.add_session(endpoint(A, B, None));
        stack.listen_any(80);
        let mut now = Instant::ZERO;
        let mut last = (0, 0);
        for (flags, seq, ack, window, how, options, payload) in segments {
            // Some segments continue the conversation, so that deeper states are reached.
            let (seq, ack) = if how > 0 { (last.1, last.0) } else { (seq, ack) };
            let mut segment = Vec::new();
            tcp::TcpRepr {
                src_port: 4000, dst_port: 179, seq, ack,
                flags: tcp::TcpFlags(flags), window, options: &options,
            }
            .emit(B, A, &payload, &mut segment);
            let (IpAddr::V4(src), IpAddr::V4(dst)) = (B, A) else { unreachable!() };
            let mut packet = Vec::new();
            ipv4::Ipv4Repr { ttl: 255, ..ipv4::Ipv4Repr::new(src, dst, 6, segment.len()) }
                .emit(&mut packet);
            packet.extend_from_slice(&segment);
            stack.handle_packet(now, None, &packet);
            while stack.poll_event().is_some() {}
            while let Some(out) = stack.poll_packet(now) {
                let ip = ipv4::parse(&out.bytes).unwrap();
                let view = tcp::parse(ip.payload()).unwrap();
                last = (view.seq().wrapping_add(view.segment_len()), view.ack());
            }
            now += Duration::from_millis(700);
            stack.handle_timeout(now);
        }
    }
}
