//! Path attributes: the decoded value, and their wire form driven by one descriptor table.

mod encode;
mod table;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use skybridge_base::Asn;

use crate::message::{MpReach, MpUnreach};
use crate::types::{AsPath, Community, LargeCommunity, Origin};

pub(crate) use encode::mp_reach_head;
pub use table::{DESCRIPTORS, Descriptor, describe};

/// What the session settled that changes how attributes read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecodeContext {
    /// AS numbers take four octets in AS_PATH and AGGREGATOR (RFC 6793 §4).
    pub four_octet_as: bool,
    /// The peer is external: LOCAL_PREF and the route reflection attributes are discarded.
    pub external: bool,
}

/// AGGREGATOR (RFC 4271 §5.1.7).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Aggregator {
    /// The AS that aggregated.
    pub asn: Asn,
    /// The speaker that aggregated.
    pub address: Ipv4Addr,
}

/// An optional transitive attribute not understood here; passed on with the Partial bit set
/// (RFC 4271 §5).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UnknownAttribute {
    /// Attribute type code.
    pub code: u8,
    /// Attribute value.
    pub value: Vec<u8>,
}

/// The attributes that a set of prefixes share.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Attributes {
    /// ORIGIN.
    pub origin: Origin,
    /// AS_PATH, AS4_PATH already merged.
    pub as_path: AsPath,
    /// NEXT_HOP, or the next hop of MP_REACH_NLRI.
    pub next_hop: Option<IpAddr>,
    /// The link-local next hop that came with an IPv6 one (RFC 2545 §3).
    pub link_local: Option<Ipv6Addr>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// ATOMIC_AGGREGATE.
    pub atomic_aggregate: bool,
    /// AGGREGATOR, AS4_AGGREGATOR already merged.
    pub aggregator: Option<Aggregator>,
    /// COMMUNITIES, ascending without repetition.
    pub communities: Vec<Community>,
    /// ORIGINATOR_ID (RFC 4456 §8); read, never sent.
    pub originator_id: Option<Ipv4Addr>,
    /// CLUSTER_LIST (RFC 4456 §8); read, never sent.
    pub cluster_list: Vec<Ipv4Addr>,
    /// EXTENDED_COMMUNITIES (RFC 4360), opaque.
    pub extended_communities: Vec<[u8; 8]>,
    /// LARGE_COMMUNITY (RFC 8092).
    pub large_communities: Vec<LargeCommunity>,
    /// Unknown optional transitive attributes.
    pub unknown: Vec<UnknownAttribute>,
}

/// What a fault in an attribute costs (RFC 7606 §2), weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum OnError {
    /// The attribute is dropped and the rest of the UPDATE stands.
    Discard,
    /// The UPDATE's prefixes are withdrawn.
    TreatAsWithdraw,
    /// The session is reset with a NOTIFICATION.
    SessionReset,
}

/// What was wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// Optional or Transitive bit contradicts the attribute (RFC 7606 §3 c).
    Flags,
    /// The length is not possible for the attribute.
    Length,
    /// The value is not possible for the attribute.
    Value,
    /// The attribute occurs twice (RFC 7606 §3 g).
    Duplicate,
    /// A mandatory attribute is missing (RFC 7606 §3 d).
    Missing,
    /// The attribute runs past the end of the list (RFC 7606 §4).
    Overrun,
    /// The attribute has no meaning from this kind of peer (RFC 7606 §7.5, §7.9, §7.10).
    Misplaced,
}

/// One fault found in an UPDATE's attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AttributeFault {
    /// The attribute's type code.
    pub code: u8,
    /// What was wrong.
    pub kind: FaultKind,
    /// What it costs.
    pub action: OnError,
}

