//! What must hold against a real speaker.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use skybridge_nodes::SessionState;

use crate::namespace::run;
use crate::ours::{self, OUR_PREFIX, Ours, PEER_HOST};
use crate::peers::{self, Peer, Software};

/// A session must be there within this: connect retries of both sides, and a busy machine.
const ESTABLISH_MAX: Duration = Duration::from_secs(20);
/// What one side has announced must be seen by the other within this.
const ROUTES_MAX: Duration = Duration::from_secs(20);
/// How long a session that must not come up is watched.
const REFUSAL_WATCHED: Duration = Duration::from_secs(8);
/// BFD interval of the failure scenarios: three of it are well above this machine's hiccups.
const BFD_INTERVAL: Duration = Duration::from_millis(300);
/// Hold time of the expiry scenario, the least that can be told from a hiccup.
const HOLD_TIME_S: u16 = 9;

/// Prefixes of each side in the scenario with many: more than a socket buffer holds.
const MORE_PREFIXES: u32 = 10_000;

/// Who opens the TCP connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Opens {
    /// We do; the peer is passive.
    Us,
    /// The peer does; we are passive.
    Them,
    /// Both try; a collision may have to be resolved (RFC 4271 §6.8).
    Both,
}

/// Our speaker and a real one on one cable.
pub(crate) struct Pair {
    pub(crate) ours: Ours,
    pub(crate) peer: Peer,
}

pub(crate) struct Setup {
    pub(crate) opens: Opens,
    pub(crate) our_key: Option<&'static str>,
    pub(crate) their_key: Option<&'static str>,
    pub(crate) bfd_interval: Option<Duration>,
    pub(crate) hold_time_s: u16,
    pub(crate) more_prefixes: u32,
    /// Prefixes that the peer announces when told to.
    pub(crate) burst: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            opens: Opens::Both,
            our_key: None,
            their_key: None,
            bfd_interval: None,
            hold_time_s: 30,
            more_prefixes: 0,
            burst: 0,
        }
    }
}

/// As many of ours as the peer has of its own, elsewhere.
fn our_more_prefixes(count: u32) -> Vec<String> {
    peers::more_prefixes(count)
        .map(|prefix| prefix.replacen("100.", "11.", 1))
        .collect()
}

pub(crate) fn pair(software: Software, label: &str, setup: &Setup) -> Result<Pair> {
    let (mut peer, cable) = Peer::create(software, label)?;
    peer.start(&peers::Options {
        passive: setup.opens == Opens::Us,
        key: setup.their_key,
        bfd_interval: setup.bfd_interval,
        hold_time_s: setup.hold_time_s,
        more_prefixes: setup.more_prefixes,
        burst: setup.burst,
    })?;
    let ours = Ours::start(
        cable,
        &ours::Options {
            passive: setup.opens == Opens::Them,
            key: setup.our_key,
            bfd_interval: setup.bfd_interval,
            hold_time_s: setup.hold_time_s,
            more_prefixes: our_more_prefixes(setup.more_prefixes),
        },
    )?;
    Ok(Pair { ours, peer })
}

impl Pair {
    pub(crate) fn establish(&mut self) -> Result<()> {
        let up = |ours: &Ours| ours.session() == SessionState::Established;
        let reached = self.ours.run(ESTABLISH_MAX, up)?;
        ensure!(
            reached,
            "the session is {:?} after {ESTABLISH_MAX:?}\n{}\n    ours: {:?}",
            self.ours.session(),
            self.peer.logs(),
            self.ours.events.iter().rev().take(6).collect::<Vec<_>>()
        );
        Ok(())
    }

    /// Waits for something that only the peer can tell.
    pub(crate) fn until(
        &mut self,
        what: &str,
        holds: impl Fn(&Peer) -> Result<bool>,
    ) -> Result<()> {
        let limit = self.ours.now() + ROUTES_MAX;
        while self.ours.now() < limit {
            self.ours.run(Duration::from_millis(200), |_| false)?;
            if holds(&self.peer)? {
                return Ok(());
            }
        }
        anyhow::bail!("{what}: not within {ROUTES_MAX:?}\n{}", self.peer.logs())
    }

    fn judge_capture(&mut self) -> Result<()> {
        let path = self.peer.file("ours.pcap");
        let frames = self.ours.write_capture(&path)?;
        ensure!(frames > 10, "only {frames} frames were captured");
        nothing_malformed(&path)
    }
}

/// tshark finds no malformed packet and no error in a capture.
pub(crate) fn nothing_malformed(path: &Path) -> Result<()> {
    let filter = "_ws.malformed || _ws.expert.severity == \"Error\"";
    let found = tshark(path, &["-Y", filter])?;
    ensure!(found.is_empty(), "tshark finds errors:\n{found}");
    Ok(())
}

