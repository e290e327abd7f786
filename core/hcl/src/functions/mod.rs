//! Terraform's functions.
//!
//! Each function is a row: parameters with their types, and what it does with known arguments.
//! The caller here converts arguments, refuses nulls, makes the result unknown when an argument
//! is, and passes marks on; rows that look inside collections do the last two themselves.

mod collections;
mod encoding;
mod filesystem;
mod format;
mod net;
mod numeric;
mod pattern;
mod provider;
mod result;
mod strings;
mod types;
mod yaml;

use crate::ast::Expr;
use crate::convert::convert;
use crate::eval::{Evaluator, Failed, Outcome};
use crate::ty::Type;
use crate::value::{Marks, Value};
use crate::{Diagnostic, Files, Span};

/// What a function says when it cannot do its work, about which argument.
#[derive(Debug)]
pub(crate) struct CallError {
    kind: CallErrorKind,
    argument: Option<usize>,
    message: String,
}

#[derive(Clone, Copy, Debug)]
enum CallErrorKind {
    TooFew,
    TooMany,
    Argument,
    Failed,
}

impl From<String> for CallError {
    fn from(message: String) -> Self {
        Self {
            kind: CallErrorKind::Failed,
            argument: None,
            message,
        }
    }
}

impl From<&str> for CallError {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl CallError {
    fn arg(argument: usize, message: impl Into<String>) -> Self {
        Self {
            kind: CallErrorKind::Argument,
            argument: Some(argument),
            message: message.into(),
        }
    }

    /// The call as a whole failed, and one argument is the reason.
    fn about(argument: usize, message: impl Into<String>) -> Self {
        Self {
            kind: CallErrorKind::Failed,
            ..Self::arg(argument, message)
        }
    }

    /// What Terraform calls it.
    fn summary(&self) -> &'static str {
        match self.kind {
            CallErrorKind::TooFew => "Not enough function arguments",
            CallErrorKind::TooMany => "Too many function arguments",
            CallErrorKind::Argument => "Invalid function argument",
            CallErrorKind::Failed => "Error in function call",
        }
    }
}

type Result<T = Value> = std::result::Result<T, CallError>;

/// The type a parameter is converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum P {
    /// Taken as it is; a null is refused.
    Any,
    /// Taken as it is, null too.
    Nullable,
    Str,
    Num,
    /// `list(string)`
    Strs,
    /// `list(any)`
    List,
    /// `set(any)`
    Set,
    /// `list(bool)`
    Bools,
    /// A list or a tuple.
    Seq,
    /// A list, a set or a tuple.
    Items,
    /// A map or an object.
    Mapping,
    /// A map or an object, or null.
    MappingOrNull,
    /// `map(list(string))`
    Lists,
}

impl P {
    fn ty(self) -> Type {
        match self {
            Self::Any
            | Self::Nullable
            | Self::Seq
            | Self::Items
            | Self::Mapping
            | Self::MappingOrNull => Type::Dynamic,
            Self::Lists => Type::map(Type::list(Type::String)),
            Self::Bools => Type::list(Type::Bool),
            Self::Str => Type::String,
            Self::Num => Type::Number,
            Self::Strs => Type::list(Type::String),
            Self::List => Type::list(Type::Dynamic),
            Self::Set => Type::set(Type::Dynamic),
        }
    }

    /// What is required instead of a value of a type, known or not.
    fn refusal(self, ty: &Type) -> Option<&'static str> {
        let is_seq = matches!(ty, Type::List(_) | Type::Tuple(_) | Type::Dynamic);
        let (fits, wanted) = match self {
            Self::Seq => (is_seq, "a list or tuple is required"),
            Self::Items => (
                is_seq || matches!(ty, Type::Set(_)),
                "a list, set or tuple is required",
            ),
            Self::Mapping | Self::MappingOrNull => (
                matches!(ty, Type::Map(_) | Type::Object(_) | Type::Dynamic),
                "a map or object is required",
            ),
            _ => (true, ""),
        };
        (!fits).then_some(wanted)
    }
}

/// How a function treats unknown parts and marks inside its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// It needs everything: an unknown anywhere makes the result unknown, all marks go to it.
    Deep,
    /// It moves elements about: only wholly unknown arguments matter, elements keep their marks.
    Shallow,
    /// It is called even with unknown arguments; elements keep their marks.
    Raw,
}

/// One function.
struct Function {
    name: &'static str,
    params: &'static [P],
    /// The type of further arguments, if any number is taken.
    rest: Option<P>,
    /// How many of `params` must be there.
    required: usize,
    depth: Depth,
    /// The type of the result while an argument is unknown.
    result: fn(&[Value]) -> Type,
    /// Whether the result may be null.
    nullable: bool,
    run: fn(&Call<'_>) -> Result,
}

/// The arguments of a call, converted.
struct Call<'a> {
    args: &'a [Value],
    files: &'a dyn Files,
}

