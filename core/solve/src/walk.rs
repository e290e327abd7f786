//! Following a packet through settled tables.

use std::net::IpAddr;

use skybridge_blueprint::{
    Blueprint, DropKind, Filter, HopVisibility, Host, Interface, InterfaceName, NextHop, Node,
    NodeName, Router, VrfName,
};

use crate::failures::{Across, Apart, Failures, across, port_up};
use crate::filter::{self, Flow};
use crate::tables::Tables;

/// Nodes a walk visits at most; the TTL that hosts send with.
pub const HOPS_MAX: usize = 64;

/// Equal-cost walks that [`walks`] follows at most; further branches are not taken.
pub const WALKS_MAX: usize = 256;

/// Tables of one router a packet is looked up in at most.
const TABLES_MAX: usize = 8;

/// One node on the way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WalkHop {
    /// The node.
    pub node: NodeName,
    /// Where the packet entered; `None` at its source and on hosts.
    pub ingress: Option<InterfaceName>,
    /// Where it left; `None` at its end.
    pub egress: Option<InterfaceName>,
}

/// Why a packet does not arrive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DropCause {
    /// The source is no running host with that address, or has no gateway.
    NoSource,
    /// No route.
    NoRoute,
    /// A route that drops.
    Route(DropKind),
    /// Looked up in too many tables of one router.
    TableLoop,
    /// Too many hops.
    TtlExpired,
    /// The link it should leave by is down.
    LinkDown,
    /// It vanishes on the link.
    LinkSilent,
    /// Nobody across answers for the address (or listens to the tags).
    NoNeighbour(IpAddr),
    /// A filter denies it: the set, and the rule unless none allowed it.
    Filter {
        /// The rule set's name.
        set: String,
        /// The rule's name; empty when no rule allowed it.
        rule: String,
    },
    /// Between two zones that exchange no traffic.
    ForbiddenTransit,
    /// Not a source address that the interface may use.
    SourceCheck,
    /// It reached a host that has not this address.
    NotForHost,
}

/// Where a walk ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// At the node that has the address.
    Delivered,
    /// Dropped at the last hop.
    Dropped(DropCause),
}

/// One way of a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Walk {
    /// The nodes, from the source.
    pub hops: Vec<WalkHop>,
    /// How it ends.
    pub outcome: Outcome,
    /// Something unknown (a rule, a target that is not modelled) could change this.
    pub unknown: bool,
}

impl Walk {
    /// True when it arrives.
    #[must_use]
    pub fn delivered(&self) -> bool {
        self.outcome == Outcome::Delivered
    }
}

/// The first of [`walks`].
#[must_use]
pub fn walk(
    blueprint: &Blueprint,
    failures: &Failures,
    tables: &Tables,
    from: &NodeName,
    flow: &Flow,
) -> Walk {
    let mut all = walks(blueprint, failures, tables, from, flow);
    all.swap_remove(0)
}

/// Every way that `flow` may take from the host `from`, one per choice among equal next hops; never
/// empty.
#[must_use]
pub fn walks(
    blueprint: &Blueprint,
    failures: &Failures,
    tables: &Tables,
    from: &NodeName,
    flow: &Flow,
) -> Vec<Walk> {
    let mut walker = Walker {
        blueprint,
        failures,
        tables,
        flow,
        done: Vec::new(),
    };
    let trail = Trail {
        hops: vec![WalkHop {
            node: from.clone(),
            ingress: None,
            egress: None,
        }],
        ttl: HOPS_MAX,
        unknown: false,
    };
    walker.leave_host(from, trail);
    walker.done
}

#[derive(Clone)]
struct Trail {
    hops: Vec<WalkHop>,
    ttl: usize,
    unknown: bool,
}

struct Walker<'a> {
    blueprint: &'a Blueprint,
    failures: &'a Failures,
    tables: &'a Tables,
    flow: &'a Flow,
    done: Vec<Walk>,
}

/// Where the packet is to go from a router, after its tables.
struct Egress {
    interface: InterfaceName,
    neighbour: IpAddr,
}

impl<'a> Walker<'a> {
    fn end(&mut self, trail: Trail, outcome: Outcome) {
        let not_modelled = Outcome::Dropped(DropCause::Route(DropKind::NotModelled));
        self.done.push(Walk {
            unknown: trail.unknown || outcome == not_modelled,
            hops: trail.hops,
            outcome,
        });
    }

