//! Reading ARM documents: fields by JSON pointer, with what the cloud computed on top and placeholders
//! reported as absent.

use std::collections::BTreeSet;
use std::str::FromStr;

use ipnet::IpNet;
use serde_json::Value as Json;
use skybridge_estate::{Resource, ResourceId, at_pointer};

/// A document, or a resource's document with its computed fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doc<'a> {
    doc: &'a Json,
    computed: Option<&'a Json>,
    unknown: &'a BTreeSet<String>,
}

impl<'a> Doc<'a> {
    pub(crate) const fn new(doc: &'a Json, unknown: &'a BTreeSet<String>) -> Self {
        Self {
            doc,
            computed: None,
            unknown,
        }
    }

    pub(crate) const fn of(resource: &'a Resource) -> Self {
        Self {
            doc: &resource.doc,
            computed: Some(&resource.computed),
            unknown: &resource.unknown,
        }
    }

    /// True when the field is a placeholder or lies in one.
    pub(crate) fn is_unknown(&self, pointer: &str) -> bool {
        self.unknown.iter().any(|u| {
            pointer
                .strip_prefix(u.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// True when the field or anything in it is a placeholder.
    pub(crate) fn has_unknown(&self, pointer: &str) -> bool {
        self.is_unknown(pointer)
            || self.unknown.iter().any(|u| {
                u.strip_prefix(pointer)
                    .is_some_and(|rest| rest.starts_with('/'))
            })
    }

    /// A field that is known and not null.
    pub(crate) fn field(&self, pointer: &str) -> Option<&'a Json> {
        if let Some(found) = self.computed.and_then(|c| at_pointer(c, pointer)) {
            return Some(found).filter(|j| !j.is_null());
        }
        if self.is_unknown(pointer) {
            return None;
        }
        at_pointer(self.doc, pointer).filter(|j| !j.is_null())
    }

    /// True when the client sent something there, known or not.
    pub(crate) fn is_given(&self, pointer: &str) -> bool {
        self.is_unknown(pointer) || self.field(pointer).is_some()
    }

    pub(crate) fn text(&self, pointer: &str) -> Option<&'a str> {
        self.field(pointer)?.as_str()
    }

    /// A number, also when it was sent as text, as some clients do.
    pub(crate) fn number(&self, pointer: &str) -> Option<u64> {
        let field = self.field(pointer)?;
        field.as_u64().or_else(|| field.as_str()?.parse().ok())
    }

    pub(crate) fn flag(&self, pointer: &str) -> Option<bool> {
        self.field(pointer)?.as_bool()
    }

    /// A reference to another resource: `pointer` leads to its `id`.
    pub(crate) fn reference(&self, pointer: &str) -> Option<ResourceId> {
        self.text(pointer).filter(|t| !t.is_empty()).map(Into::into)
    }

    /// The pointers of an array's elements.
    pub(crate) fn items(&self, pointer: &str) -> Vec<String> {
        let len = self
            .field(pointer)
            .and_then(Json::as_array)
            .map_or(0, Vec::len);
        (0..len).map(|i| format!("{pointer}/{i}")).collect()
    }

    /// The texts of an array, each with its pointer; placeholders are left out.
    pub(crate) fn texts(&self, pointer: &str) -> Vec<(String, &'a str)> {
        let items = self.items(pointer).into_iter();
        items
            .filter_map(|p| {
                let text = self.text(&p)?;
                Some((p, text))
            })
            .collect()
    }

    /// A parsed text.
    pub(crate) fn parse<T: FromStr>(&self, pointer: &str) -> Option<T> {
        self.text(pointer)?.parse().ok()
    }
}

/// A prefix as ARM writes it: host bits are an error, a bare address is not a prefix.
pub(crate) fn prefix(text: &str) -> Option<IpNet> {
    let net: IpNet = text.trim().parse().ok()?;
    (net.trunc() == net).then_some(net)
}

/// The texts of the prefixes of a subnet, which has either `addressPrefixes` or `addressPrefix`. `at`
/// leads to the subnet; empty for a document of its own.
pub(crate) fn subnet_prefixes<'a>(doc: &Doc<'a>, at: &str) -> Vec<(String, &'a str)> {
    let plural = format!("{at}/properties/addressPrefixes");
    let many = doc.texts(&plural);
    if !many.is_empty() || doc.has_unknown(&plural) {
        return many;
    }
    let single = format!("{at}/properties/addressPrefix");
    let text = doc.text(&single).map(|t| (single, t));
    text.into_iter().collect()
}

/// Pointers below `at`, seen from there.
pub(crate) fn rebase(unknown: &BTreeSet<String>, at: &str) -> BTreeSet<String> {
    let below = unknown.iter().filter_map(|u| u.strip_prefix(at));
    below
        .filter(|u| u.is_empty() || u.starts_with('/'))
        .map(str::to_owned)
        .collect()
}

/// True when two prefixes share an address.
pub(crate) fn overlap(a: IpNet, b: IpNet) -> bool {
    a.contains(&b) || b.contains(&a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn placeholders_are_absent_and_said_to_be_unknown() {
        let json = json!({"a": {"b": ["x", "y"]}, "n": "5", "z": null});
        let unknown = BTreeSet::from(["/a/b/1".to_owned()]);
        let doc = Doc::new(&json, &unknown);
        assert_eq!(doc.texts("/a/b"), [("/a/b/0".to_owned(), "x")]);
        assert!(doc.has_unknown("/a") && !doc.is_unknown("/a"));
        assert!(doc.is_unknown("/a/b/1/deep") && !doc.is_unknown("/a/b/10"));
        assert_eq!(doc.number("/n"), Some(5));
        assert!(!doc.is_given("/z") && doc.is_given("/a/b/1"));
    }

    #[test]
    fn prefixes_with_host_bits_are_not_prefixes() {
        assert!(prefix("10.0.0.0/8").is_some());
        assert!(prefix("10.0.0.1/8").is_none());
        assert!(prefix("10.0.0.1").is_none());
    }
}
