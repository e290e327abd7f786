//! Rules of sites and carriers: what the lab file says against what the cloud has.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use skybridge_azure::model::{AzureModel, Circuit, Peering, VirtualNetwork};
use skybridge_estate::{Estate, Grade, Level, Place};
use skybridge_sites::{Bfd, Carrier, LabFile, Path, PortMode, Router, Site};

use crate::diagnostics::{grade_words, level_words, plain};
use crate::document::Diagnostic;
use crate::extras::resource_at;

/// A rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rule {
    /// Name.
    pub(crate) name: &'static str,
    /// How bad breaking it is.
    pub(crate) level: Level,
    /// The rule in words.
    pub(crate) text: &'static str,
    /// What to do when it is broken.
    pub(crate) help: &'static str,
    /// How sure the rule is.
    pub(crate) grade: Grade,
    /// Where it is written: a key of `data/reference/sources.csv`.
    pub(crate) source: &'static str,
}

/// Every rule of sites and carriers.
pub(crate) const TABLE: [Rule; 14] = [
    wrong(
        "site.name-twice",
        "A site has one name in all stacks of a lab.",
        "Rename one of them.",
        (Grade::Assumed, "assumed"),
    ),
    wrong(
        "site.networks-overlap",
        "Networks of sites do not overlap one another.",
        "Give each network a range of its own.",
        (Grade::Assumed, "deduced"),
    ),
    wrong(
        "site.overlaps-vnet",
        "A site's network does not overlap a virtual network that its circuit leads to.",
        "Take another range at one end: inside the virtual network its own range wins.",
        (Grade::Assumed, "deduced"),
    ),
    wrong(
        "site.overlaps-peering",
        "A site's network does not hold the addresses of its peering.",
        "Take peering prefixes outside the site's networks.",
        (Grade::Assumed, "deduced"),
    ),
    wrong(
        "site.circuit-of-oracle",
        "A circuit of provider Oracle leads to OCI and to no site.",
        "Order a circuit of an ordinary provider for the site.",
        (Grade::Documented, "oracle-azure-2025-01-15"),
    ),
    wrong(
        "site.no-peering",
        "A circuit that leads to a router has a private peering.",
        "Add an azurerm_express_route_circuit_peering of type AzurePrivatePeering.",
        (Grade::Documented, "msdocs-er-peering-portal-2019-02-13"),
    ),
    wrong(
        "site.asn-differs",
        "The site's AS number is the peering's peer_asn.",
        "Set peer_asn of the peering, or asn of the site.",
        (Grade::Documented, "msdocs-er-peering-portal-2019-02-13"),
    ),
    wrong(
        "site.vlan-differs",
        "A router's vlan is the peering's vlan_id.",
        "Leave vlan out to take the peering's, or set both alike.",
        (Grade::Documented, "msdocs-er-peering-portal-2019-02-13"),
    ),
    wrong(
        "site.key-differs",
        "A router's md5 is the peering's shared_key.",
        "Leave md5 out to take the peering's, or set both alike.",
        (Grade::Documented, "msdocs-er-peering-portal-2019-02-13"),
    ),
    wrong(
        "site.path-taken",
        "A path of a circuit ends at one router.",
        "Give the other router the other path or a circuit of its own.",
        (Grade::Documented, "msdocs-er-peering-portal-2019-02-13"),
    ),
    advice(
        "site.one-path",
        "Both paths of a circuit end at a router.",
        "Add a router, or leave path out where one router takes both.",
        (Grade::Documented, "msdocs-er-circuit-peerings-2022-09-19"),
    ),
    advice(
        "site.no-bfd",
        "BFD is on where a carrier stands in between.",
        "Leave bfd out to have it on: without it only the hold timer notices that a carrier fails silently.",
        (Grade::Documented, "msdocs-er-bfd-2020-12-14"),
    ),
    advice(
        "site.no-persona",
        "An attached router names its persona.",
        "Add persona: without a stand-in nothing that depends on this router can be proved on a twin, and stays unknown.",
        (Grade::Assumed, "assumed"),
    ),
    advice(
        "carrier.unused",
        "A carrier stands for a provider of a circuit.",
        "Correct provider: names are compared as the circuit spells service_provider_name.",
        (Grade::Assumed, "assumed"),
    ),
];

