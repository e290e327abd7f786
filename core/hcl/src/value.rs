//! Values: what expressions evaluate to.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bigdecimal::BigDecimal;
use serde::{Deserialize, Serialize};

use crate::refine;
use crate::ty::{Field, Type};

/// What sticks to a value and to everything computed from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Marks {
    /// Not to be shown.
    pub sensitive: bool,
    /// Not to be stored (Terraform's ephemeral values).
    pub ephemeral: bool,
    /// Rests on an assumption of ours rather than on a documented behaviour.
    pub assumed: bool,
    /// Rests on stand-ins for attributes of resources that are not modelled; each is named
    /// (`azurerm_key_vault.kv.vault_uri`). A verdict that needs such a value is unknown.
    pub placeholder: BTreeSet<String>,
}

impl Marks {
    /// Whether nothing is marked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.sensitive && !self.ephemeral && !self.assumed && self.placeholder.is_empty()
    }

    /// Takes over the marks of `other`.
    pub fn join(&mut self, other: &Self) {
        self.sensitive |= other.sensitive;
        self.ephemeral |= other.ephemeral;
        self.assumed |= other.assumed;
        if !other.placeholder.is_empty() {
            self.placeholder.extend(other.placeholder.iter().cloned());
        }
    }
}

/// Marks and origin, boxed together because most values have neither.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Meta {
    marks: Marks,
    origin: Option<String>,
    open: Option<String>,
    /// Values that are not known are not stored, and so neither is what is known of them.
    #[serde(skip)]
    range: Option<refine::Shared>,
}

/// The shape of a value. Lists, sets and maps know their element type.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Known only after apply.
    Unknown(Type),
    /// No value, of a type ([`Type::Dynamic`] when any).
    Null(Type),
    /// A boolean.
    Bool(bool),
    /// A decimal number.
    #[serde(with = "number_text")]
    Number(BigDecimal),
    /// A string.
    String(Arc<str>),
    /// Ordered, one element type.
    List(Type, Arc<Vec<Value>>),
    /// Ordered by value, no two alike.
    Set(Type, Arc<Vec<Value>>),
    /// Ordered, a type per element.
    Tuple(Arc<Vec<Value>>),
    /// By string key in lexical order, one element type.
    Map(Type, Arc<BTreeMap<String, Value>>),
    /// By attribute name in lexical order, a type per attribute.
    Object(Arc<BTreeMap<String, Value>>),
}

/// A value with its marks.
///
/// `==` compares kind and content and ignores marks and origin; Terraform's `==` operator is
/// [`crate::equal`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Value {
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    meta: Option<Arc<Meta>>,
}

impl From<Kind> for Value {
    fn from(kind: Kind) -> Self {
        Self { kind, meta: None }
    }
}

/// Constructors.
impl Value {
    /// A null of no particular type.
    #[must_use]
    pub fn null() -> Self {
        Kind::Null(Type::Dynamic).into()
    }

    /// A null of a type.
    #[must_use]
    pub fn null_of(ty: Type) -> Self {
        Kind::Null(ty).into()
    }

    /// An unknown of a type.
    #[must_use]
    pub fn unknown(ty: Type) -> Self {
        Kind::Unknown(ty).into()
    }

    /// A boolean.
    #[must_use]
    pub fn bool(value: bool) -> Self {
        Kind::Bool(value).into()
    }

    /// A string.
    #[must_use]
    pub fn string(value: impl AsRef<str>) -> Self {
        Kind::String(Arc::from(value.as_ref())).into()
    }

    /// A number.
    #[must_use]
    pub fn number(value: impl Into<BigDecimal>) -> Self {
        Kind::Number(value.into()).into()
    }

    /// A list; every element has the type `ty`.
    #[must_use]
    pub fn list(ty: Type, values: Vec<Self>) -> Self {
        Kind::List(ty, Arc::new(values)).into()
    }

    /// A list of strings.
    #[must_use]
    pub fn strings<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> Self {
        Self::list(Type::String, values.into_iter().map(Self::string).collect())
    }

