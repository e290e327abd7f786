//! MSEE pairs: AS 12076, one VRF per circuit and peering, policed at the circuit's rate.
//!
//! A location has two MSEEs, shared by its circuits. Towards the provider a circuit is a QinQ
//! sub-interface: service tag the circuit, customer tag the peering. Routes from the customer go to
//! gateways and routes from gateways to the customer, nothing else: ExpressRoute is no transit network.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use skybridge_azure::model::{Circuit, Peering, ProviderState};
use skybridge_base::Asn;
use skybridge_blueprint::{
    BfdParameters, BgpInstance, BgpPeer, ExportPolicy, HopVisibility, ImportTo, Interface,
    InterfaceName, MaxPrefixes, NextHopRule, NodeName, Owner, PathRole, Policer, PolicyAction,
    PolicyMatch, PolicyRule, PortName, Role, RoutePolicy, Secret, SourceTag, Tagging, VrfName,
};

use crate::builder::{Builder, add_port, plain_interface, router_node, table};
use crate::{CircuitIndex, Leg, LegIndex, tags};

/// Microsoft's AS number on every peering (expressroute-routing).
pub(crate) const MICROSOFT: Asn = Asn(12076);
/// The BGP session's peer towards the provider or customer.
pub(crate) const CUSTOMER_PEER: &str = "customer";

pub(crate) fn node_name(circuit: &Circuit, leg: Leg) -> NodeName {
    format!("msee-{}@{}", leg.number(), circuit.location_id).into()
}

pub(crate) fn vrf_name(label: &str) -> VrfName {
    format!("{label}/private").into()
}

pub(crate) fn instance_name(label: &str) -> String {
    format!("{label}/private")
}

/// The provider-facing port: one per link that leaves the MSEE.
pub(crate) fn provider_port(builder: &Builder<'_>, circuit: &Circuit) -> PortName {
    match crate::edge::far_region(builder, circuit) {
        Some(region) => format!("xc/{region}").into(),
        None => format!("provider/{}", circuit.provider).into(),
    }
}

/// First usable address: customer or provider. Second: Microsoft (expressroute-routing).
pub(crate) fn ends(network: Ipv4Net) -> Option<(Ipv4Addr, Ipv4Addr)> {
    if network.prefix_len() == 31 {
        return Some((network.network(), network.broadcast()));
    }
    let mut hosts = network.hosts();
    Some((hosts.next()?, hosts.next()?))
}

pub(crate) fn build(builder: &mut Builder<'_>) {
    for circuit in &builder.inputs.azure.circuits {
        build_circuit(builder, circuit);
    }
}

fn build_circuit(builder: &mut Builder<'_>, circuit: &Circuit) {
    let label = builder.label(&circuit.name, &circuit.id);
    let mut legs = Vec::new();
    for peering in &circuit.peerings {
        if peering.name != "AzurePrivatePeering" {
            builder.gap(&peering.id, "only private peering is modelled");
            continue;
        }
        if circuit.provider_state != ProviderState::Provisioned || !circuit.enabled {
            continue;
        }
        for leg in Leg::BOTH {
            match build_leg(builder, circuit, peering, &label, leg) {
                Some(index) => legs.push(index),
                None => builder.gap(
                    &peering.id,
                    format!("the {} network has no two usable addresses", leg.label()),
                ),
            }
        }
    }
    builder.index.circuits.insert(
        circuit.id.clone(),
        CircuitIndex {
            label,
            legs,
            carried: Vec::new(),
        },
    );
}

fn build_leg(
    builder: &mut Builder<'_>,
    circuit: &Circuit,
    peering: &Peering,
    label: &str,
    leg: Leg,
) -> Option<LegIndex> {
    let name = node_name(circuit, leg);
    let network = match leg {
        Leg::Primary => peering.primary,
        Leg::Secondary => peering.secondary,
    };
    let (customer, microsoft) = ends(network)?;
    let port = provider_port(builder, circuit);
    let vrf = vrf_name(label);
    let interface: InterfaceName = vrf.as_str().into();
    let policers = [format!("{label}/in"), format!("{label}/out")];
    let peer = customer_peer(builder, circuit, peering, (microsoft, customer), leg);
    // The circuit's rate, each link and direction, shared by its peerings (expressroute-faqs).
    let policer = policer(builder, u64::from(circuit.bandwidth_mbps) * 1_000_000, None);
    let mtu = builder.behaviour_s("msee_ip_mtu");
    let location = circuit.location.clone();
    let router = builder.router(&name, || {
        router_node(Owner::Azure, Role::Msee, &location, HopVisibility::Visible)
    });
    add_port(router, &name, &port);
    for policer_name in &policers {
        router.policers.insert(policer_name.clone(), policer);
    }
    router
        .vrfs
        .insert(vrf.clone(), table(label, crate::vnet::ECMP_MAX));
    let [policer_in, policer_out] = policers;
    router.interfaces.insert(
        interface.clone(),
        Interface {
            tagging: Tagging::QinQ {
                s_tag: circuit.s_tag,
                c_tag: peering.vlan,
            },
            connected_routes: true,
            mtu,
            policer_in: Some(policer_in),
            policer_out: Some(policer_out),
            tenant: Some(circuit.id.to_string()),
            ..plain_interface(
                &port,
                &vrf,
                vec![IpNet::from(
                    Ipv4Net::new(microsoft, network.prefix_len()).ok()?,
                )],
            )
        },
    );
    let instance = instance_name(label);
    router.bgp.insert(
        instance.clone(),
        BgpInstance {
            asn: MICROSOFT,
            router_id: microsoft,
            tables: vec![vrf.clone()],
            originated: Vec::new(),
            peers: [(CUSTOMER_PEER.to_owned(), peer)].into(),
        },
    );
    Some(LegIndex {
        node: name,
        vrf,
        instance,
        peer: CUSTOMER_PEER.to_owned(),
        interface,
        link: None,
    })
}

