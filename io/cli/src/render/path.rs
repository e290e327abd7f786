//! Ping, trace, explanations, faults.

use std::fmt::Write as _;

use skybridge_lab::document::{Explanation, FaultReport, HopRow, PingReport, TraceReport};

use super::table::{heading, micros, or_dash, paragraph, table};
use crate::screen::Screen;

const INFALLIBLE: &str = "writing to a String cannot fail";

/// In the manner of ping(8).
pub(super) fn ping(doc: &PingReport) -> String {
    let mut out = format!("PING {} ({}) from {}\n", doc.to, doc.address, doc.from);
    for reply in &doc.replies {
        match (reply.rtt_us, &reply.error) {
            (Some(rtt), _) => {
                let ttl = reply
                    .ttl
                    .map_or_else(|| "-".to_owned(), |ttl| ttl.to_string());
                writeln!(out, "seq={} ttl={ttl} time={}", reply.sequence, micros(rtt))
            }
            (None, Some(error)) => writeln!(out, "seq={} {error}", reply.sequence),
            (None, None) if reply.void => {
                writeln!(out, "seq={} time void: the clock slipped", reply.sequence)
            }
            (None, None) => writeln!(out, "seq={} no reply", reply.sequence),
        }
        .expect(INFALLIBLE);
    }
    let lost = doc.sent.saturating_sub(doc.received);
    let loss = (lost * 100).checked_div(doc.sent).unwrap_or(0);
    write!(
        out,
        "{} sent, {} received, {loss} % lost",
        doc.sent, doc.received
    )
    .expect(INFALLIBLE);
    let times: Vec<u64> = doc
        .replies
        .iter()
        .filter_map(|reply| reply.rtt_us)
        .collect();
    if let (Some(least), Some(most)) = (times.iter().min(), times.iter().max()) {
        let mean = times.iter().sum::<u64>() / times.len() as u64;
        write!(
            out,
            "; min/avg/max {}/{}/{}",
            micros(*least),
            micros(mean),
            micros(*most)
        )
        .expect(INFALLIBLE);
    }
    out.push('\n');
    if doc.clock_slips > 0 {
        writeln!(
            out,
            "The world's clock slipped {} meanwhile: the machine was busy or suspended.",
            super::report::times(doc.clock_slips)
        )
        .expect(INFALLIBLE);
    }
    if !doc.note.is_empty() {
        writeln!(out, "{}", doc.note).expect(INFALLIBLE);
    }
    out
}

/// Hops there and back.
pub(super) fn trace(doc: &TraceReport, screen: &Screen) -> String {
    let mut out = heading(&format!("{} → {}", doc.from, doc.to), screen);
    out.push_str(&hops(&doc.forward, screen));
    if !doc.back.is_empty() {
        out.push('\n');
        out.push_str(&heading(&format!("{} → {}", doc.to, doc.from), screen));
        out.push_str(&hops(&doc.back, screen));
    }
    if doc.forward.iter().chain(&doc.back).any(|hop| hop.hidden) {
        out.push_str("* hidden: a traceroute in the real cloud does not show this hop\n");
    }
    writeln!(out, "\n{}", doc.outcome).expect(INFALLIBLE);
    if doc.unknown {
        out.push_str("Something that is not modelled could change this: the verdict is unknown.\n");
    }
    out
}

/// Three lines a hop: who and where it came in, what was looked up, what became of it.
fn hops(rows: &[HopRow], screen: &Screen) -> String {
    let mut out = String::new();
    for (index, hop) in rows.iter().enumerate() {
        let number = format!("{}{}", index + 1, if hop.hidden { "*" } else { "" });
        let mut who = format!("{} ({})", hop.node, hop.role);
        if !hop.ingress.is_empty() {
            write!(who, ", in by {}", hop.ingress).expect(INFALLIBLE);
        }
        if !hop.tags.is_empty() {
            write!(who, " [{}]", hop.tags).expect(INFALLIBLE);
        }
        write!(who, ", TTL {}", hop.ttl).expect(INFALLIBLE);
        out.push_str(&paragraph(&format!("{number:<4}"), &who, screen));
        let found = match (hop.vrf.as_str(), hop.route.as_str()) {
            ("", route) => route.to_owned(),
            (table, "") => table.to_owned(),
            (table, route) => format!("{table}: {route}"),
        };
        for line in [found, hop.verdict.clone()] {
            if !line.is_empty() {
                out.push_str(&paragraph("    ", &line, screen));
            }
        }
    }
    out
}

/// Candidates per table, then the answer in sentences.
pub(super) fn explanation(doc: &Explanation, screen: &Screen) -> String {
    let mut out = String::new();
    for part in &doc.tables {
        out.push_str(&heading(
            &format!("{} at {}: {}", doc.prefix, doc.at, part.table),
            screen,
        ));
        let rows = part.candidates.iter().map(|candidate| {
            vec![
                if candidate.used { ">" } else { "" }.to_owned(),
                candidate.prefix.clone(),
                or_dash(&candidate.next_hop),
                candidate.source.clone(),
                candidate.reason.clone(),
            ]
        });
        out.push_str(&table(
            &["", "Prefix", "Next hop", "Source", "Why"],
            rows,
            screen,
        ));
        out.push('\n');
    }
    for sentence in &doc.summary {
        out.push_str(&paragraph("", sentence, screen));
    }
    out
}

/// What was broken or mended, and what is broken still.
pub(super) fn fault(doc: &FaultReport) -> String {
    let mut out = String::new();
    for element in &doc.elements {
        writeln!(out, "{element}: {}", doc.what).expect(INFALLIBLE);
    }
    if doc.elements.is_empty() {
        writeln!(out, "{}", doc.what).expect(INFALLIBLE);
    }
    if doc.cut.is_empty() {
        out.push_str("Nothing is cut.\n");
    } else {
        writeln!(out, "Cut at present: {}.", doc.cut.join(", ")).expect(INFALLIBLE);
    }
    out
}
