//! Reading a stack: variables, modules, expansion, nested blocks, schemas, and what is said when
//! something is wrong.

mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use skybridge_hcl::{Value, to_json};
use skybridge_terraform::{
    Address, Mode, Schemas, StackState, VariableArgument, VariableInputs, load as load_config,
    placeholder_attributes,
};
use support::{apply, files, load, load_with, show, stack};

fn outputs(pairs: &[(&str, &str)], inputs: &VariableInputs) -> BTreeMap<String, String> {
    let (stack, _) = load_with(pairs, inputs).unwrap_or_else(|e| panic!("{}", show(&e)));
    let (_, result) = apply(&stack, StackState::default());
    assert!(
        !skybridge_hcl::has_errors(&result.diagnostics),
        "{}",
        show(&result.diagnostics)
    );
    result
        .state
        .outputs
        .into_iter()
        .map(|(k, v)| (k, to_json(&v.value)))
        .collect()
}

fn errors(text: &str) -> String {
    match load(&[("main.tf", text)]) {
        Err(errors) => show(&errors),
        Ok((stack, said)) => {
            let (rounds, result) = apply(&stack, StackState::default());
            assert!(rounds.is_empty(), "{rounds:?}");
            show(&said) + &show(&result.diagnostics)
        }
    }
}

fn says(text: &str, parts: &[&str]) {
    let said = errors(text);
    for part in parts {
        assert!(said.contains(part), "{part}\nnot in\n{said}");
    }
}

#[test]
fn values_of_variables_follow_the_precedence_of_terraform() {
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let main: String = names.iter().map(|n| format!("variable \"{n}\" {{ default = \"default\" }}\noutput \"{n}\" {{ value = var.{n} }}\n")).collect();
    let set = |names: &str, what: &str| {
        names
            .chars()
            .map(|n| format!("{n} = \"{what}\"\n"))
            .collect::<String>()
    };
    let pairs = [
        ("main.tf", main.as_str()),
        ("terraform.tfvars", &set("cdefg", "tfvars")),
        ("a.auto.tfvars", &set("defg", "auto a")),
        (
            "b.auto.tfvars.json",
            "{\"e\": \"auto b\", \"f\": \"auto b\", \"g\": \"auto b\"}",
        ),
        ("other.tfvars", &set("fg", "file")),
    ];
    let inputs = VariableInputs {
        workspace: None,
        environment: names[1..]
            .iter()
            .map(|n| ((*n).to_owned(), "env".to_owned()))
            .collect(),
        arguments: vec![
            VariableArgument::File("other.tfvars".to_owned()),
            VariableArgument::Value("g".to_owned(), "var".to_owned()),
        ],
    };
    let found = outputs(&pairs, &inputs);
    let expected = [
        "default", "env", "tfvars", "auto a", "auto b", "file", "var",
    ];
    for (name, value) in names.iter().zip(expected) {
        assert_eq!(found[*name], format!("\"{value}\""), "{name}");
    }
    // Of -var and -var-file the later wins.
    let inputs = VariableInputs {
        workspace: None,
        arguments: inputs.arguments.into_iter().rev().collect(),
        ..inputs
    };
    assert_eq!(outputs(&pairs, &inputs)["g"], "\"file\"");
}

#[test]
fn texts_from_outside_are_read_by_the_type_of_the_variable() {
    let main = "variable \"s\" {}\nvariable \"l\" { type = list(number) }\nvariable \"n\" { type = number }\noutput \"all\" { value = [var.s, var.l, var.n + 1] }\n";
    let value = |n: &str, v: &str| VariableArgument::Value(n.to_owned(), v.to_owned());
    let inputs = VariableInputs {
        workspace: None,
        arguments: vec![
            value("s", "[1]"),
            value("l", "[1, \"2\"]"),
            value("n", "41"),
        ],
        ..VariableInputs::default()
    };
    assert_eq!(
        outputs(&[("main.tf", main)], &inputs)["all"],
        "[\"[1]\",[1,2],42]"
    );
}

