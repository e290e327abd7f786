//! A stand-in for the OCI side of a circuit whose virtual circuit is somewhere else: a small stack of
//! Terraform that Skybridge writes itself. It goes up, shows and goes down as any other.

use std::collections::BTreeMap;

use ipnet::{IpNet, Ipv4Net};
use skybridge_azure::model::Circuit;
use skybridge_catalogue::catalogue;

use crate::document::AssumedRow;
use crate::lab::Lab;
use crate::request::{StackArgument, StackSource};

/// Networks that a stub may take, the first that nobody else has.
const VCN_POOL: [&str; 6] = [
    "172.31.240.0/24",
    "172.30.240.0/24",
    "10.240.240.0/24",
    "192.168.240.0/24",
    "10.241.240.0/24",
    "172.29.240.0/24",
];

/// Pairs of /30 for the two sessions, likewise.
const PEERING_POOL: [&str; 4] = [
    "192.168.255.248/29",
    "10.255.255.248/29",
    "172.31.255.248/29",
    "192.168.254.248/29",
];

/// The host in a stub, as it is called.
pub(crate) const PROBE: &str = "oci_core_instance.stub";

/// What was made up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stub {
    pub(crate) source: StackSource,
    /// The VCN's prefix.
    pub(crate) prefix: String,
    region: String,
    /// The peering's networks.
    peering: [Ipv4Net; 2],
}

impl Stub {
    /// The stub for a circuit; what cannot be chosen is said.
    pub(crate) fn of(lab: &Lab, circuit: &Circuit) -> Result<Self, String> {
        let Some(pair) = catalogue().pair_at(&circuit.location) else {
            return Err(format!("no OCI region is reached at {}", circuit.location));
        };
        let taken = taken(lab);
        let free = |text: &&&str| {
            let net: Option<IpNet> = text.parse().ok();
            net.is_some_and(|n| !taken.iter().any(|t| overlaps(t, &n)))
        };
        let none = |what: &str| format!("every network for the stub's {what} is taken");
        let prefix = VCN_POOL.iter().find(free).ok_or_else(|| none("VCN"))?;
        let peering = PEERING_POOL
            .iter()
            .find(free)
            .and_then(|text| text.parse::<Ipv4Net>().ok());
        let mut halves = peering
            .into_iter()
            .flat_map(|p| p.subnets(30).into_iter().flatten());
        let (Some(primary), Some(secondary)) = (halves.next(), halves.next()) else {
            return Err(none("peering"));
        };
        let region = pair.oci_region.clone();
        let value = |name: &str, value: String| StackArgument::Value {
            name: name.to_owned(),
            value,
        };
        let text = include_str!("stub.tf").to_owned();
        let source = StackSource {
            directory: directory(circuit),
            files: BTreeMap::from([("stub.tf".to_owned(), text)]),
            arguments: vec![
                value("region", region.clone()),
                value("prefix", (*prefix).to_owned()),
                value("primary", primary.to_string()),
                value("secondary", secondary.to_string()),
                value("shape", shape(circuit.bandwidth_mbps).to_owned()),
                value("key", circuit.service_key.clone()),
            ],
            ..StackSource::default()
        };
        Ok(Self {
            source,
            prefix: (*prefix).to_owned(),
            region,
            peering: [primary, secondary],
        })
    }

    /// What was made up, for the report.
    pub(crate) fn assumed(&self, key: &str) -> AssumedRow {
        let [primary, secondary] = self.peering;
        AssumedRow {
            name: format!("OCI side of service key {key}"),
            value: format!(
                "a VCN {} with a host in {}, sessions in {primary} and {secondary}: made up for \
                 `skybridge provider provision`",
                self.prefix, self.region
            ),
            source: "assumed".to_owned(),
        }
    }
}

/// The name of the stack.
fn directory(circuit: &Circuit) -> String {
    format!("stub of {}", circuit.name)
}

/// Every network that is in use.
fn taken(lab: &Lab) -> Vec<IpNet> {
    let (azure, oci) = (&lab.network.azure, &lab.network.oci);
    let vnets = azure.vnets.iter().flat_map(|v| v.address_space.clone());
    let vcns = oci.vcns.iter().flat_map(|v| v.cidr_blocks.clone());
    let peerings = azure.circuits.iter().flat_map(|c| &c.peerings);
    let peerings = peerings.flat_map(|p| [IpNet::V4(p.primary), IpNet::V4(p.secondary)]);
    vnets.chain(vcns).chain(peerings).collect()
}

fn overlaps(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

/// The bandwidth of an interconnect that is nearest to a circuit's.
const fn shape(bandwidth_mbps: u32) -> &'static str {
    match bandwidth_mbps {
        10_000.. => "10 Gbps",
        5_000.. => "5 Gbps",
        2_000.. => "2 Gbps",
        _ => "1 Gbps",
    }
}
