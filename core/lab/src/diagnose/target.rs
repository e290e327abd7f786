//! What a diagnosis is aimed at: a host of ours, or an address behind routers of the user's own.

use std::net::IpAddr;

use skybridge_blueprint::{Device, External, NodeKind, NodeName};
use skybridge_compile::sites::Site;
use skybridge_compile::{SiteIndex, site_id};
use skybridge_estate::ResourceId;

use crate::document::ErrorDocument;
use crate::lab::Lab;
use crate::names;

/// Where probes go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Target {
    /// As the answer calls it.
    pub(super) name: String,
    pub(super) address: IpAddr,
    /// The network: a virtual network, a VCN or a site.
    pub(super) network: ResourceId,
    /// Where ways to it end: the host, or the routers of the user's own before it.
    pub(super) ends: Vec<NodeName>,
    /// It lies behind those ends, and is not one of them.
    pub(super) is_behind: bool,
}

/// Who asks.
pub(super) fn asking(lab: &Lab, wanted: &str) -> Result<NodeName, ErrorDocument> {
    let refusal = match names::host(lab, wanted) {
        Ok(node) => return Ok(node),
        Err(refusal) => refusal,
    };
    let Some((site, index)) = outer(lab, wanted) else {
        return Err(beside(lab, wanted).unwrap_or(refusal));
    };
    let name = &site.name;
    Err(ErrorDocument {
        message: format!(
            "{wanted} is behind {}, of your own: nothing can be sent from there by the lab",
            listed(&gates(index))
        ),
        help: Some(format!(
            "run it from the other end, such as `skybridge diagnose HOST {name}`: both directions are looked at"
        )),
        diagnostics: Vec::new(),
    })
}

/// What is aimed at.
pub(super) fn asked(lab: &Lab, wanted: &str) -> Result<Target, ErrorDocument> {
    let refusal = match names::host_at(lab, wanted) {
        Ok((node, address)) => {
            let host = &lab.network.compiled.index.hosts[&node];
            return Ok(Target {
                name: node.to_string(),
                address,
                network: host.network.clone(),
                ends: vec![node],
                is_behind: false,
            });
        }
        Err(refusal) => refusal,
    };
    let Some((site, index)) = outer(lab, wanted) else {
        return Err(beside(lab, wanted).unwrap_or(refusal));
    };
    let (name, address) = place(lab, (site, index), wanted)?;
    Ok(Target {
        name,
        address,
        network: site_id(&site.name),
        ends: gates(index),
        is_behind: true,
    })
}

/// The routers of the user's own.
fn gates(index: &SiteIndex) -> Vec<NodeName> {
    (index.routers.values())
        .filter(|router| router.attached)
        .map(|router| router.node.clone())
        .collect()
}

fn listed(names: &[NodeName]) -> String {
    let names: Vec<&str> = names.iter().map(NodeName::as_str).collect();
    names.join(" and ")
}

/// The site that a name or an address belongs to, when all its routers are the user's own.
fn outer<'a>(lab: &'a Lab, wanted: &str) -> Option<(&'a Site, &'a SiteIndex)> {
    let indices = &lab.network.compiled.index.sites;
    (lab.network.extras.sites.iter())
        .filter_map(|site| Some((site, indices.get(&site.name)?)))
        .filter(|(_, index)| index.lan.is_none())
        .find(|(site, index)| {
            is_named(site, wanted)
                || router(lab, index, wanted).is_some()
                || wanted
                    .parse()
                    .is_ok_and(|a| holds(site, a) || is_own(index, a))
        })
}

/// A router of the user's own by its name, or by the namespace that it hangs on.
fn router<'a>(lab: &Lab, index: &'a SiteIndex, wanted: &str) -> Option<&'a NodeName> {
    let mut routers = index.routers.iter().filter(|(_, router)| router.attached);
    let found = routers.find(|(name, router)| {
        *name == wanted || router.node.as_str() == wanted || is_device(lab, &router.node, wanted)
    });
    found.map(|(_, router)| &router.node)
}

/// Why a router of the user's own beside routers of the lab is no end: the hosts of the site are the lab's.
fn beside(lab: &Lab, wanted: &str) -> Option<ErrorDocument> {
    let sites = lab.network.compiled.index.sites.iter();
    let mut mixed = sites.filter(|(_, index)| index.lan.is_some());
    let (site, node) = mixed.find_map(|(site, index)| Some((site, router(lab, index, wanted)?)))?;
    let network = site_id(site);
    let hosts = lab.network.compiled.index.hosts.iter();
    let here = hosts.filter(|(_, host)| host.network == network);
    let known: Vec<&str> = here.map(|(name, _)| name.as_str()).collect();
    Some(ErrorDocument {
        message: format!(
            "{node} is your own, and the hosts of {site} are behind the routers that the lab runs beside it"
        ),
        help: Some(format!("name one of them: {}", known.join(", "))),
        diagnostics: Vec::new(),
    })
}

