//! Dynamic routing gateways.
//!
//! A VRF per DRG route table; a packet is looked up in the table of the attachment it entered by
//! (managingDRGs). What a table holds is decided by its import distribution. The hard propagation rule is
//! enforced twice, as in reality: routes from circuits and tunnels are not exported to circuits and
//! tunnels, and packets from one such attachment to another are dropped.

use std::net::{IpAddr, Ipv4Addr};

use skybridge_base::Asn;
use skybridge_blueprint::{
    BgpInstance, BgpPeer, ExportPolicy, HopVisibility, ImportTo, Interface, InterfaceName,
    LinkClass, LinkName, MaxPrefixes, NextHop, NextHopRule, NodeName, Originated, Owner, PathRole,
    PolicyAction, PolicyMatch, PolicyRule, PortName, Role, RoutePolicy, RouteSource, StaticRoute,
    VrfName, Zone,
};
use skybridge_estate::ResourceId;
use skybridge_oci::model::{AttachmentType, Drg, DrgAttachment, DrgTable, ImportStatement};

use crate::builder::{
    Builder, add_port, host_prefix, neighbour, plain_interface, router_node, table,
};
use crate::{Leg, drg_leg_pool, msee, peering, tags, vcn};

/// Oracle's AS number, inside too.
pub(crate) const ORACLE: Asn = Asn(31898);
/// Widest ECMP of a DRG route table (managingDRGs).
const ECMP_MAX: u8 = 8;
/// The BGP instance of a DRG.
pub(crate) const BGP: &str = "drg";

pub(crate) fn node_name(builder: &Builder<'_>, drg: &Drg) -> NodeName {
    format!("drg/{}", builder.label(&drg.name, &drg.id)).into()
}

pub(crate) fn table_vrf(builder: &Builder<'_>, table: &DrgTable) -> VrfName {
    format!("table/{}", builder.label(&table.name, &table.id)).into()
}

pub(crate) fn build(builder: &mut Builder<'_>) {
    for drg in &builder.inputs.oci.drgs {
        build_drg(builder, drg);
    }
}

fn build_drg(builder: &mut Builder<'_>, drg: &Drg) {
    let name = node_name(builder, drg);
    let tables: Vec<(VrfName, u8)> = (drg.tables.iter())
        .map(|t| (table_vrf(builder, t), if t.ecmp { ECMP_MAX } else { 1 }))
        .collect();
    let router = builder.router(&name, || {
        router_node(Owner::Oracle, Role::Drg, &drg.region, HopVisibility::Silent)
    });
    for (vrf, ecmp) in &tables {
        router.vrfs.insert(vrf.clone(), table(vrf.as_str(), *ecmp));
    }
    let outside = [Zone::VirtualCircuit, Zone::IpsecTunnel];
    router.forbidden_transit = outside
        .iter()
        .flat_map(|a| outside.iter().map(|b| (*a, *b)))
        .collect();
    router.bgp.insert(
        BGP.to_owned(),
        BgpInstance {
            asn: ORACLE,
            router_id: vcn::DRG_END,
            tables: tables.into_iter().map(|(vrf, _)| vrf).collect(),
            originated: Vec::new(),
            peers: [].into(),
        },
    );
    builder.index.drgs.insert(drg.id.clone(), name.clone());
    for attachment in &drg.attachments {
        match attachment.kind {
            AttachmentType::Vcn => attach_vcn(builder, drg, attachment),
            // Joined when the edge of the circuit is built, or with all peerings.
            AttachmentType::VirtualCircuit
            | AttachmentType::IpsecTunnel
            | AttachmentType::RemotePeeringConnection => {}
        }
    }
    for source in &drg.tables {
        for (prefix, attachment) in &source.static_rules {
            static_rule(builder, drg, source, *prefix, attachment);
        }
    }
}

/// True when `table` imports the routes of `attachment`.
pub(crate) fn imports(table: &DrgTable, attachment: &DrgAttachment) -> bool {
    table.imports.iter().any(|statement| match statement {
        ImportStatement::MatchAll => true,
        ImportStatement::Type(kind) => *kind == attachment.kind,
        ImportStatement::Attachment(id) => id == &attachment.id,
    })
}

fn vcn_interface(builder: &Builder<'_>, attachment: &DrgAttachment) -> InterfaceName {
    format!("vcn/{}", builder.label(&attachment.name, &attachment.id)).into()
}

