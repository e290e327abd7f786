//! Findings, with an excerpt of the source where it is at hand.

use std::collections::BTreeMap;
use std::fmt;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity, SourceCode,
    SourceSpan,
};
use skybridge_lab::document::Diagnostic;
use skybridge_lab::request::{StackArgument, StackSource};

use crate::exit::is_bad_input;

use super::table::{heading, paragraph};
use crate::screen::Screen;

/// Levels in the order of weight, with their headings.
const LEVELS: [(&str, &str); 7] = [
    ("error", "Errors"),
    ("rejected by Azure", "Rejected by Azure"),
    ("rejected by OCI", "Rejected by OCI"),
    ("will not work", "Will not work"),
    ("warning", "Warnings"),
    ("advice", "Advice"),
    ("notice", "Notices"),
];

/// The files that were read, by every name a finding may use for them.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    texts: BTreeMap<String, String>,
}

impl Sources {
    /// The configuration of the stacks. A name that two stacks share is known by its whole path only.
    pub(crate) fn of(stacks: &[StackSource]) -> Self {
        let mut texts = BTreeMap::new();
        let mut shared = Vec::new();
        for stack in stacks {
            for (path, text) in &stack.files {
                // Offsets count from behind a byte order mark.
                let text = text.strip_prefix('\u{feff}').unwrap_or(text);
                texts.insert(format!("{}/{path}", stack.directory), text.to_owned());
                if texts.insert(path.clone(), text.to_owned()).is_some() {
                    shared.push(path.clone());
                }
            }
            for argument in &stack.arguments {
                match argument {
                    StackArgument::File { path, text } => {
                        texts.insert(path.clone(), text.clone());
                    }
                    StackArgument::Value { .. } => {}
                }
            }
        }
        for path in shared {
            texts.remove(&path);
        }
        Self { texts }
    }

    fn text(&self, file: &str) -> Option<&str> {
        self.texts.get(file).map(String::as_str)
    }
}

/// How many findings stand in the way, in words; `None` when `up` takes the directory as it is.
pub(super) fn obstacles(findings: &[Diagnostic]) -> Option<String> {
    let count = |level: &str| findings.iter().filter(|f| f.level == level).count();
    let in_the_way = LEVELS
        .iter()
        .filter(|(level, _)| is_bad_input(level, false));
    let counted: Vec<String> = in_the_way
        .filter_map(|(level, _)| match (count(level), *level) {
            (0, _) => None,
            (1, "error") => Some("1 error".to_owned()),
            (n, "error") => Some(format!("{n} errors")),
            (n, level) => Some(format!("{n} {level}")),
        })
        .collect();
    (!counted.is_empty()).then(|| counted.join(", "))
}

/// Every finding, grouped by level, the same finding at several places once.
pub(super) fn all(findings: &[Diagnostic], screen: &Screen, sources: &Sources) -> String {
    let mut out = String::new();
    let mut levels: Vec<(&str, &str)> = LEVELS.to_vec();
    for finding in findings {
        if !levels.iter().any(|(level, _)| *level == finding.level) {
            levels.push((&finding.level, &finding.level));
        }
    }
    for (level, title) in levels {
        let mut groups: Vec<Vec<&Diagnostic>> = Vec::new();
        for finding in findings.iter().filter(|finding| finding.level == level) {
            match groups.iter_mut().find(|group| is_same(group[0], finding)) {
                Some(group) => group.push(finding),
                None => groups.push(vec![finding]),
            }
        }
        if groups.is_empty() {
            continue;
        }
        out.push_str(&heading(&format!("{title} ({})", groups.len()), screen));
        for group in &groups {
            if level == "notice" {
                out.push_str(&briefly(group, screen));
            } else {
                out.push_str(&one(group, screen, sources));
                out.push('\n');
            }
        }
        if level == "notice" {
            out.push('\n');
        }
    }
    out
}

fn is_same(a: &Diagnostic, b: &Diagnostic) -> bool {
    a.message == b.message && a.rule == b.rule && a.help == b.help
}

