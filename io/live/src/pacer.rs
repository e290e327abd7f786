//! The world's clock: the machine's monotonic clock, minus what the driver was late.

use std::time::Duration;

use skybridge_base::{Deadline, Instant};

/// Later than this, the world's clock slips instead of expiring timers (design §4): a protocol timer is
/// some hundred milliseconds, so a driver this late would otherwise end sessions that nothing has broken.
pub const LATE_MAX: Duration = Duration::from_millis(20);

/// Maps time since the driver started to the world's time. Never goes back.
#[derive(Debug, Default)]
pub struct Pacer {
    slipped: Duration,
    asked: Option<Instant>,
    last: Instant,
}

impl Pacer {
    /// A clock that starts at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long to sleep for a deadline; `None` sleeps until something comes in.
    pub fn sleep(&mut self, elapsed: Duration, deadline: Option<Deadline>) -> Option<Duration> {
        self.asked = deadline.map(|deadline| deadline.at);
        self.asked
            .filter(|at| *at != Instant::MAX)
            .map(|at| at.since(self.mapped(elapsed)))
    }

    /// The world's time on waking, and by how much its clock has just slipped.
    ///
    /// Late is measured from the deadline asked for. Without a deadline nothing can be late: the world
    /// waits for no timer and the clock simply goes on.
    pub fn wake(&mut self, elapsed: Duration) -> (Instant, Option<Duration>) {
        let mut now = self.mapped(elapsed).max(self.last);
        let mut slip = None;
        if let Some(asked) = self.asked {
            let due = asked.max(self.last);
            let late = now.since(due);
            if late > LATE_MAX {
                self.slipped += late;
                now = due;
                slip = Some(late);
            }
        }
        self.last = now;
        (now, slip)
    }

    fn mapped(&self, elapsed: Duration) -> Instant {
        Instant::ZERO + elapsed.saturating_sub(self.slipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn deadline(millis: u64) -> Option<Deadline> {
        Some(Deadline::new(Instant::from_millis(millis), "test"))
    }

    #[test]
    fn a_punctual_driver_follows_the_machine_clock() {
        let mut pacer = Pacer::new();
        assert_eq!(pacer.sleep(ms(0), deadline(300)), Some(ms(300)));
        assert_eq!(pacer.wake(ms(301)), (Instant::from_millis(301), None));
        assert_eq!(pacer.sleep(ms(302), deadline(600)), Some(ms(298)));
    }

    #[test]
    fn a_deadline_in_the_past_does_not_sleep() {
        let mut pacer = Pacer::new();
        assert_eq!(pacer.sleep(ms(10), deadline(5)), Some(ms(0)));
    }

    #[test]
    fn a_suspended_machine_makes_the_clock_slip_to_the_deadline() {
        let mut pacer = Pacer::new();
        pacer.sleep(ms(0), deadline(300));
        assert_eq!(
            pacer.wake(ms(3_600_300)),
            (Instant::from_millis(300), Some(ms(3_600_000)))
        );
        assert_eq!(pacer.sleep(ms(3_600_301), deadline(600)), Some(ms(299)));
        assert_eq!(
            pacer.wake(ms(3_600_600)),
            (Instant::from_millis(600), None),
            "the slip is kept"
        );
    }

    #[test]
    fn time_spent_on_a_long_request_counts_as_late_for_what_was_due_meanwhile() {
        let mut pacer = Pacer::new();
        pacer.sleep(ms(0), None);
        assert_eq!(pacer.wake(ms(1_000)), (Instant::from_millis(1_000), None));
        // The request takes 400 ms and then asks for something 5 ms after it came in.
        assert_eq!(pacer.sleep(ms(1_400), deadline(1_005)), Some(ms(0)));
        assert_eq!(
            pacer.wake(ms(1_400)),
            (Instant::from_millis(1_005), Some(ms(395)))
        );
    }

    #[test]
    fn without_a_deadline_nothing_is_late() {
        let mut pacer = Pacer::new();
        assert_eq!(pacer.sleep(ms(0), None), None);
        assert_eq!(pacer.wake(ms(90_000)), (Instant::from_secs(90), None));
    }

    #[test]
    fn an_early_wake_up_does_not_slip_and_time_never_goes_back() {
        let mut pacer = Pacer::new();
        pacer.sleep(ms(0), deadline(100));
        assert_eq!(pacer.wake(ms(40)).0, Instant::from_millis(40));
        pacer.sleep(ms(41), deadline(30));
        let (now, slip) = pacer.wake(ms(80));
        assert_eq!(
            (now, slip),
            (Instant::from_millis(40), Some(ms(40))),
            "late is measured from the later of deadline and present"
        );
    }
}
