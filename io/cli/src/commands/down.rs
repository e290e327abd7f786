//! `down`.

use skybridge_lab::request::{Request, Response};
use skybridge_live::{Connection, Place};

use super::{Failure, Window, ask, stack_identity};
use crate::args::DownArgs;
use crate::exit;
use crate::render::Sources;

/// Destroys; the lab ends when nothing is left of it.
pub(super) fn down(args: &DownArgs, lab: &str, window: &Window) -> Result<u8, Failure> {
    let connection = Connection::Remote(Place::of(lab)?);
    let directory = args.directory.as_deref().map(stack_identity);
    let everything = directory.is_none();
    let response = ask::ask(&connection, Request::Down { directory }, window)?;
    window.show(&response, &Sources::default())?;
    // After a destruction there is nothing left to check; only a refusal counts.
    let refused = if let Response::Report(report) = &response {
        let mut levels = report.diagnostics.iter().map(|finding| &finding.level);
        levels.any(|level| exit::is_bad_input(level, true))
    } else {
        exit::of_response(&response, true) == exit::BAD_INPUT
    };
    if refused {
        return Ok(exit::BAD_INPUT);
    }
    let empty = matches!(&response, Response::Report(report) if report.summary.resources == 0);
    if everything || empty {
        ask::ask(&connection, Request::Stop, window)?;
        window.remark("The lab has ended.");
    }
    Ok(exit::HOLDS)
}
