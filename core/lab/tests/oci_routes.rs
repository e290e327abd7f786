//! Route rules of OCI that lead out of what is modelled, or through another network, judged by packets.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::Virtual;
use common::oci::{expected, source, vcn, verdict};
use skybridge_lab::document::{Report, Verdict};
use skybridge_lab::request::StackSource;

const SERVICES: &str = r#"
data "oci_core_services" "all" {
  filter {
    name   = "name"
    values = ["All .* Services In Oracle Services Network"]
    regex  = true
  }
}

resource "oci_core_service_gateway" "a" {
  compartment_id = "c"
  vcn_id         = oci_core_vcn.a.id

  services {
    service_id = data.oci_core_services.all.services[0].id
  }
}

resource "oci_core_nat_gateway" "a" {
  compartment_id = "c"
  vcn_id         = oci_core_vcn.a.id
}
"#;

const TO_SERVICES: &str = r#"
  route_rules {
    destination       = data.oci_core_services.all.services[0].cidr_block
    destination_type  = "SERVICE_CIDR_BLOCK"
    network_entity_id = oci_core_service_gateway.a.id
  }
"#;

const TO_INTERNET: &str = r#"
  route_rules {
    destination       = "0.0.0.0/0"
    network_entity_id = oci_core_nat_gateway.a.id
  }
"#;

const OUTSIDE: &str = r#"
expect "what is out there" {
  from = oci_core_instance.a
  to   = "134.70.24.1"
}
"#;

/// VCN `a` with both gateways and these rules, and VCN `b`, which nothing joins to it.
fn leading_out(rules: &str) -> StackSource {
    let text = [
        vcn("a", 1, "", &[]),
        vcn("b", 2, "", &[]),
        SERVICES.to_owned(),
    ];
    let table = "manage_default_resource_id = oci_core_vcn.a.default_route_table_id\n";
    let text = text.concat().replace(table, &format!("{table}{rules}"));
    let mut source = source(text);
    source
        .files
        .insert("lab.sky.hcl".to_owned(), OUTSIDE.to_owned());
    source
}

fn note(report: &Report) -> &str {
    &report.expectations[0].detail
}

#[test]
fn what_leads_to_a_service_gateway_is_said_and_leaves_private_verdicts_alone() {
    let mut lab = Virtual::new();
    let report = lab.up(vec![leading_out("")]);
    assert_eq!(expected(&report, "what is out there"), Verdict::Fails);
    let report = lab.up(vec![leading_out(TO_SERVICES)]);
    assert_eq!(expected(&report, "what is out there"), Verdict::Unknown);
    assert!(
        note(&report).contains("route services"),
        "{}",
        note(&report)
    );
    assert_eq!(verdict(&report, "a", "b"), Verdict::Fails);
    assert!(report.not_modelled.is_empty(), "{:#?}", report.not_modelled);
}

#[test]
fn what_leads_to_a_nat_gateway_may_answer_when_its_address_is_public() {
    for rules in [
        TO_INTERNET.to_owned(),
        format!("{TO_INTERNET}{TO_SERVICES}"),
    ] {
        let report = Virtual::new().up(vec![leading_out(&rules)]);
        assert_eq!(expected(&report, "what is out there"), Verdict::Unknown);
        assert!(
            note(&report).contains("route internet"),
            "{}",
            note(&report)
        );
        assert_eq!(verdict(&report, "a", "b"), Verdict::Fails);
    }
}

#[test]
fn a_security_rule_for_a_service_lets_nothing_in_between_private_machines() {
    let text = leading_out(TO_SERVICES).files["main.tf"].clone();
    let near = r#"
resource "oci_core_instance" "near" {
  compartment_id      = "c"
  availability_domain = "1"
  display_name        = "near"
  shape               = "VM.Standard.E5.Flex"

  create_vnic_details {
    subnet_id = oci_core_subnet.a.id
  }
}
"#;
    let all =
        "  egress_security_rules {\n    protocol    = \"all\"\n    destination = \"0.0.0.0/0\"\n";
    let service = "  egress_security_rules {\n    protocol    = \"6\"\n    destination = data.oci_core_services.all.services[0].cidr_block\n    destination_type = \"SERVICE_CIDR_BLOCK\"\n";
    let mut source = source(text.replacen(all, service, 1) + near);
    let lab = r#"
expect "not by the rule for services" {
  from      = oci_core_instance.near
  to        = oci_core_instance.a
  tcp       = 443
  reachable = false
}
"#;
    source
        .files
        .insert("lab.sky.hcl".to_owned(), lab.to_owned());
    let report = Virtual::new().up(vec![source]);
    let verdict = expected(&report, "not by the rule for services");
    assert_eq!(verdict, Verdict::Holds, "{:#?}", report.expectations);
}

