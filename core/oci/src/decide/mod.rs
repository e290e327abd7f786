//! OCI's decisions: what a request does, and what each due step of an operation does.

pub(crate) mod circuit;
mod delete;
mod draft;
pub(crate) mod drg;
mod instance;
pub(crate) mod legs;
pub(crate) mod network;
pub(crate) mod peering;
mod public;
mod vnic;

use serde_json::{Map, Value as Json, json};
use skybridge_base::Instant;
use skybridge_estate::{
    Command, Decide, Estate, Operation, OperationKind, Party, Phase, PutRequest, Refusal, Resource,
    ResourceId, Txn,
};

use crate::kinds::{self, KindSpec};
use crate::ocid::{HOME_REGION, region_of};
use crate::wish::{Wish, busy, not_found, not_implemented, usable};
use draft::Draft;

pub use circuit::{azure_circuit, effective_bandwidth_mbps};

/// OCI's control plane.
///
/// Documents have the field names of the core services API (`cidrBlocks`, `vcnId` …). What is nested
/// names its parent in the document (`vcnId`, `drgId`), and [`PutRequest::parent`] may be left empty.
/// A request that changes something holds only the fields to change; `null` resets a field.
/// Resources that stand alone take their region from a field `region` (which virtual circuits really
/// have, and front doors add for VCNs and DRGs); without one they stand in [`HOME_REGION`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Oci;

impl Decide for Oci {
    fn decide(&self, estate: &Estate, command: &Command, now: Instant) -> Result<Txn, Refusal> {
        let mut draft = Draft::new(estate, now);
        match command {
            Command::Put(put) => match &put.id {
                Some(id) => change(&mut draft, put, id)?,
                None => create(&mut draft, put)?,
            },
            Command::Delete { id, .. } => delete::delete(&mut draft, id)?,
            Command::Provider { .. } => {
                let message = "circuits of connectivity providers belong to Azure".to_owned();
                return Err(not_implemented(message));
            }
        }
        Ok(draft.txn)
    }

    fn step(&self, estate: &Estate, operation: &Operation, now: Instant) -> Txn {
        let mut draft = Draft::new(estate, now);
        let Some(resource) = estate.resource(&operation.resource) else {
            draft.end(operation);
            return draft.txn;
        };
        if resource.kind.as_str() == kinds::VIRTUAL_CIRCUIT {
            circuit::step(&mut draft, operation, resource);
            return draft.txn;
        }
        match operation.kind {
            OperationKind::Create | OperationKind::Update | OperationKind::Provider => {
                let ready = with_phase(resource.clone(), Phase::Ready);
                match ready.kind.as_str() {
                    kinds::INSTANCE => instance::start(&mut draft, &ready),
                    kinds::VNIC_ATTACHMENT => {
                        if let Some(vnic) = vnic::of_attachment(&draft, &ready) {
                            draft.insert(with_phase(vnic.clone(), Phase::Ready));
                        }
                    }
                    _ => {}
                }
                draft.insert(ready);
            }
            OperationKind::Delete => delete::remove(&mut draft, resource),
        }
        draft.end(operation);
        draft.txn
    }
}

/// The same resource in another phase, with the lifecycle state that goes with it.
fn with_phase(mut resource: Resource, phase: Phase) -> Resource {
    resource.phase = phase;
    if let Some(spec) = kinds::spec(resource.kind.as_str()) {
        set(
            &mut resource.computed,
            "lifecycleState",
            json!(spec.state(phase)),
        );
    }
    resource
}

/// Sets a field of an object.
pub(crate) fn set(object: &mut Json, name: &str, value: Json) {
    if let Some(map) = object.as_object_mut() {
        map.insert(name.to_owned(), value);
    }
}

