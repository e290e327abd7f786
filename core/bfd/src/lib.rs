//! Bidirectional Forwarding Detection: one single-hop session in asynchronous mode (RFC 5880,
//! RFC 5881) as a [`skybridge_base::Machine`].
//!
//! UDP payloads come in as [`Input::Packet`], packets to send and state changes go out as
//! [`Output`]. The driver polls outputs until `None` after each call and arms
//! [`Session::poll_timeout`](skybridge_base::Machine::poll_timeout).
//!
//! The caller does what needs addresses:
//! - it drops packets that did not arrive with TTL or hop limit 255 and sends with 255 (GTSM,
//!   RFC 5881 §5);
//! - it uses UDP port 3784 and one source port from 49152 to 65535 per session (RFC 5881 §4);
//! - it finds the session, by "your discriminator" when that is not zero and by interface and peer
//!   address when it is (RFC 5880 §6.8.6).
//!
//! Not here: echo, authentication (packets with the A bit are discarded), multihop. Demand mode is
//! tolerated: a peer that asks for it gets silence while both ends are Up; this end never asks.
//!
//! Limits: at most [`Session::SENDS_QUEUED_MAX`] packets wait for the driver; further ones are
//! dropped as a network would. State changes, at most one per call, are never dropped.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod config;
mod session;

pub use config::{ConfigFault, SessionConfig, Timers};
pub use session::{Discard, Input, Output, Session};
pub use skybridge_wire::bfd::{BfdControl, BfdDiag, BfdFault, BfdState};
