//! IPv4 (RFC 791; DSCP of RFC 2474, ECN of RFC 3168).

use std::net::Ipv4Addr;

use crate::bytes;
use crate::{Malformed, checksum};

/// Bytes of a header without options.
pub const HEADER_LEN: usize = 20;

/// DSCP CS6, internetwork control (RFC 4594 §3.2): routing protocols and ICMP errors.
pub const DSCP_CS6: u8 = 48;

/// A checked IPv4 packet. The header checksum is *not* part of the check: ask
/// [`Ipv4View::is_checksum_valid`].
#[derive(Clone, Copy, Debug)]
pub struct Ipv4View<'a> {
    /// The packet without link padding.
    bytes: &'a [u8],
    header_len: usize,
}

/// Checks a packet and cuts link padding off.
///
/// # Errors
/// [`Malformed::Truncated`] when header or total length exceed the bytes, [`Malformed::Version`],
/// [`Malformed::Length`] when the lengths contradict each other.
pub fn parse(bytes: &[u8]) -> Result<Ipv4View<'_>, Malformed> {
    let view = parse_header(bytes)?;
    let total_len = usize::from(view.total_len());
    if total_len < view.header_len {
        return Err(Malformed::Length);
    }
    let bytes = bytes.get(..total_len).ok_or(Malformed::Truncated)?;
    Ok(Ipv4View { bytes, ..view })
}

/// Checks only the header: for the cut-off packet that an ICMP error quotes.
///
/// # Errors
/// As [`parse`], without regard to the total length.
pub fn parse_header(bytes: &[u8]) -> Result<Ipv4View<'_>, Malformed> {
    if bytes.len() < HEADER_LEN {
        return Err(Malformed::Truncated);
    }
    let first = bytes::u8_at(bytes, 0);
    if first >> 4 != 4 {
        return Err(Malformed::Version);
    }
    let header_len = usize::from(first & 0x0f).saturating_mul(4);
    if header_len < HEADER_LEN {
        return Err(Malformed::Length);
    }
    if bytes.len() < header_len {
        return Err(Malformed::Truncated);
    }
    Ok(Ipv4View { bytes, header_len })
}

impl<'a> Ipv4View<'a> {
    /// Bytes of the header, 20 to 60.
    #[must_use]
    pub const fn header_len(&self) -> usize {
        self.header_len
    }

    /// Bytes of header and payload as the packet states it.
    #[must_use]
    pub fn total_len(&self) -> u16 {
        bytes::u16_at(self.bytes, 2)
    }

    /// Differentiated services code point, 0 to 63.
    #[must_use]
    pub fn dscp(&self) -> u8 {
        bytes::u8_at(self.bytes, 1) >> 2
    }

    /// Explicit congestion notification, 0 to 3.
    #[must_use]
    pub fn ecn(&self) -> u8 {
        bytes::u8_at(self.bytes, 1) & 3
    }

    /// Identification, shared by the fragments of one packet.
    #[must_use]
    pub fn identification(&self) -> u16 {
        bytes::u16_at(self.bytes, 4)
    }

    /// The DF flag.
    #[must_use]
    pub fn dont_fragment(&self) -> bool {
        bytes::u8_at(self.bytes, 6) & 0x40 != 0
    }

    /// The MF flag.
    #[must_use]
    pub fn more_fragments(&self) -> bool {
        bytes::u8_at(self.bytes, 6) & 0x20 != 0
    }

    /// Offset of this fragment in bytes, a multiple of 8.
    #[must_use]
    pub fn fragment_offset(&self) -> u16 {
        (bytes::u16_at(self.bytes, 6) & 0x1fff).wrapping_shl(3)
    }

    /// True for any fragment of a larger packet.
    #[must_use]
    pub fn is_fragment(&self) -> bool {
        self.more_fragments() || self.fragment_offset() != 0
    }

    /// Time to live.
    #[must_use]
    pub fn ttl(&self) -> u8 {
        bytes::u8_at(self.bytes, 8)
    }

    /// Protocol of the payload.
    #[must_use]
    pub fn protocol(&self) -> u8 {
        bytes::u8_at(self.bytes, 9)
    }

    /// The header checksum as it stands.
    #[must_use]
    pub fn checksum(&self) -> u16 {
        bytes::u16_at(self.bytes, 10)
    }

    /// Source address.
    #[must_use]
    pub fn src(&self) -> Ipv4Addr {
        bytes::ipv4_at(self.bytes, 12)
    }

    /// Destination address.
    #[must_use]
    pub fn dst(&self) -> Ipv4Addr {
        bytes::ipv4_at(self.bytes, 16)
    }

