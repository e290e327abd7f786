//! What comes in: segments and ICMP errors, and which connection they are for.

use std::net::{IpAddr, SocketAddr};

use skybridge_wire::tcp::{TcpFlags, TcpView};
use skybridge_wire::tcp_md5::Md5Fault;
use skybridge_wire::{tcp, tcp_md5};

use super::{Session, Stack};
use crate::transport::connection::{Connection, Tuple};
use crate::transport::icmp::{self, Meaning};
use crate::transport::packet::{self, Ingress, Seal};
use crate::transport::{OutPacket, SessionId};

impl Stack {
    pub(super) fn on_segment(&mut self, hint: Option<SessionId>, ingress: &Ingress<'_>) {
        let Ok(view) = tcp::parse(ingress.l4) else {
            self.counters.malformed += 1;
            return;
        };
        let hosts = packet::is_host_address(ingress.src) && packet::is_host_address(ingress.dst);
        if !hosts || view.src_port() == 0 || view.dst_port() == 0 {
            self.counters.malformed += 1;
            return;
        }
        if !view.is_checksum_valid(ingress.src, ingress.dst) {
            self.counters.checksum += 1;
            return;
        }
        let tuple = Tuple {
            session: hint
                .filter(|id| self.is_between(*id, ingress.dst, ingress.src))
                .or_else(|| self.session_between(ingress.dst, ingress.src)),
            local: SocketAddr::new(ingress.dst, view.dst_port()),
            remote: SocketAddr::new(ingress.src, view.src_port()),
        };
        let Some(segment) = self.admit(tuple.session, ingress) else {
            return;
        };
        let Ok(view) = tcp::parse(&segment) else {
            return;
        };
        self.deliver(tuple, &view, &segment);
    }

    fn is_between(&self, id: SessionId, local: IpAddr, remote: IpAddr) -> bool {
        self.by_pair.contains(&(local, remote, id))
    }

    /// The segment as the engine may see it; `None` when the session's rules drop it.
    fn admit(&mut self, session: Option<SessionId>, ingress: &Ingress<'_>) -> Option<Vec<u8>> {
        let mut segment = ingress.l4.to_vec();
        let endpoint = session
            .and_then(|id| self.sessions.get(&id))
            .map(|session| &session.endpoint);
        // RFC 5082 §3: a neighbour's packets have crossed no router.
        if endpoint.is_some_and(|endpoint| ingress.ttl < endpoint.ttl_min) {
            self.counters.ttl_too_low += 1;
            return None;
        }
        let Some(key) = endpoint.and_then(|endpoint| endpoint.md5.as_ref()) else {
            if tcp_md5::is_signed(&segment) {
                self.counters.md5_unexpected += 1;
                return None;
            }
            return Some(segment);
        };
        // RFC 2385 §2.0: dropped without an answer.
        match tcp_md5::verify_and_strip(ingress.src, ingress.dst, &mut segment, key.expose()) {
            Ok(()) => {
                packet::mask_sack_permitted(&mut segment);
                Some(segment)
            }
            Err(Md5Fault::Missing) => {
                self.counters.md5_missing += 1;
                None
            }
            Err(Md5Fault::Mismatch | Md5Fault::Malformed) => {
                self.counters.md5_mismatch += 1;
                None
            }
        }
    }

    fn deliver(&mut self, tuple: Tuple, view: &TcpView<'_>, segment: &[u8]) {
        let is_syn = view.flags().contains(TcpFlags::SYN)
            && !view.flags().contains(TcpFlags::ACK)
            && !view.flags().contains(TcpFlags::RST);
        if let Some(conn) = self.by_tuple.get(&tuple).copied()
            && let Some(connection) = self.connections.get_mut(&conn)
        {
            if is_syn && connection.is_in_time_wait() {
                // RFC 9293 §3.10.7.4: a SYN may reopen what is in TIME-WAIT.
                self.remove(conn);
            } else {
                if view.flags().contains(TcpFlags::ACK) {
                    connection.note_ack(view.ack());
                }
                let plain = Seal::PLAIN.wrap(tuple.remote.ip(), tuple.local.ip(), segment);
                self.poll_connection(conn, plain);
                return;
            }
        }
        if is_syn && self.is_listening(&tuple) {
            self.accept(tuple, segment);
        } else {
            self.counters.no_listener += 1;
            self.answer_by_reset(tuple, view);
        }
    }

