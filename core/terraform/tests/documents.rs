//! Plans and states in JSON as Terraform 1.11.4 wrote them (`recorded/record-stacks.sh`), in the place of files.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use serde_json::{Map, Value as Json};
use skybridge_hcl::{Value, has_errors, to_json};
use skybridge_terraform::{
    Address, Apply, ApplyResult, Change, DOCUMENT_FILE, PlannedInstance, StackState,
};
use std::sync::Arc;
use support::{apply, drive, load, show};

macro_rules! documents {
    ($($name:literal),*) => {
        [$((
            $name,
            include_str!(concat!("recorded/documents/", $name, ".plan.json")),
            include_str!(concat!("recorded/documents/", $name, ".state.json")),
        )),*]
    };
}

/// Name, plan, state after the apply.
const DOCUMENTS: [(&str, &str, &str); 8] = documents!(
    "arguments-of-modules",
    "changes",
    "counts",
    "each",
    "modules-nested",
    "sensitive",
    "unknowns",
    "variables-types"
);

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

fn planned(text: &str) -> ApplyResult {
    let (stack, said) = load(&[(DOCUMENT_FILE, text)]).unwrap_or_else(|e| panic!("{}", show(&e)));
    assert!(!has_errors(&said), "{}", show(&said));
    let (_, result) = drive(Apply::plan_only(stack, StackState::default()));
    result
}

/// The resources of a module and of those below it.
fn resources(module: &Json) -> Vec<&Json> {
    let list = |name: &str| module[name].as_array().into_iter().flatten();
    let below = list("child_modules").flat_map(resources);
    list("resources").chain(below).collect()
}

/// A value as JSON with what is unknown left out, nulls too.
fn known(value: &Value) -> Json {
    if value.is_unknown() {
        return Json::Null;
    }
    if let Some(map) = value.as_map() {
        let inner = map.iter().map(|(k, v)| (k.clone(), known(v)));
        return Json::Object(inner.filter(|(_, v)| !v.is_null()).collect());
    }
    match value.as_slice() {
        Some(items) => Json::Array(items.iter().map(known).collect()),
        None => json(&to_json(value)),
    }
}

