//! What is broken, and what that means for links.

use std::collections::BTreeSet;

use skybridge_base::VlanId;
use skybridge_blueprint::{
    Blueprint, CarrierFault, CrossConnect, CrossConnectEnd, Endpoint, Interface, Link, LinkName,
    Machine, NodeName, PortName, ServicePoint, Switch, Tagging,
};

use crate::sessions::SessionId;

/// A set of broken elements. What is down is seen at once by its neighbours (routes over it go);
/// what is silent carries nothing, but routes that no session maintains stay.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Failures {
    /// Nodes that do not run; their links are down.
    pub nodes_down: BTreeSet<NodeName>,
    /// Nodes that do not run, while their links look up.
    pub nodes_silent: BTreeSet<NodeName>,
    /// Links that are down.
    pub links_down: BTreeSet<LinkName>,
    /// Links that carry nothing.
    pub links_silent: BTreeSet<LinkName>,
    /// Outer tags whose frames a link swallows.
    pub circuits: BTreeSet<(LinkName, VlanId)>,
    /// Sessions disabled at one end.
    pub sessions: BTreeSet<SessionId>,
}

impl Failures {
    /// Nothing is broken.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    pub(crate) fn runs(&self, node: &NodeName) -> bool {
        !self.nodes_down.contains(node) && !self.nodes_silent.contains(node)
    }

    /// The ends of the link see it up.
    fn looks_up(&self, name: &LinkName, link: &Link) -> bool {
        !self.links_down.contains(name)
            && !self.nodes_down.contains(&link.a.node)
            && !self.nodes_down.contains(&link.b.node)
    }

    fn carries(&self, name: &LinkName, link: &Link, tagging: Tagging) -> bool {
        let outer = match tagging {
            Tagging::Untagged => None,
            Tagging::Dot1q(tag) => Some(tag),
            Tagging::QinQ { s_tag, .. } => Some(s_tag),
        };
        self.looks_up(name, link)
            && !self.links_silent.contains(name)
            && self.runs(&link.a.node)
            && self.runs(&link.b.node)
            && outer.is_none_or(|tag| !self.circuits.contains(&(name.clone(), tag)))
    }
}

/// The link on a port and the end across.
pub(crate) fn link_at<'a>(
    blueprint: &'a Blueprint,
    node: &NodeName,
    port: &PortName,
) -> Option<(&'a LinkName, &'a Link, &'a Endpoint)> {
    blueprint.links.iter().find_map(|(name, link)| {
        let is = |end: &Endpoint| end.node == *node && end.port == *port;
        if is(&link.a) {
            Some((name, link, &link.b))
        } else if is(&link.b) {
            Some((name, link, &link.a))
        } else {
            None
        }
    })
}

/// True when the port has a link that looks up from here.
pub(crate) fn port_up(
    blueprint: &Blueprint,
    failures: &Failures,
    node: &NodeName,
    port: &PortName,
) -> bool {
    link_at(blueprint, node, port).is_some_and(|(name, link, _)| failures.looks_up(name, link))
}

/// Who is at the other end of a tagged interface.
#[derive(Clone, Copy)]
pub(crate) enum Across<'a> {
    /// A router's interface.
    Router(
        &'a NodeName,
        &'a skybridge_blueprint::InterfaceName,
        &'a Interface,
    ),
    /// A host.
    Host(&'a NodeName, &'a skybridge_blueprint::Host),
}

/// Why nobody is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Apart {
    /// No link, or it is seen down.
    Down,
    /// Frames vanish on the way.
    Silent,
    /// Nobody listens to these tags.
    Tags,
}

