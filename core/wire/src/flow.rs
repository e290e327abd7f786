//! What filters, translators and ECMP need to know of an IP packet, read in one go.

use std::fmt;
use std::net::IpAddr;

use crate::bytes;
use crate::tcp::TcpFlags;
use crate::{Malformed, icmpv4, icmpv6, ipv4, ipv6, protocol, tcp};

/// The five values that tell one conversation from another. Ports are 0 for protocols without any.
/// For an ICMP echo both "ports" are its identifier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FiveTuple {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// IP protocol, behind any extension headers.
    pub protocol: u8,
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
}

impl FiveTuple {
    /// The tuple of the opposite direction.
    #[must_use]
    pub const fn reversed(&self) -> Self {
        Self {
            src: self.dst,
            dst: self.src,
            protocol: self.protocol,
            src_port: self.dst_port,
            dst_port: self.src_port,
        }
    }
}

/// `6 10.0.0.1:40000 -> 10.0.0.2:179`.
impl fmt::Display for FiveTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |address: IpAddr, port: u16| match address {
            IpAddr::V4(a) => format!("{a}:{port}"),
            IpAddr::V6(a) => format!("[{a}]:{port}"),
        };
        write!(
            f,
            "{} {} -> {}",
            self.protocol,
            end(self.src, self.src_port),
            end(self.dst, self.dst_port)
        )
    }
}

/// Which part of a packet this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fragment {
    /// The whole packet.
    Whole,
    /// The first fragment: it has the ports.
    First {
        /// Shared by the fragments of one packet.
        identification: u32,
    },
    /// A later fragment: it has no ports.
    Later {
        /// Shared by the fragments of one packet.
        identification: u32,
        /// Offset in bytes.
        offset: u16,
        /// False for the last one.
        more: bool,
    },
}

/// What one look at an IP packet tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PacketInfo {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// IP protocol, behind any extension headers.
    pub protocol: u8,
    /// Differentiated services code point.
    pub dscp: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Bytes of the packet without link padding, as its header states them.
    pub total_len: usize,
    /// Where the upper layer starts, from the first byte of the packet.
    pub l4_offset: usize,
    /// Which part of a packet this is.
    pub fragment: Fragment,
    /// Source port, echo identifier or 0. 0 in later fragments.
    pub src_port: u16,
    /// Destination port, echo identifier or 0. 0 in later fragments.
    pub dst_port: u16,
    /// TCP control bits; none for other protocols.
    pub tcp_flags: TcpFlags,
    /// ICMP type and code.
    pub icmp: Option<(u8, u8)>,
}

impl PacketInfo {
    /// The conversation; `None` for a later fragment, which does not say.
    #[must_use]
    pub const fn five_tuple(&self) -> Option<FiveTuple> {
        match self.fragment {
            Fragment::Whole | Fragment::First { .. } => Some(self.hash_tuple()),
            Fragment::Later { .. } => None,
        }
    }

    /// The tuple with ports 0 for any fragment, first or later, so that all fragments of a packet
    /// take the same path under ECMP.
    #[must_use]
    pub const fn ecmp_tuple(&self) -> FiveTuple {
        match self.fragment {
            Fragment::Whole => self.hash_tuple(),
            Fragment::First { .. } | Fragment::Later { .. } => FiveTuple {
                src_port: 0,
                dst_port: 0,
                ..self.hash_tuple()
            },
        }
    }

    const fn hash_tuple(&self) -> FiveTuple {
        FiveTuple {
            src: self.src,
            dst: self.dst,
            protocol: self.protocol,
            src_port: self.src_port,
            dst_port: self.dst_port,
        }
    }
}

