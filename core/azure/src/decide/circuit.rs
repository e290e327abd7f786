//! ExpressRoute circuits and their authorizations.

use serde_json::json;
use skybridge_base::Rng;
use skybridge_catalogue::{PeeringLocation, catalogue, region_name, same_name};
use skybridge_estate::{Refusal, Resource, Txn};

use super::put::{Outcome, Request};
use crate::doc::Doc;
use crate::kinds;
use crate::read::tier;
use crate::rules::refuse;

const AT: &str = "/properties/serviceProviderProperties";

/// Service tags of a peering location; low ones are left to ports and management.
const S_TAGS: std::ops::RangeInclusive<u64> = 100..=4094;

pub(super) fn circuit(request: &Request<'_>, txn: &mut Txn) -> Result<Outcome, Refusal> {
    check_sku(request)?;
    let location = check_location(request)?;
    check_provider(request, location)?;
    check_bandwidth(request)?;
    check_local(request, location)?;
    match request.existing {
        Some(existing) => check_change(request, &Doc::of(existing))?,
        None => check_count(request)?,
    }
    let mut outcome = Outcome::default();
    let p = &mut outcome.properties;
    for (field, fresh) in [
        ("circuitProvisioningState", "Enabling"),
        ("serviceProviderProvisioningState", "NotProvisioned"),
    ] {
        let kept = request.computed(&format!("/properties/{field}")).cloned();
        p.insert(field.to_owned(), kept.unwrap_or_else(|| json!(fresh)));
    }
    let key = request.computed("/properties/serviceKey").cloned();
    let key = key.unwrap_or_else(|| {
        let rng = request.estate.draw(txn, "service-key");
        json!(guid(rng))
    });
    p.insert("serviceKey".to_owned(), key);
    if let Some(location) = location {
        let pool = format!("s-tag/{}", location.location_id);
        let tag = request
            .estate
            .allocate(txn, &pool, request.id.as_str(), S_TAGS);
        let Some(tag) = tag else {
            let message = format!("no service tag is free in {}", location.location);
            return Err(refuse("azure.circuit-tags-exhausted", "", message));
        };
        p.insert("stag".to_owned(), json!(tag));
    }
    Ok(outcome)
}

