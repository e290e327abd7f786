//! Why a router sends what it sends for a prefix where it sends it.

use std::net::IpAddr;

use ipnet::IpNet;
use skybridge_blueprint::{NodeName, RouteSource, VrfName};
use skybridge_dataplane::RouteState;
use skybridge_nodes::{BgpPathObservation, RouteObservation, Router};

use crate::document::{Candidate, ErrorDocument, ExplainedTable, Explanation};
use crate::lab::Lab;
use crate::names::no_such;
use crate::show::bgp_routes::status_words;
use crate::show::gateways::hops_words;

/// Explains a prefix or address at a router, or at the router of a host.
pub(crate) fn explain(lab: &Lab, prefix: &str, at: &str) -> Result<Explanation, ErrorDocument> {
    let wanted = parse(prefix)?;
    let (node, only) = place(lab, at)?;
    let Some(router) = lab.network.world.router(&node) else {
        return Err(ErrorDocument {
            message: format!("{node} does not run at present"),
            help: Some(format!("`skybridge heal {node}` starts it")),
            diagnostics: Vec::new(),
        });
    };
    let spec = lab.network.compiled.blueprint.nodes.get(&node);
    let vrfs: Vec<VrfName> = spec
        .and_then(|n| n.as_router())
        .map(|r| r.vrfs.keys().cloned().collect())
        .unwrap_or_default();
    let mut tables = Vec::new();
    let mut summary = Vec::new();
    for vrf in vrfs {
        if only.as_ref().is_some_and(|o| *o != vrf) {
            continue;
        }
        let candidates = candidates(lab, &node, router, &vrf, wanted);
        summary.push(sentence(&vrf, prefix, &candidates));
        if !candidates.is_empty() {
            tables.push(ExplainedTable {
                table: vrf.to_string(),
                candidates,
            });
        }
    }
    Ok(Explanation {
        prefix: prefix.to_owned(),
        at: node.to_string(),
        tables,
        summary,
    })
}

fn parse(prefix: &str) -> Result<IpNet, ErrorDocument> {
    prefix
        .parse::<IpNet>()
        .or_else(|_| prefix.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| ErrorDocument {
            message: format!("{prefix} is neither a prefix nor an address"),
            help: Some("for example 10.1.0.0/16 or 10.1.10.4".to_owned()),
            diagnostics: Vec::new(),
        })
}

/// The router meant, and the one table that matters when a host or subnet was named.
fn place(lab: &Lab, at: &str) -> Result<(NodeName, Option<VrfName>), ErrorDocument> {
    let index = &lab.network.compiled.index;
    let nodes = &lab.network.compiled.blueprint.nodes;
    if let Ok(host) = crate::names::host(lab, at) {
        let host = &index.hosts[&host];
        return Ok((host.router.clone(), Some(host.vrf.clone())));
    }
    if nodes.get(at).is_some_and(|n| n.as_router().is_some()) {
        return Ok((at.into(), None));
    }
    let known = nodes.keys().map(NodeName::as_str);
    Err(no_such("router or host", at, known))
}

/// Every candidate that covers `wanted`, longest first; what BGP knows and does not use behind it.
fn candidates(
    lab: &Lab,
    node: &NodeName,
    router: &Router,
    vrf: &VrfName,
    wanted: IpNet,
) -> Vec<Candidate> {
    let mut covering: Vec<RouteObservation> = (router.routes(vrf).into_iter())
        .filter(|r| r.prefix.contains(&wanted))
        .collect();
    covering.sort_by_key(|r| {
        (
            std::cmp::Reverse(r.prefix.prefix_len()),
            r.state != RouteState::Active,
            r.preference,
        )
    });
    let best_len = covering
        .iter()
        .find(|r| r.state == RouteState::Active)
        .map(|r| r.prefix.prefix_len());
    let mut found: Vec<Candidate> = covering
        .iter()
        .filter(|route| route.source != RouteSource::Bgp)
        .map(|route| {
            let used =
                route.state == RouteState::Active && Some(route.prefix.prefix_len()) == best_len;
            Candidate {
                prefix: route.prefix.to_string(),
                next_hop: hops_words(&route.next_hops),
                source: format!("{:?}", route.source).to_ascii_lowercase(),
                used,
                reason: if used {
                    "longest match".to_owned()
                } else {
                    state_words(route, best_len)
                },
            }
        })
        .collect();
    let bgp_used = covering.iter().find(|r| {
        r.source == RouteSource::Bgp
            && r.state == RouteState::Active
            && Some(r.prefix.prefix_len()) == best_len
    });
    let spec = lab.network.compiled.blueprint.nodes.get(node);
    let instances = spec.and_then(|n| n.as_router()).into_iter().flat_map(|r| {
        r.bgp
            .iter()
            .filter(|(_, bgp)| bgp.tables.contains(vrf))
            .map(|(name, _)| name.clone())
    });
    for instance in instances {
        for route in router.bgp_routes(&instance, vrf) {
            if !route.prefix.contains(&wanted) {
                continue;
            }
            for path in &route.paths {
                let installed = bgp_used.is_some_and(|used| used.prefix == route.prefix);
                found.push(bgp_candidate(&route.prefix, path, installed));
            }
        }
    }
    found.sort_by_key(|candidate| !candidate.used);
    found
}

fn bgp_candidate(prefix: &IpNet, path: &BgpPathObservation, installed: bool) -> Candidate {
    let chosen = matches!(
        path.status,
        skybridge_bgp::RouteStatus::Best | skybridge_bgp::RouteStatus::Multipath
    );
    let source = path.peer.as_ref().map_or_else(
        || "bgp, originated here".to_owned(),
        |peer| format!("bgp from {peer}, path {}", path.attributes.as_path),
    );
    Candidate {
        prefix: prefix.to_string(),
        next_hop: (path.attributes.next_hop).map_or_else(String::new, |n| n.to_string()),
        source,
        used: installed && chosen && path.peer.is_some(),
        reason: match (installed, chosen) {
            (true, _) | (false, false) => status_words(path),
            (false, true) => "best of BGP, but another source or a longer prefix wins".to_owned(),
        },
    }
}

fn state_words(route: &RouteObservation, best_len: Option<u8>) -> String {
    match route.state {
        RouteState::Active if best_len > Some(route.prefix.prefix_len()) => {
            "a longer prefix wins".to_owned()
        }
        RouteState::Active => "in use".to_owned(),
        RouteState::LostByPreference => "another source has preference".to_owned(),
        RouteState::BeyondMultipathLimit => "as good, but the table uses no more paths".to_owned(),
        RouteState::Unusable => {
            "its interface is down or its next hop cannot be reached".to_owned()
        }
    }
}

fn sentence(vrf: &VrfName, prefix: &str, candidates: &[Candidate]) -> String {
    let used: Vec<&Candidate> = candidates.iter().filter(|c| c.used).collect();
    match (used.as_slice(), candidates.len()) {
        ([], 0) => format!("table {vrf} has no route for {prefix}"),
        ([], n) => format!("table {vrf} knows {n} routes for {prefix} and uses none of them"),
        (used, n) => {
            let hops: Vec<String> = used
                .iter()
                .map(|c| format!("{} ({})", c.next_hop, c.source))
                .collect();
            format!(
                "table {vrf} sends {prefix} by {} to {}; {} of {n} candidates",
                used[0].prefix,
                hops.join(" and "),
                used.len()
            )
        }
    }
}
