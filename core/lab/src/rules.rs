//! Rules that lie between the clouds: what neither API can see.

use ipnet::IpNet;
use skybridge_azure::model::{AzureModel, Circuit, VirtualNetwork};
use skybridge_blueprint::NodeName;
use skybridge_catalogue::catalogue;
use skybridge_compile::{Compiled, site_network_id};
use skybridge_estate::{Estate, Finding, Grade, Level, Subject};
use skybridge_oci::model::{AttachmentType, OciModel, Vcn, VirtualCircuit};
use skybridge_sites::{Endpoint, LabFile, Protocol};
use skybridge_solve::{DropCause, Failures, Flow, Outcome, solve, walk};

use crate::diagnostics::plain;
use crate::document::Diagnostic;
use crate::extras::host_ref;

/// What the rules look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subjects<'a> {
    pub(crate) azure: &'a AzureModel,
    pub(crate) oci: &'a OciModel,
}

/// A circuit, the virtual circuit that holds its key, and the networks at both ends.
struct Joint<'a> {
    circuit: &'a Circuit,
    virtual_circuit: &'a VirtualCircuit,
    vnets: Vec<&'a VirtualNetwork>,
    vcns: Vec<&'a Vcn>,
}

/// Everything the rules between the clouds find.
pub(crate) fn check(subjects: &Subjects<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for joint in joints(subjects) {
        overlaps(&joint, &mut found);
        places(&joint, &mut found);
        bandwidths(&joint, &mut found);
        subnet_routes(subjects, &joint, &mut found);
    }
    keys(subjects, &mut found);
    found
}

fn joints<'a>(subjects: &Subjects<'a>) -> Vec<Joint<'a>> {
    let mut joints = Vec::new();
    for virtual_circuit in &subjects.oci.virtual_circuits {
        let circuit = (subjects.azure.circuits.iter())
            .find(|c| virtual_circuit.service_key.as_deref() == Some(&c.service_key));
        let Some(circuit) = circuit else { continue };
        let vnets = (subjects.azure.connections.iter())
            .filter(|c| c.circuit == circuit.id)
            .filter_map(|c| subjects.azure.gateways.iter().find(|g| g.id == c.gateway))
            .filter_map(|g| subjects.azure.vnets.iter().find(|v| v.id == g.vnet))
            .collect();
        let vcns = (subjects.oci.drgs.iter())
            .filter(|d| virtual_circuit.drg.as_ref() == Some(&d.id))
            .flat_map(|d| &d.attachments)
            .filter(|a| a.kind == AttachmentType::Vcn)
            .filter_map(|a| subjects.oci.vcns.iter().find(|v| v.id == a.network))
            .collect();
        joints.push(Joint {
            circuit,
            virtual_circuit,
            vnets,
            vcns,
        });
    }
    joints
}

fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

/// VNet, VCN and BGP ranges must not overlap (azure.htm, fastconnect facts §5).
fn overlaps(joint: &Joint<'_>, found: &mut Vec<Finding>) {
    let mut push = |subject: Subject, other: Subject, what: String, help: &str| {
        found.push(Finding {
            level: Level::WillNotWork,
            rule: "interconnect.overlapping-ranges",
            message: what,
            help: help.to_owned(),
            subject,
            related: vec![other],
            grade: Grade::Documented,
            source: "oracle-azure-2025-01-15",
        });
    };
    for vnet in &joint.vnets {
        for (index, range) in vnet.address_space.iter().enumerate() {
            let here = || {
                Subject::field(
                    vnet.id.clone(),
                    &format!("/properties/addressSpace/addressPrefixes/{index}"),
                )
            };
            for vcn in &joint.vcns {
                for block in vcn.cidr_blocks.iter().filter(|b| overlap(range, b)) {
                    push(
                        here(),
                        Subject::whole(vcn.id.clone()),
                        format!("{range} overlaps {block} at the other end of the interconnect"),
                        "give the VNet and the VCN ranges that do not overlap",
                    );
                }
            }
            for mapping in &joint.virtual_circuit.mappings {
                if overlap(range, &mapping.oracle.trunc()) {
                    push(
                        here(),
                        Subject::whole(joint.virtual_circuit.id.clone()),
                        format!(
                            "{range} overlaps the BGP network {}",
                            mapping.oracle.trunc()
                        ),
                        "take BGP networks outside the VNet and the VCN",
                    );
                }
            }
        }
    }
    for vcn in &joint.vcns {
        for block in &vcn.cidr_blocks {
            for mapping in &joint.virtual_circuit.mappings {
                if overlap(block, &mapping.oracle.trunc()) {
                    push(
                        Subject::whole(joint.virtual_circuit.id.clone()),
                        Subject::whole(vcn.id.clone()),
                        format!(
                            "the BGP network {} overlaps {block}",
                            mapping.oracle.trunc()
                        ),
                        "take BGP networks outside the VNet and the VCN",
                    );
                }
            }
        }
    }
    for (index, a) in joint.vnets.iter().enumerate() {
        for b in joint.vnets.iter().skip(index + 1).filter(|b| b.id != a.id) {
            let clash = (a.address_space.iter())
                .flat_map(|x| b.address_space.iter().map(move |y| (x, y)))
                .find(|(x, y)| overlap(x, y));
            if let Some((x, y)) = clash {
                push(
                    Subject::whole(a.id.clone()),
                    Subject::whole(b.id.clone()),
                    format!("{x} and {y} overlap on one circuit"),
                    "give virtual networks of one circuit ranges that do not overlap",
                );
            }
        }
    }
}

