//! Random networks in which whatever a packet can meet is likely: a row of routers with one or two links
//! between neighbours, a host and a port to the outside at either end.

use std::time::Duration;

use ipnet::IpNet;
use skybridge_base::{MacAddr, Rng, VlanId};
use skybridge_blueprint::{
    Access, AddressSet, Blueprint, CrossConnect, DropKind, Endpoint, Filter, HopVisibility, Host,
    Interface, Link, LinkClass, NextHop, Node, NodeKind, NodeName, Owner, Policer, Port, Protocol,
    Role, RouteSource, Router, Rule, RuleSet, RuleSetMode, Service, ServiceKind, ServicePoint,
    StaticRoute, Switch, SwitchPort, Tagging, Tracking, Vrf, Zone,
};

/// What does not change while a network runs.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub routers: usize,
    pub links: usize,
    pub leaks: bool,
    /// Between the first two routers there are carriers.
    pub carried: bool,
}

impl Shape {
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            routers: 2 + usize::try_from(rng.below(4)).unwrap(),
            links: 1 + usize::try_from(rng.below(2)).unwrap(),
            leaks: one_in(rng, 3),
            carried: one_in(rng, 2),
        }
    }

    pub fn last(&self) -> NodeName {
        router_name(self.routers - 1)
    }
}

pub fn one_in(rng: &mut Rng, n: u64) -> bool {
    rng.below(n) == 0
}

pub fn pick<T: Clone>(rng: &mut Rng, items: &[T]) -> T {
    rng.choose(items).unwrap().clone()
}

pub fn router_name(at: usize) -> NodeName {
    format!("r{at}").into()
}

pub fn mac_of(at: usize, port: &str) -> MacAddr {
    let sum: u64 = port.bytes().map(u64::from).sum();
    MacAddr::local(1000 * (at as u64 + 1) + sum)
}

/// A network of this shape; `rng` decides everything else.
pub fn blueprint(shape: Shape, rng: &mut Rng) -> Blueprint {
    let mut blueprint = Blueprint::default();
    for at in 0..shape.routers {
        let kind = NodeKind::Router(Box::new(router(shape, at, rng)));
        blueprint.nodes.insert(router_name(at), node(kind));
    }
    for at in 0..shape.routers - 1 {
        for j in 0..shape.links {
            let (a, b) = (
                end(router_name(at), &format!("e{j}")),
                end(router_name(at + 1), &format!("w{j}")),
            );
            let name = format!("l{at}-{j}");
            let mut join = |name: &str, ends| {
                blueprint.links.insert(name.into(), link(ends, rng));
            };
            if shape.carried && at == 0 {
                let carrier = carrier_name(j);
                join(&name, (a, end(carrier.clone(), "a")));
                join(&format!("{name}-far"), (end(carrier.clone(), "b"), b));
                let kind = NodeKind::Switch(Box::new(switch(j, rng)));
                blueprint.nodes.insert(carrier, node(kind));
            } else {
                join(&name, (a, b));
            }
        }
    }
    for (name, last, side) in [("left", 1, router_name(0)), ("right", 2, shape.last())] {
        blueprint.nodes.insert(name.into(), node(host(last)));
        let ends = (end(side, "lan"), end(name.into(), "eth0"));
        blueprint.links.insert(name.into(), link(ends, rng));
    }
    blueprint
}

fn node(kind: NodeKind) -> Node {
    Node {
        owner: Owner::Customer,
        role: Role::CustomerEdge,
        location: String::new(),
        tenant: None,
        kind,
    }
}

fn end(node: NodeName, port: &str) -> Endpoint {
    Endpoint {
        node,
        port: port.into(),
    }
}

fn host(side: u8) -> NodeKind {
    NodeKind::Host(Box::new(Host {
        port: "eth0".into(),
        mac: MacAddr::local(u64::from(side)),
        addresses: vec![net(&format!("10.{side}.0.10/24"))],
        gateways: vec![format!("10.{side}.0.1").parse().unwrap()],
        mtu: 1500,
        services: vec![Service {
            name: "echo".to_owned(),
            tcp_port: 80,
            kind: ServiceKind::Echo,
        }],
        synthetic: false,
    }))
}

