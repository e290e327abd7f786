//! Filter semantics of both clouds, and the evaluator against a naive one.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, where a panic is the report"
)]

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use proptest::prelude::*;
use skybridge_blueprint::{
    Access, AddressSet, Filter, Protocol, Rule, RuleSet, RuleSetMode, Tracking,
};
use skybridge_dataplane::{CompiledFilter, Decision, Place, TableIndex};
use skybridge_wire::tcp::TcpFlags;
use skybridge_wire::{Fragment, PacketInfo};

fn packet(src: &str, dst: &str, dst_port: u16) -> PacketInfo {
    PacketInfo {
        src: src.parse().unwrap(),
        dst: dst.parse().unwrap(),
        protocol: 6,
        dscp: 0,
        ttl: 64,
        total_len: 40,
        l4_offset: 20,
        fragment: Fragment::Whole,
        src_port: 40_000,
        dst_port,
        tcp_flags: TcpFlags::SYN,
        icmp: None,
    }
}

fn anywhere() -> AddressSet {
    AddressSet {
        prefixes: vec!["0.0.0.0/0".parse().unwrap()],
        learned_in: None,
    }
}

fn tcp(port: u16) -> Protocol {
    Protocol::Ports {
        number: 6,
        source: Vec::new(),
        destination: vec![port..=port],
    }
}

fn rule(name: &str, access: Access, protocol: Protocol) -> Rule {
    Rule {
        name: name.to_owned(),
        access,
        tracking: Tracking::Stateful,
        protocols: vec![protocol],
        sources: anywhere(),
        destinations: anywhere(),
        unknown: false,
    }
}

fn stateless(rule: Rule) -> Rule {
    Rule {
        tracking: Tracking::Stateless,
        ..rule
    }
}

fn unknown(rule: Rule) -> Rule {
    Rule {
        unknown: true,
        ..rule
    }
}

fn filter(mode: RuleSetMode, sets: Vec<Vec<Rule>>) -> CompiledFilter {
    let sets = sets.into_iter().enumerate().map(|(i, rules)| RuleSet {
        name: format!("set{i}"),
        mode,
        rules,
    });
    let filter = Filter {
        sets: sets.collect(),
    };
    CompiledFilter::new(&filter, |_| Some(TableIndex(0)))
}

fn decide(filter: &CompiledFilter, packet: &PacketInfo) -> Decision {
    filter.decide(packet, |_, _| false)
}

#[test]
fn azure_the_first_matching_rule_decides_in_every_set() {
    use Access::{Allow, Deny};
    let web = packet("10.0.0.1", "10.1.0.1", 443);
    let allow = || {
        vec![
            rule("web", Allow, tcp(443)),
            rule("end", Deny, Protocol::Any),
        ]
    };
    let deny = || {
        vec![
            rule("no web", Deny, tcp(443)),
            rule("all", Allow, Protocol::Any),
        ]
    };
    for (sets, access, place) in [
        (vec![allow()], Allow, (0, Some(0))),
        (vec![deny()], Deny, (0, Some(0))),
        (vec![allow(), deny()], Deny, (1, Some(0))),
        (vec![deny(), allow()], Deny, (0, Some(0))),
        (vec![allow(), allow()], Allow, (1, Some(0))),
        (vec![vec![]], Deny, (0, None)),
    ] {
        let filter = filter(RuleSetMode::FirstMatch, sets);
        let decision = decide(&filter, &web);
        let place = Place {
            set: place.0,
            rule: place.1,
        };
        assert_eq!((decision.access, decision.place), (access, Some(place)));
    }
    assert_eq!(
        filter(RuleSetMode::FirstMatch, vec![deny()]).names(Place {
            set: 0,
            rule: Some(0)
        }),
        Some(("set0", Some("no web")))
    );
}

