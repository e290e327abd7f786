//! IPv6 (RFC 8200).

use std::net::Ipv6Addr;

use crate::Malformed;
use crate::bytes;

/// Bytes of the fixed header.
pub const HEADER_LEN: usize = 40;

/// The smallest MTU an IPv6 link may have (RFC 8200 §5).
pub const MTU_MIN: usize = 1280;

/// Extension headers walked before a packet counts as too deep.
const EXTENSIONS_MAX: usize = 8;

/// A checked IPv6 packet.
#[derive(Clone, Copy, Debug)]
pub struct Ipv6View<'a> {
    /// The packet without link padding.
    bytes: &'a [u8],
}

/// Checks a packet and cuts link padding off. Jumbograms (RFC 2675) are not supported: a payload
/// length of zero is an empty payload.
///
/// # Errors
/// [`Malformed::Truncated`] or [`Malformed::Version`].
pub fn parse(bytes: &[u8]) -> Result<Ipv6View<'_>, Malformed> {
    let view = parse_header(bytes)?;
    let total_len = usize::from(view.payload_len()).saturating_add(HEADER_LEN);
    let bytes = bytes.get(..total_len).ok_or(Malformed::Truncated)?;
    Ok(Ipv6View { bytes })
}

/// Checks only the fixed header: for the cut-off packet that an `ICMPv6` error quotes.
///
/// # Errors
/// As [`parse`], without regard to the payload length.
pub fn parse_header(bytes: &[u8]) -> Result<Ipv6View<'_>, Malformed> {
    if bytes.len() < HEADER_LEN {
        return Err(Malformed::Truncated);
    }
    if bytes::u8_at(bytes, 0) >> 4 != 6 {
        return Err(Malformed::Version);
    }
    Ok(Ipv6View { bytes })
}

impl<'a> Ipv6View<'a> {
    /// The traffic class: code point and ECN.
    #[must_use]
    pub fn traffic_class(&self) -> u8 {
        let [a, b] = bytes::array_at(self.bytes, 0);
        (a & 0x0f) << 4 | b >> 4
    }

    /// Differentiated services code point, 0 to 63.
    #[must_use]
    pub fn dscp(&self) -> u8 {
        self.traffic_class() >> 2
    }

    /// Explicit congestion notification, 0 to 3.
    #[must_use]
    pub fn ecn(&self) -> u8 {
        self.traffic_class() & 3
    }

    /// The flow label, 20 bits.
    #[must_use]
    pub fn flow_label(&self) -> u32 {
        bytes::u32_at(self.bytes, 0) & 0x000f_ffff
    }

    /// Bytes behind the fixed header as the packet states it.
    #[must_use]
    pub fn payload_len(&self) -> u16 {
        bytes::u16_at(self.bytes, 4)
    }

    /// What follows the fixed header.
    #[must_use]
    pub fn next_header(&self) -> u8 {
        bytes::u8_at(self.bytes, 6)
    }

    /// Hop limit.
    #[must_use]
    pub fn hop_limit(&self) -> u8 {
        bytes::u8_at(self.bytes, 7)
    }

    /// Source address.
    #[must_use]
    pub fn src(&self) -> Ipv6Addr {
        bytes::ipv6_at(self.bytes, 8)
    }

    /// Destination address.
    #[must_use]
    pub fn dst(&self) -> Ipv6Addr {
        bytes::ipv6_at(self.bytes, 24)
    }

