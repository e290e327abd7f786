//! Neighbour discovery for IPv6: solicitations and advertisements (RFC 4861 §4.3, §4.4).

use std::net::Ipv6Addr;

use skybridge_base::MacAddr;

use crate::bytes;
use crate::ipv6::{self, Ipv6Repr};
use crate::{Malformed, icmpv6, protocol};

/// Bytes in front of the options.
const FIXED_LEN: usize = 24;

/// A neighbour solicitation or advertisement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NdRepr {
    /// Type 135: who has `target`?
    Solicitation {
        /// The address asked for.
        target: Ipv6Addr,
        /// Source link-layer address option; absent in duplicate address detection.
        source_mac: Option<MacAddr>,
    },
    /// Type 136: I have `target`.
    Advertisement {
        /// The address spoken of.
        target: Ipv6Addr,
        /// The sender is a router.
        router: bool,
        /// It answers a solicitation.
        solicited: bool,
        /// It replaces a cached address.
        overriding: bool,
        /// Target link-layer address option.
        target_mac: Option<MacAddr>,
    },
}

/// Checks and reads a message inside its IP packet, with the validation of RFC 4861 §7.1.1 and
/// §7.1.2. `ip` is a whole IPv6 packet.
///
/// # Errors
/// [`Malformed::Unsupported`] for anything but these two messages or when a field has a forbidden
/// value (hop limit not 255 among them), [`Malformed::Checksum`], [`Malformed::Length`] for an
/// option of length zero, [`Malformed::Truncated`].
pub fn parse(ip: &[u8]) -> Result<NdRepr, Malformed> {
    let ip = ipv6::parse(ip)?;
    if ip.next_header() != protocol::ICMPV6 || ip.hop_limit() != 255 {
        return Err(Malformed::Unsupported);
    }
    let message = ip.payload();
    let (kind, code) = (bytes::u8_at(message, 0), bytes::u8_at(message, 1));
    if !matches!(kind, 135 | 136) || code != 0 {
        return Err(Malformed::Unsupported);
    }
    if message.len() < FIXED_LEN {
        return Err(Malformed::Truncated);
    }
    if !icmpv6::is_checksum_valid(ip.src(), ip.dst(), message) {
        return Err(Malformed::Checksum);
    }
    let target = bytes::ipv6_at(message, 8);
    if target.is_multicast() {
        return Err(Malformed::Unsupported);
    }
    let options = bytes::from(message, FIXED_LEN);
    if kind == 135 {
        let source_mac = link_layer_option(options, 1)?;
        // Duplicate address detection carries no source address option (RFC 4861 §7.1.1).
        if ip.src().is_unspecified() && source_mac.is_some() {
            return Err(Malformed::Unsupported);
        }
        return Ok(NdRepr::Solicitation { target, source_mac });
    }
    let flags = bytes::u8_at(message, 4);
    let solicited = flags & 0x40 != 0;
    if ip.dst().is_multicast() && solicited {
        return Err(Malformed::Unsupported);
    }
    Ok(NdRepr::Advertisement {
        target,
        router: flags & 0x80 != 0,
        solicited,
        overriding: flags & 0x20 != 0,
        target_mac: link_layer_option(options, 2)?,
    })
}

/// The link-layer address in the option of type `wanted`; other options are skipped.
fn link_layer_option(mut options: &[u8], wanted: u8) -> Result<Option<MacAddr>, Malformed> {
    let mut found = None;
    while !options.is_empty() {
        let [kind, units] = bytes::array_at(options, 0);
        // RFC 4861 §4.6: a length of zero discards the packet.
        if units == 0 {
            return Err(Malformed::Length);
        }
        let len = usize::from(units).saturating_mul(8);
        let Some((option, rest)) = options.split_at_checked(len) else {
            return Err(Malformed::Truncated);
        };
        if kind == wanted && units == 1 {
            found = Some(bytes::mac_at(option, 2));
        }
        options = rest;
    }
    Ok(found)
}

