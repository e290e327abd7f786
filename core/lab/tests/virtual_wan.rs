//! Hubs of virtual WANs, judged by packets.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use std::path::Path;

use common::edits::Edited;
use common::{Virtual, read};
use skybridge_lab::document::{Report, Verdict};
use skybridge_lab::request::StackSource;

const WAN: &str = r#"
resource "azurerm_virtual_wan" "wan" {
  name                = "wan"
  resource_group_name = "rg"
  location            = "East US"
}
"#;

fn hub(name: &str, prefix: &str) -> String {
    format!(
        r#"
resource "azurerm_virtual_hub" "{name}" {{
  name                = "{name}"
  resource_group_name = "rg"
  location            = "East US"
  virtual_wan_id      = azurerm_virtual_wan.wan.id
  address_prefix      = "{prefix}"
}}
"#
    )
}

/// A connection of a network to a hub, of the same name as the network.
fn connected(hub: &str, network: &str, more: &str) -> String {
    format!(
        r#"
resource "azurerm_virtual_hub_connection" "{network}" {{
  name                      = "{network}"
  virtual_hub_id            = azurerm_virtual_hub.{hub}.id
  remote_virtual_network_id = azurerm_virtual_network.{network}.id
{more}}}
"#
    )
}

/// A network 10.`octet`.0.0/16 with a subnet and a machine, all of one name.
fn network(name: &str, octet: u8) -> String {
    format!(
        r#"
resource "azurerm_virtual_network" "{name}" {{
  name                = "{name}"
  resource_group_name = "rg"
  location            = "East US"
  address_space       = ["10.{octet}.0.0/16"]
}}

resource "azurerm_subnet" "{name}" {{
  name                 = "apps"
  resource_group_name  = "rg"
  virtual_network_name = azurerm_virtual_network.{name}.name
  address_prefixes     = ["10.{octet}.1.0/24"]
}}

resource "azurerm_network_interface" "{name}" {{
  name                = "{name}"
  resource_group_name = "rg"
  location            = "East US"

  ip_configuration {{
    name                          = "first"
    subnet_id                     = azurerm_subnet.{name}.id
    private_ip_address_allocation = "Dynamic"
  }}
}}

resource "azurerm_linux_virtual_machine" "{name}" {{
  name                  = "{name}"
  resource_group_name   = "rg"
  location              = "East US"
  size                  = "Standard_B1s"
  admin_username        = "someone"
  network_interface_ids = [azurerm_network_interface.{name}.id]

  os_disk {{
    caching              = "None"
    storage_account_type = "Standard_LRS"
  }}
}}
"#
    )
}

fn stack(parts: &[String]) -> StackSource {
    let text = WAN.to_owned() + &parts.concat();
    StackSource {
        directory: "/wan".to_owned(),
        files: [("main.tf".to_owned(), text)].into(),
        ..StackSource::default()
    }
}

fn up(parts: &[String]) -> Report {
    Virtual::new().up(vec![stack(parts)])
}

fn verdict(report: &Report, from: &str, to: &str) -> Verdict {
    let mut rows = report.reachability.iter();
    let row = rows.find(|row| row.from == from && row.to == to);
    row.unwrap_or_else(|| panic!("{from} to {to}: {report:#?}"))
        .ok
}

fn both(report: &Report, a: &str, b: &str) -> [Verdict; 2] {
    [verdict(report, a, b), verdict(report, b, a)]
}

fn three() -> Vec<String> {
    vec![
        network("one", 1),
        network("two", 2),
        network("alone", 3),
        hub("east", "10.100.0.0/23"),
        connected("east", "one", ""),
        connected("east", "two", ""),
    ]
}

#[test]
fn networks_of_one_hub_reach_each_other_and_nobody_else() {
    let report = up(&three());
    assert!(report.not_modelled.is_empty(), "{:#?}", report.not_modelled);
    assert_eq!(both(&report, "one", "two"), [Verdict::Holds; 2]);
    assert_eq!(both(&report, "one", "alone"), [Verdict::Fails; 2]);
}

#[test]
fn a_network_leaves_its_hub_with_its_connection() {
    let mut lab = Virtual::new();
    lab.up(vec![stack(&three())]);
    let mut parts = three();
    parts.pop();
    let report = lab.up(vec![stack(&parts)]);
    assert_eq!(both(&report, "one", "two"), [Verdict::Fails; 2]);
}

