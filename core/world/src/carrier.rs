//! What carriers do wrong, on command: kept by the world, so that a switch that restarts still has it.

use skybridge_blueprint::{
    Blueprint, CarrierFault, CrossConnectName, Node, NodeKind, NodeName, Switch,
};

use crate::command::CommandError;
use crate::event::WorldEventKind;
use crate::slot::Buildable;
use crate::world::World;

impl<N: Buildable> World<N> {
    /// The faults set on a cross-connect.
    #[must_use]
    pub fn carrier_faults(
        &self,
        node: &NodeName,
        cross_connect: &CrossConnectName,
    ) -> &[CarrierFault] {
        self.carrier_faults
            .get(&(node.clone(), cross_connect.clone()))
            .map_or(&[], Vec::as_slice)
    }

    /// The blueprint with everything that carriers were told to do wrong in it: what the solver must be asked
    /// about.
    #[must_use]
    pub fn faulty_blueprint(&self) -> Blueprint {
        let mut blueprint = (*self.blueprint).clone();
        for (name, node) in &mut blueprint.nodes {
            if let NodeKind::Switch(switch) = &mut node.kind {
                self.add_carrier_faults(name, switch);
            }
        }
        blueprint
    }

    pub(crate) fn add_carrier_faults(&self, node: &NodeName, switch: &mut Switch) {
        for (name, cross_connect) in &mut switch.cross_connects {
            for fault in self.carrier_faults(node, name) {
                cross_connect.faults.retain(|f| !f.same_kind(*fault));
                cross_connect.faults.push(*fault);
            }
        }
    }

    pub(crate) fn known_cross_connect(
        &self,
        node: &NodeName,
        cross_connect: &CrossConnectName,
    ) -> Result<(), CommandError> {
        self.known_node(node)?;
        let switch = self.blueprint.nodes.get(node).and_then(Node::as_switch);
        if switch.is_some_and(|switch| switch.cross_connects.contains_key(cross_connect)) {
            Ok(())
        } else {
            let named = format!("cross-connect {node}/{cross_connect}");
            Err(CommandError::UnknownElement(named))
        }
    }

    pub(crate) fn validate_clear(
        &self,
        node: &NodeName,
        cross_connect: &CrossConnectName,
    ) -> Result<(), CommandError> {
        self.known_cross_connect(node, cross_connect)?;
        if self.carrier_faults(node, cross_connect).is_empty() {
            let named = format!("cross-connect {node}/{cross_connect}");
            return Err(CommandError::NotCut(named));
        }
        Ok(())
    }

    pub(crate) fn set_carrier_fault(
        &mut self,
        node: NodeName,
        cross_connect: CrossConnectName,
        fault: CarrierFault,
    ) {
        let faults = self
            .carrier_faults
            .entry((node.clone(), cross_connect.clone()))
            .or_default();
        faults.retain(|f| !f.same_kind(fault));
        faults.push(fault);
        self.show_carrier(node, cross_connect);
    }

    pub(crate) fn clear_carrier_faults(&mut self, node: NodeName, cross_connect: CrossConnectName) {
        self.carrier_faults
            .remove(&(node.clone(), cross_connect.clone()));
        self.show_carrier(node, cross_connect);
    }

    fn show_carrier(&mut self, node: NodeName, cross_connect: CrossConnectName) {
        self.refresh_spec(&node);
        let faults = self.carrier_faults(&node, &cross_connect).to_vec();
        let kind = WorldEventKind::Carrier {
            cross_connect,
            faults,
        };
        self.report(Some(node), kind);
    }

    pub(crate) fn drop_stale_carrier_faults(&mut self) {
        let blueprint = &self.blueprint;
        self.carrier_faults.retain(|(node, cross_connect), _| {
            let switch = blueprint.nodes.get(node).and_then(Node::as_switch);
            switch.is_some_and(|switch| switch.cross_connects.contains_key(cross_connect))
        });
    }
}
