//! Resources: the client's document, what the cloud computed, and where it came from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use skybridge_base::Instant;

/// A resource's id in its cloud's own form: an ARM resource id, or an OCID. ARM ids compare without case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceId(Arc<str>);

impl ResourceId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment: the name in an ARM id, the whole OCID otherwise.
    #[must_use]
    pub fn leaf(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl From<&str> for ResourceId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for ResourceId {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A resource type in its cloud's own terms, such as `Microsoft.Network/virtualNetworks` or `oci/vcn`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kind(pub Arc<str>);

impl Kind {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Kind {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Whose resource it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cloud {
    /// Microsoft Azure.
    Azure,
    /// Oracle Cloud Infrastructure.
    Oci,
}

impl Cloud {
    /// The name people use.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Azure => "Azure",
            Self::Oci => "OCI",
        }
    }
}

/// Where a resource is in its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Being created; not usable.
    Creating,
    /// Usable.
    Ready,
    /// Usable while being changed.
    Updating,
    /// On its way out; not usable.
    Deleting,
    /// Broken by a failed operation.
    Failed,
}

/// A place in a source file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Place {
    /// Path as the user knows it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// First octet in the file.
    pub start: u32,
    /// One past the last octet.
    pub end: u32,
}

/// Where a resource came from.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Origin {
    /// The stack that it belongs to, where the front door has stacks: addresses are unique in one only.
    #[serde(default)]
    pub stack: String,
    /// The address in its front door, such as `azurerm_virtual_network.hub`.
    pub address: String,
    /// Source places by JSON pointer into the document; the empty pointer is the whole resource.
    pub places: BTreeMap<String, Place>,
}

impl Origin {
    /// The place of `pointer`, or of the nearest thing that contains it.
    #[must_use]
    pub fn place(&self, pointer: &str) -> Option<&Place> {
        let mut rest = pointer;
        loop {
            if let Some(place) = self.places.get(rest) {
                return Some(place);
            }
            rest = &rest[..rest.rfind('/')?];
        }
    }
}

/// One resource.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Resource {
    /// Its id.
    pub id: ResourceId,
    /// Whose it is.
    pub cloud: Cloud,
    /// Its type.
    pub kind: Kind,
    /// The name a person gave it (display name in OCI).
    pub name: String,
    /// What it is nested in; a parent takes one write at a time.
    pub parent: Option<ResourceId>,
    /// The client's document in the cloud's own API form.
    pub doc: Json,
    /// Read-only fields that the cloud computed, in the same form.
    pub computed: Json,
    /// Values nobody knows: JSON pointers into `doc` that hold placeholders.
    pub unknown: BTreeSet<String>,
    /// Where it is in its life.
    pub phase: Phase,
    /// Counts writes; the base of the etag.
    pub revision: u64,
    /// When it was accepted.
    pub created_at: Instant,
    /// Where it came from.
    pub origin: Option<Origin>,
}

/// What a JSON pointer (RFC 6901) leads to. As [`Json::pointer`], which allocates for each of its steps: documents
/// are read far more often than they change.
#[must_use]
pub fn at_pointer<'a>(json: &'a Json, pointer: &str) -> Option<&'a Json> {
    if pointer.contains('~') {
        return json.pointer(pointer);
    }
    if pointer.is_empty() {
        return Some(json);
    }
    let steps = pointer.strip_prefix('/')?.split('/');
    let mut here = json;
    for step in steps {
        here = match here {
            Json::Object(fields) => fields.get(step)?,
            Json::Array(items) => {
                // RFC 6901 §4: no leading zeros, no sign.
                let is_index = step == "0" || !step.starts_with(['0', '+']);
                items.get(step.parse::<usize>().ok().filter(|_| is_index)?)?
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => return None,
        };
    }
    Some(here)
}

impl Resource {
    /// A field by JSON pointer: what the cloud computed if it did, else what the client sent.
    #[must_use]
    pub fn field(&self, pointer: &str) -> Option<&Json> {
        at_pointer(&self.computed, pointer).or_else(|| at_pointer(&self.doc, pointer))
    }

    /// A text field by JSON pointer.
    #[must_use]
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.field(pointer).and_then(Json::as_str)
    }

    /// The prefixes that are known of what a subnet takes of its network: `addressPrefixes`, or else
    /// `addressPrefix`, of Azure, `cidrBlock` of OCI. Text that is no prefix is passed over.
    pub fn prefixes(&self) -> impl Iterator<Item = IpNet> {
        let is_known = |pointer: &str| {
            let covers = |unknown: &String| {
                let rest = pointer.strip_prefix(unknown.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            !self.unknown.iter().any(covers)
        };
        let (list, single) = match self.cloud {
            Cloud::Azure => ("/properties/addressPrefixes", "/properties/addressPrefix"),
            Cloud::Oci => ("/cidrBlocks", "/cidrBlock"),
        };
        let many = self.field(list).and_then(Json::as_array);
        let many = many.map_or(&[][..], Vec::as_slice);
        let alone = many.is_empty() && is_known(list) && is_known(single);
        let single = self.text(single).filter(|_| alone);
        let many = many.iter().enumerate().filter(move |(index, _)| {
            self.unknown.is_empty() || is_known(&format!("{list}/{index}"))
        });
        let texts = many.filter_map(|(_, text)| text.as_str()).chain(single);
        let prefixes = texts.filter_map(|text| text.trim().parse::<IpNet>().ok());
        prefixes.filter(|net| net.trunc() == *net)
    }

    /// True while the resource can be used by others.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        matches!(self.phase, Phase::Ready | Phase::Updating)
    }

    /// What people call it, and what the network's parts are called after it: the name in Azure, the
    /// display name in OCI if the client gave one, else the address in the front door.
    #[must_use]
    pub fn shown_name(&self) -> &str {
        let given = match self.cloud {
            Cloud::Azure => Some(self.name.as_str()),
            Cloud::Oci => self.doc.get("displayName").and_then(Json::as_str),
        };
        given
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| self.label())
    }

    /// How a person recognises it: its address in the front door, else its name.
    #[must_use]
    pub fn label(&self) -> &str {
        self.origin
            .as_ref()
            .map_or(self.name.as_str(), |o| o.address.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pointer_leads_where_it_leads_in_serde_json() {
        let document = json!({
            "a": { "b": [1, { "c": null }], "": "empty", "0": "zero" },
            "x/y": 1,
            "m~n": 2,
            "text": "t",
        });
        for pointer in [
            "",
            "/",
            "/a",
            "/a/",
            "/a/0",
            "/a/b",
            "/a/b/0",
            "/a/b/1/c",
            "/a/b/2",
            "/a/b/01",
            "/a/b/+1",
            "/a/b/-1",
            "/a/b/-",
            "/a/b/",
            "/x~1y",
            "/m~0n",
            "/text/0",
            "a",
            "//",
            "/a/b/1/c/d",
        ] {
            assert_eq!(
                at_pointer(&document, pointer),
                document.pointer(pointer),
                "{pointer:?}"
            );
        }
    }
}
