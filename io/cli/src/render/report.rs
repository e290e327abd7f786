//! The report of an `up` and of `status`.

use std::fmt::Write as _;

use skybridge_lab::document::{
    IgnoredRow, Mode, NotModelledRow, ReachabilityRow, Report, Summary, Verdict,
};

use super::diagnostic::{self, Sources};
use super::listing;
use super::table::{heading, micros, table, verdict};
use crate::screen::Screen;

/// More reachable pairs than this are counted, not listed.
const PAIRS_MAX: usize = 24;

/// Everything at a glance: findings, what is there, what was checked, what was left out, what was done.
pub(super) fn report(doc: &Report, screen: &Screen, sources: &Sources) -> String {
    let mut out = diagnostic::all(&doc.diagnostics, screen, sources);
    section(
        &mut out,
        "Circuits",
        screen,
        doc.circuits.is_empty(),
        || listing::circuits(&doc.circuits, screen),
    );
    section(
        &mut out,
        "BGP sessions",
        screen,
        doc.sessions.is_empty(),
        || listing::sessions(&doc.sessions, screen),
    );
    section(
        &mut out,
        "Reachability",
        screen,
        doc.reachability.is_empty(),
        || reachability(&doc.reachability, screen),
    );
    section(
        &mut out,
        "Expectations",
        screen,
        doc.expectations.is_empty(),
        || {
            let rows = doc.expectations.iter().map(|row| {
                let mode = match row.mode {
                    Mode::Live => "live",
                    Mode::Simulated => "simulated",
                };
                vec![
                    row.name.clone(),
                    mode.to_owned(),
                    verdict(row.holds),
                    row.detail.clone(),
                ]
            });
            table(&["Expectation", "Checked", "Holds", "Detail"], rows, screen)
        },
    );
    section(
        &mut out,
        "Forwarded ports",
        screen,
        doc.forwards.is_empty(),
        || listing::forwards(&doc.forwards, screen),
    );
    left_out(&mut out, doc, screen);
    match diagnostic::obstacles(&doc.diagnostics) {
        Some(obstacles) if doc.summary.resources == 0 => {
            writeln!(out, "Nothing was changed: {obstacles}.")
                .expect("writing to a String cannot fail");
        }
        Some(_) | None => out.push_str(&summary(&doc.summary, screen)),
    }
    out
}

fn section(
    out: &mut String,
    title: &str,
    screen: &Screen,
    empty: bool,
    body: impl FnOnce() -> String,
) {
    if !empty {
        out.push_str(&heading(title, screen));
        out.push_str(&body());
        out.push('\n');
    }
}

/// What fails comes first; pairs that reach each other are counted when there are many.
fn reachability(rows: &[ReachabilityRow], screen: &Screen) -> String {
    let rank = |row: &ReachabilityRow| match row.ok {
        Verdict::Fails => 0,
        Verdict::Unknown => 1,
        Verdict::Holds => 2,
    };
    let mut sorted: Vec<&ReachabilityRow> = rows.iter().collect();
    sorted.sort_by_key(|row| rank(row));
    let bad = sorted.iter().filter(|row| rank(row) < 2).count();
    let shown = PAIRS_MAX.max(bad).min(sorted.len());
    let cells = sorted[..shown].iter().map(|row| {
        vec![
            format!("{} → {}", row.from, row.to),
            verdict(row.ok),
            row.rtt_us.map_or_else(|| "-".to_owned(), micros),
            row.note.clone(),
        ]
    });
    let mut out = table(&["From → to", "Reaches", "RTT", "Note"], cells, screen);
    let more = sorted.len() - shown;
    if more > 0 {
        writeln!(
            out,
            "… and {more} more pairs that reach each other (--output json lists all)"
        )
        .expect("writing to a String cannot fail");
    }
    out
}

fn left_out(out: &mut String, doc: &Report, screen: &Screen) {
    not_modelled(out, &doc.not_modelled, screen);
    ignored(out, &doc.ignored, screen);
    section(out, "Assumed", screen, doc.assumed.is_empty(), || {
        let rows = doc
            .assumed
            .iter()
            .map(|row| vec![row.name.clone(), row.value.clone(), row.source.clone()]);
        table(&["Behaviour", "Value", "Source"], rows, screen)
    });
}

/// Network resources that are not modelled, with their places.
pub(super) fn not_modelled(out: &mut String, rows: &[NotModelledRow], screen: &Screen) {
    section(out, "Not modelled", screen, rows.is_empty(), || {
        let rows = rows.iter().map(|row| {
            let place = match (&row.file, row.line) {
                (Some(file), Some(line)) => format!("{file}:{line}"),
                (Some(file), None) => file.clone(),
                (None, _) => "-".to_owned(),
            };
            vec![row.resource.clone(), row.what.clone(), place]
        });
        table(&["Resource", "What", "Place"], rows, screen)
    });
}

/// Types that are not network.
pub(super) fn ignored(out: &mut String, rows: &[IgnoredRow], screen: &Screen) {
    section(out, "Ignored, not network", screen, rows.is_empty(), || {
        let rows = rows.iter().map(|row| {
            let place = format!("{}:{}", row.file, row.line);
            vec![row.kind.clone(), row.count.to_string(), place]
        });
        table(&["Type", "Count", "First at"], rows, screen)
    });
}

fn summary(doc: &Summary, screen: &Screen) -> String {
    let mut out = String::new();
    if !doc.outputs.is_empty() {
        out.push_str(&heading("Outputs", screen));
        for (name, value) in &doc.outputs {
            writeln!(out, "{name} = {value}").expect("writing to a String cannot fail");
        }
        out.push('\n');
    }
    writeln!(
        out,
        "{} created, {} changed, {} deleted; {} resources in all.",
        doc.created, doc.changed, doc.deleted, doc.resources
    )
    .expect("writing to a String cannot fail");
    let mut times = Vec::new();
    if doc.network_up_ms > 0 {
        times.push(format!("network up after {} ms", doc.network_up_ms));
    }
    if doc.checked_ms > 0 {
        times.push(format!("checked after {} ms", doc.checked_ms));
    }
    if doc.simulated_ms > 0 {
        times.push(format!("simulations took {} ms", doc.simulated_ms));
    }
    if !times.is_empty() {
        let mut line = times.join(", ");
        if let Some(first) = line.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        writeln!(out, "{line}.").expect("writing to a String cannot fail");
    }
    if doc.clock_slips > 0 {
        writeln!(
            out,
            "The machine was busy or suspended, and the world's clock slipped {},\n\
             {} ms in all: figures taken meanwhile are void.",
            super::report::times(doc.clock_slips),
            doc.clock_slipped_ms
        )
        .expect("writing to a String cannot fail");
    }
    out
}

/// `once`, `2 times`.
pub(super) fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}
