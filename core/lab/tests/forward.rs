//! Clients outside and a server outside, joined through the example's network in virtual time.
#![allow(clippy::unwrap_used, reason = "helpers of a test are part of it")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it wants")]

mod border;
mod common;

use std::time::Duration;

use border::{Outside, noise, open, port};
use common::{Virtual, example};
use skybridge_lab::document::Verdict;
use skybridge_lab::request::{CutMode, ForwardOrder, ForwardTo, Request, Response, UpRequest};
use skybridge_lab::{BridgeId, BridgeInput, ClientId};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A client through `app-0` to the database, connected, and the server's end.
fn joined(outside: &mut Outside) -> (BridgeId, BridgeId) {
    let listener = outside.forward(Some("app-0"), port("db", 1521));
    let client = outside.client(listener).unwrap();
    assert!(outside.wait(SECOND, |o| !o.served.is_empty()));
    (client, outside.served[0])
}

#[test]
fn bytes_go_both_ways_between_a_client_and_a_server_outside() {
    let mut outside = Outside::new();
    let (client, server) = joined(&mut outside);
    outside.say(client, b"SELECT 1");
    assert!(outside.wait(SECOND, |o| o.peers[&server].heard == b"SELECT 1"));
    outside.say(server, b"1 row");
    assert!(outside.wait(SECOND, |o| o.peers[&client].heard == b"1 row"));
    let row = outside.rows().remove(0);
    assert_eq!(
        (row.from.as_str(), row.to.as_str(), row.state.as_str()),
        ("app-0", "db:1521", "listening")
    );
    assert_eq!((row.open, row.connected, row.failed), (1, 1, 0));
}

#[test]
fn ten_megabytes_cross_intact_in_both_directions_at_once() {
    let mut outside = Outside::new();
    let (client, server) = joined(&mut outside);
    let (up, down) = (noise(10 << 20, 1), noise(10 << 20, 2));
    outside.say(client, &up);
    outside.say(server, &down);
    let both = |o: &Outside| {
        o.peers[&server].heard.len() == 10 << 20 && o.peers[&client].heard.len() == 10 << 20
    };
    assert!(outside.wait(10 * MINUTE, both));
    assert!(outside.peers[&server].heard == up);
    assert!(outside.peers[&client].heard == down);
}

#[test]
fn a_peer_that_reads_slowly_slows_the_other_and_loses_nothing() {
    let mut outside = Outside::new();
    let (client, server) = joined(&mut outside);
    let data = noise(1 << 20, 3);
    outside.say(client, &data);
    let now = outside.lab.now;
    outside.lab.lab.bridge(now, server, BridgeInput::Full);
    outside.run_for(MINUTE);
    let heard = outside.peers[&server].heard.len();
    assert!(heard <= 16 << 10, "what was on its way: {heard}");
    let left = outside.peers[&client].to_send.len();
    assert!(
        left > (1 << 20) - (64 << 10),
        "the client is not read from: {left}"
    );
    let now = outside.lab.now;
    outside.lab.lab.bridge(now, server, BridgeInput::Drained);
    assert!(outside.wait(MINUTE, |o| o.peers[&server].heard.len() == 1 << 20));
    assert!(outside.peers[&server].heard == data);
}

#[test]
fn each_half_ends_by_itself() {
    let mut outside = Outside::new();
    let (client, server) = joined(&mut outside);
    outside.say(client, b"all of it");
    outside.peers.get_mut(&client).unwrap().then_finish = true;
    assert!(outside.wait(SECOND, |o| o.peers[&server].finished));
    assert_eq!(outside.peers[&server].heard, b"all of it");
    outside.run_for(10 * MINUTE);
    assert_eq!(
        outside.peers[&client].closed, None,
        "the answer takes its time"
    );
    outside.say(server, b"the answer");
    outside.peers.get_mut(&server).unwrap().then_finish = true;
    outside.run_for(MINUTE);
    assert_eq!(outside.peers[&client].heard, b"the answer");
    assert_eq!(outside.peers[&server].closed, Some(false));
    assert_eq!(outside.peers[&client].closed, Some(false));
}

