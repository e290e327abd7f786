//! From the body of a block to an object value: evaluation, `dynamic` blocks, conversion to the
//! schema, and the places of everything.

use std::collections::BTreeMap;

use skybridge_hcl::ast::{Block, Body, ExprKind, Step};
use skybridge_hcl::{
    Diagnostic, Files, Kind, Marks, Resolved, Scope, Span, Spans, Type, Value, convert,
    evaluate_with,
};

use crate::json;
use crate::schema::{
    AttributeSchema, Becoming, BlockSchema, BodySchema, Category, Compare, TypeSchema,
};

/// What evaluating a body needs.
pub(crate) struct BodyContext<'a> {
    pub(crate) scope: &'a dyn Scope,
    pub(crate) files: &'a dyn Files,
    /// The largest version of the provider that the stack allows, if it says so.
    pub(crate) version: Option<&'a str>,
    /// Whether unknown values that rest on placeholders get stand-ins, because nothing else will
    /// ever make them known: in an apply, not in a plan.
    pub(crate) stand_ins: bool,
    /// Whether the values are stored, so that none may be ephemeral.
    pub(crate) stored: bool,
    /// What the body belongs to, for messages (`azurerm_subnet.a`).
    pub(crate) what: &'a str,
}

/// The most blocks that one `dynamic` block may make.
const DYNAMIC_BLOCKS_MAX: usize = 10_000;

/// Evaluates a body. Every error is reported; `None` when there was one.
pub(crate) fn evaluate_body(
    body: &Body,
    schema: Option<&TypeSchema>,
    context: &BodyContext<'_>,
    spans: &mut Spans,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Value> {
    let mut builder = Builder {
        context,
        complete: schema.is_some_and(|s| s.complete),
        ignored: schema.is_some_and(|s| s.category == Category::Other),
        spans,
        diagnostics,
        failed: false,
    };
    let place = builder.spans.block.clone();
    let object = builder.body(
        body,
        schema.map(|s| &s.body),
        context.scope,
        "",
        place.as_ref(),
    );
    (!builder.failed).then_some(object)
}

struct Builder<'a> {
    context: &'a BodyContext<'a>,
    complete: bool,
    /// What the type's arguments say has no effect anyway.
    ignored: bool,
    spans: &'a mut Spans,
    diagnostics: &'a mut Vec<Diagnostic>,
    failed: bool,
}

