//! Ports with a world outside: a TAP device, a network card, another speaker under test.

use skybridge_blueprint::{External, NodeKind, NodeName, PortName};
use skybridge_nodes::{OUTSIDE, PortIndex};
use skybridge_wire::Frame;

use crate::capture::CaptureDirection;
use crate::command::CommandError;
use crate::slot::{Attachment, Buildable, NodeIndex};
use crate::world::World;

/// Frames waiting for [`World::poll_external`]; beyond, the newest is dropped and counted.
pub const EXTERNAL_FRAMES_MAX: usize = 1 << 16;

/// A frame that left through an external port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExternalFrame {
    /// The node that sent it.
    pub node: NodeName,
    /// Through this port.
    pub port: PortName,
    /// The frame.
    pub frame: Frame,
}

/// An external port by number, for drivers that move many frames. Good until its node goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ExternalPort(NodeIndex, PortIndex);

impl<N: Buildable> World<N> {
    /// Opens a port without link to the outside: the node sees it up, frames sent there come out of
    /// [`World::poll_external`], and [`World::inject`] hands frames in. A world that was opened
    /// cannot be replayed, since its log lacks what came in.
    ///
    /// # Errors
    /// When there is no such port, or it has a link.
    pub fn open_external(&mut self, node: &NodeName, port: &PortName) -> Result<(), CommandError> {
        let index = self.port_owner(node, port)?;
        if self.link_on(node, port).is_some() {
            return Err(CommandError::PortLinked {
                node: node.clone(),
                port: port.clone(),
            });
        }
        self.log.missing += 1;
        let Some(slot) = self.slot_mut(index) else {
            return Ok(());
        };
        if !slot.external.contains(port) {
            slot.external.push(port.clone());
            self.raise_external(index, port);
        }
        Ok(())
    }

    /// Shows an external port to its node as up, when the node runs.
    pub(crate) fn raise_external(&mut self, index: NodeIndex, port: &PortName) {
        if let Some(slot) = self.slot_mut(index)
            && let Some(port) = slot.node.as_ref().and_then(|n| n.port_index(port))
            && slot.attachment(port) == Attachment::Open
        {
            slot.attach(port, Attachment::External);
            self.rewired();
            self.visit(index, |node, now, out| {
                node.handle_link(now, port, true, out);
            });
        }
    }

    /// The side towards the world outside of a running node that is external as a whole.
    pub(crate) fn raise_outside(&mut self, index: NodeIndex) {
        let Some(slot) = self.slot(index) else {
            return;
        };
        let kind = self.blueprint.nodes.get(&slot.name).map(|node| &node.kind);
        if matches!(kind, Some(NodeKind::External(_)))
            && let Some(slot) = self.slot_mut(index)
        {
            slot.attach(OUTSIDE, Attachment::External);
            self.rewired();
        }
    }

    /// The number of an external port: one that was opened, or the outside of a node that is external as a
    /// whole ([`External::OUTSIDE`]).
    ///
    /// # Errors
    /// When the port is not external; one that was opened also when its node does not run.
    pub fn external_port(
        &self,
        node: &NodeName,
        port: &PortName,
    ) -> Result<ExternalPort, CommandError> {
        let index = self.port_owner(node, port)?;
        if self.is_outside(node, port) {
            return Ok(ExternalPort(index, OUTSIDE));
        }
        let running = self
            .slot(index)
            .and_then(|slot| Some((slot, slot.node.as_ref()?)));
        let Some((slot, running)) = running else {
            return Err(CommandError::NodeStopped(node.clone()));
        };
        running
            .port_index(port)
            .filter(|port| slot.attachment(*port) == Attachment::External)
            .map(|port| ExternalPort(index, port))
            .ok_or_else(|| CommandError::UnknownElement(format!("external port {node}/{port}")))
    }

    /// Hands in frames that came from outside at an external port, now; `frames` is drained.
    ///
    /// # Errors
    /// When the port is not external or its node does not run; the frames are dropped.
    pub fn inject(
        &mut self,
        node: &NodeName,
        port: &PortName,
        frames: &mut Vec<Frame>,
    ) -> Result<(), CommandError> {
        let accepted = self.external_port(node, port);
        if let Ok(port) = accepted {
            self.inject_at(port, frames);
        }
        frames.clear();
        accepted.map(|_| ())
    }

    /// As [`World::inject`]. Frames for a port whose node has stopped or gone are dropped.
    pub fn inject_at(&mut self, port: ExternalPort, frames: &mut Vec<Frame>) {
        let ExternalPort(index, port) = port;
        let attachment = self.slot(index).map(|slot| slot.attachment(port));
        if attachment != Some(Attachment::External) {
            frames.clear();
            return;
        }
        self.is_fed = true;
        if !self.has_stand_in_for(index) {
            self.log.missing += 1;
        }
        if !self.captures.is_empty() {
            for frame in &*frames {
                self.capture_port(index, port, CaptureDirection::In, frame);
            }
        }
        if self.running(index).is_some_and(N::is_transit) {
            for frame in frames.drain(..) {
                self.pass_on(index, port, frame, &mut None);
            }
            return;
        }
        self.visit(index, |node, now, out| {
            node.handle_frames(now, port, frames, out);
        });
        frames.clear();
    }

    /// Whether a twin does without what comes in here: it is a node's whole other side, which a stand-in
    /// replaces there.
    fn has_stand_in_for(&self, index: NodeIndex) -> bool {
        self.slot(index)
            .is_some_and(|slot| slot.external.is_empty())
    }

    /// The next frame that left through an external port.
    pub fn poll_external(&mut self) -> Option<ExternalFrame> {
        loop {
            let (ExternalPort(from, port), frame) = self.external.pop_front()?;
            let Some(slot) = self.slot(from) else {
                continue;
            };
            let runs_here = |name: &&PortName| {
                slot.node.as_ref().and_then(|n| n.port_index(name)) == Some(port)
            };
            let opened = slot.external.iter().find(runs_here).cloned();
            return Some(ExternalFrame {
                node: slot.name.clone(),
                port: opened.unwrap_or_else(|| External::OUTSIDE.into()),
                frame,
            });
        }
    }

    /// Moves every frame that has left through an external port to the end of `frames`, in order.
    pub fn drain_external(&mut self, frames: &mut Vec<(ExternalPort, Frame)>) {
        frames.extend(self.external.drain(..));
    }

    /// Frames dropped because nobody polled them.
    #[must_use]
    pub const fn external_lost(&self) -> u64 {
        self.external_lost
    }

    pub(crate) fn emit_external(&mut self, from: NodeIndex, port: PortIndex, frame: Frame) {
        if self.external.len() >= EXTERNAL_FRAMES_MAX {
            self.external_lost += 1;
            return;
        }
        self.external.push_back((ExternalPort(from, port), frame));
    }

    fn is_outside(&self, node: &NodeName, port: &PortName) -> bool {
        let kind = self.blueprint.nodes.get(node).map(|node| &node.kind);
        matches!(kind, Some(NodeKind::External(_))) && port.as_str() == External::OUTSIDE
    }

    fn port_owner(&self, node: &NodeName, port: &PortName) -> Result<NodeIndex, CommandError> {
        let (Some(&index), Some(described)) =
            (self.node_index.get(node), self.blueprint.nodes.get(node))
        else {
            return Err(CommandError::UnknownNode(node.clone()));
        };
        if self.is_outside(node, port) || described.kind.has_port(port) {
            Ok(index)
        } else {
            Err(CommandError::UnknownElement(format!("port {node}/{port}")))
        }
    }
}
