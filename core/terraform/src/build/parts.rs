//! Parts of blocks that stand for themselves: names, paths, constants.

use std::collections::BTreeMap;

use skybridge_hcl::ast::{Body, Expr, ExprKind, Step};
use skybridge_hcl::{
    Diagnostic, NoFiles, Span, Type, Value, evaluate, first_call, parse_expr, references,
    type_constraint,
};

use crate::config::{AttributePath, PathStep, ProviderKey, RequiredProvider};

/// `tags`, `tags["x"]`, `security_rule[0].priority`, and all of them in quotes.
pub(super) fn attribute_path(expr: &Expr) -> Option<AttributePath> {
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
pub(super) fn type_of(expr: &Expr, json: bool) -> Result<Type, Vec<Diagnostic>> {
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
pub(super) fn root_name(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Variable(name) => Some(name.clone()),
        ExprKind::Literal(value) => value
            .as_str()
            .map(|s| s.split(['.', '[']).next().unwrap_or(s).to_owned()),
        ExprKind::Traversal(base, _) => root_name(base),
        _ => None,
    }
}

pub(super) fn unquoted(expr: &Expr) -> Expr {
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

pub(super) fn provider_name(text: &str) -> ProviderKey {
    let (name, alias) = text
        .split_once('.')
        .map_or((text, None), |(n, a)| (n, Some(a.to_owned())));
    ProviderKey {
        name: name.to_owned(),
        alias,
    }
}

/// `azurerm`, `azurerm.hub`, and both in quotes.
pub(super) fn provider_key(expr: &Expr) -> Option<ProviderKey> {
    let key = |name: &str, alias: Option<&str>| ProviderKey {
        name: name.to_owned(),
        alias: alias.map(str::to_owned),
    };
    match &expr.kind {
        ExprKind::Variable(name) => Some(key(name, None)),
        ExprKind::Literal(value) => value.as_str().map(provider_name),
        ExprKind::Traversal(base, steps) => match (&base.kind, steps.as_slice()) {
            // With an index it is one of several of OpenTofu, which are taken as one.
            (
                ExprKind::Variable(name),
                [Step::Attr(alias, _)] | [Step::Attr(alias, _), Step::Index(_)],
            ) => Some(key(name, Some(alias))),
            _ => None,
        },
        ExprKind::Parens(inner) => provider_key(inner),
        _ => None,
    }
}

pub(super) fn required_provider(expr: &Expr, span: &Span) -> RequiredProvider {
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
pub(super) fn constant(expr: &Expr) -> Option<Value> {
    let nothing: BTreeMap<String, Value> = BTreeMap::new();
    evaluate(expr, &nothing, &NoFiles).ok()
}

pub(super) fn text_of(body: &Body, name: &str) -> Option<String> {
    let value = constant(&body.attribute(name)?.expr)?;
    value.as_str().map(str::to_owned)
}

/// The value of an expression that must not refer to anything or compute: a default, a value in a variables file.
///
/// # Errors
/// What it refers to, the functions it calls, and what is wrong with it otherwise.
pub(crate) fn written_out(expr: &Expr) -> Result<Value, Vec<Diagnostic>> {
    let mut said: Vec<Diagnostic> = references(expr)
        .iter()
        .map(|r| {
            Diagnostic::error("Variables not allowed", "variables may not be used here").at(&r.span)
        })
        .collect();
    if let Some(call) = first_call(expr) {
        let detail = "functions may not be called here";
        said.push(Diagnostic::error("Function calls not allowed", detail).at(&call));
    }
    if !said.is_empty() {
        return Err(said);
    }
    let nothing: BTreeMap<String, Value> = BTreeMap::new();
    evaluate(expr, &nothing, &NoFiles)
}
