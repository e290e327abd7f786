//! The speaker: peers, sessions and tables behind one [`Machine`].

mod config;
mod decision;
mod export;
mod import;
mod observe;
mod peer;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use skybridge_base::{Deadline, Instant, Machine, Rng};

use crate::fsm::{ConnId, Effect, Event, IdleHold, Reason, Slot, StateKind};
use crate::message::{Message, Notification, subcode};
use crate::rib::{AttrStore, Candidate, LOCAL, Route, Table};
use crate::types::{AsPath, Family};

pub use config::{
    ConfigError, Export, Import, MaxPrefixes, NextHopMode, Originate, PeerConfig, PeerId,
    SpeakerConfig, TableId,
};
pub use export::{AdvertisedRoute, Withheld};
pub use observe::{
    Counters, FamilyCount, PathView, PeerView, RejectReason, RouteStatus, RouteView, Source,
};

use import::Reasons;
use peer::Peer;

/// Messages handled per connection and call; the rest waits for the next timeout, which is due at once.
const MESSAGES_PER_CALL: usize = 64;
/// Nets looked at for export per call, over all peers.
const EXPORTS_PER_CALL: usize = 2048;
/// Bytes joined into one [`Output::Send`].
const SEND_LEN_MAX: usize = 65_536;

/// What the driver hands in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input<'a> {
    /// The attempt asked for by [`Output::Connect`] succeeded; `conn` is a number of the driver's own.
    Connected {
        /// The peer dialled.
        peer: PeerId,
        /// The connection.
        conn: ConnId,
    },
    /// The attempt failed.
    ConnectFailed {
        /// The peer dialled.
        peer: PeerId,
    },
    /// The peer opened a connection; the driver matched the addresses.
    Accepted {
        /// The peer.
        peer: PeerId,
        /// The connection.
        conn: ConnId,
    },
    /// Bytes came, in any chunking.
    Received {
        /// The connection.
        conn: ConnId,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// The connection is gone.
    Closed {
        /// The connection.
        conn: ConnId,
    },
    /// The transport's send buffer is full (true) or has room again (false). While it is full no
    /// UPDATE is made for the peer: changes are remembered, one bit per prefix.
    Blocked {
        /// The connection.
        conn: ConnId,
        /// Full or not.
        blocked: bool,
    },
    /// BFD reports the path to the peer down: an Established session ends at once (RFC 5882 §4.3).
    BfdDown {
        /// The peer.
        peer: PeerId,
    },
}

/// What the driver takes out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Dial the peer; an attempt still under way for it is abandoned.
    Connect {
        /// The peer.
        peer: PeerId,
    },
    /// Send bytes, in order.
    Send {
        /// The connection.
        conn: ConnId,
        /// Whole messages.
        bytes: Vec<u8>,
    },
    /// Close after what was sent has left. No `Closed` input is needed, one is harmless.
    Close {
        /// The connection.
        conn: ConnId,
    },
    /// A peer's state changed.
    StateChanged {
        /// The peer.
        peer: PeerId,
        /// Before.
        from: StateKind,
        /// After.
        to: StateKind,
        /// Why.
        reason: Reason,
    },
    /// The forwarding set for a prefix changed; no path means that the prefix is gone.
    BestChanged {
        /// The table.
        table: TableId,
        /// The prefix.
        net: IpNet,
        /// Best first, then those equal to it for multipath.
        paths: Vec<BestPath>,
    },
}

/// A path of the forwarding set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BestPath {
    /// Next hop; `None` only for routes originated without one.
    pub next_hop: Option<IpAddr>,
    /// Link-local next hop of an IPv6 route on a shared link.
    pub link_local: Option<Ipv6Addr>,
    /// Who announced it.
    pub source: Source,
    /// Source tag.
    pub tag: u32,
}

/// See the module. The driver's loop is that of [`Machine`].
#[derive(Debug)]
pub struct Speaker {
    config: SpeakerConfig,
    now: Instant,
    rng: Rng,
    store: AttrStore,
    tables: Vec<Table>,
    peers: Vec<Option<Peer>>,
    conns: BTreeMap<ConnId, PeerId>,
    reasons: Reasons,
    outputs: VecDeque<Output>,
    candidates: Vec<Candidate>,
}

