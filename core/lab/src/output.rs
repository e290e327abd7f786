//! What a lab hands to whoever drives it, and takes from them beside requests.

use crate::request::Response;
use crate::simulation::SimulationJob;

/// Who asked; chosen by the driver, one per open request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(pub u64);

/// A connection between a service in the world and a server outside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BridgeId(pub u64);

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
