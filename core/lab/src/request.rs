//! What can be asked of a running lab, and the answers. This is the control socket's language: one JSON
//! document a line, each request answered by one response, long ones preceded by progress.

use serde::{Deserialize, Serialize};

use crate::document as doc;

/// The name under which [`StackSource::files`] holds a plan or a state in JSON, alone.
pub use skybridge_terraform::DOCUMENT_FILE;

/// A question or an order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// The report of the last `up`: everything at a glance.
    Status,
    /// One of the tables.
    Show(Show),
    /// Echo requests between two hosts or to an address.
    Ping {
        /// Host name or address in the front door's terms (`azurerm_linux_virtual_machine.app`).
        from: String,
        /// Host name, its address in the front door's terms, or an IP address.
        to: String,
        /// How many.
        count: u16,
        /// Octets of data.
        size: u16,
        /// Set DF.
        dont_fragment: bool,
        /// Milliseconds between requests.
        interval_ms: u64,
    },
    /// The path of a packet, hop by hop, both directions.
    Trace {
        /// As in `Ping`.
        from: String,
        /// As in `Ping`.
        to: String,
        /// A TCP port; ICMP echo without.
        tcp: Option<u16>,
    },
    /// Why a router sends what it sends for a prefix or address where it sends it.
    Explain {
        /// A prefix or an address.
        prefix: String,
        /// A router or host.
        at: String,
    },
    /// What each single failure would cost two hosts, on a twin.
    Failover {
        /// As in `Ping`.
        from: String,
        /// A host, as in `Ping`.
        to: String,
    },
    /// Which layer between two hosts is broken, whose it is and what mends it. Takes some seconds of probes.
    Diagnose {
        /// As in `Ping`.
        from: String,
        /// A host, as in `Ping`.
        to: String,
        /// A TCP port; echo requests without.
        tcp: Option<u16>,
    },
    /// Break something.
    Cut {
        /// A link, router, host, `CIRCUIT/primary`, `CIRCUIT/secondary`, circuit, or session (router and
        /// address, as `show bgp` prints them).
        element: String,
        /// How.
        mode: CutMode,
        /// The node that no longer hears the other; with `one-way` only.
        #[serde(default)]
        towards: Option<String>,
    },
    /// Mend one thing, or everything.
    Heal {
        /// As in `Cut`; absent: everything.
        element: Option<String>,
    },
    /// The connectivity provider's side of circuits.
    Provider(Provider),
    /// Frames as they pass, until the count or the time is reached or the client goes.
    Capture {
        /// A link, `NODE/PORT`, a host, `CIRCUIT/primary` or `CIRCUIT/secondary`.
        point: String,
        /// End after so many frames.
        count: Option<u64>,
        /// End after so many milliseconds.
        duration_ms: Option<u64>,
    },
    /// Where the network namespace of a host is.
    Enter {
        /// As in `Ping`.
        host: String,
    },
    /// Ports of this machine that lead into the network.
    Forward(ForwardOrder),
    /// Read the stacks again and apply the difference.
    Up(UpRequest),
    /// Say what `Up` of the same stacks would do.
    Plan(UpRequest),
    /// The outputs of a stack.
    Outputs {
        /// Absolute directory.
        directory: String,
    },
    /// Destroy a stack, or all of them.
    Down {
        /// Absolute directory; absent: all.
        directory: Option<String>,
    },
    /// End the process that runs the lab, after `Down`.
    Stop,
}

