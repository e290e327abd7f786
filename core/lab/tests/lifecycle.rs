//! What happens over time: states one after the other, what waits for what, and what a wrong order costs.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use std::time::Duration;

use common::Virtual;
use common::edits::{Edited, assert_works, complaints, kinds};
use skybridge_estate::{Estate, Pace, Resource};
use skybridge_lab::document::{Report, Verdict};
use skybridge_lab::request::{Provider, Request, Response, Show, UpRequest};

const CIRCUIT: &str = "Microsoft.Network/expressRouteCircuits";
const PEERING: &str = "Microsoft.Network/expressRouteCircuits/peerings";
const CONNECTION: &str = "Microsoft.Network/connections";
const VIRTUAL_CIRCUIT: &str = "oci/virtual-circuit";

fn up(edited: &Edited) -> Request {
    Request::Up(UpRequest {
        stacks: vec![edited.0.clone()],
        force: false,
        skip_simulation: true,
    })
}

fn forced(lab: &mut Virtual, edited: &Edited) -> Report {
    lab.up_with(UpRequest {
        stacks: vec![edited.0.clone()],
        force: true,
        skip_simulation: true,
    })
}

fn report_of(response: Response) -> Report {
    let Response::Report(report) = response else {
        panic!("not a report: {response:?}");
    };
    *report
}

/// A text of the one resource of a kind; `-` while there is none.
fn state(estate: &Estate, kind: &str, pointer: &str) -> String {
    let mut all = estate.of_kind(kind);
    let text = |r: &Resource| r.text(pointer).unwrap_or("?").to_owned();
    all.next().map_or_else(|| "-".to_owned(), text)
}

/// The values that something had, one after the other, with the second when each began.
#[derive(Default)]
struct History(Vec<(u64, String)>);

impl History {
    fn note(&mut self, now_s: u64, value: String) {
        if self.0.last().is_none_or(|(_, last)| *last != value) {
            self.0.push((now_s, value));
        }
    }

    fn values(&self) -> Vec<&str> {
        self.0.iter().map(|(_, value)| value.as_str()).collect()
    }

    #[track_caller]
    fn began(&self, value: &str) -> u64 {
        let found = self.0.iter().find(|(_, v)| v == value);
        found
            .unwrap_or_else(|| panic!("never {value}: {:?}", self.0))
            .0
    }
}

const PROVIDER_STATE: &str = "/properties/serviceProviderProvisioningState";

#[test]
fn a_bring_up_passes_every_state_in_its_time() {
    let mut lab = Virtual::with_pace(Pace::Realistic);
    let (mut provider, mut circuit, mut virtual_circuit, mut peering, mut connection) =
        <(History, History, History, History, History)>::default();
    let answer = lab.watch(up(&Edited::example()), |now, lab| {
        let s = now.since(skybridge_base::Instant::ZERO).as_secs();
        let estate = lab.estate();
        provider.note(s, state(estate, CIRCUIT, PROVIDER_STATE));
        circuit.note(
            s,
            state(estate, CIRCUIT, "/properties/circuitProvisioningState"),
        );
        virtual_circuit.note(s, state(estate, VIRTUAL_CIRCUIT, "/lifecycleState"));
        peering.note(s, state(estate, PEERING, "/properties/state"));
        connection.note(
            s,
            state(estate, CONNECTION, "/properties/provisioningState"),
        );
    });
    let report = report_of(answer);
    assert!(complaints(&report).is_empty(), "{:#?}", report.diagnostics);
    assert_works(&report, 4, 4);

    assert!(
        provider
            .values()
            .ends_with(&["NotProvisioned", "Provisioning", "Provisioned"]),
        "{:?}",
        provider.0
    );
    assert_eq!(circuit.values().last(), Some(&"Enabled"));
    assert!(
        virtual_circuit
            .values()
            .ends_with(&["PENDING_PROVIDER", "PROVISIONING", "PROVISIONED"]),
        "{:?}",
        virtual_circuit.0
    );
    // The service key is there before the provider has done anything, and the peering comes by itself.
    assert!(circuit.began("Enabled") < provider.began("Provisioning"));
    assert_eq!(
        provider.began("Provisioned"),
        virtual_circuit.began("PROVISIONED")
    );
    assert_eq!(
        provider.began("Provisioned") - provider.began("Provisioning"),
        300
    );
    assert_eq!(peering.values(), ["-", "Enabled"]);
    assert_eq!(peering.began("Enabled"), provider.began("Provisioned"));
    // The gateway takes 45 minutes, and the connection waits for it.
    assert!(connection.0[1].0 >= 2700, "{:?}", connection.0);
    let made = |what: &str| {
        let row = lab
            .progress
            .iter()
            .find(|p| p.subject == what && p.what == "created");
        row.unwrap_or_else(|| panic!("{what} was not created: {:#?}", lab.progress))
            .at_ms
    };
    assert!(made("azurerm_virtual_network_gateway.this") >= 2_700_000);
    assert!(
        made("azurerm_virtual_network_gateway_connection.this")
            > made("azurerm_virtual_network_gateway.this")
    );
    assert!(made("azurerm_express_route_circuit.this") < 60_000);
    // Sessions came up with the circuit, long before there was a gateway.
    let gateway_s =
        f64::from(u32::try_from(made("azurerm_virtual_network_gateway.this") / 1000).unwrap());
    let provisioned_s = f64::from(u32::try_from(provider.began("Provisioned")).unwrap());
    for session in &report.sessions {
        assert!(
            session.uptime.unwrap() > gateway_s - provisioned_s - 60.0,
            "{session:?}"
        );
    }

    let Response::Peerings(peerings) = lab.ask(Request::Show(Show::Peerings)) else {
        panic!("no peerings");
    };
    let [row] = &peerings.rows[..] else {
        panic!("{:?}", peerings.rows);
    };
    assert_eq!(
        (row.peering.as_str(), row.peer_asn),
        ("AzurePrivatePeering", 31898)
    );
    assert!((1..=4094).contains(&row.vlan), "{row:?}");
    assert_eq!(
        (row.primary.as_str(), row.secondary.as_str()),
        ("172.30.255.0/30", "172.30.255.4/30")
    );
    assert_eq!(row.sessions, ["Established", "Established"]);
}

