//! Echo requests that an operator sends from a router to a neighbour.

use std::net::IpAddr;

use skybridge_base::Instant;
use skybridge_blueprint::InterfaceName;
use skybridge_wire::icmpv4::Icmpv4Kind;
use skybridge_wire::{icmpv4, ipv4, protocol};

use super::Router;
use crate::Outbox;

/// Octets of data that fit an IPv4 packet.
const DATA_MAX: usize = 65_535 - ipv4::HEADER_LEN - icmpv4::HEADER_LEN;

impl Router {
    /// Sends one echo request with DF set out of an interface to a neighbour on it, whatever the routes
    /// say. Nothing is remembered of it: whoever asked sees on the ports what came of it. False when there
    /// is no such interface, or it has no IPv4 address.
    pub fn ping(
        &mut self,
        now: Instant,
        interface: &InterfaceName,
        neighbour: IpAddr,
        (sequence, payload_len): (u16, u16),
        out: &mut Outbox,
    ) -> bool {
        let Some(index) = self.interface_by_name.get(interface).copied() else {
            return false;
        };
        let own = self.interface(index).addresses.iter().map(|net| net.addr());
        let own = own.into_iter().find(IpAddr::is_ipv4);
        let (Some(IpAddr::V4(source)), IpAddr::V4(target)) = (own, neighbour) else {
            return false;
        };
        let kind = Icmpv4Kind::EchoRequest {
            identifier: index.0,
            sequence,
        };
        let len = usize::from(payload_len).min(DATA_MAX);
        let data: Vec<u8> = (0..=u8::MAX).cycle().take(len).collect();
        let mut packet = Vec::with_capacity(ipv4::HEADER_LEN + icmpv4::HEADER_LEN + len);
        ipv4::Ipv4Repr {
            dont_fragment: true,
            identification: sequence,
            ..ipv4::Ipv4Repr::new(source, target, protocol::ICMP, len + icmpv4::HEADER_LEN)
        }
        .emit(&mut packet);
        icmpv4::emit(kind, &data, &mut packet);
        self.send_on(now, index, neighbour, &packet, out);
        true
    }
}
