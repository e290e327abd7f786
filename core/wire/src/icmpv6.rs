//! `ICMPv6` (RFC 4443): echo and errors. Neighbour discovery is in [`crate::nd`].

use std::net::{IpAddr, Ipv6Addr};

use crate::bytes;
use crate::ipv6::{self, Ipv6Repr};
use crate::{Malformed, checksum, protocol};

/// Bytes in front of a message's data.
pub const HEADER_LEN: usize = 8;

/// Codes of "destination unreachable" (RFC 4443 §3.1).
pub mod unreachable {
    /// No route.
    pub const NO_ROUTE: u8 = 0;
    /// Administratively prohibited.
    pub const ADMIN_PROHIBITED: u8 = 1;
    /// The address does not answer.
    pub const ADDRESS: u8 = 3;
    /// Nobody listens on the port.
    pub const PORT: u8 = 4;
}

/// What a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Icmpv6Kind {
    /// Type 128.
    EchoRequest {
        /// Chosen by the pinger.
        identifier: u16,
        /// Counts the requests.
        sequence: u16,
    },
    /// Type 129.
    EchoReply {
        /// Copied from the request.
        identifier: u16,
        /// Copied from the request.
        sequence: u16,
    },
    /// Type 1.
    Unreachable {
        /// One of [`mod@unreachable`].
        code: u8,
    },
    /// Type 2.
    PacketTooBig {
        /// The MTU of the link ahead.
        mtu: u32,
    },
    /// Type 3: code 0 in transit, code 1 in reassembly.
    TimeExceeded {
        /// Where time ran out.
        code: u8,
    },
    /// Anything else.
    Other {
        /// The type.
        kind: u8,
        /// The code.
        code: u8,
        /// The four bytes behind the checksum.
        rest: [u8; 4],
    },
}

impl Icmpv6Kind {
    /// True for error messages: types below 128 (RFC 4443 §2.1).
    #[must_use]
    pub const fn is_error(&self) -> bool {
        let (kind, _, _) = self.wire();
        kind < 128
    }

    /// Type, code and the four bytes behind the checksum.
    const fn wire(self) -> (u8, u8, [u8; 4]) {
        match self {
            Self::EchoRequest {
                identifier,
                sequence,
            } => (128, 0, bytes::pair(identifier, sequence)),
            Self::EchoReply {
                identifier,
                sequence,
            } => (129, 0, bytes::pair(identifier, sequence)),
            Self::Unreachable { code } => (1, code, [0; 4]),
            Self::PacketTooBig { mtu } => (2, 0, mtu.to_be_bytes()),
            Self::TimeExceeded { code } => (3, code, [0; 4]),
            Self::Other { kind, code, rest } => (kind, code, rest),
        }
    }
}

/// A checked message; its checksum is asked for apart.
#[derive(Clone, Copy, Debug)]
pub struct Icmpv6View<'a> {
    bytes: &'a [u8],
}

/// Checks a message (the upper layer of an IP packet).
///
/// # Errors
/// [`Malformed::Truncated`] below eight bytes.
pub fn parse(bytes: &[u8]) -> Result<Icmpv6View<'_>, Malformed> {
    if bytes.len() < HEADER_LEN {
        return Err(Malformed::Truncated);
    }
    Ok(Icmpv6View { bytes })
}

impl<'a> Icmpv6View<'a> {
    /// The type.
    #[must_use]
    pub fn kind_u8(&self) -> u8 {
        bytes::u8_at(self.bytes, 0)
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> u8 {
        bytes::u8_at(self.bytes, 1)
    }

    /// What the message is.
    #[must_use]
    pub fn kind(&self) -> Icmpv6Kind {
        let (identifier, sequence) = (bytes::u16_at(self.bytes, 4), bytes::u16_at(self.bytes, 6));
        match (self.kind_u8(), self.code()) {
            (128, 0) => Icmpv6Kind::EchoRequest {
                identifier,
                sequence,
            },
            (129, 0) => Icmpv6Kind::EchoReply {
                identifier,
                sequence,
            },
            (1, code) => Icmpv6Kind::Unreachable { code },
            // The code of "too big" is ignored by the receiver (RFC 4443 §3.2).
            (2, _) => Icmpv6Kind::PacketTooBig {
                mtu: bytes::u32_at(self.bytes, 4),
            },
            (3, code) => Icmpv6Kind::TimeExceeded { code },
            (kind, code) => Icmpv6Kind::Other {
                kind,
                code,
                rest: bytes::array_at(self.bytes, 4),
            },
        }
    }

    /// What follows the first eight bytes: echo data, or the packet an error quotes.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        bytes::from(self.bytes, HEADER_LEN)
    }

    /// True when the checksum holds for the given addresses.
    #[must_use]
    pub fn is_checksum_valid(&self, src: Ipv6Addr, dst: Ipv6Addr) -> bool {
        is_checksum_valid(src, dst, self.bytes)
    }
}

pub(crate) fn is_checksum_valid(src: Ipv6Addr, dst: Ipv6Addr, message: &[u8]) -> bool {
    let (src, dst) = (IpAddr::V6(src), IpAddr::V6(dst));
    checksum::l4_checksum(src, dst, protocol::ICMPV6, message) == 0
}

/// Computes the checksum of a message and stores it.
pub fn fill_checksum(src: Ipv6Addr, dst: Ipv6Addr, message: &mut [u8]) {
    bytes::put(message, 2, &[0, 0]);
    let (src, dst) = (IpAddr::V6(src), IpAddr::V6(dst));
    let check = checksum::l4_checksum(src, dst, protocol::ICMPV6, message);
    bytes::put(message, 2, &check.to_be_bytes());
}

