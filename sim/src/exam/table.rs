//! Marks, and the confusion table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{Exam, Paper};

const INFALLIBLE: &str = "writing to a String cannot fail";

/// How many of how many were right.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Marks {
    /// Examined.
    pub all: usize,
    /// Right.
    pub right: usize,
}

impl Marks {
    /// Marks of the exams with this paper.
    #[must_use]
    pub fn of(exams: &[Exam], paper: Paper) -> Self {
        let of_paper = exams.iter().filter(|exam| exam.paper == paper);
        of_paper.fold(Self::default(), |marks, exam| Self {
            all: marks.all + 1,
            right: marks.right + usize::from(exam.is_right),
        })
    }

    /// Right ones in ten thousand.
    #[must_use]
    pub const fn per_ten_thousand(self) -> usize {
        match (self.right * 10_000).checked_div(self.all) {
            Some(share) => share,
            None => 0,
        }
    }
}

impl std::fmt::Display for Marks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let share = self.per_ten_thousand();
        write!(
            f,
            "{} of {} ({}.{} %)",
            self.right,
            self.all,
            share / 100,
            share / 10 % 10
        )
    }
}

/// What was true against what was said, and each kind of fault, as Markdown.
#[must_use]
pub fn confusion(exams: &[Exam]) -> String {
    let mut out = String::new();
    let cell = |(layer, owner): &(String, String)| format!("{layer}, {owner}");
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut said: BTreeSet<String> = BTreeSet::new();
    let mut truths: BTreeSet<String> = BTreeSet::new();
    for exam in exams {
        let key = (cell(&exam.truth), cell(&exam.said));
        said.insert(key.1.clone());
        truths.insert(key.0.clone());
        *counts.entry(key).or_default() += 1;
    }
    out.push_str("| true \\ said |");
    for column in &said {
        write!(out, " {column} |").expect(INFALLIBLE);
    }
    out.push_str("\n|---|");
    out.push_str(&"---:|".repeat(said.len()));
    out.push('\n');
    for row in &truths {
        write!(out, "| {row} |").expect(INFALLIBLE);
        for column in &said {
            match counts.get(&(row.clone(), column.clone())) {
                Some(count) if row == column => write!(out, " **{count}** |"),
                Some(count) => write!(out, " {count} |"),
                None => write!(out, " |"),
            }
            .expect(INFALLIBLE);
        }
        out.push('\n');
    }
    out
}

/// Each kind of fault with its marks, as Markdown.
#[must_use]
pub fn kinds(exams: &[Exam]) -> String {
    let mut out = "| fault | truth | right | said instead |\n|---|---|---:|---|\n".to_owned();
    let mut kinds: BTreeMap<String, Vec<&Exam>> = BTreeMap::new();
    let broken = |exam: &&Exam| match exam.paper {
        Paper::Fault => true,
        Paper::Attached => !exam.kind.is_empty(),
        Paper::Healthy | Paper::Degraded => false,
    };
    for exam in exams.iter().filter(broken) {
        kinds.entry(exam.kind.clone()).or_default().push(exam);
    }
    for (kind, of_kind) in kinds {
        let right = of_kind.iter().filter(|exam| exam.is_right).count();
        let wrong: Vec<String> = (of_kind.iter())
            .filter(|exam| !exam.is_right)
            .map(|exam| {
                let (layer, owner) = &exam.said;
                format!(
                    "{layer}, {owner}, {} (seed {})",
                    exam.condition.label(),
                    exam.seed
                )
            })
            .collect();
        let truth = of_kind
            .first()
            .map(|exam| exam.truth.clone())
            .unwrap_or_default();
        let all = of_kind.len();
        writeln!(
            out,
            "| {} | {}, {} | {right} of {all} | {} |",
            words(&kind),
            truth.0,
            truth.1,
            wrong.join("; ")
        )
        .expect(INFALLIBLE);
    }
    out
}

/// `CrossConnectDown` as `cross connect down`.
fn words(camel: &str) -> String {
    let mut words = String::new();
    for (index, letter) in camel.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}
