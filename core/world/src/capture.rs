//! Captures, and the older of the two file formats that packet analysers read (`pcapng.rs` has the other).

use std::collections::VecDeque;

use skybridge_base::{Instant, VlanId, WallTime};
use skybridge_blueprint::{LinkName, NodeName, PortName};
use skybridge_wire::{ChecksumState, Frame, FramePool, ethernet, gso};

/// Octets of frames that a capture holds between two takes; more are missed and counted.
pub const CAPTURE_OCTETS_MAX: usize = 16 << 20;

/// Where frames are captured.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CapturePoint {
    /// Frames that a link delivered, in both directions; lost frames are not seen.
    Link(LinkName),
    /// Of those, the frames with this outer tag.
    Circuit {
        /// The link.
        link: LinkName,
        /// The outer tag, as delivered.
        s_tag: VlanId,
    },
    /// Frames that a port received, and those it sent, whether or not the link carried them.
    Port {
        /// The node.
        node: NodeName,
        /// Its port.
        port: PortName,
    },
}

/// Which way a captured frame went.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CaptureDirection {
    /// On a link, from its `a` end to its `b` end.
    AToB,
    /// On a link, from its `b` end to its `a` end.
    BToA,
    /// Into the port's node.
    In,
    /// Out of the port's node.
    Out,
}

/// One captured frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Captured {
    /// When.
    pub at: Instant,
    /// Which way.
    pub direction: CaptureDirection,
    /// The frame from its destination address, without FCS, as it would be on the wire: a super-frame is
    /// captured as the frames it stands for, with their checksums.
    pub bytes: Vec<u8>,
}

/// A running capture.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CaptureId(pub u32);

/// Frames of a capture between two takes, and how many found it full.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CaptureTake {
    /// The frames, in order.
    pub frames: Vec<Captured>,
    /// Frames not kept because the limit was reached.
    pub missed: u64,
}

/// Of a capture, what is not yet taken.
#[derive(Debug)]
pub(crate) struct Capture {
    pub(crate) point: CapturePoint,
    frames_max: usize,
    frames: VecDeque<Captured>,
    octets: usize,
    missed: u64,
}

impl Capture {
    pub(crate) const fn new(point: CapturePoint, frames_max: usize) -> Self {
        Self {
            point,
            frames_max,
            frames: VecDeque::new(),
            octets: 0,
            missed: 0,
        }
    }

    pub(crate) fn add(&mut self, at: Instant, direction: CaptureDirection, frame: &Frame) {
        if let CapturePoint::Circuit { s_tag, .. } = &self.point {
            let outer = ethernet::parse(frame.bytes()).map(|view| view.tags().outer());
            if outer.ok().flatten().and_then(ethernet::Tag::vlan) != Some(*s_tag) {
                return;
            }
        }
        let is_plain =
            frame.meta.gso_size == 0 && !matches!(frame.meta.csum, ChecksumState::Partial { .. });
        let mut split = Vec::new();
        // One that cannot be split is shown as it is.
        if is_plain || gso::split(frame.clone(), &mut FramePool::new(0), &mut split).is_err() {
            self.add_octets(at, direction, frame.bytes());
        }
        for segment in &split {
            self.add_octets(at, direction, segment.bytes());
        }
    }

    fn add_octets(&mut self, at: Instant, direction: CaptureDirection, bytes: &[u8]) {
        if self.frames.len() >= self.frames_max || self.octets + bytes.len() > CAPTURE_OCTETS_MAX {
            self.missed += 1;
            return;
        }
        self.octets += bytes.len();
        self.frames.push_back(Captured {
            at,
            direction,
            bytes: bytes.to_vec(),
        });
    }

    pub(crate) fn has_news(&self) -> bool {
        !self.frames.is_empty() || self.missed > 0
    }

    /// The oldest frames, up to `octets_max` but at least one.
    pub(crate) fn take(&mut self, octets_max: usize) -> CaptureTake {
        let mut octets = 0;
        let mut count = 0;
        for frame in &self.frames {
            octets += frame.bytes.len();
            if count > 0 && octets > octets_max {
                octets -= frame.bytes.len();
                break;
            }
            count += 1;
        }
        self.octets -= octets;
        CaptureTake {
            frames: self.frames.drain(..count).collect(),
            missed: std::mem::take(&mut self.missed),
        }
    }
}

/// Magic number of a pcap file with nanosecond timestamps (draft-ietf-opsawg-pcap §4).
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;

/// LINKTYPE_ETHERNET (draft-ietf-opsawg-pcaplinktype).
const LINKTYPE_ETHERNET: u32 = 1;

/// Longest frame that is written whole.
const SNAP_LEN: u32 = 262_144;

