//! JSON syntax, override files, and the blocks that speak about the stack itself: `moved`, `removed`,
//! `import`, `check`, conditions.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::sync::Arc;

use skybridge_hcl::{has_errors, to_json};
use skybridge_terraform::{Apply, ApplyResult, StackState};
use support::{apply, drive, load, show};

fn made(pairs: &[(&str, &str)], prior: StackState) -> ApplyResult {
    let (stack, _) = load(pairs).unwrap_or_else(|e| panic!("{}", show(&e)));
    apply(&stack, prior).1
}

fn outputs(pairs: &[(&str, &str)]) -> String {
    let result = made(pairs, StackState::default());
    assert!(
        !has_errors(&result.diagnostics),
        "{}",
        show(&result.diagnostics)
    );
    let outputs = result.state.outputs.iter();
    let texts = outputs.map(|(name, output)| format!("{name}={}", to_json(&output.value)));
    texts.collect::<Vec<_>>().join(" ")
}

fn failure(pairs: &[(&str, &str)]) -> String {
    match load(pairs) {
        Err(errors) => show(&errors),
        Ok((stack, said)) => {
            show(&said) + &show(&apply(&stack, StackState::default()).1.diagnostics)
        }
    }
}

/// What a plan on top of `prior` would do, one word and address each.
fn planned(text: &str, prior: StackState) -> (Vec<String>, String) {
    let (stack, _) = load(&[("main.tf", text)]).unwrap_or_else(|e| panic!("{}", show(&e)));
    let (_, result) = drive(Apply::plan_only(Arc::clone(&stack), prior));
    let rows = result.plan.iter().map(|(address, p)| {
        let from = p
            .moved_from
            .as_ref()
            .map_or(String::new(), |f| format!(" from {f}"));
        format!("{:?} {address}{from}", p.change)
    });
    (rows.collect(), show(&result.diagnostics))
}

const GROUP: &str =
    "resource \"azurerm_resource_group\" \"a\" {\n name = \"a\"\n location = \"westeurope\"\n}\n";

#[test]
fn json_files_say_the_same_as_native_ones() {
    let json = r#"{
      "//": "a comment",
      "terraform": {"required_providers": {"azurerm": {"source": "hashicorp/azurerm", "version": "~> 3.0"}}},
      "variable": {"names": {"type": "list(string)", "default": ["x", "y"]},
                   "plain": {"type": "string", "default": "p"}},
      "locals": {"all": "${[for n in var.names : upper(n)]}", "text": "a-${var.plain}-%{ if true }t%{ endif }", "n": 1.5, "no": null},
      "resource": {"azurerm_resource_group": {"g": {"name": "${var.plain}", "location": "westeurope",
          "lifecycle": {"ignore_changes": ["tags"]}}},
        "azurerm_network_security_group": {"n": [{"name": "n", "location": "westeurope",
          "resource_group_name": "${azurerm_resource_group.g.name}",
          "dynamic": {"security_rule": {"for_each": "${var.names}", "content": {
             "name": "${security_rule.value}", "priority": "${100 + security_rule.key}", "direction": "Inbound",
             "access": "Allow", "protocol": "*", "source_port_range": "*", "destination_port_range": "*",
             "source_address_prefix": "*", "destination_address_prefix": "*"}}},
          "depends_on": ["azurerm_resource_group.g"]}]}},
      "output": {"all": {"value": "${local.all}"}, "text": {"value": "${local.text} ${local.n}"},
        "rules": {"value": "${[for r in azurerm_network_security_group.n.security_rule : r.name]}"}}
    }"#;
    assert_eq!(
        outputs(&[("main.tf.json", json)]),
        r#"all=["X","Y"] rules=["x","y"] text="a-p-t 1.5""#
    );
    let both = [
        ("a.tf", "output \"a\" { value = local.x }\n"),
        ("b.tf.json", "{\"locals\": [{\"x\": 1}]}"),
    ];
    assert_eq!(outputs(&both), "a=1");
}

#[test]
fn blocks_in_json_are_blocks_by_the_schema() {
    let json = r#"{"resource": {"azurerm_virtual_network": {"v": {
        "name": "v", "resource_group_name": "g", "location": "westeurope", "address_space": ["10.0.0.0/16"],
        "subnet": [{"name": "s", "address_prefixes": ["10.0.0.0/24"]}]}}},
      "output": {"s": {"value": "${azurerm_virtual_network.v.subnet[*].name}"}}}"#;
    let (stack, _) = load(&[("main.tf.json", json)]).unwrap_or_else(|e| panic!("{}", show(&e)));
    let (_, result) = apply(&stack, StackState::default());
    let subnets = result
        .state
        .instances
        .values()
        .next()
        .unwrap()
        .attributes
        .list_attr("subnet");
    assert_eq!(
        subnets[0].str_attr("name"),
        Some("s"),
        "{}",
        show(&result.diagnostics)
    );
}

