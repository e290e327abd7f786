//! Documents of forwarded ports and SOCKS listeners.

use serde::{Deserialize, Serialize};

/// A listener outside whose clients are forwarded into the network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ForwardRow {
    /// Its name, as `forward --remove` takes it.
    pub name: String,
    /// Where it listens, such as `127.0.0.1:15432`.
    pub listen: String,
    /// The host in the network whose connections they become.
    pub from: String,
    /// Where they go: `HOST:PORT`, or `socks`.
    pub to: String,
    /// `listening`, `opening`, or why it does not listen.
    pub state: String,
    /// `lab file`, `detached`, or `attached` to a command that runs.
    pub kept_by: String,
    /// Connections at present.
    pub open: u64,
    /// Connections that stood, so far.
    pub connected: u64,
    /// Connections that could not be made, so far.
    pub failed: u64,
    /// Why the last of those could not.
    pub last_failure: Option<String>,
}