/// Where a switch puts frames that arrive at one of its ports. A cross-connect that loses everything, even if
/// only in one direction, joins nobody: no session lives on it. One that loses some, or the large, does.
fn carried(
    switch: &Switch,
    end: &Endpoint,
    tagging: Tagging,
) -> Result<(PortName, Tagging), Apart> {
    let ends = [CrossConnectEnd::A, CrossConnectEnd::B];
    let ways = || {
        let all = switch.cross_connects.values();
        all.flat_map(|joined| ends.map(|from| (joined, from)))
    };
    let takes = |point: &ServicePoint| point.port == end.port && point.tagging == tagging;
    let as_meant = |joined: &CrossConnect, from| match from {
        CrossConnectEnd::A => joined.point(from) == joined.a,
        CrossConnectEnd::B => joined.point(from) == joined.b,
    };
    // A tag set wrongly does not take away what is rightly another's.
    let (joined, from) = ways()
        .find(|(joined, from)| takes(&joined.point(*from)) && as_meant(joined, *from))
        .or_else(|| ways().find(|(joined, from)| takes(&joined.point(*from))))
        .ok_or(Apart::Tags)?;
    let out = joined.point(from.other());
    let mut tagging = out.tagging;
    for fault in &joined.faults {
        match fault {
            CarrierFault::Loss { ppm } if *ppm >= 1_000_000 => return Err(Apart::Silent),
            CarrierFault::OneWay { .. } => return Err(Apart::Silent),
            CarrierFault::StripTag => {
                tagging = match tagging {
                    Tagging::Untagged | Tagging::Dot1q(_) => Tagging::Untagged,
                    // A service tag alone is nobody's.
                    Tagging::QinQ { .. } => return Err(Apart::Tags),
                }
            }
            CarrierFault::WrongSTag(_)
            | CarrierFault::WrongCTag(_)
            | CarrierFault::Mtu(_)
            | CarrierFault::Loss { .. } => {}
        }
    }
    Ok((out.port, tagging))
}

/// Switches in a row that frames cross at most.
const SWITCHES_MAX: usize = 16;

/// Whoever receives frames with `tagging` sent from a port.
pub(crate) fn across<'a>(
    blueprint: &'a Blueprint,
    failures: &Failures,
    node: &NodeName,
    port: &PortName,
    tagging: Tagging,
) -> Result<Across<'a>, Apart> {
    let (name, link, end) = link_at(blueprint, node, port).ok_or(Apart::Down)?;
    if !failures.looks_up(name, link) {
        return Err(Apart::Down);
    }
    if !failures.carries(name, link, tagging) {
        return Err(Apart::Silent);
    }
    let there = beyond(blueprint, failures, end, tagging, SWITCHES_MAX)?;
    // A carrier may lose or spoil one direction alone; who gets no answer to ARP has no neighbour.
    if blueprint
        .nodes
        .get(&end.node)
        .is_some_and(|n| n.as_switch().is_some())
    {
        let (far, port, tagging) = match there {
            Across::Router(node, _, interface) => (node, &interface.port, interface.tagging),
            Across::Host(node, host) => (node, &host.port, Tagging::Untagged),
        };
        let (_, _, end) = link_at(blueprint, far, port).ok_or(Apart::Silent)?;
        match beyond(blueprint, failures, end, tagging, SWITCHES_MAX)? {
            Across::Router(back, ..) | Across::Host(back, _) if back == node => {}
            Across::Router(..) | Across::Host(..) => return Err(Apart::Tags),
        }
    }
    Ok(there)
}

/// Whoever receives frames with `tagging` that arrive at `end`: behind a switch, whoever is behind it.
fn beyond<'a>(
    blueprint: &'a Blueprint,
    failures: &Failures,
    end: &'a Endpoint,
    tagging: Tagging,
    switches_left: usize,
) -> Result<Across<'a>, Apart> {
    let node = blueprint.nodes.get(&end.node).ok_or(Apart::Down)?;
    match node.kind.machine() {
        Some(Machine::Switch(switch)) => {
            let (port, tagging) = carried(switch, end, tagging)?;
            // Of what is beyond a switch nobody on this side sees more than silence.
            let (name, link, end) = link_at(blueprint, &end.node, &port).ok_or(Apart::Silent)?;
            if switches_left == 0 || !failures.carries(name, link, tagging) {
                return Err(Apart::Silent);
            }
            beyond(blueprint, failures, end, tagging, switches_left - 1)
        }
        Some(Machine::Router(router)) => router
            .interfaces
            .iter()
            .find(|(_, i)| i.port == end.port && i.tagging == tagging)
            .map(|(name, i)| Across::Router(&end.node, name, i))
            .ok_or(Apart::Tags),
        Some(Machine::Host(host)) if tagging == Tagging::Untagged => {
            Ok(Across::Host(&end.node, host))
        }
        // Of what stands behind an external port without persona nothing is known.
        Some(Machine::Host(_)) | None => Err(Apart::Tags),
    }
}
