//! Every kept input through its target.

use std::fs;
use std::path::{Path, PathBuf};

use skybridge_fuzz_inputs::TARGETS;

fn corpus(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../corpus")
        .join(name);
    let entries = fs::read_dir(folder).expect("each target has a corpus");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    paths.sort();
    paths
}

#[test]
fn every_target_takes_every_input_of_its_corpus() {
    for (name, target) in TARGETS {
        let paths = corpus(name);
        assert!(!paths.is_empty(), "{name} has an empty corpus");
        for path in paths {
            let data = fs::read(&path).unwrap();
            // Captured by the test harness, shown when it panics.
            println!("{}", path.display());
            target(&data);
            // What a peer cut off, and what the line damaged.
            for end in (0..data.len()).step_by(data.len() / 16 + 1) {
                target(&data[..end]);
            }
            for at in (0..data.len()).step_by(data.len() / 16 + 1) {
                let mut damaged = data.clone();
                damaged[at] ^= 0xff;
                target(&damaged);
            }
        }
    }
}

/// What is recorded of Terraform, whole, cut off and damaged.
#[test]
fn recorded_directories_and_documents_are_taken_in_any_state() {
    let recorded =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../core/terraform/tests/recorded");
    for (folder, target) in [
        ("stacks", skybridge_fuzz_inputs::stack as fn(&[u8])),
        ("documents", skybridge_fuzz_inputs::document),
    ] {
        let entries = fs::read_dir(recorded.join(folder)).expect("it was recorded");
        let paths = entries.map(|entry| entry.unwrap().path());
        for path in paths.filter(|p| folder == "documents" || p.extension() == Some("txt".as_ref()))
        {
            let data = fs::read(&path).unwrap();
            println!("{}", path.display());
            target(&data);
            let step = data.len() / 6 + 1;
            for at in (0..data.len()).step_by(step) {
                target(&data[..at]);
                let mut damaged = data.clone();
                damaged[at] = b'}';
                target(&damaged);
            }
        }
    }
}

#[test]
fn every_target_takes_nothing() {
    for (_, target) in TARGETS {
        target(&[]);
    }
}
