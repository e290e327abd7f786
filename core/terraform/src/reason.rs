//! Why a plan deletes or replaces an instance, as `terraform plan` says it.

use crate::address::{Address, InstanceKey, Mode};
use crate::apply::Apply;
use crate::scope::{Expansion, static_path};

/// `action_reason` of a plan in JSON (Terraform, "JSON Output Format", resource_changes).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// No block has its name.
    DeleteNoResourceConfig,
    /// Its number is beyond `count`.
    DeleteCountIndex,
    /// Its key is not in `for_each`.
    DeleteEachKey,
    /// Its block has the other repetition, or none.
    DeleteWrongRepetition,
    /// The instance of the module is gone.
    DeleteNoModule,
    /// An attribute cannot be changed in place.
    ReplaceCannotUpdate,
    /// Its creation failed half way.
    ReplaceTainted,
    /// `replace_triggered_by` names something that changes.
    ReplaceByTriggers,
}

impl Reason {
    /// The word of the JSON document.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeleteNoResourceConfig => "delete_because_no_resource_config",
            Self::DeleteCountIndex => "delete_because_count_index",
            Self::DeleteEachKey => "delete_because_each_key",
            Self::DeleteWrongRepetition => "delete_because_wrong_repetition",
            Self::DeleteNoModule => "delete_because_no_module",
            Self::ReplaceCannotUpdate => "replace_because_cannot_update",
            Self::ReplaceTainted => "replace_because_tainted",
            Self::ReplaceByTriggers => "replace_by_triggers",
        }
    }

    /// Of a replacement: `paths` are what it is for.
    pub(crate) fn of_replacement(is_tainted: bool, paths: &[String]) -> Self {
        let is_trigger = |path: &String| path.starts_with(TRIGGER);
        if is_tainted {
            Self::ReplaceTainted
        } else if !paths.is_empty() && paths.iter().all(is_trigger) {
            Self::ReplaceByTriggers
        } else {
            Self::ReplaceCannotUpdate
        }
    }
}

/// How the path of a replacement begins that `replace_triggered_by` wants.
pub(crate) const TRIGGER: &str = "replace_triggered_by (";

impl Apply {
    /// Why the configuration does not have an instance any more.
    pub(crate) fn reason_gone(&self, address: &Address) -> Reason {
        // A module that is gone as a whole has no block for it either: that is what Terraform says then.
        let modules = &self.stack.config.modules;
        let path = static_path(&address.module);
        let block = (address.mode, address.ty.clone(), address.name.clone());
        let has_block = modules.get(&path);
        let has_block = has_block.is_some_and(|m| m.resources.contains_key(&block));
        if !has_block {
            return Reason::DeleteNoResourceConfig;
        }
        if !self.values.instances(&path).contains(&address.module) {
            return Reason::DeleteNoModule;
        }
        let (module, mode) = (address.module.clone(), Mode::Managed);
        let block = (module, mode, address.ty.clone(), address.name.clone());
        match (self.values.blocks.get(&block), &address.key) {
            (Some(Expansion::Count(_)), InstanceKey::Index(_)) => Reason::DeleteCountIndex,
            (Some(Expansion::Each(_)), InstanceKey::Key(_)) => Reason::DeleteEachKey,
            _ => Reason::DeleteWrongRepetition,
        }
    }
}
