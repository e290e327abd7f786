//! One connection's state machine: an enum of states, each a struct that owns what is valid then.

use std::time::Duration;

use skybridge_base::{Asn, Deadline, Instant, Rng};

use super::{
    ConnId, Effect, Event, IdleHold, Negotiated, Reason, Settings, StateKind, Timer, Timers,
};
use crate::message::{Capability, Message, Notification, Open, code, subcode};
use crate::types::Family;

/// Between attempts, and after a failure, until a session is first Established.
const FAST_RETRY: Duration = Duration::from_millis(200);
/// RFC 4271 §8.2.2 suggests four minutes while the peer's OPEN is awaited.
const OPEN_HOLD: Duration = Duration::from_mins(4);
/// First idle hold after a failure; doubles up to the connect-retry time.
const IDLE_HOLD: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
struct Idle;
#[derive(Clone, Debug)]
struct Connect;
#[derive(Clone, Debug)]
struct Active;
#[derive(Clone, Debug)]
struct OpenSent {
    conn: ConnId,
}
#[derive(Clone, Debug)]
struct OpenConfirm {
    conn: ConnId,
    negotiated: Box<Negotiated>,
}
#[derive(Clone, Debug)]
struct Established {
    conn: ConnId,
    negotiated: Box<Negotiated>,
}

#[derive(Clone, Debug)]
enum State {
    Idle(Idle),
    Connect(Connect),
    Active(Active),
    OpenSent(OpenSent),
    OpenConfirm(OpenConfirm),
    Established(Established),
}

impl State {
    const fn kind(&self) -> StateKind {
        match self {
            Self::Idle(_) => StateKind::Idle,
            Self::Connect(_) => StateKind::Connect,
            Self::Active(_) => StateKind::Active,
            Self::OpenSent(_) => StateKind::OpenSent,
            Self::OpenConfirm(_) => StateKind::OpenConfirm,
            Self::Established(_) => StateKind::Established,
        }
    }
}

/// The next state, and why if it is another.
type Step = (State, Option<Reason>);

/// What a session needs from its owner while it handles an event.
#[derive(Debug)]
pub struct Env<'a> {
    /// The time.
    pub now: Instant,
    /// Configuration.
    pub settings: &'a Settings,
    /// Jitter.
    pub rng: &'a mut Rng,
    /// The peer has been Established before.
    pub seasoned: bool,
    /// Where effects go.
    pub effects: &'a mut Vec<Effect>,
}

impl Env<'_> {
    const fn fast(&self) -> bool {
        self.settings.fast_first && !self.seasoned
    }

    /// RFC 4271 §10: a timer is shortened by up to a quarter so that peers do not fall into step.
    fn jittered(&mut self, duration: Duration) -> Duration {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(nanos - self.rng.below(nanos / 4 + 1))
    }

    fn send(&mut self, conn: ConnId, message: Message) {
        self.effects.push(Effect::Send(conn, message));
    }

    /// RFC 4271 §8.2.2: "sends a NOTIFICATION, … drops the TCP connection".
    fn end(&mut self, conn: ConnId, notification: Notification) {
        self.send(conn, Message::Notification(notification));
        self.effects.push(Effect::Close(conn));
    }

    fn our_open(&self) -> Open {
        let s = self.settings;
        let mut capabilities: Vec<Capability> = s.families.iter().map(multiprotocol).collect();
        if s.route_refresh {
            capabilities.push(Capability::RouteRefresh);
        }
        if s.four_octet_as {
            capabilities.push(Capability::FourOctetAs(s.local_asn));
        }
        Open {
            my_as: two_octet(s.local_asn),
            hold_time_s: s.hold_time_s,
            router_id: s.local_router_id,
            capabilities,
        }
    }
}

const fn multiprotocol(family: Family) -> Capability {
    Capability::Multiprotocol {
        afi: family.afi(),
        safi: 1,
    }
}

/// RFC 6793 §4.1: AS_TRANS where the number does not fit.
fn two_octet(asn: Asn) -> u16 {
    u16::try_from(asn.0)
        .or_else(|_| u16::try_from(Asn::TRANS.0))
        .unwrap_or(u16::MAX)
}

