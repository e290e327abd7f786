//! The distributed router of an OCI virtual cloud network.
//!
//! A table per subnet (its route table), a table `local` that leads to the VNICs, and a table per way in
//! from the DRG. Traffic inside the VCN uses the implicit local route where no rule is as long (intra-VCN routing); inside
//! a subnet no rule counts.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use skybridge_blueprint::{
    DropKind, HopVisibility, InterfaceName, LinkClass, LinkName, NextHop, NodeName, Owner,
    PortName, Role, RouteSource, StaticRoute, Vrf, VrfName,
};
use skybridge_estate::ResourceId;
use skybridge_oci::model::{
    AttachmentType, Drg, DrgAttachment, RouteRule, RouteTarget, Subnet, Vcn, Vnic,
};

use crate::appliances::{self, Leg};
use crate::builder::{
    Builder, add_port, everywhere, host_prefix, neighbour, plain_interface, router_node, table,
};
use crate::hosts::{HostPlan, add_host, spare_address};
pub(crate) use crate::vnet::local_vrf;
use crate::{ExtraHost, HostRef, SubnetIndex, filters, loose, peering, tags};

/// The link between a VCN and its DRG, from the range that security rules and routes leave alone.
pub(crate) const DRG_END: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 1);
/// See [`DRG_END`].
pub(crate) const VCN_END: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 2);

pub(crate) fn node_name(builder: &Builder<'_>, vcn: &Vcn) -> NodeName {
    format!("vcn/{}", builder.label(&vcn.name, &vcn.id)).into()
}

fn subnet_vrf(builder: &Builder<'_>, subnet: &Subnet) -> VrfName {
    format!("subnet/{}", builder.label(&subnet.name, &subnet.id)).into()
}

fn ingress_vrf() -> VrfName {
    "from-drg".into()
}

fn drg_interface() -> InterfaceName {
    "drg".into()
}

/// The DRG and attachment of a VCN; at most one.
pub(crate) fn attachment_of<'a>(
    builder: &Builder<'a>,
    vcn: &ResourceId,
) -> Option<(&'a Drg, &'a DrgAttachment)> {
    builder.inputs.oci.drgs.iter().find_map(|drg| {
        (drg.attachments.iter())
            .find(|a| a.kind == AttachmentType::Vcn && &a.network == vcn)
            .map(|a| (drg, a))
    })
}

pub(crate) fn build(builder: &mut Builder<'_>) {
    for vcn in &builder.inputs.oci.vcns {
        build_vcn(builder, vcn);
    }
}

fn build_vcn(builder: &mut Builder<'_>, vcn: &Vcn) {
    let name = node_name(builder, vcn);
    let tables: Vec<(VrfName, Vrf)> = (vcn.subnets.iter())
        .map(|subnet| {
            let mut vrf = table_of(builder, vcn, &subnet.name, Some(&subnet.route_table));
            // Packets inside a subnet are nobody else's: no rule takes them elsewhere.
            vrf.routes.push(local(subnet.cidr_block, tags::LOCAL));
            (subnet_vrf(builder, subnet), vrf)
        })
        .collect();
    let router = builder.router(&name, || {
        router_node(
            Owner::Oracle,
            Role::VcnRouter,
            &vcn.region,
            HopVisibility::Transparent,
        )
    });
    router.vrfs.insert(local_vrf(), table("VCN local", 1));
    router.vrfs.extend(tables);
    for subnet in &vcn.subnets {
        let vrf = subnet_vrf(builder, subnet);
        builder.index.subnets.insert(
            subnet.id.clone(),
            SubnetIndex {
                router: name.clone(),
                vrf,
            },
        );
        let vnics: Vec<&Vnic> = (builder.inputs.oci.vnics.iter())
            .filter(|v| v.subnet == subnet.id)
            .collect();
        for vnic in vnics {
            add_vnic(builder, vcn, subnet, vnic);
        }
        let lab_hosts: Vec<&ExtraHost> = (builder.inputs.extras.hosts.iter())
            .filter(|h| h.subnet == subnet.id)
            .collect();
        for host in lab_hosts {
            add_extra(builder, vcn, subnet, host, false);
        }
    }
    if !builder.index.hosts.values().any(|h| h.network == vcn.id) {
        for subnet in &vcn.subnets {
            let probe = ExtraHost {
                name: format!("probe-{}-{}", vcn.name, subnet.name),
                subnet: subnet.id.clone(),
                address: None,
            };
            add_extra(builder, vcn, subnet, &probe, true);
        }
    }
}

