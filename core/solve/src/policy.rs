//! Route policies.

use ipnet::IpNet;
use skybridge_blueprint::{PolicyAction, PolicyMatch, PrefixMatch, RoutePolicy, SourceTag};

/// What an accepting policy changes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) local_pref: Option<u32>,
    pub(crate) prepend: u8,
    pub(crate) add_communities: Vec<u32>,
}

/// The changes to make; `None` when the route is refused.
pub(crate) fn judge(policy: &RoutePolicy, prefix: IpNet, tag: SourceTag) -> Option<Changes> {
    let rule = policy.rules.iter().find(|r| fits(&r.matches, prefix, tag));
    match rule.map(|rule| &rule.action) {
        Some(PolicyAction::Accept {
            local_pref,
            prepend,
            add_communities,
        }) => Some(Changes {
            local_pref: *local_pref,
            prepend: *prepend,
            add_communities: add_communities.clone(),
        }),
        Some(PolicyAction::Reject { .. }) => None,
        None => policy.default_accept.then(Changes::default),
    }
}

fn fits(conditions: &PolicyMatch, prefix: IpNet, tag: SourceTag) -> bool {
    let under = |m: &PrefixMatch| {
        m.net.contains(&prefix) && (m.len_min..=m.len_max).contains(&prefix.prefix_len())
    };
    (conditions.prefixes.is_empty() || conditions.prefixes.iter().any(under))
        && (conditions.source_tags.is_empty() || conditions.source_tags.contains(&tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use skybridge_blueprint::PolicyRule;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let reject = PolicyRule {
            matches: PolicyMatch {
                prefixes: vec![PrefixMatch {
                    net: net("10.0.0.0/8"),
                    len_min: 9,
                    len_max: 16,
                }],
                source_tags: vec![3],
            },
            action: PolicyAction::Reject {
                reason: String::new(),
            },
        };
        let policy = RoutePolicy {
            rules: vec![reject],
            default_accept: true,
        };
        assert_eq!(judge(&policy, net("10.1.0.0/16"), 3), None);
        assert!(judge(&policy, net("10.1.0.0/16"), 4).is_some());
        assert!(judge(&policy, net("10.0.0.0/8"), 3).is_some());
        assert!(judge(&policy, net("10.1.1.0/24"), 3).is_some());
        assert!(judge(&policy, net("11.1.0.0/16"), 3).is_some());
        assert!(judge(&policy, net("fd00::/16"), 3).is_some());
    }
}
