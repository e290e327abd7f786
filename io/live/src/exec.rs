//! Programs in the namespaces of a lab.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use skybridge_lab::document::Entrance;
use skybridge_netdev::{enter, show_hosts};
use thiserror::Error;

use crate::marker::Marker;

/// The variable by which programs, and what they start, are told to run in a lab.
pub const MARKER: &str = "SKYBRIDGE_LAB_PROCESS";
/// The variable that names the host.
pub const HOST: &str = "SKYBRIDGE_HOST";

/// Why a program does not run.
#[derive(Debug, Error)]
pub enum ExecError {
    /// The lab's namespace is not to be entered.
    #[error(
        "cannot enter the namespace of {host}: has its lab ended, or does it run as another user?"
    )]
    Enter {
        /// Which.
        host: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The program is not to be started.
    #[error("cannot run {program}")]
    Run {
        /// Which.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
}

/// Becomes a program in the namespace of a host: never returns where it succeeds. The process must have one
/// thread only.
#[must_use]
pub fn exec(entrance: &Entrance, program: &OsString, arguments: &[OsString]) -> ExecError {
    let marker = Marker::of(entrance.pid);
    if let Err(source) = enter(entrance.pid, entrance.descriptor) {
        let host = entrance.host.clone();
        return ExecError::Enter { host, source };
    }
    // Where mounts are not allowed, the program knows the other hosts by their addresses.
    show_hosts(&entrance.etc_hosts).ok();
    let mut command = Command::new(program);
    command.args(arguments).env(HOST, &entrance.host);
    if let Some(marker) = marker {
        command.env(MARKER, marker.to_string());
    }
    ExecError::Run {
        program: program.to_string_lossy().into_owned(),
        source: command.exec(),
    }
}
