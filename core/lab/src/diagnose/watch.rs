//! The seconds of probes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use skybridge_base::Instant;
use skybridge_blueprint::{External, Node, NodeKind, NodeName, PortName};
use skybridge_dataplane::DropReason;
use skybridge_diagnose::{Diagnosis, Packet as Asked};
use skybridge_world::{CaptureId, CapturePoint, CaptureTake, Command, NeighbourPing};

use super::paths::{self, Attached, Wire};
use super::see;
use super::target::{self, Target};
use crate::document::ErrorDocument;
use crate::lab::Lab;
use crate::probe::{Finished, Packet, ProbeId, ProbeSpec};

/// Between two rounds of probes.
const INTERVAL: Duration = Duration::from_millis(200);
/// Rounds of echo requests between neighbours: longer than a resolution that failed is held down.
const ROUNDS: u16 = 20;
/// Rounds in which the hosts probe too.
const HOST_ROUNDS: u16 = 10;
/// One round in so many has packets of full size.
const FULL_EVERY: u16 = 4;
/// How long a host waits for an answer.
const TIMEOUT: Duration = Duration::from_secs(2);
/// From the last round to the end.
const LINGER: Duration = Duration::from_millis(600);
/// Frames kept of a port.
const FRAMES_MAX: usize = 20_000;
/// Ports watched at most: an estate where two hosts have more between them is not looked at whole.
const PORTS_MAX: usize = 256;
/// Octets of data of a small echo request, as `ping` sends.
const SMALL: u16 = 56;
/// IPv4 and ICMP headers.
const HEADERS: u16 = 28;

/// A port.
pub(super) type PortKey = (NodeName, PortName);

/// A diagnosis under way.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(super) from: NodeName,
    pub(super) to: Target,
    pub(super) tcp: Option<u16>,
    pub(super) wires: Vec<Wire>,
    /// IP length of packets of full size between the hosts.
    pub(super) full_len: u16,
    pub(super) probes: Vec<(Asked, State)>,
    pub(super) unknown_tags: BTreeMap<PortKey, u64>,
    pub(super) seen: BTreeMap<PortKey, CaptureTake>,
    captures: BTreeMap<PortKey, CaptureId>,
    round: u16,
    next_at: Instant,
    /// Nobody waits for it any more; it ends as it would have, so that no capture is left.
    pub(crate) is_abandoned: bool,
}

#[derive(Debug)]
pub(super) enum State {
    UnderWay(ProbeId),
    Done(Finished),
}

impl Watch {
    /// Begins to watch.
    pub(crate) fn new(
        lab: &mut Lab,
        from: &str,
        to: &str,
        tcp: Option<u16>,
    ) -> Result<Self, ErrorDocument> {
        let from = target::asking(lab, from)?;
        let to = target::asked(lab, to)?;
        if to.ends.contains(&from) {
            return Err(ErrorDocument {
                message: format!("{from} is both ends"),
                help: Some("name two hosts".to_owned()),
                diagnostics: Vec::new(),
            });
        }
        let wires = paths::to_ends(lab, &from, &to.ends);
        let full_len = full_len(lab, &wires, (&from, &to));
        let mut watch = Self {
            from,
            to,
            tcp,
            wires,
            full_len,
            probes: Vec::new(),
            unknown_tags: BTreeMap::new(),
            seen: BTreeMap::new(),
            captures: BTreeMap::new(),
            round: 0,
            next_at: lab.now,
            is_abandoned: false,
        };
        watch.capture(lab);
        Ok(watch)
    }

    /// When to look again.
    pub(crate) const fn next_at(&self) -> Instant {
        self.next_at
    }

    /// Moves on; the answer at the end.
    pub(crate) fn pump(&mut self, lab: &mut Lab) -> Option<Diagnosis> {
        for (_, state) in &mut self.probes {
            if let State::UnderWay(id) = state
                && let Some(finished) = lab.probes.take(*id)
            {
                *state = State::Done(finished);
            }
        }
        if lab.now < self.next_at {
            return None;
        }
        if self.round < ROUNDS {
            self.send(lab);
            self.round += 1;
            let pause = if self.round == ROUNDS {
                LINGER
            } else {
                INTERVAL
            };
            self.next_at = lab.now + pause;
            return None;
        }
        for (port, id) in std::mem::take(&mut self.captures) {
            if let Some(take) = lab.network.world.stop_capture(id) {
                self.seen.insert(port, take);
            }
        }
        Some(skybridge_diagnose::diagnose(&see::observations(lab, self)))
    }

    fn capture(&mut self, lab: &mut Lab) {
        let mut ports: Vec<PortKey> = Vec::new();
        for (_, ends) in self.wires.iter().flat_map(|wire| &wire.links) {
            for end in ends {
                let key = (end.node.clone(), end.port.clone());
                if !ports.contains(&key) && ports.len() < PORTS_MAX {
                    ports.push(key);
                }
            }
        }
        // What a router of the user's own sends is seen before its port judges it.
        for end in self.to.ends.iter().filter(|_| self.to.is_behind) {
            ports.push((end.clone(), External::OUTSIDE.into()));
        }
        for (node, port) in ports {
            let before = unknown_tags(lab, &node, &port);
            self.unknown_tags
                .insert((node.clone(), port.clone()), before);
            let point = CapturePoint::Port {
                node: node.clone(),
                port: port.clone(),
            };
            // A node that the world does not have cannot be watched; nothing is known of it then.
            if let Ok(id) = lab.network.world.start_capture(point, FRAMES_MAX) {
                self.captures.insert((node, port), id);
            }
        }
    }

