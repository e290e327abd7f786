//! Exit codes: bad input (2) before something that does not hold (1) before unknown or nothing checked (3).

use skybridge_lab::document::{Condition, Report, Verdict};
use skybridge_lab::request::Response;

/// Everything holds.
pub(crate) const HOLDS: u8 = 0;
/// Something does not hold.
pub(crate) const FAILS: u8 = 1;
/// The input is wrong, or the request cannot be made.
pub(crate) const BAD_INPUT: u8 = 2;
/// Nobody knows, or nothing was checked.
pub(crate) const UNKNOWN: u8 = 3;
/// We are wrong (`EX_SOFTWARE` of sysexits).
pub(crate) const BROKEN: u8 = 70;
/// A program for `exec` cannot be run, and one that there is not (POSIX.1-2017 Shell §2.8.2).
pub(crate) const PROGRAM_REFUSED: u8 = 126;
/// See [`PROGRAM_REFUSED`].
pub(crate) const PROGRAM_MISSING: u8 = 127;
/// Ctrl-C before there was an answer: 128 + SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Whether a finding of this level is bad input; `force` lets "will not work" pass.
pub(crate) fn is_bad_input(level: &str, force: bool) -> bool {
    level == "error" || level.starts_with("rejected") || (level == "will not work" && !force)
}

/// The code of a report. Without expectations the reachability rows are the check.
pub(crate) fn of_report(report: &Report, force: bool) -> u8 {
    let bad = report
        .diagnostics
        .iter()
        .any(|finding| is_bad_input(&finding.level, force));
    if bad {
        return BAD_INPUT;
    }
    if report.expectations.is_empty() {
        of_verdicts(report.reachability.iter().map(|row| row.ok))
    } else {
        of_verdicts(report.expectations.iter().map(|row| row.holds))
    }
}

fn of_verdicts(verdicts: impl Iterator<Item = Verdict>) -> u8 {
    let mut code = None;
    for verdict in verdicts {
        match verdict {
            Verdict::Fails => return FAILS,
            Verdict::Unknown => code = Some(UNKNOWN),
            Verdict::Holds => code = code.or(Some(HOLDS)),
        }
    }
    code.unwrap_or(UNKNOWN)
}

/// The code of any answer. A ping without a single reply fails, as ping(8) has it.
pub(crate) fn of_response(response: &Response, force: bool) -> u8 {
    match response {
        Response::Report(report) => of_report(report, force),
        Response::Plan(plan) => {
            let mut levels = plan.diagnostics.iter().map(|finding| &finding.level);
            if levels.any(|level| is_bad_input(level, force)) {
                BAD_INPUT
            } else {
                HOLDS
            }
        }
        Response::Ping(ping) if ping.received == 0 => FAILS,
        Response::Trace(trace) if trace.unknown => UNKNOWN,
        Response::Trace(trace) if !trace.ok => FAILS,
        Response::Diagnosis(found) if found.condition != Condition::Healthy => FAILS,
        Response::Error(_) => BAD_INPUT,
        Response::Progress(_)
        | Response::Circuits(_)
        | Response::Peerings(_)
        | Response::VirtualCircuits(_)
        | Response::Gateways(_)
        | Response::Drg(_)
        | Response::Arp(_)
        | Response::Routes(_)
        | Response::RouteSummary(_)
        | Response::Bgp(_)
        | Response::Bfd(_)
        | Response::EffectiveRoutes(_)
        | Response::Links(_)
        | Response::CeConfig(_)
        | Response::Counters(_)
        | Response::Ping(_)
        | Response::Trace(_)
        | Response::Explain(_)
        | Response::Failover(_)
        | Response::Diagnosis(_)
        | Response::Fault(_)
        | Response::Provider(_)
        | Response::Forwards(_)
        | Response::CaptureStart(_)
        | Response::CapturePortion(_)
        | Response::CaptureEnd(_)
        | Response::Enter(_)
        | Response::Outputs(_)
        | Response::Done { .. } => HOLDS,
    }
}

#[cfg(test)]
mod tests {
    use skybridge_lab::document::{Diagnostic, ExpectationRow, Mode, ReachabilityRow};

    use super::*;

    fn report(expected: &[Verdict], reached: &[Verdict], levels: &[&str]) -> Report {
        Report {
            expectations: expected
                .iter()
                .map(|&holds| ExpectationRow {
                    name: "e".to_owned(),
                    mode: Mode::Live,
                    holds,
                    detail: String::new(),
                })
                .collect(),
            reachability: reached
                .iter()
                .map(|&ok| ReachabilityRow {
                    from: "a".to_owned(),
                    to: "b".to_owned(),
                    ok,
                    rtt_us: None,
                    note: String::new(),
                })
                .collect(),
            diagnostics: levels
                .iter()
                .map(|level| Diagnostic {
                    level: (*level).to_owned(),
                    message: "m".to_owned(),
                    file: None,
                    line: None,
                    column: None,
                    span: None,
                    rule: None,
                    help: None,
                    grade: None,
                    source: None,
                })
                .collect(),
            ..Report::default()
        }
    }

    #[test]
    fn every_row_of_the_table_has_its_code() {
        use Verdict::{Fails, Holds, Unknown};
        type Row<'a> = (&'a [Verdict], &'a [Verdict], &'a [&'a str], bool, u8);
        let table: &[Row<'_>] = &[
            (&[Holds], &[], &[], false, HOLDS),
            (&[Holds, Unknown], &[], &[], false, UNKNOWN),
            (&[Unknown, Fails], &[], &[], false, FAILS),
            (&[Holds], &[Fails, Unknown], &[], false, HOLDS),
            (&[], &[Holds], &[], false, HOLDS),
            (&[], &[Holds, Fails], &[], false, FAILS),
            (&[], &[Holds, Unknown], &[], false, UNKNOWN),
            (&[], &[], &[], false, UNKNOWN),
            (&[Fails], &[], &["error"], false, BAD_INPUT),
            (&[Holds], &[], &["rejected by Azure"], true, BAD_INPUT),
            (&[Holds], &[], &["rejected by OCI"], false, BAD_INPUT),
            (&[Holds], &[], &["will not work"], false, BAD_INPUT),
            (&[Fails], &[], &["will not work"], true, FAILS),
            (
                &[Holds],
                &[],
                &["warning", "advice", "notice"],
                false,
                HOLDS,
            ),
        ];
        for (number, (expected, reached, levels, force, code)) in table.iter().enumerate() {
            let report = report(expected, reached, levels);
            assert_eq!(of_report(&report, *force), *code, "row {number}");
        }
    }
}
