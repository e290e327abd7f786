//! From the blocks of a module's files to a [`Module`].

use std::collections::BTreeMap;

use skybridge_hcl::ast::{Block, Body, Expr, ExprKind, Step};
use skybridge_hcl::{
    Diagnostic, NoFiles, Span, Type, Value, convert, evaluate, parse_expr, type_constraint,
};

use crate::address::Mode;
use crate::config::{
    AttributePath, Check, Condition, IgnoreChanges, Import, Local, Module, ModuleCall, Moved,
    Output, PathStep, ProviderBlock, ProviderKey, Removed, RequiredProvider, Resource, Variable,
};
use crate::endpoint::Endpoint;
use crate::schema::provider_of;

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
            self.error(&attribute.name_span, "Unsupported argument", detail);
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
        if block.labels.len() != labels {
            let detail = format!(
                "a {} block takes {labels} labels, not {}",
                block.kind,
                block.labels.len()
            );
            self.error(&block.span, "Wrong number of labels", detail);
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
            kind => {
                let detail = format!("{kind} blocks are read and have no effect on a rehearsal");
                self.diagnostics
                    .push(Diagnostic::notice("Block without effect", detail).at(&block.span));
            }
        }
    }

    fn endpoint(&mut self, block: &Block, name: &str) -> Option<Endpoint> {
        let Some(attribute) = block.body.attribute(name) else {
            let detail = format!("the argument \"{name}\" is required");
            self.error(&block.span, "Missing required argument", detail);
            return None;
        };
        let found = Endpoint::read(&attribute.expr);
        if found.is_none() {
            let detail = "it must be the address of a module, a resource or an instance, with keys that are written out";
            self.error(&attribute.expr.span, "Invalid address", detail);
        }
        found
    }

    fn moved(&mut self, block: &Block) {
        self.only(&block.body, &["from", "to"], &[]);
        let (from, to) = (self.endpoint(block, "from"), self.endpoint(block, "to"));
        if let (Some(from), Some(to)) = (from, to) {
            let span = block.span.clone();
            self.module.moved.push(Moved { from, to, span });
        }
    }

    fn removed(&mut self, block: &Block) {
        self.only(
            &block.body,
            &["from"],
            &["lifecycle", "provisioner", "connection"],
        );
        let Some(from) = self.endpoint(block, "from") else {
            return;
        };
        if !from.is_whole() {
            let detail = "a removed block speaks of all instances; leave the key out";
            self.error(&block.span, "Resource instance keys not allowed", detail);
        }
        let lifecycle = block.body.blocks_of("lifecycle").next();
        let destroy = lifecycle
            .and_then(|l| constant(&l.body.attribute("destroy")?.expr)?.as_bool())
            .unwrap_or(true);
        self.module.removed.push(Removed {
            from,
            destroy,
            span: block.span.clone(),
        });
    }

    fn import(&mut self, block: &Block) {
        let known = ["to", "id", "identity", "provider", "for_each"];
        self.only(&block.body, &known, &[]);
        let detail = "import blocks name objects that are not in the lab: what they are imported as is created instead";
        self.diagnostics
            .push(Diagnostic::notice("Import without object", detail).at(&block.span));
        let Some(to) = block.body.attribute("to") else {
            let detail = "the argument \"to\" is required";
            return self.error(&block.span, "Missing required argument", detail);
        };
        self.module.imports.push(Import {
            to: unquoted(&to.expr),
            id: block.body.attribute("id").map(|a| a.expr.clone()),
            span: block.span.clone(),
        });
    }

    fn check(&mut self, block: &Block, name: String) {
        for data in block.body.blocks_of("data") {
            if let [ty, inner] = data.labels.as_slice() {
                self.resource(data, Mode::Data, ty.text.clone(), inner.text.clone());
            }
        }
        let check = Check {
            asserts: conditions(&block.body, "assert"),
            span: block.span.clone(),
        };
        if check.asserts.is_empty() {
            let detail = "a check needs at least one assert block";
            self.error(&block.span, "Zero assert blocks", detail);
        }
        let before = self.module.checks.insert(name.clone(), check);
        let what = format!("check \"{name}\"");
        self.duplicate(&what, &block.span, before.map(|b| b.span));
    }

    fn terraform(&mut self, body: &Body) {
        if let Some(attribute) = body.attribute("required_version")
            && let Some(text) =
                constant(&attribute.expr).and_then(|v| v.as_str().map(str::to_owned))
        {
            self.module
                .required_version
                .push((text, attribute.name_span.clone()));
        }
        for block in body.blocks_of("required_providers") {
            for attribute in &block.body.attributes {
                let required = required_provider(&attribute.expr, &attribute.name_span);
                self.module
                    .required_providers
                    .insert(attribute.name.clone(), required);
            }
        }
        // `backend`, `cloud`, `experiments` and `provider_meta` say where state lives, not what
        // the network is.
    }

    fn locals(&mut self, body: &Body) {
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
    fn duplicate(&mut self, what: &str, span: &Span, before: Option<Span>) {
        if let Some(before) = before {
            let detail = format!("{what} was already declared at {before}");
            self.error(span, "Duplicate declaration", detail);
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
        let provider = ProviderBlock {
            body,
            span: block.span.clone(),
        };
        let before = self.module.providers.insert(key.clone(), provider);
        self.duplicate(
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
        self.only(&block.body, &known, &["validation"]);
        let body = &block.body;
        let ty = match body.attribute("type") {
            None => Type::Dynamic,
            Some(attribute) => type_of(&attribute.expr, body.json).unwrap_or_else(|errors| {
                self.diagnostics.extend(errors);
                Type::Dynamic
            }),
        };
        let flag = |name: &str| {
            body.attribute(name)
                .and_then(|a| constant(&a.expr))
                .and_then(|v| v.as_bool())
        };
        let default = body.attribute("default").map(|a| a.expr.clone());
        let variable = Variable {
            ty,
            default,
            description: text_of(body, "description"),
            sensitive: flag("sensitive").unwrap_or(false),
            nullable: flag("nullable").unwrap_or(true),
            validations: conditions(body, "validation"),
            span: block.span.clone(),
        };
        let before = self.module.variables.insert(name.clone(), variable);
        self.duplicate(
            &format!("variable \"{name}\""),
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
        let sensitive = block
            .body
            .attribute("sensitive")
            .and_then(|a| constant(&a.expr));
        let output = Output {
            expr: value.expr.clone(),
            sensitive: sensitive.and_then(|v| v.as_bool()).unwrap_or(false),
            depends_on: depends_on(&block.body),
            preconditions: conditions(&block.body, "precondition"),
            span: block.span.clone(),
        };
        let before = self.module.outputs.insert(name.clone(), output);
        self.duplicate(
            &format!("output \"{name}\""),
            &block.span,
            before.map(|b| b.span),
        );
    }

    fn call(&mut self, block: &Block, name: String) {
        let body = &block.body;
        let Some(source) = text_of(body, "source") else {
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
                    Some((inside, provider_key(&item.value)?))
                })
                .collect(),
            _ => BTreeMap::new(),
        };
        let call = ModuleCall {
            source,
            arguments: arguments
                .map(|a| (a.name.clone(), a.expr.clone()))
                .collect(),
            count: body.attribute("count").map(|a| a.expr.clone()),
            for_each: body.attribute("for_each").map(|a| a.expr.clone()),
            providers,
            depends_on: depends_on(body),
            span: block.span.clone(),
        };
        let before = self.module.calls.insert(name.clone(), call);
        self.duplicate(
            &format!("module \"{name}\""),
            &block.span,
            before.map(|b| b.span),
        );
    }

    fn resource(&mut self, block: &Block, mode: Mode, ty: String, name: String) {
        let key = (mode, ty.clone(), name.clone());
        let mut body = block.body.clone();
        let meta = |name: &str| block.body.attribute(name).map(|a| a.expr.clone());
        let (count, for_each) = (meta("count"), meta("for_each"));
        if count.is_some() && for_each.is_some() {
            let detail = "\"count\" and \"for_each\" exclude each other";
            self.error(
                &block.span,
                "Invalid combination of \"count\" and \"for_each\"",
                detail,
            );
        }
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
            depends_on: depends_on(&block.body),
            ignore_changes: IgnoreChanges::None,
            prevent_destroy: false,
            create_before_destroy: false,
            replace_triggered_by: Vec::new(),
            preconditions: Vec::new(),
            postconditions: Vec::new(),
            bodies: BTreeMap::new(),
            span: block.span.clone(),
            body: Body::default(),
            ty,
        };
        for lifecycle in block.body.blocks_of("lifecycle") {
            lifecycle_of(&lifecycle.body, &mut resource);
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
        let what = format!("{}.{name}", block.label(0).unwrap_or_default());
        self.duplicate(&what, &block.span, before.map(|b| b.span));
    }

    /// Refuses what a block of the language itself does not have.
    fn only(&mut self, body: &Body, attributes: &[&str], blocks: &[&str]) {
        for attribute in &body.attributes {
            if !attributes.contains(&attribute.name.as_str()) {
                let detail = format!(
                    "an argument named \"{}\" is not expected here",
                    attribute.name
                );
                let diagnostic = Diagnostic::error("Unsupported argument", detail);
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
}

fn lifecycle_of(body: &Body, resource: &mut Resource) {
    if let Some(attribute) = body.attribute("ignore_changes") {
        resource.ignore_changes = match &attribute.expr.kind {
            ExprKind::Tuple(items) => {
                IgnoreChanges::Attributes(items.iter().filter_map(attribute_path).collect())
            }
            _ if root_name(&attribute.expr).as_deref() == Some("all") => IgnoreChanges::All,
            _ => IgnoreChanges::None,
        };
    }
    let flag = |name: &str| {
        let value = body.attribute(name).and_then(|a| constant(&a.expr));
        value.and_then(|v| convert(&v, &Type::Bool).ok()?.as_bool()) == Some(true)
    };
    resource.prevent_destroy = flag("prevent_destroy");
    resource.create_before_destroy = flag("create_before_destroy");
    if let Some(attribute) = body.attribute("replace_triggered_by")
        && let ExprKind::Tuple(items) = &attribute.expr.kind
    {
        resource.replace_triggered_by = items.iter().map(unquoted).collect();
    }
    resource.preconditions = conditions(body, "precondition");
    resource.postconditions = conditions(body, "postcondition");
}

fn conditions(body: &Body, kind: &str) -> Vec<Condition> {
    let blocks = body.blocks_of(kind);
    blocks.filter_map(|b| condition(&b.body)).collect()
}

/// `tags`, `tags["x"]`, `security_rule[0].priority`, and all of them in quotes.
fn attribute_path(expr: &Expr) -> Option<AttributePath> {
    match &expr.kind {
        ExprKind::Literal(value) => {
            let parsed = parse_expr(&expr.span.file, value.as_str()?).ok()?;
            match parsed.kind {
                ExprKind::Literal(_) => None,
                _ => attribute_path(&parsed),
            }
        }
        ExprKind::Variable(name) => Some(vec![PathStep::Name(name.clone())]),
        ExprKind::Traversal(base, steps) => {
            let mut path = attribute_path(base)?;
            for step in steps {
                path.push(match step {
                    Step::Attr(name, _) => PathStep::Name(name.clone()),
                    Step::Index(index) => match constant(index)? {
                        key if key.as_str().is_some() => PathStep::Name(key.as_str()?.to_owned()),
                        at => PathStep::Index(usize::try_from(at.as_u64()?).ok()?),
                    },
                    Step::AttrSplat(_) | Step::FullSplat(_) => return None,
                });
            }
            Some(path)
        }
        _ => None,
    }
}

/// A type constraint; in JSON it stands in a string.
fn type_of(expr: &Expr, json: bool) -> Result<Type, Vec<Diagnostic>> {
    match &expr.kind {
        ExprKind::Literal(value) if json => {
            let text = value.as_str().unwrap_or_default();
            let parsed = parse_expr(&expr.span.file, text).map_err(|_| {
                let detail = format!("\"{text}\" is not a type");
                vec![Diagnostic::error("Invalid type specification", detail).at(&expr.span)]
            })?;
            type_constraint(&Expr {
                kind: parsed.kind,
                span: expr.span.clone(),
            })
        }
        _ => type_constraint(expr),
    }
}

/// The first name of an expression that is a name, with or without quotes.
fn root_name(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Variable(name) => Some(name.clone()),
        ExprKind::Literal(value) => value
            .as_str()
            .map(|s| s.split(['.', '[']).next().unwrap_or(s).to_owned()),
        ExprKind::Traversal(base, _) => root_name(base),
        _ => None,
    }
}

fn condition(body: &Body) -> Option<Condition> {
    Some(Condition {
        condition: body.attribute("condition")?.expr.clone(),
        message: body.attribute("error_message").map(|a| a.expr.clone()),
    })
}

fn depends_on(body: &Body) -> Vec<Expr> {
    match body.attribute("depends_on").map(|a| &a.expr.kind) {
        // Quoted names are the form of Terraform 0.11.
        Some(ExprKind::Tuple(items)) => items.iter().map(unquoted).collect(),
        _ => Vec::new(),
    }
}

fn unquoted(expr: &Expr) -> Expr {
    match &expr.kind {
        ExprKind::Literal(value) => value
            .as_str()
            .and_then(|text| parse_expr(&expr.span.file, text).ok())
            .map_or_else(
                || expr.clone(),
                |parsed| Expr {
                    kind: parsed.kind,
                    span: expr.span.clone(),
                },
            ),
        _ => expr.clone(),
    }
}

fn provider_name(text: &str) -> ProviderKey {
    let (name, alias) = text
        .split_once('.')
        .map_or((text, None), |(n, a)| (n, Some(a.to_owned())));
    ProviderKey {
        name: name.to_owned(),
        alias,
    }
}

/// `azurerm`, `azurerm.hub`, and both in quotes.
fn provider_key(expr: &Expr) -> Option<ProviderKey> {
    let key = |name: &str, alias: Option<&str>| ProviderKey {
        name: name.to_owned(),
        alias: alias.map(str::to_owned),
    };
    match &expr.kind {
        ExprKind::Variable(name) => Some(key(name, None)),
        ExprKind::Literal(value) => value.as_str().map(provider_name),
        ExprKind::Traversal(base, steps) => match (&base.kind, steps.as_slice()) {
            (ExprKind::Variable(name), [Step::Attr(alias, _)]) => Some(key(name, Some(alias))),
            _ => None,
        },
        ExprKind::Parens(inner) => provider_key(inner),
        _ => None,
    }
}

fn required_provider(expr: &Expr, span: &Span) -> RequiredProvider {
    let mut required = RequiredProvider {
        source: None,
        version: None,
        aliases: Vec::new(),
        span: span.clone(),
    };
    match &expr.kind {
        ExprKind::Object(items) => {
            for item in items {
                let skybridge_hcl::ast::ObjectKey::Name(name, _) = &item.key else {
                    continue;
                };
                let text = || constant(&item.value).and_then(|v| v.as_str().map(str::to_owned));
                match name.as_str() {
                    "source" => required.source = text(),
                    "version" => required.version = text(),
                    "configuration_aliases" => {
                        if let ExprKind::Tuple(items) = &item.value.kind {
                            required.aliases = items.iter().filter_map(provider_key).collect();
                        }
                    }
                    _ => {}
                }
            }
        }
        _ => required.version = constant(expr).and_then(|v| v.as_str().map(str::to_owned)),
    }
    required
}

/// The value of an expression that refers to nothing.
fn constant(expr: &Expr) -> Option<Value> {
    let nothing: BTreeMap<String, Value> = BTreeMap::new();
    evaluate(expr, &nothing, &NoFiles).ok()
}

fn text_of(body: &Body, name: &str) -> Option<String> {
    let value = constant(&body.attribute(name)?.expr)?;
    value.as_str().map(str::to_owned)
}
