//! What a router can be asked: neighbours, routes, counters, policers.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use skybridge_base::{Instant, MacAddr};
use skybridge_blueprint::{InterfaceName, NextHop, Policer, PortName, RouteSource, VrfName};
use skybridge_dataplane::{DropCounters, InterfaceCounters, RouteState};

use super::Router;
use super::neighbours::State;

/// One line of an ARP or neighbour table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NeighbourObservation {
    /// Where.
    pub interface: InterfaceName,
    /// Whose.
    pub address: IpAddr,
    /// The station; `None` while nobody has answered.
    pub mac: Option<MacAddr>,
    /// Time since it was learned or last confirmed (or since the first request).
    pub age: Duration,
    /// An address of the router itself.
    pub is_own: bool,
}

/// One candidate of a routing table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteObservation {
    /// Destination.
    pub prefix: IpNet,
    /// Where it comes from.
    pub source: RouteSource,
    /// Lower wins.
    pub preference: u8,
    /// Its next hops.
    pub next_hops: Vec<NextHop>,
    /// In use, or why not.
    pub state: RouteState,
}

/// An interface as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterfaceObservation {
    /// Its name.
    pub name: InterfaceName,
    /// Its port.
    pub port: PortName,
    /// The port's link is up.
    pub up: bool,
    /// Traffic.
    pub counters: InterfaceCounters,
    /// Flows remembered for its filters, expired ones included until they are swept.
    pub flows: usize,
}

/// Everything counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouterCounters {
    /// Drops of the whole router by reason, those of ports included.
    pub drops: DropCounters,
    /// Frames that no interface of a port took, by port.
    pub port_drops: Vec<(PortName, DropCounters)>,
    /// Per interface, by name.
    pub interfaces: Vec<InterfaceObservation>,
}

/// A policer as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicerObservation {
    /// Its name.
    pub name: String,
    /// Its figures.
    pub policer: Policer,
    /// Packets and octets that passed.
    pub passed: (u64, u64),
    /// Packets and octets that were dropped.
    pub dropped: (u64, u64),
}

impl Router {
    /// The ARP and neighbour table, own addresses included, by interface and address.
    #[must_use]
    pub fn neighbours(&self, now: Instant) -> Vec<NeighbourObservation> {
        let mut all = Vec::new();
        for interface in self.interfaces.iter().filter(|i| i.alive) {
            for net in &interface.addresses {
                all.push(NeighbourObservation {
                    interface: interface.name.clone(),
                    address: net.addr(),
                    mac: Some(interface.mac),
                    age: Duration::ZERO,
                    is_own: true,
                });
            }
        }
        for entry in self.neighbours.iter() {
            let (mac, since) = match entry.state {
                State::Known { mac, since, .. } => (Some(mac), since),
                State::Incomplete { .. } | State::Failed => (None, entry.changed),
            };
            all.push(NeighbourObservation {
                interface: self.interface(entry.interface).name.clone(),
                address: entry.address,
                mac,
                age: now.since(since),
                is_own: false,
            });
        }
        all.sort_by(|a, b| (&a.interface, a.address).cmp(&(&b.interface, b.address)));
        all
    }

    /// Every candidate of a table, losers included, by prefix and preference. Own addresses are not
    /// listed. Empty for an unknown table.
    #[must_use]
    pub fn routes(&self, vrf: &VrfName) -> Vec<RouteObservation> {
        let Some(table) = self.table_by_name.get(vrf) else {
            return Vec::new();
        };
        let fib = &self.table(*table).fib;
        let is_local = |hop: &skybridge_dataplane::RouteHop| {
            matches!(hop, skybridge_dataplane::RouteHop::Local { .. })
        };
        fib.iter()
            .filter(|(_, candidate, _)| !candidate.hops.iter().all(is_local))
            .map(|(prefix, candidate, state)| RouteObservation {
                prefix,
                source: candidate.source,
                preference: candidate.preference,
                next_hops: candidate
                    .hops
                    .iter()
                    .filter_map(|hop| self.next_hop(*hop))
                    .collect(),
                state,
            })
            .collect()
    }

    /// Drops and traffic.
    #[must_use]
    pub fn counters(&self) -> RouterCounters {
        let interface = |name, index| {
            let state = self.interface(index);
            let port = self.ports.get(usize::from(state.port.0))?;
            Some(InterfaceObservation {
                name,
                port: port.name.clone(),
                up: port.up,
                counters: state.counters,
                flows: state.flows.as_ref().map_or(0, |flows| flows.len()),
            })
        };
        RouterCounters {
            drops: self.drops,
            port_drops: self
                .ports
                .iter()
                .map(|p| (p.name.clone(), p.drops))
                .collect(),
            interfaces: self
                .interface_by_name
                .iter()
                .filter_map(|(name, index)| interface(name.clone(), *index))
                .collect(),
        }
    }

    /// The policers, by name.
    #[must_use]
    pub fn policers(&self) -> Vec<PolicerObservation> {
        self.policer_by_name
            .values()
            .filter_map(|at| self.policers.get(*at))
            .map(|policer| PolicerObservation {
                name: policer.name.clone(),
                policer: policer.bucket.spec(),
                passed: policer.bucket.passed(),
                dropped: policer.bucket.dropped(),
            })
            .collect()
    }
}
