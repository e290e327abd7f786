//! What can be seen of a path.

use std::collections::BTreeMap;
use std::net::IpAddr;

use skybridge_blueprint::Owner;
use skybridge_dataplane::DropReason;

/// Which of the two hosts a fact is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Towards {
    /// The asking host.
    From,
    /// The target.
    To,
}

impl Towards {
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::From => 0,
            Self::To => 1,
        }
    }
}

/// Everything seen. Pairs are in the order of the path: towards the asking host, towards the target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Observations {
    /// The asking host and the target.
    pub hosts: [HostObservation; 2],
    /// The TCP port asked about.
    pub tcp: Option<u16>,
    /// Circuits that the documents put between the two hosts' networks.
    pub circuits: Vec<CircuitObservation>,
    /// What lies between neighbours on the path, from the asking host on.
    pub adjacencies: Vec<Adjacency>,
    /// The routers on the path.
    pub routers: BTreeMap<String, RouterView>,
    /// What was sent and what came of it.
    pub probes: Vec<Probe>,
    /// Where things are written: `circuit/NAME`, `table/NODE/TABLE`, `filter/NAME`, `host/NAME`.
    pub places: BTreeMap<String, Place>,
}

/// Where a resource is written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// Its address in the front door.
    pub resource: String,
    /// File.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
}

/// A host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostObservation {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// It is switched on.
    pub answers: bool,
    /// TCP ports on which something listens.
    pub listens: Vec<u16>,
    /// It lies behind these routers of the user's own: a packet for it that reached one of them has left
    /// what can be seen. Empty for a host that can be asked.
    pub behind: Vec<String>,
}

/// A circuit as documents have it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CircuitObservation {
    /// Its name.
    pub name: String,
    /// Its connectivity provider.
    pub provider: String,
    /// `serviceProviderProvisioningState`.
    pub provider_state: String,
    /// It is provisioned.
    pub is_provisioned: bool,
    /// `circuitProvisioningState` is `Enabled`.
    pub is_enabled: bool,
    /// A peering is configured.
    pub has_peering: bool,
}

/// Neighbours and what lies between them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Adjacency {
    /// `CIRCUIT primary` and the like; empty when it is on no single leg.
    pub leg: String,
    /// The circuit it belongs to; empty inside a cloud.
    pub circuit: String,
    /// A host is at one end.
    pub is_access: bool,
    /// The ends, in the order of the path.
    pub ends: [End; 2],
    /// The links between them, in the order of the path.
    pub segments: Vec<Segment>,
    /// The BGP session, as each end that has one sees it.
    pub sessions: [Option<SessionEnd>; 2],
}

/// One end of an adjacency.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct End {
    /// The router or host.
    pub node: String,
    /// What it is, such as `MSEE`.
    pub role: String,
    /// Whose it is.
    pub owner: Owner,
    /// Its management answers.
    pub answers: bool,
    /// Its interface; empty at a host, which has one.
    pub interface: String,
    /// Its address there.
    pub address: Option<IpAddr>,
    /// The tags it expects and sends: `S 100 C 200`, `untagged`.
    pub tags: String,
    /// What its ARP table has for the other end.
    pub arp: Arp,
    /// Frames that no interface of the port took for their tags, meanwhile.
    pub unknown_tags: u64,
    /// IP MTU of the interface.
    pub mtu: u16,
    /// It is a router of the user's own, which nobody here can ask: what is seen of it at its port. Its
    /// interface, address, tags and MTU are then those that documents give it.
    pub attached: Option<Attached>,
}

/// A router of the user's own as its port shows it, while probes ran. Its tables, filters and logs are the
/// user's to read.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Attached {
    /// Why the device that it hangs on is not there.
    pub missing: Option<String>,
    /// Frames handed to it, by their tags.
    pub handed_with: BTreeMap<String, u64>,
    /// Frames of any kind that it sent, also those that its port does not take.
    pub sent: u64,
    /// Of these ARP and IPv4, by their tags.
    pub sent_with: BTreeMap<String, u64>,
    /// Of these BFD control packets.
    pub bfd_sent: u64,
    /// Of these answers of the target to the asking host: echo replies, and first segments of TCP.
    pub answers: u64,
}

/// A line of an ARP table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Arp {
    /// The neighbour has answered.
    Known,
    /// Asked and not answered.
    Incomplete,
    /// Not asked.
    Absent,
    /// Nobody here can read this table.
    Unseen,
}

