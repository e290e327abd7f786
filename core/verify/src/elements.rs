//! What can fail by itself.

use std::collections::{BTreeMap, BTreeSet};

use skybridge_base::VlanId;
use skybridge_blueprint::{
    Blueprint, Endpoint, Link, LinkClass, LinkName, NodeName, Owner, Role, Tagging,
};
use skybridge_world::Element;

use crate::claim::ElementClass;

/// The single elements of a blueprint, with a label for people: links (cross-connects, access lines, and
/// backbone links between two machines), physical routers and switches, and gateway instances.
///
/// A cloud's own firewall runs in several instances, which the cloud replaces: it is no element either. Machines of
/// the user's that forward for others are.
///
/// Distributed routers (virtual networks, VCNs, DRGs, the LAN of a site) are not elements of failure: their clouds run them
/// redundantly everywhere. Neither is a link that ends at one: it stands for an overlay over the whole
/// fabric, and losing it is losing the machine at its other end. Hosts and their attachments are what is
/// being reached, not what reaches.
#[must_use]
pub fn elements(blueprint: &Blueprint) -> Vec<(Element, ElementClass, String)> {
    let links = blueprint.links.iter().filter_map(|(name, link)| {
        let (words, class) = match link.class {
            LinkClass::CrossConnect => ("cross-connect", ElementClass::Link),
            LinkClass::Access => ("access line", ElementClass::Link),
            LinkClass::Backbone if !joins_machines(blueprint, link) => return None,
            // A tunnel of a gateway instance: it fails, and is noticed, as the instance is.
            LinkClass::Backbone if ends_at_gateway(blueprint, link) => {
                ("gateway tunnel", ElementClass::Gateway)
            }
            LinkClass::Backbone => ("backbone link", ElementClass::Link),
            LinkClass::Attachment => return None,
        };
        let element = Element::Link(name.clone());
        Some((element, class, format!("{words} {name}")))
    });
    let nodes = blueprint.nodes.iter().filter_map(|(name, node)| {
        let class = class_of(node.role)?;
        let label = format!("{} {name}", node.role.label());
        Some((Element::Node(name.clone()), class, label))
    });
    links.chain(nodes).collect()
}

const fn class_of(role: Role) -> Option<ElementClass> {
    match role {
        Role::Msee | Role::FastConnectEdge | Role::CustomerEdge | Role::ProviderEdge => {
            Some(ElementClass::Router)
        }
        Role::GatewayInstance => Some(ElementClass::Gateway),
        // A machine of the user's, alone in its place.
        Role::Appliance => Some(ElementClass::Router),
        Role::VnetRouter
        | Role::VcnRouter
        | Role::Drg
        | Role::SiteLan
        | Role::Host
        | Role::Firewall => None,
    }
}

fn joins_machines(blueprint: &Blueprint, link: &Link) -> bool {
    let is_single = |name: &NodeName| {
        let node = blueprint.nodes.get(name);
        node.is_some_and(|node| class_of(node.role).is_some())
    };
    is_single(&link.a.node) && is_single(&link.b.node)
}

fn ends_at_gateway(blueprint: &Blueprint, link: &Link) -> bool {
    [&link.a.node, &link.b.node].into_iter().any(|name| {
        let node = blueprint.nodes.get(name);
        node.is_some_and(|node| node.role == Role::GatewayInstance)
    })
}

/// What fails as a whole, for the classes that are swept on request only: the elements and a label. Empty
/// for the other classes.
pub(crate) fn wholes(blueprint: &Blueprint, class: ElementClass) -> Vec<(Vec<Element>, String)> {
    match class {
        ElementClass::Circuit => circuits(blueprint),
        ElementClass::Location => locations(blueprint),
        ElementClass::Provider => providers(blueprint),
        ElementClass::Link | ElementClass::Port | ElementClass::Router | ElementClass::Gateway => {
            Vec::new()
        }
    }
}

/// Circuits with all their legs: those tags of a tenant's on every cross-connect.
fn circuits(blueprint: &Blueprint) -> Vec<(Vec<Element>, String)> {
    let mut circuits: BTreeMap<(String, VlanId), BTreeSet<LinkName>> = BTreeMap::new();
    for (name, link) in &blueprint.links {
        if link.class != LinkClass::CrossConnect {
            continue;
        }
        for (tenant, s_tag) in tags_at(blueprint, &link.a) {
            let legs = circuits.entry((tenant, s_tag)).or_default();
            legs.insert(name.clone());
        }
    }
    let whole = |((tenant, s_tag), links): ((String, VlanId), BTreeSet<LinkName>)| {
        let legs = links
            .into_iter()
            .map(|link| Element::Circuit { link, s_tag });
        let name = tenant.rsplit('/').next().unwrap_or_default();
        (legs.collect(), format!("circuit {name}"))
    };
    circuits.into_iter().map(whole).collect()
}

fn tags_at(blueprint: &Blueprint, end: &Endpoint) -> Vec<(String, VlanId)> {
    let node = blueprint.nodes.get(&end.node);
    let router = node.and_then(skybridge_blueprint::Node::as_router);
    let interfaces = router.into_iter().flat_map(|r| r.interfaces.values());
    let on_port = interfaces.filter(|interface| interface.port == end.port);
    let tags = on_port.filter_map(|interface| match interface.tagging {
        Tagging::Untagged => None,
        Tagging::Dot1q(tag) | Tagging::QinQ { s_tag: tag, .. } => {
            Some((interface.tenant.clone().unwrap_or_default(), tag))
        }
    });
    tags.collect()
}

/// Places with all their routers.
fn locations(blueprint: &Blueprint) -> Vec<(Vec<Element>, String)> {
    let mut places: BTreeMap<&str, Vec<Element>> = BTreeMap::new();
    for (name, node) in &blueprint.nodes {
        if class_of(node.role) == Some(ElementClass::Router) {
            let place = places.entry(node.location.as_str()).or_default();
            place.push(Element::Node(name.clone()));
        }
    }
    let whole = |(place, nodes): (&str, Vec<Element>)| (nodes, format!("location {place}"));
    places.into_iter().map(whole).collect()
}

/// Everything that connectivity providers run; a blueprint does not tell one from another.
fn providers(blueprint: &Blueprint) -> Vec<(Vec<Element>, String)> {
    let links = blueprint.links.iter();
    let links = links.filter(|(_, link)| link.owner == Owner::Provider);
    let links = links.map(|(name, _)| Element::Link(name.clone()));
    let nodes = blueprint.nodes.iter();
    let nodes = nodes.filter(|(_, node)| node.owner == Owner::Provider);
    let nodes = nodes.map(|(name, _)| Element::Node(name.clone()));
    let all: Vec<Element> = links.chain(nodes).collect();
    if all.is_empty() {
        return Vec::new();
    }
    vec![(all, "everything of the connectivity providers".to_owned())]
}
