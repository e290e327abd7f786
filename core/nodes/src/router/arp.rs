//! Address resolution: ARP (RFC 826) and neighbour discovery (RFC 4861), one state machine for both.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use skybridge_base::{Instant, MacAddr};
use skybridge_dataplane::InterfaceIndex;
use skybridge_wire::arp::{ArpOperation, ArpRepr};
use skybridge_wire::nd::NdRepr;
use skybridge_wire::{EtherType, Frame, arp, flow, ipv6, nd};

use super::Router;
use super::neighbours::{HOLD_DOWN, QUEUE_MAX, REQUESTS_MAX, RETRANSMIT, State, Waiting};
use super::trace::{Refusal, Transit};
use crate::{DropReason, Hop, HopVerdict, NodeEvent, Outbox};

impl Router {
    /// An ARP packet that came in on `index` from the station `src`.
    pub(super) fn on_arp(
        &mut self,
        now: Instant,
        index: InterfaceIndex,
        src: MacAddr,
        packet: &[u8],
        out: &mut Outbox,
    ) {
        let Ok(packet) = arp::parse(packet) else {
            self.drops.add(DropReason::Malformed);
            return;
        };
        let sender = IpAddr::V4(packet.sender_ip);
        if self.is_duplicate(index, sender, packet.sender_mac, out) {
            return;
        }
        let target = IpAddr::V4(packet.target_ip);
        let for_us = self.interface(index).owns(target);
        let answers = packet.operation == ArpOperation::Request
            && !packet.is_gratuitous()
            && (for_us || self.proxies(index, target));
        // RFC 826 "Packet Reception": update what is known; add only when the packet is for us.
        let is_station = !packet.sender_mac.is_group()
            && packet.sender_mac == src
            && !packet.sender_ip.is_unspecified()
            && !packet.sender_ip.is_multicast()
            && !packet.sender_ip.is_broadcast();
        if is_station {
            self.learn(
                now,
                index,
                sender,
                packet.sender_mac,
                for_us || answers,
                out,
            );
        }
        if answers {
            let reply = packet.reply(self.interface(index).mac);
            let to = packet.sender_mac;
            self.emit_raw(index, to, EtherType::ARP, &reply.to_bytes(), out);
        }
    }

    /// A solicitation or advertisement that came in on `index`.
    pub(super) fn on_nd(
        &mut self,
        now: Instant,
        index: InterfaceIndex,
        packet: &[u8],
        out: &mut Outbox,
    ) {
        let (Ok(message), Ok(view)) = (nd::parse(packet), ipv6::parse(packet)) else {
            self.drops.add(DropReason::Malformed);
            return;
        };
        let src = IpAddr::V6(view.src());
        match message {
            NdRepr::Solicitation { target, source_mac } => {
                let wanted = IpAddr::V6(target);
                let interface = self.interface(index);
                let own_link_local = super::state::link_local(interface.mac) == target;
                let answers =
                    interface.owns(wanted) || own_link_local || self.proxies(index, wanted);
                if !answers {
                    return;
                }
                if let Some(mac) = source_mac.filter(|mac| !mac.is_group())
                    && !view.src().is_unspecified()
                {
                    self.learn(now, index, src, mac, true, out);
                }
                self.advertise(index, target, view.src(), source_mac, out);
            }
            NdRepr::Advertisement {
                target, target_mac, ..
            } => {
                let Some(mac) = target_mac.filter(|mac| !mac.is_group()) else {
                    return;
                };
                let target = IpAddr::V6(target);
                if !self.is_duplicate(index, target, mac, out) {
                    self.learn(now, index, target, mac, false, out);
                }
            }
        }
    }

    /// Answers a solicitation (RFC 4861 §7.2.4).
    fn advertise(
        &mut self,
        index: InterfaceIndex,
        target: Ipv6Addr,
        asker: Ipv6Addr,
        asker_mac: Option<MacAddr>,
        out: &mut Outbox,
    ) {
        const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
        let solicited = !asker.is_unspecified();
        let mac = self.interface(index).mac;
        let message = NdRepr::Advertisement {
            target,
            router: true,
            solicited,
            overriding: self.interface(index).owns(IpAddr::V6(target)),
            target_mac: Some(mac),
        };
        let (to, to_mac) = match (solicited, asker_mac) {
            (true, Some(asker_mac)) => (asker, asker_mac),
            (true, None) => return,
            (false, _) => (ALL_NODES, nd::multicast_mac(ALL_NODES)),
        };
        let packet = message.packet(target, to);
        self.emit_raw(index, to_mac, EtherType::IPV6, &packet, out);
    }

