//! The Internet checksum: ones' complement sums (RFC 1071) and incremental updates (RFC 1624).

use std::net::IpAddr;

/// Folds a wide sum to 16 bits with end-around carry.
const fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff).wrapping_add(sum >> 16);
    }
    let [.., high, low] = sum.to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// The ones' complement sum of `data` as big-endian 16-bit words, not inverted. An odd last byte is
/// padded with zero on the right (RFC 1071 §1).
#[must_use]
#[inline]
pub fn sum(data: &[u8]) -> u16 {
    // Summing wider words and folding at the end gives the same result (RFC 1071 §2(C)).
    let (words, rest) = data.as_chunks::<4>();
    let mut total: u64 = 0;
    for word in words {
        total = total.wrapping_add(u64::from(u32::from_be_bytes(*word)));
    }
    let mut last = [0_u8; 4];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    fold(total.wrapping_add(u64::from(u32::from_be_bytes(last))))
}

/// Adds two folded sums.
#[must_use]
#[inline]
pub fn add(a: u16, b: u16) -> u16 {
    fold(u64::from(a).wrapping_add(u64::from(b)))
}

/// The Internet checksum of `data`: the inverted sum. Zero over data that holds its own valid
/// checksum.
#[must_use]
#[inline]
pub fn checksum(data: &[u8]) -> u16 {
    !sum(data)
}

/// The sum of the pseudo-header of TCP, UDP and `ICMPv6` (RFC 9293 §3.1, RFC 768, RFC 8200 §8.1),
/// not inverted. Mixed address families count each address as it is.
#[must_use]
pub fn pseudo_header_sum(src: IpAddr, dst: IpAddr, protocol: u8, l4_len: usize) -> u16 {
    let len = u32::try_from(l4_len).unwrap_or(u32::MAX);
    let tail = add(sum(&len.to_be_bytes()), u16::from(protocol));
    add(tail, add(sum_of_address(src), sum_of_address(dst)))
}

/// The checksum of an upper-layer segment under its pseudo-header.
#[must_use]
pub fn l4_checksum(src: IpAddr, dst: IpAddr, protocol: u8, segment: &[u8]) -> u16 {
    !add(
        pseudo_header_sum(src, dst, protocol, segment.len()),
        sum(segment),
    )
}

/// The sum of an address's words.
#[must_use]
pub fn sum_of_address(address: IpAddr) -> u16 {
    match address {
        IpAddr::V4(a) => sum(&a.octets()),
        IpAddr::V6(a) => sum(&a.octets()),
    }
}

/// The checksum after a part of the data whose sum was `old_sum` has become one whose sum is
/// `new_sum`: `HC' = ~(~HC + ~m + m')` (RFC 1624 §3 eqn. 3).
#[must_use]
#[inline]
pub fn update(check: u16, old_sum: u16, new_sum: u16) -> u16 {
    !add(add(!check, !old_sum), new_sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071_section_3_adds_up() {
        let data = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(sum(&data), 0xddf2);
        assert_eq!(checksum(&data), !0xddf2);
    }

    #[test]
    fn an_odd_byte_counts_as_the_high_half() {
        assert_eq!(sum(&[0x12]), 0x1200);
        assert_eq!(sum(&[0, 0, 0, 0, 0x12, 0x34, 0x56]), 0x6834);
    }

    #[test]
    fn the_example_of_rfc_1624_section_4_updates_to_zero() {
        // HC = 0xDD2F, m = 0x5555 becomes m' = 0x3285.
        assert_eq!(update(0xdd2f, 0x5555, 0x3285), 0x0000);
    }
}
