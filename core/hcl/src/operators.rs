//! Operators on values. Marks of the operands go to the result; an unknown operand makes the
//! result unknown of its type.

use std::cmp::Ordering;

use crate::ast::{Binary, Unary};
use crate::convert::convert;
use crate::numbers;
use crate::refine::Range;
use crate::ty::Type;
use crate::value::{Kind, Value};

/// Terraform's `==`: same type and same content. Unknown when something it depends on is unknown.
#[must_use]
pub fn equal(a: &Value, b: &Value) -> Value {
    let mut marks = a.deep_marks();
    marks.join(&b.deep_marks());
    let result = compared(a, b).map_or_else(|| Value::unknown_not_null(Type::Bool), Value::bool);
    result.with_marks(&marks)
}

/// Values of different types are not equal, whatever in them is not known.
fn compared(a: &Value, b: &Value) -> Option<bool> {
    let holds = |v: &Value| v.as_slice().is_some() || v.as_map().is_some();
    if holds(a) && holds(b) && !(has_open_type(a) || has_open_type(b)) && a.ty() != b.ty() {
        return Some(false);
    }
    same(a, b)
}

/// Whether the type of something in it is not known.
fn has_open_type(value: &Value) -> bool {
    match value.kind() {
        Kind::Unknown(ty) => ty.has_dynamic(),
        _ => value.children().any(has_open_type),
    }
}

/// Whether two values are equal, `None` while an unknown part could decide.
fn same(a: &Value, b: &Value) -> Option<bool> {
    match (a.kind(), b.kind()) {
        // A null equals a null of any type.
        (Kind::Null(_), Kind::Null(_)) => Some(true),
        (Kind::Unknown(_), Kind::Unknown(_)) => None,
        (Kind::Unknown(_), _) => (a.excludes(b)).then_some(false),
        (_, Kind::Unknown(_)) => (b.excludes(a)).then_some(false),
        (Kind::Null(_), _) | (_, Kind::Null(_)) => Some(false),
        (Kind::Bool(x), Kind::Bool(y)) => Some(x == y),
        (Kind::Number(x), Kind::Number(y)) => Some(x == y),
        (Kind::String(x), Kind::String(y)) => Some(x == y),
        (Kind::List(_, x), Kind::List(_, y)) | (Kind::Tuple(x), Kind::Tuple(y)) => {
            if x.len() != y.len() {
                return Some(false);
            }
            in_order(x.iter().zip(y.iter()).map(|(x, y)| same(x, y)))
        }
        (Kind::Set(_, x), Kind::Set(_, y)) => {
            if !(a.is_wholly_known() && b.is_wholly_known()) {
                let (these, those) = (a.range(), b.range());
                let apart = these.length_max < Some(those.length_min)
                    || those.length_max < Some(these.length_min);
                return apart.then_some(false);
            }
            Some(x == y)
        }
        (Kind::Map(_, x), Kind::Map(_, y)) | (Kind::Object(x), Kind::Object(y)) => {
            if !x.keys().eq(y.keys()) {
                return Some(false);
            }
            all(x.values().zip(y.values()).map(|(x, y)| same(x, y)))
        }
        _ => Some(false),
    }
}

/// What the first decides that is not equal, or not known.
fn in_order(mut parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    parts.find(|part| *part != Some(true)).unwrap_or(Some(true))
}

/// False as soon as one is false, else unknown if one is unknown.
fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for part in parts {
        match part {
            Some(false) => return Some(false),
            None => result = None,
            Some(true) => {}
        }
    }
    result
}

pub(crate) fn unary(operator: Unary, value: &Value) -> Result<Value, String> {
    let (ty, name) = match operator {
        Unary::Not => (Type::Bool, "!"),
        Unary::Negate => (Type::Number, "-"),
    };
    let value = operand(value, &ty, name)?;
    let marks = value.marks();
    let result = match value.kind() {
        Kind::Bool(b) => Value::bool(!b),
        Kind::Number(n) => Value::number(-n.clone()),
        _ => Value::unknown_not_null(ty),
    };
    Ok(result.with_marks(&marks))
}

