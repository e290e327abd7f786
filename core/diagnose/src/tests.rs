//! The walk on observations made by hand.

use std::collections::BTreeMap;

use skybridge_blueprint::Owner;
use skybridge_dataplane::DropReason;

use crate::*;

fn host(name: &str, address: &str) -> HostObservation {
    HostObservation {
        name: name.to_owned(),
        address: address.parse().unwrap(),
        answers: true,
        listens: vec![1521],
        behind: Vec::new(),
    }
}

fn end(node: &str, owner: Owner, interface: &str) -> End {
    End {
        node: node.to_owned(),
        role: "router".to_owned(),
        owner,
        answers: true,
        interface: interface.to_owned(),
        address: None,
        tags: "S 10 C 100".to_owned(),
        arp: Arp::Known,
        unknown_tags: 0,
        mtu: 1500,
        attached: None,
    }
}

fn session(state: &str) -> SessionEnd {
    SessionEnd {
        local: "192.0.2.1".parse().unwrap(),
        remote: "192.0.2.2".parse().unwrap(),
        asn: (1, 1),
        state: state.to_owned(),
        is_up: state == "Established",
        last_reset: String::new(),
        is_enabled: true,
        is_visible: true,
        md5_drops: 0,
        bfd: None,
        since_s: 500,
        sent: [None, None],
        heard: [Vec::new(), Vec::new()],
    }
}

fn whole() -> Carried {
    Carried {
        sent: 20,
        arrived: 20,
        big_sent: 5,
        big_arrived: 5,
        tags_sent: vec!["S 10 C 100".to_owned()],
        tags_arrived: vec!["S 10 C 100".to_owned()],
    }
}

fn leg(name: &str) -> Adjacency {
    let port = |node: &str, owner| SegmentEnd {
        node: node.to_owned(),
        owner,
        answers: true,
        up: Some(true),
    };
    let (msee, edge) = (format!("msee {name}"), format!("edge {name}"));
    Adjacency {
        leg: format!("hq {name}"),
        circuit: "hq".to_owned(),
        is_access: false,
        ends: [
            end(&msee, Owner::Azure, "to-edge"),
            end(&edge, Owner::Oracle, "to-msee"),
        ],
        segments: vec![Segment {
            link: format!("xc/{name}"),
            is_device: false,
            owner: Owner::Provider,
            ends: [port(&msee, Owner::Azure), port(&edge, Owner::Oracle)],
            there: whole(),
            back: whole(),
            turned_away: [0; 2],
        }],
        sessions: [Some(session("Established")), Some(session("Established"))],
    }
}

fn hop(node: &str, verdict: HopVerdict) -> HopView {
    HopView {
        node: node.to_owned(),
        owner: Owner::Azure,
        role: "MSEE".to_owned(),
        table: "t".to_owned(),
        route_interface: Some("to-edge".to_owned()),
        route: "10.0.0.0/8 somewhere".to_owned(),
        is_user_route: false,
        verdict,
    }
}

fn probe(outcome: Outcome, last: HopView) -> Probe {
    Probe {
        packet: Packet::Tcp(1521),
        outcome,
        there: vec![last],
        back: Vec::new(),
        told: None,
    }
}

fn answered() -> Probe {
    probe(Outcome::Answered, hop("db", HopVerdict::Delivered))
}

fn seen(adjacencies: Vec<Adjacency>, probes: Vec<Probe>) -> Observations {
    Observations {
        hosts: [host("app", "10.1.0.4"), host("db", "10.2.0.4")],
        tcp: Some(1521),
        circuits: Vec::new(),
        adjacencies,
        routers: BTreeMap::new(),
        probes,
        places: BTreeMap::new(),
    }
}

fn first(found: &Diagnosis) -> (Layer, &str) {
    (found.findings[0].layer, &found.findings[0].owner)
}

#[test]
fn nothing_is_healthy_without_an_answered_probe() {
    let found = diagnose(&seen(vec![leg("primary")], Vec::new()));
    assert_eq!(found.condition, Condition::Failed);
    let found = diagnose(&seen(vec![leg("primary")], vec![answered()]));
    assert_eq!(found.condition, Condition::Healthy);
}

