//! `import` blocks: which instances they speak of. The objects that they name are not in the lab, so what
//! they are imported as is created instead, and said to be.

use std::collections::BTreeSet;

use skybridge_hcl::ast::{Expr, ExprKind, Step};
use skybridge_hcl::{Diagnostic, Type, Value, convert, evaluate_with};

use crate::address::{Address, InstanceKey};
use crate::apply::{Apply, Phase};
use crate::config::Import;
use crate::endpoint::Endpoint;
use crate::expand::expand;
use crate::graph::{Node, NodeKind, Walk, node};
use crate::scope::ModuleScope;
use crate::stack::Stack;

/// The address without the keys that are computed: enough to know the block.
fn block_of(to: &Expr) -> Option<Endpoint> {
    let ExprKind::Traversal(base, steps) = &to.kind else {
        return None;
    };
    let steps = steps.iter().filter(|s| !matches!(s, Step::Index(_)));
    Endpoint::read(&Expr {
        kind: ExprKind::Traversal(base.clone(), steps.cloned().collect()),
        span: to.span.clone(),
    })
}

/// The keys in an address.
pub(crate) fn keys(to: &Expr) -> impl Iterator<Item = &Expr> {
    let steps: &[Step] = match &to.kind {
        ExprKind::Traversal(_, steps) => steps,
        _ => &[],
    };
    steps.iter().filter_map(|step| match step {
        Step::Index(index) => Some(index.as_ref()),
        Step::Attr(..) | Step::AttrSplat(_) | Step::FullSplat(_) => None,
    })
}

impl Walk<'_> {
    /// The resource that an import is for: its instances are counted first.
    pub(crate) fn target(&mut self, to: &Expr) -> BTreeSet<Node> {
        let block = block_of(to).and_then(|endpoint| {
            let (path, block) = endpoint.block();
            Some((path, block?))
        });
        let Some((path, (mode, ty, name))) = block else {
            return BTreeSet::new();
        };
        let module = self.config.modules.get(&path);
        let is_there =
            module.is_some_and(|m| (m.resources).contains_key(&(mode, ty.clone(), name.clone())));
        if is_there {
            return BTreeSet::from([node(&path, NodeKind::Resource(mode, ty, name))]);
        }
        let detail = "there is no such resource: all targets must have a configuration";
        let summary = "Configuration for import target does not exist";
        self.diagnostics
            .push(Diagnostic::error(summary, detail).at(&to.span));
        BTreeSet::new()
    }
}

impl Apply {
    pub(crate) fn visit_import(&mut self, stack: &Stack, import: &Import) {
        if self.phase != Phase::Plan {
            return;
        }
        let scope = ModuleScope::new(&stack.config, &self.values, &[]);
        let none = None;
        let number = (&none, &import.for_each);
        let expansion = expand(stack, &scope, number, &mut self.diagnostics);
        let mut created = Vec::new();
        for key in expansion.keys() {
            let each = expansion.each(&key);
            let scope = ModuleScope::new(&stack.config, &self.values, &[]).instance(&key, each);
            let Some(address) = address(stack, &scope, &import.to, &mut self.diagnostics) else {
                continue;
            };
            let found = import
                .id
                .as_ref()
                .and_then(|id| identity(stack, &scope, id, &mut self.diagnostics));
            if !self.values.has_instance(&address) {
                let detail = format!("{address} is not among the instances of its resource");
                let summary = "Configuration for import target does not exist";
                let diagnostic = Diagnostic::error(summary, detail);
                self.diagnostics.push(diagnostic.at(&import.to.span));
            } else if !self.prior.instances.contains_key(&address) {
                let id = found.map(|id| format!(" (\"{id}\")")).unwrap_or_default();
                created.push(format!("{address}{id}"));
            }
        }
        if !created.is_empty() {
            let detail = format!(
                "no object in the lab can be imported, so these are created: {}",
                created.join(", ")
            );
            let notice = Diagnostic::notice("Import without object", detail);
            self.diagnostics.push(notice.at(&import.span));
        }
    }
}

/// The address with its keys evaluated.
fn address(
    stack: &Stack,
    scope: &ModuleScope<'_>,
    to: &Expr,
    said: &mut Vec<Diagnostic>,
) -> Option<Address> {
    let ExprKind::Traversal(base, steps) = &to.kind else {
        return None;
    };
    let ExprKind::Variable(root) = &base.kind else {
        return None;
    };
    let mut text = root.clone();
    for step in steps {
        match step {
            Step::Attr(name, _) => text.push_str(&format!(".{name}")),
            Step::Index(index) => {
                let value = evaluate_with(index, scope, stack.files.as_ref(), said)?;
                let key = match (value.as_u64(), value.as_str()) {
                    (Some(at), _) => InstanceKey::Index(at),
                    (None, Some(key)) => InstanceKey::Key(key.to_owned()),
                    (None, None) => {
                        let detail = "the key must be a known number or string";
                        let diagnostic =
                            Diagnostic::error("Invalid import 'to' expression", detail);
                        said.push(diagnostic.at(&index.span));
                        return None;
                    }
                };
                text.push_str(&key.to_string());
            }
            Step::AttrSplat(_) | Step::FullSplat(_) => return None,
        }
    }
    text.parse().ok()
}

/// The id, which must be a text that is known.
fn identity(
    stack: &Stack,
    scope: &ModuleScope<'_>,
    id: &Expr,
    said: &mut Vec<Diagnostic>,
) -> Option<String> {
    let value = evaluate_with(id, scope, stack.files.as_ref(), said)?;
    let marks = value.deep_marks();
    let text = convert(&value, &Type::String).ok();
    let wrong = match text.as_ref().and_then(Value::as_str) {
        _ if value.is_null() => "it cannot be null",
        _ if value.is_unknown() => {
            "it depends on values that cannot be determined until apply; objects are imported before"
        }
        _ if marks.ephemeral => "it cannot be ephemeral",
        None => "a string is required",
        Some("") => "it is an empty string",
        Some(text) => return Some(text.to_owned()),
    };
    said.push(Diagnostic::error("Invalid import id argument", wrong).at(&id.span));
    None
}
