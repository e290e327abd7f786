//! Every state meets every event.

use std::net::Ipv4Addr;
use std::time::Duration;

use skybridge_base::{Asn, Instant, Rng};

use super::*;
use crate::message::{Capability, code, subcode};

const CONN: ConnId = ConnId(1);

fn settings() -> Settings {
    Settings {
        local_asn: Asn(65001),
        local_router_id: Ipv4Addr::new(1, 1, 1, 1),
        remote_asn: Asn(65002),
        hold_time_s: 90,
        keepalive_s: None,
        connect_retry: Duration::from_mins(2),
        passive: false,
        fast_first: false,
        families: Families::V4,
        route_refresh: true,
        four_octet_as: true,
    }
}

fn open() -> Open {
    Open {
        my_as: 65002,
        hold_time_s: 30,
        router_id: Ipv4Addr::new(2, 2, 2, 2),
        capabilities: vec![
            Capability::RouteRefresh,
            Capability::FourOctetAs(Asn(65002)),
        ],
    }
}

fn stop() -> Event {
    Event::Stop {
        notification: Notification::cease(subcode::ADMIN_SHUTDOWN),
        reason: Reason::AdminDown,
        hold: IdleHold::Forever,
    }
}

fn drive(session: &mut Session, event: Event) -> Vec<Effect> {
    drive_with(session, event, &settings())
}

fn drive_with(session: &mut Session, event: Event, settings: &Settings) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut env = Env {
        now: Instant::from_secs(1),
        settings,
        rng: &mut Rng::new(1),
        seasoned: true,
        effects: &mut effects,
    };
    session.handle(event, &mut env);
    effects
}

fn in_state(kind: StateKind) -> Session {
    let mut s = Session::default();
    let steps: &[Event] = match kind {
        StateKind::Idle => &[],
        StateKind::Connect => &[Event::Start],
        StateKind::Active => &[Event::Start, Event::ConnectFailed],
        StateKind::OpenSent => &[Event::Start, Event::Connected(CONN)],
        StateKind::OpenConfirm => &[Event::Start, Event::Connected(CONN), Event::Open(open())],
        StateKind::Established => &[
            Event::Start,
            Event::Connected(CONN),
            Event::Open(open()),
            Event::Keepalive,
        ],
    };
    for step in steps {
        drive(&mut s, step.clone());
    }
    assert_eq!(s.state(), kind);
    s
}

/// The table of RFC 4271 §8.2.2. Columns: Idle, Connect, Active, OpenSent, OpenConfirm, Established.
/// A letter is the next state; `!` in front means that a NOTIFICATION is sent, `/` that the connection
/// is closed without one.
#[test]
#[allow(clippy::too_many_lines, reason = "a flat table")]
fn every_state_has_a_defined_result_for_every_event() {
    let update_error = Notification::new(code::UPDATE, 1, Vec::new());
    let rows: Vec<(&str, Event, [&str; 6])> = vec![
        ("start", Event::Start, ["C", "C", "A", "S", "F", "E"]),
        ("stop", stop(), ["I", "I", "I", "!I", "!I", "!I"]),
        (
            "connected",
            Event::Connected(CONN),
            ["/I", "S", "S", "S", "F", "E"],
        ),
        (
            "other connected",
            Event::Connected(ConnId(9)),
            ["/I", "S", "S", "/S", "/F", "/E"],
        ),
        (
            "connect failed",
            Event::ConnectFailed,
            ["I", "A", "A", "A", "I", "I"],
        ),
        ("closed", Event::Closed, ["I", "A", "A", "A", "I", "I"]),
        (
            "open",
            Event::Open(open()),
            ["I", "C", "A", "F", "!I", "!I"],
        ),
        (
            "keepalive",
            Event::Keepalive,
            ["I", "C", "A", "!I", "E", "E"],
        ),
        ("update", Event::Update, ["I", "C", "A", "!I", "!I", "E"]),
        (
            "refresh",
            Event::RouteRefresh,
            ["I", "C", "A", "!I", "!I", "E"],
        ),
        (
            "notification",
            Event::Notification(Notification::cease(4)),
            ["I", "C", "A", "/I", "/I", "/I"],
        ),
        (
            "bad message",
            Event::BadMessage(update_error),
            ["I", "C", "A", "!I", "!I", "!I"],
        ),
        (
            "retry",
            Event::Timer(Timer::ConnectRetry),
            ["I", "C", "C", "S", "F", "E"],
        ),
        (
            "hold",
            Event::Timer(Timer::Hold),
            ["I", "C", "A", "!I", "!I", "!I"],
        ),
        (
            "keepalive due",
            Event::Timer(Timer::Keepalive),
            ["I", "C", "A", "S", "F", "E"],
        ),
        (
            "idle hold",
            Event::Timer(Timer::IdleHold),
            ["C", "C", "A", "S", "F", "E"],
        ),
    ];
    let states = [
        StateKind::Idle,
        StateKind::Connect,
        StateKind::Active,
        StateKind::OpenSent,
        StateKind::OpenConfirm,
        StateKind::Established,
    ];
    for (name, event, expected) in rows {
        for (state, expected) in states.into_iter().zip(expected) {
            let mut session = in_state(state);
            let effects = drive(&mut session, event.clone());
            let letter = match session.state() {
                StateKind::Idle => "I",
                StateKind::Connect => "C",
                StateKind::Active => "A",
                StateKind::OpenSent => "S",
                StateKind::OpenConfirm => "F",
                StateKind::Established => "E",
            };
            let told = |e: &Effect| matches!(e, Effect::Send(_, Message::Notification(_)));
            let closed = |e: &Effect| matches!(e, Effect::Close(_));
            let mark = match (effects.iter().any(told), effects.iter().any(closed)) {
                (true, true) => "!",
                (true, false) => "? notified but not closed ",
                (false, true) => "/",
                (false, false) => "",
            };
            assert_eq!(format!("{mark}{letter}"), expected, "{name} in {state}");
            let changed = effects
                .iter()
                .filter(|e| matches!(e, Effect::Changed { .. }))
                .count();
            assert_eq!(
                changed,
                usize::from(session.state() != state),
                "{name} in {state}"
            );
        }
    }
}

