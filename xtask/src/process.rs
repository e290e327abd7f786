//! Commands of other programs.

use std::env;
use std::process::{Command, Stdio};
use std::time::Instant;

/// How a command or a rule ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// As it should.
    Passed,
    /// Not as it should, and why.
    Failed(String),
    /// Not tried, and what it needs.
    Skipped(String),
}

impl Outcome {
    /// Passed when `good`, failed with `why` otherwise.
    pub(crate) fn of(good: bool, why: &str) -> Self {
        if good {
            Self::Passed
        } else {
            Self::Failed(why.to_owned())
        }
    }
}

/// The cargo that started this program.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Runs `command` with its output on the terminal.
pub(crate) fn outcome(command: &mut Command) -> Outcome {
    let shown = shown(command);
    println!("$ {shown}");
    let start = Instant::now();
    match command.status() {
        Ok(status) if status.success() => {
            println!("  took {} s", start.elapsed().as_secs());
            Outcome::Passed
        }
        Ok(status) => Outcome::Failed(format!("`{shown}`: {status}")),
        Err(error) => Outcome::Failed(format!("`{shown}` does not start: {error}")),
    }
}

/// What `command` prints; errors stay on the terminal. `Err` says why there is nothing.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let shown = shown(command);
    println!("$ {shown}");
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("`{shown}` does not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(text)
    } else {
        print!("{text}");
        Err(format!("`{shown}`: {}", output.status))
    }
}

/// Whether `program` is found.
pub(crate) fn exists(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into(), "/usr/lib/frr".into()])
        .any(|folder| folder.join(program).is_file())
}

fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or(&program).to_owned();
    command.get_args().fold(name, |text, argument| {
        format!("{text} {}", argument.to_string_lossy())
    })
}
