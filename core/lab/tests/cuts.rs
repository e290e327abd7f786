//! Breaking and mending by the names that people use.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it wants")]

mod common;

use std::time::Duration;

use common::{Virtual, example};
use skybridge_lab::document::FaultReport;
use skybridge_lab::request::{CutMode, Provider, Request, Response, Show};

fn cut(
    lab: &mut Virtual,
    element: &str,
    mode: CutMode,
    towards: Option<&str>,
) -> Result<FaultReport, String> {
    let request = Request::Cut {
        element: element.into(),
        mode,
        towards: towards.map(str::to_owned),
    };
    match lab.ask(request) {
        Response::Fault(report) => Ok(report),
        Response::Error(error) => Err(format!(
            "{}; {}",
            error.message,
            error.help.unwrap_or_default()
        )),
        other => panic!("{other:?}"),
    }
}

fn heal(lab: &mut Virtual, element: &str) -> FaultReport {
    let element = Some(element.to_owned());
    match lab.ask(Request::Heal { element }) {
        Response::Fault(report) => report,
        other => panic!("{other:?}"),
    }
}

/// State and last reset of the session end at a router, by path.
fn session(lab: &mut Virtual, router: &str) -> (String, String) {
    let Response::Bgp(table) = lab.ask(Request::Show(Show::Bgp { all: false })) else {
        panic!("no sessions");
    };
    let row = table.rows.iter().find(|r| r.local.starts_with(router));
    let row = row.unwrap_or_else(|| panic!("no session at {router}: {:?}", table.rows));
    (
        row.state.clone(),
        row.last_reset.clone().unwrap_or_default(),
    )
}

const MSEE: &str = "msee-1@washington-dc";
const EDGE: &str = "fc-edge-1@us-ashburn-1";

#[test]
fn a_session_is_cut_by_the_name_that_show_bgp_prints_and_says_so_at_the_other_end() {
    let mut lab = Virtual::new();
    lab.up(vec![example()]);
    let Response::Bgp(table) = lab.ask(Request::Show(Show::Bgp { all: false })) else {
        panic!("no sessions");
    };
    let names: Vec<String> = table.rows.iter().map(|r| r.local.clone()).collect();
    for name in names {
        let report = cut(&mut lab, &name, CutMode::Session, None).unwrap();
        assert_eq!(report.elements.len(), 1, "{report:?}");
        let router = name.split(' ').next().unwrap().to_owned();
        lab.run_for(Duration::from_secs(1));
        assert_ne!(session(&mut lab, &router).0, "Established");
        assert_eq!(heal(&mut lab, &name).cut, [""; 0]);
        lab.run_for(Duration::from_secs(300));
        assert_eq!(session(&mut lab, &router).0, "Established");
    }
    // RFC 4486 subcode 2, seen from the other side.
    cut(&mut lab, "payments-oci/primary", CutMode::Session, None).unwrap();
    lab.run_for(Duration::from_secs(1));
    let (state, why) = session(&mut lab, EDGE);
    assert_ne!(state, "Established");
    assert!(why.contains("Administrative Shutdown"), "{why}");
    let report = heal(&mut lab, "payments-oci/primary");
    assert_eq!(
        report.elements.len(),
        1,
        "a leg's session heals by the leg's name"
    );
}

