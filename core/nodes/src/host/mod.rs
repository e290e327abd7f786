//! Hosts: where traffic begins and ends, in user space.
//!
//! A [`Host`] has one port and speaks ARP, IPv4, ICMP and TCP as an ordinary machine does: it answers
//! pings, refuses what nobody listens to, resolves and remembers neighbours, learns path MTUs. It
//! does what [`HostCommand`]s say and reports by [`NodeEvent`]s. Its services are the labelled
//! [`TestEcho`], or bridges whose bytes the world outside handles by the same commands and events:
//! ids of accepted connections have the top bit set, of commands the top bit clear.
//!
//! Not here: IPv6 (addresses of that family are carried but not answered), UDP beyond the echo on
//! port 7.
//!
//! Limits: 1024 neighbours with 16 waiting packets each, 4096 echo requests in flight, the
//! connections of one [`crate::transport::Stack`], 16 packets in reassembly, 64 packets to itself
//! per instant. Past a limit a packet is dropped and counted, and a command answered by its failure
//! event.

mod claims;
mod echo;
mod neighbours;
mod observe;
mod pg_echo;
mod reassembly;
mod receive;
mod send;
mod tcp;
mod test_echo;
#[cfg(test)]
mod tests;

pub use observe::{HostConnection, HostCounters, HostNeighbour};
pub use test_echo::TestEcho;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net};
use skybridge_base::{Deadline, Instant, MacAddr, Rng, earliest};
use skybridge_blueprint::{self as blueprint, InterfaceName, NodeKind, NodeName, PortName};
use skybridge_wire::Frame;

use crate::transport::{ConnId, Stack};
use crate::{ConnectionId, HostCommand, Node, NodeEvent, Outbox, PortIndex};
use echo::Echoes;
use neighbours::{Due, Neighbours};
use reassembly::Reassembly;
use tcp::Owner;

/// The only port of a host.
const PORT: PortIndex = PortIndex(0);
/// Packets a host delivers to itself within one call.
const LOOPBACK_MAX: usize = 64;

/// An end host; see the module.
#[derive(Debug)]
pub struct Host {
    name: NodeName,
    now: Instant,
    port: PortName,
    interface: InterfaceName,
    mac: MacAddr,
    nets: Vec<Ipv4Net>,
    gateway: Option<Ipv4Addr>,
    mtu: u16,
    services: BTreeMap<u16, blueprint::Service>,
    up: bool,
    neighbours: Neighbours,
    conflict_told_at: Option<Instant>,
    echoes: Echoes,
    stack: Stack,
    owners: BTreeMap<ConnId, Owner>,
    by_id: BTreeMap<ConnectionId, ConnId>,
    next_accepted: u64,
    /// Trace of the request being handled, for the answer to it.
    answering: u32,
    identification: u16,
    reassembly: Reassembly,
    loopback: VecDeque<(Vec<u8>, u32)>,
    counters: HostCounters,
}

impl Host {
    /// A host without a link.
    #[must_use]
    pub fn new(name: &NodeName, spec: &blueprint::Host, seed: u64) -> Self {
        let rng = Rng::new(seed);
        let mut stack = Stack::new(rng.child("stack").next_u64());
        stack.set_half_close(true);
        let mut host = Self {
            name: name.clone(),
            now: Instant::ZERO,
            port: spec.port.clone(),
            interface: InterfaceName::from(spec.port.as_str()),
            mac: spec.mac,
            nets: Vec::new(),
            gateway: None,
            mtu: spec.mtu,
            services: BTreeMap::new(),
            up: false,
            neighbours: Neighbours::default(),
            conflict_told_at: None,
            echoes: Echoes::default(),
            stack,
            owners: BTreeMap::new(),
            by_id: BTreeMap::new(),
            next_accepted: 0,
            answering: 0,
            identification: 0,
            reassembly: Reassembly::default(),
            loopback: VecDeque::new(),
            counters: HostCounters::default(),
        };
        host.take_over(spec);
        host
    }

    /// The node's name.
    #[must_use]
    pub const fn name(&self) -> &NodeName {
        &self.name
    }

    /// Does what it is told. Failures are events; commands that name an unknown connection, or
    /// open one under an id in use, do nothing.
    pub fn command(&mut self, now: Instant, command: HostCommand, out: &mut Outbox) {
        match command {
            HostCommand::Echo {
                id,
                sequence,
                target,
                ttl,
                payload_len,
                dont_fragment,
                timeout,
                trace,
            } => {
                let request = send::EchoRequest {
                    id,
                    sequence,
                    target,
                    ttl,
                    payload_len,
                    dont_fragment,
                    timeout,
                    trace,
                };
                self.send_echo(now, &request, out);
            }
            HostCommand::TcpConnect {
                id,
                target,
                port,
                timeout,
                trace,
            } => {
                let target = SocketAddr::new(target, port);
                self.connect(now, id, target, (timeout, trace, false), out);
            }
            HostCommand::TcpOpen {
                id,
                target,
                port,
                timeout,
                trace,
            } => {
                let target = SocketAddr::new(target, port);
                self.connect(now, id, target, (timeout, trace, true), out);
            }
            HostCommand::TcpSend { id, bytes } => self.tcp_send(id, &bytes, out),
            HostCommand::TcpClose { id } => self.tcp_close(id),
            HostCommand::TcpFinish { id } => self.tcp_finish(id),
            HostCommand::TcpPause { id, paused } => self.tcp_pause(id, paused),
            HostCommand::TcpAbort { id } => self.tcp_abort(id),
        }
        self.pump(now, out);
    }