const fn wrong(
    name: &'static str,
    text: &'static str,
    help: &'static str,
    (grade, source): (Grade, &'static str),
) -> Rule {
    Rule {
        name,
        level: Level::WillNotWork,
        text,
        help,
        grade,
        source,
    }
}

const fn advice(
    name: &'static str,
    text: &'static str,
    help: &'static str,
    graded: (Grade, &'static str),
) -> Rule {
    Rule {
        level: Level::Advice,
        ..wrong(name, text, help, graded)
    }
}

/// What the rules look at, and what they found.
struct Review<'a> {
    estate: &'a Estate,
    azure: &'a AzureModel,
    said: Vec<Diagnostic>,
}

/// Everything that the rules of sites and carriers find.
pub(crate) fn check(estate: &Estate, azure: &AzureModel, files: &[&LabFile]) -> Vec<Diagnostic> {
    let mut review = Review {
        estate,
        azure,
        said: Vec::new(),
    };
    let sites: Vec<(&LabFile, &Site)> = (files.iter())
        .flat_map(|file| file.sites.iter().map(move |site| (*file, site)))
        .collect();
    review.names(&sites);
    review.networks(&sites);
    for (file, site) in &sites {
        for router in &site.routers {
            review.router(file, site, router);
        }
    }
    review.paths(&sites);
    for carrier in files.iter().flat_map(|file| &file.carriers) {
        review.carrier(carrier);
    }
    review.said
}

/// A path by its name.
const fn path_words(path: Path) -> &'static str {
    match path {
        Path::Primary => "primary",
        Path::Secondary => "secondary",
    }
}

fn paths_of(router: &Router) -> Vec<Path> {
    router
        .path
        .map_or_else(|| vec![Path::Primary, Path::Secondary], |path| vec![path])
}

fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b) || b.contains(&a)
}

fn private_peering(circuit: &Circuit) -> Option<&Peering> {
    (circuit.peerings.iter()).find(|p| p.name == "AzurePrivatePeering")
}

