//! Virtual networks and subnets.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde_json::Value as Json;
use skybridge_catalogue::LifecycleOp;
use skybridge_estate::{
    Cloud, Estate, OperationKind, Origin, Phase, Place, Refusal, Resource, ResourceId, Txn, Write,
};

use super::delete::subnet_users;
use super::put::{Outcome, Request, begin, computed};
use super::{done_at, gateway};
use crate::doc::{Doc, overlap, prefix, rebase, subnet_prefixes};
use crate::kinds;
use crate::rules::refuse;

/// Ranges that no virtual network may touch (virtual networks FAQ, 2019-02-12).
const REFUSED_RANGES: [&str; 5] = [
    "224.0.0.0/4",
    "255.255.255.255/32",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "168.63.129.16/32",
];

const SPACE: &str = "/properties/addressSpace/addressPrefixes";

/// A prefix, or the refusal of its notation.
pub(super) fn checked_prefix(pointer: &str, text: &str) -> Result<IpNet, Refusal> {
    prefix(text).ok_or_else(|| {
        let message = match text.parse::<IpNet>() {
            Ok(net) => format!(
                "{text} has bits behind its length; the network is {}",
                net.trunc()
            ),
            Err(_) => format!("{text:?} is not an address prefix"),
        };
        refuse("azure.prefix-notation", pointer, message)
    })
}

pub(super) fn vnet(request: &Request<'_>, txn: &mut Txn) -> Result<Outcome, Refusal> {
    request.require(SPACE)?;
    let ranges = checked_ranges(request)?;
    let mut doc = request.put.doc.clone();
    let inline = doc
        .pointer_mut("/properties")
        .and_then(Json::as_object_mut)
        .and_then(|p| p.remove("subnets"));
    if inline.is_some() {
        inline_subnets(request, &ranges, txn)?;
    } else {
        let whole = !request.doc.has_unknown(SPACE);
        for subnet in request.estate.children(&request.id).filter(|_| whole) {
            let used = subnet_prefixes(&Doc::of(subnet), "");
            let outside = used
                .iter()
                .filter_map(|(_, text)| prefix(text))
                .find(|net| !ranges.iter().any(|r| r.contains(net)));
            if let Some(net) = outside {
                return Err(refuse(
                    "azure.vnet-range-in-use",
                    SPACE,
                    format!(
                        "subnet {} uses {net}, which the new address space lacks",
                        subnet.name
                    ),
                ));
            }
        }
    }
    Ok(Outcome {
        doc: Some(doc),
        ..Outcome::default()
    })
}

fn checked_ranges(request: &Request<'_>) -> Result<Vec<IpNet>, Refusal> {
    let mut ranges: Vec<IpNet> = Vec::new();
    for (pointer, text) in request.doc.texts(SPACE) {
        let net = checked_prefix(&pointer, text)?;
        let refused = REFUSED_RANGES
            .iter()
            .find(|r| prefix(r).is_some_and(|r| overlap(r, net)));
        if let Some(refused) = refused {
            let message = format!("{net} touches {refused}");
            return Err(refuse("azure.vnet-range-refused", &pointer, message));
        }
        if let Some(other) = ranges.iter().find(|r| overlap(**r, net)) {
            let message = format!("{net} overlaps {other}");
            return Err(refuse("azure.vnet-ranges-overlap", &pointer, message));
        }
        ranges.push(net);
    }
    Ok(ranges)
}

