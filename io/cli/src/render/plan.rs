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
    let mut outputs = doc.stacks.iter().flat_map(|s| s.output_changes.values());
    let put_out = outputs.any(|change| change.actions != ["no-op"]);
    if create + update + replace + delete + forget + moved == 0 {
        return match obstacles {
            Some(obstacles) => format!("Nothing is planned: {obstacles}.\n"),
            None if put_out => "No changes but to outputs.\n".to_owned(),
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
        ["delete", "create"] => ("-/+", replaced(change)),
        ["create", "delete"] => ("+/-", replaced(change)),
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
    if let Some(why) = why_deleted(change) {
        writeln!(out, "  # (because {why})").expect("writing to a String cannot fail");
    }
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
        changed: &change.change.changed,
        // The attributes of providers are maps; what this type holds are objects.
        is_map: change.ty != "terraform_data",
    };
    writer.difference(&change.change);
    out.push_str("    }\n\n");
}

/// As Terraform says it.
fn replaced(change: &ResourceChange) -> &'static str {
    match change.action_reason.as_deref() {
        Some("replace_because_tainted") => "is tainted, so must be replaced",
        Some("replace_by_triggers") => "will be replaced due to changes in replace_triggered_by",
        _ => "must be replaced",
    }
}

/// Why an instance goes, as Terraform says it.
fn why_deleted(change: &ResourceChange) -> Option<String> {
    let key = match &change.index {
        Some(key) => format!("[{key}]"),
        None => String::new(),
    };
    let why = match change.action_reason.as_deref()? {
        "delete_because_no_resource_config" => {
            format!("{}.{} is not in configuration", change.ty, change.name)
        }
        "delete_because_no_module" => {
            let module = change.module_address.as_deref().unwrap_or_default();
            format!("{module} is not in configuration")
        }
        "delete_because_count_index" => format!("index {key} is out of range for count"),
        "delete_because_each_key" => format!("key {key} is not in for_each map"),
        "delete_because_wrong_repetition" => match &change.index {
            None => "resource uses count or for_each".to_owned(),
            Some(Json::Number(_)) => "resource does not use count".to_owned(),
            Some(_) => "resource does not use for_each".to_owned(),
        },
        _ => return None,
    };
    Some(why)
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
    /// The paths that change: of what is hidden only they tell.
    changed: &'a [String],
    /// Whether keys of objects are written in quotes, as Terraform writes those of maps.
    is_map: bool,
}