    /// A set: `values` are sorted and freed of doubles.
    #[must_use]
    pub fn set(ty: Type, mut values: Vec<Self>) -> Self {
        if ty.is_primitive() {
            values.sort_by(Self::content_cmp);
        } else {
            values.sort_by_cached_key(set_key);
        }
        // What is not known may still turn out to differ.
        values.dedup_by(|a, b| a.content_cmp(b) == Ordering::Equal && a.is_wholly_known());
        Kind::Set(ty, Arc::new(values)).into()
    }

    /// A tuple.
    #[must_use]
    pub fn tuple(values: Vec<Self>) -> Self {
        Kind::Tuple(Arc::new(values)).into()
    }

    /// A map; every element has the type `ty`.
    #[must_use]
    pub fn map(ty: Type, values: BTreeMap<String, Self>) -> Self {
        Kind::Map(ty, Arc::new(values)).into()
    }

    /// An object.
    #[must_use]
    pub fn object(values: BTreeMap<String, Self>) -> Self {
        Kind::Object(Arc::new(values)).into()
    }

    /// An object from pairs.
    pub fn object_of<K: Into<String>>(pairs: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::object(pairs.into_iter().map(|(k, v)| (k.into(), v)).collect())
    }
}

/// Marks and origin.
impl Value {
    /// Its own marks, without those of what it holds.
    #[must_use]
    pub fn marks(&self) -> Marks {
        self.meta
            .as_ref()
            .map(|m| m.marks.clone())
            .unwrap_or_default()
    }

    /// Its marks and those of everything it holds.
    #[must_use]
    pub fn deep_marks(&self) -> Marks {
        let mut marks = self.marks();
        for child in self.children() {
            let inner = child.deep_marks();
            marks.join(&inner);
        }
        marks
    }

    /// The same value with more marks.
    #[must_use]
    pub fn with_marks(mut self, marks: &Marks) -> Self {
        if !marks.is_empty() {
            let meta = self.meta.get_or_insert_with(Default::default);
            Arc::make_mut(meta).marks.join(marks);
        }
        self
    }

    /// The same value without its own marks.
    #[must_use]
    pub fn without_marks(mut self) -> Self {
        let range = self.meta.as_ref().and_then(|m| m.range.clone());
        self.meta = None;
        match range {
            Some(range) => self.with_shared_range(range),
            None => self,
        }
    }

    /// The same value without any marks, inside too.
    #[must_use]
    pub fn unmarked(&self) -> Self {
        match &self.kind {
            Kind::List(t, v) => {
                Kind::List(t.clone(), Arc::new(v.iter().map(Self::unmarked).collect()))
            }
            Kind::Set(t, v) => {
                Kind::Set(t.clone(), Arc::new(v.iter().map(Self::unmarked).collect()))
            }
            Kind::Tuple(v) => Kind::Tuple(Arc::new(v.iter().map(Self::unmarked).collect())),
            Kind::Map(t, m) => Kind::Map(t.clone(), Arc::new(unmark_map(m))),
            Kind::Object(m) => Kind::Object(Arc::new(unmark_map(m))),
            Kind::Unknown(_) => return self.clone().without_marks(),
            leaf @ (Kind::Null(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_)) => {
                leaf.clone()
            }
        }
        .into()
    }

    /// The same value, marked sensitive.
    #[must_use]
    pub fn sensitive(self) -> Self {
        self.with_marks(&Marks {
            sensitive: true,
            ..Marks::default()
        })
    }

    /// The same value, marked ephemeral.
    #[must_use]
    pub fn ephemeral(self) -> Self {
        self.with_marks(&Marks {
            ephemeral: true,
            ..Marks::default()
        })
    }

    /// The same value without its own sensitive mark.
    #[must_use]
    pub fn nonsensitive(mut self) -> Self {
        if let Some(meta) = &mut self.meta {
            Arc::make_mut(meta).marks.sensitive = false;
        }
        self
    }

