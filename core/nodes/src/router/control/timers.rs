//! The deadlines of everything that runs sessions, in order: a router with hundreds of sessions looks
//! only at those that are due.

use std::collections::BTreeMap;

use skybridge_base::{Deadline, Instant};
use skybridge_dataplane::TableIndex;

/// What has a deadline. The order is that of work at one instant: BFD, TCP, routing tables.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    /// The BFD session of the peer in this place.
    Bfd(usize),
    /// The TCP stack of a table.
    Stack(TableIndex),
    /// A BGP instance by name.
    Instance(String),
}

/// Deadlines by time and by owner.
#[derive(Debug, Default)]
pub(super) struct Timers {
    order: BTreeMap<(Instant, Timer), &'static str>,
    armed: BTreeMap<Timer, Instant>,
}

impl Timers {
    /// Sets or clears a deadline.
    pub(super) fn arm(&mut self, timer: Timer, deadline: Option<Deadline>) {
        let old = self.armed.get(&timer).copied();
        if old == deadline.map(|deadline| deadline.at) {
            return;
        }
        if let Some(old) = old {
            self.order.remove(&(old, timer.clone()));
        }
        if let Some(Deadline { at, reason }) = deadline {
            self.armed.insert(timer.clone(), at);
            self.order.insert((at, timer), reason);
        } else {
            self.armed.remove(&timer);
        }
    }

    /// The earliest.
    pub(super) fn first(&self) -> Option<Deadline> {
        let ((at, _), reason) = self.order.first_key_value()?;
        Some(Deadline::new(*at, reason))
    }

    /// What is due, in the order of work.
    pub(super) fn due(&self, now: Instant) -> Vec<Timer> {
        let due = self.order.keys().take_while(|(at, _)| *at <= now);
        let mut due: Vec<_> = due.map(|(_, timer)| timer.clone()).collect();
        due.sort_unstable();
        due
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.order.clear();
        self.armed.clear();
    }
}