impl Writer<'_> {
    /// Whether a value is on both sides, as far as can be seen and as the plan says.
    fn unchanged(&self, was: Side<'_>, is: Side<'_>, path: &str) -> bool {
        let hidden = has_true(was.sensitive) || has_true(is.sensitive);
        let touched = |changed: &String| {
            let inner = path.strip_prefix(changed.as_str());
            let outer = changed.strip_prefix(path);
            [inner, outer]
                .into_iter()
                .flatten()
                .any(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        was.same(is)
            && mask_of(was.sensitive) == mask_of(is.sensitive)
            && !(hidden && self.changed.iter().any(touched))
    }

    /// A key as it is written in an object of a depth.
    fn key(&self, name: &str, path: &str) -> String {
        let is_name = name
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        let in_block = path.is_empty() || path.ends_with(']');
        if is_name && (in_block || !self.is_map) {
            name.to_owned()
        } else {
            format!("{name:?}")
        }
    }

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
            .map(|n| self.key(n, path).chars().count())
            .max()
            .unwrap_or(0);
        let (blocks, shown): (Vec<&str>, Vec<&str>) = (shown.into_iter())
            .partition(|n| self.is_map && is_block(before.attr(n), after.attr(n)));
        let (mut hidden, mut hidden_blocks, mut count) = (0, 0, 0);
        for name in shown {
            let (was, is) = (before.attr(name), after.attr(name));
            let at = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            };
            let is_key = depth == 1 && matches!(name, "id" | "name");
            if self.unchanged(was, is, &at) && !(is_key && was.leaf().is_some()) {
                hidden += 1;
                continue;
            }
            count += 1;
            let key = self.key(name, path);
            self.value(&format!("{key:width$} = "), was, is, depth, &at);
        }
        let in_block = path.is_empty() || path.ends_with(']');
        let what = if self.is_map && !in_block {
            "element"
        } else {
            "attribute"
        };
        self.hidden(depth, hidden, what);
        for name in blocks {
            let (was, is) = (before.attr(name), after.attr(name));
            let at = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            };
            let items = |side: Side<'_>| side.value.as_array().map_or(0, Vec::len);
            for index in 0..items(was).max(items(is)) {
                let (was, is) = (was.item(index), is.item(index));
                let at = format!("{at}[{index}]");
                if self.unchanged(was, is, &at) {
                    hidden_blocks += 1;
                    continue;
                }
                if std::mem::take(&mut count) + std::mem::take(&mut hidden) > 0 {
                    self.out.push('\n');
                }
                self.block(name, was, is, depth, &at);
            }
        }
        self.hidden(depth, hidden_blocks, "block");
    }

    /// How many of a kind are not shown because nothing happens to them.
    fn hidden(&mut self, depth: usize, count: usize, what: &str) {
        if count > 0 {
            let plural = if count == 1 { "" } else { "s" };
            let text = format!("# ({count} unchanged {what}{plural} hidden)");
            self.line(depth, "", &text);
        }
    }

    fn block(&mut self, name: &str, was: Side<'_>, is: Side<'_>, depth: usize, path: &str) {
        let all = path.rsplit_once('[').map_or(path, |(all, _)| all);
        let forces = if self.replace.iter().any(|p| p == path || p == all) {
            " # forces replacement"
        } else {
            ""
        };
        self.line(depth, signed(was, is), &format!("{name} {{{forces}"));
        self.attributes(was, is, depth + 1, path);
        self.line(depth, "", "}");
    }

    fn value(&mut self, label: &str, was: Side<'_>, is: Side<'_>, depth: usize, path: &str) {
        let forces = if self.replace.iter().any(|p| p == path) {
            " # forces replacement"
        } else {
            ""
        };
        let sign = match (was.is_nothing(), is.is_nothing()) {
            (true, _) => CREATE,
            (false, true) => DELETE,
            (false, false) if self.unchanged(was, is, path) => "",
            (false, false) => UPDATE,
        };
        match (was.leaf(), is.leaf()) {
            (Some(a), Some(b)) => {
                let text = match sign {
                    CREATE => b,
                    DELETE => format!("{a} -> null"),
                    "" => a,
                    _ if a == b => b,
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
        let label = label.trim_end();
        let end = match sign {
            DELETE if !label.is_empty() => " -> null",
            _ if label.is_empty() => ",",
            _ => "",
        };
        if items(was).max(items(is)) > 0 {
            self.line(depth, sign, format!("{label} [{forces}").trim_start());
            self.elements(was, is, depth + 1, path);
            self.line(depth, "", &format!("]{end}"));
        } else {
            self.line(depth, sign, format!("{label} {{{forces}").trim_start());
            self.attributes(was, is, depth + 1, path);
            self.line(depth, "", &format!("}}{end}"));
        }
    }

    /// Elements that are on both sides in the same order are left alone.
    fn elements(&mut self, was: Side<'_>, is: Side<'_>, depth: usize, path: &str) {
        let count = |side: Side<'_>| side.value.as_array().map_or(0, Vec::len);
        let texts = |side: Side<'_>| -> Vec<String> {
            let text = |at| {
                let item = side.item(at);
                item.leaf().unwrap_or_else(|| item.value.to_string())
            };
            (0..count(side)).map(text).collect()
        };
        let (before, after) = (texts(was), texts(is));
        for (left, right) in paired(&before, &after) {
            let at = format!("{path}[{}]", right.or(left).unwrap_or_default());
            let (old, new) = (
                left.map_or(NOTHING, |at| was.item(at)),
                right.map_or(NOTHING, |at| is.item(at)),
            );
            match (left, right) {
                (Some(_), Some(at)) => self.line(depth, "", &format!("{},", after[at])),
                (Some(_), None) => self.element(old, NOTHING, DELETE, depth, &at),
                (None, _) => self.element(NOTHING, new, CREATE, depth, &at),
            }
        }
    }

    fn element(&mut self, was: Side<'_>, is: Side<'_>, sign: &str, depth: usize, path: &str) {
        let there = if sign == DELETE { was } else { is };
        match there.leaf() {
            Some(text) => self.line(depth, sign, &format!("{text},")),
            None => self.value("", was, is, depth, path),
        }
    }
}

/// Longest lists that are compared place by place.
const COMPARED_MAX: usize = 500;

/// The places of two lists side by side: what both have in the same order stands together.
fn paired(before: &[String], after: &[String]) -> Vec<(Option<usize>, Option<usize>)> {
    let (rows, columns) = (before.len(), after.len());
    if rows.max(columns) > COMPARED_MAX {
        let left = (0..rows).map(|at| (Some(at), None));
        return left
            .chain((0..columns).map(|at| (None, Some(at))))
            .collect();
    }
    // The length of the longest common part from each pair of places on.
    let mut common = vec![vec![0_usize; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            common[row][column] = if before[row] == after[column] {
                common[row + 1][column + 1] + 1
            } else {
                common[row + 1][column].max(common[row][column + 1])
            };
        }
    }
    let (mut row, mut column, mut out) = (0, 0, Vec::new());
    while row < rows || column < columns {
        let same = row < rows && column < columns && before[row] == after[column];
        if same {
            out.push((Some(row), Some(column)));
            (row, column) = (row + 1, column + 1);
        } else if row < rows
            && (column == columns || common[row + 1][column] >= common[row][column + 1])
        {
            out.push((Some(row), None));
            row += 1;
        } else {
            out.push((None, Some(column)));
            column += 1;
        }
    }
    out
}

/// Whether the elements of a list are blocks, which have no key.
fn is_block(was: Side<'_>, is: Side<'_>) -> bool {
    let objects = |side: Side<'_>| {
        let items = side.value.as_array();
        items.is_some_and(|items| items.iter().any(Json::is_object))
    };
    *is.unknown != Json::Bool(true) && (objects(was) || objects(is))
}

