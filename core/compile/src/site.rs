//! Sites on premises: customer edge routers, the LAN behind them, hosts.
//!
//! A site's LAN is one router, `lan@SITE`, which the lab takes as given: how a site is built inside is not
//! modelled. It speaks iBGP with each edge router, with BFD, uses equal routes together and originates the
//! site's networks; so an edge that lost its circuit or its LAN loses the site's traffic too. Edges announce
//! to the cloud what the LAN announces, and to the LAN what the cloud announces: never from one circuit to
//! another.
//!
//! An edge that the user brings hangs on its port alone. What is behind it is the user's own; its stand-in
//! answers for the hosts of the site.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use skybridge_azure::model::{Circuit, Peering};
use skybridge_blueprint::{
    Attached, BfdParameters, BgpInstance, BgpPeer, ExportPolicy, External, HopVisibility, ImportTo,
    Interface, InterfaceName, LinkClass, LinkName, MaxPrefixes, NextHopRule, Node, NodeKind,
    NodeName, Originated, Owner, PathRole, PolicyMatch, PolicyRule, PortMode, PortName, Role,
    RoutePolicy, Router, Secret, Tagging, VrfName,
};
use skybridge_estate::ResourceId;
use skybridge_oci::model::{Mapping, VirtualCircuit};

use crate::builder::{
    Builder, add_port, host_prefix, neighbour, plain_interface, router_node, table,
};
use crate::carrier::{self, CustomerEnd};
use crate::fastconnect::{self, SiteEnd};
use crate::hosts::{self, HostPlan};
use crate::sites::{Site, SiteBfd, SiteHost, SiteNetwork, SiteRouter};
use crate::{HostRef, Leg, SiteIndex, SiteLegIndex, SiteRouterIndex, SubnetIndex, msee, tags};

/// The BGP instance of edges and LANs.
const BGP: &str = "bgp";
/// The edge's peer inside the site.
const LAN_PEER: &str = "lan";
/// Most equal routes used together inside a site.
const ECMP_MAX: u8 = 8;

fn vrf() -> VrfName {
    "main".into()
}

/// The node of an edge router.
fn router_name(site: &Site, router: &SiteRouter) -> NodeName {
    format!("{}@{}", router.name, site.name).into()
}

fn lan_name(site: &Site) -> NodeName {
    format!("lan@{}", site.name).into()
}

/// The id that a site goes by among networks.
#[must_use]
pub fn site_id(site: &str) -> ResourceId {
    format!("site/{site}").as_str().into()
}

/// The id that a site's network goes by among subnets.
#[must_use]
pub fn site_network_id(site: &str, network: &str) -> ResourceId {
    format!("site/{site}/{network}").as_str().into()
}

pub(crate) fn build(builder: &mut Builder<'_>) {
    for site in &builder.inputs.extras.sites {
        let own = site.routers.iter().any(|r| r.attach.is_none());
        let lan = (own || site.routers.is_empty()).then(|| lan_name(site));
        if let Some(lan) = &lan {
            build_lan(builder, site, lan);
        }
        let mut routers = std::collections::BTreeMap::new();
        for (number, router) in (0..).zip(&site.routers) {
            let index = build_router(builder, site, router, lan.as_ref(), number);
            routers.insert(router.name.clone(), index);
        }
        builder
            .index
            .sites
            .insert(site.name.clone(), SiteIndex { lan, routers });
        if own || site.routers.is_empty() {
            add_hosts(builder, site);
        }
    }
}

/// The router that stands for everything inside.
fn build_lan(builder: &mut Builder<'_>, site: &Site, name: &NodeName) {
    let router = builder.router(name, || {
        router_node(
            Owner::Customer,
            Role::SiteLan,
            &site.name,
            HopVisibility::Visible,
        )
    });
    router.vrfs.insert(vrf(), table(&site.name, ECMP_MAX));
    router.bgp.insert(
        BGP.to_owned(),
        BgpInstance {
            asn: site.asn,
            router_id: Ipv4Addr::new(169, 254, 250, 254),
            tables: vec![vrf()],
            originated: originated(site),
            peers: [].into(),
        },
    );
    for network in &site.networks {
        builder.index.subnets.insert(
            site_network_id(&site.name, &network.name),
            SubnetIndex {
                router: name.clone(),
                vrf: vrf(),
            },
        );
    }
}

fn originated(site: &Site) -> Vec<Originated> {
    let networks = site.networks.iter();
    networks
        .map(|network| Originated {
            table: vrf(),
            prefix: IpNet::V4(network.cidr),
            communities: Vec::new(),
            source_tag: tags::SITE,
        })
        .collect()
}

