//! What forwards for others in a virtual network, and how user routes lead to it.
//!
//! A user route hands a packet to the address of its next hop whatever the packet's destination, in its own network
//! or one that is peered with it directly (virtual-networks-udr-overview). Inside a network that is the interface of
//! the router towards the hop. To a peer it is a link of its own, at whose other end a table leads to the hop alone.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use skybridge_azure::model::{
    BalancingRule, Firewall, Frontend, NetworkPeering, PeeringState, PrivateRanges, UserNextHop,
    VirtualNetwork,
};
use skybridge_blueprint::{
    DropKind, HopVisibility, Interface, InterfaceName, LinkClass, LinkName, NextHop, NodeKind,
    NodeName, Owner, PortName, Role, RouteSource, Router, StaticRoute, VrfName,
};

use crate::builder::{
    Builder, add_port, everywhere, host_prefix, mac, plain_interface, router_node, system, table,
};
use crate::vnet::{local_vrf, nic_node, node_name, subnet_vrf};
use crate::vnet_peering::own_end;
use crate::{appliances, filters, tags};

/// The only port of what forwards on one leg.
const LEG: &str = "eth0";
const MAIN: &str = "main";

/// What a user route's next hop address is in a network.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Target {
    /// Packets go to it by this route of the network's router.
    Reached(NextHop),
    /// Nobody that is modelled has the address.
    Nobody,
}

fn firewall_node(builder: &Builder<'_>, firewall: &Firewall) -> NodeName {
    format!("firewall/{}", builder.label(&firewall.name, &firewall.id)).into()
}

fn leg_interface(node: &NodeName) -> InterfaceName {
    format!("nic/{node}").into()
}

fn is_in(network: &VirtualNetwork, firewall: &Firewall) -> bool {
    network.subnets.iter().any(|s| s.id == firewall.subnet)
}

/// Where a user route with this next hop leads from a network.
pub(crate) fn next_hop(
    builder: &Builder<'_>,
    network: &VirtualNetwork,
    address: IpAddr,
) -> NextHop {
    if let Target::Reached(hop) = target(builder, network, address) {
        return hop;
    }
    match peer_with(builder, network, address) {
        Some((peer, far)) => NextHop::Via {
            interface: lane(builder, far, address),
            address: IpAddr::V4(own_end(&peer.remote, &network.id)),
        },
        None => NextHop::Drop(DropKind::NotModelled),
    }
}

/// The peer that has what a next hop names, when packets may go there.
fn peer_with<'a>(
    builder: &Builder<'a>,
    network: &'a VirtualNetwork,
    address: IpAddr,
) -> Option<(&'a NetworkPeering, &'a VirtualNetwork)> {
    let vnets = &builder.inputs.azure.vnets;
    network.peerings.iter().find_map(|peering| {
        let far = vnets.iter().find(|v| v.id == peering.remote)?;
        let open = peering.state == PeeringState::Connected && peering.has_access;
        let found = open && target(builder, far, address) != Target::Nobody;
        found.then_some((peering, far))
    })
}

fn target(builder: &Builder<'_>, network: &VirtualNetwork, address: IpAddr) -> Target {
    let azure = builder.inputs.azure;
    let mut firewalls = azure.firewalls.iter();
    if let Some(firewall) = firewalls.find(|f| f.address == address && is_in(network, f)) {
        let node = firewall_node(builder, firewall);
        return Target::Reached(NextHop::Via {
            interface: leg_interface(&node),
            address,
        });
    }
    if let Some(rule) = ha_ports(builder, network, address) {
        return Target::Reached(match members(builder, network, rule) {
            Ok(_) => NextHop::Table {
                vrf: balanced_vrf(address),
            },
            Err(kind) => NextHop::Drop(kind),
        });
    }
    card(builder, network, address).map_or(Target::Nobody, Target::Reached)
}

/// What becomes of others' packets at an interface card of a network.
fn card(builder: &Builder<'_>, network: &VirtualNetwork, address: IpAddr) -> Option<NextHop> {
    let mut nics = builder.inputs.azure.interfaces.iter();
    let nic =
        nics.find(|n| n.address == address && network.subnets.iter().any(|s| s.id == n.subnet));
    let nic = nic?;
    let Some(machine) = &nic.machine else {
        return Some(NextHop::Drop(DropKind::DeadTarget));
    };
    let node = nic_node(builder, nic, machine);
    let forwards = nic.ip_forwarding;
    let machine = (&machine.id, &node);
    Some(appliances::next_hop(builder, machine, address, forwards))
}

