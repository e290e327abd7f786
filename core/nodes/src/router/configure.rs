//! From the description to what runs, at the start and at every change.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use skybridge_base::{Instant, Rng};
use skybridge_blueprint as blueprint;
use skybridge_blueprint::{Filter, InterfaceName, NextHop, RouteSource};
use skybridge_dataplane::{
    Candidate, CompiledFilter, Fib, FlowTable, FlowTimeouts, Inspection, InterfaceCounters,
    InterfaceIndex, RouteHop, TableIndex, TokenBucket, flows,
};

use super::Router;
use super::state::{InterfaceState, PolicerState, PortState, TableState, tagging_key, wire_tags};
use crate::{Outbox, PortIndex};

/// A router's own address wins over everything.
const LOCAL_PREFERENCE: u8 = 0;
/// Connected networks win over configured routes of preference 1 and more.
const CONNECTED_PREFERENCE: u8 = 0;

impl Router {
    /// Takes over `spec`. Names keep their numbers; what did not change keeps its state.
    pub(super) fn configure(&mut self, now: Instant, spec: &blueprint::Router, out: &mut Outbox) {
        let old = std::mem::replace(&mut self.spec, spec.clone());
        self.epoch += 1;
        self.visibility = spec.visibility;
        self.forbidden_transit.clone_from(&spec.forbidden_transit);
        self.configure_ports(spec);
        let mut changed_tables = self.configure_tables(spec);
        self.configure_policers(now, spec);
        self.configure_inspection(spec);
        let fresh = self.configure_interfaces(now, &old, spec, out);
        self.index_tags();
        self.rank_interfaces(&mut changed_tables);
        self.configure_routes(&mut changed_tables);
        for (table, prefixes) in changed_tables {
            let prefixes: Vec<_> = prefixes.into_iter().collect();
            self.routes_changed(table, &prefixes, out);
        }
        self.configure_sessions(now, spec, &fresh, out);
        for interface in fresh {
            if self.is_up(interface) {
                self.announce_addresses(interface, out);
            }
        }
    }

    fn configure_ports(&mut self, spec: &blueprint::Router) {
        for (name, port) in &spec.ports {
            if let Some(index) = self.port_by_name.get(name) {
                if let Some(state) = self.ports.get_mut(usize::from(index.0)) {
                    state.mac = port.mac;
                }
                continue;
            }
            let index = PortIndex(number(self.ports.len()));
            self.port_by_name.insert(name.clone(), index);
            self.ports.push(PortState {
                name: name.clone(),
                mac: port.mac,
                up: false,
                by_tags: Vec::new(),
                drops: skybridge_dataplane::DropCounters::default(),
            });
        }
        self.port_by_name
            .retain(|name, _| spec.ports.contains_key(name));
    }

    /// Gives the prefixes that changed because of another multipath limit.
    fn configure_tables(
        &mut self,
        spec: &blueprint::Router,
    ) -> BTreeMap<TableIndex, BTreeSet<IpNet>> {
        let mut changed = BTreeMap::new();
        for (name, vrf) in &spec.vrfs {
            if let Some(index) = self.table_by_name.get(name).copied() {
                let table = &mut self.tables[usize::from(index.0)];
                table.symmetric = vrf.symmetric;
                let fib = &mut table.fib;
                let prefixes = fib.set_ecmp_max(vrf.ecmp_max);
                changed.insert(index, prefixes.into_iter().collect());
                continue;
            }
            let index = TableIndex(number(self.tables.len()));
            self.table_by_name.insert(name.clone(), index);
            self.tables.push(TableState {
                name: name.clone(),
                fib: Fib::new(vrf.ecmp_max),
                symmetric: vrf.symmetric,
            });
        }
        let gone: Vec<_> = self
            .table_by_name
            .iter()
            .filter(|(name, _)| !spec.vrfs.contains_key(name.as_str()))
            .map(|(name, index)| (name.clone(), *index))
            .collect();
        for (name, index) in gone {
            self.table_by_name.remove(&name);
            self.tables[usize::from(index.0)].fib = Fib::new(1);
        }
        changed
    }

    fn configure_policers(&mut self, now: Instant, spec: &blueprint::Router) {
        for (name, policer) in &spec.policers {
            if let Some(at) = self.policer_by_name.get(name) {
                let bucket = &mut self.policers[*at].bucket;
                if bucket.spec() != *policer {
                    bucket.respecify(*policer, now);
                }
                continue;
            }
            self.policer_by_name
                .insert(name.clone(), self.policers.len());
            self.policers.push(PolicerState {
                name: name.clone(),
                bucket: TokenBucket::new(*policer, now),
            });
        }
        self.policer_by_name
            .retain(|name, _| spec.policers.contains_key(name));
    }

