//! Whole configurations through plan and apply, against the estate in virtual time.
#![allow(clippy::result_large_err, reason = "tests are not a hot path")]

use std::sync::Arc;

use skybridge_estate::{Command, Refusal};
use skybridge_hcl::{Diagnostic, MemoryFiles, Value};
use skybridge_terraform::{Action, Apply, ApplyResult, Schemas, Stack, StackState, VariableInputs};

use super::{
    Mapped, ProviderContext, Settled, attributes, create, delete, id_of, read, settled, update,
};
use crate::kinds;
use crate::model::{OciModel, RouteTarget};
use crate::testing::{KEY, Lab};

/// Sends commands, waiting for whatever is in the way.
fn send(lab: &mut Lab, commands: &[Command]) -> Result<(), Refusal> {
    for command in commands {
        let mut tries = 0;
        while let Err(refusal) = lab.send(command) {
            if !refusal.retryable || tries == 50 {
                return Err(refusal);
            }
            tries += 1;
            lab.pass(30);
        }
    }
    Ok(())
}

/// Waits until a resource has settled.
fn wait(lab: &mut Lab, ty: &str, attributes: &Value) -> Result<(), Diagnostic> {
    for _ in 0..100 {
        match settled(&lab.estate, ty, attributes) {
            Settled::Ready => return Ok(()),
            Settled::Failed(why) => return Err(Diagnostic::error("Failed", why)),
            Settled::Pending => lab.pass(30),
        }
    }
    panic!("{ty} settles");
}

/// Carries out one action as the front door does.
fn act(lab: &mut Lab, action: &Action) -> Result<Value, Diagnostic> {
    let target = action.target();
    let context = ProviderContext::from_config(&target.provider_config);
    let (address, ty) = (target.address.to_string(), target.address.ty.as_str());
    let refused = |r: Refusal| Diagnostic::error(r.code, r.message);
    let (mapped, config) = match action {
        Action::Read { config, .. } => return read(&lab.estate, ty, config, &context),
        Action::Create { planned, .. } => (
            create(&lab.estate, &address, ty, planned, &target.spans, &context),
            planned,
        ),
        Action::Update { before, after, .. } => (
            update(
                &lab.estate,
                &address,
                ty,
                before,
                after,
                &target.spans,
                &context,
            ),
            after,
        ),
        Action::Delete { before, .. } => {
            let commands = delete(&lab.estate, ty, before);
            send(lab, &commands).map_err(refused)?;
            wait(lab, ty, before)?;
            return Ok(Value::null());
        }
    };
    let Mapped::Commands(commands) = mapped.map_err(|mut e| e.swap_remove(0))? else {
        panic!("{ty} is modelled")
    };
    send(lab, &commands).map_err(refused)?;
    let id = id_of(&lab.estate, "", &address, ty, config).expect("it was made");
    let first = attributes(&lab.estate, ty, config, &id);
    wait(lab, ty, &first)?;
    Ok(attributes(&lab.estate, ty, config, &id))
}

/// Plans and applies a configuration on top of what exists.
fn apply(lab: &mut Lab, text: &str, prior: StackState) -> ApplyResult {
    let files = Arc::new(MemoryFiles::new().with("main.tf", text));
    let schemas = Arc::new(Schemas::builtin());
    let (stack, said) =
        Stack::load(files, ".", &VariableInputs::default(), schemas).expect("it loads");
    assert_eq!(said, []);
    run(lab, Apply::new(Arc::new(stack), prior))
}

fn run(lab: &mut Lab, mut apply: Apply) -> ApplyResult {
    while !apply.is_done() {
        while let Some(action) = apply.poll_action() {
            let id = action.target().id;
            match act(lab, &action) {
                Ok(value) => apply.complete(id, &value),
                Err(said) => apply.fail(id, said),
            }
        }
    }
    apply.finish()
}

