//! Routes of virtual circuits over remote peering.
//!
//! A connection offers what the DRG route table of its attachment holds, and the tables of the other DRG that import
//! the connection take it. Where a route came from stays known across connections: what a virtual circuit brought is
//! exported to no other virtual circuit or tunnel, however far away (managingDRGs).
//!
//! How Oracle carries these routes is not published. Here a session of BGP runs over each connection, in an AS of its
//! own per DRG, so that a route meets no DRG twice, and each connection makes a path longer by one: a route of the DRG's own
//! circuit beats one of the same length that came by a connection, as managingDRGs has it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use skybridge_base::Asn;
use skybridge_blueprint::{BgpPeer, ExportPolicy, ImportTo, PathRole, RoutePolicy};
use skybridge_estate::ResourceId;
use skybridge_oci::model::{AttachmentType, Drg, PeeringEnd, RemotePeering};

use crate::builder::{Builder, everywhere, host_prefix, neighbour};
use crate::peering::{CROSSED_MAX, remote_interface};
use crate::{DRG_POOL, Leg, REMOTE_PEERING_POOL, drg, loose, msee, tags};

/// The first of the AS numbers that DRGs have towards each other (RFC 6996 §5).
const ASN_FIRST: u32 = 4_200_000_000;
/// Connections that can have a session: a /30 of 169.254.64.0/18 each.
const LINKS_MAX: u32 = 0x1000;

/// Joins two DRGs by a session over a connection, when a circuit is attached to any DRG at all.
pub(crate) fn add_sessions(builder: &mut Builder<'_>, one: &RemotePeering, other: &RemotePeering) {
    let drgs = &builder.inputs.oci.drgs;
    if !drgs.iter().any(has_circuit) {
        return;
    }
    let number = number(builder, REMOTE_PEERING_POOL, &one.id);
    let Some([near, far]) = number.and_then(addresses) else {
        let what = "routes of virtual circuits that come by it are not modelled: too many peerings";
        builder.gap(&one.id, what);
        return;
    };
    add_session(builder, one, other, (near, far));
    add_session(builder, other, one, (far, near));
}

fn has_circuit(gateway: &Drg) -> bool {
    let mut attachments = gateway.attachments.iter();
    attachments.any(|a| a.kind == AttachmentType::VirtualCircuit)
}

fn number(builder: &Builder<'_>, pool: &str, id: &ResourceId) -> Option<u32> {
    let number = builder.inputs.estate.allocation(pool, id.as_str())?;
    u32::try_from(number).ok()
}

fn addresses(number: u32) -> Option<[IpAddr; 2]> {
    let base = u32::from(Ipv4Addr::new(169, 254, 64, 0)) + number.checked_mul(4)?;
    let at = |host: u32| IpAddr::V4(Ipv4Addr::from(base + host));
    (number < LINKS_MAX).then(|| [at(1), at(2)])
}

fn asn(builder: &Builder<'_>, gateway: &ResourceId) -> Option<Asn> {
    let number = number(builder, DRG_POOL, gateway)?;
    ASN_FIRST.checked_add(number).map(Asn)
}

/// One end of a session.
fn add_session(
    builder: &mut Builder<'_>,
    own: &RemotePeering,
    other: &RemotePeering,
    (local, remote): (IpAddr, IpAddr),
) -> Option<()> {
    let gateway = (builder.inputs.oci.drgs.iter()).find(|d| d.id == own.drg)?;
    let attachment = (gateway.attachments.iter()).find(|a| a.network == own.id)?;
    let vrf = drg::entry_vrf(builder, gateway, attachment)?;
    let import = (gateway.tables.iter())
        .filter(|table| drg::imports(table, attachment))
        .map(|table| ImportTo {
            table: drg::table_vrf(builder, table),
            policy: RoutePolicy::ACCEPT_ALL,
        })
        .collect();
    let interface = remote_interface(builder, own);
    let label = builder.label(&own.name, &own.id);
    let peer = BgpPeer {
        interface: interface.clone(),
        local,
        remote,
        remote_asn: asn(builder, &other.drg)?,
        local_asn: Some(asn(builder, &own.drg)?),
        import,
        export: Some(ExportPolicy {
            table: vrf.clone(),
            policy: msee::only(tags::VIRTUAL_CIRCUIT, "not learned from a virtual circuit"),
        }),
        // Whose route it is does not change on the way.
        source_tag: tags::VIRTUAL_CIRCUIT,
        role: PathRole {
            peering: label.clone(),
            path: String::new(),
            customer_visible: false,
        },
        ..drg::inside_session(builder, &label, Leg::Primary)
    };
    let name = drg::node_name(builder, gateway);
    let router = builder.router_mut(&name)?;
    let port = router.interfaces.get_mut(&interface)?;
    port.addresses.push(host_prefix(local));
    let table = router.vrfs.get_mut(&vrf)?;
    table.routes.push(neighbour(remote, &interface));
    let bgp = router.bgp.get_mut(drg::BGP)?;
    bgp.peers.insert(interface.to_string(), peer);
    Some(())
}

/// A route is on four DRGs at most (managingDRGs). The sessions do not count: where one might come from further
/// away, it is unknown what becomes of it.
pub(crate) fn limit(builder: &mut Builder<'_>) {
    let drgs = &builder.inputs.oci.drgs;
    for source in drgs.iter().filter(|gateway| has_circuit(gateway)) {
        for id in beyond(builder, &source.id) {
            let Some(gateway) = drgs.iter().find(|gateway| gateway.id == id) else {
                continue;
            };
            let name = drg::node_name(builder, gateway);
            let why =
                "routes of virtual circuits from more than three peerings away are not modelled";
            builder.gap(&id, why);
            if let Some(router) = builder.router_mut(&name) {
                for table in router.vrfs.values_mut() {
                    loose::open(table, &everywhere());
                }
            }
        }
    }
}

/// The DRGs that are further than a route goes from one.
fn beyond(builder: &Builder<'_>, from: &ResourceId) -> Vec<ResourceId> {
    let all = &builder.inputs.oci.remote_peerings;
    let mut distance: BTreeMap<&ResourceId, usize> = BTreeMap::from([(from, 0)]);
    loop {
        let known = distance.clone();
        for connection in all {
            let PeeringEnd::Here(end) = &connection.end else {
                continue;
            };
            let Some(far) = all.iter().find(|other| &other.id == end) else {
                continue;
            };
            if let Some(near) = distance.get(&connection.drg).copied() {
                let there = distance.entry(&far.drg).or_insert(near + 1);
                *there = (*there).min(near + 1);
            }
        }
        if distance == known {
            break;
        }
    }
    let far = distance.into_iter().filter(|(_, d)| *d > CROSSED_MAX);
    far.map(|(id, _)| id.clone()).collect()
}
