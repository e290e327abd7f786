//! An owned frame with room in front, so that headers come and go without copying the payload.

use crate::bytes;

/// Bytes kept free in front of a new payload: Ethernet with two tags (22) plus an outer tunnel
/// header (up to 74: Ethernet, IPv6, UDP, VXLAN with a spare word).
pub const HEADROOM: usize = 96;

/// What is known about the transport checksum inside a frame.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum ChecksumState {
    /// Nothing is known; whoever relies on it verifies.
    #[default]
    Unknown,
    /// Verified on the way in.
    Valid,
    /// The checksum field holds only the pseudo-header's sum; the bytes from `start` must be summed
    /// into the field at `start + offset` before the frame leaves a port that does not do so.
    Partial {
        /// Where summing starts, from the first byte of the frame. Moves with pushes and pops.
        start: u16,
        /// The checksum field's place, from `start`.
        offset: u16,
    },
}

/// What travels beside the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Meta {
    /// Offset of the layer 3 header from the first byte of the frame. Moves with pushes and pops.
    pub l3_offset: u16,
    /// Payload bytes per segment of a super-frame; 0 for an ordinary frame.
    pub gso_size: u16,
    /// State of the transport checksum.
    pub csum: ChecksumState,
    /// Identity of a probe whose every hop is reported; 0 for ordinary frames. Never on the wire.
    pub trace: u32,
}

/// An owned frame. Moved, not copied; `clone` copies the bytes and is therefore always spelled out.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    buf: Vec<u8>,
    start: usize,
    /// What travels beside the bytes.
    pub meta: Meta,
}

/// Equal when bytes and metadata are; the room in front does not count.
impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes() && self.meta == other.meta
    }
}

impl Eq for Frame {}

impl Frame {
    /// A frame that holds `payload_l3` (an IP or ARP packet) with [`HEADROOM`] in front.
    #[must_use]
    pub fn with_headroom(payload_l3: &[u8]) -> Self {
        let mut frame = Self::default();
        frame.refill(payload_l3);
        frame
    }

    /// A frame from a whole layer 2 frame; `meta.l3_offset` is left at 0.
    #[must_use]
    pub fn from_l2(bytes: &[u8]) -> Self {
        Self::with_headroom(bytes)
    }

    /// Takes over `buf`, whose first `start` bytes are room in front. `start` is clamped.
    #[must_use]
    pub fn from_vec(buf: Vec<u8>, start: usize) -> Self {
        let start = start.min(buf.len());
        Self {
            buf,
            start,
            meta: Meta::default(),
        }
    }

    /// The buffer, without the frame in it: for whoever fills it anew.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.buf
    }

    /// The frame's bytes.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        bytes::from(&self.buf, self.start)
    }

    /// The frame's bytes, to change.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.buf.get_mut(self.start..).unwrap_or(&mut [])
    }

    /// The bytes from the layer 3 header (`meta.l3_offset`) to the end.
    #[must_use]
    #[inline]
    pub fn l3(&self) -> &[u8] {
        bytes::from(self.bytes(), usize::from(self.meta.l3_offset))
    }

    /// The bytes from the layer 3 header to the end, to change.
    #[inline]
    pub fn l3_mut(&mut self) -> &mut [u8] {
        let at = usize::from(self.meta.l3_offset);
        self.bytes_mut().get_mut(at..).unwrap_or(&mut [])
    }

    /// Bytes in the frame.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.buf.len().saturating_sub(self.start)
    }

    /// True when there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that can be pushed without moving the payload.
    #[must_use]
    pub const fn headroom(&self) -> usize {
        self.start
    }

    /// Adds `n` bytes in front and gives them out; they hold whatever was there, so the caller
    /// writes them all. Moves the payload only when the headroom is used up.
    #[inline]
    pub fn push_front(&mut self, n: usize) -> &mut [u8] {
        if n > self.start {
            let missing = n.saturating_sub(self.start).saturating_add(HEADROOM);
            self.buf.splice(0..0, std::iter::repeat_n(0, missing));
            self.start = self.start.saturating_add(missing);
        }
        self.start = self.start.saturating_sub(n);
        self.move_offsets(|at| at.saturating_add(bytes::len_u16(n)));
        self.bytes_mut().get_mut(..n).unwrap_or(&mut [])
    }

    /// Adds `header` in front.
    pub fn push_header(&mut self, header: &[u8]) {
        self.push_front(header.len()).copy_from_slice(header);
    }

    /// Takes `n` bytes off the front, at most all.
    #[inline]
    pub fn pop_front(&mut self, n: usize) {
        let n = n.min(self.len());
        self.start = self.start.saturating_add(n);
        self.move_offsets(|at| at.saturating_sub(bytes::len_u16(n)));
    }

    /// Cuts the frame to `len` bytes; does nothing when it is shorter.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.buf.truncate(self.start.saturating_add(len));
    }

    /// Adds bytes at the end.
    pub fn extend(&mut self, more: &[u8]) {
        self.buf.extend_from_slice(more);
    }

    /// Forgets everything and holds `payload` with [`HEADROOM`] in front; keeps the allocation.
    pub fn refill(&mut self, payload: &[u8]) {
        self.buf.clear();
        self.buf.reserve(HEADROOM.saturating_add(payload.len()));
        self.buf.resize(HEADROOM, 0);
        self.buf.extend_from_slice(payload);
        self.start = HEADROOM;
        self.meta = Meta::default();
    }

    #[inline]
    fn move_offsets(&mut self, to: impl Fn(u16) -> u16) {
        self.meta.l3_offset = to(self.meta.l3_offset);
        if let ChecksumState::Partial { start, .. } = &mut self.meta.csum {
            *start = to(*start);
        }
    }
}