/// A value of a document in the same form.
fn written(value: &Json) -> Json {
    match value {
        Json::Object(map) => {
            let inner = map.iter().map(|(k, v)| (k.clone(), written(v)));
            Json::Object(inner.filter(|(_, v)| !v.is_null()).collect())
        }
        Json::Array(items) => Json::Array(items.iter().map(written).collect()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value.clone(),
    }
}

/// Where a value is hidden, as `sensitive_values` says it; false and empty parts are left out.
fn hidden(value: &Value) -> Json {
    if value.marks().sensitive {
        return Json::Bool(true);
    }
    if let Some(map) = value.as_map() {
        let inner = map.iter().map(|(k, v)| (k.clone(), hidden(v)));
        return pruned(&Json::Object(inner.collect()));
    }
    let items = value.as_slice().unwrap_or_default();
    pruned(&Json::Array(items.iter().map(hidden).collect()))
}

fn pruned(mask: &Json) -> Json {
    match mask {
        Json::Object(map) => {
            let inner = map.iter().map(|(k, v)| (k.clone(), pruned(v)));
            let left: Map<String, Json> = inner.filter(|(_, v)| !v.is_null()).collect();
            if left.is_empty() {
                Json::Null
            } else {
                Json::Object(left)
            }
        }
        Json::Array(items) => {
            let left: Vec<Json> = items.iter().map(pruned).collect();
            if left.iter().all(Json::is_null) {
                Json::Null
            } else {
                Json::Array(left)
            }
        }
        Json::Bool(true) => Json::Bool(true),
        Json::Bool(false) | Json::Null | Json::Number(_) | Json::String(_) => Json::Null,
    }
}

/// What the configuration sets of an instance.
fn settable(values: &Json) -> Json {
    let mut values = written(values);
    if let Some(map) = values.as_object_mut() {
        map.retain(|name, _| name == "input" || name == "triggers_replace");
    }
    values
}

fn check_instance(name: &str, row: &Json, attributes: &Value) {
    let address = row["address"].as_str().unwrap();
    let ours = settable(&known(attributes));
    assert_eq!(ours, settable(&row["values"]), "{name}: {address}");
    let mask = settable(&pruned(&row["sensitive_values"]));
    let ours = settable(&hidden(attributes));
    assert_eq!(ours, mask, "{name}: {address} is hidden");
}

#[test]
fn plans_written_by_terraform_are_planned_again() {
    for (name, plan, _) in DOCUMENTS {
        let document = json(plan);
        let result = planned(plan);
        assert!(
            !has_errors(&result.diagnostics),
            "{name}: {}",
            show(&result.diagnostics)
        );
        let rows = resources(&document["planned_values"]["root_module"]);
        assert_eq!(rows.len(), result.plan.len(), "{name}");
        for row in rows {
            let address: Address = row["address"].as_str().unwrap().parse().unwrap();
            let PlannedInstance {
                change, attributes, ..
            } = &result.plan[&address];
            assert_eq!(*change, Change::Create, "{name}: nothing is there");
            check_instance(name, row, attributes);
        }
        let outputs = document["planned_values"]["outputs"].as_object();
        for (output, row) in outputs.into_iter().flatten() {
            let found = &result.outputs[output];
            assert_eq!(
                known(&found.value),
                written(&row["value"]),
                "{name}: {output}"
            );
            assert_eq!(Json::Bool(found.sensitive), row["sensitive"], "{output}");
        }
    }
}

#[test]
fn what_a_written_plan_does_not_know_stays_unknown() {
    let (_, plan, _) = DOCUMENTS[6];
    let result = planned(plan);
    let address: Address = "terraform_data.uses".parse().unwrap();
    let input = result.plan[&address].attributes.attr("input").unwrap();
    let masks = json(plan);
    let masks = masks["resource_changes"].as_array().unwrap().iter();
    let mask = masks
        .into_iter()
        .find(|r| r["address"] == "terraform_data.uses")
        .unwrap();
    let unknown = &mask["change"]["after_unknown"]["input"];
    for (name, mask) in unknown.as_object().unwrap() {
        let value = input.attr(name).unwrap();
        assert_eq!(
            pruned(mask).is_null(),
            value.is_wholly_known(),
            "{name}: {value:?}"
        );
    }
    assert!(result.outputs["join"].value.is_unknown());
}

#[test]
fn states_written_by_terraform_are_made_once() {
    for (name, _, state) in DOCUMENTS {
        let document = json(state);
        let (stack, said) =
            load(&[(DOCUMENT_FILE, state)]).unwrap_or_else(|e| panic!("{}", show(&e)));
        assert!(!has_errors(&said), "{name}: {}", show(&said));
        let (_, result) = apply(&Arc::clone(&stack), StackState::default());
        assert!(
            !has_errors(&result.diagnostics),
            "{name}: {}",
            show(&result.diagnostics)
        );
        let rows = resources(&document["values"]["root_module"]);
        assert_eq!(rows.len(), result.state.instances.len(), "{name}");
        for row in rows {
            let address: Address = row["address"].as_str().unwrap().parse().unwrap();
            let known_ids = row["values"].to_string().matches("00000000-").count() > 1;
            // An id of another object is the id that this one has here.
            if !known_ids {
                check_instance(name, row, &result.state.instances[&address].attributes);
            }
        }
        let outputs = document["values"]["outputs"].as_object();
        for (output, row) in outputs.into_iter().flatten() {
            assert!(result.outputs.contains_key(output), "{name}: {output}");
            assert_eq!(
                Json::Bool(result.outputs[output].sensitive),
                row["sensitive"]
            );
        }
        let (_, again) = drive(Apply::plan_only(stack, result.state));
        let changes: Vec<_> = (again.plan.iter())
            .filter(|(_, p)| p.change != Change::None)
            .collect();
        assert!(changes.is_empty(), "{name}: {changes:?}");
    }
}
