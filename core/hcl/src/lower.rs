//! From the syntax tree of `hcl-edit` to ours. `hcl-edit` owns the grammar; the walk here keeps
//! places, takes numbers from their digits, and applies strip markers once.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::{self as he, BinaryOperator, Expression, TraversalOperator, UnaryOperator};
use hcl_edit::structure as hs;
use hcl_edit::template::{self as ht, Directive, Element};

use crate::ast::{
    Attribute, Binary, Block, Body, Expr, ExprKind, For, Label, ObjectItem, ObjectKey, Part, Step,
    Template, Unary,
};
use crate::explain::explain;
use crate::{Diagnostic, Span, Value, heredoc, newlines, numbers};

/// Largest source text: 16 MiB. Spans are 32-bit and nobody writes such a file by hand.
const TEXT_LEN_MAX: usize = 16 << 20;

/// A source text with the starts of its lines.
pub(crate) struct Source<'a> {
    file: Arc<str>,
    text: &'a str,
    lines: Vec<usize>,
    diagnostics: Vec<Diagnostic>,
    /// The place of everything, when the text is not itself what stands in the file.
    fixed: Option<Span>,
    /// The texts of the heredoc that is being read, if one is.
    heredoc: Option<VecDeque<String>>,
    /// Whether what is read stands in a quoted template.
    in_quotes: bool,
    /// The last column that was counted: line, offset, characters before it.
    last: Cell<(usize, usize, usize)>,
}

/// Parses a file in native syntax. A leading byte order mark is dropped.
///
/// # Errors
/// The first syntax error of the file: the parser stops there. Expressions, templates and blocks
/// may nest 64 deep and 128 binary operators may be chained.
pub fn parse_body(file: &str, text: &str) -> Result<Body, Vec<Diagnostic>> {
    let mut source = Source::new(file, text)?;
    let readable = heredoc::without_empty(source.text);
    let parsed =
        tolerant(&readable, hcl_edit::parser::parse_body).map_err(|e| source.syntax(&e))?;
    let body = source.body(&parsed);
    source.done(body)
}

/// Parses one expression.
///
/// # Errors
/// As [`parse_body`].
pub fn parse_expr(file: &str, text: &str) -> Result<Expr, Vec<Diagnostic>> {
    let mut source = Source::new(file, text)?;
    let parsed =
        tolerant(source.text, hcl_edit::parser::parse_expr).map_err(|e| source.syntax(&e))?;
    let expr = source.expr(&parsed);
    source.done(expr)
}

/// Parses a template: text with `${…}` and `%{…}`.
///
/// # Errors
/// As [`parse_body`].
pub fn parse_template(file: &str, text: &str) -> Result<Expr, Vec<Diagnostic>> {
    let mut source = Source::new(file, text)?;
    let parsed =
        tolerant(source.text, hcl_edit::parser::parse_template).map_err(|e| source.syntax(&e))?;
    let span = source.span(Some(0..source.text.len()));
    source.heredoc = Some(heredoc::literals(&parsed, source.text, false));
    let template = source.template(&parsed);
    source.done(Expr {
        kind: ExprKind::Template(template),
        span,
    })
}

/// Parses a template that stands, in another notation, at `place`: everything in it has that place.
pub(crate) fn parse_template_in(place: &Span, text: &str) -> Result<Expr, Vec<Diagnostic>> {
    let mut source = Source::new(&place.file, text)?;
    source.fixed = Some(place.clone());
    let parsed = hcl_edit::parser::parse_template(source.text).map_err(|e| source.syntax(&e))?;
    source.heredoc = Some(heredoc::literals(&parsed, source.text, false));
    let template = source.template(&parsed);
    source.done(Expr {
        kind: ExprKind::Template(template),
        span: place.clone(),
    })
}

/// Most keys of objects in a file that may stand twice.
const REPEATED_KEYS_MAX: usize = 256;

