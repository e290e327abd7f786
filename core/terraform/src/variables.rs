//! Values of root variables, in Terraform's precedence: environment, `terraform.tfvars`,
//! `terraform.tfvars.json`, `*.auto.tfvars` and `*.auto.tfvars.json` by name, then `-var-file` and
//! `-var` in the order of the command line.

use std::collections::BTreeMap;

use skybridge_hcl::{
    Diagnostic, Files, NoFiles, Span, Type, Value, convert, evaluate, has_errors, join_path,
    parse_body, parse_expr,
};

use crate::build::written_out;
use crate::config::{Module, Variable};
use crate::placeholder::hash;

/// One `-var` or `-var-file`, in the order of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VariableArgument {
    /// `-var-file`: the path of a file, as [`Files`] understands it.
    File(String),
    /// `-var`: name and text.
    Value(String, String),
}

/// Where values of root variables come from besides the files of the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VariableInputs {
    /// The environment: names without `TF_VAR_`, and texts.
    pub environment: BTreeMap<String, String>,
    /// `TF_WORKSPACE`; else the directory's `.terraform/environment`, else `default`.
    pub workspace: Option<String>,
    /// The command line.
    pub arguments: Vec<VariableArgument>,
}

/// A value and where it came from.
enum Given {
    /// Text to be read in the light of the variable's type.
    Text(String, String),
    /// A value.
    Value(Value, Span),
}

/// Patterns of variables that only name an account: nothing on the network depends on them.
const ACCOUNT_VARIABLES: &str = include_str!("../../../data/terraform/account-variables.csv");

fn account_meaning(name: &str) -> Option<(&'static str, &'static str)> {
    let mut rows = ACCOUNT_VARIABLES.lines().skip(1);
    let name = name.to_lowercase();
    rows.find_map(|line| {
        let (pattern, rest) = line.split_once(',')?;
        let fits = match pattern.strip_prefix('*') {
            Some(suffix) => name.ends_with(suffix),
            None => name == pattern,
        };
        rest.split_once(',').filter(|_| fits)
    })
}

/// The values of all root variables.
pub(crate) fn root_values(
    module: &Module,
    files: &dyn Files,
    directory: &str,
    inputs: &VariableInputs,
    diagnostics: &mut Vec<Diagnostic>,
) -> (BTreeMap<String, Value>, BTreeMap<String, Span>) {
    let before = diagnostics.len();
    let mut given = collect(module, files, directory, inputs, diagnostics);
    // What a broken file would have set is not missing.
    let broken = has_errors(&diagnostics[before..]);
    let mut out = BTreeMap::new();
    let mut places = BTreeMap::new();
    let mut missing = Vec::new();
    let mut accounts = Vec::new();
    for (name, variable) in &module.variables {
        let value = match given.remove(name) {
            Some(Given::Value(value, span)) => {
                places.insert(name.clone(), span.clone());
                Some((value, span))
            }
            Some(Given::Text(text, origin)) => {
                parse_text(&text, &origin, variable, diagnostics).map(|v| (v, Span::file(&origin)))
            }
            None => None,
        };
        let value = value
            .filter(|(v, _)| !(v.is_null() && !variable.nullable && variable.default.is_some()));
        let value = match (value, &variable.default) {
            (Some((value, span)), _) => checked(name, &value, variable, &span, diagnostics),
            // What is wrong with a default was said where it was read.
            (None, Some(default)) => written_out(default)
                .ok()
                .and_then(|value| convert(&value, &variable.ty).ok())
                .filter(|value| variable.nullable || !value.is_null()),
            (None, None) => match account_meaning(name) {
                Some((meaning, form)) => {
                    accounts.push((name, meaning, variable));
                    Some(account(name, form, variable))
                }
                None if broken => None,
                None => {
                    missing.push((name, variable));
                    None
                }
            },
        };
        let value = value.unwrap_or_else(|| Value::unknown(variable.ty.clone()));
        out.insert(name.clone(), value);
    }
    missing.sort_by_key(|(_, variable)| &variable.span);
    say_missing(&missing, diagnostics);
    accounts.sort_by_key(|(_, _, variable)| &variable.span);
    say_accounts(&accounts, diagnostics);
    (out, places)
}

