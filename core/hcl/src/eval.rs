//! The evaluator: an expression and a scope give a value, or diagnostics.
//!
//! An error in one part does not stop the others, so that all semantic errors of an expression are
//! reported at once; only `try` and `can` swallow them.

use std::collections::BTreeMap;

use crate::ast::{Binary, Expr, ExprKind, For, ObjectItem, ObjectKey, Step};
use crate::convert::{convert, unify};
use crate::functions;
use crate::references::namespaced;
use crate::ty::Type;
use crate::value::{Kind, Marks, Value};
use crate::{Diagnostic, Files, Span, operators};

/// Evaluation steps of one [`evaluate`]; beyond it the expression is refused as too much work.
const WORK_MAX: u64 = 5_000_000;
/// Most values in the operands of an operator, and in the arguments of a call.
const VALUES_MAX: u64 = 1_000_000;

/// What a name refers to.
#[derive(Debug)]
pub enum Resolved {
    /// A value, and how many of the steps that were offered it already contains.
    Value(Value, usize),
    /// Nothing of that name.
    Missing,
    /// It cannot be said; the diagnostics say why (empty when that was said elsewhere).
    Failed(Vec<Diagnostic>),
}

/// Where names come from.
pub trait Scope {
    /// The value of `name` followed by `steps`. A scope takes as many steps as it wants (`var.x` is
    /// one, `azurerm_subnet.a` is one); the evaluator applies the rest.
    fn resolve(&self, name: &str, steps: &[Step], span: &Span) -> Resolved;

    /// Names that could have been meant, for suggestions.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A scope of plain values by name.
impl Scope for BTreeMap<String, Value> {
    fn resolve(&self, name: &str, _: &[Step], _: &Span) -> Resolved {
        self.get(name)
            .map_or(Resolved::Missing, |v| Resolved::Value(v.clone(), 0))
    }

    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}

/// Evaluates an expression. Warnings are dropped with the errors' absence; see
/// [`evaluate_with`].
///
/// # Errors
/// Every error found; empty when a [`Scope`] said that it had reported elsewhere.
pub fn evaluate(
    expr: &Expr,
    scope: &dyn Scope,
    files: &dyn Files,
) -> Result<Value, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    evaluate_with(expr, scope, files, &mut diagnostics).ok_or(diagnostics)
}

/// Evaluates an expression and appends what there is to say; `None` when it failed.
pub fn evaluate_with(
    expr: &Expr,
    scope: &dyn Scope,
    files: &dyn Files,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Value> {
    let mut evaluator = Evaluator {
        scope,
        files,
        locals: Vec::new(),
        diagnostics: Vec::new(),
        work: 0,
        depth: 0,
    };
    let value = evaluator.expr(expr);
    diagnostics.append(&mut evaluator.diagnostics);
    value.ok()
}

/// Already reported: stop here.
#[derive(Debug)]
pub(crate) struct Failed;

pub(crate) type Outcome = Result<Value, Failed>;

pub(crate) struct Evaluator<'a> {
    pub(crate) scope: &'a dyn Scope,
    pub(crate) files: &'a dyn Files,
    /// Names bound by `for`, innermost last.
    pub(crate) locals: Vec<(String, Value)>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) work: u64,
    /// How many templates are being expanded inside each other.
    pub(crate) depth: u32,
}

