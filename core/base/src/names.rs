//! Small typed values that many crates name: MAC addresses, VLAN ids, autonomous system numbers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not the value it should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseNameError {
    /// What was expected, for a person.
    pub expected: &'static str,
}

impl fmt::Display for ParseNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.expected)
    }
}

impl std::error::Error for ParseNameError {}

/// An IEEE 802 MAC address; displayed as `02:00:00:00:00:01`.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize,
)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// `ff:ff:ff:ff:ff:ff`.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// A locally administered unicast address from 40 bits.
    #[must_use]
    pub const fn local(bits: u64) -> Self {
        let b = bits.to_be_bytes();
        Self([0x02, b[3], b[4], b[5], b[6], b[7]])
    }

    /// True for broadcast and multicast (IEEE 802 group bit).
    #[must_use]
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 == 1
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// An IEEE 802.1Q VLAN identifier, 1 to 4094.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct VlanId(u16);

impl VlanId {
    /// The identifier, when in 1 to 4094.
    #[must_use]
    pub const fn new(id: u16) -> Option<Self> {
        if id >= 1 && id <= 4094 {
            Some(Self(id))
        } else {
            None
        }
    }

    /// The number.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for VlanId {
    type Error = ParseNameError;
    fn try_from(id: u16) -> Result<Self, ParseNameError> {
        Self::new(id).ok_or(ParseNameError {
            expected: "a VLAN id from 1 to 4094",
        })
    }
}

impl From<VlanId> for u16 {
    fn from(id: VlanId) -> Self {
        id.0
    }
}

impl fmt::Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An autonomous system number of four octets (RFC 6793); displayed as `asplain` (RFC 5396).
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Asn(pub u32);

impl Asn {
    /// AS_TRANS, 23456 (RFC 6793 §9).
    pub const TRANS: Self = Self(23456);

    /// True for the private ranges of RFC 6996 §5.
    #[must_use]
    pub const fn is_private(self) -> bool {
        matches!(self.0, 64512..=65534 | 4_200_000_000..=4_294_967_294)
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Asn {
    type Err = ParseNameError;
    fn from_str(s: &str) -> Result<Self, ParseNameError> {
        s.parse().map(Self).map_err(|_| ParseNameError {
            expected: "an AS number from 0 to 4294967295",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vlan_ids_are_limited_to_the_usable_range() {
        assert_eq!(VlanId::new(0), None);
        assert_eq!(VlanId::new(4095), None);
        assert_eq!(VlanId::new(4094).map(VlanId::as_u16), Some(4094));
    }

    #[test]
    fn mac_addresses_print_in_the_usual_form() {
        assert_eq!(MacAddr::local(1).to_string(), "02:00:00:00:00:01");
        assert!(MacAddr::BROADCAST.is_group());
        assert!(!MacAddr::local(u64::MAX).is_group());
    }
}
