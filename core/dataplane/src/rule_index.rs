//! Which rules of a long set could match a packet, in order, without asking each.
//!
//! Three looks at a packet: destination port under its protocol, source address, destination address. Each look knows,
//! for every stretch between the bounds that the rules draw, the rules that allow it there. The look that leaves
//! the fewest decides who is asked in full, so that an index can only leave out who would not match.

use std::net::IpAddr;

use ipnet::IpNet;
use skybridge_blueprint::{AddressSet, Protocol, Rule};
use skybridge_wire::PacketInfo;

/// Shorter sets are asked rule by rule, which is as fast.
pub(crate) const RULES_MIN: usize = 32;
/// Entries of one look for each rule at most; rules that overlap more than this are not told apart by it.
const ENTRIES_PER_RULE_MAX: usize = 64;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct RuleIndex {
    ports: Vec<(u8, Option<Look<u16>>)>,
    /// Rules for protocols that no rule names.
    any_protocol: Vec<u16>,
    sources: Addresses,
    destinations: Addresses,
}

#[derive(Clone, Debug)]
struct Addresses {
    v4: Option<Look<u32>>,
    v6: Option<Look<u128>>,
}

/// Rules by stretches of one number.
#[derive(Clone, Debug)]
struct Look<K> {
    /// Where stretches begin; the first is the lowest number.
    begins: Vec<K>,
    /// By stretch, where its rules begin in `rules`; one more at the end.
    at: Vec<usize>,
    /// Rules by stretch, each stretch in order.
    rules: Vec<u16>,
    /// Rules for every number, in order.
    everywhere: Vec<u16>,
}

/// Where a rule applies.
enum Extent<K> {
    Everywhere,
    Ranges(Vec<(K, K)>),
}

/// Rules in order: two lists merged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidates<'a> {
    here: &'a [u16],
    everywhere: &'a [u16],
}

impl Candidates<'_> {
    const fn len(&self) -> usize {
        self.here.len().saturating_add(self.everywhere.len())
    }
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let list = match (self.here.first(), self.everywhere.first()) {
            (Some(a), Some(b)) if a > b => &mut self.everywhere,
            (Some(_), _) => &mut self.here,
            (None, _) => &mut self.everywhere,
        };
        let (first, rest) = list.split_first()?;
        *list = rest;
        Some(usize::from(*first))
    }
}

impl RuleIndex {
    /// `None` for sets too short to need one or too long to have one.
    pub(crate) fn new(rules: &[Rule]) -> Option<Self> {
        if rules.len() < RULES_MIN || u16::try_from(rules.len()).is_err() {
            return None;
        }
        let named = rules.iter().flat_map(|rule| &rule.protocols);
        let mut numbers: Vec<u8> = named.filter_map(protocol_number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let ports = numbers.into_iter().map(|number| {
            let extents = rules.iter().map(|rule| port_extent(rule, number));
            (number, Look::new(extents, u16::MIN))
        });
        let is_any = |rule: &Rule| rule.protocols.iter().any(|p| matches!(p, Protocol::Any));
        let all = (0_u16..).zip(rules);
        Some(Self {
            ports: ports.collect(),
            any_protocol: all.filter(|(_, r)| is_any(r)).map(|(at, _)| at).collect(),
            sources: Addresses::new(rules.iter().map(|rule| &rule.sources)),
            destinations: Addresses::new(rules.iter().map(|rule| &rule.destinations)),
        })
    }

    /// The rules that could match, in order; `None` when all could.
    pub(crate) fn candidates(&self, packet: &PacketInfo) -> Option<Candidates<'_>> {
        let by_port = match self.ports.iter().find(|(n, _)| *n == packet.protocol) {
            Some((_, look)) => look.as_ref().map(|look| look.candidates(packet.dst_port)),
            None => Some(Candidates {
                here: &[],
                everywhere: &self.any_protocol,
            }),
        };
        let looks = [
            by_port,
            self.sources.candidates(packet.src),
            self.destinations.candidates(packet.dst),
        ];
        looks.into_iter().flatten().min_by_key(Candidates::len)
    }
}

const fn protocol_number(protocol: &Protocol) -> Option<u8> {
    match protocol {
        Protocol::Any => None,
        Protocol::Number(number)
        | Protocol::Ports { number, .. }
        | Protocol::Icmp { number, .. } => Some(*number),
    }
}

