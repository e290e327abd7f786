//! Documents as text for people, and as JSON.

mod diagnosis;
mod diagnostic;
mod failover;
mod layout;
mod listing;
mod path;
mod plan;
mod report;
mod table;

#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod tests;

use serde::Serialize;
use skybridge_lab::document::ErrorDocument;
use skybridge_lab::request::Response;

pub(crate) use diagnostic::Sources;
pub(crate) use plan::output;

use crate::screen::{Colour, Screen};

/// An answer as text, without findings' excerpts where no source is at hand.
pub(crate) fn text(response: &Response, screen: &Screen, sources: &Sources) -> String {
    match response {
        Response::Progress(_) => String::new(),
        Response::Report(doc) => report::report(doc, screen, sources),
        Response::Plan(doc) => plan::render(doc, screen, sources),
        Response::Outputs(doc) => plan::outputs(doc),
        Response::Circuits(doc) => listing::circuits(&doc.rows, screen),
        Response::Peerings(doc) => listing::peerings(&doc.rows, screen),
        Response::VirtualCircuits(doc) => listing::virtual_circuits(&doc.rows, screen),
        Response::Gateways(doc) => listing::gateways(&doc.rows, screen),
        Response::Drg(doc) => listing::drgs(&doc.rows, screen),
        Response::Arp(doc) => listing::arp(&doc.rows, screen),
        Response::Routes(doc) => listing::routes(&doc.rows, screen),
        Response::RouteSummary(doc) => listing::route_summary(&doc.rows, screen),
        Response::Bgp(doc) => listing::sessions(&doc.rows, screen),
        Response::Bfd(doc) => listing::bfd(&doc.rows, screen),
        Response::EffectiveRoutes(doc) => listing::effective_routes(&doc.rows, screen),
        Response::Links(doc) => listing::links(&doc.rows, screen),
        Response::CeConfig(doc) => {
            let texts: Vec<&str> = doc.configs.iter().map(|c| c.text.as_str()).collect();
            texts.join("\n")
        }
        Response::Counters(doc) => listing::counters(&doc.rows, screen),
        Response::Provider(doc) => listing::provider(&doc.rows, screen),
        Response::Ping(doc) => path::ping(doc),
        Response::Trace(doc) => path::trace(doc, screen),
        Response::Explain(doc) => path::explanation(doc, screen),
        Response::Failover(doc) => failover::render(doc, screen),
        Response::Diagnosis(doc) => diagnosis::render(doc, screen),
        Response::Fault(doc) => path::fault(doc),
        Response::Forwards(doc) => listing::forwards(&doc.rows, screen),
        Response::CaptureStart(_) | Response::CapturePortion(_) | Response::CaptureEnd(_) => {
            // `commands/capture.rs` writes these as they come.
            String::new()
        }
        // Whoever asks for it goes in.
        Response::Enter(doc) => format!("{} is open\n", doc.host),
        Response::Done { message } => format!("{message}\n"),
        Response::Error(doc) => error(doc, screen, sources),
    }
}

/// A refusal.
pub(crate) fn error(doc: &ErrorDocument, screen: &Screen, sources: &Sources) -> String {
    let mut out = diagnostic::all(&doc.diagnostics, screen, sources);
    out.push_str(&screen.paint(Colour::Red, "error:"));
    out.push(' ');
    out.push_str(&doc.message);
    out.push('\n');
    if let Some(help) = &doc.help {
        out.push_str(&format!(" help: {help}\n"));
    }
    out
}

/// The document of an answer as one JSON object, without the envelope of the control socket.
pub(crate) fn json(response: &Response) -> String {
    #[derive(Serialize)]
    struct Done<'a> {
        message: &'a str,
    }
    match response {
        Response::Progress(doc) => pretty(doc),
        Response::Report(doc) => pretty(doc),
        Response::Plan(doc) => pretty(doc),
        Response::Outputs(doc) => pretty(&doc.outputs),
        Response::Circuits(doc) => pretty(doc),
        Response::Peerings(doc) => pretty(doc),
        Response::VirtualCircuits(doc) => pretty(doc),
        Response::Gateways(doc) => pretty(doc),
        Response::Drg(doc) => pretty(doc),
        Response::Arp(doc) => pretty(doc),
        Response::Routes(doc) => pretty(doc),
        Response::RouteSummary(doc) => pretty(doc),
        Response::Bgp(doc) => pretty(doc),
        Response::Bfd(doc) => pretty(doc),
        Response::EffectiveRoutes(doc) => pretty(doc),
        Response::Links(doc) => pretty(doc),
        Response::CeConfig(doc) => pretty(doc),
        Response::Counters(doc) => pretty(doc),
        Response::Provider(doc) => pretty(doc),
        Response::Ping(doc) => pretty(doc),
        Response::Trace(doc) => pretty(doc),
        Response::Explain(doc) => pretty(doc),
        Response::Failover(doc) => pretty(doc),
        Response::Diagnosis(doc) => pretty(doc),
        Response::Fault(doc) => pretty(doc),
        Response::Forwards(doc) => pretty(doc),
        Response::CaptureStart(doc) => pretty(doc),
        Response::CapturePortion(doc) => pretty(doc),
        Response::CaptureEnd(doc) => pretty(doc),
        Response::Enter(doc) => pretty(doc),
        Response::Done { message } => pretty(&Done { message }),
        Response::Error(doc) => pretty(doc),
    }
}

/// A document on one line, for streams of them.
pub(crate) fn compact(document: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec(document)
        .expect("documents have string keys only and no failing serialiser");
    text.push(b'\n');
    text
}

fn pretty(document: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(document)
        .expect("documents have string keys only and no failing serialiser");
    text.push('\n');
    text
}
