//! What an apply hands to its driver.

use skybridge_hcl::{Spans, Value};

use crate::address::Address;

/// Names an action while it is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId(pub u64);

/// What an action is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// For [`crate::Apply::complete`] and [`crate::Apply::fail`].
    pub id: ActionId,
    /// The instance.
    pub address: Address,
    /// Its provider (`azurerm.hub`, after the module path if it is not the root's).
    pub provider: String,
    /// The evaluated arguments of the provider block, an object; null without a block.
    pub provider_config: Value,
    /// Where its arguments were written.
    pub spans: Spans,
}

/// Something for the driver to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Read a data source; complete with all its attributes.
    Read {
        /// What.
        target: Target,
        /// Its arguments.
        config: Value,
    },
    /// Create an instance; complete with all its attributes.
    Create {
        /// What.
        target: Target,
        /// Its attributes; what the cloud decides is unknown.
        planned: Value,
        /// Whether an instance of this address was deleted before, to be made anew.
        replaces: bool,
    },
    /// Change an instance in place; complete with all its attributes.
    Update {
        /// What.
        target: Target,
        /// Its attributes now.
        before: Value,
        /// Its attributes afterwards.
        after: Value,
    },
    /// Delete an instance; complete with [`Value::null`].
    Delete {
        /// What.
        target: Target,
        /// Its attributes now.
        before: Value,
        /// Whether it will be created anew.
        replaced: bool,
    },
}

impl Action {
    /// What it is about.
    #[must_use]
    pub fn target(&self) -> &Target {
        match self {
            Self::Read { target, .. }
            | Self::Create { target, .. }
            | Self::Update { target, .. }
            | Self::Delete { target, .. } => target,
        }
    }
}
