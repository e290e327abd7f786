//! From the estate to the attributes of a resource.

use serde_json::Value as Json;
use skybridge_estate::{Estate, Resource, ResourceId};
use skybridge_hcl::{Kind, Marks, Type, Value};
use skybridge_terraform::{Address, Mode, placeholder_attributes};

use super::data::SCHEMAS;
use super::{SUBSCRIPTION_ID, azapi, id_of, types};
use crate::doc::Doc;
use crate::kinds;

/// All attributes of a resource: what the configuration says, what the cloud filled in, and placeholders
/// for what the real cloud would fill in and nobody models.
#[must_use]
pub fn attributes(estate: &Estate, ty: &str, config: &Value) -> Value {
    let id = id_of(ty, config);
    let resource = id.as_ref().and_then(|id| estate.resource(id));
    let address = resource
        .and_then(|r| r.origin.as_ref())
        .and_then(|o| o.address.parse::<Address>().ok())
        .or_else(|| format!("{ty}.this").parse().ok());
    let name = address.as_ref().map(ToString::to_string);
    let mut out = match address {
        Some(address) => placeholder_attributes(SCHEMAS.find(Mode::Managed, ty), &address, config),
        None => config.clone(),
    };
    if let Some(id) = terraform_id(ty, config, resource, id.as_ref()) {
        out = out.with_attr("id", Value::string(id));
    }
    if ty == azapi::TYPE {
        let name = name.unwrap_or_default();
        return out.with_attr("output", azapi::output(estate, config, &name));
    }
    if let Some(resource) = resource {
        out = computed(estate, ty, resource, out);
    }
    out
}

fn terraform_id(
    ty: &str,
    config: &Value,
    resource: Option<&Resource>,
    id: Option<&ResourceId>,
) -> Option<String> {
    if ty == types::RESOURCE_GROUP {
        let name = config.str_attr("name")?;
        return Some(format!(
            "/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{name}"
        ));
    }
    let id = resource.map_or(id, |r| Some(&r.id))?;
    // The interface's association has both ids; a subnet's has the subnet's.
    if ty == "azurerm_network_interface_security_group_association" {
        let group = config.str_attr("network_security_group_id")?;
        return Some(format!("{id}|{group}"));
    }
    if ty == "azurerm_network_interface_application_security_group_association" {
        let group = config.str_attr("application_security_group_id")?;
        return Some(format!("{id}|{group}"));
    }
    if ty == "azurerm_network_interface_backend_address_pool_association" {
        let pool = config.str_attr("backend_address_pool_id")?;
        let name = config.str_attr("ip_configuration_name")?;
        return Some(format!("{id}/ipConfigurations/{name}|{pool}"));
    }
    Some(id.to_string())
}

fn computed(estate: &Estate, ty: &str, resource: &Resource, out: Value) -> Value {
    let doc = Doc::of(resource);
    let text = |pointer: &str| doc.text(pointer).unwrap_or_default();
    match ty {
        "azurerm_express_route_circuit" => {
            let state = text("/properties/serviceProviderProvisioningState");
            let key = Value::string(text("/properties/serviceKey")).sensitive();
            out.with_attr("service_key", key)
                .with_attr("service_provider_provisioning_state", Value::string(state))
        }
        "azurerm_express_route_circuit_peering" => {
            let asn = doc.number("/properties/azureASN").unwrap_or_default();
            let port = |p: &str| Value::string(text(&format!("/properties/{p}AzurePort")));
            out.with_attr("azure_asn", Value::number(asn))
                .with_attr("primary_azure_port", port("primary"))
                .with_attr("secondary_azure_port", port("secondary"))
                .with_attr("gateway_manager_etag", Value::string(""))
        }
        "azurerm_express_route_circuit_authorization" => {
            let key = Value::string(text("/properties/authorizationKey")).sensitive();
            let status = text("/properties/authorizationUseStatus");
            out.with_attr("authorization_key", key)
                .with_attr("authorization_use_status", Value::string(status))
        }
        "azurerm_public_ip" => {
            // Without the argument the default depends on the provider's version; a dynamic address is Basic.
            let dynamic =
                text("/properties/publicIPAllocationMethod").eq_ignore_ascii_case("Dynamic");
            let usual = if dynamic { "Basic" } else { "Standard" };
            let sku = doc.text("/sku/name").unwrap_or(usual);
            out.with_attr("ip_address", public_address(resource))
                .with_attr("sku", Value::string(sku))
        }
        "azurerm_network_interface" => interface(estate, resource, out),
        "azurerm_firewall" => firewall(&doc, out),
        "azurerm_lb" => balancer(resource, out),
        "azurerm_lb_rule" => {
            let name = text("/properties/frontendIPConfigurationName");
            let parent = resource.parent.as_ref();
            let id = parent.map_or_else(String::new, |lb| frontend_id(lb, name));
            out.with_attr("frontend_ip_configuration_id", Value::string(id))
        }
        "azurerm_linux_virtual_machine" | "azurerm_windows_virtual_machine" => {
            machine(estate, resource, out)
        }
        "azurerm_virtual_network_gateway" if crate::read::is_expressroute(&doc) => {
            gateway(&doc, out)
        }
        "azurerm_virtual_network_gateway_connection" => {
            let weight = doc.number("/properties/routingWeight").unwrap_or(0);
            let bypass = doc.flag("/properties/expressRouteGatewayBypass");
            out.with_attr("routing_weight", Value::number(weight))
                .with_attr(
                    "express_route_gateway_bypass",
                    Value::bool(bypass == Some(true)),
                )
        }
        "azurerm_virtual_hub" => {
            let asn = doc
                .number("/properties/virtualRouterAsn")
                .unwrap_or_default();
            let table = crate::read::default_table(&resource.id);
            let ips = doc.texts("/properties/virtualRouterIps");
            let ips = ips.iter().map(|(_, text)| Value::string(text)).collect();
            out.with_attr("default_route_table_id", Value::string(table))
                .with_attr("virtual_router_asn", Value::number(asn))
                .with_attr("virtual_router_ips", Value::list(Type::String, ips))
        }
        "azurerm_virtual_network" => inline_subnets(resource, out),
        "azurerm_route_table" => {
            let used = estate.naming(&resource.id).filter(|s| {
                let table = Doc::of(s).reference("/properties/routeTable/id");
                let is_it = table.is_some_and(|id| kinds::same_id(&id, &resource.id));
                s.kind.as_str() == kinds::SUBNET && is_it
            });
            let ids = used.map(|s| Value::string(s.id.as_str())).collect();
            out.with_attr("subnets", Value::set(Type::String, ids))
        }
        _ => out,
    }
}

