//! What must hold for every configuration: the order and names of files do not matter, evaluation is
//! deterministic, and a second plan after an apply is empty.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;
use skybridge_hcl::{has_errors, to_json};
use skybridge_terraform::{Apply, Change, Mode, Schemas, Stack, StackState, VariableInputs};
use support::{apply, drive, files, load, show};

/// A block of a configuration that has sense whatever the others are.
fn block(number: usize, kind: usize) -> String {
    match kind % KINDS {
        0 => format!(
            "locals {{\n l{number} = [for i in range({}) : i * 2]\n}}\n",
            number % 5
        ),
        1 => format!(
            "variable \"v{number}\" {{\n type = map(object({{ a = optional(string, \"d\") }}))\n default = {{ k{number} = {{}} }}\n}}\n"
        ),
        2 => format!(
            "resource \"azurerm_resource_group\" \"g{number}\" {{\n name = \"g{number}\"\n location = \"westeurope\"\n tags = {{ n = \"{number}\" }}\n}}\n"
        ),
        3 => format!(
            "resource \"azurerm_virtual_network\" \"n{number}\" {{\n for_each = toset([\"a\", \"b\"])\n name = \"n{number}-${{each.key}}\"\n resource_group_name = azurerm_resource_group.base.name\n location = azurerm_resource_group.base.location\n address_space = [cidrsubnet(\"10.0.0.0/8\", 8, {number})]\n}}\n"
        ),
        5 => format!(
            "data \"azurerm_resource_group\" \"d{number}\" {{\n name = azurerm_resource_group.base.name\n}}\noutput \"d{number}\" {{\n value = data.azurerm_resource_group.d{number}.name\n}}\n"
        ),
        6 => format!(
            "module \"m{number}\" {{\n source = \"./m\"\n for_each = toset([\"x\", \"y\"])\n name = \"${{each.key}}-{number}\"\n parent = azurerm_resource_group.base.name\n}}\noutput \"m{number}\" {{\n value = [for k, m in module.m{number} : m.names]\n}}\n"
        ),
        7 => format!(
            "resource \"terraform_data\" \"t{number}\" {{\n count = {}\n input = [azurerm_resource_group.base.id, {{ n = count.index }}]\n triggers_replace = {number}\n}}\n",
            number % 3
        ),
        4 => format!(
            "output \"o{number}\" {{\n value = {{ id = azurerm_resource_group.base.id, n = {number} }}\n}}\n"
        ),
        _ => format!(
            "resource \"azurerm_network_security_group\" \"s{number}\" {{\n name = \"s{number}\"\n resource_group_name = azurerm_resource_group.base.name\n location = \"westeurope\"\n dynamic \"security_rule\" {{\n for_each = range({})\n content {{\n name = \"r${{security_rule.key}}\"\n priority = 100 + security_rule.value\n direction = \"Inbound\"\n access = \"Allow\"\n protocol = \"Tcp\"\n source_port_range = \"*\"\n destination_port_range = \"22\"\n source_address_prefix = \"*\"\n destination_address_prefix = \"*\"\n }}\n }}\n}}\n",
            number % 3
        ),
    }
}

/// How many kinds of block there are.
const KINDS: usize = 9;

/// A module with modules in it.
const MODULE: [(&str, &str); 2] = [
    (
        "m/main.tf",
        "variable \"name\" {}\nvariable \"parent\" {}\nresource \"azurerm_virtual_network\" \"v\" {\n count = 2\n name = \"${var.name}-${count.index}\"\n resource_group_name = var.parent\n location = \"westeurope\"\n address_space = [cidrsubnet(\"10.0.0.0/8\", 8, count.index)]\n}\nmodule \"n\" {\n source = \"./n\"\n count = 1\n id = azurerm_virtual_network.v[0].id\n}\noutput \"names\" { value = concat(azurerm_virtual_network.v[*].name, module.n[*].id) }\n",
    ),
    (
        "m/n/main.tf",
        "variable \"id\" {}\ndata \"azurerm_resource_group\" \"g\" { name = \"base\" }\nresource \"terraform_data\" \"x\" { input = [var.id, data.azurerm_resource_group.g.name] }\noutput \"id\" { value = terraform_data.x.output }\n",
    ),
];

const BASE: &str = "resource \"azurerm_resource_group\" \"base\" {\n name = \"base\"\n location = \"westeurope\"\n}\n";

/// The blocks, each in the file that `spread` says, in the order that it says.
fn spread(kinds: &[usize], order: &[usize], file_count: usize) -> Vec<(String, String)> {
    let mut out = vec![("main.tf".to_owned(), BASE.to_owned())];
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    for file in 0..file_count {
        out.push((format!("f{file}.tf"), String::new()));
    }
    for (at, place) in order.iter().enumerate() {
        let file = (at * 7 + place) % file_count;
        out[file + 1].1.push_str(&block(*place, kinds[*place]));
    }
    out.extend(MODULE.iter().map(owned));
    out
}

