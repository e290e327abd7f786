//! The networks that are simulated: the Azure–OCI interconnect for one tenant or for two, compiled from
//! models.
//!
//! Two tenants share MSEEs, edge routers and cross-connects and use the same prefixes, the same peering
//! addresses and the same customer tag: only circuits and tables keep them apart.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use skybridge_azure::model as az;
use skybridge_base::{Asn, VlanId};
use skybridge_blueprint::Blueprint;
use skybridge_compile::{CrossConnectSettings, Extras, Inputs, compile};
use skybridge_estate::{Estate, Pace, Phase, ResourceId};
use skybridge_oci::model as oc;
use skybridge_verify::Pair;

/// Names of the tenants; every part that belongs to one alone has its name in its own.
pub const TENANTS: [&str; 2] = ["red", "blue"];

/// Service tags of their circuits.
const SERVICE_TAGS: [u16; 2] = [100, 101];

/// What varies between the networks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// One or two.
    pub tenants: usize,
    /// BFD on the OCI side (Azure always offers it).
    pub bfd: bool,
    /// The peerings have a shared key.
    pub md5: bool,
    /// One-way delay of the cross-connects; the secondary's is a tenth longer.
    pub delay: Duration,
    /// Greatest additional random delay of the cross-connects.
    pub jitter: Duration,
    /// Random loss of the cross-connects, frames in a million.
    pub loss_ppm: u32,
    /// Models in another order; the network is the same.
    pub reversed: bool,
    /// Whether frames may go the way of earlier ones; what happens is the same.
    pub flow_cache: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tenants: 1,
            bfd: true,
            md5: false,
            delay: Duration::from_micros(500),
            jitter: Duration::ZERO,
            loss_ppm: 0,
            reversed: false,
            flow_cache: true,
        }
    }
}

/// The network.
#[must_use]
pub fn blueprint(options: &Options) -> Blueprint {
    let mut azure = az::AzureModel::default();
    let mut oci = oc::OciModel::default();
    let mut tenants: Vec<usize> = (0..options.tenants).collect();
    if options.reversed {
        tenants.reverse();
    }
    for tenant in tenants {
        add_azure(&mut azure, options, tenant);
        add_oci(&mut oci, options, tenant);
    }
    let legs = [
        (skybridge_compile::Leg::Primary, options.delay),
        (skybridge_compile::Leg::Secondary, options.delay * 11 / 10),
    ];
    let links = legs.map(|(leg, delay)| CrossConnectSettings {
        circuit: None,
        access: None,
        path: Some(leg),
        delay: Some(delay),
        jitter: options.jitter,
        loss_ppm: options.loss_ppm,
        rate_bps: None,
    });
    let extras = Extras {
        links: links.to_vec(),
        ..Extras::default()
    };
    let inputs = Inputs {
        estate: &Estate::new(1, Pace::Instant),
        azure: &azure,
        oci: &oci,
        extras: &extras,
    };
    compile(&inputs).blueprint
}

/// Who must reach whom, both ways, by tenant.
#[must_use]
pub fn pairs(options: &Options) -> Vec<(usize, Pair)> {
    let tenants = TENANTS.into_iter().enumerate().take(options.tenants);
    let both = tenants.flat_map(|(at, tenant)| {
        let web = format!("web-{tenant}");
        let database = format!("probe-db-{tenant}-dbs-{tenant}");
        let pair = |from: &str, to: &str, address: [u8; 4]| Pair {
            from: from.into(),
            to: to.into(),
            address: IpAddr::from(address),
        };
        [
            (at, pair(&web, &database, [10, 1, 10, 254])),
            (at, pair(&database, &web, [10, 12, 2, 4])),
        ]
    });
    both.collect()
}

/// An id of a tenant's resource.
fn id(what: &str, tenant: usize) -> ResourceId {
    format!("{what}-{}", TENANTS[tenant]).as_str().into()
}

/// A name of a tenant's resource.
fn named(what: &str, tenant: usize) -> String {
    format!("{what}-{}", TENANTS[tenant])
}

fn tag(number: u16) -> VlanId {
    VlanId::new(number).expect("a VLAN number")
}

fn net(text: &str) -> IpNet {
    text.parse().expect("a prefix")
}

fn v4(text: &str) -> Ipv4Net {
    text.parse().expect("an IPv4 prefix")
}

