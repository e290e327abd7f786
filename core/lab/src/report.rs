//! The report of an `up`, a `down` or of `status`.

use skybridge_catalogue::catalogue;
use skybridge_terraform::Mode as InstanceMode;

use crate::checks::Purpose;
use crate::document::{
    AssumedRow, Diagnostic, ExpectationRow, IgnoredRow, Mode, NotModelledRow, ReachabilityRow,
    Report, Summary, Verdict,
};
use crate::expectation;
use crate::forward;
use crate::job::Job;
use crate::lab::Lab;
use crate::show::{circuits, sessions};

/// True when every session that can come up is up: both ends enabled, and a link between them.
pub(crate) fn awaited_sessions_up(lab: &Lab) -> bool {
    lab.network
        .compiled
        .blueprint
        .nodes
        .keys()
        .filter_map(|name| lab.network.world.router(name).map(|r| (name, r)))
        .flat_map(|(name, router)| router.bgp().into_iter().map(move |peer| (name, peer)))
        .all(|(name, peer)| {
            peer.state == skybridge_nodes::SessionState::Established
                || sessions::has_no_far_end(lab, name, &peer)
        })
}

/// The report as things stand.
pub(crate) fn report(lab: &Lab, job: &Job) -> Report {
    let millis = |at: Option<skybridge_base::Instant>| {
        let at = at.unwrap_or(lab.now);
        u64::try_from(at.since(job.started).as_millis()).unwrap_or(u64::MAX)
    };
    let resources = lab
        .stacks
        .values()
        .flat_map(|s| s.state.instances.keys())
        .filter(|address| address.mode == InstanceMode::Managed)
        .count();
    let mut not_modelled = not_modelled(lab);
    not_modelled.dedup();
    Report {
        expectations: expectations(lab),
        reachability: reachability(lab),
        sessions: sessions::rows(lab, false),
        circuits: circuits::rows(lab),
        forwards: forward::rows(lab),
        ignored: ignored(lab),
        not_modelled,
        assumed: assumed(lab),
        diagnostics: diagnostics(lab),
        summary: Summary {
            created: job.counts[0],
            changed: job.counts[1],
            deleted: job.counts[2],
            resources: u32::try_from(resources).unwrap_or(u32::MAX),
            network_up_ms: millis(job.network_up_at),
            checked_ms: millis(job.checked_at),
            simulated_ms: millis(None).saturating_sub(millis(job.checked_at)),
            clock_slips: lab.slips,
            clock_slipped_ms: u64::try_from(lab.slipped.as_millis()).unwrap_or(u64::MAX),
            outputs: outputs(lab),
        },
    }
}

/// What was said, and which devices are missing now.
fn diagnostics(lab: &Lab) -> Vec<Diagnostic> {
    let mut said = lab.diagnostics.clone();
    said.extend(lab.outside.failures().map(|(node, why)| Diagnostic {
        level: "warning".to_owned(),
        message: format!("{node} is cut off from what stands behind it: {why}"),
        file: None,
        line: None,
        column: None,
        span: None,
        rule: None,
        help: None,
        grade: None,
        source: None,
    }));
    said
}

fn expectations(lab: &Lab) -> Vec<ExpectationRow> {
    let mut rows = Vec::new();
    for (index, expectation) in expectation::all(lab).iter().enumerate() {
        let results: Vec<_> = (lab.decided.iter())
            .filter(|(check, _)| check.purpose == Purpose::Expectation(index))
            .collect();
        let mut holds = if results.is_empty() {
            Verdict::Unknown
        } else {
            Verdict::Holds
        };
        let mut details = Vec::new();
        for (check, decided) in &results {
            let verdict = match (decided.reached, check.wanted) {
                (Verdict::Unknown, _) => Verdict::Unknown,
                (Verdict::Holds, wanted) => verdict(wanted),
                (Verdict::Fails, wanted) => verdict(!wanted),
            };
            holds = worse(holds, verdict);
            if verdict != Verdict::Holds || details.is_empty() {
                details.push(pair_detail(check, decided));
            }
        }
        let detail = match (holds, results.len()) {
            (_, 0) => format!("not checked: {}", expectation.why_unchecked(lab)),
            (Verdict::Holds, 1) => details.concat(),
            (Verdict::Holds, n) => format!("{n} pairs; {}", details.concat()),
            (Verdict::Fails | Verdict::Unknown, _) => details.join("; "),
        };
        rows.push(ExpectationRow {
            name: expectation.name.clone(),
            mode: Mode::Live,
            holds,
            detail,
        });
    }
    rows.extend(lab.proofs.iter().cloned());
    rows
}

