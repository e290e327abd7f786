//! Devices of the kernel behind the world's external nodes.
//!
//! Making a namespace and an interface takes the kernel milliseconds, and taking them away longer, so both
//! happen on a thread of their own. Limits: [`BURST`] frames of a device per turn, so that one busy device does
//! not starve the world; what the kernel does not take is lost and counted, so that a stalled device
//! does not stall it.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;

use polling::Poller;
use skybridge_blueprint::{Attached, Device, External, Host};
use skybridge_lab::{PortId, PortNews};
use skybridge_netdev::{
    Buffers, Namespace, Port, PortCounters, Station, is_name, set_up, set_up_without_address,
};
use skybridge_wire::Frame;

use crate::driver::{Inbound, Inbox};
use crate::poll::Watched;

/// Frames taken from one device in one turn.
pub const BURST: usize = 64;

/// The interface of a namespace host.
const INTERFACE: &str = "eth0";

/// A device that is there.
#[derive(Debug)]
pub(crate) struct Made {
    port: Port,
    /// The namespace it is in, when that is ours.
    namespace: Option<Namespace>,
}

#[derive(Debug)]
struct Open {
    made: Made,
    ready: Watched<OwnedFd>,
    told: PortCounters,
}

/// Work for the thread.
#[derive(Debug)]
enum Order {
    Make(PortId, Box<External>),
    /// Set up anew from one description to the next.
    Change(PortId, Namespace, Box<Host>, Box<Host>),
    Drop(Box<Made>),
}

/// Every device, or its absence.
#[derive(Debug)]
pub(crate) struct Devices {
    poller: Arc<Poller>,
    inbox: Inbox,
    worker: Option<Sender<Order>>,
    specs: BTreeMap<PortId, External>,
    open: BTreeMap<PortId, Open>,
    key_of: fn(u64) -> usize,
    buffers: Buffers,
    arrived: Vec<Frame>,
}

impl Devices {
    pub(crate) fn new(poller: Arc<Poller>, inbox: Inbox, key_of: fn(u64) -> usize) -> Self {
        Self {
            poller,
            inbox,
            worker: None,
            specs: BTreeMap::new(),
            open: BTreeMap::new(),
            key_of,
            buffers: Buffers::default(),
            arrived: Vec::new(),
        }
    }

    /// Begins to make a device; [`Inbound::Made`] brings it.
    pub(crate) fn make(&mut self, id: PortId, spec: Box<External>) -> io::Result<()> {
        self.specs.insert(id, (*spec).clone());
        self.order(Order::Make(id, spec))
    }

    /// Takes over what the thread has made; what nobody wants any more goes back.
    pub(crate) fn made(&mut self, id: PortId, made: io::Result<Made>) -> Option<PortNews> {
        if !self.specs.contains_key(&id) {
            if let Ok(made) = made {
                self.discard(made);
            }
            return None;
        }
        let watched = made.and_then(|made| {
            // The poller watches a descriptor of its own, since the port is used while it is watched.
            let ready = made.port.as_fd().try_clone_to_owned()?;
            let ready = Watched::new(&self.poller, ready, (self.key_of)(id.0))?;
            ready.keep_reading()?;
            Ok(Open {
                told: *made.port.counters(),
                made,
                ready,
            })
        });
        Some(match watched {
            Ok(open) => {
                self.open.insert(id, open);
                PortNews::Ready
            }
            Err(error) => PortNews::Failed(reason(&error)),
        })
    }

    /// Sets a device up anew. A failure comes in as [`Inbound::Broken`].
    pub(crate) fn change(&mut self, id: PortId, spec: External) -> io::Result<()> {
        let old = self.specs.insert(id, spec.clone());
        let namespace = self.open.get(&id).and_then(|o| o.made.namespace.as_ref());
        if let (Some(External::Namespace(old)), External::Namespace(new), Some(namespace)) =
            (old, spec, namespace)
        {
            let namespace = namespace.try_clone()?;
            self.order(Order::Change(id, namespace, old, new))?;
        }
        Ok(())
    }

    /// Takes a device away.
    pub(crate) fn close(&mut self, id: PortId) {
        self.specs.remove(&id);
        if let Some(open) = self.open.remove(&id) {
            drop(open.ready);
            self.discard(open.made);
        }
    }

    /// Plugs a device's cable in or out.
    pub(crate) fn set_carrier(&self, id: PortId, up: bool) {
        if let Some(open) = self.open.get(&id) {
            open.made.port.set_carrier(up);
        }
    }

    /// The descriptor of the namespace of a device.
    pub(crate) fn descriptor(&self, id: PortId) -> Option<i32> {
        Some(self.open.get(&id)?.made.namespace.as_ref()?.number())
    }

    /// Reads what a ready device has, at most [`BURST`] frames. The frames are those of the
    /// first value; an error means that the device is of no use any more.
    pub(crate) fn ready(&mut self, number: u64) -> (PortId, io::Result<&mut Vec<Frame>>) {
        let id = PortId(number);
        self.arrived.clear();
        let Some(open) = self.open.get_mut(&id) else {
            return (id, Ok(&mut self.arrived));
        };
        let read = (open.made.port).receive(&mut self.buffers, &mut self.arrived, BURST);
        (id, read.map(|_| &mut self.arrived))
    }

