//! Packet filters: `blueprint::Filter` made ready to judge packets.

use std::net::IpAddr;

use ipnet::IpNet;
use skybridge_blueprint::{
    Access, AddressSet, Filter, PortRange, Protocol, Rule, RuleSet, RuleSetMode, Tracking, VrfName,
};

use skybridge_wire::{Fragment, PacketInfo};

use crate::TableIndex;
use crate::rule_index::RuleIndex;

/// Which rule decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The rule set, from 0.
    pub set: u16,
    /// The rule in it, from 0; `None` when no rule matched, which denies.
    pub rule: Option<u16>,
}

/// What a filter says about a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decision {
    /// Allow or deny.
    pub access: Access,
    /// Whether an allowed packet opens a flow: only when the deciding rule of every set tracks.
    pub tracking: Tracking,
    /// The rule of the first set that denies, else of the last set; `None` for a filter without sets.
    pub place: Option<Place>,
    /// A rule that rests on an unknown value could have turned `access` into its opposite.
    pub could_change: bool,
}

/// A filter ready to judge packets.
#[derive(Clone, Debug)]
pub struct CompiledFilter {
    sets: Vec<Set>,
}

#[derive(Clone, Debug)]
struct Set {
    name: String,
    mode: RuleSetMode,
    rules: Vec<CompiledRule>,
    index: Option<RuleIndex>,
}

#[derive(Clone, Debug)]
struct CompiledRule {
    name: String,
    access: Access,
    tracking: Tracking,
    unknown: bool,
    protocols: Vec<Protocol>,
    sources: Addresses,
    destinations: Addresses,
}

#[derive(Clone, Debug)]
struct Addresses {
    /// Network and mask.
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
    learned_in: Option<TableIndex>,
}

impl CompiledFilter {
    /// Prepares `filter`; `table` numbers the routing tables that its address sets name.
    #[must_use]
    pub fn new(filter: &Filter, table: impl Fn(&VrfName) -> Option<TableIndex>) -> Self {
        let sets = filter.sets.iter();
        Self {
            sets: sets.map(|set| compile_set(set, &table)).collect(),
        }
    }

    /// The same filter, asking rule after rule: what an index must agree with.
    #[must_use]
    pub fn without_index(mut self) -> Self {
        for set in &mut self.sets {
            set.index = None;
        }
        self
    }

    /// Judges a packet that belongs to no known flow. `learned` says whether a BGP route of a table
    /// covers an address. Allocates nothing.
    #[must_use]
    pub fn decide(
        &self,
        packet: &PacketInfo,
        learned: impl Fn(TableIndex, IpAddr) -> bool,
    ) -> Decision {
        let mut allowed = Decision {
            access: Access::Allow,
            tracking: Tracking::Stateful,
            place: None,
            could_change: false,
        };
        let mut denied: Option<Decision> = None;
        for (at, set) in self.sets.iter().enumerate() {
            let one = set.decide(number(at), packet, &learned);
            match (one.access, &mut denied) {
                (Access::Deny, Some(first)) => first.could_change &= one.could_change,
                (Access::Deny, None) => denied = Some(one),
                (Access::Allow, _) => {
                    allowed.place = one.place;
                    allowed.could_change |= one.could_change;
                    if one.tracking == Tracking::Stateless {
                        allowed.tracking = Tracking::Stateless;
                    }
                }
            }
            // A denial that nothing unknown could lift stands whatever the other sets say.
            if let Some(first) = denied.filter(|first| !first.could_change) {
                return first;
            }
        }
        denied.unwrap_or(allowed)
    }

    /// The names of rule set and rule at `place`.
    #[must_use]
    pub fn names(&self, place: Place) -> Option<(&str, Option<&str>)> {
        let set = self.sets.get(usize::from(place.set))?;
        let rule = place
            .rule
            .and_then(|at| set.rules.get(usize::from(at)))
            .map(|rule| rule.name.as_str());
        Some((&set.name, rule))
    }
}

impl Set {
    fn decide(
        &self,
        set: u16,
        packet: &PacketInfo,
        learned: &impl Fn(TableIndex, IpAddr) -> bool,
    ) -> Decision {
        match self.mode {
            RuleSetMode::FirstMatch => self.first_match(set, packet, learned),
            RuleSetMode::UnionOfAllows => self.union_of_allows(set, packet, learned),
        }
    }

    /// The rules that could match, in order.
    fn candidates(&self, packet: &PacketInfo) -> impl Iterator<Item = (usize, &CompiledRule)> {
        let some = self.index.as_ref().and_then(|i| i.candidates(packet));
        let all = if some.is_some() {
            0..0
        } else {
            0..self.rules.len()
        };
        let numbers = some.into_iter().flatten().chain(all);
        numbers.filter_map(|at| Some((at, self.rules.get(at)?)))
    }

