//! The session: state variables of RFC 5880 §6.8.1 and the rules that move them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use skybridge_base::{Deadline, Instant, Machine, Rng, earliest};
use skybridge_wire::bfd::{self, BfdControl, BfdDiag, BfdFault, BfdState};

use crate::{ConfigFault, SessionConfig, Timers};

/// The least transmit interval while a session is not Up (RFC 5880 §6.8.3).
const SLOW_TX_US: u32 = 1_000_000;

/// What the driver hands in.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A UDP payload for this session that passed the caller's TTL check.
    Packet(&'a [u8]),
    /// Hold the session down (RFC 5880 §6.8.16).
    AdminDown,
    /// Let the session run again.
    AdminUp,
}

/// What the driver takes out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send this to the peer, with TTL 255.
    Send(BfdControl),
    /// The session changed its state.
    StateChanged {
        /// The state left.
        from: BfdState,
        /// The state entered.
        to: BfdState,
        /// Why, as this end will tell the peer.
        diag: BfdDiag,
        /// When.
        at: Instant,
    },
}

/// Why a packet had no effect.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Discard {
    /// It is malformed.
    Fault(BfdFault),
    /// Its "your discriminator" names another session.
    WrongDiscriminator,
    /// It is authenticated, which this end does not do.
    Authenticated,
    /// This end is held down; the packet only refreshed what is known of the peer.
    AdminDown,
}

/// What is known of the peer; forgotten after a detection time of silence.
#[derive(Clone, Copy, Debug)]
struct Remote {
    discriminator: u32,
    state: BfdState,
    diag: BfdDiag,
    demand: bool,
    min_rx_us: u32,
    desired_min_tx_us: u32,
    detect_mult: u8,
}

impl Remote {
    /// The initial values of RFC 5880 §6.8.1.
    const UNKNOWN: Self = Self {
        discriminator: 0,
        state: BfdState::Down,
        diag: BfdDiag::None,
        demand: false,
        min_rx_us: 1,
        desired_min_tx_us: 0,
        detect_mult: 0,
    };
}

/// One end of a BFD session.
#[derive(Clone, Debug)]
pub struct Session {
    my_discriminator: u32,
    passive: bool,
    rng: Rng,
    /// As configured.
    timers: Timers,
    state: BfdState,
    diag: BfdDiag,
    remote: Remote,
    /// A poll sequence runs (RFC 5880 §6.5).
    polling: bool,
    /// Timers changed during a poll sequence: the next F may answer an older P, so another sequence
    /// follows it.
    poll_again: bool,
    /// Intervals that stay in force until the poll sequence ends (RFC 5880 §6.8.3).
    before_poll: Timers,
    /// Start of the transmit interval that runs.
    tx_last: Option<Instant>,
    /// Share of the interval after which to send, in millionths (RFC 5880 §6.8.7).
    tx_share_ppm: u32,
    /// Receipt of the last valid packet; `None` after silence.
    rx_last: Option<Instant>,
    outputs: VecDeque<Output>,
    discards: BTreeMap<Discard, u64>,
    packets_received: u64,
    packets_sent: u64,
}

impl Session {
    /// Packets that wait for the driver at most.
    pub const SENDS_QUEUED_MAX: usize = 32;

    /// A session in Down. Unless passive it asks to send at once.
    ///
    /// # Errors
    /// When the discriminator, the multiplier or an interval is zero.
    pub fn new(config: SessionConfig) -> Result<Self, ConfigFault> {
        if config.my_discriminator == 0 {
            return Err(ConfigFault::ZeroDiscriminator);
        }
        config.timers.check()?;
        let mut session = Self {
            my_discriminator: config.my_discriminator,
            passive: config.passive,
            rng: config.rng,
            timers: config.timers,
            state: BfdState::Down,
            diag: BfdDiag::None,
            remote: Remote::UNKNOWN,
            polling: false,
            poll_again: false,
            before_poll: config.timers,
            tx_last: None,
            tx_share_ppm: 0,
            rx_last: None,
            outputs: VecDeque::new(),
            discards: BTreeMap::new(),
            packets_received: 0,
            packets_sent: 0,
        };
        session.draw_jitter();
        Ok(session)
    }

