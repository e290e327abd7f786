//! BGP routes in the forwarding tables: next hops are resolved in the table of the peer's interface
//! and resolved again when that table changes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Bound;

use ipnet::IpNet;
use skybridge_base::Instant;
use skybridge_bgp::{BestPath, Source};
use skybridge_blueprint::{RouteSource, VrfName};
use skybridge_dataplane::{Candidate, InterfaceIndex, RouteHop, TableIndex};

use crate::Outbox;
use crate::router::Router;

/// Administrative distance of external and internal routes, as most routers have it.
const EXTERNAL: u8 = 20;
const INTERNAL: u8 = 200;

/// Routes resolved again per call: a millisecond or two of work.
const RESOLVED_PER_CALL: usize = 512;
/// Tables walked to resolve one next hop.
const TABLES_MAX: usize = 8;

/// What the speakers chose, before resolution.
#[derive(Debug, Default)]
pub(super) struct Rib {
    /// Per prefix the choice of each instance that has one, by name.
    routes: BTreeMap<(TableIndex, IpNet), Vec<Chosen>>,
    /// Routes without a usable next hop, or whose next hop another BGP route leads to.
    dependents: BTreeSet<(TableIndex, IpNet)>,
    /// A table changed since the dependents were last resolved.
    stirred: bool,
    /// Where going over all routes stands: what is beyond waits.
    all: Option<Bound<Key>>,
    /// The same for the dependents.
    rest: Option<Bound<Key>>,
    /// Times that the dependents may still be gone over. Each pass can only settle routes whose next
    /// hop's route settled before; a chain of more links stays as it is until the next change.
    passes: usize,
}

/// A route of a table.
type Key = (TableIndex, IpNet);

impl Rib {
    /// Every route waits.
    fn begin(&mut self) {
        self.all = Some(Bound::Unbounded);
        self.passes = TABLES_MAX;
    }

    /// True while routes wait to be resolved again.
    pub(super) const fn is_waiting(&self) -> bool {
        self.all.is_some() || self.rest.is_some() || (self.stirred && self.passes > 0)
    }

    /// The next routes to resolve again, at most `most`; none when nothing waits.
    fn next_waiting(&mut self, most: usize) -> Vec<Key> {
        if let Some(from) = self.all.take() {
            let waiting = self.routes.range((from, Bound::Unbounded));
            let keys: Vec<Key> = waiting.take(most).map(|(key, _)| *key).collect();
            if !keys.is_empty() {
                self.all = keys.last().copied().map(Bound::Excluded);
                return keys;
            }
        }
        loop {
            let from = match self.rest.take() {
                Some(from) => from,
                None if self.stirred && self.passes > 0 => {
                    self.passes -= 1;
                    self.stirred = false;
                    Bound::Unbounded
                }
                None => return Vec::new(),
            };
            let waiting = self.dependents.range((from, Bound::Unbounded));
            let keys: Vec<Key> = waiting.take(most).copied().collect();
            if !keys.is_empty() {
                self.rest = keys.last().copied().map(Bound::Excluded);
                return keys;
            }
        }
    }

    fn remove(&mut self, key: (TableIndex, IpNet), instance: &str) {
        if let Some(all) = self.routes.get_mut(&key) {
            all.retain(|chosen| chosen.instance != instance);
            if all.is_empty() {
                self.routes.remove(&key);
            }
        }
    }
}

#[derive(Clone, Debug)]
struct Chosen {
    instance: String,
    preference: u8,
    paths: Vec<Path>,
}

#[derive(Clone, Copy, Debug)]
struct Path {
    next_hop: IpAddr,
    /// Where the peer is.
    interface: InterfaceIndex,
    /// The next hop is the peer itself.
    is_peer: bool,
    /// The table in which other next hops are looked up.
    table: TableIndex,
}

/// What resolving found.
struct Resolved {
    hops: Vec<RouteHop>,
    dependent: bool,
}

impl Router {
    /// A speaker's choice for a prefix changed.
    pub(super) fn on_best(
        &mut self,
        name: &str,
        vrf: &VrfName,
        net: IpNet,
        paths: &[BestPath],
        out: &mut Outbox,
    ) {
        let Some(table) = self.table_by_name.get(vrf).copied() else {
            return;
        };
        let control = &self.control;
        let Some(instance) = control.instances.get(name) else {
            return;
        };
        let mut preference = EXTERNAL;
        let mut chosen = Vec::new();
        // A route of our own stands for what the table has already.
        let ours = paths.first().is_none_or(|p| p.source == Source::Local);
        for path in paths {
            let Source::Peer(id) = path.source else {
                continue;
            };
            let peer = instance
                .by_id
                .get(&id)
                .and_then(|at| control.peers[*at].as_ref());
            if let (Some(peer), Some(next_hop), false) = (peer, path.next_hop, ours) {
                if chosen.is_empty() && !peer.external {
                    preference = INTERNAL;
                }
                chosen.push(Path {
                    next_hop,
                    interface: peer.interface,
                    is_peer: next_hop == peer.spec.remote,
                    table: peer.table,
                });
            }
        }
        let key = (table, net);
        let rib = &mut self.control.rib;
        rib.remove(key, name);
        if !chosen.is_empty() {
            let all = rib.routes.entry(key).or_default();
            let at = all.partition_point(|c| c.instance.as_str() < name);
            let chosen = Chosen {
                instance: name.to_owned(),
                preference,
                paths: chosen,
            };
            all.insert(at, chosen);
        }
        self.control.rib.passes = TABLES_MAX;
        self.install(key, out);
    }

