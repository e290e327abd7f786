//! Column widths and line breaks. Names of resources are longer than columns, so they may break behind
//! their dots and underscores; addresses and keys, which people copy, never break.

/// The widths of columns that fit into `room` characters, or `None` when they cannot without breaking what
/// must not break. `columns` holds every text of a column, its heading included.
pub(super) fn widths(columns: &[Vec<&str>], room: usize) -> Option<Vec<usize>> {
    let longest = |texts: &Vec<&str>, part: fn(&str) -> usize| {
        texts.iter().map(|text| part(text)).max().unwrap_or(0)
    };
    let natural: Vec<usize> = columns
        .iter()
        .map(|texts| longest(texts, |text| text.lines().map(len).max().unwrap_or(0)))
        .collect();
    let least: Vec<usize> = columns
        .iter()
        .map(|texts| {
            longest(texts, |text| {
                pieces(text).map(|p| len(p.trim_end())).max().unwrap_or(0)
            })
        })
        .collect();
    if least.iter().sum::<usize>() > room {
        return None;
    }
    // The widest columns give way first, all to the same width as far as their longest pieces allow.
    let mut cap = natural.iter().copied().max().unwrap_or(0);
    loop {
        let capped: Vec<usize> = natural
            .iter()
            .zip(&least)
            .map(|(natural, least)| (*natural).min(cap).max(*least))
            .collect();
        let total: usize = capped.iter().sum();
        if total <= room || cap == 0 {
            return Some(grown(capped, &natural, room.saturating_sub(total)));
        }
        cap -= 1;
    }
}

/// Gives what is left over to the first columns that can use it.
fn grown(mut widths: Vec<usize>, natural: &[usize], mut left: usize) -> Vec<usize> {
    for (width, natural) in widths.iter_mut().zip(natural) {
        let more = natural.saturating_sub(*width).min(left);
        *width += more;
        left -= more;
    }
    widths
}

/// A text in lines of at most `width` characters; a piece longer than that stands alone.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut out = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for piece in pieces(paragraph) {
            if !line.is_empty() && len(&line) + len(piece.trim_end()) > width {
                out.push(line.trim_end().to_owned());
                line.clear();
            }
            line.push_str(piece);
        }
        out.push(line.trim_end().to_owned());
    }
    out
}

/// Parts between which a line may break.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive([' ', '\n']).flat_map(|word| {
        let breakable = is_breakable(word);
        word.split_inclusive(move |c| breakable && matches!(c, '.' | '_' | '/' | '-'))
    })
}

/// Names break; numbers, addresses and keys do not. Digits and hexadecimal letters make those.
fn is_breakable(word: &str) -> bool {
    len(word) > 12
        && !word.chars().all(|c| {
            c.is_ascii_hexdigit() || c.is_whitespace() || matches!(c, '.' | ':' | '/' | '-' | ',')
        })
}

fn len(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_break_behind_dots_and_underscores_and_keys_never() {
        assert_eq!(
            wrap("azurerm_linux_virtual_machine.app[0]", 16),
            ["azurerm_linux_", "virtual_machine.", "app[0]"]
        );
        let key = "00000000-0000-4000-8000-00000000abcd";
        assert_eq!(wrap(key, 10), [key]);
        assert_eq!(wrap("fd00:aaaa::1/126 x", 4), ["fd00:aaaa::1/126", "x"]);
        assert_eq!(wrap("one\ntwo three", 5), ["one", "two", "three"]);
    }

    #[test]
    fn the_widest_column_gives_way_first() {
        let long = "a word and a word and a word";
        let columns = vec![vec!["short"], vec![long]];
        assert_eq!(widths(&columns, 80), Some(vec![5, 28]));
        assert_eq!(widths(&columns, 20), Some(vec![5, 15]));
        assert_eq!(widths(&columns, 9), Some(vec![5, 4]));
        assert_eq!(widths(&columns, 8), None);
    }
}