impl Builder<'_> {
    fn say(&mut self, diagnostic: Diagnostic) {
        self.failed |= diagnostic.is_error();
        self.diagnostics.push(diagnostic);
    }

    fn body(
        &mut self,
        body: &Body,
        schema: Option<&BodySchema>,
        scope: &dyn Scope,
        path: &str,
        place: Option<&Span>,
    ) -> Value {
        let mut out = BTreeMap::new();
        let unfolded;
        let body = match schema {
            Some(schema) if body.json => {
                unfolded = json::unfold(body, schema, self.diagnostics);
                &unfolded
            }
            _ => body,
        };
        for attribute in &body.attributes {
            let at = join(path, &attribute.name);
            self.spans.insert(at.clone(), attribute.expr.span.clone());
            element_spans(&attribute.expr, &at, self.spans);
            let value = evaluate_with(&attribute.expr, scope, self.context.files, self.diagnostics);
            let Some(value) = value else {
                self.failed = true;
                continue;
            };
            // A write-only argument reaches the provider and is never stored.
            let write_only = attribute.name.ends_with("_wo");
            if self.context.stored && !write_only && value.deep_marks().ephemeral {
                let detail = format!(
                    "ephemeral values are not valid for \"{}\", which is stored",
                    attribute.name
                );
                let diagnostic = Diagnostic::error("Invalid use of ephemeral value", detail);
                self.say(diagnostic.at(&attribute.expr.span));
                continue;
            }
            let value = self.attribute(&attribute.name, value, schema, &at, &attribute.name_span);
            if let Some(value) = value {
                out.insert(attribute.name.clone(), value);
            }
        }
        self.blocks(body, schema, scope, path, &mut out);
        if let Some(schema) = schema {
            self.former(schema, path, &mut out);
            self.finish(schema, path, place, &mut out);
        }
        Value::object(out)
    }

    /// Converts an argument to its type in the schema.
    fn attribute(
        &mut self,
        name: &str,
        value: Value,
        schema: Option<&BodySchema>,
        path: &str,
        name_span: &Span,
    ) -> Option<Value> {
        let Some(schema) = schema else {
            return Some(value);
        };
        let found = schema.attributes.get(name);
        let block = schema.blocks.get(name);
        let ty = match (found, block) {
            (Some(attribute), _) if !attribute.required && !attribute.optional => {
                let detail =
                    format!("the value of \"{name}\" is decided by the provider and cannot be set");
                self.say(
                    Diagnostic::error("Value for unconfigurable attribute", detail).at(name_span),
                );
                return None;
            }
            (Some(attribute), _) => attribute.ty.clone(),
            // `security_rule = [{…}]`: a block written as an attribute.
            (None, Some(block)) => Type::list(block_type(block)),
            (None, None) => {
                self.unexpected(name, schema, name_span);
                return Some(value);
            }
        };
        match convert(&value, &ty) {
            Ok(value) => {
                let compare = found.map_or(Compare::Exact, |a| a.compare);
                let sensitive = found.is_some_and(|a| a.sensitive);
                let value = normalised(value, compare);
                let value = block.map_or_else(|| value.clone(), |b| with_defaults(&value, &b.body));
                let value = if self.context.stand_ins {
                    settled(&value)
                } else {
                    value
                };
                Some(if sensitive { value.sensitive() } else { value })
            }
            Err(e) => {
                let place = self.spans.find(path).cloned();
                let detail = format!("inappropriate value for attribute \"{name}\": {e}");
                let diagnostic = Diagnostic::error("Incorrect attribute value type", detail);
                self.say(diagnostic.at_opt(place.as_ref()));
                None
            }
        }
    }

    fn unexpected(&mut self, name: &str, schema: &BodySchema, span: &Span) {
        let settable = schema
            .attributes
            .iter()
            .filter(|(_, a)| a.required || a.optional);
        let names = settable
            .map(|(n, _)| n)
            .chain(schema.blocks.keys())
            .map(String::as_str);
        let what = self.context.what;
        if self.ignored && !self.complete {
            return;
        }
        let diagnostic = if self.complete {
            let detail = format!("an argument named \"{name}\" is not expected here ({what})");
            Diagnostic::error("Unsupported argument", detail)
        } else {
            let detail =
                format!("the argument \"{name}\" of {what} is not known here and has no effect");
            Diagnostic::warning("Argument without effect", detail)
        };
        self.say(diagnostic.at(span).suggest(name, names));
    }

    fn blocks(
        &mut self,
        body: &Body,
        schema: Option<&BodySchema>,
        scope: &dyn Scope,
        path: &str,
        out: &mut BTreeMap<String, Value>,
    ) {
        let mut lists: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let mut unknown: BTreeMap<String, Marks> = BTreeMap::new();
        for block in &body.blocks {
            if block.kind == "dynamic" {
                self.dynamic(block, schema, scope, path, &mut lists, &mut unknown);
            } else {
                let scope_value = None;
                self.block(
                    &block.kind,
                    block,
                    &block.body,
                    schema,
                    (scope, scope_value),
                    path,
                    &mut lists,
                );
            }
        }
        for (name, items) in lists {
            let value = block_list(items);
            out.insert(name, value);
        }
        for (name, marks) in unknown {
            let ty = schema
                .and_then(|s| s.blocks.get(&name))
                .map_or(Type::Dynamic, block_type);
            out.insert(name, Value::unknown(Type::list(ty)).with_marks(&marks));
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call per block, each part is needed"
    )]
    fn block(
        &mut self,
        kind: &str,
        block: &Block,
        content: &Body,
        schema: Option<&BodySchema>,
        (scope, marks): (&dyn Scope, Option<&Marks>),
        path: &str,
        lists: &mut BTreeMap<String, Vec<Value>>,
    ) {
        let inner = schema.and_then(|s| s.blocks.get(kind));
        if let (Some(schema), None) = (schema, inner) {
            // A map attribute written as a block, as Terraform 0.11 allowed (`tags { … }`).
            if !schema.attributes.contains_key(kind) {
                self.unexpected(kind, schema, &block.span);
            } else {
                let detail =
                    format!("\"{kind}\" is an argument, not a block: write {kind} = {{ … }}");
                self.say(Diagnostic::error("Unsupported block type", detail).at(&block.span));
            }
        }
        let list = lists.entry(kind.to_owned()).or_default();
        let at = format!("{}[{}]", join(path, kind), list.len());
        self.spans.insert(at.clone(), block.span.clone());
        let value = self.body(
            content,
            inner.map(|b| &b.body),
            scope,
            &at,
            Some(&block.span),
        );
        let value = marks.map_or_else(|| value.clone(), |m| value.clone().with_marks(m));
        lists.entry(kind.to_owned()).or_default().push(value);
    }

    fn dynamic(
        &mut self,
        block: &Block,
        schema: Option<&BodySchema>,
        scope: &dyn Scope,
        path: &str,
        lists: &mut BTreeMap<String, Vec<Value>>,
        unknown: &mut BTreeMap<String, Marks>,
    ) {
        let kind = block.label(0).unwrap_or_default().to_owned();
        let content = block.body.blocks_of("content").next();
        let (Some(for_each), Some(content)) = (block.body.attribute("for_each"), content) else {
            let detail = "a dynamic block needs for_each and a content block";
            return self.say(Diagnostic::error("Invalid dynamic block", detail).at(&block.span));
        };
        let iterator = match block.body.attribute("iterator").map(|a| &a.expr.kind) {
            Some(ExprKind::Variable(name)) => name.clone(),
            _ => kind.clone(),
        };
        let value = evaluate_with(&for_each.expr, scope, self.context.files, self.diagnostics);
        let Some(value) = value else {
            self.failed = true;
            return;
        };
        if value.is_unknown() {
            unknown.entry(kind).or_default().join(&value.marks());
            return;
        }
        let pairs: Vec<(Value, Value)> = match (value.as_slice(), value.as_map()) {
            (Some(items), _) if matches!(value.kind(), Kind::Set(..)) => {
                items.iter().map(|v| (v.clone(), v.clone())).collect()
            }
            (Some(items), _) => items
                .iter()
                .enumerate()
                .map(|(i, v)| (Value::number(i as u64), v.clone()))
                .collect(),
            (_, Some(map)) => map
                .iter()
                .map(|(k, v)| (Value::string(k), v.clone()))
                .collect(),
            (None, None) => {
                let detail = format!(
                    "cannot use a {} value in for_each; an iterable collection is required",
                    value.ty().friendly()
                );
                let diagnostic = Diagnostic::error("Invalid dynamic for_each value", detail);
                return self.say(diagnostic.at(&for_each.expr.span));
            }
        };
        if pairs.len() > DYNAMIC_BLOCKS_MAX {
            let detail = format!("more than {DYNAMIC_BLOCKS_MAX} blocks");
            return self.say(Diagnostic::error("Too many dynamic blocks", detail).at(&block.span));
        }
        let marks = value.marks();
        for (key, value) in pairs {
            let each = Value::object_of([("key", key), ("value", value)]);
            let bound = Bound {
                inner: scope,
                name: &iterator,
                value: each,
            };
            self.block(
                &kind,
                block,
                &content.body,
                schema,
                (&bound, Some(&marks)),
                path,
                lists,
            );
        }
    }

    /// Arguments that a newer provider dropped stand for their successors.
    fn former(&mut self, schema: &BodySchema, path: &str, out: &mut BTreeMap<String, Value>) {
        let given: Vec<String> = out
            .iter()
            .filter(|(_, v)| !v.is_null())
            .map(|(k, _)| k.clone())
            .collect();
        for name in given {
            let Some(attribute) = schema.attributes.get(&name) else {
                continue;
            };
            let span = self.spans.find(&join(path, &name)).cloned();
            if let Some(version) = &attribute.removed_in
                && !self.context.version.is_some_and(|v| older(v, version))
            {
                let instead = attribute
                    .becomes
                    .as_ref()
                    .map_or(String::new(), |(n, _)| format!("; write {n}"));
                let detail =
                    format!("version {version} of the provider dropped \"{name}\"{instead}");
                self.say(
                    Diagnostic::warning("Argument dropped by the provider", detail)
                        .at_opt(span.as_ref()),
                );
            }
            if let Some((successor, how)) = &attribute.becomes
                && out.get(successor).is_none_or(Value::is_null)
                && let Some(value) = out.get(&name)
            {
                let value = become_value(value, *how);
                out.insert(successor.clone(), value);
                if let Some(span) = span {
                    self.spans.insert(join(path, successor), span);
                }
            }
        }
    }

    /// Fills in what was not written: defaults, nulls, empty lists of blocks; says what is missing.
    fn finish(
        &mut self,
        schema: &BodySchema,
        path: &str,
        place: Option<&Span>,
        out: &mut BTreeMap<String, Value>,
    ) {
        for (name, attribute) in &schema.attributes {
            let given = out.get(name).is_some_and(|v| !v.is_null());
            if given {
                continue;
            }
            if attribute.required {
                let detail = format!(
                    "the argument \"{name}\" is required ({}), but no definition was found",
                    self.context.what
                );
                self.say(Diagnostic::error("Missing required argument", detail).at_opt(place));
            }
            let value = attribute.default.clone();
            let value = value.unwrap_or_else(|| Value::null_of(attribute.ty.clone()));
            out.insert(name.clone(), value);
        }
        for (name, block) in &schema.blocks {
            let count = match out.get(name) {
                Some(value) if value.is_unknown() => continue,
                Some(value) => value.as_slice().map_or(0, <[Value]>::len),
                None => 0,
            };
            if count < block.min {
                let detail = format!(
                    "at least {} \"{name}\" block is required ({})",
                    block.min, self.context.what
                );
                self.say(Diagnostic::error("Insufficient blocks", detail).at_opt(place));
            }
            if block.max > 0 && count > block.max {
                let at = format!("{}[{}]", join(path, name), block.max);
                let span = self.spans.find(&at).cloned();
                let detail = format!("no more than {} \"{name}\" blocks are allowed", block.max);
                self.say(Diagnostic::error("Too many blocks", detail).at_opt(span.as_ref()));
            }
            out.entry(name.clone())
                .or_insert_with(|| Value::list(block_type(block), Vec::new()));
        }
    }
}