    fn configure_inspection(&mut self, spec: &blueprint::Router) {
        let compile = |filter: &Filter| {
            CompiledFilter::new(filter, |vrf| self.table_by_name.get(vrf).copied())
        };
        let filter = spec.inspection.as_ref().map(compile);
        self.inspection = match (filter, self.inspection.take()) {
            (None, _) => None,
            (Some(filter), Some(mut live)) => {
                live.set_filter(filter);
                Some(live)
            }
            (Some(filter), None) => {
                let seed = Rng::new(self.seed).child("inspection").next_u64();
                let timeouts = FlowTimeouts::default();
                let flows = FlowTable::new(flows::FLOWS_MAX, timeouts, seed);
                Some(Inspection::new(filter, flows))
            }
        };
    }

    /// Gives the interfaces whose addresses are new on their link.
    fn configure_interfaces(
        &mut self,
        now: Instant,
        old: &blueprint::Router,
        spec: &blueprint::Router,
        out: &mut Outbox,
    ) -> Vec<InterfaceIndex> {
        let gone: Vec<InterfaceIndex> = self
            .interface_by_name
            .iter()
            .filter(|(name, _)| !spec.interfaces.contains_key(name.as_str()))
            .map(|(_, index)| *index)
            .collect();
        for index in gone {
            self.forget_neighbours(now, index, out);
            let state = &mut self.interfaces[usize::from(index.0)];
            state.alive = false;
            self.interface_by_name.remove(&state.name);
        }
        let mut fresh = Vec::new();
        for (name, interface) in &spec.interfaces {
            let existing = self.interface_by_name.get(name).copied();
            let before = old.interfaces.get(name);
            let unchanged = before == Some(interface) && old.vrfs.keys().eq(spec.vrfs.keys());
            if let (Some(index), true) = (existing, unchanged) {
                // Nothing to take over, but a policer may have another place.
                let places = [&interface.policer_in, &interface.policer_out]
                    .map(|policer| self.policer_place(policer.as_ref()));
                let live = &mut self.interfaces[usize::from(index.0)];
                [live.policer_in, live.policer_out] = places;
                continue;
            }
            let Some(mut state) = self.build_interface(name, interface) else {
                continue;
            };
            let Some(index) = existing else {
                let index = InterfaceIndex(number(self.interfaces.len()));
                self.interface_by_name.insert(name.clone(), index);
                self.interfaces.push(state);
                fresh.push(index);
                continue;
            };
            let moved = before.is_none_or(|b| {
                b.port != interface.port
                    || b.tagging != interface.tagging
                    || b.addresses != interface.addresses
            });
            if moved {
                self.forget_neighbours(now, index, out);
                fresh.push(index);
            }
            let live = &mut self.interfaces[usize::from(index.0)];
            state.counters = live.counters;
            // Flows outlive a change of rules.
            if state.flows.is_some() && live.flows.is_some() {
                state.flows = live.flows.take();
            }
            *live = state;
        }
        fresh
    }

    fn policer_place(&self, name: Option<&String>) -> Option<usize> {
        self.policer_by_name.get(name?).copied()
    }

    fn build_interface(
        &self,
        name: &InterfaceName,
        spec: &blueprint::Interface,
    ) -> Option<InterfaceState> {
        let port = *self.port_by_name.get(&spec.port)?;
        let table = *self.table_by_name.get(&spec.vrf)?;
        let compile = |filter: &Filter| {
            CompiledFilter::new(filter, |vrf| self.table_by_name.get(vrf).copied())
        };
        let filtered = spec.filter_in.is_some() || spec.filter_out.is_some();
        let flows_seed = || Rng::new(self.seed).child(name.as_str()).next_u64();
        Some(InterfaceState {
            name: name.clone(),
            alive: true,
            port,
            mac: self.ports.get(usize::from(port.0))?.mac,
            tagging: spec.tagging,
            tags: wire_tags(spec.tagging),
            table,
            addresses: spec.addresses.clone(),
            mtu: usize::from(spec.mtu),
            proxy_arp: spec.proxy_arp,
            filter_in: spec.filter_in.as_ref().map(compile),
            filter_out: spec.filter_out.as_ref().map(compile),
            flows: filtered
                .then(|| FlowTable::new(flows::FLOWS_MAX, FlowTimeouts::default(), flows_seed())),
            policer_in: self.policer_place(spec.policer_in.as_ref()),
            policer_out: self.policer_place(spec.policer_out.as_ref()),
            zone: spec.zone,
            source_check: spec.source_check.clone(),
            counters: InterfaceCounters::default(),
        })
    }

