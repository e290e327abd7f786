//! Frames of the world in and out of a device of the kernel.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use skybridge_wire::Frame;
use skybridge_wire::frame::HEADROOM;

use super::packet::{Packet, Tag};
use super::tap::Tap;
use crate::port::SHORT_LEN_MAX;
use crate::vnet::{self, HEADER_LEN};
use crate::{Buffers, PortCounters, Sent};

/// Room for the longest super-frame with its header, and for what the world puts in front.
const LANDING_LEN: usize = 70_000;
#[derive(Debug)]
enum Device {
    Tap(Tap),
    Packet(Packet),
}

/// A device of the kernel that carries unfinished frames: super-frames, and checksums to be filled in.
#[derive(Debug)]
pub struct Port {
    device: Device,
    landing: Vec<u8>,
    counters: PortCounters,
}

impl Port {
    /// Makes a TAP interface in the calling thread's namespace; see [`Tap::create`].
    ///
    /// # Errors
    /// See [`Tap::create`].
    pub fn tap(name: &str) -> io::Result<Self> {
        Ok(Self::of(Device::Tap(Tap::create_offloading(name)?)))
    }

    /// All frames of an interface of the calling thread's namespace, which stays what it is. Frames that
    /// the kernel itself sends there are not among them.
    ///
    /// # Errors
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) without `CAP_NET_RAW`, or what else the kernel
    /// says, such as that there is no such interface.
    pub fn packet(interface: &str) -> io::Result<Self> {
        Ok(Self::of(Device::Packet(Packet::open(interface)?)))
    }

    const fn of(device: Device) -> Self {
        Self {
            device,
            landing: Vec::new(),
            counters: PortCounters {
                sent_full: 0,
                sent_down: 0,
                sent_unfit: 0,
                received_unfit: 0,
            },
        }
    }

    /// What was lost here.
    #[must_use]
    pub const fn counters(&self) -> &PortCounters {
        &self.counters
    }

    /// Reads up to `count_max` frames that wait. Fewer than that were there.
    ///
    /// # Errors
    /// What the kernel says, when the device is of no use any more.
    pub fn receive(
        &mut self,
        buffers: &mut Buffers,
        frames: &mut Vec<Frame>,
        count_max: usize,
    ) -> io::Result<usize> {
        let mut count = 0;
        while count < count_max {
            self.landing.clear();
            self.landing.reserve_exact(LANDING_LEN);
            self.landing.resize(HEADROOM - HEADER_LEN, 0);
            let tag = match self.land() {
                Ok(Some(tag)) => tag,
                Ok(None) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // A packet socket tells so once; frames come again when the interface is up again.
                Err(error) if error.kind() == io::ErrorKind::NetworkDown => break,
                Err(error) => return Err(error),
            };
            count += 1;
            match self.landed(tag, buffers) {
                Some(frame) => frames.push(frame),
                None => self.counters.received_unfit += 1,
            }
        }
        Ok(count)
    }

    /// Reads one frame behind the headroom, with the tag that the kernel took off it. `None`: there is none.
    fn land(&mut self) -> io::Result<Option<Option<Tag>>> {
        match &self.device {
            Device::Tap(tap) => {
                match rustix::io::read(tap.as_fd(), spare_capacity(&mut self.landing)) {
                    Ok(_) => Ok(Some(None)),
                    Err(Errno::AGAIN) => Ok(None),
                    Err(errno) => Err(errno.into()),
                }
            }
            Device::Packet(packet) => packet.receive(&mut self.landing),
        }
    }

    /// Makes a frame of what the kernel has put behind the headroom.
    fn landed(&mut self, tag: Option<Tag>, buffers: &mut Buffers) -> Option<Frame> {
        let header = self.landing.get(HEADROOM - HEADER_LEN..HEADROOM)?;
        let header: [u8; HEADER_LEN] = header.try_into().ok()?;
        let bytes = self.landing.get(HEADROOM..)?;
        let mut frame = if bytes.len() <= SHORT_LEN_MAX {
            buffers.take(bytes)
        } else {
            let next = buffers.take_long();
            Frame::from_vec(std::mem::replace(&mut self.landing, next), HEADROOM)
        };
        vnet::take(header, &mut frame).ok()?;
        if let Some(tag) = tag {
            put_back(tag, &mut frame);
        }
        Some(frame)
    }

    /// Hands a frame to the kernel, and its buffer back.
    ///
    /// # Errors
    /// What the kernel says, when the device is of no use any more.
    pub fn send(&mut self, mut frame: Frame, buffers: &mut Buffers) -> io::Result<Sent> {
        let Ok(header) = vnet::header(&frame) else {
            self.counters.sent_unfit += 1;
            return Ok(Sent::Lost);
        };
        frame.push_front(HEADER_LEN).copy_from_slice(&header);
        let sent = loop {
            match rustix::io::write(self.as_fd(), frame.bytes()) {
                // A frame goes whole or not at all.
                Ok(_) => break Sent::Taken,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM) => {
                    self.counters.sent_full += 1;
                    break Sent::Lost;
                }
                // The interface is down.
                Err(Errno::IO | Errno::NETDOWN) => {
                    self.counters.sent_down += 1;
                    break Sent::Lost;
                }
                // The kernel finds the frame impossible, such as a checksum that starts behind its end.
                Err(Errno::INVAL | Errno::MSGSIZE) => {
                    self.counters.sent_unfit += 1;
                    break Sent::Lost;
                }
                Err(errno) => return Err(errno.into()),
            }
        };
        buffers.give(frame);
        Ok(sent)
    }

    /// Shows whoever looks at the interface whether it is plugged in. A kernel that knows no such order
    /// shows it plugged in always.
    pub fn set_carrier(&self, up: bool) {
        match &self.device {
            Device::Tap(tap) => drop(tap.set_carrier(up)),
            // Whether it is plugged in is not ours to say.
            Device::Packet(_) => {}
        }
    }
}

