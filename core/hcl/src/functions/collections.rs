//! Collection functions.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::{
    Call, CallError, Function, P, Result, boolean, dynamic, number, pure, result, strings,
};
use crate::convert::{convert, unify};
use crate::operators::equal;
use crate::ty::Type;
use crate::value::{Kind, Marks, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    pure("alltrue", &[P::Bools], boolean, |c| every(c, true)).raw(),
    pure("anytrue", &[P::Bools], boolean, |c| every(c, false)).raw(),
    pure("chunklist", &[P::List, P::Num], result::lists_of, chunklist).shallow(),
    pure("coalesce", &[], dynamic, coalesce)
        .rest(P::Nullable)
        .raw(),
    pure("coalescelist", &[], dynamic, coalescelist)
        .rest(P::Nullable)
        .raw(),
    pure("compact", &[P::Strs], strings, compact),
    pure("concat", &[], result::concatenated, concat)
        .rest(P::Seq)
        .shallow(),
    pure("contains", &[P::Items, P::Any], boolean, contains).raw(),
    pure("distinct", &[P::List], result::first, distinct),
    pure("element", &[P::Seq, P::Num], result::element, element)
        .shallow()
        .nullable(),
    pure("flatten", &[P::Items], dynamic, flatten).raw(),
    pure("index", &[P::Seq, P::Any], number, index).shallow(),
    pure("keys", &[P::Mapping], strings, keys).raw(),
    pure("length", &[P::Any], number, length).raw(),
    // Two forms of Terraform 0.11 that later versions dropped.
    pure("list", &[], dynamic, |c| Ok(Value::tuple(c.args.to_vec())))
        .rest(P::Nullable)
        .raw(),
    pure(
        "lookup",
        &[P::Mapping, P::Str, P::Nullable],
        dynamic,
        lookup,
    )
    .optional(1)
    .raw()
    .nullable(),
    pure("map", &[], dynamic, legacy_map).rest(P::Any).raw(),
    pure(
        "matchkeys",
        &[P::List, P::List, P::List],
        result::first,
        matchkeys,
    )
    .shallow(),
    pure("merge", &[], result::merged, merge)
        .rest(P::MappingOrNull)
        .shallow(),
    pure("one", &[P::Items], result::element, one)
        .shallow()
        .nullable(),
    pure("range", &[P::Num], numbers_list, range).rest(P::Num),
    pure("reverse", &[P::Items], result::reversed, reverse).shallow(),
    pure("setintersection", &[P::Set], result::set, |c| {
        sets(c, SetOp::Intersection)
    })
    .rest(P::Set),
    pure("setproduct", &[], dynamic, setproduct)
        .rest(P::Items)
        .shallow(),
    pure("setsubtract", &[P::Set, P::Set], result::set, |c| {
        sets(c, SetOp::Difference)
    }),
    pure("setunion", &[P::Set], result::set, |c| {
        sets(c, SetOp::Union)
    })
    .rest(P::Set)
    .shallow(),
    pure("slice", &[P::Seq, P::Num, P::Num], result::part, slice).shallow(),
    pure("sort", &[P::Strs], strings, sort).shallow(),
    pure("sum", &[P::Items], number, sum),
    pure("transpose", &[P::Lists], lists_by_key, transpose),
    pure("values", &[P::Mapping], result::values, values).shallow(),
    pure("zipmap", &[P::Strs, P::Seq], result::zipped, zipmap).shallow(),
];

/// Most elements a function may produce.
const ELEMENTS_MAX: usize = 1_000_000;

fn numbers_list(_: &[Value]) -> Type {
    Type::list(Type::Number)
}

fn lists_by_key(_: &[Value]) -> Type {
    Type::map(Type::list(Type::String))
}

fn sequence<'a>(c: &'a Call<'_>, index: usize) -> Result<&'a [Value]> {
    c.args[index]
        .as_slice()
        .ok_or_else(|| CallError::arg(index, "a list, set or tuple is required"))
}

