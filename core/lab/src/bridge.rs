//! Connections that cross the border of the world: from services in it to servers outside, and from clients
//! outside to hosts in it.
//!
//! Bytes wait in one place only, the buffers of the host's TCP and of the driver: nothing is read from
//! the outside while the host has no room ([`Bridges::room`]), and the host stops reading while the
//! driver is full. Each half ends by itself, and a reset on one side is a reset on the other.
//!
//! Limits: [`CLIENTS_MAX`] connections from outside, one more is refused; [`HELD_MAX`] octets for a server that
//! has not answered yet, then the connection is reset; [`NEGOTIATION_MAX`] for a SOCKS client to say what it wants.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use skybridge_base::{Deadline, Instant};
use skybridge_blueprint::{NodeName, ServiceKind};
use skybridge_nodes::{ConnectionId, HostCommand, NodeEvent, TestEcho};
use skybridge_world::World;

use crate::output::{BridgeId, BridgeInput, ForwardId, LabOutput};
use crate::socks::{Destination, Negotiation, Reply, Step};

/// Connections from outside at a time.
pub(crate) const CLIENTS_MAX: usize = 256;
/// Bytes held for a server that has not answered yet, beyond which its client is paused ...
const HELD_PAUSE: usize = 32 * 1024;
/// ... and beyond which the connection is reset: what comes after the pause is less than a window.
const HELD_MAX: usize = 256 * 1024;
/// How long a SOCKS client may take to say where it wants to go.
const NEGOTIATION_MAX: Duration = Duration::from_secs(10);
/// How long a host in the world tries to connect for a client outside.
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(15);

/// Ids of connections that are opened for clients outside have this bit; probes never count so far.
const OPENED: u64 = 1 << 62;

#[derive(Debug)]
struct Bridge {
    /// The host's end; a SOCKS client has none before it has said where it wants to go.
    end: Option<(NodeName, ConnectionId)>,
    state: State,
    room: usize,
    /// The listener it came by.
    forward: Option<ForwardId>,
    /// What replies to a SOCKS client name as our end.
    socks: Option<IpAddr>,
}

#[derive(Debug)]
enum State {
    /// The driver dials the server of a service.
    Dialling(VecDeque<Vec<u8>>),
    /// A SOCKS client says where it wants to go, until then.
    Negotiating(Negotiation, Instant),
    /// The host connects; what the client has sent behind its request.
    Connecting(Vec<u8>),
    Open,
    /// Nobody listens outside: the test echo answers.
    Echo(Box<TestEcho>),
}

/// What became of a client's connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ClientNews {
    /// It stands.
    Connected,
    /// It never did: `refused`, `timeout`, `unreachable` …
    Failed(String),
}

/// A SOCKS client wants to go somewhere.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) id: BridgeId,
    pub(crate) forward: ForwardId,
    pub(crate) destination: Destination,
    pub(crate) port: u16,
}

/// All connections across the border.
#[derive(Debug, Default)]
pub(crate) struct Bridges {
    next: u64,
    open: BTreeMap<BridgeId, Bridge>,
    by_connection: BTreeMap<(NodeName, ConnectionId), BridgeId>,
    news: VecDeque<(ForwardId, ClientNews)>,
    wanted: VecDeque<Wanted>,
}

/// Connections, as the world sees them.
impl Bridges {
    /// Looks at an event of a host; true when it was a bridge's.
    pub(crate) fn on_event(
        &mut self,
        world: &mut World,
        node: &NodeName,
        event: &NodeEvent,
        outputs: &mut VecDeque<LabOutput>,
    ) -> bool {
        let (NodeEvent::ServiceAccepted { id, .. }
        | NodeEvent::TcpConnected { id, .. }
        | NodeEvent::TcpReceived { id, .. }
        | NodeEvent::TcpWritable { id, .. }
        | NodeEvent::TcpFinished { id }
        | NodeEvent::TcpClosed { id, .. }) = event
        else {
            return false;
        };
        let key = (node.clone(), *id);
        if let NodeEvent::ServiceAccepted { service, .. } = event {
            self.accept(world, key, service, outputs);
            return true;
        }
        let Some(bridge_id) = self.by_connection.get(&key).copied() else {
            return false;
        };
        if let NodeEvent::TcpClosed { reason, .. } = event {
            self.closed(bridge_id, reason, outputs);
            return true;
        }
        let Some(bridge) = self.open.get_mut(&bridge_id) else {
            return false;
        };
        if let NodeEvent::TcpConnected { .. } = event {
            if let Some(forward) = bridge.forward {
                self.news.push_back((forward, ClientNews::Connected));
            }
            if let Some(bound) = bridge.socks {
                let bytes = Reply::Succeeded.to_bytes(Some(SocketAddr::new(bound, 0)));
                outputs.push_back(LabOutput::BridgeData {
                    id: bridge_id,
                    bytes,
                });
            }
        } else if let NodeEvent::TcpReceived { bytes, .. } = event {
            bridge.received(world, bridge_id, bytes, outputs);
        } else if let NodeEvent::TcpWritable { room, .. } = event {
            bridge.writable(world, *room);
        } else if let NodeEvent::TcpFinished { .. } = event {
            if let State::Echo(_) = bridge.state {
                bridge.tell(world, |id| HostCommand::TcpFinish { id });
            } else {
                outputs.push_back(LabOutput::BridgeFinish { id: bridge_id });
            }
        }
        true
    }