/// Attribute type codes (IANA "BGP Path Attributes").
#[allow(missing_docs, reason = "each is the name of a row of the registry")]
pub mod code {
    pub const ORIGIN: u8 = 1;
    pub const AS_PATH: u8 = 2;
    pub const NEXT_HOP: u8 = 3;
    pub const MULTI_EXIT_DISC: u8 = 4;
    pub const LOCAL_PREF: u8 = 5;
    pub const ATOMIC_AGGREGATE: u8 = 6;
    pub const AGGREGATOR: u8 = 7;
    pub const COMMUNITIES: u8 = 8;
    pub const ORIGINATOR_ID: u8 = 9;
    pub const CLUSTER_LIST: u8 = 10;
    pub const MP_REACH_NLRI: u8 = 14;
    pub const MP_UNREACH_NLRI: u8 = 15;
    pub const EXTENDED_COMMUNITIES: u8 = 16;
    pub const AS4_PATH: u8 = 17;
    pub const AS4_AGGREGATOR: u8 = 18;
    pub const LARGE_COMMUNITY: u8 = 32;
}

/// Attribute flag bits (RFC 4271 §4.3).
pub(crate) mod flag {
    pub(crate) const OPTIONAL: u8 = 0x80;
    pub(crate) const TRANSITIVE: u8 = 0x40;
    pub(crate) const PARTIAL: u8 = 0x20;
    pub(crate) const EXTENDED: u8 = 0x10;
}

/// Everything that an attribute list held.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Decoded {
    /// The attributes kept.
    pub attributes: Attributes,
    /// MP_REACH_NLRI.
    pub mp_reach: Option<MpReach>,
    /// MP_UNREACH_NLRI.
    pub mp_unreach: Option<MpUnreach>,
    /// What was wrong; see [`Decoded::worst`].
    pub faults: Vec<AttributeFault>,
    /// The octets of the first attribute whose fault resets the session, for the NOTIFICATION.
    pub reset_data: Vec<u8>,
    pub(crate) seen: Seen,
    as4_path: Option<AsPath>,
    as4_aggregator: Option<Aggregator>,
}

/// Which type codes occurred.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Seen([u64; 4]);

impl Seen {
    pub(crate) fn has(self, code: u8) -> bool {
        self.0[usize::from(code >> 6)] >> (code & 63) & 1 == 1
    }

    fn add(&mut self, code: u8) {
        self.0[usize::from(code >> 6)] |= 1 << (code & 63);
    }
}

impl Decoded {
    /// The strongest action that any fault demands (RFC 7606 §3 h).
    #[must_use]
    pub fn worst(&self) -> Option<OnError> {
        self.faults.iter().map(|f| f.action).max()
    }

    fn fault(&mut self, code: u8, kind: FaultKind, action: OnError) {
        self.faults.push(AttributeFault { code, kind, action });
    }
}

/// Reads a list of path attributes to its end. Never fails: faults are listed with what they cost.
#[must_use]
pub fn decode(mut bytes: &[u8], context: &DecodeContext) -> Decoded {
    let mut out = Decoded::default();
    while !bytes.is_empty() {
        let whole = bytes;
        let Some((flags, code, value, tail)) = split(bytes) else {
            // RFC 7606 §4: an attribute that overruns the list.
            let code = bytes.get(1).copied().unwrap_or(0);
            out.fault(code, FaultKind::Overrun, OnError::TreatAsWithdraw);
            break;
        };
        bytes = tail;
        let octets = &whole[..whole.len() - tail.len()];
        decode_one(&mut out, flags, code, value, octets, context);
    }
    finish(&mut out, context);
    out
}

/// Flags, code, value and the rest.
fn split(bytes: &[u8]) -> Option<(u8, u8, &[u8], &[u8])> {
    let [flags, code, rest @ ..] = bytes else {
        return None;
    };
    let (len, rest) = match rest {
        [a, b, rest @ ..] if flags & flag::EXTENDED != 0 => {
            (usize::from(u16::from_be_bytes([*a, *b])), rest)
        }
        [a, rest @ ..] if flags & flag::EXTENDED == 0 => (usize::from(*a), rest),
        _ => return None,
    };
    let (value, tail) = rest.split_at_checked(len)?;
    Some((*flags, *code, value, tail))
}

