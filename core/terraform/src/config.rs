//! The configuration of a stack: what its files say, module by module, before anything is
//! evaluated.

use std::collections::BTreeMap;

use skybridge_hcl::ast::{Body, Expr};
use skybridge_hcl::{Span, Type};

use crate::address::{Address, Mode};
pub use crate::endpoint::Endpoint;

/// A module path without instance keys: the names of the `module` blocks from the root.
pub type StaticPath = Vec<String>;

/// A whole configuration.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Every module, by its path; the root is under the empty path.
    pub modules: BTreeMap<StaticPath, Module>,
    /// `terraform.workspace`; empty for the default one.
    pub workspace: String,
}

impl Config {
    /// The root module.
    ///
    /// # Panics
    /// Never for a loaded configuration: loading always makes the root.
    #[must_use]
    pub fn root(&self) -> &Module {
        &self.modules[&Vec::new()]
    }
}

/// One module.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// Its directory, relative to the stack.
    pub directory: String,
    /// `required_version` constraints.
    pub required_version: Vec<(String, Span)>,
    /// `required_providers`, by local name.
    pub required_providers: BTreeMap<String, RequiredProvider>,
    /// Provider configurations, by local name and alias.
    pub providers: BTreeMap<ProviderKey, ProviderBlock>,
    /// `variable` blocks.
    pub variables: BTreeMap<String, Variable>,
    /// `locals`.
    pub locals: BTreeMap<String, Local>,
    /// `output` blocks.
    pub outputs: BTreeMap<String, Output>,
    /// `resource` and `data` blocks, by mode, type and name.
    pub resources: BTreeMap<(Mode, String, String), Resource>,
    /// `module` blocks.
    pub calls: BTreeMap<String, ModuleCall>,
    /// `ephemeral` blocks by type and name, and where they stand.
    pub ephemerals: BTreeMap<(String, String), Span>,
    /// `check` blocks.
    pub checks: BTreeMap<String, Check>,
    /// `moved` blocks, in the order of the files.
    pub moved: Vec<Moved>,
    /// `removed` blocks.
    pub removed: Vec<Removed>,
    /// `import` blocks.
    pub imports: Vec<Import>,
}

/// A `moved` block.
#[derive(Clone, Debug)]
pub struct Moved {
    /// Where it was.
    pub from: Endpoint,
    /// Where it is.
    pub to: Endpoint,
    /// Where the block stands.
    pub span: Span,
}

/// A `removed` block.
#[derive(Clone, Debug)]
pub struct Removed {
    /// What is no longer there.
    pub from: Endpoint,
    /// Whether it is destroyed, or only forgotten.
    pub destroy: bool,
    /// Where the block stands.
    pub span: Span,
}

/// An `import` block.
#[derive(Clone, Debug)]
pub struct Import {
    /// The instance that the object is to become.
    pub to: Expr,
    /// The object's id.
    pub id: Option<Expr>,
    /// `for_each`: `each` stands in the key of `to` and in the id.
    pub for_each: Option<Expr>,
    /// Where the block stands.
    pub span: Span,
}

/// A `check` block.
#[derive(Clone, Debug)]
pub struct Check {
    /// Its assertions; one that does not hold is a warning.
    pub asserts: Vec<Condition>,
    /// Where it stands.
    pub span: Span,
}

/// A provider by local name and alias (`azurerm.hub`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProviderKey {
    /// The local name.
    pub name: String,
    /// The alias, if any.
    pub alias: Option<String>,
}

impl std::fmt::Display for ProviderKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        self.alias.as_ref().map_or(Ok(()), |a| write!(f, ".{a}"))
    }
}

/// An entry of `required_providers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredProvider {
    /// `hashicorp/azurerm`
    pub source: Option<String>,
    /// The version constraint.
    pub version: Option<String>,
    /// Aliases that the module wants to be given.
    pub aliases: Vec<ProviderKey>,
    /// Where it stands.
    pub span: Span,
}