/// Parses what Terraform allows and the parser does not, in a text of the same places: newlines in a `for`
/// expression ([`newlines`]), and keys of an object that stand twice (the later one wins). For the parser the
/// later key gets another first letter; [`Source::key`] reads what stands in the source.
fn tolerant<T>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, hcl_edit::parser::Error>,
) -> Result<T, hcl_edit::parser::Error> {
    let mut error = match parse(text) {
        Ok(parsed) => return Ok(parsed),
        Err(error) => error,
    };
    let mut altered = text.to_owned();
    let place = text.get(error.location().offset()..).unwrap_or_default();
    if place.starts_with(['\n', '\r', '#', '/']) {
        altered = newlines::without_in_for(text);
        match parse(&altered) {
            Ok(parsed) => return Ok(parsed),
            Err(next) => error = next,
        }
    }
    let (mut last, mut letters) = (usize::MAX, b'A'..=b'Z');
    for _ in 0..REPEATED_KEYS_MAX * 26 {
        let offset = error.location().offset();
        if offset != last {
            (last, letters) = (offset, b'A'..=b'Z');
        }
        let is_quoted = altered
            .get(offset..)
            .is_some_and(|rest| rest.starts_with('"'));
        let at = offset + usize::from(is_quoted);
        let first = altered.get(at..).and_then(|rest| rest.chars().next());
        let first = first.filter(|c| is_replaceable(*c, is_quoted));
        let repeated = error.message().contains("redefined object key");
        let (Some(first), true, Some(letter)) = (first, repeated, letters.next()) else {
            return Err(error);
        };
        // As many octets as before: places stay what they are.
        let len = first.len_utf8();
        let other = format!("{}{}", char::from(letter), "_".repeat(len - 1));
        altered.replace_range(at..at + len, &other);
        match parse(&altered) {
            Ok(parsed) => return Ok(parsed),
            Err(next) => error = next,
        }
    }
    Err(error)
}

/// Whether another letter may stand in the place of the first character of a key.
fn is_replaceable(first: char, is_quoted: bool) -> bool {
    if is_quoted {
        !matches!(first, '"' | '\\' | '$' | '%')
    } else {
        first.is_alphabetic() || first == '_'
    }
}

impl<'a> Source<'a> {
    /// The name of an object's key as the source has it.
    fn key(&self, name: &hcl_edit::Decorated<hcl_edit::Ident>) -> ObjectKey {
        let written = name.span().and_then(|at| self.text.get(at));
        let written = written.unwrap_or_else(|| name.as_str());
        ObjectKey::Name(written.to_owned(), self.span(name.span()))
    }

    /// A quoted key of an object with the first character that the source has.
    fn quoted_key(&self, key: &hcl_edit::Decorated<String>) -> String {
        let mut value = key.as_str().to_owned();
        let written = key.span().and_then(|at| self.text.get(at.start + 1..));
        let first = written.and_then(|rest| rest.chars().next());
        if let Some(first) = first.filter(|c| is_replaceable(*c, true))
            && !value.starts_with(first)
            && value.is_char_boundary(first.len_utf8())
        {
            value.replace_range(..first.len_utf8(), first.encode_utf8(&mut [0; 4]));
        }
        value
    }

