//! Every resource of an estate, and the ways to find one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{Kind, Resource, ResourceId};

/// Resources by id, and what leads to them in fewer steps than there are resources.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Resource>", into = "Vec<Resource>")]
pub(crate) struct Resources {
    by_id: Shared,
    /// Ids in small letters: ARM ids compare without case.
    spellings: BTreeMap<String, ResourceId>,
    kinds: BTreeMap<Kind, Shared>,
    children: BTreeMap<ResourceId, Shared>,
    /// By an id in small letters: the others whose documents have it.
    naming: BTreeMap<String, Shared>,
    /// By parent: the ranges that children take of it.
    ranges: BTreeMap<ResourceId, Ranges>,
}

/// Ranges by first address, and who takes them.
type Ranges = BTreeSet<(IpNet, ResourceId)>;

/// A copy of an estate shares its resources: they are replaced, never changed.
type Shared = BTreeMap<ResourceId, Arc<Resource>>;

impl Resources {
    pub(crate) const fn new() -> Self {
        Self {
            by_id: BTreeMap::new(),
            spellings: BTreeMap::new(),
            kinds: BTreeMap::new(),
            children: BTreeMap::new(),
            naming: BTreeMap::new(),
            ranges: BTreeMap::new(),
        }
    }

    pub(crate) fn exact(&self, id: &ResourceId) -> Option<&Resource> {
        self.by_id.get(id).map(Arc::as_ref)
    }

    pub(crate) fn find(&self, id: &ResourceId) -> Option<&Resource> {
        self.exact(id).or_else(|| {
            let known = self.spellings.get(&id.as_str().to_ascii_lowercase())?;
            self.exact(known)
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Resource> {
        self.by_id.values().map(Arc::as_ref)
    }

    pub(crate) fn of_kind<'a>(
        &'a self,
        kind: &str,
    ) -> impl Iterator<Item = &'a Resource> + use<'a> {
        those(self.kinds.get(&Kind::from(kind)))
    }

    pub(crate) fn children<'a>(
        &'a self,
        id: &ResourceId,
    ) -> impl Iterator<Item = &'a Resource> + use<'a> {
        those(self.children.get(id))
    }

    pub(crate) fn naming<'a>(
        &'a self,
        id: &ResourceId,
    ) -> impl Iterator<Item = &'a Resource> + use<'a> {
        those(self.naming.get(&id.as_str().to_ascii_lowercase()))
    }

    pub(crate) fn taking<'a>(
        &'a self,
        parent: &ResourceId,
        net: IpNet,
    ) -> impl Iterator<Item = (IpNet, &'a Resource)> + use<'a> {
        let ranges = self.ranges.get(parent).into_iter();
        // Two prefixes that overlap are one inside the other: those around it, then those inside.
        let inside = ranges.clone().flat_map(move |ranges| {
            let from = (net, ResourceId::from(""));
            let first = ranges.range(from..);
            first.take_while(move |(other, _)| net.contains(other))
        });
        let around = (0..net.prefix_len()).filter_map(move |len| supernet(net, len));
        let around = ranges.flat_map(move |ranges| {
            around.clone().flat_map(move |wide| {
                let first = ranges.range((wide, ResourceId::from(""))..);
                first.take_while(move |(other, _)| *other == wide)
            })
        });
        let found = around.chain(inside);
        found.filter_map(|(taken, id)| Some((*taken, self.exact(id)?)))
    }

    pub(crate) fn insert(&mut self, resource: Resource) {
        self.remove(&resource.id);
        let resource = Arc::new(resource);
        let id = resource.id.clone();
        let spelling = id.as_str().to_ascii_lowercase();
        self.spellings.insert(spelling, id.clone());
        let kind = self.kinds.entry(resource.kind.clone()).or_default();
        kind.insert(id.clone(), Arc::clone(&resource));
        if let Some(parent) = &resource.parent {
            let siblings = self.children.entry(parent.clone()).or_default();
            siblings.insert(id.clone(), Arc::clone(&resource));
            for range in resource.prefixes() {
                let ranges = self.ranges.entry(parent.clone()).or_default();
                ranges.insert((range, id.clone()));
            }
        }
        for named in ids_in(&resource) {
            let users = self.naming.entry(named).or_default();
            users.insert(id.clone(), Arc::clone(&resource));
        }
        self.by_id.insert(id, resource);
    }

    pub(crate) fn remove(&mut self, id: &ResourceId) {
        let Some(gone) = self.by_id.remove(id) else {
            return;
        };
        self.spellings.remove(&id.as_str().to_ascii_lowercase());
        leave(&mut self.kinds, &gone.kind, id);
        if let Some(parent) = &gone.parent {
            leave(&mut self.children, parent, id);
            self.give_back(parent, &gone);
        }
        for named in ids_in(&gone) {
            leave(&mut self.naming, &named, id);
        }
    }

    fn give_back(&mut self, parent: &ResourceId, gone: &Resource) {
        let Some(ranges) = self.ranges.get_mut(parent) else {
            return;
        };
        for range in gone.prefixes() {
            ranges.remove(&(range, gone.id.clone()));
        }
        if ranges.is_empty() {
            self.ranges.remove(parent);
        }
    }
}

