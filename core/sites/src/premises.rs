//! Sites, their edge routers, and carriers: what a lab file says of them, typed.

use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;
use skybridge_base::{Asn, VlanId};
use skybridge_estate::Place;
use skybridge_terraform::Address;

use crate::model::Path;

/// `site "name" { asn, network, router }`
#[derive(Clone, PartialEq, Debug)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// Its AS number.
    pub asn: Asn,
    /// Its networks.
    pub networks: Vec<Network>,
    /// Its edge routers.
    pub routers: Vec<Router>,
    /// Where it is written.
    pub place: Place,
}

/// `network "name" { cidr }` of a site; the hosts in it are in [`crate::LabFile::hosts`].
#[derive(Clone, PartialEq, Debug)]
pub struct Network {
    /// Its name, unique in the site.
    pub name: String,
    /// Its range.
    pub cidr: Ipv4Net,
    /// Where it is written.
    pub place: Place,
}

/// `router "name" { circuit, path, … }` of a site.
#[derive(Clone, PartialEq, Debug)]
pub struct Router {
    /// Its name, unique in the site.
    pub name: String,
    /// `azurerm_express_route_circuit`, or an `oci_core_virtual_circuit` that leads to no Azure.
    pub circuit: Address,
    /// The path that ends at it; both when not given.
    pub path: Option<Path>,
    /// What the user's own router hangs on; without it the lab runs one.
    pub attach: Option<Attach>,
    /// How the carrier hands frames over.
    pub mode: PortMode,
    /// What stands in for an attached router where the network is repeated.
    pub persona: Option<Persona>,
    /// Customer tag on a trunk; the peering's when not given.
    pub vlan: Option<VlanId>,
    /// BFD towards the MSEE.
    pub bfd: Bfd,
    /// Hold time offered, seconds.
    pub hold_s: Option<u16>,
    /// Keepalive interval, seconds.
    pub keepalive_s: Option<u16>,
    /// MD5 key; the peering's when not given.
    pub md5: Option<String>,
    /// LOCAL_PREF of what the cloud announces here.
    pub local_pref: Option<u32>,
    /// How often the own AS is prepended towards the cloud.
    pub prepend: u8,
    /// Where it is written.
    pub place: Place,
}

/// What an own router hangs on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attach {
    /// `netns:NAME`, a TAP interface in a network namespace.
    Namespace(String),
    /// `tap:NAME`, a TAP interface.
    Tap(String),
    /// `packet:NAME`, the packets of an interface.
    Packet(String),
    /// `interface:NAME`, a whole interface.
    Interface(String),
}

/// How a carrier hands frames to an edge router.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum PortMode {
    /// Without tags.
    #[default]
    Access,
    /// With the customer tag.
    Trunk,
}

/// Whose configuration an edge router has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Persona {
    /// FRR.
    Frr,
    /// BIRD 2.
    Bird,
    /// Cisco IOS XE.
    IosXe,
    /// Juniper Junos.
    Junos,
}

impl Persona {
    /// Every one, with its name in a lab file.
    pub const ALL: [(&'static str, Self); 4] = [
        ("frr", Self::Frr),
        ("bird", Self::Bird),
        ("ios-xe", Self::IosXe),
        ("junos", Self::Junos),
    ];
}

/// BFD of an edge router.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Bfd {
    /// On, with the usual timers.
    #[default]
    Usual,
    /// On, with these.
    On {
        /// Between packets, each way.
        interval: Duration,
        /// Packets that may be missed.
        multiplier: u8,
    },
    /// Off.
    Off,
}

/// `carrier "name" { model, provider, hand_off, delay, mtu }`
#[derive(Clone, PartialEq, Debug)]
pub struct Carrier {
    /// Its name.
    pub name: String,
    /// Providers of circuits that it stands for; empty is every one that has no carrier of its own.
    pub providers: Vec<String>,
    /// How it hands circuits over.
    pub hand_off: HandOff,
    /// One way through it.
    pub delay: Option<Duration>,
    /// Greatest IP packet that it carries, in octets.
    pub mtu: Option<u16>,
    /// Where it is written.
    pub place: Place,
}

/// How a carrier hands a circuit over.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum HandOff {
    /// Each path over a device of its own.
    #[default]
    Redundant,
    /// Both paths over one.
    Single,
}

/// Where a host of the lab file stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HostPlace {
    /// In `azurerm_subnet` or `oci_core_subnet`.
    Subnet(Address),
    /// In a network of a site.
    Network {
        /// The site.
        site: String,
        /// Its network.
        network: String,
    },
}

impl Network {
    /// The address by which the network is reached when nothing in the lab has one: its first.
    #[must_use]
    pub fn first_address(&self) -> Option<Ipv4Addr> {
        self.cidr.hosts().next()
    }
}

impl std::fmt::Display for HostPlace {
    /// As the lab file names it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Subnet(address) => write!(f, "{address}"),
            Self::Network { site, network } => write!(f, "site.{site}.{network}"),
        }
    }
}
