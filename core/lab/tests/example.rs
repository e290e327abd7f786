//! The example directory, from its text to packets, in virtual time.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it wants")]

mod common;

use std::time::Duration;

use common::{Virtual, example};
use skybridge_lab::document::FailoverReport;
use skybridge_lab::document::Verdict;
use skybridge_lab::request::{CutMode, Request, Response, Show, StackArgument};

#[test]
fn the_example_comes_up_and_everything_holds() {
    let mut lab = Virtual::new();
    let report = lab.up(vec![example()]);
    let bad: Vec<_> = (report.diagnostics.iter())
        .filter(|d| !matches!(d.level.as_str(), "notice" | "advice"))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(!report.expectations.is_empty());
    for row in &report.expectations {
        assert_eq!(row.holds, Verdict::Holds, "{row:?}");
    }
    assert_eq!(report.sessions.len(), 4);
    for session in &report.sessions {
        assert_eq!(session.state, "Established", "{session:?}");
        assert_eq!(session.bfd, "up", "{session:?}");
    }
    assert_eq!(report.circuits[0].provider_state, "Provisioned");
    assert!(report.summary.created > 20);
}

#[test]
fn a_second_up_changes_nothing_and_sessions_keep_their_uptime() {
    let mut lab = Virtual::new();
    lab.up(vec![example()]);
    lab.run_for(Duration::from_secs(60));
    let report = lab.up(vec![example()]);
    let counts = &report.summary;
    assert_eq!((counts.created, counts.changed, counts.deleted), (0, 0, 0));
    for session in &report.sessions {
        assert!(session.uptime.unwrap() > 59.0, "{session:?}");
    }
}

#[test]
fn an_edit_changes_what_it_says_and_nothing_else() {
    let mut lab = Virtual::new();
    lab.up(vec![example()]);
    lab.run_for(Duration::from_secs(60));
    let mut edited = example();
    let text = edited.files["azure.tf"].replace(
        "name                       = \"database-out\"",
        "name                       = \"to-database\"",
    );
    edited.files.insert("azure.tf".to_owned(), text);
    edited.arguments.push(StackArgument::Value {
        name: "app_count".to_owned(),
        value: "3".to_owned(),
    });
    let report = lab.up(vec![edited]);
    let counts = &report.summary;
    assert_eq!((counts.created, counts.changed, counts.deleted), (2, 1, 0));
    for session in &report.sessions {
        assert!(session.uptime.unwrap() > 59.0, "{session:?}");
    }
    let hosts: Vec<_> = report
        .reachability
        .iter()
        .filter(|r| r.from == "app-2")
        .collect();
    assert!(!hosts.is_empty());
}

#[test]
fn cutting_either_path_leaves_the_other_and_cutting_both_leaves_none() {
    let mut lab = Virtual::new();
    lab.up(vec![example()]);
    let ping = |lab: &mut Virtual| {
        let request = Request::Ping {
            from: "app-0".into(),
            to: "db".into(),
            count: 1,
            size: 56,
            dont_fragment: true,
            interval_ms: 0,
        };
        match lab.ask(request) {
            Response::Ping(report) => report.received == 1,
            other => panic!("{other:?}"),
        }
    };
    let cut = |lab: &mut Virtual, element: &str| {
        let request = Request::Cut {
            element: element.into(),
            mode: CutMode::Silent,
            towards: None,
        };
        assert!(matches!(lab.ask(request), Response::Fault(_)));
    };
    assert!(ping(&mut lab));
    for path in ["payments-oci/primary", "payments-oci/secondary"] {
        cut(&mut lab, path);
        lab.run_for(Duration::from_secs(5));
        assert!(ping(&mut lab), "after cutting {path}");
        assert!(matches!(
            lab.ask(Request::Heal { element: None }),
            Response::Fault(_)
        ));
        lab.run_for(Duration::from_secs(300));
        assert!(ping(&mut lab), "after healing {path}");
    }
    cut(&mut lab, "payments-oci");
    lab.run_for(Duration::from_secs(5));
    assert!(!ping(&mut lab));
}

#[test]
fn every_table_has_rows() {
    let mut lab = Virtual::new();
    lab.up(vec![example()]);
    let shows = [
        Show::Circuits,
        Show::Peerings,
        Show::VirtualCircuits,
        Show::Gateways,
        Show::Drg,
        Show::Arp { circuit: None },
        Show::Routes { circuit: None },
        Show::RouteSummary { circuit: None },
        Show::Bgp { all: true },
        Show::Bfd,
        Show::EffectiveRoutes { host: None },
        Show::Links,
        Show::Counters { node: None },
    ];
    for show in shows {
        let answer = serde_json::to_value(lab.ask(Request::Show(show.clone()))).unwrap();
        let rows = answer["rows"].as_array().map_or(0, Vec::len);
        assert!(rows > 0, "{show:?}: {answer}");
    }
}

#[test]
fn down_leaves_nothing_behind() {
    let mut lab = Virtual::new();
    lab.up(vec![example()]);
    let answer = lab.ask(Request::Down { directory: None });
    let Response::Report(report) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(
        report
            .diagnostics
            .iter()
            .filter(|d| d.level == "error")
            .count(),
        0,
        "{:#?}",
        report.diagnostics
    );
    assert_eq!(lab.lab.estate().resources().count(), 0);
    assert_eq!(report.summary.resources, 0);
    assert_eq!(lab.lab.world().blueprint().nodes.len(), 0);
}

#[test]
fn the_failover_table_tells_what_bfd_saves_and_leaves_the_network_alone() {
    let table = |bfd: &str| {
        let mut lab = Virtual::new();
        let mut source = example();
        source.arguments.push(StackArgument::Value {
            name: "bfd".to_owned(),
            value: bfd.to_owned(),
        });
        lab.up(vec![source]);
        let request = Request::Failover {
            from: "app-0".into(),
            to: "db".into(),
        };
        let Response::Failover(report) = lab.ask(request) else {
            panic!("no table");
        };
        assert!(lab.lab.world().faults().next().is_none());
        report
    };
    let (with, without) = (table("true"), table("false"));
    assert_eq!((with.bfd_sessions_up, without.bfd_sessions_up), (4, 0));
    let silent = |report: &FailoverReport, element: &str| {
        let row = report.rows.iter().find(|r| r.element.contains(element));
        let row = row.unwrap_or_else(|| panic!("{element} in {report:?}"));
        assert_eq!(row.cases.len(), 3, "{row:?}");
        row.cases
            .iter()
            .find(|c| c.mode == "silent")
            .unwrap()
            .clone()
    };
    let link = "us-ashburn-1/primary";
    let (fast, slow) = (silent(&with, link), silent(&without, link));
    assert!(
        fast.decided_by.contains("BFD") && fast.loss_ms <= 1000,
        "{fast:?}"
    );
    assert!(
        slow.decided_by.contains("hold") && slow.loss_ms > 18_000,
        "{slow:?}"
    );
    assert!(fast.recovered && slow.recovered);
}
