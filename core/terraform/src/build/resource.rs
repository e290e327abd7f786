//! `resource`, `data` and `ephemeral` blocks.

use std::collections::BTreeMap;

use skybridge_hcl::ast::{Attribute, Block, Body, Expr, ExprKind};
use skybridge_hcl::{Diagnostic, Span, references};

use super::Builder;
use super::parts::{attribute_path, provider_key, root_name, unquoted};
use crate::address::Mode;
use crate::config::{IgnoreChanges, ProviderKey, Resource};
use crate::schema::provider_of;

impl Builder<'_> {
    /// Refuses `count` and `for_each` together.
    pub(super) fn either(&mut self, body: &Body) {
        if let (Some(_), Some(both)) = (body.attribute("count"), body.attribute("for_each")) {
            self.error(
                &both.name_span,
                "Invalid combination of \"count\" and \"for_each\"",
                "\"count\" and \"for_each\" exclude each other",
            );
        }
    }

    pub(super) fn resource(&mut self, block: &Block, mode: Mode, ty: String, name: String) {
        let key = (mode, ty.clone(), name.clone());
        let mut body = block.body.clone();
        let meta = |name: &str| block.body.attribute(name).map(|a| a.expr.clone());
        let (count, for_each) = (meta("count"), meta("for_each"));
        self.either(&block.body);
        let provider = block
            .body
            .attribute("provider")
            .and_then(|a| provider_key(&a.expr));
        let mut resource = Resource {
            count,
            for_each,
            provider: provider.unwrap_or_else(|| ProviderKey {
                name: provider_of(&ty).to_owned(),
                alias: None,
            }),
            depends_on: self.depends_on(&block.body),
            ignore_changes: IgnoreChanges::None,
            ignored_at: Vec::new(),
            prevent_destroy: false,
            create_before_destroy: false,
            replace_triggered_by: Vec::new(),
            preconditions: Vec::new(),
            postconditions: Vec::new(),
            bodies: BTreeMap::new(),
            span: block.span.clone(),
            body: Body::default(),
            ty: ty.clone(),
        };
        let mut first: Option<&Span> = None;
        for lifecycle in block.body.blocks_of("lifecycle") {
            if let Some(first) = first {
                let detail = format!("this resource already has a lifecycle block at {first}");
                self.error(&lifecycle.span, "Duplicate lifecycle block", detail);
            } else {
                self.lifecycle(&lifecycle.body, &mut resource);
            }
            first = Some(&lifecycle.span);
        }
        for provisioner in block.body.blocks_of("provisioner") {
            if let Some(when) = provisioner.body.attribute("when")
                && !matches!(root_name(&when.expr).as_deref(), Some("create" | "destroy"))
            {
                let detail = "\"when\" requires one of the keywords create and destroy";
                self.error(&when.expr.span, "Invalid \"when\" keyword", detail);
            }
        }
        body.attributes.retain(|a| {
            !matches!(
                a.name.as_str(),
                "count" | "for_each" | "provider" | "depends_on"
            )
        });
        // Provisioners and connections act on machines, not on the network.
        body.blocks.retain(|b| {
            !matches!(
                b.kind.as_str(),
                "lifecycle" | "provisioner" | "connection" | "timeouts"
            )
        });
        resource.body = body;
        let before = self.module.resources.insert(key, resource);
        let kind = match mode {
            Mode::Managed => "resource",
            Mode::Data => "data",
        };
        let summary = format!("Duplicate {kind} \"{ty}\" configuration");
        let what = format!("a {kind} \"{ty}\" \"{name}\"");
        self.duplicate(&summary, &what, &block.span, before.map(|b| b.span));
    }

    /// An ephemeral resource is opened while something runs, which nothing does here.
    pub(super) fn ephemeral(&mut self, block: &Block, ty: &str, name: &str) {
        let detail = format!(
            "ephemeral.{ty}.{name} is opened by nobody in a rehearsal: what it gives stays unknown"
        );
        let notice = Diagnostic::notice("Ephemeral resource not opened", detail);
        self.diagnostics.push(notice.at(&block.span));
        let key = (ty.to_owned(), name.to_owned());
        let before = self.module.ephemerals.insert(key, block.span.clone());
        let summary = format!("Duplicate ephemeral \"{ty}\" configuration");
        let what = format!("an ephemeral \"{ty}\" \"{name}\"");
        self.duplicate(&summary, &what, &block.span, before);
    }

    /// `for_each` in a provider block, which OpenTofu has: the instances are taken as one, unless it matters which
    /// of them a resource has.
    pub(super) fn repeated_provider(&mut self, name: &str, body: &mut Body) {
        let Some(at) = body.attributes.iter().position(|a| a.name == "for_each") else {
            return;
        };
        let place = body.attributes.remove(at).name_span;
        let own = |expr: &Expr| references(expr).iter().any(|r| r.root == "each");
        let differ: Vec<String> = (body.attributes.iter())
            .filter(|a| own(&a.expr))
            .map(|a| a.name.clone())
            .collect();
        if differ.iter().any(|argument| argument == "region") {
            let detail = format!(
                "OpenTofu makes several configurations of the provider \"{name}\" of this one, which differ in \"region\""
            );
            let help = "Write one provider block with an alias for each region.";
            let error = Diagnostic::error("Several configurations of one provider", detail);
            return self.diagnostics.push(error.at(&place).help(help));
        }
        body.attributes.retain(|a| !own(&a.expr));
        let without = if differ.is_empty() {
            String::new()
        } else {
            format!(", without what they differ in ({})", differ.join(", "))
        };
        let detail = format!(
            "OpenTofu makes several configurations of the provider \"{name}\" of this one; they are taken as one{without}"
        );
        let warning = Diagnostic::warning("Several configurations of one provider", detail);
        self.diagnostics.push(warning.at(&place));
    }

    fn lifecycle(&mut self, body: &Body, resource: &mut Resource) {
        if let Some(attribute) = body.attribute("enabled") {
            let detail = "\"enabled\" is OpenTofu's, and not understood here";
            let help =
                "Write count = CONDITION ? 1 : 0 in the resource, and [0] where it is referred to.";
            let error = Diagnostic::error("Unsupported argument", detail);
            let error = error.at(&attribute.name_span).help(help);
            return self.diagnostics.push(error);
        }
        let attributes = [
            "create_before_destroy",
            "prevent_destroy",
            "ignore_changes",
            "replace_triggered_by",
        ];
        self.only(body, &attributes, &["precondition", "postcondition"]);
        if let Some(attribute) = body.attribute("ignore_changes") {
            (resource.ignore_changes, resource.ignored_at) = ignored(attribute);
        }
        resource.prevent_destroy = self.flag(body, "prevent_destroy") == Some(true);
        resource.create_before_destroy = self.flag(body, "create_before_destroy") == Some(true);
        if let Some(attribute) = body.attribute("replace_triggered_by")
            && let ExprKind::Tuple(items) = &attribute.expr.kind
        {
            resource.replace_triggered_by = items.iter().map(unquoted).collect();
        }
        resource.preconditions = self.conditions(body, "precondition");
        resource.postconditions = self.conditions(body, "postcondition");
    }
}

/// What is ignored, and where each of it is written.
fn ignored(attribute: &Attribute) -> (IgnoreChanges, Vec<Span>) {
    match &attribute.expr.kind {
        ExprKind::Tuple(items) => {
            let paths = items
                .iter()
                .filter_map(|item| Some((attribute_path(item)?, item.span.clone())));
            let (paths, places) = paths.unzip();
            (IgnoreChanges::Attributes(paths), places)
        }
        _ if root_name(&attribute.expr).as_deref() == Some("all") => {
            (IgnoreChanges::All, Vec::new())
        }
        _ => (IgnoreChanges::None, Vec::new()),
    }
}
