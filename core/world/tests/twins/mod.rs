//! Two worlds of one blueprint and seed, one with a flow cache and one without, told the same.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    unreachable_pub,
    reason = "helpers of tests"
)]

mod network;
mod packets;

use std::time::Duration;

use network::{Shape, blueprint, carrier_name, mac_of, one_in, pick, router_name};
use packets::{Template, answer, moves};
use skybridge_base::{Instant, Rng, VlanId};
use skybridge_blueprint::{Blueprint, CarrierFault, CrossConnectEnd, LinkName, NodeName};
use skybridge_nodes::{ConnectionId, HostCommand};
use skybridge_wire::Frame;
use skybridge_world::{
    CaptureId, CapturePoint, Checker, Command, CutMode, Delivery, Element, FlowCacheStats,
    TagFault, TagLevel, World,
};

/// What a checker saw: when, where, and the frame.
type Seen = (Instant, String, Frame);

#[derive(Default)]
struct Diary(Vec<Seen>);

impl Checker for Diary {
    fn delivered(&mut self, delivery: Delivery<'_>) {
        let way = format!("{} {}", delivery.link, delivery.to.node);
        self.0.push((delivery.at, way, delivery.frame.clone()));
    }
}

/// The twins, and what is going on around them.
pub struct Twins {
    rng: Rng,
    shape: Shape,
    worlds: [World; 2],
    templates: [Vec<Template>; 2],
    captures: Vec<CaptureId>,
    sequence: u16,
    story: Vec<String>,
}

impl Twins {
    pub fn new(seed: u64, tracing: bool) -> Self {
        let mut rng = Rng::new(seed);
        let shape = Shape::new(&mut rng);
        let first = blueprint(shape, &mut rng);
        let worlds = [true, false].map(|cached| {
            let mut world = World::new(first.clone(), seed).unwrap();
            world.set_tracing(tracing);
            world.set_flow_cache(cached);
            for end in [router_name(0), shape.last()] {
                world.open_external(&end, &"tap".into()).unwrap();
            }
            world
        });
        let templates = [1, 2].map(|side| {
            let count = 1 + rng.below(6);
            (0..count).map(|_| Template::new(&mut rng, side)).collect()
        });
        Self {
            rng,
            shape,
            worlds,
            templates,
            captures: Vec::new(),
            sequence: 0,
            story: vec![format!("{shape:?}")],
        }
    }

    /// Tells both worlds the same things, and compares them after each.
    pub fn run(mut self, acts: usize) -> FlowCacheStats {
        for _ in 0..acts {
            match self.rng.below(24) {
                0..14 => self.traffic(),
                14..19 => self.pause(),
                19 => self.talk(),
                20 => self.break_something(),
                21 => self.mend(),
                22 => self.capture(),
                _ => self.reconfigure(),
            }
            self.compare();
        }
        self.worlds[0].flow_cache()
    }

    fn both(&mut self, what: String, mut act: impl FnMut(&mut World)) {
        self.story.push(what);
        for world in &mut self.worlds {
            act(world);
        }
    }

    fn traffic(&mut self) {
        let side = 1 + self.rng.below(2) as u8;
        let at = usize::from(side) - 1;
        let template = pick(&mut self.rng, &self.templates[at]);
        let template = if one_in(&mut self.rng, 4) {
            // An answer to somebody on this side.
            pick(&mut self.rng, &self.templates[1 - at]).reversed()
        } else {
            template
        };
        let node = if side == 1 { 0 } else { self.shape.routers - 1 };
        let count = 1 + self.rng.below(8);
        let rng = &mut self.rng;
        let plain = one_in(rng, 2);
        let mut frames: Vec<_> = (0..count)
            .map(|_| template.frame(rng, mac_of(node, "tap"), side, plain))
            .collect();
        if one_in(rng, 10) {
            frames.push(moves(side, one_in(rng, 2)));
        }
        let name = router_name(node);
        self.both(format!("{count} frames at {name}: {template:?}"), |world| {
            // Refused when the router has crashed.
            drop(world.inject(&name, &"tap".into(), &mut frames.clone()));
        });
    }

