//! Twins of worlds that have nodes with a world outside: what came in from there is in no log, so each such
//! node is replaced by what stands in for it.

use std::collections::BTreeSet;

use skybridge_base::Instant;
use skybridge_blueprint::{Blueprint, Node, NodeKind, NodeName};

use crate::command::{CommandLog, Logged};
use crate::slot::Buildable;
use crate::world::{ReplayError, World};

impl CommandLog {
    /// True when the world ever had a node with a world outside.
    pub(crate) fn has_external(&self) -> bool {
        let is_external = |node: &Node| matches!(node.kind, NodeKind::External(_));
        self.initial.nodes.values().any(is_external)
            || self.entries.iter().any(|entry| match &entry.what {
                Logged::Apply(difference) => difference.nodes.values().flatten().any(is_external),
                Logged::Command(_) | Logged::Late => false,
            })
    }
}

impl<N: Buildable> World<N> {
    /// Repeats a log by its times. The twin's steps are not the original's, since stand-ins send other
    /// frames; commands that find no such connection, host or cut in the twin are left out.
    pub(crate) fn replay_with_stand_ins(
        log: &CommandLog,
        until: Instant,
    ) -> Result<Self, ReplayError> {
        let mut blueprint = (*log.initial).clone();
        let mut world = Self::assemble(substituted(&blueprint)?.into(), log.seed);
        for (number, entry) in log.entries.iter().enumerate() {
            world.run_until(entry.at);
            match &entry.what {
                Logged::Command(command) => {
                    let _differs_in_the_twin = world.command(command.clone()).err();
                }
                // The twin has other work to do, and its own time for it.
                Logged::Late => {}
                Logged::Apply(difference) => {
                    blueprint = difference.applied(&blueprint);
                    world
                        .apply(substituted(&blueprint)?)
                        .map_err(|_| ReplayError::Mismatch(number))?;
                }
            }
        }
        world.run_until(until);
        Ok(world)
    }
}

/// A blueprint with stand-ins in the place of what is outside.
fn substituted(blueprint: &Blueprint) -> Result<Blueprint, ReplayError> {
    let mut substituted = blueprint.clone();
    let mut missing: BTreeSet<NodeName> = BTreeSet::new();
    for (name, node) in &mut substituted.nodes {
        let NodeKind::External(external) = &node.kind else {
            continue;
        };
        match external.stand_in() {
            Some(kind) => node.kind = kind,
            None => {
                missing.insert(name.clone());
            }
        }
    }
    if missing.is_empty() {
        Ok(substituted)
    } else {
        Err(ReplayError::NoStandIn(missing.into_iter().collect()))
    }
}
