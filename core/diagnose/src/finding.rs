//! The answer: a document.

use serde::{Deserialize, Serialize};

use crate::layer::Layer;

/// How a path is, worst last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// Every probe was answered, and every redundant path is whole.
    Healthy,
    /// Every probe was answered, but what stands by for a failure is broken.
    Degraded,
    /// Some probes were answered and some were not.
    Impaired,
    /// No probe was answered.
    Failed,
}

impl Condition {
    /// As printed.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Impaired => "impaired",
            Self::Failed => "failed",
        }
    }
}

/// A broken layer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// What it does to the traffic that was asked about.
    pub severity: Condition,
    /// The layer.
    pub layer: Layer,
    /// Whose it is: `you`, `provider`, `Azure` or `Oracle`.
    pub owner: String,
    /// Where: links, routers, circuits.
    pub at: Vec<String>,
    /// What is wrong, in a sentence.
    pub what: String,
    /// The facts seen, each with its place and value.
    pub evidence: Vec<String>,
    /// What else is broken only because of this.
    pub consequences: Vec<String>,
    /// What mends it: commands or lines of Terraform.
    pub remedy: Vec<String>,
    /// The resource that says so, in the front door's terms.
    pub resource: Option<String>,
    /// Its file.
    pub file: Option<String>,
    /// Its line, from 1.
    pub line: Option<u32>,
}

/// What became of the probes of one kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProbeRow {
    /// Such as `TCP 1521` or `echo, 1500 octets`.
    pub what: String,
    /// Sent.
    pub sent: u32,
    /// Answered by the right host.
    pub answered: u32,
    /// How the first that failed ended.
    pub note: String,
}

/// A layer's state on a leg.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// Looked at and whole.
    Ok,
    /// Broken here.
    Broken,
    /// Broken only because something below is.
    Follows,
    /// Nothing there to look at.
    None,
}

/// One leg's mark in a row.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LegState {
    /// `CIRCUIT primary`, `CIRCUIT secondary`, or `end to end`.
    pub leg: String,
    /// Its mark.
    pub mark: Mark,
}

/// A layer, on every leg.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LayerRow {
    /// The layer.
    pub layer: Layer,
    /// Its marks.
    pub legs: Vec<LegState>,
}

/// What a diagnosis comes to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Asking host.
    pub from: String,
    /// Target host.
    pub to: String,
    /// The TCP port asked about; echo requests without.
    pub tcp: Option<u16>,
    /// The verdict on the path.
    pub condition: Condition,
    /// It in a sentence.
    pub summary: String,
    /// What was sent and answered.
    pub probes: Vec<ProbeRow>,
    /// The layers, lowest first.
    pub layers: Vec<LayerRow>,
    /// What is broken: first what stops the traffic, then what only stands by.
    pub findings: Vec<Finding>,
}
