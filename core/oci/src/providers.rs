//! FastConnect providers that a tenancy sees, and the bandwidths they offer.

use skybridge_catalogue::catalogue;

use crate::ocid;

/// The provider of interconnects with Azure.
pub(crate) const AZURE: &str = "Microsoft Azure";

/// A service of a FastConnect provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Service {
    /// `providerName`
    pub(crate) provider: &'static str,
    /// `providerServiceName`
    pub(crate) service: &'static str,
    /// Layer 2, else layer 3 (`type`).
    pub(crate) layer2: bool,
}

impl Service {
    /// Microsoft's: the one that ends at ExpressRoute.
    pub(crate) fn is_azure(&self) -> bool {
        self.provider == AZURE
    }

    /// The OCID of the service in a region.
    pub(crate) fn id(&self, region: &str) -> String {
        let label = format!("{}/{}", self.provider, self.service);
        ocid::stable("providerservice", region, &label)
    }
}

/// The services of every region: Microsoft's, and some partners that sell nearly everywhere, so that
/// configurations have to choose. Only Microsoft's is modelled behind the circuit.
pub(crate) const SERVICES: [Service; 4] = [
    Service {
        provider: "Equinix",
        service: "Fabric",
        layer2: true,
    },
    Service {
        provider: "Lumen",
        service: "Cloud Connect",
        layer2: false,
    },
    Service {
        provider: "Megaport",
        service: "Service",
        layer2: true,
    },
    Service {
        provider: AZURE,
        service: "ExpressRoute",
        layer2: true,
    },
];

/// The service with an OCID.
pub(crate) fn by_id(id: &str) -> Option<&'static Service> {
    let region = ocid::region_of(id)?;
    SERVICES.iter().find(|s| s.id(region) == id)
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
