//! Estate to blueprint: a pure function.
//!
//! It allocates nothing. Whatever must be chosen once (VLANs, tags, addresses, labels) is read from the
//! estate, so that two compilations of estates that differ in one resource differ in what that resource
//! means and in nothing else.
//!
//! | file | builds |
//! |---|---|
//! | `vnet.rs` | the distributed router of a virtual network, its subnets' tables |
//! | `vnet_peering.rs` | peerings of virtual networks, with gateways that are lent |
//! | `appliances.rs` | machines that forward for others |
//! | `hops.rs` | firewalls, and how user routes lead to what forwards for others |
//! | `hubs.rs` | hubs of virtual WANs: what they lead on to |
//! | `gateway.rs` | the two instances of an ExpressRoute gateway and their sessions |
//! | `msee.rs` | MSEE pairs: one VRF per circuit and peering |
//! | `vcn.rs` | the distributed router of a VCN |
//! | `drg.rs` | DRGs: route tables, import distributions, the propagation rule |
//! | `peering.rs` | local peering of VCNs, remote peering of DRGs, what takes IPsec tunnels |
//! | `exchange.rs` | routes of virtual circuits over remote peering |
//! | `edge.rs` | FastConnect edge pairs and the cross-connects |
//! | `fastconnect.rs` | virtual circuits to a site |
//! | `filters.rs` | NSGs and security lists as packet filters |
//! | `site.rs` | customer edge routers, the LAN of a site, its hosts |
//! | `carrier.rs` | switches of layer 2 carriers between edges and MSEEs |
//! | `hosts.rs` | machines, probes, services |
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod appliances;
mod builder;
mod carrier;
mod drg;
mod edge;
mod exchange;
mod fastconnect;
mod filters;
mod gateway;
mod hops;
mod hosts;
mod hubs;
mod index;
mod loose;
mod msee;
mod peering;
mod site;
pub mod sites;
mod tags;
mod vcn;
mod vnet;
mod vnet_peering;

pub use appliances::Appliance;
pub use hosts::{lift_ceilings, place_in_namespaces};
pub use index::{
    CarriedLeg, CircuitIndex, GatewayIndex, HostIndex, Index, LegIndex, SiteIndex, SiteLegIndex,
    SiteRouterIndex, SubnetIndex,
};
pub use loose::LooseEnd;
pub use site::{site_id, site_network_id};

use std::time::Duration;

use skybridge_azure::model::AzureModel;
use skybridge_blueprint::Blueprint;
use skybridge_estate::{Estate, Kind, ResourceId};
use skybridge_oci::model::OciModel;

use crate::builder::Builder;

/// What a blueprint is compiled from.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Allocations: labels and leg numbers.
    pub estate: &'a Estate,
    /// Azure's resources.
    pub azure: &'a AzureModel,
    /// OCI's resources.
    pub oci: &'a OciModel,
    /// What Terraform cannot say.
    pub extras: &'a Extras,
}

/// What the lab file adds, with references resolved to resources.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Extras {
    /// Services placed behind hosts.
    pub services: Vec<ServicePlacement>,
    /// Hosts that exist only in the lab file.
    pub hosts: Vec<ExtraHost>,
    /// Sites on premises.
    pub sites: Vec<sites::Site>,
    /// Layer 2 carriers.
    pub carriers: Vec<sites::Carrier>,
    /// Properties of circuits' cross-connects.
    pub links: Vec<CrossConnectSettings>,
    /// Machines that forward for others.
    pub appliances: Vec<Appliance>,
    /// Networks that something joins that is not modelled.
    pub loose_ends: Vec<LooseEnd>,
}

/// A service behind a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServicePlacement {
    /// Its name.
    pub name: String,
    /// The machine (VM or instance), or the lab host's name.
    pub host: HostRef,
    /// TCP port in the world.
    pub tcp_port: u16,
    /// `host:port` on this machine; `None` for the test echo.
    pub target: Option<String>,
}

/// A host by what it came from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum HostRef {
    /// A virtual machine or instance.
    Resource(ResourceId),
    /// A `host` block.
    Lab(String),
    /// What stands for a site's network without hosts: site and network.
    SiteNetwork(String, String),
}

