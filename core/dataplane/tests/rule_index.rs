//! Long rule sets are indexed; what they decide is what asking rule after rule decides.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::prelude::*;
use skybridge_blueprint::{
    Access, AddressSet, Filter, PortRange, Protocol, Rule, RuleSet, RuleSetMode, Tracking,
};
use skybridge_dataplane::{CompiledFilter, TableIndex};
use skybridge_wire::tcp::TcpFlags;
use skybridge_wire::{Fragment, PacketInfo};

/// Few addresses, so that prefixes nest and packets meet them, the ends of the space among them.
fn v4() -> impl Strategy<Value = Ipv4Addr> {
    prop_oneof![
        (0_u32..64).prop_map(|low| Ipv4Addr::from(0x0a00_0000 | low)),
        prop::sample::select(vec![0_u32, u32::MAX, 0x0a00_ffff]).prop_map(Ipv4Addr::from),
    ]
}

fn v6() -> impl Strategy<Value = Ipv6Addr> {
    prop_oneof![
        (0_u128..16).prop_map(|low| Ipv6Addr::from(0x2001_0db8_u128 << 96 | low)),
        prop::sample::select(vec![0_u128, u128::MAX]).prop_map(Ipv6Addr::from),
    ]
}

fn prefix() -> impl Strategy<Value = IpNet> {
    prop_oneof![
        4 => (v4(), prop::sample::select(vec![0_u8, 8, 26, 28, 30, 32]))
            .prop_map(|(a, len)| IpNet::from(Ipv4Net::new(a, len).unwrap())),
        1 => (v6(), prop::sample::select(vec![0_u8, 32, 126, 128]))
            .prop_map(|(a, len)| IpNet::from(Ipv6Net::new(a, len).unwrap())),
    ]
}

fn addresses() -> impl Strategy<Value = AddressSet> {
    (
        prop::collection::vec(prefix(), 0..4),
        prop::bool::weighted(0.05),
    )
        .prop_map(|(prefixes, learned)| AddressSet {
            prefixes,
            learned_in: learned.then(|| "main".into()),
        })
}

fn ports() -> impl Strategy<Value = Vec<PortRange>> {
    let port = prop_oneof![0_u16..30, Just(u16::MAX)];
    let range = (port, 0_u16..8).prop_map(|(low, len)| low..=low.saturating_add(len));
    prop::collection::vec(range, 0..3)
}

fn protocol() -> impl Strategy<Value = Protocol> {
    let number = || prop::sample::select(vec![1_u8, 6, 17, 47, 58]);
    prop_oneof![
        1 => Just(Protocol::Any),
        1 => number().prop_map(Protocol::Number),
        6 => (number(), ports(), ports()).prop_map(|(number, source, destination)| {
            Protocol::Ports { number, source, destination }
        }),
        1 => (prop::sample::select(vec![1_u8, 58]), 0_u8..4, prop::option::of(0_u8..3)).prop_map(
            |(number, icmp_type, code)| Protocol::Icmp { number, icmp_type, code }
        ),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    (
        prop::collection::vec(protocol(), 0..3),
        (addresses(), addresses()),
        (any::<bool>(), any::<bool>(), prop::bool::weighted(0.1)),
    )
        .prop_map(
            |(protocols, (sources, destinations), (allow, stateful, unknown))| Rule {
                name: String::new(),
                access: if allow { Access::Allow } else { Access::Deny },
                tracking: if stateful {
                    Tracking::Stateful
                } else {
                    Tracking::Stateless
                },
                protocols,
                sources,
                destinations,
                unknown,
            },
        )
}

fn packet() -> impl Strategy<Value = PacketInfo> {
    let ends = prop_oneof![
        4 => (v4(), v4()).prop_map(|(a, b)| (IpAddr::V4(a), IpAddr::V4(b))),
        1 => (v6(), v6()).prop_map(|(a, b)| (IpAddr::V6(a), IpAddr::V6(b))),
    ];
    let port = || prop_oneof![0_u16..40, Just(u16::MAX)];
    (
        ends,
        prop::sample::select(vec![1_u8, 6, 17, 47, 58, 89]),
        (port(), port()),
        (0_u8..4, 0_u8..3),
        prop::bool::weighted(0.1),
    )
        .prop_map(|((src, dst), protocol, ports, icmp, later)| PacketInfo {
            src,
            dst,
            protocol,
            dscp: 0,
            ttl: 64,
            total_len: 40,
            l4_offset: 20,
            fragment: if later {
                Fragment::Later {
                    identification: 1,
                    offset: 8,
                    more: false,
                }
            } else {
                Fragment::Whole
            },
            src_port: if later { 0 } else { ports.0 },
            dst_port: if later { 0 } else { ports.1 },
            tcp_flags: TcpFlags::default(),
            icmp: matches!(protocol, 1 | 58).then_some(icmp),
        })
}

proptest! {
    #[test]
    fn an_index_decides_as_rule_after_rule_does(
        sets in prop::collection::vec(prop::collection::vec(rule(), 0..90), 1..3),
        union in any::<bool>(),
        packets in prop::collection::vec(packet(), 1..40),
        covered in any::<bool>(),
    ) {
        let mode = if union { RuleSetMode::UnionOfAllows } else { RuleSetMode::FirstMatch };
        let sets = sets.into_iter().map(|rules| RuleSet { name: String::new(), mode, rules });
        let filter = Filter { sets: sets.collect() };
        let indexed = CompiledFilter::new(&filter, |_| Some(TableIndex(0)));
        let plain = indexed.clone().without_index();
        for packet in &packets {
            let learned = |_, _| covered;
            prop_assert_eq!(indexed.decide(packet, learned), plain.decide(packet, learned));
        }
    }
}
