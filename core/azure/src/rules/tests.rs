use std::collections::BTreeSet;

use skybridge_catalogue::catalogue;

use super::*;

#[test]
fn rules_have_unique_names_and_sources_that_resolve() {
    let names: BTreeSet<&str> = TABLE.iter().map(|r| r.name).collect();
    assert_eq!(names.len(), TABLE.len());
    for rule in &TABLE {
        assert!(rule.name.starts_with("azure."), "{}", rule.name);
        assert!(catalogue().source(rule.source).is_some(), "{}", rule.source);
        assert!(!rule.text.is_empty() && !rule.help.is_empty());
        let rejected = rule.level == Level::Rejected(Cloud::Azure);
        assert_eq!(rejected, rule.refusal.is_some(), "{}", rule.name);
        if ["assumed", "recalled", "deduced"].contains(&rule.source) {
            assert_eq!(rule.grade, Grade::Assumed, "{}", rule.name);
        }
    }
}

#[test]
fn a_refusal_becomes_a_finding_with_its_rule() {
    let refusal = refuse("azure.subnet-overlap", "/properties/addressPrefix", "no");
    assert_eq!(
        (refusal.code, refusal.status),
        ("NetcfgSubnetRangesOverlap", 400)
    );
    let found = finding_of(&refusal, &"x".into());
    assert_eq!(found.level, Level::Rejected(Cloud::Azure));
    assert_eq!(
        found.subject,
        Subject::field("x".into(), "/properties/addressPrefix")
    );
    assert_eq!(found.grade, Grade::Documented);
    assert!(found.message.contains("NetcfgSubnetRangesOverlap"));
}

mod findings {
    use serde_json::{Value as Json, json};
    use skybridge_estate::Pace;

    use super::*;
    use crate::kinds::{
        CIRCUIT, CONNECTION, GATEWAY, NIC, PUBLIC_IP, ROUTE, ROUTE_TABLE, SUBNET, VNET,
        VNET_PEERING,
    };
    use crate::model::AzureModel;
    use crate::testing::{
        Owner, circuit, connection, gateway, network_peering, nic, reference, subnet, vnet,
    };

    fn check_of(o: &Owner) -> Vec<Finding> {
        check(&o.estate, &AzureModel::read(&o.estate))
    }

    /// Hub, gateway, Oracle's circuit and the connection: nothing to complain about.
    fn good(o: &mut Owner) {
        o.hub();
        o.gateway("UltraPerformance");
        o.oracle_circuit();
        o.connection();
        assert_eq!(check_of(o), []);
    }

    fn use_table(o: &mut Owner, name: &str, net: &str, table: Json) {
        o.make(ROUTE_TABLE, &["t"], table);
        let mut doc = subnet(net);
        doc["properties"]["routeTable"] = reference(ROUTE_TABLE, &["t"]);
        o.make(SUBNET, &["hub", name], doc);
    }

    fn without_propagation() -> Json {
        json!({"properties": {"disableBgpRoutePropagation": true}})
    }

    fn second_vnet(o: &mut Owner, range: &str, gateway_net: &str) {
        o.make(VNET, &["other"], vnet(&[range]));
        o.make(SUBNET, &["other", "GatewaySubnet"], subnet(gateway_net));
        o.make(GATEWAY, &["gw2"], gateway("other", "UltraPerformance"));
        o.make(CONNECTION, &["link2"], connection("gw2", "er"));
    }

