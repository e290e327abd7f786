//! Stand-ins for what nobody models: stable, of the right type, and marked.

use std::collections::BTreeMap;

use skybridge_hcl::{Kind, Type, Value};

use crate::address::Address;
use crate::body::block_type;
use crate::random;
use crate::schema::{BodySchema, TypeSchema};

/// The attributes of a resource instance that is not modelled: what the configuration says, and a
/// placeholder for everything else. Without a schema the object is open: any attribute reads as an
/// unknown placeholder.
#[must_use]
pub fn placeholder_attributes(
    schema: Option<&TypeSchema>,
    address: &Address,
    config: &Value,
) -> Value {
    let name = address.to_string();
    match schema {
        Some(schema) => {
            let mut object = fill(&schema.body, &name, config);
            let arguments = config.as_map().cloned().unwrap_or_default();
            for (attribute, value) in random::drawn(&address.ty, &name, &arguments) {
                let value = value.placeholder(format!("{name}.{attribute}"));
                object = object.with_attr(attribute, value);
            }
            if schema.complete {
                object
            } else {
                object.open(&name)
            }
        }
        None => {
            let id = text(&format!("{name}.id")).placeholder(format!("{name}.id"));
            let mut attributes = config.as_map().cloned().unwrap_or_default();
            attributes.entry("id".to_owned()).or_insert(id);
            for (attribute, value) in &mut attributes {
                *value = open_blocks(value, &format!("{name}.{attribute}"));
            }
            Value::object(attributes).open(&name)
        }
    }
}

/// What stands in a block of a type without a schema is as open as the resource: the cloud adds to it.
fn open_blocks(value: &Value, path: &str) -> Value {
    let items = value.as_slice().unwrap_or_default();
    if !items.iter().any(|i| matches!(i.kind(), Kind::Object(_))) {
        return value.clone();
    }
    let items = items.iter().enumerate().map(|(i, item)| {
        let at = format!("{path}[{i}]");
        match item.kind() {
            Kind::Object(map) => {
                let inner = map.iter().map(|(name, value)| {
                    let value = open_blocks(value, &format!("{at}.{name}"));
                    (name.clone(), value)
                });
                let object = Value::object(inner.collect());
                object.with_marks(&item.marks()).open(&at)
            }
            _ => item.clone(),
        }
    });
    Value::tuple(items.collect()).with_marks(&value.marks())
}

fn fill(body: &BodySchema, path: &str, config: &Value) -> Value {
    let mut out: BTreeMap<String, Value> = config.as_map().cloned().unwrap_or_default();
    for (name, attribute) in &body.attributes {
        let missing = out.get(name).is_none_or(|v| v.is_null() || v.is_unknown());
        let unknown = out.get(name).is_some_and(Value::is_unknown);
        if missing && (attribute.computed || unknown) {
            let at = format!("{path}.{name}");
            out.insert(name.clone(), stand_in(&attribute.ty, &at).placeholder(at));
        }
    }
    for (name, block) in &body.blocks {
        let at = format!("{path}.{name}");
        let items = out.get(name).and_then(Value::as_slice).unwrap_or_default();
        let value = if items.is_empty() && block.computed {
            let item = fill(&block.body, &format!("{at}[0]"), &Value::null());
            Value::tuple(vec![item]).placeholder(at)
        } else if items.is_empty() {
            Value::list(block_type(block), Vec::new())
        } else {
            let filled = items
                .iter()
                .enumerate()
                .map(|(i, item)| fill(&block.body, &format!("{at}[{i}]"), item));
            Value::tuple(filled.collect())
        };
        out.insert(name.clone(), value);
    }
    Value::object(out)
}

/// A value of a type that depends on nothing but the name.
pub(crate) fn stand_in(ty: &Type, name: &str) -> Value {
    match ty {
        Type::Dynamic => Value::unknown(Type::Dynamic),
        Type::Bool => Value::bool(false),
        Type::Number => Value::number(hash(name) % 1_000_000),
        Type::String => text(name),
        Type::List(t) => Value::list((**t).clone(), vec![stand_in(t, &format!("{name}[0]"))]),
        Type::Set(t) => Value::set((**t).clone(), vec![stand_in(t, &format!("{name}[0]"))]),
        Type::Map(t) => Value::map((**t).clone(), BTreeMap::new()),
        Type::Tuple(ts) => {
            let items = ts
                .iter()
                .enumerate()
                .map(|(i, t)| stand_in(t, &format!("{name}[{i}]")));
            Value::tuple(items.collect())
        }
        Type::Object(fields) => Value::object_of(
            fields
                .iter()
                .map(|(n, f)| (n.clone(), stand_in(&f.ty, &format!("{name}.{n}")))),
        ),
    }
}

/// A text that shows what it is: nobody takes it for a real id. One that names something of OCI has the form of an
/// OCID, by which modules tell ids from names.
fn text(name: &str) -> Value {
    let (of, attribute) = name.rsplit_once('.').unwrap_or(("", name));
    let ty = of
        .split('.')
        .rev()
        .find_map(|step| step.strip_prefix("oci_"));
    let number = hash(name);
    Value::string(match ty {
        Some(ty) if attribute == "id" || attribute.ends_with("_id") => {
            let noun = ty.rsplit('_').next().unwrap_or(ty);
            format!("ocid1.{noun}.oc1..placeholder-{number:016x}")
        }
        _ => format!("placeholder-{number:016x}"),
    })
}

/// FNV-1a: stable between builds and machines, and enough to tell names apart.
pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
