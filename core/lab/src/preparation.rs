//! Reading stacks, planning them and trying them out: everything that can be said before anything is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use skybridge_azure::model::AzureModel;
use skybridge_base::Instant;
use skybridge_compile::{Compiled, Extras, Inputs, LooseEnd, compile};
use skybridge_hcl::Value;
use skybridge_oci::model::OciModel;
use skybridge_sites::LabFile;
use skybridge_terraform::{
    Address, Apply, NotModelled, OutputState, PlannedInstance, Schemas, Stack, StackState,
};

use crate::control::Control;
use crate::document::{Diagnostic, IgnoredRow, NotModelledRow};
use crate::extras::extras;
use crate::lab::Lab;
use crate::loose_ends::loose_ends;
use crate::rehearsal::{Rehearsal, rehearse};
use crate::request::{StackSource, UpRequest};
use crate::run::Siblings;
use crate::{diagnostics, doubles, rules, site_rules, sources};

/// A stack that is ready to be applied.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) source: StackSource,
    pub(crate) stack: Arc<Stack>,
    pub(crate) lab_file: LabFile,
    pub(crate) ignored: Vec<IgnoredRow>,
    pub(crate) not_modelled: Vec<NotModelledRow>,
}

/// Everything that was said, and the stacks if they can be applied.
#[derive(Debug)]
pub(crate) struct Preparation {
    pub(crate) stacks: Vec<Prepared>,
    /// The limits in force.
    pub(crate) limits: BTreeMap<String, u64>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What Terraform would plan, stack by stack as `stacks`.
    pub(crate) plans: Vec<Plan>,
    /// What reading and planning alone say.
    pub(crate) planning: Vec<Diagnostic>,
}

/// What Terraform would plan for one stack.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) instances: BTreeMap<Address, PlannedInstance>,
    pub(crate) outputs: BTreeMap<String, OutputState>,
}

impl Lab {
    /// What can be said about a request before anything of it is done.
    pub(crate) fn prepare(&self, request: &UpRequest) -> Preparation {
        let is_renewed = |directory: &str| request.stacks.iter().any(|s| s.directory == directory);
        let others: Vec<&LabFile> = (self.stacks.iter())
            .filter(|(directory, _)| !is_renewed(directory))
            .map(|(_, record)| &record.lab_file)
            .collect();
        let (control, states) = (&self.control, self.states());
        prepare(control, &states, &others, &self.schemas, request, self.now)
    }
}

/// Reads and rehearses the stacks of a request, one on top of the other.
fn prepare(
    control: &Control,
    prior: &BTreeMap<String, StackState>,
    others: &[&LabFile],
    schemas: &Arc<Schemas>,
    request: &UpRequest,
    now: Instant,
) -> Preparation {
    let mut said = Vec::new();
    let mut planning = Vec::new();
    let mut stacks = Vec::new();
    let mut plans = Vec::new();
    let mut scratch = control.clone();
    let mut states: BTreeMap<&str, StackState> = BTreeMap::new();
    let mut siblings = Siblings::of(prior);
    let limits = limits(others, request);
    scratch.estate.set_limits(limits.clone());
    for source in &request.stacks {
        let files = sources::files(source);
        let stack = match sources::load(source, schemas) {
            Ok((stack, notes)) => {
                planning.extend(notes.iter().map(diagnostics::from_hcl));
                said.extend(notes.iter().map(diagnostics::from_hcl));
                Arc::new(stack)
            }
            Err(errors) => {
                planning.extend(errors.iter().map(diagnostics::from_hcl));
                said.extend(errors.iter().map(diagnostics::from_hcl));
                continue;
            }
        };
        let state = prior.get(&source.directory).cloned().unwrap_or_default();
        let apply = Apply::new(Arc::clone(&stack), state);
        let mut rehearsal = rehearse(&scratch, apply, &source.directory, &siblings, now);
        siblings.add(&source.directory, &rehearsal.result.state);
        let (mut lab_file, lab_said) = skybridge_sites::read(files.as_ref(), ".", &rehearsal.scope);
        lab_file.stack.clone_from(&source.directory);
        // Names that an error left without a resource are not the lab file's fault.
        if !skybridge_hcl::has_errors(&rehearsal.result.diagnostics) {
            said.extend(lab_said.iter().map(diagnostics::from_hcl));
        }
        said.extend(rehearsal_said(&rehearsal));
        let result = &rehearsal.result;
        said.extend(doubles::find(&result.state, &result.plan, schemas));
        let as_planned = std::mem::take(&mut rehearsal.result.as_planned);
        let of_plan = as_planned.diagnostics.iter();
        planning.extend(
            of_plan
                .chain(&rehearsal.extra_of_plan)
                .map(diagnostics::from_hcl),
        );
        plans.push(Plan {
            instances: std::mem::take(&mut rehearsal.result.plan),
            outputs: as_planned.outputs,
        });
        let (ignored, mut not_modelled) = unmodelled(&rehearsal.result.not_modelled);
        // Where a dialect knows what of an instance is not modelled, its type is not the reason.
        let is_said = |row: &NotModelledRow| {
            let mut said = rehearsal.not_modelled.iter();
            said.any(|other| other.resource == row.resource)
        };
        not_modelled.retain(|row| !is_said(row));
        not_modelled.extend(rehearsal.not_modelled);
        scratch = rehearsal.control;
        states.insert(&source.directory, rehearsal.result.state);
        stacks.push(Prepared {
            source: source.clone(),
            stack,
            lab_file,
            ignored,
            not_modelled,
        });
    }
    let conflicts = siblings.holdings.conflicts();
    said.extend(conflicts.iter().map(diagnostics::from_hcl));
    let lab_files: Vec<&LabFile> = others
        .iter()
        .copied()
        .chain(stacks.iter().map(|s| &s.lab_file))
        .collect();
    // Rules on half a network would speak of what is only missing because of an error.
    if !said.iter().any(|d| d.level == "error") {
        let untouched = prior
            .iter()
            .filter(|(d, _)| !states.contains_key(d.as_str()));
        let states = untouched.map(|(_, state)| state).chain(states.values());
        let ends = loose_ends(&scratch.estate, schemas, states);
        said.extend(findings(&scratch, &lab_files, ends));
    }
    diagnostics::sort(&mut said);
    Preparation {
        stacks,
        limits,
        diagnostics: said,
        plans,
        planning,
    }
}