fn decode_one(
    out: &mut Decoded,
    flags: u8,
    code: u8,
    value: &[u8],
    octets: &[u8],
    context: &DecodeContext,
) {
    let repeated = out.seen.has(code);
    out.seen.add(code);
    let Some(descriptor) = describe(code) else {
        unknown(out, flags, code, value, octets, repeated);
        return;
    };
    if repeated {
        // RFC 7606 §3 g: a second MP attribute resets, any other second one is dropped.
        let action = match code {
            code::MP_REACH_NLRI | code::MP_UNREACH_NLRI => OnError::SessionReset,
            _ => OnError::Discard,
        };
        out.fault(code, FaultKind::Duplicate, action);
        return;
    }
    if context.external && descriptor.internal_only {
        out.fault(code, FaultKind::Misplaced, OnError::Discard);
        return;
    }
    let kinds = flag::OPTIONAL | flag::TRANSITIVE;
    if flags & kinds != descriptor.flags {
        // RFC 7606 §3 c; for those whose malformation only discards, discarding is enough.
        let action = descriptor.on_error.max(match descriptor.on_error {
            OnError::Discard => OnError::Discard,
            OnError::TreatAsWithdraw | OnError::SessionReset => OnError::TreatAsWithdraw,
        });
        out.fault(code, FaultKind::Flags, action);
        keep_reset(out, action, octets);
        return;
    }
    if let Err(kind) = (descriptor.decode)(out, value, context) {
        out.fault(code, kind, descriptor.on_error);
        keep_reset(out, descriptor.on_error, octets);
    }
}

fn keep_reset(out: &mut Decoded, action: OnError, octets: &[u8]) {
    if action == OnError::SessionReset && out.reset_data.is_empty() {
        out.reset_data = octets.to_vec();
    }
}

fn unknown(out: &mut Decoded, flags: u8, code: u8, value: &[u8], octets: &[u8], repeated: bool) {
    if flags & flag::OPTIONAL == 0 {
        // RFC 4271 §6.3: an unrecognised well-known attribute; RFC 7606 leaves it a reset.
        out.fault(code, FaultKind::Flags, OnError::SessionReset);
        keep_reset(out, OnError::SessionReset, octets);
    } else if repeated {
        out.fault(code, FaultKind::Duplicate, OnError::Discard);
    } else if flags & flag::TRANSITIVE != 0 {
        out.attributes.unknown.push(UnknownAttribute {
            code,
            value: value.to_vec(),
        });
    }
}

/// Joins the 4-octet attributes of a 2-octet peer (RFC 6793 §4.2.3) and sorts what has no order.
fn finish(out: &mut Decoded, context: &DecodeContext) {
    let attributes = &mut out.attributes;
    if !context.four_octet_as {
        let as4_aggregator = out.as4_aggregator.take();
        let as4_path = out.as4_path.take();
        // An AGGREGATOR that is not AS_TRANS was set by a speaker that dropped the 4-octet ones.
        let stale = attributes
            .aggregator
            .is_some_and(|a| a.asn != Asn::TRANS && as4_aggregator.is_some());
        if !stale {
            if attributes.aggregator.is_some() && as4_aggregator.is_some() {
                attributes.aggregator = as4_aggregator;
            }
            if let Some(as4) = as4_path {
                attributes.as_path = std::mem::take(&mut attributes.as_path).merge_as4(&as4);
            }
        }
    }
    attributes.communities.sort_unstable();
    attributes.communities.dedup();
    // RFC 8092 §5: duplicates are removed.
    attributes.large_communities.sort_unstable();
    attributes.large_communities.dedup();
    attributes.unknown.sort_unstable();
}
