//! Encodings and digests.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Digest as _;

use super::{Call, CallError, Function, P, Result, dynamic, pure, string};
use crate::refine;
use crate::ty::Type;
use crate::value::{Kind, Value, number_to_string};

/// How JSON begins follows from the type, unless it may be `null`.
fn jsonencode(c: &Call<'_>) -> Result {
    let value = &c.args[0];
    let encoded = if value.is_wholly_known() {
        Value::string(json_text(value))
    } else if value.is_never_null() {
        let begin = match value.ty() {
            Type::String => "\"",
            Type::Object(_) | Type::Map(_) => "{",
            Type::Tuple(_) | Type::List(_) | Type::Set(_) => "[",
            _ => "",
        };
        Value::unknown(Type::String).refined(refine::beginning(begin))
    } else {
        Value::unknown(Type::String)
    };
    Ok(encoded.with_marks(&value.deep_marks()))
}

pub(super) const FUNCTIONS: &[Function] = &[
    pure("base64decode", &[P::Str], string, base64decode),
    pure("base64encode", &[P::Str], string, |c| {
        Ok(Value::string(STANDARD.encode(c.str(0))))
    }),
    pure("base64gzip", &[P::Str], string, |c| {
        Ok(Value::string(STANDARD.encode(gzip(c.str(0).as_bytes()))))
    }),
    pure("textdecodebase64", &[P::Str, P::Str], string, text_decode),
    pure("textencodebase64", &[P::Str, P::Str], string, text_encode),
    pure("base64sha256", &[P::Str], string, |c| {
        Ok(Value::string(
            STANDARD.encode(sha2::Sha256::digest(c.str(0))),
        ))
    }),
    pure("base64sha512", &[P::Str], string, |c| {
        Ok(Value::string(
            STANDARD.encode(sha2::Sha512::digest(c.str(0))),
        ))
    }),
    // OpenTofu has it, Terraform has not.
    pure("base64gunzip", &[P::Str], string, |_| {
        refused("base64gunzip")
    }),
    pure("csvdecode", &[P::Str], dynamic, csvdecode),
    pure("jsondecode", &[P::Str], dynamic, |c| jsondecode(c.str(0))).nullable(),
    pure("jsonencode", &[P::Nullable], string, jsonencode).raw(),
    pure("md5", &[P::Str], string, |c| {
        Ok(Value::string(hex(&md5::Md5::digest(c.str(0)))))
    }),
    pure("rsadecrypt", &[P::Str, P::Str], string, |_| {
        refused("rsadecrypt")
    }),
    pure("sha1", &[P::Str], string, |c| {
        Ok(Value::string(hex(&sha1::Sha1::digest(c.str(0)))))
    }),
    pure("sha256", &[P::Str], string, |c| {
        Ok(Value::string(hex(&sha2::Sha256::digest(c.str(0)))))
    }),
    pure("sha512", &[P::Str], string, |c| {
        Ok(Value::string(hex(&sha2::Sha512::digest(c.str(0)))))
    }),
    pure("urlencode", &[P::Str], string, |c| {
        Ok(Value::string(urlencode(c.str(0))))
    }),
    pure("urldecode", &[P::Str], string, urldecode),
    pure("uuidv5", &[P::Str, P::Str], string, uuidv5),
    pure("yamldecode", &[P::Str], dynamic, super::yaml::decode),
    pure("yamlencode", &[P::Nullable], string, super::yaml::encode),
];

fn refused(name: &str) -> Result {
    Err(format!("{name} is not supported here; compute the value beforehand and pass it in").into())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

fn base64decode(c: &Call<'_>) -> Result {
    let bytes = STANDARD
        .decode(c.str(0))
        .map_err(|e| CallError::arg(0, format!("failed to decode base64 data: {e}")))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| CallError::arg(0, "the result of decoding is not valid UTF-8"))?;
    Ok(Value::string(text))
}

fn jsondecode(text: &str) -> Result {
    let json: serde_json::Value = serde_json::from_str(text)
        .map_err(|e| CallError::about(0, format!("invalid JSON: {e}")))?;
    Ok(from_json(&json))
}

