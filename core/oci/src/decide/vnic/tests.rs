//! Secondary VNICs and private IPs: how they are made, moved and taken away.

use serde_json::{Value as Json, json};
use skybridge_estate::{Phase, ResourceId};

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
