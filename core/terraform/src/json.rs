//! Terraform's JSON syntax: which properties of a JSON document are blocks with which labels.
//!
//! What Terraform itself defines is known here. In the bodies of resources only the provider's schema
//! tells a nested block from an argument, so those stay attributes until [`unfold`] is asked.

use skybridge_hcl::ast::{Attribute, Block, Body, Expr, ExprKind, Label, ObjectItem, ObjectKey};
use skybridge_hcl::{Diagnostic, Span};

use crate::schema::BodySchema;

/// The number of labels of a block `child` in a block `parent`; `None` for an argument.
fn labels_of(parent: &str, child: &str) -> Option<usize> {
    Some(match (parent, child) {
        ("", "terraform" | "locals" | "moved" | "import" | "removed") => 0,
        ("", "provider" | "variable" | "output" | "module" | "check") => 1,
        ("", "resource" | "data" | "ephemeral") | ("check", "data") => 2,
        ("terraform", "required_providers" | "cloud")
        | ("variable", "validation")
        | ("output", "precondition")
        | ("resource" | "data" | "removed", "lifecycle")
        | ("resource", "connection")
        | ("lifecycle", "precondition" | "postcondition")
        | ("check", "assert")
        | ("dynamic", "content")
        | ("cloud", "workspaces") => 0,
        ("terraform", "backend" | "provider_meta")
        | ("resource" | "removed", "provisioner")
        | ("resource" | "data" | "provider" | "content", "dynamic") => 1,
        _ => return None,
    })
}

/// The body of a JSON file.
pub(crate) fn file_body(expr: &Expr, said: &mut Vec<Diagnostic>) -> Body {
    body("", expr, said)
}

fn body(parent: &str, expr: &Expr, said: &mut Vec<Diagnostic>) -> Body {
    let mut out = Body {
        json: true,
        ..Body::default()
    };
    let Some(items) = properties(expr) else {
        let detail = "a JSON object is expected here";
        said.push(Diagnostic::error("Incorrect JSON value type", detail).at(&expr.span));
        return out;
    };
    for item in items {
        let (name, span) = key(item);
        // A property of this name is a comment.
        if name == "//" {
            continue;
        }
        match labels_of(parent, &name) {
            Some(labels) => blocks(&name, &span, labels, &item.value, &mut out.blocks, said),
            None if has_dynamic(&item.value) => {
                blocks(&name, &span, 0, &item.value, &mut out.blocks, said);
            }
            None => out.attributes.push(Attribute {
                name,
                name_span: span,
                expr: item.value.clone(),
            }),
        }
    }
    out
}

/// The properties of an object, or of several in an array.
fn properties(expr: &Expr) -> Option<Vec<&ObjectItem>> {
    match &expr.kind {
        ExprKind::Object(items) => Some(items.iter().collect()),
        ExprKind::Tuple(items) => {
            let parts: Option<Vec<Vec<&ObjectItem>>> = items.iter().map(properties).collect();
            Some(parts?.into_iter().flatten().collect())
        }
        _ => None,
    }
}

fn key(item: &ObjectItem) -> (String, Span) {
    match &item.key {
        ObjectKey::Name(name, span) => (name.clone(), span.clone()),
        // A template cannot name a block or an argument: it stays what it looks like.
        ObjectKey::Expr(expr) => ("${…}".to_owned(), expr.span.clone()),
    }
}

/// Whether a value can only be a block, because a `dynamic` block stands in it.
fn has_dynamic(expr: &Expr) -> bool {
    properties(expr).is_some_and(|items| items.iter().any(|item| key(item).0 == "dynamic"))
}

fn blocks(
    kind: &str,
    span: &Span,
    labels: usize,
    expr: &Expr,
    out: &mut Vec<Block>,
    said: &mut Vec<Diagnostic>,
) {
    let mut found = Vec::new();
    labelled(labels, Vec::new(), expr, &mut found, said);
    for (labels, content) in found {
        let inner = if labels_of("", kind).is_none() && !KNOWN.contains(&kind) {
            "content"
        } else {
            kind
        };
        let place = labels.last().map_or(span, |l: &Label| &l.span).clone();
        out.push(Block {
            kind: kind.to_owned(),
            labels,
            body: body(inner, content, said),
            span: place,
        });
    }
}

/// Blocks of Terraform's own below the top level, whose contents have rules of their own.
const KNOWN: [&str; 12] = [
    "required_providers",
    "cloud",
    "validation",
    "precondition",
    "postcondition",
    "lifecycle",
    "connection",
    "assert",
    "workspaces",
    "backend",
    "provisioner",
    "dynamic",
];

fn labelled<'e>(
    wanted: usize,
    labels: Vec<Label>,
    expr: &'e Expr,
    out: &mut Vec<(Vec<Label>, &'e Expr)>,
    said: &mut Vec<Diagnostic>,
) {
    if labels.len() < wanted {
        let Some(items) = properties(expr) else {
            let detail = "a JSON object is expected, whose property names are the labels of blocks";
            return said
                .push(Diagnostic::error("Incorrect JSON value type", detail).at(&expr.span));
        };
        for item in items {
            let (text, span) = key(item);
            if text == "//" {
                continue;
            }
            let mut labels = labels.clone();
            labels.push(Label { text, span });
            labelled(wanted, labels, &item.value, out, said);
        }
        return;
    }
    match &expr.kind {
        ExprKind::Tuple(items) => out.extend(items.iter().map(|item| (labels.clone(), item))),
        ExprKind::Literal(value) if value.is_null() => {}
        _ => out.push((labels, expr)),
    }
}

/// The body of a resource with what its schema calls blocks as blocks.
pub(crate) fn unfold(from: &Body, schema: &BodySchema, said: &mut Vec<Diagnostic>) -> Body {
    let mut out = Body {
        json: true,
        blocks: from.blocks.clone(),
        ..Body::default()
    };
    for attribute in &from.attributes {
        let name = attribute.name.as_str();
        let is_block = schema.blocks.contains_key(name) && !schema.attributes.contains_key(name);
        // An expression gives the blocks as a list of objects, as in native syntax.
        let written_out = matches!(
            attribute.expr.kind,
            ExprKind::Object(_) | ExprKind::Tuple(_) | ExprKind::Literal(_)
        );
        if is_block && written_out {
            let span = &attribute.name_span;
            blocks(name, span, 0, &attribute.expr, &mut out.blocks, said);
        } else {
            out.attributes.push(attribute.clone());
        }
    }
    out
}
