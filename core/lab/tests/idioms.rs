//! Directories in the manner of published ones: old spellings, look-ups, values nobody knows.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod common;

use std::path::Path;

use common::{Virtual, read};
use skybridge_lab::document::Verdict;
use skybridge_lab::request::StackArgument;

#[test]
fn a_directory_in_the_manner_of_2020_runs_unchanged() {
    let mut source = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/idioms"));
    for (name, value) in [("region", "uk-london-1"), ("bandwidth", "1000")] {
        source.arguments.push(StackArgument::Value {
            name: name.to_owned(),
            value: value.to_owned(),
        });
    }
    let mut lab = Virtual::new();
    let report = lab.up(vec![source]);
    let bad: Vec<_> = (report.diagnostics.iter())
        .filter(|d| d.level == "error" || d.level.starts_with("rejected"))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(report.sessions.len(), 4);
    for session in &report.sessions {
        assert_eq!(session.state, "Established", "{session:?}");
    }
    let rows: Vec<_> = (report.reachability.iter())
        .map(|row| (row.from.as_str(), row.to.as_str(), row.ok))
        .collect();
    assert_eq!(
        rows,
        vec![
            ("other vm", "vm", Verdict::Holds),
            ("vm", "other vm", Verdict::Holds)
        ]
    );
}
