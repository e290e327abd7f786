//! `exec`: the lab says where a host's namespace is, and this process becomes the program in it.

use std::ffi::OsString;

use skybridge_lab::request::{Request, Response};
use skybridge_live::{Connection, ExecError, Place};

use super::{Failure, Window, ask};
use crate::args::ExecArgs;
use crate::exit;
use crate::render::Sources;

/// Becomes the program; returns only where that fails.
pub(super) fn exec(args: ExecArgs, lab: &str, window: &Window) -> Result<u8, Failure> {
    let connection = Connection::Remote(Place::of(lab)?);
    let request = Request::Enter { host: args.host };
    let response = ask::ask(&connection, request, window)?;
    let Response::Enter(entrance) = &response else {
        window.show(&response, &Sources::default())?;
        return Ok(exit::of_response(&response, true));
    };
    let mut words = args.command.into_iter();
    let program = words.next().unwrap_or_else(shell);
    let arguments: Vec<OsString> = words.collect();
    Err(skybridge_live::exec(entrance, &program, &arguments).into())
}

fn shell() -> OsString {
    std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into())
}

/// The exit code of a program that did not run, as shells have it (POSIX.1-2017 Shell §2.8.2).
pub(super) fn code(error: &ExecError) -> u8 {
    match error {
        ExecError::Run { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            exit::PROGRAM_MISSING
        }
        ExecError::Run { .. } => exit::PROGRAM_REFUSED,
        ExecError::Enter { .. } => exit::BROKEN,
    }
}