const NETWORK: &str = r#"
provider "oci" {
  region       = "uk-london-1"
  tenancy_ocid = "ocid1.tenancy.oc1..t"
}
locals { compartment = "ocid1.compartment.oc1..c" }
resource "oci_core_vcn" "v" {
  compartment_id = local.compartment
  cidr_blocks    = ["10.1.0.0/16"]
  dns_label      = "v"
}
resource "oci_core_drg" "d" { compartment_id = local.compartment }
resource "oci_core_drg_attachment" "a" {
  drg_id = oci_core_drg.d.id
  network_details {
    id   = oci_core_vcn.v.id
    type = "VCN"
  }
}
resource "oci_core_route_table" "t" {
  compartment_id = local.compartment
  vcn_id         = oci_core_vcn.v.id
  route_rules {
    destination       = "10.2.0.0/16"
    destination_type  = "CIDR_BLOCK"
    network_entity_id = oci_core_drg.d.id
  }
}
resource "oci_core_default_security_list" "l" {
  manage_default_resource_id = oci_core_vcn.v.default_security_list_id
  egress_security_rules {
    protocol    = "all"
    destination = "0.0.0.0/0"
  }
  ingress_security_rules {
    protocol = "6"
    source   = "10.2.0.0/16"
    tcp_options {
      min = 1521
      max = 1522
    }
  }
  ingress_security_rules {
    protocol = "1"
    source   = "10.2.0.0/16"
    icmp_options { type = 8 }
  }
}
data "oci_identity_availability_domains" "all" { compartment_id = local.compartment }
data "oci_core_images" "linux" {
  compartment_id = local.compartment
  filter {
    name   = "display_name"
    values = ["^Oracle-Linux-8[^G]*$"]
    regex  = true
  }
}
resource "oci_core_subnet" "s" {
  compartment_id = local.compartment
  vcn_id         = oci_core_vcn.v.id
  cidr_block     = "10.1.1.0/24"
  route_table_id = oci_core_route_table.t.id
}
resource "oci_core_instance" "i" {
  compartment_id      = local.compartment
  availability_domain = data.oci_identity_availability_domains.all.availability_domains[1].name
  shape               = "VM.Standard.E4.Flex"
  display_name        = "app"
  create_vnic_details {
    subnet_id = oci_core_subnet.s.id
  }
  source_details {
    source_type = "image"
    source_id   = data.oci_core_images.linux.images[0].id
  }
}
output "address" { value = oci_core_instance.i.private_ip }
"#;

#[test]
fn a_network_is_applied_planned_again_without_change_and_destroyed() {
    let mut lab = Lab::new();
    let result = apply(&mut lab, NETWORK, StackState::default());
    assert_eq!(result.diagnostics, []);
    assert_eq!(result.counts, [7, 0, 0]);
    let model = OciModel::read(&lab.estate);
    assert_eq!(model.gaps, []);
    assert_eq!(model.vcns[0].region, "uk-london-1");
    assert_eq!(model.vcns[0].name, "oci_core_vcn.v");
    let table = model
        .route_tables
        .iter()
        .find(|t| !t.rules.is_empty())
        .unwrap();
    assert_eq!(
        table.rules[0].target,
        RouteTarget::Drg(model.drgs[0].id.clone())
    );
    let list = &model.security_lists[0];
    let ports: Vec<_> = list
        .rules
        .iter()
        .filter_map(|r| r.destination_ports)
        .collect();
    assert_eq!(ports, [(1521, 1522)]);
    let icmp: Vec<_> = list.rules.iter().filter_map(|r| r.icmp).collect();
    assert_eq!(icmp, [(8, None)]);
    assert_eq!(model.vnics[0].name, "app");
    assert_eq!(
        result.state.outputs["address"].value,
        Value::string("10.1.1.2")
    );
    assert_eq!(crate::rules::check(&lab.estate, &model), []);

    let line = NETWORK
        .lines()
        .position(|l| l.contains("network_entity_id"));
    let line = u32::try_from(line.unwrap() + 1).unwrap();
    let table = lab
        .estate
        .of_kind(kinds::ROUTE_TABLE)
        .find(|t| t.origin.is_some())
        .unwrap();
    let place = table
        .origin
        .as_ref()
        .unwrap()
        .place("/routeRules/0/networkEntityId")
        .unwrap();
    assert_eq!((place.file.as_ref(), place.line), ("main.tf", line));

    let again = apply(&mut lab, NETWORK, result.state);
    assert_eq!(again.diagnostics, []);
    assert_eq!(again.counts, [0, 0, 0], "{:?}", again.plan);
    let changed = NETWORK.replace("10.2.0.0/16", "10.3.0.0/16");
    let third = apply(&mut lab, &changed, again.state);
    assert_eq!(third.diagnostics, []);
    assert_eq!(third.counts, [0, 2, 0]);
    let model = OciModel::read(&lab.estate);
    assert_eq!(model.gaps, []);
    let table = model
        .route_tables
        .iter()
        .find(|t| !t.rules.is_empty())
        .unwrap();
    assert_eq!(table.rules[0].destination.to_string(), "10.3.0.0/16");

    let gone = run(&mut lab, Apply::destroy(third.state));
    assert_eq!(gone.diagnostics, []);
    lab.pass(1000);
    let left: Vec<_> = lab.estate.resources().map(|r| r.kind.to_string()).collect();
    assert_eq!(left, Vec::<String>::new());
}

