//! Speakers joined by in-memory pipes in virtual time: delay, random chunking, silent cuts.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(unreachable_pub, reason = "a module of test helpers")]
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests; clippy knows only test functions"
)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::IpNet;
use skybridge_base::{Asn, Instant, Machine, Rng};
use skybridge_bgp::{
    BestPath, ConnId, Input, Output, PeerConfig, PeerId, Reason, Speaker, SpeakerConfig, StateKind,
    TableId,
};

pub fn asn(n: u32) -> Asn {
    Asn(n)
}

pub fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn speaker(number: u32, id: u8) -> Speaker {
    speaker_with(number, id, |_| ())
}

pub fn speaker_with(number: u32, id: u8, change: impl FnOnce(&mut SpeakerConfig)) -> Speaker {
    let mut config = SpeakerConfig::new(Asn(number), Ipv4Addr::new(10, 255, 0, id));
    config.seed = u64::from(id);
    change(&mut config);
    Speaker::new(config)
}

/// A peer that dials at once, hold time 9 s, retry 5 s.
pub fn peer(local: &str, remote: &str, number: u32) -> PeerConfig {
    PeerConfig {
        hold_time_s: 9,
        connect_retry: Duration::from_secs(5),
        fast_first: true,
        ..PeerConfig::new(ip(local), ip(remote), Asn(number))
    }
}

/// One end of a link: speaker and its peer.
pub type End = (usize, PeerId);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum What {
    /// A dial arrives at the far end.
    Dial {
        from: End,
        attempt: u64,
    },
    /// The answer arrives back.
    Answer {
        from: End,
        attempt: u64,
        conn: u64,
        far: u64,
    },
    Bytes {
        to: usize,
        conn: u64,
        bytes: Vec<u8>,
    },
    Gone {
        to: usize,
        conn: u64,
    },
    /// TCP tries again what was lost while the path was silent.
    Retry {
        conn: u64,
    },
}

#[derive(Clone, Debug)]
pub struct Change {
    pub at: Instant,
    pub speaker: usize,
    pub peer: PeerId,
    pub from: StateKind,
    pub to: StateKind,
    pub reason: Reason,
}

pub struct World {
    pub now: Instant,
    pub speakers: Vec<Speaker>,
    pub fib: Vec<BTreeMap<(TableId, IpNet), Vec<BestPath>>>,
    pub changes: Vec<Change>,
    pub delay: Duration,
    /// Every byte that left a speaker, by speaker.
    pub sent: Vec<Vec<u8>>,
    pub silent: bool,
    /// When bytes last reached a speaker.
    pub heard: Vec<Instant>,
    held: BTreeMap<u64, Vec<What>>,
    rng: Rng,
    links: BTreeMap<End, End>,
    attempts: BTreeMap<End, u64>,
    /// The far end of a connection, and its owner.
    far: BTreeMap<u64, (usize, u64)>,
    events: BinaryHeap<Reverse<(Instant, u64, What)>>,
    sequence: u64,
    next_conn: u64,
}

impl World {
    pub fn new(speakers: Vec<Speaker>, seed: u64) -> Self {
        let count = speakers.len();
        Self {
            now: Instant::ZERO,
            speakers,
            fib: vec![BTreeMap::new(); count],
            changes: Vec::new(),
            delay: Duration::from_millis(2),
            sent: vec![Vec::new(); count],
            silent: false,
            heard: vec![Instant::ZERO; count],
            held: BTreeMap::new(),
            rng: Rng::new(seed),
            links: BTreeMap::new(),
            attempts: BTreeMap::new(),
            far: BTreeMap::new(),
            events: BinaryHeap::new(),
            sequence: 0,
            next_conn: 1,
        }
    }

    /// Adds both peers and joins them.
    pub fn link(&mut self, a: (usize, PeerConfig), b: (usize, PeerConfig)) -> (PeerId, PeerId) {
        let pa = self.speakers[a.0].add_peer(self.now, a.1).unwrap();
        let pb = self.speakers[b.0].add_peer(self.now, b.1).unwrap();
        self.links.insert((a.0, pa), (b.0, pb));
        self.links.insert((b.0, pb), (a.0, pa));
        (pa, pb)
    }

    fn push(&mut self, what: What) {
        self.sequence += 1;
        let wait = match &what {
            What::Retry { .. } => Duration::from_millis(200),
            What::Dial { .. } | What::Answer { .. } | What::Bytes { .. } | What::Gone { .. } => {
                self.delay
            }
        };
        let at = self.now + wait;
        self.events.push(Reverse((at, self.sequence, what)));
    }

    /// Runs until `until`; panics when a speaker makes no progress.
    pub fn run_until(&mut self, until: Instant) {
        let (mut steps, mut last) = (0, self.now);
        loop {
            for at in 0..self.speakers.len() {
                while let Some(output) = self.speakers[at].poll_output() {
                    self.carry_out(at, output);
                }
            }
            let timer = (0..self.speakers.len())
                .filter_map(|i| self.speakers[i].poll_timeout().map(|d| (d.at, i)))
                .min();
            let event = self.events.peek().map(|Reverse((at, ..))| *at);
            let next = timer.map(|t| t.0).into_iter().chain(event).min();
            let Some(next) = next.filter(|n| *n <= until) else {
                break;
            };
            self.now = self.now.max(next);
            steps = if self.now == last { steps + 1 } else { 0 };
            last = self.now;
            assert!(steps < 200_000, "no progress at {}", self.now);
            if event.is_some_and(|e| e <= self.now) {
                let Reverse((_, _, what)) = self.events.pop().unwrap();
                self.deliver(what);
            } else if let Some((_, at)) = timer {
                self.speakers[at].handle_timeout(self.now);
            }
        }
        self.now = self.now.max(until);
    }

    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    fn input(&mut self, at: usize, input: Input<'_>) {
        self.speakers[at].handle_input(self.now, input);
    }

