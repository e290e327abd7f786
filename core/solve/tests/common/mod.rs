//! Small blueprints, made by hand.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses its own part, and all of it is test code"
)]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use skybridge_base::{Asn, MacAddr};
use skybridge_blueprint::{
    BgpInstance, BgpPeer, Blueprint, CrossConnect, Endpoint, ExportPolicy, Host, ImportTo,
    Interface, InterfaceName, Link, LinkClass, LinkName, MaxPrefixes, NextHop, NextHopRule, Node,
    NodeKind, NodeName, Originated, Owner, PathRole, PolicyAction, PolicyMatch, PolicyRule, Port,
    PortName, PrefixMatch, Role, RoutePolicy, RouteSource, Router, ServicePoint, StaticRoute,
    Switch, SwitchPort, Tagging, Vrf,
};

pub fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A blueprint in the making.
#[derive(Clone, Default, Debug)]
pub struct Net {
    pub blueprint: Blueprint,
    macs: u64,
}

impl Net {
    fn mac(&mut self) -> MacAddr {
        self.macs += 1;
        MacAddr::local(self.macs)
    }

    fn add(&mut self, name: &str, role: Role, kind: NodeKind) {
        let node = Node {
            owner: Owner::Customer,
            role,
            location: String::new(),
            tenant: None,
            kind,
        };
        self.blueprint.nodes.insert(name.into(), node);
    }

    /// A router with the table `main`.
    pub fn router(&mut self, name: &str) {
        let vrf = Vrf {
            ecmp_max: 4,
            symmetric: false,
            ..Vrf::default()
        };
        let router = Router {
            vrfs: BTreeMap::from([("main".into(), vrf)]),
            ..Router::default()
        };
        self.add(name, Role::CustomerEdge, NodeKind::Router(Box::new(router)));
    }

    pub fn router_mut(&mut self, name: &str) -> &mut Router {
        match &mut self
            .blueprint
            .nodes
            .get_mut(&NodeName::from(name))
            .unwrap()
            .kind
        {
            NodeKind::Router(router) => router,
            NodeKind::Host(_) | NodeKind::External(_) | NodeKind::Switch(_) => {
                panic!("{name} is no router")
            }
        }
    }

    pub fn interface_mut(&mut self, router: &str, name: &str) -> &mut Interface {
        let interfaces = &mut self.router_mut(router).interfaces;
        interfaces.get_mut(&InterfaceName::from(name)).unwrap()
    }

    /// An untagged interface on a port of its own, both called `name`, in the table `main`.
    pub fn interface(&mut self, router: &str, name: &str, address: &str) {
        let mac = self.mac();
        let router = self.router_mut(router);
        router.ports.insert(name.into(), Port { mac });
        let interface = Interface {
            port: name.into(),
            tagging: Tagging::Untagged,
            vrf: "main".into(),
            addresses: vec![net(address)],
            connected_routes: true,
            mtu: 1500,
            proxy_arp: false,
            filter_in: None,
            filter_out: None,
            policer_in: None,
            policer_out: None,
            zone: None,
            source_check: None,
            tenant: None,
        };
        router.interfaces.insert(name.into(), interface);
    }

    /// A switch with the ports `customer` and `cloud`, joined by the cross-connect `line`.
    pub fn switch(&mut self, name: &str, customer: Tagging, cloud: Tagging) {
        let point = |port: &str, tagging| ServicePoint {
            port: port.into(),
            tagging,
        };
        let line = CrossConnect {
            a: point("customer", customer),
            b: point("cloud", cloud),
            tenant: None,
            faults: Vec::new(),
        };
        let port = |name: &str| (name.into(), SwitchPort { mtu: 1500 });
        let switch = Switch {
            ports: BTreeMap::from([port("customer"), port("cloud")]),
            cross_connects: BTreeMap::from([("line".into(), line)]),
        };
        let kind = NodeKind::Switch(Box::new(switch));
        self.add(name, Role::ProviderEdge, kind);
    }

    /// A link between two ports.
    pub fn link(&mut self, name: &str, a: (&str, &str), b: (&str, &str)) {
        let end = |(node, port): (&str, &str)| Endpoint {
            node: node.into(),
            port: PortName::from(port),
        };
        let link = Link {
            a: end(a),
            b: end(b),
            class: LinkClass::CrossConnect,
            owner: Owner::Provider,
            delay: Some(Duration::from_millis(1)),
            jitter: Duration::ZERO,
            loss_ppm: 0,
            rate_bps: None,
            mtu: 1500,
        };
        self.blueprint.links.insert(name.into(), link);
    }

    pub fn link_mut(&mut self, name: &str) -> &mut Link {
        self.blueprint.links.get_mut(&LinkName::from(name)).unwrap()
    }

