//! Services: connections from the world to servers outside it.

use std::collections::{BTreeMap, VecDeque};

use skybridge_blueprint::{Node, NodeName, ServiceKind};
use skybridge_nodes::{ConnectionId, HostCommand, NodeEvent, TestEcho};
use skybridge_world::{Command, World};

use crate::output::{BridgeId, BridgeInput, LabOutput};

/// Bytes held for a server that has not answered yet.
const HELD_MAX: usize = 64 * 1024;

#[derive(Debug)]
struct Bridge {
    node: NodeName,
    connection: ConnectionId,
    state: State,
    room: usize,
}

#[derive(Debug)]
enum State {
    Connecting(VecDeque<Vec<u8>>),
    Open,
    /// Nobody listens outside: the test echo answers.
    Echo(Box<TestEcho>),
}

/// All connections between services and servers.
#[derive(Debug, Default)]
pub(crate) struct Bridges {
    next: u64,
    open: BTreeMap<BridgeId, Bridge>,
    by_connection: BTreeMap<(NodeName, ConnectionId), BridgeId>,
}

impl Bridges {
    /// Looks at an event of a host; true when it was a bridge's.
    pub(crate) fn on_event(
        &mut self,
        world: &mut World,
        node: &NodeName,
        event: &NodeEvent,
        outputs: &mut VecDeque<LabOutput>,
    ) -> bool {
        match event {
            NodeEvent::ServiceAccepted { id, service, .. } => {
                self.accept(world, node, *id, service, outputs);
                true
            }
            NodeEvent::TcpReceived { id, bytes } => {
                self.received(world, (node.clone(), *id), bytes, outputs)
            }
            NodeEvent::TcpWritable { id, room } => {
                let bridge = self.find(&(node.clone(), *id));
                bridge.map(|b| b.room = *room).is_some()
            }
            NodeEvent::TcpClosed { id, .. } => {
                let key = (node.clone(), *id);
                let Some(bridge_id) = self.by_connection.remove(&key) else {
                    return false;
                };
                self.open.remove(&bridge_id);
                outputs.push_back(LabOutput::BridgeClose { id: bridge_id });
                true
            }
            NodeEvent::Bgp { .. }
            | NodeEvent::Bfd { .. }
            | NodeEvent::Route { .. }
            | NodeEvent::DuplicateAddress { .. }
            | NodeEvent::Hop(_)
            | NodeEvent::EchoReply { .. }
            | NodeEvent::EchoFailed { .. }
            | NodeEvent::TcpConnected { .. } => false,
        }
    }

    fn find(&mut self, key: &(NodeName, ConnectionId)) -> Option<&mut Bridge> {
        let id = self.by_connection.get(key)?;
        self.open.get_mut(id)
    }

    fn accept(
        &mut self,
        world: &World,
        node: &NodeName,
        connection: ConnectionId,
        service: &str,
        outputs: &mut VecDeque<LabOutput>,
    ) {
        let host = world.blueprint().nodes.get(node).and_then(Node::as_host);
        let found = host.and_then(|host| host.services.iter().find(|s| s.name == service));
        let target = found.and_then(|s| match &s.kind {
            ServiceKind::Bridge { target } => Some(target.clone()),
            ServiceKind::Echo => None,
        });
        self.next += 1;
        let id = BridgeId(self.next);
        let state = match &target {
            Some(_) => State::Connecting(VecDeque::new()),
            None => State::Echo(Box::new(TestEcho::new())),
        };
        if let Some(target) = target {
            outputs.push_back(LabOutput::BridgeOpen { id, target });
        }
        let bridge = Bridge {
            node: node.clone(),
            connection,
            state,
            room: 0,
        };
        self.open.insert(id, bridge);
        self.by_connection.insert((node.clone(), connection), id);
    }

