//! The `azurerm` provider's dialect: resources become commands on ARM documents, resources of the estate
//! become attributes, data sources are read.
//!
//! Names make ids: a resource is found by its resource group and its names in one subscription,
//! [`SUBSCRIPTION_ID`], whatever the provider block says. Names of azurerm 2.x, 3.x and 4.x are understood.
//! Associations patch the document of the subnet or network interface that they name.

mod attributes;
mod azapi;
mod balancers;
mod build;
mod data;
mod hops;
mod hubs;
mod types;

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use skybridge_estate::{Command, Estate, Party, Phase, PutRequest, ResourceId};
use skybridge_hcl::{Diagnostic, Spans, Value};

use crate::decide::{as_patch, keeping};
use crate::kinds::{self, resource_id};
use build::{Made, set};
use types::{Association, Row, row};

pub use attributes::attributes;
pub use data::{is_read, read};
pub(crate) use types::POOLS;

/// The subscription that every resource of a Terraform stack lives in.
pub const SUBSCRIPTION_ID: &str = "00000000-0000-0000-0000-000000000001";

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

/// True for types of the `azurerm` provider.
#[must_use]
pub fn owns(ty: &str) -> bool {
    ty.starts_with("azurerm_") || ty == azapi::TYPE
}

/// True when resources of the type become commands or are recorded.
#[must_use]
pub fn is_modelled(ty: &str) -> bool {
    [types::RESOURCE_GROUP, azapi::TYPE].contains(&ty)
        || row(ty).is_some()
        || Association::of(ty).is_some()
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
) -> Result<Mapped, Vec<Diagnostic>> {
    if ty == types::RESOURCE_GROUP {
        return Ok(Mapped::Recorded);
    }
    if let Some(association) = Association::of(ty) {
        return associate(estate, address, &association, config, spans);
    }
    if ty == azapi::TYPE {
        return Ok(azapi::put(address, config, spans));
    }
    let Some(row) = row(ty) else {
        return Ok(Mapped::NotModelled(format!("{ty} is not modelled")));
    };
    let elsewhere = hubs::left_out(estate, ty, config);
    if let Some(why) = types::left_out(ty, config).or(elsewhere) {
        return Ok(Mapped::NotModelled(why));
    }
    let id = wanted_id(row, config).map_err(|name| missing(address, name, spans))?;
    let mut made = Made::new(address, config, spans);
    (row.build)(&mut made);
    // A change of a subnet or interface must not undo the associations that are resources of their own.
    if [kinds::SUBNET, kinds::NIC].contains(&row.kind) {
        let fields = [
            "/properties/networkSecurityGroup",
            "/properties/routeTable",
            "/properties/applicationGroups",
            "/properties/loadBalancerPools",
        ];
        keeping(&mut made.doc, &fields);
    }
    let name = id.leaf().to_owned();
    Ok(Mapped::Commands(vec![Command::Put(
        made.into_request(row.kind, id, name),
    )]))
}

/// The requests that change a resource from `before` to `after`. What changes its name or place is
/// replaced by the caller, so `before` matters only to associations.
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
) -> Result<Mapped, Vec<Diagnostic>> {
    // A subnet whose blocks inside the network are all gone now means "none", not "leave them".
    if ty == "azurerm_virtual_network" && has_blocks(before) && !has_blocks(after) {
        let mapped = create(estate, address, ty, after, spans)?;
        if let Mapped::Commands(mut commands) = mapped {
            for command in &mut commands {
                if let Command::Put(put) = command {
                    set(&mut put.doc, "/properties/subnets", Json::Array(Vec::new()));
                }
            }
            return Ok(Mapped::Commands(commands));
        }
        return Ok(mapped);
    }
    create(estate, address, ty, after, spans)
}

fn has_blocks(config: &Value) -> bool {
    config
        .list_attr("subnet")
        .iter()
        .any(|s| s.str_attr("name").is_some())
}

/// The requests that delete a resource; an association is taken back.
#[must_use]
pub fn delete(estate: &Estate, ty: &str, attributes: &Value) -> Vec<Command> {
    if let Some(association) = Association::of(ty) {
        let target = attributes.str_attr(association.owner);
        let target = target.and_then(|id| estate.resource(&id.into()));
        let Some(target) = target else {
            return Vec::new();
        };
        let fields = association.fields(attributes);
        let mut doc = json!({});
        set(
            &mut doc,
            &format!("/properties/{}", fields.join("/")),
            Json::Null,
        );
        as_patch(&mut doc);
        return vec![Command::Put(PutRequest {
            party: Party::Azure,
            kind: target.kind.clone(),
            id: Some(target.id.clone()),
            name: target.name.clone(),
            parent: target.parent.clone(),
            doc,
            unknown: BTreeSet::new(),
            origin: None,
        })];
    }
    match id_of(ty, attributes) {
        Some(id) => vec![Command::Delete {
            party: Party::Azure,
            id,
        }],
        None => Vec::new(),
    }
}