    fn is_listening(&self, tuple: &Tuple) -> bool {
        let for_session = tuple
            .session
            .and_then(|id| self.sessions.get(&id))
            .is_some_and(|session| {
                session.accepting && self.session_ports.contains(&tuple.local.port())
            });
        for_session || self.open_ports.contains(&tuple.local.port())
    }

    fn accept(&mut self, tuple: Tuple, segment: &[u8]) {
        if !self.has_room(tuple.session) {
            self.counters.limit += 1;
            return;
        }
        let look = match tuple.session.and_then(|id| self.sessions.get(&id)) {
            Some(session) => (session.seal(), session.endpoint.mtu),
            None => (Seal::PLAIN, self.mtu),
        };
        let conn = self.fresh_conn();
        let plan = self.plan_for(conn, tuple, look);
        if let Some(connection) = Connection::passive(self.now, plan) {
            self.insert(connection);
            let plain = Seal::PLAIN.wrap(tuple.remote.ip(), tuple.local.ip(), segment);
            self.poll_connection(conn, plain);
        }
    }

    fn answer_by_reset(&mut self, tuple: Tuple, view: &TcpView<'_>) {
        let seal = tuple
            .session
            .and_then(|id| self.sessions.get(&id))
            .map_or(Seal::PLAIN, Session::seal);
        let (local, remote) = (tuple.local, tuple.remote);
        let bytes = packet::reset_for(view, remote, local)
            .and_then(|segment| seal.apply(local.ip(), remote.ip(), segment));
        if let Some(bytes) = bytes {
            self.packets.push_back(OutPacket {
                session: tuple.session,
                conn: None,
                bytes,
            });
        }
    }

    pub(super) fn on_icmp(&mut self, hint: Option<SessionId>, ingress: &Ingress<'_>) {
        let Some(report) = icmp::report(ingress) else {
            return;
        };
        let tuple = Tuple {
            session: hint
                .filter(|id| self.is_between(*id, report.local.ip(), report.remote.ip()))
                .or_else(|| self.session_between(report.local.ip(), report.remote.ip())),
            local: report.local,
            remote: report.remote,
        };
        let found = self.by_tuple.get(&tuple).copied();
        let Some(conn) = found.filter(|conn| {
            self.connections
                .get(conn)
                .is_some_and(|connection| connection.is_in_flight(report.seq))
        }) else {
            self.counters.icmp_unmatched += 1;
            return;
        };
        match report.meaning {
            // RFC 1122 §4.2.3.9 lets hard errors end a connection; established ones outlive them
            // here, as they do in every kernel that follows RFC 5927 §5.2.
            Meaning::Unreachable => self.fail_unreachable(conn),
            Meaning::TooBig { mtu } => self.on_too_big(report.remote.ip(), mtu, report.packet_len),
        }
    }

    fn on_too_big(&mut self, remote: IpAddr, reported: u16, packet_len: u16) {
        let now = self.now;
        let Some(mtu) = self.path_mtus.learn(now, remote, reported, packet_len) else {
            return;
        };
        self.counters.path_mtu_lowered += 1;
        for conn in self.connections_where(|tuple| tuple.remote.ip() == remote) {
            if let Some(connection) = self.connections.get_mut(&conn) {
                let mtu = connection.plan.mtu.min(mtu);
                connection.set_mtu(now, mtu);
                self.poll_connection(conn, None);
            }
        }
    }
}