/// One connection's machine.
#[derive(Clone, Debug)]
pub struct Session {
    state: State,
    timers: Timers,
    /// Failures since the last Established; drives the idle hold.
    failures: u32,
    /// Attempts since it left Idle; drives the patience of a fast start.
    attempts: u32,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            state: State::Idle(Idle),
            timers: Timers::default(),
            failures: 0,
            attempts: 0,
        }
    }
}

impl Session {
    /// A session for a connection that the peer opened: it waits in Active for it.
    #[must_use]
    pub fn accepting() -> Self {
        Self {
            state: State::Active(Active),
            ..Self::default()
        }
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> StateKind {
        self.state.kind()
    }

    /// The connection, from OpenSent on.
    #[must_use]
    pub const fn conn(&self) -> Option<ConnId> {
        match &self.state {
            State::Idle(_) | State::Connect(_) | State::Active(_) => None,
            State::OpenSent(s) => Some(s.conn),
            State::OpenConfirm(s) => Some(s.conn),
            State::Established(s) => Some(s.conn),
        }
    }

    /// What was agreed on, from OpenConfirm on.
    #[must_use]
    pub fn negotiated(&self) -> Option<&Negotiated> {
        match &self.state {
            State::Idle(_) | State::Connect(_) | State::Active(_) | State::OpenSent(_) => None,
            State::OpenConfirm(s) => Some(&s.negotiated),
            State::Established(s) => Some(&s.negotiated),
        }
    }

    /// The earliest deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        self.timers.next()
    }

    /// When `timer` fires.
    #[must_use]
    pub const fn timer(&self, timer: Timer) -> Option<Instant> {
        self.timers.at(timer)
    }

    /// Takes one timer that is due, to be handed to [`Session::handle`].
    pub fn take_due(&mut self, now: Instant) -> Option<Timer> {
        self.timers.take_due(now)
    }

    /// Every message that was sent delays the next KEEPALIVE (RFC 4271 §4.4).
    pub fn on_sent(&mut self, now: Instant) {
        let interval = match &self.state {
            State::OpenConfirm(s) => s.negotiated.keepalive_s,
            State::Established(s) => s.negotiated.keepalive_s,
            State::Idle(_) | State::Connect(_) | State::Active(_) | State::OpenSent(_) => 0,
        };
        if interval > 0 {
            let at = now + Duration::from_secs(interval.into());
            self.timers.set(Timer::Keepalive, at);
        }
    }

    /// Handles one event. Every event has a result in every state.
    pub fn handle(&mut self, event: Event, env: &mut Env<'_>) {
        let state = std::mem::replace(&mut self.state, State::Idle(Idle));
        let from = state.kind();
        let (next, reason) = match state {
            State::Idle(s) => self.idle(s, event, env),
            State::Connect(s) => self.connect(s, event, env),
            State::Active(s) => self.active(s, event, env),
            State::OpenSent(s) => self.open_sent(s, event, env),
            State::OpenConfirm(s) => self.open_confirm(s, event, env),
            State::Established(s) => self.established(s, event, env),
        };
        self.transition(from, next, reason, env);
    }

    /// The one place where the state changes.
    fn transition(
        &mut self,
        from: StateKind,
        next: State,
        reason: Option<Reason>,
        env: &mut Env<'_>,
    ) {
        let to = next.kind();
        self.state = next;
        if to == StateKind::Established {
            self.failures = 0;
        }
        if let Some(reason) = reason.filter(|_| from != to) {
            env.effects.push(Effect::Changed { from, to, reason });
        }
    }

    fn idle(&mut self, state: Idle, event: Event, env: &mut Env<'_>) -> Step {
        match event {
            Event::Start | Event::Timer(Timer::IdleHold) => {
                self.timers.clear();
                self.attempts = 0;
                if env.settings.passive {
                    return (State::Active(Active), Some(Reason::Started));
                }
                self.dial(Reason::Started, env)
            }
            Event::Stop { hold, .. } => {
                self.timers.clear();
                self.hold_idle(hold, env);
                (State::Idle(state), None)
            }
            // RFC 4271 §8.2.2: in Idle every connection is refused.
            Event::Connected(conn) => {
                env.effects.push(Effect::Close(conn));
                (State::Idle(state), None)
            }
            Event::ConnectFailed
            | Event::Closed
            | Event::Open(_)
            | Event::Keepalive
            | Event::Update
            | Event::RouteRefresh
            | Event::Notification(_)
            | Event::BadMessage(_)
            | Event::Timer(Timer::ConnectRetry | Timer::Hold | Timer::Keepalive) => {
                (State::Idle(state), None)
            }
        }
    }