    pub(crate) fn new(file: &str, text: &'a str) -> Result<Self, Vec<Diagnostic>> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.len() > TEXT_LEN_MAX {
            let detail = format!(
                "the file has {} bytes, the limit is {TEXT_LEN_MAX}",
                text.len()
            );
            return Err(vec![
                Diagnostic::error("File too large", detail).at(&Span::file(file)),
            ]);
        }
        let newlines = text.match_indices('\n').map(|(i, _)| i + 1);
        Ok(Self {
            file: Arc::from(file),
            text,
            lines: std::iter::once(0).chain(newlines).collect(),
            diagnostics: Vec::new(),
            fixed: None,
            heredoc: None,
            in_quotes: false,
            last: Cell::new((0, 0, 0)),
        })
    }

    /// The text without its byte order mark.
    pub(crate) const fn text(&self) -> &'a str {
        self.text
    }

    fn done<T>(self, value: T) -> Result<T, Vec<Diagnostic>> {
        if self.diagnostics.is_empty() {
            Ok(value)
        } else {
            Err(self.diagnostics)
        }
    }

    fn syntax(&self, error: &hcl_edit::parser::Error) -> Vec<Diagnostic> {
        let mut offset = error.location().offset().min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let detail = error.message().trim().replace('\n', "; ");
        let explained = explain(&detail, self.text, offset);
        let offset = (explained.as_ref().and_then(|e| e.at)).unwrap_or(offset);
        let error = Diagnostic::error("Syntax error", detail).at(&self.span(Some(offset..offset)));
        vec![match explained {
            Some(explained) => error.help(explained.help),
            None => error,
        }]
    }

    pub(crate) fn span(&self, range: Option<Range<usize>>) -> Span {
        if let Some(fixed) = &self.fixed {
            return fixed.clone();
        }
        let range = range.unwrap_or(0..0);
        let line = self
            .lines
            .partition_point(|start| *start <= range.start)
            .max(1);
        let column = self.column(line, self.lines[line - 1], range.start);
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span {
            file: self.file.clone(),
            line: narrow(line),
            column: narrow(column + 1),
            start: narrow(range.start),
            end: narrow(range.end),
        }
    }

    /// Characters before an offset in its line. Places come one after the other, so counting goes on
    /// from the one before: files of one line may be long.
    fn column(&self, line: usize, start: usize, offset: usize) -> usize {
        let (last_line, last_offset, last_column) = self.last.get();
        let (from, before) = if last_line == line && last_offset <= offset {
            (last_offset, last_column)
        } else {
            (start, 0)
        };
        let between = self.text.get(from..offset);
        let column = before + between.map_or(0, |text| text.chars().count());
        self.last.set((line, offset, column));
        column
    }

    fn body(&mut self, body: &hs::Body) -> Body {
        let mut out = Body::default();
        for structure in body {
            match structure {
                hs::Structure::Attribute(attribute) => {
                    let attribute = Attribute {
                        name: attribute.key.as_str().to_owned(),
                        name_span: self.span(attribute.key.span()),
                        expr: self.expr(&attribute.value),
                    };
                    if let Some(first) = out.attribute(&attribute.name) {
                        let detail = format!(
                            "\"{}\" was already set at {}",
                            attribute.name, first.name_span
                        );
                        self.diagnostics.push(
                            Diagnostic::error("Attribute redefined", detail)
                                .at(&attribute.name_span),
                        );
                    } else {
                        out.attributes.push(attribute);
                    }
                }
                hs::Structure::Block(block) => {
                    let labels = block.labels.iter().map(|label| Label {
                        text: label.as_str().to_owned(),
                        span: self.span(match label {
                            hs::BlockLabel::Ident(l) => l.span(),
                            hs::BlockLabel::String(l) => l.span(),
                        }),
                    });
                    let labels = labels.collect();
                    out.blocks.push(Block {
                        kind: block.ident.as_str().to_owned(),
                        labels,
                        span: self.span(block.ident.span()),
                        body: self.body(&block.body),
                    });
                }
            }
        }
        out
    }

    fn expr(&mut self, expr: &Expression) -> Expr {
        let span = self.span(expr.span());
        let kind = match expr {
            Expression::Null(_) => ExprKind::Literal(Value::null()),
            Expression::Bool(b) => ExprKind::Literal(Value::bool(*b.value())),
            Expression::Number(n) => self.number(n.span(), &n.value().to_string(), &span),
            Expression::String(s) => ExprKind::Literal(Value::string(s.value())),
            Expression::Array(items) => {
                ExprKind::Tuple(items.iter().map(|item| self.expr(item)).collect())
            }
            Expression::Object(object) => ExprKind::Object(self.object(object)),
            Expression::StringTemplate(t) => {
                let outer = std::mem::replace(&mut self.in_quotes, true);
                let template = self.elements(t.iter(), false);
                self.in_quotes = outer;
                ExprKind::Template(template)
            }
            Expression::HeredocTemplate(t) => {
                let start = expr.span().map_or(0, |at| at.start);
                let written = self.text.get(start..).unwrap_or_default();
                let is_indented = written.trim_start().starts_with("<<-");
                let literals = heredoc::literals(&t.template, self.text, is_indented);
                let outer = self.heredoc.replace(literals);
                let template = self.template(&t.template);
                self.heredoc = outer;
                ExprKind::Template(template)
            }
            Expression::Parenthesis(p) => ExprKind::Parens(Box::new(self.expr(p.inner()))),
            Expression::Variable(name) => ExprKind::Variable(name.as_str().to_owned()),
            Expression::Conditional(c) => ExprKind::Conditional(Box::new([
                self.expr(&c.cond_expr),
                self.expr(&c.true_expr),
                self.expr(&c.false_expr),
            ])),
            Expression::FuncCall(call) => self.call(call),
            Expression::Traversal(t) => {
                let base = Box::new(self.expr(&t.expr));
                let steps = t.operators.iter().map(|o| self.step(o)).collect();
                ExprKind::Traversal(base, steps)
            }
            Expression::UnaryOp(op) => {
                let unary = match op.operator.value() {
                    UnaryOperator::Neg => Unary::Negate,
                    UnaryOperator::Not => Unary::Not,
                };
                ExprKind::Unary(unary, Box::new(self.expr(&op.expr)))
            }
            Expression::BinaryOp(op) => ExprKind::Binary(
                binary(*op.operator.value()),
                Box::new([self.expr(&op.lhs_expr), self.expr(&op.rhs_expr)]),
            ),
            Expression::ForExpr(f) => ExprKind::For(Box::new(self.for_expr(f))),
        };
        Expr { kind, span }
    }

    /// The digits of the source; the parser's own value is a float and loses some.
    fn number(&mut self, range: Option<Range<usize>>, fallback: &str, span: &Span) -> ExprKind {
        let raw = range.and_then(|r| self.text.get(r)).unwrap_or(fallback);
        let raw: String = raw.chars().filter(|c| !c.is_whitespace()).collect();
        match numbers::parse(&raw).or_else(|| numbers::parse(fallback)) {
            Some(number) => ExprKind::Number(number),
            None => {
                self.diagnostics.push(
                    Diagnostic::error("Number out of range", format!("\"{raw}\" is too large"))
                        .at(span),
                );
                ExprKind::Literal(Value::null())
            }
        }
    }

    fn object(&mut self, object: &he::Object) -> Vec<ObjectItem> {
        object
            .iter()
            .map(|(key, value)| ObjectItem {
                key: match key {
                    he::ObjectKey::Ident(name)
                    | he::ObjectKey::Expression(Expression::Variable(name)) => self.key(name),
                    he::ObjectKey::Expression(Expression::Null(null)) => {
                        ObjectKey::Name("null".to_owned(), self.span(null.span()))
                    }
                    he::ObjectKey::Expression(Expression::String(name)) => ObjectKey::Expr(Expr {
                        kind: ExprKind::Literal(Value::string(self.quoted_key(name))),
                        span: self.span(name.span()),
                    }),
                    he::ObjectKey::Expression(expr) => ObjectKey::Expr(self.expr(expr)),
                },
                value: self.expr(value.expr()),
            })
            .collect()
    }

    fn call(&mut self, call: &he::FuncCall) -> ExprKind {
        let mut name = String::new();
        for part in &call.name.namespace {
            name.push_str(part.as_str());
            name.push_str("::");
        }
        name.push_str(call.name.name.as_str());
        ExprKind::Call {
            name,
            name_span: self.span(call.name.name.span()),
            args: call.args.iter().map(|arg| self.expr(arg)).collect(),
            expand: call.args.expand_final(),
        }
    }

    fn step(&mut self, operator: &hcl_edit::Decorated<TraversalOperator>) -> Step {
        let span = self.span(operator.span());
        match operator.value() {
            TraversalOperator::AttrSplat(_) => Step::AttrSplat(span),
            TraversalOperator::FullSplat(_) => Step::FullSplat(span),
            TraversalOperator::GetAttr(name) => Step::Attr(name.as_str().to_owned(), span),
            TraversalOperator::Index(expr) => Step::Index(Box::new(self.expr(expr))),
            // A splat of attributes takes it along, which it does not with `[0]`.
            TraversalOperator::LegacyIndex(index) => Step::Attr(index.value().to_string(), span),
        }
    }

    fn for_expr(&mut self, f: &he::ForExpr) -> For {
        For {
            key_name: f.intro.key_var.as_ref().map(|n| n.as_str().to_owned()),
            value_name: f.intro.value_var.as_str().to_owned(),
            collection: self.expr(&f.intro.collection_expr),
            key: f.key_expr.as_ref().map(|e| self.expr(e)),
            value: self.expr(&f.value_expr),
            group: f.grouping,
            condition: f.cond.as_ref().map(|c| self.expr(&c.expr)),
        }
    }

    fn template(&mut self, template: &ht::Template) -> Template {
        self.elements(template.iter(), self.in_quotes)
    }

    fn elements<'e>(
        &mut self,
        elements: impl Iterator<Item = &'e Element>,
        is_escaped: bool,
    ) -> Template {
        let mut parts: Vec<Part> = Vec::new();
        let mut strip_next = false;
        for element in elements {
            let (before, after) = outer_strip(element);
            let is_heredoc = self.heredoc.is_some();
            if before
                && !is_heredoc
                && let Some(Part::Literal(text)) = parts.last_mut()
            {
                let kept = text.trim_end().len();
                text.truncate(kept);
            }
            match element {
                Element::Literal(text) => {
                    let next = self.heredoc.as_mut().map(VecDeque::pop_front);
                    let text = next.map(Option::unwrap_or_default).unwrap_or_else(|| {
                        let mut text = text.value().clone();
                        if is_escaped {
                            text = unescaped(&text);
                        }
                        if strip_next {
                            text = text.trim_start().to_owned();
                        }
                        text
                    });
                    parts.push(Part::Literal(text));
                }
                Element::Interpolation(i) => {
                    let expr = self.inner(&i.expr);
                    parts.push(Part::Interpolation(expr));
                }
                Element::Directive(directive) => {
                    let part = self.directive(directive);
                    parts.push(part);
                }
            }
            strip_next = after;
        }
        Template { parts }
    }

    /// An expression inside a template: what is around it is not its own.
    fn inner(&mut self, expr: &Expression) -> Expr {
        let outer = (self.heredoc.take(), std::mem::take(&mut self.in_quotes));
        let expr = self.expr(expr);
        (self.heredoc, self.in_quotes) = outer;
        expr
    }

    /// Strips the first literal of a template, or the last one; a heredoc's are stripped already.
    fn strip(&self, template: &mut Template, what: fn(&mut Template)) {
        if self.heredoc.is_none() {
            what(template);
        }
    }

    fn directive(&mut self, directive: &Directive) -> Part {
        match directive {
            Directive::If(d) => {
                let mut then = self.template(&d.if_expr.template);
                let mut otherwise = Template::default();
                if d.if_expr.strip.strip_end() {
                    self.strip(&mut then, strip_first);
                }
                if let Some(branch) = &d.else_expr {
                    otherwise = self.template(&branch.template);
                    if branch.strip.strip_start() {
                        self.strip(&mut then, strip_last);
                    }
                    if branch.strip.strip_end() {
                        self.strip(&mut otherwise, strip_first);
                    }
                }
                if d.endif_expr.strip.strip_start() {
                    let last = if d.else_expr.is_some() {
                        &mut otherwise
                    } else {
                        &mut then
                    };
                    self.strip(last, strip_last);
                }
                Part::If {
                    condition: self.inner(&d.if_expr.cond_expr),
                    then,
                    otherwise,
                }
            }
            Directive::For(d) => {
                let mut body = self.template(&d.for_expr.template);
                if d.for_expr.strip.strip_end() {
                    self.strip(&mut body, strip_first);
                }
                if d.endfor_expr.strip.strip_start() {
                    self.strip(&mut body, strip_last);
                }
                Part::For {
                    key_name: d.for_expr.key_var.as_ref().map(|n| n.as_str().to_owned()),
                    value_name: d.for_expr.value_var.as_str().to_owned(),
                    collection: self.inner(&d.for_expr.collection_expr),
                    body,
                }
            }
        }
    }
}

