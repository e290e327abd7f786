//! Plans and states as `terraform show -json` and `tofu show -json` print them, as a configuration: every
//! instance with the attributes that the document says, and references where it does not know them yet.
//!
//! A document settles what a directory leaves open: modules from registries, versions of providers,
//! values of variables. Ids of real objects become references to what has them, since objects get ids of
//! their own here.

mod configuration;

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use skybridge_hcl::ast::{Attribute, Block, Body, Expr, ExprKind, ObjectItem, ObjectKey, Step};
use skybridge_hcl::{Diagnostic, Span, Type, Value, from_json};

use crate::address::{Address, InstanceKey, Mode};
use crate::config::{
    Config, IgnoreChanges, Module, ModuleCall, Output, ProviderKey, Resource, StaticPath,
};
use crate::schema::{BodySchema, Schemas, provider_of};
use crate::scope::static_path;
use configuration::Wiring;

/// The name under which any instance can be referred to, whatever module it is in. No file can spell it.
pub(crate) const INSTANCE: &str = "instance of a document";
/// How deep modules may nest in a document.
const DEPTH_MAX: usize = 64;
/// Most instances of a document.
const INSTANCES_MAX: usize = 100_000;

/// Whether a text is a plan or a state in JSON: it names its format.
#[must_use]
pub fn is_document(text: &str) -> bool {
    serde_json::from_str::<Json>(text).is_ok_and(|json| {
        json.get("format_version").is_some_and(Json::is_string)
            && (json.get("values").is_some() || json.get("planned_values").is_some())
    })
}

/// Reads a plan or a state.
///
/// # Errors
/// When it is neither.
pub(crate) fn read(
    file: &str,
    text: &str,
    schemas: &Schemas,
) -> Result<(Config, Vec<Diagnostic>), Vec<Diagnostic>> {
    let place = Span::file(file);
    let refuse = |detail: String| {
        let help = "write one with `terraform show -json PLAN` or `terraform show -json`";
        vec![
            Diagnostic::error("Not a plan or a state", detail)
                .at(&place)
                .help(help),
        ]
    };
    let json: Json = serde_json::from_str(text).map_err(|e| refuse(e.to_string()))?;
    let values = json
        .get("planned_values")
        .or_else(|| json.get("values"))
        .ok_or_else(|| refuse("it has neither \"planned_values\" nor \"values\"".to_owned()))?;
    let mut reader = Reader {
        place,
        schemas,
        wiring: Wiring::of(&json),
        found: Vec::new(),
        ids: BTreeMap::new(),
        said: Vec::new(),
    };
    if let Some(root) = values.get("root_module") {
        reader.collect(root, 0);
    }
    reader.unknowns(&json);
    let mut config = reader.config();
    outputs(&mut config, values, &reader.place);
    let root = config.modules.entry(Vec::new()).or_default();
    reader.wiring.providers(&json, &reader.place, root);
    Ok((config, reader.said))
}

struct Found {
    address: Address,
    values: Map<String, Json>,
    /// True where a plan does not know a value yet.
    unknown: Json,
    /// True where a value is not to be shown.
    hidden: Json,
}

/// What a document says of a value besides the value.
#[derive(Clone, Copy)]
struct Masks<'a> {
    unknown: &'a Json,
    hidden: &'a Json,
}

impl<'a> Masks<'a> {
    fn map(self, of: impl Fn(&'a Json) -> Option<&'a Json>) -> Self {
        Self {
            unknown: of(self.unknown).unwrap_or(&Json::Null),
            hidden: of(self.hidden).unwrap_or(&Json::Null),
        }
    }
}

struct Reader<'a> {
    place: Span,
    schemas: &'a Schemas,
    wiring: Wiring,
    found: Vec<Found>,
    /// From an id in the document to the instance that has it.
    ids: BTreeMap<String, Address>,
    said: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn collect(&mut self, module: &Json, depth: usize) {
        let list = |name: &str| {
            module
                .get(name)
                .and_then(Json::as_array)
                .into_iter()
                .flatten()
        };
        for resource in list("resources") {
            let address = resource.get("address").and_then(Json::as_str);
            let Some(address) = address.and_then(|a| a.parse::<Address>().ok()) else {
                continue;
            };
            let values = resource.get("values").and_then(Json::as_object);
            let values = values.cloned().unwrap_or_default();
            // What was read is in the values already.
            if address.mode == Mode::Data || self.found.len() >= INSTANCES_MAX {
                continue;
            }
            if let Some(id) = values.get("id").and_then(Json::as_str) {
                self.ids.insert(id.to_owned(), address.clone());
            }
            self.found.push(Found {
                address,
                values,
                unknown: Json::Null,
                hidden: resource
                    .get("sensitive_values")
                    .cloned()
                    .unwrap_or_default(),
            });
        }
        for child in list("child_modules") {
            if depth < DEPTH_MAX {
                self.collect(child, depth + 1);
            }
        }
    }

