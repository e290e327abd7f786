//! Network interfaces, public addresses, virtual machines.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use serde_json::{Value as Json, json};
use skybridge_estate::{Refusal, Resource, ResourceId, Txn, Write};

use super::firewall;
use super::gateway::SUBNET_NAME;
use super::put::{Outcome, Request};
use crate::doc::{Doc, prefix, subnet_prefixes};
use crate::kinds;
use crate::rules::refuse;

/// Public addresses come from 203.0.113.0/24, which is for documentation (RFC 5737 §3).
const PUBLIC_BASE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 0);

/// The pool of a subnet's addresses.
pub(super) fn pool(subnet: &ResourceId) -> String {
    format!("address/{subnet}")
}

/// Who holds the address of an IP configuration.
pub(super) fn holder(nic: &ResourceId, index: usize) -> String {
    format!("{nic}#{index}")
}

pub(super) fn nic(request: &Request<'_>, txn: &mut Txn) -> Result<Outcome, Refusal> {
    request.require("/properties/ipConfigurations/0")?;
    request.reference("/properties/networkSecurityGroup/id", kinds::NSG)?;
    let mut configs = Vec::new();
    for (index, at) in request
        .doc
        .items("/properties/ipConfigurations")
        .iter()
        .enumerate()
    {
        configs.push(ip_config(request, txn, index, at)?);
    }
    let mut outcome = Outcome::default();
    let octets = mac_octets(&request.id);
    outcome
        .properties
        .insert("ipConfigurations".to_owned(), json!(configs));
    outcome
        .properties
        .insert("macAddress".to_owned(), json!(octets));
    Ok(outcome)
}

/// A MAC address in Microsoft's range (00-0D-3A), the rest from the id, stable over its life.
fn mac_octets(id: &ResourceId) -> String {
    let mut hash = skybridge_base::TraceHash::default();
    hash.bytes(id.as_str().to_ascii_lowercase().as_bytes());
    let [.., a, b, c] = hash.value().to_be_bytes();
    format!("00-0D-3A-{a:02X}-{b:02X}-{c:02X}")
}

/// The address of one configuration of an interface or frontend.
pub(super) fn ip_config(
    request: &Request<'_>,
    txn: &mut Txn,
    index: usize,
    at: &str,
) -> Result<Json, Refusal> {
    let pointer = format!("{at}/properties/subnet/id");
    request.require(&pointer)?;
    let address_at = format!("{at}/properties/publicIPAddress/id");
    request.reference(&address_at, kinds::PUBLIC_IP)?;
    let Some(subnet) = request.reference(&pointer, kinds::SUBNET)? else {
        return Ok(json!({}));
    };
    if subnet.name.eq_ignore_ascii_case(SUBNET_NAME) {
        let message = format!("{} is for gateways", subnet.id);
        return Err(refuse("azure.nic-in-gateway-subnet", &pointer, message));
    }
    if subnet.name.eq_ignore_ascii_case(firewall::SUBNET_NAME) {
        let message = format!("{} is for firewalls", subnet.id);
        return Err(refuse("azure.nic-in-firewall-subnet", &pointer, message));
    }
    let field = format!("{at}/properties/privateIPAddress");
    let method = request
        .doc
        .text(&format!("{at}/properties/privateIPAllocationMethod"));
    let is_static = method.is_some_and(|m| m.eq_ignore_ascii_case("Static"));
    let holder = holder(&request.id, index);
    let address = match request.doc.text(&field) {
        Some(text) if is_static => {
            Some(static_address(request, txn, subnet, &field, text, &holder)?)
        }
        _ if is_static && request.doc.is_unknown(&field) => None,
        _ => dynamic_address(request, txn, subnet, &pointer, &holder)?,
    };
    Ok(match address {
        Some(address) => json!({"properties": {"privateIPAddress": address}}),
        None => json!({}),
    })
}

fn static_address(
    request: &Request<'_>,
    txn: &mut Txn,
    subnet: &Resource,
    field: &str,
    text: &str,
    holder: &str,
) -> Result<IpAddr, Refusal> {
    let nets = subnet_nets(subnet);
    let address: Option<IpAddr> = text.parse().ok();
    let found = address.and_then(|a| Some((a, *nets.iter().find(|n| n.contains(&a))?)));
    let Some((address, net)) = found else {
        let message = format!("{text} is not in subnet {}", subnet.name);
        return Err(refuse("azure.nic-address-outside", field, message));
    };
    let IpAddr::V4(v4) = address else {
        return Ok(address);
    };
    if let IpNet::V4(net) = net
        && !usable(net).contains(&u32::from(v4))
    {
        let message = format!("{text} is reserved in {net}");
        return Err(refuse("azure.nic-address-reserved", field, message));
    }
    if let Some(user) = holder_of(request, subnet, address) {
        let message = format!("{text} belongs to {user}");
        return Err(refuse("azure.nic-address-taken", field, message));
    }
    let value = u64::from(u32::from(v4));
    let pool = pool(&subnet.id);
    if request.estate.allocation(&pool, holder) != Some(value) {
        txn.writes.push(Write::Release {
            key: holder.to_owned(),
        });
        txn.writes.push(Write::Allocate {
            pool,
            key: holder.to_owned(),
            value,
        });
    }
    Ok(address)
}

