//! Our side: a router with one port on a TAP device and a host behind it, in real time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant as Clock};

use anyhow::{Context, Result, anyhow};
use skybridge_base::{Asn, Instant, MacAddr, WallTime};
use skybridge_blueprint::{
    BfdParameters, BgpInstance, BgpPeer, Blueprint, Endpoint, ExportPolicy, Host, ImportTo,
    Interface, Link, LinkClass, MaxPrefixes, NextHopRule, Node, NodeKind, NodeName, Originated,
    Owner, PathRole, Port, PortName, Role, RoutePolicy, Router, Secret, Tagging, Vrf,
};
use skybridge_live::{Pacer, TURN_MAX};
use skybridge_nodes::{ConnectionId, HostCommand, NodeEvent, SessionState};
use skybridge_world::{
    AnyNode, CaptureId, CapturePoint, Command, World, WorldEventKind, pcap_bytes,
};

use crate::tap::Cable;

/// Our end of the session, its AS and the prefix it announces.
pub(crate) const OUR_ADDRESS: &str = "192.0.2.1";
pub(crate) const OUR_ASN: u32 = 65_001;
pub(crate) const OUR_PREFIX: &str = "10.1.0.0/24";
/// The peer's.
pub(crate) const PEER_ADDRESS: &str = "192.0.2.2";
pub(crate) const PEER_ASN: u32 = 65_002;
pub(crate) const PEER_PREFIX: &str = "10.2.0.0/24";
/// An address of the peer within its prefix.
pub(crate) const PEER_HOST: &str = "10.2.0.1";

/// Steps of the world between two looks at the clock.
const STEPS: u32 = 2;

/// What differs between scenarios on our side.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// We wait for the peer's connection.
    pub(crate) passive: bool,
    /// MD5 key.
    pub(crate) key: Option<&'static str>,
    /// BFD interval; the multiplier is 3.
    pub(crate) bfd_interval: Option<Duration>,
    /// Hold time offered.
    pub(crate) hold_time_s: u16,
    /// Further prefixes that we announce.
    pub(crate) more_prefixes: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            passive: false,
            key: None,
            bfd_interval: None,
            hold_time_s: 30,
            more_prefixes: Vec::new(),
        }
    }
}

/// A BGP instance with one peer.
pub(crate) fn instance(
    asn: u32,
    local: &str,
    prefix: &str,
    remote: (&str, u32),
    options: &Options,
) -> Result<BgpInstance> {
    let peer = BgpPeer {
        interface: "wan".into(),
        local: local.parse()?,
        remote: remote.0.parse()?,
        remote_asn: Asn(remote.1),
        local_asn: None,
        md5: options.key.map(|key| Secret::new(key.to_owned())),
        hold_time_s: options.hold_time_s,
        keepalive_s: options.hold_time_s / 3,
        connect_retry: Duration::from_secs(2),
        passive: options.passive,
        enabled: true,
        bfd: options.bfd_interval.map(|interval| BfdParameters {
            interval,
            multiplier: 3,
        }),
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
            peering: "interop".to_owned(),
            path: "primary".to_owned(),
            customer_visible: true,
        },
    };
    let originated = |prefix: &str| -> Result<Originated> {
        Ok(Originated {
            table: "main".into(),
            prefix: prefix.parse()?,
            communities: vec![(asn << 16) | 7],
            source_tag: 0,
        })
    };
    let more = options.more_prefixes.iter().map(String::as_str);
    Ok(BgpInstance {
        asn: Asn(asn),
        router_id: local.parse()?,
        tables: vec!["main".into()],
        originated: [prefix]
            .into_iter()
            .chain(more)
            .map(originated)
            .collect::<Result<_>>()?,
        peers: BTreeMap::from([("peer".to_owned(), peer)]),
    })
}

