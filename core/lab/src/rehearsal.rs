//! Trying a change out before it is made: on a copy of the estate, in virtual time, with everything that
//! is wrong collected and nothing stopping at the first fault.

use skybridge_base::Instant;
use skybridge_hcl::Diagnostic;
use skybridge_terraform::{Apply, ApplyResult, StackScope};

use crate::control::Control;
use crate::document::NotModelledRow;
use crate::run::{OnRefusal, Run, Siblings};
use skybridge_estate::{Command, Refusal};

/// Jumps of the clock before a rehearsal counts as stuck.
const JUMPS_MAX: usize = 1_000_000;

/// What a rehearsal showed.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    /// The estate as it would be.
    pub(crate) control: Control,
    /// What Terraform would say.
    pub(crate) result: ApplyResult,
    /// The names and values lab files refer to.
    pub(crate) scope: StackScope,
    /// What clouds refused.
    pub(crate) refusals: Vec<(Command, Refusal)>,
    /// What clouds accepted and then failed at.
    pub(crate) failures: Vec<Diagnostic>,
    /// Further diagnostics.
    pub(crate) extra: Vec<Diagnostic>,
    /// Those of them that belong to the plan.
    pub(crate) extra_of_plan: Vec<Diagnostic>,
    /// What dialects could not map.
    pub(crate) not_modelled: Vec<NotModelledRow>,
}

/// Rehearses `apply` of a stack on a copy of `control`.
pub(crate) fn rehearse(
    control: &Control,
    apply: Apply,
    stack: &str,
    siblings: &Siblings,
    now: Instant,
) -> Rehearsal {
    let mut control = control.at_once();
    let mut run = Run::new(apply, stack, OnRefusal::NoteAndGoOn, now);
    run.siblings = siblings.clone();
    let mut clock = now;
    for _ in 0..JUMPS_MAX {
        control.advance(clock);
        if run.pump(clock, &mut control) {
            continue;
        }
        if run.is_done() {
            break;
        }
        match control.poll_timeout() {
            Some(deadline) => clock = clock.max(deadline.at),
            None => {
                let noted = run.refusals.len();
                let waiting = run.lose_patience(clock, &mut control);
                if waiting.is_empty() && run.refusals.len() == noted {
                    break;
                }
                for target in waiting {
                    let diagnostic = Diagnostic::warning(
                        format!("{} never becomes ready", target.address),
                        "nothing that it waits for is under way any more",
                    );
                    run.extra.push(diagnostic.at_opt(target.spans.find("")));
                }
            }
        }
    }
    let scope = run.apply.scope();
    Rehearsal {
        control,
        result: run.apply.finish(),
        scope,
        refusals: run.refusals,
        failures: run.failures,
        extra: run.extra,
        extra_of_plan: run.extra_of_plan,
        not_modelled: run.not_modelled,
    }
}
