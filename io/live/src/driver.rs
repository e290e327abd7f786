//! The loop that paces an engine by the machine's clock and joins it to sockets, servers and signals.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant as MachineInstant};

use polling::{Event, Events, Poller};
use skybridge_base::Instant;
use skybridge_lab::document::{Entrance, ErrorDocument};
use skybridge_lab::request::{Request, Response};
use skybridge_lab::{
    BridgeId, BridgeInput, ClientId, ForwardId, LabOutput, PortId, SimulationResult,
};
use skybridge_wire::Frame;

use crate::bridges::{Bridges, reset_on_close};
use crate::clients::{Clients, News};
use crate::devices::{Devices, Made};
use crate::engine::Engine;
use crate::jobs::Jobs;
use crate::listeners::Listeners;
use crate::pacer::Pacer;
use crate::place::Seat;
use crate::poll::Watched;
use crate::signals::Signals;

/// A turn of the engine ends after this although more is due: whoever waits outside is served in between,
/// and a peer's BFD hears from us in time.
pub const TURN_MAX: Duration = Duration::from_millis(2);

const KEY_LISTENER: usize = 0;
const KEY_SIGNALS: usize = 1;

/// What other threads bring to the driver.
#[derive(Debug)]
pub(crate) enum Inbound {
    /// A request from inside this process.
    Ask(Box<Request>, Sender<Response>),
    /// A dialler is back.
    Dialled(BridgeId, io::Result<std::net::TcpStream>),
    /// A simulation is done.
    Simulated(SimulationResult),
    /// A device is made, or cannot be.
    Made(PortId, io::Result<Box<Made>>),
    /// A device could not be set up anew.
    Broken(PortId, io::Error),
    /// End at once.
    Stop,
}

/// The way in for other threads: a queue, and the poller to wake.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    queue: Sender<Inbound>,
    poller: Arc<Poller>,
}

/// The driver has ended.
#[derive(Debug)]
pub(crate) struct Gone;

impl Inbox {
    pub(crate) fn send(&self, inbound: Inbound) -> Result<(), Gone> {
        self.queue.send(inbound).map_err(|_| Gone)?;
        self.poller.notify().map_err(|_| Gone)
    }
}

/// Why a driver ended.
#[derive(Debug)]
pub enum Ended {
    /// The lab was asked to stop, or its handle was.
    Stopped,
    /// Ctrl-C or SIGTERM.
    Interrupted,
    /// The system refused what the loop cannot do without.
    Failed(io::Error),
}

/// A driver at work on its own thread.
#[derive(Debug)]
pub struct Running {
    handle: Handle,
    thread: JoinHandle<Ended>,
}

/// Speaks to a driver in this process.
#[derive(Clone, Debug)]
pub struct Handle {
    inbox: Inbox,
}

impl Handle {
    /// Asks; progress and the answer come through the channel, which closes after the answer or when the
    /// driver ends.
    #[must_use]
    pub fn ask(&self, request: Request) -> Receiver<Response> {
        let (answers, receiver) = mpsc::channel();
        // A driver that has ended drops the sender, and the receiver sees the end.
        self.inbox
            .send(Inbound::Ask(Box::new(request), answers))
            .ok();
        receiver
    }

    /// Ends the world at once, without destroying anything in order.
    pub fn stop(&self) {
        // Nothing to stop when it has ended.
        self.inbox.send(Inbound::Stop).ok();
    }
}

impl Running {
    /// The way in.
    #[must_use]
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Waits for the end.
    #[must_use]
    pub fn join(self) -> Ended {
        self.thread
            .join()
            .unwrap_or_else(|_| Ended::Failed(io::Error::other("the engine thread panicked")))
    }
}

/// What a driver is joined to.
#[derive(Debug, Default)]
pub struct Joints {
    /// The control socket; without one only [`Handle`] can speak to the lab.
    pub seat: Option<Seat>,
    /// Ctrl-C and SIGTERM end the world.
    pub signals: bool,
}

/// Starts an engine on a thread of its own. `make` runs there, so that an engine need not be `Send`.
///
/// # Errors
/// When the system gives no thread, poller or signal pipe.
pub fn spawn<E: Engine>(
    joints: Joints,
    make: impl FnOnce() -> E + Send + 'static,
) -> io::Result<Running> {
    let poller = Arc::new(Poller::new()?);
    let (queue, inbound) = mpsc::channel();
    let inbox = Inbox {
        queue,
        poller: Arc::clone(&poller),
    };
    let Joints { mut seat, signals } = joints;
    let listener = seat.as_mut().and_then(Seat::take_listener);
    let clients = Clients::new(
        &poller,
        listener.map(|listener| (listener, KEY_LISTENER)),
        client_key,
    )?;
    let signals = if signals {
        let (guard, stream) = Signals::catch()?;
        let watched = Watched::new(&poller, stream, KEY_SIGNALS)?;
        watched.arm(true, false)?;
        Some((guard, watched))
    } else {
        None
    };
    let parts = Parts {
        bridges: Bridges::new(&poller, inbox.clone(), bridge_key),
        jobs: Jobs::new(inbox.clone()),
        devices: Devices::new(Arc::clone(&poller), inbox.clone(), device_key),
        listeners: Listeners::new(Arc::clone(&poller), forward_key),
        poller,
        inbound,
        clients,
        _signals: signals,
        seat,
    };
    let thread = thread::Builder::new()
        .name("engine".to_owned())
        .spawn(move || Driver::new(make(), parts).run())?;
    Ok(Running {
        handle: Handle { inbox },
        thread,
    })
}

