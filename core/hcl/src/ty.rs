//! Types, and type constraints with optional attributes (Terraform's "Type Constraints").

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Value;

/// A type, or a type constraint: [`Type::Dynamic`] stands for `any`, and object attributes may be
/// optional with a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// `any`: not known yet, or not constrained.
    Dynamic,
    /// `bool`
    Bool,
    /// `number`
    Number,
    /// `string`
    String,
    /// `list(T)`
    List(Box<Self>),
    /// `set(T)`
    Set(Box<Self>),
    /// `map(T)`
    Map(Box<Self>),
    /// `tuple([T, …])`
    Tuple(Vec<Self>),
    /// `object({ name = T, … })`
    Object(BTreeMap<String, Field>),
}

/// One attribute of an object type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its type.
    pub ty: Type,
    /// Whether a value may leave it out.
    #[serde(default)]
    pub optional: bool,
    /// What stands there when it is left out or null.
    #[serde(default)]
    pub default: Option<Value>,
}

impl Field {
    /// A required attribute.
    #[must_use]
    pub fn required(ty: Type) -> Self {
        Self {
            ty,
            optional: false,
            default: None,
        }
    }
}

impl Type {
    /// `list(self)`
    #[must_use]
    pub fn list(element: Self) -> Self {
        Self::List(Box::new(element))
    }

    /// `set(self)`
    #[must_use]
    pub fn set(element: Self) -> Self {
        Self::Set(Box::new(element))
    }

    /// `map(self)`
    #[must_use]
    pub fn map(element: Self) -> Self {
        Self::Map(Box::new(element))
    }

    /// Whether this is bool, number or string.
    #[must_use]
    pub fn is_primitive(&self) -> bool {
        matches!(self, Self::Bool | Self::Number | Self::String)
    }

    /// Whether `any` stands anywhere inside.
    #[must_use]
    pub fn has_dynamic(&self) -> bool {
        match self {
            Self::Dynamic => true,
            Self::Bool | Self::Number | Self::String => false,
            Self::List(t) | Self::Set(t) | Self::Map(t) => t.has_dynamic(),
            Self::Tuple(ts) => ts.iter().any(Self::has_dynamic),
            Self::Object(fields) => fields.values().any(|f| f.ty.has_dynamic()),
        }
    }

    /// The word that messages use: `a string`, `list of string`, `object`.
    #[must_use]
    pub fn friendly(&self) -> String {
        match self {
            Self::Dynamic => "any type".to_owned(),
            Self::Bool => "bool".to_owned(),
            Self::Number => "number".to_owned(),
            Self::String => "string".to_owned(),
            Self::List(t) => format!("list of {}", t.friendly()),
            Self::Set(t) => format!("set of {}", t.friendly()),
            Self::Map(t) => format!("map of {}", t.friendly()),
            Self::Tuple(_) => "tuple".to_owned(),
            Self::Object(_) => "object".to_owned(),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dynamic => f.write_str("any"),
            Self::Bool => f.write_str("bool"),
            Self::Number => f.write_str("number"),
            Self::String => f.write_str("string"),
            Self::List(t) => write!(f, "list({t})"),
            Self::Set(t) => write!(f, "set({t})"),
            Self::Map(t) => write!(f, "map({t})"),
            Self::Tuple(ts) => {
                f.write_str("tuple([")?;
                for (i, t) in ts.iter().enumerate() {
                    write!(f, "{}{t}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("])")
            }
            Self::Object(fields) => {
                f.write_str("object({")?;
                for (i, (name, field)) in fields.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    if field.optional {
                        write!(f, "{comma}{name} = optional({})", field.ty)?;
                    } else {
                        write!(f, "{comma}{name} = {}", field.ty)?;
                    }
                }
                f.write_str("})")
            }
        }
    }
}
