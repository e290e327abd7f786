//! Ethernet II with up to two VLAN tags (IEEE 802.3, 802.1Q, 802.1ad).
//!
//! Frames are not padded to 60 bytes: links here are points, and the IP length says where a packet
//! ends.

use std::fmt;

use skybridge_base::{MacAddr, VlanId};

use crate::bytes;
use crate::{Frame, Malformed};

/// Bytes of an untagged header.
pub const HEADER_LEN: usize = 14;

/// An Ethernet type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EtherType(pub u16);

impl EtherType {
    /// IPv4.
    pub const IPV4: Self = Self(0x0800);
    /// ARP.
    pub const ARP: Self = Self(0x0806);
    /// IPv6.
    pub const IPV6: Self = Self(0x86dd);
    /// LLDP (IEEE 802.1AB).
    pub const LLDP: Self = Self(0x88cc);
    /// Slow protocols, LACP among them (IEEE 802.3 annex 57A).
    pub const SLOW: Self = Self(0x8809);
}

impl fmt::Display for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::IPV4 => f.write_str("IPv4"),
            Self::ARP => f.write_str("ARP"),
            Self::IPV6 => f.write_str("IPv6"),
            Self(other) => write!(f, "{other:#06x}"),
        }
    }
}

/// The tag protocol identifier in front of a tag.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Tpid {
    /// 0x8100, a customer tag (IEEE 802.1Q).
    Dot1Q,
    /// 0x88a8, a service tag (IEEE 802.1ad).
    Dot1Ad,
}

impl Tpid {
    /// The two bytes on the wire.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        match self {
            Self::Dot1Q => 0x8100,
            Self::Dot1Ad => 0x88a8,
        }
    }

    /// The identifier, when the two bytes are one.
    #[must_use]
    pub const fn from_u16(value: u16) -> Option<Self> {
        match value {
            0x8100 => Some(Self::Dot1Q),
            0x88a8 => Some(Self::Dot1Ad),
            _ => None,
        }
    }
}

/// One VLAN tag. Two tags are equal when identifier and VLAN are: priority and drop eligibility
/// describe a frame, not the network it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Tag {
    /// Which kind of tag.
    pub tpid: Tpid,
    /// The VLAN, 0 to 4095. 0 is a priority tag and 4095 reserved; both may arrive.
    pub vid: u16,
    /// Priority code point, 0 to 7.
    pub pcp: u8,
    /// Drop eligible indicator.
    pub dei: bool,
}

impl Tag {
    /// A tag with priority 0.
    #[must_use]
    pub const fn new(tpid: Tpid, vid: VlanId) -> Self {
        Self {
            tpid,
            vid: vid.as_u16(),
            pcp: 0,
            dei: false,
        }
    }

    /// The VLAN, when it is a usable one.
    #[must_use]
    pub const fn vlan(self) -> Option<VlanId> {
        VlanId::new(self.vid)
    }

    const fn from_tci(tpid: Tpid, tci: [u8; 2]) -> Self {
        let [high, low] = tci;
        Self {
            tpid,
            vid: u16::from_be_bytes([high & 0x0f, low]),
            pcp: high >> 5,
            dei: high & 0x10 != 0,
        }
    }

    const fn wire(self) -> [u8; 4] {
        let [t0, t1] = self.tpid.as_u16().to_be_bytes();
        let [v0, v1] = self.vid.to_be_bytes();
        let dei = if self.dei { 0x10 } else { 0 };
        [t0, t1, (self.pcp & 7) << 5 | dei | (v0 & 0x0f), v1]
    }

    const fn key(self) -> (Tpid, u16) {
        (self.tpid, self.vid)
    }
}

impl PartialEq for Tag {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Tag {}

impl PartialOrd for Tag {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Tag {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl std::hash::Hash for Tag {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// The tags of a frame, outermost first. Equality as for [`Tag`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub enum Tags {
    /// No tag.
    #[default]
    Untagged,
    /// One tag.
    One(Tag),
    /// Two tags: outer, inner.
    Two(Tag, Tag),
}

impl Tags {
    /// One 802.1Q tag.
    #[must_use]
    pub const fn dot1q(c: VlanId) -> Self {
        Self::One(Tag::new(Tpid::Dot1Q, c))
    }

    /// An 802.1ad service tag outside an 802.1Q customer tag.
    #[must_use]
    pub const fn qinq(s: VlanId, c: VlanId) -> Self {
        Self::Two(Tag::new(Tpid::Dot1Ad, s), Tag::new(Tpid::Dot1Q, c))
    }