    /// Everything behind the fixed header.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        bytes::from(self.bytes, HEADER_LEN)
    }

    /// The whole packet, without link padding.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The header as a value.
    #[must_use]
    pub fn repr(&self) -> Ipv6Repr {
        Ipv6Repr {
            src: self.src(),
            dst: self.dst(),
            next_header: self.next_header(),
            hop_limit: self.hop_limit(),
            dscp: self.dscp(),
            ecn: self.ecn(),
            flow_label: self.flow_label(),
            payload_len: self.payload().len(),
        }
    }

    /// Walks the extension headers (RFC 8200 §4) to the upper layer.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] when a header is cut, [`Malformed::TooDeep`] beyond eight.
    pub fn upper_layer(&self) -> Result<UpperLayer, Malformed> {
        let mut upper = UpperLayer {
            protocol: self.next_header(),
            offset: HEADER_LEN,
            fragment: None,
        };
        for _ in 0..EXTENSIONS_MAX {
            let at = upper.offset;
            let len = match upper.protocol {
                // Hop-by-hop, routing, destination options, mobility: length in 8-byte units
                // beyond the first (RFC 8200 §4.3, RFC 6275 §6.1.1).
                0 | 43 | 60 | 135 => {
                    let units = bytes::u8_at(self.bytes, at.saturating_add(1));
                    usize::from(units).saturating_add(1).saturating_mul(8)
                }
                // Authentication header: in 4-byte units beyond two (RFC 4302 §2.2).
                51 => {
                    let units = bytes::u8_at(self.bytes, at.saturating_add(1));
                    usize::from(units).saturating_add(2).saturating_mul(4)
                }
                // Fragment (RFC 8200 §4.5).
                44 => 8,
                _ => return Ok(upper),
            };
            let end = at.saturating_add(len);
            if end > self.bytes.len() {
                return Err(Malformed::Truncated);
            }
            if upper.protocol == 44 {
                let word = bytes::u16_at(self.bytes, at.saturating_add(2));
                let fragment = Ipv6Fragment {
                    offset: word & 0xfff8,
                    more: word & 1 != 0,
                    identification: bytes::u32_at(self.bytes, at.saturating_add(4)),
                };
                upper.fragment = Some(fragment);
            }
            upper.protocol = bytes::u8_at(self.bytes, at);
            upper.offset = end;
            // What follows a later fragment's header is payload from the middle.
            if upper.fragment.is_some_and(|f| f.offset != 0) {
                return Ok(upper);
            }
        }
        Err(Malformed::TooDeep)
    }
}

/// Where the extension headers end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UpperLayer {
    /// The upper-layer protocol, 59 for none.
    pub protocol: u8,
    /// Where it starts, from the first byte of the packet.
    pub offset: usize,
    /// The fragment header, if there is one.
    pub fragment: Option<Ipv6Fragment>,
}

/// A fragment header (RFC 8200 §4.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ipv6Fragment {
    /// Offset in bytes, a multiple of 8.
    pub offset: u16,
    /// More fragments follow.
    pub more: bool,
    /// Shared by the fragments of one packet.
    pub identification: u32,
}

/// A fixed IPv6 header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ipv6Repr {
    /// Source address.
    pub src: Ipv6Addr,
    /// Destination address.
    pub dst: Ipv6Addr,
    /// What follows.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Differentiated services code point, 0 to 63.
    pub dscp: u8,
    /// Explicit congestion notification, 0 to 3.
    pub ecn: u8,
    /// Flow label, 20 bits.
    pub flow_label: u32,
    /// Bytes behind the header, at most 65 535.
    pub payload_len: usize,
}

impl Ipv6Repr {
    /// A header with hop limit 64 and zero elsewhere.
    #[must_use]
    pub const fn new(src: Ipv6Addr, dst: Ipv6Addr, next_header: u8, payload_len: usize) -> Self {
        Self {
            src,
            dst,
            next_header,
            hop_limit: 64,
            dscp: 0,
            ecn: 0,
            flow_label: 0,
            payload_len,
        }
    }

    /// The header's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        let class = u32::from(self.dscp << 2 | (self.ecn & 3));
        let first = 0x6000_0000 | class << 20 | (self.flow_label & 0x000f_ffff);
        bytes::put(&mut out, 0, &first.to_be_bytes());
        bytes::put(&mut out, 4, &bytes::len_u16(self.payload_len).to_be_bytes());
        bytes::put(&mut out, 6, &[self.next_header, self.hop_limit]);
        bytes::put(&mut out, 8, &self.src.octets());
        bytes::put(&mut out, 24, &self.dst.octets());
        out
    }

    /// Appends the header; the caller appends `payload_len` bytes.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_bytes());
    }
}

/// Lowers the hop limit by one. `None`, and no change, when it is 0 or 1: the packet has then
/// expired (RFC 8200 §3). `packet` must have passed [`parse`].
pub fn decrement_hop_limit(packet: &mut [u8]) -> Option<u8> {
    lower_hop_limit(packet, 1)
}