impl Call<'_> {
    fn len(&self) -> usize {
        self.args.len()
    }

    fn str(&self, index: usize) -> &str {
        self.args
            .get(index)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    fn items(&self, index: usize) -> &[Value] {
        self.args
            .get(index)
            .and_then(Value::as_slice)
            .unwrap_or_default()
    }

    fn int(&self, index: usize) -> Result<i64> {
        let number = self.args.get(index).and_then(Value::as_i64);
        number.ok_or_else(|| CallError::arg(index, "a whole number is required"))
    }

    /// The texts of a `list(string)`; a null element is refused.
    fn strs(&self, index: usize) -> Result<Vec<&str>> {
        self.items(index)
            .iter()
            .map(|v| {
                v.as_str()
                    .ok_or_else(|| CallError::arg(index, "elements must not be null"))
            })
            .collect()
    }
}

fn dynamic(_: &[Value]) -> Type {
    Type::Dynamic
}
fn string(_: &[Value]) -> Type {
    Type::String
}
fn number(_: &[Value]) -> Type {
    Type::Number
}
fn boolean(_: &[Value]) -> Type {
    Type::Bool
}
fn strings(_: &[Value]) -> Type {
    Type::list(Type::String)
}

/// A function whose arguments must be known.
const fn pure(
    name: &'static str,
    params: &'static [P],
    result: fn(&[Value]) -> Type,
    run: fn(&Call<'_>) -> Result,
) -> Function {
    Function {
        name,
        params,
        rest: None,
        required: params.len(),
        depth: Depth::Deep,
        result,
        nullable: false,
        run,
    }
}

impl Function {
    const fn rest(mut self, rest: P) -> Self {
        self.rest = Some(rest);
        self
    }

    const fn optional(mut self, count: usize) -> Self {
        self.required = self.params.len() - count;
        self
    }

    const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    const fn shallow(mut self) -> Self {
        self.depth = Depth::Shallow;
        self
    }

    const fn raw(mut self) -> Self {
        self.depth = Depth::Raw;
        self
    }
}

/// The tables, one per family.
fn tables() -> [&'static [Function]; 8] {
    [
        strings::FUNCTIONS,
        collections::FUNCTIONS,
        numeric::FUNCTIONS,
        encoding::FUNCTIONS,
        net::FUNCTIONS,
        types::FUNCTIONS,
        format::FUNCTIONS,
        filesystem::FUNCTIONS,
    ]
}

/// Functions that see their arguments unevaluated.
const SPECIAL: [&str; 4] = ["try", "can", "templatefile", "templatestring"];

/// Functions whose result differs from run to run. Terraform computes them at apply; here they
/// stay unknown, with a warning, because a rehearsal must be the same twice.
const IMPURE: [&str; 4] = ["timestamp", "plantimestamp", "uuid", "bcrypt"];

/// The names of all functions, in order.
#[must_use]
pub fn function_names() -> Vec<&'static str> {
    let mut names: Vec<&'static str> = tables()
        .iter()
        .flat_map(|t| t.iter().map(|f| f.name))
        .collect();
    names.extend(SPECIAL);
    names.extend(IMPURE);
    names.sort_unstable();
    names
}

/// The value of a JSON document: arrays are tuples, objects are objects.
#[must_use]
pub fn from_json(json: &serde_json::Value) -> Value {
    encoding::from_json(json)
}

/// The JSON text of a value as `jsonencode` writes it; unknown parts are null.
#[must_use]
pub fn to_json(value: &Value) -> String {
    encoding::json_text(value)
}

