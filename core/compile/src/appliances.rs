//! Machines that forward for others.
//!
//! What the operating system of a machine does with packets that are not its own is nothing that Terraform says;
//! the lab file may. Such a machine has a router beside its host, with a leg per interface card: what is sent to the
//! machine itself reaches the host, what a route hands to it whatever its destination reaches the router. Both
//! meet the filters of the card.

use std::net::IpAddr;

use ipnet::IpNet;
use skybridge_blueprint::{
    Access, AddressSet, DropKind, Filter, HopVisibility, Interface, InterfaceName, LinkClass,
    LinkName, NextHop, NodeName, Owner, PortName, Protocol, Role, Rule, RuleSet, RuleSetMode,
    Tracking, VrfName,
};
use skybridge_estate::ResourceId;

use crate::builder::{
    Builder, add_port, everywhere, host_prefix, plain_interface, router_node, system, table,
};
use crate::hosts::HostPlan;

/// A machine that forwards for others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Appliance {
    /// The virtual machine or instance.
    pub machine: ResourceId,
    /// It passes only what belongs to connections that it has seen open.
    pub stateful: bool,
    /// Where it sends packets for a prefix: by this interface card. Everything else goes by the first one.
    pub routes: Vec<(IpNet, ResourceId)>,
}

/// What the lab file says of a machine.
pub(crate) fn of<'a>(builder: &Builder<'a>, machine: &ResourceId) -> Option<&'a Appliance> {
    let mut all = builder.inputs.extras.appliances.iter();
    all.find(|appliance| &appliance.machine == machine)
}

/// The router's interface by which others' packets go to a machine, whose host is this node.
pub(crate) fn interface(node: &NodeName) -> InterfaceName {
    format!("forward/{node}").into()
}

fn main_vrf() -> VrfName {
    "main".into()
}

/// A card of a machine that forwards.
pub(crate) struct Leg<'a> {
    pub(crate) appliance: &'a Appliance,
    /// The name of the machine among hosts.
    pub(crate) machine: String,
    /// The card.
    pub(crate) card: &'a ResourceId,
    /// It is the machine's first.
    pub(crate) is_first: bool,
}

/// Adds a leg behind the router that has the host of `plan`.
pub(crate) fn add_leg(builder: &mut Builder<'_>, plan: &HostPlan, leg: &Leg<'_>) -> Option<()> {
    let gateway = plan.range.hosts().next()?;
    let near = interface(&plan.node);
    let near_port: PortName = near.as_str().into();
    let router = builder.router_mut(&plan.router)?;
    add_port(router, &plan.router, &near_port);
    router.interfaces.insert(
        near,
        Interface {
            mtu: plan.mtu,
            filter_in: plan.filter_out_of_host.clone(),
            filter_out: plan.filter_into_host.clone(),
            tenant: Some(plan.network.to_string()),
            ..plain_interface(&near_port, &plan.vrf, vec![host_prefix(gateway)])
        },
    );
    let node: NodeName = format!("{}/forwarding", leg.machine).into();
    let location = plan.location.clone();
    let inspection = leg.appliance.stateful.then(anything);
    let router = builder.router(&node, || {
        router_node(
            Owner::Customer,
            Role::Appliance,
            &location,
            HopVisibility::Visible,
        )
    });
    router.inspection = inspection;
    let far: InterfaceName = leg.card.leaf().into();
    let far_port: PortName = far.as_str().into();
    add_port(router, &node, &far_port);
    let own = (plan.also.iter().map(|(_, address)| *address)).chain([plan.address]);
    router.interfaces.insert(
        far.clone(),
        Interface {
            mtu: plan.mtu,
            ..plain_interface(&far_port, &main_vrf(), own.map(host_prefix).collect())
        },
    );
    let routes = &mut router
        .vrfs
        .entry(main_vrf())
        .or_insert_with(|| table("forwarding", 1))
        .routes;
    let by = NextHop::Via {
        interface: far,
        address: gateway,
    };
    let family = |p: &IpNet| p.addr().is_ipv4() == gateway.is_ipv4();
    let own = leg.appliance.routes.iter();
    let own = own.filter(|(_, card)| card == leg.card).map(|(p, _)| *p);
    let rest = everywhere().into_iter().filter(|_| leg.is_first);
    for prefix in own.chain([plan.range]).chain(rest).filter(family) {
        routes.push(system(prefix, by.clone()));
    }
    let link: LinkName = format!("{}--{node}/{}", plan.router, leg.card.leaf()).into();
    builder.link(
        link,
        (&plan.router, &near_port),
        (&node, &far_port),
        LinkClass::Attachment,
        Owner::Customer,
    );
    Some(())
}

/// Lets everything pass that opens as it should.
fn anything() -> Filter {
    let all = || AddressSet {
        prefixes: everywhere(),
        learned_in: None,
    };
    Filter {
        sets: vec![RuleSet {
            name: "appliance".to_owned(),
            mode: RuleSetMode::FirstMatch,
            rules: vec![Rule {
                name: "everything".to_owned(),
                access: Access::Allow,
                tracking: Tracking::Stateful,
                protocols: vec![Protocol::Any],
                sources: all(),
                destinations: all(),
                unknown: false,
            }],
        }],
    }
}

/// What becomes of others' packets that a route hands to a card: the machine and the node of its host there.
pub(crate) fn next_hop(
    builder: &Builder<'_>,
    (machine, node): (&ResourceId, &NodeName),
    address: IpAddr,
    may_forward: bool,
) -> NextHop {
    if !may_forward {
        return NextHop::Drop(DropKind::NotForwarding);
    }
    match of(builder, machine) {
        Some(_) => NextHop::Via {
            interface: interface(node),
            address,
        },
        // What a machine does with a packet that is not its own is not known.
        None => NextHop::Drop(DropKind::NotModelled),
    }
}
