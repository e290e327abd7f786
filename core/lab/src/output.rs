//! What a lab hands to whoever drives it, and takes from them beside requests.

use std::net::SocketAddr;

use skybridge_blueprint::External;

use crate::document::Entrance;
use crate::request::Response;
use crate::simulation::SimulationJob;

/// Who asked; chosen by the driver, one per open request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(pub u64);

/// A connection that crosses the border of the world: from a service in it to a server outside, or from a
/// client outside to a host in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BridgeId(pub u64);

/// A device that the driver holds for a node with a world outside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PortId(pub u64);

/// News of a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PortNews {
    /// It is there and set up.
    Ready,
    /// It is not to be had, or has broken.
    Failed(String),
    /// Frames that it has lost since it is there, by reason.
    Lost(Vec<(&'static str, u64)>),
}

/// A listener outside the world whose clients are forwarded into it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ForwardId(pub u64);

/// Something for the driver to do.
#[derive(Debug)]
pub enum LabOutput {
    /// Send this to the client.
    Response {
        /// Who asked.
        client: ClientId,
        /// The answer, or progress.
        response: Response,
        /// Nothing more follows for this request.
        last: bool,
    },
    /// Connect to a server outside the world.
    BridgeOpen {
        /// The connection.
        id: BridgeId,
        /// `host:port` as the lab file says it.
        target: String,
    },
    /// Bytes for the outside. A driver that cannot pass them on says [`BridgeInput::Full`]; what is on its
    /// way then still comes.
    BridgeData {
        /// The connection.
        id: BridgeId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The world's side will send no more: end that half after the last byte.
    BridgeFinish {
        /// The connection.
        id: BridgeId,
    },
    /// The connection is over.
    BridgeClose {
        /// The connection.
        id: BridgeId,
        /// By a reset, which is passed on at once; otherwise it is closed after the last byte.
        reset: bool,
    },
    /// Listen; say what came of it by `Lab::listening`, and of each client by `Lab::accepted`.
    Listen {
        /// The listener.
        id: ForwardId,
        /// Where.
        at: SocketAddr,
    },
    /// Listen no more. Connections are closed one by one.
    Unlisten {
        /// The listener.
        id: ForwardId,
    },
    /// Make a device; say what came of it by `Lab::port`. Frames go by `Lab::take_frames` and
    /// `Lab::give_frames`.
    PortOpen {
        /// The device.
        id: PortId,
        /// What it is.
        spec: Box<External>,
    },
    /// Set a device up anew.
    PortChange {
        /// The device.
        id: PortId,
        /// What it is now.
        spec: Box<External>,
    },
    /// Take a device away.
    PortClose {
        /// The device.
        id: PortId,
    },
    /// Show whether a device's cable is plugged in; it is when it is made.
    PortCarrier {
        /// The device.
        id: PortId,
        /// Plugged in.
        up: bool,
    },
    /// Tell a client where the namespace of a device is.
    Enter {
        /// Who asked.
        client: ClientId,
        /// The device.
        id: PortId,
        /// The answer, but for the place.
        entrance: Entrance,
    },
    /// A simulation to run, off the paced thread; hand its result to `Lab::simulated`.
    Simulate(Box<SimulationJob>),
    /// Every stack is destroyed and the process was asked to end.
    Stopped,
}

/// News of a bridge connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BridgeInput {
    /// The server accepted.
    Connected,
    /// The server cannot be reached; the world's client is served by the test echo.
    Refused,
    /// Bytes from outside. At most [`crate::Lab::bridge_room`] of them.
    Data(Vec<u8>),
    /// The outside will send no more.
    Finished,
    /// The outside has reset the connection, or there was no room for it.
    Reset,
    /// Bytes for the outside are piling up: no more, please.
    Full,
    /// There is room for them again.
    Drained,
}
