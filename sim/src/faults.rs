//! What a seed does to a network.

use std::time::Duration;

use skybridge_base::{Rng, VlanId};
use skybridge_blueprint::{Blueprint, LinkClass, NodeKind, NodeName, Secret, Tagging};
use skybridge_verify::elements;
use skybridge_world::{Command, CutMode, Element, TagFault, TagLevel, World};

/// Kinds of actions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Cuts a link: seen, silently, one way, by its operator.
    CutLink,
    /// Takes a node down: seen, silently, by its operator.
    CutNode,
    /// Loses one circuit on a cross-connect.
    CutCircuit,
    /// Closes a session.
    CutSession,
    /// A link goes down and up several times.
    Flap,
    /// A node starts again, empty.
    Restart,
    /// The provider changes a tag on a cross-connect to one that nobody uses.
    WrongTag,
    /// One end of a peering gets another key.
    WrongKey,
    /// One end of a peering gets another customer tag.
    WrongVlan,
    /// The second tenant goes, or comes back.
    Tenant,
    /// Mends one cut.
    HealOne,
    /// Mends everything.
    HealAll,
    /// Waits until routes have settled, and compares with the solver.
    Quiet,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::CutLink,
        Self::CutNode,
        Self::CutCircuit,
        Self::CutSession,
        Self::Flap,
        Self::Restart,
        Self::WrongTag,
        Self::WrongKey,
        Self::WrongVlan,
        Self::Tenant,
        Self::HealOne,
        Self::HealAll,
        Self::Quiet,
    ];
}

/// How a seed's run differs from others': some actions never happen, the rest are more or less likely.
#[derive(Clone, Debug)]
pub struct Swarm {
    weights: Vec<(Kind, u64)>,
    /// The longest pause between two actions.
    pub pause_max: Duration,
    /// Actions.
    pub actions: u32,
    /// Cuts at a time.
    pub cuts_max: usize,
}

impl Swarm {
    /// The swarm of a seed.
    #[must_use]
    pub fn new(rng: &mut Rng) -> Self {
        let weights = Kind::ALL.into_iter().map(|kind| {
            let is_off = rng.below(3) == 0;
            let weight = if is_off { 0 } else { 1 + rng.below(8) };
            // Without these a run shows little.
            let is_needed = matches!(kind, Kind::Quiet | Kind::HealOne);
            (kind, if is_needed { weight.max(2) } else { weight })
        });
        let weights = weights.collect();
        let pauses_ms = [50, 500, 5_000, 40_000];
        let pause_max = rng.choose(&pauses_ms).copied().unwrap_or(500);
        Self {
            weights,
            pause_max: Duration::from_millis(pause_max),
            actions: u32::try_from(8 + rng.below(16)).unwrap_or(8),
            cuts_max: usize::try_from(1 + rng.below(4)).unwrap_or(1),
        }
    }

    /// The next action.
    pub fn next(&self, rng: &mut Rng) -> Kind {
        let sum = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut at = rng.below(sum);
        for (kind, weight) in &self.weights {
            if at < *weight {
                return *kind;
            }
            at -= weight;
        }
        Kind::Quiet
    }
}

/// A cut of a link that can fail by itself.
pub(crate) fn cut_link(world: &World, rng: &mut Rng) -> Option<Command> {
    let links: Vec<Element> = elements(world.blueprint())
        .into_iter()
        .map(|(element, ..)| element)
        .filter(|element| matches!(element, Element::Link(_)))
        .collect();
    let element = rng.choose(&links)?.clone();
    let mode = match (rng.below(4), &element) {
        (0, _) => CutMode::LinkDown,
        (1, Element::Link(name)) => {
            let link = world.blueprint().links.get(name)?;
            let ends = [link.a.node.clone(), link.b.node.clone()];
            let towards = rng.choose(&ends)?.clone();
            CutMode::OneWay { towards }
        }
        (2, _) => CutMode::Admin,
        _ => CutMode::Silent,
    };
    Some(Command::Cut { element, mode })
}

/// A node that can fail by itself.
pub(crate) fn machine(world: &World, rng: &mut Rng) -> Option<NodeName> {
    let nodes: Vec<NodeName> = elements(world.blueprint())
        .into_iter()
        .filter_map(|(element, ..)| match element {
            Element::Node(node) => Some(node),
            Element::Link(_)
            | Element::Port { .. }
            | Element::Circuit { .. }
            | Element::Session { .. } => None,
        })
        .collect();
    rng.choose(&nodes).cloned()
}

