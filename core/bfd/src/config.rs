//! What the operator chooses for a session.

use std::fmt;

use skybridge_base::Rng;

/// Intervals and multiplier of one end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timers {
    /// The shortest interval at which this end would like to send, in microseconds. Until the
    /// session is Up it is raised to one second (RFC 5880 §6.8.3).
    pub desired_min_tx_us: u32,
    /// The shortest interval at which this end can receive, in microseconds.
    pub required_min_rx_us: u32,
    /// Missing packets after which the *peer* declares this end down.
    pub detect_mult: u8,
}

impl Timers {
    /// 300 ms by three, as ExpressRoute and FastConnect run it.
    pub const CLOUD: Self = Self {
        desired_min_tx_us: 300_000,
        required_min_rx_us: 300_000,
        detect_mult: 3,
    };

    /// Both intervals alike.
    #[must_use]
    pub const fn symmetric(interval_us: u32, detect_mult: u8) -> Self {
        Self {
            desired_min_tx_us: interval_us,
            required_min_rx_us: interval_us,
            detect_mult,
        }
    }

    /// # Errors
    /// The first field that RFC 5880 §6.8.1 does not allow to be zero. A zero receive interval,
    /// which would ask the peer for silence, is refused because nothing could then be detected.
    pub(crate) const fn check(self) -> Result<(), ConfigFault> {
        if self.detect_mult == 0 {
            return Err(ConfigFault::ZeroDetectMult);
        }
        if self.desired_min_tx_us == 0 || self.required_min_rx_us == 0 {
            return Err(ConfigFault::ZeroInterval);
        }
        Ok(())
    }
}

/// Everything a session needs to begin.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Unique among this system's sessions, never 0 (RFC 5880 §6.8.1).
    pub my_discriminator: u32,
    /// Intervals and multiplier.
    pub timers: Timers,
    /// Say nothing until the peer has spoken (RFC 5880 §6.1).
    pub passive: bool,
    /// Source of the jitter (RFC 5880 §6.8.7).
    pub rng: Rng,
}

/// Why a configuration cannot be run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigFault {
    /// The discriminator is zero.
    ZeroDiscriminator,
    /// The multiplier is zero.
    ZeroDetectMult,
    /// An interval is zero.
    ZeroInterval,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroDiscriminator => "the discriminator must not be zero",
            Self::ZeroDetectMult => "the detect multiplier must not be zero",
            Self::ZeroInterval => "intervals must not be zero",
        })
    }
}

impl std::error::Error for ConfigFault {}