/// The limits that lab files set: numbers, so they can be read before anything else is known.
fn limits(others: &[&LabFile], request: &UpRequest) -> BTreeMap<String, u64> {
    let mut limits = BTreeMap::new();
    for file in others {
        limits.extend(file.limits.clone());
    }
    for source in &request.stacks {
        let nothing: BTreeMap<String, Value> = BTreeMap::new();
        let (file, _said_later) =
            skybridge_sites::read(sources::files(source).as_ref(), ".", &nothing);
        limits.extend(file.limits);
    }
    limits
}

fn rehearsal_said(rehearsal: &Rehearsal) -> Vec<Diagnostic> {
    let refused = (rehearsal.refusals.iter())
        .map(|(command, refusal)| diagnostics::from_refusal(command, refusal));
    // The cloud takes the order, so `force` may give it: what comes of it can be looked at.
    let failed = rehearsal.failures.iter().map(|failure| Diagnostic {
        level: "will not work".to_owned(),
        ..diagnostics::from_hcl(failure)
    });
    rehearsal
        .result
        .diagnostics
        .iter()
        .filter(|said| !rehearsal.failures.contains(said))
        .chain(&rehearsal.extra)
        .map(diagnostics::from_hcl)
        .chain(refused)
        .chain(failed)
        .collect()
}

/// What the rules of both clouds, and those between them, find in the estate as it would be.
fn findings(
    control: &Control,
    lab_files: &[&LabFile],
    loose_ends: Vec<LooseEnd>,
) -> Vec<Diagnostic> {
    let estate = &control.estate;
    let azure = AzureModel::read(estate);
    let oci = OciModel::read(estate);
    let extras = Extras {
        loose_ends,
        ..extras(estate, lab_files)
    };
    let compiled: Compiled = compile(&Inputs {
        estate,
        azure: &azure,
        oci: &oci,
        extras: &extras,
    });
    let mut found = skybridge_azure::rules::check(estate, &azure);
    found.extend(skybridge_oci::rules::check(estate, &oci));
    found.extend(rules::check(&rules::Subjects {
        azure: &azure,
        oci: &oci,
    }));
    let mut said: Vec<Diagnostic> = found
        .iter()
        .map(|finding| diagnostics::from_finding(estate, finding))
        .collect();
    said.extend(site_rules::check(estate, &azure, lab_files));
    said.extend(rules::expected_paths(estate, &compiled, lab_files));
    said
}

/// Types without a dialect: those that are no network once per type, the others one by one.
pub(crate) fn unmodelled(types: &[NotModelled]) -> (Vec<IgnoredRow>, Vec<NotModelledRow>) {
    let mut ignored = Vec::new();
    let mut not_modelled = Vec::new();
    for entry in types {
        let place =
            |spans: &skybridge_hcl::Spans| spans.find("").map(|s| (s.file.to_string(), s.line));
        if entry.network {
            for (address, spans) in &entry.instances {
                let place = place(spans);
                not_modelled.push(NotModelledRow {
                    resource: address.to_string(),
                    what: if entry.is_look_up {
                        format!("{} finds nothing here", entry.ty)
                    } else {
                        format!("{} is not modelled", entry.ty)
                    },
                    file: place.as_ref().map(|(file, _)| file.clone()),
                    line: place.map(|(_, line)| line),
                });
            }
        } else {
            let first = entry.instances.values().find_map(place);
            let (file, line) = first.unwrap_or_default();
            ignored.push(IgnoredRow {
                kind: entry.ty.clone(),
                count: u32::try_from(entry.instances.len()).unwrap_or(u32::MAX),
                file,
                line,
            });
        }
    }
    (ignored, not_modelled)
}
