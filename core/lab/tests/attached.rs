//! `diagnose` towards a site whose routers are the user's own: what is seen of them at their ports decides,
//! and nothing inside them is.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it wants")]

mod common;

use std::path::Path;
use std::time::Duration;

use common::premises::Premises;
use common::read;
use skybridge_base::{Asn, VlanId};
use skybridge_blueprint::{Router, Secret, Tagging};
use skybridge_lab::document::{Condition, Diagnosis, ErrorDocument};
use skybridge_lab::request::{CutMode, Provider, Request, Response, StackSource};
use skybridge_world::{Command, CutMode as WorldCut};

use Condition::{Degraded, Failed, Healthy, Impaired};

const ADDRESS: &str = "192.168.0.1";
/// An address of the site that nobody has.
const NOBODY: &str = "192.168.7.7";

/// The example with both routers attached.
fn source() -> StackSource {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut source = read(&manifest.join("../../examples/site-to-azure"));
    let text = source.files.get_mut("lab.sky.hcl").unwrap();
    for (path, device, persona) in [("primary", "frr", "frr"), ("secondary", "bird", "bird")] {
        let own = format!("path    = \"{path}\"\n");
        assert!(text.contains(&own));
        let attached = format!("{own}attach = \"netns:{device}\"\npersona = \"{persona}\"\n");
        *text = text.replace(&own, &attached);
    }
    source
}

/// What an operator configures otherwise than the lab would.
type Change = fn(&mut Router);

fn up() -> Premises {
    Premises::up(source(), |_, _| {})
}

/// As [`up`], with both routers configured otherwise.
fn up_with(change: Change) -> Premises {
    Premises::up(source(), |_, router| change(router))
}

fn ask(premises: &mut Premises, (from, to): (&str, &str), tcp: Option<u16>) -> Response {
    premises.ask(Request::Diagnose {
        from: from.to_owned(),
        to: to.to_owned(),
        tcp,
    })
}

fn diagnose(premises: &mut Premises, to: &str) -> Diagnosis {
    match ask(premises, ("app", to), None) {
        Response::Diagnosis(found) => *found,
        other => panic!("{other:?}"),
    }
}

fn refused(premises: &mut Premises, ends: (&str, &str)) -> ErrorDocument {
    match ask(premises, ends, None) {
        Response::Error(error) => error,
        other => panic!("{other:?}"),
    }
}

fn set_fault(premises: &mut Premises, key: &str, fault: &str) {
    let order = Provider::Set {
        key: key.to_owned(),
        name: "fault".to_owned(),
        value: fault.to_owned(),
    };
    let answer = premises.ask(Request::Provider(order));
    assert!(matches!(answer, Response::Done { .. }), "{answer:?}");
}

/// Condition, and layer and owner of every finding.
fn verdict(found: &Diagnosis) -> (Condition, Vec<(&str, &str)>) {
    let mut said: Vec<_> = (found.findings.iter())
        .map(|finding| (finding.layer.label(), finding.owner.as_str()))
        .collect();
    said.dedup();
    (found.condition, said)
}

fn is(found: &Diagnosis, condition: Condition, layer: &str, owner: &str) {
    assert_eq!(
        verdict(found),
        (condition, vec![(layer, owner)]),
        "{found:#?}"
    );
}

#[test]
fn a_whole_site_behind_own_routers_gives_no_alarm_by_whatever_name() {
    let mut premises = up();
    for name in [
        ADDRESS,
        "site.hq.lan",
        "site.hq",
        "hq",
        "ce1",
        "ce2@hq",
        "bird",
        "desk",
    ] {
        let found = diagnose(&mut premises, name);
        assert_eq!(verdict(&found), (Healthy, Vec::new()), "{name}: {found:#?}");
        assert!(found.to.contains("192.168.0.1"), "{}", found.to);
    }
}

#[test]
fn a_site_whose_hand_off_is_a_trunk_gives_no_alarm_and_untagged_frames_on_it_are_its_operators() {
    let mut source = source();
    let text = source.files.get_mut("lab.sky.hcl").unwrap();
    *text = text.replace("attach = ", "mode = \"trunk\"\nattach = ");
    let found = diagnose(&mut Premises::up(source.clone(), |_, _| {}), ADDRESS);
    assert_eq!(verdict(&found), (Healthy, Vec::new()), "{found:#?}");

    let untagged = |_, router: &mut Router| {
        for interface in router.interfaces.values_mut() {
            interface.tagging = Tagging::Untagged;
        }
    };
    let found = diagnose(&mut Premises::up(source, untagged), ADDRESS);
    is(&found, Failed, "tags", "you");
}

