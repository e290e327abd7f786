//! Sessions alone and in pairs, in virtual time.

use std::time::Duration;

use proptest::prelude::*;
use skybridge_base::{Instant, Machine, Rng};
use skybridge_bfd::{
    BfdControl, BfdDiag, BfdFault, BfdState, ConfigFault, Discard, Input, Output, Session,
    SessionConfig, Timers,
};
use skybridge_wire::bfd;

fn session(my_discriminator: u32, timers: Timers) -> Session {
    Session::new(SessionConfig {
        my_discriminator,
        timers,
        passive: false,
        rng: Rng::new(u64::from(my_discriminator)),
    })
    .expect("no field is zero")
}

/// A packet as a peer with discriminator 9 sends it to discriminator 1.
fn packet(state: BfdState) -> BfdControl {
    BfdControl {
        diag: BfdDiag::None,
        state,
        poll: false,
        fin: false,
        control_plane_independent: false,
        authentication_present: false,
        demand: false,
        detect_mult: 3,
        my_discriminator: 9,
        your_discriminator: 1,
        desired_min_tx_us: 300_000,
        required_min_rx_us: 300_000,
        required_min_echo_rx_us: 0,
    }
}

fn hand_in(session: &mut Session, now: Instant, packet: &BfdControl) -> Vec<Output> {
    session.handle_input(now, Input::Packet(&packet.to_bytes()));
    drain(session)
}

fn drain(session: &mut Session) -> Vec<Output> {
    std::iter::from_fn(|| session.poll_output()).collect()
}

fn sent(outputs: &[Output]) -> Vec<BfdControl> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Send(control) => Some(*control),
            Output::StateChanged { .. } => None,
        })
        .collect()
}

fn changes(outputs: &[Output]) -> Vec<(BfdState, BfdState, BfdDiag)> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Send(_) => None,
            Output::StateChanged { from, to, diag, .. } => Some((*from, *to, *diag)),
        })
        .collect()
}

/// A session brought to `state` by packets alone.
fn session_in(state: BfdState) -> Session {
    let mut session = session(1, Timers::CLOUD);
    match state {
        BfdState::Down => {}
        BfdState::AdminDown => session.handle_input(Instant::ZERO, Input::AdminDown),
        BfdState::Init => {
            hand_in(&mut session, Instant::ZERO, &packet(BfdState::Down));
        }
        BfdState::Up => {
            hand_in(&mut session, Instant::ZERO, &packet(BfdState::Init));
        }
    }
    drain(&mut session);
    assert_eq!(session.state(), state);
    session
}

/// Two sessions joined by a link with a delay and, when cut, silence.
struct Pair {
    now: Instant,
    ends: [Session; 2],
    delay: Duration,
    cut: bool,
    loss_ppm: u32,
    rng: Rng,
    /// (arrival, sequence, to which end, bytes)
    flying: Vec<(Instant, u64, usize, [u8; 24])>,
    sequence: u64,
    log: Vec<(Instant, usize, BfdState, BfdDiag)>,
    sends: Vec<(Instant, usize, BfdControl)>,
}

impl Pair {
    fn new(a: Session, b: Session) -> Self {
        Self {
            now: Instant::ZERO,
            ends: [a, b],
            delay: Duration::from_millis(5),
            cut: false,
            loss_ppm: 0,
            rng: Rng::new(77),
            flying: Vec::new(),
            sequence: 0,
            log: Vec::new(),
            sends: Vec::new(),
        }
    }

    fn collect(&mut self) {
        for end in 0..2 {
            while let Some(output) = self.ends[end].poll_output() {
                match output {
                    Output::Send(control) => {
                        self.sends.push((self.now, end, control));
                        if !self.cut && !self.rng.chance_ppm(self.loss_ppm) {
                            self.sequence += 1;
                            let at = self.now + self.delay;
                            let bytes = control.to_bytes();
                            self.flying.push((at, self.sequence, 1 - end, bytes));
                        }
                    }
                    Output::StateChanged { to, diag, at, .. } => {
                        assert_eq!(at, self.now);
                        self.log.push((at, end, to, diag));
                    }
                }
            }
        }
    }

