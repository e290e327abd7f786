//! The server side of the control socket: one request per connection, one JSON document per line.
//!
//! A client connects, sends a [`Request`] and a newline, and reads lines of [`Response`]: any number of
//! progress lines, then the answer, after which the lab closes the connection. Limits: [`CLIENTS_MAX`]
//! connections, [`REQUEST_LEN_MAX`] octets a request, [`BACKLOG_MAX`] octets that a client leaves unread.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use polling::{Event, Poller};
use skybridge_lab::ClientId;
use skybridge_lab::document::ErrorDocument;
use skybridge_lab::request::{Request, Response};

use crate::poll::Watched;

/// Connections at a time; one more is told so and closed.
pub const CLIENTS_MAX: usize = 64;
/// Longest request: a stack's files travel in it.
pub const REQUEST_LEN_MAX: usize = 64 << 20;
/// What a client may leave unread before it is dropped.
pub const BACKLOG_MAX: usize = 64 << 20;

const CHUNK: usize = 64 << 10;
/// How long the last answers may take to leave when the lab ends.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// What a connection has to say.
#[derive(Debug)]
pub(crate) enum News {
    /// A whole request.
    Asked(ClientId, Box<Request>),
    /// The client closed before it had its answer.
    Gone(ClientId),
}

/// Everybody who waits for answers.
#[derive(Debug)]
pub(crate) struct Clients {
    poller: Arc<Poller>,
    listener: Option<Watched<UnixListener>>,
    peers: BTreeMap<u64, Peer>,
    /// Whoever has taken everything since it was asked for.
    drained: BTreeSet<u64>,
    next: u64,
    key_of: fn(u64) -> usize,
}

#[derive(Debug)]
enum Peer {
    Local(Sender<Response>),
    Socket(Connection),
}

#[derive(Debug)]
struct Connection {
    stream: Watched<UnixStream>,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// The request is coming in.
    Reading,
    /// The lab works on it.
    Waiting,
    /// The last answer is going out.
    Leaving,
}

impl Clients {
    pub(crate) fn new(
        poller: &Arc<Poller>,
        listener: Option<(UnixListener, usize)>,
        key_of: fn(u64) -> usize,
    ) -> io::Result<Self> {
        let listener = match listener {
            Some((listener, key)) => {
                listener.set_nonblocking(true)?;
                let watched = Watched::new(poller, listener, key)?;
                watched.arm(true, false)?;
                Some(watched)
            }
            None => None,
        };
        Ok(Self {
            poller: Arc::clone(poller),
            listener,
            peers: BTreeMap::new(),
            drained: BTreeSet::new(),
            next: 0,
            key_of,
        })
    }

    /// A client inside this process.
    pub(crate) fn add_local(&mut self, answers: Sender<Response>) -> ClientId {
        let number = self.number();
        self.peers.insert(number, Peer::Local(answers));
        ClientId(number)
    }