    /// Two 802.1Q tags, as ExpressRoute Direct ports use by default.
    #[must_use]
    pub const fn qinq_8100(s: VlanId, c: VlanId) -> Self {
        Self::Two(Tag::new(Tpid::Dot1Q, s), Tag::new(Tpid::Dot1Q, c))
    }

    /// The outermost tag.
    #[must_use]
    pub const fn outer(self) -> Option<Tag> {
        match self {
            Self::Untagged => None,
            Self::One(tag) | Self::Two(tag, _) => Some(tag),
        }
    }

    /// The second tag.
    #[must_use]
    pub const fn inner(self) -> Option<Tag> {
        match self {
            Self::Untagged | Self::One(_) => None,
            Self::Two(_, tag) => Some(tag),
        }
    }

    /// Number of tags, 0 to 2.
    #[must_use]
    pub const fn count(self) -> usize {
        match self {
            Self::Untagged => 0,
            Self::One(_) => 1,
            Self::Two(..) => 2,
        }
    }

    /// `self` with one more tag outside; `None` when there are two already.
    #[must_use]
    pub const fn pushed(self, tag: Tag) -> Option<Self> {
        match self {
            Self::Untagged => Some(Self::One(tag)),
            Self::One(inner) => Some(Self::Two(tag, inner)),
            Self::Two(..) => None,
        }
    }

    /// `self` without its outermost tag.
    #[must_use]
    pub const fn popped(self) -> Self {
        match self {
            Self::Untagged | Self::One(_) => Self::Untagged,
            Self::Two(_, inner) => Self::One(inner),
        }
    }

    /// `self` with `pcp` in every tag.
    #[must_use]
    pub const fn with_pcp(self, pcp: u8) -> Self {
        match self {
            Self::Untagged => Self::Untagged,
            Self::One(a) => Self::One(Tag { pcp, ..a }),
            Self::Two(a, b) => Self::Two(Tag { pcp, ..a }, Tag { pcp, ..b }),
        }
    }
}

/// `untagged`, `C 100`, `S 12`, `S 12 C 100`; an outer tag of two with ethertype 0x8100 is shown as
/// `S/8100 12 C 100`.
impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |tag: &Tag| match tag.tpid {
            Tpid::Dot1Q => "C",
            Tpid::Dot1Ad => "S",
        };
        match self {
            Self::Untagged => f.write_str("untagged"),
            Self::One(tag) => write!(f, "{} {}", letter(tag), tag.vid),
            Self::Two(outer, inner) => {
                let first = match outer.tpid {
                    Tpid::Dot1Q => "S/8100",
                    Tpid::Dot1Ad => "S",
                };
                write!(f, "{first} {} {} {}", outer.vid, letter(inner), inner.vid)
            }
        }
    }
}

/// A checked Ethernet frame.
#[derive(Clone, Copy, Debug)]
pub struct EthernetView<'a> {
    bytes: &'a [u8],
    tags: Tags,
    ethertype: EtherType,
    payload_offset: usize,
}

/// Checks a frame. A third tag is left to the payload: the ethertype is then 0x8100 or 0x88a8.
///
/// # Errors
/// [`Malformed::Truncated`] when a header or an announced tag is cut short.
#[inline]
pub fn parse(bytes: &[u8]) -> Result<EthernetView<'_>, Malformed> {
    let view = |tags, ethertype, payload_offset| EthernetView {
        bytes,
        tags,
        ethertype: EtherType(ethertype),
        payload_offset,
    };
    if bytes.len() < HEADER_LEN {
        return Err(Malformed::Truncated);
    }
    let first = bytes::u16_at(bytes, 12);
    let Some(tpid) = Tpid::from_u16(first) else {
        return Ok(view(Tags::Untagged, first, HEADER_LEN));
    };
    let (outer, second) = tag_at(bytes, 14, tpid)?;
    let Some(tpid) = Tpid::from_u16(second) else {
        return Ok(view(Tags::One(outer), second, 18));
    };
    let (inner, third) = tag_at(bytes, 18, tpid)?;
    // A third tag is not read, but it must be whole.
    if Tpid::from_u16(third).is_some() && bytes.len() < 26 {
        return Err(Malformed::Truncated);
    }
    Ok(view(Tags::Two(outer, inner), third, 22))
}

/// The tag whose control information is at `at`, and the type behind it.
#[inline]
fn tag_at(bytes: &[u8], at: usize, tpid: Tpid) -> Result<(Tag, u16), Malformed> {
    let four = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>);
    let [v0, v1, t0, t1] = *four.ok_or(Malformed::Truncated)?;
    Ok((Tag::from_tci(tpid, [v0, v1]), u16::from_be_bytes([t0, t1])))
}

