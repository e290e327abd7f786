//! The stages of the gate, and the line that sums them up.

use std::env;
use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::packages;
use crate::process::{Outcome, cargo, outcome, output};
use crate::tidy;

/// One stage: its name and what it does.
pub(crate) type Stage = (&'static str, fn() -> Outcome);

pub(crate) const TIDY: Stage = ("house rules", tidy::run);
const FORMAT: Stage = ("formatting", format);
const LINTS: Stage = ("lints", lints);
const DOCUMENTATION: Stage = ("documentation", documentation);
const BUILD: Stage = ("build", build);
const TESTS: Stage = ("tests and corpora", tests);
const SIMULATION: Stage = ("simulation, twice the same", simulation);
const DIAGNOSIS: Stage = ("diagnosis of broken estates", diagnosis);
const PEERS: Stage = ("real peers", || peers(&[]));

/// What `cargo xtask check` runs.
pub(crate) const CHECK: &[Stage] = &[FORMAT, TIDY, LINTS, DOCUMENTATION];

/// What `cargo xtask test` runs, the cheap stages first.
pub(crate) const TEST: &[Stage] = &[
    FORMAT,
    TIDY,
    BUILD,
    TESTS,
    SIMULATION,
    DIAGNOSIS,
    PEERS,
    LINTS,
    DOCUMENTATION,
];

/// Seeds of the gate's simulation; `cargo xtask sim` takes more.
const GATE_SEEDS: usize = 100;

/// Runs every stage, also after a failure; true when nothing failed.
pub(crate) fn run(stages: &[Stage]) -> bool {
    let start = Instant::now();
    let mut results = Vec::new();
    for (name, stage) in stages {
        println!("\n== {name}");
        let result = match stage() {
            Outcome::Skipped(why) if packages::is_ci() => {
                Outcome::Failed(format!("skipped: {why} (CI=true allows no skip)"))
            }
            other @ (Outcome::Passed | Outcome::Failed(_) | Outcome::Skipped(_)) => other,
        };
        match &result {
            Outcome::Passed => println!("ok: {name}"),
            Outcome::Failed(why) => println!("FAILED: {name}: {why}"),
            Outcome::Skipped(why) => println!("skipped: {why}"),
        }
        results.push((*name, result));
    }
    println!("\n== result after {} s", start.elapsed().as_secs());
    let mut counts = [0_usize; 3];
    for (name, result) in &results {
        match result {
            Outcome::Passed => counts[0] += 1,
            Outcome::Failed(why) => {
                counts[1] += 1;
                println!("FAILED: {name}: {why}");
            }
            Outcome::Skipped(why) => {
                counts[2] += 1;
                println!("{name}: skipped: {why}");
            }
        }
    }
    println!(
        "{} passed, {} failed, {} skipped",
        counts[0], counts[1], counts[2]
    );
    counts[1] == 0
}

/// `cargo xtask sim`.
pub(crate) fn simulate(seeds: u32) -> Result<bool> {
    let seeds = seeds.to_string();
    let result = outcome(&mut cargo(&[
        "run",
        "--quiet",
        "--package",
        "skybridge-sim",
        "--",
        "--seeds",
        &seeds,
    ]));
    Ok(result == Outcome::Passed)
}

/// The examination of the gate and of docs/diagnose.md: seeds that nobody looked at while writing.
const EXAM: [&str; 10] = [
    "--first",
    "30001",
    "--faults",
    "410",
    "--healthy",
    "82",
    "--degraded",
    "82",
    "--attached",
    "180",
];

/// `cargo xtask diagnose`.
pub(crate) fn diagnose(more: &[&str]) -> Result<bool> {
    Ok(examine(more) == Outcome::Passed)
}

fn diagnosis() -> Outcome {
    examine(&[])
}

fn examine(more: &[&str]) -> Outcome {
    let mut arguments = vec![
        "run",
        "--quiet",
        "--package",
        "skybridge-sim",
        "--bin",
        "skybridge-examine",
        "--",
    ];
    arguments.extend(EXAM);
    arguments.extend(more);
    outcome(&mut cargo(&arguments))
}

/// `cargo xtask interop`.
pub(crate) fn interop(names: &[&str]) -> bool {
    let made = outcome(&mut cargo(&[
        "build",
        "--quiet",
        "--package",
        "skybridge-interop",
        "--package",
        "skybridge",
    ]));
    let result = match made {
        Outcome::Passed => peers(names),
        failed @ (Outcome::Failed(_) | Outcome::Skipped(_)) => failed,
    };
    match result {
        Outcome::Passed => true,
        Outcome::Failed(why) => {
            println!("FAILED: {why}");
            false
        }
        Outcome::Skipped(why) => {
            println!("skipped: {why}");
            !packages::is_ci()
        }
    }
}

fn format() -> Outcome {
    outcome(&mut cargo(&["fmt", "--all", "--check"]))
}

fn lints() -> Outcome {
    outcome(&mut cargo(&[
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))
}

fn documentation() -> Outcome {
    outcome(
        cargo(&["doc", "--quiet", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"),
    )
}

/// Builds everything once, with the features that the tests are built with. Later stages run programs
/// from there: `cargo run --package` would choose other features and build their dependencies again.
fn build() -> Outcome {
    outcome(&mut cargo(&[
        "build",
        "--quiet",
        "--workspace",
        "--all-targets",
    ]))
}

fn tests() -> Outcome {
    outcome(&mut cargo(&["test", "--quiet", "--workspace"]))
}

fn simulation() -> Outcome {
    let seeds = GATE_SEEDS.to_string();
    let run = || output(built("skybridge-sim").args(["--seeds", &seeds]));
    match (run(), run()) {
        (Ok(first), Ok(second)) => {
            print!("{first}");
            let (first, second) = (trace_hashes(&first), trace_hashes(&second));
            if first.len() != GATE_SEEDS {
                return Outcome::Failed(format!("{} hashes of {GATE_SEEDS} seeds", first.len()));
            }
            Outcome::of(first == second, "two runs of the same seeds differ")
        }
        (Err(why), _) | (_, Err(why)) => Outcome::Failed(why),
    }
}

/// Seed and trace hash from each line of the simulator's table.
fn trace_hashes(table: &str) -> Vec<(u64, u64)> {
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        let seed = words.next()?.parse().ok()?;
        let hash = words.next().filter(|word| word.len() == 16)?;
        Some((seed, u64::from_str_radix(hash, 16).ok()?))
    };
    table.lines().filter_map(row).collect()
}

fn peers(names: &[&str]) -> Outcome {
    match packages::ensure() {
        Outcome::Passed => {
            let mut command = built("skybridge-interop");
            let scenarios = outcome(command.args(names).env("SKYBRIDGE_INTEROP", "1"));
            match scenarios {
                Outcome::Passed if names.is_empty() => namespace_tests(),
                other @ (Outcome::Passed | Outcome::Failed(_) | Outcome::Skipped(_)) => other,
            }
        }
        missing @ (Outcome::Failed(_) | Outcome::Skipped(_)) => missing,
    }
}

/// Tests that need a network namespace of their own, which is why `cargo test` leaves them out.
fn namespace_tests() -> Outcome {
    let mut command = Command::new("unshare");
    command.arg("--net").arg(cargo(&[]).get_program()).args([
        "test",
        "--quiet",
        "--workspace",
        "--test",
        "namespace",
        "--",
        "--ignored",
    ]);
    outcome(&mut command)
}

/// A program that the build stage made, beside this one.
fn built(name: &str) -> Command {
    let this = env::current_exe().unwrap_or_default();
    Command::new(this.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_read_from_rows_and_from_nothing_else() {
        let table = "  seed  hash  ms\n     7  00000000000000ff  210 s  99\n1 of 1 seeds passed\n";
        assert_eq!(trace_hashes(table), [(7, 255)]);
    }
}
