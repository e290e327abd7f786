//! Directories in the manner of published ones: old spellings, look-ups, values nobody knows.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use std::path::Path;

use common::{Virtual, read};
use skybridge_lab::document::{Report, Verdict};
use skybridge_lab::request::{Request, Response, Show, StackArgument, StackSource};

#[test]
fn a_directory_in_the_manner_of_2020_runs_unchanged() {
    let mut source = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/idioms"));
    for (name, value) in [("region", "uk-london-1"), ("bandwidth", "1000")] {
        source.arguments.push(StackArgument::Value {
            name: name.to_owned(),
            value: value.to_owned(),
        });
    }
    let mut lab = Virtual::new();
    let report = lab.up(vec![source]);
    let bad: Vec<_> = (report.diagnostics.iter())
        .filter(|d| d.level == "error" || d.level.starts_with("rejected"))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(report.sessions.len(), 4);
    for session in &report.sessions {
        assert_eq!(session.state, "Established", "{session:?}");
    }
    let rows: Vec<_> = (report.reachability.iter())
        .map(|row| (row.from.as_str(), row.to.as_str(), row.ok))
        .collect();
    assert_eq!(
        rows,
        vec![
            ("other vm", "vm", Verdict::Holds),
            ("vm", "other vm", Verdict::Holds)
        ]
    );
}

/// Two virtual networks with a machine each.
fn two_networks(more: &str) -> StackSource {
    let side = |name: &str, octet: u8| {
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

resource "azurerm_virtual_machine" "{name}" {{
  name                  = "{name}"
  resource_group_name   = "rg"
  location              = "East US"
  vm_size               = "Standard_B1s"
  network_interface_ids = [azurerm_network_interface.{name}.id]

  storage_os_disk {{
    name          = "{name}"
    create_option = "FromImage"
  }}
}}
"#
        )
    };
    let text = format!("{}{}{more}", side("hub", 1), side("spoke", 2));
    StackSource {
        directory: "/two-networks".to_owned(),
        files: [("main.tf".to_owned(), text)].into(),
        ..StackSource::default()
    }
}

/// A side of a peering.
fn peering(from: &str, to: &str, more: &str) -> String {
    format!(
        "resource \"azurerm_virtual_network_peering\" \"{from}\" {{
  name                      = \"to-{to}\"
  resource_group_name       = \"rg\"
  virtual_network_name      = azurerm_virtual_network.{from}.name
  remote_virtual_network_id = azurerm_virtual_network.{to}.id
{more}}}\n"
    )
}

fn verdicts(report: &Report) -> Vec<Verdict> {
    let rows = report.reachability.iter();
    rows.map(|row| row.ok).collect()
}

#[test]
fn two_networks_reach_each_other_when_both_have_peered() {
    let mut lab = Virtual::new();
    let apart = lab.up(vec![two_networks("")]);
    assert_eq!(verdicts(&apart), [Verdict::Fails, Verdict::Fails]);
    let both = peering("hub", "spoke", "") + &peering("spoke", "hub", "");
    let report = lab.up(vec![two_networks(&both)]);
    assert_eq!(
        verdicts(&report),
        [Verdict::Holds, Verdict::Holds],
        "{:#?}",
        report.reachability
    );
    assert!(report.not_modelled.is_empty(), "{:#?}", report.not_modelled);
    // What one side alone has set up is not routed, and will not work.
    let one = Virtual::new().up(vec![two_networks(&peering("hub", "spoke", ""))]);
    let said = one.diagnostics.iter();
    let said = said.filter(|d| d.rule.as_deref() == Some("azure.peering-one-sided"));
    assert_eq!(said.count(), 1, "{:#?}", one.diagnostics);
}

#[test]
fn a_peering_without_network_access_is_unknown_and_named() {
    let closed = "  allow_virtual_network_access = false\n";
    let both = peering("hub", "spoke", closed) + &peering("spoke", "hub", "");
    let report = Virtual::new().up(vec![two_networks(&both)]);
    assert_eq!(verdicts(&report), [Verdict::Unknown, Verdict::Unknown]);
    let named = report.not_modelled.iter();
    let named = named.filter(|n| n.what.contains("without virtual network access"));
    assert_eq!(named.count(), 2, "{:#?}", report.not_modelled);
}

