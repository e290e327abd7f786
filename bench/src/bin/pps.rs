//! Packets per second of one core through six routers in memory: `cargo xtask bench pps`.
//!
//! Six routers in a row joined by double-tagged links, forwarding in a VRF, with a stateful network
//! security group of 21 rules where packets enter and another where they leave. Packets are 64 or 1,500
//! octets of IP, UDP, in batches of 32, of one flow or of 1,024; buffers are reused, as a driver does it.
//! Ways through the world:
//!
//! - `hit`: established flows whose way the flow cache knows;
//! - `no cache`: the same flows with the cache off;
//! - `miss`: the same flows, but every way is forgotten before it is used again, so that every packet is
//!   judged by six routers and its way recorded anew;
//! - `new`: every packet opens a flow at both groups;
//! - `traced`, `traced, no cache`: as `hit` and `no cache`, every frame on every link in the trace hash, as
//!   simulations run;
//! - `routers`: the six routers called one after the other, without a world.
//!
//! Then the same with groups of 1,000 rules, as a ratio. `-- SECONDS` changes how long a round lasts,
//! `-- SECONDS WAY` measures one way only, for a profiler.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    reason = "a command-line tool talks on its standard streams"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use skybridge_base::{Instant, MacAddr, VlanId};
use skybridge_blueprint::{
    Access, AddressSet, Blueprint, Endpoint, Filter, Interface, Link, LinkClass, NextHop, Node,
    NodeKind, NodeName, Owner, Port, Protocol, Role, RouteSource, Router as Spec, Rule, RuleSet,
    RuleSetMode, StaticRoute, Tagging, Tracking, Vrf,
};
use skybridge_nodes::{Node as _, Outbox, Router};
use skybridge_wire::ipv4::Ipv4Repr;
use skybridge_wire::{EtherType, EthernetRepr, Frame, Tags, arp, ethernet, protocol};
use skybridge_world::{ExternalPort, World};

const HOPS: usize = 6;
const BATCH: usize = 32;
const ROUNDS: usize = 5;
const STATION: MacAddr = MacAddr::local(900);
/// Rules of the security groups: as few as usual, and as many as Azure allows (`data/azure`).
const RULES: [u16; 2] = [21, 1000];

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Hit,
    NoCache,
    Miss,
    New,
    Traced,
    TracedNoCache,
    Routers,
}

impl Way {
    const ALL: [Self; 7] = [
        Self::Hit,
        Self::NoCache,
        Self::Miss,
        Self::New,
        Self::Traced,
        Self::TracedNoCache,
        Self::Routers,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::NoCache => "no cache",
            Self::Miss => "miss",
            Self::New => "new",
            Self::Traced => "traced",
            Self::TracedNoCache => "traced, no cache",
            Self::Routers => "routers",
        }
    }

    const fn flows(self) -> &'static [u16] {
        match self {
            Self::Miss => &[1024],
            Self::New => &[u16::MAX],
            Self::Hit | Self::NoCache | Self::Traced | Self::TracedNoCache | Self::Routers => {
                &[1, 1024]
            }
        }
    }
}

fn main() -> Result<()> {
    let seconds = std::env::args().nth(1).map(|text| text.parse());
    let lasts = Duration::from_secs_f64(seconds.transpose()?.unwrap_or(2.0));
    println!(
        "six hops, tags, VRF, two security groups of {} rules; median of {ROUNDS} rounds of {} s of \
         CPU time, one core",
        RULES[0],
        lasts.as_secs_f64()
    );
    let only = std::env::args().nth(2);
    let wanted = |way: Way| only.as_ref().is_none_or(|only| only == way.label());
    ensure!(
        Way::ALL.into_iter().any(wanted),
        "a way is one of {:?}",
        Way::ALL.map(Way::label)
    );
    for len in [64, 1500] {
        for way in Way::ALL.into_iter().filter(|way| wanted(*way)) {
            for flows in way.flows() {
                let rates = rates(way, len, *flows, RULES[0], lasts)?;
                let rate = rates[ROUNDS / 2];
                println!(
                    "{:17} {len:5} octets {flows:5} flows: {rate:10.0} packets/s, {:5.0} ns a packet \
                     (rounds {:.0} to {:.0})",
                    way.label(),
                    1e9 / rate,
                    rates[0],
                    rates[ROUNDS - 1],
                );
            }
        }
    }
    if only.is_some() {
        return Ok(());
    }
    println!("groups of {} rules, 64 octets", RULES[1]);
    for way in [Way::Hit, Way::NoCache, Way::New] {
        let flows = way.flows()[0];
        let [few, many] = [RULES[0], RULES[1]].map(|rules| rates(way, 64, flows, rules, lasts));
        let (few, many) = (few?[ROUNDS / 2], many?[ROUNDS / 2]);
        println!(
            "{:17} {many:10.0} packets/s, {:.2} of the rate with {} rules",
            way.label(),
            many / few,
            RULES[0]
        );
    }
    Ok(())
}

