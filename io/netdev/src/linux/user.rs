//! User namespaces: what an ordinary user needs to have network namespaces of their own.

use std::fs;
use std::io;

use rustix::process::{getegid, geteuid};
use rustix::thread::{CapabilitySet, UnshareFlags};

use super::namespace::leave;

/// Whether this process may make network namespaces.
#[must_use]
pub fn may_make_namespaces() -> bool {
    rustix::thread::capabilities(None).is_ok_and(|sets| {
        sets.effective
            .contains(CapabilitySet::SYS_ADMIN | CapabilitySet::NET_ADMIN)
    })
}

/// Moves this process into a user namespace of its own, in which it may make network namespaces. The user
/// keeps their number, and programs started there keep the capabilities over it.
///
/// # Errors
/// [`PermissionDenied`](io::ErrorKind::PermissionDenied) where the system lets ordinary users have none;
/// [`InvalidInput`](io::ErrorKind::InvalidInput) when the process has other threads already.
pub fn enter_own_user_namespace() -> io::Result<()> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    leave(UnshareFlags::NEWUSER)?;
    // user_namespaces(7): without this the kernel takes no map of groups from an ordinary user.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    if may_make_namespaces() {
        Ok(())
    } else {
        // AppArmor's rule of Ubuntu 24.04 gives the namespace but no capability in it.
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

/// Lets what this thread executes keep the capabilities that it has itself.
pub(super) fn hand_down_capabilities() -> io::Result<()> {
    let mut sets = rustix::thread::capabilities(None)?;
    sets.inheritable = sets.permitted;
    rustix::thread::set_capabilities(None, sets)?;
    for capability in sets.permitted.iter() {
        rustix::thread::configure_capability_in_ambient_set(capability, true)?;
    }
    Ok(())
}
