//! Terraform directories: configuration, variables, modules, provider schemas, reference graph,
//! and plan and apply as a pure state machine.
//!
//! ```text
//! let (stack, said) = Stack::load(files, ".", &inputs, schemas)?;
//! let mut apply = Apply::new(Arc::new(stack), prior);
//! while !apply.is_done() {
//!     while let Some(action) = apply.poll_action() { /* hand it to the cloud */ }
//!     /* apply.complete(id, attributes) or apply.fail(id, diagnostic) per result */
//! }
//! let result = apply.finish();
//! ```
//!
//! Core reads nothing: files come through [`skybridge_hcl::Files`], the environment and the command
//! line through [`VariableInputs`].
//!
//! Limits, and what happens there:
//! - modules nest 32 deep and are at most 1,000; a block has at most 10,000 instances, a stack 100,000 of
//!   modules and resources together; a `dynamic` block makes 10,000 blocks: an error beyond;
//! - a value that is kept nests 32 deep and holds a million values, and all of a stack need 512 MiB: an error
//!   beyond;
//! - a document has 100,000 instances and its modules nest 64 deep: what is beyond is left out.
//!
//! Not here: provisioners and connections (read, without effect), refresh.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a rule is about some kinds of value or expression and treats all others alike"
)]

mod action;
mod address;
mod apply;
mod body;
mod build;
mod builtin;
pub mod config;
mod depose;
mod diff;
mod endpoint;
mod expand;
mod graph;
mod imports;
mod json;
mod lab;
mod limits;
mod load;
mod moves;
mod odds;
mod outcome;
mod overrides;
mod placeholder;
mod providers;
mod random;
mod reason;
mod refactor;
mod said;
pub mod schema;
mod scope;
mod show;
mod stack;
mod state;
mod unmodelled;
mod variables;
mod versions;
mod walk;

pub use action::{Action, ActionId, Target};
pub use address::{Address, InstanceKey, Mode, ModuleStep, ParseAddressError};
pub use apply::Apply;
pub use lab::StackScope;
pub use load::load;
pub use odds::settings_at_odds;
pub use outcome::{ApplyResult, AsPlanned, Change, NotModelled, PlannedInstance};
pub use placeholder::placeholder_attributes;
pub use reason::Reason;
pub use schema::{Category, Schemas};
pub use show::is_document;
pub use stack::{DOCUMENT_FILE, Stack};
pub use state::{InstanceState, OutputState, StackState};
pub use variables::{VariableArgument, VariableInputs};
