//! Every resource of an estate, and the ways to find one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Kind, Resource, ResourceId};

/// Resources by id, and what leads to them in fewer steps than there are resources.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Resource>", into = "Vec<Resource>")]
pub(crate) struct Resources {
    by_id: BTreeMap<ResourceId, Resource>,
    /// Ids in small letters: ARM ids compare without case.
    spellings: BTreeMap<String, ResourceId>,
    kinds: BTreeMap<Kind, BTreeSet<ResourceId>>,
    children: BTreeMap<ResourceId, BTreeSet<ResourceId>>,
}

impl Resources {
    pub(crate) const fn new() -> Self {
        Self {
            by_id: BTreeMap::new(),
            spellings: BTreeMap::new(),
            kinds: BTreeMap::new(),
            children: BTreeMap::new(),
        }
    }

    pub(crate) fn exact(&self, id: &ResourceId) -> Option<&Resource> {
        self.by_id.get(id)
    }

    pub(crate) fn find(&self, id: &ResourceId) -> Option<&Resource> {
        self.by_id.get(id).or_else(|| {
            let known = self.spellings.get(&id.as_str().to_ascii_lowercase())?;
            self.by_id.get(known)
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Resource> {
        self.by_id.values()
    }

    pub(crate) fn of_kind<'a>(
        &'a self,
        kind: &str,
    ) -> impl Iterator<Item = &'a Resource> + use<'a> {
        self.those(self.kinds.get(&Kind::from(kind)))
    }

    pub(crate) fn children<'a>(
        &'a self,
        id: &ResourceId,
    ) -> impl Iterator<Item = &'a Resource> + use<'a> {
        self.those(self.children.get(id))
    }

    fn those<'a>(
        &'a self,
        ids: Option<&'a BTreeSet<ResourceId>>,
    ) -> impl Iterator<Item = &'a Resource> + use<'a> {
        ids.into_iter()
            .flatten()
            .filter_map(|id| self.by_id.get(id))
    }

    pub(crate) fn insert(&mut self, resource: Resource) {
        self.remove(&resource.id);
        let id = resource.id.clone();
        let spelling = id.as_str().to_ascii_lowercase();
        self.spellings.insert(spelling, id.clone());
        let kind = self.kinds.entry(resource.kind.clone()).or_default();
        kind.insert(id.clone());
        if let Some(parent) = &resource.parent {
            let siblings = self.children.entry(parent.clone()).or_default();
            siblings.insert(id.clone());
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
        }
    }
}

fn leave<K: Ord>(sets: &mut BTreeMap<K, BTreeSet<ResourceId>>, key: &K, id: &ResourceId) {
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
        resources.by_id.into_values().collect()
    }
}
