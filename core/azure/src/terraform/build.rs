//! From evaluated arguments to an ARM document, with its placeholders and the places of its fields.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use skybridge_estate::{Origin, Party, Place, PutRequest, ResourceId};
use skybridge_hcl::{Span, Spans, Value};

/// A document in the making.
pub(super) struct Made<'a> {
    pub(super) doc: Json,
    pub(super) unknown: BTreeSet<String>,
    pub(super) places: BTreeMap<String, Place>,
    pub(super) config: &'a Value,
    address: &'a str,
    spans: &'a Spans,
}

impl<'a> Made<'a> {
    pub(super) fn new(address: &'a str, config: &'a Value, spans: &'a Spans) -> Self {
        let mut places = BTreeMap::new();
        if let Some(block) = &spans.block {
            places.insert(String::new(), place(block));
        }
        Self {
            doc: json!({}),
            unknown: BTreeSet::new(),
            places,
            config,
            address,
            spans,
        }
    }

    /// Takes the argument at `path` over to `pointer`; one that is absent, null, an empty text, or unknown
    /// because the cloud decides it, is left out. True when there was one.
    pub(super) fn value(&mut self, path: &str, pointer: &str) -> bool {
        let Some(value) = self.config.at(path) else {
            return false;
        };
        let for_the_cloud = value.is_unknown() && !value.is_placeholder();
        if value.is_null() || value.as_str() == Some("") || for_the_cloud {
            return false;
        }
        self.put(value, path, pointer);
        true
    }

    fn put(&mut self, value: &Value, path: &str, pointer: &str) {
        let container = value.as_slice().is_some();
        if let Some(span) = self.spans.find(path) {
            self.places.insert(pointer.to_owned(), place(span));
        }
        let own = value.marks();
        if value.is_unknown() || !own.placeholder.is_empty() {
            self.unknown.insert(pointer.to_owned());
        }
        if !container {
            set(&mut self.doc, pointer, to_json(value));
            return;
        }
        set(&mut self.doc, pointer, json!([]));
        for (i, item) in value.as_slice().unwrap_or_default().iter().enumerate() {
            self.put(item, &format!("{path}[{i}]"), &format!("{pointer}/{i}"));
        }
    }

    /// Each id of the list at `path` becomes an object with that `id`.
    pub(super) fn references(&mut self, path: &str, pointer: &str) {
        for i in 0..self
            .config
            .at(path)
            .map_or(0, |v| v.as_slice().map_or(0, <[Value]>::len))
        {
            self.value(&format!("{path}[{i}]"), &format!("{pointer}/{i}/id"));
        }
    }

    /// Notes that somebody else decides a field, such as an address manager.
    pub(super) fn undecided(&mut self, pointer: &str) {
        self.unknown.insert(pointer.to_owned());
    }

    /// How many blocks of a name there are.
    pub(super) fn blocks(&self, path: &str) -> usize {
        let found = self.config.at(path).and_then(Value::as_slice);
        found.map_or(0, <[Value]>::len)
    }

    /// Sets a field that no argument gives alone.
    pub(super) fn fixed(&mut self, pointer: &str, value: Json) {
        set(&mut self.doc, pointer, value);
    }

    pub(super) fn into_request(self, kind: &str, id: ResourceId, name: String) -> PutRequest {
        PutRequest {
            party: Party::Azure,
            kind: kind.into(),
            id: Some(id),
            name,
            parent: None,
            doc: self.doc,
            unknown: self.unknown,
            origin: Some(Origin {
                stack: String::new(),
                address: self.address.to_owned(),
                places: self.places,
            }),
        }
    }
}

/// A place in the estate's form.
pub(super) fn place(span: &Span) -> Place {
    Place {
        file: span.file.clone(),
        line: span.line,
        column: span.column,
        start: span.start,
        end: span.end,
    }
}

/// A value without its marks; an unknown one is null, numbers are whole.
pub(super) fn to_json(value: &Value) -> Json {
    if let Some(text) = value.as_str() {
        return json!(text);
    }
    if let Some(flag) = value.as_bool() {
        return json!(flag);
    }
    if let Some(number) = value.as_number() {
        let whole = value.as_i64().map(|n| json!(n));
        return whole.unwrap_or_else(|| json!(skybridge_hcl::number_to_string(number)));
    }
    if let Some(items) = value.as_slice() {
        return items.iter().map(to_json).collect();
    }
    let map = value.as_map().into_iter().flatten();
    let map: serde_json::Map<String, Json> = map.map(|(k, v)| (k.clone(), to_json(v))).collect();
    if value.as_map().is_some() {
        Json::Object(map)
    } else {
        Json::Null
    }
}

/// Sets the value at a JSON pointer; objects and arrays on the way are made.
pub(super) fn set(doc: &mut Json, pointer: &str, value: Json) {
    let mut at = doc;
    let mut segments = pointer.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let next_is_index = segments.peek().is_some_and(|s| s.parse::<usize>().is_ok());
        let fresh = if next_is_index { json!([]) } else { json!({}) };
        at = match (segment.parse::<usize>(), at) {
            (Ok(index), Json::Array(items)) => {
                while items.len() <= index {
                    items.push(if segments.peek().is_some() {
                        fresh.clone()
                    } else {
                        Json::Null
                    });
                }
                match items.get_mut(index) {
                    Some(item) => item,
                    None => return,
                }
            }
            (_, at) => {
                if !at.is_object() {
                    *at = json!({});
                }
                match at.as_object_mut() {
                    Some(map) => map.entry(segment).or_insert(fresh),
                    None => return,
                }
            }
        };
    }
    *at = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_arrays_on_the_way_are_made() {
        let mut doc = json!({});
        set(&mut doc, "/a/b/0/id", json!("x"));
        set(&mut doc, "/a/b/1/id", json!("y"));
        set(&mut doc, "/a/c", json!([1]));
        set(&mut doc, "/a/c/0", json!(2));
        assert_eq!(
            doc,
            json!({"a": {"b": [{"id": "x"}, {"id": "y"}], "c": [2]}})
        );
    }
}
