//! What `moved` and `removed` blocks, and a `count` that came or went, do to the state before a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use skybridge_hcl::{Diagnostic, Span};

use crate::address::{Address, InstanceKey, Mode};
use crate::config::Config;
use crate::endpoint::Endpoint;
use crate::scope::static_path;
use crate::state::{InstanceState, StackState};

/// How often the blocks are gone through: chains of moves may stand in any order.
const ROUNDS_MAX: usize = 64;

/// What the blocks did.
#[derive(Debug, Default)]
pub(crate) struct Refactored {
    /// The state with the addresses of the configuration.
    pub(crate) state: StackState,
    /// From the new address to the one before.
    pub(crate) moved: BTreeMap<Address, Address>,
    /// What is no longer this stack's and goes on living.
    pub(crate) forgotten: BTreeMap<Address, InstanceState>,
}

/// Applies the blocks of a configuration to a state.
pub(crate) fn refactor(
    config: &Config,
    prior: StackState,
    said: &mut Vec<Diagnostic>,
) -> Refactored {
    let mut out = Refactored {
        state: prior,
        ..Refactored::default()
    };
    for _ in 0..ROUNDS_MAX {
        let before = out.moved.len();
        let renames = renames(config, &out.state);
        for (from, to) in renames {
            rename(&mut out, &from, &to);
        }
        if out.moved.len() == before {
            break;
        }
    }
    removed(config, &mut out, said);
    out
}

/// The moves that apply to what is there. Nothing moves to where something is.
fn renames(config: &Config, state: &StackState) -> Vec<(Address, Address)> {
    let mut out = Vec::new();
    let mut taken: BTreeSet<Address> = BTreeSet::new();
    for address in state.instances.keys() {
        let explicit = config.modules.iter().find_map(|(path, module)| {
            let within = address.module.get(..path.len())?;
            if static_path(within) != *path {
                return None;
            }
            (module.moved.iter()).find_map(|m| m.from.moved(&m.to, within, address))
        });
        let to = explicit.or_else(|| implied(config, state, address));
        if let Some(to) = to
            && to != *address
            && !state.instances.contains_key(&to)
            && taken.insert(to.clone())
        {
            out.push((address.clone(), to));
        }
    }
    out
}

/// A resource that got a `count` becomes its first instance, and the other way round.
fn implied(config: &Config, state: &StackState, address: &Address) -> Option<Address> {
    let module = config.modules.get(&static_path(&address.module))?;
    let block = (address.mode, address.ty.clone(), address.name.clone());
    let resource = module.resources.get(&block)?;
    let key = match (&address.key, &resource.count, &resource.for_each) {
        (InstanceKey::Single, Some(_), None) => InstanceKey::Index(0),
        (InstanceKey::Index(0), None, None) => InstanceKey::Single,
        _ => return None,
    };
    let to = Address {
        key,
        ..address.clone()
    };
    (!state.instances.contains_key(&to)).then_some(to)
}

fn rename(out: &mut Refactored, from: &Address, to: &Address) {
    let Some(instance) = out.state.instances.remove(from) else {
        return;
    };
    out.state.instances.insert(to.clone(), instance);
    for other in out.state.instances.values_mut() {
        if other.dependencies.contains(from) {
            for below in Arc::make_mut(&mut other.dependencies) {
                if below == from {
                    *below = to.clone();
                }
            }
        }
    }
    let first = out.moved.remove(from).unwrap_or_else(|| from.clone());
    out.moved.insert(to.clone(), first);
}

/// `removed` blocks: what they name must be gone from the configuration, and is destroyed as anything
/// else that is gone, unless they say to forget it.
fn removed(config: &Config, out: &mut Refactored, said: &mut Vec<Diagnostic>) {
    for (path, module) in &config.modules {
        for removed in &module.removed {
            if let Some((what, place)) = still_there(config, path, &removed.from) {
                let detail = format!(
                    "{} is said to be removed at {}, and is still declared",
                    removed.from, removed.span
                );
                let summary = format!("Removed {what} still exists");
                said.push(Diagnostic::error(summary, detail).at(place));
                continue;
            }
            if removed.destroy {
                continue;
            }
            let covered: Vec<Address> = (out.state.instances.keys())
                .filter(|a| a.mode == Mode::Managed)
                .filter(|a| {
                    (a.module.get(..path.len())).is_some_and(|within| {
                        static_path(within) == *path && removed.from.covers(within, a)
                    })
                })
                .cloned()
                .collect();
            for address in covered {
                if let Some(instance) = out.state.instances.remove(&address) {
                    forget(&address, &removed.span, said);
                    out.forgotten.insert(address, instance);
                }
            }
        }
    }
}

fn forget(address: &Address, span: &Span, said: &mut Vec<Diagnostic>) {
    let detail = format!("{address} will no longer be managed by this stack, and is not destroyed");
    said.push(Diagnostic::warning("Some objects will no longer be managed", detail).at(span));
}

fn still_there<'c>(
    config: &'c Config,
    path: &[String],
    endpoint: &Endpoint,
) -> Option<(&'static str, &'c Span)> {
    let (inside, resource) = endpoint.block();
    let mut path = path.to_vec();
    path.extend(inside);
    match resource {
        None => {
            let name = path.pop()?;
            let call = config.modules.get(&path)?.calls.get(&name)?;
            Some(("module", &call.span))
        }
        Some(block) => {
            let resource = config.modules.get(&path)?.resources.get(&block)?;
            Some(("resource", &resource.span))
        }
    }
}