pub fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn link((a, b): (Endpoint, Endpoint), rng: &mut Rng) -> Link {
    let millis = |n| Duration::from_millis(n);
    let slow = one_in(rng, 4);
    Link {
        a,
        b,
        class: LinkClass::Backbone,
        owner: Owner::Customer,
        delay: pick(rng, &[None, None, None, Some(millis(0)), Some(millis(2))]),
        jitter: if slow && one_in(rng, 3) {
            millis(1)
        } else {
            Duration::ZERO
        },
        loss_ppm: if slow && one_in(rng, 3) { 100_000 } else { 0 },
        rate_bps: (slow && one_in(rng, 3)).then_some(20_000_000),
        mtu: pick(rng, &[1500, 1500, 1500, 1400, 9000]),
    }
}

pub fn carrier_name(j: usize) -> NodeName {
    format!("carrier{j}").into()
}

/// Carries the frames of link `j` between the first two routers with the tags that they have.
fn switch(j: usize, rng: &mut Rng) -> Switch {
    let mut port = || SwitchPort {
        mtu: pick(rng, &[1500, 1500, 1400, 9000]),
    };
    let point = |port: &str| ServicePoint {
        port: port.into(),
        tagging: tagging(0, j),
    };
    let joined = CrossConnect {
        a: point("a"),
        b: point("b"),
        tenant: None,
        faults: Vec::new(),
    };
    Switch {
        ports: [("a".into(), port()), ("b".into(), port())].into(),
        cross_connects: [("cc".into(), joined)].into(),
    }
}

/// The tags on link `j` east of router `west`.
fn tagging(west: usize, j: usize) -> Tagging {
    let vlan = |id: usize| VlanId::new(u16::try_from(id).unwrap()).unwrap();
    match (west + j) % 3 {
        1 => Tagging::Untagged,
        2 => Tagging::Dot1q(vlan(10 + west)),
        _ => Tagging::QinQ {
            s_tag: vlan(20 + west),
            c_tag: vlan(30 + west),
        },
    }
}

fn router(shape: Shape, at: usize, rng: &mut Rng) -> Router {
    let mut router = Router {
        visibility: pick(
            rng,
            &[
                HopVisibility::Visible,
                HopVisibility::Visible,
                HopVisibility::Silent,
                HopVisibility::Transparent,
            ],
        ),
        forbidden_transit: if one_in(rng, 6) {
            vec![(Zone::Vcn, Zone::VirtualCircuit)]
        } else {
            Vec::new()
        },
        inspection: one_in(rng, 4).then(|| filter(rng)),
        ..Router::default()
    };
    for name in ["p", "q"] {
        let tight = one_in(rng, 2);
        let policer = Policer {
            rate_bps: if tight { 2_000_000 } else { 10_000_000_000 },
            burst_bytes: if tight { 6000 } else { 10_000_000 },
            rate_pps: one_in(rng, 4).then_some(300),
            burst_packets: 3,
        };
        router.policers.insert(name.to_owned(), policer);
    }
    let is_end = at == 0 || at == shape.routers - 1;
    if is_end {
        let side = if at == 0 { 1 } else { 2 };
        for (third, port) in [(0, "lan"), (1, "tap")] {
            let addresses = [
                format!("10.{side}.{third}.1/24"),
                format!("2001:db8:{side}:{third}::1/64"),
            ];
            interface(&mut router, at, port, (Tagging::Untagged, &addresses), rng);
        }
    }
    for j in 0..shape.links {
        for (west, host, port) in [(at.wrapping_sub(1), 2, "w"), (at, 1, "e")] {
            if west >= shape.routers - 1 {
                continue;
            }
            let addresses = [
                format!("192.0.{}.{host}/30", west * 2 + j),
                format!("2001:db8:f{west}{j}::{host}/64"),
            ];
            let port = format!("{port}{j}");
            interface(&mut router, at, &port, (tagging(west, j), &addresses), rng);
        }
    }
    routes(&mut router, shape, at, rng);
    router
}

fn interface(
    router: &mut Router,
    at: usize,
    port: &str,
    (tagging, addresses): (Tagging, &[String]),
    rng: &mut Rng,
) {
    let mac = mac_of(at, port);
    router.ports.insert(port.into(), Port { mac });
    let policer = |rng: &mut Rng| one_in(rng, 5).then(|| pick(rng, &["p", "q"]).to_owned());
    let interface = Interface {
        port: port.into(),
        tagging,
        vrf: "main".into(),
        addresses: addresses.iter().map(|text| net(text)).collect(),
        connected_routes: true,
        mtu: pick(rng, &[1500, 1500, 1500, 1400, 9000]),
        proxy_arp: false,
        filter_in: one_in(rng, 4).then(|| filter(rng)),
        filter_out: one_in(rng, 4).then(|| filter(rng)),
        policer_in: policer(rng),
        policer_out: policer(rng),
        zone: pick(
            rng,
            &[None, None, Some(Zone::Vcn), Some(Zone::VirtualCircuit)],
        ),
        source_check: one_in(rng, 8).then(|| vec![net("10.0.0.0/8"), net("2001:db8::/32")]),
        tenant: None,
    };
    router.interfaces.insert(port.into(), interface);
}

