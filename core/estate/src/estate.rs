//! The estate itself, transactions and operations.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use skybridge_base::{Deadline, Instant, Rng};

use crate::allocations::Allocations;
use crate::resources::Resources;
use crate::{Command, Kind, Pace, Party, Resource, ResourceId};

/// An operation's number, unique in an estate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(pub u64);

/// What an operation does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Creates.
    Create,
    /// Changes.
    Update,
    /// Deletes.
    Delete,
    /// A provider works on it.
    Provider,
}

/// Something under way on a resource.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Operation {
    /// Its number.
    pub id: OperationId,
    /// On which resource.
    pub resource: ResourceId,
    /// Who steps it.
    pub party: Party,
    /// What it does.
    pub kind: OperationKind,
    /// Which step is next; the owner gives the numbers meaning.
    pub step: u32,
    /// When that step is due.
    pub due: Instant,
}

/// One change of the estate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Write {
    /// Insert or replace a resource.
    Put(Box<Resource>),
    /// Remove a resource.
    Remove(ResourceId),
    /// Insert or replace an operation.
    Begin(Operation),
    /// Remove an operation.
    End(OperationId),
    /// Note an allocation.
    Allocate {
        /// The pool, such as `s-tag/washington-dc`.
        pool: String,
        /// Who holds it.
        key: String,
        /// The number.
        value: u64,
    },
    /// Give back everything that `key` holds.
    Release {
        /// Who held it.
        key: String,
    },
}

/// A decision, ready to be committed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Txn {
    /// Revisions that the decision rests on; a commit compares them.
    pub based_on: Vec<(ResourceId, Option<u64>)>,
    /// The changes.
    pub writes: Vec<Write>,
    /// What other parties must be told once this is committed.
    pub follow_ups: Vec<Command>,
    /// Ids drawn so far; committed with the transaction so that ids stay unique.
    pub draws: u64,
}

/// The estate moved on since the decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conflict {
    /// The resource that changed.
    pub resource: ResourceId,
}

/// Every resource, operation and allocation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Estate {
    resources: Resources,
    operations: BTreeMap<OperationId, Operation>,
    allocations: Allocations,
    operation_next: u64,
    draws: u64,
    seed: u64,
    revision: u64,
    pace: Pace,
    /// Raised or lowered limits, by `cloud_limit`.
    #[serde(default)]
    limits: BTreeMap<String, u64>,
}

impl Estate {
    /// An empty estate. `seed` is the source of ids and service keys: random where the estate is
    /// served to someone, fixed in a simulation.
    #[must_use]
    pub const fn new(seed: u64, pace: Pace) -> Self {
        Self {
            resources: Resources::new(),
            operations: BTreeMap::new(),
            allocations: Allocations::new(),
            operation_next: 1,
            draws: 0,
            seed,
            revision: 0,
            pace,
            limits: BTreeMap::new(),
        }
    }

    /// Takes over limits that differ from the catalogue's, as a cloud raises a tenant's quota; keys are
    /// `azure_circuits_per_subscription` and the like.
    pub fn set_limits(&mut self, limits: BTreeMap<String, u64>) {
        if self.limits != limits {
            self.limits = limits;
            self.revision += 1;
        }
    }

    /// A limit that was set for this estate, by its key.
    #[must_use]
    pub fn limit(&self, key: &str) -> Option<u64> {
        self.limits.get(key).copied()
    }

    /// A copy in which lifecycles run at another pace.
    #[must_use]
    pub fn with_pace(&self, pace: Pace) -> Self {
        Self {
            pace,
            ..self.clone()
        }
    }

    /// How fast lifecycles run.
    #[must_use]
    pub const fn pace(&self) -> Pace {
        self.pace
    }

    /// Counts commits and changes of limits: equal revisions of one estate are equal states.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// A resource by id; ARM ids are matched without case.
    #[must_use]
    pub fn resource(&self, id: &ResourceId) -> Option<&Resource> {
        self.resources.find(id)
    }