impl Speaker {
    /// A speaker without peers.
    #[must_use]
    pub fn new(config: SpeakerConfig) -> Self {
        let tables = (0..config.tables.max(1)).map(|_| Table::new()).collect();
        Self {
            now: Instant::ZERO,
            rng: Rng::new(config.seed).child("bgp"),
            config,
            store: AttrStore::default(),
            tables,
            peers: Vec::new(),
            conns: BTreeMap::new(),
            reasons: Reasons::default(),
            outputs: VecDeque::new(),
            candidates: Vec::new(),
        }
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &SpeakerConfig {
        &self.config
    }

    /// Adds a peer and starts it, unless it is configured shut down.
    ///
    /// # Errors
    /// [`ConfigError`] when the configuration is not possible.
    pub fn add_peer(&mut self, now: Instant, config: PeerConfig) -> Result<PeerId, ConfigError> {
        self.now = now;
        config.check(&self.config)?;
        let free = self.peers.iter().position(Option::is_none);
        let at = free.unwrap_or(self.peers.len());
        let id = u16::try_from(at)
            .ok()
            .filter(|i| *i != LOCAL)
            .ok_or(ConfigError::TooManyPeers)?;
        let rng = self.rng.child(&format!("peer {}", config.remote_address));
        let start = !config.admin_down;
        let settings = config.settings(&self.config);
        let mut peer = Peer::new(config, settings, rng);
        peer.since = now;
        let peer = Some(peer);
        if free.is_some() {
            self.peers[at] = peer;
        } else {
            self.peers.push(peer);
        }
        if start {
            self.with_fsm(PeerId(id), |peer, effects| {
                peer.fsm.start(now, &peer.settings, &mut peer.rng, effects);
            });
        }
        Ok(PeerId(id))
    }

    /// Ends the session (cease 6/3) and forgets the peer.
    ///
    /// # Errors
    /// [`ConfigError::UnknownPeer`].
    pub fn remove_peer(&mut self, now: Instant, id: PeerId) -> Result<(), ConfigError> {
        let cease = Notification::cease(subcode::PEER_DECONFIGURED);
        self.stop(now, id, cease, Reason::PeerRemoved, IdleHold::Forever)?;
        self.conns.retain(|_, owner| *owner != id);
        self.peers[usize::from(id.0)] = None;
        Ok(())
    }

    /// Changes policies, tables, limits, tags, timers between attempts and next hops without touching
    /// the session. `admin_down` is ignored here: see [`Speaker::admin_down`].
    ///
    /// # Errors
    /// [`ConfigError::RequiresReset`], with nothing changed, when addresses, AS, hold time, families
    /// or capabilities differ.
    pub fn update_peer(
        &mut self,
        now: Instant,
        id: PeerId,
        config: PeerConfig,
    ) -> Result<(), ConfigError> {
        self.now = now;
        config.check(&self.config)?;
        let peer = self.peer(id).ok_or(ConfigError::UnknownPeer)?;
        if !peer.config.is_soft_change(&config) {
            return Err(ConfigError::RequiresReset);
        }
        self.reconfigure(id, config);
        Ok(())
    }

    /// Shuts a peer down (cease 6/2 with the operator's text, RFC 9003) until [`Speaker::admin_up`].
    ///
    /// # Errors
    /// [`ConfigError::UnknownPeer`].
    pub fn admin_down(&mut self, now: Instant, id: PeerId, text: &str) -> Result<(), ConfigError> {
        let cease = if text.is_empty() {
            Notification::cease(subcode::ADMIN_SHUTDOWN)
        } else {
            Notification::cease_with_text(subcode::ADMIN_SHUTDOWN, text)
        };
        self.stop(now, id, cease, Reason::AdminDown, IdleHold::Forever)?;
        if let Some(peer) = self.peer_mut(id) {
            peer.config.admin_down = true;
        }
        Ok(())
    }

    /// Starts a peer that is shut down or waits in Idle.
    ///
    /// # Errors
    /// [`ConfigError::UnknownPeer`].
    pub fn admin_up(&mut self, now: Instant, id: PeerId) -> Result<(), ConfigError> {
        self.now = now;
        let peer = self.peer_mut(id).ok_or(ConfigError::UnknownPeer)?;
        peer.config.admin_down = false;
        if peer.fsm.state() == StateKind::Idle {
            self.with_fsm(id, |peer, effects| {
                peer.fsm.start(now, &peer.settings, &mut peer.rng, effects);
            });
        }
        Ok(())
    }

    /// Adds empty tables until there are `count`; none is taken away.
    pub fn ensure_tables(&mut self, count: u16) {
        self.config.tables = self.config.tables.max(count);
        let tables = usize::from(self.config.tables.max(1));
        if tables > self.tables.len() {
            self.tables.resize_with(tables, Table::new);
        }
    }

    /// Changes the number of equal paths handed to the forwarding table; sessions stay up.
    pub fn set_multipath_max(&mut self, now: Instant, multipath_max: u8) {
        self.now = now;
        if self.config.multipath_max != multipath_max {
            self.config.multipath_max = multipath_max;
            self.tables.iter_mut().for_each(Table::mark_all_dirty);
        }
    }

    /// Resets a peer's session (cease 6/4); it starts again at once. A peer that is shut down stays so.
    ///
    /// # Errors
    /// [`ConfigError::UnknownPeer`].
    pub fn reset(&mut self, now: Instant, id: PeerId) -> Result<(), ConfigError> {
        let down = self
            .peer(id)
            .ok_or(ConfigError::UnknownPeer)?
            .config
            .admin_down;
        if down {
            return Ok(());
        }
        let cease = Notification::cease(subcode::ADMIN_RESET);
        self.stop(now, id, cease, Reason::AdminReset, IdleHold::Backoff)?;
        self.with_fsm(id, |peer, effects| {
            peer.fsm.start(now, &peer.settings, &mut peer.rng, effects);
        });
        Ok(())
    }

    /// The BFD session to the peer went down; same as [`Input::BfdDown`].
    pub fn bfd_down(&mut self, now: Instant, id: PeerId) {
        let up = |p: &Peer| p.fsm.state() == StateKind::Established;
        if self.peer(id).is_some_and(up) {
            // RFC 9384 §3 has a subcode of its own for this.
            let cease = Notification::cease(subcode::BFD_DOWN);
            self.stop(now, id, cease, Reason::BfdDown, IdleHold::Backoff)
                .expect("the peer exists");
        }
    }

    /// Originates or replaces a route.
    ///
    /// # Errors
    /// [`ConfigError::Table`] when there is no such table.
    pub fn originate(
        &mut self,
        now: Instant,
        table: TableId,
        net: IpNet,
        route: &Originate,
    ) -> Result<(), ConfigError> {
        self.now = now;
        let at = usize::from(table.0);
        let target = self.tables.get_mut(at).ok_or(ConfigError::Table)?;
        let mut attributes = crate::attr::Attributes {
            as_path: AsPath::sequence(&route.as_path),
            next_hop: route.next_hop,
            med: route.med,
            local_pref: route.local_pref,
            communities: route.communities.clone(),
            large_communities: route.large_communities.clone(),
            ..crate::attr::Attributes::default()
        };
        attributes.communities.sort_unstable();
        attributes.communities.dedup();
        attributes.large_communities.sort_unstable();
        attributes.large_communities.dedup();
        let attrs = self.store.intern(&Route {
            attributes,
            tag: route.tag,
            weight: route.weight.unwrap_or(32_768),
        });
        self.store.retain(attrs);
        let offer = crate::rib::Offer {
            peer: LOCAL,
            raw: attrs,
            attrs,
            reject: 0,
            learned_s: seconds(now),
        };
        target.announce(&mut self.store, &net.trunc(), offer);
        Ok(())
    }

    /// Withdraws a route originated here. True when there was one.
    pub fn withdraw_originated(&mut self, now: Instant, table: TableId, net: IpNet) -> bool {
        self.now = now;
        let Some(target) = self.tables.get_mut(usize::from(table.0)) else {
            return false;
        };
        target.withdraw(&mut self.store, &net.trunc(), LOCAL)
    }

    fn peer(&self, id: PeerId) -> Option<&Peer> {
        self.peers.get(usize::from(id.0))?.as_ref()
    }

    fn peer_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        self.peers.get_mut(usize::from(id.0))?.as_mut()
    }

