//! `plan`: what an `up` of the same directories would do to the stacks, as documents. Nothing is changed.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use skybridge_hcl::{Kind, Value};
use skybridge_terraform::{
    Address, Change, InstanceKey, Mode, OutputState, PlannedInstance, StackState,
};

use crate::diagnostics;
use crate::document::{
    Diagnostic, OutputRow, OutputsReport, PlanReport, PlanSummary, ResourceChange, StackPlan,
    ValueChange,
};
use crate::lab::Lab;
use crate::preparation::{Plan, Prepared};
use crate::request::UpRequest;
use crate::siblings::Siblings;

impl Lab {
    /// A plan with all that stands in its way: also what the clouds would refuse and what cannot work.
    pub(crate) fn plan(&self, request: &UpRequest) -> PlanReport {
        let states = self.states();
        let prepared = self.prepare(request);
        let mut report = PlanReport::default();
        let mut planning = prepared.planning;
        planning.extend(sharing(&states, &prepared.stacks, &prepared.plans));
        let none = BTreeMap::new();
        for (stack, plan) in prepared.stacks.into_iter().zip(&prepared.plans) {
            let directory = &stack.source.directory;
            let earlier = states.get(directory).map_or(&none, |state| &state.outputs);
            report.ignored.extend(stack.ignored);
            report.not_modelled.extend(stack.not_modelled);
            report.stacks.push(stack_plan(directory, plan, earlier));
            count(&plan.instances, &mut report.summary);
        }
        // What is tried out after a plan that fails would speak of half of it.
        if !planning.iter().any(|d| d.level == "error") {
            // What only an apply would say of the configuration is not said by a plan, as in Terraform.
            let is_remark = |found: &Diagnostic| {
                let file = found.file.as_deref().unwrap_or_default();
                matches!(found.level.as_str(), "warning" | "notice") && !file.ends_with(".sky.hcl")
            };
            let news = prepared.diagnostics.into_iter();
            let news = news.filter(|found| !is_remark(found) && !planning.contains(found));
            report.diagnostics.extend(news);
        }
        report.diagnostics.append(&mut planning);
        diagnostics::sort(&mut report.diagnostics);
        report
    }
}

/// What the plans would adopt of other stacks, and what two stacks want otherwise.
fn sharing(
    prior: &BTreeMap<String, StackState>,
    stacks: &[Prepared],
    plans: &[Plan],
) -> Vec<Diagnostic> {
    let alone = match stacks {
        [one] => prior.keys().all(|d| *d == one.source.directory),
        _ => stacks.is_empty() && prior.len() < 2,
    };
    if alone {
        return Vec::new();
    }
    let mut holdings = Siblings::of(prior).holdings;
    let mut said = Vec::new();
    for (stack, plan) in stacks.iter().zip(plans) {
        let directory = &stack.source.directory;
        said.extend(holdings.adoptions(directory, &plan.instances));
        holdings.take_planned(directory, &plan.instances);
    }
    said.extend(holdings.conflicts());
    said.iter().map(diagnostics::from_hcl).collect()
}

fn count(plan: &BTreeMap<Address, PlannedInstance>, summary: &mut PlanSummary) {
    for (address, planned) in plan {
        if address.mode == Mode::Data {
            continue;
        }
        summary.moved += u32::from(planned.moved_from.is_some());
        let counter = match planned.change {
            Change::Create => &mut summary.create,
            Change::Update => &mut summary.update,
            Change::Replace => &mut summary.replace,
            Change::Delete => &mut summary.delete,
            Change::Forget => &mut summary.forget,
            Change::None | Change::Read | Change::ReadDuringApply => &mut summary.unchanged,
        };
        *counter += 1;
    }
}

fn stack_plan(directory: &str, plan: &Plan, earlier: &BTreeMap<String, OutputState>) -> StackPlan {
    let rows = (plan.instances.iter()).map(|(address, planned)| row(address, planned));
    let gone = (earlier.iter())
        .filter(|(name, _)| !plan.outputs.contains_key(*name))
        .map(|(name, was)| (name.clone(), output_change(Some(was), None)));
    let outputs = (plan.outputs.iter())
        .map(|(name, is)| (name.clone(), output_change(earlier.get(name), Some(is))))
        .chain(gone)
        .collect();
    StackPlan {
        directory: directory.to_owned(),
        resource_changes: rows.collect(),
        output_changes: outputs,
    }
}

fn output_change(was: Option<&OutputState>, is: Option<&OutputState>) -> ValueChange {
    let marked = |output: &OutputState| {
        if output.sensitive {
            output.value.clone().sensitive()
        } else {
            output.value.clone()
        }
    };
    let (before, after) = (was.map(marked), is.map(marked));
    let action = match (&before, &after) {
        (None, Some(value)) if value.is_null() => "no-op",
        (None, Some(_)) => "create",
        (Some(_), None) => "delete",
        (Some(a), Some(b)) if a == b => "no-op",
        _ => "update",
    };
    change(&[action], before.as_ref(), after.as_ref())
}

