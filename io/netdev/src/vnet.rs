//! The header that a virtual network device puts in front of a frame: what is left to be done with it.
//!
//! `struct virtio_net_hdr` of VIRTIO 1.2 §5.1.6 without `num_buffers`, in the machine's byte order, as
//! Linux reads and writes it on TAP devices (`IFF_VNET_HDR`) and packet sockets (`PACKET_VNET_HDR`).

use skybridge_wire::{ChecksumState, Frame, ethernet, ipv4, ipv6, protocol, tcp};

/// Octets of the header.
pub(crate) const HEADER_LEN: usize = 10;

/// The checksum from `csum_start` is still to be filled in.
const FLAG_NEEDS_CSUM: u8 = 1;
/// The checksum was verified.
const FLAG_DATA_VALID: u8 = 2;

const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
/// UDP datagrams of one size, back to back (Linux 6.2).
const GSO_UDP_L4: u8 = 5;
/// Beside a TCP type: the first segment has CWR set, and only it may (RFC 3168 §6.1.2).
const GSO_ECN: u8 = 0x80;

/// Why a frame cannot cross a device with offloads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unfit {
    /// The kernel handed over a kind of super-frame that was not asked for.
    UnknownGso,
    /// A super-frame that is neither TCP nor UDP over IP.
    NotTransport,
}

/// Reads the header that stood in front of `frame` into its metadata.
pub(crate) fn take(header: [u8; HEADER_LEN], frame: &mut Frame) -> Result<(), Unfit> {
    let [flags, gso_type, h0, h1, g0, g1, s0, s1, o0, o1] = header;
    let _header_len = u16::from_ne_bytes([h0, h1]);
    frame.meta.gso_size = match gso_type & !GSO_ECN {
        GSO_NONE => 0,
        GSO_TCPV4 | GSO_TCPV6 | GSO_UDP_L4 => u16::from_ne_bytes([g0, g1]),
        _ => return Err(Unfit::UnknownGso),
    };
    frame.meta.csum = if flags & FLAG_NEEDS_CSUM != 0 {
        ChecksumState::Partial {
            start: u16::from_ne_bytes([s0, s1]),
            offset: u16::from_ne_bytes([o0, o1]),
        }
    } else if flags & FLAG_DATA_VALID != 0 {
        ChecksumState::Valid
    } else {
        ChecksumState::Unknown
    };
    Ok(())
}

/// The header for a frame that goes to the kernel.
pub(crate) fn header(frame: &Frame) -> Result<[u8; HEADER_LEN], Unfit> {
    let (flags, start, offset) = match frame.meta.csum {
        ChecksumState::Partial { start, offset } => (FLAG_NEEDS_CSUM, start, offset),
        ChecksumState::Valid => (FLAG_DATA_VALID, 0, 0),
        ChecksumState::Unknown => (0, 0, 0),
    };
    let (gso_type, header_len) = if frame.meta.gso_size == 0 {
        (GSO_NONE, 0)
    } else {
        gso(frame).ok_or(Unfit::NotTransport)?
    };
    let [h0, h1] = header_len.to_ne_bytes();
    let [g0, g1] = frame.meta.gso_size.to_ne_bytes();
    let [s0, s1] = start.to_ne_bytes();
    let [o0, o1] = offset.to_ne_bytes();
    Ok([flags, gso_type, h0, h1, g0, g1, s0, s1, o0, o1])
}

