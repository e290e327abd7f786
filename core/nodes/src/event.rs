//! What nodes report, and what hosts can be told.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use skybridge_base::Instant;
use skybridge_blueprint::{InterfaceName, NextHop, RouteSource, Tagging, VrfName};
pub use skybridge_dataplane::DropReason;

/// A TCP connection or probe of a host; chosen by whoever commands it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionId(pub u64);

/// State of a BGP or BFD session, as far as observers care.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SessionState {
    /// BGP states of RFC 4271 §8.2.2; `Down` and `Up` are BFD's.
    Idle,
    /// BGP.
    Connect,
    /// BGP.
    Active,
    /// BGP.
    OpenSent,
    /// BGP.
    OpenConfirm,
    /// BGP.
    Established,
    /// BFD: not up.
    Down,
    /// BFD: up.
    Up,
}

/// One hop of a traced packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hop {
    /// The probe.
    pub trace: u32,
    /// When.
    pub at: Instant,
    /// Where it entered; `None` when the node made it.
    pub ingress: Option<InterfaceName>,
    /// Tags it entered with.
    pub tags_in: Option<Tagging>,
    /// Table looked up.
    pub vrf: Option<VrfName>,
    /// The route chosen.
    pub route: Option<(IpNet, NextHop, RouteSource)>,
    /// Addresses of the packet at this hop, before any change.
    pub src: IpAddr,
    /// See `src`.
    pub dst: IpAddr,
    /// TTL or hop limit on entry.
    pub ttl: u8,
    /// The rule of a firewall that let it pass, as set and rule; empty when it belonged to what passed before.
    pub allowed_by: String,
    /// A rule that rests on what is not known could have denied what was allowed.
    pub doubtful: bool,
    /// What became of it.
    pub verdict: HopVerdict,
}

/// What became of a traced packet at a hop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HopVerdict {
    /// Sent on.
    Forwarded {
        /// Outgoing interface.
        egress: InterfaceName,
        /// Tags it left with.
        tags: Tagging,
    },
    /// It was for this node.
    Delivered,
    /// Dropped.
    Dropped {
        /// Why.
        reason: DropReason,
        /// More, such as the rule set and rule that denied.
        detail: String,
        /// An unknown rule or route could have changed this.
        unknown: bool,
    },
}

/// Why an echo request failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EchoFault {
    /// No answer in time.
    Timeout,
    /// An ICMP error came back.
    Icmp {
        /// Who sent it.
        from: IpAddr,
        /// ICMP type.
        icmp_type: u8,
        /// ICMP code.
        code: u8,
        /// Next-hop MTU of "fragmentation needed" (RFC 1191 §4).
        mtu: Option<u16>,
    },
    /// The host could not send it.
    Unsendable(DropReason),
}

/// What a node reports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NodeEvent {
    /// A BGP session changed state.
    Bgp {
        /// The instance's name.
        instance: String,
        /// The peer's name.
        peer: String,
        /// Before.
        from: SessionState,
        /// After.
        to: SessionState,
        /// The cause, for people: which timer, notification or event decided.
        reason: String,
    },
    /// A BFD session changed state.
    Bfd {
        /// The instance's name.
        instance: String,
        /// The peer's name.
        peer: String,
        /// After.
        up: bool,
        /// The diagnostic (RFC 5880 §4.1) in words.
        reason: String,
    },
    /// A route of a table changed: the next hops in use after the change (empty: gone).
    Route {
        /// The table.
        vrf: VrfName,
        /// The prefix.
        prefix: IpNet,
        /// What is used.
        next_hops: Vec<NextHop>,
    },
    /// An address is used by another station too (RFC 5227).
    DuplicateAddress {
        /// Where it was seen.
        interface: InterfaceName,
        /// The address.
        address: IpAddr,
    },
    /// A traced packet passed.
    Hop(Box<Hop>),
    /// An echo request was answered.
    EchoReply {
        /// The command's identity.
        id: ConnectionId,
        /// Which request.
        sequence: u16,
        /// Who answered.
        from: IpAddr,
        /// TTL of the answer.
        ttl: u8,
        /// Round-trip time.
        rtt: Duration,
    },
    /// An echo request failed.
    EchoFailed {
        /// The command's identity.
        id: ConnectionId,
        /// Which request.
        sequence: u16,
        /// Why.
        fault: EchoFault,
    },
    /// A connection that the host opened is established.
    TcpConnected {
        /// The command's identity.
        id: ConnectionId,
        /// SYN to established.
        rtt: Duration,
    },
    /// A connection that the host opened failed or ended.
    TcpClosed {
        /// The command's identity.
        id: ConnectionId,
        /// `refused`, `timeout`, `unreachable`, `closed` or `reset`.
        reason: &'static str,
    },
    /// Bytes came in on a connection that the host opened, or on an accepted bridge connection.
    TcpReceived {
        /// The connection.
        id: ConnectionId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The peer will send no more on a connection that was opened by [`HostCommand::TcpOpen`] or accepted,
    /// and all it sent has been received. Our half is open still; [`HostCommand::TcpFinish`] or
    /// [`HostCommand::TcpClose`] ends it.
    TcpFinished {
        /// The connection.
        id: ConnectionId,
    },
    /// The host can take more bytes on this connection.
    TcpWritable {
        /// The connection.
        id: ConnectionId,
        /// How many.
        room: usize,
    },
    /// A client connected to a bridged service. Ids of accepted connections have the top bit set.
    ServiceAccepted {
        /// The new connection.
        id: ConnectionId,
        /// The service's name.
        service: String,
        /// The client.
        from: IpAddr,
    },
}

/// What a host can be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HostCommand {
    /// Send one ICMP echo request.
    Echo {
        /// Identity for the events; ids of commands have the top bit clear.
        id: ConnectionId,
        /// Sequence number.
        sequence: u16,
        /// Target.
        target: IpAddr,
        /// TTL or hop limit.
        ttl: u8,
        /// Octets of data after the ICMP header.
        payload_len: u16,
        /// DF bit.
        dont_fragment: bool,
        /// How long to wait for an answer.
        timeout: Duration,
        /// Trace identity, 0 for none.
        trace: u32,
    },
    /// Open a TCP connection.
    TcpConnect {
        /// Identity for the events.
        id: ConnectionId,
        /// Target.
        target: IpAddr,
        /// Port.
        port: u16,
        /// How long to try.
        timeout: Duration,
        /// Trace identity of its SYN, 0 for none.
        trace: u32,
    },
    /// As `TcpConnect`, and the peer's end is reported by [`NodeEvent::TcpFinished`] and leaves our half
    /// open: for whoever hands bytes on. The other ends at the peer's end.
    TcpOpen {
        /// Identity for the events.
        id: ConnectionId,
        /// Target.
        target: IpAddr,
        /// Port.
        port: u16,
        /// How long to try.
        timeout: Duration,
        /// Trace identity of its SYN, 0 for none.
        trace: u32,
    },
    /// Send bytes; what does not fit `TcpWritable` room is refused by closing the connection.
    TcpSend {
        /// The connection.
        id: ConnectionId,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Close after everything sent has been delivered.
    TcpClose {
        /// The connection.
        id: ConnectionId,
    },
    /// End our half after everything sent has been delivered; the peer may send on.
    TcpFinish {
        /// The connection.
        id: ConnectionId,
    },
    /// Stop reading, so that the peer's window closes; or go on. Nothing is lost.
    TcpPause {
        /// The connection.
        id: ConnectionId,
        /// Stop.
        paused: bool,
    },
    /// Give up at once (RST).
    TcpAbort {
        /// The connection.
        id: ConnectionId,
    },
}