/// A `provider` block.
#[derive(Clone, Debug)]
pub struct ProviderBlock {
    /// Its arguments.
    pub body: Body,
    /// Where it stands.
    pub span: Span,
}

/// A `variable` block.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its type; [`Type::Dynamic`] when none is given.
    pub ty: Type,
    /// Whether no type is given: a text from outside is then taken as it is.
    pub is_untyped: bool,
    /// Its default.
    pub default: Option<Expr>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether its value is hidden.
    pub sensitive: bool,
    /// Whether its value is never stored.
    pub ephemeral: bool,
    /// Whether null is a value of its own (else it means the default).
    pub nullable: bool,
    /// `validation` blocks.
    pub validations: Vec<Condition>,
    /// Where it stands.
    pub span: Span,
}

/// A condition with the message when it does not hold.
#[derive(Clone, Debug)]
pub struct Condition {
    /// What must be true.
    pub condition: Expr,
    /// What is said when it is false.
    pub message: Option<Expr>,
}

/// A local value.
#[derive(Clone, Debug)]
pub struct Local {
    /// What it is.
    pub expr: Expr,
    /// Where its name stands.
    pub span: Span,
}

/// An `output` block.
#[derive(Clone, Debug)]
pub struct Output {
    /// What it is.
    pub expr: Expr,
    /// Whether it is hidden.
    pub sensitive: bool,
    /// Whether it is never stored.
    pub ephemeral: bool,
    /// `depends_on`
    pub depends_on: Vec<Expr>,
    /// `precondition` blocks.
    pub preconditions: Vec<Condition>,
    /// Where it stands.
    pub span: Span,
}

/// A `resource` or `data` block.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its type.
    pub ty: String,
    /// Its arguments and nested blocks, without the meta-arguments.
    pub body: Body,
    /// `count`
    pub count: Option<Expr>,
    /// `for_each`
    pub for_each: Option<Expr>,
    /// Its provider, from `provider =` or from its type.
    pub provider: ProviderKey,
    /// `depends_on`
    pub depends_on: Vec<Expr>,
    /// `lifecycle { ignore_changes }`
    pub ignore_changes: IgnoreChanges,
    /// Where each of the ignored attributes is written.
    pub ignored_at: Vec<Span>,
    /// `lifecycle { prevent_destroy = true }`
    pub prevent_destroy: bool,
    /// `lifecycle { create_before_destroy = true }`
    pub create_before_destroy: bool,
    /// `lifecycle { replace_triggered_by }`: a change of these means replacement.
    pub replace_triggered_by: Vec<Expr>,
    /// `precondition` blocks of `lifecycle`.
    pub preconditions: Vec<Condition>,
    /// `postcondition` blocks of `lifecycle`.
    pub postconditions: Vec<Condition>,
    /// What a plan or a state says of each instance; empty for a configuration from files.
    pub bodies: BTreeMap<Address, Body>,
    /// Where it stands.
    pub span: Span,
}

/// `ignore_changes`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IgnoreChanges {
    /// Nothing is ignored.
    #[default]
    None,
    /// `all`
    All,
    /// The named attributes, or parts of them.
    Attributes(Vec<AttributePath>),
}

/// A path into the attributes of a resource: names, map keys and indexes from the outside in.
pub type AttributePath = Vec<PathStep>;

/// One step of an [`AttributePath`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathStep {
    /// An attribute or a map key.
    Name(String),
    /// A place in a list.
    Index(usize),
}

/// A `module` block.
#[derive(Clone, Debug)]
pub struct ModuleCall {
    /// Its `source`.
    pub source: String,
    /// The values of its variables.
    pub arguments: BTreeMap<String, Expr>,
    /// `count`
    pub count: Option<Expr>,
    /// `for_each`
    pub for_each: Option<Expr>,
    /// `providers`: from the name inside to the provider outside, and where it is passed.
    pub providers: BTreeMap<ProviderKey, (ProviderKey, Span)>,
    /// `depends_on`
    pub depends_on: Vec<Expr>,
    /// Where it stands.
    pub span: Span,
}