const fn verdict(holds: bool) -> Verdict {
    if holds {
        Verdict::Holds
    } else {
        Verdict::Fails
    }
}

/// A failure outweighs a doubt, a doubt outweighs a success.
const fn worse(a: Verdict, b: Verdict) -> Verdict {
    match (a, b) {
        (Verdict::Fails, _) | (_, Verdict::Fails) => Verdict::Fails,
        (Verdict::Unknown, _) | (_, Verdict::Unknown) => Verdict::Unknown,
        (Verdict::Holds, Verdict::Holds) => Verdict::Holds,
    }
}

fn pair_detail(check: &crate::checks::Check, decided: &crate::checks::Decided) -> String {
    let pair = format!("{} → {}", check.from, check.to);
    match (decided.reached, decided.rtt) {
        // World time stands still where nobody declared a delay: there is no time to tell.
        (Verdict::Holds, Some(rtt)) if rtt.is_zero() => format!("{pair} answered"),
        (Verdict::Holds, Some(rtt)) => format!("{pair} answered in {} µs", rtt.as_micros()),
        (Verdict::Holds, None) => format!("{pair}: {}", decided.why),
        (Verdict::Fails, _) if !check.wanted => format!("{pair} is stopped: {}", decided.why),
        (Verdict::Fails, _) => format!("{pair}: {}", decided.why),
        (Verdict::Unknown, _) => {
            format!("{pair}: {}, which something not known decides", decided.why)
        }
    }
}

fn reachability(lab: &Lab) -> Vec<ReachabilityRow> {
    let delays_declared = !lab.network.extras.links.is_empty();
    (lab.decided.iter())
        .filter(|(check, _)| check.purpose == Purpose::Reachability)
        .map(|(check, decided)| ReachabilityRow {
            from: check.from.to_string(),
            to: check.to.to_string(),
            ok: decided.reached,
            rtt_us: decided
                .rtt
                .map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
            note: match decided.rtt {
                Some(_) if delays_declared => "declared delays and emulator overhead".to_owned(),
                Some(_) => "emulator overhead".to_owned(),
                None => decided.why.clone(),
            },
        })
        .collect()
}

fn ignored(lab: &Lab) -> Vec<IgnoredRow> {
    lab.stacks
        .values()
        .flat_map(|s| s.ignored.clone())
        .collect()
}

fn not_modelled(lab: &Lab) -> Vec<NotModelledRow> {
    let gaps = lab.network.compiled.gaps.iter().map(|(id, what)| {
        let resource = lab.control.estate.resource(id);
        let place = resource
            .and_then(|r| r.origin.as_ref())
            .and_then(|o| o.place(""));
        NotModelledRow {
            resource: resource.map_or_else(|| id.to_string(), |r| r.label().to_owned()),
            what: what.clone(),
            file: place.map(|p| p.file.to_string()),
            line: place.map(|p| p.line),
        }
    });
    lab.stacks
        .values()
        .flat_map(|s| s.not_modelled.clone())
        .chain(gaps)
        .collect()
}

fn assumed(lab: &Lab) -> Vec<AssumedRow> {
    let behaviours = lab.network.compiled.assumed.iter().filter_map(|name| {
        let behaviour = catalogue().behaviour(name)?;
        Some(AssumedRow {
            name: (*name).to_owned(),
            value: format!("{} {}", behaviour.value, behaviour.unit),
            source: behaviour.source.clone(),
        })
    });
    let is_up = |directory: &str| lab.stacks.contains_key(directory);
    behaviours.chain(lab.providers.stubs(is_up)).collect()
}

fn outputs(lab: &Lab) -> Vec<(String, String)> {
    lab.stacks
        .values()
        .flat_map(|stack| &stack.state.outputs)
        .map(|(name, output)| {
            let value = if output.sensitive || output.value.deep_marks().sensitive {
                "(sensitive)".to_owned()
            } else {
                crate::show::value_text(&output.value)
            };
            (name.clone(), value)
        })
        .collect()
}
