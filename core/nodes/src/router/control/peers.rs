//! Instances and peers as described: built, changed and taken away.

use std::collections::BTreeMap;
use std::time::Duration;

use skybridge_base::{Instant, Rng};
use skybridge_bgp as bgp;
use skybridge_bgp::{Community, PeerConfig, Speaker, SpeakerConfig, TableId};
use skybridge_blueprint as blueprint;
use skybridge_blueprint::NextHopRule;
use skybridge_dataplane::InterfaceIndex;
use skybridge_wire::ipv4::DSCP_CS6;

use super::{Instance, Peer, policy};
use crate::Outbox;
use crate::router::Router;
use crate::transport::{SessionEndpoint, Stack};

/// Octets of each of a session's two TCP buffers: two of the longest messages (RFC 4271 §4.1). Both
/// ends read at once, so that more would only help where a full table crosses an ocean.
const SESSION_BUFFER_LEN: usize = 8 * 1024;
/// A peer that announced too many prefixes is tried again after this (assumed; the clouds do not say).
const LIMIT_RETRY: Duration = Duration::from_mins(1);

impl Router {
    /// Takes over the instances of `spec`. `moved` are interfaces whose sessions cannot stay up.
    pub(in crate::router) fn configure_sessions(
        &mut self,
        now: Instant,
        spec: &blueprint::Router,
        moved: &[InterfaceIndex],
        out: &mut Outbox,
    ) {
        self.remove_sessions(now, spec, moved, out);
        for (name, instance) in &spec.bgp {
            if !self.control.instances.contains_key(name) {
                let fresh = self.build_instance(name, instance, spec);
                self.control.instances.insert(name.clone(), fresh);
            }
            if let Some(state) = self.control.instances.get_mut(name) {
                let most = multipath_max(instance, spec);
                state.speaker.set_multipath_max(now, most);
            }
            self.configure_tables_of(name, instance, out);
            self.configure_peers(now, name, instance, out);
            self.configure_originated(now, name, instance);
        }
        self.control.index_peers();
        self.control.mark_all();
        self.pump(now, out);
        self.resolve_all(now, out);
    }

    /// Ends what is described no more, or described so differently that it cannot stay.
    fn remove_sessions(
        &mut self,
        now: Instant,
        spec: &blueprint::Router,
        moved: &[InterfaceIndex],
        out: &mut Outbox,
    ) {
        let mut ends = Vec::new();
        for (name, instance) in &self.control.instances {
            let config = instance.speaker.config();
            let stays = spec
                .bgp
                .get(name)
                .is_some_and(|new| new.asn == config.asn && new.router_id == config.router_id);
            if !stays {
                ends.push(name.clone());
            }
        }
        let mut gone = Vec::new();
        for (at, peer) in self.control.peers.iter().enumerate() {
            let Some(peer) = peer else { continue };
            let new = spec
                .bgp
                .get(&peer.instance)
                .and_then(|instance| instance.peers.get(&peer.name));
            let stays = new.is_some_and(|new| same_transport(&peer.spec, new))
                && self.interface(peer.interface).alive
                && self.interface(peer.interface).table == peer.table
                && !moved.contains(&peer.interface)
                && !ends.contains(&peer.instance);
            if !stays {
                gone.push(at);
            }
        }
        for at in &gone {
            let control = &mut self.control;
            let Some(peer) = control.peers[*at].as_mut() else {
                continue;
            };
            peer.cause = Some("reconfigured");
            if let Some(instance) = control.instances.get_mut(&peer.instance) {
                instance
                    .speaker
                    .remove_peer(now, peer.id)
                    .expect("the speaker has every peer of its instance");
            }
        }
        self.control.mark_all();
        self.pump(now, out);
        for at in gone {
            self.forget_peer(now, at);
        }
        for name in ends {
            self.control.instances.remove(&name);
        }
        let control = &self.control;
        let fed: Vec<_> = control
            .instances
            .iter()
            .flat_map(|(name, instance)| instance.tables.iter().map(move |vrf| (name, vrf)))
            .filter_map(|(name, vrf)| Some((name.clone(), *self.table_by_name.get(vrf)?)))
            .collect();
        let is_fed = |name: &str, table| fed.iter().any(|(n, t)| n == name && *t == table);
        self.forget_routes(|name, table| !is_fed(name, table), out);
    }

    fn forget_peer(&mut self, now: Instant, at: usize) {
        let control = &mut self.control;
        let Some(peer) = control.peers[at].take() else {
            return;
        };
        control.by_session.remove(&(peer.table, peer.session));
        if let Some(instance) = control.instances.get_mut(&peer.instance) {
            instance.by_id.remove(&peer.id);
        }
        if let Some(stack) = control.stacks.get_mut(&peer.table) {
            stack.remove_session(now, peer.session);
        }
        control.conns.retain(|_, conn| conn.peer != at);
    }

