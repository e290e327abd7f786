//! From the description's policies to the speaker's.

use skybridge_bgp as bgp;
use skybridge_bgp::{Community, Reason};
use skybridge_blueprint as blueprint;
use skybridge_blueprint::PolicyAction;

/// The speaker's reasons are fixed texts; a refusing rule gets one of these, and the text that people
/// see is found under its number. Rules beyond share the last.
const LABELS: [&str; 64] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
    "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31", "32",
    "33", "34", "35", "36", "37", "38", "39", "40", "41", "42", "43", "44", "45", "46", "47", "48",
    "49", "50", "51", "52", "53", "54", "55", "56", "57", "58", "59", "60", "61", "62", "63",
];
/// What a policy refuses when no rule matched.
const NOT_ACCEPTED: &str = "no policy rule accepts it";

/// The texts behind [`LABELS`], for one instance.
#[derive(Debug, Default)]
pub(super) struct Reasons(Vec<String>);

impl Reasons {
    fn label(&mut self, text: &str) -> &'static str {
        let known = self.0.iter().position(|t| t == text);
        let at = known.unwrap_or_else(|| {
            if self.0.len() < LABELS.len() {
                self.0.push(text.to_owned());
            }
            self.0.len() - 1
        });
        LABELS[at]
    }

    pub(super) fn text<'a>(&'a self, label: &'a str) -> &'a str {
        let at = label.parse::<usize>().ok();
        at.and_then(|at| self.0.get(at))
            .map_or(label, String::as_str)
    }

    pub(super) fn policy(&mut self, policy: &blueprint::RoutePolicy) -> bgp::Policy {
        let rules = policy.rules.iter().map(|rule| bgp::Rule {
            matches: bgp::Match {
                prefixes: rule.matches.prefixes.iter().map(prefix_match).collect(),
                source_tags: rule.matches.source_tags.clone(),
                ..bgp::Match::default()
            },
            action: self.action(&rule.action),
        });
        bgp::Policy {
            rules: rules.collect(),
            default: if policy.default_accept {
                bgp::Verdict::Accept(bgp::Accept::default())
            } else {
                bgp::Verdict::Reject {
                    reason: NOT_ACCEPTED,
                }
            },
        }
    }

    fn action(&mut self, action: &PolicyAction) -> bgp::Verdict {
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
                reason: self.label(reason),
            },
        }
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
