//! Every rule: table-driven refusals, findings, and the table itself.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use skybridge_catalogue::catalogue;
use skybridge_estate::{Cloud, Level, Pace, ResourceId};

use super::{TABLE, check, routes_towards, rule};
use crate::kinds;
use crate::model::OciModel;
use crate::testing::{KEY, Lab, circuit_doc, instance_doc};

/// Rule names in a source text.
fn names_in(source: &str) -> BTreeSet<&str> {
    source
        .split('"')
        .filter(|s| s.starts_with("oci.") && !s.contains(' '))
        .collect()
}

#[test]
fn the_table_and_the_code_name_the_same_rules_and_sources_exist() {
    let sources = [
        include_str!("check.rs"),
        include_str!("../wish.rs"),
        include_str!("../decide/circuit.rs"),
        include_str!("../decide/legs.rs"),
        include_str!("../decide/delete.rs"),
        include_str!("../decide/drg.rs"),
        include_str!("../decide/instance.rs"),
        include_str!("../decide/network.rs"),
        include_str!("../decide/peering.rs"),
        include_str!("../decide/public.rs"),
        include_str!("../decide/vnic.rs"),
    ];
    let used: BTreeSet<&str> = sources.into_iter().flat_map(names_in).collect();
    let known: BTreeSet<&str> = TABLE.iter().map(|r| r.name).collect();
    assert_eq!(used, known);
    assert_eq!(known.len(), TABLE.len(), "no name twice");
    for rule in TABLE {
        assert!(catalogue().source(rule.source).is_some(), "{}", rule.name);
    }
}

/// A VCN 10.1.0.0/16, a subnet in it, a DRG attached to it, and its internet gateway.
struct Base {
    lab: Lab,
    vcn: ResourceId,
    subnet: ResourceId,
    drg: ResourceId,
    gateway: ResourceId,
}

fn base() -> Base {
    let mut lab = Lab::new();
    lab.express_route(1000);
    let vcn = lab.vcn("10.1.0.0/16");
    let subnet = lab.subnet(&vcn, "10.1.1.0/24");
    let drg = lab.drg();
    lab.attach(&drg, &vcn);
    let gateway = lab.create(kinds::INTERNET_GATEWAY, json!({ "vcnId": vcn.as_str() }));
    Base {
        lab,
        vcn,
        subnet,
        drg,
        gateway,
    }
}

