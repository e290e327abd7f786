//! The session state machine of RFC 4271 §8, without input or output.
//!
//! [`Session`] is one connection's machine. [`PeerFsm`] stands above it: a peer has the session that
//! it dials and, while both sides connect at once, a second one that it accepted; the collision rule
//! of RFC 4271 §6.8 leaves one.

mod peer;
mod session;
mod timers;

use std::net::Ipv4Addr;
use std::time::Duration;

use skybridge_base::Asn;

use crate::message::{Message, Notification, Open};
use crate::types::{Families, Family};

pub use peer::{PeerFsm, Slot};
pub use session::{Env, Session};
pub use timers::{Timer, Timers};

/// A connection, numbered by the driver.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId(pub u64);

/// The six states of RFC 4271 §8.2.2, in the order of progress.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum StateKind {
    /// Not started, or waiting before it starts again.
    #[default]
    Idle,
    /// A connection attempt is under way.
    Connect,
    /// Waiting for the peer, or for the next attempt.
    Active,
    /// OPEN sent.
    OpenSent,
    /// OPEN received and answered.
    OpenConfirm,
    /// Routes are exchanged.
    Established,
}

impl std::fmt::Display for StateKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Idle => "Idle",
            Self::Connect => "Connect",
            Self::Active => "Active",
            Self::OpenSent => "OpenSent",
            Self::OpenConfirm => "OpenConfirm",
            Self::Established => "Established",
        })
    }
}

/// Why a session changed its state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    /// It was started, by the operator or after its idle hold.
    Started,
    /// The connect-retry timer fired.
    RetryTimer,
    /// The transport connected.
    TcpConnected,
    /// The transport could not connect.
    TcpFailed,
    /// The peer, or the network, closed the transport.
    TcpClosed,
    /// The peer's OPEN was accepted.
    OpenReceived,
    /// The peer's KEEPALIVE confirmed the session.
    KeepaliveReceived,
    /// Nothing came for the hold time; sent as 4/0.
    HoldTimerExpired,
    /// The peer ended the session.
    NotificationReceived(Notification),
    /// The peer broke the protocol, and this was sent.
    NotificationSent(Notification),
    /// The operator shut the peer down.
    AdminDown,
    /// The operator reset the session.
    AdminReset,
    /// The peer was removed.
    PeerRemoved,
    /// BFD reported the path down (RFC 5882 §4.3).
    BfdDown,
    /// This connection lost against the peer's other one (RFC 4271 §6.8).
    CollisionLost,
    /// The peer announced more prefixes than allowed (RFC 4271 §6.7).
    MaxPrefixes {
        /// The family over its limit.
        family: Family,
        /// The limit.
        limit: u32,
    },
    /// A table here is full.
    OutOfResources,
}

/// What both sides agreed on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Negotiated {
    /// Hold time in seconds; 0 is no hold timer (RFC 4271 §4.2).
    pub hold_time_s: u16,
    /// Keepalive interval in seconds; 0 is none.
    pub keepalive_s: u16,
    /// Families that both offer.
    pub families: Families,
    /// AS numbers take four octets (RFC 6793 §4).
    pub four_octet_as: bool,
    /// Both offer route refresh.
    pub route_refresh: bool,
    /// The peer's BGP identifier.
    pub remote_router_id: Ipv4Addr,
    /// The peer's AS.
    pub remote_asn: Asn,
    /// Everything the peer offered.
    pub remote_capabilities: Vec<crate::message::Capability>,
}

/// The part of a peer's configuration that its sessions need.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Our AS.
    pub local_asn: Asn,
    /// Our BGP identifier.
    pub local_router_id: Ipv4Addr,
    /// The peer's AS.
    pub remote_asn: Asn,
    /// Hold time to propose, seconds.
    pub hold_time_s: u16,
    /// Upper bound for the keepalive interval, seconds.
    pub keepalive_s: Option<u16>,
    /// Wait between connection attempts.
    pub connect_retry: Duration,
    /// Never dial.
    pub passive: bool,
    /// Dial at once and every 200 ms until the session is first Established.
    pub fast_first: bool,
    /// Families to offer.
    pub families: Families,
    /// Offer route refresh.
    pub route_refresh: bool,
    /// Offer 4-octet AS numbers.
    pub four_octet_as: bool,
}

impl Settings {
    /// The AS that an OPEN claims, as this speaker reads it: one that does not offer 4-octet numbers
    /// looks at the 2-octet field only, where a large number is AS_TRANS (RFC 6793 §4.2.1).
    #[must_use]
    pub fn claimed_asn(&self, open: &Open) -> Asn {
        if self.four_octet_as {
            open.asn()
        } else {
            Asn(open.my_as.into())
        }
    }
}

/// What a session is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Leave Idle (RFC 4271 §8.1.2, events 1, 3–7).
    Start,
    /// End whatever there is (events 2 and 8, and local faults).
    Stop {
        /// Sent if a connection is open.
        notification: Notification,
        /// Reported.
        reason: Reason,
        /// When to start again.
        hold: IdleHold,
    },
    /// The transport connected (events 16 and 17).
    Connected(ConnId),
    /// The transport could not connect (event 18).
    ConnectFailed,
    /// The transport closed (event 18).
    Closed,
    /// An OPEN came (event 19).
    Open(Open),
    /// A KEEPALIVE came (event 26).
    Keepalive,
    /// An UPDATE came (event 27).
    Update,
    /// A ROUTE-REFRESH came (RFC 2918 §4).
    RouteRefresh,
    /// A NOTIFICATION came (events 24 and 25).
    Notification(Notification),
    /// A message was faulty and this must be sent (events 21, 22, 28).
    BadMessage(Notification),
    /// A timer fired (events 9–11, 13).
    Timer(Timer),
}

/// How long a session stays Idle after its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IdleHold {
    /// As long as the count of failures since the last Established says.
    Backoff,
    /// This long.
    For(Duration),
    /// Until [`Event::Start`].
    Forever,
}

/// What a session asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Begin a connection attempt; one under way is abandoned.
    Connect,
    /// Send a message.
    Send(ConnId, Message),
    /// Close the connection after what was sent.
    Close(ConnId),
    /// The state changed.
    Changed {
        /// Before.
        from: StateKind,
        /// After.
        to: StateKind,
        /// Why.
        reason: Reason,
    },
}

#[cfg(test)]
mod tests;
