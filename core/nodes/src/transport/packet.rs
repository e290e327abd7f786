//! IP packets around segments: reading, signing and sealing.

use std::net::{IpAddr, SocketAddr};

use skybridge_blueprint::Secret;
use skybridge_wire::tcp::{TcpFlags, TcpRepr, TcpView};
use skybridge_wire::{ipv4, ipv6, protocol, tcp, tcp_md5};

/// A packet that is what it claims to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ingress<'a> {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) ttl: u8,
    pub(super) protocol: u8,
    pub(super) l4: &'a [u8],
}

/// Why a packet was not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unreadable {
    Malformed,
    Checksum,
}

pub(super) fn parse(packet: &[u8]) -> Result<Ingress<'_>, Unreadable> {
    match packet.first().map(|first| first >> 4) {
        Some(4) => {
            let view = ipv4::parse(packet).map_err(|_| Unreadable::Malformed)?;
            if !view.is_checksum_valid() {
                return Err(Unreadable::Checksum);
            }
            if view.is_fragment() {
                return Err(Unreadable::Malformed);
            }
            Ok(Ingress {
                src: view.src().into(),
                dst: view.dst().into(),
                ttl: view.ttl(),
                protocol: view.protocol(),
                l4: view.payload(),
            })
        }
        Some(6) => {
            let view = ipv6::parse(packet).map_err(|_| Unreadable::Malformed)?;
            let upper = view.upper_layer().map_err(|_| Unreadable::Malformed)?;
            if upper.fragment.is_some() {
                return Err(Unreadable::Malformed);
            }
            Ok(Ingress {
                src: view.src().into(),
                dst: view.dst().into(),
                ttl: view.hop_limit(),
                protocol: upper.protocol,
                l4: view.bytes().get(upper.offset..).unwrap_or(&[]),
            })
        }
        _ => Err(Unreadable::Malformed),
    }
}

/// True for an address that may be an end of a connection (RFC 1122 §4.2.3.10).
pub(super) fn is_host_address(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !broadcast
}

/// How what is sent looks on the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Seal {
    pub(super) ttl: u8,
    pub(super) dscp: u8,
    pub(super) md5: Option<Secret>,
}

impl Seal {
    pub(super) const PLAIN: Self = Self {
        ttl: 64,
        dscp: 0,
        md5: None,
    };

    /// Wraps a segment into a whole packet: signature, checksums, TTL and code point. `None` when
    /// the addresses are of two families or the options leave no room for the signature.
    pub(super) fn apply(&self, src: IpAddr, dst: IpAddr, mut segment: Vec<u8>) -> Option<Vec<u8>> {
        if let Some(key) = &self.md5 {
            // Selective acknowledgements and a signature do not fit into 40 octets of options.
            mask_sack_permitted(&mut segment);
            tcp_md5::insert_signature(src, dst, &mut segment, key.expose()).ok()?;
        } else {
            tcp::fill_checksum(src, dst, &mut segment);
        }
        self.wrap(src, dst, &segment)
    }

    /// Puts an IP header in front of a segment that is complete.
    pub(super) fn wrap(&self, src: IpAddr, dst: IpAddr, segment: &[u8]) -> Option<Vec<u8>> {
        let mut packet = Vec::with_capacity(segment.len() + ipv6::HEADER_LEN);
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let repr = ipv4::Ipv4Repr::new(src, dst, protocol::TCP, segment.len());
                ipv4::Ipv4Repr {
                    ttl: self.ttl,
                    dscp: self.dscp,
                    ..repr
                }
                .emit(&mut packet);
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                ipv6::Ipv6Repr {
                    hop_limit: self.ttl,
                    ..ipv6::Ipv6Repr::new(src, dst, protocol::TCP, segment.len())
                }
                .emit(&mut packet);
                ipv6::set_dscp(&mut packet, self.dscp);
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
        }
        packet.extend_from_slice(segment);
        Some(packet)
    }
}

