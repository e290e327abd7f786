use std::sync::Arc;

use serde_json::json;
use skybridge_estate::{Pace, Phase, ProviderAction, Refusal};
use skybridge_hcl::{MemoryFiles, Spans, Value};
use skybridge_terraform::{
    Action, Apply, ApplyResult, Category, Mode, Schemas, Stack, StackState, VariableInputs,
};

use super::*;
use crate::kinds::{CIRCUIT, CONNECTION, NIC, SUBNET, VNET};
use crate::model::{AzureModel, UserNextHop};
use crate::testing::{Owner, oracle_peering};

const BASE: &str = r#"
resource "azurerm_resource_group" "rg" {
  name     = "net"
  location = "East US"
}
resource "azurerm_virtual_network" "hub" {
  name                = "hub"
  resource_group_name = azurerm_resource_group.rg.name
  location            = azurerm_resource_group.rg.location
  address_space       = ["10.1.0.0/16"]
}
resource "azurerm_subnet" "gateway" {
  name                 = "GatewaySubnet"
  resource_group_name  = azurerm_resource_group.rg.name
  virtual_network_name = azurerm_virtual_network.hub.name
  address_prefixes     = ["10.1.255.0/27"]
}
resource "azurerm_subnet" "app" {
  name                 = "app"
  resource_group_name  = azurerm_resource_group.rg.name
  virtual_network_name = azurerm_virtual_network.hub.name
  address_prefixes     = [cidrsubnet(azurerm_virtual_network.hub.address_space[0], 8, 1)]
}
resource "azurerm_route_table" "app" {
  name                          = "app"
  resource_group_name           = azurerm_resource_group.rg.name
  location                      = azurerm_resource_group.rg.location
  disable_bgp_route_propagation = true
  route {
    name                   = "inspect"
    address_prefix         = "10.8.0.0/16"
    next_hop_type          = "VirtualAppliance"
    next_hop_in_ip_address = "10.1.1.9"
  }
}
resource "azurerm_subnet_route_table_association" "app" {
  subnet_id      = azurerm_subnet.app.id
  route_table_id = azurerm_route_table.app.id
}
resource "azurerm_network_security_group" "app" {
  name                = "app"
  resource_group_name = azurerm_resource_group.rg.name
  location            = azurerm_resource_group.rg.location
  security_rule {
    name                       = "web"
    priority                   = 200
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_port_range          = "*"
    destination_port_ranges    = ["80", "8000-8080"]
    source_address_prefix      = "VirtualNetwork"
    destination_address_prefix = "*"
  }
}
resource "azurerm_network_security_rule" "ping" {
  name                        = "ping"
  resource_group_name         = azurerm_resource_group.rg.name
  network_security_group_name = azurerm_network_security_group.app.name
  priority                    = 100
  direction                   = "Inbound"
  access                      = "Deny"
  protocol                    = "Icmp"
  source_port_range           = "*"
  destination_port_range      = "*"
  source_address_prefix       = "172.16.0.0/12"
  destination_address_prefix  = "*"
}
resource "azurerm_subnet_network_security_group_association" "app" {
  subnet_id                 = azurerm_subnet.app.id
  network_security_group_id = azurerm_network_security_group.app.id
}
resource "azurerm_public_ip" "vm" {
  name                = "vm"
  resource_group_name = azurerm_resource_group.rg.name
  location            = azurerm_resource_group.rg.location
  allocation_method   = "Static"
}
resource "azurerm_network_interface" "vm" {
  name                = "vm"
  resource_group_name = azurerm_resource_group.rg.name
  location            = azurerm_resource_group.rg.location
  ip_configuration {
    name                          = "internal"
    subnet_id                     = azurerm_subnet.app.id
    private_ip_address_allocation = "Dynamic"
    public_ip_address_id          = azurerm_public_ip.vm.id
  }
}
resource "azurerm_linux_virtual_machine" "vm" {
  name                  = "vm"
  resource_group_name   = azurerm_resource_group.rg.name
  location              = azurerm_resource_group.rg.location
  size                  = "Standard_B1s"
  admin_username        = "ops"
  network_interface_ids = [azurerm_network_interface.vm.id]
  os_disk {
    caching              = "ReadWrite"
    storage_account_type = "Standard_LRS"
  }
}
resource "azurerm_virtual_network_gateway" "gw" {
  name                = "gw"
  resource_group_name = azurerm_resource_group.rg.name
  location            = azurerm_resource_group.rg.location
  type                = "ExpressRoute"
  sku                 = "ErGw1AZ"
  ip_configuration {
    subnet_id = azurerm_subnet.gateway.id
  }
}
"#;

