//! Templates: text with interpolations and directives.

use crate::Span;
use crate::ast::{Expr, Part, Template};
use crate::convert::convert;
use crate::eval::{Evaluator, Failed, Outcome};
use crate::refine;
use crate::ty::Type;
use crate::value::{Kind, Marks, Value};

#[derive(Default)]
struct TextBuilder {
    /// What is known from the beginning; nothing is added behind what is unknown.
    text: String,
    unknown: bool,
    marks: Marks,
}

impl TextBuilder {
    fn push(&mut self, text: &str) {
        if !self.unknown {
            self.text.push_str(text);
        }
    }
}

impl Evaluator<'_> {
    pub(crate) fn template_value(&mut self, template: &Template, span: &Span) -> Outcome {
        match template.parts.as_slice() {
            [] => Ok(Value::string("")),
            // A template of one interpolation is that value, of whatever type.
            [Part::Interpolation(expr)] => self.expr(expr),
            _ => self.template(template, span),
        }
    }

    /// The text of a template.
    pub(crate) fn template(&mut self, template: &Template, span: &Span) -> Outcome {
        let mut text = TextBuilder::default();
        let result = self.parts(template, &mut text);
        if text.text.len() > crate::STRING_LEN_MAX {
            return Err(self.error(span, "Text too long", "the text is longer than 16 MiB"));
        }
        result?;
        let value = if text.unknown {
            let known = refine::safe_prefix(&text.text);
            Value::unknown(Type::String).refined(refine::beginning(known))
        } else {
            Value::string(text.text)
        };
        Ok(value.with_marks(&text.marks))
    }

    fn parts(&mut self, template: &Template, out: &mut TextBuilder) -> Result<(), Failed> {
        let mut failed = false;
        for part in &template.parts {
            if out.text.len() > crate::STRING_LEN_MAX {
                return Err(Failed);
            }
            let result = match part {
                Part::Literal(text) => {
                    out.push(text);
                    Ok(())
                }
                Part::Interpolation(expr) => self.interpolate(expr, out),
                Part::If {
                    condition,
                    then,
                    otherwise,
                } => self.if_part(condition, then, otherwise, out),
                Part::For {
                    key_name,
                    value_name,
                    collection,
                    body,
                } => self.for_part(key_name.as_ref(), value_name, collection, body, out),
            };
            failed |= result.is_err();
        }
        if failed { Err(Failed) } else { Ok(()) }
    }

    fn interpolate(&mut self, expr: &Expr, out: &mut TextBuilder) -> Result<(), Failed> {
        let value = self.expr(expr)?;
        out.marks.join(&value.marks());
        if value.is_null() {
            let detail = "the expression result is null; a null cannot be part of a string";
            return Err(self.error(&expr.span, "Invalid template interpolation value", detail));
        }
        match convert(&value, &Type::String) {
            Ok(text) => match text.as_str() {
                Some(text) => out.push(text),
                None => out.unknown = true,
            },
            Err(e) => {
                let detail = format!("cannot include the given value in a string: {e}");
                return Err(self.error(&expr.span, "Invalid template interpolation value", detail));
            }
        }
        Ok(())
    }

    fn if_part(
        &mut self,
        condition: &Expr,
        then: &Template,
        otherwise: &Template,
        out: &mut TextBuilder,
    ) -> Result<(), Failed> {
        let value = self.expr(condition)?;
        out.marks.join(&value.marks());
        let chosen = convert(&value, &Type::Bool)
            .map_err(|e| self.error(&condition.span, "Incorrect condition type", e.to_string()))?;
        match chosen.kind() {
            Kind::Bool(true) => self.parts(then, out),
            Kind::Bool(false) => self.parts(otherwise, out),
            Kind::Null(_) => Err(self.error(
                &condition.span,
                "Null condition",
                "it must be true or false",
            )),
            _ => {
                out.unknown = true;
                Ok(())
            }
        }
    }

    fn for_part(
        &mut self,
        key_name: Option<&String>,
        value_name: &str,
        collection: &Expr,
        body: &Template,
        out: &mut TextBuilder,
    ) -> Result<(), Failed> {
        let value = self.expr(collection)?;
        out.marks.join(&value.marks());
        let Some(pairs) = self.pairs(&value, &collection.span)? else {
            out.unknown = true;
            return Ok(());
        };
        let depth = self.locals.len();
        let mut result = Ok(());
        for (key, value) in pairs {
            self.bind(key_name, value_name, key, value);
            result = self.parts(body, out).and(result);
            self.locals.truncate(depth);
        }
        result
    }
}