/// The inline blocks' subnets have ids.
fn inline_subnets(resource: &Resource, out: Value) -> Value {
    let Some(subnets) = out.attr("subnet").and_then(Value::as_slice) else {
        return out;
    };
    let with_ids: Vec<Value> = subnets
        .iter()
        .map(|subnet| match subnet.str_attr("name") {
            Some(name) => {
                let id = kinds::child_id(&resource.id, kinds::SUBNET, name);
                subnet.clone().with_attr("id", Value::string(id.as_str()))
            }
            None => subnet.clone(),
        })
        .collect();
    out.with_attr("subnet", Value::tuple(with_ids))
}

/// An address of the documentation range: an assumption of ours.
fn public_address(resource: &Resource) -> Value {
    let text = resource.text("/properties/ipAddress").unwrap_or_default();
    Value::string(text).with_marks(&Marks {
        assumed: true,
        ..Marks::default()
    })
}

/// The private and public addresses of an interface.
fn addresses(estate: &Estate, interface: &Resource) -> (Vec<Value>, Vec<Value>) {
    let doc = Doc::of(interface);
    let (mut private, mut public) = (Vec::new(), Vec::new());
    for at in doc.items("/properties/ipConfigurations") {
        let address = doc.text(&format!("{at}/properties/privateIPAddress"));
        private.extend(address.map(Value::string));
        let id = doc.reference(&format!("{at}/properties/publicIPAddress/id"));
        let found = id.and_then(|id| estate.resource(&id));
        public.extend(found.map(public_address));
    }
    (private, public)
}

fn first(values: &[Value]) -> Value {
    values.first().cloned().unwrap_or_else(|| Value::string(""))
}

fn interface(estate: &Estate, resource: &Resource, out: Value) -> Value {
    let (private, _) = addresses(estate, resource);
    let doc = Doc::of(resource);
    let machine = crate::read::machine_of(estate, &resource.id);
    let machine = machine.map_or("", |m| m.id.as_str());
    let mac = doc.text("/properties/macAddress").unwrap_or_default();
    let configs: Vec<Value> = out
        .list_attr("ip_configuration")
        .iter()
        .enumerate()
        .map(|(i, config)| {
            let at = format!("/properties/ipConfigurations/{i}/properties");
            let address = doc
                .text(&format!("{at}/privateIPAddress"))
                .unwrap_or_default();
            let primary = doc.flag(&format!("{at}/primary")).unwrap_or(i == 0);
            config
                .clone()
                .with_attr("private_ip_address", Value::string(address))
                .with_attr("primary", Value::bool(primary))
        })
        .collect();
    out.with_attr("ip_configuration", Value::tuple(configs))
        .with_attr("mac_address", Value::string(mac))
        .with_attr("private_ip_address", first(&private))
        .with_attr("private_ip_addresses", Value::list(Type::String, private))
        .with_attr("virtual_machine_id", Value::string(machine))
}

