//! The two instances of an ExpressRoute gateway.
//!
//! Traffic into the virtual network passes an instance; the return goes from the machine's host straight
//! to an MSEE. So the instances hold BGP sessions with both MSEE tunnel endpoints (numbered from the
//! GatewaySubnet) and hand what they learn to the network's router with the next hop unchanged. Each
//! instance prefers one MSEE, so that the router holds both next hops and spreads flows.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use skybridge_azure::model::{Circuit, Connection, Gateway, VirtualNetwork};
use skybridge_base::Asn;
use skybridge_blueprint::{
    BgpInstance, BgpPeer, ExportPolicy, HopVisibility, ImportTo, Interface, InterfaceName,
    LinkClass, LinkName, MaxPrefixes, NextHop, NextHopRule, NodeName, Originated, Owner, PathRole,
    Policer, PolicyAction, PolicyMatch, PolicyRule, PortName, PrefixMatch, Role, RoutePolicy,
    VrfName,
};
use skybridge_catalogue::catalogue;
use skybridge_estate::Phase;

use crate::builder::{
    Builder, add_port, host_prefix, neighbour, plain_interface, router_node, system, table,
};
use crate::msee::{self, MICROSOFT, accept, only};
use crate::vnet::Served;
use crate::{GatewayIndex, Leg, connection_pool, tags, vnet};

const BGP: &str = "expressroute";
/// BGP instance of the network's router: the side of the platform that programs routes.
const PLATFORM: &str = "platform";
const LOCAL_PREF: u32 = 1000;

fn node_name(label: &str, instance: usize) -> NodeName {
    format!("{label}/instance-{instance}").into()
}

fn main_vrf() -> VrfName {
    "main".into()
}

pub(crate) fn build(builder: &mut Builder<'_>) {
    for gateway in &builder.inputs.azure.gateways {
        if !matches!(gateway.phase, Phase::Ready | Phase::Updating) {
            continue;
        }
        let network = (builder.inputs.azure.vnets.iter()).find(|v| v.id == gateway.vnet);
        let Some(network) = network else {
            builder.gap(&gateway.id, "its virtual network cannot be read");
            continue;
        };
        build_gateway(builder, gateway, network);
    }
}

fn build_gateway(builder: &mut Builder<'_>, gateway: &Gateway, network: &VirtualNetwork) {
    let label = builder.label(&gateway.name, &gateway.id);
    let served = served(builder, network);
    for network in &served {
        platform_bgp(builder, gateway, network);
    }
    let mut instances = Vec::new();
    for (number, address) in gateway.instance_addresses.iter().enumerate() {
        if instance(builder, gateway, &served, number, *address).is_none() {
            builder.gap(&gateway.id, "its GatewaySubnet cannot be read");
            return;
        }
        instances.push(node_name(&label, number));
    }
    builder.index.gateways.insert(
        gateway.id.clone(),
        GatewayIndex {
            instances,
            bgp: BGP.to_owned(),
        },
    );
    for connection in &builder.inputs.azure.connections {
        let usable = matches!(connection.phase, Phase::Ready | Phase::Updating);
        if connection.gateway != gateway.id || !usable {
            continue;
        }
        let circuit = (builder.inputs.azure.circuits.iter()).find(|c| c.id == connection.circuit);
        let Some(circuit) = circuit else {
            builder.gap(&connection.id, "its circuit cannot be read");
            continue;
        };
        if connection.fast_path {
            builder.gap(
                &connection.id,
                "FastPath: traffic into the network still passes a gateway instance here",
            );
        }
        for leg in Leg::BOTH {
            connect(builder, gateway, &served, connection, circuit, leg);
        }
    }
}

/// The networks that a gateway serves: its own first, then those that borrow it.
fn served<'a>(builder: &Builder<'a>, network: &'a VirtualNetwork) -> Vec<Served<'a>> {
    let all = builder.inputs.azure.vnets.iter();
    let borrowers = all.filter_map(|v| Served::borrower(builder, v, network));
    Served::home(builder, network)
        .into_iter()
        .chain(borrowers)
        .collect()
}

