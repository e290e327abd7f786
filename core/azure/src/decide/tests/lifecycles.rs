use serde_json::json;
use skybridge_base::Instant;
use skybridge_estate::{Pace, Phase, ProviderAction};

use crate::kinds::{CIRCUIT, CONNECTION, GATEWAY, MACHINE, NIC, PEERING, PUBLIC_IP, SUBNET, VNET};
use crate::model::{AzureModel, ProviderState};
use crate::testing::{
    Owner, circuit, connection, gateway, nic, oracle_peering, peering, reference, vnet,
};

#[test]
fn an_oracle_circuit_waits_for_its_key_to_be_used_and_gets_its_peering_by_itself() {
    let mut o = Owner::new(Pace::Realistic);
    o.put(CIRCUIT, &["er"], circuit("oracle cloud fastconnect"))
        .unwrap();
    assert_eq!(o.get(CIRCUIT, &["er"]).phase, Phase::Creating);
    assert_eq!(
        o.text(CIRCUIT, &["er"], "circuitProvisioningState"),
        "Enabling"
    );
    o.settle();
    assert_eq!(o.now, Instant::from_secs(30));
    assert_eq!(
        o.text(CIRCUIT, &["er"], "circuitProvisioningState"),
        "Enabled"
    );
    assert_eq!(o.text(CIRCUIT, &["er"], "provisioningState"), "Succeeded");
    let state = "serviceProviderProvisioningState";
    assert_eq!(o.text(CIRCUIT, &["er"], state), "NotProvisioned");

    let key = o.text(CIRCUIT, &["er"], "serviceKey");
    assert_eq!(key.len(), 36);
    assert_eq!((&key[14..15], key.matches('-').count()), ("4", 4));
    o.provider(&key.to_uppercase(), ProviderAction::Begin)
        .unwrap();
    assert_eq!(o.text(CIRCUIT, &["er"], state), "Provisioning");
    let refused = o
        .put(PEERING, &["er", "AzurePrivatePeering"], peering())
        .unwrap_err();
    assert_eq!(refused.rule, Some("azure.peering-not-provisioned"));
    assert!(refused.retryable);

    let action = ProviderAction::Provision {
        peering: Some(oracle_peering()),
    };
    o.provider(&key, action.clone()).unwrap();
    assert_eq!(o.text(CIRCUIT, &["er"], state), "Provisioned");
    let model = AzureModel::read(&o.estate);
    let c = &model.circuits[0];
    assert_eq!(c.provider, "Oracle Cloud FastConnect");
    assert_eq!(
        (c.provider_state, c.enabled),
        (ProviderState::Provisioned, true)
    );
    assert_eq!((c.s_tag.as_u16(), c.bandwidth_mbps), (100, 1000));
    let p = &c.peerings[0];
    assert_eq!(
        (p.peer_asn.0, p.vlan.as_u16(), p.enabled),
        (31898, 133, true)
    );
    assert_eq!(p.primary.to_string(), "10.255.0.0/30");
    assert_eq!(
        o.text(PEERING, &["er", "azureprivatepeering"], "state"),
        "Enabled"
    );

    // The provider may say it twice; a second key holder cannot begin again.
    o.provider(&key, action).unwrap();
    let refused = o.provider(&key, ProviderAction::Begin).unwrap_err();
    assert_eq!(refused.rule, Some("azure.provider-state"));

    o.provider(&key, ProviderAction::Deprovision).unwrap();
    assert!(!o.exists(PEERING, &["er", "AzurePrivatePeering"]));
    assert_eq!(o.text(CIRCUIT, &["er"], state), "Deprovisioning");
    o.settle();
    assert_eq!(o.now, Instant::from_secs(90));
    assert_eq!(o.text(CIRCUIT, &["er"], state), "NotProvisioned");
}

#[test]
fn an_ordinary_provider_provisions_by_itself_after_its_time_unless_played_by_hand() {
    let mut o = Owner::new(Pace::Realistic);
    o.put(CIRCUIT, &["er"], circuit("Equinix")).unwrap();
    let state = "serviceProviderProvisioningState";
    let mut seen = Vec::new();
    while o.advance() {
        seen.push((o.now.as_millis() / 1000, o.text(CIRCUIT, &["er"], state)));
    }
    let expected = [
        (30, "NotProvisioned"),
        (180, "Provisioning"),
        (630, "Provisioned"),
    ];
    assert_eq!(seen, expected.map(|(t, s)| (t, s.to_owned())));
    assert!(!o.exists(PEERING, &["er", "AzurePrivatePeering"]));

    let mut by_hand = circuit("Equinix");
    by_hand["tags"] = json!({"skybridge-provider": "manual"});
    o.make(CIRCUIT, &["er2"], by_hand);
    assert_eq!(o.text(CIRCUIT, &["er2"], state), "NotProvisioned");
    let key = o.text(CIRCUIT, &["er2"], "serviceKey");
    o.provider(&key, ProviderAction::Begin).unwrap();
    o.provider(&key, ProviderAction::Reject).unwrap();
    assert_eq!(o.text(CIRCUIT, &["er2"], state), "NotProvisioned");
    o.provider(&key, ProviderAction::Provision { peering: None })
        .unwrap();
    assert_eq!(o.text(CIRCUIT, &["er2"], state), "Provisioned");
}

