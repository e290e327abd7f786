//! A plan as Terraform's users know it, and outputs.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "JSON will have no further kinds of value"
)]

use std::fmt::Write as _;

use serde_json::{Map, Value as Json};
use skybridge_lab::document::{
    OutputRow, OutputsReport, PlanReport, PlanSummary, ResourceChange, StackPlan, ValueChange,
};

use super::diagnostic::{self, Sources};
use super::report;
use super::table::heading;
use crate::screen::{Colour, Screen};

const CREATE: &str = "+";
const UPDATE: &str = "~";
const DELETE: &str = "-";

/// Findings, changes, what is left out, and the line that sums up.
pub(super) fn render(doc: &PlanReport, screen: &Screen, sources: &Sources) -> String {
    let mut out = diagnostic::all(&doc.diagnostics, screen, sources);
    for stack in &doc.stacks {
        if doc.stacks.len() > 1 {
            out.push_str(&heading(&stack.directory, screen));
        }
        for change in &stack.resource_changes {
            resource(&mut out, change, screen);
        }
        outputs_of(&mut out, stack, screen);
    }
    report::not_modelled(&mut out, &doc.not_modelled, screen);
    report::ignored(&mut out, &doc.ignored, screen);
    out.push_str(&summary(doc));
    out
}

fn summary(doc: &PlanReport) -> String {
    let PlanSummary {
        create,
        update,
        replace,
        delete,
        forget,
        moved,
        ..
    } = doc.summary;
    let obstacles = diagnostic::obstacles(&doc.diagnostics);
    let mut more = Vec::new();
    for (count, what) in [
        (replace, "replaced"),
        (moved, "moved"),
        (forget, "forgotten"),
    ] {
        if count > 0 {
            more.push(format!("{count} {what}"));
        }
    }
    let more = if more.is_empty() {
        String::new()
    } else {
        format!(" ({})", more.join(", "))
    };
    if create + update + replace + delete + forget + moved == 0 {
        return match obstacles {
            Some(obstacles) => format!("Nothing is planned: {obstacles}.\n"),
            None => "No changes. What is there matches the configuration.\n".to_owned(),
        };
    }
    let refused = obstacles.map_or_else(String::new, |obstacles| {
        format!("`skybridge up` refuses it as it is: {obstacles}.\n")
    });
    // As in Terraform, a replacement counts on both sides.
    format!(
        "Plan: {} to add, {update} to change, {} to destroy{more}.\n{refused}",
        create + replace,
        delete + replace
    )
}

fn resource(out: &mut String, change: &ResourceChange, screen: &Screen) {
    let actions: Vec<&str> = change.change.actions.iter().map(String::as_str).collect();
    let address = &change.address;
    let (sign, what) = match actions.as_slice() {
        ["create"] => (CREATE, "will be created"),
        ["update"] => (UPDATE, "will be updated in-place"),
        ["delete", "create"] => ("-/+", "must be replaced"),
        ["create", "delete"] => ("+/-", "must be replaced"),
        ["delete"] => (DELETE, "will be destroyed"),
        ["forget"] => (".", "will no longer be managed, and is not destroyed"),
        ["read"] if change.change.after_unknown != Json::Object(Map::new()) => {
            ("<=", "will be read during apply")
        }
        _ => {
            if let Some(from) = &change.previous_address {
                writeln!(out, "  # {from} has moved to {address}\n")
                    .expect("writing to a String cannot fail");
            }
            return;
        }
    };
    if !change.modelled && change.mode == "data" {
        return;
    }
    let bold = screen.paint(Colour::Bold, address);
    writeln!(out, "  # {bold} {what}").expect("writing to a String cannot fail");
    if let Some(from) = &change.previous_address {
        writeln!(out, "  # (moved from {from})").expect("writing to a String cannot fail");
    }
    if !change.modelled {
        out.push_str("  # (not modelled: attributes that a cloud would decide are stand-ins)\n");
    }
    let word = if change.mode == "data" {
        "data"
    } else {
        "resource"
    };
    let sign = painted(sign, screen);
    writeln!(out, "{sign:>3} {word} {:?} {:?} {{", change.ty, change.name)
        .expect("writing to a String cannot fail");
    let mut writer = Writer {
        out,
        screen,
        replace: &change.change.replace_paths,
    };
    writer.difference(&change.change);
    out.push_str("    }\n\n");
}

fn painted(sign: &str, screen: &Screen) -> String {
    let colour = match sign {
        CREATE => Colour::Green,
        DELETE | "-/+" | "+/-" => Colour::Red,
        _ => Colour::Yellow,
    };
    // Padded before it is painted: codes have no width.
    screen.paint(colour, &format!("{sign:>3}"))
}

