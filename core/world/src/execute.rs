//! Carrying out commands.

use std::time::Duration;

use skybridge_blueprint::{Endpoint, NodeKind, NodeName, PortName};
use skybridge_nodes::HostCommand;

use crate::command::{Command, CommandError, CutMode, Element, Logged, TagFault};
use crate::event::WorldEventKind;
use crate::link::LinkIndex;
use crate::slot::{Buildable, NodeIndex};
use crate::world::World;

/// How long a node that is cut in mode `admin` still runs, so that its BGP notifications arrive.
pub const ADMIN_GRACE: Duration = Duration::from_secs(1);

impl<N: Buildable> World<N> {
    /// Carries out a command now and records it.
    ///
    /// # Errors
    /// When the command names something that is not there or cannot fail so; nothing has changed.
    pub fn command(&mut self, command: Command) -> Result<(), CommandError> {
        self.validate(&command)?;
        self.record(Logged::Command(command.clone()));
        if !matches!(command, Command::Host { .. }) {
            self.rewired();
        }
        match command {
            Command::Cut { element, mode } => self.cut(element, mode),
            Command::Heal {
                element: Some(element),
            } => self.heal(&element),
            Command::Heal { element: None } => {
                let all: Vec<Element> = self.faults.keys().cloned().collect();
                for element in all {
                    self.heal(&element);
                }
            }
            Command::Host { node, command } => {
                if let Some(&index) = self.node_index.get(&node) {
                    self.visit(index, |node, now, out| {
                        node.command(now, command, out);
                    });
                }
            }
            Command::Ping { node, ping } => {
                if let Some(&index) = self.node_index.get(&node) {
                    self.visit(index, |node, now, out| {
                        node.ping(now, &ping, out);
                    });
                }
            }
            Command::Crash { node } => self.cut(Element::Node(node), CutMode::LinkDown),
            Command::Restart { node } => {
                let element = Element::Node(node.clone());
                if self.faults.contains_key(&element) {
                    self.heal(&element);
                } else if let Some(&index) = self.node_index.get(&node) {
                    self.restart_node(index);
                }
            }
            Command::SetTagFault { link, fault } => self.set_tag_fault(&link, fault),
            Command::ClearTagFaults { link } => {
                if let Some(link) = self.link_named_mut(&link) {
                    link.tag_faults.clear();
                }
            }
            Command::SetCarrierFault {
                node,
                cross_connect,
                fault,
            } => self.set_carrier_fault(node, cross_connect, fault),
            Command::ClearCarrierFaults {
                node,
                cross_connect,
            } => self.clear_carrier_faults(node, cross_connect),
        }
        Ok(())
    }

    /// Tells a host what the world outside does with a connection that crosses the border. As
    /// [`World::command`], but the log does not hold it: the bytes of a day would fill it, and a twin does
    /// without the world outside. A log of a world with such connections is repeated by its times.
    ///
    /// # Errors
    /// When the node is no host or does not run.
    pub fn carry(&mut self, node: &NodeName, command: HostCommand) -> Result<(), CommandError> {
        self.validate_host(node)?;
        self.log.carried = true;
        if let Some(&index) = self.node_index.get(node) {
            self.visit(index, |node, now, out| {
                node.command(now, command, out);
            });
        }
        Ok(())
    }

    fn validate(&self, command: &Command) -> Result<(), CommandError> {
        match command {
            Command::Cut { element, mode } => self.validate_cut(element, mode),
            Command::Heal { element: None } => Ok(()),
            Command::Heal {
                element: Some(element),
            } => {
                if self.faults.contains_key(element) {
                    Ok(())
                } else {
                    Err(CommandError::NotCut(element.to_string()))
                }
            }
            Command::Host { node, .. } => self.validate_host(node),
            Command::Ping { node, .. } | Command::Crash { node } | Command::Restart { node } => {
                self.known_node(node).map(|_| ())
            }
            Command::SetTagFault { link, .. } => self.known_link(link).map(|_| ()),
            Command::ClearTagFaults { link } => {
                let index = self.known_link(link)?;
                if self.link(index).is_some_and(|l| l.tag_faults.is_empty()) {
                    return Err(CommandError::NotCut(format!("tags on {link}")));
                }
                Ok(())
            }
            Command::SetCarrierFault {
                node,
                cross_connect,
                ..
            } => self.known_cross_connect(node, cross_connect),
            Command::ClearCarrierFaults {
                node,
                cross_connect,
            } => self.validate_clear(node, cross_connect),
        }
    }

    fn validate_host(&self, node: &NodeName) -> Result<(), CommandError> {
        let index = self.known_node(node)?;
        let described = self.blueprint.nodes.get(node);
        if described.is_none_or(|n| n.as_host().is_none()) {
            return Err(CommandError::NotAHost(node.clone()));
        }
        if self.slot(index).is_none_or(|slot| slot.node.is_none()) {
            return Err(CommandError::NodeStopped(node.clone()));
        }
        Ok(())
    }