#[test]
fn every_fault_of_the_carrier_is_the_carriers_on_one_path_and_on_both() {
    for (fault, layer) in [
        ("strip-tag", "tags"),
        ("wrong-s-tag", "tags"),
        ("wrong-c-tag", "tags"),
        ("mtu=1000", "mtu"),
        ("loss=30", "loss"),
        ("silent", "link"),
        ("one-way=customer", "link"),
        ("one-way=cloud", "link"),
    ] {
        let mut premises = up();
        for (key, whole) in [("hq/primary", false), ("hq", true), ("hq/secondary", false)] {
            set_fault(&mut premises, "hq", "ok");
            premises.run_for(Duration::from_secs(200));
            set_fault(&mut premises, key, fault);
            premises.run_for(Duration::from_secs(30));
            let found = diagnose(&mut premises, ADDRESS);
            let conditions = match (layer, whole) {
                ("loss", _) => vec![Degraded, Impaired, Failed],
                ("mtu", false) => vec![Degraded, Impaired],
                ("mtu", true) => vec![Impaired],
                (_, false) => vec![Degraded],
                (_, true) => vec![Failed],
            };
            let (condition, said) = verdict(&found);
            assert_eq!(said, [(layer, "provider")], "{key} {fault}: {found:#?}");
            assert!(conditions.contains(&condition), "{key} {fault}: {found:#?}");
        }
    }
}

#[test]
fn a_router_that_says_nothing_at_all_is_its_operators() {
    let mut premises = up();
    premises.own[0].is_off = true;
    premises.run_for(Duration::from_secs(30));
    let found = diagnose(&mut premises, ADDRESS);
    is(&found, Degraded, "device", "you");
    assert_eq!(found.findings[0].at, ["ce1@hq"]);
    premises.own[1].is_off = true;
    premises.run_for(Duration::from_secs(30));
    is(&diagnose(&mut premises, ADDRESS), Failed, "device", "you");
}

#[test]
fn a_router_whose_device_is_not_there_is_named_with_the_reason() {
    let mut premises = Premises::up_without_devices(source());
    let found = diagnose(&mut premises, ADDRESS);
    is(&found, Failed, "device", "you");
    assert!(
        found.findings[0].what.contains("there is no namespace frr"),
        "{found:#?}"
    );
}

/// What an operator has got wrong, on both routers.
#[test]
fn what_is_configured_wrong_at_the_own_routers_is_theirs_by_its_layer() {
    let cases: [(&str, &str, Change); 6] = [
        ("tags", "other tags", |router| {
            for interface in router.interfaces.values_mut() {
                interface.tagging = Tagging::Dot1q(VlanId::new(100).unwrap());
            }
        }),
        ("arp", "does not answer ARP", |router| {
            for interface in router.interfaces.values_mut() {
                interface.addresses = vec!["172.30.254.1/16".parse().unwrap()];
            }
            for bgp in router.bgp.values_mut() {
                for peer in bgp.peers.values_mut() {
                    peer.local = "172.30.254.1".parse().unwrap();
                }
            }
        }),
        ("bgp", "MD5", |router| {
            for bgp in router.bgp.values_mut() {
                for peer in bgp.peers.values_mut() {
                    peer.md5 = Some(Secret::new("another".to_owned()));
                }
            }
        }),
        ("bgp", "AS numbers", |router| {
            for bgp in router.bgp.values_mut() {
                bgp.asn = Asn(65_099);
            }
        }),
        ("bgp", "does not bring the session up", |router| {
            router.bgp.clear();
        }),
        ("routes", "announces no prefix", |router| {
            for bgp in router.bgp.values_mut() {
                bgp.originated.clear();
            }
        }),
    ];
    for (layer, what, change) in cases {
        let mut premises = up_with(change);
        let found = diagnose(&mut premises, ADDRESS);
        is(&found, Failed, layer, "you");
        let said = &found.findings[0].what;
        assert!(said.contains(what), "{said}");
    }
}

