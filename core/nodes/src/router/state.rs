//! What a router holds per port, interface and table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use skybridge_base::MacAddr;
use skybridge_blueprint::{InterfaceName, PortName, Tagging, VrfName, Zone};
use skybridge_dataplane::{
    CompiledFilter, Direction, DropCounters, Fib, FlowTable, InterfaceCounters, InterfaceIndex,
    TableIndex, TokenBucket,
};
use skybridge_wire::{Tags, Tpid};

use crate::PortIndex;

/// A physical port.
#[derive(Debug)]
pub(super) struct PortState {
    pub(super) name: PortName,
    pub(super) mac: MacAddr,
    pub(super) up: bool,
    /// The interface of each tag stack, sorted by [`tag_key`].
    pub(super) by_tags: Vec<(u32, InterfaceIndex)>,
    /// Frames that no interface took.
    pub(super) drops: DropCounters,
}

impl PortState {
    pub(super) fn interface(&self, tags: Tags) -> Option<InterfaceIndex> {
        let key = tag_key(tags)?;
        let at = self.by_tags.binary_search_by_key(&key, |(k, _)| *k).ok()?;
        self.by_tags.get(at).map(|(_, index)| *index)
    }
}

/// The VLAN ids of a tag stack as one number. `None` for stacks that no sub-interface can have: a
/// service tag alone, or two customer tags.
pub(crate) const fn tag_key(tags: Tags) -> Option<u32> {
    match tags {
        Tags::Untagged => Some(0),
        Tags::One(tag) => match tag.tpid {
            Tpid::Dot1Q => Some(tag.vid as u32),
            Tpid::Dot1Ad => None,
        },
        Tags::Two(outer, inner) => match (outer.tpid, inner.tpid) {
            (Tpid::Dot1Ad, Tpid::Dot1Q) => Some(((outer.vid as u32) << 16) | inner.vid as u32),
            (Tpid::Dot1Q, _) | (Tpid::Dot1Ad, Tpid::Dot1Ad) => None,
        },
    }
}

/// The key of a configured interface in [`PortState::by_tags`].
pub(crate) fn tagging_key(tagging: Tagging) -> u32 {
    tag_key(wire_tags(tagging)).unwrap_or(0)
}

pub(crate) const fn wire_tags(tagging: Tagging) -> Tags {
    match tagging {
        Tagging::Untagged => Tags::Untagged,
        Tagging::Dot1q(c) => Tags::dot1q(c),
        Tagging::QinQ { s_tag, c_tag } => Tags::qinq(s_tag, c_tag),
    }
}

/// A (sub-)interface.
#[derive(Debug)]
pub(super) struct InterfaceState {
    pub(super) name: InterfaceName,
    /// False once the description no longer has it; the number is never used again.
    pub(super) alive: bool,
    pub(super) port: PortIndex,
    pub(super) mac: MacAddr,
    pub(super) tagging: Tagging,
    pub(super) tags: Tags,
    pub(super) table: TableIndex,
    pub(super) addresses: Vec<IpNet>,
    pub(super) mtu: usize,
    pub(super) proxy_arp: bool,
    pub(super) filter_in: Option<CompiledFilter>,
    pub(super) filter_out: Option<CompiledFilter>,
    /// Present when a filter is.
    pub(super) flows: Option<FlowTable>,
    pub(super) policer_in: Option<usize>,
    pub(super) policer_out: Option<usize>,
    pub(super) zone: Option<Zone>,
    pub(super) source_check: Option<Vec<IpNet>>,
    pub(super) counters: InterfaceCounters,
}

impl InterfaceState {
    pub(super) const fn filter(&self, direction: Direction) -> Option<&CompiledFilter> {
        match direction {
            Direction::In => self.filter_in.as_ref(),
            Direction::Out => self.filter_out.as_ref(),
        }
    }

    pub(super) fn owns(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|net| net.addr() == address)
    }

    /// The IPv4 address to speak to `target` from: the one of its network, else the first.
    pub(super) fn source_v4(&self, target: Ipv4Addr) -> Option<Ipv4Addr> {
        let mut first = None;
        for net in &self.addresses {
            if let IpNet::V4(net) = net {
                if net.contains(&target) {
                    return Some(net.addr());
                }
                first = first.or_else(|| Some(net.addr()));
            }
        }
        first
    }

    /// The same for IPv6; without an address, the link-local one of the MAC (RFC 4291 §2.5.6).
    pub(super) fn source_v6(&self, target: Ipv6Addr) -> Ipv6Addr {
        let mut first = None;
        for net in &self.addresses {
            if let IpNet::V6(net) = net {
                if net.contains(&target) {
                    return net.addr();
                }
                first = first.or_else(|| Some(net.addr()));
            }
        }
        first.unwrap_or_else(|| link_local(self.mac))
    }
}

/// `fe80::` with the modified EUI-64 of a MAC address (RFC 4291 appendix A).
pub(super) const fn link_local(mac: MacAddr) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.0;
    Ipv6Addr::new(
        0xfe80,
        0,
        0,
        0,
        u16::from_be_bytes([a ^ 2, b]),
        u16::from_be_bytes([c, 0xff]),
        u16::from_be_bytes([0xfe, d]),
        u16::from_be_bytes([e, f]),
    )
}

/// A routing table.
#[derive(Debug)]
pub(super) struct TableState {
    pub(super) name: VrfName,
    pub(super) fib: Fib,
    pub(super) symmetric: bool,
}

/// A policer with its name.
#[derive(Debug)]
pub(super) struct PolicerState {
    pub(super) name: String,
    pub(super) bucket: TokenBucket,
}
