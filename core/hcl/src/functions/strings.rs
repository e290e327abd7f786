//! String functions and the regular expression family.

use std::collections::BTreeMap;

use bigdecimal::BigDecimal;
use regex::Regex;
use unicode_segmentation::UnicodeSegmentation;

use super::{
    Call, CallError, Function, P, Result, boolean, dynamic, number, pattern, pure, string, strings,
};
use crate::ty::Type;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    pure("chomp", &[P::Str], string, |c| {
        Ok(Value::string(c.str(0).trim_end_matches(['\n', '\r'])))
    }),
    pure("endswith", &[P::Str, P::Str], boolean, |c| {
        Ok(Value::bool(c.str(0).ends_with(c.str(1))))
    }),
    pure("indent", &[P::Num, P::Str], string, indent),
    pure("join", &[P::Str], string, join).rest(P::Strs),
    pure("lower", &[P::Str], string, |c| {
        let text = c.str(0).chars().map(|c| single(c, c.to_lowercase()));
        Ok(Value::string(text.collect::<String>()))
    }),
    pure("regex", &[P::Str, P::Str], dynamic, regex_first),
    pure("regexall", &[P::Str, P::Str], dynamic, regex_all),
    pure("replace", &[P::Str, P::Str, P::Str], string, replace),
    pure("split", &[P::Str, P::Str], strings, |c| {
        Ok(Value::strings(split(c.str(1), c.str(0))))
    }),
    pure("startswith", &[P::Str, P::Str], boolean, starts_with).raw(),
    pure("strcontains", &[P::Str, P::Str], boolean, |c| {
        Ok(Value::bool(c.str(0).contains(c.str(1))))
    })
    .nullable(),
    pure("strrev", &[P::Str], string, |c| {
        Ok(Value::string(
            c.str(0).graphemes(true).rev().collect::<String>(),
        ))
    }),
    pure("strlen", &[P::Str], number, |c| {
        Ok(Value::number(c.str(0).graphemes(true).count() as u64))
    }),
    pure("substr", &[P::Str, P::Num, P::Num], string, substr),
    pure("title", &[P::Str], string, |c| {
        Ok(Value::string(title(c.str(0))))
    }),
    pure("trim", &[P::Str, P::Str], string, |c| {
        let cut: Vec<char> = c.str(1).chars().collect();
        Ok(Value::string(c.str(0).trim_matches(cut.as_slice())))
    }),
    pure("trimprefix", &[P::Str, P::Str], string, |c| {
        let text = c.str(0);
        Ok(Value::string(text.strip_prefix(c.str(1)).unwrap_or(text)))
    }),
    pure("trimsuffix", &[P::Str, P::Str], string, |c| {
        let text = c.str(0);
        Ok(Value::string(text.strip_suffix(c.str(1)).unwrap_or(text)))
    }),
    pure("trimspace", &[P::Str], string, |c| {
        Ok(Value::string(c.str(0).trim()))
    }),
    pure("upper", &[P::Str], string, |c| {
        let text = c.str(0).chars().map(|c| single(c, c.to_uppercase()));
        Ok(Value::string(text.collect::<String>()))
    }),
];

/// One character for one, as Terraform maps them: `ß` stays.
fn single(from: char, mut to: impl Iterator<Item = char>) -> char {
    match (to.next(), to.next()) {
        (Some(to), None) => to,
        _ => from,
    }
}

/// A beginning that is known may decide before the text is.
fn starts_with(c: &Call<'_>) -> Result {
    let (text, prefix) = (&c.args[0], &c.args[1]);
    let Some(prefix) = prefix.as_str() else {
        return Ok(Value::unknown(Type::Bool));
    };
    if let Some(text) = text.as_str() {
        return Ok(Value::bool(text.starts_with(prefix)));
    }
    let known = text.range().prefix;
    Ok(if known.starts_with(prefix) {
        Value::bool(true)
    } else if known.len() >= prefix.len() {
        Value::bool(false)
    } else {
        Value::unknown(Type::Bool)
    })
}

fn split<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    if text.is_empty() && separator.is_empty() {
        Vec::new()
    } else if separator.is_empty() {
        text.split("").filter(|part| !part.is_empty()).collect()
    } else {
        text.split(separator).collect()
    }
}

fn join(c: &Call<'_>) -> Result {
    if c.len() < 2 {
        return Err("it needs a list after the separator".into());
    }
    let mut parts = Vec::new();
    for index in 1..c.len() {
        parts.extend(c.strs(index)?);
    }
    let len: usize = parts.iter().map(|p| p.len() + c.str(0).len()).sum();
    if len > crate::STRING_LEN_MAX {
        return Err("the resulting text is longer than 16 MiB".into());
    }
    Ok(Value::string(parts.join(c.str(0))))
}

