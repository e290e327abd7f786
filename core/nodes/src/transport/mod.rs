//! TCP for BGP sessions and for hosts: the session shim around `smoltcp`.
//!
//! A [`Stack`] holds the connections of one routing table of a router, or of one host. It takes and
//! gives whole IP packets and never sees links, tags or neighbours. The shim, not the TCP engine,
//! owns what real session transports need: signatures (RFC 2385), GTSM (RFC 5082), code points,
//! initial sequence numbers and ephemeral ports, path MTU (RFC 1191, RFC 8201) and ICMP errors.
//! Nothing outside this folder names the engine, so that it can be replaced.
//!
//! **One engine interface per connection.** An `Interface` of the engine fixes its MTU when it is
//! made, has room for two addresses, and offers every packet to every socket in turn. A router with
//! 200 sessions has up to 400 addresses and MTUs that differ by session, signature and path. So each
//! connection has an interface of its own (some 400 octets beside its buffers), packets find their
//! connection in an ordered map, and each connection has its own place in an ordered set of
//! deadlines: an idle connection costs nothing until its next timer.
//!
//! To drive it: after any `handle_*`, take [`Stack::poll_event`] until `None`, react by
//! [`Stack::send`], [`Stack::close`] and [`Stack::abort`], then take [`Stack::poll_packet`] until
//! `None` (it flushes what was sent, so that many small writes share segments), then arm
//! [`Stack::poll_timeout`].
//!
//! Limits: [`CONNECTIONS_MAX`] connections per stack, [`CONNECTIONS_PER_SESSION_MAX`] per session; a
//! SYN beyond them is ignored and counted, a connect is closed with [`CloseReason::Limit`].
//! [`PATH_MTUS_MAX`] path MTUs are remembered. Fragments are dropped: TCP sets DF.

mod connection;
mod counters;
mod device;
mod icmp;
mod packet;
mod path_mtu;
mod stack;
#[cfg(test)]
mod tests;

pub use counters::StackCounters;
pub use stack::Stack;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use skybridge_blueprint::Secret;

/// Connections of one stack, whatever their state.
pub const CONNECTIONS_MAX: usize = 4096;
/// Live connections of one session (two meet in a collision), and as many remains in TIME-WAIT.
pub const CONNECTIONS_PER_SESSION_MAX: usize = 8;
/// Path MTUs remembered by one stack; beyond it the oldest is forgotten.
pub const PATH_MTUS_MAX: usize = 256;
/// Octets of each buffer of a connection unless [`Stack::set_buffer_len`] says otherwise.
pub const BUFFER_LEN: usize = 16 * 1024;
/// How long a connect or a handshake may take unless the caller says otherwise.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The well-known BGP port.
pub const BGP_PORT: u16 = 179;

/// A configured session of a stack.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(pub u32);

/// A connection of a stack; never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId(pub u64);

/// The transport of one configured peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionEndpoint {
    /// Our address.
    pub local: IpAddr,
    /// The peer's address.
    pub remote: IpAddr,
    /// TCP MD5 key (RFC 2385).
    pub md5: Option<Secret>,
    /// MTU of the interface, in octets of IP.
    pub mtu: u16,
    /// TTL or hop limit of what is sent.
    pub ttl: u8,
    /// Least TTL of what is accepted (GTSM, RFC 5082 §3); 0 is off.
    pub ttl_min: u8,
    /// Code point of what is sent; BGP uses CS6, 48 (RFC 4594 §3.2).
    pub dscp: u8,
}

/// A whole IP packet to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutPacket {
    /// The session it belongs to; `None` for hosts' connections.
    pub session: Option<SessionId>,
    /// The connection; `None` for a reset in answer to a segment without one.
    pub conn: Option<ConnId>,
    /// The packet, checksums, signature, TTL and code point included.
    pub bytes: Vec<u8>,
}

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CloseReason {
    /// A reset answered our SYN.
    Refused,
    /// No answer in time, or no progress within the user timeout.
    Timeout,
    /// The peer reset it, or its session's key changed.
    Reset,
    /// Closed in order.
    Closed,
    /// An ICMP error answered our SYN.
    Unreachable,
    /// The stack is full, or its ports are used up.
    Limit,
}

impl CloseReason {
    /// The word used in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Unreachable => "unreachable",
            Self::Limit => "limit",
        }
    }
}

/// What happened to a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StackEvent {
    /// The handshake is complete.
    Connected {
        /// The connection.
        conn: ConnId,
        /// Its session, if it has one.
        session: Option<SessionId>,
        /// The peer opened it.
        inbound: bool,
        /// The peer.
        remote: SocketAddr,
        /// Our port.
        local_port: u16,
    },
    /// Bytes came in, in order.
    Received {
        /// The connection.
        conn: ConnId,
        /// The bytes, at least one.
        bytes: Vec<u8>,
    },
    /// The send buffer is at least half empty: after connecting, and again after half a buffer or
    /// more has been sent.
    Writable {
        /// The connection.
        conn: ConnId,
        /// Octets that [`Stack::send`] takes.
        room: usize,
    },
    /// The peer will send no more, all it sent has been received. Only with
    /// [`Stack::set_half_close`]; the owner then calls [`Stack::close`] or [`Stack::finish`] when it has
    /// sent the rest.
    PeerClosed {
        /// The connection.
        conn: ConnId,
    },
    /// The connection ended; its id is not valid any more. Not reported after [`Stack::abort`], nor
    /// for inbound connections that never were connected.
    Closed {
        /// The connection.
        conn: ConnId,
        /// Why.
        reason: CloseReason,
    },
}
