//! Lifecycles in virtual time, default objects, deletions.

use serde_json::json;
use skybridge_estate::{Command, Phase, ProviderAction};

use crate::kinds;
use crate::testing::{KEY, Lab, circuit_doc, instance_doc};

/// What Azure was told, in words.
fn told(lab: &Lab) -> Vec<&'static str> {
    lab.told
        .iter()
        .map(|c| match c {
            Command::Provider { action, .. } => match action {
                ProviderAction::Begin => "begin",
                ProviderAction::Provision { .. } => "provision",
                ProviderAction::Deprovision => "deprovision",
                ProviderAction::Reject => "reject",
            },
            Command::Put(_) | Command::Delete { .. } => "something else",
        })
        .collect()
}

#[test]
fn a_vcn_comes_with_its_default_objects_and_takes_them_along() {
    let mut lab = Lab::new();
    let vcn = lab.try_create(
        kinds::VCN,
        json!({ "cidrBlock": "10.1.0.0/16", "displayName": "v" }),
    );
    let vcn = vcn.unwrap();
    assert_eq!(lab.text(&vcn, "/lifecycleState"), "PROVISIONING");
    lab.pass(10);
    assert_eq!(lab.text(&vcn, "/lifecycleState"), "AVAILABLE");
    let table = lab.text(&vcn, "/defaultRouteTableId").as_str().into();
    assert_eq!(
        lab.text(&table, "/displayName"),
        "Default Route Table for v"
    );
    let list = lab.text(&vcn, "/defaultSecurityListId").as_str().into();
    let list = lab.get(&list).clone();
    assert_eq!(
        list.field("/ingressSecurityRules")
            .unwrap()
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(
        list.text("/ingressSecurityRules/2/source"),
        Some("10.1.0.0/16")
    );
    let refusal = lab.delete(&table).unwrap_err();
    assert_eq!((refusal.status, refusal.code), (409, "Conflict"));
    lab.delete(&vcn).unwrap();
    lab.pass(100);
    assert_eq!(lab.estate.resources().count(), 0);
}

#[test]
fn a_drg_comes_with_two_tables_and_their_distributions() {
    let mut lab = Lab::new();
    let drg = lab.drg();
    assert_eq!(lab.estate.of_kind(kinds::DRG_ROUTE_TABLE).count(), 2);
    assert_eq!(lab.estate.of_kind(kinds::DRG_ROUTE_DISTRIBUTION).count(), 3);
    let vcn = lab.text(&drg, "/defaultDrgRouteTables/vcn");
    let circuit = lab.text(&drg, "/defaultDrgRouteTables/virtualCircuit");
    assert_ne!(vcn, circuit);
    assert_eq!(
        circuit,
        lab.text(&drg, "/defaultDrgRouteTables/ipsecTunnel")
    );
    lab.delete(&drg).unwrap();
    lab.pass(100);
    assert_eq!(lab.estate.resources().count(), 0);
}

#[test]
fn one_write_per_parent_and_the_second_may_pass_later() {
    let mut lab = Lab::new();
    let vcn = lab.vcn("10.1.0.0/16");
    let doc = |block: &str| json!({ "vcnId": vcn.as_str(), "cidrBlock": block });
    lab.try_create(kinds::SUBNET, doc("10.1.1.0/24")).unwrap();
    let refusal = lab
        .try_create(kinds::SUBNET, doc("10.1.2.0/24"))
        .unwrap_err();
    assert_eq!((refusal.status, refusal.retryable), (409, true));
    lab.pass(10);
    lab.try_create(kinds::SUBNET, doc("10.1.2.0/24")).unwrap();
}

#[test]
fn a_subnet_without_table_and_lists_has_those_of_its_vcn() {
    let mut lab = Lab::new();
    let vcn = lab.vcn("10.1.0.0/16");
    let subnet = lab.subnet(&vcn, "10.1.1.0/24");
    assert_eq!(
        lab.text(&subnet, "/routeTableId"),
        lab.text(&vcn, "/defaultRouteTableId")
    );
    assert_eq!(
        lab.text(&subnet, "/securityListIds/0"),
        lab.text(&vcn, "/defaultSecurityListId")
    );
    assert_eq!(lab.text(&subnet, "/virtualRouterIp"), "10.1.1.1");
}

#[test]
fn instances_take_the_lowest_free_addresses_and_give_them_back() {
    let mut lab = Lab::new();
    let vcn = lab.vcn("10.1.0.0/16");
    let subnet = lab.subnet(&vcn, "10.1.1.0/29");
    let first = lab.instance(&subnet);
    assert_eq!(lab.text(&first, "/privateIp"), "10.1.1.2");
    let mut doc = instance_doc(&subnet);
    for (address, ok) in [
        ("10.1.1.1", false),
        ("10.1.1.2", false),
        ("10.1.1.7", false),
        ("10.1.1.6", true),
    ] {
        doc["createVnicDetails"]["privateIp"] = json!(address);
        assert_eq!(
            lab.try_create(kinds::INSTANCE, doc.clone()).is_ok(),
            ok,
            "{address}"
        );
        lab.pass(100);
    }
    let others: Vec<_> = (0..3).map(|_| lab.instance(&subnet)).collect();
    assert_eq!(lab.text(&others[2], "/privateIp"), "10.1.1.5");
    let refusal = lab
        .try_create(kinds::INSTANCE, instance_doc(&subnet))
        .unwrap_err();
    assert_eq!(refusal.code, "LimitExceeded");
    assert_eq!(lab.delete(&subnet).unwrap_err().status, 409);
    lab.delete(&first).unwrap();
    lab.pass(1000);
    let next = lab.instance(&subnet);
    assert_eq!(lab.text(&next, "/privateIp"), "10.1.1.2");
}

#[test]
fn a_circuit_with_a_good_key_is_provisioned_and_azure_hears_of_its_peering() {
    let mut lab = Lab::new();
    lab.express_route(1000);
    let drg = lab.drg();
    let circuit = lab
        .try_create(kinds::VIRTUAL_CIRCUIT, circuit_doc(&drg, KEY))
        .unwrap();
    assert_eq!(lab.text(&circuit, "/lifecycleState"), "PENDING_PROVIDER");
    assert_eq!(lab.text(&circuit, "/providerState"), "INACTIVE");
    lab.pass(61);
    assert_eq!(lab.text(&circuit, "/lifecycleState"), "PROVISIONING");
    assert_eq!(told(&lab), ["begin"]);
    lab.pass(300);
    assert_eq!(lab.text(&circuit, "/lifecycleState"), "PROVISIONED");
    assert_eq!(lab.text(&circuit, "/providerState"), "ACTIVE");
    assert_eq!(told(&lab), ["begin", "provision"]);
    let Command::Provider {
        service_key,
        action,
    } = &lab.told[1]
    else {
        panic!("provider")
    };
    assert_eq!(service_key, KEY);
    let peering = json!({
        "peeringType": "AzurePrivatePeering", "peerASN": 31898, "vlanId": 100, "state": "Enabled",
        "primaryPeerAddressPrefix": "10.0.0.20/30", "secondaryPeerAddressPrefix": "10.0.0.24/30",
    });
    assert_eq!(
        action,
        &ProviderAction::Provision {
            peering: Some(peering)
        }
    );
    let attachments: Vec<_> = lab.estate.of_kind(kinds::DRG_ATTACHMENT).collect();
    assert_eq!(attachments.len(), 1);
    assert_eq!(attachments[0].text("/lifecycleState"), Some("ATTACHED"));
}

#[test]
fn a_circuit_is_taken_down_with_its_attachment_after_azure_was_told() {
    let mut lab = Lab::new();
    lab.express_route(1000);
    let drg = lab.drg();
    let circuit = lab.create(kinds::VIRTUAL_CIRCUIT, circuit_doc(&drg, KEY));
    lab.pass(400);
    let attachment = lab
        .estate
        .of_kind(kinds::DRG_ATTACHMENT)
        .next()
        .unwrap()
        .id
        .clone();
    assert_eq!(lab.delete(&attachment).unwrap_err().status, 409);
    assert_eq!(lab.delete(&drg).unwrap_err().status, 409);
    lab.delete(&circuit).unwrap();
    assert_eq!(lab.text(&circuit, "/lifecycleState"), "TERMINATING");
    assert_eq!(lab.delete(&circuit).unwrap_err().status, 404);
    lab.pass(31);
    assert_eq!(told(&lab), ["begin", "provision", "deprovision"]);
    assert_eq!(lab.get(&circuit).phase, Phase::Deleting);
    lab.pass(300);
    assert!(lab.estate.resource(&circuit).is_none());
    assert!(lab.estate.resource(&attachment).is_none());
    assert_eq!(
        lab.estate
            .allocation("fastconnect-vlan/us-ashburn-1", circuit.as_str()),
        None
    );
    lab.delete(&drg).unwrap();
}

#[test]
fn a_wrong_key_stays_pending_for_good_until_it_is_corrected() {
    let mut lab = Lab::new();
    lab.express_route(1000);
    let drg = lab.drg();
    let circuit = lab.create(kinds::VIRTUAL_CIRCUIT, circuit_doc(&drg, "no-such-key"));
    assert!(lab.estate.operation_on(&circuit).is_some());
    lab.pass(1200);
    assert!(lab.estate.operation_on(&circuit).is_none());
    assert_eq!(lab.text(&circuit, "/lifecycleState"), "PENDING_PROVIDER");
    assert!(lab.told.is_empty());
    lab.change(&circuit, json!({ "providerServiceKeyName": KEY }))
        .unwrap();
    lab.pass(400);
    assert_eq!(lab.text(&circuit, "/lifecycleState"), "PROVISIONED");
}

#[test]
fn a_circuit_that_waits_in_vain_can_be_deleted_and_azure_never_hears_of_it() {
    let mut lab = Lab::new();
    let drg = lab.drg();
    let circuit = lab.create(kinds::VIRTUAL_CIRCUIT, circuit_doc(&drg, KEY));
    lab.delete(&circuit).unwrap();
    lab.pass(400);
    assert!(lab.estate.resource(&circuit).is_none());
    assert!(lab.told.is_empty());
    assert!(lab.estate.operations().next().is_none());
}

#[test]
fn changed_addresses_are_provisioned_again_and_a_new_name_is_not() {
    let mut lab = Lab::new();
    lab.express_route(1000);
    let drg = lab.drg();
    let circuit = lab.create(kinds::VIRTUAL_CIRCUIT, circuit_doc(&drg, KEY));
    lab.pass(400);
    lab.change(&circuit, json!({ "displayName": "renamed" }))
        .unwrap();
    assert_eq!(lab.get(&circuit).phase, Phase::Ready);
    let mappings = json!([{ "customerBgpPeeringIp": "10.9.0.2/30", "bgpMd5AuthKey": "s3cret" },
        { "customerBgpPeeringIp": "10.9.0.6/30", "bgpMd5AuthKey": "s3cret" }]);
    lab.change(&circuit, json!({ "crossConnectMappings": mappings }))
        .unwrap();
    assert_eq!(lab.text(&circuit, "/lifecycleState"), "PROVISIONING");
    assert_eq!(
        lab.text(&circuit, "/crossConnectMappings/0/oracleBgpPeeringIp"),
        "10.9.0.1/30"
    );
    lab.pass(200);
    assert_eq!(told(&lab), ["begin", "provision", "provision"]);
    let Command::Provider {
        action: ProviderAction::Provision { peering: Some(p) },
        ..
    } = &lab.told[2]
    else {
        panic!("provision")
    };
    assert_eq!(p["primaryPeerAddressPrefix"], "10.9.0.0/30");
    assert_eq!(p["sharedKey"], "s3cret");
    assert_eq!(p["vlanId"], 100);
}

#[test]
fn a_circuit_moved_to_another_drg_takes_its_attachment_there() {
    let mut lab = Lab::new();
    lab.express_route(1000);
    let (one, two) = (lab.drg(), lab.drg());
    let circuit = lab.create(kinds::VIRTUAL_CIRCUIT, circuit_doc(&one, KEY));
    lab.pass(400);
    lab.change(&circuit, json!({ "gatewayId": two.as_str() }))
        .unwrap();
    lab.pass(200);
    let parents: Vec<_> = lab
        .estate
        .of_kind(kinds::DRG_ATTACHMENT)
        .map(|a| a.parent.clone().unwrap())
        .collect();
    assert_eq!(parents, [two]);
}

#[test]
fn a_drg_that_is_a_route_target_cannot_be_deleted() {
    let mut lab = Lab::new();
    let vcn = lab.vcn("10.1.0.0/16");
    let drg = lab.drg();
    let attachment = lab.attach(&drg, &vcn);
    let rules = json!([{ "destination": "10.2.0.0/16", "networkEntityId": drg.as_str() }]);
    let table = lab.create(
        kinds::ROUTE_TABLE,
        json!({ "vcnId": vcn.as_str(), "routeRules": rules }),
    );
    assert_eq!(lab.delete(&drg).unwrap_err().rule, Some("oci.deletion"));
    assert_eq!(lab.delete(&vcn).unwrap_err().status, 409);
    lab.delete(&attachment).unwrap();
    lab.pass(100);
    assert_eq!(lab.delete(&drg).unwrap_err().rule, Some("oci.deletion"));
    lab.change(&table, json!({ "routeRules": [] })).unwrap();
    lab.delete(&drg).unwrap();
}

#[test]
fn the_same_seed_gives_the_same_ids() {
    let ids = || {
        let mut lab = Lab::new();
        let vcn = lab.vcn("10.1.0.0/16");
        let subnet = lab.subnet(&vcn, "10.1.1.0/24");
        let instance = lab.instance(&subnet);
        (vcn, subnet, instance)
    };
    assert_eq!(ids(), ids());
}

#[test]
fn what_waits_for_something_that_is_leaving_may_pass_later() {
    let mut lab = Lab::new();
    let vcn = lab.vcn("10.1.0.0/16");
    let (one, two) = (lab.drg(), lab.drg());
    let attachment = lab.attach(&one, &vcn);
    let subnet = lab.subnet(&vcn, "10.1.1.0/24");
    let instance = lab.instance(&subnet);
    let again = json!({ "drgId": two.as_str(), "vcnId": vcn.as_str() });
    assert!(!lab.delete(&subnet).unwrap_err().retryable);
    assert!(
        !lab.try_create(kinds::DRG_ATTACHMENT, again.clone())
            .unwrap_err()
            .retryable
    );
    lab.delete(&instance).unwrap();
    lab.delete(&attachment).unwrap();
    assert!(lab.delete(&subnet).unwrap_err().retryable);
    assert!(
        lab.try_create(kinds::DRG_ATTACHMENT, again.clone())
            .unwrap_err()
            .retryable
    );
    lab.pass(100);
    lab.delete(&subnet).unwrap();
    lab.try_create(kinds::DRG_ATTACHMENT, again).unwrap();
}
