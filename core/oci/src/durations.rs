//! How long OCI takes (data/lifecycles.csv).

use std::time::Duration;

use skybridge_catalogue::{LifecycleOp, catalogue};
use skybridge_estate::OperationKind;

/// How long `operation` takes on a kind in the real cloud.
#[must_use]
pub(crate) fn duration(kind: &str, operation: OperationKind) -> Duration {
    let operation = match operation {
        OperationKind::Create => LifecycleOp::Create,
        OperationKind::Update => LifecycleOp::Update,
        OperationKind::Delete => LifecycleOp::Delete,
        OperationKind::Provider => LifecycleOp::Provider,
    };
    catalogue().lifecycle(kind, operation)
}

/// How long a client waits for the provider before it gives up: "default operation timeout in tooling
/// 20 min" (facts: FastConnect, states).
pub(crate) const PROVIDER_WAIT: Duration = Duration::from_secs(20 * 60);
