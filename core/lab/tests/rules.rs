//! One edit of the example for every rule: what is said, at which level, and where.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::Virtual;
use common::edits::Edited;
use skybridge_lab::document::{Diagnostic, Report, Verdict};
use skybridge_lab::request::{Request, Response, UpRequest};

/// What `up` says, which `plan` has to say before.
#[track_caller]
fn said(edited: &Edited) -> Report {
    let mut lab = Virtual::new();
    let request = UpRequest {
        stacks: vec![edited.0.clone()],
        force: false,
        skip_simulation: true,
    };
    let Response::Plan(plan) = lab.ask(Request::Plan(request)) else {
        panic!("no plan");
    };
    let report = lab.up(vec![edited.0.clone()]);
    let weighty = |all: &[Diagnostic]| -> Vec<Diagnostic> {
        let mut all = all.to_vec();
        all.retain(|d| !matches!(d.level.as_str(), "warning" | "notice"));
        all
    };
    assert_eq!(weighty(&plan.diagnostics), weighty(&report.diagnostics));
    report
}

fn forced(edited: &Edited) -> Report {
    Virtual::new().up_with(UpRequest {
        stacks: vec![edited.0.clone()],
        force: true,
        skip_simulation: true,
    })
}

/// Level, rule, file and line of what must be said.
#[track_caller]
fn expect<'a>(
    report: &'a Report,
    level: &str,
    rule: &str,
    file: &str,
    line: u32,
) -> &'a Diagnostic {
    let found = (report.diagnostics.iter()).find(|d| {
        d.level == level
            && d.rule.as_deref() == Some(rule)
            && d.file.as_deref() == Some(file)
            && d.line == Some(line)
    });
    found.unwrap_or_else(|| {
        panic!(
            "no {level} {rule} at {file}:{line} in {:#?}",
            report.diagnostics
        )
    })
}

/// Nothing was brought up.
#[track_caller]
fn stopped(report: &Report) {
    assert_eq!(report.summary.created, 0);
    assert!(report.sessions.is_empty());
}

const WILL_NOT_WORK: &str = "will not work";
const AZURE: &str = "rejected by Azure";
const OCI: &str = "rejected by OCI";

#[test]
fn networks_at_both_ends_that_overlap() {
    let edited = Edited::example().var("vcn_cidr", "10.20.0.0/16");
    let report = said(&edited);
    stopped(&report);
    let line = edited.line_of("azure.tf", "address_space ");
    let found = expect(
        &report,
        WILL_NOT_WORK,
        "interconnect.overlapping-ranges",
        "azure.tf",
        line,
    );
    assert!(
        found.message.contains("oci_core_vcn.db at oci.tf:"),
        "{found:?}"
    );
}

#[test]
fn a_virtual_network_that_overlaps_the_peering() {
    let edited = Edited::example().var("peering_cidr", "10.20.255.0/29");
    let report = said(&edited);
    stopped(&report);
    let line = edited.line_of("azure.tf", "address_space ");
    let found = expect(
        &report,
        WILL_NOT_WORK,
        "interconnect.overlapping-ranges",
        "azure.tf",
        line,
    );
    assert!(found.message.contains("10.20.255.0/30"), "{found:?}");
}

#[test]
fn a_vcn_that_overlaps_the_peering() {
    let edited = Edited::example().var("peering_cidr", "10.40.255.0/29");
    let report = said(&edited);
    stopped(&report);
    let found: Vec<_> = (report.diagnostics.iter())
        .filter(|d| d.level == WILL_NOT_WORK && d.file.as_deref() == Some("interconnect.tf"))
        .filter(|d| {
            matches!(
                d.rule.as_deref(),
                Some("interconnect.overlapping-ranges" | "oci.vc-block-overlaps-vcn")
            )
        })
        .collect();
    assert!(!found.is_empty(), "{:#?}", report.diagnostics);
    assert!(
        found
            .iter()
            .all(|d| d.line
                >= Some(edited.line_of("interconnect.tf", "\"oci_core_virtual_circuit\"")))
    );
}