/// For which destination ports of a protocol a rule may be.
fn port_extent(rule: &Rule, of: u8) -> Extent<u16> {
    let mut ranges = Vec::new();
    for protocol in &rule.protocols {
        match protocol {
            Protocol::Any => return Extent::Everywhere,
            Protocol::Number(number) | Protocol::Icmp { number, .. } if *number == of => {
                return Extent::Everywhere;
            }
            Protocol::Ports {
                number,
                destination,
                ..
            } if *number == of => {
                if destination.is_empty() {
                    return Extent::Everywhere;
                }
                let pairs = destination.iter().map(|r| (*r.start(), *r.end()));
                ranges.extend(pairs.filter(|(low, high)| low <= high));
            }
            Protocol::Number(_) | Protocol::Icmp { .. } | Protocol::Ports { .. } => {}
        }
    }
    Extent::Ranges(ranges)
}

impl Addresses {
    fn new<'a>(sets: impl Iterator<Item = &'a AddressSet> + Clone) -> Self {
        let v4 = |net: &IpNet| match net {
            IpNet::V4(net) => Some((net.network().to_bits(), net.broadcast().to_bits())),
            IpNet::V6(_) => None,
        };
        let v6 = |net: &IpNet| match net {
            IpNet::V6(net) => Some((net.network().to_bits(), net.broadcast().to_bits())),
            IpNet::V4(_) => None,
        };
        Self {
            v4: Look::new(sets.clone().map(|set| address_extent(set, v4)), u32::MIN),
            v6: Look::new(sets.map(|set| address_extent(set, v6)), u128::MIN),
        }
    }

    fn candidates(&self, address: IpAddr) -> Option<Candidates<'_>> {
        match address {
            IpAddr::V4(a) => self.v4.as_ref().map(|look| look.candidates(a.to_bits())),
            IpAddr::V6(a) => self.v6.as_ref().map(|look| look.candidates(a.to_bits())),
        }
    }
}

/// What BGP learns may be anywhere.
fn address_extent<K>(set: &AddressSet, range: impl Fn(&IpNet) -> Option<(K, K)>) -> Extent<K> {
    if set.learned_in.is_some() || set.prefixes.iter().any(|net| net.prefix_len() == 0) {
        return Extent::Everywhere;
    }
    Extent::Ranges(set.prefixes.iter().filter_map(range).collect())
}

impl<K: Copy + Ord + Successor> Look<K> {
    /// `None` when the rules overlap too much.
    fn new(extents: impl Iterator<Item = Extent<K>>, lowest: K) -> Option<Self> {
        let mut everywhere = Vec::new();
        let mut limited = Vec::new();
        let mut begins = vec![lowest];
        for (rule, extent) in (0_u16..).zip(extents) {
            match extent {
                Extent::Everywhere => everywhere.push(rule),
                Extent::Ranges(ranges) => {
                    for (low, high) in ranges {
                        begins.push(low);
                        begins.extend(high.successor());
                        limited.push((rule, low, high));
                    }
                }
            }
        }
        begins.sort_unstable();
        begins.dedup();
        let rules_count = everywhere.len().saturating_add(limited.len());
        let mut room = rules_count.saturating_mul(ENTRIES_PER_RULE_MAX);
        let mut lists: Vec<Vec<u16>> = vec![Vec::new(); begins.len()];
        for (rule, low, high) in limited {
            let first = begins.partition_point(|begin| *begin < low);
            let behind = begins.partition_point(|begin| *begin <= high);
            for list in lists.get_mut(first..behind).into_iter().flatten() {
                // Alternatives of one rule may overlap.
                if list.last() != Some(&rule) {
                    room = room.checked_sub(1)?;
                    list.push(rule);
                }
            }
        }
        let mut at = vec![0];
        let mut rules = Vec::new();
        for list in lists {
            rules.extend(list);
            at.push(rules.len());
        }
        Some(Self {
            begins,
            at,
            rules,
            everywhere,
        })
    }

    fn candidates(&self, number: K) -> Candidates<'_> {
        let stretch = self.begins.partition_point(|begin| *begin <= number);
        let stretch = stretch.saturating_sub(1);
        let from = self.at.get(stretch).copied().unwrap_or(0);
        let to = self
            .at
            .get(stretch.saturating_add(1))
            .copied()
            .unwrap_or(from);
        Candidates {
            here: self.rules.get(from..to).unwrap_or(&[]),
            everywhere: &self.everywhere,
        }
    }
}

/// The next number, if there is one.
trait Successor: Sized {
    fn successor(self) -> Option<Self>;
}

impl Successor for u16 {
    fn successor(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Successor for u32 {
    fn successor(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Successor for u128 {
    fn successor(self) -> Option<Self> {
        self.checked_add(1)
    }
}
