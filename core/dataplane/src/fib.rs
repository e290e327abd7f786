//! Forwarding tables: longest prefix match with candidates by preference.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use skybridge_blueprint::{DropKind, RouteSource};

use crate::lpm::Lpm;
use crate::{InterfaceIndex, TableIndex};

/// Where a route leads, with interfaces and tables by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RouteHop {
    /// An address of the router itself.
    Local {
        /// The interface that has it.
        interface: InterfaceIndex,
    },
    /// To this neighbour.
    Via {
        /// Outgoing interface.
        interface: InterfaceIndex,
        /// The neighbour.
        address: IpAddr,
    },
    /// The destination itself is the neighbour.
    Connected {
        /// Outgoing interface.
        interface: InterfaceIndex,
    },
    /// Looked up again there.
    Table(TableIndex),
    /// Dropped.
    Drop(DropKind),
}

impl RouteHop {
    /// The interface it leaves by.
    #[must_use]
    pub const fn interface(self) -> Option<InterfaceIndex> {
        match self {
            Self::Local { interface }
            | Self::Via { interface, .. }
            | Self::Connected { interface } => Some(interface),
            Self::Table(_) | Self::Drop(_) => None,
        }
    }
}

/// One way to a prefix, from one source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Where it comes from.
    pub source: RouteSource,
    /// Lower wins.
    pub preference: u8,
    /// Equal next hops; an empty list cannot be used.
    pub hops: Vec<RouteHop>,
    /// False while an interface of it is down.
    pub usable: bool,
}

/// What became of a candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouteState {
    /// In use.
    Active,
    /// A candidate with a lower preference (or, at the same one, an earlier source) is used.
    LostByPreference,
    /// At least as good as the one in use, but the table's multipath limit was reached.
    BeyondMultipathLimit,
    /// Its interface is down or its next hop cannot be reached.
    Unusable,
}

#[derive(Clone, Debug)]
struct Entry {
    prefix: IpNet,
    /// Sorted by preference, source and hops.
    candidates: Vec<Candidate>,
    /// The hops in use, sorted, without duplicates.
    chosen: Vec<RouteHop>,
    source: RouteSource,
}

/// A route found by [`Fib::lookup`].
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The longest matching prefix that has a usable route.
    pub prefix: IpNet,
    /// Equal next hops, sorted; never empty.
    pub hops: &'a [RouteHop],
    /// Where the route comes from.
    pub source: RouteSource,
}

/// One routing table: every candidate, and per prefix the hops in use.
#[derive(Clone, Debug, Default)]
pub struct Fib {
    /// Prefixes with a usable route; the value is the place in `entries`.
    usable: Lpm,
    /// Every prefix, also those of which no candidate is usable.
    all: BTreeMap<IpNet, u32>,
    /// Prefixes for which a BGP candidate is present.
    learned: Lpm,
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    ecmp_max: usize,
    /// The order of interfaces by number; numbers that are not in it come by themselves.
    ranks: Vec<u16>,
    generation: u64,
}

impl Fib {
    /// An empty table that uses at most `ecmp_max` equal next hops (0 counts as 1).
    #[must_use]
    pub fn new(ecmp_max: u8) -> Self {
        Self {
            ecmp_max: usize::from(ecmp_max.max(1)),
            ..Self::default()
        }
    }

    /// Changes the multipath limit. Gives the prefixes whose hops in use changed.
    pub fn set_ecmp_max(&mut self, ecmp_max: u8) -> Vec<IpNet> {
        let ecmp_max = usize::from(ecmp_max.max(1));
        if ecmp_max == self.ecmp_max {
            return Vec::new();
        }
        self.ecmp_max = ecmp_max;
        let all: Vec<_> = self.all.iter().map(|(net, at)| (*net, *at)).collect();
        all.into_iter()
            .filter_map(|(net, at)| self.choose(at).then_some(net))
            .collect()
    }

