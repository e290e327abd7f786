//! One question to a running lab.

use skybridge_lab::request::{Request, Response};
use skybridge_live::{Connection, Place};

use super::{Failure, Window};
use crate::exit;
use crate::progress::Reporter;
use crate::render::Sources;

/// Asks with progress on standard error.
pub(super) fn ask(
    connection: &Connection,
    request: Request,
    window: &Window,
) -> Result<Response, Failure> {
    let mut reporter = Reporter::new(window.json);
    let answer = connection.ask(request, &mut |news| reporter.show(news));
    reporter.finish();
    Ok(answer?)
}

/// Asks, shows, and gives the exit code. A lab that runs was brought up over what "will not work" on
/// purpose, so only what does not hold counts.
pub(super) fn ask_and_show(
    place: &Place,
    request: Request,
    window: &Window,
) -> Result<u8, Failure> {
    let connection = Connection::Remote(place.clone());
    let response = ask(&connection, request, window)?;
    window.show(&response, &Sources::default())?;
    Ok(exit::of_response(&response, true))
}