    /// Changes intervals and multiplier; while Up the peer is asked by a poll sequence first
    /// (RFC 5880 §6.8.3). The driver polls outputs and re-arms afterwards, as after an input.
    ///
    /// # Errors
    /// When a value is zero; nothing is then changed.
    pub fn set_timers(&mut self, now: Instant, timers: Timers) -> Result<(), ConfigFault> {
        timers.check()?;
        let (tx, rx) = (self.tx_base_us(), self.rx_base_us());
        self.timers = timers;
        if self.state == BfdState::Up {
            self.before_poll = Timers {
                desired_min_tx_us: tx,
                required_min_rx_us: rx,
                detect_mult: timers.detect_mult,
            };
            self.poll_again = self.polling;
            self.polling = true;
        }
        self.draw_jitter();
        self.send_due(now);
        Ok(())
    }

    /// The session's state.
    #[must_use]
    pub const fn state(&self) -> BfdState {
        self.state
    }

    /// Why the session last changed its state.
    #[must_use]
    pub const fn diag(&self) -> BfdDiag {
        self.diag
    }

    /// The peer's state as last heard; Down after silence.
    #[must_use]
    pub const fn remote_state(&self) -> BfdState {
        self.remote.state
    }

    /// The peer's diagnostic as last heard.
    #[must_use]
    pub const fn remote_diag(&self) -> BfdDiag {
        self.remote.diag
    }

    /// This end's discriminator.
    #[must_use]
    pub const fn my_discriminator(&self) -> u32 {
        self.my_discriminator
    }

    /// The peer's discriminator; `None` before it is heard and after silence.
    #[must_use]
    pub const fn remote_discriminator(&self) -> Option<u32> {
        match self.remote.discriminator {
            0 => None,
            discriminator => Some(discriminator),
        }
    }

    /// The silence after which the peer is declared down (RFC 5880 §6.8.4); `None` while nothing
    /// is known of the peer.
    #[must_use]
    pub fn detection_time(&self) -> Option<Duration> {
        if self.remote.detect_mult == 0 {
            return None;
        }
        let interval_us = self.rx_base_us().max(self.remote.desired_min_tx_us);
        let us = u64::from(self.remote.detect_mult).saturating_mul(u64::from(interval_us));
        Some(Duration::from_micros(us))
    }

    /// The transmit interval before jitter (RFC 5880 §6.8.7); `None` while this end is silent.
    #[must_use]
    pub fn tx_interval(&self) -> Option<Duration> {
        if self.is_silent() {
            return None;
        }
        let us = self.tx_base_us().max(self.remote.min_rx_us);
        Some(Duration::from_micros(u64::from(us)))
    }

    /// Packets that passed all checks.
    #[must_use]
    pub const fn packets_received(&self) -> u64 {
        self.packets_received
    }

    /// Packets given to the driver.
    #[must_use]
    pub const fn packets_sent(&self) -> u64 {
        self.packets_sent
    }

