//! Golden texts of hand-made documents, at 80 columns. `INSTA_UPDATE=always cargo test -p skybridge`
//! rewrites them.

use std::collections::BTreeMap;

use skybridge_lab::document::*;
use skybridge_lab::request::{Response, StackSource};

use super::*;

const SCREEN: Screen = Screen {
    width: 80,
    colour: false,
};

fn s(text: &str) -> String {
    text.to_owned()
}

fn listing<T>(rows: Vec<T>) -> Listing<T> {
    Listing { rows }
}

/// Renders, and checks what holds for every text: it fits, and no line ends in blanks.
fn render(response: &Response, sources: &Sources) -> String {
    let text = text(response, &SCREEN, sources);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "too wide: {line}");
        assert_eq!(line, line.trim_end(), "blanks at the end");
    }
    text
}

fn golden(name: &str, response: &Response) {
    insta::assert_snapshot!(name, render(response, &Sources::default()));
}

fn session(path: &str, state: &str) -> SessionRow {
    SessionRow {
        local: s("msee-ams-1 10.0.0.2"),
        remote: s("10.0.0.1"),
        asn: (12076, 31898),
        peering: s("hub-circuit AzurePrivatePeering"),
        path: s(path),
        state: s(state),
        uptime: (state == "Established").then_some(12.34),
        prefixes_received: 1,
        prefixes_sent: 2,
        bfd: s("up"),
        hold_time_s: Some(180),
        last_reset: (state != "Established").then(|| s("hold timer expired")),
    }
}

fn circuit() -> CircuitRow {
    CircuitRow {
        name: s("interconnect"),
        address: s("azurerm_express_route_circuit.interconnect"),
        provider: s("Oracle Cloud FastConnect"),
        location: s("Amsterdam2"),
        bandwidth_mbps: 1000,
        sku: s("Local_UnlimitedData"),
        service_key: s("00000000-0000-4000-8000-000000000001"),
        circuit_state: s("Enabled"),
        provider_state: s("Provisioned"),
    }
}

fn finding(level: &str, message: &str) -> Diagnostic {
    Diagnostic {
        level: s(level),
        message: s(message),
        file: None,
        line: None,
        column: None,
        span: None,
        rule: None,
        help: None,
        grade: None,
        source: None,
    }
}

fn reach(from: &str, to: &str, ok: Verdict) -> ReachabilityRow {
    ReachabilityRow {
        from: s(from),
        to: s(to),
        ok,
        rtt_us: (ok == Verdict::Holds).then_some(412),
        note: s(match ok {
            Verdict::Holds => "emulator overhead",
            Verdict::Fails => "dropped at drg: no route (table default)",
            Verdict::Unknown => "network security group of unknown prefix",
        }),
    }
}

fn report() -> Report {
    let app = "azurerm_linux_virtual_machine.app[0]";
    let db = "oci_core_instance.db";
    Report {
        forwards: Vec::new(),
        expectations: vec![
            ExpectationRow {
                name: s("every app server reaches the database"),
                mode: Mode::Live,
                holds: Verdict::Holds,
                detail: s("2 connections to TCP 1521, both delivered"),
            },
            ExpectationRow {
                name: s("every app server reaches the database"),
                mode: Mode::Simulated,
                holds: Verdict::Fails,
                detail: s(
                    "cut of msee-1 (silent): 31.2 s lost, more than 2 s; the hold timer decided",
                ),
            },
        ],
        reachability: vec![
            reach(app, db, Verdict::Holds),
            reach(db, app, Verdict::Fails),
            reach(db, "azurerm_linux_virtual_machine.app[1]", Verdict::Unknown),
        ],
        sessions: vec![
            session("primary", "Established"),
            session("secondary", "Active"),
        ],
        circuits: vec![circuit()],
        ignored: vec![IgnoredRow {
            kind: s("azurerm_storage_account"),
            count: 3,
            file: s("main.tf"),
            line: 12,
        }],
        not_modelled: vec![NotModelledRow {
            resource: s("azurerm_firewall.hub"),
            what: s("azurerm_firewall"),
            file: Some(s("hub.tf")),
            line: Some(7),
        }],
        assumed: vec![AssumedRow {
            name: s("msee-route-advertisement-interval"),
            value: s("0 s"),
            source: s("data/behaviours.csv"),
        }],
        diagnostics: Vec::new(),
        summary: Summary {
            created: 31,
            changed: 0,
            deleted: 0,
            resources: 31,
            network_up_ms: 512,
            checked_ms: 790,
            simulated_ms: 240,
            clock_slips: 2,
            clock_slipped_ms: 340,
            outputs: vec![
                (s("service_key"), s("(sensitive)")),
                (s("db"), s("10.1.0.5")),
            ],
        },
    }
}

