//! BGP and BFD of a router, driven through its own ports and tags.
//!
//! One [`Speaker`] per instance, one TCP [`Stack`] per table that has peers, one BFD session per peer
//! that asks for it. While a port has no link its peers are held down, so that a session fails at once
//! when the link goes and dials at once when it comes. Routes enter the tables in `rib`.

mod bfd;
mod observe;
mod peers;
mod policy;
mod rib;
mod timers;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use skybridge_base::{Deadline, Instant, Machine, earliest};
use skybridge_bgp::{ConnId, Input, Output, PeerId, Reason, Speaker, StateKind};
use skybridge_blueprint as blueprint;
use skybridge_blueprint::VrfName;
use skybridge_dataplane::{InterfaceIndex, TableIndex};

use super::Router;
use crate::transport::{self, BGP_PORT, SessionId, Stack, StackEvent};
use crate::{NodeEvent, Outbox, SessionState};

pub use observe::{BgpPathObservation, BgpPeerObservation, BgpRouteObservation};
use rib::Rib;
use timers::{Timer, Timers};

pub(super) use bfd::BFD_PORT;

/// A connection that the speaker closed is reset when its peer has not agreed by then.
const LINGER: Duration = Duration::from_secs(5);

/// Everything that runs sessions.
#[derive(Debug, Default)]
pub(super) struct Control {
    instances: BTreeMap<String, Instance>,
    peers: Vec<Option<Peer>>,
    stacks: BTreeMap<TableIndex, Stack>,
    by_session: BTreeMap<(TableIndex, SessionId), usize>,
    /// The peer behind an interface and address; the first where there are several.
    by_remote: BTreeMap<(InterfaceIndex, IpAddr), usize>,
    conns: BTreeMap<ConnId, Conn>,
    lingering: BTreeSet<(Instant, ConnId)>,
    rib: Rib,
    /// Stacks and instances that may have something to say.
    busy_stacks: BTreeSet<TableIndex>,
    busy_instances: BTreeSet<String>,
    timers: Timers,
    /// The earliest deadline of all, as of the last change: asking costs the packet path nothing.
    deadline: Option<Deadline>,
}

impl Control {
    fn stack(&mut self, table: TableIndex) -> Option<&mut Stack> {
        let stack = self.stacks.get_mut(&table)?;
        self.busy_stacks.insert(table);
        Some(stack)
    }

    /// The peer with this address on this interface.
    fn peer_at(&self, interface: InterfaceIndex, remote: IpAddr) -> Option<usize> {
        self.by_remote.get(&(interface, remote)).copied()
    }

    /// Numbers the peers and their deadlines again, after the description changed.
    fn index_peers(&mut self) {
        self.by_remote.clear();
        self.timers.clear();
        for (at, peer) in self.peers.iter().enumerate() {
            if let Some(peer) = peer {
                let key = (peer.interface, peer.spec.remote);
                self.by_remote.entry(key).or_insert(at);
                self.timers.arm(Timer::Bfd(at), peer.bfd_deadline());
            }
        }
    }

    /// Asks for a turn at once while routes wait to be resolved again.
    fn rearm_routes(&mut self, now: Instant) {
        if self.rib.is_waiting() {
            self.deadline = earliest(self.deadline, Some(Deadline::new(now, "routes")));
        }
    }

    /// Everything may have something to say.
    fn mark_all(&mut self) {
        self.busy_stacks.extend(self.stacks.keys());
        self.busy_instances.extend(self.instances.keys().cloned());
    }
}

/// One BGP process.
#[derive(Debug)]
struct Instance {
    speaker: Speaker,
    /// The speaker's tables by number; a name that went keeps its number.
    tables: Vec<VrfName>,
    by_id: BTreeMap<PeerId, usize>,
    originated: Vec<blueprint::Originated>,
}

