//! A full table arrives, goes and comes back at once, and nobody's BFD notices.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant as Clock};

use anyhow::{Context, Result, ensure};
use rustix::thread::gettid;
use skybridge_nodes::{NodeEvent, SessionState};

use crate::namespace::run;
use crate::ours::Ours;
use crate::peers::{Peer, Software};
use crate::scenarios::{Pair, Setup, pair};

/// Prefixes of the burst.
const PREFIXES: u32 = 100_000;
/// BFD interval; the multiplier is 3.
const BFD_INTERVAL: Duration = Duration::from_millis(100);
/// A peer with a large configuration takes its time to start.
const START_MAX: Duration = Duration::from_secs(60);
/// A machine that is busy with other things may take the processor away for longer than the clock bears.
const ATTEMPTS_MAX: u32 = 4;
/// Each way of the burst must be over within this.
const BURST_MAX: Duration = Duration::from_secs(60);

/// The peer announces 100,000 prefixes on an established session and withdraws them, twice. BFD of 100 ms times 3 stays up on both sides all the while, and our clock does not slip.
pub(crate) fn burst(software: Software, label: &str) -> Result<()> {
    let setup = Setup {
        bfd_interval: Some(BFD_INTERVAL),
        hold_time_s: 90,
        burst: PREFIXES,
        ..Setup::default()
    };
    let mut pair = pair(software, label, &setup)?;
    let steady = |ours: &Ours| {
        ours.session() == SessionState::Established && ours.bfd() == Some(SessionState::Up)
    };
    ensure!(
        pair.ours.run(START_MAX, steady)?,
        "session and BFD do not come up\n{}",
        pair.peer.logs()
    );
    pair.until("BFD is up at the peer", Peer::shows_bfd_up)?;
    // Both sides have left the slow start of RFC 5880 §6.8.3.
    pair.ours.run(Duration::from_secs(3), |_| false)?;
    let _preferred = Preferred::ask();
    for attempt in 1.. {
        let punctual = there_and_back(&mut pair, label)?;
        if punctual || attempt == ATTEMPTS_MAX {
            ensure!(punctual, "the clock slipped at each of {attempt} attempts");
            break;
        }
    }
    Ok(())
}

/// All prefixes come, go and come, and go again, and nothing breaks. True when our clock did not slip.
fn there_and_back(pair: &mut Pair, label: &str) -> Result<bool> {
    let failures = pair.peer.bfd_failures()?;
    pair.ours.run(Duration::from_millis(500), |_| false)?;
    pair.ours.slips = (0, Duration::ZERO);
    pair.ours.events.clear();
    let waited = waited_for_the_processor()?;
    for is_announced in [true, false, true, false] {
        let took = one_way(pair, is_announced)?;
        let what = if is_announced { "came" } else { "went" };
        println!(
            "    {label}: {PREFIXES} prefixes {what} in {} ms",
            took.as_millis()
        );
    }
    let waited = waited_for_the_processor()?.saturating_sub(waited);
    let lost = pair.ours.events.iter().find(|(_, event)| {
        matches!(
            event,
            NodeEvent::Bfd { up: false, .. } | NodeEvent::Bgp { .. }
        )
    });
    ensure!(lost.is_none(), "the burst broke something: {lost:?}");
    let (count, total) = pair.ours.slips;
    println!(
        "    {label}: {count} clock slips, {total:?} in all; waited {waited:?} for a processor"
    );
    ensure!(
        pair.peer.bfd_failures()? == failures,
        "the peer's BFD failed during the burst\n{}",
        pair.peer.logs()
    );
    Ok(count == 0)
}

/// Lets the peer announce or withdraw everything, and drives our side until every prefix has come or
/// gone.
fn one_way(pair: &mut Pair, is_announced: bool) -> Result<Duration> {
    let (ours, peer) = (&mut pair.ours, &pair.peer);
    let began = Clock::now();
    let (mut looked_at, mut changed) = (ours.events.len(), 0);
    let all = thread::scope(|scope| {
        // The peer's control socket answers when everything is on its way: our side runs meanwhile.
        let told = scope.spawn(|| peer.release(is_announced));
        let all = ours.run(BURST_MAX, |ours| {
            let new = &ours.events[looked_at..];
            looked_at = ours.events.len();
            let is_right = |event: &NodeEvent| {
                matches!(event, NodeEvent::Route { next_hops, .. } if next_hops.is_empty() != is_announced)
            };
            changed += new.iter().filter(|(_, event)| is_right(event)).count();
            changed >= PREFIXES as usize
        });
        told.join().expect("the peer's operator does not panic")?;
        all
    })?;
    ensure!(
        all,
        "{changed} of {PREFIXES} prefixes within {BURST_MAX:?}\n{}",
        peer.logs()
    );
    Ok(began.elapsed())
}

/// A thread that has a processor when it needs one, whatever else this machine does: the scenario asks what
/// our side can keep up with, not how busy the machine is.
struct Preferred(String);

impl Preferred {
    /// Where the system refuses, the thread takes its turn as any other.
    fn ask() -> Self {
        let thread = gettid().as_raw_nonzero().to_string();
        // What the thread starts is not preferred: the peer's programs least of all.
        run(Command::new("chrt").args(["--reset-on-fork", "--fifo", "--pid", "1", &thread])).ok();
        Self(thread)
    }
}

impl Drop for Preferred {
    fn drop(&mut self) {
        run(Command::new("chrt").args(["--other", "--pid", "0", &self.0])).ok();
    }
}

/// How long this thread could have run and did not, since it began.
fn waited_for_the_processor() -> Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").context("read schedstat")?;
    let nanos = text.split_whitespace().nth(1).context("a second figure")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}
