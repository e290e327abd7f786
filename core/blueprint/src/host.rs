//! Hosts: where traffic begins and ends.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use skybridge_base::MacAddr;

use crate::PortName;

/// An end host with one interface.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Host {
    /// Its only port.
    pub port: PortName,
    /// Its address on the link.
    pub mac: MacAddr,
    /// Its IP addresses with the subnet's prefix length.
    pub addresses: Vec<IpNet>,
    /// Its default gateway, one per family.
    pub gateways: Vec<IpAddr>,
    /// The interface MTU in octets.
    pub mtu: u16,
    /// What answers on it beside ICMP echo.
    pub services: Vec<Service>,
    /// Made by Skybridge to have something to probe from; not the user's.
    pub synthetic: bool,
}

/// A listening port of a host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Service {
    /// The name given in the lab file.
    pub name: String,
    /// The TCP port.
    pub tcp_port: u16,
    /// What answers.
    pub kind: ServiceKind,
}

/// What answers on a service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceKind {
    /// The built-in labelled test echo.
    Echo,
    /// A server outside the world at `target` (`host:port`); the test echo answers when it refuses.
    Bridge {
        /// Where the real server listens, as the lab file says it.
        target: String,
    },
}