#[test]
fn a_report_shows_what_is_there_what_was_checked_and_what_was_left_out() {
    golden("report", &Response::Report(Box::new(report())));
}

#[test]
fn many_pairs_that_reach_each_other_are_counted_and_failures_are_all_listed() {
    let mut doc = Report::default();
    doc.reachability
        .extend((0..40).map(|n| reach(&format!("a{n}"), "b", Verdict::Holds)));
    doc.reachability
        .extend((0..30).map(|n| reach("b", &format!("a{n}"), Verdict::Fails)));
    let text = render(&Response::Report(Box::new(doc)), &Sources::default());
    assert_eq!(text.matches("✗ no").count(), 30);
    assert!(text.contains("40 more pairs that reach each other"));
}

#[test]
fn findings_are_grouped_by_level_with_an_excerpt_where_the_source_is_at_hand() {
    let text = "resource \"azurerm_subnet\" \"gw\" {\n  name             = \"Gateway\"\n  address_prefixes = [\"10.0.255.0/29\"]\n}\n";
    let stack = StackSource {
        directory: s("/work/net"),
        files: BTreeMap::from([(s("main.tf"), s(text))]),
        ..StackSource::default()
    };
    let start = u32::try_from(text.find("\"Gateway\"").unwrap()).unwrap();
    let mut named = finding(
        "rejected by Azure",
        "the gateway's subnet must be called GatewaySubnet",
    );
    named.file = Some(s("main.tf"));
    named.line = Some(2);
    named.span = Some((start, start + 9));
    named.rule = Some(s("azure::gateway_subnet_name"));
    named.help = Some(s("name = \"GatewaySubnet\""));
    named.grade = Some(s("documented"));
    named.source = Some(s("Microsoft Learn, ExpressRoute virtual network gateways"));
    let mut by_line = finding("warning", "a /29 leaves no room for a second gateway");
    by_line.file = Some(s("main.tf"));
    by_line.line = Some(3);
    let mut elsewhere = finding("advice", "declare the delay of this link");
    elsewhere.file = Some(s("other.sky.hcl"));
    elsewhere.line = Some(9);
    let mut notice = finding(
        "notice",
        "subscription_id has no value; a rehearsal needs no account, a placeholder stands for it",
    );
    notice.file = Some(s("variables.tf"));
    notice.line = Some(2);
    let mut again = elsewhere.clone();
    again.line = Some(19);
    let doc = ErrorDocument {
        message: s("nothing was changed"),
        help: Some(s("correct the findings, or use --force")),
        diagnostics: vec![notice, elsewhere, again, by_line, named],
    };
    let response = Response::Error(doc);
    insta::assert_snapshot!("findings", render(&response, &Sources::of(&[stack])));
}

#[test]
fn a_span_that_does_not_fit_its_file_is_left_out() {
    let stack = StackSource {
        files: BTreeMap::from([(s("main.tf"), s("short"))]),
        ..StackSource::default()
    };
    let mut wrong = finding("error", "odd");
    wrong.file = Some(s("main.tf"));
    wrong.line = Some(7);
    wrong.span = Some((90, 99));
    let doc = ErrorDocument {
        message: s("refused"),
        help: None,
        diagnostics: vec![wrong],
    };
    let text = render(&Response::Error(doc), &Sources::of(&[stack]));
    assert!(text.contains("odd (main.tf:7)"), "{text}");
}

