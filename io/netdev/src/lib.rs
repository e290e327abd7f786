//! Network devices and namespaces of the kernel, for joining the world to other software.
//!
//! A [`Port`] carries frames between the world and a device: super-frames and unfinished checksums go
//! through whole, with what is left to be done in a header in front ([`skybridge_wire::Meta`] inside). A
//! [`Namespace`] is held by a descriptor and has no name, so that nothing is left of it when the process
//! ends. [`set_up`] gives an interface its addresses without any other program; [`enter`] is how a program
//! gets into a namespace that another process holds.
//!
//! A [`Tap`] is the plain device without header. Reading and writing never block; wait for readiness by
//! [`AsFd`](std::os::fd::AsFd).
//!
//! Linux only. Elsewhere everything answers [`Unsupported`](std::io::ErrorKind::Unsupported).
#![warn(missing_docs)]

#[cfg(target_os = "linux")]
mod linux;
mod port;
#[cfg(target_os = "linux")]
mod vnet;
#[cfg(target_os = "linux")]
pub use linux::{
    Namespace, Port, Tap, enter, enter_own_user_namespace, may_make_namespaces, set_up,
    set_up_without_address, show_hosts,
};
pub use port::{Buffers, PortCounters, Sent, Station};

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
pub use other::{
    Namespace, Port, Tap, enter, enter_own_user_namespace, may_make_namespaces, set_up,
    set_up_without_address, show_hosts,
};

/// Longest interface name: `IFNAMSIZ` without its final zero.
pub const NAME_LEN_MAX: usize = 15;

/// Whether the kernel takes an interface name.
#[must_use]
pub fn is_name(name: &str) -> bool {
    (1..=NAME_LEN_MAX).contains(&name.len())
        && !matches!(name, "." | "..")
        && name
            .bytes()
            .all(|octet| octet.is_ascii_graphic() && !matches!(octet, b'/' | b':' | b'%'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_the_kernel_takes() {
        for good in ["tap0", "x", "a-b.c_d", "fifteen-octets0"] {
            assert!(is_name(good), "{good}");
        }
        // `%d` asks the kernel for a number: the name would not be the one asked for.
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "a b",
            "a:1",
            "tap%d",
            "sixteen-octets00",
            "é",
        ] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_bad_name_is_refused_before_the_kernel_is_asked() {
        let refused = Tap::create("no/such").unwrap_err();
        assert!(matches!(
            refused.kind(),
            std::io::ErrorKind::InvalidInput | std::io::ErrorKind::Unsupported
        ));
    }
}