/// Subnets inside the document of their network: the whole set, those not listed go.
fn inline_subnets(request: &Request<'_>, ranges: &[IpNet], txn: &mut Txn) -> Result<(), Refusal> {
    let whole = !request.doc.has_unknown(SPACE);
    let mut siblings: Vec<(&str, IpNet)> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for at in request.doc.items("/properties/subnets") {
        let name_at = format!("{at}/name");
        request.require(&name_at)?;
        let name = request.doc.text(&name_at).unwrap_or_default();
        let id = kinds::child_id(&request.id, kinds::SUBNET, name);
        let existing = request.estate.resource(&id);
        let check = SubnetCheck {
            estate: request.estate,
            id: &id,
            name,
            ranges: whole.then_some(ranges),
            siblings: Siblings::Sent(&siblings),
            existing,
            doc: &request.doc,
            at: &at,
        };
        let nets = check.run()?;
        siblings.extend(nets.into_iter().map(|net| (name, net)));
        names.push(name);
        let resource = Resource {
            id: existing.map_or_else(|| id.clone(), |e| e.id.clone()),
            cloud: Cloud::Azure,
            kind: kinds::SUBNET.into(),
            name: name.to_owned(),
            parent: Some(request.id.clone()),
            doc: inline_doc(request, &at, existing),
            computed: computed(&id, kinds::SUBNET, "Updating", serde_json::Map::new()),
            unknown: rebase(&request.put.unknown, &at),
            phase: existing.map_or(Phase::Creating, |_| Phase::Updating),
            revision: 0,
            created_at: existing.map_or(request.now, |e| e.created_at),
            origin: request.put.origin.as_ref().map(|o| rebase_origin(o, &at)),
        };
        let due = done_at(
            request.estate,
            kinds::SUBNET,
            LifecycleOp::Create,
            request.now,
        );
        begin(request.estate, txn, resource, OperationKind::Update, due);
    }
    for gone in request.estate.children(&request.id) {
        if names
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&gone.name))
        {
            continue;
        }
        if let Some(user) = subnet_users(request.estate, &gone.id).first() {
            let message = format!("subnet {} is in use by {user}", gone.name);
            return Err(Refusal {
                code: "InUseSubnetCannotBeDeleted",
                ..refuse("azure.deletion-order", "/properties/subnets", message)
            });
        }
        txn.writes.push(Write::Remove(gone.id.clone()));
    }
    Ok(())
}

/// The document of a subnet inside that of its network. Associations that it does not mention stay: they
/// may be resources of their own.
fn inline_doc(request: &Request<'_>, at: &str, existing: Option<&Resource>) -> Json {
    let mut doc = request.put.doc.pointer(at).cloned().unwrap_or_default();
    let fields = doc.pointer_mut("/properties").and_then(Json::as_object_mut);
    if let (Some(fields), Some(existing)) = (fields, existing) {
        for name in ["networkSecurityGroup", "routeTable"] {
            if let Some(kept) = existing.doc.pointer(&format!("/properties/{name}")) {
                fields.entry(name).or_insert_with(|| kept.clone());
            }
        }
    }
    doc
}

/// The origin of something inside a document, seen from there.
fn rebase_origin(origin: &Origin, at: &str) -> Origin {
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    places.extend(origin.place(at).map(|p| (String::new(), p.clone())));
    for (pointer, place) in &origin.places {
        if let Some(rest) = pointer.strip_prefix(at)
            && (rest.is_empty() || rest.starts_with('/'))
        {
            places.insert(rest.to_owned(), place.clone());
        }
    }
    Origin {
        stack: origin.stack.clone(),
        address: origin.address.clone(),
        places,
    }
}

pub(super) fn subnet(request: &Request<'_>) -> Result<Outcome, Refusal> {
    let Some(vnet) = request.parent else {
        return Err(refuse(
            "azure.parent-missing",
            "",
            "a subnet is in a network",
        ));
    };
    let network = Doc::of(vnet);
    let ranges: Vec<IpNet> = network
        .texts(SPACE)
        .iter()
        .filter_map(|(_, text)| prefix(text))
        .collect();
    let check = SubnetCheck {
        estate: request.estate,
        id: &request.id,
        name: request.id.leaf(),
        ranges: (!network.has_unknown(SPACE)).then_some(&ranges),
        siblings: Siblings::Of(&vnet.id),
        existing: request.existing,
        doc: &request.doc,
        at: "",
    };
    check.run()?;
    Ok(Outcome::default())
}

/// The other subnets of the network.
#[derive(Clone, Copy)]
enum Siblings<'a> {
    /// Those that the network has.
    Of(&'a ResourceId),
    /// The ranges of those in the same document, with their names.
    Sent(&'a [(&'a str, IpNet)]),
}

/// The rules of one subnet, at `at` in `doc`.
struct SubnetCheck<'a> {
    estate: &'a Estate,
    id: &'a ResourceId,
    name: &'a str,
    /// The network's ranges; `None` when they are not all known.
    ranges: Option<&'a [IpNet]>,
    siblings: Siblings<'a>,
    existing: Option<&'a Resource>,
    doc: &'a Doc<'a>,
    at: &'a str,
}

