//! What the lab files say, with references resolved to what is in the estate.

use std::time::Duration;

use skybridge_compile::{
    Appliance, CrossConnectSettings, ExtraHost, Extras, HostRef, ServicePlacement,
};
use skybridge_estate::{Estate, ResourceId};
use skybridge_sites::{Endpoint, HostPlace, LabFile, LinkTarget, Path};
use skybridge_terraform::Address;

use crate::premises;

/// Joins all lab files. What refers to something that is not there (yet) is left out.
pub(crate) fn extras(estate: &Estate, files: &[&LabFile]) -> Extras {
    let mut extras = Extras::default();
    for file in files {
        for service in &file.services {
            if let Some(host) = host_ref(estate, &file.stack, &service.host) {
                extras.services.push(ServicePlacement {
                    name: service.name.clone(),
                    host,
                    tcp_port: service.tcp,
                    target: service.to.as_ref().map(|t| {
                        if t.host.contains(':') {
                            format!("[{}]:{}", t.host, t.port)
                        } else {
                            format!("{}:{}", t.host, t.port)
                        }
                    }),
                });
            }
        }
        for appliance in &file.appliances {
            if let Some(machine) = resource_at(estate, &file.stack, &appliance.host) {
                let routes = appliance.routes.iter();
                let routes = routes.filter_map(|(prefix, card)| {
                    Some((*prefix, resource_at(estate, &file.stack, card)?))
                });
                extras.appliances.push(Appliance {
                    machine,
                    stateful: appliance.stateful,
                    routes: routes.collect(),
                });
            }
        }
        for host in &file.hosts {
            let HostPlace::Subnet(subnet) = &host.subnet else {
                continue;
            };
            if let Some(subnet) = resource_at(estate, &file.stack, subnet) {
                extras.hosts.push(ExtraHost {
                    name: host.name.clone(),
                    subnet,
                    address: host.address,
                });
            }
        }
        for site in &file.sites {
            // Of two sites of one name, the first; the other is named by a rule.
            if !extras.sites.iter().any(|s| s.name == site.name) {
                extras.sites.push(premises::site(estate, file, site));
            }
        }
        extras
            .carriers
            .extend(file.carriers.iter().map(premises::carrier));
        for link in &file.links {
            let properties = |circuit, access, path: Option<Path>| CrossConnectSettings {
                circuit,
                access,
                path: path.map(premises::leg),
                delay: link.delay,
                jitter: link.jitter.unwrap_or(Duration::ZERO),
                loss_ppm: link.loss_ppm.unwrap_or(0),
                rate_bps: link.rate_bps,
            };
            let (circuit, path) = match &link.target {
                LinkTarget::Router { site, router, path } => {
                    let access = Some((site.clone(), router.clone()));
                    extras.links.push(properties(None, access, *path));
                    continue;
                }
                LinkTarget::Circuit { circuit, path } => (circuit, *path),
                // Between two resources: the circuit is the one of them that is a circuit.
                LinkTarget::Between(a, b) => {
                    let is_circuit = |address: &Address| address.ty.ends_with("_circuit");
                    match (is_circuit(a), is_circuit(b)) {
                        (true, _) => (a, None),
                        (false, true) => (b, None),
                        (false, false) => continue,
                    }
                }
            };
            let Some(circuit) =
                resource_at(estate, &file.stack, circuit).and_then(|id| azure_side(estate, id))
            else {
                continue;
            };
            extras.links.push(properties(Some(circuit), None, path));
        }
    }
    extras
}

/// What an endpoint is in the estate.
pub(crate) fn host_ref(estate: &Estate, stack: &str, endpoint: &Endpoint) -> Option<HostRef> {
    match endpoint {
        Endpoint::Resource(address) => resource_at(estate, stack, address).map(HostRef::Resource),
        Endpoint::Host(name) => Some(HostRef::Lab(name.clone())),
        Endpoint::SiteNetwork { site, network } => {
            Some(HostRef::SiteNetwork(site.clone(), network.clone()))
        }
        Endpoint::Ip(_) => None,
    }
}

/// The resource made for a Terraform address of a stack.
pub(crate) fn resource_at(estate: &Estate, stack: &str, address: &Address) -> Option<ResourceId> {
    let address = address.to_string();
    estate
        .resources()
        .filter(|r| {
            let origin = r.origin.as_ref();
            origin.is_some_and(|o| o.stack == stack && o.address == address)
        })
        // A default object made along with a resource shares its origin; the resource itself is no child.
        .min_by_key(|r| r.parent.is_some())
        .map(|r| r.id.clone())
}

/// The circuit itself, or the one whose key a virtual circuit holds.
fn azure_side(estate: &Estate, id: ResourceId) -> Option<ResourceId> {
    let resource = estate.resource(&id)?;
    match resource.text("/providerServiceKeyName") {
        None => Some(id),
        Some(key) => estate
            .of_kind("Microsoft.Network/expressRouteCircuits")
            .find(|c| c.text("/properties/serviceKey") == Some(key))
            .map(|c| c.id.clone()),
    }
}