pub(crate) fn entry_vrf(
    builder: &Builder<'_>,
    drg: &Drg,
    attachment: &DrgAttachment,
) -> Option<VrfName> {
    let table = drg.tables.iter().find(|t| t.id == attachment.table)?;
    Some(table_vrf(builder, table))
}

fn attach_vcn(builder: &mut Builder<'_>, drg: &Drg, attachment: &DrgAttachment) {
    let network = (builder.inputs.oci.vcns.iter()).find(|v| v.id == attachment.network);
    let (Some(network), Some(vrf)) = (network, entry_vrf(builder, drg, attachment)) else {
        builder.gap(&attachment.id, "its VCN or route table cannot be read");
        return;
    };
    let name = node_name(builder, drg);
    let interface = vcn_interface(builder, attachment);
    let port: PortName = interface.as_str().into();
    let importing: Vec<VrfName> = (drg.tables.iter())
        .filter(|t| imports(t, attachment))
        .map(|t| table_vrf(builder, t))
        .collect();
    let offered = vcn::offered(builder, network, attachment);
    let Some(router) = builder.router_mut(&name) else {
        return;
    };
    add_port(router, &name, &port);
    router.interfaces.insert(
        interface.clone(),
        Interface {
            zone: Some(Zone::Vcn),
            ..plain_interface(&port, &vrf, vec![host_prefix(IpAddr::V4(vcn::DRG_END))])
        },
    );
    for table in &importing {
        for prefix in &offered {
            if let Some(vrf) = router.vrfs.get_mut(table) {
                vrf.routes.push(StaticRoute {
                    prefix: *prefix,
                    next_hop: NextHop::Via {
                        interface: interface.clone(),
                        address: IpAddr::V4(vcn::VCN_END),
                    },
                    preference: tags::USER + 1,
                    source: RouteSource::System,
                });
            }
            if let Some(bgp) = router.bgp.get_mut(BGP) {
                bgp.originated.push(Originated {
                    table: table.clone(),
                    prefix: *prefix,
                    communities: Vec::new(),
                    source_tag: tags::VCN,
                });
            }
        }
    }
    vcn::attach(builder, network, attachment, (&name, &port));
}

fn static_rule(
    builder: &mut Builder<'_>,
    drg: &Drg,
    source: &DrgTable,
    prefix: ipnet::IpNet,
    attachment: &ResourceId,
) {
    let target = drg.attachments.iter().find(|a| &a.id == attachment);
    let via = target.and_then(|target| match target.kind {
        AttachmentType::Vcn => Some(NextHop::Via {
            interface: vcn_interface(builder, target),
            address: IpAddr::V4(vcn::VCN_END),
        }),
        AttachmentType::RemotePeeringConnection => peering::over(builder, &target.network),
        AttachmentType::VirtualCircuit | AttachmentType::IpsecTunnel => None,
    });
    let Some(next_hop) = via else {
        builder.gap(
            &source.id,
            format!("the static rule for {prefix} leads to no VCN and no peered DRG"),
        );
        return;
    };
    let vrf = table_vrf(builder, source);
    let name = node_name(builder, drg);
    let Some(router) = builder.router_mut(&name) else {
        return;
    };
    if let Some(vrf) = router.vrfs.get_mut(&vrf) {
        vrf.routes.push(StaticRoute {
            prefix,
            next_hop,
            preference: tags::USER,
            source: RouteSource::User,
        });
    }
    if let Some(bgp) = router.bgp.get_mut(BGP) {
        bgp.originated.push(Originated {
            table: vrf,
            prefix,
            communities: Vec::new(),
            source_tag: tags::VCN,
        });
    }
}

/// The DRG's side of one leg of a virtual circuit: where the edge must connect, and the session.
pub(crate) struct DrgEnd {
    pub(crate) node: NodeName,
    pub(crate) port: PortName,
    pub(crate) drg_address: Ipv4Addr,
    pub(crate) edge_address: Ipv4Addr,
}

