//! From files to a [`Config`].

use std::collections::BTreeMap;

use skybridge_hcl::ast::{Block, Body, Expr, ExprKind, Step};
use skybridge_hcl::{
    Diagnostic, Files, NoFiles, Span, Type, Value, evaluate, join_path, parse_body, type_constraint,
};

use crate::address::Mode;
use crate::config::{
    Condition, Config, IgnoreChanges, Local, Module, ModuleCall, Output, ProviderBlock,
    ProviderKey, RequiredProvider, Resource, StaticPath, Variable,
};
use crate::schema::provider_of;

/// How deep modules may call modules.
const MODULE_DEPTH_MAX: usize = 32;
/// How many modules a stack may have, each call counted.
const MODULES_MAX: usize = 1_000;

/// Reads the configuration of a directory and of the local modules it calls. The second part is
/// what there is to say; with an error in it the configuration must not be used.
#[must_use]
pub fn load(files: &dyn Files, directory: &str) -> (Config, Vec<Diagnostic>) {
    let mut loader = Loader {
        files,
        config: Config::default(),
        diagnostics: Vec::new(),
        manifest: manifest(files, directory),
    };
    loader.module(Vec::new(), directory);
    (loader.config, loader.diagnostics)
}

/// `.terraform/modules/modules.json`: where `terraform init` put the modules, by dotted key.
fn manifest(files: &dyn Files, directory: &str) -> BTreeMap<String, String> {
    let path = join_path(directory, ".terraform/modules/modules.json");
    let Some(json) = files
        .read(&path)
        .ok()
        .and_then(|b| serde_json::from_slice::<serde_json::Value>(&b).ok())
    else {
        return BTreeMap::new();
    };
    let modules = json
        .get("Modules")
        .and_then(|m| m.as_array())
        .into_iter()
        .flatten();
    modules
        .filter_map(|m| {
            let text = |name: &str| m.get(name).and_then(|v| v.as_str());
            Some((text("Key")?.to_owned(), join_path(directory, text("Dir")?)))
        })
        .collect()
}

struct Loader<'a> {
    files: &'a dyn Files,
    config: Config,
    diagnostics: Vec<Diagnostic>,
    manifest: BTreeMap<String, String>,
}

impl Loader<'_> {
    fn module(&mut self, path: StaticPath, directory: &str) {
        let mut module = Module {
            directory: directory.to_owned(),
            ..Module::default()
        };
        let mut names = self.files.list(directory).unwrap_or_default();
        names.sort();
        let is_override = |n: &str| {
            let stem = n.strip_suffix(".tf").unwrap_or(n);
            stem == "override" || stem.ends_with("_override")
        };
        let sources: Vec<&String> = names.iter().filter(|n| n.ends_with(".tf")).collect();
        for name in sources.iter().filter(|n| !is_override(n)) {
            if let Some(body) = self.file(directory, name) {
                Builder {
                    module: &mut module,
                    diagnostics: &mut self.diagnostics,
                    overriding: false,
                }
                .body(&body);
            }
        }
        for name in sources.iter().filter(|n| is_override(n)) {
            if let Some(body) = self.file(directory, name) {
                Builder {
                    module: &mut module,
                    diagnostics: &mut self.diagnostics,
                    overriding: true,
                }
                .body(&body);
            }
        }
        for name in names.iter().filter(|n| n.ends_with(".tf.json")) {
            let place = Span::file(&join_path(directory, name));
            let detail = "the JSON form of the language is not read; write the file as .tf";
            self.diagnostics
                .push(Diagnostic::error("JSON syntax not supported", detail).at(&place));
        }
        let calls: Vec<(String, ModuleCall)> = module
            .calls
            .iter()
            .map(|(n, c)| (n.clone(), c.clone()))
            .collect();
        self.config.modules.insert(path.clone(), module);
        for (name, call) in calls {
            let mut child = path.clone();
            child.push(name);
            self.child(child, directory, &call);
        }
    }

    fn child(&mut self, path: StaticPath, directory: &str, call: &ModuleCall) {
        let source = &call.source;
        let found = self.manifest.get(&path.join(".")).cloned();
        let local =
            source.starts_with("./") || source.starts_with("../") || source.starts_with('/');
        let target = match found {
            Some(directory) => directory,
            None if local => join_path(directory, source),
            None => {
                let detail = format!(
                    "the source \"{source}\" is not a local path and the module has not been fetched"
                );
                let help = "Run `terraform init` in this directory, or pass a plan made with `terraform show -json`.";
                let diagnostic = Diagnostic::error("Module not installed", detail);
                self.diagnostics.push(diagnostic.at(&call.span).help(help));
                return;
            }
        };
        if path.len() > MODULE_DEPTH_MAX || self.config.modules.len() >= MODULES_MAX {
            let detail = format!(
                "modules nest more than {MODULE_DEPTH_MAX} deep or are more than {MODULES_MAX}; does a module call itself?"
            );
            self.diagnostics
                .push(Diagnostic::error("Too many modules", detail).at(&call.span));
            return;
        }
        if self
            .files
            .list(&target)
            .is_none_or(|names| !names.iter().any(|n| n.ends_with(".tf")))
        {
            let detail = format!("there is no configuration in \"{target}\"");
            self.diagnostics
                .push(Diagnostic::error("Unreadable module directory", detail).at(&call.span));
            return;
        }
        self.module(path, &target);
    }

    fn file(&mut self, directory: &str, name: &str) -> Option<Body> {
        let path = join_path(directory, name);
        let text = match self.files.read(&path) {
            Ok(bytes) => {
                String::from_utf8(bytes).map_err(|_| "the file is not valid UTF-8".to_owned())
            }
            Err(e) => Err(e),
        };
        match text.map(|text| parse_body(&path, &text)) {
            Ok(Ok(body)) => Some(body),
            Ok(Err(errors)) => {
                self.diagnostics.extend(errors);
                None
            }
            Err(reason) => {
                let diagnostic = Diagnostic::error("Failed to read file", reason);
                self.diagnostics.push(diagnostic.at(&Span::file(&path)));
                None
            }
        }
    }
}

