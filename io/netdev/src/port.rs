//! What devices have in common on every system.

use std::net::IpAddr;

use ipnet::IpNet;
use skybridge_base::MacAddr;
use skybridge_wire::{Frame, FramePool};

/// Frames up to this length get a buffer of their own size: most are short, and a world that delays them holds
/// many.
pub(crate) const SHORT_LEN_MAX: usize = 2_048;
/// Emptied buffers that are kept: of short frames, and of super-frames.
const SHORT_KEPT_MAX: usize = 4_096;
const LONG_KEPT_MAX: usize = 256;

/// Emptied buffers of frames, shared by all ports: what comes in at one leaves by another.
#[derive(Debug)]
pub struct Buffers {
    short: FramePool,
    long: FramePool,
}

impl Default for Buffers {
    fn default() -> Self {
        Self {
            short: FramePool::new(SHORT_KEPT_MAX),
            long: FramePool::new(LONG_KEPT_MAX),
        }
    }
}

impl Buffers {
    /// A frame that holds `bytes`, in a buffer of their size.
    #[must_use]
    pub fn take(&mut self, bytes: &[u8]) -> Frame {
        self.short.take(bytes)
    }

    /// A buffer in which the longest frame may land; it holds nothing of use.
    #[must_use]
    pub fn take_long(&mut self) -> Vec<u8> {
        self.long.take(&[]).into_vec()
    }

    /// Gives a buffer back.
    pub fn give(&mut self, frame: Frame) {
        if frame.len() > SHORT_LEN_MAX {
            self.long.give(frame);
        } else {
            self.short.give(frame);
        }
    }
}

/// What became of a frame for the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    /// The kernel has it.
    Taken,
    /// Lost, and counted.
    Lost,
}

/// Frames that a port lost, by reason.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PortCounters {
    /// The kernel's queue was full.
    pub sent_full: u64,
    /// The interface was down.
    pub sent_down: u64,
    /// Frames that the kernel does not take: an impossible checksum, too long, no transport to segment.
    pub sent_unfit: u64,
    /// Frames of a kind that we do not take.
    pub received_unfit: u64,
}

/// An interface as it is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Station {
    /// Its station.
    pub mac: MacAddr,
    /// Its addresses with the link's prefix length.
    pub addresses: Vec<IpNet>,
    /// Default gateways, one per family.
    pub gateways: Vec<IpAddr>,
    /// Greatest IP packet in octets.
    pub mtu: u16,
}
