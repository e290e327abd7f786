//! Read-only looks at a world, and captures.

use std::collections::BTreeMap;

use skybridge_blueprint::{Blueprint, LinkName, NodeName};

use crate::capture::{Capture, CaptureId, CapturePoint, CaptureTake};
use crate::command::{CommandError, CutMode, Element, TagFault};
use crate::link::{LinkDrop, LinkState};
use crate::slot::Buildable;
use crate::world::World;

/// One direction of a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectionView {
    /// Frames delivered.
    pub frames: u64,
    /// Octets delivered, from destination address to the end of the payload.
    pub bytes: u64,
    /// Frames lost, by reason; reasons that never occurred are absent.
    pub drops: BTreeMap<LinkDrop, u64>,
    /// Frames under way, queued ones included.
    pub in_flight: usize,
    /// Octets waiting to be serialised.
    pub queued_bytes: u64,
}

/// A link as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkView {
    /// The `a` end sees it up.
    pub a_up: bool,
    /// The `b` end sees it up.
    pub b_up: bool,
    /// The cuts that name it, one of its ports, or a circuit on it.
    pub faults: Vec<(Element, CutMode)>,
    /// Tags that the provider changes.
    pub tag_faults: Vec<TagFault>,
    /// From `a` to `b`.
    pub a_to_b: DirectionView,
    /// From `b` to `a`.
    pub b_to_a: DirectionView,
}

impl<N: Buildable> World<N> {
    /// What the world was last told to be.
    #[must_use]
    pub fn blueprint(&self) -> &Blueprint {
        &self.blueprint
    }

    /// A running node; `None` when there is none of this name or it is stopped.
    #[must_use]
    pub fn node(&self, name: &NodeName) -> Option<&N> {
        let index = self.node_index.get(name)?;
        self.slot(*index)?.node.as_ref()
    }

    /// Everything that is cut, and how.
    pub fn faults(&self) -> impl Iterator<Item = (&Element, &CutMode)> {
        self.faults.iter()
    }

    /// A link as it is.
    #[must_use]
    pub fn link_state(&self, name: &LinkName) -> Option<LinkView> {
        let link = self.link(*self.link_index.get(name)?)?;
        let concerns = |element: &Element| match element {
            Element::Node(_) | Element::Session { .. } => false,
            Element::Link(link) | Element::Circuit { link, .. } => link == name,
            Element::Port { node, port } => [0, 1].into_iter().any(|side| {
                let end = link.sender(side);
                end.node == *node && end.port == *port
            }),
        };
        let direction = |side: usize| {
            let direction = &link.directions[side];
            DirectionView {
                frames: direction.frames,
                bytes: direction.bytes,
                drops: direction.drops.clone(),
                in_flight: direction.in_flight(),
                queued_bytes: direction.queued_bytes(self.now, link.properties.rate_bps),
            }
        };
        Some(LinkView {
            a_up: link.seen_up[0],
            b_up: link.seen_up[1],
            faults: self
                .faults
                .iter()
                .filter(|(element, _)| concerns(element))
                .map(|(element, mode)| (element.clone(), mode.clone()))
                .collect(),
            tag_faults: link.tag_faults.clone(),
            a_to_b: direction(0),
            b_to_a: direction(1),
        })
    }

    /// Starts capturing at `point`, at most `frames_max` frames between two takes.
    ///
    /// # Errors
    /// When there is no such link or node. A port name is not checked: it may appear later.
    pub fn start_capture(
        &mut self,
        point: CapturePoint,
        frames_max: usize,
    ) -> Result<CaptureId, CommandError> {
        match &point {
            CapturePoint::Link(link) | CapturePoint::Circuit { link, .. } => {
                if !self.link_index.contains_key(link) {
                    return Err(CommandError::UnknownLink(link.clone()));
                }
            }
            CapturePoint::Port { node, .. } => {
                if !self.node_index.contains_key(node) {
                    return Err(CommandError::UnknownNode(node.clone()));
                }
            }
        }
        self.rewired();
        self.captures_made += 1;
        let id = CaptureId(self.captures_made);
        self.captures.insert(id, Capture::new(point, frames_max));
        Ok(id)
    }

    /// What a capture holds so far; it goes on, empty. `None` when it does not run.
    pub fn take_capture(&mut self, id: CaptureId) -> Option<CaptureTake> {
        self.take_capture_part(id, usize::MAX)
    }

    /// The oldest frames of a capture, at most `octets_max` octets of them but at least one frame.
    /// `None` when it does not run.
    pub fn take_capture_part(&mut self, id: CaptureId, octets_max: usize) -> Option<CaptureTake> {
        self.captures.get_mut(&id).map(|c| c.take(octets_max))
    }

    /// A capture holds frames, or has missed some, since the last take.
    #[must_use]
    pub fn has_capture_news(&self, id: CaptureId) -> bool {
        self.captures.get(&id).is_some_and(Capture::has_news)
    }

    /// Ends a capture and gives what it holds. `None` when it does not run.
    pub fn stop_capture(&mut self, id: CaptureId) -> Option<CaptureTake> {
        let mut capture = self.captures.remove(&id)?;
        self.rewired();
        Some(capture.take(usize::MAX))
    }

    pub(crate) fn link_named_mut(&mut self, name: &LinkName) -> Option<&mut LinkState> {
        let index = *self.link_index.get(name)?;
        self.links.get_mut(index.0 as usize)?.as_mut()
    }
}