    fn stop(
        &mut self,
        now: Instant,
        id: PeerId,
        notification: Notification,
        reason: Reason,
        hold: IdleHold,
    ) -> Result<(), ConfigError> {
        self.now = now;
        self.peer(id).ok_or(ConfigError::UnknownPeer)?;
        self.with_fsm(id, |peer, effects| {
            let what = (notification, reason, hold);
            peer.fsm
                .stop(now, what, &peer.settings, &mut peer.rng, effects);
        });
        Ok(())
    }

    /// Runs `work` on a peer's state machine and carries its effects out.
    fn with_fsm(&mut self, id: PeerId, work: impl FnOnce(&mut Peer, &mut Vec<Effect>)) {
        let Some(peer) = self
            .peers
            .get_mut(usize::from(id.0))
            .and_then(Option::as_mut)
        else {
            return;
        };
        let mut effects = Vec::new();
        work(peer, &mut effects);
        let mut changed = None;
        for effect in effects {
            match effect {
                Effect::Connect => self.outputs.push_back(Output::Connect { peer: id }),
                Effect::Send(conn, message) => {
                    peer.counters.sent(&message);
                    if let Message::Notification(n) = &message {
                        peer.last_sent = Some(n.clone());
                    }
                    let mut bytes = Vec::new();
                    message.encode(true, &mut bytes);
                    send(&mut self.outputs, conn, bytes);
                }
                Effect::Close(conn) => {
                    self.conns.remove(&conn);
                    peer.forget(conn);
                    self.outputs.push_back(Output::Close { conn });
                }
                Effect::Changed { from, to, reason } => {
                    changed = Some(Output::StateChanged {
                        peer: id,
                        from,
                        to,
                        reason,
                    });
                }
            }
        }
        self.outputs.extend(changed);
        let up = peer.fsm.established().map(|(conn, _)| conn);
        if up != peer.up {
            self.on_up_changed(id, up);
        }
    }

