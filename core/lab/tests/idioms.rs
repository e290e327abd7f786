//! Directories in the manner of published ones: old spellings, look-ups, values nobody knows.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use std::path::Path;

use common::{Virtual, read};
use skybridge_lab::document::{Report, Verdict};
use skybridge_lab::request::{StackArgument, StackSource};

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

#[test]
fn what_takes_a_peering_of_virtual_networks_is_unknown_and_named() {
    let verdicts = |report: &Report| -> Vec<Verdict> {
        let rows = report.reachability.iter();
        rows.map(|row| row.ok).collect()
    };
    let mut lab = Virtual::new();
    let apart = lab.up(vec![two_networks("")]);
    assert!(verdicts(&apart).iter().all(|v| *v == Verdict::Fails));
    let peering = |from: &str, to: &str| {
        format!(
            "resource \"azurerm_virtual_network_peering\" \"{from}\" {{
  name                      = \"to-{to}\"
  resource_group_name       = \"rg\"
  virtual_network_name      = azurerm_virtual_network.{from}.name
  remote_virtual_network_id = azurerm_virtual_network.{to}.id
}}\n"
        )
    };
    let both = peering("hub", "spoke") + &peering("spoke", "hub");
    let report = lab.up(vec![two_networks(&both)]);
    assert_eq!(verdicts(&report), [Verdict::Unknown, Verdict::Unknown]);
    let named = report.not_modelled.iter();
    let named = named.filter(|n| n.what.contains("peering of virtual networks"));
    assert_eq!(named.count(), 2, "{:#?}", report.not_modelled);
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
    let fixture = |name: &str| {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/existing");
        read(&directory.join(name))
    };
    let mut lab = Virtual::new();
    let base = lab.up(vec![fixture("base")]);
    let outputs = &base.summary.outputs;
    let drg = outputs.iter().find(|(name, _)| name == "drg_ocid");
    let mut circuit = fixture("circuit");
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
