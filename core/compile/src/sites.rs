//! Sites and carriers of the lab file, with their circuits found.

use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;
use skybridge_base::{Asn, VlanId};
use skybridge_blueprint::{BfdParameters, Device, PortMode, Secret};
use skybridge_estate::ResourceId;

use crate::Leg;

/// A site on premises.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// Its AS number.
    pub asn: Asn,
    /// What it announces.
    pub networks: Vec<SiteNetwork>,
    /// Its edge routers.
    pub routers: Vec<SiteRouter>,
}

/// A network of a site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteNetwork {
    /// Its name, unique in the site.
    pub name: String,
    /// Its range.
    pub cidr: Ipv4Net,
    /// Hosts in it; without any there is one to probe from.
    pub hosts: Vec<SiteHost>,
}

/// A host of a site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteHost {
    /// Its name.
    pub name: String,
    /// Its address; a free one when not given.
    pub address: Option<Ipv4Addr>,
}

/// A customer edge router.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteRouter {
    /// Its name, unique in the site.
    pub name: String,
    /// The circuit, when there is one yet.
    pub circuit: Option<ResourceId>,
    /// The paths that end at it.
    pub paths: Vec<Leg>,
    /// The user's own router: what it hangs on.
    pub attach: Option<Device>,
    /// Whether the carrier hands the customer tag on (trunk) or takes it off (access).
    pub mode: PortMode,
    /// An attached router has a stand-in.
    pub persona: bool,
    /// Customer tag on a trunk; the peering's when not given.
    pub vlan: Option<VlanId>,
    /// BFD towards the MSEE.
    pub bfd: SiteBfd,
    /// Hold time offered, seconds; the usual one when not given.
    pub hold_time_s: Option<u16>,
    /// Keepalive interval, seconds; a third of the hold time when only that is given.
    pub keepalive_s: Option<u16>,
    /// MD5 key; the peering's when not given.
    pub md5: Option<Secret>,
    /// LOCAL_PREF of what the cloud announces here.
    pub local_pref: Option<u32>,
    /// How often the own AS is prepended towards the cloud.
    pub prepend: u8,
}

/// BFD of an edge router towards the MSEE.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum SiteBfd {
    /// On, with the usual timers.
    #[default]
    Usual,
    /// On, with these.
    On(BfdParameters),
    /// Off.
    Off,
}

/// How a carrier hands a circuit to its customer.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum HandOff {
    /// Each path over a switch of its own.
    #[default]
    Redundant,
    /// Both paths over one switch.
    Single,
}

/// A layer 2 carrier.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Carrier {
    /// Its name.
    pub name: String,
    /// The providers of circuits that it stands for; none stands for every provider that has no carrier
    /// of its own.
    pub providers: Vec<String>,
    /// How it hands circuits to customers.
    pub hand_off: HandOff,
    /// One way through it.
    pub delay: Option<Duration>,
    /// Greatest IP packet that it carries.
    pub mtu: Option<u16>,
}