const CIRCUIT: &str = r#"
resource "oci_core_drg" "d" { compartment_id = "c" }
data "oci_core_fast_connect_provider_services" "all" { compartment_id = "c" }
data "oci_core_fast_connect_provider_service" "azure" {
  provider_service_id = lookup(element(data.oci_core_fast_connect_provider_services.all.fast_connect_provider_services, index(data.oci_core_fast_connect_provider_services.all.fast_connect_provider_services.*.provider_name, "Microsoft Azure")), "id")
}
resource "oci_core_virtual_circuit" "c" {
  compartment_id            = "c"
  type                      = "PRIVATE"
  bandwidth_shape_name      = "1 Gbps"
  gateway_id                = oci_core_drg.d.id
  provider_service_id       = data.oci_core_fast_connect_provider_service.azure.id
  provider_service_key_name = "KEY"
  cross_connect_mappings {
    customer_bgp_peering_ip = "192.168.240.2/30"
    oracle_bgp_peering_ip   = "192.168.240.1/30"
    bgp_md5auth_key         = "k"
  }
  cross_connect_mappings {
    customer_bgp_peering_ip = "192.168.240.6/30"
  }
}
output "vlan"   { value = oci_core_virtual_circuit.c.cross_connect_mappings[0].vlan }
output "oracle" { value = oci_core_virtual_circuit.c.cross_connect_mappings[1].oracle_bgp_peering_ip }
output "state"  { value = oci_core_virtual_circuit.c.state }
"#;

#[test]
fn a_circuit_found_by_element_and_index_is_provisioned_and_its_vlan_is_read_back() {
    let mut lab = Lab::new();
    lab.express_route(1000);
    let result = apply(
        &mut lab,
        &CIRCUIT.replace("KEY", KEY),
        StackState::default(),
    );
    assert_eq!(result.diagnostics, []);
    let output = |name: &str| result.state.outputs[name].value.clone();
    assert_eq!(output("vlan"), Value::number(100));
    assert_eq!(output("oracle"), Value::string("192.168.240.5/30"));
    assert_eq!(output("state"), Value::string("PROVISIONED"));
    let model = OciModel::read(&lab.estate);
    assert_eq!(
        model.virtual_circuits[0].mappings[0].md5.as_deref(),
        Some("k")
    );
    let again = apply(&mut lab, &CIRCUIT.replace("KEY", KEY), result.state);
    assert_eq!(again.counts, [0, 0, 0], "{:?}", again.plan);
}

#[test]
fn a_circuit_with_a_wrong_key_fails_after_the_clients_patience() {
    let mut lab = Lab::new();
    let result = apply(&mut lab, CIRCUIT, StackState::default());
    assert!(
        result.diagnostics[0]
            .to_string()
            .contains("PENDING_PROVIDER")
    );
    assert!(lab.now.as_millis() >= 1_200_000);
}

/// Reads a data source with arguments.
fn data(ty: &str, arguments: &[(&str, Value)]) -> Result<Value, Diagnostic> {
    let pairs = arguments.iter().map(|(k, v)| (*k, v.clone()));
    let context = ProviderContext::default();
    read(&Lab::new().estate, ty, &Value::object_of(pairs), &context)
}

fn filter(name: &str, value: &str, regex: bool) -> (&'static str, Value) {
    let filter = Value::object_of([
        ("name", Value::string(name)),
        ("values", Value::strings([value])),
        ("regex", Value::bool(regex)),
    ]);
    ("filter", Value::tuple(vec![filter]))
}

#[test]
fn data_sources_answer_with_stable_lists_and_honour_filters() {
    let c = ("compartment_id", Value::string("c"));
    let count = |ty: &str, list: &str, arguments: &[(&str, Value)]| {
        data(ty, arguments).unwrap().list_attr(list).len()
    };
    let domains = "oci_identity_availability_domains";
    assert_eq!(
        count(domains, "availability_domains", std::slice::from_ref(&c)),
        3
    );
    let second = filter("name", ".*-AD-2$", true);
    assert_eq!(
        count(domains, "availability_domains", &[c.clone(), second]),
        1
    );
    let exact = filter("provider_name", "Microsoft Azure", false);
    let providers = "oci_core_fast_connect_provider_services";
    assert_eq!(
        count(
            providers,
            "fast_connect_provider_services",
            &[c.clone(), exact]
        ),
        1
    );
    assert_eq!(count("oci_identity_regions", "regions", &[]), 46);
    let quick = filter("display_name", "^.*Oracle[^G]*$", true);
    let images = data("oci_core_images", &[c.clone(), quick]).unwrap();
    let images = images.list_attr("images");
    assert_eq!(images.len(), 3);
    assert_eq!(
        images[0].str_attr("display_name"),
        Some("Oracle-Linux-9.4-2024.09.30-0")
    );
    assert_eq!(images[0].str_attr("state"), Some("AVAILABLE"));
    let ubuntu = [
        c.clone(),
        ("operating_system", Value::string("Canonical Ubuntu")),
    ];
    assert_eq!(count("oci_core_images", "images", &ubuntu), 3);
    assert_eq!(count("oci_core_services", "services", &[]), 2);
    assert_eq!(
        data("oci_core_images", std::slice::from_ref(&c)),
        data("oci_core_images", &[c])
    );
}

