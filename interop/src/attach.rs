//! How the port of a user's own router becomes the lab's.

use std::process::Command;

use anyhow::Result;

use crate::namespace::{Namespace, run};

/// A router's interface towards the carrier.
pub(crate) const INTERFACE: &str = "wan";

/// What the lab file says after `attach`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Attach {
    /// `netns:`: the lab makes the interface in the router's namespace.
    Namespace,
    /// `tap:`: the lab makes it in its own, and the user takes it where it is wanted.
    Tap,
    /// `packet:` of a veth whose other end is the router's: the user has set it up.
    Packet,
    /// `interface:`, the same, but the lab sets it up.
    Interface,
}

impl Attach {
    /// Makes what must be there before the lab; gives what the lab file says.
    pub(crate) fn prepare(self, namespace: &Namespace) -> Result<String> {
        let name = device(namespace);
        let veth = || {
            let mut command = Command::new("ip");
            command.args(["link", "add", &name, "type", "veth", "peer", "name"]);
            run(command.args([INTERFACE, "netns", &namespace.name]))
        };
        Ok(match self {
            Self::Namespace => format!("netns:{}", namespace.name),
            Self::Tap => format!("tap:{name}"),
            Self::Packet => {
                veth()?;
                run(Command::new("ip").args(["link", "set", &name, "up"]))?;
                format!("packet:{name}")
            }
            Self::Interface => {
                veth()?;
                format!("interface:{name}")
            }
        })
    }

    /// Brings to the router what the lab has made elsewhere.
    pub(crate) fn hand_over(self, namespace: &Namespace) -> Result<()> {
        if self == Self::Tap {
            let mut command = Command::new("ip");
            command.args(["link", "set", &device(namespace), "netns"]);
            run(command.args([&namespace.name, "name", INTERFACE]))?;
        }
        Ok(())
    }
}

/// The name of a device in the lab's own namespace: the namespace's would be too long.
fn device(namespace: &Namespace) -> String {
    let hash = namespace.name.bytes().fold(0_u32, |hash, octet| {
        // FNV-1a's multiplier: names differ in their last octets.
        (hash ^ u32::from(octet)).wrapping_mul(16_777_619)
    });
    format!("sky-{hash:08x}")
}
