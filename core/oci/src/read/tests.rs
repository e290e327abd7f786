//! A whole interconnect read back, and what placeholders do.

use serde_json::json;
use skybridge_base::Asn;
use skybridge_estate::Command;

use crate::kinds;
use crate::model::{AttachmentType, ImportStatement, OciModel, RouteTarget, RulePeer};
use crate::testing::{KEY, Lab, circuit_doc, put};

#[test]
fn a_whole_interconnect_is_read() {
    let mut lab = Lab::new();
    lab.express_route(1000);
    let vcn = lab.vcn("10.1.0.0/16");
    let drg = lab.drg();
    lab.attach(&drg, &vcn);
    let gateway = lab.create(kinds::INTERNET_GATEWAY, json!({ "vcnId": vcn.as_str() }));
    let rules = json!([
        { "destination": "10.2.0.0/16", "destinationType": "CIDR_BLOCK", "networkEntityId": drg.as_str() },
        { "destination": "0.0.0.0/0", "networkEntityId": gateway.as_str() },
    ]);
    let table = lab.create(
        kinds::ROUTE_TABLE,
        json!({ "vcnId": vcn.as_str(), "routeRules": rules }),
    );
    let subnet = lab.create(
        kinds::SUBNET,
        json!({ "vcnId": vcn.as_str(), "cidrBlock": "10.1.1.0/24", "routeTableId": table.as_str() }),
    );
    let instance = lab.instance(&subnet);
    let circuit = lab.create(kinds::VIRTUAL_CIRCUIT, circuit_doc(&drg, KEY));
    lab.pass(400);
    let model = OciModel::read(&lab.estate);
    assert_eq!(model.gaps, []);
    let read = &model.vcns[0];
    assert_eq!(
        (read.id.clone(), read.region.as_str()),
        (vcn.clone(), "us-ashburn-1")
    );
    assert_eq!(read.cidr_blocks, ["10.1.0.0/16".parse().unwrap()]);
    assert_eq!(read.subnets[0].route_table, table);
    let read = model.route_tables.iter().find(|t| t.id == table).unwrap();
    assert_eq!(read.rules[0].target, RouteTarget::Drg(drg.clone()));
    assert_eq!(read.rules[1].target, RouteTarget::Internet(gateway));
    let vnic = &model.vnics[0];
    assert_eq!(
        (&vnic.instance, vnic.address.to_string()),
        (&instance, "10.1.1.2".to_owned())
    );
    let list = &model.security_lists[0];
    let first = &list.rules[0];
    assert_eq!(
        (first.name.as_str(), first.protocol),
        ("ingress_security_rules[0]", Some(6))
    );
    assert_eq!(first.destination_ports, Some((22, 22)));
    assert_eq!(list.rules[1].icmp, Some((3, Some(4))));
    assert_eq!(list.rules[3].protocol, None);
    let read = &model.drgs[0];
    let of = |kind| read.attachments.iter().find(|a| a.kind == kind).unwrap();
    let for_vcn = of(AttachmentType::Vcn);
    let for_circuit = of(AttachmentType::VirtualCircuit);
    assert_eq!((&for_vcn.network, &for_circuit.network), (&vcn, &circuit));
    let imports = |id| &read.tables.iter().find(|t| &t.id == id).unwrap().imports;
    assert_eq!(imports(&for_vcn.table), &[ImportStatement::MatchAll]);
    assert_eq!(
        imports(&for_circuit.table),
        &[ImportStatement::Type(AttachmentType::Vcn)]
    );
    let read = &model.virtual_circuits[0];
    assert_eq!(read.lifecycle_state, "PROVISIONED");
    assert_eq!(
        (read.customer_asn, read.oracle_asn),
        (Asn(12076), Asn(31898))
    );
    assert_eq!(
        (read.mtu, read.bfd, read.bandwidth_mbps),
        (1500, false, 1000)
    );
    assert_eq!(read.mappings[1].customer.to_string(), "10.0.0.26/30");
    assert_eq!(read.mappings[0].vlan.unwrap().as_u16(), 100);
    assert_eq!(crate::effective_bandwidth_mbps(&lab.estate, read), 1000);
}

#[test]
fn the_rate_is_that_of_the_slower_circuit() {
    let mut lab = Lab::new();
    lab.express_route(50);
    let drg = lab.drg();
    lab.create(kinds::VIRTUAL_CIRCUIT, circuit_doc(&drg, KEY));
    let model = OciModel::read(&lab.estate);
    assert_eq!(
        crate::effective_bandwidth_mbps(&lab.estate, &model.virtual_circuits[0]),
        50
    );
}

