//! A transaction being written.

use serde_json::Value as Json;
use skybridge_base::Instant;
use skybridge_estate::{
    Cloud, Command, Estate, Operation, OperationKind, Phase, ProviderAction, Resource, ResourceId,
    Txn, Write,
};

use super::{PARTY, with_phase};
use crate::durations::duration;
use crate::ocid;

/// A transaction, the estate it starts from, and the time.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) estate: &'a Estate,
    pub(super) now: Instant,
    pub(super) txn: Txn,
}

impl<'a> Draft<'a> {
    pub(super) fn new(estate: &'a Estate, now: Instant) -> Self {
        Self {
            estate,
            now,
            txn: Txn::default(),
        }
    }

    /// A fresh OCID.
    pub(super) fn ocid(&mut self, ty: &str, region: &str) -> ResourceId {
        let mut rng = self.estate.draw(&mut self.txn, ty);
        ocid::ocid(ty, region, &mut rng)
    }

    /// Notes that the decision rests on a resource as it is.
    pub(super) fn rest_on(&mut self, resource: &Resource) {
        let entry = (resource.id.clone(), Some(resource.revision));
        if !self.txn.based_on.contains(&entry) {
            self.txn.based_on.push(entry);
        }
    }

    /// Inserts or replaces a resource.
    pub(super) fn insert(&mut self, resource: Resource) {
        self.txn.writes.push(Write::Put(Box::new(resource)));
    }

    /// Inserts something that OCI makes by itself, ready at once.
    pub(super) fn insert_generated(
        &mut self,
        kind: &'static str,
        id: ResourceId,
        name: String,
        parent: &ResourceId,
        doc: Json,
        mut computed: Json,
    ) {
        super::set(&mut computed, "id", Json::from(id.as_str()));
        super::set(&mut computed, "displayName", Json::from(name.as_str()));
        let resource = Resource {
            id,
            cloud: Cloud::Oci,
            kind: kind.into(),
            name,
            parent: Some(parent.clone()),
            doc,
            computed,
            unknown: std::collections::BTreeSet::new(),
            phase: Phase::Ready,
            revision: 0,
            created_at: self.now,
            origin: None,
        };
        self.insert(with_phase(resource, Phase::Ready));
    }

    /// Removes a resource and gives back what it holds.
    pub(super) fn remove(&mut self, id: &ResourceId) {
        self.txn.writes.push(Write::Remove(id.clone()));
        let key = id.as_str().to_owned();
        self.txn.writes.push(Write::Release { key });
    }

    /// Begins an operation that takes as long as its kind takes.
    pub(super) fn begin(&mut self, resource: &Resource, kind: OperationKind) {
        let due = self.now + self.scaled(resource.kind.as_str(), kind);
        self.estate
            .begin(&mut self.txn, &resource.id, PARTY, kind, due);
    }

    /// How long an operation takes at this estate's pace.
    pub(super) fn scaled(&self, kind: &str, operation: OperationKind) -> std::time::Duration {
        self.estate.pace().scale(duration(kind, operation))
    }

    /// Ends an operation.
    pub(super) fn end(&mut self, operation: &Operation) {
        self.txn.writes.push(Write::End(operation.id));
    }

    /// Goes on with an operation at another step.
    pub(super) fn next(&mut self, operation: &Operation, step: u32, due: Instant) {
        self.txn.writes.push(Write::Begin(Operation {
            step,
            due,
            ..operation.clone()
        }));
    }

    /// Tells Azure what the provider does.
    pub(super) fn tell_provider(&mut self, service_key: &str, action: ProviderAction) {
        self.txn.follow_ups.push(Command::Provider {
            service_key: service_key.to_owned(),
            action,
        });
    }
}