#[test]
fn missing_variables_are_one_error_and_account_variables_none() {
    let said = show(&load(&[("main.tf", "variable \"tenancy_ocid\" {}\nvariable \"zone\" {}\nvariable \"region\" {\n description = \"home\"\n}\n")]).unwrap_err());
    assert_eq!(said.matches("error").count(), 1, "{said}");
    assert!(
        said.contains("main.tf:2:1: \"zone\"\n  main.tf:3:1: \"region\" (home)\n"),
        "{said}"
    );
    assert!(
        said.contains("pass -var 'zone=...', -var-file FILE, or TF_VAR_zone."),
        "{said}"
    );
    let (stack, said) = load(&[("main.tf", "variable \"tenancy_ocid\" {}\n")]).unwrap();
    assert!(show(&said).contains("main.tf:1:1: notice: Account variables without value"));
    assert!(stack.variables["tenancy_ocid"].is_placeholder());
}

#[test]
fn validation_types_and_undeclared_values_are_checked() {
    says(
        "variable \"x\" {\n default = 5\n validation {\n condition = var.x < 3\n error_message = \"At most ${1 + 1}.\"\n }\n}\n",
        &[
            "main.tf:1:1: error: Invalid value for variable: var.x: At most 2. (the rule is at main.tf:4:14)",
        ],
    );
    says(
        "variable \"x\" {\n type = number\n default = \"a\"\n}\n",
        &[
            "main.tf:3:12: error: Invalid default value for variable",
            "a number is required",
        ],
    );
    let inputs = VariableInputs {
        workspace: None,
        arguments: vec![VariableArgument::Value("naem".to_owned(), "x".to_owned())],
        ..VariableInputs::default()
    };
    let said =
        show(&load_with(&[("main.tf", "variable \"name\" { default = 1 }")], &inputs).unwrap_err());
    assert!(said.contains("Did you mean \"name\"?"), "{said}");
}

#[test]
fn modules_get_arguments_providers_and_instances() {
    let main = r#"
provider "oci" {
  alias  = "home"
  region = "r1"
}
module "m" {
  source    = "./net"
  for_each  = toset(["x", "y"])
  name      = "${each.key}-vcn"
  providers = { oci = oci.home }
}
module "n" {
  source = "./net"
  count  = 1
  name   = module.m["x"].vcn_name
}
output "ids" { value = { for k, m in module.m : k => m.id } }
output "n" { value = module.n[0].vcn_name }
"#;
    let net = r#"
variable "name" { type = string }
variable "label" {
  default  = "dflt"
  nullable = false
}
resource "oci_core_vcn" "v" {
  compartment_id = "c"
  display_name   = var.name
  dns_label      = var.label
  cidr_blocks    = ["10.0.0.0/16"]
}
output "id" { value = oci_core_vcn.v.id }
output "vcn_name" { value = oci_core_vcn.v.display_name }
"#;
    let (stack, _) = load(&[("main.tf", main), ("net/net.tf", net)]).unwrap();
    let (rounds, result) = apply(&stack, StackState::default());
    assert_eq!(
        rounds[0],
        [
            "create module.m[\"x\"].oci_core_vcn.v",
            "create module.m[\"y\"].oci_core_vcn.v"
        ]
    );
    assert_eq!(rounds[1], ["create module.n[0].oci_core_vcn.v"]);
    assert_eq!(to_json(&result.state.outputs["n"].value), "\"x-vcn\"");
    let providers: Vec<&str> = result
        .state
        .instances
        .values()
        .map(|i| i.provider.as_str())
        .collect();
    assert_eq!(providers, ["oci.home", "oci.home", "oci"]);
    assert!(apply(&stack, result.state).0.is_empty());
}

