//! Why bytes are not what they claim to be.

use std::fmt;

/// The sender's fault, without text, so that tests and counters can name it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Malformed {
    /// Fewer bytes than the fixed header, or than a length field announces.
    Truncated,
    /// A version field has another value than the protocol asked for.
    Version,
    /// A length field contradicts itself or the header around it.
    Length,
    /// A checksum does not hold.
    Checksum,
    /// A field has a value that this crate has no meaning for.
    Unsupported,
    /// More nested headers than the walk's limit.
    TooDeep,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "truncated",
            Self::Version => "wrong version",
            Self::Length => "contradicting length",
            Self::Checksum => "wrong checksum",
            Self::Unsupported => "unsupported value",
            Self::TooDeep => "too many nested headers",
        })
    }
}

impl std::error::Error for Malformed {}
