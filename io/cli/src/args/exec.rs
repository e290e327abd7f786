//! Arguments of `exec`.

use std::ffi::OsString;

use clap::Args;

/// Arguments of `exec`.
#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// The host, such as `azurerm_linux_virtual_machine.app`.
    pub(crate) host: String,
    /// The program and its arguments, behind `--`; a shell without.
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}
