//! From the estate's documents to the typed model.

mod drg;
mod peering;
mod security;
mod vnic;

use ipnet::IpNet;
use serde_json::Value as Json;
use skybridge_base::{Asn, VlanId};
use skybridge_estate::{Estate, Resource, ResourceId};

use crate::decide::circuit::{ORACLE_ASN, mtu, shape_mbps};
use crate::decide::network::vcn_blocks;
use crate::kinds;
use crate::model::{
    Gap, Mapping, OciModel, RouteRule, RouteTable, RouteTarget, Subnet, Vcn, VirtualCircuit,
};
use crate::ocid::{HOME_REGION, region_of};
use crate::providers;
use crate::wish::touches;

/// The rate of a circuit of which none is known: that of the least cross-connect.
const PORT_MBPS: u32 = 10_000;

/// What a reader carries along.
#[derive(Debug)]
struct Reader<'a> {
    estate: &'a Estate,
    gaps: Vec<Gap>,
}

impl OciModel {
    /// Reads everything of OCI that can be used; virtual circuits in every phase.
    #[must_use]
    pub fn read(estate: &Estate) -> Self {
        let mut reader = Reader {
            estate,
            gaps: Vec::new(),
        };
        let mut model = Self {
            vcns: reader.vcns(),
            route_tables: reader.route_tables(),
            security_lists: reader.security_lists(),
            security_groups: reader.security_groups(),
            vnics: reader.vnics(),
            drgs: reader.drgs(),
            virtual_circuits: reader.circuits(),
            local_peerings: reader.local_peerings(),
            remote_peerings: reader.remote_peerings(),
            tunnels: reader.tunnels(),
            gaps: Vec::new(),
        };
        model.gaps = reader.gaps;
        model
    }
}

/// The region of a resource.
fn region(resource: &Resource) -> String {
    let text = resource.text("/region");
    let text = text.or_else(|| region_of(resource.id.as_str()));
    text.unwrap_or(HOME_REGION).to_owned()
}

/// What people call a resource.
fn name(resource: &Resource) -> String {
    resource.shown_name().to_owned()
}

/// The elements of an array field.
fn items<'a>(resource: &'a Resource, pointer: &str) -> &'a [Json] {
    resource
        .field(pointer)
        .and_then(Json::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The ids in an array field.
fn ids(resource: &Resource, pointer: &str) -> Vec<ResourceId> {
    let texts = items(resource, pointer).iter().filter_map(Json::as_str);
    texts.map(ResourceId::from).collect()
}

/// The text at a pointer into a value.
fn text<'a>(value: &'a Json, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Json::as_str)
}

impl<'a> Reader<'a> {
    fn gap(&mut self, resource: &Resource, what: impl Into<String>) {
        self.gaps.push(Gap {
            resource: resource.id.clone(),
            what: what.into(),
        });
    }