    fn pause(&mut self) {
        let pauses = [0, 1, 1_000, 1_000_000, 20_000_000, 3_000_000_000];
        let long = [16, 31, 61, 181, 1801].map(|secs| secs * 1_000_000_000);
        let nanos = if one_in(&mut self.rng, 8) {
            pick(&mut self.rng, &long)
        } else {
            pick(&mut self.rng, &pauses)
        };
        let until = self.worlds[0].now() + Duration::from_nanos(nanos);
        let watched = one_in(&mut self.rng, 2);
        self.story
            .push(format!("until {until}, watched: {watched}"));
        if watched {
            let [a, b] = self.worlds.each_mut().map(|world| {
                let mut diary = Diary::default();
                world.run_until_checked(until, &mut diary);
                diary.0
            });
            for (at, (a, b)) in a.iter().zip(&b).enumerate() {
                assert_eq!(a, b, "delivery {at} after {:#?}", self.story);
            }
            assert_eq!(a.len(), b.len(), "{:#?}", self.story);
        } else {
            for world in &mut self.worlds {
                world.run_until(until);
            }
        }
    }

    fn talk(&mut self) {
        let (from, to) = pick(&mut self.rng, &[("left", 2), ("right", 1)]);
        self.sequence += 1;
        let id = ConnectionId(u64::from(self.sequence));
        let last = pick(&mut self.rng, &[[0, 10], [0, 10], [1, 9]]);
        let target = [10, to, last[0], last[1]].into();
        let timeout = Duration::from_secs(3);
        let command = if one_in(&mut self.rng, 2) {
            HostCommand::TcpConnect {
                id,
                target,
                port: 80,
                timeout,
                trace: 0,
            }
        } else {
            HostCommand::Echo {
                id,
                sequence: self.sequence,
                target,
                ttl: 64,
                payload_len: 100,
                dont_fragment: false,
                timeout,
                trace: u32::from(one_in(&mut self.rng, 3)),
            }
        };
        let node: NodeName = from.into();
        self.command(Command::Host { node, command });
    }

    fn command(&mut self, command: Command) {
        self.both(format!("{command:?}"), |world| {
            drop(world.command(command.clone()));
        });
    }

    fn link_name(&mut self) -> LinkName {
        let at = self.rng.below(self.shape.routers as u64 - 1);
        let j = self.rng.below(self.shape.links as u64);
        pick(
            &mut self.rng,
            &[format!("l{at}-{j}"), "left".into(), format!("l{at}-0")],
        )
        .into()
    }

    fn break_something(&mut self) {
        let link = self.link_name();
        let at = self.rng.below(self.shape.routers as u64) as usize;
        let node = router_name(at);
        let vlan = |id| VlanId::new(id).unwrap();
        let mode = pick(
            &mut self.rng,
            &[CutMode::LinkDown, CutMode::Silent, CutMode::Admin],
        );
        let command = match self.rng.below(8) {
            0 => Command::Cut {
                element: Element::Link(link),
                mode,
            },
            1 => Command::Cut {
                element: Element::Link(link),
                mode: CutMode::OneWay { towards: node },
            },
            2 => Command::Restart { node },
            3 => Command::Cut {
                element: Element::Node(node),
                mode,
            },
            4 => Command::Cut {
                element: Element::Circuit {
                    link,
                    s_tag: vlan(20 + at as u16),
                },
                mode: CutMode::Silent,
            },
            5 | 6 => Command::SetCarrierFault {
                node: carrier_name(0),
                cross_connect: "cc".into(),
                fault: pick(
                    &mut self.rng,
                    &[
                        CarrierFault::StripTag,
                        CarrierFault::WrongSTag(vlan(77)),
                        CarrierFault::Mtu(1300),
                        CarrierFault::Loss { ppm: 200_000 },
                        CarrierFault::OneWay {
                            towards: CrossConnectEnd::B,
                        },
                    ],
                ),
            },
            _ => Command::SetTagFault {
                link,
                fault: TagFault {
                    level: pick(&mut self.rng, &[TagLevel::Outer, TagLevel::Inner]),
                    from: vlan(pick(&mut self.rng, &[10, 20, 21, 30, 31])),
                    to: vlan(pick(&mut self.rng, &[10, 20, 99])),
                },
            },
        };
        self.command(command);
    }

