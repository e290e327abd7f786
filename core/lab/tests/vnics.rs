//! Further VNICs and addresses of OCI's machines, judged by packets.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::Virtual;
use common::oci::{expected, source, vcn, verdict};
use skybridge_lab::document::{Report, Verdict};
use skybridge_lab::request::StackSource;

/// Two networks with a machine each, which nothing joins, and `more` in the directory and the lab file.
fn two(more: &str, lab: &str) -> StackSource {
    let text = [vcn("a", 1, "", &[]), vcn("b", 2, "", &[]), more.to_owned()];
    let mut source = source(text.concat());
    source
        .files
        .insert("lab.sky.hcl".to_owned(), lab.to_owned());
    source
}

const ADDRESS: &str = r#"
data "oci_core_vnic_attachments" "a" {
  compartment_id = "c"
  instance_id    = oci_core_instance.a.id
}

resource "oci_core_private_ip" "vip" {
  vnic_id      = data.oci_core_vnic_attachments.a.vnic_attachments[0].vnic_id
  ip_address   = "10.1.1.50"
  display_name = "vip"
}

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

const TO_ADDRESS: &str = r#"
expect "the address answers" {
  from = oci_core_instance.near
  to   = oci_core_private_ip.vip
}

expect "its neighbour does not" {
  from      = oci_core_instance.near
  to        = "10.1.1.51"
  reachable = false
}
"#;

#[test]
fn a_secondary_private_ip_answers_beside_the_primary_one() {
    let mut lab = Virtual::new();
    let report = lab.up(vec![two(ADDRESS, TO_ADDRESS)]);
    assert_eq!(expected(&report, "the address answers"), Verdict::Holds);
    assert_eq!(expected(&report, "its neighbour does not"), Verdict::Holds);
    let assumed = report.assumed.iter();
    let assumed = assumed.filter(|row| row.name == "oci_os_uses_further_addresses");
    assert_eq!(assumed.count(), 1);
    // What goes leaves nothing that answers.
    let gone = ADDRESS.replace("10.1.1.50", "10.1.1.51");
    let lab_file = TO_ADDRESS.replace("10.1.1.51", "10.1.1.50");
    let report = lab.up(vec![two(&gone, &lab_file)]);
    assert_eq!(expected(&report, "the address answers"), Verdict::Holds);
    assert_eq!(expected(&report, "its neighbour does not"), Verdict::Holds);
}

#[test]
fn private_ips_are_found_by_address_and_subnet_or_by_their_vnic() {
    let more = format!(
        "{ADDRESS}{}",
        r#"
data "oci_core_private_ips" "by_address" {
  ip_address = oci_core_private_ip.vip.ip_address
  subnet_id  = oci_core_subnet.a.id
}

data "oci_core_private_ips" "by_vnic" {
  vnic_id = oci_core_private_ip.vip.vnic_id
}

data "oci_core_private_ips" "by_name" {
  subnet_id = oci_core_subnet.a.id

  filter {
    name   = "display_name"
    values = ["near"]
  }

  depends_on = [oci_core_instance.near]
}

data "oci_core_vnic" "a" {
  vnic_id = oci_core_private_ip.vip.vnic_id
}

output "found" {
  value = join(" ", [
    data.oci_core_private_ips.by_address.private_ips[0].id == oci_core_private_ip.vip.id,
    length(data.oci_core_private_ips.by_address.private_ips),
    length(data.oci_core_private_ips.by_vnic.private_ips),
    data.oci_core_private_ips.by_name.private_ips[0].ip_address == oci_core_instance.near.private_ip,
    data.oci_core_vnic.a.private_ip_address == oci_core_instance.a.private_ip,
    oci_core_instance.a.create_vnic_details[0].private_ip == oci_core_instance.a.private_ip,
  ])
}
"#
    );
    let report = Virtual::new().up(vec![two(&more, "")]);
    assert_eq!(
        report.summary.outputs,
        [("found".to_owned(), "true 1 2 true true true".to_owned())],
        "{:#?}",
        report.diagnostics
    );
}

const SECOND: &str = r#"
resource "oci_core_vnic_attachment" "second" {
  instance_id  = oci_core_instance.a.id
  display_name = "second"

  create_vnic_details {
    subnet_id        = oci_core_subnet.b.id
    private_ip       = "10.2.1.77"
    assign_public_ip = false
  }
}
"#;

const TO_SECOND: &str = r#"
expect "by its second VNIC" {
  from = oci_core_instance.b
  to   = oci_core_vnic_attachment.second
}

expect "back by its second VNIC" {
  from = oci_core_vnic_attachment.second
  to   = oci_core_instance.b
}

expect "not by its first" {
  from      = oci_core_instance.b
  to        = oci_core_instance.a
  reachable = false
}
"#;

fn all(report: &Report) -> Vec<Verdict> {
    report.expectations.iter().map(|row| row.holds).collect()
}

