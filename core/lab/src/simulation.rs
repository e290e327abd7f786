//! Proofs on a twin: jobs that a driver runs where they disturb nothing.

use skybridge_verify::{Proof, prove};

use crate::document::{ExpectationRow, Mode, Verdict};

/// A simulation, self-contained.
#[derive(Debug)]
pub struct SimulationJob {
    proof: Proof,
}

/// What a simulation found.
#[derive(Debug)]
pub struct SimulationResult {
    pub(crate) rows: Vec<ExpectationRow>,
}

impl SimulationJob {
    pub(crate) const fn new(proof: Proof) -> Self {
        Self { proof }
    }

    /// Runs it; pure and bounded.
    #[must_use]
    pub fn run(self) -> SimulationResult {
        let rows = prove(&self.proof)
            .into_iter()
            .map(|result| ExpectationRow {
                name: result.name,
                mode: Mode::Simulated,
                holds: match result.holds {
                    Some(true) => Verdict::Holds,
                    Some(false) => Verdict::Fails,
                    None => Verdict::Unknown,
                },
                detail: result.detail,
            })
            .collect();
        SimulationResult { rows }
    }
}