/// Reads an IP packet of either version.
///
/// # Errors
/// As [`ipv4::parse`], [`ipv6::parse`] and [`ipv6::Ipv6View::upper_layer`];
/// [`Malformed::Version`] for other versions; [`Malformed::Truncated`] when a whole packet or first
/// fragment is too short for the ports its protocol has (RFC 1858 §3 drops these as well).
pub fn parse(packet: &[u8]) -> Result<PacketInfo, Malformed> {
    let mut info = match bytes::u8_at(packet, 0) >> 4 {
        4 => match packet.first_chunk() {
            Some(header) if header[0] == 0x45 => from_plain_ipv4(header, packet.len())?,
            Some(_) | None => from_ipv4(&ipv4::parse(packet)?),
        },
        6 => from_ipv6(&ipv6::parse(packet)?)?,
        _ if packet.is_empty() => return Err(Malformed::Truncated),
        _ => return Err(Malformed::Version),
    };
    let l4 = bytes::range(packet, info.l4_offset, info.total_len);
    read_ports(&mut info, l4)?;
    // The flags of a whole TCP header, which the quoted part of an error may lack.
    if info.protocol == protocol::TCP && !matches!(info.fragment, Fragment::Later { .. }) {
        if l4.len() < tcp::HEADER_LEN {
            return Err(Malformed::Truncated);
        }
        info.tcp_flags = TcpFlags(bytes::u8_at(l4, 13));
    }
    Ok(info)
}

/// The conversation of a packet; `None` for a later fragment or a malformed packet.
#[must_use]
pub fn five_tuple(packet: &[u8]) -> Option<FiveTuple> {
    parse(packet).ok()?.five_tuple()
}

/// The conversation that an ICMP error is about, as the offending packet was sent: a firewall
/// admits the error when it knows that conversation. `None` when `packet` is no ICMP error, or
/// quotes too little.
#[must_use]
pub fn related(packet: &[u8]) -> Option<FiveTuple> {
    let outer = parse(packet).ok()?;
    if outer.fragment != Fragment::Whole {
        return None;
    }
    let message = bytes::range(packet, outer.l4_offset, outer.total_len);
    let quote = match outer.protocol {
        protocol::ICMP => {
            let view = icmpv4::parse(message).ok()?;
            view.kind().is_error().then_some(view.payload())?
        }
        protocol::ICMPV6 => {
            let view = icmpv6::parse(message).ok()?;
            view.kind().is_error().then_some(view.payload())?
        }
        _ => return None,
    };
    let mut info = match bytes::u8_at(quote, 0) >> 4 {
        4 if outer.src.is_ipv4() => from_ipv4(&ipv4::parse_header(quote).ok()?),
        6 if outer.src.is_ipv6() => from_ipv6(&ipv6::parse_header(quote).ok()?).ok()?,
        _ => return None,
    };
    let l4 = bytes::from(quote, info.l4_offset);
    read_ports(&mut info, l4).ok()?;
    info.five_tuple()
}

/// As [`from_ipv4`] for a header without options, which nearly all are: every field at a fixed place.
fn from_plain_ipv4(header: &[u8; ipv4::HEADER_LEN], len: usize) -> Result<PacketInfo, Malformed> {
    let [
        _,
        tos,
        l0,
        l1,
        i0,
        i1,
        f0,
        f1,
        ttl,
        protocol,
        _,
        _,
        addresses @ ..,
    ] = *header;
    let [s0, s1, s2, s3, d0, d1, d2, d3] = addresses;
    let total_len = usize::from(u16::from_be_bytes([l0, l1]));
    if total_len < ipv4::HEADER_LEN {
        return Err(Malformed::Length);
    }
    if total_len > len {
        return Err(Malformed::Truncated);
    }
    let identification = u32::from(u16::from_be_bytes([i0, i1]));
    let more = f0 & 0x20 != 0;
    let offset = (u16::from_be_bytes([f0, f1]) & 0x1fff).wrapping_shl(3);
    Ok(PacketInfo {
        src: IpAddr::V4([s0, s1, s2, s3].into()),
        dst: IpAddr::V4([d0, d1, d2, d3].into()),
        protocol,
        dscp: tos >> 2,
        ttl,
        total_len,
        l4_offset: ipv4::HEADER_LEN,
        fragment: fragment(identification, offset, more),
        src_port: 0,
        dst_port: 0,
        tcp_flags: TcpFlags::default(),
        icmp: None,
    })
}

