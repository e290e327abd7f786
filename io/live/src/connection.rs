//! The client side: one request, progress, one answer.

use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use skybridge_lab::document::Progress;
use skybridge_lab::request::{Request, Response};
use thiserror::Error;

use crate::driver::Handle;
use crate::place::{Place, PlaceError};

/// Where a lab can be asked: in this process or by its control socket.
#[derive(Clone, Debug)]
pub enum Connection {
    /// In this process.
    Local(Handle),
    /// By socket; each question is a connection of its own.
    Remote(Place),
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// No lab, or not ours.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The lab ended or broke off before it answered.
    #[error("the lab ended before it answered")]
    Ended,
    /// The socket failed.
    #[error("the connection to the lab failed")]
    Io(#[from] std::io::Error),
    /// The answer is in a language of another version.
    #[error("the lab's answer is not understood; it may run another version of skybridge")]
    Answer(#[source] serde_json::Error),
}

impl Connection {
    /// Asks and waits for the answer; progress is handed over as it comes.
    ///
    /// # Errors
    /// When there is no lab, or it ends before it answers. A refusal is an answer: [`Response::Error`].
    pub fn ask(
        &self,
        request: Request,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Response, AskError> {
        match self {
            Self::Local(handle) => {
                for response in handle.ask(request) {
                    if let Some(answer) = told(response, progress) {
                        return Ok(answer);
                    }
                }
                Err(AskError::Ended)
            }
            Self::Remote(place) => remote(place.connect()?, &request, progress),
        }
    }
}

fn remote(
    mut stream: UnixStream,
    request: &Request,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Response, AskError> {
    let mut text = serde_json::to_vec(request).map_err(AskError::Answer)?;
    text.push(b'\n');
    // A lab that refuses by size answers without reading on: its answer counts, not the broken pipe.
    let sent = stream.write_all(&text);
    drop(text);
    let mut lines = BufReader::new(&stream);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let response = serde_json::from_slice(&line).map_err(AskError::Answer)?;
        if let Some(answer) = told(response, progress) {
            // The lab closes anyway; a failure here changes nothing.
            stream.shutdown(Shutdown::Both).ok();
            return Ok(answer);
        }
        line.clear();
    }
    sent?;
    Err(AskError::Ended)
}

fn told(response: Response, progress: &mut dyn FnMut(&Progress)) -> Option<Response> {
    if let Response::Progress(news) = &response {
        progress(news);
        None
    } else {
        Some(response)
    }
}