    /// The same value, marked as standing in for the named attribute.
    #[must_use]
    pub fn placeholder(self, name: impl Into<String>) -> Self {
        self.with_marks(&Marks {
            placeholder: BTreeSet::from([name.into()]),
            ..Marks::default()
        })
    }

    /// Whether it, or anything in it, stands in for an attribute that is not modelled.
    #[must_use]
    pub fn is_placeholder(&self) -> bool {
        !self.deep_marks().placeholder.is_empty()
    }

    /// What the value *is*: the address of the resource instance whose whole object this is. It
    /// stays on copies and is lost in any computation.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.meta.as_ref().and_then(|m| m.origin.as_deref())
    }

    /// The same value, known to be the object of the resource instance at `address`.
    #[must_use]
    pub fn with_origin(mut self, address: impl Into<String>) -> Self {
        let meta = self.meta.get_or_insert_with(Default::default);
        Arc::make_mut(meta).origin = Some(address.into());
        self
    }
}

/// What is known of unknown values.
impl Value {
    /// What is known of it while it is unknown.
    pub(crate) fn known_range(&self) -> Option<&refine::Range> {
        self.meta.as_ref()?.range.as_deref()
    }

    pub(crate) fn with_range(self, range: refine::Range) -> Self {
        self.with_shared_range(Arc::new(range))
    }

    fn with_shared_range(mut self, range: refine::Shared) -> Self {
        let meta = self.meta.get_or_insert_with(Default::default);
        Arc::make_mut(meta).range = Some(range);
        self
    }
}

/// Objects of which only some attributes are known.
impl Value {
    /// The same object, of which nobody knows all attributes: reading one that is not there gives
    /// an unknown placeholder named after `address` instead of an error.
    #[must_use]
    pub fn open(mut self, address: impl Into<String>) -> Self {
        let meta = self.meta.get_or_insert_with(Default::default);
        Arc::make_mut(meta).open = Some(address.into());
        self
    }

    /// The address of an open object.
    pub(crate) fn open_name(&self) -> Option<&str> {
        self.meta.as_ref()?.open.as_deref()
    }

    /// What stands for the attribute `name` that the object does not have, if it is open.
    pub(crate) fn open_attr(&self, name: &str) -> Option<Self> {
        let address = self.open_name()?;
        Some(Self::unknown(Type::Dynamic).placeholder(format!("{address}.{name}")))
    }
}

fn unmark_map(map: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    map.iter().map(|(k, v)| (k.clone(), v.unmarked())).collect()
}

/// Looking inside.
impl Value {
    /// Its shape.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Its type.
    #[must_use]
    pub fn ty(&self) -> Type {
        match &self.kind {
            Kind::Unknown(t) | Kind::Null(t) => t.clone(),
            Kind::Bool(_) => Type::Bool,
            Kind::Number(_) => Type::Number,
            Kind::String(_) => Type::String,
            Kind::List(t, _) => Type::list(t.clone()),
            Kind::Set(t, _) => Type::set(t.clone()),
            Kind::Map(t, _) => Type::map(t.clone()),
            Kind::Tuple(v) => Type::Tuple(v.iter().map(Self::ty).collect()),
            Kind::Object(m) => Type::Object(
                m.iter()
                    .map(|(k, v)| (k.clone(), Field::required(v.ty())))
                    .collect(),
            ),
        }
    }

