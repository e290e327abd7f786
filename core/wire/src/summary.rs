//! A frame in one line, for people who watch traffic go by.

use std::fmt::{self, Display, Formatter};

use crate::arp::{self, ArpOperation};
use crate::{EtherType, Fragment, PacketInfo, Tags, bfd, ethernet, flow, icmpv4, icmpv6, ipv4};
use crate::{ipv6, protocol, tcp, udp};

/// The well-known BGP port.
const BGP_PORT: u16 = 179;
/// Octets of the marker and length in front of a BGP message's type (RFC 4271 §4.1).
const BGP_TYPE_AT: usize = 18;

/// A whole Ethernet frame, shown as its tags, addresses and what it carries. What cannot be read is shown
/// as far as it could be.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a>(pub &'a [u8]);

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Ok(view) = ethernet::parse(self.0) else {
            return write!(f, "malformed frame, {} octets", self.0.len());
        };
        match view.tags() {
            Tags::Untagged => {}
            Tags::One(tag) => write!(f, "[{}] ", tag.vid)?,
            Tags::Two(outer, inner) => write!(f, "[S {} C {}] ", outer.vid, inner.vid)?,
        }
        let payload = view.payload();
        match view.ethertype() {
            EtherType::ARP => arp_line(f, payload)?,
            EtherType::IPV4 | EtherType::IPV6 => packet_line(f, payload)?,
            other => write!(f, "{} > {} type 0x{:04x}", view.src(), view.dst(), other.0)?,
        }
        write!(f, ", {} octets", self.0.len())
    }
}

fn arp_line(f: &mut Formatter<'_>, payload: &[u8]) -> fmt::Result {
    match arp::parse(payload) {
        Ok(arp) if arp.is_gratuitous() => {
            write!(
                f,
                "ARP {} is at {}, announced",
                arp.sender_ip, arp.sender_mac
            )
        }
        Ok(arp) => match arp.operation {
            ArpOperation::Request => {
                write!(f, "ARP who has {}, asks {}", arp.target_ip, arp.sender_ip)
            }
            ArpOperation::Reply => {
                write!(f, "ARP {} is at {}", arp.sender_ip, arp.sender_mac)
            }
        },
        Err(_) => f.write_str("ARP, malformed"),
    }
}

fn packet_line(f: &mut Formatter<'_>, packet: &[u8]) -> fmt::Result {
    let Ok(info) = flow::parse(packet) else {
        return f.write_str("IP, malformed");
    };
    let upper = packet.get(info.l4_offset..info.total_len).unwrap_or(&[]);
    let with_ports = matches!(info.protocol, protocol::TCP | protocol::UDP)
        && !matches!(info.fragment, Fragment::Later { .. });
    if with_ports {
        let src = std::net::SocketAddr::new(info.src, info.src_port);
        let dst = std::net::SocketAddr::new(info.dst, info.dst_port);
        write!(f, "{src} > {dst} ")?;
    } else {
        write!(f, "{} > {} ", info.src, info.dst)?;
    }
    match info.fragment {
        Fragment::Later { offset, .. } => {
            return write!(f, "protocol {} fragment at {offset}", info.protocol);
        }
        Fragment::First { .. } => f.write_str("first fragment of ")?,
        Fragment::Whole => {}
    }
    match info.protocol {
        protocol::TCP => tcp_line(f, &info, upper)?,
        protocol::UDP => udp_line(f, &info, upper)?,
        protocol::ICMP => icmpv4_line(f, upper)?,
        protocol::ICMPV6 => icmpv6_line(f, upper)?,
        other => write!(f, "protocol {other}")?,
    }
    write!(f, ", TTL {}", info.ttl)
}

fn tcp_line(f: &mut Formatter<'_>, info: &PacketInfo, segment: &[u8]) -> fmt::Result {
    let Ok(view) = tcp::parse(segment) else {
        return f.write_str("TCP, cut short");
    };
    let len = view.payload().len();
    write!(
        f,
        "TCP {} seq {} ack {}",
        view.flags(),
        view.seq(),
        view.ack()
    )?;
    write!(f, " win {} len {len}", view.window())?;
    if len > 0 && (info.src_port == BGP_PORT || info.dst_port == BGP_PORT) {
        // RFC 4271 §4.1; a message that begins in the middle of a segment is not looked for.
        let name = match view.payload().get(BGP_TYPE_AT) {
            Some(1) => "OPEN",
            Some(2) => "UPDATE",
            Some(3) => "NOTIFICATION",
            Some(4) => "KEEPALIVE",
            Some(5) => "ROUTE-REFRESH",
            Some(_) | None => return Ok(()),
        };
        let begins_there = view.payload().iter().take(16).all(|octet| *octet == 0xff);
        if begins_there {
            write!(f, " BGP {name}")?;
        }
    }
    Ok(())
}

fn udp_line(f: &mut Formatter<'_>, info: &PacketInfo, datagram: &[u8]) -> fmt::Result {
    let Ok(view) = udp::parse(datagram) else {
        return f.write_str("UDP, cut short");
    };
    write!(f, "UDP len {}", view.payload().len())?;
    if info.dst_port == bfd::SINGLE_HOP_PORT
        && let Ok(control) = bfd::parse(view.payload())
    {
        write!(f, " BFD {}", control.state)?;
    }
    Ok(())
}

