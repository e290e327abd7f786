//! Deletions: what stands in the way (data/deletions.csv), and what goes along.

use serde_json::json;
use skybridge_catalogue::{DeletionOutcome, catalogue};
use skybridge_estate::{Estate, OperationKind, Phase, Refusal, Resource, ResourceId};

use super::draft::Draft;
use super::{circuit, nothing_in_the_way, peering, vnic, with_phase};
use crate::kinds;
use crate::wish::{conflict, not_found};

/// Why a resource cannot be deleted as things are.
#[derive(Debug)]
struct Obstacle {
    /// The condition's name in the table of deletions.
    condition: &'static str,
    /// In words.
    message: String,
    /// What is in the way is being deleted itself: the same request may pass later.
    leaves: bool,
}

impl Obstacle {
    /// For good, or until someone deletes something.
    const fn new(condition: &'static str, message: String) -> Self {
        Self {
            condition,
            message,
            leaves: false,
        }
    }

    /// Another resource is in the way.
    fn of(condition: &'static str, message: String, by: &Resource) -> Self {
        Self {
            leaves: by.phase == Phase::Deleting,
            ..Self::new(condition, message)
        }
    }
}

/// Deletes a resource, or begins to.
pub(super) fn delete(draft: &mut Draft<'_>, id: &ResourceId) -> Result<(), Refusal> {
    let resource = draft
        .estate
        .resource(id)
        .filter(|r| kinds::spec(r.kind.as_str()).is_some() && r.phase != Phase::Deleting)
        .ok_or_else(|| not_found(None, id.as_str()))?;
    let vain = circuit::waits_in_vain(draft.estate, resource);
    if !vain {
        nothing_in_the_way(draft.estate, id, resource.parent.as_ref())?;
    }
    if let Some(obstacle) = obstacle(draft.estate, resource) {
        refused(resource.kind.as_str(), obstacle)?;
    }
    draft.rest_on(resource);
    let slow = kinds::spec(resource.kind.as_str()).is_some_and(|s| s.slow);
    if resource.kind.as_str() == kinds::VIRTUAL_CIRCUIT {
        circuit::terminate(draft, resource);
    } else if slow {
        let leaving = with_phase(resource.clone(), Phase::Deleting);
        draft.begin(&leaving, OperationKind::Delete);
        let vnics: Vec<&Resource> = match leaving.kind.as_str() {
            kinds::INSTANCE => vnic::of_instance(draft, &leaving.id).collect(),
            kinds::VNIC_ATTACHMENT => vnic::of_attachment(draft, &leaving).into_iter().collect(),
            _ => Vec::new(),
        };
        for vnic in vnics {
            draft.insert(with_phase(vnic.clone(), Phase::Deleting));
        }
        draft.insert(leaving);
    } else {
        part(draft, resource);
        remove(draft, resource);
    }
    Ok(())
}

/// What else goes, or changes, with a peering or an IPsec connection.
fn part(draft: &mut Draft<'_>, resource: &Resource) {
    match resource.kind.as_str() {
        kinds::LOCAL_PEERING_GATEWAY => peering::part(draft, resource),
        kinds::REMOTE_PEERING => {
            peering::part(draft, resource);
            peering::detach(draft, resource);
        }
        kinds::IPSEC => {
            for tunnel in draft.estate.children(&resource.id) {
                peering::detach(draft, tunnel);
            }
        }
        _ => {}
    }
}

/// What the table of deletions says about a condition; conditions that it does not list are refused.
fn refused(kind: &str, obstacle: Obstacle) -> Result<(), Refusal> {
    let row = catalogue().deletion(kind, obstacle.condition);
    let usual = Refusal {
        retryable: obstacle.leaves,
        ..conflict(Some("oci.deletion"), obstacle.message)
    };
    match row.map(|r| &r.outcome) {
        Some(DeletionOutcome::Allowed | DeletionOutcome::AcceptedThenFailed) => Ok(()),
        Some(DeletionOutcome::Refused { code, status }) => Err(Refusal {
            code,
            status: *status,
            ..usual
        }),
        None => Err(usual),
    }
}

