//! oci network resources: documents, rules, lifecycles and the Terraform dialect.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod model;
