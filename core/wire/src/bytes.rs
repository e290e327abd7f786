//! Reads and writes at an offset that cannot panic. A view checks its lengths once, so the zero
//! that stands for "outside" is never seen by its users.

use std::net::{Ipv4Addr, Ipv6Addr};

use skybridge_base::MacAddr;

#[inline]
pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes
        .get(at..)
        .and_then(<[u8]>::first_chunk::<N>)
        .copied()
        .unwrap_or([0; N])
}

#[inline]
pub(crate) fn u8_at(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

#[inline]
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(array_at(bytes, at))
}

#[inline]
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(array_at(bytes, at))
}

#[inline]
pub(crate) fn mac_at(bytes: &[u8], at: usize) -> MacAddr {
    MacAddr(array_at(bytes, at))
}

#[inline]
pub(crate) fn ipv4_at(bytes: &[u8], at: usize) -> Ipv4Addr {
    Ipv4Addr::from(array_at::<4>(bytes, at))
}

#[inline]
pub(crate) fn ipv6_at(bytes: &[u8], at: usize) -> Ipv6Addr {
    Ipv6Addr::from(array_at::<16>(bytes, at))
}

/// The bytes from `at`, empty when `at` is outside.
#[inline]
pub(crate) fn from(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(at..).unwrap_or(&[])
}

/// The bytes from `at` up to but without `end`, empty when outside.
#[inline]
pub(crate) fn range(bytes: &[u8], at: usize, end: usize) -> &[u8] {
    bytes.get(at..end).unwrap_or(&[])
}

/// Overwrites at `at`; does nothing when the whole value does not fit.
#[inline]
pub(crate) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    let Some(end) = at.checked_add(value.len()) else {
        return;
    };
    if let Some(to) = bytes.get_mut(at..end) {
        to.copy_from_slice(value);
    }
}

/// A length as a 16-bit field; what does not fit is a caller's mistake and saturates.
#[inline]
pub(crate) fn len_u16(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

/// Two words as four bytes.
#[inline]
pub(crate) const fn pair(a: u16, b: u16) -> [u8; 4] {
    let ([a0, a1], [b0, b1]) = (a.to_be_bytes(), b.to_be_bytes());
    [a0, a1, b0, b1]
}
