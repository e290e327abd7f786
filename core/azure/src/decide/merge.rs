//! Requests about a part of a document.
//!
//! Terraform has resources that are one field of another's document, and clients that write a document
//! without fields that others wrote. When such a request has to wait for another operation, a copy of the
//! document taken earlier would undo what happened meanwhile; so the request says what it is about, and
//! the document is put together when it is decided.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};
use skybridge_estate::{PutRequest, Refusal, Resource};

use crate::rules::refuse;

/// The member of a document that says what kind of request it is; it is never kept.
const MARK: &str = "skybridge-request";

/// Makes `doc` a JSON merge patch (RFC 7396): its fields are set, nulls take fields away, everything else
/// stays.
pub(crate) fn as_patch(doc: &mut Json) {
    mark(doc, json!({"patch": true}));
}

/// Makes a request keep the fields at `pointers` as they are where `doc` does not have them.
pub(crate) fn keeping(doc: &mut Json, pointers: &[&str]) {
    mark(doc, json!({"keep": pointers}));
}

fn mark(doc: &mut Json, how: Json) {
    if let Some(map) = doc.as_object_mut() {
        map.insert(MARK.to_owned(), how);
    }
}

/// The whole request that a marked one means; `Ok(None)` for one that is whole already, and a patch that
/// only takes away from what is not there changes nothing: `Err(None)`.
pub(super) fn whole(
    put: &PutRequest,
    existing: Option<&Resource>,
) -> Result<Option<PutRequest>, Option<Refusal>> {
    let Some(how) = put.doc.get(MARK) else {
        return Ok(None);
    };
    let mut whole = put.clone();
    if let Some(map) = whole.doc.as_object_mut() {
        map.remove(MARK);
    }
    let Some(existing) = existing else {
        if how.get("patch").is_none() {
            return Ok(Some(whole));
        }
        if is_removal(&whole.doc) {
            return Err(None);
        }
        let message = format!("{} is not there to be changed", put.name);
        return Err(Some(refuse("azure.reference-missing", "", message)));
    };
    if how.get("patch").is_some() {
        patch(&mut whole, existing);
    }
    let keep = how.get("keep").and_then(Json::as_array);
    for pointer in keep.into_iter().flatten().filter_map(Json::as_str) {
        keep_field(&mut whole, existing, pointer);
    }
    Ok(Some(whole))
}

fn is_removal(doc: &Json) -> bool {
    match doc {
        Json::Object(map) => map.values().all(is_removal),
        Json::Null => true,
        Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => false,
    }
}

fn patch(put: &mut PutRequest, existing: &Resource) {
    let mut doc = existing.doc.clone();
    let mut touched = BTreeSet::new();
    merge(&mut doc, &put.doc, "", &mut touched);
    let given = std::mem::take(&mut put.unknown);
    let is_touched = |pointer: &String| touched.iter().any(|t| below(pointer, t));
    put.unknown
        .extend(existing.unknown.iter().filter(|u| !is_touched(u)).cloned());
    put.unknown.extend(given);
    put.doc = doc;
    let places = put.origin.take().map(|o| o.places).unwrap_or_default();
    put.origin.clone_from(&existing.origin);
    if let Some(origin) = &mut put.origin {
        origin.places.retain(|pointer, _| !is_touched(pointer));
        // The patch's own place is not that of the whole resource.
        let fields = places
            .into_iter()
            .filter(|(pointer, _)| !pointer.is_empty());
        origin.places.extend(fields);
    }
}

/// RFC 7396 §2; notes the pointers of what was set or removed.
fn merge(doc: &mut Json, patch: &Json, at: &str, touched: &mut BTreeSet<String>) {
    let Json::Object(fields) = patch else {
        touched.insert(at.to_owned());
        *doc = patch.clone();
        return;
    };
    if !doc.is_object() {
        *doc = Json::Object(Map::new());
    }
    let Some(map) = doc.as_object_mut() else {
        return;
    };
    for (name, value) in fields {
        let pointer = format!("{at}/{name}");
        if value.is_null() {
            touched.insert(pointer);
            map.remove(name);
        } else {
            merge(
                map.entry(name).or_insert(Json::Null),
                value,
                &pointer,
                touched,
            );
        }
    }
}

fn below(pointer: &str, above: &str) -> bool {
    pointer
        .strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn keep_field(put: &mut PutRequest, existing: &Resource, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else {
        return;
    };
    let given = put.doc.pointer(pointer).is_some();
    let Some(kept) = existing.doc.pointer(pointer).filter(|_| !given) else {
        return;
    };
    if let Some(map) = put.doc.pointer_mut(parent).and_then(Json::as_object_mut) {
        map.insert(name.to_owned(), kept.clone());
    }
    let unknown = existing.unknown.iter().filter(|u| below(u, pointer));
    put.unknown.extend(unknown.cloned());
    if let (Some(origin), Some(before)) = (&mut put.origin, &existing.origin) {
        let places = before.places.iter().filter(|(p, _)| below(p, pointer));
        origin
            .places
            .extend(places.map(|(p, place)| (p.clone(), place.clone())));
    }
}