    fn run_until(&mut self, until: Instant) {
        let mut steps_at_now = 0;
        loop {
            self.collect();
            let arrival = self.flying.iter().map(|f| f.0).min();
            let timeouts = self.ends.iter().filter_map(|e| Some(e.poll_timeout()?.at));
            let Some(next) = timeouts.chain(arrival).min().filter(|at| *at <= until) else {
                self.now = until;
                return;
            };
            steps_at_now = if next > self.now { 0 } else { steps_at_now + 1 };
            assert!(steps_at_now < 20, "no progress at {}", self.now);
            self.now = self.now.max(next);
            self.flying.sort();
            let due = self.flying.iter().take_while(|f| f.0 <= self.now).count();
            for (_, _, to, bytes) in self.flying.drain(..due).collect::<Vec<_>>() {
                self.ends[to].handle_input(self.now, Input::Packet(&bytes));
            }
            for end in &mut self.ends {
                end.handle_timeout(self.now);
            }
        }
    }

    fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now + duration);
    }

    fn states(&self) -> [BfdState; 2] {
        [self.ends[0].state(), self.ends[1].state()]
    }
}

fn pair_up() -> Pair {
    let mut pair = Pair::new(session(1, Timers::CLOUD), session(2, Timers::CLOUD));
    pair.run_for(Duration::from_secs(10));
    assert_eq!(pair.states(), [BfdState::Up; 2]);
    pair
}

#[test]
fn two_sessions_come_up_and_stay_up() {
    let mut pair = pair_up();
    let up_at = pair.log.last().unwrap().0;
    assert!(up_at <= Instant::from_millis(20), "up at {up_at}");
    pair.run_for(Duration::from_secs(600));
    assert_eq!(pair.states(), [BfdState::Up; 2]);
    assert!(pair.log.iter().all(|entry| entry.0 <= up_at));
    for end in &pair.ends {
        assert_eq!(end.diag(), BfdDiag::None);
        assert_eq!(end.discards().count(), 0);
        assert_eq!(end.detection_time(), Some(Duration::from_millis(900)));
    }
}

#[test]
fn a_poll_sequence_follows_going_up_and_ends() {
    let pair = pair_up();
    for end in 0..2 {
        let polls = |until| {
            pair.sends
                .iter()
                .filter(|(at, from, c)| *from == end && c.poll && *at <= until)
                .count()
        };
        assert!(polls(Instant::MAX) >= 1);
        assert_eq!(polls(Instant::from_secs(1)), polls(Instant::MAX));
    }
    assert!(pair.sends.iter().any(|(_, _, c)| c.fin));
    // P and F are never set together (RFC 5880 §6.5).
    assert!(pair.sends.iter().all(|(_, _, c)| !(c.poll && c.fin)));
}

#[test]
fn packets_are_slow_until_up_and_jittered_ever_after() {
    let mut alone = Pair::new(session(1, Timers::CLOUD), session(2, Timers::CLOUD));
    alone.cut = true;
    alone.run_for(Duration::from_secs(100));
    check_gaps(&alone, 750, 1000);
    let mut pair = pair_up();
    pair.sends.clear();
    pair.run_for(Duration::from_secs(100));
    check_gaps(&pair, 225, 300);
    let one = Timers::symmetric(300_000, 1);
    let mut fragile = Pair::new(session(1, one), session(2, one));
    fragile.run_for(Duration::from_secs(10));
    fragile.sends.clear();
    fragile.run_for(Duration::from_secs(100));
    check_gaps(&fragile, 225, 270);
}

fn check_gaps(pair: &Pair, min_ms: u64, max_ms: u64) {
    for end in 0..2 {
        let times: Vec<_> = pair
            .sends
            .iter()
            .filter(|s| s.1 == end)
            .map(|s| s.0)
            .collect();
        let gaps: Vec<_> = times.windows(2).map(|w| w[1] - w[0]).collect();
        assert!(gaps.len() > 90);
        let (min, max) = (
            gaps.iter().min().expect("gaps"),
            gaps.iter().max().expect("gaps"),
        );
        assert!(*min >= Duration::from_millis(min_ms), "{min:?}");
        assert!(*max <= Duration::from_millis(max_ms), "{max:?}");
        assert!(min < max, "no jitter");
    }
}