/// Tables.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "table", rename_all = "kebab-case")]
pub enum Show {
    /// Circuits with provider status.
    Circuits,
    /// Peerings of circuits.
    Peerings,
    /// FastConnect virtual circuits.
    VirtualCircuits,
    /// Virtual network gateways with what they learned and advertise.
    Gateways,
    /// DRGs: attachments, route tables, routes.
    Drg,
    /// ARP of the private peering as the cloud prints it.
    Arp {
        /// Circuit name; absent: all.
        circuit: Option<String>,
    },
    /// Route table of the private peering as the cloud prints it.
    Routes {
        /// Circuit name; absent: all.
        circuit: Option<String>,
    },
    /// Route table summary of the private peering.
    RouteSummary {
        /// Circuit name; absent: all.
        circuit: Option<String>,
    },
    /// Every BGP session.
    Bgp {
        /// Also those inside the clouds that no API shows.
        all: bool,
    },
    /// Every BFD session.
    Bfd,
    /// What a host's interface or a subnet uses.
    EffectiveRoutes {
        /// Host; absent: all.
        host: Option<String>,
    },
    /// Configurations of a site's edge routers.
    CeConfig {
        /// The site.
        site: String,
        /// One router; absent: all.
        router: Option<String>,
        /// Whose language.
        format: CeFormat,
        /// Print keys instead of a placeholder.
        #[serde(default)]
        show_secrets: bool,
    },
    /// Links with state and counters.
    Links,
    /// Ports of this machine that lead into the network.
    Forwards,
    /// Drop counters and interface counters of every node.
    Counters {
        /// Node; absent: all.
        node: Option<String>,
    },
}

/// Whose language a configuration is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CeFormat {
    /// FRR.
    Frr,
    /// BIRD 2.
    Bird,
    /// Cisco IOS XE.
    IosXe,
    /// Junos.
    Junos,
}

impl CeFormat {
    /// As the command line spells it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Frr => "frr",
            Self::Bird => "bird",
            Self::IosXe => "ios-xe",
            Self::Junos => "junos",
        }
    }
}

/// How a thing breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CutMode {
    /// Seen at once by both ends.
    LinkDown,
    /// Frames vanish; only timers notice.
    Silent,
    /// Taken down on purpose: sessions are closed properly.
    Admin,
    /// Frames towards one end vanish.
    OneWay,
    /// A BGP session is shut down by its operator.
    Session,
}

impl CutMode {
    /// As the command line spells it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::LinkDown => "link-down",
            Self::Silent => "silent",
            Self::Admin => "admin",
            Self::OneWay => "one-way",
            Self::Session => "session",
        }
    }
}

/// What the provider does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "provider", rename_all = "kebab-case")]
pub enum Provider {
    /// Circuits as their providers see them.
    List,
    /// Provision by service key (or circuit name). For a circuit of provider Oracle without a virtual
    /// circuit: makes a stub of the OCI side, printed as assumed.
    Provision {
        /// Service key or circuit name.
        key: String,
    },
    /// Take it down.
    Deprovision {
        /// Service key or circuit name.
        key: String,
    },
    /// Change how the provider behaves: `vlan=N` hands the circuit on with a wrong customer tag, `vlan=ok` mends it;
    /// `fault=F` makes the carrier between a site and the cloud go wrong, `fault=ok` mends it.
    Set {
        /// Service key or circuit name; with `/primary` or `/secondary` for one path.
        key: String,
        /// Setting: `vlan` or `fault`.
        name: String,
        /// Value.
        value: String,
    },
}

/// Opens and removes listeners whose clients are forwarded into the network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub enum ForwardOrder {
    /// Listen.
    Open {
        /// `ADDRESS:PORT`, or a port on 127.0.0.1; port 0 takes a free one.
        listen: String,
        /// The host whose connections they become; absent: one of another network than the target's.
        from: Option<String>,
        /// Where they go.
        to: ForwardTo,
        /// Answer at once, and keep it until it is removed; else it goes with the client.
        detached: bool,
        /// Listen on other addresses than loopback too.
        anywhere: bool,
    },
    /// Listen no more.
    Remove {
        /// Its name, or where it listens.
        name: String,
    },
}

/// Where forwarded connections go.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "kebab-case")]
pub enum ForwardTo {
    /// To one port.
    Port {
        /// Host name, its address in the front door's terms, or an IP address.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// Wherever the client says, by SOCKS 5.
    Socks,
}

impl ForwardTo {
    /// `HOST:PORT`, or `socks`.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Port { host, port } => format!("{host}:{port}"),
            Self::Socks => "socks".to_owned(),
        }
    }
}

