//! The `oci` provider's dialect: resources become commands, resources in the estate become attributes,
//! data sources are read.
//!
//! A created resource is found again by the address of its origin: [`id_of`]. Arguments and fields differ
//! in spelling only, with few exceptions (`stateless` is `isStateless`).

mod attributes;
mod data;
mod databases;
mod doc;
mod lists;
mod names;
mod vnics;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::{Value as Json, json};
use skybridge_estate::{
    Command, Estate, Origin, Party, Phase, Place, PutRequest, Resource, ResourceId,
};
use skybridge_hcl::{Diagnostic, Span, Spans, Value};
use skybridge_terraform::{Schemas, schema::TypeSchema};

use crate::kinds;
use crate::ocid::HOME_REGION;
use crate::providers;
use names::{Place as Act, row};

pub use attributes::attributes;
pub use data::{is_read, read};

static SCHEMAS: LazyLock<Schemas> = LazyLock::new(Schemas::builtin);

/// The schema of a resource type.
fn schema(ty: &str) -> Option<&'static TypeSchema> {
    SCHEMAS.find(skybridge_terraform::Mode::Managed, ty)
}

/// What an `oci` provider block says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderContext {
    /// `region`
    pub region: String,
    /// `tenancy_ocid`; empty when not given.
    pub tenancy_id: String,
}

impl Default for ProviderContext {
    fn default() -> Self {
        Self {
            region: HOME_REGION.to_owned(),
            tenancy_id: String::new(),
        }
    }
}

impl ProviderContext {
    /// From the evaluated arguments of a provider block; a missing or unknown region is the home
    /// region ([`HOME_REGION`]).
    #[must_use]
    pub fn from_config(config: &Value) -> Self {
        let text = |name: &str| config.str_attr(name).filter(|t| !t.is_empty());
        Self {
            region: text("region").unwrap_or(HOME_REGION).to_owned(),
            tenancy_id: text("tenancy_ocid").unwrap_or_default().to_owned(),
        }
    }
}

/// What a resource of a configuration means.
#[derive(Clone, PartialEq, Debug)]
pub enum Mapped {
    /// These requests, in order.
    Commands(Vec<Command>),
    /// Nothing to do: its attributes say all.
    Recorded,
    /// It is not modelled; the reason.
    NotModelled(String),
}

/// Whether an operation that a request began is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Settled {
    /// Not yet.
    Pending,
    /// Done; after a deletion: gone.
    Ready,
    /// It will not be; why.
    Failed(String),
}

/// True for types of the `oci` provider.
#[must_use]
pub fn owns(ty: &str) -> bool {
    ty.starts_with("oci_")
}

/// True when resources of the type become commands.
#[must_use]
pub fn is_modelled(ty: &str) -> bool {
    row(ty).is_some()
}

/// The requests that create a resource.
///
/// # Errors
/// What is missing in `config` for a request to be written at all.
pub fn create(
    estate: &Estate,
    address: &str,
    ty: &str,
    config: &Value,
    spans: &Spans,
    context: &ProviderContext,
) -> Result<Mapped, Vec<Diagnostic>> {
    put(estate, address, ty, None, config, spans, context)
}

/// The requests that change a resource from `before` to `after`.
///
/// # Errors
/// What is missing in `after` for a request to be written at all.
pub fn update(
    estate: &Estate,
    address: &str,
    ty: &str,
    before: &Value,
    after: &Value,
    spans: &Spans,
    context: &ProviderContext,
) -> Result<Mapped, Vec<Diagnostic>> {
    put(estate, address, ty, Some(before), after, spans, context)
}

