//! One descriptor per path attribute: flags, what malformation costs, how to read and to show it.

use std::net::{Ipv4Addr, Ipv6Addr};

use skybridge_base::Asn;

use super::{Aggregator, Attributes, DecodeContext, Decoded, FaultKind, OnError, code, flag};
use crate::message::{MpReach, MpUnreach, decode_prefixes};
use crate::types::{AsPath, Community, Family, LargeCommunity, Origin, Segment, SegmentKind};

type Decode = fn(&mut Decoded, &[u8], &DecodeContext) -> Result<(), FaultKind>;

/// How one attribute is handled.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    /// Type code.
    pub code: u8,
    /// The standard's name.
    pub name: &'static str,
    /// The Optional and Transitive bits that it must carry.
    pub flags: u8,
    /// What a malformed one costs (RFC 7606 §7).
    pub on_error: OnError,
    /// Discarded when an external peer sends it (RFC 7606 §7.5, §7.9, §7.10).
    pub internal_only: bool,
    pub(super) decode: Decode,
    /// The value for a person, `None` when absent.
    pub format: fn(&Attributes) -> Option<String>,
}

const WELL_KNOWN: u8 = flag::TRANSITIVE;
const OPTIONAL: u8 = flag::OPTIONAL;
const OPTIONAL_TRANSITIVE: u8 = flag::OPTIONAL | flag::TRANSITIVE;

const fn row(
    code: u8,
    name: &'static str,
    flags: u8,
    on_error: OnError,
    decode: Decode,
    format: fn(&Attributes) -> Option<String>,
) -> Descriptor {
    Descriptor {
        code,
        name,
        flags,
        on_error,
        internal_only: false,
        decode,
        format,
    }
}

const fn internal(descriptor: Descriptor) -> Descriptor {
    Descriptor {
        internal_only: true,
        ..descriptor
    }
}

use OnError::{Discard, SessionReset, TreatAsWithdraw};

/// Every attribute understood, ascending by code. The third column of each row is RFC 7606 §7.1–7.16
/// in turn; AS4_* are RFC 6793 §6, LARGE_COMMUNITY is RFC 8092 §6.
pub const DESCRIPTORS: [Descriptor; 16] = [
    row(
        code::ORIGIN,
        "ORIGIN",
        WELL_KNOWN,
        TreatAsWithdraw,
        origin,
        |a| Some(format!("{:?}", a.origin)),
    ),
    row(
        code::AS_PATH,
        "AS_PATH",
        WELL_KNOWN,
        TreatAsWithdraw,
        as_path,
        |a| Some(a.as_path.to_string()),
    ),
    row(
        code::NEXT_HOP,
        "NEXT_HOP",
        WELL_KNOWN,
        TreatAsWithdraw,
        next_hop,
        |a| a.next_hop.map(|n| n.to_string()),
    ),
    row(
        code::MULTI_EXIT_DISC,
        "MULTI_EXIT_DISC",
        OPTIONAL,
        TreatAsWithdraw,
        med,
        |a| a.med.map(|m| m.to_string()),
    ),
    internal(row(
        code::LOCAL_PREF,
        "LOCAL_PREF",
        WELL_KNOWN,
        TreatAsWithdraw,
        local_pref,
        |a| a.local_pref.map(|m| m.to_string()),
    )),
    row(
        code::ATOMIC_AGGREGATE,
        "ATOMIC_AGGREGATE",
        WELL_KNOWN,
        Discard,
        atomic,
        |a| a.atomic_aggregate.then(String::new),
    ),
    row(
        code::AGGREGATOR,
        "AGGREGATOR",
        OPTIONAL_TRANSITIVE,
        Discard,
        aggregator,
        |a| a.aggregator.map(|g| format!("{} {}", g.asn, g.address)),
    ),
    row(
        code::COMMUNITIES,
        "COMMUNITIES",
        OPTIONAL_TRANSITIVE,
        TreatAsWithdraw,
        communities,
        |a| list(&a.communities),
    ),
    internal(row(
        code::ORIGINATOR_ID,
        "ORIGINATOR_ID",
        OPTIONAL,
        TreatAsWithdraw,
        originator,
        |a| a.originator_id.map(|o| o.to_string()),
    )),
    internal(row(
        code::CLUSTER_LIST,
        "CLUSTER_LIST",
        OPTIONAL,
        TreatAsWithdraw,
        clusters,
        |a| list(&a.cluster_list),
    )),
    row(
        code::MP_REACH_NLRI,
        "MP_REACH_NLRI",
        OPTIONAL,
        SessionReset,
        mp_reach,
        |_| None,
    ),
    row(
        code::MP_UNREACH_NLRI,
        "MP_UNREACH_NLRI",
        OPTIONAL,
        SessionReset,
        mp_unreach,
        |_| None,
    ),
    row(
        code::EXTENDED_COMMUNITIES,
        "EXTENDED_COMMUNITIES",
        OPTIONAL_TRANSITIVE,
        TreatAsWithdraw,
        extended,
        |a| {
            let shown: Vec<String> = a
                .extended_communities
                .iter()
                .map(|c| format!("{:016x}", u64::from_be_bytes(*c)))
                .collect();
            list(&shown)
        },
    ),
    row(
        code::AS4_PATH,
        "AS4_PATH",
        OPTIONAL_TRANSITIVE,
        Discard,
        as4_path,
        |_| None,
    ),
    row(
        code::AS4_AGGREGATOR,
        "AS4_AGGREGATOR",
        OPTIONAL_TRANSITIVE,
        Discard,
        as4_aggregator,
        |_| None,
    ),
    row(
        code::LARGE_COMMUNITY,
        "LARGE_COMMUNITY",
        OPTIONAL_TRANSITIVE,
        TreatAsWithdraw,
        large,
        |a| list(&a.large_communities),
    ),
];

