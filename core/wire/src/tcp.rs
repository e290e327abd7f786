//! The TCP header (RFC 9293): enough for filters, address translation and signatures.

use std::fmt;
use std::net::IpAddr;

use crate::bytes;
use crate::{Malformed, checksum, protocol};

/// Bytes of a header without options.
pub const HEADER_LEN: usize = 20;

/// The control bits, in wire order.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement field counts.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer counts.
    pub const URG: Self = Self(0x20);
    /// ECN echo (RFC 3168 §6.1).
    pub const ECE: Self = Self(0x40);
    /// Congestion window reduced (RFC 3168 §6.1).
    pub const CWR: Self = Self(0x80);

    /// True when all bits of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of bits.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::ops::BitOr for TcpFlags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.with(other)
    }
}

/// `SYN|ACK`, or `-` for none.
impl fmt::Debug for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
        let mut first = true;
        for (bit, name) in names.iter().enumerate() {
            if self.0 >> bit & 1 == 1 {
                if !first {
                    f.write_str("|")?;
                }
                f.write_str(name)?;
                first = false;
            }
        }
        if first { f.write_str("-") } else { Ok(()) }
    }
}

impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A checked segment; its checksum is asked for apart.
#[derive(Clone, Copy, Debug)]
pub struct TcpView<'a> {
    bytes: &'a [u8],
    header_len: usize,
}

/// Checks a segment.
///
/// # Errors
/// [`Malformed::Truncated`] when the header is cut, [`Malformed::Length`] when the data offset is
/// below five.
pub fn parse(bytes: &[u8]) -> Result<TcpView<'_>, Malformed> {
    if bytes.len() < HEADER_LEN {
        return Err(Malformed::Truncated);
    }
    let header_len = usize::from(bytes::u8_at(bytes, 12) >> 4).saturating_mul(4);
    if header_len < HEADER_LEN {
        return Err(Malformed::Length);
    }
    if bytes.len() < header_len {
        return Err(Malformed::Truncated);
    }
    Ok(TcpView { bytes, header_len })
}

impl<'a> TcpView<'a> {
    /// Source port.
    #[must_use]
    pub fn src_port(&self) -> u16 {
        bytes::u16_at(self.bytes, 0)
    }

    /// Destination port.
    #[must_use]
    pub fn dst_port(&self) -> u16 {
        bytes::u16_at(self.bytes, 2)
    }

    /// Sequence number.
    #[must_use]
    pub fn seq(&self) -> u32 {
        bytes::u32_at(self.bytes, 4)
    }

    /// Acknowledgement number; counts with [`TcpFlags::ACK`].
    #[must_use]
    pub fn ack(&self) -> u32 {
        bytes::u32_at(self.bytes, 8)
    }

    /// Bytes of the header, 20 to 60.
    #[must_use]
    pub const fn header_len(&self) -> usize {
        self.header_len
    }

    /// Control bits.
    #[must_use]
    pub fn flags(&self) -> TcpFlags {
        TcpFlags(bytes::u8_at(self.bytes, 13))
    }

    /// Window, not scaled.
    #[must_use]
    pub fn window(&self) -> u16 {
        bytes::u16_at(self.bytes, 14)
    }

    /// The checksum as it stands.
    #[must_use]
    pub fn checksum(&self) -> u16 {
        bytes::u16_at(self.bytes, 16)
    }

    /// Urgent pointer.
    #[must_use]
    pub fn urgent(&self) -> u16 {
        bytes::u16_at(self.bytes, 18)
    }

    /// The options' bytes.
    #[must_use]
    pub fn options_bytes(&self) -> &'a [u8] {
        bytes::range(self.bytes, HEADER_LEN, self.header_len)
    }

    /// The options one by one.
    #[must_use]
    pub fn options(&self) -> TcpOptions<'a> {
        TcpOptions {
            rest: self.options_bytes(),
        }
    }

    /// The data.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        bytes::from(self.bytes, self.header_len)
    }

    /// Sequence space the segment takes: data plus one each for SYN and FIN (RFC 9293 §3.4).
    #[must_use]
    pub fn segment_len(&self) -> u32 {
        let flags = self.flags();
        let control = u32::from(flags.contains(TcpFlags::SYN))
            .wrapping_add(u32::from(flags.contains(TcpFlags::FIN)));
        let data = u32::try_from(self.payload().len()).unwrap_or(u32::MAX);
        data.saturating_add(control)
    }

    /// True when the checksum holds for the given addresses.
    #[must_use]
    pub fn is_checksum_valid(&self, src: IpAddr, dst: IpAddr) -> bool {
        checksum::l4_checksum(src, dst, protocol::TCP, self.bytes) == 0
    }

    /// The header as a value, without its options.
    #[must_use]
    pub fn repr(&self) -> TcpRepr<'a> {
        TcpRepr {
            src_port: self.src_port(),
            dst_port: self.dst_port(),
            seq: self.seq(),
            ack: self.ack(),
            flags: self.flags(),
            window: self.window(),
            options: self.options_bytes(),
        }
    }
}