/// A random GUID (RFC 9562 §5.4: version 4, variant 10).
fn guid(mut rng: Rng) -> String {
    let (high, low) = (rng.next_u64(), rng.next_u64());
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

fn check_sku(request: &Request<'_>) -> Result<(), Refusal> {
    if !request.doc.has_unknown("/sku") && tier(&request.doc).is_none() {
        let message = "the tier is Local, Standard or Premium";
        return Err(refuse("azure.circuit-sku", "/sku/tier", message));
    }
    if let Some(family) = request.doc.text("/sku/family")
        && !["MeteredData", "UnlimitedData"]
            .iter()
            .any(|f| f.eq_ignore_ascii_case(family))
    {
        let message = format!("family {family:?} is neither MeteredData nor UnlimitedData");
        return Err(refuse("azure.circuit-sku", "/sku/family", message));
    }
    Ok(())
}

fn check_location(request: &Request<'_>) -> Result<Option<&'static PeeringLocation>, Refusal> {
    let pointer = format!("{AT}/peeringLocation");
    request.require(&pointer)?;
    let Some(text) = request.doc.text(&pointer) else {
        return Ok(None);
    };
    if let Some(location) = catalogue().location(text) {
        return Ok(Some(location));
    }
    let hint = catalogue()
        .nearest_location(text)
        .map_or_else(String::new, |l| format!("; did you mean {:?}?", l.location));
    let message = format!("{text:?} is no peering location{hint}");
    Err(refuse("azure.circuit-location", &pointer, message))
}

fn check_provider(
    request: &Request<'_>,
    location: Option<&PeeringLocation>,
) -> Result<(), Refusal> {
    let pointer = format!("{AT}/serviceProviderName");
    request.require(&pointer)?;
    let Some(text) = request.doc.text(&pointer) else {
        return Ok(());
    };
    let Some(provider) = catalogue().provider(text) else {
        let hint = catalogue()
            .nearest_provider(text)
            .map_or_else(String::new, |p| format!("; did you mean {p:?}?"));
        let message = format!("{text:?} is no service provider{hint}");
        return Err(refuse("azure.circuit-provider", &pointer, message));
    };
    let Some(location) = location else {
        return Ok(());
    };
    if catalogue().is_offered(provider, &location.location_id) {
        return Ok(());
    }
    let mut sold: Vec<&str> = catalogue().locations_of(provider).collect();
    let more = sold.len().saturating_sub(12);
    sold.truncate(12);
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    let message = format!(
        "{provider} does not sell at {}; it does at {}{more}",
        location.location,
        sold.join(", ")
    );
    Err(refuse("azure.circuit-provider-location", &pointer, message))
}

fn check_bandwidth(request: &Request<'_>) -> Result<(), Refusal> {
    let pointer = format!("{AT}/bandwidthInMbps");
    request.require(&pointer)?;
    let Some(mbps) = request.doc.number(&pointer) else {
        return Ok(());
    };
    let steps = catalogue().bandwidth_steps_mbps("azure", "provider-circuit");
    if steps.iter().any(|s| u64::from(*s) == mbps) {
        return Ok(());
    }
    let message = format!("{mbps} Mbit/s is not one of {steps:?}");
    Err(refuse("azure.circuit-bandwidth", &pointer, message))
}

fn check_local(request: &Request<'_>, location: Option<&PeeringLocation>) -> Result<(), Refusal> {
    if tier(&request.doc) != Some("Local") {
        return Ok(());
    }
    let family = request.doc.text("/sku/family");
    let metered = family.is_some_and(|f| f.eq_ignore_ascii_case("MeteredData"));
    if metered {
        let message = "a Local circuit cannot be MeteredData";
        return Err(refuse("azure.circuit-local-family", "/sku/family", message));
    }
    match location {
        Some(at) if at.local_sku_available == Some(false) || at.local_azure_regions.is_empty() => {
            let message = format!("{} has no local Azure region", at.location);
            Err(refuse("azure.circuit-local-location", "/sku/tier", message))
        }
        _ => Ok(()),
    }
}

/// What an update may not do.
fn check_change(request: &Request<'_>, before: &Doc<'_>) -> Result<(), Refusal> {
    let refused =
        |pointer: &str, message: String| Err(refuse("azure.circuit-change", pointer, message));
    for field in ["serviceProviderName", "peeringLocation"] {
        let pointer = format!("{AT}/{field}");
        if let (Some(old), Some(new)) = (before.text(&pointer), request.doc.text(&pointer))
            && !same_name(old, new)
        {
            return refused(
                &pointer,
                format!("{field} cannot change from {old:?} to {new:?}"),
            );
        }
    }
    let pointer = format!("{AT}/bandwidthInMbps");
    if let (Some(old), Some(new)) = (before.number(&pointer), request.doc.number(&pointer))
        && new < old
    {
        return refused(
            &pointer,
            format!("bandwidth cannot go down from {old} to {new} Mbit/s"),
        );
    }
    let family = |d: &Doc<'_>| d.text("/sku/family").map(str::to_ascii_lowercase);
    if family(before).as_deref() == Some("unlimiteddata")
        && family(&request.doc).as_deref() == Some("metereddata")
    {
        return refused(
            "/sku/family",
            "UnlimitedData cannot become MeteredData".to_owned(),
        );
    }
    if let (Some(old @ ("Standard" | "Premium")), Some("Local")) =
        (tier(before), tier(&request.doc))
    {
        return refused("/sku/tier", format!("{old} cannot become Local"));
    }
    Ok(())
}

fn check_count(request: &Request<'_>) -> Result<(), Refusal> {
    let subscription = |id: &str| {
        let found = kinds::segment(id, "subscriptions");
        found.map(str::to_ascii_lowercase)
    };
    let ours = subscription(request.id.as_str());
    let region = request.doc.text("/location").map(region_name);
    let others: Vec<&Resource> = request
        .estate
        .of_kind(kinds::CIRCUIT)
        .filter(|c| subscription(c.id.as_str()) == ours)
        .collect();
    let in_region = others
        .iter()
        .filter(|c| Doc::of(c).text("/location").map(region_name) == region)
        .count();
    for (limit, held) in [
        ("circuits_per_subscription", others.len()),
        ("circuits_per_region_per_subscription", in_region),
    ] {
        let most = catalogue().limit_in(request.estate, "azure", limit, "");
        if let Some(most) = most.filter(|most| held as u64 >= *most) {
            let message = format!("{held} circuits are there; {limit} is {most}");
            return Err(refuse("azure.circuit-count", "", message));
        }
    }
    Ok(())
}

pub(super) fn authorization(request: &Request<'_>, txn: &mut Txn) -> Result<Outcome, Refusal> {
    let key = request.computed("/properties/authorizationKey").cloned();
    let key = key.unwrap_or_else(|| json!(guid(request.estate.draw(txn, "authorization-key"))));
    let mut outcome = Outcome::default();
    outcome
        .properties
        .insert("authorizationKey".to_owned(), key);
    let status = json!("Available");
    outcome
        .properties
        .insert("authorizationUseStatus".to_owned(), status);
    Ok(outcome)
}
