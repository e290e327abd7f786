//! Names of limits: those of the catalogue, with cloud and qualifier.

use std::collections::BTreeSet;

use skybridge_catalogue::catalogue;

/// The names that a `limits` block may set: `<cloud>_<limit>`, and `<cloud>_<limit>_<qualifier>` for
/// limits that depend on something, such as `oci_routes_in_private_v4`.
#[must_use]
pub fn limit_names() -> BTreeSet<String> {
    let rows = catalogue().limits.iter();
    rows.map(|l| name(&l.cloud, &l.name, &l.qualifier))
        .collect()
}

/// The name of a row: lower case, with `_` for everything that is not a letter or digit.
fn name(cloud: &str, limit: &str, qualifier: &str) -> String {
    let text = if qualifier.is_empty() {
        format!("{cloud}_{limit}")
    } else {
        format!("{cloud}_{limit}_{qualifier}")
    };
    let clean = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    text.chars().map(clean).collect()
}