#[test]
fn an_answer_from_another_station_is_no_answer() {
    let stray = probe(Outcome::Answered, hop("impostor", HopVerdict::Delivered));
    let found = diagnose(&seen(vec![leg("primary")], vec![stray]));
    assert_eq!(found.condition, Condition::Failed);
    assert_eq!(first(&found), (Layer::Forwarding, "you"));
}

#[test]
fn a_broken_redundant_path_is_degraded_and_not_failed() {
    let mut second = leg("secondary");
    second.segments[0].back.arrived = 0;
    let found = diagnose(&seen(vec![leg("primary"), second], vec![answered()]));
    assert_eq!(found.condition, Condition::Degraded);
    assert_eq!(first(&found), (Layer::Link, "provider"));
    assert!(found.findings[0].what.contains("the other way passes"));
}

#[test]
fn the_lowest_broken_layer_is_the_finding_and_the_others_follow() {
    let mut broken = leg("primary");
    broken.segments[0].there.tags_arrived = vec!["S 10 C 200".to_owned()];
    broken.ends[0].arp = Arp::Incomplete;
    broken.ends[1].arp = Arp::Incomplete;
    broken.sessions = [Some(session("Active")), Some(session("Connect"))];
    let lost = probe(
        Outcome::Failed("no route".to_owned()),
        hop(
            "msee primary",
            HopVerdict::Dropped(DropReason::NeighbourUnresolved, String::new()),
        ),
    );
    let found = diagnose(&seen(vec![broken], vec![lost]));
    assert_eq!(found.condition, Condition::Failed);
    assert_eq!(found.findings.len(), 1, "{found:#?}");
    assert_eq!(first(&found), (Layer::Tags, "provider"));
    assert_eq!(found.findings[0].consequences.len(), 4);
}

#[test]
fn one_mistake_on_both_legs_is_one_finding() {
    let legs = ["primary", "secondary"].map(|name| {
        let mut broken = leg(name);
        broken.segments[0].there.tags_arrived = vec!["S 10 C 200".to_owned()];
        broken
    });
    let lost = probe(
        Outcome::Failed("no reply".to_owned()),
        hop("msee primary", HopVerdict::Forwarded("to-edge".to_owned())),
    );
    let found = diagnose(&seen(legs.into(), vec![lost]));
    assert_eq!(found.findings.len(), 1, "{found:#?}");
    assert_eq!(found.findings[0].at, ["hq primary", "hq secondary"]);
}

#[test]
fn the_reason_of_a_session_decides_between_key_number_and_shutdown() {
    let why = |change: fn(&mut SessionEnd)| {
        let mut broken = leg("primary");
        broken.sessions = [Some(session("Active")), Some(session("Active"))];
        broken
            .sessions
            .iter_mut()
            .flatten()
            .take(1)
            .for_each(change);
        let found = diagnose(&seen(vec![broken], vec![answered()]));
        let finding = &found.findings[0];
        (finding.layer, finding.owner.clone(), finding.what.clone())
    };
    let (layer, owner, what) = why(|s| s.md5_drops = 3);
    assert_eq!((layer, owner.as_str()), (Layer::Bgp, "you"));
    assert!(what.contains("MD5"), "{what}");
    let (_, owner, what) = why(|s| {
        s.last_reset = "notification sent: OPEN Message Error: Bad Peer AS (2/2)".to_owned()
    });
    assert_eq!(owner, "you");
    assert!(what.contains("AS numbers"), "{what}");
    let (_, owner, what) = why(|s| s.last_reset = "administratively down".to_owned());
    assert_eq!(owner, "Azure");
    assert!(what.contains("shut down"), "{what}");
}

