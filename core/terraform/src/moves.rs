//! What is wrong with `moved` and `removed` blocks, once it is known which instances there are.

use std::collections::BTreeMap;

use skybridge_hcl::{Diagnostic, Span};

use crate::address::InstanceKey;
use crate::config::{Config, Moved, StaticPath};
use crate::endpoint::Seen;
use crate::scope::Values;

/// Checks every statement against the others and against what the configuration has.
pub(crate) fn check(config: &Config, values: &Values, said: &mut Vec<Diagnostic>) {
    for (path, module) in &config.modules {
        for (at, statement) in module.moved.iter().enumerate() {
            if statement.from == statement.to {
                let detail = format!("{} moves to the same address", statement.from);
                let summary = "Redundant move statement";
                said.push(Diagnostic::error(summary, detail).at(&statement.span));
                continue;
            }
            ambiguous(&module.moved[..at], statement, said);
            if let Some(place) = still_there(config, values, path, statement) {
                let detail = format!(
                    "{} is said to have moved, and is still declared at {place}",
                    statement.from
                );
                let summary = "Moved object still exists";
                said.push(Diagnostic::error(summary, detail).at(&statement.span));
            }
        }
        cycle(&module.moved, said);
    }
}

/// Two statements that begin or end at the same address say different things.
fn ambiguous(before: &[Moved], statement: &Moved, said: &mut Vec<Diagnostic>) {
    let clash = before.iter().find(|other| {
        (other.from == statement.from) != (other.to == statement.to) && other.from != other.to
    });
    if let Some(other) = clash {
        let detail = format!(
            "{} moved to {} at {}, and here {} moves to {}: each address can move once, and to one place",
            other.from, other.to, other.span, statement.from, statement.to
        );
        said.push(Diagnostic::error("Ambiguous move statements", detail).at(&statement.span));
    }
}

/// Statements that lead back to where they began.
fn cycle(statements: &[Moved], said: &mut Vec<Diagnostic>) {
    let next: BTreeMap<String, &Moved> = (statements.iter())
        .filter(|m| m.from != m.to)
        .map(|m| (m.from.to_string(), m))
        .collect();
    for start in statements.iter().filter(|m| m.from != m.to) {
        let mut trail = vec![start.from.to_string()];
        let mut at = start;
        // A cycle is said once, at its first statement.
        while let Some(following) = next.get(&at.to.to_string()) {
            if following.from == start.from {
                let first = (statements.iter()).position(|m| trail.contains(&m.from.to_string()));
                if first.is_some_and(|first| statements[first].span == start.span) {
                    trail.push(start.from.to_string());
                    let detail = format!("these moves form a cycle: {}", trail.join(" -> "));
                    let summary = "Cyclic dependency in move statements";
                    said.push(Diagnostic::error(summary, detail).at(&start.span));
                }
                break;
            }
            let name = following.from.to_string();
            if trail.contains(&name) {
                break;
            }
            trail.push(name);
            at = following;
        }
    }
}

/// Where the thing stands that a statement says is elsewhere now.
fn still_there<'c>(
    config: &'c Config,
    values: &Values,
    path: &StaticPath,
    statement: &Moved,
) -> Option<&'c Span> {
    let (from, to) = (&statement.from, &statement.to);
    let (inside, block) = from.block();
    let mut module = path.clone();
    module.extend(inside);
    // Without a key an address means the only instance if it moves to one with a key, else all of them.
    let key = match (from.last_key(), to.last_key()) {
        (None, Some(_)) => Some(&InstanceKey::Single),
        (key, _) => key,
    };
    let span = match &block {
        None => {
            let name = module.pop()?;
            &config.modules.get(&module)?.calls.get(&name)?.span
        }
        Some(block) => &config.modules.get(&module)?.resources.get(block)?.span,
    };
    let is_there = match key {
        None => true,
        Some(key) => {
            values
                .instances(path)
                .iter()
                .any(|within| match from.seen_from(within, key) {
                    Seen::Resource(address) => values.has_instance(&address),
                    Seen::Module(above, name) => {
                        let expansion = values.calls.get(&(above, name));
                        expansion.is_some_and(|e| e.has(key))
                    }
                })
        }
    };
    is_there.then_some(span)
}
