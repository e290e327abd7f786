//! The binary as its users meet it: exit codes, JSON on standard output, a lab in the background.
#![allow(clippy::unwrap_used, reason = "helpers of a test are part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A place of its own for control sockets; whatever runs there ends with it.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_skybridge"))
            .args(args)
            .env("XDG_RUNTIME_DIR", self.folder.path())
            .env_remove("COLUMNS")
            .output()
            .unwrap()
    }

    fn json(&self, args: &[&str]) -> (Option<i32>, Value) {
        let output = self.run(&[args, &["--output", "json"]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let value = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{error}: {text}; {:?}", output.stderr));
        (output.status.code(), value)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.run(&["down"]);
    }
}

fn example() -> String {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path: PathBuf = [manifest, Path::new("../../examples/azure-oci")]
        .iter()
        .collect();
    path.to_str().unwrap().to_owned()
}

#[test]
fn without_a_lab_every_question_says_how_to_start_one() {
    let home = Home::new();
    for args in [
        &["status"][..],
        &["show", "circuits"][..],
        &["ping", "a", "b"][..],
        &["heal"][..],
        &["down"][..],
    ] {
        let output = home.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("skybridge up DIR"), "{said}");
        assert!(output.stdout.is_empty());
    }
    let (code, document) = home.json(&["status"]);
    assert_eq!(code, Some(2));
    assert!(
        document["message"]
            .as_str()
            .unwrap()
            .contains("no lab runs")
    );
}

#[test]
fn a_directory_that_is_none_and_one_with_an_error_are_bad_input() {
    let home = Home::new();
    assert_eq!(home.run(&["up", "/nonexistent"]).status.code(), Some(2));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("main.tf"), "resource {").unwrap();
    let directory = folder.path().to_str().unwrap();
    let output = home.run(&["up", directory, "--once"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn up_once_prints_the_report_as_one_document() {
    let home = Home::new();
    let (code, report) = home.json(&["up", &example(), "--once", "--no-simulation"]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["reachability"].as_array().unwrap().len(), 4);
    assert!(report["summary"]["resources"].as_u64().unwrap() > 0);
    let status = home.run(&["status"]).status.code();
    assert_eq!(status, Some(2), "nothing stays behind");
}

#[test]
fn a_lab_in_the_background_answers_until_it_is_taken_down() {
    let home = Home::new();
    let up = home.run(&["up", &example(), "--detach", "--no-simulation"]);
    assert_eq!(up.status.code(), Some(0), "{up:?}");
    let (code, circuits) = home.json(&["show", "circuits"]);
    assert_eq!(code, Some(0));
    assert_eq!(circuits["rows"][0]["provider_state"], "Provisioned");
    let (code, again) = home.json(&["up", &example(), "--no-simulation"]);
    assert_eq!(code, Some(0));
    assert_eq!(again["summary"]["created"], 0, "nothing differs");
    assert_eq!(home.run(&["down"]).status.code(), Some(0));
    assert_eq!(home.run(&["status"]).status.code(), Some(2));
}

#[test]
fn completions_are_printed_for_every_shell() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = home.run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&output.stdout).contains("route-summary"));
    }
}
