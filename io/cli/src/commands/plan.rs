//! `plan` and `output`: what would be done, and what has come of it.

use skybridge_base::Instant;
use skybridge_estate::Pace;
use skybridge_lab::document::ErrorDocument;
use skybridge_lab::request::{Request, Response, UpRequest};
use skybridge_lab::{ClientId, Hosts, Lab, LabConfig, LabOutput};
use skybridge_live::{Connection, Place, PlaceError};

use super::{Failure, Window, ask, lab, stack_identity, up};
use crate::args::{OutputArgs, PlanArgs};
use crate::render::{self, Sources};
use crate::{exit, screen};

/// Plans against the lab that runs, or against nothing.
pub(super) fn plan(args: &PlanArgs, lab: &str, window: &Window) -> Result<u8, Failure> {
    let stacks = up::stacks(&args.directories, &args.variables, window)?;
    let sources = Sources::of(&stacks);
    let request = Request::Plan(UpRequest {
        stacks,
        force: false,
        skip_simulation: true,
    });
    let place = Place::of(lab)?;
    let response = match place.connect() {
        Ok(_) => ask::ask(&Connection::Remote(place), request, window)?,
        Err(PlaceError::Absent(_)) => answer(request),
        Err(error) => return Err(error.into()),
    };
    window.show(&response, &sources)?;
    Ok(exit::of_response(&response, false))
}

/// The answer of a lab that has nothing: it is asked here and never runs.
fn answer(request: Request) -> Response {
    let mut lab = Lab::new(&LabConfig {
        seed: 0,
        secret_seed: 0,
        pace: Pace::Compressed,
        epoch: lab::wall_time(),
        hosts: Hosts::Internal,
        ceilings: true,
    });
    lab.request(Instant::ZERO, ClientId(0), request);
    while let Some(output) = lab.poll_output() {
        if let LabOutput::Response { response, .. } = output {
            return response;
        }
    }
    Response::Error(ErrorDocument {
        message: "nothing came of the plan".to_owned(),
        help: None,
        diagnostics: Vec::new(),
    })
}

/// Prints the outputs of a stack, or one of them.
pub(super) fn output(args: &OutputArgs, lab: &str, window: &Window) -> Result<u8, Failure> {
    let directory = stack_identity(&args.directory);
    let connection = Connection::Remote(Place::of(lab)?);
    let response = ask::ask(&connection, Request::Outputs { directory }, window)?;
    let (Some(name), Response::Outputs(doc)) = (&args.name, &response) else {
        window.show(&response, &Sources::default())?;
        return Ok(exit::of_response(&response, false));
    };
    let Some(row) = doc.outputs.get(name) else {
        let known: Vec<&str> = doc.outputs.keys().map(String::as_str).collect();
        return Err(Failure::Usage(format!(
            "the stack has no output {name:?}; it has {}",
            known.join(", ")
        )));
    };
    screen::print(&render::output(row)).map_err(|source| Failure::Io {
        what: "cannot print",
        source,
    })?;
    Ok(exit::HOLDS)
}