#[test]
fn remote_modules_are_found_where_init_put_them_or_named() {
    let main = "module \"m\" {\n source = \"Azure/network/azurerm\"\n version = \"1.0\"\n}\noutput \"o\" { value = module.m.o }\n";
    let said = show(&load(&[("main.tf", main)]).unwrap_err());
    assert!(
        said.contains("main.tf:1:1: error: Module not installed")
            && said.contains("terraform init"),
        "{said}"
    );
    let manifest = "{\"Modules\":[{\"Key\":\"\",\"Dir\":\".\"},{\"Key\":\"m\",\"Dir\":\".terraform/modules/m\"}]}";
    let found = outputs(
        &[
            ("main.tf", main),
            (".terraform/modules/modules.json", manifest),
            (
                ".terraform/modules/m/m.tf",
                "output \"o\" { value = basename(path.module) }",
            ),
        ],
        &VariableInputs::default(),
    );
    assert_eq!(found["o"], "\"m\"");
}

#[test]
fn a_module_that_calls_itself_is_refused() {
    let said = show(
        &load(&[
            ("main.tf", "module \"m\" { source = \"./m\" }"),
            ("m/m.tf", "module \"m\" { source = \"../m\" }"),
        ])
        .unwrap_err(),
    );
    assert!(said.contains("Too many modules"), "{said}");
}

#[test]
fn dynamic_blocks_make_blocks_with_their_own_places() {
    let text = r#"
variable "rules" { default = { web = 443, ssh = 22 } }
resource "oci_core_security_list" "s" {
  compartment_id = "c"
  vcn_id         = "v"
  ingress_security_rules {
    protocol = "all"
    source   = "10.0.0.0/8"
  }
  dynamic "ingress_security_rules" {
    for_each = var.rules
    iterator = rule
    content {
      protocol    = 6
      source      = "0.0.0.0/0"
      description = rule.key
      tcp_options {
        min = rule.value
        max = "${rule.value}"
      }
    }
  }
}
"#;
    let (_, result) = apply(&stack(text), StackState::default());
    let list = &result.state.instances[&"oci_core_security_list.s".parse::<Address>().unwrap()];
    let rules = list.attributes.list_attr("ingress_security_rules");
    let found: Vec<Option<&str>> = rules.iter().map(|r| r.str_attr("description")).collect();
    assert_eq!(rules.len(), 3, "{found:?}");
    assert_eq!(
        list.attributes
            .at("ingress_security_rules[1].tcp_options[0].max")
            .and_then(Value::as_u64),
        Some(22)
    );
    assert_eq!(rules[1].str_attr("protocol"), Some("6"));
    assert_eq!(
        list.spans
            .find("ingress_security_rules[0].source")
            .unwrap()
            .to_string(),
        "main.tf:8:16"
    );
    assert_eq!(
        list.spans
            .find("ingress_security_rules[2].source")
            .unwrap()
            .to_string(),
        "main.tf:15:21"
    );
}

#[test]
fn arguments_are_converted_and_former_ones_stand_for_their_successors() {
    let text = r#"
resource "azurerm_express_route_circuit" "c" {
  name                = "c"
  location            = "UK South"
  resource_group_name = "r"
  bandwidth_in_mbps   = "50"
  sku {
    tier   = "Standard"
    family = "MeteredData"
  }
}
resource "azurerm_route_table" "t" {
  name                          = "t"
  location                      = "uksouth"
  resource_group_name           = "r"
  disable_bgp_route_propagation = "true"
}
"#;
    let (stack, _) = load(&[("main.tf", text)]).unwrap();
    let (_, result) = apply(&stack, StackState::default());
    let at = |address: &str, path: &str| {
        let instance = &result.state.instances[&address.parse::<Address>().unwrap()];
        to_json(instance.attributes.at(path).unwrap())
    };
    assert_eq!(
        at("azurerm_express_route_circuit.c", "bandwidth_in_mbps"),
        "50"
    );
    assert_eq!(
        at("azurerm_express_route_circuit.c", "location"),
        "\"uksouth\""
    );
    assert_eq!(
        at(
            "azurerm_express_route_circuit.c",
            "allow_classic_operations"
        ),
        "false"
    );
    assert_eq!(
        at("azurerm_route_table.t", "bgp_route_propagation_enabled"),
        "false"
    );
    let warning = "main.tf:16:35: warning: Argument dropped by the provider: version 4.0 of the provider dropped \"disable_bgp_route_propagation\"; write bgp_route_propagation_enabled";
    assert!(
        show(&result.diagnostics).contains(warning),
        "{}",
        show(&result.diagnostics)
    );
    // A stack that pins an older provider is right to use it.
    let pinned = format!(
        "terraform {{\n required_providers {{\n azurerm = {{\n source = \"hashicorp/azurerm\"\n version = \"~> 3.0\"\n}}\n}}\n}}\n{text}"
    );
    let (_, result) = apply(&support::stack(&pinned), StackState::default());
    assert!(
        result.diagnostics.is_empty(),
        "{}",
        show(&result.diagnostics)
    );
}

