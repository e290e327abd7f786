//! Provider configurations across modules: what a module wants to be given, and what it is given.

use skybridge_hcl::{Diagnostic, Span};

use crate::config::{Config, Module, ModuleCall, ProviderKey, StaticPath};

/// Checks what every call passes against what both sides declare.
pub(crate) fn check(config: &Config, said: &mut Vec<Diagnostic>) {
    for (path, module) in &config.modules {
        for (name, call) in &module.calls {
            let mut child = path.clone();
            child.push(name.clone());
            if let Some(inside) = config.modules.get(&child) {
                call_of(config, (path, module), name, call, (&child, inside), said);
            }
        }
        if !path.is_empty() {
            proxies(module, said);
        }
    }
}

fn call_of(
    config: &Config,
    (path, module): (&StaticPath, &Module),
    name: &str,
    call: &ModuleCall,
    (child, inside): (&StaticPath, &Module),
    said: &mut Vec<Diagnostic>,
) {
    for wanted in aliases(inside) {
        if !call.providers.contains_key(wanted) && !inside.providers.contains_key(wanted) {
            let detail = format!(
                "module.{name} requires an additional configuration for the provider \"{wanted}\"; pass one by the \"providers\" argument"
            );
            let summary = "Missing required provider configuration";
            said.push(Diagnostic::error(summary, detail).at(&call.span));
        }
    }
    for (key, (outer, span)) in &call.providers {
        if !is_declared(inside, key) {
            let detail = format!(
                "module.{name} does not declare the provider \"{key}\"; if it is yours, add an entry to its required_providers"
            );
            let summary = "Reference to undefined provider";
            said.push(Diagnostic::warning(summary, detail).at(span));
        }
        if outer.alias.is_some() && !is_configured(module, outer) {
            said.push(not_present(&format!("module.{name}"), module, outer, span));
        }
    }
    let repeated = call.count.is_some() || call.for_each.is_some() || !call.depends_on.is_empty();
    let own = config.modules.range(child.clone()..);
    let own = own
        .take_while(|(p, _)| p.starts_with(child))
        .find(|(_, m)| m.providers.values().any(|p| !is_empty(&p.body)));
    if repeated && let Some((own, _)) = own {
        let detail = format!(
            "module.{} contains its own provider configurations, so a call that leads to it may not use the count, for_each, or depends_on arguments",
            own[path.len()..].join(".module.")
        );
        let summary = "Module is incompatible with count, for_each, and depends_on";
        said.push(Diagnostic::error(summary, detail).at(&call.span));
    }
}

/// Says that a configuration is named and not there.
pub(crate) fn not_present(
    what: &str,
    module: &Module,
    key: &ProviderKey,
    span: &Span,
) -> Diagnostic {
    let detail = format!("{what} wants the provider configuration \"{key}\", which is not here");
    let names: Vec<String> = module.providers.keys().map(ToString::to_string).collect();
    Diagnostic::error("Provider configuration not present", detail)
        .at(span)
        .suggest(&key.to_string(), names.iter().map(String::as_str))
}

/// Whether a module has a configuration of a name, its own or one that it is given.
pub(crate) fn is_configured(module: &Module, key: &ProviderKey) -> bool {
    module.providers.contains_key(key) || aliases(module).any(|alias| alias == key)
}

/// The configurations that a module wants to be given.
fn aliases(module: &Module) -> impl Iterator<Item = &ProviderKey> {
    let required = module.required_providers.values();
    required.flat_map(|required| &required.aliases)
}

fn is_declared(module: &Module, key: &ProviderKey) -> bool {
    let own = key.alias.is_none() && module.required_providers.contains_key(&key.name);
    // A type's own provider needs no declaration.
    let used =
        || key.alias.is_none() && (module.resources.values()).any(|r| r.provider.name == key.name);
    own || is_configured(module, key) || used()
}

pub(crate) fn is_empty(body: &skybridge_hcl::ast::Body) -> bool {
    body.attributes.is_empty() && body.blocks.is_empty()
}

/// Empty provider blocks, by which modules once said what they want to be given.
fn proxies(module: &Module, said: &mut Vec<Diagnostic>) {
    for (key, block) in &module.providers {
        if is_empty(&block.body) {
            let detail = format!(
                "it only declares that the module wants the provider \"{key}\": an entry of required_providers does that"
            );
            let summary = "Redundant empty provider block";
            said.push(Diagnostic::warning(summary, detail).at(&block.span));
        }
    }
}
