//! Claims over sweeps of cuts.

use std::collections::BTreeSet;
use std::time::Duration;

use skybridge_base::Instant;
use skybridge_world::{CommandLog, CutMode, Element, ReplayError, World};

use crate::claim::{Case, Claim, ElementClass, Pair, Proof, ProofResult, Within};
use crate::detail;
use crate::elements::{elements, wholes};
use crate::probe::{Fate, Target};
use crate::trial::{self, Trial};
use crate::twin::Source;

/// Combinations of two elements that are tried at most, in each mode.
pub const DOUBLE_CUTS_MAX: usize = 200;

/// The modes that a claim must survive.
const MODES: [CutMode; 2] = [CutMode::LinkDown, CutMode::Silent];

/// A cut to try.
#[derive(Clone, Debug)]
struct Cut {
    elements: Vec<Element>,
    classes: Vec<ElementClass>,
    label: String,
    mode: CutMode,
    /// How many failures it is.
    count: u8,
    /// Only claims with a bound for this class are concerned.
    on_request: Option<ElementClass>,
}

impl Cut {
    fn concerns(&self, claim: &Claim) -> bool {
        let mut requested = self.on_request.iter();
        claim.survives >= self.count
            && requested.all(|class| claim.within.by_class.contains_key(class))
    }
}

/// Classes that are cut only where a claim bounds them.
const ON_REQUEST: [ElementClass; 3] = [
    ElementClass::Circuit,
    ElementClass::Location,
    ElementClass::Provider,
];

/// Proves every claim; the results are in the order of the claims. Claims share twins: what a proof costs
/// grows with the number of cuts, and little with the number of claims.
#[must_use]
pub fn prove(proof: &Proof) -> Vec<ProofResult> {
    match prove_all(proof) {
        Ok(results) => results,
        Err(error) => {
            let unknown = |claim: &Claim| ProofResult {
                name: claim.name.clone(),
                holds: None,
                detail: format!("no twin of this network can be made: {error}"),
                cases: Vec::new(),
            };
            proof.claims.iter().map(unknown).collect()
        }
    }
}

fn prove_all(proof: &Proof) -> Result<Vec<ProofResult>, ReplayError> {
    let source = Source::new(&proof.log, proof.at)?;
    let twin = source.twin()?;
    let targets = targets(&proof.claims);
    let before = trial::baseline(&source, &targets)?;
    // What does not hold unharmed is not cut any further.
    let sound: Vec<&Claim> = proof
        .claims
        .iter()
        .filter(|claim| broken_pairs(claim, &targets, &before).is_empty())
        .collect();
    let mut tried: Vec<(Cut, Vec<Target>, Trial)> = Vec::new();
    let depth = sound.iter().map(|claim| claim.survives).max().unwrap_or(0);
    let (cuts, is_capped) = cuts(&twin.world, depth.min(2));
    for cut in cuts {
        let concerned = sound.iter().filter(|claim| cut.concerns(claim));
        let targets = self::targets(concerned.copied());
        if targets.is_empty() {
            continue;
        }
        if let Some(trial) = trial::run(&source, &targets, &cut.elements, &cut.mode)? {
            tried.push((cut, targets, trial));
        }
    }
    let judged = proof.claims.iter().map(|claim| {
        let broken = broken_pairs(claim, &targets, &before);
        if broken.is_empty() {
            judge(claim, &tried, is_capped, &source)
        } else {
            ProofResult {
                name: claim.name.clone(),
                holds: Some(false),
                detail: detail::broken(claim, &broken),
                cases: Vec::new(),
            }
        }
    });
    Ok(judged.collect())
}

fn judge(
    claim: &Claim,
    tried: &[(Cut, Vec<Target>, Trial)],
    is_capped: bool,
    source: &Source,
) -> ProofResult {
    let concerned = tried.iter().filter(|(cut, ..)| cut.concerns(claim));
    let cases: Vec<Case> = concerned
        .filter_map(|(cut, targets, trial)| case(claim, cut, targets, trial))
        .collect();
    let mut detail = detail::sentence(claim, &cases, source);
    let mut holds = Some(true);
    if cases.iter().any(|case| !case.ok) {
        holds = Some(false);
    } else if claim.survives > 2 {
        holds = None;
        detail.push_str("; more than two elements at once are not tried");
    } else if claim.survives == 2 && is_capped {
        holds = None;
        detail.push_str("; not every combination of two was tried");
    } else if claim.survives == 0 {
        detail = "holds; nothing was cut".to_owned();
    } else if cases.is_empty() {
        detail = "no element can fail by itself".to_owned();
    }
    ProofResult {
        name: claim.name.clone(),
        holds,
        detail,
        cases,
    }
}

/// The pair that fared worst.
fn case(claim: &Claim, cut: &Cut, targets: &[Target], trial: &Trial) -> Option<Case> {
    let (class, allowed) = bound(&claim.within, &cut.classes)?;
    let of_pairs = claim.pairs.iter().filter_map(|pair| {
        let target = Target {
            pair: pair.clone(),
            tcp: claim.tcp,
        };
        let at = targets.iter().position(|other| *other == target)?;
        Some((pair, trial.fates.get(at)?, trial.timers.get(at)?))
    });
    let (pair, fate, timer) = of_pairs.max_by_key(|(_, fate, _)| {
        if claim.reachable {
            (fate.recovered_at.is_none(), fate.loss)
        } else {
            (fate.answered, Duration::ZERO)
        }
    })?;
    let is_within = allowed.is_none_or(|allowed| fate.loss <= allowed);
    let ok = if claim.reachable {
        fate.recovered_at.is_some() && is_within
    } else {
        !fate.answered
    };
    Some(Case {
        cut: cut.elements.clone(),
        label: cut.label.clone(),
        class,
        mode: cut.mode.clone(),
        pair: pair.to_string(),
        loss: fate.loss,
        resolution: fate.resolution,
        recovered: fate.recovered_at.is_some(),
        timer: timer.clone(),
        allowed,
        ok,
    })
}

