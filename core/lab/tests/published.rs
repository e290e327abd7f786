//! What published directories write, and their clouds take or refuse otherwise than one might think.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::Virtual;
use skybridge_lab::document::{Diagnostic, Report, Verdict};
use skybridge_lab::request::StackSource;

const OCI: &str = r#"
resource "oci_core_vcn" "this" {
  compartment_id = "ocid1.compartment.oc1..a"
  cidr_blocks    = ["10.8.0.0/16"]
}
"#;

fn brought_up(text: &str) -> Report {
    Virtual::new().up(vec![StackSource {
        directory: "/published".to_owned(),
        files: [("main.tf".to_owned(), text.to_owned())].into(),
        ..StackSource::default()
    }])
}

fn weighty(report: &Report) -> Vec<&Diagnostic> {
    let all = report.diagnostics.iter();
    all.filter(|d| !matches!(d.level.as_str(), "warning" | "notice"))
        .collect()
}

fn output<'a>(report: &'a Report, name: &str) -> &'a str {
    let found = report.summary.outputs.iter().find(|(n, _)| n == name);
    &found
        .unwrap_or_else(|| panic!("{:#?}", report.diagnostics))
        .1
}

#[test]
fn what_changes_a_refused_subnet_is_not_refused_again() {
    let report = brought_up(&format!(
        r#"{OCI}
resource "oci_core_subnet" "outside" {{
  compartment_id = "ocid1.compartment.oc1..a"
  vcn_id         = oci_core_vcn.this.id
  cidr_block     = "10.9.0.0/24"
}}
resource "oci_core_route_table" "this" {{
  compartment_id = "ocid1.compartment.oc1..a"
  vcn_id         = oci_core_vcn.this.id
}}
resource "oci_core_route_table_attachment" "this" {{
  subnet_id      = oci_core_subnet.outside.id
  route_table_id = oci_core_route_table.this.id
}}
"#
    ));
    let said = weighty(&report);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert_eq!(said[0].rule.as_deref(), Some("oci.subnet-outside-vcn"));
}

#[test]
fn an_empty_text_leaves_to_the_cloud_what_it_can_decide() {
    let report = brought_up(&format!(
        r#"{OCI}
resource "oci_core_drg" "this" {{
  compartment_id = "ocid1.compartment.oc1..a"
}}
resource "oci_core_drg_attachment" "this" {{
  drg_id             = oci_core_drg.this.id
  drg_route_table_id = ""
  network_details {{
    id             = oci_core_vcn.this.id
    type           = "VCN"
    route_table_id = ""
  }}
}}
resource "oci_core_subnet" "this" {{
  compartment_id = "ocid1.compartment.oc1..a"
  vcn_id         = oci_core_vcn.this.id
  cidr_block     = "10.8.1.0/24"
  route_table_id = ""
}}
output "is_default" {{
  value = oci_core_subnet.this.route_table_id == oci_core_vcn.this.default_route_table_id
}}
"#
    ));
    assert_eq!(weighty(&report).len(), 0, "{:#?}", report.diagnostics);
    assert_eq!(output(&report, "is_default"), "true");
}

#[test]
fn what_a_stand_in_names_stands_in_too() {
    let report = brought_up(
        r#"
data "oci_database_db_nodes" "these" {
  compartment_id = "ocid1.compartment.oc1..a"
}
data "oci_database_db_node" "this" {
  db_node_id = data.oci_database_db_nodes.these.db_nodes[0].id
}
data "oci_core_vnic" "this" {
  vnic_id = data.oci_database_db_node.this.vnic_id
}
data "azurerm_public_ip" "this" {
  name                = "pip"
  resource_group_name = azurerm_kubernetes_cluster.this.node_resource_group
}
resource "azurerm_kubernetes_cluster" "this" {
  name = "aks"
}
"#,
    );
    assert_eq!(weighty(&report).len(), 0, "{:#?}", report.diagnostics);
}

