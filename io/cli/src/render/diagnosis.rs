//! A verdict on a path: the layers by legs, then what is broken.

use std::fmt::Write as _;

use skybridge_lab::document::{Condition, Diagnosis, Finding, LayerRow, Mark};

use super::table::{heading, paragraph, table};
use crate::screen::{Colour, Screen};

const INFALLIBLE: &str = "writing to a String cannot fail";

/// The whole answer.
pub(super) fn render(doc: &Diagnosis, screen: &Screen) -> String {
    let question = doc
        .tcp
        .map_or_else(|| "echo".to_owned(), |port| format!("TCP {port}"));
    let title = format!("{} → {}, {question}: ", doc.from, doc.to);
    let colour = match doc.condition {
        Condition::Healthy => Colour::Green,
        Condition::Degraded | Condition::Impaired => Colour::Yellow,
        Condition::Failed => Colour::Red,
    };
    let mut out = screen.paint(Colour::Bold, &title);
    out.push_str(&screen.paint(colour, doc.condition.label()));
    out.push('\n');
    out.push_str(&paragraph("", &doc.summary, screen));
    out.push('\n');
    out.push_str(&picture(&doc.layers, screen));
    out.push('\n');
    for probe in &doc.probes {
        let note = match probe.note.as_str() {
            "" => String::new(),
            note => format!("; {note}"),
        };
        let line = format!(
            "{}: {} of {} answered{note}",
            probe.what, probe.answered, probe.sent
        );
        out.push_str(&paragraph("  ", &line, screen));
    }
    for (index, finding) in doc.findings.iter().enumerate() {
        out.push('\n');
        out.push_str(&one(index + 1, finding, screen));
    }
    out
}

/// Layers down, legs across.
fn picture(layers: &[LayerRow], screen: &Screen) -> String {
    let mut header = vec!["Layer"];
    if let Some(first) = layers.first() {
        header.extend(first.legs.iter().map(|state| state.leg.as_str()));
    }
    let rows = layers.iter().map(|row| {
        let mut cells = vec![row.layer.label().to_owned()];
        cells.extend(row.legs.iter().map(|state| mark(state.mark).to_owned()));
        cells
    });
    table(&header, rows, screen)
}

const fn mark(mark: Mark) -> &'static str {
    match mark {
        Mark::Ok => "✓",
        Mark::Broken => "✗",
        Mark::Follows => "(follows)",
        Mark::None => "",
    }
}

fn one(number: usize, finding: &Finding, screen: &Screen) -> String {
    let mut out = heading(
        &format!(
            "{number}. {}: {}, owner {}",
            finding.severity.label(),
            finding.layer.label(),
            finding.owner
        ),
        screen,
    );
    out.push_str(&paragraph("   ", &finding.what, screen));
    if let Some(resource) = &finding.resource {
        let mut place = resource.clone();
        if let Some(file) = &finding.file {
            write!(place, ", {file}").expect(INFALLIBLE);
            if let Some(line) = finding.line {
                write!(place, ":{line}").expect(INFALLIBLE);
            }
        }
        out.push_str(&paragraph("   at      ", &place, screen));
    }
    let parts = [
        ("   seen    ", &finding.evidence),
        ("   follows ", &finding.consequences),
        ("   mend    ", &finding.remedy),
    ];
    for (lead, texts) in parts {
        let mut lead = lead;
        for text in texts {
            out.push_str(&paragraph(lead, text, screen));
            lead = "           ";
        }
    }
    out
}
