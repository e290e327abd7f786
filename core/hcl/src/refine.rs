//! What is known of an unknown value besides its type: that it is not null, how it begins, between which bounds it
//! lies, how many elements it has. They decide some comparisons before the value is known, as in Terraform 1.6 and later
//! (where they are called refinements).

use std::cmp::Ordering;
use std::sync::Arc;

use bigdecimal::BigDecimal;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::ty::Type;
use crate::value::{Kind, Value};

/// Longest beginning that a template passes on, in octets.
const PREFIX_LEN_MAX: usize = 128;

/// What is known of an unknown value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    /// It will not be null.
    pub(crate) not_null: bool,
    /// How a text begins.
    pub(crate) prefix: String,
    /// The least that a number may be, and whether it may be that.
    pub(crate) lower: Option<(BigDecimal, bool)>,
    /// The most that a number may be, and whether it may be that.
    pub(crate) upper: Option<(BigDecimal, bool)>,
    /// The fewest elements.
    pub(crate) length_min: u64,
    /// The most elements.
    pub(crate) length_max: Option<u64>,
}

impl Value {
    /// An unknown value that will not be null.
    #[must_use]
    pub fn unknown_not_null(ty: Type) -> Self {
        Self::unknown(ty).not_null()
    }

    /// The same value; if it is unknown, one that will not be null.
    #[must_use]
    pub fn not_null(self) -> Self {
        self.refined(|range| range.not_null = true)
    }

    /// Whether it is not null, and will not become it.
    #[must_use]
    pub fn is_never_null(&self) -> bool {
        match self.kind() {
            Kind::Null(_) => false,
            Kind::Unknown(_) => self.known_range().is_some_and(|r| r.not_null),
            _ => true,
        }
    }

    /// The same value with more known of it; one that is known already stays, and so does one of which not even the
    /// type is known.
    pub(crate) fn refined(self, change: impl FnOnce(&mut Range)) -> Self {
        match self.kind() {
            Kind::Unknown(ty) if *ty != Type::Dynamic => {}
            _ => return self,
        }
        let mut range = self.known_range().cloned().unwrap_or_default();
        change(&mut range);
        self.settled(range)
    }

    /// What lies in a range that leaves one value only is that value.
    fn settled(self, range: Range) -> Self {
        let marks = self.marks();
        let known = match self.kind() {
            Kind::Unknown(Type::Number) if range.not_null => match (&range.lower, &range.upper) {
                (Some((low, true)), Some((high, true))) if low == high => {
                    Some(Self::number(low.clone()))
                }
                _ => None,
            },
            Kind::Unknown(Type::List(element)) if range.not_null => {
                exactly(&range).map(|len| Self::list((**element).clone(), unknowns(element, len)))
            }
            Kind::Unknown(Type::Set(element)) if range.not_null => exactly(&range)
                .filter(|len| *len <= 1)
                .map(|len| Self::set((**element).clone(), unknowns(element, len))),
            Kind::Unknown(Type::Map(element)) if range.not_null => exactly(&range)
                .filter(|len| *len == 0)
                .map(|_| Self::map((**element).clone(), std::collections::BTreeMap::new())),
            _ => None,
        };
        match known {
            Some(known) => known.with_marks(&marks),
            None => self.with_range(range),
        }
    }

    /// What is known of it, whether it is known itself or not.
    pub(crate) fn range(&self) -> Range {
        let mut range = match self.kind() {
            Kind::Unknown(_) => return self.known_range().cloned().unwrap_or_default(),
            Kind::Null(_) => return Range::default(),
            Kind::String(text) => Range {
                prefix: text.to_string(),
                ..Range::default()
            },
            Kind::Number(n) => Range {
                lower: Some((n.clone(), true)),
                upper: Some((n.clone(), true)),
                ..Range::default()
            },
            // Elements of a set that are unknown may turn out equal.
            Kind::Set(_, items) if !self.is_wholly_known() => Range {
                length_min: items.len().min(1) as u64,
                length_max: Some(items.len() as u64),
                ..Range::default()
            },
            _ => {
                let len = self.children().count() as u64;
                Range {
                    length_min: len,
                    length_max: Some(len),
                    ..Range::default()
                }
            }
        };
        range.not_null = true;
        range
    }

    /// Whether what is known of this unknown value excludes that it becomes `other`, which is known.
    pub(crate) fn excludes(&self, other: &Self) -> bool {
        let Kind::Unknown(ty) = self.kind() else {
            return false;
        };
        let range = self.range();
        if other.is_null() {
            return range.not_null;
        }
        if !ty.has_dynamic() && *ty != other.ty() {
            return true;
        }
        match other.kind() {
            Kind::String(text) => !text.starts_with(&range.prefix),
            Kind::Number(n) => {
                below(n, range.lower.as_ref()) || below(&-n, negated(range.upper).as_ref())
            }
            Kind::List(..) | Kind::Set(..) | Kind::Map(..) => {
                let others = other.range();
                let too_few = others.length_max.is_some_and(|max| max < range.length_min);
                too_few || range.length_max.is_some_and(|max| others.length_min > max)
            }
            _ => false,
        }
    }
}