/// A machine at its primary VNIC. A secondary one is an end of its own: what enters by it is answered by it, and
/// the machine's own packets leave by the primary one.
fn add_vnic(builder: &mut Builder<'_>, vcn: &Vcn, subnet: &Subnet, vnic: &Vnic) {
    let (node, origin) = vnic_node(builder, vnic);
    if vnic.attachment.is_some() || !vnic.secondary.is_empty() {
        builder.behaviour("oci_os_uses_further_addresses");
    }
    let vrf = own_table(builder, vcn, vnic).unwrap_or_else(|| subnet_vrf(builder, subnet));
    let filter = |builder: &mut Builder<'_>, inward| {
        let groups = &vnic.security_groups;
        Some(filters::oci_filter(builder, subnet, groups, inward))
    };
    let (filter_out_of_host, filter_into_host) = (filter(builder, false), filter(builder, true));
    let plan = HostPlan {
        also: vnic.secondary.clone(),
        vrf,
        filter_out_of_host,
        filter_into_host,
        source_check: !vnic.skip_source_check,
        ..host_plan(builder, vcn, subnet, node.to_string(), origin, vnic.address)
    };
    if let Some(appliance) = appliances::of(builder, &vnic.instance) {
        let leg = Leg {
            appliance,
            machine: builder.label(&vnic.name, &vnic.instance),
            card: vnic.attachment.as_ref().map_or(&vnic.id, |(id, _)| id),
            is_first: vnic.attachment.is_none(),
        };
        appliances::add_leg(builder, &plan, &leg);
    }
    add_host(builder, plan);
}

/// The host at a VNIC, and what it came from.
fn vnic_node(builder: &Builder<'_>, vnic: &Vnic) -> (NodeName, HostRef) {
    let machine = builder.label(&vnic.name, &vnic.instance);
    match &vnic.attachment {
        None => (machine.into(), HostRef::Resource(vnic.instance.clone())),
        Some((id, name)) => {
            let node = format!("{machine}/{}", builder.label(name, id));
            (node.into(), HostRef::Resource(id.clone()))
        }
    }
}

/// A private IP of the VCN as next hop: its VNIC passes packets of others when its source and destination check is
/// off (Oracle, "Using a Private IP as a Route Target").
fn private_ip(builder: &Builder<'_>, vcn: &Vcn, address: IpAddr) -> NextHop {
    let mut vnics = builder.inputs.oci.vnics.iter();
    let found = vnics.find(|v| {
        let has = v.address == address || v.secondary.iter().any(|(_, a)| *a == address);
        has && vcn.subnets.iter().any(|s| s.id == v.subnet)
    });
    let Some(vnic) = found else {
        return NextHop::Drop(DropKind::NotModelled);
    };
    let (node, _) = vnic_node(builder, vnic);
    let may_forward = vnic.skip_source_check;
    appliances::next_hop(builder, (&vnic.instance, &node), address, may_forward)
}

/// The table of a VNIC that has a route table of its own (Oracle, "Per-resource Routing").
fn own_table(builder: &mut Builder<'_>, vcn: &Vcn, vnic: &Vnic) -> Option<VrfName> {
    let id = vnic.route_table.as_ref()?;
    let tables = &builder.inputs.oci.route_tables;
    let table = tables.iter().find(|t| &t.id == id);
    let label = table.map_or_else(|| id.leaf().to_owned(), |t| builder.label(&t.name, &t.id));
    let vrf: VrfName = format!("table/{label}").into();
    let table = table_of(builder, vcn, &label, Some(id));
    let name = node_name(builder, vcn);
    let router = builder.router_mut(&name)?;
    router.vrfs.entry(vrf.clone()).or_insert(table);
    Some(vrf)
}

fn host_plan(
    builder: &mut Builder<'_>,
    vcn: &Vcn,
    subnet: &Subnet,
    node: String,
    origin: HostRef,
    address: IpAddr,
) -> HostPlan {
    HostPlan {
        node: node.into(),
        origin,
        owner: Owner::Customer,
        location: vcn.region.clone(),
        network: vcn.id.clone(),
        subnet: subnet.id.clone(),
        range: subnet.cidr_block,
        address,
        also: Vec::new(),
        mtu: builder.behaviour_s("oci_vnic_mtu"),
        router: node_name(builder, vcn),
        vrf: subnet_vrf(builder, subnet),
        local: local_vrf(),
        filter_out_of_host: Some(filters::oci_filter(builder, subnet, &[], false)),
        filter_into_host: Some(filters::oci_filter(builder, subnet, &[], true)),
        source_check: true,
        synthetic: false,
    }
}

fn add_extra(
    builder: &mut Builder<'_>,
    vcn: &Vcn,
    subnet: &Subnet,
    host: &ExtraHost,
    synthetic: bool,
) {
    let spare = || spare_address(builder, &vcn.id, subnet.cidr_block);
    let Some(address) = host.address.or_else(spare) else {
        builder.gap(
            &subnet.id,
            format!("no free address for host {}", host.name),
        );
        return;
    };
    let origin = HostRef::Lab(host.name.clone());
    let plan = host_plan(builder, vcn, subnet, host.name.clone(), origin, address);
    add_host(builder, HostPlan { synthetic, ..plan });
}

