//! An `up`, a `down` or a `status` on its way: stacks applied one after the other, then the checks, then
//! the proofs on a twin.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use skybridge_base::{Deadline, Instant};
use skybridge_terraform::Apply;

use crate::checks::Checks;
use crate::document::Diagnostic;
use crate::output::ClientId;
use crate::preparation::Prepared;
use crate::run::Run;

/// How long the checks wait for sessions to come up after everything is applied.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// How long they wait when nothing was applied: what is down is down.
pub(crate) const PATIENCE_AT_REST: Duration = Duration::from_millis(300);

/// What a job does for one stack.
#[derive(Debug)]
pub(crate) enum Step {
    /// Apply.
    Apply(Box<Prepared>),
    /// Destroy the stack in this directory.
    Destroy(String),
}

/// Where a job is.
#[derive(Debug)]
pub(crate) enum Stage {
    /// A stack is being applied or destroyed.
    Running { step: Step, run: Box<Run> },
    /// Live checks.
    Checking(Checks),
    /// Waiting for the twin.
    Simulating,
    /// Waiting for the driver's devices.
    Plugging,
    /// The next thing is to be chosen.
    Between,
}

/// A request that takes time.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) client: ClientId,
    pub(crate) started: Instant,
    pub(crate) steps: VecDeque<Step>,
    pub(crate) stage: Stage,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) counts: [u32; 3],
    pub(crate) simulate: bool,
    pub(crate) was_checked: bool,
    pub(crate) network_up_at: Option<Instant>,
    pub(crate) checked_at: Option<Instant>,
    /// End the process afterwards.
    pub(crate) stop: bool,
    /// A `down`: nothing is checked.
    pub(crate) is_down: bool,
    /// What a client is told in the place of the report when all went well.
    pub(crate) done: Option<String>,
}

impl Job {
    pub(crate) fn new(client: ClientId, now: Instant, steps: VecDeque<Step>) -> Self {
        Self {
            client,
            started: now,
            steps,
            stage: Stage::Between,
            diagnostics: Vec::new(),
            counts: [0; 3],
            simulate: true,
            was_checked: false,
            network_up_at: None,
            checked_at: None,
            stop: false,
            is_down: false,
            done: None,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        match &self.stage {
            Stage::Checking(checks) => checks.poll_timeout(),
            Stage::Running { .. } | Stage::Simulating | Stage::Plugging | Stage::Between => None,
        }
    }
}

/// The apply machine of a step.
pub(crate) fn apply_for(step: &Step, prior: skybridge_terraform::StackState) -> Apply {
    match step {
        Step::Apply(prepared) => Apply::new(Arc::clone(&prepared.stack), prior),
        Step::Destroy(_) => Apply::destroy(prior),
    }
}
