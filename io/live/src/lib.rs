//! A lab in real time: the paced driver, its control socket, its bridges to real servers, and its signals.
//!
//! One thread owns the engine. It sleeps until the engine's next deadline or until something comes in, hands
//! in what has come, lets the engine process what is due, and carries out what it wants done:
//!
//! ```text
//! clients ──► control socket ─┐                     ┌─► answers
//! servers ──► bridges ────────┤                     ├─► bytes for servers and clients
//! programs ─► listeners ──────┤                     │
//! threads ──► inbox ──────────┼─► engine (one lab) ─┼─► simulations, on a thread of their own
//! signals ──► pipe ───────────┘         ▲           └─► the end
//!                                     pacer
//! ```
//!
//! An idle lab costs what its timers cost: the loop never wakes without a reason. Limits and their answers:
//! 64 clients (refused with a message), 64 MiB a request (refused), 64 MiB unread by a client (dropped),
//! 512 connections across the border (reset), 256 KiB unread by one of their peers (the world is paused). Unix
//! systems only.
#![warn(missing_docs)]

mod bridges;
mod clean;
mod clients;
mod connection;
mod devices;
mod driver;
mod engine;
mod exec;
mod jobs;
mod listeners;
mod marker;
mod namespaces;
mod pacer;
mod place;
mod poll;
mod signals;

pub use bridges::{BRIDGES_MAX, UNSENT_MAX, UNSENT_PAUSE};
pub use clean::{Cleaned, clean};
pub use clients::{BACKLOG_MAX, CLIENTS_MAX, REQUEST_LEN_MAX};
pub use connection::{AskError, Connection, FollowEnd, follow};
pub use devices::BURST;
pub use driver::{Ended, Handle, Joints, Running, TURN_MAX, spawn};
pub use engine::Engine;
pub use exec::{ExecError, HOST, MARKER, exec};
pub use namespaces::{NamespaceError, prepare_namespaces};
pub use pacer::{LATE_MAX, Pacer};
pub use place::{NAME_LEN_MAX, Place, PlaceError, Seat};
