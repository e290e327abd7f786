//! Machines, probes and the services on them.

use std::net::IpAddr;

use ipnet::IpNet;
use skybridge_blueprint::{
    Blueprint, External, Filter, Host, Interface, InterfaceName, LinkClass, LinkName, NextHop,
    Node, NodeKind, NodeName, Owner, Policer, PortName, Role, RouteSource, Service, ServiceKind,
    StaticRoute, VrfName,
};
use skybridge_estate::ResourceId;

use crate::builder::{Builder, add_port, host_prefix, mac, plain_interface};
use crate::{HostIndex, HostRef, tags};

/// No machine carries as much.
const CEILING_LIFTED_BPS: u64 = 1 << 50;

/// A host to be added behind a distributed router.
pub(crate) struct HostPlan {
    pub(crate) node: NodeName,
    pub(crate) origin: HostRef,
    pub(crate) owner: Owner,
    pub(crate) location: String,
    pub(crate) network: ResourceId,
    pub(crate) subnet: ResourceId,
    pub(crate) range: IpNet,
    pub(crate) address: IpAddr,
    /// Further addresses on the same interface, and what each came from.
    pub(crate) also: Vec<(ResourceId, IpAddr)>,
    pub(crate) mtu: u16,
    pub(crate) router: NodeName,
    pub(crate) vrf: VrfName,
    pub(crate) local: VrfName,
    pub(crate) filter_out_of_host: Option<Filter>,
    pub(crate) filter_into_host: Option<Filter>,
    pub(crate) source_check: bool,
    pub(crate) synthetic: bool,
}

/// Adds the host, the router's interface towards it, the local route and the link.
pub(crate) fn add_host(builder: &mut Builder<'_>, plan: HostPlan) {
    let Some(gateway) = plan.range.hosts().next() else {
        return;
    };
    let port: PortName = format!("nic/{}", plan.node).into();
    let interface: InterfaceName = port.as_str().into();
    let addresses: Vec<IpAddr> = std::iter::once(plan.address)
        .chain(plan.also.iter().map(|(_, address)| *address))
        .collect();
    let Some(router) = builder.router_mut(&plan.router) else {
        return;
    };
    add_port(router, &plan.router, &port);
    let own = addresses.iter().map(|a| host_prefix(*a)).collect();
    router.interfaces.insert(
        interface.clone(),
        Interface {
            mtu: plan.mtu,
            proxy_arp: true,
            filter_in: plan.filter_out_of_host,
            filter_out: plan.filter_into_host,
            source_check: plan.source_check.then_some(own),
            tenant: Some(plan.network.to_string()),
            ..plain_interface(&port, &plan.vrf, vec![host_prefix(gateway)])
        },
    );
    if let Some(local) = router.vrfs.get_mut(&plan.local) {
        let routes = addresses.iter().map(|address| StaticRoute {
            prefix: host_prefix(*address),
            next_hop: NextHop::Connected {
                interface: interface.clone(),
            },
            preference: tags::LOCAL,
            source: RouteSource::System,
        });
        local.routes.extend(routes);
    }
    let host_port: PortName = "eth0".into();
    let in_range = |address: &IpAddr| {
        IpNet::new(*address, plan.range.prefix_len()).unwrap_or_else(|_| host_prefix(*address))
    };
    builder.blueprint.nodes.insert(
        plan.node.clone(),
        Node {
            owner: plan.owner,
            role: Role::Host,
            location: plan.location,
            tenant: Some(plan.network.to_string()),
            kind: NodeKind::Host(Box::new(Host {
                port: host_port.clone(),
                mac: mac(&plan.node, &host_port),
                addresses: addresses.iter().map(in_range).collect(),
                gateways: vec![gateway],
                mtu: plan.mtu,
                services: Vec::new(),
                synthetic: plan.synthetic,
            })),
        },
    );
    let link: LinkName = format!("{}--{}", plan.router, plan.node).into();
    builder.link(
        link,
        (&plan.router, &port),
        (&plan.node, &host_port),
        LinkClass::Attachment,
        Owner::Customer,
    );
    let network = &plan.network;
    let taken = addresses.into_iter().map(|a| (a, network.clone()));
    builder.hosts_at.extend(taken);
    builder.index.hosts.insert(
        plan.node,
        HostIndex {
            origin: plan.origin,
            address: plan.address,
            also: plan.also,
            network: plan.network,
            subnet: plan.subnet,
            router: plan.router,
            interface,
            vrf: plan.vrf,
            synthetic: plan.synthetic,
        },
    );
}

/// The highest address of `range` that no resource and no host has. The last one is never given out.
pub(crate) fn spare_address(
    builder: &Builder<'_>,
    network: &ResourceId,
    range: IpNet,
) -> Option<IpAddr> {
    let taken = |address: &IpAddr| {
        builder.cards_at.contains(address)
            || builder.hosts_at.contains(&(*address, network.clone()))
    };
    let IpNet::V4(range) = range else {
        return range.hosts().nth(0xfff0);
    };
    let last = u32::from(range.broadcast());
    let first = u32::from(range.network()).saturating_add(4);
    (first..last)
        .rev()
        .map(|bits| IpAddr::from(std::net::Ipv4Addr::from(bits)))
        .find(|address| !taken(address))
}

/// Puts the lab file's services on their hosts.
pub(crate) fn place_services(builder: &mut Builder<'_>) {
    for service in &builder.inputs.extras.services {
        let node = (builder.index.hosts.iter())
            .find(|(_, h)| h.origin == service.host)
            .map(|(name, _)| name.clone());
        let Some(node) = node else {
            continue;
        };
        if let Some(Node {
            kind: NodeKind::Host(host),
            ..
        }) = builder.blueprint.nodes.get_mut(&node)
        {
            host.services.push(Service {
                name: service.name.clone(),
                tcp_port: service.tcp_port,
                kind: match &service.target {
                    Some(target) => ServiceKind::Bridge {
                        target: target.clone(),
                    },
                    None => ServiceKind::Echo,
                },
            });
        }
    }
}

/// Makes network namespaces of the hosts that somebody has: those that we add for probing stay inside.
pub fn place_in_namespaces(blueprint: &mut Blueprint) {
    for node in blueprint.nodes.values_mut() {
        if let NodeKind::Host(host) = &node.kind
            && !host.synthetic
        {
            let external = External::Namespace(host.clone());
            node.kind = NodeKind::External(Box::new(external));
        }
    }
}

/// Takes every ceiling off that a cloud or a link would set: policers stay where they are and never bind.
pub fn lift_ceilings(blueprint: &mut Blueprint) {
    for node in blueprint.nodes.values_mut() {
        if let NodeKind::Router(router) = &mut node.kind {
            for policer in router.policers.values_mut() {
                *policer = Policer {
                    rate_bps: CEILING_LIFTED_BPS,
                    burst_bytes: CEILING_LIFTED_BPS,
                    rate_pps: None,
                    burst_packets: 0,
                };
            }
        }
    }
    for link in blueprint.links.values_mut() {
        link.rate_bps = None;
    }
}
