//! Two neighbours and what lies between them, from the bottom up to the first broken layer.

use skybridge_blueprint::Owner;

use crate::fault::Fault;
use crate::layer::Layer;
use crate::observation::{Adjacency, Arp, Carried, End, Observations, Segment};
use crate::{attached, session};

/// Frames that must have been sent before "none arrived" means something.
pub(crate) const SENT_MIN: u64 = 2;
/// Loss below one frame in this many is not called loss.
const LOSS_ONE_IN: u64 = 100;
/// Frames that must have been sent before some lost ones mean something.
const LOSS_SENT_MIN: u64 = 10;

impl Adjacency {
    /// As people call it: its leg, else its ends.
    pub(crate) fn title(&self) -> String {
        if self.leg.is_empty() {
            self.between()
        } else {
            self.leg.clone()
        }
    }

    fn between(&self) -> String {
        let [a, b] = &self.ends;
        format!("{} – {}", a.node, b.node)
    }

    /// True when this is the interface at one of its ends.
    pub(crate) fn has(&self, node: &str, interface: &str) -> bool {
        // A router of the user's own has one port, whatever it calls its interfaces.
        let is_it = |end: &End| {
            end.interface == interface || end.interface.is_empty() || end.attached.is_some()
        };
        (self.ends.iter()).any(|end| end.node == node && is_it(end))
    }
}

/// The first broken layer of an adjacency.
pub(crate) fn examine(seen: &Observations, adjacency: &Adjacency) -> Option<Fault> {
    let below = device(adjacency)
        .or_else(|| attached::device(adjacency))
        .or_else(|| ports(adjacency))
        // Where frames arrive with wrong tags, those that do not arrive are turned away for theirs.
        .or_else(|| tags(adjacency))
        .or_else(|| attached::tags(adjacency))
        .or_else(|| carriage(adjacency))
        .or_else(|| loss(adjacency));
    // Long messages are lost on a narrow link: it comes before the session that they break.
    let fault = below
        .or_else(|| arp(adjacency))
        .or_else(|| mtu(adjacency))
        .or_else(|| session::bgp(adjacency))
        .or_else(|| session::bfd(adjacency))
        .or_else(|| attached::announces(seen, adjacency))?;
    Some(with_consequences(fault, adjacency))
}

fn device(adjacency: &Adjacency) -> Option<Fault> {
    for end in &adjacency.ends {
        if !end.answers {
            let layer = if adjacency.is_access && end.role == "host" {
                Layer::Host
            } else {
                Layer::Device
            };
            return Some(silent(layer, &end.node, end.owner, &end.role));
        }
    }
    let between = adjacency.segments.iter().flat_map(|s| &s.ends);
    let dead = between.into_iter().find(|end| !end.answers)?;
    Some(silent(
        Layer::Device,
        &dead.node,
        dead.owner,
        "carrier's switch",
    ))
}

fn silent(layer: Layer, node: &str, owner: Owner, role: &str) -> Fault {
    let fault = Fault::new(
        layer,
        owner,
        node,
        format!("{node} ({role}) does not run, or does not answer"),
    )
    .saw(format!("{node} answers no question about itself"));
    match owner {
        Owner::Customer => fault
            .place(format!("host/{node}"))
            .mend(format!("start it; in this lab `skybridge heal {node}`")),
        Owner::Provider | Owner::Azure | Owner::Oracle => fault.mend(ticket(owner, node)),
    }
}

/// Whom to call, and what does it in the lab.
pub(crate) fn ticket(owner: Owner, what: &str) -> String {
    let whom = match owner {
        Owner::Customer => return format!("in this lab `skybridge heal {what}`"),
        Owner::Provider => "the provider",
        Owner::Azure => "Microsoft",
        Owner::Oracle => "Oracle",
    };
    format!("open a ticket with {whom} about {what}; in this lab `skybridge heal {what}`")
}

fn ports(adjacency: &Adjacency) -> Option<Fault> {
    for segment in &adjacency.segments {
        let down: Vec<&str> = (segment.ends.iter())
            .filter(|end| end.up == Some(false))
            .map(|end| end.node.as_str())
            .collect();
        if down.is_empty() {
            continue;
        }
        let mut fault = Fault::new(
            Layer::Link,
            segment.owner,
            &segment.link,
            format!("the link {} is down", segment.link),
        )
        .mend(ticket(segment.owner, &segment.link));
        for node in down {
            fault = fault.saw(format!("the port of {node} on {} is down", segment.link));
        }
        return Some(fault);
    }
    None
}

