//! Peerings of virtual networks: routers joined, each end straight to the interfaces of its own network.
//!
//! Where a packet goes is decided by the table of the sending subnet; at the other end it is delivered, whatever
//! user routes there are (virtual-networks-udr-overview). A packet from elsewhere than the other network's
//! ranges is dropped unless the receiving side allows forwarded traffic; what comes through a gateway that is lent
//! is exempt and takes a link of its own (virtual-network-peering-overview).

use std::net::{IpAddr, Ipv4Addr};

use skybridge_azure::model::{NetworkPeering, PeeringState, Subnet, VirtualNetwork};
use skybridge_blueprint::{
    DropKind, Interface, InterfaceName, LinkClass, LinkName, NextHop, NodeName, Owner, PortName,
};
use skybridge_estate::ResourceId;

use crate::builder::{Builder, add_port, host_prefix, plain_interface};
use crate::vnet::{local_vrf, node_name};

/// The two ends of a peering, that of the network with the lesser id first; no virtual network may have them.
const ENDS: [Ipv4Addr; 2] = [
    Ipv4Addr::new(169, 254, 0, 9),
    Ipv4Addr::new(169, 254, 0, 10),
];

/// What takes a link of a peering.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lane {
    /// What machines of one network send to the other.
    Direct,
    /// What a gateway sends into the network that it is lent to.
    Transit,
}

pub(crate) fn build(builder: &mut Builder<'_>) {
    let vnets = &builder.inputs.azure.vnets;
    for near in vnets {
        for peering in &near.peerings {
            let far = vnets.iter().find(|v| v.id == peering.remote);
            if let Some(far) = far
                && peering.state == PeeringState::Connected
                && near.id < far.id
            {
                let back = far.peerings.iter().find(|p| p.remote == near.id);
                let Some(back) = back else { continue };
                join(builder, (near, peering), (far, back), Lane::Direct);
                if peering.lends_gateway || peering.borrows_gateway {
                    join(builder, (near, peering), (far, back), Lane::Transit);
                }
            }
        }
    }
}

/// Where the table of a subnet leads for the ranges of a peered network.
pub(crate) fn next_hop(
    builder: &Builder<'_>,
    network: &VirtualNetwork,
    subnet: &Subnet,
    peering: &NetworkPeering,
) -> NextHop {
    if peering.state != PeeringState::Connected || !peering.has_access {
        return NextHop::Drop(DropKind::NotModelled);
    }
    let is_gateways = subnet.name.eq_ignore_ascii_case("GatewaySubnet");
    let lane = if is_gateways && peering.lends_gateway {
        Lane::Transit
    } else {
        Lane::Direct
    };
    through(builder, network, peering, lane)
}

/// Where the router of a hub leads what it gets from one of its networks or from another hub.
pub(crate) fn onward(
    builder: &Builder<'_>,
    hub: &VirtualNetwork,
    peering: &NetworkPeering,
) -> NextHop {
    through(builder, hub, peering, Lane::Direct)
}

fn through(
    builder: &Builder<'_>,
    network: &VirtualNetwork,
    peering: &NetworkPeering,
    lane: Lane,
) -> NextHop {
    NextHop::Via {
        interface: interface(builder, &peering.remote, lane),
        address: IpAddr::V4(own_end(&peering.remote, &network.id)),
    }
}

pub(crate) fn own_end(own: &ResourceId, other: &ResourceId) -> Ipv4Addr {
    if own < other { ENDS[0] } else { ENDS[1] }
}

fn interface(builder: &Builder<'_>, remote: &ResourceId, lane: Lane) -> InterfaceName {
    let found = (builder.inputs.azure.vnets.iter()).find(|v| &v.id == remote);
    let name = found.map_or_else(|| remote.leaf(), |v| v.name.as_str());
    let label = builder.label(name, remote);
    match lane {
        Lane::Direct => format!("peering/{label}").into(),
        Lane::Transit => format!("transit/{label}").into(),
    }
}

type Side<'a> = (&'a VirtualNetwork, &'a NetworkPeering);

fn join(builder: &mut Builder<'_>, near: Side<'_>, far: Side<'_>, lane: Lane) {
    let ends = (end(builder, near, lane), end(builder, far, lane));
    let (Some((a, a_port)), Some((b, b_port))) = ends else {
        return;
    };
    let which = match lane {
        Lane::Direct => "",
        Lane::Transit => "/transit",
    };
    let link: LinkName = format!("{a}--{b}{which}").into();
    builder.link(
        link,
        (&a, &a_port),
        (&b, &b_port),
        LinkClass::Backbone,
        Owner::Azure,
    );
}

fn end(
    builder: &mut Builder<'_>,
    (network, peering): Side<'_>,
    lane: Lane,
) -> Option<(NodeName, PortName)> {
    let name = node_name(builder, network);
    let interface = interface(builder, &peering.remote, lane);
    let port: PortName = interface.as_str().into();
    let own = own_end(&network.id, &peering.remote);
    let is_checked = lane == Lane::Direct && !peering.takes_forwarded;
    let router = builder.router_mut(&name)?;
    add_port(router, &name, &port);
    router.interfaces.insert(
        interface,
        Interface {
            source_check: is_checked.then(|| peering.ranges.clone()),
            ..plain_interface(&port, &local_vrf(), vec![host_prefix(IpAddr::V4(own))])
        },
    );
    Some((name, port))
}