/// One TCP option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TcpOption<'a> {
    /// Kind 2: maximum segment size (RFC 9293 §3.7.1).
    MaxSegmentSize(u16),
    /// Kind 3: window scale (RFC 7323 §2.2).
    WindowScale(u8),
    /// Kind 4: selective acknowledgement permitted (RFC 2018 §2).
    SackPermitted,
    /// Kind 8: timestamps, value and echo (RFC 7323 §3.2).
    Timestamps(u32, u32),
    /// Kind 19: MD5 signature (RFC 2385 §3.0).
    Md5([u8; 16]),
    /// Anything else, or one of the above with a wrong length.
    Other {
        /// The option's kind.
        kind: u8,
        /// What follows kind and length.
        data: &'a [u8],
    },
    /// An option whose length does not fit: nothing behind it can be read.
    Broken,
}

/// Iterates over options; ends at the end-of-list option, and after [`TcpOption::Broken`].
#[derive(Clone, Copy, Debug)]
pub struct TcpOptions<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for TcpOptions<'a> {
    type Item = TcpOption<'a>;

    fn next(&mut self) -> Option<TcpOption<'a>> {
        let kind = loop {
            let (kind, rest) = self.rest.split_first()?;
            match *kind {
                0 => {
                    self.rest = &[];
                    return None;
                }
                1 => self.rest = rest,
                kind => break kind,
            }
        };
        let len = usize::from(bytes::u8_at(self.rest, 1));
        let split = if len < 2 {
            None
        } else {
            self.rest.split_at_checked(len)
        };
        let Some((option, rest)) = split else {
            self.rest = &[];
            return Some(TcpOption::Broken);
        };
        self.rest = rest;
        let data = bytes::from(option, 2);
        Some(match (kind, len) {
            (2, 4) => TcpOption::MaxSegmentSize(bytes::u16_at(data, 0)),
            (3, 3) => TcpOption::WindowScale(bytes::u8_at(data, 0)),
            (4, 2) => TcpOption::SackPermitted,
            (8, 10) => TcpOption::Timestamps(bytes::u32_at(data, 0), bytes::u32_at(data, 4)),
            (19, 18) => TcpOption::Md5(bytes::array_at(data, 0)),
            _ => TcpOption::Other { kind, data },
        })
    }
}

/// A TCP header; data offset and checksum are computed when it is emitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpRepr<'a> {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Control bits.
    pub flags: TcpFlags,
    /// Window, not scaled.
    pub window: u16,
    /// Encoded options, at most 40 bytes; padded with zero to a multiple of four.
    pub options: &'a [u8],
}

impl TcpRepr<'_> {
    /// Appends header and data with the checksum of the given addresses. Options beyond 40 bytes
    /// are cut.
    pub fn emit(&self, src: IpAddr, dst: IpAddr, payload: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        let options = self.options.get(..40).unwrap_or(self.options);
        let options_len = options.len().next_multiple_of(4);
        let words = options_len.saturating_add(HEADER_LEN) >> 2;
        out.extend_from_slice(&self.src_port.to_be_bytes());
        out.extend_from_slice(&self.dst_port.to_be_bytes());
        out.extend_from_slice(&self.seq.to_be_bytes());
        out.extend_from_slice(&self.ack.to_be_bytes());
        out.push(u8::try_from(words).unwrap_or(5) << 4);
        out.push(self.flags.0);
        out.extend_from_slice(&self.window.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(options);
        out.extend(std::iter::repeat_n(
            0,
            options_len.saturating_sub(options.len()),
        ));
        out.extend_from_slice(payload);
        let segment = out.get_mut(start..).unwrap_or(&mut []);
        fill_checksum(src, dst, segment);
    }
}