/// Removes a resource and everything nested in it.
pub(super) fn remove(draft: &mut Draft<'_>, resource: &Resource) {
    for child in draft.estate.children(&resource.id) {
        remove(draft, child);
    }
    if resource.kind.as_str() == kinds::VNIC_ATTACHMENT
        && let Some(vnic) = vnic::of_attachment(draft, resource)
    {
        remove(draft, vnic);
    }
    if resource.kind.as_str() == kinds::PRIVATE_IP {
        let on_it = |ip: &&Resource| {
            let named = ip
                .doc
                .get("privateIpId")
                .and_then(serde_json::Value::as_str);
            ip.text("/lifetime") == Some("EPHEMERAL") && named == Some(resource.id.as_str())
        };
        for ip in draft.estate.of_kind(kinds::PUBLIC_IP).filter(on_it) {
            draft.remove(&ip.id);
        }
    }
    draft.remove(&resource.id);
}

/// True when `user` names `id` in one of its `pointers`.
fn names(user: &Resource, pointers: &[&str], id: &str) -> bool {
    pointers.iter().any(|p| match user.field(p) {
        Some(serde_json::Value::Array(items)) => items.contains(&json!(id)),
        Some(value) => value.as_str() == Some(id),
        None => false,
    })
}

/// The first resource of `kind` that names `id`.
fn user<'a>(
    estate: &'a Estate,
    kind: &'a str,
    pointers: &[&str],
    id: &str,
) -> Option<&'a Resource> {
    let mut users = estate.naming(&id.into());
    users.find(|r| r.kind.as_str() == kind && names(r, pointers, id))
}

/// A route rule's table whose target is `id`.
fn routed_at<'a>(estate: &'a Estate, id: &str) -> Option<&'a Resource> {
    let mut users = (estate.naming(&id.into())).filter(|r| r.kind.as_str() == kinds::ROUTE_TABLE);
    users.find(|t| {
        let rules = t.field("/routeRules").and_then(serde_json::Value::as_array);
        rules.is_some_and(|rules| {
            rules
                .iter()
                .any(|r| r.get("networkEntityId").and_then(serde_json::Value::as_str) == Some(id))
        })
    })
}

/// Why a resource cannot be deleted in its condition: what stands in the way first.
fn obstacle(estate: &Estate, resource: &Resource) -> Option<Obstacle> {
    let id = resource.id.as_str();
    let label = resource.label();
    let used = |rule: &'static str, what: &str, by: Option<&Resource>| {
        by.map(|by| {
            let message = format!("{label} {what} {}", by.label());
            Obstacle::of(rule, message, by)
        })
    };
    match resource.kind.as_str() {
        kinds::VCN => {
            let child = estate
                .children(&resource.id)
                .find(|c| !is_default(resource, c));
            used("not-empty", "still holds", child).or_else(|| {
                let attachment = super::drg::attachment_of(estate, id);
                used("not-empty", "is still attached by", attachment)
            })
        }
        kinds::SUBNET => {
            let vnic = user(estate, kinds::VNIC, &["/subnetId"], id);
            used("has-vnics", "still holds VNIC", vnic)
        }
        kinds::ROUTE_TABLE | kinds::SECURITY_LIST | kinds::DHCP_OPTIONS => {
            part_of_subnet(estate, resource)
        }
        kinds::SECURITY_GROUP => {
            let vnic = user(estate, kinds::VNIC, &["/nsgIds"], id);
            used("has-vnics", "still has the VNIC", vnic)
        }
        kinds::INTERNET_GATEWAY
        | kinds::NAT_GATEWAY
        | kinds::SERVICE_GATEWAY
        | kinds::LOCAL_PEERING_GATEWAY => used(
            "route-target",
            "is the target of a route rule in",
            routed_at(estate, id),
        ),
        kinds::DRG => {
            let target = routed_at(estate, id);
            used("route-target", "is the target of a route rule in", target).or_else(|| {
                let attachment = estate
                    .children(&resource.id)
                    .find(|c| c.kind.as_str() == kinds::DRG_ATTACHMENT);
                used("attached", "still has the attachment", attachment)
            })
        }
        kinds::DRG_ATTACHMENT => attachment(estate, resource),
        kinds::DRG_ROUTE_TABLE => {
            let drg = resource.parent.as_ref().and_then(|p| estate.resource(p));
            let defaults = drg.and_then(|d| d.field("/defaultDrgRouteTables")?.as_object());
            if defaults.is_some_and(|d| d.values().any(|v| v.as_str() == Some(id))) {
                let message = format!("{label} is the default table of an attachment type");
                return Some(Obstacle::new("default", message));
            }
            let attachment = user(estate, kinds::DRG_ATTACHMENT, &["/drgRouteTableId"], id);
            used("in-use", "is used by", attachment)
        }
        kinds::DRG_ROUTE_DISTRIBUTION => {
            let table = user(
                estate,
                kinds::DRG_ROUTE_TABLE,
                &["/importDrgRouteDistributionId"],
                id,
            );
            used("in-use", "is used by", table)
        }
        kinds::CPE => {
            let connection = user(estate, kinds::IPSEC, &["/cpeId"], id);
            used("in-use", "is used by", connection)
        }
        kinds::CROSS_CONNECT_GROUP => {
            let pointers = ["/crossConnectGroupId"];
            let member = user(estate, kinds::CROSS_CONNECT, &pointers, id);
            used("in-use", "still holds", member).or_else(|| mapped(estate, resource))
        }
        kinds::CROSS_CONNECT => mapped(estate, resource),
        kinds::IPSEC_TUNNEL => {
            let message = format!("{label} goes with its IPsec connection");
            Some(Obstacle::new("with-connection", message))
        }
        kinds::VNIC => {
            let message = format!("{label} goes with its instance or attachment");
            Some(Obstacle::new("with-instance", message))
        }
        kinds::PRIVATE_IP if resource.field("/isPrimary") == Some(&json!(true)) => {
            let message = format!("{label} goes with its VNIC");
            Some(Obstacle::new("with-vnic", message))
        }
        kinds::PRIVATE_IP => used(
            "route-target",
            "is the target of a route rule in",
            routed_at(estate, id),
        ),
        _ => None,
    }
}

