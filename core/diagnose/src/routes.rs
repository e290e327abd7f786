//! Why a router has no route for an address.

use std::collections::BTreeSet;

use skybridge_blueprint::Owner;

use crate::fault::Fault;
use crate::layer::Layer;
use crate::observation::{Adjacency, Observations, SessionEnd, Towards};

/// What is found behind a missing route: things of its own, or broken adjacencies.
pub(crate) enum Behind {
    /// A fault of routing itself.
    Fault(Box<Fault>),
    /// These adjacencies are broken, by place in the observations.
    Adjacencies(Vec<usize>),
    /// The circuits on the way are not there.
    Circuits,
}

/// Follows a missing route to where it ends: `table` of `node` has none for the host `towards`.
pub(crate) fn missing(
    seen: &Observations,
    broken: &[bool],
    (node, table): (&str, &str),
    towards: Towards,
) -> Behind {
    let mut walk = Walk {
        seen,
        broken,
        towards,
        visited: BTreeSet::new(),
        dead: Vec::new(),
        nothing_on: false,
    };
    if let Some(fault) = walk.at(node, Some(table)) {
        return Behind::Fault(Box::new(fault));
    }
    if !walk.dead.is_empty() {
        return Behind::Adjacencies(walk.dead);
    }
    if walk.nothing_on || seen.circuits.iter().any(|c| !c.is_provisioned) {
        return Behind::Circuits;
    }
    let host = &seen.hosts[towards.index()];
    Behind::Fault(Box::new(walk.fault(
        node,
        table,
        format!(
            "{node} has no route for {}, and nobody offers one",
            host.address
        ),
    )))
}

struct Walk<'a> {
    seen: &'a Observations,
    broken: &'a [bool],
    towards: Towards,
    visited: BTreeSet<String>,
    dead: Vec<usize>,
    /// A router with nothing further on towards the host.
    nothing_on: bool,
}

impl<'a> Walk<'a> {
    fn fault(&self, node: &str, table: &str, what: String) -> Fault {
        Fault::new(Layer::Routes, Owner::Customer, node, what)
            .place(format!("table/{node}/{table}"))
    }

    /// Adjacencies of a router that lead on: its end nearer to the asker, the end further on.
    fn onward(&self, node: &str) -> Vec<(usize, &'a Adjacency, usize)> {
        let near = match self.towards {
            Towards::To => 0,
            Towards::From => 1,
        };
        (self.seen.adjacencies.iter().enumerate())
            .filter(|(_, adjacency)| !adjacency.is_access && adjacency.ends[near].node == node)
            .map(|(index, adjacency)| (index, adjacency, near))
            .collect()
    }

    fn at(&mut self, node: &str, table: Option<&str>) -> Option<Fault> {
        if !self.visited.insert(node.to_owned()) {
            return None;
        }
        let host = &self.seen.hosts[self.towards.index()];
        let address = host.address;
        let onward = self.onward(node);
        let with_sessions: Vec<_> = (onward.iter())
            .filter_map(|(index, adjacency, near)| {
                Some((
                    *index,
                    *adjacency,
                    adjacency.sessions[*near].as_ref()?,
                    1 - near,
                ))
            })
            .collect();
        if let Some(table) = table
            && let Some(fault) = self.elsewhere(node, table)
        {
            return Some(fault);
        }
        for (_, adjacency, session, far) in &with_sessions {
            if let Some(fault) = self.refused(node, table, session, adjacency, *far) {
                return Some(fault);
            }
        }
        if with_sessions.is_empty() {
            return self.last(node, table, !onward.is_empty());
        }
        let mut asked = false;
        for (index, adjacency, session, far) in with_sessions {
            if !session.is_up || self.broken.get(index) == Some(&true) {
                self.dead.push(index);
                continue;
            }
            asked = true;
            let next = adjacency.ends[far].node.clone();
            let offered = (adjacency.sessions[far].as_ref())
                .is_some_and(|s| s.sent[self.towards.index()].is_some());
            if offered {
                continue;
            }
            if let Some(fault) = self.at(&next, None) {
                return Some(fault.saw(format!("{next} does not announce {address} to {node}")));
            }
        }
        // What is broken further on counts only where no session of this router is broken already.
        let _ = asked;
        None
    }

