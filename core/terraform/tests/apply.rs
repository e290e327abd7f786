//! Plan and apply: order, differences, replacement, deletion, failure.

mod support;

use std::sync::Arc;

use skybridge_hcl::{Diagnostic, Value, has_errors, parse_expr, to_json};
use skybridge_terraform::{Action, Address, Apply, Change, StackScope, StackState};
use support::{answer, apply, drive, show, stack, word};

const BASE: &str = r#"
variable "space" { default = "10.0.0.0/16" }
resource "azurerm_resource_group" "rg" {
  name     = "rg"
  location = "West Europe"
}
resource "azurerm_virtual_network" "v" {
  name                = "v"
  location            = azurerm_resource_group.rg.location
  resource_group_name = azurerm_resource_group.rg.name
  address_space       = [var.space]
}
resource "azurerm_subnet" "s" {
  count                = 2
  name                 = "s${count.index}"
  resource_group_name  = azurerm_resource_group.rg.name
  virtual_network_name = azurerm_virtual_network.v.name
  address_prefixes     = [cidrsubnet(azurerm_virtual_network.v.address_space[0], 8, count.index)]
}
output "ids" { value = azurerm_subnet.s[*].id }
"#;

#[test]
fn what_is_needed_comes_first_and_equals_go_together() {
    let (rounds, result) = apply(&stack(BASE), StackState::default());
    assert_eq!(
        rounds,
        [
            vec!["create azurerm_resource_group.rg"],
            vec!["create azurerm_virtual_network.v"],
            vec!["create azurerm_subnet.s[0]", "create azurerm_subnet.s[1]"],
        ]
    );
    assert!(
        result.diagnostics.is_empty(),
        "{}",
        show(&result.diagnostics)
    );
    assert_eq!(
        to_json(&result.state.outputs["ids"].value),
        "[\"azurerm_subnet.s[0].id!\",\"azurerm_subnet.s[1].id!\"]"
    );
    let subnet = &result.state.instances[&"azurerm_subnet.s[1]".parse::<Address>().unwrap()];
    assert_eq!(
        to_json(subnet.attributes.attr("address_prefixes").unwrap()),
        "[\"10.0.1.0/24\"]"
    );
    assert_eq!(subnet.dependencies.len(), 2);
    assert_eq!(
        subnet
            .spans
            .find("address_prefixes[0]")
            .unwrap()
            .to_string(),
        "main.tf:18:27"
    );
    assert_eq!(subnet.spans.find("name").unwrap().line, 15);
}

#[test]
fn a_second_apply_without_change_does_nothing() {
    let (_, first) = apply(&stack(BASE), StackState::default());
    let stored = serde_json::to_string(&first.state).unwrap();
    let (rounds, second) = apply(&stack(BASE), serde_json::from_str(&stored).unwrap());
    assert!(rounds.is_empty(), "{rounds:?}");
    assert_eq!(second.state, first.state);
}

#[test]
fn a_change_in_place_is_an_update_and_only_that() {
    let (_, first) = apply(&stack(BASE), StackState::default());
    let changed = BASE.replace("[var.space]", "[var.space, \"10.1.0.0/16\"]");
    let (rounds, second) = apply(&stack(&changed), first.state);
    assert_eq!(rounds, [vec!["update azurerm_virtual_network.v"]]);
    let planned = &second.plan[&"azurerm_virtual_network.v".parse::<Address>().unwrap()];
    assert_eq!(
        (planned.change, planned.changed.as_slice()),
        (Change::Update, ["address_space".to_owned()].as_slice())
    );
}

#[test]
fn a_forced_replacement_deletes_dependants_first_and_makes_all_anew() {
    let (_, first) = apply(&stack(BASE), StackState::default());
    let changed = BASE.replace("name                = \"v\"", "name                = \"w\"");
    let (rounds, second) = apply(&stack(&changed), first.state);
    assert_eq!(
        rounds,
        [
            vec!["delete azurerm_subnet.s[0]", "delete azurerm_subnet.s[1]"],
            vec!["delete azurerm_virtual_network.v"],
            vec!["create azurerm_virtual_network.v"],
            vec!["create azurerm_subnet.s[0]", "create azurerm_subnet.s[1]"],
        ]
    );
    assert!(!has_errors(&second.diagnostics));
    assert_eq!(second.counts, [3, 0, 3]);
}

