//! The distributed router of an Azure virtual network.
//!
//! Routing is decided at the sending interface by its subnet's table (virtual-networks-udr-overview), so
//! there is a table per subnet. A further table, `local`, leads to the network interfaces. The router is
//! transparent: no hop is seen between machines of one virtual network. The table of `GatewaySubnet` is
//! where packets from gateway instances are looked up, and where BGP next hops are resolved.

use std::net::IpAddr;

use ipnet::IpNet;
use skybridge_azure::model::{
    Machine, NetworkInterface, PeeringState, Subnet, UserNextHop, UserRoute, VirtualNetwork,
};
use skybridge_blueprint::{
    DropKind, HopVisibility, InterfaceName, LinkClass, LinkName, NextHop, NodeName, Owner,
    PortName, Role, RouteSource, StaticRoute, Vrf, VrfName,
};

use crate::appliances::{self, Leg};
use crate::builder::{
    Builder, add_port, everywhere, host_prefix, plain_interface, router_node, system, table,
};
use crate::hosts::{HostPlan, add_host, spare_address};
use crate::{ExtraHost, HostRef, SubnetIndex, filters, hops, hubs, loose, tags, vnet_peering};

/// Most equal routes used together from one virtual network (expressroute-faqs).
pub(crate) const ECMP_MAX: u8 = 4;
/// Private ranges with a system route to nowhere (virtual-networks-udr-overview).
const RESERVED: [&str; 4] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
];

/// The private ranges without a route of their own.
pub(crate) fn reserved() -> Vec<IpNet> {
    RESERVED.iter().filter_map(|p| p.parse().ok()).collect()
}

pub(crate) fn node_name(builder: &Builder<'_>, vnet: &VirtualNetwork) -> NodeName {
    format!("vnet/{}", builder.label(&vnet.name, &vnet.id)).into()
}

pub(crate) fn subnet_vrf(subnet: &Subnet) -> VrfName {
    format!("subnet/{}", subnet.name).into()
}

pub(crate) fn local_vrf() -> VrfName {
    "local".into()
}

pub(crate) fn gateway_subnet(vnet: &VirtualNetwork) -> Option<&Subnet> {
    vnet.subnets
        .iter()
        .find(|s| s.name.eq_ignore_ascii_case("GatewaySubnet"))
}

/// Subnets that gateway routes reach: all but those whose route table turns propagation off.
pub(crate) fn propagates(builder: &Builder<'_>, subnet: &Subnet) -> bool {
    let Some(id) = &subnet.route_table else {
        return true;
    };
    (builder.inputs.azure.route_tables.iter())
        .find(|t| &t.id == id)
        .is_none_or(|t| t.propagate_gateway_routes)
}

pub(crate) fn build(builder: &mut Builder<'_>) {
    for vnet in &builder.inputs.azure.vnets {
        build_vnet(builder, vnet);
    }
}

fn build_vnet(builder: &mut Builder<'_>, vnet: &VirtualNetwork) {
    let name = node_name(builder, vnet);
    let tables: Vec<(VrfName, Vrf)> = (vnet.subnets.iter())
        .map(|s| (subnet_vrf(s), subnet_table(builder, vnet, s)))
        .collect();
    let mut local = table("VNet interfaces", 1);
    local.routes.extend(hubs::onward(builder, vnet));
    let router = builder.router(&name, || {
        router_node(
            Owner::Azure,
            Role::VnetRouter,
            &vnet.location,
            HopVisibility::Transparent,
        )
    });
    router.vrfs.insert(local_vrf(), local);
    router.vrfs.extend(tables);
    for subnet in &vnet.subnets {
        builder.index.subnets.insert(
            subnet.id.clone(),
            SubnetIndex {
                router: name.clone(),
                vrf: subnet_vrf(subnet),
            },
        );
        let interfaces: Vec<&NetworkInterface> = (builder.inputs.azure.interfaces.iter())
            .filter(|n| n.subnet == subnet.id)
            .collect();
        for nic in &interfaces {
            add_nic(builder, vnet, subnet, nic);
        }
        let lab_hosts: Vec<&ExtraHost> = (builder.inputs.extras.hosts.iter())
            .filter(|h| h.subnet == subnet.id)
            .collect();
        for host in &lab_hosts {
            add_extra(builder, vnet, subnet, host, false);
        }
    }
    if !builder.index.hosts.values().any(|h| h.network == vnet.id) {
        for subnet in &vnet.subnets {
            if !hops::is_dedicated(&subnet.name) {
                let probe = ExtraHost {
                    name: format!("probe-{}-{}", vnet.name, subnet.name),
                    subnet: subnet.id.clone(),
                    address: None,
                };
                add_extra(builder, vnet, subnet, &probe, true);
            }
        }
    }
}

