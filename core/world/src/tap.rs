//! What captures see.

use skybridge_nodes::PortIndex;
use skybridge_wire::Frame;

use crate::capture::{CaptureDirection, CapturePoint};
use crate::link::LinkIndex;
use crate::slot::{Buildable, NodeIndex};
use crate::world::World;

impl<N: Buildable> World<N> {
    /// Shows a frame that a link delivered to the captures there.
    pub(crate) fn capture_delivery(&mut self, index: LinkIndex, side: usize, frame: &Frame) {
        let Some(link) = self.links.get(index.0 as usize).and_then(Option::as_ref) else {
            return;
        };
        let (to, now) = (link.receiver(side), self.now);
        for capture in self.captures.values_mut() {
            let direction = match &capture.point {
                CapturePoint::Link(name) | CapturePoint::Circuit { link: name, .. }
                    if *name == link.name =>
                {
                    if side == 0 {
                        CaptureDirection::AToB
                    } else {
                        CaptureDirection::BToA
                    }
                }
                CapturePoint::Port { node, port } if *node == to.node && *port == to.port => {
                    CaptureDirection::In
                }
                CapturePoint::Link(_)
                | CapturePoint::Circuit { .. }
                | CapturePoint::Port { .. } => continue,
            };
            capture.add(now, direction, frame);
        }
    }

    /// Shows a frame that a port sent, or took from outside, to the captures there.
    pub(crate) fn capture_port(
        &mut self,
        at: NodeIndex,
        port: PortIndex,
        direction: CaptureDirection,
        frame: &Frame,
    ) {
        let Some(slot) = self.slots.get(at.0 as usize).and_then(Option::as_ref) else {
            return;
        };
        let now = self.now;
        for capture in self.captures.values_mut() {
            let CapturePoint::Port { node, port: name } = &capture.point else {
                continue;
            };
            let here = *node == slot.name
                && slot.node.as_ref().and_then(|n| n.port_index(name)) == Some(port);
            if here {
                capture.add(now, direction, frame);
            }
        }
    }

    /// Whether some capture would see a frame on a link, on its way out of one port or into the other.
    pub(crate) fn is_captured(&self, index: LinkIndex) -> bool {
        let Some(link) = self.link(index) else {
            return false;
        };
        self.captures.values().any(|capture| match &capture.point {
            CapturePoint::Link(name) | CapturePoint::Circuit { link: name, .. } => {
                *name == link.name
            }
            CapturePoint::Port { node, port } => [0, 1].into_iter().any(|side| {
                let end = link.sender(side);
                end.node == *node && end.port == *port
            }),
        })
    }
}
