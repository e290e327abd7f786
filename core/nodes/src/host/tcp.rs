//! TCP of a host: connections it opens by command, and its services.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use skybridge_base::Instant;
use skybridge_blueprint::ServiceKind;

use super::Host;
use super::test_echo::TestEcho;
use crate::transport::{CloseReason, ConnId, StackEvent};
use crate::{ConnectionId, NodeEvent, Outbox};

/// Marks ids that the host gave out itself, for accepted connections.
const ACCEPTED: u64 = 1 << 63;

/// Who a connection belongs to.
#[derive(Debug)]
pub(super) enum Owner {
    /// A command opened it.
    Command(Client),
    /// A bridged service accepted it.
    Bridge(ConnectionId),
    /// The test echo accepted it.
    Echo(EchoSession),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    pub(super) id: ConnectionId,
    started: Instant,
    /// The trace of its first SYN, until that is sent.
    pub(super) syn_trace: u32,
    /// The peer's end is the commander's business.
    half_close: bool,
}

#[derive(Debug, Default)]
pub(super) struct EchoSession {
    echo: TestEcho,
    /// Answer bytes that the send buffer had no room for; reading pauses meanwhile.
    waiting: Vec<u8>,
    ending: bool,
}

impl Host {
    pub(super) fn connect(
        &mut self,
        now: Instant,
        id: ConnectionId,
        target: SocketAddr,
        (timeout, trace, half_close): (Duration, u32, bool),
        out: &mut Outbox,
    ) {
        // An id in use names another connection: the commander's mistake must not disturb it.
        if self.by_id.contains_key(&id) {
            return;
        }
        let Some(local) = self.source_towards(target.ip()) else {
            out.events.push(closed(id, CloseReason::Unreachable));
            return;
        };
        let conn = self.stack.connect_any(now, local, target, timeout);
        let client = Client {
            id,
            started: now,
            syn_trace: trace,
            half_close,
        };
        self.owners.insert(conn, Owner::Command(client));
        self.by_id.insert(id, conn);
    }

    pub(super) fn tcp_send(&mut self, id: ConnectionId, bytes: &[u8], out: &mut Outbox) {
        let Some(conn) = self.by_id.get(&id).copied() else {
            return;
        };
        if self.stack.send(conn, bytes) < bytes.len() {
            self.stack.abort(conn);
            self.forget(conn);
            out.events.push(closed(id, CloseReason::Reset));
        }
    }

    pub(super) fn tcp_close(&mut self, id: ConnectionId) {
        if let Some(conn) = self.by_id.get(&id) {
            self.stack.close(*conn);
        }
    }

    pub(super) fn tcp_finish(&mut self, id: ConnectionId) {
        if let Some(conn) = self.by_id.get(&id) {
            self.stack.finish(*conn);
        }
    }

    pub(super) fn tcp_pause(&mut self, id: ConnectionId, paused: bool) {
        if let Some(conn) = self.by_id.get(&id) {
            self.stack.set_paused(*conn, paused);
        }
    }

    pub(super) fn tcp_abort(&mut self, id: ConnectionId) {
        if let Some(conn) = self.by_id.get(&id).copied() {
            self.stack.abort(conn);
            self.forget(conn);
        }
    }

    /// The identity by which the outside knows a connection.
    fn id_of(&self, conn: ConnId) -> Option<ConnectionId> {
        match self.owners.get(&conn)? {
            Owner::Command(client) => Some(client.id),
            Owner::Bridge(id) => Some(*id),
            Owner::Echo(_) => None,
        }
    }

    fn forget(&mut self, conn: ConnId) {
        if let Some(id) = self.id_of(conn) {
            self.by_id.remove(&id);
        }
        self.owners.remove(&conn);
    }

    pub(super) fn on_stack_event(&mut self, now: Instant, event: StackEvent, out: &mut Outbox) {
        match event {
            StackEvent::Connected {
                conn,
                remote,
                local_port,
                ..
            } => self.on_connected(now, conn, remote.ip(), local_port, out),
            StackEvent::Received { conn, bytes } => self.on_received(conn, bytes, out),
            StackEvent::Writable { conn, room } => {
                if let Some(id) = self.id_of(conn) {
                    out.events.push(NodeEvent::TcpWritable { id, room });
                } else {
                    self.feed_echo(conn, &[]);
                }
            }
            StackEvent::PeerClosed { conn } => match self.owners.get_mut(&conn) {
                Some(Owner::Echo(session)) => {
                    session.ending = true;
                    let held = session.echo.finish();
                    session.waiting.extend(held);
                    self.feed_echo(conn, &[]);
                }
                Some(
                    Owner::Command(Client {
                        id,
                        half_close: true,
                        ..
                    })
                    | Owner::Bridge(id),
                ) => out.events.push(NodeEvent::TcpFinished { id: *id }),
                Some(Owner::Command(_)) | None => self.stack.close(conn),
            },
            StackEvent::Closed { conn, reason } => {
                if let Some(id) = self.id_of(conn) {
                    out.events.push(closed(id, reason));
                }
                self.forget(conn);
            }
        }
    }

    fn on_connected(
        &mut self,
        now: Instant,
        conn: ConnId,
        from: IpAddr,
        local_port: u16,
        out: &mut Outbox,
    ) {
        if let Some(Owner::Command(client)) = self.owners.get(&conn) {
            out.events.push(NodeEvent::TcpConnected {
                id: client.id,
                rtt: now - client.started,
            });
            return;
        }
        let Some(service) = self.services.get(&local_port) else {
            // Taken away during the handshake.
            self.stack.abort(conn);
            return;
        };
        match &service.kind {
            ServiceKind::Echo => {
                let session = EchoSession::default();
                self.owners.insert(conn, Owner::Echo(session));
            }
            ServiceKind::Bridge { .. } => {
                let id = ConnectionId(ACCEPTED | self.next_accepted);
                self.next_accepted += 1;
                out.events.push(NodeEvent::ServiceAccepted {
                    id,
                    service: service.name.clone(),
                    from,
                });
                self.owners.insert(conn, Owner::Bridge(id));
                self.by_id.insert(id, conn);
            }
        }
    }

    fn on_received(&mut self, conn: ConnId, bytes: Vec<u8>, out: &mut Outbox) {
        if let Some(id) = self.id_of(conn) {
            out.events.push(NodeEvent::TcpReceived { id, bytes });
        } else {
            self.feed_echo(conn, &bytes);
        }
    }

    /// Hands bytes to the test echo and sends what it answers, as far as there is room; what does
    /// not fit waits, and nothing is read until it has gone.
    fn feed_echo(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(Owner::Echo(session)) = self.owners.get_mut(&conn) else {
            return;
        };
        if !bytes.is_empty() {
            let answer = session.echo.handle(bytes);
            session.waiting.extend(answer);
        }
        let sent = self.stack.send(conn, &session.waiting);
        session.waiting.drain(..sent);
        session.ending |= session.echo.is_finished();
        let all_sent = session.waiting.is_empty();
        if session.ending && all_sent {
            self.stack.close(conn);
        }
        self.stack.set_paused(conn, !all_sent);
    }
}

fn closed(id: ConnectionId, reason: CloseReason) -> NodeEvent {
    let reason = match reason {
        // The event's vocabulary has no word for a full stack.
        CloseReason::Limit => CloseReason::Refused.as_str(),
        CloseReason::Refused
        | CloseReason::Timeout
        | CloseReason::Reset
        | CloseReason::Closed
        | CloseReason::Unreachable => reason.as_str(),
    };
    NodeEvent::TcpClosed { id, reason }
}
