//! `create_before_destroy`: the new instance is made first, and the old one goes when nothing uses it.

use crate::action::Action;
use crate::address::Address;
use crate::apply::{Apply, Running, RunningKind};
use crate::outcome::Change;
use crate::state::InstanceState;
use skybridge_hcl::Diagnostic;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Apply {
    /// What an instance rests on that is replaced too must also be there before the old ones go.
    pub(crate) fn spread_create_first(&mut self) {
        let mut open: Vec<Address> = (self.plan.iter())
            .filter(|(_, p)| p.create_first)
            .map(|(a, _)| a.clone())
            .collect();
        while let Some(address) = open.pop() {
            let below = (self.prior.instances.get(&address)).map(|i| Arc::clone(&i.dependencies));
            for below in below.iter().flat_map(|below| below.iter()) {
                if let Some(planned) = self.plan.get_mut(below)
                    && planned.change == Change::Replace
                    && !planned.create_first
                {
                    planned.create_first = true;
                    open.push(below.clone());
                }
            }
        }
    }

    /// Sets the old instances aside.
    pub(crate) fn depose(&mut self) {
        for (address, planned) in &self.plan {
            if planned.create_first
                && let Some(instance) = self.prior.instances.get(address)
            {
                self.deposed.push_back((address.clone(), instance.clone()));
            }
        }
    }

    /// Starts the deletion of what was replaced, dependants first. True when there was something.
    pub(crate) fn delete_deposed(&mut self) -> bool {
        // One after the other, in an order in which nothing that is used goes.
        let all: BTreeSet<Address> = self.deposed.iter().map(|(a, _)| a.clone()).collect();
        let free = |(address, _): &(Address, InstanceState)| {
            !self.deposed.iter().any(|(other, instance)| {
                other != address && instance.dependencies.contains(address)
            })
        };
        let Some(at) = self
            .deposed
            .iter()
            .position(free)
            .or_else(|| (!all.is_empty()).then_some(0))
        else {
            return false;
        };
        let Some((address, instance)) = self.deposed.remove(at) else {
            return false;
        };
        let known = self
            .prior
            .deposed
            .iter()
            .any(|(a, i)| (a, i) == (&address, &instance));
        if !known && !self.made.contains(&address) {
            // Its replacement was never made: it stays what it is.
            return true;
        }
        let now = self.state.get(&address);
        let id = |i: &InstanceState| i.attributes.str_attr("id").map(str::to_owned);
        if now.is_some_and(|n| id(n).is_some() && id(n) == id(&instance)) {
            let detail = format!(
                "{address} is created before what it replaces is destroyed, but has the same id: the cloud refuses a second object of one name"
            );
            let help = "give the replacement another name, or leave create_before_destroy out";
            let diagnostic = Diagnostic::error("Object already exists", detail).help(help);
            (self.diagnostics).push(diagnostic.at_opt(instance.spans.find("")));
            return true;
        }
        let target = self.target(&address, &instance.provider, &instance.spans);
        let running = Running {
            node: None,
            address,
            kind: RunningKind::DeleteDeposed,
            planned: instance.attributes.clone(),
            dependencies: instance.dependencies,
            provider: instance.provider,
            spans: instance.spans,
        };
        let action = Action::Delete {
            target,
            before: instance.attributes,
            replaced: true,
        };
        self.start(action, running, BTreeSet::new());
        true
    }

    /// A deletion that failed is tried again by the next apply.
    pub(crate) fn keep_deposed(&mut self, running: Running) {
        let instance = InstanceState {
            ty: running.address.ty.clone(),
            provider: running.provider,
            attributes: running.planned,
            dependencies: running.dependencies,
            placeholder: false,
            tainted: false,
            spans: running.spans,
        };
        self.left.push((running.address, instance));
    }
}