#[test]
fn what_the_configuration_no_longer_has_is_deleted() {
    let (_, first) = apply(&stack(BASE), StackState::default());
    let (rounds, second) = apply(
        &stack(&BASE.replace("count                = 2", "count = 1")),
        first.state,
    );
    assert_eq!(rounds, [vec!["delete azurerm_subnet.s[1]"]]);
    assert_eq!(second.state.instances.len(), 3);
}

#[test]
fn destroy_goes_the_other_way_round() {
    let (_, first) = apply(&stack(BASE), StackState::default());
    let (rounds, result) = drive(Apply::destroy(first.state));
    assert_eq!(
        rounds,
        [
            vec!["delete azurerm_subnet.s[0]", "delete azurerm_subnet.s[1]"],
            vec!["delete azurerm_virtual_network.v"],
            vec!["delete azurerm_resource_group.rg"],
        ]
    );
    assert_eq!(result.state, StackState::default());
}

#[test]
fn a_failure_skips_what_depends_on_it_and_keeps_the_rest() {
    let text = format!("{BASE}\nresource \"oci_core_drg\" \"d\" {{\n compartment_id = \"c\"\n}}\n");
    let mut machine = Apply::new(stack(&text), StackState::default());
    while !machine.is_done() {
        while let Some(action) = machine.poll_action() {
            let id = action.target().id;
            if action.target().address.ty == "azurerm_virtual_network" {
                machine.fail(id, Diagnostic::error("Conflict", "the cloud says no"));
            } else {
                machine.complete(id, &answer(&action));
            }
        }
    }
    let result = machine.finish();
    let kept: Vec<String> = result
        .state
        .instances
        .keys()
        .map(ToString::to_string)
        .collect();
    assert_eq!(kept, ["azurerm_resource_group.rg", "oci_core_drg.d"]);
    let said = show(&result.diagnostics);
    assert!(said.contains("the cloud says no"), "{said}");
    assert!(
        said.contains("azurerm_subnet.s was skipped because azurerm_virtual_network.v failed"),
        "{said}"
    );
}

#[test]
fn a_failed_deletion_keeps_what_it_was_made_from() {
    let (_, first) = apply(&stack(BASE), StackState::default());
    let mut machine = Apply::destroy(first.state);
    while !machine.is_done() {
        while let Some(action) = machine.poll_action() {
            let id = action.target().id;
            if word(&action) == "delete azurerm_subnet.s[0]" {
                machine.fail(id, Diagnostic::error("In use", ""));
            } else {
                machine.complete(id, &Value::null());
            }
        }
    }
    let result = machine.finish();
    assert_eq!(result.state.instances.len(), 3);
}

#[test]
fn an_error_in_the_plan_changes_nothing() {
    let text =
        format!("{BASE}\noutput \"bad\" {{\n value = azurerm_virtual_network.v.addres_space\n}}\n");
    let (rounds, result) = apply(&stack(&text), StackState::default());
    assert!(rounds.is_empty());
    assert!(result.state.instances.is_empty());
    assert!(show(&result.diagnostics).contains("main.tf:23:35: error: Unsupported attribute: azurerm_virtual_network.v has no attribute named \"addres_space\". Did you mean \"address_space\"?"), "{}", show(&result.diagnostics));
}

#[test]
fn an_unknown_count_or_for_each_is_the_error_of_terraform() {
    for (meta, word) in [
        ("count = length(azurerm_resource_group.rg.id)", "count"),
        (
            "for_each = toset([azurerm_resource_group.rg.id])",
            "for_each",
        ),
    ] {
        let text = format!(
            "{BASE}\nresource \"oci_core_drg\" \"d\" {{\n {meta}\n compartment_id = \"c\"\n}}\n"
        );
        let (rounds, result) = apply(&stack(&text), StackState::default());
        assert!(rounds.is_empty());
        let said = show(&result.diagnostics);
        assert!(
            said.contains(&format!("error: Invalid {word} argument"))
                && said.contains("cannot be determined until apply"),
            "{said}"
        );
    }
}

