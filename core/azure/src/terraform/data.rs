//! Data sources.
#![allow(
    clippy::result_large_err,
    reason = "an error here ends a read; it is not on a hot path"
)]

use std::sync::LazyLock;

use serde_json::{Value as Json, json};
use skybridge_estate::{Estate, Resource, ResourceId};
use skybridge_hcl::{Diagnostic, Type, Value};
use skybridge_terraform::{Address, Mode, Schemas, placeholder_attributes};

use super::SUBSCRIPTION_ID;
use super::attributes::{frontend_addresses, frontend_id, value_of};
use crate::doc::{Doc, subnet_prefixes};
use crate::kinds::{self, resource_id};

pub(super) static SCHEMAS: LazyLock<Schemas> = LazyLock::new(Schemas::builtin);

/// The tenant, client and object of everyone.
const DIRECTORY_ID: &str = "00000000-0000-0000-0000-000000000002";

/// Data sources with attributes of their own; [`by_name`] has the others.
const OF_THEIR_OWN: [&str; 12] = [
    "azurerm_client_config",
    "azurerm_subscription",
    "azurerm_resource_group",
    "azurerm_virtual_network",
    "azurerm_subnet",
    "azurerm_public_ip",
    "azurerm_virtual_network_gateway",
    "azurerm_express_route_circuit",
    "azurerm_virtual_hub",
    "azurerm_firewall",
    "azurerm_lb",
    "azurerm_lb_backend_address_pool",
];

/// True when data sources of the type are read from the network.
#[must_use]
pub fn is_read(ty: &str) -> bool {
    OF_THEIR_OWN.contains(&ty) || by_name(ty).is_some()
}

/// Reads a data source: all its attributes, placeholders where nobody models one.
///
/// # Errors
/// The data source is not modelled, or what it asks for does not exist.
pub fn read(estate: &Estate, ty: &str, config: &Value) -> Result<Value, Diagnostic> {
    let Some(schema) = SCHEMAS.find(Mode::Data, ty) else {
        let detail = format!("data source {ty} is not modelled");
        return Err(Diagnostic::error("Not modelled", detail));
    };
    let found = match ty {
        "azurerm_client_config" => json!({
            "id": SUBSCRIPTION_ID,
            "subscription_id": SUBSCRIPTION_ID,
            "tenant_id": DIRECTORY_ID,
            "client_id": DIRECTORY_ID,
            "object_id": DIRECTORY_ID,
        }),
        "azurerm_subscription" => json!({
            "id": format!("/subscriptions/{SUBSCRIPTION_ID}"),
            "subscription_id": SUBSCRIPTION_ID,
            "tenant_id": DIRECTORY_ID,
            "state": "Enabled",
        }),
        "azurerm_resource_group" => {
            let name = config.str_attr("name").unwrap_or_default();
            json!({"id": format!("/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{name}")})
        }
        "azurerm_virtual_network" => network(estate, find(estate, kinds::VNET, &["name"], config)?),
        "azurerm_subnet" => {
            let names = ["virtual_network_name", "name"];
            subnet(find(estate, kinds::SUBNET, &names, config)?)
        }
        "azurerm_public_ip" => {
            let resource = find(estate, kinds::PUBLIC_IP, &["name"], config)?;
            let method = resource.text("/properties/publicIPAllocationMethod");
            let address = resource.text("/properties/ipAddress");
            let sku = resource.text("/sku/name");
            common(
                resource,
                json!({
                    "ip_address": address, "allocation_method": method, "sku": sku,
                }),
            )
        }
        "azurerm_virtual_network_gateway" => {
            let resource = find(estate, kinds::GATEWAY, &["name"], config)?;
            let sku = resource.text("/properties/sku/name");
            let gateway_type = resource.text("/properties/gatewayType");
            common(resource, json!({"sku": sku, "type": gateway_type}))
        }
        "azurerm_virtual_hub" => {
            let resource = find(estate, kinds::HUB, &["name"], config)?;
            let field = |name: &str| resource.field(&format!("/properties/{name}"));
            common(
                resource,
                json!({
                    "address_prefix": field("addressPrefix"),
                    "virtual_wan_id": field("virtualWan/id"),
                    "virtual_router_asn": field("virtualRouterAsn"),
                    "virtual_router_ips": field("virtualRouterIps"),
                    "default_route_table_id": crate::read::default_table(&resource.id),
                }),
            )
        }
        "azurerm_express_route_circuit" => {
            circuit(find(estate, kinds::CIRCUIT, &["name"], config)?)
        }
        "azurerm_lb" => balancer(find(estate, kinds::BALANCER, &["name"], config)?),
        "azurerm_lb_backend_address_pool" => {
            let balancer = config.str_attr("loadbalancer_id").unwrap_or_default();
            let name = config.str_attr("name").unwrap_or_default();
            let id = kinds::child_id(&balancer.into(), kinds::POOL, name);
            let Some(pool) = estate.resource(&id) else {
                let detail = format!("{id} does not exist in this network");
                return Err(Diagnostic::error("Resource not found", detail));
            };
            json!({"id": pool.id})
        }
        "azurerm_firewall" => firewall(find(estate, kinds::FIREWALL, &["name"], config)?),
        _ => match by_name(ty).and_then(|kind| find(estate, kind, &["name"], config).ok()) {
            Some(resource) => named(estate, resource),
            // What the account has beside this network is not known.
            None => {
                let detail = format!("data source {ty} is not modelled");
                return Err(Diagnostic::error("Not modelled", detail));
            }
        },
    };
    let name = config.str_attr("name").unwrap_or("this");
    let address = format!("data.{ty}.{name}").parse::<Address>();
    let address = address.or_else(|_| format!("data.{ty}.this").parse());
    let mut out = match address {
        Ok(address) => placeholder_attributes(Some(schema), &address, config),
        Err(_) => config.clone(),
    };
    for (name, json) in found.as_object().into_iter().flatten() {
        let attribute = schema.body.attributes.get(name);
        let value = value_of(json, attribute.map_or(&Type::String, |a| &a.ty));
        let secret = attribute.is_some_and(|a| a.sensitive);
        out = out.with_attr(name, if secret { value.sensitive() } else { value });
    }
    Ok(out)
}

