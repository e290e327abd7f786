//! FastConnect without Azure: a site behind cross-connects of its own or a partner, judged by packets.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::Virtual;
use common::oci::{source, vcn, verdict};
use skybridge_lab::document::{Report, Verdict};
use skybridge_lab::request::StackSource;

const PROVIDER: &str = "provider \"oci\" {\n  alias  = \"x\"\n  region = \"us-ashburn-1\"\n}\n";

const DRG: &str = r#"
resource "oci_core_drg" "d" {
  provider       = oci.x
  compartment_id = "c"
  display_name   = "d"
}

resource "oci_core_drg_attachment" "a" {
  provider = oci.x
  drg_id   = oci_core_drg.d.id

  network_details {
    id   = oci_core_vcn.a.id
    type = "VCN"
  }
}
"#;

const OWN: &str = r#"
resource "oci_core_cross_connect_group" "g" {
  provider       = oci.x
  count          = 2
  compartment_id = "c"
  display_name   = "g${count.index}"
}

resource "oci_core_cross_connect" "port" {
  provider               = oci.x
  count                  = 2
  compartment_id         = "c"
  cross_connect_group_id = oci_core_cross_connect_group.g[count.index].id
  location_name          = "Equinix DC2, Ashburn, VA, USA"
  port_speed_shape_name  = "10 Gbps"
  is_active              = true
}

resource "oci_core_virtual_circuit" "hq" {
  provider             = oci.x
  compartment_id       = "c"
  display_name         = "hq"
  type                 = "PRIVATE"
  bandwidth_shape_name = "1 Gbps"
  customer_asn         = "65010"
  gateway_id           = oci_core_drg.d.id

  dynamic "cross_connect_mappings" {
    for_each = oci_core_cross_connect_group.g
    content {
      cross_connect_or_cross_connect_group_id = cross_connect_mappings.value.id
      vlan                                    = 200 + cross_connect_mappings.key
      customer_bgp_peering_ip                 = "10.255.${cross_connect_mappings.key}.1/30"
      oracle_bgp_peering_ip                   = "10.255.${cross_connect_mappings.key}.2/30"
      bgp_md5auth_key                         = "secret"
    }
  }
}
"#;

const SITE: &str = r#"
site "hq" {
  asn = 65010

  network "lan" {
    cidr = "192.168.0.0/16"
  }

  router "ce" {
    circuit = oci_core_virtual_circuit.hq
  }
}

host "desk" {
  network = site.hq.lan
}

expect "the desk reaches the cloud whatever fails" {
  from     = host.desk
  to       = oci_core_instance.a
  survives = 1
}
"#;

fn network(circuit: &str, lab: &str) -> StackSource {
    let rules = [("192.168.0.0/16", "oci_core_drg.d.id")];
    let text = [
        PROVIDER.to_owned(),
        vcn("a", 1, "x", &rules),
        DRG.to_owned(),
        circuit.to_owned(),
    ];
    let mut source = source(text.concat());
    source
        .files
        .insert("lab.sky.hcl".to_owned(), lab.to_owned());
    source
}

fn both(report: &Report) -> [Verdict; 2] {
    [verdict(report, "desk", "a"), verdict(report, "a", "desk")]
}

#[test]
fn a_site_behind_two_cross_connects_reaches_the_vcn_and_is_reached() {
    let report = Virtual::new().up(vec![network(OWN, SITE)]);
    assert_eq!(both(&report), [Verdict::Holds; 2], "{report:#?}");
    assert!(report.not_modelled.is_empty(), "{:#?}", report.not_modelled);
    let up = report.sessions.iter().filter(|s| s.state == "Established");
    assert_eq!(up.count(), report.sessions.len(), "{:#?}", report.sessions);
    // A key of its own on one side: nothing comes up.
    let key = SITE.replace(
        "oci_core_virtual_circuit.hq\n",
        "oci_core_virtual_circuit.hq\n    md5     = \"other\"\n",
    );
    let report = Virtual::new().up(vec![network(
        OWN,
        &key.replace("  survives = 1\n", "  reachable = false\n"),
    )]);
    assert_eq!(both(&report), [Verdict::Fails; 2], "{report:#?}");
}

