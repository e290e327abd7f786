//! Why a probe failed, from the last thing that is known of its packets.

use skybridge_blueprint::Owner;
use skybridge_dataplane::DropReason;

use crate::attached;
use crate::fault::Fault;
use crate::layer::Layer;
use crate::observation::{
    HopVerdict, HopView, HostObservation, Observations, Outcome, Packet, Probe, Towards,
};
use crate::routes::{self, Behind};

/// The table of a cloud's network that leads to its own stations.
const LOCAL: &str = "local";

/// Why.
pub(crate) enum Why {
    /// It did not fail.
    Answered,
    /// Because of these adjacencies, by place in the observations.
    Adjacencies(Vec<usize>),
    /// Because circuits are not there.
    Circuits,
    /// Something of its own.
    Fault(Box<Fault>),
}

/// Why a probe failed. `broken` says which adjacencies are.
pub(crate) fn explain(seen: &Observations, broken: &[bool], probe: &Probe) -> Why {
    let [from, to] = &seen.hosts;
    let arrived = delivered_to(&probe.there, to).is_some();
    match &probe.outcome {
        Outcome::Answered if arrived => return Why::Answered,
        Outcome::Answered => return Why::Fault(Box::new(elsewhere(seen, probe))),
        Outcome::Refused => return Why::Fault(Box::new(nobody_listens(seen, probe))),
        Outcome::Failed(_) => {}
    }
    if !from.answers {
        return of_host(seen, Towards::From);
    }
    if let Some(gate) = delivered_to(&probe.there, to)
        && !to.behind.is_empty()
        && probe.back.is_empty()
    {
        return attached::beyond(seen, broken, probe, gate);
    }
    let (hops, towards) = if arrived {
        (&probe.back, Towards::From)
    } else {
        (&probe.there, Towards::To)
    };
    let Some(hop) = hops.last() else {
        return if arrived || !to.answers {
            of_host(seen, Towards::To)
        } else {
            of_host(seen, Towards::From)
        };
    };
    match &hop.verdict {
        HopVerdict::Forwarded(egress) => vanished(seen, broken, hop, egress),
        HopVerdict::Delivered => Why::Fault(Box::new(elsewhere(seen, probe))),
        HopVerdict::Dropped(reason, detail) => {
            dropped(seen, broken, (probe, hop), (*reason, detail), towards)
        }
    }
}

/// The node at which a packet for the host arrived: the host, or the router before it that is the user's own.
fn delivered_to<'a>(hops: &'a [HopView], host: &HostObservation) -> Option<&'a str> {
    let is_it = |node: &String| *node == host.name || host.behind.contains(node);
    (hops.iter())
        .find(|hop| hop.verdict == HopVerdict::Delivered && is_it(&hop.node))
        .map(|hop| hop.node.as_str())
}

/// The access of a host is what is broken, or the host itself.
fn of_host(seen: &Observations, which: Towards) -> Why {
    let host = &seen.hosts[which.index()];
    let access = (seen.adjacencies.iter())
        .position(|a| a.is_access && a.ends.iter().any(|end| end.node == host.name));
    match access {
        Some(index) => Why::Adjacencies(vec![index]),
        None => Why::Fault(Box::new(
            Fault::new(
                Layer::Host,
                Owner::Customer,
                &host.name,
                format!("{} does not answer", host.name),
            )
            .place(format!("host/{}", host.name)),
        )),
    }
}

/// An adjacency by one of its interfaces, when it is broken; else the link is all that is left.
fn on_interface(
    seen: &Observations,
    broken: &[bool],
    (hop, interface): (&HopView, &str),
    what: String,
) -> Why {
    let found = seen
        .adjacencies
        .iter()
        .position(|a| a.has(&hop.node, interface));
    if let Some(index) = found {
        if broken.get(index) == Some(&true) {
            return Why::Adjacencies(vec![index]);
        }
        let adjacency = &seen.adjacencies[index];
        let owner = adjacency.segments.first().map_or(hop.owner, |s| s.owner);
        return Why::Fault(Box::new(
            Fault::new(Layer::Loss, owner, adjacency.title(), what)
                .saw("its own probes passed: what it loses it does not lose always"),
        ));
    }
    Why::Fault(Box::new(Fault::new(
        Layer::Forwarding,
        Owner::Customer,
        &hop.node,
        format!("{what}: the packet leaves the path between the two hosts"),
    )))
}