fn has_true(mask: &Json) -> bool {
    match mask {
        Json::Bool(is) => *is,
        Json::Array(items) => items.iter().any(has_true),
        Json::Object(map) => map.values().any(has_true),
        _ => false,
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
    let touched: Vec<String> = changed.iter().map(|(name, _)| (*name).clone()).collect();
    let mut writer = Writer {
        out,
        screen,
        replace: &[],
        changed: &touched,
        is_map: false,
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
        writer.value(&format!("{name:width$} = "), before, after, 0, name);
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
            written(&row.value, 0)
        };
        writeln!(out, "{name} = {text}").expect("writing to a String cannot fail");
    }
    out
}

/// A value over as many lines as it has parts, as a variables file takes it.
fn written(value: &Json, depth: usize) -> String {
    let (indent, end) = ("  ".repeat(depth + 1), "  ".repeat(depth));
    match value {
        Json::Array(items) if !items.is_empty() => {
            let inner = items.iter();
            let inner = inner.map(|item| format!("{indent}{},\n", written(item, depth + 1)));
            format!("[\n{}{end}]", inner.collect::<String>())
        }
        Json::Object(map) if !map.is_empty() => {
            let inner = map.iter().map(|(name, item)| {
                let item = written(item, depth + 1);
                format!("{indent}{} = {item}\n", text(name))
            });
            format!("{{\n{}{end}}}", inner.collect::<String>())
        }
        Json::String(inner) => text(inner),
        leaf => leaf.to_string(),
    }
}

/// A text in quotes, in which nothing begins a template.
fn text(inner: &str) -> String {
    let quoted = Json::from(inner).to_string();
    quoted.replace("${", "$${").replace("%{", "%%{")
}

/// One output: a text as it is, anything else as JSON.
pub(crate) fn output(row: &OutputRow) -> String {
    match &row.value {
        Json::String(text) => format!("{text}\n"),
        other => format!("{other}\n"),
    }
}
