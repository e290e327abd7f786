//! One running estate with its stacks and its world: the machine behind every front door.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod document;
pub mod request;
