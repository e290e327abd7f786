//! Super-frames: one frame that stands for a train of TCP segments or UDP datagrams with the same
//! headers (GSO, USO). What they are on the wire, and the frames themselves where somebody needs
//! them.
//!
//! The fields that differ between the frames of a train are those that Linux changes
//! (Documentation/networking/segmentation-offloads): lengths, IPv4 identification, TCP sequence
//! number and flags, checksums.

use std::net::IpAddr;

use crate::bytes;
use crate::frame::{ChecksumState, Frame, FramePool, Meta};
use crate::tcp::TcpFlags;
use crate::{EtherType, Fragment, Malformed, checksum, ethernet, flow, ipv4, ipv6, protocol};
use crate::{tcp, udp};

/// What a frame is on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Frames; one for an ordinary frame.
    pub frames: u64,
    /// Octets of all of them, with their headers from the destination address on.
    pub octets: u64,
    /// Octets of the longest one.
    pub frame_len_max: usize,
}

impl Shape {
    /// Octets of frame number `at`: all are as long as the longest, but for the last one.
    #[must_use]
    pub fn frame_len(&self, at: u64) -> u64 {
        let longest = u64::try_from(self.frame_len_max).unwrap_or(u64::MAX);
        let before = self.frames.saturating_sub(1);
        if at < before {
            longest
        } else {
            self.octets.saturating_sub(longest.saturating_mul(before))
        }
    }
}

/// What `frame` (from its destination address) is on the wire. A super-frame that cannot be
/// segmented counts as one.
#[must_use]
#[inline]
pub fn shape(frame: &Frame) -> Shape {
    let one = Shape {
        frames: 1,
        octets: len_u64(frame.len()),
        frame_len_max: frame.len(),
    };
    if frame.meta.gso_size == 0 {
        return one;
    }
    Layout::of(frame).map_or(one, |layout| layout.shape(frame.meta.gso_size))
}

/// Whether a super-frame can be segmented.
#[must_use]
pub fn is_train(frame: &Frame) -> bool {
    Layout::of(frame).is_ok()
}

/// What an IP packet is on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packets {
    /// Packets; one for an ordinary packet.
    pub count: u64,
    /// Octets of all of them, with their IP headers.
    pub octets: usize,
    /// Octets of the longest one.
    pub len_max: usize,
}

/// What `packet`, of which `info` was read, is on the wire when its frame has this `gso_size`.
#[must_use]
#[inline]
pub fn packets(packet: &[u8], info: &flow::PacketInfo, gso_size: u16) -> Packets {
    let size = usize::from(gso_size);
    if size == 0 {
        return Packets {
            count: 1,
            octets: info.total_len,
            len_max: info.total_len,
        };
    }
    let transport_len = match info.protocol {
        protocol::TCP => {
            let offset = bytes::u8_at(packet, info.l4_offset.saturating_add(12));
            usize::from(offset >> 4).saturating_mul(4)
        }
        _ => udp::HEADER_LEN,
    };
    let headers = info.l4_offset.saturating_add(transport_len);
    let payload = info.total_len.saturating_sub(headers);
    let count = payload.div_ceil(size).max(1);
    Packets {
        count: len_u64(count),
        octets: payload.saturating_add(count.saturating_mul(headers)),
        len_max: info.total_len.min(headers.saturating_add(size)),
    }
}

/// The frames that `frame` (from its destination address) stands for, appended to `out`, in buffers
/// of `pool`, with every checksum filled in. An ordinary frame is moved; a partial checksum is completed.
///
/// # Errors
/// [`Malformed::Unsupported`] when a super-frame holds neither TCP nor UDP, or is a fragment; what
/// [`ethernet::parse`] and [`flow::parse`] find. Nothing is appended then.
pub fn split(
    mut frame: Frame,
    pool: &mut FramePool,
    out: &mut Vec<Frame>,
) -> Result<(), Malformed> {
    if frame.meta.gso_size == 0 {
        complete_checksum(&mut frame);
        out.push(frame);
        return Ok(());
    }
    let layout = Layout::of(&frame)?;
    for at in 0..layout.count(frame.meta.gso_size) {
        out.push(layout.segment(&frame, at, pool));
    }
    pool.give(frame);
    Ok(())
}

/// The first frame that a super-frame stands for; what an error about it quotes.
///
/// # Errors
/// As [`split`].
pub fn first(frame: &Frame) -> Result<Frame, Malformed> {
    let layout = Layout::of(frame)?;
    Ok(layout.segment(frame, 0, &mut FramePool::new(0)))
}

/// Does what the sender of a frame with a partial checksum left to its interface card.
pub fn complete_checksum(frame: &mut Frame) {
    let ChecksumState::Partial { start, offset } = frame.meta.csum else {
        return;
    };
    frame.meta.csum = ChecksumState::Valid;
    let start = usize::from(start);
    // The field holds the pseudo-header's sum, so that summing over it includes that.
    let check = checksum::checksum(bytes::from(frame.bytes(), start));
    // Only UDP has its checksum there, and sends zero as ones (RFC 768 "Fields").
    let check = if check == 0 && offset == 6 {
        0xffff
    } else {
        check
    };
    let at = start.saturating_add(usize::from(offset));
    bytes::put(frame.bytes_mut(), at, &check.to_be_bytes());
}

