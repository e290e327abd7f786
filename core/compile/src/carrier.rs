//! Layer 2 carriers between customer edges and MSEEs.
//!
//! A carrier has a pair of switches at a location, one per path, or one for both where it hands over singly.
//! A customer's port holds frames without tags (access) or with the customer tag (trunk); towards the MSEE
//! they have the circuit's service tag and the customer tag. On a trunk the customer tag is the customer's
//! business: the carrier hands on what it gets.

use std::time::Duration;

use skybridge_azure::model::Circuit;
use skybridge_base::VlanId;
use skybridge_blueprint::{
    CrossConnect, CrossConnectName, LinkClass, LinkName, Node, NodeKind, NodeName, Owner, PortMode,
    PortName, Role, ServicePoint, Switch, SwitchPort, Tagging,
};

use crate::builder::Builder;
use crate::sites::{Carrier, HandOff};
use crate::{CarriedLeg, Leg, edge, msee};

/// A customer edge's end of one path of a circuit.
pub(crate) struct CustomerEnd<'a> {
    pub(crate) site: &'a str,
    pub(crate) router: &'a str,
    pub(crate) node: NodeName,
    pub(crate) port: PortName,
    pub(crate) circuit: &'a Circuit,
    pub(crate) path: Leg,
    pub(crate) mode: PortMode,
    pub(crate) c_tag: VlanId,
}

/// What carries a path.
pub(crate) struct Carriage {
    pub(crate) carrier: String,
    pub(crate) switch: NodeName,
    pub(crate) access: LinkName,
    /// Absent while the circuit has no leg at the MSEE.
    pub(crate) cross_connect: Option<CrossConnectName>,
}

/// The carrier that stands for a provider, and what it is called.
pub(crate) fn carrier_of<'a>(
    builder: &Builder<'a>,
    provider: &str,
) -> (Option<&'a Carrier>, String) {
    let carriers = &builder.inputs.extras.carriers;
    let named = |c: &&Carrier| c.providers.iter().any(|p| p.eq_ignore_ascii_case(provider));
    let any = |c: &&Carrier| c.providers.is_empty();
    let carrier = (carriers.iter().find(named)).or_else(|| carriers.iter().find(any));
    let name = carrier.map_or_else(|| slug(provider), |c| c.name.clone());
    (carrier, name)
}

/// A provider's name as part of a node's.
fn slug(provider: &str) -> String {
    let clean = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    provider.chars().map(clean).collect()
}

/// Leads the end through the carrier to the MSEE.
pub(crate) fn carry(builder: &mut Builder<'_>, end: &CustomerEnd<'_>) -> Carriage {
    let circuit = end.circuit;
    let (carrier, name) = carrier_of(builder, &circuit.provider);
    let mtu = match carrier.and_then(|c| c.mtu) {
        Some(mtu) => mtu,
        None => builder.behaviour_s("carrier_ip_mtu"),
    };
    let delay = carrier.and_then(|c| c.delay);
    let switch: NodeName = match carrier.map_or(HandOff::Redundant, |c| c.hand_off) {
        HandOff::Redundant => format!("{name}-{}@{}", end.path.number(), circuit.location_id),
        HandOff::Single => format!("{name}@{}", circuit.location_id),
    }
    .into();
    let customer: PortName = format!("{}/{}-{}", end.site, end.router, end.path.label()).into();
    add_port(builder, &switch, &circuit.location, &customer, mtu);
    let access: LinkName = format!("{}/{}/{}", end.site, end.router, end.path.label()).into();
    builder.link(
        access.clone(),
        (&end.node, &end.port),
        (&switch, &customer),
        LinkClass::Access,
        Owner::Provider,
    );
    let settings = (builder.inputs.extras.links.iter()).rfind(|s| {
        let of_router =
            |(site, router): &(String, String)| site == end.site && router == end.router;
        s.access.as_ref().is_some_and(of_router) && s.path.is_none_or(|p| p == end.path)
    });
    edge::set_properties(builder, settings, &access);
    // A carrier of several providers has a line to each of their ports.
    let line = match carrier.map(|c| c.providers.len()) {
        None | Some(1) => end.path.label().to_owned(),
        Some(_) => format!("{}/{}", slug(&circuit.provider), end.path.label()),
    };
    let towards = Towards {
        carrier: &name,
        switch: &switch,
        line: &line,
    };
    let cross_connect = join_cloud(builder, end, &towards, customer, (mtu, delay));
    if let Some(cross_connect) = &cross_connect
        && let Some(index) = builder.index.circuits.get_mut(&circuit.id)
    {
        index.carried.push(CarriedLeg {
            path: end.path,
            carrier: name.clone(),
            switch: switch.clone(),
            cross_connect: cross_connect.clone(),
        });
    }
    Carriage {
        carrier: name,
        switch,
        access,
        cross_connect,
    }
}

