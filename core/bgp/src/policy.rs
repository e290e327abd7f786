//! Routing policy: an ordered list of rules, the first match decides.

use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::IpNet;

use crate::attr::Attributes;
use crate::types::{AsPath, Community, Family};

/// An ordered list of rules; the first that matches decides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// The rules in order.
    pub rules: Vec<Rule>,
    /// The action when no rule matches.
    pub default: Verdict,
}

impl Policy {
    /// Accepts everything unchanged.
    #[must_use]
    pub fn accept_all() -> Self {
        Self {
            rules: Vec::new(),
            default: Verdict::Accept(Accept::default()),
        }
    }

    /// Rejects everything for `reason`.
    #[must_use]
    pub fn reject_all(reason: impl Into<Arc<str>>) -> Self {
        Self {
            rules: Vec::new(),
            default: Verdict::Reject {
                reason: reason.into(),
            },
        }
    }

    /// The action for a route. `tag` is its source tag.
    #[must_use]
    pub fn evaluate(&self, net: &IpNet, tag: u32, attributes: &Attributes) -> &Verdict {
        self.verdict(self.find(net, tag, attributes))
    }

    /// Index of the deciding rule; the number of rules stands for the default.
    pub(crate) fn find(&self, net: &IpNet, tag: u32, attributes: &Attributes) -> usize {
        self.rules
            .iter()
            .position(|r| r.matches.matches(net, tag, attributes))
            .unwrap_or(self.rules.len())
    }

    pub(crate) fn verdict(&self, index: usize) -> &Verdict {
        self.rules.get(index).map_or(&self.default, |r| &r.action)
    }
}

/// Conditions and what follows from them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// All of these must hold.
    pub matches: Match,
    /// What happens then.
    pub action: Verdict,
}

/// Conditions that must all hold; an empty list or `None` is no condition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Match {
    /// One of these prefixes.
    pub prefixes: Vec<PrefixMatch>,
    /// One of these source tags.
    pub source_tags: Vec<u32>,
    /// None of these source tags.
    pub not_source_tags: Vec<u32>,
    /// At least one of these communities.
    pub communities: Vec<Community>,
    /// This family.
    pub family: Option<Family>,
    /// At least one AS number of the path in one of these ranges.
    pub as_path_any: Vec<RangeInclusive<u32>>,
}

impl Match {
    /// True when every condition holds.
    #[must_use]
    pub fn matches(&self, net: &IpNet, tag: u32, attributes: &Attributes) -> bool {
        let any_asn = |path: &AsPath| {
            path.iter()
                .any(|a| self.as_path_any.iter().any(|r| r.contains(&a.0)))
        };
        self.family.is_none_or(|f| f == Family::of(net))
            && (self.source_tags.is_empty() || self.source_tags.contains(&tag))
            && !self.not_source_tags.contains(&tag)
            && (self.prefixes.is_empty() || self.prefixes.iter().any(|p| p.matches(net)))
            && (self.communities.is_empty()
                || self
                    .communities
                    .iter()
                    .any(|c| attributes.communities.contains(c)))
            && (self.as_path_any.is_empty() || any_asn(&attributes.as_path))
    }
}

/// A prefix, or those inside it of certain lengths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PrefixMatch {
    /// The covering prefix.
    pub net: IpNet,
    /// Shortest length matched.
    pub ge: u8,
    /// Longest length matched.
    pub le: u8,
}

impl PrefixMatch {
    /// Exactly `net`.
    #[must_use]
    pub fn exact(net: IpNet) -> Self {
        Self {
            net,
            ge: net.prefix_len(),
            le: net.prefix_len(),
        }
    }

    /// `net` and everything inside it.
    #[must_use]
    pub fn or_longer(net: IpNet) -> Self {
        Self {
            net,
            ge: net.prefix_len(),
            le: Family::of(&net).bits(),
        }
    }

    /// True when `net` is inside the prefix and of a length from `ge` to `le`.
    #[must_use]
    pub fn matches(&self, net: &IpNet) -> bool {
        (self.ge..=self.le).contains(&net.prefix_len()) && self.net.contains(net)
    }
}

/// What a policy decides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The route passes, changed as said.
    Accept(Accept),
    /// The route stops here.
    Reject {
        /// A short text for explanations.
        reason: Arc<str>,
    },
}

/// Changes to a route that passes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Accept {
    /// Replaces LOCAL_PREF.
    pub set_local_pref: Option<u32>,
    /// Replaces MED; on export it is sent to external peers as well.
    pub set_med: Option<u32>,
    /// Replaces the weight, compared before everything else and never sent (import only).
    pub set_weight: Option<u32>,
    /// Replaces the source tag (import only).
    pub set_tag: Option<u32>,
    /// On export to external peers our own AS this many times more; on import the neighbouring AS
    /// again so many times.
    pub prepend: u8,
    /// Communities to add.
    pub add_communities: Vec<Community>,
    /// Communities to take away before adding.
    pub remove_communities: Vec<Community>,
}

impl Accept {
    /// Applies everything but weight and tag, which are not attributes.
    pub(crate) fn apply(&self, attributes: &mut Attributes, prepend: Option<skybridge_base::Asn>) {
        if self.set_local_pref.is_some() {
            attributes.local_pref = self.set_local_pref;
        }
        if self.set_med.is_some() {
            attributes.med = self.set_med;
        }
        if let Some(asn) = prepend {
            attributes.as_path.prepend(asn, usize::from(self.prepend));
        }
        if !self.remove_communities.is_empty() {
            attributes
                .communities
                .retain(|c| !self.remove_communities.contains(c));
        }
        if !self.add_communities.is_empty() {
            attributes
                .communities
                .extend_from_slice(&self.add_communities);
            attributes.communities.sort_unstable();
            attributes.communities.dedup();
        }
    }
}