/// Which frame of a train.
#[derive(Clone, Copy)]
struct Place {
    number: usize,
    /// Octets of payload before it.
    offset: usize,
    is_last: bool,
}

/// Where the parts of a super-frame are, from its first byte.
struct Layout {
    l3_at: usize,
    /// From `l3_at`.
    l4_at: usize,
    payload_at: usize,
    end: usize,
    protocol: u8,
    src: IpAddr,
    dst: IpAddr,
}

impl Layout {
    fn of(frame: &Frame) -> Result<Self, Malformed> {
        let view = ethernet::parse(frame.bytes())?;
        if !matches!(view.ethertype(), EtherType::IPV4 | EtherType::IPV6) {
            return Err(Malformed::Unsupported);
        }
        let info = flow::parse(view.payload())?;
        if info.fragment != Fragment::Whole {
            return Err(Malformed::Unsupported);
        }
        let header_len = match info.protocol {
            protocol::TCP => {
                let segment = bytes::range(view.payload(), info.l4_offset, info.total_len);
                tcp::parse(segment)?.header_len()
            }
            protocol::UDP => udp::HEADER_LEN,
            _ => return Err(Malformed::Unsupported),
        };
        let l3_at = view.payload_offset();
        let l4 = l3_at.saturating_add(info.l4_offset);
        Ok(Self {
            l3_at,
            l4_at: info.l4_offset,
            payload_at: l4.saturating_add(header_len),
            end: l3_at.saturating_add(info.total_len),
            protocol: info.protocol,
            src: info.src,
            dst: info.dst,
        })
    }

    fn count(&self, gso_size: u16) -> usize {
        let payload = self.end.saturating_sub(self.payload_at);
        payload.div_ceil(usize::from(gso_size.max(1))).max(1)
    }

    /// Frame number `at` of those that `frame` stands for.
    fn segment(&self, frame: &Frame, at: usize, pool: &mut FramePool) -> Frame {
        let size = usize::from(frame.meta.gso_size.max(1));
        let payload = bytes::range(frame.bytes(), self.payload_at, self.end);
        let from = at.saturating_mul(size);
        let to = from.saturating_add(size).min(payload.len());
        let mut one = pool.take(bytes::range(frame.bytes(), 0, self.payload_at));
        one.extend(bytes::range(payload, from, to));
        one.meta = Meta {
            l3_offset: bytes::len_u16(self.l3_at),
            gso_size: 0,
            csum: ChecksumState::Valid,
            trace: frame.meta.trace,
        };
        let place = Place {
            number: at,
            offset: from,
            is_last: to == payload.len(),
        };
        let partial = matches!(frame.meta.csum, ChecksumState::Partial { .. });
        self.finish(one.l3_mut(), place, partial);
        one
    }

    fn shape(&self, gso_size: u16) -> Shape {
        let size = usize::from(gso_size.max(1));
        let payload = self.end.saturating_sub(self.payload_at);
        let frames = self.count(gso_size);
        let headers = frames.saturating_mul(self.payload_at);
        Shape {
            frames: len_u64(frames),
            octets: len_u64(payload.saturating_add(headers)),
            frame_len_max: self.payload_at.saturating_add(payload.min(size)),
        }
    }

    /// Turns the copied headers of a super-frame into those of one frame.
    fn finish(&self, packet: &mut [u8], place: Place, partial: bool) {
        let len = packet.len();
        match self.src {
            IpAddr::V4(_) => {
                bytes::put(packet, 2, &bytes::len_u16(len).to_be_bytes());
                // Each packet has its own identification (RFC 6864 §4.3 for those that may be
                // fragmented).
                let id = bytes::u16_at(packet, 4).wrapping_add(bytes::len_u16(place.number));
                bytes::put(packet, 4, &id.to_be_bytes());
                ipv4::fill_checksum(packet);
            }
            IpAddr::V6(_) => {
                let payload = bytes::len_u16(len.saturating_sub(ipv6::HEADER_LEN));
                bytes::put(packet, 4, &payload.to_be_bytes());
            }
        }
        let Some(segment) = packet.get_mut(self.l4_at..) else {
            return;
        };
        if self.protocol == protocol::UDP {
            let len = bytes::len_u16(segment.len());
            bytes::put(segment, 4, &len.to_be_bytes());
            // A datagram without checksum stays without (RFC 768 "Fields").
            if partial || bytes::u16_at(segment, 6) != 0 {
                udp::fill_checksum(self.src, self.dst, segment);
            }
            return;
        }
        let offset = u32::try_from(place.offset).unwrap_or(u32::MAX);
        let seq = bytes::u32_at(segment, 4).wrapping_add(offset);
        bytes::put(segment, 4, &seq.to_be_bytes());
        let mut flags = bytes::u8_at(segment, 13);
        if !place.is_last {
            flags &= !(TcpFlags::FIN.0 | TcpFlags::PSH.0);
        }
        if place.number > 0 {
            // The sender says once that it has reduced its window (RFC 3168 §6.1.2).
            flags &= !TcpFlags::CWR.0;
        }
        bytes::put(segment, 13, &[flags]);
        tcp::fill_checksum(self.src, self.dst, segment);
    }
}

fn len_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