    fn carry_out(&mut self, at: usize, output: Output) {
        match output {
            Output::Connect { peer } => {
                let attempt = self.attempts.entry((at, peer)).or_default();
                *attempt += 1;
                let attempt = *attempt;
                self.push(What::Dial {
                    from: (at, peer),
                    attempt,
                });
            }
            Output::Send { conn, bytes } => {
                self.sent[at].extend_from_slice(&bytes);
                if let Some((to, far)) = self.far.get(&conn.0).copied() {
                    let mut rest = &bytes[..];
                    while !rest.is_empty() {
                        let cut = 1 + usize::try_from(self.rng.below(rest.len() as u64)).unwrap();
                        let (head, tail) = rest.split_at(cut);
                        self.push(What::Bytes {
                            to,
                            conn: far,
                            bytes: head.to_vec(),
                        });
                        rest = tail;
                    }
                }
            }
            Output::Close { conn } => {
                if let Some((to, far)) = self.far.remove(&conn.0) {
                    self.push(What::Gone { to, conn: far });
                }
            }
            Output::StateChanged {
                peer,
                from,
                to,
                reason,
            } => self.changes.push(Change {
                at: self.now,
                speaker: at,
                peer,
                from,
                to,
                reason,
            }),
            Output::BestChanged { table, net, paths } => {
                if paths.is_empty() {
                    self.fib[at].remove(&(table, net));
                } else {
                    self.fib[at].insert((table, net), paths);
                }
            }
        }
    }

    fn deliver(&mut self, what: What) {
        match &what {
            What::Bytes { conn, .. } | What::Gone { conn, .. } => {
                let conn = *conn;
                if self.silent || self.held.contains_key(&conn) {
                    let held = self.held.entry(conn).or_default();
                    held.push(what);
                    if held.len() == 1 {
                        self.push(What::Retry { conn });
                    }
                    return;
                }
            }
            What::Retry { conn } => {
                let conn = *conn;
                if self.silent {
                    self.push(what);
                    return;
                }
                for late in self.held.remove(&conn).unwrap_or_default() {
                    self.arrive(late);
                }
                return;
            }
            What::Dial { .. } | What::Answer { .. } if self.silent => return,
            What::Dial { .. } | What::Answer { .. } => {}
        }
        self.arrive(what);
    }

    fn arrive(&mut self, what: What) {
        match what {
            What::Dial { from, attempt } => {
                let to = self.links[&from];
                let (near, far) = (self.next_conn, self.next_conn + 1);
                self.next_conn += 2;
                self.far.insert(near, (to.0, far));
                self.far.insert(far, (from.0, near));
                self.push(What::Answer {
                    from,
                    attempt,
                    conn: near,
                    far,
                });
                self.input(
                    to.0,
                    Input::Accepted {
                        peer: to.1,
                        conn: ConnId(far),
                    },
                );
            }
            What::Answer {
                from,
                attempt,
                conn,
                far,
            } => {
                if self.attempts[&from] == attempt && self.far.contains_key(&conn) {
                    let peer = from.1;
                    self.input(
                        from.0,
                        Input::Connected {
                            peer,
                            conn: ConnId(conn),
                        },
                    );
                } else if let Some((to, far)) = self.far.remove(&conn) {
                    self.push(What::Gone { to, conn: far });
                } else {
                    self.far.remove(&far);
                }
            }
            What::Bytes { to, conn, bytes } => {
                self.heard[to] = self.now;
                self.input(
                    to,
                    Input::Received {
                        conn: ConnId(conn),
                        bytes: &bytes,
                    },
                );
            }
            What::Gone { to, conn } => {
                self.far.remove(&conn);
                self.input(to, Input::Closed { conn: ConnId(conn) });
            }
            What::Retry { .. } => {}
        }
    }

    /// Connections with both ends open.
    pub fn open_connections(&self) -> usize {
        self.far.len() / 2
    }

    /// Who dialled the only connection.
    pub fn opener(&self) -> Option<usize> {
        // Odd numbers are the dialling ends; the map tells whose the other end is.
        let mut ends = self.far.iter().filter(|(conn, _)| *conn % 2 == 0);
        let (_, (owner, _)) = ends.next()?;
        ends.next().is_none().then_some(*owner)
    }

    pub fn state(&self, at: usize, peer: PeerId) -> StateKind {
        self.speakers[at].peer_state(peer).unwrap()
    }

    /// Prefixes of table 0 in a speaker's forwarding feed.
    pub fn nets(&self, at: usize) -> Vec<IpNet> {
        self.fib[at].keys().map(|(_, n)| *n).collect()
    }
}
