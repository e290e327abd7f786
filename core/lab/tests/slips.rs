//! A clock that slips: counted, shown, and what is being measured is void.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use std::time::Duration;

use common::Virtual;
use common::edits::Edited;
use skybridge_lab::document::PingReport;
use skybridge_lab::request::{Request, Response};

/// The example with a round trip of 80 ms between the clouds.
fn far() -> Edited {
    Edited::example().append(
        "lab.sky.hcl",
        r#"
link "ocean" {
  circuit = azurerm_express_route_circuit.this
  delay   = "40ms"
}
"#,
    )
}

fn ping(count: u16) -> Request {
    Request::Ping {
        from: "app-0".to_owned(),
        to: "db".to_owned(),
        count,
        size: 56,
        dont_fragment: false,
        interval_ms: 1000,
    }
}

/// Pings five times; the clock slips while the second request is under way and after the fourth is back.
fn pinged(lab: &mut Virtual) -> PingReport {
    let began = lab.now;
    let mut slips = vec![Duration::from_millis(1020), Duration::from_millis(3500)];
    let answer = lab.watch_mut(ping(5), |now, lab| {
        if slips.first().is_some_and(|at| now.since(began) >= *at) {
            slips.remove(0);
            lab.note_slip(Duration::from_secs(2));
        }
    });
    let Response::Ping(report) = answer else {
        panic!("not a ping: {answer:?}");
    };
    report
}

#[test]
fn a_slip_voids_the_times_that_it_falls_into_and_no_others() {
    let mut lab = Virtual::new();
    lab.up(vec![far().0]);
    let report = pinged(&mut lab);
    assert_eq!((report.sent, report.received), (5, 5));
    assert_eq!(report.clock_slips, 2);
    let times: Vec<_> = report.replies.iter().map(|r| (r.rtt_us, r.void)).collect();
    let good = (Some(80_000), false);
    assert_eq!(times, [good, (None, true), good, good, good]);
    let Response::Report(status) = lab.ask(Request::Status) else {
        panic!("status is a report");
    };
    assert_eq!(status.summary.clock_slips, 2);
    assert_eq!(status.summary.clock_slipped_ms, 4000);
}

#[test]
fn a_trace_and_a_check_with_a_slip_in_it_give_no_time() {
    let mut lab = Virtual::new();
    lab.up(vec![far().0]);
    let trace = Request::Trace {
        from: "app-0".to_owned(),
        to: "db".to_owned(),
        tcp: None,
    };
    let mut slip = true;
    let answer = lab.watch_mut(trace, |_, lab| {
        if std::mem::take(&mut slip) {
            lab.note_slip(Duration::from_secs(1));
        }
    });
    let Response::Trace(trace) = answer else {
        panic!("not a trace: {answer:?}");
    };
    assert!(trace.ok);
    assert!(trace.outcome.contains("clock slipped"), "{}", trace.outcome);
    let answer = lab.watch_mut(Request::Status, |_, lab| {
        lab.note_slip(Duration::from_millis(30));
    });
    let Response::Report(status) = answer else {
        panic!("status is a report");
    };
    assert!(status.reachability.iter().all(|row| row.rtt_us.is_none()));
    let noted = |note: &str| note.contains("clock slipped");
    assert!(status.reachability.iter().any(|row| noted(&row.note)));
}
