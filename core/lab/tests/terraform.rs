//! Whole directories as Terraform itself plans and applies them (`core/terraform/tests/recorded/record-stacks.sh` with
//! Terraform 1.11.4), and what `plan` and `output` make of the same files.
#![allow(clippy::unwrap_used, reason = "helpers of a test are part of it")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it wants")]
#![allow(
    clippy::disallowed_methods,
    reason = "tests read directories as a client would"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use common::Virtual;
use serde_json::{Map, Value as Json};
use skybridge_lab::document::{OutputsReport, PlanReport};
use skybridge_lab::request::{Request, Response, StackArgument, StackSource, UpRequest};

/// Where we differ on purpose: the case, the line of the difference, and why.
const DIFFERENT: &[(&str, &str, &str)] = &[
    (
        "error-arguments-of-types",
        "terraform: errors - \"id\" attribute is read-only",
        IN_OUR_WORDS,
    ),
    (
        "error-arguments-of-types",
        "ours:      errors main.tf:6 Value for unconfigurable attribute",
        "the words of a provider's error, with its place",
    ),
    (
        "error-arguments-of-types",
        "terraform: errors main.tf:9 Unsupported block type",
        IN_OUR_WORDS,
    ),
    (
        "error-arguments-of-types",
        "ours:      errors main.tf:9 Unsupported argument",
        IN_OUR_WORDS,
    ),
    (
        "error-flag-reference",
        "terraform: errors main.tf:4 Unsuitable value type",
        "a consequence of what is said of the same line",
    ),
    (
        "error-functions",
        "ours:      errors main.tf:7 Division by zero",
        "Terraform has an infinity there, and fails when it writes it down",
    ),
    (
        "error-json-form",
        "terraform: errors main.tf.json:2 Missing block label",
        "a consequence of what is said of the same line",
    ),
    (
        "error-json-form",
        "ours:      errors main.tf.json:3 No value for required variables",
        AT_ONCE,
    ),
    (
        "error-lifecycle",
        "ours:      errors main.tf:11 Reference to undeclared resource",
        AT_ONCE,
    ),
    ("error-missing-variables", "*", "one error lists them all"),
    ("error-provider-passed-undeclared", "*", IN_OUR_WORDS),
    (
        "error-required-version",
        "*",
        "directories that want an older Terraform are understood, with a warning",
    ),
    ("error-syntax", "*", SYNTAX),
    ("error-tfvars-json", "*", SYNTAX),
    ("error-two-syntaxes", "*", SYNTAX),
    (
        "error-tfvars-reference",
        "terraform: errors main.tf:2 No value for required variable",
        "what a broken file would have set is not missing",
    ),
    (
        "error-tfvars-reference",
        "terraform: errors main.tf:3 No value for required variable",
        "what a broken file would have set is not missing",
    ),
    (
        "error-validation",
        "terraform: errors :0 Invalid value for variable",
        "Terraform has lost the place, which is that of the variable",
    ),
    (
        "error-validation",
        "ours:      errors m/main.tf:1 Invalid value for variable",
        "Terraform has lost the place, which is that of the variable",
    ),
    (
        "error-validation",
        "ours:      errors main.tf:11 Invalid value for variable",
        AT_ONCE,
    ),
    (
        "import",
        "*",
        "no object in the lab can be imported: it is created, with a notice",
    ),
    (
        "error-import-sensitive",
        "*",
        "no object in the lab can be imported: it is created, with a notice",
    ),
    ("removed", "*", "a warning for each block, with its place"),
    (
        "unknown-collections",
        "terraform: output or after null",
        "|| stops as of Terraform 1.12",
    ),
    (
        "unknown-collections",
        "terraform: output or unknown true",
        "|| stops as of Terraform 1.12",
    ),
    (
        "unknown-collections",
        "ours:      output or after true",
        "|| stops as of Terraform 1.12",
    ),
    (
        "unknown-collections",
        "ours:      output or unknown null",
        "|| stops as of Terraform 1.12",
    ),
    ("unknowns", "*", "&& stops as of Terraform 1.12"),
];

const IN_OUR_WORDS: &str = "the same fact in other words";
const AT_ONCE: &str = "Terraform says it when the errors before are gone";
const SYNTAX: &str = "the parser has words of its own and stops at the first error of a file";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../terraform/tests/recorded/stacks")
}