fn vanished(seen: &Observations, broken: &[bool], hop: &HopView, egress: &str) -> Why {
    let what = format!(
        "a packet that {} sent out of {egress} arrived nowhere",
        hop.node
    );
    on_interface(seen, broken, (hop, egress), what)
}

fn dropped(
    seen: &Observations,
    broken: &[bool],
    (probe, hop): (&Probe, &HopView),
    (reason, detail): (DropReason, &str),
    towards: Towards,
) -> Why {
    let fault = match reason {
        DropReason::LinkDown | DropReason::NeighbourUnresolved | DropReason::NeighbourQueueFull => {
            let interface = hop.route_interface.clone().unwrap_or_default();
            let what = format!("{} drops for: {}", hop.node, reason.label());
            return on_interface(seen, broken, (hop, &interface), what);
        }
        DropReason::UnknownTags
        | DropReason::NotForUs
        | DropReason::Md5
        | DropReason::CarrierLoss => {
            let near = (seen.adjacencies.iter().enumerate())
                .filter(|(_, a)| a.ends.iter().any(|end| end.node == hop.node))
                .filter(|(index, _)| broken.get(*index) == Some(&true))
                .map(|(index, _)| index)
                .collect::<Vec<_>>();
            if !near.is_empty() {
                return Why::Adjacencies(near);
            }
            layer_fault(Layer::Tags, hop, Owner::Provider, reason)
        }
        // The host's own router has lost it: the host's port is down.
        DropReason::NoRoute if serves(seen, broken, hop, towards) => {
            return of_host(seen, towards);
        }
        DropReason::NoRoute if hop.table == LOCAL => overlapping(seen, hop, towards),
        DropReason::NoRoute
        | DropReason::RouteNone
        | DropReason::RouteInternet
        | DropReason::RouteServices
            if !hop.is_user_route =>
        {
            let place = (hop.node.as_str(), hop.table.as_str());
            return match routes::missing(seen, broken, place, towards) {
                Behind::Fault(fault) => Why::Fault(fault),
                Behind::Adjacencies(indices) => Why::Adjacencies(indices),
                Behind::Circuits => Why::Circuits,
            };
        }
        DropReason::NoRoute
        | DropReason::RouteNone
        | DropReason::RouteInternet
        | DropReason::RouteServices
        | DropReason::RouteNotModelled
        | DropReason::RouteDeadTarget => black_hole(hop, reason),
        DropReason::RouteNotForwarding => black_hole(hop, reason)
            .mend("set `ip_forwarding_enabled` on the interface of the appliance"),
        DropReason::OutOfState => layer_fault(Layer::Filters, hop, Owner::Customer, reason)
            .mend("lead both directions through the firewall, or neither: look at the route tables of both ends"),
        DropReason::FilterDenied if hop.role == FIREWALL => denied_by_firewall(seen, (probe, hop), detail, towards),
        DropReason::FilterDenied | DropReason::FlowTableFull => {
            denied(seen, (probe, hop), detail, towards)
        }
        DropReason::SourceCheck => layer_fault(Layer::Filters, hop, Owner::Customer, reason)
            .mend("enable IP forwarding (`skip_source_dest_check`) where the packet comes from"),
        DropReason::TooBig => layer_fault(Layer::Mtu, hop, Owner::Customer, reason)
            .saw(detail.to_owned())
            .mend("lower the MTU of the hosts to what the path carries"),
        DropReason::Policed => layer_fault(Layer::Policers, hop, Owner::Customer, reason)
            .mend("send less, or order more bandwidth (`bandwidth_in_mbps`, the gateway's SKU)"),
        DropReason::NoListener => nobody_listens(seen, probe),
        DropReason::ForbiddenTransit => layer_fault(Layer::Routes, hop, Owner::Customer, reason)
            .mend("a DRG does not pass traffic from one circuit or tunnel to another"),
        DropReason::Malformed | DropReason::TtlExpired | DropReason::TableLoop => {
            layer_fault(Layer::Forwarding, hop, hop.owner, reason).mend("look for a routing loop")
        }
    };
    Why::Fault(Box::new(fault))
}

