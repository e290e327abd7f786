//! Functions that read files, through the caller's [`Files`](crate::Files).

use std::collections::BTreeMap;

use base64::Engine as _;
use md5::Digest as _;

use super::encoding::hex;
use super::{Call, CallError, Function, P, Result, boolean, dynamic, pure, string};
use crate::convert::convert;
use crate::eval::{Evaluator, Outcome};
use crate::files::join_path;
use crate::lower::parse_template;
use crate::ty::Type;
use crate::value::Value;
use crate::{Diagnostic, Span};

pub(super) const FUNCTIONS: &[Function] = &[
    // The directory of the stack is `.`: what a path means outside is not known here.
    pure("abspath", &[P::Str], string, |c| {
        Ok(Value::string(join_path("", c.str(0))))
    }),
    pure("basename", &[P::Str], string, |c| {
        Ok(Value::string(basename(c.str(0))))
    }),
    pure("dirname", &[P::Str], string, |c| {
        Ok(Value::string(dirname(c.str(0))))
    }),
    pure("file", &[P::Str], string, |c| {
        if is_elsewhere(c) {
            return Ok(Value::unknown(Type::String).placeholder(c.str(0)));
        }
        text(c).map(Value::string)
    }),
    pure("filebase64", &[P::Str], string, |c| {
        Ok(Value::string(
            base64::engine::general_purpose::STANDARD.encode(bytes(c)?),
        ))
    }),
    pure("filebase64sha256", &[P::Str], string, |c| {
        let digest = sha2::Sha256::digest(bytes(c)?);
        Ok(Value::string(
            base64::engine::general_purpose::STANDARD.encode(digest),
        ))
    }),
    pure("filebase64sha512", &[P::Str], string, |c| {
        let digest = sha2::Sha512::digest(bytes(c)?);
        Ok(Value::string(
            base64::engine::general_purpose::STANDARD.encode(digest),
        ))
    }),
    pure("fileexists", &[P::Str], boolean, |c| {
        Ok(Value::bool(c.files.exists(c.str(0))))
    }),
    pure("filemd5", &[P::Str], string, |c| {
        Ok(Value::string(hex(&md5::Md5::digest(bytes(c)?))))
    }),
    pure("fileset", &[P::Str, P::Str], dynamic, fileset),
    pure("filesha1", &[P::Str], string, |c| {
        Ok(Value::string(hex(&sha1::Sha1::digest(bytes(c)?))))
    }),
    pure("filesha256", &[P::Str], string, |c| {
        Ok(Value::string(hex(&sha2::Sha256::digest(bytes(c)?))))
    }),
    pure("filesha512", &[P::Str], string, |c| {
        Ok(Value::string(hex(&sha2::Sha512::digest(bytes(c)?))))
    }),
    pure("pathexpand", &[P::Str], string, |c| {
        Ok(Value::string(c.str(0)))
    }),
];

fn bytes(c: &Call<'_>) -> Result<Vec<u8>> {
    c.files.read(c.str(0)).map_err(|e| CallError::arg(0, e))
}

/// A file on the writer's own machine (`~/.ssh/id_rsa.pub`): it may be there, and nobody reads it.
fn is_elsewhere(c: &Call<'_>) -> bool {
    c.str(0).starts_with(['/', '~']) && !c.files.exists(c.str(0))
}

fn text(c: &Call<'_>) -> Result<String> {
    String::from_utf8(bytes(c)?).map_err(|_| {
        CallError::arg(
            0,
            "the file is not valid UTF-8; use filebase64 for arbitrary content",
        )
    })
}

fn basename(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    if path.is_empty() {
        "."
    } else {
        path.rsplit('/').next().unwrap_or(path)
    }
}

fn dirname(path: &str) -> String {
    match path.rsplit_once('/') {
        None => ".".to_owned(),
        Some(("", _)) => "/".to_owned(),
        Some((directory, _)) => join_path("", directory),
    }
}

