//! The host's ARP table (RFC 826).

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::time::Duration;

use skybridge_base::{Instant, MacAddr};
use skybridge_wire::Frame;

/// Requests per resolution, one second apart (RFC 1122 §2.3.2.1 allows one a second).
const REQUESTS_MAX: u8 = 3;
/// Time between requests.
const RETRANSMIT: Duration = Duration::from_secs(1);
/// How long packets are refused at once after nobody answered.
const HOLD_DOWN: Duration = Duration::from_secs(3);
/// An entry older than this is asked for again while it stays in use.
const REACHABLE: Duration = Duration::from_secs(30 * 60);
/// Packets that wait for one neighbour; the next one is refused.
const QUEUE_MAX: usize = 16;
/// Neighbours of a host; further ones are refused.
const NEIGHBOURS_MAX: usize = 1024;

#[derive(Debug)]
enum State {
    Incomplete {
        requests: u8,
        queue: VecDeque<Frame>,
    },
    /// `requests` counts unanswered ones since the entry grew old.
    Known {
        mac: MacAddr,
        requests: u8,
    },
    Failed,
}

#[derive(Debug)]
struct Entry {
    state: State,
    since: Instant,
    due: Option<Instant>,
}

/// What became of a packet.
#[derive(Debug)]
pub(super) enum Resolution {
    /// Send it there, and ask again if `ask`.
    Known {
        mac: MacAddr,
        frame: Frame,
        ask: bool,
    },
    /// It waits; send a request if `ask`.
    Waiting { ask: bool },
    /// Nobody answers there.
    Failed(Frame),
    /// Queue or table full.
    Full(Frame),
}

/// What is due.
#[derive(Debug)]
pub(super) enum Due {
    /// Ask for this address.
    Ask(Ipv4Addr),
    /// Nobody answered; these packets waited.
    GaveUp(VecDeque<Frame>),
}

#[derive(Debug, Default)]
pub(super) struct Neighbours {
    entries: BTreeMap<Ipv4Addr, Entry>,
}

impl Neighbours {
    /// Resolves the neighbour of a packet.
    pub(super) fn resolve(&mut self, now: Instant, address: Ipv4Addr, frame: Frame) -> Resolution {
        let full = self.entries.len() >= NEIGHBOURS_MAX;
        let Some(entry) = self.entries.get_mut(&address) else {
            if full {
                return Resolution::Full(frame);
            }
            self.entries.insert(address, Entry::incomplete(now, frame));
            return Resolution::Waiting { ask: true };
        };
        match &mut entry.state {
            State::Known { mac, requests } => {
                let old = now.since(entry.since) >= REACHABLE;
                let ask = old && *requests == 0;
                if ask {
                    *requests = 1;
                    entry.due = Some(now + RETRANSMIT);
                }
                let mac = *mac;
                Resolution::Known { mac, frame, ask }
            }
            State::Incomplete { queue, .. } if queue.len() < QUEUE_MAX => {
                queue.push_back(frame);
                Resolution::Waiting { ask: false }
            }
            State::Incomplete { .. } => Resolution::Full(frame),
            State::Failed if now.since(entry.since) < HOLD_DOWN => Resolution::Failed(frame),
            State::Failed => {
                *entry = Entry::incomplete(now, frame);
                Resolution::Waiting { ask: true }
            }
        }
    }

    /// Learns from an ARP packet: merges into an entry, or makes one when it was `for_us` (RFC 826
    /// "Packet Reception"). Gives the packets that waited.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        address: Ipv4Addr,
        mac: MacAddr,
        for_us: bool,
    ) -> VecDeque<Frame> {
        let known = self.entries.contains_key(&address);
        if !known && (!for_us || self.entries.len() >= NEIGHBOURS_MAX) {
            return VecDeque::new();
        }
        let entry = Entry {
            state: State::Known { mac, requests: 0 },
            since: now,
            due: None,
        };
        match self.entries.insert(address, entry).map(|old| old.state) {
            Some(State::Incomplete { queue, .. }) => queue,
            Some(State::Known { .. } | State::Failed) | None => VecDeque::new(),
        }
    }

    /// The next thing that is due at `now`.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Due> {
        let (address, entry) = self
            .entries
            .iter_mut()
            .find(|(_, entry)| entry.due.is_some_and(|due| due <= now))?;
        let address = *address;
        let gave_up = match &mut entry.state {
            State::Incomplete { requests, queue } if *requests >= REQUESTS_MAX => {
                Some(std::mem::take(queue))
            }
            State::Known { requests, .. } if *requests >= REQUESTS_MAX => Some(VecDeque::new()),
            State::Incomplete { requests, .. } | State::Known { requests, .. } => {
                *requests += 1;
                None
            }
            State::Failed => Some(VecDeque::new()),
        };
        if let Some(queue) = gave_up {
            entry.state = State::Failed;
            entry.since = now;
            entry.due = None;
            return Some(Due::GaveUp(queue));
        }
        entry.due = Some(now + RETRANSMIT);
        Some(Due::Ask(address))
    }

    /// When [`Neighbours::poll`] has something.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.entries.values().filter_map(|entry| entry.due).min()
    }

    /// Forgets everything; gives the packets that waited.
    pub(super) fn clear(&mut self) -> Vec<Frame> {
        let entries = std::mem::take(&mut self.entries);
        let mut waiting = Vec::new();
        for entry in entries.into_values() {
            if let State::Incomplete { queue, .. } = entry.state {
                waiting.extend(queue);
            }
        }
        waiting
    }

    /// Address, station if known, and since when.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Ipv4Addr, Option<MacAddr>, Instant)> {
        self.entries.iter().map(|(address, entry)| {
            let mac = match entry.state {
                State::Known { mac, .. } => Some(mac),
                State::Incomplete { .. } | State::Failed => None,
            };
            (*address, mac, entry.since)
        })
    }
}

impl Entry {
    fn incomplete(now: Instant, frame: Frame) -> Self {
        Self {
            state: State::Incomplete {
                requests: 1,
                queue: VecDeque::from([frame]),
            },
            since: now,
            due: Some(now + RETRANSMIT),
        }
    }
}