const KEY: &str = "azurerm_express_route_circuit.this.service_key";

/// The service key mistyped in the virtual circuit.
fn with_wrong_key() -> Edited {
    Edited::example().replace(
        "interconnect.tf",
        KEY,
        "\"00000000-0000-0000-0000-000000000000\"",
    )
}

#[test]
fn a_wrong_service_key_is_said_before_anything_is_made() {
    let edited = with_wrong_key();
    let report = Virtual::new().up(vec![edited.0.clone()]);
    assert_eq!(report.summary.created, 0);
    let line = edited.line_of("interconnect.tf", "\"oci_core_virtual_circuit\" \"azure\"");
    let found = (report.diagnostics.iter()).find(|d| {
        d.level == "will not work"
            && d.message.contains("PENDING_PROVIDER")
            && d.file.as_deref() == Some("interconnect.tf")
    });
    let found = found.unwrap_or_else(|| panic!("{:#?}", report.diagnostics));
    assert!(found.line >= Some(line), "{found:?}");
}

#[test]
fn with_a_wrong_service_key_the_virtual_circuit_waits_for_its_provider() {
    let mut lab = Virtual::new();
    let report = forced(&mut lab, &with_wrong_key());
    let said = (report.diagnostics.iter())
        .find(|d| d.level == "error" && d.message.contains("PENDING_PROVIDER"));
    assert!(said.is_some(), "{:#?}", report.diagnostics);
    assert_eq!(
        state(lab.lab.estate(), VIRTUAL_CIRCUIT, "/lifecycleState"),
        "PENDING_PROVIDER"
    );
    assert_eq!(report.circuits[0].provider_state, "NotProvisioned");
    assert!(report.sessions.iter().all(|s| s.state != "Established"));
    assert!(!report.reachability.is_empty());
    for row in &report.reachability {
        assert_eq!(row.ok, Verdict::Fails, "{row:?}");
        assert!(!row.note.is_empty(), "{row:?}");
    }
}

#[test]
fn a_second_up_continues_where_the_first_one_failed() {
    let mut lab = Virtual::new();
    let first = forced(&mut lab, &with_wrong_key());
    assert!(first.summary.created > 15, "{:#?}", first.diagnostics);
    let report = lab.up(vec![Edited::example().0]);
    let bad = complaints(&report);
    assert!(bad.is_empty(), "{bad:#?}");
    assert_works(&report, 4, 4);
    // What was there is left alone; a virtual circuit whose creation failed is made anew.
    assert!(report.summary.created <= 3, "{:?}", report.summary);
    let mut fresh = Virtual::new();
    fresh.up(vec![Edited::example().0]);
    assert_eq!(kinds(&lab), kinds(&fresh));
}

