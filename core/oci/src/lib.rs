//! OCI's network resources: documents in the form of the core services API, what OCI decides about them
//! ([`Oci`]), and the typed model that the compiler reads ([`OciModel::read`]).
//!
//! What it is not: no routes, no packets (the compiler makes those of the model), no HTTP. States that
//! packets decide, such as `bgpSessionState`, are never written into documents.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod decide;
mod durations;
pub mod kinds;
mod limits;
pub mod model;
mod ocid;
mod providers;
mod read;
pub mod rules;
pub mod terraform;
mod wish;

pub use decide::{Oci, azure_circuit, effective_bandwidth_mbps};
pub use kinds::parent_field;
pub use model::OciModel;
pub use ocid::{HOME_REGION, region_of};

#[cfg(test)]
mod testing;