    /// Whether the value itself is unknown.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self.kind, Kind::Unknown(_))
    }

    /// Whether nothing in it is unknown.
    #[must_use]
    pub fn is_wholly_known(&self) -> bool {
        !self.is_unknown() && self.children().all(Self::is_wholly_known)
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null(_))
    }

    /// The boolean, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Kind::Bool(b) = &self.kind {
            Some(*b)
        } else {
            None
        }
    }

    /// The text, if it is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Kind::String(s) = &self.kind {
            Some(s)
        } else {
            None
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_number(&self) -> Option<&BigDecimal> {
        if let Kind::Number(n) = &self.kind {
            Some(n)
        } else {
            None
        }
    }

    /// The number as a whole number, if it is one and fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number().and_then(whole)
    }

    /// The number as a whole number from 0 up, if it is one and fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.as_number().and_then(whole)
    }

    /// The number as a whole number from 0 up, if it is one and fits.
    #[must_use]
    pub fn as_u32(&self) -> Option<u32> {
        self.as_u64().and_then(|n| u32::try_from(n).ok())
    }

    /// The elements of a list, set or tuple.
    #[must_use]
    pub fn as_slice(&self) -> Option<&[Self]> {
        if let Kind::List(_, v) | Kind::Set(_, v) | Kind::Tuple(v) = &self.kind {
            Some(v)
        } else {
            None
        }
    }

    /// The elements of a map or object.
    #[must_use]
    pub fn as_map(&self) -> Option<&BTreeMap<String, Self>> {
        if let Kind::Map(_, m) | Kind::Object(m) = &self.kind {
            Some(m)
        } else {
            None
        }
    }

    /// The attribute of an object or element of a map, without the marks of the container.
    #[must_use]
    pub fn attr(&self, name: &str) -> Option<&Self> {
        self.as_map().and_then(|m| m.get(name))
    }

    /// The text of the attribute `name`, if it is there, known and a string.
    #[must_use]
    pub fn str_attr(&self, name: &str) -> Option<&str> {
        self.attr(name).and_then(Self::as_str)
    }

    /// The elements of the attribute `name` (nested blocks, lists, sets); empty when it is missing,
    /// null or unknown.
    #[must_use]
    pub fn list_attr(&self, name: &str) -> &[Self] {
        self.attr(name).and_then(Self::as_slice).unwrap_or_default()
    }

    /// The texts of the attribute `name`; elements that are not known strings are left out.
    #[must_use]
    pub fn strs_attr(&self, name: &str) -> Vec<&str> {
        self.list_attr(name)
            .iter()
            .filter_map(Self::as_str)
            .collect()
    }

    /// The boolean of the attribute `name`, if it is there, known and a boolean.
    #[must_use]
    pub fn bool_attr(&self, name: &str) -> Option<bool> {
        self.attr(name).and_then(Self::as_bool)
    }

    /// The whole number of the attribute `name`, if it is there, known and fits.
    #[must_use]
    pub fn u64_attr(&self, name: &str) -> Option<u64> {
        self.attr(name).and_then(Self::as_u64)
    }

    /// The value at a path such as `ip_configuration[0].subnet_id`, as in [`crate::Spans`].
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Self> {
        let mut value = self;
        for part in path.split('.') {
            let (name, indexes) = part.split_once('[').unwrap_or((part, ""));
            if !name.is_empty() {
                value = value.attr(name)?;
            }
            for index in indexes.split('[').filter(|i| !i.is_empty()) {
                value = value
                    .as_slice()?
                    .get(index.strip_suffix(']')?.parse::<usize>().ok()?)?;
            }
        }
        Some(value)
    }

    /// The same object with the attribute `name` set; other values are left as they are.
    #[must_use]
    pub fn with_attr(mut self, name: &str, value: Self) -> Self {
        if let Kind::Object(m) | Kind::Map(_, m) = &mut self.kind {
            Arc::make_mut(m).insert(name.to_owned(), value);
        }
        self
    }

    /// What it holds.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        let slice = self.as_slice().unwrap_or_default().iter();
        slice.chain(self.as_map().into_iter().flat_map(BTreeMap::values))
    }
}

fn whole<T: std::str::FromStr>(number: &BigDecimal) -> Option<T> {
    // A whole number in plain digits parses; `1.5` and anything out of range does not.
    if number.digits() > 40 || number.fractional_digit_count().unsigned_abs() > 40 {
        return None;
    }
    number.normalized().to_plain_string().parse().ok()
}

/// The text of a number as Terraform prints it: plain digits, no trailing zeros.
#[must_use]
pub fn number_to_string(number: &BigDecimal) -> String {
    let text = number.normalized().to_plain_string();
    if text == "-0" { "0".to_owned() } else { text }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.content_cmp(other) == Ordering::Equal
    }
}
impl Eq for Value {}

