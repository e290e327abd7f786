//! Regular expressions in the syntax of RE2 (<https://github.com/google/re2/wiki/Syntax>), which Terraform has, for an
//! engine of the same semantics whose syntax differs: there a bracket in a class begins another class, `&&`, `--` and `~~`
//! combine classes, a brace always repeats, and `\d`, `\s`, `\w` and `\b` know all of Unicode.

use std::iter::Peekable;
use std::str::Chars;

use regex::Regex;

/// Compiles a pattern of RE2.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    regex::RegexBuilder::new(&translated(pattern))
        .size_limit(1 << 20)
        .build()
        .map_err(|_| {
            // The engine's own words show the translation; those for the pattern as it is are of use.
            match Regex::new(pattern) {
                Ok(_) => "invalid regular expression".to_owned(),
                Err(e) => format!("invalid regular expression: {e}"),
            }
        })
}

/// What an escape of a class of characters means inside brackets.
fn class(escape: char) -> Option<&'static str> {
    Some(match escape {
        'd' => "0-9",
        's' => r"\t\n\x0C\r ",
        'w' => "0-9A-Za-z_",
        _ => return None,
    })
}

fn translated(pattern: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(&mut rest, &mut out),
            '[' => brackets(&mut rest, &mut out),
            '{' if !repeats(rest.clone()) => out.push_str(r"\{"),
            _ => out.push(c),
        }
    }
    out
}

/// An escape outside of brackets.
fn escape(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    let Some(c) = rest.next() else {
        return out.push('\\');
    };
    if let Some(inside) = class(c) {
        out.push_str(&format!("[{inside}]"));
    } else if let Some(inside) = class(c.to_ascii_lowercase()).filter(|_| c.is_ascii_uppercase()) {
        out.push_str(&format!("[^{inside}]"));
    } else if c == 'b' {
        out.push_str(r"(?-u:\b)");
    } else if c == 'Q' {
        let text: String = rest.collect();
        let (literal, after) = text.split_once(r"\E").unwrap_or((&text, ""));
        out.push_str(&regex::escape(literal));
        out.push_str(&translated(after));
    } else {
        out.push('\\');
        out.push(c);
    }
}

/// What is between brackets, and the closing one.
fn brackets(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    if rest.next_if_eq(&']').is_some() {
        out.push_str(r"\]");
    }
    // Whether a dash would make a range of what stands before it.
    let mut may_range = out.ends_with(r"\]");
    while let Some(c) = rest.next() {
        let was_single = std::mem::replace(&mut may_range, true);
        match c {
            ']' => return out.push(']'),
            '[' if rest.peek() == Some(&':') => {
                may_range = false;
                out.push('[');
                for c in rest.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            '-' if was_single && rest.peek().is_some_and(|c| *c != ']') => {
                out.push('-');
                may_range = false;
                end_of_range(rest, out);
            }
            '[' | '&' | '~' | '-' => {
                out.push('\\');
                out.push(c);
            }
            '\\' => {
                let Some(c) = rest.next() else {
                    return out.push('\\');
                };
                may_range = false;
                if let Some(inside) = class(c) {
                    out.push_str(inside);
                } else if let Some(inside) = class(c.to_ascii_lowercase())
                    && c.is_ascii_uppercase()
                {
                    out.push_str(&format!("[^{inside}]"));
                } else {
                    may_range = !matches!(c, 'p' | 'P');
                    out.push('\\');
                    out.push(c);
                }
            }
            _ => out.push(c),
        }
    }
}

/// The end of a range in brackets.
fn end_of_range(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    match rest.next() {
        Some('\\') => {
            out.push('\\');
            out.extend(rest.next());
        }
        Some(c) if matches!(c, '[' | '&' | '~' | '-') => {
            out.push('\\');
            out.push(c);
        }
        Some(c) => out.push(c),
        None => {}
    }
}

/// Whether what follows a brace makes it a repetition: `3}`, `3,}`, `3,5}`.
fn repeats(rest: Peekable<Chars<'_>>) -> bool {
    let inside: String = rest.take_while(|c| *c != '}').collect();
    let (least, most) = inside.split_once(',').unwrap_or((&inside, ""));
    let is_number = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    !least.is_empty() && is_number(least) && is_number(most)
}
