//! Virtual network gateways and DRGs.

use skybridge_bgp::RouteStatus;
use skybridge_blueprint::{NextHop, RouteSource, VrfName};
use skybridge_dataplane::RouteState;
use skybridge_oci::model::{AttachmentType, Drg};

use crate::document::{DrgRow, DrgTableRow, GatewayRow, LearnedRoute};
use crate::lab::Lab;

/// Weight that `list-learned-routes` shows for ExpressRoute (facts: expressroute.md §5).
const LEARNED_WEIGHT: u32 = 32769;

/// Every ExpressRoute gateway.
pub(crate) fn gateways(lab: &Lab) -> Vec<GatewayRow> {
    let main: VrfName = "main".into();
    (lab.network.azure.gateways.iter())
        .map(|gateway| {
            let index = lab.network.compiled.index.gateways.get(&gateway.id);
            let resource = lab.control.estate.resource(&gateway.id);
            let mut learned = Vec::new();
            let mut advertised = Vec::new();
            let nodes = index.map_or(&[][..], |i| &i.instances);
            for (node, router) in nodes
                .iter()
                .filter_map(|node| Some((node, lab.network.world.router(node)?)))
            {
                let Some(index) = index else { continue };
                for route in router.bgp_routes(&index.bgp, &main) {
                    for path in &route.paths {
                        match &path.peer {
                            Some(_) if !matches!(path.status, RouteStatus::Rejected(_)) => {
                                learned.push(LearnedRoute {
                                    network: route.prefix.to_string(),
                                    next_hop: path
                                        .attributes
                                        .next_hop
                                        .map_or_else(String::new, |n| n.to_string()),
                                    as_path: path.attributes.as_path.to_string().replace(' ', "-"),
                                    weight: LEARNED_WEIGHT,
                                });
                            }
                            None if nodes.first() == Some(node) => {
                                advertised.push(route.prefix.to_string());
                            }
                            Some(_) | None => {}
                        }
                    }
                }
            }
            learned.sort_by(|a, b| (&a.network, &a.next_hop).cmp(&(&b.network, &b.next_hop)));
            learned.dedup();
            GatewayRow {
                name: gateway.name.clone(),
                sku: gateway.sku.clone(),
                asn: gateway.asn.0,
                network: gateway.vnet.leaf().to_owned(),
                state: resource
                    .and_then(|r| r.text("/properties/provisioningState"))
                    .unwrap_or_default()
                    .to_owned(),
                instances: nodes
                    .iter()
                    .zip(&gateway.instance_addresses)
                    .map(|(node, address)| (node.to_string(), address.to_string()))
                    .collect(),
                learned,
                advertised,
            }
        })
        .collect()
}

/// Every DRG.
pub(crate) fn drgs(lab: &Lab) -> Vec<DrgRow> {
    let estate = &lab.control.estate;
    let name_of = |id: &skybridge_estate::ResourceId| {
        estate
            .resource(id)
            .map_or_else(|| id.to_string(), |r| r.shown_name().to_owned())
    };
    (lab.network.oci.drgs.iter())
        .map(|drg| DrgRow {
            name: drg.name.clone(),
            attachments: (drg.attachments.iter())
                .map(|a| {
                    (
                        a.name.clone(),
                        kind_words(a.kind).to_owned(),
                        name_of(&a.network),
                        name_of(&a.table),
                    )
                })
                .collect(),
            tables: tables(lab, drg),
        })
        .collect()
}

const fn kind_words(kind: AttachmentType) -> &'static str {
    match kind {
        AttachmentType::Vcn => "VCN",
        AttachmentType::VirtualCircuit => "VIRTUAL_CIRCUIT",
        AttachmentType::IpsecTunnel => "IPSEC_TUNNEL",
        AttachmentType::RemotePeeringConnection => "REMOTE_PEERING_CONNECTION",
    }
}

fn tables(lab: &Lab, drg: &Drg) -> Vec<DrgTableRow> {
    let node = lab.network.compiled.index.drgs.get(&drg.id);
    let router = node.and_then(|node| lab.network.world.router(node));
    (drg.tables.iter())
        .map(|table| {
            let label = skybridge_compile::label(&lab.control.estate, &table.name, &table.id);
            let vrf: VrfName = format!("table/{label}").into();
            let observed = router.map(|r| r.routes(&vrf)).unwrap_or_default();
            DrgTableRow {
                name: table.name.clone(),
                routes: observed
                    .iter()
                    .filter(|route| route.source != RouteSource::Connected)
                    .map(|route| {
                        let source = match route.source {
                            RouteSource::System => "VCN",
                            RouteSource::User => "STATIC",
                            RouteSource::Bgp => "VIRTUAL_CIRCUIT",
                            RouteSource::Connected => "CONNECTED",
                        };
                        let status = if route.state == RouteState::Active {
                            "active"
                        } else {
                            "conflict"
                        };
                        (
                            route.prefix.to_string(),
                            hops_words(&route.next_hops),
                            source.to_owned(),
                            status.to_owned(),
                        )
                    })
                    .collect(),
            }
        })
        .collect()
}

/// Next hops in words: `10.0.0.4 on gw`, `table local`, `drop: internet`.
pub(crate) fn hops_words(hops: &[NextHop]) -> String {
    hops.iter().map(hop_words).collect::<Vec<_>>().join(", ")
}

/// One next hop in words.
pub(crate) fn hop_words(hop: &NextHop) -> String {
    match hop {
        NextHop::Via { interface, address } => format!("{address} on {interface}"),
        NextHop::Connected { interface } => format!("on {interface}"),
        NextHop::Table { vrf } => format!("table {vrf}"),
        NextHop::Drop(kind) => {
            format!("drop: {}", crate::probe::reason_words(&format!("{kind:?}")))
        }
    }
}
