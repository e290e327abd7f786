//! The stack: connections, sessions, listeners and their deadlines.

mod ingress;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use skybridge_base::{Deadline, Instant, Rng};
use skybridge_wire::protocol;

use crate::transport::connection::{Connection, Output, Plan, Tuple};
use crate::transport::packet::{self, Seal, Unreadable};
use crate::transport::path_mtu::PathMtus;
use crate::transport::{
    BGP_PORT, BUFFER_LEN, CONNECT_TIMEOUT, CONNECTIONS_MAX, CONNECTIONS_PER_SESSION_MAX,
    CloseReason, ConnId, OutPacket, SessionEndpoint, SessionId, StackCounters, StackEvent,
};

/// First port of the ephemeral range (RFC 6335 §6).
const EPHEMERAL_FIRST: u16 = 49152;
/// Random picks before the ephemeral range counts as used up.
const EPHEMERAL_PICKS: u32 = 256;

#[derive(Debug)]
struct Session {
    endpoint: SessionEndpoint,
    accepting: bool,
}

impl Session {
    fn seal(&self) -> Seal {
        Seal {
            ttl: self.endpoint.ttl,
            dscp: self.endpoint.dscp,
            md5: self.endpoint.md5.clone(),
        }
    }
}

/// The TCP of one routing table of a router, or of one host. How to drive it: module docs.
#[derive(Debug)]
pub struct Stack {
    rng: Rng,
    now: Instant,
    sessions: BTreeMap<SessionId, Session>,
    by_pair: BTreeSet<(IpAddr, IpAddr, SessionId)>,
    next_session: u32,
    next_conn: u64,
    connections: BTreeMap<ConnId, Box<Connection>>,
    by_tuple: BTreeMap<Tuple, ConnId>,
    timers: BTreeSet<(Instant, ConnId)>,
    unflushed: BTreeSet<ConnId>,
    session_ports: BTreeSet<u16>,
    open_ports: BTreeSet<u16>,
    packets: VecDeque<OutPacket>,
    events: VecDeque<StackEvent>,
    path_mtus: PathMtus,
    counters: StackCounters,
    mtu: u16,
    buffer_len: usize,
    connect_timeout: Duration,
    user_timeout: Option<Duration>,
    half_close: bool,
}

/// Settings. Each holds for connections made after it.
impl Stack {
    /// A stack without sessions that listens on the BGP port for the sessions it will get.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed).child("transport"),
            now: Instant::ZERO,
            sessions: BTreeMap::new(),
            by_pair: BTreeSet::new(),
            next_session: 0,
            next_conn: 0,
            connections: BTreeMap::new(),
            by_tuple: BTreeMap::new(),
            timers: BTreeSet::new(),
            unflushed: BTreeSet::new(),
            session_ports: BTreeSet::from([BGP_PORT]),
            open_ports: BTreeSet::new(),
            packets: VecDeque::new(),
            events: VecDeque::new(),
            path_mtus: PathMtus::default(),
            counters: StackCounters::default(),
            mtu: 1500,
            buffer_len: BUFFER_LEN,
            connect_timeout: CONNECT_TIMEOUT,
            user_timeout: None,
            half_close: false,
        }
    }

    /// Octets of each of a connection's two buffers, at least 2048.
    pub fn set_buffer_len(&mut self, len: usize) {
        self.buffer_len = len.clamp(2048, 1 << 24);
    }

    /// MTU of the link for connections without a session, running ones included.
    pub fn set_mtu(&mut self, mtu: u16) {
        self.mtu = mtu;
        let now = self.now;
        for connection in self.connections.values_mut() {
            let tuple = connection.plan.tuple;
            if tuple.session.is_none() {
                connection.set_mtu(now, self.path_mtus.limit(now, tuple.remote.ip(), mtu));
            }
        }
    }

    /// How long [`Stack::connect`] and inbound handshakes may take.
    pub fn set_connect_timeout(&mut self, timeout: Duration) {
        self.connect_timeout = timeout;
    }

    /// Resets connections whose peer acknowledges nothing for so long; `None` never does, and leaves
    /// it to the protocol above (BGP's hold timer).
    pub fn set_user_timeout(&mut self, timeout: Option<Duration>) {
        self.user_timeout = timeout;
    }

    /// Reports a peer's FIN as [`StackEvent::PeerClosed`] and leaves our half open. Otherwise the
    /// stack closes too, and reports [`StackEvent::Closed`] at once.
    pub fn set_half_close(&mut self, on: bool) {
        self.half_close = on;
    }

    /// Listens for any remote on `port`.
    pub fn listen_any(&mut self, port: u16) {
        self.open_ports.insert(port);
    }

    /// Stops listening on `port`; connections stay.
    pub fn unlisten_any(&mut self, port: u16) {
        self.open_ports.remove(&port);
    }

    /// Listens on `port` for configured sessions, beside the BGP port.
    pub fn listen(&mut self, port: u16) {
        self.session_ports.insert(port);
    }

    /// True without any connection.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.connections.is_empty()
    }

    /// True when a segment between these ends belongs to a connection without session, or would be
    /// accepted by a port that listens for any remote.
    #[must_use]
    pub fn concerns(&self, local: SocketAddr, remote: SocketAddr) -> bool {
        let tuple = Tuple {
            session: None,
            local,
            remote,
        };
        self.by_tuple.contains_key(&tuple) || self.open_ports.contains(&local.port())
    }

    /// What was refused so far.
    #[must_use]
    pub const fn counters(&self) -> StackCounters {
        self.counters
    }
}