const CIRCUIT_TF: &str = r#"
resource "azurerm_express_route_circuit" "er" {
  name                  = "er"
  resource_group_name   = azurerm_resource_group.rg.name
  location              = azurerm_resource_group.rg.location
  service_provider_name = "PROVIDER"
  peering_location      = "Washington DC"
  bandwidth_in_mbps     = 1000
  sku {
    tier   = "Standard"
    family = "MeteredData"
  }
}
resource "azurerm_virtual_network_gateway_connection" "link" {
  name                       = "link"
  resource_group_name        = azurerm_resource_group.rg.name
  location                   = azurerm_resource_group.rg.location
  type                       = "ExpressRoute"
  virtual_network_gateway_id = azurerm_virtual_network_gateway.gw.id
  express_route_circuit_id   = azurerm_express_route_circuit.er.id
}
output "key" {
  value     = azurerm_express_route_circuit.er.service_key
  sensitive = true
}
output "address" {
  value = azurerm_linux_virtual_machine.vm.private_ip_address
}
"#;

const PEERING_TF: &str = r#"
resource "azurerm_express_route_circuit_peering" "private" {
  peering_type                  = "AzurePrivatePeering"
  express_route_circuit_name    = azurerm_express_route_circuit.er.name
  resource_group_name           = azurerm_resource_group.rg.name
  peer_asn                      = 65010
  primary_peer_address_prefix   = "192.168.100.128/30"
  secondary_peer_address_prefix = "192.168.100.132/30"
  vlan_id                       = 100
}
"#;

fn stack(text: &str) -> Arc<Stack> {
    let files = MemoryFiles::new().with("main.tf", text);
    let schemas = Arc::new(Schemas::builtin());
    let loaded = Stack::load(Arc::new(files), ".", &VariableInputs::default(), schemas);
    Arc::new(loaded.unwrap().0)
}

/// Runs commands one after the other, waiting when another operation is in the way; a circuit of Oracle is
/// provisioned while waiting, as its virtual circuit would.
fn carry_out(o: &mut Owner, commands: &[Command]) -> Result<(), Refusal> {
    for command in commands {
        for _ in 0..100 {
            match o.run(command) {
                Err(refusal) if refusal.retryable && (o.advance() || use_key(o)) => {}
                Err(refusal) => return Err(refusal),
                Ok(()) => break,
            }
        }
    }
    Ok(())
}

fn use_key(o: &mut Owner) -> bool {
    let circuits = o.estate.of_kind(CIRCUIT);
    let waiting = circuits
        .filter(|c| {
            c.text("/properties/serviceProviderProvisioningState") == Some("NotProvisioned")
        })
        .find_map(|c| c.text("/properties/serviceKey"));
    let Some(key) = waiting.map(str::to_owned) else {
        return false;
    };
    let peering = Some(oracle_peering());
    o.provider(&key, ProviderAction::Provision { peering })
        .unwrap();
    true
}

/// Applies as the lab does: one action at a time, each to its end.
fn apply(o: &mut Owner, mut machine: Apply) -> ApplyResult {
    while let Some(action) = machine.poll_action() {
        let target = action.target().clone();
        let (address, ty) = (target.address.to_string(), target.address.ty.clone());
        let mapped = match &action {
            Action::Read { config, .. } => {
                match read(&o.estate, &ty, config) {
                    Ok(value) => machine.complete(target.id, &value),
                    Err(diagnostic) => machine.fail(target.id, diagnostic),
                }
                continue;
            }
            Action::Create { planned, .. } => {
                create(&o.estate, &address, &ty, planned, &target.spans)
            }
            Action::Update { before, after, .. } => {
                update(&o.estate, &address, &ty, before, after, &target.spans)
            }
            Action::Delete { before, .. } => Ok(Mapped::Commands(delete(&o.estate, &ty, before))),
        };
        let config = match &action {
            Action::Create { planned, .. } => planned,
            Action::Update { after, .. } => after,
            Action::Delete { before, .. } => before,
            Action::Read { config, .. } => config,
        };
        match mapped.unwrap() {
            Mapped::NotModelled(_) => {
                machine.complete_as_placeholder(target.id);
                continue;
            }
            Mapped::Commands(commands) => {
                if let Err(refusal) = carry_out(o, &commands) {
                    machine.fail(target.id, Diagnostic::error("Refused", refusal.to_string()));
                    continue;
                }
            }
            Mapped::Recorded => {}
        }
        while settled(&o.estate, &ty, config) == Settled::Pending {
            assert!(o.advance(), "{address} never settles");
        }
        match settled(&o.estate, &ty, config) {
            Settled::Failed(why) => machine.fail(target.id, Diagnostic::error("Failed", why)),
            Settled::Pending | Settled::Ready if matches!(action, Action::Delete { .. }) => {
                machine.complete(target.id, &Value::null());
            }
            Settled::Pending | Settled::Ready => {
                machine.complete(target.id, &attributes(&o.estate, &ty, config))
            }
        }
    }
    machine.finish()
}

