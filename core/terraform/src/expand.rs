//! How many instances a block has, and the conditions that blocks set.

use std::collections::BTreeMap;

use skybridge_hcl::ast::Expr;
use skybridge_hcl::{Diagnostic, Kind, Type, Value, convert, evaluate_with};

use crate::config::Condition;
use crate::scope::{Expansion, ModuleScope};
use crate::stack::Stack;

/// The most instances of one block.
const INSTANCES_MAX: u64 = 10_000;

/// `count` and `for_each`.
pub(crate) fn expand(
    stack: &Stack,
    scope: &ModuleScope<'_>,
    (count, for_each): (&Option<Expr>, &Option<Expr>),
    diagnostics: &mut Vec<Diagnostic>,
) -> Expansion {
    let later = |name: &str, what: &str| {
        format!(
            "the \"{name}\" value depends on attributes that cannot be determined until apply, so Skybridge cannot predict {what}, as Terraform cannot"
        )
    };
    if let Some(expr) = count {
        let Some(value) = evaluate_with(expr, scope, stack.files.as_ref(), diagnostics) else {
            return Expansion::Failed;
        };
        let mut fail = |summary: &str, detail: String| {
            diagnostics.push(Diagnostic::error(summary, detail).at(&expr.span));
            Expansion::Failed
        };
        return match convert(&value, &Type::Number) {
            Ok(n) if n.is_unknown() => fail(
                "Invalid count argument",
                later("count", "how many instances there will be"),
            ),
            Ok(n) => match n.as_u64() {
                Some(n) if n <= INSTANCES_MAX => Expansion::Count(n),
                Some(n) => fail(
                    "Invalid count argument",
                    format!("{n} instances are more than {INSTANCES_MAX}"),
                ),
                None => fail(
                    "Invalid count argument",
                    "the \"count\" value must be a whole number from 0".to_owned(),
                ),
            },
            Err(e) => fail("Invalid count argument", e.to_string()),
        };
    }
    let Some(expr) = for_each else {
        return Expansion::Single;
    };
    let Some(value) = evaluate_with(expr, scope, stack.files.as_ref(), diagnostics) else {
        return Expansion::Failed;
    };
    let mut fail = |detail: String| {
        diagnostics.push(Diagnostic::error("Invalid for_each argument", detail).at(&expr.span));
        Expansion::Failed
    };
    if value.deep_marks().sensitive && value.marks().sensitive {
        return fail("sensitive values cannot be keys of instances".to_owned());
    }
    match value.kind() {
        Kind::Unknown(_) => fail(later("for_each", "the full set of keys")),
        Kind::Map(_, map) | Kind::Object(map) => Expansion::Each(map.as_ref().clone()),
        Kind::Set(_, items) => {
            let mut out = BTreeMap::new();
            for item in items.iter() {
                match item.kind() {
                    Kind::String(key) => {
                        out.insert(key.to_string(), item.clone());
                    }
                    Kind::Unknown(_) => return fail(later("for_each", "the full set of keys")),
                    _ => return fail("a set in for_each must be of strings".to_owned()),
                }
            }
            Expansion::Each(out)
        }
        _ => {
            let detail = format!(
                "for_each takes a map, or a set of strings; this is a {}",
                value.ty().friendly()
            );
            fail(detail)
        }
    }
}

/// Checks conditions; one that is unknown waits for another time.
pub(crate) fn check(
    stack: &Stack,
    scope: &ModuleScope<'_>,
    conditions: &[Condition],
    (summary, what): (&str, &str),
    diagnostics: &mut Vec<Diagnostic>,
) {
    for condition in conditions {
        let files = stack.files.as_ref();
        let Some(value) = evaluate_with(&condition.condition, scope, files, diagnostics) else {
            continue;
        };
        if convert(&value, &Type::Bool).ok().and_then(|v| v.as_bool()) != Some(false) {
            continue;
        }
        let message = condition
            .message
            .as_ref()
            .and_then(|m| evaluate_with(m, scope, files, diagnostics));
        let text = message
            .as_ref()
            .and_then(Value::as_str)
            .unwrap_or("the condition does not hold");
        let diagnostic = Diagnostic::error(summary, format!("{what}: {text}"));
        diagnostics.push(diagnostic.at(&condition.condition.span));
    }
}
