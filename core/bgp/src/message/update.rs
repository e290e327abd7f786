//! UPDATE (RFC 4271 §4.3, RFC 4760) and ROUTE-REFRESH (RFC 2918).

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use super::{
    HEADER_LEN, MESSAGE_LEN_MAX, Notification, code, decode_prefixes, encode_prefix, frame, kind,
    prefix_len, put_u16_at, subcode,
};
use crate::attr::{
    self, AttributeFault, Attributes, DecodeContext, FaultKind, OnError, mp_reach_head,
};
use crate::types::Family;

/// ROUTE-REFRESH (RFC 2918 §3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RouteRefresh {
    /// Address family identifier.
    pub afi: u16,
    /// Subsequent address family identifier.
    pub safi: u8,
}

/// Prefixes reachable by MP_REACH_NLRI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MpReach {
    /// The family.
    pub family: Family,
    /// The next hop.
    pub next_hop: IpAddr,
    /// The link-local next hop (RFC 2545 §3).
    pub link_local: Option<Ipv6Addr>,
    /// The prefixes.
    pub nets: Vec<IpNet>,
}

/// Prefixes withdrawn by MP_UNREACH_NLRI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MpUnreach {
    /// The family.
    pub family: Family,
    /// The prefixes.
    pub nets: Vec<IpNet>,
}

/// An UPDATE after RFC 7606: what remains valid of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Update {
    /// IPv4 prefixes of the WITHDRAWN ROUTES field.
    pub withdrawn: Vec<IpNet>,
    /// IPv4 prefixes of the NLRI field.
    pub nets: Vec<IpNet>,
    /// The attributes; the next hop is that of the NLRI field.
    pub attributes: Attributes,
    /// MP_REACH_NLRI.
    pub mp_reach: Option<MpReach>,
    /// MP_UNREACH_NLRI.
    pub mp_unreach: Option<MpUnreach>,
    /// Faults that did not reset the session.
    pub faults: Vec<AttributeFault>,
}

impl Update {
    /// True when `nets` and `mp_reach` must be handled as withdrawn (RFC 7606 §2).
    #[must_use]
    pub fn treat_as_withdraw(&self) -> bool {
        self.faults
            .iter()
            .any(|f| f.action >= OnError::TreatAsWithdraw)
    }

    /// The family whose End-of-RIB this is (RFC 4724 §2).
    #[must_use]
    pub fn end_of_rib(&self) -> Option<Family> {
        let quiet = self.nets.is_empty() && self.withdrawn.is_empty() && self.mp_reach.is_none();
        if !quiet || !self.faults.is_empty() {
            return None;
        }
        match &self.mp_unreach {
            Some(unreach) if unreach.nets.is_empty() => Some(unreach.family),
            Some(_) => None,
            None => (self.attributes == Attributes::default()).then_some(Family::V4),
        }
    }

    pub(super) fn decode(body: &[u8], context: &DecodeContext) -> Result<Self, Notification> {
        let fault = |sub| Notification::new(code::UPDATE, sub, Vec::new());
        // RFC 4271 §6.3: lengths that contradict the message's are a malformed attribute list.
        let (withdrawn, rest) =
            take_field(body).ok_or_else(|| fault(subcode::MALFORMED_ATTRIBUTE_LIST))?;
        let (list, nlri) =
            take_field(rest).ok_or_else(|| fault(subcode::MALFORMED_ATTRIBUTE_LIST))?;
        let mut update = Self::default();
        // RFC 7606 §5.3: prefixes that cannot be read leave no other way than the reset.
        decode_prefixes(withdrawn, Family::V4, &mut update.withdrawn)
            .and_then(|()| decode_prefixes(nlri, Family::V4, &mut update.nets))
            .map_err(|_| fault(subcode::INVALID_NETWORK_FIELD))?;
        let mut decoded = attr::decode(list, context);
        check_mandatory(&mut decoded, !update.nets.is_empty());
        if let Some(reset) = decoded
            .faults
            .iter()
            .find(|f| f.action == OnError::SessionReset)
        {
            return Err(reset_notification(reset, decoded.reset_data));
        }
        update.attributes = decoded.attributes;
        update.mp_reach = decoded.mp_reach;
        update.mp_unreach = decoded.mp_unreach;
        update.faults = decoded.faults;
        Ok(update)
    }