#[test]
fn data_sources_are_read_in_the_plan_when_their_arguments_are_known() {
    let text = r#"
data "azurerm_resource_group" "known" { name = "x" }
resource "oci_core_drg" "d" { compartment_id = "c" }
data "azurerm_resource_group" "later" { name = oci_core_drg.d.id }
data "azurerm_resource_group" "after" {
  name       = "y"
  depends_on = [oci_core_drg.d]
}
"#;
    let (rounds, first) = apply(&stack(text), StackState::default());
    assert_eq!(
        rounds,
        [
            vec!["read data.azurerm_resource_group.known"],
            vec!["create oci_core_drg.d"],
            vec![
                "read data.azurerm_resource_group.after",
                "read data.azurerm_resource_group.later"
            ],
        ]
    );
    // With the DRG there, everything is known in the plan.
    let (rounds, _) = apply(&stack(text), first.state);
    assert!(
        rounds.iter().flatten().all(|a| a.starts_with("read")),
        "{rounds:?}"
    );
}

#[test]
fn what_nobody_models_gets_marked_stand_ins_and_is_said_once_per_type() {
    let text = r#"
data "http" "ip" { url = "http://example.test" }
resource "azurerm_application_gateway" "a" { name = "a" }
resource "azurerm_application_gateway" "b" { name = "b" }
resource "random_id" "r" { byte_length = 4 }
resource "oci_core_drg" "d" {
  compartment_id = "c"
  display_name   = "${chomp(data.http.ip.response_body)}/32-${random_id.r.hex}-${azurerm_application_gateway.a.virtual_hub}"
}
"#;
    let (rounds, first) = apply(&stack(text), StackState::default());
    assert_eq!(rounds, [vec!["create oci_core_drg.d"]]);
    let name = first.state.instances[&"oci_core_drg.d".parse::<Address>().unwrap()]
        .attributes
        .attr("display_name")
        .unwrap()
        .clone();
    let marks: Vec<String> = name.marks().placeholder.into_iter().collect();
    assert_eq!(
        marks,
        [
            "azurerm_application_gateway.a.virtual_hub",
            "data.http.ip.response_body",
            "random_id.r.hex"
        ]
    );
    assert!(
        name.as_str().is_some_and(|t| t.starts_with("placeholder-")),
        "{name:?}"
    );
    let said = show(&first.diagnostics);
    assert_eq!(
        said.matches("azurerm_application_gateway is a network resource")
            .count(),
        1,
        "{said}"
    );
    assert!(
        said.contains("azurerm_application_gateway.a (main.tf:3:1), azurerm_application_gateway.b (main.tf:4:1)"),
        "{said}"
    );
    let kinds: Vec<(String, bool)> = first
        .not_modelled
        .iter()
        .map(|n| (n.ty.clone(), n.network))
        .collect();
    assert_eq!(
        kinds,
        [
            ("azurerm_application_gateway".to_owned(), true),
            ("http".to_owned(), false),
            ("random_id".to_owned(), false)
        ]
    );
    // Stand-ins are the same each time.
    let (rounds, _) = apply(&stack(text), first.state);
    assert!(rounds.is_empty(), "{rounds:?}");
}

#[test]
fn blocks_of_a_set_may_change_their_order() {
    let group = |rules: &[(&str, u32)]| {
        let rules: String = rules
            .iter()
            .map(|(name, priority)| format!("security_rule {{\n name = \"{name}\"\n priority = {priority}\n direction = \"Inbound\"\n access = \"Allow\"\n protocol = \"*\"\n}}\n"))
            .collect();
        format!(
            "resource \"azurerm_network_security_group\" \"n\" {{\n name = \"n\"\n location = \"westeurope\"\n resource_group_name = \"r\"\n {rules}}}\n"
        )
    };
    let (_, first) = apply(
        &stack(&group(&[("a", 100), ("b", 200)])),
        StackState::default(),
    );
    let (rounds, second) = apply(&stack(&group(&[("b", 200), ("a", 100)])), first.state);
    assert!(rounds.is_empty(), "{rounds:?}");
    let (rounds, _) = apply(&stack(&group(&[("b", 300), ("a", 100)])), second.state);
    assert_eq!(rounds, [vec!["update azurerm_network_security_group.n"]]);
}

