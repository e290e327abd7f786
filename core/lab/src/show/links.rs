//! Links and counters.

use skybridge_blueprint::{External, NodeKind, NodeName, Owner};
use skybridge_world::DirectionView;

use crate::document::{CounterRow, ErrorDocument, LinkRow};
use crate::lab::Lab;
use crate::names::no_such;
use crate::probe::reason_words;

/// Every link.
pub(crate) fn links(lab: &Lab) -> Vec<LinkRow> {
    let lost = |d: &DirectionView| d.drops.values().sum::<u64>();
    (lab.network.compiled.blueprint.links.iter())
        .filter_map(|(name, link)| {
            let view = lab.network.world.link_state(name)?;
            let state = match view.faults.first() {
                Some((element, mode)) => format!("cut: {element} {}", mode.label()),
                None if view.a_up && view.b_up => "up".to_owned(),
                None => "down".to_owned(),
            };
            Some(LinkRow {
                name: name.to_string(),
                ends: (
                    format!("{} {}", link.a.node, link.a.port),
                    format!("{} {}", link.b.node, link.b.port),
                ),
                state,
                owner: owner_words(link.owner).to_owned(),
                delay_us: link
                    .delay
                    .map(|d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX)),
                frames: (view.a_to_b.frames, view.b_to_a.frames),
                octets: (view.a_to_b.bytes, view.b_to_a.bytes),
                lost: (lost(&view.a_to_b), lost(&view.b_to_a)),
            })
        })
        .collect()
}

/// Who would be called.
pub(crate) const fn owner_words(owner: Owner) -> &'static str {
    match owner {
        Owner::Customer => "you",
        Owner::Provider => "provider",
        Owner::Azure => "Azure",
        Owner::Oracle => "Oracle",
    }
}

/// Counters that are not zero, of one node or all.
pub(crate) fn counters(lab: &Lab, node: Option<&str>) -> Result<Vec<CounterRow>, ErrorDocument> {
    let nodes = &lab.network.compiled.blueprint.nodes;
    if let Some(wanted) = node
        && !nodes.contains_key(wanted)
    {
        return Err(no_such("node", wanted, nodes.keys().map(NodeName::as_str)));
    }
    let mut rows = Vec::new();
    for (name, spec) in nodes {
        if node.is_some_and(|wanted| wanted != name.as_str()) {
            continue;
        }
        match &spec.kind {
            NodeKind::Router(_) => router(lab, name, &mut rows),
            NodeKind::Host(_) => host(lab, name, &mut rows),
            NodeKind::External(spec) => external(lab, name, spec, &mut rows),
            NodeKind::Switch(_) => switch(lab, name, &mut rows),
        }
    }
    Ok(rows)
}

fn push(rows: &mut Vec<CounterRow>, node: &NodeName, interface: &str, counter: &str, value: u64) {
    if value > 0 {
        rows.push(CounterRow {
            node: node.to_string(),
            interface: interface.to_owned(),
            counter: counter.to_owned(),
            value,
        });
    }
}

fn router(lab: &Lab, name: &NodeName, rows: &mut Vec<CounterRow>) {
    let Some(router) = lab.network.world.router(name) else {
        return;
    };
    let counters = router.counters();
    for (reason, value) in counters.drops.iter() {
        let counter = format!("drop {}", reason_words(&format!("{reason:?}")));
        push(rows, name, "", &counter, value);
    }
    for (port, drops) in &counters.port_drops {
        for (reason, value) in drops.iter() {
            let counter = format!("drop {}", reason_words(&format!("{reason:?}")));
            push(rows, name, port.as_str(), &counter, value);
        }
    }
    for interface in &counters.interfaces {
        let at = interface.name.as_str();
        push(rows, name, at, "packets in", interface.counters.in_packets);
        push(rows, name, at, "octets in", interface.counters.in_bytes);
        push(
            rows,
            name,
            at,
            "packets out",
            interface.counters.out_packets,
        );
        push(rows, name, at, "octets out", interface.counters.out_bytes);
    }
    for policer in router.policers() {
        push(
            rows,
            name,
            &policer.name,
            "policed packets",
            policer.dropped.0,
        );
    }
}

fn host(lab: &Lab, name: &NodeName, rows: &mut Vec<CounterRow>) {
    let Some(host) = lab.network.world.host(name) else {
        return;
    };
    let counters = host.counters();
    push(rows, name, "eth0", "frames in", counters.frames_in);
    push(rows, name, "eth0", "octets in", counters.octets_in);
    push(rows, name, "eth0", "frames out", counters.frames_out);
    push(rows, name, "eth0", "octets out", counters.octets_out);
    for (reason, value) in &counters.drops {
        let counter = format!("drop {}", reason_words(&format!("{reason:?}")));
        push(rows, name, "eth0", &counter, *value);
    }
}

fn switch(lab: &Lab, name: &NodeName, rows: &mut Vec<CounterRow>) {
    let Some(switch) = lab.network.world.switch(name) else {
        return;
    };
    for (port, counters) in switch.ports() {
        let port = port.as_str();
        push(rows, name, port, "frames in", counters.frames_in);
        push(rows, name, port, "octets in", counters.octets_in);
        push(rows, name, port, "frames out", counters.frames_out);
        push(rows, name, port, "octets out", counters.octets_out);
        for (reason, value) in counters.drops.iter() {
            let counter = format!("drop {}", reason_words(&format!("{reason:?}")));
            push(rows, name, port, &counter, value);
        }
    }
    for (cross_connect, drops) in switch.cross_connects() {
        for (reason, value) in drops.iter() {
            let counter = format!("drop {}", reason_words(&format!("{reason:?}")));
            push(rows, name, cross_connect.as_str(), &counter, value);
        }
    }
}

fn external(lab: &Lab, name: &NodeName, spec: &External, rows: &mut Vec<CounterRow>) {
    let Some(node) = lab.network.world.external(name) else {
        return;
    };
    let (counters, port) = (node.counters(), spec.port().as_str());
    // As the station behind the port sees it: what leaves the world comes in there.
    push(rows, name, port, "frames in", counters.frames_out);
    push(rows, name, port, "octets in", counters.octets_out);
    push(rows, name, port, "frames out", counters.frames_in);
    push(rows, name, port, "octets out", counters.octets_in);
    for (reason, value) in &counters.drops {
        let counter = format!("drop {}", reason_words(&format!("{reason:?}")));
        push(rows, name, port, &counter, *value);
    }
    for (reason, value) in lab.outside.losses(name) {
        push(
            rows,
            name,
            External::OUTSIDE,
            &format!("drop {reason}"),
            *value,
        );
    }
}
