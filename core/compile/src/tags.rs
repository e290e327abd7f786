//! Source marks of routes and preferences of static routes.

use skybridge_blueprint::SourceTag;

/// Learned from the customer's or provider's side of a circuit.
pub(crate) const CUSTOMER: SourceTag = 1;
/// Learned from a virtual network gateway.
pub(crate) const GATEWAY: SourceTag = 2;
/// A virtual network's own ranges.
pub(crate) const VNET: SourceTag = 3;
/// A VCN's own ranges.
pub(crate) const VCN: SourceTag = 4;
/// Learned over a FastConnect virtual circuit.
pub(crate) const VIRTUAL_CIRCUIT: SourceTag = 5;
/// Learned from a DRG.
pub(crate) const DRG: SourceTag = 6;
/// A site's own networks.
pub(crate) const SITE: SourceTag = 7;
/// Learned by a site from a cloud.
pub(crate) const CLOUD: SourceTag = 8;
/// First of the marks of connections: `CONNECTION + number`.
pub(crate) const CONNECTION: SourceTag = 0x1_0000;

/// A user defined route beats everything of the same length (Azure); so does a static DRG rule.
pub(crate) const USER: u8 = 1;
/// A VCN's local routes.
pub(crate) const LOCAL: u8 = 0;
/// A system route loses to BGP of the same length (virtual-networks-udr-overview).
pub(crate) const SYSTEM: u8 = 250;
/// What is left when nothing else is known.
pub(crate) const LAST: u8 = 254;
