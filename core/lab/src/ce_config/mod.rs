//! Configurations of customer edge routers, as their vendors write them.
//!
//! What is printed comes from the compiled edge router, the same description that the lab runs in its place:
//! addresses, tags, session, key, timers, what is announced. The inside of the site is the user's own and is left
//! out, except for a null route that lets the networks be announced.

mod bird;
mod frr;
mod ios_xe;
mod junos;

use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use skybridge_blueprint::{BgpPeer, PolicyAction, RoutePolicy, Router, Tagging};
use skybridge_compile::sites::Site;
use skybridge_compile::{SiteLegIndex, SiteRouterIndex};

use crate::document::{CeConfig, CeConfigs, ErrorDocument};
use crate::lab::Lab;
use crate::names::no_such;
use crate::request::CeFormat;

/// Stands for a key that is not shown.
const KEY_HIDDEN: &str = "BGP-KEY";

/// Everything that a configuration says.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Edge<'a> {
    site: &'a str,
    router: &'a str,
    asn: u32,
    router_id: Ipv4Addr,
    networks: Vec<Ipv4Net>,
    paths: Vec<EdgePath>,
}

/// One path of a circuit.
#[derive(Clone, PartialEq, Eq, Debug)]
struct EdgePath {
    /// `primary` or `secondary`.
    path: String,
    circuit: String,
    /// The port, numbered from 0.
    port: usize,
    /// Customer tag on a trunk.
    vlan: Option<u16>,
    address: Ipv4Addr,
    prefix_len: u8,
    microsoft: Ipv4Addr,
    remote_asn: u32,
    mtu: u16,
    key: Option<String>,
    hold_s: u16,
    keepalive_s: u16,
    bfd: Option<(Duration, u8)>,
    local_pref: Option<u32>,
    prepend: u8,
}

/// Answers `show ce-config`.
pub(crate) fn answer(
    lab: &Lab,
    site: &str,
    router: Option<&str>,
    format: CeFormat,
    show_secrets: bool,
) -> Result<CeConfigs, ErrorDocument> {
    let sites = &lab.network.extras.sites;
    let names = || sites.iter().map(|s| s.name.as_str());
    let found = sites.iter().find(|s| s.name == site);
    let found = found.ok_or_else(|| no_such("site", site, names()))?;
    let index = (lab.network.compiled.index.sites.get(site))
        .ok_or_else(|| no_such("site", site, names()))?;
    if let Some(wanted) = router
        && !index.routers.contains_key(wanted)
    {
        let known = index.routers.keys().map(String::as_str);
        return Err(no_such("router of this site", wanted, known));
    }
    let wanted = found.routers.iter();
    let wanted = wanted.filter(|r| router.is_none_or(|name| name == r.name));
    let mut configs = Vec::new();
    for router in wanted {
        if let Some(index) = index.routers.get(&router.name) {
            configs.push(config(
                lab,
                found,
                (&router.name, index),
                format,
                show_secrets,
            )?);
        }
    }
    Ok(CeConfigs { configs })
}

fn config(
    lab: &Lab,
    site: &Site,
    (name, index): (&str, &SiteRouterIndex),
    format: CeFormat,
    show_secrets: bool,
) -> Result<CeConfig, ErrorDocument> {
    let labels = |leg: &SiteLegIndex| {
        let circuits = &lab.network.compiled.index.circuits;
        let virtual_circuit = || {
            let mut all = lab.network.oci.virtual_circuits.iter();
            all.find(|vc| vc.id == leg.circuit)
                .map(|vc| vc.name.clone())
        };
        let circuit = circuits.get(&leg.circuit).map(|c| c.label.clone());
        circuit.or_else(virtual_circuit).unwrap_or_default()
    };
    let edge = edge(site, name, index, &labels);
    if edge.paths.is_empty() {
        return Err(ErrorDocument {
            message: format!("{name} of {} has no private peering to configure yet", site.name),
            help: Some(
                "its circuit needs an azurerm_express_route_circuit_peering of type AzurePrivatePeering"
                    .to_owned(),
            ),
            diagnostics: Vec::new(),
        });
    }
    let (text, notes) = printed(edge, format, show_secrets);
    Ok(CeConfig {
        site: site.name.clone(),
        router: name.to_owned(),
        format: format.label().to_owned(),
        text,
        notes,
    })
}

/// The configuration and what must be known to use it.
fn printed(edge: Edge<'_>, format: CeFormat, show_secrets: bool) -> (String, Vec<String>) {
    let has_key = edge.paths.iter().any(|p| p.key.is_some());
    let shown = if show_secrets { edge } else { hidden(edge) };
    let mut notes = vec![
        "Inside the site, carry what Azure announces on (iBGP or your IGP): nothing of that is here."
            .to_owned(),
        "Microsoft ignores communities: to drain a path for maintenance, prepend your AS on it.".to_owned(),
        format!(
            "The port towards the carrier is called {} here.",
            port_example(format)
        ),
    ];
    if has_key && !show_secrets {
        notes.push(format!(
            "{KEY_HIDDEN} stands for the shared key; --show-secrets prints it."
        ));
    }
    let text = written(&shown, format, &notes);
    (text, notes)
}