/// One notice for all account variables, at the first of them.
fn say_accounts(accounts: &[(&String, &str, &Variable)], diagnostics: &mut Vec<Diagnostic>) {
    let Some((_, _, first)) = accounts.first() else {
        return;
    };
    let names: Vec<String> = (accounts.iter())
        .map(|(name, meaning, _)| format!("{name} ({meaning})"))
        .collect();
    let detail = format!(
        "no account is needed here, so placeholders stand for {}",
        names.join(", ")
    );
    let notice = Diagnostic::notice("Account variables without value", detail);
    diagnostics.push(notice.at(&first.span));
}

/// A stand-in in the form that conditions and patterns of published directories look for.
fn account(name: &str, form: &str, variable: &Variable) -> Value {
    let ty = if variable.ty == Type::Dynamic {
        Type::String
    } else {
        variable.ty.clone()
    };
    let text = format!("placeholder-{name}");
    let text = Value::string(match form {
        "uuid" => format!("00000000-0000-0000-0000-{:012x}", hash(&text) >> 16),
        form => form.replace("{}", &text),
    });
    let value = convert(&text, &ty).unwrap_or_else(|_| Value::unknown(ty));
    value.placeholder(format!("var.{name}"))
}

fn say_missing(missing: &[(&String, &Variable)], diagnostics: &mut Vec<Diagnostic>) {
    let Some((first, variable)) = missing.first() else {
        return;
    };
    let lines: Vec<String> = missing
        .iter()
        .map(|(name, v)| match &v.description {
            Some(text) => format!("  {}: \"{name}\" ({text})", v.span),
            None => format!("  {}: \"{name}\"", v.span),
        })
        .collect();
    let detail = format!(
        "these variables have no default and no value:\n{}",
        lines.join("\n")
    );
    let help = format!(
        "Write them to terraform.tfvars, or pass -var '{first}=...', -var-file FILE, or TF_VAR_{first}."
    );
    let diagnostic = Diagnostic::error("No value for required variables", detail);
    diagnostics.push(
        diagnostic
            .at(&variable.span)
            .help(help)
            .rule("missing-variables"),
    );
}

