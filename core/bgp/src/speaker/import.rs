//! From an UPDATE into the tables: checks, import policies, limits.

use std::sync::Arc;

use ipnet::IpNet;

use super::config::{Import, PeerConfig, PeerId};
use super::observe::RejectReason;
use super::{Speaker, seconds};
use crate::attr::Attributes;
use crate::fsm::{IdleHold, Reason};
use crate::message::{Message, Notification, RouteRefresh, Update, subcode};
use crate::policy::Verdict;
use crate::rib::{AttrId, AttrStore, Offer, Route};
use crate::types::Family;

/// Reject codes below this are fixed, those above it index the policies' texts.
const FIRST_TEXT: u16 = 16;
/// Codes fit in 14 bits; texts beyond share the last code.
const TEXTS_MAX: usize = 16_000;

/// The texts of rejecting policies, numbered for the paths that they refused.
#[derive(Debug, Default)]
pub(super) struct Reasons(Vec<Arc<str>>);

impl Reasons {
    fn code(&mut self, text: &Arc<str>) -> u16 {
        let at = self.0.iter().position(|t| t == text).unwrap_or_else(|| {
            if self.0.len() < TEXTS_MAX {
                self.0.push(Arc::clone(text));
            }
            self.0.len() - 1
        });
        FIRST_TEXT + u16::try_from(at).unwrap_or(0)
    }

    pub(super) fn reason(&self, code: u16) -> RejectReason {
        match code {
            1 => RejectReason::AsLoop,
            2 => RejectReason::OriginatorLoop,
            3 => RejectReason::NextHopIsSelf,
            n => {
                let at = usize::from(n.saturating_sub(FIRST_TEXT));
                let text = self.0.get(at).map_or_else(|| "policy".into(), Arc::clone);
                RejectReason::Policy(text)
            }
        }
    }
}

/// What one rule makes of one attribute set; prefixes of an UPDATE share these.
#[derive(Clone, Copy)]
struct Ruled {
    rule: usize,
    attrs: AttrId,
    reject: u16,
}

impl Speaker {
    /// Enters an UPDATE of an Established session.
    pub(super) fn on_update(&mut self, id: PeerId, update: Update) {
        let Some(peer) = self.peer_mut(id) else {
            return;
        };
        let families = peer.families();
        if let Some(family) = update.end_of_rib() {
            peer.counters.family_mut(family).end_of_rib = true;
            return;
        }
        let withdraw = update.treat_as_withdraw();
        peer.counters.attribute_faults += update.faults.len() as u64;
        peer.counters.treated_as_withdraw += u64::from(withdraw);
        if families.v4 {
            self.withdraw(id, Family::V4, &update.withdrawn);
        }
        if let Some(unreach) = update.mp_unreach.filter(|u| families.contains(u.family)) {
            self.withdraw(id, unreach.family, &unreach.nets);
        }
        if let Some(reach) = update.mp_reach.filter(|r| families.contains(r.family)) {
            if withdraw {
                self.withdraw(id, reach.family, &reach.nets);
            } else {
                let attributes = Attributes {
                    next_hop: Some(reach.next_hop),
                    link_local: reach.link_local,
                    ..update.attributes.clone()
                };
                self.announce(id, reach.family, attributes, &reach.nets);
            }
        }
        if families.v4 && !update.nets.is_empty() {
            if withdraw {
                self.withdraw(id, Family::V4, &update.nets);
            } else {
                self.announce(id, Family::V4, update.attributes, &update.nets);
            }
        }
    }

    fn withdraw(&mut self, id: PeerId, family: Family, nets: &[IpNet]) {
        let Some(peer) = self.peers[usize::from(id.0)].as_mut() else {
            return;
        };
        for (i, import) in peer.config.import.iter().enumerate() {
            let table = &mut self.tables[usize::from(import.table.0)];
            for net in nets {
                let gone = table.withdraw(&mut self.store, net, id.0);
                if gone && i == 0 {
                    peer.counters.family_mut(family).prefixes_received -= 1;
                }
            }
        }
    }