    /// Two routers joined by the link `a-b`, with addresses .1 and .2 of `10.255.<n>.0/30`.
    pub fn join(&mut self, a: &str, b: &str, n: u8) {
        self.interface(a, b, &format!("10.255.{n}.1/30"));
        self.interface(b, a, &format!("10.255.{n}.2/30"));
        self.link(&format!("{a}-{b}"), (a, b), (b, a));
    }

    /// A host at `address` behind a router, which has the gateway's address.
    pub fn host(&mut self, name: &str, router: &str, address: &str, gateway: &str) {
        let mac = self.mac();
        let address = net(address);
        let host = Host {
            port: "eth0".into(),
            mac,
            addresses: vec![address],
            gateways: vec![ip(gateway)],
            mtu: 1500,
            services: Vec::new(),
            synthetic: false,
        };
        self.add(name, Role::Host, NodeKind::Host(Box::new(host)));
        let gateway = format!("{gateway}/{}", address.prefix_len());
        self.interface(router, name, &gateway);
        self.link(&format!("{router}-{name}"), (router, name), (name, "eth0"));
    }

    pub fn host_mut(&mut self, name: &str) -> &mut Host {
        let node = self.blueprint.nodes.get_mut(&NodeName::from(name));
        match &mut node.unwrap().kind {
            NodeKind::Host(host) => host,
            NodeKind::Router(_) | NodeKind::Switch(_) | NodeKind::External(_) => {
                panic!("{name} is no host")
            }
        }
    }

    pub fn route(&mut self, router: &str, prefix: &str, next_hop: NextHop) {
        let route = StaticRoute {
            prefix: net(prefix),
            next_hop,
            preference: 5,
            source: RouteSource::User,
        };
        let vrfs = &mut self.router_mut(router).vrfs;
        vrfs.get_mut("main").unwrap().routes.push(route);
    }

    /// The BGP instance `bgp` with identifier `192.0.2.<id>`.
    pub fn bgp(&mut self, router: &str, asn: u32, id: u8, originated: &[&str]) {
        let originated = originated.iter().map(|prefix| Originated {
            table: "main".into(),
            prefix: net(prefix),
            communities: Vec::new(),
            source_tag: 0,
        });
        let instance = BgpInstance {
            asn: Asn(asn),
            router_id: [192, 0, 2, id].into(),
            tables: vec!["main".into()],
            originated: originated.collect(),
            peers: BTreeMap::new(),
        };
        self.router_mut(router).bgp.insert("bgp".into(), instance);
    }

    pub fn bgp_mut(&mut self, router: &str) -> &mut BgpInstance {
        self.router_mut(router).bgp.get_mut("bgp").unwrap()
    }

    pub fn peer_mut(&mut self, router: &str, peer: &str) -> &mut BgpPeer {
        self.bgp_mut(router).peers.get_mut(peer).unwrap()
    }

    /// A session over the interfaces that [`Net::join`] made; each peer is called as its router.
    pub fn session(&mut self, a: &str, b: &str) {
        for (own, other) in [(a, b), (b, a)] {
            let local = self.interface_mut(own, other).addresses[0].addr();
            let remote = self.interface_mut(other, own).addresses[0].addr();
            let remote_asn = self.bgp_mut(other).asn;
            let peer = BgpPeer {
                interface: other.into(),
                local,
                remote,
                remote_asn,
                local_asn: None,
                md5: None,
                hold_time_s: 9,
                keepalive_s: 3,
                connect_retry: Duration::from_secs(5),
                passive: false,
                enabled: true,
                bfd: None,
                import: vec![ImportTo {
                    table: "main".into(),
                    policy: RoutePolicy::ACCEPT_ALL,
                }],
                export: Some(ExportPolicy {
                    table: "main".into(),
                    policy: RoutePolicy::ACCEPT_ALL,
                }),
                next_hop: NextHopRule::SelfAddress,
                source_tag: 0,
                limits: MaxPrefixes::default(),
                role: PathRole {
                    peering: String::new(),
                    path: String::new(),
                    customer_visible: true,
                },
            };
            self.bgp_mut(own).peers.insert(other.into(), peer);
        }
    }
}

/// Accepts everything, with changes.
pub fn accept(local_pref: Option<u32>, prepend: u8) -> RoutePolicy {
    RoutePolicy {
        rules: vec![PolicyRule {
            matches: PolicyMatch::default(),
            action: PolicyAction::Accept {
                local_pref,
                prepend,
                add_communities: Vec::new(),
            },
        }],
        default_accept: false,
    }
}

/// Refuses one prefix and accepts the rest.
pub fn all_but(prefix: &str) -> RoutePolicy {
    let prefix = net(prefix);
    RoutePolicy {
        rules: vec![PolicyRule {
            matches: PolicyMatch {
                prefixes: vec![PrefixMatch {
                    net: prefix,
                    len_min: prefix.prefix_len(),
                    len_max: prefix.prefix_len(),
                }],
                source_tags: Vec::new(),
            },
            action: PolicyAction::Reject {
                reason: "not wanted".to_owned(),
            },
        }],
        default_accept: true,
    }
}
