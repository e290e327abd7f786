//! An estate in which tests play both clouds.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use skybridge_base::Instant;
use skybridge_estate::{
    Cloud, Command, Decide, Estate, Pace, Party, Phase, PutRequest, Refusal, Resource, ResourceId,
    Txn, Write,
};

use crate::{Oci, kinds};

/// The service key of [`Lab::express_route`].
pub(crate) const KEY: &str = "8c1e4e4b-0000-4000-8000-000000000001";

/// An estate, the time, and what Azure was told.
#[derive(Clone, Debug)]
pub(crate) struct Lab {
    pub(crate) estate: Estate,
    pub(crate) now: Instant,
    pub(crate) told: Vec<Command>,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self {
            estate: Estate::new(7, Pace::Realistic),
            now: Instant::ZERO,
            told: Vec::new(),
        }
    }

    /// Applies a command at once, without letting time pass.
    pub(crate) fn send(&mut self, command: &Command) -> Result<Txn, Refusal> {
        let txn = Oci.decide(&self.estate, command, self.now)?;
        self.commit(txn.clone());
        Ok(txn)
    }

    fn commit(&mut self, txn: Txn) {
        self.told
            .extend(self.estate.apply(txn).expect("nothing else writes"));
    }

    /// Lets every operation step that is due within `seconds` happen.
    pub(crate) fn pass(&mut self, seconds: u64) {
        let end = self.now + std::time::Duration::from_secs(seconds);
        while let Some(due) = self.estate.poll_timeout().filter(|d| d.at <= end) {
            self.now = self.now.max(due.at);
            let operation = self.estate.due(self.now).expect("one is due").clone();
            let txn = Oci.step(&self.estate, &operation, self.now);
            self.commit(txn);
        }
        self.now = end;
    }

    /// Sends a creation.
    pub(crate) fn try_create(&mut self, kind: &str, doc: Json) -> Result<ResourceId, Refusal> {
        let request = put(kind, None, doc);
        let txn = self.send(&Command::Put(request))?;
        let made = txn.writes.iter().rev().find_map(|w| match w {
            Write::Put(r) if r.kind.as_str() == kind => Some(r.id.clone()),
            Write::Put(_)
            | Write::Remove(_)
            | Write::Begin(_)
            | Write::End(_)
            | Write::Allocate { .. }
            | Write::Release { .. } => None,
        });
        Ok(made.unwrap_or_else(|| panic!("a creation writes its resource")))
    }

    /// Creates something and waits until it is there.
    pub(crate) fn create(&mut self, kind: &str, doc: Json) -> ResourceId {
        let id = self.try_create(kind, doc).expect("accepted");
        self.pass(100);
        id
    }

    /// Sends a change.
    pub(crate) fn change(&mut self, id: &ResourceId, doc: Json) -> Result<(), Refusal> {
        let kind = self.get(id).kind.clone();
        let request = put(kind.as_str(), Some(id.clone()), doc);
        self.send(&Command::Put(request)).map(drop)
    }

    /// Sends a deletion.
    pub(crate) fn delete(&mut self, id: &ResourceId) -> Result<(), Refusal> {
        let command = Command::Delete {
            party: Party::Oci,
            id: id.clone(),
        };
        self.send(&command).map(drop)
    }

    pub(crate) fn get(&self, id: &ResourceId) -> &Resource {
        self.estate.resource(id).expect("it exists")
    }

    pub(crate) fn text(&self, id: &ResourceId, pointer: &str) -> String {
        self.get(id).text(pointer).unwrap_or_default().to_owned()
    }

    pub(crate) fn vcn(&mut self, block: &str) -> ResourceId {
        self.create(
            kinds::VCN,
            json!({ "cidrBlocks": [block], "displayName": "v" }),
        )
    }

    pub(crate) fn subnet(&mut self, vcn: &ResourceId, block: &str) -> ResourceId {
        self.create(
            kinds::SUBNET,
            json!({ "vcnId": vcn.as_str(), "cidrBlock": block }),
        )
    }

    pub(crate) fn instance(&mut self, subnet: &ResourceId) -> ResourceId {
        self.create(kinds::INSTANCE, instance_doc(subnet))
    }

    pub(crate) fn drg(&mut self) -> ResourceId {
        self.create(kinds::DRG, json!({ "displayName": "d" }))
    }

    pub(crate) fn attach(&mut self, drg: &ResourceId, vcn: &ResourceId) -> ResourceId {
        self.create(
            kinds::DRG_ATTACHMENT,
            json!({ "drgId": drg.as_str(), "vcnId": vcn.as_str() }),
        )
    }

    /// An ExpressRoute circuit of provider Oracle, ready for its virtual circuit.
    pub(crate) fn express_route(&mut self, mbps: u32) -> ResourceId {
        let id = ResourceId::from(
            "/subscriptions/s/resourceGroups/r/providers/Microsoft.Network/expressRouteCircuits/er",
        );
        let resource = Resource {
            id: id.clone(),
            cloud: Cloud::Azure,
            kind: "Microsoft.Network/expressRouteCircuits".into(),
            name: "er".to_owned(),
            parent: None,
            doc: json!({ "properties": { "serviceProviderProperties": {
                "serviceProviderName": "Oracle Cloud FastConnect",
                "peeringLocation": "Washington DC", "bandwidthInMbps": mbps } } }),
            computed: json!({ "properties": { "serviceKey": KEY,
                "serviceProviderProvisioningState": "NotProvisioned" } }),
            unknown: BTreeSet::new(),
            phase: Phase::Ready,
            revision: 0,
            created_at: self.now,
            origin: None,
        };
        let txn = Txn {
            writes: vec![Write::Put(Box::new(resource))],
            ..Txn::default()
        };
        self.estate.apply(txn).expect("nothing else writes");
        id
    }
}

pub(crate) fn put(kind: &str, id: Option<ResourceId>, doc: Json) -> PutRequest {
    PutRequest {
        party: Party::Oci,
        kind: kind.into(),
        id,
        name: String::new(),
        parent: None,
        doc,
        unknown: BTreeSet::new(),
        origin: None,
    }
}

pub(crate) fn instance_doc(subnet: &ResourceId) -> Json {
    json!({ "availabilityDomain": "AD-1", "shape": "VM.Standard.E4.Flex", "displayName": "i",
        "createVnicDetails": { "subnetId": subnet.as_str() } })
}

/// The document of a virtual circuit to Azure, as the guides have it.
pub(crate) fn circuit_doc(drg: &ResourceId, key: &str) -> Json {
    let service = crate::providers::azure();
    json!({
        "type": "PRIVATE",
        "displayName": "azure",
        "bandwidthShapeName": "1 Gbps",
        "gatewayId": drg.as_str(),
        "providerServiceId": service.map(|s| crate::providers::id(s, "us-ashburn-1")),
        "providerServiceKeyName": key,
        "crossConnectMappings": [
            { "oracleBgpPeeringIp": "10.0.0.21/30", "customerBgpPeeringIp": "10.0.0.22/30" },
            { "oracleBgpPeeringIp": "10.0.0.25/30", "customerBgpPeeringIp": "10.0.0.26/30" },
        ],
    })
}
