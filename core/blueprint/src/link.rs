//! Links: what joins two ports.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{NodeName, Owner, PortName};

/// One end of a link.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    /// The node.
    pub node: NodeName,
    /// Its port.
    pub port: PortName,
}

/// A point-to-point link. Directions are independent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Link {
    /// One end.
    pub a: Endpoint,
    /// The other end.
    pub b: Endpoint,
    /// What kind of thing it stands for; failure sweeps choose by it.
    pub class: LinkClass,
    /// Who would be called when it breaks.
    pub owner: Owner,
    /// Propagation delay of one direction; `None` when nobody declared one.
    pub delay: Option<Duration>,
    /// Greatest additional random delay; never reorders.
    pub jitter: Duration,
    /// Random loss, frames in a million.
    pub loss_ppm: u32,
    /// Serialisation rate in bits per second; `None` is not limited here.
    pub rate_bps: Option<u64>,
    /// Greatest IP packet in octets (layer 2 headers and tags come on top).
    pub mtu: u16,
}

/// What a link stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkClass {
    /// The cross-connect between an MSEE and a provider's or cloud's edge: a physical element.
    CrossConnect,
    /// The line between a customer's edge router and its carrier: a physical element.
    Access,
    /// Inside a cloud's backbone: a physical element of that cloud.
    Backbone,
    /// Between a distributed router and a host's interface card: no separate element of failure.
    Attachment,
}