pub(crate) fn cut_node(world: &World, rng: &mut Rng) -> Option<Command> {
    let modes = [CutMode::LinkDown, CutMode::Silent, CutMode::Admin];
    Some(Command::Cut {
        element: Element::Node(machine(world, rng)?),
        mode: rng.choose(&modes)?.clone(),
    })
}

/// A customer peering's interface: node, interface name.
fn peering(blueprint: &Blueprint, rng: &mut Rng) -> Option<Peering> {
    let mut all = Vec::new();
    for (node, description) in &blueprint.nodes {
        let Some(router) = description.as_router() else {
            continue;
        };
        for (instance, bgp) in &router.bgp {
            for (peer, spec) in &bgp.peers {
                let interface = router.interfaces.get(&spec.interface);
                if let Some(Tagging::QinQ { s_tag, c_tag }) = interface.map(|i| i.tagging) {
                    all.push(Peering {
                        node: node.clone(),
                        instance: instance.clone(),
                        peer: peer.clone(),
                        s_tag,
                        c_tag,
                    });
                }
            }
        }
    }
    rng.choose(&all).cloned()
}

#[derive(Clone, Debug)]
struct Peering {
    node: NodeName,
    instance: String,
    peer: String,
    s_tag: VlanId,
    c_tag: VlanId,
}

pub(crate) fn cut_session(world: &World, rng: &mut Rng) -> Option<Command> {
    let peering = peering(world.blueprint(), rng)?;
    let element = Element::Session {
        node: peering.node,
        instance: peering.instance,
        peer: peering.peer,
    };
    let mode = CutMode::Session;
    Some(Command::Cut { element, mode })
}

/// A cross-connect.
pub(crate) fn cross_connect(
    blueprint: &Blueprint,
    rng: &mut Rng,
) -> Option<skybridge_blueprint::LinkName> {
    let links = blueprint.links.iter();
    let crosses = links.filter(|(_, link)| link.class == LinkClass::CrossConnect);
    let names: Vec<_> = crosses.map(|(name, _)| name.clone()).collect();
    rng.choose(&names).cloned()
}

pub(crate) fn cut_circuit(world: &World, rng: &mut Rng) -> Option<Command> {
    let link = cross_connect(world.blueprint(), rng)?;
    let s_tag = peering(world.blueprint(), rng)?.s_tag;
    let element = Element::Circuit { link, s_tag };
    let mode = CutMode::Silent;
    Some(Command::Cut { element, mode })
}

pub(crate) fn wrong_tag(world: &World, rng: &mut Rng) -> Option<Command> {
    let link = cross_connect(world.blueprint(), rng)?;
    let peering = peering(world.blueprint(), rng)?;
    let (level, from) = if rng.below(2) == 0 {
        (TagLevel::Outer, peering.s_tag)
    } else {
        (TagLevel::Inner, peering.c_tag)
    };
    let to = VlanId::new(999)?;
    let fault = TagFault { level, from, to };
    Some(Command::SetTagFault { link, fault })
}

/// The blueprint with another key at one end of a peering.
pub(crate) fn wrong_key(blueprint: &Blueprint, rng: &mut Rng) -> Option<Blueprint> {
    let peering = peering(blueprint, rng)?;
    let mut wrong = blueprint.clone();
    let NodeKind::Router(router) = &mut wrong.nodes.get_mut(&peering.node)?.kind else {
        return None;
    };
    let peers = &mut router.bgp.get_mut(&peering.instance)?.peers;
    peers.get_mut(&peering.peer)?.md5 = Some(Secret::new("another".to_owned()));
    Some(wrong)
}

/// The blueprint with another customer tag at one end of a peering.
pub(crate) fn wrong_vlan(blueprint: &Blueprint, rng: &mut Rng) -> Option<Blueprint> {
    let peering = peering(blueprint, rng)?;
    let mut wrong = blueprint.clone();
    let NodeKind::Router(router) = &mut wrong.nodes.get_mut(&peering.node)?.kind else {
        return None;
    };
    let interface = router
        .bgp
        .get(&peering.instance)?
        .peers
        .get(&peering.peer)?;
    let interface = interface.interface.clone();
    router.interfaces.get_mut(&interface)?.tagging = Tagging::QinQ {
        s_tag: peering.s_tag,
        c_tag: VlanId::new(777)?,
    };
    Some(wrong)
}
