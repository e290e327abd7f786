//! The JSON form of the language (HCL's "JSON Syntax Specification"): JSON text to expressions, with
//! places. Strings are templates; what is a block and what an argument is for the reader of the tree
//! to say, since only it knows the schema.

use crate::ast::{Expr, ExprKind, ObjectItem, ObjectKey};
use crate::lower::{Source, parse_template_in};
use crate::{Diagnostic, Span, Value, numbers};

/// How deep arrays and objects may nest, as in native syntax.
const DEPTH_MAX: usize = 64;

/// Parses a JSON text as an expression. A leading byte order mark is dropped.
///
/// # Errors
/// The first error of the JSON syntax, or every error in its templates.
pub fn parse_json(file: &str, text: &str) -> Result<Expr, Vec<Diagnostic>> {
    let source = Source::new(file, text)?;
    let mut parser = Parser {
        text: source.text(),
        at: 0,
        source: &source,
        said: Vec::new(),
    };
    let parsed = parser.value(0).and_then(|expr| {
        parser.blank();
        if parser.at == parser.text.len() {
            Ok(expr)
        } else {
            Err("only white space may follow the value")
        }
    });
    match parsed {
        Ok(expr) if parser.said.is_empty() => Ok(expr),
        Ok(_) => Err(parser.said),
        Err(reason) => {
            let at = parser.at;
            let place = parser.span(at, at);
            Err(vec![Diagnostic::error("Invalid JSON", reason).at(&place)])
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    source: &'a Source<'a>,
    /// Errors in templates, which do not stop the reading.
    said: Vec<Diagnostic>,
}

type Parsed<T> = Result<T, &'static str>;

impl Parser<'_> {
    fn span(&self, start: usize, end: usize) -> Span {
        self.source.span(Some(start..end))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Parsed<Expr> {
        if depth > DEPTH_MAX {
            return Err("arrays and objects nest more than 64 deep");
        }
        self.blank();
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => ExprKind::Object(self.object(depth)?),
            Some(b'[') => ExprKind::Tuple(self.array(depth)?),
            Some(b'"') => {
                let text = self.string()?;
                self.template(&text, start)
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => ExprKind::Literal(self.word()?),
        };
        Ok(Expr {
            kind,
            span: self.span(start, self.at),
        })
    }

    fn word(&mut self) -> Parsed<Value> {
        let rest = &self.text[self.at..];
        let words = [
            ("true", Value::bool(true)),
            ("false", Value::bool(false)),
            ("null", Value::null()),
        ];
        for (word, value) in words {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err("a JSON value is expected")
    }

    fn number(&mut self) -> Parsed<ExprKind> {
        let rest = &self.text[self.at..];
        let len = rest
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E')))
            .unwrap_or(rest.len());
        let digits = &rest[..len];
        let whole = digits.trim_start_matches('-');
        let leading_zero = whole.len() > 1
            && whole.starts_with('0')
            && whole.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        let number = numbers::parse(digits).filter(|_| !leading_zero && !whole.starts_with('.'));
        let number = number.ok_or("this is not a number in JSON, or too large")?;
        self.at += len;
        Ok(ExprKind::Number(number))
    }

    fn array(&mut self, depth: usize) -> Parsed<Vec<Expr>> {
        self.at += 1;
        let mut items = Vec::new();
        self.blank();
        if self.take(b']') {
            return Ok(items);
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.blank();
            if self.take(b']') {
                return Ok(items);
            }
            if !self.take(b',') {
                return Err("a comma or ] is expected");
            }
        }
    }

    fn object(&mut self, depth: usize) -> Parsed<Vec<ObjectItem>> {
        self.at += 1;
        let mut items = Vec::new();
        self.blank();
        if self.take(b'}') {
            return Ok(items);
        }
        loop {
            self.blank();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err("a property name in quotes is expected");
            }
            let name = self.string()?;
            let span = self.span(start, self.at);
            let key = match self.template(&name, start) {
                ExprKind::Literal(_) => ObjectKey::Name(name, span),
                kind => ObjectKey::Expr(Expr { kind, span }),
            };
            self.blank();
            if !self.take(b':') {
                return Err("a colon is expected");
            }
            let value = self.value(depth + 1)?;
            items.push(ObjectItem { key, value });
            self.blank();
            if self.take(b'}') {
                return Ok(items);
            }
            if !self.take(b',') {
                return Err("a comma or } is expected");
            }
        }
    }

    /// The text of a string; the parser is behind its closing quote afterwards.
    fn string(&mut self) -> Parsed<String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let next = rest.chars().next().ok_or("the string has no end")?;
            self.at += next.len_utf8();
            match next {
                '"' => return Ok(out),
                '\\' => out.push(self.escape()?),
                c if c < ' ' => return Err("a control character must be escaped"),
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self) -> Parsed<char> {
        let letter = self.peek().ok_or("the string has no end")?;
        self.at += 1;
        Ok(match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                let code = if (0xd800..0xdc00).contains(&first)
                    && self.text[self.at..].starts_with("\\u")
                {
                    self.at += 2;
                    let second = self.hex()?;
                    0x1_0000 + ((first - 0xd800) << 10) + second.wrapping_sub(0xdc00)
                } else {
                    first
                };
                // Half of a pair stands for nothing.
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return Err("this escape is not one of JSON"),
        })
    }

    fn hex(&mut self) -> Parsed<u32> {
        let digits = self.text.get(self.at..self.at + 4);
        let code = digits
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|d| u32::from_str_radix(d, 16).ok());
        self.at += 4;
        code.ok_or("four hexadecimal digits are expected")
    }

    /// A string as a template; one without sequences is that text.
    fn template(&mut self, text: &str, start: usize) -> ExprKind {
        if !text.contains("${") && !text.contains("%{") {
            return ExprKind::Literal(Value::string(text));
        }
        let place = self.span(start, self.at);
        match parse_template_in(&place, text) {
            Ok(expr) => expr.kind,
            Err(mut errors) => {
                self.said.append(&mut errors);
                ExprKind::Literal(Value::string(text))
            }
        }
    }
}
