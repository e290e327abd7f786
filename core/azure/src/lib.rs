//! Azure's network resources: documents, rules, lifecycles and the Terraform dialect.
//!
//! What it is: [`Azure`] decides commands on ARM documents as Azure's control plane would
//! ([`skybridge_estate::Decide`]); [`model::AzureModel::read`] turns an estate into typed values for the
//! compiler; [`rules`] names every rule with grade and source, and finds what the API accepts although it
//! will not work; [`terraform`] maps `azurerm` resources to commands and back.
//!
//! What it is not: it routes no packet, holds no state of its own and reads no clock.
//!
//! Limits: 254 public addresses (of 203.0.113.0/24, RFC 5737 §3) and 3995 circuits per peering location;
//! past these a request is refused as Azure refuses for want of capacity.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod decide;
mod doc;
pub mod kinds;
pub mod model;
mod read;
pub mod rules;
pub mod terraform;
#[cfg(test)]
mod testing;

pub use decide::{Azure, MANUAL_PROVIDER_TAG, ORACLE_PROVIDER};