#[test]
fn the_ends_of_the_peering_swapped() {
    let edited = Edited::example()
        .replace(
            "interconnect.tf",
            "cross_connect_mappings.value, 1)",
            "cross_connect_mappings.value, 9)",
        )
        .replace(
            "interconnect.tf",
            "cross_connect_mappings.value, 2)",
            "cross_connect_mappings.value, 1)",
        )
        .replace(
            "interconnect.tf",
            "cross_connect_mappings.value, 9)",
            "cross_connect_mappings.value, 2)",
        );
    let report = said(&edited);
    stopped(&report);
    let line = edited.line_of("interconnect.tf", "dynamic \"cross_connect_mappings\"");
    expect(
        &report,
        WILL_NOT_WORK,
        "oci.vc-swapped-ends",
        "interconnect.tf",
        line,
    );
    // By force it comes up, and nothing gets across.
    let report = forced(&edited);
    assert!(report.summary.created > 20, "{:#?}", report.diagnostics);
    assert!(
        report.sessions.iter().all(|s| s.state != "Established"),
        "{:#?}",
        report.sessions
    );
    assert!(!report.reachability.is_empty());
    for row in &report.reachability {
        assert_eq!(row.ok, Verdict::Fails, "{row:?}");
        assert!(!row.note.is_empty());
    }
}

#[test]
fn a_bandwidth_that_fastconnect_does_not_offer() {
    let edited = Edited::example().var("bandwidth_mbps", "500");
    let report = said(&edited);
    stopped(&report);
    let line = edited.line_of("interconnect.tf", "bandwidth_shape_name");
    let found = expect(
        &report,
        OCI,
        "oci.vc-bandwidth-shape",
        "interconnect.tf",
        line,
    );
    assert!(found.message.contains("1 Gbps"), "{found:?}");
}

#[test]
fn a_bandwidth_that_expressroute_does_not_offer() {
    let edited = Edited::example().var("bandwidth_mbps", "3000");
    let report = said(&edited);
    stopped(&report);
    let line = edited.line_of("interconnect.tf", "bandwidth_in_mbps");
    expect(
        &report,
        AZURE,
        "azure.circuit-bandwidth",
        "interconnect.tf",
        line,
    );
    // And the other cloud's word on the same number comes in the same breath.
    let line = edited.line_of("interconnect.tf", "bandwidth_shape_name");
    expect(
        &report,
        OCI,
        "oci.vc-bandwidth-shape",
        "interconnect.tf",
        line,
    );
}

#[test]
fn a_location_that_is_not_joined_to_the_region_is_advice() {
    let edited = Edited::example().replace("variables.tf", "\"Washington DC\"", "\"Frankfurt\"");
    let report = said(&edited);
    let line = edited.line_of("interconnect.tf", "peering_location");
    let found = expect(
        &report,
        "advice",
        "interconnect.location-not-paired",
        "interconnect.tf",
        line,
    );
    assert!(found.message.contains("Washington DC"), "{found:?}");
    assert_eq!(report.sessions.len(), 4);
}

#[test]
fn a_region_that_is_not_joined_to_the_other_is_advice() {
    let edited = Edited::example().replace("variables.tf", "\"East US\"", "\"West Europe\"");
    let report = said(&edited);
    let line = edited.line_of("azure.tf", "azurerm_resource_group.this.location");
    expect(
        &report,
        "advice",
        "interconnect.region-not-paired",
        "azure.tf",
        line,
    );
    assert_eq!(report.sessions.len(), 4);
}

#[test]
fn a_gateway_outside_gateway_subnet() {
    let edited = Edited::example().replace("azure.tf", "\"GatewaySubnet\"", "\"gateways\"");
    let report = said(&edited);
    stopped(&report);
    let line = edited.line_of("interconnect.tf", "azurerm_subnet.gateway.id");
    let found = expect(
        &report,
        AZURE,
        "azure.gateway-subnet-name",
        "interconnect.tf",
        line,
    );
    assert!(found.message.contains("GatewaySubnet"), "{found:?}");
}