/// The rule of a load balancer that takes everything at a frontend of this network.
fn ha_ports<'a>(
    builder: &Builder<'a>,
    network: &VirtualNetwork,
    address: IpAddr,
) -> Option<&'a BalancingRule> {
    let here =
        |f: &&Frontend| f.address == address && network.subnets.iter().any(|s| s.id == f.subnet);
    builder.inputs.azure.balancers.iter().find_map(|balancer| {
        let frontend = balancer.frontends.iter().find(here)?;
        let mut rules = balancer.rules.iter();
        rules.find(|r| r.protocol.is_none() && r.frontend.eq_ignore_ascii_case(&frontend.name))
    })
}

/// The machines behind a rule, all of which take others' packets; or why a packet may not get through.
fn members(
    builder: &Builder<'_>,
    network: &VirtualNetwork,
    rule: &BalancingRule,
) -> Result<Vec<NextHop>, DropKind> {
    if rule.unknown {
        return Err(DropKind::NotModelled);
    }
    let mut hops = Vec::new();
    for member in &rule.members {
        match card(builder, network, *member) {
            Some(hop @ NextHop::Via { .. }) => hops.push(hop),
            // One of several that does not forward takes some flows and not others.
            Some(NextHop::Drop(DropKind::NotForwarding)) if rule.members.len() == 1 => {
                return Err(DropKind::NotForwarding);
            }
            // A card without a running machine fails its probe.
            Some(NextHop::Drop(DropKind::DeadTarget)) => {}
            Some(_) | None => return Err(DropKind::NotModelled),
        }
    }
    if hops.is_empty() {
        return Err(DropKind::DeadTarget);
    }
    Ok(hops)
}

fn balanced_vrf(address: IpAddr) -> VrfName {
    format!("lb/{address}").into()
}

/// Load balancers that are hops: a table each, with the machines as equal next hops. A flow keeps its machine in
/// both directions, as HA ports with one interface have it (load-balancer-ha-ports-overview, "flow symmetry").
pub(crate) fn build_balancers(builder: &mut Builder<'_>) {
    let azure = builder.inputs.azure;
    for network in &azure.vnets {
        for frontend in azure.balancers.iter().flat_map(|b| &b.frontends) {
            let rule = ha_ports(builder, network, frontend.address);
            let Some(Ok(hops)) = rule.map(|rule| members(builder, network, rule)) else {
                continue;
            };
            // No probe is sent: who runs counts as healthy.
            builder.behaviour("azure_lb_running_is_healthy");
            builder.behaviour("azure_lb_ha_ports_carry_icmp");
            let mut only = table("load balancer", u8::MAX);
            only.symmetric = true;
            let family = everywhere().into_iter();
            let family = family.filter(|p| p.addr().is_ipv4() == frontend.address.is_ipv4());
            only.routes = family
                .flat_map(|p| hops.iter().map(move |hop| system(p, hop.clone())))
                .collect();
            let name = node_name(builder, network);
            if let Some(router) = builder.router_mut(&name) {
                router.vrfs.insert(balanced_vrf(frontend.address), only);
            }
        }
    }
}

/// What is sent to a hop itself reaches its host. No cloud lists such a route.
pub(crate) fn itself(address: IpAddr) -> StaticRoute {
    StaticRoute {
        prefix: host_prefix(address),
        next_hop: NextHop::Table { vrf: local_vrf() },
        preference: tags::SYSTEM,
        source: RouteSource::Connected,
    }
}

/// The interface towards a hop in a peered network, and the table there that leads to it.
fn lane(builder: &Builder<'_>, far: &VirtualNetwork, address: IpAddr) -> InterfaceName {
    let label = builder.label(&far.name, &far.id);
    format!("hop/{label}/{address}").into()
}

/// True for a table that leads to one hop, or to those behind one frontend.
pub(crate) fn is_lane(vrf: &str) -> bool {
    vrf.starts_with("hop/") || vrf.starts_with("lb/")
}

fn lane_vrf(address: IpAddr) -> VrfName {
    format!("hop/{address}").into()
}

/// Firewalls, after the networks that they are in.
pub(crate) fn build_firewalls(builder: &mut Builder<'_>) {
    for firewall in &builder.inputs.azure.firewalls {
        let mut vnets = builder.inputs.azure.vnets.iter();
        let network = vnets.find(|v| is_in(v, firewall));
        if network
            .and_then(|n| build_firewall(builder, n, firewall))
            .is_none()
        {
            builder.gap(&firewall.id, "its subnet cannot be read");
        }
    }
}

