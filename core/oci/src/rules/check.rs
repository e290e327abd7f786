//! What OCI accepts although traffic will not flow, or not as one would want.

use ipnet::IpNet;
use skybridge_estate::{Estate, Finding, Resource, ResourceId, Subject};

use super::rule;
use crate::decide::circuit::{MICROSOFT_ASN, azure_circuit};
use crate::decide::legs::usable_pair;
use crate::kinds;
use crate::model::{
    AttachmentType, Drg, OciModel, PeeringEnd, RouteTarget, Subnet, Vcn, VirtualCircuit,
};
use crate::providers;
use crate::wish::touches;

/// Longest MD5 key: 128 bits.
const MD5_LEN_MAX: usize = 16;

/// Everything that is wrong with what OCI accepted, in the order of the resources' ids. What rests on
/// placeholders is not judged.
#[must_use]
pub fn check(estate: &Estate, model: &OciModel) -> Vec<Finding> {
    let mut findings = Vec::new();
    for circuit in &model.virtual_circuits {
        if let Some(resource) = estate.resource(&circuit.id) {
            addresses(resource, circuit, &mut findings);
            keys(resource, circuit, &mut findings);
            service_key(estate, resource, circuit, &mut findings);
        }
        around(model, circuit, &mut findings);
    }
    for vcn in &model.vcns {
        routes(estate, model, vcn, &mut findings);
    }
    for drg in &model.drgs {
        overlaps(model, drg, &mut findings);
    }
    findings
}

/// A finding under a rule of the table.
fn finding(name: &'static str, resource: &ResourceId, pointer: &str, message: String) -> Finding {
    let rule = rule(name).expect("rules are named as in the table; a test proves it");
    Finding {
        level: rule.level,
        rule: rule.name,
        message,
        help: rule.help.to_owned(),
        subject: Subject::field(resource.clone(), pointer),
        related: Vec::new(),
        grade: rule.grade,
        source: rule.source,
    }
}

/// True when the circuit's far side is Azure.
fn is_azure(resource: &Resource) -> bool {
    resource.text("/providerName") == Some(providers::AZURE)
}

/// The addresses of the two sessions.
fn addresses(resource: &Resource, circuit: &VirtualCircuit, findings: &mut Vec<Finding>) {
    if !is_azure(resource) {
        return;
    }
    for (i, mapping) in circuit.mappings.iter().enumerate() {
        let pointer = format!("/crossConnectMappings/{i}");
        let (oracle, customer) = (mapping.oracle, mapping.customer);
        let block = customer.trunc();
        if block.prefix_len() != 30 {
            let message = format!("BGP block {block}: Azure's private peering takes a /30");
            let at = format!("{pointer}/customerBgpPeeringIp");
            findings.push(finding("oci.vc-azure-mask", &circuit.id, &at, message));
        }
        let Some((first, second)) = usable_pair(block) else {
            continue;
        };
        if (oracle.addr(), customer.addr()) != (first, second) {
            let message = format!(
                "in {block} Oracle has {} and Azure {}; an interconnect gives Oracle {first} and Azure \
                 {second}, so the sessions never come up",
                oracle.addr(),
                customer.addr(),
            );
            findings.push(finding(
                "oci.vc-swapped-ends",
                &circuit.id,
                &pointer,
                message,
            ));
        }
    }
    if let [a, b] = circuit.mappings.as_slice()
        && a.customer.prefix_len() != b.customer.prefix_len()
    {
        let message = format!(
            "the primary block is a /{}, the secondary a /{}",
            a.customer.prefix_len(),
            b.customer.prefix_len()
        );
        let at = "/crossConnectMappings/1/customerBgpPeeringIp";
        findings.push(finding("oci.vc-mask-differs", &circuit.id, at, message));
    }
    let asn = ["/customerAsn", "/customerBgpAsn"]
        .into_iter()
        .find(|p| resource.doc.pointer(p).is_some_and(|v| !v.is_null()));
    if let Some(pointer) = asn.filter(|p| !touches(&resource.unknown, p)) {
        let said = resource.doc.pointer(pointer).map(ToString::to_string);
        let said = said.unwrap_or_default();
        if said.trim_matches('"') != MICROSOFT_ASN.to_string() {
            let message = format!("customer ASN {said} is not used: Azure's is {MICROSOFT_ASN}");
            let name = "oci.vc-customer-asn-ignored";
            findings.push(finding(name, &circuit.id, pointer, message));
        }
    }
}