/// A link between two ports, or a carrier's device between two links.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Its name.
    pub link: String,
    /// It is a device: it may give frames other tags.
    pub is_device: bool,
    /// Whose it is.
    pub owner: Owner,
    /// Its ends, in the order of the path.
    pub ends: [SegmentEnd; 2],
    /// Frames towards the target.
    pub there: Carried,
    /// Frames towards the asking host.
    pub back: Carried,
    /// Of a device: frames that came in, towards the target and towards the asking host, and that it carries for
    /// nobody because of their tags. Others' frames are among them.
    pub turned_away: [u64; 2],
}

/// A port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentEnd {
    /// The device.
    pub node: String,
    /// Whose it is.
    pub owner: Owner,
    /// Its management answers.
    pub answers: bool,
    /// The port is up; not known of a device that does not answer.
    pub up: Option<bool>,
}

/// Frames of one direction, seen at both ports while probes ran.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Carried {
    /// Sent.
    pub sent: u64,
    /// Of these seen at the other port.
    pub arrived: u64,
    /// Of those sent, of full size.
    pub big_sent: u64,
    /// Of these seen at the other port.
    pub big_arrived: u64,
    /// Tags with which they were sent.
    pub tags_sent: Vec<String>,
    /// Tags with which they arrived.
    pub tags_arrived: Vec<String>,
}

/// One end's view of a BGP session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionEnd {
    /// Addresses.
    pub local: IpAddr,
    /// The other end's.
    pub remote: IpAddr,
    /// AS numbers: own, and what is expected of the other end.
    pub asn: (u32, u32),
    /// The state in RFC 4271's words.
    pub state: String,
    /// It is Established.
    pub is_up: bool,
    /// Why it last fell.
    pub last_reset: String,
    /// The documents switch it on.
    pub is_enabled: bool,
    /// Someone shows it to the customer.
    pub is_visible: bool,
    /// Segments refused for their MD5 signature, by this router.
    pub md5_drops: u64,
    /// BFD: up or down; `None` when this end does not run it.
    pub bfd: Option<bool>,
    /// Seconds in this state.
    pub since_s: u64,
    /// Per host: the prefix with its address that this end has sent.
    pub sent: [Option<String>; 2],
    /// Per host: prefixes with its address that this end has heard, and what became of them when they are not used.
    pub heard: [Vec<(String, Option<String>)>; 2],
}

/// A router's tables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouterView {
    /// What it is.
    pub role: String,
    /// Whose it is.
    pub owner: Owner,
    /// Its tables.
    pub tables: Vec<TableView>,
}

/// A table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableView {
    /// Its name on the router.
    pub name: String,
    /// What people call it.
    pub label: String,
    /// Per host: the route for its address that leads somewhere, in words.
    pub route: [Option<String>; 2],
}

/// What was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packet {
    /// An echo request that makes an IP packet of this many octets, not to be fragmented.
    Echo {
        /// Octets of IP.
        ip_len: u16,
        /// It is the one of full size.
        is_full: bool,
    },
    /// A TCP connection to this port.
    Tcp(u16),
}

/// What came of a probe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Answered.
    Answered,
    /// Refused by the host.
    Refused,
    /// Nothing, or an error: in words.
    Failed(String),
}

/// A probe with its hops.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Probe {
    /// What.
    pub packet: Packet,
    /// What came of it.
    pub outcome: Outcome,
    /// Hops of packets to the target.
    pub there: Vec<HopView>,
    /// Hops of packets to the asking host.
    pub back: Vec<HopView>,
    /// The ICMP error that came in the place of an answer.
    pub told: Option<Told>,
}

/// An ICMP error (RFC 792).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// Who sent it.
    pub from: IpAddr,
    /// Type.
    pub icmp_type: u8,
    /// Code.
    pub code: u8,
}

/// One hop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HopView {
    /// The node.
    pub node: String,
    /// Whose it is.
    pub owner: Owner,
    /// What it is.
    pub role: String,
    /// The table looked up.
    pub table: String,
    /// The interface of the route chosen.
    pub route_interface: Option<String>,
    /// The route in words.
    pub route: String,
    /// Somebody wrote the route; else the cloud's own or learned.
    pub is_user_route: bool,
    /// What became of the packet.
    pub verdict: HopVerdict,
}

/// What became of a packet at a hop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HopVerdict {
    /// Sent out of this interface.
    Forwarded(String),
    /// It was for this node.
    Delivered,
    /// Dropped, with more about it.
    Dropped(DropReason, String),
}