/// The table of one subnet before any gateway route: system routes and user routes.
fn subnet_table(builder: &Builder<'_>, vnet: &VirtualNetwork, subnet: &Subnet) -> Vrf {
    let user_table = subnet
        .route_table
        .as_ref()
        .and_then(|id| (builder.inputs.azure.route_tables.iter()).find(|t| &t.id == id));
    let user_routes = user_table.map_or(&[][..], |t| &t.routes);
    let mut vrf = table(&subnet.name, ECMP_MAX);
    for prefix in &vnet.address_space {
        vrf.routes
            .push(system(*prefix, NextHop::Table { vrf: local_vrf() }));
    }
    for peering in &vnet.peerings {
        if peering.state == PeeringState::Initiated {
            continue;
        }
        let next_hop = vnet_peering::next_hop(builder, vnet, subnet, peering);
        let routes = peering.ranges.iter().map(|r| system(*r, next_hop.clone()));
        vrf.routes.extend(routes);
        if propagates(builder, subnet) {
            vrf.routes
                .extend(hubs::transit(builder, peering, &next_hop));
        }
    }
    for prefix in everywhere() {
        vrf.routes
            .push(system(prefix, NextHop::Drop(DropKind::Internet)));
    }
    // A user's default route removes the rows to nowhere (virtual-networks-udr-overview, worked example).
    let default_overridden = user_routes.iter().any(|r| r.prefix.prefix_len() == 0);
    for reserved in reserved() {
        let inside = vnet
            .address_space
            .iter()
            .any(|range| range.contains(&reserved));
        if !default_overridden && !inside {
            vrf.routes
                .push(system(reserved, NextHop::Drop(DropKind::None)));
        }
    }
    for route in user_routes {
        vrf.routes.push(user_route(builder, vnet, route));
        if let UserNextHop::VirtualAppliance(address) = route.next_hop
            && subnets_hold(vnet, address)
            && !vrf.routes.iter().any(|r| r.prefix == host_prefix(address))
        {
            vrf.routes.push(hops::itself(address));
        }
    }
    vrf
}

fn subnets_hold(vnet: &VirtualNetwork, address: IpAddr) -> bool {
    let mut ranges = vnet.subnets.iter().flat_map(|s| &s.prefixes);
    ranges.any(|range| range.contains(&address))
}

fn user_route(builder: &Builder<'_>, vnet: &VirtualNetwork, route: &UserRoute) -> StaticRoute {
    let next_hop = match &route.next_hop {
        UserNextHop::VnetLocal => NextHop::Table { vrf: local_vrf() },
        UserNextHop::Internet => NextHop::Drop(DropKind::Internet),
        UserNextHop::None => NextHop::Drop(DropKind::None),
        UserNextHop::Unknown => NextHop::Drop(DropKind::NotModelled),
        // Selects the VPN gateway only, never ExpressRoute (virtual-networks-udr-overview).
        UserNextHop::VirtualNetworkGateway if loose::has_unknown_routes(builder, vnet) => {
            NextHop::Drop(DropKind::NotModelled)
        }
        UserNextHop::VirtualNetworkGateway => NextHop::Drop(DropKind::DeadTarget),
        UserNextHop::VirtualAppliance(address) => hops::next_hop(builder, vnet, *address),
    };
    StaticRoute {
        prefix: route.prefix,
        next_hop,
        preference: tags::USER,
        source: RouteSource::User,
    }
}

/// The interface of the router towards one network interface, and the machine behind it.
fn add_nic(
    builder: &mut Builder<'_>,
    vnet: &VirtualNetwork,
    subnet: &Subnet,
    nic: &NetworkInterface,
) {
    let Some(machine) = &nic.machine else {
        return;
    };
    let Some(range) = subnet.prefixes.iter().find(|p| p.contains(&nic.address)) else {
        builder.gap(&nic.id, format!("{} is not in its subnet", nic.address));
        return;
    };
    let label = builder.label(&machine.name, &machine.id);
    let origin = if machine.is_first {
        &machine.id
    } else {
        &nic.id
    };
    let plan = HostPlan {
        node: nic_node(builder, nic, machine),
        origin: HostRef::Resource(origin.clone()),
        owner: Owner::Customer,
        location: vnet.location.clone(),
        network: vnet.id.clone(),
        subnet: subnet.id.clone(),
        range: *range,
        address: nic.address,
        also: Vec::new(),
        mtu: builder.behaviour_s("azure_nic_mtu"),
        router: node_name(builder, vnet),
        vrf: subnet_vrf(subnet),
        local: local_vrf(),
        filter_out_of_host: filters::azure_outbound(builder, vnet, subnet, Some(nic)),
        filter_into_host: filters::azure_inbound(builder, vnet, subnet, Some(nic)),
        source_check: !nic.ip_forwarding,
        synthetic: false,
    };
    if let Some(appliance) = appliances::of(builder, &machine.id) {
        let leg = Leg {
            appliance,
            machine: label,
            card: &nic.id,
            is_first: machine.is_first,
        };
        appliances::add_leg(builder, &plan, &leg);
    }
    add_host(builder, plan);
}

