//! The clouds' reference data, embedded: peering locations, providers, bandwidths, gateway SKUs, region
//! pairs, limits, communities; how long lifecycles take, what wrong deletions do, and the constants that
//! the model rests on. Every row has a source, and a [`Grade`] where it is not simply documented.
//!
//! The files are in `data/` (see its README). They are parsed once, by [`catalogue`]; a file that does not
//! parse is a fault of the build, found by this crate's tests.
//!
//! ```
//! use skybridge_catalogue::catalogue;
//! let location = catalogue().location("washington DC").unwrap();
//! assert!(catalogue().is_offered("Oracle Cloud FastConnect", &location.location_id));
//! assert_eq!(catalogue().behaviour("msee_bgp_hold_s").unwrap().value, 180);
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod csv;
mod limits;
mod lookup;
mod places;
mod practice;
mod sources;
mod tenancy;
mod text;

use std::sync::LazyLock;

pub use limits::{Bandwidth, Community, GatewaySku, Limit, limit_key};
pub use places::{AzureRegion, InterconnectPair, PeeringLocation, ServiceProvider};
pub use practice::{Behaviour, Deletion, DeletionOutcome, Lifecycle, LifecycleOp};
pub use skybridge_estate::Grade;
pub use sources::Source;
pub use tenancy::{FastConnectService, OciImage, OciRegion, OciShape};
pub use text::{nearest, region_name, same_name};

/// All reference data, typed. Rows keep the order of their files.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// ExpressRoute peering locations.
    pub locations: Vec<PeeringLocation>,
    /// Connectivity providers per peering location.
    pub providers: Vec<ServiceProvider>,
    /// Azure regions.
    pub regions: Vec<AzureRegion>,
    /// Azure and OCI regions that are linked directly.
    pub pairs: Vec<InterconnectPair>,
    /// Bandwidth steps per cloud and product.
    pub bandwidths: Vec<Bandwidth>,
    /// Gateway SKUs, ExpressRoute and VPN.
    pub gateway_skus: Vec<GatewaySku>,
    /// Limits of every cloud.
    pub limits: Vec<Limit>,
    /// BGP communities that Microsoft sends.
    pub communities: Vec<Community>,
    /// How long control planes take.
    pub lifecycles: Vec<Lifecycle>,
    /// What deletions do.
    pub deletions: Vec<Deletion>,
    /// Constants of the model.
    pub behaviours: Vec<Behaviour>,
    /// Services of FastConnect providers.
    pub fastconnect_services: Vec<FastConnectService>,
    /// Platform images of OCI, newest first.
    pub oci_images: Vec<OciImage>,
    /// Compute shapes of OCI.
    pub oci_shapes: Vec<OciShape>,
    /// Regions of OCI.
    pub oci_regions: Vec<OciRegion>,
    /// Where rows come from.
    pub sources: Vec<Source>,
}

static CATALOGUE: LazyLock<Catalogue> =
    LazyLock::new(|| Catalogue::parse().expect("embedded files parse; a test proves it"));

/// The catalogue of this build.
#[must_use]
pub fn catalogue() -> &'static Catalogue {
    &CATALOGUE
}

impl Catalogue {
    fn parse() -> Result<Self, csv::CsvError> {
        Ok(Self {
            locations: places::locations()?,
            providers: places::providers()?,
            regions: places::regions()?,
            pairs: places::pairs()?,
            bandwidths: limits::bandwidths()?,
            gateway_skus: limits::gateway_skus()?,
            limits: limits::limits()?,
            communities: limits::communities()?,
            lifecycles: practice::lifecycles()?,
            deletions: practice::deletions()?,
            behaviours: practice::behaviours()?,
            fastconnect_services: tenancy::services()?,
            oci_images: tenancy::images()?,
            oci_shapes: tenancy::shapes()?,
            oci_regions: tenancy::regions()?,
            sources: sources::sources()?,
        })
    }
}

#[cfg(test)]
mod tests;