    /// A plan says apart what is not known yet.
    fn unknowns(&mut self, json: &Json) {
        let changes = json.get("resource_changes").and_then(Json::as_array);
        let mut masks: BTreeMap<&str, &Json> = BTreeMap::new();
        for change in changes.into_iter().flatten() {
            if let (Some(address), Some(mask)) = (
                change.get("address").and_then(Json::as_str),
                change.pointer("/change/after_unknown"),
            ) {
                masks.insert(address, mask);
            }
        }
        for found in &mut self.found {
            if let Some(mask) = masks.get(found.address.to_string().as_str()) {
                found.unknown = (*mask).clone();
            }
        }
    }

    fn config(&self) -> Config {
        let mut config = Config::default();
        config
            .modules
            .insert(Vec::new(), self.module(".".to_owned()));
        let mut keys: BTreeMap<(StaticPath, String), Vec<InstanceKey>> = BTreeMap::new();
        for found in &self.found {
            for (at, step) in found.address.module.iter().enumerate() {
                let above = static_path(&found.address.module[..at]);
                let known = keys.entry((above.clone(), step.name.clone())).or_default();
                if !known.contains(&step.key) {
                    known.push(step.key.clone());
                }
                let mut path = above;
                path.push(step.name.clone());
                let module = || self.module(path.join("/"));
                config.modules.entry(path.clone()).or_insert_with(module);
            }
        }
        for ((path, name), keys) in keys {
            let (count, for_each) = self.expansion(&keys);
            if let Some(module) = config.modules.get_mut(&path) {
                module
                    .calls
                    .insert(name.clone(), self.call(count, for_each));
            }
        }
        for found in &self.found {
            let path = static_path(&found.address.module);
            let body = self.body(found);
            let Some(module) = config.modules.get_mut(&path) else {
                continue;
            };
            let address = &found.address;
            let block = (address.mode, address.ty.clone(), address.name.clone());
            let resource =
                (module.resources.entry(block)).or_insert_with(|| self.resource(address));
            resource.bodies.insert(address.clone(), body);
        }
        for module in config.modules.values_mut() {
            for resource in module.resources.values_mut() {
                let keys: Vec<InstanceKey> =
                    resource.bodies.keys().map(|a| a.key.clone()).collect();
                (resource.count, resource.for_each) = self.expansion(&keys);
            }
        }
        config
    }

    fn module(&self, directory: String) -> Module {
        Module {
            directory,
            ..Module::default()
        }
    }

    fn call(&self, count: Option<Expr>, for_each: Option<Expr>) -> ModuleCall {
        ModuleCall {
            source: String::new(),
            arguments: BTreeMap::new(),
            count,
            for_each,
            providers: BTreeMap::new(),
            depends_on: Vec::new(),
            span: self.place.clone(),
        }
    }

    fn resource(&self, address: &Address) -> Resource {
        Resource {
            ty: address.ty.clone(),
            body: Body::default(),
            count: None,
            for_each: None,
            provider: ProviderKey {
                name: provider_of(&address.ty).to_owned(),
                alias: None,
            },
            depends_on: Vec::new(),
            ignore_changes: IgnoreChanges::None,
            ignored_at: Vec::new(),
            prevent_destroy: false,
            create_before_destroy: false,
            replace_triggered_by: Vec::new(),
            preconditions: Vec::new(),
            postconditions: Vec::new(),
            bodies: BTreeMap::new(),
            span: self.place.clone(),
        }
    }

    fn expr(&self, kind: ExprKind) -> Expr {
        Expr {
            kind,
            span: self.place.clone(),
        }
    }

    fn literal(&self, value: Value) -> Expr {
        self.expr(ExprKind::Literal(value))
    }

