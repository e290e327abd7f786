//! What a stack has made: the state between one apply and the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use skybridge_hcl::{Spans, Value};

use crate::address::Address;

/// The state of a stack. It can be stored with serde.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StackState {
    /// Every instance that exists, data sources included.
    pub instances: BTreeMap<Address, InstanceState>,
    /// The outputs of the root module.
    pub outputs: BTreeMap<String, OutputState>,
    /// Instances that were replaced and whose deletion failed: the next apply tries again.
    pub deposed: Vec<(Address, InstanceState)>,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceState {
    /// Its type.
    pub ty: String,
    /// Its provider (`azurerm.hub`, after the module path if it is not the root's).
    pub provider: String,
    /// All its attributes.
    pub attributes: Value,
    /// The instances it was made from; it goes before them.
    pub dependencies: Arc<Vec<Address>>,
    /// Whether nobody models it: its computed attributes are placeholders.
    pub placeholder: bool,
    /// Whether its creation ended in failure: the next apply makes it anew.
    #[serde(default)]
    pub tainted: bool,
    /// Where its arguments were written.
    pub spans: Spans,
}

/// One output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputState {
    /// Its value.
    pub value: Value,
    /// Whether it is declared sensitive.
    pub sensitive: bool,
}
