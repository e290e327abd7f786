//! Tables, and the requests behind them.

use clap::{Subcommand, ValueEnum};
use skybridge_lab::request::{CeFormat, Show};

/// One of the tables.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ShowCommand {
    /// ExpressRoute circuits with their provider status.
    Circuits,
    /// Peerings of circuits.
    Peerings,
    /// FastConnect virtual circuits.
    VirtualCircuits,
    /// Virtual network gateways with what they learned and advertise.
    Gateways,
    /// DRGs: attachments, route tables, routes.
    Drg,
    /// ARP of the private peering, as `az network express-route list-arp-tables` prints it.
    Arp {
        /// Circuit; all without.
        circuit: Option<String>,
    },
    /// Route table of the private peering, as `az network express-route list-route-tables` prints it.
    Routes {
        /// Circuit; all without.
        circuit: Option<String>,
    },
    /// Route table summary, as `az network express-route list-route-tables-summary` prints it.
    RouteSummary {
        /// Circuit; all without.
        circuit: Option<String>,
    },
    /// BGP sessions.
    Bgp {
        /// Also those inside the clouds that no API shows.
        #[arg(long)]
        all: bool,
    },
    /// BFD sessions.
    Bfd,
    /// Effective routes of a host's interface or a subnet.
    EffectiveRoutes {
        /// Host; all without.
        host: Option<String>,
    },
    /// Configurations of a site's edge routers, ready for the device.
    CeConfig {
        /// Site of the lab file.
        site: String,
        /// Router; all without.
        router: Option<String>,
        /// Whose language.
        #[arg(long, value_enum)]
        format: FormatArg,
        /// Print the shared key instead of a placeholder.
        #[arg(long)]
        show_secrets: bool,
    },
    /// Links with state and counters; their names are what `cut` takes.
    Links,
    /// Ports of this machine that lead into the network.
    Forwards,
    /// Counters that are not zero.
    Counters {
        /// Router or host; all without.
        node: Option<String>,
    },
}

impl From<ShowCommand> for Show {
    fn from(command: ShowCommand) -> Self {
        match command {
            ShowCommand::Circuits => Self::Circuits,
            ShowCommand::Peerings => Self::Peerings,
            ShowCommand::VirtualCircuits => Self::VirtualCircuits,
            ShowCommand::Gateways => Self::Gateways,
            ShowCommand::Drg => Self::Drg,
            ShowCommand::Arp { circuit } => Self::Arp { circuit },
            ShowCommand::Routes { circuit } => Self::Routes { circuit },
            ShowCommand::RouteSummary { circuit } => Self::RouteSummary { circuit },
            ShowCommand::Bgp { all } => Self::Bgp { all },
            ShowCommand::Bfd => Self::Bfd,
            ShowCommand::EffectiveRoutes { host } => Self::EffectiveRoutes { host },
            ShowCommand::CeConfig {
                site,
                router,
                format,
                show_secrets,
            } => Self::CeConfig {
                site,
                router,
                format: format.into(),
                show_secrets,
            },
            ShowCommand::Links => Self::Links,
            ShowCommand::Forwards => Self::Forwards,
            ShowCommand::Counters { node } => Self::Counters { node },
        }
    }
}

/// Whose language a configuration is in.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FormatArg {
    /// FRR.
    Frr,
    /// BIRD 2.
    Bird,
    /// Cisco IOS XE.
    IosXe,
    /// Junos.
    Junos,
}

impl From<FormatArg> for CeFormat {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Frr => Self::Frr,
            FormatArg::Bird => Self::Bird,
            FormatArg::IosXe => Self::IosXe,
            FormatArg::Junos => Self::Junos,
        }
    }
}
