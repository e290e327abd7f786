//! From a resource of the estate to the attributes of its type.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use skybridge_estate::{Estate, Resource, ResourceId};
use skybridge_hcl::{Type, Value};
use skybridge_terraform::schema::{BlockSchema, BodySchema, Nesting};
use skybridge_terraform::{Address, placeholder_attributes};

use super::names::{Place, field, fields, row};
use super::{databases, schema};

/// All attributes of a resource: what the configuration says, and what the cloud fills in. Texts that
/// the real cloud would give and nobody models (`time_created`, `public_ip` …) are placeholders.
#[must_use]
pub fn attributes(estate: &Estate, ty: &str, config: &Value, id: &ResourceId) -> Value {
    let Some(schema) = schema(ty) else {
        return config.clone().with_attr("id", Value::string(id.as_str()));
    };
    let resource = estate.resource(id);
    let json = resource.map(whole).unwrap_or_default();
    if databases::is_database(ty) {
        let address = resource.and_then(|r| r.origin.as_ref()?.address.parse::<Address>().ok());
        let out = address.map_or_else(
            || config.clone(),
            |address| placeholder_attributes(Some(schema), &address, config),
        );
        let out = databases::with_addresses(ty, &json, out);
        return out.with_attr("id", Value::string(id.as_str()));
    }
    if row(ty).is_some_and(|r| r.act == Place::Attachments) {
        return attachments(estate, config, id);
    }
    let filler = Filler { ty };
    let mut out = filler.body(&schema.body, config, &json, "");
    let address = resource
        .and_then(|r| r.origin.as_ref())
        .map_or_else(|| ty.to_owned(), |o| o.address.clone());
    for (name, attribute) in &schema.body.attributes {
        let missing = out.get(name).is_none_or(Value::is_null);
        if missing && attribute.computed && !attribute.optional && attribute.ty == Type::String {
            let stands_for = format!("{address}.{name}");
            let text = Value::string(format!("placeholder-{stands_for}"));
            out.insert(name.clone(), text.placeholder(stands_for));
        }
    }
    // Oracle gives a network that wants IPv6 a prefix of its own.
    let wants_ipv6 = config.bool_attr("is_ipv6enabled") == Some(true);
    if wants_ipv6 && out.get("ipv6cidr_blocks").is_some_and(Value::is_null) {
        let prefix = Value::list(Type::String, vec![Value::string(ipv6_prefix(id.as_str()))]);
        let stands_for = format!("{address}.ipv6cidr_blocks");
        out.insert("ipv6cidr_blocks".to_owned(), prefix.placeholder(stands_for));
    }
    let mut id = id.to_string();
    if row(ty).is_some_and(|r| matches!(r.act, Place::SubnetTable)) {
        let table = config.str_attr("route_table_id").unwrap_or_default();
        id = format!("{id}/{table}");
    }
    out.insert("id".to_owned(), Value::string(id));
    Value::object(out)
}

/// The attachments of a DRG of the type that is asked for.
fn attachments(estate: &Estate, config: &Value, drg: &ResourceId) -> Value {
    let kind = config.str_attr("attachment_type").unwrap_or("ALL");
    let wanted = |a: &&Resource| {
        let own = a.text("/networkDetails/type");
        a.kind.as_str() == crate::kinds::DRG_ATTACHMENT && (kind == "ALL" || own == Some(kind))
    };
    let found = estate.children(drg).filter(wanted);
    let list = found
        .map(|a| Value::object_of([("id", Value::string(a.id.as_str()))]))
        .collect();
    let id = format!("{drg}/{kind}");
    let all = config.clone().with_attr("id", Value::string(id));
    all.with_attr("drg_all_attachments", Value::tuple(list))
}

/// A prefix for documentation (RFC 3849) that depends on nothing but the id.
fn ipv6_prefix(id: &str) -> String {
    let sum = id
        .bytes()
        .fold(0_u32, |sum, b| sum.wrapping_mul(31).wrapping_add(b.into()));
    format!("2001:db8:{:x}:{:x}00::/56", sum >> 16, sum & 0xff)
}

/// Document and computed fields in one, computed ones first.
pub(super) fn whole(resource: &Resource) -> Json {
    let mut all = resource.doc.as_object().cloned().unwrap_or_default();
    if let Some(computed) = resource.computed.as_object() {
        for (name, value) in computed.iter().filter(|(_, v)| !v.is_null()) {
            all.insert(name.clone(), value.clone());
        }
    }
    // The provider fills in what the cloud chose, in the block that left it out.
    let chosen = all.get("privateIp").cloned();
    if let (Some(address), Some(Json::Object(details))) = (chosen, all.get_mut("createVnicDetails"))
    {
        details.entry("privateIp").or_insert(address);
    }
    Json::Object(all)
}

