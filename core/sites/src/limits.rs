//! Names of limits: those of the catalogue, with cloud and qualifier.

use std::collections::BTreeSet;

use skybridge_catalogue::{catalogue, limit_key};

/// Names that people know limits by, and those of the catalogue.
const ALIASES: [(&str, &str); 4] = [
    (
        "expressroute_private_prefixes_v4",
        "azure_routes_in_private_v4",
    ),
    (
        "expressroute_private_prefixes_v6",
        "azure_routes_in_private_v6",
    ),
    (
        "fastconnect_private_prefixes_v4",
        "oci_routes_in_private_v4",
    ),
    (
        "fastconnect_private_prefixes_v6",
        "oci_routes_in_private_v6",
    ),
];

/// The names that a `limits` block may set: `<cloud>_<limit>` for all rows of a limit, and
/// `<cloud>_<limit>_<qualifier>` for the row with a qualifier, such as `oci_routes_in_private_v4` and
/// `azure_routes_in_private_v4_premium`; and four names for the prefix limits,
/// such as `expressroute_private_prefixes_v4`.
#[must_use]
pub fn limit_names() -> BTreeSet<String> {
    let mut names: BTreeSet<String> = ALIASES
        .iter()
        .map(|(alias, _)| (*alias).to_owned())
        .collect();
    for limit in &catalogue().limits {
        names.insert(limit_key(&limit.cloud, &limit.name, ""));
        names.insert(limit_key(&limit.cloud, &limit.name, &limit.qualifier));
    }
    names
}

/// The catalogue's name behind a name of [`limit_names`].
pub(crate) fn canonical(name: &str) -> &str {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    alias.map_or(name, |(_, name)| name)
}
