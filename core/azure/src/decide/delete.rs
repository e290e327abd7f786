//! DELETE: what happens is decided by `data/deletions.csv`; here is only which of its conditions holds.

use skybridge_base::Instant;
use skybridge_catalogue::{Deletion, DeletionOutcome, LifecycleOp, catalogue};
use skybridge_estate::{Estate, OperationKind, Phase, Refusal, Resource, ResourceId, Txn, Write};

use super::gateway::sits_in;
use super::interface::configurations;
use super::put::begin;
use super::{connection, done_at, refuse_when_busy};
use crate::doc::Doc;
use crate::kinds;
use crate::model::ProviderState;
use crate::read::{machine_of, provider_state};
use crate::rules::refuse;

pub(super) fn delete(estate: &Estate, id: &ResourceId, now: Instant) -> Result<Txn, Refusal> {
    let mut txn = Txn::default();
    let Some(resource) = estate.resource(id) else {
        // ARM answers 204 to the deletion of what is not there.
        return Ok(txn);
    };
    refuse_when_busy(estate, &resource.id, resource.parent.as_ref())?;
    let (condition, users) = condition(estate, resource);
    if let Some(row) = catalogue().deletion(resource.kind.as_str(), condition)
        && let DeletionOutcome::Refused { code, status } = &row.outcome
    {
        return Err(Refusal {
            retryable: are_leaving(estate, &users),
            ..refused(resource, row, code, *status, &users)
        });
    }
    txn.based_on
        .push((resource.id.clone(), Some(resource.revision)));
    let due = done_at(estate, resource.kind.as_str(), LifecycleOp::Delete, now);
    let mut leaving = resource.clone();
    leaving.phase = Phase::Deleting;
    set_state(&mut leaving, "Deleting");
    begin(estate, &mut txn, leaving, OperationKind::Delete, due);
    Ok(txn)
}

/// True when everything that is in the way is being deleted: the same request passes later.
fn are_leaving(estate: &Estate, users: &[ResourceId]) -> bool {
    let leaving = |id: &ResourceId| {
        let user = estate.resource(id);
        user.is_none_or(|u| u.phase == Phase::Deleting)
    };
    users.iter().all(leaving)
}

fn refused(
    resource: &Resource,
    row: &'static Deletion,
    code: &'static str,
    status: u16,
    users: &[ResourceId],
) -> Refusal {
    let list: Vec<&str> = users.iter().map(ResourceId::as_str).collect();
    let message = format!(
        "{} cannot be deleted: {} ({})",
        resource.id,
        row.description,
        list.join(", ")
    );
    Refusal {
        code,
        status,
        ..refuse("azure.deletion-order", "", message)
    }
}

/// Sets `provisioningState`.
pub(super) fn set_state(resource: &mut Resource, state: &str) {
    set_property(resource, "provisioningState", state.into());
}

/// Sets a computed property.
pub(super) fn set_property(resource: &mut Resource, name: &str, value: serde_json::Value) {
    if let Some(properties) = resource
        .computed
        .pointer_mut("/properties")
        .and_then(serde_json::Value::as_object_mut)
    {
        properties.insert(name.to_owned(), value);
    }
}

/// True when the deletion that is due ends in a failed resource.
pub(super) fn fails(estate: &Estate, resource: &Resource) -> bool {
    let (condition, _) = condition(estate, resource);
    catalogue()
        .deletion(resource.kind.as_str(), condition)
        .is_some_and(|row| row.outcome == DeletionOutcome::AcceptedThenFailed)
}

