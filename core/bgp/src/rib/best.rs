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