    fn accept(
        &mut self,
        world: &World,
        end: (NodeName, ConnectionId),
        service: &str,
        outputs: &mut VecDeque<LabOutput>,
    ) {
        let host = world
            .blueprint()
            .nodes
            .get(&end.0)
            .and_then(|n| n.as_host());
        let found = host.and_then(|host| host.services.iter().find(|s| s.name == service));
        let target = found.and_then(|s| match &s.kind {
            ServiceKind::Bridge { target } => Some(target.clone()),
            ServiceKind::Echo => None,
        });
        self.next += 1;
        let id = BridgeId(self.next);
        let bridge = Bridge {
            end: Some(end.clone()),
            state: match &target {
                Some(_) => State::Dialling(VecDeque::new()),
                None => State::Echo(Box::new(TestEcho::new())),
            },
            room: 0,
            forward: None,
            socks: None,
        };
        if let Some(target) = target {
            outputs.push_back(LabOutput::BridgeOpen { id, target });
        }
        self.open.insert(id, bridge);
        self.by_connection.insert(end, id);
    }

    fn closed(&mut self, id: BridgeId, reason: &str, outputs: &mut VecDeque<LabOutput>) {
        let Some(bridge) = self.remove(id) else {
            return;
        };
        if !matches!(bridge.state, State::Connecting(_)) {
            let reset = reason != "closed";
            outputs.push_back(LabOutput::BridgeClose { id, reset });
            return;
        }
        let reply = match reason {
            "refused" => Reply::ConnectionRefused,
            "timeout" => Reply::TtlExpired,
            "unreachable" => Reply::HostUnreachable,
            _ => Reply::GeneralFailure,
        };
        self.fail(id, &bridge, (reason, reply), outputs);
    }

    /// A client outside cannot have what it wants.
    fn fail(
        &mut self,
        id: BridgeId,
        bridge: &Bridge,
        (reason, reply): (&str, Reply),
        outputs: &mut VecDeque<LabOutput>,
    ) {
        if let Some(forward) = bridge.forward {
            let news = ClientNews::Failed(reason.to_owned());
            self.news.push_back((forward, news));
        }
        if bridge.socks.is_some() {
            let bytes = reply.to_bytes(None);
            outputs.push_back(LabOutput::BridgeData { id, bytes });
        }
        // A client of a plain forward is told as a server that resets would tell it.
        let reset = bridge.socks.is_none();
        outputs.push_back(LabOutput::BridgeClose { id, reset });
    }

    fn remove(&mut self, id: BridgeId) -> Option<Bridge> {
        let bridge = self.open.remove(&id)?;
        if let Some(end) = &bridge.end {
            self.by_connection.remove(end);
        }
        Some(bridge)
    }
}

/// Connections, as the outside sees them.
impl Bridges {
    /// News from outside.
    pub(crate) fn input(
        &mut self,
        world: &mut World,
        id: BridgeId,
        input: BridgeInput,
        outputs: &mut VecDeque<LabOutput>,
    ) {
        let Some(bridge) = self.open.get_mut(&id) else {
            return;
        };
        match input {
            BridgeInput::Connected => bridge.dialled(world, id, outputs),
            BridgeInput::Refused => bridge.answered_by_echo(world),
            BridgeInput::Data(bytes) => {
                if let State::Negotiating(negotiation, _) = &mut bridge.state {
                    negotiation.handle(&bytes);
                    self.negotiate(id, outputs);
                } else {
                    bridge.room = bridge.room.saturating_sub(bytes.len());
                    bridge.tell(world, |id| HostCommand::TcpSend { id, bytes });
                }
            }
            BridgeInput::Finished => match bridge.state {
                State::Negotiating(..) => self.drop_client(id, outputs),
                State::Dialling(_) | State::Connecting(_) | State::Open | State::Echo(_) => {
                    bridge.tell(world, |id| HostCommand::TcpFinish { id });
                }
            },
            BridgeInput::Reset => {
                bridge.tell(world, |id| HostCommand::TcpAbort { id });
                self.remove(id);
            }
            BridgeInput::Full => {
                bridge.tell(world, |id| HostCommand::TcpPause { id, paused: true });
            }
            BridgeInput::Drained => {
                bridge.tell(world, |id| HostCommand::TcpPause { id, paused: false });
            }
        }
    }

