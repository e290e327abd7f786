//! Routers of the user's own. Nobody here can ask them: what is known of one is what its port shows, and what
//! the other end of its session says. What lies behind one is judged by what was handed over and what came
//! back, and by nothing else.

use skybridge_blueprint::Owner;

use crate::adjacency::SENT_MIN;
use crate::fault::Fault;
use crate::layer::Layer;
use crate::observation::{
    Adjacency, Attached, End, HostObservation, Observations, Outcome, Packet, Probe, Told, Towards,
};
use crate::probe::Why;
use crate::session;

/// What is said of everything past the hand-off.
const UNSEEN: &str = "what is behind it is not seen from here: its routes, its filters and the hosts there are yours to look at";

/// The ends that nobody here can ask.
pub(crate) fn ends(adjacency: &Adjacency) -> impl Iterator<Item = (&End, &Attached)> {
    (adjacency.ends.iter()).filter_map(|end| Some((end, end.attached.as_ref()?)))
}

/// What mends its configuration.
pub(crate) fn configure(node: &str) -> String {
    let (router, site) = node.split_once('@').unwrap_or((node, ""));
    format!(
        "compare the configuration of {node} with what `skybridge show ce-config {site} {router}` prints"
    )
}

/// Its device is not there, or it says nothing at all although frames reach it.
pub(crate) fn device(adjacency: &Adjacency) -> Option<Fault> {
    let fault = |node: &str, what: String| Fault::new(Layer::Device, Owner::Customer, node, what);
    ends(adjacency).find_map(|(end, seen)| {
        let node = &end.node;
        if let Some(why) = &seen.missing {
            return Some(
                fault(node, format!("{node} is not attached: {why}"))
                    .saw("frames for it leave the lab for nowhere")
                    .mend("make the device that `attach` names, and apply"),
            );
        }
        // With other tags it is not to take them.
        let handed = seen.handed_with.get(&end.tags).copied().unwrap_or(0);
        (handed >= SENT_MIN && seen.sent_with.is_empty()).then(|| {
            fault(
                node,
                format!("{node} ({}) does not run, or does not answer", end.role),
            )
            .saw(format!(
                "{handed} frames were handed to {node}, and it sent {}, none of them ARP or IPv4",
                seen.sent
            ))
            .mend(format!(
                "start {node}: its interface, and then the routing daemon"
            ))
        })
    })
}

/// It sends with other tags than the hand-off has, and never with those.
pub(crate) fn tags(adjacency: &Adjacency) -> Option<Fault> {
    ends(adjacency).find_map(|(end, seen)| {
        let (other, count) = (seen.sent_with.iter())
            .filter(|(tags, _)| **tags != end.tags)
            .max_by_key(|(_, count)| **count)?;
        if seen.sent_with.contains_key(&end.tags) {
            return None;
        }
        let node = &end.node;
        Some(
            Fault::new(
                Layer::Tags,
                Owner::Customer,
                adjacency.title(),
                format!("{node} sends frames with other tags than the carrier hands over"),
            )
            .saw(format!("{node} sent {count} frames {}", with(other)))
            .saw(format!("the hand-off is {}, and it sent none so", with(&end.tags)))
            .mend("give its interface the tag of the hand-off (`mode` and `vlan` of the router in the lab file)"),
        )
    })
}

fn with(tags: &str) -> String {
    if tags == "untagged" {
        tags.to_owned()
    } else {
        format!("with {tags}")
    }
}

/// Its notification told that somebody shut the session there.
pub(crate) fn shut(adjacency: &Adjacency) -> Option<Fault> {
    let (own, _) = ends(adjacency).next()?;
    let told = |reset: &str| {
        reset.starts_with("notification received") && reset.contains("Administrative Shutdown")
    };
    session::ends(adjacency).find(|(_, s)| told(&s.last_reset))?;
    let node = &own.node;
    Some(
        Fault::new(
            Layer::Bgp,
            own.owner,
            adjacency.title(),
            format!("the session is administratively shut down at {node}"),
        )
        .mend(format!("enable the session at {node}")),
    )
}

/// The session is up, and what the target needs has not come over it.
pub(crate) fn announces(seen: &Observations, adjacency: &Adjacency) -> Option<Fault> {
    let (own, _) = ends(adjacency).next()?;
    let to = &seen.hosts[Towards::To.index()];
    if !to.behind.contains(&own.node) {
        return None;
    }
    let (end, session) = session::ends(adjacency).next()?;
    let heard = &session.heard[Towards::To.index()];
    if heard.iter().any(|(_, refused)| refused.is_none()) {
        return None;
    }
    let (node, cloud, address) = (&own.node, &end.node, to.address);
    let fault = |what| {
        Fault::new(Layer::Routes, own.owner, adjacency.title(), what).saw(format!(
            "BGP {} → {} on {cloud} is {}",
            session.local, session.remote, session.state
        ))
    };
    if let Some((prefix, Some(why))) = heard.first() {
        return Some(
            fault(format!(
                "{cloud} hears {prefix} from {node} and does not use it"
            ))
            .saw(format!("{cloud}: {why}"))
            .mend("mend what refuses it"),
        );
    }
    Some(
        fault(format!("{node} announces no prefix that holds {address}"))
            .saw(format!("{cloud} has heard none from {node}"))
            .mend(format!(
                "announce the network of {address} at {node}: {}",
                configure(node)
            )),
    )
}