fn add_azure(azure: &mut az::AzureModel, options: &Options, tenant: usize) {
    let subnet = |name: &str, prefix: &str| az::Subnet {
        id: id(name, tenant),
        name: if name == "gateways" {
            "GatewaySubnet".to_owned()
        } else {
            named(name, tenant)
        },
        prefixes: vec![net(prefix)],
        security_group: None,
        route_table: None,
    };
    azure.vnets.push(az::VirtualNetwork {
        id: id("vnet", tenant),
        name: named("app", tenant),
        location: "eastus".to_owned(),
        address_space: vec![net("10.12.0.0/16")],
        subnets: vec![
            subnet("gateways", "10.12.1.0/24"),
            subnet("apps", "10.12.2.0/24"),
        ],
        is_open: false,
        hub: None,
        peerings: Vec::new(),
    });
    azure.interfaces.push(az::NetworkInterface {
        id: id("nic", tenant),
        name: named("nic", tenant),
        subnet: id("apps", tenant),
        address: IpAddr::from([10, 12, 2, 4]),
        security_group: None,
        application_groups: Vec::new(),
        ip_forwarding: false,
        machine: Some(az::Machine {
            id: id("vm", tenant),
            name: named("web", tenant),
            is_first: true,
        }),
    });
    azure.gateways.push(az::Gateway {
        id: id("gateway", tenant),
        name: named("ergw", tenant),
        vnet: id("vnet", tenant),
        subnet: id("gateways", tenant),
        sku: "UltraPerformance".to_owned(),
        scale_units: 1,
        asn: Asn(65515),
        instance_addresses: [Ipv4Addr::new(10, 12, 1, 12), Ipv4Addr::new(10, 12, 1, 13)],
        msee_addresses: [Ipv4Addr::new(10, 12, 1, 4), Ipv4Addr::new(10, 12, 1, 5)],
        phase: Phase::Ready,
    });
    azure.circuits.push(az::Circuit {
        id: id("circuit", tenant),
        name: named("er", tenant),
        location_id: "washington-dc".to_owned(),
        location: "Washington DC".to_owned(),
        provider: "Oracle Cloud FastConnect".to_owned(),
        bandwidth_mbps: 1000,
        tier: "Standard".to_owned(),
        service_key: named("key", tenant),
        provider_state: az::ProviderState::Provisioned,
        enabled: true,
        s_tag: tag(SERVICE_TAGS[tenant]),
        peerings: vec![az::Peering {
            id: id("peering", tenant),
            name: "AzurePrivatePeering".to_owned(),
            peer_asn: Asn(31898),
            vlan: tag(200),
            primary: v4("192.168.240.0/30"),
            secondary: v4("192.168.240.24/30"),
            shared_key: options.md5.then(|| named("secret", tenant)),
            enabled: true,
        }],
        phase: Phase::Ready,
    });
    azure.connections.push(az::Connection {
        id: id("connection", tenant),
        name: named("conn", tenant),
        gateway: id("gateway", tenant),
        circuit: id("circuit", tenant),
        routing_weight: 0,
        fast_path: false,
        phase: Phase::Ready,
    });
}

fn add_oci(oci: &mut oc::OciModel, options: &Options, tenant: usize) {
    oci.vcns.push(oc::Vcn {
        id: id("vcn", tenant),
        name: named("db", tenant),
        region: "us-ashburn-1".to_owned(),
        cidr_blocks: vec![net("10.1.0.0/16")],
        subnets: vec![oc::Subnet {
            id: id("dbs", tenant),
            name: named("dbs", tenant),
            cidr_block: net("10.1.10.0/24"),
            route_table: id("rt", tenant),
            security_lists: vec![id("sl", tenant)],
        }],
    });
    let rule = |name: &str, ingress, peer: &str| oc::SecurityRule {
        name: name.to_owned(),
        ingress,
        stateless: false,
        protocol: None,
        source_ports: None,
        destination_ports: None,
        icmp: None,
        peer: oc::RulePeer::Cidr(net(peer)),
        unknown: false,
    };
    oci.security_lists.push(oc::SecurityList {
        id: id("sl", tenant),
        name: named("sl", tenant),
        rules: vec![
            rule("in", true, "10.12.0.0/16"),
            rule("out", false, "0.0.0.0/0"),
        ],
    });
    oci.route_tables.push(oc::RouteTable {
        id: id("rt", tenant),
        name: named("rt", tenant),
        services: Vec::new(),
        rules: vec![oc::RouteRule {
            destination: net("10.12.0.0/16"),
            target: oc::RouteTarget::Drg(id("drg", tenant)),
        }],
    });
    let table = |what: &str, import| oc::DrgTable {
        id: id(what, tenant),
        name: named(what, tenant),
        ecmp: false,
        imports: vec![import],
        static_rules: Vec::new(),
    };
    let attachment = |what: &str, kind, network: &str, table: &str| oc::DrgAttachment {
        id: id(what, tenant),
        name: named(what, tenant),
        kind,
        network: id(network, tenant),
        table: id(table, tenant),
        vcn_route_table: None,
        announces_vcn_cidrs: false,
    };
    oci.drgs.push(oc::Drg {
        id: id("drg", tenant),
        name: named("drg", tenant),
        region: "us-ashburn-1".to_owned(),
        tables: vec![
            table("for-vcns", oc::ImportStatement::MatchAll),
            table(
                "for-the-rest",
                oc::ImportStatement::Type(oc::AttachmentType::Vcn),
            ),
        ],
        attachments: vec![
            attachment("a-vcn", oc::AttachmentType::Vcn, "vcn", "for-vcns"),
            attachment(
                "a-vc",
                oc::AttachmentType::VirtualCircuit,
                "vc",
                "for-the-rest",
            ),
        ],
    });
    oci.virtual_circuits.push(virtual_circuit(options, tenant));
}

fn virtual_circuit(options: &Options, tenant: usize) -> oc::VirtualCircuit {
    let mappings = [
        ("192.168.240.1/30", "192.168.240.2/30"),
        ("192.168.240.25/30", "192.168.240.26/30"),
    ];
    let mapping = |(oracle, customer): (&str, &str)| oc::Mapping {
        oracle: net(oracle),
        customer: net(customer),
        vlan: None,
        md5: options.md5.then(|| named("secret", tenant)),
    };
    oc::VirtualCircuit {
        id: id("vc", tenant),
        name: named("vc", tenant),
        region: "us-ashburn-1".to_owned(),
        private: true,
        drg: Some(id("drg", tenant)),
        lifecycle_state: "PROVISIONED".to_owned(),
        provider: Some("Microsoft Azure".to_owned()),
        is_layer2: true,
        service_key: Some(named("key", tenant)),
        bandwidth_mbps: 1000,
        mappings: mappings.map(mapping).to_vec(),
        customer_asn: Asn(12076),
        oracle_asn: Asn(31898),
        bfd: options.bfd,
        mtu: 1500,
        bgp_enabled: true,
        phase: Phase::Ready,
    }
}
