//! Which packets are this host's when the kernel of a network namespace has the same station and
//! addresses.

use std::net::SocketAddr;

use skybridge_wire::icmpv4::{self, Icmpv4Kind};
use skybridge_wire::ipv4::{self, Ipv4View};
use skybridge_wire::{protocol, tcp};

use super::Host;

impl Host {
    /// True when an IPv4 packet answers what this host has sent, or is for one of its services.
    /// Answered by looking alone; fragments are never claimed.
    #[must_use]
    pub(crate) fn claims(&self, packet: &[u8]) -> bool {
        if self.echoes.is_empty() && self.stack.is_idle() && self.services.is_empty() {
            return false;
        }
        let Ok(view) = ipv4::parse(packet) else {
            return false;
        };
        if !self.is_own(view.dst()) || view.is_fragment() {
            return false;
        }
        match view.protocol() {
            protocol::ICMP => self.claims_icmp(&view),
            protocol::TCP => tcp::parse(view.payload()).is_ok_and(|segment| {
                let local = SocketAddr::new(view.dst().into(), segment.dst_port());
                let remote = SocketAddr::new(view.src().into(), segment.src_port());
                self.stack.concerns(local, remote)
            }),
            _ => false,
        }
    }

    fn claims_icmp(&self, view: &Ipv4View<'_>) -> bool {
        let Ok(message) = icmpv4::parse(view.payload()) else {
            return false;
        };
        if let Icmpv4Kind::EchoReply {
            identifier,
            sequence,
        } = message.kind()
        {
            return self.echoes.contains((identifier, sequence));
        }
        if !message.kind().is_error() {
            return false;
        }
        let Ok(quoted) = ipv4::parse_header(message.payload()) else {
            return false;
        };
        match quoted.protocol() {
            protocol::ICMP => match icmpv4::parse(quoted.payload()).map(|quoted| quoted.kind()) {
                Ok(Icmpv4Kind::EchoRequest {
                    identifier,
                    sequence,
                }) => self.echoes.contains((identifier, sequence)),
                _ => false,
            },
            // RFC 792: an error quotes at least eight octets, which hold both ports.
            protocol::TCP => match quoted.payload() {
                [s0, s1, d0, d1, ..] => {
                    let port = |high: &u8, low: &u8| u16::from_be_bytes([*high, *low]);
                    let local = SocketAddr::new(quoted.src().into(), port(s0, s1));
                    let remote = SocketAddr::new(quoted.dst().into(), port(d0, d1));
                    self.stack.concerns(local, remote)
                }
                _ => false,
            },
            _ => false,
        }
    }
}
