//! The addresses of a virtual circuit's sessions: cross-connect mappings.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde_json::{Value as Json, json};
use skybridge_estate::Refusal;

use super::circuit::{number, vlan_pool};
use super::draft::Draft;
use super::set;
use crate::wish::{Wish, invalid};

/// The two addresses of one mapping, as far as they are known.
struct Leg {
    pointer: String,
    net: Option<IpNet>,
}

/// Checks the mappings and completes them: VLAN, Oracle's address.
pub(super) fn mappings(draft: &Draft<'_>, wish: &Wish<'_>, azure: bool) -> Result<Json, Refusal> {
    let items = wish.items("/crossConnectMappings");
    if azure && items.len() != 2 && !wish.is_unknown("/crossConnectMappings") {
        let message = format!(
            "crossConnectMappings has {} elements; an interconnect with Azure needs a primary and a \
             secondary",
            items.len()
        );
        return Err(invalid(
            "oci.vc-two-mappings",
            "/crossConnectMappings",
            message,
        ));
    }
    let mut legs: Vec<Leg> = Vec::new();
    let mut out = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let pointer = format!("/crossConnectMappings/{i}");
        let (net, oracle) = leg(wish, &pointer)?;
        if let Some(net) = net
            && let Some(other) = legs.iter().find(|l| clash(l.net, net))
        {
            let message = format!(
                "BGP block {net} overlaps with that of {}; primary and secondary need blocks of their own",
                other.pointer.trim_start_matches('/')
            );
            return Err(invalid(
                "oci.vc-bgp-overlap",
                &format!("{pointer}/customerBgpPeeringIp"),
                message,
            ));
        }
        legs.push(Leg {
            pointer: pointer.clone(),
            net,
        });
        let mut full = item.clone();
        if let Some(oracle) = oracle {
            set(&mut full, "oracleBgpPeeringIp", json!(oracle.to_string()));
        }
        if let Some(vlan) = number(wish, &format!("{pointer}/vlan"))
            && !(100..=4094).contains(&vlan)
        {
            let message = format!("VLAN {vlan} is not between 100 and 4094");
            return Err(invalid("oci.vc-vlan", &format!("{pointer}/vlan"), message));
        }
        out.push(full);
    }
    if azure && let Some(existing) = wish.existing {
        let vlan = draft
            .estate
            .allocation(&vlan_pool(existing), existing.id.as_str());
        for full in &mut out {
            set(full, "vlan", json!(vlan));
        }
    }
    Ok(Json::Array(out))
}

fn clash(a: Option<IpNet>, b: IpNet) -> bool {
    a.is_some_and(|a| a.contains(&b) || b.contains(&a))
}

/// The block of a mapping, and Oracle's address in it (given, else inferred: the first usable address
/// that the customer does not have).
fn leg(wish: &Wish<'_>, pointer: &str) -> Result<(Option<IpNet>, Option<IpNet>), Refusal> {
    let customer = address(wish, &format!("{pointer}/customerBgpPeeringIp"))?;
    let oracle = address(wish, &format!("{pointer}/oracleBgpPeeringIp"))?;
    let at = format!("{pointer}/oracleBgpPeeringIp");
    if let (Some(c), Some(o)) = (customer, oracle) {
        if c.trunc() != o.trunc() {
            let message = format!("{o} and {c} are not in the same network");
            return Err(invalid("oci.vc-bgp-same-net", &at, message));
        }
        if c.addr() == o.addr() {
            let message = format!("both ends of a session have the address {o}");
            return Err(invalid("oci.vc-bgp-same-net", &at, message));
        }
    }
    let inferred = || {
        let (net, taken) = (customer?.trunc(), customer?.addr());
        let free = net.hosts().find(|host| *host != taken)?;
        IpNet::new(free, net.prefix_len()).ok()
    };
    let unknown = wish.is_unknown(&at);
    let oracle = oracle.or_else(|| if unknown { None } else { inferred() });
    Ok((customer.or(oracle).map(|n| n.trunc()), oracle))
}

/// A BGP peering address with a mask of /28 to /31.
fn address(wish: &Wish<'_>, pointer: &str) -> Result<Option<IpNet>, Refusal> {
    let Some(text) = wish.text(pointer).filter(|_| !wish.is_unknown(pointer)) else {
        return Ok(None);
    };
    let bad = |message: String| Err(invalid("oci.vc-bgp-mask", pointer, message));
    let Ok(net @ IpNet::V4(v4)) = IpNet::from_str(text) else {
        return bad(format!(
            "\"{text}\" is not an IPv4 address with a mask of /28 to /31"
        ));
    };
    if !(28..=31).contains(&net.prefix_len()) {
        return bad(format!(
            "mask /{} of {text} is not between /28 and /31",
            net.prefix_len()
        ));
    }
    let host = net.prefix_len() == 31 || (v4.addr() != v4.network() && v4.addr() != v4.broadcast());
    if !host {
        return bad(format!(
            "{text} is the network or broadcast address of its block"
        ));
    }
    Ok(Some(net))
}

/// The first and second usable address of a BGP block: Oracle's and Azure's (Oracle's page on Azure).
pub(crate) fn usable_pair(net: IpNet) -> Option<(IpAddr, IpAddr)> {
    let mut hosts = net.trunc().hosts();
    Some((hosts.next()?, hosts.next()?))
}
