//! What the Azure–OCI interconnect survives, and what decides how long it takes.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use std::time::Duration;

use common::{claim, interconnect, pair, proof};
use skybridge_base::Instant;
use skybridge_blueprint::{Blueprint, NodeKind, NodeName, Service, ServiceKind};
use skybridge_verify::{
    Case, Claim, ElementClass, Pair, ProofResult, Within, elements, failover_table, prove,
};
use skybridge_world::{Command, CutMode, Element, World};

const PRIMARY: &str = "washington-dc--us-ashburn-1/primary";
const SECONDARY: &str = "washington-dc--us-ashburn-1/secondary";

fn prove_one(blueprint: Blueprint, claim: Claim) -> ProofResult {
    prove(&proof(blueprint, 20, vec![claim])).remove(0)
}

fn link(name: &str) -> Element {
    Element::Link(name.into())
}

/// The case of a claim in which `element` alone was cut.
fn case_of(cases: &[Case], element: &Element, mode: &CutMode) -> Case {
    let is = |case: &&Case| case.cut == [element.clone()] && case.mode == *mode;
    cases.iter().find(is).unwrap().clone()
}

#[test]
fn its_elements_are_the_links_between_machines_the_routers_and_the_gateway_instances() {
    let found = elements(&interconnect(true));
    let count = |class| found.iter().filter(|(_, c, _)| *c == class).count();
    assert_eq!(count(ElementClass::Link), 2);
    assert_eq!(count(ElementClass::Router), 4);
    // Two instances, and the tunnels of each to both MSEEs.
    assert_eq!(count(ElementClass::Gateway), 2 + 4);
    assert_eq!(found.len(), 12);
    let label = |text: &str| found.iter().any(|(_, _, label)| label == text);
    assert!(label("MSEE msee-1@washington-dc"));
    assert!(label(&format!("cross-connect {PRIMARY}")));
}

#[test]
fn with_bfd_a_silent_cut_of_the_primary_costs_a_detection_time() {
    let result = prove_one(interconnect(true), claim());
    assert_eq!(result.holds, Some(true), "{}", result.detail);
    assert_eq!(result.cases.len(), 2 * 12);
    let silent = case_of(&result.cases, &link(PRIMARY), &CutMode::Silent);
    // 3 × 300 ms after the last packet that came, which is up to 300 ms before the cut; then the
    // routes move at once.
    assert!(silent.loss >= Duration::from_millis(590), "{silent:?}");
    assert!(silent.loss <= Duration::from_millis(950), "{silent:?}");
    assert!(silent.resolution <= Duration::from_millis(50));
    assert!(
        silent.timer.starts_with("BFD detection (900 ms) on "),
        "{}",
        silent.timer
    );
    let seen = case_of(&result.cases, &link(PRIMARY), &CutMode::LinkDown);
    assert!(seen.loss <= Duration::from_millis(20), "{seen:?}");
    assert!(
        seen.timer.starts_with("link down seen on "),
        "{}",
        seen.timer
    );
    assert_eq!(seen.class, ElementClass::Link);
}

#[test]
fn without_bfd_it_costs_the_hold_time() {
    let result = prove_one(interconnect(false), claim());
    assert_eq!(result.holds, Some(true), "{}", result.detail);
    let silent = case_of(&result.cases, &link(PRIMARY), &CutMode::Silent);
    assert!(silent.loss >= Duration::from_secs(20), "{silent:?}");
    assert!(silent.loss <= Duration::from_millis(30_300), "{silent:?}");
    assert!(
        silent.timer.starts_with("BGP hold timer (30 s) on "),
        "{}",
        silent.timer
    );
    assert!(silent.timer.contains("192.168.240."), "{}", silent.timer);
    let seen = case_of(&result.cases, &link(PRIMARY), &CutMode::LinkDown);
    assert!(seen.loss <= Duration::from_millis(20), "{seen:?}");
}

#[test]
fn a_bound_of_two_seconds_for_links_holds_of_the_cross_connects_only_with_bfd() {
    let within = |seconds| Within {
        default: Some(Duration::from_secs(61)),
        by_class: [ElementClass::Link, ElementClass::Gateway]
            .map(|class| (class, Duration::from_secs(seconds)))
            .into(),
    };
    // The tunnels inside Azure have no BFD: 60 s of hold time.
    let bounded = |seconds| Claim {
        within: within(seconds),
        ..claim()
    };
    let failing = |bfd| {
        let result = prove_one(interconnect(bfd), bounded(2));
        assert_eq!(result.holds, Some(false));
        let failing = result.cases.iter().filter(|case| !case.ok);
        let failing: Vec<String> = failing.map(|case| case.label.clone()).collect();
        for label in &failing {
            assert!(result.detail.contains(label), "{}", result.detail);
        }
        (failing, result.detail)
    };
    let crosses = |labels: &[String]| labels.iter().any(|l| l.starts_with("cross-connect"));
    let (with, _) = failing(true);
    assert!(!crosses(&with) && !with.is_empty(), "{with:?}");
    let (without, detail) = failing(false);
    assert!(crosses(&without), "{without:?}");
    assert!(
        detail.contains("2.00 s allowed, decided by BGP hold timer (30 s)"),
        "{detail}"
    );
    assert_eq!(prove_one(interconnect(true), bounded(61)).holds, Some(true));
    let mut links_only = bounded(2);
    links_only.within.by_class.remove(&ElementClass::Gateway);
    assert_eq!(prove_one(interconnect(true), links_only).holds, Some(true));
}

