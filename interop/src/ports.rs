//! FRR and BIRD on ports of every kind, on one that nobody reads, and behind a carrier that hands the customer's
//! tag on: then each has its session on a tagged sub-interface.

use std::time::{Duration, Instant as Clock};

use anyhow::{Context, Result, ensure};

use crate::attach::Attach;
use crate::edges::{Edges, Fault, SITE_ADDRESS, until};

/// Both sides of a session hear nothing.
const FAULTS: [Fault; 2] = [
    // Towards the customer it is the tag of the sub-interface that is missing.
    Fault::fails(
        "strip-tag",
        "tags",
        "control detection time expired",
        "Down",
    ),
    Fault::fails(
        "wrong-c-tag",
        "tags",
        "control detection time expired",
        "Down",
    ),
];

/// Sessions with MD5 and BFD come up through the tags of both trunks, full packets cross, and what the carrier does
/// wrong with tags ends them.
pub(crate) fn trunk(label: &str) -> Result<()> {
    let ports = [Attach::Interface, Attach::Namespace];
    let mut edges = Edges::create(label, ports, "mode = \"trunk\"")?;
    edges.start_frr()?;
    edges.start_bird()?;
    let names = edges.sub_interfaces();
    ensure!(names == ["wan.100"; 2], "sub-interfaces: {names:?}");
    edges.recover().context("at first")?;
    for fault in &FAULTS {
        edges.suffer(fault).with_context(|| edges.state(fault))?;
    }
    Ok(())
}

/// Sessions come up and full packets cross where the ports are devices that the user has made, or takes away from
/// where the lab has made them.
pub(crate) fn users_devices(label: &str) -> Result<()> {
    let mut edges = Edges::create(label, [Attach::Packet, Attach::Tap], "")?;
    edges.start_frr()?;
    edges.start_bird()?;
    edges.recover()
}

/// BFD ends the session of a device that nobody reads within this, and its queue is full by then or soon after.
const STALL_MAX: Duration = Duration::from_secs(30);

/// A device that nobody reads loses what is sent to it and nothing else: the world goes on, the other path carries
/// all traffic, and its session notices nothing.
pub(crate) fn stalled_device(label: &str) -> Result<()> {
    let mut edges = Edges::create(label, [Attach::Stallable, Attach::Namespace], "")?;
    edges.start_frr()?;
    edges.start_bird()?;
    edges.recover().context("at first")?;
    let session = || edges.birdc(&["show", "protocols", "azure_secondary"]);
    let (before, cable) = (session()?, &edges.cables[0]);
    cable.hold(true)?;
    let lost_before = lost(&edges)?;
    let bfd = || edges.lab.run(&["show", "bfd", "--output", "json"]);
    let is_down = || Ok(bfd()?.contains("\"state\": \"down\""));
    until(STALL_MAX, is_down).with_context(|| bfd().unwrap_or_default())?;
    until(STALL_MAX, || Ok(lost(&edges)? > lost_before + 2)).context("nothing is lost")?;
    let began = Clock::now();
    let words = [
        "ping",
        "app",
        SITE_ADDRESS,
        "--count",
        "100",
        "--interval",
        "10",
    ];
    let said = edges.lab.run(&words)?;
    let took = began.elapsed();
    ensure!(
        said.contains("100 received"),
        "beside a stalled device: {said}"
    );
    ensure!(took < Duration::from_secs(5), "100 echoes take {took:?}");
    let after = session()?;
    ensure!(
        after == before,
        "the other session was {before} and is {after}"
    );
    cable.hold(false)?;
    edges.recover().context("after it is read again")
}

/// Frames for attached devices that were lost there.
fn lost(edges: &Edges) -> Result<u64> {
    let all = edges.lab.run(&["show", "counters"])?;
    let rows = all
        .lines()
        .filter(|line| line.contains("device queue full"));
    let ours: u64 = rows
        .filter_map(|row| row.split_whitespace().last()?.parse::<u64>().ok())
        .sum();
    Ok(ours + edges.cables[0].dropped()?)
}