#[test]
fn blocks_may_be_written_as_an_attribute() {
    let text = r#"
resource "azurerm_virtual_network" "v" {
  name                = "v"
  location            = "x"
  resource_group_name = "r"
  address_space       = ["10.0.0.0/16"]
  subnet = [{
    name             = "a"
    address_prefixes = ["10.0.0.0/24"]
  }]
}
"#;
    let (_, result) = apply(&stack(text), StackState::default());
    let network = &result.state.instances[&"azurerm_virtual_network.v".parse::<Address>().unwrap()]
        .attributes;
    let subnet = network.at("subnet[0]").unwrap();
    assert_eq!(
        subnet.str_attr("name"),
        Some("a"),
        "{}",
        show(&result.diagnostics)
    );
    assert_eq!(
        subnet.bool_attr("default_outbound_access_enabled"),
        Some(true)
    );
    assert!(subnet.list_attr("delegation").is_empty());
    assert!(apply(&stack(text), result.state).0.is_empty());
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_place() {
    says(
        "resource \"azurerm_subnet\" \"s\" {\n  naem = \"x\"\n  resource_group_name = [1]\n  virtual_network_name = \"v\"\n  id = \"x\"\n  delegated {\n  }\n}\n",
        &[
            "main.tf:2:3: error: Unsupported argument: an argument named \"naem\" is not expected here (azurerm_subnet.s). Did you mean \"name\"?",
            "main.tf:3:25: error: Incorrect attribute value type: inappropriate value for attribute \"resource_group_name\": string required",
            "main.tf:5:3: error: Value for unconfigurable attribute",
            "main.tf:6:3: error: Unsupported argument: an argument named \"delegated\"",
            "main.tf:1:1: error: Missing required argument: the argument \"name\" is required",
        ],
    );
    says(
        "resource \"azurerm_express_route_circuit\" \"c\" {\n name = \"c\"\n location = \"x\"\n resource_group_name = \"r\"\n}\n",
        &["at least 1 \"sku\" block is required"],
    );
    says(
        "output \"a\" { value = var.nam }\noutput \"b\" { value = azurerm_subnet.x.id }\nvariable \"name\" { default = 1 }\nlocals {\n l = local.k + module.z.o\n}\n",
        &[
            "Reference to undeclared input variable: input variable \"nam\" has not been declared. Did you mean \"name\"?",
            "Reference to undeclared resource: a managed resource \"azurerm_subnet\" \"x\" has not been declared",
            "Reference to undeclared local value",
            "Reference to undeclared module",
        ],
    );
    says(
        "resuorce \"a\" \"b\" {}\nvariable {}\nx = 1\n",
        &[
            "Did you mean \"resource\"?",
            "Missing name for variable",
            "Unsupported argument",
        ],
    );
    says(
        "locals {\n a = 1\n}\nlocals {\n a = 2\n}\n",
        &["already defined at main.tf:2:2"],
    );
    says(
        "resource \"oci_core_drg\" \"d\" {\n provider = oci.nowhere\n compartment_id = \"c\"\n}\n",
        &["Provider configuration not present"],
    );
}

#[test]
fn outputs_of_a_repeated_module_are_found_by_a_legacy_index() {
    let main =
        "module \"m\" {\n source = \"./m\"\n count = 1\n}\noutput \"o\" { value = module.m.0.a }\n";
    let pairs = [
        ("main.tf", main),
        ("m/main.tf", "output \"a\" { value = 7 }\n"),
    ];
    assert_eq!(outputs(&pairs, &VariableInputs::default())["o"], "7");
}

#[test]
fn what_is_drawn_at_random_has_the_form_that_was_asked_for() {
    let main = r#"
resource "random_integer" "i" {
  min = 2
  max = 4
}
resource "random_string" "s" {
  length  = 6
  upper   = false
  special = false
}
resource "random_id" "d" {
  byte_length = 2
  prefix      = "p-"
}
resource "random_shuffle" "l" {
  input        = ["a", "b"]
  result_count = 1
}
resource "random_pet" "p" {}
resource "random_uuid" "u" {}
output "element" {
  value = ["x", "x", "in", "in", "in"][random_integer.i.result]
}
output "forms" {
  value = alltrue([
    can(regex("^[a-z0-9]{6}$", random_string.s.result)),
    can(regex("^p-[0-9a-f]{4}$", random_id.d.hex)),
    can(regex("^p-[0-9]{1,5}$", random_id.d.dec)),
    length(random_shuffle.l.result) == 1,
    can(regex("^[a-z]+-[a-z]+$", random_pet.p.id)),
    can(regex("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", random_uuid.u.result)),
  ])
}
"#;
    let found = outputs(&[("main.tf", main)], &VariableInputs::default());
    assert_eq!(found["element"], "\"in\"");
    assert_eq!(found["forms"], "true");
}

#[test]
fn of_what_is_no_network_there_is_none_where_a_stand_in_says_how_many() {
    let main = |ty: &str| {
        format!(
            r#"
data "oci_cloud_guard_cloud_guard_configuration" "this" {{
  compartment_id = oci_identity_compartment.this.id
}}
resource "oci_identity_compartment" "this" {{
  name        = "c"
  description = "d"
}}
resource "{ty}" "this" {{
  count          = data.oci_cloud_guard_cloud_guard_configuration.this.status == "DISABLED" ? 1 : 0
  compartment_id = oci_identity_compartment.this.id
}}
output "is_id" {{
  value = can(regex("^ocid1[.]compartment[.]oc1[.][.]placeholder-", oci_identity_compartment.this.id))
}}
"#
        )
    };
    let guard = main("oci_cloud_guard_cloud_guard_configuration");
    let found = outputs(&[("main.tf", &guard)], &VariableInputs::default());
    assert_eq!(found["is_id"], "true");
    says(&main("oci_core_drg"), &["error: Invalid count argument"]);
}

#[test]
fn cycles_are_named() {
    says(
        "locals {\n a = local.b\n b = [local.c]\n c = local.a\n}\n",
        &["error: Cycle: local.a -> local.b -> local.c -> local.a need each other"],
    );
    says(
        "resource \"oci_core_drg\" \"d\" {\n compartment_id = oci_core_drg.d.id\n}\n",
        &["main.tf:2:19: error: Self-referential block"],
    );
}

#[test]
fn values_that_nest_without_end_are_refused() {
    let mut text = "locals {\n l0 = 1\n".to_owned();
    for i in 1..5_000 {
        text.push_str(&format!(" l{i} = [local.l{}]\n", i - 1));
    }
    text.push_str("}\n");
    assert!(errors(&text).contains("Value nested too deeply"));
}

#[test]
fn override_files_replace_arguments() {
    let pairs = [
        (
            "main.tf",
            "locals {\n x = 1\n}\nvariable \"v\" {\n default = 1\n}\noutput \"o\" { value = \"${local.x}${var.v}\" }\n",
        ),
        (
            "z_override.tf",
            "locals {\n x = 2\n}\nvariable \"v\" {\n default = 3\n}\n",
        ),
    ];
    assert_eq!(outputs(&pairs, &VariableInputs::default())["o"], "\"23\"");
}

#[test]
fn every_schema_row_gives_placeholders_of_its_types() {
    let schemas = Schemas::builtin();
    let mut count = 0;
    for (mode, ty, schema) in schemas.iter() {
        count += 1;
        assert!(schema.source.starts_with("https://"), "{ty}");
        let prefix = if mode == Mode::Data { "data." } else { "" };
        let address: Address = format!("{prefix}{ty}.x").parse().unwrap();
        let value = placeholder_attributes(Some(schema), &address, &Value::object(BTreeMap::new()));
        for (name, attribute) in &schema.body.attributes {
            if attribute.computed {
                let found = value.attr(name).unwrap();
                assert!(found.is_placeholder(), "{ty}.{name}");
                assert!(
                    attribute.ty.has_dynamic() || found.ty() == attribute.ty,
                    "{ty}.{name}: {}",
                    found.ty()
                );
            }
            if let Some((successor, _)) = &attribute.becomes {
                assert!(
                    schema.body.attributes.contains_key(successor),
                    "{ty}.{name}"
                );
            }
        }
    }
    assert!(count > 90, "{count}");
}

#[test]
fn arguments_never_read_files_outside_of_what_the_caller_gives() {
    let (config, said) = load_config(files(&[]).as_ref(), ".");
    assert!(config.root().resources.is_empty() && said.is_empty());
}

const PIECES: [&str; 6] = [
    "variable \"n\" { default = 2 }\n",
    "locals {\n base = cidrsubnet(\"10.0.0.0/8\", 8, var.n)\n}\n",
    "resource \"oci_core_vcn\" \"v\" {\n compartment_id = \"c\"\n cidr_blocks = [local.base]\n}\n",
    "resource \"oci_core_subnet\" \"s\" {\n for_each = toset([\"a\", \"b\"])\n compartment_id = \"c\"\n vcn_id = oci_core_vcn.v.id\n cidr_block = cidrsubnet(local.base, 8, each.key == \"a\" ? 0 : 1)\n}\n",
    "output \"o\" { value = { for k, s in oci_core_subnet.s : k => s.cidr_block } }\n",
    "data \"oci_identity_availability_domain\" \"ad\" {\n compartment_id = \"c\"\n}\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_result_does_not_depend_on_files_or_their_order(order in Just((0..PIECES.len()).collect::<Vec<_>>()).prop_shuffle(), cut in 0..PIECES.len()) {
        let text = |part: &[usize]| part.iter().map(|i| PIECES[*i]).collect::<String>();
        let (one, two) = (text(&order[..cut]), text(&order[cut..]));
        let (split, _) = load(&[("b.tf", one.as_str()), ("a.tf", two.as_str())]).expect("it loads");
        let (whole, _) = load(&[("main.tf", PIECES.concat().as_str())]).expect("it loads");
        let (rounds, result) = apply(&split, StackState::default());
        let (expected_rounds, expected) = apply(&whole, StackState::default());
        prop_assert_eq!(rounds, expected_rounds);
        prop_assert_eq!(&result.state.outputs, &expected.state.outputs);
        for (address, instance) in &expected.state.instances {
            prop_assert_eq!(&result.state.instances[address].attributes, &instance.attributes);
            prop_assert_eq!(&result.state.instances[address].dependencies, &instance.dependencies);
        }
    }

    #[test]
    fn any_mixture_of_pieces_loads_or_says_why(parts in prop::collection::vec(prop::sample::select(vec!["resource", "\"oci_core_vcn\"", "\"v\"", "{", "}", "\n", "count", "=", "for_each", "each.key", "dynamic", "content", "local.a", "locals", "a", "module", "source", "\"./m\"", "variable", "default", "1", "[", "]", "oci_core_vcn.v", ".id"]), 0..40)) {
        let text = parts.join(" ");
        if let Ok((stack, _)) = load(&[("main.tf", text.as_str()), ("m/m.tf", "output \"o\" { value = 1 }")]) {
            let (_, result) = apply(&stack, StackState::default());
            prop_assert!(result.plan.len() < 100);
        }
    }
}

