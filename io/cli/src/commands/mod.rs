//! What each command does: nearly all of them ask the lab one question.

mod ask;
mod capture;
mod clean;
mod down;
mod exec;
mod forward;
mod lab;
mod plan;
mod up;

use clap::CommandFactory;
use skybridge_lab::document::ErrorDocument;
use skybridge_lab::request::{ForwardOrder, Provider, Request, Response};
use skybridge_live::{AskError, ExecError, NamespaceError, Place, PlaceError};
use thiserror::Error;

use crate::args::{Cli, Command, Output};
use crate::render::{self, Sources};
use crate::screen::{self, Screen};
use crate::source::SourceError;
use crate::{exit, source};

/// Why a command has no answer.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// No lab, or it broke off.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The lab's place cannot be used.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A directory cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Arguments that clap cannot judge.
    #[error("{0}")]
    Usage(String),
    /// The system lets hosts be no network namespaces.
    #[error(transparent)]
    Namespaces(#[from] NamespaceError),
    /// A program does not run.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// The lab in the background did not start.
    #[error("the lab did not start: {0}")]
    Start(String),
    /// Ctrl-C.
    #[error("interrupted before the lab answered")]
    Interrupted,
    /// The system refused.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl Failure {
    /// The exit code.
    fn code(&self) -> u8 {
        match self {
            Self::Ask(AskError::Place(_))
            | Self::Place(_)
            | Self::Source(_)
            | Self::Namespaces(_)
            | Self::Usage(_) => exit::BAD_INPUT,
            Self::Exec(error) => exec::code(error),
            Self::Interrupted => exit::INTERRUPTED,
            Self::Ask(_) | Self::Start(_) | Self::Io { .. } => exit::BROKEN,
        }
    }

    fn source_help(&self) -> Option<String> {
        if let Self::Source(error) = self {
            error.help()
        } else {
            None
        }
    }

    fn document(&self) -> ErrorDocument {
        let place = if let Self::Ask(AskError::Place(place)) | Self::Place(place) = self {
            Some(place)
        } else {
            None
        };
        let help = match place {
            Some(PlaceError::Absent(_)) => {
                Some("start one with `skybridge up DIR`, or name another with --lab".to_owned())
            }
            Some(PlaceError::Taken(_)) => {
                Some("use it with `skybridge up DIR`, or name another with --lab".to_owned())
            }
            _ => self.source_help(),
        };
        let mut message = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(reason) = cause {
            let reason_text = reason.to_string();
            if !message.contains(&reason_text) {
                message = format!("{message}: {reason_text}");
            }
            cause = reason.source();
        }
        ErrorDocument {
            message,
            help,
            diagnostics: Vec::new(),
        }
    }
}

/// Runs a command and gives the exit code.
pub(crate) fn run(cli: Cli) -> u8 {
    let window = Window::new(cli.output);
    let result = perform(cli, &window);
    result.unwrap_or_else(|failure| {
        let code = failure.code();
        window.fail(&failure.document());
        code
    })
}

fn perform(cli: Cli, window: &Window) -> Result<u8, Failure> {
    let lab = cli.lab;
    let request = match cli.command {
        Command::Up(args) => return up::up(args, &lab, window),
        Command::Serve(args) => return lab::serve(&args, &lab),
        Command::Plan(args) => return plan::plan(&args, &lab, window),
        Command::Output(args) => return plan::output(&args, &lab, window),
        Command::Down(args) => return down::down(&args, &lab, window),
        Command::Completions(args) => {
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), "skybridge", &mut script);
            screen::print(&String::from_utf8_lossy(&script)).map_err(|source| Failure::Io {
                what: "cannot print",
                source,
            })?;
            return Ok(exit::HOLDS);
        }
        Command::Capture(args) => return capture::capture(&args, &lab, window),
        Command::Exec(args) => return exec::exec(args, &lab, window),
        Command::Clean => return clean::clean(window),
        Command::Forward(args) => {
            let order = ForwardOrder::try_from(args).map_err(Failure::Usage)?;
            return forward::forward(order, &lab, window);
        }
        Command::Socks(args) => return forward::forward(args.into(), &lab, window),
        Command::Status => Request::Status,
        Command::Show(command) => Request::Show(command.into()),
        Command::Ping(args) => args.into(),
        Command::Trace(args) => args.into(),
        Command::Explain(args) => args.into(),
        Command::Failover(args) => args.into(),
        Command::Diagnose(args) => args.into(),
        Command::Cut(args) => args.into(),
        Command::Heal(args) => args.into(),
        Command::Provider(command) => {
            Request::Provider(Provider::try_from(command).map_err(Failure::Usage)?)
        }
    };
    let place = Place::of(&lab)?;
    ask::ask_and_show(&place, request, window)
}

/// Where answers are shown.
#[derive(Debug)]
pub(crate) struct Window {
    json: bool,
    screen: Screen,
}

impl Window {
    fn new(output: Output) -> Self {
        Self {
            json: output == Output::Json,
            screen: Screen::stdout(),
        }
    }

    /// Shows an answer. A refusal goes to standard error, unless it is the JSON document asked for.
    fn show(&self, response: &Response, sources: &Sources) -> Result<(), Failure> {
        let text = if self.json {
            render::json(response)
        } else if let Response::Error(doc) = response {
            screen::remark(render::error(doc, &self.screen, sources).trim_end());
            return Ok(());
        } else {
            render::text(response, &self.screen, sources)
        };
        screen::print(&text).map_err(|source| Failure::Io {
            what: "cannot print",
            source,
        })
    }

    fn fail(&self, doc: &ErrorDocument) {
        let response = Response::Error(doc.clone());
        // Where printing fails there is nobody to tell.
        self.show(&response, &Sources::default()).ok();
    }

    /// A remark beside the answer, for people only.
    fn remark(&self, text: &str) {
        if !self.json {
            screen::remark(text);
        }
    }
}

/// The identity of a stack that may have been deleted from the disk meanwhile.
fn stack_identity(directory: &std::path::Path) -> String {
    source::absolute(directory)
        .unwrap_or_else(|_| {
            std::path::absolute(directory).unwrap_or_else(|_| directory.to_path_buf())
        })
        .to_string_lossy()
        .into_owned()
}