/// The segment inside a packet that the engine made; it writes no IP options.
pub(super) fn segment_of(packet: &[u8]) -> &[u8] {
    let header_len = match packet.first().map(|first| first >> 4) {
        Some(4) => ipv4::HEADER_LEN,
        _ => ipv6::HEADER_LEN,
    };
    packet.get(header_len..).unwrap_or(&[])
}

/// Overwrites SACK-permitted options (RFC 2018 §2) with no-operations.
pub(super) fn mask_sack_permitted(segment: &mut [u8]) {
    let Ok(view) = tcp::parse(segment) else {
        return;
    };
    let end = view.header_len();
    let mut at = tcp::HEADER_LEN;
    while at < end {
        let len = match segment.get(at) {
            None | Some(0) => return,
            Some(1) => 1,
            Some(_) => usize::from(segment.get(at + 1).copied().unwrap_or(0)),
        };
        if len == 0 || at + len > end {
            return;
        }
        if segment.get(at) == Some(&4) && len == 2 {
            segment[at..at + 2].fill(1);
        }
        at += len;
    }
}

/// The reset that answers a segment for which there is no connection (RFC 9293 §3.5.2 group 1);
/// `None` when it is a reset itself.
pub(super) fn reset_for(
    view: &TcpView<'_>,
    remote: SocketAddr,
    local: SocketAddr,
) -> Option<Vec<u8>> {
    if view.flags().contains(TcpFlags::RST) {
        return None;
    }
    let acked = view.flags().contains(TcpFlags::ACK);
    let mut segment = Vec::with_capacity(tcp::HEADER_LEN);
    TcpRepr {
        src_port: local.port(),
        dst_port: remote.port(),
        seq: if acked { view.ack() } else { 0 },
        ack: if acked {
            0
        } else {
            view.seq().wrapping_add(view.segment_len())
        },
        flags: if acked {
            TcpFlags::RST
        } else {
            TcpFlags::RST | TcpFlags::ACK
        },
        window: 0,
        options: &[],
    }
    .emit(local.ip(), remote.ip(), &[], &mut segment);
    Some(segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sack_permitted_becomes_no_operations_and_nothing_else_changes() {
        let mut segment = Vec::new();
        let a = IpAddr::from([10, 0, 0, 1]);
        TcpRepr {
            src_port: 1,
            dst_port: 2,
            seq: 3,
            ack: 0,
            flags: TcpFlags::SYN,
            window: 5,
            options: &[2, 4, 5, 0xb4, 4, 2, 3, 3, 7],
        }
        .emit(a, a, b"x", &mut segment);
        let before = segment.clone();
        mask_sack_permitted(&mut segment);
        assert_eq!(segment[24..26], [1, 1]);
        segment[24..26].copy_from_slice(&[4, 2]);
        assert_eq!(segment, before);
    }

    #[test]
    fn a_reset_acknowledges_a_syn_and_never_answers_a_reset() {
        let local = SocketAddr::from(([10, 0, 0, 1], 179));
        let remote = SocketAddr::from(([10, 0, 0, 2], 4000));
        let segment = |flags, seq, ack| {
            let mut out = Vec::new();
            TcpRepr {
                src_port: 4000,
                dst_port: 179,
                seq,
                ack,
                flags,
                window: 0,
                options: &[],
            }
            .emit(remote.ip(), local.ip(), b"", &mut out);
            out
        };
        let syn = segment(TcpFlags::SYN, 7, 0);
        let reset = reset_for(&tcp::parse(&syn).unwrap(), remote, local).unwrap();
        let view = tcp::parse(&reset).unwrap();
        assert_eq!(view.flags(), TcpFlags::RST | TcpFlags::ACK);
        assert_eq!((view.seq(), view.ack()), (0, 8));
        let data = segment(TcpFlags::ACK, 7, 99);
        let reset = reset_for(&tcp::parse(&data).unwrap(), remote, local).unwrap();
        assert_eq!(tcp::parse(&reset).unwrap().seq(), 99);
        let rst = segment(TcpFlags::RST, 7, 0);
        assert_eq!(reset_for(&tcp::parse(&rst).unwrap(), remote, local), None);
    }
}