#[test]
fn a_gateway_subnet_that_is_too_small() {
    let edited = Edited::example().replace(
        "azure.tf",
        "cidrsubnet(var.vnet_cidr, 11, 0)",
        "cidrsubnet(var.vnet_cidr, 12, 0)",
    );
    let report = said(&edited);
    stopped(&report);
    let line = edited.line_of("interconnect.tf", "azurerm_subnet.gateway.id");
    let found = expect(
        &report,
        AZURE,
        "azure.gateway-subnet-size",
        "interconnect.tf",
        line,
    );
    assert!(found.message.contains("/27"), "{found:?}");
}

/// A circuit of another provider, whose peering the directory makes itself.
fn with_own_peering(argument: &str) -> Edited {
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
}

resource "azurerm_express_route_circuit_peering" "hq" {
  peering_type                  = "AzurePrivatePeering"
  express_route_circuit_name    = azurerm_express_route_circuit.hq.name
  resource_group_name           = azurerm_resource_group.this.name
  primary_peer_address_prefix   = "172.31.0.0/30"
  secondary_peer_address_prefix = "172.31.0.4/30"
  vlan_id                       = 100
  PEERING
}
"#;
    Edited::example().append("hq.tf", &text.replace("PEERING", argument))
}

#[test]
fn an_as_number_that_is_reserved() {
    let edited = with_own_peering("peer_asn = 65515");
    let report = said(&edited);
    stopped(&report);
    let line = edited.line_of("hq.tf", "peer_asn");
    let found = expect(&report, AZURE, "azure.peering-asn", "hq.tf", line);
    assert!(found.message.contains("65515"), "{found:?}");
}

#[test]
fn an_md5_key_that_is_too_long() {
    let edited =
        with_own_peering("peer_asn = 65010\n  shared_key = \"abcdefghijklmnopqrstuvwxyz\"");
    let report = said(&edited);
    stopped(&report);
    let line = edited.line_of("hq.tf", "shared_key");
    expect(&report, AZURE, "azure.peering-shared-key", "hq.tf", line);
    let key = "      bgp_md5auth_key = \"abcdefghijklmnopqrstuvwxyz\"\n    }\n  }\n}\n";
    let edited = Edited::example().replace_block(
        "interconnect.tf",
        "    }\n  }\n}\n\nresource \"azurerm_public_ip\"",
        "\"azurerm_public_ip\"",
        &format!("{key}\nresource \"azurerm_public_ip\""),
    );
    let report = said(&edited);
    stopped(&report);
    let line = edited.line_of("interconnect.tf", "bgp_md5auth_key");
    expect(
        &report,
        WILL_NOT_WORK,
        "oci.vc-md5-length",
        "interconnect.tf",
        line,
    );
}

#[test]
fn a_provider_that_nobody_knows() {
    let edited = Edited::example().replace(
        "interconnect.tf",
        "\"Oracle Cloud FastConnect\"",
        "\"Oracle Cloud FastConect\"",
    );
    let report = said(&edited);
    stopped(&report);
    let line = edited.line_of("interconnect.tf", "service_provider_name");
    let found = expect(
        &report,
        AZURE,
        "azure.circuit-provider",
        "interconnect.tf",
        line,
    );
    let text = format!(
        "{} {}",
        found.message,
        found.help.as_deref().unwrap_or_default()
    );
    assert!(text.contains("Oracle Cloud FastConnect"), "{found:?}");
}