    /// Every resource, by id.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.resources.iter()
    }

    /// The resources of one kind, by id.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Resource> {
        self.resources.of_kind(kind)
    }

    /// The direct children of a resource, by id.
    pub fn children<'a>(&'a self, id: &ResourceId) -> impl Iterator<Item = &'a Resource> + use<'a> {
        self.resources.children(id)
    }

    /// The resources whose documents, the client's or the cloud's part, have an id as a text, by their own ids;
    /// in any spelling, and without the resource itself.
    pub fn naming<'a>(&'a self, id: &ResourceId) -> impl Iterator<Item = &'a Resource> + use<'a> {
        self.resources.naming(id)
    }

    /// The children of `parent` that take addresses of `net`, and which range of theirs does: the widest
    /// first, then by address.
    pub fn taking<'a>(
        &'a self,
        parent: &ResourceId,
        net: IpNet,
    ) -> impl Iterator<Item = (IpNet, &'a Resource)> + use<'a> {
        self.resources.taking(parent, net)
    }

    /// Operations under way, by number.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.values()
    }

    /// The operation on `id` itself, if one is under way.
    #[must_use]
    pub fn operation_on(&self, id: &ResourceId) -> Option<&Operation> {
        self.operations.values().find(|o| &o.resource == id)
    }

    /// The operation that keeps `id` from being written: one on it, on its parent, or on a sibling when
    /// the parent takes one write at a time.
    #[must_use]
    pub fn in_the_way(&self, id: &ResourceId, parent: Option<&ResourceId>) -> Option<&Operation> {
        self.operations.values().find(|o| {
            &o.resource == id
                || parent.is_some_and(|p| {
                    &o.resource == p
                        || self
                            .resources
                            .exact(&o.resource)
                            .is_some_and(|r| r.parent.as_ref() == Some(p))
                })
        })
    }

    /// A generator for ids and keys of the transaction being built; note the draw in [`Txn::draws`].
    #[must_use]
    pub fn draw(&self, txn: &mut Txn, label: &str) -> Rng {
        txn.draws += 1;
        Rng::new(self.seed).child(&format!("{label}/{}", self.draws + txn.draws))
    }

    /// The number that `key` holds in `pool`.
    #[must_use]
    pub fn allocation(&self, pool: &str, key: &str) -> Option<u64> {
        self.allocations.get(pool, key)
    }

    /// The number `key` holds in `pool`, or the lowest free one of `range`, noted in `txn`.
    /// `None` when the pool is exhausted.
    pub fn allocate(
        &self,
        txn: &mut Txn,
        pool: &str,
        key: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Option<u64> {
        let pending = |value: u64| {
            txn.writes.iter().any(|w| {
                matches!(w, Write::Allocate { pool: p, value: v, .. } if p == pool && *v == value)
            })
        };
        if let Some(held) = self.allocation(pool, key) {
            return Some(held);
        }
        let last = *range.end();
        let mut value = self.allocations.lowest_free(pool, &range)?;
        while pending(value) {
            let rest = value.checked_add(1)?..=last;
            value = self.allocations.lowest_free(pool, &rest)?;
        }
        txn.writes.push(Write::Allocate {
            pool: pool.to_owned(),
            key: key.to_owned(),
            value,
        });
        Some(value)
    }

    /// A new operation for `txn`; its first step is due at `due`.
    pub fn begin(
        &self,
        txn: &mut Txn,
        resource: &ResourceId,
        party: Party,
        kind: OperationKind,
        due: Instant,
    ) -> OperationId {
        let begun = txn
            .writes
            .iter()
            .filter(|w| matches!(w, Write::Begin(_)))
            .count();
        let id = OperationId(self.operation_next + begun as u64);
        txn.writes.push(Write::Begin(Operation {
            id,
            resource: resource.clone(),
            party,
            kind,
            step: 0,
            due,
        }));
        id
    }

    /// Commits a decision and returns what other parties must be told.
    ///
    /// # Errors
    /// [`Conflict`] when a resource that the decision rests on has changed; nothing is written then.
    pub fn apply(&mut self, txn: Txn) -> Result<Vec<Command>, Conflict> {
        for (id, revision) in &txn.based_on {
            if self.resources.exact(id).map(|r| r.revision) != *revision {
                return Err(Conflict {
                    resource: id.clone(),
                });
            }
        }
        self.draws += txn.draws;
        self.revision += 1;
        for write in txn.writes {
            match write {
                Write::Put(mut resource) => {
                    resource.revision = self.revision;
                    self.resources.insert(*resource);
                }
                Write::Remove(id) => {
                    self.resources.remove(&id);
                }
                Write::Begin(operation) => {
                    self.operation_next = self.operation_next.max(operation.id.0 + 1);
                    self.operations.insert(operation.id, operation);
                }
                Write::End(id) => {
                    self.operations.remove(&id);
                }
                Write::Allocate { pool, key, value } => {
                    self.allocations.insert(pool, key, value);
                }
                Write::Release { key } => self.allocations.release(&key),
            }
        }
        Ok(txn.follow_ups)
    }

    /// When the next step of any operation is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let at = self.operations.values().map(|o| o.due).min()?;
        Some(Deadline::new(at, "operation step"))
    }

    /// The first operation whose step is due at `now`: by time, then number.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<&Operation> {
        self.operations
            .values()
            .filter(|o| o.due <= now)
            .min_by_key(|o| (o.due, o.id))
    }

    /// True when a resource of `kind` exists.
    #[must_use]
    pub fn has_kind(&self, kind: &Kind) -> bool {
        self.resources.of_kind(kind.as_str()).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocations_are_stable_lowest_first_and_given_back() {
        let mut estate = Estate::new(1, Pace::Instant);
        let mut txn = Txn::default();
        assert_eq!(estate.allocate(&mut txn, "s", "a", 10..=11), Some(10));
        assert_eq!(estate.allocate(&mut txn, "s", "b", 10..=11), Some(11));
        assert_eq!(estate.allocate(&mut txn, "s", "c", 10..=11), None);
        estate.apply(txn).unwrap();
        let mut txn = Txn::default();
        assert_eq!(estate.allocate(&mut txn, "s", "a", 10..=11), Some(10));
        assert!(txn.writes.is_empty());
        txn.writes.push(Write::Release { key: "a".into() });
        estate.apply(txn).unwrap();
        assert_eq!(estate.allocation("s", "a"), None);
        assert_eq!(estate.allocation("s", "b"), Some(11));
    }

    #[test]
    fn a_decision_on_an_old_revision_is_refused_whole() {
        let mut estate = Estate::new(1, Pace::Instant);
        let txn = Txn {
            based_on: vec![("x".into(), Some(1))],
            writes: vec![Write::Release { key: "k".into() }],
            ..Txn::default()
        };
        let before = estate.revision();
        assert_eq!(
            estate.apply(txn),
            Err(Conflict {
                resource: "x".into()
            })
        );
        assert_eq!(estate.revision(), before);
    }
}