fn icmpv4_line(f: &mut Formatter<'_>, message: &[u8]) -> fmt::Result {
    let Ok(view) = icmpv4::parse(message) else {
        return f.write_str("ICMP, malformed");
    };
    match view.kind() {
        icmpv4::Icmpv4Kind::EchoRequest {
            identifier,
            sequence,
        } => write!(f, "ICMP echo request id {identifier} seq {sequence}"),
        icmpv4::Icmpv4Kind::EchoReply {
            identifier,
            sequence,
        } => write!(f, "ICMP echo reply id {identifier} seq {sequence}"),
        icmpv4::Icmpv4Kind::Unreachable { code, next_hop_mtu } => {
            match code {
                icmpv4::unreachable::FRAGMENTATION_NEEDED => {
                    write!(f, "ICMP fragmentation needed, MTU {next_hop_mtu}")?;
                }
                code => write!(f, "ICMP unreachable code {code}")?,
            }
            about(f, view.payload())
        }
        icmpv4::Icmpv4Kind::TimeExceeded { code } => {
            write!(f, "ICMP time exceeded code {code}")?;
            about(f, view.payload())
        }
        icmpv4::Icmpv4Kind::Other { kind, code, .. } => {
            write!(f, "ICMP type {kind} code {code}")
        }
    }
}

fn icmpv6_line(f: &mut Formatter<'_>, message: &[u8]) -> fmt::Result {
    match icmpv6::parse(message) {
        Ok(view) => write!(f, "ICMPv6 type {} code {}", view.kind_u8(), view.code()),
        Err(_) => f.write_str("ICMPv6, malformed"),
    }
}

/// The packet that an error is about.
fn about(f: &mut Formatter<'_>, quoted: &[u8]) -> fmt::Result {
    if let Ok(view) = ipv4::parse_header(quoted) {
        write!(f, " about {} > {}", view.src(), view.dst())
    } else if let Ok(view) = ipv6::parse_header(quoted) {
        write!(f, " about {} > {}", view.src(), view.dst())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use skybridge_base::{MacAddr, VlanId};

    use super::*;
    use crate::arp::ArpRepr;
    use crate::icmpv4::Icmpv4Kind;
    use crate::ipv4::Ipv4Repr;
    use crate::tcp::{TcpFlags, TcpRepr};

    const MAC: MacAddr = MacAddr::BROADCAST;
    const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

    fn line(tags: Tags, ethertype: EtherType, payload: &[u8]) -> String {
        let mut frame = Vec::new();
        ethernet::emit(MAC, MAC, tags, ethertype, &mut frame);
        frame.extend_from_slice(payload);
        Summary(&frame).to_string()
    }

    #[test]
    fn tags_and_what_is_behind_them_are_named() {
        let vlan = |id| VlanId::new(id).unwrap();
        let request = ArpRepr::request(MAC, A, B).to_bytes();
        let tags = Tags::qinq(vlan(100), vlan(200));
        assert_eq!(
            line(tags, EtherType::ARP, &request),
            "[S 100 C 200] ARP who has 10.0.0.2, asks 10.0.0.1, 50 octets"
        );
        let kind = Icmpv4Kind::EchoRequest {
            identifier: 7,
            sequence: 1,
        };
        assert_eq!(
            line(
                Tags::dot1q(vlan(5)),
                EtherType::IPV4,
                &icmpv4::packet(A, B, kind, b"data")
            ),
            "[5] 10.0.0.1 > 10.0.0.2 ICMP echo request id 7 seq 1, TTL 64, 50 octets"
        );
    }

    #[test]
    fn a_bgp_message_is_named() {
        let mut keepalive = vec![0xff; 16];
        keepalive.extend([0, 19, 4]);
        let mut packet = Vec::new();
        Ipv4Repr::new(A, B, protocol::TCP, 20 + keepalive.len()).emit(&mut packet);
        TcpRepr {
            src_port: 40_000,
            dst_port: BGP_PORT,
            seq: 1,
            ack: 2,
            flags: TcpFlags::ACK | TcpFlags::PSH,
            window: 100,
            options: &[],
        }
        .emit(A.into(), B.into(), &keepalive, &mut packet);
        assert_eq!(
            line(Tags::Untagged, EtherType::IPV4, &packet),
            "10.0.0.1:40000 > 10.0.0.2:179 TCP PSH|ACK seq 1 ack 2 win 100 len 19 BGP KEEPALIVE, \
             TTL 64, 73 octets"
        );
    }

    #[test]
    fn what_cannot_be_read_is_said_so() {
        assert_eq!(Summary(b"abc").to_string(), "malformed frame, 3 octets");
        assert!(line(Tags::Untagged, EtherType::IPV4, &[0x45]).contains("malformed"));
        assert!(line(Tags::Untagged, EtherType::LLDP, &[]).contains("0x88cc"));
    }
}
