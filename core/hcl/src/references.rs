//! Which names an expression refers to, without evaluating it.

use crate::Span;
use crate::ast::{Body, Expr, ExprKind, ObjectKey, Part, Step, Template};

/// A name with the steps that follow it in the source.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The first name: `var`, `azurerm_subnet`, `data`.
    pub root: String,
    /// What follows.
    pub steps: Vec<Step>,
    /// Where the first name stands.
    pub span: Span,
    /// It stands in an argument of `try` or `can`, which take a fault as an answer.
    pub is_guarded: bool,
}

/// What `resource.TYPE.NAME` stands for: the type and what follows it. The iterator of a `dynamic` block may
/// have that name, and has nothing but `key` and `value`.
pub(crate) fn namespaced<'a>(root: &str, steps: &'a [Step]) -> Option<(&'a str, &'a [Step])> {
    match steps {
        [Step::Attr(ty, _), rest @ ..]
            if root == "resource" && !rest.is_empty() && ty != "key" && ty != "value" =>
        {
            Some((ty, rest))
        }
        _ => None,
    }
}

impl Reference {
    /// The name of the attribute step at an index.
    #[must_use]
    pub fn attr(&self, index: usize) -> Option<&str> {
        match self.steps.get(index) {
            Some(Step::Attr(name, _)) => Some(name),
            Some(Step::Index(expr)) => match &expr.kind {
                // `local["x"]` and `local.x` are the same reference.
                ExprKind::Literal(value) => value.as_str(),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Every reference of an expression to names that it does not bind itself, in source order.
#[must_use]
pub fn references(expr: &Expr) -> Vec<Reference> {
    let mut walk = Walk::default();
    walk.expr(expr);
    walk.found
}

/// Every reference anywhere in a body, nested blocks included; names in `bound` (the iterators of
/// `dynamic` blocks) are not references.
#[must_use]
pub fn references_in(body: &Body, bound: &[&str]) -> Vec<Reference> {
    let mut walk = Walk {
        bound: bound.iter().map(|b| (*b).to_owned()).collect(),
        ..Walk::default()
    };
    walk.body(body);
    walk.found
}

/// Where an expression first calls a function, if it does.
#[must_use]
pub fn first_call(expr: &Expr) -> Option<Span> {
    let mut walk = Walk::default();
    walk.expr(expr);
    walk.call
}

#[derive(Default)]
struct Walk {
    found: Vec<Reference>,
    bound: Vec<String>,
    call: Option<Span>,
    /// Calls of `try` and `can` around.
    guards: usize,
}

impl Walk {
    fn body(&mut self, body: &Body) {
        for attribute in &body.attributes {
            self.expr(&attribute.expr);
        }
        for block in &body.blocks {
            let depth = self.bound.len();
            // `dynamic "x" { iterator = y … content { } }` binds `y`, or `x`, in its content.
            if block.kind == "dynamic" {
                for attribute in &block.body.attributes {
                    if attribute.name != "iterator" {
                        self.expr(&attribute.expr);
                    }
                }
                let iterator = block
                    .body
                    .attribute("iterator")
                    .and_then(|a| match &a.expr.kind {
                        ExprKind::Variable(name) => Some(name.clone()),
                        _ => None,
                    });
                let label = block.label(0).unwrap_or_default().to_owned();
                self.bound.push(iterator.unwrap_or(label));
                for content in &block.body.blocks {
                    self.body(&content.body);
                }
            } else {
                self.body(&block.body);
            }
            self.bound.truncate(depth);
        }
    }

    fn root(&mut self, name: &str, steps: &[Step], span: &Span) {
        if !self.bound.iter().any(|b| b == name) {
            let (root, steps) = namespaced(name, steps).unwrap_or((name, steps));
            self.found.push(Reference {
                root: root.to_owned(),
                steps: steps.to_vec(),
                span: span.clone(),
                is_guarded: self.guards > 0,
            });
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Literal(_) | ExprKind::Number(_) => {}
            ExprKind::Template(template) => self.template(template),
            ExprKind::Tuple(items) => items.iter().for_each(|e| self.expr(e)),
            ExprKind::Object(items) => {
                for item in items {
                    if let ObjectKey::Expr(key) = &item.key {
                        self.expr(key);
                    }
                    self.expr(&item.value);
                }
            }
            ExprKind::Variable(name) => self.root(name, &[], &expr.span),
            ExprKind::Traversal(base, steps) => {
                match &base.kind {
                    ExprKind::Variable(name) => self.root(name, steps, &base.span),
                    _ => self.expr(base),
                }
                for step in steps {
                    if let Step::Index(index) = step {
                        self.expr(index);
                    }
                }
            }
            ExprKind::Call {
                name,
                args,
                name_span,
                ..
            } => {
                self.call.get_or_insert_with(|| name_span.clone());
                let guards = usize::from(name == "try" || name == "can");
                self.guards += guards;
                args.iter().for_each(|e| self.expr(e));
                self.guards -= guards;
            }
            ExprKind::Conditional(parts) => parts.iter().for_each(|e| self.expr(e)),
            ExprKind::Unary(_, operand) => self.expr(operand),
            ExprKind::Binary(_, sides) => sides.iter().for_each(|e| self.expr(e)),
            ExprKind::For(f) => {
                self.expr(&f.collection);
                let depth = self.bound.len();
                self.bound.extend(f.key_name.clone());
                self.bound.push(f.value_name.clone());
                let inner = [f.condition.as_ref(), f.key.as_ref(), Some(&f.value)];
                inner.into_iter().flatten().for_each(|e| self.expr(e));
                self.bound.truncate(depth);
            }
            ExprKind::Parens(inner) => self.expr(inner),
        }
    }

    fn template(&mut self, template: &Template) {
        for part in &template.parts {
            match part {
                Part::Literal(_) => {}
                Part::Interpolation(expr) => self.expr(expr),
                Part::If {
                    condition,
                    then,
                    otherwise,
                } => {
                    self.expr(condition);
                    self.template(then);
                    self.template(otherwise);
                }
                Part::For {
                    key_name,
                    value_name,
                    collection,
                    body,
                } => {
                    self.expr(collection);
                    let depth = self.bound.len();
                    self.bound.extend(key_name.clone());
                    self.bound.push(value_name.clone());
                    self.template(body);
                    self.bound.truncate(depth);
                }
            }
        }
    }
}