/// One neighbour.
#[derive(Debug)]
struct Peer {
    instance: String,
    name: String,
    spec: blueprint::BgpPeer,
    id: PeerId,
    external: bool,
    interface: InterfaceIndex,
    table: TableIndex,
    session: SessionId,
    /// The connection being opened for the speaker.
    dialling: Option<ConnId>,
    bfd: Option<skybridge_bfd::Session>,
    /// What happened outside BGP, told instead of the speaker's reason.
    cause: Option<&'static str>,
    last_reset: Option<String>,
    since: Instant,
}

/// A connection as the speaker knows it.
#[derive(Debug)]
struct Conn {
    table: TableIndex,
    stack_id: transport::ConnId,
    peer: usize,
    /// Bytes that the stack had no room for.
    waiting: Vec<u8>,
    closing: bool,
}

/// The speaker's number of a stack's connection; tables are told apart by the upper bits.
const fn conn_id(table: TableIndex, conn: transport::ConnId) -> ConnId {
    ConnId((table.0 as u64) << 48 | (conn.0 & 0xffff_ffff_ffff))
}

impl Router {
    /// A TCP segment or ICMP error for an own address of `table`. True when a stack took it.
    pub(super) fn on_session_packet(
        &mut self,
        now: Instant,
        (table, ingress): (TableIndex, InterfaceIndex),
        src: IpAddr,
        packet: &[u8],
        out: &mut Outbox,
    ) -> SessionPacket {
        let control = &self.control;
        let at = control.peer_at(ingress, src);
        let hint = at.and_then(|at| control.peers.get(at)?.as_ref());
        let hint = hint.filter(|peer| peer.table == table);
        let hint = hint.map(|peer| peer.session);
        let Some(stack) = self.control.stack(table) else {
            return SessionPacket::NoListener;
        };
        let md5 = |stack: &Stack| {
            let c = stack.counters();
            c.md5_missing + c.md5_mismatch + c.md5_unexpected
        };
        let before = md5(stack);
        stack.handle_packet(now, hint, packet);
        let refused = md5(stack) != before;
        self.pump(now, out);
        if refused {
            SessionPacket::Md5
        } else {
            SessionPacket::Taken
        }
    }

    /// Lets time pass for sessions: BFD, then TCP, then routing tables.
    pub(super) fn on_session_timers(&mut self, now: Instant, out: &mut Outbox) {
        self.on_bfd_timers(now, out);
        for timer in self.control.timers.due(now) {
            if let Timer::Stack(table) = timer
                && let Some(stack) = self.control.stack(table)
            {
                stack.handle_timeout(now);
            }
        }
        while let Some((at, conn)) = self.control.lingering.first().copied() {
            if at > now {
                break;
            }
            self.control.lingering.pop_first();
            self.abort(conn);
        }
        self.pump(now, out);
        for timer in self.control.timers.due(now) {
            if let Timer::Instance(name) = timer
                && let Some(instance) = self.control.instances.get_mut(&name)
            {
                instance.speaker.handle_timeout(now);
                self.control.busy_instances.insert(name);
            }
        }
        if self.control.rib.is_waiting() {
            self.resolve_some(out);
        }
        self.pump(now, out);
    }

    pub(super) const fn session_deadline(&self) -> Option<Deadline> {
        self.control.deadline
    }

    /// Takes the deadlines over of what was touched, and finds the earliest of all.
    fn rearm(&mut self, now: Instant, stacks: BTreeSet<TableIndex>, instances: BTreeSet<String>) {
        let control = &mut self.control;
        for table in stacks {
            let deadline = control.stacks.get(&table).and_then(Stack::poll_timeout);
            control.timers.arm(Timer::Stack(table), deadline);
        }
        for name in instances {
            let instance = control.instances.get(&name);
            let deadline = instance.and_then(|instance| instance.speaker.poll_timeout());
            control.timers.arm(Timer::Instance(name), deadline);
        }
        let linger = control.lingering.first();
        let linger = linger.map(|(at, _)| Deadline::new(*at, "tcp linger"));
        control.deadline = earliest(control.timers.first(), linger);
        control.rearm_routes(now);
    }

