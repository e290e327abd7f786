//! TAP devices of Linux: `Documentation/networking/tuntap.rst`.
#![allow(
    unsafe_code,
    reason = "TUNSETIFF has no safe wrapper; the one call states its contract"
)]

use std::ffi::c_short;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::ioctl::{self, Opcode, Updater};

use crate::{NAME_LEN_MAX, is_name};

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
            flags: IFF_TAP | IFF_NO_PI,
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
