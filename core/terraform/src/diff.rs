//! The difference between what is and what the configuration wants.

use std::collections::BTreeMap;

use skybridge_hcl::{Kind, Type, Value};

use crate::body::{block_type, same_attribute};
use crate::config::{AttributePath, IgnoreChanges, PathStep};
use crate::schema::{AttributeSchema, BlockSchema, BodySchema, Nesting, TypeSchema};

type Attributes = BTreeMap<String, Value>;

/// What an instance will be, and what that changes.
#[derive(Clone, Debug)]
pub(crate) struct Diff {
    /// All attributes; what the cloud decides is unknown.
    pub(crate) planned: Value,
    /// Paths that change.
    pub(crate) changed: Vec<String>,
    /// Those of them that mean delete and create.
    pub(crate) replace: Vec<String>,
}

/// Compares. Without `prior` everything is new.
pub(crate) fn diff(
    schema: Option<&TypeSchema>,
    prior: Option<&Value>,
    config: &Value,
    ignore: &IgnoreChanges,
) -> Diff {
    let mut config = config.clone();
    if let Some(prior) = prior {
        config = ignoring(config, prior, ignore);
    }
    let mut diff = Diff {
        planned: Value::null(),
        changed: Vec::new(),
        replace: Vec::new(),
    };
    let empty = Attributes::new();
    let wanted = config.as_map().unwrap_or(&empty);
    let before = prior.and_then(Value::as_map);
    diff.planned = match schema {
        Some(schema) => plan_body(&schema.body, wanted, before, ("", false), &mut diff),
        None => plan_open(wanted, before, &mut diff),
    };
    diff
}

/// The configuration with ignored attributes as they are.
fn ignoring(config: Value, prior: &Value, ignore: &IgnoreChanges) -> Value {
    let paths: Vec<AttributePath> = match ignore {
        IgnoreChanges::None => return config,
        IgnoreChanges::All => {
            let names = config.as_map().into_iter().flat_map(BTreeMap::keys);
            names.map(|n| vec![PathStep::Name(n.clone())]).collect()
        }
        IgnoreChanges::Attributes(paths) => paths.clone(),
    };
    (paths.iter()).fold(config, |config, path| as_before(config, prior, path))
}

/// A value with the part at a path as it was. A map key that is on one side only is put in or taken out.
fn as_before(value: Value, prior: &Value, path: &[PathStep]) -> Value {
    let Some((step, rest)) = path.split_first() else {
        return prior.clone();
    };
    match step {
        PathStep::Name(name) => match (value.attr(name).cloned(), prior.attr(name)) {
            (Some(inner), Some(was)) => value.with_attr(name, as_before(inner, was, rest)),
            (None, Some(was)) if rest.is_empty() => value.with_attr(name, was.clone()),
            (Some(_), None) if rest.is_empty() => without(&value, name),
            _ => value,
        },
        PathStep::Index(at) => {
            let items = value.as_slice().and_then(|items| items.get(*at)).cloned();
            let was = prior.as_slice().and_then(|items| items.get(*at));
            match (items, was, value.kind()) {
                (Some(inner), Some(was), Kind::List(ty, items)) => {
                    let mut items = items.to_vec();
                    items[*at] = as_before(inner, was, rest);
                    Value::list(ty.clone(), items).with_marks(&value.marks())
                }
                (Some(inner), Some(was), Kind::Tuple(items)) => {
                    let mut items = items.to_vec();
                    items[*at] = as_before(inner, was, rest);
                    Value::tuple(items).with_marks(&value.marks())
                }
                _ => value,
            }
        }
    }
}

fn without(value: &Value, name: &str) -> Value {
    match value.kind() {
        Kind::Map(ty, map) => {
            let mut map = map.as_ref().clone();
            map.remove(name);
            Value::map(ty.clone(), map).with_marks(&value.marks())
        }
        _ => value.clone(),
    }
}

/// Without a schema only what is written can be compared.
fn plan_open(wanted: &Attributes, before: Option<&Attributes>, diff: &mut Diff) -> Value {
    let mut out = before.cloned().unwrap_or_default();
    for (name, value) in wanted {
        if before.and_then(|b| b.get(name)) != Some(value) {
            diff.changed.push(name.clone());
        }
        out.insert(name.clone(), value.clone());
    }
    Value::object(out)
}