    fn negotiate(&mut self, id: BridgeId, outputs: &mut VecDeque<LabOutput>) {
        let Some(bridge) = self.open.get_mut(&id) else {
            return;
        };
        let State::Negotiating(negotiation, _) = &mut bridge.state else {
            return;
        };
        loop {
            match negotiation.poll() {
                Step::More => return,
                Step::Answer(bytes) => outputs.push_back(LabOutput::BridgeData { id, bytes }),
                Step::Connect(destination, port) => {
                    let rest = std::mem::take(negotiation).rest();
                    bridge.state = State::Connecting(rest);
                    if let Some(forward) = bridge.forward {
                        self.wanted.push_back(Wanted {
                            id,
                            forward,
                            destination,
                            port,
                        });
                    }
                    return;
                }
                Step::Refuse(bytes) => {
                    if !bytes.is_empty() {
                        outputs.push_back(LabOutput::BridgeData { id, bytes });
                    }
                    self.drop_client(id, outputs);
                    return;
                }
            }
        }
    }

    /// Closes a client that has no connection in the world.
    fn drop_client(&mut self, id: BridgeId, outputs: &mut VecDeque<LabOutput>) {
        self.remove(id);
        outputs.push_back(LabOutput::BridgeClose { id, reset: false });
    }

    /// Bytes that a connection can take from outside.
    pub(crate) fn room(&self, id: BridgeId) -> usize {
        let Some(bridge) = self.open.get(&id) else {
            return 0;
        };
        match &bridge.state {
            State::Negotiating(negotiation, _) => negotiation.room(),
            State::Open | State::Echo(_) => bridge.room,
            State::Dialling(_) | State::Connecting(_) => 0,
        }
    }
}

/// Clients of forwards.
impl Bridges {
    /// A client outside has connected to a listener. `None`: one too many.
    pub(crate) fn client(
        &mut self,
        now: Instant,
        forward: ForwardId,
        socks: Option<IpAddr>,
    ) -> Option<BridgeId> {
        let clients = self.open.values().filter(|b| b.forward.is_some()).count();
        if clients >= CLIENTS_MAX {
            return None;
        }
        self.next += 1;
        let id = BridgeId(self.next);
        let state = match socks {
            Some(_) => State::Negotiating(Negotiation::default(), now + NEGOTIATION_MAX),
            None => State::Connecting(Vec::new()),
        };
        let bridge = Bridge {
            end: None,
            state,
            room: 0,
            forward: Some(forward),
            socks,
        };
        self.open.insert(id, bridge);
        Some(id)
    }

    /// Connects a client, from a host in the world.
    pub(crate) fn connect(
        &mut self,
        world: &mut World,
        id: BridgeId,
        from: &NodeName,
        target: SocketAddr,
        outputs: &mut VecDeque<LabOutput>,
    ) {
        let Some(bridge) = self.open.get_mut(&id) else {
            return;
        };
        let connection = ConnectionId(OPENED | id.0);
        let open = HostCommand::TcpOpen {
            id: connection,
            target: target.ip(),
            port: target.port(),
            timeout: CONNECT_MAX,
            trace: 0,
        };
        let end = (from.clone(), connection);
        bridge.end = Some(end.clone());
        self.by_connection.insert(end, id);
        if let Err(stopped) = world.carry(from, open) {
            self.refuse(id, &stopped.to_string(), Reply::GeneralFailure, outputs);
        }
    }

    /// A client cannot be connected.
    pub(crate) fn refuse(
        &mut self,
        id: BridgeId,
        reason: &str,
        reply: Reply,
        outputs: &mut VecDeque<LabOutput>,
    ) {
        if let Some(bridge) = self.remove(id) {
            self.fail(id, &bridge, (reason, reply), outputs);
        }
    }

    /// Ends every connection of a listener.
    pub(crate) fn end_clients(
        &mut self,
        world: &mut World,
        forward: ForwardId,
        outputs: &mut VecDeque<LabOutput>,
    ) {
        let of_it = self.open.iter().filter(|(_, b)| b.forward == Some(forward));
        let ids: Vec<BridgeId> = of_it.map(|(id, _)| *id).collect();
        for id in ids {
            if let Some(bridge) = self.remove(id) {
                bridge.tell(world, |id| HostCommand::TcpAbort { id });
                outputs.push_back(LabOutput::BridgeClose { id, reset: true });
            }
        }
    }