    /// Equal next hops are ordered by the names of their interfaces, so that a router that was changed
    /// chooses as one that was built so.
    fn rank_interfaces(&mut self, changed: &mut BTreeMap<TableIndex, BTreeSet<IpNet>>) {
        let mut ranks = vec![u16::MAX; self.interfaces.len()];
        for (rank, index) in (0_u16..).zip(self.interface_by_name.values()) {
            ranks[usize::from(index.0)] = rank;
        }
        for (index, table) in (0_u16..).zip(&mut self.tables) {
            let prefixes = table.fib.set_interface_ranks(&ranks);
            changed
                .entry(TableIndex(index))
                .or_default()
                .extend(prefixes);
        }
    }

    fn index_tags(&mut self) {
        for port in &mut self.ports {
            port.by_tags.clear();
        }
        for (index, interface) in (0_u16..).zip(&self.interfaces) {
            let port = self.ports.get_mut(usize::from(interface.port.0));
            if let (true, Some(port)) = (interface.alive, port) {
                port.by_tags
                    .push((tagging_key(interface.tagging), InterfaceIndex(index)));
            }
        }
        for port in &mut self.ports {
            port.by_tags.sort_unstable();
        }
    }

    /// Brings own addresses, connected networks and configured routes into the tables; leaves what
    /// BGP brought.
    fn configure_routes(&mut self, changed: &mut BTreeMap<TableIndex, BTreeSet<IpNet>>) {
        let mut wanted: BTreeMap<TableIndex, BTreeMap<IpNet, Vec<Candidate>>> = BTreeMap::new();
        for (index, interface) in (0_u16..).zip(&self.interfaces) {
            if !interface.alive {
                continue;
            }
            let index = InterfaceIndex(index);
            let connected = self
                .spec
                .interfaces
                .get(&interface.name)
                .is_some_and(|spec| spec.connected_routes);
            let table = wanted.entry(interface.table).or_default();
            for net in &interface.addresses {
                let local = Candidate {
                    source: RouteSource::Connected,
                    preference: LOCAL_PREFERENCE,
                    hops: vec![RouteHop::Local { interface: index }],
                    usable: true,
                };
                table
                    .entry(IpNet::from(net.addr()))
                    .or_default()
                    .push(local);
                // A host route of the own address is the own address.
                if connected && net.prefix_len() < net.max_prefix_len() {
                    let network = Candidate {
                        source: RouteSource::Connected,
                        preference: CONNECTED_PREFERENCE,
                        hops: vec![RouteHop::Connected { interface: index }],
                        usable: self.is_up(index),
                    };
                    table.entry(net.trunc()).or_default().push(network);
                }
            }
        }
        for (name, vrf) in &self.spec.vrfs {
            let Some(table) = self.table_by_name.get(name) else {
                continue;
            };
            let routes = wanted.entry(*table).or_default();
            for route in &vrf.routes {
                let Some(hop) = self.route_hop(&route.next_hop) else {
                    continue;
                };
                let usable = hop
                    .interface()
                    .is_none_or(|interface| self.is_up(interface));
                routes
                    .entry(route.prefix.trunc())
                    .or_default()
                    .push(Candidate {
                        source: route.source,
                        preference: route.preference,
                        hops: vec![hop],
                        usable,
                    });
            }
        }
        for (index, table) in (0_u16..).zip(&mut self.tables) {
            let index = TableIndex(index);
            let mut routes = wanted.remove(&index).unwrap_or_default();
            let own = |c: &Candidate| c.source != RouteSource::Bgp;
            let had = table.fib.iter().filter(|(_, c, _)| own(c));
            let prefixes: BTreeSet<IpNet> = had
                .map(|(prefix, _, _)| prefix)
                .chain(routes.keys().copied())
                .collect();
            for prefix in prefixes {
                let candidates = routes.remove(&prefix).unwrap_or_default();
                if table.fib.replace(prefix, own, candidates) {
                    changed.entry(index).or_default().insert(prefix);
                }
            }
        }
    }

    fn route_hop(&self, next_hop: &NextHop) -> Option<RouteHop> {
        let interface = |name| self.interface_by_name.get(name).copied();
        Some(match next_hop {
            NextHop::Via {
                interface: name,
                address,
            } => RouteHop::Via {
                interface: interface(name)?,
                address: *address,
            },
            NextHop::Connected { interface: name } => RouteHop::Connected {
                interface: interface(name)?,
            },
            NextHop::Table { vrf } => RouteHop::Table(*self.table_by_name.get(vrf)?),
            NextHop::Drop(kind) => RouteHop::Drop(*kind),
        })
    }

    /// Routes over an interface appear and go with its link.
    pub(super) fn set_routes_usable(
        &mut self,
        interface: InterfaceIndex,
        usable: bool,
        out: &mut Outbox,
    ) {
        for at in 0..number(self.tables.len()) {
            let table = TableIndex(at);
            let fib = &mut self.tables[usize::from(at)].fib;
            let changed = fib.set_interface_usable(interface, usable);
            self.routes_changed(table, &changed, out);
        }
    }
}

fn number(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}