/// Read directories and apply.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct UpRequest {
    /// The stacks, in order.
    pub stacks: Vec<StackSource>,
    /// Go on over findings of level "will not work".
    pub force: bool,
    /// Do not prove `survives`/`within`.
    pub skip_simulation: bool,
}

/// One directory's worth of input, read by the client: core reads no files.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct StackSource {
    /// Absolute directory: the stack's identity.
    pub directory: String,
    /// Text files by path relative to the directory, module directories included.
    pub files: std::collections::BTreeMap<String, String>,
    /// `-var` and `-var-file` in the order of the command line: of two values the later one wins.
    pub arguments: Vec<StackArgument>,
    /// `TF_VAR_*` of the client's environment.
    pub environment: std::collections::BTreeMap<String, String>,
}

/// One `-var` or `-var-file`, as a client read it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "argument", rename_all = "kebab-case")]
pub enum StackArgument {
    /// `-var NAME=VALUE`.
    Value {
        /// The variable.
        name: String,
        /// Its value as written.
        value: String,
    },
    /// `-var-file PATH`.
    File {
        /// The path as written.
        path: String,
        /// What is in it.
        text: String,
    },
}

/// An answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "response", rename_all = "kebab-case")]
pub enum Response {
    /// Something under way; more follows.
    Progress(doc::Progress),
    /// The report of an `up`, a `down` or of `status`.
    Report(Box<doc::Report>),
    /// What an `up` would do.
    Plan(Box<doc::PlanReport>),
    /// Outputs of a stack.
    Outputs(doc::OutputsReport),
    /// A table.
    Circuits(doc::Listing<doc::CircuitRow>),
    /// A table.
    Peerings(doc::Listing<doc::PeeringRow>),
    /// A table.
    VirtualCircuits(doc::Listing<doc::VirtualCircuitRow>),
    /// A table.
    Gateways(doc::Listing<doc::GatewayRow>),
    /// A table.
    Drg(doc::Listing<doc::DrgRow>),
    /// A table per path.
    Arp(doc::Listing<doc::ArpTable>),
    /// A table per path.
    Routes(doc::Listing<doc::RouteTable>),
    /// A table per path.
    RouteSummary(doc::Listing<doc::RouteSummaryTable>),
    /// A table.
    Bgp(doc::Listing<doc::SessionRow>),
    /// A table.
    Bfd(doc::Listing<doc::BfdRow>),
    /// A table per host or subnet.
    EffectiveRoutes(doc::Listing<doc::EffectiveTable>),
    /// Configurations.
    CeConfig(doc::CeConfigs),
    /// A table.
    Links(doc::Listing<doc::LinkRow>),
    /// A table.
    Counters(doc::Listing<doc::CounterRow>),
    /// Echo results.
    Ping(doc::PingReport),
    /// Hops.
    Trace(doc::TraceReport),
    /// An explanation.
    Explain(doc::Explanation),
    /// What failures cost.
    Failover(doc::FailoverReport),
    /// A verdict on a path.
    Diagnosis(Box<doc::Diagnosis>),
    /// What was cut or healed.
    Fault(doc::FaultReport),
    /// Circuits as providers see them.
    Provider(doc::Listing<doc::ProviderRow>),
    /// A table; of one row when a listener was opened.
    Forwards(doc::Listing<doc::ForwardRow>),
    /// A capture begins; portions follow.
    CaptureStart(doc::CaptureStart),
    /// Frames of a capture; more follows.
    CapturePortion(doc::CapturePortion),
    /// A capture has ended by itself.
    CaptureEnd(doc::CaptureEnd),
    /// The way into a namespace.
    Enter(doc::Entrance),
    /// Done; nothing to show.
    Done {
        /// In words.
        message: String,
    },
    /// Refused.
    Error(doc::ErrorDocument),
}