    /// The Established connection of a peer appeared, went, or was replaced.
    fn on_up_changed(&mut self, id: PeerId, up: Option<ConnId>) {
        let now = self.now;
        let Some(peer) = self.peers[usize::from(id.0)].as_mut() else {
            return;
        };
        if peer.up.is_some() {
            // RFC 4271 §8.2.2: "deletes all routes associated with this connection".
            for table in &mut self.tables {
                table.drop_peer(&mut self.store, id.0);
            }
            if let Some(export) = &peer.config.export {
                let table = &mut self.tables[usize::from(export.table.0)];
                peer.export.reset(table);
            }
            peer.counters.on_down();
        }
        peer.up = up;
        peer.since = now;
        if up.is_some() {
            peer.on_established(&self.tables);
        }
    }

    /// Handles buffered messages of one connection, at most [`MESSAGES_PER_CALL`].
    fn process(&mut self, conn: ConnId) {
        for _ in 0..MESSAGES_PER_CALL {
            let Some(&id) = self.conns.get(&conn) else {
                return;
            };
            let Some(peer) = self.peer_mut(id) else {
                return;
            };
            let Some(slot) = peer.fsm.slot_of(conn) else {
                return;
            };
            let (event, message) = match peer.next_message(conn, slot) {
                Ok(None) => return,
                Ok(Some(message)) => into_event(message),
                Err(fault) => (Event::BadMessage(fault), None),
            };
            if let Event::Notification(n) = &event {
                peer.last_received = Some(n.clone());
            }
            let now = self.now;
            self.with_fsm(id, |peer, effects| {
                let (settings, rng) = (&peer.settings, &mut peer.rng);
                peer.fsm.handle(now, slot, event, settings, rng, effects);
            });
            let up = self.peer(id).is_some_and(|p| p.up == Some(conn));
            match message {
                Some(Message::Update(update)) if up => self.on_update(id, *update),
                Some(Message::RouteRefresh(refresh)) if up => {
                    self.on_refresh(id, Family::from_wire(refresh.afi, refresh.safi));
                }
                Some(_) | None => {}
            }
        }
        if let Some(peer) = self
            .conns
            .get(&conn)
            .copied()
            .and_then(|id| self.peer_mut(id))
        {
            peer.backlog = peer.has_backlog();
        }
    }

    /// RFC 2918 §4: everything of the family is sent again.
    fn on_refresh(&mut self, id: PeerId, family: Option<Family>) {
        let Some(peer) = self.peers[usize::from(id.0)].as_mut() else {
            return;
        };
        if let Some(family) = family {
            peer.resend(family, &self.tables);
        }
    }

    /// True when the next timeout is due at once.
    fn has_work(&self) -> bool {
        self.tables.iter().any(Table::has_dirty) || self.peers.iter().flatten().any(Peer::has_work)
    }
}

fn table_id(at: usize) -> TableId {
    TableId(u16::try_from(at).expect("the number of tables is a u16"))
}

/// Age stamps: whole seconds of the world's clock.
fn seconds(now: Instant) -> u32 {
    u32::try_from(now.as_nanos() / 1_000_000_000).unwrap_or(u32::MAX)
}

/// Queues bytes, joined to the last output where that sends on the same connection.
fn send(outputs: &mut VecDeque<Output>, conn: ConnId, bytes: Vec<u8>) {
    if let Some(Output::Send {
        conn: last,
        bytes: queued,
    }) = outputs.back_mut()
        && *last == conn
        && queued.len() + bytes.len() <= SEND_LEN_MAX
    {
        queued.extend_from_slice(&bytes);
        return;
    }
    outputs.push_back(Output::Send { conn, bytes });
}

