//! Network devices of the kernel, for joining the world to other software's stack.
//!
//! A [`Tap`] is an Ethernet port whose other end is a network interface of the namespace in which it was
//! opened: enter the namespace first (`ip netns exec`, `unshare -rn`). It carries frames without any header
//! in front of them. Reading and writing never block; wait for readiness by [`AsFd`](std::os::fd::AsFd).
//!
//! Linux only. Elsewhere [`Tap::create`] answers [`Unsupported`](std::io::ErrorKind::Unsupported).
#![warn(missing_docs)]

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::Tap;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
pub use other::Tap;

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
