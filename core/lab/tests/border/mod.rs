//! The world outside in virtual time: clients at listeners, and a server behind the example's database.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use skybridge_lab::document::ForwardRow;
use skybridge_lab::request::{ForwardOrder, ForwardTo, Request, Response, Show};
use skybridge_lab::{BridgeId, BridgeInput, ClientId, ForwardId, LabOutput};

use super::common::{Virtual, example};

/// What a connection outside has to say and has heard.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    /// Still to be sent, as the lab has room.
    pub(crate) to_send: VecDeque<u8>,
    /// End our half when all is sent.
    pub(crate) then_finish: bool,
    pub(crate) heard: Vec<u8>,
    /// The other half has ended.
    pub(crate) finished: bool,
    /// Closed: by a reset?
    pub(crate) closed: Option<bool>,
    /// Server: answers by what it hears.
    pub(crate) echoes: bool,
}

/// A lab and what is around it.
pub(crate) struct Outside {
    pub(crate) lab: Virtual,
    pub(crate) peers: BTreeMap<BridgeId, Peer>,
    /// Connections of the service's server, in the order in which they came.
    pub(crate) served: Vec<BridgeId>,
    pub(crate) listeners: BTreeMap<ForwardId, SocketAddr>,
    /// New servers answer all they hear.
    pub(crate) echo: bool,
    pub(crate) responses: Vec<(ClientId, Response, bool)>,
    next_client: u64,
    next_port: u16,
}

impl Outside {
    /// The example up.
    pub(crate) fn new() -> Self {
        let mut lab = Virtual::new();
        lab.up(vec![example()]);
        Self::of(lab)
    }

    pub(crate) fn of(lab: Virtual) -> Self {
        Self {
            lab,
            peers: BTreeMap::new(),
            served: Vec::new(),
            listeners: BTreeMap::new(),
            echo: false,
            responses: Vec::new(),
            next_client: 5_000,
            next_port: 40_000,
        }
    }

    /// Carries out what the lab wants, and lets peers send what there is room for. True: something moved.
    pub(crate) fn pump(&mut self) -> bool {
        let mut moved = false;
        while let Some(output) = self.lab.lab.poll_output() {
            moved = true;
            self.take(output);
        }
        let ids: Vec<BridgeId> = self.peers.keys().copied().collect();
        for id in ids {
            let room = self.lab.lab.bridge_room(id);
            let peer = self.peers.get_mut(&id).unwrap();
            let len = peer.to_send.len().min(room);
            if len > 0 {
                let bytes: Vec<u8> = peer.to_send.drain(..len).collect();
                self.lab
                    .lab
                    .bridge(self.lab.now, id, BridgeInput::Data(bytes));
                moved = true;
            } else if peer.then_finish && peer.to_send.is_empty() && room > 0 {
                peer.then_finish = false;
                self.lab.lab.bridge(self.lab.now, id, BridgeInput::Finished);
                moved = true;
            }
        }
        moved
    }

    fn take(&mut self, output: LabOutput) {
        let now = self.lab.now;
        match output {
            LabOutput::Listen { id, at } => {
                self.next_port += 1;
                let port = if at.port() == 0 {
                    self.next_port
                } else {
                    at.port()
                };
                let at = SocketAddr::new(at.ip(), port);
                if self.listeners.values().any(|other| *other == at) {
                    let why = "Address already in use".to_owned();
                    self.lab.lab.listening(now, id, Err(why));
                } else {
                    self.listeners.insert(id, at);
                    self.lab.lab.listening(now, id, Ok(at));
                }
            }
            LabOutput::Unlisten { id } => {
                self.listeners.remove(&id);
            }
            LabOutput::BridgeOpen { id, .. } => {
                let echoes = self.echo;
                let peer = Peer {
                    echoes,
                    ..Peer::default()
                };
                self.peers.insert(id, peer);
                self.served.push(id);
                self.lab.lab.bridge(now, id, BridgeInput::Connected);
            }
            LabOutput::BridgeData { id, bytes } => {
                let peer = self.peers.entry(id).or_default();
                if peer.echoes {
                    peer.to_send.extend(&bytes);
                }
                peer.heard.extend(bytes);
            }
            LabOutput::BridgeFinish { id } => {
                let peer = self.peers.entry(id).or_default();
                peer.finished = true;
                peer.then_finish |= peer.echoes;
            }
            LabOutput::BridgeClose { id, reset } => {
                self.peers.entry(id).or_default().closed = Some(reset);
            }
            LabOutput::Response {
                client,
                response,
                last,
            } => self.responses.push((client, response, last)),
            _ => {}
        }
    }

    /// Lets time pass, event by event.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let until = self.lab.now + time;
        self.run_until(until, |_| false);
    }

    /// Lets time pass until something holds; false when it does not within `time`.
    pub(crate) fn wait(&mut self, time: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let until = self.lab.now + time;
        self.run_until(until, holds)
    }

    fn run_until(&mut self, until: skybridge_base::Instant, holds: impl Fn(&Self) -> bool) -> bool {
        loop {
            while self.pump() {}
            if holds(self) {
                return true;
            }
            let next = self.lab.lab.poll_timeout().map(|deadline| deadline.at);
            let next = next.filter(|at| *at <= until);
            self.lab.now = next.unwrap_or(until).max(self.lab.now);
            self.lab.lab.advance(self.lab.now);
            if next.is_none() {
                while self.pump() {}
                return holds(self);
            }
        }
    }

    /// Asks; gives what is answered at once.
    pub(crate) fn ask(&mut self, request: Request) -> (ClientId, Response, bool) {
        self.next_client += 1;
        let client = ClientId(self.next_client);
        self.lab.lab.request(self.lab.now, client, request);
        while self.pump() {}
        let at = self.responses.iter().position(|(to, ..)| *to == client);
        self.responses.remove(at.expect("an answer at once"))
    }

    /// Forwards a port and gives its listener.
    pub(crate) fn forward(&mut self, from: Option<&str>, to: ForwardTo) -> ForwardId {
        let (_, response, last) = self.ask(open("0", from, to, true));
        assert!(matches!(response, Response::Forwards(_)), "{response:?}");
        assert!(last);
        *self.listeners.last_key_value().unwrap().0
    }

    /// A client connects to a listener.
    pub(crate) fn client(&mut self, listener: ForwardId) -> Option<BridgeId> {
        let id = self.lab.lab.accepted(self.lab.now, listener)?;
        self.peers.entry(id).or_default();
        Some(id)
    }

    pub(crate) fn say(&mut self, id: BridgeId, bytes: &[u8]) {
        self.peers.get_mut(&id).unwrap().to_send.extend(bytes);
    }

    pub(crate) fn rows(&mut self) -> Vec<ForwardRow> {
        match self.ask(Request::Show(Show::Forwards)).1 {
            Response::Forwards(listing) => listing.rows,
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn open(listen: &str, from: Option<&str>, to: ForwardTo, detached: bool) -> Request {
    Request::Forward(ForwardOrder::Open {
        listen: listen.to_owned(),
        from: from.map(str::to_owned),
        to,
        detached,
        anywhere: false,
    })
}

pub(crate) fn port(host: &str, port: u16) -> ForwardTo {
    ForwardTo::Port {
        host: host.to_owned(),
        port,
    }
}

/// Bytes that look like anything and are the same each time.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut rng = skybridge_base::Rng::new(seed);
    let words = std::iter::repeat_with(|| rng.next_u64().to_le_bytes());
    words.flatten().take(len).collect()
}