fn build_router(
    builder: &mut Builder<'_>,
    site: &Site,
    router: &SiteRouter,
    lan: Option<&NodeName>,
    number: u8,
) -> SiteRouterIndex {
    let name = router_name(site, router);
    let circuit = router.circuit.as_ref().and_then(|id| {
        let circuit = builder.inputs.azure.circuits.iter().find(|c| &c.id == id)?;
        (circuit.provider != skybridge_azure::ORACLE_PROVIDER).then_some(circuit)
    });
    let vc = (router.circuit.as_ref()).and_then(|id| fastconnect::of_site(builder, id));
    let mut spec = edge(builder, site, router, &name, circuit, number);
    if let Some(vc) = vc {
        add_fastconnect(builder, router, vc, &name, &mut spec);
    }
    let meant = Box::new(spec.clone());
    let node = |kind| Node {
        owner: Owner::Customer,
        role: Role::CustomerEdge,
        location: site.name.clone(),
        tenant: None,
        kind,
    };
    let kind = match &router.attach {
        None => NodeKind::Router(Box::new(spec)),
        Some(device) => {
            let persona = router.persona.then(|| {
                stand_in(site, &mut spec);
                Box::new(spec)
            });
            NodeKind::External(Box::new(External::Attached(Box::new(Attached {
                port: port_name(router, Leg::Primary),
                device: device.clone(),
                mode: router.mode,
                persona,
            }))))
        }
    };
    builder.blueprint.nodes.insert(name.clone(), node(kind));
    if router.attach.is_none()
        && let Some(lan) = lan
    {
        join_lan(builder, site, router, &name, lan, number);
    }
    let mut legs = Vec::new();
    for path in &router.paths {
        if let Some(circuit) = circuit
            && let Some(leg) = join_circuit(builder, site, router, &name, circuit, *path)
        {
            legs.push(leg);
        }
        if let Some(vc) = vc {
            legs.extend(join_fastconnect(builder, site, router, &name, vc, *path));
        }
    }
    SiteRouterIndex {
        node: name,
        attached: router.attach.is_some(),
        spec: meant,
        legs,
    }
}

/// The port of a path: an attached router has one, and it is called the same for each.
fn port_name(router: &SiteRouter, path: Leg) -> PortName {
    match (&router.attach, router.paths.as_slice()) {
        (None, [_, _, ..]) => format!("wan-{}", path.label()).into(),
        (Some(_), _) | (None, _) => "wan".into(),
    }
}

fn private_peering(circuit: &Circuit) -> Option<&Peering> {
    (circuit.peerings.iter()).find(|p| p.name == "AzurePrivatePeering")
}

/// The customer tag of a router's frames on the carrier's side.
fn c_tag(router: &SiteRouter, peering: &Peering) -> skybridge_base::VlanId {
    match router.mode {
        PortMode::Access => peering.vlan,
        PortMode::Trunk => router.vlan.unwrap_or(peering.vlan),
    }
}

fn interface_name(router: &SiteRouter, peering: &Peering, path: Leg) -> InterfaceName {
    let port = port_name(router, path);
    match router.mode {
        PortMode::Access => port.as_str().into(),
        PortMode::Trunk => format!("{port}.{}", c_tag(router, peering)).into(),
    }
}

fn peer_name(router: &SiteRouter, path: Leg) -> String {
    match router.paths.as_slice() {
        [_] | [] => "msee".to_owned(),
        [_, ..] => format!("msee-{}", path.label()),
    }
}