/// Where a path goes on from a carrier's switch.
struct Towards<'a> {
    carrier: &'a str,
    switch: &'a NodeName,
    /// The name of the line to the MSEE.
    line: &'a str,
}

/// The port towards the MSEE and the cross-connect, once the MSEE has its side of the circuit.
fn join_cloud(
    builder: &mut Builder<'_>,
    end: &CustomerEnd<'_>,
    &Towards {
        carrier,
        switch,
        line,
    }: &Towards<'_>,
    customer: PortName,
    (mtu, delay): (u16, Option<Duration>),
) -> Option<CrossConnectName> {
    let (circuit, path) = (end.circuit, end.path);
    let msee = msee::node_name(circuit, path);
    let msee_port = msee::provider_port(builder, circuit);
    let index = builder.index.circuits.get(&circuit.id)?;
    let label = index.label.clone();
    let leg = index.legs.iter().position(|leg| leg.node == msee)?;
    builder.router_mut(&msee)?.ports.get(&msee_port)?;
    let nni: PortName = format!("nni/{line}").into();
    let joined = CrossConnect {
        a: ServicePoint {
            port: customer,
            tagging: match end.mode {
                PortMode::Access => Tagging::Untagged,
                PortMode::Trunk => Tagging::Dot1q(end.c_tag),
            },
        },
        b: ServicePoint {
            port: nni.clone(),
            tagging: Tagging::QinQ {
                s_tag: circuit.s_tag,
                c_tag: end.c_tag,
            },
        },
        tenant: Some(circuit.id.to_string()),
        faults: Vec::new(),
    };
    add_port(builder, switch, &circuit.location, &nni, mtu);
    let link: LinkName = format!("{}--{carrier}/{line}", circuit.location_id).into();
    let built = builder.link(
        link.clone(),
        (&msee, &msee_port),
        (switch, &nni),
        LinkClass::CrossConnect,
        Owner::Provider,
    );
    built.delay = built.delay.or(delay);
    edge::apply_settings(builder, circuit, path, &link);
    let name: CrossConnectName = format!("{label}/{}", path.label()).into();
    let spec = switch_mut(builder, switch)?;
    // A second router on the path is refused by a rule; here the first one has it.
    let taken = (spec.cross_connects.values()).any(|c| c.a == joined.a || c.b == joined.b);
    if taken || spec.cross_connects.contains_key(&name) {
        return None;
    }
    spec.cross_connects.insert(name.clone(), joined);
    if let Some(index) = builder.index.circuits.get_mut(&circuit.id) {
        index.legs[leg].link = Some(link);
    }
    Some(name)
}

pub(crate) fn add_port(
    builder: &mut Builder<'_>,
    switch: &NodeName,
    location: &str,
    port: &PortName,
    mtu: u16,
) {
    let nodes = &mut builder.blueprint.nodes;
    nodes.entry(switch.clone()).or_insert_with(|| Node {
        owner: Owner::Provider,
        role: Role::ProviderEdge,
        location: location.to_owned(),
        tenant: None,
        kind: NodeKind::Switch(Box::default()),
    });
    if let Some(spec) = switch_mut(builder, switch) {
        spec.ports.insert(port.clone(), SwitchPort { mtu });
    }
}

pub(crate) fn switch_mut<'b>(
    builder: &'b mut Builder<'_>,
    name: &NodeName,
) -> Option<&'b mut Switch> {
    match &mut builder.blueprint.nodes.get_mut(name)?.kind {
        NodeKind::Switch(switch) => Some(switch),
        NodeKind::Router(_) | NodeKind::Host(_) | NodeKind::External(_) => None,
    }
}
