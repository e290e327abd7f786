//! Two addresses of one stack that are one object of the cloud.
//!
//! Terraform does not see it. Azure's provider looks before it creates, and refuses what is there already. OCI gives
//! whatever is created an OCID of its own, so that only resources that manage something that is there (a default object, an
//! attachment) can meet: none is refused, and each apply of the one undoes the other.

use std::collections::BTreeMap;

use skybridge_hcl::Diagnostic as Said;
use skybridge_terraform::{
    Address, Change, InstanceState, Mode, PlannedInstance, Schemas, StackState, settings_at_odds,
};

use crate::diagnostics;
use crate::dialect;
use crate::document::Diagnostic;

/// What is wrong in a stack as it would be after `plan`.
pub(crate) fn find(
    state: &StackState,
    plan: &BTreeMap<Address, PlannedInstance>,
    schemas: &Schemas,
) -> Vec<Diagnostic> {
    let mut said = Vec::new();
    for (object, holders) in objects(state, dialect::identity) {
        let is_new = |address: &Address| {
            let planned = plan.get(address);
            planned.is_some_and(|p| matches!(p.change, Change::Create | Change::Replace))
        };
        // What was there first keeps it; of two new ones, whichever comes second is refused.
        let first = holders.iter().position(|(a, _)| !is_new(a)).unwrap_or(0);
        let others = holders.iter().enumerate().filter(|(at, _)| *at != first);
        for (_, (address, instance)) in others.filter(|(_, (a, _))| is_new(a)) {
            let holder = holders[first].0;
            said.push(diagnostics::from_hcl(&exists(
                &object, address, instance, holder,
            )));
        }
    }
    for (_, holders) in objects(state, dialect::managed) {
        let [(one, a), rest @ ..] = holders.as_slice() else {
            continue;
        };
        said.extend((rest.iter()).map(|(two, b)| managed_twice((one, a), (two, b), schemas)));
    }
    said
}

/// A name for an object, and the instances that are it.
type Objects<'a> = Vec<(String, Vec<(&'a Address, &'a InstanceState)>)>;

/// The objects that several instances are, by what `name` calls them.
fn objects<'a>(
    state: &'a StackState,
    name: impl Fn(&str, &skybridge_hcl::Value) -> Option<String>,
) -> Objects<'a> {
    let mut all: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (address, instance) in &state.instances {
        if address.mode != Mode::Managed || instance.placeholder {
            continue;
        }
        if let Some(name) = name(&address.ty, &instance.attributes) {
            all.entry(name).or_default().push((address, instance));
        }
    }
    all.into_iter().filter(|(_, h)| h.len() > 1).collect()
}

/// As azurerm says it.
fn exists(object: &str, address: &Address, instance: &InstanceState, holder: &Address) -> Said {
    let id = instance.attributes.str_attr("id").unwrap_or(object);
    let detail = format!(
        "a resource with the ID \"{id}\" already exists - to be managed via Terraform this resource needs to be imported into the State: {holder} is the same object as {address}"
    );
    let help = "give one of the two another name, or take it out; objects that differ in case only are the same";
    Said::error(format!("{address} is not created"), detail)
        .rule("azure.exists-already")
        .help(help)
        .at_opt(instance.spans.find(""))
}

fn managed_twice(
    (one, a): (&Address, &InstanceState),
    (two, b): (&Address, &InstanceState),
    schemas: &Schemas,
) -> Diagnostic {
    let schema = schemas.find(Mode::Managed, &two.ty);
    let odds = schema.map_or_else(Vec::new, |s| {
        settings_at_odds(s, &a.attributes, &b.attributes)
    });
    let same = one.ty == two.ty && odds.is_empty();
    let detail = if same {
        format!("{one} and {two} manage the same object of the cloud, with the same settings")
    } else {
        format!(
            "{one} and {two} manage the same object of the cloud, and nothing says which of them writes it last; each apply of the one undoes the other"
        )
    };
    let said = Said::warning("One object is managed twice", detail)
        .rule("oci.managed-twice")
        .help("take one of the two out")
        .at_opt(b.spans.find(""));
    let level = if same { "warning" } else { "will not work" };
    Diagnostic {
        level: level.to_owned(),
        ..diagnostics::from_hcl(&said)
    }
}