    /// `count` or `for_each` that gives these instances.
    fn expansion(&self, keys: &[InstanceKey]) -> (Option<Expr>, Option<Expr>) {
        let mut most = None;
        let mut names = BTreeMap::new();
        for key in keys {
            match key {
                InstanceKey::Single => {}
                InstanceKey::Index(at) => most = most.max(Some(at.saturating_add(1))),
                InstanceKey::Key(key) => {
                    names.insert(key.clone(), Value::string(key));
                }
            }
        }
        let count = most.map(|n| self.literal(Value::number(n)));
        let each = (!names.is_empty()).then(|| self.literal(Value::object(names)));
        (count, each)
    }

    fn body(&self, found: &Found) -> Body {
        let schema = self.schemas.find(found.address.mode, &found.address.ty);
        let wires = self.wiring.of_resource(&found.address);
        let masks = Masks {
            unknown: &found.unknown,
            hidden: &found.hidden,
        };
        self.inner(
            &found.values,
            masks,
            schema.map(|s| &s.body),
            wires.as_ref(),
            &found.address,
        )
    }

    fn inner(
        &self,
        values: &Map<String, Json>,
        masks: Masks<'_>,
        schema: Option<&BodySchema>,
        wires: Option<&Json>,
        at: &Address,
    ) -> Body {
        let mut body = Body::default();
        let masked = masks
            .unknown
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name);
        let mut names: Vec<&String> = values.keys().chain(masked).collect();
        names.sort();
        names.dedup();
        for name in names {
            let value = values.get(name).unwrap_or(&Json::Null);
            let mask = masks.map(|m| m.get(name));
            let wire = wires.and_then(|w| w.get(name));
            if let Some(block) = schema.and_then(|s| s.blocks.get(name)) {
                let items = match value {
                    Json::Array(items) => items.clone(),
                    Json::Object(_) => vec![value.clone()],
                    _ => Vec::new(),
                };
                for (index, item) in items.iter().enumerate() {
                    let Some(item) = item.as_object() else {
                        continue;
                    };
                    // A document before 1.0 of the format has one mask for all.
                    let mask = mask.map(|m| m.get(index).or_else(|| m.is_object().then_some(m)));
                    let wire = wire.and_then(|w| w.get(index).or(Some(w)));
                    body.blocks.push(Block {
                        kind: name.clone(),
                        labels: Vec::new(),
                        body: self.inner(item, mask, Some(&block.body), wire, at),
                        span: self.place.clone(),
                    });
                }
                continue;
            }
            let row = schema.and_then(|s| s.attributes.get(name));
            // What only the provider decides cannot be set, and what is null is as good as left out.
            let settable = schema.is_none() || row.is_some_and(|a| a.required || a.optional);
            if !settable || (schema.is_none() && name == "id") {
                continue;
            }
            let expr = match mask.unknown {
                Json::Bool(true) => {
                    let wired = wire.and_then(|w| self.wired(w, name, at));
                    // What no expression sets is for the provider to find.
                    let is_set = wire.is_some() || row.is_some_and(|a| !a.computed);
                    wired.or_else(|| is_set.then(|| self.unknown(&format!("{at}.{name}"))))
                }
                unknown if value.is_null() && !has_true(unknown) => None,
                _ => Some(self.known(value, mask, &format!("{at}.{name}"), at)),
            };
            if let Some(expr) = expr {
                body.attributes.push(Attribute {
                    name: name.clone(),
                    name_span: self.place.clone(),
                    expr,
                });
            }
        }
        body
    }

    /// Something that the document does not know and that no reference leads to.
    fn unknown(&self, what: &str) -> Expr {
        self.literal(Value::unknown(Type::Dynamic).placeholder(what))
    }

    /// A value with references in the place of ids.
    fn known(&self, value: &Json, masks: Masks<'_>, what: &str, at: &Address) -> Expr {
        let expr = if *masks.unknown == Json::Bool(true) {
            self.unknown(what)
        } else {
            self.parts(value, masks, what, at)
        };
        if *masks.hidden != Json::Bool(true) {
            return expr;
        }
        self.expr(ExprKind::Call {
            name: "sensitive".to_owned(),
            name_span: self.place.clone(),
            args: vec![expr],
            expand: false,
        })
    }

    fn parts(&self, value: &Json, masks: Masks<'_>, what: &str, at: &Address) -> Expr {
        let empty = (Map::new(), Vec::new());
        match (value, masks.unknown) {
            (Json::String(text), _) => match self.ids.get(text).filter(|other| *other != at) {
                Some(other) => self.instance(other, "id"),
                None => self.literal(Value::string(text)),
            },
            (Json::Array(_), _) | (Json::Null, Json::Array(_)) => {
                let items = value.as_array().unwrap_or(&empty.1);
                let count = masks.unknown.as_array().map_or(0, Vec::len);
                let items = (0..count.max(items.len())).map(|index| {
                    let inner = items.get(index).unwrap_or(&Json::Null);
                    let masks = masks.map(|m| m.get(index));
                    self.known(inner, masks, &format!("{what}[{index}]"), at)
                });
                self.expr(ExprKind::Tuple(items.collect()))
            }
            (Json::Object(_), _) | (Json::Null, Json::Object(_)) => {
                let map = value.as_object().unwrap_or(&empty.0);
                let masked = masks.unknown.as_object().unwrap_or(&empty.0);
                let mut names: Vec<&String> = map.keys().chain(masked.keys()).collect();
                names.sort();
                names.dedup();
                let items = names.into_iter().map(|name| {
                    let inner = map.get(name).unwrap_or(&Json::Null);
                    let masks = masks.map(|m| m.get(name));
                    ObjectItem {
                        key: ObjectKey::Name(name.clone(), self.place.clone()),
                        value: self.known(inner, masks, &format!("{what}.{name}"), at),
                    }
                });
                self.expr(ExprKind::Object(items.collect()))
            }
            (Json::Null | Json::Bool(_) | Json::Number(_), _) => self.literal(from_json(value)),
        }
    }

    fn instance(&self, address: &Address, attribute: &str) -> Expr {
        let base = self.expr(ExprKind::Variable(INSTANCE.to_owned()));
        let index = self.literal(Value::string(address.to_string()));
        let steps = vec![
            Step::Index(Box::new(index)),
            Step::Attr(attribute.to_owned(), self.place.clone()),
        ];
        self.expr(ExprKind::Traversal(Box::new(base), steps))
    }

    /// What an attribute that is not known yet refers to: by the references of its expression.
    fn wired(&self, wire: &Json, name: &str, at: &Address) -> Option<Expr> {
        let (address, attribute) = self.wiring.resolve(wire, at)?;
        let attribute = attribute.unwrap_or_else(|| "id".to_owned());
        let all: Vec<&Address> = (self.found.iter())
            .map(|f| &f.address)
            .filter(|a| a.resource() == address.resource() || a.resource() == address)
            .collect();
        // Of several instances the one with the key of this one is meant.
        let same = all
            .iter()
            .find(|a| a.key == address.key && a.module == address.module);
        let twin = all.iter().find(|a| a.key == at.key);
        let is_list = name.ends_with('s') && !name.ends_with("address");
        let expr = match (same.or(twin), all.as_slice()) {
            (Some(one), _) => self.instance(one, &attribute),
            (None, [one]) => self.instance(one, &attribute),
            _ => return None,
        };
        Some(if is_list {
            self.expr(ExprKind::Tuple(vec![expr]))
        } else {
            expr
        })
    }
}

fn has_true(mask: &Json) -> bool {
    match mask {
        Json::Bool(is) => *is,
        Json::Array(items) => items.iter().any(has_true),
        Json::Object(map) => map.values().any(has_true),
        Json::Null | Json::Number(_) | Json::String(_) => false,
    }
}

/// The outputs of the root module, as far as they are known.
fn outputs(config: &mut Config, values: &Json, place: &Span) {
    let root = config.modules.entry(Vec::new()).or_default();
    for (name, output) in values
        .get("outputs")
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
    {
        let value = match output.get("value") {
            Some(value) => from_json(value),
            None => Value::unknown(Type::Dynamic).placeholder(format!("output.{name}")),
        };
        let output = Output {
            expr: Expr {
                kind: ExprKind::Literal(value),
                span: place.clone(),
            },
            ephemeral: false,
            sensitive: output.get("sensitive").and_then(Json::as_bool) == Some(true),
            depends_on: Vec::new(),
            preconditions: Vec::new(),
            span: place.clone(),
        };
        root.outputs.insert(name.clone(), output);
    }
}
