//! Who may depend on whom, and on how much.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Third-party dependencies a core crate may have.
const THIRD_PARTY_MAX: usize = 8;

/// Core crates with more, how many, and why.
const BUDGETS: [(&str, usize, &str); 1] = [(
    "core/hcl",
    12,
    "Terraform's functions are hashes, encodings, YAML, regular expressions and text segmentation",
)];

/// A crate of the workspace.
struct Member {
    name: String,
    /// Its folder, such as `core/wire`.
    folder: String,
    /// Names under every dependencies table, with the table.
    dependencies: Vec<(String, String)>,
}

pub(super) fn breaches() -> Vec<String> {
    let members = members();
    let layers: BTreeMap<&str, &str> = members
        .iter()
        .map(|member| (member.name.as_str(), layer(&member.folder)))
        .collect();
    members
        .iter()
        .flat_map(|member| judge(member, &layers))
        .collect()
}

fn judge(member: &Member, layers: &BTreeMap<&str, &str>) -> Vec<String> {
    let mut breaches = Vec::new();
    let own = layer(&member.folder);
    let allowed: &[&str] = match own {
        "core" => &["core"],
        "sim" => &["core", "sim"],
        "io" => &["core", "sim", "io"],
        // Tools of the house are no part of the product, and nobody builds on them.
        _ => &["core", "sim", "io", own],
    };
    let mut third_party = 0;
    for (table, name) in &member.dependencies {
        match layers.get(name.as_str()) {
            Some(layer) if !allowed.contains(layer) => breaches.push(format!(
                "{}/Cargo.toml: {own} must not depend on {layer} ({name})",
                member.folder
            )),
            None if !table.contains("dev-") => third_party += 1,
            Some(_) | None => {}
        }
    }
    let budget = BUDGETS
        .iter()
        .find(|(folder, _, _)| *folder == member.folder);
    let most = budget.map_or(THIRD_PARTY_MAX, |(_, most, _)| *most);
    if own == "core" && third_party > most {
        let why = budget.map_or("in core", |(_, _, why)| *why);
        breaches.push(format!(
            "{}/Cargo.toml: {third_party} third-party dependencies, at most {most} ({why})",
            member.folder
        ));
    }
    breaches
}

/// The first folder: `core`, `io`, `sim`, `xtask`, `interop`, `bench`, `fuzz`.
fn layer(folder: &str) -> &str {
    folder.split('/').next().unwrap_or(folder)
}

fn members() -> Vec<Member> {
    let mut folders = Vec::new();
    for group in ["core", "io"] {
        if let Ok(entries) = fs::read_dir(group) {
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                folders.push(format!("{group}/{name}"));
            }
        }
    }
    folders.extend(["sim", "xtask", "interop", "bench", "fuzz/inputs"].map(str::to_owned));
    folders.sort();
    folders.into_iter().filter_map(read).collect()
}

fn read(folder: String) -> Option<Member> {
    let manifest = fs::read_to_string(Path::new(&folder).join("Cargo.toml")).ok()?;
    let (name, dependencies) = parse(&manifest);
    Some(Member {
        name,
        folder,
        dependencies,
    })
}

/// The package's name, and (table, dependency) for every dependency: enough of TOML for manifests
/// written one dependency to a line, which is how ours are.
fn parse(manifest: &str) -> (String, Vec<(String, String)>) {
    let mut table = String::new();
    let mut name = String::new();
    let mut dependencies = Vec::new();
    for line in manifest.lines() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_end_matches(']').to_owned();
        } else if let Some((key, value)) = line.split_once('=') {
            let key = key.trim().trim_matches('"');
            if table == "package" && key == "name" {
                value.trim().trim_matches('"').clone_into(&mut name);
            } else if table.ends_with("dependencies") {
                let key = key.split('.').next().unwrap_or(key);
                dependencies.push((table.clone(), key.to_owned()));
            }
        }
    }
    (name, dependencies)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(folder: &str, dependencies: &[(&str, &str)]) -> Member {
        Member {
            name: folder.replace('/', "-"),
            folder: folder.to_owned(),
            dependencies: dependencies
                .iter()
                .map(|(table, name)| ((*table).to_owned(), (*name).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn core_on_io_is_a_breach_and_io_on_core_is_none() {
        let layers = BTreeMap::from([("a", "core"), ("b", "io")]);
        let core = member("core/x", &[("dependencies", "b")]);
        assert_eq!(judge(&core, &layers).len(), 1);
        let io = member("io/x", &[("dependencies", "a")]);
        assert!(judge(&io, &layers).is_empty());
    }

    #[test]
    fn the_budget_counts_required_third_parties_only() {
        let names: Vec<String> = (0..9).map(|n| format!("p{n}")).collect();
        let all = |table: &'static str| -> Vec<(&str, &str)> {
            names.iter().map(|n| (table, n.as_str())).collect()
        };
        let layers = BTreeMap::new();
        assert_eq!(
            judge(&member("core/x", &all("dependencies")), &layers).len(),
            1
        );
        assert!(judge(&member("core/x", &all("dev-dependencies")), &layers).is_empty());
    }

    #[test]
    fn manifests_are_read_line_by_line() {
        let text = "[package]\nname = \"n\"\n[dependencies]\na = { workspace = true }\n\
                    [target.'cfg(unix)'.dependencies]\nb.workspace = true\n";
        let (name, dependencies) = parse(text);
        assert_eq!(name, "n");
        let names: Vec<&str> = dependencies.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