impl Evaluator<'_> {
    pub(crate) fn fail(&mut self, diagnostic: Diagnostic) -> Failed {
        self.diagnostics.push(diagnostic);
        Failed
    }

    /// Adds work that was done in one go. What goes beyond the limit is refused at the next step.
    pub(crate) fn charge(&mut self, work: u64) {
        if self.work <= WORK_MAX {
            self.work = self.work.saturating_add(work).min(WORK_MAX);
        }
    }

    /// Counts what looking at whole values costs, and refuses those that are too large for it.
    pub(crate) fn weigh<'v>(
        &mut self,
        values: impl IntoIterator<Item = &'v Value>,
        span: &Span,
    ) -> Result<(), Failed> {
        let total = values.into_iter().fold(0_u64, |sum, value| {
            sum.saturating_add(value.weight().values)
        });
        self.charge(total / 8);
        if total <= VALUES_MAX {
            return Ok(());
        }
        let detail =
            format!("an operand or the arguments of a call hold at most {VALUES_MAX} values");
        Err(self.error(span, "Value too large", detail))
    }

    pub(crate) fn error(
        &mut self,
        span: &Span,
        summary: &str,
        detail: impl Into<String>,
    ) -> Failed {
        self.fail(Diagnostic::error(summary, detail).at(span))
    }

    pub(crate) fn expr(&mut self, expr: &Expr) -> Outcome {
        self.work += 1;
        if self.work > WORK_MAX {
            // Said once: everything above fails without a word.
            return Err(if self.work == WORK_MAX + 1 {
                self.error(
                    &expr.span,
                    "Too much work",
                    "the expression takes too many steps",
                )
            } else {
                Failed
            });
        }
        match &expr.kind {
            ExprKind::Literal(value) => Ok(value.clone()),
            ExprKind::Number(number) => Ok(Value::number(number.clone())),
            ExprKind::Template(template) => self.template_value(template, &expr.span),
            ExprKind::Tuple(items) => self.all(items).map(Value::tuple),
            ExprKind::Object(items) => self.object(items),
            ExprKind::Variable(name) => self.root(name, &[], &expr.span),
            ExprKind::Traversal(base, steps) => match &base.kind {
                ExprKind::Variable(name) => self.root(name, steps, &base.span),
                _ => {
                    let value = self.expr(base)?;
                    self.steps(value, steps, &expr.span)
                }
            },
            ExprKind::Call {
                name,
                name_span,
                args,
                expand,
            } => functions::call(self, name, name_span, args, *expand, &expr.span),
            ExprKind::Conditional(parts) => self.conditional(parts, &expr.span),
            ExprKind::Unary(operator, operand) => {
                let value = self.expr(operand)?;
                operators::unary(*operator, &value)
                    .map_err(|m| self.error(&expr.span, "Invalid operand", m))
            }
            ExprKind::Binary(operator, sides) => self.binary(*operator, sides, &expr.span),
            ExprKind::For(f) => self.for_expr(f),
            ExprKind::Parens(inner) => self.expr(inner),
        }
    }

    /// Evaluates all, so that all errors are seen.
    pub(crate) fn all(&mut self, items: &[Expr]) -> Result<Vec<Value>, Failed> {
        let results: Vec<Outcome> = items.iter().map(|item| self.expr(item)).collect();
        results.into_iter().collect()
    }

    /// Evaluates with the errors thrown away.
    pub(crate) fn quietly(&mut self, expr: &Expr) -> Outcome {
        let said = self.diagnostics.len();
        let result = self.expr(expr);
        self.diagnostics.truncate(said);
        result
    }

    fn object(&mut self, items: &[ObjectItem]) -> Outcome {
        let mut out = BTreeMap::new();
        let mut marks = Marks::default();
        let mut unknown_key = false;
        let mut failed = false;
        for item in items {
            let key = match &item.key {
                ObjectKey::Name(name, _) => Ok(Some(name.clone())),
                ObjectKey::Expr(expr) => self.expr(expr).and_then(|key| {
                    marks.join(&key.marks());
                    self.key(&key, &expr.span)
                }),
            };
            let value = self.expr(&item.value);
            match (key, value) {
                (Ok(Some(key)), Ok(value)) => {
                    out.insert(key, value);
                }
                (Ok(None), Ok(_)) => unknown_key = true,
                _ => failed = true,
            }
        }
        if failed {
            return Err(Failed);
        }
        let value = if unknown_key {
            Value::unknown(Type::Dynamic)
        } else {
            Value::object(out)
        };
        Ok(value.with_marks(&marks))
    }

    /// The text of a key; `None` while it is unknown.
    fn key(&mut self, value: &Value, span: &Span) -> Result<Option<String>, Failed> {
        if value.is_null() {
            return Err(self.error(span, "Null value as key", "a key cannot be null"));
        }
        match convert(value, &Type::String) {
            Ok(text) => Ok(text.as_str().map(str::to_owned)),
            Err(e) => Err(self.error(span, "Incorrect key type", e.to_string())),
        }
    }

    fn root(&mut self, name: &str, steps: &[Step], span: &Span) -> Outcome {
        if let Some((_, value)) = self.locals.iter().rev().find(|(n, _)| n == name) {
            let value = value.clone();
            return self.steps(value, steps, span);
        }
        let (name, steps) = namespaced(name, steps).unwrap_or((name, steps));
        match self.scope.resolve(name, steps, span) {
            Resolved::Value(value, taken) => {
                self.steps(value, steps.get(taken..).unwrap_or_default(), span)
            }
            Resolved::Failed(mut diagnostics) => {
                self.diagnostics.append(&mut diagnostics);
                Err(Failed)
            }
            Resolved::Missing => {
                let names = self.scope.names();
                let detail = format!("there is no object named \"{name}\" here");
                let diagnostic = Diagnostic::error("Unknown variable", detail)
                    .at(span)
                    .suggest(name, names.iter().map(String::as_str));
                Err(self.fail(diagnostic))
            }
        }
    }

    fn steps(&mut self, mut value: Value, steps: &[Step], span: &Span) -> Outcome {
        let mut rest = steps;
        while let Some((step, after)) = rest.split_first() {
            match step {
                Step::Attr(name, at) => value = self.attr(&value, name, at)?,
                Step::Index(index) => {
                    let key = self.expr(index)?;
                    value = self.index(&value, &key, &index.span)?;
                }
                Step::AttrSplat(at) => {
                    let taken = after
                        .iter()
                        .take_while(|s| matches!(s, Step::Attr(..)))
                        .count();
                    let (each, remaining) = after.split_at(taken);
                    value = self.splat(&value, each, at)?;
                    rest = remaining;
                    continue;
                }
                // All that follows belongs to each element, splats too.
                Step::FullSplat(at) => return self.splat(&value, after, at),
            }
            rest = after;
        }
        let _ = span;
        Ok(value)
    }

    /// `value.name`
    pub(crate) fn attr(&mut self, value: &Value, name: &str, span: &Span) -> Outcome {
        let ordered = matches!(
            value.kind(),
            Kind::List(..) | Kind::Tuple(_) | Kind::Unknown(Type::List(_) | Type::Tuple(_))
        );
        if ordered && name.starts_with(|c: char| c.is_ascii_digit()) {
            // The legacy `.0`.
            return self.index(value, &Value::string(name), span);
        }
        let marks = value.marks();
        let found = match value.kind() {
            Kind::Object(map) | Kind::Map(_, map) => match map.get(name) {
                Some(inner) => inner.clone(),
                None => match value.open_attr(name) {
                    Some(placeholder) => placeholder,
                    None => {
                        let what = if matches!(value.kind(), Kind::Map(..)) {
                            "map does not have an element"
                        } else {
                            "object does not have an attribute"
                        };
                        let mut detail = format!("this {what} named \"{name}\"");
                        if let Some(origin) = value.origin() {
                            detail = format!("{origin} has no attribute named \"{name}\"");
                        }
                        let diagnostic = Diagnostic::error("Unsupported attribute", detail)
                            .at(span)
                            .suggest(name, map.keys().map(String::as_str));
                        return Err(self.fail(diagnostic));
                    }
                },
            },
            Kind::Unknown(Type::Object(fields)) => match fields.get(name) {
                Some(field) => Value::unknown(field.ty.clone()),
                None => {
                    let detail = format!("this object does not have an attribute named \"{name}\"");
                    return Err(self.error(span, "Unsupported attribute", detail));
                }
            },
            Kind::Unknown(Type::Map(element)) => Value::unknown((**element).clone()),
            Kind::Unknown(Type::Dynamic) => Value::unknown(Type::Dynamic),
            Kind::Null(_) => {
                let detail = format!("this value is null, so it has no attribute \"{name}\"");
                return Err(self.error(span, "Attempt to get attribute from null value", detail));
            }
            Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => {
                let detail = format!(
                    "this is a {} and has no attribute \"{name}\"; to read it from each element, write [*].{name}",
                    value.ty().friendly()
                );
                return Err(self.error(span, "Unsupported attribute", detail));
            }
            Kind::Unknown(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => {
                let detail = format!("a {} has no attributes", value.ty().friendly());
                return Err(self.error(span, "Unsupported attribute", detail));
            }
        };
        Ok(found.with_marks(&marks))
    }

    /// `value[key]`
    pub(crate) fn index(&mut self, value: &Value, key: &Value, span: &Span) -> Outcome {
        let mut marks = value.marks();
        marks.join(&key.marks());
        if value.is_null() || key.is_null() {
            let (summary, which) = if value.is_null() {
                ("Attempt to index null value", "this value")
            } else {
                ("Invalid index", "the index")
            };
            return Err(self.error(span, summary, format!("{which} is null")));
        }
        // Nobody knows how many elements a placeholder stands for.
        let stands_in = !value.marks().placeholder.is_empty();
        let found = match value.kind() {
            Kind::List(element, items) => match self.position(key, items.len(), stands_in, span)? {
                Some(at) => items[at].clone(),
                None => Value::unknown(element.clone()),
            },
            Kind::Tuple(items) => match self.position(key, items.len(), stands_in, span)? {
                Some(at) => items[at].clone(),
                None => Value::unknown(Type::Dynamic),
            },
            Kind::Map(_, map) | Kind::Object(map) => match self.name(key, span)? {
                Some(name) if map.contains_key(&name) => map[&name].clone(),
                // A whole instance says what it lacks by its address.
                Some(name) if value.open_attr(&name).is_some() || value.origin().is_some() => {
                    return self.attr(value, &name, span);
                }
                // Nobody knows the keys of a map that a placeholder stands for.
                Some(_) if stands_in && matches!(value.kind(), Kind::Map(..)) => match value.ty() {
                    Type::Map(element) => Value::unknown(*element),
                    _ => Value::unknown(Type::Dynamic),
                },
                Some(name) => {
                    let what = if matches!(value.kind(), Kind::Object(_)) {
                        "object"
                    } else {
                        "map"
                    };
                    let detail = format!("the given key \"{name}\" is not in this {what}");
                    let diagnostic = Diagnostic::error("Invalid index", detail)
                        .at(span)
                        .suggest(&name, map.keys().map(String::as_str));
                    return Err(self.fail(diagnostic));
                }
                None => match value.ty() {
                    Type::Map(element) => Value::unknown(*element),
                    _ => Value::unknown(Type::Dynamic),
                },
            },
            Kind::Unknown(Type::List(element)) => {
                self.position(key, usize::MAX, stands_in, span)?;
                Value::unknown((**element).clone())
            }
            Kind::Unknown(Type::Map(element)) => {
                self.name(key, span)?;
                Value::unknown((**element).clone())
            }
            Kind::Unknown(Type::Tuple(types)) => {
                match self.position(key, types.len(), stands_in, span)? {
                    Some(at) => Value::unknown(types[at].clone()),
                    None => Value::unknown(Type::Dynamic),
                }
            }
            Kind::Unknown(Type::Dynamic) => Value::unknown(Type::Dynamic),
            Kind::Unknown(Type::Object(_)) => match self.name(key, span)? {
                Some(name) => return self.attr(value, &name, span),
                None => Value::unknown(Type::Dynamic),
            },
            Kind::Set(..) => {
                let detail = "the elements of a set have no index; use tolist(...) or [*] first";
                return Err(self.error(span, "Invalid index", detail));
            }
            _ => {
                let detail = format!("a {} has no elements", value.ty().friendly());
                return Err(self.error(span, "Invalid index", detail));
            }
        };
        Ok(found.with_marks(&marks))
    }

    /// The name that an index is; `None` while it is unknown.
    fn name(&mut self, key: &Value, span: &Span) -> Result<Option<String>, Failed> {
        match convert(key, &Type::String) {
            Ok(text) => Ok(text.as_str().map(str::to_owned)),
            Err(e) => Err(self.error(span, "Invalid index", e.to_string())),
        }
    }

    /// The place of an element; `None` when the key is not known, or beyond the end of an `open` list.
    fn position(
        &mut self,
        key: &Value,
        len: usize,
        open: bool,
        span: &Span,
    ) -> Result<Option<usize>, Failed> {
        let number = match convert(key, &Type::Number) {
            Ok(number) => number,
            Err(e) => return Err(self.error(span, "Invalid index", e.to_string())),
        };
        if number.is_unknown() {
            return Ok(None);
        }
        let at = number.as_u64().and_then(|n| usize::try_from(n).ok());
        match at.filter(|at| *at < len) {
            Some(at) => Ok(Some(at)),
            None if open && number.as_u64().is_some() => Ok(None),
            None => {
                let detail = match len {
                    0 => "the collection has no elements".to_owned(),
                    1 => "the collection has one element, at index 0".to_owned(),
                    _ => format!("the index must be a whole number from 0 to {}", len - 1),
                };
                Err(self.error(span, "Invalid index", detail))
            }
        }
    }

    fn splat(&mut self, value: &Value, each: &[Step], span: &Span) -> Outcome {
        let marks = value.marks();
        let is_sequence = matches!(value.ty(), Type::List(_) | Type::Set(_) | Type::Tuple(_));
        let (items, keeps_type) = match value.kind() {
            Kind::Null(_) if is_sequence => {
                let detail = "[*] cannot be applied to a list, set or tuple that is null";
                return Err(self.error(span, "Splat of null value", detail));
            }
            Kind::Null(_) => return Ok(Value::tuple(Vec::new()).with_marks(&marks)),
            Kind::Unknown(Type::Dynamic) => {
                return Ok(value.clone().without_marks().with_marks(&marks));
            }
            Kind::Unknown(_) if is_sequence => return self.unknown_splat(value, each, span),
            // It is not known whether it is null, and so gives no element. What follows is looked at for errors.
            Kind::Unknown(_) if !value.is_never_null() => {
                self.steps(value.clone(), each, span)?;
                return Ok(Value::unknown(Type::Dynamic).with_marks(&marks));
            }
            Kind::Tuple(items) => (items.to_vec(), false),
            Kind::List(_, items) | Kind::Set(_, items) => (items.to_vec(), true),
            _ => (vec![value.clone()], false),
        };
        let results: Vec<Outcome> = items
            .into_iter()
            .map(|item| self.steps(item, each, span))
            .collect();
        let results = results.into_iter().collect::<Result<Vec<_>, _>>()?;
        let first = results.first().map(Value::ty);
        let out = match (first, value.kind()) {
            (Some(ty), _) if keeps_type && results.iter().all(|v| v.ty() == ty) => {
                Value::list(ty, results)
            }
            (None, Kind::List(element, _) | Kind::Set(element, _)) => {
                let one = self.steps(Value::unknown(element.clone()), each, span)?;
                Value::list(one.ty(), results)
            }
            _ => Value::tuple(results),
        };
        Ok(out.with_marks(&marks))
    }

    /// A splat of a list, set or tuple that is not known: of the type that it will have, and as many elements.
    fn unknown_splat(&mut self, value: &Value, each: &[Step], span: &Span) -> Outcome {
        let mut part = |ty: &Type| {
            let one = self.steps(Value::unknown(ty.clone()), each, span)?;
            Ok(one.ty())
        };
        let ty = match value.ty() {
            Type::List(element) | Type::Set(element) => Type::list(part(&element)?),
            Type::Tuple(types) => Type::Tuple(types.iter().map(part).collect::<Result<_, _>>()?),
            other => other,
        };
        let range = value.range();
        let out = Value::unknown_not_null(ty).refined(|r| {
            r.length_min = range.length_min;
            r.length_max = range.length_max;
        });
        Ok(out.with_marks(&value.marks()))
    }

    fn binary(&mut self, operator: Binary, sides: &[Expr; 2], span: &Span) -> Outcome {
        let [left, right] = sides;
        let a = self.expr(left);
        // A side that decides alone hides errors of the other (Terraform 1.12).
        if let Ok(value) = &a
            && matches!(operator, Binary::And | Binary::Or)
            && convert(value, &Type::Bool).ok().and_then(|v| v.as_bool())
                == Some(operator == Binary::Or)
        {
            return Ok(Value::bool(operator == Binary::Or).with_marks(&value.marks()));
        }
        let b = self.expr(right);
        let (a, b) = (a?, b?);
        self.weigh([&a, &b], span)?;
        operators::binary(operator, &a, &b).map_err(|m| {
            let summary = if m.starts_with("Divide") {
                "Division by zero"
            } else {
                "Invalid operand"
            };
            self.error(span, summary, m)
        })
    }

    fn conditional(&mut self, parts: &[Expr; 3], span: &Span) -> Outcome {
        let [condition, then, otherwise] = parts;
        let chosen = self.expr(condition)?;
        let mut marks = chosen.marks();
        if chosen.is_null() {
            let detail = "the condition is null; conditions must be true or false";
            return Err(self.error(&condition.span, "Null condition", detail));
        }
        let chosen = convert(&chosen, &Type::Bool)
            .map_err(|e| self.error(&condition.span, "Incorrect condition type", e.to_string()))?;
        // Both sides are evaluated for the type; only errors of the chosen side count.
        let (a, b) = match chosen.as_bool() {
            Some(true) => (Ok(self.expr(then)?), self.quietly(otherwise)),
            Some(false) => (self.quietly(then), Ok(self.expr(otherwise)?)),
            None => {
                // While nobody knows which side it is, a fault of either says nothing (as in HCL).
                (self.quietly(then), self.quietly(otherwise))
            }
        };
        self.weigh(a.iter().chain(&b), span)?;
        // Whichever side it is: that the other is hidden is not given away.
        for side in a.iter().chain(&b) {
            marks.sensitive |= side.marks().sensitive;
            marks.ephemeral |= side.marks().ephemeral;
        }
        let ty = match (&a, &b) {
            (Ok(a), Ok(b)) => {
                let open = |v: &Value| v.is_unknown() && v.ty() == Type::Dynamic;
                if open(a) || open(b) {
                    None
                } else {
                    let Some(ty) = unify(&[a.ty(), b.ty()]) else {
                        let detail = format!(
                            "the sides are {} and {}, which have no type in common",
                            a.ty().friendly(),
                            b.ty().friendly()
                        );
                        return Err(self.error(
                            span,
                            "Inconsistent conditional result types",
                            detail,
                        ));
                    };
                    Some(ty)
                }
            }
            _ => None,
        };
        let value = match chosen.as_bool() {
            Some(true) => a?,
            Some(false) => b?,
            None => return Ok(undecided(ty, &a, &b).with_marks(&marks)),
        };
        let value = match ty {
            // The same type already: keep the value as it is, with its origin.
            Some(ty) if ty != value.ty() => convert(&value, &ty).map_err(|e| {
                self.error(span, "Inconsistent conditional result types", e.to_string())
            })?,
            _ => value,
        };
        Ok(value.with_marks(&marks))
    }

    /// Key and element pairs of a collection, for `for`; `None` while it is unknown.
    pub(crate) fn pairs(
        &mut self,
        value: &Value,
        span: &Span,
    ) -> Result<Option<Vec<(Value, Value)>>, Failed> {
        Ok(Some(match value.kind() {
            Kind::List(_, items) | Kind::Tuple(items) => items
                .iter()
                .enumerate()
                .map(|(i, v)| (Value::number(i as u64), v.clone()))
                .collect(),
            Kind::Set(_, items) => items.iter().map(|v| (v.clone(), v.clone())).collect(),
            Kind::Map(_, map) | Kind::Object(map) => map
                .iter()
                .map(|(k, v)| (Value::string(k), v.clone()))
                .collect(),
            Kind::Unknown(ty) if !ty.is_primitive() => return Ok(None),
            Kind::Null(_) => {
                return Err(self.error(span, "Iteration over null value", "this value is null"));
            }
            Kind::Unknown(_) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => {
                let detail = format!("a {} cannot be iterated over", value.ty().friendly());
                return Err(self.error(span, "Iteration over non-iterable value", detail));
            }
        }))
    }

    pub(crate) fn bind(
        &mut self,
        key_name: Option<&String>,
        value_name: &str,
        key: Value,
        value: Value,
    ) {
        if let Some(name) = key_name {
            self.locals.push((name.clone(), key));
        }
        self.locals.push((value_name.to_owned(), value));
    }

    fn for_expr(&mut self, f: &For) -> Outcome {
        let collection = self.expr(&f.collection)?;
        let mut marks = collection.marks();
        let Some(pairs) = self.pairs(&collection, &f.collection.span)? else {
            return Ok(Value::unknown(Type::Dynamic).with_marks(&marks));
        };
        let mut items = Vec::new();
        let mut failed = false;
        let mut unknown = false;
        let depth = self.locals.len();
        for (key, value) in pairs {
            self.bind(f.key_name.as_ref(), &f.value_name, key, value);
            match self.for_item(f, &mut marks) {
                Ok(ForItem::Skip) => {}
                Ok(ForItem::Unknown) => unknown = true,
                Ok(ForItem::Take(key, value)) => items.push((key, value)),
                Err(Failed) => failed = true,
            }
            self.locals.truncate(depth);
        }
        if failed {
            return Err(Failed);
        }
        if unknown {
            return Ok(Value::unknown(Type::Dynamic).with_marks(&marks));
        }
        let value = if f.key.is_none() {
            Value::tuple(items.into_iter().map(|(_, v)| v).collect())
        } else if f.group {
            let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
            for (key, value) in items {
                groups.entry(key).or_default().push(value);
            }
            Value::object_of(groups.into_iter().map(|(k, v)| (k, Value::tuple(v))))
        } else {
            let mut out = BTreeMap::new();
            for (key, value) in items {
                if out.contains_key(&key) {
                    let detail = format!(
                        "two items have the key \"{key}\"; add ... after the value to group them"
                    );
                    let at = f.key.as_ref().map_or(&f.value.span, |k| &k.span);
                    return Err(self.error(at, "Duplicate object key", detail));
                }
                out.insert(key, value);
            }
            Value::object(out)
        };
        Ok(value.with_marks(&marks))
    }

    fn for_item(&mut self, f: &For, marks: &mut Marks) -> Result<ForItem, Failed> {
        if let Some(condition) = &f.condition {
            let include = self.expr(condition)?;
            marks.join(&include.marks());
            if include.is_null() {
                return Err(self.error(
                    &condition.span,
                    "Condition is null",
                    "it must be true or false",
                ));
            }
            let include = convert(&include, &Type::Bool).map_err(|e| {
                self.error(&condition.span, "Invalid 'for' condition", e.to_string())
            })?;
            match include.as_bool() {
                Some(true) => {}
                Some(false) => return Ok(ForItem::Skip),
                None => return Ok(ForItem::Unknown),
            }
        }
        let key = match &f.key {
            None => Ok(Some(String::new())),
            Some(expr) => self.expr(expr).and_then(|key| {
                marks.join(&key.marks());
                self.key(&key, &expr.span)
            }),
        };
        let value = self.expr(&f.value);
        Ok(match (key?, value?) {
            (Some(key), value) => ForItem::Take(key, value),
            (None, _) => ForItem::Unknown,
        })
    }
}

/// What is known of a conditional before its condition is.
fn undecided(ty: Option<Type>, then: &Outcome, otherwise: &Outcome) -> Value {
    let ty = ty.unwrap_or(Type::Dynamic);
    let (Ok(a), Ok(b)) = (then, otherwise) else {
        return Value::unknown(ty);
    };
    if a.is_null() && b.is_null() {
        return Value::null_of(ty);
    }
    let collection = |t: &Type| matches!(t, Type::List(_) | Type::Set(_) | Type::Map(_));
    let same = a.ty() == b.ty() && (a.ty() == Type::Number || collection(&a.ty()));
    let both = a.range().either(b.range());
    Value::unknown(ty).refined(|range| {
        range.not_null = a.is_never_null() && b.is_never_null();
        if same {
            range.clone_from(&both);
        }
    })
}

enum ForItem {
    Skip,
    Unknown,
    Take(String, Value),
}
