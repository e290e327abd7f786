//! Every rule by name: what OCI refuses, and what it accepts although traffic will not flow.

mod check;
mod table;

use skybridge_estate::{Grade, Level};

pub use check::{check, routes_towards};
pub use table::TABLE;

/// A rule, for documentation and for findings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Name, such as `oci.vc-swapped-ends`.
    pub name: &'static str,
    /// How bad breaking it is.
    pub level: Level,
    /// The rule in words.
    pub text: &'static str,
    /// What to do when it is broken.
    pub help: &'static str,
    /// How sure the rule is.
    pub grade: Grade,
    /// Where it is written: a key of `data/reference/sources.csv`.
    pub source: &'static str,
}

/// A rule by name.
#[must_use]
pub fn rule(name: &str) -> Option<&'static Rule> {
    TABLE.iter().find(|r| r.name == name)
}

#[cfg(test)]
mod tests;
