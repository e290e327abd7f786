//! What published directories of OpenTofu have besides the language that it shares with Terraform.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use skybridge_hcl::{Kind, Severity, has_errors};
use skybridge_terraform::{DOCUMENT_FILE, StackState, is_document};
use support::{apply, load, show};

fn errors(text: &str) -> String {
    match load(&[("main.tofu", text), ("m/main.tofu", "")]) {
        Ok(_) => panic!("no error"),
        Err(said) => show(&said),
    }
}

#[test]
fn files_of_opentofu_stand_in_the_place_of_those_of_the_same_name() {
    let files = [
        ("main.tf", "output \"from\" { value = \"main.tf\" }"),
        ("main.tofu", "output \"from\" { value = \"main.tofu\" }"),
        ("other.tf", "output \"other\" { value = 1 }"),
        ("json.tf.json", "{\"output\": {\"json\": {\"value\": 1}}}"),
        ("json.tofu.json", "{\"output\": {\"json\": {\"value\": 2}}}"),
        ("x_override.tofu", "output \"other\" { value = 3 }"),
        ("sub/only.tofu", "output \"o\" { value = 4 }"),
        (
            "calls.tofu",
            "module \"sub\" { source = \"./sub\" }\noutput \"sub\" { value = module.sub.o }",
        ),
    ];
    let (stack, said) = load(&files).unwrap_or_else(|e| panic!("{}", show(&e)));
    assert!(said.is_empty(), "{}", show(&said));
    let (_, result) = apply(&stack, StackState::default());
    let value = |name: &str| result.state.outputs[name].value.clone();
    assert_eq!(value("from").as_str(), Some("main.tofu"));
    assert_eq!(value("json").as_u64(), Some(2));
    assert_eq!(value("other").as_u64(), Some(3));
    assert_eq!(value("sub").as_u64(), Some(4));
}

#[test]
fn blocks_of_opentofu_are_accepted_where_nothing_depends_on_them() {
    let text = r#"
        terraform {
          encryption {
            key_provider "pbkdf2" "k" { passphrase = var.passphrase }
            method "aes_gcm" "m" { keys = key_provider.pbkdf2.k }
            state { method = method.aes_gcm.m }
          }
          backend "azurerm" { key = "${var.passphrase}.tfstate" }
        }
        variable "passphrase" { default = "x" }
        provider "azurerm" {
          alias    = "by_subscription"
          for_each = toset(["a", "b"])
          features {}
          subscription_id = each.value
        }
        resource "azurerm_resource_group" "g" {
          for_each = toset(["a", "b"])
          provider = azurerm.by_subscription[each.key]
          name     = each.key
          location = "westeurope"
        }
        output "inside" { value = cidrcontains("10.0.0.0/8", "10.1.0.0/16") }
        output "outside" { value = cidrcontains("10.0.0.0/8", "11.0.0.1") }
    "#;
    let (stack, said) = load(&[("main.tofu", text)]).unwrap_or_else(|e| panic!("{}", show(&e)));
    let warnings: Vec<_> = said
        .iter()
        .filter(|d| d.severity == Severity::Warning)
        .collect();
    assert_eq!(warnings.len(), 1, "{}", show(&said));
    assert!(
        warnings[0].detail.contains("(subscription_id)"),
        "{}",
        warnings[0]
    );
    let (_, result) = apply(&stack, StackState::default());
    assert!(
        !has_errors(&result.diagnostics),
        "{}",
        show(&result.diagnostics)
    );
    assert_eq!(result.state.instances.len(), 2);
    assert_eq!(result.state.outputs["inside"].value.as_bool(), Some(true));
    assert_eq!(result.state.outputs["outside"].value.as_bool(), Some(false));
}

#[test]
fn what_is_not_understood_of_opentofu_is_refused_by_name() {
    let regions = errors(
        "provider \"oci\" {\n  alias = \"r\"\n  for_each = toset([\"a\"])\n  region = each.value\n}",
    );
    assert!(
        regions.contains("one provider block with an alias for each region"),
        "{regions}"
    );
    let source =
        errors("variable \"v\" { default = \"m\" }\nmodule \"m\" { source = \"./${var.v}\" }");
    assert!(source.contains("write the path itself"), "{source}");
    let enabled = errors(
        "resource \"azurerm_resource_group\" \"g\" {\n  name = \"g\"\n  location = \"x\"\n  lifecycle { enabled = false }\n}",
    );
    assert!(enabled.contains("Write count ="), "{enabled}");
    let (stack, _) = load(&[("main.tofu", "output \"o\" { value = base64gunzip(\"\") }")]).unwrap();
    let (_, result) = apply(&stack, StackState::default());
    assert!(show(&result.diagnostics).contains("base64gunzip is not supported here"));
}

