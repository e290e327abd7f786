//! Proofs on replayed twins: what a network survives, how long traffic is lost, and which timer decided.
//!
//! A [`Proof`] names a world by its command log and a time. Every case cuts one element (or two) of a
//! twin of its own, made by [`World::replay`](skybridge_world::World::replay), so that the original and
//! the other cases feel nothing. Loss is measured with probes through the twin's own packets:
//!
//! - Each pair is probed over [`FLOWS`] flows (ICMP identifiers), or by TCP connections from ever other
//!   ports, so that equal-cost paths are sampled; the worst flow counts. A probe needs its reply, so a
//!   loss in one direction counts.
//! - Loss is the time from the sending of the first lost probe to the sending of the first probe of the
//!   final unbroken run.
//! - Probes are sent every [`PROBE_INTERVAL`] after the cut and after every change that the twin reports
//!   (a session, route or link); while nothing changes, the interval grows to 250 ms. More flows than
//!   [`FLOWS_AT_FULL_RATE`] stretch all intervals; TCP is probed a fifth as often. What a loss could be
//!   too large by is stated with it.
//! - A case ends when probes are answered (or are known to stay lost), the sessions are those that the
//!   solver expects under the failure and nothing moves any more; after [`CASE_TIME_MAX`] at the latest.
//!
//! With `survives = 1` every single element ([`elements`]) is cut, link-down and silently. Whole circuits,
//! locations and providers are cut too where the claim has a bound for that class.
//!
//! What a proof is not: each cut falls at one moment of the keepalives' phase, so a loss that a hold or
//! detection timer decided may be longer by up to one keepalive or BFD interval. The timer is named with
//! its full value for that reason. Random loss of links is switched off in twins: an outage could not be
//! told from it.
//!
//! Limits: [`CASE_TIME_MAX`] of virtual time for a case, [`DOUBLE_CUTS_MAX`] combinations of two elements
//! (beyond, a claim that nothing refuted is unknown), [`REPLAY_STEPS_MAX`] steps of history (beyond, twins
//! start from a fresh world of the same blueprint and cuts that has settled).
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod claim;
mod detail;
mod elements;
mod probe;
mod prove;
mod timer;
mod trial;
mod twin;

pub use claim::{Case, Claim, ElementClass, Pair, Proof, ProofResult, Within};
pub use elements::elements;
pub use probe::{FLOWS, FLOWS_AT_FULL_RATE, PROBE_INTERVAL};
pub use prove::{DOUBLE_CUTS_MAX, failover_table, prove};
pub use trial::CASE_TIME_MAX;
pub use twin::{REPLAY_STEPS_MAX, failures};