/// The role of a firewall, as nodes have it.
const FIREWALL: &str = "firewall";

fn layer_fault(layer: Layer, hop: &HopView, owner: Owner, reason: DropReason) -> Fault {
    Fault::new(
        layer,
        owner,
        &hop.node,
        format!("{} drops the packet: {}", hop.node, reason.label()),
    )
    .place(format!("table/{}/{}", hop.node, hop.table))
}

/// The router is the host's own, and what lies between them is broken.
fn serves(seen: &Observations, broken: &[bool], hop: &HopView, towards: Towards) -> bool {
    let host = &seen.hosts[towards.index()].name;
    (seen.adjacencies.iter().zip(broken)).any(|(access, broken)| {
        let at = |name: &str| access.ends.iter().any(|end| end.node == name);
        *broken && access.is_access && at(host) && at(&hop.node)
    })
}

/// The network of the router holds the address by its own range, and has no such station.
fn overlapping(seen: &Observations, hop: &HopView, towards: Towards) -> Fault {
    let host = &seen.hosts[towards.index()];
    let mut fault = Fault::new(
        Layer::Forwarding,
        Owner::Customer,
        &hop.node,
        format!(
            "{} takes {} of {} for an address of its own network: the ranges overlap",
            hop.node, host.address, host.name
        ),
    )
    .place(format!("network/{}", hop.node))
    .mend("give the two networks ranges that do not overlap");
    let tables = seen
        .routers
        .get(&hop.node)
        .map_or(&[][..], |view| &view.tables);
    for table in tables {
        if let Some(route) = table.route[towards.index()]
            .as_ref()
            .filter(|r| r.contains(LOCAL))
        {
            fault = fault.saw(format!("{} of {} has {route}", table.label, hop.node));
            break;
        }
    }
    fault.saw(format!("no station of {} has {}", hop.node, host.address))
}

fn black_hole(hop: &HopView, reason: DropReason) -> Fault {
    layer_fault(Layer::Forwarding, hop, Owner::Customer, reason)
        .cause(format!("forwarding/{}/{}", hop.node, hop.table))
        .saw(format!(
            "table {} of {} chooses {}",
            hop.table, hop.node, hop.route
        ))
        .mend("take the route out, or give it a next hop that leads to the circuit, and apply")
}

/// The host that sends and the one that receives.
fn ends(seen: &Observations, towards: Towards) -> (&HostObservation, &HostObservation) {
    let [from, to] = &seen.hosts;
    match towards {
        Towards::To => (from, to),
        Towards::From => (to, from),
    }
}

/// A firewall on the way denies: its rule, and no host's.
fn denied_by_firewall(
    seen: &Observations,
    (probe, hop): (&Probe, &HopView),
    detail: &str,
    towards: Towards,
) -> Fault {
    let (sender, receiver) = ends(seen, towards);
    let packet = packet_words(probe, towards);
    let what = match detail.split_once(": ") {
        Some((set, "no rule allows it")) => format!(
            "no rule of {set} allows {packet} from {} to {}",
            sender.name, receiver.name
        ),
        _ => format!(
            "rule {detail} denies {packet} from {} to {}",
            sender.name, receiver.name
        ),
    };
    Fault::new(Layer::Filters, Owner::Customer, &hop.node, what)
        .cause(format!("filters/{}/{detail}", hop.node))
        .saw(format!("dropped at {}: {detail}", hop.node))
        .place(format!("firewall/{}", hop.node))
        .mend(format!(
            "allow {packet} from {} to {} in a network rule of the firewall {}, and apply",
            sender.address, receiver.address, hop.node
        ))
}

