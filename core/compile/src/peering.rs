//! Peerings inside OCI.
//!
//! Local: two VCN routers joined; what comes in by a gateway is looked up in the gateway's route table, or by
//! the VCN's local routes (Oracle, "Local VCN Peering", "Transit Routing").
//!
//! Remote: two DRGs joined. A connection offers what the table of its attachment holds; the tables of the other
//! DRG that import it take that, behind everything else of the same length and not beyond four DRGs in a
//! row (managingDRGs). Routes of VCNs are known when the network is compiled, so they are system routes here. Routes of
//! virtual circuits are exchanged by BGP (`exchange.rs`). What would take an IPsec tunnel is unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use skybridge_blueprint::{
    DropKind, Interface, InterfaceName, LinkClass, LinkName, NextHop, NodeName, Originated, Owner,
    PortName, RouteSource, StaticRoute, VrfName, Zone,
};
use skybridge_estate::ResourceId;
use skybridge_oci::model::{
    AttachmentType, Drg, DrgAttachment, DrgTable, LocalPeering, PeeringEnd, RemotePeering,
};

use crate::builder::{Builder, add_port, everywhere, host_prefix, neighbour, plain_interface};
use crate::{drg, exchange, loose, tags, vcn};

/// The two ends of a peering, of the one with the lesser OCID first; from the range that security rules and
/// routes leave alone.
const ENDS: [Ipv4Addr; 2] = [
    Ipv4Addr::new(169, 254, 0, 9),
    Ipv4Addr::new(169, 254, 0, 10),
];
/// Remote peering connections that a route crosses at most: it is on four DRGs then (managingDRGs).
pub(crate) const CROSSED_MAX: usize = 3;

pub(crate) fn build(builder: &mut Builder<'_>) {
    for gateway in &builder.inputs.oci.local_peerings {
        if let PeeringEnd::Here(other) = &gateway.end
            && gateway.id < *other
        {
            join_vcns(builder, gateway, other);
        }
    }
    for connection in &builder.inputs.oci.remote_peerings {
        if let PeeringEnd::Here(other) = &connection.end
            && connection.id < *other
        {
            join_drgs(builder, connection, other);
        }
    }
    let tables = Tables::of(builder);
    tables.install(builder);
    exchange::limit(builder);
}

/// The addresses of our end and the other's.
fn ends(own: &ResourceId, other: &ResourceId) -> (Ipv4Addr, Ipv4Addr) {
    if own < other {
        (ENDS[0], ENDS[1])
    } else {
        (ENDS[1], ENDS[0])
    }
}

fn local_interface(builder: &Builder<'_>, gateway: &LocalPeering) -> InterfaceName {
    format!("lpg/{}", builder.label(&gateway.name, &gateway.id)).into()
}

/// Where a rule for a local peering gateway leads.
pub(crate) fn next_hop(builder: &Builder<'_>, gateway: &ResourceId) -> NextHop {
    let found = (builder.inputs.oci.local_peerings.iter()).find(|p| &p.id == gateway);
    match found.map(|p| (p, &p.end)) {
        Some((gateway, PeeringEnd::Here(other))) => NextHop::Via {
            interface: local_interface(builder, gateway),
            address: IpAddr::V4(ends(&gateway.id, other).1),
        },
        Some((_, PeeringEnd::Elsewhere)) => NextHop::Drop(DropKind::NotModelled),
        Some((_, PeeringEnd::Nowhere)) | None => NextHop::Drop(DropKind::DeadTarget),
    }
}

fn join_vcns(builder: &mut Builder<'_>, gateway: &LocalPeering, other: &ResourceId) {
    let other = (builder.inputs.oci.local_peerings.iter()).find(|p| &p.id == other);
    let Some(other) = other else { return };
    let near = vcn_end(builder, gateway, &other.id);
    let far = vcn_end(builder, other, &gateway.id);
    if let (Some(near), Some(far)) = (near, far) {
        join(builder, &near, &far);
    }
}