/// Calls a function by name.
pub(crate) fn call(
    evaluator: &mut Evaluator<'_>,
    name: &str,
    name_span: &Span,
    args: &[Expr],
    expand: bool,
    span: &Span,
) -> Outcome {
    // `core::` is the namespace of the built-in functions.
    let name = name.strip_prefix("core::").unwrap_or(name);
    match name {
        "try" => return special_try(evaluator, args, span),
        "can" => return special_can(evaluator, args, span),
        _ => {}
    }
    let mut values = evaluator.all(args)?;
    let mut marks = Marks::default();
    if expand && let Some(last) = values.pop() {
        marks.join(&last.marks());
        let expr_span = args.last().map_or(span, |a| &a.span);
        match last.as_slice() {
            Some(items) => values.extend(items.iter().cloned()),
            None if last.is_unknown() => {
                return Ok(Value::unknown(Type::Dynamic).with_marks(&marks));
            }
            None => {
                let detail = "the argument before ... must be a list, set or tuple";
                let diagnostic = Diagnostic::error("Invalid expanding argument value", detail);
                return Err(evaluator.fail(diagnostic.at(expr_span)));
            }
        }
    }
    let failure = |error: CallError| {
        let place = error
            .argument
            .and_then(|i| args.get(i))
            .map_or(span, |a| &a.span);
        let detail = format!("call to function \"{name}\" failed: {}", error.message);
        Diagnostic::error(error.summary(), detail).at(place)
    };
    match name {
        "templatefile" | "templatestring" => {
            return filesystem::template(evaluator, name, &values, span)
                .map_err(|e| evaluator.fail(failure(e)))?;
        }
        _ if IMPURE.contains(&name) => {
            let detail = format!(
                "{name}() gives something else each time; its value stays unknown in a rehearsal"
            );
            let warning = Diagnostic::warning("Value not reproducible", detail).at(name_span);
            evaluator.diagnostics.push(warning);
            return impure(name, &values)
                .map(|v| v.with_marks(&marks))
                .map_err(|e| evaluator.fail(failure(e)));
        }
        _ => {}
    }
    if let Some(rest) = name.strip_prefix("provider::") {
        let Some((provider, _)) = rest.split_once("::") else {
            let detail = format!("\"{name}\" is not provider::PROVIDER::FUNCTION");
            let diagnostic = Diagnostic::error("Unknown provider function", detail);
            return Err(evaluator.fail(diagnostic.at(name_span)));
        };
        return Ok(of_provider(evaluator, (provider, name), name_span, &values).with_marks(&marks));
    }
    let Some(function) = tables().into_iter().flatten().find(|f| f.name == name) else {
        let detail = format!("there is no function named \"{name}\"");
        let diagnostic = Diagnostic::error("Call to unknown function", detail)
            .at(name_span)
            .suggest(name, function_names());
        return Err(evaluator.fail(diagnostic));
    };
    if matches!(name, "list" | "map") {
        let detail = format!(
            "Terraform 0.15 dropped {name}(); write {}",
            if name == "list" {
                "[...] or tolist"
            } else {
                "{...} or tomap"
            }
        );
        evaluator
            .diagnostics
            .push(Diagnostic::warning("Function dropped by Terraform", detail).at(name_span));
    }
    evaluator.weigh(&values, span)?;
    match run(function, values, evaluator.files) {
        Ok(value) => {
            let made = value.as_str().map_or(0, str::len) / 16;
            evaluator.charge(made as u64);
            Ok(value.with_marks(&marks))
        }
        Err(error) => Err(evaluator.fail(failure(error))),
    }
}

/// What stands for a value that differs from run to run.
fn impure(name: &str, values: &[Value]) -> Result {
    let mut marks = Marks::default();
    let (most, kinds): (usize, &[Type]) = match name {
        "bcrypt" => (2, &[Type::String, Type::Number]),
        _ => (0, &[]),
    };
    if values.len() > most || (most > 0 && values.is_empty()) {
        return Err(CallError {
            kind: if values.is_empty() {
                CallErrorKind::TooFew
            } else {
                CallErrorKind::TooMany
            },
            ..format!("it takes {most} arguments at most, not {}", values.len()).into()
        });
    }
    for (index, (value, ty)) in values.iter().zip(kinds).enumerate() {
        if value.is_null() {
            return Err(CallError::arg(index, "argument must not be null"));
        }
        convert(value, ty).map_err(|e| CallError::arg(index, e.to_string()))?;
        marks.join(&value.marks());
    }
    Ok(Value::unknown_not_null(Type::String).with_marks(&marks))
}

/// A function that a provider brings along.
fn of_provider(
    evaluator: &mut Evaluator<'_>,
    (provider, name): (&str, &str),
    name_span: &Span,
    values: &[Value],
) -> Value {
    let mut marks = Marks::default();
    for value in values {
        marks.join(&value.deep_marks());
    }
    let known = values.iter().all(Value::is_wholly_known);
    if let Some(found) = known.then(|| provider::call(name, values)).flatten() {
        return found.with_marks(&marks);
    }
    let detail = format!(
        "{name}() is a function of the provider \"{provider}\", which is not asked here; its value stays unknown"
    );
    let warning = Diagnostic::warning("Function of a provider", detail).at(name_span);
    evaluator.diagnostics.push(warning);
    let unknown = Value::unknown(Type::Dynamic).placeholder(format!("{name}()"));
    unknown.with_marks(&marks)
}

