//! Sites whose edge routers are the user's own: each stands in a world beside the lab's, which the lab
//! knows as little of as of FRR in a namespace.

use skybridge_base::{Asn, Instant, Rng, VlanId};
use skybridge_blueprint::{
    BgpInstance, Blueprint, External, Node, NodeKind, NodeName, Owner, Role, Router, Secret,
    Tagging,
};
use skybridge_lab::PortId;
use skybridge_world::{AnyNode, Command, CutMode, Element, World};

use super::driver::Driver;
use super::premises::{Premises, SITE_FAULTS, SiteFault, SiteKind};

/// The port of an attached router, and its description's names.
const PORT: &str = "wan";
const INSTANCE: &str = "bgp";
const PEER: &str = "msee";

/// A router of the user's own.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) id: PortId,
    pub(super) world: World<AnyNode>,
    /// Its cable is pulled.
    pub(super) is_off: bool,
}

impl Own {
    /// What the lab would run in its place.
    pub(super) fn new(id: PortId, spec: &External, now: Instant) -> Self {
        let mut world = World::new(blueprint(persona(spec)), id.0)
            .expect("the lab's own description is without faults");
        world.advance(now);
        (world.open_external(&name(), &PORT.into())).expect("the port has no link");
        Self {
            id,
            world,
            is_off: false,
        }
    }

    /// The lab means it to be otherwise, and its operator follows.
    pub(super) fn follow(&mut self, spec: &External) {
        self.apply(persona(spec));
    }

    fn apply(&mut self, spec: Router) {
        let applied = self.world.apply(blueprint(spec));
        applied.expect("what is changed has no faults");
    }

    fn configure(&mut self, change: impl FnOnce(&mut Router)) {
        let node = self.world.blueprint().nodes.get(&name());
        let mut spec = node
            .and_then(Node::as_router)
            .cloned()
            .expect("it is a router");
        change(&mut spec);
        self.apply(spec);
    }

    /// Everything that is due.
    pub(super) fn advance(&mut self, now: Instant) {
        self.world.advance(now);
        while self.world.poll_event().is_some() {}
    }

    /// A frame from the lab.
    pub(super) fn take(&mut self, frame: skybridge_wire::Frame) {
        if !self.is_off {
            let taken = (self.world).inject(&name(), &PORT.into(), &mut vec![frame]);
            taken.expect("the port was opened");
        }
    }

    /// A frame for the lab.
    pub(super) fn give(&mut self) -> Option<skybridge_wire::Frame> {
        let frame = self.world.poll_external()?.frame;
        (!self.is_off).then_some(frame)
    }
}

fn name() -> NodeName {
    "own".into()
}

fn persona(spec: &External) -> Router {
    match spec {
        External::Attached(attached) => attached.persona.as_deref().cloned(),
        External::Namespace(_) => None,
    }
    .expect("the examiner attaches routers with a persona")
}

fn blueprint(spec: Router) -> Blueprint {
    let node = Node {
        owner: Owner::Customer,
        role: Role::CustomerEdge,
        location: String::new(),
        tenant: None,
        kind: NodeKind::Router(Box::new(spec)),
    };
    Blueprint {
        nodes: [(name(), node)].into(),
        ..Blueprint::default()
    }
}

/// What operators of such routers get wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum OwnKind {
    RouterOff,
    RouterOtherTag,
    RouterOtherKey,
    RouterOtherAsn,
    RouterShutsSession,
    RouterAnnouncesNothing,
    SiteLacksTarget,
}

const OWN_FAULTS: [OwnKind; 7] = [
    OwnKind::RouterOff,
    OwnKind::RouterOtherTag,
    OwnKind::RouterOtherKey,
    OwnKind::RouterOtherAsn,
    OwnKind::RouterShutsSession,
    OwnKind::RouterAnnouncesNothing,
    OwnKind::SiteLacksTarget,
];

/// A fault on the way to such a site, or in it.
#[derive(Clone, Copy, Debug)]
pub(super) enum OwnFault {
    /// What the provider does.
    Site(SiteFault),
    /// What the operators do, on these legs.
    Own(OwnKind, [bool; 2]),
}