fn plan_body(
    body: &BodySchema,
    wanted: &Attributes,
    before: Option<&Attributes>,
    (path, forced): (&str, bool),
    diff: &mut Diff,
) -> Value {
    let mut out = Attributes::new();
    for (name, attribute) in &body.attributes {
        let at = join(path, name);
        let given = wanted.get(name).filter(|v| !is_left_out(attribute, v));
        let was = before.and_then(|b| b.get(name));
        let value = match (given, was) {
            (Some(given), Some(was)) => {
                if same_attribute(attribute, given, was) && given.is_wholly_known() {
                    given.clone()
                } else if same_attribute(attribute, given, was) {
                    was.clone()
                } else {
                    diff.change(&at, forced || attribute.forces_replacement);
                    given.clone()
                }
            }
            (Some(given), None) => {
                if before.is_some() {
                    diff.change(&at, forced || attribute.forces_replacement);
                }
                given.clone()
            }
            (None, Some(was)) if attribute.computed => was.clone(),
            (None, None) if attribute.computed => Value::unknown(attribute.ty.clone()),
            (None, was) => {
                if was.is_some_and(|w| !w.is_null()) {
                    diff.change(&at, forced || attribute.forces_replacement);
                }
                Value::null_of(attribute.ty.clone())
            }
        };
        out.insert(name.clone(), value);
    }
    for (name, block) in &body.blocks {
        let at = join(path, name);
        let was = before.and_then(|b| b.get(name));
        let value = plan_blocks(
            block,
            wanted.get(name),
            was,
            before.is_some(),
            (&at, forced),
            diff,
        );
        out.insert(name.clone(), value);
    }
    // Arguments that no row names are kept as they are written.
    for (name, value) in wanted {
        if !out.contains_key(name) {
            if before.is_some_and(|b| b.get(name) != Some(value)) {
                diff.change(&join(path, name), false);
            }
            out.insert(name.clone(), value.clone());
        }
    }
    Value::object(out)
}

/// Whether the cloud decides an argument. The providers of both clouds (Terraform plugin SDK 2,
/// `helper/schema/schema.go`, `finalizeDiff`) take an empty text for none where the cloud can fill it in.
fn is_left_out(attribute: &AttributeSchema, value: &Value) -> bool {
    let for_the_cloud = attribute.optional && attribute.computed;
    value.is_null() || for_the_cloud && value.as_str() == Some("")
}

fn plan_blocks(
    block: &BlockSchema,
    wanted: Option<&Value>,
    was: Option<&Value>,
    exists: bool,
    (path, forced): (&str, bool),
    diff: &mut Diff,
) -> Value {
    let forced = forced || block.forces_replacement;
    if let Some(unknown) = wanted.filter(|w| w.is_unknown()) {
        if exists {
            diff.change(path, forced);
        }
        return unknown.clone();
    }
    let wanted = wanted.and_then(Value::as_slice).unwrap_or_default();
    if wanted.is_empty() && block.computed {
        let unknown = || Value::unknown(Type::list(block_type(block)));
        return was.cloned().unwrap_or_else(unknown);
    }
    let was = was.and_then(Value::as_slice).unwrap_or_default();
    let items: Vec<Value> = match block.nesting {
        Nesting::Set => plan_set(block, wanted, was, exists, (path, forced), diff),
        Nesting::Single | Nesting::List => {
            if exists && wanted.len() != was.len() {
                diff.change(path, forced);
            }
            let planned = wanted.iter().enumerate().map(|(i, item)| {
                let at = format!("{path}[{i}]");
                element(block, item, was.get(i), (&at, forced), diff)
            });
            planned.collect()
        }
    };
    same_typed(items)
}