    /// The link of a port came or went: its sessions start or fail at once.
    pub(super) fn on_session_link(
        &mut self,
        now: Instant,
        interfaces: &[InterfaceIndex],
        up: bool,
        out: &mut Outbox,
    ) {
        for at in 0..self.control.peers.len() {
            let Some(peer) = self.control.peers[at].as_ref() else {
                continue;
            };
            if interfaces.contains(&peer.interface) {
                let cause = if up { "link up" } else { "link down" };
                self.set_running(now, at, up, Some(cause));
            }
        }
        self.pump(now, out);
        self.resolve_all(now, out);
    }

    /// Starts a peer or holds it down.
    fn set_running(&mut self, now: Instant, at: usize, run: bool, cause: Option<&'static str>) {
        let control = &mut self.control;
        let Some(peer) = control.peers[at].as_mut() else {
            return;
        };
        let Some(instance) = control.instances.get_mut(&peer.instance) else {
            return;
        };
        control.busy_instances.insert(peer.instance.clone());
        peer.cause = cause;
        let run = run && peer.spec.enabled;
        let done = if run {
            instance.speaker.admin_up(now, peer.id)
        } else {
            instance.speaker.admin_down(now, peer.id, "")
        };
        done.expect("the speaker has every peer of its instance");
        control.busy_stacks.insert(peer.table);
        if let Some(stack) = control.stacks.get_mut(&peer.table) {
            stack.set_accepting(peer.session, run);
        }
    }

    /// Carries bytes, events and routes between stacks, speakers and tables until nothing is left.
    pub(super) fn pump(&mut self, now: Instant, out: &mut Outbox) {
        let (mut stacks, mut instances) = (BTreeSet::new(), BTreeSet::new());
        // What one turn did not finish has turns of its own, so that no packet waits for it.
        let mut is_waiting = self.control.rib.is_waiting();
        loop {
            let mut packets = Vec::new();
            for table in std::mem::take(&mut self.control.busy_stacks) {
                stacks.insert(table);
                // Packets first: flushing may find out that a connection ended.
                if let Some(stack) = self.control.stacks.get_mut(&table) {
                    while let Some(packet) = stack.poll_packet(now) {
                        packets.push((table, packet));
                    }
                }
                while let Some(event) = self.poll_stack(table) {
                    self.on_stack_event(now, table, event);
                }
            }
            for name in std::mem::take(&mut self.control.busy_instances) {
                while let Some(output) = self.poll_speaker(&name) {
                    self.on_speaker_output(now, &name, output, out);
                }
                instances.insert(name);
            }
            if !is_waiting {
                is_waiting = self.resolve_some(out);
            }
            let control = &self.control;
            let idle = control.busy_stacks.is_empty() && control.busy_instances.is_empty();
            for (table, packet) in packets {
                let key = packet.session.map(|session| (table, session));
                let at = key.and_then(|key| self.control.by_session.get(&key).copied());
                let peer = at.and_then(|at| self.control.peers[at].as_ref());
                match peer.map(|peer| (peer.interface, peer.spec.remote)) {
                    Some((interface, remote)) => {
                        self.send_on(now, interface, remote, &packet.bytes, out);
                    }
                    None => self.send_packet(now, table, &packet.bytes, 0, out),
                }
            }
            if idle {
                self.rearm(now, stacks, instances);
                return;
            }
        }
    }

    fn poll_stack(&mut self, table: TableIndex) -> Option<StackEvent> {
        self.control.stacks.get_mut(&table)?.poll_event()
    }

    fn poll_speaker(&mut self, instance: &str) -> Option<Output> {
        let instance = self.control.instances.get_mut(instance)?;
        instance.speaker.poll_output()
    }