    fn drop(&mut self, trail: Trail, cause: DropCause) {
        self.end(trail, Outcome::Dropped(cause));
    }

    fn leave_host(&mut self, node: &NodeName, trail: Trail) {
        let host = self.blueprint.nodes.get(node).and_then(Node::as_host);
        let Some(host) = host.filter(|_| self.failures.runs(node)) else {
            return self.drop(trail, DropCause::NoSource);
        };
        let (src, dst) = (self.flow.src, self.flow.dst);
        if !owns_host(host, src) {
            return self.drop(trail, DropCause::NoSource);
        }
        if owns_host(host, dst) {
            return self.end(trail, Outcome::Delivered);
        }
        let on_link = host.addresses.iter().any(|net| net.contains(&dst));
        let gateway = host
            .gateways
            .iter()
            .find(|g| g.is_ipv4() == dst.is_ipv4())
            .copied();
        let Some(neighbour) = (if on_link { Some(dst) } else { gateway }) else {
            return self.drop(trail, DropCause::NoRoute);
        };
        let untagged = skybridge_blueprint::Tagging::Untagged;
        let far = across(self.blueprint, self.failures, node, &host.port, untagged);
        self.cross(far, neighbour, trail);
    }

    /// Over a link to whoever answers for `neighbour`.
    fn cross(&mut self, far: Result<Across<'a>, Apart>, neighbour: IpAddr, trail: Trail) {
        match far {
            Err(Apart::Down) => self.drop(trail, DropCause::LinkDown),
            Err(Apart::Silent) => self.drop(trail, DropCause::LinkSilent),
            Err(Apart::Tags) => self.drop(trail, DropCause::NoNeighbour(neighbour)),
            Ok(Across::Host(_, host)) if !owns_host(host, neighbour) => {
                self.drop(trail, DropCause::NoNeighbour(neighbour));
            }
            Ok(Across::Host(node, host)) => {
                let mut trail = trail;
                trail.hops.push(WalkHop {
                    node: node.clone(),
                    ingress: None,
                    egress: None,
                });
                if owns_host(host, self.flow.dst) {
                    self.end(trail, Outcome::Delivered);
                } else {
                    self.drop(trail, DropCause::NotForHost);
                }
            }
            Ok(Across::Router(node, name, interface)) => {
                let owns = interface.addresses.iter().any(|n| n.addr() == neighbour);
                if !owns && !self.answers_for(node, name, interface, neighbour) {
                    return self.drop(trail, DropCause::NoNeighbour(neighbour));
                }
                let mut trail = trail;
                trail.hops.push(WalkHop {
                    node: node.clone(),
                    ingress: Some(name.clone()),
                    egress: None,
                });
                self.enter_router(node, interface, trail);
            }
        }
    }

    /// Proxy ARP: for any address that would not be sent back out of the same interface.
    fn answers_for(
        &self,
        node: &NodeName,
        name: &InterfaceName,
        interface: &Interface,
        address: IpAddr,
    ) -> bool {
        let back = self
            .tables
            .lookup(node, &interface.vrf, address)
            .is_some_and(|(_, routes)| {
                routes.iter().any(|route| match &route.next_hop {
                    NextHop::Via { interface, .. } | NextHop::Connected { interface } => {
                        interface == name
                    }
                    NextHop::Table { .. } | NextHop::Drop(_) => false,
                })
            });
        interface.proxy_arp && !back
    }

    fn filtered(
        &self,
        node: &NodeName,
        filter: Option<&Filter>,
        trail: &mut Trail,
    ) -> Result<(), DropCause> {
        let Some(filter) = filter else {
            return Ok(());
        };
        let learned = |vrf: &VrfName, address| self.tables.is_learned(node, vrf, address);
        let judgement = filter::judge(filter, self.flow, &learned);
        trail.unknown |= judgement.unknown;
        match judgement.denied {
            Some((set, rule)) => Err(DropCause::Filter { set, rule }),
            None => Ok(()),
        }
    }

