//! Resource types that Azure's part of the estate keeps, and how ARM ids name them.

use skybridge_estate::ResourceId;

/// Virtual network.
pub const VNET: &str = "Microsoft.Network/virtualNetworks";
/// Subnet of a virtual network.
pub const SUBNET: &str = "Microsoft.Network/virtualNetworks/subnets";
/// One side of a peering of virtual networks.
pub const VNET_PEERING: &str = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings";
/// Network security group.
pub const NSG: &str = "Microsoft.Network/networkSecurityGroups";
/// Rule of a network security group that is a resource of its own.
pub const SECURITY_RULE: &str = "Microsoft.Network/networkSecurityGroups/securityRules";
/// Application security group.
pub const ASG: &str = "Microsoft.Network/applicationSecurityGroups";
/// Route table.
pub const ROUTE_TABLE: &str = "Microsoft.Network/routeTables";
/// Route of a route table that is a resource of its own.
pub const ROUTE: &str = "Microsoft.Network/routeTables/routes";
/// Network interface.
pub const NIC: &str = "Microsoft.Network/networkInterfaces";
/// Public address.
pub const PUBLIC_IP: &str = "Microsoft.Network/publicIPAddresses";
/// Virtual network gateway, ExpressRoute or VPN.
pub const GATEWAY: &str = "Microsoft.Network/virtualNetworkGateways";
/// Connection between a gateway and a circuit.
pub const CONNECTION: &str = "Microsoft.Network/connections";
/// ExpressRoute circuit.
pub const CIRCUIT: &str = "Microsoft.Network/expressRouteCircuits";
/// Peering of a circuit.
pub const PEERING: &str = "Microsoft.Network/expressRouteCircuits/peerings";
/// Authorization of a circuit.
pub const AUTHORIZATION: &str = "Microsoft.Network/expressRouteCircuits/authorizations";
/// Virtual machine.
pub const MACHINE: &str = "Microsoft.Compute/virtualMachines";
/// Azure Firewall.
pub const FIREWALL: &str = "Microsoft.Network/azureFirewalls";
/// Network rules of a firewall without policy. In ARM they are a part of the firewall's document.
pub const NETWORK_RULES: &str = "Microsoft.Network/azureFirewalls/networkRuleCollections";
/// Application rules of a firewall without policy.
pub const APPLICATION_RULES: &str = "Microsoft.Network/azureFirewalls/applicationRuleCollections";
/// Translation rules of a firewall without policy.
pub const NAT_RULES: &str = "Microsoft.Network/azureFirewalls/natRuleCollections";
/// Policy of firewalls.
pub const FIREWALL_POLICY: &str = "Microsoft.Network/firewallPolicies";
/// Rule collections of a firewall policy.
pub const RULE_GROUP: &str = "Microsoft.Network/firewallPolicies/ruleCollectionGroups";
/// Virtual WAN.
pub const WAN: &str = "Microsoft.Network/virtualWans";
/// Hub of a virtual WAN.
pub const HUB: &str = "Microsoft.Network/virtualHubs";
/// Connection of a virtual network to a hub.
pub const HUB_CONNECTION: &str = "Microsoft.Network/virtualHubs/hubVirtualNetworkConnections";
/// ExpressRoute gateway of a hub.
pub const HUB_GATEWAY: &str = "Microsoft.Network/expressRouteGateways";
/// Connection of a hub's gateway to a circuit.
pub const HUB_GATEWAY_CONNECTION: &str =
    "Microsoft.Network/expressRouteGateways/expressRouteConnections";
/// Addresses that firewall rules name together.
pub const IP_GROUP: &str = "Microsoft.Network/ipGroups";
/// Load balancer.
pub const BALANCER: &str = "Microsoft.Network/loadBalancers";
/// Backend pool of a load balancer.
pub const POOL: &str = "Microsoft.Network/loadBalancers/backendAddressPools";
/// An address in a backend pool. In ARM it is a part of the pool's document.
pub const POOL_ADDRESS: &str = "Microsoft.Network/loadBalancers/backendAddressPools/addresses";
/// Health probe of a load balancer.
pub const PROBE: &str = "Microsoft.Network/loadBalancers/probes";
/// Rule of a load balancer.
pub const BALANCING_RULE: &str = "Microsoft.Network/loadBalancers/loadBalancingRules";

