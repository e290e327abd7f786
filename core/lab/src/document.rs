//! The documents that windows show: what `--output json` prints, field by field.
//!
//! Times are seconds since the lab began unless the name says otherwise. Names of states are the clouds'
//! own words. Every document is one JSON object.

mod capture;
mod failover;
mod forward;
mod plan;

use serde::{Deserialize, Serialize};

pub use capture::{CaptureEnd, CapturePortion, CaptureStart, Direction, FrameRow};
pub use failover::{FailoverCase, FailoverReport, FailoverRow};
pub use forward::ForwardRow;
pub use plan::{
    OutputRow, OutputsReport, PlanReport, PlanSummary, ResourceChange, StackPlan, ValueChange,
};
/// What `diagnose` answers.
pub use skybridge_diagnose::{Condition, Diagnosis, Finding, LayerRow, Mark};

/// Rows under one name.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Listing<T> {
    /// The rows.
    pub rows: Vec<T>,
}

/// A refused request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ErrorDocument {
    /// What is wrong, and what would be right.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The diagnostics behind it, when there are any.
    pub diagnostics: Vec<Diagnostic>,
}

/// The way into a host's network namespace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entrance {
    /// The host.
    pub host: String,
    /// The names of all hosts, as `/etc/hosts` has them.
    pub etc_hosts: String,
    /// The process that holds the namespace.
    pub pid: u32,
    /// The number of its descriptor there.
    pub descriptor: i32,
}

/// Progress of a resource or a check.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// Seconds since the request, in milliseconds.
    pub at_ms: u64,
    /// What it is about: an address, a session, a check.
    pub subject: String,
    /// What happens: `creating`, `created`, `changing`, `changed`, `deleting`, `deleted`, `reading`,
    /// `provisioning`, `session established`, `checking`, `failed`.
    pub what: String,
    /// More, such as the service key or the state.
    pub detail: String,
}

/// True, false, or nobody knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It does not hold.
    Fails,
    /// Something not modelled or not known decides.
    Unknown,
}

impl Serialize for Verdict {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Holds => serializer.serialize_bool(true),
            Self::Fails => serializer.serialize_bool(false),
            Self::Unknown => serializer.serialize_str("unknown"),
        }
    }
}

impl<'de> Deserialize<'de> for Verdict {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Bool(bool),
            Word(String),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Bool(true) => Ok(Self::Holds),
            Raw::Bool(false) => Ok(Self::Fails),
            Raw::Word(word) if word == "unknown" => Ok(Self::Unknown),
            Raw::Word(word) => Err(serde::de::Error::invalid_value(
                serde::de::Unexpected::Str(&word),
                &"true, false or \"unknown\"",
            )),
        }
    }
}

/// How an expectation was checked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// On live packets of the running world.
    Live,
    /// On a replayed twin in virtual time.
    Simulated,
}

/// The report of an `up`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// One row per expectation and mode.
    pub expectations: Vec<ExpectationRow>,
    /// Every ordered pair of hosts in different networks.
    pub reachability: Vec<ReachabilityRow>,
    /// Sessions that the clouds' APIs show.
    pub sessions: Vec<SessionRow>,
    /// Circuits.
    pub circuits: Vec<CircuitRow>,
    /// Ports of this machine that lead into the network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forwards: Vec<ForwardRow>,
    /// Resource types that are not network, once per type.
    pub ignored: Vec<IgnoredRow>,
    /// Network resources and features that are not modelled.
    pub not_modelled: Vec<NotModelledRow>,
    /// What the verdicts rest on that is only assumed.
    pub assumed: Vec<AssumedRow>,
    /// Errors, warnings, advice and notices.
    pub diagnostics: Vec<Diagnostic>,
    /// What was done.
    pub summary: Summary,
}

/// What an `up` did.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Resources created.
    pub created: u32,
    /// Resources changed.
    pub changed: u32,
    /// Resources deleted.
    pub deleted: u32,
    /// Resources that are there.
    pub resources: u32,
    /// Milliseconds from the request until the network was up.
    pub network_up_ms: u64,
    /// Milliseconds until every live check was decided.
    pub checked_ms: u64,
    /// Milliseconds spent on simulations, in real time.
    pub simulated_ms: u64,
    /// How often the world's clock slipped because the machine was busy; a figure taken meanwhile is void.
    pub clock_slips: u64,
    /// By how many milliseconds in all.
    #[serde(default)]
    pub clock_slipped_ms: u64,
    /// Text outputs of the stacks: name and value, sensitive ones as `(sensitive)`.
    pub outputs: Vec<(String, String)>,
}

/// An expectation, checked one way.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ExpectationRow {
    /// Its name.
    pub name: String,
    /// How it was checked.
    pub mode: Mode,
    /// The verdict.
    pub holds: Verdict,
    /// Why, in a sentence; each failure with what was cut, the loss, and the timer that decided.
    pub detail: String,
}

