//! Systems without TAP devices of Linux's kind.

use std::io;

/// An Ethernet port of the kernel. There is none on this system.
#[derive(Debug)]
pub struct Tap {
    never: std::convert::Infallible,
}

impl Tap {
    /// Always fails.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`].
    pub fn create(_name: &str) -> io::Result<Self> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "TAP devices need Linux; use internal hosts on this system",
        ))
    }

    /// The interface's name.
    #[must_use]
    pub const fn name(&self) -> &str {
        match self.never {}
    }

    /// The next frame.
    ///
    /// # Errors
    /// Never: there is no such device.
    pub const fn read(&mut self, _buf: &mut [u8]) -> io::Result<Option<usize>> {
        match self.never {}
    }

    /// Hands a frame to the kernel.
    ///
    /// # Errors
    /// Never: there is no such device.
    pub const fn write(&mut self, _frame: &[u8]) -> io::Result<bool> {
        match self.never {}
    }
}
