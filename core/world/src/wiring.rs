//! Adding, removing, starting and stopping nodes and links; what faults do to them.

use skybridge_blueprint::{Endpoint, Link, LinkName, NodeKind, NodeName};
use skybridge_nodes::PortIndex;

use crate::command::{CutMode, Element};
use crate::event::WorldEventKind;
use crate::link::{Carriage, LinkDrop, LinkIndex, LinkState};
use crate::slot::{Attachment, Buildable, NodeIndex, Slot};
use crate::world::World;

impl<N: Buildable> World<N> {
    /// The description of a node as it should run: the blueprint's, with sessions that are cut
    /// disabled, and with the faults of carriers.
    pub(crate) fn effective_spec(&self, name: &NodeName) -> Option<NodeKind> {
        let mut kind = self.blueprint.nodes.get(name)?.kind.clone();
        if let NodeKind::Switch(switch) = &mut kind {
            self.add_carrier_faults(name, switch);
        }
        let NodeKind::Router(router) = &mut kind else {
            return Some(kind);
        };
        let node_element = Element::Node(name.clone());
        let all = self.faults.get(&node_element) == Some(&CutMode::Admin);
        for (instance, bgp) in &mut router.bgp {
            for (peer, description) in &mut bgp.peers {
                let element = Element::Session {
                    node: name.clone(),
                    instance: instance.clone(),
                    peer: peer.clone(),
                };
                if all || self.faults.contains_key(&element) {
                    description.enabled = false;
                }
            }
        }
        Some(kind)
    }

    fn build(&self, name: &NodeName, boots: u64) -> Option<N> {
        let spec = self.effective_spec(name)?;
        let seed = self.rng.child(&format!("node/{name}/{boots}")).next_u64();
        Some(N::build(self.now, name, &spec, seed))
    }

    pub(crate) fn add_node(&mut self, name: &NodeName) {
        let index = NodeIndex(u32::try_from(self.slots.len()).expect("fewer than 2^32 nodes"));
        self.slots.push(Some(Slot {
            name: name.clone(),
            node: None,
            boots: 0,
            ports: Vec::new(),
            external: Vec::new(),
            deadline: None,
        }));
        self.node_index.insert(name.clone(), index);
        self.start_node(index);
    }

    pub(crate) fn remove_node(&mut self, name: &NodeName) {
        if let Some(index) = self.node_index.remove(name) {
            self.arm(index, None);
            self.graces.retain(|(_, node)| node != name);
            self.admin_down.remove(name);
            if let Some(slot) = self.slots.get_mut(index.0 as usize) {
                *slot = None;
            }
        }
    }

    /// Starts a stopped node, empty, and tells it about its links. Does nothing when it is cut.
    pub(crate) fn start_node(&mut self, index: NodeIndex) {
        let Some(slot) = self.slot(index) else {
            return;
        };
        let (name, boots) = (slot.name.clone(), slot.boots);
        if slot.node.is_some() || self.node_cut(&name).is_some() {
            return;
        }
        let Some(node) = self.build(&name, boots) else {
            return;
        };
        let external = slot.external.clone();
        let links: Vec<(LinkIndex, usize)> = attached_links(slot).collect();
        self.rewired();
        if let Some(slot) = self.slot_mut(index) {
            slot.node = Some(node);
            slot.boots += 1;
            slot.ports.clear();
        }
        if boots > 0 {
            self.report(Some(name), WorldEventKind::Started);
        }
        // A fresh node may number its ports differently.
        for &(link, side) in &links {
            self.join_end(index, link, side);
        }
        for port in external {
            self.raise_external(index, &port);
        }
        self.raise_outside(index);
        // Arms the first timer even when nothing is attached.
        self.visit(index, |_, _, _| {});
        for (link, _) in links {
            self.refresh_link(link);
        }
    }

    /// Stops a node; its state is lost. Its neighbours see what its fault lets them see.
    pub(crate) fn stop_node(&mut self, index: NodeIndex) {
        let Some(slot) = self.slot_mut(index) else {
            return;
        };
        if slot.node.take().is_none() {
            return;
        }
        let name = slot.name.clone();
        let links: Vec<(LinkIndex, usize)> = attached_links(slot).collect();
        self.rewired();
        self.arm(index, None);
        self.report(Some(name), WorldEventKind::Stopped);
        for (index, side) in links {
            if let Some(link) = self
                .links
                .get_mut(index.0 as usize)
                .and_then(Option::as_mut)
            {
                link.seen_up[side] = false;
            }
            self.refresh_link(index);
        }
    }