/// The longest bound of the classes; none is longer than any.
fn bound(within: &Within, classes: &[ElementClass]) -> Option<(ElementClass, Option<Duration>)> {
    let bounds = classes.iter().map(|class| (*class, within.allowed(*class)));
    bounds.reduce(|a, b| match (a.1, b.1) {
        (None, _) => a,
        (_, None) => b,
        (Some(x), Some(y)) if y > x => b,
        (Some(_), Some(_)) => a,
    })
}

/// Every distinct thing to probe.
fn targets<'a>(claims: impl IntoIterator<Item = &'a Claim>) -> Vec<Target> {
    let targets = claims.into_iter().flat_map(|claim| {
        claim.pairs.iter().map(|pair| Target {
            pair: pair.clone(),
            tcp: claim.tcp,
        })
    });
    targets.collect::<BTreeSet<Target>>().into_iter().collect()
}

/// The pairs of a claim for which it does not hold before anything is cut.
fn broken_pairs<'a>(claim: &'a Claim, targets: &[Target], before: &[Fate]) -> Vec<&'a Pair> {
    let is_broken = |pair: &&Pair| {
        let target = Target {
            pair: (*pair).clone(),
            tcp: claim.tcp,
        };
        let at = targets.iter().position(|other| *other == target);
        let Some(fate) = at.and_then(|at| before.get(at)) else {
            return true;
        };
        if claim.reachable {
            fate.recovered_at.is_none() || fate.loss > Duration::ZERO
        } else {
            fate.answered
        }
    };
    claim.pairs.iter().filter(is_broken).collect()
}

/// The cuts of up to `depth` elements of what is still whole; true when there would have been more.
fn cuts(world: &World, depth: u8) -> (Vec<Cut>, bool) {
    let singles = whole_elements(world);
    let mut cuts = Vec::new();
    if depth >= 1 {
        for single in &singles {
            push_modes(&mut cuts, std::slice::from_ref(single), &MODES);
        }
        for class in ON_REQUEST {
            for (elements, label) in wholes(world.blueprint(), class) {
                push_whole(&mut cuts, &elements, &label, class);
            }
        }
    }
    let mut is_capped = false;
    if depth >= 2 {
        let pairs = (0..singles.len()).flat_map(|a| (a + 1..singles.len()).map(move |b| (a, b)));
        for (number, (a, b)) in pairs.enumerate() {
            if number == DOUBLE_CUTS_MAX {
                is_capped = true;
                break;
            }
            push_modes(&mut cuts, &[singles[a].clone(), singles[b].clone()], &MODES);
        }
    }
    (cuts, is_capped)
}

/// Elements that are not cut already.
fn whole_elements(world: &World) -> Vec<(Element, ElementClass, String)> {
    let faults: BTreeSet<&Element> = world.faults().map(|(element, _)| element).collect();
    let mut whole = elements(world.blueprint());
    whole.retain(|(element, ..)| !faults.contains(element));
    whole
}

fn push_modes(cuts: &mut Vec<Cut>, parts: &[(Element, ElementClass, String)], modes: &[CutMode]) {
    let labels: Vec<&str> = parts.iter().map(|(_, _, label)| label.as_str()).collect();
    for mode in modes {
        cuts.push(Cut {
            elements: parts.iter().map(|(element, ..)| element.clone()).collect(),
            classes: parts.iter().map(|(_, class, _)| *class).collect(),
            label: labels.join(" and "),
            mode: mode.clone(),
            count: u8::try_from(parts.len()).unwrap_or(u8::MAX),
            on_request: None,
        });
    }
}

fn push_whole(cuts: &mut Vec<Cut>, elements: &[Element], label: &str, class: ElementClass) {
    for mode in MODES {
        cuts.push(Cut {
            elements: elements.to_vec(),
            classes: vec![class],
            label: label.to_owned(),
            mode,
            count: 1,
            on_request: Some(class),
        });
    }
}

/// What each single element's failure costs `pair`, in each of `modes` that it can fail in; probed with
/// ICMP echoes.
///
/// # Errors
/// When the log cannot be replayed.
pub fn failover_table(
    log: &CommandLog,
    at: Instant,
    pair: &Pair,
    modes: &[CutMode],
) -> Result<Vec<Case>, ReplayError> {
    let source = Source::new(log, at)?;
    let twin = source.twin()?;
    let claim = Claim {
        name: String::new(),
        pairs: vec![pair.clone()],
        tcp: None,
        reachable: true,
        survives: 1,
        within: Within::default(),
    };
    let targets = targets([&claim]);
    let mut cuts = Vec::new();
    for single in whole_elements(&twin.world) {
        push_modes(&mut cuts, &[single], modes);
    }
    let mut table = Vec::new();
    for cut in cuts {
        if let Some(trial) = trial::run(&source, &targets, &cut.elements, &cut.mode)? {
            table.extend(case(&claim, &cut, &targets, &trial));
        }
    }
    Ok(table)
}
