//! Finding things by what a person calls them.

use std::net::IpAddr;

use skybridge_blueprint::NodeName;
use skybridge_compile::{HostIndex, HostRef};
use skybridge_estate::ResourceId;
use skybridge_hcl::nearest_name;

use crate::document::ErrorDocument;
use crate::lab::Lab;

/// "There is no such thing", with what is near or, when few, everything there is.
pub(crate) fn no_such<'a>(
    what: &str,
    wanted: &str,
    known: impl Iterator<Item = &'a str>,
) -> ErrorDocument {
    let known: Vec<&str> = known.collect();
    let alike: Vec<&str> = known
        .iter()
        .copied()
        .filter(|k| k.contains(wanted))
        .collect();
    if !wanted.is_empty() && (1..=12).contains(&alike.len()) {
        return ErrorDocument {
            message: format!("there is no {what} called {wanted}"),
            help: Some(format!("did you mean {}?", alike.join(", "))),
            diagnostics: Vec::new(),
        };
    }
    let help = nearest_name(wanted, known.iter().copied()).map_or_else(
        || match known.len() {
            0 => format!("there is no {what} at all in this lab"),
            1..=12 => format!("known: {}", known.join(", ")),
            n => format!("{n} are known; `skybridge show links` names them"),
        },
        |near| format!("did you mean {near}?"),
    );
    ErrorDocument {
        message: format!("there is no {what} called {wanted}"),
        help: Some(help),
        diagnostics: Vec::new(),
    }
}

/// What the front door calls a host.
pub(crate) fn origin(lab: &Lab, origin: &HostRef) -> Option<String> {
    match origin {
        HostRef::Resource(id) => {
            let resource = lab.control.estate.resource(id)?;
            Some(resource.label().to_owned())
        }
        HostRef::Lab(name) => Some(name.clone()),
        HostRef::SiteNetwork(site, network) => Some(format!("site.{site}.{network}")),
    }
}

/// A host by its name, its address in the front door, or its IP address.
pub(crate) fn host(lab: &Lab, wanted: &str) -> Result<NodeName, ErrorDocument> {
    host_at(lab, wanted).map(|(node, _)| node)
}

/// As [`host`], with the one of its IP addresses that is meant.
pub(crate) fn host_at(lab: &Lab, wanted: &str) -> Result<(NodeName, IpAddr), ErrorDocument> {
    let hosts = &lab.network.compiled.index.hosts;
    let address: Option<IpAddr> = wanted.parse().ok();
    let is_resource = |id: &ResourceId| {
        let resource = lab.control.estate.resource(id);
        resource.is_some_and(|r| r.label() == wanted || r.id.as_str() == wanted)
    };
    let by_origin = |origin: &HostRef| match origin {
        HostRef::Resource(id) => is_resource(id),
        HostRef::Lab(name) => name == wanted || format!("host.{name}") == wanted,
        HostRef::SiteNetwork(site, network) => format!("site.{site}.{network}") == wanted,
    };
    let meant = |name: &NodeName, host: &HostIndex| {
        if name.as_str() == wanted || by_origin(&host.origin) {
            return Some(host.address);
        }
        let further = host.also.iter().find(|(id, _)| is_resource(id));
        let further = further.map(|(_, address)| *address);
        further.or_else(|| address.filter(|address| host.has(*address)))
    };
    hosts
        .iter()
        .find_map(|(name, host)| Some((name.clone(), meant(name, host)?)))
        .ok_or_else(|| no_such("host", wanted, hosts.keys().map(NodeName::as_str)))
}
