//! Functions that read files, through the caller's [`Files`](crate::Files).

use std::collections::BTreeMap;

use base64::Engine as _;
use md5::Digest as _;

use super::encoding::hex;
use super::{Call, CallError, Function, P, Result, boolean, pure, string};
use crate::convert::convert;
use crate::eval::{Evaluator, Outcome};
use crate::files::join_path;
use crate::lower::parse_template;
use crate::ty::Type;
use crate::value::Value;
use crate::{Diagnostic, Files, Span};

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
    pure("file", &[P::Str], string, |c| of_text(c, Value::string)),
    pure("filebase64", &[P::Str], string, |c| of_bytes(c, base64)),
    pure("filebase64sha256", &[P::Str], string, |c| {
        of_bytes(c, |bytes| base64(&sha2::Sha256::digest(bytes)))
    }),
    pure("filebase64sha512", &[P::Str], string, |c| {
        of_bytes(c, |bytes| base64(&sha2::Sha512::digest(bytes)))
    }),
    pure("fileexists", &[P::Str], boolean, |c| {
        Ok(match elsewhere(c, Type::Bool) {
            Some(placeholder) => placeholder,
            None => Value::bool(c.files.exists(c.str(0))),
        })
    }),
    pure("filemd5", &[P::Str], string, |c| {
        of_bytes(c, |bytes| hex(&md5::Md5::digest(bytes)))
    }),
    pure("fileset", &[P::Str, P::Str], paths, fileset),
    pure("filesha1", &[P::Str], string, |c| {
        of_bytes(c, |bytes| hex(&sha1::Sha1::digest(bytes)))
    }),
    pure("filesha256", &[P::Str], string, |c| {
        of_bytes(c, |bytes| hex(&sha2::Sha256::digest(bytes)))
    }),
    pure("filesha512", &[P::Str], string, |c| {
        of_bytes(c, |bytes| hex(&sha2::Sha512::digest(bytes)))
    }),
    pure("pathexpand", &[P::Str], string, |c| {
        Ok(Value::string(c.str(0)))
    }),
];

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn of_bytes(c: &Call<'_>, how: fn(&[u8]) -> String) -> Result {
    if let Some(placeholder) = elsewhere(c, Type::String) {
        return Ok(placeholder);
    }
    let bytes = c.files.read(c.str(0)).map_err(|e| CallError::arg(0, e))?;
    Ok(Value::string(how(&bytes)))
}

fn of_text(c: &Call<'_>, how: fn(String) -> Value) -> Result {
    if let Some(placeholder) = elsewhere(c, Type::String) {
        return Ok(placeholder);
    }
    let bytes = c.files.read(c.str(0)).map_err(|e| CallError::arg(0, e))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        CallError::arg(
            0,
            "the file is not valid UTF-8; use filebase64 for arbitrary content",
        )
    })?;
    Ok(how(text))
}

/// What stands for something about a file that is out of reach, or whose path nobody knows.
fn elsewhere(c: &Call<'_>, ty: Type) -> Option<Value> {
    let stands_in = c.args.first().is_some_and(Value::is_placeholder);
    let is_there = || c.files.exists(c.str(0));
    let out_of_reach = (stands_in && !is_there()) || is_elsewhere(c.files, c.str(0));
    out_of_reach.then(|| Value::unknown(ty).placeholder(c.str(0)))
}

/// A path on the writer's own machine (`~/.ssh/id_rsa.pub`, `../keys/id`): something may be there, and
/// nobody reads it.
fn is_elsewhere(files: &dyn Files, path: &str) -> bool {
    if files.exists(path) || files.list(path).is_some() {
        return false;
    }
    let resolved = join_path("", path);
    if resolved.starts_with(['/', '~']) {
        return true;
    }
    // A folder outside of which something was read was read as a whole.
    let folder = resolved.rsplit_once('/').map_or("", |(folder, _)| folder);
    resolved.starts_with("..") && files.list(folder).is_none()
}

fn basename(whole: &str) -> &str {
    let path = whole.trim_end_matches('/');
    if path.is_empty() {
        if whole.is_empty() { "." } else { "/" }
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

/// The files below a directory whose paths match a pattern of `*`, `**`, `?`, `[…]` and `{a,b}`.
fn paths(_: &[Value]) -> Type {
    Type::set(Type::String)
}

fn fileset(c: &Call<'_>) -> Result {
    if let Some(placeholder) = elsewhere(c, Type::set(Type::String)) {
        return Ok(placeholder);
    }
    let regex = super::strings::compile(&glob(&join_path("", c.str(1))), 1)?;
    let paths = c.files.below(c.str(0));
    let found = paths.iter().filter(|path| regex.is_match(path));
    Ok(Value::set(Type::String, found.map(Value::string).collect()))
}

/// The regular expression of a pattern for paths.
fn glob(pattern: &str) -> String {
    let mut regex = String::from("^");
    let mut braces = 0_u32;
    let mut rest = pattern;
    while let Some(part) = rest.chars().next() {
        // `**/` stands for any number of folders, none too.
        let (taken, text) = match part {
            '*' if rest.starts_with("**/") => (3, "(?:[^/]+/)*".to_owned()),
            '*' if rest.starts_with("**") => (2, ".*".to_owned()),
            '*' => (1, "[^/]*".to_owned()),
            '?' => (1, "[^/]".to_owned()),
            '[' | ']' => (1, part.to_string()),
            '{' => {
                braces += 1;
                (1, "(?:".to_owned())
            }
            '}' if braces > 0 => {
                braces -= 1;
                (1, ")".to_owned())
            }
            ',' if braces > 0 => (1, "|".to_owned()),
            _ => (part.len_utf8(), regex::escape(&part.to_string())),
        };
        regex.push_str(&text);
        rest = &rest[taken..];
    }
    regex.push('$');
    regex
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
    // Before the text is known, any of them may be used.
    let mut all = marks.clone();
    all.join(&vars.deep_marks());
    let source = convert(source, &Type::String).map_err(|e| CallError::arg(0, e.to_string()))?;
    if source.is_unknown() || vars.is_unknown() {
        return Ok(Ok(Value::unknown(Type::Dynamic).with_marks(&all)));
    }
    let vars: BTreeMap<String, Value> = vars
        .as_map()
        .ok_or_else(|| CallError::arg(1, "a map or object is required"))?
        .clone();
    let source = source
        .as_str()
        .ok_or_else(|| CallError::arg(0, "argument must not be null"))?;
    let (file, text) = if name == "templatefile" {
        if is_elsewhere(evaluator.files, source) {
            let value = Value::unknown(Type::String).placeholder(source);
            return Ok(Ok(value.with_marks(&marks)));
        }
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
