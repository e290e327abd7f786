//! The connectivity provider: a party of its own, automatic unless told otherwise.

use std::collections::BTreeMap;

use skybridge_base::VlanId;
use skybridge_blueprint::{LinkName, Tagging};
use skybridge_compile::Leg;
use skybridge_estate::{Command as EstateCommand, ProviderAction, Resource};
use skybridge_world::{Command, TagFault, TagLevel};

use crate::carrier;
use crate::document::{AssumedRow, ErrorDocument, Listing, ProviderRow};
use crate::lab::Lab;
use crate::names::no_such;
use crate::output::ClientId;
use crate::request::{Provider, Request, Response, UpRequest};
use crate::stub::{PROBE, Stub};

const CIRCUITS: &str = "Microsoft.Network/expressRouteCircuits";

/// How providers were told to behave.
#[derive(Debug, Default)]
pub(crate) struct Providers {
    /// Stubs of the OCI side that were made, by service key.
    stubs: BTreeMap<String, Stub>,
    /// Tags that a provider changes, by circuit: what was set.
    vlan_faults: BTreeMap<String, u16>,
}

impl Providers {
    /// What was made up and is there, for the report.
    pub(crate) fn stubs(&self, is_up: impl Fn(&str) -> bool) -> impl Iterator<Item = AssumedRow> {
        let up = move |stub: &Stub| is_up(&stub.source.directory);
        let stubs = self.stubs.iter().filter(move |(_, stub)| up(stub));
        stubs.map(|(key, stub)| stub.assumed(key))
    }
}

/// Answers a `provider` order.
pub(crate) fn answer(
    lab: &mut Lab,
    client: ClientId,
    order: &Provider,
) -> Result<Option<Response>, ErrorDocument> {
    match order {
        Provider::List => Ok(Some(Response::Provider(Listing { rows: rows(lab) }))),
        Provider::Provision { key } => {
            let key = service_key(lab, key)?;
            if is_oracle(lab, &key) && !has_virtual_circuit(lab, &key) {
                return make_stub(lab, client, &key).map(|()| None);
            }
            for action in [
                ProviderAction::Begin,
                ProviderAction::Provision { peering: None },
            ] {
                act(lab, &key, action)?;
            }
            Ok(Some(done(format!("{key} is provisioned"))))
        }
        Provider::Deprovision { key } => {
            let key = service_key(lab, key)?;
            let Some(stub) = lab.providers.stubs.remove(&key) else {
                act(lab, &key, ProviderAction::Deprovision)?;
                return Ok(Some(done(format!("{key} is not provisioned any more"))));
            };
            let down = Request::Down {
                directory: Some(stub.source.directory),
            };
            let message = format!("{key} is not provisioned any more; its stub is gone");
            lab.enqueue(client, down, Some(message));
            Ok(None)
        }
        Provider::Set { key, name, value } => set(lab, key, name, value).map(Some),
    }
}

/// Whether a virtual circuit of this estate holds a service key.
fn has_virtual_circuit(lab: &Lab, key: &str) -> bool {
    let circuits = &lab.network.oci.virtual_circuits;
    circuits
        .iter()
        .any(|vc| vc.service_key.as_deref() == Some(key))
}

/// Brings up a stand-in for the OCI side of a circuit.
fn make_stub(lab: &mut Lab, client: ClientId, key: &str) -> Result<(), ErrorDocument> {
    let error = |message: String| ErrorDocument {
        message,
        help: None,
        diagnostics: Vec::new(),
    };
    let circuits = &lab.network.azure.circuits;
    let Some(circuit) = circuits.iter().find(|c| c.service_key == key) else {
        return Err(error(format!("the circuit of {key} is not there yet")));
    };
    let stub = Stub::of(lab, circuit).map_err(error)?;
    let message = format!(
        "{key} is provisioned; a stub of the OCI side stands for yours: VCN {} with host {PROBE}",
        stub.prefix
    );
    let up = UpRequest {
        stacks: vec![stub.source.clone()],
        force: true,
        skip_simulation: true,
    };
    lab.providers.stubs.insert(key.to_owned(), stub);
    lab.enqueue(client, Request::Up(up), Some(message));
    Ok(())
}

const fn done(message: String) -> Response {
    Response::Done { message }
}

fn circuits(lab: &Lab) -> Vec<&Resource> {
    lab.control.estate.of_kind(CIRCUITS).collect()
}

/// The service key meant by a key or a circuit's name or address.
fn service_key(lab: &Lab, wanted: &str) -> Result<String, ErrorDocument> {
    let circuits = circuits(lab);
    let key = |r: &Resource| {
        r.text("/properties/serviceKey")
            .unwrap_or_default()
            .to_owned()
    };
    (circuits.iter())
        .find(|r| key(r) == wanted || r.name == wanted || r.label() == wanted)
        .map(|r| key(r))
        .ok_or_else(|| no_such("circuit", wanted, circuits.iter().map(|r| r.name.as_str())))
}

fn is_oracle(lab: &Lab, key: &str) -> bool {
    circuits(lab).iter().any(|r| {
        r.text("/properties/serviceKey") == Some(key)
            && r.text("/properties/serviceProviderProperties/serviceProviderName")
                .is_some_and(|p| p.eq_ignore_ascii_case(skybridge_azure::ORACLE_PROVIDER))
    })
}

fn act(lab: &mut Lab, key: &str, action: ProviderAction) -> Result<(), ErrorDocument> {
    let command = EstateCommand::Provider {
        service_key: key.to_owned(),
        action,
    };
    let now = lab.now;
    lab.control
        .submit(now, &command)
        .map(|_written| ())
        .map_err(|refusal| ErrorDocument {
            message: refusal.to_string(),
            help: None,
            diagnostics: Vec::new(),
        })
}

