//! The TCP MD5 signature option (RFC 2385), as BGP sessions of the clouds use it.
//!
//! The digest covers the pseudo-header, the TCP header without options and with a zero checksum,
//! the data and the key (RFC 2385 §2.0); other options are not protected.

use std::net::IpAddr;

use md5::{Digest, Md5};

use crate::bytes;
use crate::tcp::{self, TcpView};
use crate::{Malformed, protocol};

/// Bytes a signature adds to a header: 18 of the option and two of padding.
pub const OPTION_SPACE: usize = 20;

const KIND: u8 = 19;
const LEN: u8 = 18;
/// Option bytes a header can hold.
const OPTIONS_MAX: usize = 40;

/// Why a signed segment was refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Md5Fault {
    /// The segment carries no signature: the peer has no key configured.
    Missing,
    /// The digest differs: another key, or a changed segment.
    Mismatch,
    /// The segment is no TCP segment, its options cannot be read, or it carries two signatures.
    Malformed,
}

/// Signs a segment (TCP header and data) in place: appends the option, moves the data, corrects the
/// data offset, and fills the checksum. An existing signature is replaced.
///
/// # Errors
/// [`Malformed::Length`] when the options leave less than 20 bytes free; the segment is then
/// unchanged. As [`tcp::parse`] otherwise.
pub fn insert_signature(
    ip_src: IpAddr,
    ip_dst: IpAddr,
    segment: &mut Vec<u8>,
    key: &[u8],
) -> Result<(), Malformed> {
    let view = tcp::parse(segment)?;
    let mut options = options_without_signature(&view)?;
    // Free space is what an end-of-list and trailing no-operations leave unused.
    let padded = options.len().saturating_add(2).next_multiple_of(4);
    options.resize(padded.saturating_sub(2), 1);
    options.extend_from_slice(&[KIND, LEN]);
    let digest_at = options.len().saturating_add(tcp::HEADER_LEN);
    options.extend_from_slice(&[0; 16]);
    if options.len() > OPTIONS_MAX {
        return Err(Malformed::Length);
    }
    replace_options(segment, &options);
    let digest = digest(ip_src, ip_dst, segment, key).ok_or(Malformed::Length)?;
    bytes::put(segment, digest_at, &digest);
    tcp::fill_checksum(ip_src, ip_dst, segment);
    Ok(())
}

/// Verifies a segment's signature and takes the option out, so that what remains is what the sender
/// gave to [`insert_signature`] (padding apart); the checksum is filled again. The TCP checksum
/// itself is not verified here.
///
/// # Errors
/// Why the segment must be dropped without an answer (RFC 2385 §2.0); it is then unchanged.
pub fn verify_and_strip(
    ip_src: IpAddr,
    ip_dst: IpAddr,
    segment: &mut Vec<u8>,
    key: &[u8],
) -> Result<(), Md5Fault> {
    let view = tcp::parse(segment).map_err(|_| Md5Fault::Malformed)?;
    let received = signature(&view)?.ok_or(Md5Fault::Missing)?;
    let expected = digest(ip_src, ip_dst, segment, key).ok_or(Md5Fault::Malformed)?;
    if !equal_in_constant_time(&received, &expected) {
        return Err(Md5Fault::Mismatch);
    }
    let options = options_without_signature(&view).map_err(|_| Md5Fault::Malformed)?;
    replace_options(segment, &options);
    tcp::fill_checksum(ip_src, ip_dst, segment);
    Ok(())
}

/// True when a segment carries a signature option, valid or not.
#[must_use]
pub fn is_signed(segment: &[u8]) -> bool {
    tcp::parse(segment).is_ok_and(|view| !matches!(signature(&view), Ok(None)))
}

/// The one signature of a segment.
fn signature(view: &TcpView<'_>) -> Result<Option<[u8; 16]>, Md5Fault> {
    let mut found = None;
    for option in raw_options(view.options_bytes()) {
        let (kind, whole) = option.map_err(|_| Md5Fault::Malformed)?;
        if kind != KIND {
            continue;
        }
        if whole.len() != usize::from(LEN) || found.is_some() {
            return Err(Md5Fault::Malformed);
        }
        found = Some(bytes::array_at(whole, 2));
    }
    Ok(found)
}