    /// Reports another station with one of our addresses (RFC 5227 §2.4).
    fn is_duplicate(
        &self,
        index: InterfaceIndex,
        address: IpAddr,
        mac: MacAddr,
        out: &mut Outbox,
    ) -> bool {
        let interface = self.interface(index);
        let duplicate = interface.owns(address) && mac != interface.mac;
        if duplicate {
            out.events.push(NodeEvent::DuplicateAddress {
                interface: interface.name.clone(),
                address,
            });
        }
        duplicate
    }

    /// True when the interface answers for others and would not send packets for `target` back.
    fn proxies(&self, index: InterfaceIndex, target: IpAddr) -> bool {
        let interface = self.interface(index);
        interface.proxy_arp && self.egress_of(interface.table, target) != Some(index)
    }

    /// Takes over who has an address; adds it only when `add`. Waiting packets leave.
    fn learn(
        &mut self,
        now: Instant,
        index: InterfaceIndex,
        address: IpAddr,
        mac: MacAddr,
        add: bool,
        out: &mut Outbox,
    ) {
        let known = State::Known {
            mac,
            since: now,
            requests: 0,
        };
        let Some(at) = self.neighbours.find(index, address) else {
            if add {
                let _ = self.neighbours.add(now, index, address, known);
            }
            return;
        };
        self.neighbours.arm(at, None);
        let Some(entry) = self.neighbours.get_mut(at) else {
            return;
        };
        if !matches!(entry.state, State::Known { mac: old, .. } if old == mac) {
            entry.changed = now;
        }
        if let Some(State::Incomplete { queue, .. }) = self.neighbours.change(at, known) {
            for waiting in queue {
                self.emit(index, mac, waiting.frame, waiting.hop, out);
            }
        }
    }

    /// A packet whose neighbour is not freshly known: lets it wait, asks again or drops it.
    pub(super) fn resolve(
        &mut self,
        now: Instant,
        index: InterfaceIndex,
        address: IpAddr,
        frame: Frame,
        hop: Option<Box<Hop>>,
        out: &mut Outbox,
    ) {
        let waiting = Waiting { frame, hop };
        let Some(at) = self.neighbours.find(index, address) else {
            let state = State::Incomplete {
                requests: 1,
                queue: VecDeque::from([waiting]),
            };
            if let Some(at) = self.neighbours.add(now, index, address, state) {
                self.neighbours.arm(at, Some(now + RETRANSMIT));
                self.ask(index, address, None, out);
            } else {
                self.drops.add(DropReason::NeighbourUnresolved);
            }
            return;
        };
        let Some(entry) = self.neighbours.get_mut(at) else {
            return;
        };
        match &mut entry.state {
            State::Incomplete { queue, .. } => {
                if queue.len() < QUEUE_MAX {
                    queue.push_back(waiting);
                } else {
                    self.drop_waiting(now, DropReason::NeighbourQueueFull, waiting, out);
                }
            }
            State::Known { mac, requests, .. } => {
                // Old: keep using it, but ask its holder (RFC 1122 §2.3.2.1, unicast poll).
                let mac = *mac;
                if *requests == 0 {
                    *requests = 1;
                    self.neighbours.arm(at, Some(now + RETRANSMIT));
                    self.ask(index, address, Some(mac), out);
                }
                self.emit(index, mac, waiting.frame, waiting.hop, out);
            }
            State::Failed => {
                self.drop_waiting(now, DropReason::NeighbourUnresolved, waiting, out);
            }
        }
    }

    /// Drops a packet that waited, with its record and ICMP error.
    fn drop_waiting(
        &mut self,
        now: Instant,
        reason: DropReason,
        waiting: Waiting,
        out: &mut Outbox,
    ) {
        let Waiting { frame, hop } = waiting;
        let refusal = Refusal::from(reason);
        let ingress = hop.as_ref().and_then(|hop| hop.ingress.clone());
        if let Some(mut hop) = hop {
            hop.verdict = HopVerdict::Dropped {
                reason,
                detail: String::new(),
                unknown: false,
            };
            out.events.push(NodeEvent::Hop(hop));
        }
        if let Ok(info) = flow::parse(frame.l3()) {
            // Only a traced packet remembers where it entered; others are answered by the way their
            // source is reached, which is the same interface unless routing is asymmetric.
            let ingress = ingress
                .and_then(|name| self.interface_by_name.get(&name).copied())
                .or_else(|| self.entered_by(info.src));
            let transit = Transit::new(now, ingress, info, None);
            self.send_error(&transit, &refusal, &frame, out);
        }
        self.discard(reason, frame);
    }

