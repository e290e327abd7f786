//! BGP paths and which of them is best.

use std::cmp::{Ordering, Reverse};
use std::net::{IpAddr, Ipv4Addr};

use skybridge_base::Asn;
use skybridge_blueprint::SourceTag;

/// Where a path was learned.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PathFrom {
    /// Originated here.
    Here,
    /// From a peer of the same instance.
    Peer {
        /// Its name.
        peer: String,
        /// It is in another AS.
        external: bool,
        /// Its BGP identifier.
        router_id: Ipv4Addr,
        /// Its address.
        address: IpAddr,
    },
}

/// One BGP path to a prefix. ORIGIN is always IGP and MULTI_EXIT_DISC absent: nothing in a blueprint
/// sets them, so those two steps of the decision never part two paths.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Path {
    /// Where it was learned.
    pub from: PathFrom,
    /// AS_PATH, nearest first.
    pub as_path: Vec<Asn>,
    /// NEXT_HOP; `None` for a path originated here.
    pub next_hop: Option<IpAddr>,
    /// LOCAL_PREF, 100 where nothing set it.
    pub local_pref: u32,
    /// Communities in ascending order.
    pub communities: Vec<u32>,
    /// The mark of where it was learned.
    pub source_tag: SourceTag,
}

/// LOCAL_PREF of a path on which no policy set one.
pub(crate) const LOCAL_PREF: u32 = 100;

impl Path {
    /// Learned from another AS, or originated here.
    pub(crate) const fn is_external(&self) -> bool {
        match self.from {
            PathFrom::Here => true,
            PathFrom::Peer { external, .. } => external,
        }
    }

    /// How good a path is before ties are broken by who announced it (RFC 4271 §9.1.1, §9.1.2.2 a
    /// to d); lower is better. What originates here wins over everything learned.
    fn quality(&self) -> (bool, Reverse<u32>, usize, bool) {
        (
            self.from != PathFrom::Here,
            Reverse(self.local_pref),
            self.as_path.len(),
            !self.is_external(),
        )
    }

    /// Equal up to the tie-break, so that both may be used at once.
    pub(crate) fn equal_cost(&self, other: &Self) -> bool {
        self.quality() == other.quality()
    }

    /// Better first (RFC 4271 §9.1.2.2 f and g after the above).
    pub(crate) fn decide(&self, other: &Self) -> Ordering {
        let tie = |path: &Self| match &path.from {
            PathFrom::Here => None,
            PathFrom::Peer {
                router_id, address, ..
            } => Some((*router_id, *address)),
        };
        self.quality()
            .cmp(&other.quality())
            .then_with(|| tie(self).cmp(&tie(other)))
            .then_with(|| self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(local_pref: u32, as_path: &[u32], external: bool, router_id: u8, last: u8) -> Path {
        Path {
            from: PathFrom::Peer {
                peer: String::new(),
                external,
                router_id: [10, 0, 0, router_id].into(),
                address: [192, 0, 2, last].into(),
            },
            as_path: as_path.iter().map(|n| Asn(*n)).collect(),
            next_hop: None,
            local_pref,
            communities: Vec::new(),
            source_tag: 0,
        }
    }

    #[test]
    fn each_step_decides_before_the_next() {
        let ladder = [
            path(200, &[1, 2, 3], false, 9, 9),
            path(100, &[1], false, 9, 9),
            path(100, &[1, 2], true, 8, 9),
            path(100, &[1, 2], true, 9, 7),
            path(100, &[1, 2], true, 9, 8),
            path(100, &[1, 2], false, 1, 1),
        ];
        for (at, better) in ladder.iter().enumerate() {
            for worse in &ladder[at + 1..] {
                assert_eq!(better.decide(worse), Ordering::Less, "{better:?} {worse:?}");
            }
        }
    }

    #[test]
    fn what_originates_here_wins_and_equal_cost_ignores_who_announced_it() {
        let learned = path(900, &[1], true, 1, 1);
        let mut here = path(100, &[], true, 1, 1);
        here.from = PathFrom::Here;
        assert_eq!(here.decide(&learned), Ordering::Less);
        assert!(path(1, &[1], true, 1, 1).equal_cost(&path(1, &[2], true, 2, 2)));
        assert!(!path(1, &[1], true, 1, 1).equal_cost(&path(1, &[2], false, 2, 2)));
    }
}