#[test]
fn a_subnet_whose_route_table_does_not_lead_to_the_drg() {
    let edited = Edited::example().replace_block("oci.tf", "\n  route_rules {", "  }\n", "");
    let report = said(&edited);
    stopped(&report);
    let line = edited.line_of("oci.tf", "resource \"oci_core_subnet\" \"db\"");
    let found = expect(
        &report,
        WILL_NOT_WORK,
        "interconnect.missing-subnet-route",
        "oci.tf",
        line,
    );
    assert!(
        found.help.as_deref().unwrap().contains("10.20.0.0/16"),
        "{found:?}"
    );
    // By force: packets arrive and no answer comes back.
    let report = forced(&edited);
    assert!(report.sessions.iter().all(|s| s.state == "Established"));
    assert_eq!(report.sessions.len(), 4);
    assert_eq!(report.expectations[0].holds, Verdict::Fails);
    assert!(
        report.expectations[0].detail.contains("db"),
        "{:?}",
        report.expectations[0]
    );
    for row in &report.reachability {
        assert_eq!(row.ok, Verdict::Fails, "{row:?}");
        assert!(row.note.contains("no route"), "{row:?}");
    }
}

#[test]
fn a_network_security_group_that_closes_the_way() {
    let edited = Edited::example().replace("azure.tf", "\"Allow\"", "\"Deny\"");
    let report = said(&edited);
    stopped(&report);
    let line = edited.line_of("lab.sky.hcl", "every app server");
    let found = expect(
        &report,
        WILL_NOT_WORK,
        "expect.closed-security-rule",
        "lab.sky.hcl",
        line,
    );
    assert!(found.message.contains("database-out"), "{found:?}");
    let report = forced(&edited);
    let row = &report.expectations[0];
    assert_eq!(row.holds, Verdict::Fails);
    assert!(row.detail.contains("database-out"), "{row:?}");
    // Echoes are not what the rule closes.
    assert!(
        report.reachability.iter().all(|r| r.ok == Verdict::Holds),
        "{:#?}",
        report.reachability
    );
}

#[test]
fn a_security_list_that_closes_the_way() {
    let edited = Edited::example().without(
        "oci.tf",
        "resource \"oci_core_network_security_group_security_rule\" \"database\"",
    );
    let report = said(&edited);
    stopped(&report);
    let line = edited.line_of("lab.sky.hcl", "every app server");
    let found = expect(
        &report,
        WILL_NOT_WORK,
        "expect.closed-security-rule",
        "lab.sky.hcl",
        line,
    );
    assert!(found.message.contains("no rule allows it"), "{found:?}");
    let report = forced(&edited);
    let row = &report.expectations[0];
    assert_eq!(row.holds, Verdict::Fails);
    assert!(row.detail.contains("db"), "{row:?}");
}

#[test]
fn every_fault_is_said_at_once() {
    let edited = Edited::example()
        .replace(
            "interconnect.tf",
            "\"Oracle Cloud FastConnect\"",
            "\"Oracle\"",
        )
        .replace(
            "azure.tf",
            "cidrsubnet(var.vnet_cidr, 11, 0)",
            "cidrsubnet(var.vnet_cidr, 13, 0)",
        )
        .replace(
            "oci.tf",
            "cidrsubnet(var.vcn_cidr, 8, 1)",
            "\"10.99.0.0/24\"",
        )
        .var("bandwidth_mbps", "700");
    let report = said(&edited);
    stopped(&report);
    let file = "interconnect.tf";
    expect(
        &report,
        AZURE,
        "azure.circuit-provider",
        file,
        edited.line_of(file, "service_provider_name"),
    );
    expect(
        &report,
        OCI,
        "oci.vc-bandwidth-shape",
        file,
        edited.line_of(file, "bandwidth_shape_name"),
    );
    expect(
        &report,
        AZURE,
        "azure.gateway-subnet-size",
        file,
        edited.line_of(file, "azurerm_subnet.gateway.id"),
    );
    expect(
        &report,
        OCI,
        "oci.subnet-outside-vcn",
        "oci.tf",
        edited.line_of("oci.tf", "10.99.0.0/24"),
    );
}

#[test]
fn what_a_cloud_rejects_force_does_not_pass() {
    let edited = Edited::example().var("bandwidth_mbps", "500");
    stopped(&forced(&edited));
}

