//! Firewalls that user routes lead to, judged by packets.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use std::path::Path;

use common::edits::Edited;
use common::hubs::{Hub, spoke, verdict, why};
use common::{Virtual, read};
use skybridge_lab::document::{Report, Verdict};
use skybridge_lab::request::{Request, Response, UpRequest};

/// A firewall with a policy whose network rules are `rules`.
fn policy(rules: &str) -> String {
    format!(
        r#"
resource "azurerm_firewall_policy" "fw" {{
  name                = "rules"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
}}

resource "azurerm_firewall_policy_rule_collection_group" "fw" {{
  name               = "group"
  firewall_policy_id = azurerm_firewall_policy.fw.id
  priority           = 100
{rules}
}}
"#
    )
}

fn allow(name: &str, priority: u32, action: &str, rule: &str) -> String {
    format!(
        r#"
  network_rule_collection {{
    name     = "{name}"
    priority = {priority}
    action   = "{action}"

    rule {{
      name = "rule"
{rule}
    }}
  }}
"#
    )
}

const PING: &str = r#"
      protocols             = ["ICMP"]
      source_addresses      = ["10.1.0.0/16"]
      destination_addresses = ["10.2.0.0/16"]
      destination_ports     = ["*"]
"#;

/// Two spokes that reach each other by the firewall of the hub only.
fn two_spokes(rules: &str) -> Hub {
    let route = [
        "10.0.0.0/8",
        "azurerm_firewall.fw.ip_configuration[0].private_ip_address",
    ];
    Hub::with_firewall("firewall_policy_id = azurerm_firewall_policy.fw.id")
        .add(&policy(rules))
        .add(&spoke("left", 1, &[route]))
        .add(&spoke("right", 2, &[route]))
}

#[test]
fn what_a_network_rule_allows_passes_from_spoke_to_spoke_and_its_replies_come_back() {
    let report = two_spokes(&allow("ping", 100, "Allow", PING)).up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Holds);
    // Nothing allows the other way to begin.
    assert_eq!(verdict(&report, "right", "left"), Verdict::Fails);
    let why = why(&report, "right", "left");
    assert!(
        why.contains("firewall/fw") && why.contains("rules: no rule allows it"),
        "{why}"
    );
    assert!(report.not_modelled.is_empty(), "{:#?}", report.not_modelled);
}

#[test]
fn a_collection_of_lesser_priority_number_is_asked_first_and_nothing_allows_what_is_left() {
    let deny = allow("no", 90, "Deny", PING);
    let report = two_spokes(&(allow("ping", 100, "Allow", PING) + &deny)).up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Fails);
    let denied = why(&report, "left", "right");
    assert!(denied.contains("rules: group/no/rule"), "{denied}");

    let later = allow("no", 110, "Deny", PING);
    let report = two_spokes(&(allow("ping", 100, "Allow", PING) + &later)).up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Holds);
}

#[test]
fn a_reply_that_comes_to_the_firewall_alone_is_dropped_and_one_that_goes_past_it_is_not() {
    let peering = |from: &str, to: &str| {
        format!(
            r#"
resource "azurerm_virtual_network_peering" "{from}_{to}" {{
  name                      = "{from}-{to}"
  resource_group_name       = azurerm_resource_group.this.name
  virtual_network_name      = azurerm_virtual_network.{from}.name
  remote_virtual_network_id = azurerm_virtual_network.{to}.id
}}
"#
        )
    };
    let any = PING
        .replace("[\"10.1.0.0/16\"]", "[\"*\"]")
        .replace("[\"10.2.0.0/16\"]", "[\"*\"]");
    let hop = "azurerm_firewall.fw.ip_configuration[0].private_ip_address";
    let report = Hub::with_firewall("firewall_policy_id = azurerm_firewall_policy.fw.id")
        .add(&policy(&allow("ping", 100, "Allow", &any)))
        .add(&spoke("left", 1, &[["10.2.0.0/16", hop]]))
        .add(&spoke("right", 2, &[]))
        .add(&peering("left", "right"))
        .add(&peering("right", "left"))
        .up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Holds);
    assert_eq!(verdict(&report, "right", "left"), Verdict::Fails);
    let dropped = why(&report, "right", "left");
    assert!(dropped.contains("out of state at firewall/fw"), "{dropped}");
}