/// Sessions.
impl Stack {
    /// Adds a configured session: a SYN from its peer to a listening port makes a connection, from
    /// any other address it is answered by a reset as on a closed port.
    pub fn add_session(&mut self, endpoint: SessionEndpoint) -> SessionId {
        let id = SessionId(self.next_session);
        self.next_session += 1;
        self.by_pair.insert((endpoint.local, endpoint.remote, id));
        let accepting = true;
        self.sessions.insert(
            id,
            Session {
                endpoint,
                accepting,
            },
        );
        id
    }

    /// Removes a session. Its connections are reset without an event.
    pub fn remove_session(&mut self, now: Instant, id: SessionId) {
        self.advance(now);
        for conn in self.connections_of(id) {
            self.abort(conn);
            self.poll_connection(conn, None);
        }
        if let Some(session) = self.sessions.remove(&id) {
            let endpoint = session.endpoint;
            self.by_pair.remove(&(endpoint.local, endpoint.remote, id));
        }
    }

    /// Changes a session. Another key or address resets its connections, with
    /// [`StackEvent::Closed`]; MTU, TTL and code point hold at once.
    pub fn update_session(&mut self, now: Instant, id: SessionId, endpoint: SessionEndpoint) {
        self.advance(now);
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let old = std::mem::replace(&mut session.endpoint, endpoint.clone());
        let seal = session.seal();
        let fatal =
            (old.local, old.remote, &old.md5) != (endpoint.local, endpoint.remote, &endpoint.md5);
        self.by_pair.remove(&(old.local, old.remote, id));
        self.by_pair.insert((endpoint.local, endpoint.remote, id));
        let mtu = self.path_mtus.limit(now, endpoint.remote, endpoint.mtu);
        for conn in self.connections_of(id) {
            if fatal {
                self.reset(conn);
            } else if let Some(connection) = self.connections.get_mut(&conn) {
                connection.plan.seal = seal.clone();
                connection.set_mtu(now, mtu);
            }
        }
    }

