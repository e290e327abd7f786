//! Terraform's conversions between types, and the search for a type that several values share.

use std::collections::BTreeMap;
use std::fmt;

use crate::numbers;
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
        Kind::Null(_) => Value::null_of(plain(ty)),
        Kind::Unknown(from) => {
            if possible(from, ty) {
                Value::unknown(plain(ty))
            } else {
                return Err(mismatch(ty));
            }
        }
        Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => primitive(value, ty)?,
        Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
            sequence(value, items, ty)?
        }
        Kind::Map(_, map) | Kind::Object(map) => mapping(map, ty)?,
    };
    let converted = converted.with_marks(&marks);
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
    Ok((plain(&element), out))
}

/// The element type: as constrained, or the one that all values share.
fn shared<'a>(
    items: impl Iterator<Item = &'a Value>,
    element: &Type,
) -> Result<Type, ConvertError> {
    if *element != Type::Dynamic {
        return Ok(element.clone());
    }
    let types: Vec<Type> = items.map(Value::ty).collect();
    unify(&types).ok_or_else(|| ConvertError::new("all elements must have the same type"))
}

fn mapping(map: &BTreeMap<String, Value>, ty: &Type) -> Result<Value, ConvertError> {
    match ty {
        Type::Map(element) => {
            let element = shared(map.values(), element)?;
            let mut out = BTreeMap::new();
            for (key, item) in map {
                let item = convert(item, &element).map_err(|e| e.under(&format!("[{key:?}]")))?;
                out.insert(key.clone(), item);
            }
            Ok(Value::map(plain(&element), out))
        }
        Type::Object(fields) => {
            let mut out = BTreeMap::new();
            let mut missing = Vec::new();
            for (name, field) in fields {
                let given = map
                    .get(name)
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
/// of a bare null) gives way to the others.
#[must_use]
pub fn unify(types: &[Type]) -> Option<Type> {
    let mut types = types.iter().filter(|t| **t != Type::Dynamic);
    let Some(first) = types.next() else {
        return Some(Type::Dynamic);
    };
    types.try_fold(first.clone(), |a, b| unify_pair(&a, b))
}

fn unify_pair(a: &Type, b: &Type) -> Option<Type> {
    if a == b {
        return Some(a.clone());
    }
    match (a, b) {
        (Type::Dynamic, t) | (t, Type::Dynamic) => Some(t.clone()),
        (Type::String, t) | (t, Type::String) if t.is_primitive() => Some(Type::String),
        (Type::Tuple(x), Type::Tuple(y)) if x.len() == y.len() => {
            let pairs = x.iter().zip(y).map(|(x, y)| unify_pair(x, y));
            pairs.collect::<Option<Vec<_>>>().map(Type::Tuple)
        }
        (Type::Tuple(x), Type::Tuple(y)) => {
            let all: Vec<Type> = x.iter().chain(y).cloned().collect();
            unify(&all).map(Type::list)
        }
        (Type::Tuple(x), Type::List(t)) | (Type::List(t), Type::Tuple(x)) => {
            with_element(x.iter(), t).map(Type::list)
        }
        (Type::Tuple(x), Type::Set(t)) | (Type::Set(t), Type::Tuple(x)) => {
            with_element(x.iter(), t).map(Type::set)
        }
        (Type::List(x), Type::List(y) | Type::Set(y)) | (Type::Set(x), Type::List(y)) => {
            unify_pair(x, y).map(Type::list)
        }
        (Type::Set(x), Type::Set(y)) => unify_pair(x, y).map(Type::set),
        (Type::Map(x), Type::Map(y)) => unify_pair(x, y).map(Type::map),
        (Type::Object(x), Type::Map(t)) | (Type::Map(t), Type::Object(x)) => {
            with_element(x.values().map(|f| &f.ty), t).map(Type::map)
        }
        (Type::Object(x), Type::Object(y)) => unify_objects(x, y),
        _ => None,
    }
}

fn with_element<'a>(types: impl Iterator<Item = &'a Type>, element: &'a Type) -> Option<Type> {
    let all: Vec<Type> = types.chain(std::iter::once(element)).cloned().collect();
    unify(&all)
}

fn unify_objects(x: &BTreeMap<String, Field>, y: &BTreeMap<String, Field>) -> Option<Type> {
    if x.keys().eq(y.keys()) {
        let fields = x.iter().zip(y.values()).map(|((k, fx), fy)| {
            unify_pair(&fx.ty, &fy.ty).map(|t| (k.clone(), Field::required(t)))
        });
        return fields.collect::<Option<BTreeMap<_, _>>>().map(Type::Object);
    }
    let all: Vec<Type> = x.values().chain(y.values()).map(|f| f.ty.clone()).collect();
    unify(&all).map(Type::map)
}