#[test]
fn silence_brings_the_session_down_after_the_detection_time_exactly() {
    let mut session = session_in(BfdState::Up);
    let start = Instant::from_secs(5);
    hand_in(&mut session, start, &packet(BfdState::Up));
    let expiry = start + Duration::from_millis(900);
    let just_before = Instant::from_nanos(expiry.as_nanos() - 1);
    session.handle_timeout(just_before);
    assert_eq!(session.state(), BfdState::Up);
    drain(&mut session);
    session.handle_timeout(expiry);
    let outputs = drain(&mut session);
    assert!(outputs.contains(&Output::StateChanged {
        from: BfdState::Up,
        to: BfdState::Down,
        diag: BfdDiag::ControlDetectionTimeExpired,
        at: expiry,
    }));
    let told = sent(&outputs)[0];
    assert_eq!(told.diag, BfdDiag::ControlDetectionTimeExpired);
    // The peer's discriminator is forgotten (RFC 5880 §6.8.1).
    assert_eq!(told.your_discriminator, 0);
    assert_eq!(session.remote_discriminator(), None);
    assert_eq!(told.desired_min_tx_us, 1_000_000);
}

#[test]
fn the_deadline_names_what_it_is_for() {
    let fresh = session(1, Timers::CLOUD);
    assert_eq!(fresh.poll_timeout().unwrap().reason, "bfd tx");
    let mut up = session_in(BfdState::Up);
    let mut quiet = packet(BfdState::Up);
    quiet.required_min_rx_us = 0;
    hand_in(&mut up, Instant::from_secs(1), &quiet);
    let deadline = up.poll_timeout().unwrap();
    assert_eq!(deadline.reason, "bfd detect");
    assert_eq!(deadline.at, Instant::from_millis(1900));
}

#[test]
fn a_cut_link_is_noticed_by_both_ends_and_heals() {
    let mut pair = pair_up();
    pair.log.clear();
    let cut_at = pair.now;
    pair.cut = true;
    pair.run_for(Duration::from_secs(5));
    assert_eq!(pair.states(), [BfdState::Down; 2]);
    assert_eq!(pair.log.len(), 2);
    for (at, _, to, diag) in &pair.log {
        assert_eq!(
            (*to, *diag),
            (BfdState::Down, BfdDiag::ControlDetectionTimeExpired)
        );
        let took = at.since(cut_at);
        assert!(took >= Duration::from_millis(600) && took <= Duration::from_millis(905));
    }
    pair.cut = false;
    pair.run_for(Duration::from_secs(3));
    assert_eq!(pair.states(), [BfdState::Up; 2]);
}

#[test]
fn holding_one_end_down_is_told_to_the_other_and_can_be_undone() {
    let mut pair = pair_up();
    pair.log.clear();
    let now = pair.now;
    pair.ends[0].handle_input(now, Input::AdminDown);
    pair.run_for(Duration::from_millis(6));
    assert_eq!(pair.states(), [BfdState::AdminDown, BfdState::Down]);
    assert_eq!(pair.ends[1].diag(), BfdDiag::NeighborSignaledDown);
    assert_eq!(pair.ends[1].remote_diag(), BfdDiag::AdministrativelyDown);
    pair.run_for(Duration::from_secs(60));
    assert_eq!(pair.states(), [BfdState::AdminDown, BfdState::Down]);
    assert!(pair.ends[0].discarded(Discard::AdminDown) > 0);
    let now = pair.now;
    pair.ends[0].handle_input(now, Input::AdminUp);
    pair.run_for(Duration::from_secs(3));
    assert_eq!(pair.states(), [BfdState::Up; 2]);
}

#[test]
fn the_slower_side_sets_the_interval() {
    let slow = Timers::symmetric(750_000, 4);
    let mut pair = Pair::new(session(1, Timers::CLOUD), session(2, slow));
    pair.run_for(Duration::from_secs(10));
    assert_eq!(pair.states(), [BfdState::Up; 2]);
    for end in &pair.ends {
        assert_eq!(end.tx_interval(), Some(Duration::from_millis(750)));
    }
    // Each detects with the other's multiplier (RFC 5880 §6.8.4).
    assert_eq!(pair.ends[0].detection_time(), Some(Duration::from_secs(3)));
    assert_eq!(
        pair.ends[1].detection_time(),
        Some(Duration::from_millis(2250))
    );
}

