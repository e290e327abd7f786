//! How many instances a block has, and the conditions that blocks set.

use std::collections::BTreeMap;

use skybridge_hcl::ast::Expr;
use skybridge_hcl::{Diagnostic, Kind, Span, Type, Value, convert, evaluate_with};

use crate::config::Condition;
use crate::scope::{Expansion, ModuleScope};
use crate::stack::Stack;

/// The most instances of one block.
const INSTANCES_MAX: u64 = 10_000;

/// Why an ephemeral value cannot say how many instances there are.
const STORED: &str = "it is derived from an ephemeral value, and what it decides is stored";

/// `count` and `for_each` of what may be network: how many there are must be known.
pub(crate) fn expand(
    stack: &Stack,
    scope: &ModuleScope<'_>,
    number: (&Option<Expr>, &Option<Expr>),
    diagnostics: &mut Vec<Diagnostic>,
) -> Expansion {
    expand_if(stack, scope, number, true, diagnostics)
}

/// The same; of what is no network there are none where only a stand-in says how many.
pub(crate) fn expand_if(
    stack: &Stack,
    scope: &ModuleScope<'_>,
    (count, for_each): (&Option<Expr>, &Option<Expr>),
    is_network: bool,
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
        if value.deep_marks().ephemeral {
            return fail("Invalid count argument", STORED.to_owned());
        }
        if value.is_null() {
            return fail(
                "Invalid count argument",
                "it is null; a number is required".to_owned(),
            );
        }
        return match convert(&value, &Type::Number) {
            Ok(n) if n.is_unknown() && !is_network && n.is_placeholder() => {
                diagnostics.push(left_out(&n, expr));
                Expansion::Count(0)
            }
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
            Err(e) => fail("Incorrect value type", e.to_string()),
        };
    }
    let Some(expr) = for_each else {
        return Expansion::Single;
    };
    let Some(value) = evaluate_with(expr, scope, stack.files.as_ref(), diagnostics) else {
        return Expansion::Failed;
    };
    let is_open = value.is_unknown() || value.children().any(Value::is_unknown);
    if is_open && !is_network && value.is_placeholder() {
        diagnostics.push(left_out(&value, expr));
        return Expansion::Each(BTreeMap::new());
    }
    let mut said = |summary: &str, detail: String| {
        diagnostics.push(Diagnostic::error(summary, detail).at(&expr.span));
        Expansion::Failed
    };
    let mut fail = |detail: String| said("Invalid for_each argument", detail);
    if value.deep_marks().ephemeral {
        return fail(STORED.to_owned());
    }
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
                    _ => {
                        let detail = "a set in for_each must be of strings, none of them null";
                        return said("Invalid for_each set argument", detail.to_owned());
                    }
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

/// What is said of instances that are left out.
fn left_out(number: &Value, expr: &Expr) -> Diagnostic {
    let stands_for: Vec<String> = number.deep_marks().placeholder.into_iter().collect();
    let detail = format!(
        "how many there are is for {} to say, which nobody here knows; none is planned, and it is no network",
        stands_for.join(", ")
    );
    Diagnostic::notice("Instances left out", detail).at(&expr.span)
}

/// How a condition speaks when it does not hold.
#[derive(Clone, Copy)]
pub(crate) struct Voice<'a> {
    pub(crate) summary: &'a str,
    /// What the condition is about.
    pub(crate) what: &'a str,
    /// The value that is at fault, where that is known; else the condition is shown.
    pub(crate) place: Option<&'a Span>,
    /// What is said of a condition that is not known yet, if anything is.
    pub(crate) pending: Option<&'a str>,
}

impl<'a> Voice<'a> {
    pub(crate) const fn new(summary: &'a str, what: &'a str) -> Self {
        Self {
            summary,
            what,
            place: None,
            pending: None,
        }
    }
}

/// Checks conditions; one that is unknown waits for another time.
pub(crate) fn check(
    stack: &Stack,
    scope: &ModuleScope<'_>,
    conditions: &[Condition],
    voice: Voice<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Voice {
        summary,
        what,
        place,
        pending,
    } = voice;
    for condition in conditions {
        let files = stack.files.as_ref();
        let Some(value) = evaluate_with(&condition.condition, scope, files, diagnostics) else {
            continue;
        };
        if let Some(pending) = pending.filter(|_| value.is_unknown()) {
            let detail = format!("{what}: the condition cannot be evaluated before the apply");
            let diagnostic = Diagnostic::warning(pending, detail);
            diagnostics.push(diagnostic.at(&condition.condition.span));
        }
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
        let detail = match place {
            Some(_) => format!(
                "{what}: {text} (the rule is at {})",
                condition.condition.span
            ),
            None => format!("{what}: {text}"),
        };
        let diagnostic = Diagnostic::error(summary, detail);
        diagnostics.push(diagnostic.at(place.unwrap_or(&condition.condition.span)));
    }
}
