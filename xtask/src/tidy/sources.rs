//! Rules about Rust files.

use std::fs;
use std::path::{Path, PathBuf};

/// Longest file, in lines.
const LINES_MAX: usize = 900;

/// Marks of unfinished work. Put together here, so that this file does not contain them.
const MARKERS: [&str; 7] = [
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("#[ig", "nore"),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
    concat!("// TO", "DO"),
    concat!("assert!(", "true)"),
];

/// Tests that `cargo test` leaves out and the stage of real peers runs in a namespace of their own.
const RUN_ELSEWHERE: &str = concat!("#[ig", "nore = \"needs a network namespace");

/// Folders whose every mention of an RFC should name the section.
const PROTOCOL_CRATES: [&str; 3] = ["core/bgp/src", "core/bfd/src", "core/wire/src"];

/// Mentions without a section that there are; mend some and lower the figure, never raise it.
const RFC_WITHOUT_SECTION_MAX: usize = 40;

pub(super) fn breaches(files: &[PathBuf]) -> Vec<String> {
    let mut breaches = Vec::new();
    let mut bare = Vec::new();
    for path in files {
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let Ok(text) = fs::read_to_string(path) else {
            breaches.push(format!("{}: cannot be read as text", path.display()));
            continue;
        };
        let path = path.strip_prefix(".").unwrap_or(path);
        breaches.extend(judge(path, &text));
        if PROTOCOL_CRATES
            .iter()
            .any(|folder| path.starts_with(folder))
        {
            bare.extend(rfc_without_section(path, &text));
        }
    }
    println!(
        "{} mentions of an RFC without section in protocol crates (at most {RFC_WITHOUT_SECTION_MAX})",
        bare.len()
    );
    if bare.len() > RFC_WITHOUT_SECTION_MAX {
        breaches.extend(bare);
    }
    breaches
}

fn judge(path: &Path, text: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    let shown = path.display();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        breaches.push(format!("{shown}: {lines} lines, at most {LINES_MAX}"));
    }
    for (number, line) in text.lines().enumerate() {
        for marker in MARKERS {
            if line.contains(marker) && !line.contains(RUN_ELSEWHERE) {
                breaches.push(format!("{shown}:{}: `{marker}`", number + 1));
            }
        }
    }
    let is_core_root = path.starts_with("core") && path.ends_with("src/lib.rs");
    for wanted in ["#![forbid(unsafe_code)]", "#![warn(missing_docs)]"] {
        if is_core_root && !text.contains(wanted) {
            breaches.push(format!("{shown}: a core crate says `{wanted}`"));
        }
    }
    breaches
}

/// Mentions such as `RFC 4271` that are not followed by `§`.
fn rfc_without_section(path: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        // A file's head names the standards it is about, as wholes.
        if line.starts_with("//!") {
            continue;
        }
        for (at, _) in line.match_indices("RFC ") {
            let rest = &line[at + 4..];
            let digits = rest.chars().take_while(char::is_ascii_digit).count();
            let after = rest[digits..].trim_start_matches([',', ' ']);
            // A mention that ends its line may have its section on the next.
            if digits > 0 && !after.is_empty() && !after.starts_with('§') {
                found.push(format!(
                    "{}:{}: RFC {} without section",
                    path.display(),
                    number + 1,
                    &rest[..digits]
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_with_its_line() {
        let text = format!("fn f() {{\n    {}\n}}\n", concat!("to", "do!()"));
        let breaches = judge(Path::new("io/x/src/a.rs"), &text);
        assert_eq!(breaches.len(), 1);
        assert!(breaches[0].starts_with("io/x/src/a.rs:2: "));
    }

    #[test]
    fn a_core_crate_must_forbid_unsafe_and_want_docs() {
        let path = Path::new("core/x/src/lib.rs");
        assert_eq!(judge(path, "//! X.\n").len(), 2);
        let good = "#![forbid(unsafe_code)]\n#![warn(missing_docs)]\n";
        assert!(judge(path, good).is_empty());
    }

    #[test]
    fn a_long_file_is_a_breach() {
        let path = Path::new("io/x/src/a.rs");
        assert!(judge(path, &"x\n".repeat(LINES_MAX)).is_empty());
        assert_eq!(judge(path, &"x\n".repeat(LINES_MAX + 1)).len(), 1);
    }

    #[test]
    fn only_mentions_without_section_count() {
        let text = "// RFC 4271 §6.3\n// RFC 2385: no\n// see RFC 5880\n// RFC 7606, §3\n";
        assert_eq!(rfc_without_section(Path::new("a.rs"), text).len(), 1);
    }
}