    /// Takes over what a description says, without regard to what was before.
    fn take_over(&mut self, spec: &blueprint::Host) {
        self.port = spec.port.clone();
        self.interface = InterfaceName::from(spec.port.as_str());
        self.mac = spec.mac;
        self.mtu = spec.mtu;
        self.nets = v4_nets(&spec.addresses);
        self.gateway = spec.gateways.iter().find_map(|gateway| match gateway {
            IpAddr::V4(v4) => Some(*v4),
            IpAddr::V6(_) => None,
        });
        self.stack.set_mtu(spec.mtu);
        for port in self.services.keys() {
            self.stack.unlisten_any(*port);
        }
        let services = spec.services.iter();
        self.services = services.map(|s| (s.tcp_port, s.clone())).collect();
        for port in self.services.keys() {
            self.stack.listen_any(*port);
        }
    }

    fn is_own(&self, address: Ipv4Addr) -> bool {
        self.nets.iter().any(|net| net.addr() == address)
    }

    /// Moves events and packets on until nothing is left to do at `now`.
    fn pump(&mut self, now: Instant, out: &mut Outbox) {
        self.now = now;
        let mut budget = LOOPBACK_MAX;
        loop {
            while let Some(event) = self.stack.poll_event() {
                self.on_stack_event(now, event, out);
            }
            if let Some(packet) = self.stack.poll_packet(now) {
                self.send_segment(now, packet, out);
                continue;
            }
            // Flushing may have had something to tell and nothing to send.
            if let Some(event) = self.stack.poll_event() {
                self.on_stack_event(now, event, out);
                continue;
            }
            if budget == 0 {
                return;
            }
            let Some((packet, trace)) = self.loopback.pop_front() else {
                return;
            };
            budget -= 1;
            self.on_ipv4(now, &packet, trace, out);
            self.flush_answers(now, out);
        }
    }

    /// Sends what handling one packet produced, under that packet's trace.
    fn flush_answers(&mut self, now: Instant, out: &mut Outbox) {
        while let Some(event) = self.stack.poll_event() {
            self.on_stack_event(now, event, out);
        }
        while let Some(packet) = self.stack.poll_packet(now) {
            self.send_segment(now, packet, out);
        }
        self.answering = 0;
    }
}

impl Node for Host {
    fn handle_frames(
        &mut self,
        now: Instant,
        port: PortIndex,
        frames: &mut Vec<Frame>,
        out: &mut Outbox,
    ) {
        for frame in frames.drain(..) {
            if port == PORT {
                self.on_frame(now, &frame, out);
                self.flush_answers(now, out);
            }
        }
        self.pump(now, out);
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        while let Some(pending) = self.echoes.poll(now) {
            out.events.push(NodeEvent::EchoFailed {
                id: pending.id,
                sequence: pending.sequence,
                fault: crate::EchoFault::Timeout,
            });
        }
        while let Some(due) = self.neighbours.poll(now) {
            match due {
                Due::Ask(address) => self.ask(address, out),
                Due::GaveUp(waiting) => {
                    for frame in waiting {
                        self.refuse(now, &frame, crate::DropReason::NeighbourUnresolved, out);
                    }
                }
            }
        }
        self.stack.handle_timeout(now);
        self.pump(now, out);
    }

    fn handle_link(&mut self, now: Instant, port: PortIndex, up: bool, out: &mut Outbox) {
        if port != PORT || self.up == up {
            return;
        }
        self.up = up;
        if up {
            self.announce(out);
        } else {
            for frame in self.neighbours.clear() {
                self.refuse(now, &frame, crate::DropReason::LinkDown, out);
            }
        }
        self.pump(now, out);
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        if !self.loopback.is_empty() {
            return Some(Deadline::new(self.now, "loopback"));
        }
        let echo = self.echoes.poll_timeout();
        let arp = self.neighbours.poll_timeout();
        let own = earliest(
            echo.map(|at| Deadline::new(at, "echo timeout")),
            arp.map(|at| Deadline::new(at, "arp")),
        );
        earliest(own, self.stack.poll_timeout())
    }

    fn port_index(&self, name: &PortName) -> Option<PortIndex> {
        (*name == self.port).then_some(PORT)
    }

    /// Services, MTU, gateway and further addresses change under running connections; those from an
    /// address that goes are reset.
    fn reconfigure(&mut self, now: Instant, spec: &NodeKind, out: &mut Outbox) {
        let NodeKind::Host(spec) = spec else {
            return;
        };
        let (mac, nets) = (self.mac, self.nets.clone());
        self.take_over(spec);
        for address in nets.iter().map(Ipv4Net::addr) {
            if !self.is_own(address) {
                self.stack.abort_local(now, address.into());
            }
        }
        if self.up && (mac != self.mac || nets != self.nets) {
            self.announce(out);
        }
        self.pump(now, out);
    }
}

fn v4_nets(addresses: &[IpNet]) -> Vec<Ipv4Net> {
    let nets = addresses.iter().filter_map(|net| match net {
        IpNet::V4(v4) => Some(*v4),
        IpNet::V6(_) => None,
    });
    nets.collect()
}
