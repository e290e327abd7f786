//! What is to be proved, and what came out.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use skybridge_base::Instant;
use skybridge_blueprint::NodeName;
use skybridge_world::{CommandLog, CutMode, Element};

/// A world at a time, and what is claimed of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// What the world was told; a twin is its replay.
    pub log: CommandLog,
    /// How far twins are replayed. A twin whose sessions are still coming up is given
    /// [`crate::CASE_TIME_MAX`] to settle first.
    pub at: Instant,
    /// The claims.
    pub claims: Vec<Claim>,
}

/// Something that should hold whatever breaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The expectation's name.
    pub name: String,
    /// Who reaches whom; all of them must.
    pub pairs: Vec<Pair>,
    /// The TCP port that must accept; `None` is an ICMP echo.
    pub tcp: Option<u16>,
    /// False when the pairs must never reach each other.
    pub reachable: bool,
    /// How many elements may fail at once: 0, 1 or 2.
    pub survives: u8,
    /// How long traffic may be lost.
    pub within: Within,
}

/// A host and an address it reaches.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Pair {
    /// The sending host.
    pub from: NodeName,
    /// The host that has the address, for people.
    pub to: NodeName,
    /// The address.
    pub address: IpAddr,
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {} ({})", self.from, self.to, self.address)
    }
}

/// How long traffic may be lost, by what was cut. Without a bound it must come back at all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Within {
    /// For classes without a bound of their own.
    pub default: Option<Duration>,
    /// By class.
    pub by_class: BTreeMap<ElementClass, Duration>,
}

impl Within {
    /// The bound for a cut of `class`.
    #[must_use]
    pub fn allowed(&self, class: ElementClass) -> Option<Duration> {
        self.by_class.get(&class).copied().or(self.default)
    }
}

/// Kinds of elements, as lab files name them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ElementClass {
    /// A cross-connect or a link inside a backbone.
    Link,
    /// A port. A port that fails is its link that fails, so sweeps cut links only.
    Port,
    /// A physical router: MSEE, FastConnect edge, customer or provider edge.
    Router,
    /// An instance of a virtual network gateway.
    Gateway,
    /// A circuit with both its legs.
    Circuit,
    /// Everything at one place.
    Location,
    /// Everything of one provider.
    Provider,
}

impl ElementClass {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Link,
        Self::Port,
        Self::Router,
        Self::Gateway,
        Self::Circuit,
        Self::Location,
        Self::Provider,
    ];

    /// The name in lab files and reports.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Port => "port",
            Self::Router => "router",
            Self::Gateway => "gateway",
            Self::Circuit => "circuit",
            Self::Location => "location",
            Self::Provider => "provider",
        }
    }

    /// The class of this name.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.label() == label)
    }
}

impl fmt::Display for ElementClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

/// What became of a claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProofResult {
    /// The claim's name.
    pub name: String,
    /// `None` when it could not be decided; the detail says why.
    pub holds: Option<bool>,
    /// A sentence: the worst loss when it holds, else each failing case with what was cut, the loss and
    /// the timer that decided.
    pub detail: String,
    /// Every cut that was tried, in order.
    pub cases: Vec<Case>,
}

/// One cut and what it did to the pair that suffered most.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// What was cut, at the same moment.
    pub cut: Vec<Element>,
    /// The same for people.
    pub label: String,
    /// The class of what was cut; of two, the one whose bound is the longer.
    pub class: ElementClass,
    /// How it was cut.
    pub mode: CutMode,
    /// The pair, where the loss was the longest.
    pub pair: String,
    /// From the first lost probe to the first of the final unbroken run; until the end of the case when
    /// there is no such run.
    pub loss: Duration,
    /// How much too large `loss` may be: the interval of the probes when traffic came back.
    pub resolution: Duration,
    /// Traffic flowed at the end.
    pub recovered: bool,
    /// What decided: `link down seen`, `BFD detection (900 ms)`, `BGP hold timer (30 s)` with the session
    /// on which it fired; `no loss` or `never recovered`.
    pub timer: String,
    /// The bound that applied.
    pub allowed: Option<Duration>,
    /// The claim held in this case.
    pub ok: bool,
}
