use std::collections::BTreeSet;

use skybridge_estate::{Estate, Pace};

use super::*;

#[test]
fn every_file_parses_and_has_the_rows_it_should() {
    let c = Catalogue::parse().unwrap();
    assert_eq!(c.locations.len(), 118);
    assert_eq!(c.providers.len(), 898);
    assert_eq!(c.pairs.len(), 12);
    assert_eq!(c.bandwidths.len(), 42);
    assert_eq!(c.gateway_skus.len(), 23);
    assert_eq!(c.limits.len(), 105);
    assert_eq!(c.communities.len(), 265);
    assert_eq!(c.regions.len(), 63);
    assert_eq!(c.fastconnect_services.len(), 4);
    assert_eq!((c.oci_images.len(), c.oci_shapes.len()), (10, 10));
    assert_eq!(c.oci_regions.len(), 46);
    for pair in &c.pairs {
        let mut regions = c.oci_regions.iter();
        let is_there = regions.any(|r| r.name == pair.oci_region && r.key == pair.oci_key);
        assert!(is_there, "{} {}", pair.oci_region, pair.oci_key);
    }
    assert!(c.lifecycles.len() > 70 && c.deletions.len() > 40 && c.behaviours.len() > 30);
}

#[test]
fn keys_are_unique() {
    let c = catalogue();
    let unique = |keys: Vec<String>| {
        let set: BTreeSet<&String> = keys.iter().collect();
        assert_eq!(set.len(), keys.len(), "{keys:?}");
    };
    unique(c.locations.iter().map(|l| l.location_id.clone()).collect());
    unique(c.sources.iter().map(|s| s.key.clone()).collect());
    unique(c.behaviours.iter().map(|b| b.name.clone()).collect());
    unique(c.regions.iter().map(|r| r.name.clone()).collect());
    unique(c.oci_images.iter().map(|i| i.name.clone()).collect());
    unique(c.oci_regions.iter().map(|r| r.name.clone()).collect());
    unique(c.oci_shapes.iter().map(|s| s.name.clone()).collect());
    unique(
        (c.lifecycles
            .iter()
            .map(|l| format!("{} {:?}", l.kind, l.operation)))
        .collect(),
    );
    unique(
        (c.deletions
            .iter()
            .map(|d| format!("{} {}", d.kind, d.condition)))
        .collect(),
    );
    unique(
        (c.limits
            .iter()
            .map(|l| format!("{} {} {}", l.cloud, l.name, l.qualifier)))
        .collect(),
    );
}

/// A source cell is one or more keys of `sources.csv` separated by semicolons, each perhaps followed by
/// a remark in parentheses.
#[test]
fn every_source_resolves() {
    let c = catalogue();
    let mut cells: Vec<&str> = Vec::new();
    cells.extend(c.locations.iter().map(|x| x.source.as_str()));
    cells.extend(c.providers.iter().map(|x| x.source.as_str()));
    cells.extend(c.regions.iter().map(|x| x.source.as_str()));
    cells.extend(c.pairs.iter().map(|x| x.source.as_str()));
    cells.extend(c.bandwidths.iter().map(|x| x.source.as_str()));
    cells.extend(c.gateway_skus.iter().map(|x| x.source.as_str()));
    cells.extend(c.limits.iter().map(|x| x.source.as_str()));
    cells.extend(c.communities.iter().map(|x| x.source.as_str()));
    cells.extend(c.lifecycles.iter().map(|x| x.source.as_str()));
    cells.extend(c.deletions.iter().map(|x| x.source.as_str()));
    cells.extend(c.behaviours.iter().map(|x| x.source.as_str()));
    cells.extend(c.fastconnect_services.iter().map(|x| x.source.as_str()));
    cells.extend(c.oci_images.iter().map(|x| x.source.as_str()));
    cells.extend(c.oci_regions.iter().map(|x| x.source.as_str()));
    cells.extend(c.oci_shapes.iter().map(|x| x.source.as_str()));
    for cell in cells {
        for part in cell.split(';') {
            let key = part.split(" (").next().unwrap_or("").trim();
            assert!(c.source(key).is_some(), "{cell:?} is not in sources.csv");
        }
    }
}