#[test]
fn missing_variables_are_one_error_and_accounts_are_none() {
    let edited = Edited::example().append(
        "more.tf",
        "variable \"cost_centre\" {}\nvariable \"tier\" {\n  type = number\n}\n",
    );
    let report = said(&edited);
    stopped(&report);
    let errors: Vec<_> = (report.diagnostics.iter())
        .filter(|d| d.level == "error")
        .collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    let found = expect(&report, "error", "missing-variables", "more.tf", 1);
    assert!(
        found.message.contains("cost_centre") && found.message.contains("\"tier\""),
        "{found:?}"
    );
    let help = found.help.as_deref().unwrap();
    assert!(
        help.contains("-var") && help.contains("TF_VAR_") && help.contains("tfvars"),
        "{help}"
    );
    let notices: Vec<_> = (report.diagnostics.iter())
        .filter(|d| d.level == "notice" && d.file.as_deref() == Some("variables.tf"))
        .collect();
    assert!(
        notices.iter().any(|d| d.message.contains("tenancy_ocid")),
        "{notices:#?}"
    );
    assert!(notices.iter().any(|d| d.message.contains("ssh_public_key")));
}

#[test]
fn a_syntax_error_has_its_place() {
    let edited = Edited::example().replace(
        "azure.tf",
        "address_space       = [var.vnet_cidr]",
        "address_space       = [var.vnet_cidr",
    );
    let report = said(&edited);
    stopped(&report);
    let line = edited.line_of("azure.tf", "address_space ");
    let found = (report.diagnostics.iter())
        .find(|d| d.level == "error" && d.file.as_deref() == Some("azure.tf"))
        .unwrap_or_else(|| panic!("{:#?}", report.diagnostics));
    assert!(
        (line..=line + 1).contains(&found.line.unwrap()),
        "{found:?}"
    );
}

#[test]
fn two_files_with_syntax_errors_are_two_errors() {
    let edited = Edited::example()
        .append("a.tf", "locals {\n  x = = 1\n}\n")
        .append("b.tf", "resource {\n");
    let report = said(&edited);
    stopped(&report);
    for file in ["a.tf", "b.tf"] {
        assert!(
            report
                .diagnostics
                .iter()
                .any(|d| d.level == "error" && d.file.as_deref() == Some(file)),
            "{:#?}",
            report.diagnostics
        );
    }
}

#[test]
fn an_argument_that_does_not_exist_has_a_near_one() {
    let edited =
        Edited::example().replace("interconnect.tf", "bandwidth_in_mbps ", "bandwidth_in_mbp ");
    let report = said(&edited);
    stopped(&report);
    let line = edited.line_of("interconnect.tf", "bandwidth_in_mbp ");
    let found = (report.diagnostics.iter())
        .find(|d| {
            d.level == "error"
                && d.file.as_deref() == Some("interconnect.tf")
                && d.line == Some(line)
        })
        .unwrap_or_else(|| panic!("{:#?}", report.diagnostics));
    let text = format!(
        "{} {}",
        found.message,
        found.help.as_deref().unwrap_or_default()
    );
    assert!(text.contains("bandwidth_in_mbps"), "{found:?}");
}

#[test]
fn a_reference_to_what_is_not_declared_has_a_near_one() {
    let edited = Edited::example().replace(
        "interconnect.tf",
        "gateway_id                = oci_core_drg.this.id",
        "gateway_id                = oci_core_drg.thiss.id",
    );
    let report = said(&edited);
    stopped(&report);
    let line = edited.line_of("interconnect.tf", "thiss");
    let found = (report.diagnostics.iter())
        .find(|d| {
            d.level == "error"
                && d.file.as_deref() == Some("interconnect.tf")
                && d.line == Some(line)
        })
        .unwrap_or_else(|| panic!("{:#?}", report.diagnostics));
    let text = format!(
        "{} {}",
        found.message,
        found.help.as_deref().unwrap_or_default()
    );
    assert!(text.contains("oci_core_drg.this"), "{found:?}");
}

