//! What a stack counts.

/// Packets and connections that a [`super::Stack`] refused, by cause.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct StackCounters {
    /// Not a TCP segment or ICMP message, cut short, or a fragment.
    pub malformed: u64,
    /// IP, TCP or ICMP checksum wrong.
    pub checksum: u64,
    /// Signature expected and missing (RFC 2385 §2.0).
    pub md5_missing: u64,
    /// Signature wrong.
    pub md5_mismatch: u64,
    /// Signature where none is configured.
    pub md5_unexpected: u64,
    /// TTL below the session's least (RFC 5082 §3).
    pub ttl_too_low: u64,
    /// Segments without connection or listener, answered by a reset.
    pub no_listener: u64,
    /// SYNs ignored because a limit was reached.
    pub limit: u64,
    /// ICMP errors that match no connection.
    pub icmp_unmatched: u64,
    /// Path MTUs lowered by an ICMP error.
    pub path_mtu_lowered: u64,
}