/// Fills a module from the body of one file.
struct Builder<'a> {
    module: &'a mut Module,
    diagnostics: &'a mut Vec<Diagnostic>,
    /// Whether the file is an override file, whose blocks replace parts of others.
    overriding: bool,
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
            kind => {
                let detail = format!("{kind} blocks are read and have no effect on a rehearsal");
                self.diagnostics
                    .push(Diagnostic::notice("Block without effect", detail).at(&block.span));
            }
        }
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
            if let Some(before) = before.filter(|_| !self.overriding) {
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

    /// Says that a block is there twice; in an override file that is what it is for.
    fn duplicate(&mut self, what: &str, span: &Span, before: Option<Span>) {
        if let Some(before) = before.filter(|_| !self.overriding) {
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
        let before = self.module.variables.get(&name).cloned();
        let base = before.clone().filter(|_| self.overriding);
        let ty = match body.attribute("type") {
            None => base.as_ref().map_or(Type::Dynamic, |b| b.ty.clone()),
            Some(attribute) => type_constraint(&attribute.expr).unwrap_or_else(|errors| {
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
            default: default.or_else(|| base.as_ref().and_then(|b| b.default.clone())),
            description: text_of(body, "description"),
            sensitive: flag("sensitive")
                .unwrap_or_else(|| base.as_ref().is_some_and(|b| b.sensitive)),
            nullable: flag("nullable").unwrap_or_else(|| base.as_ref().is_none_or(|b| b.nullable)),
            validations: body
                .blocks_of("validation")
                .filter_map(|b| condition(&b.body))
                .collect(),
            span: block.span.clone(),
        };
        self.module.variables.insert(name.clone(), variable);
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
        ];
        self.only(&block.body, &known, &["precondition", "postcondition"]);
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
                        skybridge_hcl::ast::ObjectKey::Name(name, _) => ProviderKey {
                            name: name.clone(),
                            alias: None,
                        },
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
        let before = self.module.resources.get(&key).cloned();
        let mut body = block.body.clone();
        if let Some(base) = before.as_ref().filter(|_| self.overriding) {
            body = overridden(&base.body, body);
        }
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
            preconditions: Vec::new(),
            postconditions: Vec::new(),
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
        self.module.resources.insert(key, resource);
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

/// A base body with the arguments and blocks of an override body in place of its own.
fn overridden(base: &Body, body: Body) -> Body {
    let mut out = base.clone();
    out.attributes.retain(|a| body.attribute(&a.name).is_none());
    out.blocks
        .retain(|b| !body.blocks.iter().any(|o| o.kind == b.kind));
    out.attributes.extend(body.attributes);
    out.blocks.extend(body.blocks);
    out
}

fn lifecycle_of(body: &Body, resource: &mut Resource) {
    if let Some(attribute) = body.attribute("ignore_changes") {
        resource.ignore_changes = match &attribute.expr.kind {
            ExprKind::Tuple(items) => {
                IgnoreChanges::Attributes(items.iter().filter_map(root_name).collect())
            }
            _ if root_name(&attribute.expr).as_deref() == Some("all") => IgnoreChanges::All,
            _ => IgnoreChanges::None,
        };
    }
    let prevent = body
        .attribute("prevent_destroy")
        .and_then(|a| constant(&a.expr));
    resource.prevent_destroy = prevent.and_then(|v| v.as_bool()).unwrap_or(false);
    resource.preconditions = body
        .blocks_of("precondition")
        .filter_map(|b| condition(&b.body))
        .collect();
    resource.postconditions = body
        .blocks_of("postcondition")
        .filter_map(|b| condition(&b.body))
        .collect();
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
            .and_then(|text| skybridge_hcl::parse_expr(&expr.span.file, text).ok())
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

/// `azurerm`, `azurerm.hub`, and both in quotes.
fn provider_key(expr: &Expr) -> Option<ProviderKey> {
    let key = |name: &str, alias: Option<&str>| ProviderKey {
        name: name.to_owned(),
        alias: alias.map(str::to_owned),
    };
    match &expr.kind {
        ExprKind::Variable(name) => Some(key(name, None)),
        ExprKind::Literal(value) => {
            let text = value.as_str()?;
            let (name, alias) = text
                .split_once('.')
                .map_or((text, None), |(n, a)| (n, Some(a)));
            Some(key(name, alias))
        }
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