/// The edge router: one table, a session per path.
fn edge(
    builder: &mut Builder<'_>,
    site: &Site,
    router: &SiteRouter,
    name: &NodeName,
    circuit: Option<&Circuit>,
    number: u8,
) -> Router {
    let mut spec = Router::default();
    spec.vrfs.insert(vrf(), table(&site.name, ECMP_MAX));
    let mut bgp = BgpInstance {
        asn: site.asn,
        router_id: inside(number).0,
        tables: vec![vrf()],
        originated: Vec::new(),
        peers: [].into(),
    };
    for path in &router.paths {
        let port = port_name(router, *path);
        add_port(&mut spec, name, &port);
        let Some((circuit, peering)) = circuit.and_then(|c| Some((c, private_peering(c)?))) else {
            continue;
        };
        let network = match path {
            Leg::Primary => peering.primary,
            Leg::Secondary => peering.secondary,
        };
        let Some((customer, microsoft)) = msee::ends(network) else {
            continue;
        };
        if bgp.peers.is_empty() {
            bgp.router_id = customer;
        }
        let interface = interface_name(router, peering, *path);
        let address = Ipv4Net::new(customer, network.prefix_len()).unwrap_or(network);
        spec.interfaces.insert(
            interface.clone(),
            Interface {
                tagging: match router.mode {
                    PortMode::Access => Tagging::Untagged,
                    PortMode::Trunk => Tagging::Dot1q(c_tag(router, peering)),
                },
                connected_routes: true,
                mtu: builder.behaviour_s("site_ip_mtu"),
                ..plain_interface(&port, &vrf(), vec![IpNet::V4(address)])
            },
        );
        let label = builder.label(&circuit.name, &circuit.id);
        let role = PathRole {
            peering: format!("{label}/{}", peering.name),
            path: path.label().to_owned(),
            customer_visible: true,
        };
        let peer = BgpPeer {
            interface,
            local: IpAddr::V4(customer),
            remote: IpAddr::V4(microsoft),
            role,
            ..cloud_peer(builder, router, peering.shared_key.as_deref())
        };
        bgp.peers.insert(peer_name(router, *path), peer);
    }
    spec.bgp.insert(BGP.to_owned(), bgp);
    spec
}

/// The interfaces and sessions of a router towards the FastConnect edges.
fn add_fastconnect(
    builder: &mut Builder<'_>,
    router: &SiteRouter,
    vc: &VirtualCircuit,
    name: &NodeName,
    spec: &mut Router,
) {
    for path in &router.paths {
        let mapping = fastconnect::mapping(vc, *path);
        let Some((mapping, (customer, oracle))) =
            mapping.and_then(|m| Some((m, fastconnect::ends(m)?)))
        else {
            continue;
        };
        let port = port_name(router, *path);
        add_port(spec, name, &port);
        let interface = fastconnect_interface(router, mapping, *path);
        spec.interfaces.insert(
            interface.clone(),
            Interface {
                tagging: fastconnect::tagging(mapping.vlan),
                connected_routes: true,
                mtu: builder.behaviour_s("site_ip_mtu"),
                ..plain_interface(&port, &vrf(), vec![IpNet::V4(customer)])
            },
        );
        let label = builder.label(&vc.name, &vc.id);
        let usual = cloud_peer(builder, router, mapping.md5.as_deref());
        let peer = BgpPeer {
            interface,
            local: IpAddr::V4(customer.addr()),
            remote: IpAddr::V4(oracle),
            remote_asn: vc.oracle_asn,
            // Oracle's side has BFD where the circuit enables it.
            bfd: usual.bfd.filter(|_| vc.bfd || router.bfd != SiteBfd::Usual),
            role: PathRole {
                peering: format!("{label}/private"),
                path: path.label().to_owned(),
                customer_visible: true,
            },
            ..usual
        };
        if let Some(bgp) = spec.bgp.get_mut(BGP) {
            if bgp.peers.is_empty() {
                bgp.router_id = customer.addr();
            }
            bgp.peers.insert(peer_name(router, *path), peer);
        }
    }
}

fn fastconnect_interface(router: &SiteRouter, mapping: &Mapping, path: Leg) -> InterfaceName {
    let port = port_name(router, path);
    match mapping.vlan {
        Some(vlan) => format!("{port}.{vlan}").into(),
        None => port.as_str().into(),
    }
}

/// The session with an MSEE; the caller fills in where.
fn cloud_peer(builder: &mut Builder<'_>, router: &SiteRouter, key: Option<&str>) -> BgpPeer {
    let key = key.map(|key| Secret::new(key.to_owned()));
    let bfd = match router.bfd {
        SiteBfd::Off => None,
        SiteBfd::On(parameters) => Some(parameters),
        SiteBfd::Usual => Some(BfdParameters {
            interval: builder.behaviour_ms("site_bfd_interval_ms"),
            multiplier: msee::multiplier(builder, "site_bfd_multiplier"),
        }),
    };
    let hold_time_s = match router.hold_time_s {
        Some(seconds) => seconds,
        None => builder.behaviour_s("site_bgp_hold_s"),
    };
    let keepalive_s = match (router.keepalive_s, router.hold_time_s) {
        (Some(seconds), _) => seconds,
        (None, Some(hold)) => hold / 3,
        (None, None) => builder.behaviour_s("site_bgp_keepalive_s"),
    };
    BgpPeer {
        interface: "".into(),
        local: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        remote: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        remote_asn: msee::MICROSOFT,
        local_asn: None,
        md5: router.md5.clone().or(key),
        hold_time_s,
        keepalive_s,
        connect_retry: msee::connect_retry(builder, "site_connect_retry_s"),
        passive: false,
        enabled: true,
        bfd,
        import: vec![ImportTo {
            table: vrf(),
            policy: RoutePolicy {
                rules: vec![PolicyRule {
                    matches: PolicyMatch::default(),
                    action: msee::accept(router.local_pref),
                }],
                default_accept: false,
            },
        }],
        export: Some(ExportPolicy {
            table: vrf(),
            policy: prepended(
                msee::only(tags::SITE, "not a network of the site"),
                router.prepend,
            ),
        }),
        next_hop: NextHopRule::SelfAddress,
        source_tag: tags::CLOUD,
        limits: MaxPrefixes::default(),
        role: PathRole {
            peering: String::new(),
            path: String::new(),
            customer_visible: true,
        },
    }
}