/// A gzip member of stored blocks (RFC 1952, RFC 1951 §3.2.4): any reader takes it, though Terraform's
/// own octets are compressed.
fn gzip(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let mut blocks = data.chunks(usize::from(u16::MAX)).peekable();
    if blocks.peek().is_none() {
        out.extend([1, 0, 0, 0xff, 0xff]);
    }
    while let Some(block) = blocks.next() {
        let len = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(len.to_le_bytes());
        out.extend((!len).to_le_bytes());
        out.extend(block);
    }
    let crc = data.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    });
    out.extend((!crc).to_le_bytes());
    out.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes());
    out
}

/// Encodings by their IANA names.
fn text_encode(c: &Call<'_>) -> Result {
    let units = || c.str(0).encode_utf16();
    let octets: Vec<u8> = match c.str(1).to_uppercase().as_str() {
        "UTF-8" => c.str(0).as_bytes().to_vec(),
        "UTF-16LE" => units().flat_map(u16::to_le_bytes).collect(),
        "UTF-16BE" | "UTF-16" => units().flat_map(u16::to_be_bytes).collect(),
        "US-ASCII" | "ISO-8859-1" => (c.str(0).chars())
            .map(|c| u8::try_from(u32::from(c)))
            .collect::<std::result::Result<_, _>>()
            .map_err(|_| CallError::arg(0, "a character is not in this encoding"))?,
        other => return Err(CallError::arg(1, unknown_encoding(other))),
    };
    Ok(Value::string(STANDARD.encode(octets)))
}

fn text_decode(c: &Call<'_>) -> Result {
    let octets = STANDARD
        .decode(c.str(0))
        .map_err(|_| CallError::arg(0, "this is not base64"))?;
    let pairs = |read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = octets.chunks_exact(2).map(|p| read([p[0], p[1]])).collect();
        String::from_utf16(&units).ok()
    };
    let text = match c.str(1).to_uppercase().as_str() {
        "UTF-8" => String::from_utf8(octets).ok(),
        "UTF-16LE" => pairs(u16::from_le_bytes),
        "UTF-16BE" | "UTF-16" => pairs(u16::from_be_bytes),
        "US-ASCII" | "ISO-8859-1" => Some(octets.iter().map(|b| char::from(*b)).collect()),
        other => return Err(CallError::arg(1, unknown_encoding(other))),
    };
    let text = text.ok_or_else(|| CallError::arg(0, "the octets are not text in this encoding"))?;
    Ok(Value::string(text))
}

fn unknown_encoding(name: &str) -> String {
    format!(
        "the encoding \"{name}\" is not known here; UTF-8, UTF-16LE, UTF-16BE, US-ASCII and ISO-8859-1 are"
    )
}

/// The value of a JSON document: arrays are tuples, objects are objects.
pub(crate) fn from_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::null(),
        serde_json::Value::Bool(b) => Value::bool(*b),
        serde_json::Value::Number(n) => crate::numbers::parse(&n.to_string())
            .map_or_else(|| Value::null_of(Type::Number), Value::number),
        serde_json::Value::String(s) => Value::string(s),
        serde_json::Value::Array(items) => Value::tuple(items.iter().map(from_json).collect()),
        serde_json::Value::Object(map) => {
            Value::object_of(map.iter().map(|(k, v)| (k.clone(), from_json(v))))
        }
    }
}

/// The JSON of a known value as Terraform writes it: keys in order, no spaces, `<`, `>` and `&`
/// escaped.
pub(crate) fn json_text(value: &Value) -> String {
    let mut out = String::new();
    write_json(value, &mut out);
    out
}

fn write_json(value: &Value, out: &mut String) {
    match value.kind() {
        Kind::Null(_) | Kind::Unknown(_) => out.push_str("null"),
        Kind::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Kind::Number(n) => out.push_str(&number_to_string(n)),
        Kind::String(s) => write_json_string(s, out),
        Kind::List(_, items) | Kind::Set(_, items) | Kind::Tuple(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json(item, out);
            }
            out.push(']');
        }
        Kind::Map(_, map) | Kind::Object(map) => {
            out.push('{');
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json_string(key, out);
                out.push(':');
                write_json(item, out);
            }
            out.push('}');
        }
    }
}

fn write_json_string(text: &str, out: &mut String) {
    let quoted = serde_json::Value::from(text).to_string();
    for c in quoted.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
}

