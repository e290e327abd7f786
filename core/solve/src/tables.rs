//! Forwarding tables.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use skybridge_base::Asn;
use skybridge_blueprint::{
    Blueprint, InterfaceName, NextHop, NodeName, RouteSource, Router, VrfName,
};

use crate::bgp::{self, LocRib};
use crate::failures::{Failures, port_up};
use crate::path::{Path, PathFrom};
use crate::sessions::{self, SessionId, SessionVerdict};

/// Preference of a route learned from another AS.
const PREFERENCE_EXTERNAL: u8 = 20;
/// Preference of a route learned inside the AS.
const PREFERENCE_INTERNAL: u8 = 200;

/// One next hop in use.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Route {
    /// Where it leads.
    pub next_hop: NextHop,
    /// Where it comes from.
    pub source: RouteSource,
    /// Lower won.
    pub preference: u8,
    /// AS_PATH of a BGP route.
    pub as_path: Vec<Asn>,
}

/// A routing table: per prefix the equal next hops in use.
pub type RouteTable = BTreeMap<IpNet, Vec<Route>>;

/// Everything that is settled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tables {
    routes: BTreeMap<(NodeName, VrfName), RouteTable>,
    ribs: BTreeMap<(NodeName, String, VrfName), LocRib>,
    /// Every configured session.
    pub sessions: BTreeMap<SessionId, SessionVerdict>,
    /// False when the rounds go in circles: there is no stable state, or several, and which one a
    /// running network takes depends on the order of its messages. The tables are then those of one
    /// state on the way.
    pub converged: bool,
}

impl Tables {
    /// The routes of one table; `None` when there is no such table or its router does not run.
    #[must_use]
    pub fn routes(&self, node: &NodeName, vrf: &VrfName) -> Option<&RouteTable> {
        self.routes.get(&(node.clone(), vrf.clone()))
    }

    /// Every table of every router that runs.
    pub fn iter(&self) -> impl Iterator<Item = (&NodeName, &VrfName, &RouteTable)> {
        self.routes
            .iter()
            .map(|((node, vrf), table)| (node, vrf, table))
    }

    /// The BGP paths of one instance into one table, per prefix, best first.
    #[must_use]
    pub fn bgp_paths(
        &self,
        node: &NodeName,
        instance: &str,
        table: &VrfName,
    ) -> Option<&BTreeMap<IpNet, Vec<Path>>> {
        let key = (node.clone(), instance.to_owned(), table.clone());
        self.ribs.get(&key)
    }

    /// The longest match.
    #[must_use]
    pub fn lookup(
        &self,
        node: &NodeName,
        vrf: &VrfName,
        address: IpAddr,
    ) -> Option<(IpNet, &[Route])> {
        let (prefix, routes) = self
            .routes(node, vrf)?
            .iter()
            .filter(|(prefix, _)| prefix.contains(&address))
            .max_by_key(|(prefix, _)| prefix.prefix_len())?;
        Some((*prefix, routes))
    }

    /// True when any instance of the router learned a route into the table, in use or not, that
    /// covers the address.
    pub(crate) fn is_learned(&self, node: &NodeName, vrf: &VrfName, address: IpAddr) -> bool {
        let learned = |paths: &Vec<Path>| paths.iter().any(|p| p.from != PathFrom::Here);
        self.ribs
            .iter()
            .filter(|((n, _, v), _)| n == node && v == vrf)
            .flat_map(|(_, rib)| rib)
            .any(|(prefix, paths)| prefix.contains(&address) && learned(paths))
    }
}