    /// Brings one route into its table, or out of it.
    fn install(&mut self, key: (TableIndex, IpNet), out: &mut Outbox) {
        let (table, net) = key;
        let mut dependent = false;
        let mut candidates = Vec::new();
        for chosen in self.control.rib.routes.get(&key).into_iter().flatten() {
            let resolved = self.resolve_paths(net, chosen);
            dependent |= resolved.dependent;
            if !resolved.hops.is_empty() {
                candidates.push(Candidate {
                    source: RouteSource::Bgp,
                    preference: chosen.preference,
                    hops: resolved.hops,
                    usable: true,
                });
            }
        }
        let rib = &mut self.control.rib;
        if dependent {
            rib.dependents.insert(key);
        } else {
            rib.dependents.remove(&key);
        }
        let Some(state) = self.tables.get_mut(usize::from(table.0)) else {
            return;
        };
        let is_bgp = |c: &Candidate| c.source == RouteSource::Bgp;
        if state.fib.replace(net, is_bgp, candidates) {
            self.control.rib.stirred = true;
            self.routes_changed(table, &[net], out);
        }
    }

    fn resolve_paths(&self, net: IpNet, chosen: &Chosen) -> Resolved {
        let mut all = Resolved {
            hops: Vec::new(),
            dependent: false,
        };
        for path in &chosen.paths {
            let one = if self.is_on_link(path) {
                Resolved {
                    hops: vec![RouteHop::Via {
                        interface: path.interface,
                        address: path.next_hop,
                    }],
                    dependent: false,
                }
            } else {
                self.resolve_next_hop(net, path.table, path.next_hop)
            };
            all.dependent |= one.dependent || one.hops.is_empty();
            for hop in one.hops {
                if !all.hops.contains(&hop) {
                    all.hops.push(hop);
                }
            }
        }
        all
    }

    /// True when the next hop is a neighbour on the peer's own link, whether or not the link's network
    /// is among the routes.
    fn is_on_link(&self, path: &Path) -> bool {
        let nets = &self.interface(path.interface).addresses;
        let is_near = path.is_peer || nets.iter().any(|net| net.contains(&path.next_hop));
        is_near && self.is_up(path.interface) && !self.interface(path.interface).owns(path.next_hop)
    }

    /// RFC 4271 §9.1.2.1: the route to the next hop must not be the route that is being resolved.
    fn resolve_next_hop(&self, net: IpNet, table: TableIndex, next_hop: IpAddr) -> Resolved {
        let mut found = Resolved {
            hops: Vec::new(),
            dependent: false,
        };
        let mut table = table;
        for _ in 0..TABLES_MAX {
            let Some(route) = self.table(table).fib.lookup(next_hop) else {
                return found;
            };
            if route.source == RouteSource::Bgp {
                found.dependent = true;
                if route.prefix == net {
                    return found;
                }
            }
            if let [RouteHop::Table(next)] = route.hops {
                table = *next;
                continue;
            }
            for hop in route.hops {
                match hop {
                    RouteHop::Connected { interface } => found.hops.push(RouteHop::Via {
                        interface: *interface,
                        address: next_hop,
                    }),
                    RouteHop::Via { .. } => found.hops.push(*hop),
                    RouteHop::Local { .. } | RouteHop::Table(_) | RouteHop::Drop(_) => {}
                }
            }
            return found;
        }
        found
    }

    /// Resolves every route again: a link or the description changed. What is more than one turn's
    /// work follows at once, in turns of its own.
    pub(in crate::router) fn resolve_all(&mut self, now: Instant, out: &mut Outbox) {
        self.control.rib.begin();
        self.resolve_some(out);
        self.control.rearm_routes(now);
    }

    /// Resolves again what waits for it, at most [`RESOLVED_PER_CALL`] routes: every route after
    /// [`Router::resolve_all`], and what rests on other BGP routes after some of those changed.
    /// True when some still wait.
    pub(super) fn resolve_some(&mut self, out: &mut Outbox) -> bool {
        let mut left = RESOLVED_PER_CALL;
        loop {
            let keys = self.control.rib.next_waiting(left);
            left -= keys.len();
            for key in &keys {
                self.install(*key, out);
            }
            if keys.is_empty() || left == 0 {
                return self.control.rib.is_waiting();
            }
        }
    }

    /// Forgets what instances brought into tables that are theirs no more.
    pub(super) fn forget_routes(
        &mut self,
        gone: impl Fn(&str, TableIndex) -> bool,
        out: &mut Outbox,
    ) {
        let mut touched = Vec::new();
        self.control.rib.routes.retain(|key, all| {
            let before = all.len();
            all.retain(|chosen| !gone(&chosen.instance, key.0));
            if all.len() != before {
                touched.push(*key);
            }
            !all.is_empty()
        });
        for key in touched {
            self.install(key, out);
        }
    }
}
