//! TAP devices of Linux: `Documentation/networking/tuntap.rst`.
#![allow(
    unsafe_code,
    reason = "the ioctls of TUN have no safe wrapper; each call states its contract"
)]

use std::ffi::c_short;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::ioctl::{self, Opcode, Updater};

use crate::{NAME_LEN_MAX, is_name};

/// `_IOW('T', 208, unsigned int)`: which unfinished frames the kernel may hand over.
const TUNSETOFFLOAD: Opcode = ioctl::opcode::write::<std::ffi::c_uint>(b'T', 208);
/// `_IOW('T', 226, int)`: whether the interface has a carrier.
const TUNSETCARRIER: Opcode = ioctl::opcode::write::<std::ffi::c_int>(b'T', 226);
/// A `struct virtio_net_hdr` in front of each frame.
const IFF_VNET_HDR: c_short = 0x4000;
/// Sets of `TUN_F_CSUM` (1), `TUN_F_TSO4` (2), `TUN_F_TSO6` (4), `TUN_F_TSO_ECN` (8), `TUN_F_USO4` (32) and
/// `TUN_F_USO6` (64; both since Linux 6.2), the greatest first.
const OFFLOADS: [usize; 4] = [0x6f, 0x0f, 0x01, 0x00];

/// `_IOW('T', 202, int)`: join this descriptor to an interface.
const TUNSETIFF: Opcode = ioctl::opcode::write::<std::ffi::c_int>(b'T', 202);
/// Ethernet frames, not IP packets.
const IFF_TAP: c_short = 0x0002;
/// No header of flags and protocol in front of each frame.
const IFF_NO_PI: c_short = 0x1000;

/// `struct ifreq` as TUNSETIFF reads it: the name, the flags, and what is left of the union of 24 octets.
#[repr(C)]
#[derive(Clone, Copy)]
struct InterfaceRequest {
    name: [u8; NAME_LEN_MAX + 1],
    flags: c_short,
    rest: [u8; 22],
}

/// An Ethernet port whose other end is an interface of the kernel. The interface goes when this does.
#[derive(Debug)]
pub struct Tap {
    device: OwnedFd,
    name: String,
}

impl Tap {
    /// Makes the interface `name` in the network namespace of the calling thread, or opens it when it is
    /// there, persistent and not in use. It is down and has no address.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a name that the kernel would not take,
    /// [`NotFound`](io::ErrorKind::NotFound) without `/dev/net/tun`,
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) without `CAP_NET_ADMIN` in the namespace,
    /// [`ResourceBusy`](io::ErrorKind::ResourceBusy) when somebody uses the interface.
    pub fn create(name: &str) -> io::Result<Self> {
        Self::open(name, 0)
    }

    /// As [`Tap::create`], with a header in front of each frame, and the kernel may leave checksums and
    /// segmentation to whoever receives a frame, as far as it offers that.
    pub(crate) fn create_offloading(name: &str) -> io::Result<Self> {
        let tap = Self::open(name, IFF_VNET_HDR)?;
        let mut refused = None;
        for offloads in OFFLOADS {
            // SAFETY: TUNSETOFFLOAD takes its argument by value and touches no memory of ours.
            let set = unsafe {
                ioctl::ioctl(
                    &tap.device,
                    ioctl::IntegerSetter::<TUNSETOFFLOAD>::new_usize(offloads),
                )
            };
            match set {
                Ok(()) => return Ok(tap),
                Err(errno) => refused = Some(errno),
            }
        }
        Err(refused.map_or_else(|| io::ErrorKind::Unsupported.into(), io::Error::from))
    }

    /// Shows the interface's users whether its cable is plugged in.
    ///
    /// # Errors
    /// What the kernel says; before Linux 5.0 it does not know the order.
    pub(crate) fn set_carrier(&self, up: bool) -> io::Result<()> {
        let mut value = std::ffi::c_int::from(up);
        // SAFETY: TUNSETCARRIER reads an `int` and nothing else.
        unsafe {
            ioctl::ioctl(
                &self.device,
                Updater::<TUNSETCARRIER, std::ffi::c_int>::new(&mut value),
            )?;
        }
        Ok(())
    }

    fn open(name: &str, more_flags: c_short) -> io::Result<Self> {
        if !is_name(name) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{name:?} is no interface name of 1 to {NAME_LEN_MAX} octets"),
            ));
        }
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let device = rustix::fs::open("/dev/net/tun", flags, Mode::empty())?;
        let mut request = InterfaceRequest {
            name: [0; NAME_LEN_MAX + 1],
            flags: IFF_TAP | IFF_NO_PI | more_flags,
            rest: [0; 22],
        };
        request.name[..name.len()].copy_from_slice(name.as_bytes());
        // SAFETY: TUNSETIFF reads a `struct ifreq` and writes it back: 40 octets on 64-bit Linux and 32
        // on 32-bit systems, neither more than the request has; any octets are valid in it. The request
        // outlives the call, and `Updater` tells the compiler that it may change.
        unsafe {
            ioctl::ioctl(
                &device,
                Updater::<TUNSETIFF, InterfaceRequest>::new(&mut request),
            )?;
        }
        let name_len = request.name.iter().take_while(|&&octet| octet != 0).count();
        let name = String::from_utf8_lossy(&request.name[..name_len]).into_owned();
        Ok(Self { device, name })
    }

    /// A datagram socket in the place of the device.
    #[cfg(test)]
    pub(super) fn over(device: OwnedFd) -> Self {
        Self {
            device,
            name: String::new(),
        }
    }

    /// The interface's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next frame that the kernel sends, without FCS; `None` when there is none at present. A frame
    /// longer than `buf` is cut: 64 KiB hold any.
    ///
    /// # Errors
    /// What the kernel says, such as that the interface is down.
    pub fn read(&mut self, buf: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match rustix::io::read(&self.device, &mut *buf) {
                Ok(count) => return Ok(Some(count)),
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Hands a frame without FCS to the kernel. False when its queue is full and the frame is lost.
    ///
    /// # Errors
    /// What the kernel says, such as that the interface is down.
    pub fn write(&mut self, frame: &[u8]) -> io::Result<bool> {
        loop {
            match rustix::io::write(&self.device, frame) {
                // A frame goes whole or not at all.
                Ok(_) => return Ok(true),
                Err(Errno::AGAIN | Errno::NOBUFS) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}
