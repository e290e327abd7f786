//! The command line as data: help, parsing and completions follow from it.

mod act;
mod capture;
mod exec;
mod forward;
mod plan;
mod show;
mod up;
mod variables;

use clap::{Parser, Subcommand, ValueEnum};

pub(crate) use act::{
    CompletionsArgs, CutArgs, DiagnoseArgs, ExplainArgs, FailoverArgs, HealArgs, PingArgs,
    ProviderCommand, TraceArgs,
};
pub(crate) use capture::CaptureArgs;
pub(crate) use exec::ExecArgs;
pub(crate) use forward::{ForwardArgs, SocksArgs, request as forward_request};
pub(crate) use plan::{OutputArgs, PlanArgs};
pub(crate) use show::ShowCommand;
pub(crate) use up::{DownArgs, HostsArg, ServeArgs, UpArgs, WorldArgs};
pub(crate) use variables::{VariableArg, VariableArgs};

/// Private interconnects between clouds, as software anyone can run.
///
/// Point it at a Terraform directory: circuits, peerings, gateways and hosts become a live network on this
/// machine, with BGP sessions and packets that really flow.
#[derive(Debug, Parser)]
#[command(name = "skybridge", version, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 everything holds, 1 something does not, 2 bad input, \
    3 unknown or nothing was checked."
)]
pub(crate) struct Cli {
    /// What to print: tables for people, or the document as one JSON object.
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    /// Which lab: a name, or the path of its control socket.
    #[arg(
        long,
        global = true,
        default_value = "default",
        value_name = "NAME|SOCKET"
    )]
    pub(crate) lab: String,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How to print.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Output {
    /// Tables.
    Text,
    /// One JSON object.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring directories up as a live network, or apply their changes to a running one.
    Up(UpArgs),
    /// Say what `up` of directories would do: create, update, replace, destroy.
    Plan(PlanArgs),
    /// Print the outputs of a directory that is up.
    Output(OutputArgs),
    /// Destroy a directory's resources, or everything and the lab with it.
    Down(DownArgs),
    /// Everything at a glance: checks, sessions, circuits, findings.
    Status,
    /// One of the tables.
    #[command(subcommand)]
    Show(ShowCommand),
    /// Send echo requests from a host.
    Ping(PingArgs),
    /// Follow a packet hop by hop, there and back, with the hops that a real cloud hides.
    Trace(TraceArgs),
    /// Say why a router sends a prefix where it sends it.
    Explain(ExplainArgs),
    /// Say how long traffic between two hosts is lost, by what fails and how; on a twin.
    Failover(FailoverArgs),
    /// Name the broken layer between two hosts, its owner, the evidence and what mends it.
    Diagnose(DiagnoseArgs),
    /// Break a link, router, host, circuit or BGP session.
    Cut(CutArgs),
    /// Mend one thing, or everything.
    Heal(HealArgs),
    /// Show frames as they pass, or write them for tshark and Wireshark.
    Capture(CaptureArgs),
    /// Lead a port of this machine to a host in the network.
    Forward(ForwardArgs),
    /// Lead a SOCKS 5 port of this machine into the network, to wherever its clients want.
    Socks(SocksArgs),
    /// Act as the connectivity provider.
    #[command(subcommand)]
    Provider(ProviderCommand),
    /// Run a program in the network namespace of a host.
    Exec(ExecArgs),
    /// Take away what labs that were killed have left: sockets, and programs in their namespaces.
    Clean,
    /// Print the completion script of a shell.
    Completions(CompletionsArgs),
    /// Run an empty lab in the background, for `up --detach`.
    #[command(hide = true)]
    Serve(ServeArgs),
}