/// The files of a case: `-- path --` begins one.
fn sections(text: &str) -> BTreeMap<String, String> {
    let mut out: BTreeMap<String, String> = BTreeMap::new();
    let mut name = None;
    for line in text.split_inclusive('\n') {
        let head = line.trim_end().strip_prefix("-- ");
        if let Some(path) = head.and_then(|h| h.strip_suffix(" --")) {
            name = Some(path.to_owned());
            out.insert(path.to_owned(), String::new());
        } else if let Some(name) = &name {
            out.get_mut(name).unwrap().push_str(line);
        }
    }
    out
}

/// The directory of a case, and the one that was applied before it, if any.
fn sources(mut files: BTreeMap<String, String>) -> (Option<StackSource>, StackSource) {
    let lines = |text: Option<String>| -> Vec<String> {
        let text = text.unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    };
    let given = lines(files.remove("arguments"));
    let environment = lines(files.remove("environment"));
    let is_before = |name: &str| name.starts_with("before/");
    let (before, files): (BTreeMap<_, _>, BTreeMap<_, _>) =
        files.into_iter().partition(|(name, _)| is_before(name));
    let before: BTreeMap<String, String> = before
        .into_iter()
        .map(|(name, text)| (name.replacen("before/", "", 1), text))
        .collect();
    let source = |files: &BTreeMap<String, String>| StackSource {
        directory: "/stack".to_owned(),
        files: files.clone(),
        ..StackSource::default()
    };
    let mut out = source(&files);
    let mut words = given.iter();
    while let Some(word) = words.next() {
        out.arguments.push(match word.strip_prefix("-var-file=") {
            Some(path) => StackArgument::File {
                path: path.to_owned(),
                text: files[path].clone(),
            },
            None => {
                let (name, value) = words.next().unwrap().split_once('=').unwrap();
                StackArgument::Value {
                    name: name.to_owned(),
                    value: value.to_owned(),
                }
            }
        });
    }
    out.environment = environment
        .iter()
        .filter_map(|line| line.split_once('='))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    ((!before.is_empty()).then(|| source(&before)), out)
}

fn up(lab: &mut Virtual, source: StackSource) -> Vec<String> {
    let report = lab.up(vec![source]);
    let errors = report.diagnostics.iter().filter(|d| d.level == "error");
    errors
        .map(|d| format!("{} {}", place(d), d.message))
        .collect()
}

fn place(diagnostic: &skybridge_lab::document::Diagnostic) -> String {
    match (&diagnostic.file, diagnostic.line) {
        // An argument of the command line is no place.
        (Some(file), Some(line)) if !file.starts_with('-') => format!("{file}:{line}"),
        _ => "-".to_owned(),
    }
}

/// A mask without what is false.
fn pruned(mask: &Json) -> Json {
    match mask {
        Json::Object(map) => {
            let left: Map<String, Json> = map
                .iter()
                .map(|(k, v)| (k.clone(), pruned(v)))
                .filter(|(_, v)| !v.is_null())
                .collect();
            if left.is_empty() {
                Json::Null
            } else {
                Json::Object(left)
            }
        }
        Json::Array(items) => {
            let left: Vec<Json> = items.iter().map(pruned).collect();
            if left.iter().all(Json::is_null) {
                Json::Null
            } else {
                Json::Array(left)
            }
        }
        Json::Bool(true) => Json::Bool(true),
        Json::Bool(false) | Json::Null | Json::Number(_) | Json::String(_) => Json::Null,
    }
}

/// A value with what is unknown or sensitive taken out, nulls left out, and ids that were drawn replaced.
fn plain(value: &Json, masks: &[&Json]) -> Json {
    if masks.iter().any(|m| **m == Json::Bool(true)) {
        return Json::Null;
    }
    match value {
        Json::Object(map) => {
            let inner = map.iter().map(|(k, v)| {
                let below: Vec<&Json> = masks.iter().filter_map(|m| m.get(k)).collect();
                (k.clone(), plain(v, &below))
            });
            Json::Object(inner.filter(|(_, v)| !v.is_null()).collect())
        }
        Json::Array(items) => {
            let inner = items.iter().enumerate().map(|(at, v)| {
                let below: Vec<&Json> = masks.iter().filter_map(|m| m.get(at)).collect();
                plain(v, &below)
            });
            Json::Array(inner.collect())
        }
        Json::String(text) => Json::from(without_ids(text)),
        // As exact as Terraform's own JSON.
        Json::Number(number) => Json::from(format!("{:.12e}", number.as_f64().unwrap())),
        other => other.clone(),
    }
}