impl NdRepr {
    /// Appends the message (the payload of the IP packet) with its checksum.
    pub fn emit(&self, src: Ipv6Addr, dst: Ipv6Addr, out: &mut Vec<u8>) {
        let start = out.len();
        let (kind, flags, target, option) = match self {
            Self::Solicitation { target, source_mac } => {
                (135, 0, target, source_mac.map(|mac| (1, mac)))
            }
            Self::Advertisement {
                target,
                router,
                solicited,
                overriding,
                target_mac,
            } => {
                let bit = |set: bool, value: u8| if set { value } else { 0 };
                let flags = bit(*router, 0x80) | bit(*solicited, 0x40) | bit(*overriding, 0x20);
                (136, flags, target, target_mac.map(|mac| (2, mac)))
            }
        };
        out.extend_from_slice(&[kind, 0, 0, 0, flags, 0, 0, 0]);
        out.extend_from_slice(&target.octets());
        if let Some((kind, mac)) = option {
            out.extend_from_slice(&[kind, 1]);
            out.extend_from_slice(&mac.0);
        }
        icmpv6::fill_checksum(src, dst, out.get_mut(start..).unwrap_or(&mut []));
    }

    /// The whole IP packet, with hop limit 255.
    #[must_use]
    pub fn packet(&self, src: Ipv6Addr, dst: Ipv6Addr) -> Vec<u8> {
        let mut message = Vec::with_capacity(32);
        self.emit(src, dst, &mut message);
        let repr = Ipv6Repr {
            hop_limit: 255,
            ..Ipv6Repr::new(src, dst, protocol::ICMPV6, message.len())
        };
        let mut out = Vec::with_capacity(message.len().saturating_add(ipv6::HEADER_LEN));
        repr.emit(&mut out);
        out.extend_from_slice(&message);
        out
    }
}

/// The solicited-node multicast address of `address` (RFC 4291 §2.7.1).
#[must_use]
pub const fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from_octets([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// The Ethernet address of an IPv6 multicast address (RFC 2464 §7).
#[must_use]
pub const fn multicast_mac(group: Ipv6Addr) -> MacAddr {
    let [.., a, b, c, d] = group.octets();
    MacAddr([0x33, 0x33, a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    const B: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0x12ab, 0xcdef);

    fn solicitation() -> NdRepr {
        NdRepr::Solicitation {
            target: B,
            source_mac: Some(MacAddr::local(1)),
        }
    }

    #[test]
    fn multicast_addresses_follow_from_the_target() {
        let group = solicited_node(B);
        assert_eq!(group.to_string(), "ff02::1:ffab:cdef");
        assert_eq!(multicast_mac(group).to_string(), "33:33:ff:ab:cd:ef");
    }

    #[test]
    fn solicitations_and_advertisements_survive_the_wire() {
        let packet = solicitation().packet(A, solicited_node(B));
        assert_eq!(packet.len(), 72);
        assert_eq!(packet[64..], [1, 1, 2, 0, 0, 0, 0, 1]);
        assert_eq!(parse(&packet), Ok(solicitation()));
        let advertisement = NdRepr::Advertisement {
            target: B,
            router: true,
            solicited: true,
            overriding: false,
            target_mac: Some(MacAddr::local(2)),
        };
        let packet = advertisement.packet(B, A);
        assert_eq!(packet[44], 0xc0);
        assert_eq!(parse(&packet), Ok(advertisement));
    }

    #[test]
    fn what_the_validation_forbids_is_refused() {
        let good = solicitation().packet(A, B);
        let mut routed = good.clone();
        routed[7] = 254;
        assert_eq!(parse(&routed), Err(Malformed::Unsupported));
        let mut broken = good.clone();
        broken[60] ^= 1;
        assert_eq!(parse(&broken), Err(Malformed::Checksum));
        let detection = solicitation().packet(Ipv6Addr::UNSPECIFIED, solicited_node(B));
        assert_eq!(parse(&detection), Err(Malformed::Unsupported));
        let mut empty_option = good;
        empty_option[65] = 0;
        icmpv6::fill_checksum(A, B, &mut empty_option[40..]);
        assert_eq!(parse(&empty_option), Err(Malformed::Length));
    }
}