struct Filler<'a> {
    ty: &'a str,
}

impl Filler<'_> {
    /// The attributes of a body: what `config` knows, else what the cloud's document has, else null.
    fn body(
        &self,
        body: &BodySchema,
        config: &Value,
        json: &Json,
        block: &str,
    ) -> BTreeMap<String, Value> {
        let mut out = BTreeMap::new();
        for (name, attribute) in &body.attributes {
            let said = config
                .attr(name)
                .filter(|v| !v.is_null() && !v.is_unknown());
            let pointer = format!("/{}", fields(self.ty, block, name).join("/"));
            let found = json.pointer(&pointer).filter(|v| !v.is_null());
            let settable = attribute.optional || attribute.required;
            let value = match (said, found) {
                (Some(said), _) if settable => said.clone(),
                (_, Some(found)) => value_of(found, &attribute.ty),
                (Some(said), None) => said.clone(),
                (None, None) if !block.is_empty() && attribute.computed => nothing(&attribute.ty),
                (None, None) => Value::null_of(attribute.ty.clone()),
            };
            out.insert(name.clone(), value);
        }
        for (name, inner) in &body.blocks {
            let found = json.get(field(name)).filter(|v| !v.is_null());
            out.insert(name.clone(), self.block(name, inner, config, found));
        }
        out
    }

    /// The blocks of one name, element by element.
    fn block(
        &self,
        name: &str,
        inner: &BlockSchema,
        config: &Value,
        found: Option<&Json>,
    ) -> Value {
        let said = config.list_attr(name);
        let items: Vec<&Json> = match found {
            Some(Json::Array(items)) => items.iter().collect(),
            Some(one) => vec![one],
            None => Vec::new(),
        };
        let count = if said.is_empty() && inner.computed {
            items.len()
        } else {
            said.len()
        };
        let nothing = Value::null();
        let mut all = Vec::new();
        for i in 0..count {
            let json = items.get(i).copied().unwrap_or(&Json::Null);
            let said = said.get(i).unwrap_or(&nothing);
            all.push(Value::object(self.body(&inner.body, said, json, name)));
        }
        if all.is_empty()
            && let Some(kept) = config
                .attr(name)
                .filter(|v| !v.is_unknown() && !v.is_null())
        {
            return kept.clone();
        }
        match inner.nesting {
            Nesting::Set => {
                let ty = all.first().map_or(Type::Dynamic, Value::ty);
                Value::set(ty, all)
            }
            Nesting::Single | Nesting::List => Value::tuple(all),
        }
    }
}

/// What stands in a block where the cloud says nothing: the provider (Terraform plugin SDK 2,
/// `field_reader.go`, `readObjectField`) writes an empty text there, and null only outside of blocks.
fn nothing(ty: &Type) -> Value {
    if *ty == Type::String {
        Value::string("")
    } else {
        Value::null_of(ty.clone())
    }
}

/// A JSON value as a value of a type.
pub(super) fn value_of(json: &Json, ty: &Type) -> Value {
    match (ty, json) {
        (_, Json::Null) => Value::null_of(ty.clone()),
        (Type::String, Json::String(s)) => Value::string(s),
        (Type::String, other) => Value::string(other.to_string()),
        (Type::Bool, other) => Value::bool(other.as_bool() == Some(true)),
        (Type::Number, other) => {
            let number = other.as_i64().or_else(|| other.as_str()?.parse().ok());
            number.map_or_else(|| Value::null_of(Type::Number), Value::number)
        }
        (Type::List(t), Json::Array(items)) => Value::list(
            (**t).clone(),
            items.iter().map(|i| value_of(i, t)).collect(),
        ),
        // `default_drg_route_tables` is an object of the API and a list of one in the provider.
        (Type::List(t), one) => Value::list((**t).clone(), vec![value_of(one, t)]),
        (Type::Set(t), Json::Array(items)) => Value::set(
            (**t).clone(),
            items.iter().map(|i| value_of(i, t)).collect(),
        ),
        (Type::Map(t), Json::Object(map)) => {
            let items = map.iter().map(|(k, v)| (k.clone(), value_of(v, t)));
            Value::map((**t).clone(), items.collect())
        }
        (Type::Object(types), Json::Object(map)) => {
            let of = |name: &String| map.get(&field(name)).or_else(|| map.get(name));
            Value::object_of(types.iter().map(|(name, f)| {
                let json = of(name).unwrap_or(&Json::Null);
                (name.clone(), value_of(json, &f.ty))
            }))
        }
        _ => Value::null_of(ty.clone()),
    }
}
