//! Systems without devices and namespaces of Linux's kind.

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use skybridge_wire::Frame;

use crate::{Buffers, PortCounters, Sent, Station};

fn unsupported() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "network namespaces and TAP devices need Linux; use internal hosts on this system",
    )
}

/// An Ethernet port of the kernel. There is none on this system.
#[derive(Debug)]
pub struct Tap {
    never: Infallible,
}

impl Tap {
    /// Always fails.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`].
    pub fn create(_name: &str) -> io::Result<Self> {
        Err(unsupported())
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

/// A device of the kernel. There is none on this system.
#[derive(Debug)]
pub struct Port {
    never: Infallible,
}

impl Port {
    /// Always fails.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`].
    pub fn tap(_name: &str) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Always fails.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`].
    pub fn packet(_interface: &str) -> io::Result<Self> {
        Err(unsupported())
    }

    /// What was lost here.
    #[must_use]
    pub const fn counters(&self) -> &PortCounters {
        match self.never {}
    }

    /// Reads frames.
    ///
    /// # Errors
    /// Never: there is no such device.
    pub const fn receive(
        &mut self,
        _buffers: &mut Buffers,
        _frames: &mut Vec<Frame>,
        _count_max: usize,
    ) -> io::Result<usize> {
        match self.never {}
    }

    /// Hands a frame to the kernel.
    ///
    /// # Errors
    /// Never: there is no such device.
    pub fn send(&mut self, _frame: Frame, _buffers: &mut Buffers) -> io::Result<Sent> {
        match self.never {}
    }

    /// Plugs the interface in or out.
    pub const fn set_carrier(&self, _up: bool) {
        match self.never {}
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.never {}
    }
}

/// A network namespace. There is none on this system.
#[derive(Debug)]
pub struct Namespace {
    never: Infallible,
}

impl Namespace {
    /// Always fails.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`].
    pub fn create() -> io::Result<Self> {
        Err(unsupported())
    }

    /// Always fails.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`].
    pub fn named(_name: &str) -> io::Result<Option<Self>> {
        Err(unsupported())
    }

    /// Does `work` inside.
    ///
    /// # Errors
    /// Never: there is no such namespace.
    pub fn inside<T: Send>(&self, _work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        match self.never {}
    }

    /// The same namespace by another descriptor.
    ///
    /// # Errors
    /// Never: there is no such namespace.
    pub const fn try_clone(&self) -> io::Result<Self> {
        match self.never {}
    }

    /// The number of its descriptor.
    #[must_use]
    pub const fn number(&self) -> i32 {
        match self.never {}
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.never {}
    }
}

/// Always fails.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`].
pub fn set_up_without_address(_interface: &str) -> io::Result<()> {
    Err(unsupported())
}

/// Always fails.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`].
pub fn set_up(_interface: &str, _old: Option<&Station>, _new: &Station) -> io::Result<()> {
    Err(unsupported())
}

/// Always fails.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`].
pub fn enter(_holder: u32, _number: i32) -> io::Result<()> {
    Err(unsupported())
}

/// Always fails.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`].
pub fn show_hosts(_hosts: &str) -> io::Result<()> {
    Err(unsupported())
}

/// Never: there are none on this system.
#[must_use]
pub const fn may_make_namespaces() -> bool {
    false
}

/// Always fails.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`].
pub fn enter_own_user_namespace() -> io::Result<()> {
    Err(unsupported())
}
