//! Golden texts of plans and outputs, of directories that are really planned. `INSTA_UPDATE=always cargo test -p
//! skybridge` rewrites them.
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it wants")]

use std::collections::BTreeMap;

use skybridge_base::{Instant, WallTime};
use skybridge_estate::Pace;
use skybridge_lab::request::{Request, Response, StackSource, UpRequest};
use skybridge_lab::{ClientId, Hosts, Lab, LabConfig, LabOutput};

use super::*;

const SCREEN: Screen = Screen {
    width: 80,
    colour: false,
};

const BEFORE: &str = include_str!("plan_tests/before.tf");
const AFTER: &str = include_str!("plan_tests/after.tf");

struct Session {
    lab: Lab,
    now: Instant,
}

impl Session {
    fn new() -> Self {
        let lab = Lab::new(&LabConfig {
            seed: 1,
            secret_seed: 2,
            pace: Pace::Compressed,
            epoch: WallTime(0),
            hosts: Hosts::Internal,
            ceilings: true,
        });
        let now = Instant::ZERO;
        Self { lab, now }
    }

    fn ask(&mut self, request: Request) -> Response {
        self.lab.request(self.now, ClientId(1), request);
        for _ in 0..100_000 {
            while let Some(output) = self.lab.poll_output() {
                match output {
                    LabOutput::Response {
                        response,
                        last: true,
                        ..
                    } => return response,
                    LabOutput::Simulate(job) => {
                        let result = job.run();
                        self.lab.simulated(self.now, result);
                    }
                    _ => {}
                }
            }
            let next = self.lab.poll_timeout().expect("something is under way");
            self.now = self.now.max(next.at);
            self.lab.advance(self.now);
        }
        panic!("no answer");
    }

    fn up(&mut self, text: &str) {
        let response = self.ask(Request::Up(of(text)));
        let Response::Report(report) = response else {
            panic!("not a report: {response:?}");
        };
        let mut errors = report.diagnostics.iter().filter(|d| d.level == "error");
        assert!(errors.next().is_none(), "{:#?}", report.diagnostics);
    }

    fn golden(&mut self, name: &str, request: Request) {
        let response = self.ask(request);
        let text = text(&response, &SCREEN, &Sources::default());
        for line in text.lines() {
            assert_eq!(line, line.trim_end(), "blanks at the end");
        }
        insta::assert_snapshot!(name, text);
    }
}

fn of(text: &str) -> UpRequest {
    UpRequest {
        stacks: vec![StackSource {
            directory: "/stack".to_owned(),
            files: BTreeMap::from([("main.tf".to_owned(), text.to_owned())]),
            ..StackSource::default()
        }],
        force: false,
        skip_simulation: true,
    }
}

#[test]
fn a_first_plan_creates_everything() {
    Session::new().golden("plan-create", Request::Plan(of(BEFORE)));
}

#[test]
fn a_plan_of_changes_shows_what_changes_and_no_more() {
    let mut session = Session::new();
    session.up(BEFORE);
    session.golden("plan-changes", Request::Plan(of(AFTER)));
    session.golden("plan-nothing", Request::Plan(of(BEFORE)));
    let outputs = format!("{BEFORE}\noutput \"more\" {{\n  value = [1, {{ a = 2 }}]\n}}\n");
    session.golden("plan-outputs", Request::Plan(of(&outputs)));
    session.golden("plan-destroy", Request::Plan(of("locals {}\n")));
}

#[test]
fn outputs_are_written_as_a_variables_file_takes_them() {
    let mut session = Session::new();
    session.up(BEFORE);
    let directory = "/stack".to_owned();
    session.golden("outputs", Request::Outputs { directory });
}
