//! A peer's up to two sessions and the collision rule between them (RFC 4271 §6.8).

use skybridge_base::{Deadline, Instant, Rng, earliest};

use super::{
    ConnId, Effect, Env, Event, IdleHold, Negotiated, Reason, Session, Settings, StateKind, Timer,
};
use crate::message::{Notification, Open, subcode};

/// Which of a peer's two sessions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// The one that we dial; it also carries the peer's timers while there is no connection.
    Out,
    /// The one that the peer opened.
    In,
}

/// The machine of one peer.
#[derive(Clone, Debug)]
pub struct PeerFsm {
    out: Session,
    inc: Option<Session>,
    /// `out` rests because `inc` is the connection in use; it goes on when `inc` ends.
    parked: bool,
    /// Idle by decision, not by backoff: connections are refused.
    refusing: bool,
    seasoned: bool,
    shown: StateKind,
    last_reason: Option<Reason>,
}

impl Default for PeerFsm {
    fn default() -> Self {
        Self {
            out: Session::default(),
            inc: None,
            parked: false,
            refusing: true,
            seasoned: false,
            shown: StateKind::Idle,
            last_reason: None,
        }
    }
}

impl PeerFsm {
    /// The state to show: the further of the two sessions.
    #[must_use]
    pub const fn state(&self) -> StateKind {
        self.shown
    }

    /// Why the peer last left Established or went back to Idle.
    #[must_use]
    pub const fn last_reason(&self) -> Option<&Reason> {
        self.last_reason.as_ref()
    }

    /// The session that has `conn`.
    #[must_use]
    pub fn slot_of(&self, conn: ConnId) -> Option<Slot> {
        if self.out.conn() == Some(conn) {
            return Some(Slot::Out);
        }
        (self.inc.as_ref()?.conn() == Some(conn)).then_some(Slot::In)
    }

    /// A session's machine.
    #[must_use]
    pub const fn session(&self, slot: Slot) -> Option<&Session> {
        match slot {
            Slot::Out => Some(&self.out),
            Slot::In => self.inc.as_ref(),
        }
    }

    /// Connection and agreement of the session that is Established.
    #[must_use]
    pub fn established(&self) -> Option<(ConnId, &Negotiated)> {
        [Some(&self.out), self.inc.as_ref()]
            .into_iter()
            .flatten()
            .find(|s| s.state() == StateKind::Established)
            .and_then(|s| Some((s.conn()?, s.negotiated()?)))
    }

