//! Results in sentences.

use std::fmt::Write;
use std::time::Duration;

use crate::claim::{Case, Claim, Pair};
use crate::twin::Source;

/// Failing cases that a sentence names; the rest is counted.
const NAMED_MAX: usize = 12;

/// Seconds with two decimals, as in `0.92 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

/// The sentence for a claim whose cases are known.
pub(crate) fn sentence(claim: &Claim, cases: &[Case], source: &Source) -> String {
    let failing: Vec<&Case> = cases.iter().filter(|case| !case.ok).collect();
    let mut text = if failing.is_empty() {
        success(claim, cases)
    } else {
        let named = failing.iter().take(NAMED_MAX);
        let mut parts: Vec<String> = named.map(|case| failure(claim, case)).collect();
        if failing.len() > NAMED_MAX {
            parts.push(format!("and {} more", failing.len() - NAMED_MAX));
        }
        format!(
            "{} of {} cuts: {}",
            failing.len(),
            cases.len(),
            parts.join("; ")
        )
    };
    if source.fresh {
        text.push_str(" (on a fresh world of the same blueprint: the history is long)");
    }
    if source.had_loss {
        text.push_str(" (random loss of links left out)");
    }
    text
}

fn success(claim: &Claim, cases: &[Case]) -> String {
    let mut text = format!("{} cuts", cases.len());
    if !claim.reachable {
        text.push_str("; never reached");
    } else if let Some(worst) = cases.iter().max_by_key(|case| case.loss) {
        // Writing to a string cannot fail.
        let _ = match worst.loss {
            Duration::ZERO => write!(text, "; nothing lost"),
            loss => write!(
                text,
                "; worst loss {} ({} {}, {}; measured to {} ms)",
                seconds(loss),
                worst.label,
                worst.mode.label(),
                worst.timer,
                worst.resolution.as_millis(),
            ),
        };
    }
    text
}

fn failure(claim: &Claim, case: &Case) -> String {
    let what = format!("{} {}", case.label, case.mode.label());
    let whom = if claim.pairs.len() > 1 {
        format!(", {}", case.pair)
    } else {
        String::new()
    };
    if !claim.reachable {
        return format!("{what}{whom}: reached");
    }
    if !case.recovered {
        return format!("{what}{whom}: never recovered");
    }
    let allowed = case.allowed.map(seconds).unwrap_or_default();
    format!(
        "{what}{whom}: {} lost, {allowed} allowed, decided by {}",
        seconds(case.loss),
        case.timer
    )
}

/// Why a claim fails before anything is cut.
pub(crate) fn broken(claim: &Claim, pairs: &[&Pair]) -> String {
    let what = if claim.reachable {
        "not reached"
    } else {
        "reached"
    };
    let pairs: Vec<String> = pairs.iter().map(ToString::to_string).collect();
    format!("{what} before anything is cut: {}", pairs.join("; "))
}