/// MD5 keys and the administrative state.
fn keys(resource: &Resource, circuit: &VirtualCircuit, findings: &mut Vec<Finding>) {
    for (i, mapping) in circuit.mappings.iter().enumerate() {
        let Some(key) = &mapping.md5 else { continue };
        let pointer = format!("/crossConnectMappings/{i}/bgpMd5AuthKey");
        if key.len() > MD5_LEN_MAX && !touches(&resource.unknown, &pointer) {
            let message = format!("the MD5 key has {} octets", key.len());
            findings.push(finding("oci.vc-md5-length", &circuit.id, &pointer, message));
        }
    }
    if let [a, b] = circuit.mappings.as_slice()
        && a.md5 != b.md5
        && is_azure(resource)
        && !touches(&resource.unknown, "/crossConnectMappings")
    {
        let message = "primary and secondary have different MD5 keys".to_owned();
        let pointer = "/crossConnectMappings/1/bgpMd5AuthKey";
        findings.push(finding("oci.vc-md5-differs", &circuit.id, pointer, message));
    }
    if !circuit.bgp_enabled {
        let message = "BGP is administratively disabled on this circuit".to_owned();
        let name = "oci.vc-bgp-disabled";
        findings.push(finding(name, &circuit.id, "/bgpAdminState", message));
    }
}

/// A circuit that waits for a provider that will never come.
fn service_key(
    estate: &Estate,
    resource: &Resource,
    circuit: &VirtualCircuit,
    findings: &mut Vec<Finding>,
) {
    let pointer = "/providerServiceKeyName";
    let waits = circuit.lifecycle_state == "PENDING_PROVIDER" && is_azure(resource);
    if !waits || touches(&resource.unknown, pointer) {
        return;
    }
    let Some(key) = circuit.service_key.as_deref() else {
        let message = "no service key: the circuit stays PENDING_PROVIDER".to_owned();
        findings.push(finding("oci.vc-service-key", &circuit.id, pointer, message));
        return;
    };
    let Some(azure) = azure_circuit(estate, key) else {
        let message = format!("no ExpressRoute circuit has the service key {key}");
        findings.push(finding("oci.vc-service-key", &circuit.id, pointer, message));
        return;
    };
    let provider = azure
        .text("/properties/serviceProviderProperties/serviceProviderName")
        .unwrap_or_default();
    let state = azure.text("/properties/serviceProviderProvisioningState");
    let message = if !provider.to_lowercase().starts_with("oracle") {
        let label = azure.label();
        format!("the service key is that of {label}, whose provider is \"{provider}\"")
    } else if state.is_some_and(|s| s != "NotProvisioned") {
        format!("the service key of {} is in use", azure.label())
    } else {
        return;
    };
    let mut found = finding("oci.vc-service-key", &circuit.id, pointer, message);
    found.related.push(Subject::whole(azure.id.clone()));
    findings.push(found);
}

/// VCNs attached to a DRG.
fn attached<'a>(model: &'a OciModel, drg: &'a Drg) -> impl Iterator<Item = &'a Vcn> {
    drg.attachments
        .iter()
        .filter(|a| a.kind == AttachmentType::Vcn)
        .filter_map(|a| model.vcns.iter().find(|v| v.id == a.network))
}

/// What a circuit needs of its DRG and of the other circuits there.
fn around(model: &OciModel, circuit: &VirtualCircuit, findings: &mut Vec<Finding>) {
    let drg = circuit.drg.as_ref();
    let Some(drg) = drg.and_then(|id| model.drgs.iter().find(|d| &d.id == id)) else {
        return;
    };
    if attached(model, drg).next().is_none() {
        let message = format!(
            "DRG {} is attached to no VCN: the circuit leads nowhere",
            drg.name
        );
        let mut found = finding("oci.vc-drg-without-vcn", &circuit.id, "/gatewayId", message);
        found.related.push(Subject::whole(drg.id.clone()));
        findings.push(found);
    }
    for (i, mapping) in circuit.mappings.iter().enumerate() {
        let pointer = format!("/crossConnectMappings/{i}/customerBgpPeeringIp");
        let block = mapping.customer.trunc();
        for vcn in attached(model, drg) {
            if let Some(theirs) = vcn.cidr_blocks.iter().find(|c| overlap(**c, block)) {
                let message = format!(
                    "BGP block {block} overlaps with {theirs} of VCN {}",
                    vcn.name
                );
                let mut found =
                    finding("oci.vc-block-overlaps-vcn", &circuit.id, &pointer, message);
                found.related.push(Subject::whole(vcn.id.clone()));
                findings.push(found);
            }
        }
        let earlier = model
            .virtual_circuits
            .iter()
            .take_while(|c| c.id != circuit.id);
        for other in earlier.filter(|o| o.drg == circuit.drg) {
            let same = |m: &crate::model::Mapping| m.customer.addr() == mapping.customer.addr();
            if other.mappings.iter().any(same) {
                let message = format!(
                    "customer address {} is that of circuit {} on the same DRG too",
                    mapping.customer.addr(),
                    other.name
                );
                let mut found = finding(
                    "oci.vc-same-customer-address",
                    &circuit.id,
                    &pointer,
                    message,
                );
                found.related.push(Subject::whole(other.id.clone()));
                findings.push(found);
            }
        }
    }
}

fn overlap(a: IpNet, b: IpNet) -> bool {
    a.contains(&b) || b.contains(&a)
}

/// The DRG that a VCN is attached to.
fn drg_of<'a>(model: &'a OciModel, vcn: &ResourceId) -> Option<&'a Drg> {
    model.drgs.iter().find(|d| {
        d.attachments
            .iter()
            .any(|a| a.kind == AttachmentType::Vcn && &a.network == vcn)
    })
}