/// A spoke on a DRG, a hub on it, and a network that only the hub is peered with.
fn transit(table: &str) -> StackSource {
    let more = r#"
resource "oci_core_drg" "d" {
  compartment_id = "c"
}

resource "oci_core_drg_attachment" "spoke" {
  drg_id = oci_core_drg.d.id

  network_details {
    id   = oci_core_vcn.spoke.id
    type = "VCN"
  }
}

resource "oci_core_drg_attachment" "hub" {
  drg_id = oci_core_drg.d.id

  network_details {
    id             = oci_core_vcn.hub.id
    type           = "VCN"
    TABLE
  }
}

resource "oci_core_route_table" "from_drg" {
  compartment_id = "c"
  vcn_id         = oci_core_vcn.hub.id

  route_rules {
    destination       = "10.3.0.0/16"
    network_entity_id = oci_core_local_peering_gateway.hub.id
  }
}

resource "oci_core_route_table" "from_behind" {
  compartment_id = "c"
  vcn_id         = oci_core_vcn.hub.id

  route_rules {
    destination       = "10.1.0.0/16"
    network_entity_id = oci_core_drg.d.id
  }
}

resource "oci_core_local_peering_gateway" "hub" {
  compartment_id = "c"
  vcn_id         = oci_core_vcn.hub.id
  peer_id        = oci_core_local_peering_gateway.behind.id
  route_table_id = oci_core_route_table.from_behind.id
}

resource "oci_core_local_peering_gateway" "behind" {
  compartment_id = "c"
  vcn_id         = oci_core_vcn.behind.id
}
"#;
    let to = "oci_core_local_peering_gateway.behind.id";
    let text = [
        vcn("spoke", 1, "", &[("10.0.0.0/8", "oci_core_drg.d.id")]),
        vcn("hub", 2, "", &[]),
        vcn("behind", 3, "", &[("10.1.0.0/16", to)]),
        more.replace("TABLE", table),
    ];
    source(text.concat())
}

#[test]
fn a_vcn_attachment_offers_the_rules_of_the_route_table_that_it_names() {
    let mut lab = Virtual::new();
    let report = lab.up(vec![transit("")]);
    assert_eq!(verdict(&report, "spoke", "behind"), Verdict::Fails);
    let table = "route_table_id = oci_core_route_table.from_drg.id";
    let report = lab.up(vec![transit(table)]);
    assert_eq!(
        verdict(&report, "spoke", "behind"),
        Verdict::Holds,
        "{:#?}",
        report.reachability
    );
    assert_eq!(verdict(&report, "behind", "spoke"), Verdict::Holds);
}

#[test]
fn a_rule_for_the_networks_own_block_wins_between_subnets_and_not_inside_one() {
    let more = r#"
resource "oci_core_local_peering_gateway" "a" {
  compartment_id = "c"
  vcn_id         = oci_core_vcn.a.id
  peer_id        = oci_core_local_peering_gateway.b.id
}

resource "oci_core_local_peering_gateway" "b" {
  compartment_id = "c"
  vcn_id         = oci_core_vcn.b.id
}

resource "oci_core_subnet" "other" {
  compartment_id = "c"
  vcn_id         = oci_core_vcn.a.id
  cidr_block     = "10.1.2.0/24"
}
"#;
    let machine = |name: &str, subnet: &str| {
        format!(
            r#"
resource "oci_core_instance" "{name}" {{
  compartment_id      = "c"
  availability_domain = "1"
  display_name        = "{name}"
  shape               = "VM.Standard.E5.Flex"

  create_vnic_details {{
    subnet_id = oci_core_subnet.{subnet}.id
  }}
}}
"#
        )
    };
    let lab = |reachable: &str| {
        format!(
            r#"
expect "inside the subnet" {{
  from = oci_core_instance.near
  to   = oci_core_instance.a
}}

expect "to another subnet" {{
  from      = oci_core_instance.a
  to        = oci_core_instance.other
  reachable = {reachable}
}}
"#
        )
    };
    let with = |rules: &[(&str, &str)], reachable: &str| {
        let text = [
            vcn("a", 1, "", rules),
            vcn("b", 2, "", &[]),
            more.to_owned(),
            machine("near", "a"),
            machine("other", "other"),
        ];
        let mut source = source(text.concat());
        source
            .files
            .insert("lab.sky.hcl".to_owned(), lab(reachable));
        source
    };
    let own = [("10.1.0.0/16", "oci_core_local_peering_gateway.a.id")];
    for (rules, reachable) in [(&own[..], "false"), (&[], "true")] {
        let report = Virtual::new().up(vec![with(rules, reachable)]);
        for name in ["inside the subnet", "to another subnet"] {
            assert_eq!(expected(&report, name), Verdict::Holds, "{report:#?}");
        }
    }
}

