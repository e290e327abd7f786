//! One cut on one twin.

use std::time::Duration;

use skybridge_base::Instant;
use skybridge_world::{CutMode, Element, ReplayError};

use crate::probe::{Fate, PROBE_INTERVAL, Prober, Target};
use crate::timer::Watch;
use crate::twin::{Source, Twin};

/// Virtual time that a case takes at most; more than the longest hold time in use (180 s).
pub const CASE_TIME_MAX: Duration = Duration::from_secs(200);

/// Nothing is lost and nothing changes for this long: traffic has recovered.
const HEALTHY_AFTER: Duration = Duration::from_secs(1);

/// The sessions are as expected and nothing changes for this long: what is lost stays lost. Longer than
/// any neighbour resolution or route advertisement takes.
const STEADY_AFTER: Duration = Duration::from_secs(5);

/// Intervals of the probes by the time since something changed.
const PACE: [(Duration, Duration); 2] = [
    (Duration::from_millis(300), PROBE_INTERVAL),
    (Duration::from_secs(3), Duration::from_millis(50)),
];

/// The interval when nothing has changed for longer.
const SLOW_INTERVAL: Duration = Duration::from_millis(250);

/// Rounds of probes before anything is cut.
const WARM_ROUNDS: usize = 3;

/// What a cut did to each target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Trial {
    /// In the order of the targets.
    pub(crate) fates: Vec<Fate>,
    /// What decided each of them.
    pub(crate) timers: Vec<String>,
}

/// How the targets fare before anything is cut.
///
/// # Errors
/// When the log cannot be replayed.
pub(crate) fn baseline(source: &Source, targets: &[Target]) -> Result<Vec<Fate>, ReplayError> {
    let mut twin = source.twin()?;
    let mut prober = Prober::new(targets);
    let mut watch = Watch::default();
    // The first packets resolve neighbours; they do not count.
    warm(&mut twin, &mut prober);
    prober.begin();
    for _ in 0..WARM_ROUNDS {
        prober.send_round(&mut twin.world, Duration::ZERO);
        advance(&mut twin, &mut prober, &mut watch);
    }
    finish(&mut twin, &mut prober, &mut watch);
    let end = twin.world.now();
    Ok((0..targets.len()).map(|at| prober.fate(at, end)).collect())
}

/// Cuts `elements` at once and watches the targets until everything has settled. `None` when an
/// element cannot fail in this mode.
///
/// # Errors
/// When the log cannot be replayed.
pub(crate) fn run(
    source: &Source,
    targets: &[Target],
    elements: &[Element],
    mode: &CutMode,
) -> Result<Option<Trial>, ReplayError> {
    let mut twin = source.twin()?;
    let mut prober = Prober::new(targets);
    let mut watch = Watch::default();
    warm(&mut twin, &mut prober);
    prober.begin();
    if !twin.cut(elements, mode) {
        return Ok(None);
    }
    let cut_at = twin.world.now();
    let mut changed_at = cut_at;
    let mut next_round_at = cut_at;
    while twin.world.now().since(cut_at) < CASE_TIME_MAX {
        let now = twin.world.now();
        if now >= next_round_at {
            let interval = interval(now.since(changed_at)) * prober.stretch();
            prober.send_round(&mut twin.world, interval);
            next_round_at = now + interval;
        }
        if advance(&mut twin, &mut prober, &mut watch) {
            changed_at = twin.world.now();
            next_round_at = next_round_at.min(changed_at);
        }
        if is_over(&twin, &prober, changed_at) {
            break;
        }
    }
    let end = twin.world.now();
    let fates: Vec<Fate> = (0..targets.len()).map(|at| prober.fate(at, end)).collect();
    let timers = fates.iter().map(|fate| decided(&watch, fate)).collect();
    Ok(Some(Trial { fates, timers }))
}

fn interval(since_change: Duration) -> Duration {
    let step = PACE.iter().find(|(until, _)| since_change < *until);
    step.map_or(SLOW_INTERVAL, |(_, interval)| *interval)
}

fn is_over(twin: &Twin, prober: &Prober<'_>, changed_at: Instant) -> bool {
    let now = twin.world.now();
    if !twin.is_settled() {
        return false;
    }
    // Probes that are too young to have been given up say nothing yet.
    let quiet = |time: Duration| {
        let since = now
            .since(Instant::ZERO)
            .saturating_sub(time * prober.stretch());
        let since = Instant::ZERO + since;
        (changed_at <= since).then_some(since)
    };
    let healthy = quiet(HEALTHY_AFTER + prober.patience());
    let steady = quiet(STEADY_AFTER + prober.patience());
    healthy.is_some_and(|since| prober.is_healthy_since(since))
        || steady.is_some_and(|since| prober.is_steady_since(since))
}

fn decided(watch: &Watch, fate: &Fate) -> String {
    match fate.recovered_at {
        None => "never recovered".to_owned(),
        Some(_) if fate.loss == Duration::ZERO => "no loss".to_owned(),
        Some(at) => watch
            .decided(at)
            .unwrap_or("neighbour resolution")
            .to_owned(),
    }
}

/// Lets a little time pass. True when something happened that may change where packets go.
fn advance(twin: &mut Twin, prober: &mut Prober<'_>, watch: &mut Watch) -> bool {
    let next = twin.world.now() + PROBE_INTERVAL;
    twin.world.run_until(next);
    let mut changed = false;
    while let Some(event) = twin.world.poll_event() {
        if !prober.follow(&mut twin.world, &event) {
            watch.follow(twin, &event);
            changed |= twin.follow(&event);
        }
    }
    changed
}

/// Sends a round and waits for it.
fn warm(twin: &mut Twin, prober: &mut Prober<'_>) {
    prober.send_round(&mut twin.world, Duration::ZERO);
    finish(twin, prober, &mut Watch::default());
}

/// Waits until every probe is answered or given up.
fn finish(twin: &mut Twin, prober: &mut Prober<'_>, watch: &mut Watch) {
    let end = twin.world.now() + prober.patience() + PROBE_INTERVAL;
    while !prober.is_idle() && twin.world.now() < end {
        advance(twin, prober, watch);
    }
}