    /// Another table of the router has it.
    fn elsewhere(&self, node: &str, table: &str) -> Option<Fault> {
        let view = self.seen.routers.get(node)?;
        let at = self.towards.index();
        let label = view.tables.iter().find(|t| t.name == table)?;
        let other = (view.tables.iter()).find(|t| t.name != table && t.route[at].is_some())?;
        let address = self.seen.hosts[at].address;
        let is_vnet = view.role == "VNet router";
        let is_vcn = view.role == "VCN router";
        if is_vcn {
            return None;
        }
        let what = if is_vnet {
            format!("the gateway's routes do not reach {}", label.label)
        } else {
            format!(
                "{} of {node} does not take the route for {address}",
                label.label
            )
        };
        let fault = self
            .fault(node, table, what)
            .saw(format!("{} has no route for {address}", label.label))
            .saw(format!(
                "{} has {}",
                other.label,
                other.route[at].as_deref().unwrap_or_default()
            ));
        Some(if is_vnet {
            fault.mend("set `bgp_route_propagation_enabled = true` on its route table and apply")
        } else {
            fault.mend(
                "let the table's import distribution take it (`import_drg_route_distribution_id`), and apply",
            )
        })
    }

    /// The other end has sent it, and it is not used here.
    fn refused(
        &self,
        node: &str,
        table: Option<&str>,
        session: &SessionEnd,
        adjacency: &Adjacency,
        far: usize,
    ) -> Option<Fault> {
        let at = self.towards.index();
        let other = adjacency.sessions[far].as_ref().filter(|_| session.is_up)?;
        let sent = other.sent[at].as_ref()?;
        let peer = &adjacency.ends[far].node;
        let heard = &session.heard[at];
        if heard.iter().any(|(_, why)| why.is_none()) && table.is_none() {
            return None;
        }
        let fault = self
            .fault(
                node,
                table.unwrap_or_default(),
                format!("{node} hears {sent} from {peer} and does not use it"),
            )
            .saw(format!("{peer} has sent {sent}"));
        Some(match heard.iter().find_map(|(_, why)| why.clone()) {
            Some(why) => fault.saw(format!("{node}: {why}")).mend("mend what refuses it"),
            None => fault
                .saw(format!("no table of {node} that is asked holds it"))
                .mend(
                    "let the table's import distribution take it (`import_drg_route_distribution_id`), \
                     and apply",
                ),
        })
    }

    /// A router that hears nothing by BGP: its routes are written by hand, or it is the last one.
    fn last(&mut self, node: &str, table: Option<&str>, leads_on: bool) -> Option<Fault> {
        let at = self.towards.index();
        let address = self.seen.hosts[at].address;
        let view = self.seen.routers.get(node)?;
        let has = view.tables.iter().any(|t| t.route[at].is_some());
        if view.role == "VCN router" && table.is_some() {
            let table = table.unwrap_or_default();
            let label = view.tables.iter().find(|t| t.name == table);
            let label = label.map_or(table, |t| t.label.as_str());
            let mut fault = self.fault(
                node,
                table,
                format!("the route table of {label} has no rule for {address}"),
            );
            fault.layer = Layer::Forwarding;
            return Some(
                fault
                    .cause(format!("forwarding/{node}/{table}"))
                    .saw(format!(
                        "table {label} of {node} has no route for {address}"
                    ))
                    .mend(format!(
                        "add `route_rules` with a `destination` that holds {address} and \
                         `network_entity_id` of the DRG, and apply"
                    )),
            );
        }
        if leads_on && !has {
            // The DRG before the VCN: nothing but its distributions decides.
            return Some(
                self.fault(
                    node,
                    table.unwrap_or_default(),
                    format!("no table of {node} holds a route for {address}"),
                )
                .saw(format!("{} tables of {node} looked at", view.tables.len()))
                .mend(
                    "let the import distribution of the circuit's table take routes of VCN attachments \
                     (`import_drg_route_distribution_id`), and apply",
                ),
            );
        }
        if leads_on {
            return Some(
                self.fault(
                    node,
                    table.unwrap_or_default(),
                    format!("{node} knows {address} and does not announce it to the circuit"),
                )
                .mend(
                    "let the import distribution of the circuit's table take routes of VCN attachments \
                     (`import_drg_route_distribution_id`), and apply",
                ),
            );
        }
        self.nothing_on = true;
        None
    }
}
