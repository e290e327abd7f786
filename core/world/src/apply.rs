//! Going from one blueprint to the next while everything outside the difference runs on.

use std::sync::Arc;

use skybridge_blueprint::{Blueprint, Change, ChangeClass, Fault, check, diff};

use crate::command::{CutMode, Element, Logged};
use crate::difference::Difference;
use crate::slot::Buildable;
use crate::world::World;

impl<N: Buildable> World<N> {
    /// Becomes `new` now, by the difference only, and records it. Cuts and tag faults of what stays
    /// stay; of what goes, go.
    ///
    /// # Errors
    /// The faults that `blueprint::check` finds; nothing has changed.
    pub fn apply(&mut self, new: Blueprint) -> Result<Vec<Change>, Vec<Fault>> {
        let faults = check(&new);
        if !faults.is_empty() {
            return Err(faults);
        }
        let difference = Difference::between(&self.blueprint, &new);
        self.record(Logged::Apply(Box::new(difference)));
        let new = Arc::new(new);
        let changes = diff(&self.blueprint, &new);
        self.blueprint = new;
        self.rewired();
        for change in &changes {
            self.apply_change(change);
        }
        self.drop_stale_faults();
        Ok(changes)
    }

    fn apply_change(&mut self, change: &Change) {
        match change {
            Change::AddNode(name) => self.add_node(name),
            Change::RemoveNode(name) => self.remove_node(name),
            Change::ChangeNode(name, class) => {
                let Some(&index) = self.node_index.get(name) else {
                    return;
                };
                match class {
                    ChangeClass::Live | ChangeClass::Soft | ChangeClass::Reset => {
                        // A stopped node reads the new description when it starts.
                        if let Some(spec) = self.effective_spec(name) {
                            self.visit(index, |node, now, out| node.reconfigure(now, &spec, out));
                        }
                    }
                    ChangeClass::Rebuild => self.rebuild(name, index),
                }
            }
            Change::AddLink(name) => {
                let blueprint = Arc::clone(&self.blueprint);
                if let Some(link) = blueprint.links.get(name) {
                    self.add_link(name, link);
                }
            }
            Change::RemoveLink(name) => self.remove_link(name),
            Change::ChangeLink(name) => {
                let blueprint = Arc::clone(&self.blueprint);
                if let Some(properties) = blueprint.links.get(name)
                    && let Some(link) = self.link_named_mut(name)
                {
                    link.properties = properties.clone();
                }
            }
        }
    }

    /// Builds a running node anew; a node that is cut stays stopped.
    fn rebuild(&mut self, name: &skybridge_blueprint::NodeName, index: crate::slot::NodeIndex) {
        if !self.faults.contains_key(&Element::Node(name.clone())) {
            self.restart_node(index);
        } else if self.slot(index).is_some_and(|slot| slot.node.is_some()) {
            // In the grace of an administrative cut: it would go down anyway.
            self.stop_node(index);
        }
    }

    fn drop_stale_faults(&mut self) {
        let stale: Vec<Element> = self
            .faults
            .iter()
            .filter(|(element, mode)| self.is_stale(element, mode))
            .map(|(element, _)| element.clone())
            .collect();
        for element in stale {
            self.faults.remove(&element);
        }
        self.drop_stale_carrier_faults();
    }

    fn is_stale(&self, element: &Element, mode: &CutMode) -> bool {
        self.validate_cut(element, mode).is_err()
    }
}
