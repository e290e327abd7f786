//! Frames as stations outside send them: a few conversations, again and again, with every oddity.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use skybridge_base::{MacAddr, Rng, VlanId};
use skybridge_wire::icmpv4::{self, Icmpv4Kind};
use skybridge_wire::ipv4::Ipv4Repr;
use skybridge_wire::ipv6::Ipv6Repr;
use skybridge_wire::nd::{self, NdRepr};
use skybridge_wire::tcp::{TcpFlags, TcpRepr};
use skybridge_wire::udp::UdpRepr;
use skybridge_wire::{
    ChecksumState, EtherType, EthernetRepr, Frame, Tags, arp, checksum, ethernet, ipv4, protocol,
};

use super::network::{one_in, pick};

pub fn station(side: u8) -> MacAddr {
    MacAddr::local(900 + u64::from(side))
}

/// Says that the station outside has another address, or its old one again.
pub fn moves(side: u8, away: bool) -> Frame {
    let mac = if away {
        MacAddr::local(910)
    } else {
        station(side)
    };
    let here = arp::ArpRepr::announcement(mac, [10, side, 1, 9].into());
    let mut frame = Frame::with_headroom(&here.to_bytes());
    EthernetRepr {
        dst: MacAddr::BROADCAST,
        src: mac,
        tags: Tags::Untagged,
        ethertype: EtherType::ARP,
    }
    .push(&mut frame);
    frame
}

/// The stations outside answer when they are asked for their addresses.
pub fn answer(frame: &Frame, side: u8) -> Option<Frame> {
    let view = ethernet::parse(frame.bytes()).ok()?;
    let own = station(side);
    let header = EthernetRepr {
        dst: view.src(),
        src: own,
        ..view.repr()
    };
    let bytes = match view.ethertype() {
        EtherType::ARP => {
            let request = arp::parse(view.payload()).ok()?;
            let asked = request.operation == arp::ArpOperation::Request
                && request.target_ip.octets()[3] == 9;
            asked.then(|| request.reply(own).to_bytes().to_vec())?
        }
        EtherType::IPV6 => {
            let NdRepr::Solicitation { target, .. } = nd::parse(view.payload()).ok()? else {
                return None;
            };
            let asker = skybridge_wire::ipv6::parse(view.payload()).ok()?.src();
            let answer = NdRepr::Advertisement {
                target,
                router: false,
                solicited: true,
                overriding: true,
                target_mac: Some(own),
            };
            (target.segments()[7] == 9).then(|| answer.packet(target, asker))?
        }
        _ => return None,
    };
    let mut answer = Frame::with_headroom(&bytes);
    header.push(&mut answer);
    Some(answer)
}

/// One conversation's packet, and how it is to be framed.
#[derive(Clone, Debug)]
pub struct Template {
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
    ports: (u16, u16),
    payload_len: usize,
    flags: TcpFlags,
    dont_fragment: bool,
    gso_size: u16,
    dscp: u8,
}