#[test]
fn circuits_of_one_location_have_different_service_tags_and_give_them_back() {
    let mut o = Owner::new(Pace::Instant);
    o.make(CIRCUIT, &["a"], circuit("Equinix"));
    o.make(CIRCUIT, &["b"], circuit("Oracle Cloud FastConnect"));
    let tag = |o: &Owner, n: &str| o.get(CIRCUIT, &[n]).computed["properties"]["stag"].clone();
    assert_eq!((tag(&o, "a"), tag(&o, "b")), (json!(100), json!(101)));
    let keys = [
        o.text(CIRCUIT, &["a"], "serviceKey"),
        o.text(CIRCUIT, &["b"], "serviceKey"),
    ];
    assert_ne!(keys[0], keys[1]);
    // A change keeps key, tag and states.
    let mut faster = circuit("Equinix");
    faster["properties"]["serviceProviderProperties"]["bandwidthInMbps"] = json!(2000);
    o.make(CIRCUIT, &["a"], faster);
    assert_eq!(o.text(CIRCUIT, &["a"], "serviceKey"), keys[0]);
    assert_eq!(tag(&o, "a"), json!(100));
    let state = o.text(CIRCUIT, &["a"], "serviceProviderProvisioningState");
    assert_eq!(state, "Provisioned");
    o.delete(CIRCUIT, &["b"]).unwrap();
    o.settle();
    o.make(CIRCUIT, &["c"], circuit("Equinix"));
    assert_eq!(tag(&o, "c"), json!(101));
}

#[test]
fn from_circuit_to_connection_takes_the_gateways_time_at_both_paces() {
    for (pace, total_ms) in [(Pace::Realistic, 2_850_000), (Pace::Compressed, 142)] {
        let mut o = Owner::new(pace);
        o.hub();
        o.oracle_circuit();
        let start = o.now;
        o.put(GATEWAY, &["gw"], gateway("hub", "UltraPerformance"))
            .unwrap();
        let refused = o
            .put(CONNECTION, &["link"], connection("gw", "er"))
            .unwrap_err();
        assert_eq!(refused.rule, Some("azure.connection-gateway-not-ready"));
        assert!(refused.retryable);
        o.settle();
        o.connection();
        let took = (o.now - start).as_millis();
        assert!(took * 100 >= total_ms * 98 && took <= total_ms, "{took}");
        let model = AzureModel::read(&o.estate);
        let c = &model.connections[0];
        assert_eq!(
            (c.routing_weight, c.fast_path, c.phase),
            (10, false, Phase::Ready)
        );
        assert_eq!(c.gateway, model.gateways[0].id);
        assert_eq!(c.circuit, model.circuits[0].id);
        assert!(model.gaps.is_empty(), "{:?}", model.gaps);
    }
}

#[test]
fn one_write_at_a_time_per_parent_and_the_next_passes_later() {
    let mut o = Owner::new(Pace::Realistic);
    o.put(VNET, &["hub"], vnet(&["10.1.0.0/16"])).unwrap();
    let subnet = |net: &str| json!({"properties": {"addressPrefix": net}});
    let refused = o
        .put(SUBNET, &["hub", "a"], subnet("10.1.1.0/24"))
        .unwrap_err();
    assert_eq!(
        (refused.code, refused.status),
        ("AnotherOperationInProgress", 409)
    );
    assert!(refused.retryable);
    o.settle();
    o.put(SUBNET, &["hub", "a"], subnet("10.1.1.0/24")).unwrap();
    for blocked in [
        o.put(SUBNET, &["hub", "b"], subnet("10.1.2.0/24")),
        o.put(VNET, &["HUB"], vnet(&["10.1.0.0/16"])),
        o.delete(VNET, &["hub"]),
        o.delete(SUBNET, &["hub", "a"]),
    ] {
        assert_eq!(blocked.unwrap_err().code, "AnotherOperationInProgress");
    }
    o.settle();
    o.put(SUBNET, &["hub", "b"], subnet("10.1.2.0/24")).unwrap();
}

#[test]
fn ids_are_matched_without_case_and_keep_their_first_spelling() {
    let mut o = Owner::new(Pace::Instant);
    o.hub();
    o.make(VNET, &["HUB"], vnet(&["10.1.0.0/16", "10.2.0.0/16"]));
    assert_eq!(o.estate.of_kind(VNET).count(), 1);
    let model = AzureModel::read(&o.estate);
    let net = &model.vnets[0];
    assert!(net.id.as_str().ends_with("/hub"));
    assert_eq!((net.address_space.len(), net.subnets.len()), (2, 2));
    assert_eq!(net.location, "eastus");
}