fn rows(lab: &Lab) -> Vec<ProviderRow> {
    circuits(lab)
        .into_iter()
        .map(|r| {
            let text = |pointer: &str| r.text(pointer).unwrap_or_default().to_owned();
            let model = lab.network.azure.circuits.iter().find(|c| c.id == r.id);
            let service_key = text("/properties/serviceKey");
            let provider = text("/properties/serviceProviderProperties/serviceProviderName");
            let by_hand = r
                .text(&format!("/tags/{}", skybridge_azure::MANUAL_PROVIDER_TAG))
                .is_some_and(|t| t == "manual");
            ProviderRow {
                circuit: r.name.clone(),
                location: text("/properties/serviceProviderProperties/peeringLocation"),
                bandwidth_mbps: model.map_or(0, |c| c.bandwidth_mbps),
                state: text("/properties/serviceProviderProvisioningState"),
                mode: if provider.eq_ignore_ascii_case(skybridge_azure::ORACLE_PROVIDER) {
                    "by virtual circuit"
                } else if by_hand {
                    "manual"
                } else {
                    "automatic"
                }
                .to_owned(),
                s_tag: model.map_or(0, |c| c.s_tag.as_u16()),
                paths: carrier::rows(lab, &service_key),
                service_key,
                provider,
            }
        })
        .collect()
}

/// `vlan=N`: the provider hands the circuit's frames on with customer tag N; `vlan=ok` mends it.
fn set(lab: &mut Lab, wanted: &str, name: &str, value: &str) -> Result<Response, ErrorDocument> {
    let error = |message: String, help: &str| ErrorDocument {
        message,
        help: Some(help.to_owned()),
        diagnostics: Vec::new(),
    };
    match name {
        "vlan" => {}
        "fault" => return set_fault(lab, wanted, value),
        _ => {
            return Err(error(
                format!("providers have no setting called {name}"),
                "known: vlan=N (a wrong customer tag on both links), vlan=ok, fault=F, fault=ok",
            ));
        }
    }
    let key = service_key(lab, wanted)?;
    let legs = legs(lab, &key);
    if legs.is_empty() {
        return Err(error(
            format!("{wanted} has no link that carries it yet"),
            "provision it first",
        ));
    }
    let carried = carrier::paths(lab, &key, None);
    if value == "ok" {
        carrier::set_c_tag(lab, &carried, None)?;
        for (link, _) in legs.iter().filter(|_| carried.is_empty()) {
            world(lab, Command::ClearTagFaults { link: link.clone() })?;
        }
        lab.providers.vlan_faults.remove(&key);
        return Ok(done(format!(
            "the provider of {wanted} carries its tags as they are"
        )));
    }
    let to = value
        .parse::<u16>()
        .ok()
        .and_then(VlanId::new)
        .ok_or_else(|| error(format!("{value} is no VLAN id"), "1 to 4094, or ok"))?;
    carrier::set_c_tag(lab, &carried, Some(to))?;
    for (link, from) in legs.into_iter().filter(|_| carried.is_empty()) {
        let fault = TagFault {
            level: TagLevel::Inner,
            from,
            to,
        };
        world(lab, Command::SetTagFault { link, fault })?;
    }
    lab.providers.vlan_faults.insert(key, to.as_u16());
    Ok(done(format!(
        "the provider of {wanted} hands it on with customer tag {to}"
    )))
}

/// `fault=F` on every path that a carrier carries, or with `KEY/PATH` on one.
fn set_fault(lab: &mut Lab, wanted: &str, value: &str) -> Result<Response, ErrorDocument> {
    let (circuit, path) = match wanted.rsplit_once('/') {
        Some((circuit, "primary")) => (circuit, Some(Leg::Primary)),
        Some((circuit, "secondary")) => (circuit, Some(Leg::Secondary)),
        _ => (wanted, None),
    };
    let key = service_key(lab, circuit)?;
    let legs = carrier::paths(lab, &key, path);
    if legs.is_empty() {
        let help = if is_oracle(lab, &key) {
            "a circuit of provider Oracle has no carrier in between; vlan=N is what can go wrong there"
        } else {
            "a site's router in the lab file, a private peering and a provisioned circuit make one"
        };
        return Err(ErrorDocument {
            message: format!("no carrier carries {wanted}"),
            help: Some(help.to_owned()),
            diagnostics: Vec::new(),
        });
    }
    carrier::set(lab, wanted, &legs, value).map(done)
}

fn world(lab: &mut Lab, command: Command) -> Result<(), ErrorDocument> {
    lab.network
        .world
        .command(command)
        .map_err(|e| ErrorDocument {
            message: e.to_string(),
            help: None,
            diagnostics: Vec::new(),
        })
}

/// The links that carry a circuit, with its customer tag.
fn legs(lab: &Lab, key: &str) -> Vec<(LinkName, VlanId)> {
    let index = &lab.network.compiled.index;
    let circuit = (lab.network.azure.circuits.iter()).find(|c| c.service_key == key);
    let legs = circuit
        .and_then(|c| index.circuits.get(&c.id))
        .map_or(&[][..], |c| &c.legs);
    legs.iter()
        .filter_map(|leg| {
            let node = lab.network.compiled.blueprint.nodes.get(&leg.node)?;
            match node.as_router()?.interfaces.get(&leg.interface)?.tagging {
                Tagging::QinQ { c_tag, .. } => Some((leg.link.clone()?, c_tag)),
                Tagging::Untagged | Tagging::Dot1q(_) => None,
            }
        })
        .collect()
}