impl Template {
    /// A conversation between a station on `side` and something on the other.
    pub fn new(rng: &mut Rng, side: u8) -> Self {
        let other = 3 - side;
        let is_v6 = one_in(rng, 5);
        let (src, dst) = if is_v6 {
            let end = |side: u8, last: u16| {
                IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, side.into(), 1, 0, 0, 0, last))
            };
            (end(side, 9), end(other, pick(rng, &[9, 9, 9, 77])))
        } else {
            let src = pick(rng, &[[10, side, 1, 9], [10, side, 1, 9], [172, 16, 0, 9]]);
            let dst = pick(
                rng,
                &[
                    [10, other, 1, 9],
                    [10, other, 1, 9],
                    [10, other, 1, 9],
                    [10, other, 0, 10],
                    [10, other, 1, 1],
                    [10, other, 1, 77],
                    [10, side, 1, 1],
                    [10, 99, 0, 1],
                ],
            );
            (Ipv4Addr::from(src).into(), Ipv4Addr::from(dst).into())
        };
        let protocol = pick(rng, &[17, 17, 17, 6, 6, 1, 47]);
        let is_train = matches!(protocol, 6 | 17) && one_in(rng, 3);
        Self {
            src,
            dst,
            protocol: if is_v6 && protocol == 1 { 17 } else { protocol },
            ports: (pick(rng, &[5000, 5001]), pick(rng, &[53, 80])),
            payload_len: if is_train {
                pick(rng, &[1200, 4000, 9000])
            } else {
                pick(rng, &[8, 100, 1360, 1440, 1472, 1600])
            },
            flags: pick(rng, &[TcpFlags::ACK, TcpFlags::ACK, TcpFlags::SYN]),
            dont_fragment: one_in(rng, 2),
            gso_size: if is_train {
                pick(rng, &[500, 1340, 1460])
            } else {
                0
            },
            dscp: pick(rng, &[0, 0, 46]),
        }
    }

    /// The way back.
    pub fn reversed(&self) -> Self {
        Self {
            src: self.dst,
            dst: self.src,
            ports: (self.ports.1, self.ports.0),
            ..self.clone()
        }
    }

    /// A frame of it to a gateway. Now and then something is odd about it, unless it is to be `plain`.
    pub fn frame(&self, rng: &mut Rng, gateway: MacAddr, side: u8, plain: bool) -> Frame {
        let mut one = self.clone();
        if !plain && one_in(rng, 12) {
            one.flags = pick(rng, &[TcpFlags::FIN, TcpFlags::RST, TcpFlags::ACK]);
            one.payload_len = pick(rng, &[1, 700, 1472]);
        }
        let ttl = if !plain && one_in(rng, 10) {
            pick(rng, &[1, 2, 3, 4, 255])
        } else {
            64
        };
        let l4 = one.transport();
        let packet = one.packet(rng, (ttl, plain), &l4);
        let l4_at = packet.len() - l4.len();
        let mut frame = Frame::with_headroom(&packet);
        if !plain && one_in(rng, 20) {
            frame.extend(&[0; 7]);
        }
        frame.meta.gso_size = one.gso_size;
        if one.gso_size > 0 || one_in(rng, 10) {
            one.leave_checksum(&mut frame, l4_at, l4.len());
        }
        let tags = if !plain && one_in(rng, 25) {
            Tags::dot1q(VlanId::new(7).unwrap())
        } else {
            Tags::Untagged
        };
        EthernetRepr {
            dst: if !plain && one_in(rng, 25) {
                station(side)
            } else {
                gateway
            },
            src: station(side),
            tags,
            ethertype: if one.src.is_ipv4() {
                EtherType::IPV4
            } else {
                EtherType::IPV6
            },
        }
        .push(&mut frame);
        if !plain && one_in(rng, 25) {
            frame.meta.trace = 1 + rng.next_u32() % 100;
        }
        frame
    }

    fn transport(&self) -> Vec<u8> {
        let payload: Vec<u8> = (0..self.payload_len).map(|at| at as u8).collect();
        let mut out = Vec::new();
        match self.protocol {
            protocol::TCP => TcpRepr {
                src_port: self.ports.0,
                dst_port: self.ports.1,
                seq: 1,
                ack: 1,
                flags: self.flags,
                window: 100,
                options: &[],
            }
            .emit(self.src, self.dst, &payload, &mut out),
            protocol::UDP => UdpRepr {
                src_port: self.ports.0,
                dst_port: self.ports.1,
            }
            .emit(self.src, self.dst, &payload, &mut out),
            protocol::ICMP => {
                let (identifier, sequence) = (self.ports.0, 1);
                let kind = if self.ports.1 == 80 {
                    Icmpv4Kind::EchoRequest {
                        identifier,
                        sequence,
                    }
                } else {
                    Icmpv4Kind::EchoReply {
                        identifier,
                        sequence,
                    }
                };
                icmpv4::emit(kind, &payload, &mut out);
            }
            _ => out = payload,
        }
        out
    }

    fn packet(&self, rng: &mut Rng, (ttl, plain): (u8, bool), l4: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let is_fragment = !plain && self.gso_size == 0 && one_in(rng, 20);
                let first = one_in(rng, 2);
                Ipv4Repr {
                    dscp: self.dscp,
                    ttl,
                    dont_fragment: self.dont_fragment,
                    more_fragments: is_fragment && first,
                    fragment_offset: if is_fragment && !first { 64 } else { 0 },
                    ..Ipv4Repr::new(src, dst, self.protocol, l4.len())
                }
                .emit(&mut out);
                if !plain && one_in(rng, 30) {
                    // Damaged: no router may let it pass.
                    out[1] ^= 0x40;
                } else {
                    ipv4::fill_checksum(&mut out);
                }
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => Ipv6Repr {
                hop_limit: ttl,
                ..Ipv6Repr::new(src, dst, self.protocol, l4.len())
            }
            .emit(&mut out),
            (_, _) => unreachable!(),
        }
        out.extend_from_slice(l4);
        out
    }

    /// As a sender with an offloading interface card does.
    fn leave_checksum(&self, frame: &mut Frame, l4_at: usize, l4_len: usize) {
        let offset = match self.protocol {
            protocol::TCP => 16,
            protocol::UDP => 6,
            _ => return,
        };
        let sum = checksum::pseudo_header_sum(self.src, self.dst, self.protocol, l4_len);
        let at = l4_at + usize::from(offset);
        frame.bytes_mut()[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        frame.meta.csum = ChecksumState::Partial {
            start: u16::try_from(l4_at).unwrap(),
            offset,
        };
    }
}
