//! The path of a packet, hop by hop, as it really went.

use skybridge_blueprint::{HopVisibility, NodeName, Tagging};
use skybridge_nodes::{Hop, HopVerdict};

use crate::document::{HopRow, TraceReport};
use crate::lab::Lab;
use crate::probe::{Finished, Outcome, drop_words};
use crate::show::gateways::hop_words;

/// What a finished probe saw.
pub(crate) fn report(lab: &Lab, from: &NodeName, to: &str, finished: &Finished) -> TraceReport {
    let target = finished.hops.first().map(|(_, hop)| hop.dst);
    let (there, back): (Vec<_>, Vec<_>) = finished
        .hops
        .iter()
        .partition(|(_, hop)| Some(hop.dst) == target);
    let unknown = finished.hops.iter().any(|(_, hop)| {
        hop.doubtful || matches!(&hop.verdict, HopVerdict::Dropped { unknown: true, .. })
    });
    let (ok, outcome) = match &finished.outcome {
        Outcome::Answered { .. } if finished.void => (
            true,
            "delivered both ways; no time is given, since the world's clock slipped meanwhile"
                .to_owned(),
        ),
        Outcome::Answered { rtt, .. } => (
            true,
            format!("delivered both ways in {} µs", rtt.as_micros()),
        ),
        Outcome::Refused => (
            true,
            "delivered both ways; the host refuses the port".to_owned(),
        ),
        Outcome::Failed { why, .. } => (false, why.clone()),
    };
    let rows =
        |hops: &[&(NodeName, Hop)]| hops.iter().map(|(node, hop)| row(lab, node, hop)).collect();
    TraceReport {
        from: from.to_string(),
        to: to.to_owned(),
        forward: rows(&there),
        back: rows(&back),
        outcome,
        ok,
        unknown,
    }
}

fn row(lab: &Lab, node: &NodeName, hop: &Hop) -> HopRow {
    let spec = lab.network.compiled.blueprint.nodes.get(node);
    // Layer 2 is nobody's hop.
    let hidden = spec.is_some_and(|n| n.as_switch().is_some())
        || spec
            .and_then(|n| n.as_router())
            .is_some_and(|r| r.visibility != HopVisibility::Visible);
    HopRow {
        node: node.to_string(),
        role: spec.map_or("", |n| n.role.label()).to_owned(),
        hidden,
        ingress: hop
            .ingress
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        tags: hop.tags_in.map_or_else(String::new, tag_words),
        vrf: hop
            .vrf
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        route: hop
            .route
            .as_ref()
            .map_or_else(String::new, |(prefix, next_hop, source)| {
                let source = format!("{source:?}").to_ascii_lowercase();
                format!("{prefix} {} ({source})", hop_words(next_hop))
            }),
        ttl: hop.ttl,
        verdict: match &hop.verdict {
            HopVerdict::Forwarded { egress, tags } => {
                let on = match tag_words(*tags).as_str() {
                    "" => format!("forwarded to {egress}"),
                    tags => format!("forwarded to {egress} with {tags}"),
                };
                match hop.allowed_by.as_str() {
                    "" => on,
                    rule => format!("{on}, allowed by {rule}"),
                }
            }
            HopVerdict::Delivered => "delivered".to_owned(),
            HopVerdict::Dropped { reason, detail, .. } => {
                format!("dropped: {}", drop_words(node, *reason, detail))
            }
        },
    }
}

/// Tags in words; empty without.
fn tag_words(tagging: Tagging) -> String {
    match tagging {
        Tagging::Untagged => String::new(),
        Tagging::Dot1q(c) => format!("C {c}"),
        Tagging::QinQ { s_tag, c_tag } => format!("S {s_tag} C {c_tag}"),
    }
}