/// The condition of `data/deletions.csv` that holds, and who makes it hold.
fn condition(estate: &Estate, resource: &Resource) -> (&'static str, Vec<ResourceId>) {
    let ids = |found: Vec<&Resource>| found.into_iter().map(|r| r.id.clone()).collect::<Vec<_>>();
    let either = |users: Vec<ResourceId>, used: &'static str| {
        (if users.is_empty() { "idle" } else { used }, users)
    };
    match resource.kind.as_str() {
        kinds::VNET => {
            let subnets = estate.children(&resource.id);
            let users = subnets.flat_map(|s| subnet_users(estate, &s.id)).collect();
            either(users, "subnet-in-use")
        }
        kinds::SUBNET => either(subnet_users(estate, &resource.id), "in-use"),
        kinds::NSG => either(
            referrers(estate, "/properties/networkSecurityGroup/id", resource),
            "associated",
        ),
        kinds::ROUTE_TABLE => either(
            referrers(estate, "/properties/routeTable/id", resource),
            "associated",
        ),
        kinds::NIC => {
            let users = machine_of(estate, &resource.id).into_iter().collect();
            either(ids(users), "attached")
        }
        kinds::PUBLIC_IP => either(address_users(estate, resource), "in-use"),
        kinds::FIREWALL_POLICY => {
            let firewalls = referrers(estate, "/properties/firewallPolicy/id", resource);
            let heirs = referrers(estate, "/properties/basePolicy/id", resource);
            either(firewalls.into_iter().chain(heirs).collect(), "in-use")
        }
        kinds::POOL | kinds::PROBE => either(parts_users(estate, resource), "in-use"),
        kinds::IP_GROUP => either(group_users(estate, resource), "in-use"),
        kinds::WAN => either(
            referrers(estate, "/properties/virtualWan/id", resource),
            "in-use",
        ),
        kinds::HUB => {
            let gateways = referrers(estate, "/properties/virtualHub/id", resource);
            let children = estate.children(&resource.id).map(|r| r.id.clone());
            either(children.chain(gateways).collect(), "in-use")
        }
        kinds::HUB_GATEWAY => {
            let children = estate.children(&resource.id).map(|r| r.id.clone());
            either(children.collect(), "has-connections")
        }
        kinds::GATEWAY => either(
            ids(connection::of_gateway(estate, resource)),
            "has-connections",
        ),
        kinds::CIRCUIT => {
            let users = ids(connection::of_circuit(estate, resource));
            match provider_state(&Doc::of(resource)) {
                _ if !users.is_empty() => ("has-connections", users),
                ProviderState::NotProvisioned => ("not-provisioned", users),
                ProviderState::Provisioning => ("provider-provisioning", users),
                ProviderState::Provisioned | ProviderState::Deprovisioning => {
                    ("provider-provisioned", users)
                }
            }
        }
        kinds::PEERING => {
            let circuit = resource.parent.as_ref().and_then(|p| estate.resource(p));
            let is_private = resource.name.eq_ignore_ascii_case(super::peering::PRIVATE);
            let users = circuit.filter(|_| is_private);
            let users = users.map_or_else(Vec::new, |c| connection::of_circuit(estate, c));
            either(ids(users), "has-connections")
        }
        _ => ("any", Vec::new()),
    }
}

/// Network interfaces, gateways, firewalls and load balancers in a subnet.
pub(super) fn subnet_users(estate: &Estate, subnet: &ResourceId) -> Vec<ResourceId> {
    let Some(subnet) = estate.resource(subnet) else {
        return Vec::new();
    };
    let users = estate.naming(&subnet.id).filter(|r| sits_in(r, subnet));
    let mut users: Vec<&Resource> = users
        .filter(|r| {
            matches!(
                r.kind.as_str(),
                kinds::NIC | kinds::GATEWAY | kinds::FIREWALL
            )
        })
        .collect();
    users.sort_by_key(|r| (r.kind.as_str() != kinds::NIC, &r.id));
    users.into_iter().map(|r| r.id.clone()).collect()
}

/// Rules of a load balancer that name a pool or a probe.
fn parts_users(estate: &Estate, part: &Resource) -> Vec<ResourceId> {
    let rules = estate.naming(&part.id);
    let rules = rules.filter(|r| r.kind.as_str() == kinds::BALANCING_RULE);
    rules.map(|r| r.id.clone()).collect()
}

/// Collections of rules that name a group of addresses.
fn group_users(estate: &Estate, group: &Resource) -> Vec<ResourceId> {
    let is_rules = |r: &&Resource| {
        matches!(
            r.kind.as_str(),
            kinds::RULE_GROUP | kinds::NETWORK_RULES | kinds::APPLICATION_RULES | kinds::NAT_RULES
        )
    };
    let users = estate.naming(&group.id).filter(is_rules);
    users.map(|r| r.id.clone()).collect()
}

/// Resources whose reference at `pointer` leads to `target`.
fn referrers(estate: &Estate, pointer: &str, target: &Resource) -> Vec<ResourceId> {
    let leads = |r: &&Resource| {
        Doc::of(r)
            .reference(pointer)
            .is_some_and(|id| kinds::same_id(&id, &target.id))
    };
    estate
        .naming(&target.id)
        .filter(leads)
        .map(|r| r.id.clone())
        .collect()
}

fn address_users(estate: &Estate, address: &Resource) -> Vec<ResourceId> {
    let has = |r: &&Resource| {
        let doc = Doc::of(r);
        configurations(&doc)
            .iter()
            .filter_map(|at| doc.reference(&format!("{at}/properties/publicIPAddress/id")))
            .any(|id| kinds::same_id(&id, &address.id))
    };
    let users = estate.naming(&address.id).filter(has);
    users
        .filter(|r| {
            matches!(
                r.kind.as_str(),
                kinds::NIC | kinds::GATEWAY | kinds::FIREWALL
            )
        })
        .map(|r| r.id.clone())
        .collect()
}

/// Removes a resource, everything nested in it, and what they hold.
pub(super) fn remove(estate: &Estate, resource: &Resource, txn: &mut Txn) {
    for child in estate.children(&resource.id) {
        remove(estate, child, txn);
    }
    let configs = configurations(&Doc::of(resource)).len();
    for index in 0..configs {
        let key = super::interface::holder(&resource.id, index);
        txn.writes.push(Write::Release { key });
    }
    let key = resource.id.as_str().to_owned();
    txn.writes.push(Write::Release { key });
    txn.writes.push(Write::Remove(resource.id.clone()));
    for operation in estate.operations().filter(|o| o.resource == resource.id) {
        txn.writes.push(Write::End(operation.id));
    }
}
