//! Questions to the catalogue.

use std::time::Duration;

use skybridge_estate::Estate;

use crate::limits::limit_key;
use crate::text::{key, nearest, region_name, same_name};
use crate::{
    AzureRegion, Behaviour, Catalogue, Community, Deletion, GatewaySku, InterconnectPair,
    Lifecycle, LifecycleOp, Limit, PeeringLocation, Source,
};

impl Catalogue {
    /// A peering location by name or id; case, spaces and punctuation do not matter.
    #[must_use]
    pub fn location(&self, text: &str) -> Option<&PeeringLocation> {
        self.locations
            .iter()
            .find(|l| same_name(&l.location, text) || same_name(&l.location_id, text))
    }

    /// The peering location that a misspelt name most likely means.
    #[must_use]
    pub fn nearest_location(&self, text: &str) -> Option<&PeeringLocation> {
        let name = nearest(text, self.locations.iter().map(|l| l.location.as_str()))?;
        self.location(name)
    }

    /// A provider's name as the catalogue spells it; case, spaces and punctuation do not matter.
    #[must_use]
    pub fn provider(&self, text: &str) -> Option<&str> {
        let found = |p: &&crate::ServiceProvider| {
            same_name(&p.provider, text) || same_name(&p.provider_id, text)
        };
        self.providers
            .iter()
            .find(found)
            .map(|p| p.provider.as_str())
    }

    /// The provider that a misspelt name most likely means.
    #[must_use]
    pub fn nearest_provider(&self, text: &str) -> Option<&str> {
        nearest(text, self.providers.iter().map(|p| p.provider.as_str()))
    }

    /// The providers at a location, in the order of the table.
    pub fn providers_at<'a>(&'a self, location_id: &'a str) -> impl Iterator<Item = &'a str> {
        self.providers
            .iter()
            .filter(move |p| p.location_id == location_id)
            .map(|p| p.provider.as_str())
    }

    /// The locations where a provider sells, by name.
    pub fn locations_of<'a>(&'a self, provider: &'a str) -> impl Iterator<Item = &'a str> {
        self.locations
            .iter()
            .filter(move |l| self.is_offered(provider, &l.location_id))
            .map(|l| l.location.as_str())
    }

    /// True when a provider sells at a location.
    #[must_use]
    pub fn is_offered(&self, provider: &str, location_id: &str) -> bool {
        self.providers
            .iter()
            .any(|p| p.location_id == location_id && same_name(&p.provider, provider))
    }

    /// An Azure region by name or display name.
    #[must_use]
    pub fn azure_region(&self, text: &str) -> Option<&AzureRegion> {
        let name = region_name(text);
        self.regions.iter().find(|r| r.name == name)
    }

    /// The direct link of an Azure region with OCI, if it has one.
    #[must_use]
    pub fn pair_of_azure_region(&self, text: &str) -> Option<&InterconnectPair> {
        let name = region_name(text);
        self.pairs.iter().find(|p| p.azure_region == name)
    }

    /// The direct link of an OCI region (`us-ashburn-1`, `IAD`) with Azure, if it has one.
    #[must_use]
    pub fn pair_of_oci_region(&self, text: &str) -> Option<&InterconnectPair> {
        self.pairs
            .iter()
            .find(|p| same_name(&p.oci_region, text) || same_name(&p.oci_key, text))
    }

    /// The direct link that ends at a peering location (name or id), if there is one.
    #[must_use]
    pub fn pair_at(&self, location: &str) -> Option<&InterconnectPair> {
        self.pairs
            .iter()
            .find(|p| p.peering_locations.iter().any(|l| same_name(l, location)))
    }

    /// The bandwidth steps of a product, Mbit/s ascending: `("azure", "provider-circuit")`,
    /// `("oci", "fastconnect-azure-interconnect")`.
    #[must_use]
    pub fn bandwidth_steps_mbps(&self, cloud: &str, product: &str) -> Vec<u32> {
        let mut steps: Vec<u32> = self
            .bandwidths
            .iter()
            .filter(|b| b.cloud == cloud && b.product == product)
            .map(|b| b.mbps)
            .collect();
        steps.sort_unstable();
        steps
    }