/// The kind of a data source whose name says all.
fn by_name(ty: &str) -> Option<&'static str> {
    let kind = match ty {
        "azurerm_network_security_group" => kinds::NSG,
        "azurerm_application_security_group" => kinds::ASG,
        "azurerm_route_table" => kinds::ROUTE_TABLE,
        "azurerm_firewall_policy" => kinds::FIREWALL_POLICY,
        "azurerm_ip_group" => kinds::IP_GROUP,
        "azurerm_network_interface" => kinds::NIC,
        "azurerm_virtual_machine" => kinds::MACHINE,
        "azurerm_virtual_wan" => kinds::WAN,
        "azurerm_virtual_network_gateway_connection" => kinds::CONNECTION,
        _ => return None,
    };
    Some(kind)
}

/// What such a data source shows: where it is, and the addresses of what has some.
fn named(estate: &Estate, resource: &Resource) -> Json {
    let interfaces: Vec<&Resource> = match resource.kind.as_str() {
        kinds::NIC => vec![resource],
        kinds::IP_GROUP => {
            let cidrs: Vec<&str> = Doc::of(resource)
                .texts("/properties/ipAddresses")
                .iter()
                .map(|(_, t)| *t)
                .collect();
            return common(resource, json!({"cidrs": cidrs}));
        }
        kinds::FIREWALL_POLICY => {
            let base = resource.text("/properties/basePolicy/id");
            return common(resource, json!({"base_policy_id": base}));
        }
        kinds::MACHINE => estate
            .of_kind(kinds::NIC)
            .filter(|nic| crate::read::machine_has(resource, &nic.id))
            .collect(),
        _ => return common(resource, json!({})),
    };
    let addresses: Vec<&str> = interfaces
        .iter()
        .filter_map(|nic| nic.text("/properties/ipConfigurations/0/properties/privateIPAddress"))
        .collect();
    let more = json!({
        "private_ip_address": addresses.first(),
        "private_ip_addresses": addresses,
    });
    common(resource, more)
}

/// The resource that the names in `config` say.
fn find<'a>(
    estate: &'a Estate,
    kind: &str,
    names: &[&str],
    config: &Value,
) -> Result<&'a Resource, Diagnostic> {
    let text = |name: &str| config.str_attr(name).unwrap_or_default();
    // What a stand-in names stands in too.
    let mut arguments = names.iter().chain(&["resource_group_name"]);
    if arguments.any(|n| config.attr(n).is_some_and(Value::is_placeholder)) {
        let detail = "it is named by something that is not modelled";
        return Err(Diagnostic::error("Not modelled", detail));
    }
    let group = text("resource_group_name");
    let names: Vec<&str> = names.iter().map(|n| text(n)).collect();
    let id: ResourceId = resource_id(SUBSCRIPTION_ID, group, kind, &names);
    estate
        .resource(&id)
        .filter(|r| r.kind.as_str() == kind)
        .ok_or_else(|| {
            let detail = format!("{id} does not exist in this network");
            Diagnostic::error("Resource not found", detail).help(
                "Bring up the directory that makes it first, or name it before this one: skybridge plan BASE DIR.",
            )
        })
}

