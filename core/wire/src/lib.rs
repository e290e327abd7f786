//! Frames and packets as bytes: views that are checked once and read without failing, and
//! representations (`Repr`) that can only hold what we can emit.
//!
//! A view is made by a `parse` function that checks every length it will later rely on; its
//! accessors cannot fail. A representation is emitted with `emit`; parsing what was emitted gives
//! the representation back. Anything odd (options, unknown types) stays visible in the view.
//!
//! Not here: state, policy, reassembly. No parser panics on any bytes.
//!
//! Limits: at most two VLAN tags are looked through, eight IPv6 extension headers are walked, and
//! ICMP errors quote up to 576 (IPv4) or 1280 (IPv6) bytes in total.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
// A test may index: its panic is its failure.
#![cfg_attr(
    not(test),
    warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

pub mod arp;
pub mod bfd;
mod bytes;
pub mod checksum;
pub mod ethernet;
pub mod flow;
pub mod frame;
pub mod gso;
pub mod icmpv4;
pub mod icmpv6;
pub mod ipv4;
pub mod ipv6;
mod malformed;
pub mod nd;
pub mod summary;
pub mod tcp;
pub mod tcp_md5;
pub mod udp;

pub use ethernet::{EtherType, EthernetRepr, EthernetView, Tag, Tags, Tpid};
pub use flow::{FiveTuple, Fragment, PacketInfo};
pub use frame::{ChecksumState, Frame, FramePool, Meta};
pub use malformed::Malformed;

/// IP protocol numbers (IANA "Assigned Internet Protocol Numbers") that this crate knows.
pub mod protocol {
    /// ICMP for IPv4 (RFC 792).
    pub const ICMP: u8 = 1;
    /// TCP (RFC 9293).
    pub const TCP: u8 = 6;
    /// UDP (RFC 768).
    pub const UDP: u8 = 17;
    /// GRE (RFC 2784).
    pub const GRE: u8 = 47;
    /// IPsec ESP (RFC 4303).
    pub const ESP: u8 = 50;
    /// ICMP for IPv6 (RFC 4443).
    pub const ICMPV6: u8 = 58;
}
