//! A cloud that answers every action at once, and helpers to drive it.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::sync::Arc;

use skybridge_hcl::{Diagnostic, Kind, MemoryFiles, Type, Value};
use skybridge_terraform::{Action, Apply, ApplyResult, Schemas, Stack, StackState, VariableInputs};

pub(crate) fn files(pairs: &[(&str, &str)]) -> Arc<MemoryFiles> {
    let files = pairs
        .iter()
        .fold(MemoryFiles::new(), |f, (path, text)| f.with(path, *text));
    Arc::new(files)
}

pub(crate) fn load(
    pairs: &[(&str, &str)],
) -> Result<(Arc<Stack>, Vec<Diagnostic>), Vec<Diagnostic>> {
    load_with(pairs, &VariableInputs::default())
}

pub(crate) fn load_with(
    pairs: &[(&str, &str)],
    inputs: &VariableInputs,
) -> Result<(Arc<Stack>, Vec<Diagnostic>), Vec<Diagnostic>> {
    let schemas = Arc::new(Schemas::builtin());
    let (stack, said) = Stack::load(files(pairs), ".", inputs, schemas)?;
    Ok((Arc::new(stack), said))
}

pub(crate) fn stack(text: &str) -> Arc<Stack> {
    match load(&[("main.tf", text)]) {
        Ok((stack, _)) => stack,
        Err(errors) => panic!("{}", show(&errors)),
    }
}

pub(crate) fn show(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|d| format!("{d}\n")).collect()
}

/// What the cloud makes of a plan: every unknown text is its own path.
pub(crate) fn settle(value: &Value, path: &str) -> Value {
    match value.kind() {
        Kind::Unknown(Type::String) => Value::string(format!("{path}!")),
        Kind::Unknown(Type::Bool) => Value::bool(false),
        Kind::Unknown(Type::Number) => Value::number(7),
        Kind::Unknown(ty) => Value::null_of(ty.clone()),
        Kind::Object(map) => Value::object_of(
            map.iter()
                .map(|(k, v)| (k.clone(), settle(v, &format!("{path}.{k}")))),
        ),
        Kind::Null(_)
        | Kind::Bool(_)
        | Kind::Number(_)
        | Kind::String(_)
        | Kind::List(..)
        | Kind::Set(..)
        | Kind::Tuple(_)
        | Kind::Map(..) => value.clone(),
    }
}

pub(crate) fn answer(action: &Action) -> Value {
    let path = action.target().address.to_string();
    match action {
        Action::Read { config, .. } => config
            .as_map()
            .map(|m| {
                m.iter()
                    .filter(|(_, v)| !v.is_null())
                    .map(|(k, v)| (k.clone(), v.clone()))
            })
            .map_or_else(Value::null, |m| {
                Value::object(m.collect::<BTreeMap<_, _>>())
            }),
        Action::Create { planned, .. } => settle(planned, &path),
        Action::Update { after, .. } => settle(after, &path),
        Action::Delete { .. } => Value::null(),
    }
}

pub(crate) fn word(action: &Action) -> String {
    let word = match action {
        Action::Read { .. } => "read",
        Action::Create { .. } => "create",
        Action::Update { .. } => "update",
        Action::Delete { .. } => "delete",
    };
    format!("{word} {}", action.target().address)
}

/// Drives a machine to its end; each inner list is one round of actions.
pub(crate) fn drive(mut apply: Apply) -> (Vec<Vec<String>>, ApplyResult) {
    let mut rounds = Vec::new();
    while !apply.is_done() {
        let batch: Vec<Action> = std::iter::from_fn(|| apply.poll_action()).collect();
        assert!(!batch.is_empty() || apply.is_done(), "the machine is stuck");
        for action in &batch {
            apply.complete(action.target().id, &answer(action));
        }
        if !batch.is_empty() {
            rounds.push(batch.iter().map(word).collect());
        }
    }
    (rounds, apply.finish())
}

pub(crate) fn apply(stack: &Arc<Stack>, prior: StackState) -> (Vec<Vec<String>>, ApplyResult) {
    drive(Apply::new(Arc::clone(stack), prior))
}