/// A pcap file of `frames` in little-endian order, with nanosecond timestamps counted from `epoch`
/// (the wall time of the world's beginning; zero shows the world's own time).
#[must_use]
pub fn pcap_bytes(frames: &[Captured], epoch: WallTime) -> Vec<u8> {
    let mut out = Vec::new();
    let word = |out: &mut Vec<u8>, value: u32| out.extend_from_slice(&value.to_le_bytes());
    word(&mut out, MAGIC_NANOSECONDS);
    // Version 2.4, then two reserved words.
    out.extend_from_slice(&[2, 0, 4, 0]);
    word(&mut out, 0);
    word(&mut out, 0);
    word(&mut out, SNAP_LEN);
    word(&mut out, LINKTYPE_ETHERNET);
    for frame in frames {
        let nanos = u128::from(epoch.0) * 1_000_000 + u128::from(frame.at.as_nanos());
        let low = |value: u128| u32::try_from(value).unwrap_or(u32::MAX);
        let whole_len = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX);
        let kept_len = whole_len.min(SNAP_LEN);
        word(&mut out, low(nanos / 1_000_000_000));
        word(&mut out, low(nanos % 1_000_000_000));
        word(&mut out, kept_len);
        word(&mut out, whole_len);
        let kept = frame.bytes.iter().take(SNAP_LEN as usize);
        out.extend(kept);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_file_has_the_documented_layout() {
        let frame = Captured {
            at: Instant::from_nanos(1_000_000_007),
            direction: CaptureDirection::AToB,
            bytes: vec![0xaa, 0xbb, 0xcc],
        };
        let file = pcap_bytes(&[frame], WallTime(2_000));
        assert_eq!(file[..4], [0x4d, 0x3c, 0xb2, 0xa1]);
        assert_eq!(file[20..24], [1, 0, 0, 0]);
        assert_eq!(
            file[24..],
            [
                3, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 0xaa, 0xbb, 0xcc
            ]
        );
    }

    fn frame(bytes: &[u8]) -> Frame {
        Frame::from_l2(bytes)
    }

    #[test]
    fn a_full_capture_counts_what_it_misses() {
        let mut capture = Capture::new(CapturePoint::Link("l".into()), 1);
        capture.add(Instant::ZERO, CaptureDirection::AToB, &frame(b"a"));
        capture.add(Instant::ZERO, CaptureDirection::BToA, &frame(b"b"));
        let take = capture.take(usize::MAX);
        assert_eq!((take.frames.len(), take.missed), (1, 1));
        assert!(!capture.has_news());
    }

    #[test]
    fn a_capture_holds_a_bounded_number_of_octets() {
        let mut capture = Capture::new(CapturePoint::Link("l".into()), usize::MAX);
        let jumbo = frame(&[0; 9000]);
        for _ in 0..=CAPTURE_OCTETS_MAX / 9000 {
            capture.add(Instant::ZERO, CaptureDirection::AToB, &jumbo);
        }
        assert_eq!(capture.take(0).missed, 1);
        capture.add(Instant::ZERO, CaptureDirection::AToB, &jumbo);
        assert_eq!(
            capture.take(20_000).frames.len(),
            2,
            "and there is room again"
        );
        assert!(capture.take(usize::MAX).frames.len() > 1000);
    }

    #[test]
    fn a_super_frame_is_captured_as_the_frames_it_stands_for() {
        use skybridge_wire::tcp::{TcpFlags, TcpRepr};
        use skybridge_wire::{EtherType, EthernetRepr, Tags, ipv4::Ipv4Repr, protocol, tcp};
        let (src, dst) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let mut packet = Vec::new();
        Ipv4Repr::new(src, dst, protocol::TCP, 20 + 2_500).emit(&mut packet);
        TcpRepr {
            src_port: 1,
            dst_port: 2,
            seq: 7,
            ack: 0,
            flags: TcpFlags::ACK,
            window: 1,
            options: &[],
        }
        .emit(src.into(), dst.into(), &[0x55; 2_500], &mut packet);
        let mut whole = Frame::with_headroom(&packet);
        EthernetRepr {
            dst: skybridge_base::MacAddr::BROADCAST,
            src: skybridge_base::MacAddr::BROADCAST,
            tags: Tags::dot1q(VlanId::new(5).unwrap()),
            ethertype: EtherType::IPV4,
        }
        .push(&mut whole);
        whole.meta.gso_size = 1_000;
        let mut capture = Capture::new(CapturePoint::Link("l".into()), 10);
        capture.add(Instant::ZERO, CaptureDirection::AToB, &whole);
        let frames = capture.take(usize::MAX).frames;
        let lengths: Vec<usize> = frames.iter().map(|f| f.bytes.len()).collect();
        assert_eq!(lengths, [1_058, 1_058, 558]);
        for frame in frames {
            let segment = tcp::parse(&frame.bytes[38..]).unwrap();
            assert!(segment.is_checksum_valid(src.into(), dst.into()));
        }
    }

    #[test]
    fn a_circuit_is_told_from_others_on_its_link_by_its_outer_tag() {
        use skybridge_wire::{EtherType, Tags};
        let vlan = |id| VlanId::new(id).unwrap();
        let tagged = |s| {
            let mut bytes = Vec::new();
            let mac = skybridge_base::MacAddr::BROADCAST;
            let tags = Tags::qinq(vlan(s), vlan(100));
            ethernet::emit(mac, mac, tags, EtherType::IPV4, &mut bytes);
            frame(&bytes)
        };
        let point = CapturePoint::Circuit {
            link: "l".into(),
            s_tag: vlan(7),
        };
        let mut capture = Capture::new(point, 10);
        for s in [7, 8, 100] {
            capture.add(Instant::ZERO, CaptureDirection::AToB, &tagged(s));
        }
        capture.add(Instant::ZERO, CaptureDirection::AToB, &frame(b"short"));
        assert_eq!(capture.take(usize::MAX).frames.len(), 1);
    }
}