    /// How many clients a listener has at present.
    pub(crate) fn client_count(&self, forward: ForwardId) -> usize {
        let of_it = self.open.values().filter(|b| b.forward == Some(forward));
        of_it.count()
    }

    /// What became of a client.
    pub(crate) fn poll_news(&mut self) -> Option<(ForwardId, ClientNews)> {
        self.news.pop_front()
    }

    /// Where a SOCKS client wants to go; to be answered by `connect` or `refuse`.
    pub(crate) fn poll_wanted(&mut self) -> Option<Wanted> {
        self.wanted.pop_front()
    }

    /// When the first SOCKS client has taken too long.
    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        let ends = self.open.values().filter_map(|bridge| match bridge.state {
            State::Negotiating(_, until) => Some(until),
            State::Dialling(_) | State::Connecting(_) | State::Open | State::Echo(_) => None,
        });
        ends.min().map(|at| Deadline::new(at, "SOCKS negotiation"))
    }

    /// Drops SOCKS clients that have taken too long.
    pub(crate) fn handle_timeout(&mut self, now: Instant, outputs: &mut VecDeque<LabOutput>) {
        let late = self.open.iter().filter(
            |(_, bridge)| matches!(bridge.state, State::Negotiating(_, until) if until <= now),
        );
        let late: Vec<BridgeId> = late.map(|(id, _)| *id).collect();
        for id in late {
            self.drop_client(id, outputs);
        }
    }
}

impl Bridge {
    fn received(
        &mut self,
        world: &mut World,
        id: BridgeId,
        bytes: &[u8],
        outputs: &mut VecDeque<LabOutput>,
    ) {
        match &mut self.state {
            State::Open | State::Connecting(_) => outputs.push_back(LabOutput::BridgeData {
                id,
                bytes: bytes.to_vec(),
            }),
            State::Dialling(held) => {
                let total: usize = held.iter().map(Vec::len).sum();
                held.push_back(bytes.to_vec());
                if total + bytes.len() > HELD_MAX {
                    self.tell(world, |id| HostCommand::TcpAbort { id });
                } else if total + bytes.len() > HELD_PAUSE {
                    self.tell(world, |id| HostCommand::TcpPause { id, paused: true });
                }
            }
            State::Echo(echo) => {
                let answer = echo.handle(bytes);
                self.tell(world, |id| HostCommand::TcpSend { id, bytes: answer });
            }
            // It has no connection in the world.
            State::Negotiating(..) => {}
        }
    }

    /// The host has room. The first word of it follows the connection's being there.
    fn writable(&mut self, world: &mut World, room: usize) {
        self.room = room;
        if let State::Connecting(held) = &mut self.state {
            let bytes = std::mem::take(held);
            self.state = State::Open;
            if !bytes.is_empty() {
                // Less than the smallest buffer (`socks::REQUEST_LEN_MAX`).
                self.room = self.room.saturating_sub(bytes.len());
                self.tell(world, |id| HostCommand::TcpSend { id, bytes });
            }
        }
    }

    /// The server accepted.
    fn dialled(&mut self, world: &mut World, id: BridgeId, outputs: &mut VecDeque<LabOutput>) {
        if let State::Dialling(held) = &mut self.state {
            let held = std::mem::take(held);
            self.state = State::Open;
            if !held.is_empty() {
                self.tell(world, |id| HostCommand::TcpPause { id, paused: false });
            }
            for bytes in held {
                outputs.push_back(LabOutput::BridgeData { id, bytes });
            }
        }
    }

    /// Nobody listens.
    fn answered_by_echo(&mut self, world: &mut World) {
        let mut echo = TestEcho::new();
        if let State::Dialling(held) = &self.state {
            let answer: Vec<u8> = held.iter().flat_map(|b| echo.handle(b)).collect();
            if !answer.is_empty() {
                self.tell(world, |id| HostCommand::TcpSend { id, bytes: answer });
                self.tell(world, |id| HostCommand::TcpPause { id, paused: false });
            }
        }
        self.state = State::Echo(Box::new(echo));
    }

    /// Tells the host something; a host that has stopped has closed the connection already.
    fn tell(&self, world: &mut World, command: impl FnOnce(ConnectionId) -> HostCommand) {
        if let Some((node, connection)) = &self.end {
            let _stopped = world.carry(node, command(*connection)).err();
        }
    }
}

#[cfg(test)]
mod tests;
