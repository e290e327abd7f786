//! PUT: what all types share. The types' own rules are in the modules beside this one.

use serde_json::{Map, Value as Json, json};
use skybridge_base::Instant;
use skybridge_catalogue::{LifecycleOp, catalogue};
use skybridge_estate::{
    Cloud, Estate, Operation, OperationKind, Party, Phase, PutRequest, Refusal, Resource,
    ResourceId, Txn, Write,
};

use super::{
    balancer, circuit, connection, done_at, firewall, gateway, hub, interface, merge, network,
    peering, refuse_when_busy, security, vnet_peering,
};
use crate::doc::Doc;
use crate::kinds;
use crate::rules::refuse;

/// A PUT whose id and parent are settled.
pub(super) struct Request<'a> {
    pub(super) estate: &'a Estate,
    pub(super) now: Instant,
    pub(super) kind: &'static str,
    pub(super) id: ResourceId,
    pub(super) parent: Option<&'a Resource>,
    pub(super) existing: Option<&'a Resource>,
    pub(super) put: &'a PutRequest,
    pub(super) doc: Doc<'a>,
}

/// What a type's rules make of a request.
#[derive(Default)]
pub(super) struct Outcome {
    /// The document to keep, when it is not the one that was sent.
    pub(super) doc: Option<Json>,
    /// Computed properties besides `provisioningState`.
    pub(super) properties: Map<String, Json>,
}

pub(super) fn put(estate: &Estate, put: &PutRequest, now: Instant) -> Result<Txn, Refusal> {
    let Some(kind) = kinds::canonical(put.kind.as_str()) else {
        let message = format!("{} is not modelled", put.kind);
        return Err(refuse("azure.kind-not-modelled", "", message));
    };
    let id = checked_id(put, kind)?;
    let existing = estate.resource(&id);
    let whole = match merge::whole(put, existing) {
        Ok(whole) => whole,
        Err(Some(refusal)) => return Err(refusal),
        Err(None) => return Ok(Txn::default()),
    };
    let put = whole.as_ref().unwrap_or(put);
    let parent_id = kinds::parent_id(id.as_str(), kind);
    let parent = match &parent_id {
        Some(parent) => Some(estate.resource(parent).ok_or_else(|| {
            let message = format!("the parent {parent} of {id} does not exist");
            refuse("azure.parent-missing", "", message)
        })?),
        None => None,
    };
    let id = match (existing, parent) {
        (Some(existing), _) => existing.id.clone(),
        (None, Some(parent)) => kinds::child_id(&parent.id, kind, id.leaf()),
        (None, None) => id,
    };
    refuse_when_busy(estate, &id, parent.map(|p| &p.id))?;
    let request = Request {
        estate,
        now,
        kind,
        id,
        parent,
        existing,
        put,
        doc: Doc::new(&put.doc, &put.unknown),
    };
    check_location(&request)?;
    let mut txn = Txn::default();
    let outcome = match kind {
        kinds::VNET => network::vnet(&request, &mut txn),
        kinds::SUBNET => network::subnet(&request),
        kinds::VNET_PEERING => vnet_peering::peering(&request),
        kinds::NSG => security::group(&request),
        kinds::SECURITY_RULE => security::rule(&request),
        kinds::ROUTE_TABLE => security::route_table(&request),
        kinds::ROUTE => security::route(&request),
        kinds::NIC => interface::nic(&request, &mut txn),
        kinds::PUBLIC_IP => interface::public_ip(&request, &mut txn),
        kinds::MACHINE => interface::machine(&request),
        kinds::GATEWAY => gateway::gateway(&request),
        kinds::CONNECTION => connection::connection(&request),
        kinds::CIRCUIT => circuit::circuit(&request, &mut txn),
        kinds::PEERING => peering::peering(&request, &mut txn),
        kinds::AUTHORIZATION => circuit::authorization(&request, &mut txn),
        kinds::HUB => hub::hub(&request),
        kinds::HUB_CONNECTION => hub::connection(&request),
        kinds::HUB_GATEWAY => hub::gateway(&request),
        kinds::HUB_GATEWAY_CONNECTION => hub::gateway_connection(&request),
        kinds::FIREWALL => firewall::firewall(&request, &mut txn),
        kinds::FIREWALL_POLICY => firewall::policy(&request),
        kinds::BALANCER => balancer::balancer(&request, &mut txn),
        kinds::BALANCING_RULE => balancer::rule(&request),
        kinds::NETWORK_RULES | kinds::APPLICATION_RULES | kinds::NAT_RULES => {
            firewall::collection(&request)
        }
        _ => Ok(Outcome::default()),
    }?;
    request.write(outcome, &mut txn);
    Ok(txn)
}