/// Two spokes on a DRG that leads from one to the other by a machine in the hub.
fn inspected(check: &str, lab: &str) -> StackSource {
    let more = r#"
resource "oci_core_drg" "d" {
  compartment_id = "c"
}

resource "oci_core_drg_route_table" "spokes" {
  drg_id = oci_core_drg.d.id
}

resource "oci_core_drg_route_table_route_rule" "all" {
  drg_route_table_id         = oci_core_drg_route_table.spokes.id
  destination                = "10.0.0.0/8"
  destination_type           = "CIDR_BLOCK"
  next_hop_drg_attachment_id = oci_core_drg_attachment.hub.id
}

data "oci_core_vnic_attachments" "hub" {
  compartment_id = "c"
  instance_id    = oci_core_instance.hub.id
}

resource "oci_core_private_ip" "floating" {
  vnic_id    = data.oci_core_vnic_attachments.hub.vnic_attachments[0].vnic_id
  ip_address = "10.3.1.100"
}

resource "oci_core_route_table" "from_drg" {
  compartment_id = "c"
  vcn_id         = oci_core_vcn.hub.id

  route_rules {
    destination       = "10.0.0.0/8"
    network_entity_id = oci_core_private_ip.floating.id
  }
}

resource "oci_core_drg_attachment" "hub" {
  drg_id = oci_core_drg.d.id

  network_details {
    id             = oci_core_vcn.hub.id
    type           = "VCN"
    route_table_id = oci_core_route_table.from_drg.id
  }
}
"#;
    let spoke = |name: &str, octet: u8| {
        vcn(name, octet, "", &[("10.0.0.0/8", "oci_core_drg.d.id")])
            + &format!(
                r#"
resource "oci_core_drg_attachment" "{name}" {{
  drg_id             = oci_core_drg.d.id
  drg_route_table_id = oci_core_drg_route_table.spokes.id

  network_details {{
    id   = oci_core_vcn.{name}.id
    type = "VCN"
  }}
}}
"#
            )
    };
    let back = [
        ("10.1.0.0/16", "oci_core_drg.d.id"),
        ("10.2.0.0/16", "oci_core_drg.d.id"),
    ];
    let subnet = "    subnet_id = oci_core_subnet.hub.id\n";
    let hub = vcn("hub", 3, "", &back).replace(
        subnet,
        &format!("{subnet}    skip_source_dest_check = {check}\n"),
    );
    let text = [spoke("left", 1), spoke("right", 2), hub, more.to_owned()];
    let mut source = source(text.concat());
    source
        .files
        .insert("lab.sky.hcl".to_owned(), lab.to_owned());
    source
}

#[test]
fn a_private_ip_leads_to_a_machine_that_inspects_what_spokes_send_each_other() {
    let forwards = "appliance \"hub\" {\n  host = oci_core_instance.hub\n}\n";
    for (check, lab, expected) in [
        ("true", "", Verdict::Unknown),
        ("true", forwards, Verdict::Holds),
        ("false", forwards, Verdict::Fails),
    ] {
        let report = Virtual::new().up(vec![inspected(check, lab)]);
        for (from, to) in [("left", "right"), ("right", "left")] {
            let found = verdict(&report, from, to);
            assert_eq!(found, expected, "{check} {lab} {:#?}", report.reachability);
        }
    }
}