#[test]
fn what_a_hub_leads_on_to_are_gateway_routes_that_a_route_table_may_refuse() {
    let mut parts = three();
    parts.push(
        r#"
resource "azurerm_route_table" "one" {
  name                          = "one"
  resource_group_name           = "rg"
  location                      = "East US"
  bgp_route_propagation_enabled = false
}

resource "azurerm_subnet_route_table_association" "one" {
  subnet_id      = azurerm_subnet.one.id
  route_table_id = azurerm_route_table.one.id
}
"#
        .to_owned(),
    );
    let report = up(&parts);
    assert_eq!(both(&report, "one", "two"), [Verdict::Fails; 2]);
}

#[test]
fn the_hubs_of_one_wan_lead_to_each_others_networks() {
    let parts = [
        network("one", 1),
        network("two", 2),
        hub("east", "10.100.0.0/23"),
        hub("west", "10.101.0.0/23"),
        connected("east", "one", ""),
        connected("west", "two", ""),
    ];
    let report = up(&parts);
    assert_eq!(both(&report, "one", "two"), [Verdict::Holds; 2]);
    assert!(report.not_modelled.is_empty(), "{:#?}", report.not_modelled);
}

#[test]
fn what_route_tables_of_a_hub_or_a_gateway_of_another_kind_do_is_unknown() {
    let mut parts = three();
    parts[4] = connected(
        "east",
        "one",
        "  routing {\n    associated_route_table_id = azurerm_virtual_hub_route_table.own.id\n  }\n",
    );
    parts.push(
        r#"
resource "azurerm_virtual_hub_route_table" "own" {
  name           = "own"
  virtual_hub_id = azurerm_virtual_hub.east.id
}
"#
        .to_owned(),
    );
    let report = up(&parts);
    assert_eq!(both(&report, "one", "two"), [Verdict::Unknown; 2]);
    let mut named = report.not_modelled.iter();
    assert!(named.any(|row| row.resource == "azurerm_virtual_hub_route_table.own"));

    let mut parts = three();
    parts.push(
        r#"
resource "azurerm_vpn_gateway" "vpn" {
  name                = "vpn"
  resource_group_name = "rg"
  location            = "East US"
  virtual_hub_id      = azurerm_virtual_hub.east.id
}
"#
        .to_owned(),
    );
    let report = up(&parts);
    assert_eq!(both(&report, "one", "two"), [Verdict::Unknown; 2]);
    assert_eq!(verdict(&report, "one", "alone"), Verdict::Unknown);
    assert_eq!(verdict(&report, "alone", "one"), Verdict::Fails);
}

#[test]
fn a_hub_that_is_elsewhere_may_lead_anywhere() {
    let elsewhere = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualHubs/h";
    let parts = [
        network("one", 1),
        network("two", 2),
        connected("none", "one", "")
            .replace("azurerm_virtual_hub.none.id", &format!("\"{elsewhere}\"")),
    ];
    let report = up(&parts);
    assert_eq!(verdict(&report, "one", "two"), Verdict::Unknown);
    assert_eq!(verdict(&report, "two", "one"), Verdict::Fails);
    let of_connection = (report.not_modelled.iter())
        .filter(|row| row.resource == "azurerm_virtual_hub_connection.one");
    let what: Vec<&str> = of_connection.map(|row| row.what.as_str()).collect();
    assert_eq!(what, ["its hub is not in this network"]);
}

/// The example of a site with a hub in the place of the network's gateway.
fn site(more: &str) -> Edited {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/site-to-azure");
    let gateway = r#"
resource "azurerm_express_route_gateway" "hub" {
  name                = "hub"
  resource_group_name = "rg"
  location            = "East US"
  virtual_hub_id      = azurerm_virtual_hub.east.id
  scale_units         = 1
}

resource "azurerm_express_route_connection" "hq" {
  name                             = "hq"
  express_route_gateway_id         = azurerm_express_route_gateway.hub.id
  express_route_circuit_peering_id = azurerm_express_route_circuit_peering.private.id
}
"#;
    let connection = "resource \"azurerm_virtual_network_gateway_connection\"";
    Edited(read(&example))
        .without("circuit.tf", connection)
        .without("azure.tf", "resource \"azurerm_virtual_network_gateway\"")
        .without("azure.tf", "resource \"azurerm_subnet\" \"gateway\"")
        .append("hub.tf", WAN)
        .append("hub.tf", &hub("east", "10.100.0.0/23"))
        .append("hub.tf", &connected("east", "app", ""))
        .append("hub.tf", gateway)
        .append("hub.tf", more)
}