/// A text with every id that was drawn replaced.
fn without_ids(text: &str) -> String {
    let is_id = |text: &str| {
        let lengths: Vec<usize> = text.split('-').map(str::len).collect();
        lengths == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (taken, put) = match rest.get(..36).filter(|part| is_id(part)) {
            Some(_) => (36, "ID"),
            None => (first.len_utf8(), &rest[..first.len_utf8()]),
        };
        out.push_str(put);
        rest = &rest[taken..];
    }
    out
}

/// The lines that describe one change.
fn lines_of(what: &str, change: &Json, out: &mut BTreeSet<String>) {
    let part = |name: &str| change.get(name).unwrap_or(&Json::Null);
    let (unknown, sensitive) = (part("after_unknown"), part("after_sensitive"));
    out.insert(format!("{what} actions {}", part("actions")));
    out.insert(format!(
        "{what} after {}",
        plain(part("after"), &[unknown, sensitive])
    ));
    out.insert(format!("{what} unknown {}", pruned(unknown)));
    out.insert(format!("{what} sensitive {}", pruned(sensitive)));
    if let Some(address) = change.get("previous_address").filter(|a| !a.is_null()) {
        out.insert(format!("{what} was {address}"));
    }
    if let Some(reason) = change.get("action_reason").filter(|r| !r.is_null()) {
        out.insert(format!("{what} because {reason}"));
    }
}

fn type_words(ty: &Json) -> String {
    match ty {
        Json::String(name) => match name.as_str() {
            "dynamic" => "any".to_owned(),
            other => other.to_owned(),
        },
        Json::Array(parts) => match (parts[0].as_str().unwrap(), &parts[1]) {
            ("object", Json::Object(fields)) => {
                let fields: Vec<String> = fields
                    .iter()
                    .map(|(k, t)| format!("{k} = {}", type_words(t)))
                    .collect();
                format!("object({{{}}})", fields.join(", "))
            }
            ("tuple", Json::Array(items)) => {
                let items: Vec<String> = items.iter().map(type_words).collect();
                format!("tuple([{}])", items.join(", "))
            }
            (kind, inner) => format!("{kind}({})", type_words(inner)),
        },
        other => other.to_string(),
    }
}

/// What Terraform said and planned, in lines.
fn theirs(recorded: &Json) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let said = |kind: &str, out: &mut BTreeSet<String>| {
        for row in recorded[kind].as_array().unwrap() {
            let at = row["at"].as_str().unwrap_or("-");
            let summary = row["summary"].as_str().unwrap();
            let summary = summary.split(':').next().unwrap();
            out.insert(format!("{kind} {at} {summary}"));
        }
    };
    said("errors", &mut out);
    if !recorded["errors"].as_array().unwrap().is_empty() {
        return out;
    }
    said("warnings", &mut out);
    for (kind, rows) in [
        ("resource", &recorded["resource_changes"]),
        ("output", &recorded["output_changes"]),
    ] {
        for (name, change) in rows.as_object().unwrap() {
            lines_of(&format!("{kind} {name}"), change, &mut out);
        }
    }
    for (name, output) in recorded["outputs"].as_object().into_iter().flatten() {
        let hidden = output["sensitive"].as_bool().unwrap();
        let value = plain(&output["value"], &[]);
        let ty = type_words(&output["type"]);
        out.insert(format!("applied {name} {hidden} {value}: {ty}"));
    }
    out
}

/// The same of our plan, and of what came of it.
fn ours(plan: &PlanReport, outputs: Option<&OutputsReport>) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let has_errors = plan.diagnostics.iter().any(|d| d.level == "error");
    for d in &plan.diagnostics {
        let kind = match d.level.as_str() {
            "error" => "errors",
            "warning" if !has_errors => "warnings",
            _ => continue,
        };
        let summary = d.message.split(':').next().unwrap();
        out.insert(format!("{kind} {} {summary}", place(d)));
    }
    if has_errors {
        return out;
    }
    let document = serde_json::to_value(plan).unwrap();
    let stack = &document["stacks"][0];
    for row in stack["resource_changes"].as_array().into_iter().flatten() {
        let mut change = row["change"].clone();
        for name in ["previous_address", "action_reason"] {
            change[name] = row[name].clone();
        }
        let address = row["address"].as_str().unwrap();
        lines_of(&format!("resource {address}"), &change, &mut out);
    }
    for (name, change) in stack["output_changes"].as_object().into_iter().flatten() {
        lines_of(&format!("output {name}"), change, &mut out);
    }
    for (name, row) in outputs.into_iter().flat_map(|o| &o.outputs) {
        let (hidden, value) = (row.sensitive, plain(&row.value, &[]));
        out.insert(format!("applied {name} {hidden} {value}: {}", row.ty));
    }
    out
}