    /// The header's options, empty as a rule.
    #[must_use]
    pub fn options(&self) -> &'a [u8] {
        bytes::range(self.bytes, HEADER_LEN, self.header_len)
    }

    /// The header with its options.
    #[must_use]
    pub fn header(&self) -> &'a [u8] {
        bytes::range(self.bytes, 0, self.header_len)
    }

    /// The payload, without link padding.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        bytes::from(self.bytes, self.header_len)
    }

    /// The whole packet, without link padding.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// True when the header checksum holds.
    #[must_use]
    pub fn is_checksum_valid(&self) -> bool {
        checksum::checksum(self.header()) == 0
    }

    /// The header as a value; options are lost.
    #[must_use]
    pub fn repr(&self) -> Ipv4Repr {
        Ipv4Repr {
            src: self.src(),
            dst: self.dst(),
            protocol: self.protocol(),
            ttl: self.ttl(),
            dscp: self.dscp(),
            ecn: self.ecn(),
            identification: self.identification(),
            dont_fragment: self.dont_fragment(),
            more_fragments: self.more_fragments(),
            fragment_offset: self.fragment_offset(),
            payload_len: self.payload().len(),
        }
    }
}

/// An IPv4 header without options.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ipv4Repr {
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// Protocol of the payload.
    pub protocol: u8,
    /// Time to live.
    pub ttl: u8,
    /// Differentiated services code point, 0 to 63.
    pub dscp: u8,
    /// Explicit congestion notification, 0 to 3.
    pub ecn: u8,
    /// Identification.
    pub identification: u16,
    /// The DF flag.
    pub dont_fragment: bool,
    /// The MF flag.
    pub more_fragments: bool,
    /// Offset of this fragment in bytes; rounded down to a multiple of 8.
    pub fragment_offset: u16,
    /// Bytes behind the header, at most 65 515.
    pub payload_len: usize,
}

impl Ipv4Repr {
    /// A header with TTL 64, DF, and zero elsewhere.
    #[must_use]
    pub const fn new(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, payload_len: usize) -> Self {
        Self {
            src,
            dst,
            protocol,
            ttl: 64,
            dscp: 0,
            ecn: 0,
            identification: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            payload_len,
        }
    }

    /// The header's bytes with a valid checksum.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        let total_len = bytes::len_u16(self.payload_len.saturating_add(HEADER_LEN));
        let mut fragment = self.fragment_offset >> 3;
        if self.dont_fragment {
            fragment |= 0x4000;
        }
        if self.more_fragments {
            fragment |= 0x2000;
        }
        bytes::put(&mut out, 0, &[0x45, self.dscp << 2 | (self.ecn & 3)]);
        bytes::put(&mut out, 2, &total_len.to_be_bytes());
        bytes::put(&mut out, 4, &self.identification.to_be_bytes());
        bytes::put(&mut out, 6, &fragment.to_be_bytes());
        bytes::put(&mut out, 8, &[self.ttl, self.protocol]);
        bytes::put(&mut out, 12, &self.src.octets());
        bytes::put(&mut out, 16, &self.dst.octets());
        fill_checksum(&mut out);
        out
    }

    /// Appends the header; the caller appends `payload_len` bytes.
    pub fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_bytes());
    }
}

/// Computes the header checksum of a packet and stores it. Does nothing to what is no IPv4 header.
pub fn fill_checksum(packet: &mut [u8]) {
    let Ok(view) = parse_header(packet) else {
        return;
    };
    let sum = checksum::sum(view.header());
    let check = !checksum::add(sum, !view.checksum());
    bytes::put(packet, 10, &check.to_be_bytes());
}

/// Replaces the 16-bit word at `at` (even, in the header) and updates the checksum.
fn replace_word(packet: &mut [u8], at: usize, new: [u8; 2]) {
    let old = bytes::u16_at(packet, at);
    let check = bytes::u16_at(packet, 10);
    let check = checksum::update(check, old, u16::from_be_bytes(new));
    bytes::put(packet, at, &new);
    bytes::put(packet, 10, &check.to_be_bytes());
}

/// True when the header checksum of a packet holds; false for what is no IPv4 header. Cheaper than a
/// view for the header without options that nearly all packets have.
#[must_use]
pub fn is_header_checksum_valid(packet: &[u8]) -> bool {
    match packet.first_chunk::<HEADER_LEN>() {
        Some(header) if header[0] == 0x45 => checksum::checksum(header) == 0,
        Some(_) | None => parse_header(packet).is_ok_and(|view| view.is_checksum_valid()),
    }
}

/// Lowers the TTL by one and updates the checksum (RFC 1624). `None`, and no change, when the TTL
/// is 0 or 1: the packet has then expired (RFC 1812 §5.3.1). `packet` must have passed [`parse`].
pub fn decrement_ttl(packet: &mut [u8]) -> Option<u8> {
    lower_ttl(packet, 1)
}