/// The rates of every round, in order of size.
fn rates(way: Way, len: usize, flows: u16, rules: u16, lasts: Duration) -> Result<Vec<f64>> {
    let packets = packets(len, flows);
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        rates.push(if way == Way::Routers {
            through_routers(&packets, rules, lasts)?
        } else {
            Bench::new(way, rules, &packets[0])?.run(&packets, lasts)?
        });
    }
    rates.sort_by(f64::total_cmp);
    Ok(rates)
}

/// CPU time of this process: what others do on the machine counts little.
#[cfg(unix)]
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Wall time, where the system's CPU time has no portable name.
#[cfg(not(unix))]
fn cpu_time() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

/// Packets from outside to the far side, `flows` different source ports in turn.
fn packets(len: usize, flows: u16) -> Vec<Frame> {
    let header = EthernetRepr {
        dst: mac(0, "in"),
        src: STATION,
        tags: Tags::Untagged,
        ethertype: EtherType::IPV4,
    };
    let count = usize::from(flows).max(BATCH).div_ceil(BATCH) * BATCH;
    (0..count)
        .map(|n| {
            let payload = len - 28;
            let source_port = u16::try_from(n % usize::from(flows)).unwrap_or_default();
            let ip = Ipv4Repr::new(
                [10, 1, 0, 9].into(),
                [10, 2, 0, 9].into(),
                protocol::UDP,
                payload + 8,
            );
            let mut bytes = ip.to_bytes().to_vec();
            bytes.extend_from_slice(&source_port.to_be_bytes());
            bytes.extend_from_slice(&1521_u16.to_be_bytes());
            bytes.extend_from_slice(&u16::try_from(payload + 8).unwrap_or_default().to_be_bytes());
            // No checksum, which IPv4 allows (RFC 768, "Fields").
            bytes.extend_from_slice(&[0, 0]);
            bytes.resize(len, 0xab);
            let mut frame = Frame::with_headroom(&bytes);
            header.push(&mut frame);
            frame
        })
        .collect()
}

/// A world with a port at either end.
struct Bench {
    world: World,
    way: Way,
    now: Instant,
    enters: ExternalPort,
    leaves: ExternalPort,
    out: Vec<(ExternalPort, Frame)>,
}

impl Bench {
    /// Neighbours are resolved, the last of them outside.
    fn new(way: Way, rules: u16, first_packet: &Frame) -> Result<Self> {
        let mut world = World::new(blueprint(rules)?, 7)
            .map_err(|faults| anyhow!("the blueprint has faults: {faults:?}"))?;
        world.set_tracing(matches!(way, Way::Traced | Way::TracedNoCache));
        world.set_flow_cache(!matches!(way, Way::NoCache | Way::TracedNoCache));
        let ends = [(name(0), "in".into()), (name(HOPS - 1), "out".into())];
        for (node, port) in &ends {
            world.open_external(node, port)?;
        }
        let [enters, leaves] = ends.map(|(node, port)| world.external_port(&node, &port));
        let mut bench = Self {
            world,
            way,
            now: Instant::from_millis(10),
            enters: enters?,
            leaves: leaves?,
            out: Vec::new(),
        };
        bench
            .world
            .inject_at(bench.enters, &mut vec![first_packet.clone()]);
        while bench.now < Instant::from_secs(1) {
            bench.advance(Duration::from_millis(1));
            for (_, frame) in std::mem::take(&mut bench.out) {
                let mut answers: Vec<_> = answer(&frame).into_iter().collect();
                bench.world.inject_at(bench.leaves, &mut answers);
            }
        }
        Ok(bench)
    }

    fn advance(&mut self, by: Duration) {
        self.now += by;
        self.world.advance(self.now);
        self.world.drain_external(&mut self.out);
    }