    fn received(
        &mut self,
        world: &mut World,
        key: (NodeName, ConnectionId),
        bytes: &[u8],
        outputs: &mut VecDeque<LabOutput>,
    ) -> bool {
        let Some(id) = self.by_connection.get(&key).copied() else {
            return false;
        };
        let Some(bridge) = self.open.get_mut(&id) else {
            return false;
        };
        match &mut bridge.state {
            State::Open => outputs.push_back(LabOutput::BridgeData {
                id,
                bytes: bytes.to_vec(),
            }),
            State::Connecting(held) => {
                let total: usize = held.iter().map(Vec::len).sum();
                if total + bytes.len() > HELD_MAX {
                    tell(world, bridge, |id| HostCommand::TcpAbort { id });
                } else {
                    held.push_back(bytes.to_vec());
                }
            }
            State::Echo(echo) => {
                let answer = echo.handle(bytes);
                tell(world, bridge, |id| HostCommand::TcpSend {
                    id,
                    bytes: answer,
                });
            }
        }
        true
    }

    /// News from outside.
    pub(crate) fn input(
        &mut self,
        world: &mut World,
        id: BridgeId,
        input: BridgeInput,
        outputs: &mut VecDeque<LabOutput>,
    ) {
        let Some(bridge) = self.open.get_mut(&id) else {
            return;
        };
        match input {
            BridgeInput::Connected => {
                if let State::Connecting(held) = std::mem::replace(&mut bridge.state, State::Open) {
                    for bytes in held {
                        outputs.push_back(LabOutput::BridgeData { id, bytes });
                    }
                }
            }
            BridgeInput::Refused => {
                let mut echo = TestEcho::new();
                if let State::Connecting(held) = &bridge.state {
                    let answer: Vec<u8> = held.iter().flat_map(|b| echo.handle(b)).collect();
                    if !answer.is_empty() {
                        tell(world, bridge, |id| HostCommand::TcpSend {
                            id,
                            bytes: answer,
                        });
                    }
                }
                bridge.state = State::Echo(Box::new(echo));
            }
            BridgeInput::Data(bytes) => {
                bridge.room = bridge.room.saturating_sub(bytes.len());
                tell(world, bridge, |id| HostCommand::TcpSend { id, bytes });
            }
            BridgeInput::Closed => tell(world, bridge, |id| HostCommand::TcpClose { id }),
        }
    }

    /// Bytes that a connection can take from its server.
    pub(crate) fn room(&self, id: BridgeId) -> usize {
        self.open.get(&id).map_or(0, |b| b.room)
    }
}

/// Tells a bridge's host something; a host that has stopped has closed the connection already.
fn tell(world: &mut World, bridge: &Bridge, command: impl FnOnce(ConnectionId) -> HostCommand) {
    let command = Command::Host {
        node: bridge.node.clone(),
        command: command(bridge.connection),
    };
    let _stopped = world.command(command).err();
}

#[cfg(test)]
#[allow(clippy::wildcard_enum_match_arm, reason = "a test names what it wants")]
mod tests {
    use std::time::Duration;

    use skybridge_base::Instant;
    use skybridge_nodes::{ConnectionId, HostCommand, NodeEvent};
    use skybridge_world::{Command, WorldEventKind};

    use super::*;
    use crate::request::{Request, StackSource, UpRequest};
    use crate::{ClientId, Lab, LabConfig};