    /// How many packets were discarded, by reason; reasons that never occurred are left out.
    pub fn discards(&self) -> impl Iterator<Item = (Discard, u64)> + '_ {
        self.discards
            .iter()
            .map(|(reason, count)| (*reason, *count))
    }

    /// How many packets were discarded for `reason`.
    #[must_use]
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discards.get(&reason).copied().unwrap_or(0)
    }

    /// The transmit interval of this end that is in force, before the peer's wish.
    fn tx_base_us(&self) -> u32 {
        let wanted = self.advertised_tx_us();
        if self.polling {
            // A longer interval takes effect only when the peer knows (RFC 5880 §6.8.3).
            wanted.min(self.before_poll.desired_min_tx_us)
        } else {
            wanted
        }
    }

    /// "Desired Min TX Interval" of the packets this end sends.
    fn advertised_tx_us(&self) -> u32 {
        match self.state {
            BfdState::Up => self.timers.desired_min_tx_us,
            // Slow until Up (RFC 5880 §6.8.3).
            BfdState::AdminDown | BfdState::Down | BfdState::Init => {
                self.timers.desired_min_tx_us.max(SLOW_TX_US)
            }
        }
    }

    /// The receive interval that counts for detection.
    fn rx_base_us(&self) -> u32 {
        let wanted = self.timers.required_min_rx_us;
        if self.polling {
            // A shorter interval counts only when the peer knows (RFC 5880 §6.8.3).
            wanted.max(self.before_poll.required_min_rx_us)
        } else {
            wanted
        }
    }

    /// The cases in which no periodic packet may be sent (RFC 5880 §6.8.7).
    fn is_silent(&self) -> bool {
        let not_yet_spoken_to = self.passive && self.remote.discriminator == 0;
        let demanded = self.remote.demand
            && self.state == BfdState::Up
            && self.remote.state == BfdState::Up
            && !self.polling;
        not_yet_spoken_to || self.remote.min_rx_us == 0 || demanded
    }

    fn tx_at(&self) -> Option<Instant> {
        let interval = self.tx_interval()?;
        let Some(last) = self.tx_last else {
            return Some(Instant::ZERO);
        };
        let nanos = interval
            .as_nanos()
            .saturating_mul(u128::from(self.tx_share_ppm))
            / 1_000_000;
        Some(last + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    fn detect_at(&self) -> Option<Instant> {
        Some(self.rx_last? + self.detection_time()?)
    }

    /// 75 to 100 % of the interval, 75 to 90 % when one lost packet is fatal (RFC 5880 §6.8.7).
    fn draw_jitter(&mut self) {
        let spread = if self.timers.detect_mult == 1 {
            150_000
        } else {
            250_000
        };
        let drawn = u32::try_from(self.rng.below(spread + 1)).unwrap_or(0);
        self.tx_share_ppm = 750_000_u32.saturating_add(drawn);
    }

    fn send_due(&mut self, now: Instant) {
        if self.tx_at().is_some_and(|at| at <= now) {
            self.send_periodic(now);
        }
    }

    /// Sends and starts the next interval.
    fn send_periodic(&mut self, now: Instant) {
        self.tx_last = Some(now);
        self.draw_jitter();
        self.send(self.polling, false);
    }

    fn send(&mut self, poll: bool, fin: bool) {
        if self.outputs.len() >= Self::SENDS_QUEUED_MAX {
            return;
        }
        self.packets_sent = self.packets_sent.saturating_add(1);
        self.outputs.push_back(Output::Send(BfdControl {
            diag: self.diag,
            state: self.state,
            poll,
            fin,
            control_plane_independent: false,
            authentication_present: false,
            demand: false,
            detect_mult: self.timers.detect_mult,
            my_discriminator: self.my_discriminator,
            your_discriminator: self.remote.discriminator,
            desired_min_tx_us: self.advertised_tx_us(),
            required_min_rx_us: self.timers.required_min_rx_us,
            required_min_echo_rx_us: 0,
        }));
    }

    /// The one place where the state changes.
    fn enter(&mut self, now: Instant, to: BfdState, diag: BfdDiag) {
        let from = std::mem::replace(&mut self.state, to);
        self.diag = diag;
        // Entering Up ends the slow interval, which the peer must learn by a poll sequence
        // (RFC 5880 §6.8.3). Leaving Up needs none: the peer reads the new values from the next
        // packet and this end no longer depends on what it knew.
        self.polling = to == BfdState::Up;
        self.poll_again = false;
        self.before_poll = self.timers;
        self.outputs.push_back(Output::StateChanged {
            from,
            to,
            diag,
            at: now,
        });
    }

    fn on_packet(&mut self, now: Instant, payload: &[u8]) {
        match self.check(payload) {
            Ok(packet) => self.on_valid_packet(now, &packet),
            Err(reason) => self.discard(reason),
        }
    }

    /// The checks of RFC 5880 §6.8.6 up to authentication.
    fn check(&self, payload: &[u8]) -> Result<BfdControl, Discard> {
        let packet = bfd::parse(payload).map_err(Discard::Fault)?;
        if packet.your_discriminator != 0 && packet.your_discriminator != self.my_discriminator {
            return Err(Discard::WrongDiscriminator);
        }
        if packet.authentication_present {
            return Err(Discard::Authenticated);
        }
        Ok(packet)
    }

    fn discard(&mut self, reason: Discard) {
        let count = self.discards.entry(reason).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// The rest of RFC 5880 §6.8.6, in its order.
    fn on_valid_packet(&mut self, now: Instant, packet: &BfdControl) {
        self.packets_received = self.packets_received.saturating_add(1);
        self.remote = Remote {
            discriminator: packet.my_discriminator,
            state: packet.state,
            diag: packet.diag,
            demand: packet.demand,
            min_rx_us: packet.required_min_rx_us,
            desired_min_tx_us: packet.desired_min_tx_us,
            detect_mult: packet.detect_mult,
        };
        if packet.fin && !std::mem::take(&mut self.poll_again) {
            self.polling = false;
        }
        self.rx_last = Some(now);
        if self.state == BfdState::AdminDown {
            self.discard(Discard::AdminDown);
            return;
        }
        let changed = match next_state(self.state, packet.state) {
            Some((to, diag)) => {
                self.enter(now, to, diag.unwrap_or(self.diag));
                true
            }
            None => false,
        };
        if packet.poll {
            // Answered at once whatever the transmit timer says, and never with P (RFC 5880 §6.5).
            self.send(false, true);
        } else if changed && !self.is_silent() {
            // A change is told between periodic packets (RFC 5880 §6.8.7).
            self.send_periodic(now);
        }
        // A shorter interval may make a packet due at once.
        self.send_due(now);
    }

    fn on_silence(&mut self, now: Instant) {
        self.rx_last = None;
        // RFC 5880 §6.8.1 asks to forget the discriminator; the rest goes back to its initial
        // value with it, or a peer that once asked for silence would not be called again.
        self.remote = Remote::UNKNOWN;
        match self.state {
            BfdState::Init | BfdState::Up => {
                let diag = BfdDiag::ControlDetectionTimeExpired;
                self.enter(now, BfdState::Down, diag);
                if !self.is_silent() {
                    self.send_periodic(now);
                }
            }
            BfdState::AdminDown | BfdState::Down => {}
        }
    }

    fn on_admin(&mut self, now: Instant, to: BfdState, diag: BfdDiag) {
        self.enter(now, to, diag);
        if !self.is_silent() {
            self.send_periodic(now);
        }
    }
}

/// The state machine of RFC 5880 §6.8.6 for a session that is not `AdminDown`: the state to enter
/// and the diagnostic to set, `None` for no change. A diagnostic of `None` is kept, so that the peer
/// can read it until the session is Up.
const fn next_state(own: BfdState, received: BfdState) -> Option<(BfdState, Option<BfdDiag>)> {
    use BfdState::{AdminDown, Down, Init, Up};
    match (own, received) {
        (Init | Up, AdminDown) | (Up, Down) => Some((Down, Some(BfdDiag::NeighborSignaledDown))),
        (Down, Down) => Some((Init, None)),
        (Down | Init, Init) | (Init, Up) => Some((Up, Some(BfdDiag::None))),
        (AdminDown, _) | (Down, AdminDown | Up) | (Init, Down) | (Up, Init | Up) => None,
    }
}

impl Machine for Session {
    type Input<'a> = Input<'a>;
    type Output = Output;

    fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Packet(payload) => self.on_packet(now, payload),
            Input::AdminDown if self.state != BfdState::AdminDown => {
                let diag = BfdDiag::AdministrativelyDown;
                self.on_admin(now, BfdState::AdminDown, diag);
            }
            Input::AdminUp if self.state == BfdState::AdminDown => {
                self.on_admin(now, BfdState::Down, BfdDiag::None);
            }
            Input::AdminDown | Input::AdminUp => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.detect_at().is_some_and(|at| at <= now) {
            self.on_silence(now);
        }
        self.send_due(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        earliest(
            self.detect_at().map(|at| Deadline::new(at, "bfd detect")),
            self.tx_at().map(|at| Deadline::new(at, "bfd tx")),
        )
    }
}