    /// Packets a second of CPU time.
    fn run(&mut self, packets: &[Frame], lasts: Duration) -> Result<f64> {
        // So slow that of flows that are used once no more than a table holds are remembered.
        let pace = if self.way == Way::New {
            Duration::from_millis(10)
        } else {
            Duration::from_micros(1)
        };
        let (mut sent, mut arrived, mut at) = (0_u64, 0_u64, 0);
        let (mut spare, mut batch) = (Vec::new(), Vec::new());
        let start = cpu_time();
        while cpu_time() - start < lasts {
            for _ in 0..64 {
                for packet in &packets[at..at + BATCH] {
                    let mut frame: Frame = spare.pop().unwrap_or_default();
                    frame.refill(packet.bytes());
                    batch.push(frame);
                }
                at = (at + BATCH) % packets.len();
                if at == 0 && self.way == Way::Miss {
                    self.world.forget_ways();
                }
                sent += BATCH as u64;
                self.world.inject_at(self.enters, &mut batch);
                self.advance(pace);
                for (port, frame) in self.out.drain(..) {
                    arrived += u64::from(port == self.leaves);
                    spare.push(frame);
                }
            }
        }
        let spent = cpu_time() - start;
        ensure!(sent == arrived, "{sent} packets sent, {arrived} arrived");
        let hits = self.world.flow_cache().hits;
        let may_miss = 20 * packets.len() as u64;
        let uses_cache = matches!(self.way, Way::Hit | Way::Traced);
        ensure!(
            !uses_cache || hits + may_miss >= sent,
            "{hits} of {sent} packets were hits"
        );
        Ok(arrived as f64 / spent.as_secs_f64())
    }
}

fn through_routers(packets: &[Frame], rules: u16, lasts: Duration) -> Result<f64> {
    let mut routers = Vec::new();
    for at in 0..HOPS {
        routers.push(Router::new(name(at).as_str(), &spec(at, rules)?, 7));
    }
    let ports = routers
        .iter()
        .map(|router| {
            let port = |name: &str| router.port_index(&name.into()).context("a port");
            Ok((port("in")?, port("out")?))
        })
        .collect::<Result<Vec<_>>>()?;
    let now = Instant::from_secs(1);
    let mut out = Outbox::default();
    for (router, (inward, outward)) in routers.iter_mut().zip(&ports) {
        router.handle_link(now, *inward, true, &mut out);
        router.handle_link(now, *outward, true, &mut out);
        out.frames.clear();
    }
    // The first packet waits at each router for its neighbour, whose answer lets it go.
    let mut frames = vec![packets[0].clone()];
    for at in 0..HOPS {
        routers[at].handle_frames(now, ports[at].0, &mut frames, &mut out);
        let requests: Vec<Frame> = out.frames.drain(..).map(|(_, frame)| frame).collect();
        let mut answers = Vec::new();
        for request in &requests {
            if at + 1 < HOPS {
                routers[at + 1].handle_frames(
                    now,
                    ports[at + 1].0,
                    &mut vec![request.clone()],
                    &mut out,
                );
                answers.extend(out.frames.drain(..).map(|(_, frame)| frame));
            } else {
                answers.extend(answer(request));
            }
        }
        routers[at].handle_frames(now, ports[at].1, &mut answers, &mut out);
        frames = out.frames.drain(..).map(|(_, frame)| frame).collect();
        ensure!(frames.len() == 1, "hop {at} does not resolve its neighbour");
    }
    let (mut sent, mut arrived, mut next) = (0_u64, 0_u64, 0);
    let (mut spare, mut batch) = (Vec::<Frame>::new(), Vec::new());
    let start = cpu_time();
    while cpu_time() - start < lasts {
        for _ in 0..64 {
            for packet in &packets[next..next + BATCH] {
                let mut frame = spare.pop().unwrap_or_default();
                frame.refill(packet.bytes());
                batch.push(frame);
            }
            next = (next + BATCH) % packets.len();
            sent += BATCH as u64;
            for (router, (inward, _)) in routers.iter_mut().zip(&ports) {
                router.handle_frames(now, *inward, &mut batch, &mut out);
                batch.extend(out.frames.drain(..).map(|(_, frame)| frame));
            }
            arrived += batch.len() as u64;
            spare.append(&mut batch);
        }
    }
    let spent = cpu_time() - start;
    ensure!(sent == arrived, "{sent} packets sent, {arrived} arrived");
    Ok(arrived as f64 / spent.as_secs_f64())
}

/// The station outside answers when it is asked for its address.
fn answer(frame: &Frame) -> Option<Frame> {
    let view = ethernet::parse(frame.bytes()).ok()?;
    if view.ethertype() != EtherType::ARP {
        return None;
    }
    let request = arp::parse(view.payload()).ok()?;
    let header = EthernetRepr {
        dst: view.src(),
        src: STATION,
        tags: view.tags(),
        ethertype: EtherType::ARP,
    };
    let mut answer = Frame::with_headroom(&request.reply(STATION).to_bytes());
    header.push(&mut answer);
    Some(answer)
}

