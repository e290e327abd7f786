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
    .raw()
    .nullable(),
    pure("sensitive", &[P::Nullable], dynamic, |c| {
        Ok(c.args[0].clone().sensitive())
    })
    .raw()
    .nullable(),
    pure("ephemeralasnull", &[P::Nullable], dynamic, |c| {
        Ok(as_null(&c.args[0]))
    })
    .raw()
    .nullable(),
    pure("tobool", &[P::Nullable], boolean, |c| to(c, &Type::Bool))
        .raw()
        .nullable(),
    pure("tolist", &[P::Nullable], dynamic, |c| {
        to(c, &Type::list(Type::Dynamic))
    })
    .raw()
    .nullable(),
    pure("tomap", &[P::Nullable], dynamic, |c| {
        to(c, &Type::map(Type::Dynamic))
    })
    .raw()
    .nullable(),
    pure("tonumber", &[P::Nullable], number, |c| to(c, &Type::Number))
        .raw()
        .nullable(),
    pure("toset", &[P::Nullable], dynamic, |c| {
        to(c, &Type::set(Type::Dynamic))
    })
    .raw()
    .nullable(),
    pure("tostring", &[P::Nullable], string, |c| to(c, &Type::String))
        .raw()
        .nullable(),
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
    // A null has a type too, which must do.
    let probe = match c.args[0].kind() {
        Kind::Null(from) if *from != Type::Dynamic => Value::unknown(from.clone()),
        _ => c.args[0].clone(),
    };
    let probed = convert(&probe, ty);
    probed.and_then(|_| convert(&c.args[0], ty)).map_err(|e| {
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
