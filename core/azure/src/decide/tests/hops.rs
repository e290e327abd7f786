//! Refusals about what forwards for others, and the resources of their tests.

use serde_json::{Value as Json, json};
use skybridge_estate::Refusal;

use crate::kinds::{
    FIREWALL, FIREWALL_POLICY, IP_GROUP, NETWORK_RULES, NIC, RULE_GROUP, SUBNET, VNET,
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

type Case = (&'static str, fn(&mut Owner) -> Result<(), Refusal>);

pub(super) const CASES: [Case; 4] = [
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
    ("azure.firewall-has-policy", |o| {
        with_policy(o);
        o.put(
            NETWORK_RULES,
            &["x", "c"],
            json!({"properties": {"priority": 100}}),
        )
    }),
];