/// A firewall's address is its first configuration's, which alone has a subnet.
fn firewall(doc: &Doc<'_>, out: Value) -> Value {
    let configs = out.list_attr("ip_configuration").iter().enumerate();
    let with_address = configs.map(|(i, config)| {
        let at = format!("/properties/ipConfigurations/{i}/properties/privateIPAddress");
        // Without a subnet that is known, so is the address not.
        match doc.text(&at) {
            Some(address) => {
                let address = Value::string(address);
                config.clone().with_attr("private_ip_address", address)
            }
            None => config.clone(),
        }
    });
    let configs = Value::tuple(with_address.collect());
    out.with_attr("ip_configuration", configs)
}

pub(super) fn frontend_id(balancer: &ResourceId, name: &str) -> String {
    format!("{balancer}/frontendIPConfigurations/{name}")
}

/// The private addresses of a load balancer's frontends.
pub(super) fn frontend_addresses<'a>(doc: &Doc<'a>) -> Vec<&'a str> {
    let items = doc.items("/properties/frontendIPConfigurations");
    let address = |at: &String| doc.text(&format!("{at}/properties/privateIPAddress"));
    items.iter().filter_map(address).collect()
}

fn balancer(resource: &Resource, out: Value) -> Value {
    let doc = Doc::of(resource);
    let frontends = out
        .list_attr("frontend_ip_configuration")
        .iter()
        .enumerate();
    let frontends = frontends.map(|(i, frontend)| {
        let at = format!("/properties/frontendIPConfigurations/{i}/properties/privateIPAddress");
        let name = frontend.str_attr("name").unwrap_or_default();
        let id = frontend_id(&resource.id, name);
        let frontend = frontend.clone().with_attr("id", Value::string(id));
        match doc.text(&at) {
            Some(address) => frontend.with_attr("private_ip_address", Value::string(address)),
            None => frontend,
        }
    });
    let frontends = Value::tuple(frontends.collect());
    let addresses: Vec<Value> = frontend_addresses(&doc)
        .into_iter()
        .map(Value::string)
        .collect();
    out.with_attr("frontend_ip_configuration", frontends)
        .with_attr("private_ip_address", first(&addresses))
        .with_attr("private_ip_addresses", Value::list(Type::String, addresses))
}

fn machine(estate: &Estate, resource: &Resource, out: Value) -> Value {
    let doc = Doc::of(resource);
    let (mut private, mut public) = (Vec::new(), Vec::new());
    for at in doc.items("/properties/networkProfile/networkInterfaces") {
        let id = doc.reference(&format!("{at}/id"));
        if let Some(interface) = id.and_then(|id| estate.resource(&id)) {
            let (some_private, some_public) = addresses(estate, interface);
            private.extend(some_private);
            public.extend(some_public);
        }
    }
    out.with_attr("private_ip_address", first(&private))
        .with_attr("private_ip_addresses", Value::list(Type::String, private))
        .with_attr("public_ip_address", first(&public))
        .with_attr("public_ip_addresses", Value::list(Type::String, public))
}

fn gateway(doc: &Doc<'_>, out: Value) -> Value {
    let at = "/properties/bgpSettings";
    let number = |f: &str| Value::number(doc.number(&format!("{at}/{f}")).unwrap_or_default());
    let peers = doc
        .text(&format!("{at}/bgpPeeringAddress"))
        .unwrap_or_default();
    let none = || Value::list(Type::String, Vec::new());
    let name = out
        .at("ip_configuration[0].name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let peering = Value::object_of([
        ("ip_configuration_name", Value::string(name)),
        ("apipa_addresses", none()),
        ("default_addresses", Value::strings(peers.split(','))),
        ("tunnel_ip_addresses", none()),
    ]);
    let settings = Value::object_of([
        ("asn", number("asn")),
        ("peer_weight", number("peerWeight")),
        ("peering_addresses", Value::tuple(vec![peering])),
    ]);
    out.with_attr("bgp_settings", Value::tuple(vec![settings]))
}

/// A JSON value as a value of a type; what does not fit is null.
pub(super) fn value_of(json: &Json, ty: &Type) -> Value {
    let null = || Value::from(Kind::Null(ty.clone()));
    match (ty, json) {
        (Type::String, Json::String(text)) => Value::string(text),
        (Type::Bool, Json::Bool(flag)) => Value::bool(*flag),
        (Type::Number, Json::Number(n)) => n.as_i64().map_or_else(null, Value::number),
        (Type::List(t), Json::Array(items)) => Value::list(
            (**t).clone(),
            items.iter().map(|i| value_of(i, t)).collect(),
        ),
        (Type::Map(t), Json::Object(map)) => {
            let items = map.iter().map(|(k, v)| (k.clone(), value_of(v, t)));
            Value::map((**t).clone(), items.collect())
        }
        (Type::Object(fields), Json::Object(map)) => {
            Value::object_of(fields.iter().map(|(k, f)| {
                let found = map.get(k).unwrap_or(&Json::Null);
                (k.clone(), value_of(found, &f.ty))
            }))
        }
        _ => null(),
    }
}