    /// Stops a node, shows its neighbours that it went, and starts it again.
    pub(crate) fn restart_node(&mut self, index: NodeIndex) {
        let Some(name) = self.slot(index).map(|slot| slot.name.clone()) else {
            return;
        };
        self.faults
            .insert(Element::Node(name.clone()), CutMode::LinkDown);
        self.stop_node(index);
        self.refresh_links_of(index);
        self.faults.remove(&Element::Node(name));
        self.start_node(index);
        self.refresh_links_of(index);
    }

    pub(crate) fn add_link(&mut self, name: &LinkName, properties: &Link) {
        let index = LinkIndex(u32::try_from(self.links.len()).expect("fewer than 2^32 links"));
        let end = |endpoint: &Endpoint| {
            let node = self.node_index.get(&endpoint.node).copied();
            node.map(|node| (node, PortIndex(u16::MAX)))
        };
        let (Some(a), Some(b)) = (end(&properties.a), end(&properties.b)) else {
            return;
        };
        let state = LinkState::new(name.clone(), properties.clone(), [a, b], &self.rng);
        self.links.push(Some(state));
        self.link_index.insert(name.clone(), index);
        self.join_end(a.0, index, 0);
        self.join_end(b.0, index, 1);
        self.refresh_link(index);
    }

    /// Connects end `side` of a link to the port that its endpoint names. A stopped node learns of it
    /// when it starts, by an attachment under a number that no running node uses.
    fn join_end(&mut self, node: NodeIndex, index: LinkIndex, side: usize) {
        let Some(link) = self.link(index) else {
            return;
        };
        let name = link.sender(side).port.clone();
        let Some(slot) = self.slot_mut(node) else {
            return;
        };
        let port = match &slot.node {
            Some(running) => running.port_index(&name),
            None => u16::try_from(slot.ports.len()).ok().map(PortIndex),
        };
        let Some(port) = port else {
            return;
        };
        slot.attach(port, Attachment::Link(index, side));
        if let Some(link) = self
            .links
            .get_mut(index.0 as usize)
            .and_then(Option::as_mut)
        {
            link.ends[side] = (node, port);
        }
    }

    pub(crate) fn remove_link(&mut self, name: &LinkName) {
        let Some(index) = self.link_index.remove(name) else {
            return;
        };
        self.set_carriage(index, [Carriage::Down; 2]);
        self.show_link(index, false);
        let Some(link) = self.links.get_mut(index.0 as usize).and_then(Option::take) else {
            return;
        };
        for (node, port) in link.ends {
            if let Some(slot) = self.slot_mut(node) {
                slot.attach(port, Attachment::Open);
            }
        }
    }

    /// How a node is cut in effect; an administrative cut counts once its grace has ended.
    fn node_cut(&self, name: &NodeName) -> Option<Carriage> {
        match self.faults.get(&Element::Node(name.clone()))? {
            CutMode::LinkDown => Some(Carriage::Down),
            CutMode::Silent => Some(Carriage::Swallows),
            CutMode::Admin => self.admin_down.contains(name).then_some(Carriage::Down),
            CutMode::OneWay { .. } | CutMode::Session => None,
        }
    }

    /// Brings a node in line with its faults: stops, starts or leaves it.
    pub(crate) fn refresh_node(&mut self, index: NodeIndex) {
        let Some(name) = self.slot(index).map(|slot| slot.name.clone()) else {
            return;
        };
        if self.node_cut(&name).is_some() {
            self.stop_node(index);
        } else {
            self.start_node(index);
        }
        self.refresh_links_of(index);
    }

    pub(crate) fn refresh_links_of(&mut self, index: NodeIndex) {
        let Some(slot) = self.slot(index) else {
            return;
        };
        let links: Vec<LinkIndex> = attached_links(slot).map(|(link, _)| link).collect();
        for link in links {
            self.refresh_link(link);
        }
    }

