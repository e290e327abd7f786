//! Terraform's conversions between types, and the search for a type that several values share.

use std::collections::BTreeMap;
use std::fmt;

use crate::numbers;
use crate::refine;
use crate::ty::{Field, Type};
use crate::value::{Kind, Marks, Value, number_to_string};

/// Why a value cannot become of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvertError {
    /// Where inside the value, in the notation of [`crate::Spans`]; empty for the value itself.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

impl std::error::Error for ConvertError {}

impl ConvertError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            message: message.into(),
        }
    }

    fn under(mut self, step: &str) -> Self {
        let dot = !self.path.is_empty() && !self.path.starts_with('[');
        self.path = format!("{step}{}{}", if dot { "." } else { "" }, self.path);
        self
    }
}

/// The value as a value of `ty`, with its marks.
///
/// # Errors
/// When Terraform has no such conversion, or the value is outside of it (`"x"` to number).
pub fn convert(value: &Value, ty: &Type) -> Result<Value, ConvertError> {
    let marks = value.marks();
    if *ty == Type::Dynamic {
        return Ok(value.clone());
    }
    let converted = match value.kind() {
        Kind::Null(from) => Value::null_of(filled(&plain(ty), from)),
        Kind::Unknown(from) => {
            if possible(from, ty) {
                let ty = filled(&plain(ty), from);
                if ty == *from {
                    return Ok(value.clone());
                }
                refine::converted(value, &ty)
            } else {
                return Err(mismatch(ty));
            }
        }
        Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => primitive(value, ty)?,
        Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
            sequence(value, items, ty)?
        }
        Kind::Map(_, map) | Kind::Object(map) => mapping(value, map, ty)?,
    };
    let mut converted = converted.with_marks(&marks);
    // What may have more attributes than are written down may have them afterwards too, if none was left out.
    if let (Some(name), Some(is), Some(was)) =
        (value.open_name(), converted.as_map(), value.as_map())
        && was.keys().all(|key| is.contains_key(key))
    {
        converted = converted.open(name);
    }
    // A whole resource object stays what it is when only its type is narrowed.
    Ok(match value.origin() {
        Some(origin) if converted.as_map().is_some() => converted.with_origin(origin),
        _ => converted,
    })
}

fn mismatch(ty: &Type) -> ConvertError {
    ConvertError::new(format!("{} required", ty.friendly()))
}

/// The type of values of a constraint: no optional attributes, no defaults.
fn plain(ty: &Type) -> Type {
    match ty {
        Type::Dynamic | Type::Bool | Type::Number | Type::String => ty.clone(),
        Type::List(t) => Type::list(plain(t)),
        Type::Set(t) => Type::set(plain(t)),
        Type::Map(t) => Type::map(plain(t)),
        Type::Tuple(ts) => Type::Tuple(ts.iter().map(plain).collect()),
        Type::Object(fields) => Type::Object(
            fields
                .iter()
                .map(|(k, f)| (k.clone(), Field::required(plain(&f.ty))))
                .collect(),
        ),
    }
}

/// A type with what it leaves open taken from the type of the value that is converted.
fn filled(ty: &Type, from: &Type) -> Type {
    let inner = |ty: &Type, from: &Type| Box::new(filled(ty, from));
    match (ty, from) {
        (Type::Dynamic, _) => from.clone(),
        (Type::List(t), Type::List(f) | Type::Set(f)) => Type::List(inner(t, f)),
        (Type::Set(t), Type::List(f) | Type::Set(f)) => Type::Set(inner(t, f)),
        (Type::Map(t), Type::Map(f)) => Type::Map(inner(t, f)),
        (Type::List(t), Type::Tuple(fs)) if **t == Type::Dynamic => {
            Type::list(unify(fs).unwrap_or(Type::Dynamic))
        }
        (Type::Set(t), Type::Tuple(fs)) if **t == Type::Dynamic => {
            Type::set(unify(fs).unwrap_or(Type::Dynamic))
        }
        (Type::Map(t), Type::Object(fs)) if **t == Type::Dynamic => {
            let types: Vec<Type> = fs.values().map(|f| f.ty.clone()).collect();
            Type::map(unify(&types).unwrap_or(Type::Dynamic))
        }
        (Type::Tuple(ts), Type::Tuple(fs)) if ts.len() == fs.len() => {
            Type::Tuple(ts.iter().zip(fs).map(|(t, f)| filled(t, f)).collect())
        }
        (Type::Object(ts), Type::Object(fs)) => Type::Object(
            ts.iter()
                .map(|(name, t)| {
                    let ty = match fs.get(name) {
                        Some(f) => filled(&t.ty, &f.ty),
                        None => t.ty.clone(),
                    };
                    (name.clone(), Field::required(ty))
                })
                .collect(),
        ),
        _ => ty.clone(),
    }
}