#[test]
fn a_spoke_that_takes_no_forwarded_traffic_drops_what_the_firewall_passes_on() {
    let hub = two_spokes(&allow("ping", 100, "Allow", PING));
    let report = hub
        .replace(
            "allow_forwarded_traffic   = true",
            "allow_forwarded_traffic   = false",
        )
        .up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Fails);
    let dropped = why(&report, "left", "right");
    assert!(dropped.contains("source check at vnet/right"), "{dropped}");
}

#[test]
fn the_firewalls_own_subnet_routes_what_it_passes_on() {
    let table = r#"
resource "azurerm_route_table" "firewall" {
  name                = "firewall"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location

  route {
    name           = "away"
    address_prefix = "10.2.0.0/16"
    next_hop_type  = "None"
  }
}

resource "azurerm_subnet_route_table_association" "firewall" {
  subnet_id      = azurerm_subnet.firewall.id
  route_table_id = azurerm_route_table.firewall.id
}
"#;
    let hub = two_spokes(&allow("ping", 100, "Allow", PING)).add(table);
    let report = hub.up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Fails);
    let dropped = why(&report, "left", "right");
    assert!(dropped.contains("route none at vnet/hub"), "{dropped}");
}

#[test]
fn what_nobody_can_know_of_a_rule_leaves_a_verdict_open_and_no_other() {
    let named = r#"
      protocols         = ["ICMP"]
      source_addresses  = ["10.1.0.0/16"]
      destination_fqdns = ["db.example.com"]
      destination_ports = ["*"]
"#;
    let report = two_spokes(&allow("names", 100, "Allow", named)).up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Unknown);
    assert_eq!(verdict(&report, "right", "left"), Verdict::Fails);
    // What an earlier rule decides, a later one does not change.
    let both = allow("ping", 90, "Allow", PING) + &allow("names", 100, "Allow", named);
    let report = two_spokes(&both).up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Holds);
}

#[test]
fn a_group_of_addresses_and_collections_without_policy_are_rules_too() {
    let group = r#"
resource "azurerm_ip_group" "left" {
  name                = "left"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  cidrs               = ["10.1.0.0/16"]
}

resource "azurerm_firewall_network_rule_collection" "ping" {
  name                = "ping"
  azure_firewall_name = azurerm_firewall.fw.name
  resource_group_name = azurerm_resource_group.this.name
  priority            = 100
  action              = "Allow"

  rule {
    name                  = "rule"
    protocols             = ["ICMP"]
    source_ip_groups      = [azurerm_ip_group.left.id]
    destination_addresses = ["10.2.0.4-10.2.0.9"]
    destination_ports     = ["*"]
  }
}
"#;
    let route = [
        "10.0.0.0/8",
        "azurerm_firewall.fw.ip_configuration[0].private_ip_address",
    ];
    let report = Hub::with_firewall("")
        .add(group)
        .add(&spoke("left", 1, &[route]))
        .add(&spoke("right", 2, &[route]))
        .up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Holds);
    assert_eq!(verdict(&report, "right", "left"), Verdict::Fails);
}