/// Rules whose target does not take the packets.
fn routes(estate: &Estate, model: &OciModel, vcn: &Vcn, findings: &mut Vec<Finding>) {
    let drg = drg_of(model, &vcn.id).map(|d| &d.id);
    for resource in estate
        .children(&vcn.id)
        .filter(|r| r.kind.as_str() == kinds::ROUTE_TABLE)
    {
        let Some(table) = model.route_tables.iter().find(|t| t.id == resource.id) else {
            continue;
        };
        for rule in &table.rules {
            let destination = rule.destination;
            let (name, target, message) = match &rule.target {
                RouteTarget::Drg(id) if Some(id) != drg => {
                    let label = estate.resource(id).map_or(id.as_str(), Resource::label);
                    let message = format!(
                        "the rule for {destination} leads to DRG {label}, which VCN {} is not attached to",
                        vcn.name
                    );
                    ("oci.route-drg-not-attached", id, message)
                }
                RouteTarget::Missing(id) => {
                    let message =
                        format!("the rule for {destination} leads to {id}, which is not there");
                    ("oci.route-target-missing", id, message)
                }
                RouteTarget::LocalPeering(id) if is_alone(model, id) => {
                    let label = estate.resource(id).map_or(id.as_str(), Resource::label);
                    let message = format!(
                        "the rule for {destination} leads to local peering gateway {label}, which is peered with none"
                    );
                    ("oci.route-peering-alone", id, message)
                }
                RouteTarget::Drg(_)
                | RouteTarget::LocalPeering(_)
                | RouteTarget::Internet(_)
                | RouteTarget::PrivateIp(_)
                | RouteTarget::NotModelled(_) => continue,
            };
            let pointer = rule_pointer(resource, destination, target);
            let mut found = finding(name, &table.id, &pointer, message);
            found.related.push(Subject::whole(target.clone()));
            found.related.push(Subject::whole(vcn.id.clone()));
            findings.push(found);
        }
    }
}

/// A local peering gateway that neither names another nor is named by one.
fn is_alone(model: &OciModel, gateway: &ResourceId) -> bool {
    let mut all = model.local_peerings.iter();
    all.any(|p| &p.id == gateway && p.end == PeeringEnd::Nowhere)
}

/// Where a rule stands in its table's document.
fn rule_pointer(table: &Resource, destination: IpNet, target: &ResourceId) -> String {
    let rules = table.field("/routeRules").and_then(|r| r.as_array());
    let index = rules.and_then(|rules| {
        rules.iter().position(|r| {
            let text = |name: &str| r.get(name).and_then(|v| v.as_str());
            let net = text("destination").or_else(|| text("cidrBlock"));
            net.and_then(|n| n.parse().ok()) == Some(destination)
                && text("networkEntityId") == Some(target.as_str())
        })
    });
    index.map_or_else(String::new, |i| format!("/routeRules/{i}/networkEntityId"))
}

/// VCNs on one DRG with overlapping blocks.
fn overlaps(model: &OciModel, drg: &Drg, findings: &mut Vec<Finding>) {
    let vcns: Vec<&Vcn> = attached(model, drg).collect();
    for (i, one) in vcns.iter().enumerate() {
        for other in &vcns[i + 1..] {
            let pair = one.cidr_blocks.iter().find_map(|a| {
                let b = other.cidr_blocks.iter().find(|b| overlap(*a, **b))?;
                Some((a, b))
            });
            let Some((a, b)) = pair else { continue };
            let message = format!(
                "VCN {} ({b}) and VCN {} ({a}) are attached to DRG {} and overlap",
                other.name, one.name, drg.name
            );
            let mut found = finding("oci.vcn-overlap-on-drg", &other.id, "/cidrBlocks", message);
            found.related.push(Subject::whole(one.id.clone()));
            found.related.push(Subject::whole(drg.id.clone()));
            findings.push(found);
        }
    }
}

/// True when packets from a subnet to every address of `net` go to the DRG that the subnet's VCN is
/// attached to: the longest rule that covers all of `net` leads there, and no longer rule takes a part
/// of `net` elsewhere.
#[must_use]
pub fn routes_towards(model: &OciModel, subnet: &Subnet, net: &IpNet) -> bool {
    let vcn = model
        .vcns
        .iter()
        .find(|v| v.subnets.iter().any(|s| s.id == subnet.id));
    let drg = vcn.and_then(|v| drg_of(model, &v.id)).map(|d| &d.id);
    let table = model
        .route_tables
        .iter()
        .find(|t| t.id == subnet.route_table);
    let (Some(drg), Some(table)) = (drg, table) else {
        return false;
    };
    let leads = |target: &RouteTarget| matches!(target, RouteTarget::Drg(id) if id == drg);
    let covering = table
        .rules
        .iter()
        .filter(|r| r.destination.contains(net))
        .max_by_key(|r| r.destination.prefix_len());
    let strays = table
        .rules
        .iter()
        .any(|r| net.contains(&r.destination) && r.destination != *net && !leads(&r.target));
    covering.is_some_and(|r| leads(&r.target)) && !strays
}