fn row(address: &Address, planned: &PlannedInstance) -> ResourceChange {
    let actions: &[&str] = match planned.change {
        Change::None => &["no-op"],
        Change::Read | Change::ReadDuringApply => &["read"],
        Change::Create => &["create"],
        Change::Update => &["update"],
        Change::Replace if planned.create_first => &["create", "delete"],
        Change::Replace => &["delete", "create"],
        Change::Delete => &["delete"],
        Change::Forget => &["forget"],
    };
    let leaves = matches!(planned.change, Change::Delete | Change::Forget);
    let after = (!leaves).then_some(&planned.attributes);
    let mut change = change(actions, planned.before.as_ref(), after);
    change.changed.clone_from(&planned.changed);
    change.replace_paths.clone_from(&planned.replace);
    let place = planned.spans.find("");
    let module: Vec<String> = (address.module.iter())
        .map(|step| format!("module.{}{}", step.name, step.key))
        .collect();
    ResourceChange {
        address: address.to_string(),
        previous_address: planned.moved_from.as_ref().map(ToString::to_string),
        module_address: (!module.is_empty()).then(|| module.join(".")),
        mode: match address.mode {
            Mode::Data => "data".to_owned(),
            Mode::Managed => "managed".to_owned(),
        },
        ty: address.ty.clone(),
        name: address.name.clone(),
        index: match &address.key {
            InstanceKey::Single => None,
            InstanceKey::Index(at) => Some(Json::from(*at)),
            InstanceKey::Key(key) => Some(Json::from(key.as_str())),
        },
        modelled: !planned.placeholder,
        file: place.map(|p| p.file.to_string()),
        line: place.map(|p| p.line),
        action_reason: planned.reason.map(|reason| reason.as_str().to_owned()),
        change,
    }
}

fn change(actions: &[&str], before: Option<&Value>, after: Option<&Value>) -> ValueChange {
    let parts = |value: Option<&Value>| value.map_or_else(Parts::default, parts_of);
    let (before, after) = (parts(before), parts(after));
    ValueChange {
        actions: actions.iter().map(|a| (*a).to_owned()).collect(),
        before: before.value,
        after: after.value,
        after_unknown: after.unknown.unwrap_or_else(empty),
        before_sensitive: before.sensitive.unwrap_or(Json::Bool(false)),
        after_sensitive: after.sensitive.unwrap_or(Json::Bool(false)),
        changed: Vec::new(),
        replace_paths: Vec::new(),
    }
}

fn empty() -> Json {
    Json::Object(Map::new())
}

/// A value as JSON, and where it is unknown or sensitive.
#[derive(Default)]
struct Parts {
    value: Json,
    unknown: Option<Json>,
    sensitive: Option<Json>,
}

fn parts_of(value: &Value) -> Parts {
    if value.marks().sensitive {
        return Parts {
            value: Json::Null,
            unknown: parts_of(&value.clone().nonsensitive()).unknown,
            sensitive: Some(Json::Bool(true)),
        };
    }
    match value.kind() {
        Kind::Unknown(_) => Parts {
            value: Json::Null,
            unknown: Some(Json::Bool(true)),
            sensitive: None,
        },
        Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
            let parts: Vec<Parts> = items.iter().map(parts_of).collect();
            let mask = |of: fn(&Parts) -> &Option<Json>| {
                parts.iter().any(|p| of(p).is_some()).then(|| {
                    let each = parts
                        .iter()
                        .map(|p| of(p).clone().unwrap_or(Json::Bool(false)));
                    Json::Array(each.collect())
                })
            };
            Parts {
                unknown: mask(|p| &p.unknown),
                sensitive: mask(|p| &p.sensitive),
                value: Json::Array(parts.into_iter().map(|p| p.value).collect()),
            }
        }
        Kind::Map(_, map) | Kind::Object(map) => {
            let (mut values, mut unknown, mut sensitive) = (Map::new(), Map::new(), Map::new());
            for (name, inner) in map.iter() {
                let parts = parts_of(inner);
                if let Some(mask) = parts.unknown {
                    unknown.insert(name.clone(), mask);
                }
                if let Some(mask) = parts.sensitive {
                    sensitive.insert(name.clone(), mask);
                }
                values.insert(name.clone(), parts.value);
            }
            Parts {
                value: Json::Object(values),
                unknown: (!unknown.is_empty()).then_some(Json::Object(unknown)),
                sensitive: (!sensitive.is_empty()).then_some(Json::Object(sensitive)),
            }
        }
        Kind::Null(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => Parts {
            value: json(value),
            unknown: None,
            sensitive: None,
        },
    }
}

fn json(value: &Value) -> Json {
    if let Some(text) = value.as_str() {
        return Json::from(text);
    }
    serde_json::from_str(&skybridge_hcl::to_json(value)).unwrap_or(Json::Null)
}

/// The outputs of a stack that was applied.
pub(crate) fn outputs(directory: &str, state: &StackState) -> OutputsReport {
    let rows = state.outputs.iter().map(|(name, output)| {
        let row = OutputRow {
            sensitive: output.sensitive || output.value.deep_marks().sensitive,
            ty: output.value.ty().to_string(),
            value: json(&output.value),
        };
        (name.clone(), row)
    });
    OutputsReport {
        directory: directory.to_owned(),
        outputs: rows.collect(),
    }
}