fn every(c: &Call<'_>, wanted: bool) -> Result {
    let Some(items) = c.args[0].as_slice() else {
        if c.args[0].is_unknown() {
            return Ok(Value::unknown(Type::Bool));
        }
        return Err(CallError::arg(0, "a list of bool is required"));
    };
    let mut unknown = false;
    let mut marks = Marks::default();
    for item in items {
        marks.join(&item.marks());
        // As in Terraform, alltrue does not look past what is not known, and anytrue does.
        if wanted && item.is_unknown() {
            return Ok(Value::unknown(Type::Bool).with_marks(&marks));
        }
        let item = convert(item, &Type::Bool).map_err(|e| CallError::arg(0, e.to_string()))?;
        match item.as_bool() {
            Some(b) if b != wanted => return Ok(Value::bool(!wanted).with_marks(&marks)),
            Some(_) => {}
            None if item.is_unknown() => unknown = true,
            // A null is not true.
            None if wanted => return Ok(Value::bool(false).with_marks(&marks)),
            None => {}
        }
    }
    let value = if unknown {
        Value::unknown(Type::Bool)
    } else {
        Value::bool(wanted)
    };
    Ok(value.with_marks(&marks))
}

fn chunklist(c: &Call<'_>) -> Result {
    let size = usize::try_from(c.int(1)?)
        .map_err(|_| CallError::arg(1, "the size must not be negative"))?;
    let items = c.items(0);
    let element = element_type(&c.args[0]);
    let chunk = |part: &[Value]| Value::list(element.clone(), part.to_vec());
    let chunks = if size == 0 {
        vec![chunk(items)]
    } else {
        items.chunks(size).map(chunk).collect()
    };
    Ok(Value::list(Type::list(element.clone()), chunks))
}

fn element_type(value: &Value) -> Type {
    match value.ty() {
        Type::List(t) | Type::Set(t) | Type::Map(t) => *t,
        _ => Type::Dynamic,
    }
}

fn coalesce(c: &Call<'_>) -> Result {
    let types: Vec<Type> = c.args.iter().map(Value::ty).collect();
    let ty = unify(&types).ok_or("all arguments must have the same type")?;
    let mut marks = Marks::default();
    for value in c.args {
        marks.join(&value.deep_marks());
    }
    for value in c.args {
        if value.is_unknown() {
            return Ok(Value::unknown(ty).with_marks(&marks));
        }
        if value.is_null() || (ty == Type::String && value.as_str() == Some("")) {
            continue;
        }
        let value = convert(value, &ty).map_err(|e| CallError::from(e.to_string()))?;
        return Ok(value.with_marks(&marks));
    }
    Err("no non-null, non-empty-string arguments".into())
}

fn coalescelist(c: &Call<'_>) -> Result {
    if let Some(at) = (c.args.iter())
        .position(|v| v.ty() == Type::Dynamic && v.is_null() || P::Seq.refusal(&v.ty()).is_some())
    {
        return Err(CallError::about(at, "arguments must be lists or tuples"));
    }
    let mut marks = Marks::default();
    for value in c.args {
        marks.join(&value.deep_marks());
    }
    for value in c.args {
        if value.is_unknown() {
            let types: Vec<Type> = c.args.iter().map(Value::ty).collect();
            let alike = types.iter().all(|t| *t == value.ty());
            let ty = if alike { value.ty() } else { Type::Dynamic };
            return Ok(Value::unknown(ty).with_marks(&marks));
        }
        if value.as_slice().is_some_and(|items| !items.is_empty()) {
            return Ok(value.clone().with_marks(&marks));
        }
    }
    Err("no non-null arguments with elements".into())
}

fn compact(c: &Call<'_>) -> Result {
    let kept = c
        .items(0)
        .iter()
        .filter(|v| v.as_str().is_some_and(|s| !s.is_empty()));
    Ok(Value::list(Type::String, kept.cloned().collect()))
}