impl<'a> EthernetView<'a> {
    /// Destination address.
    #[must_use]
    pub fn dst(&self) -> MacAddr {
        bytes::mac_at(self.bytes, 0)
    }

    /// Source address.
    #[must_use]
    pub fn src(&self) -> MacAddr {
        bytes::mac_at(self.bytes, 6)
    }

    /// Up to two tags.
    #[must_use]
    pub const fn tags(&self) -> Tags {
        self.tags
    }

    /// The type behind the tags. Below 0x0600 it is an IEEE 802.3 length.
    #[must_use]
    pub const fn ethertype(&self) -> EtherType {
        self.ethertype
    }

    /// Where the payload starts, from the first byte of the frame.
    #[must_use]
    pub const fn payload_offset(&self) -> usize {
        self.payload_offset
    }

    /// The payload, with any padding.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        bytes::from(self.bytes, self.payload_offset)
    }

    /// The header as a value.
    #[must_use]
    pub fn repr(&self) -> EthernetRepr {
        EthernetRepr {
            dst: self.dst(),
            src: self.src(),
            tags: self.tags,
            ethertype: self.ethertype,
        }
    }
}

/// An Ethernet header with its tags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EthernetRepr {
    /// Destination address.
    pub dst: MacAddr,
    /// Source address.
    pub src: MacAddr,
    /// Up to two tags.
    pub tags: Tags,
    /// The type behind the tags.
    pub ethertype: EtherType,
}

impl EthernetRepr {
    /// Bytes of the header on the wire: 14, 18 or 22.
    #[must_use]
    pub const fn header_len(&self) -> usize {
        header_len(self.tags)
    }

    /// Appends the header.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.dst.0);
        out.extend_from_slice(&self.src.0);
        for tag in [self.tags.outer(), self.tags.inner()].into_iter().flatten() {
            out.extend_from_slice(&tag.wire());
        }
        out.extend_from_slice(&self.ethertype.0.to_be_bytes());
    }

    /// Pushes the header in front of a frame that starts at its layer 3 header, and notes where
    /// that is.
    pub fn push(&self, frame: &mut Frame) {
        let MacAddr([d0, d1, d2, d3, d4, d5]) = self.dst;
        let MacAddr([s0, s1, s2, s3, s4, s5]) = self.src;
        let addresses = [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5];
        let to = frame.push_front(self.header_len());
        bytes::put(to, 0, &addresses);
        let [e0, e1] = self.ethertype.0.to_be_bytes();
        match self.tags {
            Tags::Untagged => bytes::put(to, 12, &[e0, e1]),
            Tags::One(tag) => {
                let [a, b, c, d] = tag.wire();
                bytes::put(to, 12, &[a, b, c, d, e0, e1]);
            }
            Tags::Two(outer, inner) => {
                let ([a, b, c, d], [e, f, g, h]) = (outer.wire(), inner.wire());
                bytes::put(to, 12, &[a, b, c, d, e, f, g, h, e0, e1]);
            }
        }
        frame.meta.l3_offset = bytes::len_u16(self.header_len());
    }
}

/// Bytes of a header with these tags: 14, 18 or 22.
#[must_use]
pub const fn header_len(tags: Tags) -> usize {
    match tags {
        Tags::Untagged => HEADER_LEN,
        Tags::One(_) => 18,
        Tags::Two(..) => 22,
    }
}

/// Appends a header; [`EthernetRepr::emit`] as a function.
pub fn emit(dst: MacAddr, src: MacAddr, tags: Tags, ethertype: EtherType, out: &mut Vec<u8>) {
    EthernetRepr {
        dst,
        src,
        tags,
        ethertype,
    }
    .emit(out);
}

/// Takes the header off a frame, which then starts at its layer 3 header.
///
/// # Errors
/// As [`parse`]; the frame is then unchanged.
pub fn pop(frame: &mut Frame) -> Result<EthernetRepr, Malformed> {
    let view = parse(frame.bytes())?;
    let (repr, offset) = (view.repr(), view.payload_offset());
    frame.pop_front(offset);
    frame.meta.l3_offset = 0;
    Ok(repr)
}

/// Replaces the tags of a frame.
///
/// # Errors
/// As [`parse`]; the frame is then unchanged.
pub fn retag(frame: &mut Frame, tags: Tags) -> Result<(), Malformed> {
    let repr = pop(frame)?;
    EthernetRepr { tags, ..repr }.push(frame);
    Ok(())
}

