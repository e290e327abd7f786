//! Routers of the user's own, as their ports show them.

use skybridge_blueprint::{External, NodeKind, NodeName};
use skybridge_diagnose as seen;
use skybridge_wire::flow::PacketInfo;
use skybridge_wire::tcp::TcpFlags;
use skybridge_wire::{EtherType, bfd, ethernet, flow, protocol};
use skybridge_world::CaptureDirection;

use super::carried::tag_words;
use super::watch::Watch;
use crate::lab::Lab;

/// ICMP type of an echo reply (RFC 792).
const ECHO_REPLY: u8 = 0;

/// What a router of the user's own has shown; `None` for every other node.
pub(super) fn seen(lab: &Lab, watch: &Watch, name: &NodeName) -> Option<seen::Attached> {
    let node = lab.network.compiled.blueprint.nodes.get(name)?;
    match &node.kind {
        NodeKind::External(external) => match &**external {
            External::Attached(_) => {}
            External::Namespace(_) => return None,
        },
        NodeKind::Router(_) | NodeKind::Host(_) | NodeKind::Switch(_) => return None,
    }
    let missing = lab.outside.failures().find(|(failed, _)| *failed == name);
    let mut shown = seen::Attached {
        missing: missing.map(|(_, why)| why.to_owned()),
        ..seen::Attached::default()
    };
    let outside = (name.clone(), External::OUTSIDE.into());
    for frame in watch
        .seen
        .get(&outside)
        .into_iter()
        .flat_map(|take| &take.frames)
    {
        if frame.direction == CaptureDirection::In {
            sent(lab, watch, &frame.bytes, &mut shown);
        } else if let Ok(view) = ethernet::parse(&frame.bytes) {
            let tags = tag_words(view.tags());
            *shown.handed_with.entry(tags).or_default() += 1;
        }
    }
    Some(shown)
}

/// Counts a frame that it sent.
fn sent(lab: &Lab, watch: &Watch, frame: &[u8], shown: &mut seen::Attached) {
    shown.sent += 1;
    let Ok(view) = ethernet::parse(frame) else {
        return;
    };
    // Stations say all kinds of things that have nothing to do with this path, such as IPv6's.
    if !matches!(view.ethertype(), EtherType::ARP | EtherType::IPV4) {
        return;
    }
    *shown.sent_with.entry(tag_words(view.tags())).or_default() += 1;
    let Ok(info) = flow::parse(view.payload()) else {
        return;
    };
    let is_bfd = info.protocol == protocol::UDP && info.dst_port == bfd::SINGLE_HOP_PORT;
    shown.bfd_sent += u64::from(is_bfd);
    let asking = lab.network.compiled.index.hosts.get(&watch.from);
    let is_between = info.src == watch.to.address && asking.is_some_and(|h| h.address == info.dst);
    shown.answers += u64::from(is_between && is_answer(&info));
}

/// The first packet of an answer.
fn is_answer(info: &PacketInfo) -> bool {
    let is_echo_reply = info.icmp.is_some_and(|(kind, _)| kind == ECHO_REPLY);
    let flags = info.tcp_flags;
    is_echo_reply || flags.contains(TcpFlags::SYN) || flags.contains(TcpFlags::RST)
}