/// Whether one host reaches another.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ReachabilityRow {
    /// Sending host.
    pub from: String,
    /// Answering host.
    pub to: String,
    /// The verdict of an echo request and its reply.
    pub ok: Verdict,
    /// Round-trip time in microseconds.
    pub rtt_us: Option<u64>,
    /// What the time is (`emulator overhead` when no delay was declared), or what dropped the packet.
    pub note: String,
}

/// One end of a BGP session.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SessionRow {
    /// Router and address of this end.
    pub local: String,
    /// Address of the other end.
    pub remote: String,
    /// The AS numbers, this end and the other.
    pub asn: (u32, u32),
    /// The peering.
    pub peering: String,
    /// `primary`, `secondary`, or empty.
    pub path: String,
    /// State in RFC 4271's words.
    pub state: String,
    /// Seconds in Established; absent when not.
    pub uptime: Option<f64>,
    /// Prefixes received.
    pub prefixes_received: u32,
    /// Prefixes sent.
    pub prefixes_sent: u32,
    /// `up`, `down`, or `off` when this end does not run it.
    pub bfd: String,
    /// Negotiated hold time, seconds.
    pub hold_time_s: Option<u16>,
    /// Why it last went down.
    pub last_reset: Option<String>,
}

/// A circuit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CircuitRow {
    /// Name.
    pub name: String,
    /// Address in the front door.
    pub address: String,
    /// Provider.
    pub provider: String,
    /// Peering location.
    pub location: String,
    /// Mbit/s.
    pub bandwidth_mbps: u32,
    /// Tier and family.
    pub sku: String,
    /// Service key.
    pub service_key: String,
    /// `circuitProvisioningState`.
    pub circuit_state: String,
    /// `serviceProviderProvisioningState`.
    pub provider_state: String,
}

/// A peering.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PeeringRow {
    /// Circuit.
    pub circuit: String,
    /// `AzurePrivatePeering` …
    pub peering: String,
    /// `Enabled` or `Disabled`.
    pub state: String,
    /// Peer AS number.
    pub peer_asn: u32,
    /// C-tag.
    pub vlan: u16,
    /// S-tag.
    pub s_tag: u16,
    /// Primary network.
    pub primary: String,
    /// Secondary network.
    pub secondary: String,
    /// Whether a shared key is set.
    pub md5: bool,
    /// BGP states: primary, secondary.
    pub sessions: Vec<String>,
}

/// A FastConnect virtual circuit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VirtualCircuitRow {
    /// Name.
    pub name: String,
    /// Address in the front door.
    pub address: String,
    /// `lifecycleState`.
    pub lifecycle_state: String,
    /// `providerState`.
    pub provider_state: String,
    /// `bgpSessionState` per mapping.
    pub bgp_session_states: Vec<String>,
    /// Bandwidth shape.
    pub bandwidth: String,
    /// DRG.
    pub drg: String,
    /// Per mapping: Oracle's address, the customer's address.
    pub mappings: Vec<(String, String)>,
    /// BFD enabled.
    pub bfd: bool,
    /// IP MTU.
    pub mtu: u16,
}

/// A virtual network gateway.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GatewayRow {
    /// Name.
    pub name: String,
    /// SKU.
    pub sku: String,
    /// AS number.
    pub asn: u32,
    /// Virtual network.
    pub network: String,
    /// Provisioning state.
    pub state: String,
    /// Instances: node and address.
    pub instances: Vec<(String, String)>,
    /// Learned routes.
    pub learned: Vec<LearnedRoute>,
    /// Advertised prefixes.
    pub advertised: Vec<String>,
}

/// A learned route in the columns of `az network vnet-gateway list-learned-routes`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LearnedRoute {
    /// Prefix.
    pub network: String,
    /// Next hop.
    pub next_hop: String,
    /// AS path, `-` between numbers.
    pub as_path: String,
    /// Weight.
    pub weight: u32,
}

/// A DRG.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DrgRow {
    /// Name.
    pub name: String,
    /// Attachments: name, type, network, route table.
    pub attachments: Vec<(String, String, String, String)>,
    /// Route tables.
    pub tables: Vec<DrgTableRow>,
}

/// A DRG route table with its routes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DrgTableRow {
    /// Name.
    pub name: String,
    /// Routes: prefix, next hop attachment or address, source (`STATIC`, `VCN`, `VIRTUAL_CIRCUIT`), status (`active`, `conflict`).
    pub routes: Vec<(String, String, String, String)>,
}

/// ARP of one path, in the columns of `az network express-route list-arp-tables`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ArpTable {
    /// Circuit.
    pub circuit: String,
    /// `primary` or `secondary`.
    pub path: String,
    /// Rows.
    pub entries: Vec<ArpRow>,
}