/// Joins a leg of a virtual circuit to its DRG. `None` without an attachment.
pub(crate) fn attach_leg(
    builder: &mut Builder<'_>,
    drg: &Drg,
    circuit: &ResourceId,
    label: &str,
    leg: Leg,
) -> Option<DrgEnd> {
    let attachment = (drg.attachments.iter())
        .find(|a| a.kind == AttachmentType::VirtualCircuit && &a.network == circuit)?;
    let vrf = entry_vrf(builder, drg, attachment)?;
    let name = node_name(builder, drg);
    let number = (builder.inputs.estate)
        .allocation(&drg_leg_pool(&drg.id), circuit.as_str())
        .unwrap_or(0);
    let (drg_address, edge_address) = leg_addresses(number, leg)?;
    let interface: InterfaceName = format!("vc/{label}/{}", leg.label()).into();
    let port: PortName = interface.as_str().into();
    let import: Vec<ImportTo> = (drg.tables.iter())
        .filter(|t| imports(t, attachment))
        .map(|t| ImportTo {
            table: table_vrf(builder, t),
            policy: RoutePolicy::ACCEPT_ALL,
        })
        .collect();
    let peer = BgpPeer {
        interface: interface.clone(),
        local: IpAddr::V4(drg_address),
        remote: IpAddr::V4(edge_address),
        import,
        export: Some(ExportPolicy {
            table: vrf.clone(),
            policy: propagation_rule(),
        }),
        source_tag: tags::VIRTUAL_CIRCUIT,
        ..inside_session(builder, label, leg)
    };
    let router = builder.router_mut(&name)?;
    add_port(router, &name, &port);
    router.interfaces.insert(
        interface.clone(),
        Interface {
            zone: Some(Zone::VirtualCircuit),
            ..plain_interface(&port, &vrf, vec![host_prefix(IpAddr::V4(drg_address))])
        },
    );
    router
        .vrfs
        .get_mut(&vrf)?
        .routes
        .push(neighbour(IpAddr::V4(edge_address), &interface));
    router
        .bgp
        .get_mut(BGP)?
        .peers
        .insert(interface.to_string(), peer);
    Some(DrgEnd {
        node: name,
        port,
        drg_address,
        edge_address,
    })
}

/// Joins the two ends of a leg.
pub(crate) fn link_leg(
    builder: &mut Builder<'_>,
    end: &DrgEnd,
    edge: (&NodeName, &PortName),
    label: &str,
) {
    let link: LinkName = format!("{}--{}/{label}", end.node, edge.0).into();
    builder.link(
        link,
        (&end.node, &end.port),
        edge,
        LinkClass::Backbone,
        Owner::Oracle,
    );
}

/// A session between an edge and a DRG; the caller fills in where and what.
pub(crate) fn inside_session(builder: &mut Builder<'_>, label: &str, leg: Leg) -> BgpPeer {
    BgpPeer {
        interface: "".into(),
        local: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        remote: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        remote_asn: ORACLE,
        local_asn: None,
        md5: None,
        hold_time_s: builder.behaviour_s("oci_internal_bgp_hold_s"),
        keepalive_s: builder.behaviour_s("oci_internal_bgp_keepalive_s"),
        connect_retry: msee::connect_retry(builder, "oci_connect_retry_s"),
        passive: false,
        enabled: true,
        bfd: None,
        import: Vec::new(),
        export: None,
        next_hop: NextHopRule::SelfAddress,
        source_tag: 0,
        limits: MaxPrefixes::default(),
        role: PathRole {
            peering: label.to_owned(),
            path: leg.label().to_owned(),
            customer_visible: false,
        },
    }
}

/// Routes from circuits and tunnels are not exported to circuits and tunnels (managingDRGs).
fn propagation_rule() -> RoutePolicy {
    RoutePolicy {
        rules: vec![PolicyRule {
            matches: PolicyMatch {
                prefixes: Vec::new(),
                source_tags: vec![tags::VIRTUAL_CIRCUIT],
            },
            action: PolicyAction::Reject {
                reason: "a DRG does not pass routes from one circuit or tunnel to another"
                    .to_owned(),
            },
        }],
        default_accept: true,
    }
}

/// The addresses of leg `leg` of the DRG's circuit `number`: a /30 of 169.254.128.0/17 each.
fn leg_addresses(number: u64, leg: Leg) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let slot = u32::try_from(number).ok()?.checked_mul(2)? + u32::from(leg.number() - 1);
    let base = u32::from(Ipv4Addr::new(169, 254, 128, 0)).checked_add(slot.checked_mul(4)?)?;
    (slot < 0x2000).then(|| (Ipv4Addr::from(base + 1), Ipv4Addr::from(base + 2)))
}
