//! What can be asked of an estate.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{Kind, Origin, ResourceId};

/// Who decides a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// Azure's control plane.
    Azure,
    /// OCI's control plane.
    Oci,
}

/// A request to the estate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Create a resource, or change the one with the same id.
    Put(PutRequest),
    /// Delete a resource.
    Delete {
        /// Whose.
        party: Party,
        /// Which.
        id: ResourceId,
    },
    /// The connectivity provider does something to the circuit with this service key.
    Provider {
        /// The circuit's service key.
        service_key: String,
        /// What.
        action: ProviderAction,
    },
}

impl Command {
    /// Who decides it. Circuits are Azure's, so the provider acts there.
    #[must_use]
    pub const fn party(&self) -> Party {
        match self {
            Self::Put(put) => put.party,
            Self::Delete { party, .. } => *party,
            Self::Provider { .. } => Party::Azure,
        }
    }
}

/// Create or change a resource.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PutRequest {
    /// Whose.
    pub party: Party,
    /// Its type.
    pub kind: Kind,
    /// Its id: always for ARM, which lets clients choose; in OCI only to change what exists.
    pub id: Option<ResourceId>,
    /// Its (display) name.
    pub name: String,
    /// What it is nested in.
    pub parent: Option<ResourceId>,
    /// The document in the cloud's own API form.
    pub doc: Json,
    /// JSON pointers into `doc` that hold placeholders.
    pub unknown: BTreeSet<String>,
    /// Where it comes from.
    pub origin: Option<Origin>,
}

/// What a connectivity provider does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderAction {
    /// Begin provisioning: the circuit goes to `Provisioning`.
    Begin,
    /// Finish provisioning: the circuit goes to `Provisioned`. A provider that manages layer 3 sets up the
    /// private peering too (`peering`: the ARM properties of the peering).
    Provision {
        /// ARM properties of the private peering, when the provider makes it.
        peering: Option<Json>,
    },
    /// Remove the peering that the provider made and go to `NotProvisioned`.
    Deprovision,
    /// Refuse: the circuit goes back to `NotProvisioned`.
    Reject,
}

/// Why a cloud refuses a request: what its API would answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The API's error code, such as `AnotherOperationInProgress`.
    pub code: &'static str,
    /// The HTTP status that carries it.
    pub status: u16,
    /// The message.
    pub message: String,
    /// JSON pointer into the document, when one field is at fault.
    pub pointer: Option<String>,
    /// The rule, by its name in the rule table.
    pub rule: Option<&'static str>,
    /// Another operation is in the way: the same request may pass later.
    pub retryable: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.code, self.status, self.message)
    }
}

impl std::error::Error for Refusal {}