/// One ARP row.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ArpRow {
    /// Minutes.
    pub age: u64,
    /// `On-Prem` or `Microsoft`.
    pub interface_property: String,
    /// Address.
    pub ip_address: String,
    /// MAC in Cisco's notation, or `Incomplete`.
    pub mac_address: String,
}

/// Routes of one path, in the columns of `az network express-route list-route-tables`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RouteTable {
    /// Circuit.
    pub circuit: String,
    /// `primary` or `secondary`.
    pub path: String,
    /// Rows.
    pub entries: Vec<RouteRow>,
}

/// One BGP route.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RouteRow {
    /// Prefix.
    pub network: String,
    /// Next hop.
    pub next_hop: String,
    /// LOCAL_PREF; blank when default.
    pub loc_prf: String,
    /// Weight.
    pub weight: u32,
    /// AS path.
    pub path: String,
    /// Used (`true`) or only known.
    pub best: bool,
    /// Why it is not used.
    pub lost_by: Option<String>,
}

/// Summary of one path, in the columns of `az network express-route list-route-tables-summary`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RouteSummaryTable {
    /// Circuit.
    pub circuit: String,
    /// `primary` or `secondary`.
    pub path: String,
    /// Rows.
    pub entries: Vec<RouteSummaryRow>,
}

/// One neighbour.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RouteSummaryRow {
    /// Address.
    pub neighbor: String,
    /// BGP version.
    pub v: u8,
    /// AS number.
    #[serde(rename = "as")]
    pub asn: u32,
    /// How long in this state.
    pub up_down: String,
    /// Prefixes received, or the state when not established.
    pub state_pfx_rcd: String,
}

/// A BFD session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BfdRow {
    /// Router.
    pub router: String,
    /// Own address.
    pub local: String,
    /// Other address.
    pub remote: String,
    /// Peering.
    pub peering: String,
    /// Path.
    pub path: String,
    /// `up` or `down`.
    pub state: String,
    /// Detection time in milliseconds.
    pub detection_ms: Option<u64>,
    /// Why it last went down.
    pub diagnostic: String,
}

/// Effective routes of a host's interface or of a subnet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EffectiveTable {
    /// Host, or `subnet NAME`.
    pub host: String,
    /// Rows.
    pub routes: Vec<EffectiveRoute>,
}

/// One effective route, in the columns of `az network nic show-effective-route-table`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EffectiveRoute {
    /// `Default`, `User`, `VirtualNetworkGateway`; in OCI `Local`, `Rule`, `Dynamic`.
    pub source: String,
    /// `Active` or `Invalid`.
    pub state: String,
    /// Prefix.
    pub address_prefix: String,
    /// `VnetLocal`, `Internet`, `None`, `VirtualNetworkGateway`, `VirtualAppliance`; in OCI the target.
    pub next_hop_type: String,
    /// Next hop address.
    pub next_hop_ip: String,
}

/// A link.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LinkRow {
    /// Name, as `cut` takes it.
    pub name: String,
    /// Ends: node and port.
    pub ends: (String, String),
    /// `up`, or how it is cut.
    pub state: String,
    /// Owner.
    pub owner: String,
    /// One-way delay in microseconds; absent when nobody declared one.
    pub delay_us: Option<u64>,
    /// Frames, both directions.
    pub frames: (u64, u64),
    /// Octets, both directions.
    pub octets: (u64, u64),
    /// Frames lost on it, both directions.
    pub lost: (u64, u64),
}

/// A counter that is not zero.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CounterRow {
    /// Node.
    pub node: String,
    /// Interface, or empty.
    pub interface: String,
    /// Counter, such as `drop filter-denied`.
    pub counter: String,
    /// Value.
    pub value: u64,
}

/// Echo results.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PingReport {
    /// Sending host.
    pub from: String,
    /// Target: host name or address.
    pub to: String,
    /// Target address.
    pub address: String,
    /// One per request.
    pub replies: Vec<PingReply>,
    /// Sent.
    pub sent: u32,
    /// Received.
    pub received: u32,
    /// How often the world's clock slipped meanwhile, because the machine was busy or suspended.
    #[serde(default)]
    pub clock_slips: u64,
    /// What the times are.
    pub note: String,
}

/// One echo result.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PingReply {
    /// Sequence number, from 1.
    pub sequence: u16,
    /// Microseconds; absent without a reply, and when void.
    pub rtt_us: Option<u64>,
    /// The world's clock slipped while it was under way: no time can be given.
    #[serde(default)]
    pub void: bool,
    /// TTL of the reply.
    pub ttl: Option<u8>,
    /// What happened instead, such as `no route at drg (table default)`.
    pub error: Option<String>,
}

