//! A site behind a carrier: what the examples must come to, and what each fault of the carrier does.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it wants")]

mod common;

use std::path::Path;
use std::time::Duration;

use common::{Virtual, read};
use skybridge_lab::document::{ArpTable, Mode, ProviderRow, Report, SessionRow, Verdict};
use skybridge_lab::request::{CeFormat, Provider, Request, Response, Show, StackSource, UpRequest};

fn site_example(name: &str) -> StackSource {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    read(&manifest.join("../../examples").join(name))
}

fn up() -> Virtual {
    let mut lab = Virtual::new();
    let report = lab.up(vec![site_example("site-to-azure")]);
    all_hold(&report);
    lab
}

fn all_hold(report: &Report) {
    assert!(!report.expectations.is_empty(), "{report:#?}");
    for row in &report.expectations {
        assert_eq!(row.holds, Verdict::Holds, "{}: {}", row.name, row.detail);
    }
}

fn provider(lab: &mut Virtual, order: Provider) -> Response {
    lab.ask(Request::Provider(order))
}

fn set(lab: &mut Virtual, key: &str, value: &str) -> Response {
    let order = Provider::Set {
        key: key.to_owned(),
        name: "fault".to_owned(),
        value: value.to_owned(),
    };
    provider(lab, order)
}

fn listed(lab: &mut Virtual) -> ProviderRow {
    match provider(lab, Provider::List) {
        Response::Provider(mut listing) => listing.rows.remove(0),
        other => panic!("{other:?}"),
    }
}

fn sessions(lab: &mut Virtual) -> Vec<SessionRow> {
    match lab.ask(Request::Show(Show::Bgp { all: false })) {
        Response::Bgp(listing) => listing.rows,
        other => panic!("{other:?}"),
    }
}

/// The state of the session at a router.
fn state(lab: &mut Virtual, router: &str) -> String {
    let rows = sessions(lab);
    let row = rows.iter().find(|r| r.local.starts_with(router));
    row.unwrap_or_else(|| panic!("{rows:#?}")).state.clone()
}