fn oracle_text() -> String {
    format!(
        "{BASE}{}",
        CIRCUIT_TF.replace("PROVIDER", "Oracle Cloud FastConnect")
    )
}

/// The errors of a result; warnings about dropped arguments are wanted.
fn errors(result: &ApplyResult) -> Vec<String> {
    let errors = result.diagnostics.iter().filter(|d| d.is_error());
    errors.map(ToString::to_string).collect()
}

fn bring_up(o: &mut Owner, text: &str) -> ApplyResult {
    let result = apply(o, Apply::new(stack(text), StackState::default()));
    assert_eq!(errors(&result), [""; 0]);
    result
}

#[test]
fn a_stack_becomes_an_estate_that_the_model_reads_whole() {
    let mut o = Owner::new(Pace::Compressed);
    let result = bring_up(&mut o, &oracle_text());
    let model = AzureModel::read(&o.estate);
    assert!(model.gaps.is_empty(), "{:?}", model.gaps);
    assert!(o.estate.resources().all(|r| r.unknown.is_empty()));
    assert!(o.estate.resources().all(|r| r.phase == Phase::Ready));
    let vnet = &model.vnets[0];
    assert_eq!(
        (vnet.name.as_str(), vnet.location.as_str()),
        ("hub", "eastus")
    );
    let app = vnet.subnets.iter().find(|s| s.name == "app").unwrap();
    assert_eq!(app.prefixes[0].to_string(), "10.1.1.0/24");
    let table = &model.route_tables[0];
    assert_eq!(app.route_table.as_ref(), Some(&table.id));
    assert!(!table.propagate_gateway_routes);
    let appliance = UserNextHop::VirtualAppliance("10.1.1.9".parse().unwrap());
    assert_eq!(table.routes[0].next_hop, appliance);
    let group = &model.security_groups[0];
    assert_eq!(app.security_group.as_ref(), Some(&group.id));
    let names: Vec<&str> = group.rules.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names[..3], ["ping", "web", "AllowVnetInBound"]);
    assert_eq!(names.len(), 8);
    assert_eq!(group.rules[1].destination_ports, [(80, 80), (8000, 8080)]);
    let interface = &model.interfaces[0];
    assert_eq!(interface.address.to_string(), "10.1.1.4");
    assert_eq!(interface.machine.as_ref().unwrap().name, "vm");
    assert_eq!(model.gateways[0].sku, "ErGw1AZ");
    assert_eq!(model.circuits[0].peerings[0].peer_asn.0, 31898);
    assert_eq!(model.connections.len(), 1);
    let outputs = &result.state.outputs;
    assert_eq!(outputs["address"].value.as_str(), Some("10.1.1.4"));
    let key = outputs["key"].value.as_str().unwrap();
    assert_eq!(key, model.circuits[0].service_key);
}

#[test]
fn a_second_apply_changes_nothing() {
    let mut o = Owner::new(Pace::Compressed);
    let state = bring_up(&mut o, &oracle_text()).state;
    let revision = o.estate.revision();
    let again = apply(&mut o, Apply::new(stack(&oracle_text()), state));
    assert_eq!(again.counts, [0, 0, 0], "{:#?}", again.plan);
    assert_eq!(o.estate.revision(), revision);
}

