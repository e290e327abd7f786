//! What can be broken, and the truth about it: which layer, and whom one would call.

use skybridge_base::{Rng, VlanId};
use skybridge_blueprint::{LinkClass, Owner, Role};
use skybridge_lab::request::{CutMode, Provider, Request, Response};
use skybridge_world::{Command, TagFault, TagLevel};

use super::driver::Driver;
use super::estate::Estate;

/// Kinds of faults.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    CrossConnectDown,
    CrossConnectSilent,
    CrossConnectDeafMsee,
    CrossConnectDeafEdge,
    WrongCTag,
    WrongSTag,
    SessionShutAtMsee,
    SessionShutAtEdge,
    MseeDown,
    MseeSilent,
    EdgeDown,
    EdgeSilent,
    GatewayDown,
    Deprovisioned,
    NsgDenies,
    SecurityListLacksRule,
    StatelessWithoutReturn,
    VcnRouteLacks,
    RouteToNone,
    PropagationOff,
    ImportLacks,
    TooManyPrefixes,
    Loss,
    NoListener,
    HostDown,
    Overlap,
}

/// Every kind, in the order in which seeds take them.
pub(super) const FAULTS: &[Kind] = &[
    Kind::CrossConnectDown,
    Kind::CrossConnectSilent,
    Kind::CrossConnectDeafMsee,
    Kind::CrossConnectDeafEdge,
    Kind::WrongCTag,
    Kind::WrongSTag,
    Kind::SessionShutAtMsee,
    Kind::SessionShutAtEdge,
    Kind::MseeDown,
    Kind::MseeSilent,
    Kind::EdgeDown,
    Kind::EdgeSilent,
    Kind::GatewayDown,
    Kind::Deprovisioned,
    Kind::NsgDenies,
    Kind::SecurityListLacksRule,
    Kind::StatelessWithoutReturn,
    Kind::VcnRouteLacks,
    Kind::RouteToNone,
    Kind::PropagationOff,
    Kind::ImportLacks,
    Kind::TooManyPrefixes,
    Kind::Loss,
    Kind::NoListener,
    Kind::HostDown,
    Kind::Overlap,
];

/// A fault with its particulars.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    /// What breaks.
    pub(super) kind: Kind,
    /// On which legs of every circuit between the two hosts: primary, secondary.
    pub(super) legs: [bool; 2],
    /// Only the first circuit, when there are two.
    pub(super) first_circuit: bool,
    number: u16,
    silent: bool,
}

impl Fault {
    /// A fault of a kind.
    pub(super) fn choose(kind: Kind, rng: &mut Rng) -> Self {
        let legs = *rng
            .choose(&[[true, false], [false, true], [true, true]])
            .unwrap_or(&[true, true]);
        Self {
            kind,
            legs,
            first_circuit: rng.below(2) == 0,
            number: u16::try_from(1 + rng.below(4000)).unwrap_or(1),
            silent: rng.below(2) == 0,
        }
    }

    /// A fault that leaves a way for the traffic.
    pub(super) fn redundant(rng: &mut Rng) -> Self {
        let kinds = [
            Kind::CrossConnectDown,
            Kind::CrossConnectSilent,
            Kind::CrossConnectDeafMsee,
            Kind::CrossConnectDeafEdge,
            Kind::WrongSTag,
            Kind::SessionShutAtMsee,
            Kind::SessionShutAtEdge,
            Kind::MseeDown,
            Kind::MseeSilent,
            Kind::EdgeDown,
            Kind::EdgeSilent,
        ];
        let kind = *rng.choose(&kinds).unwrap_or(&Kind::CrossConnectDown);
        let primary = rng.below(2) == 0;
        Self {
            legs: [primary, !primary],
            ..Self::choose(kind, rng)
        }
    }

    /// Layer and owner.
    pub(super) const fn truth(&self) -> (&'static str, &'static str) {
        match self.kind {
            Kind::CrossConnectDown
            | Kind::CrossConnectSilent
            | Kind::CrossConnectDeafMsee
            | Kind::CrossConnectDeafEdge => ("link", "provider"),
            Kind::WrongCTag | Kind::WrongSTag => ("tags", "provider"),
            Kind::SessionShutAtMsee => ("bgp", "Azure"),
            Kind::SessionShutAtEdge => ("bgp", "Oracle"),
            Kind::MseeDown | Kind::MseeSilent | Kind::GatewayDown => ("device", "Azure"),
            Kind::EdgeDown | Kind::EdgeSilent => ("device", "Oracle"),
            Kind::Deprovisioned => ("provider", "provider"),
            Kind::NsgDenies | Kind::SecurityListLacksRule | Kind::StatelessWithoutReturn => {
                ("filters", "you")
            }
            Kind::VcnRouteLacks | Kind::RouteToNone | Kind::Overlap => ("forwarding", "you"),
            Kind::PropagationOff | Kind::ImportLacks => ("routes", "you"),
            Kind::TooManyPrefixes => ("bgp", "you"),
            Kind::Loss => ("loss", "provider"),
            Kind::NoListener => ("service", "you"),
            Kind::HostDown => ("host", "you"),
        }
    }