/// The type of a super-frame and the length of the headers that each of its segments repeats.
fn gso(frame: &Frame) -> Option<(u8, u16)> {
    let view = ethernet::parse(frame.bytes()).ok()?;
    let packet = view.payload();
    let (is_v4, transport, at) = match packet.first()? >> 4 {
        4 => {
            let ip = ipv4::parse(packet).ok()?;
            (true, ip.protocol(), packet.len() - ip.payload().len())
        }
        _ => (false, *packet.get(6)?, ipv6::HEADER_LEN),
    };
    let segment = packet.get(at..)?;
    let (gso_type, transport_len) = match transport {
        protocol::TCP => {
            let header = tcp::parse(segment).ok()?;
            let family = if is_v4 { GSO_TCPV4 } else { GSO_TCPV6 };
            let is_cwr = segment.get(13)? & 0x80 != 0;
            (
                family | if is_cwr { GSO_ECN } else { 0 },
                header.header_len(),
            )
        }
        protocol::UDP => (GSO_UDP_L4, 8),
        _ => return None,
    };
    let len = view.payload_offset() + at + transport_len;
    Some((gso_type, u16::try_from(len).ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use skybridge_base::{MacAddr, VlanId};
    use skybridge_wire::{EtherType, EthernetRepr, Tags};

    use super::*;

    fn super_frame(tags: Tags, transport: u8) -> Frame {
        let (src, dst) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        let mut segment = Vec::new();
        if transport == protocol::TCP {
            let repr = tcp::TcpRepr {
                src_port: 1,
                dst_port: 2,
                seq: 0,
                ack: 0,
                flags: tcp::TcpFlags::ACK,
                window: 1,
                options: &[],
            };
            repr.emit(
                IpAddr::from(src),
                IpAddr::from(dst),
                &[7; 4000],
                &mut segment,
            );
        } else {
            segment = vec![0; 4008];
        }
        let mut packet = Vec::new();
        ipv4::Ipv4Repr::new(src, dst, transport, segment.len()).emit(&mut packet);
        packet.extend(segment);
        let mut frame = Frame::with_headroom(&packet);
        frame.meta.gso_size = 1000;
        frame.meta.csum = ChecksumState::Partial {
            start: 20,
            offset: 16,
        };
        EthernetRepr {
            dst: MacAddr::local(1),
            src: MacAddr::local(2),
            tags,
            ethertype: EtherType::IPV4,
        }
        .push(&mut frame);
        frame
    }

    #[test]
    fn what_is_left_to_do_survives_the_way_through_a_header() {
        for (transport, header_len) in [(protocol::TCP, 54), (protocol::UDP, 42)] {
            let frame = super_frame(Tags::Untagged, transport);
            let header = header(&frame).unwrap();
            assert_eq!(u16::from_ne_bytes([header[2], header[3]]), header_len);
            let mut back = Frame::from_l2(frame.bytes());
            take(header, &mut back).unwrap();
            assert_eq!(back.meta.gso_size, 1000);
            assert_eq!(back.meta.csum, frame.meta.csum);
        }
    }

    #[test]
    fn the_start_of_the_sum_moves_with_tags() {
        let s_tag = VlanId::new(100).unwrap();
        let c_tag = VlanId::new(7).unwrap();
        for (tags, start) in [
            (Tags::Untagged, 34_u16),
            (Tags::dot1q(c_tag), 38),
            (Tags::qinq(s_tag, c_tag), 42),
        ] {
            let header = header(&super_frame(tags, protocol::TCP)).unwrap();
            assert_eq!(header[0], FLAG_NEEDS_CSUM);
            assert_eq!(u16::from_ne_bytes([header[6], header[7]]), start);
            assert_eq!(u16::from_ne_bytes([header[2], header[3]]), start + 20);
        }
    }

    #[test]
    fn plain_frames_have_an_empty_header_and_foreign_kinds_are_refused() {
        let frame = Frame::from_l2(&[0; 60]);
        assert_eq!(header(&frame), Ok([0; HEADER_LEN]));
        let mut ufo = [0; HEADER_LEN];
        ufo[1] = 3;
        assert_eq!(take(ufo, &mut Frame::default()), Err(Unfit::UnknownGso));
        let mut odd = super_frame(Tags::Untagged, protocol::GRE);
        odd.meta.gso_size = 100;
        assert_eq!(header(&odd), Err(Unfit::NotTransport));
    }
}
