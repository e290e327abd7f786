//! Prefixes on the wire: a length in bits, then as few octets as hold them (RFC 4271 §4.3).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::types::Family;

/// Why a list of prefixes is unreadable (RFC 7606 §5.3): a length above the family's or a cut-off end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PrefixError;

/// Reads prefixes to the end of `bytes`. Bits beyond a prefix length are cleared: their value is
/// irrelevant (RFC 4271 §4.3).
///
/// # Errors
/// [`PrefixError`] at the first unreadable prefix.
pub fn decode_prefixes(
    mut bytes: &[u8],
    family: Family,
    out: &mut Vec<IpNet>,
) -> Result<(), PrefixError> {
    while let Some((&len, rest)) = bytes.split_first() {
        if len > family.bits() {
            return Err(PrefixError);
        }
        let octets = usize::from(len).div_ceil(8);
        let (head, tail) = rest.split_at_checked(octets).ok_or(PrefixError)?;
        out.push(match family {
            Family::V4 => {
                let mut a = [0; 4];
                a[..octets].copy_from_slice(head);
                let net = Ipv4Net::new(Ipv4Addr::from(a), len).map_err(|_| PrefixError)?;
                IpNet::V4(net.trunc())
            }
            Family::V6 => {
                let mut a = [0; 16];
                a[..octets].copy_from_slice(head);
                let net = Ipv6Net::new(Ipv6Addr::from(a), len).map_err(|_| PrefixError)?;
                IpNet::V6(net.trunc())
            }
        });
        bytes = tail;
    }
    Ok(())
}

/// Appends one prefix.
pub fn encode_prefix(net: &IpNet, out: &mut Vec<u8>) {
    let octets = usize::from(net.prefix_len()).div_ceil(8);
    out.push(net.prefix_len());
    match net.network() {
        IpAddr::V4(a) => out.extend_from_slice(&a.octets()[..octets]),
        IpAddr::V6(a) => out.extend_from_slice(&a.octets()[..octets]),
    }
}

/// Octets that [`encode_prefix`] writes.
#[must_use]
pub fn prefix_len(net: &IpNet) -> usize {
    1 + usize::from(net.prefix_len()).div_ceil(8)
}
