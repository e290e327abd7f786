//! From the description's policies to the speaker's.

use skybridge_bgp as bgp;
use skybridge_bgp::{Community, Reason};
use skybridge_blueprint as blueprint;
use skybridge_blueprint::PolicyAction;

/// What a policy refuses when no rule matched.
const NOT_ACCEPTED: &str = "no policy rule accepts it";

/// A policy as the speaker takes it.
pub(super) fn policy(policy: &blueprint::RoutePolicy) -> bgp::Policy {
    let rules = policy.rules.iter().map(|rule| bgp::Rule {
        matches: bgp::Match {
            prefixes: rule.matches.prefixes.iter().map(prefix_match).collect(),
            source_tags: rule.matches.source_tags.clone(),
            ..bgp::Match::default()
        },
        action: action(&rule.action),
    });
    bgp::Policy {
        rules: rules.collect(),
        default: if policy.default_accept {
            bgp::Verdict::Accept(bgp::Accept::default())
        } else {
            bgp::Verdict::Reject {
                reason: NOT_ACCEPTED.into(),
            }
        },
    }
}

fn action(action: &PolicyAction) -> bgp::Verdict {
    match action {
        PolicyAction::Accept {
            local_pref,
            prepend,
            add_communities,
        } => bgp::Verdict::Accept(bgp::Accept {
            set_local_pref: *local_pref,
            prepend: *prepend,
            add_communities: add_communities.iter().copied().map(Community).collect(),
            ..bgp::Accept::default()
        }),
        PolicyAction::Reject { reason } => bgp::Verdict::Reject {
            reason: reason.as_str().into(),
        },
    }
}

const fn prefix_match(m: &blueprint::PrefixMatch) -> bgp::PrefixMatch {
    bgp::PrefixMatch {
        net: m.net,
        ge: m.len_min,
        le: m.len_max,
    }
}

/// A reason in words.
pub(super) fn reason_text(reason: &Reason) -> String {
    match reason {
        Reason::Started => "started".to_owned(),
        Reason::RetryTimer => "connect retry timer expired".to_owned(),
        Reason::TcpConnected => "TCP connected".to_owned(),
        Reason::TcpFailed => "TCP connection failed".to_owned(),
        Reason::TcpClosed => "TCP connection closed".to_owned(),
        Reason::OpenReceived => "OPEN received".to_owned(),
        Reason::KeepaliveReceived => "KEEPALIVE received".to_owned(),
        Reason::HoldTimerExpired => "hold timer expired".to_owned(),
        Reason::NotificationReceived(n) => format!("notification received: {n}"),
        Reason::NotificationSent(n) => format!("notification sent: {n}"),
        Reason::AdminDown => "administratively down".to_owned(),
        Reason::AdminReset => "administrative reset".to_owned(),
        Reason::PeerRemoved => "peer removed".to_owned(),
        Reason::BfdDown => "BFD down".to_owned(),
        Reason::CollisionLost => "lost the connection collision".to_owned(),
        Reason::MaxPrefixes { family, limit } => {
            format!("more than {limit} {family} prefixes received")
        }
        Reason::OutOfResources => "out of resources".to_owned(),
    }
}