/// The prefix of `len` bits around `net`.
fn supernet(net: IpNet, len: u8) -> Option<IpNet> {
    let address: IpAddr = net.addr();
    Some(IpNet::new(address, len).ok()?.trunc())
}

/// The ids that a resource's documents have, in small letters, but for its own.
fn ids_in(resource: &Resource) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect_ids(&resource.doc, &mut found);
    collect_ids(&resource.computed, &mut found);
    found.remove(&resource.id.as_str().to_ascii_lowercase());
    found
}

fn collect_ids(json: &Json, found: &mut BTreeSet<String>) {
    match json {
        Json::String(text) if is_id(text) => {
            found.insert(text.to_ascii_lowercase());
        }
        Json::Array(items) => items.iter().for_each(|item| collect_ids(item, found)),
        Json::Object(fields) => fields.values().for_each(|field| collect_ids(field, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// True when a text has the form of an id in one of the clouds.
fn is_id(text: &str) -> bool {
    text.starts_with('/') || text.starts_with("ocid1.")
}

fn those(resources: Option<&Shared>) -> impl Iterator<Item = &Resource> {
    let shared = resources.into_iter().flat_map(BTreeMap::values);
    shared.map(Arc::as_ref)
}

fn leave<K: Ord>(sets: &mut BTreeMap<K, Shared>, key: &K, id: &ResourceId) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(id);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}

impl From<Vec<Resource>> for Resources {
    fn from(all: Vec<Resource>) -> Self {
        let mut resources = Self::new();
        for resource in all {
            resources.insert(resource);
        }
        resources
    }
}

impl From<Resources> for Vec<Resource> {
    fn from(resources: Resources) -> Self {
        let shared = resources.by_id.into_values();
        shared.map(Arc::unwrap_or_clone).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use skybridge_base::Instant;

    use super::*;
    use crate::{Cloud, Phase};

    fn resource(id: &str, parent: Option<&str>, doc: Json) -> Resource {
        Resource {
            id: id.into(),
            cloud: Cloud::Azure,
            kind: "k".into(),
            name: id.to_owned(),
            parent: parent.map(ResourceId::from),
            doc,
            computed: json!({ "id": id }),
            unknown: BTreeSet::new(),
            phase: Phase::Ready,
            revision: 0,
            created_at: Instant::ZERO,
            origin: None,
        }
    }

    fn ids<'a>(found: impl Iterator<Item = &'a Resource>) -> Vec<&'a str> {
        found.map(|r| r.id.as_str()).collect()
    }

    #[test]
    fn what_names_an_id_is_found_in_any_spelling_until_it_goes() {
        let mut all = Resources::new();
        all.insert(resource("/s/A", None, json!({})));
        let user = json!({ "x": [{ "id": "/S/a" }], "name": "not an id" });
        all.insert(resource("/s/b", None, user));
        assert_eq!(ids(all.naming(&"/s/a".into())), ["/s/b"]);
        assert_eq!(ids(all.naming(&"/s/b".into())), [""; 0], "not itself");
        all.insert(resource("/s/b", None, json!({})));
        assert_eq!(ids(all.naming(&"/s/A".into())), [""; 0]);
        assert!(all.naming.is_empty());
    }

    #[test]
    fn a_range_is_taken_by_those_around_it_and_those_inside() {
        let mut all = Resources::new();
        for (id, range) in [
            ("/a", "10.0.0.0/16"),
            ("/b", "10.0.1.0/24"),
            ("/c", "10.0.2.0/24"),
            ("/d", "fd00::/64"),
        ] {
            all.insert(resource(
                id,
                Some("/v"),
                json!({ "properties": { "addressPrefix": range } }),
            ));
        }
        let taking = |net: &str| -> Vec<String> {
            let found = all.taking(&"/v".into(), net.parse().unwrap());
            found.map(|(net, r)| format!("{} {net}", r.id)).collect()
        };
        assert_eq!(taking("10.0.1.0/25"), ["/a 10.0.0.0/16", "/b 10.0.1.0/24"]);
        assert_eq!(taking("10.0.2.0/23"), ["/a 10.0.0.0/16", "/c 10.0.2.0/24"]);
        assert_eq!(
            taking("10.0.0.0/8"),
            ["/a 10.0.0.0/16", "/b 10.0.1.0/24", "/c 10.0.2.0/24"]
        );
        assert_eq!(taking("0.0.0.0/0").len(), 3);
        assert_eq!(taking("fd00::/48"), ["/d fd00::/64"]);
        assert_eq!(taking("10.1.0.0/16"), [""; 0]);
        all.remove(&"/a".into());
        let found = all.taking(&"/v".into(), "10.0.0.0/16".parse().unwrap());
        assert_eq!(found.count(), 2);
    }
}