#[test]
fn a_reset_on_one_side_is_a_reset_on_the_other() {
    let mut outside = Outside::new();
    let (client, server) = joined(&mut outside);
    let now = outside.lab.now;
    outside.lab.lab.bridge(now, client, BridgeInput::Reset);
    assert!(outside.wait(SECOND, |o| o.peers[&server].closed == Some(true)));
    assert_eq!(outside.rows()[0].open, 0);
}

#[test]
fn what_refuses_or_filters_the_connection_is_told_and_noted() {
    let mut outside = Outside::new();
    let refused = outside.forward(Some("app-1"), port("app-0", 99));
    let client = outside.client(refused).unwrap();
    assert!(outside.wait(SECOND, |o| o.peers[&client].closed == Some(true)));
    let filtered = outside.forward(Some("app-0"), port("db", 22));
    let client = outside.client(filtered).unwrap();
    outside.run_for(14 * SECOND);
    assert_eq!(
        outside.peers[&client].closed, None,
        "a filter drops in silence"
    );
    assert!(outside.wait(2 * SECOND, |o| o.peers[&client].closed == Some(true)));
    let rows = outside.rows();
    let failures: Vec<_> = rows.iter().map(|r| r.last_failure.as_deref()).collect();
    assert_eq!(failures, [Some("refused"), Some("no answer within 15 s")]);
}

fn fault(outside: &mut Outside, request: Request) {
    let (_, response, _) = outside.ask(request);
    assert!(matches!(response, Response::Fault(_)), "{response:?}");
}

#[test]
fn a_connection_survives_a_silent_cut_of_the_path_it_is_on() {
    let mut outside = Outside::new();
    let (client, server) = joined(&mut outside);
    let data = noise(4 << 20, 4);
    // A chunk each 50 ms, whichever path is cut meanwhile.
    for (number, chunk) in data.chunks(32 << 10).enumerate() {
        outside.say(client, chunk);
        let cut = |element: &str| Request::Cut {
            element: element.to_owned(),
            mode: CutMode::Silent,
            towards: None,
        };
        match number {
            20 => fault(&mut outside, cut("payments-oci/primary")),
            60 => fault(&mut outside, Request::Heal { element: None }),
            100 => fault(&mut outside, cut("payments-oci/secondary")),
            _ => {}
        }
        outside.run_for(Duration::from_millis(50));
    }
    assert!(outside.wait(MINUTE, |o| o.peers[&server].heard.len() == 4 << 20));
    assert!(outside.peers[&server].heard == data);
    assert_eq!(outside.peers[&client].closed, None);
}

#[test]
fn proofs_on_a_twin_do_without_the_bytes_of_clients() {
    let mut outside = Outside::new();
    let (client, server) = joined(&mut outside);
    outside.say(client, &noise(1 << 20, 5));
    assert!(outside.wait(MINUTE, |o| o.peers[&server].heard.len() == 1 << 20));
    let report = outside.lab.up_with(UpRequest {
        stacks: vec![example()],
        force: false,
        skip_simulation: false,
    });
    assert!(report.expectations.len() >= 3, "{:?}", report.expectations);
    for row in report.expectations {
        assert_eq!(row.holds, Verdict::Holds, "{}: {}", row.name, row.detail);
    }
}

#[test]
fn a_forward_goes_with_the_client_that_asked_for_it_and_its_connections_with_it() {
    let mut outside = Outside::new();
    let request = open("0", None, port("db", 1521), false);
    let (asker, response, last) = outside.ask(request);
    let Response::Forwards(listing) = response else {
        panic!("{response:?}");
    };
    assert!(!last, "it waits");
    assert_eq!(listing.rows[0].from, "app-0", "a host of another network");
    assert_eq!(listing.rows[0].kept_by, "attached");
    let listener = *outside.listeners.first_key_value().unwrap().0;
    let client = outside.client(listener).unwrap();
    assert!(outside.wait(SECOND, |o| !o.served.is_empty()));
    outside.lab.lab.forget(asker);
    outside.run_for(SECOND);
    assert!(outside.listeners.is_empty());
    assert_eq!(outside.peers[&client].closed, Some(true));
    assert_eq!(outside.peers[&outside.served[0]].closed, Some(true));
    assert!(outside.client(listener).is_none());
}