#[test]
fn routes_that_a_gateway_might_bring_leave_a_default_route_in_doubt_unless_propagation_is_off() {
    let gateway = r#"
resource "azurerm_subnet" "gateway" {
  name                 = "GatewaySubnet"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.left.name
  address_prefixes     = ["10.1.9.0/27"]
}

resource "azurerm_virtual_network_gateway" "vpn" {
  name                = "vpn"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  type                = "Vpn"
  sku                 = "VpnGw1"

  ip_configuration {
    subnet_id            = azurerm_subnet.gateway.id
    public_ip_address_id = azurerm_public_ip.fw.id
  }
}
"#;
    let all = [
        "0.0.0.0/0",
        "azurerm_firewall.fw.ip_configuration[0].private_ip_address",
    ];
    let hub = Hub::with_firewall("firewall_policy_id = azurerm_firewall_policy.fw.id")
        .add(&policy(&allow("ping", 100, "Allow", PING)))
        .add(&spoke("left", 1, &[all]))
        .add(&spoke("right", 2, &[all]));
    let report = hub.clone().add(gateway).up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Unknown);
    let own = "resource \"azurerm_route_table\" \"left\" {\n";
    let off = format!("{own}  bgp_route_propagation_enabled = false\n");
    let report = hub.add(gateway).replace(own, &off).up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Holds);
}

#[test]
fn what_is_unknown_of_the_hubs_routes_does_not_touch_the_way_to_the_firewall() {
    let server = r#"
resource "azurerm_subnet" "server" {
  name                 = "RouteServerSubnet"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.hub.name
  address_prefixes     = ["10.0.9.0/26"]
}

resource "azurerm_route_server" "hub" {
  name                 = "hub"
  resource_group_name  = azurerm_resource_group.this.name
  location             = azurerm_resource_group.this.location
  sku                  = "Standard"
  subnet_id            = azurerm_subnet.server.id
  public_ip_address_id = azurerm_public_ip.fw.id
}
"#;
    let hub = two_spokes(&allow("ping", 100, "Allow", PING)).add(server);
    let report = Virtual::new().up(vec![hub.source()]);
    assert_eq!(verdict(&report, "left", "right"), Verdict::Holds);
    assert_eq!(verdict(&report, "right", "left"), Verdict::Fails);
}

#[test]
fn what_a_rule_that_nobody_can_read_might_deny_is_open_though_it_passed() {
    let named = r#"
      protocols             = ["Any"]
      source_addresses      = ["10.1.0.0/16"]
      destination_addresses = ["AzureCloud"]
      destination_ports     = ["*"]
"#;
    let rules = allow("tags", 90, "Deny", named) + &allow("ping", 100, "Allow", PING);
    let report = two_spokes(&rules).up(&mut Virtual::new());
    assert_eq!(verdict(&report, "left", "right"), Verdict::Unknown);
    assert!(why(&report, "left", "right").contains("firewall/fw"));
}

#[test]
fn a_trace_names_the_firewall_and_the_rule_that_lets_a_packet_pass() {
    let mut lab = Virtual::new();
    two_spokes(&allow("ping", 100, "Allow", PING)).up(&mut lab);
    let asked = Request::Trace {
        from: "left".to_owned(),
        to: "right".to_owned(),
        tcp: None,
    };
    let Response::Trace(trace) = lab.ask(asked) else {
        panic!("no trace");
    };
    let hop = trace.forward.iter().find(|hop| hop.node == "firewall/fw");
    let hop = hop.unwrap_or_else(|| panic!("{trace:#?}"));
    assert_eq!((hop.role.as_str(), hop.hidden), ("firewall", true));
    assert!(
        hop.verdict.contains("allowed by rules: group/ping/rule"),
        "{hop:?}"
    );
    assert!(trace.back.iter().any(|hop| hop.node == "firewall/fw"));
}