/// Every type that [`crate::Azure`] decides.
pub const ALL: [&str; 33] = [
    VNET,
    SUBNET,
    VNET_PEERING,
    NSG,
    SECURITY_RULE,
    ASG,
    ROUTE_TABLE,
    ROUTE,
    NIC,
    PUBLIC_IP,
    GATEWAY,
    CONNECTION,
    CIRCUIT,
    PEERING,
    AUTHORIZATION,
    MACHINE,
    FIREWALL,
    NETWORK_RULES,
    APPLICATION_RULES,
    NAT_RULES,
    FIREWALL_POLICY,
    RULE_GROUP,
    IP_GROUP,
    BALANCER,
    POOL,
    POOL_ADDRESS,
    PROBE,
    BALANCING_RULE,
    WAN,
    HUB,
    HUB_CONNECTION,
    HUB_GATEWAY,
    HUB_GATEWAY_CONNECTION,
];

/// The type as this crate spells it; ARM compares types without case.
#[must_use]
pub fn canonical(kind: &str) -> Option<&'static str> {
    ALL.into_iter().find(|k| k.eq_ignore_ascii_case(kind))
}

/// An ARM resource id: `names` has one name per segment of the type after the provider.
///
/// ```
/// use skybridge_azure::kinds::{SUBNET, resource_id};
/// assert_eq!(
///     resource_id("s", "g", SUBNET, &["hub", "GatewaySubnet"]).as_str(),
///     "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/hub/subnets/GatewaySubnet",
/// );
/// ```
#[must_use]
pub fn resource_id(subscription: &str, group: &str, kind: &str, names: &[&str]) -> ResourceId {
    let (provider, types) = kind.split_once('/').unwrap_or((kind, ""));
    let mut id =
        format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}");
    for (ty, name) in types.split('/').zip(names) {
        id.push('/');
        id.push_str(ty);
        id.push('/');
        id.push_str(name);
    }
    id.into()
}

/// The segment that follows `key` in an ARM id, such as the name after `resourceGroups`.
#[must_use]
pub fn segment<'a>(id: &'a str, key: &str) -> Option<&'a str> {
    let mut segments = id.split('/');
    segments.find(|s| s.eq_ignore_ascii_case(key))?;
    segments.next()
}

/// The id of what a child resource is nested in: all but the last two segments.
#[must_use]
pub(crate) fn parent_id(id: &str, kind: &str) -> Option<ResourceId> {
    if kind.split('/').count() <= 2 {
        return None;
    }
    let (rest, _name) = id.rsplit_once('/')?;
    let (parent, _type) = rest.rsplit_once('/')?;
    Some(parent.into())
}

/// The id of a child resource.
pub(crate) fn child_id(parent: &ResourceId, kind: &str, name: &str) -> ResourceId {
    let ty = kind.rsplit('/').next().unwrap_or(kind);
    format!("{parent}/{ty}/{name}").into()
}

/// ARM ids compare without case.
pub(crate) fn same_id(a: &ResourceId, b: &ResourceId) -> bool {
    a.as_str().eq_ignore_ascii_case(b.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_taken_apart_without_case() {
        let id = resource_id("s", "g", SUBNET, &["v", "n"]);
        assert_eq!(segment(id.as_str(), "resourcegroups"), Some("g"));
        assert_eq!(segment(id.as_str(), "virtualnetworks"), Some("v"));
        let vnet = resource_id("s", "g", VNET, &["v"]);
        assert_eq!(parent_id(id.as_str(), SUBNET), Some(vnet.clone()));
        assert_eq!(parent_id(vnet.as_str(), VNET), None);
        assert_eq!(child_id(&vnet, SUBNET, "n"), id);
        assert_eq!(canonical("microsoft.network/VIRTUALNETWORKS"), Some(VNET));
    }
}
