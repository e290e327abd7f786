//! What a link does to frames.
mod common;

use std::time::Duration;

use common::{frame, link_of, pair, received, send, vlan, world};
use skybridge_base::Instant;
use skybridge_wire::Tags;
use skybridge_world::{CapturePoint, Command, LinkDrop, TagFault, TagLevel};

#[test]
fn a_frame_arrives_after_the_delay() {
    let mut world = world(pair());
    let sent = frame(Tags::Untagged, b"hello");
    send(&mut world, "left", &sent);
    world.run_until(Instant::from_millis(5));
    let got = received(&mut world);
    assert_eq!(got, [(Instant::from_millis(1), 1, sent.bytes().to_vec())]);
    let view = world.link_state(&"wire".into()).unwrap();
    assert_eq!((view.a_to_b.frames, view.b_to_a.frames), (1, 0));
    assert_eq!(view.a_to_b.bytes, sent.len() as u64);
}

#[test]
fn frames_that_arrive_together_come_in_one_batch_in_order() {
    let mut world = world(pair());
    for text in [b"1", b"2", b"3"] {
        send(&mut world, "left", &frame(Tags::Untagged, text));
    }
    world.run_until(Instant::from_millis(5));
    let got = received(&mut world);
    let last: Vec<u8> = got.iter().map(|(_, _, bytes)| bytes[14]).collect();
    assert_eq!(last, b"123");
    assert!(
        got.iter()
            .all(|(at, batch, _)| *batch == 3 && *at == Instant::from_millis(1))
    );
}

#[test]
fn a_rate_spaces_frames_and_a_full_queue_drops_the_tail() {
    let mut blueprint = pair();
    // 1 Mbit/s: 1000 + 14 bytes and 24 of wire overhead take 8.304 ms.
    link_of(&mut blueprint, "wire").rate_bps = Some(1_000_000);
    let mut world = world(blueprint);
    for _ in 0..200 {
        send(&mut world, "left", &frame(Tags::Untagged, &[0; 1000]));
    }
    let queued = world.link_state(&"wire".into()).unwrap().a_to_b;
    assert!(queued.queued_bytes <= 150_000 && queued.queued_bytes > 148_000);
    world.run_until(Instant::from_secs(10));
    let got = received(&mut world);
    assert_eq!(got[0].0, Instant::from_nanos(8_304_000 + 1_000_000));
    assert_eq!(got[1].0, Instant::from_nanos(2 * 8_304_000 + 1_000_000));
    assert_eq!(got.len(), 150_000 / 1038);
    let view = world.link_state(&"wire".into()).unwrap();
    assert_eq!(
        view.a_to_b.drops[&LinkDrop::QueueFull],
        200 - got.len() as u64
    );
}

#[test]
fn jitter_spreads_frames_but_never_reorders_them() {
    let mut blueprint = pair();
    link_of(&mut blueprint, "wire").jitter = Duration::from_millis(5);
    let mut world = world(blueprint);
    for number in 0..100_u8 {
        send(&mut world, "left", &frame(Tags::Untagged, &[number]));
        world.run_until(world.now() + Duration::from_micros(100));
    }
    world.run_until(Instant::from_secs(1));
    let got = received(&mut world);
    let order: Vec<u8> = got.iter().map(|(_, _, bytes)| bytes[14]).collect();
    assert_eq!(order, (0..100).collect::<Vec<u8>>());
    let delays: Vec<u64> = got
        .iter()
        .zip(0_u64..)
        .map(|((at, ..), number)| at.as_nanos() - number * 100_000)
        .collect();
    assert!(delays.iter().all(|d| (1_000_000..=6_000_000).contains(d)));
    assert!(delays.iter().any(|d| *d > 3_000_000));
}

#[test]
fn loss_takes_about_the_declared_share_and_is_counted() {
    let mut blueprint = pair();
    link_of(&mut blueprint, "wire").loss_ppm = 250_000;
    let mut world = world(blueprint);
    for _ in 0..4000 {
        send(&mut world, "left", &frame(Tags::Untagged, b"x"));
    }
    world.run_until(Instant::from_secs(1));
    let got = received(&mut world).len();
    assert!((2850..3150).contains(&got), "{got} of 4000 at 25 % loss");
    let view = world.link_state(&"wire".into()).unwrap();
    assert_eq!(view.a_to_b.drops[&LinkDrop::Loss], 4000 - got as u64);
}

#[test]
fn the_mtu_counts_the_packet_without_headers_and_tags() {
    let mut world = world(pair());
    let tags = Tags::qinq(vlan(5), vlan(6));
    send(&mut world, "left", &frame(tags, &[0; 1500]));
    send(&mut world, "left", &frame(tags, &[0; 1501]));
    world.run_until(Instant::from_secs(1));
    assert_eq!(received(&mut world).len(), 1);
    let view = world.link_state(&"wire".into()).unwrap();
    assert_eq!(view.a_to_b.drops[&LinkDrop::TooBig], 1);
}

#[test]
fn a_provider_can_change_tags() {
    let mut world = world(pair());
    let set = Command::SetTagFault {
        link: "wire".into(),
        fault: TagFault {
            level: TagLevel::Inner,
            from: vlan(6),
            to: vlan(60),
        },
    };
    world.command(set).unwrap();
    send(
        &mut world,
        "left",
        &frame(Tags::qinq(vlan(5), vlan(6)), b"q"),
    );
    send(
        &mut world,
        "right",
        &frame(Tags::qinq(vlan(5), vlan(6)), b"q"),
    );
    send(
        &mut world,
        "left",
        &frame(Tags::qinq(vlan(6), vlan(7)), b"q"),
    );
    world.run_until(Instant::from_secs(1));
    let got: Vec<Vec<u8>> = received(&mut world).into_iter().map(|g| g.2).collect();
    let changed = frame(Tags::qinq(vlan(5), vlan(60)), b"q").bytes().to_vec();
    let other = frame(Tags::qinq(vlan(6), vlan(7)), b"q").bytes().to_vec();
    assert_eq!(got, [changed.clone(), other, changed]);
    let clear = Command::ClearTagFaults {
        link: "wire".into(),
    };
    assert_eq!(world.command(clear.clone()), Ok(()));
    assert!(world.command(clear).is_err());
}

#[test]
fn a_capture_holds_what_crossed_up_to_its_limit() {
    let mut world = world(pair());
    let id = world
        .start_capture(CapturePoint::Link("wire".into()), 2)
        .unwrap();
    let port = CapturePoint::Port {
        node: "right".into(),
        port: "eth0".into(),
    };
    let at_port = world.start_capture(port, 10).unwrap();
    for _ in 0..3 {
        send(&mut world, "left", &frame(Tags::Untagged, b"x"));
    }
    send(&mut world, "right", &frame(Tags::Untagged, b"y"));
    world.run_until(Instant::from_secs(1));
    let take = world.take_capture(id).unwrap();
    assert_eq!((take.frames.len(), take.missed), (2, 2));
    assert_eq!(take.frames[0].at, Instant::from_millis(1));
    assert_eq!(world.stop_capture(at_port).unwrap().frames.len(), 4);
    assert_eq!(world.take_capture(at_port), None);
}