#[test]
fn networks_that_overlap_are_not_peered() {
    let both = peering("hub", "spoke", "") + &peering("spoke", "hub", "");
    let mut stack = two_networks(&both);
    let text = stack.files.get_mut("main.tf").unwrap();
    *text = text.replace("[\"10.2.0.0/16\"]", "[\"10.2.0.0/16\", \"10.1.9.0/24\"]");
    let report = Virtual::new().up(vec![stack]);
    let said = report.diagnostics.iter();
    let said = said.filter(|d| d.rule.as_deref() == Some("azure.peering-overlap"));
    assert_eq!(said.count(), 2, "{:#?}", report.diagnostics);
}

#[test]
fn a_route_to_a_firewall_that_nobody_models_makes_verdicts_unknown() {
    let more = r#"
resource "azurerm_firewall" "this" {
  name                = "fw"
  resource_group_name = "rg"
  location            = "East US"
  sku_name            = "AZFW_VNet"
  sku_tier            = "Standard"
}

resource "azurerm_route_table" "hub" {
  name                = "hub"
  resource_group_name = "rg"
  location            = "East US"

  route {
    name                   = "all"
    address_prefix         = "0.0.0.0/0"
    next_hop_type          = "VirtualAppliance"
    next_hop_in_ip_address = azurerm_firewall.this.ip_configuration[0].private_ip_address
  }
}

resource "azurerm_subnet_route_table_association" "hub" {
  subnet_id      = azurerm_subnet.hub.id
  route_table_id = azurerm_route_table.hub.id
}
"#;
    let mut lab = Virtual::new();
    let report = lab.up(vec![two_networks(more)]);
    let rows = report.reachability.iter();
    let from_hub = rows.filter(|row| row.from == "hub");
    let verdicts: Vec<_> = from_hub.map(|row| row.ok).collect();
    assert_eq!(verdicts, [Verdict::Unknown], "{:#?}", report.diagnostics);
}

#[test]
fn a_circuit_joins_networks_that_another_stack_has_made() {
    let mut lab = Virtual::new();
    let base = lab.up(vec![existing("base")]);
    let outputs = &base.summary.outputs;
    let drg = outputs.iter().find(|(name, _)| name == "drg_ocid");
    let mut circuit = existing("circuit");
    circuit.arguments.push(StackArgument::Value {
        name: "drg_id".to_owned(),
        value: drg.unwrap().1.clone(),
    });
    let report = lab.up(vec![circuit]);
    assert_eq!(report.sessions.len(), 4, "{:#?}", report.diagnostics);
    for session in &report.sessions {
        assert_eq!(session.state, "Established", "{session:?}");
    }
    let verdicts: Vec<_> = report.reachability.iter().map(|row| row.ok).collect();
    assert_eq!(verdicts, [Verdict::Holds, Verdict::Holds]);
}

/// A network beside that of the example of an existing network, with a machine, and its peering with it.
fn spoke(back: &str, forth: &str) -> String {
    format!(
        r#"
resource "azurerm_virtual_network" "spoke" {{
  name                = "spoke"
  resource_group_name = azurerm_resource_group.this.name
  location            = "East US"
  address_space       = ["10.72.0.0/16"]
}}

resource "azurerm_subnet" "spoke" {{
  name                 = "spoke"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.spoke.name
  address_prefixes     = ["10.72.1.0/24"]
}}

resource "azurerm_network_interface" "spoke" {{
  name                = "spoke"
  resource_group_name = azurerm_resource_group.this.name
  location            = "East US"

  ip_configuration {{
    name                          = "spoke"
    subnet_id                     = azurerm_subnet.spoke.id
    private_ip_address_allocation = "Dynamic"
  }}
}}

resource "azurerm_virtual_machine" "spoke" {{
  name                  = "spoke"
  resource_group_name   = azurerm_resource_group.this.name
  location              = "East US"
  vm_size               = "Standard_B1s"
  network_interface_ids = [azurerm_network_interface.spoke.id]

  storage_os_disk {{
    name          = "spoke"
    create_option = "FromImage"
  }}
}}

resource "azurerm_virtual_network_peering" "forth" {{
  name                      = "forth"
  resource_group_name       = azurerm_resource_group.this.name
  virtual_network_name      = azurerm_virtual_network.this.name
  remote_virtual_network_id = azurerm_virtual_network.spoke.id
  {forth}
}}

resource "azurerm_virtual_network_peering" "back" {{
  name                      = "back"
  resource_group_name       = azurerm_resource_group.this.name
  virtual_network_name      = azurerm_virtual_network.spoke.name
  remote_virtual_network_id = azurerm_virtual_network.this.id
  {back}
}}
"#
    )
}