#[test]
fn a_layer_2_partner_hands_a_virtual_circuit_to_a_site() {
    let partner = r#"
data "oci_core_fast_connect_provider_services" "all" {
  compartment_id = "c"
}

locals {
  services = data.oci_core_fast_connect_provider_services.all.fast_connect_provider_services
}

resource "oci_core_virtual_circuit" "hq" {
  provider             = oci.x
  compartment_id       = "c"
  display_name         = "hq"
  type                 = "PRIVATE"
  bandwidth_shape_name = "1 Gbps"
  customer_asn         = 65010
  gateway_id           = oci_core_drg.d.id
  provider_service_id  = one([for s in local.services : s.id if s.provider_name == "Megaport"])

  cross_connect_mappings {
    customer_bgp_peering_ip = "10.255.0.1/30"
    oracle_bgp_peering_ip   = "10.255.0.2/30"
  }
}
"#;
    let lab = SITE.replace("  survives = 1\n", "");
    let report = Virtual::new().up(vec![network(partner, &lab)]);
    assert_eq!(both(&report), [Verdict::Holds; 2], "{report:#?}");
}

#[test]
fn what_a_circuit_without_a_site_brings_is_unknown_and_named() {
    let elsewhere = r#"
site "hq" {
  asn = 65020

  network "lan" {
    cidr = "192.168.0.0/16"
  }
}

host "desk" {
  network = site.hq.lan
}
"#;
    let mut lab = Virtual::new();
    let report = lab.up(vec![network("", elsewhere)]);
    assert_eq!(verdict(&report, "a", "desk"), Verdict::Fails);
    let report = lab.up(vec![network(OWN, elsewhere)]);
    assert_eq!(
        verdict(&report, "a", "desk"),
        Verdict::Unknown,
        "{report:#?}"
    );
    let named = report.not_modelled.iter();
    let named = named.filter(|row| row.what.contains("the far side of an own cross-connect"));
    assert_eq!(named.count(), 1);
}

#[test]
fn lists_tables_and_addresses_of_a_drg_and_its_ports_are_looked_up() {
    let more = r#"
resource "oci_core_drg_attachments_list" "circuits" {
  provider        = oci.x
  drg_id          = oci_core_drg.d.id
  attachment_type = "VIRTUAL_CIRCUIT"
  depends_on      = [oci_core_virtual_circuit.hq]
}

resource "oci_core_default_drg_route_table" "vcns" {
  provider                   = oci.x
  manage_default_resource_id = oci_core_drg.d.default_drg_route_tables[0].vcn
  remove_import_trigger      = true
}

data "oci_core_cross_connects" "all" {
  provider       = oci.x
  compartment_id = "c"
  depends_on     = [oci_core_cross_connect.port]
}

data "oci_core_vnic_attachments" "a" {
  compartment_id = "c"
  instance_id    = oci_core_instance.a.id
}

data "oci_core_private_ips" "a" {
  vnic_id = data.oci_core_vnic_attachments.a.vnic_attachments[0].vnic_id
}

resource "oci_core_public_ip" "a" {
  provider       = oci.x
  compartment_id = "c"
  lifetime       = "RESERVED"
  private_ip_id  = data.oci_core_private_ips.a.private_ips[0].id
}

data "oci_core_drg_route_table_route_rules" "vcns" {
  provider           = oci.x
  drg_route_table_id = oci_core_default_drg_route_table.vcns.id
  route_type         = "STATIC"
}

data "oci_core_peer_region_for_remote_peerings" "all" {
}

output "found" {
  value = join(" ", [
    length(data.oci_core_drg_route_table_route_rules.vcns.drg_route_rules),
    contains(data.oci_core_peer_region_for_remote_peerings.all.peer_region_for_remote_peerings.*.name, "uk-london-1"),
    length(oci_core_drg_attachments_list.circuits.drg_all_attachments),
    length(data.oci_core_cross_connects.all.cross_connects),
    oci_core_public_ip.a.assigned_entity_id == data.oci_core_private_ips.a.private_ips[0].id,
    split(".", oci_core_public_ip.a.ip_address)[0],
  ])
}
"#;
    let mut lab = Virtual::new();
    let stopped = SITE.replace("  survives = 1\n", "  reachable = false\n");
    let report = lab.up(vec![network(&format!("{OWN}{more}"), &stopped)]);
    assert_eq!(
        report.summary.outputs,
        [("found".to_owned(), "0 true 1 2 true 198".to_owned())],
        "{:#?}",
        report.diagnostics
    );
    // The table of VCN attachments imports nothing more: no packet of the VCN finds the site.
    assert_eq!(
        both(&report),
        [Verdict::Fails; 2],
        "{:#?}",
        report.reachability
    );
}