fn routes(router: &mut Router, shape: Shape, at: usize, rng: &mut Rng) {
    let mut all = Vec::new();
    for (side, port, neighbour, exists) in
        [(1, "w", 1, at > 0), (2, "e", 2, at + 1 < shape.routers)]
    {
        if !exists {
            continue;
        }
        let west = if port == "w" { at - 1 } else { at };
        for j in 0..shape.links {
            for (prefix, address) in [
                (
                    format!("10.{side}.0.0/16"),
                    format!("192.0.{}.{neighbour}", west * 2 + j),
                ),
                (
                    format!("2001:db8:{side}::/48"),
                    format!("2001:db8:f{west}{j}::{neighbour}"),
                ),
            ] {
                let next_hop = NextHop::Via {
                    interface: format!("{port}{j}").as_str().into(),
                    address: address.parse().unwrap(),
                };
                all.push(static_route(&prefix, next_hop));
            }
        }
    }
    if one_in(rng, 4) {
        all.push(static_route("10.2.1.64/26", NextHop::Drop(DropKind::None)));
    }
    let ecmp_max = pick(rng, &[1, 4]);
    let vrf = |routes| Vrf {
        routes,
        ecmp_max,
        symmetric: true,
        label: String::new(),
    };
    if shape.leaks {
        let to_leak = |prefix| static_route(prefix, NextHop::Table { vrf: "leak".into() });
        let main = ["10.1.0.0/16", "10.2.0.0/16", "2001:db8::/32"].map(to_leak);
        router.vrfs.insert("main".into(), vrf(main.to_vec()));
        router.vrfs.insert("leak".into(), vrf(all));
    } else {
        router.vrfs.insert("main".into(), vrf(all));
    }
}

fn static_route(prefix: &str, next_hop: NextHop) -> StaticRoute {
    StaticRoute {
        prefix: net(prefix),
        next_hop,
        preference: 1,
        source: RouteSource::User,
    }
}

/// A few rules over the ports that the packets here have; the last mostly lets everything pass.
fn filter(rng: &mut Rng) -> Filter {
    let sets = 1 + rng.below(2);
    let set = |at| {
        let mut rules: Vec<Rule> = (0..rng.below(4)).map(|_| rule(rng)).collect();
        let last = Rule {
            access: Access::Allow,
            protocols: vec![Protocol::Any],
            sources: any(),
            destinations: any(),
            unknown: false,
            ..rule(rng)
        };
        if !one_in(rng, 8) {
            rules.push(last);
        }
        RuleSet {
            name: format!("set {at}"),
            mode: pick(rng, &[RuleSetMode::FirstMatch, RuleSetMode::UnionOfAllows]),
            rules,
        }
    };
    Filter {
        sets: (0..sets).map(set).collect(),
    }
}

fn rule(rng: &mut Rng) -> Rule {
    let port = pick(rng, &[53, 80, 5000, 5001]);
    Rule {
        name: "rule".to_owned(),
        access: pick(rng, &[Access::Allow, Access::Allow, Access::Deny]),
        tracking: pick(rng, &[Tracking::Stateful, Tracking::Stateless]),
        protocols: vec![pick(
            rng,
            &[
                Protocol::Number(17),
                Protocol::Number(6),
                Protocol::Number(47),
                Protocol::Ports {
                    number: 17,
                    source: vec![],
                    destination: vec![port..=port],
                },
                Protocol::Ports {
                    number: 6,
                    source: vec![port..=port],
                    destination: vec![],
                },
                Protocol::Icmp {
                    number: 1,
                    icmp_type: 8,
                    code: None,
                },
            ],
        )],
        sources: addresses(rng),
        destinations: addresses(rng),
        unknown: one_in(rng, 6),
    }
}

fn addresses(rng: &mut Rng) -> AddressSet {
    let mut set = any();
    if one_in(rng, 3) {
        set.prefixes = vec![net("10.1.0.0/16"), net("2001:db8:1::/48")];
    }
    if one_in(rng, 6) {
        set.learned_in = Some("main".into());
    }
    set
}

fn any() -> AddressSet {
    AddressSet {
        prefixes: vec![net("0.0.0.0/0"), net("::/0")],
        learned_in: None,
    }
}