fn build_firewall(
    builder: &mut Builder<'_>,
    network: &VirtualNetwork,
    firewall: &Firewall,
) -> Option<()> {
    let subnet = network.subnets.iter().find(|s| s.id == firewall.subnet)?;
    let mut prefixes = subnet.prefixes.iter();
    let range = prefixes.find(|p| p.contains(&firewall.address))?;
    let gateway = range.hosts().next()?;
    let node = firewall_node(builder, firewall);
    let name = node_name(builder, network);
    let leg = leg_interface(&node);
    let port: PortName = leg.as_str().into();
    let mtu = builder.behaviour_s("azure_nic_mtu");
    let router = builder.router_mut(&name)?;
    add_port(router, &name, &port);
    router.interfaces.insert(
        leg.clone(),
        Interface {
            mtu,
            ..plain_interface(&port, &subnet_vrf(subnet), vec![host_prefix(gateway)])
        },
    );
    let local = router.vrfs.get_mut(&local_vrf())?;
    local.routes.push(StaticRoute {
        prefix: host_prefix(firewall.address),
        next_hop: NextHop::Connected { interface: leg },
        preference: tags::LOCAL,
        source: RouteSource::System,
    });
    builder.cards_at.insert(firewall.address);
    let mut own = one_leg(&node, firewall.address, mtu);
    own.inspection = Some(filters::firewall(builder, network, firewall));
    let routes = forwarding(builder, firewall, gateway);
    own.vrfs.get_mut(MAIN)?.routes = routes;
    let mut built = router_node(
        Owner::Azure,
        Role::Firewall,
        &network.location,
        HopVisibility::Silent,
    );
    built.kind = NodeKind::Router(Box::new(own));
    builder.blueprint.nodes.insert(node.clone(), built);
    let link: LinkName = format!("{name}--{node}").into();
    builder.link(
        link,
        (&name, &port),
        (&node, &LEG.into()),
        LinkClass::Attachment,
        Owner::Azure,
    );
    Some(())
}

/// A router that takes and gives packets on one interface.
fn one_leg(node: &NodeName, address: IpAddr, mtu: u16) -> Router {
    let port: PortName = LEG.into();
    let mut router = Router {
        visibility: HopVisibility::Silent,
        ..Router::default()
    };
    router.ports.insert(
        port.clone(),
        skybridge_blueprint::Port {
            mac: mac(node, &port),
        },
    );
    let main: VrfName = MAIN.into();
    router.interfaces.insert(
        LEG.into(),
        Interface {
            mtu,
            ..plain_interface(&port, &main, vec![host_prefix(address)])
        },
    );
    router.vrfs.insert(main, table("forwarding", 1));
    router
}

/// Back to the network, whose table of the firewall's subnet decides. What would get another source is not
/// followed: to the internet nothing is, and elsewhere what comes of it is not known.
fn forwarding(builder: &Builder<'_>, firewall: &Firewall, gateway: IpAddr) -> Vec<StaticRoute> {
    let back = NextHop::Via {
        interface: LEG.into(),
        address: gateway,
    };
    let unknown = NextHop::Drop(DropKind::NotModelled);
    let ranges = match &firewall.private_ranges {
        PrivateRanges::Known(ranges) => ranges.as_slice(),
        PrivateRanges::Unknown => &[],
    };
    let keeps_all = ranges.iter().any(|r| r.prefix_len() == 0);
    let mut routes: Vec<StaticRoute> = Vec::new();
    let mut add = |prefix: IpNet, hop: &NextHop| {
        if !routes.iter().any(|r| r.prefix == prefix) {
            routes.push(system(prefix, hop.clone()));
        }
    };
    for range in ranges {
        add(*range, &back);
    }
    if !keeps_all {
        for network in known_ranges(builder) {
            if !ranges.iter().any(|range| range.contains(&network)) {
                add(network, &unknown);
            }
        }
        for prefix in everywhere() {
            add(prefix, &NextHop::Drop(DropKind::Internet));
        }
    }
    routes
}

/// Ranges of every network here.
fn known_ranges(builder: &Builder<'_>) -> Vec<IpNet> {
    let azure = builder.inputs.azure.vnets.iter();
    let oci = builder.inputs.oci.vcns.iter();
    let sites = builder.inputs.extras.sites.iter();
    azure
        .flat_map(|v| &v.address_space)
        .chain(oci.flat_map(|v| &v.cidr_blocks))
        .copied()
        .chain(sites.flat_map(|s| s.networks.iter().map(|n| IpNet::V4(n.cidr))))
        .collect()
}