    /// Sets the order among equal next hops by interface: `ranks[n]` is the place of interface `n`.
    /// Numbers depend on the history of a router, ranks (of names, say) need not. Gives the prefixes
    /// whose hops in use changed.
    pub fn set_interface_ranks(&mut self, ranks: &[u16]) -> Vec<IpNet> {
        if self.ranks == ranks {
            return Vec::new();
        }
        self.ranks = ranks.to_vec();
        let all: Vec<_> = self.all.iter().map(|(net, at)| (*net, *at)).collect();
        all.into_iter()
            .filter_map(|(net, at)| self.choose(at).then_some(net))
            .collect()
    }

    /// The route for `address`: the longest prefix with a usable route. Allocates nothing.
    #[must_use]
    pub fn lookup(&self, address: IpAddr) -> Option<Found<'_>> {
        self.found(self.usable.lookup(address)?)
    }

    /// A number that grows whenever what [`Fib::lookup`] or [`Fib::is_learned`] says of some address may
    /// have changed.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The route for exactly `prefix`.
    #[must_use]
    pub fn exact(&self, prefix: IpNet) -> Option<Found<'_>> {
        self.found(*self.all.get(&prefix.trunc())?)
    }

    /// True when a BGP route of this table, in use or not, covers `address`.
    #[must_use]
    pub fn is_learned(&self, address: IpAddr) -> bool {
        self.learned.lookup(address).is_some()
    }

    /// Replaces every candidate of `prefix` for which `owned` is true by `candidates`. Says whether
    /// the hops in use changed.
    pub fn replace(
        &mut self,
        prefix: IpNet,
        owned: impl Fn(&Candidate) -> bool,
        candidates: Vec<Candidate>,
    ) -> bool {
        let prefix = prefix.trunc();
        let at = match self.all.get(&prefix) {
            Some(at) => *at,
            None if candidates.is_empty() => return false,
            None => self.add(prefix),
        };
        let Some(entry) = slot(&mut self.entries, at) else {
            return false;
        };
        entry.candidates.retain(|c| !owned(c));
        entry.candidates.extend(candidates);
        entry.candidates.sort_by(|a, b| {
            let key = |c: &Candidate| (c.preference, c.source);
            key(a).cmp(&key(b)).then_with(|| a.hops.cmp(&b.hops))
        });
        let learned = entry
            .candidates
            .iter()
            .any(|c| c.source == RouteSource::Bgp);
        let empty = entry.candidates.is_empty();
        let was_learned = if learned {
            self.learned.insert(&prefix, at)
        } else {
            self.learned.remove(&prefix)
        };
        if was_learned != learned {
            self.generation = self.generation.wrapping_add(1);
        }
        let changed = self.choose(at);
        if empty {
            self.all.remove(&prefix);
            if let Some(slot) = usize::try_from(at)
                .ok()
                .and_then(|i| self.entries.get_mut(i))
            {
                *slot = None;
            }
            self.free.push(at);
        }
        changed
    }

    /// Marks every candidate over `interface` usable or not. Gives the prefixes whose hops in use
    /// changed, in order. Candidates of BGP are left to their owner, who resolves them again.
    pub fn set_interface_usable(&mut self, interface: InterfaceIndex, usable: bool) -> Vec<IpNet> {
        let mut changed = Vec::new();
        let all: Vec<_> = self.all.iter().map(|(net, at)| (*net, *at)).collect();
        for (net, at) in all {
            let Some(entry) = slot(&mut self.entries, at) else {
                continue;
            };
            let mut touched = false;
            for candidate in &mut entry.candidates {
                let over = candidate.hops.iter().any(|hop| {
                    hop.interface() == Some(interface) && !matches!(hop, RouteHop::Local { .. })
                });
                if candidate.source != RouteSource::Bgp && over && candidate.usable != usable {
                    candidate.usable = usable;
                    touched = true;
                }
            }
            if touched && self.choose(at) {
                changed.push(net);
            }
        }
        changed
    }

    /// Every prefix with every candidate and what became of it, in order of prefix and preference.
    pub fn iter(&self) -> impl Iterator<Item = (IpNet, &Candidate, RouteState)> + '_ {
        self.all
            .values()
            .filter_map(|at| self.entry(*at))
            .flat_map(|entry| {
                entry
                    .candidates
                    .iter()
                    .map(|c| (entry.prefix, c, state(entry, c)))
            })
    }

    /// Number of prefixes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// True when nothing is installed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn entry(&self, at: u32) -> Option<&Entry> {
        self.entries.get(usize::try_from(at).ok()?)?.as_ref()
    }

    fn found(&self, at: u32) -> Option<Found<'_>> {
        let entry = self.entry(at)?;
        (!entry.chosen.is_empty()).then_some(Found {
            prefix: entry.prefix,
            hops: &entry.chosen,
            source: entry.source,
        })
    }

    fn add(&mut self, prefix: IpNet) -> u32 {
        let entry = Entry {
            prefix,
            candidates: Vec::new(),
            chosen: Vec::new(),
            source: RouteSource::System,
        };
        let at = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            u32::try_from(self.entries.len().saturating_sub(1)).unwrap_or(u32::MAX)
        });
        if let Some(slot) = usize::try_from(at)
            .ok()
            .and_then(|i| self.entries.get_mut(i))
        {
            *slot = Some(entry);
        }
        self.all.insert(prefix, at);
        at
    }

    /// Chooses the hops in use again; says whether they changed.
    fn choose(&mut self, at: u32) -> bool {
        let ecmp_max = self.ecmp_max;
        let ranks = &self.ranks;
        let order = |hop: &RouteHop| (rank(ranks, hop), *hop);
        let Some(entry) = slot(&mut self.entries, at) else {
            return false;
        };
        for candidate in &mut entry.candidates {
            candidate.hops.sort_unstable_by_key(order);
            candidate.hops.dedup();
        }
        let usable = |c: &&Candidate| c.usable && !c.hops.is_empty();
        let best = entry.candidates.iter().find(usable);
        let key = best.map(|c| (c.preference, c.source));
        let mut chosen: Vec<RouteHop> = entry
            .candidates
            .iter()
            .filter(usable)
            .filter(|c| Some((c.preference, c.source)) == key)
            .flat_map(|c| c.hops.iter().copied())
            .collect();
        chosen.sort_unstable_by_key(order);
        chosen.dedup();
        chosen.truncate(ecmp_max);
        let source = key.map_or(entry.source, |(_, source)| source);
        let changed = chosen != entry.chosen;
        entry.chosen = chosen;
        entry.source = source;
        if changed {
            self.generation = self.generation.wrapping_add(1);
        }
        if entry.chosen.is_empty() {
            self.usable.remove(&entry.prefix);
        } else {
            self.usable.insert(&entry.prefix, at);
        }
        changed
    }
}

fn rank(ranks: &[u16], hop: &RouteHop) -> u16 {
    let number = hop.interface().map_or(0, |interface| interface.0);
    ranks.get(usize::from(number)).copied().unwrap_or(number)
}

fn slot(entries: &mut [Option<Entry>], at: u32) -> Option<&mut Entry> {
    entries.get_mut(usize::try_from(at).ok()?)?.as_mut()
}

fn state(entry: &Entry, candidate: &Candidate) -> RouteState {
    if !candidate.usable || candidate.hops.is_empty() {
        return RouteState::Unusable;
    }
    let best = entry
        .candidates
        .iter()
        .find(|c| c.usable && !c.hops.is_empty())
        .map(|c| (c.preference, c.source));
    if best != Some((candidate.preference, candidate.source)) {
        RouteState::LostByPreference
    } else if candidate.hops.iter().any(|hop| entry.chosen.contains(hop)) {
        RouteState::Active
    } else {
        RouteState::BeyondMultipathLimit
    }
}
