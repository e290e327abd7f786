//! The neighbour table: which station has an address on an interface (RFC 826, RFC 4861).

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use skybridge_base::{Instant, MacAddr, Table};
use skybridge_dataplane::InterfaceIndex;
use skybridge_wire::Frame;

use crate::Hop;

/// Requests per resolution, one second apart (as RFC 4861 §10: `MAX_MULTICAST_SOLICIT`,
/// `RETRANS_TIMER`).
pub(super) const REQUESTS_MAX: u8 = 3;
/// Time between requests.
pub(super) const RETRANSMIT: Duration = Duration::from_secs(1);
/// How long packets are refused at once after a resolution failed.
pub(super) const HOLD_DOWN: Duration = Duration::from_secs(3);
/// An entry older than this is asked for again while it stays in use (RFC 1122 §2.3.2.1 wants old
/// entries flushed; routers commonly wait minutes to hours).
pub(super) const REACHABLE: Duration = Duration::from_secs(30 * 60);
/// Packets that wait for one neighbour; the next one is dropped.
pub(super) const QUEUE_MAX: usize = 16;
/// Neighbours of one router; for further ones packets are dropped as unresolved.
pub(super) const NEIGHBOURS_MAX: usize = 65_536;

/// A packet that waits for its neighbour, with its hop record.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) frame: Frame,
    pub(super) hop: Option<Box<Hop>>,
}

#[derive(Debug)]
pub(super) enum State {
    /// Asked, not answered.
    Incomplete {
        requests: u8,
        queue: VecDeque<Waiting>,
    },
    /// Known; `requests` counts unanswered ones when the entry is old and being asked for again.
    Known {
        mac: MacAddr,
        since: Instant,
        requests: u8,
    },
    /// Nobody answered.
    Failed,
}

#[derive(Debug)]
pub(super) struct Neighbour {
    pub(super) interface: InterfaceIndex,
    pub(super) address: IpAddr,
    pub(super) state: State,
    pub(super) changed: Instant,
    due: Option<Instant>,
}

/// Every neighbour of a router.
#[derive(Debug)]
pub(super) struct Neighbours {
    v4: Table<u64, u32>,
    v6: Table<(u16, u128), u32>,
    entries: Vec<Option<Neighbour>>,
    free: Vec<u32>,
    timers: BTreeSet<(Instant, u32)>,
    /// Grows whenever a known address becomes another or unknown.
    generation: u64,
}

impl Neighbours {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            v4: Table::new(NEIGHBOURS_MAX, seed),
            v6: Table::new(NEIGHBOURS_MAX, seed),
            entries: Vec::new(),
            free: Vec::new(),
            timers: BTreeSet::new(),
            generation: 0,
        }
    }

    /// The place of an entry.
    pub(super) fn find(&self, interface: InterfaceIndex, address: IpAddr) -> Option<u32> {
        match address {
            IpAddr::V4(a) => {
                let key = u64::from(interface.0) << 32 | u64::from(a.to_bits());
                self.v4.get(&key).copied()
            }
            IpAddr::V6(a) => self.v6.get(&(interface.0, a.to_bits())).copied(),
        }
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut Neighbour> {
        self.entries.get_mut(usize::try_from(at).ok()?)?.as_mut()
    }

    /// Puts an entry into another state, and gives the one it had.
    pub(super) fn change(&mut self, at: u32, state: State) -> Option<State> {
        let entry = self.get_mut(at)?;
        let mac_of = |state: &State| match state {
            State::Known { mac, .. } => Some(*mac),
            State::Incomplete { .. } | State::Failed => None,
        };
        let (was, is) = (mac_of(&entry.state), mac_of(&state));
        let old = std::mem::replace(&mut entry.state, state);
        if was.is_some() && was != is {
            self.generation += 1;
        }
        Some(old)
    }

    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    /// The MAC address when it is known and not old, and when it will be. The packet path.
    pub(super) fn fresh(
        &self,
        now: Instant,
        interface: InterfaceIndex,
        address: IpAddr,
    ) -> Option<(MacAddr, Instant)> {
        let at = usize::try_from(self.find(interface, address)?).ok()?;
        match self.entries.get(at)?.as_ref()?.state {
            State::Known { mac, since, .. } if now.since(since) < REACHABLE => {
                Some((mac, since + REACHABLE))
            }
            State::Known { .. } | State::Incomplete { .. } | State::Failed => None,
        }
    }

    /// A new entry; `None` when the table is full.
    pub(super) fn add(
        &mut self,
        now: Instant,
        interface: InterfaceIndex,
        address: IpAddr,
        state: State,
    ) -> Option<u32> {
        let at = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX)
        });
        let placed = match address {
            IpAddr::V4(a) => {
                let key = u64::from(interface.0) << 32 | u64::from(a.to_bits());
                self.v4.insert(key, at).is_ok()
            }
            IpAddr::V6(a) => self.v6.insert((interface.0, a.to_bits()), at).is_ok(),
        };
        if !placed {
            self.free.push(at);
            return None;
        }
        let slot = self.entries.get_mut(usize::try_from(at).ok()?)?;
        *slot = Some(Neighbour {
            interface,
            address,
            state,
            changed: now,
            due: None,
        });
        Some(at)
    }

    /// Arms or disarms the timer of an entry.
    pub(super) fn arm(&mut self, at: u32, due: Option<Instant>) {
        let Some(entry) = self.get_mut(at) else {
            return;
        };
        let old = std::mem::replace(&mut entry.due, due);
        if let Some(old) = old {
            self.timers.remove(&(old, at));
        }
        if let Some(due) = due {
            self.timers.insert((due, at));
        }
    }

    /// An entry whose time has come; its timer is disarmed.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<u32> {
        let (due, at) = *self.timers.first()?;
        if due > now {
            return None;
        }
        self.arm(at, None);
        Some(at)
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, at: u32) -> Option<Neighbour> {
        self.arm(at, None);
        let entry = self
            .entries
            .get_mut(usize::try_from(at).ok()?)
            .and_then(Option::take)?;
        if matches!(entry.state, State::Known { .. }) {
            self.generation += 1;
        }
        match entry.address {
            IpAddr::V4(a) => {
                self.v4
                    .remove(&(u64::from(entry.interface.0) << 32 | u64::from(a.to_bits())));
            }
            IpAddr::V6(a) => {
                self.v6.remove(&(entry.interface.0, a.to_bits()));
            }
        }
        self.free.push(at);
        Some(entry)
    }

    /// Takes every entry of an interface out.
    pub(super) fn remove_interface(&mut self, interface: InterfaceIndex) -> Vec<Neighbour> {
        let places: Vec<u32> = (0_u32..)
            .zip(&self.entries)
            .filter(|(_, e)| e.as_ref().is_some_and(|e| e.interface == interface))
            .map(|(at, _)| at)
            .collect();
        places
            .into_iter()
            .filter_map(|at| self.remove(at))
            .collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Neighbour> {
        self.entries.iter().flatten()
    }
}
