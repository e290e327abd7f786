//! The types of results that follow from the types of arguments, while these are not known.

use std::collections::BTreeMap;

use crate::convert::unify;
use crate::ty::{Field, Type};
use crate::value::Value;

fn ty_of(args: &[Value], index: usize) -> Type {
    args.get(index).map_or(Type::Dynamic, Value::ty)
}

fn inner(ty: Type) -> Type {
    match ty {
        Type::List(t) | Type::Set(t) | Type::Map(t) => *t,
        _ => Type::Dynamic,
    }
}

/// That of the first argument.
pub(super) fn first(args: &[Value]) -> Type {
    ty_of(args, 0)
}

/// A list of lists like the first argument.
pub(super) fn lists_of(args: &[Value]) -> Type {
    Type::list(first(args))
}

/// An element of the first argument, at the place that the second names if it is a tuple.
pub(super) fn element(args: &[Value]) -> Type {
    match first(args) {
        Type::Tuple(types) => {
            let at = args.get(1).and_then(Value::as_i64);
            let at = at.map(|at| at.rem_euclid(i64::try_from(types.len()).unwrap_or(1).max(1)));
            let at = at.and_then(|at| usize::try_from(at).ok());
            let only = (types.len() == 1).then_some(0);
            let found = at.or(only).and_then(|at| types.get(at)).cloned();
            found.unwrap_or(Type::Dynamic)
        }
        ty => inner(ty),
    }
}

/// All arguments, one after the other.
pub(super) fn concatenated(args: &[Value]) -> Type {
    let types: Vec<Type> = args.iter().map(Value::ty).collect();
    let lists: Option<Vec<Type>> = (types.iter())
        .map(|t| match t {
            Type::List(t) => Some((**t).clone()),
            _ => None,
        })
        .collect();
    if let Some(element) = lists.and_then(|elements| unify(&elements)) {
        return Type::list(element);
    }
    let mut out = Vec::new();
    for (arg, ty) in args.iter().zip(types) {
        match (ty, arg.as_slice()) {
            (Type::Tuple(types), _) => out.extend(types),
            (Type::List(t), Some(items)) => out.extend(vec![*t; items.len()]),
            _ => return Type::Dynamic,
        }
    }
    Type::Tuple(out)
}

/// The first argument from its end.
pub(super) fn reversed(args: &[Value]) -> Type {
    match first(args) {
        Type::Tuple(types) => Type::Tuple(types.into_iter().rev().collect()),
        Type::Set(t) => Type::List(t),
        ty => ty,
    }
}

/// A part of the first argument.
pub(super) fn part(args: &[Value]) -> Type {
    match first(args) {
        Type::Tuple(types) => {
            let bound = |at: usize| usize::try_from(args.get(at)?.as_i64()?).ok();
            let part = bound(1)
                .zip(bound(2))
                .and_then(|(a, b)| types.get(a..b).map(<[Type]>::to_vec));
            part.map_or(Type::Dynamic, Type::Tuple)
        }
        ty => ty,
    }
}

/// A set of what all arguments can become.
pub(super) fn set(args: &[Value]) -> Type {
    let types: Vec<Type> = args.iter().map(|a| inner(a.ty())).collect();
    unify(&types).map_or(Type::Dynamic, Type::set)
}

/// The elements of a map, the attributes of an object.
pub(super) fn values(args: &[Value]) -> Type {
    match first(args) {
        Type::Map(t) => Type::List(t),
        Type::Object(fields) => Type::Tuple(fields.into_values().map(|f| f.ty).collect()),
        _ => Type::Dynamic,
    }
}

/// Values under keys.
pub(super) fn zipped(args: &[Value]) -> Type {
    match ty_of(args, 1) {
        Type::List(t) => Type::Map(t),
        Type::Tuple(types) => {
            let keys = args.first().and_then(Value::as_slice);
            let keys: Option<Vec<&str>> = keys.and_then(|k| k.iter().map(Value::as_str).collect());
            let Some(keys) = keys.filter(|keys| keys.len() == types.len()) else {
                return Type::Dynamic;
            };
            let fields = keys.into_iter().map(str::to_owned);
            let fields = fields.zip(types.into_iter().map(Field::required));
            Type::Object(fields.collect())
        }
        _ => Type::Dynamic,
    }
}

/// Maps of one type, or all attributes of objects.
pub(super) fn merged(args: &[Value]) -> Type {
    let types: Vec<Type> = (args.iter())
        .filter(|a| !a.is_null())
        .map(Value::ty)
        .collect();
    let Some(first) = types.first() else {
        return Type::Dynamic;
    };
    if matches!(first, Type::Map(_)) && types.iter().all(|t| t == first) {
        return first.clone();
    }
    let mut fields = BTreeMap::new();
    for (arg, ty) in args.iter().filter(|a| !a.is_null()).zip(types) {
        match (ty, arg.as_map()) {
            (Type::Object(more), _) => fields.extend(more),
            (Type::Map(t), Some(map)) => {
                let more = map
                    .keys()
                    .map(|k| (k.clone(), Field::required((*t).clone())));
                fields.extend(more);
            }
            _ => return Type::Dynamic,
        }
    }
    Type::Object(fields)
}
