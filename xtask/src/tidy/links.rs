//! Links between our documents.

use std::fs;
use std::path::{Path, PathBuf};

pub(super) fn breaches(files: &[PathBuf]) -> Vec<String> {
    let mut breaches = Vec::new();
    for path in files {
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let Ok(text) = fs::read_to_string(path) else {
            continue;
        };
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        for target in targets(&text) {
            if !folder.join(target).exists() {
                let shown = path.strip_prefix(".").unwrap_or(path);
                breaches.push(format!("{}: dead link to {target}", shown.display()));
            }
        }
    }
    breaches
}

/// What a document links to inside the repository, without anchors.
fn targets(text: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            let Some(end) = rest.find([')', ' ']) else {
                continue;
            };
            let target = rest[..end].split('#').next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                targets.push(target);
            }
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_into_the_repository_are_followed() {
        let text = "[a](docs/a.md#part) [b](https://example.com) [c](#here)\n```\n[d](e)\n```\n";
        assert_eq!(targets(text), ["docs/a.md"]);
    }
}
