//! Runs seeds.
//!
//! ```text
//! skybridge-sim --seeds 100 [--first 1]     many seeds; the failing ones with the command to repeat
//! skybridge-sim --seed 7                    one seed, in detail
//! ```
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "it is a command that prints")]

use std::process::ExitCode;
use std::time::Instant as Clock;

use skybridge_sim::{Outcome, run};

const USAGE: &str = "usage: skybridge-sim --seeds N [--first S] | --seed S";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().ok();
    match words[..] {
        ["--seed", seed] => number(seed).map_or_else(usage, one),
        ["--seeds", count] => number(count).map_or_else(usage, |count| many(1, count)),
        ["--seeds", count, "--first", first] => match (number(count), number(first)) {
            (Some(count), Some(first)) => many(first, count),
            _ => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    println!("{USAGE}");
    ExitCode::from(2)
}

fn one(seed: u64) -> ExitCode {
    let outcome = run(seed);
    println!("{:?}", skybridge_sim::options(seed));
    println!("{outcome:#?}");
    println!("hash {:016x}", outcome.hash);
    verdict([&outcome])
}

fn many(first: u64, count: u64) -> ExitCode {
    println!("  seed              hash   virtual     steps  compared  settled in  echoes    ms");
    let mut outcomes = Vec::new();
    for seed in first..first.saturating_add(count) {
        let begun = Clock::now();
        let outcome = run(seed);
        let took = begun.elapsed();
        let (sent, answered) = outcome.echoes;
        println!(
            "{seed:>6}  {:016x}  {:>6} s  {:>8}  {:>8}  {:>8} s  {answered}/{sent}  {}{}",
            outcome.hash,
            outcome.time.as_secs(),
            outcome.steps,
            outcome.comparisons,
            outcome.settled_in.as_secs(),
            took.as_millis(),
            if outcome.failures.is_empty() {
                ""
            } else {
                "  FAILED"
            },
        );
        outcomes.push(outcome);
    }
    verdict(&outcomes)
}

fn verdict<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> ExitCode {
    let mut failed = 0;
    let mut total = 0;
    for outcome in outcomes {
        total += 1;
        if outcome.failures.is_empty() {
            continue;
        }
        failed += 1;
        println!("seed {} failed:", outcome.seed);
        for failure in &outcome.failures {
            println!("  {failure}");
        }
        println!(
            "  repeat: cargo run -p skybridge-sim --release -- --seed {}",
            outcome.seed
        );
    }
    println!("{} of {total} seeds passed", total - failed);
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