#[test]
fn unexpected_messages_are_told_with_the_subcode_of_the_state() {
    let rows = [
        (StateKind::OpenSent, Event::Keepalive, 1),
        (StateKind::OpenConfirm, Event::Update, 2),
        (StateKind::Established, Event::Open(open()), 3),
    ];
    for (state, event, sub) in rows {
        let mut session = in_state(state);
        let expected = Notification::new(code::FSM, sub, Vec::new());
        let effects = drive(&mut session, event);
        assert_eq!(
            effects[0],
            Effect::Send(CONN, Message::Notification(expected))
        );
    }
}

#[test]
fn each_unacceptable_open_is_refused_with_its_subcode() {
    let refused = |change: &dyn Fn(&mut Open, &mut Settings)| {
        let mut session = in_state(StateKind::OpenSent);
        let (mut open, mut settings) = (open(), settings());
        change(&mut open, &mut settings);
        match drive_with(&mut session, Event::Open(open), &settings).first() {
            Some(Effect::Send(_, Message::Notification(n))) => (n.code, n.subcode),
            other => panic!("not refused: {other:?}"),
        }
    };
    assert_eq!(refused(&|_, s| s.remote_asn = Asn(1)), (2, 2));
    assert_eq!(refused(&|_, s| s.families = Families::V6), (2, 7));
    let same_id = |o: &mut Open, s: &mut Settings| {
        s.local_asn = Asn(65002);
        o.router_id = s.local_router_id;
    };
    assert_eq!(refused(&same_id), (2, 3));
}

#[test]
fn the_smaller_hold_time_counts_and_keepalives_take_a_third() {
    let session = in_state(StateKind::Established);
    let negotiated = session.negotiated().unwrap();
    assert_eq!((negotiated.hold_time_s, negotiated.keepalive_s), (30, 10));
    assert_eq!(session.timer(Timer::Hold), Some(Instant::from_secs(31)));
    assert_eq!(
        session.timer(Timer::Keepalive),
        Some(Instant::from_secs(11))
    );
}

#[test]
fn idle_hold_doubles_with_each_failure_up_to_the_retry_time() {
    let mut session = Session::default();
    let mut waits = Vec::new();
    for _ in 0..12 {
        drive(&mut session, Event::Start);
        drive(&mut session, Event::Connected(CONN));
        drive(&mut session, Event::Notification(Notification::cease(5)));
        let at = session.timer(Timer::IdleHold).unwrap();
        waits.push(at.since(Instant::from_secs(1)).as_secs_f64());
    }
    assert!((0.75..=1.0).contains(&waits[0]), "{waits:?}");
    assert!(waits[11] <= 120.0 && waits[11] >= 90.0, "{waits:?}");
    assert!(waits.windows(2).all(|w| w[1] >= w[0]), "{waits:?}");
}

#[test]
fn a_fast_first_peer_retries_every_200_ms_until_it_has_been_established() {
    let fast = Settings {
        fast_first: true,
        ..settings()
    };
    let mut fsm = PeerFsm::default();
    let mut rng = Rng::new(1);
    let mut effects = Vec::new();
    let mut now = Instant::ZERO;
    fsm.start(now, &fast, &mut rng, &mut effects);
    for _ in 0..8 {
        fsm.handle(
            now,
            Slot::Out,
            Event::ConnectFailed,
            &fast,
            &mut rng,
            &mut effects,
        );
        let next = fsm.poll_timeout().unwrap().at;
        assert!(next.since(now) <= Duration::from_millis(200));
        now = next;
        fsm.handle_timeout(now, &fast, &mut rng, &mut effects);
        assert_eq!(fsm.state(), StateKind::Connect);
    }
    for event in [
        Event::Connected(CONN),
        Event::Open(open()),
        Event::Keepalive,
        Event::Closed,
    ] {
        fsm.handle(now, Slot::Out, event, &fast, &mut rng, &mut effects);
    }
    now = fsm.poll_timeout().unwrap().at;
    fsm.handle_timeout(now, &fast, &mut rng, &mut effects);
    fsm.handle(
        now,
        Slot::Out,
        Event::ConnectFailed,
        &fast,
        &mut rng,
        &mut effects,
    );
    let wait = fsm.poll_timeout().unwrap().at.since(now);
    assert!(wait >= Duration::from_secs(90), "{wait:?}");
}

#[test]
fn a_connection_to_a_peer_that_is_shut_down_is_closed() {
    let mut fsm = PeerFsm::default();
    let mut effects = Vec::new();
    fsm.accepted(
        Instant::ZERO,
        CONN,
        &settings(),
        &mut Rng::new(1),
        &mut effects,
    );
    assert_eq!(effects, [Effect::Close(CONN)]);
}
