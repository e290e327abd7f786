//! BFD of the peers (RFC 5881): UDP port 3784, TTL 255 sent and required.

use std::net::IpAddr;

use skybridge_base::{Deadline, Instant, Machine, Rng};
use skybridge_bfd::{BfdControl, BfdState, Input, Output, Session, SessionConfig, Timers};
use skybridge_blueprint::BfdParameters;
use skybridge_dataplane::InterfaceIndex;
use skybridge_wire::ipv4::{DSCP_CS6, Ipv4Repr};
use skybridge_wire::ipv6::Ipv6Repr;
use skybridge_wire::udp::UdpRepr;
use skybridge_wire::{bfd, protocol};

use super::Peer;
use super::timers::Timer;
use crate::router::Router;
use crate::{NodeEvent, Outbox};

/// RFC 5881 §4.
pub(in crate::router) const BFD_PORT: u16 = 3784;
/// First of the source ports that RFC 5881 §4 allows.
const SOURCE_PORT_FIRST: u16 = 49152;
/// GTSM (RFC 5881 §5).
const TTL: u8 = 255;

pub(super) fn timers(parameters: &BfdParameters) -> Timers {
    let us = u32::try_from(parameters.interval.as_micros()).unwrap_or(u32::MAX);
    Timers::symmetric(us.max(1), parameters.multiplier.max(1))
}

/// A session for the peer in place `at`.
pub(super) fn session(at: usize, parameters: &BfdParameters, rng: Rng) -> Session {
    let config = SessionConfig {
        my_discriminator: u32::try_from(at).unwrap_or(u32::MAX - 1) + 1,
        timers: timers(parameters),
        passive: false,
        rng,
    };
    Session::new(config).expect("discriminator, intervals and multiplier are at least one")
}

impl Peer {
    /// When its BFD session wants to be called.
    pub(super) fn bfd_deadline(&self) -> Option<Deadline> {
        let session = self.bfd.as_ref().filter(|_| self.spec.enabled)?;
        session.poll_timeout()
    }
}

impl Router {
    /// A BFD packet for an own address. True when a session took it.
    pub(in crate::router) fn on_bfd_packet(
        &mut self,
        now: Instant,
        ingress: InterfaceIndex,
        (src, ttl): (IpAddr, u8),
        payload: &[u8],
        out: &mut Outbox,
    ) -> bool {
        if ttl != TTL {
            return false;
        }
        let at = self.control.peer_at(ingress, src);
        let has_bfd = |at: &usize| {
            let peer = self.control.peers.get(*at).and_then(Option::as_ref);
            peer.is_some_and(|peer| peer.bfd.is_some())
        };
        let Some(at) = at.filter(has_bfd) else {
            return false;
        };
        if let Some(session) = self.bfd_mut(at) {
            session.handle_input(now, Input::Packet(payload));
        }
        self.drain_bfd(now, at, out);
        self.pump(now, out);
        true
    }

    pub(super) fn on_bfd_timers(&mut self, now: Instant, out: &mut Outbox) {
        for timer in self.control.timers.due(now) {
            if let Timer::Bfd(at) = timer
                && let Some(session) = self.bfd_mut(at)
            {
                session.handle_timeout(now);
                self.drain_bfd(now, at, out);
            }
        }
    }

    fn bfd_mut(&mut self, at: usize) -> Option<&mut Session> {
        let peer = self.control.peers.get_mut(at)?.as_mut()?;
        peer.bfd.as_mut().filter(|_| peer.spec.enabled)
    }

    pub(super) fn drain_bfd(&mut self, now: Instant, at: usize, out: &mut Outbox) {
        while let Some(output) = self.bfd_mut(at).and_then(Machine::poll_output) {
            match output {
                Output::Send(control) => self.send_bfd(now, at, &control, out),
                Output::StateChanged { from, to, diag, .. } => {
                    let is_up = to == BfdState::Up;
                    if is_up || from == BfdState::Up {
                        self.on_bfd_state(now, at, is_up, &diag.to_string(), out);
                    }
                }
            }
        }
        let peer = self.control.peers.get(at).and_then(Option::as_ref);
        let deadline = peer.and_then(Peer::bfd_deadline);
        self.control.timers.arm(Timer::Bfd(at), deadline);
    }

    fn on_bfd_state(&mut self, now: Instant, at: usize, up: bool, reason: &str, out: &mut Outbox) {
        let control = &mut self.control;
        let Some(peer) = control.peers[at].as_mut() else {
            return;
        };
        out.events.push(NodeEvent::Bfd {
            instance: peer.instance.clone(),
            peer: peer.name.clone(),
            up,
            reason: reason.to_owned(),
        });
        // RFC 5882 §4.2: a peer that is held down by its operator has not failed.
        let failed = peer
            .bfd
            .as_ref()
            .is_some_and(|session| session.remote_state() != BfdState::AdminDown);
        if !up
            && failed
            && let Some(instance) = control.instances.get_mut(&peer.instance)
        {
            control.busy_instances.insert(peer.instance.clone());
            instance.speaker.bfd_down(now, peer.id);
        }
    }

    fn send_bfd(&mut self, now: Instant, at: usize, control: &BfdControl, out: &mut Outbox) {
        let Some(peer) = self.control.peers[at].as_ref() else {
            return;
        };
        if !self.is_up(peer.interface) {
            return;
        }
        let (local, remote) = (peer.spec.local, peer.spec.remote);
        let interface = peer.interface;
        let offset = u16::try_from(at & 0x3fff).unwrap_or(0);
        let udp = UdpRepr {
            src_port: SOURCE_PORT_FIRST + offset,
            dst_port: BFD_PORT,
        };
        let payload = control.to_bytes();
        let len = UdpRepr::len(bfd::LEN);
        let mut packet = Vec::with_capacity(len + 40);
        match (local, remote) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => Ipv4Repr {
                ttl: TTL,
                dscp: DSCP_CS6,
                ..Ipv4Repr::new(src, dst, protocol::UDP, len)
            }
            .emit(&mut packet),
            (IpAddr::V6(src), IpAddr::V6(dst)) => Ipv6Repr {
                hop_limit: TTL,
                ..Ipv6Repr::new(src, dst, protocol::UDP, len)
            }
            .emit(&mut packet),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return,
        }
        udp.emit(local, remote, &payload, &mut packet);
        self.send_on(now, interface, remote, &packet, out);
    }
}
