//! What a rule found.

use serde::{Deserialize, Serialize};

use crate::{Cloud, ResourceId};

/// How bad a finding is (design §3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The cloud's API would refuse it too.
    Rejected(Cloud),
    /// Accepted by the clouds, but traffic will not flow.
    WillNotWork,
    /// Works, but is not what one would want.
    Advice,
}

/// How sure a fact is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Read in the vendor's documentation.
    Documented,
    /// Seen by someone, published.
    Observed,
    /// Recalled, deduced or chosen; sources missing or at odds.
    Assumed,
}

/// A resource, and perhaps a field of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Subject {
    /// The resource.
    pub resource: ResourceId,
    /// JSON pointer into its document; empty for the whole.
    pub pointer: String,
}

impl Subject {
    /// A whole resource.
    #[must_use]
    pub const fn whole(resource: ResourceId) -> Self {
        Self {
            resource,
            pointer: String::new(),
        }
    }

    /// A field of a resource.
    #[must_use]
    pub fn field(resource: ResourceId, pointer: &str) -> Self {
        Self {
            resource,
            pointer: pointer.to_owned(),
        }
    }
}

/// A broken rule.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// The rule's name, such as `azure.gateway-subnet-size`.
    pub rule: &'static str,
    /// What is wrong, with the values.
    pub message: String,
    /// What to do.
    pub help: String,
    /// Where.
    pub subject: Subject,
    /// Other places that take part.
    pub related: Vec<Subject>,
    /// How sure the rule is.
    pub grade: Grade,
    /// Where the rule is written: a key of `data/reference/sources.csv`, or words.
    pub source: &'static str,
}