/// Refuses while something on the resource, its parent or a sibling is under way.
fn nothing_in_the_way(
    estate: &Estate,
    id: &ResourceId,
    parent: Option<&ResourceId>,
) -> Result<(), Refusal> {
    match estate.in_the_way(id, parent) {
        Some(operation) => {
            let label = estate
                .resource(&operation.resource)
                .map_or(operation.resource.as_str(), Resource::label);
            Err(busy(format!("another operation is in progress on {label}")))
        }
        None => Ok(()),
    }
}

/// What a kind computes for a document that passed its checks.
fn compute(draft: &mut Draft<'_>, wish: &Wish<'_>, spec: &KindSpec) -> Result<Json, Refusal> {
    match spec.kind {
        kinds::VCN => network::vcn(draft, wish),
        kinds::SUBNET => network::subnet(draft, wish),
        kinds::ROUTE_TABLE => network::route_table(wish),
        kinds::SECURITY_LIST => network::security_list(wish),
        kinds::SECURITY_GROUP_RULE => network::security_group_rule(wish),
        kinds::SECURITY_GROUP => network::security_group(wish),
        kinds::INTERNET_GATEWAY => network::internet_gateway(wish),
        kinds::DRG => drg::drg(wish),
        kinds::DRG_ATTACHMENT => drg::attachment(wish),
        kinds::DRG_ROUTE_TABLE => drg::route_table(wish),
        kinds::DRG_ROUTE_RULE => drg::route_rule(wish),
        kinds::DRG_ROUTE_DISTRIBUTION => drg::distribution(wish),
        kinds::DRG_ROUTE_DISTRIBUTION_STATEMENT => drg::statement(wish),
        kinds::VIRTUAL_CIRCUIT => circuit::circuit(draft, wish),
        kinds::REMOTE_PEERING => peering::remote(wish),
        kinds::LOCAL_PEERING_GATEWAY => peering::local(wish),
        kinds::IPSEC => peering::ipsec(wish),
        kinds::IPSEC_TUNNEL => peering::tunnel(wish),
        kinds::INSTANCE => instance::instance(wish),
        kinds::PUBLIC_IP => public::public_ip(wish),
        kinds::CROSS_CONNECT => public::cross_connect(wish),
        kinds::VNIC => vnic::vnic(wish),
        kinds::VNIC_ATTACHMENT => vnic::attachment(wish),
        kinds::PRIVATE_IP => vnic::private_ip(wish),
        _ => Ok(json!({})),
    }
}

/// A new resource.
fn create(draft: &mut Draft<'_>, put: &PutRequest) -> Result<(), Refusal> {
    let spec = known(put.kind.as_str())?;
    let mut doc = put.doc.clone();
    let parent = match spec.parent {
        None => None,
        Some((field, kind)) => Some(parent_of(draft.estate, put, field, kind)?),
    };
    let region = match parent {
        Some(parent) => region_of(parent.id.as_str())
            .unwrap_or(HOME_REGION)
            .to_owned(),
        None => own_region(draft.estate, spec, &mut doc)?,
    };
    let id = draft.ocid(spec.ocid, &region);
    nothing_in_the_way(draft.estate, &id, parent.map(|p| &p.id))?;
    let wish = Wish {
        estate: draft.estate,
        existing: None,
        parent,
        doc: &doc,
        unknown: &put.unknown,
    };
    let mut computed = compute(draft, &wish, spec)?;
    set(&mut computed, "id", json!(id.as_str()));
    if spec.parent.is_none() {
        set(&mut computed, "region", json!(region));
    }
    if let Some(parent) = parent {
        draft.rest_on(parent);
    }
    let phase = if spec.slow {
        Phase::Creating
    } else {
        Phase::Ready
    };
    let name = display_name(put, spec, draft.now);
    set(&mut computed, "displayName", json!(name));
    let resource = Resource {
        id,
        cloud: skybridge_estate::Cloud::Oci,
        kind: put.kind.clone(),
        name,
        parent: parent.map(|p| p.id.clone()),
        doc,
        computed,
        unknown: put.unknown.clone(),
        phase,
        revision: 0,
        created_at: draft.now,
        origin: put.origin.clone(),
    };
    let mut resource = with_phase(resource, phase);
    match spec.kind {
        kinds::VCN => network::add_defaults(draft, &mut resource, &region),
        kinds::DRG => drg::add_defaults(draft, &mut resource, &region),
        kinds::INSTANCE => instance::add_vnic(draft, &mut resource, &region)?,
        kinds::VNIC_ATTACHMENT => vnic::attach(draft, &mut resource, &region)?,
        kinds::PRIVATE_IP => vnic::add_address(draft, &mut resource)?,
        kinds::PUBLIC_IP => public::add_address(draft, &mut resource),
        kinds::VIRTUAL_CIRCUIT => circuit::add_attachment(draft, &resource, &region),
        kinds::LOCAL_PEERING_GATEWAY => peering::join(draft, &resource),
        kinds::REMOTE_PEERING => {
            peering::join(draft, &resource);
            if let Some(drg) = &resource.parent {
                peering::attach(draft, &resource, drg, "REMOTE_PEERING_CONNECTION");
            }
        }
        kinds::IPSEC => peering::add_tunnels(draft, &resource),
        _ => {}
    }
    if spec.slow {
        draft.begin(&resource, OperationKind::Create);
    }
    draft.insert(resource);
    Ok(())
}

