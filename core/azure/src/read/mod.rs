//! From the estate to [`AzureModel`].

mod balancers;
mod circuits;
mod firewalls;
mod hubs;
mod networks;
mod security;

use skybridge_estate::{Estate, Phase, Resource};

pub(crate) use circuits::{gateway_addresses, is_expressroute, provider_state, tier};
pub(crate) use hubs::{default_table, hub_prefix};
pub(crate) use networks::{machine_has, machine_of};
pub(crate) use security::{port_range, protocol_number};

use crate::kinds;
use crate::model::{AzureModel, Gap};

impl AzureModel {
    /// Everything of Azure in an estate that is usable; gateways, circuits and connections in any phase,
    /// because their phase is part of them.
    #[must_use]
    pub fn read(estate: &Estate) -> Self {
        let mut gaps = Vec::new();
        let mut model = Self {
            vnets: networks::vnets(estate, &mut gaps),
            security_groups: security::groups(estate, &mut gaps),
            route_tables: networks::route_tables(estate, &mut gaps),
            interfaces: networks::interfaces(estate, &mut gaps),
            gateways: circuits::gateways(estate, &mut gaps),
            circuits: circuits::circuits(estate, &mut gaps),
            connections: circuits::connections(estate, &mut gaps),
            balancers: balancers::balancers(estate, &mut gaps),
            firewalls: firewalls::firewalls(estate, &mut gaps),
            gaps: Vec::new(),
        };
        hubs::add(estate, &mut model, &mut gaps);
        for resource in estate.resources() {
            if is_foreign(resource) {
                gap(
                    &mut gaps,
                    resource,
                    format!("{} is not modelled", resource.kind),
                );
            }
        }
        model.gaps = gaps;
        model
    }
}

/// A resource of Azure of a type that nobody reads.
fn is_foreign(resource: &Resource) -> bool {
    resource.cloud == skybridge_estate::Cloud::Azure
        && kinds::canonical(resource.kind.as_str()).is_none()
}

fn gap(gaps: &mut Vec<Gap>, resource: &Resource, what: impl Into<String>) {
    gaps.push(Gap {
        resource: resource.id.clone(),
        what: what.into(),
    });
}

/// True when the resource takes part in forwarding.
const fn exists(resource: &Resource) -> bool {
    matches!(
        resource.phase,
        Phase::Ready | Phase::Updating | Phase::Deleting | Phase::Failed
    )
}

#[cfg(test)]
mod tests;
