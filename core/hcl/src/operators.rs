//! Operators on values. Marks of the operands go to the result; an unknown operand makes the
//! result unknown of its type.

use std::cmp::Ordering;

use crate::ast::{Binary, Unary};
use crate::convert::convert;
use crate::numbers;
use crate::ty::Type;
use crate::value::{Kind, Value};

/// Terraform's `==`: same type and same content. Unknown when something it depends on is unknown.
#[must_use]
pub fn equal(a: &Value, b: &Value) -> Value {
    let mut marks = a.deep_marks();
    marks.join(&b.deep_marks());
    let result = same(a, b).map_or_else(|| Value::unknown(Type::Bool), Value::bool);
    result.with_marks(&marks)
}

/// Whether two values are equal, `None` while an unknown part could decide.
fn same(a: &Value, b: &Value) -> Option<bool> {
    match (a.kind(), b.kind()) {
        // A null equals a null of any type.
        (Kind::Null(_), Kind::Null(_)) => Some(true),
        (Kind::Unknown(_), _) | (_, Kind::Unknown(_)) => None,
        (Kind::Null(_), _) | (_, Kind::Null(_)) => Some(false),
        (Kind::Bool(x), Kind::Bool(y)) => Some(x == y),
        (Kind::Number(x), Kind::Number(y)) => Some(x == y),
        (Kind::String(x), Kind::String(y)) => Some(x == y),
        (Kind::List(_, x), Kind::List(_, y)) | (Kind::Tuple(x), Kind::Tuple(y)) => {
            if x.len() != y.len() {
                return Some(false);
            }
            all(x.iter().zip(y.iter()).map(|(x, y)| same(x, y)))
        }
        (Kind::Set(_, x), Kind::Set(_, y)) => {
            if !(a.is_wholly_known() && b.is_wholly_known()) {
                return None;
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
        _ => Value::unknown(ty),
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
            arithmetic(name, a, b, &Type::Bool, numbers)
        }
        Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Modulo => {
            let name = symbol(operator);
            let numbers = |x: &bigdecimal::BigDecimal, y: &bigdecimal::BigDecimal| {
                match operator {
                    Binary::Add => numbers::bounded(x + y),
                    Binary::Subtract => numbers::bounded(x - y),
                    Binary::Multiply => numbers::bounded(x * y),
                    Binary::Divide => numbers::divide(x, y),
                    _ => numbers::modulo(x, y),
                }
                .map(Value::number)
            };
            arithmetic(name, a, b, &Type::Number, numbers)
        }
    }
}

fn arithmetic(
    name: &str,
    a: &Value,
    b: &Value,
    result: &Type,
    compute: impl Fn(&bigdecimal::BigDecimal, &bigdecimal::BigDecimal) -> Option<Value>,
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
        _ => Value::unknown(result.clone()),
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
        _ => Value::unknown(Type::Bool),
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
