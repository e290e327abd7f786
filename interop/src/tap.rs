//! A TAP device in a network namespace.

use std::fs::File;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use skybridge_netdev::Tap;
use skybridge_wire::Frame;

/// Longest frame that the device hands over.
const FRAME_LEN_MAX: usize = 65_536;

/// One end of a cable: the other end is a network interface in a namespace.
#[derive(Debug)]
pub(crate) struct Cable {
    device: Tap,
    buffer: Vec<u8>,
}

impl Cable {
    /// Makes the interface `name` in the namespace that `ip netns` calls `namespace`.
    pub(crate) fn create(namespace: &str, name: &str) -> Result<Self> {
        let path = format!("/run/netns/{namespace}");
        let name = name.to_owned();
        // A thread of its own, since the way back out of a namespace is long.
        let device = thread::spawn(move || {
            let entry = File::open(&path).with_context(|| format!("open {path}"))?;
            move_into_link_name_space(entry.as_fd(), Some(LinkNameSpaceType::Network))
                .with_context(|| format!("enter {path}"))?;
            Tap::create(&name).with_context(|| format!("make the TAP device {name}"))
        })
        .join()
        .map_err(|_| anyhow!("the thread that makes a TAP device died"))??;
        Ok(Self {
            device,
            buffer: vec![0; FRAME_LEN_MAX],
        })
    }

    /// Every frame that waits.
    pub(crate) fn receive(&mut self, frames: &mut Vec<Frame>) -> Result<()> {
        loop {
            let read = self.device.read(&mut self.buffer);
            match read.context("read from the TAP device")? {
                Some(len) => frames.push(Frame::from_l2(&self.buffer[..len])),
                None => return Ok(()),
            }
        }
    }

    /// Sends a frame; one that the kernel cannot take is lost, as on a cable.
    pub(crate) fn send(&mut self, frame: &Frame) -> Result<()> {
        let _is_taken = self
            .device
            .write(frame.bytes())
            .context("write to the TAP device")?;
        Ok(())
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