/// The kind, or 501.
fn known(kind: &str) -> Result<&'static KindSpec, Refusal> {
    kinds::spec(kind).ok_or_else(|| not_implemented(format!("{kind} is not supported")))
}

/// What a new resource is nested in.
fn parent_of<'a>(
    estate: &'a Estate,
    put: &PutRequest,
    field: &str,
    kind: &str,
) -> Result<&'a Resource, Refusal> {
    let pointer = format!("/{field}");
    let named = put.doc.pointer(&pointer).and_then(Json::as_str);
    let id = named
        .or_else(|| put.parent.as_ref().map(ResourceId::as_str))
        .ok_or_else(|| Refusal {
            code: "MissingParameter",
            status: 400,
            message: format!("{field} is required"),
            pointer: Some(pointer.clone()),
            rule: None,
            retryable: false,
        })?;
    let parent = usable(estate, id, Some(&pointer))?;
    if parent.kind.as_str() != kind {
        return Err(not_found(Some(&pointer), id));
    }
    Ok(parent)
}

/// The region of something that stands alone.
fn own_region(estate: &Estate, spec: &KindSpec, doc: &mut Json) -> Result<String, Refusal> {
    if spec.kind == kinds::INSTANCE {
        let subnet = ["/createVnicDetails/subnetId", "/subnetId"]
            .iter()
            .find_map(|p| doc.pointer(p).and_then(Json::as_str));
        if let Some(region) = subnet.and_then(region_of) {
            return Ok(region.to_owned());
        }
    }
    let named = doc.get("region").and_then(Json::as_str).map(str::to_owned);
    if spec.kind != kinds::VIRTUAL_CIRCUIT {
        // Not a field of the API: the region is the endpoint's.
        if let Some(map) = doc.as_object_mut() {
            map.remove("region");
        }
    }
    if let Some(region) = named {
        return Ok(region);
    }
    let gateway = doc.get("gatewayId").and_then(Json::as_str);
    let gateway = gateway
        .map(|id| usable(estate, id, Some("/gatewayId")))
        .transpose()?;
    let region = gateway.and_then(|g| region_of(g.id.as_str()));
    Ok(region.unwrap_or(HOME_REGION).to_owned())
}

/// The display name; OCI makes one up from the type and the time.
fn display_name(put: &PutRequest, spec: &KindSpec, now: Instant) -> String {
    if let Some(name) = put.doc.get("displayName").and_then(Json::as_str) {
        return name.to_owned();
    }
    if put.name.is_empty() {
        return format!("{}{:014}", spec.ocid, now.as_millis());
    }
    put.name.clone()
}

