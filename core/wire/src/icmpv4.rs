//! ICMP for IPv4 (RFC 792; next-hop MTU of RFC 1191; error rules of RFC 1122 and RFC 1812).

use std::net::Ipv4Addr;

use crate::bytes;
use crate::ipv4::{self, Ipv4Repr};
use crate::{Malformed, checksum, protocol};

/// Bytes in front of a message's data.
pub const HEADER_LEN: usize = 8;

/// The longest error packet, IP header included (RFC 1812 §4.3.2.3).
pub const ERROR_LEN_MAX: usize = 576;

/// Codes of "destination unreachable" (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1).
pub mod unreachable {
    /// No route to the network.
    pub const NET: u8 = 0;
    /// The host does not answer.
    pub const HOST: u8 = 1;
    /// The host does not speak the protocol.
    pub const PROTOCOL: u8 = 2;
    /// Nobody listens on the port.
    pub const PORT: u8 = 3;
    /// Fragmentation needed and DF set.
    pub const FRAGMENTATION_NEEDED: u8 = 4;
    /// Administratively prohibited.
    pub const ADMIN_PROHIBITED: u8 = 13;
}

/// What a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Icmpv4Kind {
    /// Type 8.
    EchoRequest {
        /// Chosen by the pinger.
        identifier: u16,
        /// Counts the requests.
        sequence: u16,
    },
    /// Type 0.
    EchoReply {
        /// Copied from the request.
        identifier: u16,
        /// Copied from the request.
        sequence: u16,
    },
    /// Type 3.
    Unreachable {
        /// One of [`mod@unreachable`].
        code: u8,
        /// The next hop's MTU with code 4, else 0 (RFC 1191 §4).
        next_hop_mtu: u16,
    },
    /// Type 11: code 0 in transit, code 1 in reassembly.
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

impl Icmpv4Kind {
    /// True for messages that report about another packet (RFC 1122 §3.2.2): such a message is
    /// never answered with an error.
    #[must_use]
    pub const fn is_error(&self) -> bool {
        match self {
            Self::EchoRequest { .. } | Self::EchoReply { .. } => false,
            Self::Unreachable { .. } | Self::TimeExceeded { .. } => true,
            // Source quench, redirect, parameter problem.
            Self::Other { kind, .. } => matches!(kind, 4 | 5 | 12),
        }
    }

    /// Type, code and the four bytes behind the checksum.
    const fn wire(self) -> (u8, u8, [u8; 4]) {
        match self {
            Self::EchoRequest {
                identifier,
                sequence,
            } => (8, 0, bytes::pair(identifier, sequence)),
            Self::EchoReply {
                identifier,
                sequence,
            } => (0, 0, bytes::pair(identifier, sequence)),
            Self::Unreachable { code, next_hop_mtu } => (3, code, bytes::pair(0, next_hop_mtu)),
            Self::TimeExceeded { code } => (11, code, [0; 4]),
            Self::Other { kind, code, rest } => (kind, code, rest),
        }
    }
}

/// A checked message; its checksum is asked for apart.
#[derive(Clone, Copy, Debug)]
pub struct Icmpv4View<'a> {
    bytes: &'a [u8],
}

/// Checks a message (the payload of an IP packet).
///
/// # Errors
/// [`Malformed::Truncated`] below eight bytes.
pub fn parse(bytes: &[u8]) -> Result<Icmpv4View<'_>, Malformed> {
    if bytes.len() < HEADER_LEN {
        return Err(Malformed::Truncated);
    }
    Ok(Icmpv4View { bytes })
}

