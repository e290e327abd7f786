//! Where what may be found is written.

use std::collections::BTreeMap;

use skybridge_blueprint::NodeName;
use skybridge_compile::HostRef;
use skybridge_diagnose::Place;
use skybridge_estate::ResourceId;

use crate::lab::Lab;

/// Places of everything that a finding between hosts may be about. Routers of the user's own have none.
pub(super) fn all<'a>(
    lab: &Lab,
    hosts: impl Iterator<Item = &'a NodeName>,
) -> BTreeMap<String, Place> {
    let mut places = BTreeMap::new();
    let index = &lab.network.compiled.index;
    for (id, circuit) in &index.circuits {
        put(lab, &mut places, format!("circuit/{}", circuit.label), id);
    }
    for (name, host) in hosts.filter_map(|name| Some((name, index.hosts.get(name)?))) {
        if let HostRef::Resource(id) = &host.origin {
            put(lab, &mut places, format!("host/{name}"), id);
        }
        put(
            lab,
            &mut places,
            format!("network/{}", host.router),
            &host.network,
        );
        if let Some(subnet) = index.subnets.get(&host.subnet) {
            let key = format!("table/{}/{}", host.router, subnet.vrf);
            put(lab, &mut places, key, &route_table(lab, &host.subnet));
        }
        filters(lab, &mut places, name, &host.subnet);
    }
    drg_tables(lab, &mut places);
    places
}

fn put(lab: &Lab, places: &mut BTreeMap<String, Place>, key: String, id: &ResourceId) {
    let Some(resource) = lab.control.estate.resource(id) else {
        return;
    };
    let at = resource.origin.as_ref().and_then(|origin| origin.place(""));
    let place = Place {
        resource: resource.label().to_owned(),
        file: at.map(|p| p.file.to_string()),
        line: at.map(|p| p.line),
    };
    places.insert(key, place);
}

/// The route table of a subnet, or the subnet when it has none of its own.
fn route_table(lab: &Lab, subnet: &ResourceId) -> ResourceId {
    let azure = (lab.network.azure.vnets.iter())
        .flat_map(|vnet| &vnet.subnets)
        .find(|s| s.id == *subnet)
        .and_then(|s| s.route_table.clone());
    let oci = || {
        let mut subnets = lab.network.oci.vcns.iter().flat_map(|vcn| &vcn.subnets);
        subnets
            .find(|s| s.id == *subnet)
            .map(|s| s.route_table.clone())
    };
    azure.or_else(oci).unwrap_or_else(|| subnet.clone())
}

/// Groups and lists by the names that drops give.
fn filters(lab: &Lab, places: &mut BTreeMap<String, Place>, host: &NodeName, subnet: &ResourceId) {
    for group in &lab.network.azure.security_groups {
        put(
            lab,
            places,
            format!("filter/{}/{host}", group.name),
            &group.id,
        );
    }
    let lists = lab
        .network
        .oci
        .security_lists
        .iter()
        .map(|l| (&l.name, &l.id));
    let groups = lab
        .network
        .oci
        .security_groups
        .iter()
        .map(|g| (&g.name, &g.id));
    for (name, id) in lists.chain(groups) {
        put(lab, places, format!("filter/{name}/{host}"), id);
    }
    // "no rule matches": the subnet's own list is where one would be added.
    let own = (lab.network.oci.vcns.iter())
        .flat_map(|vcn| &vcn.subnets)
        .find(|s| s.id == *subnet)
        .and_then(|s| s.security_lists.first().cloned());
    if let Some(id) = own {
        put(lab, places, format!("filter/no/{host}"), &id);
    }
}

fn drg_tables(lab: &Lab, places: &mut BTreeMap<String, Place>) {
    for drg in &lab.network.oci.drgs {
        let Some(node) = lab.network.compiled.index.drgs.get(&drg.id) else {
            continue;
        };
        put(lab, places, format!("table/{node}/"), &drg.id);
        for table in &drg.tables {
            let label = skybridge_compile::label(&lab.control.estate, &table.name, &table.id);
            put(
                lab,
                places,
                format!("table/{node}/table/{label}"),
                &table.id,
            );
        }
    }
}
