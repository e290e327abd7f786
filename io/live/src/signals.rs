//! Ctrl-C and SIGTERM as bytes in a socket, for the driver's poller.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};

/// The exit code of a process that a second signal ends: 128 + SIGINT.
const IMPATIENT: i32 = 130;

/// Handlers that are removed when dropped.
#[derive(Debug)]
pub(crate) struct Signals {
    ids: Vec<SigId>,
}

impl Signals {
    /// Catches the signals. The stream becomes readable when one comes. A second one ends the process where
    /// it stands, should the loop not react to the first.
    pub(crate) fn catch() -> io::Result<(Self, UnixStream)> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        let mut signals = Self { ids: Vec::new() };
        let before = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let ids = [
                flag::register_conditional_shutdown(signal, IMPATIENT, Arc::clone(&before))?,
                flag::register(signal, Arc::clone(&before))?,
                low_level::pipe::register(signal, writer.try_clone()?)?,
            ];
            signals.ids.extend(ids);
        }
        Ok((signals, reader))
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            low_level::unregister(id);
        }
    }
}
