//! Every resource of an estate, and the ways to find one.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

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
}

/// A copy of an estate shares its resources: they are replaced, never changed.
type Shared = BTreeMap<ResourceId, Arc<Resource>>;

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