/// Appends a message with its checksum.
pub fn emit(kind: Icmpv6Kind, src: Ipv6Addr, dst: Ipv6Addr, payload: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let (kind, code, rest) = kind.wire();
    out.extend_from_slice(&[kind, code, 0, 0]);
    out.extend_from_slice(&rest);
    out.extend_from_slice(payload);
    fill_checksum(src, dst, out.get_mut(start..).unwrap_or(&mut []));
}

/// The whole IP packet of a message with hop limit 64.
#[must_use]
pub fn packet(src: Ipv6Addr, dst: Ipv6Addr, kind: Icmpv6Kind, payload: &[u8]) -> Vec<u8> {
    let len = payload.len().saturating_add(HEADER_LEN);
    let repr = Ipv6Repr::new(src, dst, protocol::ICMPV6, len);
    let mut out = Vec::with_capacity(len.saturating_add(ipv6::HEADER_LEN));
    repr.emit(&mut out);
    emit(kind, src, dst, payload, &mut out);
    out
}

/// The whole IP packet that answers an echo request in `request`; `None` when it is no valid echo
/// request to a single host.
#[must_use]
pub fn echo_reply(request: &[u8]) -> Option<Vec<u8>> {
    let ip = ipv6::parse(request).ok()?;
    let upper = ip.upper_layer().ok()?;
    if upper.protocol != protocol::ICMPV6 || upper.fragment.is_some() || ip.dst().is_multicast() {
        return None;
    }
    let message = parse(bytes::from(ip.bytes(), upper.offset)).ok()?;
    let Icmpv6Kind::EchoRequest {
        identifier,
        sequence,
    } = message.kind()
    else {
        return None;
    };
    if !message.is_checksum_valid(ip.src(), ip.dst()) {
        return None;
    }
    let reply = Icmpv6Kind::EchoReply {
        identifier,
        sequence,
    };
    Some(packet(ip.dst(), ip.src(), reply, message.payload()))
}

/// The whole IP packet from `src` that reports `kind` to the sender of `offending` (a whole IP
/// packet), quoting as much as fits the minimum MTU of 1280 (RFC 4443 §2.4(c)). `None` where no
/// error may be sent (§2.4(e)): about an `ICMPv6` error or a redirect, a packet to many unless `kind`
/// is "too big", one whose source is no single host; or when it is no IPv6 packet.
#[must_use]
pub fn error_packet(src: Ipv6Addr, kind: Icmpv6Kind, offending: &[u8]) -> Option<Vec<u8>> {
    const REDIRECT: u8 = 137;
    let ip = ipv6::parse(offending).ok()?;
    let from = ip.src();
    let too_big = matches!(kind, Icmpv6Kind::PacketTooBig { .. });
    if from.is_unspecified() || from.is_multicast() || (ip.dst().is_multicast() && !too_big) {
        return None;
    }
    let upper = ip.upper_layer().ok()?;
    let later_fragment = upper.fragment.is_some_and(|f| f.offset != 0);
    if upper.protocol == protocol::ICMPV6 && !later_fragment {
        let message = parse(bytes::from(ip.bytes(), upper.offset)).ok()?;
        if message.kind().is_error() || message.kind_u8() == REDIRECT {
            return None;
        }
    }
    let quote_max = ipv6::MTU_MIN.saturating_sub(ipv6::HEADER_LEN.saturating_add(HEADER_LEN));
    let quote = ip.bytes().get(..quote_max).unwrap_or_else(|| ip.bytes());
    Some(packet(src, from, kind, quote))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u16) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)
    }

    const PING: Icmpv6Kind = Icmpv6Kind::EchoRequest {
        identifier: 1,
        sequence: 2,
    };

    #[test]
    fn an_echo_request_is_answered_with_its_data() {
        let request = packet(address(1), address(2), PING, b"hello");
        let reply = echo_reply(&request).unwrap();
        let ip = ipv6::parse(&reply).unwrap();
        assert_eq!((ip.src(), ip.dst()), (address(2), address(1)));
        let message = parse(ip.payload()).unwrap();
        assert!(message.is_checksum_valid(ip.src(), ip.dst()));
        assert!(!message.is_checksum_valid(ip.src(), address(3)));
        assert_eq!(message.payload(), b"hello");
        assert_eq!(echo_reply(&reply), None);
    }

    #[test]
    fn too_big_carries_the_mtu_and_fits_the_minimum_mtu() {
        let offending = packet(address(1), address(2), PING, &[7; 3000]);
        let kind = Icmpv6Kind::PacketTooBig { mtu: 1436 };
        let error = error_packet(address(9), kind, &offending).unwrap();
        assert_eq!(error.len(), 1280);
        let ip = ipv6::parse(&error).unwrap();
        let message = parse(ip.payload()).unwrap();
        assert!(message.is_checksum_valid(ip.src(), ip.dst()));
        assert_eq!(message.kind(), kind);
        assert_eq!(message.payload(), &offending[..1232]);
        assert_eq!(error_packet(address(9), kind, &error), None);
    }

    #[test]
    fn no_error_is_sent_to_many_or_to_nobody() {
        let exceeded = Icmpv6Kind::TimeExceeded { code: 0 };
        let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
        let to_many = packet(address(1), group, PING, b"");
        assert_eq!(error_packet(address(9), exceeded, &to_many), None);
        let too_big = Icmpv6Kind::PacketTooBig { mtu: 1280 };
        assert!(error_packet(address(9), too_big, &to_many).is_some());
        let from_nobody = packet(Ipv6Addr::UNSPECIFIED, address(2), PING, b"");
        assert_eq!(error_packet(address(9), exceeded, &from_nobody), None);
    }
}
