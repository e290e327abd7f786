//! `skybridge`: private interconnects between clouds, as software anyone can run.
//!
//! The binary parses arguments, reads files, asks a lab (in this process, or by its control socket), and
//! renders the documents it answers with. Everything else is in the crates below.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod exit;
mod progress;
mod render;
mod screen;
mod source;

use std::process::ExitCode;

use clap::Parser;

/// Values and documents are many small pieces: planning them takes a quarter less time than with the allocator of
/// glibc (`bench/plan.sh`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned());
    let cli = args::Cli::parse_from(args::with_two_dashes(args));
    ExitCode::from(commands::run(cli))
}