/// Sends creations one by one; each must be refused under its rule.
fn refused(lab: &mut Lab, cases: Vec<(&str, &str, Json)>) {
    for (name, kind, doc) in cases {
        let refusal = lab
            .try_create(kind, doc.clone())
            .expect_err(&format!("{name}: {doc} is refused"));
        assert_eq!(refusal.rule, Some(name), "{refusal}");
        let rule = rule(name).expect("in the table");
        assert_eq!(rule.level, Level::Rejected(Cloud::Oci));
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a flat table of cases")]
fn networks_that_break_a_rule_are_refused_under_its_name() {
    let Base {
        mut lab,
        vcn,
        subnet,
        drg,
        ..
    } = base();
    let v = vcn.as_str();
    let any = "0.0.0.0/0";
    let list = lab.text(&subnet, "/securityListIds/0");
    let table = lab.text(&drg, "/defaultDrgRouteTables/vcn");
    let export = lab.text(&drg, "/defaultExportDrgRouteDistributionId");
    let other = lab.create(kinds::VCN, json!({ "cidrBlock": "10.9.0.0/16" }));
    let foreign = lab.text(&other, "/defaultRouteTableId");
    let two_hundred = vec![json!({ "protocol": "6", "source": any }); 201];
    let sub = |block: &str| json!({ "vcnId": v, "cidrBlock": block });
    let rule = |rule: Json| json!({ "vcnId": v, "ingressSecurityRules": [rule] });
    let route = |rules: Json| json!({ "vcnId": v, "routeRules": rules });
    let to_drg = json!({ "destination": "10.2.0.0/16", "networkEntityId": drg.as_str() });
    let ports = json!({ "destinationPortRange": { "min": 9, "max": 1 } });
    refused(
        &mut lab,
        vec![
            (
                "oci.cidr",
                kinds::VCN,
                json!({ "cidrBlock": "10.1.0.1/16" }),
            ),
            ("oci.cidr", kinds::VCN, json!({ "cidrBlock": "fd00::/48" })),
            (
                "oci.vcn-cidr-size",
                kinds::VCN,
                json!({ "cidrBlock": "10.0.0.0/8" }),
            ),
            (
                "oci.vcn-cidr-overlap",
                kinds::VCN,
                json!({ "cidrBlocks": ["10.3.0.0/16", "10.3.1.0/24"] }),
            ),
            ("oci.subnet-outside-vcn", kinds::SUBNET, sub("10.2.0.0/24")),
            ("oci.subnet-overlap", kinds::SUBNET, sub("10.1.1.128/25")),
            ("oci.subnet-size", kinds::SUBNET, sub("10.1.9.0/31")),
            (
                "oci.security-lists-per-subnet",
                kinds::SUBNET,
                json!({ "vcnId": v, "cidrBlock": "10.1.9.0/24", "securityListIds": vec![list; 6] }),
            ),
            (
                "oci.reference-other-parent",
                kinds::SUBNET,
                json!({ "vcnId": v, "cidrBlock": "10.1.9.0/24", "routeTableId": foreign }),
            ),
            (
                "oci.reference-kind",
                kinds::SUBNET,
                json!({ "vcnId": v, "cidrBlock": "10.1.9.0/24", "routeTableId": v }),
            ),
            (
                "oci.security-list-rules",
                kinds::SECURITY_LIST,
                json!({ "vcnId": v, "ingressSecurityRules": two_hundred }),
            ),
            (
                "oci.security-rule-protocol",
                kinds::SECURITY_LIST,
                rule(json!({ "protocol": "tcp", "source": any })),
            ),
            (
                "oci.security-rule-peer",
                kinds::SECURITY_LIST,
                rule(json!({ "protocol": "6", "source": any, "sourceType": "CIDR" })),
            ),
            (
                "oci.security-rule-ports",
                kinds::SECURITY_LIST,
                rule(json!({ "protocol": "6", "source": any, "tcpOptions": ports })),
            ),
            (
                "oci.route-rule-duplicate",
                kinds::ROUTE_TABLE,
                route(json!([to_drg, to_drg])),
            ),
            (
                "oci.route-target",
                kinds::ROUTE_TABLE,
                route(json!([{ "destination": any, "networkEntityId": v }])),
            ),
            (
                "oci.route-rule",
                kinds::ROUTE_TABLE,
                route(
                    json!([{ "destination": any, "destinationType": "X", "networkEntityId": v }]),
                ),
            ),
            (
                "oci.one-internet-gateway",
                kinds::INTERNET_GATEWAY,
                json!({ "vcnId": v }),
            ),
            (
                "oci.one-drg-per-vcn",
                kinds::DRG_ATTACHMENT,
                json!({ "drgId": drg.as_str(), "vcnId": v }),
            ),
            (
                "oci.attachment-type",
                kinds::DRG_ATTACHMENT,
                json!({ "drgId": drg.as_str(), "networkDetails": { "type": "IPSEC_TUNNEL", "id": "x" } }),
            ),
            (
                "oci.vcn-route-type",
                kinds::DRG_ATTACHMENT,
                json!({ "drgId": drg.as_str(),
                "networkDetails": { "type": "VCN", "id": other.as_str(), "vcnRouteType": "ALL" } }),
            ),
            (
                "oci.drg-export-distribution",
                kinds::DRG_ROUTE_DISTRIBUTION,
                json!({ "drgId": drg.as_str(), "distributionType": "EXPORT" }),
            ),
            (
                "oci.drg-import-distribution",
                kinds::DRG_ROUTE_TABLE,
                json!({ "drgId": drg.as_str(),
                "importDrgRouteDistributionId": export }),
            ),
            (
                "oci.cidr",
                kinds::DRG_ROUTE_RULE,
                json!({ "drgRouteTableId": table, "destination": "x" }),
            ),
            ("oci.private-ip", kinds::INSTANCE, {
                let mut doc = instance_doc(&subnet);
                doc["createVnicDetails"]["privateIp"] = json!("10.1.1.255");
                doc
            }),
        ],
    );
}

#[test]
fn a_raised_limit_lets_pass_what_it_forbade() {
    let Base {
        mut lab,
        vcn,
        subnet,
        ..
    } = base();
    let group = lab.create(kinds::SECURITY_GROUP, json!({ "vcnId": vcn.as_str() }));
    let g = group.as_str();
    let rule = json!({ "networkSecurityGroupId": g, "direction": "INGRESS", "protocol": "all", "source": "0.0.0.0/0" });
    let mut member = instance_doc(&subnet);
    member["createVnicDetails"]["nsgIds"] = json!([g, g, g, g, g, g]);
    let limits = [
        "oci_nsgs_per_vnic",
        "oci_rules_per_nsg",
        "oci_nsgs_per_vcn",
        "oci_security_lists_per_subnet",
        "oci_rules_per_security_list_direction",
        "oci_drg_vcn_attachments",
    ];
    lab.estate
        .set_limits(limits.map(|l| (l.to_owned(), 0)).into());
    let (drg, other) = (lab.drg(), lab.vcn("10.2.0.0/16"));
    let attachment =
        json!({ "drgId": drg.as_str(), "networkDetails": { "type": "VCN", "id": other.as_str() } });
    let list = lab.create(kinds::SECURITY_LIST, json!({ "vcnId": vcn.as_str() }));
    let listed = json!({ "vcnId": vcn.as_str(), "cidrBlock": "10.1.9.0/24", "securityListIds": [list.as_str()] });
    let ruled = json!({ "vcnId": vcn.as_str(), "ingressSecurityRules": [{ "protocol": "all", "source": "0.0.0.0/0" }] });
    let cases = vec![
        ("oci.nsgs-per-vnic", kinds::INSTANCE, member),
        ("oci.nsg-rules", kinds::SECURITY_GROUP_RULE, rule),
        (
            "oci.nsgs-per-vcn",
            kinds::SECURITY_GROUP,
            json!({ "vcnId": vcn.as_str() }),
        ),
        ("oci.security-lists-per-subnet", kinds::SUBNET, listed),
        ("oci.security-list-rules", kinds::SECURITY_LIST, ruled),
        ("oci.drg-vcn-attachments", kinds::DRG_ATTACHMENT, attachment),
    ];
    refused(&mut lab, cases.clone());
    lab.estate
        .set_limits(limits.map(|l| (l.to_owned(), 400)).into());
    for (name, kind, doc) in cases {
        lab.try_create(kind, doc)
            .unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        lab.pass(400);
    }
}

#[test]
fn groups_and_distributions_that_break_a_rule_are_refused_under_its_name() {
    let Base {
        mut lab,
        vcn,
        subnet,
        drg,
        ..
    } = base();
    let group = lab.create(kinds::SECURITY_GROUP, json!({ "vcnId": vcn.as_str() }));
    let g = group.as_str();
    let good = json!({ "networkSecurityGroupId": g, "direction": "INGRESS", "protocol": "all", "source": "0.0.0.0/0" });
    for _ in 0..120 {
        lab.try_create(kinds::SECURITY_GROUP_RULE, good.clone())
            .unwrap();
    }
    let second = lab.create(kinds::SECURITY_GROUP, json!({ "vcnId": vcn.as_str() }));
    let mut sideways = good.clone();
    sideways["direction"] = json!("SIDEWAYS");
    sideways["networkSecurityGroupId"] = json!(second.as_str());
    let mut member = instance_doc(&subnet);
    member["createVnicDetails"]["nsgIds"] = json!([g, g, g, g, g, g]);
    let distribution = lab.create(
        kinds::DRG_ROUTE_DISTRIBUTION,
        json!({ "drgId": drg.as_str(), "distributionType": "IMPORT" }),
    );
    let statement = |extra: Json| {
        let mut doc = json!({ "drgRouteDistributionId": distribution.as_str(), "action": "ACCEPT", "priority": 1 });
        doc.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        doc
    };
    lab.try_create(
        kinds::DRG_ROUTE_DISTRIBUTION_STATEMENT,
        statement(json!({})),
    )
    .unwrap();
    lab.create(kinds::VIRTUAL_CIRCUIT, circuit_doc(&drg, KEY));
    lab.pass(400);
    let of_circuit = lab
        .estate
        .of_kind(kinds::DRG_ATTACHMENT)
        .find(|a| a.text("/networkDetails/type") == Some("VIRTUAL_CIRCUIT"))
        .unwrap()
        .id
        .clone();
    let table = lab.text(&drg, "/defaultDrgRouteTables/vcn");
    refused(
        &mut lab,
        vec![
            ("oci.nsg-rules", kinds::SECURITY_GROUP_RULE, good),
            (
                "oci.security-rule-direction",
                kinds::SECURITY_GROUP_RULE,
                sideways,
            ),
            ("oci.nsgs-per-vnic", kinds::INSTANCE, member),
            (
                "oci.drg-statement-priority",
                kinds::DRG_ROUTE_DISTRIBUTION_STATEMENT,
                statement(json!({})),
            ),
            (
                "oci.drg-statement",
                kinds::DRG_ROUTE_DISTRIBUTION_STATEMENT,
                statement(json!({ "action": "DENY" })),
            ),
            (
                "oci.drg-statement",
                kinds::DRG_ROUTE_DISTRIBUTION_STATEMENT,
                statement(json!({ "priority": 2, "matchCriteria": [{ "matchType": "X" }] })),
            ),
            (
                "oci.drg-static-route-target",
                kinds::DRG_ROUTE_RULE,
                json!({ "drgRouteTableId": table, "destination": "10.9.0.0/16",
                    "nextHopDrgAttachmentId": of_circuit.as_str() }),
            ),
        ],
    );
}

#[test]
#[allow(clippy::too_many_lines, reason = "a flat table of cases")]
fn circuits_that_break_a_rule_are_refused_under_its_name() {
    let Base { mut lab, drg, .. } = base();
    let with = |pointer: &str, value: Json| {
        let mut doc = circuit_doc(&drg, KEY);
        match pointer.strip_prefix("/crossConnectMappings/0/") {
            Some(field) => doc["crossConnectMappings"][0][field] = value,
            None => doc[&pointer[1..]] = value,
        }
        doc
    };
    let leg =
        |field: &str, text: &str| with(&format!("/crossConnectMappings/0/{field}"), json!(text));
    let mut own = with("/providerServiceId", Json::Null);
    own["customerAsn"] = json!(65534);
    let mut public = with("/type", json!("PUBLIC"));
    public["gatewayId"] = json!(drg.as_str());
    refused(
        &mut lab,
        vec![
            (
                "oci.vc-type",
                kinds::VIRTUAL_CIRCUIT,
                with("/type", json!("SECRET")),
            ),
            (
                "oci.vc-needs-drg",
                kinds::VIRTUAL_CIRCUIT,
                with("/gatewayId", Json::Null),
            ),
            ("oci.vc-public-drg", kinds::VIRTUAL_CIRCUIT, public),
            (
                "oci.vc-bandwidth-shape",
                kinds::VIRTUAL_CIRCUIT,
                with("/bandwidthShapeName", json!("3 Gbps")),
            ),
            (
                "oci.vc-bandwidth-shape",
                kinds::VIRTUAL_CIRCUIT,
                with("/bandwidthShapeName", json!("fast")),
            ),
            (
                "oci.vc-two-mappings",
                kinds::VIRTUAL_CIRCUIT,
                with(
                    "/crossConnectMappings",
                    json!([{ "customerBgpPeeringIp": "10.0.0.2/30" }]),
                ),
            ),
            (
                "oci.vc-bgp-mask",
                kinds::VIRTUAL_CIRCUIT,
                leg("customerBgpPeeringIp", "10.0.0.22/24"),
            ),
            (
                "oci.vc-bgp-mask",
                kinds::VIRTUAL_CIRCUIT,
                leg("customerBgpPeeringIp", "10.0.0.20/30"),
            ),
            (
                "oci.vc-bgp-mask",
                kinds::VIRTUAL_CIRCUIT,
                leg("oracleBgpPeeringIp", "10.0.0.21"),
            ),
            (
                "oci.vc-bgp-same-net",
                kinds::VIRTUAL_CIRCUIT,
                leg("oracleBgpPeeringIp", "10.0.0.29/30"),
            ),
            (
                "oci.vc-bgp-same-net",
                kinds::VIRTUAL_CIRCUIT,
                leg("oracleBgpPeeringIp", "10.0.0.22/30"),
            ),
            (
                "oci.vc-bgp-overlap",
                kinds::VIRTUAL_CIRCUIT,
                with(
                    "/crossConnectMappings",
                    json!([{ "customerBgpPeeringIp": "10.0.0.2/30" }, { "customerBgpPeeringIp": "10.0.0.2/30" }]),
                ),
            ),
            ("oci.vc-customer-asn", kinds::VIRTUAL_CIRCUIT, own),
            (
                "oci.vc-mtu",
                kinds::VIRTUAL_CIRCUIT,
                with("/ipMtu", json!("MTU_1400")),
            ),
            (
                "oci.vc-vlan",
                kinds::VIRTUAL_CIRCUIT,
                with("/crossConnectMappings/0/vlan", json!(99)),
            ),
            (
                "oci.vc-admin-state",
                kinds::VIRTUAL_CIRCUIT,
                with("/bgpAdminState", json!("MAYBE")),
            ),
        ],
    );
    let unknown = lab.try_create(
        kinds::VIRTUAL_CIRCUIT,
        with("/providerServiceId", json!("ocid1.x")),
    );
    assert_eq!(unknown.unwrap_err().code, "NotAuthorizedOrNotFound");
}

/// The rules that are found broken once everything has settled.
fn found(lab: &mut Lab) -> Vec<&'static str> {
    lab.pass(2000);
    let model = OciModel::read(&lab.estate);
    check(&lab.estate, &model).iter().map(|f| f.rule).collect()
}

#[test]
fn a_sound_interconnect_has_no_findings() {
    let Base { mut lab, drg, .. } = base();
    lab.create(kinds::VIRTUAL_CIRCUIT, circuit_doc(&drg, KEY));
    assert_eq!(found(&mut lab), Vec::<&str>::new());
}

#[test]
#[allow(clippy::too_many_lines, reason = "a flat table of cases")]
fn circuits_that_will_not_work_are_found_under_the_rules_name() {
    let cases: Vec<(&str, Json)> = vec![
        (
            "oci.vc-swapped-ends",
            json!({ "crossConnectMappings": [
            { "oracleBgpPeeringIp": "10.0.0.22/30", "customerBgpPeeringIp": "10.0.0.21/30" },
            { "oracleBgpPeeringIp": "10.0.0.25/30", "customerBgpPeeringIp": "10.0.0.26/30" }] }),
        ),
        (
            "oci.vc-azure-mask",
            json!({ "crossConnectMappings": [
            { "customerBgpPeeringIp": "10.0.0.18/29" }, { "customerBgpPeeringIp": "10.0.0.26/29" }] }),
        ),
        (
            "oci.vc-mask-differs",
            json!({ "crossConnectMappings": [
            { "customerBgpPeeringIp": "10.0.0.18/30" }, { "customerBgpPeeringIp": "10.0.0.26/29" }] }),
        ),
        (
            "oci.vc-md5-length",
            json!({ "crossConnectMappings": [
            { "customerBgpPeeringIp": "10.0.0.18/30", "bgpMd5AuthKey": "0123456789abcdef0" },
            { "customerBgpPeeringIp": "10.0.0.26/30", "bgpMd5AuthKey": "0123456789abcdef0" }] }),
        ),
        (
            "oci.vc-md5-differs",
            json!({ "crossConnectMappings": [
            { "customerBgpPeeringIp": "10.0.0.18/30", "bgpMd5AuthKey": "a" },
            { "customerBgpPeeringIp": "10.0.0.26/30" }] }),
        ),
        (
            "oci.vc-block-overlaps-vcn",
            json!({ "crossConnectMappings": [
            { "customerBgpPeeringIp": "10.1.0.2/30" }, { "customerBgpPeeringIp": "10.0.0.26/30" }] }),
        ),
        (
            "oci.vc-service-key",
            json!({ "providerServiceKeyName": "wrong" }),
        ),
        (
            "oci.vc-service-key",
            json!({ "providerServiceKeyName": null }),
        ),
        (
            "oci.vc-customer-asn-ignored",
            json!({ "customerAsn": 65000 }),
        ),
        (
            "oci.vc-bgp-disabled",
            json!({ "bgpAdminState": "DISABLED" }),
        ),
    ];
    for (name, patch) in cases {
        let Base { mut lab, drg, .. } = base();
        let mut doc = circuit_doc(&drg, KEY);
        doc.as_object_mut()
            .unwrap()
            .extend(patch.as_object().unwrap().clone());
        lab.create(kinds::VIRTUAL_CIRCUIT, doc);
        let all = found(&mut lab);
        assert!(all.contains(&name), "{name} among {all:?}");
        assert!(all.len() <= 2, "{all:?}");
    }
}

#[test]
fn a_second_circuit_on_the_same_addresses_and_a_lonely_drg_are_found() {
    let Base { mut lab, drg, .. } = base();
    lab.create(kinds::VIRTUAL_CIRCUIT, circuit_doc(&drg, KEY));
    lab.pass(400);
    lab.create(kinds::VIRTUAL_CIRCUIT, circuit_doc(&drg, KEY));
    let all = found(&mut lab);
    assert_eq!(
        all.iter()
            .filter(|r| **r == "oci.vc-same-customer-address")
            .count(),
        2
    );
    let mut lab = Lab::new();
    lab.express_route(1000);
    let lonely = lab.drg();
    lab.create(kinds::VIRTUAL_CIRCUIT, circuit_doc(&lonely, KEY));
    assert_eq!(found(&mut lab), ["oci.vc-drg-without-vcn"]);
}

#[test]
fn overlapping_vcns_and_routes_to_a_foreign_drg_are_found() {
    let Base { mut lab, drg, .. } = base();
    let twin = lab.vcn("10.1.0.0/24");
    lab.attach(&drg, &twin);
    assert_eq!(found(&mut lab), ["oci.vcn-overlap-on-drg"]);
    let Base { mut lab, vcn, .. } = base();
    let other = lab.drg();
    let rules = json!([{ "destination": "10.2.0.0/16", "networkEntityId": other.as_str() }]);
    lab.create(
        kinds::ROUTE_TABLE,
        json!({ "vcnId": vcn.as_str(), "routeRules": rules }),
    );
    lab.pass(10);
    let model = OciModel::read(&lab.estate);
    let all = check(&lab.estate, &model);
    assert_eq!(all[0].rule, "oci.route-drg-not-attached");
    assert_eq!(all[0].subject.pointer, "/routeRules/0/networkEntityId");
}

#[test]
fn a_subnet_routes_towards_a_network_when_its_longest_rule_leads_to_the_attached_drg() {
    let Base {
        mut lab,
        vcn,
        drg,
        gateway,
        ..
    } = base();
    let (d, i) = (drg.as_str(), gateway.as_str());
    let cases = [
        (
            json!([{ "destination": "10.2.0.0/16", "networkEntityId": d }]),
            "10.2.0.0/16",
            true,
        ),
        (
            json!([{ "destination": "10.2.0.0/16", "networkEntityId": d }]),
            "10.2.7.0/24",
            true,
        ),
        (
            json!([{ "destination": "10.2.0.0/24", "networkEntityId": d }]),
            "10.2.0.0/16",
            false,
        ),
        (
            json!([{ "destination": "0.0.0.0/0", "networkEntityId": i }]),
            "10.2.0.0/16",
            false,
        ),
        (
            json!([{ "destination": "0.0.0.0/0", "networkEntityId": d },
            { "destination": "10.2.0.0/15", "networkEntityId": i }]),
            "10.2.0.0/16",
            false,
        ),
        (
            json!([{ "destination": "0.0.0.0/0", "networkEntityId": d },
            { "destination": "10.2.3.0/24", "networkEntityId": i }]),
            "10.2.0.0/16",
            false,
        ),
    ];
    for (n, (rules, net, want)) in cases.into_iter().enumerate() {
        let table = lab.create(
            kinds::ROUTE_TABLE,
            json!({ "vcnId": vcn.as_str(), "routeRules": rules }),
        );
        let subnet = lab.create(
            kinds::SUBNET,
            json!({ "vcnId": vcn.as_str(), "cidrBlock": format!("10.1.{}.0/24", n + 50),
                "routeTableId": table.as_str() }),
        );
        let model = OciModel::read(&lab.estate);
        let subnet = model.vcns[0]
            .subnets
            .iter()
            .find(|s| s.id == subnet)
            .unwrap();
        assert_eq!(
            routes_towards(&model, subnet, &net.parse().unwrap()),
            want,
            "case {n}"
        );
    }
}

#[test]
fn every_pace_gives_the_same_states() {
    for pace in [Pace::Instant, Pace::Compressed, Pace::Realistic] {
        let mut lab = Lab::new();
        lab.estate = skybridge_estate::Estate::new(7, pace);
        lab.express_route(1000);
        let vcn = lab.vcn("10.1.0.0/16");
        let drg = lab.drg();
        lab.attach(&drg, &vcn);
        lab.create(kinds::VIRTUAL_CIRCUIT, circuit_doc(&drg, KEY));
        assert_eq!(found(&mut lab), Vec::<&str>::new());
    }
}