/// A circuit of a provider that people run.
fn with_manual_circuit() -> Edited {
    let text = r#"
resource "azurerm_express_route_circuit" "hq" {
  name                  = "hq"
  resource_group_name   = azurerm_resource_group.this.name
  location              = azurerm_resource_group.this.location
  service_provider_name = "Equinix"
  peering_location      = "Washington DC"
  bandwidth_in_mbps     = 1000

  sku {
    tier   = "Standard"
    family = "MeteredData"
  }

  tags = { skybridge-provider = "manual" }
}
"#;
    Edited::example().append("hq.tf", text)
}

fn provider_state(lab: &mut Virtual, circuit: &str) -> String {
    let Response::Circuits(circuits) = lab.ask(Request::Show(Show::Circuits)) else {
        panic!("no circuits");
    };
    circuits
        .rows
        .iter()
        .find(|r| r.name == circuit)
        .unwrap()
        .provider_state
        .clone()
}

#[test]
fn a_provider_that_is_asked_by_hand_answers_when_told_to() {
    let mut lab = Virtual::new();
    let report = lab.up(vec![with_manual_circuit().0]);
    let bad = complaints(&report);
    assert!(bad.is_empty(), "{bad:#?}");
    assert_works(&report, 4, 4);
    lab.run_for(Duration::from_secs(7200));
    assert_eq!(provider_state(&mut lab, "hq"), "NotProvisioned");
    let order = Provider::Provision { key: "hq".into() };
    assert!(matches!(
        lab.ask(Request::Provider(order)),
        Response::Done { .. }
    ));
    assert_eq!(provider_state(&mut lab, "hq"), "Provisioned");
    let order = Provider::Deprovision { key: "hq".into() };
    assert!(matches!(
        lab.ask(Request::Provider(order)),
        Response::Done { .. }
    ));
    assert_eq!(provider_state(&mut lab, "hq"), "Deprovisioning");
    lab.run_for(Duration::from_secs(60));
    assert_eq!(provider_state(&mut lab, "hq"), "NotProvisioned");
    // The other circuit has seen none of it.
    assert_eq!(provider_state(&mut lab, "payments-oci"), "Provisioned");
}

#[test]
fn a_provider_that_acts_by_itself_takes_its_ten_minutes() {
    let mut lab = Virtual::with_pace(Pace::Realistic);
    let edited = with_manual_circuit().replace(
        "hq.tf",
        "  tags = { skybridge-provider = \"manual\" }\n",
        "",
    );
    let mut provider = History::default();
    let answer = lab.watch(up(&edited), |now, lab| {
        let s = now.since(skybridge_base::Instant::ZERO).as_secs();
        let estate = lab.estate();
        let hq = estate.of_kind(CIRCUIT).find(|r| r.name == "hq");
        provider.note(
            s,
            hq.and_then(|r| r.text(PROVIDER_STATE))
                .unwrap_or("-")
                .to_owned(),
        );
    });
    assert!(complaints(&report_of(answer)).is_empty());
    assert!(
        provider
            .values()
            .ends_with(&["NotProvisioned", "Provisioning", "Provisioned"]),
        "{:?}",
        provider.0
    );
    assert!(
        provider.began("Provisioned") - provider.began("NotProvisioned") >= 600,
        "{:?}",
        provider.0
    );
}

#[test]
fn a_circuit_whose_other_side_is_elsewhere_can_have_a_stub() {
    let mut lab = Virtual::new();
    let edited = Edited::example()
        .without(
            "interconnect.tf",
            "resource \"oci_core_virtual_circuit\" \"azure\"",
        )
        .without(
            "interconnect.tf",
            "resource \"azurerm_virtual_network_gateway_connection\" \"this\"",
        );
    let report = lab.up(vec![Edited(edited.0.clone()).0]);
    let rules: Vec<_> = report
        .diagnostics
        .iter()
        .filter_map(|d| d.rule.as_deref())
        .collect();
    assert!(
        rules.contains(&"interconnect.key-unused"),
        "{:#?}",
        report.diagnostics
    );
    assert_eq!(provider_state(&mut lab, "payments-oci"), "NotProvisioned");
    let order = Provider::Provision {
        key: "payments-oci".into(),
    };
    assert!(matches!(
        lab.ask(Request::Provider(order)),
        Response::Done { .. }
    ));
    assert_eq!(provider_state(&mut lab, "payments-oci"), "Provisioned");
    let assumed = |lab: &mut Virtual| {
        let Response::Report(status) = lab.ask(Request::Status) else {
            panic!("no status");
        };
        let stub = status.assumed.into_iter();
        stub.filter(|a| a.name.contains("OCI side")).count()
    };
    assert_eq!(assumed(&mut lab), 1);

    // The connection that waited for it carries traffic to the stub's host.
    let connected = Edited::example()
        .without(
            "interconnect.tf",
            "resource \"oci_core_virtual_circuit\" \"azure\"",
        )
        .replace(
            "interconnect.tf",
            "  depends_on = [oci_core_virtual_circuit.azure]\n",
            "",
        );
    // The database that the example expects cannot be reached: its own virtual circuit is left out.
    forced(&mut lab, &connected);
    for (from, to) in [("stub", "app-0"), ("app-0", "stub")] {
        let ping = Request::Ping {
            from: from.to_owned(),
            to: to.to_owned(),
            count: 1,
            size: 56,
            dont_fragment: true,
            interval_ms: 0,
        };
        let answer = lab.ask(ping);
        let reached = matches!(&answer, Response::Ping(report) if report.received == 1);
        assert!(reached, "{from} to {to}: {answer:?}");
    }

    let order = Provider::Deprovision {
        key: "payments-oci".into(),
    };
    assert!(matches!(
        lab.ask(Request::Provider(order)),
        Response::Done { .. }
    ));
    assert_eq!(assumed(&mut lab), 0);
    assert!(lab.lab.estate().of_kind(VIRTUAL_CIRCUIT).next().is_none());
}