/// What Terraform says without a place may have one with us.
fn without_place(theirs: &mut BTreeSet<String>, ours: &mut BTreeSet<String>) {
    for kind in ["errors", "warnings"] {
        let open: Vec<String> = (theirs.iter())
            .filter_map(|line| line.strip_prefix(kind)?.strip_prefix(" - "))
            .map(str::to_owned)
            .collect();
        for summary in open {
            let same = |line: &String| {
                line.starts_with(kind) && line.splitn(3, ' ').nth(2) == Some(summary.as_str())
            };
            if ours.iter().any(same) {
                ours.retain(|line| !same(line));
                theirs.remove(&format!("{kind} - {summary}"));
            }
        }
    }
}

fn planned(lab: &mut Virtual, source: &StackSource) -> PlanReport {
    let request = Request::Plan(UpRequest {
        stacks: vec![source.clone()],
        force: false,
        skip_simulation: true,
    });
    match lab.ask(request) {
        Response::Plan(plan) => *plan,
        other => panic!("not a plan: {other:?}"),
    }
}

/// What a plan would change.
fn touched(plan: &PlanReport) -> impl Iterator<Item = String> {
    let stacks = plan.stacks.iter();
    let rows = stacks.clone().flat_map(|s| &s.resource_changes);
    let rows = rows.map(|r| (r.address.clone(), &r.change));
    let outputs = stacks.flat_map(|s| &s.output_changes);
    let outputs = outputs.map(|(name, change)| (format!("output.{name}"), change));
    rows.chain(outputs)
        .filter(|(_, change)| change.actions != ["no-op"])
        .map(|(what, change)| format!("{what} {:?}", change.actions))
        .collect::<Vec<_>>()
        .into_iter()
}

/// The differences of a case.
fn differences(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder().join(format!("{name}.txt"))).unwrap();
    let recorded = std::fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
    let recorded: Json = serde_json::from_str(&recorded).unwrap();
    let (before, source) = sources(sections(&text));
    let mut lab = Virtual::new();
    let mut out = Vec::new();
    if let Some(before) = before {
        let errors = up(&mut lab, before);
        out.extend(errors.iter().map(|e| format!("before: {e}")));
    }
    let plan = planned(&mut lab, &source);
    let applied = recorded.get("outputs").is_some();
    let outputs = applied.then_some(()).and_then(|()| {
        let errors = up(&mut lab, source.clone());
        out.extend(errors.iter().map(|e| format!("up: {e}")));
        out.extend(touched(&planned(&mut lab, &source)).map(|t| format!("again: {t}")));
        let directory = "/stack".to_owned();
        match lab.ask(Request::Outputs { directory }) {
            Response::Outputs(outputs) => Some(outputs),
            _ => None,
        }
    });
    let (mut theirs, mut ours) = (theirs(&recorded), ours(&plan, outputs.as_ref()));
    without_place(&mut theirs, &mut ours);
    out.extend(theirs.difference(&ours).map(|l| format!("terraform: {l}")));
    out.extend(ours.difference(&theirs).map(|l| format!("ours:      {l}")));
    out
}

#[test]
fn directories_are_planned_and_applied_as_terraform_does() {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".txt").map(str::to_owned)
        })
        .collect();
    names.sort();
    assert!(names.len() > 25, "the cases are there");
    let (mut wrong, mut known) = (String::new(), BTreeSet::new());
    for name in &names {
        for line in differences(name) {
            let listed = |(case, part, _): &&(&str, &str, &str)| {
                case == name && (*part == line || *part == "*")
            };
            match DIFFERENT.iter().find(listed) {
                Some(row) => {
                    known.insert(row);
                }
                None => writeln!(wrong, "{name}\n  {line}").unwrap(),
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    for row in DIFFERENT {
        assert!(known.contains(&row), "the difference is gone: {row:?}");
    }
}