/// The state machine's view of a message; those with a body for the tables are given back.
fn into_event(message: Message) -> (Event, Option<Message>) {
    match message {
        Message::Open(open) => (Event::Open(open), None),
        Message::Notification(n) => (Event::Notification(n), None),
        Message::Keepalive => (Event::Keepalive, None),
        Message::Update(_) => (Event::Update, Some(message)),
        Message::RouteRefresh(_) => (Event::RouteRefresh, Some(message)),
    }
}

impl Machine for Speaker {
    type Input<'a> = Input<'a>;
    type Output = Output;

    fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        self.now = now;
        match input {
            Input::Connected { peer, conn } => {
                if self.peer(peer).is_none() {
                    self.outputs.push_back(Output::Close { conn });
                    return;
                }
                self.conns.insert(conn, peer);
                self.with_fsm(peer, |peer, effects| {
                    peer.remember(conn);
                    let (settings, rng) = (&peer.settings, &mut peer.rng);
                    let event = Event::Connected(conn);
                    peer.fsm
                        .handle(now, Slot::Out, event, settings, rng, effects);
                });
            }
            Input::Accepted { peer, conn } => {
                if self.peer(peer).is_none() {
                    self.outputs.push_back(Output::Close { conn });
                    return;
                }
                self.conns.insert(conn, peer);
                self.with_fsm(peer, |peer, effects| {
                    peer.remember(conn);
                    peer.fsm
                        .accepted(now, conn, &peer.settings, &mut peer.rng, effects);
                });
            }
            Input::ConnectFailed { peer } => self.with_fsm(peer, |peer, effects| {
                // Only an attempt can fail: a late report must not end a session.
                let dialling = |s: &crate::fsm::Session| s.state() == StateKind::Connect;
                if peer.fsm.session(Slot::Out).is_some_and(dialling) {
                    let (settings, rng) = (&peer.settings, &mut peer.rng);
                    let event = Event::ConnectFailed;
                    peer.fsm
                        .handle(now, Slot::Out, event, settings, rng, effects);
                }
            }),
            Input::Received { conn, bytes } => {
                let id = self.conns.get(&conn).copied();
                if let Some(peer) = id.and_then(|id| self.peer_mut(id)) {
                    peer.push(conn, bytes);
                    self.process(conn);
                }
            }
            Input::Closed { conn } => self.on_closed(conn),
            Input::Blocked { conn, blocked } => {
                let id = self.conns.get(&conn).copied();
                if let Some(peer) = id.and_then(|id| self.peer_mut(id))
                    && peer.up == Some(conn)
                {
                    peer.blocked = blocked;
                }
            }
            Input::BfdDown { peer } => self.bfd_down(now, peer),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        // Everything readable first, then the decision, then export: order of design §4.
        let mut behind = Vec::new();
        for peer in self.peers.iter_mut().flatten() {
            if std::mem::take(&mut peer.backlog) {
                behind.extend(peer.conn_ids());
            }
        }
        for conn in behind {
            self.process(conn);
        }
        for at in 0..self.peers.len() {
            let due = |p: &Peer| p.fsm.poll_timeout().is_some_and(|d| d.at <= now);
            if self.peers[at].as_ref().is_some_and(due) {
                let id = PeerId(u16::try_from(at).expect("peer ids are u16"));
                self.with_fsm(id, |peer, effects| {
                    let (settings, rng) = (&peer.settings, &mut peer.rng);
                    peer.fsm.handle_timeout(now, settings, rng, effects);
                });
            }
        }
        self.decide_some();
        let reading = self.peers.iter().flatten().any(|p| p.backlog);
        if !reading && !self.tables.iter().any(Table::has_dirty) {
            self.export_some();
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        if self.has_work() {
            return Some(Deadline::new(self.now, "bgp table"));
        }
        let timers = self
            .peers
            .iter()
            .flatten()
            .filter_map(|p| p.fsm.poll_timeout());
        timers.min_by_key(|d| d.at)
    }
}

impl Speaker {
    /// What was received before the close still counts, up to the last whole message.
    fn on_closed(&mut self, conn: ConnId) {
        while let Some(peer) = self.conns.get(&conn).and_then(|id| self.peer(*id)) {
            if !peer.is_ready(conn) {
                break;
            }
            self.process(conn);
        }
        let Some(id) = self.conns.remove(&conn) else {
            return;
        };
        let now = self.now;
        self.with_fsm(id, |peer, effects| {
            peer.forget(conn);
            if let Some(slot) = peer.fsm.slot_of(conn) {
                let (settings, rng) = (&peer.settings, &mut peer.rng);
                peer.fsm
                    .handle(now, slot, Event::Closed, settings, rng, effects);
            }
        });
    }
}
