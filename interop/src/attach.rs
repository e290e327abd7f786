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

/// The lab's end of a veth; both go when dropped.
#[derive(Debug)]
pub(crate) struct Veth(String);

impl Veth {
    fn create(name: &str, namespace: &Namespace) -> Result<Self> {
        let mut command = Command::new("ip");
        command.args(["link", "add", name, "type", "veth", "peer", "name"]);
        run(command.args([INTERFACE, "netns", &namespace.name]))?;
        Ok(Self(name.to_owned()))
    }
}

impl Drop for Veth {
    fn drop(&mut self) {
        // A namespace without a name lives on as long as connections of its dead programs do, so it is not left to that.
        drop(run(Command::new("ip").args(["link", "del", &self.0])));
    }
}

impl Attach {
    /// Makes what must be there before the lab; gives what the lab file says.
    pub(crate) fn prepare(self, namespace: &Namespace) -> Result<(String, Option<Veth>)> {
        let name = device(namespace);
        Ok(match self {
            Self::Namespace => (format!("netns:{}", namespace.name), None),
            Self::Tap => (format!("tap:{name}"), None),
            Self::Packet => {
                let veth = Veth::create(&name, namespace)?;
                run(Command::new("ip").args(["link", "set", &name, "up"]))?;
                (format!("packet:{name}"), Some(veth))
            }
            Self::Interface => {
                let veth = Veth::create(&name, namespace)?;
                (format!("interface:{name}"), Some(veth))
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
