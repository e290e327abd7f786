//! A process by number and the time it started, so that another one with the same number is told from it.

use std::fmt;
use std::fs;

/// Names a process for good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Marker {
    pid: u32,
    /// Clock ticks since the system started (proc_pid_stat(5), field 22).
    started: u64,
}

impl Marker {
    /// The running process with this number; `None` when there is none.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything, parentheses too.
        let (_, behind_name) = stat.rsplit_once(')')?;
        let mut fields = behind_name.split_ascii_whitespace();
        let state = fields.next()?;
        let started = fields.nth(18)?.parse().ok()?;
        (state != "Z").then_some(Self { pid, started })
    }

    /// As [`fmt::Display`] writes it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (pid, started) = text.split_once('.')?;
        Some(Self {
            pid: pid.parse().ok()?,
            started: started.parse().ok()?,
        })
    }

    /// True while the process runs.
    pub(crate) fn is_alive(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.pid, self.started)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_a_later_one_with_its_number() {
        let us = Marker::of(std::process::id()).unwrap();
        assert!(us.is_alive());
        assert_eq!(Marker::parse(&us.to_string()), Some(us));
        let before = Marker {
            started: us.started.wrapping_sub(1),
            ..us
        };
        assert!(!before.is_alive());
        assert_eq!(Marker::of(u32::MAX), None);
        assert_eq!(Marker::parse("1"), None);
    }
}
