//! Filters, judged for one packet without memory.

use std::net::IpAddr;

use skybridge_blueprint::{
    Access, AddressSet, Filter, PortRange, Protocol, Rule, RuleSet, RuleSetMode, VrfName,
};

/// The packet that is walked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flow {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// IP protocol number.
    pub protocol: u8,
    /// Source port, or 0.
    pub src_port: u16,
    /// Destination port, or 0.
    pub dst_port: u16,
    /// ICMP type and code, for protocols 1 and 58.
    pub icmp: Option<(u8, u8)>,
}

impl Flow {
    /// A TCP SYN from an ephemeral port.
    #[must_use]
    pub const fn tcp(src: IpAddr, dst: IpAddr, dst_port: u16) -> Self {
        Self {
            src,
            dst,
            protocol: 6,
            src_port: 49152,
            dst_port,
            icmp: None,
        }
    }

    /// An ICMP echo request.
    #[must_use]
    pub const fn echo(src: IpAddr, dst: IpAddr) -> Self {
        let (protocol, icmp_type) = match dst {
            IpAddr::V4(_) => (1, 8),
            IpAddr::V6(_) => (58, 128),
        };
        Self {
            src,
            dst,
            protocol,
            src_port: 0,
            dst_port: 0,
            icmp: Some((icmp_type, 0)),
        }
    }
}

/// What a filter says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Judgement {
    /// The set and rule that deny; an empty rule when none allows.
    pub(crate) denied: Option<(String, String)>,
    /// A rule that rests on an unknown value could change this.
    pub(crate) unknown: bool,
}

/// Judges `flow` by every set in turn. `learned` says whether an address is covered by a BGP route
/// of a table.
pub(crate) fn judge(
    filter: &Filter,
    flow: &Flow,
    learned: &impl Fn(&VrfName, IpAddr) -> bool,
) -> Judgement {
    let mut unknown = false;
    for set in &filter.sets {
        let (denied, set_unknown) = judge_set(set, flow, learned);
        unknown |= set_unknown;
        if let Some(rule) = denied {
            return Judgement {
                denied: Some((set.name.clone(), rule)),
                unknown,
            };
        }
    }
    Judgement {
        denied: None,
        unknown,
    }
}

fn judge_set(
    set: &RuleSet,
    flow: &Flow,
    learned: &impl Fn(&VrfName, IpAddr) -> bool,
) -> (Option<String>, bool) {
    let matches = |rule: &Rule| {
        let protocol = rule.protocols.iter().any(|p| protocol_fits(p, flow));
        protocol
            && holds(&rule.sources, flow.src, learned)
            && holds(&rule.destinations, flow.dst, learned)
    };
    let mut unknown = false;
    for rule in &set.rules {
        if !matches(rule) {
            continue;
        }
        if rule.unknown {
            unknown = true;
            continue;
        }
        match (set.mode, rule.access) {
            (RuleSetMode::FirstMatch, Access::Allow) => return (None, unknown),
            (RuleSetMode::FirstMatch, Access::Deny) => return (Some(rule.name.clone()), unknown),
            // Once a known rule allows, no other rule of a union can change it.
            (RuleSetMode::UnionOfAllows, Access::Allow) => return (None, false),
            (RuleSetMode::UnionOfAllows, Access::Deny) => {}
        }
    }
    (Some(String::new()), unknown)
}

fn protocol_fits(protocol: &Protocol, flow: &Flow) -> bool {
    let within = |ranges: &[PortRange], port: u16| {
        ranges.is_empty() || ranges.iter().any(|range| range.contains(&port))
    };
    match protocol {
        Protocol::Any => true,
        Protocol::Number(number) => *number == flow.protocol,
        Protocol::Ports {
            number,
            source,
            destination,
        } => {
            *number == flow.protocol
                && within(source, flow.src_port)
                && within(destination, flow.dst_port)
        }
        Protocol::Icmp {
            number,
            icmp_type,
            code,
        } => {
            *number == flow.protocol
                && flow
                    .icmp
                    .is_some_and(|(t, c)| t == *icmp_type && code.is_none_or(|code| code == c))
        }
    }
}

fn holds(set: &AddressSet, address: IpAddr, learned: &impl Fn(&VrfName, IpAddr) -> bool) -> bool {
    set.prefixes.iter().any(|prefix| prefix.contains(&address))
        || set
            .learned_in
            .as_ref()
            .is_some_and(|vrf| learned(vrf, address))
}
