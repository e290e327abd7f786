//! FastConnect edge pairs: AS 31898, one VRF per virtual circuit, and the cross-connects to the MSEEs.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use skybridge_azure::model::{Circuit, Peering};
use skybridge_blueprint::{
    BfdParameters, BgpInstance, BgpPeer, ExportPolicy, HopVisibility, ImportTo, Interface,
    InterfaceName, LinkClass, LinkName, MaxPrefixes, NextHopRule, NodeName, Owner, PathRole,
    PortName, Role, RoutePolicy, Secret, Tagging, VrfName,
};
use skybridge_oci::model::{Mapping, VirtualCircuit};

use crate::builder::{
    Builder, add_port, host_prefix, neighbour, plain_interface, router_node, table,
};
use crate::drg::{self, DrgEnd, ORACLE};
use crate::{CrossConnectSettings, Leg, LegIndex, fastconnect, msee, tags};

/// The peer on the cross-connect.
const FAR_PEER: &str = "azure";
/// The peer inside OCI.
const DRG_PEER: &str = "drg";

pub(crate) fn node_name(region: &str, leg: Leg) -> NodeName {
    format!("fc-edge-{}@{region}", leg.number()).into()
}

/// The cross-connect between a location and a region, one per leg; circuits share it.
pub(crate) fn link_name(location: &str, region: &str, leg: Leg) -> LinkName {
    format!("{location}--{region}/{}", leg.label()).into()
}

/// The OCI region at the other end of a circuit: that of the virtual circuit that holds its key.
pub(crate) fn far_region(builder: &Builder<'_>, circuit: &Circuit) -> Option<String> {
    holder(builder, circuit).map(|vc| vc.region.clone())
}

pub(crate) fn holder<'a>(builder: &Builder<'a>, circuit: &Circuit) -> Option<&'a VirtualCircuit> {
    (builder.inputs.oci.virtual_circuits.iter())
        .find(|vc| vc.service_key.as_deref() == Some(&circuit.service_key))
}

pub(crate) fn build(builder: &mut Builder<'_>) {
    for vc in &builder.inputs.oci.virtual_circuits {
        if vc.lifecycle_state != "PROVISIONED" {
            continue;
        }
        if !vc.private {
            builder.gap(&vc.id, "public virtual circuits are not modelled");
            continue;
        }
        let circuit = (builder.inputs.azure.circuits.iter())
            .find(|c| vc.service_key.as_deref() == Some(&c.service_key));
        let Some(circuit) = circuit else {
            fastconnect::build(builder, vc);
            continue;
        };
        let peering = (circuit.peerings.iter()).find(|p| p.name == "AzurePrivatePeering");
        let legs: Vec<LegIndex> = Leg::BOTH
            .into_iter()
            .zip(&vc.mappings)
            .filter_map(|(leg, mapping)| build_leg(builder, vc, circuit, peering, leg, mapping))
            .collect();
        builder.index.virtual_circuits.insert(vc.id.clone(), legs);
    }
}

fn build_leg(
    builder: &mut Builder<'_>,
    vc: &VirtualCircuit,
    circuit: &Circuit,
    peering: Option<&Peering>,
    leg: Leg,
    mapping: &Mapping,
) -> Option<LegIndex> {
    let vlan = mapping.vlan.or_else(|| peering.map(|p| p.vlan))?;
    let port: PortName = format!("xc/{}", circuit.location_id).into();
    let line = Line {
        port: &port,
        tagging: Tagging::QinQ {
            s_tag: circuit.s_tag,
            c_tag: vlan,
        },
        tenant: circuit.id.to_string(),
    };
    let mut index = add_leg(builder, vc, leg, mapping, &line)?;
    index.link = cross_connect(builder, vc, circuit, leg, (&index.node, &port));
    Some(index)
}

