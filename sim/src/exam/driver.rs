//! A lab in virtual time, asked as the command line asks it.

use std::collections::BTreeMap;
use std::time::Duration;

use skybridge_base::{Instant, WallTime};
use skybridge_estate::Pace;
use skybridge_lab::document::Diagnosis;
use skybridge_lab::request::{Request, Response, StackSource, UpRequest};
use skybridge_lab::{BridgeInput, ClientId, Hosts, Lab, LabConfig, LabOutput};

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

/// A lab with its clock.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) lab: Lab,
    now: Instant,
    clients: u64,
}

impl Driver {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            lab: Lab::new(&LabConfig {
                seed,
                secret_seed: seed.wrapping_add(1),
                pace: Pace::Compressed,
                epoch: WallTime(0),
                hosts: Hosts::Internal,
                ceilings: true,
            }),
            now: Instant::ZERO,
            clients: 0,
        }
    }

    /// Brings an estate up, whatever its findings.
    pub(super) fn up(&mut self, files: BTreeMap<String, String>) {
        let source = StackSource {
            directory: "/exam".to_owned(),
            files,
            ..StackSource::default()
        };
        let answer = self.ask(Request::Up(UpRequest {
            stacks: vec![source],
            force: true,
            skip_simulation: true,
        }));
        let Response::Report(report) = answer else {
            panic!("an up is answered by a report: {answer:?}");
        };
        let bad: Vec<_> = (report.diagnostics.iter())
            .filter(|d| d.level == "error" || d.level.starts_with("rejected"))
            .collect();
        assert!(
            bad.is_empty(),
            "the examiner's own estate is at fault: {bad:#?}"
        );
    }

    pub(super) fn diagnose(&mut self, from: &str, to: &str, tcp: Option<u16>) -> Diagnosis {
        let answer = self.ask(Request::Diagnose {
            from: from.to_owned(),
            to: to.to_owned(),
            tcp,
        });
        let Response::Diagnosis(found) = answer else {
            panic!("diagnose is answered by a diagnosis: {answer:?}");
        };
        *found
    }

    pub(super) fn ask(&mut self, request: Request) -> Response {
        self.clients += 1;
        let client = ClientId(self.clients);
        self.lab.request(self.now, client, request);
        let deadline = self.now + PATIENCE;
        loop {
            while let Some(output) = self.lab.poll_output() {
                if let LabOutput::BridgeOpen { id, .. } = output {
                    self.lab.bridge(self.now, id, BridgeInput::Refused);
                } else if let LabOutput::Response {
                    client: to,
                    response,
                    last: true,
                } = output
                    && to == client
                {
                    return response;
                }
            }
            let next = self.lab.poll_timeout().expect("something is under way");
            assert!(next.at <= deadline, "no answer within four hours");
            self.now = self.now.max(next.at);
            self.lab.advance(self.now);
        }
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        self.now += time;
        self.lab.advance(self.now);
    }
}