#[test]
fn a_machine_is_reached_by_its_secondary_vnic_where_that_stands() {
    let report = Virtual::new().up(vec![two(SECOND, TO_SECOND)]);
    assert_eq!(
        all(&report),
        [Verdict::Holds; 3],
        "{:#?} {:#?}",
        report.diagnostics,
        report.expectations
    );
    let mut rows = report.reachability.iter();
    assert!(rows.any(|row| row.from == "a/second" && row.to == "a"));
}

#[test]
fn security_groups_of_a_secondary_vnic_are_its_own() {
    let groups = r#"
resource "oci_core_network_security_group" "open" {
  compartment_id = "c"
  vcn_id         = oci_core_vcn.b.id
}

resource "oci_core_network_security_group_security_rule" "open" {
  network_security_group_id = oci_core_network_security_group.open.id
  direction                 = "INGRESS"
  protocol                  = "all"
  source                    = "10.2.0.0/16"
}
"#;
    let closed = |attachment: &str, lab: &str| {
        let mut source = two(&format!("{attachment}{groups}"), lab);
        let text = source.files.get_mut("main.tf").unwrap();
        // The lists of both networks let out what answers and nothing in.
        *text = text.replace("  ingress_security_rules {\n    protocol = \"all\"\n    source   = \"0.0.0.0/0\"\n  }\n", "");
        source
    };
    let stopped = TO_SECOND.replace("\n}", "\n  reachable = false\n}");
    let stopped = stopped.replace(
        "  reachable = false\n  reachable = false\n",
        "  reachable = false\n",
    );
    let mut lab = Virtual::new();
    let report = lab.up(vec![closed(SECOND, &stopped)]);
    assert_eq!(all(&report), [Verdict::Holds; 3], "{report:#?}");
    let member = SECOND.replace(
        "    assign_public_ip = false\n",
        "    assign_public_ip = false\n    nsg_ids          = [oci_core_network_security_group.open.id]\n",
    );
    let opened = stopped.replacen("  reachable = false\n", "", 1);
    let report = lab.up(vec![closed(&member, &opened)]);
    assert_eq!(all(&report), [Verdict::Holds; 3], "{report:#?}");
}

#[test]
fn a_vnic_with_a_route_table_of_its_own_follows_that() {
    let table = r#"
resource "oci_core_local_peering_gateway" "a" {
  compartment_id = "c"
  vcn_id         = oci_core_vcn.a.id
  peer_id        = oci_core_local_peering_gateway.b.id
}

resource "oci_core_local_peering_gateway" "b" {
  compartment_id = "c"
  vcn_id         = oci_core_vcn.b.id
}

resource "oci_core_route_table" "own" {
  compartment_id = "c"
  vcn_id         = oci_core_vcn.b.id

  route_rules {
    destination       = "10.1.0.0/16"
    network_entity_id = oci_core_local_peering_gateway.b.id
  }
}

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
    let to = r#"
expect "as its table says" {
  from = oci_core_instance.near
  to   = oci_core_vnic_attachment.second
}
"#;
    let rule = "manage_default_resource_id = oci_core_vcn.a.default_route_table_id\n";
    let with = |attachment: &str, lab: &str| {
        let mut source = two(&format!("{attachment}{table}"), lab);
        let text = source.files.get_mut("main.tf").unwrap();
        *text = text.replace(
            rule,
            &format!("{rule}  route_rules {{\n    destination = \"10.2.0.0/16\"\n    network_entity_id = oci_core_local_peering_gateway.a.id\n  }}\n"),
        );
        source
    };
    let mut lab = Virtual::new();
    let stopped = to.replace("\n}", "\n  reachable = false\n}");
    let report = lab.up(vec![with(SECOND, &stopped)]);
    assert_eq!(expected(&report, "as its table says"), Verdict::Holds);
    let own = SECOND.replace(
        "    assign_public_ip = false\n",
        "    route_table_id   = oci_core_route_table.own.id\n",
    );
    let report = lab.up(vec![with(&own, to)]);
    assert_eq!(
        expected(&report, "as its table says"),
        Verdict::Holds,
        "{:#?}",
        report.expectations
    );
}

#[test]
fn where_a_subnet_leads_whose_route_table_nobody_knows_is_unknown() {
    let more = r#"
data "oci_core_vlan" "old" {
  vlan_id = "ocid1.vlan.oc1..x"
}

resource "oci_core_subnet" "unknown" {
  compartment_id = "c"
  vcn_id         = oci_core_vcn.a.id
  cidr_block     = "10.1.9.0/24"
  route_table_id = data.oci_core_vlan.old.route_table_id
}

resource "oci_core_instance" "unknown" {
  compartment_id      = "c"
  availability_domain = "1"
  display_name        = "unknown"
  shape               = "VM.Standard.E5.Flex"

  create_vnic_details {
    subnet_id = oci_core_subnet.unknown.id
  }
}
"#;
    let report = Virtual::new().up(vec![two(more, "")]);
    assert_eq!(verdict(&report, "unknown", "b"), Verdict::Unknown);
    assert_eq!(verdict(&report, "a", "b"), Verdict::Fails);
}