impl Review<'_> {
    fn say(&mut self, name: &'static str, place: &Place, message: String) {
        let rule = (TABLE.iter().find(|rule| rule.name == name))
            .expect("rules are named as in the table; a test names each");
        self.said.push(Diagnostic {
            file: Some(place.file.to_string()),
            line: Some(place.line),
            column: Some(place.column),
            span: Some((place.start, place.end)),
            rule: Some(rule.name.to_owned()),
            grade: Some(grade_words(rule.grade).to_owned()),
            source: Some(rule.source.to_owned()),
            ..plain(
                &level_words(rule.level),
                message,
                Some(rule.help.to_owned()),
            )
        });
    }

    fn circuit(&self, file: &LabFile, router: &Router) -> Option<&Circuit> {
        let id = resource_at(self.estate, &file.stack, &router.circuit)?;
        self.azure.circuits.iter().find(|c| c.id == id)
    }

    fn names(&mut self, sites: &[(&LabFile, &Site)]) {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (file, site) in sites {
            if let Some(first) = seen.get(site.name.as_str()) {
                let message = format!(
                    "site \"{}\" is in {first} already; this one is left out",
                    site.name
                );
                self.say("site.name-twice", &site.place, message);
            } else {
                seen.insert(&site.name, &file.stack);
            }
        }
    }

    /// Ranges of sites among themselves.
    fn networks(&mut self, sites: &[(&LabFile, &Site)]) {
        let all: Vec<_> = sites
            .iter()
            .flat_map(|(_, site)| site.networks.iter().map(move |n| (&site.name, n)))
            .collect();
        for (number, (site, network)) in all.iter().enumerate() {
            for (other_site, other) in all.iter().take(number) {
                if overlap(network.cidr, other.cidr) {
                    let message = format!(
                        "network \"{}\" of site \"{site}\", {}, overlaps \"{}\" of \"{other_site}\", {}",
                        network.name, network.cidr, other.name, other.cidr
                    );
                    self.say("site.networks-overlap", &network.place, message);
                }
            }
        }
    }

    fn router(&mut self, file: &LabFile, site: &Site, router: &Router) {
        let name = format!("router \"{}\" of site \"{}\"", router.name, site.name);
        if router.attach.is_some() && router.persona.is_none() {
            let message = format!("{name} is the user's own and has no persona");
            self.say("site.no-persona", &router.place, message);
        }
        if router.bfd == Bfd::Off {
            let message = format!("{name} has BFD off");
            self.say("site.no-bfd", &router.place, message);
        }
        let Some(circuit) = self.circuit(file, router).cloned() else {
            return;
        };
        let address = &router.circuit;
        if circuit.provider == skybridge_azure::ORACLE_PROVIDER {
            let message = format!(
                "{address} is of provider {}: only a virtual circuit that holds its key joins it, {name} cannot",
                circuit.provider
            );
            self.say("site.circuit-of-oracle", &router.place, message);
            return;
        }
        self.overlaps(site, &circuit);
        let Some(peering) = private_peering(&circuit) else {
            let message = format!("{address} has no private peering for {name}");
            self.say("site.no-peering", &router.place, message);
            return;
        };
        if peering.peer_asn != site.asn {
            let message = format!(
                "site \"{}\" is AS {}, but the peering of {address} expects AS {}: {name} stays in Active",
                site.name, site.asn.0, peering.peer_asn.0
            );
            self.say("site.asn-differs", &router.place, message);
        }
        if router.mode == PortMode::Trunk
            && let Some(vlan) = router.vlan
            && vlan != peering.vlan
        {
            let message = format!(
                "{name} sends customer tag {vlan}, but the peering of {address} has {}",
                peering.vlan
            );
            self.say("site.vlan-differs", &router.place, message);
        }
        if router.md5.is_some() && router.md5 != peering.shared_key {
            let message = format!("{name} has another key than the peering of {address}");
            self.say("site.key-differs", &router.place, message);
        }
    }

    /// A site's ranges against what its circuit leads to.
    fn overlaps(&mut self, site: &Site, circuit: &Circuit) {
        let gateways = (self.azure.connections.iter())
            .filter(|c| c.circuit == circuit.id)
            .filter_map(|c| self.azure.gateways.iter().find(|g| g.id == c.gateway));
        let vnets: Vec<VirtualNetwork> = gateways
            .filter_map(|g| self.azure.vnets.iter().find(|v| v.id == g.vnet))
            .cloned()
            .collect();
        for network in &site.networks {
            let what = format!(
                "network \"{}\" of site \"{}\", {}",
                network.name, site.name, network.cidr
            );
            for vnet in &vnets {
                for range in &vnet.address_space {
                    if let ipnet::IpNet::V4(range) = range
                        && overlap(network.cidr, *range)
                    {
                        let message =
                            format!("{what}, overlaps {range} of virtual network {}", vnet.name);
                        self.say_once("site.overlaps-vnet", &network.place, message);
                    }
                }
            }
            let peering = private_peering(circuit).into_iter();
            for prefix in peering.flat_map(|p| [p.primary, p.secondary]) {
                if overlap(network.cidr, prefix) {
                    let message = format!("{what}, overlaps {prefix} of the peering");
                    self.say_once("site.overlaps-peering", &network.place, message);
                }
            }
        }
    }

    /// Two routers of a site may meet the same thing.
    fn say_once(&mut self, name: &'static str, place: &Place, message: String) {
        if self.said.iter().all(|said| said.message != message) {
            self.say(name, place, message);
        }
    }

    /// Paths of circuits: each taken once, and both.
    fn paths(&mut self, sites: &[(&LabFile, &Site)]) {
        let mut taken: BTreeMap<(String, Path), String> = BTreeMap::new();
        let mut circuits: BTreeMap<String, (String, Place)> = BTreeMap::new();
        for (file, site) in sites {
            for router in &site.routers {
                let Some(circuit) = self.circuit(file, router) else {
                    continue;
                };
                let id = circuit.id.to_string();
                let name = format!("router \"{}\" of site \"{}\"", router.name, site.name);
                circuits
                    .entry(id.clone())
                    .or_insert_with(|| (router.circuit.to_string(), router.place.clone()));
                for path in paths_of(router) {
                    let Some(first) = taken.get(&(id.clone(), path)) else {
                        taken.insert((id.clone(), path), name.clone());
                        continue;
                    };
                    let message = format!(
                        "the {} path of {} ends at {first} already; {name} gets nothing",
                        path_words(path),
                        router.circuit
                    );
                    self.say("site.path-taken", &router.place, message);
                }
            }
        }
        for (id, (address, place)) in circuits {
            for path in [Path::Primary, Path::Secondary] {
                if !taken.contains_key(&(id.clone(), path)) {
                    let message = format!(
                        "the {} path of {address} ends nowhere: Microsoft works on one path at a time and counts on the other",
                        path_words(path)
                    );
                    self.say("site.one-path", &place, message);
                }
            }
        }
    }

    fn carrier(&mut self, carrier: &Carrier) {
        let providers: Vec<String> = (self.azure.circuits.iter())
            .map(|c| c.provider.clone())
            .collect();
        for wanted in &carrier.providers {
            if !providers.iter().any(|p| p.eq_ignore_ascii_case(wanted)) {
                let message = format!(
                    "carrier \"{}\" stands for {wanted}, and no circuit is of that provider",
                    carrier.name
                );
                self.say("carrier.unused", &carrier.place, message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn rules_have_names_of_their_own_and_a_known_source() {
        let names: BTreeSet<&str> = TABLE.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), TABLE.len());
        for rule in TABLE {
            assert!(
                rule.text.ends_with('.') && rule.help.ends_with('.'),
                "{}",
                rule.name
            );
            let mut sources = skybridge_catalogue::catalogue().sources.iter();
            assert!(sources.any(|s| s.key == rule.source), "{}", rule.source);
        }
    }
}
