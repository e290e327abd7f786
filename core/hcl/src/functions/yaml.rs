//! YAML: `yamldecode` by events of a parser, `yamlencode` in the block style that Terraform writes.

use std::collections::BTreeMap;

use yaml_rust2::parser::{Event, MarkedEventReceiver, Parser, Tag};
use yaml_rust2::scanner::{Marker, TScalarStyle};

use super::{Call, CallError, Result};
use crate::value::{Kind, Value};
use crate::{number_to_string, numbers};

/// Most nodes of a document: aliases may repeat others without end.
const NODES_MAX: usize = 100_000;
/// How deep a document may nest.
const DEPTH_MAX: usize = 64;

/// `yamldecode(text)`: one document, in the core schema of YAML 1.2 with the booleans of 1.1.
pub(super) fn decode(c: &Call<'_>) -> Result {
    let mut reader = Reader::default();
    let mut parser = Parser::new_from_str(c.str(0));
    if let Err(error) = parser.load(&mut reader, true) {
        return Err(CallError::arg(0, error.to_string()));
    }
    if let Some(fault) = reader.fault {
        return Err(CallError::arg(0, fault));
    }
    match reader.documents {
        0 => Err(CallError::arg(0, "there is no document in it")),
        1 => Ok(reader.root.unwrap_or_else(Value::null)),
        _ => Err(CallError::arg(0, "only one document is allowed")),
    }
}

/// A collection that is being read.
enum Open {
    Sequence(Vec<Value>),
    Mapping(BTreeMap<String, Value>, Option<String>),
}

#[derive(Default)]
struct Reader {
    root: Option<Value>,
    documents: usize,
    open: Vec<(Open, usize)>,
    anchors: BTreeMap<usize, (Value, usize)>,
    nodes: usize,
    fault: Option<String>,
}

impl Reader {
    fn fail(&mut self, reason: &str) {
        self.fault.get_or_insert_with(|| reason.to_owned());
    }

    /// A node is complete; `weight` is the number of nodes in it.
    fn node(&mut self, value: Value, anchor: usize, weight: usize) {
        self.nodes += weight;
        if self.nodes > NODES_MAX {
            return self.fail("the document has too many nodes");
        }
        if anchor > 0 {
            let weight = count(&value);
            self.anchors.insert(anchor, (value.clone(), weight));
        }
        let complaint = match self.open.last_mut() {
            None => {
                self.root = Some(value);
                None
            }
            Some((Open::Sequence(items), _)) => {
                items.push(value);
                None
            }
            Some((Open::Mapping(map, key), _)) => match key.take() {
                Some(key) if key == "<<" => merge(map, &value),
                Some(key) => {
                    map.insert(key, value);
                    None
                }
                None => match text_of(&value) {
                    Some(text) => {
                        *key = Some(text);
                        None
                    }
                    None => Some("a mapping key must be a text, a number or a boolean"),
                },
            },
        };
        if let Some(complaint) = complaint {
            self.fail(complaint);
        }
    }
}