/// The caller's address, which nobody can know in a rehearsal, as a prefix.
const CALLER: &str = "\ndata \"http\" \"me\" {\n  url = \"https://ifconfig.me/ip\"\n}\n";

#[test]
fn a_rule_with_an_unknown_prefix_that_decides_nothing_changes_no_verdict() {
    for attribute in ["body", "response_body"] {
        let rule = format!(
            "  security_rule {{\n    name                       = \"ssh-in\"\n    priority                   = 300\n    direction                  = \"Inbound\"\n    access                     = \"Allow\"\n    protocol                   = \"Tcp\"\n    source_port_range          = \"*\"\n    destination_port_range     = \"22\"\n    source_address_prefix      = \"${{chomp(data.http.me.{attribute})}}/32\"\n    destination_address_prefix = \"*\"\n  }}\n\n  security_rule {{\n    name                       = \"database-out\""
        );
        let edited = Edited::example().append("me.tf", CALLER).replace(
            "azure.tf",
            "  security_rule {\n    name                       = \"database-out\"",
            &rule,
        );
        let report = said(&edited);
        assert_eq!(report.sessions.len(), 4, "{:#?}", report.diagnostics);
        assert_eq!(
            report.expectations[0].holds,
            Verdict::Holds,
            "{:?}",
            report.expectations[0]
        );
        for row in &report.reachability {
            assert_eq!(row.ok, Verdict::Holds, "{row:?}");
        }
        assert!(
            report.ignored.iter().any(|r| r.kind == "http")
                || report
                    .diagnostics
                    .iter()
                    .any(|d| d.message.contains("data.http.me")),
            "{:#?} {:#?}",
            report.ignored,
            report.diagnostics
        );
    }
}

#[test]
fn a_verdict_that_hangs_on_an_unknown_prefix_is_unknown() {
    let deny = "  security_rule {\n    name                       = \"nothing-out\"\n    priority                   = 4000\n    direction                  = \"Outbound\"\n    access                     = \"Deny\"\n    protocol                   = \"*\"\n    source_port_range          = \"*\"\n    destination_port_range     = \"*\"\n    source_address_prefix      = \"*\"\n    destination_address_prefix = \"*\"\n  }\n\n  security_rule {\n    name                       = \"database-out\"";
    let edited = Edited::example()
        .append("me.tf", CALLER)
        .replace(
            "azure.tf",
            "  security_rule {\n    name                       = \"database-out\"",
            deny,
        )
        .replace(
            "azure.tf",
            "destination_address_prefix = var.vcn_cidr",
            "destination_address_prefix = \"${chomp(data.http.me.response_body)}/32\"",
        );
    let report = said(&edited);
    assert_eq!(report.sessions.len(), 4, "{:#?}", report.diagnostics);
    let row = &report.expectations[0];
    assert_eq!(row.holds, Verdict::Unknown, "{row:?}");
    // Answers to the other side's echoes are let out by state, whatever the prefix is.
    for row in &report.reachability {
        match row.from.as_str() {
            "db" => assert_eq!(row.ok, Verdict::Holds, "{row:?}"),
            // The rule is TCP's: no value of its prefix lets an echo out.
            _ => assert_eq!(row.ok, Verdict::Fails, "{row:?}"),
        }
    }
}

#[test]
fn an_unknown_source_in_the_only_rule_of_the_other_cloud_is_unknown_too() {
    let edited = Edited::example().append("me.tf", CALLER).replace(
        "oci.tf",
        "  source                    = one(azurerm_virtual_network.app.address_space)\n",
        "  source                    = \"${chomp(data.http.me.body)}/32\"\n",
    );
    let report = said(&edited);
    assert_eq!(report.sessions.len(), 4, "{:#?}", report.diagnostics);
    assert_eq!(
        report.expectations[0].holds,
        Verdict::Unknown,
        "{:?}",
        report.expectations[0]
    );
    for row in &report.reachability {
        assert_eq!(row.ok, Verdict::Holds, "{row:?}");
    }
}
