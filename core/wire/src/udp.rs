//! UDP (RFC 768).

use std::net::IpAddr;

use crate::bytes;
use crate::{Malformed, checksum, protocol};

/// Bytes of a header.
pub const HEADER_LEN: usize = 8;

/// A checked datagram; its checksum is asked for apart.
#[derive(Clone, Copy, Debug)]
pub struct UdpView<'a> {
    bytes: &'a [u8],
}

/// Checks a datagram; bytes beyond its length field are left off.
///
/// # Errors
/// [`Malformed::Truncated`] when header or length exceed the bytes, [`Malformed::Length`] when the
/// length is below that of a header.
pub fn parse(bytes: &[u8]) -> Result<UdpView<'_>, Malformed> {
    if bytes.len() < HEADER_LEN {
        return Err(Malformed::Truncated);
    }
    let len = usize::from(bytes::u16_at(bytes, 4));
    if len < HEADER_LEN {
        return Err(Malformed::Length);
    }
    let bytes = bytes.get(..len).ok_or(Malformed::Truncated)?;
    Ok(UdpView { bytes })
}

impl<'a> UdpView<'a> {
    /// Source port.
    #[must_use]
    pub fn src_port(&self) -> u16 {
        bytes::u16_at(self.bytes, 0)
    }

    /// Destination port.
    #[must_use]
    pub fn dst_port(&self) -> u16 {
        bytes::u16_at(self.bytes, 2)
    }

    /// The checksum as it stands; 0 means none.
    #[must_use]
    pub fn checksum(&self) -> u16 {
        bytes::u16_at(self.bytes, 6)
    }

    /// The data.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        bytes::from(self.bytes, HEADER_LEN)
    }

    /// True when the checksum holds, or when there is none and the addresses are IPv4: over IPv6 it
    /// is required (RFC 8200 §8.1).
    #[must_use]
    pub fn is_checksum_valid(&self, src: IpAddr, dst: IpAddr) -> bool {
        if self.checksum() == 0 {
            return src.is_ipv4();
        }
        checksum::l4_checksum(src, dst, protocol::UDP, self.bytes) == 0
    }

    /// The header as a value.
    #[must_use]
    pub fn repr(&self) -> UdpRepr {
        UdpRepr {
            src_port: self.src_port(),
            dst_port: self.dst_port(),
        }
    }
}

/// A UDP header; length and checksum are computed when it is emitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UdpRepr {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
}

impl UdpRepr {
    /// Bytes of a datagram with `payload_len` bytes of data.
    #[must_use]
    pub const fn len(payload_len: usize) -> usize {
        payload_len.saturating_add(HEADER_LEN)
    }

    /// Appends header and data with the checksum of the given addresses.
    pub fn emit(&self, src: IpAddr, dst: IpAddr, payload: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        let len = bytes::len_u16(Self::len(payload.len()));
        for word in [self.src_port, self.dst_port, len, 0] {
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.extend_from_slice(payload);
        let datagram = out.get_mut(start..).unwrap_or(&mut []);
        fill_checksum(src, dst, datagram);
    }
}

/// Computes the checksum of a datagram and stores it.
pub fn fill_checksum(src: IpAddr, dst: IpAddr, datagram: &mut [u8]) {
    bytes::put(datagram, 6, &[0, 0]);
    let check = checksum::l4_checksum(src, dst, protocol::UDP, datagram);
    // A computed zero is sent as ones, because zero means none (RFC 768 "Fields").
    let check = if check == 0 { 0xffff } else { check };
    bytes::put(datagram, 6, &check.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 31));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 30));

    #[test]
    fn a_hand_summed_datagram_is_emitted_and_verified() {
        let mut out = Vec::new();
        let repr = UdpRepr {
            src_port: 20,
            dst_port: 10,
        };
        repr.emit(A, B, b"Hi", &mut out);
        // Pseudo-header, header and data, word by word.
        let sum = 0xc0a8_u32 * 2 + 0x1f + 0x1e + 0x11 + 0x0a + 0x14 + 0x0a + 0x0a + 0x4869;
        let folded = (sum & 0xffff) + (sum >> 16);
        let check = !u16::try_from(folded).unwrap();
        assert_eq!(out[6..8], check.to_be_bytes());
        let view = parse(&out).unwrap();
        assert!(view.is_checksum_valid(A, B));
        assert!(!view.is_checksum_valid(A, IpAddr::from([192, 168, 0, 29])));
        assert_eq!((view.repr(), view.payload()), (repr, &b"Hi"[..]));
    }

    #[test]
    fn a_checksum_that_sums_to_zero_is_sent_as_ones() {
        let repr = UdpRepr {
            src_port: 20,
            dst_port: 10,
        };
        let mut out = Vec::new();
        repr.emit(A, B, &[0, 0], &mut out);
        let filler = [out[6], out[7]];
        let mut out = Vec::new();
        repr.emit(A, B, &filler, &mut out);
        let view = parse(&out).unwrap();
        assert_eq!(view.checksum(), 0xffff);
        assert!(view.is_checksum_valid(A, B));
    }

    #[test]
    fn a_missing_checksum_is_accepted_over_ipv4_only() {
        let bytes = [0, 1, 0, 2, 0, 8, 0, 0];
        let view = parse(&bytes).unwrap();
        let six = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);
        assert!(view.is_checksum_valid(A, B));
        assert!(!view.is_checksum_valid(six, six));
    }

    #[test]
    fn wrong_lengths_are_refused() {
        assert_eq!(parse(&[0; 7]).unwrap_err(), Malformed::Truncated);
        let short = [0, 1, 0, 2, 0, 7, 0, 0];
        assert_eq!(parse(&short).unwrap_err(), Malformed::Length);
        let long = [0, 1, 0, 2, 0, 9, 0, 0];
        assert_eq!(parse(&long).unwrap_err(), Malformed::Truncated);
    }
}