/// A VCN's end of a local peering.
fn vcn_end(
    builder: &mut Builder<'_>,
    gateway: &LocalPeering,
    other: &ResourceId,
) -> Option<(NodeName, PortName)> {
    let network = (builder.inputs.oci.vcns.iter()).find(|v| v.id == gateway.vcn)?;
    let own = gateway.route_table.as_ref();
    let table = vcn::table_of(builder, network, "from a peered VCN", own);
    let name = vcn::node_name(builder, network);
    let interface = local_interface(builder, gateway);
    let vrf: VrfName = format!("from-{interface}").into();
    let port: PortName = interface.as_str().into();
    let (own, far) = ends(&gateway.id, other);
    let router = builder.router_mut(&name)?;
    add_port(router, &name, &port);
    router.vrfs.insert(vrf.clone(), table);
    router.interfaces.insert(
        interface.clone(),
        plain_interface(&port, &vrf, vec![host_prefix(IpAddr::V4(own))]),
    );
    let table = router.vrfs.get_mut(&vrf)?;
    table.routes.push(neighbour(IpAddr::V4(far), &interface));
    Some((name, port))
}

pub(crate) fn remote_interface(builder: &Builder<'_>, connection: &RemotePeering) -> InterfaceName {
    format!("rpc/{}", builder.label(&connection.name, &connection.id)).into()
}

/// The way over a remote peering connection, when it has another end here.
pub(crate) fn over(builder: &Builder<'_>, connection: &ResourceId) -> Option<NextHop> {
    let all = &builder.inputs.oci.remote_peerings;
    let connection = all.iter().find(|r| &r.id == connection)?;
    let PeeringEnd::Here(other) = &connection.end else {
        return None;
    };
    Some(NextHop::Via {
        interface: remote_interface(builder, connection),
        address: IpAddr::V4(ends(&connection.id, other).1),
    })
}

fn join_drgs(builder: &mut Builder<'_>, connection: &RemotePeering, other: &ResourceId) {
    let other = (builder.inputs.oci.remote_peerings.iter()).find(|p| &p.id == other);
    let Some(other) = other else { return };
    let near = drg_end(builder, connection, &other.id);
    let far = drg_end(builder, other, &connection.id);
    if let (Some(near), Some(far)) = (near, far) {
        join(builder, &near, &far);
        exchange::add_sessions(builder, connection, other);
    }
}

/// A DRG's end of a remote peering: packets that come in by it are looked up in its attachment's table.
fn drg_end(
    builder: &mut Builder<'_>,
    connection: &RemotePeering,
    other: &ResourceId,
) -> Option<(NodeName, PortName)> {
    let gateway = (builder.inputs.oci.drgs.iter()).find(|d| d.id == connection.drg)?;
    let attachment = (gateway.attachments.iter()).find(|a| a.network == connection.id)?;
    let vrf = drg::entry_vrf(builder, gateway, attachment)?;
    let name = drg::node_name(builder, gateway);
    let interface = remote_interface(builder, connection);
    let port: PortName = interface.as_str().into();
    let (own, _) = ends(&connection.id, other);
    let router = builder.router_mut(&name)?;
    add_port(router, &name, &port);
    router.interfaces.insert(
        interface,
        Interface {
            zone: Some(Zone::RemotePeering),
            ..plain_interface(&port, &vrf, vec![host_prefix(IpAddr::V4(own))])
        },
    );
    Some((name, port))
}

fn join(builder: &mut Builder<'_>, a: &(NodeName, PortName), b: &(NodeName, PortName)) {
    let link: LinkName = format!("{}--{}/{}", a.0, b.0, a.1).into();
    builder.link(
        link,
        (&a.0, &a.1),
        (&b.0, &b.1),
        LinkClass::Backbone,
        Owner::Oracle,
    );
}

/// A DRG route table: DRG and table, by their places in the model.
type At = (usize, usize);

/// A route that came by a remote peering connection.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Learned {
    /// The DRGs behind the connection, nearest first.
    path: Vec<ResourceId>,
    /// The connection at this end.
    connection: ResourceId,
}