#[test]
fn changes_keep_associations_and_blocks_move_in_place() {
    let mut o = Owner::new(Pace::Compressed);
    let state = bring_up(&mut o, BASE).state;
    let changed = BASE
        .replace(
            "hub.address_space[0], 8, 1)]",
            "hub.address_space[0], 8, 1)]\n  service_endpoints = [\"Microsoft.Sql\"]",
        )
        .replace(
            "disable_bgp_route_propagation = true",
            "bgp_route_propagation_enabled = true",
        )
        .replace(
            "priority                   = 200",
            "priority                   = 300",
        );
    let result = apply(&mut o, Apply::new(stack(&changed), state));
    assert_eq!(errors(&result), [""; 0]);
    assert_eq!(result.counts, [0, 3, 0]);
    let model = AzureModel::read(&o.estate);
    let app = model.vnets[0]
        .subnets
        .iter()
        .find(|s| s.name == "app")
        .unwrap();
    assert!(app.route_table.is_some() && app.security_group.is_some());
    assert!(model.route_tables[0].propagate_gateway_routes);
    assert_eq!(model.security_groups[0].rules[1].priority, 300);
}

#[test]
fn associations_that_wait_for_each_other_do_not_undo_each_other() {
    let mut o = Owner::new(Pace::Compressed);
    let mut state = bring_up(&mut o, BASE).state;
    let of_app = |o: &Owner| {
        let model = AzureModel::read(&o.estate);
        let app = model.vnets[0]
            .subnets
            .iter()
            .find(|s| s.name == "app")
            .unwrap()
            .clone();
        (app.security_group.is_some(), app.route_table.is_some())
    };
    let types = [
        "azurerm_subnet_network_security_group_association",
        "azurerm_subnet_route_table_association",
    ];
    let value = |ty: &str| {
        let mut all = state.instances.iter();
        all.find(|(a, _)| a.ty == ty).unwrap().1.attributes.clone()
    };
    let values = types.map(value);
    let subnet = state
        .instances
        .iter()
        .find(|(a, _)| a.name == "app" && a.ty == "azurerm_subnet");
    let subnet = subnet.unwrap().1.attributes.clone();
    // All are mapped before any is carried out, as at the beginning of a parallel apply.
    let map = |o: &Owner, ty: &str, v: &Value| match create(
        &o.estate,
        &format!("{ty}.app"),
        ty,
        v,
        &Spans::default(),
    )
    .unwrap()
    {
        Mapped::Commands(commands) => commands,
        other @ (Mapped::Recorded | Mapped::NotModelled(_)) => panic!("{other:?}"),
    };
    let mut taken_back = Vec::new();
    for (ty, value) in types.iter().zip(&values) {
        taken_back.extend(delete(&o.estate, ty, value));
    }
    let mut commands = map(&o, types[0], &values[0]);
    commands.extend(map(&o, "azurerm_subnet", &subnet));
    commands.extend(map(&o, types[1], &values[1]));
    carry_out(&mut o, &taken_back).unwrap();
    o.settle();
    assert_eq!(of_app(&o), (false, false));
    carry_out(&mut o, &commands).unwrap();
    o.settle();
    assert_eq!(of_app(&o), (true, true));
    let app = o.estate.of_kind(SUBNET).find(|s| s.name == "app").unwrap();
    assert!(
        app.doc.as_object().unwrap().keys().eq(["properties"]),
        "{}",
        app.doc
    );
    // Taking back from what is gone changes nothing.
    state = apply(&mut o, Apply::destroy(state)).state;
    assert!(state.instances.is_empty());
    carry_out(&mut o, &taken_back).unwrap();
    assert!(carry_out(&mut o, &commands[..1]).is_err());
}

#[test]
fn an_ordinary_provider_and_a_peering_of_ones_own_come_up_in_one_apply() {
    let mut o = Owner::new(Pace::Compressed);
    let text = format!(
        "{BASE}{}{PEERING_TF}",
        CIRCUIT_TF.replace("PROVIDER", "Equinix")
    );
    bring_up(&mut o, &text);
    let model = AzureModel::read(&o.estate);
    assert_eq!(model.circuits[0].peerings[0].vlan.as_u16(), 100);
    assert_eq!(crate::rules::check(&o.estate, &model), []);
}

#[test]
fn a_destruction_is_in_order_and_the_circuit_needs_its_provider_to_let_go() {
    let mut o = Owner::new(Pace::Compressed);
    let state = bring_up(&mut o, &oracle_text()).state;
    let result = apply(&mut o, Apply::destroy(state));
    let said = errors(&result);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("ConflictError"), "{said:?}");
    assert_eq!(o.estate.of_kind(CIRCUIT).count(), 1);
    assert_eq!(o.estate.of_kind(VNET).count(), 0);
    let key = o.estate.of_kind(CIRCUIT).next().unwrap();
    let key = key.text("/properties/serviceKey").unwrap().to_owned();
    o.provider(&key, ProviderAction::Deprovision).unwrap();
    o.settle();
    let result = apply(&mut o, Apply::destroy(result.state));
    assert_eq!(errors(&result), [""; 0]);
    assert_eq!(o.estate.resources().count(), 0);
}

