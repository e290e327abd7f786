//! What the driver drives.

use std::net::SocketAddr;
use std::time::Duration;

use skybridge_base::{Deadline, Instant};
use skybridge_lab::request::Request;
use skybridge_lab::{
    BridgeId, BridgeInput, ClientId, ForwardId, Lab, LabOutput, PortId, PortNews, SimulationResult,
};
use skybridge_wire::Frame;

/// A lab, or a script that stands in for one in a test. The contract is that of [`Lab`]: `now` never goes
/// back, and after any call the driver polls outputs until `None` and asks for the next timeout.
pub trait Engine {
    /// Takes a request; the answers are outputs.
    fn request(&mut self, now: Instant, client: ClientId, request: Request);
    /// The client has gone.
    fn forget(&mut self, client: ClientId);
    /// The client has taken everything that was sent to it.
    fn drained(&mut self, client: ClientId);
    /// Processes some of what is due up to `now`; true when more is.
    fn advance_some(&mut self, now: Instant) -> bool;
    /// When to advance next.
    fn poll_timeout(&self) -> Option<Deadline>;
    /// The next thing to do.
    fn poll_output(&mut self) -> Option<LabOutput>;
    /// News of a bridge connection.
    fn bridge(&mut self, now: Instant, id: BridgeId, input: BridgeInput);
    /// How many bytes a bridge connection can take from outside at present.
    fn bridge_room(&self, id: BridgeId) -> usize;
    /// News of a device.
    fn port(&mut self, now: Instant, id: PortId, news: PortNews);
    /// Frames that came from a device; `frames` is drained.
    fn take_frames(&mut self, now: Instant, id: PortId, frames: &mut Vec<Frame>);
    /// Moves every frame for a device to the end of `frames`.
    fn give_frames(&mut self, frames: &mut Vec<(PortId, Frame)>);
    /// What came of a listener: where it listens, or why not.
    fn listening(&mut self, now: Instant, id: ForwardId, result: Result<SocketAddr, String>);
    /// A client has connected to a listener. `None`: it is to be reset.
    fn accepted(&mut self, now: Instant, id: ForwardId) -> Option<BridgeId>;
    /// The result of a simulation.
    fn simulated(&mut self, now: Instant, result: SimulationResult);
    /// The driver was late and the world's clock has slipped by this much.
    fn note_slip(&mut self, slip: Duration);
}

impl Engine for Lab {
    fn request(&mut self, now: Instant, client: ClientId, request: Request) {
        Self::request(self, now, client, request);
    }

    fn forget(&mut self, client: ClientId) {
        Self::forget(self, client);
    }

    fn drained(&mut self, client: ClientId) {
        Self::drained(self, client);
    }

    fn advance_some(&mut self, now: Instant) -> bool {
        Self::advance_some(self, now)
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        Self::poll_timeout(self)
    }

    fn poll_output(&mut self) -> Option<LabOutput> {
        Self::poll_output(self)
    }

    fn bridge(&mut self, now: Instant, id: BridgeId, input: BridgeInput) {
        Self::bridge(self, now, id, input);
    }

    fn bridge_room(&self, id: BridgeId) -> usize {
        Self::bridge_room(self, id)
    }

    fn port(&mut self, now: Instant, id: PortId, news: PortNews) {
        Self::port(self, now, id, news);
    }

    fn take_frames(&mut self, now: Instant, id: PortId, frames: &mut Vec<Frame>) {
        Self::take_frames(self, now, id, frames);
    }

    fn give_frames(&mut self, frames: &mut Vec<(PortId, Frame)>) {
        Self::give_frames(self, frames);
    }

    fn listening(&mut self, now: Instant, id: ForwardId, result: Result<SocketAddr, String>) {
        Self::listening(self, now, id, result);
    }

    fn accepted(&mut self, now: Instant, id: ForwardId) -> Option<BridgeId> {
        Self::accepted(self, now, id)
    }

    fn simulated(&mut self, now: Instant, result: SimulationResult) {
        Self::simulated(self, now, result);
    }

    fn note_slip(&mut self, slip: Duration) {
        Self::note_slip(self, slip);
    }
}
