//! FRR and BIRD on ports of every kind, and behind a carrier that hands the customer's tag on: then each has its
//! session on a tagged sub-interface.

use anyhow::{Context, Result, ensure};

use crate::attach::Attach;
use crate::edges::{Edges, Fault};

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
