//! Secondary VNICs and private IPs: how they are made, moved and taken away.

use serde_json::{Value as Json, json};
use skybridge_estate::{Phase, Resource, ResourceId};

use crate::kinds;
use crate::model::OciModel;
use crate::testing::Lab;

/// A VCN with two subnets and a machine in the first.
struct Base {
    lab: Lab,
    near: ResourceId,
    far: ResourceId,
    instance: ResourceId,
}

fn base() -> Base {
    let mut lab = Lab::new();
    let vcn = lab.vcn("10.1.0.0/16");
    let near = lab.subnet(&vcn, "10.1.1.0/24");
    let far = lab.subnet(&vcn, "10.1.2.0/24");
    let instance = lab.instance(&near);
    Base {
        lab,
        near,
        far,
        instance,
    }
}

impl Base {
    fn attach(&mut self, details: Json) -> ResourceId {
        let instance = self.instance.as_str();
        let doc = json!({ "instanceId": instance, "createVnicDetails": details });
        self.lab.create(kinds::VNIC_ATTACHMENT, doc)
    }

    fn primary(&self) -> ResourceId {
        let id = self.lab.text(&self.instance, "/primaryVnicId");
        id.as_str().into()
    }

    fn address(&mut self, vnic: &ResourceId, address: Option<&str>) -> ResourceId {
        let doc = json!({ "vnicId": vnic.as_str(), "ipAddress": address });
        self.lab.create(kinds::PRIVATE_IP, doc)
    }
}

#[test]
fn an_attachment_makes_a_vnic_and_takes_it_along() {
    let mut base = base();
    let details = json!({ "subnetId": base.far.as_str(), "nsgIds": [] });
    let attachment = base.attach(details);
    let vnic = ResourceId::from(base.lab.text(&attachment, "/vnicId"));
    assert_eq!(base.lab.text(&attachment, "/lifecycleState"), "ATTACHED");
    assert_eq!(base.lab.text(&vnic, "/privateIp"), "10.1.2.2");
    let model = OciModel::read(&base.lab.estate);
    assert_eq!(model.vnics.len(), 2);
    let second = model.vnics.iter().find(|v| v.id == vnic).unwrap();
    assert_eq!(second.attachment.as_ref().unwrap().0, attachment);
    assert_eq!(second.instance, base.instance);
    let changed = json!({ "createVnicDetails":
        { "subnetId": base.far.as_str(), "skipSourceDestCheck": true } });
    base.lab.change(&attachment, changed).unwrap();
    let model = OciModel::read(&base.lab.estate);
    let checks: Vec<bool> = model.vnics.iter().map(|v| v.skip_source_check).collect();
    assert_eq!(checks.iter().filter(|skips| **skips).count(), 1);
    assert!(base.lab.delete(&vnic).is_err());
    let subnet = base.far.clone();
    assert!(base.lab.delete(&subnet).is_err());
    base.lab.delete(&attachment).unwrap();
    assert_eq!(base.lab.get(&vnic).phase, Phase::Deleting);
    base.lab.pass(100);
    assert!(base.lab.estate.resource(&vnic).is_none());
    base.lab.delete(&subnet).unwrap();
}

#[test]
fn an_instance_takes_all_its_vnics_along() {
    let mut base = base();
    let details = json!({ "subnetId": base.far.as_str() });
    let attachment = base.attach(details);
    let instance = base.instance.clone();
    base.lab.delete(&instance).unwrap();
    base.lab.pass(200);
    assert!(base.lab.estate.resource(&attachment).is_none());
    assert_eq!(base.lab.estate.of_kind(kinds::VNIC).count(), 0);
    assert_eq!(base.lab.estate.of_kind(kinds::PRIVATE_IP).count(), 0);
}

#[test]
fn a_secondary_address_is_free_and_of_the_vnics_subnet() {
    let mut base = base();
    let vnic = base.primary();
    let asked = base.address(&vnic, Some("10.1.1.9"));
    let given = base.address(&vnic, None);
    assert_eq!(base.lab.text(&asked, "/ipAddress"), "10.1.1.9");
    assert_eq!(base.lab.text(&given, "/ipAddress"), "10.1.1.3");
    assert_eq!(
        base.lab.get(&given).field("/isPrimary"),
        Some(&json!(false))
    );
    for wrong in ["10.1.1.9", "10.1.1.2", "10.1.1.1", "10.1.2.9"] {
        let doc = json!({ "vnicId": vnic.as_str(), "ipAddress": wrong });
        let refusal = base.lab.try_create(kinds::PRIVATE_IP, doc).unwrap_err();
        assert_eq!(refusal.rule, Some("oci.private-ip"), "{wrong}");
    }
    base.lab.delete(&asked).unwrap();
    base.address(&vnic, Some("10.1.1.9"));
    let model = OciModel::read(&base.lab.estate);
    assert_eq!(model.vnics[0].secondary.len(), 2);
}

