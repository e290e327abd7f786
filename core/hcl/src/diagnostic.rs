//! Diagnostics: what every input of Skybridge says to its writer, with file, line and column.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A place in a source file. Lines and columns start at 1; columns count characters; `start` and
/// `end` are byte offsets in the text after a byte order mark has been stripped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The path as the caller named it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Byte offset of the first byte.
    pub start: u32,
    /// Byte offset after the last byte.
    pub end: u32,
}

impl Span {
    /// A span that names a file only, at its first character.
    #[must_use]
    pub fn file(file: &str) -> Self {
        Self {
            file: Arc::from(file),
            line: 1,
            column: 1,
            start: 0,
            end: 0,
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// How much a [`Diagnostic`] weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The input cannot be used.
    Error,
    /// The input is used, and its writer should look.
    Warning,
    /// Worth knowing, nothing to do.
    Notice,
}

/// One message about the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Weight.
    pub severity: Severity,
    /// One line, no full stop.
    pub summary: String,
    /// The whole story; may be empty or have several lines.
    pub detail: String,
    /// Where, when there is a place.
    pub span: Option<Span>,
    /// Name of the rule that spoke, for rules that can be looked up.
    pub rule: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic without place, rule or help.
    pub fn new(severity: Severity, summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            severity,
            summary: summary.into(),
            detail: detail.into(),
            span: None,
            rule: None,
            help: None,
        }
    }

    /// An error.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Severity::Error, summary, detail)
    }

    /// A warning.
    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Severity::Warning, summary, detail)
    }

    /// A notice.
    pub fn notice(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Severity::Notice, summary, detail)
    }

    /// The same, at a place.
    #[must_use]
    pub fn at(mut self, span: &Span) -> Self {
        self.span = Some(span.clone());
        self
    }

    /// The same, at a place that may be missing.
    #[must_use]
    pub fn at_opt(mut self, span: Option<&Span>) -> Self {
        self.span = span.cloned();
        self
    }

    /// The same, from a named rule.
    #[must_use]
    pub fn rule(mut self, rule: impl Into<String>) -> Self {
        self.rule = Some(rule.into());
        self
    }

    /// The same, with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, with "did you mean" advice when `candidates` hold a name near `name`.
    #[must_use]
    pub fn suggest<'a>(self, name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest_name(name, candidates) {
            Some(near) => self.help(format!("Did you mean \"{near}\"?")),
            None => self,
        }
    }

    /// Whether this is an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(span) = &self.span {
            write!(f, "{span}: ")?;
        }
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
        };
        write!(f, "{word}: {}", self.summary)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        if let Some(help) = &self.help {
            let gap = if self.detail.contains('\n') {
                "\n"
            } else {
                ". "
            };
            write!(f, "{gap}{help}")?;
        }
        Ok(())
    }
}

/// Whether any of `diagnostics` is an error.
#[must_use]
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(Diagnostic::is_error)
}

/// The candidate nearest to `name` by edit distance, if one is near enough to be a slip of the
/// hand (a third of the length, at least one edit). Ties go to the first in order of spelling.
pub fn nearest_name<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance in characters, with a swap of neighbours counted as one edit.
fn edit_distance(a: &str, b: &str) -> usize {
    // Names longer than this are never a slip of the hand; the bound keeps the work small.
    const NAME_LEN_MAX: usize = 128;
    let a: Vec<char> = a.chars().take(NAME_LEN_MAX).collect();
    let b: Vec<char> = b.chars().take(NAME_LEN_MAX).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let substitute = previous[j] + usize::from(ca != cb);
            let mut best = substitute.min(previous[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *ca == b[j - 1] && a[i - 1] == *cb {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut previous, row);
    }
    previous[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_a_slip_of_the_hand_and_nothing_further() {
        let names = ["address_space", "location", "name"];
        assert_eq!(nearest_name("adress_space", names), Some("address_space"));
        assert_eq!(nearest_name("loaction", names), Some("location"));
        assert_eq!(nearest_name("bandwidth", names), None);
        assert_eq!(nearest_name("x", ["y"]), Some("y"));
    }

    #[test]
    fn a_diagnostic_reads_as_one_line_with_its_place() {
        let span = Span {
            line: 3,
            column: 7,
            ..Span::file("main.tf")
        };
        let text = Diagnostic::error("Unsupported argument", "no \"x\" here")
            .at(&span)
            .help("Remove it.")
            .to_string();
        assert_eq!(
            text,
            "main.tf:3:7: error: Unsupported argument: no \"x\" here. Remove it."
        );
    }
}