/// A value with its masks.
#[derive(Clone, Copy)]
struct Side<'a> {
    value: &'a Json,
    unknown: &'a Json,
    sensitive: &'a Json,
}

const NOTHING: Side<'static> = Side {
    value: &Json::Null,
    unknown: &Json::Bool(false),
    sensitive: &Json::Bool(false),
};

impl<'a> Side<'a> {
    fn attr(self, name: &str) -> Self {
        let mask = |mask: &'a Json| match mask {
            Json::Bool(_) => mask,
            _ => mask.get(name).unwrap_or(&Json::Bool(false)),
        };
        Self {
            value: self.value.get(name).unwrap_or(&Json::Null),
            unknown: mask(self.unknown),
            sensitive: mask(self.sensitive),
        }
    }

    fn item(self, at: usize) -> Self {
        let mask = |mask: &'a Json| match mask {
            Json::Bool(_) => mask,
            _ => mask.get(at).unwrap_or(&Json::Bool(false)),
        };
        Self {
            value: self.value.get(at).unwrap_or(&Json::Null),
            unknown: mask(self.unknown),
            sensitive: mask(self.sensitive),
        }
    }

    fn is_nothing(self) -> bool {
        let empty = match self.value {
            Json::Null => true,
            Json::Array(items) => items.is_empty(),
            Json::Object(map) => map.is_empty(),
            Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
        };
        empty && *self.unknown != Json::Bool(true) && *self.sensitive != Json::Bool(true)
    }

    fn same(self, other: Self) -> bool {
        self.value == other.value && mask_of(self.unknown) == mask_of(other.unknown)
    }

    fn names(self) -> Vec<&'a str> {
        let masks = self.unknown.as_object().into_iter().flatten();
        let names = self.value.as_object().into_iter().flatten();
        names.chain(masks).map(|(name, _)| name.as_str()).collect()
    }

    /// The value on one line, if it has nothing inside.
    fn leaf(self) -> Option<String> {
        if *self.sensitive == Json::Bool(true) {
            return Some("(sensitive value)".to_owned());
        }
        if *self.unknown == Json::Bool(true) {
            return Some("(known after apply)".to_owned());
        }
        match self.value {
            Json::Array(items) if items.is_empty() => Some("[]".to_owned()),
            Json::Object(map) if map.is_empty() => Some("{}".to_owned()),
            Json::Array(_) | Json::Object(_) => None,
            leaf => Some(leaf.to_string()),
        }
    }
}

/// An absent mask is one that is false everywhere.
fn mask_of(mask: &Json) -> Option<&Json> {
    match mask {
        Json::Bool(false) => None,
        Json::Object(map) if map.is_empty() => None,
        other => Some(other),
    }
}

struct Writer<'a> {
    out: &'a mut String,
    screen: &'a Screen,
    replace: &'a [String],
}