/// The path of a packet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TraceReport {
    /// Sending host.
    pub from: String,
    /// Target.
    pub to: String,
    /// There.
    pub forward: Vec<HopRow>,
    /// Back; empty when the packet did not arrive.
    pub back: Vec<HopRow>,
    /// `delivered both ways`, or what stopped it where.
    pub outcome: String,
    /// True when the answer came back.
    pub ok: bool,
    /// Something unknown could have changed it.
    pub unknown: bool,
}

/// One hop.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HopRow {
    /// Node.
    pub node: String,
    /// What it is, such as `MSEE`.
    pub role: String,
    /// Not shown by a traceroute in the real cloud.
    pub hidden: bool,
    /// Interface it entered by.
    pub ingress: String,
    /// Tags it entered with, such as `S 100 C 200`.
    pub tags: String,
    /// Table looked up.
    pub vrf: String,
    /// Chosen route, such as `10.1.0.0/16 via 10.0.0.4 (bgp)`.
    pub route: String,
    /// TTL on entry.
    pub ttl: u8,
    /// `forwarded to IF`, with the rule of a firewall that allows it, `delivered`, or `dropped: …`.
    pub verdict: String,
}

/// Why a router does what it does with a prefix.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Explanation {
    /// What was asked.
    pub prefix: String,
    /// Where.
    pub at: String,
    /// Per table, every candidate with its fate.
    pub tables: Vec<ExplainedTable>,
    /// The answer in sentences.
    pub summary: Vec<String>,
}

/// One table's candidates.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExplainedTable {
    /// The table.
    pub table: String,
    /// Candidates, the one in use first.
    pub candidates: Vec<Candidate>,
}

/// A candidate route.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Candidate {
    /// Prefix.
    pub prefix: String,
    /// Next hop.
    pub next_hop: String,
    /// `system`, `user`, `connected` or `bgp from PEER`.
    pub source: String,
    /// In use.
    pub used: bool,
    /// Why used, lost or refused.
    pub reason: String,
}

/// What was cut or healed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FaultReport {
    /// The elements touched.
    pub elements: Vec<String>,
    /// What happened to them.
    pub what: String,
    /// Everything that is cut at present.
    pub cut: Vec<String>,
}

/// A circuit as its provider sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProviderRow {
    /// Service key.
    pub service_key: String,
    /// Circuit.
    pub circuit: String,
    /// Provider.
    pub provider: String,
    /// Location.
    pub location: String,
    /// Mbit/s.
    pub bandwidth_mbps: u32,
    /// Provider state.
    pub state: String,
    /// `automatic`, `manual`, `never`.
    pub mode: String,
    /// S-tag handed out.
    pub s_tag: u16,
    /// What carries its paths to a site.
    pub paths: Vec<ProviderPathRow>,
}

/// Configurations of a site's edge routers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CeConfigs {
    /// One for each router.
    pub configs: Vec<CeConfig>,
}

/// The configuration of one customer edge router.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CeConfig {
    /// The site.
    pub site: String,
    /// The router.
    pub router: String,
    /// `frr`, `bird`, `ios-xe`, `junos`.
    pub format: String,
    /// The configuration; its first lines are comments.
    pub text: String,
    /// What must be known to use it; also in the comments.
    pub notes: Vec<String>,
}

/// A path of a circuit through a carrier.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProviderPathRow {
    /// `primary` or `secondary`.
    pub path: String,
    /// The carrier.
    pub carrier: String,
    /// Its switch.
    pub switch: String,
    /// The cross-connect on the switch.
    pub cross_connect: String,
    /// What the carrier does wrong, as `provider set` takes it; empty when nothing.
    pub faults: Vec<String>,
}

/// A type that is not network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IgnoredRow {
    /// Type.
    #[serde(rename = "type")]
    pub kind: String,
    /// How many.
    pub count: u32,
    /// First place.
    pub file: String,
    /// Line.
    pub line: u32,
}

/// Something not modelled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NotModelledRow {
    /// Address or name.
    pub resource: String,
    /// What is not modelled.
    pub what: String,
    /// File, when known.
    pub file: Option<String>,
    /// Line.
    pub line: Option<u32>,
}

/// Something assumed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AssumedRow {
    /// Name of the behaviour, or what was made up.
    pub name: String,
    /// Its value with unit.
    pub value: String,
    /// Where it comes from.
    pub source: String,
}

/// A diagnostic.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Diagnostic {
    /// `error`, `rejected by Azure`, `rejected by OCI`, `will not work`, `warning`, `advice`, `notice`.
    pub level: String,
    /// What is wrong.
    pub message: String,
    /// File.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
    /// First octet and one past the last, for excerpts.
    pub span: Option<(u32, u32)>,
    /// The rule.
    pub rule: Option<String>,
    /// What to do.
    pub help: Option<String>,
    /// How sure the rule is.
    pub grade: Option<String>,
    /// Where the rule is written.
    pub source: Option<String>,
}