fn prepended(mut policy: RoutePolicy, times: u8) -> RoutePolicy {
    for rule in &mut policy.rules {
        if let skybridge_blueprint::PolicyAction::Accept { prepend, .. } = &mut rule.action {
            *prepend = times;
        }
    }
    policy
}

/// Makes an attached router's stand-in answer for the site: it announces the networks itself and has the
/// addresses of their hosts.
fn stand_in(site: &Site, spec: &mut Router) {
    if let Some(bgp) = spec.bgp.get_mut(BGP) {
        bgp.originated = originated(site);
    }
    let addresses = site.networks.iter().flat_map(|network| {
        let given = network.hosts.iter().filter_map(|host| host.address);
        let first = network.cidr.hosts().next();
        given.chain(first).collect::<Vec<_>>()
    });
    let addresses: Vec<IpNet> = addresses.map(|a| host_prefix(IpAddr::V4(a))).collect();
    if let Some(interface) = spec.interfaces.values_mut().next() {
        for address in addresses {
            if !interface.addresses.contains(&address) {
                interface.addresses.push(address);
            }
        }
    }
}

/// The addresses between edge `number` and the LAN: the edge's, the LAN's.
fn inside(number: u8) -> (Ipv4Addr, Ipv4Addr) {
    let base = number.saturating_mul(4).min(248);
    (
        Ipv4Addr::new(169, 254, 250, base + 1),
        Ipv4Addr::new(169, 254, 250, base + 2),
    )
}

/// The link and the session between an edge and the LAN.
fn join_lan(
    builder: &mut Builder<'_>,
    site: &Site,
    router: &SiteRouter,
    edge: &NodeName,
    lan: &NodeName,
    number: u8,
) {
    let (edge_address, lan_address) = inside(number);
    let edge_end = (edge, PortName::from("lan"), edge_address);
    let lan_end = (
        lan,
        PortName::from(format!("ce/{}", router.name)),
        lan_address,
    );
    let session = inside_session(builder, site);
    for ((node, port, own), (far, name, out, tag)) in [
        (
            &edge_end,
            (lan_address, LAN_PEER.to_owned(), tags::CLOUD, tags::SITE),
        ),
        (
            &lan_end,
            (edge_address, router.name.clone(), tags::SITE, tags::CLOUD),
        ),
    ] {
        let interface: InterfaceName = port.as_str().into();
        let peer = BgpPeer {
            interface: interface.clone(),
            local: IpAddr::V4(*own),
            remote: IpAddr::V4(far),
            export: Some(ExportPolicy {
                table: vrf(),
                policy: msee::only(out, "learned inside the site"),
            }),
            source_tag: tag,
            ..session.clone()
        };
        let Some(spec) = builder.router_mut(node) else {
            return;
        };
        add_port(spec, node, port);
        spec.interfaces.insert(
            interface.clone(),
            plain_interface(port, &vrf(), vec![host_prefix(IpAddr::V4(*own))]),
        );
        if let Some(vrf) = spec.vrfs.get_mut(&vrf()) {
            vrf.routes.push(neighbour(IpAddr::V4(far), &interface));
        }
        if let Some(bgp) = spec.bgp.get_mut(BGP) {
            bgp.peers.insert(name, peer);
        }
    }
    let link: LinkName = format!("{lan}--{edge}").into();
    builder.link(
        link,
        (lan, &lan_end.1),
        (edge, &edge_end.1),
        LinkClass::Backbone,
        Owner::Customer,
    );
}