#[test]
fn what_cannot_be_forwarded_is_refused_in_words() {
    let mut outside = Outside::new();
    outside.forward(None, port("db", 1521));
    let taken = outside.listeners.first_key_value().unwrap().1.to_string();
    for (request, said) in [
        (
            open("0.0.0.0:80", None, port("db", 1), true),
            "not a loopback address",
        ),
        (
            open("nonsense", None, port("db", 1), true),
            "no address to listen on",
        ),
        (open("0", None, port("dbb", 1), true), "no host called dbb"),
        (
            open("0", Some("ap"), port("db", 1), true),
            "no host called ap",
        ),
        (
            open(&taken, None, port("db", 1), true),
            "Address already in use",
        ),
        (
            Request::Forward(ForwardOrder::Remove {
                name: "other".to_owned(),
            }),
            "no forward called other",
        ),
    ] {
        match outside.ask(request).1 {
            Response::Error(error) => {
                assert!(error.message.contains(said), "{said}: {}", error.message);
            }
            other => panic!("{said}: {other:?}"),
        }
    }
    assert_eq!(outside.rows().len(), 1);
    let name = outside.rows()[0].name.clone();
    let (_, removed, _) = outside.ask(Request::Forward(ForwardOrder::Remove { name }));
    assert!(matches!(removed, Response::Done { .. }), "{removed:?}");
    assert!(outside.listeners.is_empty());
}

#[test]
fn one_client_too_many_is_reset_and_there_is_room_again_after_it() {
    let mut outside = Outside::new();
    let listener = outside.forward(None, port("db", 1521));
    let clients: Vec<_> = (0..256)
        .map(|_| outside.client(listener).unwrap())
        .collect();
    assert!(outside.client(listener).is_none());
    let now = outside.lab.now;
    outside.lab.lab.bridge(now, clients[0], BridgeInput::Reset);
    assert!(outside.client(listener).is_some());
}

#[test]
fn the_lab_file_keeps_its_forwards_and_takes_them_away() {
    let block = |port: u16| {
        format!(
            "forward \"psql\" {{\n  listen = \"127.0.0.1:{port}\"\n  \
             from = azurerm_linux_virtual_machine.app[1]\n  host = oci_core_instance.db\n  \
             tcp = var.database_port\n}}\n"
        )
    };
    let with = |text: &str| {
        let mut source = example();
        source
            .files
            .insert("forward.sky.hcl".to_owned(), text.to_owned());
        source
    };
    let mut outside = Outside::of(Virtual::new());
    let listen = |outside: &mut Outside, source| {
        let up = UpRequest {
            stacks: vec![source],
            force: false,
            skip_simulation: true,
        };
        outside
            .lab
            .lab
            .request(outside.lab.now, ClientId(77), Request::Up(up));
        let answered = |o: &Outside| o.responses.iter().any(|(.., last)| *last);
        assert!(outside.wait(MINUTE, answered));
        let (_, report, _) = outside.responses.drain(..).next_back().unwrap();
        let Response::Report(report) = report else {
            panic!("{report:?}");
        };
        let at: Vec<u16> = outside.listeners.values().map(|at| at.port()).collect();
        (report, at)
    };
    let (report, at) = listen(&mut outside, with(&block(15_432)));
    assert_eq!(at, [15_432], "{:?}", report.diagnostics);
    let row = &report.forwards[0];
    assert_eq!(
        (row.name.as_str(), row.from.as_str(), row.to.as_str()),
        ("psql", "app-1", "db:1521")
    );
    assert_eq!(
        (row.state.as_str(), row.kept_by.as_str()),
        ("listening", "lab file")
    );
    let (_, at) = listen(&mut outside, with(&block(15_432)));
    assert_eq!(at, [15_432], "nothing differs");
    let name = "psql".to_owned();
    let (_, refused, _) = outside.ask(Request::Forward(ForwardOrder::Remove { name }));
    assert!(matches!(refused, Response::Error(_)));
    let (_, at) = listen(&mut outside, with(&block(15_433)));
    assert_eq!(at, [15_433]);
    let (_, at) = listen(&mut outside, example());
    assert!(at.is_empty());
}