#[test]
fn what_is_recalled_is_never_graded_documented() {
    let c = catalogue();
    let recalled = ["assumed", "recalled", "deduced", "inferred"];
    for (source, grade) in (c.lifecycles.iter().map(|x| (&x.source, x.grade)))
        .chain(c.deletions.iter().map(|x| (&x.source, x.grade)))
        .chain(c.behaviours.iter().map(|x| (&x.source, x.grade)))
        .chain(c.regions.iter().map(|x| (&x.source, x.grade)))
        .chain((c.fastconnect_services.iter()).map(|x| (&x.source, x.grade)))
        .chain(c.oci_images.iter().map(|x| (&x.source, x.grade)))
        .chain(c.oci_shapes.iter().map(|x| (&x.source, x.grade)))
        .chain(c.oci_regions.iter().map(|x| (&x.source, x.grade)))
    {
        if recalled.contains(&source.as_str()) {
            assert_eq!(grade, Grade::Assumed, "{source}");
        }
    }
}

#[test]
fn tables_refer_to_each_other() {
    let c = catalogue();
    for provider in &c.providers {
        assert!(c.location(&provider.location_id).is_some(), "{provider:?}");
    }
    for pair in &c.pairs {
        for location in &pair.peering_locations {
            let location = c.location(location).unwrap();
            assert_eq!(location.oci_pair_key.as_ref(), Some(&pair.oci_key));
            assert!(c.is_offered("Oracle Cloud FastConnect", &location.location_id));
        }
        assert!(c.azure_region(&pair.azure_region).is_some(), "{pair:?}");
    }
    for location in &c.locations {
        for region in &location.local_azure_regions {
            assert!(c.azure_region(region).is_some(), "{region}");
        }
    }
}

#[test]
fn locations_and_providers_are_found_as_people_write_them() {
    let c = catalogue();
    assert_eq!(
        c.location("washingtondc").unwrap().location,
        "Washington DC"
    );
    assert_eq!(
        c.location("Washington DC2").unwrap().location_id,
        "washington-dc2"
    );
    assert_eq!(
        c.location("Silicon  valley").unwrap().location_id,
        "silicon-valley"
    );
    assert_eq!(c.location("Wahsington DC"), None);
    assert_eq!(
        c.nearest_location("Wahsington DC").unwrap().location,
        "Washington DC"
    );
    assert_eq!(
        c.provider("oracle cloud fastconnect"),
        Some("Oracle Cloud FastConnect")
    );
    assert_eq!(c.nearest_provider("Equinox"), Some("Equinix"));
    assert!(c.is_offered("Equinix", "washington-dc"));
    assert!(!c.is_offered("Oracle Cloud FastConnect", "seattle"));
    assert!(c.providers_at("washington-dc").count() > 10);
    assert!(
        c.locations_of("Oracle Cloud FastConnect")
            .any(|l| l == "Phoenix")
    );
}

#[test]
fn pairs_are_found_from_every_end() {
    let c = catalogue();
    let pair = c.pair_of_azure_region("East US").unwrap();
    assert_eq!(pair.oci_region, "us-ashburn-1");
    assert_eq!(c.pair_of_oci_region("us-ashburn-1"), Some(pair));
    assert_eq!(c.pair_of_oci_region("iad"), Some(pair));
    assert_eq!(c.pair_at("Washington DC2"), Some(pair));
    assert_eq!(c.pair_at("seattle"), None);
    assert_eq!(pair.azure_region_grade, Grade::Documented);
    assert_eq!(
        c.pair_at("Campinas").unwrap().azure_region_grade,
        Grade::Observed
    );
}