impl Writer<'_> {
    fn line(&mut self, depth: usize, sign: &str, text: &str) {
        let indent = " ".repeat(depth * 4);
        let sign = if sign.is_empty() {
            "   ".to_owned()
        } else {
            painted(sign, self.screen)
        };
        writeln!(self.out, "{indent}{sign} {text}").expect("writing to a String cannot fail");
    }

    fn difference(&mut self, change: &ValueChange) {
        let before = Side {
            value: &change.before,
            unknown: &Json::Bool(false),
            sensitive: &change.before_sensitive,
        };
        let after = Side {
            value: &change.after,
            unknown: &change.after_unknown,
            sensitive: &change.after_sensitive,
        };
        self.attributes(before, after, 1, "");
        for reason in change.replace_paths.iter().filter(|p| p.contains(' ')) {
            self.line(1, "", &format!("# forces replacement: {reason}"));
        }
    }

    fn attributes(&mut self, before: Side<'_>, after: Side<'_>, depth: usize, path: &str) {
        let mut names = before.names();
        names.extend(after.names());
        names.sort_unstable();
        names.dedup();
        let shown: Vec<&str> = (names.iter().copied())
            .filter(|n| !(before.attr(n).is_nothing() && after.attr(n).is_nothing()))
            .collect();
        let width = (shown.iter())
            .filter(|n| {
                before
                    .attr(n)
                    .leaf()
                    .or_else(|| after.attr(n).leaf())
                    .is_some()
            })
            .map(|n| n.len())
            .max()
            .unwrap_or(0);
        let mut hidden = 0;
        for name in shown {
            let (was, is) = (before.attr(name), after.attr(name));
            let at = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            };
            let is_key = depth == 1 && matches!(name, "id" | "name");
            if was.same(is) && !(is_key && was.leaf().is_some()) {
                hidden += 1;
                continue;
            }
            self.value(&format!("{name:width$} = "), name, was, is, depth, &at);
        }
        if hidden > 0 {
            self.line(
                depth,
                "",
                &format!("# ({hidden} unchanged attributes hidden)"),
            );
        }
    }

    fn value(
        &mut self,
        label: &str,
        name: &str,
        was: Side<'_>,
        is: Side<'_>,
        depth: usize,
        path: &str,
    ) {
        let forces = if self.replace.iter().any(|p| p == path) {
            " # forces replacement"
        } else {
            ""
        };
        let sign = match (was.is_nothing(), is.is_nothing()) {
            (true, _) => CREATE,
            (false, true) => DELETE,
            (false, false) if was.same(is) => "",
            (false, false) => UPDATE,
        };
        match (was.leaf(), is.leaf()) {
            (Some(a), Some(b)) => {
                let text = match sign {
                    CREATE => b,
                    DELETE => format!("{a} -> null"),
                    "" => a,
                    _ => format!("{a} -> {b}"),
                };
                return self.line(depth, sign, &format!("{label}{text}{forces}"));
            }
            (None, Some(b)) if *is.unknown == Json::Bool(true) => {
                return self.line(depth, sign, &format!("{label}(…) -> {b}{forces}"));
            }
            _ => {}
        }
        let items = |side: Side<'_>| side.value.as_array().map_or(0, Vec::len);
        let is_block = [was, is]
            .iter()
            .any(|s| (s.value.as_array()).is_some_and(|items| items.iter().any(Json::is_object)));
        let label = label.trim_end();
        if is_block {
            for at in 0..items(was).max(items(is)) {
                let (was, is) = (was.item(at), is.item(at));
                if was.same(is) {
                    continue;
                }
                let sign = signed(was, is);
                self.line(depth, sign, &format!("{name} {{{forces}"));
                self.attributes(was, is, depth + 1, &format!("{path}[{at}]"));
                self.line(depth, "", "}");
            }
        } else if items(was).max(items(is)) > 0 {
            self.line(depth, sign, &format!("{label} [{forces}"));
            self.elements(was, is, depth + 1);
            self.line(depth, "", "]");
        } else {
            self.line(depth, sign, &format!("{label} {{{forces}"));
            self.attributes(was, is, depth + 1, path);
            self.line(depth, "", "}");
        }
    }

    /// Elements that are on both sides are left alone wherever they stand.
    fn elements(&mut self, was: Side<'_>, is: Side<'_>, depth: usize) {
        let sides = |side: Side<'_>| -> Vec<String> {
            let count = side.value.as_array().map_or(0, Vec::len);
            let text = |at| {
                let item = side.item(at);
                item.leaf().unwrap_or_else(|| item.value.to_string())
            };
            (0..count).map(text).collect()
        };
        let (before, after) = (sides(was), sides(is));
        for text in before.iter().filter(|t| !after.contains(t)) {
            self.line(depth, DELETE, &format!("{text},"));
        }
        for text in &after {
            let sign = if before.contains(text) { "" } else { CREATE };
            self.line(depth, sign, &format!("{text},"));
        }
    }
}

fn signed(was: Side<'_>, is: Side<'_>) -> &'static str {
    match (was.is_nothing(), is.is_nothing()) {
        (true, _) => CREATE,
        (false, true) => DELETE,
        (false, false) => UPDATE,
    }
}

fn outputs_of(out: &mut String, stack: &StackPlan, screen: &Screen) {
    let changed: Vec<_> = (stack.output_changes.iter())
        .filter(|(_, change)| change.actions != ["no-op"])
        .collect();
    let Some(width) = changed.iter().map(|(name, _)| name.len()).max() else {
        return;
    };
    out.push_str("Changes to Outputs:\n");
    let mut writer = Writer {
        out,
        screen,
        replace: &[],
    };
    for (name, change) in changed {
        let before = Side {
            value: &change.before,
            sensitive: &change.before_sensitive,
            ..NOTHING
        };
        let after = Side {
            value: &change.after,
            unknown: &change.after_unknown,
            sensitive: &change.after_sensitive,
        };
        writer.value(&format!("{name:width$} = "), name, before, after, 0, name);
    }
    out.push('\n');
}

/// `name = value` as a variables file takes it; sensitive values are not shown.
pub(super) fn outputs(doc: &OutputsReport) -> String {
    if doc.outputs.is_empty() {
        return "The stack has no outputs.\n".to_owned();
    }
    let mut out = String::new();
    for (name, row) in &doc.outputs {
        let text = if row.sensitive {
            "<sensitive>".to_owned()
        } else {
            row.value.to_string()
        };
        writeln!(out, "{name} = {text}").expect("writing to a String cannot fail");
    }
    out
}

/// One output: a text as it is, anything else as JSON.
pub(crate) fn output(row: &OutputRow) -> String {
    match &row.value {
        Json::String(text) => format!("{text}\n"),
        other => format!("{other}\n"),
    }
}
