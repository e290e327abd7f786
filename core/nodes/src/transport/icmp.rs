//! ICMP errors about connections (RFC 5927: believed only when they quote what is in flight).

use std::net::{IpAddr, SocketAddr};

use skybridge_wire::icmpv4::Icmpv4Kind;
use skybridge_wire::icmpv6::Icmpv6Kind;
use skybridge_wire::{icmpv4, icmpv6, ipv4, ipv6, protocol};

use super::packet::Ingress;

/// What an error says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Meaning {
    /// A packet was too big; 0 when the router did not say what fits.
    TooBig { mtu: u16 },
    /// The destination cannot be reached.
    Unreachable,
}

/// An error about a segment that we sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Report {
    pub(super) meaning: Meaning,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    /// Sequence number of the quoted segment.
    pub(super) seq: u32,
    /// Length of the quoted packet.
    pub(super) packet_len: u16,
}

/// Reads an ICMP message; `None` when it is no error about a segment, or its checksum is wrong.
pub(super) fn report(ingress: &Ingress<'_>) -> Option<Report> {
    match (ingress.src, ingress.dst, ingress.protocol) {
        (IpAddr::V4(_), _, protocol::ICMP) => report_v4(ingress.l4),
        (IpAddr::V6(src), IpAddr::V6(dst), protocol::ICMPV6) => {
            let view = icmpv6::parse(ingress.l4).ok()?;
            if !view.is_checksum_valid(src, dst) {
                return None;
            }
            let meaning = match view.kind() {
                Icmpv6Kind::PacketTooBig { mtu } => Meaning::TooBig {
                    mtu: u16::try_from(mtu).unwrap_or(u16::MAX),
                },
                Icmpv6Kind::Unreachable { .. } => Meaning::Unreachable,
                Icmpv6Kind::EchoRequest { .. }
                | Icmpv6Kind::EchoReply { .. }
                | Icmpv6Kind::TimeExceeded { .. }
                | Icmpv6Kind::Other { .. } => return None,
            };
            let quoted = ipv6::parse_header(view.payload()).ok()?;
            if quoted.next_header() != protocol::TCP {
                return None;
            }
            let segment = view.payload().get(ipv6::HEADER_LEN..)?;
            let packet_len = quoted.payload_len().saturating_add(40);
            let ends = (quoted.src().into(), quoted.dst().into());
            quote(meaning, ends, segment, packet_len)
        }
        _ => None,
    }
}

fn report_v4(message: &[u8]) -> Option<Report> {
    let view = icmpv4::parse(message).ok()?;
    if !view.is_checksum_valid() {
        return None;
    }
    let meaning = match view.kind() {
        Icmpv4Kind::Unreachable {
            code: icmpv4::unreachable::FRAGMENTATION_NEEDED,
            next_hop_mtu,
        } => Meaning::TooBig { mtu: next_hop_mtu },
        Icmpv4Kind::Unreachable { .. } => Meaning::Unreachable,
        Icmpv4Kind::EchoRequest { .. }
        | Icmpv4Kind::EchoReply { .. }
        | Icmpv4Kind::TimeExceeded { .. }
        | Icmpv4Kind::Other { .. } => return None,
    };
    let quoted = ipv4::parse_header(view.payload()).ok()?;
    if quoted.protocol() != protocol::TCP || quoted.fragment_offset() != 0 {
        return None;
    }
    let segment = view.payload().get(quoted.header_len()..)?;
    let ends = (quoted.src().into(), quoted.dst().into());
    quote(meaning, ends, segment, quoted.total_len())
}

fn quote(
    meaning: Meaning,
    (src, dst): (IpAddr, IpAddr),
    segment: &[u8],
    packet_len: u16,
) -> Option<Report> {
    // RFC 792 quotes at least 64 bits: ports and sequence number.
    let [a, b, c, d, e, f, g, h] = *segment.first_chunk::<8>()?;
    Some(Report {
        meaning,
        local: SocketAddr::new(src, u16::from_be_bytes([a, b])),
        remote: SocketAddr::new(dst, u16::from_be_bytes([c, d])),
        seq: u32::from_be_bytes([e, f, g, h]),
        packet_len,
    })
}