#[test]
fn a_vnic_has_one_primary_address_and_sixty_four_more() {
    let mut base = base();
    let vnic = base.primary();
    for _ in 0..64 {
        base.address(&vnic, None);
    }
    let doc = json!({ "vnicId": vnic.as_str() });
    let refusal = base.lab.try_create(kinds::PRIVATE_IP, doc).unwrap_err();
    assert_eq!(refusal.rule, Some("oci.private-ips-per-vnic"));
}

#[test]
fn a_secondary_address_moves_within_its_subnet_and_a_primary_one_stays() {
    let mut base = base();
    let (near, far) = (base.near.clone(), base.far.clone());
    let beside = base.attach(json!({ "subnetId": near.as_str() }));
    let elsewhere = base.attach(json!({ "subnetId": far.as_str() }));
    let vnic = base.primary();
    let address = base.address(&vnic, None);
    let to = |lab: &Lab, attachment| json!({ "vnicId": lab.text(attachment, "/vnicId") });
    let there = to(&base.lab, &elsewhere);
    let refusal = base.lab.change(&address, there).unwrap_err();
    assert_eq!(refusal.rule, Some("oci.private-ip-moved"));
    let there = to(&base.lab, &beside);
    base.lab.change(&address, there.clone()).unwrap();
    let model = OciModel::read(&base.lab.estate);
    let bearer = model.vnics.iter().find(|v| !v.secondary.is_empty());
    assert_eq!(json!({ "vnicId": bearer.unwrap().id.as_str() }), there);
    let primary = base.lab.estate.children(&vnic).next().unwrap().id.clone();
    let refusal = base.lab.change(&primary, there).unwrap_err();
    assert_eq!(refusal.rule, Some("oci.private-ip-moved"));
    assert_eq!(base.lab.delete(&primary).unwrap_err().status, 409);
}

#[test]
fn a_public_ip_is_reserved_or_ephemeral_on_a_primary_address_and_goes_with_that() {
    let mut base = base();
    let vnic = base.primary();
    let secondary = base.address(&vnic, None);
    let is_primary = |ip: &&Resource| ip.field("/isPrimary") == Some(&json!(true));
    let primary = base.lab.estate.children(&vnic).find(is_primary);
    let primary = primary.unwrap().id.clone();
    let doc = |lifetime: &str, on: Option<&ResourceId>| json!({ "lifetime": lifetime, "privateIpId": on.map(ResourceId::as_str) });
    for wrong in [doc("SHORT", None), doc("EPHEMERAL", Some(&secondary))] {
        let refusal = base.lab.try_create(kinds::PUBLIC_IP, wrong).unwrap_err();
        assert_eq!(refusal.rule, Some("oci.public-ip"));
    }
    let alone = doc("EPHEMERAL", None);
    let refusal = base.lab.try_create(kinds::PUBLIC_IP, alone).unwrap_err();
    assert_eq!(refusal.code, "MissingParameter");
    let kept = base.lab.create(kinds::PUBLIC_IP, doc("RESERVED", None));
    let going = base
        .lab
        .create(kinds::PUBLIC_IP, doc("EPHEMERAL", Some(&primary)));
    assert_eq!(base.lab.text(&going, "/assignedEntityId"), primary.as_str());
    let again = doc("RESERVED", Some(&primary));
    let refusal = base.lab.try_create(kinds::PUBLIC_IP, again).unwrap_err();
    assert_eq!(refusal.status, 409);
    let instance = base.instance.clone();
    base.lab.delete(&instance).unwrap();
    base.lab.pass(200);
    assert!(base.lab.estate.resource(&going).is_none());
    assert!(base.lab.estate.resource(&kept).is_some());
}

#[test]
fn a_cross_connect_that_carries_a_circuit_stays() {
    let mut base = base();
    let group = base
        .lab
        .create(kinds::CROSS_CONNECT_GROUP, json!({ "displayName": "g" }));
    let port = json!({ "crossConnectGroupId": group.as_str(), "locationName": "l",
        "portSpeedShapeName": "10 Gbps" });
    let port = base.lab.create(kinds::CROSS_CONNECT, port);
    let drg = base.lab.drg();
    let mapping = json!({ "crossConnectOrCrossConnectGroupId": group.as_str(), "vlan": 200,
        "customerBgpPeeringIp": "10.9.0.1/30", "oracleBgpPeeringIp": "10.9.0.2/30" });
    let circuit = json!({ "type": "PRIVATE", "gatewayId": drg.as_str(), "customerAsn": "65010",
        "bandwidthShapeName": "1 Gbps", "crossConnectMappings": [mapping] });
    let circuit = base.lab.create(kinds::VIRTUAL_CIRCUIT, circuit);
    base.lab.pass(1000);
    assert_eq!(base.lab.text(&circuit, "/lifecycleState"), "PROVISIONED");
    assert_eq!(base.lab.text(&circuit, "/serviceType"), "COLOCATED");
    assert_eq!(base.lab.delete(&group).unwrap_err().status, 409);
    base.lab.delete(&port).unwrap();
    assert_eq!(
        base.lab.delete(&group).unwrap_err().rule,
        Some("oci.deletion")
    );
    base.lab.delete(&circuit).unwrap();
    base.lab.pass(1000);
    base.lab.delete(&group).unwrap();
}
