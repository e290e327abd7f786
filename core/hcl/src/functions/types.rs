//! Type conversion functions and marks.

use super::{Call, CallError, Function, P, Result, boolean, dynamic, number, pure, string};
use crate::convert::convert;
use crate::ty::Type;
use crate::value::{Kind, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    pure("issensitive", &[P::Nullable], boolean, |c| {
        let sensitive = c.args[0].marks().sensitive;
        // What is not known yet may still turn out to be.
        if c.args[0].is_unknown() && !sensitive {
            return Ok(Value::unknown(Type::Bool));
        }
        Ok(Value::bool(sensitive))
    })
    .raw(),
    pure("nonsensitive", &[P::Nullable], dynamic, |c| {
        Ok(c.args[0].clone().nonsensitive())
    })
    .raw(),
    pure("sensitive", &[P::Nullable], dynamic, |c| {
        Ok(c.args[0].clone().sensitive())
    })
    .raw(),
    pure("ephemeralasnull", &[P::Nullable], dynamic, |c| {
        Ok(as_null(&c.args[0]))
    })
    .raw(),
    pure("tobool", &[P::Nullable], boolean, |c| to(c, &Type::Bool)).raw(),
    pure("tolist", &[P::Nullable], dynamic, |c| {
        to(c, &Type::list(Type::Dynamic))
    })
    .raw(),
    pure("tomap", &[P::Nullable], dynamic, |c| {
        to(c, &Type::map(Type::Dynamic))
    })
    .raw(),
    pure("tonumber", &[P::Nullable], number, |c| to(c, &Type::Number)).raw(),
    pure("toset", &[P::Nullable], dynamic, |c| {
        to(c, &Type::set(Type::Dynamic))
    })
    .raw(),
    pure("tostring", &[P::Nullable], string, |c| to(c, &Type::String)).raw(),
];

/// The value with a null in the place of every ephemeral part.
fn as_null(value: &Value) -> Value {
    let marks = value.marks();
    if marks.ephemeral {
        return Value::null_of(value.ty());
    }
    if !value.deep_marks().ephemeral {
        return value.clone();
    }
    let out = match value.kind() {
        Kind::Object(map) => Value::object_of(map.iter().map(|(k, v)| (k, as_null(v)))),
        Kind::Map(ty, map) => Value::map(
            ty.clone(),
            map.iter().map(|(k, v)| (k.clone(), as_null(v))).collect(),
        ),
        Kind::Tuple(items) => Value::tuple(items.iter().map(as_null).collect()),
        Kind::List(ty, items) => Value::list(ty.clone(), items.iter().map(as_null).collect()),
        _ => value.clone(),
    };
    out.with_marks(&marks)
}

fn to(c: &Call<'_>, ty: &Type) -> Result {
    convert(&c.args[0], ty).map_err(|e| {
        CallError::arg(
            0,
            format!(
                "cannot convert {} to {}: {e}",
                c.args[0].ty().friendly(),
                ty.friendly()
            ),
        )
    })
}