    /// Hands frames to their devices.
    pub(crate) fn send(&mut self, frames: &mut Vec<(PortId, Frame)>) {
        for (id, frame) in frames.drain(..) {
            // A frame for a device that is not there is lost, as on a cable that nobody plugged in; an error
            // shows at the next reading.
            if let Some(open) = self.open.get_mut(&id) {
                open.made.port.send(frame, &mut self.buffers).ok();
            }
        }
    }

    /// Devices that have lost frames since the last call.
    pub(crate) fn losses(&mut self) -> Option<(PortId, PortNews)> {
        let (id, open) = self
            .open
            .iter_mut()
            .find(|(_, open)| open.made.port.counters() != &open.told)?;
        let counters = *open.made.port.counters();
        open.told = counters;
        let losses = vec![
            ("device queue full", counters.sent_full),
            ("device down", counters.sent_down),
            ("unfit for the device", counters.sent_unfit),
            ("unfit from the device", counters.received_unfit),
        ];
        Some((*id, PortNews::Lost(losses)))
    }

    /// A device broke: nothing more is read from it.
    pub(crate) fn broken(&mut self, id: PortId, error: &io::Error) -> PortNews {
        if let Some(open) = self.open.remove(&id) {
            drop(open.ready);
            self.discard(open.made);
        }
        PortNews::Failed(reason(error))
    }

    fn discard(&mut self, made: Made) {
        // Without a thread the device goes here and now.
        self.order(Order::Drop(Box::new(made))).ok();
    }

    fn order(&mut self, order: Order) -> io::Result<()> {
        let worker = match &self.worker {
            Some(worker) => worker,
            None => self.worker.insert(start(self.inbox.clone())?),
        };
        worker
            .send(order)
            .map_err(|_| io::Error::other("the thread that makes devices has ended"))
    }
}

fn reason(error: &io::Error) -> String {
    let known = [
        (
            io::ErrorKind::NotFound,
            "there is no /dev/net/tun or no such interface",
        ),
        (
            io::ErrorKind::PermissionDenied,
            "the system does not allow it: CAP_NET_ADMIN or /dev/net/tun is missing",
        ),
        (
            io::ErrorKind::ResourceBusy,
            "the interface is in use already",
        ),
    ];
    let known = known.iter().find(|(kind, _)| *kind == error.kind());
    known.map_or_else(|| error.to_string(), |(_, words)| (*words).to_owned())
}

fn start(inbox: Inbox) -> io::Result<Sender<Order>> {
    let (worker, orders) = mpsc::channel();
    thread::Builder::new()
        .name("devices".to_owned())
        .spawn(move || {
            let mut named = Named::default();
            for order in orders {
                let news = match order {
                    Order::Make(id, spec) => {
                        Some(Inbound::Made(id, make(&spec, &mut named).map(Box::new)))
                    }
                    Order::Change(id, namespace, old, new) => {
                        let (old, new) = (station(&old), station(&new));
                        namespace
                            .inside(|| set_up(INTERFACE, Some(&old), &new))
                            .err()
                            .map(|error| Inbound::Broken(id, error))
                    }
                    Order::Drop(made) => {
                        drop(made);
                        None
                    }
                };
                if news.is_some_and(|news| inbox.send(news).is_err()) {
                    break;
                }
            }
        })?;
    Ok(worker)
}

/// Namespaces by the names that the lab file gives them, where the system has none of that name. They stay as
/// long as the lab: an attached router's programs run there.
type Named = BTreeMap<String, Namespace>;

fn make(spec: &External, named: &mut Named) -> io::Result<Made> {
    match spec {
        External::Namespace(host) => {
            let namespace = Namespace::create()?;
            let station = station(host);
            let port = namespace.inside(|| {
                let port = Port::tap(INTERFACE)?;
                set_up(INTERFACE, None, &station)?;
                Ok(port)
            })?;
            Ok(Made {
                port,
                namespace: Some(namespace),
            })
        }
        External::Attached(attached) => attach(attached, named),
    }
}

fn attach(attached: &Attached, named: &mut Named) -> io::Result<Made> {
    let alone = |port| Made {
        port,
        namespace: None,
    };
    match &attached.device {
        Device::Tap { name } => Port::tap(name).map(alone),
        Device::Packet { interface } => Port::packet(interface).map(alone),
        Device::Interface { interface } => {
            set_up_without_address(interface)?;
            Port::packet(interface).map(alone)
        }
        Device::Namespace { name } => {
            let port = attached.port.as_str();
            let interface = if is_name(port) { port } else { INTERFACE };
            let (namespace, is_ours) = match Namespace::named(name)? {
                Some(namespace) => (namespace, false),
                None => (own(name, named)?, true),
            };
            let port = namespace.inside(|| Port::tap(interface))?;
            Ok(Made {
                port,
                namespace: is_ours.then_some(namespace),
            })
        }
    }
}

/// The namespace of ours with this name, made when it is not there yet.
fn own(name: &str, named: &mut Named) -> io::Result<Namespace> {
    if !named.contains_key(name) {
        named.insert(name.to_owned(), Namespace::create()?);
    }
    match named.get(name) {
        Some(namespace) => namespace.try_clone(),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

fn station(host: &Host) -> Station {
    Station {
        mac: host.mac,
        addresses: host.addresses.clone(),
        gateways: host.gateways.clone(),
        mtu: host.mtu,
    }
}