impl Value {
    /// A total order on contents, marks aside: the order of elements in a set. Strings are ordered
    /// by code point, numbers by size, false before true, other values by their parts.
    #[must_use]
    pub fn content_cmp(&self, other: &Self) -> Ordering {
        match (&self.kind, &other.kind) {
            (Kind::Bool(a), Kind::Bool(b)) => a.cmp(b),
            (Kind::Number(a), Kind::Number(b)) => a.cmp(b),
            (Kind::String(a), Kind::String(b)) => a.cmp(b),
            (Kind::List(_, a), Kind::List(_, b))
            | (Kind::Set(_, a), Kind::Set(_, b))
            | (Kind::Tuple(a), Kind::Tuple(b)) => cmp_slices(a, b),
            (Kind::Map(_, a), Kind::Map(_, b)) | (Kind::Object(a), Kind::Object(b)) => {
                cmp_maps(a, b)
            }
            (Kind::Unknown(a), Kind::Unknown(b)) => a.to_string().cmp(&b.to_string()),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self.kind {
            Kind::Bool(_) => 0,
            Kind::Number(_) => 1,
            Kind::String(_) => 2,
            Kind::List(..) => 3,
            Kind::Set(..) => 4,
            Kind::Tuple(_) => 5,
            Kind::Map(..) => 6,
            Kind::Object(_) => 7,
            Kind::Unknown(_) => 8,
            Kind::Null(_) => 9,
        }
    }
}

/// What Terraform orders the elements of a set by that are no texts, numbers or booleans: a text made of each. What is
/// not known comes after what is, and null last.
fn set_key(value: &Value) -> (u8, String) {
    let mut text = String::new();
    set_text(value, &mut text);
    (value.rank().saturating_sub(7), text)
}

fn set_text(value: &Value, out: &mut String) {
    let mut around = |open: char, close: char| {
        out.push(open);
        for (at, child) in value.children().enumerate() {
            if let (Kind::Map(..), Some(key)) =
                (value.kind(), value.as_map().and_then(|m| m.keys().nth(at)))
            {
                out.push_str(&format!("{key:?}:"));
            }
            set_text(child, out);
            out.push(';');
        }
        out.push(close);
    };
    match value.kind() {
        Kind::Unknown(_) => out.push('?'),
        Kind::Null(_) => out.push('~'),
        Kind::Bool(b) => out.push(if *b { 'T' } else { 'F' }),
        Kind::Number(n) => out.push_str(&number_to_string(n)),
        Kind::String(s) => out.push_str(&format!("{s:?}")),
        Kind::Map(..) => around('{', '}'),
        Kind::List(..) | Kind::Set(..) => around('[', ']'),
        Kind::Object(_) | Kind::Tuple(_) => around('<', '>'),
    }
}

fn cmp_slices(a: &[Value], b: &[Value]) -> Ordering {
    a.iter()
        .zip(b)
        .map(|(x, y)| x.content_cmp(y))
        .find(|o| *o != Ordering::Equal)
        .unwrap_or_else(|| a.len().cmp(&b.len()))
}

fn cmp_maps(a: &BTreeMap<String, Value>, b: &BTreeMap<String, Value>) -> Ordering {
    a.iter()
        .zip(b)
        .map(|((ka, va), (kb, vb))| ka.cmp(kb).then_with(|| va.content_cmp(vb)))
        .find(|o| *o != Ordering::Equal)
        .unwrap_or_else(|| a.len().cmp(&b.len()))
}

/// Numbers are stored as text, which keeps every digit.
mod number_text {
    use bigdecimal::BigDecimal;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(n: &BigDecimal, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&super::number_to_string(n))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<BigDecimal, D::Error> {
        let text = String::deserialize(d)?;
        crate::numbers::parse(&text).ok_or_else(|| D::Error::custom("not a number"))
    }
}