/// The digest of RFC 2385 §2.0; `None` when the segment is no TCP segment.
fn digest(ip_src: IpAddr, ip_dst: IpAddr, segment: &[u8], key: &[u8]) -> Option<[u8; 16]> {
    let view = tcp::parse(segment).ok()?;
    let mut header: [u8; tcp::HEADER_LEN] = bytes::array_at(segment, 0);
    bytes::put(&mut header, 16, &[0, 0]);
    let mut md5 = Md5::new();
    match (ip_src, ip_dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            // Source, destination, zero-padded protocol, segment length (RFC 2385 §2.0 item 1).
            // The length counts the options, unlike the header that is hashed.
            md5.update(src.octets());
            md5.update(dst.octets());
            md5.update([0, protocol::TCP]);
            md5.update(bytes::len_u16(segment.len()).to_be_bytes());
        }
        (src, dst) => {
            // The pseudo-header of RFC 8200 §8.1.
            for address in [src, dst] {
                match address {
                    IpAddr::V4(a) => md5.update(a.to_ipv6_mapped().octets()),
                    IpAddr::V6(a) => md5.update(a.octets()),
                }
            }
            let len = u32::try_from(segment.len()).unwrap_or(u32::MAX);
            md5.update(len.to_be_bytes());
            md5.update([0, 0, 0, protocol::TCP]);
        }
    }
    md5.update(header);
    md5.update(view.payload());
    md5.update(key);
    Some(md5.finalize().into())
}

/// Compares without stopping at the first difference, so that timing tells nothing.
fn equal_in_constant_time(a: &[u8; 16], b: &[u8; 16]) -> bool {
    a.iter().zip(b).fold(0, |seen, (x, y)| seen | (x ^ y)) == 0
}

/// All options but signatures, padding dropped from the end; still to be padded.
fn options_without_signature(view: &TcpView<'_>) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::with_capacity(OPTIONS_MAX);
    for option in raw_options(view.options_bytes()) {
        let (kind, whole) = option?;
        if kind != KIND {
            out.extend_from_slice(whole);
        }
    }
    while out.last() == Some(&1) && ends_with_padding(&out) {
        out.pop();
    }
    Ok(out)
}

/// True when the last byte is a no-operation of its own and not the end of another option.
fn ends_with_padding(options: &[u8]) -> bool {
    raw_options(options)
        .last()
        .is_some_and(|last| matches!(last, Ok((1, _))))
}

/// Every option up to the end of the list with its kind and its bytes, no-operations included.
fn raw_options(mut rest: &[u8]) -> impl Iterator<Item = Result<(u8, &[u8]), Malformed>> {
    std::iter::from_fn(move || {
        let kind = rest.first().copied()?;
        let len = match kind {
            0 => {
                rest = &[];
                return None;
            }
            1 => 1,
            _ => usize::from(bytes::u8_at(rest, 1)).max(2),
        };
        // A stated length of 0 or 1 is caught by comparing with the byte itself.
        let stated = kind == 1 || usize::from(bytes::u8_at(rest, 1)) == len;
        match rest.split_at_checked(len) {
            Some((option, after)) if stated => {
                rest = after;
                Some(Ok((kind, option)))
            }
            _ => {
                rest = &[];
                Some(Err(Malformed::Length))
            }
        }
    })
}

