//! Measurements. What each means stands in `bench/README.md`.

use std::process::Command;

use anyhow::{Result, bail};

use crate::process::{Outcome, cargo, outcome};

/// Runs one measurement by its name.
pub(crate) fn run(name: &str) -> Result<bool> {
    let release = ["run", "--quiet", "--release", "--package"];
    let mut command = match name {
        "cold-start" => {
            let mut command = Command::new("bash");
            command.arg("bench/cold-start.sh");
            command
        }
        "circuits" => {
            let mut command = Command::new("bash");
            command.arg("bench/circuits.sh");
            command
        }
        "pps" => {
            let mut command = cargo(&release);
            command.args(["skybridge-bench", "--bin", "pps"]);
            command
        }
        "netns" => {
            let mut command = Command::new("bash");
            command.arg("bench/netns.sh");
            command
        }
        "failover" => {
            let mut command = Command::new("bash");
            command.arg("bench/failover.sh");
            command
        }
        "plan" => {
            let mut command = Command::new("bash");
            command.arg("bench/plan.sh");
            command
        }
        "convergence" => {
            let mut command = cargo(&release);
            command.args(["skybridge-bgp", "--example", "convergence"]);
            command
        }
        other => bail!(
            "no measurement `{other}`; there are cold-start, circuits, pps, netns, convergence, failover, plan"
        ),
    };
    Ok(outcome(&mut command) == Outcome::Passed)
}