fn concat(c: &Call<'_>) -> Result {
    if c.args.is_empty() {
        return Err("at least one argument is required".into());
    }
    let mut items = Vec::new();
    for index in 0..c.len() {
        items.extend_from_slice(sequence(c, index)?);
    }
    // Lists of one type stay a list, anything else is a tuple.
    let types: Vec<Type> = c.args.iter().map(element_type).collect();
    if c.args.iter().all(|a| matches!(a.kind(), Kind::List(..)))
        && let Some(element) = unify(&types)
    {
        let items: Option<Vec<Value>> = items.iter().map(|v| convert(v, &element).ok()).collect();
        return Ok(Value::list(
            element,
            items.ok_or("elements have no type in common")?,
        ));
    }
    Ok(Value::tuple(items))
}

fn contains(c: &Call<'_>) -> Result {
    let mut marks = c.args[1].deep_marks();
    if c.args[0].is_unknown() || c.args[1].is_unknown() {
        return Ok(Value::unknown(Type::Bool).with_marks(&marks));
    }
    let mut unknown = false;
    for item in sequence(c, 0)? {
        marks.join(&item.deep_marks());
        match equal(item, &c.args[1]).as_bool() {
            Some(true) => return Ok(Value::bool(true).with_marks(&marks)),
            Some(false) => {}
            None => unknown = true,
        }
    }
    let value = if unknown {
        Value::unknown(Type::Bool)
    } else {
        Value::bool(false)
    };
    Ok(value.with_marks(&marks))
}

fn distinct(c: &Call<'_>) -> Result {
    let mut seen: BTreeSet<Ordered<'_>> = BTreeSet::new();
    let kept = c.items(0).iter().filter(|v| seen.insert(Ordered(v)));
    let kept = kept.cloned().collect();
    Ok(Value::list(element_type(&c.args[0]), kept))
}

/// A value in the order of sets.
struct Ordered<'a>(&'a Value);
impl PartialEq for Ordered<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Ordered<'_> {}
impl PartialOrd for Ordered<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ordered<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.content_cmp(other.0)
    }
}

fn element(c: &Call<'_>) -> Result {
    let (Kind::List(_, items) | Kind::Tuple(items)) = c.args[0].kind() else {
        return Err(CallError::arg(0, "a list or tuple is required"));
    };
    let len = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if len == 0 {
        return Err(CallError::about(
            0,
            "cannot use element function with an empty list",
        ));
    }
    // The index wraps around, from the end when negative (Terraform 1.10).
    let at = usize::try_from(c.int(1)?.rem_euclid(len)).unwrap_or(0);
    Ok(items[at].clone())
}

fn flatten(c: &Call<'_>) -> Result {
    fn walk(value: &Value, out: &mut Vec<Value>, marks: &mut Marks) -> bool {
        marks.join(&value.marks());
        let Some(items) = value.as_slice() else {
            return false;
        };
        // Elements of a set that are not known may turn out equal.
        let mut known = !matches!(value.kind(), Kind::Set(..)) || value.is_wholly_known();
        for item in items {
            if item.as_slice().is_some() {
                known &= walk(item, out, marks);
            } else if item.is_unknown() && !item.ty().is_primitive() {
                // It may become a list of any length.
                known = matches!(item.ty(), Type::Object(_) | Type::Map(_)) && known;
                out.push(item.clone());
            } else {
                out.push(item.clone());
            }
        }
        known
    }
    if c.args[0].is_unknown() {
        return Ok(Value::unknown(Type::Dynamic));
    }
    let mut out = Vec::new();
    let mut marks = Marks::default();
    if c.args[0].as_slice().is_none() {
        return Err(CallError::arg(0, "can only flatten lists, sets and tuples"));
    }
    let known = walk(&c.args[0], &mut out, &mut marks);
    let value = if known {
        Value::tuple(out)
    } else {
        Value::unknown(Type::Dynamic)
    };
    Ok(value.with_marks(&marks))
}