#[test]
fn gateway_skus_accept_every_spelling() {
    let c = catalogue();
    for (spelling, mbps) in [
        ("Standard", 1000),
        ("HighPerformance", 2000),
        ("UltraPerformance", 10_000),
        ("ErGw1AZ", 1000),
        ("ErGw2Az", 2000),
        ("ergw3az", 10_000),
    ] {
        let sku = c.gateway_sku("ExpressRoute", spelling).unwrap();
        assert_eq!(sku.mbps, mbps, "{spelling}");
    }
    assert_eq!(c.gateway_sku("ExpressRoute", "VpnGw1"), None);
    assert_eq!(c.gateway_sku("Vpn", "VpnGw1").unwrap().mbps, 650);
}

#[test]
fn limits_depend_on_their_qualifier() {
    let c = catalogue();
    let value = |name, q| c.limit("azure", name, q).map(|l| l.value);
    assert_eq!(value("routes_in_private_v4", "Premium"), Some(10_000));
    assert_eq!(value("routes_in_private_v4", "Standard"), Some(4000));
    assert_eq!(value("circuits_per_subscription", "anything"), Some(50));
    assert_eq!(value("no_such_limit", ""), None);
    assert_eq!(
        c.limit("oci", "routes_in_private_v4", "").unwrap().value,
        2000
    );
    let links = |tier, mbps| {
        let qualifier = Catalogue::vnet_links_qualifier(tier, mbps);
        c.limit("azure", "vnet_links", &qualifier).map(|l| l.value)
    };
    assert_eq!(links("Local", 1000), Some(10));
    assert_eq!(links("Premium", 500), Some(40));
    assert_eq!(c.bandwidth_steps_mbps("azure", "provider-circuit").len(), 8);
    assert_eq!(
        c.region_community("East US", "private").unwrap().community,
        "12076:50004"
    );
}

#[test]
fn a_limit_set_in_an_estate_goes_before_the_catalogue_and_a_row_before_all_rows() {
    let mut estate = Estate::new(1, Pace::Instant);
    let of =
        |estate: &Estate, tier| catalogue().limit_in(estate, "azure", "routes_in_private_v4", tier);
    assert_eq!(of(&estate, "premium"), Some(10_000));
    let set = [
        ("azure_routes_in_private_v4", 5),
        ("azure_routes_in_private_v4_premium", 7),
    ];
    estate.set_limits(set.map(|(k, v)| (k.to_owned(), v)).into());
    assert_eq!(of(&estate, "Premium"), Some(7));
    assert_eq!(of(&estate, "standard"), Some(5));
    let other = catalogue().limit_in(&estate, "oci", "routes_in_private_v4", "");
    assert_eq!(other, Some(2000));
}

#[test]
fn lifecycles_deletions_and_behaviours_answer() {
    let c = catalogue();
    for op in [
        LifecycleOp::Create,
        LifecycleOp::Update,
        LifecycleOp::Delete,
        LifecycleOp::Provider,
    ] {
        assert_eq!(c.lifecycle_row("some/new-kind", op).kind, "*");
    }
    let gateway = c.lifecycle_row(
        "microsoft.network/virtualNetworkGateways",
        LifecycleOp::Create,
    );
    assert_eq!(gateway.duration.as_secs(), 2700);
    assert_eq!(gateway.grade, Grade::Documented);
    assert_eq!(
        c.lifecycle("oci/virtual-circuit", LifecycleOp::Provider)
            .as_secs(),
        300
    );
    let refused = c.deletion("oci/vcn", "not-empty").unwrap();
    assert_eq!(
        refused.outcome,
        DeletionOutcome::Refused {
            code: "Conflict".into(),
            status: 409
        }
    );
    let failed = c.deletion(
        "Microsoft.Network/expressRouteCircuits",
        "provider-provisioned",
    );
    assert_eq!(failed.unwrap().outcome, DeletionOutcome::AcceptedThenFailed);
    let hold = c.behaviour("gateway_msee_bgp_hold_s").unwrap();
    assert_eq!((hold.value, hold.grade), (60, Grade::Assumed));
    assert_eq!(c.behaviour("nothing"), None);
}
