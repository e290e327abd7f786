//! Virtual circuits to a site: over a cross-connect of one's own, or over a partner that hands frames on.
//!
//! The first mapping is the primary path, the second the secondary one. What stands between the customer's router and
//! Oracle's edge is a switch: the partner's, or the patch of a cross-connect. The customer's router tags its frames with
//! the mapping's VLAN (FastConnect requirements).

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::Ipv4Net;
use skybridge_base::VlanId;
use skybridge_blueprint::{
    CrossConnect, CrossConnectName, LinkClass, LinkName, NodeName, Owner, PortName, ServicePoint,
    Tagging,
};
use skybridge_estate::ResourceId;
use skybridge_oci::model::{Mapping, VirtualCircuit};

use crate::builder::{Builder, everywhere};
use crate::carrier::{Carriage, add_port, carrier_of, switch_mut};
use crate::edge::{self, Line};
use crate::sites::{HandOff, SiteRouter};
use crate::{Leg, drg, loose};

/// The name of what stands for a cross-connect of one's own.
const CROSS_CONNECT: &str = "cross-connect";

/// A virtual circuit that a site's router may end.
pub(crate) fn of_site<'a>(builder: &Builder<'a>, id: &ResourceId) -> Option<&'a VirtualCircuit> {
    let all = builder.inputs.oci.virtual_circuits.iter();
    all.into_iter()
        .find(|vc| &vc.id == id && vc.private && vc.is_layer2)
}

/// The mapping of a path.
pub(crate) fn mapping(vc: &VirtualCircuit, path: Leg) -> Option<&Mapping> {
    vc.mappings.get(path.index())
}

/// The customer's address and network of a mapping, and Oracle's address.
pub(crate) fn ends(mapping: &Mapping) -> Option<(Ipv4Net, Ipv4Addr)> {
    match (mapping.customer, mapping.oracle.addr()) {
        (ipnet::IpNet::V4(customer), IpAddr::V4(oracle)) => Some((customer, oracle)),
        _ => None,
    }
}

/// Frames of a mapping.
pub(crate) fn tagging(vlan: Option<VlanId>) -> Tagging {
    vlan.map_or(Tagging::Untagged, Tagging::Dot1q)
}

/// Oracle's side of a circuit to a site. Where none of ours ends it, what its far side announces is unknown.
pub(crate) fn build(builder: &mut Builder<'_>, vc: &VirtualCircuit) {
    let mut sites = builder.inputs.extras.sites.iter();
    let ends = |router: &SiteRouter| router.circuit.as_ref() == Some(&vc.id);
    let is_joined = vc.is_layer2 && sites.any(|site| site.routers.iter().any(ends));
    if !is_joined {
        let who = vc.provider.as_deref().unwrap_or("an own cross-connect");
        builder.gap(&vc.id, format!("the far side of {who} is not modelled"));
        return;
    }
    let label = builder.label(&vc.name, &vc.id);
    let port: PortName = format!("xc/{label}").into();
    let mut legs = Vec::new();
    for (leg, mapping) in Leg::BOTH.into_iter().zip(&vc.mappings) {
        let line = Line {
            port: &port,
            tagging: tagging(mapping.vlan),
            tenant: vc.id.to_string(),
        };
        legs.extend(edge::add_leg(builder, vc, leg, mapping, &line));
    }
    builder.index.virtual_circuits.insert(vc.id.clone(), legs);
}

/// The tables that would take what a circuit announces which ends at nothing of ours.
pub(crate) fn open_far_sides(builder: &mut Builder<'_>) {
    for vc in &builder.inputs.oci.virtual_circuits {
        let built = builder.index.virtual_circuits.contains_key(&vc.id);
        let gateway = vc.drg.as_ref();
        let gateway = gateway.and_then(|id| builder.inputs.oci.drgs.iter().find(|d| &d.id == id));
        let waits = vc.lifecycle_state == "PENDING_PROVIDER";
        let Some(gateway) = gateway.filter(|_| vc.private && !built && !waits) else {
            continue;
        };
        let attachment = gateway.attachments.iter().find(|a| a.network == vc.id);
        let tables = (gateway.tables.iter())
            .filter(|table| attachment.is_some_and(|a| drg::imports(table, a)))
            .map(|table| drg::table_vrf(builder, table));
        let tables: Vec<_> = tables.collect();
        let name = drg::node_name(builder, gateway);
        let Some(router) = builder.router_mut(&name) else {
            continue;
        };
        for table in tables {
            if let Some(table) = router.vrfs.get_mut(&table) {
                loose::open(table, &everywhere());
            }
        }
    }
}

