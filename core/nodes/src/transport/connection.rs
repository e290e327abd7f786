//! One connection: the engine's interface and socket, and what the shim knows beyond them.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use skybridge_base::Instant;
use skybridge_wire::{tcp, tcp_md5};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Instant as EngineInstant;
use smoltcp::wire::{HardwareAddress, IpCidr};

use super::device::QueueDevice;
use super::packet::{Seal, segment_of};
use super::{CloseReason, ConnId, OutPacket, SessionId, StackEvent};

/// How long a connection that was closed may take to end before it is reset.
const LINGER: Duration = Duration::from_secs(30);
/// How long a half that was finished may take to be acknowledged, or to make any progress: longer than
/// routing takes to find another path after a failure that only a hold timer detects.
const FINISH_MAX: Duration = Duration::from_secs(180);
/// The engine is asked again after this when it wants to run at once but has nothing to say, so
/// that a world always makes progress.
const BACK_OFF: Duration = Duration::from_millis(1);

/// What tells connections of one stack apart. The session comes first: link-local addresses may
/// repeat on two interfaces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Tuple {
    pub(super) session: Option<SessionId>,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Handshake.
    Opening,
    /// Connected; the owner may send.
    Open,
    /// The owner has closed; data may still come.
    Closing,
    /// The owner has been told or needs no word; what remains is the engine's business.
    Ended,
}

/// How a connection is made.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) id: ConnId,
    pub(super) tuple: Tuple,
    pub(super) seal: Seal,
    /// Octets of IP that the path takes.
    pub(super) mtu: u16,
    /// Seeds the initial sequence number (RFC 9293 §3.4.1).
    pub(super) seed: u64,
    pub(super) buffer_len: usize,
    pub(super) timeout: Duration,
    pub(super) user_timeout: Option<Duration>,
    pub(super) half_close: bool,
}

/// Where a connection leaves packets and events.
pub(super) struct Output<'a> {
    pub(super) packets: &'a mut VecDeque<OutPacket>,
    pub(super) events: &'a mut VecDeque<StackEvent>,
}

pub(super) struct Connection {
    pub(super) plan: Plan,
    pub(super) inbound: bool,
    pub(super) paused: bool,
    /// The place it holds in the stack's deadlines.
    pub(super) armed: Option<Instant>,
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    phase: Phase,
    give_up_at: Option<Instant>,
    /// Only our half was closed: what was acknowledged when that last made progress.
    finishing: Option<usize>,
    /// What a paused owner has not read once all has come: the engine forgets it when TIME-WAIT ends.
    held: Vec<u8>,
    /// How it ended, while the owner still has to read what came before.
    ended_as: Option<CloseReason>,
    last_state: State,
    peer_closed_told: bool,
    sent_total: usize,
    sent_at_report: usize,
    acked_total: usize,
    progress_at: Instant,
    /// Something sent is not acknowledged.
    waiting: bool,
    /// Least and greatest sequence number that may be in flight.
    in_flight: Option<(u32, u32)>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("plan", &self.plan)
            .field("phase", &self.phase)
            .field("state", &self.last_state)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// A connection that sends a SYN at its first poll; `None` when its ends cannot be connected.
    pub(super) fn active(now: Instant, plan: Plan) -> Option<Self> {
        let mut connection = Self::new(now, plan, false);
        let (local, remote) = (connection.plan.tuple.local, connection.plan.tuple.remote);
        let context = connection.interface.context();
        connection
            .sockets
            .get_mut::<Socket<'_>>(connection.handle)
            .connect(context, remote, local)
            .ok()?;
        Some(connection)
    }

    /// A connection that waits for the SYN it is polled with; `None` when it cannot.
    pub(super) fn passive(now: Instant, plan: Plan) -> Option<Self> {
        let mut connection = Self::new(now, plan, true);
        let local = connection.plan.tuple.local;
        connection.socket().listen(local).ok()?;
        Some(connection)
    }

    fn new(now: Instant, plan: Plan, inbound: bool) -> Self {
        let buffer = || SocketBuffer::new(vec![0; plan.buffer_len]);
        let mut socket = Socket::new(buffer(), buffer());
        // Writers batch (`Stack::poll_packet` flushes), so Nagle would only delay.
        socket.set_nagle_enabled(false);
        if plan.half_close {
            // A host's bytes are handed on at once, and its window is small beside what a delayed
            // acknowledgement holds up (RFC 9293 §3.8.6.3 says "may").
            socket.set_ack_delay(None);
        }
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let handle = sockets.add(socket);
        Self {
            interface: interface(now, &plan),
            inbound,
            paused: false,
            armed: None,
            sockets,
            handle,
            phase: Phase::Opening,
            give_up_at: Some(now + plan.timeout),
            finishing: None,
            held: Vec::new(),
            ended_as: None,
            last_state: State::Closed,
            peer_closed_told: false,
            sent_total: 0,
            sent_at_report: 0,
            acked_total: 0,
            progress_at: now,
            waiting: false,
            in_flight: None,
            plan,
        }
    }