#[test]
fn lists_hold_what_their_arguments_ask_for() {
    let mut lab = Lab::new();
    assert_eq!(
        apply(&mut lab, NETWORK, StackState::default()).diagnostics,
        []
    );
    let context = ProviderContext::default();
    let data = |ty: &str, arguments: &[(&str, &str)]| {
        let pairs = arguments.iter().map(|(k, v)| (*k, Value::string(*v)));
        read(&lab.estate, ty, &Value::object_of(pairs), &context)
    };
    let count = |ty: &str, list: &str, arguments: &[(&str, &str)]| {
        let found = data(ty, arguments).unwrap();
        found.list_attr(list).len()
    };
    let vcn = lab.estate.of_kind(kinds::VCN).next().unwrap().id.clone();
    let drg = lab.estate.of_kind(kinds::DRG).next().unwrap().id.clone();
    let (vcn, drg) = (vcn.as_str(), drg.as_str());
    let vcns = |arguments: &[(&str, &str)]| {
        count("oci_core_virtual_networks", "virtual_networks", arguments)
    };
    assert_eq!(vcns(&[("compartment_id", "any")]), 1);
    assert_eq!(vcns(&[("state", "available")]), 1);
    assert_eq!(vcns(&[("display_name", "other")]), 0);
    let tables =
        |arguments: &[(&str, &str)]| count("oci_core_route_tables", "route_tables", arguments);
    assert_eq!(tables(&[("vcn_id", vcn)]), 2);
    assert_eq!(tables(&[("vcn_id", "other")]), 0);
    let attachments = |arguments: &[(&str, &str)]| {
        count("oci_core_drg_attachments", "drg_attachments", arguments)
    };
    assert_eq!(
        attachments(&[("drg_id", drg), ("attachment_type", "VCN")]),
        1
    );
    assert_eq!(attachments(&[("network_id", "other")]), 0);
    let one = data("oci_core_drg_route_table", &[("drg_route_table_id", "no")]);
    assert!(one.is_err());
    // Nothing of the kind is here: the account that the directory was written for has some.
    let none = data("oci_core_virtual_circuits", &[]).unwrap_err();
    assert_eq!(none.summary, "Not modelled");
}

#[test]
fn data_sources_refuse_what_is_not_there() {
    let no_domain = data(
        "oci_identity_availability_domain",
        &[("ad_number", Value::number(4))],
    );
    assert!(
        no_domain
            .unwrap_err()
            .detail
            .contains("has 3 availability domains")
    );
    let bad = filter("name", "(", true);
    assert_eq!(
        data("oci_identity_regions", &[bad]).unwrap_err().summary,
        "Invalid filter"
    );
    assert!(data("oci_core_vnic", &[("vnic_id", Value::string("x"))]).is_err());
    assert_eq!(
        data("oci_database_systems", &[]).unwrap_err().summary,
        "Not modelled"
    );
}

#[test]
fn placeholders_become_pointers_and_a_type_that_is_not_modelled_says_so() {
    let estate = Lab::new().estate;
    let context = ProviderContext::default();
    let spans = skybridge_hcl::Spans::default();
    let config = Value::object_of([
        (
            "cidr_blocks",
            Value::tuple(vec![
                Value::string("10.1.0.0/16"),
                Value::string("placeholder-1").placeholder("x.y"),
            ]),
        ),
        ("dns_label", Value::string("ok")),
    ]);
    let mapped = create(
        &estate,
        "oci_core_vcn.v",
        "oci_core_vcn",
        &config,
        &spans,
        &context,
    );
    let Ok(Mapped::Commands(commands)) = mapped else {
        panic!("commands")
    };
    let Command::Put(put) = &commands[0] else {
        panic!("a put")
    };
    let unknown: Vec<_> = put.unknown.iter().map(String::as_str).collect();
    assert_eq!(unknown, ["/cidrBlocks/1"]);
    assert_eq!(put.doc["region"], "us-ashburn-1");
    let mapped = create(&estate, "a", "oci_core_vlan", &config, &spans, &context);
    assert!(matches!(mapped, Ok(Mapped::NotModelled(_))));
}