#[allow(
    clippy::too_many_arguments,
    reason = "the arguments of create and update together"
)]
fn put(
    estate: &Estate,
    address: &str,
    ty: &str,
    before: Option<&Value>,
    config: &Value,
    spans: &Spans,
    context: &ProviderContext,
) -> Result<Mapped, Vec<Diagnostic>> {
    let Some(row) = row(ty) else {
        return Ok(Mapped::NotModelled(format!("{ty} is not modelled")));
    };
    let Some(schema) = schema(ty) else {
        return Ok(Mapped::NotModelled(format!("{ty} has no schema")));
    };
    let missing = |name: &str| {
        let detail = format!("{name} of {address} is needed and not known");
        vec![Diagnostic::error("Missing argument", detail).at_opt(spans.find(name))]
    };
    let left_out = databases::left_out(ty, config)
        .or_else(|| vnics::left_out(ty, config))
        .or_else(|| stopped(ty, config));
    if let Some(why) = left_out {
        return Ok(Mapped::NotModelled(why));
    }
    let mut made = doc::document(ty, &schema.body, config, spans);
    if databases::is_database(ty) {
        made = databases::as_instance(made);
    }
    if made.doc.get("removeImportTrigger") == Some(&json!(true))
        && let Some(map) = made.doc.as_object_mut()
    {
        map.insert("importDrgRouteDistributionId".to_owned(), Json::Null);
    }
    let id = match row.act {
        Act::Own => match before {
            None => None,
            Some(before) => Some(before.str_attr("id").ok_or_else(|| missing("id"))?.into()),
        },
        Act::Default(field) => Some(config.str_attr(field).ok_or_else(|| missing(field))?.into()),
        Act::SubnetTable => {
            let subnet = config
                .str_attr("subnet_id")
                .ok_or_else(|| missing("subnet_id"))?;
            made.doc = json!({ "routeTableId": made.doc.get("routeTableId") });
            Some(subnet.into())
        }
        Act::Attachment => {
            let network = config
                .str_attr("network_id")
                .ok_or_else(|| missing("network_id"))?;
            let found = crate::decide::drg::attachment_of(estate, network);
            made.doc = json!({ "drgRouteTableId": made.doc.get("drgRouteTableId") });
            Some(found.ok_or_else(|| missing("network_id"))?.id.clone())
        }
        Act::Attachments => return Ok(Mapped::Recorded),
    };
    let alone = matches!(
        row.kind,
        kinds::VCN
            | kinds::DRG
            | kinds::VIRTUAL_CIRCUIT
            | kinds::CPE
            | kinds::PUBLIC_IP
            | kinds::CROSS_CONNECT
            | kinds::CROSS_CONNECT_GROUP
    );
    if let Some(map) = made.doc.as_object_mut() {
        if id.is_none() && alone {
            map.entry("region").or_insert_with(|| json!(context.region));
        }
        if let Some(before) = before.filter(|_| matches!(row.act, Act::Own)) {
            let old = doc::document(ty, &schema.body, before, spans);
            for name in old.doc.as_object().into_iter().flat_map(|o| o.keys()) {
                map.entry(name.clone()).or_insert(Json::Null);
            }
        }
    }
    let keeps_origin = matches!(row.act, Act::SubnetTable);
    let request = PutRequest {
        party: Party::Oci,
        kind: row.kind.into(),
        id,
        name: config
            .str_attr("display_name")
            .or_else(|| config.str_attr("db_name"))
            .unwrap_or_default()
            .to_owned(),
        parent: None,
        doc: made.doc,
        unknown: made.unknown,
        origin: (!keeps_origin).then(|| Origin {
            stack: String::new(),
            address: address.to_owned(),
            places: made.places,
        }),
    };
    Ok(Mapped::Commands(vec![Command::Put(request)]))
}

/// Why an instance is left out: it is asked to be stopped.
fn stopped(ty: &str, config: &Value) -> Option<String> {
    let is_stopped = ty == "oci_core_instance" && config.str_attr("state") == Some("STOPPED");
    is_stopped.then(|| "a stopped instance, which answers nobody, is not modelled".to_owned())
}

/// The requests that delete a resource. Default objects are emptied: they go with their VCN.
#[must_use]
pub fn delete(estate: &Estate, ty: &str, attributes: &Value) -> Vec<Command> {
    let Some(row) = row(ty) else {
        return Vec::new();
    };
    let change = |id: &str, doc: Json| {
        let request = PutRequest {
            party: Party::Oci,
            kind: row.kind.into(),
            id: Some(id.into()),
            name: String::new(),
            parent: None,
            doc,
            unknown: BTreeSet::new(),
            origin: None,
        };
        vec![Command::Put(request)]
    };
    let text = |name: &str| attributes.str_attr(name).unwrap_or_default();
    match row.act {
        Act::Own => vec![Command::Delete {
            party: Party::Oci,
            id: text("id").into(),
        }],
        Act::Default(field) => {
            let id = text(field);
            if estate.resource(&ResourceId::from(id)).is_none() {
                return Vec::new();
            }
            let empty: &[Json] = &[];
            match row.kind {
                kinds::ROUTE_TABLE => change(id, json!({ "routeRules": empty })),
                kinds::SECURITY_LIST => change(
                    id,
                    json!({ "ingressSecurityRules": empty, "egressSecurityRules": empty }),
                ),
                _ => Vec::new(),
            }
        }
        Act::SubnetTable => change(text("subnet_id"), json!({ "routeTableId": null })),
        Act::Attachment => change(text("id"), json!({ "drgRouteTableId": null })),
        Act::Attachments => Vec::new(),
    }
}