    /// Hands the engine a packet and time. False when the connection is gone.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        ingress: Option<Vec<u8>>,
        out: &mut Output<'_>,
    ) -> bool {
        let at = engine_time(now);
        let mut device = QueueDevice::new(engine_mtu(&self.plan), ingress);
        self.interface.poll(at, &mut device, &mut self.sockets);
        let mut alive = self.observe(now, out);
        if alive {
            // Reading opened the window, or the shim closed: both may have something to send.
            self.interface.poll(at, &mut device, &mut self.sockets);
            alive = self.observe(now, out);
        }
        for packet in device.egress {
            self.send_out(&packet, out);
        }
        alive
    }

    /// When to poll again.
    pub(super) fn deadline(&mut self, now: Instant) -> Option<Instant> {
        let engine = self
            .interface
            .poll_at(engine_time(now), &self.sockets)
            .map(|at| {
                let micros = u64::try_from(at.total_micros()).unwrap_or(0);
                let at = Instant::from_nanos(micros.saturating_mul(1000));
                if at <= now { now + BACK_OFF } else { at }
            });
        let stalled = self.stalled_at();
        [engine, self.give_up_at, stalled]
            .into_iter()
            .flatten()
            .min()
    }

    /// Takes bytes to send; gives how many fitted.
    pub(super) fn send(&mut self, bytes: &[u8]) -> usize {
        if self.phase != Phase::Open {
            return 0;
        }
        let taken = self.socket().send_slice(bytes).unwrap_or(0);
        self.sent_total += taken;
        taken
    }

    /// Octets that [`Connection::send`] would take.
    pub(super) fn room(&self) -> usize {
        let socket = self.sockets.get::<Socket<'_>>(self.handle);
        if self.phase != Phase::Open || !socket.may_send() {
            return 0;
        }
        socket.send_capacity() - socket.send_queue()
    }

    /// Closes our half; the end is reported as an event.
    pub(super) fn close(&mut self, now: Instant) {
        match self.phase {
            Phase::Opening | Phase::Open => {
                self.phase = Phase::Closing;
                self.give_up_at = Some(now + LINGER);
                self.socket().close();
            }
            Phase::Closing | Phase::Ended => {}
        }
    }

    /// Closes our half as [`Connection::close`], and lets the peer send on for as long as it likes.
    pub(super) fn finish(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Opening | Phase::Open) {
            self.close(now);
            self.finishing = Some(self.acked_total);
            self.give_up_at = Some(now + FINISH_MAX);
        }
    }

    /// Ends the connection; its next poll sends the reset. Nothing is reported.
    pub(super) fn abort(&mut self) {
        self.phase = Phase::Ended;
        self.socket().abort();
    }

    /// True while the handshake runs.
    pub(super) fn is_opening(&self) -> bool {
        self.phase == Phase::Opening
    }

    /// True when the owner knows the connection and has not been told of its end.
    pub(super) fn is_known_to_owner(&self) -> bool {
        match self.phase {
            Phase::Opening => !self.inbound,
            Phase::Open | Phase::Closing => true,
            Phase::Ended => false,
        }
    }

    /// True when nobody waits for anything from it.
    pub(super) fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// True when only TIME-WAIT (RFC 9293 §3.6.1) keeps it: a new SYN may take its place.
    pub(super) fn is_in_time_wait(&self) -> bool {
        self.last_state == State::TimeWait
    }

    /// The state's name (RFC 9293 §3.3.2).
    pub(super) fn state_name(&self) -> &'static str {
        match self.last_state {
            State::Closed => "CLOSED",
            State::Listen => "LISTEN",
            State::SynSent => "SYN-SENT",
            State::SynReceived => "SYN-RECEIVED",
            State::Established => "ESTABLISHED",
            State::FinWait1 => "FIN-WAIT-1",
            State::FinWait2 => "FIN-WAIT-2",
            State::CloseWait => "CLOSE-WAIT",
            State::Closing => "CLOSING",
            State::LastAck => "LAST-ACK",
            State::TimeWait => "TIME-WAIT",
        }
    }

    /// True when a quoted sequence number may belong to something in flight (RFC 5927 §4.1).
    pub(super) fn is_in_flight(&self, seq: u32) -> bool {
        self.in_flight
            .is_some_and(|(una, max)| seq.wrapping_sub(una) <= max.wrapping_sub(una))
    }

    /// Notes what the peer acknowledges, for [`Connection::is_in_flight`].
    pub(super) fn note_ack(&mut self, ack: u32) {
        if let Some((una, max)) = &mut self.in_flight
            && ack.wrapping_sub(*una) <= max.wrapping_sub(*una)
        {
            *una = ack;
        }
    }

    /// Takes over another MTU of the path. What is in flight goes out again in smaller pieces when
    /// its retransmission timer fires.
    pub(super) fn set_mtu(&mut self, now: Instant, mtu: u16) {
        if self.plan.mtu != mtu {
            self.plan.mtu = mtu;
            self.interface = interface(now, &self.plan);
        }
    }

    fn socket(&mut self) -> &mut Socket<'static> {
        self.sockets.get_mut::<Socket<'static>>(self.handle)
    }

    /// Reports what changed. False when the connection is gone.
    fn observe(&mut self, now: Instant, out: &mut Output<'_>) -> bool {
        let before = self.last_state;
        let state = self.socket().state();
        self.last_state = state;
        if self.phase == Phase::Opening {
            match state {
                State::SynSent | State::SynReceived => {
                    if self.is_due(now) {
                        self.end(CloseReason::Timeout, out);
                        return false;
                    }
                    return true;
                }
                // A reset brings an inbound handshake back to LISTEN.
                State::Closed | State::Listen => {
                    self.end(CloseReason::Refused, out);
                    return false;
                }
                State::Established
                | State::FinWait1
                | State::FinWait2
                | State::CloseWait
                | State::Closing
                | State::LastAck
                | State::TimeWait => self.connected(out),
            }
        }
        self.receive(out);
        self.note_progress(now);
        self.report_room(out);
        match self.phase {
            Phase::Opening => true,
            Phase::Open => self.observe_open(now, state, out),
            Phase::Closing => self.observe_closing(now, before, state, out),
            Phase::Ended => !matches!(state, State::Closed | State::Listen) && !self.is_due(now),
        }
    }

    fn observe_open(&mut self, now: Instant, state: State, out: &mut Output<'_>) -> bool {
        if matches!(state, State::Closed | State::Listen) {
            self.end(CloseReason::Reset, out);
            return false;
        }
        if self.stalled_at().is_some_and(|at| at <= now) {
            self.end(CloseReason::Timeout, out);
            self.socket().abort();
            return true;
        }
        let all_read = state == State::CloseWait && self.held.is_empty();
        if all_read && self.plan.half_close && !self.peer_closed_told {
            self.peer_closed_told = true;
            out.events
                .push_back(StackEvent::PeerClosed { conn: self.plan.id });
        } else if all_read && !self.plan.half_close {
            self.end(CloseReason::Closed, out);
            self.give_up_at = Some(now + LINGER);
            self.socket().close();
        }
        true
    }

    fn observe_closing(
        &mut self,
        now: Instant,
        before: State,
        state: State,
        out: &mut Output<'_>,
    ) -> bool {
        // What a paused owner has not read comes before the end.
        let is_unread = !self.held.is_empty();
        match state {
            State::Closed | State::Listen => {
                let reason = *self.ended_as.get_or_insert_with(|| reason_after(before));
                if is_unread && reason == CloseReason::Closed {
                    return true;
                }
                self.end(reason, out);
                // A close in SYN-SENT leaves a reset to send: the next poll does it.
                before == State::SynSent
            }
            State::TimeWait if is_unread => true,
            State::TimeWait => {
                self.end(CloseReason::Closed, out);
                self.give_up_at = Some(now + LINGER);
                true
            }
            State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck => {
                self.extend_finish(now, state);
                if self.is_due(now) {
                    self.end(CloseReason::Timeout, out);
                    self.socket().abort();
                }
                true
            }
        }
    }

    /// A finished half has time while it makes progress, and all of it once the peer has everything.
    fn extend_finish(&mut self, now: Instant, state: State) {
        let Some(acked) = &mut self.finishing else {
            return;
        };
        if state == State::FinWait2 {
            self.give_up_at = None;
        } else if *acked != self.acked_total {
            *acked = self.acked_total;
            self.give_up_at = Some(now + FINISH_MAX);
        }
    }

    fn connected(&mut self, out: &mut Output<'_>) {
        self.phase = Phase::Open;
        self.give_up_at = None;
        out.events.push_back(StackEvent::Connected {
            conn: self.plan.id,
            session: self.plan.tuple.session,
            inbound: self.inbound,
            remote: self.plan.tuple.remote,
            local_port: self.plan.tuple.local.port(),
        });
        // Reported as if half a buffer had just gone, so that the owner learns its first room.
        let room = self.room();
        out.events.push_back(StackEvent::Writable {
            conn: self.plan.id,
            room,
        });
    }

    fn receive(&mut self, out: &mut Output<'_>) {
        if !matches!(self.phase, Phase::Open | Phase::Closing) {
            return;
        }
        let all_has_come = matches!(
            self.last_state,
            State::CloseWait | State::Closing | State::LastAck | State::TimeWait
        );
        if self.paused && !all_has_come {
            return;
        }
        let mut bytes = std::mem::take(&mut self.held);
        let socket = self.socket();
        let held_len = bytes.len();
        bytes.resize(held_len + socket.recv_queue(), 0);
        let taken = socket.recv_slice(&mut bytes[held_len..]).unwrap_or(0);
        bytes.truncate(held_len + taken);
        if self.paused {
            self.held = bytes;
        } else if !bytes.is_empty() {
            let conn = self.plan.id;
            out.events.push_back(StackEvent::Received { conn, bytes });
        }
    }

    fn note_progress(&mut self, now: Instant) {
        let acked = self.sent_total - self.socket().send_queue().min(self.sent_total);
        if acked > self.acked_total || !self.waiting {
            self.acked_total = acked;
            self.progress_at = now;
        }
        self.waiting = acked < self.sent_total;
    }

    /// Says how much can be sent once half a buffer has gone since the last word and at least half
    /// a buffer is free: an owner that counts what it sent can then never wait in vain.
    fn report_room(&mut self, out: &mut Output<'_>) {
        let half = self.plan.buffer_len / 2;
        let room = self.room();
        if self.phase == Phase::Open
            && self.sent_total - self.sent_at_report >= half
            && room >= half
        {
            self.sent_at_report = self.sent_total;
            let conn = self.plan.id;
            out.events.push_back(StackEvent::Writable { conn, room });
        }
    }

    /// When the user timeout (RFC 9293 §3.9.1.5) ends a connection that makes no progress.
    fn stalled_at(&self) -> Option<Instant> {
        let waits = self.phase == Phase::Open && self.waiting;
        let timeout = self.plan.user_timeout.filter(|_| waits)?;
        Some(self.progress_at + timeout)
    }

    fn is_due(&self, now: Instant) -> bool {
        self.give_up_at.is_some_and(|at| at <= now)
    }

    /// Tells the owner, if it knows the connection.
    pub(super) fn end(&mut self, reason: CloseReason, out: &mut Output<'_>) {
        if self.is_known_to_owner() {
            let conn = self.plan.id;
            out.events.push_back(StackEvent::Closed { conn, reason });
        }
        self.phase = Phase::Ended;
        self.give_up_at = None;
    }

    fn send_out(&mut self, packet: &[u8], out: &mut Output<'_>) {
        let segment = segment_of(packet);
        if let Ok(view) = tcp::parse(segment) {
            let end = view.seq().wrapping_add(view.segment_len());
            let (una, max) = self.in_flight.unwrap_or_else(|| (view.seq(), end));
            let further = end.wrapping_sub(una) > max.wrapping_sub(una);
            let near = end.wrapping_sub(una) < 1 << 30;
            self.in_flight = Some((una, if further && near { end } else { max }));
        }
        let Tuple {
            session,
            local,
            remote,
        } = self.plan.tuple;
        let sealed = self
            .plan
            .seal
            .apply(local.ip(), remote.ip(), segment.to_vec());
        if let Some(bytes) = sealed {
            out.packets.push_back(OutPacket {
                session,
                conn: Some(self.plan.id),
                bytes,
            });
        }
    }
}

