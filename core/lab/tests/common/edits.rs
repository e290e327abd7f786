//! The example's text with edits, and what every version of it must come to.

use std::collections::BTreeMap;

use skybridge_lab::document::{Diagnostic, Report, Verdict};
use skybridge_lab::request::{StackArgument, StackSource};

use super::{Virtual, example};

/// The example with edits.
#[derive(Clone)]
pub(crate) struct Edited(pub(crate) StackSource);

impl Edited {
    pub(crate) fn example() -> Self {
        Self(example())
    }

    /// Replaces text that must be there, wherever it occurs in a file.
    pub(crate) fn replace(mut self, file: &str, from: &str, to: &str) -> Self {
        let text = (self.0.files.get_mut(file)).unwrap_or_else(|| panic!("there is no {file}"));
        assert!(text.contains(from), "{file} has no {from:?}");
        *text = text.replace(from, to);
        self
    }

    /// Replaces text in every file; it must be in one of them.
    pub(crate) fn replace_everywhere(mut self, from: &str, to: &str) -> Self {
        let mut found = false;
        for text in self.0.files.values_mut() {
            found |= text.contains(from);
            *text = text.replace(from, to);
        }
        assert!(found, "no file has {from:?}");
        self
    }

    /// Replaces everything from `from` up to and including the first `until` after it.
    pub(crate) fn replace_block(self, file: &str, from: &str, until: &str, to: &str) -> Self {
        let text = &self.0.files[file];
        let start = (text.find(from)).unwrap_or_else(|| panic!("{file} has no {from:?}"));
        let length = text[start..].find(until).expect("the block ends") + until.len();
        let block = text[start..start + length].to_owned();
        self.replace(file, &block, to)
    }

    /// Takes a whole resource out.
    pub(crate) fn without(self, file: &str, head: &str) -> Self {
        self.replace_block(file, head, "\n}\n", "")
    }

    pub(crate) fn append(mut self, file: &str, text: &str) -> Self {
        self.0
            .files
            .entry(file.to_owned())
            .or_default()
            .push_str(text);
        self
    }

    pub(crate) fn var(mut self, name: &str, value: &str) -> Self {
        self.0.arguments.push(StackArgument::Value {
            name: name.to_owned(),
            value: value.to_owned(),
        });
        self
    }

    /// The line, from 1, where a text stands first.
    pub(crate) fn line_of(&self, file: &str, text: &str) -> u32 {
        let lines = self.0.files[file].lines();
        let index = lines.into_iter().position(|line| line.contains(text));
        u32::try_from(index.unwrap_or_else(|| panic!("{file} has no {text:?}")) + 1).unwrap()
    }
}

/// How many resources of each kind the estate has.
pub(crate) fn kinds(lab: &Virtual) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for resource in lab.lab.estate().resources() {
        *kinds.entry(resource.kind.as_str().to_owned()).or_default() += 1;
    }
    kinds
}

/// Everything that is worse than advice.
pub(crate) fn complaints(report: &Report) -> Vec<&Diagnostic> {
    (report.diagnostics.iter())
        .filter(|d| !matches!(d.level.as_str(), "notice" | "advice"))
        .collect()
}

/// All sessions are up, every host reaches every host beyond its own network, every expectation holds.
pub(crate) fn assert_works(report: &Report, sessions: usize, pairs: usize) {
    assert_eq!(report.sessions.len(), sessions, "{:#?}", report.diagnostics);
    for session in &report.sessions {
        assert_eq!(session.state, "Established", "{session:?}");
    }
    assert_eq!(
        report.reachability.len(),
        pairs,
        "{:#?}",
        report.reachability
    );
    for row in &report.reachability {
        assert_eq!(row.ok, Verdict::Holds, "{row:?}");
    }
    for row in &report.expectations {
        assert_eq!(row.holds, Verdict::Holds, "{row:?}");
    }
    assert!(report.not_modelled.is_empty(), "{:#?}", report.not_modelled);
}

/// Brings a version of the example up that must mean the same network as the example itself.
pub(crate) fn same_network(edited: Edited) -> Report {
    let mut lab = Virtual::new();
    let report = lab.up(vec![edited.0]);
    let bad = complaints(&report);
    assert!(bad.is_empty(), "{bad:#?}");
    assert_works(&report, 4, 4);
    let mut original = Virtual::new();
    original.up(vec![example()]);
    assert_eq!(kinds(&lab), kinds(&original));
    report
}
