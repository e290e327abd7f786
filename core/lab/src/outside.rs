//! Nodes with a world outside: which devices the driver is to hold, and the frames between it and the world.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use skybridge_base::Instant;
use skybridge_blueprint::{Device, External, Link, LinkName, NodeKind, NodeName};
use skybridge_wire::Frame;
use skybridge_world::{ExternalPort, World};

use crate::document::{Entrance, ErrorDocument};
use crate::lab::Lab;
use crate::names;
use crate::output::{ClientId, LabOutput, PortId, PortNews};

/// A node with a world outside.
#[derive(Debug)]
struct Open {
    id: PortId,
    port: ExternalPort,
    spec: External,
    state: State,
    /// The device shows a carrier.
    has_carrier: bool,
    /// Frames that the device lost, by reason.
    losses: Vec<(&'static str, u64)>,
}

#[derive(Debug)]
enum State {
    Awaited,
    Ready,
    Failed(String),
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    next: u64,
    open: BTreeMap<NodeName, Open>,
    by_id: BTreeMap<PortId, NodeName>,
    by_port: BTreeMap<ExternalPort, PortId>,
    /// The state of the network that was followed last.
    generation: u64,
    /// Frames on their way out of the world.
    leaving: Vec<(ExternalPort, Frame)>,
}

impl Outside {
    /// Asks the driver for what has come, changed or gone since the network's last `generation`.
    pub(crate) fn follow(
        &mut self,
        world: &World,
        generation: u64,
        outputs: &mut VecDeque<LabOutput>,
    ) {
        if self.generation == generation {
            return;
        }
        self.generation = generation;
        let nodes = &world.blueprint().nodes;
        let external = |name: &NodeName| match nodes.get(name).map(|node| &node.kind) {
            Some(NodeKind::External(spec)) => Some(&**spec),
            Some(NodeKind::Router(_) | NodeKind::Host(_) | NodeKind::Switch(_)) | None => None,
        };
        let gone: Vec<NodeName> = (self.open.iter())
            .filter(|(name, open)| {
                let port = world.external_port(name, &External::OUTSIDE.into());
                external(name).is_none_or(|spec| !is_same_device(spec, &open.spec))
                    || port.is_ok_and(|port| port != open.port)
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            if let Some(open) = self.open.remove(&name) {
                self.by_id.remove(&open.id);
                self.by_port.remove(&open.port);
                outputs.push_back(LabOutput::PortClose { id: open.id });
            }
        }
        for name in nodes.keys() {
            let Some(spec) = external(name) else {
                continue;
            };
            if let Some(open) = self.open.get_mut(name) {
                if open.spec != *spec {
                    open.spec = spec.clone();
                    let spec = Box::new(spec.clone());
                    outputs.push_back(LabOutput::PortChange { id: open.id, spec });
                }
            } else if let Ok(port) = world.external_port(name, &External::OUTSIDE.into()) {
                self.add(name, port, spec, outputs);
            }
        }
    }

    fn add(
        &mut self,
        name: &NodeName,
        port: ExternalPort,
        spec: &External,
        outputs: &mut VecDeque<LabOutput>,
    ) {
        self.next += 1;
        let id = PortId(self.next);
        let open = Open {
            id,
            port,
            spec: spec.clone(),
            state: State::Awaited,
            has_carrier: true,
            losses: Vec::new(),
        };
        self.open.insert(name.clone(), open);
        self.by_id.insert(id, name.clone());
        self.by_port.insert(port, id);
        outputs.push_back(LabOutput::PortOpen {
            id,
            spec: Box::new(spec.clone()),
        });
    }

    /// A link went up or down: the devices at its ends show it.
    pub(crate) fn note_link(
        &mut self,
        world: &World,
        link: &LinkName,
        outputs: &mut VecDeque<LabOutput>,
    ) {
        let (Some(spec), Some(view)) = (world.blueprint().links.get(link), world.link_state(link))
        else {
            return;
        };
        for (end, up) in [(&spec.a, view.a_up), (&spec.b, view.b_up)] {
            if let Some(open) = self.open.get_mut(&end.node)
                && open.spec.port() == &end.port
                && matches!(open.state, State::Ready)
                && open.has_carrier != up
            {
                open.has_carrier = up;
                outputs.push_back(LabOutput::PortCarrier { id: open.id, up });
            }
        }
    }

    /// News of a device.
    pub(crate) fn news(
        &mut self,
        world: &World,
        id: PortId,
        news: PortNews,
        outputs: &mut VecDeque<LabOutput>,
    ) {
        let Some(name) = self.by_id.get(&id).cloned() else {
            return;
        };
        let Some(open) = self.open.get_mut(&name) else {
            return;
        };
        match news {
            PortNews::Ready => {
                open.state = State::Ready;
                let links = &world.blueprint().links;
                let on = |link: &Link| link.a.node == name || link.b.node == name;
                for (link, _) in links.iter().filter(|(_, link)| on(link)) {
                    self.note_link(world, link, outputs);
                }
            }
            PortNews::Failed(why) => open.state = State::Failed(why),
            PortNews::Lost(losses) => open.losses = losses,
        }
    }

    /// The node of this name, or of the router in a namespace of this name.
    fn called(&self, wanted: &str) -> Option<NodeName> {
        let is_named = |open: &Open| match &open.spec {
            External::Attached(attached) => match &attached.device {
                Device::Namespace { name } => name == wanted,
                Device::Tap { .. } | Device::Packet { .. } | Device::Interface { .. } => false,
            },
            External::Namespace(_) => false,
        };
        let mut open = self.open.iter();
        let found = open.find(|(name, open)| name.as_str() == wanted || is_named(open));
        found.map(|(name, _)| name.clone())
    }

    /// True while the driver has not said of every device whether it is there.
    pub(crate) fn is_awaited(&self) -> bool {
        let mut open = self.open.values();
        open.any(|open| matches!(open.state, State::Awaited))
    }

    /// Nodes whose device is not to be had, and why.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&NodeName, &str)> {
        self.open
            .iter()
            .filter_map(|(name, open)| match &open.state {
                State::Failed(why) => Some((name, why.as_str())),
                State::Awaited | State::Ready => None,
            })
    }

