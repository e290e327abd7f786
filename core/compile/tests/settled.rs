//! The interconnect as compiled, with every link and every node cut and healed: after each, the
//! running routers hold what the solver computes on its own, and packets arrive where it says.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;
#[allow(
    clippy::wildcard_enum_match_arm,
    missing_debug_implementations,
    reason = "shared helpers of tests"
)]
#[path = "../../world/tests/settled/mod.rs"]
mod settled;

use common::compiled;
use settled::{Sessions, check};
use skybridge_solve::Failures;
use skybridge_world::{Command, CutMode, Element, World};

fn cut_and_heal_each(elements: impl Fn(&World) -> Vec<Element>, mode: &CutMode) {
    let mut world = World::new(compiled().blueprint, 1).unwrap();
    let mut sessions = Sessions::default();
    check(&mut world, &mut sessions, &Failures::none());
    for element in elements(&world) {
        let failures = failures_of(&element, mode);
        let cut = Command::Cut {
            element: element.clone(),
            mode: mode.clone(),
        };
        world.command(cut).unwrap();
        check(&mut world, &mut sessions, &failures);
        let heal = Command::Heal {
            element: Some(element),
        };
        world.command(heal).unwrap();
        check(&mut world, &mut sessions, &Failures::none());
    }
}

fn failures_of(element: &Element, mode: &CutMode) -> Failures {
    let mut failures = Failures::none();
    let silent = *mode == CutMode::Silent;
    match element {
        Element::Link(link) if silent => _ = failures.links_silent.insert(link.clone()),
        Element::Link(link) => _ = failures.links_down.insert(link.clone()),
        Element::Node(node) if silent => _ = failures.nodes_silent.insert(node.clone()),
        Element::Node(node) => _ = failures.nodes_down.insert(node.clone()),
        Element::Port { .. } | Element::Circuit { .. } | Element::Session { .. } => {
            unreachable!("the sweeps cut links and nodes")
        }
    }
    failures
}

fn links(world: &World) -> Vec<Element> {
    let links = world.blueprint().links.keys();
    links.cloned().map(Element::Link).collect()
}

fn nodes(world: &World) -> Vec<Element> {
    let nodes = world.blueprint().nodes.keys();
    nodes.cloned().map(Element::Node).collect()
}

#[test]
fn every_link_that_goes_down_and_comes_back_leaves_what_the_solver_says() {
    cut_and_heal_each(links, &CutMode::LinkDown);
}

#[test]
fn every_link_that_fails_silently_and_comes_back_leaves_what_the_solver_says() {
    cut_and_heal_each(links, &CutMode::Silent);
}

#[test]
fn every_node_that_stops_and_comes_back_leaves_what_the_solver_says() {
    cut_and_heal_each(nodes, &CutMode::LinkDown);
}

#[test]
fn every_node_that_falls_silent_and_comes_back_leaves_what_the_solver_says() {
    cut_and_heal_each(nodes, &CutMode::Silent);
}
