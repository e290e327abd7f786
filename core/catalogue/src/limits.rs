//! What the clouds allow: bandwidth steps, gateway SKUs, limits, and the communities Microsoft sends.

use crate::Grade;
use crate::csv::{CsvError, rows};

/// A bandwidth that can be ordered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bandwidth {
    /// `azure`, `oci`, `aws` or `gcp`.
    pub cloud: String,
    /// Product, such as `provider-circuit`.
    pub product: String,
    /// Mbit/s.
    pub mbps: u32,
    /// Remarks.
    pub note: String,
    /// Source key.
    pub source: String,
}

/// A gateway SKU's figures. An ErGwScale row is per scale unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GatewaySku {
    /// `expressroute` or `vpn`.
    pub gateway_type: String,
    /// SKU as the table spells it, such as `ErGw1Az`.
    pub sku: String,
    /// Family: upgrades stay inside.
    pub family: String,
    /// Spans availability zones.
    pub zone_redundant: Option<bool>,
    /// Throughput, Mbit/s.
    pub mbps: u32,
    /// Packets per second.
    pub pps: Option<u32>,
    /// Virtual machines supported.
    pub vms: Option<u32>,
    /// Concurrent flows.
    pub flows: Option<u32>,
    /// Routes learned.
    pub routes_learned_max: Option<u32>,
    /// Routes advertised.
    pub routes_advertised_max: Option<u32>,
    /// Circuits from different peering locations.
    pub circuits_diff_locations_max: Option<u32>,
    /// Circuits from one peering location.
    pub circuits_same_location_max: Option<u32>,
    /// FastPath is offered.
    pub fastpath: Option<bool>,
    /// Connections set up per second.
    pub connections_per_second: Option<u32>,
    /// Remarks.
    pub note: String,
    /// Source keys.
    pub source: String,
}

/// A limit of a cloud.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limit {
    /// `azure`, `oci`, `aws` or `gcp`.
    pub cloud: String,
    /// Name, such as `routes_in_private_v4`.
    pub name: String,
    /// What it depends on, such as `premium`; empty when on nothing.
    pub qualifier: String,
    /// The figure.
    pub value: u64,
    /// Remarks, such as what happens above it.
    pub note: String,
    /// How sure it is.
    pub grade: Grade,
    /// Source key.
    pub source: String,
}

/// The name by which a lab file sets a row: lower case, with `_` for everything that is not a letter or
/// digit; without qualifier it stands for all rows of the limit.
#[must_use]
pub fn limit_key(cloud: &str, limit: &str, qualifier: &str) -> String {
    let text = if qualifier.is_empty() {
        format!("{cloud}_{limit}")
    } else {
        format!("{cloud}_{limit}_{qualifier}")
    };
    let clean = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    text.chars().map(clean).collect()
}

/// A BGP community that Microsoft attaches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Community {
    /// `public`, `usgov` or `china`.
    pub cloud: String,
    /// `region` or a service.
    pub kind: String,
    /// Region's or service's name.
    pub name: String,
    /// `private` or `microsoft`.
    pub peering: String,
    /// As `asn:value`.
    pub community: String,
    /// Source key.
    pub source: String,
}

pub(crate) fn bandwidths() -> Result<Vec<Bandwidth>, CsvError> {
    let text = include_str!("../../../data/reference/bandwidths.csv");
    rows("bandwidths.csv", text, |row| {
        Ok(Bandwidth {
            cloud: row.owned("cloud")?,
            product: row.owned("product")?,
            mbps: row.number("mbps")?,
            note: row.owned("note")?,
            source: row.owned("source")?,
        })
    })
}

pub(crate) fn gateway_skus() -> Result<Vec<GatewaySku>, CsvError> {
    let text = include_str!("../../../data/reference/gateway-skus.csv");
    rows("gateway-skus.csv", text, |row| {
        Ok(GatewaySku {
            gateway_type: row.owned("type")?,
            sku: row.owned("sku")?,
            family: row.owned("family")?,
            zone_redundant: row.flag("zone_redundant")?,
            mbps: row.number("mbps")?,
            pps: row.optional("pps")?,
            vms: row.optional("vms")?,
            flows: row.optional("flows")?,
            routes_learned_max: row.optional("routes_learned_max")?,
            routes_advertised_max: row.optional("routes_advertised_max")?,
            circuits_diff_locations_max: row.optional("circuits_diff_locations_max")?,
            circuits_same_location_max: row.optional("circuits_same_location_max")?,
            fastpath: row.flag("fastpath")?,
            connections_per_second: row.optional("connections_per_second")?,
            note: row.owned("note")?,
            source: row.owned("source")?,
        })
    })
}

pub(crate) fn limits() -> Result<Vec<Limit>, CsvError> {
    let text = include_str!("../../../data/reference/limits.csv");
    rows("limits.csv", text, |row| {
        Ok(Limit {
            cloud: row.owned("cloud")?,
            name: row.owned("limit")?,
            qualifier: row.owned("qualifier")?,
            value: row.number("value")?,
            note: row.owned("note")?,
            grade: row.grade_by_source()?,
            source: row.owned("source")?,
        })
    })
}

pub(crate) fn communities() -> Result<Vec<Community>, CsvError> {
    let text = include_str!("../../../data/reference/bgp-communities.csv");
    rows("bgp-communities.csv", text, |row| {
        Ok(Community {
            cloud: row.owned("cloud")?,
            kind: row.owned("kind")?,
            name: row.owned("name")?,
            peering: row.owned("peering")?,
            community: row.owned("community")?,
            source: row.owned("source")?,
        })
    })
}