fn indent(c: &Call<'_>) -> Result {
    let count = usize::try_from(c.int(0)?).ok().filter(|n| *n <= 1_000);
    let count = count.ok_or_else(|| CallError::arg(0, "the number of spaces must be 0 to 1000"))?;
    let pad = format!("\n{}", " ".repeat(count));
    Ok(Value::string(c.str(1).replace('\n', &pad)))
}

fn substr(c: &Call<'_>) -> Result {
    let graphemes: Vec<&str> = c.str(0).graphemes(true).collect();
    let len = i64::try_from(graphemes.len()).unwrap_or(i64::MAX);
    let (mut offset, mut length) = (c.int(1)?, c.int(2)?);
    if offset < 0 {
        offset += len;
        if offset < 0 {
            return Ok(Value::string(""));
        }
    }
    if length < 0 {
        length = len;
    }
    let start = usize::try_from(offset.min(len)).unwrap_or(0);
    let end = usize::try_from(offset.saturating_add(length).min(len)).unwrap_or(0);
    Ok(Value::string(
        graphemes.get(start..end).unwrap_or_default().concat(),
    ))
}

fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut start = true;
    for c in text.chars() {
        if start {
            out.push(single(c, c.to_uppercase()));
        } else {
            out.push(c);
        }
        start = (c.is_ascii() || c.is_whitespace()) && c != '_' && !c.is_alphanumeric();
    }
    out
}

pub(super) fn compile(text: &str, argument: usize) -> Result<Regex> {
    pattern::compile(text).map_err(|e| CallError::arg(argument, e))
}

fn replace(c: &Call<'_>) -> Result {
    let (text, find, with) = (c.str(0), c.str(1), c.str(2));
    let bound = text
        .len()
        .saturating_add(text.len().saturating_mul(with.len()));
    if bound > crate::STRING_LEN_MAX * 4 {
        return Err("the resulting text may be longer than 16 MiB".into());
    }
    // A search text between slashes is a regular expression.
    if find.len() > 1 && find.starts_with('/') && find.ends_with('/') {
        let regex = compile(&find[1..find.len() - 1], 1)?;
        return Ok(Value::string(regex.replace_all(text, with)));
    }
    Ok(Value::string(text.replace(find, with)))
}

/// The result of one match: the whole text, the groups in order, or the groups by name.
fn capture(regex: &Regex, captures: &regex::Captures<'_>) -> Value {
    let text = |m: Option<regex::Match<'_>>| {
        m.map_or_else(
            || Value::null_of(Type::String),
            |m| Value::string(m.as_str()),
        )
    };
    if regex.captures_len() == 1 {
        return text(captures.get(0));
    }
    let names: Vec<&str> = regex.capture_names().flatten().collect();
    if names.is_empty() {
        let groups = (1..regex.captures_len()).map(|i| text(captures.get(i)));
        return Value::tuple(groups.collect());
    }
    let groups = names
        .into_iter()
        .map(|n| (n.to_owned(), text(captures.name(n))));
    Value::object(groups.collect::<BTreeMap<_, _>>())
}

fn groups_mixed(regex: &Regex) -> bool {
    let named = regex.capture_names().flatten().count();
    named > 0 && named + 1 < regex.captures_len()
}

fn regex_first(c: &Call<'_>) -> Result {
    let regex = compile(c.str(0), 0)?;
    if groups_mixed(&regex) {
        return Err(CallError::arg(
            0,
            "named and unnamed groups cannot be mixed",
        ));
    }
    match regex.captures(c.str(1)) {
        Some(captures) => Ok(capture(&regex, &captures)),
        None => Err(CallError::arg(
            1,
            "pattern did not match any part of the given string",
        )),
    }
}

fn regex_all(c: &Call<'_>) -> Result {
    let regex = compile(c.str(0), 0)?;
    if groups_mixed(&regex) {
        return Err(CallError::arg(
            0,
            "named and unnamed groups cannot be mixed",
        ));
    }
    let found: Vec<Value> = regex
        .captures_iter(c.str(1))
        .map(|m| capture(&regex, &m))
        .collect();
    let element = found.first().map_or(Type::String, Value::ty);
    Ok(Value::list(element, found))
}

/// The number in a text of a base from 2 to 62 (`parseint`).
pub(super) fn parse_int(text: &str, base: u32) -> Option<BigDecimal> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if digits.is_empty() || digits.len() > 400 {
        return None;
    }
    let mut number = BigDecimal::from(0);
    for c in digits.chars() {
        // Up to base 36 letters of both cases are alike; above, lower case comes first.
        let digit = match c {
            '0'..='9' => u32::from(c) - u32::from('0'),
            'a'..='z' => u32::from(c) - u32::from('a') + 10,
            'A'..='Z' if base <= 36 => u32::from(c) - u32::from('A') + 10,
            'A'..='Z' => u32::from(c) - u32::from('A') + 36,
            _ => return None,
        };
        if digit >= base {
            return None;
        }
        number = number * base + digit;
    }
    Some(if negative { -number } else { number })
}