    /// The earliest deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let inc = self.inc.as_ref().and_then(Session::poll_timeout);
        earliest(self.out.poll_timeout(), inc)
    }

    /// Tells the session of `conn` that messages other than KEEPALIVE went out.
    pub fn on_sent(&mut self, now: Instant, slot: Slot) {
        match slot {
            Slot::Out => self.out.on_sent(now),
            Slot::In => {
                if let Some(inc) = &mut self.inc {
                    inc.on_sent(now);
                }
            }
        }
    }

    /// Starts the peer.
    pub fn start(
        &mut self,
        now: Instant,
        settings: &Settings,
        rng: &mut Rng,
        effects: &mut Vec<Effect>,
    ) {
        self.refusing = false;
        self.handle(now, Slot::Out, Event::Start, settings, rng, effects);
    }

    /// Ends whatever there is in both sessions.
    pub fn stop(
        &mut self,
        now: Instant,
        (notification, reason, hold): (Notification, Reason, IdleHold),
        settings: &Settings,
        rng: &mut Rng,
        effects: &mut Vec<Effect>,
    ) {
        self.refusing = hold != IdleHold::Backoff;
        self.parked = false;
        let stop = |hold| Event::Stop {
            notification: notification.clone(),
            reason: reason.clone(),
            hold,
        };
        self.with_effects(now, settings, rng, effects, |peer, env| {
            if let Some(mut inc) = peer.inc.take() {
                inc.handle(stop(IdleHold::Forever), env);
            }
            peer.out.handle(stop(hold), env);
        });
    }

    /// The peer opened a connection to us.
    pub fn accepted(
        &mut self,
        now: Instant,
        conn: ConnId,
        settings: &Settings,
        rng: &mut Rng,
        effects: &mut Vec<Effect>,
    ) {
        let taken = |s: &Session| s.state() == StateKind::Established;
        if self.refusing || self.inc.as_ref().is_some_and(taken) {
            effects.push(Effect::Close(conn));
            return;
        }
        self.with_effects(now, settings, rng, effects, |peer, env| {
            // A peer dials one at a time, so a second one means that the first is dead over there.
            if let Some(mut old) = peer.inc.take() {
                old.handle(collision(), env);
            }
            let mut inc = Session::accepting();
            inc.handle(Event::Connected(conn), env);
            peer.inc = Some(inc);
        });
    }

    /// Hands an event to one session, after the collision rule for an OPEN.
    pub fn handle(
        &mut self,
        now: Instant,
        slot: Slot,
        event: Event,
        settings: &Settings,
        rng: &mut Rng,
        effects: &mut Vec<Effect>,
    ) {
        self.with_effects(now, settings, rng, effects, |peer, env| {
            let event = match event {
                Event::Open(open) => {
                    let Some(open) = peer.collide(slot, open, env) else {
                        return;
                    };
                    Event::Open(open)
                }
                Event::Start
                | Event::Stop { .. }
                | Event::Connected(_)
                | Event::ConnectFailed
                | Event::Closed
                | Event::Keepalive
                | Event::Update
                | Event::RouteRefresh
                | Event::Notification(_)
                | Event::BadMessage(_)
                | Event::Timer(_) => event,
            };
            peer.deliver(slot, event, env);
        });
    }

    /// Fires what is due in both sessions.
    pub fn handle_timeout(
        &mut self,
        now: Instant,
        settings: &Settings,
        rng: &mut Rng,
        effects: &mut Vec<Effect>,
    ) {
        for slot in [Slot::Out, Slot::In] {
            // Each timer fires once per call: one that re-arms at `now` waits for the next call.
            for _ in Timer::ALL {
                let due = match slot {
                    Slot::Out => self.out.take_due(now),
                    Slot::In => self.inc.as_mut().and_then(|s| s.take_due(now)),
                };
                let Some(timer) = due else {
                    break;
                };
                if timer == Timer::IdleHold {
                    self.refusing = false;
                }
                self.handle(now, slot, Event::Timer(timer), settings, rng, effects);
            }
        }
    }

    fn deliver(&mut self, slot: Slot, event: Event, env: &mut Env<'_>) {
        match slot {
            Slot::Out => self.out.handle(event, env),
            Slot::In => {
                if let Some(inc) = &mut self.inc {
                    inc.handle(event, env);
                }
            }
        }
    }

    /// RFC 4271 §6.8 on an OPEN in `slot`. Gives the OPEN back when that session goes on.
    fn collide(&mut self, slot: Slot, open: Open, env: &mut Env<'_>) -> Option<Open> {
        let other = match slot {
            Slot::Out => self.inc.as_ref().map(Session::state),
            Slot::In => Some(self.out.state()),
        };
        // A session that will be refused for its OPEN must not cost the other one.
        if env.settings.claimed_asn(&open) != env.settings.remote_asn {
            return Some(open);
        }
        let keep = match other {
            Some(StateKind::Established) => match slot {
                Slot::Out => Slot::In,
                Slot::In => Slot::Out,
            },
            Some(StateKind::OpenConfirm) => {
                // The one dialled by the higher identifier stays; equal ones by AS (RFC 6286 §2.3).
                let ours = (env.settings.local_router_id, env.settings.local_asn);
                if ours > (open.router_id, open.asn()) {
                    Slot::Out
                } else {
                    Slot::In
                }
            }
            Some(
                StateKind::Idle | StateKind::Connect | StateKind::Active | StateKind::OpenSent,
            )
            | None => return Some(open),
        };
        match keep {
            Slot::Out => {
                if let Some(inc) = &mut self.inc {
                    inc.handle(collision(), env);
                }
            }
            Slot::In => {
                self.out.handle(collision(), env);
                self.parked = true;
            }
        }
        (keep == slot).then_some(open)
    }

    /// Runs `work` on the sessions, tidies up, and reports the peer's state change if there is one.
    fn with_effects(
        &mut self,
        now: Instant,
        settings: &Settings,
        rng: &mut Rng,
        effects: &mut Vec<Effect>,
        work: impl FnOnce(&mut Self, &mut Env<'_>),
    ) {
        let mut own = Vec::new();
        let mut env = Env {
            now,
            settings,
            rng,
            seasoned: self.seasoned,
            effects: &mut own,
        };
        work(self, &mut env);
        let mut reason = None;
        let main: Vec<Effect> = std::mem::take(env.effects);
        self.settle(&mut env);
        for effect in main {
            match effect {
                Effect::Changed { reason: why, .. } => reason = Some(why),
                Effect::Connect | Effect::Send(..) | Effect::Close(_) => effects.push(effect),
            }
        }
        for effect in own {
            match effect {
                Effect::Changed { .. } => {}
                Effect::Connect | Effect::Send(..) | Effect::Close(_) => effects.push(effect),
            }
        }
        self.report(reason, effects);
    }

    fn report(&mut self, reason: Option<Reason>, effects: &mut Vec<Effect>) {
        let inc = self.inc.as_ref().map_or(StateKind::Idle, Session::state);
        let to = self.out.state().max(inc);
        let from = std::mem::replace(&mut self.shown, to);
        self.seasoned |= to == StateKind::Established;
        let Some(reason) = reason.filter(|_| from != to) else {
            return;
        };
        if to < from {
            self.last_reason = Some(reason.clone());
        }
        effects.push(Effect::Changed { from, to, reason });
    }

    /// Keeps the two sessions consistent after either changed.
    fn settle(&mut self, env: &mut Env<'_>) {
        let rest = StateKind::Active;
        if let Some(inc) = self.inc.take_if(|s| s.state() <= rest)
            && std::mem::take(&mut self.parked)
        {
            let hold = match inc.timer(Timer::IdleHold) {
                Some(at) => IdleHold::For(at.since(env.now)),
                None => IdleHold::Backoff,
            };
            self.out.handle(quiet_stop(hold), env);
        }
        let served = |s: &Session| s.state() == StateKind::Established;
        if self.inc.as_ref().is_some_and(served) && self.out.state() <= rest && !self.parked {
            // Nothing to dial while the peer's own connection serves.
            self.out.handle(quiet_stop(IdleHold::Forever), env);
            self.parked = true;
        }
    }
}

fn collision() -> Event {
    Event::Stop {
        notification: Notification::cease(subcode::COLLISION),
        reason: Reason::CollisionLost,
        hold: IdleHold::Forever,
    }
}

/// For a session without a connection, so that nothing is sent.
fn quiet_stop(hold: IdleHold) -> Event {
    Event::Stop {
        notification: Notification::cease(subcode::COLLISION),
        reason: Reason::CollisionLost,
        hold,
    }
}
