//! `diagnose FROM TO`: some seconds of real probes on the running network, then a judgement of what was
//! seen.
//!
//! The judgement is `skybridge_diagnose`'s, on [`skybridge_diagnose::Observations`] and on nothing else.
//! What is gathered here is what an operator of these networks could look at: documents, ports, ARP,
//! sessions, routes, counters, captures at ports, and hops of probes. The world's list of cuts and tag
//! faults is never read: then the proof of the diagnosis (docs/diagnose.md) would prove nothing.
//!
//! | file | does |
//! |---|---|
//! | `target.rs` | what is aimed at: a host, or an address behind routers of the user's own |
//! | `paths.rs` | which neighbours lie between the ends, by documents |
//! | `watch.rs` | the seconds of probes: captures at every port on the way, echo requests between neighbours, probes between the hosts |
//! | `carried.rs` | frames sent at one port and seen at the other |
//! | `see.rs` | observations from all of it |
//! | `attached.rs` | routers of the user's own, as their ports show them |
//! | `sessions.rs` | BGP and BFD as their ends see them |
//! | `places.rs` | where what was found is written |

mod attached;
mod carried;
mod paths;
mod places;
mod see;
mod sessions;
mod target;
mod watch;

pub(crate) use watch::Watch;
