//! Limits of OCI (data/reference/limits.csv).

use skybridge_catalogue::catalogue;

/// The limit `name` of the rows with cloud `oci`.
#[must_use]
pub(crate) fn limit_value(name: &str) -> u64 {
    catalogue()
        .limit("oci", name, "")
        .map_or(u64::MAX, |l| l.value)
}
