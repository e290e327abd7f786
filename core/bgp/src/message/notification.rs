//! NOTIFICATION: codes, subcodes and their names (RFC 4271 §4.5, RFC 4486, RFC 9003, RFC 6608).

use std::fmt;

/// A NOTIFICATION, sent or received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notification {
    /// Error code, see [`code`].
    pub code: u8,
    /// Error subcode, see [`subcode`].
    pub subcode: u8,
    /// Diagnostic data.
    pub data: Vec<u8>,
}

/// Error codes (RFC 4271 §4.5).
#[allow(missing_docs, reason = "each is the name of a row of RFC 4271 §4.5")]
pub mod code {
    pub const HEADER: u8 = 1;
    pub const OPEN: u8 = 2;
    pub const UPDATE: u8 = 3;
    pub const HOLD_TIMER_EXPIRED: u8 = 4;
    pub const FSM: u8 = 5;
    pub const CEASE: u8 = 6;
}

/// Error subcodes, grouped by their code (RFC 4271 §4.5, RFC 5492 §5, RFC 6608 §3, RFC 4486 §3).
#[allow(
    missing_docs,
    reason = "each is the name of a row of the cited registries"
)]
pub mod subcode {
    pub const UNSPECIFIC: u8 = 0;
    // Code 1.
    pub const NOT_SYNCHRONISED: u8 = 1;
    pub const BAD_MESSAGE_LENGTH: u8 = 2;
    pub const BAD_MESSAGE_TYPE: u8 = 3;
    // Code 2.
    pub const UNSUPPORTED_VERSION: u8 = 1;
    pub const BAD_PEER_AS: u8 = 2;
    pub const BAD_BGP_IDENTIFIER: u8 = 3;
    pub const UNSUPPORTED_PARAMETER: u8 = 4;
    pub const UNACCEPTABLE_HOLD_TIME: u8 = 6;
    pub const UNSUPPORTED_CAPABILITY: u8 = 7;
    // Code 3.
    pub const MALFORMED_ATTRIBUTE_LIST: u8 = 1;
    pub const UNRECOGNISED_WELL_KNOWN: u8 = 2;
    pub const ATTRIBUTE_LENGTH: u8 = 5;
    pub const OPTIONAL_ATTRIBUTE: u8 = 9;
    pub const INVALID_NETWORK_FIELD: u8 = 10;
    // Code 5 (RFC 6608 §3).
    pub const UNEXPECTED_IN_OPEN_SENT: u8 = 1;
    pub const UNEXPECTED_IN_OPEN_CONFIRM: u8 = 2;
    pub const UNEXPECTED_IN_ESTABLISHED: u8 = 3;
    // Code 6 (RFC 4486 §3).
    pub const MAX_PREFIXES: u8 = 1;
    pub const ADMIN_SHUTDOWN: u8 = 2;
    pub const PEER_DECONFIGURED: u8 = 3;
    pub const ADMIN_RESET: u8 = 4;
    pub const CONNECTION_REJECTED: u8 = 5;
    pub const CONFIG_CHANGE: u8 = 6;
    pub const COLLISION: u8 = 7;
    pub const OUT_OF_RESOURCES: u8 = 8;
    /// RFC 9384 §3.
    pub const BFD_DOWN: u8 = 10;
}

impl Notification {
    /// A notification of `code`/`subcode` with `data`.
    #[must_use]
    pub const fn new(code: u8, subcode: u8, data: Vec<u8>) -> Self {
        Self {
            code,
            subcode,
            data,
        }
    }

    /// A cease without data (RFC 4486 §3).
    #[must_use]
    pub const fn cease(subcode: u8) -> Self {
        Self::new(code::CEASE, subcode, Vec::new())
    }

    /// A cease with a text for the operator, cut to 255 octets on a character (RFC 9003 §2).
    #[must_use]
    pub fn cease_with_text(subcode: u8, text: &str) -> Self {
        let mut end = text.len().min(255);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let mut data = vec![u8::try_from(end).unwrap_or(255)];
        data.extend_from_slice(&text.as_bytes()[..end]);
        Self::new(code::CEASE, subcode, data)
    }

    /// The operator's text of a shutdown or reset (RFC 9003 §2), when there is a readable one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        let carries = self.code == code::CEASE
            && (self.subcode == subcode::ADMIN_SHUTDOWN || self.subcode == subcode::ADMIN_RESET);
        let (&len, rest) = self.data.split_first()?;
        let text = rest
            .get(..usize::from(len))
            .filter(|_| carries && len > 0)?;
        std::str::from_utf8(text).ok()
    }

    /// The name of code and subcode, as in `"Cease: Connection Collision Resolution"`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match (self.code, self.subcode) {
            (1, 1) => "Message Header Error: Connection Not Synchronized",
            (1, 2) => "Message Header Error: Bad Message Length",
            (1, 3) => "Message Header Error: Bad Message Type",
            (1, _) => "Message Header Error",
            (2, 1) => "OPEN Message Error: Unsupported Version Number",
            (2, 2) => "OPEN Message Error: Bad Peer AS",
            (2, 3) => "OPEN Message Error: Bad BGP Identifier",
            (2, 4) => "OPEN Message Error: Unsupported Optional Parameter",
            (2, 6) => "OPEN Message Error: Unacceptable Hold Time",
            (2, 7) => "OPEN Message Error: Unsupported Capability",
            (2, _) => "OPEN Message Error",
            (3, 1) => "UPDATE Message Error: Malformed Attribute List",
            (3, 2) => "UPDATE Message Error: Unrecognized Well-known Attribute",
            (3, 3) => "UPDATE Message Error: Missing Well-known Attribute",
            (3, 4) => "UPDATE Message Error: Attribute Flags Error",
            (3, 5) => "UPDATE Message Error: Attribute Length Error",
            (3, 6) => "UPDATE Message Error: Invalid ORIGIN Attribute",
            (3, 8) => "UPDATE Message Error: Invalid NEXT_HOP Attribute",
            (3, 9) => "UPDATE Message Error: Optional Attribute Error",
            (3, 10) => "UPDATE Message Error: Invalid Network Field",
            (3, 11) => "UPDATE Message Error: Malformed AS_PATH",
            (3, _) => "UPDATE Message Error",
            (4, _) => "Hold Timer Expired",
            (5, 1) => "FSM Error: Unexpected Message in OpenSent",
            (5, 2) => "FSM Error: Unexpected Message in OpenConfirm",
            (5, 3) => "FSM Error: Unexpected Message in Established",
            (5, _) => "FSM Error",
            (6, 1) => "Cease: Maximum Number of Prefixes Reached",
            (6, 2) => "Cease: Administrative Shutdown",
            (6, 3) => "Cease: Peer De-configured",
            (6, 4) => "Cease: Administrative Reset",
            (6, 5) => "Cease: Connection Rejected",
            (6, 6) => "Cease: Other Configuration Change",
            (6, 7) => "Cease: Connection Collision Resolution",
            (6, 8) => "Cease: Out of Resources",
            (6, 9) => "Cease: Hard Reset",
            (6, 10) => "Cease: BFD Down",
            (6, _) => "Cease",
            _ => "Unknown Error",
        }
    }
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}/{})", self.name(), self.code, self.subcode)?;
        match self.text() {
            Some(text) => write!(f, ": {text}"),
            None => Ok(()),
        }
    }
}
