//! What happens to an interconnect, one story at a time, in virtual time.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use skybridge_base::VlanId;
use skybridge_blueprint::{
    Blueprint, InterfaceName, NextHop, NodeKind, NodeName, RouteSource, Router, Secret,
    StaticRoute, Tagging, VrfName,
};
use skybridge_nodes::{ConnectionId, HostCommand, NodeEvent, SessionState};
use skybridge_sim::network::{self, Options};
use skybridge_sim::{Run, Watcher, established, identifier};
use skybridge_solve::{Failures, SessionId, SessionVerdict, solve};
use skybridge_world::{Command, CutMode, Element, TagFault, TagLevel, World, WorldEventKind};

const PRIMARY: &str = "washington-dc--us-ashburn-1/primary";
const SECONDARY: &str = "washington-dc--us-ashburn-1/secondary";
const MSEE: &str = "msee-1@washington-dc";
const EDGE: &str = "fc-edge-1@us-ashburn-1";

fn link(name: &str) -> Element {
    Element::Link(name.into())
}

fn cut(element: Element, mode: CutMode) -> Command {
    Command::Cut { element, mode }
}

fn heal(element: Element) -> Command {
    Command::Heal {
        element: Some(element),
    }
}

/// A run whose network has settled.
fn settled(options: &Options) -> Run {
    let mut run = Run::new(1, options);
    assert!(run.quiet(), "{:?}", run.problems());
    run
}

/// Settles under the faults, is as the solver says, mends all and settles again.
fn settles_and_comes_back(mut run: Run) {
    run.quiet();
    run.heal();
    assert_eq!(run.problems(), Vec::<String>::new());
}

fn router<'a>(blueprint: &'a mut Blueprint, name: &str) -> &'a mut Router {
    match &mut blueprint.nodes.get_mut(name).unwrap().kind {
        NodeKind::Router(router) => router,
        NodeKind::Host(_) | NodeKind::External(_) | NodeKind::Switch(_) => {
            panic!("{name} is no router")
        }
    }
}

/// The states of a session, in order, with their reasons.
fn states(world: &mut World, id: &SessionId) -> Vec<(SessionState, String)> {
    let mut found = Vec::new();
    while let Some(event) = world.poll_event() {
        if let WorldEventKind::Node(NodeEvent::Bgp {
            instance,
            peer,
            to,
            reason,
            ..
        }) = event.kind
            && event.node.as_ref() == Some(&id.node)
            && (&instance, &peer) == (&id.instance, &id.peer)
        {
            found.push((to, reason));
        }
    }
    found
}

fn peering(node: &str, instance: &str, peer: &str) -> SessionId {
    SessionId {
        node: node.into(),
        instance: instance.to_owned(),
        peer: peer.to_owned(),
    }
}

#[test]
fn the_primary_is_cut() {
    for mode in [CutMode::LinkDown, CutMode::Silent, CutMode::Admin] {
        for bfd in [true, false] {
            let mut run = settled(&Options {
                bfd,
                ..Options::default()
            });
            run.tell(cut(link(PRIMARY), mode.clone()));
            settles_and_comes_back(run);
        }
    }
}

#[test]
fn both_are_cut_and_nothing_is_left_of_the_other_cloud() {
    let mut run = settled(&Options::default());
    run.tell(cut(link(PRIMARY), CutMode::LinkDown));
    run.tell(cut(link(SECONDARY), CutMode::Silent));
    assert!(run.quiet(), "{:?}", run.problems());
    let routes = run.world.router(&"vnet/app-red".into()).unwrap();
    let learned = routes.routes(&"subnet/apps-red".into());
    let theirs: IpNet = "10.1.10.0/24".parse().unwrap();
    assert!(learned.iter().all(|route| route.prefix != theirs));
    settles_and_comes_back(run);
}

#[test]
fn a_cross_connect_flaps() {
    let mut run = settled(&Options::default());
    for millis in [10, 200, 900, 1500, 40, 3000] {
        run.tell(cut(link(PRIMARY), CutMode::LinkDown));
        run.pass(Duration::from_millis(millis));
        run.tell(heal(link(PRIMARY)));
        run.pass(Duration::from_millis(millis / 2));
    }
    settles_and_comes_back(run);
}