#[test]
fn every_state_meets_every_received_state_as_the_rfc_says() {
    use BfdState::{AdminDown, Down, Init, Up};
    let table = [
        (AdminDown, [AdminDown, AdminDown, AdminDown, AdminDown]),
        (Down, [Down, Init, Up, Down]),
        (Init, [Down, Init, Up, Up]),
        (Up, [Down, Down, Up, Up]),
    ];
    for (own, expected) in table {
        for (received, expected) in BfdState::ALL.into_iter().zip(expected) {
            let mut session = session_in(own);
            let outputs = hand_in(&mut session, Instant::from_millis(1), &packet(received));
            assert_eq!(session.state(), expected, "{own} received {received}");
            let changed = changes(&outputs);
            if own == expected {
                assert_eq!(changed, []);
                continue;
            }
            let diag = match expected {
                Down => BfdDiag::NeighborSignaledDown,
                Up | Init | AdminDown => BfdDiag::None,
            };
            assert_eq!(changed, [(own, expected, diag)]);
            // A change is told at once.
            assert_eq!(sent(&outputs).last().unwrap().state, expected);
        }
    }
}

#[test]
fn a_poll_is_answered_at_once_with_final_and_without_poll() {
    let mut session = session_in(BfdState::Up);
    let mut poll = packet(BfdState::Up);
    poll.poll = true;
    let answers = sent(&hand_in(&mut session, Instant::from_millis(1), &poll));
    assert_eq!(answers.len(), 1);
    assert!(answers[0].fin && !answers[0].poll);
    // A session held down answers nobody.
    let mut held = session_in(BfdState::AdminDown);
    assert_eq!(hand_in(&mut held, Instant::from_millis(1), &poll), []);
}

#[test]
fn slower_timers_wait_for_the_poll_to_end() {
    let mut pair = pair_up();
    let now = pair.now;
    let slow = Timers::symmetric(1_000_000, 3);
    pair.ends[0].set_timers(now, slow).unwrap();
    // Not yet: the peer would declare this end down.
    assert_eq!(pair.ends[0].tx_interval(), Some(Duration::from_millis(300)));
    pair.run_for(Duration::from_secs(2));
    assert_eq!(pair.ends[0].tx_interval(), Some(Duration::from_secs(1)));
    assert_eq!(pair.ends[1].detection_time(), Some(Duration::from_secs(3)));
    // Faster reception waits too: 3 s stay in force until the peer has answered.
    let now = pair.now;
    pair.ends[0].set_timers(now, Timers::CLOUD).unwrap();
    assert_eq!(pair.ends[0].detection_time(), Some(Duration::from_secs(3)));
    pair.run_for(Duration::from_secs(3));
    assert_eq!(
        pair.ends[0].detection_time(),
        Some(Duration::from_millis(900))
    );
    assert_eq!(pair.states(), [BfdState::Up; 2]);
}

#[test]
fn an_answer_to_an_older_poll_does_not_end_a_newer_one() {
    let mut session = session_in(BfdState::Up);
    let now = Instant::from_millis(1);
    let mut answer = packet(BfdState::Up);
    answer.fin = true;
    // The poll of going up still runs when the timers change.
    let slow = Timers::symmetric(1_000_000, 3);
    session.set_timers(now, slow).unwrap();
    hand_in(&mut session, now, &answer);
    assert_eq!(session.tx_interval(), Some(Duration::from_millis(300)));
    session.handle_timeout(Instant::from_millis(400));
    assert!(sent(&drain(&mut session))[0].poll);
    hand_in(&mut session, Instant::from_millis(401), &answer);
    assert_eq!(session.tx_interval(), Some(Duration::from_secs(1)));
}

#[test]
fn a_passive_session_waits_to_be_spoken_to() {
    let passive = |id| {
        Session::new(SessionConfig {
            my_discriminator: id,
            timers: Timers::CLOUD,
            passive: true,
            rng: Rng::new(1),
        })
        .unwrap()
    };
    assert_eq!(passive(1).poll_timeout(), None);
    let mut both = Pair::new(passive(1), passive(2));
    both.run_for(Duration::from_secs(10));
    assert_eq!(both.sends.len(), 0);
    let mut one = Pair::new(passive(1), session(2, Timers::CLOUD));
    one.run_for(Duration::from_secs(10));
    assert_eq!(one.states(), [BfdState::Up; 2]);
}

#[test]
fn a_peer_in_demand_mode_gets_silence_and_its_polls_answered() {
    let mut session = session_in(BfdState::Up);
    let mut demand = packet(BfdState::Up);
    demand.demand = true;
    demand.fin = true;
    hand_in(&mut session, Instant::from_millis(1), &demand);
    assert_eq!(session.tx_interval(), None);
    demand.fin = false;
    demand.poll = true;
    let answers = sent(&hand_in(&mut session, Instant::from_millis(9), &demand));
    assert!(answers.len() == 1 && answers[0].fin);
}