/// The descriptor of a type code.
#[must_use]
pub fn describe(code: u8) -> Option<&'static Descriptor> {
    DESCRIPTORS.iter().find(|d| d.code == code)
}

fn list<T: ToString>(items: &[T]) -> Option<String> {
    let shown: Vec<String> = items.iter().map(T::to_string).collect();
    (!shown.is_empty()).then(|| shown.join(" "))
}

fn fixed<const N: usize>(value: &[u8]) -> Result<[u8; N], FaultKind> {
    value.try_into().map_err(|_| FaultKind::Length)
}

/// Items of `N` octets; none at all is malformed (RFC 7606 §7.8, §7.10, §7.14, RFC 8092 §6).
fn items<const N: usize>(value: &[u8]) -> Result<impl Iterator<Item = [u8; N]> + '_, FaultKind> {
    let (chunks, rest) = value.as_chunks::<N>();
    if chunks.is_empty() || !rest.is_empty() {
        return Err(FaultKind::Length);
    }
    Ok(chunks.iter().copied())
}

fn origin(out: &mut Decoded, value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    let [value] = fixed::<1>(value)?;
    out.attributes.origin = match value {
        0 => Origin::Igp,
        1 => Origin::Egp,
        2 => Origin::Incomplete,
        _ => return Err(FaultKind::Value),
    };
    Ok(())
}

/// Segments of numbers of `width` octets. Confederation segments are malformed here: this speaker is
/// in no confederation (RFC 5065 §5).
fn segments(mut value: &[u8], width: usize) -> Result<AsPath, FaultKind> {
    let mut path = AsPath::default();
    while !value.is_empty() {
        let [kind, count, rest @ ..] = value else {
            return Err(FaultKind::Length);
        };
        let kind = match kind {
            1 => SegmentKind::Set,
            2 => SegmentKind::Sequence,
            _ => return Err(FaultKind::Value),
        };
        // RFC 7606 §7.2: an empty segment is malformed.
        if *count == 0 {
            return Err(FaultKind::Value);
        }
        let (numbers, tail) = rest
            .split_at_checked(usize::from(*count) * width)
            .ok_or(FaultKind::Length)?;
        let asns: Vec<Asn> = numbers
            .chunks_exact(width)
            .map(|c| Asn(c.iter().fold(0, |n, b| n << 8 | u32::from(*b))))
            .collect();
        // Neighbouring sequences are one: a path above 255 is split on the wire only.
        match path.segments.last_mut() {
            Some(last) if kind == SegmentKind::Sequence && last.kind == kind => {
                last.asns.extend(asns);
            }
            Some(_) | None => path.segments.push(Segment { kind, asns }),
        }
        value = tail;
    }
    // RFC 7607 §2: AS 0 makes the path malformed.
    if path.contains(Asn(0)) {
        return Err(FaultKind::Value);
    }
    Ok(path)
}

fn as_path(out: &mut Decoded, value: &[u8], context: &DecodeContext) -> Result<(), FaultKind> {
    let width = if context.four_octet_as { 4 } else { 2 };
    out.attributes.as_path = segments(value, width)?;
    Ok(())
}

fn as4_path(out: &mut Decoded, value: &[u8], context: &DecodeContext) -> Result<(), FaultKind> {
    // RFC 6793 §4.1: between 4-octet speakers it must not occur and is discarded.
    if context.four_octet_as {
        return Err(FaultKind::Misplaced);
    }
    out.as4_path = Some(segments(value, 4)?);
    Ok(())
}

fn next_hop(out: &mut Decoded, value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    let address = Ipv4Addr::from(fixed::<4>(value)?);
    out.attributes.next_hop = Some(address.into());
    Ok(())
}

fn med(out: &mut Decoded, value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    out.attributes.med = Some(u32::from_be_bytes(fixed(value)?));
    Ok(())
}