fn existing(name: &str) -> StackSource {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/existing");
    read(&directory.join(name))
}

/// The existing network as a hub, with a spoke.
fn hub(back: &str, forth: &str) -> StackSource {
    let mut base = existing("base");
    let text = base.files.get_mut("main.tf").unwrap();
    // OCI lets the spoke in, and knows the way back.
    *text = text.replace(
        "one(azurerm_virtual_network.this.address_space)",
        "\"10.64.0.0/12\"",
    );
    text.push_str(&spoke(back, forth));
    base
}

/// Both stacks, one on top of the other.
fn hub_and_spoke(back: &str, forth: &str) -> (Virtual, Report) {
    let mut lab = Virtual::new();
    let base = lab.up(vec![hub(back, forth)]);
    let outputs = &base.summary.outputs;
    let drg = outputs.iter().find(|(name, _)| name == "drg_ocid");
    let mut circuit = existing("circuit");
    circuit.arguments.push(StackArgument::Value {
        name: "drg_id".to_owned(),
        value: drg.unwrap().1.clone(),
    });
    let report = lab.up(vec![circuit]);
    (lab, report)
}

fn between(report: &Report, from: &str, to: &str) -> Verdict {
    let mut rows = report.reachability.iter();
    let row = rows.find(|row| row.from == from && row.to == to);
    row.unwrap_or_else(|| panic!("{from} to {to}: {:#?}", report.reachability))
        .ok
}

#[test]
fn a_spoke_reaches_the_other_cloud_through_the_gateway_of_its_hub() {
    let (mut lab, report) =
        hub_and_spoke("use_remote_gateways = true", "allow_gateway_transit = true");
    for session in &report.sessions {
        assert_eq!(session.state, "Established", "{session:?}");
    }
    for (from, to) in [
        ("spoke", "db"),
        ("db", "spoke"),
        ("app", "db"),
        ("spoke", "app"),
    ] {
        assert_eq!(
            between(&report, from, to),
            Verdict::Holds,
            "{from} to {to}: {:#?}",
            report.reachability
        );
    }
    let table = |lab: &mut Virtual| {
        let shown = lab.ask(Request::Show(Show::EffectiveRoutes {
            host: Some("spoke".to_owned()),
        }));
        let Response::EffectiveRoutes(tables) = shown else {
            panic!("{shown:?}")
        };
        let routes = tables.rows.into_iter().flat_map(|t| t.routes);
        routes
            .filter(|r| r.state == "Active" && r.address_prefix.starts_with("10.7"))
            .map(|r| format!("{} {} {}", r.address_prefix, r.next_hop_type, r.next_hop_ip))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        table(&mut lab),
        [
            "10.70.0.0/16 VNetPeering ",
            "10.71.1.0/24 VirtualNetworkGateway 10.70.0.4",
            "10.71.1.0/24 VirtualNetworkGateway 10.70.0.5",
            "10.72.0.0/16 VnetLocal ",
        ]
    );
}

#[test]
fn a_spoke_without_gateway_transit_has_none_of_the_hubs_routes() {
    let (_, report) = hub_and_spoke("", "allow_gateway_transit = true");
    assert_eq!(between(&report, "spoke", "db"), Verdict::Fails);
    assert_eq!(between(&report, "db", "spoke"), Verdict::Fails);
    assert_eq!(between(&report, "spoke", "app"), Verdict::Holds);
    let report = Virtual::new().up(vec![hub("use_remote_gateways = true", "")]);
    let said = report.diagnostics.iter();
    let said = said.filter(|d| d.rule.as_deref() == Some("azure.peering-no-transit"));
    assert_eq!(said.count(), 1, "{:#?}", report.diagnostics);
}

#[test]
fn what_a_vpn_gateway_may_route_is_unknown() {
    let vpn = r#"
resource "azurerm_subnet" "gateway" {
  name                 = "GatewaySubnet"
  resource_group_name  = "rg"
  virtual_network_name = azurerm_virtual_network.hub.name
  address_prefixes     = ["10.1.0.0/27"]
}

resource "azurerm_virtual_network_gateway" "vpn" {
  name                = "vpn"
  resource_group_name = "rg"
  location            = "East US"
  type                = "Vpn"
  sku                 = "VpnGw1"

  ip_configuration {
    subnet_id            = azurerm_subnet.gateway.id
    public_ip_address_id = "pip"
  }
}
"#;
    let named = "VPN gateways are not modelled";
    let report = Virtual::new().up(vec![two_networks(vpn)]);
    assert_eq!(between(&report, "hub", "spoke"), Verdict::Unknown);
    assert_eq!(between(&report, "spoke", "hub"), Verdict::Fails);
    let mut rows = report.not_modelled.iter();
    assert!(rows.any(|n| n.what == named), "{:#?}", report.not_modelled);
}

