//! What can fail by itself.

use skybridge_blueprint::{Blueprint, Link, LinkClass, NodeName, Role};
use skybridge_world::Element;

use crate::claim::ElementClass;

/// The single elements of a blueprint, with a label for people: links (cross-connects, and backbone links
/// between two machines), physical routers, and gateway instances.
///
/// Distributed routers (virtual networks, VCNs, DRGs) are not elements of failure: their clouds run them
/// redundantly everywhere. Neither is a link that ends at one: it stands for an overlay over the whole
/// fabric, and losing it is losing the machine at its other end. Hosts and their attachments are what is
/// being reached, not what reaches.
#[must_use]
pub fn elements(blueprint: &Blueprint) -> Vec<(Element, ElementClass, String)> {
    let links = blueprint.links.iter().filter_map(|(name, link)| {
        let words = match link.class {
            LinkClass::CrossConnect => "cross-connect",
            LinkClass::Backbone if joins_machines(blueprint, link) => "backbone link",
            LinkClass::Backbone | LinkClass::Attachment => return None,
        };
        let element = Element::Link(name.clone());
        Some((element, ElementClass::Link, format!("{words} {name}")))
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
        Role::VnetRouter | Role::VcnRouter | Role::Drg | Role::Host => None,
    }
}

fn joins_machines(blueprint: &Blueprint, link: &Link) -> bool {
    let is_single = |name: &NodeName| {
        let node = blueprint.nodes.get(name);
        node.is_some_and(|node| class_of(node.role).is_some())
    };
    is_single(&link.a.node) && is_single(&link.b.node)
}