#[test]
fn frames_lost_inside_a_carriers_device_are_the_carriers() {
    let mut broken = leg("primary");
    let mut device = broken.segments[0].clone();
    device.is_device = true;
    device.link = "metro".to_owned();
    device.back.arrived = 0;
    broken.segments.insert(1, device);
    let found = diagnose(&seen(vec![broken], vec![answered()]));
    assert_eq!(first(&found), (Layer::Link, "provider"));
    assert_eq!(found.findings[0].at, ["metro"]);
}

/// A leg whose far end is a router of the user's own, before the target `desk`.
fn own_leg(name: &str) -> Adjacency {
    let mut leg = leg(name);
    leg.ends[1].owner = Owner::Customer;
    leg.ends[1].arp = Arp::Unseen;
    leg.ends[1].attached = Some(Attached {
        handed_with: [("S 10 C 100".to_owned(), 40)].into(),
        sent: 40,
        sent_with: [("S 10 C 100".to_owned(), 40)].into(),
        ..Attached::default()
    });
    let mut session = session("Established");
    session.heard[1] = vec![("192.168.0.0/16".to_owned(), None)];
    leg.sessions = [Some(session), None];
    leg
}

fn handed_over(outcome: Outcome) -> Probe {
    probe(outcome, hop("edge primary", HopVerdict::Delivered))
}

fn lost() -> Probe {
    handed_over(Outcome::Failed("no reply".to_owned()))
}

fn behind(adjacencies: Vec<Adjacency>, probes: Vec<Probe>) -> Observations {
    let mut seen = seen(adjacencies, probes);
    seen.hosts[1].name = "desk".to_owned();
    seen.hosts[1].listens = Vec::new();
    seen.hosts[1].behind = vec!["edge primary".to_owned(), "edge secondary".to_owned()];
    seen
}

#[test]
fn an_answer_of_what_lies_behind_an_own_router_is_one_wherever_it_was_handed_over() {
    let found = diagnose(&behind(
        vec![own_leg("primary")],
        vec![handed_over(Outcome::Answered)],
    ));
    assert_eq!(found.condition, Condition::Healthy, "{found:#?}");
}

#[test]
fn an_icmp_error_from_behind_an_own_router_names_its_layer() {
    for (icmp_type, code, layer) in [
        (3, 0, Layer::Forwarding),
        (3, 1, Layer::Host),
        (3, 3, Layer::Service),
        (3, 4, Layer::Mtu),
        (3, 13, Layer::Filters),
        (11, 0, Layer::Forwarding),
    ] {
        let mut probe = lost();
        probe.told = Some(Told {
            from: "192.168.0.254".parse().unwrap(),
            icmp_type,
            code,
        });
        let found = diagnose(&behind(vec![own_leg("primary")], vec![probe]));
        assert_eq!(found.condition, Condition::Failed);
        assert_eq!(first(&found), (layer, "you"), "{icmp_type}/{code}");
        assert!(found.findings[0].what.contains("192.168.0.254"));
    }
}

#[test]
fn only_full_packets_without_an_answer_are_a_small_mtu_in_the_site() {
    let echo = |ip_len, is_full, outcome| Probe {
        packet: Packet::Echo { ip_len, is_full },
        ..handed_over(outcome)
    };
    let failed = || Outcome::Failed("no reply".to_owned());
    let mut seen = behind(
        vec![own_leg("primary")],
        vec![
            echo(84, false, Outcome::Answered),
            echo(1500, true, failed()),
        ],
    );
    seen.tcp = None;
    let found = diagnose(&seen);
    assert_eq!(found.condition, Condition::Impaired);
    assert_eq!(first(&found), (Layer::Mtu, "you"), "{found:#?}");
}

#[test]
fn answers_that_left_the_site_and_did_not_come_are_not_the_sites() {
    // It answers by the other router, whose way back is broken.
    let mut other = own_leg("secondary");
    other.ends[1].attached.as_mut().unwrap().answers = 10;
    other.segments[0].back.arrived = 0;
    let found = diagnose(&behind(vec![own_leg("primary"), other], vec![lost()]));
    assert_eq!(first(&found), (Layer::Link, "provider"), "{found:#?}");
    assert_eq!(found.findings.len(), 1);

    let mut whole = own_leg("secondary");
    whole.ends[1].attached.as_mut().unwrap().answers = 10;
    let found = diagnose(&behind(vec![own_leg("primary"), whole], vec![lost()]));
    assert_eq!(first(&found), (Layer::Loss, "provider"), "{found:#?}");
}

