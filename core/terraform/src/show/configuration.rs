//! The `configuration` part of a plan: which expression refers to what.

use serde_json::Value as Json;
use skybridge_hcl::ast::{Attribute, Body, Expr, ExprKind};
use skybridge_hcl::{Span, from_json};

use crate::address::{Address, InstanceKey, Mode, ModuleStep};
use crate::config::{Module, ProviderBlock, ProviderKey};

/// How many outputs and variables a reference may lead through.
const HOPS_MAX: usize = 64;

/// The module tree of a configuration; null without one.
#[derive(Clone, Debug)]
pub(super) struct Wiring(Json);

impl Wiring {
    pub(super) fn of(json: &Json) -> Self {
        let root = json.pointer("/configuration/root_module");
        Self(root.cloned().unwrap_or(Json::Null))
    }

    fn module(&self, path: &[ModuleStep]) -> Option<&Json> {
        path.iter().try_fold(&self.0, |module, step| {
            module.get("module_calls")?.get(&step.name)?.get("module")
        })
    }

    /// The expressions of a resource block.
    pub(super) fn of_resource(&self, address: &Address) -> Option<Json> {
        let resources = self.module(&address.module)?.get("resources")?.as_array()?;
        let text = |r: &Json, name: &str| r.get(name).and_then(Json::as_str).map(str::to_owned);
        let found = resources.iter().find(|r| {
            text(r, "type").as_deref() == Some(&address.ty)
                && text(r, "name").as_deref() == Some(&address.name)
                && (text(r, "mode").as_deref() == Some("data")) == (address.mode == Mode::Data)
        })?;
        found.get("expressions").cloned()
    }

    /// The instance and the attribute that an expression refers to, through outputs and variables. The
    /// key is that of the reference, or none.
    pub(super) fn resolve(&self, wire: &Json, at: &Address) -> Option<(Address, Option<String>)> {
        let mut path = at.module.clone();
        let mut wire = wire.clone();
        for _ in 0..HOPS_MAX {
            // The longest of the references is the whole one; shorter ones are its parts.
            let list = wire.get("references")?.as_array()?;
            let texts = list.iter().filter_map(Json::as_str);
            let useful = texts.filter(|t| {
                !["each.", "count.", "local.", "path.", "data."]
                    .iter()
                    .any(|p| t.starts_with(p))
            });
            let reference = useful.max_by_key(|t| t.len())?.to_owned();
            let parts: Vec<&str> = reference.split('.').collect();
            match parts.as_slice() {
                ["var", name, ..] => {
                    let step = path.pop()?;
                    let above = self.module(&path)?;
                    let call = above.get("module_calls")?.get(&step.name)?;
                    wire = call.get("expressions")?.get(name)?.clone();
                }
                ["module", name, output, ..] => {
                    let (name, key) = named(name);
                    path.push(ModuleStep { name, key });
                    let inner = self.module(&path)?;
                    wire = inner
                        .get("outputs")?
                        .get(output)?
                        .get("expression")?
                        .clone();
                }
                [ty, name, rest @ ..] => {
                    let (name, key) = named(name);
                    let address = Address {
                        module: path,
                        mode: Mode::Managed,
                        ty: (*ty).to_owned(),
                        name,
                        key,
                    };
                    return Some((address, rest.first().map(|a| (*a).to_owned())));
                }
                _ => return None,
            }
        }
        None
    }

    /// Arguments of provider blocks that are written out.
    pub(super) fn providers(&self, json: &Json, place: &Span, root: &mut Module) {
        let blocks = json.pointer("/configuration/provider_config");
        for (_, block) in blocks.and_then(Json::as_object).into_iter().flatten() {
            let text = |name: &str| block.get(name).and_then(Json::as_str);
            if block.get("module_address").is_some() {
                continue;
            }
            let Some(name) = text("name") else { continue };
            let key = ProviderKey {
                name: name.to_owned(),
                alias: text("alias").map(str::to_owned),
            };
            let mut body = Body::default();
            let expressions = block.get("expressions").and_then(Json::as_object);
            for (name, expression) in expressions.into_iter().flatten() {
                if let Some(value) = expression.get("constant_value") {
                    body.attributes.push(Attribute {
                        name: name.clone(),
                        name_span: place.clone(),
                        expr: Expr {
                            kind: ExprKind::Literal(from_json(value)),
                            span: place.clone(),
                        },
                    });
                }
            }
            let span = place.clone();
            root.providers.insert(key, ProviderBlock { body, span });
        }
    }
}

/// `name["key"]` and `name[0]`.
fn named(text: &str) -> (String, InstanceKey) {
    let Some((name, index)) = text.split_once('[') else {
        return (text.to_owned(), InstanceKey::Single);
    };
    let index = index.trim_end_matches(']');
    let key = match index.parse() {
        Ok(at) => InstanceKey::Index(at),
        Err(_) => InstanceKey::Key(index.trim_matches('"').to_owned()),
    };
    (name.to_owned(), key)
}