    /// Whether connections from the peer are taken; refused ones are answered by a reset, as BGP in
    /// Idle does (RFC 4271 §8.2.2).
    pub fn set_accepting(&mut self, id: SessionId, accepting: bool) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.accepting = accepting;
        }
    }

    /// The session between two addresses, the oldest if there are several.
    #[must_use]
    pub fn session_between(&self, local: IpAddr, remote: IpAddr) -> Option<SessionId> {
        let first = (local, remote, SessionId(0));
        let last = (local, remote, SessionId(u32::MAX));
        self.by_pair
            .range(first..=last)
            .next()
            .map(|(_, _, id)| *id)
    }

    fn connections_of(&self, id: SessionId) -> Vec<ConnId> {
        // The key is ordered by session first: all of one session stand together.
        let lowest = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let first = Tuple {
            session: Some(id),
            local: lowest,
            remote: lowest,
        };
        self.by_tuple
            .range(first..)
            .take_while(|(tuple, _)| tuple.session == Some(id))
            .map(|(_, conn)| *conn)
            .collect()
    }

    /// True when `session` may have one more connection. Remains in TIME-WAIT and the like do not
    /// count, and the oldest make room when there are too many: a session that fails over and over
    /// leaves one behind each time.
    fn has_room(&mut self, session: Option<SessionId>) -> bool {
        if let Some(id) = session {
            let mut all = self.connections_of(id);
            all.sort_unstable();
            let (ended, live): (Vec<ConnId>, Vec<ConnId>) = all
                .into_iter()
                .partition(|conn| self.connections.get(conn).is_some_and(|c| c.is_ended()));
            for conn in ended.iter().rev().skip(CONNECTIONS_PER_SESSION_MAX - 1) {
                self.remove(*conn);
            }
            if live.len() >= CONNECTIONS_PER_SESSION_MAX {
                return false;
            }
        }
        if self.connections.len() < CONNECTIONS_MAX {
            return true;
        }
        let ended = self.connections.iter().find(|(_, c)| c.is_ended());
        let Some(conn) = ended.map(|(conn, _)| *conn) else {
            return false;
        };
        self.remove(conn);
        true
    }
}

/// Connections.
impl Stack {
    /// Opens a connection to `port` of a session's peer. Failures are reported as
    /// [`StackEvent::Closed`].
    pub fn connect(&mut self, now: Instant, id: SessionId, port: u16) -> ConnId {
        self.advance(now);
        let conn = self.fresh_conn();
        let Some(session) = self.sessions.get(&id) else {
            return self.refuse(conn, CloseReason::Limit);
        };
        let endpoint = &session.endpoint;
        let (local, remote, mtu) = (endpoint.local, endpoint.remote, endpoint.mtu);
        let seal = session.seal();
        let remote = SocketAddr::new(remote, port);
        let plan = self.plan(conn, Some(id), local, remote, (seal, mtu));
        self.start(conn, plan)
    }

    /// Opens a connection without a session.
    pub fn connect_any(
        &mut self,
        now: Instant,
        local: IpAddr,
        remote: SocketAddr,
        timeout: Duration,
    ) -> ConnId {
        self.advance(now);
        let conn = self.fresh_conn();
        let plan = self.plan(conn, None, local, remote, (Seal::PLAIN, self.mtu));
        self.start(conn, plan.map(|plan| Plan { timeout, ..plan }))
    }

    /// Takes bytes to send; gives how many fitted. They leave at the next [`Stack::poll_packet`].
    pub fn send(&mut self, conn: ConnId, bytes: &[u8]) -> usize {
        self.unflushed.insert(conn);
        self.connections
            .get_mut(&conn)
            .map_or(0, |connection| connection.send(bytes))
    }

    /// Octets that [`Stack::send`] would take.
    #[must_use]
    pub fn room(&self, conn: ConnId) -> usize {
        self.connections.get(&conn).map_or(0, |c| c.room())
    }