/// Elements of a set are paired with what is there by content.
fn plan_set(
    block: &BlockSchema,
    wanted: &[Value],
    was: &[Value],
    exists: bool,
    (path, forced): (&str, bool),
    diff: &mut Diff,
) -> Vec<Value> {
    let mut free: Vec<&Value> = was.iter().collect();
    let mut changed = wanted.len() != was.len();
    let mut out = Vec::with_capacity(wanted.len());
    for item in wanted {
        let mut planned = None;
        for (index, candidate) in free.iter().enumerate() {
            let mut trial = Diff::nothing();
            let value = element(block, item, Some(candidate), (path, forced), &mut trial);
            if trial.changed.is_empty() {
                planned = Some((index, value));
                break;
            }
        }
        match planned {
            Some((index, value)) => {
                free.remove(index);
                out.push(value);
            }
            None => {
                changed = true;
                out.push(element(
                    block,
                    item,
                    None,
                    (path, forced),
                    &mut Diff::nothing(),
                ));
            }
        }
    }
    if exists && changed {
        diff.change(path, forced);
    }
    out
}

fn element(
    block: &BlockSchema,
    item: &Value,
    was: Option<&Value>,
    at: (&str, bool),
    diff: &mut Diff,
) -> Value {
    match item.as_map() {
        Some(map) => {
            let value = plan_body(&block.body, map, was.and_then(Value::as_map), at, diff);
            value.with_marks(&item.marks())
        }
        None => item.clone(),
    }
}

fn same_typed(items: Vec<Value>) -> Value {
    match items.first().map(Value::ty) {
        Some(ty) if items.iter().all(|v| v.ty() == ty) => Value::list(ty, items),
        _ => Value::tuple(items),
    }
}

/// Other elements in the place of a value's own: a tuple stays one, or it would differ from the next plan's.
fn alike(value: &Value, items: Vec<Value>) -> Value {
    match value.kind() {
        Kind::Tuple(_) => Value::tuple(items),
        _ => same_typed(items),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

impl Diff {
    fn nothing() -> Self {
        Self {
            planned: Value::null(),
            changed: Vec::new(),
            replace: Vec::new(),
        }
    }

    fn change(&mut self, path: &str, replace: bool) {
        self.changed.push(path.to_owned());
        if replace {
            self.replace.push(path.to_owned());
        }
    }
}

/// What was planned, filled in with what the cloud returned. Where both say something the plan
/// stands: the cloud's own spelling of an argument is not a change. What neither says becomes a
/// placeholder.
pub(crate) fn merge(planned: &Value, returned: Option<&Value>, path: &str) -> Value {
    if let (Some(map), Some(other)) = (planned.as_map(), returned.and_then(Value::as_map)) {
        if matches!(planned.ty(), Type::Map(_)) {
            return planned.clone();
        }
        let mut out: Attributes = other.clone();
        for (name, value) in map {
            out.insert(
                name.clone(),
                merge(value, other.get(name), &join(path, name)),
            );
        }
        return Value::object(out).with_marks(&planned.marks());
    }
    if let (Some(items), Some(others)) = (planned.as_slice(), returned.and_then(Value::as_slice))
        && items.len() == others.len()
        && items
            .iter()
            .any(|v| !v.is_wholly_known() || v.as_map().is_some())
    {
        let merged = items.iter().zip(others).enumerate();
        let merged = merged.map(|(i, (p, r))| merge(p, Some(r), &format!("{path}[{i}]")));
        return alike(planned, merged.collect()).with_marks(&planned.marks());
    }
    match returned {
        Some(returned) if planned.is_unknown() || planned.is_null() => {
            returned.clone().with_marks(&planned.marks())
        }
        None if planned.is_unknown() => Value::null_of(planned.ty()).placeholder(path),
        _ => fill(planned, path),
    }
}

/// Unknown parts that nobody returned become marked nulls.
fn fill(value: &Value, path: &str) -> Value {
    if value.is_wholly_known() {
        return value.clone();
    }
    if value.is_unknown() {
        return Value::null_of(value.ty()).placeholder(path);
    }
    let marks = value.marks();
    let filled = if let Some(map) = value.as_map() {
        let items = map
            .iter()
            .map(|(k, v)| (k.clone(), fill(v, &join(path, k))));
        Value::object_of(items)
    } else {
        let items = value.as_slice().unwrap_or_default().iter().enumerate();
        let filled = items.map(|(i, v)| fill(v, &format!("{path}[{i}]")));
        alike(value, filled.collect())
    };
    filled.with_marks(&marks)
}