    /// The example up, in virtual time.
    fn lab() -> (Lab, Instant) {
        let mut lab = Lab::new(&LabConfig {
            seed: 1,
            secret_seed: 2,
            pace: skybridge_estate::Pace::Compressed,
            epoch: skybridge_base::WallTime(0),
            hosts: crate::Hosts::Internal,
            ceilings: true,
        });
        let files = [
            (
                "azure.tf",
                include_str!("../../../examples/azure-oci/azure.tf"),
            ),
            (
                "interconnect.tf",
                include_str!("../../../examples/azure-oci/interconnect.tf"),
            ),
            (
                "lab.sky.hcl",
                include_str!("../../../examples/azure-oci/lab.sky.hcl"),
            ),
            ("oci.tf", include_str!("../../../examples/azure-oci/oci.tf")),
            (
                "variables.tf",
                include_str!("../../../examples/azure-oci/variables.tf"),
            ),
            (
                "versions.tf",
                include_str!("../../../examples/azure-oci/versions.tf"),
            ),
        ];
        let source = StackSource {
            directory: "/example".to_owned(),
            files: files.map(|(n, t)| (n.to_owned(), t.to_owned())).into(),
            ..StackSource::default()
        };
        let up = UpRequest {
            stacks: vec![source],
            force: false,
            skip_simulation: true,
        };
        lab.request(Instant::ZERO, ClientId(1), Request::Up(up));
        let now = Instant::from_secs(20);
        lab.advance(now);
        while lab.poll_output().is_some() {}
        (lab, now)
    }

    /// PostgreSQL's startup message, protocol 3.0, user and database `app`.
    fn startup() -> Vec<u8> {
        let body = b"\x00\x03\x00\x00user\0app\0database\0app\0\0";
        let mut message = u32::try_from(body.len() + 4)
            .unwrap()
            .to_be_bytes()
            .to_vec();
        message.extend(body);
        message
    }

    /// A simple query message.
    fn query(text: &str) -> Vec<u8> {
        let mut message = vec![b'Q'];
        message.extend(u32::try_from(text.len() + 5).unwrap().to_be_bytes());
        message.extend(text.as_bytes());
        message.push(0);
        message
    }

    #[test]
    fn a_database_conversation_crosses_the_interconnect_through_a_service() {
        let (mut lab, now) = lab();
        let client = ConnectionId(1 << 40);
        let app = NodeName::from("app-0");
        let target = lab.network.compiled.index.hosts["db"].address;
        let tell = |lab: &mut Lab, command| {
            let node = app.clone();
            lab.network
                .world
                .command(Command::Host { node, command })
                .unwrap();
        };
        let open = HostCommand::TcpConnect {
            id: client,
            target,
            port: 1521,
            timeout: Duration::from_secs(3),
            trace: 0,
        };
        tell(&mut lab, open);
        let (mut connected, mut received, mut sent_query) = (false, Vec::new(), false);
        let mut outputs = VecDeque::new();
        for step in 1..400_u32 {
            lab.network
                .world
                .run_until(now + Duration::from_millis(5) * step);
            while let Some(event) = lab.network.world.poll_event() {
                let (Some(node), WorldEventKind::Node(event)) = (event.node, event.kind) else {
                    continue;
                };
                match &event {
                    NodeEvent::TcpConnected { id, .. } if *id == client => {
                        connected = true;
                        tell(
                            &mut lab,
                            HostCommand::TcpSend {
                                id: client,
                                bytes: startup(),
                            },
                        );
                    }
                    NodeEvent::TcpReceived { id, bytes } if *id == client => {
                        received.extend(bytes.clone());
                    }
                    other => {
                        let world = &mut lab.network.world;
                        lab.bridges.on_event(world, &node, other, &mut outputs);
                    }
                }
            }
            // Nobody listens outside: the labelled test echo answers.
            while let Some(output) = outputs.pop_front() {
                if let LabOutput::BridgeOpen { id, target } = output {
                    assert_eq!(target, "127.0.0.1:5432");
                    lab.bridge(now, id, BridgeInput::Refused);
                }
            }
            if !sent_query && received.windows(1).any(|w| w == b"Z") {
                sent_query = true;
                let bytes = query("SELECT 1");
                tell(&mut lab, HostCommand::TcpSend { id: client, bytes });
            }
        }
        assert!(connected);
        let text = String::from_utf8_lossy(&received);
        assert!(text.contains("skybridge-test-echo"), "{text:?}");
        assert!(text.contains("skybridge test echo"), "{text:?}");
        assert!(text.contains("SELECT 1"), "{text:?}");
    }
}
