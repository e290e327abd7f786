//! ARP and routes of the private peering, per path, in the columns of the clouds' own tools
//! (expressroute-troubleshooting-arp, `az network express-route list-route-tables`).

use std::time::Duration;

use skybridge_base::MacAddr;
use skybridge_bgp::RouteStatus;
use skybridge_nodes::{BgpPathObservation, SessionState};

use crate::document::{ArpRow, ArpTable, RouteRow, RouteSummaryRow, RouteSummaryTable, RouteTable};
use crate::lab::Lab;
use crate::show::ShownLeg;
use crate::show::sessions::state_words;

/// ARP per leg, as the MSEE sees it: the customer's row, then Microsoft's own.
pub(crate) fn arp(lab: &Lab, legs: &[ShownLeg<'_>]) -> Vec<ArpTable> {
    legs.iter()
        .map(|leg| {
            let router = lab.network.world.router(&leg.index.node);
            let rows = router.map(|r| r.neighbours(lab.now)).unwrap_or_default();
            let mut entries: Vec<ArpRow> = rows
                .into_iter()
                .filter(|row| row.interface == leg.index.interface)
                .map(|row| ArpRow {
                    age: row.age.as_secs() / 60,
                    interface_property: if row.is_own { "Microsoft" } else { "On-Prem" }.to_owned(),
                    ip_address: row.address.to_string(),
                    mac_address: row.mac.map_or_else(|| "Incomplete".to_owned(), cisco_mac),
                })
                .collect();
            entries.sort_by(|a, b| b.interface_property.cmp(&a.interface_property));
            ArpTable {
                circuit: leg.circuit.to_owned(),
                path: leg.leg.label().to_owned(),
                entries,
            }
        })
        .collect()
}

/// `0200.0000.0001`.
fn cisco_mac(mac: MacAddr) -> String {
    let [a, b, c, d, e, f] = mac.0;
    format!("{a:02x}{b:02x}.{c:02x}{d:02x}.{e:02x}{f:02x}")
}

/// Routes per leg, as the MSEE sees them.
pub(crate) fn routes(lab: &Lab, legs: &[ShownLeg<'_>]) -> Vec<RouteTable> {
    legs.iter()
        .map(|leg| {
            let router = lab.network.world.router(&leg.index.node);
            let routes = router
                .map(|r| r.bgp_routes(&leg.index.instance, &leg.index.vrf))
                .unwrap_or_default();
            RouteTable {
                circuit: leg.circuit.to_owned(),
                path: leg.leg.label().to_owned(),
                entries: routes
                    .iter()
                    .flat_map(|route| {
                        route
                            .paths
                            .iter()
                            .map(|path| row(route.prefix.to_string(), path))
                    })
                    .collect(),
            }
        })
        .collect()
}

fn row(network: String, path: &BgpPathObservation) -> RouteRow {
    let used = matches!(path.status, RouteStatus::Best | RouteStatus::Multipath);
    RouteRow {
        network,
        next_hop: (path.attributes.next_hop).map_or_else(String::new, |n| n.to_string()),
        loc_prf: String::new(),
        weight: 0,
        path: path.attributes.as_path.to_string(),
        best: used,
        lost_by: (!used).then(|| status_words(path)),
    }
}

/// Why a path is not in use, in words.
pub(crate) fn status_words(path: &BgpPathObservation) -> String {
    match (&path.status, &path.refused) {
        (_, Some(reason)) => reason.clone(),
        (RouteStatus::Best, None) => "best".to_owned(),
        (RouteStatus::Multipath, None) => "used beside the best".to_owned(),
        (RouteStatus::Lost(by), None) => {
            format!("lost by {}", crate::probe::reason_words(&format!("{by:?}")))
        }
        (RouteStatus::Rejected(why), None) => crate::probe::reason_words(&format!("{why:?}")),
    }
}

/// Neighbours per leg: the customer and the gateway instances.
pub(crate) fn summary(lab: &Lab, legs: &[ShownLeg<'_>]) -> Vec<RouteSummaryTable> {
    legs.iter()
        .map(|leg| {
            let router = lab.network.world.router(&leg.index.node);
            let peers = router.map(|r| r.bgp()).unwrap_or_default();
            RouteSummaryTable {
                circuit: leg.circuit.to_owned(),
                path: leg.leg.label().to_owned(),
                entries: peers
                    .into_iter()
                    .filter(|p| p.instance == leg.index.instance)
                    .map(|peer| RouteSummaryRow {
                        neighbor: peer.remote.to_string(),
                        v: 4,
                        asn: peer.remote_asn.0,
                        up_down: up_down(lab.now.since(peer.since)),
                        state_pfx_rcd: if peer.state == SessionState::Established {
                            peer.prefixes_received.to_string()
                        } else {
                            state_words(peer.state).to_owned()
                        },
                    })
                    .collect(),
            }
        })
        .collect()
}

/// A time as routers print it: `00:01:07`, `1d02h`, `8w4d`.
fn up_down(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if days >= 7 {
        format!("{}w{}d", days / 7, days % 7)
    } else if days >= 1 {
        format!("{days}d{:02}h", hours % 24)
    } else {
        format!("{hours:02}:{:02}:{:02}", minutes % 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_as_routers_print_them() {
        assert_eq!(up_down(Duration::from_secs(67)), "00:01:07");
        assert_eq!(up_down(Duration::from_secs(26 * 3600)), "1d02h");
        assert_eq!(up_down(Duration::from_secs(60 * 86_400)), "8w4d");
    }

    #[test]
    fn mac_addresses_print_in_dotted_quads_of_hex() {
        assert_eq!(
            cisco_mac(MacAddr([0xff, 0xff, 0xee, 0xee, 0xdd, 0xdd])),
            "ffff.eeee.dddd"
        );
    }
}