    fn send(&mut self, lab: &mut Lab) {
        let is_full = self.round % FULL_EVERY == FULL_EVERY - 1;
        for wire in &self.wires {
            let [a, b] = &wire.ends;
            for (near, far) in [(a, b), (b, a)] {
                let mtu = mtu(lab, near).min(mtu(lab, far));
                let payload_len = if is_full {
                    mtu.saturating_sub(HEADERS)
                } else {
                    SMALL
                };
                ping(lab, near, far, (self.round, payload_len));
            }
        }
        if self.round >= HOST_ROUNDS {
            return;
        }
        let echo = |ip_len: u16, is_full| {
            let packet = Packet::Echo {
                payload_len: ip_len.saturating_sub(HEADERS),
                dont_fragment: true,
            };
            (Asked::Echo { ip_len, is_full }, packet)
        };
        let mut packets = vec![echo(SMALL + HEADERS, false), echo(self.full_len, true)];
        packets.extend(self.tcp.map(|port| (Asked::Tcp(port), Packet::Tcp(port))));
        for (asked, packet) in packets {
            let spec = ProbeSpec {
                from: self.from.clone(),
                to: self.to.address,
                packet,
                sequence: self.round + 1,
                timeout: TIMEOUT,
                stop_at_drop: false,
            };
            let id = lab.probes.send(&mut lab.network.world, spec);
            self.probes.push((asked, State::UnderWay(id)));
        }
    }
}

/// Frames that no interface of a port, or no cross-connect, took for their tags, so far.
pub(super) fn unknown_tags(lab: &Lab, node: &NodeName, port: &PortName) -> u64 {
    if let Some(switch) = lab.network.world.switch(node) {
        let counters = switch.ports().find(|(name, _)| *name == port);
        return counters.map_or(0, |(_, port)| port.drops.count(DropReason::UnknownTags));
    }
    let Some(router) = lab.network.world.router(node) else {
        return 0;
    };
    let counters = router.counters();
    let drops = counters.port_drops.iter().find(|(name, _)| name == port);
    drops.map_or(0, |(_, drops)| drops.count(DropReason::UnknownTags))
}

/// The IP MTU of an end as it is configured.
pub(super) fn mtu(lab: &Lab, end: &Attached) -> u16 {
    let node = lab.network.compiled.blueprint.nodes.get(&end.node);
    match node.map(|n| &n.kind) {
        Some(NodeKind::Router(_) | NodeKind::External(_)) => (paths::router(lab, &end.node))
            .and_then(|router| router.interfaces.get(end.interface.as_ref()?))
            .map_or(1500, |interface| interface.mtu),
        Some(NodeKind::Host(host)) => host.mtu,
        Some(NodeKind::Switch(_)) | None => 1500,
    }
}

/// The longest packet that every interface on the way is configured for.
fn full_len(lab: &Lab, wires: &[Wire], (from, to): (&NodeName, &Target)) -> u16 {
    let on_way = wires
        .iter()
        .flat_map(|wire| &wire.ends)
        .map(|end| mtu(lab, end));
    let hosts = std::iter::once(from).chain(&to.ends).filter_map(|name| {
        let node = lab.network.compiled.blueprint.nodes.get(name)?;
        node.as_host().map(|host| host.mtu)
    });
    on_way.chain(hosts).min().unwrap_or(1500)
}

/// The first IPv4 address of an end.
pub(super) fn address(lab: &Lab, end: &Attached) -> Option<IpAddr> {
    let node = lab.network.compiled.blueprint.nodes.get(&end.node)?;
    let nets = match paths::router(lab, &end.node) {
        Some(router) => &router.interfaces.get(end.interface.as_ref()?)?.addresses,
        None => &node.as_host()?.addresses,
    };
    nets.iter().map(|net| net.addr()).find(IpAddr::is_ipv4)
}

/// Whom an end speaks to: its session's other end as it is configured there, else the neighbour's address.
pub(super) fn neighbour(lab: &Lab, near: &Attached, far: &Attached) -> Option<IpAddr> {
    let node = lab.network.compiled.blueprint.nodes.get(&near.node);
    let peers = (node.and_then(Node::as_router))
        .into_iter()
        .flat_map(|router| router.bgp.values().flat_map(|bgp| bgp.peers.values()));
    let mut on_interface = peers.filter(|peer| Some(&peer.interface) == near.interface.as_ref());
    on_interface
        .next()
        .map(|peer| peer.remote)
        .or_else(|| address(lab, far))
}

fn ping(lab: &mut Lab, near: &Attached, far: &Attached, (sequence, payload_len): (u16, u16)) {
    let node = lab.network.compiled.blueprint.nodes.get(&near.node);
    if node.and_then(Node::as_router).is_none() {
        return;
    }
    let is_host = |end: &Attached| end.interface.is_none();
    let (Some(interface), false) = (near.interface.clone(), is_host(far)) else {
        return;
    };
    let Some(neighbour) = neighbour(lab, near, far) else {
        return;
    };
    let command = Command::Ping {
        node: near.node.clone(),
        ping: NeighbourPing {
            interface,
            neighbour,
            sequence,
            payload_len,
        },
    };
    // A router that has gone meanwhile sends nothing, and that is what is seen.
    let _gone = lab.network.world.command(command).err();
}
