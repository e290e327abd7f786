//! What failures cost.

use serde::{Deserialize, Serialize};

/// How long traffic between two hosts is lost, by what fails and how; on a twin, in virtual time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FailoverReport {
    /// One host.
    pub from: String,
    /// The other.
    pub to: String,
    /// BFD sessions that are up on the network as it is.
    pub bfd_sessions_up: u32,
    /// One per element that can fail.
    pub rows: Vec<FailoverRow>,
}

/// An element and what each way of failing costs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FailoverRow {
    /// What fails.
    pub element: String,
    /// `link`, `router` or `gateway`.
    pub class: String,
    /// One per mode that it can fail in.
    pub cases: Vec<FailoverCase>,
}

/// One way of failing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FailoverCase {
    /// `link-down`, `silent` or `admin`.
    pub mode: String,
    /// From the first lost probe to the first of the final unbroken run; 0 when nothing was lost.
    pub loss_ms: u64,
    /// How much too large `loss_ms` may be.
    pub resolution_ms: u64,
    /// Traffic flowed in the end; else `loss_ms` only counts how long was waited.
    pub recovered: bool,
    /// What decided, such as `BFD detection (900 ms)`.
    pub decided_by: String,
}
