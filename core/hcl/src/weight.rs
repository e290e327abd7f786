//! How large values are. Values share their parts, so that one of forty lines may be a tree of 2^40 leaves:
//! whatever is asked of it must not walk that tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::value::{Kind, Value};

/// What a value weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// How deep values nest in it: 0 for a leaf.
    pub depth: usize,
    /// Values in it, itself too, shared ones counted each time.
    pub values: u64,
    /// Octets of its texts and about what its collections need, shared ones counted once.
    pub octets: u64,
}

/// About what a value needs in memory besides its text.
const VALUE_OCTETS: u64 = 64;

impl Value {
    /// What it weighs.
    #[must_use]
    pub fn weight(&self) -> Weight {
        let mut known = BTreeMap::new();
        let mut octets = 0;
        let (depth, values) = tree(self, &mut known, &mut octets);
        Weight {
            depth,
            values,
            octets,
        }
    }

    /// How deep values nest in it: 0 for a leaf.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.weight().depth
    }
}

/// Depth and number of values, with what is shared looked at once.
fn tree(
    value: &Value,
    known: &mut BTreeMap<usize, (usize, u64)>,
    octets: &mut u64,
) -> (usize, u64) {
    let shared = match value.kind() {
        Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
            Arc::as_ptr(items).cast::<u8>() as usize
        }
        Kind::Map(_, map) | Kind::Object(map) => Arc::as_ptr(map).cast::<u8>() as usize,
        Kind::String(text) => {
            let at = Arc::as_ptr(text).cast::<u8>() as usize;
            if known.insert(at, (0, 1)).is_none() {
                *octets += VALUE_OCTETS + text.len() as u64;
            }
            return (0, 1);
        }
        Kind::Unknown(_) | Kind::Null(_) | Kind::Bool(_) | Kind::Number(_) => {
            *octets += VALUE_OCTETS;
            return (0, 1);
        }
    };
    if let Some(found) = known.get(&shared) {
        return *found;
    }
    let (mut depth, mut values) = (0, 1_u64);
    for child in value.children() {
        let (below, inside) = tree(child, known, octets);
        depth = depth.max(below + 1);
        values = values.saturating_add(inside);
    }
    *octets += VALUE_OCTETS;
    known.insert(shared, (depth, values));
    (depth, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_looked_at_once() {
        let mut value = Value::strings(["a", "b"]);
        for _ in 0..200 {
            value = Value::tuple(vec![value.clone(), value]);
        }
        let weight = value.weight();
        assert_eq!(weight.depth, 201);
        assert_eq!(weight.values, u64::MAX, "counted as often as it is there");
        assert!(weight.octets < 100_000, "{weight:?}");
    }

    #[test]
    fn leaves_and_collections_are_weighed() {
        let value = Value::object_of([("a", Value::strings(["xyz"])), ("b", Value::null())]);
        let weight = value.weight();
        assert_eq!((weight.depth, weight.values), (2, 4));
        assert_eq!(weight.octets, 4 * VALUE_OCTETS + 3);
        assert_eq!(Value::bool(true).weight().values, 1);
    }
}