#[test]
fn a_refused_connection_behind_an_own_router_claims_no_knowledge_of_what_listens() {
    let found = diagnose(&behind(
        vec![own_leg("primary")],
        vec![handed_over(Outcome::Refused)],
    ));
    assert_eq!(first(&found), (Layer::Service, "you"));
    let evidence = found.findings[0].evidence.join(" ");
    assert!(!evidence.contains("listening on"), "{evidence}");
    assert!(evidence.contains("not seen from here"), "{evidence}");
}

#[test]
fn bfd_that_is_down_counts_only_where_the_own_router_is_seen_to_run_it() {
    let with = |bfd_sent| {
        let mut leg = own_leg("primary");
        leg.ends[1].attached.as_mut().unwrap().bfd_sent = bfd_sent;
        leg.sessions[0].as_mut().unwrap().bfd = Some(false);
        diagnose(&behind(vec![leg], vec![handed_over(Outcome::Answered)]))
    };
    assert_eq!(with(0).condition, Condition::Healthy);
    assert_eq!(first(&with(4)), (Layer::Bfd, "you"));
}

#[test]
fn a_prefix_that_is_heard_and_refused_is_named_with_the_reason() {
    let mut leg = own_leg("primary");
    let why = Some("refused: own AS in the path".to_owned());
    leg.sessions[0].as_mut().unwrap().heard[1] = vec![("192.168.0.0/16".to_owned(), why)];
    let found = diagnose(&behind(vec![leg], vec![handed_over(Outcome::Answered)]));
    assert_eq!(found.condition, Condition::Degraded);
    assert_eq!(first(&found), (Layer::Routes, "you"));
    assert!(
        found.findings[0]
            .evidence
            .iter()
            .any(|e| e.contains("own AS"))
    );
}

#[test]
fn frames_that_a_carriers_device_turns_away_for_their_tags_are_a_matter_of_tags() {
    let with = |turned_away| {
        let mut broken = own_leg("primary");
        let mut device = broken.segments[0].clone();
        device.is_device = true;
        device.link = "metro".to_owned();
        device.there.arrived = 0;
        device.turned_away = [turned_away, 0];
        broken.segments.push(device);
        diagnose(&behind(vec![broken], vec![handed_over(Outcome::Answered)]))
    };
    assert_eq!(first(&with(25)), (Layer::Tags, "provider"));
    // Fewer than vanished: those are somebody else's.
    assert_eq!(first(&with(3)), (Layer::Link, "provider"));
}

#[test]
fn tags_of_what_an_own_router_sends_and_gets_tell_whose_they_are() {
    let with = |sent_with: &[(&str, u64)]| {
        let mut leg = own_leg("primary");
        let own = leg.ends[1].attached.as_mut().unwrap();
        own.sent_with = sent_with
            .iter()
            .map(|(t, n)| ((*t).to_owned(), *n))
            .collect();
        diagnose(&behind(vec![leg], vec![handed_over(Outcome::Answered)]))
    };
    assert_eq!(first(&with(&[("untagged", 1)])), (Layer::Tags, "you"));
    assert_eq!(first(&with(&[])), (Layer::Device, "you"));
    let stripped = {
        let mut leg = own_leg("primary");
        let own = leg.ends[1].attached.as_mut().unwrap();
        own.handed_with = [("S 10".to_owned(), 40)].into();
        own.sent_with.clear();
        leg.segments[0].there.tags_arrived = vec!["S 10".to_owned()];
        diagnose(&behind(vec![leg], vec![handed_over(Outcome::Answered)]))
    };
    assert_eq!(first(&stripped), (Layer::Tags, "provider"));
    let both = with(&[("untagged", 9), ("S 10 C 100", 1)]);
    assert_eq!(both.condition, Condition::Healthy);
}