/// The table of a route table of the VCN; without one the implicit one, which has the VCN's local routes. What a
/// table leads to that nobody can read is unknown.
pub(crate) fn table_of(
    builder: &Builder<'_>,
    vcn: &Vcn,
    label: &str,
    table: Option<&ResourceId>,
) -> Vrf {
    let tables = &builder.inputs.oci.route_tables;
    let found = table.map(|id| tables.iter().find(|t| &t.id == id));
    let rules = found.flatten().map_or(&[][..], |t| &t.rules);
    let mut vrf = rule_table(builder, vcn, label, rules);
    if found == Some(None) {
        loose::open(&mut vrf, &everywhere());
    }
    // Which addresses Oracle's services have is not known here, but that they are public ones: what nothing else
    // leads anywhere may be one of them.
    if found.flatten().is_some_and(|t| !t.services.is_empty()) {
        vrf.routes.push(StaticRoute {
            prefix: Ipv4Net::default().into(),
            next_hop: NextHop::Drop(DropKind::Services),
            preference: tags::LAST,
            source: RouteSource::User,
        });
    }
    vrf
}

/// A way to the VNICs.
fn local(prefix: IpNet, preference: u8) -> StaticRoute {
    StaticRoute {
        prefix,
        next_hop: NextHop::Table { vrf: local_vrf() },
        preference,
        source: RouteSource::System,
    }
}

/// A table of rules, with the implicit local routes.
fn rule_table(builder: &Builder<'_>, vcn: &Vcn, label: &str, rules: &[RouteRule]) -> Vrf {
    let mut vrf = table(label, 1);
    // A rule for a block of the VCN itself wins over the local route of the same length (Oracle, "VCN Route Tables").
    let blocks = vcn.cidr_blocks.iter();
    vrf.routes
        .extend(blocks.map(|block| local(*block, tags::SYSTEM)));
    for rule in rules {
        let next_hop = match &rule.target {
            RouteTarget::Drg(drg) => match attachment_of(builder, &vcn.id) {
                Some((attached, _)) if &attached.id == drg => NextHop::Via {
                    interface: drg_interface(),
                    address: IpAddr::V4(DRG_END),
                },
                _ => NextHop::Drop(DropKind::DeadTarget),
            },
            RouteTarget::LocalPeering(gateway) => peering::next_hop(builder, gateway),
            RouteTarget::Internet(_) => NextHop::Drop(DropKind::Internet),
            RouteTarget::Missing(_) => NextHop::Drop(DropKind::DeadTarget),
            RouteTarget::PrivateIp(address) => private_ip(builder, vcn, *address),
            RouteTarget::NotModelled(_) => NextHop::Drop(DropKind::NotModelled),
        };
        vrf.routes.push(StaticRoute {
            prefix: rule.destination,
            next_hop,
            preference: tags::USER,
            source: RouteSource::User,
        });
    }
    vrf
}

/// The VCN's end of its attachment to a DRG, and the link.
pub(crate) fn attach(
    builder: &mut Builder<'_>,
    vcn: &Vcn,
    attachment: &DrgAttachment,
    drg: (&NodeName, &PortName),
) {
    let name = node_name(builder, vcn);
    let own = attachment.vcn_route_table.as_ref();
    let vrf = table_of(builder, vcn, "from the DRG", own);
    let port: PortName = drg_interface().as_str().into();
    let Some(router) = builder.router_mut(&name) else {
        return;
    };
    add_port(router, &name, &port);
    router.vrfs.insert(ingress_vrf(), vrf);
    router.interfaces.insert(
        drg_interface(),
        plain_interface(
            &port,
            &ingress_vrf(),
            vec![host_prefix(IpAddr::V4(VCN_END))],
        ),
    );
    if let Some(vrf) = router.vrfs.get_mut(&ingress_vrf()) {
        vrf.routes
            .push(neighbour(IpAddr::V4(DRG_END), &drg_interface()));
    }
    let link: LinkName = format!("{name}--{}", drg.0).into();
    builder.link(
        link,
        (&name, &port),
        drg,
        LinkClass::Backbone,
        Owner::Oracle,
    );
}

/// The routes that a VCN attachment offers: its subnets', or the VCN's CIDR blocks, and the rules of the VCN route
/// table that it names (managingDRGs).
pub(crate) fn offered(
    builder: &Builder<'_>,
    vcn: &Vcn,
    attachment: &DrgAttachment,
) -> BTreeSet<IpNet> {
    let own: Vec<IpNet> = if attachment.announces_vcn_cidrs {
        vcn.cidr_blocks.clone()
    } else {
        vcn.subnets.iter().map(|s| s.cidr_block).collect()
    };
    let table = attachment.vcn_route_table.as_ref();
    let tables = builder.inputs.oci.route_tables.iter();
    let table = table.and_then(|id| tables.into_iter().find(|t| &t.id == id));
    let rules = table.map_or(&[][..], |t| &t.rules).iter();
    own.into_iter()
        .chain(rules.map(|rule| rule.destination))
        .collect()
}
