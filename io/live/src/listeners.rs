//! Ports of this machine whose clients are forwarded into the world.
//!
//! The lab says where to listen and whether a client may come in; one that may not is reset.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use polling::Poller;
use skybridge_lab::ForwardId;

use crate::poll::Watched;

/// Clients taken from one listener in one turn.
const BURST: usize = 16;

#[derive(Debug)]
pub(crate) struct Listeners {
    poller: Arc<Poller>,
    open: BTreeMap<ForwardId, Watched<TcpListener>>,
    key_of: fn(u64) -> usize,
}

impl Listeners {
    pub(crate) const fn new(poller: Arc<Poller>, key_of: fn(u64) -> usize) -> Self {
        Self {
            poller,
            open: BTreeMap::new(),
            key_of,
        }
    }

    /// Listens; gives where, since port 0 takes any.
    pub(crate) fn listen(&mut self, id: ForwardId, at: SocketAddr) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(at)?;
        listener.set_nonblocking(true)?;
        let at = listener.local_addr()?;
        let watched = Watched::new(&self.poller, listener, (self.key_of)(id.0))?;
        watched.arm(true, false)?;
        self.open.insert(id, watched);
        Ok(at)
    }

    pub(crate) fn unlisten(&mut self, id: ForwardId) {
        self.open.remove(&id);
    }

    /// Whoever knocks. The listener is armed again.
    pub(crate) fn accept(&self, id: ForwardId) -> Vec<TcpStream> {
        let mut clients = Vec::new();
        let Some(listener) = self.open.get(&id) else {
            return clients;
        };
        while clients.len() < BURST {
            // A client that gave up, or too few descriptors: the next one may fare better.
            let Ok((stream, _)) = listener.source().accept() else {
                break;
            };
            clients.push(stream);
        }
        // Fails only when the listener is not registered, which `Watched` rules out.
        listener.arm(true, false).ok();
        clients
    }
}