#[test]
fn a_module_with_its_own_provider_is_not_repeated() {
    let module = (
        "m/main.tf",
        "provider \"azurerm\" {\n features {}\n}\nresource \"azurerm_resource_group\" \"g\" {\n name = \"g\"\n location = \"westeurope\"\n}\n",
    );
    let errors = load(&[
        (
            "main.tf",
            "module \"m\" {\n source = \"./m\"\n count = 2\n}\n",
        ),
        module,
    ])
    .unwrap_err();
    let summary = "Module is incompatible with count, for_each, and depends_on";
    assert!(show(&errors).contains(&format!("main.tf:1:1: error: {summary}")));
    assert!(
        load(&[
            ("main.tf", "module \"m\" {\n source = \"./m\"\n}\n"),
            module
        ])
        .is_ok()
    );
}

#[test]
fn ephemeral_resources_are_named_and_what_they_give_stays_unknown() {
    let text = "ephemeral \"azurerm_key_vault_secret\" \"s\" {\n name = \"x\"\n}\nresource \"azurerm_resource_group\" \"g\" {\n name = \"g\"\n location = \"westeurope\"\n tags = { s = ephemeral.azurerm_key_vault_secret.s.value }\n}\noutput \"o\" {\n value = ephemeral.azurerm_key_vault_secret.nothing.value\n}\n";
    says(
        text,
        &[
            "main.tf:1:1: notice: Ephemeral resource not opened: ephemeral.azurerm_key_vault_secret.s",
            "main.tf:7:9: error: Invalid use of ephemeral value",
            "main.tf:10:10: error: Reference to undeclared resource: an ephemeral resource",
        ],
    );
}