    fn enter_router(&mut self, node: &NodeName, interface: &Interface, mut trail: Trail) {
        let Some(router) = self.blueprint.nodes.get(node).and_then(Node::as_router) else {
            return self.drop(trail, DropCause::NoSource);
        };
        if let Some(allowed) = &interface.source_check
            && !allowed.iter().any(|net| net.contains(&self.flow.src))
        {
            return self.drop(trail, DropCause::SourceCheck);
        }
        if let Err(cause) = self.filtered(node, interface.filter_in.as_ref(), &mut trail) {
            return self.drop(trail, cause);
        }
        let routed = self.route(node, router, &interface.vrf);
        let is_own = matches!(routed, Ok(Routed::Here) | Err(DropCause::NoRoute));
        if !is_own && let Err(cause) = self.filtered(node, router.inspection.as_ref(), &mut trail) {
            return self.drop(trail, cause);
        }
        let (routed, lost) = match routed {
            Ok(Routed::Here) => return self.end(trail, Outcome::Delivered),
            Ok(Routed::Onward(routed, cause)) => (routed, cause),
            Err(cause) => return self.drop(trail, cause),
        };
        if router.visibility != HopVisibility::Transparent {
            trail.ttl -= 1;
        }
        if trail.ttl == 0 || trail.hops.len() > 2 * HOPS_MAX {
            return self.drop(trail, DropCause::TtlExpired);
        }
        if let Some(cause) = lost {
            self.drop(trail.clone(), cause);
        }
        for (branch, egress) in routed.into_iter().enumerate() {
            if branch > 0 && self.done.len() >= WALKS_MAX {
                return;
            }
            self.leave_router(node, router, interface, &egress, trail.clone());
        }
    }

    /// Looks the destination up, through as many tables as it takes.
    fn route(&self, node: &NodeName, router: &Router, vrf: &VrfName) -> Result<Routed, DropCause> {
        let dst = self.flow.dst;
        let mut pending = vec![(vrf.clone(), 0)];
        let mut onward = Vec::new();
        let mut cause = None;
        while let Some((vrf, depth)) = pending.pop() {
            if depth == TABLES_MAX {
                cause = Some(DropCause::TableLoop);
                continue;
            }
            let own = router
                .interfaces
                .values()
                .filter(|i| i.vrf == vrf)
                .any(|i| i.addresses.iter().any(|n| n.addr() == dst));
            if own {
                return Ok(Routed::Here);
            }
            let Some((_, routes)) = self.tables.lookup(node, &vrf, dst) else {
                cause = Some(DropCause::NoRoute);
                continue;
            };
            for route in routes {
                match &route.next_hop {
                    NextHop::Via { interface, address } => onward.push(Egress {
                        interface: interface.clone(),
                        neighbour: *address,
                    }),
                    NextHop::Connected { interface } => onward.push(Egress {
                        interface: interface.clone(),
                        neighbour: dst,
                    }),
                    NextHop::Table { vrf } => pending.push((vrf.clone(), depth + 1)),
                    NextHop::Drop(kind) => cause = Some(DropCause::Route(*kind)),
                }
            }
        }
        match (onward.is_empty(), cause) {
            (false, cause) => Ok(Routed::Onward(onward, cause)),
            (true, cause) => Err(cause.unwrap_or(DropCause::NoRoute)),
        }
    }

    fn leave_router(
        &mut self,
        node: &NodeName,
        router: &Router,
        ingress: &Interface,
        egress: &Egress,
        mut trail: Trail,
    ) {
        let Some(interface) = router.interfaces.get(&egress.interface) else {
            return self.drop(trail, DropCause::NoRoute);
        };
        if let Some(last) = trail.hops.last_mut() {
            last.egress = Some(egress.interface.clone());
        }
        let forbidden = router.forbidden_transit.iter().any(|(a, b)| {
            let pair = (ingress.zone, interface.zone);
            pair == (Some(*a), Some(*b)) || pair == (Some(*b), Some(*a))
        });
        if forbidden {
            return self.drop(trail, DropCause::ForbiddenTransit);
        }
        if let Err(cause) = self.filtered(node, interface.filter_out.as_ref(), &mut trail) {
            return self.drop(trail, cause);
        }
        if !port_up(self.blueprint, self.failures, node, &interface.port) {
            return self.drop(trail, DropCause::LinkDown);
        }
        let (blueprint, failures) = (self.blueprint, self.failures);
        let far = across(
            blueprint,
            failures,
            node,
            &interface.port,
            interface.tagging,
        );
        self.cross(far, egress.neighbour, trail);
    }
}

enum Routed {
    Here,
    /// By each of these, or perhaps dropped on the way through the tables.
    Onward(Vec<Egress>, Option<DropCause>),
}

fn owns_host(host: &Host, address: IpAddr) -> bool {
    host.addresses.iter().any(|net| net.addr() == address)
}
