//! `up`: read here, decided and brought up by the lab.

use std::path::PathBuf;

use skybridge_lab::request::{Request, Response, StackSource, UpRequest};
use skybridge_live::{Connection, Place, PlaceError, Running};

use super::{Failure, Window, ask, lab};
use crate::args::{UpArgs, VariableArgs};
use crate::render::Sources;
use crate::source::{self, Variables};
use crate::{exit, screen};

/// Brings directories up: in the lab that runs, in one in the background, or in this process.
pub(super) fn up(args: UpArgs, lab: &str, window: &Window) -> Result<u8, Failure> {
    let request = request(&args, window)?;
    let sources = Sources::of(&request.stacks);
    let question = Question {
        request: Request::Up(request),
        sources,
        force: args.force,
    };
    if args.once {
        return once(&args, question, window);
    }
    let place = Place::of(lab)?;
    let runs = match place.connect() {
        Ok(_) => true,
        Err(PlaceError::Absent(_)) => false,
        Err(error) => return Err(error.into()),
    };
    if runs {
        if args.world.seed.is_some() {
            window.remark("The running lab keeps its seed and pace.");
        }
        let (_, code) = question.ask(&Connection::Remote(place), window)?;
        Ok(code)
    } else if args.detach {
        detached(&args, &place, question, window)
    } else {
        foreground(&args, &place, question, window)
    }
}

fn request(args: &UpArgs, window: &Window) -> Result<UpRequest, Failure> {
    Ok(UpRequest {
        stacks: stacks(&args.directories, &args.variables, window)?,
        force: args.force,
        skip_simulation: args.no_simulation,
    })
}

/// Reads the directories that are asked for.
pub(super) fn stacks(
    directories: &[PathBuf],
    variables: &VariableArgs,
    window: &Window,
) -> Result<Vec<StackSource>, Failure> {
    let environment = std::env::vars_os().filter_map(|(name, value)| {
        // What is not UTF-8 cannot be a variable's value.
        Some((name.into_string().ok()?, value.into_string().ok()?))
    });
    let variables = Variables::read(variables, environment)?;
    let mut stacks = Vec::new();
    for directory in directories {
        let read = source::read(directory, &variables)?;
        if !read.left_out.is_empty() {
            window.remark(&format!(
                "Not read, too long: {} and {} other files below {}.",
                read.left_out[0],
                read.left_out.len() - 1,
                directory.display()
            ));
        }
        stacks.push(read.stack);
    }
    Ok(stacks)
}

struct Question {
    request: Request,
    sources: Sources,
    force: bool,
}

impl Question {
    /// Asks, shows, and tells whether anything was brought up, and the exit code.
    fn ask(self, connection: &Connection, window: &Window) -> Result<(bool, u8), Failure> {
        let response = ask::ask(connection, self.request, window)?;
        window.show(&response, &self.sources)?;
        let code = exit::of_response(&response, self.force);
        let refused = code == exit::BAD_INPUT || matches!(response, Response::Error(_));
        Ok((!refused, code))
    }
}

/// A world of its own that nobody else can reach.
fn once(args: &UpArgs, question: Question, window: &Window) -> Result<u8, Failure> {
    let running = lab::start(None, &args.world)?;
    let result = question.ask(&Connection::Local(running.handle().clone()), window);
    let (_, code) = finish(running, result)?;
    Ok(code)
}

fn foreground(
    args: &UpArgs,
    place: &Place,
    question: Question,
    window: &Window,
) -> Result<u8, Failure> {
    let running = lab::start(Some(place.listen()?), &args.world)?;
    let result = question.ask(&Connection::Local(running.handle().clone()), window);
    if !matches!(result, Ok((true, _))) {
        return finish(running, result).map(|(_, code)| code);
    }
    let (_, code) = result?;
    window.remark(
        "The lab runs; Ctrl-C ends it. Elsewhere: skybridge status, show, ping, trace, cut, heal.",
    );
    lab::wait(running)?;
    Ok(code)
}

/// Ends a lab whose question is settled. One that ended by itself was interrupted.
fn finish(running: Running, result: Result<(bool, u8), Failure>) -> Result<(bool, u8), Failure> {
    use skybridge_live::{AskError, Ended};
    running.handle().stop();
    let ended = running.join();
    match (result, ended) {
        (Err(Failure::Ask(AskError::Ended)), Ended::Interrupted) => Err(Failure::Interrupted),
        (Err(Failure::Ask(AskError::Ended)), Ended::Failed(source)) => Err(Failure::Io {
            what: "the lab has failed",
            source,
        }),
        (result, _) => result,
    }
}

fn detached(
    args: &UpArgs,
    place: &Place,
    question: Question,
    window: &Window,
) -> Result<u8, Failure> {
    lab::detach(place, &args.world)?;
    let connection = Connection::Remote(place.clone());
    let result = question.ask(&connection, window);
    match &result {
        Ok((true, _)) => window.remark("The lab runs in the background; `skybridge down` ends it."),
        // An empty lab is of no use to anybody.
        _ => {
            if let Err(failure) = ask::ask(&connection, Request::Stop, window) {
                screen::remark(&format!(
                    "the lab in the background does not end: {failure}"
                ));
            }
        }
    }
    result.map(|(_, code)| code)
}
