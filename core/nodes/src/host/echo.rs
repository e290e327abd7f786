//! Echo requests that wait for their answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use skybridge_base::Instant;

use crate::ConnectionId;

/// Requests in flight; further ones fail.
pub(super) const ECHOES_MAX: usize = 4096;

/// Identifier and sequence number on the wire.
pub(super) type EchoKey = (u16, u16);

/// One request in flight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pending {
    pub(super) id: ConnectionId,
    pub(super) sequence: u16,
    pub(super) sent_at: Instant,
    gives_up_at: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Echoes {
    pending: BTreeMap<EchoKey, Pending>,
    deadlines: BTreeSet<(Instant, EchoKey)>,
}

impl Echoes {
    /// Chooses the identifier of a request: one per prober as `ping` does, moved on when another
    /// prober uses it. `None` when too many wait.
    pub(super) fn add(
        &mut self,
        now: Instant,
        id: ConnectionId,
        sequence: u16,
        timeout: Duration,
    ) -> Option<EchoKey> {
        if self.pending.len() >= ECHOES_MAX {
            return None;
        }
        let [.., high, low] = id.0.to_be_bytes();
        let first = u16::from_be_bytes([high, low]);
        let key = (0..=u16::MAX)
            .map(|offset| (first.wrapping_add(offset), sequence))
            .find(|key| !self.pending.contains_key(key))?;
        let gives_up_at = now + timeout;
        let pending = Pending {
            id,
            sequence,
            sent_at: now,
            gives_up_at,
        };
        self.pending.insert(key, pending);
        self.deadlines.insert((gives_up_at, key));
        Some(key)
    }

    /// Ends a request: answered, or failed.
    pub(super) fn take(&mut self, key: EchoKey) -> Option<Pending> {
        let pending = self.pending.remove(&key)?;
        self.deadlines.remove(&(pending.gives_up_at, key));
        Some(pending)
    }

    /// True when nothing is in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// True when this request is in flight.
    pub(super) fn contains(&self, key: EchoKey) -> bool {
        self.pending.contains_key(&key)
    }

    /// A request whose time is up.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Pending> {
        let (at, key) = *self.deadlines.first()?;
        if at > now {
            return None;
        }
        self.take(key)
    }

    /// When [`Echoes::poll`] has something.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }
}
