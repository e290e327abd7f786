use serde_json::json;
use skybridge_estate::{Pace, Phase, ProviderAction};

use crate::kinds::{ASG, CIRCUIT, CONNECTION, GATEWAY, NIC, NSG, PEERING, ROUTE_TABLE};
use crate::model::{AzureModel, RuleAddress, UserNextHop};
use crate::testing::{Owner, circuit, connection, gateway, nic, peering, reference};

fn whats(model: &AzureModel) -> Vec<&str> {
    model.gaps.iter().map(|g| g.what.as_str()).collect()
}

#[test]
fn default_rules_stand_behind_ones_own_in_both_directions() {
    let mut o = Owner::new(Pace::Instant);
    o.make(ASG, &["web"], json!({}));
    let rule = json!({"name": "mine", "properties": {
        "priority": 4096, "direction": "Outbound", "access": "Deny", "protocol": "Udp",
        "sourceAddressPrefixes": ["10.0.0.4", "10.9.0.0/16"], "sourcePortRange": "*",
        "destinationApplicationSecurityGroups": [reference(ASG, &["web"])],
        "destinationPortRanges": ["53", "100-200"],
    }});
    o.make(
        NSG,
        &["n"],
        json!({"properties": {"securityRules": [rule]}}),
    );
    let model = AzureModel::read(&o.estate);
    let rules = &model.security_groups[0].rules;
    let names: Vec<&str> = rules.iter().map(|r| r.name.as_str()).collect();
    let expected = [
        "AllowVnetInBound",
        "AllowAzureLoadBalancerInBound",
        "DenyAllInBound",
        "mine",
        "AllowVnetOutBound",
        "AllowInternetOutBound",
        "DenyAllOutBound",
    ];
    assert_eq!(names, expected);
    let mine = &rules[3];
    assert_eq!(
        (mine.protocol, mine.allow, mine.inbound),
        (Some(17), false, false)
    );
    assert_eq!(mine.destination_ports, [(53, 53), (100, 200)]);
    assert!(mine.source_ports.is_empty());
    let prefix = |p: &str| RuleAddress::Prefix(p.parse().unwrap());
    assert_eq!(mine.sources, [prefix("10.0.0.4/32"), prefix("10.9.0.0/16")]);
    assert!(matches!(&mine.destinations[..], [RuleAddress::Group(id)] if id.leaf() == "web"));
    let rule = &rules[0];
    assert_eq!(
        (rule.priority, rule.allow, rule.protocol),
        (65000, true, None)
    );
    assert_eq!(
        rule.sources,
        [RuleAddress::Tag("VirtualNetwork".to_owned())]
    );
}

#[test]
fn fast_path_weight_and_phases_are_read() {
    let mut o = Owner::new(Pace::Realistic);
    o.hub();
    o.gateway("UltraPerformance");
    o.oracle_circuit();
    let mut doc = connection("GW", "ER");
    doc["properties"]["expressRouteGatewayBypass"] = json!(true);
    o.put(CONNECTION, &["link"], doc).unwrap();
    let model = AzureModel::read(&o.estate);
    let link = &model.connections[0];
    assert_eq!((link.fast_path, link.routing_weight), (true, 10));
    assert_eq!(link.phase, Phase::Creating);
    // References in another case are read as the estate spells them.
    assert_eq!(link.gateway, model.gateways[0].id);
    assert_eq!(link.circuit, model.circuits[0].id);
    o.settle();
    let mut asn = gateway("hub", "UltraPerformance");
    asn["properties"]["bgpSettings"] = json!({"asn": 64600});
    o.put(GATEWAY, &["gw"], asn).unwrap();
    let model = AzureModel::read(&o.estate);
    assert_eq!(
        (model.gateways[0].asn.0, model.gateways[0].phase),
        (64600, Phase::Updating)
    );
}

#[test]
fn what_cannot_be_read_is_a_gap() {
    let mut o = Owner::new(Pace::Instant);
    o.hub();
    let vpn = json!({"properties": {"gatewayType": "Vpn"}});
    o.make(GATEWAY, &["vpn"], vpn);
    let route = |hop: &str, prefix: &str| json!({"name": prefix, "properties": {"addressPrefix": prefix, "nextHopType": hop}});
    let routes = json!([
        route("Internet", "AzureCloud"),
        route("None", "10.9.0.0/16")
    ]);
    o.make(
        ROUTE_TABLE,
        &["t"],
        json!({"properties": {"routes": routes}}),
    );
    o.make(CIRCUIT, &["er"], circuit("Equinix"));
    let mut six = peering();
    six["properties"]["ipv6PeeringConfig"] = json!({"primaryPeerAddressPrefix": "fd00::/126"});
    o.make(PEERING, &["er", "AzurePrivatePeering"], six);
    let key = o.text(CIRCUIT, &["er"], "serviceKey");
    o.provider(&key, ProviderAction::Provision { peering: None })
        .unwrap();
    let mut two = nic(&["hub", "app"]);
    let configs = two["properties"]["ipConfigurations"]
        .as_array_mut()
        .unwrap();
    let second = configs[0].clone();
    configs.push(second);
    o.make(NIC, &["n"], two);
    let model = AzureModel::read(&o.estate);
    let expected = [
        "route AzureCloud: AzureCloud is a service tag, which is not modelled",
        "only its primary IP configuration is modelled",
        "VPN gateways are not modelled",
        "its IPv6 half is not modelled",
    ];
    assert_eq!(whats(&model), expected);
    assert_eq!(model.route_tables[0].routes.len(), 1);
    assert_eq!(model.route_tables[0].routes[0].next_hop, UserNextHop::None);
    assert!(model.gateways.is_empty());
    assert_eq!(model.interfaces[0].address.to_string(), "10.1.1.4");
    assert_eq!(
        model.circuits[0].peerings[0].shared_key.as_deref(),
        Some("Abc123")
    );
}
