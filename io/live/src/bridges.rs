//! Connections across the border of the world: from services in it to real servers on this machine, and
//! from real clients to hosts in it.
//!
//! Nothing is lost and nothing piles up: nothing is read from a connection while the lab has no room for it, and
//! beyond [`UNSENT_PAUSE`] octets that a peer leaves unread the lab is asked for no more. Halves end one by one;
//! a reset is passed on as one. Limits: [`BRIDGES_MAX`] connections, one more is reset; [`UNSENT_MAX`] octets
//! unread, which a lab that heeds the request never reaches, then the connection is reset.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use polling::{Event, Poller};
use rustix::net::sockopt::set_socket_linger;
use skybridge_lab::{BridgeId, BridgeInput};

use crate::driver::{Inbound, Inbox};
use crate::poll::Watched;

/// Connections at a time.
pub const BRIDGES_MAX: usize = 512;
/// What a peer may leave unread before the lab is asked for no more ...
pub const UNSENT_PAUSE: usize = 256 << 10;
/// ... and what it may leave unread at all.
pub const UNSENT_MAX: usize = 4 << 20;

/// The lab is asked for more again below this.
const UNSENT_RESUME: usize = 64 << 10;
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
    /// `None` while the dialler is under way.
    stream: Option<Watched<TcpStream>>,
    unsent: Vec<u8>,
    sending: Half,
    /// The peer has not ended its half.
    reads: bool,
    /// The lab has been asked for no more.
    is_full: bool,
    /// The lab is done with it: it is closed after the last byte.
    closing: bool,
    /// The kernel says that both halves have ended, and would say so again and again.
    hung_up: bool,
    /// What is awaited, readable and writable, since the last event.
    armed: Option<(bool, bool)>,
}