/// The next free address of the subnet's first IPv4 prefix; `None` when the subnet's prefix is not known.
pub(super) fn dynamic_address(
    request: &Request<'_>,
    txn: &mut Txn,
    subnet: &Resource,
    pointer: &str,
    holder: &str,
) -> Result<Option<IpAddr>, Refusal> {
    let first = subnet_nets(subnet).into_iter().find_map(|net| match net {
        IpNet::V4(net) => Some(net),
        IpNet::V6(_) => None,
    });
    let Some(net) = first else {
        return Ok(None);
    };
    let range = usable(net);
    let range = u64::from(*range.start())..=u64::from(*range.end());
    let pool = pool(&subnet.id);
    // An address held in another subnet is given back when the interface moves.
    if request.estate.allocation(&pool, holder).is_none() {
        txn.writes.push(Write::Release {
            key: holder.to_owned(),
        });
    }
    let value = request.estate.allocate(txn, &pool, holder, range);
    let address = value.and_then(|v| u32::try_from(v).ok());
    match address {
        Some(address) => Ok(Some(Ipv4Addr::from(address).into())),
        None => Err(refuse(
            "azure.nic-subnet-full",
            pointer,
            format!("subnet {} has no free address", subnet.name),
        )),
    }
}

fn subnet_nets(subnet: &Resource) -> Vec<IpNet> {
    let texts = subnet_prefixes(&Doc::of(subnet), "");
    texts.iter().filter_map(|(_, t)| prefix(t)).collect()
}

/// The addresses of a subnet that can be given: all but the first four and the last.
fn usable(net: Ipv4Net) -> std::ops::RangeInclusive<u32> {
    let first = u32::from(net.network()).saturating_add(4);
    first..=u32::from(net.broadcast()).saturating_sub(1)
}

/// The pointers of all that has an address: configurations of interfaces, frontends of load balancers.
pub(super) fn configurations(doc: &Doc<'_>) -> Vec<String> {
    let mut items = doc.items("/properties/ipConfigurations");
    items.extend(doc.items("/properties/frontendIPConfigurations"));
    items
}

/// What else has an address of a subnet.
fn holder_of<'a>(
    request: &'a Request<'_>,
    subnet: &Resource,
    address: IpAddr,
) -> Option<&'a ResourceId> {
    let has = |nic: &&Resource| {
        let doc = Doc::of(nic);
        matches!(
            nic.kind.as_str(),
            kinds::NIC | kinds::FIREWALL | kinds::BALANCER
        ) && configurations(&doc).iter().any(|at| {
            let in_subnet = doc
                .reference(&format!("{at}/properties/subnet/id"))
                .is_some_and(|id| kinds::same_id(&id, &subnet.id));
            let same = doc.parse(&format!("{at}/properties/privateIPAddress")) == Some(address);
            in_subnet && same
        })
    };
    let mut others = request.estate.naming(&subnet.id);
    others
        .find(|nic| nic.id != request.id && has(nic))
        .map(|nic| &nic.id)
}

pub(super) fn public_ip(request: &Request<'_>, txn: &mut Txn) -> Result<Outcome, Refusal> {
    let key = request.id.as_str();
    let value = request
        .estate
        .allocate(txn, "public-address/azure", key, 1..=254);
    let Some(offset) = value.and_then(|v| u32::try_from(v).ok()) else {
        let message = "all public addresses of this program are in use";
        return Err(refuse("azure.public-addresses-exhausted", "", message));
    };
    let mut outcome = Outcome::default();
    let address = Ipv4Addr::from(u32::from(PUBLIC_BASE) + offset);
    outcome
        .properties
        .insert("ipAddress".to_owned(), json!(address));
    Ok(outcome)
}

pub(super) fn machine(request: &Request<'_>) -> Result<Outcome, Refusal> {
    for at in request
        .doc
        .items("/properties/networkProfile/networkInterfaces")
    {
        request.reference(&format!("{at}/id"), kinds::NIC)?;
    }
    Ok(Outcome::default())
}
