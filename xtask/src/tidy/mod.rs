//! House rules as a test: what reviewers would otherwise have to notice.

mod dependencies;
mod links;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};

use crate::process::Outcome;

/// Folders without sources of ours.
const IGNORED: [&str; 5] = ["target", ".git", "artifacts", "corpus", "node_modules"];

/// Checks every rule and prints each breach as `path: what`.
pub(crate) fn run() -> Outcome {
    let mut files = Vec::new();
    collect(Path::new("."), &mut files);
    files.sort();
    let mut breaches = dependencies::breaches();
    breaches.extend(sources::breaches(&files));
    breaches.extend(links::breaches(&files));
    for breach in &breaches {
        println!("{breach}");
    }
    Outcome::of(
        breaches.is_empty(),
        &format!("{} breaches of house rules", breaches.len()),
    )
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if !IGNORED.iter().any(|ignored| name == *ignored) {
                collect(&path, files);
            }
        } else {
            files.push(path);
        }
    }
}
