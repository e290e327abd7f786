//! An owner of an estate, for tests: decides, commits, lets time pass.

use serde_json::{Value as Json, json};
use skybridge_base::Instant;
use skybridge_estate::{
    Command, Decide, Estate, Pace, Party, ProviderAction, PutRequest, Refusal, Resource, ResourceId,
};

use crate::Azure;
use crate::kinds::{self, resource_id};

pub(crate) struct Owner {
    pub(crate) estate: Estate,
    pub(crate) now: Instant,
}

impl Owner {
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            estate: Estate::new(7, pace),
            now: Instant::ZERO,
        }
    }

    pub(crate) fn run(&mut self, command: &Command) -> Result<(), Refusal> {
        let txn = Azure.decide(&self.estate, command, self.now)?;
        let Ok(follow_ups) = self.estate.apply(txn) else {
            panic!("nobody else writes");
        };
        assert!(follow_ups.is_empty());
        Ok(())
    }

    /// A PUT without waiting.
    pub(crate) fn put(&mut self, kind: &str, names: &[&str], doc: Json) -> Result<(), Refusal> {
        self.put_unknown(kind, names, doc, &[])
    }

    pub(crate) fn put_unknown(
        &mut self,
        kind: &str,
        names: &[&str],
        doc: Json,
        unknown: &[&str],
    ) -> Result<(), Refusal> {
        self.run(&Command::Put(PutRequest {
            party: Party::Azure,
            kind: kind.into(),
            id: Some(id(kind, names)),
            name: (*names.last().unwrap()).to_owned(),
            parent: None,
            doc,
            unknown: unknown.iter().map(|u| (*u).to_owned()).collect(),
            origin: None,
        }))
    }

    /// A PUT that must pass, and all its consequences.
    pub(crate) fn make(&mut self, kind: &str, names: &[&str], doc: Json) {
        if let Err(refusal) = self.put(kind, names, doc) {
            panic!("{kind} {names:?}: {refusal} {:?}", refusal.rule);
        }
        self.settle();
    }

    pub(crate) fn delete(&mut self, kind: &str, names: &[&str]) -> Result<(), Refusal> {
        self.run(&Command::Delete {
            party: Party::Azure,
            id: id(kind, names),
        })
    }

    pub(crate) fn provider(&mut self, key: &str, action: ProviderAction) -> Result<(), Refusal> {
        self.run(&Command::Provider {
            service_key: key.to_owned(),
            action,
        })
    }

    /// Takes the next step that is due at any time; false when nothing is under way.
    pub(crate) fn advance(&mut self) -> bool {
        let Some(deadline) = self.estate.poll_timeout() else {
            return false;
        };
        self.now = self.now.max(deadline.at);
        let operation = self.estate.due(self.now).unwrap().clone();
        let txn = Azure.step(&self.estate, &operation, self.now);
        self.estate.apply(txn).unwrap();
        true
    }

    /// Lets time pass until nothing is under way.
    pub(crate) fn settle(&mut self) {
        for _ in 0..1000 {
            if !self.advance() {
                return;
            }
        }
        panic!(
            "operations never end: {:?}",
            self.estate.operations().next()
        );
    }

    pub(crate) fn get(&self, kind: &str, names: &[&str]) -> &Resource {
        let id = id(kind, names);
        let found = self.estate.resource(&id);
        found.unwrap_or_else(|| panic!("{id} is gone"))
    }

    pub(crate) fn exists(&self, kind: &str, names: &[&str]) -> bool {
        self.estate.resource(&id(kind, names)).is_some()
    }

    pub(crate) fn text(&self, kind: &str, names: &[&str], field: &str) -> String {
        let resource = self.get(kind, names);
        let text = resource.text(&format!("/properties/{field}"));
        text.unwrap_or("").to_owned()
    }

    /// Network `hub` 10.1.0.0/16 in East US with GatewaySubnet 10.1.255.0/27 and subnet `app` 10.1.1.0/24.
    pub(crate) fn hub(&mut self) {
        self.make(kinds::VNET, &["hub"], vnet(&["10.1.0.0/16"]));
        self.make(
            kinds::SUBNET,
            &["hub", "GatewaySubnet"],
            subnet("10.1.255.0/27"),
        );
        self.make(kinds::SUBNET, &["hub", "app"], subnet("10.1.1.0/24"));
    }

    pub(crate) fn gateway(&mut self, sku: &str) {
        self.make(kinds::GATEWAY, &["gw"], gateway("hub", sku));
    }

    /// A circuit `er` of Oracle in Washington DC, provisioned with its private peering.
    pub(crate) fn oracle_circuit(&mut self) {
        self.make(kinds::CIRCUIT, &["er"], circuit("Oracle Cloud FastConnect"));
        let key = self.text(kinds::CIRCUIT, &["er"], "serviceKey");
        self.provider(&key, ProviderAction::Begin).unwrap();
        let peering = Some(oracle_peering());
        self.provider(&key, ProviderAction::Provision { peering })
            .unwrap();
        self.settle();
    }

    pub(crate) fn connection(&mut self) {
        self.make(kinds::CONNECTION, &["link"], connection("gw", "er"));
    }
}

