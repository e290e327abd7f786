//! Stacks that share an estate and make the same object.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::Virtual;
use skybridge_lab::document::Report;
use skybridge_lab::request::{Request, Response, StackSource, UpRequest};

/// A group, a network of it and a subnet in that.
fn stack(directory: &str, range: &str, subnet: &str) -> StackSource {
    // Two spellings of one region.
    let location = if directory == "a" {
        "East US"
    } else {
        "eastus"
    };
    let text = format!(
        r#"
resource "azurerm_resource_group" "shared" {{
  name     = "net"
  location = "{location}"
}}

resource "azurerm_virtual_network" "{directory}" {{
  name                = "hub"
  resource_group_name = azurerm_resource_group.shared.name
  location            = "eastus"
  address_space       = ["{range}"]
}}

resource "azurerm_subnet" "own" {{
  name                 = "{directory}"
  resource_group_name  = "net"
  virtual_network_name = azurerm_virtual_network.{directory}.name
  address_prefixes     = ["{subnet}"]
}}
"#
    );
    StackSource {
        directory: format!("/{directory}"),
        files: [("main.tf".to_owned(), text)].into(),
        ..StackSource::default()
    }
}

fn adopted(report: &Report) -> Vec<&str> {
    let said = report.diagnostics.iter();
    said.filter(|d| d.rule.as_deref() == Some("adopted"))
        .map(|d| d.message.as_str())
        .collect()
}

fn down(lab: &mut Virtual, directory: &str) {
    let request = Request::Down {
        directory: Some(directory.to_owned()),
    };
    assert!(matches!(lab.ask(request), Response::Report(_)));
}

fn networks(lab: &Virtual) -> usize {
    let kind = "Microsoft.Network/virtualNetworks";
    lab.lab.estate().of_kind(kind).count()
}

#[test]
fn an_object_that_two_stacks_make_alike_is_adopted_and_goes_with_the_last() {
    let (a, b) = (
        stack("a", "10.0.0.0/16", "10.0.1.0/24"),
        stack("b", "10.0.0.0/16", "10.0.2.0/24"),
    );
    let mut lab = Virtual::new();
    let report = lab.up(vec![a.clone(), b.clone()]);
    let errors = report.diagnostics.iter().filter(|d| d.level == "error");
    assert_eq!(errors.count(), 0, "{:#?}", report.diagnostics);
    let said = adopted(&report);
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said[1].contains("azurerm_virtual_network.b is azurerm_virtual_network.a of /a"));
    // A second time there is nothing to adopt.
    assert!(adopted(&lab.up(vec![a, b])).is_empty());
    down(&mut lab, "/a");
    assert_eq!(networks(&lab), 1);
    down(&mut lab, "/b");
    assert_eq!(networks(&lab), 0);
}

#[test]
fn an_object_that_two_stacks_want_otherwise_is_an_error_that_names_both() {
    let (a, b) = (
        stack("a", "10.0.0.0/16", "10.0.1.0/24"),
        stack("b", "10.0.0.0/15", "10.0.2.0/24"),
    );
    let mut lab = Virtual::new();
    let request = UpRequest {
        stacks: vec![a.clone(), b.clone()],
        force: false,
        skip_simulation: true,
    };
    let expected = "azurerm_virtual_network.b of /b and azurerm_virtual_network.a of /a are the same object of \
                    the cloud, and differ in address_space";
    let Response::Plan(plan) = lab.ask(Request::Plan(request)) else {
        panic!("no plan");
    };
    assert!(
        plan.diagnostics
            .iter()
            .any(|d| d.level == "error" && d.message.contains(expected))
    );
    let report = lab.up(vec![a.clone(), b.clone()]);
    let said = report
        .diagnostics
        .iter()
        .find(|d| d.message.contains(expected));
    assert_eq!(
        (said.unwrap().level.as_str(), said.unwrap().line),
        ("error", Some(11))
    );
    assert_eq!(networks(&lab), 0);
    // The same when the first runs already.
    lab.up(vec![a]);
    let report = lab.up(vec![b]);
    assert!(
        report
            .diagnostics
            .iter()
            .any(|d| d.message.contains(expected))
    );
}

#[test]
fn a_setting_that_both_stacks_change_at_once_is_no_conflict() {
    let tagged = |mut source: StackSource| {
        let text = source.files.get_mut("main.tf").unwrap();
        *text = text.replace("\"10.0.0.0/16\"", "\"10.0.0.0/16\", \"10.9.0.0/16\"");
        source
    };
    let (a, b) = (
        stack("a", "10.0.0.0/16", "10.0.1.0/24"),
        stack("b", "10.0.0.0/16", "10.0.2.0/24"),
    );
    let mut lab = Virtual::new();
    lab.up(vec![a.clone(), b.clone()]);
    let one = lab.up(vec![tagged(a.clone())]);
    assert!(one.diagnostics.iter().any(|d| d.level == "error"));
    let both = lab.up(vec![tagged(a), tagged(b)]);
    let errors = both.diagnostics.iter().filter(|d| d.level == "error");
    assert_eq!(errors.count(), 0, "{:#?}", both.diagnostics);
}

#[test]
fn stacks_go_down_in_the_opposite_order_of_their_coming() {
    let base = r#"
resource "azurerm_resource_group" "this" {
  name     = "rg"
  location = "westeurope"
}
resource "azurerm_virtual_network" "this" {
  name                = "v"
  resource_group_name = azurerm_resource_group.this.name
  location            = "westeurope"
  address_space       = ["10.0.0.0/16"]
}
resource "azurerm_subnet" "this" {
  name                 = "s"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = ["10.0.1.0/24"]
}
"#;
    let top = r#"
data "azurerm_subnet" "this" {
  name                 = "s"
  resource_group_name  = "rg"
  virtual_network_name = "v"
}
resource "azurerm_network_interface" "this" {
  name                = "nic"
  resource_group_name = "rg"
  location            = "westeurope"
  ip_configuration {
    name                          = "first"
    subnet_id                     = data.azurerm_subnet.this.id
    private_ip_address_allocation = "Dynamic"
  }
}
"#;
    let source = |directory: &str, text: &str| StackSource {
        directory: directory.to_owned(),
        files: [("main.tf".to_owned(), text.to_owned())].into(),
        ..StackSource::default()
    };
    let mut lab = Virtual::new();
    lab.up(vec![source("/z", base)]);
    lab.up(vec![source("/a", top)]);
    let Response::Report(report) = lab.ask(Request::Down { directory: None }) else {
        panic!("no report");
    };
    assert_eq!(report.diagnostics.len(), 0, "{:#?}", report.diagnostics);
    assert_eq!(report.summary.resources, 0);
}