#[test]
fn a_socks_client_names_a_host_and_is_told_that_it_is_connected() {
    let mut outside = Outside::new();
    let listener = outside.forward(Some("app-0"), ForwardTo::Socks);
    let client = outside.client(listener).unwrap();
    // Greeting, request for db:1521 and the first bytes for the server, all at once.
    outside.say(client, b"\x05\x01\x00\x05\x01\x00\x03\x02db\x05\xf1hello");
    assert!(outside.wait(SECOND, |o| !o.served.is_empty()));
    let server = outside.served[0];
    assert!(outside.wait(SECOND, |o| o.peers[&server].heard == b"hello"));
    outside.say(server, b"welcome");
    outside.run_for(SECOND);
    let heard = &outside.peers[&client].heard;
    assert_eq!(heard[..4], [5, 0, 5, 0]);
    assert_eq!(heard[6..10], [10, 20, 1, 4], "our end is the host's");
    assert_eq!(heard[12..], *b"welcome");
}

#[test]
fn a_socks_client_is_told_by_code_why_it_is_not_connected() {
    let mut outside = Outside::new();
    let listener = outside.forward(Some("app-1"), ForwardTo::Socks);
    let ipv6 = [&b"\x04"[..], &[0x20; 16], b"\x00\x50"].concat();
    for (request, code, why) in [
        (
            &b"\x01\x0a\x14\x01\x04\x00\x63"[..],
            5,
            "nobody listens on app-0:99",
        ),
        (&b"\x03\x02db\x00\x16"[..], 6, "a filter drops db:22"),
        (&b"\x03\x04none\x00\x16"[..], 4, "no such host"),
        (&ipv6[..], 4, "a host without IPv6"),
    ] {
        let client = outside.client(listener).unwrap();
        outside.say(client, &[b"\x05\x01\x00\x05\x01\x00", request].concat());
        assert!(
            outside.wait(MINUTE, |o| o.peers[&client].closed.is_some()),
            "{why}"
        );
        let heard = &outside.peers[&client].heard;
        assert_eq!(heard.get(3).copied(), Some(code), "{why}: {heard:?}");
        assert_eq!(outside.peers[&client].closed, Some(false), "{why}");
    }
    assert_eq!(outside.rows()[0].failed, 4);
    let client = outside.client(listener).unwrap();
    outside.say(
        client,
        b"\x05\x01\x00\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00",
    );
    assert!(outside.wait(SECOND, |o| o.peers[&client].closed == Some(false)));
    assert_eq!(outside.peers[&client].heard[3], 7, "UDP ASSOCIATE");
}

#[test]
fn a_socks_client_that_says_nothing_is_closed_after_ten_seconds() {
    let mut outside = Outside::new();
    let listener = outside.forward(Some("app-0"), ForwardTo::Socks);
    let client = outside.client(listener).unwrap();
    outside.say(client, b"\x05");
    outside.run_for(9 * SECOND);
    assert_eq!(outside.peers[&client].closed, None);
    outside.run_for(2 * SECOND);
    assert_eq!(outside.peers[&client].closed, Some(false));
    assert_eq!(outside.rows()[0].open, 0);
}

#[test]
fn a_forward_from_a_host_that_does_not_run_resets_its_clients() {
    let mut outside = Outside::new();
    let listener = outside.forward(Some("app-0"), port("db", 1521));
    outside.ask(Request::Cut {
        element: "app-0".to_owned(),
        mode: CutMode::LinkDown,
        towards: None,
    });
    let client = outside.client(listener).unwrap();
    assert!(outside.wait(SECOND, |o| o.peers[&client].closed == Some(true)));
    let row = outside.rows().remove(0);
    assert_eq!(row.last_failure.as_deref(), Some("app-0 does not run"));
}
