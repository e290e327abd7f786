//! What a lab hands to whoever drives it, and takes from them beside requests.

use skybridge_blueprint::External;

use crate::document::Entrance;
use crate::request::Response;
use crate::simulation::SimulationJob;

/// Who asked; chosen by the driver, one per open request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(pub u64);

/// A connection between a service in the world and a server outside it.
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
    /// Bytes for the server; the driver may drop the connection when it cannot take them.
    BridgeData {
        /// The connection.
        id: BridgeId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The client in the world is done.
    BridgeClose {
        /// The connection.
        id: BridgeId,
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
    /// Bytes from the server. At most [`crate::Lab::bridge_room`] of them.
    Data(Vec<u8>),
    /// The server closed.
    Closed,
}