/// Puts a tag between the addresses and the rest.
fn put_back((tpid, tci): Tag, frame: &mut Frame) {
    frame.push_front(4);
    let bytes = frame.bytes_mut();
    if bytes.len() < 16 {
        return;
    }
    bytes.copy_within(4..16, 0);
    bytes[12..14].copy_from_slice(&tpid.to_be_bytes());
    bytes[14..16].copy_from_slice(&tci.to_be_bytes());
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.device {
            Device::Tap(tap) => tap.as_fd(),
            Device::Packet(packet) => packet.as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    /// A port on one end of a pair of sockets that behave as a device does: frames whole, and EAGAIN when full.
    fn pair() -> (Port, Port) {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let (a, b) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        let port = |end| Port::of(Device::Tap(Tap::over(end)));
        (port(a), port(b))
    }

    #[test]
    fn a_full_device_loses_the_frame_counts_it_and_takes_the_next_when_there_is_room() {
        let (mut near, mut far) = pair();
        let mut pool = Buffers::default();
        let mut taken = 0_u64;
        while near.counters().sent_full == 0 {
            let frame = pool.take(&[1; 1000]);
            taken += u64::from(near.send(frame, &mut pool).unwrap() == Sent::Taken);
        }
        assert!(taken > 0);
        let mut frames = Vec::new();
        assert_eq!(
            far.receive(&mut pool, &mut frames, 2).unwrap(),
            2,
            "no more than asked"
        );
        let frame = pool.take(&[2; 1000]);
        assert_eq!(near.send(frame, &mut pool).unwrap(), Sent::Taken);
        while far.receive(&mut pool, &mut frames, 64).unwrap() > 0 {}
        assert_eq!(frames.len() as u64, taken + 1);
        assert_eq!(frames.last().unwrap().bytes(), [2; 1000]);
        assert_eq!(near.counters().sent_full, 1);
    }

    #[test]
    fn short_and_long_frames_arrive_whole_with_room_in_front() {
        let (mut near, mut far) = pair();
        let mut pool = Buffers::default();
        for len in [60, SHORT_LEN_MAX, SHORT_LEN_MAX + 1, 65_549] {
            let bytes: Vec<u8> = (0..=250).cycle().take(len).collect();
            let frame = pool.take(&bytes);
            assert_eq!(near.send(frame, &mut pool).unwrap(), Sent::Taken, "{len}");
            let mut frames = Vec::new();
            far.receive(&mut pool, &mut frames, 1).unwrap();
            assert_eq!(frames[0].bytes(), bytes);
            assert!(frames[0].headroom() >= 22, "for two tags");
        }
    }
}
