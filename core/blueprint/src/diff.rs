//! What it takes to get from one blueprint to another.

use crate::{Blueprint, External, Host, LinkName, Node, NodeKind, NodeName};

/// How much a change disturbs what runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ChangeClass {
    /// Taken over in place: filters, routes, rates, delays, services, labels.
    Live,
    /// Sessions stay up; routes are announced again under new policies, limits or originations.
    Soft,
    /// The sessions concerned go down and come up again: addresses, ASN, MD5, tags.
    Reset,
    /// The node is built anew.
    Rebuild,
}

/// One difference between two blueprints.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A node that is not there yet.
    AddNode(NodeName),
    /// A node that goes.
    RemoveNode(NodeName),
    /// A node that changes.
    ChangeNode(NodeName, ChangeClass),
    /// A link that is not there yet.
    AddLink(LinkName),
    /// A link that goes.
    RemoveLink(LinkName),
    /// A link whose properties change in place.
    ChangeLink(LinkName),
}

/// The changes from `a` to `b`: removals of links before nodes, then additions of nodes before links.
#[must_use]
pub fn diff(a: &Blueprint, b: &Blueprint) -> Vec<Change> {
    let mut changes = Vec::new();
    let moved = |name: &LinkName| match (a.links.get(name), b.links.get(name)) {
        (Some(x), Some(y)) => x.a != y.a || x.b != y.b,
        (None, _) | (_, None) => false,
    };
    for name in a.links.keys() {
        if !b.links.contains_key(name) || moved(name) {
            changes.push(Change::RemoveLink(name.clone()));
        }
    }
    for name in a.nodes.keys() {
        if !b.nodes.contains_key(name) {
            changes.push(Change::RemoveNode(name.clone()));
        }
    }
    for (name, new) in &b.nodes {
        match a.nodes.get(name) {
            None => changes.push(Change::AddNode(name.clone())),
            Some(old) if old != new => {
                changes.push(Change::ChangeNode(name.clone(), class(old, new)));
            }
            Some(_) => {}
        }
    }
    for (name, new) in &b.links {
        match a.links.get(name) {
            None => changes.push(Change::AddLink(name.clone())),
            Some(_) if moved(name) => changes.push(Change::AddLink(name.clone())),
            Some(old) if old != new => changes.push(Change::ChangeLink(name.clone())),
            Some(_) => {}
        }
    }
    changes
}

/// The greatest class of any field that differs.
fn class(old: &Node, new: &Node) -> ChangeClass {
    match (&old.kind, &new.kind) {
        (NodeKind::Router(a), NodeKind::Router(b)) => {
            let ports_changed = a
                .ports
                .iter()
                .any(|(name, port)| b.ports.get(name).is_some_and(|p| p != port));
            if ports_changed {
                return ChangeClass::Rebuild;
            }
            let resets = a.bgp.iter().any(|(name, old)| {
                b.bgp.get(name).is_none_or(|new| {
                    old.asn != new.asn
                        || old.router_id != new.router_id
                        || old.peers.iter().any(|(peer, p)| {
                            new.peers.get(peer).is_none_or(|q| !same_transport(p, q))
                        })
                })
            }) || a.interfaces.iter().any(|(name, i)| {
                b.interfaces.get(name).is_none_or(|j| {
                    i.port != j.port
                        || i.tagging != j.tagging
                        || i.vrf != j.vrf
                        || i.addresses != j.addresses
                })
            });
            if resets {
                ChangeClass::Reset
            } else if a.bgp == b.bgp {
                ChangeClass::Live
            } else {
                ChangeClass::Soft
            }
        }
        (NodeKind::Host(a), NodeKind::Host(b)) => host_class(a, b),
        (NodeKind::External(a), NodeKind::External(b)) => match (&**a, &**b) {
            (External::Namespace(a), External::Namespace(b)) => host_class(a, b),
            (External::Attached(a), External::Attached(b)) => {
                if a.port == b.port && a.device == b.device {
                    ChangeClass::Live
                } else {
                    ChangeClass::Rebuild
                }
            }
            (External::Namespace(_), External::Attached(_))
            | (External::Attached(_), External::Namespace(_)) => ChangeClass::Rebuild,
        },
        // Ports keep their numbers, and frames find their way by the new table from the next one on.
        (NodeKind::Switch(_), NodeKind::Switch(_)) => ChangeClass::Live,
        (NodeKind::Router(_), NodeKind::Host(_) | NodeKind::External(_) | NodeKind::Switch(_))
        | (NodeKind::Host(_), NodeKind::Router(_) | NodeKind::External(_) | NodeKind::Switch(_))
        | (NodeKind::External(_), NodeKind::Router(_) | NodeKind::Host(_) | NodeKind::Switch(_))
        | (NodeKind::Switch(_), NodeKind::Router(_) | NodeKind::Host(_) | NodeKind::External(_)) => {
            ChangeClass::Rebuild
        }
    }
}

fn host_class(old: &Host, new: &Host) -> ChangeClass {
    if old.port == new.port && old.mac == new.mac {
        ChangeClass::Live
    } else {
        ChangeClass::Rebuild
    }
}

/// True when a session between these ends can stay up over the change.
fn same_transport(a: &crate::BgpPeer, b: &crate::BgpPeer) -> bool {
    a.interface == b.interface
        && a.local == b.local
        && a.remote == b.remote
        && a.remote_asn == b.remote_asn
        && a.md5 == b.md5
        && a.hold_time_s == b.hold_time_s
        && a.keepalive_s == b.keepalive_s
        && a.enabled == b.enabled
        && a.passive == b.passive
}
