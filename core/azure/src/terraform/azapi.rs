//! `azapi_resource`: a document of ARM as its configuration writes it. Microsoft's own modules (Azure Verified
//! Modules) make networks by it.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use skybridge_estate::{Command, Estate, Origin, Party, Place, PutRequest, Resource, ResourceId};
use skybridge_hcl::{Spans, Value, from_json};

use super::build::{place, to_json};
use super::{Mapped, SUBSCRIPTION_ID};
use crate::kinds;

/// The Terraform type.
pub(super) const TYPE: &str = "azapi_resource";

const GROUP: &str = "Microsoft.Resources/resourceGroups";

/// `Microsoft.Network/virtualNetworks` of `Microsoft.Network/virtualNetworks@2024-05-01`.
fn kind_of(config: &Value) -> Option<&str> {
    let ty = config.str_attr("type")?;
    Some(ty.split('@').next().unwrap_or(ty))
}

/// The same as Azure's part of the estate spells it.
fn kind(config: &Value) -> Option<&'static str> {
    let ty = kind_of(config)?;
    kinds::ALL.into_iter().find(|k| k.eq_ignore_ascii_case(ty))
}

/// Its id: below what it is nested in, in the one subscription that there is.
pub(super) fn id(config: &Value) -> Option<ResourceId> {
    let ty = kind_of(config)?;
    let name = config.str_attr("name").filter(|n| !n.is_empty())?;
    if ty.eq_ignore_ascii_case(GROUP) {
        return Some(format!("/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{name}").into());
    }
    let kind = kind(config)?;
    let parent = config.str_attr("parent_id")?;
    let mut parts: Vec<&str> = parent.trim_end_matches('/').split('/').collect();
    if let ["", "subscriptions", subscription, ..] = &mut parts[..] {
        *subscription = SUBSCRIPTION_ID;
    }
    let parent = parts.join("/");
    let below = kind.matches('/').count() > 1;
    let own = kind.rsplit('/').next().unwrap_or(kind);
    Some(if below {
        format!("{parent}/{own}/{name}").into()
    } else {
        format!("{parent}/providers/{kind}/{name}").into()
    })
}

/// The request that makes or changes it.
pub(super) fn put(address: &str, config: &Value, spans: &Spans) -> Mapped {
    let ty = kind_of(config).unwrap_or(TYPE);
    if ty.eq_ignore_ascii_case(GROUP) {
        return Mapped::Recorded;
    }
    let (Some(kind), Some(id)) = (kind(config), id(config)) else {
        return Mapped::NotModelled(format!("{ty} is not modelled"));
    };
    let mut writer = Writer::default();
    let mut doc = Map::new();
    let body = config.attr("body");
    // Version 1 of the provider takes the body as a text.
    let text = body.and_then(Value::as_str);
    let read = text.and_then(|text| serde_json::from_str::<Json>(text).ok());
    match (read, body) {
        (Some(Json::Object(map)), _) => doc = map,
        (None, Some(body)) if body.as_map().is_some() => {
            if let Some(Json::Object(map)) = writer.json(body, "") {
                doc = map;
            }
        }
        _ => return Mapped::NotModelled(format!("the body of this {ty} is not known")),
    }
    for argument in ["location", "tags"] {
        let value = config.attr(argument).filter(|v| !v.is_null());
        if let Some(json) = value.and_then(|v| writer.json(v, &format!("/{argument}"))) {
            doc.entry(argument).or_insert(json);
        }
    }
    let doc = Json::Object(doc);
    // An address manager decides.
    for at in ["/properties", "/properties/addressSpace"] {
        let pools = doc.pointer(&format!("{at}/ipamPoolPrefixAllocations"));
        let pools = pools
            .and_then(Json::as_array)
            .is_some_and(|pools| !pools.is_empty());
        let prefixes = format!("{at}/addressPrefixes");
        if pools && doc.pointer(&prefixes).is_none() {
            writer.unknown.insert(prefixes);
        }
    }
    if let Some(why) = left_out(kind, &doc) {
        return Mapped::NotModelled(why);
    }
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    for (path, pointer) in [("", ""), ("location", "/location"), ("body", "/properties")] {
        if let Some(span) = spans.find(path) {
            places.insert(pointer.to_owned(), place(span));
        }
    }
    Mapped::Commands(vec![Command::Put(PutRequest {
        party: Party::Azure,
        kind: kind.into(),
        name: id.leaf().to_owned(),
        id: Some(id),
        parent: None,
        doc,
        unknown: writer.unknown,
        origin: Some(Origin {
            stack: String::new(),
            address: address.to_owned(),
            places,
        }),
    })])
}

/// Why a document of a modelled type is not modelled, as with the types of azurerm.
fn left_out(kind: &str, doc: &Json) -> Option<String> {
    let text = |pointer: &str| doc.pointer(pointer).and_then(Json::as_str);
    match kind {
        kinds::CONNECTION => {
            let ty = text("/properties/connectionType").unwrap_or("ExpressRoute");
            let other = !ty.eq_ignore_ascii_case("ExpressRoute");
            other.then(|| format!("{ty} connections are not modelled"))
        }
        kinds::CIRCUIT => doc
            .pointer("/properties/expressRoutePort/id")
            .map(|_| "circuits on ExpressRoute Direct ports are not modelled".to_owned()),
        _ => None,
    }
}

#[derive(Default)]
struct Writer {
    unknown: std::collections::BTreeSet<String>,
}

impl Writer {
    /// A value as JSON without what is null; what is not known is noted.
    fn json(&mut self, value: &Value, pointer: &str) -> Option<Json> {
        if !value.marks().placeholder.is_empty() || value.is_unknown() {
            self.unknown.insert(pointer.to_owned());
        }
        if value.is_null() || value.is_unknown() {
            return None;
        }
        if let Some(items) = value.as_slice() {
            let items = items.iter().enumerate();
            let items = items.map(|(i, item)| {
                self.json(item, &format!("{pointer}/{i}"))
                    .unwrap_or(Json::Null)
            });
            return Some(Json::Array(items.collect()));
        }
        if let Some(map) = value.as_map() {
            let mut out = Map::new();
            for (name, inner) in map {
                let step = name.replace('~', "~0").replace('/', "~1");
                if let Some(json) = self.json(inner, &format!("{pointer}/{step}")) {
                    out.insert(name.clone(), json);
                }
            }
            return Some(Json::Object(out));
        }
        Some(to_json(value))
    }
}

/// What the cloud has made of it: `output`, from which configurations read on.
pub(super) fn output(estate: &Estate, config: &Value, address: &str) -> Value {
    let resource = id(config).and_then(|id| estate.resource(&id));
    let json = resource.map_or_else(|| json!({}), whole);
    from_json(&json).open(format!("{address}.output"))
}

fn whole(resource: &Resource) -> Json {
    let mut all = json!({ "id": resource.id.as_str(), "name": resource.name });
    for part in [&resource.doc, &resource.computed] {
        merge(&mut all, part);
    }
    all
}

fn merge(into: &mut Json, from: &Json) {
    match (into, from) {
        (Json::Object(into), Json::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(Json::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
