//! Connections from services in the world to real servers on this machine.
//!
//! Limits: [`BRIDGES_MAX`] connections, one more is refused; [`UNSENT_MAX`] octets that a server leaves
//! unread, then it is disconnected. In the other direction the world's receive window rules: nothing is
//! read from a server while the lab has no room for it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use polling::Poller;
use skybridge_lab::{BridgeId, BridgeInput};

use crate::driver::{Inbound, Inbox};
use crate::poll::Watched;

/// Connections at a time.
pub const BRIDGES_MAX: usize = 256;
/// What a server may leave unread.
pub const UNSENT_MAX: usize = 1 << 20;

const CHUNK: usize = 64 << 10;
const DIAL_MAX: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Bridges {
    poller: Arc<Poller>,
    inbox: Inbox,
    open: BTreeMap<BridgeId, Bridge>,
    key_of: fn(u64) -> usize,
}

#[derive(Debug)]
struct Bridge {
    stream: Option<Watched<TcpStream>>,
    unsent: Vec<u8>,
    /// The client in the world has sent everything.
    finished: bool,
}

impl Bridges {
    pub(crate) fn new(poller: &Arc<Poller>, inbox: Inbox, key_of: fn(u64) -> usize) -> Self {
        Self {
            poller: Arc::clone(poller),
            inbox,
            open: BTreeMap::new(),
            key_of,
        }
    }

    /// Dials the server on a thread, since names and hosts take their time. False: refused at once.
    pub(crate) fn open(&mut self, id: BridgeId, target: String) -> bool {
        if self.open.len() >= BRIDGES_MAX {
            return false;
        }
        let inbox = self.inbox.clone();
        let dialling = thread::Builder::new()
            .name("dial".to_owned())
            .spawn(move || {
                let result = dial(&target);
                // The driver may have ended meanwhile; then nobody wants the connection.
                inbox.send(Inbound::Dialled(id, result)).ok();
            });
        if dialling.is_err() {
            return false;
        }
        self.open.insert(
            id,
            Bridge {
                stream: None,
                unsent: Vec::new(),
                finished: false,
            },
        );
        true
    }

    /// The dialler is back.
    pub(crate) fn dialled(
        &mut self,
        id: BridgeId,
        result: io::Result<TcpStream>,
    ) -> Option<BridgeInput> {
        let bridge = self.open.get_mut(&id)?;
        let watched = result.and_then(|stream| {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            Watched::new(&self.poller, stream, (self.key_of)(id.0))
        });
        match watched {
            Ok(stream) => {
                bridge.stream = Some(stream);
                Some(BridgeInput::Connected)
            }
            Err(_) => {
                self.open.remove(&id);
                Some(BridgeInput::Refused)
            }
        }
    }

    /// Bytes for the server. False: the server does not read, and the connection is closed.
    pub(crate) fn send(&mut self, id: BridgeId, bytes: &[u8]) -> bool {
        let Some(bridge) = self.open.get_mut(&id) else {
            return true;
        };
        bridge.unsent.extend_from_slice(bytes);
        if bridge.flush().is_ok() && bridge.unsent.len() <= UNSENT_MAX {
            return true;
        }
        self.open.remove(&id);
        false
    }

    /// The client in the world is done: the server sees the end after the last byte.
    pub(crate) fn finish(&mut self, id: BridgeId) {
        if let Some(bridge) = self.open.get_mut(&id) {
            bridge.finished = true;
        }
    }

    /// Reads and writes what a ready connection can take; at most one chunk, so that one busy server does
    /// not starve the world.
    pub(crate) fn ready(&mut self, number: u64, room: usize) -> Option<(BridgeId, BridgeInput)> {
        let id = BridgeId(number);
        let bridge = self.open.get_mut(&id)?;
        if bridge.flush().is_err() {
            self.open.remove(&id);
            return Some((id, BridgeInput::Closed));
        }
        if room == 0 {
            return None;
        }
        let mut bytes = vec![0; room.min(CHUNK)];
        match bridge.stream.as_ref()?.source().read(&mut bytes) {
            Ok(0) => {
                self.open.remove(&id);
                Some((id, BridgeInput::Closed))
            }
            Ok(count) => {
                bytes.truncate(count);
                Some((id, BridgeInput::Data(bytes)))
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                None
            }
            Err(_) => {
                self.open.remove(&id);
                Some((id, BridgeInput::Closed))
            }
        }
    }

    /// Awaits what each connection can do next. `room` is the lab's window for a connection.
    pub(crate) fn rearm(&mut self, room: impl Fn(BridgeId) -> usize) {
        self.open.retain(|id, bridge| {
            let Some(stream) = &bridge.stream else {
                // Still dialling: a client that is done meanwhile wants nothing from it.
                return !(bridge.finished && bridge.unsent.is_empty());
            };
            let room = room(*id);
            if bridge.finished && bridge.unsent.is_empty() {
                // A lab that takes nothing more has forgotten the connection.
                if room == 0 {
                    return false;
                }
                stream.source().shutdown(Shutdown::Write).ok();
            }
            stream.arm(room > 0, !bridge.unsent.is_empty()).is_ok()
        });
    }
}

impl Bridge {
    fn flush(&mut self) -> io::Result<()> {
        let Some(stream) = &self.stream else {
            return Ok(());
        };
        let mut sent = 0;
        while sent < self.unsent.len() {
            match stream.source().write(&self.unsent[sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.unsent.drain(..sent);
        Ok(())
    }
}

fn dial(target: &str) -> io::Result<TcpStream> {
    let mut refused = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in target.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, DIAL_MAX) {
            Ok(stream) => return Ok(stream),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}