    /// No packet asked about is answered, whatever is redundant.
    pub(super) const fn is_total(&self) -> bool {
        matches!(
            self.kind,
            Kind::NsgDenies
                | Kind::SecurityListLacksRule
                | Kind::StatelessWithoutReturn
                | Kind::VcnRouteLacks
                | Kind::RouteToNone
                | Kind::PropagationOff
                | Kind::ImportLacks
                | Kind::NoListener
                | Kind::HostDown
                | Kind::Overlap
                | Kind::GatewayDown
        )
    }

    /// Writes it into the estate, where it is a matter of writing.
    pub(super) fn prepare(&self, estate: &mut Estate) {
        let wrong = &mut estate.wrong;
        match self.kind {
            Kind::NsgDenies => wrong.nsg_denies = true,
            Kind::SecurityListLacksRule => wrong.list_lacks = true,
            Kind::StatelessWithoutReturn => wrong.return_lacks = true,
            Kind::VcnRouteLacks => wrong.vcn_route_lacks = true,
            Kind::RouteToNone => wrong.route_none = true,
            Kind::PropagationOff => wrong.propagation_off = true,
            Kind::ImportLacks => wrong.import_lacks = true,
            Kind::TooManyPrefixes => {
                wrong.too_many_prefixes = true;
                estate.vcn_subnets = estate.vcn_subnets.max(2);
            }
            Kind::Loss => wrong.loss = Some((10 + u64::from(self.number) % 50, self.legs)),
            Kind::NoListener => {
                wrong.no_listener = true;
                estate.tcp = Some(estate.port);
            }
            Kind::Overlap => wrong.overlaps = true,
            Kind::CrossConnectDown
            | Kind::CrossConnectSilent
            | Kind::CrossConnectDeafMsee
            | Kind::CrossConnectDeafEdge
            | Kind::WrongCTag
            | Kind::WrongSTag
            | Kind::SessionShutAtMsee
            | Kind::SessionShutAtEdge
            | Kind::MseeDown
            | Kind::MseeSilent
            | Kind::EdgeDown
            | Kind::EdgeSilent
            | Kind::GatewayDown
            | Kind::Deprovisioned
            | Kind::HostDown => {}
        }
    }

    /// Breaks it in the running network, where it is a matter of breaking.
    pub(super) fn inject(&self, driver: &mut Driver, estate: &Estate) {
        let silence = if self.silent {
            CutMode::Silent
        } else {
            CutMode::LinkDown
        };
        match self.kind {
            Kind::CrossConnectDown => self.links(driver, CutMode::LinkDown, None),
            Kind::CrossConnectSilent => self.links(driver, CutMode::Silent, None),
            Kind::CrossConnectDeafMsee => self.links(driver, CutMode::OneWay, Some(Role::Msee)),
            Kind::CrossConnectDeafEdge => {
                self.links(driver, CutMode::OneWay, Some(Role::FastConnectEdge));
            }
            Kind::WrongCTag => {
                for circuit in self.circuits(estate) {
                    let order = Provider::Set {
                        key: circuit,
                        name: "vlan".to_owned(),
                        value: self.number.to_string(),
                    };
                    told(driver, Request::Provider(order));
                }
            }
            Kind::WrongSTag => self.s_tags(driver),
            Kind::SessionShutAtMsee => {
                for circuit in self.circuits(estate) {
                    for (path, _) in self.paths() {
                        cut(driver, format!("{circuit}/{path}"), CutMode::Session, None);
                    }
                }
            }
            Kind::SessionShutAtEdge => self.edge_sessions(driver, estate),
            Kind::MseeDown => self.nodes(driver, Role::Msee, CutMode::LinkDown),
            Kind::MseeSilent => self.nodes(driver, Role::Msee, CutMode::Silent),
            Kind::EdgeDown => self.nodes(driver, Role::FastConnectEdge, CutMode::LinkDown),
            Kind::EdgeSilent => self.nodes(driver, Role::FastConnectEdge, CutMode::Silent),
            Kind::GatewayDown => {
                let gateway = format!("{}-gw-0/", estate.name);
                for node in named(driver, Role::GatewayInstance) {
                    if node.starts_with(&gateway) {
                        cut(driver, node, silence, None);
                    }
                }
            }
            Kind::Deprovisioned => {
                for circuit in self.circuits(estate) {
                    told(
                        driver,
                        Request::Provider(Provider::Deprovision { key: circuit }),
                    );
                }
            }
            Kind::HostDown => cut(driver, estate.question().1, silence, None),
            Kind::NsgDenies
            | Kind::SecurityListLacksRule
            | Kind::StatelessWithoutReturn
            | Kind::VcnRouteLacks
            | Kind::RouteToNone
            | Kind::PropagationOff
            | Kind::ImportLacks
            | Kind::TooManyPrefixes
            | Kind::Loss
            | Kind::NoListener
            | Kind::Overlap => {}
        }
    }