/// Runs tshark on a capture, with TCP and IP checksums verified.
pub(crate) fn tshark(path: &Path, arguments: &[&str]) -> Result<String> {
    run(Command::new("tshark")
        .args(["-n", "-r"])
        .arg(path)
        .args([
            "-o",
            "tcp.check_checksum:TRUE",
            "-o",
            "ip.check_checksum:TRUE",
        ])
        .args(["-o", "udp.check_checksum:TRUE"])
        .args(arguments))
}

/// Routes go both ways, the peer's kernel forwards to us, and a ping crosses both data paths.
pub(crate) fn routes_both_ways(software: Software, label: &str, opens: Opens) -> Result<()> {
    let setup = Setup {
        opens,
        ..Setup::default()
    };
    let mut pair = pair(software, label, &setup)?;
    exchange(&mut pair)?;
    pair.judge_capture()
}

fn exchange(pair: &mut Pair) -> Result<()> {
    pair.establish()?;
    let learned = pair.ours.run(ROUTES_MAX, Ours::knows_peer_prefix)?;
    ensure!(learned, "we did not learn the peer's prefix");
    pair.until("the peer shows our prefix", |peer| peer.shows(OUR_PREFIX))?;
    pair.until("the peer's kernel forwards to us", |peer| {
        peer.forwards(OUR_PREFIX)
    })?;
    ensure!(pair.ours.ping(PEER_HOST)?, "no ping crosses");
    Ok(())
}

/// With the same key on both sides everything is as without (RFC 2385 §2).
pub(crate) fn same_key(software: Software, label: &str) -> Result<()> {
    let setup = Setup {
        our_key: Some("interop-key"),
        their_key: Some("interop-key"),
        ..Setup::default()
    };
    let mut pair = pair(software, label, &setup)?;
    exchange(&mut pair)?;
    pair.judge_capture()
}

/// With another key, or with none, no connection comes about.
pub(crate) fn wrong_key(
    software: Software,
    label: &str,
    their_key: Option<&'static str>,
) -> Result<()> {
    let setup = Setup {
        our_key: Some("interop-key"),
        their_key,
        ..Setup::default()
    };
    let mut pair = pair(software, label, &setup)?;
    let beyond = |ours: &Ours| {
        matches!(
            ours.session(),
            SessionState::OpenSent | SessionState::OpenConfirm | SessionState::Established
        )
    };
    let connected = pair.ours.run(REFUSAL_WATCHED, beyond)?;
    ensure!(!connected, "the session went beyond TCP with a wrong key");
    pair.judge_capture()
}

/// BFD comes up on both sides; when the peer falls silent, it takes the session down in three
/// intervals (RFC 5880 §6.8.4).
pub(crate) fn bfd(software: Software, label: &str) -> Result<()> {
    let setup = Setup {
        bfd_interval: Some(BFD_INTERVAL),
        hold_time_s: 90,
        ..Setup::default()
    };
    let mut pair = pair(software, label, &setup)?;
    pair.establish()?;
    let up = |ours: &Ours| ours.bfd() == Some(SessionState::Up);
    ensure!(
        pair.ours.run(ESTABLISH_MAX, up)?,
        "BFD does not come up here\n{}",
        pair.peer.logs()
    );
    pair.until("BFD is up at the peer", Peer::shows_bfd_up)?;
    // Both sides have left the slow start of RFC 5880 §6.8.3.
    pair.ours.run(Duration::from_secs(3), |_| false)?;
    ensure!(
        pair.ours.session() == SessionState::Established,
        "the session fell before anything failed"
    );
    pair.peer.freeze_bfd()?;
    let since = pair.ours.now();
    pair.ours
        .run(BFD_INTERVAL * 10, |ours| ours.lost_after(since).is_some())?;
    let Some((after, reason)) = pair.ours.lost_after(since) else {
        anyhow::bail!("the session outlived ten BFD intervals");
    };
    let (least, most) = (BFD_INTERVAL, BFD_INTERVAL * 6);
    ensure!(
        after >= least && after <= most && reason.to_lowercase().contains("bfd"),
        "the session was lost after {after:?} by `{reason}`, not by BFD in {least:?} to {most:?}"
    );
    println!(
        "    {label}: lost {} ms after the peer froze ({reason})",
        after.as_millis()
    );
    pair.peer.thaw_bfd()?;
    pair.establish().context("after the peer came back")?;
    pair.judge_capture()
}

