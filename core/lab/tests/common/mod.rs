//! A lab driven in virtual time, as the live driver drives it in real time.
#![allow(dead_code, reason = "each test file uses some of it")]
#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it wants")]
#![allow(
    clippy::disallowed_methods,
    reason = "tests read the example directory as a client would"
)]

pub(crate) mod edits;
pub(crate) mod hubs;
pub(crate) mod oci;
pub(crate) mod premises;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use skybridge_base::{Instant, WallTime};
use skybridge_estate::Pace;
use skybridge_lab::document::{Progress, Report};
use skybridge_lab::request::{Request, Response, StackSource, UpRequest};
use skybridge_lab::{BridgeInput, ClientId, Lab, LabConfig, LabOutput, PortNews};

pub(crate) struct Virtual {
    pub(crate) lab: Lab,
    pub(crate) now: Instant,
    pub(crate) progress: Vec<Progress>,
    next_client: u64,
}

impl Virtual {
    pub(crate) fn new() -> Self {
        Self::with_pace(Pace::Compressed)
    }

    pub(crate) fn with_pace(pace: Pace) -> Self {
        let config = LabConfig {
            seed: 1,
            secret_seed: 2,
            pace,
            epoch: WallTime(0),
            hosts: skybridge_lab::Hosts::Internal,
            ceilings: true,
        };
        Self {
            lab: Lab::new(&config),
            now: Instant::ZERO,
            progress: Vec::new(),
            next_client: 1,
        }
    }

    /// Asks, and lets virtual time pass until the answer is there, four hours at most.
    pub(crate) fn ask(&mut self, request: Request) -> Response {
        self.watch(request, |_, _| {})
    }

    /// Asks, and shows the lab after each step of time until the answer is there.
    pub(crate) fn watch(
        &mut self,
        request: Request,
        mut look: impl FnMut(Instant, &Lab),
    ) -> Response {
        self.watch_mut(request, |now, lab| look(now, lab))
    }

    /// As [`Virtual::watch`], for who would meddle.
    pub(crate) fn watch_mut(
        &mut self,
        request: Request,
        mut look: impl FnMut(Instant, &mut Lab),
    ) -> Response {
        let client = ClientId(self.next_client);
        self.next_client += 1;
        self.lab.request(self.now, client, request);
        let deadline = self.now + Duration::from_secs(4 * 3600);
        loop {
            look(self.now, &mut self.lab);
            while let Some(output) = self.lab.poll_output() {
                match output {
                    LabOutput::Response {
                        client: to,
                        response,
                        last,
                    } if to == client => match (response, last) {
                        (Response::Progress(progress), _) => self.progress.push(progress),
                        (response, true) => return response,
                        (_, false) => {}
                    },
                    LabOutput::Simulate(job) => {
                        let result = job.run();
                        self.lab.simulated(self.now, result);
                    }
                    LabOutput::BridgeOpen { id, .. } => {
                        self.lab.bridge(self.now, id, BridgeInput::Refused);
                    }
                    LabOutput::PortOpen { id, .. } => {
                        let none = PortNews::Failed("virtual time has no devices".to_owned());
                        self.lab.port(self.now, id, none);
                    }
                    _ => {}
                }
            }
            let next = self.lab.poll_timeout().expect("something is under way");
            assert!(next.at <= deadline, "no answer within four hours");
            self.now = self.now.max(next.at);
            self.lab.advance(self.now);
        }
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        self.now += time;
        self.lab.advance(self.now);
    }

    pub(crate) fn up(&mut self, sources: Vec<StackSource>) -> Report {
        self.up_with(UpRequest {
            stacks: sources,
            force: false,
            skip_simulation: true,
        })
    }

    pub(crate) fn up_with(&mut self, request: UpRequest) -> Report {
        match self.ask(Request::Up(request)) {
            Response::Report(report) => *report,
            other => panic!("not a report: {other:?}"),
        }
    }
}

/// A directory of text files.
pub(crate) fn read(directory: &Path) -> StackSource {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file()
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            files.insert(name, text);
        }
    }
    StackSource {
        directory: directory.display().to_string(),
        files,
        ..StackSource::default()
    }
}

/// The example of this repository.
pub(crate) fn example() -> StackSource {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/azure-oci"))
}