    /// A gateway SKU by type (`expressroute`, `vpn`) and name; `ErGw1AZ`, `ErGw1Az` and `ergw1az` are one.
    #[must_use]
    pub fn gateway_sku(&self, gateway_type: &str, sku: &str) -> Option<&GatewaySku> {
        self.gateway_skus
            .iter()
            .find(|s| same_name(&s.gateway_type, gateway_type) && same_name(&s.sku, sku))
    }

    /// A limit. Qualifiers compare without case; a qualifier that the table does not know falls back to
    /// the limit without one.
    #[must_use]
    pub fn limit(&self, cloud: &str, name: &str, qualifier: &str) -> Option<&Limit> {
        let of_name = |l: &&Limit| l.cloud == cloud && l.name == name;
        self.limits
            .iter()
            .filter(of_name)
            .find(|l| l.qualifier.eq_ignore_ascii_case(qualifier))
            .or_else(|| {
                self.limits
                    .iter()
                    .filter(of_name)
                    .find(|l| l.qualifier.is_empty())
            })
    }

    /// A limit in force in `estate`: what was set there for the row, else for all rows of the limit, else
    /// this catalogue's figure. `None` when nobody knows one.
    #[must_use]
    pub fn limit_in(
        &self,
        estate: &Estate,
        cloud: &str,
        name: &str,
        qualifier: &str,
    ) -> Option<u64> {
        let set = |qualifier| estate.limit(&limit_key(cloud, name, qualifier));
        set(qualifier)
            .or_else(|| set(""))
            .or_else(|| Some(self.limit(cloud, name, qualifier)?.value))
    }

    /// The qualifier of `vnet_links`, which says how many virtual networks a circuit may be linked to, by
    /// tier (`Local`, `Standard`, `Premium`) and bandwidth.
    #[must_use]
    pub fn vnet_links_qualifier(tier: &str, mbps: u32) -> String {
        let tier = match key(tier).as_str() {
            "premium" => "premium",
            _ => "local/standard",
        };
        format!("{tier}@{mbps}")
    }

    /// The community that tags a region's routes on a peering (`private`, `microsoft`).
    #[must_use]
    pub fn region_community(&self, region: &str, peering: &str) -> Option<&Community> {
        self.communities
            .iter()
            .find(|c| c.kind == "region" && c.peering == peering && same_name(&c.name, region))
    }

    /// How long an operation on a kind takes, with grade and source; the `*` row for kinds not listed.
    /// Kinds compare without case and punctuation.
    #[must_use]
    pub fn lifecycle_row(&self, kind: &str, operation: LifecycleOp) -> &Lifecycle {
        let of = |wanted: &str| {
            self.lifecycles
                .iter()
                .find(|l| l.operation == operation && same_kind(&l.kind, wanted))
        };
        of(kind)
            .or_else(|| of("*"))
            .expect("lifecycles.csv has a * row for each operation; a test proves it")
    }

    /// How long an operation on a kind takes in the real cloud.
    #[must_use]
    pub fn lifecycle(&self, kind: &str, operation: LifecycleOp) -> Duration {
        self.lifecycle_row(kind, operation).duration
    }

    /// What deleting a resource of `kind` in `condition` does; `None` when the table has no such row.
    #[must_use]
    pub fn deletion(&self, kind: &str, condition: &str) -> Option<&Deletion> {
        self.deletions
            .iter()
            .find(|d| same_kind(&d.kind, kind) && d.condition == condition)
    }

    /// A constant of the model.
    #[must_use]
    pub fn behaviour(&self, name: &str) -> Option<&Behaviour> {
        self.behaviours.iter().find(|b| b.name == name)
    }

    /// A source by its key.
    #[must_use]
    pub fn source(&self, key: &str) -> Option<&Source> {
        self.sources.iter().find(|s| s.key == key)
    }
}

/// `oci/drg_attachment` and `oci/drg-attachment` are one kind; slashes count.
fn same_kind(a: &str, b: &str) -> bool {
    a == b
        || (a.split('/').count() == b.split('/').count()
            && a != "*"
            && b != "*"
            && a.split('/').zip(b.split('/')).all(|(a, b)| same_name(a, b)))
}
