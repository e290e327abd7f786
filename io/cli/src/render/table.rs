//! Tables without frames: a heading, a rule, rows; columns wrap so that the table fits the screen.

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use skybridge_lab::document::Verdict;

use crate::screen::{Colour, Screen};

const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

const HOLDS: &str = "✓ yes";
const FAILS: &str = "✗ no";
const UNKNOWN: &str = "? unknown";

/// A table; `(none)` when it has no rows.
pub(super) fn table(
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
    screen: &Screen,
) -> String {
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(screen.width).unwrap_or(u16::MAX))
        .set_header(header.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    if table.row_count() == 0 {
        return " (none)\n".to_owned();
    }
    for column in table.column_iter_mut() {
        column.set_padding((1, 1));
    }
    let mut text = String::new();
    for line in table.to_string().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    coloured(text, screen)
}

/// A verdict as a cell.
pub(super) fn verdict(verdict: Verdict) -> String {
    let word = match verdict {
        Verdict::Holds => HOLDS,
        Verdict::Fails => FAILS,
        Verdict::Unknown => UNKNOWN,
    };
    word.to_owned()
}

/// A heading above a table.
pub(super) fn heading(text: &str, screen: &Screen) -> String {
    format!("{}\n", screen.paint(Colour::Bold, text))
}

/// Microseconds as people write them.
pub(super) fn micros(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{}.{:02} ms", micros / 1_000, micros / 10 % 100),
        _ => format!("{}.{:02} s", micros / 1_000_000, micros / 10_000 % 100),
    }
}

/// Nothing as a dash.
pub(super) fn or_dash(text: &str) -> String {
    if text.is_empty() { "-" } else { text }.to_owned()
}

/// Colours are put in after the layout, which counts characters: the signs make the words unmistakable.
fn coloured(text: String, screen: &Screen) -> String {
    if !screen.colour {
        return text;
    }
    [
        (HOLDS, Colour::Green),
        (FAILS, Colour::Red),
        (UNKNOWN, Colour::Yellow),
    ]
    .iter()
    .fold(text, |text, (word, colour)| {
        text.replace(word, &screen.paint(*colour, word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_fits() {
        assert_eq!(micros(999), "999 µs");
        assert_eq!(micros(12_345), "12.34 ms");
        assert_eq!(micros(1_234_567), "1.23 s");
    }

    #[test]
    fn verdicts_are_coloured_without_moving_columns() {
        let rows = || vec![vec![verdict(Verdict::Fails), "x".to_owned()]];
        let header = ["Holds", "Name"];
        let plain = Screen {
            width: 80,
            colour: false,
        };
        let colour = Screen {
            width: 80,
            colour: true,
        };
        let painted = table(&header, rows(), &colour);
        assert!(painted.contains("\x1b[31m✗ no\x1b[0m"));
        let stripped = painted.replace("\x1b[31m", "").replace("\x1b[0m", "");
        assert_eq!(stripped, table(&header, rows(), &plain));
    }
}