    fn connect(&mut self, state: Connect, event: Event, env: &mut Env<'_>) -> Step {
        match event {
            Event::Stop { reason, hold, .. } => self.go_idle(reason, hold, env),
            Event::Connected(conn) => self.go_open_sent(conn, env),
            Event::Timer(Timer::ConnectRetry) => self.dial(Reason::RetryTimer, env),
            Event::ConnectFailed | Event::Closed => self.go_active(Reason::TcpFailed, env),
            // No transport, so these can only be late: nothing to do.
            Event::Start
            | Event::Open(_)
            | Event::Keepalive
            | Event::Update
            | Event::RouteRefresh
            | Event::Notification(_)
            | Event::BadMessage(_)
            | Event::Timer(Timer::Hold | Timer::Keepalive | Timer::IdleHold) => {
                (State::Connect(state), None)
            }
        }
    }

    fn active(&mut self, state: Active, event: Event, env: &mut Env<'_>) -> Step {
        match event {
            Event::Stop { reason, hold, .. } => self.go_idle(reason, hold, env),
            Event::Connected(conn) => self.go_open_sent(conn, env),
            Event::Timer(Timer::ConnectRetry) => self.dial(Reason::RetryTimer, env),
            Event::Start
            | Event::ConnectFailed
            | Event::Closed
            | Event::Open(_)
            | Event::Keepalive
            | Event::Update
            | Event::RouteRefresh
            | Event::Notification(_)
            | Event::BadMessage(_)
            | Event::Timer(Timer::Hold | Timer::Keepalive | Timer::IdleHold) => {
                (State::Active(state), None)
            }
        }
    }

    fn open_sent(&mut self, state: OpenSent, event: Event, env: &mut Env<'_>) -> Step {
        let conn = state.conn;
        match event {
            Event::Open(open) => match negotiate(&open, env.settings) {
                Ok(negotiated) => self.go_open_confirm(conn, negotiated, env),
                Err(fault) => self.refuse(conn, fault, env),
            },
            // RFC 4271 §8.2.2 (event 18): listen again.
            Event::Closed | Event::ConnectFailed => self.go_active(Reason::TcpClosed, env),
            Event::Keepalive | Event::Update | Event::RouteRefresh => {
                self.refuse(conn, fsm_error(subcode::UNEXPECTED_IN_OPEN_SENT), env)
            }
            Event::Stop { .. }
            | Event::Notification(_)
            | Event::BadMessage(_)
            | Event::Timer(Timer::Hold) => self.end(conn, event, env),
            Event::Connected(other) => {
                refuse_second(conn, other, env);
                (State::OpenSent(state), None)
            }
            Event::Start
            | Event::Timer(Timer::ConnectRetry | Timer::Keepalive | Timer::IdleHold) => {
                (State::OpenSent(state), None)
            }
        }
    }

    fn open_confirm(&mut self, state: OpenConfirm, event: Event, env: &mut Env<'_>) -> Step {
        let conn = state.conn;
        match event {
            Event::Keepalive => {
                self.heard(env.now, &state.negotiated);
                let next = Established {
                    conn,
                    negotiated: state.negotiated,
                };
                (State::Established(next), Some(Reason::KeepaliveReceived))
            }
            Event::Timer(Timer::Keepalive) => {
                self.keepalive(conn, &state.negotiated, env);
                (State::OpenConfirm(state), None)
            }
            Event::Open(_) | Event::Update | Event::RouteRefresh => {
                self.refuse(conn, fsm_error(subcode::UNEXPECTED_IN_OPEN_CONFIRM), env)
            }
            Event::Stop { .. }
            | Event::Notification(_)
            | Event::BadMessage(_)
            | Event::Closed
            | Event::ConnectFailed
            | Event::Timer(Timer::Hold) => self.end(conn, event, env),
            Event::Connected(other) => {
                refuse_second(conn, other, env);
                (State::OpenConfirm(state), None)
            }
            Event::Start | Event::Timer(Timer::ConnectRetry | Timer::IdleHold) => {
                (State::OpenConfirm(state), None)
            }
        }
    }