/// A session inside a site; the caller fills in where.
fn inside_session(builder: &mut Builder<'_>, site: &Site) -> BgpPeer {
    BgpPeer {
        interface: "".into(),
        local: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        remote: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        remote_asn: site.asn,
        local_asn: None,
        md5: None,
        hold_time_s: builder.behaviour_s("site_internal_bgp_hold_s"),
        keepalive_s: builder.behaviour_s("site_internal_bgp_keepalive_s"),
        connect_retry: Duration::from_secs(5),
        passive: false,
        enabled: true,
        bfd: Some(BfdParameters {
            interval: builder.behaviour_ms("site_bfd_interval_ms"),
            multiplier: msee::multiplier(builder, "site_bfd_multiplier"),
        }),
        import: vec![ImportTo {
            table: vrf(),
            policy: RoutePolicy::ACCEPT_ALL,
        }],
        export: None,
        next_hop: NextHopRule::SelfAddress,
        source_tag: 0,
        limits: MaxPrefixes::default(),
        role: PathRole {
            peering: site.name.clone(),
            path: String::new(),
            customer_visible: false,
        },
    }
}

/// Leads a path of the circuit to the router.
fn join_circuit(
    builder: &mut Builder<'_>,
    site: &Site,
    router: &SiteRouter,
    node: &NodeName,
    circuit: &Circuit,
    path: Leg,
) -> Option<SiteLegIndex> {
    let peering = private_peering(circuit)?;
    let end = CustomerEnd {
        site: &site.name,
        router: &router.name,
        node: node.clone(),
        port: port_name(router, path),
        circuit,
        path,
        mode: router.mode,
        c_tag: c_tag(router, peering),
    };
    let carriage = carrier::carry(builder, &end);
    Some(SiteLegIndex {
        circuit: circuit.id.clone(),
        path,
        interface: interface_name(router, peering, path),
        instance: BGP.to_owned(),
        vrf: vrf(),
        peer: peer_name(router, path),
        carrier: carriage.carrier,
        switch: carriage.switch,
        access: carriage.access,
        cross_connect: carriage.cross_connect,
    })
}

/// Leads a path of a virtual circuit to the router.
fn join_fastconnect(
    builder: &mut Builder<'_>,
    site: &Site,
    router: &SiteRouter,
    node: &NodeName,
    vc: &VirtualCircuit,
    path: Leg,
) -> Option<SiteLegIndex> {
    let mapping = fastconnect::mapping(vc, path)?;
    let end = SiteEnd {
        site: &site.name,
        router: &router.name,
        node,
        port: port_name(router, path),
        path,
    };
    let carriage = fastconnect::carry(builder, vc, &end)?;
    Some(SiteLegIndex {
        circuit: vc.id.clone(),
        path,
        interface: fastconnect_interface(router, mapping, path),
        instance: BGP.to_owned(),
        vrf: vrf(),
        peer: peer_name(router, path),
        carrier: carriage.carrier,
        switch: carriage.switch,
        access: carriage.access,
        cross_connect: carriage.cross_connect,
    })
}

/// The hosts of a site: those of the lab file, and one to probe from in each network without.
fn add_hosts(builder: &mut Builder<'_>, site: &Site) {
    for network in &site.networks {
        for host in &network.hosts {
            add_host(builder, site, network, host, false);
        }
        if network.hosts.is_empty() {
            let probe = SiteHost {
                name: format!("{}-{}", site.name, network.name),
                address: None,
            };
            add_host(builder, site, network, &probe, true);
        }
    }
}

fn add_host(
    builder: &mut Builder<'_>,
    site: &Site,
    network: &SiteNetwork,
    host: &SiteHost,
    synthetic: bool,
) {
    let id = site_id(&site.name);
    let range = IpNet::V4(network.cidr);
    let given = host.address.map(IpAddr::V4);
    let Some(address) = given.or_else(|| hosts::spare_address(builder, &id, range)) else {
        builder.gap(&id, format!("no free address for {}", host.name));
        return;
    };
    let mut node: NodeName = host.name.as_str().into();
    if builder.blueprint.nodes.contains_key(&node) {
        node = format!("{}@{}", host.name, site.name).into();
    }
    let mtu = builder.behaviour_s("site_ip_mtu");
    let origin = if synthetic {
        HostRef::SiteNetwork(site.name.clone(), network.name.clone())
    } else {
        HostRef::Lab(host.name.clone())
    };
    hosts::add_host(
        builder,
        HostPlan {
            node,
            origin,
            owner: Owner::Customer,
            location: site.name.clone(),
            network: id,
            subnet: site_network_id(&site.name, &network.name),
            range,
            address,
            also: Vec::new(),
            mtu,
            router: lan_name(site),
            vrf: vrf(),
            local: vrf(),
            filter_out_of_host: None,
            filter_into_host: None,
            source_check: false,
            synthetic,
        },
    );
}
