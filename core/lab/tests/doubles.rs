//! Two addresses of one stack that are one object of the cloud.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::Virtual;
use common::oci::{source, vcn};
use skybridge_lab::document::{Diagnostic, Report};

const NETWORK: &str = r#"
resource "azurerm_resource_group" "rg" {
  name     = "rg"
  location = "eastus"
}

resource "azurerm_virtual_network" "net" {
  name                = "net"
  resource_group_name = azurerm_resource_group.rg.name
  location            = azurerm_resource_group.rg.location
  address_space       = ["10.1.0.0/16"]
}

resource "azurerm_subnet" "one" {
  name                 = "apps"
  resource_group_name  = azurerm_resource_group.rg.name
  virtual_network_name = azurerm_virtual_network.net.name
  address_prefixes     = ["10.1.1.0/24"]
}
"#;

const AGAIN: &str = r#"
resource "azurerm_subnet" "two" {
  name                 = "Apps"
  resource_group_name  = azurerm_resource_group.rg.name
  virtual_network_name = azurerm_virtual_network.net.name
  address_prefixes     = ["10.1.1.0/24"]
}
"#;

fn said<'a>(report: &'a Report, rule: &str) -> Vec<&'a Diagnostic> {
    let all = report.diagnostics.iter();
    all.filter(|d| d.rule.as_deref() == Some(rule)).collect()
}

fn complaints(report: &Report) -> Vec<&Diagnostic> {
    let all = report.diagnostics.iter();
    all.filter(|d| d.level != "notice" && d.level != "advice")
        .collect()
}

#[test]
fn a_second_subnet_of_one_name_exists_already_and_both_are_named() {
    let report = Virtual::new().up(vec![source(format!("{NETWORK}{AGAIN}"))]);
    let [exists] = said(&report, "azure.exists-already")[..] else {
        panic!("{:#?}", report.diagnostics)
    };
    assert_eq!(exists.level, "error");
    for part in [
        "azurerm_subnet.one",
        "azurerm_subnet.two",
        "already exists - to be managed via Terraform this resource needs to be imported",
        "/virtualNetworks/net/subnets/",
    ] {
        assert!(exists.message.contains(part), "{}", exists.message);
    }
    assert!(exists.line.is_some());
    assert_eq!(report.summary.created, 0);
}

#[test]
fn of_two_names_for_one_object_the_one_that_was_there_first_keeps_it() {
    let mut lab = Virtual::new();
    let report = lab.up(vec![source(NETWORK.replace("\"one\"", "\"zero\""))]);
    assert!(complaints(&report).is_empty(), "{:#?}", report.diagnostics);
    let both = NETWORK.replace("\"one\"", "\"zero\"") + &AGAIN.replace("\"two\"", "\"one\"");
    let report = lab.up(vec![source(both)]);
    let exists = said(&report, "azure.exists-already");
    assert!(
        exists[0].message.starts_with("azurerm_subnet.one"),
        "{exists:#?}"
    );
    // A new address in the place of the old one is no second one.
    let report = lab.up(vec![source(NETWORK.to_owned())]);
    assert!(said(&report, "azure.exists-already").is_empty());
    assert!(complaints(&report).is_empty(), "{:#?}", report.diagnostics);
}

#[test]
fn default_objects_that_are_managed_twice_work_only_with_the_same_settings() {
    let list = |name: &str, source: &str| {
        format!(
            r#"
resource "oci_core_default_security_list" "{name}" {{
  manage_default_resource_id = oci_core_vcn.a.default_security_list_id

  egress_security_rules {{
    protocol    = "all"
    destination = "0.0.0.0/0"
  }}

  ingress_security_rules {{
    protocol = "all"
    source   = "{source}"
  }}
}}
"#
        )
    };
    let with = |more: &str| source(format!("{}{more}", vcn("a", 1, "", &[])));
    let report = Virtual::new().up(vec![with(&list("again", "0.0.0.0/0"))]);
    let [twice] = said(&report, "oci.managed-twice")[..] else {
        panic!("{:#?}", report.diagnostics)
    };
    assert_eq!(twice.level, "warning");
    let report = Virtual::new().up(vec![with(&list("other", "10.0.0.0/8"))]);
    let [twice] = said(&report, "oci.managed-twice")[..] else {
        panic!("{:#?}", report.diagnostics)
    };
    assert_eq!(twice.level, "will not work");
    for name in ["a", "other"] {
        let name = format!("oci_core_default_security_list.{name}");
        assert!(twice.message.contains(&name), "{}", twice.message);
    }
}