/// A router's end of a path.
pub(crate) struct SiteEnd<'a> {
    pub(crate) site: &'a str,
    pub(crate) router: &'a str,
    pub(crate) node: &'a NodeName,
    pub(crate) port: PortName,
    pub(crate) path: Leg,
}

/// Leads a path from the router to Oracle's edge.
pub(crate) fn carry(
    builder: &mut Builder<'_>,
    vc: &VirtualCircuit,
    end: &SiteEnd<'_>,
) -> Option<Carriage> {
    let mapping = mapping(vc, end.path)?;
    let (carrier, name) = match &vc.provider {
        Some(provider) => carrier_of(builder, provider),
        None => (None, CROSS_CONNECT.to_owned()),
    };
    let mtu = match carrier.and_then(|c| c.mtu) {
        Some(mtu) => mtu,
        None => builder.behaviour_s("carrier_ip_mtu"),
    };
    let place = format!("FastConnect {}", vc.region);
    let switch: NodeName = match carrier.map_or(HandOff::Redundant, |c| c.hand_off) {
        HandOff::Redundant => format!("{name}-{}@{}", end.path.number(), vc.region),
        HandOff::Single => format!("{name}@{}", vc.region),
    }
    .into();
    let customer: PortName = format!("{}/{}-{}", end.site, end.router, end.path.label()).into();
    add_port(builder, &switch, &place, &customer, mtu);
    let access: LinkName = format!("{}/{}/{}", end.site, end.router, end.path.label()).into();
    builder.link(
        access.clone(),
        (end.node, &end.port),
        (&switch, &customer),
        LinkClass::Access,
        Owner::Provider,
    );
    let customer = ServicePoint {
        port: customer,
        tagging: tagging(mapping.vlan),
    };
    let delay = carrier.and_then(|c| c.delay);
    let towards = (&switch, place.as_str(), name.as_str());
    let cross_connect = join_edge(builder, vc, end.path, towards, customer, (mtu, delay));
    Some(Carriage {
        carrier: name,
        switch,
        access,
        cross_connect,
    })
}

/// The line to Oracle's edge and the cross-connect, once the edge has its side of the circuit.
fn join_edge(
    builder: &mut Builder<'_>,
    vc: &VirtualCircuit,
    path: Leg,
    (switch, place, carrier): (&NodeName, &str, &str),
    customer: ServicePoint,
    (mtu, delay): (u16, Option<Duration>),
) -> Option<CrossConnectName> {
    let label = builder.label(&vc.name, &vc.id);
    let far = edge::node_name(&vc.region, path);
    let far_port: PortName = format!("xc/{label}").into();
    builder.router_mut(&far)?.ports.get(&far_port)?;
    let name: CrossConnectName = format!("{label}/{}", path.label()).into();
    // A second router on the path has nothing: the first one has it.
    if switch_mut(builder, switch)?
        .cross_connects
        .contains_key(&name)
    {
        return None;
    }
    let nni: PortName = format!("nni/{label}/{}", path.label()).into();
    add_port(builder, switch, place, &nni, mtu);
    let link: LinkName = format!("{far}--{carrier}/{label}").into();
    let built = builder.link(
        link,
        (&far, &far_port),
        (switch, &nni),
        LinkClass::CrossConnect,
        Owner::Provider,
    );
    built.delay = built.delay.or(delay);
    let joined = CrossConnect {
        b: ServicePoint {
            port: nni,
            tagging: customer.tagging,
        },
        a: customer,
        tenant: Some(vc.id.to_string()),
        faults: Vec::new(),
    };
    let spec = switch_mut(builder, switch)?;
    spec.cross_connects.insert(name.clone(), joined);
    Some(name)
}