/// The BGP instance of a virtual network's router: it feeds the tables of all subnets that gateway
/// routes reach. Routes inside the network's own ranges lose to system routes whatever their length
/// (virtual-networks-udr-overview).
fn platform_bgp(builder: &mut Builder<'_>, gateway: &Gateway, served: &Served<'_>) {
    let network = served.network;
    let IpAddr::V4(router_id) = served.own else {
        return;
    };
    let mut tables: Vec<VrfName> = (network.subnets.iter())
        .filter(|s| vnet::propagates(builder, s))
        .map(vnet::subnet_vrf)
        .collect();
    tables.push(served.vrf.clone());
    tables.sort();
    tables.dedup();
    let name = vnet::node_name(builder, network);
    if let Some(router) = builder.router_mut(&name) {
        router
            .vrfs
            .entry(served.vrf.clone())
            .or_insert_with(|| table("remote gateway", vnet::ECMP_MAX));
        router
            .bgp
            .entry(PLATFORM.to_owned())
            .or_insert_with(|| BgpInstance {
                asn: gateway.asn,
                router_id,
                tables,
                originated: Vec::new(),
                peers: [].into(),
            });
    }
}

/// One instance: its table, the ranges it announces, its sessions with the platform.
fn instance(
    builder: &mut Builder<'_>,
    gateway: &Gateway,
    served: &[Served<'_>],
    number: usize,
    address: Ipv4Addr,
) -> Option<()> {
    let label = builder.label(&gateway.name, &gateway.id);
    let name = node_name(&label, number);
    let home = served.first()?;
    let location = home.network.location.clone();
    builder.router(&name, || {
        router_node(
            Owner::Azure,
            Role::GatewayInstance,
            &location,
            HopVisibility::Silent,
        )
    });
    let vrf = main_vrf();
    let policer = throughput(builder, gateway);
    let ranges: Vec<IpNet> = announced(home.network).collect();
    let router = builder.router_mut(&name)?;
    if let Some(policer) = policer {
        router.policers.insert("sku".to_owned(), policer);
    }
    let mut routes = table("gateway", vnet::ECMP_MAX);
    // Into every network by the table of the GatewaySubnet.
    for range in &ranges {
        routes.routes.push(system(
            *range,
            NextHop::Via {
                interface: inbound(0, home),
                address: home.own,
            },
        ));
    }
    router.vrfs.insert(vrf.clone(), routes);
    router.bgp.insert(
        BGP.to_owned(),
        BgpInstance {
            asn: gateway.asn,
            router_id: address,
            tables: vec![vrf.clone()],
            originated: (ranges.into_iter())
                .map(|prefix| Originated {
                    table: vrf.clone(),
                    prefix,
                    communities: Vec::new(),
                    source_tag: tags::VNET,
                })
                .collect(),
            peers: [].into(),
        },
    );
    for (index, served) in served.iter().enumerate() {
        platform_session(builder, gateway, (index, served), number, address)?;
    }
    Some(())
}

/// The interface of an instance towards a network: its own has the shortest name.
fn inbound(index: usize, served: &Served<'_>) -> InterfaceName {
    match index {
        0 => "vnet".into(),
        _ => format!("vnet/{}", served.label).into(),
    }
}

/// What an instance has learned goes to the router of a network that the gateway serves.
fn platform_session(
    builder: &mut Builder<'_>,
    gateway: &Gateway,
    (index, served): (usize, &Served<'_>),
    number: usize,
    address: Ipv4Addr,
) -> Option<()> {
    let label = builder.label(&gateway.name, &gateway.id);
    let name = node_name(&label, number);
    let interface = inbound(index, served);
    let port: PortName = interface.as_str().into();
    let router_interface = vnet::attach(builder, served, (&name, &port), IpAddr::V4(address), "")?;
    let vrf = main_vrf();
    let session = session(builder, gateway.asn, gateway.asn);
    let router = builder.router_mut(&name)?;
    add_port(router, &name, &port);
    let is_policed = index == 0 && router.policers.contains_key("sku");
    router.interfaces.insert(
        interface.clone(),
        Interface {
            policer_out: is_policed.then(|| "sku".to_owned()),
            ..plain_interface(&port, &vrf, vec![host_prefix(IpAddr::V4(address))])
        },
    );
    let table = router.vrfs.get_mut(&vrf)?;
    table.routes.push(neighbour(served.own, &interface));
    let peer = match index {
        0 => PLATFORM.to_owned(),
        _ => format!("{PLATFORM}/{}", served.label),
    };
    router.bgp.get_mut(BGP)?.peers.insert(
        peer,
        BgpPeer {
            interface,
            local: IpAddr::V4(address),
            remote: served.own,
            export: Some(ExportPolicy {
                table: vrf,
                policy: RoutePolicy {
                    rules: Vec::new(),
                    default_accept: false,
                },
            }),
            next_hop: NextHopRule::Unchanged,
            role: inside(&label, PLATFORM),
            ..session.clone()
        },
    );
    let peer = BgpPeer {
        interface: router_interface,
        local: served.own,
        remote: IpAddr::V4(address),
        import: platform_imports(builder, served.network),
        role: inside(&label, &format!("instance-{number}")),
        ..session
    };
    let router_name = vnet::node_name(builder, served.network);
    let bgp = builder.router_mut(&router_name)?.bgp.get_mut(PLATFORM)?;
    bgp.peers.insert(format!("{label}/instance-{number}"), peer);
    Some(())
}

/// What a gateway announces: the network's ranges, and those of peers that it is lent to.
fn announced(network: &VirtualNetwork) -> impl Iterator<Item = IpNet> {
    let own = network.address_space.iter();
    let lent = network.peerings.iter();
    let lent = lent.filter(|p| p.lends_gateway || network.hub.is_some());
    own.chain(lent.flat_map(|p| p.ranges.iter().chain(&p.transit)))
        .copied()
}

/// Into every subnet's table, but nothing inside the network's own ranges or those of its peers: system routes
/// win, however much longer the learned one is (virtual-networks-udr-overview).
fn platform_imports(builder: &mut Builder<'_>, network: &VirtualNetwork) -> Vec<ImportTo> {
    let name = vnet::node_name(builder, network);
    let own = PolicyRule {
        matches: PolicyMatch {
            prefixes: (network.address_space.iter())
                .chain(network.peerings.iter().flat_map(|p| &p.ranges))
                .map(|net| PrefixMatch {
                    net: *net,
                    len_min: net.prefix_len(),
                    len_max: net.max_prefix_len(),
                })
                .collect(),
            source_tags: Vec::new(),
        },
        action: PolicyAction::Reject {
            reason: "system routes of the virtual network win".to_owned(),
        },
    };
    let tables = builder
        .router_mut(&name)
        .and_then(|r| r.bgp.get(PLATFORM))
        .map(|b| b.tables.clone())
        .unwrap_or_default();
    tables
        .into_iter()
        .map(|table| ImportTo {
            table,
            policy: RoutePolicy {
                rules: vec![own.clone()],
                default_accept: true,
            },
        })
        .collect()
}

/// Joins one connection to one MSEE: tunnels to both instances, and from the network's router.
fn connect(
    builder: &mut Builder<'_>,
    gateway: &Gateway,
    served: &[Served<'_>],
    connection: &Connection,
    circuit: &Circuit,
    leg: Leg,
) -> Option<()> {
    let number = (builder.inputs.estate)
        .allocation(&connection_pool(&gateway.id), connection.id.as_str())
        .unwrap_or(0);
    let number = u32::try_from(number).ok()?;
    let endpoint = endpoint_address(gateway, leg, number);
    let msee_name = msee::node_name(circuit, leg);
    let circuit_label = builder.label(&circuit.name, &circuit.id);
    let msee_vrf = msee::vrf_name(&circuit_label);
    // No peering, no tunnel.
    builder.router_mut(&msee_name)?.vrfs.get(&msee_vrf)?;
    let connection_label = builder.label(&connection.name, &connection.id);
    let tier = circuit.tier.to_ascii_lowercase();
    let routes_out_max = builder.limit("azure", "routes_out_private_v4", &tier);

    // From the networks' routers: the outbound half, past the gateway.
    let which = match number {
        0 => String::new(),
        _ => format!("/{connection_label}"),
    };
    let tenant = Some(circuit.id.to_string());
    for (index, served) in served.iter().enumerate() {
        let port: PortName = format!("{connection_label}/{}", inbound(index, served)).into();
        let far = (&msee_name, &port);
        vnet::attach(builder, served, far, IpAddr::V4(endpoint), &which)?;
        let msee = builder.router_mut(&msee_name)?;
        add_port(msee, &msee_name, &port);
        msee.interfaces.insert(
            port.as_str().into(),
            Interface {
                tenant: tenant.clone(),
                ..plain_interface(&port, &msee_vrf, vec![host_prefix(IpAddr::V4(endpoint))])
            },
        );
    }

    let mark = tags::CONNECTION + number;
    for (index, address) in gateway.instance_addresses.iter().enumerate() {
        let tunnel = Tunnel {
            msee: msee_name.clone(),
            msee_vrf: msee_vrf.clone(),
            circuit_label: circuit_label.clone(),
            connection_label: connection_label.clone(),
            endpoint,
            address: *address,
            index,
            leg,
            mark,
            weight: u32::from(connection.routing_weight),
            routes_out_max,
        };
        join(builder, gateway, &tunnel, tenant.as_ref())?;
    }
    Some(())
}

struct Tunnel {
    msee: NodeName,
    msee_vrf: VrfName,
    circuit_label: String,
    connection_label: String,
    endpoint: Ipv4Addr,
    address: Ipv4Addr,
    index: usize,
    leg: Leg,
    mark: u32,
    weight: u32,
    /// Prefixes that the gateway may announce to the circuit.
    routes_out_max: Option<u32>,
}

/// One tunnel between an MSEE and a gateway instance, and the session in it.
fn join(
    builder: &mut Builder<'_>,
    gateway: &Gateway,
    tunnel: &Tunnel,
    tenant: Option<&String>,
) -> Option<()> {
    let label = builder.label(&gateway.name, &gateway.id);
    let name = node_name(&label, tunnel.index);
    let base = session(builder, gateway.asn, MICROSOFT);
    let msee_port = msee_end(builder, gateway, tunnel, tenant, &base)?;
    let port = gateway_end(builder, &name, tunnel, base)?;
    let link: LinkName = format!("{}--{name}/{}", tunnel.msee, tunnel.connection_label).into();
    builder.link(
        link,
        (&tunnel.msee, &msee_port),
        (&name, &port),
        LinkClass::Backbone,
        Owner::Azure,
    );
    Some(())
}

/// The MSEE's end of a tunnel.
fn msee_end(
    builder: &mut Builder<'_>,
    gateway: &Gateway,
    tunnel: &Tunnel,
    tenant: Option<&String>,
    base: &BgpPeer,
) -> Option<PortName> {
    let msee_port: PortName =
        format!("{}/instance-{}", tunnel.connection_label, tunnel.index).into();
    let msee_interface: InterfaceName = msee_port.as_str().into();
    let msee = builder.router_mut(&tunnel.msee)?;
    add_port(msee, &tunnel.msee, &msee_port);
    msee.interfaces.insert(
        msee_interface.clone(),
        Interface {
            tenant: tenant.cloned(),
            ..plain_interface(
                &msee_port,
                &tunnel.msee_vrf,
                vec![host_prefix(IpAddr::V4(tunnel.endpoint))],
            )
        },
    );
    msee.vrfs
        .get_mut(&tunnel.msee_vrf)?
        .routes
        .push(neighbour(IpAddr::V4(tunnel.address), &msee_interface));
    let bgp = msee
        .bgp
        .get_mut(&msee::instance_name(&tunnel.circuit_label))?;
    bgp.peers.insert(
        msee_port.to_string(),
        BgpPeer {
            interface: msee_interface,
            local: IpAddr::V4(tunnel.endpoint),
            remote: IpAddr::V4(tunnel.address),
            remote_asn: gateway.asn,
            import: vec![ImportTo {
                table: tunnel.msee_vrf.clone(),
                policy: RoutePolicy::ACCEPT_ALL,
            }],
            export: Some(ExportPolicy {
                table: tunnel.msee_vrf.clone(),
                policy: only(tags::CUSTOMER, "not learned from the circuit"),
            }),
            next_hop: NextHopRule::SelfAddress,
            source_tag: tags::GATEWAY,
            // Past it the link between circuit and gateway goes down (expressroute-limits).
            limits: MaxPrefixes {
                v4: tunnel.routes_out_max,
                v6: None,
            },
            role: inside(&tunnel.connection_label, tunnel.leg.label()),
            ..base.clone()
        },
    );
    Some(msee_port)
}

/// The instance's end of a tunnel.
fn gateway_end(
    builder: &mut Builder<'_>,
    name: &NodeName,
    tunnel: &Tunnel,
    base: BgpPeer,
) -> Option<PortName> {
    let port: PortName = format!("{}/{}", tunnel.connection_label, tunnel.leg.label()).into();
    let interface: InterfaceName = port.as_str().into();
    let router = builder.router_mut(name)?;
    add_port(router, name, &port);
    router.interfaces.insert(
        interface.clone(),
        plain_interface(
            &port,
            &main_vrf(),
            vec![host_prefix(IpAddr::V4(tunnel.address))],
        ),
    );
    router
        .vrfs
        .get_mut(&main_vrf())?
        .routes
        .push(neighbour(IpAddr::V4(tunnel.endpoint), &interface));
    let bgp = router.bgp.get_mut(BGP)?;
    add_marked_export(bgp, tunnel);
    let preferred = u32::from(tunnel.index == tunnel.leg.index());
    bgp.peers.insert(
        port.to_string(),
        BgpPeer {
            interface,
            local: IpAddr::V4(tunnel.address),
            remote: IpAddr::V4(tunnel.endpoint),
            remote_asn: MICROSOFT,
            import: vec![ImportTo {
                table: main_vrf(),
                policy: RoutePolicy {
                    rules: vec![PolicyRule {
                        matches: PolicyMatch::default(),
                        action: accept(Some(LOCAL_PREF + 2 * tunnel.weight + preferred)),
                    }],
                    default_accept: true,
                },
            }],
            export: Some(ExportPolicy {
                table: main_vrf(),
                policy: only(tags::VNET, "not a range of the virtual network"),
            }),
            next_hop: NextHopRule::SelfAddress,
            source_tag: tunnel.mark,
            role: inside(&tunnel.connection_label, tunnel.leg.label()),
            ..base
        },
    );
    Some(port)
}

/// Towards the platform both instances announce a connection's routes with the same preference, the
/// connection's weight (looked at before the AS path: expressroute-optimize-routing).
fn add_marked_export(bgp: &mut BgpInstance, tunnel: &Tunnel) {
    let matches = PolicyMatch {
        prefixes: Vec::new(),
        source_tags: vec![tunnel.mark],
    };
    let peers = bgp.peers.iter_mut();
    let platform = peers.filter(|(name, _)| name.starts_with(PLATFORM));
    for export in platform.filter_map(|(_, p)| p.export.as_mut()) {
        if export.policy.rules.iter().all(|r| r.matches != matches) {
            export.policy.rules.push(PolicyRule {
                matches: matches.clone(),
                action: accept(Some(LOCAL_PREF + 2 * tunnel.weight)),
            });
        }
    }
}

/// Tunnel endpoints: .4 and .5 for the first connection, then around the instances' addresses.
fn endpoint_address(gateway: &Gateway, leg: Leg, number: u32) -> Ipv4Addr {
    let base = u32::from(gateway.msee_addresses[leg.index()]);
    let shift = if number < 4 {
        2 * number
    } else {
        2 + 2 * number
    };
    Ipv4Addr::from(base.saturating_add(shift))
}

/// A session inside Azure; the caller fills in where and what.
fn session(builder: &mut Builder<'_>, local: Asn, remote: Asn) -> BgpPeer {
    let remote_asn = if local == remote { local } else { remote };
    BgpPeer {
        interface: "".into(),
        local: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        remote: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        remote_asn,
        local_asn: None,
        md5: None,
        hold_time_s: builder.behaviour_s("gateway_msee_bgp_hold_s"),
        keepalive_s: builder.behaviour_s("gateway_msee_bgp_keepalive_s"),
        connect_retry: msee::connect_retry(builder, "gateway_connect_retry_s"),
        passive: false,
        enabled: true,
        bfd: None,
        import: Vec::new(),
        export: None,
        next_hop: NextHopRule::SelfAddress,
        source_tag: 0,
        limits: MaxPrefixes::default(),
        role: inside("", ""),
    }
}

fn inside(peering: &str, path: &str) -> PathRole {
    PathRole {
        peering: peering.to_owned(),
        path: path.to_owned(),
        customer_visible: false,
    }
}

/// The throughput ceiling of a gateway SKU; it meets traffic into the network only, and each of the two
/// instances has half of it.
fn throughput(builder: &mut Builder<'_>, gateway: &Gateway) -> Option<Policer> {
    let sku = (catalogue().gateway_sku("expressroute", &gateway.sku))
        .or_else(|| catalogue().gateway_sku("expressroute-hub", &gateway.sku))?;
    let units = u64::from(gateway.scale_units);
    let rate_bps = u64::from(sku.mbps) * units * 1_000_000 / 2;
    let rate_pps = sku.pps.map(|pps| u64::from(pps) * units / 2);
    Some(msee::policer(builder, rate_bps, rate_pps))
}