#[test]
fn refusals_lead_back_to_the_line() {
    let mut o = Owner::new(Pace::Instant);
    let text = oracle_text().replace("\"Washington DC\"", "\"Washingtn DC\"");
    let result = apply(&mut o, Apply::new(stack(&text), StackState::default()));
    let said = errors(&result);
    assert!(
        said.iter()
            .any(|d| d.contains("did you mean \"Washington DC\"?")),
        "{said:?}"
    );
    // Places of fields, blocks and list elements.
    let origin = o
        .estate
        .of_kind(SUBNET)
        .next()
        .unwrap()
        .origin
        .clone()
        .unwrap();
    let line = |pointer: &str| origin.place(pointer).unwrap().line;
    assert_eq!(&*origin.place("").unwrap().file, "main.tf");
    assert!(line("/properties/addressPrefixes/0") > line(""));
    let nic = o.estate.of_kind(NIC).next().unwrap();
    let place = nic.origin.as_ref().unwrap();
    let subnet = place
        .place("/properties/ipConfigurations/0/properties/subnet/id")
        .unwrap();
    let text_line = oracle_text()
        .lines()
        .nth(subnet.line as usize - 1)
        .unwrap()
        .to_owned();
    assert!(text_line.contains("subnet_id"), "{text_line}");
}