fn index(c: &Call<'_>) -> Result {
    let mut marks = c.args[0].deep_marks();
    marks.join(&c.args[1].deep_marks());
    for (at, item) in sequence(c, 0)?.iter().enumerate() {
        let equal = equal(item, &c.args[1]);
        let found = match equal.as_bool() {
            Some(false) => continue,
            Some(true) => Value::number(at as u64),
            None => Value::unknown(Type::Number),
        };
        return Ok(found.with_marks(&marks));
    }
    Err("item not found".into())
}

fn keys(c: &Call<'_>) -> Result {
    match c.args[0].kind() {
        Kind::Unknown(Type::Object(fields)) => {
            return Ok(Value::tuple(fields.keys().map(Value::string).collect()));
        }
        Kind::Unknown(Type::Map(_)) => return Ok(Value::unknown(strings(c.args))),
        Kind::Unknown(_) => return Ok(Value::unknown(Type::Dynamic)),
        _ => {}
    }
    let map = c.args[0]
        .as_map()
        .ok_or_else(|| CallError::arg(0, "a map or object is required"))?;
    if matches!(c.args[0].kind(), Kind::Object(_)) {
        return Ok(Value::tuple(map.keys().map(Value::string).collect()));
    }
    Ok(Value::strings(map.keys()))
}

fn length(c: &Call<'_>) -> Result {
    let value = &c.args[0];
    if let Some(text) = value.as_str() {
        use unicode_segmentation::UnicodeSegmentation as _;
        return Ok(Value::number(text.graphemes(true).count() as u64));
    }
    if let Some(map) = value.as_map() {
        return Ok(Value::number(map.len() as u64));
    }
    if let Some(items) = value.as_slice() {
        // Unknown elements of a set may turn out equal.
        let merge = matches!(value.kind(), Kind::Set(..)) && !value.is_wholly_known();
        return Ok(if merge && items.len() > 1 {
            of_length(value)
        } else {
            Value::number(items.len() as u64)
        });
    }
    match value.kind() {
        Kind::Unknown(Type::Tuple(items)) => Ok(Value::number(items.len() as u64)),
        Kind::Unknown(Type::Object(fields)) => Ok(Value::number(fields.len() as u64)),
        Kind::Unknown(Type::Bool | Type::Number) | Kind::Bool(_) | Kind::Number(_) => {
            Err(CallError::arg(
                0,
                "argument must be a string, a collection type, or a structural type",
            ))
        }
        Kind::Unknown(Type::String) => {
            use unicode_segmentation::UnicodeSegmentation as _;
            let least = value.range().prefix.graphemes(true).count() as u64;
            Ok(Value::unknown(Type::Number).refined(|r| r.lower = Some((least.into(), true))))
        }
        _ => Ok(of_length(value)),
    }
}

/// A number of elements that is not known, within its bounds.
fn of_length(value: &Value) -> Value {
    let range = value.range().of_length();
    Value::unknown(Type::Number).refined(|r| *r = range)
}

fn lookup(c: &Call<'_>) -> Result {
    let default = c.args.get(2);
    let (container, key) = (&c.args[0], &c.args[1]);
    if container.is_unknown() || key.is_unknown() {
        let ty = match (container.ty(), key.as_str()) {
            (Type::Map(element), _) => *element,
            (Type::Object(fields), Some(key)) => match (fields.get(key), default) {
                (Some(field), _) => field.ty.clone(),
                (None, Some(default)) => return Ok(default.clone()),
                (None, None) => {
                    let message = format!("the object has no attribute \"{key}\"");
                    return Err(CallError::arg(0, message));
                }
            },
            _ => Type::Dynamic,
        };
        return Ok(Value::unknown(ty));
    }
    let Some(map) = container.as_map() else {
        return Err(CallError::arg(0, "a map or object is required"));
    };
    let key = c.str(1);
    if let Some(found) = map.get(key) {
        return Ok(found.clone());
    }
    if let Some(placeholder) = container.open_attr(key) {
        return Ok(placeholder);
    }
    match (default, container.kind()) {
        (Some(default), Kind::Map(element, _)) => {
            convert(default, element).map_err(|e| CallError::arg(2, e.to_string()))
        }
        (Some(default), _) => Ok(default.clone()),
        (None, _) => Err(CallError::arg(
            0,
            format!("lookup failed to find key \"{key}\""),
        )),
    }
}