    fn paths(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let legs = self.legs;
        [("primary", 0), ("secondary", 1)]
            .into_iter()
            .filter(move |(_, at)| legs[*at])
    }

    /// The circuits it is about.
    fn circuits(&self, estate: &Estate) -> Vec<String> {
        let count = if self.first_circuit {
            1
        } else {
            estate.circuits
        };
        (0..count).map(|n| estate.circuit(n)).collect()
    }

    /// Cross-connects: circuits of one pair of places share them.
    fn links(&self, driver: &mut Driver, mode: CutMode, deaf: Option<Role>) {
        for (link, ends) in cross_connects(driver) {
            if self.paths().any(|(path, _)| link.ends_with(path)) {
                let towards = deaf.and_then(|role| {
                    ends.iter()
                        .find(|(_, r)| *r == role)
                        .map(|(name, _)| name.clone())
                });
                cut(driver, link, mode, towards);
            }
        }
    }

    fn s_tags(&self, driver: &mut Driver) {
        let links = cross_connects(driver);
        let tags = driver
            .lab
            .world()
            .blueprint()
            .nodes
            .values()
            .filter_map(|n| n.as_router());
        let tags: Vec<VlanId> =
            tags.flat_map(|r| r.interfaces.values())
                .filter_map(|i| match i.tagging {
                    skybridge_blueprint::Tagging::QinQ { s_tag, .. } => Some(s_tag),
                    skybridge_blueprint::Tagging::Dot1q(_)
                    | skybridge_blueprint::Tagging::Untagged => None,
                })
                .collect();
        let free = (1..4095)
            .filter_map(VlanId::new)
            .filter(|tag| !tags.contains(tag));
        let wrong: Vec<VlanId> = free.skip(usize::from(self.number % 1000)).take(8).collect();
        let mut seen: Vec<VlanId> = Vec::new();
        for tag in tags {
            if !seen.contains(&tag) {
                seen.push(tag);
            }
        }
        for (link, _) in links {
            if !self.paths().any(|(path, _)| link.ends_with(path)) {
                continue;
            }
            for (from, to) in seen.iter().zip(&wrong) {
                let fault = TagFault {
                    level: TagLevel::Outer,
                    from: *from,
                    to: *to,
                };
                let command = Command::SetTagFault {
                    link: link.as_str().into(),
                    fault,
                };
                driver
                    .lab
                    .inject(command)
                    .expect("the link was just listed");
            }
        }
    }

    fn edge_sessions(&self, driver: &mut Driver, estate: &Estate) {
        let count = if self.first_circuit {
            1
        } else {
            estate.circuits
        };
        for number in 0..count {
            for (path, _) in self.paths() {
                let name = format!("{}-vc-{number}/private/{path}", estate.name);
                cut(driver, name, CutMode::Session, None);
            }
        }
    }

    fn nodes(&self, driver: &mut Driver, role: Role, mode: CutMode) {
        for node in named(driver, role) {
            let number = if node.contains("-1@") { 0 } else { 1 };
            if self.legs[number] {
                cut(driver, node, mode, None);
            }
        }
    }
}

pub(super) fn named(driver: &Driver, role: Role) -> Vec<String> {
    let nodes = driver.lab.world().blueprint().nodes.iter();
    nodes
        .filter(|(_, node)| node.role == role)
        .map(|(name, _)| name.to_string())
        .collect()
}

/// Links between MSEEs and edges, with what stands at their ends.
fn cross_connects(driver: &Driver) -> Vec<(String, [(String, Role); 2])> {
    let blueprint = driver.lab.world().blueprint();
    (blueprint.links.iter())
        .filter(|(_, link)| link.class == LinkClass::CrossConnect && link.owner == Owner::Provider)
        .map(|(name, link)| {
            let ends = [&link.a, &link.b].map(|end| {
                let role = blueprint
                    .nodes
                    .get(&end.node)
                    .map_or(Role::Host, |n| n.role);
                (end.node.to_string(), role)
            });
            (name.to_string(), ends)
        })
        .collect()
}

pub(super) fn cut(driver: &mut Driver, element: String, mode: CutMode, towards: Option<String>) {
    told(
        driver,
        Request::Cut {
            element,
            mode,
            towards,
        },
    );
}

pub(super) fn told(driver: &mut Driver, request: Request) {
    if let Response::Error(error) = driver.ask(request) {
        panic!("the examiner cannot break what it wants to: {error:?}");
    }
}