#[test]
fn a_look_up_of_what_the_same_stack_makes_waits_for_it() {
    let text = r#"
resource "azurerm_resource_group" "this" {
  name     = "rg"
  location = "West Europe"
}

resource "azurerm_public_ip" "this" {
  name                = "pip"
  location            = "West Europe"
  resource_group_name = azurerm_resource_group.this.name
  allocation_method   = "Static"
}

data "azurerm_public_ip" "this" {
  name                = azurerm_public_ip.this.name
  resource_group_name = "rg"
}

output "address" {
  value = data.azurerm_public_ip.this.ip_address
}
"#;
    let source = StackSource {
        directory: "/look-up".to_owned(),
        files: [("main.tf".to_owned(), text.to_owned())].into(),
        ..StackSource::default()
    };
    let report = Virtual::new().up(vec![source]);
    let outputs = &report.summary.outputs;
    assert_eq!(outputs.len(), 1, "{:#?}", report.diagnostics);
    assert_eq!(outputs[0].1, "203.0.113.1");
}

#[test]
fn a_secret_of_a_provider_in_an_output_of_an_old_directory_is_a_warning() {
    let text = |more: &str| {
        format!(
            r#"
resource "azurerm_express_route_circuit" "this" {{
  name                  = "circuit"
  location              = "East US"
  resource_group_name   = "rg"
  service_provider_name = "Oracle Cloud FastConnect"
  peering_location      = "Washington DC"
  bandwidth_in_mbps     = 1000

  sku {{
    tier   = "Standard"
    family = "MeteredData"
  }}
}}

output "key" {{
  value = azurerm_express_route_circuit.this.service_key
}}
{more}"#
        )
    };
    let level = |more: &str| {
        let source = StackSource {
            directory: "/key".to_owned(),
            files: [("main.tf".to_owned(), text(more))].into(),
            ..StackSource::default()
        };
        let report = Virtual::new().up(vec![source]);
        let mut said = report.diagnostics.into_iter();
        said.find(|d| d.message.contains("sensitive values"))
            .map(|d| (d.level, report.summary.created))
    };
    assert_eq!(level(""), Some(("warning".to_owned(), 1)));
    let new = "terraform {\n  required_version = \">= 1.0\"\n}\n";
    assert_eq!(level(new).unwrap().0, "error");
}

#[test]
fn an_interface_is_in_the_groups_that_associations_name() {
    let rules = r#"
resource "azurerm_application_security_group" "db" {
  name                = "db"
  resource_group_name = "rg"
  location            = "East US"
}

resource "azurerm_network_security_group" "hub" {
  name                = "hub"
  resource_group_name = "rg"
  location            = "East US"

  security_rule {
    name                                       = "databases"
    priority                                   = 100
    direction                                  = "Inbound"
    access                                     = "Allow"
    protocol                                   = "*"
    source_port_range                          = "*"
    destination_port_range                     = "*"
    source_address_prefix                      = "*"
    destination_application_security_group_ids = [azurerm_application_security_group.db.id]
  }

  security_rule {
    name                       = "nobody"
    priority                   = 200
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_port_range          = "*"
    destination_port_range     = "*"
    source_address_prefix      = "*"
    destination_address_prefix = "*"
  }
}

resource "azurerm_subnet_network_security_group_association" "hub" {
  subnet_id                 = azurerm_subnet.hub.id
  network_security_group_id = azurerm_network_security_group.hub.id
}
"#;
    let member = r#"
resource "azurerm_network_interface_application_security_group_association" "hub" {
  network_interface_id          = azurerm_network_interface.hub.id
  application_security_group_id = azurerm_application_security_group.db.id
}
"#;
    let peered = peering("hub", "spoke", "") + &peering("spoke", "hub", "") + rules;
    let mut lab = Virtual::new();
    let report = lab.up(vec![two_networks(&(peered.clone() + member))]);
    assert_eq!(
        between(&report, "spoke", "hub"),
        Verdict::Holds,
        "{:#?}",
        report.diagnostics
    );
    // Without the association the interface is in no group.
    let report = lab.up(vec![two_networks(&peered)]);
    assert_eq!(between(&report, "spoke", "hub"), Verdict::Fails);
}
