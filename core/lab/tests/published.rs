//! A published directory that we did not write, unmodified. It is no part of this repository: the test
//! runs where `SKYBRIDGE_CORPUS` names a checkout of `oracle-quickstart/oci-azure-interconnect`.
#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(clippy::disallowed_methods, reason = "the corpus is outside the repository")]

mod common;

use std::path::PathBuf;

use common::{Virtual, read};
use skybridge_lab::document::Verdict;

#[test]
fn the_new_environment_of_the_oracle_quickstart_runs() {
    let Ok(corpus) = std::env::var("SKYBRIDGE_CORPUS") else {
        println!("skipped: needs SKYBRIDGE_CORPUS");
        return;
    };
    let mut source = read(&PathBuf::from(corpus).join("new-environment"));
    for (name, value) in [
        ("region", "us-ashburn-1"),
        ("azure_region", "East US"),
        ("peering_location", "Washington DC"),
        ("bandwidth", "1000"),
    ] {
        source.vars.push((name.to_owned(), value.to_owned()));
    }
    let mut lab = Virtual::new();
    let report = lab.up(vec![source]);
    let bad: Vec<_> = (report.diagnostics.iter())
        .filter(|d| d.level == "error" || d.level.starts_with("rejected"))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(report.sessions.len(), 4, "{:#?}", report.sessions);
    assert!(report.sessions.iter().all(|s| s.state == "Established"));
    assert!(report.reachability.len() >= 2);
    for row in &report.reachability {
        assert_eq!(row.ok, Verdict::Holds, "{row:?}");
    }
    println!("{report:#?}");
}
