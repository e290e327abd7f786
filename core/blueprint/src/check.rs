//! Whether a blueprint is whole: every name it uses exists, nothing is joined twice.

use std::collections::BTreeSet;
use std::fmt;

use crate::{Blueprint, External, NextHop, NodeKind, NodeName, Router, Switch};

/// A name or joint that does not fit. A compiler that produces one has a bug.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Where.
    pub at: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

/// Every fault of `blueprint`; empty when it can run.
#[must_use]
pub fn check(blueprint: &Blueprint) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut joined = BTreeSet::new();
    for (name, link) in &blueprint.links {
        for end in [&link.a, &link.b] {
            let node = blueprint.nodes.get(&end.node);
            if !node.is_some_and(|node| node.kind.has_port(&end.port)) {
                push(
                    &mut faults,
                    name,
                    format!("no port {}/{}", end.node, end.port),
                );
            }
            if !joined.insert(end.clone()) {
                push(
                    &mut faults,
                    name,
                    format!("port {}/{} is joined twice", end.node, end.port),
                );
            }
        }
    }
    for (name, node) in &blueprint.nodes {
        match &node.kind {
            NodeKind::Router(router) => check_router(name, router, &mut faults),
            NodeKind::Host(_) => {}
            NodeKind::External(external) => check_external(name, external, &mut faults),
            NodeKind::Switch(switch) => check_switch(name, switch, &mut faults),
        }
    }
    faults
}

fn push(faults: &mut Vec<Fault>, at: impl fmt::Display, what: String) {
    faults.push(Fault {
        at: at.to_string(),
        what,
    });
}

fn check_external(name: &NodeName, external: &External, faults: &mut Vec<Fault>) {
    let External::Attached(attached) = external else {
        return;
    };
    let Some(persona) = &attached.persona else {
        return;
    };
    if !persona.ports.contains_key(&attached.port) {
        let what = format!("the persona has no port {}", attached.port);
        push(faults, name, what);
    }
    check_router(name, persona, faults);
}

fn check_switch(name: &NodeName, switch: &Switch, faults: &mut Vec<Fault>) {
    let mut used = BTreeSet::new();
    for (cross_connect, joined) in &switch.cross_connects {
        let at = format!("{name}/{cross_connect}");
        for point in [&joined.a, &joined.b] {
            if !switch.ports.contains_key(&point.port) {
                push(faults, &at, format!("no port {}", point.port));
            }
            if !used.insert(point) {
                push(faults, &at, "tags already used on this port".to_owned());
            }
        }
    }
}

fn check_router(name: &NodeName, router: &Router, faults: &mut Vec<Fault>) {
    let mut tags = BTreeSet::new();
    for (ifname, interface) in &router.interfaces {
        let at = format!("{name}/{ifname}");
        if !router.ports.contains_key(&interface.port) {
            push(faults, &at, format!("no port {}", interface.port));
        }
        if !router.vrfs.contains_key(&interface.vrf) {
            push(faults, &at, format!("no table {}", interface.vrf));
        }
        if !tags.insert((interface.port.clone(), interface.tagging)) {
            push(faults, &at, "tags already used on this port".to_owned());
        }
        for policer in [&interface.policer_in, &interface.policer_out]
            .into_iter()
            .flatten()
        {
            if !router.policers.contains_key(policer) {
                push(faults, &at, format!("no policer {policer}"));
            }
        }
    }
    for (vrf, table) in &router.vrfs {
        for route in &table.routes {
            let at = format!("{name}/{vrf}/{}", route.prefix);
            match &route.next_hop {
                NextHop::Via { interface, .. } | NextHop::Connected { interface } => {
                    if !router.interfaces.contains_key(interface) {
                        push(faults, &at, format!("no interface {interface}"));
                    }
                }
                NextHop::Table { vrf } => {
                    if !router.vrfs.contains_key(vrf) {
                        push(faults, &at, format!("no table {vrf}"));
                    }
                }
                NextHop::Drop(_) => {}
            }
        }
    }
    for (instance, bgp) in &router.bgp {
        let at = format!("{name}/bgp {instance}");
        let known = |vrf| router.vrfs.contains_key(vrf) && bgp.tables.contains(vrf);
        for table in &bgp.tables {
            if !router.vrfs.contains_key(table) {
                push(faults, &at, format!("no table {table}"));
            }
        }
        for route in &bgp.originated {
            if !known(&route.table) {
                push(
                    faults,
                    &at,
                    format!("originates into no table {}", route.table),
                );
            }
        }
        for (peer_name, peer) in &bgp.peers {
            let at = format!("{at}/{peer_name}");
            let local_known = router
                .interfaces
                .get(&peer.interface)
                .is_some_and(|i| i.addresses.iter().any(|a| a.addr() == peer.local));
            if !local_known {
                push(
                    faults,
                    &at,
                    format!("{} is not on interface {}", peer.local, peer.interface),
                );
            }
            for import in &peer.import {
                if !known(&import.table) {
                    push(
                        faults,
                        &at,
                        format!("imports into no table {}", import.table),
                    );
                }
            }
            if let Some(export) = &peer.export
                && !known(&export.table)
            {
                push(
                    faults,
                    &at,
                    format!("exports from no table {}", export.table),
                );
            }
        }
    }
}