/// Everything that a plan and an apply show, without places.
fn shown(files: &[(String, String)]) -> (String, StackState, Arc<Stack>) {
    let pairs: Vec<(&str, &str)> = files
        .iter()
        .map(|(n, t)| (n.as_str(), t.as_str()))
        .collect();
    let (stack, _) = load(&pairs).unwrap_or_else(|e| panic!("{}", show(&e)));
    let (rounds, result) = apply(&stack, StackState::default());
    assert!(
        !has_errors(&result.diagnostics),
        "{}",
        show(&result.diagnostics)
    );
    let mut text = String::new();
    for mut round in rounds {
        round.sort();
        writeln!(text, "{round:?}").unwrap();
    }
    for (address, instance) in &result.state.instances {
        writeln!(text, "{address} {}", to_json(&instance.attributes)).unwrap();
    }
    for (name, output) in &result.state.outputs {
        writeln!(text, "{name} {}", to_json(&output.value)).unwrap();
    }
    (text, result.state, stack)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_spread_of_blocks_over_files_is_the_same_stack(
        kinds in proptest::collection::vec(0..KINDS, 1..14),
        seed in any::<u64>(),
        file_count in 1_usize..5,
    ) {
        let straight: Vec<usize> = (0..kinds.len()).collect();
        let mut order = straight.clone();
        order.sort_by_key(|n| (*n as u64 + 1).wrapping_mul(seed | 1) % 1009);
        let (first, state, stack) = shown(&spread(&kinds, &straight, 1));
        let (second, _, _) = shown(&spread(&kinds, &order, file_count));
        prop_assert_eq!(first, second);
        let (_, result) = drive(Apply::plan_only(Arc::clone(&stack), state));
        let changes = result.plan.iter().filter(|(a, p)| a.mode == Mode::Managed && p.change != Change::None);
        prop_assert_eq!(changes.count(), 0, "a second plan is empty");
    }
}

#[test]
fn the_names_and_order_of_files_do_not_matter() {
    let blocks = [block(1, 2), block(2, 3), block(3, 5)];
    let one = vec![("main.tf".to_owned(), BASE.to_owned() + &blocks.concat())];
    let many = vec![
        ("z.tf".to_owned(), BASE.to_owned()),
        ("a.tf".to_owned(), blocks[2].clone()),
        ("m.tf".to_owned(), blocks[1].clone() + &blocks[0]),
    ];
    assert_eq!(shown(&one).0, shown(&many).0);
}

#[test]
fn a_second_plan_after_an_apply_is_empty() {
    let text: String = (0..12).map(|n| block(n, n)).collect();
    let mut files = vec![("main.tf".to_owned(), BASE.to_owned() + &text)];
    files.extend(MODULE.map(|(name, text)| (name.to_owned(), text.to_owned())));
    let (_, state, stack) = shown(&files);
    let (mut rounds, result) = apply(&stack, state);
    // What is read is read again, and changes nothing.
    rounds.retain(|round| round.iter().any(|word| !word.starts_with("read ")));
    assert!(rounds.is_empty(), "{rounds:?}");
    assert_eq!(result.counts, [0; 3]);
}

#[test]
fn what_is_created_before_it_is_destroyed_goes_last() {
    let text = |name: &str| {
        format!(
            "resource \"azurerm_resource_group\" \"g\" {{\n name = \"{name}\"\n location = \"westeurope\"\n lifecycle {{\n create_before_destroy = true\n }}\n}}\nresource \"azurerm_virtual_network\" \"n\" {{\n name = \"n-{name}\"\n resource_group_name = azurerm_resource_group.g.name\n location = \"westeurope\"\n address_space = [\"10.0.0.0/16\"]\n lifecycle {{\n create_before_destroy = true\n }}\n}}\n"
        )
    };
    let run = |text: &str, prior: StackState| {
        let (stack, _) = load(&[("main.tf", text)]).unwrap_or_else(|e| panic!("{}", show(&e)));
        let mut machine = Apply::new(stack, prior);
        let mut words = Vec::new();
        while let Some(action) = machine.poll_action() {
            words.push(support::word(&action));
            // Every object has an id of its own, as in a cloud.
            let value = support::answer(&action);
            let name = value.str_attr("name").unwrap_or_default();
            let id = skybridge_hcl::Value::string(format!("id of {name}"));
            let value = value.with_attr("id", id);
            machine.complete(action.target().id, &value);
        }
        (words, machine.finish())
    };
    let (_, first) = run(&text("a"), StackState::default());
    let (words, second) = run(&text("b"), first.state);
    assert_eq!(
        words,
        [
            "create azurerm_resource_group.g",
            "create azurerm_virtual_network.n",
            "delete azurerm_virtual_network.n",
            "delete azurerm_resource_group.g",
        ],
        "{}",
        show(&second.diagnostics)
    );
    assert_eq!(second.state.instances.len(), 2);
    assert!(second.state.deposed.is_empty());
}

#[test]
fn the_workspace_is_the_selected_one() {
    let text = "output \"w\" { value = terraform.workspace }\n";
    let name = |pairs: &[(&str, &str)], workspace: Option<&str>| {
        let inputs = VariableInputs {
            workspace: workspace.map(str::to_owned),
            ..VariableInputs::default()
        };
        let schemas = Arc::new(Schemas::builtin());
        let (stack, _) = Stack::load(files(pairs), ".", &inputs, schemas).unwrap();
        let (_, result) = apply(&Arc::new(stack), StackState::default());
        to_json(&result.state.outputs["w"].value)
    };
    assert_eq!(name(&[("main.tf", text)], None), "\"default\"");
    let selected = [("main.tf", text), (".terraform/environment", "prod")];
    assert_eq!(name(&selected, None), "\"prod\"");
    assert_eq!(name(&selected, Some("test")), "\"test\"");
}