/// Whether some value of `from` may become one of `to`.
fn possible(from: &Type, to: &Type) -> bool {
    match (from, to) {
        (Type::Dynamic, _) | (_, Type::Dynamic) => true,
        (Type::Bool, Type::Number) | (Type::Number, Type::Bool) => false,
        (a, b) if a.is_primitive() && b.is_primitive() => true,
        (Type::List(a) | Type::Set(a), Type::List(b) | Type::Set(b))
        | (Type::Map(a), Type::Map(b)) => possible(a, b),
        (Type::Tuple(a), Type::List(b) | Type::Set(b)) => a.iter().all(|t| possible(t, b)),
        (Type::Tuple(a), Type::Tuple(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(x, y)| possible(x, y))
        }
        (Type::Object(a), Type::Map(b)) => a.values().all(|f| possible(&f.ty, b)),
        (Type::Map(a), Type::Object(b)) => b.values().all(|f| possible(a, &f.ty)),
        (Type::Object(a), Type::Object(b)) => b
            .iter()
            .all(|(k, f)| a.get(k).map_or(f.optional, |g| possible(&g.ty, &f.ty))),
        _ => false,
    }
}

fn primitive(value: &Value, ty: &Type) -> Result<Value, ConvertError> {
    let converted = match (value.kind(), ty) {
        (Kind::Bool(b), Type::Bool) => Value::bool(*b),
        (Kind::Number(n), Type::Number) => Value::number(n.clone()),
        (Kind::String(s), Type::String) => Value::string(s),
        (Kind::Bool(b), Type::String) => Value::string(if *b { "true" } else { "false" }),
        (Kind::Number(n), Type::String) => Value::string(number_to_string(n)),
        (Kind::String(s), Type::Number) => Value::number(
            numbers::parse(s).ok_or_else(|| ConvertError::new("a number is required"))?,
        ),
        (Kind::String(s), Type::Bool) => match s.as_ref() {
            "true" | "1" => Value::bool(true),
            "false" | "0" => Value::bool(false),
            "True" | "TRUE" | "False" | "FALSE" => {
                let lower = s.to_lowercase();
                let message = format!(
                    "a bool is required; to convert from string, use lowercase \"{lower}\""
                );
                return Err(ConvertError::new(message));
            }
            _ => return Err(ConvertError::new("a bool is required")),
        },
        _ => return Err(mismatch(ty)),
    };
    Ok(converted)
}

fn sequence(value: &Value, items: &[Value], ty: &Type) -> Result<Value, ConvertError> {
    let is_set = matches!(value.kind(), Kind::Set(..));
    match ty {
        Type::List(element) | Type::Set(element) => {
            let (element, items) = elements(items, element)?;
            // Elements that are not known may turn out equal, and stand anywhere.
            if is_set && matches!(ty, Type::List(_)) && items.iter().any(|v| !v.is_wholly_known()) {
                return Ok(refine::converted(value, &Type::list(element)));
            }
            Ok(if matches!(ty, Type::List(_)) {
                Value::list(element, items)
            } else {
                // Marks of elements move to the set: its order and size depend on them.
                let mut marks = Marks::default();
                for item in &items {
                    marks.join(&item.deep_marks());
                }
                Value::set(element, items).with_marks(&marks)
            })
        }
        Type::Tuple(types) if !is_set => {
            if types.len() != items.len() {
                let message = format!("tuple of {} elements required", types.len());
                return Err(ConvertError::new(message));
            }
            let mut out = Vec::with_capacity(items.len());
            for (index, (item, ty)) in items.iter().zip(types).enumerate() {
                out.push(convert(item, ty).map_err(|e| e.under(&format!("[{index}]")))?);
            }
            Ok(Value::tuple(out))
        }
        _ => Err(mismatch(ty)),
    }
}

