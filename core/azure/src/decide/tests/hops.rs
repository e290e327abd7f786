//! Refusals about what forwards for others, and the resources of their tests.

use serde_json::{Value as Json, json};
use skybridge_estate::Refusal;

use crate::kinds::{
    APPLICATION_RULES, BALANCER, BALANCING_RULE, FIREWALL, FIREWALL_POLICY, IP_GROUP, NAT_RULES,
    NETWORK_RULES, NIC, POOL, POOL_ADDRESS, PROBE, RULE_GROUP, SUBNET, VNET,
};
use crate::testing::{Owner, nic, reference, subnet, vnet};

pub(super) const HUB: [&str; 2] = ["v", "AzureFirewallSubnet"];

pub(super) fn firewall(subnet: &[&str]) -> Json {
    let subnet = reference(SUBNET, subnet);
    let config = json!({"name": "main", "properties": {"subnet": subnet}});
    json!({"location": "eastus", "properties": {"ipConfigurations": [config]}})
}

/// A network with a subnet for a firewall.
pub(super) fn network(o: &mut Owner, prefix: &str) {
    o.make(VNET, &["v"], vnet(&["10.0.0.0/16"]));
    o.make(SUBNET, &HUB, subnet(prefix));
}

/// A policy that refers to a group of addresses.
pub(super) fn policy(o: &mut Owner) {
    let group = json!({"location": "eastus", "properties": {"ipAddresses": ["10.1.0.0/16"]}});
    o.make(IP_GROUP, &["x"], group);
    o.make(FIREWALL_POLICY, &["x"], json!({"location": "eastus"}));
    let id = reference(IP_GROUP, &["x"])["id"].clone();
    let rule = json!({"ruleType": "NetworkRule", "sourceIpGroups": [id]});
    let rules = json!({"ruleCollections": [{"name": "c", "rules": [rule]}]});
    o.make(RULE_GROUP, &["x", "g"], json!({"properties": rules}));
}

pub(super) fn with_policy(o: &mut Owner) {
    network(o, "10.0.1.0/26");
    policy(o);
    let mut doc = firewall(&HUB);
    doc["properties"]["firewallPolicy"] = reference(FIREWALL_POLICY, &["x"]);
    o.make(FIREWALL, &["x"], doc);
}

/// A load balancer with a frontend, a pool with an address, and a probe.
pub(super) fn balancer(o: &mut Owner, sku: &str) {
    o.hub();
    let subnet = reference(SUBNET, &["hub", "app"]);
    let frontend = json!({"name": "front", "properties": {"subnet": subnet}});
    let doc = json!({"location": "eastus", "sku": {"name": sku},
        "properties": {"frontendIPConfigurations": [frontend]}});
    o.make(BALANCER, &["x"], doc);
    o.make(POOL, &["x", "p"], json!({}));
    o.make(
        PROBE,
        &["x", "p"],
        json!({"properties": {"protocol": "Tcp", "port": 22}}),
    );
    let address = json!({"properties": {"ipAddress": "10.1.1.9"}});
    o.make(POOL_ADDRESS, &["x", "p", "a"], address);
}

/// An HA ports rule at a frontend.
pub(super) fn rule(frontend: &str) -> Json {
    json!({"properties": {
        "frontendIPConfigurationName": frontend, "protocol": "All",
        "frontendPort": 0, "backendPort": 0,
        "probe": reference(PROBE, &["x", "p"]),
        "backendAddressPools": [reference(POOL, &["x", "p"])],
    }})
}

/// As the deletions' own, for what forwards for others.
pub(super) fn bring_about(
    o: &mut Owner,
    kind: &str,
    condition: &str,
) -> Option<&'static [&'static str]> {
    let location = json!({"location": "eastus"});
    match (kind, condition) {
        (FIREWALL, "any") => {
            network(o, "10.0.1.0/26");
            o.make(FIREWALL, &["x"], firewall(&HUB));
        }
        (NETWORK_RULES | APPLICATION_RULES | NAT_RULES, "any") => {
            network(o, "10.0.1.0/26");
            o.make(FIREWALL, &["x"], firewall(&HUB));
            let doc = json!({"properties": {"priority": 100}});
            o.make(kind, &["x", "c"], doc);
            return Some(&["x", "c"]);
        }
        (FIREWALL_POLICY | IP_GROUP, "idle") => o.make(kind, &["x"], location),
        (FIREWALL_POLICY, "in-use") => with_policy(o),
        (IP_GROUP, "in-use") => policy(o),
        (BALANCER, "any") => balancer(o, "Standard"),
        (POOL | PROBE, "idle") => {
            balancer(o, "Standard");
            return Some(&["x", "p"]);
        }
        (POOL_ADDRESS, "any") => {
            balancer(o, "Standard");
            return Some(&["x", "p", "a"]);
        }
        (POOL | PROBE, "in-use") => {
            balancer(o, "Standard");
            o.make(BALANCING_RULE, &["x", "r"], rule("front"));
            return Some(&["x", "p"]);
        }
        (BALANCING_RULE, "any") => {
            balancer(o, "Standard");
            o.make(BALANCING_RULE, &["x", "r"], rule("front"));
            return Some(&["x", "r"]);
        }
        (RULE_GROUP, "any") => {
            policy(o);
            return Some(&["x", "g"]);
        }
        _ => return None,
    }
    Some(&["x"])
}

type Case = (&'static str, fn(&mut Owner) -> Result<(), Refusal>);

pub(super) const CASES: [Case; 6] = [
    ("azure.nic-in-firewall-subnet", |o| {
        network(o, "10.0.1.0/26");
        o.put(NIC, &["n"], nic(&HUB))
    }),
    ("azure.firewall-subnet-name", |o| {
        o.hub();
        o.put(FIREWALL, &["x"], firewall(&["hub", "app"]))
    }),
    ("azure.firewall-subnet-size", |o| {
        network(o, "10.0.1.0/27");
        o.put(FIREWALL, &["x"], firewall(&HUB))
    }),
    ("azure.lb-frontend-missing", |o| {
        balancer(o, "Standard");
        o.put(BALANCING_RULE, &["x", "r"], rule("back"))
    }),
    ("azure.lb-ha-ports-basic", |o| {
        balancer(o, "Basic");
        o.put(BALANCING_RULE, &["x", "r"], rule("front"))
    }),
    ("azure.firewall-has-policy", |o| {
        with_policy(o);
        o.put(
            NETWORK_RULES,
            &["x", "c"],
            json!({"properties": {"priority": 100}}),
        )
    }),
];
