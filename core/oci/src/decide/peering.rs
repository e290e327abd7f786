//! Peerings of two VCNs (local) and of two DRGs (remote), and IPsec connections.
//!
//! One side of a peering names the other (`peerId`); both are `PEERED` from then on (Oracle, "Local VCN
//! Peering", "Remote VCN Peering"). An OCID that is not in this estate is another tenancy's.

use serde_json::{Value as Json, json};
use skybridge_estate::{Estate, Refusal, Resource, ResourceId};

use super::draft::Draft;
use super::network::vcn_blocks;
use super::set;
use crate::kinds;
use crate::ocid::{HOME_REGION, region_of};
use crate::wish::{Wish, conflict, invalid};

/// Tunnels of an IPsec connection (Oracle, "Site-to-Site VPN overview").
const TUNNELS: usize = 2;

/// Oracle's ends of tunnels come from 198.51.100.0/24, which is for documentation (RFC 5737 §3).
const VPN_NET: &str = "198.51.100.";

/// The other end that the wish names, when it is in this estate.
fn peer<'a>(wish: &Wish<'a>, kind: &str) -> Result<Option<&'a Resource>, Refusal> {
    let pointer = "/peerId";
    let Some(id) = wish.text(pointer).filter(|_| !wish.is_unknown(pointer)) else {
        return Ok(None);
    };
    if wish.estate.resource(&ResourceId::from(id)).is_none() {
        return Ok(None);
    }
    let Some(peer) = wish.reference(pointer, kind)? else {
        return Ok(None);
    };
    let me = wish.existing.map(|e| e.id.as_str());
    let other = end_of(wish.estate, peer);
    if other.as_ref().is_some_and(|o| Some(o.as_str()) != me) {
        let message = format!("{} is peered with another already", peer.label());
        return Err(conflict(Some("oci.peering-taken"), message));
    }
    Ok(Some(peer))
}

/// What a peering names, or what names it.
pub(crate) fn end_of(estate: &Estate, peering: &Resource) -> Option<ResourceId> {
    if let Some(named) = peering.doc.get("peerId").and_then(Json::as_str) {
        return Some(named.into());
    }
    let names_me = |other: &&Resource| {
        other.doc.get("peerId").and_then(Json::as_str) == Some(peering.id.as_str())
    };
    let mut all = estate.of_kind(peering.kind.as_str());
    all.find(names_me).map(|other| other.id.clone())
}

/// Checks a remote peering connection.
pub(super) fn remote(wish: &Wish<'_>) -> Result<Json, Refusal> {
    let peer = peer(wish, kinds::REMOTE_PEERING)?;
    if peer.is_some_and(|p| p.parent.as_ref() == wish.parent.map(|d| &d.id)) {
        let message = "both ends of the peering are on the same DRG".to_owned();
        return Err(invalid("oci.peering-with-itself", "/peerId", message));
    }
    Ok(status(wish, peer))
}

/// Checks a local peering gateway: the two VCNs do not overlap.
pub(super) fn local(wish: &Wish<'_>) -> Result<Json, Refusal> {
    wish.sibling("/routeTableId", kinds::ROUTE_TABLE)?;
    let peer = peer(wish, kinds::LOCAL_PEERING_GATEWAY)?;
    let theirs = peer.and_then(|p| wish.estate.resource(p.parent.as_ref()?));
    if let (Some(own), Some(theirs)) = (wish.parent, theirs) {
        if own.id == theirs.id {
            let message = "both ends of the peering are in the same VCN".to_owned();
            return Err(invalid("oci.peering-with-itself", "/peerId", message));
        }
        let nets = |vcn: &Resource| -> Vec<ipnet::IpNet> {
            let blocks = vcn_blocks(&vcn.computed);
            blocks.iter().filter_map(|b| b.parse().ok()).collect()
        };
        for a in nets(own) {
            if let Some(b) = (nets(theirs).iter()).find(|b| a.contains(*b) || b.contains(&a)) {
                let message = format!(
                    "VCN {} ({a}) and VCN {} ({b}) overlap and cannot be peered",
                    own.label(),
                    theirs.label()
                );
                return Err(invalid("oci.local-peering-overlap", "/peerId", message));
            }
        }
    }
    Ok(status(wish, peer))
}

fn status(wish: &Wish<'_>, peer: Option<&Resource>) -> Json {
    let was = wish.existing.and_then(|e| e.text("/peeringStatus"));
    let names_one = wish.value("/peerId").is_some();
    let status = match (peer, names_one) {
        (Some(_), _) => "PEERED",
        (None, true) => "PENDING",
        (None, false) => was.unwrap_or("NEW"),
    };
    json!({ "peeringStatus": status, "isCrossTenancyPeering": names_one && peer.is_none() })
}

/// Tells the other end that it is peered.
pub(super) fn join(draft: &mut Draft<'_>, peering: &Resource) {
    let named = peering.doc.get("peerId").and_then(Json::as_str);
    let peer = named.and_then(|id| draft.estate.resource(&ResourceId::from(id)));
    if let Some(peer) = peer.filter(|p| p.kind == peering.kind) {
        tell(draft, peer, "PEERED", json!(peering.id.as_str()));
    }
}

