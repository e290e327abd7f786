//! The Address Resolution Protocol for IPv4 over Ethernet (RFC 826), with the recognisers of
//! RFC 5227.

use std::net::Ipv4Addr;

use skybridge_base::MacAddr;

use crate::bytes;
use crate::{EtherType, Malformed};

/// Bytes of a packet.
pub const LEN: usize = 28;

/// What an ARP packet asks or says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArpOperation {
    /// Who has this address?
    Request,
    /// I have it.
    Reply,
}

/// An ARP packet for IPv4 over Ethernet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArpRepr {
    /// Request or reply.
    pub operation: ArpOperation,
    /// Sender's hardware address.
    pub sender_mac: MacAddr,
    /// Sender's protocol address; 0.0.0.0 in a probe.
    pub sender_ip: Ipv4Addr,
    /// Target's hardware address; ignored in a request.
    pub target_mac: MacAddr,
    /// Target's protocol address.
    pub target_ip: Ipv4Addr,
}

/// Checks and reads a packet; trailing padding is ignored.
///
/// # Errors
/// [`Malformed::Truncated`] below 28 bytes, [`Malformed::Unsupported`] for other hardware or
/// protocol types and for operations other than request and reply.
pub fn parse(bytes: &[u8]) -> Result<ArpRepr, Malformed> {
    if bytes.len() < LEN {
        return Err(Malformed::Truncated);
    }
    // Ethernet, IPv4, address lengths 6 and 4 (RFC 826 "Packet format").
    if bytes::array_at(bytes, 0) != [0, 1, 8, 0, 6, 4] {
        return Err(Malformed::Unsupported);
    }
    let operation = match bytes::u16_at(bytes, 6) {
        1 => ArpOperation::Request,
        2 => ArpOperation::Reply,
        _ => return Err(Malformed::Unsupported),
    };
    Ok(ArpRepr {
        operation,
        sender_mac: bytes::mac_at(bytes, 8),
        sender_ip: bytes::ipv4_at(bytes, 14),
        target_mac: bytes::mac_at(bytes, 18),
        target_ip: bytes::ipv4_at(bytes, 24),
    })
}

impl ArpRepr {
    /// The request "who has `target_ip`?" of a node with the given addresses.
    #[must_use]
    pub const fn request(sender_mac: MacAddr, sender_ip: Ipv4Addr, target_ip: Ipv4Addr) -> Self {
        Self {
            operation: ArpOperation::Request,
            sender_mac,
            sender_ip,
            target_mac: MacAddr([0; 6]),
            target_ip,
        }
    }

    /// The reply of the node `mac` that owns this request's target.
    #[must_use]
    pub const fn reply(&self, mac: MacAddr) -> Self {
        Self {
            operation: ArpOperation::Reply,
            sender_mac: mac,
            sender_ip: self.target_ip,
            target_mac: self.sender_mac,
            target_ip: self.sender_ip,
        }
    }

    /// An announcement: a gratuitous request (RFC 5227 §1.1).
    #[must_use]
    pub const fn announcement(mac: MacAddr, ip: Ipv4Addr) -> Self {
        Self::request(mac, ip, ip)
    }

    /// True when the sender speaks of its own address, asked by nobody.
    #[must_use]
    pub fn is_gratuitous(&self) -> bool {
        self.sender_ip == self.target_ip && !self.sender_ip.is_unspecified()
    }

    /// True for a probe: a request from the all-zero address (RFC 5227 §1.1). It must not change
    /// anybody's cache.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.operation == ArpOperation::Request && self.sender_ip.is_unspecified()
    }

    /// The packet's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; LEN] {
        let mut out = [0; LEN];
        let operation = match self.operation {
            ArpOperation::Request => 1,
            ArpOperation::Reply => 2,
        };
        bytes::put(&mut out, 0, &[0, 1, 8, 0, 6, 4, 0, operation]);
        bytes::put(&mut out, 8, &self.sender_mac.0);
        bytes::put(&mut out, 14, &self.sender_ip.octets());
        bytes::put(&mut out, 18, &self.target_mac.0);
        bytes::put(&mut out, 24, &self.target_ip.octets());
        out
    }

    /// Appends the packet.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_bytes());
    }

    /// The Ethernet type that carries it.
    pub const ETHERTYPE: EtherType = EtherType::ARP;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rustfmt::skip]
    const REQUEST: [u8; 28] = [
        0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01,
        0x02, 0, 0, 0, 0, 1,  10, 0, 0, 1,
        0, 0, 0, 0, 0, 0,     10, 0, 0, 2,
    ];

    #[test]
    fn a_request_is_read_and_answered() {
        let request = parse(&REQUEST).unwrap();
        let (one, two) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        assert_eq!(request, ArpRepr::request(MacAddr::local(1), one, two));
        assert_eq!(request.to_bytes(), REQUEST);
        let reply = request.reply(MacAddr::local(2));
        assert_eq!(reply.sender_ip, two);
        assert_eq!(reply.target_mac, MacAddr::local(1));
        assert_eq!(parse(&reply.to_bytes()), Ok(reply));
    }

    #[test]
    fn probes_and_gratuitous_packets_are_told_apart() {
        let ip = Ipv4Addr::new(10, 0, 0, 1);
        let probe = ArpRepr::request(MacAddr::local(1), Ipv4Addr::UNSPECIFIED, ip);
        assert!(probe.is_probe() && !probe.is_gratuitous());
        let announcement = ArpRepr::announcement(MacAddr::local(1), ip);
        assert!(announcement.is_gratuitous() && !announcement.is_probe());
    }

    #[test]
    fn other_hardware_and_operations_are_unsupported() {
        for at in [1, 3, 4, 5, 7] {
            let mut bytes = REQUEST;
            bytes[at] ^= 0x80;
            assert_eq!(parse(&bytes), Err(Malformed::Unsupported));
        }
        assert_eq!(parse(&REQUEST[..27]), Err(Malformed::Truncated));
    }
}
