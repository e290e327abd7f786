//! Examines `diagnose`: random estates with one random thing broken.
//!
//! ```text
//! skybridge-examine --faults 320 --healthy 40 --degraded 40 [--attached 36] [--first 1]    marks, and what was wrong
//!                   [--table]                                              and the confusion table, as Markdown
//! skybridge-examine --seed 7 [--healthy|--degraded|--attached]             one seed, in detail
//! ```
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "it is a command that prints")]

use std::process::ExitCode;
use std::time::Instant as Clock;

use skybridge_sim::exam::{Exam, Marks, Paper, confusion, examine, kinds};

const USAGE: &str = "usage: skybridge-examine --faults N --healthy N --degraded N [--attached N] [--first S] [--table]\n\
                     \x20      skybridge-examine --seed S [--healthy | --degraded | --attached]";
/// Right ones in ten thousand that are enough.
const ENOUGH: usize = 9500;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let after = |name: &str| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1)?.parse::<u64>().ok()
    };
    if let Some(seed) = after("--seed") {
        let paper = if words.contains(&"--healthy") {
            Paper::Healthy
        } else if words.contains(&"--degraded") {
            Paper::Degraded
        } else if words.contains(&"--attached") {
            Paper::Attached
        } else {
            Paper::Fault
        };
        return one(seed, paper);
    }
    match (after("--faults"), after("--healthy"), after("--degraded")) {
        (Some(faults), Some(healthy), Some(degraded)) => {
            let first = after("--first").unwrap_or(1);
            let papers = [
                (Paper::Fault, faults),
                (Paper::Healthy, healthy),
                (Paper::Degraded, degraded),
                (Paper::Attached, after("--attached").unwrap_or(0)),
            ];
            many(first, papers, words.contains(&"--table"))
        }
        _ => {
            println!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn one(seed: u64, paper: Paper) -> ExitCode {
    let exam = examine(seed, paper);
    println!("{:#?}", exam.diagnosis);
    println!("{}", exam.particulars);
    println!("{}", line(&exam));
    ExitCode::from(u8::from(!exam.is_right))
}

fn line(exam: &Exam) -> String {
    let fault = match exam.particulars.as_str() {
        "" => "nothing",
        fault => fault,
    };
    format!(
        "seed {} {:?}: {fault}: truth {}, {}; said {}, {}, {}",
        exam.seed,
        exam.paper,
        exam.truth.0,
        exam.truth.1,
        exam.said.0,
        exam.said.1,
        exam.condition.label()
    )
}

/// Examines on every processor; the order is that of the questions.
fn all(questions: &[(u64, Paper)]) -> Vec<Exam> {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = questions.len().div_ceil(workers).max(1);
    std::thread::scope(|scope| {
        let parts: Vec<_> = (questions.chunks(share))
            .map(|part| {
                scope.spawn(move || {
                    let exams = part.iter().map(|(seed, paper)| examine(*seed, *paper));
                    exams.collect::<Vec<_>>()
                })
            })
            .collect();
        let parts = parts.into_iter().map(|part| part.join());
        parts
            .flat_map(|part| part.expect("a failed exam has said why"))
            .collect()
    })
}

fn many(first: u64, papers: [(Paper, u64); 4], table: bool) -> ExitCode {
    let begun = Clock::now();
    let questions: Vec<(u64, Paper)> = (papers.iter())
        .flat_map(|(paper, count)| (0..*count).map(|n| (first.saturating_add(n), *paper)))
        .collect();
    let exams = all(&questions);
    for exam in exams.iter().filter(|exam| !exam.is_right) {
        println!("wrong: {}", line(exam));
    }
    let took = begun.elapsed().as_secs();
    let mut enough = true;
    for (paper, name) in [
        (Paper::Fault, "faults"),
        (Paper::Healthy, "healthy"),
        (Paper::Degraded, "degraded but flowing"),
        (Paper::Attached, "towards routers of the user's own"),
    ] {
        let marks = Marks::of(&exams, paper);
        println!("{name}: {marks} right");
        let wanted = if paper == Paper::Healthy {
            10_000
        } else {
            ENOUGH
        };
        enough &= marks.all == 0 || marks.per_ten_thousand() >= wanted;
    }
    let last = first + papers.iter().map(|(_, count)| *count).max().unwrap_or(1) - 1;
    println!("seeds {first} to {last}, {took} s");
    if table {
        println!("\n{}\n{}", confusion(&exams), kinds(&exams));
    }
    ExitCode::from(u8::from(!enough))
}