/// Our half.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Half {
    Open,
    /// To be ended after the last byte.
    Ending,
    Ended,
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

    /// True when one more connection is one too many.
    pub(crate) fn is_full(&self) -> bool {
        self.open.len() >= BRIDGES_MAX
    }

    /// Dials the server on a thread, since names and hosts take their time. What comes of it comes in by the
    /// inbox; an answer at once is a refusal.
    pub(crate) fn open(&mut self, id: BridgeId, target: String) -> Option<BridgeInput> {
        if self.is_full() {
            return Some(BridgeInput::Reset);
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
            return Some(BridgeInput::Reset);
        }
        self.open.insert(id, Bridge::new(None));
        None
    }

    /// The dialler is back.
    pub(crate) fn dialled(
        &mut self,
        id: BridgeId,
        result: io::Result<TcpStream>,
    ) -> Option<BridgeInput> {
        let bridge = self.open.get_mut(&id)?;
        match result.and_then(|stream| watched(&self.poller, stream, (self.key_of)(id.0))) {
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

    /// Takes over a client that a listener has accepted. False: it cannot be watched.
    pub(crate) fn adopt(&mut self, id: BridgeId, stream: TcpStream) -> bool {
        match watched(&self.poller, stream, (self.key_of)(id.0)) {
            Ok(stream) => {
                self.open.insert(id, Bridge::new(Some(stream)));
                true
            }
            Err(_) => false,
        }
    }

    /// Bytes from the world.
    pub(crate) fn send(&mut self, id: BridgeId, bytes: &[u8]) -> Option<BridgeInput> {
        let bridge = self.open.get_mut(&id)?;
        bridge.unsent.extend_from_slice(bytes);
        if bridge.flush().is_err() || bridge.unsent.len() > UNSENT_MAX {
            self.reset(id);
            return Some(BridgeInput::Reset);
        }
        if bridge.unsent.len() > UNSENT_PAUSE && !bridge.is_full {
            bridge.is_full = true;
            return Some(BridgeInput::Full);
        }
        None
    }

    /// The world's side has sent everything: the peer sees the end after the last byte.
    pub(crate) fn finish(&mut self, id: BridgeId) {
        if let Some(bridge) = self.open.get_mut(&id)
            && bridge.sending == Half::Open
        {
            bridge.sending = Half::Ending;
            bridge.end_half();
        }
    }

    /// The connection is over: closed after the last byte, or reset at once.
    pub(crate) fn close(&mut self, id: BridgeId, reset: bool) {
        if reset {
            self.reset(id);
        } else if let Some(bridge) = self.open.get_mut(&id) {
            bridge.closing = true;
        }
    }

    fn reset(&mut self, id: BridgeId) {
        if let Some(bridge) = self.open.remove(&id)
            && let Some(stream) = &bridge.stream
        {
            reset_on_close(stream.source());
        }
    }

    /// Reads and writes what a ready connection can take; at most one chunk, so that one busy peer does
    /// not starve the world. The news go to `tell` in order.
    pub(crate) fn ready(
        &mut self,
        number: u64,
        event: Event,
        room: usize,
        mut tell: impl FnMut(BridgeId, BridgeInput),
    ) {
        let id = BridgeId(number);
        let Some(bridge) = self.open.get_mut(&id) else {
            return;
        };
        bridge.armed = None;
        if bridge.flush().is_err() {
            self.reset(id);
            tell(id, BridgeInput::Reset);
            return;
        }
        bridge.end_half();
        if bridge.is_full && bridge.unsent.len() < UNSENT_RESUME {
            bridge.is_full = false;
            tell(id, BridgeInput::Drained);
        }
        match bridge.read(event, room) {
            Ok(Some(input)) => tell(id, input),
            Ok(None) => {}
            Err(_) => {
                self.reset(id);
                tell(id, BridgeInput::Reset);
            }
        }
    }

    /// Awaits what each connection can do next. `room` is the lab's window for a connection.
    pub(crate) fn rearm(&mut self, room: impl Fn(BridgeId) -> usize) {
        self.open.retain(|id, bridge| {
            let all_sent = bridge.unsent.is_empty();
            if bridge.closing && all_sent {
                return false;
            }
            let Some(stream) = &bridge.stream else {
                return true;
            };
            if !bridge.reads && bridge.sending == Half::Ended {
                return false;
            }
            let wanted = (bridge.reads && !bridge.closing && room(*id) > 0, !all_sent);
            let idle = bridge.hung_up && wanted == (false, false);
            if idle || bridge.armed == Some(wanted) {
                return true;
            }
            bridge.armed = Some(wanted);
            stream.arm(wanted.0, wanted.1).is_ok()
        });
    }
}

impl Bridge {
    const fn new(stream: Option<Watched<TcpStream>>) -> Self {
        Self {
            stream,
            unsent: Vec::new(),
            sending: Half::Open,
            reads: true,
            is_full: false,
            closing: false,
            hung_up: false,
            armed: None,
        }
    }

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

    /// Ends our half once everything is sent.
    fn end_half(&mut self) {
        if self.sending == Half::Ending
            && self.unsent.is_empty()
            && let Some(stream) = &self.stream
        {
            // Fails only when the peer has reset it, which the next read tells.
            stream.source().shutdown(Shutdown::Write).ok();
            self.sending = Half::Ended;
        }
    }

    fn read(&mut self, event: Event, room: usize) -> io::Result<Option<BridgeInput>> {
        let Some(stream) = &self.stream else {
            return Ok(None);
        };
        if !self.reads || room == 0 {
            if event.is_interrupt() || event.is_err() == Some(true) {
                if let Some(error) = stream.source().take_error()? {
                    return Err(error);
                }
                self.hung_up = true;
            }
            return Ok(None);
        }
        let mut bytes = vec![0; room.min(CHUNK)];
        match stream.source().read(&mut bytes) {
            Ok(0) => {
                self.reads = false;
                Ok(Some(BridgeInput::Finished))
            }
            Ok(count) => {
                bytes.truncate(count);
                Ok(Some(BridgeInput::Data(bytes)))
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

fn watched(poller: &Arc<Poller>, stream: TcpStream, key: usize) -> io::Result<Watched<TcpStream>> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    Watched::new(poller, stream, key)
}

/// Makes the close that follows a reset.
pub(crate) fn reset_on_close(stream: &TcpStream) {
    // Where it fails the peer sees an end in place of a reset, and that is all that can be done.
    set_socket_linger(stream, Some(Duration::ZERO)).ok();
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
