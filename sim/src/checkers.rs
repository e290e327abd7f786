//! Invariants that are looked at with every frame.

use std::collections::{BTreeMap, BTreeSet};

use skybridge_base::VlanId;
use skybridge_blueprint::{Blueprint, Node, NodeName, PortName, Tagging};
use skybridge_wire::ethernet::{self, EtherType, Tag, Tags};
use skybridge_wire::flow;
use skybridge_world::{Checker, Delivery};

use crate::network::TENANTS;

/// Violations that are written down; further ones are counted.
const NOTED_MAX: usize = 20;

/// Bits of an echo identifier under the tenant's number: a probe carries its tenant on the wire.
const TENANT_SHIFT: u16 = 12;

/// The echo identifier of a tenant's flow.
#[must_use]
pub fn identifier(tenant: usize, flow: u16) -> u64 {
    ((tenant as u64 + 1) << TENANT_SHIFT) | u64::from(flow)
}

fn tenant_of_identifier(identifier: u16) -> Option<usize> {
    let tenant = usize::from(identifier >> TENANT_SHIFT).checked_sub(1)?;
    (tenant < TENANTS.len()).then_some(tenant)
}

/// The tenant whose name is in a name.
fn tenant_of_name(name: &str) -> Option<usize> {
    TENANTS.iter().position(|tenant| name.contains(tenant))
}

/// Whose are a port's frames with these tags.
type Owners = BTreeMap<(NodeName, PortName, Tagging), usize>;

fn owners(blueprint: &Blueprint) -> Owners {
    let mut owners = Owners::new();
    for (name, node) in &blueprint.nodes {
        let whole = tenant_of_name(name.as_str());
        if let (Some(host), Some(tenant)) = (node.as_host(), whole) {
            owners.insert((name.clone(), host.port.clone(), Tagging::Untagged), tenant);
        }
        let router = Node::as_router(node);
        for interface in router.into_iter().flat_map(|r| r.interfaces.values()) {
            let own = interface.tenant.as_deref().and_then(tenant_of_name);
            let by_name = || tenant_of_name(interface.vrf.as_str());
            if let Some(tenant) = whole.or(own).or_else(by_name) {
                let at = (name.clone(), interface.port.clone(), interface.tagging);
                owners.insert(at, tenant);
            }
        }
    }
    owners
}

/// Watches that no tenant's packet enters what is another's, and that none passes a node twice.
#[derive(Debug)]
pub struct Watcher {
    owners: Owners,
    /// Loops are allowed while routes are on their way; this is on once they have arrived.
    pub watch_loops: bool,
    passed: BTreeSet<(u8, u16, u16, NodeName)>,
    /// What was seen that must not be.
    pub violations: Vec<String>,
    /// Probe frames looked at.
    pub probes: u64,
    /// Frames looked at.
    pub frames: u64,
}

impl Watcher {
    /// A watcher of worlds of this blueprint.
    #[must_use]
    pub fn new(blueprint: &Blueprint) -> Self {
        Self {
            owners: owners(blueprint),
            watch_loops: false,
            passed: BTreeSet::new(),
            violations: Vec::new(),
            probes: 0,
            frames: 0,
        }
    }

    /// The network has changed.
    pub fn changed(&mut self, blueprint: &Blueprint) {
        self.owners = owners(blueprint);
    }

    /// Begins to look for loops, or ends it.
    pub fn set_quiet(&mut self, quiet: bool) {
        self.watch_loops = quiet;
        self.passed.clear();
    }

    fn note(&mut self, text: String) {
        if self.violations.len() < NOTED_MAX {
            self.violations.push(text);
        }
    }
}

const fn vlan(tag: Tag) -> Option<VlanId> {
    tag.vlan()
}

fn tagging(tags: Tags) -> Option<Tagging> {
    match tags {
        Tags::Untagged => Some(Tagging::Untagged),
        Tags::One(tag) => vlan(tag).map(Tagging::Dot1q),
        Tags::Two(outer, inner) => Some(Tagging::QinQ {
            s_tag: vlan(outer)?,
            c_tag: vlan(inner)?,
        }),
    }
}

impl Checker for Watcher {
    fn delivered(&mut self, delivery: Delivery<'_>) {
        self.frames += 1;
        let Ok(view) = ethernet::parse(delivery.frame.bytes()) else {
            return;
        };
        if view.ethertype() != EtherType::IPV4 {
            return;
        }
        let Ok(info) = flow::parse(view.payload()) else {
            return;
        };
        let Some((kind @ (0 | 8), _)) = info.icmp else {
            return;
        };
        let Some(tenant) = tenant_of_identifier(info.src_port) else {
            return;
        };
        self.probes += 1;
        let Some(tagging) = tagging(view.tags()) else {
            return;
        };
        let to = delivery.to;
        let at = (to.node.clone(), to.port.clone(), tagging);
        if let Some(owner) = self.owners.get(&at)
            && *owner != tenant
        {
            self.note(format!(
                "{}: a packet of tenant {} reached {}/{}, which is tenant {}'s",
                delivery.at, TENANTS[tenant], to.node, to.port, TENANTS[*owner]
            ));
        }
        if self.watch_loops {
            let l4 = view.payload().get(info.l4_offset..).unwrap_or_default();
            let sequence = l4.get(6..8).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]));
            let passage = (kind, info.src_port, sequence, to.node.clone());
            if !self.passed.insert(passage) {
                self.note(format!(
                    "{}: echo {:#x}/{sequence} passed {} twice after routes had settled",
                    delivery.at, info.src_port, to.node
                ));
            }
        }
    }
}
