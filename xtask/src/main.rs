//! House tasks. `cargo xtask` without arguments says which.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks on its standard streams"
)]

mod bench;
mod packages;
mod process;
mod stages;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
cargo xtask test                the whole gate: check, every test, corpora, simulation, real peers
cargo xtask check               formatting, lints, house rules, documentation
cargo xtask tidy                house rules only
cargo xtask sim [--seeds N]     worlds under random faults, seeds 0 to N - 1
cargo xtask diagnose [--table]  what `diagnose` says of 410 broken, 82 whole and 82 degraded estates
cargo xtask interop [NAME]      against FRR, BIRD and tshark, in network namespaces (Linux, root)
cargo xtask bench NAME          cold-start, circuits, pps, netns, convergence, failover";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<bool> {
    std::env::set_current_dir(root())?;
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["test"] => Ok(stages::run(stages::TEST)),
        ["check"] => Ok(stages::run(stages::CHECK)),
        ["tidy"] => Ok(stages::run(&[stages::TIDY])),
        ["sim"] => stages::simulate(64),
        ["sim", "--seeds", count] => match count.parse() {
            Ok(count) => stages::simulate(count),
            Err(_) => bail!("--seeds wants a number, not `{count}`"),
        },
        ["diagnose"] => stages::diagnose(&[]),
        ["diagnose", "--table"] => stages::diagnose(&["--table"]),
        ["interop", names @ ..] => Ok(stages::interop(names)),
        ["bench", name] => bench::run(name),
        [] => {
            println!("{USAGE}");
            Ok(true)
        }
        _ => bail!("unknown task `{}`\n\n{USAGE}", words.join(" ")),
    }
}

/// The repository, from where this crate was built.
fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}