#[test]
fn an_msee_crashes_and_starts_again() {
    for silent in [false, true] {
        let mut run = settled(&Options {
            tenants: 2,
            ..Options::default()
        });
        let node: NodeName = MSEE.into();
        if silent {
            run.tell(cut(Element::Node(node.clone()), CutMode::Silent));
        } else {
            run.tell(Command::Crash { node: node.clone() });
        }
        assert!(run.quiet(), "{:?}", run.problems());
        assert!(run.world.router(&node).is_none());
        run.tell(Command::Restart { node });
        settles_and_comes_back(run);
    }
}

#[test]
fn a_gateway_instance_is_lost() {
    let mut run = settled(&Options::default());
    let node = Element::Node("ergw-red/instance-0".into());
    run.tell(cut(node.clone(), CutMode::Silent));
    assert!(run.quiet(), "{:?}", run.problems());
    run.tell(heal(node));
    run.tell(Command::Restart {
        node: "ergw-red/instance-1".into(),
    });
    settles_and_comes_back(run);
}

#[test]
fn a_provider_that_changes_a_tag_takes_the_session_and_gives_it_back() {
    let mut run = settled(&Options::default());
    let id = peering(MSEE, "er-red/private", "customer");
    let all = established(&run.world);
    assert!(all.contains(&id), "{all:#?}");
    run.tell(Command::SetTagFault {
        link: PRIMARY.into(),
        fault: TagFault {
            level: TagLevel::Inner,
            from: VlanId::new(200).unwrap(),
            to: VlanId::new(201).unwrap(),
        },
    });
    run.pass(Duration::from_secs(5));
    assert!(!established(&run.world).contains(&id));
    run.tell(Command::ClearTagFaults {
        link: PRIMARY.into(),
    });
    settles_and_comes_back(run);
}

#[test]
fn a_wrong_customer_tag_at_one_end_leaves_the_session_without_a_peer() {
    let mut wrong = network::blueprint(&Options::default());
    let edge = router(&mut wrong, EDGE);
    let interface = edge.interfaces.get_mut("vc/vc-red").unwrap();
    interface.tagging = Tagging::QinQ {
        s_tag: VlanId::new(100).unwrap(),
        c_tag: VlanId::new(201).unwrap(),
    };
    let tables = solve(&wrong, &Failures::none());
    let id = peering(MSEE, "er-red/private", "customer");
    assert_eq!(tables.sessions[&id], SessionVerdict::TagMismatch);
    let mut run = settled(&Options::default());
    assert!(run.apply(Some(wrong)));
    settles_and_comes_back(run);
}

#[test]
fn a_wrong_key_keeps_the_session_from_establishing_at_any_time() {
    let options = Options {
        md5: true,
        ..Options::default()
    };
    let mut wrong = network::blueprint(&options);
    let msee = router(&mut wrong, MSEE);
    let peer = msee.bgp.get_mut("er-red/private").unwrap();
    let peer = peer.peers.get_mut("customer").unwrap();
    peer.md5 = Some(Secret::new("mistyped".to_owned()));
    let mut world = World::new(wrong.clone(), 1).unwrap();
    world.run_until(world.now() + Duration::from_secs(120));
    let seen = states(&mut world, &peering(MSEE, "er-red/private", "customer"));
    assert!(!seen.is_empty());
    let never = [SessionState::OpenSent, SessionState::Established];
    assert!(
        seen.iter().all(|(state, _)| !never.contains(state)),
        "{seen:?}"
    );
    let mut run = settled(&options);
    assert!(run.apply(Some(wrong)));
    settles_and_comes_back(run);
}

#[test]
fn an_address_that_both_ends_have_is_noticed_and_no_session_comes_up_over_it() {
    let mut wrong = network::blueprint(&Options::default());
    let edge = router(&mut wrong, EDGE);
    let interface = edge.interfaces.get_mut("vc/vc-red").unwrap();
    interface
        .addresses
        .push("192.168.240.2/30".parse().unwrap());
    let mut world = World::new(wrong, 1).unwrap();
    world.run_until(world.now() + Duration::from_secs(60));
    let address: IpAddr = "192.168.240.2".parse().unwrap();
    let mut noticed = Vec::new();
    while let Some(event) = world.poll_event() {
        if let WorldEventKind::Node(NodeEvent::DuplicateAddress { address: found, .. }) = event.kind
        {
            assert_eq!(found, address);
            noticed.push(event.node.unwrap().to_string());
        }
    }
    assert!(noticed.contains(&MSEE.to_owned()), "{noticed:?}");
    let id = peering(MSEE, "er-red/private", "customer");
    assert!(!established(&world).contains(&id));
    let other = peering("msee-2@washington-dc", "er-red/private", "customer");
    assert!(established(&world).contains(&other));
}

