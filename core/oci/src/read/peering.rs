//! Peerings of VCNs and DRGs, and IPsec tunnels.

use skybridge_estate::{Resource, ResourceId};

use super::{Reader, items, name};
use crate::decide::peering::end_of;
use crate::kinds;
use crate::model::{LocalPeering, PeeringEnd, RemotePeering, Tunnel};
use crate::wish::touches;

impl Reader<'_> {
    pub(super) fn local_peerings(&mut self) -> Vec<LocalPeering> {
        let mut out = Vec::new();
        for gateway in self.usable(kinds::LOCAL_PEERING_GATEWAY) {
            let Some(vcn) = gateway.parent.clone() else {
                continue;
            };
            if touches(&gateway.unknown, "/routeTableId") {
                self.gap(gateway, "its route table is not known");
            }
            out.push(LocalPeering {
                id: gateway.id.clone(),
                name: name(gateway),
                vcn,
                end: self.end(gateway),
                route_table: gateway.text("/routeTableId").map(ResourceId::from),
            });
        }
        out
    }

    pub(super) fn remote_peerings(&mut self) -> Vec<RemotePeering> {
        let mut out = Vec::new();
        for connection in self.usable(kinds::REMOTE_PEERING) {
            let Some(drg) = connection.parent.clone() else {
                continue;
            };
            out.push(RemotePeering {
                id: connection.id.clone(),
                name: name(connection),
                drg,
                end: self.end(connection),
            });
        }
        out
    }

    fn end(&mut self, peering: &Resource) -> PeeringEnd {
        if touches(&peering.unknown, "/peerId") {
            self.gap(peering, "what it is peered with is not known");
            return PeeringEnd::Elsewhere;
        }
        match end_of(self.estate, peering) {
            None => PeeringEnd::Nowhere,
            Some(id) => {
                let found = self.estate.resource(&id).filter(|r| r.is_usable());
                if found.is_some_and(|r| r.kind == peering.kind) {
                    return PeeringEnd::Here(id);
                }
                self.gap(
                    peering,
                    format!("it is peered with {id}, which is not in this network"),
                );
                PeeringEnd::Elsewhere
            }
        }
    }

    pub(super) fn tunnels(&mut self) -> Vec<Tunnel> {
        let mut out = Vec::new();
        for tunnel in self.usable(kinds::IPSEC_TUNNEL) {
            let parent = tunnel.parent.as_ref();
            let Some(connection) = parent.and_then(|p| self.estate.resource(p)) else {
                continue;
            };
            let is_static = tunnel.text("/routing") == Some("STATIC")
                && !touches(&tunnel.unknown, "/routing")
                && !touches(&connection.unknown, "/staticRoutes");
            let routes = items(connection, "/staticRoutes").iter();
            let routes = routes.filter_map(|r| r.as_str()?.parse().ok()).collect();
            out.push(Tunnel {
                id: tunnel.id.clone(),
                static_routes: is_static.then_some(routes),
            });
        }
        for connection in self.usable(kinds::IPSEC) {
            let what = "IPsec is not modelled: what takes its tunnels is not known";
            self.gap(connection, what);
        }
        out
    }
}