/// Elements of a list that is written out get places of their own.
fn element_spans(expr: &skybridge_hcl::ast::Expr, path: &str, spans: &mut Spans) {
    match &expr.kind {
        ExprKind::Tuple(items) => {
            for (index, item) in items.iter().enumerate() {
                let at = format!("{path}[{index}]");
                spans.insert(at.clone(), item.span.clone());
                element_spans(item, &at, spans);
            }
        }
        ExprKind::Object(items) => {
            for item in items {
                if let skybridge_hcl::ast::ObjectKey::Name(name, _) = &item.key {
                    let at = join(path, name);
                    spans.insert(at.clone(), item.value.span.clone());
                    element_spans(&item.value, &at, spans);
                }
            }
        }
        ExprKind::Parens(inner) => element_spans(inner, path, spans),
        _ => {}
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// Blocks of one kind: a list when they are alike, else a tuple.
fn block_list(items: Vec<Value>) -> Value {
    match items.first().map(Value::ty) {
        Some(ty) if items.iter().all(|v| v.ty() == ty) => Value::list(ty, items),
        _ => Value::tuple(items),
    }
}

/// The object type of a nested block.
pub(crate) fn block_type(block: &BlockSchema) -> Type {
    body_type(&block.body)
}

/// The object type of a body. Everything is optional: a value may leave out what is computed.
pub(crate) fn body_type(body: &BodySchema) -> Type {
    use skybridge_hcl::Field;
    let field = |ty: Type| Field {
        ty,
        optional: true,
        default: None,
    };
    let attributes = body
        .attributes
        .iter()
        .map(|(n, a)| (n.clone(), field(a.ty.clone())));
    let blocks = body
        .blocks
        .iter()
        .map(|(n, b)| (n.clone(), field(Type::list(block_type(b)))));
    Type::Object(attributes.chain(blocks).collect())
}

fn become_value(value: &Value, how: Becoming) -> Value {
    match how {
        Becoming::Same => value.clone(),
        Becoming::List => Value::list(value.ty(), vec![value.clone()]),
        Becoming::Not => match value.as_bool() {
            Some(b) => Value::bool(!b).with_marks(&value.marks()),
            None => value.clone(),
        },
    }
}

/// The spelling that the cloud returns.
fn normalised(value: Value, compare: Compare) -> Value {
    match (compare, value.as_str()) {
        (Compare::Location, Some(text)) => {
            let plain = text.replace(' ', "").to_lowercase();
            Value::string(plain).with_marks(&value.marks())
        }
        _ => value,
    }
}

/// Whether every version that the constraint allows is older than `version`. Only an exact version
/// and `~>` bound from above.
fn older(constraint: &str, version: &str) -> bool {
    let number = |text: &str| -> Vec<u64> {
        text.trim()
            .split('.')
            .map(|p| p.parse().unwrap_or(0))
            .collect()
    };
    let version = number(version);
    constraint.split(',').any(|part| {
        let part = part.trim();
        if let Some(least) = part.strip_prefix("~>") {
            // `~> 3.0` allows below 4, `~> 3.0.1` below 3.1.
            let mut bound = number(least);
            if bound.len() > 1 {
                bound.pop();
            }
            if let Some(last) = bound.last_mut() {
                *last += 1;
            }
            bound <= version
        } else if let Some(bound) = part.strip_prefix("<=") {
            number(bound) < version
        } else if let Some(bound) = part.strip_prefix('<') {
            number(bound) <= version
        } else if part.starts_with(['>', '!']) {
            false
        } else {
            number(part.trim_start_matches('=')) < version
        }
    })
}

/// A scope with one more name.
pub(crate) struct Bound<'a> {
    pub(crate) inner: &'a dyn Scope,
    pub(crate) name: &'a str,
    pub(crate) value: Value,
}

impl Scope for Bound<'_> {
    fn resolve(&self, name: &str, steps: &[Step], span: &Span) -> Resolved {
        if name == self.name {
            Resolved::Value(self.value.clone(), 0)
        } else {
            self.inner.resolve(name, steps, span)
        }
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.inner.names();
        names.push(self.name.to_owned());
        names
    }
}