fn urlencode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn urldecode(c: &Call<'_>) -> Result {
    let mut out = Vec::new();
    let mut bytes = c.str(0).bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = [bytes.next(), bytes.next()]
                    .map(|d| d.map(char::from).and_then(|d| d.to_digit(16)));
                let [Some(high), Some(low)] = digits else {
                    return Err(CallError::arg(0, "invalid URL escape"));
                };
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
            }
            _ => out.push(byte),
        }
    }
    let text =
        String::from_utf8(out).map_err(|_| CallError::arg(0, "the result is not valid UTF-8"))?;
    Ok(Value::string(text))
}

/// RFC 9562 §5.5: a name-based UUID from SHA-1.
fn uuidv5(c: &Call<'_>) -> Result {
    let namespace = match c.str(0) {
        "dns" | "6ba7b810-9dad-11d1-80b4-00c04fd430c8" => 0x6ba7_b810_u32,
        "url" | "6ba7b811-9dad-11d1-80b4-00c04fd430c8" => 0x6ba7_b811,
        "oid" | "6ba7b812-9dad-11d1-80b4-00c04fd430c8" => 0x6ba7_b812,
        "x500" | "6ba7b814-9dad-11d1-80b4-00c04fd430c8" => 0x6ba7_b814,
        _ => 0,
    };
    let mut input = Vec::new();
    if namespace == 0 {
        let digits: Vec<u32> = c
            .str(0)
            .chars()
            .filter(|d| *d != '-')
            .filter_map(|d| d.to_digit(16))
            .collect();
        if digits.len() != 32 {
            return Err(CallError::arg(
                0,
                "the namespace must be dns, url, oid, x500 or a UUID",
            ));
        }
        input.extend(
            digits
                .chunks(2)
                .map(|d| u8::try_from(d[0] * 16 + d[1]).unwrap_or(0)),
        );
    } else {
        input.extend(namespace.to_be_bytes());
        input.extend([
            0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8,
        ]);
    }
    input.extend(c.str(1).as_bytes());
    let mut id = sha1::Sha1::digest(&input)[..16].to_vec();
    id[6] = (id[6] & 0x0f) | 0x50;
    id[8] = (id[8] & 0x3f) | 0x80;
    let text = hex(&id);
    Ok(Value::string(format!(
        "{}-{}-{}-{}-{}",
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..]
    )))
}

fn csvdecode(c: &Call<'_>) -> Result {
    let rows = csv_rows(c.str(0))?;
    let mut rows = rows.into_iter();
    let header = rows
        .next()
        .ok_or_else(|| CallError::arg(0, "missing header line"))?;
    if let Some(twice) = (header.iter().enumerate())
        .find_map(|(at, name)| header[..at].contains(name).then_some(name))
    {
        return Err(CallError::about(
            0,
            format!("two columns are named \"{twice}\""),
        ));
    }
    let mut out = Vec::new();
    for (number, row) in rows.enumerate() {
        if row.len() != header.len() {
            return Err(CallError::arg(
                0,
                format!("wrong number of fields in record {}", number + 2),
            ));
        }
        let fields = header.iter().cloned().zip(row.iter().map(Value::string));
        out.push(Value::object(fields.collect::<BTreeMap<_, _>>()));
    }
    let element = out.first().map_or(Type::Dynamic, Value::ty);
    Ok(Value::list(element, out))
}

/// RFC 4180 §2: fields, quotes, doubled quotes; empty lines are skipped.
fn csv_rows(text: &str) -> Result<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    let mut row: Vec<String> = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            _ if quoted => field.push(c),
            '"' if field.is_empty() => quoted = true,
            '"' => return Err(CallError::arg(0, "a quote inside an unquoted field")),
            ',' => row.push(std::mem::take(&mut field)),
            '\r' => {}
            '\n' => {
                if !(row.is_empty() && field.is_empty()) {
                    row.push(std::mem::take(&mut field));
                    rows.push(std::mem::take(&mut row));
                }
            }
            _ => field.push(c),
        }
    }
    if quoted {
        return Err(CallError::arg(0, "a quoted field does not end"));
    }
    if !(row.is_empty() && field.is_empty()) {
        row.push(field);
        rows.push(row);
    }
    Ok(rows)
}
