//! Newlines that mean nothing: HCL's parser ignores them between the braces of a `for` expression, the parser
//! beneath us only where it knows of them.

/// What is open at a place of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// `(`, `[`, a template's sequence, or the braces of a `for` expression: newlines mean nothing.
    Free,
    /// Braces of an object or a block: newlines end an item.
    Braces,
    /// A quoted template.
    Quotes,
}

/// The text with a blank, octet for octet, in the place of every newline and comment directly between the braces
/// of a `for` expression.
pub(crate) fn without_in_for(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = &text.as_bytes()[at..];
        let is_free = open.last() == Some(&Open::Free);
        if open.last() == Some(&Open::Quotes) {
            at += match byte {
                b'"' => {
                    open.pop();
                    1
                }
                b'\\' => 2,
                b'$' | b'%' if rest.starts_with(b"${") || rest.starts_with(b"%{") => {
                    open.push(Open::Free);
                    2
                }
                b'$' | b'%' if rest.starts_with(b"$${") || rest.starts_with(b"%%{") => 3,
                _ => 1,
            };
            continue;
        }
        let len = match byte {
            b'"' => {
                open.push(Open::Quotes);
                1
            }
            b'(' | b'[' => {
                open.push(Open::Free);
                1
            }
            b'{' => {
                open.push(if opens_for(&rest[1..]) {
                    Open::Free
                } else {
                    Open::Braces
                });
                1
            }
            b')' | b']' | b'}' => {
                open.pop();
                1
            }
            b'#' => comment(rest, b"\n"),
            b'/' if rest.starts_with(b"//") => comment(rest, b"\n"),
            b'/' if rest.starts_with(b"/*") => comment(rest, b"*/") + 2,
            b'<' if rest.starts_with(b"<<") => heredoc(text, at).unwrap_or(2),
            _ => 1,
        };
        let is_comment = matches!(byte, b'#') || byte == b'/' && len > 1;
        if is_free && (is_comment || byte == b'\n' || byte == b'\r') {
            let end = (at + len).min(out.len());
            out[at..end].fill(b' ');
        }
        at += len;
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// Whether what follows a brace begins a `for` expression.
fn opens_for(rest: &[u8]) -> bool {
    let mut rest = rest;
    loop {
        rest = rest.trim_ascii_start();
        let len = match rest {
            [b'#', ..] | [b'/', b'/', ..] => comment(rest, b"\n"),
            [b'/', b'*', ..] => comment(rest, b"*/") + 2,
            _ => break,
        };
        rest = rest.get(len..).unwrap_or_default();
    }
    let word = rest.strip_prefix(b"for");
    word.is_some_and(|after| after.first().is_some_and(u8::is_ascii_whitespace))
}

/// The length of a comment before its end.
fn comment(rest: &[u8], end: &[u8]) -> usize {
    let found = rest.windows(end.len()).position(|w| w == end);
    found.unwrap_or(rest.len())
}

/// The length of the heredoc at `at`, up to its end mark.
fn heredoc(text: &str, at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let head = rest.lines().next()?;
    let mark = head.trim_start_matches('<').trim_start_matches('-').trim();
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    if mark.is_empty() || !mark.chars().all(is_name) {
        return None;
    }
    let mut len = 0;
    for (i, line) in rest.split_inclusive('\n').enumerate() {
        if i > 0 && line.trim() == mark {
            return Some(len);
        }
        len += line.len();
    }
    None
}