#[test]
fn a_network_that_one_of_two_routers_does_not_announce_is_found_while_the_other_carries_it() {
    let mut premises = up();
    premises.own[1].configure(|router| {
        for bgp in router.bgp.values_mut() {
            bgp.originated.clear();
        }
    });
    premises.run_for(Duration::from_secs(60));
    let found = diagnose(&mut premises, ADDRESS);
    is(&found, Degraded, "routes", "you");
    assert_eq!(found.findings[0].at, ["hq secondary"]);
}

#[test]
fn a_session_that_its_operator_shuts_is_the_operators() {
    let mut premises = up();
    let element = premises.own[0].session();
    let mode = WorldCut::Session;
    let cut = premises.own[0]
        .world
        .command(Command::Cut { element, mode });
    cut.unwrap();
    premises.run_for(Duration::from_secs(30));
    let found = diagnose(&mut premises, ADDRESS);
    is(&found, Degraded, "bgp", "you");
    assert!(found.findings[0].what.contains("shut down at ce1@hq"));

    let mut premises = up();
    let cut = premises.ask(Request::Cut {
        element: "hq/primary".to_owned(),
        mode: CutMode::Session,
        towards: None,
    });
    assert!(matches!(cut, Response::Fault(_)), "{cut:?}");
    premises.run_for(Duration::from_secs(30));
    is(&diagnose(&mut premises, ADDRESS), Degraded, "bgp", "Azure");
}

#[test]
fn a_router_that_does_not_run_bfd_is_no_alarm() {
    let mut premises = up_with(|router| {
        for bgp in router.bgp.values_mut() {
            for peer in bgp.peers.values_mut() {
                peer.bfd = None;
            }
        }
    });
    let found = diagnose(&mut premises, ADDRESS);
    assert_eq!(verdict(&found), (Healthy, Vec::new()), "{found:#?}");
}

#[test]
fn what_was_handed_over_and_does_not_come_back_is_the_sites_and_no_table_is_claimed_to_be_known() {
    let mut premises = up();
    let found = diagnose(&mut premises, NOBODY);
    assert_eq!(found.condition, Failed, "{found:#?}");
    let finding = &found.findings[0];
    assert_eq!(finding.owner, "you", "{found:#?}");
    let evidence = finding.evidence.join("\n");
    assert!(evidence.contains("handed to ce"), "{evidence}");
    assert!(evidence.contains("not seen from here"), "{evidence}");

    let Response::Diagnosis(found) = ask(&mut premises, ("app", ADDRESS), Some(5432)) else {
        panic!("no diagnosis");
    };
    assert_eq!(found.condition, Failed, "{found:#?}");
    assert_eq!(found.findings[0].owner, "you", "{found:#?}");
}

#[test]
fn what_the_lab_cannot_send_from_or_to_is_refused_with_what_can_be_asked_instead() {
    let mut premises = up();
    for from in [ADDRESS, "hq", "ce1", "site.hq.lan"] {
        let error = refused(&mut premises, (from, "app"));
        assert!(
            error.message.contains("nothing can be sent from there"),
            "{error:?}"
        );
        assert!(error.help.unwrap().contains("skybridge diagnose HOST hq"));
    }
    let error = refused(&mut premises, ("app", "172.30.255.1"));
    assert!(error.message.contains("in its peering"), "{error:?}");
    assert!(error.help.unwrap().contains(ADDRESS));
    let error = refused(&mut premises, ("app", "203.0.113.1"));
    assert!(
        error.message.contains("no host called 203.0.113.1"),
        "{error:?}"
    );
}

#[test]
fn an_own_router_beside_one_that_the_lab_runs_is_no_end_and_the_sites_hosts_are() {
    let mut source = source();
    let text = source.files.get_mut("lab.sky.hcl").unwrap();
    *text = text.replace("attach = \"netns:frr\"\npersona = \"frr\"\n", "");
    let mut premises = Premises::up(source, |_, _| {});
    for name in ["ce2", "ce2@hq", "bird"] {
        for ends in [("app", name), (name, "app")] {
            let error = refused(&mut premises, ends);
            assert!(error.message.contains("ce2@hq is your own"), "{error:?}");
            assert!(error.help.unwrap().contains("desk"));
        }
    }
}