/// The example of a site, with a firewall between it and the application in both directions, or one.
fn site(rules: &str, with_return: bool) -> Edited {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/site-to-azure");
    let table = |name: &str, prefix: &str| {
        format!(
            r#"
resource "azurerm_route_table" "{name}" {{
  name                = "{name}"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location

  route {{
    name                   = "by-firewall"
    address_prefix         = {prefix}
    next_hop_type          = "VirtualAppliance"
    next_hop_in_ip_address = azurerm_firewall.fw.ip_configuration[0].private_ip_address
  }}
}}

resource "azurerm_subnet_route_table_association" "{name}" {{
  subnet_id      = azurerm_subnet.{name}.id
  route_table_id = azurerm_route_table.{name}.id
}}
"#
        )
    };
    let firewall = r#"
resource "azurerm_subnet" "firewall" {
  name                 = "AzureFirewallSubnet"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.app.name
  address_prefixes     = [cidrsubnet(var.vnet_cidr, 10, 9)]
}

resource "azurerm_firewall" "fw" {
  name                = "fw"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  sku_name            = "AZFW_VNet"
  sku_tier            = "Standard"
  firewall_policy_id  = azurerm_firewall_policy.fw.id

  ip_configuration {
    name                 = "main"
    subnet_id            = azurerm_subnet.firewall.id
    public_ip_address_id = azurerm_public_ip.gateway.id
  }
}
"#;
    let back = if with_return {
        table("app", "\"192.168.0.0/16\"")
    } else {
        String::new()
    };
    let inward = table("gateway", "azurerm_subnet.app.address_prefixes[0]");
    Edited(read(&example))
        .append("fw.tf", firewall)
        .append("fw.tf", &policy(rules))
        .append("fw.tf", &inward)
        .append("fw.tf", &back)
}

fn forced(edited: Edited) -> Report {
    Virtual::new().up_with(UpRequest {
        stacks: vec![edited.0],
        force: true,
        skip_simulation: true,
    })
}

const FROM_SITE: &str = r#"
      protocols             = ["ICMP", "TCP"]
      source_addresses      = ["192.168.0.0/16"]
      destination_addresses = ["*"]
      destination_ports     = ["*"]
"#;

#[test]
fn what_comes_from_a_site_passes_the_firewall_that_the_gateways_subnet_leads_to() {
    let whole = site(&allow("in", 100, "Allow", FROM_SITE), true);
    // What the example expects the other way is seen not to work before anything is brought up.
    let report = Virtual::new().up(vec![whole.clone().0]);
    let said = report.diagnostics.iter();
    let mut said = said.filter(|d| d.message.contains("is stopped at firewall/fw by rules"));
    assert!(said.next().is_some(), "{:#?}", report.diagnostics);
    let report = forced(whole);
    assert_eq!(verdict(&report, "desk", "app"), Verdict::Holds);
    assert_eq!(verdict(&report, "app", "desk"), Verdict::Fails);
    assert!(why(&report, "app", "desk").contains("no rule allows it"));
    let closed = FROM_SITE.replace("192.168.0.0/16", "192.168.9.0/24");
    let report = forced(site(&allow("in", 100, "Allow", &closed), true));
    assert_eq!(verdict(&report, "desk", "app"), Verdict::Fails);
}

#[test]
fn a_machine_whose_answers_reach_a_site_past_the_firewall_opens_nothing_through_it() {
    let report = Virtual::new().up(vec![site(&allow("in", 100, "Allow", FROM_SITE), false).0]);
    assert_eq!(verdict(&report, "desk", "app"), Verdict::Holds);
    assert_eq!(verdict(&report, "app", "desk"), Verdict::Fails);
    let dropped = why(&report, "app", "desk");
    assert!(dropped.contains("out of state at firewall/fw"), "{dropped}");
}

#[test]
fn diagnose_names_the_firewall_that_has_no_rule() {
    let mut lab = Virtual::new();
    two_spokes(&allow("ping", 100, "Allow", PING)).up(&mut lab);
    let asked = Request::Diagnose {
        from: "right".to_owned(),
        to: "left".to_owned(),
        tcp: None,
    };
    let Response::Diagnosis(found) = lab.ask(asked) else {
        panic!("no diagnosis");
    };
    let named = found.findings.iter();
    let mut named = named.filter(|f| f.what.contains("no rule of rules allows echo requests"));
    assert!(named.next().is_some(), "{found:#?}");
}