    pub(super) fn encode_body(&self, four_octet_as: bool, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0, 0]);
        for net in &self.withdrawn {
            encode_prefix(net, out);
        }
        let len = out.len() - start - 2;
        put_u16_at(out, start, len);
        let attributes = out.len();
        out.extend_from_slice(&[0, 0]);
        if let Some(unreach) = &self.mp_unreach {
            let [a, b] = unreach.family.afi().to_be_bytes();
            let mut value = vec![a, b, 1];
            unreach
                .nets
                .iter()
                .for_each(|n| encode_prefix(n, &mut value));
            put_mp(out, attr::code::MP_UNREACH_NLRI, &value);
        }
        if let Some(reach) = &self.mp_reach {
            let mut value = mp_reach_head(reach.family, reach.next_hop, reach.link_local);
            reach.nets.iter().for_each(|n| encode_prefix(n, &mut value));
            put_mp(out, attr::code::MP_REACH_NLRI, &value);
        }
        if self.mp_reach.is_some() || !self.nets.is_empty() {
            self.attributes.encode(four_octet_as, out);
        }
        let len = out.len() - attributes - 2;
        put_u16_at(out, attributes, len);
        for net in &self.nets {
            encode_prefix(net, out);
        }
    }
}

/// A 2-octet length, the field of that length, and the rest.
fn take_field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let [a, b, rest @ ..] = bytes else {
        return None;
    };
    rest.split_at_checked(usize::from(u16::from_be_bytes([*a, *b])))
}

/// RFC 4271 §5.1, RFC 7606 §3 d: reachable prefixes need ORIGIN and AS_PATH, the NLRI field NEXT_HOP
/// too.
fn check_mandatory(decoded: &mut attr::Decoded, has_nlri: bool) {
    let mut missing = Vec::new();
    if has_nlri || decoded.mp_reach.is_some() {
        missing.extend([attr::code::ORIGIN, attr::code::AS_PATH]);
    }
    if has_nlri {
        missing.push(attr::code::NEXT_HOP);
    }
    for code in missing {
        if !decoded.seen.has(code) {
            decoded.faults.push(AttributeFault {
                code,
                kind: FaultKind::Missing,
                action: OnError::TreatAsWithdraw,
            });
        }
    }
}

fn reset_notification(fault: &AttributeFault, data: Vec<u8>) -> Notification {
    let sub = match (fault.kind, attr::describe(fault.code)) {
        (FaultKind::Duplicate | FaultKind::Overrun | FaultKind::Missing, _) => {
            subcode::MALFORMED_ATTRIBUTE_LIST
        }
        (_, None) => subcode::UNRECOGNISED_WELL_KNOWN,
        (FaultKind::Length, Some(_)) => subcode::ATTRIBUTE_LENGTH,
        (FaultKind::Flags | FaultKind::Value | FaultKind::Misplaced, Some(_)) => {
            subcode::OPTIONAL_ATTRIBUTE
        }
    };
    Notification::new(code::UPDATE, sub, data)
}

/// An MP attribute always has the extended length, so that it can grow in place.
fn put_mp(out: &mut Vec<u8>, code: u8, value: &[u8]) {
    let len = u16::try_from(value.len()).expect("an attribute fits in a message");
    let [a, b] = len.to_be_bytes();
    out.extend_from_slice(&[attr::flag::OPTIONAL | attr::flag::EXTENDED, code, a, b]);
    out.extend_from_slice(value);
}