    fn announce(&mut self, id: PeerId, family: Family, attributes: Attributes, nets: &[IpNet]) {
        let now_s = seconds(self.now);
        let Some(peer) = self.peers[usize::from(id.0)].as_mut() else {
            return;
        };
        let config = &peer.config;
        let check = fixed_reject(config, &self.config, &attributes);
        let route = Route {
            attributes,
            tag: config.source_tag,
            weight: 0,
        };
        let raw = self.store.intern(&route);
        let mut received = 0;
        for (i, import) in config.import.iter().enumerate() {
            let table = &mut self.tables[usize::from(import.table.0)];
            let mut ruled: Vec<Ruled> = Vec::new();
            for net in nets {
                let rule = rule_for(import, check, net, &route);
                let known = ruled.iter().find(|r| r.rule == rule).copied();
                let r = known.unwrap_or_else(|| {
                    let made = Ruled {
                        rule,
                        ..apply(
                            &mut self.store,
                            &mut self.reasons,
                            import,
                            check,
                            rule,
                            &route,
                        )
                    };
                    ruled.push(made);
                    made
                });
                self.store.retain(raw);
                self.store.retain(r.attrs);
                let offer = Offer {
                    peer: id.0,
                    raw,
                    attrs: r.attrs,
                    reject: r.reject,
                    learned_s: now_s,
                };
                let new = table.announce(&mut self.store, net, offer);
                received += u32::from(new && i == 0);
            }
            ruled.iter().for_each(|r| self.store.release(r.attrs));
        }
        self.store.release(raw);
        peer.counters.family_mut(family).prefixes_received += received;
        self.check_limits(id, family);
    }

    /// RFC 4271 §6.7 and the speaker's own ceiling.
    fn check_limits(&mut self, id: PeerId, family: Family) {
        let Some(peer) = self.peer(id) else {
            return;
        };
        let held: usize = self.tables.iter().map(crate::rib::Table::path_count).sum();
        let limits = peer.config.limits;
        let count = peer.counters.family(family).prefixes_received;
        let hold = limits.retry_after.map_or(IdleHold::Forever, IdleHold::For);
        let (sub, data, reason) = if let Some(limit) = limits.of(family).filter(|l| count > *l) {
            // RFC 4486 §4: AFI, SAFI and the limit.
            let [a, b] = family.afi().to_be_bytes();
            let mut data = vec![a, b, 1];
            data.extend_from_slice(&limit.to_be_bytes());
            (
                subcode::MAX_PREFIXES,
                data,
                Reason::MaxPrefixes { family, limit },
            )
        } else if held > self.config.paths_max {
            (
                subcode::OUT_OF_RESOURCES,
                Vec::new(),
                Reason::OutOfResources,
            )
        } else {
            return;
        };
        let cease = Notification {
            data,
            ..Notification::cease(sub)
        };
        self.stop(self.now, id, cease, reason, hold)
            .expect("the peer exists");
    }

    /// Takes a soft change over: import policies run again over what was received, export marks what
    /// may differ.
    pub(super) fn reconfigure(&mut self, id: PeerId, new: PeerConfig) {
        let settings = new.settings(&self.config);
        let Some(peer) = self.peers[usize::from(id.0)].as_mut() else {
            return;
        };
        let old = std::mem::replace(&mut peer.config, new);
        peer.config.admin_down = old.admin_down;
        peer.settings = settings;
        let moved =
            old.export.as_ref().map(|e| e.table) != peer.config.export.as_ref().map(|e| e.table);
        if moved && let Some(export) = &old.export {
            let table = &mut self.tables[usize::from(export.table.0)];
            let bytes = peer.export.withdraw_all(table);
            for family in Family::ALL {
                peer.counters.family_mut(family).prefixes_sent = 0;
            }
            if let Some(conn) = peer.up {
                super::send(&mut self.outputs, conn, bytes);
            }
        }
        if peer.up.is_some()
            && let Some(export) = &peer.config.export
        {
            let table = &self.tables[usize::from(export.table.0)];
            peer.export.mark_all(table, |_| true);
        }
        self.reimport(id, &old);
        for family in Family::ALL {
            self.check_limits(id, family);
        }
    }

