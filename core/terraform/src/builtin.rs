//! `terraform_data`: the resource type that is part of Terraform itself. It holds what it is given, so nobody
//! need be asked to make one.

use skybridge_hcl::{Marks, Value};

use crate::action::Action;
use crate::address::{Address, Mode};
use crate::apply::Apply;
use crate::diff::Diff;

/// Whether the machine itself carries actions on an instance out.
pub(crate) fn is_builtin(address: &Address) -> bool {
    address.mode == Mode::Managed && address.ty == "terraform_data"
}

/// What is put out is what was put in, and known once that has been written down.
pub(crate) fn plan(diff: &mut Diff, prior: Option<&Value>) {
    if let Some(id) = diff.planned.attr("id").filter(|id| id.is_unknown()) {
        let id = id.clone().not_null();
        diff.planned = diff.planned.clone().with_attr("id", id);
    }
    let touched = |name: &str| {
        let changed = diff.changed.iter();
        changed
            .into_iter()
            .any(|path| path.split(['.', '[']).next() == Some(name))
    };
    if prior.is_some() && !touched("input") {
        return;
    }
    let Some(input) = diff.planned.attr("input").cloned() else {
        return;
    };
    let output = if input.is_null() {
        shown(&input)
    } else {
        Value::unknown(input.ty()).with_marks(&shown(&input).marks())
    };
    diff.planned = diff.planned.clone().with_attr("output", output);
}

/// What is hidden in an argument is not hidden in what a provider computes of it.
fn shown(input: &Value) -> Value {
    let marks = Marks {
        sensitive: false,
        ..input.deep_marks()
    };
    input.unmarked().with_marks(&marks)
}

impl Apply {
    /// The attributes of an instance after an action that concerns nobody else.
    pub(crate) fn own_answer(&self, action: &Action) -> Option<Value> {
        let target = action.target();
        if !is_builtin(&target.address) {
            return None;
        }
        let held = |value: &Value| {
            let input = value.attr("input").cloned().unwrap_or_else(Value::null);
            value.clone().with_attr("output", shown(&input))
        };
        Some(match action {
            Action::Create { planned, .. } => {
                let before = self.prior.instances.get(&target.address);
                let before = before.and_then(|i| i.attributes.str_attr("id"));
                let id = stable_id(&target.address, before);
                held(planned).with_attr("id", Value::string(id))
            }
            Action::Update { after, .. } => held(after),
            Action::Delete { .. } | Action::Read { .. } => Value::null(),
        })
    }
}

/// An id in the form of Terraform's, the same in every run; a replacement gets another one.
fn stable_id(address: &Address, before: Option<&str>) -> String {
    let half = |salt: &str| {
        let text = format!("{salt}{}{address}", before.unwrap_or_default());
        crate::placeholder::hash(&text)
    };
    let (a, b) = (half("a"), half("b"));
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xffff,
        b >> 48,
        b & 0xffff_ffff_ffff
    )
}
