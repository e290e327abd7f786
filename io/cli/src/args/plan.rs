//! Arguments of `plan` and `output`.

use std::path::PathBuf;

use clap::Args;

use super::variables::VariableArgs;

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Directories with Terraform files; or plans and states as `terraform show -json` prints them.
    #[arg(required = true, value_name = "DIR|JSON")]
    pub(crate) directories: Vec<PathBuf>,
    /// Values of variables.
    #[command(flatten)]
    pub(crate) variables: VariableArgs,
}

/// Arguments of `output`.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// The directory of a stack that is up.
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// One output only: its text as it is, anything else as JSON.
    pub(crate) name: Option<String>,
}