/// Blocks that were written as an attribute, with the defaults of what they leave out.
fn with_defaults(list: &Value, schema: &BodySchema) -> Value {
    let Some(items) = list.as_slice() else {
        return list.clone();
    };
    let filled = items.iter().map(|item| {
        let defaults = schema
            .attributes
            .iter()
            .filter_map(|(n, a)| Some((n, a.default.as_ref()?)));
        let filled = defaults.fold(item.clone(), |item, (name, default)| {
            let missing = item.attr(name).is_some_and(Value::is_null);
            if missing {
                item.with_attr(name, default.clone())
            } else {
                item
            }
        });
        schema
            .blocks
            .iter()
            .fold(filled, |item, (name, block)| match item.attr(name) {
                Some(inner) if inner.is_null() => {
                    item.with_attr(name, Value::list(block_type(block), Vec::new()))
                }
                Some(inner) => {
                    let inner = with_defaults(inner, &block.body);
                    item.with_attr(name, inner)
                }
                None => item,
            })
    });
    block_list(filled.collect()).with_marks(&list.marks())
}

/// The value with stand-ins in the place of unknown parts that rest on placeholders.
fn settled(value: &Value) -> Value {
    if value.is_wholly_known() {
        return value.clone();
    }
    let marks = value.marks();
    let inner = match value.kind() {
        Kind::Unknown(ty) => match marks.placeholder.first() {
            Some(name) => crate::placeholder::stand_in(ty, name),
            None => return value.clone(),
        },
        Kind::List(ty, items) => Value::list(ty.clone(), items.iter().map(settled).collect()),
        Kind::Set(ty, items) => Value::set(ty.clone(), items.iter().map(settled).collect()),
        Kind::Tuple(items) => Value::tuple(items.iter().map(settled).collect()),
        Kind::Map(ty, map) => Value::map(
            ty.clone(),
            map.iter().map(|(k, v)| (k.clone(), settled(v))).collect(),
        ),
        Kind::Object(map) => Value::object_of(map.iter().map(|(k, v)| (k.clone(), settled(v)))),
        _ => return value.clone(),
    };
    inner.with_marks(&marks)
}

/// Whether every unknown part of a value rests on a placeholder.
fn only_placeholders_unknown(value: &Value) -> bool {
    if value.is_unknown() {
        return !value.marks().placeholder.is_empty();
    }
    value.children().all(only_placeholders_unknown)
}

/// Whether two values of an attribute are the same to its provider.
pub(crate) fn same_attribute(schema: &AttributeSchema, a: &Value, b: &Value) -> bool {
    match (schema.compare, a.as_str(), b.as_str()) {
        (Compare::IgnoreCase, Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        // Unknown while planning; the apply puts the stand-in there that is there already.
        _ if !a.is_wholly_known() && only_placeholders_unknown(a) => {
            a.deep_marks().placeholder == b.deep_marks().placeholder
        }
        _ => a == b,
    }
}
