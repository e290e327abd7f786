//! Arguments of what acts on a running lab.

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;
use skybridge_lab::request::{CutMode, Provider, Request};

/// Arguments of `ping`.
#[derive(Debug, Args)]
pub(crate) struct PingArgs {
    /// Sending host, such as `azurerm_linux_virtual_machine.app`.
    from: String,
    /// Answering host, or an IP address.
    to: String,
    /// How many requests.
    #[arg(short, long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    count: u16,
    /// Octets of data; with 28 octets of headers 1372 make a packet of 1400.
    #[arg(short, long, default_value_t = 56)]
    size: u16,
    /// Forbid fragmentation.
    #[arg(long, visible_alias = "df")]
    dont_fragment: bool,
    /// Milliseconds between requests.
    #[arg(short, long, default_value_t = 200, value_name = "MS")]
    interval: u64,
}

impl From<PingArgs> for Request {
    fn from(args: PingArgs) -> Self {
        Self::Ping {
            from: args.from,
            to: args.to,
            count: args.count,
            size: args.size,
            dont_fragment: args.dont_fragment,
            interval_ms: args.interval,
        }
    }
}

/// Arguments of `trace`.
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// Sending host.
    from: String,
    /// Target host, or an IP address.
    to: String,
    /// Trace a TCP connection to this port; an echo request without.
    #[arg(long, value_name = "PORT")]
    tcp: Option<u16>,
}

impl From<TraceArgs> for Request {
    fn from(args: TraceArgs) -> Self {
        Self::Trace {
            from: args.from,
            to: args.to,
            tcp: args.tcp,
        }
    }
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A prefix or an address.
    prefix: String,
    /// The router or host to ask.
    #[arg(long, value_name = "ROUTER")]
    at: String,
}

impl From<ExplainArgs> for Request {
    fn from(args: ExplainArgs) -> Self {
        Self::Explain {
            prefix: args.prefix,
            at: args.at,
        }
    }
}

/// Arguments of `failover`.
#[derive(Debug, Args)]
pub(crate) struct FailoverArgs {
    /// One host, such as `azurerm_linux_virtual_machine.app`.
    from: String,
    /// The other.
    to: String,
}

impl From<FailoverArgs> for Request {
    fn from(args: FailoverArgs) -> Self {
        Self::Failover {
            from: args.from,
            to: args.to,
        }
    }
}

/// Arguments of `diagnose`.
#[derive(Debug, Args)]
pub(crate) struct DiagnoseArgs {
    /// Asking host.
    from: String,
    /// Target host; behind routers of your own also an address, a site, its network or a router.
    to: String,
    /// Ask about a TCP connection to this port; about echo requests without.
    #[arg(long, value_name = "PORT")]
    tcp: Option<u16>,
}

impl From<DiagnoseArgs> for Request {
    fn from(args: DiagnoseArgs) -> Self {
        Self::Diagnose {
            from: args.from,
            to: args.to,
            tcp: args.tcp,
        }
    }
}

/// Arguments of `cut`.
#[derive(Debug, Args)]
pub(crate) struct CutArgs {
    /// A link, router, host, circuit or virtual circuit, `CIRCUIT/primary`, `CIRCUIT/secondary`, or a session
    /// by router and address as `show bgp` prints them.
    element: String,
    /// How it fails.
    #[arg(long, value_enum, default_value_t = CutModeArg::LinkDown)]
    mode: CutModeArg,
    /// The end that no longer hears the other.
    #[arg(long, value_name = "NODE", required_if_eq("mode", "one-way"))]
    towards: Option<String>,
}

/// How a thing fails.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum CutModeArg {
    /// Both ends see it at once.
    LinkDown,
    /// Frames vanish; only timers notice, as behind a carrier.
    Silent,
    /// Taken down on purpose: sessions are closed properly.
    Admin,
    /// Frames towards one end of a link vanish.
    OneWay,
    /// A BGP session is shut down by its operator.
    Session,
}

impl From<CutArgs> for Request {
    fn from(args: CutArgs) -> Self {
        Self::Cut {
            element: args.element,
            mode: match args.mode {
                CutModeArg::LinkDown => CutMode::LinkDown,
                CutModeArg::Silent => CutMode::Silent,
                CutModeArg::Admin => CutMode::Admin,
                CutModeArg::OneWay => CutMode::OneWay,
                CutModeArg::Session => CutMode::Session,
            },
            towards: args.towards,
        }
    }
}

/// Arguments of `heal`.
#[derive(Debug, Args)]
pub(crate) struct HealArgs {
    /// What to mend; everything without.
    element: Option<String>,
}

impl From<HealArgs> for Request {
    fn from(args: HealArgs) -> Self {
        Self::Heal {
            element: args.element,
        }
    }
}

/// The provider's side of circuits.
#[derive(Debug, Subcommand)]
pub(crate) enum ProviderCommand {
    /// Circuits as their providers see them.
    List,
    /// Provision a circuit. One of provider Oracle without a virtual circuit gets a stub of the OCI side.
    Provision {
        /// Service key or circuit name.
        key: String,
    },
    /// Take a circuit's provisioning back.
    Deprovision {
        /// Service key or circuit name.
        key: String,
    },
    /// Change how the provider behaves: `vlan=200` hands the circuit on with a wrong customer tag, `vlan=ok` mends
    /// it. Between a site and the cloud the carrier can go wrong on `KEY`, `KEY/primary` or `KEY/secondary`:
    /// `fault=` strip-tag, wrong-s-tag[=N], wrong-c-tag[=N], mtu=N, loss=PERCENT, silent, one-way=customer,
    /// one-way=cloud, or ok.
    Set {
        /// Service key or circuit name, with /primary or /secondary for one path.
        key: String,
        /// Setting; `NAME=VALUE` in one word is taken too.
        name: String,
        /// Value.
        value: Option<String>,
    },
}

impl TryFrom<ProviderCommand> for Provider {
    type Error = String;

    fn try_from(command: ProviderCommand) -> Result<Self, String> {
        Ok(match command {
            ProviderCommand::List => Self::List,
            ProviderCommand::Provision { key } => Self::Provision { key },
            ProviderCommand::Deprovision { key } => Self::Deprovision { key },
            ProviderCommand::Set {
                key,
                name,
                value: Some(value),
            } => Self::Set { key, name, value },
            ProviderCommand::Set {
                key,
                name,
                value: None,
            } => {
                let Some((name, value)) = name.split_once('=') else {
                    return Err(format!("`{name}` has no value; write `{name} VALUE`"));
                };
                Self::Set {
                    key,
                    name: name.to_owned(),
                    value: value.to_owned(),
                }
            }
        })
    }
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}