fn tell(draft: &mut Draft<'_>, peer: &Resource, status: &str, id: Json) {
    draft.rest_on(peer);
    let mut peer = peer.clone();
    set(&mut peer.computed, "peeringStatus", json!(status));
    set(&mut peer.computed, "peerId", id);
    draft.insert(peer);
}

/// The other end of a peering that goes is left without.
pub(super) fn part(draft: &mut Draft<'_>, peering: &Resource) {
    let end = end_of(draft.estate, peering);
    if let Some(peer) = end.and_then(|id| draft.estate.resource(&id)) {
        tell(draft, peer, "REVOKED", Json::Null);
    }
}

/// The attachment that OCI makes at the DRG for a remote peering connection or a tunnel.
pub(super) fn attach(draft: &mut Draft<'_>, network: &Resource, drg: &ResourceId, kind: &str) {
    let Some(gateway) = draft.estate.resource(drg) else {
        return;
    };
    draft.rest_on(gateway);
    let region = region_of(drg.as_str()).unwrap_or(HOME_REGION).to_owned();
    let field = super::drg::table_field(kind);
    let own = network.doc.get("drgRouteTableId").and_then(Json::as_str);
    let table = own.or_else(|| gateway.text(&format!("/defaultDrgRouteTables/{field}")));
    let computed = json!({
        "networkDetails": { "type": kind, "id": network.id.as_str() },
        "drgRouteTableId": table,
    });
    let id = draft.ocid("drgattachment", &region);
    let doc = json!({ "drgId": drg.as_str() });
    let name = format!("DRG Attachment for {}", network.name);
    draft.insert_generated(kinds::DRG_ATTACHMENT, id, name, drg, doc, computed);
}

/// Takes away the attachment of a remote peering connection or a tunnel.
pub(super) fn detach(draft: &mut Draft<'_>, network: &Resource) {
    if let Some(attachment) = super::drg::attachment_of(draft.estate, network.id.as_str()) {
        draft.remove(&attachment.id);
    }
}

/// Checks an IPsec connection.
pub(super) fn ipsec(wish: &Wish<'_>) -> Result<Json, Refusal> {
    wish.required("/cpeId")?;
    wish.reference("/cpeId", kinds::CPE)?;
    let routes = "/staticRoutes";
    for i in 0..wish.items(routes).len() {
        wish.cidr(&format!("{routes}/{i}"))?;
    }
    Ok(json!({ "transportType": "INTERNET" }))
}

/// The tunnels of a new IPsec connection, each with its attachment.
pub(super) fn add_tunnels(draft: &mut Draft<'_>, connection: &Resource) {
    let Some(drg) = connection.parent.clone() else {
        return;
    };
    let region = region_of(drg.as_str()).unwrap_or(HOME_REGION).to_owned();
    for number in 0..TUNNELS {
        let id = draft.ocid("ipsectunnel", &region);
        let name = format!("{} tunnel {}", connection.name, number + 1);
        let settings = connection
            .doc
            .pointer(&format!("/tunnelConfiguration/{number}"));
        let table = settings.and_then(|s| s.get("drgRouteTableId")).cloned();
        let doc = json!({ "ipsecId": connection.id.as_str(), "drgRouteTableId": table });
        let cpe = connection.text("/cpeId").map(ResourceId::from);
        let cpe = cpe.and_then(|id| draft.estate.resource(&id));
        let pool = "public-address/oci";
        let key = id.as_str();
        let address = (draft.estate).allocate(&mut draft.txn, pool, key, 1..=254);
        let mut rng = draft.estate.draw(&mut draft.txn, "ipsec-secret");
        let computed = json!({ "routing": "STATIC", "status": "DOWN", "ikeVersion": "V1",
            "cpeIp": cpe.and_then(|c| c.text("/ipAddress")),
            "vpnIp": address.map(|n| format!("{VPN_NET}{n}")),
            "sharedSecret": format!("{:08x}{:08x}", rng.next_u32(), rng.next_u32()) });
        let kind = kinds::IPSEC_TUNNEL;
        draft.insert_generated(kind, id.clone(), name, &connection.id, doc, computed);
        if let Some(skybridge_estate::Write::Put(made)) = draft.txn.writes.last() {
            let tunnel = (**made).clone();
            attach(draft, &tunnel, &drg, "IPSEC_TUNNEL");
        }
    }
}

/// Checks the settings of a tunnel.
pub(super) fn tunnel(wish: &Wish<'_>) -> Result<Json, Refusal> {
    if wish.existing.is_none() {
        let message = "tunnels are made with their IPsec connection".to_owned();
        return Err(invalid("oci.tunnel-with-connection", "", message));
    }
    let pointer = "/routing";
    let routing = wish.text(pointer).filter(|_| !wish.is_unknown(pointer));
    if let Some(other) = routing.filter(|r| !["BGP", "STATIC", "POLICY"].contains(r)) {
        let message = format!("routing \"{other}\" is none of BGP, STATIC and POLICY");
        return Err(invalid("oci.tunnel-routing", pointer, message));
    }
    Ok(json!({ "routing": routing.unwrap_or("STATIC") }))
}
