//! The control planes at work: commands in, operations stepped, follow-ups passed on.

use skybridge_azure::Azure;
use skybridge_base::{Deadline, Instant};
use skybridge_compile::{DRG_POOL, REMOTE_PEERING_POOL, connection_pool, drg_leg_pool, label_pool};
use skybridge_estate::{
    Cloud, Command, Decide, Estate, Pace, Party, Phase, PutRequest, Refusal, Resource, ResourceId,
    Txn, Write,
};
use skybridge_oci::Oci;

/// Steps of operations within one call before it counts as a bug: each step moves an operation on.
const STEPS_MAX: usize = 1_000_000;

/// An estate and the parties that decide about it.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    pub(crate) estate: Estate,
}

impl Control {
    pub(crate) fn new(seed: u64, pace: Pace) -> Self {
        Self {
            estate: Estate::new(seed, pace),
        }
    }

    /// A copy for trying things out, in which what is begun is done.
    pub(crate) fn at_once(&self) -> Self {
        Self {
            estate: self.estate.with_pace(Pace::Instant),
        }
    }

    fn party(party: Party) -> &'static dyn Decide {
        match party {
            Party::Azure => &Azure,
            Party::Oci => &Oci,
        }
    }

    /// Decides and commits one command and everything that follows from it at once. Gives the ids that
    /// were written.
    pub(crate) fn submit(
        &mut self,
        now: Instant,
        command: &Command,
    ) -> Result<Vec<ResourceId>, Refusal> {
        let txn = Self::party(command.party()).decide(&self.estate, command, now)?;
        let written = txn
            .writes
            .iter()
            .filter_map(|write| match write {
                Write::Put(resource) => Some(resource.id.clone()),
                Write::Remove(_)
                | Write::Begin(_)
                | Write::End(_)
                | Write::Allocate { .. }
                | Write::Release { .. } => None,
            })
            .collect();
        self.commit(now, txn);
        Ok(written)
    }

    fn commit(&mut self, now: Instant, txn: Txn) {
        let txn = self.with_numbers(txn);
        // One writer: nothing can have moved between decision and commit.
        let follow_ups = self
            .estate
            .apply(txn)
            .expect("a decision is committed before the next is made");
        for follow_up in follow_ups {
            // A party that refuses a follow-up leaves the sender's operation waiting, as in reality.
            let _refusal = self.submit(now, &follow_up).err();
        }
    }

    /// Adds to `txn` the numbers that the compiler needs to be stable: labels, connections, legs.
    fn with_numbers(&self, mut txn: Txn) -> Txn {
        let mut wanted: Vec<(String, String, u64)> = Vec::new();
        let mut gone = Vec::new();
        for write in &txn.writes {
            let resource = match write {
                Write::Put(resource) => resource,
                Write::Remove(id) => {
                    gone.push(id.to_string());
                    continue;
                }
                Write::Begin(_)
                | Write::End(_)
                | Write::Allocate { .. }
                | Write::Release { .. } => continue,
            };
            let id = resource.id.as_str().to_owned();
            wanted.push((
                label_pool(&resource.kind, resource.shown_name()),
                id.clone(),
                1,
            ));
            let gateway = resource.text("/properties/virtualNetworkGateway1/id");
            let gateway = gateway.map(ResourceId::from);
            let of_hub = resource.kind.as_str() == skybridge_azure::kinds::HUB_GATEWAY_CONNECTION;
            let gateway = gateway.or_else(|| resource.parent.clone().filter(|_| of_hub));
            if let Some(gateway) = gateway {
                wanted.push((connection_pool(&gateway), id.clone(), 0));
            }
            match resource.kind.as_str() {
                skybridge_oci::kinds::DRG => wanted.push((DRG_POOL.to_owned(), id.clone(), 0)),
                skybridge_oci::kinds::REMOTE_PEERING => {
                    wanted.push((REMOTE_PEERING_POOL.to_owned(), id.clone(), 0));
                }
                _ => {}
            }
            if let Some(drg) = resource.text("/gatewayId") {
                wanted.push((drg_leg_pool(&drg.into()), id, 0));
            }
        }
        for (pool, key, first) in wanted {
            // An exhausted pool cannot be: the range is wider than any estate.
            let _number = self
                .estate
                .allocate(&mut txn, &pool, &key, first..=u64::MAX);
        }
        txn.writes
            .extend(gone.into_iter().map(|key| Write::Release { key }));
        txn
    }

    /// Puts in what a cloud refused, so that what refers to it can be looked at too: a new resource, or the
    /// fields of a change over what stood there. Only for trying things out.
    pub(crate) fn force(&mut self, now: Instant, put: &PutRequest) -> ResourceId {
        let standing = put.id.as_ref().and_then(|id| self.estate.resource(id));
        let resource = match standing {
            Some(standing) => changed(standing, put),
            None => made(put, now),
        };
        let id = resource.id.clone();
        let txn = Txn {
            writes: vec![Write::Put(Box::new(resource))],
            ..Txn::default()
        };
        self.commit(now, txn);
        id
    }

    /// Steps every operation that is due.
    pub(crate) fn advance(&mut self, now: Instant) {
        for _ in 0..STEPS_MAX {
            let Some(operation) = self.estate.due(now).cloned() else {
                return;
            };
            let txn = Self::party(operation.party).step(&self.estate, &operation, now);
            self.commit(now, txn);
        }
        unreachable!("operations kept stepping without time passing");
    }

    pub(crate) fn poll_timeout(&self) -> Option<Deadline> {
        self.estate.poll_timeout()
    }
}

/// A refused resource as it would stand.
fn made(put: &PutRequest, now: Instant) -> Resource {
    let id = put.id.clone().unwrap_or_else(|| {
        let origin = put.origin.clone().unwrap_or_default();
        format!("ocid1.refused.oc1..{}{}", origin.address, origin.stack).into()
    });
    // OCI's requests name in their documents what they are nested in.
    let named = skybridge_oci::parent_field(put.kind.as_str())
        .and_then(|field| put.doc.get(field)?.as_str())
        .map(ResourceId::from);
    Resource {
        id,
        cloud: match put.party {
            Party::Azure => Cloud::Azure,
            Party::Oci => Cloud::Oci,
        },
        kind: put.kind.clone(),
        name: put.name.clone(),
        parent: put.parent.clone().or(named),
        doc: put.doc.clone(),
        computed: serde_json::Value::Null,
        unknown: put.unknown.clone(),
        phase: Phase::Ready,
        revision: 0,
        created_at: now,
        origin: put.origin.clone(),
    }
}

/// What stands, with the fields of a refused change.
fn changed(standing: &Resource, put: &PutRequest) -> Resource {
    let mut resource = standing.clone();
    if let (Some(doc), Some(fields)) = (resource.doc.as_object_mut(), put.doc.as_object()) {
        doc.extend(fields.clone());
    }
    resource.unknown.extend(put.unknown.iter().cloned());
    resource
}
