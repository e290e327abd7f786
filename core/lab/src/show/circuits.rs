//! Circuits, peerings, virtual circuits.

use skybridge_estate::Resource;
use skybridge_nodes::SessionState;
use skybridge_oci::model::VirtualCircuit;

use crate::document::{CircuitRow, PeeringRow, VirtualCircuitRow};
use crate::lab::Lab;
use crate::show::sessions::state_words;

/// Every circuit.
pub(crate) fn rows(lab: &Lab) -> Vec<CircuitRow> {
    (lab.control.estate)
        .of_kind("Microsoft.Network/expressRouteCircuits")
        .map(|r| {
            let text = |pointer: &str| r.text(pointer).unwrap_or_default().to_owned();
            let provider = "/properties/serviceProviderProperties";
            let bandwidth = r
                .field(&format!("{provider}/bandwidthInMbps"))
                .and_then(serde_json::Value::as_u64);
            CircuitRow {
                name: r.name.clone(),
                address: r.label().to_owned(),
                provider: text(&format!("{provider}/serviceProviderName")),
                location: text(&format!("{provider}/peeringLocation")),
                bandwidth_mbps: bandwidth.and_then(|b| u32::try_from(b).ok()).unwrap_or(0),
                sku: format!("{} {}", text("/sku/tier"), text("/sku/family")),
                service_key: text("/properties/serviceKey"),
                circuit_state: text("/properties/circuitProvisioningState"),
                provider_state: text("/properties/serviceProviderProvisioningState"),
            }
        })
        .collect()
}

/// Every peering.
pub(crate) fn peerings(lab: &Lab) -> Vec<PeeringRow> {
    let mut rows = Vec::new();
    for circuit in &lab.network.azure.circuits {
        let index = lab.network.compiled.index.circuits.get(&circuit.id);
        for peering in &circuit.peerings {
            let sessions = (index.into_iter().flat_map(|c| &c.legs))
                .map(|leg| leg_state(lab, leg).0)
                .collect();
            rows.push(PeeringRow {
                circuit: circuit.name.clone(),
                peering: peering.name.clone(),
                state: if peering.enabled {
                    "Enabled"
                } else {
                    "Disabled"
                }
                .to_owned(),
                peer_asn: peering.peer_asn.0,
                vlan: peering.vlan.as_u16(),
                s_tag: circuit.s_tag.as_u16(),
                primary: peering.primary.to_string(),
                secondary: peering.secondary.to_string(),
                md5: peering.shared_key.is_some(),
                sessions,
            });
        }
    }
    rows
}

/// The BGP state of a leg at this end, and whether it is up.
pub(crate) fn leg_state(lab: &Lab, leg: &skybridge_compile::LegIndex) -> (String, bool) {
    let peer = lab.network.world.router(&leg.node).and_then(|router| {
        let mut peers = router.bgp().into_iter();
        peers.find(|p| p.instance == leg.instance && p.peer == leg.peer)
    });
    match peer {
        Some(peer) => (
            state_words(peer.state).to_owned(),
            peer.state == SessionState::Established,
        ),
        None => ("down".to_owned(), false),
    }
}

/// Every virtual circuit.
pub(crate) fn virtual_circuits(lab: &Lab) -> Vec<VirtualCircuitRow> {
    (lab.network.oci.virtual_circuits.iter())
        .map(|vc| virtual_circuit(lab, vc))
        .collect()
}

fn virtual_circuit(lab: &Lab, vc: &VirtualCircuit) -> VirtualCircuitRow {
    let resource = lab.control.estate.resource(&vc.id);
    let legs = lab.network.compiled.index.virtual_circuits.get(&vc.id);
    let bgp_session_states = (0..vc.mappings.len())
        .map(|index| {
            let leg = legs.and_then(|l| l.get(index));
            let up = leg.is_some_and(|leg| leg_state(lab, leg).1);
            if up { "UP" } else { "DOWN" }.to_owned()
        })
        .collect();
    let text = |pointer: &str| {
        resource
            .and_then(|r| r.text(pointer))
            .unwrap_or_default()
            .to_owned()
    };
    VirtualCircuitRow {
        name: vc.name.clone(),
        address: resource.map_or("", Resource::label).to_owned(),
        lifecycle_state: vc.lifecycle_state.clone(),
        provider_state: text("/providerState"),
        bgp_session_states,
        bandwidth: text("/bandwidthShapeName"),
        drg: (vc.drg.as_ref())
            .and_then(|id| lab.control.estate.resource(id))
            .map_or_else(String::new, |r| r.shown_name().to_owned()),
        mappings: (vc.mappings.iter())
            .map(|m| (m.oracle.to_string(), m.customer.to_string()))
            .collect(),
        bfd: vc.bfd,
        mtu: vc.mtu,
    }
}