#[test]
fn json_errors_have_their_place() {
    for (text, part) in [
        ("{\"locals\": {\"a\": }}", "main.tf.json:1:18"),
        ("{\"locals\": {\"a\": \"${1 +}\"}}", "main.tf.json:1:18"),
        ("[1]", "a JSON object is expected"),
        ("{\"resource\": {\"a\": 1}}", "labels of blocks"),
        ("{\"locals\": {}} x", "only white space"),
        (
            &format!(
                "{{\"locals\": {{\"a\": {}1{} }}}}",
                "[".repeat(80),
                "]".repeat(80)
            ),
            "64 deep",
        ),
    ] {
        let said = failure(&[("main.tf.json", text)]);
        assert!(said.contains(part), "{part}\nnot in\n{said}");
    }
}

#[test]
fn override_files_merge_block_by_block() {
    let main = r#"
        variable "v" {
          type    = string
          default = "base"
        }
        locals {
          a = 1
          b = 2
        }
        module "m" {
          source = "./m"
          x      = 1
        }
        resource "azurerm_virtual_network" "v" {
          count               = 2
          name                = "v${count.index}"
          resource_group_name = "g"
          location            = "westeurope"
          address_space       = ["10.0.0.0/16"]
          dns_servers         = ["10.0.0.1"]
          lifecycle {
            ignore_changes  = [tags]
            prevent_destroy = true
          }
        }
        output "all" { value = [var.v, local.a, local.b, module.m.x, azurerm_virtual_network.v[*].dns_servers] }
    "#;
    let files = [
        ("main.tf", main),
        (
            "m/main.tf",
            "variable \"x\" {}\noutput \"x\" { value = var.x }\n",
        ),
        (
            "net_override.tf",
            "resource \"azurerm_virtual_network\" \"v\" {\n dns_servers = [\"10.0.0.2\"]\n lifecycle {\n prevent_destroy = false\n }\n}\n",
        ),
        (
            "override.tf",
            "locals {\n b = 3\n}\nvariable \"v\" {\n default = \"over\"\n}\n",
        ),
        ("z_override.tf.json", "{\"module\": {\"m\": {\"x\": 5}}}"),
    ];
    assert_eq!(
        outputs(&files),
        r#"all=["over",1,3,5,[["10.0.0.2"],["10.0.0.2"]]]"#
    );
    let (stack, _) = load(&files).unwrap();
    let block = stack.config.root().resources.values().next().unwrap();
    assert!(!block.prevent_destroy, "overridden");
    assert!(
        format!("{:?}", block.ignore_changes).contains("tags"),
        "kept"
    );
    let said = failure(&[("main.tf", ""), ("override.tf", GROUP)]);
    assert!(said.contains("Missing resource to override"), "{said}");
}

#[test]
fn moved_blocks_rename_without_touching_anything() {
    let first = made(&[("main.tf", GROUP)], StackState::default()).state;
    let renamed = GROUP.replace(
        "\"azurerm_resource_group\" \"a\"",
        "\"azurerm_resource_group\" \"b\"",
    );
    let text = format!(
        "{renamed}moved {{\n from = azurerm_resource_group.a\n to = azurerm_resource_group.b\n}}\n"
    );
    let (plan, said) = planned(&text, first.clone());
    assert_eq!(
        plan,
        ["None azurerm_resource_group.b from azurerm_resource_group.a"],
        "{said}"
    );
    // Into an instance of a module, and on from there.
    let text = "module \"m\" {\n source = \"./m\"\n for_each = toset([\"k\"])\n}\nmoved {\n from = azurerm_resource_group.a\n to = module.m[\"k\"].azurerm_resource_group.c\n}\n";
    let inner = GROUP.replace("group\" \"a\"", "group\" \"d\"")
        + "moved {\n from = azurerm_resource_group.c\n to = azurerm_resource_group.d\n}\n";
    let (stack, _) = load(&[("main.tf", text), ("m/main.tf", &inner)]).unwrap();
    let (rounds, result) = apply(&stack, first);
    assert!(
        rounds.is_empty(),
        "{rounds:?} {}",
        show(&result.diagnostics)
    );
    let names: Vec<String> = result
        .state
        .instances
        .keys()
        .map(ToString::to_string)
        .collect();
    assert_eq!(names, ["module.m[\"k\"].azurerm_resource_group.d"]);
}

#[test]
fn a_count_that_comes_or_goes_keeps_the_first_instance() {
    let counted = GROUP.replace("name =", "count = 1\n name =");
    let first = made(&[("main.tf", GROUP)], StackState::default()).state;
    let (plan, _) = planned(&counted, first);
    assert_eq!(
        plan,
        ["None azurerm_resource_group.a[0] from azurerm_resource_group.a"]
    );
    let first = made(&[("main.tf", &counted)], StackState::default()).state;
    let (plan, _) = planned(GROUP, first);
    assert_eq!(
        plan,
        ["None azurerm_resource_group.a from azurerm_resource_group.a[0]"]
    );
}