/// The object that an instance changes without having made it, and the part of it that is changed.
#[must_use]
pub fn managed(ty: &str, config: &Value) -> Option<String> {
    let row = row(ty)?;
    let argument = match row.act {
        Act::Own => return None,
        Act::Default(field) => field,
        Act::SubnetTable => "subnet_id",
        Act::Attachment => "network_id",
        Act::Attachments => return None,
    };
    let value = config.attr(argument).filter(|v| !v.is_placeholder())?;
    Some(format!("{}#{}", value.as_str()?, row.kind))
}

/// The resource that the instance at `address` of type `ty` is in the estate.
#[must_use]
pub fn id_of(
    estate: &Estate,
    stack: &str,
    address: &str,
    ty: &str,
    config: &Value,
) -> Option<ResourceId> {
    let row = row(ty)?;
    match row.act {
        Act::SubnetTable => return config.str_attr("subnet_id").map(ResourceId::from),
        Act::Attachments => return config.str_attr("drg_id").map(ResourceId::from),
        Act::Own | Act::Default(_) | Act::Attachment => {}
    }
    let mine = |r: &&Resource| {
        let origin = r.origin.as_ref();
        origin.is_some_and(|o| o.address == address && o.stack == stack)
    };
    estate
        .of_kind(row.kind)
        .filter(|r| r.phase != Phase::Deleting)
        .find(mine)
        .map(|r| r.id.clone())
}

/// Whether the last request on a resource is done. A virtual circuit to Azure is done when it is
/// provisioned; one whose key the provider never accepted fails after the 20 minutes that clients wait.
/// One whose key is a placeholder stays `PENDING_PROVIDER` and is done (the model names the gap).
#[must_use]
pub fn settled(estate: &Estate, _ty: &str, attributes: &Value) -> Settled {
    let id = attributes.str_attr("id").unwrap_or_default();
    let Some(resource) = estate.resource(&ResourceId::from(id)) else {
        return Settled::Ready;
    };
    let state = resource.text("/lifecycleState").unwrap_or_default();
    let working = estate.operation_on(&resource.id).is_some();
    if state == "PENDING_PROVIDER" {
        let key = "/providerServiceKeyName";
        let azure = resource.text("/providerName") == Some(providers::AZURE);
        if azure && crate::wish::touches(&resource.unknown, key) {
            return Settled::Ready;
        }
        if working {
            return Settled::Pending;
        }
        if !azure {
            return Settled::Ready;
        }
        let key = resource.text("/providerServiceKeyName").unwrap_or("(none)");
        return Settled::Failed(format!(
            "timeout while waiting for state to become PROVISIONED: the virtual circuit is still \
             PENDING_PROVIDER, since no free ExpressRoute circuit of provider Oracle has the service key \
             {key}"
        ));
    }
    match resource.phase {
        Phase::Creating | Phase::Updating | Phase::Deleting => Settled::Pending,
        Phase::Failed => Settled::Failed(format!("{} ended in state {state}", resource.label())),
        Phase::Ready if working => Settled::Pending,
        Phase::Ready => Settled::Ready,
    }
}

/// A place in the estate's form.
#[must_use]
pub fn place(span: &Span) -> Place {
    Place {
        file: span.file.clone(),
        line: span.line,
        column: span.column,
        start: span.start,
        end: span.end,
    }
}

/// A document made of a configuration.
#[derive(Clone, Debug, Default)]
struct Made {
    doc: Json,
    unknown: BTreeSet<String>,
    places: BTreeMap<String, Place>,
}

#[cfg(test)]
mod tests;
