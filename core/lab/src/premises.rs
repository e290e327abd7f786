//! Sites and carriers of the lab files, with their circuits found.

use skybridge_blueprint::{BfdParameters, Device, PortMode, Secret};
use skybridge_compile::Leg;
use skybridge_compile::sites as compiled;
use skybridge_estate::Estate;
use skybridge_sites::{self as sites, Attach, Bfd, HandOff, HostPlace, LabFile, Path};
use std::net::IpAddr;

use crate::extras::resource_at;

/// A site as the compiler takes it.
pub(crate) fn site(estate: &Estate, file: &LabFile, site: &sites::Site) -> compiled::Site {
    let networks = site.networks.iter().map(|network| compiled::SiteNetwork {
        name: network.name.clone(),
        cidr: network.cidr,
        hosts: hosts(file, &site.name, &network.name),
    });
    let routers = site.routers.iter();
    compiled::Site {
        name: site.name.clone(),
        asn: site.asn,
        networks: networks.collect(),
        routers: routers.map(|r| router(estate, file, r)).collect(),
    }
}

fn hosts(file: &LabFile, site: &str, network: &str) -> Vec<compiled::SiteHost> {
    let here = |host: &&sites::LabHost| match &host.subnet {
        HostPlace::Network {
            site: s,
            network: n,
        } => s == site && n == network,
        HostPlace::Subnet(_) => false,
    };
    let hosts = file.hosts.iter().filter(here);
    hosts
        .map(|host| compiled::SiteHost {
            name: host.name.clone(),
            address: match host.address {
                Some(IpAddr::V4(address)) => Some(address),
                Some(IpAddr::V6(_)) | None => None,
            },
        })
        .collect()
}

fn router(estate: &Estate, file: &LabFile, router: &sites::Router) -> compiled::SiteRouter {
    compiled::SiteRouter {
        name: router.name.clone(),
        circuit: resource_at(estate, &file.stack, &router.circuit),
        paths: match router.path {
            Some(path) => vec![leg(path)],
            None => Leg::BOTH.to_vec(),
        },
        attach: router.attach.as_ref().map(device),
        mode: match router.mode {
            sites::PortMode::Access => PortMode::Access,
            sites::PortMode::Trunk => PortMode::Trunk,
        },
        persona: router.persona.is_some(),
        vlan: router.vlan,
        bfd: match router.bfd {
            Bfd::Usual => compiled::SiteBfd::Usual,
            Bfd::Off => compiled::SiteBfd::Off,
            Bfd::On {
                interval,
                multiplier,
            } => compiled::SiteBfd::On(BfdParameters {
                interval,
                multiplier,
            }),
        },
        hold_time_s: router.hold_s,
        keepalive_s: router.keepalive_s,
        md5: router.md5.clone().map(Secret::new),
        local_pref: router.local_pref,
        prepend: router.prepend,
    }
}

fn device(attach: &Attach) -> Device {
    match attach {
        Attach::Namespace(name) => Device::Namespace { name: name.clone() },
        Attach::Tap(name) => Device::Tap { name: name.clone() },
        Attach::Packet(interface) => Device::Packet {
            interface: interface.clone(),
        },
        Attach::Interface(interface) => Device::Interface {
            interface: interface.clone(),
        },
    }
}

/// A path as the compiler names it.
pub(crate) const fn leg(path: Path) -> Leg {
    match path {
        Path::Primary => Leg::Primary,
        Path::Secondary => Leg::Secondary,
    }
}

/// A carrier as the compiler takes it.
pub(crate) fn carrier(carrier: &sites::Carrier) -> compiled::Carrier {
    compiled::Carrier {
        name: carrier.name.clone(),
        providers: carrier.providers.clone(),
        hand_off: match carrier.hand_off {
            HandOff::Redundant => compiled::HandOff::Redundant,
            HandOff::Single => compiled::HandOff::Single,
        },
        delay: carrier.delay,
        mtu: carrier.mtu,
    }
}
