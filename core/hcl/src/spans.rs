//! Where each part of a body's value was written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Span;

/// From attribute path (`name`, `route_rules[1].destination`, `address_space[0]`) to place. Nested
/// blocks are lists, numbered in the order of the object value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spans {
    /// The place of the block itself, under no path.
    pub block: Option<Span>,
    paths: BTreeMap<String, Span>,
}

impl Spans {
    /// Spans of a block at a place.
    #[must_use]
    pub fn new(block: Span) -> Self {
        Self {
            block: Some(block),
            paths: BTreeMap::new(),
        }
    }

    /// Records the place of a path.
    pub fn insert(&mut self, path: impl Into<String>, span: Span) {
        self.paths.insert(path.into(), span);
    }

    /// The place of a path, or of the nearest path above it, or of the block.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Span> {
        let mut path = path;
        loop {
            if let Some(span) = self.paths.get(path) {
                return Some(span);
            }
            match path.rfind(['.', '[']) {
                Some(cut) => path = &path[..cut],
                None => return self.block.as_ref(),
            }
        }
    }

    /// All recorded paths, in order of spelling.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Span)> {
        self.paths.iter().map(|(p, s)| (p.as_str(), s))
    }
}
