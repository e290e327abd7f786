//! The forwarding table against a list that is searched from end to end.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, where a panic is the report"
)]

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use proptest::prelude::*;
use skybridge_blueprint::{DropKind, RouteSource};
use skybridge_dataplane::{Candidate, Fib, InterfaceIndex, RouteHop, RouteState, TableIndex, ecmp};
use skybridge_wire::FiveTuple;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn via(interface: u16, last: u8) -> RouteHop {
    RouteHop::Via {
        interface: InterfaceIndex(interface),
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
    }
}

fn candidate(source: RouteSource, preference: u8, hops: Vec<RouteHop>) -> Candidate {
    Candidate {
        source,
        preference,
        hops,
        usable: true,
    }
}

fn user(hops: Vec<RouteHop>) -> Candidate {
    candidate(RouteSource::User, 1, hops)
}

fn bgp(hops: Vec<RouteHop>) -> Candidate {
    candidate(RouteSource::Bgp, 20, hops)
}

fn is_bgp(c: &Candidate) -> bool {
    c.source == RouteSource::Bgp
}

fn is_user(c: &Candidate) -> bool {
    c.source == RouteSource::User
}

#[test]
fn the_lowest_preference_wins_and_the_losers_stay_visible() {
    let mut fib = Fib::new(4);
    let prefix = net("10.0.0.0/8");
    assert!(fib.replace(prefix, is_bgp, vec![bgp(vec![via(2, 2)])]));
    assert!(fib.replace(
        prefix,
        is_user,
        vec![user(vec![RouteHop::Drop(DropKind::None)])]
    ));
    let found = fib.lookup("10.1.1.1".parse().unwrap()).unwrap();
    assert_eq!(found.hops, [RouteHop::Drop(DropKind::None)]);
    let states: Vec<_> = fib.iter().map(|(_, c, s)| (c.source, s)).collect();
    assert_eq!(
        states,
        [
            (RouteSource::User, RouteState::Active),
            (RouteSource::Bgp, RouteState::LostByPreference)
        ]
    );
    // The BGP route counts as learned although it is not used.
    assert!(fib.is_learned("10.1.1.1".parse().unwrap()));
    assert!(fib.replace(prefix, is_user, Vec::new()));
    assert_eq!(
        fib.lookup("10.1.1.1".parse().unwrap()).unwrap().source,
        RouteSource::Bgp
    );
    assert!(fib.replace(prefix, is_bgp, Vec::new()));
    assert!(fib.is_empty() && !fib.is_learned("10.1.1.1".parse().unwrap()));
}

#[test]
fn equal_routes_are_used_together_up_to_the_limit() {
    let mut fib = Fib::new(2);
    let prefix = net("10.0.0.0/8");
    let hops = vec![via(3, 3), via(1, 1), via(2, 2), via(1, 1)];
    fib.replace(prefix, is_bgp, vec![bgp(hops)]);
    assert_eq!(fib.exact(prefix).unwrap().hops, [via(1, 1), via(2, 2)]);
    assert_eq!(fib.set_ecmp_max(8), [prefix]);
    assert_eq!(fib.exact(prefix).unwrap().hops.len(), 3);
}

#[test]
fn a_route_over_a_dead_interface_gives_way_to_a_shorter_prefix() {
    let mut fib = Fib::new(1);
    fib.replace(net("10.0.0.0/8"), is_user, vec![user(vec![via(1, 1)])]);
    fib.replace(net("10.1.0.0/16"), is_user, vec![user(vec![via(2, 2)])]);
    assert_eq!(
        fib.set_interface_usable(InterfaceIndex(2), false),
        [net("10.1.0.0/16")]
    );
    let found = fib.lookup("10.1.0.1".parse().unwrap()).unwrap();
    assert_eq!(found.prefix, net("10.0.0.0/8"));
    assert_eq!(fib.iter().last().unwrap().2, RouteState::Unusable);
    fib.set_interface_usable(InterfaceIndex(2), true);
    let found = fib.lookup("10.1.0.1".parse().unwrap()).unwrap();
    assert_eq!(found.prefix, net("10.1.0.0/16"));
}