/// Links to hops in peered networks, as far as user routes lead to some.
pub(crate) fn build_lanes(builder: &mut Builder<'_>) {
    let azure = builder.inputs.azure;
    for network in &azure.vnets {
        let tables = (network.subnets.iter()).filter_map(|s| {
            azure
                .route_tables
                .iter()
                .find(|t| s.route_table.as_ref() == Some(&t.id))
        });
        let mut addresses: Vec<IpAddr> = tables
            .flat_map(|t| &t.routes)
            .filter_map(|route| match route.next_hop {
                UserNextHop::VirtualAppliance(address) => Some(address),
                UserNextHop::VirtualNetworkGateway
                | UserNextHop::VnetLocal
                | UserNextHop::Internet
                | UserNextHop::Unknown
                | UserNextHop::None => None,
            })
            .collect();
        addresses.sort();
        addresses.dedup();
        for address in addresses {
            name_silent(builder, network, address);
            if target(builder, network, address) != Target::Nobody {
                continue;
            }
            if let Some((_, far)) = peer_with(builder, network, address) {
                build_lane(builder, network, far, address);
            }
        }
    }
}

/// Says what would settle a verdict that a machine leaves open.
fn name_silent(builder: &mut Builder<'_>, network: &VirtualNetwork, address: IpAddr) {
    let vnets = &builder.inputs.azure.vnets;
    let peers = network.peerings.iter();
    let peers = peers.filter_map(|p| vnets.iter().find(|v| v.id == p.remote));
    let in_reach: Vec<&VirtualNetwork> = std::iter::once(network).chain(peers).collect();
    let mut nics = builder.inputs.azure.interfaces.iter();
    let silent = nics.find(|nic| {
        let here = |v: &&VirtualNetwork| v.subnets.iter().any(|s| s.id == nic.subnet);
        let machine = nic.machine.as_ref();
        nic.address == address
            && nic.ip_forwarding
            && machine.is_some_and(|m| appliances::of(builder, &m.id).is_none())
            && in_reach.iter().any(here)
    });
    if let Some(nic) = silent {
        let what = "what its machine does with packets of others is not known; \
                    an `appliance` block of a lab file says that it forwards";
        if !builder.gaps.iter().any(|(id, _)| id == &nic.id) {
            builder.gap(&nic.id, what);
        }
    }
}

fn build_lane(
    builder: &mut Builder<'_>,
    near: &VirtualNetwork,
    far: &VirtualNetwork,
    address: IpAddr,
) -> Option<()> {
    let Target::Reached(hop) = target(builder, far, address) else {
        return None;
    };
    let back = far.peerings.iter().find(|p| p.remote == near.id)?;
    let is_checked = !back.takes_forwarded;
    let (near_name, far_name) = (node_name(builder, near), node_name(builder, far));
    let near_interface = lane(builder, far, address);
    let near_label = builder.label(&near.name, &near.id);
    let far_interface: InterfaceName = format!("hop/{near_label}/{address}").into();
    let near_port: PortName = near_interface.as_str().into();
    let far_port: PortName = far_interface.as_str().into();
    let ends: [Ipv4Addr; 2] = [own_end(&near.id, &far.id), own_end(&far.id, &near.id)];

    let router = builder.router_mut(&near_name)?;
    add_port(router, &near_name, &near_port);
    let own = vec![host_prefix(IpAddr::V4(ends[0]))];
    router.interfaces.insert(
        near_interface,
        plain_interface(&near_port, &local_vrf(), own),
    );

    let vrf = lane_vrf(address);
    let router = builder.router_mut(&far_name)?;
    add_port(router, &far_name, &far_port);
    router.vrfs.entry(vrf.clone()).or_insert_with(|| {
        let mut only = table("next hop of peers", 1);
        let family = everywhere().into_iter();
        let family = family.filter(|p| p.addr().is_ipv4() == address.is_ipv4());
        only.routes = family.map(|p| system(p, hop.clone())).collect();
        only.routes.push(itself(address));
        only
    });
    let own = vec![host_prefix(IpAddr::V4(ends[1]))];
    router.interfaces.insert(
        far_interface,
        Interface {
            source_check: is_checked.then(|| back.ranges.clone()),
            ..plain_interface(&far_port, &vrf, own)
        },
    );
    let link: LinkName = format!("{near_name}--{far_name}/hop/{address}").into();
    builder.link(
        link,
        (&near_name, &near_port),
        (&far_name, &far_port),
        LinkClass::Backbone,
        Owner::Azure,
    );
    Some(())
}

/// Subnets that only the cloud's own machines may use.
pub(crate) fn is_dedicated(subnet: &str) -> bool {
    const DEDICATED: [&str; 4] = [
        "GatewaySubnet",
        "AzureFirewallSubnet",
        "AzureFirewallManagementSubnet",
        "RouteServerSubnet",
    ];
    DEDICATED.iter().any(|d| subnet.eq_ignore_ascii_case(d))
}
