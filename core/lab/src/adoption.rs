//! Objects that several stacks of one estate make: with the same settings the second stack adopts what the
//! first has made, with others it is an error. An object goes with the last stack that holds it.

use std::collections::BTreeMap;

use skybridge_hcl::{Diagnostic, Spans, Value};
use skybridge_terraform::{
    Address, Change, Mode, PlannedInstance, Schemas, StackState, settings_at_odds,
};

use crate::dialect;

/// What each stack holds: by directory, then by the name that its cloud knows it by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holdings(BTreeMap<String, BTreeMap<String, Held>>);

#[derive(Clone, Debug)]
struct Held {
    address: Address,
    attributes: Value,
    spans: Spans,
}

/// Another stack's instance that is the same object.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) directory: String,
    pub(crate) address: Address,
    /// The settings that differ.
    pub(crate) odds: Vec<String>,
}

impl Holdings {
    /// What a stack holds, in the place of what it held.
    pub(crate) fn take(&mut self, directory: &str, state: &StackState) {
        let all = state.instances.iter();
        self.replace(
            directory,
            all.map(|(address, i)| (address, &i.attributes, &i.spans)),
        );
    }

    /// What a stack would hold after its plan.
    pub(crate) fn take_planned(
        &mut self,
        directory: &str,
        plan: &BTreeMap<Address, PlannedInstance>,
    ) {
        let stays = |p: &PlannedInstance| !matches!(p.change, Change::Delete | Change::Forget);
        let all = plan.iter().filter(|(_, p)| stays(p));
        self.replace(
            directory,
            all.map(|(address, p)| (address, &p.attributes, &p.spans)),
        );
    }

    fn replace<'a>(
        &mut self,
        directory: &str,
        instances: impl Iterator<Item = (&'a Address, &'a Value, &'a Spans)>,
    ) {
        let held = instances.filter_map(|(address, attributes, spans)| {
            let managed = address.mode == Mode::Managed;
            let name = managed.then(|| dialect::identity(&address.ty, attributes))??;
            let held = Held {
                address: address.clone(),
                attributes: attributes.clone(),
                spans: spans.clone(),
            };
            Some((name, held))
        });
        self.0.insert(directory.to_owned(), held.collect());
    }

    /// The instance of another stack than `directory`'s that is the same object.
    pub(crate) fn shared(
        &self,
        directory: &str,
        address: &Address,
        attributes: &Value,
    ) -> Option<Shared> {
        let name = dialect::identity(&address.ty, attributes)?;
        let others = self.0.iter().filter(|(other, _)| *other != directory);
        let (other, held) = others
            .filter_map(|(other, all)| Some((other, all.get(&name)?)))
            .next()?;
        Some(Shared {
            directory: other.clone(),
            address: held.address.clone(),
            odds: held.odds(address, attributes),
        })
    }

    /// Every object that two stacks want otherwise, said at the instance of the later directory.
    pub(crate) fn conflicts(&self) -> Vec<Diagnostic> {
        let mut first: BTreeMap<&str, (&str, &Held)> = BTreeMap::new();
        let mut said = Vec::new();
        for (directory, all) in &self.0 {
            for (name, held) in all {
                let Some((other, theirs)) = first.get(name.as_str()) else {
                    first.insert(name, (directory, held));
                    continue;
                };
                let odds = theirs.odds(&held.address, &held.attributes);
                if odds.is_empty() {
                    continue;
                }
                let detail = format!(
                    "{} of {directory} and {} of {other} are the same object of the cloud, and differ in {}",
                    held.address,
                    theirs.address,
                    odds.join(", ")
                );
                let diagnostic = Diagnostic::error("Two stacks want one object otherwise", detail)
                    .help("give both the same settings, or make it in one stack and look it up in the other with a data source")
                    .at_opt(held.spans.find(&odds[0]).or_else(|| held.spans.find("")));
                said.push(diagnostic);
            }
        }
        said
    }

    /// The warnings about what a plan would adopt.
    pub(crate) fn adoptions(
        &self,
        directory: &str,
        plan: &BTreeMap<Address, PlannedInstance>,
    ) -> Vec<Diagnostic> {
        plan.iter()
            .filter(|(address, p)| {
                address.mode == Mode::Managed && p.change == Change::Create && !p.placeholder
            })
            .filter_map(|(address, p)| {
                let shared = self.shared(directory, address, &p.attributes)?;
                (shared.odds.is_empty()).then(|| adopted(address, &shared, &p.spans))
            })
            .collect()
    }
}

impl Held {
    fn odds(&self, address: &Address, attributes: &Value) -> Vec<String> {
        if self.address.ty != address.ty {
            return vec![format!(
                "the resource type ({} and {})",
                self.address.ty, address.ty
            )];
        }
        let schemas = Schemas::builtin();
        let schema = schemas.find(Mode::Managed, &address.ty);
        schema.map_or_else(Vec::new, |schema| {
            settings_at_odds(schema, &self.attributes, attributes)
        })
    }
}

/// What is said of an instance whose object another stack has made.
pub(crate) fn adopted(address: &Address, shared: &Shared, spans: &Spans) -> Diagnostic {
    let detail = format!(
        "{address} is {} of {} with the same settings: it is adopted, and goes with the last stack that has it. \
         With its own state and no import, Terraform would refuse to create it",
        shared.address, shared.directory
    );
    Diagnostic::warning("Object of another stack", detail)
        .rule("adopted")
        .at_opt(spans.find(""))
}
