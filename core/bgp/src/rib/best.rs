//! The decision process of RFC 4271 §9.1.2.2 by elimination, and why each path lost.

use std::net::{IpAddr, Ipv4Addr};

use super::attrs::Hot;

/// Why a path is not the best one: the step of the decision at which it fell out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LostBy {
    /// Another has a higher local weight.
    Weight,
    /// Another has a higher LOCAL_PREF (RFC 4271 §9.1.1).
    LocalPref,
    /// Another has a shorter AS path (§9.1.2.2 a).
    AsPathLength,
    /// Another has a lower ORIGIN (§9.1.2.2 b).
    Origin,
    /// Another from the same neighbouring AS has a lower MED (§9.1.2.2 c).
    Med,
    /// Another was learned from an external peer (§9.1.2.2 d).
    ExternalOverInternal,
    /// Another comes from a peer with a lower BGP identifier (§9.1.2.2 f).
    RouterId,
    /// Another comes from a lower peer address (§9.1.2.2 g).
    PeerAddress,
}

/// How the decision ranks the source of a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SourceRank {
    /// Learned from an external peer.
    pub external: bool,
    /// The peer's BGP identifier, or ORIGINATOR_ID where present (RFC 4456 §9).
    pub router_id: Ipv4Addr,
    /// The peer's address.
    pub address: IpAddr,
}

impl SourceRank {
    /// Originated here.
    pub const LOCAL: Self = Self {
        external: true,
        router_id: Ipv4Addr::UNSPECIFIED,
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
}

/// A path in the decision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) path: u32,
    pub(crate) hot: Hot,
    pub(crate) rank: SourceRank,
    pub(crate) lost: Option<LostBy>,
    /// Equal to the best up to the tie breaks.
    pub(crate) multipath: bool,
}

/// Runs the decision over `all`, filling in `lost` and `multipath`. Gives the best's index.
pub(crate) fn decide(all: &mut [Candidate], multipath_max: usize) -> Option<usize> {
    keep_min(all, LostBy::Weight, |c| std::cmp::Reverse(c.hot.weight));
    keep_min(all, LostBy::LocalPref, |c| {
        std::cmp::Reverse(c.hot.local_pref)
    });
    keep_min(all, LostBy::AsPathLength, |c| c.hot.as_path_len);
    keep_min(all, LostBy::Origin, |c| c.hot.origin);
    compare_med(all);
    // §9.1.2.2 e, the interior cost, is absent: next hops are on connected networks here.
    keep_min(all, LostBy::ExternalOverInternal, |c| !c.rank.external);
    let mut equal: Vec<usize> = (0..all.len()).filter(|i| all[*i].lost.is_none()).collect();
    equal.sort_by_key(|i| (all[*i].rank.router_id, all[*i].rank.address));
    for i in equal.iter().take(multipath_max.max(1)) {
        all[*i].multipath = true;
    }
    keep_min(all, LostBy::RouterId, |c| c.rank.router_id);
    keep_min(all, LostBy::PeerAddress, |c| c.rank.address);
    all.iter().position(|c| c.lost.is_none())
}

fn keep_min<K: Ord>(all: &mut [Candidate], step: LostBy, key: impl Fn(&Candidate) -> K) {
    let Some(best) = all.iter().filter(|c| c.lost.is_none()).map(&key).min() else {
        return;
    };
    for c in all.iter_mut().filter(|c| c.lost.is_none()) {
        if key(c) > best {
            c.lost = Some(step);
        }
    }
}

