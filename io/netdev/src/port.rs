//! What devices have in common on every system.

use std::net::IpAddr;

use ipnet::IpNet;
use skybridge_base::MacAddr;

/// What became of a frame for the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    /// The kernel has it.
    Taken,
    /// Lost, and counted.
    Lost,
}

/// Frames that a port lost, by reason.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PortCounters {
    /// The kernel's queue was full.
    pub sent_full: u64,
    /// The interface was down.
    pub sent_down: u64,
    /// Frames that the kernel does not take: an impossible checksum, too long, no transport to segment.
    pub sent_unfit: u64,
    /// Frames of a kind that we do not take.
    pub received_unfit: u64,
}

/// An interface as it is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Station {
    /// Its station.
    pub mac: MacAddr,
    /// Its addresses with the link's prefix length.
    pub addresses: Vec<IpNet>,
    /// Default gateways, one per family.
    pub gateways: Vec<IpAddr>,
    /// Greatest IP packet in octets.
    pub mtu: u16,
}
