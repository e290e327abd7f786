//! What one blueprint has that another has not: the log keeps these, since whole blueprints of a
//! large network, one for each step of an operation, would soon fill the memory.

use std::collections::BTreeMap;

use skybridge_blueprint::{Blueprint, Link, LinkName, Node, NodeName};

/// The nodes and links that differ, as they become; `None` for what goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Difference {
    /// Nodes by name.
    pub nodes: BTreeMap<NodeName, Option<Node>>,
    /// Links by name.
    pub links: BTreeMap<LinkName, Option<Link>>,
}

impl Difference {
    /// What makes `new` of `old`.
    #[must_use]
    pub fn between(old: &Blueprint, new: &Blueprint) -> Self {
        Self {
            nodes: between(&old.nodes, &new.nodes),
            links: between(&old.links, &new.links),
        }
    }

    /// `old` with the difference.
    #[must_use]
    pub fn applied(&self, old: &Blueprint) -> Blueprint {
        let mut new = old.clone();
        change(&mut new.nodes, &self.nodes);
        change(&mut new.links, &self.links);
        new
    }
}

fn between<K: Ord + Clone, V: PartialEq + Clone>(
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
) -> BTreeMap<K, Option<V>> {
    let gone = old.keys().filter(|key| !new.contains_key(key));
    let changed = new
        .iter()
        .filter(|(key, value)| old.get(key) != Some(value));
    gone.map(|key| (key.clone(), None))
        .chain(changed.map(|(key, value)| (key.clone(), Some(value.clone()))))
        .collect()
}

fn change<K: Ord + Clone, V: Clone>(values: &mut BTreeMap<K, V>, by: &BTreeMap<K, Option<V>>) {
    for (key, value) in by {
        match value {
            Some(value) => values.insert(key.clone(), value.clone()),
            None => values.remove(key),
        };
    }
}