const fn fragment(identification: u32, offset: u16, more: bool) -> Fragment {
    match (offset, more) {
        (0, false) => Fragment::Whole,
        (0, true) => Fragment::First { identification },
        (offset, more) => Fragment::Later {
            identification,
            offset,
            more,
        },
    }
}

fn from_ipv4(ip: &ipv4::Ipv4View<'_>) -> PacketInfo {
    let identification = u32::from(ip.identification());
    PacketInfo {
        src: IpAddr::V4(ip.src()),
        dst: IpAddr::V4(ip.dst()),
        protocol: ip.protocol(),
        dscp: ip.dscp(),
        ttl: ip.ttl(),
        total_len: usize::from(ip.total_len()),
        l4_offset: ip.header_len(),
        fragment: fragment(identification, ip.fragment_offset(), ip.more_fragments()),
        src_port: 0,
        dst_port: 0,
        tcp_flags: TcpFlags::default(),
        icmp: None,
    }
}

fn from_ipv6(ip: &ipv6::Ipv6View<'_>) -> Result<PacketInfo, Malformed> {
    let upper = ip.upper_layer()?;
    let fragment = match upper.fragment {
        // An atomic fragment is a whole packet (RFC 6946 §4).
        None => Fragment::Whole,
        Some(f) if f.offset == 0 && !f.more => Fragment::Whole,
        Some(f) if f.offset == 0 => Fragment::First {
            identification: f.identification,
        },
        Some(f) => Fragment::Later {
            identification: f.identification,
            offset: f.offset,
            more: f.more,
        },
    };
    Ok(PacketInfo {
        src: IpAddr::V6(ip.src()),
        dst: IpAddr::V6(ip.dst()),
        protocol: upper.protocol,
        dscp: ip.dscp(),
        ttl: ip.hop_limit(),
        total_len: usize::from(ip.payload_len()).saturating_add(ipv6::HEADER_LEN),
        l4_offset: upper.offset,
        fragment,
        src_port: 0,
        dst_port: 0,
        tcp_flags: TcpFlags::default(),
        icmp: None,
    })
}

