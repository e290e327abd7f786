//! Type constraints: `string`, `list(object({ a = optional(number, 1) }))`.

use std::collections::BTreeMap;

use crate::ast::{Expr, ExprKind, ObjectKey};
use crate::convert::convert;
use crate::ty::{Field, Type};
use crate::{Diagnostic, NoFiles, Value, evaluate};

/// Reads a type constraint. The forms of Terraform 0.11 are taken too: `map` and `list` without
/// element type, and quoted names (`"string"`).
///
/// # Errors
/// What is not a type, with its place.
pub fn type_constraint(expr: &Expr) -> Result<Type, Vec<Diagnostic>> {
    let invalid = |detail: String| {
        vec![Diagnostic::error("Invalid type specification", detail).at(&expr.span)]
    };
    match &expr.kind {
        ExprKind::Variable(name) => keyword(name).ok_or_else(|| {
            let words = ["string", "number", "bool", "any", "list", "set", "map"];
            let known = "the type keywords are string, number, bool, any, and the constructors list, set, map, object and tuple";
            vec![
                Diagnostic::error("Invalid type specification", format!("\"{name}\" is not a type; {known}"))
                    .at(&expr.span)
                    .suggest(name, words),
            ]
        }),
        ExprKind::Literal(value) => match value.as_str().and_then(keyword) {
            Some(ty) => Ok(ty),
            None => Err(invalid("a type keyword is expected".to_owned())),
        },
        ExprKind::Parens(inner) => type_constraint(inner),
        ExprKind::Call { name, args, .. } => match (name.as_str(), args.as_slice()) {
            ("list", [element]) => type_constraint(element).map(Type::list),
            ("set", [element]) => type_constraint(element).map(Type::set),
            ("map", [element]) => type_constraint(element).map(Type::map),
            ("tuple", [Expr { kind: ExprKind::Tuple(items), .. }]) => items
                .iter()
                .map(type_constraint)
                .collect::<Result<Vec<_>, _>>()
                .map(Type::Tuple),
            ("object", [Expr { kind: ExprKind::Object(items), .. }]) => {
                let mut fields = BTreeMap::new();
                for item in items {
                    let name = match &item.key {
                        ObjectKey::Name(name, _) => name.clone(),
                        ObjectKey::Expr(Expr { kind: ExprKind::Literal(v), .. }) if v.as_str().is_some() => {
                            v.as_str().unwrap_or_default().to_owned()
                        }
                        ObjectKey::Expr(_) => {
                            return Err(invalid("attribute names must be plain words".to_owned()));
                        }
                    };
                    fields.insert(name, field(&item.value)?);
                }
                Ok(Type::Object(fields))
            }
            _ => Err(invalid(format!("\"{name}(...)\" is not a type with these arguments"))),
        },
        _ => Err(invalid("a type is expected, such as string or list(string)".to_owned())),
    }
}

fn keyword(name: &str) -> Option<Type> {
    Some(match name {
        "string" => Type::String,
        "number" => Type::Number,
        "bool" => Type::Bool,
        "any" => Type::Dynamic,
        // Terraform 0.11 and 0.12: any element type, all alike.
        "list" => Type::list(Type::Dynamic),
        "set" => Type::set(Type::Dynamic),
        "map" => Type::map(Type::Dynamic),
        _ => return None,
    })
}

fn field(expr: &Expr) -> Result<Field, Vec<Diagnostic>> {
    let ExprKind::Call { name, args, .. } = &expr.kind else {
        return type_constraint(expr).map(Field::required);
    };
    if name != "optional" {
        return type_constraint(expr).map(Field::required);
    }
    let wrong =
        |detail: &str| vec![Diagnostic::error("Invalid type specification", detail).at(&expr.span)];
    let unfit = |detail: String, place: &Expr| {
        let summary = "Invalid default value for optional attribute";
        vec![Diagnostic::error(summary, detail).at(&place.span)]
    };
    let (ty, default) = match args.as_slice() {
        [ty] => (type_constraint(ty)?, None),
        [ty, default] => {
            let ty = type_constraint(ty)?;
            let nothing: BTreeMap<String, Value> = BTreeMap::new();
            let value = evaluate(default, &nothing, &NoFiles)?;
            let value = convert(&value, &ty)
                .map_err(|e| unfit(format!("the default does not fit the type: {e}"), default))?;
            (ty, Some(value))
        }
        _ => return Err(wrong("optional takes a type and at most one default")),
    };
    Ok(Field {
        ty,
        optional: true,
        default,
    })
}