fn legacy_map(c: &Call<'_>) -> Result {
    if !c.len().is_multiple_of(2) {
        return Err("an even number of arguments is required".into());
    }
    let mut out = BTreeMap::new();
    for pair in c.args.chunks(2) {
        let key = convert(&pair[0], &Type::String).map_err(|e| CallError::from(e.to_string()))?;
        let Some(key) = key.as_str() else {
            return Ok(Value::unknown(Type::Dynamic));
        };
        out.insert(key.to_owned(), pair[1].clone());
    }
    Ok(Value::object(out))
}

fn matchkeys(c: &Call<'_>) -> Result {
    let (items, keys, wanted) = (c.items(0), c.items(1), c.items(2));
    if items.len() != keys.len() {
        return Err("length of keys and values should be equal".into());
    }
    let mut marks = Marks::default();
    for value in c.args {
        marks.join(&value.deep_marks());
    }
    if c.args.iter().any(|v| !v.is_wholly_known()) {
        return Ok(Value::unknown(c.args[0].ty()).with_marks(&marks));
    }
    let types = [element_type(&c.args[1]), element_type(&c.args[2])];
    let ty = unify(&types).ok_or("keys and searchset must be of the same type")?;
    let alike = |v: &Value| convert(v, &ty).unwrap_or_else(|_| v.clone());
    let wanted: Vec<Value> = wanted.iter().map(alike).collect();
    let found = |key: &Value| {
        let key = alike(key);
        let mut equals = wanted.iter().map(|w| equal(&key, w));
        equals.any(|e| e.as_bool() == Some(true))
    };
    let kept = items
        .iter()
        .zip(keys)
        .filter(|(_, k)| found(k))
        .map(|(v, _)| v.clone());
    Ok(Value::list(element_type(&c.args[0]), kept.collect()).with_marks(&marks))
}