#[test]
fn a_rule_on_a_placeholder_stays_and_says_so() {
    let mut lab = Lab::new();
    let vcn = lab.vcn("10.1.0.0/16");
    let rules = json!([{ "protocol": "6", "source": "placeholder" }, { "protocol": "1", "source": "10.0.0.0/8" }]);
    let mut request = put(
        kinds::SECURITY_LIST,
        None,
        json!({ "vcnId": vcn.as_str(), "ingressSecurityRules": rules }),
    );
    request
        .unknown
        .insert("/ingressSecurityRules/0/source".to_owned());
    lab.send(&Command::Put(request)).unwrap();
    let model = OciModel::read(&lab.estate);
    let list = model
        .security_lists
        .iter()
        .find(|l| l.rules.len() == 2)
        .unwrap();
    assert_eq!(
        list.rules.iter().map(|r| r.unknown).collect::<Vec<_>>(),
        [true, false]
    );
    assert_eq!(
        list.rules[0].peer,
        RulePeer::Cidr("0.0.0.0/0".parse().unwrap())
    );
}

#[test]
fn what_cannot_be_read_is_left_out_and_named() {
    let mut lab = Lab::new();
    let vcn = lab.vcn("10.1.0.0/16");
    let mut request = put(
        kinds::SUBNET,
        None,
        json!({ "vcnId": vcn.as_str(), "cidrBlock": "placeholder" }),
    );
    request.unknown.insert("/cidrBlock".to_owned());
    lab.send(&Command::Put(request)).unwrap();
    lab.pass(10);
    let model = OciModel::read(&lab.estate);
    assert_eq!(model.vcns[0].subnets, []);
    let words: Vec<_> = model.gaps.iter().map(|g| g.what.as_str()).collect();
    assert_eq!(words, ["left out: its CIDR block is not known",]);
}

#[test]
fn rules_of_a_group_and_static_drg_routes_are_joined_to_their_owners() {
    let mut lab = Lab::new();
    let vcn = lab.vcn("10.1.0.0/16");
    let drg = lab.drg();
    let attachment = lab.attach(&drg, &vcn);
    let group = lab.create(kinds::SECURITY_GROUP, json!({ "vcnId": vcn.as_str() }));
    lab.create(
        kinds::SECURITY_GROUP_RULE,
        json!({ "networkSecurityGroupId": group.as_str(), "direction": "EGRESS", "protocol": "17",
            "destination": group.as_str(), "destinationType": "NETWORK_SECURITY_GROUP",
            "udpOptions": { "destinationPortRange": { "min": 53, "max": 54 } } }),
    );
    let table = lab.text(&drg, "/defaultDrgRouteTables/virtualCircuit");
    lab.create(
        kinds::DRG_ROUTE_RULE,
        json!({ "drgRouteTableId": table, "destination": "10.8.0.0/16", "destinationType": "CIDR_BLOCK",
            "nextHopDrgAttachmentId": attachment.as_str() }),
    );
    let model = OciModel::read(&lab.estate);
    let rule = &model.security_groups[0].rules[0];
    assert_eq!(
        (rule.ingress, rule.destination_ports),
        (false, Some((53, 54)))
    );
    assert_eq!(rule.peer, RulePeer::Group(group));
    let table = model.drgs[0]
        .tables
        .iter()
        .find(|t| t.id.as_str() == table)
        .unwrap();
    assert_eq!(
        table.static_rules,
        [("10.8.0.0/16".parse().unwrap(), attachment)]
    );
}

#[test]
fn a_circuit_with_a_placeholder_for_its_key_stays_pending_and_is_a_gap() {
    let mut lab = Lab::new();
    lab.express_route(1000);
    let drg = lab.drg();
    let mut request = put(kinds::VIRTUAL_CIRCUIT, None, circuit_doc(&drg, KEY));
    request.unknown.insert("/providerServiceKeyName".to_owned());
    lab.send(&Command::Put(request)).unwrap();
    lab.pass(2000);
    let model = OciModel::read(&lab.estate);
    let circuit = &model.virtual_circuits[0];
    assert_eq!(circuit.lifecycle_state, "PENDING_PROVIDER");
    assert_eq!(circuit.service_key, None);
    assert_eq!(model.gaps[0].what, "its service key is not known");
    let attributes = skybridge_hcl::Value::object_of([(
        "id",
        skybridge_hcl::Value::string(circuit.id.as_str()),
    )]);
    let settled = crate::terraform::settled(&lab.estate, "oci_core_virtual_circuit", &attributes);
    assert_eq!(settled, crate::terraform::Settled::Ready);
}

#[test]
fn a_rule_for_services_leads_to_its_gateway_and_is_none_for_addresses() {
    let mut lab = Lab::new();
    let vcn = lab.vcn("10.1.0.0/16");
    let gateway = lab.create(kinds::SERVICE_GATEWAY, json!({ "vcnId": vcn.as_str() }));
    let rules = json!([{ "destination": "all-iad-services-in-oracle-services-network",
        "destinationType": "SERVICE_CIDR_BLOCK", "networkEntityId": gateway.as_str() }]);
    let table = json!({ "vcnId": vcn.as_str(), "routeRules": rules });
    let table = lab.create(kinds::ROUTE_TABLE, table);
    let model = OciModel::read(&lab.estate);
    let read = model.route_tables.iter().find(|t| t.id == table).unwrap();
    assert_eq!(read.services, [gateway]);
    assert_eq!(read.rules, []);
    assert_eq!(model.gaps, []);
}