    /// What the device of a node has lost.
    pub(crate) fn losses(&self, node: &NodeName) -> &[(&'static str, u64)] {
        self.open.get(node).map_or(&[], |open| &open.losses)
    }

    /// Frames from a device, in at `now`, before anything else that is due by then.
    pub(crate) fn take_in(&self, world: &mut World, id: PortId, frames: &mut Vec<Frame>) {
        match self.by_id.get(&id).and_then(|name| self.open.get(name)) {
            Some(open) => world.inject_at(open.port, frames),
            None => frames.clear(),
        }
    }

    /// Moves frames for devices to the end of `frames`. Those for a device that is not there are lost, as
    /// in a cable that nobody plugged in.
    pub(crate) fn give_out(&mut self, world: &mut World, frames: &mut Vec<(PortId, Frame)>) {
        world.drain_external(&mut self.leaving);
        let by_port = &self.by_port;
        let leaving = self.leaving.drain(..);
        frames.extend(leaving.filter_map(|(port, frame)| Some((*by_port.get(&port)?, frame))));
    }
}

/// True when a device goes on under a changed description.
fn is_same_device(new: &External, old: &External) -> bool {
    match (new, old) {
        (External::Namespace(_), External::Namespace(_)) => true,
        (External::Attached(new), External::Attached(old)) => new.device == old.device,
        (External::Namespace(_), External::Attached(_))
        | (External::Attached(_), External::Namespace(_)) => false,
    }
}

impl Lab {
    /// Frames that came from a device; `frames` is drained. They come in before timers that are due
    /// by `now`: a driver that is late must not expire what lies before it in the device.
    pub fn take_frames(&mut self, now: Instant, id: PortId, frames: &mut Vec<Frame>) {
        self.network.world.approach(now);
        self.outside.take_in(&mut self.network.world, id, frames);
    }

    /// Moves every frame for a device to the end of `frames`.
    pub fn give_frames(&mut self, frames: &mut Vec<(PortId, Frame)>) {
        self.outside.give_out(&mut self.network.world, frames);
    }

    /// News of a device.
    pub fn port(&mut self, now: Instant, id: PortId, news: PortNews) {
        self.advance(now);
        self.outside
            .news(&self.network.world, id, news, &mut self.outputs);
        self.work();
    }

    /// Lets a client into the namespace of a host.
    pub(crate) fn enter(&mut self, client: ClientId, host: &str) -> Result<(), ErrorDocument> {
        let node = match self.outside.called(host) {
            Some(node) => node,
            None => names::host(self, host)?,
        };
        let refusal = |message: String, help: &str| ErrorDocument {
            message,
            help: Some(help.to_owned()),
            diagnostics: Vec::new(),
        };
        let Some(open) = self.outside.open.get(&node) else {
            return Err(refusal(
                format!("{node} is a host inside the program, with no namespace to enter"),
                "end the lab with `skybridge down` and start it with `skybridge up DIR --hosts netns`",
            ));
        };
        match &open.state {
            State::Ready => {}
            State::Awaited => {
                return Err(refusal(
                    format!("the namespace of {node} is not ready yet"),
                    "try again in a moment",
                ));
            }
            State::Failed(why) => {
                let message = format!("{node} has no namespace: {why}");
                return Err(refusal(message, "see `skybridge status`"));
            }
        }
        let entrance = Entrance {
            host: node.to_string(),
            etc_hosts: etc_hosts(self, &node),
            pid: 0,
            descriptor: 0,
        };
        let id = open.id;
        self.push(LabOutput::Enter {
            client,
            id,
            entrance,
        });
        Ok(())
    }
}

/// The hosts of the network as hosts(5) writes them: node name, Terraform address, and its last part where
/// only one host has it.
fn etc_hosts(lab: &Lab, own: &NodeName) -> String {
    let mut text = String::from("127.0.0.1 localhost\n::1 localhost\n");
    let hosts = &lab.network.compiled.index.hosts;
    let named: Vec<(&NodeName, std::net::IpAddr, Option<String>)> = (hosts.iter())
        .map(|(name, host)| (name, host.address, names::origin(lab, &host.origin)))
        .collect();
    let short = |origin: &str| origin.rsplit('.').next().unwrap_or(origin).to_owned();
    for (name, address, origin) in &named {
        let mut words = vec![name.to_string()];
        if let Some(origin) = origin {
            words.push(origin.clone());
            let last = short(origin);
            let others = named
                .iter()
                .filter(|(_, _, o)| o.as_deref().map(short).as_ref() == Some(&last));
            if others.count() == 1 && !last.contains('[') {
                words.push(last);
            }
        }
        // hosts(5) separates by blanks and begins remarks with #.
        words.retain(|word| word.bytes().all(|b| b.is_ascii_graphic() && b != b'#'));
        let mut seen = BTreeSet::new();
        words.retain(|word| seen.insert(word.clone()));
        let remark = if *name == own { " # here" } else { "" };
        if !words.is_empty() {
            // Writing to a string cannot fail.
            writeln!(text, "{address} {}{remark}", words.join(" ")).ok();
        }
    }
    text
}