#[test]
fn one_leg_does_not_survive() {
    let mut blueprint = interconnect(true);
    blueprint.links.remove(SECONDARY).unwrap();
    let result = prove_one(blueprint, claim());
    assert_eq!(result.holds, Some(false));
    let cut = case_of(&result.cases, &link(PRIMARY), &CutMode::LinkDown);
    assert!(!cut.recovered && !cut.ok);
    assert_eq!(cut.timer, "never recovered");
    let expected = format!("cross-connect {PRIMARY} link-down: never recovered");
    assert!(result.detail.contains(&expected), "{}", result.detail);
}

#[test]
fn two_elements_at_once_are_too_many_and_the_sentence_says_which() {
    let mut blueprint = interconnect(true);
    // Fewer elements, so that every combination is tried in little time.
    let keep = |name: &str| !name.contains("ergw/instance-1");
    blueprint.links.retain(|name, _| keep(name.as_str()));
    blueprint.nodes.retain(|name, _| keep(name.as_str()));
    let two = Claim {
        survives: 2,
        ..claim()
    };
    let result = prove_one(blueprint, two);
    assert_eq!(result.holds, Some(false));
    let both = [link(PRIMARY), link(SECONDARY)];
    let case = result.cases.iter().find(|case| case.cut == both).unwrap();
    assert!(!case.ok && case.label.contains(" and "));
}

#[test]
fn what_is_cut_already_counts() {
    let mut world = World::new(interconnect(true), 1).unwrap();
    world.run_until(Instant::from_secs(20));
    let cut = Command::Cut {
        element: link(SECONDARY),
        mode: CutMode::LinkDown,
    };
    world.command(cut).unwrap();
    let hash = world.trace_hash();
    let proof = skybridge_verify::Proof {
        log: world.log().clone(),
        at: world.now(),
        claims: vec![claim()],
    };
    let result = prove(&proof).remove(0);
    assert_eq!(result.holds, Some(false));
    assert!(
        result
            .cases
            .iter()
            .all(|case| case.cut != [link(SECONDARY)])
    );
    assert!(!case_of(&result.cases, &link(PRIMARY), &CutMode::Silent).ok);
    // The world itself felt nothing, and the proof repeats itself.
    assert_eq!(world.trace_hash(), hash);
    assert_eq!(prove(&proof).remove(0), result);
}

/// The same network, with nothing allowed into the VCN.
fn walled() -> Blueprint {
    let mut blueprint = interconnect(true);
    for node in blueprint.nodes.values_mut() {
        if let NodeKind::Router(router) = &mut node.kind {
            for interface in router.interfaces.values_mut() {
                let filters = [&mut interface.filter_in, &mut interface.filter_out];
                for filter in filters.into_iter().flatten() {
                    for set in &mut filter.sets {
                        set.rules.clear();
                    }
                }
            }
        }
    }
    blueprint
}

#[test]
fn what_must_not_be_reached_stays_unreached_in_every_case() {
    let wall = Claim {
        name: "walled".to_owned(),
        reachable: false,
        ..claim()
    };
    let results = prove(&proof(walled(), 20, vec![wall.clone(), claim()]));
    assert_eq!(results[0].holds, Some(true), "{}", results[0].detail);
    assert_eq!(results[0].cases.len(), 24);
    assert_eq!(results[1].holds, Some(false));
    assert!(
        results[1]
            .detail
            .starts_with("not reached before anything is cut: web to ")
    );
    let open = prove_one(interconnect(true), wall);
    assert_eq!(open.holds, Some(false));
    assert!(
        open.detail.starts_with("reached before anything is cut"),
        "{}",
        open.detail
    );
}

#[test]
fn a_tcp_claim_needs_someone_who_listens() {
    let tcp = |port| Claim {
        tcp: Some(port),
        ..claim()
    };
    let mut blueprint = interconnect(true);
    let database: NodeName = "probe-db-dbs".into();
    if let NodeKind::Host(host) = &mut blueprint.nodes.get_mut(&database).unwrap().kind {
        host.services.push(Service {
            name: "db".to_owned(),
            tcp_port: 1521,
            kind: ServiceKind::Echo,
        });
    }
    let results = prove(&proof(blueprint, 20, vec![tcp(1521), tcp(1522)]));
    assert_eq!(results[0].holds, Some(true), "{}", results[0].detail);
    let silent = case_of(&results[0].cases, &link(PRIMARY), &CutMode::Silent);
    assert!(silent.loss >= Duration::from_millis(590), "{silent:?}");
    assert!(silent.loss <= Duration::from_millis(950), "{silent:?}");
    assert_eq!(results[1].holds, Some(false));
}