#[test]
fn addresses_are_the_next_free_ones_and_skip_what_is_reserved() {
    let mut o = Owner::new(Pace::Instant);
    o.hub();
    let app = ["hub", "app"];
    o.make(NIC, &["a"], nic(&app));
    let mut fixed = nic(&app);
    let p = "/properties/ipConfigurations/0/properties";
    let config = fixed.pointer_mut(p).unwrap();
    config["privateIPAllocationMethod"] = json!("Static");
    config["privateIPAddress"] = json!("10.1.1.5");
    o.make(NIC, &["b"], fixed.clone());
    o.make(NIC, &["c"], nic(&app));
    let address = |o: &Owner, n: &str| {
        let field = format!("{p}/privateIPAddress");
        o.get(NIC, &[n]).text(&field).unwrap().to_owned()
    };
    assert_eq!(address(&o, "a"), "10.1.1.4");
    assert_eq!(address(&o, "b"), "10.1.1.5");
    assert_eq!(address(&o, "c"), "10.1.1.6");
    let refused = o.put(NIC, &["d"], fixed).unwrap_err();
    assert_eq!(refused.code, "PrivateIPAddressIsAllocated");
    // Changing an interface keeps its address; deleting gives it back.
    o.make(NIC, &["a"], nic(&app));
    assert_eq!(address(&o, "a"), "10.1.1.4");
    o.delete(NIC, &["b"]).unwrap();
    o.settle();
    o.make(NIC, &["e"], nic(&app));
    assert_eq!(address(&o, "e"), "10.1.1.5");

    o.make(PUBLIC_IP, &["p"], json!({"location": "eastus"}));
    assert_eq!(o.text(PUBLIC_IP, &["p"], "ipAddress"), "203.0.113.1");

    let interface = reference(NIC, &["a"]);
    let machine = json!({"properties": {"networkProfile": {"networkInterfaces": [interface]}}});
    o.make(MACHINE, &["vm"], machine);
    let model = AzureModel::read(&o.estate);
    let a = model.interfaces.iter().find(|n| n.name == "a").unwrap();
    assert_eq!(a.machine.as_ref().unwrap().name, "vm");
    let c = model.interfaces.iter().find(|n| n.name == "c").unwrap();
    assert_eq!(c.machine, None);
}

#[test]
fn a_full_subnet_gives_no_address() {
    let mut o = Owner::new(Pace::Instant);
    o.hub();
    o.make(
        SUBNET,
        &["hub", "tiny"],
        json!({"properties": {"addressPrefix": "10.1.3.0/29"}}),
    );
    for n in ["a", "b", "c"] {
        o.make(NIC, &[n], nic(&["hub", "tiny"]));
    }
    let refused = o.put(NIC, &["d"], nic(&["hub", "tiny"])).unwrap_err();
    assert_eq!(
        (refused.code, refused.rule),
        ("SubnetIsFull", Some("azure.nic-subnet-full"))
    );
}

#[test]
fn gateway_instances_and_msee_endpoints_have_their_usual_addresses() {
    let mut o = Owner::new(Pace::Instant);
    o.hub();
    o.gateway("ErGw3AZ");
    let model = AzureModel::read(&o.estate);
    let gateway = &model.gateways[0];
    let texts = |a: [std::net::Ipv4Addr; 2]| a.map(|x| x.to_string());
    assert_eq!(
        texts(gateway.instance_addresses),
        ["10.1.255.12", "10.1.255.13"]
    );
    assert_eq!(texts(gateway.msee_addresses), ["10.1.255.4", "10.1.255.5"]);
    assert_eq!((gateway.asn.0, gateway.sku.as_str()), (65515, "ErGw3AZ"));
    assert_eq!(gateway.vnet, model.vnets[0].id);
}

#[test]
fn subnets_inside_a_network_become_resources_and_go_when_no_longer_listed() {
    let mut o = Owner::new(Pace::Instant);
    let with = |subnets: serde_json::Value| {
        let mut doc = vnet(&["10.1.0.0/16"]);
        doc["properties"]["subnets"] = subnets;
        doc
    };
    let one = |name: &str, net: &str| json!({"name": name, "properties": {"addressPrefix": net}});
    let both = json!([one("a", "10.1.1.0/24"), one("b", "10.1.2.0/24")]);
    o.make(VNET, &["hub"], with(both));
    assert_eq!(AzureModel::read(&o.estate).vnets[0].subnets.len(), 2);
    o.make(NIC, &["n"], nic(&["hub", "a"]));
    // A PUT without the property leaves them alone.
    o.make(VNET, &["hub"], vnet(&["10.1.0.0/16"]));
    o.make(VNET, &["hub"], with(json!([one("a", "10.1.1.0/24")])));
    assert!(o.exists(SUBNET, &["hub", "a"]) && !o.exists(SUBNET, &["hub", "b"]));
    let refused = o.put(VNET, &["hub"], with(json!([]))).unwrap_err();
    assert_eq!(refused.code, "InUseSubnetCannotBeDeleted");
}
