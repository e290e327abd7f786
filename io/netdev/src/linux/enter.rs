//! Going into a network namespace that another process of this user holds.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use super::namespace::leave;
use super::user::hand_down_capabilities;

/// Moves this process, which must have one thread only, into the network namespace that process `holder`
/// holds by descriptor `number`, and into the holder's user namespace where that is another. What the
/// process executes next runs there.
///
/// # Errors
/// What the system says: the holder has ended, or belongs to somebody else.
pub fn enter(holder: u32, number: i32) -> io::Result<()> {
    let network = File::open(format!("/proc/{holder}/fd/{number}"))?;
    let theirs = format!("/proc/{holder}/ns/user");
    if fs::read_link(&theirs)? != fs::read_link("/proc/self/ns/user")? {
        let user = File::open(&theirs)?;
        move_into_link_name_space(user.as_fd(), Some(LinkNameSpaceType::User))?;
        hand_down_capabilities()?;
    }
    move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
    Ok(())
}

/// Gives this process mounts of its own, with `hosts` as `/etc/hosts` and with a `/sys` that shows the
/// interfaces of its network namespace.
///
/// # Errors
/// What the system says; the programs run without it too, but know the other hosts by address only.
pub fn show_hosts(hosts: &str) -> io::Result<()> {
    leave(UnshareFlags::NEWNS)?;
    let flags = MountPropagationFlags::REC | MountPropagationFlags::DOWNSTREAM;
    rustix::mount::mount_change("/", flags)?;
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    // As `ip netns exec` does; a container may not allow it, and few programs look there.
    rustix::mount::mount("sysfs", "/sys", "sysfs", quiet, None).ok();
    // A file system for the one file, over a folder that is everywhere, until the file is in its place.
    let folder = Path::new("/tmp");
    rustix::mount::mount("skybridge", folder, "tmpfs", quiet, None)?;
    let file = folder.join("hosts");
    let shown =
        fs::write(&file, hosts).and_then(|()| Ok(rustix::mount::mount_bind(&file, "/etc/hosts")?));
    rustix::mount::unmount(folder, UnmountFlags::DETACH)?;
    shown
}
