//! What to do about a syntax error: the parser says what it expected and where, which is not always what is wrong.

/// What an error may come from, and where that stands, if elsewhere.
pub(crate) struct Explanation {
    pub(crate) help: String,
    pub(crate) at: Option<usize>,
}

fn here(help: impl Into<String>) -> Option<Explanation> {
    Some(Explanation {
        help: help.into(),
        at: None,
    })
}

fn there(at: usize, help: impl Into<String>) -> Option<Explanation> {
    Some(Explanation {
        help: help.into(),
        at: Some(at),
    })
}

/// What is wrong at an offset where the parser stopped, if that can be said.
pub(crate) fn explain(message: &str, text: &str, offset: usize) -> Option<Explanation> {
    if message.contains("escape") || message.contains("unicode") {
        return here(
            "Escapes are \\n, \\r, \\t, \\\", \\\\, \\uNNNN and \\UNNNNNNNN; a plain backslash is written twice.",
        );
    }
    let scan = Scan::of(text);
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let end = text[offset..]
        .find('\n')
        .map_or(text.len(), |at| offset + at);
    let line = &text[start..end];
    let on_line = |at: &usize| (start..=end).contains(at);
    if let Some(at) = scan.odd.filter(on_line) {
        return there(
            at,
            match text.as_bytes().get(at) {
                Some(b'\'') => "Texts stand in double quotes.",
                _ => {
                    "Arguments are separated by line ends and elements by commas; there is no semicolon."
                }
            },
        );
    }
    if let Some(found) = directives(line) {
        return here(found);
    }
    if let Some(at) = scan.unclosed_text.filter(|at| *at >= start) {
        return there(
            at,
            "The text that begins here is not closed on its line. A text of several lines is a heredoc (<<-EOT), or has \\n in it.",
        );
    }
    if line.contains("<<\"") || line.contains("<<-\"") {
        return here("The word that ends a heredoc stands without quotes: <<-EOT.");
    }
    if let Some(found) = one_line_block(line) {
        return here(found);
    }
    if let Some(at) = scan.stray {
        return there(
            at,
            "This closes nothing: there is one more of it than was opened.",
        );
    }
    if let Some((at, bracket)) = scan.open.last().filter(|(at, _)| *at < offset) {
        let line = text[..*at].matches('\n').count() + 1;
        let close = closing(*bracket) as char;
        return there(
            *at,
            format!("What begins at line {line} is not closed: a {close} is missing."),
        );
    }
    let before = Scan::of(&text[..offset]);
    around(text, offset, line, before.open.last().map(|(_, b)| *b))
}

/// What the line and what surrounds it tell.
fn around(text: &str, offset: usize, line: &str, inside: Option<u8>) -> Option<Explanation> {
    const GOES_ON: &str = "An expression goes on in the next line only within parentheses.";
    const OPERATORS: [&str; 14] = [
        "?", ":", "+", "-", "*", "/", "%", "==", "!=", "&&", "||", "<", ">", "=",
    ];
    let bare = line.trim();
    let in_list = matches!(inside, Some(b'[' | b'('));
    let begins = |sign: &str| bare.starts_with(sign);
    if !in_list && OPERATORS.iter().any(|sign| begins(sign)) {
        return here(GOES_ON);
    }
    let above = text[..offset].trim_end();
    let above = above.lines().next_back().unwrap_or_default().trim();
    if OPERATORS
        .iter()
        .any(|sign| bare.ends_with(sign) || above.ends_with(sign))
    {
        return here(format!("A value is missing after the last sign. {GOES_ON}"));
    }
    if in_list {
        return here("Elements are separated by commas.");
    }
    let word = bare.split(|c: char| !is_name(c)).next().unwrap_or_default();
    let rest = bare[word.len()..].trim_start();
    if !word.is_empty() && rest.starts_with(':') {
        return here(format!(
            "An argument is set with an equals sign: {word} = …"
        ));
    }
    if !word.is_empty() && rest.starts_with('"') && !rest.contains('{') && !rest.contains('=') {
        return here(format!(
            "To set an argument, write {word} = {rest}; a block has its {{ on the line of its name."
        ));
    }
    if bare.matches('=').count() > 1 && inside == Some(b'{') {
        return here("The items of an object are separated by commas or line ends.");
    }
    None
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// `%{ … }` in a text: words that are none, and pairs that are not complete.
fn directives(line: &str) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find("%{") {
        let escaped = rest[..at].ends_with('%');
        rest = &rest[at + 2..];
        if escaped {
            continue;
        }
        let inner = rest.trim_start_matches('~').trim_start();
        let word = inner
            .split(|c: char| !is_name(c))
            .next()
            .unwrap_or_default();
        match word {
            "if" | "for" => open.push(word),
            "else" if open.last() == Some(&"if") => {}
            "endif" | "endfor" if open.pop() == word.strip_prefix("end") => {}
            "else" | "endif" | "endfor" => {
                return Some(format!(
                    "%{{ {word} }} ends nothing that was begun in this text."
                ));
            }
            _ => {
                return Some(format!(
                    "\"{word}\" is no directive: there are if, else, endif, for and endfor. Write %%{{ for a plain %{{."
                ));
            }
        }
    }
    let last = open.last()?;
    Some(format!(
        "%{{ {last} }} needs an %{{ end{last} }} in the same text."
    ))
}