fn blueprint(rules: u16) -> Result<Blueprint> {
    let mut blueprint = Blueprint::default();
    for at in 0..HOPS {
        let node = Node {
            owner: Owner::Provider,
            role: Role::ProviderEdge,
            location: String::new(),
            tenant: None,
            kind: NodeKind::Router(Box::new(spec(at, rules)?)),
        };
        blueprint.nodes.insert(name(at), node);
        if at > 0 {
            let end = |at: usize, port: &str| Endpoint {
                node: name(at),
                port: port.into(),
            };
            let link = Link {
                a: end(at - 1, "out"),
                b: end(at, "in"),
                class: LinkClass::CrossConnect,
                owner: Owner::Provider,
                delay: None,
                jitter: Duration::ZERO,
                loss_ppm: 0,
                rate_bps: None,
                mtu: 1500,
            };
            blueprint.links.insert(format!("link-{at}").into(), link);
        }
    }
    Ok(blueprint)
}

/// Router `at`: from link `at` to link `at + 1`, the outermost ends untagged and filtered.
fn spec(at: usize, rules: u16) -> Result<Spec> {
    let tags = |link: usize| -> Result<Tagging> {
        if link == 0 || link == HOPS {
            return Ok(Tagging::Untagged);
        }
        let id = |n: usize| VlanId::new(u16::try_from(n).unwrap_or_default()).context("a VLAN id");
        Ok(Tagging::QinQ {
            s_tag: id(100 + link)?,
            c_tag: id(200 + link)?,
        })
    };
    let interface = |port: &str, link: usize, host: u8| -> Result<Interface> {
        let address = match link {
            0 => "10.1.0.1/24".to_owned(),
            HOPS => "10.2.0.1/24".to_owned(),
            _ => format!("192.0.2.{}/30", link * 4 + usize::from(host)),
        };
        let is_edge = link == 0 || link == HOPS;
        Ok(Interface {
            port: port.into(),
            tagging: tags(link)?,
            vrf: "tenant".into(),
            addresses: vec![address.parse()?],
            connected_routes: true,
            mtu: 1500,
            proxy_arp: false,
            filter_in: (is_edge && port == "in").then(|| security_group(rules)),
            filter_out: (is_edge && port == "out").then(|| security_group(rules)),
            policer_in: None,
            policer_out: None,
            zone: None,
            source_check: None,
            tenant: None,
        })
    };
    let mut routes = Vec::new();
    if at + 1 < HOPS {
        routes.push(StaticRoute {
            prefix: "10.2.0.0/24".parse()?,
            next_hop: NextHop::Via {
                interface: "out".into(),
                address: format!("192.0.2.{}", (at + 1) * 4 + 2).parse()?,
            },
            preference: 1,
            source: RouteSource::User,
        });
    }
    let vrf = Vrf {
        routes,
        ecmp_max: 4,
        symmetric: false,
        label: "tenant".to_owned(),
    };
    Ok(Spec {
        ports: BTreeMap::from([
            ("in".into(), Port { mac: mac(at, "in") }),
            (
                "out".into(),
                Port {
                    mac: mac(at, "out"),
                },
            ),
        ]),
        interfaces: BTreeMap::from([
            ("in".into(), interface("in", at, 2)?),
            ("out".into(), interface("out", at + 1, 1)?),
        ]),
        vrfs: BTreeMap::from([("tenant".into(), vrf)]),
        ..Spec::default()
    })
}

/// Rules that do not match, then one that does.
fn security_group(rules: u16) -> Filter {
    let any = || AddressSet {
        prefixes: vec!["0.0.0.0/0".parse().expect("a prefix")],
        learned_in: None,
    };
    let rule = |name: String, protocols| Rule {
        name,
        access: Access::Allow,
        tracking: Tracking::Stateful,
        protocols,
        sources: any(),
        destinations: any(),
        unknown: false,
    };
    let mut rules: Vec<Rule> = (0..rules - 1)
        .map(|n| {
            let port = 1000 + n;
            let protocol = Protocol::Ports {
                number: 6,
                source: vec![],
                destination: vec![port..=port],
            };
            rule(format!("tcp-{port}"), vec![protocol])
        })
        .collect();
    rules.push(rule("all".to_owned(), vec![Protocol::Any]));
    Filter {
        sets: vec![RuleSet {
            name: "group".to_owned(),
            mode: RuleSetMode::FirstMatch,
            rules,
        }],
    }
}

fn name(at: usize) -> NodeName {
    format!("router-{at}").into()
}

fn mac(at: usize, port: &str) -> MacAddr {
    MacAddr::local(10 * (at as u64 + 1) + u64::from(port == "out"))
}