impl OwnFault {
    /// By number; every so often nothing is wrong.
    pub(super) fn choose(number: usize, rng: &mut Rng) -> Option<Self> {
        let of_provider = |kind: &&SiteKind| kind.is_of_provider();
        let site: Vec<&SiteKind> = SITE_FAULTS.iter().filter(of_provider).collect();
        let number = number % (site.len() + OWN_FAULTS.len() + 1);
        if let Some(kind) = site.get(number) {
            return Some(Self::Site(SiteFault::choose(**kind, rng)));
        }
        let kind = OWN_FAULTS.get(number - site.len())?;
        let legs = [[true, false], [false, true], [true, true]];
        Some(Self::Own(*kind, *rng.choose(&legs).unwrap_or(&legs[2])))
    }

    pub(super) fn kind(&self) -> String {
        match self {
            Self::Site(fault) => format!("{:?}", fault.kind),
            Self::Own(kind, _) => format!("Own{kind:?}"),
        }
    }

    pub(super) const fn truth(&self) -> (&'static str, &'static str) {
        match self {
            Self::Site(fault) => fault.truth(),
            Self::Own(OwnKind::RouterOff, _) => ("device", "you"),
            Self::Own(OwnKind::RouterOtherTag, _) => ("tags", "you"),
            Self::Own(
                OwnKind::RouterOtherKey | OwnKind::RouterOtherAsn | OwnKind::RouterShutsSession,
                _,
            ) => ("bgp", "you"),
            Self::Own(OwnKind::RouterAnnouncesNothing, _) => ("routes", "you"),
            // Its routers say that they have no route.
            Self::Own(OwnKind::SiteLacksTarget, _) => ("forwarding", "you"),
        }
    }

    pub(super) const fn is_total(&self) -> bool {
        match self {
            Self::Site(fault) => fault.is_total(),
            Self::Own(kind, _) => matches!(kind, OwnKind::SiteLacksTarget),
        }
    }

    pub(super) fn inject(&self, driver: &mut Driver, site: &Premises) {
        let (kind, legs) = match self {
            Self::Site(fault) => return fault.inject(driver, site),
            Self::Own(OwnKind::SiteLacksTarget, _) => (OwnKind::SiteLacksTarget, [true, true]),
            Self::Own(kind, legs) => (*kind, *legs),
        };
        for (own, _) in driver.own.iter_mut().zip(legs).filter(|(_, on)| *on) {
            commit(own, kind);
        }
    }
}

/// Its operator does it.
fn commit(own: &mut Own, kind: OwnKind) {
    let bgp = |router: &mut Router, change: fn(&mut BgpInstance)| {
        router.bgp.values_mut().for_each(change);
    };
    match kind {
        OwnKind::RouterOff => own.is_off = true,
        OwnKind::RouterOtherTag => own.configure(|router| {
            for interface in router.interfaces.values_mut() {
                interface.tagging = match interface.tagging {
                    Tagging::Untagged => VlanId::new(77).map_or(Tagging::Untagged, Tagging::Dot1q),
                    Tagging::Dot1q(_) | Tagging::QinQ { .. } => Tagging::Untagged,
                };
            }
        }),
        OwnKind::RouterOtherKey => own.configure(|router| {
            bgp(router, |bgp| {
                for peer in bgp.peers.values_mut() {
                    peer.md5 = Some(Secret::new("anotherS3cret".to_owned()));
                }
            });
        }),
        OwnKind::RouterOtherAsn => own.configure(|router| {
            bgp(router, |bgp| bgp.asn = Asn(64_600));
        }),
        OwnKind::RouterShutsSession => {
            let element = Element::Session {
                node: name(),
                instance: INSTANCE.to_owned(),
                peer: PEER.to_owned(),
            };
            let mode = CutMode::Session;
            let cut = own.world.command(Command::Cut { element, mode });
            cut.expect("it has this session");
        }
        OwnKind::RouterAnnouncesNothing => own.configure(|router| {
            bgp(router, |bgp| bgp.originated.clear());
        }),
        OwnKind::SiteLacksTarget => own.configure(|router| {
            for interface in router.interfaces.values_mut() {
                // The first is that of the peering.
                interface.addresses.truncate(1);
            }
        }),
    }
}