/// Appends the End-of-RIB marker of `family` (RFC 4724 §2).
pub fn encode_end_of_rib(family: Family, out: &mut Vec<u8>) {
    frame(kind::UPDATE, out, |o| match family {
        Family::V4 => o.extend_from_slice(&[0, 0, 0, 0]),
        Family::V6 => o.extend_from_slice(&[0, 0, 0, 6, 0x80, 15, 3, 0, 2, 1]),
    });
}

/// Appends as few UPDATEs as withdraw all of `nets`, which are of one family.
pub fn encode_unreach(family: Family, nets: &[IpNet], out: &mut Vec<u8>) -> usize {
    // Header, both length fields, and for IPv6 the attribute's head and family.
    let room = match family {
        Family::V4 => MESSAGE_LEN_MAX - HEADER_LEN - 4,
        Family::V6 => MESSAGE_LEN_MAX - HEADER_LEN - 4 - 7,
    };
    pack(nets, room, |part| {
        let mut update = Update::default();
        match family {
            Family::V4 => update.withdrawn = part.to_vec(),
            Family::V6 => {
                update.mp_unreach = Some(MpUnreach {
                    family,
                    nets: part.to_vec(),
                });
            }
        }
        frame(kind::UPDATE, out, |o| update.encode_body(true, o));
    })
}

/// Appends as few UPDATEs as announce all of `nets` (one family) with `attributes`; gives their
/// number. `None`, with nothing written, when the attributes alone fill a message: the caller treats
/// the prefixes as withdrawn (RFC 4271 §9.2).
pub fn encode_reach(
    family: Family,
    nets: &[IpNet],
    attributes: &Attributes,
    four_octet_as: bool,
    out: &mut Vec<u8>,
) -> Option<usize> {
    let mut encoded = Vec::new();
    let (head, room) = match family {
        Family::V4 => {
            attributes.encode(four_octet_as, &mut encoded);
            (
                None,
                MESSAGE_LEN_MAX.checked_sub(HEADER_LEN + 4 + encoded.len())?,
            )
        }
        Family::V6 => {
            let head = mp_reach_head(family, attributes.next_hop?, attributes.link_local);
            let bare = Attributes {
                next_hop: None,
                ..attributes.clone()
            };
            bare.encode(four_octet_as, &mut encoded);
            let used = HEADER_LEN + 4 + encoded.len() + 4 + head.len();
            (Some(head), MESSAGE_LEN_MAX.checked_sub(used)?)
        }
    };
    if room < usize::from(family.bits() / 8) + 1 {
        return None;
    }
    Some(pack(nets, room, |part| {
        frame(kind::UPDATE, out, |o| {
            let mut list = Vec::new();
            if let Some(head) = &head {
                // RFC 7606 §5.1: MP_REACH_NLRI goes first.
                let mut value = head.clone();
                part.iter().for_each(|n| encode_prefix(n, &mut value));
                put_mp(&mut list, attr::code::MP_REACH_NLRI, &value);
            }
            list.extend_from_slice(&encoded);
            o.extend_from_slice(&[0, 0]);
            let at = o.len();
            o.extend_from_slice(&[0, 0]);
            put_u16_at(o, at, list.len());
            o.extend_from_slice(&list);
            if head.is_none() {
                part.iter().for_each(|n| encode_prefix(n, o));
            }
        });
    }))
}

/// Cuts `nets` into runs whose encoding fits `room`; gives the number of runs.
fn pack(nets: &[IpNet], room: usize, mut write: impl FnMut(&[IpNet])) -> usize {
    let mut runs = 0;
    let mut start = 0;
    let mut used = 0;
    for (i, net) in nets.iter().enumerate() {
        let len = prefix_len(net);
        if used + len > room {
            write(&nets[start..i]);
            runs += 1;
            start = i;
            used = 0;
        }
        used += len;
    }
    if start < nets.len() {
        write(&nets[start..]);
        runs += 1;
    }
    runs
}
