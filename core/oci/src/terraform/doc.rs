//! From arguments to a document of the API.

use serde_json::{Map, Value as Json, json};
use skybridge_hcl::{Kind, Spans, Value, number_to_string};
use skybridge_terraform::schema::{BodySchema, Nesting};

use super::names::{field, fields};
use super::{Made, place};

/// The document of a configuration: its arguments, without what only the cloud decides.
pub(super) fn document(ty: &str, body: &BodySchema, config: &Value, spans: &Spans) -> Made {
    let mut writer = Writer {
        ty,
        spans: spans
            .iter()
            .map(|(p, s)| (p.to_owned(), place(s)))
            .collect(),
        made: Made::default(),
    };
    if let Some(span) = &spans.block {
        writer.made.places.insert(String::new(), place(span));
    }
    writer.made.doc = Json::Object(writer.body(body, config, "", "", ""));
    if ty == "oci_core_subnet" {
        first_block(&mut writer.made);
    }
    writer.made
}

/// A subnet that names its blocks in a list has the first of them as its block.
fn first_block(made: &mut Made) {
    let (list, one) = ("/ipv4CidrBlocks", "/cidrBlock");
    let first = made.doc.pointer("/ipv4CidrBlocks/0").cloned();
    let Some(first) = first.filter(|_| made.doc.pointer(one).is_none()) else {
        return;
    };
    crate::decide::set(&mut made.doc, "cidrBlock", first);
    if let Some(place) = made.places.get(list).cloned() {
        made.places.insert(one.to_owned(), place);
    }
    if crate::wish::touches(&made.unknown, "/ipv4CidrBlocks/0") {
        made.unknown.insert(one.to_owned());
    }
}

struct Writer<'a> {
    ty: &'a str,
    spans: std::collections::BTreeMap<String, skybridge_estate::Place>,
    made: Made,
}

impl Writer<'_> {
    /// Notes the place of an argument.
    fn place(&mut self, path: &str, pointer: &str) {
        if let Some(place) = self.spans.get(path) {
            self.made.places.insert(pointer.to_owned(), place.clone());
        }
    }

    /// The fields of a body. `block` is the name of the block, `path` and `pointer` where it stands.
    fn body(
        &mut self,
        body: &BodySchema,
        config: &Value,
        block: &str,
        path: &str,
        pointer: &str,
    ) -> Map<String, Json> {
        let mut out = Map::new();
        for (name, attribute) in &body.attributes {
            let Some(value) = config
                .attr(name)
                .filter(|_| attribute.optional || attribute.required)
            else {
                continue;
            };
            let stands_in = value.is_placeholder();
            if (value.is_null() || value.is_unknown()) && !stands_in {
                continue;
            }
            // The provider sends no empty text for what may be left out.
            if !attribute.required && value.as_str() == Some("") {
                continue;
            }
            if name == "code" && value.as_i64() == Some(-1) {
                continue;
            }
            let at = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            let names = fields(self.ty, block, name);
            let target = format!("{pointer}/{}", names.join("/"));
            self.place(&at, &target);
            if stands_in {
                self.unknown(value, &target);
            }
            insert(&mut out, &names, json_of(value));
        }
        for (name, inner) in &body.blocks {
            let items = config.list_attr(name);
            if items.is_empty() {
                continue;
            }
            let field = field(name);
            let single = matches!(inner.nesting, Nesting::Single) && name != "match_criteria";
            let mut all = Vec::new();
            for (i, item) in items.iter().enumerate() {
                let at = if path.is_empty() {
                    format!("{name}[{i}]")
                } else {
                    format!("{path}.{name}[{i}]")
                };
                let target = if single {
                    format!("{pointer}/{field}")
                } else {
                    format!("{pointer}/{field}/{i}")
                };
                self.place(&at, &target);
                let fields = self.body(&inner.body, item, name, &at, &target);
                all.push(Json::Object(fields));
            }
            let value = if single {
                all.swap_remove(0)
            } else {
                Json::Array(all)
            };
            insert(&mut out, &[field], value);
        }
        out
    }

    /// Notes which parts of a value are placeholders.
    fn unknown(&mut self, value: &Value, pointer: &str) {
        let own = !value.marks().placeholder.is_empty();
        let items = value.as_slice().unwrap_or_default();
        if own || items.is_empty() {
            self.made.unknown.insert(pointer.to_owned());
            return;
        }
        for (i, item) in items.iter().enumerate().filter(|(_, v)| v.is_placeholder()) {
            self.unknown(item, &format!("{pointer}/{i}"));
        }
    }
}

/// Sets a field, below others when there are several names.
fn insert(out: &mut Map<String, Json>, names: &[String], value: Json) {
    match names {
        [] => {}
        [last] => {
            out.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let inner = out.entry(first.clone()).or_insert_with(|| json!({}));
            if let Some(inner) = inner.as_object_mut() {
                insert(inner, rest, value);
            }
        }
    }
}

/// A value as JSON; what is unknown is null.
fn json_of(value: &Value) -> Json {
    match value.kind() {
        Kind::Unknown(_) | Kind::Null(_) => Json::Null,
        Kind::Bool(b) => Json::Bool(*b),
        Kind::String(s) => Json::from(s.as_ref()),
        Kind::Number(n) => match value.as_i64() {
            Some(whole) => Json::from(whole),
            None => number_to_string(n)
                .parse()
                .map_or(Json::Null, |f: f64| json!(f)),
        },
        Kind::List(_, v) | Kind::Set(_, v) | Kind::Tuple(v) => v.iter().map(json_of).collect(),
        Kind::Map(_, m) | Kind::Object(m) => {
            m.iter().map(|(k, v)| (k.clone(), json_of(v))).collect()
        }
    }
}
