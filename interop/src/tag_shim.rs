//! A tagged sub-interface for kernels that have no 802.1Q devices: a TAP device without tags, whose frames leave
//! and come in by another interface with one.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use skybridge_base::VlanId;
use skybridge_netdev::{Buffers, Namespace, Port};
use skybridge_wire::{Frame, Tags, ethernet};

/// Frames of an interface per turn.
const BURST: usize = 64;
/// How long the end of the shim may wait.
const STOP_MAX: Duration = Duration::from_millis(100);

/// A sub-interface, or a cable where both sides have the same tags; it goes when dropped.
#[derive(Debug)]
pub(crate) struct TagShim {
    stopped: Arc<AtomicBool>,
    held: Arc<AtomicBool>,
    carrying: Option<JoinHandle<io::Result<()>>>,
}

/// What `ip link add link PARENT name NAME type vlan id ID` asks for.
#[derive(Debug)]
pub(crate) struct SubInterface {
    parent: String,
    pub(crate) name: String,
    tag: VlanId,
}

impl SubInterface {
    /// Reads that command, with whatever stands in front of it.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let (_, words) = line.split_once("ip link add link ")?;
        let words: Vec<&str> = words.split_whitespace().collect();
        let [parent, "name", name, "type", "vlan", "id", id] = words[..] else {
            return None;
        };
        Some(Self {
            parent: parent.to_owned(),
            name: name.to_owned(),
            tag: VlanId::new(id.parse().ok()?)?,
        })
    }
}

impl TagShim {
    /// Makes the sub-interface in the namespace that `ip netns` calls so.
    pub(crate) fn create(namespace: &str, wanted: &SubInterface) -> Result<Self> {
        let place = Namespace::named(namespace)?.context("no such namespace")?;
        let (tagged, untagged) = place
            .inside(|| Ok((Port::packet(&wanted.parent)?, Port::tap(&wanted.name)?)))
            .with_context(|| format!("make {} in {namespace}", wanted.name))?;
        Ok(Self::between(tagged, untagged, Tags::dot1q(wanted.tag)))
    }

    /// Joins two ports; on the first one frames have these tags.
    pub(crate) fn between(mut tagged: Port, mut untagged: Port, tags: Tags) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let held = Arc::new(AtomicBool::new(false));
        let (is_over, is_held) = (Arc::clone(&stopped), Arc::clone(&held));
        let carrying = thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                if is_held.load(Ordering::Relaxed) {
                    thread::sleep(STOP_MAX);
                } else {
                    carry(&mut tagged, &mut untagged, tags)?;
                }
            }
            Ok(())
        });
        Self {
            stopped,
            held,
            carrying: Some(carrying),
        }
    }

    /// Reads nothing of either side for a while: what is on its way stays where it is.
    pub(crate) fn hold(&self, is_held: bool) {
        self.held.store(is_held, Ordering::Relaxed);
    }
}

impl Drop for TagShim {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // What it says in the end is that its namespace has gone, at most.
        self.carrying.take().map(JoinHandle::join);
    }
}

/// Waits for frames, not for long, and carries some both ways.
fn carry(tagged: &mut Port, untagged: &mut Port, tags: Tags) -> io::Result<()> {
    let mut pool = Buffers::default();
    let mut frames = Vec::new();
    let patience = Timespec::try_from(STOP_MAX).map_err(io::Error::other)?;
    let ready = |port| PollFd::from_borrowed_fd(port, PollFlags::IN);
    let mut watched = [ready(tagged.as_fd()), ready(untagged.as_fd())];
    match poll(&mut watched, Some(&patience)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    tagged.receive(&mut pool, &mut frames, BURST)?;
    for frame in frames.drain(..) {
        if let Some(frame) = with_tags(frame, tags, Tags::Untagged) {
            untagged.send(frame, &mut pool)?;
        }
    }
    untagged.receive(&mut pool, &mut frames, BURST)?;
    for frame in frames.drain(..) {
        if let Some(frame) = with_tags(frame, Tags::Untagged, tags) {
            tagged.send(frame, &mut pool)?;
        }
    }
    Ok(())
}

/// The frame with other tags, when it has these and no others.
fn with_tags(mut frame: Frame, old: Tags, new: Tags) -> Option<Frame> {
    let has = ethernet::parse(frame.bytes()).ok()?.tags();
    (has == old && ethernet::retag(&mut frame, new).is_ok()).then_some(frame)
}