    /// The usable resources of a kind, by id.
    fn usable(&self, kind: &'static str) -> Vec<&'a Resource> {
        self.estate
            .of_kind(kind)
            .filter(|r| r.is_usable())
            .collect()
    }

    fn vcns(&mut self) -> Vec<Vcn> {
        let mut vcns = Vec::new();
        for vcn in self.usable(kinds::VCN) {
            let unknown = |i: usize| {
                touches(&vcn.unknown, &format!("/cidrBlocks/{i}"))
                    || (i == 0 && touches(&vcn.unknown, "/cidrBlock"))
            };
            let mut cidr_blocks = Vec::new();
            for (i, block) in vcn_blocks(&vcn.computed).iter().enumerate() {
                match block.parse().ok().filter(|_| !unknown(i)) {
                    Some(net) => cidr_blocks.push(net),
                    None => self.gap(vcn, format!("CIDR block {i} is not known")),
                }
            }
            let ipv6 = !items(vcn, "/ipv6CidrBlocks").is_empty()
                || vcn.field("/isIpv6Enabled").and_then(Json::as_bool) == Some(true);
            if ipv6 {
                self.gap(vcn, "IPv6 is not modelled");
            }
            let subnets = self.subnets(vcn);
            vcns.push(Vcn {
                id: vcn.id.clone(),
                name: name(vcn),
                region: region(vcn),
                cidr_blocks,
                subnets,
            });
        }
        vcns
    }

    fn subnets(&mut self, vcn: &Resource) -> Vec<Subnet> {
        let mut subnets = Vec::new();
        for subnet in self.usable(kinds::SUBNET) {
            if subnet.parent.as_ref() != Some(&vcn.id) {
                continue;
            }
            let known = !touches(&subnet.unknown, "/cidrBlock");
            let net = subnet.text("/cidrBlock").filter(|_| known);
            let Some(cidr_block) = net.and_then(|n| n.parse().ok()) else {
                self.gap(subnet, "left out: its CIDR block is not known");
                continue;
            };
            for pointer in ["/routeTableId", "/securityListIds"] {
                if touches(&subnet.unknown, pointer) {
                    self.gap(subnet, format!("{} is not known", &pointer[1..]));
                }
            }
            if items(subnet, "/ipv4CidrBlocks").len() > 1 {
                self.gap(subnet, "its IPv4 blocks after the first are not modelled");
            }
            subnets.push(Subnet {
                id: subnet.id.clone(),
                name: name(subnet),
                cidr_block,
                route_table: subnet.text("/routeTableId").unwrap_or_default().into(),
                security_lists: ids(subnet, "/securityListIds"),
            });
        }
        subnets
    }

    fn route_tables(&mut self) -> Vec<RouteTable> {
        let mut tables = Vec::new();
        for table in self.usable(kinds::ROUTE_TABLE) {
            let (mut rules, mut services) = (Vec::new(), Vec::new());
            for (i, rule) in items(table, "/routeRules").iter().enumerate() {
                let pointer = format!("/routeRules/{i}");
                if text(rule, "/destinationType") == Some("SERVICE_CIDR_BLOCK") {
                    services.extend(text(rule, "/networkEntityId").map(ResourceId::from));
                    continue;
                }
                if let Some(rule) = self.route_rule(table, &pointer, rule) {
                    rules.push(rule);
                }
            }
            tables.push(RouteTable {
                id: table.id.clone(),
                name: name(table),
                rules,
                services,
            });
        }
        tables
    }

    fn route_rule(&mut self, table: &Resource, pointer: &str, rule: &Json) -> Option<RouteRule> {
        let destination = text(rule, "/destination").or_else(|| text(rule, "/cidrBlock"))?;
        let unknown = ["destination", "cidrBlock"]
            .iter()
            .any(|f| touches(&table.unknown, &format!("{pointer}/{f}")));
        let Some(destination) = destination.parse::<IpNet>().ok().filter(|_| !unknown) else {
            self.gap(table, format!("the destination of {pointer} is not known"));
            return None;
        };
        let id = ResourceId::from(text(rule, "/networkEntityId")?);
        if touches(&table.unknown, &format!("{pointer}/networkEntityId")) {
            self.gap(table, format!("the target of {pointer} is not known"));
            let target = RouteTarget::NotModelled(id);
            return Some(RouteRule {
                destination,
                target,
            });
        }
        let found = self.estate.resource(&id).filter(|r| r.is_usable());
        let target = match found.map(|r| (r, r.kind.as_str())) {
            None => RouteTarget::Missing(id),
            Some((_, kinds::DRG)) => RouteTarget::Drg(id),
            Some((_, kinds::INTERNET_GATEWAY | kinds::NAT_GATEWAY)) => RouteTarget::Internet(id),
            Some((_, kinds::LOCAL_PEERING_GATEWAY)) => RouteTarget::LocalPeering(id),
            Some((ip, kinds::PRIVATE_IP)) => {
                let address = ip.text("/ipAddress").and_then(|t| t.parse().ok());
                address.map_or(RouteTarget::NotModelled(id), RouteTarget::PrivateIp)
            }
            Some((other, _)) => {
                let label = other.label();
                self.gap(
                    table,
                    format!("the rule for {destination} leads to {label}, not modelled"),
                );
                RouteTarget::NotModelled(id)
            }
        };
        Some(RouteRule {
            destination,
            target,
        })
    }

    fn circuits(&mut self) -> Vec<VirtualCircuit> {
        let circuits: Vec<&Resource> = self.estate.of_kind(kinds::VIRTUAL_CIRCUIT).collect();
        circuits.into_iter().map(|c| self.circuit(c)).collect()
    }

    fn circuit(&mut self, circuit: &Resource) -> VirtualCircuit {
        let unknown = |pointer: &str| touches(&circuit.unknown, pointer);
        let private = circuit.text("/type") != Some("PUBLIC");
        if !private {
            self.gap(circuit, "public virtual circuits are not modelled");
        }
        let provider = circuit.text("/providerName").map(str::to_owned);
        let shape = circuit
            .text("/bandwidthShapeName")
            .filter(|_| !unknown("/bandwidthShapeName"));
        if unknown("/bandwidthShapeName") {
            self.gap(circuit, "its bandwidth is not known");
        }
        let bandwidth_mbps = shape.and_then(shape_mbps).unwrap_or(PORT_MBPS);
        if unknown("/providerServiceKeyName") {
            self.gap(circuit, "its service key is not known");
        }
        if unknown("/gatewayId") {
            self.gap(circuit, "its DRG is not known");
        }
        let mut mappings = Vec::new();
        for (i, item) in items(circuit, "/crossConnectMappings").iter().enumerate() {
            let net = |field: &str| {
                let known = !unknown(&format!("/crossConnectMappings/{i}/{field}"));
                let value = text(item, &format!("/{field}")).filter(|_| known)?;
                value.parse::<IpNet>().ok()
            };
            let ends = (net("oracleBgpPeeringIp"), net("customerBgpPeeringIp"));
            let (Some(oracle), Some(customer)) = ends else {
                self.gap(
                    circuit,
                    format!("the addresses of mapping {i} are not known"),
                );
                continue;
            };
            let vlan = item.get("vlan").and_then(Json::as_u64);
            mappings.push(Mapping {
                oracle,
                customer,
                vlan: vlan.and_then(|v| VlanId::new(u16::try_from(v).ok()?)),
                md5: text(item, "/bgpMd5AuthKey")
                    .filter(|k| !k.is_empty())
                    .map(str::to_owned),
            });
        }
        let asn = |pointer: &str| {
            let number = circuit.field(pointer).and_then(Json::as_u64);
            number.and_then(|n| u32::try_from(n).ok()).map(Asn)
        };
        let drg = circuit.doc.get("gatewayId").and_then(Json::as_str);
        let key = circuit.text("/providerServiceKeyName");
        VirtualCircuit {
            id: circuit.id.clone(),
            name: name(circuit),
            region: region(circuit),
            private,
            is_layer2: providers::is_layer2(provider.as_deref()),
            provider,
            drg: drg.filter(|_| !unknown("/gatewayId")).map(ResourceId::from),
            lifecycle_state: circuit
                .text("/lifecycleState")
                .unwrap_or_default()
                .to_owned(),
            service_key: key
                .filter(|_| !unknown("/providerServiceKeyName"))
                .map(str::to_owned),
            bandwidth_mbps,
            mappings,
            customer_asn: asn("/customerAsn").unwrap_or_default(),
            oracle_asn: asn("/oracleBgpAsn").unwrap_or(Asn(ORACLE_ASN)),
            bfd: circuit.field("/isBfdEnabled").and_then(Json::as_bool) == Some(true),
            mtu: mtu(circuit.field("/ipMtu")).unwrap_or(1500),
            bgp_enabled: circuit.text("/bgpAdminState") != Some("DISABLED"),
            phase: circuit.phase,
        }
    }
}

#[cfg(test)]
mod tests;