fn packet_words(probe: &Probe, towards: Towards) -> String {
    match (probe.packet, towards) {
        (Packet::Tcp(port), Towards::To) => format!("TCP {port}"),
        (Packet::Tcp(port), Towards::From) => format!("the answer from TCP {port}"),
        (Packet::Echo { .. }, Towards::To) => "echo requests".to_owned(),
        (Packet::Echo { .. }, Towards::From) => "echo replies".to_owned(),
    }
}

fn denied(
    seen: &Observations,
    (probe, hop): (&Probe, &HopView),
    detail: &str,
    towards: Towards,
) -> Fault {
    let (sender, receiver) = ends(seen, towards);
    // `in` at the router's interface is out of the host.
    let (side, host) = if detail.contains("(in at ") {
        ("outbound", sender)
    } else {
        ("inbound", receiver)
    };
    let packet = packet_words(probe, towards);
    let rule = detail.split(" (").next().unwrap_or(detail);
    let (set, name) = rule.split_once(": ").unwrap_or((rule, ""));
    let is_azure = hop.owner == Owner::Azure;
    let place = if is_azure {
        set
    } else {
        name.split(' ').next().unwrap_or_default()
    };
    let what = if name.contains("no rule matches") {
        format!(
            "no {side} rule of {} allows {packet} from {} to {}",
            host.name, sender.name, receiver.name
        )
    } else {
        format!(
            "rule {rule} denies {packet} {side} at {}, from {} to {}",
            host.name, sender.name, receiver.name
        )
    };
    let kind = if is_azure {
        "network security group"
    } else {
        "security list or network security group"
    };
    Fault::new(Layer::Filters, Owner::Customer, &host.name, what)
        .cause(format!("filters/{}/{side}/{rule}", host.name))
        .saw(format!("dropped at {}: {detail}", hop.node))
        .place(format!("filter/{place}/{}", host.name))
        .mend(format!(
            "allow {packet} from {} to {} {side} in the {kind} of {}, and apply",
            sender.address, receiver.address, host.name
        ))
}

fn nobody_listens(seen: &Observations, probe: &Probe) -> Fault {
    let to = &seen.hosts[1];
    let port = match probe.packet {
        Packet::Tcp(port) => port,
        Packet::Echo { .. } => 0,
    };
    if !to.behind.is_empty() {
        return attached::nobody_listens(to, port);
    }
    let listens: Vec<String> = to.listens.iter().map(ToString::to_string).collect();
    let listens = if listens.is_empty() {
        "nothing".to_owned()
    } else {
        listens.join(", ")
    };
    Fault::new(
        Layer::Service,
        Owner::Customer,
        &to.name,
        format!("nobody listens on TCP {port} of {}", to.name),
    )
    .saw(format!(
        "the packet arrived at {} and {} refused it",
        to.name, to.address
    ))
    .saw(format!("listening on {}: {listens}", to.name))
    .place(format!("host/{}", to.name))
    .mend(format!(
        "start the server; in this lab `service \"…\" {{ host = …, tcp = {port} }}` in the lab file"
    ))
}

/// Another station answered, or got it.
fn elsewhere(seen: &Observations, probe: &Probe) -> Fault {
    let to = &seen.hosts[1];
    let got = probe
        .there
        .iter()
        .rev()
        .find(|hop| hop.verdict == HopVerdict::Delivered);
    let who = got.map_or("nobody known", |hop| hop.node.as_str());
    let chosen = probe.there.iter().find(|hop| !hop.route.is_empty());
    let mut fault = Fault::new(
        Layer::Forwarding,
        Owner::Customer,
        &to.name,
        format!(
            "packets for {} go to {who}, which has {} too",
            to.name, to.address
        ),
    )
    .saw(format!("delivered at {who}"))
    .mend("give the two networks ranges that do not overlap");
    if let Some(hop) = chosen {
        fault = fault.saw(format!("{} chooses {}", hop.node, hop.route));
    }
    fault
}