/// What mends a segment: a carrier's device is told so as its provider is.
fn mended(adjacency: &Adjacency, segment: &Segment) -> String {
    if !segment.is_device {
        return ticket(segment.owner, &segment.link);
    }
    format!(
        "open a ticket with the provider about {}; in this lab `skybridge provider set {} fault=ok`",
        segment.link,
        key(adjacency)
    )
}

/// How a provider is told which path is meant: `CIRCUIT/primary`.
fn key(adjacency: &Adjacency) -> String {
    match adjacency.leg.rsplit_once(' ') {
        Some((circuit, path)) => format!("{circuit}/{path}"),
        None => adjacency.circuit.clone(),
    }
}

/// Both directions of a segment with the names of their ends: of a device, those of the adjacency.
fn directions<'a>(
    adjacency: &'a Adjacency,
    segment: &'a Segment,
) -> [(&'a str, &'a str, &'a Carried); 2] {
    let [a, b] = if segment.is_device {
        [&adjacency.ends[0].node, &adjacency.ends[1].node]
    } else {
        [&segment.ends[0].node, &segment.ends[1].node]
    };
    [(a, b, &segment.there), (b, a, &segment.back)]
}

fn carriage(adjacency: &Adjacency) -> Option<Fault> {
    for segment in &adjacency.segments {
        let dead: Vec<_> = directions(adjacency, segment)
            .into_iter()
            .filter(|(_, _, carried)| carried.sent >= SENT_MIN && carried.arrived == 0)
            .collect();
        let Some((from, to, _)) = dead.first() else {
            continue;
        };
        let alive = directions(adjacency, segment)
            .into_iter()
            .any(|(_, _, carried)| carried.arrived > 0);
        let what = if alive {
            format!(
                "frames from {from} towards {to} vanish on {}; the other way passes",
                segment.link
            )
        } else {
            format!(
                "frames vanish on {} although its ports are up",
                segment.link
            )
        };
        let mut fault = Fault::new(Layer::Link, segment.owner, &segment.link, what)
            .mend(mended(adjacency, segment));
        for (from, to, carried) in directions(adjacency, segment) {
            fault = fault.saw(counted(segment, (from, to), carried));
        }
        return Some(fault);
    }
    None
}

fn counted(segment: &Segment, (from, to): (&str, &str), carried: &Carried) -> String {
    let (sent, arrived) = (carried.sent, carried.arrived);
    if segment.is_device {
        let device = &segment.link;
        return format!(
            "of {sent} frames from {from} that came to {device}, {arrived} left it towards {to}"
        );
    }
    format!("{from} sent {sent} frames, {arrived} arrived at {to}")
}

fn tags(adjacency: &Adjacency) -> Option<Fault> {
    changed_tags(adjacency)
        .or_else(|| unexpected_tags(adjacency))
        .or_else(|| turned_away(adjacency))
}

/// A carrier's device through which no frame passes, and which counts as many that it has no use for.
fn turned_away(adjacency: &Adjacency) -> Option<Fault> {
    for segment in adjacency.segments.iter().filter(|s| s.is_device) {
        for ((_, _, carried), refused) in directions(adjacency, segment)
            .into_iter()
            .zip(segment.turned_away)
        {
            if carried.sent < SENT_MIN || carried.arrived > 0 || refused < carried.sent {
                continue;
            }
            let (circuit, device) = (&adjacency.circuit, &segment.link);
            let tags = carried.tags_sent.first().map_or("", String::as_str);
            return Some(
                Fault::new(
                    Layer::Tags,
                    segment.owner,
                    adjacency.title(),
                    format!("{device} turns away the frames of {circuit} for their tags"),
                )
                .cause(format!("tags/{circuit}"))
                .saw(format!(
                    "of {} frames with {tags} that came to {device} none left it; its unknown-tags drops rose by {refused}",
                    carried.sent
                ))
                .place(format!("circuit/{circuit}"))
                .mend(format!(
                    "the provider of {circuit} must carry its tags as they are ({tags})"
                ))
                .mend(format!(
                    "in this lab `skybridge provider set {} fault=ok`",
                    key(adjacency)
                )),
            );
        }
    }
    None
}

/// A link that delivers other tags than were sent. A switch translates tags, its links do not.
fn changed_tags(adjacency: &Adjacency) -> Option<Fault> {
    for segment in adjacency.segments.iter().filter(|s| !s.is_device) {
        for (from, to, carried) in directions(adjacency, segment) {
            let other = |tags: &&String| !carried.tags_sent.contains(tags);
            let (Some(arrived), Some(sent)) = (
                carried.tags_arrived.iter().find(other),
                carried.tags_sent.first(),
            ) else {
                continue;
            };
            return Some(wrong_tags(
                adjacency,
                segment.owner,
                (from, to),
                (sent, arrived),
            ));
        }
    }
    None
}

/// Frames that reach the end with tags that it does not expect: a switch between changed them, or the
/// two ends are configured differently.
fn unexpected_tags(adjacency: &Adjacency) -> Option<Fault> {
    let [a, b] = &adjacency.ends;
    let last = adjacency.segments.last()?;
    let first = adjacency.segments.first()?;
    for (from, to, sent, arrived) in [
        (a, b, &first.there.tags_sent, &last.there.tags_arrived),
        (b, a, &last.back.tags_sent, &first.back.tags_arrived),
    ] {
        let Some(wrong) = arrived.iter().find(|tags| **tags != to.tags) else {
            continue;
        };
        // A switch gives either end the tags it wants, or does not do what it is there for.
        let carrier = carrier(adjacency);
        if carrier.is_some() || a.tags == b.tags {
            let owner = carrier.unwrap_or(first.owner);
            let sent = sent.first().map_or("", String::as_str);
            return Some(wrong_tags(
                adjacency,
                owner,
                (&from.node, &to.node),
                (sent, wrong),
            ));
        }
        return Some(
            Fault::new(
                Layer::Tags,
                Owner::Customer,
                adjacency.title(),
                format!("{} and {} are configured with different tags", a.node, b.node),
            )
            .saw(format!("{} sends {}", from.node, from.tags))
            .saw(expected(to, wrong))
            .place(format!("circuit/{}", adjacency.circuit))
            .mend("give both ends the same VLAN: `vlan_id` of the peering and the edge's sub-interface"),
        );
    }
    None
}

/// Whose the devices between the ends are.
fn carrier(adjacency: &Adjacency) -> Option<Owner> {
    (adjacency.segments.iter())
        .find(|segment| segment.is_device)
        .map(|segment| segment.owner)
}

fn expected(end: &End, wrong: &str) -> String {
    format!(
        "frames arrive at {} with {wrong}, expected {}: its unknown-tags drops rose by {}",
        end.node, end.tags, end.unknown_tags
    )
}

fn wrong_tags(
    adjacency: &Adjacency,
    owner: Owner,
    (from, to): (&str, &str),
    (sent, arrived): (&str, &str),
) -> Fault {
    let circuit = adjacency.circuit.as_str();
    let mut fault = Fault::new(
        Layer::Tags,
        owner,
        adjacency.title(),
        format!("frames sent with {sent} arrive with {arrived}"),
    )
    .cause(format!("tags/{circuit}"))
    .saw(format!("{from} sends {sent}"));
    fault = match adjacency.ends.iter().find(|end| end.node == to) {
        Some(end) => fault.saw(expected(end, arrived)),
        None => fault.saw(format!("{to} receives {arrived}")),
    };
    if circuit.is_empty() {
        return fault.mend("have the tags of this link carried as they are");
    }
    let order = match carrier(adjacency) {
        Some(_) => format!("{} fault=ok", key(adjacency)),
        None => format!("{circuit} vlan=ok"),
    };
    fault
        .place(format!("circuit/{circuit}"))
        .mend(format!(
            "the provider of {circuit} must carry its tags as they are ({sent})"
        ))
        .mend(format!("in this lab `skybridge provider set {order}`"))
}

fn loss(adjacency: &Adjacency) -> Option<Fault> {
    for segment in &adjacency.segments {
        let lossy = directions(adjacency, segment)
            .into_iter()
            .any(|(_, _, carried)| {
                let small = carried.sent - carried.big_sent;
                let lost = small.saturating_sub(carried.arrived - carried.big_arrived);
                small >= LOSS_SENT_MIN && lost * LOSS_ONE_IN >= small
            });
        if !lossy {
            continue;
        }
        let mut fault = Fault::new(
            Layer::Loss,
            segment.owner,
            &segment.link,
            format!("{} loses frames", segment.link),
        )
        .mend(mended(adjacency, segment));
        for (from, to, carried) in directions(adjacency, segment) {
            fault = fault.saw(counted(segment, (from, to), carried));
        }
        return Some(fault);
    }
    None
}

fn arp(adjacency: &Adjacency) -> Option<Fault> {
    let [a, b] = &adjacency.ends;
    for (end, other) in [(a, b), (b, a)] {
        if end.arp != Arp::Incomplete {
            continue;
        }
        let wanted = other.address.map_or_else(String::new, |a| a.to_string());
        return Some(
            Fault::new(
                Layer::Arp,
                if adjacency.circuit.is_empty() { other.owner } else { Owner::Customer },
                adjacency.title(),
                format!("{} does not answer ARP for the address that {} expects", other.node, end.node),
            )
            .saw(format!("ARP on {} for {} is incomplete", end.node, session::peer_address(adjacency, end).unwrap_or(wanted)))
            .saw("frames arrive both ways with the right tags")
            .place(format!("circuit/{}", adjacency.circuit))
            .mend("give both ends addresses of the same /30: the first for you, the second for the cloud"),
        );
    }
    None
}

fn mtu(adjacency: &Adjacency) -> Option<Fault> {
    for segment in &adjacency.segments {
        let small = directions(adjacency, segment)
            .into_iter()
            .any(|(_, _, carried)| {
                carried.big_sent >= SENT_MIN && carried.big_arrived == 0 && carried.arrived > 0
            });
        if !small {
            continue;
        }
        let size = adjacency.ends.iter().map(|end| end.mtu).min().unwrap_or(0);
        let mut fault = Fault::new(
            Layer::Mtu,
            segment.owner,
            &segment.link,
            format!(
                "{} does not carry packets of {size} octets, and nobody says so",
                segment.link
            ),
        )
        .cause(format!("mtu/{}", adjacency.circuit))
        .mend(format!(
            "{}; until then lower the MTU of the hosts, or clamp the MSS",
            mended(adjacency, segment)
        ));
        for (from, to, carried) in directions(adjacency, segment) {
            let small = Carried {
                sent: carried.sent - carried.big_sent,
                arrived: carried.arrived - carried.big_arrived,
                ..Carried::default()
            };
            fault = fault
                .saw(format!(
                    "from {from} towards {to}: of {} packets of {size} octets {} passed",
                    carried.big_sent, carried.big_arrived
                ))
                .saw(format!(
                    "of smaller ones: {}",
                    counted(segment, (from, to), &small)
                ));
        }
        return Some(fault);
    }
    None
}

/// What is broken above only because of the fault.
fn with_consequences(mut fault: Fault, adjacency: &Adjacency) -> Fault {
    fault.legs.push(adjacency.leg.clone());
    let [a, b] = &adjacency.ends;
    for (end, other) in [(a, b), (b, a)] {
        if end.answers && fault.layer < Layer::Arp && end.arp == Arp::Incomplete {
            let address = other.address.map_or_else(String::new, |a| a.to_string());
            fault
                .consequences
                .push(format!("ARP on {} for {address} is incomplete", end.node));
        }
    }
    for (end, session) in adjacency.ends.iter().zip(&adjacency.sessions) {
        let Some(session) = session.as_ref().filter(|_| end.answers) else {
            continue;
        };
        if fault.layer < Layer::Bgp && !session.is_up {
            fault.consequences.push(format!(
                "BGP {} → {} on {} is {}{}",
                session.local,
                session.remote,
                end.node,
                session.state,
                session::last(session),
            ));
        }
        if fault.layer < Layer::Bfd
            && session.bfd == Some(false)
            && session::both_run_bfd(adjacency)
        {
            fault
                .consequences
                .push(format!("BFD to {} on {} is down", session.remote, end.node));
        }
    }
    fault
}