    /// Closes after everything sent has been delivered; [`StackEvent::Closed`] follows, after what
    /// the peer still sends.
    pub fn close(&mut self, conn: ConnId) {
        let now = self.now;
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.close(now);
            self.unflushed.insert(conn);
        }
    }

    /// Closes our half only: as [`Stack::close`], but the peer may send on for as long as it likes.
    /// [`StackEvent::Closed`] follows when it has closed as well.
    pub fn finish(&mut self, conn: ConnId) {
        let now = self.now;
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.finish(now);
            self.unflushed.insert(conn);
        }
    }

    /// Resets a connection. No event follows.
    pub fn abort(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.abort();
            self.unflushed.insert(conn);
        }
    }

    /// Stops reading from a connection, so that its peer's window closes; or goes on.
    pub fn set_paused(&mut self, conn: ConnId, paused: bool) {
        if let Some(connection) = self.connections.get_mut(&conn)
            && connection.paused != paused
        {
            connection.paused = paused;
            self.unflushed.insert(conn);
        }
    }

    /// Resets every connection from `local`, with an event each: the address is ours no more.
    pub fn abort_local(&mut self, now: Instant, local: IpAddr) {
        self.advance(now);
        let hit = self.connections_where(|tuple| tuple.local.ip() == local);
        for conn in hit {
            self.reset(conn);
        }
    }

    /// Fails every connect that is waiting for `remote`: its neighbour does not answer.
    pub fn fail_opening(&mut self, now: Instant, remote: IpAddr) {
        self.advance(now);
        let hit = self.connections_where(|tuple| tuple.remote.ip() == remote);
        for conn in hit {
            self.fail_unreachable(conn);
        }
    }

    /// Every connection: id, session, our end, the peer's end, state (RFC 9293 §3.3.2).
    pub fn connections(
        &self,
    ) -> impl Iterator<
        Item = (
            ConnId,
            Option<SessionId>,
            SocketAddr,
            SocketAddr,
            &'static str,
        ),
    > {
        self.connections.iter().map(|(id, connection)| {
            let tuple = connection.plan.tuple;
            let state = connection.state_name();
            (*id, tuple.session, tuple.local, tuple.remote, state)
        })
    }

    fn connections_where(&self, hit: impl Fn(&Tuple) -> bool) -> Vec<ConnId> {
        self.by_tuple
            .iter()
            .filter(|(tuple, _)| hit(tuple))
            .map(|(_, conn)| *conn)
            .collect()
    }

    fn fresh_conn(&mut self) -> ConnId {
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        conn
    }

    fn refuse(&mut self, conn: ConnId, reason: CloseReason) -> ConnId {
        self.events.push_back(StackEvent::Closed { conn, reason });
        conn
    }

    /// The plan of an outbound connection from an ephemeral port; `None` at a limit, or when the
    /// addresses cannot be connected.
    fn plan(
        &mut self,
        id: ConnId,
        session: Option<SessionId>,
        local: IpAddr,
        remote: SocketAddr,
        look: (Seal, u16),
    ) -> Option<Plan> {
        let usable = packet::is_host_address(local) && packet::is_host_address(remote.ip());
        if !usable || remote.port() == 0 || local.is_ipv4() != remote.is_ipv4() {
            return None;
        }
        if !self.has_room(session) {
            return None;
        }
        // RFC 6056 §3.3.1, simple random selection.
        let range = u64::from(u16::MAX - EPHEMERAL_FIRST) + 1;
        let tuple = (0..EPHEMERAL_PICKS).find_map(|_| {
            let offset = u16::try_from(self.rng.below(range)).ok()?;
            let tuple = Tuple {
                session,
                local: SocketAddr::new(local, EPHEMERAL_FIRST + offset),
                remote,
            };
            (!self.by_tuple.contains_key(&tuple)).then_some(tuple)
        })?;
        Some(self.plan_for(id, tuple, look))
    }

    fn plan_for(&mut self, id: ConnId, tuple: Tuple, (seal, mtu): (Seal, u16)) -> Plan {
        Plan {
            id,
            tuple,
            seal,
            mtu: self.path_mtus.limit(self.now, tuple.remote.ip(), mtu),
            seed: self.rng.next_u64(),
            buffer_len: self.buffer_len,
            timeout: self.connect_timeout,
            user_timeout: self.user_timeout,
            half_close: self.half_close,
        }
    }

    fn start(&mut self, conn: ConnId, plan: Option<Plan>) -> ConnId {
        let Some(connection) = plan.and_then(|plan| Connection::active(self.now, plan)) else {
            return self.refuse(conn, CloseReason::Limit);
        };
        self.insert(connection);
        self.poll_connection(conn, None);
        conn
    }

    fn insert(&mut self, connection: Connection) {
        let id = connection.plan.id;
        self.by_tuple.insert(connection.plan.tuple, id);
        self.connections.insert(id, Box::new(connection));
    }

    fn remove(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.remove(&conn) {
            if let Some(at) = connection.armed {
                self.timers.remove(&(at, conn));
            }
            // A newer connection may have taken the tuple over.
            if self.by_tuple.get(&connection.plan.tuple) == Some(&conn) {
                self.by_tuple.remove(&connection.plan.tuple);
            }
        }
    }

    /// Resets a connection and reports it.
    fn reset(&mut self, conn: ConnId) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        let mut out = Output {
            packets: &mut self.packets,
            events: &mut self.events,
        };
        connection.end(CloseReason::Reset, &mut out);
        connection.abort();
        self.poll_connection(conn, None);
    }

    /// Ends an outbound handshake without a word to the peer, who cannot be reached.
    fn fail_unreachable(&mut self, conn: ConnId) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        if connection.is_opening() && !connection.inbound {
            let mut out = Output {
                packets: &mut self.packets,
                events: &mut self.events,
            };
            connection.end(CloseReason::Unreachable, &mut out);
            self.remove(conn);
        }
    }

    fn poll_connection(&mut self, conn: ConnId, ingress: Option<Vec<u8>>) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        let mut out = Output {
            packets: &mut self.packets,
            events: &mut self.events,
        };
        if !connection.poll(self.now, ingress, &mut out) {
            self.remove(conn);
            return;
        }
        let deadline = connection.deadline(self.now);
        if connection.armed != deadline {
            if let Some(at) = connection.armed {
                self.timers.remove(&(at, conn));
            }
            if let Some(at) = deadline {
                self.timers.insert((at, conn));
            }
            connection.armed = deadline;
        }
    }
}