/// Converts to the declared type and says so when it does not fit.
fn checked(
    name: &str,
    value: &Value,
    variable: &Variable,
    span: &Span,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Value> {
    if value.is_null() && !variable.nullable {
        let detail = format!("\"{name}\" must not be null");
        diagnostics.push(Diagnostic::error("Required variable not set", detail).at(span));
        return None;
    }
    match convert(value, &variable.ty) {
        Ok(value) => Some(value),
        Err(e) => {
            let detail = format!(
                "the value of \"{name}\" (declared at {}) does not fit: {e}",
                variable.span
            );
            diagnostics
                .push(Diagnostic::error("Invalid value for input variable", detail).at(span));
            None
        }
    }
}

/// Text from the environment or the command line: taken literally for simple types, read as an
/// expression for others.
fn parse_text(
    text: &str,
    origin: &str,
    variable: &Variable,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Value> {
    if variable.ty.is_primitive() || variable.is_untyped {
        return Some(Value::string(text));
    }
    let nothing: BTreeMap<String, Value> = BTreeMap::new();
    match parse_expr(origin, text).and_then(|e| evaluate(&e, &nothing, &NoFiles)) {
        Ok(value) => Some(value),
        Err(errors) => {
            diagnostics.extend(errors);
            None
        }
    }
}

fn collect(
    module: &Module,
    files: &dyn Files,
    directory: &str,
    inputs: &VariableInputs,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Given> {
    let mut out = BTreeMap::new();
    for (name, text) in &inputs.environment {
        if module.variables.contains_key(name) {
            out.insert(
                name.clone(),
                Given::Text(text.clone(), format!("TF_VAR_{name}")),
            );
        }
    }
    let mut names = files.list(directory).unwrap_or_default();
    names.sort();
    let fixed = ["terraform.tfvars", "terraform.tfvars.json"];
    let automatic = names
        .iter()
        .filter(|n| n.ends_with(".auto.tfvars") || n.ends_with(".auto.tfvars.json"));
    let standard = fixed
        .iter()
        .filter(|f| names.iter().any(|n| n == *f))
        .map(|f| (*f).to_owned());
    for name in standard.chain(automatic.cloned()) {
        file(
            &join_path(directory, &name),
            module,
            files,
            &mut out,
            diagnostics,
        );
    }
    for argument in &inputs.arguments {
        match argument {
            VariableArgument::File(path) => file(path, module, files, &mut out, diagnostics),
            VariableArgument::Value(name, text) => {
                let origin = format!("-var {name}");
                if module.variables.contains_key(name) {
                    out.insert(name.clone(), Given::Text(text.clone(), origin));
                } else {
                    undeclared(name, &Span::file(&origin), module, true, diagnostics);
                }
            }
        }
    }
    out
}

fn undeclared(
    name: &str,
    span: &Span,
    module: &Module,
    error: bool,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let detail =
        format!("a value is given for \"{name}\", which is not a variable of the root module");
    let diagnostic = if error {
        Diagnostic::error("Value for undeclared variable", detail)
    } else {
        Diagnostic::warning("Value for undeclared variable", detail)
    };
    let names = module.variables.keys().map(String::as_str);
    let mut diagnostic = diagnostic.at(span).suggest(name, names);
    if error && diagnostic.help.is_none() {
        let declared: Vec<&str> = (module.variables.keys().take(8))
            .map(String::as_str)
            .collect();
        let help = if declared.is_empty() {
            "The root module declares no variables.".to_owned()
        } else {
            format!("It declares {}; ", declared.join(", "))
                + &format!("add a block variable \"{name}\" {{}} to use this value.")
        };
        diagnostic = diagnostic.help(help);
    }
    diagnostics.push(diagnostic);
}

fn file(
    path: &str,
    module: &Module,
    files: &dyn Files,
    out: &mut BTreeMap<String, Given>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let text = match files.read(path).map(String::from_utf8) {
        Ok(Ok(text)) => text,
        Ok(Err(_)) => {
            let detail = "the file is not valid UTF-8";
            diagnostics.push(
                Diagnostic::error("Failed to read variables file", detail).at(&Span::file(path)),
            );
            return;
        }
        Err(reason) => {
            let place = Span::file(path);
            diagnostics.push(Diagnostic::error("Failed to read variables file", reason).at(&place));
            return;
        }
    };
    let values = if path.ends_with(".json") {
        json_values(path, &text)
    } else {
        hcl_values(path, &text)
    };
    match values {
        Ok(values) => {
            for (name, value, span) in values {
                if module.variables.contains_key(&name) {
                    out.insert(name, Given::Value(value, span));
                } else {
                    undeclared(&name, &span, module, false, diagnostics);
                }
            }
        }
        Err(errors) => diagnostics.extend(errors),
    }
}

type Values = Result<Vec<(String, Value, Span)>, Vec<Diagnostic>>;

fn hcl_values(path: &str, text: &str) -> Values {
    let body = parse_body(path, text)?;
    let mut out = Vec::new();
    let mut errors = Vec::new();
    for block in &body.blocks {
        let detail = "a variables file has only NAME = VALUE";
        let summary = format!("Unexpected \"{}\" block", block.kind);
        errors.push(Diagnostic::error(summary, detail).at(&block.span));
    }
    for attribute in body.attributes {
        match written_out(&attribute.expr) {
            Ok(value) => out.push((attribute.name, value, attribute.expr.span)),
            Err(e) => errors.extend(e),
        }
    }
    if errors.is_empty() {
        Ok(out)
    } else {
        Err(errors)
    }
}

fn json_values(path: &str, text: &str) -> Values {
    let span = Span::file(path);
    let error = |detail: String| vec![Diagnostic::error("Invalid JSON", detail).at(&span)];
    let json: serde_json::Value = serde_json::from_str(text).map_err(|e| error(e.to_string()))?;
    let map = json
        .as_object()
        .ok_or_else(|| error("an object is expected".to_owned()))?;
    Ok(map
        .iter()
        .map(|(k, v)| (k.clone(), skybridge_hcl::from_json(v), span.clone()))
        .collect())
}