#[test]
fn a_machine_in_a_public_subnet_has_a_public_address_unless_it_wants_none() {
    let machine = |name: &str, more: &str| {
        format!(
            r#"
resource "oci_core_instance" "{name}" {{
  compartment_id      = "ocid1.compartment.oc1..a"
  availability_domain = "AD-1"
  shape               = "VM.Standard.E4.Flex"
  create_vnic_details {{
    subnet_id = oci_core_subnet.this.id
    {more}
  }}
}}
data "oci_core_vnic_attachments" "{name}" {{
  compartment_id = "ocid1.compartment.oc1..a"
  instance_id    = oci_core_instance.{name}.id
}}
data "oci_core_vnic" "{name}" {{
  vnic_id = data.oci_core_vnic_attachments.{name}.vnic_attachments[0].vnic_id
}}
output "{name}" {{
  value = data.oci_core_vnic.{name}.public_ip_address != null
}}
"#
        )
    };
    let report = brought_up(&format!(
        "{OCI}
resource \"oci_core_subnet\" \"this\" {{
  compartment_id = \"ocid1.compartment.oc1..a\"
  vcn_id         = oci_core_vcn.this.id
  cidr_block     = \"10.8.1.0/24\"
}}
{}{}",
        machine("shown", ""),
        machine("hidden", "assign_public_ip = false"),
    ));
    assert_eq!(output(&report, "shown"), "true");
    assert_eq!(output(&report, "hidden"), "false");
}

#[test]
fn a_stopped_machine_is_named_and_no_host() {
    let report = brought_up(&format!(
        r#"{OCI}
resource "oci_core_subnet" "this" {{
  compartment_id = "ocid1.compartment.oc1..a"
  vcn_id         = oci_core_vcn.this.id
  cidr_block     = "10.8.1.0/24"
}}
resource "oci_core_instance" "this" {{
  compartment_id      = "ocid1.compartment.oc1..a"
  availability_domain = "AD-1"
  shape               = "VM.Standard.E4.Flex"
  state               = "STOPPED"
  create_vnic_details {{
    subnet_id = oci_core_subnet.this.id
  }}
}}
"#
    ));
    assert_eq!(weighty(&report).len(), 0, "{:#?}", report.diagnostics);
    let mut rows = report.not_modelled.iter();
    assert!(
        rows.any(|r| r.what.contains("stopped")),
        "{:#?}",
        report.not_modelled
    );
}

#[test]
fn a_peering_of_a_circuit_that_is_left_out_is_left_out_with_it() {
    let report = brought_up(
        r#"
resource "random_pet" "this" {}
resource "azurerm_resource_group" "this" {
  name     = "rg-${random_pet.this.id}"
  location = "westeurope"
}
resource "azurerm_express_route_port" "this" {
  name                = "port"
  resource_group_name = azurerm_resource_group.this.name
  location            = "westeurope"
  peering_location    = "Equinix-Amsterdam-AM5"
  bandwidth_in_gbps   = 10
  encapsulation       = "Dot1Q"
}
resource "azurerm_express_route_circuit" "this" {
  name                  = "circuit"
  resource_group_name   = azurerm_resource_group.this.name
  location              = "westeurope"
  express_route_port_id = azurerm_express_route_port.this.id
  bandwidth_in_gbps     = 5
  sku {
    tier   = "Standard"
    family = "MeteredData"
  }
}
resource "azurerm_express_route_circuit_peering" "this" {
  peering_type                  = "AzurePrivatePeering"
  express_route_circuit_name    = azurerm_express_route_circuit.this.name
  resource_group_name           = azurerm_resource_group.this.name
  vlan_id                       = 100
  primary_peer_address_prefix   = "192.168.1.0/30"
  secondary_peer_address_prefix = "192.168.2.0/30"
}
"#,
    );
    assert_eq!(weighty(&report).len(), 0, "{:#?}", report.diagnostics);
    let named = |address: &str| report.not_modelled.iter().any(|r| r.resource == address);
    assert!(named("azurerm_express_route_circuit_peering.this"));
}

#[test]
fn what_a_network_manager_joins_by_policy_is_unknown() {
    let network = |name: &str, number: u8| {
        format!(
            r#"
resource "azurerm_virtual_network" "{name}" {{
  name                = "{name}"
  resource_group_name = azurerm_resource_group.this.name
  location            = "westeurope"
  address_space       = ["10.{number}.0.0/16"]
}}
resource "azurerm_subnet" "{name}" {{
  name                 = "s"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.{name}.name
  address_prefixes     = ["10.{number}.1.0/24"]
}}
"#
        )
    };
    let manager = r#"
resource "azurerm_resource_group" "this" {
  name     = "rg"
  location = "westeurope"
}
resource "azurerm_network_manager_connectivity_configuration" "this" {
  name                  = "mesh"
  network_manager_id    = "/manager"
  connectivity_topology = "Mesh"
  applies_to_group {
    group_connectivity = "DirectlyConnected"
    network_group_id   = "/group"
  }
}
"#;
    let report = brought_up(&format!("{}{}{manager}", network("a", 1), network("b", 2)));
    let verdicts: Vec<Verdict> = report.reachability.iter().map(|r| r.ok).collect();
    assert_eq!(verdicts, [Verdict::Unknown; 2], "{:#?}", report.diagnostics);
}