/// Names in one directory that match a pattern of `*`, `?`, `[…]` and `{a,b}`; `**` is not there.
fn fileset(c: &Call<'_>) -> Result {
    let (base, pattern) = (c.str(0), c.str(1));
    if pattern.contains("**") {
        return Err(CallError::arg(
            1,
            "** is not supported here; name the directory",
        ));
    }
    let (below, pattern) = pattern
        .rsplit_once('/')
        .map_or(("", pattern), |(d, p)| (d, p));
    if below.contains(['*', '?', '[', '{']) {
        return Err(CallError::arg(
            1,
            "patterns in directory names are not supported here",
        ));
    }
    let mut regex = String::from("^");
    let mut braces = 0_u32;
    for part in pattern.chars() {
        match part {
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '[' | ']' => regex.push(part),
            '{' => {
                braces += 1;
                regex.push_str("(?:");
            }
            '}' if braces > 0 => {
                braces -= 1;
                regex.push(')');
            }
            ',' if braces > 0 => regex.push('|'),
            _ => regex.push_str(&regex::escape(&part.to_string())),
        }
    }
    regex.push('$');
    let regex = super::strings::compile(&regex, 1)?;
    let names = c.files.list(&join_path(base, below)).unwrap_or_default();
    let prefix = if below.is_empty() {
        String::new()
    } else {
        format!("{below}/")
    };
    let found = names
        .iter()
        .filter(|n| regex.is_match(n))
        .map(|n| Value::string(format!("{prefix}{n}")));
    Ok(Value::set(Type::String, found.collect()))
}

/// How deep templates may call templates.
const TEMPLATE_DEPTH_MAX: u32 = 16;

/// `templatefile(path, vars)` and `templatestring(text, vars)`.
pub(super) fn template(
    evaluator: &mut Evaluator<'_>,
    name: &str,
    args: &[Value],
    span: &Span,
) -> Result<Outcome> {
    let [source, vars] = args else {
        return Err(format!("it takes 2 arguments, not {}", args.len()).into());
    };
    let mut marks = source.marks();
    marks.join(&vars.marks());
    let source = convert(source, &Type::String).map_err(|e| CallError::arg(0, e.to_string()))?;
    if source.is_unknown() || vars.is_unknown() {
        return Ok(Ok(Value::unknown(Type::String).with_marks(&marks)));
    }
    let vars: BTreeMap<String, Value> = vars
        .as_map()
        .ok_or_else(|| CallError::arg(1, "a map or object is required"))?
        .clone();
    let source = source
        .as_str()
        .ok_or_else(|| CallError::arg(0, "argument must not be null"))?;
    let (file, text) = if name == "templatefile" {
        let bytes = evaluator
            .files
            .read(source)
            .map_err(|e| CallError::arg(0, e))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| CallError::arg(0, "the template is not valid UTF-8"))?;
        (source.to_owned(), text)
    } else {
        (
            format!("{}:{} (template)", span.file, span.line),
            source.to_owned(),
        )
    };
    if evaluator.depth >= TEMPLATE_DEPTH_MAX {
        return Err(CallError::arg(0, "templates call each other too deeply"));
    }
    let expr = match parse_template(&file, &text) {
        Ok(expr) => expr,
        Err(errors) => {
            evaluator.diagnostics.extend(errors);
            return Ok(Err(crate::eval::Failed));
        }
    };
    let mut inner = Evaluator {
        scope: &vars,
        files: evaluator.files,
        locals: Vec::new(),
        diagnostics: Vec::new(),
        work: evaluator.work,
        depth: evaluator.depth + 1,
    };
    let result = inner.expr(&expr);
    evaluator.work = inner.work;
    let said = std::mem::take(&mut inner.diagnostics);
    evaluator.diagnostics.extend(said.into_iter().map(|d| {
        Diagnostic {
            help: d
                .help
                .or_else(|| Some(format!("The template is used at {span}."))),
            ..d
        }
    }));
    Ok(result.map(|v| v.with_marks(&marks)))
}