/// What a leg of a virtual circuit comes in by.
pub(crate) struct Line<'a> {
    pub(crate) port: &'a PortName,
    pub(crate) tagging: Tagging,
    pub(crate) tenant: String,
}

/// Oracle's side of one leg: the edge router's table, interface and sessions. The caller links the port.
pub(crate) fn add_leg(
    builder: &mut Builder<'_>,
    vc: &VirtualCircuit,
    leg: Leg,
    mapping: &Mapping,
    line: &Line<'_>,
) -> Option<LegIndex> {
    let label = builder.label(&vc.name, &vc.id);
    let name = node_name(&vc.region, leg);
    let vrf: VrfName = format!("vc/{label}").into();
    let interface: InterfaceName = vrf.as_str().into();
    let location = format!("FastConnect {}", vc.region);
    let peer = far_peer(builder, vc, mapping, &vrf, &label, leg);
    let router = builder.router(&name, || {
        router_node(
            Owner::Oracle,
            Role::FastConnectEdge,
            &location,
            HopVisibility::Visible,
        )
    });
    add_port(router, &name, line.port);
    router.vrfs.insert(vrf.clone(), table(&label, 1));
    router.interfaces.insert(
        interface.clone(),
        Interface {
            tagging: line.tagging,
            connected_routes: true,
            mtu: vc.mtu,
            tenant: Some(line.tenant.clone()),
            ..plain_interface(line.port, &vrf, vec![mapping.oracle])
        },
    );
    router.bgp.insert(
        label.clone(),
        BgpInstance {
            asn: vc.oracle_asn,
            router_id: v4(mapping.oracle.addr())?,
            tables: vec![vrf.clone()],
            originated: Vec::new(),
            peers: [(FAR_PEER.to_owned(), peer)].into(),
        },
    );
    let gateway = vc
        .drg
        .as_ref()
        .and_then(|id| builder.inputs.oci.drgs.iter().find(|d| &d.id == id));
    if let Some(gateway) = gateway
        && let Some(end) = drg::attach_leg(builder, gateway, &vc.id, &label, leg)
    {
        join_drg(builder, &name, &vrf, &label, leg, &end);
    }
    Some(LegIndex {
        node: name,
        vrf,
        instance: label,
        peer: FAR_PEER.to_owned(),
        interface,
        link: None,
    })
}

/// The physical link to the MSEE, when the circuit has its side of it.
fn cross_connect(
    builder: &mut Builder<'_>,
    vc: &VirtualCircuit,
    circuit: &Circuit,
    leg: Leg,
    near: (&NodeName, &PortName),
) -> Option<LinkName> {
    let msee = msee::node_name(circuit, leg);
    let port = msee::provider_port(builder, circuit);
    builder.router_mut(&msee)?.ports.get(&port)?;
    let name = link_name(&circuit.location_id, &vc.region, leg);
    builder.link(
        name.clone(),
        (&msee, &port),
        near,
        LinkClass::CrossConnect,
        Owner::Provider,
    );
    apply_settings(builder, circuit, leg, &name);
    let index = builder.index.circuits.get_mut(&circuit.id)?;
    for entry in index.legs.iter_mut().filter(|l| l.node == msee) {
        entry.link = Some(name.clone());
    }
    Some(name)
}

/// Gives a cross-connect what the lab file says about a path of the circuit.
pub(crate) fn apply_settings(
    builder: &mut Builder<'_>,
    circuit: &Circuit,
    leg: Leg,
    name: &LinkName,
) {
    let settings = (builder.inputs.extras.links.iter()).rfind(|s| {
        s.access.is_none()
            && s.circuit.as_ref().is_none_or(|c| c == &circuit.id)
            && s.path.is_none_or(|p| p == leg)
    });
    set_properties(builder, settings, name);
}

