//! How fast lifecycles run.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The clock of lifecycles. It scales what control planes take their time for; protocol timers run as
/// negotiated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// A whole bring-up's lifecycles within 300 ms: everything 20,000 times faster.
    #[default]
    Compressed,
    /// As long as the real clouds take.
    Realistic,
    /// No time at all; for rehearsing decisions without a network.
    Instant,
}

impl Pace {
    /// How long something takes that takes `real` in the real cloud.
    #[must_use]
    pub fn scale(self, real: Duration) -> Duration {
        match self {
            Self::Compressed => real / 20_000,
            Self::Realistic => real,
            Self::Instant => Duration::ZERO,
        }
    }
}