/// Computes the checksum of a segment and stores it.
pub fn fill_checksum(src: IpAddr, dst: IpAddr, segment: &mut [u8]) {
    bytes::put(segment, 16, &[0, 0]);
    let check = checksum::l4_checksum(src, dst, protocol::TCP, segment);
    bytes::put(segment, 16, &check.to_be_bytes());
}

/// Lowers the MSS option of a SYN to at most `mss` and updates the checksum; true when it changed
/// something.
pub fn clamp_mss(segment: &mut [u8], mss: u16) -> bool {
    let Ok(view) = parse(segment) else {
        return false;
    };
    if !view.flags().contains(TcpFlags::SYN) {
        return false;
    }
    let mut options = view.options();
    loop {
        let before = options.rest.len();
        let Some(option) = options.next() else {
            return false;
        };
        let TcpOption::MaxSegmentSize(old) = option else {
            continue;
        };
        if old <= mss || before < 4 {
            return false;
        }
        // The value is the last two bytes of what the iterator consumed.
        let at = view
            .header_len()
            .saturating_sub(options.rest.len())
            .saturating_sub(2);
        let (old_sum, new_sum) = if at.is_multiple_of(2) {
            (old, mss)
        } else {
            (old.swap_bytes(), mss.swap_bytes())
        };
        let check = checksum::update(view.checksum(), old_sum, new_sum);
        bytes::put(segment, at, &mss.to_be_bytes());
        bytes::put(segment, 16, &check.to_be_bytes());
        return true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn syn(options: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        TcpRepr {
            src_port: 40000,
            dst_port: 179,
            seq: 1,
            ack: 0,
            flags: TcpFlags::SYN,
            window: 65535,
            options,
        }
        .emit(A, B, b"", &mut out);
        out
    }

    #[test]
    fn the_options_of_a_usual_syn_are_read() {
        #[rustfmt::skip]
        let segment = syn(&[
            2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7,
        ]);
        let view = parse(&segment).unwrap();
        assert!(view.is_checksum_valid(A, B));
        assert_eq!(view.header_len(), 40);
        let options: Vec<_> = view.options().collect();
        assert_eq!(
            options,
            [
                TcpOption::MaxSegmentSize(1460),
                TcpOption::SackPermitted,
                TcpOption::Timestamps(9, 0),
                TcpOption::WindowScale(7),
            ]
        );
    }

    #[test]
    fn a_broken_option_ends_the_list() {
        for broken in [[2, 0, 0, 0], [2, 1, 0, 0], [2, 9, 0, 0]] {
            let segment = syn(&broken);
            let options: Vec<_> = parse(&segment).unwrap().options().collect();
            assert_eq!(options, [TcpOption::Broken]);
        }
        let segment = syn(&[1, 1, 1, 254]);
        let options: Vec<_> = parse(&segment).unwrap().options().collect();
        assert_eq!(options, [TcpOption::Broken]);
        let segment = syn(&[0, 2, 4, 5]);
        assert_eq!(parse(&segment).unwrap().options().count(), 0);
    }

    #[test]
    fn the_segment_size_is_clamped_at_any_alignment() {
        for options in [&[2, 4, 0x23, 0x28][..], &[1, 2, 4, 0x23, 0x28, 1, 1, 1]] {
            let mut segment = syn(options);
            assert!(clamp_mss(&mut segment, 1360));
            let view = parse(&segment).unwrap();
            assert!(view.is_checksum_valid(A, B));
            assert_eq!(view.options().next(), Some(TcpOption::MaxSegmentSize(1360)));
            assert!(!clamp_mss(&mut segment, 1360));
        }
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let segment = syn(&[2, 4, 0x23, 0x28]);
        assert_eq!(parse(&segment[..19]).unwrap_err(), Malformed::Truncated);
        assert_eq!(parse(&segment[..23]).unwrap_err(), Malformed::Truncated);
        let mut short = segment;
        short[12] = 0x40;
        assert_eq!(parse(&short).unwrap_err(), Malformed::Length);
    }

    #[test]
    fn flags_print_as_names() {
        let flags = TcpFlags::SYN | TcpFlags::ACK;
        assert_eq!(flags.to_string(), "SYN|ACK");
        assert_eq!(TcpFlags::default().to_string(), "-");
        assert!(flags.contains(TcpFlags::ACK) && !flags.contains(TcpFlags::RST));
    }
}