#[test]
fn flows_spread_evenly_over_equal_next_hops_and_each_keeps_its_own() {
    let mut counts = [0_usize; 4];
    for port in 0..8000_u16 {
        let tuple = FiveTuple {
            src: "10.0.0.1".parse().unwrap(),
            dst: "10.1.0.1".parse().unwrap(),
            protocol: 6,
            src_port: 20_000 + port,
            dst_port: 443,
        };
        let hash = ecmp::hash(7, &tuple);
        assert_eq!(hash, ecmp::hash(7, &tuple));
        counts[ecmp::choose(hash, 4)] += 1;
    }
    for count in counts {
        assert!((1800..2200).contains(&count), "{counts:?}");
    }
}

fn small_net() -> impl Strategy<Value = Ipv4Net> {
    // Few distinct bits, so that prefixes nest and repeat.
    (0_u32..64, 0_u8..=6).prop_map(|(bits, len)| {
        Ipv4Net::new(Ipv4Addr::from_bits(bits << 26), len)
            .unwrap()
            .trunc()
    })
}

proptest! {
    #[test]
    fn lookup_equals_a_search_of_the_whole_list(
        steps in prop::collection::vec((small_net(), 0_u16..6, any::<bool>()), 0..80),
        probes in prop::collection::vec(0_u32..64, 20),
    ) {
        let mut fib = Fib::new(1);
        let mut model: Vec<(Ipv4Net, u16)> = Vec::new();
        for (prefix, to, add) in steps {
            let routes = if add {
                vec![user(vec![RouteHop::Table(TableIndex(to))])]
            } else {
                Vec::new()
            };
            fib.replace(prefix.into(), is_user, routes);
            model.retain(|(p, _)| *p != prefix);
            if add {
                model.push((prefix, to));
            }
        }
        for bits in probes {
            let address = Ipv4Addr::from_bits(bits << 26);
            let expected = model
                .iter()
                .filter(|(p, _)| p.contains(&address))
                .max_by_key(|(p, _)| p.prefix_len());
            let found = fib.lookup(address.into());
            prop_assert_eq!(
                found.map(|f| (f.prefix, f.hops[0])),
                expected.map(|(p, to)| (IpNet::V4(*p), RouteHop::Table(TableIndex(*to))))
            );
        }
        prop_assert_eq!(fib.len(), model.len());
    }
}

#[test]
fn the_generation_grows_when_an_answer_changes_and_only_then() {
    let mut fib = Fib::new(4);
    let candidate = |source, interface| Candidate {
        source,
        preference: 20,
        hops: vec![RouteHop::Connected {
            interface: InterfaceIndex(interface),
        }],
        usable: true,
    };
    let bgp = |c: &Candidate| c.source == RouteSource::Bgp;
    let user = |c: &Candidate| c.source == RouteSource::User;
    let net = "10.0.0.0/8".parse().unwrap();
    let mut last = fib.generation();
    let mut grew = |fib: &Fib| {
        let now = fib.generation();
        let grew = now > last;
        last = now;
        grew
    };
    fib.replace(net, user, vec![candidate(RouteSource::User, 1)]);
    assert!(grew(&fib));
    fib.replace(net, user, vec![candidate(RouteSource::User, 1)]);
    assert!(!grew(&fib));
    // Not used, but the prefix is learned now, and then no longer.
    fib.replace(net, bgp, vec![candidate(RouteSource::Bgp, 2)]);
    assert!(grew(&fib));
    fib.replace(net, bgp, vec![candidate(RouteSource::Bgp, 3)]);
    assert!(!grew(&fib));
    fib.replace(net, bgp, vec![]);
    assert!(grew(&fib));
    fib.set_interface_usable(InterfaceIndex(1), false);
    assert!(grew(&fib));
    fib.set_interface_usable(InterfaceIndex(1), true);
    assert!(grew(&fib));
}