fn checked_id(put: &PutRequest, kind: &str) -> Result<ResourceId, Refusal> {
    let Some(id) = &put.id else {
        return Err(refuse("azure.id", "", "a PUT names the resource by its id"));
    };
    let (provider, types) = kind.split_once('/').unwrap_or((kind, ""));
    // "", subscriptions, S, resourceGroups, G, providers, P, then a type and a name per level.
    let segments: Vec<&str> = id.as_str().split('/').collect();
    let levels = types.split('/').count();
    let is = |at: usize, text: &str| {
        segments
            .get(at)
            .is_some_and(|s| s.eq_ignore_ascii_case(text))
    };
    let fits = segments.len() == 7 + 2 * levels
        && is(0, "")
        && is(1, "subscriptions")
        && is(3, "resourceGroups")
        && is(5, "providers")
        && is(6, provider)
        && types.split('/').enumerate().all(|(i, t)| is(7 + 2 * i, t))
        && segments.iter().skip(1).all(|s| !s.is_empty());
    if fits {
        Ok(id.clone())
    } else {
        let message = format!("{id} is not the id of a {kind}");
        Err(refuse("azure.id", "", message))
    }
}

fn check_location(request: &Request<'_>) -> Result<(), Refusal> {
    let Some(location) = request.doc.text("/location") else {
        return Ok(());
    };
    if catalogue().azure_region(location).is_some() {
        return Ok(());
    }
    let names = catalogue().regions.iter().map(|r| r.name.as_str());
    let hint = skybridge_catalogue::nearest(location, names)
        .map_or_else(String::new, |name| format!("; did you mean {name}?"));
    Err(refuse(
        "azure.region-unknown",
        "/location",
        format!("{location:?} is not an Azure region{hint}"),
    ))
}

impl Request<'_> {
    /// A reference that must lead to a resource of `kind`. `None` when it is a placeholder or absent.
    pub(super) fn reference(
        &self,
        pointer: &str,
        kind: &str,
    ) -> Result<Option<&Resource>, Refusal> {
        let Some(id) = self.doc.reference(pointer) else {
            return Ok(None);
        };
        self.estate
            .resource(&id)
            .filter(|r| r.kind.as_str() == kind)
            .map(Some)
            .ok_or_else(|| {
                let message = format!("{} refers to {id}, which is no {kind} here", self.id);
                refuse("azure.reference-missing", pointer, message)
            })
    }

    /// Refuses when a required field is neither given nor a placeholder.
    pub(super) fn require(&self, pointer: &str) -> Result<(), Refusal> {
        if self.doc.is_given(pointer) {
            return Ok(());
        }
        let field = pointer.rsplit('/').next().unwrap_or(pointer);
        Err(refuse(
            "azure.field-missing",
            pointer,
            format!("{} needs {field}", self.id),
        ))
    }

    /// A field that the cloud computed earlier.
    pub(super) fn computed(&self, pointer: &str) -> Option<&Json> {
        self.existing?.computed.pointer(pointer)
    }

    /// Adds the resource and its operation to `txn`.
    fn write(&self, outcome: Outcome, txn: &mut Txn) {
        let exists = self.existing.is_some();
        let (phase, operation, lifecycle) = if exists {
            (Phase::Updating, OperationKind::Update, LifecycleOp::Update)
        } else {
            (Phase::Creating, OperationKind::Create, LifecycleOp::Create)
        };
        txn.based_on
            .push((self.id.clone(), self.existing.map(|r| r.revision)));
        txn.based_on
            .extend(self.parent.map(|p| (p.id.clone(), Some(p.revision))));
        let resource = Resource {
            id: self.id.clone(),
            cloud: Cloud::Azure,
            kind: self.kind.into(),
            name: self.put.name.clone(),
            parent: self.parent.map(|p| p.id.clone()),
            doc: outcome.doc.unwrap_or_else(|| self.put.doc.clone()),
            computed: computed(&self.id, self.kind, "Updating", outcome.properties),
            unknown: self.put.unknown.clone(),
            phase,
            revision: 0,
            created_at: self.existing.map_or(self.now, |r| r.created_at),
            origin: self.put.origin.clone(),
        };
        let due = done_at(self.estate, self.kind, lifecycle, self.now);
        begin(self.estate, txn, resource, operation, due);
    }
}

/// The read-only half of an ARM document.
pub(super) fn computed(
    id: &ResourceId,
    kind: &str,
    state: &str,
    mut properties: Map<String, Json>,
) -> Json {
    properties.insert("provisioningState".to_owned(), json!(state));
    json!({"id": id, "name": id.leaf(), "type": kind, "properties": properties})
}

/// Writes a resource and begins an operation on it. A resource that was broken by an earlier operation
/// keeps what it was while it is created again.
pub(super) fn begin(
    estate: &Estate,
    txn: &mut Txn,
    resource: Resource,
    kind: OperationKind,
    due: Instant,
) {
    let id = resource.id.clone();
    txn.writes.push(Write::Put(Box::new(resource)));
    estate.begin(txn, &id, Party::Azure, kind, due);
}

/// The same operation with its next step due later.
pub(super) fn again(operation: &Operation, due: Instant) -> Write {
    Write::Begin(Operation {
        step: operation.step + 1,
        due,
        ..operation.clone()
    })
}