    pub(crate) fn validate_cut(
        &self,
        element: &Element,
        mode: &CutMode,
    ) -> Result<(), CommandError> {
        let refused = || CommandError::ModeNotApplicable {
            element: element.to_string(),
            mode: mode.label(),
        };
        let index = match element {
            Element::Node(node) => {
                self.known_node(node)?;
                return match mode {
                    CutMode::LinkDown | CutMode::Silent | CutMode::Admin => Ok(()),
                    CutMode::OneWay { .. } | CutMode::Session => Err(refused()),
                };
            }
            Element::Session {
                node,
                instance,
                peer,
            } => {
                self.known_node(node)?;
                if !self.has_session(node, instance, peer) {
                    return Err(CommandError::UnknownElement(element.to_string()));
                }
                return match mode {
                    CutMode::Session => Ok(()),
                    CutMode::LinkDown
                    | CutMode::Silent
                    | CutMode::Admin
                    | CutMode::OneWay { .. } => Err(refused()),
                };
            }
            Element::Link(link) => self.known_link(link)?,
            Element::Port { node, port } => {
                self.known_node(node)?;
                self.link_on(node, port)
                    .ok_or_else(|| CommandError::UnknownElement(element.to_string()))?
            }
            Element::Circuit { link, .. } => {
                let index = self.known_link(link)?;
                if matches!(mode, CutMode::LinkDown | CutMode::Admin) {
                    return Err(refused());
                }
                index
            }
        };
        match mode {
            CutMode::LinkDown | CutMode::Silent | CutMode::Admin => Ok(()),
            CutMode::OneWay { towards } => {
                let known = self.link(index).is_some_and(|link| {
                    [0, 1].into_iter().any(|s| link.sender(s).node == *towards)
                });
                if known {
                    Ok(())
                } else {
                    Err(CommandError::UnknownElement(format!(
                        "end {towards} of {element}"
                    )))
                }
            }
            CutMode::Session => Err(refused()),
        }
    }

    fn has_session(&self, node: &NodeName, instance: &str, peer: &str) -> bool {
        self.blueprint
            .nodes
            .get(node)
            .and_then(skybridge_blueprint::Node::as_router)
            .and_then(|router| router.bgp.get(instance))
            .is_some_and(|bgp| bgp.peers.contains_key(peer))
    }

    pub(crate) fn known_node(&self, node: &NodeName) -> Result<NodeIndex, CommandError> {
        self.node_index
            .get(node)
            .copied()
            .ok_or_else(|| CommandError::UnknownNode(node.clone()))
    }

    fn known_link(&self, link: &skybridge_blueprint::LinkName) -> Result<LinkIndex, CommandError> {
        self.link_index
            .get(link)
            .copied()
            .ok_or_else(|| CommandError::UnknownLink(link.clone()))
    }

    /// The link on a port.
    pub(crate) fn link_on(&self, node: &NodeName, port: &PortName) -> Option<LinkIndex> {
        let end = Endpoint {
            node: node.clone(),
            port: port.clone(),
        };
        let mut links = self.blueprint.links.iter();
        let (name, _) = links.find(|(_, link)| link.a == end || link.b == end)?;
        self.link_index.get(name).copied()
    }

    fn cut(&mut self, element: Element, mode: CutMode) {
        self.report(
            None,
            WorldEventKind::Cut {
                element: element.clone(),
                mode: mode.clone(),
            },
        );
        self.forget_grace(&element);
        if let Element::Node(node) = &element
            && mode == CutMode::Admin
        {
            self.graces.insert((self.now + ADMIN_GRACE, node.clone()));
        }
        self.faults.insert(element.clone(), mode);
        self.refresh_element(&element);
    }

    fn heal(&mut self, element: &Element) {
        if self.faults.remove(element).is_none() {
            return;
        }
        self.forget_grace(element);
        let healed = element.clone();
        self.report(None, WorldEventKind::Healed { element: healed });
        self.refresh_element(element);
    }

    fn forget_grace(&mut self, element: &Element) {
        if let Element::Node(node) = element {
            self.graces.retain(|(_, name)| name != node);
            self.admin_down.remove(node);
        }
    }

    pub(crate) fn end_grace(&mut self) {
        if let Some((_, node)) = self.graces.pop_first()
            && let Some(&index) = self.node_index.get(&node)
        {
            self.admin_down.insert(node);
            self.refresh_node(index);
        }
    }

    /// Brings whatever the fault of `element` touches in line with it.
    fn refresh_element(&mut self, element: &Element) {
        match element {
            Element::Node(node) => {
                if let Some(&index) = self.node_index.get(node) {
                    self.refresh_node(index);
                    self.refresh_spec(node);
                }
            }
            Element::Link(link) | Element::Circuit { link, .. } => {
                if let Some(&index) = self.link_index.get(link) {
                    self.refresh_link(index);
                }
            }
            Element::Port { node, port } => {
                if let Some(index) = self.link_on(node, port) {
                    self.refresh_link(index);
                }
            }
            Element::Session { node, .. } => self.refresh_spec(node),
        }
    }

    /// Hands a router or switch its description again, since what is disabled or wrong in it may have
    /// changed.
    pub(crate) fn refresh_spec(&mut self, node: &NodeName) {
        if let Some(spec @ (NodeKind::Router(_) | NodeKind::Switch(_))) = self.effective_spec(node)
            && let Some(&index) = self.node_index.get(node)
        {
            self.visit(index, |node, now, out| node.reconfigure(now, &spec, out));
        }
    }

    fn set_tag_fault(&mut self, link: &skybridge_blueprint::LinkName, fault: TagFault) {
        if let Some(link) = self.link_named_mut(link) {
            link.tag_faults
                .retain(|f| f.level != fault.level || f.from != fault.from);
            link.tag_faults.push(fault);
        }
    }
}