/// Nothing is to be done about a notice: it needs no excerpt.
fn briefly(group: &[&Diagnostic], screen: &Screen) -> String {
    let places: Vec<String> = group
        .iter()
        .filter(|finding| finding.file.is_some())
        .map(|finding| place(finding))
        .collect();
    let mut text = group[0].message.clone();
    if !places.is_empty() {
        text = format!("{text} ({})", places.join(", "));
    }
    paragraph("- ", &text, screen)
}

fn one(group: &[&Diagnostic], screen: &Screen, sources: &Sources) -> String {
    let theme = if screen.colour {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(screen.width)
        .with_context_lines(1)
        .with_links(false);
    let finding = Finding::new(group, sources);
    let mut out = String::new();
    // A span outside the text would be the only failure, and spans are checked when a finding is made.
    if handler.render_report(&mut out, &finding).is_err() {
        out = format!("{finding}\n");
    }
    let lines: Vec<&str> = out.lines().map(str::trim_end).collect();
    let text = lines.join("\n");
    text.trim_matches('\n').to_owned() + "\n"
}

/// A finding in the shape that miette prints.
#[derive(Debug)]
struct Finding<'a> {
    first: &'a Diagnostic,
    message: String,
    help: Option<String>,
    code: Option<NamedSource<String>>,
    span: Option<SourceSpan>,
}

impl<'a> Finding<'a> {
    fn new(group: &[&'a Diagnostic], sources: &Sources) -> Self {
        let first = group[0];
        let text = first.file.as_deref().and_then(|file| sources.text(file));
        let span = text.and_then(|text| span_of(first, text));
        let code = match (text, &first.file, span) {
            (Some(text), Some(file), Some(_)) => Some(NamedSource::new(file, text.to_owned())),
            _ => None,
        };
        let mut message = first.message.clone();
        if code.is_none() && first.file.is_some() {
            message = format!("{message} ({})", place(first));
        }
        let mut help: Vec<String> = first.help.iter().cloned().collect();
        if group.len() > 1 {
            let others: Vec<String> = group[1..].iter().map(|other| place(other)).collect();
            help.push(format!("also at {}", others.join(", ")));
        }
        match (&first.source, &first.grade) {
            (Some(source), Some(grade)) => help.push(format!("source ({grade}): {source}")),
            (Some(source), None) => help.push(format!("source: {source}")),
            (None, Some(grade)) => help.push(format!("grade: {grade}")),
            (None, None) => {}
        }
        Self {
            first,
            message,
            help: (!help.is_empty()).then(|| help.join("\n")),
            code,
            span: span.filter(|_| text.is_some()),
        }
    }
}

fn place(finding: &Diagnostic) -> String {
    match (&finding.file, finding.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        (None, _) => "an unnamed place".to_owned(),
    }
}

/// The finding's octets, or its line when it has none; nothing when they do not fit the text, which then
/// is not the text that the finding speaks of.
fn span_of(finding: &Diagnostic, text: &str) -> Option<SourceSpan> {
    if let Some((start, end)) = finding.span {
        let (start, end) = (start as usize, end as usize);
        text.get(start..end)?;
        return Some((start, end - start).into());
    }
    let line = finding.line?.checked_sub(1)? as usize;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let content = text.get(start..)?.lines().next()?;
    let indent = content.len() - content.trim_start().len();
    Some((start + indent, content.trim().len()).into())
}

impl fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Finding<'_> {}

impl miette::Diagnostic for Finding<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.first
            .rule
            .as_ref()
            .map(|rule| Box::new(rule) as Box<_>)
    }

    fn severity(&self) -> Option<Severity> {
        Some(match self.first.level.as_str() {
            "warning" => Severity::Warning,
            "advice" | "notice" => Severity::Advice,
            _ => Severity::Error,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<_>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.code.as_ref().map(|code| code as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.span?;
        let label = LabeledSpan::new_with_span(None, span);
        Some(Box::new(std::iter::once(label)))
    }
}