    fn on_stack_event(&mut self, now: Instant, table: TableIndex, event: StackEvent) {
        let control = &mut self.control;
        match event {
            StackEvent::Connected {
                conn,
                session,
                inbound,
                ..
            } => {
                let id = conn_id(table, conn);
                let key = session.map(|session| (table, session));
                let at = key.and_then(|key| control.by_session.get(&key).copied());
                let Some((at, peer)) = at.and_then(|at| Some((at, control.peers[at].as_mut()?)))
                else {
                    return self.abort(id);
                };
                let peer_id = peer.id;
                if !inbound && peer.dialling != Some(id) {
                    return self.abort(id);
                }
                control.conns.entry(id).or_insert_with(|| Conn {
                    table,
                    stack_id: conn,
                    peer: at,
                    waiting: Vec::new(),
                    closing: false,
                });
                let input = if inbound {
                    Input::Accepted {
                        peer: peer_id,
                        conn: id,
                    }
                } else {
                    peer.dialling = None;
                    Input::Connected {
                        peer: peer_id,
                        conn: id,
                    }
                };
                self.tell(now, at, input);
            }
            StackEvent::Received { conn, bytes } => {
                let id = conn_id(table, conn);
                if let Some(at) = control.conns.get(&id).map(|c| c.peer) {
                    let bytes = &bytes[..];
                    self.tell(now, at, Input::Received { conn: id, bytes });
                }
            }
            StackEvent::Writable { conn, .. } => self.flush(now, conn_id(table, conn)),
            // Half-close is off: `Closed` follows.
            StackEvent::PeerClosed { .. } => {}
            StackEvent::Closed { conn, .. } => self.on_closed(now, conn_id(table, conn)),
        }
    }

    fn on_closed(&mut self, now: Instant, id: ConnId) {
        let control = &mut self.control;
        if let Some(conn) = control.conns.remove(&id) {
            let dialled = control.peers[conn.peer]
                .as_mut()
                .filter(|peer| peer.dialling == Some(id));
            let input = match dialled {
                Some(peer) => {
                    peer.dialling = None;
                    Input::ConnectFailed { peer: peer.id }
                }
                None => Input::Closed { conn: id },
            };
            self.tell(now, conn.peer, input);
        }
    }

    fn tell(&mut self, now: Instant, at: usize, input: Input<'_>) {
        let control = &mut self.control;
        let peer = control.peers.get(at).and_then(Option::as_ref);
        let Some(name) = peer.map(|peer| peer.instance.as_str()) else {
            return;
        };
        if let Some(instance) = control.instances.get_mut(name) {
            instance.speaker.handle_input(now, input);
            if !control.busy_instances.contains(name) {
                control.busy_instances.insert(name.to_owned());
            }
        }
    }

    fn on_speaker_output(&mut self, now: Instant, name: &str, output: Output, out: &mut Outbox) {
        let control = &mut self.control;
        let Some(instance) = control.instances.get(name) else {
            return;
        };
        match output {
            Output::Connect { peer } => {
                if let Some(at) = instance.by_id.get(&peer).copied() {
                    self.dial(now, at);
                }
            }
            Output::Send { conn, bytes } => {
                if let Some(c) = control.conns.get_mut(&conn) {
                    c.waiting.extend_from_slice(&bytes);
                    self.flush(now, conn);
                }
            }
            Output::Close { conn } => self.close(now, conn),
            Output::StateChanged {
                peer,
                from,
                to,
                reason,
            } => {
                if let Some(at) = instance.by_id.get(&peer).copied() {
                    self.on_state(now, at, (from, to), &reason, out);
                }
            }
            Output::BestChanged { table, net, paths } => {
                if let Some(vrf) = instance.tables.get(usize::from(table.0)).cloned() {
                    self.on_best(name, &vrf, net, &paths, out);
                }
            }
        }
    }

