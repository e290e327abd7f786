//! The tables: attribute arena, nets and paths, decision.

mod attrs;
mod best;
mod bits;
mod index;
mod table;

pub use best::{LostBy, SourceRank};

pub(crate) use attrs::{AttrId, AttrStore, LOCAL_PREF_DEFAULT, Route};
pub(crate) use best::{Candidate, decide};
pub(crate) use bits::Bits;
pub(crate) use table::{LOCAL, Offer, Table};