#[test]
fn a_circuit_at_a_hubs_gateway_leads_to_all_networks_of_the_hub() {
    let second = network("second", 77) + &connected("east", "second", "");
    let report = Virtual::new().up(vec![site(&second).0]);
    assert!(report.not_modelled.is_empty(), "{:#?}", report.not_modelled);
    assert_eq!(both(&report, "desk", "app"), [Verdict::Holds; 2]);
    assert_eq!(both(&report, "desk", "second"), [Verdict::Holds; 2]);
    assert_eq!(both(&report, "app", "second"), [Verdict::Holds; 2]);
    let failed = report
        .expectations
        .iter()
        .filter(|e| e.holds != Verdict::Holds);
    assert_eq!(failed.count(), 0, "{:#?}", report.expectations);
}

#[test]
fn what_a_hubs_gateway_has_learned_is_unknown_at_the_other_hubs() {
    let second =
        network("second", 77) + &hub("west", "10.101.0.0/23") + &connected("west", "second", "");
    let report = Virtual::new().up(vec![site(&second).0]);
    assert_eq!(both(&report, "app", "second"), [Verdict::Holds; 2]);
    assert_eq!(both(&report, "desk", "second"), [Verdict::Unknown; 2]);
    assert_eq!(both(&report, "desk", "app"), [Verdict::Holds; 2]);
}

#[test]
fn what_route_maps_do_to_the_routes_of_a_circuit_is_unknown() {
    let edited = site("").replace(
        "hub.tf",
        "azurerm_express_route_circuit_peering.private.id\n",
        "azurerm_express_route_circuit_peering.private.id\n\n  routing {\n    inbound_route_map_id = \"map\"\n  }\n",
    );
    let report = Virtual::new().up(vec![edited.0]);
    assert_eq!(both(&report, "desk", "app"), [Verdict::Unknown; 2]);
    let mut named = report.not_modelled.iter();
    assert!(named.any(|row| row.resource == "azurerm_express_route_connection.hq"));
}

/// The names of the rules that refuse something.
fn refused(parts: &[String]) -> Vec<String> {
    let report = up(parts);
    let said = report.diagnostics.into_iter();
    let said = said.filter(|d| d.level == "rejected by Azure");
    said.filter_map(|d| d.rule).collect()
}

#[test]
fn azure_refuses_hubs_and_connections_that_it_cannot_have() {
    let east = || hub("east", "10.100.0.0/23");
    let parts = [hub("east", "10.100.0.0/25")];
    assert_eq!(refused(&parts), ["azure.hub-prefix-size"]);
    let parts = [
        network("one", 1),
        east(),
        hub("west", "10.101.0.0/23"),
        connected("east", "one", ""),
        connected("west", "one", "").replace("\"one\" {", "\"twice\" {"),
    ];
    assert_eq!(refused(&parts), ["azure.hub-connection-twice"]);
    let parts = [network("one", 100), east(), connected("east", "one", "")];
    assert_eq!(refused(&parts), ["azure.hub-overlap"]);
    let gateway = |name: &str, units: u8| {
        format!(
            r#"
resource "azurerm_express_route_gateway" "{name}" {{
  name                = "{name}"
  resource_group_name = "rg"
  location            = "East US"
  virtual_hub_id      = azurerm_virtual_hub.east.id
  scale_units         = {units}
}}
"#
        )
    };
    let parts = [east(), gateway("a", 1), gateway("b", 1)];
    assert_eq!(refused(&parts), ["azure.hub-gateway-one"]);
    assert_eq!(
        refused(&[east(), gateway("a", 11)]),
        ["azure.hub-gateway-units"]
    );
    let own = r#"
resource "azurerm_subnet" "gateway" {
  name                 = "GatewaySubnet"
  resource_group_name  = "rg"
  virtual_network_name = azurerm_virtual_network.one.name
  address_prefixes     = ["10.1.255.0/27"]
}

resource "azurerm_virtual_network_gateway" "own" {
  name                = "own"
  resource_group_name = "rg"
  location            = "East US"
  type                = "ExpressRoute"
  sku                 = "Standard"

  ip_configuration {
    subnet_id = azurerm_subnet.gateway.id
  }
}
"#;
    let late = "  depends_on = [azurerm_virtual_network_gateway.own]\n";
    let parts = [
        network("one", 1),
        own.to_owned(),
        east(),
        connected("east", "one", late),
    ];
    assert_eq!(refused(&parts), ["azure.hub-connection-gateway"]);
}