/// The host at an interface: the machine at its first, and an end of its own at each other.
pub(crate) fn nic_node(
    builder: &Builder<'_>,
    nic: &NetworkInterface,
    machine: &Machine,
) -> NodeName {
    let label = builder.label(&machine.name, &machine.id);
    if machine.is_first {
        label.into()
    } else {
        format!("{label}/{}", nic.name).into()
    }
}

fn add_extra(
    builder: &mut Builder<'_>,
    vnet: &VirtualNetwork,
    subnet: &Subnet,
    host: &ExtraHost,
    synthetic: bool,
) {
    let Some(range) = subnet.prefixes.first().copied() else {
        return;
    };
    let Some(address) = host
        .address
        .or_else(|| spare_address(builder, &vnet.id, range))
    else {
        builder.gap(
            &subnet.id,
            format!("no free address for host {}", host.name),
        );
        return;
    };
    let plan = HostPlan {
        node: host.name.as_str().into(),
        origin: HostRef::Lab(host.name.clone()),
        owner: Owner::Customer,
        location: vnet.location.clone(),
        network: vnet.id.clone(),
        subnet: subnet.id.clone(),
        range,
        address,
        also: Vec::new(),
        mtu: builder.behaviour_s("azure_nic_mtu"),
        router: node_name(builder, vnet),
        vrf: subnet_vrf(subnet),
        local: local_vrf(),
        filter_out_of_host: filters::azure_outbound(builder, vnet, subnet, None),
        filter_into_host: filters::azure_inbound(builder, vnet, subnet, None),
        source_check: true,
        synthetic,
    };
    add_host(builder, plan);
}

/// A virtual network that a gateway serves: its own, or one that borrows it.
#[derive(Clone, Debug)]
pub(crate) struct Served<'a> {
    pub(crate) network: &'a VirtualNetwork,
    /// The network's name among its like.
    pub(crate) label: String,
    /// The table that holds the gateway's routes and resolves their next hops.
    pub(crate) vrf: VrfName,
    /// The router's address towards gateways and MSEEs.
    pub(crate) own: IpAddr,
}

impl<'a> Served<'a> {
    /// The network of a gateway: the table of its GatewaySubnet, and the first usable address there.
    pub(crate) fn home(builder: &Builder<'_>, network: &'a VirtualNetwork) -> Option<Self> {
        let subnet = gateway_subnet(network)?;
        Some(Self {
            network,
            label: builder.label(&network.name, &network.id),
            vrf: subnet_vrf(subnet),
            own: first_usable(subnet.prefixes.first()?)?,
        })
    }

    /// A network that uses the gateway of `hub`. Its last address is nobody's: every subnet keeps its own.
    pub(crate) fn borrower(
        builder: &Builder<'_>,
        network: &'a VirtualNetwork,
        hub: &VirtualNetwork,
    ) -> Option<Self> {
        let mut all = network.peerings.iter();
        all.find(|p| p.borrows_gateway && p.remote == hub.id)?;
        let mut ranges = network.address_space.iter();
        let own = ranges.find(|r| r.addr().is_ipv4())?.broadcast();
        Some(Self {
            network,
            label: builder.label(&network.name, &network.id),
            vrf: borrowed_vrf(),
            own,
        })
    }
}

/// The table of what a borrowed gateway has learned.
pub(crate) fn borrowed_vrf() -> VrfName {
    "remote-gateway".into()
}

/// Joins the virtual network's router to a gateway instance or an MSEE. Both ends get `/32` addresses.
/// `which` tells connections apart that lead to one MSEE; it is empty for the first, whatever else there is.
pub(crate) fn attach(
    builder: &mut Builder<'_>,
    served: &Served<'_>,
    far: (&NodeName, &PortName),
    far_address: IpAddr,
    which: &str,
) -> Option<InterfaceName> {
    let own = served.own;
    let name = node_name(builder, served.network);
    let vrf = served.vrf.clone();
    let port: PortName = format!("to/{}{which}", far.0).into();
    let interface: InterfaceName = port.as_str().into();
    let router = builder.router_mut(&name)?;
    add_port(router, &name, &port);
    router.interfaces.insert(
        interface.clone(),
        plain_interface(&port, &vrf, vec![host_prefix(own)]),
    );
    router
        .vrfs
        .get_mut(&vrf)?
        .routes
        .push(crate::builder::neighbour(far_address, &interface));
    let link: LinkName = format!("{name}--{}{which}", far.0).into();
    builder.link(link, (&name, &port), far, LinkClass::Backbone, Owner::Azure);
    Some(interface)
}

/// The first address after the network's own.
pub(crate) fn first_usable(range: &IpNet) -> Option<IpAddr> {
    range.hosts().next()
}
