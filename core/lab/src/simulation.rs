//! Proofs and measurements on a twin: jobs that a driver runs where they disturb nothing.

use skybridge_base::Instant;
use skybridge_verify::{Case, Pair, Proof, failover_table, prove};
use skybridge_world::{CommandLog, CutMode};

use crate::document::{
    ErrorDocument, ExpectationRow, FailoverCase, FailoverReport, FailoverRow, Mode, Verdict,
};
use crate::output::ClientId;
use crate::request::Response;

/// A simulation, self-contained.
#[derive(Debug)]
pub struct SimulationJob {
    work: Work,
}

#[derive(Debug)]
enum Work {
    Proof(Proof),
    Failover(ClientId, Box<Failover>),
}

/// What a failover table is made from.
#[derive(Debug)]
pub(crate) struct Failover {
    pub(crate) log: CommandLog,
    pub(crate) at: Instant,
    pub(crate) pair: Pair,
    pub(crate) bfd_sessions_up: u32,
}

/// What a simulation found.
#[derive(Debug)]
pub struct SimulationResult {
    pub(crate) found: Found,
}

#[derive(Debug)]
pub(crate) enum Found {
    /// A proof of an `up`.
    Proofs(Vec<ExpectationRow>),
    /// The answer to a client.
    Answer(ClientId, Box<Response>),
}

impl SimulationJob {
    pub(crate) const fn proof(proof: Proof) -> Self {
        Self {
            work: Work::Proof(proof),
        }
    }

    pub(crate) fn failover(client: ClientId, failover: Failover) -> Self {
        Self {
            work: Work::Failover(client, Box::new(failover)),
        }
    }

    /// Runs it; pure and bounded.
    #[must_use]
    pub fn run(self) -> SimulationResult {
        let found = match self.work {
            Work::Proof(proof) => Found::Proofs(prove(&proof).into_iter().map(row).collect()),
            Work::Failover(client, failover) => Found::Answer(client, Box::new(failover.run())),
        };
        SimulationResult { found }
    }
}

fn row(result: skybridge_verify::ProofResult) -> ExpectationRow {
    ExpectationRow {
        name: result.name,
        mode: Mode::Simulated,
        holds: match result.holds {
            Some(true) => Verdict::Holds,
            Some(false) => Verdict::Fails,
            None => Verdict::Unknown,
        },
        detail: result.detail,
    }
}

impl Failover {
    fn run(self) -> Response {
        let modes = [CutMode::LinkDown, CutMode::Silent, CutMode::Admin];
        match failover_table(&self.log, self.at, &self.pair, &modes) {
            Ok(cases) => Response::Failover(FailoverReport {
                from: self.pair.from.to_string(),
                to: self.pair.to.to_string(),
                bfd_sessions_up: self.bfd_sessions_up,
                rows: by_element(cases),
            }),
            Err(error) => Response::Error(ErrorDocument {
                message: format!("no twin can be made of this network: {error}"),
                help: None,
                diagnostics: Vec::new(),
            }),
        }
    }
}

/// The cases of one element stand together, in the order in which they were tried.
fn by_element(cases: Vec<Case>) -> Vec<FailoverRow> {
    let mut rows: Vec<FailoverRow> = Vec::new();
    for case in cases {
        let millis = |d: std::time::Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        let cell = FailoverCase {
            mode: case.mode.label().to_owned(),
            loss_ms: millis(case.loss),
            resolution_ms: millis(case.resolution),
            recovered: case.recovered,
            decided_by: case.timer,
        };
        match rows.last_mut() {
            Some(row) if row.element == case.label => row.cases.push(cell),
            Some(_) | None => rows.push(FailoverRow {
                element: case.label,
                class: case.class.label().to_owned(),
                cases: vec![cell],
            }),
        }
    }
    rows
}
