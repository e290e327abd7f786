//! Real time in small pieces, so that a driver can look after its ports and clients in between.

use std::time::Duration;

use skybridge_base::Instant;

use crate::command::Logged;
use crate::slot::Buildable;
use crate::world::World;

/// How long work at one instant may hold time up: well below what any protocol's timer notices, and above
/// what a machine that keeps up ever needs.
const HELD_UP_MAX: Duration = Duration::from_millis(5);

impl<N: Buildable> World<N> {
    /// Lets the time that really passed pass, in at most `steps` steps. True when more is due: the
    /// driver looks after its ports and clients, and calls again. A `now` in the past only goes on
    /// with what is due.
    ///
    /// Events keep their own times, as in [`World::run_until`]. Only when a whole call went by within
    /// one instant (a node with a large table to work on asks for its next turn at once), and milliseconds
    /// with it, the next call sets the time to its `now`: work does not hold time up, and what fell due
    /// meanwhile, such as a BFD packet to be sent, takes its turn in between. That is recorded, since a
    /// replay does not know how long the work took.
    pub fn advance_some(&mut self, now: Instant, steps: u32) -> bool {
        if self.is_held_up(now) {
            self.fall_behind(now);
        }
        let began = self.now;
        for _ in 0..steps {
            if !self.step_until(now, None) {
                break;
            }
        }
        let due = self.poll_timeout().map(|deadline| deadline.at);
        let more = due.is_some_and(|at| at <= now);
        let is_behind = more && self.now == began && due == Some(began);
        self.behind_since = is_behind.then(|| self.behind_since.unwrap_or(now));
        if !more {
            self.pass_time(now);
        }
        more
    }

    /// Makes `now` the time although something is due before it.
    pub(crate) fn fall_behind(&mut self, now: Instant) {
        self.pass_time(now);
        self.behind_since = None;
        // With frames from outside no replay is exact anyway, and a busy world would fill its log.
        if !self.is_fed {
            self.record(Logged::Late);
        }
    }

    /// True when the next [`World::advance_some`] will set the time to `now` although work of an earlier
    /// instant is left over.
    #[must_use]
    pub fn is_held_up(&self, now: Instant) -> bool {
        let held_up = |since| now.since(since) > HELD_UP_MAX;
        self.behind_since.is_some_and(held_up)
    }

    /// True while work of one instant is left over from the last [`World::advance_some`].
    #[must_use]
    pub const fn is_behind(&self) -> bool {
        self.behind_since.is_some()
    }

    /// Lets time pass up to `now`, but not past anything that is due before: frames from outside that
    /// have waited for the driver are then delivered ahead of timers that fired meanwhile.
    pub fn approach(&mut self, now: Instant) {
        let due = self.poll_timeout().map_or(now, |deadline| deadline.at);
        self.pass_time(due.min(now));
    }
}
