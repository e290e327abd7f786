//! What a client read for us, as files and variables.

use std::sync::Arc;

use skybridge_hcl::{Diagnostic, Files, MemoryFiles};
use skybridge_terraform::{Schemas, Stack, VariableArgument, VariableInputs};

use crate::request::{StackArgument, StackSource};

/// The files of a stack, variable files included.
pub(crate) fn files(source: &StackSource) -> Arc<dyn Files> {
    let mut files = MemoryFiles::new();
    for (path, text) in &source.files {
        files.insert(path, text.clone());
    }
    for argument in &source.arguments {
        match argument {
            StackArgument::File { path, text } => files.insert(path, text.clone()),
            StackArgument::Value { .. } => {}
        }
    }
    Arc::new(files)
}

/// Reads a stack.
pub(crate) fn load(
    source: &StackSource,
    schemas: &Arc<Schemas>,
) -> Result<(Stack, Vec<Diagnostic>), Vec<Diagnostic>> {
    Stack::load(files(source), ".", &variables(source), Arc::clone(schemas))
}

/// The values given from outside.
fn variables(source: &StackSource) -> VariableInputs {
    let argument = |argument: &StackArgument| match argument {
        StackArgument::File { path, .. } => VariableArgument::File(path.clone()),
        StackArgument::Value { name, value } => {
            VariableArgument::Value(name.clone(), value.clone())
        }
    };
    VariableInputs {
        workspace: (source.environment.get("TF_WORKSPACE"))
            .filter(|name| !name.is_empty())
            .cloned(),
        environment: (source.environment.iter())
            .filter(|(name, _)| *name != "TF_WORKSPACE")
            .map(|(name, text)| {
                let name = name.strip_prefix("TF_VAR_").unwrap_or(name);
                (name.to_owned(), text.clone())
            })
            .collect(),
        arguments: source.arguments.iter().map(argument).collect(),
    }
}