/// As [`decrement_ttl`] so many times: `None`, and no change, when the packet would expire on the way.
pub fn lower_ttl(packet: &mut [u8], by: u8) -> Option<u8> {
    let [ttl, protocol] = bytes::array_at(packet, 8);
    let lower = ttl.checked_sub(by).filter(|ttl| *ttl > 0)?;
    if by > 0 {
        replace_word(packet, 8, [lower, protocol]);
    }
    Some(lower)
}

/// Sets the code point and updates the checksum. `packet` must have passed [`parse`].
pub fn set_dscp(packet: &mut [u8], dscp: u8) {
    let [first, second] = bytes::array_at(packet, 0);
    replace_word(packet, 0, [first, dscp << 2 | (second & 3)]);
}

/// Replaces the source and updates the header checksum; the transport checksum is the caller's
/// ([`checksum::update`] with [`checksum::sum_of_address`]). `packet` must have passed [`parse`].
pub fn set_src(packet: &mut [u8], src: Ipv4Addr) {
    set_address(packet, 12, src);
}

/// Replaces the destination; as [`set_src`].
pub fn set_dst(packet: &mut [u8], dst: Ipv4Addr) {
    set_address(packet, 16, dst);
}

fn set_address(packet: &mut [u8], at: usize, address: Ipv4Addr) {
    let [a, b, c, d] = address.octets();
    replace_word(packet, at, [a, b]);
    replace_word(packet, at.saturating_add(2), [c, d]);
}

/// What a link with a given MTU means for a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MtuCheck {
    /// It passes whole.
    Fits,
    /// It must be fragmented.
    MustFragment,
    /// It must be refused with "fragmentation needed" (RFC 1191 §4).
    Refuse,
}

/// Compares a packet with the MTU of the link ahead, in bytes of IP.
#[must_use]
pub fn check_mtu(view: &Ipv4View<'_>, mtu: usize) -> MtuCheck {
    if usize::from(view.total_len()) <= mtu {
        MtuCheck::Fits
    } else if view.dont_fragment() {
        MtuCheck::Refuse
    } else {
        MtuCheck::MustFragment
    }
}

/// The fragments of a packet for a link with `mtu` (RFC 791 §3.2 "An Example Fragmentation
/// Procedure"). Options are kept in the first fragment; later ones carry only those whose copied
/// flag is set. Empty when DF is set or the MTU leaves no room for eight bytes.
#[must_use]
pub fn fragment(view: &Ipv4View<'_>, mtu: usize) -> Vec<Vec<u8>> {
    let room = mtu.saturating_sub(view.header_len()) & !7;
    if view.dont_fragment() || room == 0 {
        return Vec::new();
    }
    let copied = copied_options(view.options());
    let mut fragments = Vec::new();
    let mut offset = view.fragment_offset();
    let mut chunks = view.payload().chunks(room).peekable();
    while let Some(chunk) = chunks.next() {
        let options = if fragments.is_empty() {
            view.options()
        } else {
            &copied
        };
        let repr = Ipv4Repr {
            fragment_offset: offset,
            more_fragments: view.more_fragments() || chunks.peek().is_some(),
            payload_len: chunk.len().saturating_add(options.len()),
            ..view.repr()
        };
        let mut packet = Vec::with_capacity(mtu);
        repr.emit(&mut packet);
        packet.extend_from_slice(options);
        packet.extend_from_slice(chunk);
        let words = HEADER_LEN.saturating_add(options.len()) >> 2;
        bytes::put(&mut packet, 0, &[0x40 | u8::try_from(words).unwrap_or(5)]);
        bytes::put(&mut packet, 10, &[0, 0]);
        fill_checksum(&mut packet);
        fragments.push(packet);
        offset = offset.saturating_add(bytes::len_u16(chunk.len()));
    }
    fragments
}