/// Changes what exists.
fn change(draft: &mut Draft<'_>, put: &PutRequest, id: &ResourceId) -> Result<(), Refusal> {
    let spec = known(put.kind.as_str())?;
    let existing = draft
        .estate
        .resource(id)
        .filter(|r| r.kind == put.kind && r.phase != Phase::Deleting)
        .ok_or_else(|| not_found(None, id.as_str()))?;
    let waits =
        spec.kind == kinds::VIRTUAL_CIRCUIT && circuit::waits_in_vain(draft.estate, existing);
    if !waits {
        nothing_in_the_way(draft.estate, id, existing.parent.as_ref())?;
    }
    let mut patch = put.doc.clone();
    if spec.parent.is_none()
        && spec.kind != kinds::VIRTUAL_CIRCUIT
        && let Some(map) = patch.as_object_mut()
    {
        map.remove("region");
    }
    let (doc, unknown) = merged(existing, &patch, put);
    let parent = existing
        .parent
        .as_ref()
        .and_then(|p| draft.estate.resource(p));
    if parent.is_none() && spec.parent.is_some() {
        return Err(not_found(None, id.as_str()));
    }
    let wish = Wish {
        estate: draft.estate,
        existing: Some(existing),
        parent,
        doc: &doc,
        unknown: &unknown,
    };
    let mut computed = existing.computed.clone();
    overlay(&mut computed, compute(draft, &wish, spec)?);
    draft.rest_on(existing);
    let mut resource = Resource {
        doc,
        computed,
        unknown,
        origin: put.origin.clone().or_else(|| existing.origin.clone()),
        ..existing.clone()
    };
    if let Some(name) = resource.doc.get("displayName").and_then(Json::as_str) {
        resource.name = name.to_owned();
        let name = json!(resource.name);
        set(&mut resource.computed, "displayName", name);
    }
    match spec.kind {
        kinds::VIRTUAL_CIRCUIT => circuit::update(draft, existing, resource),
        kinds::INSTANCE => {
            instance::update_vnic(draft, &resource);
            draft.insert(resource);
        }
        kinds::VNIC_ATTACHMENT => {
            let details = resource.doc.get("createVnicDetails");
            if let (Some(vnic), Some(details)) = (vnic::of_attachment(draft, &resource), details) {
                vnic::follow(draft, vnic, details);
            }
            draft.insert(resource);
        }
        kinds::PRIVATE_IP => {
            vnic::move_address(&mut resource);
            draft.insert(resource);
        }
        kinds::REMOTE_PEERING | kinds::LOCAL_PEERING_GATEWAY => {
            if existing.doc.get("peerId") != resource.doc.get("peerId") {
                peering::part(draft, existing);
                peering::join(draft, &resource);
            }
            draft.insert(resource);
        }
        _ => draft.insert(resource),
    }
    Ok(())
}

/// The document after a change: fields of the request replace fields of the document, `null` removes.
fn merged(
    existing: &Resource,
    patch: &Json,
    put: &PutRequest,
) -> (Json, std::collections::BTreeSet<String>) {
    let mut doc = existing.doc.as_object().cloned().unwrap_or_default();
    let empty = Map::new();
    let patch = patch.as_object().unwrap_or(&empty);
    let mut unknown: std::collections::BTreeSet<String> = existing
        .unknown
        .iter()
        .filter(|pointer| {
            let field = pointer.trim_start_matches('/').split('/').next();
            !field.is_some_and(|f| patch.contains_key(f))
        })
        .cloned()
        .collect();
    unknown.extend(put.unknown.iter().cloned());
    for (name, value) in patch {
        if value.is_null() {
            doc.remove(name);
        } else {
            doc.insert(name.clone(), value.clone());
        }
    }
    (Json::Object(doc), unknown)
}

/// Fields of `over` replace fields of `base`.
fn overlay(base: &mut Json, over: Json) {
    if let (Some(base), Json::Object(over)) = (base.as_object_mut(), over) {
        base.extend(over);
    }
}

/// The party that OCI's operations belong to.
const PARTY: Party = Party::Oci;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod mutation;
