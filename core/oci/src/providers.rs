//! FastConnect providers that a tenancy sees, and the bandwidths they offer.

use skybridge_catalogue::{FastConnectService as Service, catalogue};

use crate::ocid;

/// The provider of interconnects with Azure.
pub(crate) const AZURE: &str = "Microsoft Azure";

/// The services of every region: Microsoft's, and some partners, so that configurations have to choose. Only
/// Microsoft's is modelled behind the circuit.
pub(crate) fn services() -> &'static [Service] {
    &catalogue().fastconnect_services
}

/// Microsoft's: the one that ends at ExpressRoute.
pub(crate) fn azure() -> Option<&'static Service> {
    services().iter().find(|s| is_azure(s))
}

/// True for Microsoft's service.
pub(crate) fn is_azure(service: &Service) -> bool {
    service.provider == AZURE
}

/// The OCID of a service in a region.
pub(crate) fn id(service: &Service, region: &str) -> String {
    let label = format!("{}/{}", service.provider, service.service);
    ocid::stable("providerservice", region, &label)
}

/// The service with an OCID.
pub(crate) fn by_id(ocid: &str) -> Option<&'static Service> {
    let region = ocid::region_of(ocid)?;
    services().iter().find(|s| id(s, region) == ocid)
}

/// The bandwidths on offer, Mbit/s ascending.
pub(crate) fn bandwidths_mbps(azure: bool) -> Vec<u32> {
    let product = if azure {
        "fastconnect-azure-interconnect"
    } else {
        "fastconnect-partner-port"
    };
    catalogue().bandwidth_steps_mbps("oci", product)
}

/// True when a provider hands frames on as they are; so does a cross-connect of one's own.
pub(crate) fn is_layer2(provider: Option<&str>) -> bool {
    let found = provider.and_then(|p| services().iter().find(|s| s.provider == p));
    found.is_none_or(|service| service.is_layer2)
}