fn elements(items: &[Value], element: &Type) -> Result<(Type, Vec<Value>), ConvertError> {
    let element = shared(items.iter(), element)?;
    let mut out = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        out.push(convert(item, &element).map_err(|e| e.under(&format!("[{index}]")))?);
    }
    alike(plain(&element), &mut out)?;
    Ok((alike_type(&element, &out), out))
}

/// What `any` inside the type of elements stands for is the same in all of them.
fn alike<'v>(
    element: Type,
    items: impl IntoIterator<Item = &'v mut Value>,
) -> Result<(), ConvertError> {
    if element == Type::Dynamic || !element.has_dynamic() {
        return Ok(());
    }
    let items: Vec<&mut Value> = items.into_iter().collect();
    let ty = shared(items.iter().map(|v| &**v), &Type::Dynamic)?;
    for item in items {
        *item = convert(item, &ty)?;
    }
    Ok(())
}

/// The type of elements that were made alike.
fn alike_type<'v>(element: &Type, items: impl IntoIterator<Item = &'v Value>) -> Type {
    let element = plain(element);
    let first = items.into_iter().next();
    match first {
        Some(first) if element != Type::Dynamic && element.has_dynamic() => first.ty(),
        _ => element,
    }
}

/// The element type: as constrained, or the one that all values share.
fn shared<'a>(
    items: impl Iterator<Item = &'a Value>,
    element: &Type,
) -> Result<Type, ConvertError> {
    if *element != Type::Dynamic {
        return Ok(element.clone());
    }
    let items: Vec<&Value> = items.collect();
    let types: Vec<Type> = items.iter().map(|v| v.ty()).collect();
    let apart = types.iter().any(|t| *t != Type::Dynamic);
    match unify(&types).filter(|ty| *ty != Type::Dynamic || !apart) {
        Some(ty) => Ok(ty),
        // Of objects that may have more attributes, nobody knows that they differ.
        None if items.iter().any(|v| v.open_name().is_some()) => Ok(Type::Dynamic),
        None => Err(ConvertError::new("all elements must have the same type")),
    }
}

fn mapping(value: &Value, map: &BTreeMap<String, Value>, ty: &Type) -> Result<Value, ConvertError> {
    match ty {
        Type::Map(element) => {
            let element = shared(map.values(), element)?;
            let mut out = BTreeMap::new();
            for (key, item) in map {
                let item = convert(item, &element).map_err(|e| e.under(&format!("[{key:?}]")))?;
                out.insert(key.clone(), item);
            }
            alike(plain(&element), out.values_mut())?;
            Ok(Value::map(alike_type(&element, out.values()), out))
        }
        Type::Object(fields) => {
            let mut out = BTreeMap::new();
            let mut missing = Vec::new();
            for (name, field) in fields {
                // Nobody knows whether an object has an attribute that is not written down.
                let unwritten = match map.get(name) {
                    None if !field.optional => value.open_attr(name),
                    _ => None,
                };
                let given = (map.get(name).or(unwritten.as_ref()))
                    .filter(|v| !(v.is_null() && field.default.is_some()));
                let item = match (given, &field.default) {
                    (Some(item), _) => convert(item, &field.ty).map_err(|e| e.under(name))?,
                    (None, Some(default)) => {
                        convert(default, &field.ty).map_err(|e| e.under(name))?
                    }
                    (None, None) if field.optional => Value::null_of(plain(&field.ty)),
                    (None, None) => {
                        missing.push(format!("\"{name}\""));
                        continue;
                    }
                };
                out.insert(name.clone(), item);
            }
            if missing.is_empty() {
                Ok(Value::object(out))
            } else {
                let (word, verb) = if missing.len() == 1 {
                    ("attribute", "is")
                } else {
                    ("attributes", "are")
                };
                let list = missing.join(", ");
                Err(ConvertError::new(format!("{word} {list} {verb} required")))
            }
        }
        _ => Err(mismatch(ty)),
    }
}

