//! Packets per second of one core through six routers in memory: `cargo xtask bench pps`.
//!
//! Six routers in a row joined by double-tagged links, forwarding in a VRF, with a stateful network
//! security group of 21 rules where packets enter and another where they leave. Packets are 64 or 1,500
//! octets of IP, UDP, in batches of 32, of one flow or of 1,024. Three drivers:
//!
//! - `world`: through links and the event heap;
//! - `traced`: the same with every frame in the trace hash, as simulations run;
//! - `routers`: the same six routers called one after the other, which shows what the world costs.
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
use skybridge_world::World;

const HOPS: usize = 6;
const BATCH: usize = 32;
const ROUNDS: u32 = 5;
const ROUND_LASTS: Duration = Duration::from_secs(2);
const STATION: MacAddr = MacAddr::local(900);

fn main() -> Result<()> {
    println!(
        "six hops, tags, VRF, two security groups; median of {ROUNDS} rounds of 2 s of CPU time, one core"
    );
    for (len, flows) in [(64, 1), (64, 1024), (1500, 1), (1500, 1024)] {
        for (name, driver) in [
            (
                "world",
                (|p| through_world(p, false)) as fn(&[Frame]) -> Result<f64>,
            ),
            ("traced", |p| through_world(p, true)),
            ("routers", through_routers),
        ] {
            let packets = packets(len, flows);
            let mut rates = Vec::new();
            for _ in 0..ROUNDS {
                rates.push(driver(&packets)?);
            }
            rates.sort_by(f64::total_cmp);
            let rate = rates[rates.len() / 2];
            println!(
                "{name:8} {len:5} octets {flows:5} flows: {rate:10.0} packets/s, {:5.0} ns a packet, \
                 {:4.0} ns a hop (rounds {:.0} to {:.0})",
                1e9 / rate,
                1e9 / rate / HOPS as f64,
                rates[0],
                rates[rates.len() - 1],
            );
        }
    }
    Ok(())
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
    let count = usize::from(flows).max(BATCH);
    (0..count)
        .map(|n| {
            let payload = len - 28;
            let source_port = 20_000 + u16::try_from(n).unwrap_or_default() % flows;
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

fn through_world(packets: &[Frame], is_traced: bool) -> Result<f64> {
    let mut world = World::new(blueprint()?, 7)
        .map_err(|faults| anyhow!("the blueprint has faults: {faults:?}"))?;
    world.set_tracing(is_traced);
    let (first, last) = (name(0), name(HOPS - 1));
    world.open_external(&first, &"in".into())?;
    world.open_external(&last, &"out".into())?;
    // Neighbours are resolved on the way; the last is the station outside.
    let mut now = Instant::from_millis(10);
    world.inject(&first, &"in".into(), &mut vec![packets[0].clone()])?;
    while now < Instant::from_secs(1) {
        now += Duration::from_millis(1);
        world.advance(now);
        while let Some(out) = world.poll_external() {
            if let Some(answer) = answer(&out.frame) {
                world.inject(&last, &"out".into(), &mut vec![answer])?;
            }
        }
    }
    let port = "in".into();
    let (mut sent, mut arrived, mut at) = (0_u64, 0_u64, 0);
    let start = cpu_time();
    while cpu_time() - start < ROUND_LASTS {
        for _ in 0..64 {
            let mut batch = packets[at..at + BATCH].to_vec();
            at = (at + BATCH) % packets.len();
            sent += BATCH as u64;
            world.inject(&first, &port, &mut batch)?;
            now += Duration::from_micros(1);
            world.advance(now);
            while let Some(out) = world.poll_external() {
                arrived += u64::from(out.node == last);
            }
        }
    }
    let spent = cpu_time() - start;
    ensure!(sent == arrived, "{sent} packets sent, {arrived} arrived");
    Ok(arrived as f64 / spent.as_secs_f64())
}

fn through_routers(packets: &[Frame]) -> Result<f64> {
    let mut routers = Vec::new();
    for at in 0..HOPS {
        routers.push(Router::new(name(at).as_str(), &spec(at)?, 7));
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
    let start = cpu_time();
    while cpu_time() - start < ROUND_LASTS {
        for _ in 0..64 {
            let mut batch = packets[next..next + BATCH].to_vec();
            next = (next + BATCH) % packets.len();
            sent += BATCH as u64;
            for (router, (inward, _)) in routers.iter_mut().zip(&ports) {
                router.handle_frames(now, *inward, &mut batch, &mut out);
                batch.extend(out.frames.drain(..).map(|(_, frame)| frame));
            }
            arrived += batch.len() as u64;
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

fn blueprint() -> Result<Blueprint> {
    let mut blueprint = Blueprint::default();
    for at in 0..HOPS {
        let node = Node {
            owner: Owner::Provider,
            role: Role::ProviderEdge,
            location: String::new(),
            tenant: None,
            kind: NodeKind::Router(Box::new(spec(at)?)),
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
fn spec(at: usize) -> Result<Spec> {
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
            filter_in: (is_edge && port == "in").then(security_group),
            filter_out: (is_edge && port == "out").then(security_group),
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

/// Twenty rules that do not match, then one that does.
fn security_group() -> Filter {
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
    let mut rules: Vec<Rule> = (0..20_u16)
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