impl SubnetCheck<'_> {
    fn run(&self) -> Result<Vec<IpNet>, Refusal> {
        let texts = subnet_prefixes(self.doc, self.at);
        let plural = format!("{}/properties/addressPrefixes", self.at);
        let single = format!("{}/properties/addressPrefix", self.at);
        if texts.is_empty() && !self.doc.has_unknown(&plural) && !self.doc.is_unknown(&single) {
            let message = format!("subnet {} needs an address prefix", self.name);
            return Err(refuse("azure.field-missing", &plural, message));
        }
        let mut nets = Vec::new();
        for (pointer, text) in texts {
            let net = checked_prefix(&pointer, text)?;
            self.fits(&pointer, net)?;
            nets.push(net);
        }
        self.resize(&plural, &nets)?;
        self.associations()?;
        Ok(nets)
    }

    fn fits(&self, pointer: &str, net: IpNet) -> Result<(), Refusal> {
        let name = self.name;
        let size_ok = match net {
            IpNet::V4(net) => net.prefix_len() <= 29,
            IpNet::V6(net) => net.prefix_len() == 64,
        };
        if !size_ok {
            let message = format!("subnet {name}: {net} is not a size that Azure accepts");
            return Err(refuse("azure.subnet-size", pointer, message));
        }
        if let Some(ranges) = self.ranges
            && !ranges.iter().any(|r| r.contains(&net))
        {
            let space: Vec<String> = ranges.iter().map(ToString::to_string).collect();
            let message = format!("subnet {name}: {net} is outside {}", space.join(", "));
            return Err(refuse("azure.subnet-outside-vnet", pointer, message));
        }
        match self.taken(net) {
            Some((other, taken)) => {
                let message = format!("subnet {name}: {net} overlaps {taken} of subnet {other}");
                Err(refuse("azure.subnet-overlap", pointer, message))
            }
            None => Ok(()),
        }
    }

    /// Another subnet that takes addresses of `net`.
    fn taken(&self, net: IpNet) -> Option<(&str, IpNet)> {
        match self.siblings {
            Siblings::Of(vnet) => {
                let mut others = self.estate.taking(vnet, net);
                let other = others.find(|(_, r)| !kinds::same_id(&r.id, self.id));
                other.map(|(taken, r)| (r.name.as_str(), taken))
            }
            Siblings::Sent(all) => {
                let mut all = all.iter().copied();
                all.find(|(_, taken)| overlap(*taken, net))
            }
        }
    }

    fn resize(&self, pointer: &str, nets: &[IpNet]) -> Result<(), Refusal> {
        let Some(existing) = self.existing else {
            return Ok(());
        };
        let kept = existing.prefixes().all(|net| nets.contains(&net));
        if kept || self.doc.has_unknown(pointer) {
            return Ok(());
        }
        match subnet_users(self.estate, &existing.id).first() {
            Some(user) => Err(refuse(
                "azure.subnet-in-use",
                pointer,
                format!("subnet {} is in use by {user}", self.name),
            )),
            None => Ok(()),
        }
    }

    fn associations(&self) -> Result<(), Refusal> {
        let is_gateway = self.name.eq_ignore_ascii_case(gateway::SUBNET_NAME);
        let group = format!("{}/properties/networkSecurityGroup/id", self.at);
        let table = format!("{}/properties/routeTable/id", self.at);
        for (pointer, kind) in [(&group, kinds::NSG), (&table, kinds::ROUTE_TABLE)] {
            let Some(id) = self.doc.reference(pointer) else {
                continue;
            };
            let found = self.estate.resource(&id);
            let Some(target) = found.filter(|r| r.kind.as_str() == kind) else {
                let message = format!("{} refers to {id}, which is no {kind} here", self.id);
                return Err(refuse("azure.reference-missing", pointer, message));
            };
            if is_gateway && kind == kinds::NSG {
                let message = format!("{} is associated with {}", target.name, self.id);
                return Err(refuse("azure.gateway-subnet-nsg", pointer, message));
            }
            if is_gateway && gateway::has_default_route(self.estate, target) {
                let message = format!("route table {} has 0.0.0.0/0", target.name);
                return Err(refuse(
                    "azure.gateway-subnet-default-route",
                    pointer,
                    message,
                ));
            }
        }
        Ok(())
    }
}