struct Parts {
    poller: Arc<Poller>,
    inbound: Receiver<Inbound>,
    clients: Clients,
    bridges: Bridges,
    jobs: Jobs,
    devices: Devices,
    listeners: Listeners,
    /// Held for its handlers.
    _signals: Option<(Signals, Watched<UnixStream>)>,
    seat: Option<Seat>,
}

struct Driver<E> {
    engine: E,
    parts: Parts,
    pacer: Pacer,
    started: MachineInstant,
    ended: Option<Ended>,
    /// Frames on their way to devices.
    leaving: Vec<(PortId, Frame)>,
}

impl<E: Engine> Driver<E> {
    fn new(engine: E, parts: Parts) -> Self {
        Self {
            engine,
            parts,
            pacer: Pacer::new(),
            started: MachineInstant::now(),
            ended: None,
            leaving: Vec::new(),
        }
    }

    fn run(mut self) -> Ended {
        let mut events = Events::new();
        let mut ready = Vec::new();
        loop {
            let timeout = self
                .pacer
                .sleep(self.started.elapsed(), self.engine.poll_timeout());
            events.clear();
            match self.parts.poller.wait(&mut events, timeout) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Ended::Failed(error),
            }
            ready.clear();
            ready.extend(events.iter());
            if let Err(error) = self.turn(&ready) {
                return Ended::Failed(error);
            }
            if let Some(ended) = self.ended.take() {
                self.parts.clients.farewell();
                // The socket goes before the process does, so that a next lab finds its place free.
                drop(self.parts.seat.take());
                return ended;
            }
        }
    }

    /// One turn: what has come in first, then what is due, then what the engine wants done.
    fn turn(&mut self, ready: &[Event]) -> io::Result<()> {
        let (now, slip) = self.pacer.wake(self.started.elapsed());
        if let Some(slip) = slip {
            self.engine.note_slip(slip);
        }
        for &event in ready {
            self.take_event(now, event)?;
        }
        while let Ok(inbound) = self.parts.inbound.try_recv() {
            self.take_inbound(now, inbound);
        }
        let began = MachineInstant::now();
        while self.engine.advance_some(now) && began.elapsed() < TURN_MAX {}
        self.give_out(now)?;
        while let Some(client) = self.parts.clients.poll_drained() {
            self.engine.drained(client);
        }
        self.give_frames(now);
        let engine = &self.engine;
        self.parts.bridges.rearm(|id| engine.bridge_room(id));
        Ok(())
    }

    fn take_event(&mut self, now: Instant, event: Event) -> io::Result<()> {
        match event.key {
            KEY_LISTENER => self.parts.clients.accept()?,
            KEY_SIGNALS => self.ended = Some(Ended::Interrupted),
            key if key & KEY_DEVICE != 0 => self.read_device(now, key),
            key if key & KEY_FORWARD != 0 => self.take_clients(now, key),
            key if key % 2 == 0 => match self.parts.clients.ready(number_of(key), event) {
                Some(News::Asked(client, request)) => self.engine.request(now, client, *request),
                Some(News::Gone(client)) => self.engine.forget(client),
                None => {}
            },
            key => {
                let number = number_of(key);
                let room = self.engine.bridge_room(BridgeId(number));
                let engine = &mut self.engine;
                let tell = |id, input| engine.bridge(now, id, input);
                self.parts.bridges.ready(number, event, room, tell);
            }
        }
        Ok(())
    }

    /// Clients of a forwarded port. Whoever the lab does not want is reset.
    fn take_clients(&mut self, now: Instant, key: usize) {
        let id = ForwardId((key & !KEY_FORWARD) as u64);
        for stream in self.parts.listeners.accept(id) {
            let room = !self.parts.bridges.is_full();
            let bridge = room.then(|| self.engine.accepted(now, id)).flatten();
            let Some(bridge) = bridge else {
                reset_on_close(&stream);
                continue;
            };
            if !self.parts.bridges.adopt(bridge, stream) {
                self.engine.bridge(now, bridge, BridgeInput::Reset);
            }
        }
    }

    fn take_inbound(&mut self, now: Instant, inbound: Inbound) {
        match inbound {
            Inbound::Ask(request, answers) => {
                let client = self.parts.clients.add_local(answers);
                self.engine.request(now, client, *request);
            }
            Inbound::Dialled(id, result) => {
                if let Some(input) = self.parts.bridges.dialled(id, result) {
                    self.engine.bridge(now, id, input);
                }
            }
            Inbound::Simulated(result) => self.engine.simulated(now, result),
            Inbound::Made(id, made) => {
                if let Some(news) = self.parts.devices.made(id, made.map(|made| *made)) {
                    self.engine.port(now, id, news);
                }
            }
            Inbound::Broken(id, error) => {
                let news = self.parts.devices.broken(id, &error);
                self.engine.port(now, id, news);
            }
            Inbound::Stop => self.ended = Some(Ended::Stopped),
        }
    }

    fn read_device(&mut self, now: Instant, key: usize) {
        let number = (key & !KEY_DEVICE) as u64;
        let (id, frames) = self.parts.devices.ready(number);
        match frames {
            Ok(frames) => self.engine.take_frames(now, id, frames),
            Err(error) => {
                let news = self.parts.devices.broken(id, &error);
                self.engine.port(now, id, news);
            }
        }
    }

    fn give_frames(&mut self, now: Instant) {
        self.engine.give_frames(&mut self.leaving);
        self.parts.devices.send(&mut self.leaving);
        while let Some((id, news)) = self.parts.devices.losses() {
            self.engine.port(now, id, news);
        }
    }

    /// Tells a client where a namespace is.
    fn let_in(&mut self, client: ClientId, id: PortId, entrance: Entrance) {
        let answer = match self.parts.devices.descriptor(id) {
            Some(descriptor) => Response::Enter(Entrance {
                pid: std::process::id(),
                descriptor,
                ..entrance
            }),
            None => Response::Error(ErrorDocument {
                message: format!("{} stands in no namespace that is ours", entrance.host),
                help: Some("a namespace of /run/netns is entered by `ip netns exec`".to_owned()),
                diagnostics: Vec::new(),
            }),
        };
        self.parts.clients.answer(client, &answer, true);
    }

    fn give_out(&mut self, now: Instant) -> io::Result<()> {
        while let Some(output) = self.engine.poll_output() {
            match output {
                LabOutput::Response {
                    client,
                    response,
                    last,
                } => {
                    if !self.parts.clients.answer(client, &response, last) && !last {
                        self.engine.forget(client);
                    }
                }
                LabOutput::BridgeOpen { id, target } => {
                    if let Some(input) = self.parts.bridges.open(id, target) {
                        self.engine.bridge(now, id, input);
                    }
                }
                LabOutput::BridgeData { id, bytes } => {
                    if let Some(input) = self.parts.bridges.send(id, &bytes) {
                        self.engine.bridge(now, id, input);
                    }
                }
                LabOutput::BridgeFinish { id } => self.parts.bridges.finish(id),
                LabOutput::BridgeClose { id, reset } => self.parts.bridges.close(id, reset),
                LabOutput::Listen { id, at } => {
                    let result = self.parts.listeners.listen(id, at);
                    let result = result.map_err(|error| error.to_string());
                    self.engine.listening(now, id, result);
                }
                LabOutput::Unlisten { id } => self.parts.listeners.unlisten(id),
                LabOutput::PortOpen { id, spec } => self.parts.devices.make(id, spec)?,
                LabOutput::PortChange { id, spec } => self.parts.devices.change(id, *spec)?,
                LabOutput::PortClose { id } => self.parts.devices.close(id),
                LabOutput::PortCarrier { id, up } => self.parts.devices.set_carrier(id, up),
                LabOutput::Enter {
                    client,
                    id,
                    entrance,
                } => self.let_in(client, id, entrance),
                LabOutput::Simulate(job) => self.parts.jobs.run(job)?,
                LabOutput::Stopped => {
                    drop(self.parts.seat.take());
                    self.ended = Some(Ended::Stopped);
                }
            }
        }
        Ok(())
    }
}

/// Keys of devices have this bit set; numbers of connections never get there.
const KEY_DEVICE: usize = 1 << (usize::BITS - 2);

fn device_key(number: u64) -> usize {
    usize::try_from(number).unwrap_or(KEY_DEVICE - 1) | KEY_DEVICE
}

/// Keys of listeners have this bit set; numbers of connections never get there.
const KEY_FORWARD: usize = 1 << (usize::BITS - 3);

fn forward_key(number: u64) -> usize {
    usize::try_from(number).unwrap_or(KEY_FORWARD - 1) | KEY_FORWARD
}

/// Even keys from 2 are clients, odd keys from 3 are bridges; 0 and 1 are the listener and the signals.
fn client_key(number: u64) -> usize {
    key(number).saturating_mul(2)
}

fn bridge_key(number: u64) -> usize {
    key(number).saturating_mul(2).saturating_add(1)
}

fn key(number: u64) -> usize {
    // Numbers count connections; the far end of `usize` is never reached, and the poller refuses its
    // reserved key.
    usize::try_from(number)
        .unwrap_or(usize::MAX)
        .saturating_add(1)
}

const fn number_of(key: usize) -> u64 {
    (key / 2 - 1) as u64
}

#[cfg(test)]
mod tests;