/// A router with ports `wan` and `lan`.
pub(crate) fn router(
    mac: u64,
    tagging: Tagging,
    wan: &str,
    lan: &str,
    bgp: BgpInstance,
) -> Result<Router> {
    let interface = |port: &str, tagging, address: &str| -> Result<Interface> {
        Ok(Interface {
            port: port.into(),
            tagging,
            vrf: "main".into(),
            addresses: vec![address.parse()?],
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
        })
    };
    let port = |bits| Port {
        mac: MacAddr::local(bits),
    };
    Ok(Router {
        ports: BTreeMap::from([("wan".into(), port(mac)), ("lan".into(), port(mac + 1))]),
        interfaces: BTreeMap::from([
            ("wan".into(), interface("wan", tagging, wan)?),
            ("lan".into(), interface("lan", Tagging::Untagged, lan)?),
        ]),
        vrfs: BTreeMap::from([(
            "main".into(),
            Vrf {
                ecmp_max: 1,
                symmetric: false,
                ..Vrf::default()
            },
        )]),
        bgp: BTreeMap::from([("main".to_owned(), bgp)]),
        ..Router::default()
    })
}

/// Wraps a machine as a node of the customer's.
pub(crate) fn node(role: Role, kind: NodeKind) -> Node {
    Node {
        owner: Owner::Customer,
        role,
        location: String::new(),
        tenant: None,
        kind,
    }
}

/// A host with one address.
pub(crate) fn host(mac: u64, address: &str, gateway: &str) -> Result<Node> {
    let host = Host {
        port: "eth0".into(),
        mac: MacAddr::local(mac),
        addresses: vec![address.parse()?],
        gateways: vec![gateway.parse()?],
        mtu: 1500,
        services: Vec::new(),
        synthetic: false,
    };
    Ok(node(Role::Host, NodeKind::Host(Box::new(host))))
}

/// A link without delay.
pub(crate) fn link(a: (&str, &str), b: (&str, &str)) -> Link {
    let end = |(node, port): (&str, &str)| Endpoint {
        node: node.into(),
        port: port.into(),
    };
    Link {
        a: end(a),
        b: end(b),
        class: LinkClass::CrossConnect,
        owner: Owner::Customer,
        delay: None,
        jitter: Duration::ZERO,
        loss_ppm: 0,
        rate_bps: None,
        mtu: 1500,
    }
}

fn blueprint(options: &Options) -> Result<Blueprint> {
    let peer = (PEER_ADDRESS, PEER_ASN);
    let bgp = instance(OUR_ASN, OUR_ADDRESS, OUR_PREFIX, peer, options)?;
    let router = router(0x10, Tagging::Untagged, "192.0.2.1/30", "10.1.0.1/24", bgp)?;
    let mut blueprint = Blueprint::default();
    let router = node(Role::CustomerEdge, NodeKind::Router(Box::new(router)));
    blueprint.nodes.insert("router".into(), router);
    let host = host(0x20, "10.1.0.9/24", "10.1.0.1")?;
    blueprint.nodes.insert("host".into(), host);
    let lan = link(("router", "lan"), ("host", "eth0"));
    blueprint.links.insert("lan".into(), lan);
    Ok(blueprint)
}

/// Our world in real time on a TAP device.
#[derive(Debug)]
pub(crate) struct Ours {
    pub(crate) world: World<AnyNode>,
    cable: Cable,
    start: Clock,
    pacer: Pacer,
    /// How often, and by how much in all, the world's clock has slipped since nobody drove it in time.
    pub(crate) slips: (u32, Duration),
    capture: CaptureId,
    /// Everything that was reported, with its time.
    pub(crate) events: Vec<(Instant, NodeEvent)>,
}

impl Ours {
    /// Builds the world and plugs its router into `cable`.
    pub(crate) fn start(cable: Cable, options: &Options) -> Result<Self> {
        let mut world = World::new(blueprint(options)?, 7)
            .map_err(|faults| anyhow!("the blueprint has faults: {faults:?}"))?;
        let (node, port) = wan();
        world.open_external(&node, &port)?;
        let capture = world.start_capture(CapturePoint::Port { node, port }, 1 << 16)?;
        Ok(Self {
            world,
            cable,
            start: Clock::now(),
            pacer: Pacer::new(),
            slips: (0, Duration::ZERO),
            capture,
            events: Vec::new(),
        })
    }

    /// The world's time.
    pub(crate) const fn now(&self) -> Instant {
        self.world.now()
    }

