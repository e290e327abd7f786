//! `-var` and `-var-file`, which keep the order in which they stand: of two values the later one wins.

use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

/// One of them, as written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum VariableArg {
    /// `-var NAME=VALUE`.
    Value(String),
    /// `-var-file FILE`.
    File(PathBuf),
}

/// All of them, in the order of the command line.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct VariableArgs(pub(crate) Vec<VariableArg>);

#[derive(Args)]
struct Separate {
    /// Set a variable; also `-var`, as in Terraform.
    #[arg(long = "var", value_name = "NAME=VALUE", allow_hyphen_values = true)]
    vars: Vec<String>,
    /// Read variables from a file; also `-var-file`. Of two values of a variable the later one wins.
    #[arg(long = "var-file", value_name = "FILE")]
    var_files: Vec<PathBuf>,
}

impl FromArgMatches for VariableArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let separate = Separate::from_arg_matches(matches)?;
        let indices = |id| matches.indices_of(id).into_iter().flatten();
        let values = separate.vars.into_iter().map(VariableArg::Value);
        let files = separate.var_files.into_iter().map(VariableArg::File);
        let mut all: Vec<(usize, VariableArg)> = indices("vars")
            .zip(values)
            .chain(indices("var_files").zip(files))
            .collect();
        all.sort_by_key(|(index, _)| *index);
        Ok(Self(
            all.into_iter().map(|(_, argument)| argument).collect(),
        ))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for VariableArgs {
    fn augment_args(command: Command) -> Command {
        Separate::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Separate::augment_args_for_update(command)
    }
}