fn local_pref(out: &mut Decoded, value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    out.attributes.local_pref = Some(u32::from_be_bytes(fixed(value)?));
    Ok(())
}

fn atomic(out: &mut Decoded, value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    fixed::<0>(value)?;
    out.attributes.atomic_aggregate = true;
    Ok(())
}

fn aggregator(out: &mut Decoded, value: &[u8], context: &DecodeContext) -> Result<(), FaultKind> {
    let aggregator = if context.four_octet_as {
        aggregator4(value)?
    } else {
        let [a, b, w, x, y, z] = fixed::<6>(value)?;
        Aggregator {
            asn: Asn(u32::from(u16::from_be_bytes([a, b]))),
            address: Ipv4Addr::new(w, x, y, z),
        }
    };
    out.attributes.aggregator = Some(aggregator);
    Ok(())
}

fn aggregator4(value: &[u8]) -> Result<Aggregator, FaultKind> {
    let [a, b, c, d, w, x, y, z] = fixed::<8>(value)?;
    Ok(Aggregator {
        asn: Asn(u32::from_be_bytes([a, b, c, d])),
        address: Ipv4Addr::new(w, x, y, z),
    })
}

fn as4_aggregator(
    out: &mut Decoded,
    value: &[u8],
    context: &DecodeContext,
) -> Result<(), FaultKind> {
    if context.four_octet_as {
        return Err(FaultKind::Misplaced);
    }
    out.as4_aggregator = Some(aggregator4(value)?);
    Ok(())
}

fn communities(out: &mut Decoded, value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    out.attributes.communities = items(value)?
        .map(|c| Community(u32::from_be_bytes(c)))
        .collect();
    Ok(())
}

fn originator(out: &mut Decoded, value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    out.attributes.originator_id = Some(Ipv4Addr::from(fixed::<4>(value)?));
    Ok(())
}

fn clusters(out: &mut Decoded, value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    out.attributes.cluster_list = items::<4>(value)?.map(Ipv4Addr::from).collect();
    Ok(())
}

fn extended(out: &mut Decoded, value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    out.attributes.extended_communities = items(value)?.collect();
    Ok(())
}

fn large(out: &mut Decoded, value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    let word =
        |c: &[u8; 12], at: usize| u32::from_be_bytes([c[at], c[at + 1], c[at + 2], c[at + 3]]);
    out.attributes.large_communities = items::<12>(value)?
        .map(|c| LargeCommunity {
            global: word(&c, 0),
            local1: word(&c, 4),
            local2: word(&c, 8),
        })
        .collect();
    Ok(())
}

/// MP_REACH_NLRI (RFC 4760 §3). A family that is not carried here is kept as absent.
fn mp_reach(out: &mut Decoded, value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    let [a, b, safi, len, rest @ ..] = value else {
        return Err(FaultKind::Length);
    };
    let (hop, rest) = rest
        .split_at_checked(usize::from(*len))
        .ok_or(FaultKind::Length)?;
    let (_reserved, nlri) = rest.split_first().ok_or(FaultKind::Length)?;
    let afi = u16::from_be_bytes([*a, *b]);
    let Some(family) = Family::from_wire(afi, *safi) else {
        return Ok(());
    };
    let v6 = |h: &[u8]| fixed::<16>(h).map(Ipv6Addr::from);
    // RFC 7606 §7.11: a next hop length that the family does not know resets the session.
    let (next_hop, link_local) = match (family, hop.len()) {
        (Family::V4, 4) => (Ipv4Addr::from(fixed::<4>(hop)?).into(), None),
        (Family::V6, 16) => (v6(hop)?.into(), None),
        // RFC 2545 §3: global, then link-local.
        (Family::V6, 32) => (v6(&hop[..16])?.into(), Some(v6(&hop[16..])?)),
        (Family::V4 | Family::V6, _) => return Err(FaultKind::Length),
    };
    let mut nets = Vec::new();
    decode_prefixes(nlri, family, &mut nets).map_err(|_| FaultKind::Value)?;
    out.mp_reach = Some(MpReach {
        family,
        next_hop,
        link_local: link_local.filter(Ipv6Addr::is_unicast_link_local),
        nets,
    });
    Ok(())
}

/// MP_UNREACH_NLRI (RFC 4760 §4).
fn mp_unreach(out: &mut Decoded, value: &[u8], _: &DecodeContext) -> Result<(), FaultKind> {
    let [a, b, safi, nlri @ ..] = value else {
        return Err(FaultKind::Length);
    };
    let Some(family) = Family::from_wire(u16::from_be_bytes([*a, *b]), *safi) else {
        return Ok(());
    };
    let mut nets = Vec::new();
    decode_prefixes(nlri, family, &mut nets).map_err(|_| FaultKind::Value)?;
    out.mp_unreach = Some(MpUnreach { family, nets });
    Ok(())
}
