use skybridge_base::{MacAddr, VlanId};
use skybridge_blueprint::{CrossConnect, SwitchPort};
use skybridge_wire::icmpv4::{self, Icmpv4Kind};
use skybridge_wire::{EtherType, EthernetRepr};

use super::*;

const NOW: Instant = Instant::from_secs(1);

fn vlan(id: u16) -> VlanId {
    VlanId::new(id).unwrap()
}

fn qinq(s: u16, c: u16) -> Tagging {
    Tagging::QinQ {
        s_tag: vlan(s),
        c_tag: vlan(c),
    }
}

fn joined(customer: (&str, Tagging), cloud: Tagging) -> CrossConnect {
    CrossConnect {
        a: ServicePoint {
            port: customer.0.into(),
            tagging: customer.1,
        },
        b: ServicePoint {
            port: "nni".into(),
            tagging: cloud,
        },
        tenant: None,
        faults: Vec::new(),
    }
}

/// Two customers: one without tags, one with C-tag 20, both to the network-to-network port.
fn spec() -> blueprint::Switch {
    let port = |name: &str, mtu| (PortName::from(name), SwitchPort { mtu });
    blueprint::Switch {
        ports: [port("one", 1500), port("two", 1500), port("nni", 1500)].into(),
        cross_connects: [
            (
                "one".into(),
                joined(("one", Tagging::Untagged), qinq(100, 10)),
            ),
            (
                "two".into(),
                joined(("two", Tagging::Dot1q(vlan(20))), qinq(200, 20)),
            ),
        ]
        .into(),
    }
}

fn faulty(fault: CarrierFault) -> blueprint::Switch {
    let mut spec = spec();
    spec.cross_connects.get_mut("one").unwrap().faults = vec![fault];
    spec
}

fn running(spec: &blueprint::Switch) -> Switch {
    let mut switch = Switch::new(spec, 7);
    for name in ["one", "two", "nni"] {
        let port = switch.port_index(&name.into()).unwrap();
        switch.handle_link(NOW, port, true, &mut Outbox::default());
    }
    switch
}

fn frame(tags: Tags, len: usize) -> Frame {
    let kind = Icmpv4Kind::EchoRequest {
        identifier: 1,
        sequence: 1,
    };
    let data = vec![0; len - 28];
    let packet = icmpv4::packet([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), kind, &data);
    let mut frame = Frame::with_headroom(&packet);
    let header = EthernetRepr {
        dst: MacAddr::local(1),
        src: MacAddr::local(2),
        tags,
        ethertype: EtherType::IPV4,
    };
    header.push(&mut frame);
    frame
}

/// What comes out: port and tags.
fn sent(switch: &mut Switch, port: &str, tags: Tags, len: usize) -> Option<(String, Tags)> {
    let port = switch.port_index(&port.into())?;
    let mut out = Outbox::default();
    switch.handle_frames(NOW, port, &mut vec![frame(tags, len)], &mut out);
    let (port, frame) = out.frames.pop()?;
    let name = switch.ports[usize::from(port.0)].name.to_string();
    let view = ethernet::parse(frame.bytes()).ok()?;
    Some((name, view.tags()))
}

fn s_c(s: u16, c: u16) -> Tags {
    Tags::qinq(vlan(s), vlan(c))
}

#[test]
fn frames_cross_with_the_tags_of_the_far_end_and_back() {
    let mut switch = running(&spec());
    let out = |port: &str, tags| Some((port.to_owned(), tags));
    let one = sent(&mut switch, "one", Tags::Untagged, 100);
    assert_eq!(one, out("nni", s_c(100, 10)));
    let two = sent(&mut switch, "two", Tags::dot1q(vlan(20)), 100);
    assert_eq!(two, out("nni", s_c(200, 20)));
    let back = sent(&mut switch, "nni", s_c(100, 10), 100);
    assert_eq!(back, out("one", Tags::Untagged));
    let back = sent(&mut switch, "nni", s_c(200, 20), 100);
    assert_eq!(back, out("two", Tags::dot1q(vlan(20))));
}

#[test]
fn frames_of_no_cross_connect_are_dropped_and_counted() {
    let mut switch = running(&spec());
    let wrong = [
        ("one", Tags::dot1q(vlan(10))),
        ("two", Tags::Untagged),
        ("two", Tags::dot1q(vlan(21))),
        ("nni", s_c(100, 20)),
    ];
    for (port, tags) in wrong {
        assert_eq!(sent(&mut switch, port, tags, 100), None, "{port} {tags:?}");
    }
    let dropped = switch.ports().map(|(_, c)| c.drops.total()).sum::<u64>();
    assert_eq!(dropped, 4);
}

