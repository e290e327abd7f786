//! A site whose edge routers are attached: behind each port stands a router of another world, which the lab
//! knows as little of as of FRR in a namespace.

use std::time::Duration;

use skybridge_base::Instant;
use skybridge_blueprint::{Blueprint, External, Node, NodeKind, NodeName, Owner, Role, Router};
use skybridge_lab::request::{Request, Response, StackSource, UpRequest};
use skybridge_lab::{ClientId, LabOutput, PortId, PortNews};
use skybridge_world::{AnyNode, World};

use super::Virtual;

/// A router of the user's own, in a world of its own.
pub(crate) struct Own {
    id: PortId,
    pub(crate) world: World<AnyNode>,
    /// Its cable is pulled.
    pub(crate) is_off: bool,
}

impl Own {
    const PORT: &str = "wan";

    fn name() -> NodeName {
        "own".into()
    }

    fn blueprint(spec: Router) -> Blueprint {
        let node = Node {
            owner: Owner::Customer,
            role: Role::CustomerEdge,
            location: String::new(),
            tenant: None,
            kind: NodeKind::Router(Box::new(spec)),
        };
        let mut blueprint = Blueprint::default();
        blueprint.nodes.insert(Self::name(), node);
        blueprint
    }

    fn new(id: PortId, spec: Router, now: Instant) -> Self {
        let mut world = World::new(Self::blueprint(spec), id.0).unwrap();
        world.advance(now);
        let port = Self::PORT.into();
        world.open_external(&Self::name(), &port).unwrap();
        Self {
            id,
            world,
            is_off: false,
        }
    }

    /// Its operator changes its configuration.
    pub(crate) fn configure(&mut self, change: impl FnOnce(&mut Router)) {
        let node = self.world.blueprint().nodes.get(&Self::name());
        let mut spec = node.and_then(Node::as_router).unwrap().clone();
        change(&mut spec);
        self.world.apply(Self::blueprint(spec)).unwrap();
    }

    /// Its session at its end.
    pub(crate) fn session(&self) -> skybridge_world::Element {
        skybridge_world::Element::Session {
            node: Self::name(),
            instance: "bgp".to_owned(),
            peer: "msee".to_owned(),
        }
    }
}

/// A lab and the routers attached to it, in the order of their names.
pub(crate) struct Premises {
    pub(crate) lab: Virtual,
    pub(crate) own: Vec<Own>,
    clients: u64,
    /// Devices that are not to be had.
    without_devices: bool,
}

impl Premises {
    /// Brings a directory up. `change` is what the operators of the routers have configured otherwise than
    /// the lab would, by number.
    pub(crate) fn up(source: StackSource, change: impl Fn(usize, &mut Router)) -> Self {
        Self::up_as(source, change, false)
    }

    /// Brings a directory up where none of its devices exists.
    pub(crate) fn up_without_devices(source: StackSource) -> Self {
        Self::up_as(source, |_, _| {}, true)
    }

    fn up_as(
        source: StackSource,
        change: impl Fn(usize, &mut Router),
        without_devices: bool,
    ) -> Self {
        let mut premises = Self {
            lab: Virtual::new(),
            own: Vec::new(),
            clients: 1 << 32,
            without_devices,
        };
        let up = Request::Up(UpRequest {
            stacks: vec![source],
            force: true,
            skip_simulation: true,
        });
        premises.ask_with(up, &change);
        premises.run_for(Duration::from_secs(300));
        premises
    }

    pub(crate) fn ask(&mut self, request: Request) -> Response {
        self.ask_with(request, &|_, _| {})
    }

    fn ask_with(&mut self, request: Request, change: &dyn Fn(usize, &mut Router)) -> Response {
        self.clients += 1;
        let client = ClientId(self.clients);
        self.lab.lab.request(self.lab.now, client, request);
        let deadline = self.lab.now + Duration::from_secs(4 * 3600);
        loop {
            while let Some(output) = self.lab.lab.poll_output() {
                match output {
                    LabOutput::Response {
                        client: to,
                        response,
                        last: true,
                    } if to == client => return response,
                    LabOutput::PortOpen { id, spec } => self.open(id, &spec, change),
                    LabOutput::PortChange { id, spec } => {
                        let number = self.own.iter().position(|own| own.id == id);
                        if let Some(number) = number {
                            let mut router = persona(&spec);
                            change(number, &mut router);
                            self.own[number].configure(|spec| *spec = router);
                        }
                    }
                    _ => {}
                }
            }
            assert!(self.lab.now <= deadline, "no answer within four hours");
            self.step(deadline);
        }
    }

    fn open(&mut self, id: PortId, spec: &External, change: &dyn Fn(usize, &mut Router)) {
        if self.without_devices {
            let none = PortNews::Failed("there is no namespace frr".to_owned());
            return self.lab.lab.port(self.lab.now, id, none);
        }
        let mut router = persona(spec);
        change(self.own.len(), &mut router);
        self.own.push(Own::new(id, router, self.lab.now));
        self.lab.lab.port(self.lab.now, id, PortNews::Ready);
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let until = self.lab.now + time;
        while self.lab.now < until {
            self.step(until);
        }
    }

    /// Everything that is due next, and what it sends over the ports.
    fn step(&mut self, until: Instant) {
        let own = self.own.iter().map(|own| own.world.poll_timeout());
        let due = own.chain([self.lab.lab.poll_timeout()]).flatten();
        let next = due.map(|deadline| deadline.at).min().unwrap_or(until);
        self.lab.now = next.min(until).max(self.lab.now);
        loop {
            self.lab.lab.advance(self.lab.now);
            for own in &mut self.own {
                own.world.advance(self.lab.now);
                while own.world.poll_event().is_some() {}
            }
            if !self.exchange() {
                return;
            }
        }
    }

    /// Frames both ways; true when there were any.
    fn exchange(&mut self) -> bool {
        let mut frames = Vec::new();
        self.lab.lab.give_frames(&mut frames);
        let mut moved = !frames.is_empty();
        for (id, frame) in frames {
            let own = self.own.iter_mut().find(|own| own.id == id);
            if let Some(own) = own.filter(|own| !own.is_off) {
                let (node, port) = (Own::name(), Own::PORT.into());
                own.world.inject(&node, &port, &mut vec![frame]).unwrap();
            }
        }
        for own in &mut self.own {
            while let Some(out) = own.world.poll_external() {
                if !own.is_off {
                    moved = true;
                    let mut frames = vec![out.frame];
                    self.lab.lab.take_frames(self.lab.now, own.id, &mut frames);
                }
            }
        }
        moved
    }
}

/// What the lab would run in the place of an attached router.
fn persona(spec: &External) -> Router {
    match spec {
        External::Attached(attached) => (**attached.persona.as_ref().unwrap()).clone(),
        External::Namespace(_) => panic!("hosts are inside"),
    }
}