/// Ports, or ICMP type, code and echo identifier, from the first eight bytes of the upper layer.
fn read_ports(info: &mut PacketInfo, l4: &[u8]) -> Result<(), Malformed> {
    if matches!(info.fragment, Fragment::Later { .. }) {
        return Ok(());
    }
    let needs = match info.protocol {
        // DCCP, SCTP and UDP-Lite have their ports where TCP and UDP do.
        protocol::TCP | protocol::UDP | 33 | 132 | 136 | protocol::ICMP | protocol::ICMPV6 => 8,
        _ => return Ok(()),
    };
    if l4.len() < needs {
        return Err(Malformed::Truncated);
    }
    match info.protocol {
        protocol::ICMP | protocol::ICMPV6 => {
            let [kind, code] = bytes::array_at(l4, 0);
            info.icmp = Some((kind, code));
            let echo = match info.protocol {
                protocol::ICMP => matches!(kind, 0 | 8),
                _ => matches!(kind, 128 | 129),
            };
            if echo {
                info.src_port = bytes::u16_at(l4, 4);
                info.dst_port = info.src_port;
            }
        }
        _ => {
            info.src_port = bytes::u16_at(l4, 0);
            info.dst_port = bytes::u16_at(l4, 2);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::icmpv4::Icmpv4Kind;
    use crate::icmpv6::Icmpv6Kind;
    use crate::ipv4::Ipv4Repr;
    use crate::ipv6::Ipv6Repr;
    use crate::tcp::TcpRepr;
    use crate::udp::UdpRepr;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
    const A6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    const B6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);

    fn tcp_packet() -> Vec<u8> {
        let mut out = Vec::new();
        Ipv4Repr::new(A, B, protocol::TCP, 20).emit(&mut out);
        TcpRepr {
            src_port: 40000,
            dst_port: 179,
            seq: 0,
            ack: 0,
            flags: TcpFlags::SYN,
            window: 0,
            options: &[],
        }
        .emit(A.into(), B.into(), b"", &mut out);
        out
    }

    #[test]
    fn a_tcp_packet_tells_its_tuple_and_flags() {
        let packet = tcp_packet();
        let info = parse(&packet).unwrap();
        assert_eq!(info.tcp_flags, TcpFlags::SYN);
        assert_eq!((info.l4_offset, info.total_len), (20, 40));
        let tuple = info.five_tuple().unwrap();
        assert_eq!(tuple.to_string(), "6 10.0.0.1:40000 -> 10.0.0.2:179");
        assert_eq!(tuple.reversed().reversed(), tuple);
        assert_eq!(five_tuple(&packet), Some(tuple));
    }

    #[test]
    fn fragments_without_ports_say_so() {
        let fragment = |offset, more, len: usize| {
            let repr = Ipv4Repr {
                dont_fragment: false,
                more_fragments: more,
                fragment_offset: offset,
                identification: 77,
                ..Ipv4Repr::new(A, B, protocol::UDP, len)
            };
            let mut out = repr.to_bytes().to_vec();
            out.resize(20 + len, 9);
            parse(&out)
        };
        let first = fragment(0, true, 16).unwrap();
        assert_eq!(first.fragment, Fragment::First { identification: 77 });
        assert_eq!(first.five_tuple().unwrap().src_port, 0x0909);
        let later = fragment(16, false, 16).unwrap();
        assert_eq!(later.five_tuple(), None);
        assert_eq!(first.ecmp_tuple(), later.ecmp_tuple());
        assert_eq!(fragment(0, true, 7), Err(Malformed::Truncated));
        assert!(fragment(8, true, 1).is_ok());
    }

    #[test]
    fn an_echo_has_its_identifier_for_ports_both_ways() {
        let kind = Icmpv4Kind::EchoRequest {
            identifier: 99,
            sequence: 1,
        };
        let request = icmpv4::packet(A, B, kind, b"");
        let there = five_tuple(&request).unwrap();
        assert_eq!((there.src_port, there.dst_port), (99, 99));
        let back = five_tuple(&icmpv4::echo_reply(&request).unwrap()).unwrap();
        assert_eq!(back, there.reversed());
        assert_eq!(parse(&request).unwrap().icmp, Some((8, 0)));
    }

    #[test]
    fn an_icmp_error_tells_the_conversation_it_is_about() {
        let offending = tcp_packet();
        let kind = Icmpv4Kind::TimeExceeded { code: 0 };
        let error = icmpv4::error_packet(B, kind, &offending).unwrap();
        assert_eq!(related(&error), five_tuple(&offending));
        assert_eq!(related(&offending), None);
        // The least a router may quote: header and eight bytes.
        let short = icmpv4::packet(B, A, kind, &offending[..28]);
        assert_eq!(related(&short), five_tuple(&offending));
        assert_eq!(related(&icmpv4::packet(B, A, kind, &offending[..27])), None);
    }

    #[test]
    fn ipv6_is_read_alike() {
        let mut offending = Vec::new();
        Ipv6Repr::new(A6, B6, protocol::UDP, 10).emit(&mut offending);
        let udp = UdpRepr {
            src_port: 5,
            dst_port: 6,
        };
        udp.emit(A6.into(), B6.into(), b"hi", &mut offending);
        let tuple = five_tuple(&offending).unwrap();
        assert_eq!(tuple.to_string(), "17 [2001:db8::1]:5 -> [2001:db8::2]:6");
        let kind = Icmpv6Kind::PacketTooBig { mtu: 1280 };
        let error = icmpv6::error_packet(B6, kind, &offending).unwrap();
        assert_eq!(related(&error), Some(tuple));
    }
}
