//! Runs seeds, or prints what each failure costs the interconnect.
//!
//! ```text
//! skybridge-sim --seeds 100 [--first 1]     many seeds; the failing ones with the command to repeat
//! skybridge-sim --seed 7                    one seed, in detail
//! skybridge-sim --failover                  element × mode with BFD on and off, and how long a proof takes
//! ```
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "it is a command that prints")]

use std::process::ExitCode;
use std::time::{Duration, Instant as Clock};

use skybridge_base::Instant;
use skybridge_sim::network::{self, Options};
use skybridge_sim::{Outcome, run};
use skybridge_verify::{Claim, Proof, Within, failover_table, prove};
use skybridge_world::{CutMode, World};

const USAGE: &str = "usage: skybridge-sim --seeds N [--first S] | --seed S | --failover";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u64>().ok();
    match words[..] {
        ["--failover"] => {
            failover();
            ExitCode::SUCCESS
        }
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

fn failover() {
    for bfd in [true, false] {
        let options = Options {
            bfd,
            ..Options::default()
        };
        let (_, pair) = network::pairs(&options).remove(0);
        let blueprint = network::blueprint(&options);
        let mut world = World::new(blueprint, 1).expect("compiled blueprints have no faults");
        world.run_until(Instant::from_secs(20));
        let claim = Claim {
            name: "reached".to_owned(),
            pairs: vec![pair.clone()],
            tcp: None,
            reachable: true,
            survives: 1,
            within: Within::default(),
        };
        let proof = Proof {
            log: world.log().clone(),
            at: world.now(),
            claims: vec![claim],
        };
        let begun = Clock::now();
        let results = prove(&proof);
        let took = begun.elapsed();
        for result in results {
            println!(
                "BFD {bfd}: holds {:?}, {}; proved in {} ms",
                result.holds,
                result.detail,
                took.as_millis()
            );
        }
        let modes = [CutMode::LinkDown, CutMode::Silent, CutMode::Admin];
        match failover_table(&proof.log, proof.at, &pair, &modes) {
            Err(error) => println!("{error}"),
            Ok(cases) => {
                for case in cases {
                    println!(
                        "| {} | {} | {} | {} |",
                        case.label,
                        case.mode.label(),
                        show(case.loss, case.resolution),
                        case.timer
                    );
                }
            }
        }
    }
}

fn show(loss: Duration, resolution: Duration) -> String {
    format!(
        "{:.2} s (to {} ms)",
        loss.as_secs_f64(),
        resolution.as_millis()
    )
}