impl<'a> Icmpv4View<'a> {
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
    pub fn kind(&self) -> Icmpv4Kind {
        let (identifier, sequence) = (bytes::u16_at(self.bytes, 4), bytes::u16_at(self.bytes, 6));
        match (self.kind_u8(), self.code()) {
            (8, 0) => Icmpv4Kind::EchoRequest {
                identifier,
                sequence,
            },
            (0, 0) => Icmpv4Kind::EchoReply {
                identifier,
                sequence,
            },
            (3, code) => Icmpv4Kind::Unreachable {
                code,
                next_hop_mtu: if code == unreachable::FRAGMENTATION_NEEDED {
                    sequence
                } else {
                    0
                },
            },
            (11, code) => Icmpv4Kind::TimeExceeded { code },
            (kind, code) => Icmpv4Kind::Other {
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

    /// True when the checksum holds.
    #[must_use]
    pub fn is_checksum_valid(&self) -> bool {
        checksum::checksum(self.bytes) == 0
    }
}

/// Appends a message with its checksum.
pub fn emit(kind: Icmpv4Kind, payload: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let (kind, code, rest) = kind.wire();
    out.extend_from_slice(&[kind, code, 0, 0]);
    out.extend_from_slice(&rest);
    out.extend_from_slice(payload);
    let message = out.get_mut(start..).unwrap_or(&mut []);
    let check = checksum::checksum(message);
    bytes::put(message, 2, &check.to_be_bytes());
}

/// The whole IP packet of a message with TTL 64 and no DF.
#[must_use]
pub fn packet(src: Ipv4Addr, dst: Ipv4Addr, kind: Icmpv4Kind, payload: &[u8]) -> Vec<u8> {
    let repr = Ipv4Repr {
        dont_fragment: false,
        ..Ipv4Repr::new(
            src,
            dst,
            protocol::ICMP,
            payload.len().saturating_add(HEADER_LEN),
        )
    };
    let mut out = Vec::with_capacity(repr.payload_len.saturating_add(ipv4::HEADER_LEN));
    repr.emit(&mut out);
    emit(kind, payload, &mut out);
    out
}

/// The whole IP packet that answers an echo request in `request`, with source and destination
/// exchanged; `None` when it is no valid echo request to a single host.
#[must_use]
pub fn echo_reply(request: &[u8]) -> Option<Vec<u8>> {
    let ip = ipv4::parse(request).ok()?;
    let single = !ip.dst().is_multicast() && !ip.dst().is_broadcast();
    if ip.protocol() != protocol::ICMP || ip.is_fragment() || !single {
        return None;
    }
    let message = parse(ip.payload()).ok()?;
    let Icmpv4Kind::EchoRequest {
        identifier,
        sequence,
    } = message.kind()
    else {
        return None;
    };
    if !message.is_checksum_valid() {
        return None;
    }
    let reply = Icmpv4Kind::EchoReply {
        identifier,
        sequence,
    };
    let mut out = packet(ip.dst(), ip.src(), reply, message.payload());
    // The reply keeps the request's type of service (RFC 1122 §3.2.1.6).
    ipv4::set_dscp(&mut out, ip.dscp());
    Some(out)
}

/// The whole IP packet from `src` that reports `kind` to the sender of `offending` (a whole IP
/// packet), quoting as much as fits 576 bytes (RFC 1812 §4.3.2.3), at precedence 6 (§4.3.2.5).
/// `None` where no error may be sent (RFC 1812 §4.3.2.7): about an ICMP error, a later fragment,
/// a packet to many, or one whose source is no single host; or when it is no IPv4 packet. Link-layer
/// broadcasts are the caller's to exclude.
#[must_use]
pub fn error_packet(src: Ipv4Addr, kind: Icmpv4Kind, offending: &[u8]) -> Option<Vec<u8>> {
    let ip = ipv4::parse(offending).ok()?;
    let from = ip.src();
    let to_many = ip.dst().is_multicast() || ip.dst().is_broadcast();
    let from_nobody = from.is_unspecified()
        || from.is_multicast()
        || from.is_broadcast()
        || from.is_loopback()
        || from.octets().first().is_some_and(|first| *first >= 240);
    if to_many || from_nobody || ip.fragment_offset() != 0 {
        return None;
    }
    if ip.protocol() == protocol::ICMP {
        // A message too short to tell counts as an error.
        let message = parse(ip.payload()).ok()?;
        if message.kind().is_error() {
            return None;
        }
    }
    let quote_max = ERROR_LEN_MAX.saturating_sub(ipv4::HEADER_LEN.saturating_add(HEADER_LEN));
    let quote = ip.bytes().get(..quote_max).unwrap_or_else(|| ip.bytes());
    let mut out = packet(src, from, kind, quote);
    ipv4::set_dscp(&mut out, ipv4::DSCP_CS6);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
    const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 9);

    const PING: Icmpv4Kind = Icmpv4Kind::EchoRequest {
        identifier: 0x1234,
        sequence: 7,
    };

    fn big_udp(len: usize) -> Vec<u8> {
        let mut out = Vec::new();
        Ipv4Repr::new(A, B, 17, len).emit(&mut out);
        out.resize(len + 20, 0x55);
        out
    }

    #[test]
    fn a_hand_written_echo_request_is_emitted() {
        let mut out = Vec::new();
        emit(PING, &[0xab, 0xcd], &mut out);
        // 0800 + 1234 + 0007 + abcd = c608; inverted 39f7.
        assert_eq!(out, [8, 0, 0x39, 0xf7, 0x12, 0x34, 0, 7, 0xab, 0xcd]);
        let view = parse(&out).unwrap();
        assert!(view.is_checksum_valid());
        assert_eq!(view.kind(), PING);
    }

    #[test]
    fn an_echo_request_is_answered_with_its_data() {
        let request = packet(A, B, PING, b"hello");
        let reply = echo_reply(&request).unwrap();
        let ip = ipv4::parse(&reply).unwrap();
        assert_eq!((ip.src(), ip.dst()), (B, A));
        let message = parse(ip.payload()).unwrap();
        assert!(message.is_checksum_valid() && ip.is_checksum_valid());
        assert_eq!(message.payload(), b"hello");
        assert_eq!(echo_reply(&reply), None);
        let mut broken = request;
        *broken.last_mut().unwrap() ^= 1;
        assert_eq!(echo_reply(&broken), None);
    }

    #[test]
    fn fragmentation_needed_carries_the_mtu_and_quotes_up_to_576_bytes() {
        let offending = big_udp(3000);
        let kind = Icmpv4Kind::Unreachable {
            code: unreachable::FRAGMENTATION_NEEDED,
            next_hop_mtu: 1436,
        };
        let error = error_packet(ROUTER, kind, &offending).unwrap();
        assert_eq!(error.len(), ERROR_LEN_MAX);
        let ip = ipv4::parse(&error).unwrap();
        assert!(ip.is_checksum_valid());
        assert_eq!((ip.src(), ip.dst(), ip.dscp()), (ROUTER, A, 48));
        let message = parse(ip.payload()).unwrap();
        assert_eq!(message.kind(), kind);
        assert_eq!(message.payload(), &offending[..548]);
    }

    #[test]
    fn no_error_is_sent_where_the_router_requirements_forbid_it() {
        let kind = Icmpv4Kind::TimeExceeded { code: 0 };
        let good = big_udp(100);
        assert!(error_packet(ROUTER, kind, &good).is_some());
        let error = error_packet(ROUTER, kind, &good).unwrap();
        assert_eq!(error_packet(ROUTER, kind, &error), None);
        assert!(error_packet(ROUTER, kind, &packet(A, B, PING, b"")).is_some());
        let from = |src: [u8; 4], dst: [u8; 4]| {
            let mut packet = good.clone();
            ipv4::set_src(&mut packet, src.into());
            ipv4::set_dst(&mut packet, dst.into());
            error_packet(ROUTER, kind, &packet)
        };
        for src in [
            [0; 4],
            [127, 0, 0, 1],
            [224, 0, 0, 1],
            [255; 4],
            [241, 0, 0, 1],
        ] {
            assert_eq!(from(src, [10, 0, 0, 2]), None);
        }
        assert_eq!(from([10, 0, 0, 1], [224, 0, 0, 5]), None);
        let later = Ipv4Repr {
            fragment_offset: 8,
            ..Ipv4Repr::new(A, B, 17, 0)
        };
        assert_eq!(error_packet(ROUTER, kind, &later.to_bytes()), None);
    }
}
