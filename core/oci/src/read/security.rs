//! Security lists and network security groups.

use ipnet::{IpNet, Ipv4Net};
use serde_json::Value as Json;
use skybridge_estate::Resource;

use super::{Reader, items, name, text};
use crate::kinds;
use crate::model::{RulePeer, SecurityGroup, SecurityList, SecurityRule};
use crate::wish::touches;

impl Reader<'_> {
    pub(super) fn security_lists(&mut self) -> Vec<SecurityList> {
        let mut lists = Vec::new();
        for list in self.usable(kinds::SECURITY_LIST) {
            let mut rules = Vec::new();
            let fields = [
                ("ingressSecurityRules", "ingress_security_rules", true),
                ("egressSecurityRules", "egress_security_rules", false),
            ];
            for (field, words, ingress) in fields {
                for (i, rule) in items(list, &format!("/{field}")).iter().enumerate() {
                    let unknown = touches(&list.unknown, &format!("/{field}/{i}"));
                    let name = format!("{words}[{i}]");
                    rules.extend(self.rule(list, name, ingress, rule, unknown));
                }
            }
            lists.push(SecurityList {
                id: list.id.clone(),
                name: name(list),
                rules,
            });
        }
        lists
    }

    pub(super) fn security_groups(&mut self) -> Vec<SecurityGroup> {
        let all = self.usable(kinds::SECURITY_GROUP_RULE);
        let mut groups = Vec::new();
        for group in self.usable(kinds::SECURITY_GROUP) {
            let mut rules = Vec::new();
            for rule in all.iter().filter(|r| r.parent.as_ref() == Some(&group.id)) {
                let ingress = rule.text("/direction") == Some("INGRESS");
                let unknown = !rule.unknown.is_empty();
                rules.extend(self.rule(group, name(rule), ingress, &rule.doc, unknown));
            }
            groups.push(SecurityGroup {
                id: group.id.clone(),
                name: name(group),
                rules,
            });
        }
        groups
    }

    /// One rule; left out and named when its other end cannot be read. A rule that rests on a
    /// placeholder stays, marked, and matches everything the placeholder could stand for.
    fn rule(
        &mut self,
        owner: &Resource,
        name: String,
        ingress: bool,
        rule: &Json,
        unknown: bool,
    ) -> Option<SecurityRule> {
        let field = if ingress { "source" } else { "destination" };
        let other = text(rule, &format!("/{field}")).unwrap_or_default();
        let any = RulePeer::Cidr(IpNet::V4(Ipv4Net::default()));
        let peer = match text(rule, &format!("/{field}Type")) {
            Some("NETWORK_SECURITY_GROUP") => Some(RulePeer::Group(other.into())),
            Some("SERVICE_CIDR_BLOCK") => {
                self.gap(
                    owner,
                    format!("{name}: which public addresses {other} has is not known"),
                );
                Some(RulePeer::Service(other.to_owned()))
            }
            _ => other.parse().ok().map(RulePeer::Cidr),
        };
        let Some(peer) = peer.or_else(|| unknown.then_some(any)) else {
            self.gap(
                owner,
                format!("{name} is left out: its {field} cannot be read"),
            );
            return None;
        };
        let protocol = match rule.get("protocol") {
            Some(Json::String(p)) if p.eq_ignore_ascii_case("all") => None,
            Some(Json::String(p)) => p.parse().ok(),
            Some(p) => p.as_u64().and_then(|p| u8::try_from(p).ok()),
            None => None,
        };
        let range = |name: &str| {
            ["tcpOptions", "udpOptions"].iter().find_map(|options| {
                let range = rule.get(options)?.get(name)?;
                let port = |end: &str| u16::try_from(range.get(end)?.as_u64()?).ok();
                Some((port("min")?, port("max")?))
            })
        };
        let icmp = rule.get("icmpOptions").and_then(|options| {
            let number = |field: &str| u8::try_from(options.get(field)?.as_u64()?).ok();
            Some((number("type")?, number("code")))
        });
        Some(SecurityRule {
            name,
            ingress,
            stateless: rule.get("isStateless").and_then(Json::as_bool) == Some(true),
            protocol,
            source_ports: range("sourcePortRange"),
            destination_ports: range("destinationPortRange"),
            icmp,
            peer,
            unknown,
        })
    }
}
