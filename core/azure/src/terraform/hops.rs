//! What forwards for others: firewalls, their policies and rules.

use serde_json::json;
use skybridge_hcl::Value;

use super::build::Made;
use super::types::{Row, common};
use crate::kinds;

pub(super) const ROWS: [Row; 7] = [
    Row {
        ty: "azurerm_firewall",
        kind: kinds::FIREWALL,
        parent: None,
        names: &["name"],
        build: firewall,
    },
    Row {
        ty: "azurerm_firewall_network_rule_collection",
        kind: kinds::NETWORK_RULES,
        parent: None,
        names: &["azure_firewall_name", "name"],
        build: network_collection,
    },
    Row {
        ty: "azurerm_firewall_application_rule_collection",
        kind: kinds::APPLICATION_RULES,
        parent: None,
        names: &["azure_firewall_name", "name"],
        build: application_collection,
    },
    Row {
        ty: "azurerm_firewall_nat_rule_collection",
        kind: kinds::NAT_RULES,
        parent: None,
        names: &["azure_firewall_name", "name"],
        build: nat_collection,
    },
    Row {
        ty: "azurerm_firewall_policy",
        kind: kinds::FIREWALL_POLICY,
        parent: None,
        names: &["name"],
        build: policy,
    },
    Row {
        ty: "azurerm_firewall_policy_rule_collection_group",
        kind: kinds::RULE_GROUP,
        parent: Some("firewall_policy_id"),
        names: &["name"],
        build: rule_group,
    },
    Row {
        ty: "azurerm_ip_group",
        kind: kinds::IP_GROUP,
        parent: None,
        names: &["name"],
        build: ip_group,
    },
];

/// Why a firewall is not modelled, if it is not: one in a virtual hub has no place in a network.
pub(super) fn left_out(config: &Value) -> Option<String> {
    let sku = config.str_attr("sku_name").unwrap_or_default();
    let in_hub = config.at("virtual_hub[0].virtual_hub_id").is_some();
    (sku.eq_ignore_ascii_case("AZFW_Hub") || in_hub)
        .then(|| "firewalls of virtual hubs are not modelled".to_owned())
}

fn firewall(made: &mut Made<'_>) {
    common(made);
    made.value("sku_name", "/properties/sku/name");
    made.value("sku_tier", "/properties/sku/tier");
    made.value("firewall_policy_id", "/properties/firewallPolicy/id");
    made.value("threat_intel_mode", "/properties/threatIntelMode");
    made.value("private_ip_ranges", "/properties/privateRanges");
    for i in 0..made.blocks("ip_configuration") {
        let from = |a: &str| format!("ip_configuration[{i}].{a}");
        let to = format!("/properties/ipConfigurations/{i}");
        made.value(&from("name"), &format!("{to}/name"));
        made.value(&from("subnet_id"), &format!("{to}/properties/subnet/id"));
        let public = format!("{to}/properties/publicIPAddress/id");
        for argument in ["public_ip_address_id", "internal_public_ip_address_id"] {
            made.value(&from(argument), &public);
        }
    }
}

fn policy(made: &mut Made<'_>) {
    common(made);
    made.value("sku", "/properties/sku/tier");
    made.value("base_policy_id", "/properties/basePolicy/id");
    made.value("private_ip_ranges", "/properties/privateRanges");
    made.value("threat_intelligence_mode", "/properties/threatIntelMode");
}

fn ip_group(made: &mut Made<'_>) {
    common(made);
    made.value("cidrs", "/properties/ipAddresses");
}

/// What network rules say, and as far as they have it, application and translation rules.
const RULE_FIELDS: [(&str, &str); 17] = [
    ("name", "name"),
    ("protocols", "ipProtocols"),
    ("source_addresses", "sourceAddresses"),
    ("source_ip_groups", "sourceIpGroups"),
    ("destination_addresses", "destinationAddresses"),
    ("destination_address", "destinationAddresses/0"),
    ("destination_ip_groups", "destinationIpGroups"),
    ("destination_fqdns", "destinationFqdns"),
    ("destination_ports", "destinationPorts"),
    ("destination_fqdn_tags", "fqdnTags"),
    ("fqdn_tags", "fqdnTags"),
    ("target_fqdns", "targetFqdns"),
    ("destination_urls", "targetUrls"),
    ("web_categories", "webCategories"),
    ("translated_address", "translatedAddress"),
    ("translated_fqdn", "translatedFqdn"),
    ("translated_port", "translatedPort"),
];

fn rule(made: &mut Made<'_>, from: &str, to: &str, kind: &str) {
    made.fixed(&format!("{to}/ruleType"), json!(kind));
    for (argument, field) in RULE_FIELDS {
        // The protocols of an application rule are blocks.
        if argument == "protocols" && kind == APPLICATION {
            continue;
        }
        // Names of clients' requests, under the name that a policy has for them.
        let field = match (argument, kind) {
            ("destination_fqdns", APPLICATION) => "targetFqdns",
            _ => field,
        };
        made.value(&format!("{from}.{argument}"), &format!("{to}/{field}"));
    }
    if kind == APPLICATION {
        for block in ["protocols", "protocol"] {
            for i in 0..made.blocks(&format!("{from}.{block}")) {
                let (from, to) = (
                    format!("{from}.{block}[{i}]"),
                    format!("{to}/protocols/{i}"),
                );
                made.value(&format!("{from}.type"), &format!("{to}/protocolType"));
                made.value(&format!("{from}.port"), &format!("{to}/port"));
            }
        }
    }
}

const NETWORK: &str = "NetworkRule";
const APPLICATION: &str = "ApplicationRule";
const NAT: &str = "NatRule";

/// Fields of a collection and its rules, from the block at `from` (empty: the resource) to `to`.
fn collection(made: &mut Made<'_>, from: &str, to: &str, kind: &str) {
    let argument = |name: &str| format!("{from}{name}");
    made.value(&argument("priority"), &format!("{to}/priority"));
    made.value(&argument("action"), &format!("{to}/action/type"));
    for i in 0..made.blocks(&argument("rule")) {
        let from = argument(&format!("rule[{i}]"));
        rule(made, &from, &format!("{to}/rules/{i}"), kind);
    }
}

fn network_collection(made: &mut Made<'_>) {
    collection(made, "", "/properties", NETWORK);
}

fn application_collection(made: &mut Made<'_>) {
    collection(made, "", "/properties", APPLICATION);
}

fn nat_collection(made: &mut Made<'_>) {
    collection(made, "", "/properties", NAT);
}

fn rule_group(made: &mut Made<'_>) {
    made.value("priority", "/properties/priority");
    let mut count = 0;
    for (block, kind) in [
        ("nat_rule_collection", NAT),
        ("network_rule_collection", NETWORK),
        ("application_rule_collection", APPLICATION),
    ] {
        for i in 0..made.blocks(block) {
            let from = format!("{block}[{i}].");
            let to = format!("/properties/ruleCollections/{count}");
            count += 1;
            let ty = match kind {
                NAT => "FirewallPolicyNatRuleCollection",
                _ => "FirewallPolicyFilterRuleCollection",
            };
            made.fixed(&format!("{to}/ruleCollectionType"), json!(ty));
            made.value(&format!("{from}name"), &format!("{to}/name"));
            collection(made, &from, &to, kind);
        }
    }
}
