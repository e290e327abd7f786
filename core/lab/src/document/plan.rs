//! What a plan would do, and what stacks have put out. The shape of `change` is that of `terraform show
//! -json`, so that what reads Terraform's plans reads these.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Diagnostic, IgnoredRow, NotModelledRow};

/// What `up` would do to its stacks.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct PlanReport {
    /// One per directory, in the order of the request.
    pub stacks: Vec<StackPlan>,
    /// Resource types that are not network, once per type and stack.
    pub ignored: Vec<IgnoredRow>,
    /// Network resources that are not modelled.
    pub not_modelled: Vec<NotModelledRow>,
    /// Errors, warnings and notices, all at once. With an error nothing would be done.
    pub diagnostics: Vec<Diagnostic>,
    /// How many instances of each kind of change.
    pub summary: PlanSummary,
}

/// How many instances a plan touches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PlanSummary {
    /// To be created.
    pub create: u32,
    /// To be changed in place.
    pub update: u32,
    /// To be destroyed and created.
    pub replace: u32,
    /// To be destroyed.
    pub delete: u32,
    /// To be managed no longer, without being destroyed.
    pub forget: u32,
    /// Renamed by a `moved` block or a count that came or went.
    pub moved: u32,
    /// Left as they are.
    pub unchanged: u32,
}

/// The plan of one stack.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StackPlan {
    /// Absolute directory: the stack's identity.
    pub directory: String,
    /// Every instance, data sources included, in the order of addresses.
    pub resource_changes: Vec<ResourceChange>,
    /// The outputs of the root module.
    pub output_changes: BTreeMap<String, ValueChange>,
}

/// What happens to one instance.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ResourceChange {
    /// Its address.
    pub address: String,
    /// Its address before it was moved.
    pub previous_address: Option<String>,
    /// The module instance, without which it is in the root module.
    pub module_address: Option<String>,
    /// `managed` or `data`.
    pub mode: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: String,
    /// The name of its block.
    pub name: String,
    /// The number or the key of the instance.
    pub index: Option<Json>,
    /// Whether Skybridge knows what it means; else its computed attributes are stand-ins.
    pub modelled: bool,
    /// The file of its block.
    pub file: Option<String>,
    /// The line.
    pub line: Option<u32>,
    /// Why it is deleted or replaced, in the words of `terraform show -json`
    /// (`delete_because_no_resource_config`, `replace_because_cannot_update`, …).
    pub action_reason: Option<String>,
    /// The difference.
    pub change: ValueChange,
}

/// A value before and after.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ValueChange {
    /// `["create"]`, `["update"]`, `["delete", "create"]`, `["create", "delete"]`, `["delete"]`, `["read"]`,
    /// `["forget"]` or `["no-op"]`.
    pub actions: Vec<String>,
    /// The value as it is; null when there is none. Sensitive parts are null.
    pub before: Json,
    /// The value as it will be; unknown and sensitive parts are null.
    pub after: Json,
    /// True, or a structure that is true where the value is known only after the apply.
    pub after_unknown: Json,
    /// True, or a structure that is true where the value before is sensitive.
    pub before_sensitive: Json,
    /// True, or a structure that is true where the value after is sensitive.
    pub after_sensitive: Json,
    /// The attributes that change, as paths (`ip_configuration[0].subnet_id`).
    pub changed: Vec<String>,
    /// Those that force the replacement.
    pub replace_paths: Vec<String>,
}

/// The outputs of a stack.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OutputsReport {
    /// Absolute directory.
    pub directory: String,
    /// By name.
    pub outputs: BTreeMap<String, OutputRow>,
}

/// One output, as `terraform output -json` prints it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OutputRow {
    /// Whether it is declared sensitive.
    pub sensitive: bool,
    /// Its type, in words of a type constraint.
    #[serde(rename = "type")]
    pub ty: String,
    /// Its value.
    pub value: Json,
}