    fn build_instance(
        &self,
        name: &str,
        instance: &blueprint::BgpInstance,
        spec: &blueprint::Router,
    ) -> Instance {
        let config = SpeakerConfig {
            multipath_max: multipath_max(instance, spec),
            seed: Rng::new(self.seed).child(name).next_u64(),
            ..SpeakerConfig::new(instance.asn, instance.router_id)
        };
        Instance {
            speaker: Speaker::new(config),
            tables: Vec::new(),
            by_id: BTreeMap::new(),
            originated: Vec::new(),
        }
    }

    fn configure_tables_of(&mut self, name: &str, spec: &blueprint::BgpInstance, out: &mut Outbox) {
        let Some(instance) = self.control.instances.get_mut(name) else {
            return;
        };
        for vrf in &spec.tables {
            if !instance.tables.contains(vrf) {
                instance.tables.push(vrf.clone());
            }
        }
        let count = u16::try_from(instance.tables.len()).unwrap_or(u16::MAX);
        instance.speaker.ensure_tables(count);
        let dropped: Vec<_> = instance
            .tables
            .iter()
            .filter(|vrf| !spec.tables.contains(vrf))
            .filter_map(|vrf| self.table_by_name.get(vrf.as_str()).copied())
            .collect();
        self.forget_routes(|of, table| of == name && dropped.contains(&table), out);
    }

    fn configure_peers(
        &mut self,
        now: Instant,
        name: &str,
        instance: &blueprint::BgpInstance,
        out: &mut Outbox,
    ) {
        for (peer_name, spec) in &instance.peers {
            let at = self.control.peers.iter().position(|peer| {
                peer.as_ref()
                    .is_some_and(|p| p.instance == name && p.name == *peer_name)
            });
            match at {
                Some(at) => self.change_peer(now, at, instance, spec, out),
                None => self.add_peer(now, (name, peer_name), instance, spec),
            }
        }
    }

    fn add_peer(
        &mut self,
        now: Instant,
        (instance_name, name): (&str, &str),
        instance: &blueprint::BgpInstance,
        spec: &blueprint::BgpPeer,
    ) {
        let Some(interface) = self.interface_by_name.get(&spec.interface).copied() else {
            return;
        };
        let table = self.interface(interface).table;
        let endpoint = self.endpoint(interface, instance, spec);
        let seed = Rng::new(self.seed).child(self.table(table).name.as_str());
        let control = &mut self.control;
        let Some(state) = control.instances.get_mut(instance_name) else {
            return;
        };
        let config = peer_config(state, instance, spec);
        // Held down until the link is seen up.
        let config = PeerConfig {
            admin_down: true,
            ..config
        };
        let Ok(id) = state.speaker.add_peer(now, config) else {
            return;
        };
        let stack = control.stacks.entry(table).or_insert_with(|| {
            let mut stack = Stack::new(seed.child("tcp").next_u64());
            stack.set_buffer_len(SESSION_BUFFER_LEN);
            stack
        });
        let session = stack.add_session(endpoint);
        stack.set_accepting(session, false);
        let free = control.peers.iter().position(Option::is_none);
        let at = free.unwrap_or(control.peers.len());
        let rng = seed.child("bfd").child(name);
        let peer = Peer {
            instance: instance_name.to_owned(),
            name: name.to_owned(),
            spec: spec.clone(),
            id,
            external: spec.asn_towards(instance.asn) != spec.remote_asn,
            interface,
            table,
            session,
            dialling: None,
            bfd: spec
                .bfd
                .as_ref()
                .map(|parameters| super::bfd::session(at, parameters, rng)),
            cause: None,
            last_reset: None,
            since: now,
        };
        state.by_id.insert(id, at);
        control.by_session.insert((table, session), at);
        if free.is_some() {
            control.peers[at] = Some(peer);
        } else {
            control.peers.push(Some(peer));
        }
        if self.is_up(interface) {
            self.set_running(now, at, true, Some("configured"));
        }
    }

    /// A change that needs no other transport.
    fn change_peer(
        &mut self,
        now: Instant,
        at: usize,
        instance: &blueprint::BgpInstance,
        spec: &blueprint::BgpPeer,
        out: &mut Outbox,
    ) {
        let Some(peer) = self.control.peers[at].as_ref() else {
            return;
        };
        let (interface, name) = (peer.interface, peer.instance.clone());
        let old = peer.spec.clone();
        let endpoint = self.endpoint(interface, instance, spec);
        let rng = Rng::new(self.seed).child("bfd").child(&peer.name);
        let is_up = self.is_up(interface);
        let control = &mut self.control;
        if let (Some(peer), Some(state)) =
            (control.peers[at].as_mut(), control.instances.get_mut(&name))
        {
            if let Some(stack) = control.stacks.get_mut(&peer.table) {
                stack.update_session(now, peer.session, endpoint);
            }
            if old == *spec {
                return;
            }
            let config = peer_config(state, instance, spec);
            // An impossible description (a table imported twice, say) leaves the peer as it was.
            if state.speaker.update_peer(now, peer.id, config).is_err() {
                return;
            }
            peer.spec = spec.clone();
            if old.bfd != spec.bfd {
                peer.bfd = match (peer.bfd.take(), &spec.bfd) {
                    (Some(mut session), Some(parameters)) => {
                        session
                            .set_timers(now, super::bfd::timers(parameters))
                            .expect("intervals and multiplier are at least one");
                        Some(session)
                    }
                    (None, Some(parameters)) => Some(super::bfd::session(at, parameters, rng)),
                    (_, None) => None,
                };
            }
        }
        self.drain_bfd(now, at, out);
        if old.enabled != spec.enabled {
            self.set_running(now, at, is_up, Some("configured"));
        }
    }

