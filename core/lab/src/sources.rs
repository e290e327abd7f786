//! What a client read for us, as files and variables.

use std::sync::Arc;

use skybridge_hcl::{Files, MemoryFiles};
use skybridge_terraform::{VariableArgument, VariableInputs};

use crate::request::StackSource;

/// The files of a stack, variable files included.
pub(crate) fn files(source: &StackSource) -> Arc<dyn Files> {
    let mut files = MemoryFiles::new();
    let var_files = source.var_files.iter().map(|(path, text)| (path, text));
    for (path, text) in source.files.iter().chain(var_files) {
        files.insert(path, text.clone());
    }
    Arc::new(files)
}

/// The values given from outside, `-var-file` before `-var`.
pub(crate) fn variables(source: &StackSource) -> VariableInputs {
    let files = source.var_files.iter();
    let values = source.vars.iter();
    VariableInputs {
        environment: (source.environment.iter())
            .map(|(name, text)| {
                let name = name.strip_prefix("TF_VAR_").unwrap_or(name);
                (name.to_owned(), text.clone())
            })
            .collect(),
        arguments: files
            .map(|(path, _)| VariableArgument::File(path.clone()))
            .chain(values.map(|(n, v)| VariableArgument::Value(n.clone(), v.clone())))
            .collect(),
    }
}