/// Terraform's users write `-var` and `-var-file` with one dash; clap takes two.
pub(crate) fn with_two_dashes(args: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut over = false;
    args.into_iter()
        .map(|arg| {
            over |= arg == "--";
            let name = arg.split('=').next().unwrap_or_default();
            if !over && matches!(name, "-var" | "-var-file") {
                format!("-{arg}")
            } else {
                arg
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &[&str]) -> Result<Cli, clap::Error> {
        let args = std::iter::once("skybridge").chain(line.iter().copied());
        Cli::try_parse_from(with_two_dashes(args.map(str::to_owned)))
    }

    fn up(line: &[&str]) -> UpArgs {
        match parse(line).unwrap().command {
            Command::Up(args) => args,
            Command::Down(_)
            | Command::Plan(_)
            | Command::Output(_)
            | Command::Status
            | Command::Show(_)
            | Command::Ping(_)
            | Command::Trace(_)
            | Command::Explain(_)
            | Command::Failover(_)
            | Command::Diagnose(_)
            | Command::Cut(_)
            | Command::Heal(_)
            | Command::Provider(_)
            | Command::Capture(_)
            | Command::Exec(_)
            | Command::Clean
            | Command::Forward(_)
            | Command::Socks(_)
            | Command::Completions(_)
            | Command::Serve(_) => panic!("not up: {line:?}"),
        }
    }

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn variables_are_taken_in_order_with_one_dash_and_with_two() {
        let args = up(&[
            "up",
            "dir",
            "-var",
            "a=1",
            "-var-file",
            "f.tfvars",
            "-var=b=x=y",
            "--var-file=g.tfvars",
            "--var",
            "c=3",
        ]);
        let value = |text: &str| VariableArg::Value(text.to_owned());
        let file = |path: &str| VariableArg::File(path.into());
        assert_eq!(
            args.variables.0,
            [
                value("a=1"),
                file("f.tfvars"),
                value("b=x=y"),
                file("g.tfvars"),
                value("c=3"),
            ]
        );
        assert_eq!(args.directories.len(), 1);
    }

    #[test]
    fn after_two_dashes_nothing_is_rewritten() {
        let args = with_two_dashes(["--", "-var"].map(str::to_owned));
        assert_eq!(args, ["--", "-var"]);
    }

    #[test]
    fn a_value_may_begin_with_a_dash() {
        let given = up(&["up", "d", "-var", "-x=1"]).variables.0;
        assert_eq!(given, [VariableArg::Value("-x=1".to_owned())]);
    }

    #[test]
    fn a_forward_has_a_target_or_is_taken_away() {
        use skybridge_lab::request::{ForwardOrder, ForwardTo};
        let order = |line: &[&str]| {
            let Command::Forward(args) = parse(line).unwrap().command else {
                panic!("{line:?}");
            };
            ForwardOrder::try_from(args)
        };
        let opened = order(&["forward", "oci_core_instance.db[0]:5432", "--from", "app"]);
        let to = ForwardTo::Port {
            host: "oci_core_instance.db[0]".to_owned(),
            port: 5432,
        };
        assert_eq!(
            opened,
            Ok(ForwardOrder::Open {
                listen: "0".to_owned(),
                from: Some("app".to_owned()),
                to,
                detached: false,
                anywhere: false,
            })
        );
        for bad in ["db", "db:", ":1", "db:0", "db:70000"] {
            assert!(order(&["forward", bad]).is_err(), "{bad}");
        }
        let name = "x".to_owned();
        assert_eq!(
            order(&["forward", "--remove", "x"]),
            Ok(ForwardOrder::Remove { name })
        );
        assert!(parse(&["forward"]).is_err());
        assert!(parse(&["forward", "db:1", "--remove", "x"]).is_err());
        assert!(parse(&["socks"]).is_err(), "a host is named");
    }

    #[test]
    fn global_flags_stand_before_or_behind_the_command() {
        for line in [
            &["--output", "json", "--lab", "b", "status"][..],
            &["status", "--output", "json", "--lab", "b"][..],
        ] {
            let cli = parse(line).unwrap();
            assert_eq!((cli.output, cli.lab.as_str()), (Output::Json, "b"));
        }
    }

    #[test]
    fn once_and_detach_exclude_each_other_and_up_needs_a_directory() {
        assert!(parse(&["up", "d", "--once", "--detach"]).is_err());
        assert!(parse(&["up"]).is_err());
        assert!(parse(&["show", "nonsense"]).is_err());
    }
}
