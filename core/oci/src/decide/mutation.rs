//! Documents with anything in any field: decided, read back and checked without a panic, and without
//! leaving an estate that cannot be taken down.

use serde_json::{Value as Json, json};

use crate::kinds;
use crate::model::OciModel;
use crate::rules::check;
use crate::testing::{KEY, Lab, circuit_doc, instance_doc};

/// Pointers to everything in a document.
fn pointers(value: &Json, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Json::Object(map) => {
            for (name, inner) in map {
                pointers(inner, &format!("{at}/{name}"), out);
            }
        }
        Json::Array(items) => {
            for (i, inner) in items.iter().enumerate() {
                pointers(inner, &format!("{at}/{i}"), out);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// What is put in the place of a field.
fn values() -> Vec<Json> {
    vec![
        Json::Null,
        json!(true),
        json!(-1),
        json!(1e300),
        json!(""),
        json!("0.0.0.0/0"),
        json!("255.255.255.255/32"),
        json!("::/0"),
        json!("10.1.1.0/30"),
        json!("ocid1.vcn.oc1..x"),
        json!("é.é.é"),
        json!([]),
        json!([[null]]),
        json!({}),
        json!({ "min": 1 }),
    ]
}

#[test]
fn no_document_makes_a_decision_panic() {
    let mut base = Lab::new();
    base.express_route(1000);
    let vcn = base.vcn("10.1.0.0/16");
    let subnet = base.subnet(&vcn, "10.1.1.0/24");
    let drg = base.drg();
    let attachment = base.attach(&drg, &vcn);
    let (v, d) = (vcn.as_str(), drg.as_str());
    let table = base.text(&drg, "/defaultDrgRouteTables/vcn");
    let rule = json!({ "protocol": "6", "source": "10.0.0.0/8", "sourceType": "CIDR_BLOCK",
        "tcpOptions": { "destinationPortRange": { "min": 1, "max": 2 } }, "icmpOptions": { "type": 1, "code": 2 } });
    let group = base.create(kinds::SECURITY_GROUP, json!({ "vcnId": v }));
    let other = base.vcn("10.7.0.0/16");
    let documents = [
        (
            kinds::VCN,
            json!({ "cidrBlocks": ["10.2.0.0/16"], "dnsLabel": "x", "region": "us-phoenix-1" }),
        ),
        (
            kinds::SUBNET,
            json!({ "vcnId": v, "cidrBlock": "10.1.9.0/24", "securityListIds": [],
            "routeTableId": null, "dnsLabel": "s", "displayName": "n" }),
        ),
        (
            kinds::ROUTE_TABLE,
            json!({ "vcnId": v, "routeRules": [{ "destination": "10.2.0.0/16",
            "destinationType": "CIDR_BLOCK", "networkEntityId": d }] }),
        ),
        (
            kinds::SECURITY_LIST,
            json!({ "vcnId": v, "ingressSecurityRules": [rule], "egressSecurityRules": [] }),
        ),
        (
            kinds::SECURITY_GROUP_RULE,
            json!({ "networkSecurityGroupId": group.as_str(),
            "direction": "INGRESS", "protocol": "6", "source": "10.0.0.0/8" }),
        ),
        (
            kinds::DRG,
            json!({ "displayName": "d", "defaultDrgRouteTables": { "vcn": table } }),
        ),
        (
            kinds::DRG_ATTACHMENT,
            json!({ "drgId": d, "networkDetails": { "type": "VCN", "id": other.as_str(),
            "routeTableId": null, "vcnRouteType": "VCN_CIDRS" }, "drgRouteTableId": table }),
        ),
        (
            kinds::DRG_ROUTE_TABLE,
            json!({ "drgId": d, "isEcmpEnabled": true, "importDrgRouteDistributionId": null }),
        ),
        (
            kinds::DRG_ROUTE_RULE,
            json!({ "drgRouteTableId": table, "destination": "10.9.0.0/16",
            "nextHopDrgAttachmentId": attachment.as_str() }),
        ),
        (
            kinds::DRG_ROUTE_DISTRIBUTION,
            json!({ "drgId": d, "distributionType": "IMPORT" }),
        ),
        (kinds::VIRTUAL_CIRCUIT, circuit_doc(&drg, KEY)),
        (kinds::INSTANCE, instance_doc(&subnet)),
    ];
    let mut accepted = 0;
    for (kind, document) in documents {
        let mut all = Vec::new();
        pointers(&document, "", &mut all);
        for pointer in all {
            for value in values() {
                let mut changed = document.clone();
                *changed.pointer_mut(&pointer).expect("it is there") = value;
                let mut lab = base.clone();
                let Ok(id) = lab.try_create(kind, changed) else {
                    continue;
                };
                accepted += 1;
                lab.pass(2000);
                let model = OciModel::read(&lab.estate);
                let _findings = check(&lab.estate, &model);
                lab.delete(&id).expect("what was just made can be deleted");
                lab.pass(2000);
                assert!(lab.estate.resource(&id).is_none(), "{kind} {pointer}");
                assert_eq!(lab.estate.operations().count(), 0);
            }
        }
    }
    assert!(accepted > 100, "{accepted} documents were accepted");
}
