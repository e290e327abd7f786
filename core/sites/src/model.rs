//! What a lab file says, typed.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use skybridge_estate::Place;
use skybridge_terraform::Address;

use crate::premises::{Carrier, HostPlace, Site};

/// Everything that the lab files of a directory say, in the order of files and lines.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct LabFile {
    /// The stack whose resources it refers to, once whoever read it has said so.
    pub stack: String,
    /// Real servers placed behind cloud hosts.
    pub services: Vec<Service>,
    /// Ports of this machine that lead to hosts.
    pub forwards: Vec<Forward>,
    /// What must hold.
    pub expectations: Vec<Expectation>,
    /// Machines that forward for others.
    pub appliances: Vec<Appliance>,
    /// Hosts added to subnets and to networks of sites.
    pub hosts: Vec<LabHost>,
    /// Sites on premises.
    pub sites: Vec<Site>,
    /// Layer 2 carriers.
    pub carriers: Vec<Carrier>,
    /// Limits that differ from the catalogue's, by the names of [`crate::limit_names`].
    pub limits: BTreeMap<String, u64>,
    /// Where each limit is set.
    pub limit_places: BTreeMap<String, Place>,
    /// Delays and faults of links.
    pub links: Vec<LinkSettings>,
}

/// One end of a service or an expectation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Endpoint {
    /// A resource instance, such as a virtual machine.
    Resource(Address),
    /// A host of the lab file.
    Host(String),
    /// Every host of a site's network.
    SiteNetwork {
        /// The site.
        site: String,
        /// Its network.
        network: String,
    },
    /// An address; only where packets go to.
    Ip(IpAddr),
}

/// `service "name" { host, tcp, to }`
#[derive(Clone, PartialEq, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The cloud host that it answers as.
    pub host: Endpoint,
    /// TCP port on that host.
    pub tcp: u16,
    /// The real server; without one the labelled test echo answers.
    pub to: Option<Target>,
    /// Where it is written.
    pub place: Place,
}

/// `appliance "name" { host, stateful, routes }`
#[derive(Clone, PartialEq, Debug)]
pub struct Appliance {
    /// Its name.
    pub name: String,
    /// The virtual machine or instance.
    pub host: Address,
    /// It passes only what belongs to connections that it has seen open.
    pub stateful: bool,
    /// Prefixes that it sends out by another interface card than its first, and the card.
    pub routes: Vec<(IpNet, Address)>,
    /// Where it is written.
    pub place: Place,
}

/// A server on this machine: `127.0.0.1:5432`, `localhost:5432`, `[::1]:5432`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// `forward "name" { listen, from, host, tcp }`
#[derive(Clone, PartialEq, Debug)]
pub struct Forward {
    /// Its name.
    pub name: String,
    /// Where it listens: on loopback, unless the file says `anywhere = true`.
    pub listen: SocketAddr,
    /// The host whose connections its clients' become; a host of another network when not given.
    pub from: Option<Endpoint>,
    /// The host that they go to.
    pub host: Endpoint,
    /// TCP port on that host.
    pub tcp: u16,
    /// Where it is written.
    pub place: Place,
}

/// `expect "text" { from, to, tcp | udp | icmp, survives, within, reachable }`
#[derive(Clone, PartialEq, Debug)]
pub struct Expectation {
    /// What is expected, in the writer's words.
    pub text: String,
    /// Who sends: each of these to each of `to`.
    pub from: Vec<Endpoint>,
    /// Who answers.
    pub to: Vec<Endpoint>,
    /// What is sent; ICMP echo when the file names nothing.
    pub protocol: Protocol,
    /// How many elements may fail at once: 0, 1 or 2.
    pub survives: u8,
    /// Loss allowed while the network reconverges; `None` leaves it unjudged.
    pub within: Option<Within>,
    /// It must be reachable, else it must not be.
    pub reachable: bool,
    /// Where it is written.
    pub place: Place,
}

/// What an expectation sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// TCP to a port.
    Tcp(u16),
    /// UDP to a port.
    Udp(u16),
    /// ICMP echo.
    Icmp,
}

/// Loss allowed after a failure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Within {
    /// After any failure.
    Any(Duration),
    /// By the kind of element that failed.
    PerElement(BTreeMap<Element, Duration>),
}

impl Within {
    /// The loss allowed when an element of a kind fails; `None` when the file does not say.
    #[must_use]
    pub fn of(&self, element: Element) -> Option<Duration> {
        match self {
            Self::Any(duration) => Some(*duration),
            Self::PerElement(durations) => durations.get(&element).copied(),
        }
    }
}

/// A kind of element that can fail.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Element {
    /// A link.
    Link,
    /// A port.
    Port,
    /// A router.
    Router,
    /// A gateway instance.
    Gateway,
    /// A whole circuit.
    Circuit,
    /// A peering or FastConnect location.
    Location,
    /// A connectivity provider.
    Provider,
}

impl Element {
    /// Every kind, with the name it has in a lab file.
    pub const ALL: [(&'static str, Self); 7] = [
        ("link", Self::Link),
        ("port", Self::Port),
        ("router", Self::Router),
        ("gateway", Self::Gateway),
        ("circuit", Self::Circuit),
        ("location", Self::Location),
        ("provider", Self::Provider),
    ];
}

/// `host "name" { subnet | network, address }`
#[derive(Clone, PartialEq, Debug)]
pub struct LabHost {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub subnet: HostPlace,
    /// Its address; a free one of the subnet when not given.
    pub address: Option<IpAddr>,
    /// Where it is written.
    pub place: Place,
}

/// `link "name" { circuit, path | between, delay, jitter, loss, rate }`
#[derive(Clone, PartialEq, Debug)]
pub struct LinkSettings {
    /// Its name.
    pub name: String,
    /// Which links.
    pub target: LinkTarget,
    /// Delay in one direction.
    pub delay: Option<Duration>,
    /// Largest deviation from the delay.
    pub jitter: Option<Duration>,
    /// Frames lost per million.
    pub loss_ppm: Option<u32>,
    /// Rate, bit/s.
    pub rate_bps: Option<u64>,
    /// Where it is written.
    pub place: Place,
}

/// Which links are meant.
#[derive(Clone, PartialEq, Debug)]
pub enum LinkTarget {
    /// The links of a circuit on one path, or on both.
    Circuit {
        /// `azurerm_express_route_circuit` or `oci_core_virtual_circuit`.
        circuit: Address,
        /// One path; both when not given.
        path: Option<Path>,
    },
    /// The links between two resources.
    Between(Address, Address),
    /// The access lines of a site's router, on one path or on all it has.
    Router {
        /// The site.
        site: String,
        /// Its router.
        router: String,
        /// One path; all when not given.
        path: Option<Path>,
    },
}

/// A path of a circuit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Path {
    /// The primary.
    Primary,
    /// The secondary.
    Secondary,
}
