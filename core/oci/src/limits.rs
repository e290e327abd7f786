//! Limits of OCI (data/reference/limits.csv).

use skybridge_catalogue::catalogue;
use skybridge_estate::Estate;

/// The limit `name` of the rows with cloud `oci`, as it is in force in `estate`.
#[must_use]
pub(crate) fn limit_value(estate: &Estate, name: &str) -> u64 {
    catalogue()
        .limit_in(estate, "oci", name, "")
        .unwrap_or(u64::MAX)
}
