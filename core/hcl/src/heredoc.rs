//! The literal texts of heredocs, as HCL takes white space from them: its scanner makes a token of every
//! line, so that a strip marker ends at the end of its line, and `<<-` counts the space before each line
//! inside directives too.

use std::borrow::Cow;
use std::collections::VecDeque;

use hcl_edit::Span as _;
use hcl_edit::template::{Directive, Element, Template};

/// A token of a heredoc.
enum Token {
    /// One line of a literal, or its part before or after a sequence; the number of the literal.
    Text(String, usize),
    /// `${ … }` or a `%{ … }` of its own, and whether it strips what is before and after it.
    Sequence(bool, bool),
}

/// The text of every literal of a heredoc, in the order in which they stand.
pub(crate) fn literals(template: &Template, source: &str, is_indented: bool) -> VecDeque<String> {
    let mut scan = Scan {
        source,
        tokens: Vec::new(),
        count: 0,
    };
    scan.template(template);
    let mut tokens = stripped(scan.tokens);
    if is_indented {
        unindent(&mut tokens);
    }
    let mut out = VecDeque::from(vec![String::new(); scan.count]);
    for token in tokens {
        if let Token::Text(text, literal) = token {
            out[literal].push_str(&text.replace("$${", "${").replace("%%{", "%{"));
        }
    }
    out
}

/// The text with an empty string in the place of every heredoc without a line, octet for octet: the parser
/// looks for the end of a heredoc after its first line only.
pub(crate) fn without_empty(text: &str) -> Cow<'_, str> {
    let mut out = Cow::Borrowed(text);
    for (at, _) in text.match_indices("<<") {
        if let Some(len) = empty_len(&text[at..]) {
            let blank = format!("\"\"{}", " ".repeat(len - 2));
            out.to_mut().replace_range(at..at + len, &blank);
        }
    }
    out
}

/// The length of the heredoc at the beginning of a text, if it has no line.
fn empty_len(text: &str) -> Option<usize> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let rest = text.strip_prefix("<<")?;
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    let name_len = rest.find(|c| !is_name(c))?;
    let (name, rest) = rest.split_at(name_len);
    let rest = rest
        .trim_start_matches([' ', '\t', '\r'])
        .strip_prefix('\n')?;
    let rest = rest.trim_start_matches([' ', '\t']).strip_prefix(name)?;
    let ends = !name.is_empty() && !rest.starts_with(is_name);
    ends.then(|| text.len() - rest.len())
}

struct Scan<'a> {
    source: &'a str,
    tokens: Vec<Token>,
    count: usize,
}

impl Scan<'_> {
    fn template(&mut self, template: &Template) {
        for element in template {
            match element {
                Element::Literal(literal) => {
                    let written = literal.span().and_then(|at| self.source.get(at));
                    let written = written.unwrap_or_else(|| literal.value());
                    let lines = written.split_inclusive('\n').map(str::to_owned);
                    let number = self.count;
                    self.tokens
                        .extend(lines.map(|line| Token::Text(line, number)));
                    self.count += 1;
                }
                Element::Interpolation(i) => {
                    let (before, after) = (i.strip.strip_start(), i.strip.strip_end());
                    self.tokens.push(Token::Sequence(before, after));
                }
                Element::Directive(directive) => self.directive(directive),
            }
        }
    }

    fn directive(&mut self, directive: &Directive) {
        let mark = |scan: &mut Self, strip: &hcl_edit::template::Strip| {
            let sequence = Token::Sequence(strip.strip_start(), strip.strip_end());
            scan.tokens.push(sequence);
        };
        match directive {
            Directive::If(d) => {
                mark(self, &d.if_expr.strip);
                self.template(&d.if_expr.template);
                if let Some(branch) = &d.else_expr {
                    mark(self, &branch.strip);
                    self.template(&branch.template);
                }
                mark(self, &d.endif_expr.strip);
            }
            Directive::For(d) => {
                mark(self, &d.for_expr.strip);
                self.template(&d.for_expr.template);
                mark(self, &d.endfor_expr.strip);
            }
        }
    }
}

/// The tokens with the strip markers applied to their neighbours.
fn stripped(tokens: Vec<Token>) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut strip_next = false;
    for token in tokens {
        let strip = std::mem::take(&mut strip_next);
        match token {
            Token::Text(text, literal) if strip => {
                out.push(Token::Text(text.trim_start().to_owned(), literal));
            }
            Token::Sequence(before, after) => {
                if before && let Some(Token::Text(text, _)) = out.last_mut() {
                    let kept = text.trim_end().len();
                    text.truncate(kept);
                }
                strip_next = after;
                out.push(Token::Sequence(before, after));
            }
            text @ Token::Text(..) => out.push(text),
        }
    }
    out
}

/// Takes the space off the lines that all of them have.
fn unindent(tokens: &mut [Token]) {
    let mut least = usize::MAX;
    let mut lines = Vec::new();
    let mut is_line_start = true;
    for (at, token) in tokens.iter().enumerate() {
        let text = match token {
            Token::Text(text, _) => text.as_str(),
            Token::Sequence(..) => "",
        };
        if std::mem::take(&mut is_line_start) {
            let rest = text.trim_start();
            // A blank line says nothing of the indentation.
            if !(rest.is_empty() && text.ends_with('\n')) {
                let space = &text[..text.len() - rest.len()];
                least = least.min(space.chars().count());
                lines.push(at);
            }
        }
        is_line_start = text.ends_with('\n');
    }
    for at in lines {
        if let Token::Text(text, _) = &mut tokens[at] {
            *text = text.chars().skip(least).collect();
        }
    }
}