#[test]
fn oci_any_allow_allows_and_a_stateless_match_wins() {
    use Access::Allow;
    let web = packet("10.0.0.1", "10.1.0.1", 443);
    let stateful = || rule("stateful", Allow, tcp(443));
    let free = || stateless(rule("stateless", Allow, Protocol::Number(6)));
    let other = || rule("ssh", Allow, tcp(22));
    for (rules, access, tracking) in [
        (vec![other(), stateful()], Allow, Tracking::Stateful),
        (vec![stateful(), free()], Allow, Tracking::Stateless),
        (vec![free(), stateful()], Allow, Tracking::Stateless),
        (vec![other()], Access::Deny, Tracking::Stateless),
    ] {
        let decision = decide(&filter(RuleSetMode::UnionOfAllows, vec![rules]), &web);
        assert_eq!((decision.access, decision.tracking), (access, tracking));
    }
}

#[test]
fn an_unknown_rule_never_matches_but_says_what_it_could_change() {
    use Access::{Allow, Deny};
    use RuleSetMode::{FirstMatch, UnionOfAllows};
    let web = packet("10.0.0.1", "10.1.0.1", 443);
    let maybe = |access| unknown(rule("maybe", access, Protocol::Any));
    let yes = || rule("yes", Allow, tcp(443));
    let no = || rule("no", Deny, Protocol::Any);
    for (mode, sets, access, could_change) in [
        (FirstMatch, vec![vec![maybe(Deny), yes()]], Allow, true),
        (FirstMatch, vec![vec![maybe(Allow), yes()]], Allow, false),
        (FirstMatch, vec![vec![yes(), maybe(Deny)]], Allow, false),
        (FirstMatch, vec![vec![maybe(Allow), no()]], Deny, true),
        (FirstMatch, vec![vec![maybe(Allow)]], Deny, true),
        (FirstMatch, vec![vec![no(), maybe(Allow)]], Deny, false),
        // A later set that denies for certain settles it.
        (
            FirstMatch,
            vec![vec![maybe(Allow), no()], vec![no()]],
            Deny,
            false,
        ),
        (
            FirstMatch,
            vec![vec![maybe(Allow), no()], vec![yes()]],
            Deny,
            true,
        ),
        (
            FirstMatch,
            vec![vec![maybe(Deny), yes()], vec![yes()]],
            Allow,
            true,
        ),
        (UnionOfAllows, vec![vec![maybe(Allow)]], Deny, true),
        (UnionOfAllows, vec![vec![maybe(Allow), yes()]], Allow, false),
    ] {
        let decision = decide(&filter(mode, sets.clone()), &web);
        assert_eq!(
            (decision.access, decision.could_change),
            (access, could_change),
            "{sets:?}"
        );
    }
}

#[test]
fn a_learned_set_follows_the_routing_table() {
    let mut only_learned = rule("virtual network", Access::Allow, Protocol::Any);
    only_learned.sources = AddressSet {
        prefixes: vec!["10.0.0.0/16".parse().unwrap()],
        learned_in: Some("vnet".into()),
    };
    let filter = filter(RuleSetMode::FirstMatch, vec![vec![only_learned]]);
    let on_premises: IpAddr = "192.168.0.9".parse().unwrap();
    let from_there = packet("192.168.0.9", "10.0.0.1", 22);
    let with = filter.decide(&from_there, |_, address| address == on_premises);
    assert_eq!(with.access, Access::Allow);
    assert_eq!(decide(&filter, &from_there).access, Access::Deny);
    let local = packet("10.0.3.3", "10.0.0.1", 22);
    assert_eq!(decide(&filter, &local).access, Access::Allow);
}

#[test]
fn a_later_fragment_matches_no_rule_with_ports() {
    let filter = filter(
        RuleSetMode::UnionOfAllows,
        vec![vec![rule("web", Access::Allow, tcp(443))]],
    );
    let later = PacketInfo {
        fragment: Fragment::Later {
            identification: 1,
            offset: 1480,
            more: false,
        },
        dst_port: 0,
        src_port: 0,
        ..packet("10.0.0.1", "10.1.0.1", 0)
    };
    assert_eq!(decide(&filter, &later).access, Access::Deny);
}

