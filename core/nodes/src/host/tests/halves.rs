//! Connections whose halves end one by one, and readers that pause.

use super::*;

/// A connection from side 0, opened for somebody who hands bytes on, to a bridged service of side 1.
fn opened() -> (Lan, ConnectionId) {
    let mut lan = Lan::new(vec![service(1521, bridge())]);
    let open = HostCommand::TcpOpen {
        id: CLIENT,
        target: ip(2),
        port: 1521,
        timeout: Duration::from_secs(5),
        trace: 0,
    };
    lan.command(0, open);
    lan.run_for(Duration::from_secs(1));
    let accepted = lan.events[1].iter().find_map(|event| {
        if let NodeEvent::ServiceAccepted { id, .. } = event {
            Some(*id)
        } else {
            None
        }
    });
    (lan, accepted.unwrap())
}

fn send(lan: &mut Lan, side: usize, id: ConnectionId, bytes: &[u8]) {
    let bytes = bytes.to_vec();
    lan.command(side, HostCommand::TcpSend { id, bytes });
}

fn finished(lan: &Lan, side: usize, id: ConnectionId) -> bool {
    lan.events[side].contains(&NodeEvent::TcpFinished { id })
}

fn nothing_left(lan: &mut Lan) {
    lan.run_for(Duration::from_secs(30));
    assert!(lan.hosts.iter().all(|host| host.connections().is_empty()));
    assert!(lan.hosts.iter().all(|host| host.poll_timeout().is_none()));
}

#[test]
fn a_half_that_has_ended_leaves_the_other_open_for_as_long_as_it_takes() {
    let (mut lan, server) = opened();
    send(&mut lan, 0, CLIENT, b"question");
    lan.command(0, HostCommand::TcpFinish { id: CLIENT });
    lan.run_for(Duration::from_secs(1));
    assert_eq!(lan.received[1][&server], b"question");
    assert!(finished(&lan, 1, server) && !finished(&lan, 0, CLIENT));
    lan.run_for(Duration::from_secs(3600));
    send(&mut lan, 1, server, b"an answer after an hour");
    lan.command(1, HostCommand::TcpFinish { id: server });
    lan.run_for(Duration::from_secs(1));
    assert_eq!(lan.received[0][&CLIENT], b"an answer after an hour");
    nothing_left(&mut lan);
    assert_eq!(
        (lan.closed(0), lan.closed(1)),
        (vec!["closed"], vec!["closed"])
    );
}

#[test]
fn the_end_of_the_accepting_side_is_told_to_whoever_opened() {
    let (mut lan, server) = opened();
    send(&mut lan, 1, server, b"bye");
    lan.command(1, HostCommand::TcpFinish { id: server });
    lan.run_for(Duration::from_secs(1));
    assert_eq!(lan.received[0][&CLIENT], b"bye");
    assert!(finished(&lan, 0, CLIENT));
    send(&mut lan, 0, CLIENT, b"still here");
    lan.command(0, HostCommand::TcpFinish { id: CLIENT });
    lan.run_for(Duration::from_secs(1));
    assert_eq!(lan.received[1][&server], b"still here");
    nothing_left(&mut lan);
}

#[test]
fn what_a_paused_reader_has_not_read_comes_before_the_end() {
    let (mut lan, server) = opened();
    let pause = |paused| HostCommand::TcpPause { id: server, paused };
    lan.command(1, pause(true));
    send(&mut lan, 0, CLIENT, &[7; 9_000]);
    lan.command(0, HostCommand::TcpFinish { id: CLIENT });
    lan.command(1, HostCommand::TcpFinish { id: server });
    // Longer than TIME-WAIT: for TCP itself all is over.
    lan.run_for(Duration::from_secs(100));
    assert!(!lan.received[1].contains_key(&server));
    assert!(lan.closed(1).is_empty(), "{:?}", lan.events[1]);
    lan.command(1, pause(false));
    lan.run_for(Duration::from_secs(1));
    assert_eq!(lan.received[1][&server].len(), 9_000);
    assert_eq!(lan.closed(1), ["closed"]);
    nothing_left(&mut lan);
}

#[test]
fn a_finished_half_that_nobody_acknowledges_is_given_up() {
    let (mut lan, _) = opened();
    lan.fault = Box::new(|_, _| None);
    send(&mut lan, 0, CLIENT, b"into the void");
    lan.command(0, HostCommand::TcpFinish { id: CLIENT });
    lan.run_for(Duration::from_secs(170));
    assert!(lan.closed(0).is_empty(), "routing may still find a path");
    lan.run_for(Duration::from_secs(20));
    assert_eq!(lan.closed(0), ["timeout"]);
}

#[test]
fn a_connection_that_was_merely_connected_still_ends_with_its_peer() {
    let mut lan = Lan::new(vec![service(1521, bridge())]);
    lan.connect(1521);
    lan.run_for(Duration::from_secs(1));
    let server = ConnectionId(1 << 63);
    lan.command(1, HostCommand::TcpFinish { id: server });
    lan.run_for(Duration::from_secs(30));
    assert_eq!(lan.closed(0), ["closed"]);
    assert!(!finished(&lan, 0, CLIENT));
}
