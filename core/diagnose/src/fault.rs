//! A broken thing on its way to a finding.

use skybridge_blueprint::Owner;

use crate::layer::Layer;
use crate::observation::{Observations, Place};

/// One broken thing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    pub(crate) layer: Layer,
    pub(crate) owner: Owner,
    /// Where.
    pub(crate) at: String,
    /// What faults with one cause have in common: they become one finding.
    pub(crate) cause: String,
    pub(crate) what: String,
    pub(crate) evidence: Vec<String>,
    pub(crate) consequences: Vec<String>,
    pub(crate) remedy: Vec<String>,
    /// Key of a place.
    pub(crate) place: String,
    /// Legs it breaks.
    pub(crate) legs: Vec<String>,
}

impl Fault {
    pub(crate) fn new(layer: Layer, owner: Owner, at: impl Into<String>, what: String) -> Self {
        let at = at.into();
        Self {
            cause: format!("{}/{at}", layer.label()),
            layer,
            owner,
            at,
            what,
            evidence: Vec::new(),
            consequences: Vec::new(),
            remedy: Vec::new(),
            place: String::new(),
            legs: Vec::new(),
        }
    }

    pub(crate) fn saw(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }

    pub(crate) fn mend(mut self, remedy: impl Into<String>) -> Self {
        self.remedy.push(remedy.into());
        self
    }

    pub(crate) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = cause.into();
        self
    }

    pub(crate) fn place(mut self, key: impl Into<String>) -> Self {
        self.place = key.into();
        self
    }

    /// Where it is written, when that is known.
    pub(crate) fn written<'a>(&self, seen: &'a Observations) -> Option<&'a Place> {
        seen.places.get(&self.place)
    }
}
