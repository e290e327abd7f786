//! Running the decision over changed prefixes, and what follows from its result.

use super::config::PeerId;
use super::observe::Source;
use super::{BestPath, Output, Speaker, table_id};
use crate::rib::{AttrId, Candidate, LOCAL, SourceRank, decide};

/// Nets decided about per call, over all tables: with what the driver makes of the results, some
/// milliseconds of work.
const DECISIONS_PER_CALL: usize = 512;

impl Speaker {
    /// The decision for up to [`DECISIONS_PER_CALL`] changed nets.
    pub(super) fn decide_some(&mut self) {
        let mut left = DECISIONS_PER_CALL;
        for at in 0..self.tables.len() {
            while left > 0
                && let Some(net) = self.tables[at].take_dirty()
            {
                self.decide_net(at, net);
                left -= 1;
            }
        }
    }

    fn rank(&self, source: u16, attrs: AttrId) -> SourceRank {
        let peer = if source == LOCAL {
            None
        } else {
            self.peer(PeerId(source))
        };
        let Some(peer) = peer else {
            return SourceRank::LOCAL;
        };
        let external = peer.is_external();
        let mut router_id = peer.remote_router_id();
        if !external && let Some(originator) = self.store.hot(attrs).originator_id {
            router_id = originator;
        }
        SourceRank {
            external,
            router_id,
            address: peer.config.remote_address,
        }
    }

    /// Fills `self.candidates` for a net and decides; gives the best's index.
    pub(super) fn rank_net(&self, at: usize, net: u32, out: &mut Vec<Candidate>) -> Option<usize> {
        out.clear();
        let eligible = self.tables[at].paths(net).filter(|p| p.offer.reject == 0);
        out.extend(eligible.map(|p| Candidate {
            path: p.id,
            hot: *self.store.hot(p.offer.attrs),
            rank: self.rank(p.offer.peer, p.offer.attrs),
            lost: None,
            multipath: false,
        }));
        decide(out, usize::from(self.config.multipath_max))
    }

    fn decide_net(&mut self, at: usize, net: u32) {
        let mut candidates = std::mem::take(&mut self.candidates);
        let best = self.rank_net(at, net, &mut candidates);
        let best = best.map(|i| candidates[i].path);
        let fib: Vec<u32> = best
            .into_iter()
            .chain(
                candidates
                    .iter()
                    .filter(|c| c.multipath && Some(c.path) != best)
                    .map(|c| c.path),
            )
            .collect();
        self.candidates = candidates;
        let (best_changed, fib_changed) = self.tables[at].settle(net, best, &fib);
        if fib_changed || best_changed {
            let table = &self.tables[at];
            let mut paths: Vec<BestPath> = Vec::with_capacity(fib.len());
            for id in fib {
                let Some(path) = table.paths(net).find(|p| p.id == id) else {
                    continue;
                };
                let hot = self.store.hot(path.offer.attrs);
                paths.push(BestPath {
                    next_hop: hot.next_hop,
                    link_local: hot.link_local,
                    source: Source::from_raw(path.offer.peer),
                    tag: hot.tag,
                });
            }
            self.outputs.push_back(Output::BestChanged {
                table: table_id(at),
                net: table.net(net),
                paths,
            });
        }
        if best_changed {
            let id = table_id(at);
            for peer in self.peers.iter_mut().flatten() {
                peer.on_best_changed(id, net);
            }
        }
        self.tables[at].free_if_unused(net);
    }
}