/// A policer of a bandwidth, with a burst of at least 64 kB; packets burst as long as octets do.
pub(crate) fn policer(builder: &mut Builder<'_>, rate_bps: u64, rate_pps: Option<u64>) -> Policer {
    let burst_ms = u64::from(builder.behaviour("circuit_policer_burst_ms"));
    Policer {
        rate_bps,
        burst_bytes: (rate_bps / 8_000 * burst_ms).max(65_536),
        rate_pps,
        burst_packets: rate_pps.unwrap_or(0) * burst_ms / 1000,
    }
}

fn customer_peer(
    builder: &mut Builder<'_>,
    circuit: &Circuit,
    peering: &Peering,
    (local, remote): (Ipv4Addr, Ipv4Addr),
    leg: Leg,
) -> BgpPeer {
    let label = builder.label(&circuit.name, &circuit.id);
    let vrf = vrf_name(&label);
    let tier = circuit.tier.to_ascii_lowercase();
    let limits = MaxPrefixes {
        v4: builder.limit("azure", "routes_in_private_v4", &tier),
        v6: builder.limit("azure", "routes_in_private_v6", &tier),
    };
    BgpPeer {
        interface: vrf.as_str().into(),
        local: IpAddr::V4(local),
        remote: IpAddr::V4(remote),
        remote_asn: peering.peer_asn,
        local_asn: None,
        md5: peering.shared_key.clone().map(Secret::new),
        hold_time_s: builder.behaviour_s("msee_bgp_hold_s"),
        keepalive_s: builder.behaviour_s("msee_bgp_keepalive_s"),
        connect_retry: connect_retry(builder, "msee_connect_retry_s"),
        passive: false,
        enabled: peering.enabled,
        bfd: Some(BfdParameters {
            interval: builder.behaviour_ms("msee_bfd_interval_ms"),
            multiplier: multiplier(builder, "msee_bfd_multiplier"),
        }),
        import: vec![ImportTo {
            table: vrf.clone(),
            policy: RoutePolicy::ACCEPT_ALL,
        }],
        export: Some(ExportPolicy {
            table: vrf,
            policy: only(tags::GATEWAY, "not learned from a gateway"),
        }),
        next_hop: NextHopRule::SelfAddress,
        source_tag: tags::CUSTOMER,
        limits,
        role: PathRole {
            peering: format!("{label}/{}", peering.name),
            path: leg.label().to_owned(),
            customer_visible: true,
        },
    }
}

/// ConnectRetryTime once a session has been up.
pub(crate) fn connect_retry(builder: &mut Builder<'_>, name: &'static str) -> Duration {
    Duration::from_secs(u64::from(builder.behaviour_s(name)))
}

/// A BFD multiplier.
pub(crate) fn multiplier(builder: &mut Builder<'_>, name: &'static str) -> u8 {
    u8::try_from(builder.behaviour(name)).unwrap_or(u8::MAX)
}

/// Lets only routes with this mark out.
pub(crate) fn only(tag: SourceTag, otherwise: &str) -> RoutePolicy {
    RoutePolicy {
        rules: vec![
            PolicyRule {
                matches: PolicyMatch {
                    prefixes: Vec::new(),
                    source_tags: vec![tag],
                },
                action: accept(None),
            },
            PolicyRule {
                matches: PolicyMatch::default(),
                action: PolicyAction::Reject {
                    reason: otherwise.to_owned(),
                },
            },
        ],
        default_accept: false,
    }
}

/// Accepts, perhaps with a local preference.
pub(crate) const fn accept(local_pref: Option<u32>) -> PolicyAction {
    PolicyAction::Accept {
        local_pref,
        prepend: 0,
        add_communities: Vec::new(),
    }
}
