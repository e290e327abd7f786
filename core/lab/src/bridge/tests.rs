//! A conversation through a service.
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it wants")]

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
            include_str!("../../../../examples/azure-oci/azure.tf"),
        ),
        (
            "interconnect.tf",
            include_str!("../../../../examples/azure-oci/interconnect.tf"),
        ),
        (
            "lab.sky.hcl",
            include_str!("../../../../examples/azure-oci/lab.sky.hcl"),
        ),
        (
            "oci.tf",
            include_str!("../../../../examples/azure-oci/oci.tf"),
        ),
        (
            "variables.tf",
            include_str!("../../../../examples/azure-oci/variables.tf"),
        ),
        (
            "versions.tf",
            include_str!("../../../../examples/azure-oci/versions.tf"),
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