pub(crate) fn binary(operator: Binary, a: &Value, b: &Value) -> Result<Value, String> {
    match operator {
        Binary::Equal => Ok(equal(a, b)),
        Binary::NotEqual => unary(Unary::Not, &equal(a, b)),
        Binary::And | Binary::Or => logic(operator, a, b),
        Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => {
            let name = symbol(operator);
            let numbers = |x: &_, y: &_| {
                let order = Ord::cmp(x, y);
                Some(Value::bool(match operator {
                    Binary::Less => order == Ordering::Less,
                    Binary::LessOrEqual => order != Ordering::Greater,
                    Binary::Greater => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                }))
            };
            let bounds = |x: &Range, y: &Range| {
                let (less, greater) = (x.is_less(y), y.is_less(x));
                // With "or equal", what may be equal is not decided.
                let decided = match operator {
                    Binary::Less => less,
                    Binary::Greater => greater,
                    Binary::GreaterOrEqual if greater == Some(true) => Some(true),
                    Binary::GreaterOrEqual => less.filter(|less| *less).map(|less| !less),
                    _ if less == Some(true) => Some(true),
                    _ => greater.filter(|greater| *greater).map(|greater| !greater),
                };
                decided.map_or_else(|| Value::unknown_not_null(Type::Bool), Value::bool)
            };
            arithmetic(name, a, b, numbers, bounds)
        }
        Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Modulo => {
            let name = symbol(operator);
            let compute = |x: &bigdecimal::BigDecimal, y: &bigdecimal::BigDecimal| match operator {
                Binary::Add => numbers::bounded(x + y),
                Binary::Subtract => numbers::bounded(x - y),
                Binary::Multiply => numbers::bounded(x * y),
                Binary::Divide => numbers::divide(x, y),
                _ => numbers::modulo(x, y),
            };
            let bounds = |_: &Range, _: &Range| Value::unknown_not_null(Type::Number);
            let numbers = |x: &_, y: &_| compute(x, y).map(Value::number);
            arithmetic(name, a, b, numbers, bounds)
        }
    }
}

fn arithmetic(
    name: &str,
    a: &Value,
    b: &Value,
    compute: impl Fn(&bigdecimal::BigDecimal, &bigdecimal::BigDecimal) -> Option<Value>,
    bounds: impl Fn(&Range, &Range) -> Value,
) -> Result<Value, String> {
    let a = operand(a, &Type::Number, name)?;
    let b = operand(b, &Type::Number, name)?;
    let mut marks = a.marks();
    marks.join(&b.marks());
    let value = match (a.as_number(), b.as_number()) {
        (Some(x), Some(y)) => compute(x, y).ok_or_else(|| {
            let zero = matches!(name, "/" | "%") && y == &bigdecimal::BigDecimal::from(0);
            if zero {
                "Divide by zero".to_owned()
            } else {
                "The result is too large".to_owned()
            }
        })?,
        _ => bounds(&a.range(), &b.range()),
    };
    Ok(value.with_marks(&marks))
}

/// `&&` and `||`; a side that decides alone hides an unknown other side, as in Terraform 1.12.
fn logic(operator: Binary, a: &Value, b: &Value) -> Result<Value, String> {
    let name = symbol(operator);
    let a = operand(a, &Type::Bool, name)?;
    let b = operand(b, &Type::Bool, name)?;
    let mut marks = a.marks();
    marks.join(&b.marks());
    let decides = operator == Binary::Or;
    let value = match (a.as_bool(), b.as_bool()) {
        (Some(x), _) | (_, Some(x)) if x == decides => Value::bool(decides),
        (Some(_), Some(_)) => Value::bool(!decides),
        _ => Value::unknown_not_null(Type::Bool),
    };
    Ok(value.with_marks(&marks))
}

fn operand(value: &Value, ty: &Type, operator: &str) -> Result<Value, String> {
    if value.is_null() {
        return Err(format!(
            "An operand of \"{operator}\" is null, which cannot be used here"
        ));
    }
    convert(value, ty).map_err(|e| format!("Unsuitable value for the operator \"{operator}\": {e}"))
}

fn symbol(operator: Binary) -> &'static str {
    match operator {
        Binary::Equal => "==",
        Binary::NotEqual => "!=",
        Binary::Less => "<",
        Binary::LessOrEqual => "<=",
        Binary::Greater => ">",
        Binary::GreaterOrEqual => ">=",
        Binary::Add => "+",
        Binary::Subtract => "-",
        Binary::Multiply => "*",
        Binary::Divide => "/",
        Binary::Modulo => "%",
        Binary::And => "&&",
        Binary::Or => "||",
    }
}