#[test]
fn a_path_is_cut_and_healed_by_the_name_that_either_cloud_has_for_its_circuit() {
    let mut lab = Virtual::new();
    lab.up(vec![example()]);
    let azure = cut(&mut lab, "payments-oci/primary", CutMode::Silent, None).unwrap();
    for name in [
        "payments-azure/primary",
        "oci_core_virtual_circuit.azure/primary",
    ] {
        lab.ask(Request::Heal { element: None });
        let report = cut(&mut lab, name, CutMode::Silent, None).unwrap();
        assert_eq!(report.elements, azure.elements, "{name}");
        assert_eq!(heal(&mut lab, name).cut, [""; 0]);
    }
    let both = cut(&mut lab, "payments-azure", CutMode::LinkDown, None).unwrap();
    assert_eq!(both.elements.len(), 2, "{both:?}");
    heal(&mut lab, "payments-azure");
    lab.run_for(Duration::from_secs(300));
    // In mode session each name means its own cloud's end.
    for (name, router) in [
        ("payments-azure/primary", EDGE),
        ("payments-oci/primary", MSEE),
    ] {
        let report = cut(&mut lab, name, CutMode::Session, None).unwrap();
        let [element] = report.elements.as_slice() else {
            panic!("{report:?}");
        };
        assert!(
            element.starts_with(&format!("session {router}/")),
            "{element}"
        );
        assert_eq!(heal(&mut lab, name).cut, [""; 0]);
        lab.run_for(Duration::from_secs(300));
    }
}

#[test]
fn a_circuit_without_a_path_is_not_cut_in_silence() {
    let mut lab = Virtual::new();
    lab.up(vec![example()]);
    let key = "payments-oci".to_owned();
    lab.ask(Request::Provider(Provider::Deprovision { key }));
    lab.run_for(Duration::from_secs(60));
    for name in ["payments-oci/primary", "payments-azure"] {
        let refusal = cut(&mut lab, name, CutMode::Silent, None).unwrap_err();
        assert!(refusal.contains("no path at present"), "{name}: {refusal}");
    }
}

#[test]
fn a_one_way_cut_loses_frames_in_its_direction_only() {
    let mut lab = Virtual::new();
    lab.up(vec![example()]);
    let report = cut(&mut lab, "payments-oci", CutMode::OneWay, Some(MSEE)).unwrap();
    // The circuit's other leg does not end there.
    assert_eq!(report.elements.len(), 1, "{report:?}");
    let lost = |lab: &mut Virtual| {
        let Response::Links(links) = lab.ask(Request::Show(Show::Links)) else {
            panic!("no links");
        };
        let row = links.rows.iter().find(|r| r.name.ends_with("/primary"));
        let row = row.unwrap().clone();
        let at_first_end = row.ends.0.starts_with(MSEE);
        if at_first_end {
            row.lost
        } else {
            (row.lost.1, row.lost.0)
        }
    };
    lab.run_for(Duration::from_secs(5));
    let (from_msee, to_msee) = lost(&mut lab);
    assert_eq!(from_msee, 0);
    assert!(to_msee > 0);
    assert_ne!(session(&mut lab, MSEE).0, "Established");
    heal(&mut lab, "payments-oci/primary");
    lab.run_for(Duration::from_secs(300));
    assert_eq!(session(&mut lab, MSEE).0, "Established");
}

#[test]
fn a_mode_that_does_not_fit_is_refused_with_what_would() {
    let mut lab = Virtual::new();
    lab.up(vec![example()]);
    let primary = "payments-oci/primary";
    for (element, mode, towards, wanted) in [
        (primary, CutMode::OneWay, None, "--towards NODE"),
        (primary, CutMode::OneWay, Some("nowhere"), "no node called"),
        (primary, CutMode::OneWay, Some("db"), "end db of link"),
        (primary, CutMode::Silent, Some(MSEE), "no direction"),
        (MSEE, CutMode::OneWay, Some(MSEE), "only links and circuits"),
        ("db", CutMode::Session, None, "show bgp"),
        (
            "payments-azure/private/primary",
            CutMode::LinkDown,
            None,
            "--mode session",
        ),
    ] {
        let refusal = cut(&mut lab, element, mode, towards).unwrap_err();
        assert!(refusal.contains(wanted), "{element} {mode:?}: {refusal}");
    }
    let Response::Fault(report) = lab.ask(Request::Heal { element: None }) else {
        panic!("no report");
    };
    assert!(report.elements.is_empty(), "a refusal cuts nothing");
}
