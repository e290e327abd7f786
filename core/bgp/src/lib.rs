//! BGP-4 without input or output: codec, session state machine, tables and a speaker.
//!
//! [`Speaker`] is a [`skybridge_base::Machine`]: the driver dials, accepts, reads and writes; the
//! speaker says what and when. It reads no clock, opens no socket and draws randomness from a seed,
//! so that one seed and one list of inputs always give one list of outputs.
//!
//! # The loop
//!
//! 1. [`Speaker::add_peer`], [`Speaker::originate`] and the other named calls, or an [`Input`] to
//!    `handle_input`; `handle_timeout` when the deadline of `poll_timeout` has come.
//! 2. `poll_output` until `None`: carry out each [`Output`].
//! 3. Arm `poll_timeout`. A deadline of `now` (`"bgp table"`) means that work is left: decisions and
//!    export only happen in `handle_timeout`, after everything that was readable.
//!
//! Every call does bounded work: 64 messages per connection, 4,096 decisions per table, 4,096 prefixes
//! per peer's export. Exceptions, each linear in one peer's paths: the loss of a session, and a change
//! of its policies.
//!
//! # Layers
//!
//! [`message`] and [`attr`] read and write octets; faults in attributes follow RFC 7606. [`fsm`] is one
//! connection's state machine and, above it, the collision rule for a peer's two connections. `rib`
//! holds routes: attribute sets as canonical wire octets, shared and counted; prefixes (12 octets) and
//! paths (32 octets) in arenas linked by index. Adj-RIB-In is a prefix's list of paths; Adj-RIB-Out is
//! one bit per prefix and peer. [`policy`] decides per route.
//!
//! Update groups with a shared encoded log are not built: each peer's export is encoded for itself.
//! `speaker/export.rs` is the seam for them.
//!
//! # What it is not
//!
//! No route reflection, confederations, graceful restart (only its End-of-RIB marker), ADD-PATH,
//! extended messages, TCP MD5 or listening: the transport belongs to the driver. The interior cost of
//! a next hop is not compared.
//!
//! # Limits
//!
//! 65,535 peers; [`SpeakerConfig::paths_max`] paths, beyond which the peer that exceeds it is told 6/8
//! Out of Resources; prefix ceilings per peer. Received octets are buffered up to what the driver hands
//! in before the next timeout. While [`Input::Blocked`] says that a transport is full, export to that
//! peer stops and changes cost one bit each.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod attr;
pub mod fsm;
pub mod message;
pub mod policy;
mod rib;
mod speaker;
mod types;

pub use attr::Attributes;
pub use fsm::{ConnId, Negotiated, Reason, StateKind};
pub use message::Notification;
pub use policy::{Accept, Match, Policy, PrefixMatch, Rule, Verdict};
pub use rib::{LostBy, SourceRank};
pub use speaker::{
    AdvertisedRoute, BestPath, ConfigError, Counters, Export, FamilyCount, Import, Input,
    MaxPrefixes, NextHopMode, Originate, Output, PathView, PeerConfig, PeerId, PeerView,
    RejectReason, RouteStatus, RouteView, Source, Speaker, SpeakerConfig, TableId, Withheld,
};
pub use types::{
    AsPath, Community, Families, Family, LargeCommunity, Origin, Segment, SegmentKind,
};
