//! From the blocks of a module's files to a [`Module`].

mod names;
mod parts;
mod refactor;
mod resource;

use std::collections::BTreeMap;

use skybridge_hcl::ast::{Block, Body, Expr, ExprKind};
use skybridge_hcl::{Diagnostic, Span, Type, Value, convert, references};

pub(crate) use self::parts::written_out;
use self::parts::{
    constant, provider_key, provider_name, required_provider, text_of, type_of, unquoted,
};
use crate::address::Mode;
use crate::config::{
    Check, Condition, Local, Module, ModuleCall, Output, ProviderBlock, ProviderKey, Variable,
};

/// Fills a module from its blocks.
pub(crate) fn build(module: &mut Module, body: &Body, diagnostics: &mut Vec<Diagnostic>) {
    Builder {
        module,
        diagnostics,
    }
    .body(body);
}

struct Builder<'a> {
    module: &'a mut Module,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Builder<'_> {
    fn error(&mut self, span: &Span, summary: &str, detail: impl Into<String>) {
        self.diagnostics
            .push(Diagnostic::error(summary, detail).at(span));
    }

    fn body(&mut self, body: &Body) {
        for attribute in &body.attributes {
            let detail = format!(
                "an argument named \"{}\" is not expected here",
                attribute.name
            );
            let summary = unsupported(&attribute.name_span);
            self.error(&attribute.name_span, summary, detail);
        }
        for block in &body.blocks {
            self.block(block);
        }
    }

    fn block(&mut self, block: &Block) {
        let labels = match block.kind.as_str() {
            "terraform" | "locals" | "moved" | "import" | "removed" => 0,
            "provider" | "variable" | "output" | "module" | "check" => 1,
            "resource" | "data" | "ephemeral" => 2,
            other => {
                let detail = format!("blocks of type \"{other}\" are not expected here");
                let known = [
                    "terraform",
                    "provider",
                    "variable",
                    "locals",
                    "output",
                    "module",
                    "resource",
                    "data",
                    "moved",
                    "import",
                    "removed",
                    "check",
                ];
                let diagnostic = Diagnostic::error("Unsupported block type", detail);
                self.diagnostics
                    .push(diagnostic.at(&block.span).suggest(other, known));
                return;
            }
        };
        if let Some(wrong) = names::wrong_count(block, labels) {
            self.diagnostics.push(wrong);
            return;
        }
        let invalid = names::invalid(block);
        if !invalid.is_empty() {
            self.diagnostics.extend(invalid);
            return;
        }
        let label = |i: usize| block.label(i).unwrap_or_default().to_owned();
        match block.kind.as_str() {
            "terraform" => self.terraform(&block.body),
            "locals" => self.locals(&block.body),
            "provider" => self.provider(block, label(0)),
            "variable" => self.variable(block, label(0)),
            "output" => self.output(block, label(0)),
            "module" => self.call(block, label(0)),
            "resource" => self.resource(block, Mode::Managed, label(0), label(1)),
            "data" => self.resource(block, Mode::Data, label(0), label(1)),
            "moved" => self.moved(block),
            "removed" => self.removed(block),
            "import" => self.import(block),
            "check" => self.check(block, label(0)),
            _ => self.ephemeral(block, &label(0), &label(1)),
        }
    }

    fn check(&mut self, block: &Block, name: String) {
        for data in block.body.blocks_of("data") {
            if let [ty, inner] = data.labels.as_slice() {
                self.resource(data, Mode::Data, ty.text.clone(), inner.text.clone());
            }
        }
        let check = Check {
            asserts: self.conditions(&block.body, "assert"),
            span: block.span.clone(),
        };
        if check.asserts.is_empty() {
            let detail = "a check needs at least one assert block";
            self.error(&block.span, "Zero assert blocks", detail);
        }
        let before = self.module.checks.insert(name.clone(), check);
        let what = format!("a check \"{name}\"");
        let summary = format!("Duplicate check \"{name}\" configuration");
        self.duplicate(&summary, &what, &block.span, before.map(|b| b.span));
    }

    fn terraform(&mut self, body: &Body) {
        self.only(
            body,
            &["required_version", "experiments", "language"],
            // The last is OpenTofu's.
            &[
                "required_providers",
                "backend",
                "cloud",
                "provider_meta",
                "encryption",
            ],
        );
        if let Some(attribute) = body.attribute("required_version")
            && let Some(text) =
                constant(&attribute.expr).and_then(|v| v.as_str().map(str::to_owned))
        {
            self.module
                .required_version
                .push((text, attribute.expr.span.clone()));
        }
        for block in body.blocks_of("required_providers") {
            for attribute in &block.body.attributes {
                let required = required_provider(&attribute.expr, &attribute.name_span);
                self.module
                    .required_providers
                    .insert(attribute.name.clone(), required);
            }
        }
        // `backend`, `cloud`, `encryption`, `experiments` and `provider_meta` say where state lives, not what
        // the network is.
    }

    fn locals(&mut self, body: &Body) {
        for block in &body.blocks {
            let summary = format!("Unexpected \"{}\" block", block.kind);
            self.error(&block.span, &summary, "blocks are not allowed here");
        }
        for attribute in &body.attributes {
            let local = Local {
                expr: attribute.expr.clone(),
                span: attribute.name_span.clone(),
            };
            let before = self.module.locals.insert(attribute.name.clone(), local);
            if let Some(before) = before {
                let detail = format!(
                    "a local value named \"{}\" was already defined at {}",
                    attribute.name, before.span
                );
                self.error(
                    &attribute.name_span,
                    "Duplicate local value definition",
                    detail,
                );
            }
        }
    }

    /// Says that a block is there twice.
    fn duplicate(&mut self, summary: &str, what: &str, span: &Span, before: Option<Span>) {
        if let Some(before) = before {
            let detail = format!("{what} was already declared at {before}");
            self.error(span, summary, detail);
        }
    }

    fn provider(&mut self, block: &Block, name: String) {
        let alias = block
            .body
            .attribute("alias")
            .and_then(|a| constant(&a.expr));
        let key = ProviderKey {
            name,
            alias: alias.and_then(|a| a.as_str().map(str::to_owned)),
        };
        let mut body = block.body.clone();
        body.attributes
            .retain(|a| a.name != "alias" && a.name != "version");
        self.repeated_provider(&key.name, &mut body);
        let provider = ProviderBlock {
            body,
            span: block.span.clone(),
        };
        let before = self.module.providers.insert(key.clone(), provider);
        self.duplicate(
            "Duplicate provider configuration",
            &format!("provider {key}"),
            &block.span,
            before.map(|p| p.span),
        );
    }

    fn variable(&mut self, block: &Block, name: String) {
        let known = [
            "type",
            "default",
            "description",
            "sensitive",
            "nullable",
            "ephemeral",
            "deprecated",
        ];
        let before = self.diagnostics.len();
        self.only(&block.body, &known, &["validation"]);
        let body = &block.body;
        let ty = match body.attribute("type") {
            None => Type::Dynamic,
            Some(attribute) => type_of(&attribute.expr, body.json).unwrap_or_else(|errors| {
                self.diagnostics.extend(errors);
                Type::Dynamic
            }),
        };
        let nullable = self.flag(body, "nullable").unwrap_or(true);
        let default = body.attribute("default").map(|a| a.expr.clone());
        if let Some(default) = &default {
            self.check_default(default, &ty, nullable);
        }
        let validations = self.conditions(body, "validation");
        for block in body.blocks_of("validation") {
            self.check_validation(&name, &block.body);
        }
        let sensitive = self.flag(body, "sensitive").unwrap_or(false);
        let ephemeral = self.flag(body, "ephemeral").unwrap_or(false);
        // What is wrong with it was said; that it has no value besides helps nobody.
        let broken = skybridge_hcl::has_errors(&self.diagnostics[before..]);
        let variable = Variable {
            ty,
            is_untyped: body.attribute("type").is_none(),
            default: default.or_else(|| broken.then(|| null_at(&block.span))),
            description: text_of(body, "description"),
            sensitive,
            ephemeral,
            nullable: nullable || broken,
            validations,
            span: block.span.clone(),
        };
        let before = self.module.variables.insert(name.clone(), variable);
        self.duplicate(
            "Duplicate variable declaration",
            &format!("a variable \"{name}\""),
            &block.span,
            before.map(|b| b.span),
        );
    }

    fn output(&mut self, block: &Block, name: String) {
        let known = [
            "value",
            "description",
            "sensitive",
            "depends_on",
            "ephemeral",
            "type",
            "deprecated",
        ];
        self.only(&block.body, &known, &["precondition"]);
        let Some(value) = block.body.attribute("value") else {
            let detail = "the argument \"value\" is required, but no definition was found";
            return self.error(&block.span, "Missing required argument", detail);
        };
        let output = Output {
            expr: value.expr.clone(),
            sensitive: self.flag(&block.body, "sensitive").unwrap_or(false),
            ephemeral: self.flag(&block.body, "ephemeral").unwrap_or(false),
            depends_on: self.depends_on(&block.body),
            preconditions: self.conditions(&block.body, "precondition"),
            span: block.span.clone(),
        };
        let before = self.module.outputs.insert(name.clone(), output);
        self.duplicate(
            "Duplicate output definition",
            &format!("an output \"{name}\""),
            &block.span,
            before.map(|b| b.span),
        );
    }

    fn call(&mut self, block: &Block, name: String) {
        let body = &block.body;
        let Some(source) = text_of(body, "source") else {
            if let Some(written) = body.attribute("source") {
                let detail = "the source of a module is read before anything has a value, so it must be a plain text";
                let help = "OpenTofu fills in variables and locals here, which is not done here: write the path itself.";
                let error = Diagnostic::error("Variables not allowed", detail);
                self.diagnostics
                    .push(error.at(&written.expr.span).help(help));
                return;
            }
            let detail = "the argument \"source\" is required and must be a plain string";
            return self.error(&block.span, "Missing required argument", detail);
        };
        let meta = [
            "source",
            "version",
            "count",
            "for_each",
            "providers",
            "depends_on",
        ];
        let arguments = body
            .attributes
            .iter()
            .filter(|a| !meta.contains(&a.name.as_str()));
        let providers = match body.attribute("providers").map(|a| &a.expr.kind) {
            Some(ExprKind::Object(items)) => items
                .iter()
                .filter_map(|item| {
                    let inside = match &item.key {
                        skybridge_hcl::ast::ObjectKey::Name(name, _) => provider_name(name),
                        skybridge_hcl::ast::ObjectKey::Expr(expr) => provider_key(expr)?,
                    };
                    let place = match &item.key {
                        skybridge_hcl::ast::ObjectKey::Name(_, span) => span.clone(),
                        skybridge_hcl::ast::ObjectKey::Expr(expr) => expr.span.clone(),
                    };
                    Some((inside, (provider_key(&item.value)?, place)))
                })
                .collect(),
            _ => BTreeMap::new(),
        };
        self.either(body);
        let call = ModuleCall {
            source,
            arguments: arguments
                .map(|a| (a.name.clone(), a.expr.clone()))
                .collect(),
            count: body.attribute("count").map(|a| a.expr.clone()),
            for_each: body.attribute("for_each").map(|a| a.expr.clone()),
            providers,
            depends_on: self.depends_on(body),
            span: block.span.clone(),
        };
        let before = self.module.calls.insert(name.clone(), call);
        self.duplicate(
            "Duplicate module call",
            &format!("a module call \"{name}\""),
            &block.span,
            before.map(|b| b.span),
        );
    }

    /// Refuses what a block of the language itself does not have.
    fn only(&mut self, body: &Body, attributes: &[&str], blocks: &[&str]) {
        for attribute in &body.attributes {
            if !attributes.contains(&attribute.name.as_str()) {
                let detail = format!(
                    "an argument named \"{}\" is not expected here",
                    attribute.name
                );
                let diagnostic = Diagnostic::error(unsupported(&attribute.name_span), detail);
                let diagnostic = diagnostic.at(&attribute.name_span);
                self.diagnostics
                    .push(diagnostic.suggest(&attribute.name, attributes.iter().copied()));
            }
        }
        for block in &body.blocks {
            if !blocks.contains(&block.kind.as_str()) {
                let detail = format!("blocks of type \"{}\" are not expected here", block.kind);
                self.error(&block.span, "Unsupported block type", detail);
            }
        }
    }

    /// A boolean that is written out.
    fn flag(&mut self, body: &Body, name: &str) -> Option<bool> {
        let expr = &body.attribute(name)?.expr;
        let value = match written_out(expr) {
            Ok(value) => value,
            Err(said) => {
                self.diagnostics.extend(said);
                return None;
            }
        };
        let found = convert(&value, &Type::Bool).ok();
        let found = found.and_then(|v| v.as_bool());
        if found.is_none() {
            self.error(&expr.span, "Unsuitable value type", "a bool is required");
        }
        found
    }

    fn check_default(&mut self, default: &Expr, ty: &Type, nullable: bool) {
        let summary = "Invalid default value for variable";
        match written_out(default) {
            Err(said) => self.diagnostics.extend(said),
            Ok(value) if value.is_null() && !nullable => {
                let detail = "a null default value is not valid when nullable=false";
                self.error(&default.span, summary, detail);
            }
            Ok(value) => {
                if let Err(e) = convert(&value, ty) {
                    let detail = format!("it does not fit the variable's type: {e}");
                    self.error(&default.span, summary, detail);
                }
            }
        }
    }

    /// A validation is about its own variable.
    fn check_validation(&mut self, name: &str, body: &Body) {
        let Some(condition) = body.attribute("condition").map(|a| &a.expr) else {
            return;
        };
        let own = |r: &skybridge_hcl::Reference| r.root == "var" && r.attr(0) == Some(name);
        if !references(condition).iter().any(own) {
            let detail = format!(
                "the condition for variable \"{name}\" must refer to var.{name} in order to test incoming values"
            );
            let summary = "Invalid variable validation condition";
            self.error(&condition.span, summary, detail);
        }
    }

    /// The conditions of a kind, without those that are in error.
    fn conditions(&mut self, body: &Body, kind: &str) -> Vec<Condition> {
        let mut out = Vec::new();
        for block in body.blocks_of(kind) {
            self.only(&block.body, &["condition", "error_message"], &[]);
            for name in ["condition", "error_message"] {
                if block.body.attribute(name).is_none() {
                    let detail = format!("the argument \"{name}\" is required");
                    self.error(&block.span, "Missing required argument", detail);
                }
            }
            let Some(condition) = block.body.attribute("condition").map(|a| &a.expr) else {
                continue;
            };
            if references(condition).is_empty() {
                let what = if kind == "assert" { "assert" } else { kind };
                let summary = format!("Invalid {what} expression");
                let detail = "the condition must refer to something elsewhere in the configuration, or else its result would not be checking anything";
                self.error(&condition.span, &summary, detail);
                continue;
            }
            if let Some(message) = block.body.attribute("error_message") {
                out.push(Condition {
                    condition: condition.clone(),
                    message: Some(message.expr.clone()),
                });
            }
        }
        out
    }

    fn depends_on(&mut self, body: &Body) -> Vec<Expr> {
        let summary = "Invalid expression";
        let Some(attribute) = body.attribute("depends_on") else {
            return Vec::new();
        };
        let ExprKind::Tuple(items) = &attribute.expr.kind else {
            let detail = "a static list expression is required";
            self.error(&attribute.expr.span, summary, detail);
            return Vec::new();
        };
        // Quoted names are the form of Terraform 0.11.
        let items: Vec<Expr> = items.iter().map(unquoted).collect();
        for item in &items {
            if !matches!(item.kind, ExprKind::Traversal(..) | ExprKind::Variable(_)) {
                let detail =
                    "a reference is required: no calculations, function calls or templates";
                self.error(&item.span, summary, detail);
            }
        }
        items
    }
}

/// What an argument that is not known is called, by the syntax of its file.
fn unsupported(place: &Span) -> &'static str {
    if place.file.ends_with(".json") {
        "Extraneous JSON object property"
    } else {
        "Unsupported argument"
    }
}

fn null_at(span: &Span) -> Expr {
    Expr {
        kind: ExprKind::Literal(Value::null()),
        span: span.clone(),
    }
}
