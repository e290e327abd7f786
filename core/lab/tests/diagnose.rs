//! `diagnose` on the example, with one thing broken at a time. The proof on random estates is
//! `cargo xtask diagnose`.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it wants")]

mod common;

use std::time::Duration;

use common::edits::Edited;
use common::{Virtual, example};
use skybridge_lab::document::{Condition, Diagnosis};
use skybridge_lab::request::{CutMode, Provider, Request, Response, UpRequest};

const PORT: u16 = 1521;

fn up(edited: Edited) -> Virtual {
    let mut lab = Virtual::new();
    lab.up_with(UpRequest {
        stacks: vec![edited.0],
        force: true,
        skip_simulation: true,
    });
    lab
}

fn diagnose(lab: &mut Virtual, tcp: Option<u16>) -> Diagnosis {
    let request = Request::Diagnose {
        from: "app-0".into(),
        to: "db".into(),
        tcp,
    };
    match lab.ask(request) {
        Response::Diagnosis(found) => *found,
        other => panic!("{other:?}"),
    }
}

fn cut(lab: &mut Virtual, element: &str, mode: CutMode, towards: Option<&str>) {
    let request = Request::Cut {
        element: element.into(),
        mode,
        towards: towards.map(str::to_owned),
    };
    match lab.ask(request) {
        Response::Fault(_) => lab.run_for(Duration::from_secs(100)),
        other => panic!("{other:?}"),
    }
}

/// What matters when a test fails.
fn brief(found: &Diagnosis) -> String {
    let mut text = format!("{}\n", found.summary);
    for row in &found.probes {
        text += &format!(
            "  {} {}/{} {}\n",
            row.what, row.answered, row.sent, row.note
        );
    }
    for f in &found.findings {
        text += &format!(
            "{:?} {} {} {:?}: {}\n",
            f.severity,
            f.layer.label(),
            f.owner,
            f.at,
            f.what
        );
        for line in f.evidence.iter().chain(&f.consequences) {
            text += &format!("    {line}\n");
        }
    }
    text
}

/// Condition, layer and owner of the first finding.
fn verdict(found: &Diagnosis) -> (Condition, &str, &str) {
    let first = found.findings.first();
    (
        found.condition,
        first.map_or("", |f| f.layer.label()),
        first.map_or("", |f| &f.owner),
    )
}

#[test]
fn a_whole_network_is_healthy_by_tcp_and_by_echo() {
    let mut lab = up(Edited(example()));
    for tcp in [Some(PORT), None] {
        let found = diagnose(&mut lab, tcp);
        assert_eq!(found.condition, Condition::Healthy, "{}", brief(&found));
        assert!(found.findings.is_empty());
        assert!(found.probes.iter().all(|row| row.sent == row.answered));
    }
}

#[test]
fn each_thing_that_breaks_is_named_with_its_owner() {
    use Condition::{Degraded, Failed};
    let primary = "payments-oci/primary";
    let msee = "msee-1@washington-dc";
    for (element, mode, towards, wanted) in [
        (
            primary,
            CutMode::LinkDown,
            None,
            (Degraded, "link", "provider"),
        ),
        (
            primary,
            CutMode::Silent,
            None,
            (Degraded, "link", "provider"),
        ),
        (
            primary,
            CutMode::OneWay,
            Some(msee),
            (Degraded, "link", "provider"),
        ),
        (
            primary,
            CutMode::OneWay,
            Some("fc-edge-1@us-ashburn-1"),
            (Degraded, "link", "provider"),
        ),
        (primary, CutMode::Session, None, (Degraded, "bgp", "Azure")),
        (
            "payments-oci",
            CutMode::Silent,
            None,
            (Failed, "link", "provider"),
        ),
        (msee, CutMode::LinkDown, None, (Degraded, "device", "Azure")),
        (msee, CutMode::Silent, None, (Degraded, "device", "Azure")),
        (
            "fc-edge-2@us-ashburn-1",
            CutMode::Silent,
            None,
            (Degraded, "device", "Oracle"),
        ),
        ("db", CutMode::LinkDown, None, (Failed, "host", "you")),
    ] {
        let mut lab = up(Edited(example()));
        cut(&mut lab, element, mode, towards);
        let found = diagnose(&mut lab, Some(PORT));
        assert_eq!(
            verdict(&found),
            wanted,
            "{element} {mode:?}: {}",
            brief(&found)
        );
    }
}

#[test]
fn tags_changed_by_the_provider_are_seen_where_they_arrive() {
    let mut lab = up(Edited(example()));
    let order = Provider::Set {
        key: "payments-oci".into(),
        name: "vlan".into(),
        value: "200".into(),
    };
    assert!(matches!(
        lab.ask(Request::Provider(order)),
        Response::Done { .. }
    ));
    lab.run_for(Duration::from_secs(60));
    let found = diagnose(&mut lab, Some(PORT));
    assert_eq!(
        verdict(&found),
        (Condition::Failed, "tags", "provider"),
        "{}",
        brief(&found)
    );
    assert_eq!(found.findings.len(), 1, "{}", brief(&found));
    let finding = &found.findings[0];
    assert!(
        finding.evidence.iter().any(|e| e.contains("C 200")),
        "{finding:#?}"
    );
    assert!(!finding.consequences.is_empty());
}

#[test]
fn what_is_written_wrong_is_named_with_its_place() {
    let deny = "\"Allow\"\n    protocol                   = \"Tcp\"\n    source_port_range          = \"*\"\n    destination_port_range     = tostring";
    let denied = Edited::example().replace("azure.tf", deny, &deny.replace("Allow", "Deny"));
    let mut lab = up(denied);
    let found = diagnose(&mut lab, Some(PORT));
    assert_eq!(
        verdict(&found),
        (Condition::Failed, "filters", "you"),
        "{}",
        brief(&found)
    );
    assert_eq!(found.findings[0].file.as_deref(), Some("azure.tf"));

    let mut lab = up(Edited::example().replace(
        "oci.tf",
        "one(azurerm_virtual_network.app.address_space)\n    destination_type",
        "\"192.0.2.0/24\"\n    destination_type",
    ));
    let found = diagnose(&mut lab, Some(PORT));
    assert_eq!(
        verdict(&found),
        (Condition::Failed, "forwarding", "you"),
        "{}",
        brief(&found)
    );
    assert_eq!(
        found.findings[0].resource.as_deref(),
        Some("oci_core_route_table.db")
    );

    let mut lab = up(Edited::example());
    let found = diagnose(&mut lab, Some(99));
    assert_eq!(
        verdict(&found),
        (Condition::Failed, "filters", "you"),
        "{}",
        brief(&found)
    );
}

#[test]
fn a_circuit_that_is_taken_back_is_the_providers() {
    let mut lab = up(Edited(example()));
    let order = Provider::Deprovision {
        key: "payments-oci".into(),
    };
    lab.ask(Request::Provider(order));
    lab.run_for(Duration::from_secs(60));
    let found = diagnose(&mut lab, Some(PORT));
    assert_eq!(
        verdict(&found),
        (Condition::Failed, "provider", "provider"),
        "{}",
        brief(&found)
    );
}
