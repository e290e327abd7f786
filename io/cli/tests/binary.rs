//! The binary as its users meet it: exit codes, JSON on standard output, a lab in the background.
#![allow(clippy::unwrap_used, reason = "helpers of a test are part of it")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

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

    fn start(&self, args: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_skybridge"))
            .args(args)
            .env("XDG_RUNTIME_DIR", self.folder.path())
            .env_remove("COLUMNS")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
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
fn a_directory_that_is_not_there_is_refused_with_what_can_be_named() {
    let home = Home::new();
    let empty = home.folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    for command in ["up", "plan"] {
        for (directory, why) in [
            (Path::new("nowhere"), "nowhere is not a directory"),
            (empty.as_path(), "has no Terraform files"),
        ] {
            let output = home.run(&[command, directory.to_str().unwrap()]);
            assert_eq!(output.status.code(), Some(2), "{command}");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains(why), "{said}");
            assert!(said.contains("help: name a directory with *.tf"), "{said}");
        }
    }
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

/// Every example that needs nothing but this binary, with its proofs.
#[test]
fn the_examples_hold() {
    let home = Home::new();
    for name in ["azure-oci", "site-to-azure", "site-azure-oci"] {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../examples")
            .join(name);
        let directory = directory.to_str().unwrap();
        let (code, report) = home.json(&["up", directory, "--once"]);
        assert_eq!(code, Some(0), "{name}: {report:#}");
        assert!(!report["expectations"].as_array().unwrap().is_empty());
    }
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

/// Sends a signal to a process of this test.
fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args([name, &pid]).status().unwrap();
    assert!(sent.success());
}

/// Real time is what this one is about: BFD would expire after 0.9 s, hold timers after some more.
#[test]
fn a_suspended_lab_slips_and_says_so_and_no_session_notices() {
    let home = Home::new();
    let mut lab = home.start(&["up", &example(), "--no-simulation"]);
    let mut lines = BufReader::new(lab.stdout.take().unwrap()).lines();
    // The report is printed when everything is up.
    assert!(lines.any(|line| line.unwrap().contains("Network up after")));
    let sessions = || home.json(&["show", "bfd"]).1["rows"].clone();
    let bgp = || home.json(&["show", "bgp"]).1["rows"].clone();
    let (before, before_bgp) = (sessions(), bgp());
    assert!(!before.as_array().unwrap().is_empty());
    let (_, status) = home.json(&["status"]);
    let slips = status["summary"]["clock_slips"].as_u64().unwrap();
    let slipped = status["summary"]["clock_slipped_ms"].as_u64().unwrap();
    // A ping is under way meanwhile.
    let measured = ["ping", "app-0", "db", "--count", "12", "--interval", "100"];
    let ping = home.start(&[&measured[..], &["--output", "json"]].concat());
    std::thread::sleep(Duration::from_millis(300));
    signal(&lab, "-STOP");
    std::thread::sleep(Duration::from_millis(2500));
    signal(&lab, "-CONT");
    let ping = ping.wait_with_output().unwrap();
    let ping: Value = serde_json::from_slice(&ping.stdout).unwrap();
    assert_eq!(ping["received"], 12, "{ping:#}");
    assert!(ping["clock_slips"].as_u64().unwrap() >= 1, "{ping:#}");
    let (_, status) = home.json(&["status"]);
    let summary = &status["summary"];
    assert!(
        summary["clock_slips"].as_u64().unwrap() > slips,
        "{summary}"
    );
    let more = summary["clock_slipped_ms"].as_u64().unwrap() - slipped;
    // Between two of its timers the world waits for nobody.
    assert!((1500..4000).contains(&more), "slipped {more} ms");
    assert_eq!(sessions(), before);
    assert_eq!(ageless(bgp()), ageless(before_bgp));
    signal(&lab, "-TERM");
    lab.wait().unwrap();
}

/// Each session with its state and what last ended it.
fn ageless(mut rows: Value) -> Value {
    for row in rows.as_array_mut().unwrap() {
        row.as_object_mut().unwrap().remove("uptime");
    }
    rows
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
