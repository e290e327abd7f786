//! Tables without frames: a heading, a rule, rows. Where the columns do not fit the screen, each row becomes
//! a record of lines, as `az --output list` has it.

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use skybridge_lab::document::Verdict;

use super::layout;
use crate::screen::{Colour, Screen};

const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

/// Blanks between columns.
const GAP: usize = 2;

const HOLDS: &str = "✓ yes";
const FAILS: &str = "✗ no";
const UNKNOWN: &str = "? unknown";

/// A table; `(none)` when it has no rows.
pub(super) fn table(
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
    screen: &Screen,
) -> String {
    let rows: Vec<Vec<String>> = rows.into_iter().collect();
    if rows.is_empty() {
        return "(none)\n".to_owned();
    }
    let columns: Vec<Vec<&str>> = header
        .iter()
        .enumerate()
        .map(|(index, title)| {
            let cells = rows.iter().filter_map(|row| row.get(index));
            std::iter::once(*title)
                .chain(cells.map(String::as_str))
                .collect()
        })
        .collect();
    let gaps = GAP * header.len().saturating_sub(1);
    let text = match layout::widths(&columns, screen.width.saturating_sub(gaps)) {
        Some(widths) => grid(header, &rows, &widths),
        None => records(header, &rows, screen),
    };
    coloured(text, screen)
}

fn grid(header: &[&str], rows: &[Vec<String>], widths: &[usize]) -> String {
    let wrapped = |cells: &mut dyn Iterator<Item = &str>| -> Vec<String> {
        cells
            .zip(widths)
            .map(|(cell, width)| layout::wrap(cell, *width).join("\n"))
            .collect()
    };
    let mut table = Table::new();
    table
        .load_style(STYLE)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(wrapped(&mut header.iter().copied()));
    for row in rows {
        table.add_row(wrapped(&mut row.iter().map(String::as_str)));
    }
    let last = header.len().saturating_sub(1);
    for (index, column) in table.column_iter_mut().enumerate() {
        let gap = if index == last { 0 } else { GAP };
        column.set_padding((0, u16::try_from(gap).unwrap_or(0)));
    }
    let mut text = String::new();
    for line in table.to_string().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn records(header: &[&str], rows: &[Vec<String>], screen: &Screen) -> String {
    let widest = header.iter().map(|title| title.chars().count()).max();
    let indent = widest.unwrap_or(0) + GAP;
    let room = screen.width.saturating_sub(indent);
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        if number > 0 {
            text.push('\n');
        }
        for (title, cell) in header.iter().zip(row) {
            if cell.is_empty() {
                continue;
            }
            let mut title = *title;
            for line in layout::wrap(cell, room) {
                let row = format!("{title:<indent$}{line}");
                text.push_str(row.trim_end());
                text.push('\n');
                title = "";
            }
        }
    }
    text
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
    let lines = layout::wrap(text, screen.width);
    let painted = lines.iter().map(|line| screen.paint(Colour::Bold, line));
    painted.map(|line| line + "\n").collect()
}

/// A sentence or list in lines that fit, the later ones indented.
pub(super) fn paragraph(first: &str, text: &str, screen: &Screen) -> String {
    let indent = first.chars().count();
    let mut out = String::new();
    let mut lead = first;
    for line in layout::wrap(text, screen.width.saturating_sub(indent)) {
        out.push_str(&format!("{lead:<indent$}{line}\n"));
        lead = "";
    }
    out
}

/// Microseconds as people write them.
pub(super) fn micros(micros: u64) -> String {
    match micros {
        // World time stands still where nobody declared a delay.
        0 => "unset".to_owned(),
        1..1_000 => format!("{micros} µs"),
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