    fn mend(&mut self) {
        let link = self.link_name();
        self.command(Command::ClearTagFaults { link });
        self.command(Command::ClearCarrierFaults {
            node: carrier_name(0),
            cross_connect: "cc".into(),
        });
        self.command(Command::Heal { element: None });
    }

    fn capture(&mut self) {
        if self.captures.len() > 1 {
            let id = self.captures.remove(0);
            let [a, b] = self.worlds.each_mut().map(|world| world.stop_capture(id));
            assert_eq!(a, b, "{:#?}", self.story);
            return;
        }
        let link = self.link_name();
        let node = router_name(self.rng.below(self.shape.routers as u64) as usize);
        let point = if one_in(&mut self.rng, 2) {
            CapturePoint::Link(link)
        } else {
            let port = pick(&mut self.rng, &["e0", "w0", "tap", "lan"]).into();
            CapturePoint::Port { node, port }
        };
        self.story.push(format!("capture {point:?}"));
        let [a, b] = self
            .worlds
            .each_mut()
            .map(|world| world.start_capture(point.clone(), 1000).unwrap());
        assert_eq!(a, b);
        self.captures.push(a);
    }

    fn reconfigure(&mut self) {
        // Links mostly stay as they are, and so does all but one router.
        let fresh = blueprint(self.shape, &mut self.rng);
        let mut next: Blueprint = self.worlds[0].blueprint().clone();
        let at = self.rng.below(self.shape.routers as u64) as usize;
        let name = router_name(at);
        next.nodes.insert(name.clone(), fresh.nodes[&name].clone());
        if one_in(&mut self.rng, 2) {
            let link = self.link_name();
            next.links.insert(link.clone(), fresh.links[&link].clone());
        }
        self.both(format!("another {name}"), |world| {
            world.apply(next.clone()).unwrap();
        });
    }

    /// Whatever can be seen of the worlds is the same.
    fn compare(&mut self) {
        let story = &self.story;
        let [a, b] = &mut self.worlds;
        assert_eq!(a.now(), b.now(), "{story:#?}");
        loop {
            let (one, other) = (a.poll_event(), b.poll_event());
            assert_eq!(one, other, "{story:#?}");
            if one.is_none() {
                break;
            }
        }
        let mut answers = [Vec::new(), Vec::new()];
        loop {
            let (one, other) = (a.poll_external(), b.poll_external());
            assert_eq!(one, other, "{story:#?}");
            let Some(left) = one else { break };
            let side = if left.node == router_name(0) { 1 } else { 2 };
            answers[side - 1].extend(answer(&left.frame, side as u8));
        }
        for (frames, node) in answers.iter().zip([router_name(0), self.shape.last()]) {
            for world in [&mut *a, &mut *b] {
                drop(world.inject(&node, &"tap".into(), &mut frames.clone()));
            }
        }
        assert_eq!(a.trace_hash(), b.trace_hash(), "{story:#?}");
        assert_eq!(a.steps(), b.steps(), "{story:#?}");
        for at in 0..self.shape.routers {
            let name = router_name(at);
            let [one, other] = [&*a, &*b].map(|world| {
                world.router(&name).map(|router| {
                    (
                        router.counters(),
                        router.policers(),
                        router.neighbours(world.now()),
                    )
                })
            });
            assert_eq!(one, other, "{name} after {story:#?}");
        }
        for j in 0..self.shape.links {
            let [one, other] = [&*a, &*b].map(|world| {
                let switch = world.switch(&carrier_name(j))?;
                let ports = switch.ports().map(|(_, counters)| counters.clone());
                let lost = switch.cross_connects().map(|(_, lost)| *lost);
                Some((ports.collect::<Vec<_>>(), lost.collect::<Vec<_>>()))
            });
            assert_eq!(one, other, "carrier {j} after {story:#?}");
        }
        for link in a.blueprint().links.keys() {
            assert_eq!(a.link_state(link), b.link_state(link), "{link} {story:#?}");
        }
        for name in ["left", "right"] {
            let [one, other] = [&*a, &*b].map(|world| {
                let host = world.host(&name.into()).unwrap();
                (host.counters(), host.connections())
            });
            assert_eq!(one, other, "{name} {story:#?}");
        }
    }
}
