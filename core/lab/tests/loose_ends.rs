//! What joins networks and is not modelled: verdicts that might depend on it are unknown, the others stand.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use std::path::Path;

use common::edits::Edited;
use common::{Virtual, read};
use skybridge_lab::document::{Report, Verdict};

/// A Virtual WAN hub with its ExpressRoute gateway and, beside it, one that nobody models.
const HUB: &str = r#"
resource "azurerm_virtual_wan" "wan" {
  name                = "wan"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
}

resource "azurerm_virtual_hub" "hub" {
  name                = "hub"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  virtual_wan_id      = azurerm_virtual_wan.wan.id
  address_prefix      = "10.100.0.0/23"
}

resource "azurerm_express_route_gateway" "hub" {
  name                = "hub"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  virtual_hub_id      = azurerm_virtual_hub.hub.id
  scale_units         = 1
}

resource "azurerm_vpn_gateway" "hub" {
  name                = "hub"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  virtual_hub_id      = azurerm_virtual_hub.hub.id
}
"#;

/// Routes that its appliances announce come into the network.
const ROUTE_SERVER: &str = r#"
resource "azurerm_subnet" "route_server" {
  name                 = "RouteServerSubnet"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.app.name
  address_prefixes     = [cidrsubnet(azurerm_virtual_network.app.address_space[0], 8, 200)]
}

resource "azurerm_route_server" "app" {
  name                 = "app"
  resource_group_name  = azurerm_resource_group.this.name
  location             = azurerm_resource_group.this.location
  sku                  = "Standard"
  subnet_id            = azurerm_subnet.route_server.id
  public_ip_address_id = azurerm_public_ip.gateway.id
}
"#;

const CIRCUIT: &str = r#"
resource "azurerm_express_route_connection" "hq" {
  name                             = "hq"
  express_route_gateway_id         = azurerm_express_route_gateway.hub.id
  express_route_circuit_peering_id = azurerm_express_route_circuit_peering.private.id
}
"#;

/// The example of a site, whose circuit leads to a hub if it leads anywhere.
fn site(hub: &str) -> Report {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/site-to-azure");
    let gone = "resource \"azurerm_virtual_network_gateway_connection\"";
    let edited = Edited(read(&example))
        .without("circuit.tf", gone)
        .append("hub.tf", HUB)
        .append("hub.tf", hub);
    Virtual::new().up(vec![edited.0])
}

fn verdict(report: &Report, from: &str, to: &str) -> Verdict {
    let mut rows = report.reachability.iter();
    let row = rows.find(|row| row.from == from && row.to == to);
    row.unwrap_or_else(|| panic!("{from} to {to}: {report:#?}"))
        .ok
}

#[test]
fn a_network_with_a_route_server_may_reach_what_it_has_no_route_for() {
    let report = site("");
    assert_eq!(verdict(&report, "app", "desk"), Verdict::Fails);
    let report = site(ROUTE_SERVER);
    assert_eq!(verdict(&report, "app", "desk"), Verdict::Unknown);
    let why = "azurerm_route_server.app is not modelled; where packets";
    let named = report.not_modelled.iter();
    assert!(named.clone().any(|row| row.what.contains(why)));
    // Nothing that is not modelled leads on from the site's circuit.
    assert_eq!(verdict(&report, "desk", "app"), Verdict::Fails);
}

#[test]
fn a_site_whose_circuit_leads_to_a_hub_may_reach_what_nobody_announces_to_it() {
    let report = site(CIRCUIT);
    assert_eq!(verdict(&report, "desk", "app"), Verdict::Unknown);
    assert_eq!(verdict(&report, "app", "desk"), Verdict::Fails);
}

#[test]
fn what_carries_no_packets_between_networks_leaves_no_doubt() {
    let link = r#"
resource "azurerm_private_dns_zone" "zone" {
  name                = "corp.example"
  resource_group_name = azurerm_resource_group.this.name
}

resource "azurerm_private_dns_zone_virtual_network_link" "app" {
  name                  = "app"
  resource_group_name   = azurerm_resource_group.this.name
  private_dns_zone_name = azurerm_private_dns_zone.zone.name
  virtual_network_id    = azurerm_virtual_network.app.id
}
"#;
    let report = site(link);
    assert_eq!(verdict(&report, "app", "desk"), Verdict::Fails);
}

#[test]
fn a_type_of_network_that_nobody_knows_leads_to_all_that_it_names() {
    let report = site(
        r#"
resource "azurerm_network_overlay_peering" "app" {
  name     = "app"
  networks = [azurerm_virtual_network.app.id]
}
"#,
    );
    assert_eq!(verdict(&report, "app", "desk"), Verdict::Unknown);
}