/// What the DRG route tables hold beside what is written and what BGP brings.
#[derive(Debug)]
struct Tables<'a> {
    drgs: &'a [Drg],
    remote: &'a [RemotePeering],
    /// Written, or of VCNs.
    own: BTreeMap<At, BTreeSet<IpNet>>,
    learned: BTreeMap<At, BTreeMap<IpNet, Learned>>,
    /// Tables with routes that nobody models: why, at which resource.
    open: BTreeMap<At, (ResourceId, &'static str)>,
    /// Static routes of tunnels.
    tunnels: BTreeMap<At, BTreeSet<IpNet>>,
}

impl<'a> Tables<'a> {
    fn of(builder: &Builder<'a>) -> Self {
        let oci = builder.inputs.oci;
        let mut tables = Self {
            drgs: &oci.drgs,
            remote: &oci.remote_peerings,
            own: BTreeMap::new(),
            learned: BTreeMap::new(),
            open: BTreeMap::new(),
            tunnels: BTreeMap::new(),
        };
        for (at, gateway, table) in tables.all() {
            tables.own.insert(at, own_routes(builder, gateway, table));
            for attachment in imported(gateway, table) {
                tables.note_tunnel(builder, at, attachment);
            }
        }
        for _ in 0..CROSSED_MAX {
            for (at, gateway, table) in tables.all() {
                for attachment in imported(gateway, table) {
                    tables.cross(at, gateway, attachment);
                }
            }
        }
        tables
    }

    fn all(&self) -> Vec<(At, &'a Drg, &'a DrgTable)> {
        let drgs = self.drgs.iter().enumerate();
        drgs.flat_map(|(d, gateway)| {
            let tables = gateway.tables.iter().enumerate();
            tables.map(move |(t, table)| ((d, t), gateway, table))
        })
        .collect()
    }

    fn note_tunnel(&mut self, builder: &Builder<'_>, at: At, attachment: &DrgAttachment) {
        if attachment.kind != AttachmentType::IpsecTunnel {
            return;
        }
        let tunnel = (builder.inputs.oci.tunnels.iter()).find(|t| t.id == attachment.network);
        match tunnel.and_then(|t| t.static_routes.as_ref()) {
            Some(routes) => self.tunnels.entry(at).or_default().extend(routes),
            None => {
                let why = "routes that an IPsec tunnel learns by BGP are not known";
                self.open
                    .entry(at)
                    .or_insert_with(|| (attachment.id.clone(), why));
            }
        }
    }

    /// What a table takes by one remote peering connection.
    fn cross(&mut self, at: At, gateway: &Drg, attachment: &DrgAttachment) {
        let remote = self.remote;
        let Some(connection) = remote.iter().find(|r| r.id == attachment.network) else {
            return;
        };
        let other = match &connection.end {
            PeeringEnd::Nowhere => return,
            PeeringEnd::Elsewhere => {
                let why = "what comes from the other end is not known";
                self.open
                    .entry(at)
                    .or_insert_with(|| (connection.id.clone(), why));
                return;
            }
            PeeringEnd::Here(other) => other,
        };
        let Some((from, entry)) = self.entry(other) else {
            return;
        };
        let source = &self.drgs[from.0];
        let tunnels = self.tunnels.get(&from).cloned().unwrap_or_default();
        if !tunnels.is_empty() {
            self.tunnels.entry(at).or_default().extend(tunnels);
        }
        if self.open.contains_key(&from) {
            let why = "some of the routes that come by it are not known";
            self.open
                .entry(at)
                .or_insert_with(|| (connection.id.clone(), why));
        }
        let mut offered: Vec<(IpNet, Vec<ResourceId>)> = Vec::new();
        for prefix in self.own.get(&from).into_iter().flatten() {
            offered.push((*prefix, vec![source.id.clone()]));
        }
        for (prefix, learned) in self.learned.get(&from).into_iter().flatten() {
            let back = &learned.connection == entry || learned.path.contains(&gateway.id);
            if !back && learned.path.len() < CROSSED_MAX {
                let path = std::iter::once(&source.id).chain(&learned.path);
                offered.push((*prefix, path.cloned().collect()));
            }
        }
        for (prefix, path) in offered {
            if self.own[&at].contains(&prefix) {
                continue;
            }
            let new = Learned {
                path,
                connection: connection.id.clone(),
            };
            let known = self.learned.entry(at).or_default();
            let rank = |l: &Learned| (l.path.len(), l.connection.clone());
            if known.get(&prefix).is_none_or(|old| rank(&new) < rank(old)) {
                known.insert(prefix, new);
            }
        }
    }