/// What the end of a connection that we had closed means, by the state that it ended from.
const fn reason_after(before: State) -> CloseReason {
    match before {
        State::LastAck | State::Closing | State::TimeWait | State::SynSent => CloseReason::Closed,
        State::Closed
        | State::Listen
        | State::SynReceived
        | State::Established
        | State::FinWait1
        | State::FinWait2
        | State::CloseWait => CloseReason::Reset,
    }
}

/// The engine's MTU: what the path takes less what the signature adds (RFC 2385 §4.3).
fn engine_mtu(plan: &Plan) -> usize {
    let signature = match plan.seal.md5 {
        Some(_) => tcp_md5::OPTION_SPACE,
        None => 0,
    };
    usize::from(plan.mtu).saturating_sub(signature)
}

fn interface(now: Instant, plan: &Plan) -> Interface {
    let mut config = Config::new(HardwareAddress::Ip);
    config.random_seed = plan.seed;
    let mut device = QueueDevice::new(engine_mtu(plan), None);
    let mut interface = Interface::new(config, &mut device, engine_time(now));
    let local = plan.tuple.local.ip();
    let prefix_len = match local {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    };
    interface.update_ip_addrs(|addresses| {
        // An empty list of two has room for one.
        let full = addresses.push(IpCidr::new(local.into(), prefix_len));
        debug_assert!(full.is_ok());
    });
    interface
}

fn engine_time(now: Instant) -> EngineInstant {
    let micros = i64::try_from(now.as_nanos() / 1000).unwrap_or(i64::MAX);
    EngineInstant::from_micros(micros)
}