#[test]
fn removed_blocks_forget_or_destroy() {
    let first = made(&[("main.tf", GROUP)], StackState::default()).state;
    let removed = |destroy: &str| {
        format!(
            "removed {{\n from = azurerm_resource_group.a\n lifecycle {{\n destroy = {destroy}\n }}\n}}\n"
        )
    };
    assert_eq!(
        planned(&removed("true"), first.clone()).0,
        ["Delete azurerm_resource_group.a"]
    );
    assert_eq!(
        planned(&removed("false"), first.clone()).0,
        ["Forget azurerm_resource_group.a"]
    );
    let (stack, _) = load(&[("main.tf", &removed("false"))]).unwrap();
    let (rounds, result) = apply(&stack, first);
    assert!(
        rounds.is_empty() && result.state.instances.is_empty(),
        "{rounds:?}"
    );
    let both = format!("{GROUP}{}", removed("true"));
    assert!(failure(&[("main.tf", &both)]).contains("Removed resource still exists"));
}

#[test]
fn checks_warn_and_conditions_fail() {
    let check = "locals { one = 1 }\ncheck \"c\" {\n assert {\n condition = local.one == 2\n error_message = \"one is not two\"\n }\n}\n";
    let result = made(&[("main.tf", check)], StackState::default());
    assert!(!has_errors(&result.diagnostics));
    assert!(show(&result.diagnostics).contains("one is not two"));
    let condition = |kind: &str, condition: &str| {
        GROUP.replace(
            "}\n",
            &format!(" lifecycle {{\n {kind} {{\n condition = {condition}\n error_message = \"not so\"\n }}\n }}\n}}\n"),
        )
    };
    for text in [
        condition("precondition", "path.module == \"m\""),
        condition("postcondition", "self.name == \"b\""),
        "output \"o\" {\n value = 1\n precondition {\n condition = path.module == \"m\"\n error_message = \"not so\"\n }\n}\n".to_owned(),
        "variable \"a\" { default = 1 }\nvariable \"b\" {\n default = 2\n validation {\n condition = var.b < var.a\n error_message = \"not so\"\n }\n}\n".to_owned(),
    ] {
        let said = failure(&[("main.tf", &text)]);
        assert!(said.contains("not so"), "{text}\n{said}");
    }
    let holds = condition("postcondition", "self.name == \"a\"");
    assert!(!has_errors(
        &made(&[("main.tf", &holds)], StackState::default()).diagnostics
    ));
}

#[test]
fn replace_triggered_by_follows_what_it_names() {
    let text = |location: &str| {
        format!(
            "resource \"azurerm_virtual_network\" \"v\" {{\n name = \"v\"\n resource_group_name = \"g\"\n location = \"westeurope\"\n address_space = [\"{location}\"]\n}}\n{}",
            GROUP.replace("}\n", "lifecycle {\n replace_triggered_by = [azurerm_virtual_network.v.address_space]\n }\n}\n")
        )
    };
    let first = made(&[("main.tf", &text("10.0.0.0/16"))], StackState::default()).state;
    let (plan, said) = planned(&text("10.1.0.0/16"), first.clone());
    assert_eq!(
        plan,
        [
            "Replace azurerm_resource_group.a",
            "Update azurerm_virtual_network.v"
        ],
        "{said}"
    );
    let (plan, _) = planned(&text("10.0.0.0/16"), first);
    assert_eq!(
        plan,
        [
            "None azurerm_resource_group.a",
            "None azurerm_virtual_network.v"
        ]
    );
}

#[test]
fn parts_of_attributes_may_be_ignored() {
    let text = |a: &str, b: &str| {
        GROUP.replace("}\n", &format!("tags = {{\n a = \"{a}\"\n b = \"{b}\"\n }}\n lifecycle {{\n ignore_changes = [tags[\"a\"]]\n }}\n}}\n"))
    };
    let first = made(&[("main.tf", &text("1", "1"))], StackState::default()).state;
    assert_eq!(
        planned(&text("2", "1"), first.clone()).0,
        ["None azurerm_resource_group.a"]
    );
    assert_eq!(
        planned(&text("2", "2"), first).0,
        ["Update azurerm_resource_group.a"]
    );
}

#[test]
fn what_must_not_be_destroyed_is_kept() {
    let kept = GROUP.replace("}\n", "lifecycle {\n prevent_destroy = true\n }\n}\n");
    let first = made(&[("main.tf", &kept)], StackState::default()).state;
    let (_, said) = planned(&kept.replace("name =", "count = 0\n name ="), first);
    assert!(said.contains("Instance cannot be destroyed"), "{said}");
}
