//! Reading a stack: everything that Terraform would read, as values for the lab, which reads no files.
//!
//! Configuration (`*.tf`, `*.tf.json`, `*.tofu`, `*.tofu.json`, `*.tfvars`, `*.tfvars.json`, `*.sky.hcl`, the module manifest) is
//! read from the whole directory, and from local module directories outside it that `source = "../…"`
//! names. Other text files are read only when the configuration calls a function that reads files.
//! Paths are relative to the directory with `.` and `..` resolved, as Terraform resolves them.

mod scan;
mod walk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use skybridge_lab::request::{DOCUMENT_FILE, StackArgument, StackSource};
use thiserror::Error;

use self::walk::Reader;
use crate::args::{VariableArg, VariableArgs};

/// Longest file that is read.
pub(crate) const FILE_LEN_MAX: u64 = 1 << 20;
/// All files of a stack together.
pub(crate) const STACK_LEN_MAX: u64 = 32 << 20;

/// Why a directory cannot be read.
#[derive(Debug, Error)]
pub(crate) enum SourceError {
    /// No directory.
    #[error("{0} is not a directory")]
    NotADirectory(PathBuf),
    /// Nothing in it.
    #[error("{0} has no Terraform files (*.tf, *.tf.json) and no lab files (*.sky.hcl)")]
    Empty(PathBuf),
    /// Too long.
    #[error("{0} is longer than {FILE_LEN_MAX} octets")]
    LongFile(PathBuf),
    /// Too much.
    #[error("the configuration below {0} is longer than {STACK_LEN_MAX} octets")]
    LongStack(PathBuf),
    /// A file in the place of a directory that is no JSON.
    #[error("{path} is no plan or state in JSON: {source}")]
    NotADocument {
        /// What was read.
        path: PathBuf,
        /// Where it stops being JSON.
        source: serde_json::Error,
    },
    /// Not UTF-8.
    #[error("{0} is not UTF-8 text")]
    NotText(PathBuf),
    /// The path has octets that are no UTF-8, which Terraform refuses too.
    #[error("the path {0:?} is not UTF-8 text")]
    Path(PathBuf),
    /// `-var` without `=`.
    #[error("-var {0:?} has no value; write -var 'NAME=VALUE'")]
    Variable(String),
    /// The system refused.
    #[error("cannot read {path}: {source}")]
    Io {
        /// What was read.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl SourceError {
    /// What to do about it.
    pub(crate) fn help(&self) -> Option<String> {
        match self {
            Self::NotADirectory(path) if path.is_relative() => {
                let from = std::env::current_dir().ok()?;
                Some(format!("{WANTED}; it was looked for in {}", from.display()))
            }
            Self::NotADirectory(_) | Self::Empty(_) => Some(WANTED.to_owned()),
            Self::NotADocument { .. } => {
                Some(format!("{WANTED}; `terraform show -json PLAN` writes one"))
            }
            Self::LongFile(_)
            | Self::LongStack(_)
            | Self::NotText(_)
            | Self::Path(_)
            | Self::Variable(_)
            | Self::Io { .. } => None,
        }
    }
}

/// What can be named.
const WANTED: &str = "name a directory with *.tf or *.sky.hcl files, or a plan or state in JSON";

/// A stack and what was left out of it.
#[derive(Debug)]
pub(crate) struct Read {
    /// For the lab.
    pub(crate) stack: StackSource,
    /// Files that configuration might want and that are too long, or one too many.
    pub(crate) left_out: Vec<String>,
}

/// Variables that all stacks of one `up` share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables {
    arguments: Vec<StackArgument>,
    environment: BTreeMap<String, String>,
}

impl Variables {
    /// Reads `-var`, `-var-file` and the environment.
    ///
    /// # Errors
    /// A variable without value, or a file that cannot be read.
    pub(crate) fn read(
        given: &VariableArgs,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SourceError> {
        let argument = |argument: &VariableArg| match argument {
            VariableArg::Value(var) => {
                let (name, value) = var
                    .split_once('=')
                    .ok_or_else(|| SourceError::Variable(var.clone()))?;
                Ok(StackArgument::Value {
                    name: name.trim().to_owned(),
                    value: value.to_owned(),
                })
            }
            VariableArg::File(path) => Ok(StackArgument::File {
                path: path.to_string_lossy().into_owned(),
                text: walk::text_of(path)?,
            }),
        };
        let arguments = (given.0.iter().map(argument)).collect::<Result<_, SourceError>>()?;
        let environment = environment
            .into_iter()
            .filter(|(name, _)| name.starts_with("TF_VAR_") || name == "TF_WORKSPACE")
            .collect();
        Ok(Self {
            arguments,
            environment,
        })
    }
}

/// Reads a directory.
///
/// # Errors
/// When it is no directory, holds no configuration, or configuration cannot be read.
pub(crate) fn read(directory: &Path, variables: &Variables) -> Result<Read, SourceError> {
    if directory.is_file() {
        return document(directory);
    }
    if !directory.is_dir() {
        return Err(SourceError::NotADirectory(directory.to_path_buf()));
    }
    let absolute = absolute(directory)?;
    let identity = absolute
        .to_str()
        .ok_or_else(|| SourceError::Path(absolute.clone()))?
        .to_owned();
    let mut reader = Reader::new(&absolute);
    reader.read_configuration()?;
    if !reader.files().keys().any(|path| is_own_configuration(path)) {
        return Err(SourceError::Empty(directory.to_path_buf()));
    }
    reader.read_what_functions_want()?;
    let (files, left_out) = reader.finish();
    Ok(Read {
        stack: StackSource {
            directory: identity,
            files,
            arguments: variables.arguments.clone(),
            environment: variables.environment.clone(),
        },
        left_out,
    })
}

/// A plan or a state in JSON, in the place of a directory.
fn document(path: &Path) -> Result<Read, SourceError> {
    let absolute = absolute(path)?;
    let identity = absolute
        .to_str()
        .ok_or_else(|| SourceError::Path(absolute.clone()))?
        .to_owned();
    let meta = std::fs::metadata(&absolute).map_err(|source| SourceError::Io {
        path: absolute.clone(),
        source,
    })?;
    if meta.len() > STACK_LEN_MAX {
        return Err(SourceError::LongStack(absolute));
    }
    let text = std::fs::read_to_string(&absolute).map_err(|source| SourceError::Io {
        path: absolute.clone(),
        source,
    })?;
    // As everywhere, a byte order mark is no part of the text.
    let json = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if let Err(source) = serde_json::from_str::<serde::de::IgnoredAny>(json) {
        return Err(SourceError::NotADocument {
            path: absolute,
            source,
        });
    }
    Ok(Read {
        stack: StackSource {
            directory: identity,
            files: BTreeMap::from([(DOCUMENT_FILE.to_owned(), text)]),
            ..StackSource::default()
        },
        left_out: Vec::new(),
    })
}

/// The path that identifies a stack.
///
/// # Errors
/// When the system cannot resolve it.
pub(crate) fn absolute(directory: &Path) -> Result<PathBuf, SourceError> {
    directory.canonicalize().map_err(|source| SourceError::Io {
        path: directory.to_path_buf(),
        source,
    })
}

/// Directly in the stack's directory and not only values.
fn is_own_configuration(path: &str) -> bool {
    let ends = [".tf", ".tf.json", ".tofu", ".tofu.json", ".sky.hcl"];
    !path.contains('/') && ends.iter().any(|end| path.ends_with(end))
}

#[cfg(test)]
mod tests;