    fn endpoint(
        &self,
        interface: InterfaceIndex,
        instance: &blueprint::BgpInstance,
        spec: &blueprint::BgpPeer,
    ) -> SessionEndpoint {
        let external = spec.asn_towards(instance.asn) != spec.remote_asn;
        SessionEndpoint {
            local: spec.local,
            remote: spec.remote,
            md5: spec.md5.clone(),
            mtu: u16::try_from(self.interface(interface).mtu).unwrap_or(u16::MAX),
            // External sessions do not leave the link (as routers do without multihop).
            ttl: if external { 1 } else { 64 },
            ttl_min: 1,
            dscp: DSCP_CS6,
        }
    }

    fn configure_originated(&mut self, now: Instant, name: &str, spec: &blueprint::BgpInstance) {
        let Some(instance) = self.control.instances.get_mut(name) else {
            return;
        };
        let old = std::mem::replace(&mut instance.originated, spec.originated.clone());
        let id = |tables: &[blueprint::VrfName], vrf: &blueprint::VrfName| {
            let at = tables.iter().position(|t| t == vrf)?;
            Some(TableId(u16::try_from(at).ok()?))
        };
        let same = |a: &blueprint::Originated, b: &blueprint::Originated| {
            a.table == b.table && a.prefix == b.prefix
        };
        for route in &old {
            if !spec.originated.iter().any(|new| same(new, route))
                && let Some(table) = id(&instance.tables, &route.table)
            {
                instance
                    .speaker
                    .withdraw_originated(now, table, route.prefix);
            }
        }
        for route in &spec.originated {
            if !old.contains(route)
                && let Some(table) = id(&instance.tables, &route.table)
            {
                let route_spec = bgp::Originate {
                    communities: route.communities.iter().copied().map(Community).collect(),
                    tag: route.source_tag,
                    ..bgp::Originate::default()
                };
                instance
                    .speaker
                    .originate(now, table, route.prefix, &route_spec)
                    .expect("the table was just found");
            }
        }
    }
}

/// The greatest multipath limit of the tables an instance feeds; each table applies its own.
fn multipath_max(instance: &blueprint::BgpInstance, spec: &blueprint::Router) -> u8 {
    let limits = instance.tables.iter().filter_map(|vrf| spec.vrfs.get(vrf));
    limits.map(|vrf| vrf.ecmp_max).max().unwrap_or(1).max(1)
}

fn same_transport(a: &blueprint::BgpPeer, b: &blueprint::BgpPeer) -> bool {
    a.interface == b.interface
        && a.local == b.local
        && a.remote == b.remote
        && a.remote_asn == b.remote_asn
        && a.local_asn == b.local_asn
        && a.md5 == b.md5
        && a.hold_time_s == b.hold_time_s
        && a.keepalive_s == b.keepalive_s
        && a.passive == b.passive
}

fn peer_config(
    state: &Instance,
    instance: &blueprint::BgpInstance,
    spec: &blueprint::BgpPeer,
) -> PeerConfig {
    let number = |tables: &[blueprint::VrfName], vrf: &blueprint::VrfName| {
        let at = tables.iter().position(|t| t == vrf)?;
        Some(TableId(u16::try_from(at).ok()?))
    };
    let mut import = Vec::new();
    for one in &spec.import {
        if let (Some(table), true) = (
            number(&state.tables, &one.table),
            instance.tables.contains(&one.table),
        ) {
            let policy = policy::policy(&one.policy);
            import.push(bgp::Import { table, policy });
        }
    }
    let export = spec.export.as_ref().and_then(|one| {
        let table = number(&state.tables, &one.table)?;
        let policy = policy::policy(&one.policy);
        Some(bgp::Export { table, policy })
    });
    PeerConfig {
        hold_time_s: spec.hold_time_s,
        keepalive_s: Some(spec.keepalive_s),
        connect_retry: spec.connect_retry,
        passive: spec.passive,
        fast_first: true,
        import,
        export,
        next_hop: match spec.next_hop {
            NextHopRule::SelfAddress => bgp::NextHopMode::SelfAddress,
            NextHopRule::Unchanged => bgp::NextHopMode::Unchanged,
        },
        source_tag: spec.source_tag,
        local_asn: spec.local_asn,
        limits: bgp::MaxPrefixes {
            v4: spec.limits.v4,
            v6: spec.limits.v6,
            retry_after: Some(LIMIT_RETRY),
        },
        ..PeerConfig::new(spec.local, spec.remote, spec.remote_asn)
    }
}