#[test]
fn tables_have_the_columns_of_the_clouds_tools() {
    let arp = ArpTable {
        circuit: s("interconnect"),
        path: s("primary"),
        entries: vec![
            ArpRow {
                age: 10,
                interface_property: s("On-Prem"),
                ip_address: s("10.0.0.1"),
                mac_address: s("ffff.eeee.dddd"),
            },
            ArpRow {
                age: 0,
                interface_property: s("Microsoft"),
                ip_address: s("10.0.0.2"),
                mac_address: s("aaaa.bbbb.cccc"),
            },
        ],
    };
    golden("arp", &Response::Arp(listing(vec![arp])));
    let route = |network: &str, lost: Option<&str>| RouteRow {
        network: s(network),
        next_hop: s("10.0.0.1"),
        loc_prf: String::new(),
        weight: 0,
        path: s("65020 65021"),
        best: lost.is_none(),
        lost_by: lost.map(s),
    };
    let table = RouteTable {
        circuit: s("interconnect"),
        path: s("secondary"),
        entries: vec![
            route("10.1.0.0/16", None),
            route("10.1.0.0/16", Some("longer AS path")),
        ],
    };
    golden("routes", &Response::Routes(listing(vec![table])));
    let summary = RouteSummaryTable {
        circuit: s("interconnect"),
        path: s("primary"),
        entries: vec![RouteSummaryRow {
            neighbor: s("10.0.0.1"),
            v: 4,
            asn: 65020,
            up_down: s("8w4d"),
            state_pfx_rcd: s("50"),
        }],
    };
    golden(
        "route-summary",
        &Response::RouteSummary(listing(vec![summary])),
    );
    golden("circuits", &Response::Circuits(listing(vec![circuit()])));
    golden(
        "bgp",
        &Response::Bgp(listing(vec![session("primary", "Established")])),
    );
    golden("nothing", &Response::Arp(listing(vec![])));
}

#[test]
fn a_trace_marks_hidden_hops_and_says_what_stopped_the_packet() {
    let hop = |node: &str, hidden, verdict: &str| HopRow {
        node: s(node),
        role: s("MSEE"),
        hidden,
        ingress: s("port0"),
        tags: s("S 100 C 200"),
        vrf: s("private"),
        route: s("10.1.0.0/16 via 10.0.0.1 (bgp)"),
        ttl: 63,
        verdict: s(verdict),
    };
    let doc = TraceReport {
        from: s("app"),
        to: s("db"),
        forward: vec![
            hop("gateway-0", true, "forwarded to msee1"),
            hop("msee-1", false, "dropped: no route"),
        ],
        back: Vec::new(),
        outcome: s("dropped at msee-1: no route"),
        ok: false,
        unknown: false,
    };
    golden("trace", &Response::Trace(doc));
}

#[test]
fn a_ping_counts_losses_and_says_what_its_times_are() {
    let reply = |sequence, rtt_us| PingReply {
        sequence,
        rtt_us,
        void: false,
        ttl: Some(60),
        error: rtt_us
            .is_none()
            .then(|| s("no route at drg (table default)")),
    };
    let doc = PingReport {
        from: s("app"),
        to: s("db"),
        address: s("10.1.0.5"),
        replies: vec![
            reply(1, Some(400)),
            reply(2, None),
            reply(3, Some(600)),
            PingReply {
                void: true,
                error: None,
                ..reply(4, None)
            },
        ],
        sent: 4,
        received: 3,
        clock_slips: 1,
        note: s("emulator overhead: no delay was declared"),
    };
    golden("ping", &Response::Ping(doc));
}

#[test]
fn an_explanation_lists_candidates_before_its_sentences() {
    let doc = Explanation {
        prefix: s("10.1.0.0/16"),
        at: s("msee-1"),
        tables: vec![ExplainedTable {
            table: s("circuit 1 private"),
            candidates: vec![
                Candidate {
                    prefix: s("10.1.0.0/16"),
                    next_hop: s("10.0.0.1"),
                    source: s("bgp from 10.0.0.1"),
                    used: true,
                    reason: s("the shortest AS path"),
                },
                Candidate {
                    prefix: s("10.1.0.0/16"),
                    next_hop: s("10.0.0.5"),
                    source: s("bgp from 10.0.0.5"),
                    used: false,
                    reason: s("longer AS path: 3 against 2"),
                },
            ],
        }],
        summary: vec![s("msee-1 sends it to 10.0.0.1.")],
    };
    golden("explanation", &Response::Explain(doc));
}

#[test]
fn faults_say_what_is_cut_still() {
    let doc = FaultReport {
        elements: vec![s("interconnect/primary")],
        what: s("cut, silent"),
        cut: vec![s("interconnect/primary"), s("msee-2")],
    };
    golden("fault", &Response::Fault(doc));
}

#[test]
fn json_is_the_document_without_the_envelope() {
    let text = json(&Response::Report(Box::new(report())));
    let back: Report = serde_json::from_str(&text).unwrap();
    assert_eq!(back, report());
    assert!(!text.contains("\"response\""));
    let done = Response::Done { message: s("fine") };
    assert_eq!(json(&done), "{\n  \"message\": \"fine\"\n}\n");
}
