//! What failures cost, as a table.

use skybridge_lab::document::{FailoverCase, FailoverReport};

use super::table::table;
use crate::screen::Screen;

const MODES: [&str; 3] = ["link-down", "silent", "admin"];

/// A row per element, a column per way of failing.
pub(super) fn render(doc: &FailoverReport, screen: &Screen) -> String {
    let rows = doc.rows.iter().map(|row| {
        let cell = |mode: &&str| {
            let of_mode = row.cases.iter().find(|case| case.mode == *mode);
            of_mode.map_or_else(|| "–".to_owned(), cost)
        };
        std::iter::once(row.element.clone())
            .chain(MODES.iter().map(cell))
            .collect()
    });
    let table = table(
        &["What fails", "Link-down", "Silent", "Admin"],
        rows,
        screen,
    );
    format!(
        "Loss between {} and {} by what fails: simulated on a twin in virtual time, one cut at a time;\n\
        {} BFD session ends are up.\n{table}",
        doc.from, doc.to, doc.bfd_sessions_up
    )
}

fn cost(case: &FailoverCase) -> String {
    let seconds = format!("{}.{:02} s", case.loss_ms / 1000, case.loss_ms % 1000 / 10);
    match (case.loss_ms, case.recovered) {
        (0, true) => "none".to_owned(),
        (_, true) => {
            // Where it fired stands in the JSON document.
            let timer = case.decided_by.split(" on ").next().unwrap_or_default();
            format!("{seconds}, {timer}")
        }
        (_, false) => format!("never recovers (tried for {seconds})"),
    }
}