#[test]
fn discards_are_counted_by_reason() {
    let mut session = session_in(BfdState::Up);
    let now = Instant::from_millis(1);
    let mut wrong = packet(BfdState::Up);
    wrong.your_discriminator = 2;
    assert_eq!(hand_in(&mut session, now, &wrong), []);
    let mut authenticated = packet(BfdState::Down).to_bytes().to_vec();
    authenticated[1] |= 0x04;
    authenticated[3] = 26;
    authenticated.extend_from_slice(&[1, 2]);
    session.handle_input(now, Input::Packet(&authenticated));
    session.handle_input(now, Input::Packet(b""));
    assert_eq!(session.state(), BfdState::Up);
    let counted: Vec<_> = session.discards().collect();
    assert_eq!(
        counted,
        [
            (Discard::Fault(BfdFault::LengthBeyondPayload), 1),
            (Discard::WrongDiscriminator, 1),
            (Discard::Authenticated, 1),
        ]
    );
}

#[test]
fn zeroes_in_a_configuration_are_refused() {
    let with = |my_discriminator, timers| {
        Session::new(SessionConfig {
            my_discriminator,
            timers,
            passive: false,
            rng: Rng::new(1),
        })
        .err()
    };
    assert_eq!(with(0, Timers::CLOUD), Some(ConfigFault::ZeroDiscriminator));
    let fault = with(1, Timers::symmetric(300_000, 0));
    assert_eq!(fault, Some(ConfigFault::ZeroDetectMult));
    assert_eq!(
        with(1, Timers::symmetric(0, 3)),
        Some(ConfigFault::ZeroInterval)
    );
}

#[test]
fn packets_that_nobody_takes_do_not_pile_up() {
    let mut session = session_in(BfdState::Up);
    let mut poll = packet(BfdState::Up);
    poll.poll = true;
    for _ in 0..1000 {
        session.handle_input(Instant::from_millis(1), Input::Packet(&poll.to_bytes()));
    }
    assert_eq!(drain(&mut session).len(), Session::SENDS_QUEUED_MAX);
}

proptest! {
    #[test]
    fn any_bytes_are_taken_without_panic_or_stall(
        inputs in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40), 0_u64..2000), 1..40),
    ) {
        let mut session = session_in(BfdState::Up);
        let mut now = Instant::ZERO;
        for (bytes, wait_ms) in inputs {
            now += Duration::from_millis(wait_ms);
            session.handle_input(now, Input::Packet(&bytes));
            session.handle_timeout(now);
            drain(&mut session);
            prop_assert!(session.poll_timeout().is_none_or(|d| d.at > now));
        }
    }

    #[test]
    fn flipped_bits_neither_panic_nor_stall(
        flips in prop::collection::vec((0_usize..192, 0_usize..4), 1..60),
    ) {
        let mut session = session_in(BfdState::Up);
        let mut now = Instant::ZERO;
        for (bit, state) in flips {
            now += Duration::from_millis(100);
            let mut bytes = packet(BfdState::ALL[state]).to_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let before = session.packets_received();
            session.handle_input(now, Input::Packet(&bytes));
            let accepted = bfd::parse(&bytes).is_ok_and(|packet| {
                matches!(packet.your_discriminator, 0 | 1) && !packet.authentication_present
            });
            prop_assert_eq!(session.packets_received(), before + u64::from(accepted));
            session.handle_timeout(now);
            prop_assert!(drain(&mut session).len() < 8);
            prop_assert!(session.poll_timeout().is_none_or(|d| d.at > now));
        }
    }

    #[test]
    fn a_lossy_link_that_heals_ends_up(seed in any::<u64>(), loss_ppm in 0_u32..900_000) {
        let mut pair = Pair::new(session(1, Timers::CLOUD), session(2, Timers::CLOUD));
        pair.rng = Rng::new(seed);
        pair.loss_ppm = loss_ppm;
        pair.run_for(Duration::from_secs(60));
        pair.loss_ppm = 0;
        pair.run_for(Duration::from_secs(10));
        prop_assert_eq!(pair.states(), [BfdState::Up; 2]);
        let changes = pair.log.len();
        pair.run_for(Duration::from_secs(60));
        prop_assert_eq!(pair.log.len(), changes);
    }
}