/// The loop.
impl Stack {
    /// Takes an IP packet for one of our addresses. `hint` names the session of the interface it
    /// came through; without it the session is found by its two addresses. Packets that are neither
    /// TCP nor an ICMP error about TCP are ignored.
    pub fn handle_packet(&mut self, now: Instant, hint: Option<SessionId>, ip_packet: &[u8]) {
        self.advance(now);
        let ingress = match packet::parse(ip_packet) {
            Ok(ingress) => ingress,
            Err(Unreadable::Malformed) => {
                self.counters.malformed += 1;
                return;
            }
            Err(Unreadable::Checksum) => {
                self.counters.checksum += 1;
                return;
            }
        };
        match ingress.protocol {
            protocol::TCP => self.on_segment(hint, &ingress),
            protocol::ICMP | protocol::ICMPV6 => self.on_icmp(hint, &ingress),
            _ => {}
        }
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        self.flush();
        // Each connection that is due is polled once, and is armed later than now.
        let due: Vec<ConnId> = self
            .timers
            .range(..=(now, ConnId(u64::MAX)))
            .map(|(_, conn)| *conn)
            .collect();
        for conn in due {
            self.poll_connection(conn, None);
        }
    }

    /// The next packet to send; flushes what was sent since.
    pub fn poll_packet(&mut self, now: Instant) -> Option<OutPacket> {
        self.advance(now);
        self.flush();
        self.packets.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<StackEvent> {
        self.events.pop_front()
    }

    /// When to call [`Stack::handle_timeout`] next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        if !self.unflushed.is_empty() {
            return Some(Deadline::new(self.now, "tcp flush"));
        }
        let (at, _) = self.timers.first()?;
        Some(Deadline::new(*at, "tcp"))
    }

    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    fn flush(&mut self) {
        while let Some(conn) = self.unflushed.pop_first() {
            self.poll_connection(conn, None);
        }
    }
}
