//! Readiness of descriptors. The one place of this crate that needs `unsafe`: `polling` asks that a source
//! is deleted from the poller before it is closed, which [`Watched`] guarantees by owning the source.
#![allow(
    unsafe_code,
    reason = "polling::Poller::add is unsafe; Watched upholds its contract"
)]

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use polling::{Event, PollMode, Poller};

/// A source that is registered with a poller for as long as it lives. Only shared references to the source
/// are handed out, so that it cannot be replaced while registered.
#[derive(Debug)]
pub(crate) struct Watched<T: AsFd + AsRawFd> {
    source: T,
    key: usize,
    poller: Arc<Poller>,
}

impl<T: AsFd + AsRawFd> Watched<T> {
    /// Registers a source with nothing awaited.
    pub(crate) fn new(poller: &Arc<Poller>, source: T, key: usize) -> io::Result<Self> {
        // SAFETY: the source is owned by the value built below, never replaced, and deleted from the poller
        // in `drop`, which runs before the source field is dropped and closed.
        unsafe { poller.add(source.as_raw_fd(), Event::none(key))? };
        Ok(Self {
            source,
            key,
            poller: Arc::clone(poller),
        })
    }

    /// The source.
    pub(crate) const fn source(&self) -> &T {
        &self.source
    }

    /// Awaits readiness once. A hang-up is reported even when nothing is awaited.
    pub(crate) fn arm(&self, readable: bool, writable: bool) -> io::Result<()> {
        self.poller.modify(
            self.source.as_fd(),
            Event::new(self.key, readable, writable),
        )
    }
}

impl<T: AsFd + AsRawFd> Watched<T> {
    /// Awaits that there is something to read, again and again without being asked: for sources that are
    /// read at each turn anyway.
    pub(crate) fn keep_reading(&self) -> io::Result<()> {
        let event = Event::readable(self.key);
        (self.poller).modify_with_mode(self.source.as_fd(), event, PollMode::Level)
    }
}

impl<T: AsFd + AsRawFd> Drop for Watched<T> {
    fn drop(&mut self) {
        // Fails only when the descriptor is not registered, and then there is nothing to undo.
        self.poller.delete(self.source.as_fd()).ok();
    }
}
