//! The client side: one request, progress, one answer; or a stream of answers until somebody has enough.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::thread;

use skybridge_lab::document::Progress;
use skybridge_lab::request::{Request, Response};
use thiserror::Error;

use crate::driver::Handle;
use crate::place::{Place, PlaceError};
use crate::signals::Signals;

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

/// How a stream of answers ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FollowEnd {
    /// The taker had its last answer, or enough.
    Taken,
    /// Ctrl-C or SIGTERM.
    Interrupted,
    /// The lab ended.
    LabEnded,
}

/// Asks the lab at `place` and hands over every answer, progress included, until the taker breaks, the lab
/// closes, or a signal comes: the lab then sees this client go, and ends what it did for it.
///
/// # Errors
/// When there is no lab, or what it says is not understood.
pub fn follow(
    place: &Place,
    request: &Request,
    take: &mut dyn FnMut(Response) -> ControlFlow<()>,
) -> Result<FollowEnd, AskError> {
    let stream = place.connect()?;
    let (signals, mut signalled) = Signals::catch()?;
    signalled.set_nonblocking(false)?;
    let (watched, own_end) = (stream.try_clone()?, signalled.try_clone()?);
    let watcher = thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let interrupted = matches!(signalled.read(&mut [0]), Ok(1..));
            // Wakes the reader; fails only when the lab has closed already.
            watched.shutdown(Shutdown::Both).ok();
            interrupted
        })?;
    let taken = take_all(&stream, request, take);
    // No signal after this: the watcher reads the end.
    own_end.shutdown(Shutdown::Both).ok();
    drop(signals);
    stream.shutdown(Shutdown::Both).ok();
    let interrupted = watcher.join().unwrap_or(false);
    match taken {
        _ if interrupted => Ok(FollowEnd::Interrupted),
        Ok(ControlFlow::Break(())) => Ok(FollowEnd::Taken),
        Ok(ControlFlow::Continue(())) => Ok(FollowEnd::LabEnded),
        Err(error) => Err(error),
    }
}

fn take_all(
    mut stream: &UnixStream,
    request: &Request,
    take: &mut dyn FnMut(Response) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, AskError> {
    let mut text = serde_json::to_vec(request).map_err(AskError::Answer)?;
    text.push(b'\n');
    stream.write_all(&text)?;
    let mut lines = BufReader::new(stream);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        if line.last() != Some(&b'\n') {
            // Cut off in the middle: whoever closed it wants no more.
            break;
        }
        let response = serde_json::from_slice(&line).map_err(AskError::Answer)?;
        if take(response).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        line.clear();
    }
    Ok(ControlFlow::Continue(()))
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
