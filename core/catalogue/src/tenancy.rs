//! What an OCI tenancy is shown in lists: FastConnect providers' services, images, shapes.

use crate::Grade;
use crate::csv::{CsvError, rows};

/// A service of a FastConnect provider, in every region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FastConnectService {
    /// `providerName`
    pub provider: String,
    /// `providerServiceName`
    pub service: String,
    /// Layer 2, else layer 3 (`type`).
    pub is_layer2: bool,
    /// How sure.
    pub grade: Grade,
    /// Source key.
    pub source: String,
}

/// A platform image. The rows are a small, stable selection, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OciImage {
    /// `operatingSystem`
    pub operating_system: String,
    /// `operatingSystemVersion`
    pub version: String,
    /// `displayName`
    pub name: String,
    /// `timeCreated`, as the provider prints it.
    pub created: String,
    /// How sure.
    pub grade: Grade,
    /// Source key.
    pub source: String,
}

/// A region of OCI's commercial realm.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OciRegion {
    /// `name`, such as `us-ashburn-1`.
    pub name: String,
    /// Its key, such as `IAD`.
    pub key: String,
    /// How sure.
    pub grade: Grade,
    /// Key of [`crate::Catalogue::sources`].
    pub source: String,
}

/// A compute shape; what a flexible one has with one OCPU.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OciShape {
    /// `name`, such as `VM.Standard.E5.Flex`.
    pub name: String,
    /// OCPUs and memory are chosen.
    pub is_flexible: bool,
    /// OCPUs.
    pub ocpus: u32,
    /// Memory, GB.
    pub memory_gb: u32,
    /// Bandwidth of the network in Gbit/s, in the vendor's decimals.
    pub bandwidth_gbps: String,
    /// Most VNICs.
    pub vnics_max: u32,
    /// How sure.
    pub grade: Grade,
    /// Source key.
    pub source: String,
}

pub(crate) fn services() -> Result<Vec<FastConnectService>, CsvError> {
    let text = include_str!("../../../data/fastconnect-services.csv");
    rows("fastconnect-services.csv", text, |row| {
        Ok(FastConnectService {
            provider: row.owned("provider")?,
            service: row.owned("service")?,
            is_layer2: row.number::<u8>("layer")? == 2,
            grade: row.grade()?,
            source: row.owned("source")?,
        })
    })
}

pub(crate) fn images() -> Result<Vec<OciImage>, CsvError> {
    let text = include_str!("../../../data/oci-images.csv");
    rows("oci-images.csv", text, |row| {
        Ok(OciImage {
            operating_system: row.owned("operating_system")?,
            version: row.owned("version")?,
            name: row.owned("name")?,
            created: row.owned("created")?,
            grade: row.grade()?,
            source: row.owned("source")?,
        })
    })
}

pub(crate) fn regions() -> Result<Vec<OciRegion>, CsvError> {
    let text = include_str!("../../../data/oci-regions.csv");
    rows("oci-regions.csv", text, |row| {
        Ok(OciRegion {
            name: row.owned("name")?,
            key: row.owned("key")?,
            grade: row.grade()?,
            source: row.owned("source")?,
        })
    })
}

pub(crate) fn shapes() -> Result<Vec<OciShape>, CsvError> {
    let text = include_str!("../../../data/oci-shapes.csv");
    rows("oci-shapes.csv", text, |row| {
        Ok(OciShape {
            name: row.owned("name")?,
            is_flexible: row.flag("flexible")? == Some(true),
            ocpus: row.number("ocpus")?,
            memory_gb: row.number("memory_gb")?,
            bandwidth_gbps: row.owned("bandwidth_gbps")?,
            vnics_max: row.number("vnics_max")?,
            grade: row.grade()?,
            source: row.owned("source")?,
        })
    })
}
