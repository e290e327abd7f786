//! Network namespaces that live as long as a descriptor or a program in them, and have no name.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::thread;

use rustix::net::netdevice::name_to_index;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use super::netlink::Netlink;
use crate::Station;

/// A network namespace, held by a descriptor: when the process ends, however it ends, the kernel takes it
/// away as soon as no program runs in it.
#[derive(Debug)]
pub struct Namespace {
    entry: OwnedFd,
}

impl Namespace {
    /// Makes one, with its loopback up. It belongs to the calling thread's user namespace.
    ///
    /// # Errors
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) without `CAP_SYS_ADMIN`, or what else the
    /// kernel says.
    pub fn create() -> io::Result<Self> {
        // A thread of its own: it may leave its namespace and need not come back.
        apart(|| {
            leave(UnshareFlags::NEWNET)?;
            let entry = File::open("/proc/thread-self/ns/net")?;
            let loopback = index_of("lo")?;
            Netlink::open()?.set_link(loopback, None, None)?;
            set_up_for_programs();
            Ok(Self {
                entry: entry.into(),
            })
        })
    }

    /// The one that `ip netns` calls `name`; `None` when there is none.
    ///
    /// # Errors
    /// What the system says.
    pub fn named(name: &str) -> io::Result<Option<Self>> {
        if name.is_empty() || name.contains('/') || matches!(name, "." | "..") {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{name:?} is no name of a network namespace"),
            ));
        }
        match File::open(Path::new("/run/netns").join(name)) {
            Ok(entry) => Ok(Some(Self {
                entry: entry.into(),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Does `work` on a thread inside the namespace.
    ///
    /// # Errors
    /// What `work` says, or the system when it lets nobody in.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        apart(|| {
            move_into_link_name_space(self.entry.as_fd(), Some(LinkNameSpaceType::Network))?;
            work()
        })
    }

    /// The same namespace by another descriptor.
    ///
    /// # Errors
    /// When there are too many descriptors.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            entry: self.entry.try_clone()?,
        })
    }

    /// The number of the descriptor in this process, by which another one of the same user finds the
    /// namespace below `/proc`.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.entry.as_raw_fd()
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.entry.as_fd()
    }
}

/// Sets an interface of the calling thread's namespace up as `new`; what it had of `old` and has not any
/// more goes.
///
/// # Errors
/// What the kernel says, such as that there is no such interface.
pub fn set_up(interface: &str, old: Option<&Station>, new: &Station) -> io::Result<()> {
    let has_v6 = new.addresses.iter().any(|address| address.addr().is_ipv6());
    // Without an IPv6 address there is nothing to speak IPv6 for: no router solicitations, no multicast.
    write_setting(
        &format!("ipv6/conf/{interface}/disable_ipv6"),
        if has_v6 { "0" } else { "1" },
    );
    write_setting(&format!("ipv6/conf/{interface}/accept_ra"), "0");
    let index = index_of(interface)?;
    let mut netlink = Netlink::open()?;
    netlink.set_link(index, Some(new.mac), Some(new.mtu))?;
    for gone in old.into_iter().flat_map(|old| &old.addresses) {
        if !new.addresses.contains(gone) {
            netlink.remove_address(index, *gone)?;
        }
    }
    for address in &new.addresses {
        netlink.add_address(index, *address)?;
    }
    for gateway in &new.gateways {
        netlink.set_default_route(index, *gateway)?;
    }
    Ok(())
}

/// Brings an interface of the calling thread's namespace up for frames alone: the kernel is to say nothing
/// there itself.
///
/// # Errors
/// [`AddrInUse`](io::ErrorKind::AddrInUse) when it has an IPv4 address: then the kernel answers there, and
/// whoever gave it that address may need it. What the kernel says otherwise.
pub fn set_up_without_address(interface: &str) -> io::Result<()> {
    let index = index_of(interface)?;
    let mut netlink = Netlink::open()?;
    if netlink.has_address(index)? {
        return Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!(
                "{interface} has an address of this machine; take it away, or attach packet:{interface}"
            ),
        ));
    }
    write_setting(&format!("ipv6/conf/{interface}/disable_ipv6"), "1");
    netlink.set_link(index, None, None)
}

/// What programs in a namespace of ours may expect. None of it is needed for packets to flow.
fn set_up_for_programs() {
    // The lab's own probes come from the dynamic range of RFC 6335 §6, the programs' from below it.
    write_setting("ipv4/ip_local_port_range", "32768 49151");
    write_setting("ipv4/ip_unprivileged_port_start", "0");
    write_setting("ipv4/ping_group_range", "0 2147483647");
}

/// Sets `/proc/sys/net/…` of the calling thread's namespace. A kernel without the setting has no need of it.
fn write_setting(path: &str, value: &str) {
    std::fs::write(Path::new("/proc/sys/net").join(path), value).ok();
}

pub(super) fn index_of(interface: &str) -> io::Result<u32> {
    let socket = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    Ok(name_to_index(&socket, interface)?)
}

/// Runs `work` on a thread that ends with it, so that what it changes about its thread concerns nobody.
fn apart<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        thread::Builder::new()
            .name("namespace".to_owned())
            .spawn_scoped(scope, work)?
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("a thread in a namespace panicked")))
    })
}

/// Leaves namespaces for new ones.
#[allow(
    unsafe_code,
    reason = "unshare has no safe wrapper that is not deprecated"
)]
pub(super) fn leave(flags: UnshareFlags) -> io::Result<()> {
    if flags.contains(UnshareFlags::FILES) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the call is unsafe for what happens to descriptors with `UnshareFlags::FILES`, refused above.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}
