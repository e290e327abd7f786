//! A TAP device in a network namespace.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::ioctl::{Setter, ioctl};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use skybridge_wire::Frame;

/// TUNSETIFF of linux/if_tun.h.
const TUNSETIFF: rustix::ioctl::Opcode = 0x4004_54ca;
/// IFF_TAP | IFF_NO_PI: Ethernet frames without a header of the device's own.
const TAP_WITHOUT_HEADER: u16 = 0x0002 | 0x1000;
/// Longest frame that the device hands over.
const FRAME_LEN_MAX: usize = 65_536;

/// The part of the kernel's `struct ifreq` that TUNSETIFF reads.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// One end of a cable: the other end is a network interface in a namespace.
#[derive(Debug)]
pub(crate) struct Tap {
    device: File,
}

impl Tap {
    /// Makes the interface `name` in the namespace that `ip netns` calls `namespace`.
    pub(crate) fn create(namespace: &str, name: &str) -> Result<Self> {
        let path = format!("/run/netns/{namespace}");
        let name = name.to_owned();
        // A thread of its own, since entering a namespace cannot be undone without trouble.
        thread::spawn(move || {
            let entry = File::open(&path).with_context(|| format!("open {path}"))?;
            move_into_link_name_space(entry.as_fd(), Some(LinkNameSpaceType::Network))
                .with_context(|| format!("enter {path}"))?;
            open(&name)
        })
        .join()
        .map_err(|_| anyhow!("the thread that makes a TAP device died"))?
    }

    /// Every frame that waits.
    pub(crate) fn receive(&self, frames: &mut Vec<Frame>) -> Result<()> {
        let mut buffer = vec![0; FRAME_LEN_MAX];
        loop {
            match (&self.device).read(&mut buffer) {
                Ok(len) => frames.push(Frame::from_l2(&buffer[..len])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("read from the TAP device"),
            }
        }
    }

    /// Sends a frame; one that the kernel cannot take is lost, as on a cable.
    pub(crate) fn send(&self, frame: &Frame) -> Result<()> {
        match (&self.device).write(frame.bytes()) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error).context("write to the TAP device"),
        }
    }

    /// Waits until a frame is there, at most `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) -> Result<()> {
        let timeout = Timespec::try_from(timeout).context("a timeout in range")?;
        let mut watched = [PollFd::new(&self.device, PollFlags::IN)];
        match poll(&mut watched, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error).context("wait for the TAP device"),
        }
    }
}

#[allow(unsafe_code, reason = "TUNSETIFF has no safe wrapper")]
fn open(name: &str) -> Result<Tap> {
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open("/dev/net/tun")
        .context("open /dev/net/tun")?;
    let mut request = Request {
        name: [0; 16],
        flags: TAP_WITHOUT_HEADER,
        rest: [0; 22],
    };
    anyhow::ensure!(name.len() < request.name.len(), "interface name too long");
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: TUNSETIFF reads a `struct ifreq` of 40 octets, which `Request` is, with the name
    // zero-terminated; it keeps no pointer.
    unsafe { ioctl(&device, Setter::<TUNSETIFF, Request>::new(request)) }
        .context("make a TAP device")?;
    Ok(Tap { device })
}
