//! Writing path attributes in ascending order of type code (RFC 4271 §5).

use std::net::{IpAddr, Ipv6Addr};

use skybridge_base::Asn;

use super::{Aggregator, Attributes, code, flag};
use crate::types::{AsPath, Family, Origin, SegmentKind};

const WELL_KNOWN: u8 = flag::TRANSITIVE;
const OPTIONAL: u8 = flag::OPTIONAL;
const OPTIONAL_TRANSITIVE: u8 = flag::OPTIONAL | flag::TRANSITIVE;

impl Attributes {
    /// Appends every attribute but MP_REACH_NLRI and MP_UNREACH_NLRI. An IPv4 next hop becomes
    /// NEXT_HOP; an IPv6 one belongs into MP_REACH_NLRI. With `four_octet_as` false, large AS numbers
    /// become AS_TRANS and AS4_PATH / AS4_AGGREGATOR carry the truth (RFC 6793 §4.2.2).
    pub fn encode(&self, four_octet_as: bool, out: &mut Vec<u8>) {
        let origin = match self.origin {
            Origin::Igp => 0,
            Origin::Egp => 1,
            Origin::Incomplete => 2,
        };
        put(out, WELL_KNOWN, code::ORIGIN, &[origin]);
        put(
            out,
            WELL_KNOWN,
            code::AS_PATH,
            &path_bytes(&self.as_path, four_octet_as),
        );
        if let Some(IpAddr::V4(hop)) = self.next_hop {
            put(out, WELL_KNOWN, code::NEXT_HOP, &hop.octets());
        }
        if let Some(med) = self.med {
            put(out, OPTIONAL, code::MULTI_EXIT_DISC, &med.to_be_bytes());
        }
        if let Some(preference) = self.local_pref {
            put(out, WELL_KNOWN, code::LOCAL_PREF, &preference.to_be_bytes());
        }
        if self.atomic_aggregate {
            put(out, WELL_KNOWN, code::ATOMIC_AGGREGATE, &[]);
        }
        if let Some(aggregator) = self.aggregator {
            let value = aggregator_bytes(aggregator, four_octet_as);
            put(out, OPTIONAL_TRANSITIVE, code::AGGREGATOR, &value);
        }
        self.encode_optional(four_octet_as, out);
    }

    fn encode_optional(&self, four_octet_as: bool, out: &mut Vec<u8>) {
        if !self.communities.is_empty() {
            let value: Vec<u8> = self
                .communities
                .iter()
                .flat_map(|c| c.0.to_be_bytes())
                .collect();
            put(out, OPTIONAL_TRANSITIVE, code::COMMUNITIES, &value);
        }
        if let Some(id) = self.originator_id {
            put(out, OPTIONAL, code::ORIGINATOR_ID, &id.octets());
        }
        if !self.cluster_list.is_empty() {
            let value: Vec<u8> = self.cluster_list.iter().flat_map(|c| c.octets()).collect();
            put(out, OPTIONAL, code::CLUSTER_LIST, &value);
        }
        if !self.extended_communities.is_empty() {
            let value = self.extended_communities.concat();
            put(out, OPTIONAL_TRANSITIVE, code::EXTENDED_COMMUNITIES, &value);
        }
        if !four_octet_as && as4_needed(&self.as_path) {
            put(
                out,
                OPTIONAL_TRANSITIVE,
                code::AS4_PATH,
                &path_bytes(&self.as_path, true),
            );
        }
        if let Some(aggregator) = self
            .aggregator
            .filter(|a| !four_octet_as && a.asn.0 > 0xffff)
        {
            let value = aggregator_bytes(aggregator, true);
            put(out, OPTIONAL_TRANSITIVE, code::AS4_AGGREGATOR, &value);
        }
        let large = |out: &mut Vec<u8>| {
            if !self.large_communities.is_empty() {
                let value: Vec<u8> = self
                    .large_communities
                    .iter()
                    .flat_map(|c| [c.global, c.local1, c.local2])
                    .flat_map(u32::to_be_bytes)
                    .collect();
                put(out, OPTIONAL_TRANSITIVE, code::LARGE_COMMUNITY, &value);
            }
        };
        let mut large = Some(large);
        for unknown in &self.unknown {
            if unknown.code > code::LARGE_COMMUNITY
                && let Some(write) = large.take()
            {
                write(out);
            }
            // RFC 4271 §5: passed on by one who does not understand it, hence Partial.
            let flags = OPTIONAL_TRANSITIVE | flag::PARTIAL;
            put(out, flags, unknown.code, &unknown.value);
        }
        if let Some(write) = large.take() {
            write(out);
        }
    }
}

/// True when a 2-octet peer needs AS4_PATH (RFC 6793 §4.2.2).
fn as4_needed(path: &AsPath) -> bool {
    path.iter().any(|a| a.0 > 0xffff)
}

/// The part of MP_REACH_NLRI before the prefixes (RFC 4760 §3, RFC 2545 §3).
pub(crate) fn mp_reach_head(family: Family, hop: IpAddr, link_local: Option<Ipv6Addr>) -> Vec<u8> {
    let [a, b] = family.afi().to_be_bytes();
    let mut out = vec![a, b, 1];
    match (hop, link_local) {
        (IpAddr::V4(hop), _) => {
            out.push(4);
            out.extend_from_slice(&hop.octets());
        }
        (IpAddr::V6(hop), None) => {
            out.push(16);
            out.extend_from_slice(&hop.octets());
        }
        (IpAddr::V6(hop), Some(local)) => {
            out.push(32);
            out.extend_from_slice(&hop.octets());
            out.extend_from_slice(&local.octets());
        }
    }
    out.push(0);
    out
}

/// Appends one attribute, with the extended length only where needed.
pub(super) fn put(out: &mut Vec<u8>, flags: u8, code: u8, value: &[u8]) {
    if let Ok(len) = u8::try_from(value.len()) {
        out.extend_from_slice(&[flags, code, len]);
    } else {
        let len =
            u16::try_from(value.len()).expect("attribute values come from one message or are ours");
        let [a, b] = len.to_be_bytes();
        out.extend_from_slice(&[flags | flag::EXTENDED, code, a, b]);
    }
    out.extend_from_slice(value);
}

fn two_octets(asn: Asn) -> [u8; 2] {
    u16::try_from(asn.0)
        .unwrap_or_else(|_| u16::try_from(Asn::TRANS.0).expect("AS_TRANS is 23456"))
        .to_be_bytes()
}

fn path_bytes(path: &AsPath, four_octet_as: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for segment in &path.segments {
        let kind = match segment.kind {
            SegmentKind::Set => 1,
            SegmentKind::Sequence => 2,
        };
        for chunk in segment.asns.chunks(255) {
            out.extend_from_slice(&[kind, u8::try_from(chunk.len()).unwrap_or(255)]);
            for asn in chunk {
                if four_octet_as {
                    out.extend_from_slice(&asn.0.to_be_bytes());
                } else {
                    out.extend_from_slice(&two_octets(*asn));
                }
            }
        }
    }
    out
}

fn aggregator_bytes(aggregator: Aggregator, four_octet_as: bool) -> Vec<u8> {
    let mut out = if four_octet_as {
        aggregator.asn.0.to_be_bytes().to_vec()
    } else {
        two_octets(aggregator.asn).to_vec()
    };
    out.extend_from_slice(&aggregator.address.octets());
    out
}
