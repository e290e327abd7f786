//! The timers of one session, in a table indexed by [`Timer`].

use skybridge_base::{Deadline, Instant};

/// A timer of RFC 4271 §8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// Ends a connection attempt, or the wait before the next one.
    ConnectRetry,
    /// The peer has been silent for too long.
    Hold,
    /// A KEEPALIVE is due.
    Keepalive,
    /// The session may leave Idle again.
    IdleHold,
}

impl Timer {
    /// Every timer; in an instant where several are due they fire in this order, so that silence is
    /// noticed before another KEEPALIVE goes out.
    pub const ALL: [Self; 4] = [
        Self::Hold,
        Self::Keepalive,
        Self::ConnectRetry,
        Self::IdleHold,
    ];

    /// The name that deadlines carry.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ConnectRetry => "bgp connect retry",
            Self::Hold => "bgp hold",
            Self::Keepalive => "bgp keepalive",
            Self::IdleHold => "bgp idle hold",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::ConnectRetry => 0,
            Self::Hold => 1,
            Self::Keepalive => 2,
            Self::IdleHold => 3,
        }
    }
}

/// When each timer fires; a stopped one is `None`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timers([Option<Instant>; Timer::ALL.len()]);

impl Timers {
    /// Starts or restarts.
    pub const fn set(&mut self, timer: Timer, at: Instant) {
        self.0[timer.index()] = Some(at);
    }

    /// Stops one.
    pub const fn stop(&mut self, timer: Timer) {
        self.0[timer.index()] = None;
    }

    /// Stops all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// When `timer` fires.
    #[must_use]
    pub const fn at(&self, timer: Timer) -> Option<Instant> {
        self.0[timer.index()]
    }

    /// Takes one timer that is due.
    pub fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let due = Timer::ALL
            .into_iter()
            .find(|t| self.at(*t).is_some_and(|at| at <= now))?;
        self.stop(due);
        Some(due)
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next(&self) -> Option<Deadline> {
        Timer::ALL
            .into_iter()
            .filter_map(|t| self.at(t).map(|at| Deadline::new(at, t.reason())))
            .min_by_key(|d| d.at)
    }
}