fn merge(c: &Call<'_>) -> Result {
    let mut out = BTreeMap::new();
    let mut element = Vec::new();
    let mut all_maps = true;
    for (index, value) in c.args.iter().enumerate() {
        if value.is_null() {
            continue;
        }
        let Some(map) = value.as_map() else {
            return Err(CallError::about(index, "arguments must be maps or objects"));
        };
        all_maps &= matches!(value.kind(), Kind::Map(..));
        element.push(element_type(value));
        out.extend(map.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
    if all_maps && !element.is_empty() && element.windows(2).all(|w| w[0] == w[1]) {
        return Ok(Value::map(element.swap_remove(0), out));
    }
    Ok(Value::object(out))
}

fn one(c: &Call<'_>) -> Result {
    // Elements of a set that are not known may turn out equal.
    if matches!(c.args[0].kind(), Kind::Set(..)) && !c.args[0].is_wholly_known() {
        return Ok(Value::unknown(element_type(&c.args[0])));
    }
    match sequence(c, 0)? {
        [] => Ok(Value::null_of(element_type(&c.args[0]))),
        [only] => Ok(only.clone()),
        _ => Err(CallError::arg(
            0,
            "must be a list, set, or tuple value with either zero or one elements",
        )),
    }
}

fn range(c: &Call<'_>) -> Result {
    let number = |i: usize| c.args[i].as_number().cloned().unwrap_or_default();
    let zero = bigdecimal::BigDecimal::from(0);
    let one = bigdecimal::BigDecimal::from(1);
    let (start, end, step) = match c.len() {
        1 => (zero.clone(), number(0), None),
        2 => (number(0), number(1), None),
        3 => (number(0), number(1), Some(number(2))),
        n => return Err(format!("it takes 1 to 3 arguments, not {n}").into()),
    };
    let step = step.unwrap_or_else(|| if end < start { -one } else { one });
    if step == zero && start != end {
        return Err(CallError::about(2, "step must not be zero"));
    }
    if (step < zero && end > start) || (step > zero && end < start) {
        return Err("the step leads away from the limit".into());
    }
    let mut out = Vec::new();
    let mut at = start;
    while (step > zero && at < end) || (step < zero && at > end) {
        if out.len() >= 1024 {
            return Err("more than 1024 values were generated".into());
        }
        out.push(Value::number(at.clone()));
        at += &step;
    }
    Ok(Value::list(Type::Number, out))
}

fn reverse(c: &Call<'_>) -> Result {
    let items: Vec<Value> = sequence(c, 0)?.iter().rev().cloned().collect();
    Ok(match c.args[0].kind() {
        Kind::Tuple(_) => Value::tuple(items),
        _ => Value::list(element_type(&c.args[0]), items),
    })
}

#[derive(Clone, Copy)]
enum SetOp {
    Union,
    Intersection,
    Difference,
}

fn sets(c: &Call<'_>, op: SetOp) -> Result {
    let types: Vec<Type> = c.args.iter().map(element_type).collect();
    let element = unify(&types).ok_or("the sets have no element type in common")?;
    let ty = Type::set(element.clone());
    let mut converted = Vec::new();
    for value in c.args {
        converted.push(convert(value, &ty).map_err(|e| CallError::from(e.to_string()))?);
    }
    let mut parts = converted.iter().map(|v| v.as_slice().unwrap_or_default());
    let mut out: Vec<Value> = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        let members: BTreeSet<Ordered<'_>> = part.iter().map(Ordered).collect();
        let has = |v: &Value| members.contains(&Ordered(v));
        match op {
            SetOp::Union => out.extend_from_slice(part),
            SetOp::Intersection => out.retain(has),
            SetOp::Difference => out.retain(|v| !has(v)),
        }
    }
    let mut marks = Marks::default();
    for value in c.args {
        marks.join(&value.deep_marks());
    }
    Ok(Value::set(element, out).with_marks(&marks))
}

fn setproduct(c: &Call<'_>) -> Result {
    if c.len() < 2 {
        return Err("at least two arguments are required".into());
    }
    let mut size: usize = 1;
    let mut all_sets = true;
    for (index, value) in c.args.iter().enumerate() {
        size = size.saturating_mul(sequence(c, index)?.len());
        all_sets &= matches!(value.kind(), Kind::Set(..));
    }
    if size > ELEMENTS_MAX {
        return Err(format!("the product has {size} elements, more than {ELEMENTS_MAX}").into());
    }
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for value in c.args {
        let ty = element_type_of_any(value);
        let items = value.as_slice().unwrap_or_default().iter();
        let items: Vec<Value> = items
            .map(|item| convert(item, &ty).unwrap_or_else(|_| item.clone()))
            .collect();
        rows = rows
            .into_iter()
            .flat_map(|row| {
                items.iter().map(move |item| {
                    let mut row = row.clone();
                    row.push(item.clone());
                    row
                })
            })
            .collect();
    }
    let element = Type::Tuple(c.args.iter().map(element_type_of_any).collect());
    let rows: Vec<Value> = rows.into_iter().map(Value::tuple).collect();
    if all_sets {
        return Ok(Value::set(element, rows));
    }
    Ok(if element.has_dynamic() {
        Value::tuple(rows)
    } else {
        Value::list(element, rows)
    })
}

/// The element type of a list or set, and of a tuple whose elements are alike.
fn element_type_of_any(value: &Value) -> Type {
    match value.ty() {
        Type::Tuple(types) => unify(&types).unwrap_or(Type::Dynamic),
        _ => element_type(value),
    }
}

fn slice(c: &Call<'_>) -> Result {
    let items = sequence(c, 0)?;
    let bound = |index: usize| {
        usize::try_from(c.int(index)?)
            .map_err(|_| CallError::arg(index, "index must not be negative"))
    };
    let (start, end) = (bound(1)?, bound(2)?);
    if start > end {
        return Err(CallError::arg(
            1,
            "start index must not be greater than end index",
        ));
    }
    let part = items.get(start..end).ok_or_else(|| {
        CallError::arg(
            2,
            format!(
                "end index must not be greater than the length {}",
                items.len()
            ),
        )
    })?;
    Ok(match c.args[0].kind() {
        Kind::Tuple(_) => Value::tuple(part.to_vec()),
        Kind::List(t, _) => Value::list(t.clone(), part.to_vec()),
        _ => return Err(CallError::arg(0, "a list or tuple is required")),
    })
}

fn sort(c: &Call<'_>) -> Result {
    // Which element is where tells something of each of them.
    let marks = c.args.first().map(Value::deep_marks).unwrap_or_default();
    let items = c.items(0);
    if items.iter().any(Value::is_unknown) {
        // In an order that is not known, but as many.
        let unknown = vec![Value::unknown(Type::String); items.len()];
        return Ok(Value::list(Type::String, unknown).with_marks(&marks));
    }
    let mut items = c.strs(0)?;
    items.sort_unstable();
    Ok(Value::strings(items).with_marks(&marks))
}

fn sum(c: &Call<'_>) -> Result {
    let items = sequence(c, 0)?;
    if items.is_empty() {
        return Err(CallError::arg(0, "cannot sum an empty list"));
    }
    let mut total = bigdecimal::BigDecimal::from(0);
    for item in items {
        let item = convert(item, &Type::Number).map_err(|e| CallError::arg(0, e.to_string()))?;
        total += item
            .as_number()
            .ok_or_else(|| CallError::arg(0, "elements must be numbers"))?;
    }
    Ok(Value::number(total))
}

fn transpose(c: &Call<'_>) -> Result {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, list) in c.args[0].as_map().into_iter().flatten() {
        let list = convert(list, &Type::list(Type::String))
            .map_err(|e| CallError::arg(0, e.to_string()))?;
        if list.is_null() {
            return Err(CallError::about(0, "a list in it is null"));
        }
        for item in list.as_slice().unwrap_or_default() {
            let item = item
                .as_str()
                .ok_or_else(|| CallError::arg(0, "null element"))?;
            out.entry(item.to_owned()).or_default().push(key.clone());
        }
    }
    let out = out.into_iter().map(|(k, mut v)| {
        v.sort_unstable();
        (k, Value::strings(v))
    });
    Ok(Value::map(Type::list(Type::String), out.collect()))
}

fn values(c: &Call<'_>) -> Result {
    let map = c.args[0]
        .as_map()
        .ok_or_else(|| CallError::arg(0, "a map or object is required"))?;
    let items = map.values().cloned().collect();
    Ok(match c.args[0].kind() {
        Kind::Map(t, _) => Value::list(t.clone(), items),
        _ => Value::tuple(items),
    })
}

fn zipmap(c: &Call<'_>) -> Result {
    let values = sequence(c, 1)?;
    let keys = c.items(0);
    if keys.len() != values.len() {
        let message = format!(
            "number of keys ({}) does not match number of values ({})",
            keys.len(),
            values.len()
        );
        return Err(message.into());
    }
    let mut out = BTreeMap::new();
    for (at, (key, value)) in keys.iter().zip(values).enumerate() {
        if key.is_null() {
            return Err(format!("the keys have a null at index {at}").into());
        }
        let Some(name) = key.as_str() else {
            return Ok(Value::unknown(Type::Dynamic));
        };
        out.insert(name.to_owned(), value.clone().with_marks(&key.marks()));
    }
    Ok(match c.args[1].kind() {
        Kind::List(t, _) => Value::map(t.clone(), out),
        _ => Value::object(out),
    })
}