/// The peering location must be one that is joined to the OCI region; elsewhere nothing is connected.
fn places(joint: &Joint<'_>, found: &mut Vec<Finding>) {
    let region = &joint.virtual_circuit.region;
    let Some(pair) = catalogue().pair_of_oci_region(region) else {
        found.push(Finding {
            level: Level::Advice,
            rule: "interconnect.region-not-paired",
            message: format!("{region} is not among the OCI regions with a direct link to Azure"),
            help: "see data/reference/interconnect-pairs.csv for the pairs".to_owned(),
            subject: Subject::whole(joint.virtual_circuit.id.clone()),
            related: Vec::new(),
            grade: Grade::Documented,
            source: "oracle-azure-2025-01-15",
        });
        return;
    };
    let location = &joint.circuit.location;
    if !pair
        .peering_locations
        .iter()
        .any(|l| l.eq_ignore_ascii_case(location))
    {
        found.push(Finding {
            level: Level::Advice,
            rule: "interconnect.location-not-paired",
            message: format!(
                "peering location {location} is not joined to {region}; its locations are {}",
                pair.peering_locations.join(", ")
            ),
            help: "take the peering location of the region pair".to_owned(),
            subject: Subject::field(
                joint.circuit.id.clone(),
                "/properties/serviceProviderProperties/peeringLocation",
            ),
            related: vec![Subject::whole(joint.virtual_circuit.id.clone())],
            grade: Grade::Documented,
            source: "oracle-azure-2025-01-15",
        });
    }
    for vnet in &joint.vnets {
        if vnet.location != pair.azure_region {
            found.push(Finding {
                level: Level::Advice,
                rule: "interconnect.region-not-paired",
                message: format!(
                    "{} is in {}, but {region} is paired with {}: traffic takes the long way",
                    vnet.name, vnet.location, pair.azure_region
                ),
                help: "place the virtual network in the paired region, or accept the latency"
                    .to_owned(),
                subject: Subject::field(vnet.id.clone(), "/location"),
                related: vec![Subject::whole(joint.circuit.id.clone())],
                grade: Grade::Documented,
                source: "oracle-azure-2025-01-15",
            });
        }
    }
}

fn bandwidths(joint: &Joint<'_>, found: &mut Vec<Finding>) {
    let (azure, oci) = (
        joint.circuit.bandwidth_mbps,
        joint.virtual_circuit.bandwidth_mbps,
    );
    if azure != oci && oci != 0 {
        found.push(Finding {
            level: Level::Advice,
            rule: "interconnect.bandwidth-mismatch",
            message: format!(
                "the virtual circuit has {oci} Mbps and the circuit {azure} Mbps; the circuit's counts"
            ),
            help: "choose the same bandwidth at both ends".to_owned(),
            subject: Subject::field(joint.virtual_circuit.id.clone(), "/bandwidthShapeName"),
            related: vec![Subject::whole(joint.circuit.id.clone())],
            grade: Grade::Documented,
            source: "msdocs-oci-2019-06-10",
        });
    }
}

/// BGP does not fill subnet route tables in OCI: each subnet needs a rule (fastconnect facts §5).
fn subnet_routes(subjects: &Subjects<'_>, joint: &Joint<'_>, found: &mut Vec<Finding>) {
    for vcn in &joint.vcns {
        for subnet in &vcn.subnets {
            let used = subjects.oci.vnics.iter().any(|v| v.subnet == subnet.id);
            for vnet in joint.vnets.iter().filter(|_| used) {
                let missing: Vec<&IpNet> = (vnet.address_space.iter())
                    .filter(|range| {
                        !skybridge_oci::rules::routes_towards(subjects.oci, subnet, range)
                    })
                    .collect();
                if missing.is_empty() {
                    continue;
                }
                let ranges: Vec<String> = missing.iter().map(ToString::to_string).collect();
                found.push(Finding {
                    level: Level::WillNotWork,
                    rule: "interconnect.missing-subnet-route",
                    message: format!(
                        "its route table has no rule that leads {} to the DRG",
                        ranges.join(", ")
                    ),
                    help: format!(
                        "add a route rule with destination {} and the DRG as target",
                        ranges.join(", ")
                    ),
                    subject: Subject::whole(subnet.id.clone()),
                    related: vec![Subject::whole(vnet.id.clone())],
                    grade: Grade::Documented,
                    source: "oracle-azure-2025-01-15",
                });
            }
        }
    }
}

