//! What has been said already: plan and apply evaluate the same expressions, and instances share theirs.

use std::collections::BTreeSet;

use skybridge_hcl::{Diagnostic, Severity, Span};

/// How the evaluator speaks of names that the graph found undeclared.
const UNDECLARED: [&str; 4] = [
    "Reference to undeclared name",
    "Reference to undeclared module",
    "Reference to undeclared resource",
    "Unknown variable",
];

/// An index of the diagnostics of a machine, in the order in which they were said.
#[derive(Debug, Default)]
pub(crate) struct Said {
    count: usize,
    seen: BTreeSet<(Severity, Option<Span>, String, String)>,
    errors_at: BTreeSet<Option<Span>>,
}

impl Said {
    /// How many are in the index.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Takes in those that have come since.
    pub(crate) fn take(&mut self, diagnostics: &[Diagnostic]) {
        for said in diagnostics.get(self.count..).unwrap_or_default() {
            self.seen.insert(key(said));
            if said.is_error() {
                self.errors_at.insert(said.span.clone());
            }
        }
        self.count = diagnostics.len();
    }

    /// Whether it was not said before. A name that is not declared is said by the graph, and once is enough.
    pub(crate) fn is_new(&self, diagnostic: &Diagnostic) -> bool {
        let undeclared = UNDECLARED.contains(&diagnostic.summary.as_str())
            && self.errors_at.contains(&diagnostic.span);
        !undeclared && !self.seen.contains(&key(diagnostic))
    }
}

fn key(said: &Diagnostic) -> (Severity, Option<Span>, String, String) {
    let (summary, detail) = (said.summary.clone(), said.detail.clone());
    (said.severity, said.span.clone(), summary, detail)
}