/// A host of the lab file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExtraHost {
    /// Its name.
    pub name: String,
    /// The Azure or OCI subnet it stands in.
    pub subnet: ResourceId,
    /// Its address; the highest free one when not given.
    pub address: Option<std::net::IpAddr>,
}

/// Properties of one leg of a circuit, or of the access line of an edge router.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CrossConnectSettings {
    /// The circuit, or every circuit.
    pub circuit: Option<ResourceId>,
    /// The access line of this site's router is meant, and no cross-connect.
    pub access: Option<(String, String)>,
    /// `primary` or `secondary`, or both.
    pub path: Option<Leg>,
    /// One-way delay.
    pub delay: Option<Duration>,
    /// Jitter.
    pub jitter: Duration,
    /// Loss, frames in a million.
    pub loss_ppm: u32,
    /// Rate, bits per second.
    pub rate_bps: Option<u64>,
}

/// One of the two legs of a circuit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Leg {
    /// First link, first MSEE.
    Primary,
    /// Second link, second MSEE.
    Secondary,
}

impl Leg {
    /// Both, primary first.
    pub const BOTH: [Self; 2] = [Self::Primary, Self::Secondary];

    /// `primary` or `secondary`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        }
    }

    /// 1 or 2.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Primary => 1,
            Self::Secondary => 2,
        }
    }

    /// 0 or 1.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Primary => 0,
            Self::Secondary => 1,
        }
    }
}

/// A blueprint and where the resources are in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Compiled {
    /// The network.
    pub blueprint: Blueprint,
    /// Where resources are in it.
    pub index: Index,
    /// What is left out of it: resource and reason.
    pub gaps: Vec<(ResourceId, String)>,
    /// Behaviours that are only assumed and that this network rests on, by name.
    pub assumed: Vec<&'static str>,
}

/// The name of `id` among its like: its own name, with a number when an older resource has it already.
/// The estate holds the numbers ([`label_pool`]), so that a name once given stays.
#[must_use]
pub fn label(estate: &Estate, name: &str, id: &ResourceId) -> String {
    let number = estate
        .resource(id)
        .and_then(|r| estate.allocation(&label_pool(&r.kind, name), id.as_str()));
    match number {
        None | Some(1) => name.to_owned(),
        Some(n) => format!("{name}~{n}"),
    }
}

/// The pool in which resources of a kind that are called `name` are numbered. Machines of both clouds
/// share one: they are all hosts of one network.
#[must_use]
pub fn label_pool(kind: &Kind, name: &str) -> String {
    let class = match kind.as_str() {
        "Microsoft.Compute/virtualMachines" | "oci/instance" => "host",
        other => other,
    };
    format!("label/{class}/{name}")
}

/// The pool in which the connections of a gateway are numbered from 0.
#[must_use]
pub fn connection_pool(gateway: &ResourceId) -> String {
    format!("connection/{gateway}")
}

/// The pool in which the virtual circuits of a DRG are numbered from 0.
#[must_use]
pub fn drg_leg_pool(drg: &ResourceId) -> String {
    format!("drg-leg/{drg}")
}

/// The pool in which DRGs are numbered from 0.
pub const DRG_POOL: &str = "drg";
/// The pool in which remote peering connections are numbered from 0.
pub const REMOTE_PEERING_POOL: &str = "remote-peering";

/// Compiles.
#[must_use]
pub fn compile(inputs: &Inputs<'_>) -> Compiled {
    let mut builder = Builder::new(*inputs);
    vnet::build(&mut builder);
    vnet_peering::build(&mut builder);
    hops::build_firewalls(&mut builder);
    hops::build_balancers(&mut builder);
    hops::build_lanes(&mut builder);
    vcn::build(&mut builder);
    msee::build(&mut builder);
    gateway::build(&mut builder);
    drg::build(&mut builder);
    peering::build(&mut builder);
    edge::build(&mut builder);
    site::build(&mut builder);
    loose::build(&mut builder);
    loose::open_unknown_gateways(&mut builder);
    fastconnect::open_far_sides(&mut builder);
    hosts::place_services(&mut builder);
    builder.finish()
}