#[test]
fn a_stripped_tag_leaves_the_service_tag_alone() {
    let mut switch = running(&faulty(CarrierFault::StripTag));
    let tags = sent(&mut switch, "one", Tags::Untagged, 100).unwrap().1;
    assert_eq!(tags.count(), 1);
    assert_eq!(tags.outer(), s_c(100, 10).outer());
}

#[test]
fn a_wrong_tag_is_sent_and_is_the_only_one_taken() {
    for (fault, wrong) in [
        (CarrierFault::WrongSTag(vlan(101)), s_c(101, 10)),
        (CarrierFault::WrongCTag(vlan(11)), s_c(100, 11)),
    ] {
        let mut switch = running(&faulty(fault));
        let tags = sent(&mut switch, "one", Tags::Untagged, 100).unwrap().1;
        assert_eq!(tags, wrong);
        assert_eq!(sent(&mut switch, "nni", s_c(100, 10), 100), None);
        assert!(sent(&mut switch, "nni", wrong, 100).is_some());
    }
}

#[test]
fn a_wrong_tag_does_not_take_what_is_rightly_anothers() {
    let mut spec = faulty(CarrierFault::WrongSTag(vlan(200)));
    let one = spec.cross_connects.get_mut("one").unwrap();
    one.faults.push(CarrierFault::WrongCTag(vlan(20)));
    let mut switch = running(&spec);
    let (port, _) = sent(&mut switch, "nni", s_c(200, 20), 100).unwrap();
    assert_eq!(port, "two");
}

#[test]
fn what_is_larger_than_the_mtu_vanishes() {
    let mut switch = running(&spec());
    assert!(sent(&mut switch, "one", Tags::Untagged, 1500).is_some());
    assert!(sent(&mut switch, "one", Tags::Untagged, 1501).is_none());
    let mut small = running(&faulty(CarrierFault::Mtu(1000)));
    assert!(sent(&mut small, "one", Tags::Untagged, 1000).is_some());
    assert!(sent(&mut small, "one", Tags::Untagged, 1001).is_none());
    assert!(sent(&mut small, "nni", s_c(100, 10), 1001).is_none());
    let too_big = small.cross_connects.iter().map(|c| c.drops);
    let too_big = too_big.map(|drops| drops.count(DropReason::TooBig));
    assert_eq!(too_big.sum::<u64>(), 2);
}

#[test]
fn losses_are_a_share_and_one_way_is_one_way() {
    let mut switch = running(&faulty(CarrierFault::Loss { ppm: 250_000 }));
    let through = (0..1000)
        .filter(|_| sent(&mut switch, "one", Tags::Untagged, 100).is_some())
        .count();
    assert!((700..800).contains(&through), "{through}");
    let towards = CrossConnectEnd::A;
    let mut deaf = running(&faulty(CarrierFault::OneWay { towards }));
    assert!(sent(&mut deaf, "one", Tags::Untagged, 100).is_some());
    assert!(sent(&mut deaf, "nni", s_c(100, 10), 100).is_none());
}

#[test]
fn a_changed_description_counts_on_where_the_old_one_was() {
    let mut switch = running(&faulty(CarrierFault::Loss { ppm: 1_000_000 }));
    assert!(sent(&mut switch, "one", Tags::Untagged, 100).is_none());
    let healed = NodeKind::Switch(Box::new(spec()));
    switch.reconfigure(NOW, &healed, &mut Outbox::default());
    assert!(sent(&mut switch, "one", Tags::Untagged, 100).is_some());
    let lost = switch.cross_connects().map(|(_, d)| d.total()).sum::<u64>();
    assert_eq!(lost, 1);
}

#[test]
fn a_traced_frame_leaves_a_hop_with_both_tags() {
    let mut switch = running(&spec());
    let port = switch.port_index(&"one".into()).unwrap();
    let mut traced = frame(Tags::Untagged, 100);
    traced.meta.trace = 9;
    let mut out = Outbox::default();
    switch.handle_frames(NOW, port, &mut vec![traced], &mut out);
    let [NodeEvent::Hop(hop)] = &out.events[..] else {
        panic!("{:?}", out.events);
    };
    assert_eq!(hop.tags_in, Some(Tagging::Untagged));
    let egress = "nni".into();
    let tags = qinq(100, 10);
    assert_eq!(hop.verdict, HopVerdict::Forwarded { egress, tags });
}