    fn entered_by(&self, src: IpAddr) -> Option<InterfaceIndex> {
        let own = |i: &super::InterfaceState| i.alive && i.owns(src);
        if self.interfaces.iter().any(own) {
            return None;
        }
        (0_u16..)
            .zip(&self.tables)
            .find_map(|(at, _)| self.egress_of(skybridge_dataplane::TableIndex(at), src))
    }

    /// Sends a request: to everybody, or to the station that had the address.
    fn ask(
        &mut self,
        index: InterfaceIndex,
        address: IpAddr,
        to: Option<MacAddr>,
        out: &mut Outbox,
    ) {
        let interface = self.interface(index);
        let mac = interface.mac;
        match address {
            IpAddr::V4(target) => {
                // Without an own address the request is a probe, which is answered all the same.
                let own = interface.source_v4(target);
                let sender = own.unwrap_or(Ipv4Addr::UNSPECIFIED);
                let request = ArpRepr::request(mac, sender, target);
                let to = to.unwrap_or(MacAddr::BROADCAST);
                self.emit_raw(index, to, EtherType::ARP, &request.to_bytes(), out);
            }
            IpAddr::V6(target) => {
                let src = interface.source_v6(target);
                let group = nd::solicited_node(target);
                let message = NdRepr::Solicitation {
                    target,
                    source_mac: Some(mac),
                };
                let (dst, to) = match to {
                    Some(to) => (target, to),
                    None => (group, nd::multicast_mac(group)),
                };
                let packet = message.packet(src, dst);
                self.emit_raw(index, to, EtherType::IPV6, &packet, out);
            }
        }
    }

    pub(super) fn on_neighbour_timers(&mut self, now: Instant, out: &mut Outbox) {
        while let Some(at) = self.neighbours.pop_due(now) {
            let Some(entry) = self.neighbours.get_mut(at) else {
                continue;
            };
            let (index, address) = (entry.interface, entry.address);
            let (requests, to) = match &mut entry.state {
                State::Incomplete { requests, .. } => (requests, None),
                State::Known { mac, requests, .. } => {
                    let mac = *mac;
                    (requests, Some(mac))
                }
                State::Failed => {
                    self.neighbours.remove(at);
                    continue;
                }
            };
            if *requests < REQUESTS_MAX {
                *requests += 1;
                self.neighbours.arm(at, Some(now + RETRANSMIT));
                self.ask(index, address, to, out);
                continue;
            }
            entry.changed = now;
            let old = self.neighbours.change(at, State::Failed);
            self.neighbours.arm(at, Some(now + HOLD_DOWN));
            if let Some(State::Incomplete { queue, .. }) = old {
                for waiting in queue {
                    self.drop_waiting(now, DropReason::NeighbourUnresolved, waiting, out);
                }
            }
        }
    }

    /// Tells the link the own addresses (RFC 5227 §2.3, RFC 4861 §7.2.6).
    pub(super) fn announce_addresses(&mut self, index: InterfaceIndex, out: &mut Outbox) {
        let mac = self.interface(index).mac;
        for net in self.interface(index).addresses.clone() {
            match net {
                IpNet::V4(net) => {
                    let packet = ArpRepr::announcement(mac, net.addr()).to_bytes();
                    self.emit_raw(index, MacAddr::BROADCAST, EtherType::ARP, &packet, out);
                }
                IpNet::V6(net) => {
                    self.advertise(index, net.addr(), Ipv6Addr::UNSPECIFIED, None, out);
                }
            }
        }
    }

    /// Forgets who is on an interface; waiting packets are dropped.
    pub(super) fn forget_neighbours(
        &mut self,
        now: Instant,
        index: InterfaceIndex,
        out: &mut Outbox,
    ) {
        for entry in self.neighbours.remove_interface(index) {
            if let State::Incomplete { queue, .. } = entry.state {
                for waiting in queue {
                    self.drop_waiting(now, DropReason::LinkDown, waiting, out);
                }
            }
        }
    }
}