/// The namespace that a router hangs on.
fn is_device(lab: &Lab, node: &NodeName, wanted: &str) -> bool {
    let node = lab.network.compiled.blueprint.nodes.get(node);
    let Some(NodeKind::External(external)) = node.map(|node| &node.kind) else {
        return false;
    };
    match &**external {
        External::Attached(attached) => match &attached.device {
            Device::Namespace { name } => name == wanted,
            Device::Tap { .. } | Device::Packet { .. } | Device::Interface { .. } => false,
        },
        External::Namespace(_) => false,
    }
}

/// The site itself, one of its networks, or a host that the lab file puts into one.
fn is_named(site: &Site, wanted: &str) -> bool {
    let short = wanted.strip_prefix("site.").unwrap_or(wanted);
    short == site.name
        || (site.networks.iter())
            .any(|n| wanted.strip_prefix("site.") == Some(&format!("{}.{}", site.name, n.name)))
        || hosts(site).any(|(name, _)| is_host(name, wanted))
}

fn is_host(name: &str, wanted: &str) -> bool {
    name == wanted || wanted.strip_prefix("host.") == Some(name)
}

fn hosts(site: &Site) -> impl Iterator<Item = (&str, Option<IpAddr>)> {
    (site.networks.iter().flat_map(|network| &network.hosts))
        .map(|host| (host.name.as_str(), host.address.map(IpAddr::V4)))
}

fn holds(site: &Site, address: IpAddr) -> bool {
    site.networks.iter().any(|network| match address {
        IpAddr::V4(address) => network.cidr.contains(&address),
        IpAddr::V6(_) => false,
    })
}

/// An address of one of its routers in a peering.
fn is_own(index: &SiteIndex, address: IpAddr) -> bool {
    (index.routers.values())
        .flat_map(|router| router.spec.interfaces.values())
        .flat_map(|interface| &interface.addresses)
        .any(|net| net.addr() == address)
}

/// What the answer calls it, and the address that packets are sent to.
fn place(
    lab: &Lab,
    (site, index): (&Site, &SiteIndex),
    wanted: &str,
) -> Result<(String, IpAddr), ErrorDocument> {
    let first = |network: Option<&skybridge_compile::sites::SiteNetwork>| {
        let address = network.and_then(|n| n.cidr.hosts().next());
        address.map(IpAddr::V4).ok_or_else(|| ErrorDocument {
            message: format!("site {} has no network to send anything to", site.name),
            help: Some("give it one: `network \"lan\" { cidr = … }`".to_owned()),
            diagnostics: Vec::new(),
        })
    };
    if let Ok(address) = wanted.parse() {
        if holds(site, address) {
            return Ok((wanted.to_owned(), address));
        }
        let example = first(site.networks.first())?;
        return Err(ErrorDocument {
            message: format!(
                "{address} is a router's address in its peering, and no cloud leads packets of its hosts there"
            ),
            help: Some(format!(
                "name an address of the site's networks, such as {example}, or {}: what is between the router and \
                 the cloud is looked at too",
                site.name
            )),
            diagnostics: Vec::new(),
        });
    }
    if let Some((name, address)) = hosts(site).find(|(name, _)| is_host(name, wanted)) {
        let address = address.ok_or_else(|| ErrorDocument {
            message: format!(
                "{name} has no address in the lab file, and is behind your own routers"
            ),
            help: Some(format!("give it one: `host \"{name}\" {{ address = … }}`")),
            diagnostics: Vec::new(),
        })?;
        return Ok((format!("{name} ({address})"), address));
    }
    let named = |network: &&skybridge_compile::sites::SiteNetwork| {
        wanted == format!("site.{}.{}", site.name, network.name)
    };
    let network = site.networks.iter().find(named);
    let address = first(network.or_else(|| site.networks.first()))?;
    let name = match (network, router(lab, index, wanted)) {
        (Some(network), _) => format!("site.{}.{}", site.name, network.name),
        (None, Some(node)) => node.to_string(),
        (None, None) => format!("site.{}", site.name),
    };
    Ok((format!("{name} ({address})"), address))
}