    fn first_match(
        &self,
        set: u16,
        packet: &PacketInfo,
        learned: &impl Fn(TableIndex, IpAddr) -> bool,
    ) -> Decision {
        let mut unknown_allow = false;
        let mut unknown_deny = false;
        let could_change = |access, allow, deny| match access {
            Access::Allow => deny,
            Access::Deny => allow,
        };
        for (at, rule) in self.candidates(packet) {
            if !rule.matches(packet, learned) {
                continue;
            }
            if rule.unknown {
                match rule.access {
                    Access::Allow => unknown_allow = true,
                    Access::Deny => unknown_deny = true,
                }
            } else {
                return Decision {
                    access: rule.access,
                    tracking: rule.tracking,
                    place: Some(Place {
                        set,
                        rule: Some(number(at)),
                    }),
                    could_change: could_change(rule.access, unknown_allow, unknown_deny),
                };
            }
        }
        nothing_matched(set, unknown_allow)
    }

    fn union_of_allows(
        &self,
        set: u16,
        packet: &PacketInfo,
        learned: &impl Fn(TableIndex, IpAddr) -> bool,
    ) -> Decision {
        let mut unknown_allow = false;
        let mut stateful = None;
        for (at, rule) in self.candidates(packet) {
            if rule.access == Access::Deny {
                continue;
            }
            if rule.unknown {
                unknown_allow |= rule.matches(packet, learned);
            } else if (rule.tracking == Tracking::Stateless || stateful.is_none())
                && rule.matches(packet, learned)
            {
                let decision = Decision {
                    access: Access::Allow,
                    tracking: rule.tracking,
                    place: Some(Place {
                        set,
                        rule: Some(number(at)),
                    }),
                    could_change: false,
                };
                match rule.tracking {
                    // A stateless match wins over stateful ones (OCI, security rules).
                    Tracking::Stateless => return decision,
                    Tracking::Stateful => stateful = Some(decision),
                }
            }
        }
        stateful.unwrap_or_else(|| nothing_matched(set, unknown_allow))
    }
}

fn nothing_matched(set: u16, unknown_allow: bool) -> Decision {
    Decision {
        access: Access::Deny,
        tracking: Tracking::Stateless,
        place: Some(Place { set, rule: None }),
        could_change: unknown_allow,
    }
}

impl CompiledRule {
    fn matches(&self, packet: &PacketInfo, learned: &impl Fn(TableIndex, IpAddr) -> bool) -> bool {
        self.protocols.iter().any(|p| protocol_matches(p, packet))
            && self.sources.contains(packet.src, learned)
            && self.destinations.contains(packet.dst, learned)
    }
}

fn protocol_matches(protocol: &Protocol, packet: &PacketInfo) -> bool {
    match protocol {
        Protocol::Any => true,
        Protocol::Number(number) => *number == packet.protocol,
        Protocol::Ports {
            number,
            source,
            destination,
        } => {
            if *number != packet.protocol {
                return false;
            }
            if source.is_empty() && destination.is_empty() {
                return true;
            }
            // A later fragment has no ports: rules with ports do not match it (OCI drops it then).
            !matches!(packet.fragment, Fragment::Later { .. })
                && port_matches(source, packet.src_port)
                && port_matches(destination, packet.dst_port)
        }
        Protocol::Icmp {
            number,
            icmp_type: wanted,
            code: wanted_code,
        } => {
            *number == packet.protocol
                && packet.icmp.is_some_and(|(icmp_type, code)| {
                    *wanted == icmp_type && wanted_code.is_none_or(|wanted| wanted == code)
                })
        }
    }
}

fn port_matches(ranges: &[PortRange], port: u16) -> bool {
    ranges.is_empty() || ranges.iter().any(|range| range.contains(&port))
}

impl Addresses {
    fn new(set: &AddressSet, table: &impl Fn(&VrfName) -> Option<TableIndex>) -> Self {
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        for prefix in &set.prefixes {
            match prefix {
                IpNet::V4(net) => v4.push((net.network().to_bits(), net.netmask().to_bits())),
                IpNet::V6(net) => v6.push((net.network().to_bits(), net.netmask().to_bits())),
            }
        }
        Self {
            v4,
            v6,
            learned_in: set.learned_in.as_ref().and_then(table),
        }
    }

    fn contains(&self, address: IpAddr, learned: &impl Fn(TableIndex, IpAddr) -> bool) -> bool {
        let listed = match address {
            IpAddr::V4(a) => {
                let bits = a.to_bits();
                self.v4.iter().any(|(net, mask)| bits & mask == *net)
            }
            IpAddr::V6(a) => {
                let bits = a.to_bits();
                self.v6.iter().any(|(net, mask)| bits & mask == *net)
            }
        };
        listed || self.learned_in.is_some_and(|table| learned(table, address))
    }
}

fn compile_set(set: &RuleSet, table: &impl Fn(&VrfName) -> Option<TableIndex>) -> Set {
    Set {
        name: set.name.clone(),
        mode: set.mode,
        rules: set.rules.iter().map(|r| compile_rule(r, table)).collect(),
        index: RuleIndex::new(&set.rules),
    }
}

fn compile_rule(rule: &Rule, table: &impl Fn(&VrfName) -> Option<TableIndex>) -> CompiledRule {
    CompiledRule {
        name: rule.name.clone(),
        access: rule.access,
        tracking: rule.tracking,
        unknown: rule.unknown,
        protocols: rule.protocols.clone(),
        sources: Addresses::new(&rule.sources, table),
        destinations: Addresses::new(&rule.destinations, table),
    }
}

fn number(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}