/// A virtual circuit runs over it.
fn mapped(estate: &Estate, resource: &Resource) -> Option<Obstacle> {
    let id = resource.id.as_str();
    let over = |circuit: &&Resource| {
        let mappings = circuit.field("/crossConnectMappings");
        let mappings = mappings.and_then(serde_json::Value::as_array);
        mappings.is_some_and(|all| {
            all.iter().any(|m| {
                let named = m.get("crossConnectOrCrossConnectGroupId");
                named.and_then(serde_json::Value::as_str) == Some(id)
            })
        })
    };
    let circuit = estate.of_kind(kinds::VIRTUAL_CIRCUIT).find(over)?;
    let message = format!("{} carries {}", resource.label(), circuit.label());
    Some(Obstacle::of("in-use", message, circuit))
}

/// True for the objects that a VCN is created with.
fn is_default(vcn: &Resource, child: &Resource) -> bool {
    [
        "/defaultRouteTableId",
        "/defaultSecurityListId",
        "/defaultDhcpOptionsId",
    ]
    .iter()
    .any(|p| vcn.text(p) == Some(child.id.as_str()))
}

/// Route tables, security lists and DHCP options: not while in use, and never the defaults.
fn part_of_subnet(estate: &Estate, resource: &Resource) -> Option<Obstacle> {
    let id = resource.id.as_str();
    let label = resource.label();
    let vcn = resource.parent.as_ref().and_then(|p| estate.resource(p));
    if vcn.is_some_and(|v| is_default(v, resource)) {
        let message = format!("{label} is a default object of its VCN and goes with it");
        return Some(Obstacle::new("default", message));
    }
    let pointers = ["/routeTableId", "/securityListIds", "/dhcpOptionsId"];
    let subnet = user(estate, kinds::SUBNET, &pointers, id);
    let pointers = ["/networkDetails/routeTableId"];
    let attachment = || user(estate, kinds::DRG_ATTACHMENT, &pointers, id);
    let by = subnet.or_else(attachment)?;
    let message = format!("{label} is used by {}", by.label());
    Some(Obstacle::of("in-use", message, by))
}

/// Attachments of circuits go with them; of those of VCNs the table says what route rules to the DRG do.
fn attachment(estate: &Estate, resource: &Resource) -> Option<Obstacle> {
    let label = resource.label();
    if resource.text("/networkDetails/type") != Some("VCN") {
        let message = format!("{label} belongs to what it attaches and goes with it");
        return Some(Obstacle::new("not-deletable", message));
    }
    let drg = resource.parent.as_ref()?.as_str();
    let vcn = resource.text("/networkDetails/id")?;
    let table = estate
        .naming(&drg.into())
        .filter(|t| t.kind.as_str() == kinds::ROUTE_TABLE)
        .filter(|t| t.parent.as_ref().is_some_and(|p| p.as_str() == vcn))
        .find(|t| {
            let rules = t.field("/routeRules").and_then(serde_json::Value::as_array);
            rules.is_some_and(|rules| {
                rules.iter().any(|r| {
                    r.get("networkEntityId").and_then(serde_json::Value::as_str) == Some(drg)
                })
            })
        })?;
    let message = format!(
        "{label}: a route rule of {} points at its DRG",
        table.label()
    );
    Some(Obstacle::of("route-target", message, table))
}