/// Gives a link what the lab file says about it.
pub(crate) fn set_properties(
    builder: &mut Builder<'_>,
    settings: Option<&CrossConnectSettings>,
    name: &LinkName,
) {
    if let Some(settings) = settings
        && let Some(link) = builder.blueprint.links.get_mut(name)
    {
        link.delay = settings.delay.or(link.delay);
        link.jitter = if settings.jitter == Duration::ZERO {
            link.jitter
        } else {
            settings.jitter
        };
        link.loss_ppm = link.loss_ppm.max(settings.loss_ppm);
        link.rate_bps = settings.rate_bps.or(link.rate_bps);
    }
}

/// The session with the MSEE.
fn far_peer(
    builder: &mut Builder<'_>,
    vc: &VirtualCircuit,
    mapping: &Mapping,
    vrf: &VrfName,
    label: &str,
    leg: Leg,
) -> BgpPeer {
    let bfd = vc.bfd.then(|| BfdParameters {
        interval: builder.behaviour_ms("oci_bfd_interval_ms"),
        multiplier: msee::multiplier(builder, "oci_bfd_multiplier"),
    });
    BgpPeer {
        interface: vrf.as_str().into(),
        local: mapping.oracle.addr(),
        remote: mapping.customer.addr(),
        remote_asn: vc.customer_asn,
        local_asn: None,
        md5: mapping.md5.clone().map(Secret::new),
        hold_time_s: builder.behaviour_s("oci_bgp_hold_s"),
        keepalive_s: builder.behaviour_s("oci_bgp_keepalive_s"),
        connect_retry: msee::connect_retry(builder, "oci_connect_retry_s"),
        passive: false,
        enabled: vc.bgp_enabled,
        bfd,
        import: vec![ImportTo {
            table: vrf.clone(),
            policy: RoutePolicy::ACCEPT_ALL,
        }],
        export: Some(ExportPolicy {
            table: vrf.clone(),
            policy: msee::only(tags::DRG, "not learned from the DRG"),
        }),
        next_hop: NextHopRule::SelfAddress,
        source_tag: tags::VIRTUAL_CIRCUIT,
        limits: MaxPrefixes {
            v4: builder.limit("oci", "routes_in_private_v4", ""),
            v6: builder.limit("oci", "routes_in_private_v6", ""),
        },
        role: PathRole {
            peering: format!("{label}/private"),
            path: leg.label().to_owned(),
            customer_visible: true,
        },
    }
}

/// The edge's side of the leg to the DRG.
fn join_drg(
    builder: &mut Builder<'_>,
    name: &NodeName,
    vrf: &VrfName,
    label: &str,
    leg: Leg,
    end: &DrgEnd,
) {
    let port: PortName = format!("drg/{label}").into();
    let interface: InterfaceName = port.as_str().into();
    let peer = BgpPeer {
        interface: interface.clone(),
        local: IpAddr::V4(end.edge_address),
        remote: IpAddr::V4(end.drg_address),
        remote_asn: ORACLE,
        import: vec![ImportTo {
            table: vrf.clone(),
            policy: RoutePolicy::ACCEPT_ALL,
        }],
        export: Some(ExportPolicy {
            table: vrf.clone(),
            policy: msee::only(tags::VIRTUAL_CIRCUIT, "not learned from the circuit"),
        }),
        source_tag: tags::DRG,
        ..drg::inside_session(builder, label, leg)
    };
    let Some(router) = builder.router_mut(name) else {
        return;
    };
    add_port(router, name, &port);
    router.interfaces.insert(
        interface.clone(),
        plain_interface(&port, vrf, vec![host_prefix(IpAddr::V4(end.edge_address))]),
    );
    if let Some(vrf) = router.vrfs.get_mut(vrf) {
        vrf.routes
            .push(neighbour(IpAddr::V4(end.drg_address), &interface));
    }
    if let Some(bgp) = router.bgp.get_mut(label) {
        bgp.peers.insert(DRG_PEER.to_owned(), peer);
    }
    drg::link_leg(builder, end, (name, &port), label);
}

const fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}
