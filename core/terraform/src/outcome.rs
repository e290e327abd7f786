//! What comes of a plan and an apply.

use std::collections::BTreeMap;

use skybridge_hcl::{Diagnostic, Spans, Value};

use crate::address::Address;
use crate::reason::Reason;
use crate::state::{InstanceState, OutputState, StackState};

/// What is planned for an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// A data source, read while planning.
    Read,
    /// A data source that can only be read during apply.
    ReadDuringApply,
    /// It will be created.
    Create,
    /// It will be changed in place.
    Update,
    /// It will be deleted and created.
    Replace,
    /// It will be deleted.
    Delete,
    /// It goes on living, and is no longer this stack's.
    Forget,
}

/// What is planned for one instance.
#[derive(Clone, Debug)]
pub struct PlannedInstance {
    /// What will happen.
    pub change: Change,
    /// Its attributes afterwards; what is not known yet is unknown. For a deletion, as they are.
    pub attributes: Value,
    /// Its attributes as they are, when it is there.
    pub before: Option<Value>,
    /// Why it is deleted or replaced.
    pub reason: Option<Reason>,
    /// Its address before a `moved` block, or a count that came or went, renamed it.
    pub moved_from: Option<Address>,
    /// Whether a replacement is made before what it replaces goes.
    pub create_first: bool,
    /// The attribute paths that change.
    pub changed: Vec<String>,
    /// Those that mean replacement.
    pub replace: Vec<String>,
    /// Where its arguments were written.
    pub spans: Spans,
    /// Whether nobody models it.
    pub placeholder: bool,
}

/// A type that is not modelled, and where it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotModelled {
    /// `azurerm_firewall`
    pub ty: String,
    /// Whether it is network (a verdict may need it) or not.
    pub network: bool,
    /// Whether it is a look-up in the account, of what nothing here has made.
    pub is_look_up: bool,
    /// The instances with their places.
    pub instances: BTreeMap<Address, Spans>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct ApplyResult {
    /// What exists; as before when nothing was applied.
    pub state: StackState,
    /// The outputs of the root module; of a plan, with what is not known yet left unknown.
    pub outputs: BTreeMap<String, OutputState>,
    /// Everything there is to say.
    pub diagnostics: Vec<Diagnostic>,
    /// Types that are not modelled.
    pub not_modelled: Vec<NotModelled>,
    /// What was planned.
    pub plan: BTreeMap<Address, PlannedInstance>,
    /// What there was to say when all was planned and nothing carried out.
    pub as_planned: AsPlanned,
    /// Number of actions that were completed, by kind: created, updated, deleted.
    pub counts: [usize; 3],
}

/// How an apply stood when all was planned and nothing carried out; of one that only plans, how it ended.
#[derive(Clone, Debug, Default)]
pub struct AsPlanned {
    /// The outputs of the root module, with what is not known yet left unknown.
    pub outputs: BTreeMap<String, OutputState>,
    /// Everything there was to say.
    pub diagnostics: Vec<Diagnostic>,
}

impl PlannedInstance {
    /// What is planned for an instance that the configuration does not have.
    pub(crate) fn leaving(change: Change, instance: InstanceState) -> Self {
        Self {
            change,
            reason: None,
            before: Some(instance.attributes.clone()),
            moved_from: None,
            create_first: false,
            attributes: instance.attributes,
            changed: Vec::new(),
            replace: Vec::new(),
            spans: instance.spans,
            placeholder: instance.placeholder,
        }
    }
}