/// Why a packet that was handed to `gate` has no answer that bears its trace.
pub(crate) fn beyond(seen: &Observations, broken: &[bool], probe: &Probe, gate: &str) -> Why {
    if let Some(index) = broken_at(seen, broken, |node| node == gate) {
        // It has the packet, and no whole way back of its own.
        return Why::Adjacencies(vec![index]);
    }
    let to = &seen.hosts[Towards::To.index()];
    let came = |probe: &&Probe| !matches!(probe.outcome, Outcome::Failed(_));
    let received = seen.probes.iter().filter(came).count();
    let sent: u64 = (seen.adjacencies.iter())
        .flat_map(ends)
        .map(|(_, own)| own.answers)
        .sum();
    if probe.told.is_none() && sent > received as u64 {
        return lost_on_its_way(seen, broken, sent, received);
    }
    Why::Fault(Box::new(unanswered(seen, probe, gate, to)))
}

/// A broken adjacency of a router of the target's site.
fn broken_at(seen: &Observations, broken: &[bool], is_it: impl Fn(&str) -> bool) -> Option<usize> {
    (seen.adjacencies.iter().zip(broken))
        .position(|(adjacency, broken)| *broken && ends(adjacency).any(|(end, _)| is_it(&end.node)))
}

/// The site answers by another of its routers than it was asked by.
fn lost_on_its_way(seen: &Observations, broken: &[bool], sent: u64, received: usize) -> Why {
    let to = &seen.hosts[Towards::To.index()];
    let is_gate = |node: &str| to.behind.iter().any(|gate| gate == node);
    if let Some(index) = broken_at(seen, broken, is_gate) {
        return Why::Adjacencies(vec![index]);
    }
    let by =
        (seen.adjacencies.iter()).find(|adjacency| ends(adjacency).any(|(_, own)| own.answers > 0));
    let owner = by
        .and_then(|adjacency| adjacency.segments.last())
        .map_or(Owner::Provider, |segment| segment.owner);
    let at = by.map_or_else(|| to.name.clone(), Adjacency::title);
    Why::Fault(Box::new(
        Fault::new(
            Layer::Loss,
            owner,
            at,
            format!("answers of {} are lost on their way back", to.name),
        )
        .saw(format!("its site sent {sent} answers, and {received} came")),
    ))
}

/// The packet was handed over, and nothing came back.
fn unanswered(seen: &Observations, probe: &Probe, gate: &str, to: &HostObservation) -> Fault {
    let name = &to.name;
    let fault = |layer, what: String| {
        Fault::new(layer, Owner::Customer, name, what)
            .saw(format!(
                "the packet was handed to {gate}; of {} none sent an answer to it",
                to.behind.join(" and ")
            ))
            .saw(UNSEEN)
    };
    if let Some(told) = &probe.told {
        let (layer, what) = meaning(told);
        return fault(
            layer,
            format!("{name} is not reached: {} says {what}", told.from),
        )
        .mend(format!(
            "look at {}: the packet was handed over, and refused there",
            told.from
        ));
    }
    let is_alike = |other: &&Probe| other.packet == probe.packet;
    let is_answered = |other: &Probe| other.outcome == Outcome::Answered;
    if seen.probes.iter().filter(is_alike).any(is_answered) {
        return fault(
            Layer::Loss,
            format!("{name} answers some packets and not others"),
        )
        .mend("look for loss, or a rate limit, inside the site");
    }
    if let Packet::Echo {
        ip_len,
        is_full: true,
    } = probe.packet
        && seen.probes.iter().any(is_answered)
    {
        return fault(
            Layer::Mtu,
            format!("{name} does not answer packets of {ip_len} octets, and answers smaller ones"),
        )
        .mend("look for a small MTU inside the site, or lower that of the hosts");
    }
    fault(Layer::Host, format!("{name} does not answer")).mend(format!(
        "see from {gate} whether {name} runs, and whether it has a route back"
    ))
}

/// The layer of an ICMP error and its words (RFC 792, RFC 1812 §5.2.7.1).
fn meaning(told: &Told) -> (Layer, String) {
    let (layer, what) = match (told.icmp_type, told.code) {
        (3, 0 | 5..=8 | 11 | 12) => (Layer::Forwarding, "that it has no route".to_owned()),
        (3, 1) => (Layer::Host, "that the host does not answer".to_owned()),
        (3, 2 | 3) => (Layer::Service, "that nothing listens".to_owned()),
        (3, 4) => (Layer::Mtu, "that the packet is too big".to_owned()),
        (3, 9 | 10 | 13) => (Layer::Filters, "that it is forbidden".to_owned()),
        (11, _) => (
            Layer::Forwarding,
            "that the time to live ran out: there is a loop".to_owned(),
        ),
        (kind, code) => (Layer::Host, format!("ICMP type {kind} code {code}")),
    };
    (layer, what)
}

/// A refused connection behind routers of the user's own.
pub(crate) fn nobody_listens(to: &HostObservation, port: u16) -> Fault {
    Fault::new(
        Layer::Service,
        Owner::Customer,
        &to.name,
        format!("TCP {port} of {} is refused", to.name),
    )
    .saw(format!("{} refused the connection", to.address))
    .saw(UNSEEN)
    .mend("start the server there, or let the site's filters pass it")
}