pub(crate) fn id(kind: &str, names: &[&str]) -> ResourceId {
    resource_id("sub", "rg", kind, names)
}

pub(crate) fn reference(kind: &str, names: &[&str]) -> Json {
    json!({"id": id(kind, names)})
}

pub(crate) fn vnet(ranges: &[&str]) -> Json {
    json!({"location": "eastus", "properties": {"addressSpace": {"addressPrefixes": ranges}}})
}

pub(crate) fn network_peering(remote: &str, flags: Json) -> Json {
    let mut doc = json!({"properties": flags});
    doc["properties"]["remoteVirtualNetwork"] = reference(kinds::VNET, &[remote]);
    doc
}

pub(crate) fn subnet(net: &str) -> Json {
    json!({"properties": {"addressPrefixes": [net]}})
}

pub(crate) fn gateway(network: &str, sku: &str) -> Json {
    let subnet = reference(kinds::SUBNET, &[network, "GatewaySubnet"]);
    json!({"location": "eastus", "properties": {
        "gatewayType": "ExpressRoute",
        "sku": {"name": sku, "tier": sku},
        "ipConfigurations": [{"name": "default", "properties": {"subnet": subnet}}],
    }})
}

pub(crate) fn circuit(provider: &str) -> Json {
    json!({
        "location": "East US",
        "sku": {"name": "Standard_MeteredData", "tier": "Standard", "family": "MeteredData"},
        "properties": {"serviceProviderProperties": {
            "serviceProviderName": provider,
            "peeringLocation": "Washington DC",
            "bandwidthInMbps": 1000,
        }},
    })
}

pub(crate) fn oracle_peering() -> Json {
    json!({
        "peerASN": 31898,
        "primaryPeerAddressPrefix": "10.255.0.0/30",
        "secondaryPeerAddressPrefix": "10.255.0.4/30",
        "vlanId": 133,
    })
}

pub(crate) fn peering() -> Json {
    json!({"properties": {
        "peeringType": "AzurePrivatePeering",
        "peerASN": 65010,
        "primaryPeerAddressPrefix": "192.168.100.128/30",
        "secondaryPeerAddressPrefix": "192.168.100.132/30",
        "vlanId": 200,
        "sharedKey": "Abc123",
    }})
}

pub(crate) fn connection(gateway: &str, circuit: &str) -> Json {
    json!({"location": "eastus", "properties": {
        "connectionType": "ExpressRoute",
        "virtualNetworkGateway1": reference(kinds::GATEWAY, &[gateway]),
        "peer": reference(kinds::CIRCUIT, &[circuit]),
        "routingWeight": 10,
    }})
}

pub(crate) fn nic(subnet: &[&str]) -> Json {
    json!({"location": "eastus", "properties": {"ipConfigurations": [{
        "name": "ip",
        "properties": {
            "subnet": reference(kinds::SUBNET, subnet),
            "privateIPAllocationMethod": "Dynamic",
        },
    }]}})
}
