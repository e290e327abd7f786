//! How the port of a user's own router becomes the lab's.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use skybridge_netdev::{self as netdev, Port};
use skybridge_wire::Tags;

use crate::namespace::{Namespace, run};
use crate::tag_shim::TagShim;

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
    /// `interface:` of a TAP device whose reader may stop reading.
    Stallable,
}

/// What joins the lab and a router, where that is not the lab's to make.
#[derive(Debug)]
pub(crate) struct Cable {
    /// The device at the lab's end.
    name: String,
    /// What carries frames between two TAP devices; a veth needs nothing.
    shim: Option<TagShim>,
}

impl Cable {
    fn veth(name: String, namespace: &Namespace) -> Result<Self> {
        let mut command = Command::new("ip");
        command.args(["link", "add", &name, "type", "veth", "peer", "name"]);
        run(command.args([INTERFACE, "netns", &namespace.name]))?;
        Ok(Self { name, shim: None })
    }

    fn stallable(name: String, namespace: &Namespace) -> Result<Self> {
        let place = netdev::Namespace::named(&namespace.name)?;
        let place = place.context("no such namespace")?;
        let near = place.inside(|| Port::tap(INTERFACE))?;
        let shim = TagShim::between(Port::tap(&name)?, near, Tags::Untagged);
        Ok(Self {
            name,
            shim: Some(shim),
        })
    }

    /// Stops reading what the lab sends, or goes on. The device holds next to nothing meanwhile.
    pub(crate) fn hold(&self, is_held: bool) -> Result<()> {
        let shim = self.shim.as_ref().context("a veth is not to be held")?;
        let room = if is_held { "2" } else { "500" };
        run(Command::new("ip").args(["link", "set", &self.name, "txqueuelen", room]))?;
        shim.hold(is_held);
        Ok(())
    }

    /// Frames that the kernel could not put anywhere.
    pub(crate) fn dropped(&self) -> Result<u64> {
        let path = format!("/sys/class/net/{}/statistics/tx_dropped", self.name);
        Ok(fs::read_to_string(path)?.trim().parse()?)
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // TAP devices go with what carries their frames. A namespace without a name lives on as long as connections
        // of its dead programs do, so the veth is not left to that.
        if self.shim.is_none() {
            drop(run(Command::new("ip").args(["link", "del", &self.name])));
        }
    }
}

impl Attach {
    /// Makes what must be there before the lab; gives what the lab file says.
    pub(crate) fn prepare(self, namespace: &Namespace) -> Result<(String, Option<Cable>)> {
        let name = device(namespace);
        Ok(match self {
            Self::Namespace => (format!("netns:{}", namespace.name), None),
            Self::Tap => (format!("tap:{name}"), None),
            Self::Packet => {
                let device = format!("packet:{name}");
                let up = ["link", "set", &name, "up"];
                let cable = Cable::veth(name.clone(), namespace)?;
                run(Command::new("ip").args(up))?;
                (device, Some(cable))
            }
            Self::Interface => {
                let device = format!("interface:{name}");
                (device, Some(Cable::veth(name, namespace)?))
            }
            Self::Stallable => {
                let device = format!("interface:{name}");
                (device, Some(Cable::stallable(name, namespace)?))
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