/// A circuit of provider Oracle waits for a virtual circuit; a virtual circuit needs a known key.
fn keys(subjects: &Subjects<'_>, found: &mut Vec<Finding>) {
    for circuit in &subjects.azure.circuits {
        let held = (subjects.oci.virtual_circuits.iter())
            .any(|vc| vc.service_key.as_deref() == Some(&circuit.service_key));
        if circuit.provider == skybridge_azure::ORACLE_PROVIDER && !held {
            found.push(Finding {
                level: Level::Advice,
                rule: "interconnect.key-unused",
                message: "no virtual circuit holds its service key: it stays NotProvisioned"
                    .to_owned(),
                help: "create an oci_core_virtual_circuit with provider_service_key_name, or let \
                       `skybridge provider provision` stand in for the OCI side"
                    .to_owned(),
                subject: Subject::whole(circuit.id.clone()),
                related: Vec::new(),
                grade: Grade::Documented,
                source: "oracle-azure-2025-01-15",
            });
        }
    }
}

/// Walks every expectation over the tables that the network will settle in, and names what stops it.
pub(crate) fn expected_paths(
    estate: &Estate,
    compiled: &Compiled,
    files: &[&LabFile],
) -> Vec<Diagnostic> {
    let expectations: Vec<_> = files
        .iter()
        .flat_map(|f| f.expectations.iter().map(move |e| (&f.stack, e)))
        .filter(|(_, e)| e.reachable)
        .collect();
    if expectations.is_empty() {
        return Vec::new();
    }
    let tables = solve(&compiled.blueprint, &Failures::none());
    let mut said = Vec::new();
    for (stack, expectation) in expectations {
        let ends = |end: &Endpoint| match end {
            Endpoint::Ip(address) => vec![(NodeName::from(""), *address)],
            Endpoint::SiteNetwork { site, network } => {
                let subnet = site_network_id(site, network);
                (compiled.index.hosts.iter())
                    .filter(|(_, host)| host.subnet == subnet)
                    .map(|(name, host)| (name.clone(), host.address))
                    .collect()
            }
            Endpoint::Resource(_) | Endpoint::Host(_) => {
                let wanted = host_ref(estate, stack, end);
                let hosts = compiled.index.hosts.iter();
                hosts
                    .filter_map(|(name, host)| {
                        Some((name.clone(), host.address_as(wanted.as_ref()?)?))
                    })
                    .collect()
            }
        };
        for (from, source) in expectation.from.iter().flat_map(ends) {
            for (_, target) in expectation.to.iter().flat_map(ends) {
                let flow = match expectation.protocol {
                    Protocol::Tcp(port) => Flow::tcp(source, target, port),
                    Protocol::Icmp => Flow::echo(source, target),
                    Protocol::Udp(port) => Flow {
                        protocol: 17,
                        ..Flow::tcp(source, target, port)
                    },
                };
                let walked = walk(
                    &compiled.blueprint,
                    &Failures::none(),
                    &tables,
                    &from,
                    &flow,
                );
                if walked.unknown {
                    continue;
                }
                let Outcome::Dropped(cause) = walked.outcome else {
                    continue;
                };
                let node = walked.hops.last().map_or("", |hop| hop.node.as_str());
                if let DropCause::Filter { set, rule } = cause {
                    let by = if rule.is_empty() {
                        "no rule allows it".to_owned()
                    } else {
                        format!("rule {rule} denies it")
                    };
                    let place = &expectation.place;
                    said.push(Diagnostic {
                        file: Some(place.file.to_string()),
                        line: Some(place.line),
                        column: Some(place.column),
                        span: Some((place.start, place.end)),
                        rule: Some("expect.closed-security-rule".to_owned()),
                        grade: Some("documented".to_owned()),
                        ..plain(
                            "will not work",
                            format!(
                                "\"{}\": {from} → {target} is stopped at {node} by {set}: {by}",
                                expectation.text
                            ),
                            Some(format!("add an allow rule to {set}")),
                        )
                    });
                }
            }
        }
    }
    said
}