/// §9.1.2.2 c: MEDs compare only among paths of one neighbouring AS; a missing one is lowest.
fn compare_med(all: &mut [Candidate]) {
    for i in 0..all.len() {
        let (a, standing) = (all[i], all[i].lost.is_none());
        let beaten = standing
            && all.iter().any(|b| {
                b.lost.is_none_or(|l| l == LostBy::Med)
                    && b.hot.first_as == a.hot.first_as
                    && b.hot.med < a.hot.med
            });
        if beaten {
            all[i].lost = Some(LostBy::Med);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use skybridge_base::Asn;

    use super::*;
    use crate::types::Origin;

    prop_compose! {
        fn candidate()(
            weight in 0..2_u32,
            local_pref in 100..102_u32,
            as_path_len in 1..3_usize,
            origin in prop_oneof![Just(Origin::Igp), Just(Origin::Incomplete)],
            med in 0..3_u32,
            first in 1..3_u32,
            external in any::<bool>(),
            id in 1..3_u32,
        ) -> Candidate {
            let hot = Hot { weight, local_pref, as_path_len, origin, med, first_as: Some(Asn(first)), ..Hot::default() };
            let rank = SourceRank { external, router_id: id.into(), address: Ipv4Addr::UNSPECIFIED.into() };
            Candidate { path: 0, hot, rank, lost: None, multipath: false }
        }
    }

    /// RFC 4271 §9.1.2.2 word by word: copy the list, strike out, step after step.
    fn naive(all: &[Candidate]) -> Option<u32> {
        type Step = fn(&Candidate) -> i64;
        let strike = |list: Vec<Candidate>, key: Step| -> Vec<Candidate> {
            let best = list.iter().map(key).min();
            list.into_iter().filter(|c| Some(key(c)) == best).collect()
        };
        let mut list = all.to_vec();
        list = strike(list, |c| -i64::from(c.hot.weight));
        list = strike(list, |c| -i64::from(c.hot.local_pref));
        list = strike(list, |c| i64::try_from(c.hot.as_path_len).unwrap());
        list = strike(list, |c| c.hot.origin as i64);
        let lowest = |first| {
            let same = list.iter().filter(|c| c.hot.first_as == first);
            same.map(|c| c.hot.med).min()
        };
        list = list
            .iter()
            .filter(|c| Some(c.hot.med) == lowest(c.hot.first_as))
            .copied()
            .collect();
        list = strike(list, |c| i64::from(!c.rank.external));
        list = strike(list, |c| u32::from(c.rank.router_id).into());
        list.sort_by_key(|c| c.rank.address);
        list.first().map(|c| c.path)
    }

    proptest! {
        #[test]
        fn the_decision_equals_the_naive_one_in_any_order(
            mut all in proptest::collection::vec(candidate(), 0..9),
            turn in 0..9_usize,
            multipath_max in 1..4_usize,
        ) {
            for (c, n) in all.iter_mut().zip(1_u32..) {
                c.path = n;
                c.rank.address = Ipv4Addr::from(n).into();
            }
            let expected = naive(&all);
            let n = all.len().max(1);
            all.rotate_left(turn % n);
            let best = decide(&mut all, multipath_max);
            prop_assert_eq!(best.map(|i| all[i].path), expected);
            for (i, c) in all.iter().enumerate() {
                prop_assert_eq!(c.lost.is_none(), Some(i) == best, "every loser has a reason");
            }
            let multi: Vec<&Candidate> = all.iter().filter(|c| c.multipath).collect();
            prop_assert!(multi.len() <= multipath_max);
            prop_assert!(best.is_none_or(|i| all[i].multipath));
            for c in multi {
                let tie = matches!(c.lost, None | Some(LostBy::RouterId | LostBy::PeerAddress));
                prop_assert!(tie, "only ties of the last two steps share traffic");
            }
        }
    }

    #[test]
    fn meds_of_different_neighbours_do_not_compare() {
        let path = |path, first, med, id: u32| Candidate {
            path,
            hot: Hot {
                first_as: Some(Asn(first)),
                med,
                ..Hot::default()
            },
            rank: SourceRank {
                external: true,
                router_id: id.into(),
                address: Ipv4Addr::from(path).into(),
            },
            lost: None,
            multipath: false,
        };
        let mut all = [
            path(1, 65001, 50, 1),
            path(2, 65001, 10, 9),
            path(3, 65002, 99, 5),
        ];
        let best = decide(&mut all, 1).map(|i| all[i].path);
        assert_eq!(best, Some(3));
        assert_eq!(all[0].lost, Some(LostBy::Med));
        assert_eq!(all[1].lost, Some(LostBy::RouterId));
    }
}