impl Range {
    /// The bounds of a length, as a number.
    pub(crate) fn of_length(&self) -> Self {
        Self {
            not_null: true,
            lower: Some((BigDecimal::from(self.length_min), true)),
            upper: self.length_max.map(|max| (BigDecimal::from(max), true)),
            ..Self::default()
        }
    }

    /// What is known of a value that is one of two, of the same kind.
    pub(crate) fn either(self, other: Self) -> Self {
        let wider = |a: Option<(BigDecimal, bool)>, b: Option<(BigDecimal, bool)>, side| {
            let (a, b) = (a?, b?);
            Some(match a.0.cmp(&b.0) {
                Ordering::Equal => (a.0, a.1 || b.1),
                order if order == side => a,
                _ => b,
            })
        };
        Self {
            not_null: self.not_null && other.not_null,
            prefix: String::new(),
            lower: wider(self.lower, other.lower, Ordering::Less),
            upper: wider(self.upper, other.upper, Ordering::Greater),
            length_min: self.length_min.min(other.length_min),
            length_max: self.length_max.zip(other.length_max).map(|(a, b)| a.max(b)),
        }
    }

    /// Whether a number of this range is surely less than one of another, or surely not; `None` while both may be.
    /// Ranges that touch decide nothing, as in Terraform.
    pub(crate) fn is_less(&self, other: &Self) -> Option<bool> {
        let before = |upper: &Option<(BigDecimal, bool)>, lower: &Option<(BigDecimal, bool)>| matches!((upper, lower), (Some((high, _)), Some((low, _))) if high < low);
        if before(&self.upper, &other.lower) {
            return Some(true);
        }
        before(&other.upper, &self.lower).then_some(false)
    }
}

fn exactly(range: &Range) -> Option<usize> {
    let len = range.length_max.filter(|max| *max == range.length_min)?;
    usize::try_from(len).ok()
}

fn unknowns(element: &Type, len: usize) -> Vec<Value> {
    vec![Value::unknown(element.clone()); len]
}

fn below(n: &BigDecimal, bound: Option<&(BigDecimal, bool)>) -> bool {
    bound.is_some_and(|(limit, inclusive)| n < limit || (!inclusive && n == limit))
}

fn negated(bound: Option<(BigDecimal, bool)>) -> Option<(BigDecimal, bool)> {
    bound.map(|(limit, inclusive)| (-limit, inclusive))
}

/// What surely stays of a text when another follows it: its last character may join with what comes (an accent, a
/// modifier of an emoji), unless it is one of those that separate words.
pub(crate) fn safe_prefix(text: &str) -> String {
    const ENDS: &str = "-_:;/\\,.(){}[]|?!~ \t@#$%^&*+\"'";
    let mut len = text.len().min(PREFIX_LEN_MAX);
    while !text.is_char_boundary(len) {
        len -= 1;
    }
    let text = &text[..len];
    let last = text.graphemes(true).next_back().unwrap_or_default();
    if ENDS.contains(last) {
        text.to_owned()
    } else {
        text[..text.len() - last.len()].to_owned()
    }
}

/// The range of a text whose beginning is given.
pub(crate) fn beginning(prefix: impl Into<String>) -> impl FnOnce(&mut Range) {
    let prefix = prefix.into();
    move |range| {
        range.not_null = true;
        range.prefix = prefix;
    }
}

/// Keeps what a conversion between types keeps of what is known.
pub(crate) fn converted(from: &Value, ty: &Type) -> Value {
    let range = from.range();
    let (is_collection, to_collection) = (
        matches!(from.ty(), Type::List(_) | Type::Set(_) | Type::Map(_)),
        matches!(ty, Type::List(_) | Type::Set(_) | Type::Map(_)),
    );
    let (mut length_min, length_max) = match from.ty() {
        Type::Tuple(items) if to_collection => (items.len() as u64, Some(items.len() as u64)),
        Type::Object(fields) if to_collection => (fields.len() as u64, Some(fields.len() as u64)),
        _ if is_collection && to_collection => (range.length_min, range.length_max),
        _ => (0, None),
    };
    // Elements that differ may become equal.
    if matches!(ty, Type::Set(_)) && !matches!(from.ty(), Type::Set(_)) {
        length_min = length_min.min(1);
    }
    Value::unknown(ty.clone()).refined(|out| {
        out.not_null = range.not_null;
        out.length_min = length_min;
        out.length_max = length_max;
    })
}

/// Shared by values that are cloned.
pub(crate) type Shared = Arc<Range>;