fn run(function: &Function, values: Vec<Value>, files: &dyn Files) -> Result {
    let count = values.len();
    let too_many = function.rest.is_none() && count > function.params.len();
    if count < function.required || too_many {
        let takes = match (function.required, function.params.len(), function.rest) {
            (n, _, Some(_)) => format!("at least {n}"),
            (n, m, None) if n == m => format!("{n}"),
            (n, m, None) => format!("{n} to {m}"),
        };
        return Err(CallError {
            kind: if too_many {
                CallErrorKind::TooMany
            } else {
                CallErrorKind::TooFew
            },
            ..format!("it takes {takes} arguments, not {count}").into()
        });
    }
    let mut marks = Marks::default();
    let mut args = Vec::with_capacity(count);
    let mut unknown = false;
    for (index, value) in values.into_iter().enumerate() {
        let param = function
            .params
            .get(index)
            .copied()
            .or(function.rest)
            .unwrap_or(P::Any);
        if value.is_null() && !matches!(param, P::Nullable | P::MappingOrNull) {
            return Err(CallError::arg(index, "argument must not be null"));
        }
        if let Some(wanted) = param.refusal(&value.ty()) {
            let message = format!("{wanted}, and this is a {}", value.ty().friendly());
            return Err(match param {
                P::MappingOrNull => CallError::about(index, message),
                _ => CallError::arg(index, message),
            });
        }
        marks.join(&match function.depth {
            Depth::Deep => value.deep_marks(),
            Depth::Shallow | Depth::Raw => value.marks(),
        });
        let value =
            convert(&value, &param.ty()).map_err(|e| CallError::arg(index, e.to_string()))?;
        unknown |= match function.depth {
            Depth::Deep => !value.is_wholly_known(),
            Depth::Shallow => value.is_unknown(),
            Depth::Raw => false,
        };
        args.push(value);
    }
    let value = if unknown {
        Value::unknown((function.result)(&args))
    } else {
        match (function.run)(&Call { args: &args, files }) {
            Ok(value) => value,
            // What stands in for something need not have its form: a time, a prefix, base64.
            Err(_) if !marks.placeholder.is_empty() => Value::unknown((function.result)(&args)),
            Err(error) => return Err(error),
        }
    };
    let value = if function.nullable {
        value
    } else {
        value.not_null()
    };
    // These two are about the mark itself.
    if matches!(function.name, "nonsensitive" | "issensitive") {
        marks.sensitive = false;
    }
    marks.ephemeral &= function.name != "ephemeralasnull";
    if value
        .as_str()
        .is_some_and(|s| s.len() > crate::STRING_LEN_MAX)
    {
        return Err("the resulting text is longer than 16 MiB".into());
    }
    Ok(value.with_marks(&marks))
}

/// `try(a, b, …)`: the first that has no error. An unknown that an error could still come from is
/// returned as it is, as Terraform does when it can.
fn special_try(evaluator: &mut Evaluator<'_>, args: &[Expr], span: &Span) -> Outcome {
    let mut reasons = Vec::new();
    for arg in args {
        let said = evaluator.diagnostics.len();
        match evaluator.expr(arg) {
            Ok(value) => {
                evaluator.diagnostics.truncate(said);
                // What it will be may still fail, and another argument be taken, of another type.
                return Ok(if value.is_wholly_known() {
                    value
                } else {
                    let marks = Marks {
                        sensitive: false,
                        ..value.deep_marks()
                    };
                    Value::unknown(Type::Dynamic).with_marks(&marks)
                });
            }
            Err(Failed) => {
                let dropped = evaluator.diagnostics.split_off(said);
                let errors = dropped.into_iter().filter(Diagnostic::is_error);
                reasons.extend(errors.map(|d| format!("{}: {}", d.summary, d.detail)));
            }
        }
    }
    let detail = if args.is_empty() {
        "call to function \"try\" failed: it takes at least 1 argument".to_owned()
    } else {
        format!("no argument could be evaluated: {}", reasons.join("; "))
    };
    Err(evaluator.fail(Diagnostic::error("Error in function call", detail).at(span)))
}

/// `can(a)`: whether `a` has no error.
fn special_can(evaluator: &mut Evaluator<'_>, args: &[Expr], span: &Span) -> Outcome {
    let [arg] = args else {
        let detail = format!(
            "call to function \"can\" failed: it takes 1 argument, not {}",
            args.len()
        );
        return Err(evaluator.fail(Diagnostic::error("Error in function call", detail).at(span)));
    };
    Ok(match evaluator.quietly(arg) {
        // What is not known yet may still turn out to fail.
        Ok(value) if !value.is_wholly_known() => Value::unknown_not_null(Type::Bool),
        found => Value::bool(found.is_ok()),
    })
}