    /// The table whose routes a connection offers, and the connection.
    fn entry(&self, connection: &ResourceId) -> Option<(At, &'a ResourceId)> {
        let remote = self.remote.iter().find(|r| &r.id == connection)?;
        let d = self.drgs.iter().position(|g| g.id == remote.drg)?;
        let attachments = self.drgs[d].attachments.iter();
        let attachment = attachments.into_iter().find(|a| a.network == remote.id)?;
        let tables = &self.drgs[d].tables;
        let t = tables.iter().position(|t| t.id == attachment.table)?;
        Some(((d, t), &remote.id))
    }

    fn install(&self, builder: &mut Builder<'_>) {
        for (at, gateway, table) in self.all() {
            let name = drg::node_name(builder, gateway);
            let vrf = drg::table_vrf(builder, table);
            let mut routes = Vec::new();
            let mut originated = Vec::new();
            for (prefix, learned) in self.learned.get(&at).into_iter().flatten() {
                let Some(next_hop) = over(builder, &learned.connection) else {
                    continue;
                };
                routes.push((*prefix, next_hop, tags::SYSTEM));
                originated.push(Originated {
                    table: vrf.clone(),
                    prefix: *prefix,
                    communities: Vec::new(),
                    source_tag: tags::VCN,
                });
            }
            let unknown = || NextHop::Drop(DropKind::NotModelled);
            for prefix in self.tunnels.get(&at).into_iter().flatten() {
                routes.push((*prefix, unknown(), tags::LAST));
            }
            let open = self.open.get(&at);
            if let Some((resource, why)) = open {
                let said = (resource.clone(), (*why).to_owned());
                if !builder.gaps.contains(&said) {
                    builder.gaps.push(said);
                }
            }
            let Some(router) = builder.router_mut(&name) else {
                continue;
            };
            if let Some(bgp) = router.bgp.get_mut(drg::BGP) {
                bgp.originated.append(&mut originated);
            }
            if let Some(table) = router.vrfs.get_mut(&vrf) {
                table.routes.extend(routes.into_iter().map(route));
                if open.is_some() {
                    loose::open(table, &everywhere());
                }
            }
        }
    }
}

fn route((prefix, next_hop, preference): (IpNet, NextHop, u8)) -> StaticRoute {
    StaticRoute {
        prefix,
        next_hop,
        preference,
        source: RouteSource::System,
    }
}

/// The attachments whose routes a table imports.
fn imported<'a>(
    gateway: &'a Drg,
    table: &'a DrgTable,
) -> impl Iterator<Item = &'a DrgAttachment> + use<'a> {
    let all = gateway.attachments.iter();
    all.filter(|a| drg::imports(table, a))
}

/// What a table has from VCNs and from its static rules.
fn own_routes(builder: &Builder<'_>, gateway: &Drg, table: &DrgTable) -> BTreeSet<IpNet> {
    let vcns = &builder.inputs.oci.vcns;
    let offered = imported(gateway, table)
        .filter(|a| a.kind == AttachmentType::Vcn)
        .filter_map(|a| {
            let network = vcns.iter().find(|v| v.id == a.network)?;
            Some(vcn::offered(builder, network, a))
        });
    let written = table.static_rules.iter().map(|(prefix, _)| *prefix);
    offered.flatten().chain(written).collect()
}