/// As [`decrement_hop_limit`] so many times: `None`, and no change, when the packet would expire on the
/// way.
pub fn lower_hop_limit(packet: &mut [u8], by: u8) -> Option<u8> {
    let lower = bytes::u8_at(packet, 7)
        .checked_sub(by)
        .filter(|limit| *limit > 0)?;
    bytes::put(packet, 7, &[lower]);
    Some(lower)
}

/// Sets the code point. `packet` must have passed [`parse`].
pub fn set_dscp(packet: &mut [u8], dscp: u8) {
    let [a, b] = bytes::array_at(packet, 0);
    let class = dscp << 2 | (b >> 4 & 3);
    bytes::put(
        packet,
        0,
        &[(a & 0xf0) | class >> 4, class << 4 | (b & 0x0f)],
    );
}

/// Replaces the source; the transport checksum is the caller's. `packet` must have passed [`parse`].
pub fn set_src(packet: &mut [u8], src: Ipv6Addr) {
    bytes::put(packet, 8, &src.octets());
}

/// Replaces the destination; as [`set_src`].
pub fn set_dst(packet: &mut [u8], dst: Ipv6Addr) {
    bytes::put(packet, 24, &dst.octets());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u16) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)
    }

    fn packet(next_header: u8, payload: &[u8]) -> Vec<u8> {
        let repr = Ipv6Repr::new(address(1), address(2), next_header, payload.len());
        let mut out = Vec::new();
        repr.emit(&mut out);
        out.extend_from_slice(payload);
        out
    }

    #[test]
    fn a_packet_is_read_field_by_field() {
        let mut bytes = packet(17, &[1, 2, 3]);
        bytes[..4].copy_from_slice(&[0x6b, 0x8a, 0xbc, 0xde]);
        bytes.push(0xff);
        let view = parse(&bytes).unwrap();
        assert_eq!((view.dscp(), view.ecn()), (0x2e, 0));
        assert_eq!(view.flow_label(), 0xabcde);
        assert_eq!(view.payload(), [1, 2, 3]);
        assert_eq!((view.src(), view.dst()), (address(1), address(2)));
        assert_eq!(view.repr().to_bytes(), bytes[..40]);
    }

    #[test]
    fn the_code_point_and_hop_limit_can_be_rewritten() {
        let mut bytes = packet(17, &[]);
        bytes[..4].copy_from_slice(&[0x6b, 0x9a, 0xbc, 0xde]);
        set_dscp(&mut bytes, 48);
        let view = parse(&bytes).unwrap();
        assert_eq!((view.dscp(), view.ecn()), (48, 1));
        assert_eq!(view.flow_label(), 0xabcde);
        assert_eq!(decrement_hop_limit(&mut bytes), Some(63));
        bytes[7] = 1;
        assert_eq!(decrement_hop_limit(&mut bytes), None);
    }

    #[test]
    fn extension_headers_are_walked_to_the_upper_layer() {
        // Hop-by-hop (8), fragment (8, offset 0, more), then UDP.
        let payload = [44, 0, 1, 4, 0, 0, 0, 0, 17, 0, 0, 1, 0, 0, 0, 9, 0xde, 0xad];
        let bytes = packet(0, &payload);
        let upper = parse(&bytes).unwrap().upper_layer().unwrap();
        assert_eq!((upper.protocol, upper.offset), (17, 56));
        let fragment = upper.fragment.unwrap();
        assert!(fragment.more && fragment.offset == 0 && fragment.identification == 9);
    }

    #[test]
    fn endless_and_cut_chains_are_refused() {
        let bytes = packet(60, &[60, 0, 0, 0, 0, 0, 0, 0].repeat(9));
        let fault = parse(&bytes).unwrap().upper_layer().unwrap_err();
        assert_eq!(fault, Malformed::TooDeep);
        let bytes = packet(60, &[17, 1, 0, 0, 0, 0, 0, 0]);
        let fault = parse(&bytes).unwrap().upper_layer().unwrap_err();
        assert_eq!(fault, Malformed::Truncated);
        assert_eq!(parse(&bytes[..47]).unwrap_err(), Malformed::Truncated);
        assert_eq!(parse(&[0x45; 40]).unwrap_err(), Malformed::Version);
    }
}