#[test]
fn one_tenants_cuts_and_changes_leave_the_others_sessions_up() {
    let both = Options {
        tenants: 2,
        ..Options::default()
    };
    let mut run = settled(&both);
    let red = |world: &World| -> Vec<SessionId> {
        let all = established(world).into_iter();
        all.filter(|id| format!("{id:?}").contains("red")).collect()
    };
    let before = red(&run.world);
    run.tell(cut(
        Element::Circuit {
            link: PRIMARY.into(),
            s_tag: VlanId::new(101).unwrap(),
        },
        CutMode::Silent,
    ));
    run.pass(Duration::from_secs(40));
    assert_eq!(red(&run.world), before);
    let mut alone = both;
    alone.tenants = 1;
    assert!(run.apply(Some(network::blueprint(&alone))));
    assert_eq!(red(&run.world), before);
    run.pass(Duration::from_secs(40));
    assert_eq!(red(&run.world), before);
    settles_and_comes_back(run);
}

fn echo(world: &mut World, from: &str, id: u64, sequence: u16, target: &str) {
    let command = HostCommand::Echo {
        id: ConnectionId(id),
        sequence,
        target: target.parse().unwrap(),
        ttl: 64,
        payload_len: 8,
        dont_fragment: true,
        timeout: Duration::from_secs(1),
        trace: 0,
    };
    let node = from.into();
    world.command(Command::Host { node, command }).unwrap();
}

#[test]
fn a_provider_that_gives_one_circuit_the_tag_of_another_is_seen_to_mix_tenants() {
    let both = Options {
        tenants: 2,
        ..Options::default()
    };
    let mut world = World::new(network::blueprint(&both), 1).unwrap();
    let mut watcher = Watcher::new(world.blueprint());
    world.run_until(world.now() + Duration::from_secs(10));
    let probe = |world: &mut World, watcher: &mut Watcher| {
        for flow in 0..8 {
            echo(world, "web-red", identifier(0, flow), 1, "10.1.10.254");
        }
        world.run_until_checked(world.now() + Duration::from_millis(500), watcher);
    };
    probe(&mut world, &mut watcher);
    assert!(watcher.probes > 0 && watcher.frames > watcher.probes);
    assert_eq!(watcher.violations, Vec::<String>::new());
    for path in [PRIMARY, SECONDARY] {
        world
            .command(Command::SetTagFault {
                link: path.into(),
                fault: TagFault {
                    level: TagLevel::Outer,
                    from: VlanId::new(100).unwrap(),
                    to: VlanId::new(101).unwrap(),
                },
            })
            .unwrap();
    }
    probe(&mut world, &mut watcher);
    assert!(
        watcher.violations[0].contains("tenant red reached"),
        "{:?}",
        watcher.violations
    );
}

/// A route to nowhere: MSEE and edge point at each other.
fn looping() -> Blueprint {
    let mut blueprint = network::blueprint(&Options::default());
    let prefix: IpNet = "10.99.0.0/16".parse().unwrap();
    let mut point = |node: &str, vrf: &str, interface: &str, address: &str| {
        let table: &VrfName = &vrf.into();
        let vrf = router(&mut blueprint, node).vrfs.get_mut(table).unwrap();
        vrf.routes.push(StaticRoute {
            prefix,
            next_hop: NextHop::Via {
                interface: InterfaceName::from(interface),
                address: address.parse().unwrap(),
            },
            preference: 1,
            source: RouteSource::User,
        });
    };
    let to_msee = "to/msee-1@washington-dc";
    point("vnet/app-red", "subnet/apps-red", to_msee, "10.12.1.4");
    point(MSEE, "er-red/private", "er-red/private", "192.168.240.1");
    point(EDGE, "vc/vc-red", "vc/vc-red", "192.168.240.2");
    blueprint
}

#[test]
fn a_loop_is_seen() {
    let mut world = World::new(looping(), 1).unwrap();
    let mut watcher = Watcher::new(world.blueprint());
    world.run_until(world.now() + Duration::from_secs(10));
    watcher.set_quiet(true);
    echo(&mut world, "web-red", identifier(0, 1), 1, "10.99.0.1");
    world.run_until_checked(world.now() + Duration::from_secs(2), &mut watcher);
    assert!(
        watcher.violations[0].contains("twice after routes had settled"),
        "{:?}",
        watcher.violations
    );
}