/// The settled state of `blueprint` with `failures`.
#[must_use]
pub fn solve(blueprint: &Blueprint, failures: &Failures) -> Tables {
    let (mut sessions, mut partners) = sessions::judge(blueprint, failures);
    let outcome = bgp::run(blueprint, &mut sessions, &mut partners);
    let mut routes = BTreeMap::new();
    for (node, description) in &blueprint.nodes {
        let Some(router) = description.as_router() else {
            continue;
        };
        if !failures.runs(node) {
            continue;
        }
        let up = |interface: &InterfaceName| {
            let interface = router.interfaces.get(interface);
            interface.is_some_and(|i| port_up(blueprint, failures, node, &i.port))
        };
        for (vrf, table) in &router.vrfs {
            let mut candidates = configured(router, vrf, &up);
            for (instance, bgp) in &router.bgp {
                let key = (node.clone(), instance.clone(), vrf.clone());
                for (prefix, paths) in outcome.ribs.get(&key).into_iter().flatten() {
                    let reachable = |path: &Path| match (&path.from, path.next_hop) {
                        (PathFrom::Peer { peer, .. }, Some(hop)) => bgp
                            .peers
                            .get(peer)
                            .and_then(|peer| bgp::outgoing(router, vrf, peer, hop))
                            .is_some_and(|interface| up(&interface)),
                        (PathFrom::Peer { .. } | PathFrom::Here, _) => true,
                    };
                    let paths: Vec<Path> = paths.iter().filter(|p| reachable(p)).cloned().collect();
                    let used = learned(router, vrf, bgp, &paths, table.ecmp_max);
                    candidates.entry(*prefix).or_default().extend(used);
                }
            }
            let chosen = candidates
                .into_iter()
                .map(|(prefix, routes)| (prefix, choose(routes, table.ecmp_max)))
                .filter(|(_, routes)| !routes.is_empty())
                .collect();
            routes.insert((node.clone(), vrf.clone()), chosen);
        }
    }
    Tables {
        routes,
        ribs: outcome.ribs,
        sessions,
        converged: outcome.converged,
    }
}

/// Connected networks and configured routes whose interface is up.
fn configured(
    router: &Router,
    vrf: &VrfName,
    up: &impl Fn(&InterfaceName) -> bool,
) -> BTreeMap<IpNet, Vec<Route>> {
    let mut candidates: BTreeMap<IpNet, Vec<Route>> = BTreeMap::new();
    let mut add = |prefix: IpNet, next_hop: NextHop, source, preference| {
        let route = Route {
            next_hop,
            source,
            preference,
            as_path: Vec::new(),
        };
        candidates.entry(prefix.trunc()).or_default().push(route);
    };
    for (name, interface) in &router.interfaces {
        if interface.vrf != *vrf || !interface.connected_routes || !up(name) {
            continue;
        }
        for net in &interface.addresses {
            // A network of one address is the interface's own address, not a route to others.
            if net.prefix_len() < net.max_prefix_len() {
                let interface = name.clone();
                let hop = NextHop::Connected { interface };
                add(*net, hop, RouteSource::Connected, 0);
            }
        }
    }
    for route in router.vrfs.get(vrf).into_iter().flat_map(|t| &t.routes) {
        let usable = match &route.next_hop {
            NextHop::Via { interface, .. } | NextHop::Connected { interface } => up(interface),
            NextHop::Table { .. } | NextHop::Drop(_) => true,
        };
        if usable {
            add(
                route.prefix,
                route.next_hop.clone(),
                route.source,
                route.preference,
            );
        }
    }
    candidates
}

/// The best BGP path and those of equal cost, at most `ecmp_max`.
fn learned(
    router: &Router,
    vrf: &VrfName,
    bgp: &skybridge_blueprint::BgpInstance,
    paths: &[Path],
    ecmp_max: u8,
) -> Vec<Route> {
    let Some(best) = paths.first() else {
        return Vec::new();
    };
    paths
        .iter()
        .filter(|path| path.equal_cost(best))
        .take(usize::from(ecmp_max.max(1)))
        .filter_map(|path| {
            // What originates here is announced, not forwarded along.
            let PathFrom::Peer { peer, external, .. } = &path.from else {
                return None;
            };
            let address = path.next_hop?;
            let interface = bgp::outgoing(router, vrf, bgp.peers.get(peer)?, address)?;
            Some(Route {
                next_hop: NextHop::Via { interface, address },
                source: RouteSource::Bgp,
                preference: if *external {
                    PREFERENCE_EXTERNAL
                } else {
                    PREFERENCE_INTERNAL
                },
                as_path: path.as_path.clone(),
            })
        })
        .collect()
}

/// Those with the least preference, then of the earliest source; at most `ecmp_max` next hops.
fn choose(mut routes: Vec<Route>, ecmp_max: u8) -> Vec<Route> {
    let Some(best) = routes.iter().map(|r| (r.preference, r.source)).min() else {
        return routes;
    };
    routes.retain(|r| (r.preference, r.source) == best);
    routes.sort_by(|a, b| a.next_hop.cmp(&b.next_hop));
    routes.dedup_by(|a, b| a.next_hop == b.next_hop);
    routes.truncate(usize::from(ecmp_max.max(1)));
    routes
}