/// Puts `options` in the place of the segment's options, padded with end-of-list to whole words,
/// and corrects the data offset. The segment must have passed [`tcp::parse`].
fn replace_options(segment: &mut Vec<u8>, options: &[u8]) {
    let old_len = usize::from(bytes::u8_at(segment, 12) >> 4).saturating_mul(4);
    let padded = options.len().next_multiple_of(4);
    let padding = std::iter::repeat_n(0, padded.saturating_sub(options.len()));
    segment.splice(
        tcp::HEADER_LEN..old_len,
        options.iter().copied().chain(padding),
    );
    let words = u8::try_from(padded.saturating_add(tcp::HEADER_LEN) >> 2).unwrap_or(15);
    let low = bytes::u8_at(segment, 12) & 0x0f;
    bytes::put(segment, 12, &[words << 4 | low]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::{TcpFlags, TcpOption, TcpRepr};

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn segment(options: &[u8], payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        TcpRepr {
            src_port: 40000,
            dst_port: 179,
            seq: 0x0102_0304,
            ack: 0,
            flags: TcpFlags::SYN,
            window: 65535,
            options,
        }
        .emit(A, B, payload, &mut out);
        out
    }

    #[test]
    fn the_digest_covers_exactly_what_the_rfc_lists() {
        let mut signed = segment(&[2, 4, 5, 0xb4], b"data");
        insert_signature(A, B, &mut signed, b"secret").unwrap();
        // 20 header, 4 MSS, 2 no-operations, 18 signature, 4 data.
        assert_eq!(signed.len(), 48);
        #[rustfmt::skip]
        let covered = [
            // Pseudo-header: addresses, protocol, segment length 48.
            10, 0, 0, 1, 10, 0, 0, 2, 0, 6, 0, 48,
            // Header: ports, sequence, acknowledgement, offset 11, SYN, window, zero checksum.
            0x9c, 0x40, 0, 179, 1, 2, 3, 4, 0, 0, 0, 0, 0xb0, 2, 0xff, 0xff, 0, 0, 0, 0,
            b'd', b'a', b't', b'a',
            b's', b'e', b'c', b'r', b'e', b't',
        ];
        let expected: [u8; 16] = Md5::digest(covered).into();
        let view = tcp::parse(&signed).unwrap();
        assert!(view.is_checksum_valid(A, B));
        let options: Vec<_> = view.options().collect();
        assert_eq!(
            options,
            [TcpOption::MaxSegmentSize(1460), TcpOption::Md5(expected)]
        );
        assert_eq!(view.options_bytes()[4..8], [1, 1, 19, 18]);
    }

    #[test]
    fn missing_wrong_and_double_signatures_are_told_apart() {
        let plain = segment(&[], b"x");
        let verify =
            |segment: &[u8], key: &[u8]| verify_and_strip(A, B, &mut segment.to_vec(), key);
        assert_eq!(verify(&plain, b"key"), Err(Md5Fault::Missing));
        let mut signed = plain.clone();
        insert_signature(A, B, &mut signed, b"key").unwrap();
        assert_eq!(verify(&signed, b"key"), Ok(()));
        assert_eq!(verify(&signed, b"kex"), Err(Md5Fault::Mismatch));
        assert_eq!(verify(&signed[..39], b"key"), Err(Md5Fault::Malformed));
        let broken = segment(&[19, 18, 0, 0], b"");
        assert_eq!(verify(&broken, b"key"), Err(Md5Fault::Malformed));
        let mut double = vec![19, 18];
        double.extend_from_slice(&[0; 16]);
        let double = segment(&double.repeat(2), b"");
        assert_eq!(verify(&double, b"key"), Err(Md5Fault::Malformed));
        assert!(is_signed(&signed) && !is_signed(&plain));
    }

    #[test]
    fn padding_of_the_original_options_is_used() {
        // 22 bytes of options and two of padding: the signature fits exactly.
        let mut options = vec![2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
        options.extend_from_slice(&[3, 3, 7, 5, 3, 9]);
        let mut signed = segment(&options, b"");
        let before = signed.clone();
        insert_signature(A, B, &mut signed, b"key").unwrap();
        assert_eq!(tcp::parse(&signed).unwrap().header_len(), 60);
        verify_and_strip(A, B, &mut signed, b"key").unwrap();
        assert_eq!(signed, before);
    }

    #[test]
    fn a_full_header_cannot_be_signed_and_stays_as_it_was() {
        let mut full = segment(&[5; 24], b"");
        let mut options = vec![5, 24];
        options.resize(24, 0);
        full.splice(20..44, options);
        let before = full.clone();
        let refused = insert_signature(A, B, &mut full, b"key");
        assert_eq!(refused, Err(Malformed::Length));
        assert_eq!(full, before);
    }

    #[test]
    fn ipv6_hashes_its_own_pseudo_header() {
        let six = |last| IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last));
        let mut signed = segment(&[], b"x");
        let mut covered = Vec::new();
        for address in [1, 2] {
            covered.extend_from_slice(&[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0]);
            covered.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, address]);
        }
        covered.extend_from_slice(&[0, 0, 0, 41, 0, 0, 0, 6]);
        insert_signature(six(1), six(2), &mut signed, b"key").unwrap();
        let mut header = signed[..20].to_vec();
        header[16..18].fill(0);
        covered.extend_from_slice(&header);
        covered.extend_from_slice(b"xkey");
        let expected: [u8; 16] = Md5::digest(&covered).into();
        assert_eq!(signature(&tcp::parse(&signed).unwrap()), Ok(Some(expected)));
        assert_eq!(
            verify_and_strip(six(1), six(2), &mut signed, b"key"),
            Ok(())
        );
    }
}
