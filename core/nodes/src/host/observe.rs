//! What a host can be asked: neighbours, connections, counters.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use skybridge_base::{Instant, MacAddr};

use super::Host;
use super::tcp::Owner;
use crate::transport::StackCounters;
use crate::{ConnectionId, DropReason};

/// One line of a host's ARP table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostNeighbour {
    /// Whose.
    pub address: IpAddr,
    /// The station; `None` while nobody has answered.
    pub mac: Option<MacAddr>,
    /// Time since it was learned, or since the first request.
    pub age: Duration,
}

/// One TCP connection of a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostConnection {
    /// The identity events and commands use; `None` for the test echo's and for remains.
    pub id: Option<ConnectionId>,
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: SocketAddr,
    /// The TCP state (RFC 9293 §3.3.2), such as `ESTABLISHED`.
    pub state: &'static str,
}

/// Everything a host counts.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct HostCounters {
    /// Frames received.
    pub frames_in: u64,
    /// Octets of the frames received.
    pub octets_in: u64,
    /// Frames sent.
    pub frames_out: u64,
    /// Octets of the frames sent.
    pub octets_out: u64,
    /// Drops by reason, those of the TCP stack apart.
    pub drops: BTreeMap<DropReason, u64>,
    /// What the TCP stack refused.
    pub tcp: StackCounters,
}

impl Host {
    /// The ARP table by address.
    #[must_use]
    pub fn neighbours(&self, now: Instant) -> Vec<HostNeighbour> {
        let entries = self.neighbours.iter();
        entries
            .map(|(address, mac, since)| HostNeighbour {
                address: address.into(),
                mac,
                age: now.since(since),
            })
            .collect()
    }

    /// Every TCP connection, oldest first.
    #[must_use]
    pub fn connections(&self) -> Vec<HostConnection> {
        let connections = self.stack.connections();
        connections
            .map(|(conn, _, local, remote, state)| HostConnection {
                id: match self.owners.get(&conn) {
                    Some(Owner::Command(client)) => Some(client.id),
                    Some(Owner::Bridge(id)) => Some(*id),
                    Some(Owner::Echo(_)) | None => None,
                },
                local,
                remote,
                state,
            })
            .collect()
    }

    /// Everything counted so far.
    #[must_use]
    pub fn counters(&self) -> HostCounters {
        HostCounters {
            tcp: self.stack.counters(),
            ..self.counters.clone()
        }
    }
}