#[test]
fn icmp_rules_look_at_type_and_code() {
    let protocol = |code| Protocol::Icmp {
        number: 1,
        icmp_type: 3,
        code,
    };
    for (wanted, found, access) in [
        (Some(4), (3, 4), Access::Allow),
        (Some(4), (3, 1), Access::Deny),
        (None, (3, 1), Access::Allow),
        (None, (8, 0), Access::Deny),
    ] {
        let rules = vec![rule("icmp", Access::Allow, protocol(wanted))];
        let packet = PacketInfo {
            protocol: 1,
            icmp: Some(found),
            ..packet("10.0.0.1", "10.1.0.1", 0)
        };
        let filter = filter(RuleSetMode::UnionOfAllows, vec![rules]);
        assert_eq!(decide(&filter, &packet).access, access);
    }
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let net = (0_u8..4, 6_u8..=8).prop_map(|(bits, len)| {
        IpNet::V4(
            Ipv4Net::new(Ipv4Addr::new(bits, 0, 0, 0), len)
                .unwrap()
                .trunc(),
        )
    });
    let protocol = prop_oneof![
        Just(Protocol::Any),
        (5_u8..8).prop_map(Protocol::Number),
        (0_u16..4, 0_u16..4).prop_map(|(from, to)| Protocol::Ports {
            number: 6,
            source: Vec::new(),
            destination: vec![from..=to],
        }),
    ];
    (
        any::<bool>(),
        any::<bool>(),
        prop::collection::vec(protocol, 0..3),
        net.clone(),
        net,
        prop::bool::weighted(0.2),
    )
        .prop_map(|(allow, track, protocols, src, dst, unknown)| Rule {
            name: String::new(),
            access: if allow { Access::Allow } else { Access::Deny },
            tracking: if track {
                Tracking::Stateful
            } else {
                Tracking::Stateless
            },
            protocols,
            sources: AddressSet {
                prefixes: vec![src],
                learned_in: None,
            },
            destinations: AddressSet {
                prefixes: vec![dst],
                learned_in: None,
            },
            unknown,
        })
}

/// What the filter says when each unknown rule matches or not as `world` has it.
fn naive(mode: RuleSetMode, sets: &[Vec<Rule>], packet: &PacketInfo, world: u32) -> bool {
    let mut unknown_seen = 0;
    let mut all = true;
    for rules in sets {
        let mut matching = Vec::new();
        for rule in rules {
            let protocol = rule.protocols.iter().any(|p| match p {
                Protocol::Any => true,
                Protocol::Number(n) => *n == packet.protocol,
                Protocol::Ports { destination, .. } => {
                    packet.protocol == 6 && destination.iter().any(|r| r.contains(&packet.dst_port))
                }
                Protocol::Icmp { .. } => false,
            });
            let fits = protocol
                && rule.sources.prefixes[0].contains(&packet.src)
                && rule.destinations.prefixes[0].contains(&packet.dst);
            // The fields of an unknown rule hold everything that it could match, so it may match what
            // they fit, and nothing else.
            let hit = if rule.unknown {
                unknown_seen += 1;
                fits && world >> (unknown_seen - 1) & 1 == 1
            } else {
                fits
            };
            if hit {
                matching.push(rule.access);
            }
        }
        all &= match mode {
            RuleSetMode::FirstMatch => matching.first() == Some(&Access::Allow),
            RuleSetMode::UnionOfAllows => matching.contains(&Access::Allow),
        };
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_decision_equals_the_naive_one_and_could_change_is_exact(
        union in any::<bool>(),
        sets in prop::collection::vec(prop::collection::vec(any_rule(), 0..5), 1..3),
        src in 0_u8..4, dst in 0_u8..4, port in 0_u16..4, protocol in 5_u8..8,
    ) {
        let mode = if union { RuleSetMode::UnionOfAllows } else { RuleSetMode::FirstMatch };
        let packet = PacketInfo {
            src: IpAddr::V4(Ipv4Addr::new(src, 1, 1, 1)),
            dst: IpAddr::V4(Ipv4Addr::new(dst, 1, 1, 1)),
            protocol,
            ..packet("0.0.0.0", "0.0.0.0", port)
        };
        let unknowns = sets.iter().flatten().filter(|r| r.unknown).count();
        let decision = decide(&filter(mode, sets.clone()), &packet);
        let allowed = naive(mode, &sets, &packet, 0);
        prop_assert_eq!(decision.access == Access::Allow, allowed);
        let differs = (0..1_u32 << unknowns).any(|w| naive(mode, &sets, &packet, w) != allowed);
        prop_assert_eq!(decision.could_change, differs);
    }
}