#[test]
fn what_published_directories_write_and_terraform_takes_is_taken() {
    let main = r#"
module "a" {
  source = "./a"
}
resource "azurerm_resource_group" "rg" {
  name     = "rg"
  location = "West Europe"
}
resource "null_resource" "after" {
  depends_on = [resource.azurerm_resource_group.rg, null_resource.after]
}
module "counted" {
  source = "./a"
  count  = 0
}
resource "azurerm_automation_account" "this" {
  name = "aa"
  identity {
    type = "SystemAssigned"
  }
}
output "guarded" {
  value = try(module.a.missing, "none")
}
output "not_there" {
  value = length(module.counted) > 0 ? module.counted[0].missing : module.counted.*.missing
}
output "namespaced" {
  value = resource.azurerm_resource_group.rg.name
}
output "bound" {
  value = [for resource in [{ a = { b = 1 } }] : resource.a.b]
}
output "undecided" {
  value = azurerm_resource_group.rg.id == "x" ? { a = 1 }["b"] : { a = 1 }["c"]
}
output "stands_in" {
  value = azurerm_automation_account.this.identity[0].principal_id
}
"#;
    let pairs = [("main.tf", main), ("a/main.tf", "")];
    let (stack, _) = load_with(&pairs, &VariableInputs::default()).unwrap();
    let plan = skybridge_terraform::Apply::plan_only(stack, StackState::default());
    let (_, result) = support::drive(plan);
    let said = show(&result.diagnostics);
    assert!(!skybridge_hcl::has_errors(&result.diagnostics), "{said}");
    let output = |name: &str| to_json(&result.outputs[name].value);
    assert_eq!(output("guarded"), "\"none\"");
    assert_eq!(output("not_there"), "[]");
    assert_eq!(output("namespaced"), "\"rg\"");
    assert_eq!(output("bound"), "[1]");
    for name in ["stands_in", "undecided"] {
        assert!(result.outputs[name].value.is_unknown(), "{name}");
    }
}
