//! Seeds, and that they repeat.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::process::Command;
use std::time::Duration;

use skybridge_sim::network::{Options, blueprint};
use skybridge_sim::{Kind, options, run, run_network};

fn regressions() -> Vec<u64> {
    let lines = include_str!("../seeds/regressions.txt").lines();
    let seeds = lines.map(|line| line.split('#').next().unwrap_or_default().trim());
    seeds
        .filter(|seed| !seed.is_empty())
        .map(|seed| seed.parse().unwrap())
        .collect()
}

#[test]
fn fresh_seeds_and_those_that_failed_once_pass() {
    let mut seen: Vec<Kind> = Vec::new();
    let (mut comparisons, mut answered) = (0, 0);
    for seed in (1000..1060).chain(regressions()) {
        let outcome = run(seed);
        assert_eq!(
            outcome.failures,
            Vec::<String>::new(),
            "cargo run -p skybridge-sim -- --seed {seed}"
        );
        seen.extend(outcome.actions.keys());
        comparisons += outcome.comparisons;
        answered += outcome.echoes.1;
    }
    // A run that does nothing proves nothing.
    for kind in Kind::ALL {
        assert!(seen.contains(&kind), "{kind:?} never happened");
    }
    assert!(
        comparisons > 120 && answered > 5_000,
        "{comparisons} {answered}"
    );
}

#[test]
fn a_seed_repeats_itself() {
    let seeds = [1, 2, 3];
    let hashes = seeds.map(|seed| run(seed).hash);
    assert_eq!(seeds.map(|seed| run(seed).hash), hashes);
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2]);
}

#[test]
fn a_seed_is_the_same_with_and_without_a_flow_cache() {
    for seed in 2000..2030 {
        let with = options(seed);
        let without = Options {
            flow_cache: false,
            ..with
        };
        assert_eq!(run_network(seed, &with), run_network(seed, &without));
    }
}

#[test]
fn a_seed_repeats_itself_in_another_process() {
    let output = Command::new(env!("CARGO_BIN_EXE_skybridge-sim"))
        .args(["--seed", "5"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let expected = format!("hash {:016x}", run(5).hash);
    assert!(text.contains(&expected), "{text}");
}

#[test]
fn the_order_in_which_resources_were_made_leaves_no_trace() {
    let two = Options {
        tenants: 2,
        delay: Duration::from_millis(1),
        ..options(8)
    };
    let reversed = Options {
        reversed: true,
        ..two
    };
    assert_eq!(blueprint(&two), blueprint(&reversed));
    assert_eq!(run_network(8, &two).hash, run_network(8, &reversed).hash);
}
