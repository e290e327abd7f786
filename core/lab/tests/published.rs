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
output "is_empty" {{
  value = contains(["", "x"], oci_core_drg_attachment.this.network_details[0].route_table_id)
}}
output "is_default" {{
  value = oci_core_subnet.this.route_table_id == oci_core_vcn.this.default_route_table_id
}}
"#
    ));
    assert_eq!(weighty(&report).len(), 0, "{:#?}", report.diagnostics);
    assert_eq!(output(&report, "is_default"), "true");
    assert_eq!(output(&report, "is_empty"), "true");
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
fn a_list_of_what_has_no_id_is_empty() {
    let report = brought_up(
        r#"
data "oci_core_drgs" "this" {
  compartment_id = "ocid1.compartment.oc1..a"
  filter {
    name   = "id"
    values = ["none"]
  }
}
output "count" {
  value = length(data.oci_core_drgs.this.drgs)
}
"#,
    );
    assert_eq!(output(&report, "count"), "0");
    assert_eq!(report.not_modelled.len(), 0);
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

#[test]
fn documents_of_the_api_are_networks_as_the_types_of_the_provider_are() {
    let network = |name: &str, other: &str, number: u8| {
        format!(
            r#"
resource "azapi_resource" "{name}" {{
  type      = "Microsoft.Network/virtualNetworks@2024-05-01"
  name      = "{name}"
  parent_id = azurerm_resource_group.this.id
  location  = "westeurope"
  body = {{
    properties = {{
      addressSpace = {{ addressPrefixes = ["10.{number}.0.0/16"] }}
      dhcpOptions  = null
    }}
  }}
}}
resource "azapi_resource" "subnet_{name}" {{
  type      = "Microsoft.Network/virtualNetworks/subnets@2024-05-01"
  name      = "s"
  parent_id = azapi_resource.{name}.id
  body      = jsonencode({{ properties = {{ addressPrefixes = ["10.{number}.1.0/24"] }} }})
}}
resource "azapi_resource" "peering_{name}" {{
  type      = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings@2024-05-01"
  name      = "to-{other}"
  parent_id = azapi_resource.{name}.id
  body = {{
    properties = {{
      remoteVirtualNetwork      = {{ id = azapi_resource.{other}.id }}
      allowVirtualNetworkAccess = true
    }}
  }}
}}
"#
        )
    };
    let text = format!(
        r#"
resource "azurerm_resource_group" "this" {{
  name     = "rg"
  location = "westeurope"
}}
resource "azapi_resource" "storage" {{
  type      = "Microsoft.Storage/storageAccounts@2023-01-01"
  name      = "st"
  parent_id = azurerm_resource_group.this.id
}}
output "prefix" {{
  value = azapi_resource.a.output.properties.addressSpace.addressPrefixes[0]
}}
{}{}"#,
        network("a", "b", 1),
        network("b", "a", 2)
    );
    let report = brought_up(&text);
    assert_eq!(weighty(&report).len(), 0, "{:#?}", report.diagnostics);
    let verdicts: Vec<Verdict> = report.reachability.iter().map(|r| r.ok).collect();
    assert_eq!(verdicts, [Verdict::Holds; 2], "{:#?}", report.not_modelled);
    assert_eq!(output(&report, "prefix"), "10.1.0.0/16");
    let mut named = report.not_modelled.iter();
    assert!(named.any(|r| r.what == "Microsoft.Storage/storageAccounts is not modelled"));
}

#[test]
fn a_subnet_may_name_its_blocks_in_a_list_and_a_network_that_wants_ipv6_has_a_prefix() {
    let report = brought_up(
        r#"
resource "oci_core_vcn" "this" {
  compartment_id = "ocid1.compartment.oc1..a"
  cidr_blocks    = ["10.8.0.0/16"]
  is_ipv6enabled = true
}
resource "oci_core_subnet" "this" {
  compartment_id  = "ocid1.compartment.oc1..a"
  vcn_id          = oci_core_vcn.this.id
  ipv4cidr_blocks = ["10.8.1.0/24", "10.8.2.0/24"]
  ipv6cidr_blocks = [cidrsubnet(oci_core_vcn.this.ipv6cidr_blocks[0], 8, 1)]
}
output "block" {
  value = oci_core_subnet.this.cidr_block
}
"#,
    );
    assert_eq!(weighty(&report).len(), 0, "{:#?}", report.diagnostics);
    assert_eq!(output(&report, "block"), "10.8.1.0/24");
    let mut named = report.not_modelled.iter();
    assert!(named.any(|r| r.what.contains("after the first")));
}

#[test]
fn what_an_address_manager_decides_is_not_known_and_no_error() {
    let report = brought_up(
        r#"
resource "azurerm_resource_group" "this" {
  name     = "rg"
  location = "westeurope"
}
resource "azurerm_virtual_network" "this" {
  name                = "v"
  resource_group_name = azurerm_resource_group.this.name
  location            = "westeurope"
  ip_address_pool {
    id                     = "/pool"
    number_of_ip_addresses = "256"
  }
}
resource "azurerm_subnet" "this" {
  name                 = "s"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.this.name
  ip_address_pool {
    id                     = "/pool"
    number_of_ip_addresses = "64"
  }
}
resource "azapi_resource" "this" {
  type      = "Microsoft.Network/virtualNetworks/subnets@2024-05-01"
  name      = "t"
  parent_id = azurerm_virtual_network.this.id
  body = {
    properties = { ipamPoolPrefixAllocations = [{ numberOfIpAddresses = "64", pool = { id = "/pool" } }] }
  }
}
"#,
    );
    assert_eq!(weighty(&report).len(), 0, "{:#?}", report.diagnostics);
}

#[test]
fn what_a_vpn_gateway_may_have_learned_is_perhaps_in_the_tag_of_its_network() {
    let side = |name: &str, other: &str, number: u8| {
        format!(
            r#"
resource "azurerm_virtual_network" "{name}" {{
  name                = "{name}"
  resource_group_name = "rg"
  location            = "westeurope"
  address_space       = ["10.{number}.0.0/16"]
}}
resource "azurerm_subnet" "{name}" {{
  name                 = "s"
  resource_group_name  = "rg"
  virtual_network_name = azurerm_virtual_network.{name}.name
  address_prefixes     = ["10.{number}.1.0/24"]
}}
resource "azurerm_subnet" "gateway_{name}" {{
  name                 = "GatewaySubnet"
  resource_group_name  = "rg"
  virtual_network_name = azurerm_virtual_network.{name}.name
  address_prefixes     = ["10.{number}.0.0/27"]
}}
resource "azurerm_network_security_group" "{name}" {{
  name                = "nsg-{name}"
  resource_group_name = "rg"
  location            = "westeurope"
}}
resource "azurerm_subnet_network_security_group_association" "{name}" {{
  subnet_id                 = azurerm_subnet.{name}.id
  network_security_group_id = azurerm_network_security_group.{name}.id
}}
resource "azurerm_public_ip" "{name}" {{
  name                = "pip-{name}"
  resource_group_name = "rg"
  location            = "westeurope"
  allocation_method   = "Static"
  sku                 = "Standard"
}}
resource "azurerm_virtual_network_gateway" "{name}" {{
  name                = "gw-{name}"
  resource_group_name = "rg"
  location            = "westeurope"
  type                = "Vpn"
  sku                 = "VpnGw1AZ"
  ip_configuration {{
    name                 = "first"
    public_ip_address_id = azurerm_public_ip.{name}.id
    subnet_id            = azurerm_subnet.gateway_{name}.id
  }}
}}
resource "azurerm_virtual_network_gateway_connection" "{name}" {{
  name                            = "to-{other}"
  resource_group_name             = "rg"
  location                        = "westeurope"
  type                            = "Vnet2Vnet"
  virtual_network_gateway_id      = azurerm_virtual_network_gateway.{name}.id
  peer_virtual_network_gateway_id = azurerm_virtual_network_gateway.{other}.id
  shared_key                      = "s"
}}
"#
        )
    };
    let report = brought_up(&format!("{}{}", side("a", "b", 1), side("b", "a", 2)));
    assert_eq!(weighty(&report).len(), 0, "{:#?}", report.diagnostics);
    let verdicts: Vec<Verdict> = report.reachability.iter().map(|r| r.ok).collect();
    assert_eq!(
        verdicts,
        [Verdict::Unknown; 2],
        "{:#?}",
        report.reachability
    );
}
