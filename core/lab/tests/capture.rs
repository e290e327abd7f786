//! Captures as a client follows them, in virtual time.
#![allow(clippy::unwrap_used, reason = "helpers of a test are part of it")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it wants")]

mod common;

use std::time::Duration;

use common::{Virtual, example};
use skybridge_lab::document::{CaptureEnd, CapturePortion, Direction};
use skybridge_lab::request::{Request, Response};
use skybridge_lab::{ClientId, LabOutput};
use skybridge_wire::ethernet;

const VIEWER: ClientId = ClientId(1_000);

fn capture(point: &str, count: Option<u64>, duration_ms: Option<u64>) -> Request {
    Request::Capture {
        point: point.to_owned(),
        count,
        duration_ms,
    }
}

fn up() -> Virtual {
    let mut lab = Virtual::new();
    lab.up(vec![example()]);
    lab
}

/// Starts a capture for [`VIEWER`] and gives what is said at once.
fn start(lab: &mut Virtual, request: Request) -> Response {
    lab.lab.request(lab.now, VIEWER, request);
    answers(lab).remove(0)
}

fn answers(lab: &mut Virtual) -> Vec<Response> {
    let mut found = Vec::new();
    while let Some(output) = lab.lab.poll_output() {
        if let LabOutput::Response {
            client: VIEWER,
            response,
            ..
        } = output
        {
            found.push(response);
        }
    }
    found
}

/// Lets time pass in steps; the client takes what comes at once when it is `eager`.
fn watch(
    lab: &mut Virtual,
    time: Duration,
    eager: bool,
) -> (Vec<CapturePortion>, Option<CaptureEnd>) {
    let (mut portions, mut end) = (Vec::new(), None);
    let until = lab.now + time;
    while lab.now < until {
        if eager {
            lab.lab.drained(VIEWER);
        }
        lab.run_for(Duration::from_millis(5));
        for answer in answers(lab) {
            match answer {
                Response::CapturePortion(portion) => portions.push(portion),
                Response::CaptureEnd(over) => end = Some(over),
                other => panic!("{other:?}"),
            }
        }
    }
    (portions, end)
}

fn ping(lab: &mut Virtual) {
    lab.ask(Request::Ping {
        from: "app-0".to_owned(),
        to: "db".to_owned(),
        count: 8,
        size: 56,
        dont_fragment: false,
        interval_ms: 1,
    });
}

#[test]
fn frames_of_a_circuits_path_come_with_both_tags_in_both_directions() {
    let mut lab = up();
    let start = start(&mut lab, capture("payments-oci/primary", None, None));
    let Response::CaptureStart(start) = start else {
        panic!("{start:?}");
    };
    assert!(
        start.description.contains("outbound is from msee-1@"),
        "{start:?}"
    );
    let (portions, end) = watch(&mut lab, Duration::from_secs(5), true);
    assert_eq!(end, None, "it goes on until the client goes");
    let frames: Vec<_> = portions.iter().flat_map(|p| &p.frames).collect();
    for direction in [Direction::AToB, Direction::BToA] {
        assert!(frames.iter().any(|frame| frame.direction == direction));
    }
    for frame in &frames {
        let view = ethernet::parse(&frame.bytes).unwrap();
        assert_eq!(view.tags().count(), 2);
    }
    assert!(frames.is_sorted_by_key(|frame| frame.at_ns));
    lab.lab.forget(VIEWER);
    assert_eq!(
        watch(&mut lab, Duration::from_secs(5), true),
        (vec![], None)
    );
}

#[test]
fn a_capture_ends_after_its_count_and_after_its_time() {
    let mut lab = up();
    start(&mut lab, capture("payments-oci/secondary", Some(3), None));
    let (portions, end) = watch(&mut lab, Duration::from_secs(5), true);
    let frames: usize = portions.iter().map(|p| p.frames.len()).sum();
    assert_eq!(frames, 3);
    let end = end.unwrap();
    assert_eq!((end.reason.as_str(), end.frames), ("count", 3));

    start(&mut lab, capture("payments-oci/secondary", None, Some(700)));
    let began = lab.now;
    let (portions, end) = watch(&mut lab, Duration::from_secs(5), true);
    let end = end.unwrap();
    assert_eq!(end.reason, "duration");
    let last = portions.last().unwrap().frames.last().unwrap();
    assert!(last.at_ns <= (began + Duration::from_millis(700)).as_nanos());
}

#[test]
fn a_host_s_port_shows_what_it_sends_and_receives() {
    let mut lab = up();
    start(&mut lab, capture("oci_core_instance.db", None, None));
    ping(&mut lab);
    let (portions, _) = watch(&mut lab, Duration::from_secs(1), true);
    let frames: Vec<_> = portions.iter().flat_map(|p| &p.frames).collect();
    for direction in [Direction::In, Direction::Out] {
        assert!(frames.iter().any(|frame| frame.direction == direction));
    }
}

#[test]
fn a_client_that_takes_nothing_holds_up_nobody_and_gets_one_portion_when_it_does() {
    let mut lab = up();
    start(&mut lab, capture("payments-oci/primary", None, None));
    let (portions, _) = watch(&mut lab, Duration::from_secs(60), false);
    assert!(portions.is_empty(), "nothing was asked for");
    let (portions, _) = watch(&mut lab, Duration::from_millis(20), true);
    assert!(portions[0].frames.len() > 200, "BFD of a minute");
}

#[test]
fn what_cannot_be_captured_is_refused_with_what_can() {
    let mut lab = up();
    for (point, said) in [
        ("payments-oci", "two paths"),
        ("nowhere", "no place to capture called nowhere"),
        ("msee-1@washington-dc", "ports"),
        ("db/eth9", "no port of db called eth9"),
    ] {
        match start(&mut lab, capture(point, None, None)) {
            Response::Error(error) => {
                assert!(error.message.contains(said), "{point}: {}", error.message);
                assert!(error.help.is_some(), "{point}");
            }
            other => panic!("{point}: {other:?}"),
        }
    }
}

#[test]
fn nine_captures_at_once_are_one_too_many_until_somebody_goes() {
    let mut lab = up();
    let mut begin = |client| {
        let request = capture("payments-oci/primary", None, None);
        lab.lab.request(lab.now, ClientId(client), request);
        let output = lab.lab.poll_output().unwrap();
        let refused = matches!(
            output,
            LabOutput::Response {
                response: Response::Error(_),
                ..
            }
        );
        if client == 2_009 {
            lab.lab.forget(ClientId(2_001));
        }
        refused
    };
    let refused: Vec<bool> = (2_001..=2_010).map(&mut begin).collect();
    let expected: Vec<bool> = (2_001..=2_010).map(|client| client == 2_009).collect();
    assert_eq!(refused, expected);
}