    /// Takes whoever knocks.
    pub(crate) fn accept(&mut self) -> io::Result<()> {
        while let Some(listener) = &self.listener {
            let stream = match listener.source().accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The client gave up, or descriptors are short: the next one may fare better.
                Err(_) => break,
            };
            stream.set_nonblocking(true)?;
            if self.peers.len() >= CLIENTS_MAX {
                let text = line(&refusal(
                    format!("{CLIENTS_MAX} clients are connected to this lab already"),
                    "wait until one has its answer",
                ));
                (&stream).write_all(&text).ok();
                continue;
            }
            let number = self.number();
            let stream = Watched::new(&self.poller, stream, (self.key_of)(number))?;
            stream.arm(true, false)?;
            self.peers.insert(
                number,
                Peer::Socket(Connection {
                    stream,
                    input: Vec::new(),
                    output: Vec::new(),
                    sent: 0,
                    stage: Stage::Reading,
                }),
            );
        }
        if let Some(listener) = &self.listener {
            listener.arm(true, false)?;
        }
        Ok(())
    }

    /// Serves a connection that is ready.
    pub(crate) fn ready(&mut self, number: u64, event: Event) -> Option<News> {
        let Some(Peer::Socket(connection)) = self.peers.get_mut(&number) else {
            return None;
        };
        let verdict = match connection.stage {
            Stage::Reading => connection.read(),
            // Only room to write is awaited here, so anything else is a hang-up.
            Stage::Waiting | Stage::Leaving => {
                if event.writable && !connection.unsent().is_empty() {
                    connection.flush().map(|()| None)
                } else {
                    Err(io::ErrorKind::BrokenPipe.into())
                }
            }
        };
        let news = match verdict {
            Ok(Some(Ok(request))) => {
                connection.stage = Stage::Waiting;
                connection.input = Vec::new();
                Some(News::Asked(ClientId(number), request))
            }
            Ok(Some(Err(refused))) => {
                self.answer(ClientId(number), &refused, true);
                None
            }
            Ok(None) => None,
            Err(_) => return self.remove(number),
        };
        self.settle(number);
        news
    }

    /// Sends an answer. Returns false when the client is not there any more.
    pub(crate) fn answer(&mut self, client: ClientId, response: &Response, last: bool) -> bool {
        let number = client.0;
        let sent = match self.peers.get_mut(&number) {
            None => return false,
            Some(Peer::Local(answers)) => answers.send(response.clone()).is_ok(),
            Some(Peer::Socket(connection)) => {
                connection.output.extend_from_slice(&line(response));
                if last {
                    connection.stage = Stage::Leaving;
                }
                connection.flush().is_ok() && connection.unsent().len() <= BACKLOG_MAX
            }
        };
        let local = matches!(self.peers.get(&number), Some(Peer::Local(_)));
        if !sent || (last && local) {
            self.peers.remove(&number);
            return sent;
        }
        if local {
            // A queue without a limit: the receiver is this program itself.
            self.drained.insert(number);
        }
        self.settle(number);
        true
    }

    /// A client that has taken everything sent to it so far.
    pub(crate) fn poll_drained(&mut self) -> Option<ClientId> {
        self.drained.pop_first().map(ClientId)
    }

    /// Waits a moment for the last answers to leave.
    pub(crate) fn farewell(&mut self) {
        for peer in self.peers.values_mut() {
            if let Peer::Socket(connection) = peer {
                let stream = connection.stream.source();
                let patient = stream.set_nonblocking(false).is_ok()
                    && stream.set_write_timeout(Some(FAREWELL_MAX)).is_ok();
                if patient {
                    connection.flush().ok();
                }
            }
        }
        self.peers.clear();
    }

    /// Re-arms a connection, or ends it when everything is said.
    fn settle(&mut self, number: u64) {
        let Some(Peer::Socket(connection)) = self.peers.get(&number) else {
            return;
        };
        let waiting = !connection.unsent().is_empty();
        let done = connection.stage == Stage::Leaving && !waiting;
        let reading = connection.stage == Stage::Reading;
        if connection.stage == Stage::Waiting && !waiting {
            self.drained.insert(number);
        }
        if done || connection.stream.arm(reading, waiting).is_err() {
            self.peers.remove(&number);
        }
    }

    fn remove(&mut self, number: u64) -> Option<News> {
        match self.peers.remove(&number) {
            Some(Peer::Socket(connection)) if connection.stage == Stage::Waiting => {
                Some(News::Gone(ClientId(number)))
            }
            _ => None,
        }
    }

    const fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// A whole request, or why it is none.
type Parsed = Result<Box<Request>, Box<Response>>;

impl Connection {
    fn read(&mut self) -> io::Result<Option<Parsed>> {
        let mut chunk = [0_u8; CHUNK];
        loop {
            let count = match self.stream.source().read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let fresh = &chunk[..count];
            let end = fresh.iter().position(|&octet| octet == b'\n');
            self.input.extend_from_slice(&fresh[..end.unwrap_or(count)]);
            if self.input.len() > REQUEST_LEN_MAX {
                return Ok(Some(Err(refusal(
                    format!("the request is longer than {REQUEST_LEN_MAX} octets"),
                    "bring up a smaller directory, or move large files out of it",
                ))));
            }
            if end.is_some() {
                return Ok(Some(parse(&self.input)));
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.sent < self.output.len() {
            match self.stream.source().write(&self.output[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.sent = 0;
        Ok(())
    }

    fn unsent(&self) -> &[u8] {
        &self.output[self.sent..]
    }
}

fn parse(text: &[u8]) -> Parsed {
    serde_json::from_slice(text).map(Box::new).map_err(|error| {
        refusal(
            format!("not a request that this lab understands: {error}"),
            concat!(
                "this lab is skybridge ",
                env!("CARGO_PKG_VERSION"),
                "; use the same version to speak to it"
            ),
        )
    })
}

fn refusal(message: String, help: &str) -> Box<Response> {
    Box::new(Response::Error(ErrorDocument {
        message,
        help: Some(help.to_owned()),
        diagnostics: Vec::new(),
    }))
}

fn line(response: &Response) -> Vec<u8> {
    let mut text = serde_json::to_vec(response)
        .expect("documents have string keys only and no failing serialiser");
    text.push(b'\n');
    text
}
