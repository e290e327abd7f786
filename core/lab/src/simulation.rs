//! Proofs on a twin: jobs that a driver runs where they disturb nothing.

/// A simulation, self-contained.
#[derive(Debug)]
pub struct SimulationJob {
    _private: (),
}

/// What a simulation found.
#[derive(Debug)]
pub struct SimulationResult {
    _private: (),
}

impl SimulationJob {
    /// Runs it; pure and bounded.
    #[must_use]
    pub fn run(self) -> SimulationResult {
        SimulationResult { _private: () }
    }
}