/// The options whose copied flag is set, padded to a multiple of four.
fn copied_options(mut options: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(kind) = options.first().copied() {
        let len = match kind {
            0 => break,
            1 => 1,
            _ => usize::from(bytes::u8_at(options, 1)).max(2),
        };
        let Some((option, rest)) = options.split_at_checked(len) else {
            break;
        };
        if kind & 0x80 != 0 {
            out.extend_from_slice(option);
        }
        options = rest;
    }
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header whose checksum was computed by hand: TTL 64, UDP, 192.168.0.1 to 192.168.0.199,
    /// DF, 115 bytes.
    #[rustfmt::skip]
    const HEADER: [u8; 20] = [
        0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61,
        0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7,
    ];

    fn packet() -> Vec<u8> {
        let mut packet = HEADER.to_vec();
        packet.resize(0x73, 0xaa);
        packet
    }

    #[test]
    fn a_known_header_is_read_and_its_checksum_holds() {
        let packet = packet();
        let view = parse(&packet).unwrap();
        assert!(view.is_checksum_valid());
        assert_eq!(view.src(), Ipv4Addr::new(192, 168, 0, 1));
        assert_eq!(view.dst(), Ipv4Addr::new(192, 168, 0, 199));
        assert_eq!((view.ttl(), view.protocol()), (64, 17));
        assert!(view.dont_fragment() && !view.is_fragment());
        assert_eq!(view.payload().len(), 0x73 - 20);
        assert_eq!(view.repr().to_bytes(), HEADER);
    }

    #[test]
    fn link_padding_is_no_payload() {
        let mut packet = packet();
        packet.extend_from_slice(&[0; 9]);
        assert_eq!(parse(&packet).unwrap().payload().len(), 0x73 - 20);
    }

    #[test]
    fn lengths_that_contradict_are_refused() {
        let good = packet();
        assert_eq!(parse(&good[..19]).unwrap_err(), Malformed::Truncated);
        assert_eq!(parse(&good[..114]).unwrap_err(), Malformed::Truncated);
        for (at, byte, fault) in [
            (0, 0x65, Malformed::Version),
            (0, 0x44, Malformed::Length),
            (3, 19, Malformed::Length),
        ] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert_eq!(parse(&bad).unwrap_err(), fault);
        }
    }

    #[test]
    fn the_ttl_stops_at_one() {
        let mut packet = packet();
        for ttl in (1..64).rev() {
            assert_eq!(decrement_ttl(&mut packet), Some(ttl));
            assert!(parse(&packet).unwrap().is_checksum_valid());
        }
        assert_eq!(decrement_ttl(&mut packet), None);
        assert_eq!(parse(&packet).unwrap().ttl(), 1);
    }

    #[test]
    fn rewriting_fields_keeps_the_checksum_valid() {
        let mut packet = packet();
        set_src(&mut packet, Ipv4Addr::new(10, 255, 255, 1));
        set_dst(&mut packet, Ipv4Addr::new(0, 0, 0, 0));
        set_dscp(&mut packet, DSCP_CS6);
        let view = parse(&packet).unwrap();
        assert!(view.is_checksum_valid());
        assert_eq!(view.src(), Ipv4Addr::new(10, 255, 255, 1));
        assert_eq!((view.dscp(), view.ecn()), (48, 0));
    }

    #[test]
    fn a_large_packet_is_refused_with_df_and_cut_without() {
        let mut repr = Ipv4Repr::new([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), 17, 3000);
        let build = |repr: &Ipv4Repr| {
            let mut out = Vec::new();
            repr.emit(&mut out);
            out.extend((0..3000_u32).map(|i| i.to_le_bytes()[0]));
            out
        };
        let with_df = build(&repr);
        let view = parse(&with_df).unwrap();
        assert_eq!(check_mtu(&view, 3020), MtuCheck::Fits);
        assert_eq!(check_mtu(&view, 3019), MtuCheck::Refuse);
        assert!(fragment(&view, 1500).is_empty());
        repr.dont_fragment = false;
        let without_df = build(&repr);
        let view = parse(&without_df).unwrap();
        assert_eq!(check_mtu(&view, 1500), MtuCheck::MustFragment);
        let fragments = fragment(&view, 1500);
        let mut whole = Vec::new();
        for (i, fragment) in fragments.iter().enumerate() {
            let part = parse(fragment).unwrap();
            assert!(part.is_checksum_valid() && part.is_fragment());
            assert!(fragment.len() <= 1500);
            assert_eq!(usize::from(part.fragment_offset()), whole.len());
            assert_eq!(part.more_fragments(), i + 1 < fragments.len());
            whole.extend_from_slice(part.payload());
        }
        assert_eq!(fragments.len(), 3);
        assert_eq!(whole, view.payload());
    }

    #[test]
    fn only_copied_options_reach_later_fragments() {
        // Loose source route (copied), record route (not copied), end.
        let options = [0x83, 4, 4, 0, 7, 3, 4, 0];
        assert_eq!(copied_options(&options), [0x83, 4, 4, 0]);
        let repr = Ipv4Repr {
            dont_fragment: false,
            ..Ipv4Repr::new([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), 17, 108)
        };
        let mut packet = repr.to_bytes().to_vec();
        packet[0] = 0x47;
        packet.extend_from_slice(&options);
        packet.extend_from_slice(&[1; 100]);
        fill_checksum(&mut packet);
        let parts = fragment(&parse(&packet).unwrap(), 92);
        assert_eq!(parse(&parts[0]).unwrap().options(), options);
        assert_eq!(parse(&parts[1]).unwrap().options(), &options[..4]);
        assert!(parts.iter().all(|p| parse(p).unwrap().is_checksum_valid()));
    }
}
