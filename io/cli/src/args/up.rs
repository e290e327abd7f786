//! Arguments of `up`, `down` and the hidden `serve`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use skybridge_estate::Pace;
use skybridge_lab::Hosts;

use super::variables::VariableArgs;

/// Arguments of `up`.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Directories with Terraform files, lab files (`*.sky.hcl`), or both; they share one network.
    #[arg(required = true, value_name = "DIR")]
    pub(crate) directories: Vec<PathBuf>,
    /// Bring it up in a world of its own, check, print, and end.
    #[arg(long, conflicts_with = "detach")]
    pub(crate) once: bool,
    /// Leave the lab running in the background; `skybridge down` ends it.
    #[arg(long)]
    pub(crate) detach: bool,
    /// Bring it up even though findings say that it will not work.
    #[arg(long)]
    pub(crate) force: bool,
    /// Values of variables.
    #[command(flatten)]
    pub(crate) variables: VariableArgs,
    /// Check on live packets only; do not prove `survives` and `within`.
    #[arg(long)]
    pub(crate) no_simulation: bool,
    /// The new lab's pace and seed.
    #[command(flatten)]
    pub(crate) world: WorldArgs,
}

/// How a new lab is set up.
#[derive(Clone, Debug, Args)]
pub(crate) struct WorldArgs {
    /// How fast lifecycles run; protocol timers always run as negotiated.
    #[arg(long, value_enum, default_value_t = PaceArg::Compressed)]
    pub(crate) pace: PaceArg,
    /// What hosts are: inside the program, or network namespaces in which `skybridge exec` runs programs.
    #[arg(long, value_enum, default_value_t = HostsArg::Internal)]
    pub(crate) hosts: HostsArg,
    /// Carry as much as this machine can: bandwidths and the gateways' throughput set no ceiling.
    #[arg(long)]
    pub(crate) no_ceilings: bool,
    /// Make the world repeatable: jitter, loss, ids and service keys follow from this number.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

/// What hosts are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum HostsArg {
    /// Inside the program: no privilege, any system.
    Internal,
    /// Network namespaces of Linux, as root or in a user namespace.
    Netns,
}

impl HostsArg {
    /// As the lab calls it.
    pub(crate) const fn hosts(self) -> Hosts {
        match self {
            Self::Internal => Hosts::Internal,
            Self::Netns => Hosts::Namespaces,
        }
    }

    /// As the command line spells it.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Netns => "netns",
        }
    }
}

/// Lifecycle speeds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum PaceArg {
    /// A whole bring-up within 300 ms.
    Compressed,
    /// As long as the clouds take: minutes to an hour.
    Realistic,
}

impl PaceArg {
    /// As the estate calls it.
    pub(crate) const fn pace(self) -> Pace {
        match self {
            Self::Compressed => Pace::Compressed,
            Self::Realistic => Pace::Realistic,
        }
    }

    /// As the command line spells it.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Compressed => "compressed",
            Self::Realistic => "realistic",
        }
    }
}

/// Arguments of `down`.
#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    /// The directory whose resources to destroy; without one everything goes, and the lab ends.
    #[arg(value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Pace and seed.
    #[command(flatten)]
    pub(crate) world: WorldArgs,
}