    /// Runs the import again from the attributes as received.
    fn reimport(&mut self, id: PeerId, old: &PeerConfig) {
        let Some(peer) = self.peers[usize::from(id.0)].as_mut() else {
            return;
        };
        // What was received is listed alike in every table imported into: the first will do.
        let source = old.import.first().map(|i| usize::from(i.table.0));
        let paths = source.map_or_else(Vec::new, |at| {
            let table = &self.tables[at];
            table
                .peer_paths(id.0)
                .into_iter()
                .map(|(net, path)| (table.net(net), path.offer))
                .collect::<Vec<_>>()
        });
        for (_, offer) in &paths {
            self.store.retain(offer.raw);
        }
        for import in &old.import {
            if !peer.config.import.iter().any(|i| i.table == import.table) {
                self.tables[usize::from(import.table.0)].drop_peer(&mut self.store, id.0);
            }
        }
        if source.is_none() && !peer.config.import.is_empty() {
            // Nothing was kept: ask for it (RFC 2918 §4), where the peer can.
            self.ask_refresh(id);
            return;
        }
        let config = &peer.config;
        if config.import.is_empty() {
            for family in Family::ALL {
                peer.counters.family_mut(family).prefixes_received = 0;
            }
        }
        for (net, offer) in paths {
            let mut route = self.store.route(offer.raw);
            route.tag = config.source_tag;
            let raw = self.store.intern(&route);
            let check = fixed_reject(config, &self.config, &route.attributes);
            for import in &config.import {
                let rule = rule_for(import, check, &net, &route);
                let r = apply(
                    &mut self.store,
                    &mut self.reasons,
                    import,
                    check,
                    rule,
                    &route,
                );
                self.store.retain(raw);
                let offer = Offer {
                    raw,
                    attrs: r.attrs,
                    reject: r.reject,
                    ..offer
                };
                self.tables[usize::from(import.table.0)].announce(&mut self.store, &net, offer);
            }
            self.store.release(raw);
            self.store.release(offer.raw);
        }
    }

    fn ask_refresh(&mut self, id: PeerId) {
        let Some(peer) = self.peers[usize::from(id.0)].as_mut() else {
            return;
        };
        let Some((conn, negotiated)) = peer.fsm.established() else {
            return;
        };
        if !negotiated.route_refresh {
            return;
        }
        for family in negotiated.families.iter() {
            let refresh = Message::RouteRefresh(RouteRefresh {
                afi: family.afi(),
                safi: 1,
            });
            let mut bytes = Vec::new();
            refresh.encode(true, &mut bytes);
            super::send(&mut self.outputs, conn, bytes);
            peer.counters.sent(&refresh);
        }
    }
}

/// The refusals that no policy can lift; 0 for none.
fn fixed_reject(config: &PeerConfig, speaker: &super::SpeakerConfig, a: &Attributes) -> u16 {
    // RFC 4271 §9.1.2: a path through our own AS is not eligible.
    let is_own = |asn| a.as_path.contains(asn);
    if !config.allow_own_as && (is_own(speaker.asn) || is_own(config.asn_towards(speaker))) {
        return 1;
    }
    // RFC 4456 §8.
    if a.originator_id == Some(speaker.router_id) {
        return 2;
    }
    // RFC 4271 §6.3: a next hop that is our own address.
    if a.next_hop == Some(config.local_address) {
        return 3;
    }
    0
}

/// Index of the deciding rule; with a fixed refusal there is only one outcome.
fn rule_for(import: &Import, check: u16, net: &IpNet, route: &Route) -> usize {
    if check == 0 {
        import.policy.find(net, route.tag, &route.attributes)
    } else {
        usize::MAX
    }
}

/// The outcome of a rule; the attribute set is counted once.
fn apply(
    store: &mut AttrStore,
    reasons: &mut Reasons,
    import: &Import,
    check: u16,
    rule: usize,
    route: &Route,
) -> Ruled {
    if check != 0 {
        return Ruled {
            rule,
            attrs: store.intern(route),
            reject: check,
        };
    }
    match import.policy.verdict(rule) {
        Verdict::Accept(accept) => {
            let mut changed = route.clone();
            let neighbour = route.attributes.as_path.first();
            accept.apply(&mut changed.attributes, neighbour);
            changed.tag = accept.set_tag.unwrap_or(changed.tag);
            changed.weight = accept.set_weight.unwrap_or(changed.weight);
            Ruled {
                rule,
                attrs: store.intern(&changed),
                reject: 0,
            }
        }
        Verdict::Reject { reason } => Ruled {
            rule,
            attrs: store.intern(route),
            reject: reasons.code(reason),
        },
    }
}