/// A peer that says nothing is dropped when the hold time is over, and not before
/// (RFC 4271 §6.5).
pub(crate) fn hold_time(software: Software, label: &str) -> Result<()> {
    let setup = Setup {
        hold_time_s: HOLD_TIME_S,
        ..Setup::default()
    };
    let mut pair = pair(software, label, &setup)?;
    pair.establish()?;
    pair.ours.run(Duration::from_secs(4), |_| false)?;
    pair.peer.freeze()?;
    let since = pair.ours.now();
    let hold = Duration::from_secs(u64::from(HOLD_TIME_S));
    pair.ours.run(hold + Duration::from_secs(3), |ours| {
        ours.lost_after(since).is_some()
    })?;
    let Some((after, reason)) = pair.ours.lost_after(since) else {
        anyhow::bail!("the session outlived its hold time");
    };
    // The last keepalive came at most a third of the hold time before the peer froze.
    let least = hold - hold / 3 - Duration::from_millis(500);
    let most = hold + Duration::from_secs(1);
    ensure!(
        after >= least && after <= most && reason.to_lowercase().contains("hold"),
        "the session was lost after {after:?} by `{reason}`, not by the hold timer"
    );
    println!(
        "    {label}: lost {} ms after the peer froze ({reason})",
        after.as_millis()
    );
    pair.peer.thaw()?;
    pair.establish().context("after the peer came back")?;
    pair.judge_capture()
}

/// When we fall silent the peer's BFD says so, and everything comes back when we do.
pub(crate) fn our_silence(software: Software, label: &str) -> Result<()> {
    let setup = Setup {
        bfd_interval: Some(BFD_INTERVAL),
        hold_time_s: 90,
        ..Setup::default()
    };
    let mut pair = pair(software, label, &setup)?;
    pair.establish()?;
    pair.until("BFD is up at the peer", Peer::shows_bfd_up)?;
    // Nobody drives our world meanwhile.
    thread::sleep(BFD_INTERVAL * 8);
    ensure!(
        !pair.peer.shows_bfd_up()?,
        "the peer has not noticed that we fell silent"
    );
    let back = |ours: &Ours| {
        ours.session() == SessionState::Established && ours.bfd() == Some(SessionState::Up)
    };
    pair.until("BFD is up again at the peer", Peer::shows_bfd_up)?;
    ensure!(
        pair.ours.run(ESTABLISH_MAX, back)?,
        "the session does not come back\n{}",
        pair.peer.logs()
    );
    pair.judge_capture()
}

/// A withdrawn prefix leaves our table and comes back; an operator's shutdown ends the session with a
/// Cease (RFC 4486 §3), and it comes back when allowed.
pub(crate) fn operator(software: Software, label: &str) -> Result<()> {
    let mut pair = pair(software, label, &Setup::default())?;
    exchange(&mut pair)?;
    pair.peer.announce(false)?;
    let gone = pair
        .ours
        .run(ROUTES_MAX, |ours| !ours.knows_peer_prefix())?;
    ensure!(gone, "the prefix was withdrawn and is still in our table");
    pair.peer.announce(true)?;
    let back = pair.ours.run(ROUTES_MAX, Ours::knows_peer_prefix)?;
    ensure!(
        back,
        "the prefix was announced again and is not in our table"
    );
    let since = pair.ours.now();
    pair.peer.administer(false)?;
    pair.ours
        .run(ROUTES_MAX, |ours| ours.lost_after(since).is_some())?;
    let Some((_, reason)) = pair.ours.lost_after(since) else {
        anyhow::bail!("the peer shut the session down and we did not notice");
    };
    println!("    {label}: {reason}");
    ensure!(
        reason.to_lowercase().contains("shutdown"),
        "the reason names no shutdown: {reason}"
    );
    pair.peer.administer(true)?;
    exchange(&mut pair)?;
    pair.judge_capture()
}

/// Tables of some size go both ways: UPDATEs that are full, a send buffer that is too small.
pub(crate) fn many_prefixes(software: Software, label: &str) -> Result<()> {
    let setup = Setup {
        more_prefixes: MORE_PREFIXES,
        ..Setup::default()
    };
    let mut pair = pair(software, label, &setup)?;
    pair.establish()?;
    let all = |ours: &Ours| ours.prefixes_accepted() == MORE_PREFIXES + 1;
    ensure!(
        pair.ours.run(ESTABLISH_MAX, all)?,
        "we have {} prefixes of {}",
        pair.ours.prefixes_accepted(),
        MORE_PREFIXES + 1
    );
    let expected = MORE_PREFIXES as usize + 1;
    pair.until("the peer has every prefix of ours", |peer| {
        Ok(peer.counts()? == expected)
    })?;
    pair.judge_capture()
}
