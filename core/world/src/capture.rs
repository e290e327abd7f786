//! Captures and the file format that packet analysers read.

use skybridge_base::{Instant, WallTime};
use skybridge_blueprint::{LinkName, NodeName, PortName};

/// Where frames are captured.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CapturePoint {
    /// Frames that a link delivered, in both directions; lost frames are not seen.
    Link(LinkName),
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
    /// The frame from its destination address, without FCS. A super-frame of an offloading port
    /// appears whole.
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

#[derive(Debug)]
pub(crate) struct Capture {
    pub(crate) point: CapturePoint,
    pub(crate) frames_max: usize,
    pub(crate) take: CaptureTake,
}

impl Capture {
    pub(crate) fn add(&mut self, at: Instant, direction: CaptureDirection, bytes: &[u8]) {
        if self.take.frames.len() < self.frames_max {
            self.take.frames.push(Captured {
                at,
                direction,
                bytes: bytes.to_vec(),
            });
        } else {
            self.take.missed += 1;
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

    #[test]
    fn a_full_capture_counts_what_it_misses() {
        let mut capture = Capture {
            point: CapturePoint::Link("l".into()),
            frames_max: 1,
            take: CaptureTake::default(),
        };
        capture.add(Instant::ZERO, CaptureDirection::AToB, b"a");
        capture.add(Instant::ZERO, CaptureDirection::BToA, b"b");
        assert_eq!(capture.take.frames.len(), 1);
        assert_eq!(capture.take.missed, 1);
    }
}