/// The text with its escapes read, which the parser leaves in the directives of a quoted template.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let code = |len: usize| {
            let digits = after.get(1..=len)?;
            char::from_u32(u32::from_str_radix(digits, 16).ok()?)
        };
        let kind = after.chars().next();
        let (c, taken) = match kind {
            Some('n') => (Some('\n'), 1),
            Some('r') => (Some('\r'), 1),
            Some('t') => (Some('\t'), 1),
            Some('u') => (code(4), 5),
            Some('U') => (code(8), 9),
            Some('"' | '\\') => (kind, 1),
            _ => (None, 0),
        };
        match c {
            Some(c) => {
                out.push(c);
                rest = &after[taken..];
            }
            // No escape that there is: as it stands.
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// Whether an element strips the text before it, and the text after it.
fn outer_strip(element: &Element) -> (bool, bool) {
    match element {
        Element::Literal(_) => (false, false),
        Element::Interpolation(i) => (i.strip.strip_start(), i.strip.strip_end()),
        Element::Directive(d) => match d.as_ref() {
            Directive::If(d) => (
                d.if_expr.strip.strip_start(),
                d.endif_expr.strip.strip_end(),
            ),
            Directive::For(d) => (
                d.for_expr.strip.strip_start(),
                d.endfor_expr.strip.strip_end(),
            ),
        },
    }
}

fn strip_first(template: &mut Template) {
    if let Some(Part::Literal(text)) = template.parts.first_mut() {
        *text = text.trim_start().to_owned();
    }
}

fn strip_last(template: &mut Template) {
    if let Some(Part::Literal(text)) = template.parts.last_mut() {
        let kept = text.trim_end().len();
        text.truncate(kept);
    }
}

fn binary(operator: BinaryOperator) -> Binary {
    match operator {
        BinaryOperator::Eq => Binary::Equal,
        BinaryOperator::NotEq => Binary::NotEqual,
        BinaryOperator::LessEq => Binary::LessOrEqual,
        BinaryOperator::GreaterEq => Binary::GreaterOrEqual,
        BinaryOperator::Less => Binary::Less,
        BinaryOperator::Greater => Binary::Greater,
        BinaryOperator::Plus => Binary::Add,
        BinaryOperator::Minus => Binary::Subtract,
        BinaryOperator::Mul => Binary::Multiply,
        BinaryOperator::Div => Binary::Divide,
        BinaryOperator::Mod => Binary::Modulo,
        BinaryOperator::And => Binary::And,
        BinaryOperator::Or => Binary::Or,
    }
}
