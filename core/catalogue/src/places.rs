//! Where things are: peering locations, who sells there, regions and their pairs.

use crate::Grade;
use crate::csv::{CsvError, rows};

/// An ExpressRoute peering location.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeeringLocation {
    /// `public`, `usgov` or `china`.
    pub cloud: String,
    /// Id, such as `washington-dc`.
    pub location_id: String,
    /// Name as people and ARM spell it, such as `Washington DC`.
    pub location: String,
    /// City; locations of one metro count as different.
    pub metro: String,
    /// Building and operator.
    pub facility: String,
    /// Geopolitical region: what a Standard circuit reaches.
    pub geopolitical_region: String,
    /// Azure regions that a Local circuit reaches, by display name.
    pub local_azure_regions: Vec<String>,
    /// Local circuits are sold here.
    pub local_sku_available: Option<bool>,
    /// ExpressRoute Direct ports are sold here.
    pub er_direct: Option<bool>,
    /// Key of the OCI region linked here, such as `IAD`.
    pub oci_pair_key: Option<String>,
    /// How sure the geopolitical region is.
    pub geo_grade: Grade,
    /// Source key.
    pub source: String,
}

/// A connectivity provider at a peering location.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceProvider {
    /// The location's id.
    pub location_id: String,
    /// The provider's name.
    pub provider: String,
    /// The provider's id.
    pub provider_id: String,
    /// Microsoft's own table lists it.
    pub listed: bool,
    /// Source key.
    pub source: String,
}

/// An Azure region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AzureRegion {
    /// Name, such as `eastus`.
    pub name: String,
    /// Display name, such as `East US`.
    pub display_name: String,
    /// `public`, `usgov` or `china`.
    pub cloud: String,
    /// Geopolitical region, as peering locations spell it.
    pub geopolitical_region: String,
    /// How sure the geopolitical region is.
    pub grade: Grade,
    /// Source key.
    pub source: String,
}

/// An Azure region and an OCI region with a direct link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterconnectPair {
    /// Azure region, such as `eastus`.
    pub azure_region: String,
    /// OCI region, such as `us-ashburn-1`.
    pub oci_region: String,
    /// OCI region name as people spell it.
    pub oci_region_name: String,
    /// OCI region key, such as `IAD`.
    pub oci_key: String,
    /// ExpressRoute peering locations of the link, by name.
    pub peering_locations: Vec<String>,
    /// How sure the Azure region is; the OCI side is documented for all.
    pub azure_region_grade: Grade,
    /// Source key.
    pub source: String,
}

pub(crate) fn locations() -> Result<Vec<PeeringLocation>, CsvError> {
    let text = include_str!("../../../data/reference/peering-locations.csv");
    rows("peering-locations.csv", text, |row| {
        let key = row.owned("oci_pair_key")?;
        Ok(PeeringLocation {
            cloud: row.owned("cloud")?,
            location_id: row.owned("location_id")?,
            location: row.owned("location")?,
            metro: row.owned("metro")?,
            facility: row.owned("facility")?,
            geopolitical_region: row.owned("geopolitical_region")?,
            local_azure_regions: row.list("local_azure_regions")?,
            local_sku_available: row.flag("local_sku_available")?,
            er_direct: row.flag("er_direct")?,
            oci_pair_key: (!key.is_empty()).then_some(key),
            geo_grade: match row.text("geo_source")? {
                "inferred" => Grade::Assumed,
                _ => Grade::Documented,
            },
            source: row.owned("source")?,
        })
    })
}

pub(crate) fn providers() -> Result<Vec<ServiceProvider>, CsvError> {
    let text = include_str!("../../../data/reference/service-providers.csv");
    rows("service-providers.csv", text, |row| {
        Ok(ServiceProvider {
            location_id: row.owned("location_id")?,
            provider: row.owned("provider")?,
            provider_id: row.owned("provider_id")?,
            listed: row.text("listing")? == "listed",
            source: row.owned("source")?,
        })
    })
}

pub(crate) fn regions() -> Result<Vec<AzureRegion>, CsvError> {
    let text = include_str!("../../../data/azure-regions.csv");
    rows("azure-regions.csv", text, |row| {
        Ok(AzureRegion {
            name: row.owned("name")?,
            display_name: row.owned("display_name")?,
            cloud: row.owned("cloud")?,
            geopolitical_region: row.owned("geopolitical_region")?,
            grade: row.grade()?,
            source: row.owned("source")?,
        })
    })
}

pub(crate) fn pairs() -> Result<Vec<InterconnectPair>, CsvError> {
    let text = include_str!("../../../data/reference/interconnect-pairs.csv");
    rows("interconnect-pairs.csv", text, |row| {
        Ok(InterconnectPair {
            azure_region: row.owned("azure_region")?,
            oci_region: row.owned("oci_region")?,
            oci_region_name: row.owned("oci_region_name")?,
            oci_key: row.owned("oci_key")?,
            peering_locations: row.list("er_peering_locations")?,
            azure_region_grade: match row.text("azure_region_basis")? {
                "source" => Grade::Documented,
                basis if basis.starts_with("live-test") || basis == "blog" => Grade::Observed,
                _ => Grade::Assumed,
            },
            source: row.owned("source")?,
        })
    })
}
