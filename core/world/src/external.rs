//! Ports with a world outside: a TAP device, a network card, another speaker under test.

use skybridge_blueprint::{NodeKind, NodeName, PortName};
use skybridge_nodes::PortIndex;
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
            self.visit(index, |node, now, out| {
                node.handle_link(now, port, true, out);
            });
        }
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
        if let Ok((index, port)) = accepted {
            self.log.missing += 1;
            if !self.captures.is_empty() {
                for frame in &*frames {
                    self.capture_port(index, port, CaptureDirection::In, frame);
                }
            }
            self.visit(index, |node, now, out| {
                node.handle_frames(now, port, frames, out);
            });
        }
        frames.clear();
        accepted.map(|_| ())
    }

    /// The next frame that left through an external port.
    pub fn poll_external(&mut self) -> Option<ExternalFrame> {
        self.external.pop_front()
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
        let Some(slot) = self.slot(from) else {
            return;
        };
        let runs_here =
            |name: &&PortName| slot.node.as_ref().and_then(|n| n.port_index(name)) == Some(port);
        if let Some(name) = slot.external.iter().find(runs_here) {
            let frame = ExternalFrame {
                node: slot.name.clone(),
                port: name.clone(),
                frame,
            };
            self.external.push_back(frame);
        }
    }

    fn external_port(
        &self,
        node: &NodeName,
        port: &PortName,
    ) -> Result<(NodeIndex, PortIndex), CommandError> {
        let index = self.port_owner(node, port)?;
        let running = self
            .slot(index)
            .and_then(|slot| Some((slot, slot.node.as_ref()?)));
        let Some((slot, running)) = running else {
            return Err(CommandError::NodeStopped(node.clone()));
        };
        running
            .port_index(port)
            .filter(|port| slot.attachment(*port) == Attachment::External)
            .map(|port| (index, port))
            .ok_or_else(|| CommandError::UnknownElement(format!("external port {node}/{port}")))
    }

    fn port_owner(&self, node: &NodeName, port: &PortName) -> Result<NodeIndex, CommandError> {
        let (Some(&index), Some(described)) =
            (self.node_index.get(node), self.blueprint.nodes.get(node))
        else {
            return Err(CommandError::UnknownNode(node.clone()));
        };
        let known = match &described.kind {
            NodeKind::Router(router) => router.ports.contains_key(port),
            NodeKind::Host(host) => host.port == *port,
        };
        if known {
            Ok(index)
        } else {
            Err(CommandError::UnknownElement(format!("port {node}/{port}")))
        }
    }
}
