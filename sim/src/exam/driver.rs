//! A lab in virtual time, asked as the command line asks it.

use std::collections::BTreeMap;
use std::time::Duration;

use skybridge_base::{Instant, WallTime};
use skybridge_estate::Pace;
use skybridge_lab::document::Diagnosis;
use skybridge_lab::request::{Request, Response, StackSource, UpRequest};
use skybridge_lab::{BridgeInput, ClientId, Hosts, Lab, LabConfig, LabOutput, PortNews};

use super::own::Own;

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

/// A lab with its clock.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) lab: Lab,
    /// The user's own routers, in the order of their names.
    pub(super) own: Vec<Own>,
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
            own: Vec::new(),
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
                match output {
                    LabOutput::BridgeOpen { id, .. } => {
                        self.lab.bridge(self.now, id, BridgeInput::Refused);
                    }
                    LabOutput::PortOpen { id, spec } => {
                        self.own.push(Own::new(id, &spec, self.now));
                        self.lab.port(self.now, id, PortNews::Ready);
                    }
                    LabOutput::PortChange { id, spec } => {
                        let own = self.own.iter_mut().find(|own| own.id == id);
                        own.expect("it was opened").follow(&spec);
                    }
                    LabOutput::Response {
                        client: to,
                        response,
                        last: true,
                    } if to == client => return response,
                    LabOutput::Response { .. }
                    | LabOutput::BridgeData { .. }
                    | LabOutput::BridgeFinish { .. }
                    | LabOutput::BridgeClose { .. }
                    | LabOutput::Listen { .. }
                    | LabOutput::Unlisten { .. }
                    | LabOutput::PortClose { .. }
                    | LabOutput::PortCarrier { .. }
                    | LabOutput::Enter { .. }
                    | LabOutput::Simulate(_)
                    | LabOutput::Stopped => {}
                }
            }
            assert!(self.now <= deadline, "no answer within four hours");
            self.step(deadline);
        }
    }

    /// What is due next, and the frames between the lab and the user's own routers.
    fn step(&mut self, until: Instant) {
        let own = self.own.iter().map(|own| own.world.poll_timeout());
        let due = own.chain([self.lab.poll_timeout()]).flatten();
        let next = due.map(|deadline| deadline.at).min().unwrap_or(until);
        self.now = next.min(until).max(self.now);
        loop {
            self.lab.advance(self.now);
            for own in &mut self.own {
                own.advance(self.now);
            }
            if !self.exchange() {
                return;
            }
        }
    }

    /// True when there were any.
    fn exchange(&mut self) -> bool {
        let mut frames = Vec::new();
        self.lab.give_frames(&mut frames);
        let mut moved = !frames.is_empty();
        for (id, frame) in frames {
            if let Some(own) = self.own.iter_mut().find(|own| own.id == id) {
                own.take(frame);
            }
        }
        for own in &mut self.own {
            while let Some(frame) = own.give() {
                moved = true;
                (self.lab).take_frames(self.now, own.id, &mut vec![frame]);
            }
        }
        moved
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            self.step(until);
        }
    }
}