/// `<<`: what another mapping has and this one has not.
fn merge(map: &mut BTreeMap<String, Value>, other: &Value) -> Option<&'static str> {
    let parts: Vec<&Value> = match other.as_slice() {
        Some(items) => items.iter().collect(),
        None => vec![other],
    };
    for part in parts {
        let Some(entries) = part.as_map() else {
            return Some("<< takes a mapping");
        };
        for (name, value) in entries {
            map.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    None
}

fn count(value: &Value) -> usize {
    1 + value.children().map(count).sum::<usize>()
}

fn text_of(value: &Value) -> Option<String> {
    match value.kind() {
        Kind::String(text) => Some(text.to_string()),
        Kind::Number(number) => Some(number_to_string(number)),
        Kind::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

impl MarkedEventReceiver for Reader {
    fn on_event(&mut self, event: Event, _: Marker) {
        if self.fault.is_some() {
            return;
        }
        match event {
            Event::DocumentStart => self.documents += 1,
            Event::Scalar(text, style, anchor, tag) => match scalar(&text, style, tag.as_ref()) {
                Some(value) => self.node(value, anchor, 1),
                None => self.fail("a scalar does not fit its tag"),
            },
            Event::SequenceStart(anchor, _) => self.open.push((Open::Sequence(Vec::new()), anchor)),
            Event::MappingStart(anchor, _) => {
                let mapping = Open::Mapping(BTreeMap::new(), None);
                self.open.push((mapping, anchor));
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some((Open::Sequence(items), anchor)) => self.node(Value::tuple(items), anchor, 1),
                Some((Open::Mapping(map, _), anchor)) => self.node(Value::object(map), anchor, 1),
                None => {}
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some((value, weight)) => self.node(value, 0, weight),
                None => self.fail("an alias names no anchor before it"),
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        if self.open.len() > DEPTH_MAX {
            self.fail("the document nests more than 64 deep");
        }
    }
}

fn scalar(text: &str, style: TScalarStyle, tag: Option<&Tag>) -> Option<Value> {
    let tag = tag.map(|t| t.suffix.as_str());
    match tag {
        Some("str") => return Some(Value::string(text)),
        Some("int" | "float") => return number(text).map(Value::number),
        Some("bool") => return boolean(text).map(Value::bool),
        Some("null") => return Some(Value::null()),
        _ => {}
    }
    if style != TScalarStyle::Plain {
        return Some(Value::string(text));
    }
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Some(Value::null());
    }
    if let Some(b) = boolean(text) {
        return Some(Value::bool(b));
    }
    Some(number(text).map_or_else(|| Value::string(text), Value::number))
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            Some(true)
        }
        "n" | "N" | "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            Some(false)
        }
        _ => None,
    }
}

fn number(text: &str) -> Option<bigdecimal::BigDecimal> {
    let (negative, plain) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = plain.strip_prefix(prefix) {
            let whole = i64::from_str_radix(digits, radix).ok()?;
            return Some(if negative { -whole } else { whole }.into());
        }
    }
    let digits = plain.replace('_', "");
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let number = numbers::parse(&digits)?;
    Some(if negative { -number } else { number })
}

/// `yamlencode(value)`.
pub(super) fn encode(c: &Call<'_>) -> Result {
    let mut out = String::new();
    let value = &c.args[0];
    write(value, 0, &mut out);
    // A plain scalar could go on, so the document says that it ends.
    let plain = value.is_null() || value.as_bool().is_some() || value.as_number().is_some();
    if plain {
        out.push_str("...\n");
    }
    Ok(Value::string(out))
}

/// Writes a value that stands at the beginning of a line, its line ends included.
fn write(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    if let Some(map) = value.as_map().filter(|m| !m.is_empty()) {
        for (index, (name, inner)) in map.iter().enumerate() {
            if index > 0 {
                out.push_str(&pad);
            }
            out.push_str(&quoted(name));
            out.push(':');
            let is_map = inner.as_map().is_some_and(|m| !m.is_empty());
            let is_list = inner.as_slice().is_some_and(|s| !s.is_empty());
            if is_map {
                out.push_str(&format!("\n{pad}  "));
                write(inner, indent + 2, out);
            } else if is_list {
                out.push_str(&format!("\n{pad}"));
                write(inner, indent, out);
            } else {
                out.push(' ');
                write(inner, indent + 2, out);
            }
        }
        return;
    }
    if let Some(items) = value.as_slice().filter(|s| !s.is_empty()) {
        for (index, inner) in items.iter().enumerate() {
            if index > 0 {
                out.push_str(&pad);
            }
            out.push_str("- ");
            write(inner, indent + 2, out);
        }
        return;
    }
    match value.kind() {
        Kind::String(text) if text.contains('\n') => block(text, indent, out),
        Kind::String(text) => out.push_str(&format!("{}\n", quoted(text))),
        Kind::Number(number) => out.push_str(&format!("{}\n", number_to_string(number))),
        Kind::Bool(b) => out.push_str(&format!("{b}\n")),
        Kind::Map(..) | Kind::Object(_) => out.push_str("{}\n"),
        Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => out.push_str("[]\n"),
        Kind::Null(_) | Kind::Unknown(_) => out.push_str("null\n"),
    }
}

fn quoted(text: &str) -> String {
    super::encoding::json_text(&Value::string(text))
}

/// Text of several lines as a literal block.
fn block(text: &str, indent: usize, out: &mut String) {
    let kept = text.len() - text.trim_end_matches('\n').len();
    let body = text.strip_suffix('\n').unwrap_or(text);
    let hint = if text.starts_with(' ') { "2" } else { "" };
    out.push('|');
    out.push_str(hint);
    out.push_str(match kept {
        0 => "-",
        1 => "",
        _ => "+",
    });
    out.push('\n');
    let pad = " ".repeat(indent.max(2));
    for line in body.split('\n') {
        if !line.is_empty() {
            out.push_str(&pad);
            out.push_str(line);
        }
        out.push('\n');
    }
}