/// The comments and what follows them.
fn written(edge: &Edge<'_>, format: CeFormat, notes: &[String]) -> String {
    let (sign, body): (_, fn(&Edge<'_>, &mut String) -> fmt::Result) = match format {
        CeFormat::Frr => ("!", frr::write),
        CeFormat::Bird => ("#", bird::write),
        CeFormat::IosXe => ("!", ios_xe::write),
        CeFormat::Junos => ("#", junos::write),
    };
    let circuits = edge.paths.iter();
    let circuits: Vec<String> = circuits
        .map(|p| format!("{} {}", p.circuit, p.path))
        .collect();
    let mut text = format!(
        "{sign} {} of site {}: ExpressRoute private peering of {}.\n",
        edge.router,
        edge.site,
        circuits.join(" and ")
    );
    for note in notes {
        let _ = writeln!(text, "{sign} {note}");
    }
    let _ = writeln!(text, "{sign}");
    // Writing into a string cannot fail.
    let _ = body(edge, &mut text);
    text
}

const fn port_example(format: CeFormat) -> &'static str {
    match format {
        CeFormat::Frr | CeFormat::Bird => "wan",
        CeFormat::IosXe => "GigabitEthernet1",
        CeFormat::Junos => "ge-0/0/0",
    }
}

fn hidden(mut edge: Edge<'_>) -> Edge<'_> {
    for path in &mut edge.paths {
        if path.key.is_some() {
            path.key = Some(KEY_HIDDEN.to_owned());
        }
    }
    edge
}

fn edge<'a>(
    site: &'a Site,
    router: &'a str,
    index: &SiteRouterIndex,
    label: &dyn Fn(&SiteLegIndex) -> String,
) -> Edge<'a> {
    let spec = &index.spec;
    let legs = index.legs.iter().enumerate();
    let paths = legs.filter_map(|(port, leg)| path(spec, leg, port, label(leg)));
    let mut edge = Edge {
        site: &site.name,
        router,
        asn: site.asn.0,
        router_id: Ipv4Addr::UNSPECIFIED,
        networks: site.networks.iter().map(|n| n.cidr).collect(),
        paths: paths.collect(),
    };
    edge.router_id = edge.paths.first().map_or(edge.router_id, |p| p.address);
    edge
}

fn path(spec: &Router, leg: &SiteLegIndex, port: usize, circuit: String) -> Option<EdgePath> {
    let interface = spec.interfaces.get(&leg.interface)?;
    let peer = spec.bgp.get(&leg.instance)?.peers.get(&leg.peer)?;
    let (IpAddr::V4(address), IpAddr::V4(microsoft)) = (peer.local, peer.remote) else {
        return None;
    };
    let net = interface.addresses.iter().find(|n| n.addr() == peer.local);
    Some(EdgePath {
        path: leg.path.label().to_owned(),
        circuit,
        port,
        vlan: match interface.tagging {
            Tagging::Dot1q(tag) => Some(tag.as_u16()),
            Tagging::Untagged | Tagging::QinQ { .. } => None,
        },
        address,
        prefix_len: net.map_or(30, IpNet::prefix_len),
        microsoft,
        remote_asn: peer.remote_asn.0,
        mtu: interface.mtu,
        key: key(peer),
        hold_s: peer.hold_time_s,
        keepalive_s: peer.keepalive_s,
        bfd: peer.bfd.map(|b| (b.interval, b.multiplier)),
        local_pref: accepted(peer.import.first().map(|i| &i.policy)).and_then(|(pref, _)| pref),
        prepend: accepted(peer.export.as_ref().map(|e| &e.policy)).map_or(0, |(_, n)| n),
    })
}

fn key(peer: &BgpPeer) -> Option<String> {
    let key = peer.md5.as_ref()?.expose();
    Some(String::from_utf8_lossy(key).into_owned())
}

/// LOCAL_PREF and prepending of what a policy lets pass.
fn accepted(policy: Option<&RoutePolicy>) -> Option<(Option<u32>, u8)> {
    policy?.rules.iter().find_map(|rule| match &rule.action {
        PolicyAction::Accept {
            local_pref,
            prepend,
            ..
        } => Some((*local_pref, *prepend)),
        PolicyAction::Reject { .. } => None,
    })
}

impl EdgePath {
    /// `wan`, or `wan` with a number for the second port, with the tag where there is one.
    fn linux_interface(&self) -> String {
        let port = match self.port {
            0 => "wan".to_owned(),
            n => format!("wan{}", n + 1),
        };
        match self.vlan {
            Some(vlan) => format!("{port}.{vlan}"),
            None => port,
        }
    }

    fn net(&self) -> String {
        format!("{}/{}", self.address, self.prefix_len)
    }

    fn mask(&self) -> Ipv4Addr {
        mask(self.prefix_len)
    }

    /// Milliseconds and multiplier.
    fn bfd_ms(&self) -> Option<(u128, u8)> {
        self.bfd.map(|(interval, n)| (interval.as_millis(), n))
    }
}

fn mask(prefix_len: u8) -> Ipv4Addr {
    Ipv4Net::new(Ipv4Addr::UNSPECIFIED, prefix_len).map_or(Ipv4Addr::BROADCAST, |n| n.netmask())
}

/// The own AS so many times.
fn repeated(asn: u32, times: u8, separator: &str) -> String {
    vec![asn.to_string(); usize::from(times)].join(separator)
}

#[cfg(test)]
mod tests;