#[test]
fn ignored_changes_are_ignored() {
    let text = BASE.replace(
        "address_space       = [var.space]",
        "address_space       = [var.space]\n  lifecycle { ignore_changes = [address_space] }",
    );
    let (_, first) = apply(&stack(&text), StackState::default());
    let (rounds, _) = apply(
        &stack(&text.replace("[var.space]\n", "[\"10.9.0.0/16\"]\n")),
        first.state,
    );
    assert!(rounds.is_empty(), "{rounds:?}");
}

#[test]
fn a_plan_alone_changes_nothing_and_shows_what_is_not_known() {
    let (rounds, result) = drive(Apply::plan_only(stack(BASE), StackState::default()));
    assert!(rounds.is_empty() && result.state.instances.is_empty());
    let planned = &result.plan[&"azurerm_subnet.s[0]".parse::<Address>().unwrap()];
    assert_eq!(planned.change, Change::Create);
    assert!(planned.attributes.attr("id").unwrap().is_unknown());
    assert_eq!(planned.attributes.str_attr("name"), Some("s0"));
    assert!(!result.outputs["ids"].value.is_wholly_known() && result.state.outputs.is_empty());
}

#[test]
fn lab_files_see_values_and_know_which_instance_is_meant() {
    let text = format!("{BASE}\nlocals {{\n pick = azurerm_subnet.s\n}}\n");
    let mut machine = Apply::new(stack(&text), StackState::default());
    while !machine.is_done() {
        while let Some(action) = machine.poll_action() {
            machine.complete(action.target().id, &answer(&action));
        }
    }
    let scope = machine.scope();
    let run = |text: &str| {
        scope.evaluate(
            &parse_expr("lab.sky.hcl", text).unwrap(),
            &skybridge_hcl::NoFiles,
        )
    };
    let which = |text: &str| StackScope::instance_of(&run(text).unwrap()).map(|a| a.to_string());
    assert_eq!(
        which("azurerm_virtual_network.v").as_deref(),
        Some("azurerm_virtual_network.v")
    );
    assert_eq!(
        which("azurerm_subnet.s[1]").as_deref(),
        Some("azurerm_subnet.s[1]")
    );
    assert_eq!(
        which("local.pick[0]").as_deref(),
        Some("azurerm_subnet.s[0]")
    );
    assert_eq!(
        which("true ? azurerm_subnet.s[0] : azurerm_subnet.s[1]").as_deref(),
        Some("azurerm_subnet.s[0]")
    );
    assert_eq!(which("azurerm_virtual_network.v.name"), None);
    assert_eq!(
        run("azurerm_virtual_network.v.address_space[0]")
            .unwrap()
            .as_str(),
        Some("10.0.0.0/16")
    );
    assert!(show(&run("azurerm_subnets.s").unwrap_err()).contains("lab.sky.hcl:1:1"));
}

#[test]
fn rows_are_not_lost_when_the_cloud_returns_less_than_was_planned() {
    let mut machine = Apply::new(
        stack("resource \"oci_core_drg\" \"d\" {\n compartment_id = \"c\"\n}\n"),
        StackState::default(),
    );
    while !machine.is_done() {
        while let Some(action) = machine.poll_action() {
            assert!(matches!(action, Action::Create { .. }));
            machine.complete(
                action.target().id,
                &Value::object_of([("id", Value::string("ocid"))]),
            );
        }
    }
    let result = machine.finish();
    let drg = &result.state.instances[&"oci_core_drg.d".parse::<Address>().unwrap()].attributes;
    assert_eq!(drg.str_attr("id"), Some("ocid"));
    assert_eq!(drg.str_attr("compartment_id"), Some("c"));
    assert!(drg.attr("state").unwrap().is_placeholder());
    assert!(Arc::new(drg.clone()).is_wholly_known());
}

#[test]
fn an_apply_that_is_broken_off_keeps_what_was_made() {
    let mut machine = Apply::new(stack(BASE), StackState::default());
    let action = machine.poll_action().unwrap();
    machine.complete(action.target().id, &answer(&action));
    let early = machine.finish().state;
    assert_eq!(early.instances.len(), 1);
    let (rounds, _) = apply(&stack(BASE), early);
    assert_eq!(rounds[0], ["create azurerm_virtual_network.v"]);
}
