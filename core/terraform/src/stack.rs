//! A stack: a directory read, with the values of its variables.

use std::collections::BTreeMap;
use std::sync::Arc;

use skybridge_hcl::{Diagnostic, Files, NoFiles, Span, Value, has_errors, join_path};

use crate::config::Config;
use crate::load::load;
use crate::schema::Schemas;
use crate::variables::{VariableInputs, root_values};

/// The file under which a plan or a state in JSON stands in the place of a directory's files.
pub const DOCUMENT_FILE: &str = "terraform-show.json";

/// A configuration that can be planned and applied.
#[derive(Clone)]
pub struct Stack {
    /// Its blocks.
    pub config: Config,
    /// The values of the root variables.
    pub variables: BTreeMap<String, Value>,
    /// Where those of them are written that stand in a file.
    pub variable_places: BTreeMap<String, Span>,
    /// What the types look like.
    pub schemas: Arc<Schemas>,
    /// The files of the directory, for `file()` and its kin.
    pub files: Arc<dyn Files>,
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stack")
            .field("modules", &self.config.modules.keys())
            .field("variables", &self.variables.keys())
            .finish_non_exhaustive()
    }
}

impl Default for Stack {
    fn default() -> Self {
        Self {
            config: Config::default(),
            variables: BTreeMap::new(),
            variable_places: BTreeMap::new(),
            schemas: Arc::new(Schemas::default()),
            files: Arc::new(NoFiles),
        }
    }
}

impl Stack {
    /// Reads the stack in `directory` of `files` (usually `"."`).
    ///
    /// # Errors
    /// Everything that is wrong, warnings and notices included.
    pub fn load(
        files: Arc<dyn Files>,
        directory: &str,
        inputs: &VariableInputs,
        schemas: Arc<Schemas>,
    ) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let document = join_path(directory, DOCUMENT_FILE);
        if let Ok(bytes) = files.read(&document) {
            let text = String::from_utf8_lossy(&bytes);
            let (config, diagnostics) = crate::show::read(&document, &text, &schemas)?;
            let stack = Self {
                config,
                variables: BTreeMap::new(),
                variable_places: BTreeMap::new(),
                schemas,
                files,
            };
            return Ok((stack, diagnostics));
        }
        let (mut config, mut diagnostics) = load(files.as_ref(), directory);
        config.workspace = inputs.workspace.clone().unwrap_or_else(|| {
            let selected = files.read(&join_path(directory, ".terraform/environment"));
            let text = selected
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok());
            text.map(|t| t.trim().to_owned()).unwrap_or_default()
        });
        let root = config.root();
        let (variables, variable_places) =
            root_values(root, files.as_ref(), directory, inputs, &mut diagnostics);
        // Undeclared names and cycles are of the configuration alone: said together with the rest.
        if has_errors(&diagnostics) {
            crate::graph::build(&config, &mut diagnostics);
            return Err(diagnostics);
        }
        let stack = Self {
            config,
            variables,
            variable_places,
            schemas,
            files,
        };
        Ok((stack, diagnostics))
    }

    /// The version constraint that the root module puts on a provider.
    pub(crate) fn provider_version(&self, name: &str) -> Option<&str> {
        let root = self.config.modules.get(&Vec::new())?;
        root.required_providers.get(name)?.version.as_deref()
    }
}