fn arp(lab: &mut Virtual, path: &str) -> ArpTable {
    match lab.ask(Request::Show(Show::Arp { circuit: None })) {
        Response::Arp(listing) => listing.rows.into_iter().find(|t| t.path == path).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn knows_the_customer(table: &ArpTable) -> bool {
    let on_prem = |row: &&skybridge_lab::document::ArpRow| row.interface_property == "On-Prem";
    let row = table.entries.iter().find(on_prem);
    row.is_some_and(|row| row.mac_address != "Incomplete")
}

/// How many of three echo requests of a size are answered.
fn ping(lab: &mut Virtual, from: &str, to: &str, size: u16) -> u32 {
    let request = Request::Ping {
        from: from.to_owned(),
        to: to.to_owned(),
        count: 3,
        size,
        dont_fragment: true,
        interval_ms: 100,
    };
    match lab.ask(request) {
        Response::Ping(report) => report.received,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_site_and_the_virtual_network_reach_each_other_and_survive_any_one_failure() {
    let mut lab = Virtual::new();
    let report = lab.up_with(UpRequest {
        stacks: vec![site_example("site-to-azure")],
        force: false,
        skip_simulation: false,
    });
    all_hold(&report);
    let simulated = report
        .expectations
        .iter()
        .find(|e| e.mode == Mode::Simulated);
    assert!(simulated.is_some());
    assert!(
        report.diagnostics.iter().all(|d| d.level == "notice"),
        "{:#?}",
        report.diagnostics
    );
    // Two paths, seen from both ends.
    let rows = sessions(&mut lab);
    assert_eq!(rows.len(), 4, "{rows:#?}");
    assert!(rows.iter().all(|r| r.state == "Established"), "{rows:#?}");
}

#[test]
fn a_trace_shows_the_tags_that_the_carrier_takes_and_gives() {
    let mut lab = up();
    let request = Request::Trace {
        from: "desk".to_owned(),
        to: "app".to_owned(),
        tcp: None,
    };
    let Response::Trace(trace) = lab.ask(request) else {
        panic!("no trace");
    };
    let switch = trace.forward.iter().find(|h| h.node.starts_with("metro-"));
    let switch = switch.unwrap_or_else(|| panic!("{:#?}", trace.forward));
    assert!(switch.hidden);
    assert_eq!(switch.tags, "");
    assert!(switch.verdict.contains("with S "), "{}", switch.verdict);
    assert!(switch.verdict.ends_with("C 100"), "{}", switch.verdict);
    let back = trace.back.iter().find(|h| h.node.starts_with("metro-"));
    assert!(back.unwrap().tags.ends_with("C 100"));
}

#[test]
fn a_fault_of_the_carrier_costs_its_path_as_in_reality_and_mending_it_brings_it_back() {
    let mut lab = up();
    for (fault, no_arp) in [
        ("strip-tag", true),
        ("wrong-s-tag", true),
        ("wrong-s-tag=77", true),
        ("wrong-c-tag=101", true),
        ("silent", true),
        // The MSEE still hears who asks for its own address.
        ("one-way=customer", false),
        ("one-way=cloud", true),
        ("loss=60", false),
    ] {
        let Response::Done { message } = set(&mut lab, "hq/primary", fault) else {
            panic!("{fault}");
        };
        assert!(message.contains("primary path"), "{message}");
        lab.run_for(Duration::from_secs(60));
        let row = listed(&mut lab);
        let faults: Vec<usize> = row.paths.iter().map(|p| p.faults.len()).collect();
        assert_eq!(faults, [1, 0], "{row:#?}");
        assert_ne!(state(&mut lab, "msee-1"), "Established", "{fault}");
        assert_ne!(state(&mut lab, "ce1"), "Established", "{fault}");
        assert_eq!(state(&mut lab, "msee-2"), "Established", "{fault}");
        // Longer than an entry is believed without an answer.
        lab.run_for(Duration::from_secs(1800));
        if no_arp {
            let table = arp(&mut lab, "primary");
            assert!(!knows_the_customer(&table), "{fault}: {table:#?}");
        }
        assert!(knows_the_customer(&arp(&mut lab, "secondary")), "{fault}");
        assert_eq!(ping(&mut lab, "desk", "app", 56), 3, "{fault}");
        set(&mut lab, "hq/primary", "ok");
        lab.run_for(Duration::from_secs(300));
        assert_eq!(state(&mut lab, "msee-1"), "Established", "{fault}");
        assert_eq!(ping(&mut lab, "app", "desk", 56), 3, "{fault}");
    }
}

#[test]
fn a_carrier_with_too_small_an_mtu_keeps_the_sessions_and_loses_large_packets_without_a_word() {
    let mut lab = up();
    set(&mut lab, "hq", "mtu=1200");
    lab.run_for(Duration::from_secs(400));
    assert_eq!(state(&mut lab, "msee-1"), "Established");
    assert_eq!(state(&mut lab, "ce2"), "Established");
    assert_eq!(ping(&mut lab, "desk", "app", 1000), 3);
    assert_eq!(ping(&mut lab, "desk", "app", 1300), 0);
    set(&mut lab, "hq", "ok");
    assert_eq!(ping(&mut lab, "desk", "app", 1300), 3);
}

#[test]
fn with_bfd_a_silent_carrier_is_seen_in_a_second_and_without_it_after_the_hold_time() {
    for (bfd, seconds_up, seconds_down) in [("true", 0, 2), ("false", 2, 200)] {
        let mut source = site_example("site-to-azure");
        let text = source.files.get_mut("lab.sky.hcl").unwrap();
        *text = text.replace(
            "    path    = \"primary\"\n",
            &format!("    path    = \"primary\"\n    bfd     = {bfd}\n"),
        );
        let mut lab = Virtual::new();
        all_hold(&lab.up(vec![source]));
        lab.run_for(Duration::from_secs(10));
        set(&mut lab, "hq/primary", "silent");
        lab.run_for(Duration::from_secs(seconds_up));
        assert_eq!(state(&mut lab, "msee-1"), "Established", "bfd {bfd}");
        lab.run_for(Duration::from_secs(seconds_down));
        assert_ne!(state(&mut lab, "msee-1"), "Established", "bfd {bfd}");
    }
}

#[test]
fn a_carrier_that_is_not_there_or_a_fault_that_nobody_knows_is_refused() {
    let mut lab = up();
    let Response::Error(error) = set(&mut lab, "hq", "slow") else {
        panic!("taken");
    };
    assert!(error.help.unwrap().contains("one-way=customer"));
    let mut lab = Virtual::new();
    lab.up(vec![common::example()]);
    let Response::Error(error) = set(&mut lab, "payments-oci", "silent") else {
        panic!("taken");
    };
    assert!(error.help.unwrap().contains("provider Oracle"));
}

#[test]
fn the_provider_may_be_asked_by_hand_to_provision_the_service_key() {
    let mut source = site_example("site-to-azure");
    let text = source.files.get_mut("circuit.tf").unwrap();
    *text = text.replace(
        "  bandwidth_in_mbps     = var.bandwidth_mbps\n",
        "  bandwidth_in_mbps     = var.bandwidth_mbps\n  tags                  = { skybridge-provider = \"manual\" }\n",
    );
    // Without provisioning there is no peering: the stack stops at the circuit.
    text.truncate(
        text.find("resource \"azurerm_express_route_circuit_peering\"")
            .unwrap(),
    );
    let mut lab = Virtual::new();
    lab.up_with(UpRequest {
        stacks: vec![source.clone()],
        force: true,
        skip_simulation: true,
    });
    let row = listed(&mut lab);
    assert_eq!(
        (row.mode.as_str(), row.state.as_str()),
        ("manual", "NotProvisioned")
    );
    let key = row.service_key;
    provider(&mut lab, Provider::Provision { key });
    lab.run_for(Duration::from_secs(60));
    assert_eq!(listed(&mut lab).state, "Provisioned");
    let whole = site_example("site-to-azure").files["circuit.tf"].clone();
    let peering = whole
        .find("resource \"azurerm_express_route_circuit_peering\"")
        .unwrap();
    source
        .files
        .get_mut("circuit.tf")
        .unwrap()
        .push_str(&whole[peering..]);
    all_hold(&lab.up(vec![source]));
    assert_eq!(listed(&mut lab).paths.len(), 2);
}

#[test]
fn a_site_does_not_reach_oci_through_azure_on_live_packets() {
    let mut lab = Virtual::new();
    let report = lab.up(vec![site_example("site-azure-oci")]);
    all_hold(&report);
    assert_eq!(report.expectations.len(), 4);
    assert_eq!(ping(&mut lab, "hq-lan", "app", 56), 3);
    assert_eq!(ping(&mut lab, "app", "db", 56), 3);
    assert_eq!(ping(&mut lab, "hq-lan", "db", 56), 0);
    // What keeps them apart is that neither is told of the other: no route at the site's edge.
    let request = Request::Trace {
        from: "hq-lan".to_owned(),
        to: "db".to_owned(),
        tcp: None,
    };
    let Response::Trace(trace) = lab.ask(request) else {
        panic!("no trace");
    };
    let last = trace.forward.last().unwrap();
    assert_eq!(last.node, "lan@hq");
    assert!(last.verdict.contains("no route"), "{}", last.verdict);
}

/// The example with edits in its files, each a text and what takes its place.
fn edited(edits: &[(&str, &str, &str)]) -> StackSource {
    let mut source = site_example("site-to-azure");
    for (file, from, to) in edits {
        let text = source.files.get_mut(*file).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}");
        *text = text.replacen(from, to, 1);
    }
    source
}

const LAB: &str = "lab.sky.hcl";
const FIRST: &str = "    path    = \"primary\"\n";
const SECOND: &str = "    path    = \"secondary\"\n";

#[test]
fn what_does_not_fit_between_site_and_cloud_is_said_at_its_place() {
    let will_not_work = "will not work";
    let cases = [
        (
            "site.asn-differs",
            will_not_work,
            vec![(LAB, "asn = var.site_asn", "asn = 65011")],
        ),
        (
            "site.overlaps-vnet",
            will_not_work,
            vec![
                (LAB, "192.168.0.0/16", "10.0.0.0/8"),
                (LAB, "192.168.0.10", "10.0.0.10"),
            ],
        ),
        (
            "site.overlaps-peering",
            will_not_work,
            vec![
                (LAB, "192.168.0.0/16", "172.16.0.0/12"),
                (LAB, "192.168.0.10", "172.16.0.10"),
            ],
        ),
        (
            "site.networks-overlap",
            will_not_work,
            vec![(
                LAB,
                "  router \"ce1\"",
                "  network \"more\" { cidr = \"192.168.9.0/24\" }\n  router \"ce1\"",
            )],
        ),
        (
            "site.vlan-differs",
            will_not_work,
            vec![(
                LAB,
                FIRST,
                "    path = \"primary\"\n    mode = \"trunk\"\n    vlan = 300\n",
            )],
        ),
        (
            "site.key-differs",
            will_not_work,
            vec![(LAB, FIRST, "    path = \"primary\"\n    md5 = \"Other1\"\n")],
        ),
        ("site.path-taken", will_not_work, vec![(LAB, SECOND, FIRST)]),
        ("site.one-path", "advice", vec![(LAB, SECOND, FIRST)]),
        (
            "site.no-bfd",
            "advice",
            vec![(LAB, FIRST, "    path = \"primary\"\n    bfd = false\n")],
        ),
        (
            "site.no-persona",
            "advice",
            vec![(
                LAB,
                SECOND,
                "    path = \"secondary\"\n    attach = \"netns:frr\"\n",
            )],
        ),
        (
            "carrier.unused",
            "advice",
            vec![(
                LAB,
                "provider = var.provider_name",
                "provider = \"Megaport\"",
            )],
        ),
    ];
    for (rule, level, edits) in cases {
        let mut lab = Virtual::new();
        let report = lab.up(vec![edited(&edits)]);
        let found = report
            .diagnostics
            .iter()
            .find(|d| d.rule.as_deref() == Some(rule));
        let found = found.unwrap_or_else(|| panic!("{rule}: {:#?}", report.diagnostics));
        assert_eq!(found.level, level, "{rule}");
        assert_eq!(found.file.as_deref(), Some(LAB), "{rule}");
        assert!(found.line.is_some() && found.help.is_some() && found.source.is_some());
    }
}

#[test]
fn a_circuit_without_a_peering_for_its_router_will_not_work() {
    let mut source = site_example("site-to-azure");
    let text = source.files.get_mut("circuit.tf").unwrap();
    text.truncate(
        text.find("resource \"azurerm_express_route_circuit_peering\"")
            .unwrap(),
    );
    let report = Virtual::new().up(vec![source]);
    let rules: Vec<_> = report
        .diagnostics
        .iter()
        .filter_map(|d| d.rule.as_deref())
        .collect();
    assert!(
        rules.contains(&"site.no-peering"),
        "{:#?}",
        report.diagnostics
    );
}

#[test]
fn two_stacks_do_not_have_a_site_of_one_name() {
    let first = site_example("site-to-azure");
    let mut second = StackSource {
        directory: "/elsewhere".to_owned(),
        ..StackSource::default()
    };
    let text = "site \"hq\" {\n  asn = 65020\n  network \"lan\" { cidr = \"10.77.0.0/16\" }\n}\n";
    second.files.insert(LAB.to_owned(), text.to_owned());
    let report = Virtual::new().up(vec![first, second]);
    let rules: Vec<_> = report
        .diagnostics
        .iter()
        .filter_map(|d| d.rule.as_deref())
        .collect();
    assert!(
        rules.contains(&"site.name-twice"),
        "{:#?}",
        report.diagnostics
    );
}

#[test]
fn a_directory_with_only_lab_files_is_a_network_too() {
    let mut source = StackSource {
        directory: "/only".to_owned(),
        ..StackSource::default()
    };
    let text = r#"
site "hq" {
  asn = 65010
  network "lan" { cidr = "192.168.0.0/24" }
  network "lab" { cidr = "192.168.1.0/24" }
}
expect "one network reaches the other" {
  from = site.hq.lan
  to   = site.hq.lab
}
"#;
    source.files.insert(LAB.to_owned(), text.to_owned());
    let mut lab = Virtual::new();
    let report = lab.up(vec![source]);
    all_hold(&report);
    assert_eq!(ping(&mut lab, "hq-lab", "hq-lan", 56), 3);
}

#[test]
fn the_edges_configuration_is_that_of_the_peering() {
    let mut lab = up();
    let request = |router: Option<&str>, show_secrets| {
        Request::Show(Show::CeConfig {
            site: "hq".to_owned(),
            router: router.map(str::to_owned),
            format: CeFormat::Frr,
            show_secrets,
        })
    };
    let Response::CeConfig(all) = lab.ask(request(None, false)) else {
        panic!("no configuration");
    };
    assert_eq!(all.configs.len(), 2);
    let Response::CeConfig(one) = lab.ask(request(Some("ce2"), true)) else {
        panic!("no configuration");
    };
    let text = &one.configs[0].text;
    for line in [
        "router bgp 65010",
        " ip address 172.30.255.5/30",
        " neighbor 172.30.255.6 remote-as 12076",
        " neighbor 172.30.255.6 password Skybridge1Example",
        "  network 192.168.0.0/16",
    ] {
        assert!(text.lines().any(|l| l == line), "{line:?} in\n{text}");
    }
    let Response::Error(error) = lab.ask(request(Some("ce3"), false)) else {
        panic!("taken");
    };
    assert!(error.message.contains("ce3"));
}

#[test]
fn a_circuit_of_provider_oracle_leads_to_no_site() {
    let mut source = site_example("site-azure-oci");
    let text = source.files.get_mut(LAB).unwrap();
    *text = text.replace(
        "azurerm_express_route_circuit.hq",
        "azurerm_express_route_circuit.oci",
    );
    let report = Virtual::new().up(vec![source]);
    let rules: Vec<_> = report
        .diagnostics
        .iter()
        .filter_map(|d| d.rule.as_deref())
        .collect();
    assert!(
        rules.contains(&"site.circuit-of-oracle"),
        "{:#?}",
        report.diagnostics
    );
}

#[test]
fn the_own_routers_have_the_configurations_that_are_printed() {
    let source = site_example("own-routers");
    let mut lab = Virtual::new();
    lab.up(vec![source.clone()]);
    for (router, format, file) in [
        ("ce1", CeFormat::Frr, "ce1-frr.conf"),
        ("ce2", CeFormat::Bird, "ce2-bird.conf"),
    ] {
        let request = Request::Show(Show::CeConfig {
            site: "hq".to_owned(),
            router: Some(router.to_owned()),
            format,
            show_secrets: true,
        });
        let Response::CeConfig(printed) = lab.ask(request) else {
            panic!("no configuration");
        };
        assert_eq!(printed.configs[0].text, source.files[file], "{file}");
    }
}

#[test]
fn a_single_hand_off_does_not_survive_its_switch() {
    let source = edited(&[(LAB, "hand_off = \"redundant\"", "hand_off = \"single\"")]);
    let mut lab = Virtual::new();
    let report = lab.up_with(UpRequest {
        stacks: vec![source],
        force: false,
        skip_simulation: false,
    });
    let (live, simulated): (Vec<_>, Vec<_>) = report
        .expectations
        .iter()
        .partition(|e| e.mode == Mode::Live);
    assert!(live.iter().all(|e| e.holds == Verdict::Holds), "{live:#?}");
    assert_eq!(simulated[0].holds, Verdict::Fails);
    assert!(
        simulated[0].detail.contains("metro@amsterdam"),
        "{}",
        simulated[0].detail
    );
}