    /// Brings a link in line with the faults that touch it.
    pub(crate) fn refresh_link(&mut self, index: LinkIndex) {
        let Some(link) = self.link(index) else {
            return;
        };
        let mut carriage = [Carriage::Carries; 2];
        let worsen = |carriage: &mut [Carriage; 2], by: [Carriage; 2]| {
            for (have, new) in carriage.iter_mut().zip(by) {
                *have = match (*have, new) {
                    (Carriage::Down, _) | (_, Carriage::Down) => Carriage::Down,
                    (Carriage::Swallows, _) | (_, Carriage::Swallows) => Carriage::Swallows,
                    (Carriage::Carries, Carriage::Carries) => Carriage::Carries,
                };
            }
        };
        if let Some(mode) = self.faults.get(&Element::Link(link.name.clone())) {
            worsen(&mut carriage, carriage_under(mode, link));
        }
        for end in [&link.properties.a, &link.properties.b] {
            let element = Element::Port {
                node: end.node.clone(),
                port: end.port.clone(),
            };
            if let Some(mode) = self.faults.get(&element) {
                worsen(&mut carriage, carriage_under(mode, link));
            }
            if let Some(cut) = self.node_cut(&end.node) {
                worsen(&mut carriage, [cut; 2]);
            }
        }
        let mut circuits = [Vec::new(), Vec::new()];
        for (element, mode) in &self.faults {
            if let Element::Circuit { link: name, s_tag } = element
                && *name == link.name
            {
                for (side, cut) in carriage_under(mode, link).into_iter().enumerate() {
                    if cut != Carriage::Carries {
                        circuits[side].push(*s_tag);
                    }
                }
            }
        }
        if let Some(link) = self
            .links
            .get_mut(index.0 as usize)
            .and_then(Option::as_mut)
        {
            for (direction, cut) in link.directions.iter_mut().zip(circuits) {
                direction.cut_circuits = cut;
            }
        }
        self.set_carriage(index, carriage);
        self.show_link(index, carriage[0] != Carriage::Down);
    }

    /// Frames under way are lost with the direction they are on.
    fn set_carriage(&mut self, index: LinkIndex, carriage: [Carriage; 2]) {
        let Some(link) = self
            .links
            .get_mut(index.0 as usize)
            .and_then(Option::as_mut)
        else {
            return;
        };
        for (side, new) in carriage.into_iter().enumerate() {
            let direction = &mut link.directions[side];
            if direction.carriage == new {
                continue;
            }
            direction.carriage = new;
            self.flows.wiring += 1;
            let reason = match new {
                Carriage::Carries => continue,
                Carriage::Swallows => LinkDrop::Cut,
                Carriage::Down => LinkDrop::LinkDown,
            };
            if let Some((at, sequence)) = direction.head() {
                self.arrivals.remove(&(at, sequence, index, side));
            }
            direction.lose_flight(reason);
        }
    }

    /// Tells the nodes at the ends that the link is up or down, where they do not know yet.
    fn show_link(&mut self, index: LinkIndex, up: bool) {
        let Some(link) = self.link(index) else {
            return;
        };
        let name = link.name.clone();
        let mut changed = false;
        for side in 0..2 {
            let Some(link) = self.link(index) else {
                return;
            };
            let (node, port) = link.ends[side];
            let running = self.slot(node).is_some_and(|slot| slot.node.is_some());
            if link.seen_up[side] == (up && running) {
                continue;
            }
            if let Some(link) = self
                .links
                .get_mut(index.0 as usize)
                .and_then(Option::as_mut)
            {
                link.seen_up[side] = up && running;
            }
            changed = true;
            self.visit(node, |node, now, out| {
                node.handle_link(now, port, up, out);
            });
        }
        if changed && let Some([a_up, b_up]) = self.link(index).map(|link| link.seen_up) {
            let link = name;
            self.report(None, WorldEventKind::Link { link, a_up, b_up });
        }
    }
}

fn attached_links<N>(slot: &Slot<N>) -> impl Iterator<Item = (LinkIndex, usize)> + '_ {
    slot.ports.iter().filter_map(|attachment| match attachment {
        Attachment::Link(link, side) => Some((*link, *side)),
        Attachment::Open | Attachment::External => None,
    })
}

/// What a cut in this mode does to the two directions of a link.
fn carriage_under(mode: &CutMode, link: &LinkState) -> [Carriage; 2] {
    match mode {
        CutMode::LinkDown | CutMode::Admin => [Carriage::Down; 2],
        CutMode::Silent => [Carriage::Swallows; 2],
        CutMode::OneWay { towards } => [0, 1].map(|side| {
            if link.receiver(side).node == *towards {
                Carriage::Swallows
            } else {
                Carriage::Carries
            }
        }),
        CutMode::Session => [Carriage::Carries; 2],
    }
}