/// The type that values of all `types` can become without loss, if there is one. `any` (the type
/// of a bare null) gives way to the others, unless they have none in common.
#[must_use]
pub fn unify(types: &[Type]) -> Option<Type> {
    unify_all(&types.iter().collect::<Vec<_>>())
}

fn unify_all(types: &[&Type]) -> Option<Type> {
    let known: Vec<&Type> = (types.iter().copied())
        .filter(|t| **t != Type::Dynamic)
        .collect();
    let has = |is: fn(&Type) -> bool| known.iter().any(|t| is(t));
    let never = has(|t| matches!(t, Type::Object(_))) && has(|t| matches!(t, Type::Tuple(_)));
    let open = (known.len() < types.len() && !never).then_some(Type::Dynamic);
    unify_known(&known).or(open)
}

fn unify_known(types: &[&Type]) -> Option<Type> {
    let Some((first, rest)) = types.split_first() else {
        return Some(Type::Dynamic);
    };
    if rest.iter().all(|t| t == first) {
        return Some((*first).clone());
    }
    if types.iter().all(|t| t.is_primitive()) {
        return types.contains(&&Type::String).then_some(Type::String);
    }
    let has = |is: fn(&Type) -> bool| types.iter().any(|t| is(t));
    let has_list = has(|t| matches!(t, Type::List(_)));
    let has_set = has(|t| matches!(t, Type::Set(_)));
    let has_tuple = has(|t| matches!(t, Type::Tuple(_)));
    let has_map = has(|t| matches!(t, Type::Map(_)));
    let has_object = has(|t| matches!(t, Type::Object(_)));
    let (sequences, mappings) = (has_list || has_set || has_tuple, has_map || has_object);
    if has(Type::is_primitive) || (sequences && mappings) {
        return None;
    }
    if has_object && !has_map {
        return unify_objects(types);
    }
    if has_tuple && !has_list && !has_set {
        return unify_tuples(types);
    }
    let element = unify_all(&types.iter().flat_map(|t| inner(t)).collect::<Vec<_>>())?;
    Some(if mappings {
        Type::map(element)
    } else if has_list {
        Type::list(element)
    } else {
        Type::set(element)
    })
}

/// The types of what a value of a type holds.
fn inner(ty: &Type) -> Vec<&Type> {
    match ty {
        Type::List(t) | Type::Set(t) | Type::Map(t) => vec![t],
        Type::Tuple(types) => types.iter().collect(),
        Type::Object(fields) => fields.values().map(|f| &f.ty).collect(),
        _ => Vec::new(),
    }
}

/// Tuples of one length stay tuples, others become a list.
fn unify_tuples(types: &[&Type]) -> Option<Type> {
    let rows: Vec<Vec<&Type>> = types.iter().map(|t| inner(t)).collect();
    let len = rows.first().map_or(0, Vec::len);
    if rows.iter().any(|row| row.len() != len) {
        return unify_all(&rows.concat()).map(Type::list);
    }
    let columns = (0..len).map(|at| unify_all(&rows.iter().map(|r| r[at]).collect::<Vec<_>>()));
    columns.collect::<Option<Vec<_>>>().map(Type::Tuple)
}

/// Objects with the same attributes stay objects, others become a map.
fn unify_objects(types: &[&Type]) -> Option<Type> {
    let rows: Vec<&BTreeMap<String, Field>> = (types.iter())
        .filter_map(|t| match t {
            Type::Object(fields) => Some(fields),
            _ => None,
        })
        .collect();
    let first = rows.first()?;
    if rows.iter().any(|row| !row.keys().eq(first.keys())) {
        let all: Vec<&Type> = rows
            .iter()
            .flat_map(|r| r.values().map(|f| &f.ty))
            .collect();
        return unify_all(&all).map(Type::map);
    }
    let fields = first.keys().map(|name| {
        let column: Vec<&Type> = (rows.iter())
            .filter_map(|r| r.get(name).map(|f| &f.ty))
            .collect();
        unify_all(&column).map(|t| (name.clone(), Field::required(t)))
    });
    fields.collect::<Option<BTreeMap<_, _>>>().map(Type::Object)
}