/// A bounded free list of buffers. Taking from an empty pool allocates; giving back to a full pool,
/// or giving back a buffer above [`FramePool::BUFFER_LEN_MAX`], frees it.
#[derive(Clone, Debug)]
pub struct FramePool {
    free: Vec<Frame>,
    frames_max: usize,
}

impl FramePool {
    /// Larger buffers are not kept: a whole GSO super-frame with its headroom still is.
    pub const BUFFER_LEN_MAX: usize = 72 * 1024;

    /// A pool that keeps at most `frames_max` buffers.
    #[must_use]
    pub const fn new(frames_max: usize) -> Self {
        Self {
            free: Vec::new(),
            frames_max,
        }
    }

    /// A frame that holds `payload` with headroom in front, in a recycled buffer if there is one.
    #[must_use]
    pub fn take(&mut self, payload: &[u8]) -> Frame {
        let mut frame = self.free.pop().unwrap_or_default();
        frame.refill(payload);
        frame
    }

    /// Gives a frame's buffer back.
    pub fn give(&mut self, frame: Frame) {
        if self.free.len() < self.frames_max && frame.buf.capacity() <= Self::BUFFER_LEN_MAX {
            self.free.push(frame);
        }
    }

    /// Buffers waiting.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.free.len()
    }

    /// True when no buffer waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.free.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_and_go_without_touching_the_payload() {
        let mut frame = Frame::with_headroom(b"payload");
        frame.meta.csum = ChecksumState::Partial {
            start: 2,
            offset: 1,
        };
        frame.push_header(b"ethernet");
        assert_eq!(frame.bytes(), b"ethernetpayload");
        assert_eq!(frame.l3(), b"payload");
        assert_eq!(
            frame.meta.csum,
            ChecksumState::Partial {
                start: 10,
                offset: 1
            }
        );
        frame.pop_front(8);
        assert_eq!(frame.bytes(), b"payload");
        assert_eq!(frame.meta.l3_offset, 0);
        assert_eq!(frame.headroom(), HEADROOM);
    }

    #[test]
    fn pushing_beyond_the_headroom_makes_more() {
        let mut frame = Frame::with_headroom(b"x");
        frame.push_front(HEADROOM + 10).fill(7);
        assert_eq!(frame.len(), HEADROOM + 11);
        assert_eq!(frame.bytes().last(), Some(&b'x'));
        assert_eq!(frame.headroom(), HEADROOM);
    }

    #[test]
    fn popping_and_cutting_stop_at_the_ends() {
        let mut frame = Frame::with_headroom(b"abc");
        frame.truncate(9);
        assert_eq!(frame.len(), 3);
        frame.pop_front(9);
        assert!(frame.is_empty());
        assert_eq!(frame.l3(), b"");
    }

    #[test]
    fn a_pool_reuses_buffers_up_to_its_limit() {
        let mut pool = FramePool::new(1);
        pool.give(Frame::with_headroom(b"one"));
        pool.give(Frame::with_headroom(b"two"));
        assert_eq!(pool.len(), 1);
        let mut frame = pool.take(b"three");
        assert_eq!(frame.bytes(), b"three");
        assert_eq!(frame.meta, Meta::default());
        assert!(pool.is_empty());
        frame.extend(&vec![0; FramePool::BUFFER_LEN_MAX]);
        pool.give(frame);
        assert!(pool.is_empty());
    }
}