    fn established(&mut self, state: Established, event: Event, env: &mut Env<'_>) -> Step {
        let conn = state.conn;
        match event {
            Event::Keepalive | Event::Update | Event::RouteRefresh => {
                self.heard(env.now, &state.negotiated);
                (State::Established(state), None)
            }
            Event::Timer(Timer::Keepalive) => {
                self.keepalive(conn, &state.negotiated, env);
                (State::Established(state), None)
            }
            Event::Open(_) => self.refuse(conn, fsm_error(subcode::UNEXPECTED_IN_ESTABLISHED), env),
            Event::Stop { .. }
            | Event::Notification(_)
            | Event::BadMessage(_)
            | Event::Closed
            | Event::ConnectFailed
            | Event::Timer(Timer::Hold) => self.end(conn, event, env),
            Event::Connected(other) => {
                refuse_second(conn, other, env);
                (State::Established(state), None)
            }
            Event::Start | Event::Timer(Timer::ConnectRetry | Timer::IdleHold) => {
                (State::Established(state), None)
            }
        }
    }

    /// The endings that OpenSent, OpenConfirm and Established share.
    fn end(&mut self, conn: ConnId, event: Event, env: &mut Env<'_>) -> Step {
        match event {
            Event::Stop {
                notification,
                reason,
                hold,
            } => {
                env.end(conn, notification);
                self.go_idle(reason, hold, env)
            }
            Event::Notification(notification) => {
                env.effects.push(Effect::Close(conn));
                self.go_idle(
                    Reason::NotificationReceived(notification),
                    IdleHold::Backoff,
                    env,
                )
            }
            Event::BadMessage(fault) => self.refuse(conn, fault, env),
            Event::Timer(Timer::Hold) => {
                // RFC 4271 §6.5.
                env.end(
                    conn,
                    Notification::new(code::HOLD_TIMER_EXPIRED, 0, Vec::new()),
                );
                self.go_idle(Reason::HoldTimerExpired, IdleHold::Backoff, env)
            }
            Event::Closed
            | Event::ConnectFailed
            | Event::Start
            | Event::Connected(_)
            | Event::Open(_)
            | Event::Keepalive
            | Event::Update
            | Event::RouteRefresh
            | Event::Timer(Timer::ConnectRetry | Timer::Keepalive | Timer::IdleHold) => {
                self.go_idle(Reason::TcpClosed, IdleHold::Backoff, env)
            }
        }
    }

    fn refuse(&mut self, conn: ConnId, fault: Notification, env: &mut Env<'_>) -> Step {
        env.end(conn, fault.clone());
        self.go_idle(Reason::NotificationSent(fault), IdleHold::Backoff, env)
    }

    fn dial(&mut self, reason: Reason, env: &mut Env<'_>) -> Step {
        env.effects.push(Effect::Connect);
        self.attempts = self.attempts.saturating_add(1);
        let patience = if env.fast() {
            // After two seconds of them, every other attempt waits longer, so that a path with a
            // round trip above 200 ms can connect as well.
            let slow = self.attempts > 10 && self.attempts.is_multiple_of(2);
            if slow { FAST_RETRY * 5 } else { FAST_RETRY }
        } else {
            env.jittered(env.settings.connect_retry)
        };
        self.timers.set(Timer::ConnectRetry, env.now + patience);
        (State::Connect(Connect), Some(reason))
    }

    fn go_active(&mut self, reason: Reason, env: &mut Env<'_>) -> Step {
        self.timers.clear();
        if !env.settings.passive {
            let wait = if env.fast() {
                FAST_RETRY
            } else {
                env.jittered(env.settings.connect_retry)
            };
            self.timers.set(Timer::ConnectRetry, env.now + wait);
        }
        (State::Active(Active), Some(reason))
    }

    fn go_open_sent(&mut self, conn: ConnId, env: &mut Env<'_>) -> Step {
        self.timers.clear();
        let open = env.our_open();
        env.send(conn, Message::Open(open));
        self.timers.set(Timer::Hold, env.now + OPEN_HOLD);
        (
            State::OpenSent(OpenSent { conn }),
            Some(Reason::TcpConnected),
        )
    }