    type Case = (&'static str, fn(&mut Owner));

    const CASES: [Case; 13] = [
        ("azure.route-to-expressroute", |o| {
            good(o);
            let properties = json!({
                "addressPrefix": "172.16.0.0/12", "nextHopType": "VirtualNetworkGateway",
            });
            let routes = json!([{"name": "oci", "properties": properties}]);
            use_table(
                o,
                "app",
                "10.1.1.0/24",
                json!({"properties": {"routes": routes}}),
            );
        }),
        ("azure.route-to-expressroute", |o| {
            good(o);
            use_table(o, "app", "10.1.1.0/24", json!({}));
            let properties = json!({
                "addressPrefix": "172.16.0.0/12", "nextHopType": "VirtualNetworkGateway",
            });
            o.make(ROUTE, &["t", "oci"], json!({"properties": properties}));
        }),
        ("azure.gateway-subnet-propagation", |o| {
            good(o);
            use_table(o, "GatewaySubnet", "10.1.255.0/27", without_propagation());
        }),
        ("azure.subnet-without-return", |o| {
            good(o);
            use_table(o, "app", "10.1.1.0/24", without_propagation());
            o.make(NIC, &["n"], nic(&["hub", "app"]));
        }),
        ("azure.connection-no-private-peering", |o| {
            o.hub();
            o.gateway("Standard");
            o.make(CIRCUIT, &["er"], circuit("Equinix"));
            o.connection();
        }),
        ("azure.peering-overlaps-vnet", |o| {
            good(o);
            second_vnet(o, "10.255.0.0/16", "10.255.9.0/27");
        }),
        ("azure.linked-vnets-overlap", |o| {
            good(o);
            second_vnet(o, "10.1.128.0/17", "10.1.128.0/27");
        }),
        ("azure.gateway-slower-than-circuit", |o| {
            o.hub();
            o.gateway("ErGw1AZ");
            o.oracle_circuit();
            let mut fast = circuit("Oracle Cloud FastConnect");
            let provider = &mut fast["properties"]["serviceProviderProperties"];
            provider["bandwidthInMbps"] = json!(2000);
            o.make(CIRCUIT, &["er"], fast);
            o.connection();
        }),
        ("azure.circuit-reach", |o| {
            o.make(VNET, &["hub"], {
                let mut far = vnet(&["10.1.0.0/16"]);
                far["location"] = json!("UK South");
                far
            });
            o.make(SUBNET, &["hub", "GatewaySubnet"], subnet("10.1.255.0/27"));
            o.gateway("UltraPerformance");
            o.oracle_circuit();
            o.connection();
        }),
        ("azure.peering-one-sided", |o| {
            o.make(VNET, &["a"], vnet(&["10.1.0.0/16"]));
            o.make(VNET, &["b"], vnet(&["10.2.0.0/16"]));
            o.make(
                VNET_PEERING,
                &["a", "to-b"],
                network_peering("b", json!({})),
            );
        }),
        ("azure.peering-no-transit", |o| {
            o.make(VNET, &["a"], vnet(&["10.1.0.0/16"]));
            o.make(VNET, &["b"], vnet(&["10.2.0.0/16"]));
            let wants = json!({"useRemoteGateways": true});
            o.make(VNET_PEERING, &["a", "to-b"], network_peering("b", wants));
            o.make(
                VNET_PEERING,
                &["b", "to-a"],
                network_peering("a", json!({})),
            );
        }),
        ("azure.vnet-public-range", |o| {
            o.make(VNET, &["v"], vnet(&["10.0.0.0/16", "20.0.0.0/16"]));
        }),
        ("azure.gateway-basic-public-ip", |o| {
            o.hub();
            o.make(PUBLIC_IP, &["p"], json!({"sku": {"name": "Basic"}}));
            let mut doc = gateway("hub", "Standard");
            let config = &mut doc["properties"]["ipConfigurations"][0]["properties"];
            config["publicIPAddress"] = reference(PUBLIC_IP, &["p"]);
            o.make(GATEWAY, &["gw"], doc);
        }),
    ];

    #[test]
    fn each_finding_is_found_alone_and_points_at_a_field() {
        let mut exercised = BTreeSet::new();
        for (name, bring_about) in CASES {
            let mut o = Owner::new(Pace::Instant);
            bring_about(&mut o);
            let found = check_of(&o);
            let mut rules: Vec<&str> = found.iter().map(|f| f.rule).collect();
            rules.dedup();
            assert_eq!(rules, [name], "{found:#?}");
            let rule = rule(name).unwrap();
            assert_eq!((found[0].level, found[0].source), (rule.level, rule.source));
            let subject = &found[0].subject;
            let resource = o.estate.resource(&subject.resource).unwrap();
            assert!(
                resource.field(&subject.pointer).is_some(),
                "{name}: {subject:?}"
            );
            exercised.insert(name);
        }
        let accepted = TABLE.iter().filter(|r| r.refusal.is_none()).map(|r| r.name);
        let missed: Vec<&str> = accepted.filter(|n| !exercised.contains(n)).collect();
        assert!(missed.is_empty(), "no case for {missed:?}");
    }
}
