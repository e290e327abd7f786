//! Protocol machines fed by their peers.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use skybridge_base::{Asn, Instant, Machine, Rng};
use skybridge_bfd::{self as bfd_machine, Session, SessionConfig, Timers};
use skybridge_bgp::{ConnId, Input, Output, PeerConfig, Speaker, SpeakerConfig};
use skybridge_lab::socks::{Negotiation, REQUEST_LEN_MAX, Step};
use skybridge_nodes::transport::{BGP_PORT, SessionEndpoint, Stack, StackEvent};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const REMOTE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// Timeouts that a machine may ask for at one instant before it counts as making no progress.
const TIMEOUTS_PER_INSTANT_MAX: u32 = 1_000;

/// Cuts `data` into chunks: an octet says how long the next is.
fn chunks(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (&len, rest) = data.split_first()?;
        let (chunk, rest) = rest.split_at(usize::from(len).min(rest.len()));
        data = rest;
        Some(chunk)
    })
}

/// Lets a machine do everything that is due at `now`.
fn settle<M: Machine>(machine: &mut M, now: Instant, mut take: impl FnMut(M::Output)) {
    for _ in 0..TIMEOUTS_PER_INSTANT_MAX {
        while let Some(output) = machine.poll_output() {
            take(output);
        }
        if machine.poll_timeout().is_none_or(|due| due.at > now) {
            return;
        }
        machine.handle_timeout(now);
    }
    panic!("the machine makes no progress at {now}");
}

/// A peer that sends `data` in chunks, 100 ms apart, on a connection that it opened.
pub fn bgp_speaker(data: &[u8]) {
    let mut speaker = Speaker::new(SpeakerConfig::new(Asn(65_001), Ipv4Addr::new(192, 0, 2, 1)));
    let mut now = Instant::ZERO;
    let config = PeerConfig {
        passive: true,
        ..PeerConfig::new(LOCAL, REMOTE, Asn(65_002))
    };
    let peer = speaker
        .add_peer(now, config)
        .expect("the configuration has no fault");
    let conn = ConnId(1);
    speaker.handle_input(now, Input::Accepted { peer, conn });
    let mut is_open = true;
    for chunk in chunks(data) {
        settle(&mut speaker, now, |output| {
            if matches!(output, Output::Close { .. }) {
                is_open = false;
            }
        });
        if !is_open {
            return;
        }
        now += Duration::from_millis(100);
        let bytes = chunk;
        speaker.handle_input(now, Input::Received { conn, bytes });
    }
    settle(&mut speaker, now, drop);
    speaker.handle_input(now, Input::Closed { conn });
    settle(&mut speaker, now, drop);
}

/// Packets of a BFD peer, 50 ms apart.
pub fn bfd(data: &[u8]) {
    let mut session = Session::new(SessionConfig {
        my_discriminator: 1,
        timers: Timers {
            desired_min_tx_us: 300_000,
            required_min_rx_us: 300_000,
            detect_mult: 3,
        },
        passive: false,
        rng: Rng::new(1),
    })
    .expect("no field is zero");
    let mut now = Instant::ZERO;
    for chunk in chunks(data) {
        settle(&mut session, now, drop);
        session.handle_input(now, bfd_machine::Input::Packet(chunk));
        now += Duration::from_millis(50);
    }
    settle(&mut session, now, drop);
}

/// IP packets at a TCP stack with a session and an open port. Addresses and ports are made to fit, so
/// that the fuzzer need not guess them.
pub fn transport(data: &[u8]) {
    let mut stack = Stack::new(1);
    stack.listen_any(7);
    let session = stack.add_session(SessionEndpoint {
        local: LOCAL,
        remote: REMOTE,
        md5: None,
        mtu: 1500,
        ttl: 255,
        ttl_min: 0,
        dscp: 48,
    });
    let mut now = Instant::ZERO;
    stack.connect(now, session, BGP_PORT);
    for chunk in chunks(data) {
        now += Duration::from_millis(10);
        let mut packet = chunk.to_vec();
        if packet.len() >= 20 && packet[0] >> 4 == 4 {
            packet[12..16].copy_from_slice(&[192, 0, 2, 2]);
            packet[16..20].copy_from_slice(&[192, 0, 2, 1]);
        }
        stack.handle_packet(now, None, &packet);
        drain(&mut stack, now);
    }
    // Every connection's timers, until nothing is left to wait for.
    for _ in 0..200 {
        let Some(due) = stack.poll_timeout() else {
            return;
        };
        now = now.max(due.at);
        stack.handle_timeout(now);
        drain(&mut stack, now);
    }
}

fn drain(stack: &mut Stack, now: Instant) {
    while let Some(event) = stack.poll_event() {
        if let StackEvent::Received { conn, bytes } = event {
            stack.send(conn, &bytes);
        }
    }
    while stack.poll_packet(now).is_some() {}
}

/// A SOCKS client that sends `data`, whole and in pieces as long as its first octet says: the answers, and what
/// is left for the target, are the same.
pub fn socks(data: &[u8]) {
    let Some((&len, data)) = data.split_first() else {
        return;
    };
    let whole = negotiate(data.chunks(REQUEST_LEN_MAX));
    let pieces = negotiate(data.chunks(usize::from(len).max(1)));
    assert_eq!(whole.0, pieces.0, "pieces do not matter");
    let (longer, shorter) = if whole.1.len() > pieces.1.len() {
        (whole.1, pieces.1)
    } else {
        (pieces.1, whole.1)
    };
    assert!(longer.starts_with(&shorter), "what is left is what follows");
}

/// Every step up to the last, and what was taken beyond the request.
fn negotiate<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Step>, Vec<u8>) {
    let mut negotiation = Negotiation::default();
    let mut steps = Vec::new();
    for piece in pieces {
        let mut rest = piece;
        while negotiation.room() > 0 && !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(negotiation.room()));
            negotiation.handle(now);
            rest = later;
            loop {
                match negotiation.poll() {
                    Step::More => break,
                    step @ (Step::Answer(_) | Step::Connect(..) | Step::Refuse(_)) => {
                        steps.push(step);
                    }
                }
            }
        }
    }
    assert!(
        steps.len() <= 2,
        "an answer to the greeting and one to the request"
    );
    (steps, negotiation.rest())
}
