//! A hub network with spokes, as users write them.

use skybridge_lab::document::{Report, Verdict};
use skybridge_lab::request::StackSource;

use super::Virtual;

/// The text of a directory that grows.
#[derive(Clone)]
pub(crate) struct Hub {
    text: String,
    lab: String,
}

const BASE: &str = r#"
resource "azurerm_resource_group" "this" {
  name     = "rg"
  location = "eastus"
}

resource "azurerm_virtual_network" "hub" {
  name                = "hub"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  address_space       = ["10.0.0.0/16"]
}
"#;

impl Hub {
    /// A hub without anything in it.
    pub(crate) fn new() -> Self {
        Self {
            text: BASE.to_owned(),
            lab: String::new(),
        }
    }

    /// A hub with a firewall, which has these further arguments.
    pub(crate) fn with_firewall(arguments: &str) -> Self {
        Self::new().add(&format!(
            r#"
resource "azurerm_subnet" "firewall" {{
  name                 = "AzureFirewallSubnet"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.hub.name
  address_prefixes     = ["10.0.1.0/26"]
}}

resource "azurerm_public_ip" "fw" {{
  name                = "fw"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  allocation_method   = "Static"
  sku                 = "Standard"
}}

resource "azurerm_firewall" "fw" {{
  name                = "fw"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  sku_name            = "AZFW_VNet"
  sku_tier            = "Standard"
  {arguments}

  ip_configuration {{
    name                 = "main"
    subnet_id            = azurerm_subnet.firewall.id
    public_ip_address_id = azurerm_public_ip.fw.id
  }}
}}
"#
        ))
    }

    pub(crate) fn add(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Text of the lab file.
    pub(crate) fn lab(mut self, text: &str) -> Self {
        self.lab.push_str(text);
        self
    }

    pub(crate) fn replace(mut self, from: &str, to: &str) -> Self {
        assert!(self.text.contains(from), "no {from:?}");
        self.text = self.text.replace(from, to);
        self
    }

    pub(crate) fn source(&self) -> StackSource {
        let mut files = vec![("main.tf".to_owned(), self.text.clone())];
        if !self.lab.is_empty() {
            files.push(("lab.sky.hcl".to_owned(), self.lab.clone()));
        }
        StackSource {
            directory: "/hub".to_owned(),
            files: files.into_iter().collect(),
            ..StackSource::default()
        }
    }

    pub(crate) fn up(&self, lab: &mut Virtual) -> Report {
        let report = lab.up(vec![self.source()]);
        let bad = super::edits::complaints(&report);
        assert!(bad.is_empty(), "{bad:#?}");
        report
    }
}

/// A network `10.OCTET.0.0/16` peered with the hub, with a machine in it, and user routes: prefix and the
/// expression of the next hop's address.
pub(crate) fn spoke(name: &str, octet: u8, routes: &[[&str; 2]]) -> String {
    let routes: String = (routes.iter().enumerate())
        .map(|(i, [prefix, hop])| {
            format!(
                "\n  route {{\n    name = \"r{i}\"\n    address_prefix = \"{prefix}\"\n    next_hop_type = \"VirtualAppliance\"\n    next_hop_in_ip_address = {hop}\n  }}\n"
            )
        })
        .collect();
    format!(
        r#"
resource "azurerm_virtual_network" "{name}" {{
  name                = "{name}"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  address_space       = ["10.{octet}.0.0/16"]
}}

resource "azurerm_virtual_network_peering" "{name}_hub" {{
  name                      = "to-hub"
  resource_group_name       = azurerm_resource_group.this.name
  virtual_network_name      = azurerm_virtual_network.{name}.name
  remote_virtual_network_id = azurerm_virtual_network.hub.id
  allow_forwarded_traffic   = true
}}

resource "azurerm_virtual_network_peering" "hub_{name}" {{
  name                      = "to-{name}"
  resource_group_name       = azurerm_resource_group.this.name
  virtual_network_name      = azurerm_virtual_network.hub.name
  remote_virtual_network_id = azurerm_virtual_network.{name}.id
}}

resource "azurerm_route_table" "{name}" {{
  name                = "{name}"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
{routes}
}}

resource "azurerm_subnet_route_table_association" "{name}" {{
  subnet_id      = azurerm_subnet.{name}.id
  route_table_id = azurerm_route_table.{name}.id
}}
{}"#,
        machine(name, name, &format!("10.{octet}.0.0/24"), "")
    )
}

/// A subnet of a network with a machine in it.
pub(crate) fn machine(name: &str, network: &str, range: &str, interface: &str) -> String {
    format!(
        r#"
resource "azurerm_subnet" "{name}" {{
  name                 = "{name}"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.{network}.name
  address_prefixes     = ["{range}"]
}}

resource "azurerm_network_interface" "{name}" {{
  name                = "{name}"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  {interface}

  ip_configuration {{
    name                          = "main"
    subnet_id                     = azurerm_subnet.{name}.id
    private_ip_address_allocation = "Dynamic"
  }}
}}

resource "azurerm_linux_virtual_machine" "{name}" {{
  name                  = "{name}"
  resource_group_name   = azurerm_resource_group.this.name
  location              = azurerm_resource_group.this.location
  size                  = "Standard_B1s"
  admin_username        = "me"
  network_interface_ids = [azurerm_network_interface.{name}.id]

  admin_ssh_key {{
    username   = "me"
    public_key = "ssh-ed25519 AAAA"
  }}

  os_disk {{
    caching              = "ReadWrite"
    storage_account_type = "Standard_LRS"
  }}

  source_image_reference {{
    publisher = "p"
    offer     = "o"
    sku       = "s"
    version   = "latest"
  }}
}}
"#
    )
}

pub(crate) fn verdict(report: &Report, from: &str, to: &str) -> Verdict {
    row(report, from, to).0
}

pub(crate) fn why(report: &Report, from: &str, to: &str) -> String {
    row(report, from, to).1
}

fn row(report: &Report, from: &str, to: &str) -> (Verdict, String) {
    let mut rows = report.reachability.iter();
    let found = rows.find(|row| row.from == from && row.to == to);
    let found = found.unwrap_or_else(|| panic!("{from} to {to}: {report:#?}"));
    (found.ok, found.note.clone())
}
