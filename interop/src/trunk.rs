//! FRR and BIRD behind a carrier that hands the customer's tag on: each has its session on a tagged sub-interface.

use anyhow::{Context, Result, ensure};

use crate::edges::{Edges, Fault};

/// Both sides of a session hear nothing.
const FAULTS: [Fault; 2] = [
    // Towards the customer it is the tag of the sub-interface that is missing.
    Fault::fails("strip-tag", "control detection time expired", "Down"),
    Fault::fails("wrong-c-tag", "control detection time expired", "Down"),
];

/// Sessions with MD5 and BFD come up through the tags of both trunks, full packets cross, and what the carrier does
/// wrong with tags ends them.
pub(crate) fn trunk(label: &str) -> Result<()> {
    let mut edges = Edges::create(label, "mode = \"trunk\"")?;
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