#[test]
fn what_goes_down_goes_in_the_order_that_both_clouds_demand() {
    for pace in [Pace::Compressed, Pace::Realistic] {
        let mut lab = Virtual::with_pace(pace);
        lab.up(vec![Edited::example().0]);
        lab.progress.clear();
        let mut provider = History::default();
        let answer = lab.watch(Request::Down { directory: None }, |now, lab| {
            let estate = lab.estate();
            provider.note(
                now.since(skybridge_base::Instant::ZERO).as_secs(),
                state(estate, CIRCUIT, PROVIDER_STATE),
            );
            let terminating = state(estate, VIRTUAL_CIRCUIT, "/lifecycleState") == "TERMINATING";
            assert!(
                !terminating || estate.of_kind(CONNECTION).next().is_none(),
                "the virtual circuit goes while a connection is left"
            );
            let leaving = state(estate, CIRCUIT, "/properties/provisioningState") == "Deleting";
            assert!(
                !leaving || state(estate, CIRCUIT, PROVIDER_STATE) == "NotProvisioned",
                "the circuit goes while it is provisioned"
            );
        });
        let report = report_of(answer);
        assert!(complaints(&report).is_empty(), "{:#?}", report.diagnostics);
        assert_eq!(
            provider.values(),
            ["Provisioned", "Deprovisioning", "NotProvisioned", "-"]
        );
        let at = |subject: &str, what: &str| {
            let place = lab
                .progress
                .iter()
                .position(|p| p.subject == subject && p.what == what);
            place.unwrap_or_else(|| panic!("{subject} not {what}: {:#?}", lab.progress))
        };
        let connection = at("azurerm_virtual_network_gateway_connection.this", "deleted");
        let virtual_circuit = at("oci_core_virtual_circuit.azure", "deleted");
        let circuit = at("azurerm_express_route_circuit.this", "deleted");
        let drg = at("oci_core_drg.this", "deleted");
        assert!(connection < virtual_circuit && virtual_circuit < circuit && virtual_circuit < drg);
        assert!(at("oci_core_virtual_circuit.azure", "deleting") < virtual_circuit);
        assert_eq!(lab.lab.estate().resources().count(), 0);
    }
}

/// The circuit taken out of the directory while the virtual circuit stays with its key.
fn without_circuit(key: &str) -> Edited {
    Edited::example()
        .replace("interconnect.tf", KEY, &format!("\"{key}\""))
        .without(
            "interconnect.tf",
            "resource \"azurerm_express_route_circuit\" \"this\"",
        )
        .without(
            "interconnect.tf",
            "resource \"azurerm_virtual_network_gateway_connection\" \"this\"",
        )
        .replace_block("outputs.tf", "output \"service_key\"", "\n}\n", "")
}