/// A block that begins and goes on in one line.
fn one_line_block(line: &str) -> Option<String> {
    let line = without_texts(line);
    let (head, inner) = line.split_once('{')?;
    let name = head.split_whitespace().next()?;
    let is_header = head.split_whitespace().all(|word| {
        word.chars().all(is_name)
            || (word.len() > 1 && word.starts_with('"') && word.ends_with('"'))
    });
    let inner = inner.trim();
    if !is_header || inner.is_empty() || inner.starts_with('#') || inner.starts_with('}') {
        return None;
    }
    let argument = inner
        .split(|c: char| !is_name(c))
        .next()
        .unwrap_or_default();
    let after = inner[argument.len()..].trim_start();
    Some(if after.starts_with('{') || after.starts_with('"') {
        format!(
            "A block on one line holds a single argument, and no block: put \"{argument}\" on lines of its own inside \"{name}\" (or write {argument} = …, if it is an argument)."
        )
    } else if inner.ends_with('}') {
        let more = inner.matches(" = ").count() > 1 || inner.contains(',');
        if !more {
            return None;
        }
        format!(
            "A block on one line holds a single argument: put each argument of \"{name}\" on a line of its own."
        )
    } else {
        format!(
            "A block whose first argument stands on its own line must end there: begin a new line after the {{ of \"{name}\"."
        )
    })
}

/// A line with nothing in its quotes.
fn without_texts(line: &str) -> String {
    let mut out = String::new();
    let (mut in_text, mut escaped) = (false, false);
    for c in line.chars() {
        let ends = c == '"' && !escaped;
        if ends || !in_text {
            out.push(c);
        }
        in_text ^= ends;
        escaped = in_text && c == '\\' && !escaped;
    }
    out
}

/// Brackets, texts and comments of a source, as far as they tell what is not closed.
#[derive(Default)]
struct Scan {
    /// What is open at the end: its place and its bracket.
    open: Vec<(usize, u8)>,
    /// Where a text begins that its line does not close.
    unclosed_text: Option<usize>,
    /// A closing bracket that nothing opened.
    stray: Option<usize>,
    /// The first sign that the language does not have.
    odd: Option<usize>,
}

fn closing(bracket: u8) -> u8 {
    match bracket {
        b'{' | b'$' => b'}',
        b'[' => b']',
        b'(' => b')',
        other => other,
    }
}

impl Scan {
    fn of(text: &str) -> Self {
        let mut scan = Self::default();
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let in_text = scan.open.last().is_some_and(|(_, b)| *b == b'"');
            let taken = if in_text {
                scan.in_text(bytes, at)
            } else {
                scan.in_code(text, at)
            };
            let Some(taken) = taken else { break };
            at += taken;
        }
        if let Some((begin, _)) = scan.open.iter().rev().find(|(_, b)| *b == b'"') {
            scan.unclosed_text.get_or_insert(*begin);
        }
        scan
    }

    /// How far to go on inside a text; `None` where its line ends.
    fn in_text(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        match (bytes[at], bytes.get(at + 1)) {
            (b'\\', Some(_)) => Some(2),
            (b'"', _) => {
                self.open.pop();
                Some(1)
            }
            (b'$' | b'%', Some(b'{')) if at > 0 && bytes[at - 1] == bytes[at] => Some(2),
            (b'$' | b'%', Some(b'{')) => {
                self.open.push((at, b'$'));
                Some(2)
            }
            (b'\n', _) => None,
            _ => Some(1),
        }
    }

    /// How far to go on outside of texts; `None` where something closes that was not opened.
    fn in_code(&mut self, text: &str, at: usize) -> Option<usize> {
        let rest = &text[at..];
        let line = rest.find('\n').unwrap_or(rest.len());
        match rest.as_bytes()[0] {
            b'#' => return Some(line.max(1)),
            b'/' if rest.starts_with("//") => return Some(line.max(1)),
            b'/' if rest.starts_with("/*") => {
                return Some(rest.find("*/").map_or(rest.len(), |end| end + 2));
            }
            b'<' if rest.starts_with("<<") => {
                return Some(heredoc(rest, line).unwrap_or(2));
            }
            bracket @ (b'"' | b'{' | b'[' | b'(') => self.open.push((at, bracket)),
            bracket @ (b'}' | b']' | b')') => match self.open.pop() {
                Some((_, open)) if closing(open) == bracket => {}
                Some(open) => {
                    self.open.push(open);
                    return None;
                }
                None => {
                    self.stray = Some(at);
                    return None;
                }
            },
            b'\'' | b';' => {
                self.odd.get_or_insert(at);
            }
            _ => {}
        }
        Some(rest.chars().next().map_or(1, char::len_utf8))
    }
}

/// The length of a heredoc with its end.
fn heredoc(rest: &str, line: usize) -> Option<usize> {
    let word = rest[2..line].trim_start_matches('-').trim();
    if word.is_empty() || !word.chars().all(is_name) {
        return None;
    }
    let mut end = line + 1;
    for next in rest.get(end..)?.split_inclusive('\n') {
        end += next.len();
        if next.trim() == word {
            return Some(end);
        }
    }
    None
}