/// The resource of the estate that an instance of type `ty` is, or that an association changes. `None`
/// for what the estate does not keep and while a name is not known.
#[must_use]
pub fn id_of(ty: &str, config: &Value) -> Option<ResourceId> {
    if let Some(association) = Association::of(ty) {
        return config.str_attr(association.owner).map(Into::into);
    }
    if ty == azapi::TYPE {
        return azapi::id(config);
    }
    let row = row(ty)?;
    if types::left_out(ty, config).is_some() {
        return None;
    }
    let known = config.str_attr("id").filter(|i| i.starts_with('/'));
    known
        .map(Into::into)
        .or_else(|| wanted_id(row, config).ok())
}

/// The name by which Azure knows what an instance makes, in whichever stack it stands: an id without case.
/// An association is known by the field that it sets. `None` while a name is not known.
#[must_use]
pub fn identity(ty: &str, config: &Value) -> Option<String> {
    named(ty, config, |value| !value.is_placeholder())
}

/// The same by any names, stand-ins among them: good within one stack.
#[must_use]
pub fn identity_here(ty: &str, config: &Value) -> Option<String> {
    named(ty, config, |_| true)
}

fn named(ty: &str, config: &Value, takes: impl Fn(&Value) -> bool) -> Option<String> {
    let text = |name: &str| {
        let value = config.attr(name).filter(|v| takes(v))?;
        value.as_str().filter(|t| !t.is_empty())
    };
    let identity = if ty == types::RESOURCE_GROUP {
        format!(
            "/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{}",
            text("name")?
        )
    } else if ty == azapi::TYPE {
        text("name").and_then(|_| text("parent_id"))?;
        azapi::id(config)?.to_string()
    } else if let Some(association) = Association::of(ty) {
        let fields = association.fields(config).join("/");
        format!("{}#{fields}", text(association.owner)?)
    } else {
        let row = row(ty)?;
        let names: Option<Vec<&str>> = row.names.iter().map(|n| text(n)).collect();
        match row.parent {
            Some(parent) => child_of(&text(parent)?.into(), row, &names?).to_string(),
            None => {
                let group = text("resource_group_name")?;
                resource_id(SUBSCRIPTION_ID, group, row.kind, &names?).to_string()
            }
        }
    };
    Some(identity.to_ascii_lowercase())
}

/// Whether the last request on a resource is done: may Terraform's provider go on? A circuit is done when
/// it is enabled: no provider block waits for the connectivity provider.
#[must_use]
pub fn settled(estate: &Estate, ty: &str, attributes: &Value) -> Settled {
    let Some(id) = id_of(ty, attributes) else {
        return Settled::Ready;
    };
    let Some(resource) = estate.resource(&id) else {
        return Settled::Ready;
    };
    match resource.phase {
        Phase::Creating | Phase::Updating | Phase::Deleting => Settled::Pending,
        Phase::Ready => Settled::Ready,
        Phase::Failed => {
            let field = |f: &str| resource.computed.pointer(f).and_then(Json::as_str);
            Settled::Failed(format!(
                "{}: {}: {}",
                resource.label(),
                field("/error/code").unwrap_or("Failed"),
                field("/error/message").unwrap_or("the last operation failed")
            ))
        }
    }
}

/// The id that a resource's names make, or the argument that is missing.
fn wanted_id(row: &Row, config: &Value) -> Result<ResourceId, &'static str> {
    let text = |name: &'static str| config.str_attr(name).filter(|t| !t.is_empty()).ok_or(name);
    let names: Result<Vec<&str>, &'static str> = row.names.iter().map(|n| text(n)).collect();
    if let Some(parent) = row.parent {
        let parent = text(parent)?.into();
        return Ok(child_of(&parent, row, &names?));
    }
    let group = text("resource_group_name")?;
    Ok(resource_id(SUBSCRIPTION_ID, group, row.kind, &names?))
}

/// The id below a parent's.
fn child_of(parent: &ResourceId, row: &Row, names: &[&str]) -> ResourceId {
    let name = names.last().copied().unwrap_or_default();
    kinds::child_id(parent, row.kind, name)
}

fn missing(address: &str, name: &str, spans: &Spans) -> Vec<Diagnostic> {
    let detail = format!("{name} of {address} is needed and not known");
    vec![Diagnostic::error("Missing argument", detail).at_opt(spans.find(name))]
}

fn associate(
    estate: &Estate,
    address: &str,
    association: &Association,
    config: &Value,
    spans: &Spans,
) -> Result<Mapped, Vec<Diagnostic>> {
    let text = |name: &str| {
        let found = config.str_attr(name);
        found.ok_or_else(|| missing(address, name, spans))
    };
    let owner = text(association.owner)?;
    let Some(target) = estate.resource(&owner.into()) else {
        let why = format!("{owner} is not in this network");
        return Ok(Mapped::NotModelled(why));
    };
    let mut made = Made::new(address, config, spans);
    let fields = association.fields(config);
    let pointer = format!("/properties/{}/id", fields.join("/"));
    made.value(association.used, &pointer);
    as_patch(&mut made.doc);
    let name = target.name.clone();
    Ok(Mapped::Commands(vec![Command::Put(made.into_request(
        target.kind.as_str(),
        target.id.clone(),
        name,
    ))]))
}

#[cfg(test)]
mod tests;