/// Overwrites both addresses of a frame; does nothing to one shorter than a header.
pub fn set_addresses(frame: &mut [u8], dst: MacAddr, src: MacAddr) {
    if frame.len() >= HEADER_LEN {
        bytes::put(frame, 0, &dst.0);
        bytes::put(frame, 6, &src.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vlan(id: u16) -> VlanId {
        VlanId::new(id).unwrap()
    }

    #[rustfmt::skip]
    const QINQ: [u8; 24] = [
        0x02, 0, 0, 0, 0, 1,  0x02, 0, 0, 0, 0, 2,
        0x88, 0xa8, 0x60, 0x0c, // S-tag: priority 3, VLAN 12
        0x81, 0x00, 0xb0, 0x64, // C-tag: priority 5, drop eligible, VLAN 100
        0x08, 0x00,
        0x45, 0x00,
    ];

    #[test]
    fn a_double_tagged_frame_is_read_field_by_field() {
        let view = parse(&QINQ).unwrap();
        assert_eq!(view.dst(), MacAddr::local(1));
        assert_eq!(view.src(), MacAddr::local(2));
        assert_eq!(view.tags(), Tags::qinq(vlan(12), vlan(100)));
        assert_eq!(view.tags().outer().unwrap().pcp, 3);
        assert!(!view.tags().outer().unwrap().dei);
        assert_eq!(view.tags().inner().unwrap().pcp, 5);
        assert!(view.tags().inner().unwrap().dei);
        assert_eq!(view.ethertype(), EtherType::IPV4);
        assert_eq!(view.payload_offset(), 22);
        assert_eq!(view.payload(), [0x45, 0x00]);
        let mut out = Vec::new();
        view.repr().emit(&mut out);
        assert_eq!(out, QINQ[..22]);
    }

    #[test]
    fn an_outer_tag_of_ethertype_8100_is_a_double_tag_too() {
        let mut bytes = QINQ;
        bytes[12..14].copy_from_slice(&[0x81, 0x00]);
        let view = parse(&bytes).unwrap();
        assert_eq!(view.tags(), Tags::qinq_8100(vlan(12), vlan(100)));
        assert_ne!(view.tags(), Tags::qinq(vlan(12), vlan(100)));
        assert_eq!(view.tags().to_string(), "S/8100 12 C 100");
    }

    #[test]
    fn a_third_tag_stays_in_the_payload() {
        let mut out = Vec::new();
        emit(
            MacAddr::local(1),
            MacAddr::local(2),
            Tags::qinq(vlan(1), vlan(2)),
            EtherType(0x8100),
            &mut out,
        );
        out.extend_from_slice(&[0, 3, 8, 0]);
        let view = parse(&out).unwrap();
        assert_eq!(view.ethertype(), EtherType(0x8100));
        assert_eq!(view.payload(), [0, 3, 8, 0]);
    }

    #[test]
    fn a_frame_cut_anywhere_in_its_header_is_truncated() {
        for len in 0..22 {
            assert_eq!(parse(&QINQ[..len]).unwrap_err(), Malformed::Truncated);
        }
        assert!(parse(&QINQ[..22]).unwrap().payload().is_empty());
    }

    #[test]
    fn tags_are_shown_in_the_words_of_network_people() {
        assert_eq!(Tags::Untagged.to_string(), "untagged");
        assert_eq!(Tags::dot1q(vlan(100)).to_string(), "C 100");
        assert_eq!(Tags::qinq(vlan(12), vlan(100)).to_string(), "S 12 C 100");
    }

    #[test]
    fn retagging_keeps_addresses_and_payload_and_moves_the_offset() {
        let mut frame = Frame::from_l2(&QINQ);
        frame.meta.l3_offset = 22;
        retag(&mut frame, Tags::dot1q(vlan(7))).unwrap();
        let view = parse(frame.bytes()).unwrap();
        assert_eq!(view.tags(), Tags::dot1q(vlan(7)));
        assert_eq!(view.src(), MacAddr::local(2));
        assert_eq!(frame.l3(), [0x45, 0x00]);
        assert_eq!(pop(&mut frame).unwrap().ethertype, EtherType::IPV4);
        assert_eq!(frame.bytes(), [0x45, 0x00]);
    }

    #[test]
    fn tags_are_pushed_outside_and_popped_from_outside() {
        let c = Tags::dot1q(vlan(100));
        let sc = c.pushed(Tag::new(Tpid::Dot1Ad, vlan(12))).unwrap();
        assert_eq!(sc, Tags::qinq(vlan(12), vlan(100)));
        assert_eq!(sc.pushed(Tag::new(Tpid::Dot1Q, vlan(1))), None);
        assert_eq!(sc.popped(), c);
        assert_eq!(c.popped().popped(), Tags::Untagged);
        assert_eq!(sc.with_pcp(6).inner().unwrap().pcp, 6);
    }
}