#[test]
fn a_circuit_that_is_deleted_under_its_virtual_circuit_ends_in_failure() {
    let mut lab = Virtual::new();
    let before = lab.up(vec![Edited::example().0]);
    let edited = without_circuit(&before.circuits[0].service_key);
    // It is said before anything happens,
    let report = lab.up(vec![edited.0.clone()]);
    let said = (report.diagnostics.iter())
        .find(|d| d.level == "will not work" && d.message.contains("ConflictError"));
    assert!(said.is_some(), "{:#?}", report.diagnostics);
    assert_eq!(report.summary.deleted, 0);
    assert_eq!(
        state(lab.lab.estate(), CIRCUIT, PROVIDER_STATE),
        "Provisioned"
    );
    // and by force it happens: accepted, then failed (data/deletions.csv), with the connection gone.
    let report = forced(&mut lab, &edited);
    let said = (report.diagnostics.iter())
        .find(|d| d.level == "error" && d.message.contains("ConflictError"));
    assert!(said.is_some(), "{:#?}", report.diagnostics);
    assert_eq!(
        state(lab.lab.estate(), CIRCUIT, "/properties/provisioningState"),
        "Failed"
    );
    assert_eq!(lab.lab.estate().of_kind(CONNECTION).count(), 0);
    assert!(report.reachability.iter().all(|r| r.ok == Verdict::Fails));
    // The circuit is still the stack's. Nothing in the text says that it is to wait for the virtual
    // circuit, so it fails once more; when that is gone, it goes.
    let down = |lab: &mut Virtual| report_of(lab.ask(Request::Down { directory: None }));
    let report = down(&mut lab);
    let said = (report.diagnostics.iter())
        .find(|d| d.level == "error" && d.message.contains("ConflictError"));
    assert!(said.is_some(), "{:#?}", report.diagnostics);
    assert_eq!(lab.lab.estate().of_kind(VIRTUAL_CIRCUIT).count(), 0);
    let report = down(&mut lab);
    assert!(complaints(&report).is_empty(), "{:#?}", report.diagnostics);
    assert_eq!(lab.lab.estate().resources().count(), 0);
}

#[test]
fn what_is_replaced_is_deleted_and_made_anew() {
    let mut lab = Virtual::new();
    lab.up(vec![Edited::example().0]);
    lab.run_for(Duration::from_secs(60));
    // The name of a server forces a new one, the label of a subnet a new subnet with a new instance.
    let edited = Edited::example()
        .replace(
            "azure.tf",
            "\"app-${count.index}\"",
            "\"server-${count.index}\"",
        )
        .replace(
            "oci.tf",
            "  display_name               = \"db\"\n  dns_label                  = \"db\"",
            "  display_name               = \"db\"\n  dns_label                  = \"data\"",
        );
    let report = lab.up(vec![edited.0]);
    let bad = complaints(&report);
    assert!(bad.is_empty(), "{bad:#?}");
    assert_works(&report, 4, 4);
    let counts = (report.summary.created, report.summary.deleted);
    assert_eq!(counts, (4, 4), "{:?}", report.summary);
    assert!(report.reachability.iter().any(|r| r.from == "server-1"));
    for session in &report.sessions {
        assert!(session.uptime.unwrap() > 59.0, "{session:?}");
    }
}

#[test]
fn a_replacement_that_its_cloud_refuses_is_said_and_leaves_everything_as_it_was() {
    let mut lab = Virtual::new();
    lab.up(vec![Edited::example().0]);
    let before = kinds(&lab);
    // A new name means a new subnet, and the old one is in use: Azure refuses, here as in reality.
    let edited = Edited::example().replace(
        "azure.tf",
        "name                 = \"app\"",
        "name                 = \"servers\"",
    );
    let report = lab.up(vec![edited.0]);
    let said = (report.diagnostics.iter()).find(|d| {
        d.level == "rejected by Azure"
            && d.source.as_deref() == Some("InUseSubnetCannotBeDeleted (400)")
    });
    assert!(said.is_some(), "{:#?}", report.diagnostics);
    assert_eq!((report.summary.created, report.summary.deleted), (0, 0));
    assert_eq!(kinds(&lab), before);
    assert_works(&lab.up(vec![Edited::example().0]), 4, 4);
}

#[test]
fn a_virtual_circuit_that_is_replaced_comes_up_again() {
    let mut lab = Virtual::new();
    lab.up(vec![Edited::example().0]);
    // Other addresses on the links: the peering of both clouds follows.
    let report = lab.up(vec![
        Edited::example().var("peering_cidr", "172.30.254.0/29").0,
    ]);
    let bad = complaints(&report);
    assert!(bad.is_empty(), "{bad:#?}");
    assert_works(&report, 4, 4);
    let Response::Peerings(peerings) = lab.ask(Request::Show(Show::Peerings)) else {
        panic!("no peerings");
    };
    assert_eq!(peerings.rows[0].primary, "172.30.254.0/30");
    assert_eq!(peerings.rows[0].sessions, ["Established", "Established"]);
}