/// In the form that `tofu show -json PLAN` documents: names of providers of its own registry.
const PLAN: &str = r#"{"format_version":"1.2","terraform_version":"1.9.0",
 "variables":{"location":{"value":"westeurope"}},
 "planned_values":{"outputs":{"name":{"sensitive":false,"type":"string","value":"v"},"id":{"sensitive":false}},"root_module":{"resources":[
  {"address":"azurerm_resource_group.g","mode":"managed","type":"azurerm_resource_group","name":"g",
   "provider_name":"registry.opentofu.org/hashicorp/azurerm","schema_version":0,
   "values":{"location":"westeurope","managed_by":null,"name":"g","tags":null,"timeouts":null},"sensitive_values":{}},
  {"address":"azurerm_virtual_network.v","mode":"managed","type":"azurerm_virtual_network","name":"v",
   "provider_name":"registry.opentofu.org/hashicorp/azurerm","schema_version":0,
   "values":{"address_space":["10.0.0.0/16"],"location":"westeurope","name":"v","resource_group_name":"g","tags":null,"timeouts":null},
   "sensitive_values":{"address_space":[false]}}]}},
 "resource_changes":[
  {"address":"azurerm_resource_group.g","mode":"managed","type":"azurerm_resource_group","name":"g",
   "provider_name":"registry.opentofu.org/hashicorp/azurerm",
   "change":{"actions":["create"],"before":null,"after":{"location":"westeurope","managed_by":null,"name":"g","tags":null,"timeouts":null},
    "after_unknown":{"id":true},"before_sensitive":false,"after_sensitive":{}}},
  {"address":"azurerm_virtual_network.v","mode":"managed","type":"azurerm_virtual_network","name":"v",
   "provider_name":"registry.opentofu.org/hashicorp/azurerm",
   "change":{"actions":["create"],"before":null,"after":{"address_space":["10.0.0.0/16"],"location":"westeurope","name":"v","resource_group_name":"g","tags":null,"timeouts":null},
    "after_unknown":{"address_space":[false],"guid":true,"id":true,"subnet":true},"before_sensitive":false,"after_sensitive":{"address_space":[false]}}}],
 "output_changes":{"name":{"actions":["create"],"before":null,"after":"v","after_unknown":false,"before_sensitive":false,"after_sensitive":false},
  "id":{"actions":["create"],"before":null,"after_unknown":true,"before_sensitive":false,"after_sensitive":false}},
 "configuration":{"provider_config":{"azurerm":{"name":"azurerm","full_name":"registry.opentofu.org/hashicorp/azurerm","version_constraint":"~> 4.0",
   "expressions":{"features":[{}]}}},
  "root_module":{"outputs":{"name":{"expression":{"references":["azurerm_virtual_network.v.name","azurerm_virtual_network.v"]}},
    "id":{"expression":{"references":["azurerm_virtual_network.v.id","azurerm_virtual_network.v"]}}},
   "resources":[
   {"address":"azurerm_resource_group.g","mode":"managed","type":"azurerm_resource_group","name":"g","provider_config_key":"azurerm",
    "expressions":{"location":{"references":["var.location"]},"name":{"constant_value":"g"}},"schema_version":0},
   {"address":"azurerm_virtual_network.v","mode":"managed","type":"azurerm_virtual_network","name":"v","provider_config_key":"azurerm",
    "expressions":{"address_space":{"constant_value":["10.0.0.0/16"]},"location":{"references":["var.location"]},"name":{"constant_value":"v"},
     "resource_group_name":{"references":["azurerm_resource_group.g.name","azurerm_resource_group.g"]}},"schema_version":0}],
   "variables":{"location":{}}}},
 "timestamp":"2026-11-29T00:00:00Z","errored":false}"#;

#[test]
fn plans_of_opentofu_are_read() {
    assert!(is_document(PLAN));
    let (stack, said) = load(&[(DOCUMENT_FILE, PLAN)]).unwrap_or_else(|e| panic!("{}", show(&e)));
    assert!(!has_errors(&said), "{}", show(&said));
    let (_, result) = apply(&stack, StackState::default());
    assert!(
        !has_errors(&result.diagnostics),
        "{}",
        show(&result.diagnostics)
    );
    let names: Vec<String> = result
        .state
        .instances
        .keys()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        names,
        ["azurerm_resource_group.g", "azurerm_virtual_network.v"]
    );
    let instance = result.state.instances.values().next().unwrap();
    assert_eq!(instance.provider, "azurerm");
    assert_eq!(result.state.outputs["name"].value.as_str(), Some("v"));
    assert!(matches!(
        result.state.outputs["id"].value.kind(),
        Kind::String(_) | Kind::Unknown(_)
    ));
}
