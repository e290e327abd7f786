//! Whether this system lets a lab have network namespaces, and what to do where it does not.

use std::io;

use skybridge_netdev::{Namespace, Port, enter_own_user_namespace, may_make_namespaces};
use thiserror::Error;

/// Why hosts cannot be network namespaces here.
#[derive(Debug, Error)]
pub enum NamespaceError {
    /// Not Linux.
    #[error(
        "network namespaces need Linux; hosts inside the program (`--hosts internal`) run anywhere"
    )]
    System,
    /// An ordinary user, and no user namespaces for them.
    #[error(
        "this system lets you have no user namespace with rights over network namespaces: run as root, or let \
         the administrator allow it (`sysctl kernel.apparmor_restrict_unprivileged_userns=0` on Ubuntu, \
         `sysctl user.max_user_namespaces=10000` elsewhere; a container needs `--privileged` or the \
         capabilities SYS_ADMIN and NET_ADMIN)"
    )]
    User(#[source] io::Error),
    /// The kernel gives no network namespace.
    #[error("this system makes no network namespace; a container needs the capability SYS_ADMIN")]
    Network(#[source] io::Error),
    /// No TUN driver.
    #[error("there is no /dev/net/tun: `modprobe tun`, or `--device /dev/net/tun` for a container")]
    NoTun(#[source] io::Error),
    /// It is not for us.
    #[error(
        "/dev/net/tun is not for you: `chmod 0666 /dev/net/tun` as root (the usual mode; making an interface \
         still takes rights over a namespace), or run as root"
    )]
    TunForbidden(#[source] io::Error),
    /// Anything else.
    #[error("no interface can be made in a network namespace")]
    Tun(#[source] io::Error),
}

/// Makes sure that this process can hold namespaces with interfaces: an ordinary user's moves into a user
/// namespace of its own, so call it before any other thread starts.
///
/// # Errors
/// Says what is missing, and what to do.
pub fn prepare_namespaces() -> Result<(), NamespaceError> {
    if !may_make_namespaces() {
        enter_own_user_namespace().map_err(|error| {
            if error.kind() == io::ErrorKind::Unsupported {
                NamespaceError::System
            } else {
                NamespaceError::User(error)
            }
        })?;
    }
    let namespace = Namespace::create().map_err(NamespaceError::Network)?;
    // A trial tells more than any look at permissions.
    match namespace.inside(|| Port::tap("trial")) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(NamespaceError::NoTun(error)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(NamespaceError::TunForbidden(error))
        }
        Err(error) => Err(NamespaceError::Tun(error)),
    }
}
