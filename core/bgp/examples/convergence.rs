//! How fast routes go through a speaker: `cargo run --release -p skybridge-bgp --example convergence`.
//!
//! One peer announces 100,000 prefixes, as UPDATEs prepared beforehand; the speaker decides, feeds the
//! forwarding table and sends everything on to a number of other peers. Then the first peer's session
//! is lost. Everything runs in one thread without sockets, so the figures are those of the speaker.
#![allow(clippy::print_stdout, reason = "a measuring program")]

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use skybridge_base::{Asn, Instant, Machine};
use skybridge_bgp::message::{Capability, Message, Open, encode_reach};
use skybridge_bgp::{
    AsPath, Attributes, Community, ConnId, Family, Input, Output, PeerConfig, PeerId, Speaker,
    SpeakerConfig, TableId,
};

const PREFIXES: u32 = 100_000;
const CHUNK: usize = 16_384;
const NOW: Instant = Instant::ZERO;

fn main() {
    println!("prefixes {PREFIXES}, chunks of {CHUNK} octets, one thread");
    for (peers, per_set) in [(0, 10), (1, 10), (1, 1), (10, 10), (50, 10)] {
        measure(peers, per_set);
    }
}

fn measure(receivers: u16, per_set: u32) {
    let stream = announcements(per_set);
    let mut config = SpeakerConfig::new(Asn(65000), Ipv4Addr::new(10, 255, 0, 1));
    config.multipath_max = 4;
    let mut speaker = Speaker::new(config);
    let (source, conn) = join(&mut speaker, 1);
    for n in 0..receivers {
        join(&mut speaker, n + 2);
    }
    drain(&mut speaker);

    let start = clock();
    let mut total = Totals::default();
    for chunk in stream.chunks(CHUNK) {
        speaker.handle_input(NOW, Input::Received { conn, bytes: chunk });
        total.add(&drain(&mut speaker));
    }
    let up = start.elapsed();
    assert_eq!(
        total.changed,
        u64::from(PREFIXES),
        "every prefix reaches the forwarding feed"
    );

    let start = clock();
    speaker.bfd_down(NOW, source);
    let down = drain(&mut speaker);
    let gone = start.elapsed();
    assert_eq!(
        down.changed,
        u64::from(PREFIXES),
        "every prefix leaves the forwarding feed"
    );
    assert_eq!(speaker.table_size(TableId(0)).0, 0, "nothing is left");

    let rate = f64::from(PREFIXES) / up.as_secs_f64();
    println!(
        "receivers {receivers:2}, {per_set:2} prefixes a set: in and out {:7.1} ms ({rate:9.0} prefixes/s), \
         {:6.1} MB sent; loss of the session {:6.1} ms",
        up.as_secs_f64() * 1e3,
        f64::from(u32::try_from(total.bytes / 1000).unwrap_or(u32::MAX)) / 1e3,
        gone.as_secs_f64() * 1e3,
    );
}

#[allow(
    clippy::disallowed_types,
    reason = "a measuring program needs the real clock"
)]
fn clock() -> std::time::Instant {
    std::time::Instant::now()
}

#[derive(Default)]
struct Totals {
    changed: u64,
    bytes: usize,
}

impl Totals {
    const fn add(&mut self, other: &Self) {
        self.changed += other.changed;
        self.bytes += other.bytes;
    }
}

/// Polls and lets the speaker work until it has nothing to do at once.
fn drain(speaker: &mut Speaker) -> Totals {
    let mut total = Totals::default();
    loop {
        while let Some(output) = speaker.poll_output() {
            match output {
                Output::Send { bytes, .. } => total.bytes += bytes.len(),
                Output::BestChanged { .. } => total.changed += 1,
                Output::Connect { .. } | Output::Close { .. } | Output::StateChanged { .. } => {}
            }
        }
        if speaker.poll_timeout().is_none_or(|d| d.at > NOW) {
            return total;
        }
        speaker.handle_timeout(NOW);
    }
}

/// Adds an external peer and brings its session up.
fn join(speaker: &mut Speaker, number: u16) -> (PeerId, ConnId) {
    let [a, b] = number.to_be_bytes();
    let address = |last| IpAddr::V4(Ipv4Addr::new(10, a, b, last));
    let asn = Asn(64000 + u32::from(number));
    let config = PeerConfig {
        passive: true,
        ..PeerConfig::new(address(1), address(2), asn)
    };
    let peer = speaker
        .add_peer(NOW, config)
        .expect("the configuration is valid");
    let conn = ConnId(number.into());
    speaker.handle_input(NOW, Input::Accepted { peer, conn });
    let open = Open {
        my_as: u16::try_from(asn.0).expect("below 65536"),
        hold_time_s: 90,
        router_id: Ipv4Addr::new(10, 254, a, b),
        capabilities: vec![Capability::FourOctetAs(asn)],
    };
    let mut bytes = Vec::new();
    Message::Open(open).encode(true, &mut bytes);
    Message::Keepalive.encode(true, &mut bytes);
    speaker.handle_input(
        NOW,
        Input::Received {
            conn,
            bytes: &bytes,
        },
    );
    (peer, conn)
}

/// UPDATEs for all prefixes; `per_set` prefixes share an attribute set.
fn announcements(per_set: u32) -> Vec<u8> {
    let mut out = Vec::new();
    for first in (0..PREFIXES).step_by(usize::try_from(per_set).unwrap_or(1)) {
        let nets: Vec<IpNet> = (first..(first + per_set).min(PREFIXES))
            .map(|n| {
                let address = IpAddr::V4(Ipv4Addr::from(0x1400_0000 + n * 256));
                IpNet::new(address, 24).expect("24 is a prefix length")
            })
            .collect();
        let attributes = Attributes {
            as_path: AsPath::sequence(&[Asn(64001), Asn(3000 + first % 500), Asn(100_000 + first)]),
            next_hop: Some(IpAddr::V4(Ipv4Addr::new(10, 0, 1, 2))),
            communities: vec![Community::new(12076, 51004), Community(first)],
            ..Attributes::default()
        };
        encode_reach(Family::V4, &nets, &attributes, true, &mut out)
            .expect("the attributes are short");
    }
    out
}