#[test]
fn a_world_that_took_frames_from_outside_proves_nothing() {
    let mut proof = proof(interconnect(true), 1, vec![claim()]);
    proof.log.missing = 3;
    let result = prove(&proof).remove(0);
    assert_eq!(result.holds, None);
    assert!(
        result.detail.contains("3 inputs are not in the log"),
        "{}",
        result.detail
    );
}

#[test]
fn a_twin_that_still_comes_up_is_given_time() {
    let early = prove(&proof(interconnect(true), 0, vec![claim()])).remove(0);
    assert_eq!(early.holds, Some(true), "{}", early.detail);
}

#[test]
fn random_loss_of_links_is_no_outage() {
    let mut blueprint = interconnect(true);
    let lossy = blueprint.links.get_mut(PRIMARY).unwrap();
    lossy.loss_ppm = 20_000;
    let result = prove_one(blueprint, claim());
    assert_eq!(result.holds, Some(true), "{}", result.detail);
    assert!(result.detail.contains("random loss"), "{}", result.detail);
}

#[test]
fn the_failover_table_has_a_row_for_each_element_and_mode_that_it_can_fail_in() {
    let proof = proof(interconnect(true), 20, Vec::new());
    let modes = [CutMode::Admin, CutMode::Session];
    let table = failover_table(&proof.log, proof.at, &pair(), &modes).unwrap();
    assert_eq!(table.len(), 12, "only sessions can fail in mode session");
    let routers = table.iter().filter(|case| case.class != ElementClass::Link);
    for case in routers {
        assert_eq!(case.timer, "no loss", "{case:?}");
    }
}

#[test]
fn the_worst_of_several_pairs_is_named() {
    let there = pair();
    let back = Pair {
        from: there.to.clone(),
        to: there.from.clone(),
        address: "10.12.2.4".parse().unwrap(),
    };
    let both = Claim {
        pairs: vec![there, back],
        ..claim()
    };
    let result = prove_one(interconnect(true), both);
    assert_eq!(result.holds, Some(true), "{}", result.detail);
    let worst = result.cases.iter().max_by_key(|case| case.loss).unwrap();
    assert!(worst.pair.contains(" to "));
    assert!(
        result.detail.contains("24 cuts; worst loss "),
        "{}",
        result.detail
    );
}

#[test]
fn a_long_history_is_not_repeated_for_every_case_but_what_is_cut_is() {
    let mut world = World::new(interconnect(true), 1).unwrap();
    world.run_until(Instant::from_secs(20));
    let cut = Command::Cut {
        element: link(SECONDARY),
        mode: CutMode::Silent,
    };
    world.command(cut).unwrap();
    while world.steps() <= skybridge_verify::REPLAY_STEPS_MAX {
        let later = world.now() + Duration::from_secs(600);
        world.run_until(later);
        while world.poll_event().is_some() {}
    }
    let proof = skybridge_verify::Proof {
        log: world.log().clone(),
        at: world.now(),
        claims: vec![claim()],
    };
    let result = prove(&proof).remove(0);
    assert_eq!(result.holds, Some(false));
    assert!(result.detail.contains("a fresh world"), "{}", result.detail);
    assert!(!case_of(&result.cases, &link(PRIMARY), &CutMode::LinkDown).ok);
}

#[test]
fn circuits_locations_and_providers_are_cut_on_request() {
    let classes = [
        ElementClass::Circuit,
        ElementClass::Location,
        ElementClass::Provider,
    ];
    let bounds = classes.map(|class| (class, Duration::from_secs(60)));
    let everything = Claim {
        within: Within {
            default: None,
            by_class: bounds.into(),
        },
        ..claim()
    };
    let proof = proof(interconnect(true), 20, vec![everything, claim()]);
    let results = prove(&proof);
    // One circuit, silently only; two locations and the providers in both modes.
    assert_eq!(results[0].cases.len(), 24 + 1 + 2 * 2 + 2);
    assert_eq!(results[1].cases.len(), 24);
    assert_eq!(
        (results[0].holds, results[1].holds),
        (Some(false), Some(true))
    );
    let failing: Vec<&str> = results[0]
        .cases
        .iter()
        .filter(|case| !case.ok && case.mode == CutMode::Silent)
        .map(|case| case.label.as_str())
        .collect();
    let expected = [
        "circuit er",
        "location FastConnect us-ashburn-1",
        "location Washington DC",
        "everything of the connectivity providers",
    ];
    assert_eq!(failing, expected);
}
