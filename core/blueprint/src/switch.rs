//! A carrier's layer 2 device: cross-connects between service points, and how they go wrong.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use skybridge_base::VlanId;

use crate::{CrossConnectName, PortName, Tagging};

/// A device that carries frames between service points and changes nothing but their tags. It learns no
/// addresses, runs no protocol and hides the state of one link from the other: a carrier in the middle
/// fails silently.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Switch {
    /// Its ports.
    pub ports: BTreeMap<PortName, SwitchPort>,
    /// What is joined with what. A frame that fits none is dropped as "unknown VLAN tags".
    pub cross_connects: BTreeMap<CrossConnectName, CrossConnect>,
}

/// A port of a switch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SwitchPort {
    /// Greatest IP packet that may leave it, in octets; a larger one is dropped without a word to its sender.
    pub mtu: u16,
}

/// Two service points and nothing else: frames that come in at one leave at the other.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CrossConnect {
    /// Towards the customer.
    pub a: ServicePoint,
    /// Towards the cloud.
    pub b: ServicePoint,
    /// The tenant whose frames alone may appear here.
    pub tenant: Option<String>,
    /// What the carrier does wrong; at most one of a kind. A compiler leaves it empty, a running world fills it.
    pub faults: Vec<CarrierFault>,
}

/// Frames with some tags at a port.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct ServicePoint {
    /// The port.
    pub port: PortName,
    /// The tags that frames have on the wire there.
    pub tagging: Tagging,
}

/// An end of a cross-connect.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CrossConnectEnd {
    /// Towards the customer.
    A,
    /// Towards the cloud.
    B,
}

/// A carrier's mistake on one cross-connect.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CarrierFault {
    /// Frames leave without their innermost tag; what has none leaves as it is.
    StripTag,
    /// The point with a service tag is set to this one: frames leave with it, and only frames with it are taken.
    WrongSTag(VlanId),
    /// The same with the customer tag.
    WrongCTag(VlanId),
    /// IP packets of more octets vanish.
    Mtu(u16),
    /// Frames lost in a million, in each direction.
    Loss {
        /// 1,000,000 is all of them.
        ppm: u32,
    },
    /// Frames towards this end vanish.
    OneWay {
        /// The end that hears nothing.
        towards: CrossConnectEnd,
    },
}

impl CarrierFault {
    /// True when one takes the place of the other.
    #[must_use]
    pub const fn same_kind(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::StripTag, Self::StripTag)
                | (Self::WrongSTag(_), Self::WrongSTag(_))
                | (Self::WrongCTag(_), Self::WrongCTag(_))
                | (Self::Mtu(_), Self::Mtu(_))
                | (Self::Loss { .. }, Self::Loss { .. })
                | (Self::OneWay { .. }, Self::OneWay { .. })
        )
    }
}

impl fmt::Display for CarrierFault {
    /// As `provider set` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StripTag => f.write_str("strip-tag"),
            Self::WrongSTag(tag) => write!(f, "wrong-s-tag={tag}"),
            Self::WrongCTag(tag) => write!(f, "wrong-c-tag={tag}"),
            Self::Mtu(mtu) => write!(f, "mtu={mtu}"),
            Self::Loss { ppm: 1_000_000 } => f.write_str("silent"),
            Self::Loss { ppm } => write!(f, "loss={}%", f64::from(*ppm) / 1e4),
            Self::OneWay { towards } => match towards {
                CrossConnectEnd::A => f.write_str("one-way=customer"),
                CrossConnectEnd::B => f.write_str("one-way=cloud"),
            },
        }
    }
}

impl CrossConnect {
    /// The service point of an end, with what the carrier got wrong about its tags.
    #[must_use]
    pub fn point(&self, end: CrossConnectEnd) -> ServicePoint {
        let mut point = match end {
            CrossConnectEnd::A => self.a.clone(),
            CrossConnectEnd::B => self.b.clone(),
        };
        for fault in &self.faults {
            if let Tagging::QinQ { s_tag, c_tag } = &mut point.tagging {
                match fault {
                    CarrierFault::WrongSTag(wrong) => *s_tag = *wrong,
                    CarrierFault::WrongCTag(wrong) => *c_tag = *wrong,
                    CarrierFault::StripTag
                    | CarrierFault::Mtu(_)
                    | CarrierFault::Loss { .. }
                    | CarrierFault::OneWay { .. } => {}
                }
            }
        }
        point
    }
}

impl CrossConnectEnd {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}