    /// Runs until `reached` holds, at most `budget`; false when time ran out.
    pub(crate) fn run(
        &mut self,
        budget: Duration,
        mut reached: impl FnMut(&Self) -> bool,
    ) -> Result<bool> {
        let until = self.start.elapsed() + budget;
        loop {
            self.turn()?;
            if reached(self) {
                return Ok(true);
            }
            let elapsed = self.start.elapsed();
            if elapsed >= until {
                return Ok(false);
            }
            let left = until - elapsed;
            let asked = self.pacer.sleep(elapsed, self.world.poll_timeout());
            self.cable.wait(asked.unwrap_or(left).min(left))?;
        }
    }

    /// One turn, as the driver of a live lab does it: what has come in, some of what is due, what goes
    /// out.
    fn turn(&mut self) -> Result<()> {
        let (now, slip) = self.pacer.wake(self.start.elapsed());
        if let Some(slip) = slip {
            self.slips = (self.slips.0 + 1, self.slips.1 + slip);
        }
        let mut frames = Vec::new();
        self.cable.receive(&mut frames)?;
        if !frames.is_empty() {
            let (node, port) = wan();
            self.world.approach(now);
            self.world.inject(&node, &port, &mut frames)?;
        }
        let began = Clock::now();
        while self.world.advance_some(now, STEPS) && began.elapsed() < TURN_MAX {}
        while let Some(out) = self.world.poll_external() {
            self.cable.send(&out.frame)?;
        }
        while let Some(event) = self.world.poll_event() {
            if let WorldEventKind::Node(what) = event.kind {
                self.events.push((event.at, what));
            }
        }
        Ok(())
    }

    /// The session's state.
    pub(crate) fn session(&self) -> SessionState {
        let peers = self.world.router(&"router".into()).map(|r| r.bgp());
        peers
            .and_then(|peers| peers.first().map(|peer| peer.state))
            .unwrap_or(SessionState::Idle)
    }

    /// How many prefixes of the peer we accept. FRR announces ours back to us, which we refuse since our
    /// AS is in their path (RFC 4271 §9.1.2).
    pub(crate) fn prefixes_accepted(&self) -> u32 {
        let peers = self.world.router(&"router".into()).map(|r| r.bgp());
        peers
            .and_then(|peers| peers.first().map(|peer| peer.prefixes_accepted))
            .unwrap_or_default()
    }

    /// BFD's state; `None` when it is not configured.
    pub(crate) fn bfd(&self) -> Option<SessionState> {
        let peers = self.world.router(&"router".into())?.bgp();
        peers.first().and_then(|peer| peer.bfd)
    }

    /// Whether our table holds the peer's prefix, learned by BGP.
    pub(crate) fn knows_peer_prefix(&self) -> bool {
        let router = self.world.router(&"router".into());
        router.is_some_and(|router| {
            let routes = router.bgp_routes("main", &"main".into());
            routes.iter().any(|route| {
                route.prefix.to_string() == PEER_PREFIX
                    && route.paths.iter().any(|path| path.peer.is_some())
            })
        })
    }

    /// One ping from our host to an address behind the peer.
    pub(crate) fn ping(&mut self, target: &str) -> Result<bool> {
        let id = ConnectionId(1);
        let seen = self.events.len();
        self.world.command(Command::Host {
            node: "host".into(),
            command: HostCommand::Echo {
                id,
                sequence: 1,
                target: target.parse()?,
                ttl: 64,
                payload_len: 56,
                dont_fragment: true,
                timeout: Duration::from_secs(3),
                trace: 0,
            },
        })?;
        self.run(Duration::from_secs(4), |ours| {
            ours.events[seen..]
                .iter()
                .any(|(_, event)| matches!(event, NodeEvent::EchoReply { .. }))
        })
    }

    /// When and why the session was lost after `since`.
    pub(crate) fn lost_after(&self, since: Instant) -> Option<(Duration, String)> {
        self.events.iter().find_map(|(at, event)| {
            let NodeEvent::Bgp {
                from: SessionState::Established,
                reason,
                ..
            } = event
            else {
                return None;
            };
            (*at >= since).then(|| (at.since(since), reason.clone()))
        })
    }

    /// Writes what crossed the port to a pcap file.
    pub(crate) fn write_capture(&mut self, path: &Path) -> Result<usize> {
        let take = self
            .world
            .take_capture(self.capture)
            .context("a running capture")?;
        fs::write(path, pcap_bytes(&take.frames, WallTime(0)))?;
        Ok(take.frames.len())
    }
}

fn wan() -> (NodeName, PortName) {
    ("router".into(), "wan".into())
}
