//! Plans and states in JSON in the place of files.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::sync::Arc;

use skybridge_hcl::has_errors;
use skybridge_terraform::{DOCUMENT_FILE, StackState, is_document};
use support::{apply, load, show};

const STATE: &str = r#"{"format_version": "1.0", "terraform_version": "1.11.4", "values": {
  "outputs": {"o": {"value": "v", "sensitive": false}},
  "root_module": {
    "resources": [
      {"address": "azurerm_resource_group.g", "mode": "managed", "type": "azurerm_resource_group", "name": "g",
       "values": {"id": "/subscriptions/s/resourceGroups/g", "name": "g", "location": "westeurope", "tags": null, "timeouts": null}}],
    "child_modules": [{"address": "module.net[\"a\"]", "resources": [
      {"address": "module.net[\"a\"].azurerm_virtual_network.v", "mode": "managed", "type": "azurerm_virtual_network", "name": "v",
       "values": {"id": "/subscriptions/s/v", "name": "v", "resource_group_name": "g", "location": "westeurope", "address_space": ["10.0.0.0/16"], "guid": "x"}},
      {"address": "module.net[\"a\"].azurerm_network_security_group.n[0]", "mode": "managed", "type": "azurerm_network_security_group", "name": "n", "index": 0,
       "values": {"id": "/subscriptions/s/n", "name": "n", "resource_group_name": "g", "location": "westeurope",
         "security_rule": [{"name": "r", "priority": 100, "direction": "Inbound", "access": "Allow", "protocol": "Tcp",
           "source_port_range": "*", "destination_port_range": "22", "source_address_prefix": "*", "destination_address_prefix": "*"}]}}]}]}}}"#;

#[test]
fn a_state_in_json_becomes_the_same_network() {
    assert!(is_document(STATE) && !is_document("{}"));
    let (stack, said) = load(&[(DOCUMENT_FILE, STATE)]).unwrap_or_else(|e| panic!("{}", show(&e)));
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
        [
            "azurerm_resource_group.g",
            "module.net[\"a\"].azurerm_network_security_group.n[0]",
            "module.net[\"a\"].azurerm_virtual_network.v",
        ]
    );
    assert_eq!(result.state.outputs["o"].value.as_str(), Some("v"));
    let (rounds, _) = apply(&stack, result.state);
    assert!(rounds.is_empty(), "{rounds:?}");
}

const PLAN: &str = r#"{"format_version": "1.2", "planned_values": {"root_module": {
    "resources": [
      {"address": "azurerm_network_interface.i[\"a\"]", "mode": "managed", "type": "azurerm_network_interface", "name": "i", "index": "a",
       "values": {"name": "i", "resource_group_name": "g", "location": "westeurope", "ip_configuration": [{"name": "c", "private_ip_address_allocation": "Dynamic"}]}}],
    "child_modules": [{"address": "module.net", "resources": [
      {"address": "module.net.azurerm_subnet.s[\"a\"]", "mode": "managed", "type": "azurerm_subnet", "name": "s", "index": "a",
       "values": {"name": "s", "resource_group_name": "g", "virtual_network_name": "v", "address_prefixes": ["10.0.0.0/24"]}}]}]}},
  "resource_changes": [{"address": "azurerm_network_interface.i[\"a\"]", "change": {"after_unknown": {"id": true, "ip_configuration": [{"subnet_id": true}]}}}],
  "configuration": {"provider_config": {"azurerm": {"name": "azurerm", "expressions": {"subscription_id": {"constant_value": "s"}}}},
    "root_module": {
      "resources": [{"type": "azurerm_network_interface", "name": "i", "mode": "managed", "expressions": {"ip_configuration": [{"subnet_id": {"references": ["module.net.subnet_ids", "module.net", "each.key"]}}]}}],
      "module_calls": {"net": {"module": {"outputs": {"subnet_ids": {"expression": {"references": ["azurerm_subnet.s"]}}}}}}}}}"#;

#[test]
fn what_a_plan_does_not_know_is_a_reference() {
    let (stack, _) = load(&[(DOCUMENT_FILE, PLAN)]).unwrap_or_else(|e| panic!("{}", show(&e)));
    let (rounds, result) = apply(&Arc::clone(&stack), StackState::default());
    assert!(
        !has_errors(&result.diagnostics),
        "{}",
        show(&result.diagnostics)
    );
    assert_eq!(rounds.len(), 2, "the subnet is made first: {rounds:?}");
    let interface = &result.state.instances.iter().next().unwrap().1.attributes;
    let subnet = interface
        .at("ip_configuration[0].subnet_id")
        .and_then(|v| v.as_str());
    assert!(
        subnet.is_some_and(|s| s.contains("azurerm_subnet")),
        "{subnet:?}"
    );
}

#[test]
fn what_is_no_document_is_refused() {
    let errors = load(&[(DOCUMENT_FILE, "{\"a\": 1}")]).unwrap_err();
    assert!(show(&errors).contains("Not a plan or a state"));
}