    fn go_open_confirm(&mut self, conn: ConnId, negotiated: Negotiated, env: &mut Env<'_>) -> Step {
        self.timers.clear();
        self.keepalive(conn, &negotiated, env);
        self.heard(env.now, &negotiated);
        let next = OpenConfirm {
            conn,
            negotiated: Box::new(negotiated),
        };
        (State::OpenConfirm(next), Some(Reason::OpenReceived))
    }

    fn go_idle(&mut self, reason: Reason, hold: IdleHold, env: &mut Env<'_>) -> Step {
        self.timers.clear();
        self.hold_idle(hold, env);
        (State::Idle(Idle), Some(reason))
    }

    fn hold_idle(&mut self, hold: IdleHold, env: &mut Env<'_>) {
        let wait = match hold {
            IdleHold::Forever => return,
            IdleHold::For(wait) => wait,
            IdleHold::Backoff if env.fast() => FAST_RETRY,
            IdleHold::Backoff => {
                let doubled = IDLE_HOLD.saturating_mul(1 << self.failures.min(16));
                self.failures = self.failures.saturating_add(1);
                let ceiling = env.settings.connect_retry.max(IDLE_HOLD);
                env.jittered(doubled.min(ceiling))
            }
        };
        self.timers.set(Timer::IdleHold, env.now + wait);
    }

    /// Restarts the hold timer unless the hold time is zero (RFC 4271 §8.2.2).
    fn heard(&mut self, now: Instant, negotiated: &Negotiated) {
        if negotiated.hold_time_s > 0 {
            let at = now + Duration::from_secs(negotiated.hold_time_s.into());
            self.timers.set(Timer::Hold, at);
        }
    }

    fn keepalive(&mut self, conn: ConnId, negotiated: &Negotiated, env: &mut Env<'_>) {
        env.send(conn, Message::Keepalive);
        if negotiated.keepalive_s > 0 {
            let at = env.now + Duration::from_secs(negotiated.keepalive_s.into());
            self.timers.set(Timer::Keepalive, at);
        }
    }
}

/// A session that has its connection refuses another; its own, reported twice, is left alone.
fn refuse_second(own: ConnId, other: ConnId, env: &mut Env<'_>) {
    if own != other {
        env.effects.push(Effect::Close(other));
    }
}

const fn fsm_error(sub: u8) -> Notification {
    Notification::new(code::FSM, sub, Vec::new())
}

/// Checks the peer's OPEN against the configuration (RFC 4271 §6.2) and settles the session.
fn negotiate(open: &Open, settings: &Settings) -> Result<Negotiated, Notification> {
    let fault = |sub, data| Notification::new(code::OPEN, sub, data);
    if settings.claimed_asn(open) != settings.remote_asn {
        return Err(fault(subcode::BAD_PEER_AS, Vec::new()));
    }
    // RFC 6286 §2.2: an internal peer must have another identifier.
    let internal = settings.remote_asn == settings.local_asn;
    if internal && open.router_id == settings.local_router_id {
        return Err(fault(subcode::BAD_BGP_IDENTIFIER, Vec::new()));
    }
    let families = settings.families.and(open.families());
    if families.is_empty() {
        // RFC 5492 §5: the data lists what is missed.
        let data = settings
            .families
            .iter()
            .flat_map(|f| {
                let [a, b] = f.afi().to_be_bytes();
                [1, 4, a, b, 0, 1]
            })
            .collect();
        return Err(fault(subcode::UNSUPPORTED_CAPABILITY, data));
    }
    // RFC 4271 §4.2: the smaller hold time; zero on either side is zero.
    let hold_time_s = settings.hold_time_s.min(open.hold_time_s);
    let third = hold_time_s / 3;
    let keepalive_s = settings
        .keepalive_s
        .map_or(third, |k| k.clamp(1, third.max(1)));
    Ok(Negotiated {
        hold_time_s,
        keepalive_s: if hold_time_s == 0 {
            0
        } else {
            keepalive_s.max(1)
        },
        families,
        four_octet_as: settings.four_octet_as && open.four_octet_as().is_some(),
        route_refresh: settings.route_refresh && open.route_refresh(),
        remote_router_id: open.router_id,
        remote_asn: settings.claimed_asn(open),
        remote_capabilities: open.capabilities.clone(),
    })
}