#[test]
fn inline_subnets_and_data_sources_work() {
    let text = r#"
resource "azurerm_virtual_network" "v" {
  name                = "v"
  resource_group_name = "g"
  location            = "westeurope"
  address_space       = ["10.2.0.0/16"]
  subnet {
    name           = "a"
    address_prefix = "10.2.1.0/24"
  }
  subnet {
    name             = "b"
    address_prefixes = ["10.2.2.0/24"]
  }
}
data "azurerm_subnet" "b" {
  name                 = "b"
  virtual_network_name = azurerm_virtual_network.v.name
  resource_group_name  = "g"
  depends_on           = [azurerm_virtual_network.v]
}
data "azurerm_virtual_network" "v" {
  name                = azurerm_virtual_network.v.name
  resource_group_name = "g"
  depends_on          = [azurerm_virtual_network.v]
}
data "azurerm_client_config" "me" {}
output "b" { value = data.azurerm_subnet.b.address_prefixes[0] }
output "names" { value = join(",", data.azurerm_virtual_network.v.subnets) }
output "me" { value = data.azurerm_client_config.me.subscription_id }
"#;
    let mut o = Owner::new(Pace::Compressed);
    let result = apply(&mut o, Apply::new(stack(text), StackState::default()));
    assert_eq!(errors(&result), [""; 0]);
    let out = |name: &str| {
        result.state.outputs[name]
            .value
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(out("b"), "10.2.2.0/24");
    assert_eq!(out("names"), "a,b");
    assert_eq!(out("me"), SUBSCRIPTION_ID);
    assert_eq!(AzureModel::read(&o.estate).vnets[0].subnets.len(), 2);
    let missing = Value::object_of([
        ("name", Value::string("x")),
        ("resource_group_name", Value::string("g")),
    ]);
    assert!(read(&o.estate, "azurerm_express_route_circuit", &missing).is_err());
    // Others that are not here may be in the account: they get placeholders.
    let nic = read(&o.estate, "azurerm_network_interface", &missing).unwrap_err();
    assert_eq!(nic.summary, "Not modelled");
}

#[test]
fn subnets_are_understood_in_the_form_of_version_5() {
    let mut o = Owner::new(Pace::Compressed);
    let text = r#"
resource "azurerm_resource_group" "rg" {
  name     = "rg"
  location = "westeurope"
}
resource "azurerm_network_security_group" "nsg" {
  name                = "nsg"
  resource_group_name = azurerm_resource_group.rg.name
  location            = "westeurope"
}
resource "azurerm_virtual_network" "v" {
  name                = "v"
  resource_group_name = azurerm_resource_group.rg.name
  location            = "westeurope"
  address_space       = ["10.0.0.0/16"]
}
resource "azurerm_subnet" "s" {
  name                                 = "s"
  resource_group_name                  = azurerm_resource_group.rg.name
  virtual_network_name                 = azurerm_virtual_network.v.name
  address_prefixes                     = ["10.0.1.0/24"]
  network_security_group_id_wo         = azurerm_network_security_group.nsg.id
  network_security_group_id_wo_version = 1
  service_endpoint {
    service = "Microsoft.Sql"
  }
}
"#;
    let result = bring_up(&mut o, text);
    assert_eq!(errors(&result), Vec::<String>::new());
    let subnets = o.estate.of_kind(SUBNET);
    let [subnet] = subnets.collect::<Vec<_>>()[..] else {
        panic!("one subnet");
    };
    let text = |pointer: &str| subnet.doc.pointer(pointer).and_then(|v| v.as_str());
    let group = text("/properties/networkSecurityGroup/id").unwrap_or_default();
    assert!(group.ends_with("/nsg"), "{group}");
    let service = text("/properties/serviceEndpoints/0/service");
    assert_eq!(service, Some("Microsoft.Sql"));
}

#[test]
fn what_a_machine_data_source_shows_is_the_address_of_its_interface() {
    let mut o = Owner::new(Pace::Compressed);
    let result = apply(&mut o, Apply::new(stack(BASE), StackState::default()));
    assert_eq!(errors(&result), [""; 0]);
    let vm = Value::object_of([
        ("name", Value::string("vm")),
        ("resource_group_name", Value::string("net")),
    ]);
    for ty in ["azurerm_virtual_machine", "azurerm_network_interface"] {
        let found = read(&o.estate, ty, &vm).unwrap();
        assert_eq!(
            found.str_attr("private_ip_address"),
            Some("10.1.1.4"),
            "{ty}"
        );
    }
}

#[test]
fn placeholders_are_noted_by_pointer_and_vpn_is_not_modelled() {
    let estate = Estate::new(1, Pace::Instant);
    let config = Value::object_of([
        ("name", Value::string("v")),
        ("resource_group_name", Value::string("g")),
        (
            "location",
            Value::string("placeholder-1").placeholder("data.x.y.location"),
        ),
        (
            "address_space",
            Value::tuple(vec![
                Value::string("10.0.0.0/8"),
                Value::string("placeholder-2").placeholder("data.x.y.cidr"),
            ]),
        ),
        ("guid", Value::unknown(skybridge_hcl::Type::String)),
    ]);
    let spans = Spans::default();
    let mapped = create(
        &estate,
        "azurerm_virtual_network.v",
        "azurerm_virtual_network",
        &config,
        &spans,
    );
    let Ok(Mapped::Commands(commands)) = mapped else {
        panic!("{mapped:?}");
    };
    let Command::Put(put) = &commands[0] else {
        panic!("{commands:?}");
    };
    let unknown = ["/location", "/properties/addressSpace/addressPrefixes/1"];
    assert_eq!(
        put.unknown,
        unknown.map(str::to_owned).into_iter().collect()
    );
    assert_eq!(
        put.doc["properties"]["addressSpace"]["addressPrefixes"][0],
        json!("10.0.0.0/8")
    );

    let vpn = Value::object_of([
        ("name", Value::string("g")),
        ("type", Value::string("IPsec")),
    ]);
    let ty = "azurerm_virtual_network_gateway_connection";
    let mapped = create(&estate, "x", ty, &vpn, &spans).unwrap();
    assert!(matches!(mapped, Mapped::NotModelled(_)));
    let nameless = Value::object_of([("name", Value::null())]);
    let error = create(&estate, "x", "azurerm_subnet", &nameless, &spans).unwrap_err();
    assert!(error[0].detail.contains("resource_group_name of x"));
    assert!(owns("azurerm_bastion_host") && !owns("oci_core_vcn"));
    let mapped = create(&estate, "x", "azurerm_bastion_host", &nameless, &spans).unwrap();
    assert!(matches!(mapped, Mapped::NotModelled(_)));
}

#[test]
fn every_network_type_of_the_schemas_is_mapped_or_named_here() {
    let schemas = Schemas::builtin();
    for (mode, ty, schema) in schemas.iter() {
        let wanted = mode == Mode::Managed && owns(ty) && schema.category == Category::Network;
        if wanted {
            assert!(is_modelled(ty), "{ty}");
        }
    }
    assert!(is_modelled("azurerm_express_route_circuit"));
    assert_eq!(
        CONNECTION,
        row("azurerm_virtual_network_gateway_connection")
            .unwrap()
            .kind
    );
}