    fn dial(&mut self, now: Instant, at: usize) {
        let control = &mut self.control;
        let Some(peer) = control.peers[at].as_mut() else {
            return;
        };
        let old = peer.dialling.take();
        let (table, session) = (peer.table, peer.session);
        control.busy_stacks.insert(table);
        let Some(stack) = control.stacks.get_mut(&table) else {
            return;
        };
        let stack_id = stack.connect(now, session, BGP_PORT);
        let id = conn_id(table, stack_id);
        peer.dialling = Some(id);
        control.conns.insert(
            id,
            Conn {
                table,
                stack_id,
                peer: at,
                waiting: Vec::new(),
                closing: false,
            },
        );
        if let Some(old) = old {
            self.abort(old);
        }
    }

    /// Hands waiting bytes to the stack and tells the speaker whether some still wait.
    fn flush(&mut self, now: Instant, id: ConnId) {
        let control = &mut self.control;
        let Some(conn) = control.conns.get_mut(&id) else {
            return;
        };
        let Some(stack) = control.stacks.get_mut(&conn.table) else {
            return;
        };
        if conn.waiting.is_empty() {
            return;
        }
        control.busy_stacks.insert(conn.table);
        let taken = stack.send(conn.stack_id, &conn.waiting);
        conn.waiting.drain(..taken.min(conn.waiting.len()));
        let blocked = !conn.waiting.is_empty();
        if !blocked && conn.closing {
            stack.close(conn.stack_id);
        }
        let at = conn.peer;
        self.tell(now, at, Input::Blocked { conn: id, blocked });
    }

    fn close(&mut self, now: Instant, id: ConnId) {
        let control = &mut self.control;
        let Some(conn) = control.conns.get_mut(&id) else {
            return;
        };
        let peer = control.peers[conn.peer].as_ref();
        let link_is_up = peer.is_some_and(|peer| {
            let state = &self.interfaces[usize::from(peer.interface.0)];
            let port = self.ports.get(usize::from(state.port.0));
            state.alive && port.is_some_and(|port| port.up)
        });
        if !link_is_up {
            return self.abort(id);
        }
        conn.closing = true;
        control.busy_stacks.insert(conn.table);
        if conn.waiting.is_empty()
            && let Some(stack) = control.stacks.get_mut(&conn.table)
        {
            stack.close(conn.stack_id);
        }
        control.lingering.insert((now + LINGER, id));
    }

    fn abort(&mut self, id: ConnId) {
        if let Some(conn) = self.control.conns.remove(&id)
            && let Some(stack) = self.control.stacks.get_mut(&conn.table)
        {
            stack.abort(conn.stack_id);
            self.control.busy_stacks.insert(conn.table);
        }
    }

    fn on_state(
        &mut self,
        now: Instant,
        at: usize,
        (from, to): (StateKind, StateKind),
        reason: &Reason,
        out: &mut Outbox,
    ) {
        let Some(peer) = self.control.peers[at].as_mut() else {
            return;
        };
        let is_ours = matches!(
            reason,
            Reason::AdminDown | Reason::AdminReset | Reason::Started | Reason::PeerRemoved
        );
        let cause = if is_ours { peer.cause.take() } else { None };
        let reason = cause.map_or_else(|| policy::reason_text(reason), str::to_owned);
        if to == StateKind::Idle {
            peer.last_reset = Some(reason.clone());
        }
        if from == StateKind::Established || to == StateKind::Established {
            peer.since = now;
        }
        out.events.push(NodeEvent::Bgp {
            instance: peer.instance.clone(),
            peer: peer.name.clone(),
            from: session_state(from),
            to: session_state(to),
            reason,
        });
    }
}

/// What became of a packet for the session transport.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SessionPacket {
    /// A stack took it.
    Taken,
    /// Its signature is missing or wrong.
    Md5,
    /// The table has no sessions.
    NoListener,
}

const fn session_state(state: StateKind) -> SessionState {
    match state {
        StateKind::Idle => SessionState::Idle,
        StateKind::Connect => SessionState::Connect,
        StateKind::Active => SessionState::Active,
        StateKind::OpenSent => SessionState::OpenSent,
        StateKind::OpenConfirm => SessionState::OpenConfirm,
        StateKind::Established => SessionState::Established,
    }
}