/// Adds the attributes of every named resource.
fn common(resource: &Resource, mut more: Json) -> Json {
    if let Some(map) = more.as_object_mut() {
        map.insert("id".to_owned(), json!(resource.id));
        let location = resource
            .text("/location")
            .map(skybridge_catalogue::region_name);
        map.insert("location".to_owned(), json!(location));
        let tags = resource.doc.get("tags").cloned();
        map.insert("tags".to_owned(), tags.unwrap_or_else(|| json!({})));
    }
    more
}

fn balancer(resource: &Resource) -> Json {
    let doc = Doc::of(resource);
    let addresses = frontend_addresses(&doc);
    let frontends = doc.items("/properties/frontendIPConfigurations");
    let frontends = frontends.iter().map(|at| {
        let text = |field: &str| doc.text(&format!("{at}/{field}")).unwrap_or_default();
        json!({
            "id": frontend_id(&resource.id, text("name")),
            "name": text("name"),
            "subnet_id": text("properties/subnet/id"),
            "public_ip_address_id": text("properties/publicIPAddress/id"),
            "private_ip_address": text("properties/privateIPAddress"),
            "private_ip_address_allocation": text("properties/privateIPAllocationMethod"),
        })
    });
    let frontends: Vec<Json> = frontends.collect();
    common(
        resource,
        json!({
            "sku": resource.text("/sku/name"),
            "private_ip_address": addresses.first(),
            "private_ip_addresses": addresses,
            "frontend_ip_configuration": frontends,
        }),
    )
}

fn firewall(resource: &Resource) -> Json {
    let doc = Doc::of(resource);
    let text = |pointer: &str| doc.text(pointer).unwrap_or_default();
    let configs = doc.items("/properties/ipConfigurations");
    let configs = configs.iter().map(|at| {
        json!({
            "name": text(&format!("{at}/name")),
            "subnet_id": text(&format!("{at}/properties/subnet/id")),
            "public_ip_address_id": text(&format!("{at}/properties/publicIPAddress/id")),
            "private_ip_address": text(&format!("{at}/properties/privateIPAddress")),
        })
    });
    let configs: Vec<Json> = configs.collect();
    common(
        resource,
        json!({
            "ip_configuration": configs,
            "firewall_policy_id": text("/properties/firewallPolicy/id"),
            "sku_name": text("/properties/sku/name"),
            "sku_tier": text("/properties/sku/tier"),
            "threat_intel_mode": text("/properties/threatIntelMode"),
        }),
    )
}

fn network(estate: &Estate, resource: &Resource) -> Json {
    let doc = Doc::of(resource);
    let space = doc.texts("/properties/addressSpace/addressPrefixes");
    let space: Vec<&str> = space.iter().map(|(_, t)| *t).collect();
    let subnets: Vec<&str> = estate
        .children(&resource.id)
        .map(|s| s.name.as_str())
        .collect();
    common(
        resource,
        json!({"address_space": space, "subnets": subnets, "dns_servers": []}),
    )
}

fn subnet(resource: &Resource) -> Json {
    let doc = Doc::of(resource);
    let prefixes = subnet_prefixes(&doc, "");
    let prefixes: Vec<&str> = prefixes.iter().map(|(_, t)| *t).collect();
    let text = |pointer: &str| doc.text(pointer).unwrap_or_default();
    json!({
        "id": resource.id,
        "address_prefix": prefixes.first(),
        "address_prefixes": prefixes,
        "network_security_group_id": text("/properties/networkSecurityGroup/id"),
        "route_table_id": text("/properties/routeTable/id"),
        "service_endpoints": [],
    })
}

fn circuit(resource: &Resource) -> Json {
    let doc = Doc::of(resource);
    let at = "/properties/serviceProviderProperties";
    let text = |pointer: &str| doc.text(pointer);
    common(
        resource,
        json!({
            "service_key": text("/properties/serviceKey"),
            "service_provider_provisioning_state":
                text("/properties/serviceProviderProvisioningState"),
            "sku": [{"tier": text("/sku/tier"), "family": text("/sku/family")}],
            "service_provider_properties": [{
                "service_provider_name": text(&format!("{at}/serviceProviderName")),
                "peering_location": text(&format!("{at}/peeringLocation")),
                "bandwidth_in_mbps": doc.number(&format!("{at}/bandwidthInMbps")),
            }],
        }),
    )
}
