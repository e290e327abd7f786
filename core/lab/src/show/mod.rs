//! Tables: what windows show of the running lab, joined from estate, blueprint index and world.

pub(crate) mod bgp_routes;
pub(crate) mod circuits;
pub(crate) mod effective;
pub(crate) mod gateways;
pub(crate) mod links;
pub(crate) mod sessions;

use skybridge_compile::{CircuitIndex, Leg, LegIndex};
use skybridge_hcl::Value;

use crate::ce_config;
use crate::document::{ErrorDocument, Listing};
use crate::forward;
use crate::lab::Lab;
use crate::names::no_such;
use crate::request::{Response, Show};

/// Answers a `show`.
pub(crate) fn show(lab: &Lab, show: &Show) -> Result<Response, ErrorDocument> {
    Ok(match show {
        Show::Circuits => Response::Circuits(listing(circuits::rows(lab))),
        Show::Peerings => Response::Peerings(listing(circuits::peerings(lab))),
        Show::VirtualCircuits => {
            Response::VirtualCircuits(listing(circuits::virtual_circuits(lab)))
        }
        Show::Gateways => Response::Gateways(listing(gateways::gateways(lab))),
        Show::Drg => Response::Drg(listing(gateways::drgs(lab))),
        Show::Arp { circuit } => Response::Arp(listing(bgp_routes::arp(
            lab,
            &legs(lab, circuit.as_deref())?,
        ))),
        Show::Routes { circuit } => Response::Routes(listing(bgp_routes::routes(
            lab,
            &legs(lab, circuit.as_deref())?,
        ))),
        Show::RouteSummary { circuit } => Response::RouteSummary(listing(bgp_routes::summary(
            lab,
            &legs(lab, circuit.as_deref())?,
        ))),
        Show::Bgp { all } => Response::Bgp(listing(sessions::rows(lab, *all))),
        Show::Bfd => Response::Bfd(listing(sessions::bfd(lab))),
        Show::EffectiveRoutes { host } => {
            Response::EffectiveRoutes(listing(effective::tables(lab, host.as_deref())?))
        }
        Show::CeConfig {
            site,
            router,
            format,
            show_secrets,
        } => Response::CeConfig(ce_config::answer(
            lab,
            site,
            router.as_deref(),
            *format,
            *show_secrets,
        )?),
        Show::Links => Response::Links(listing(links::links(lab))),
        Show::Forwards => Response::Forwards(listing(forward::rows(lab))),
        Show::Counters { node } => {
            Response::Counters(listing(links::counters(lab, node.as_deref())?))
        }
    })
}

const fn listing<T>(rows: Vec<T>) -> Listing<T> {
    Listing { rows }
}

/// A leg of a circuit, with what to call it.
pub(crate) struct ShownLeg<'a> {
    pub(crate) circuit: &'a str,
    pub(crate) leg: Leg,
    pub(crate) index: &'a LegIndex,
}

/// The legs of one circuit, or of all.
fn legs<'a>(lab: &'a Lab, circuit: Option<&str>) -> Result<Vec<ShownLeg<'a>>, ErrorDocument> {
    let all: Vec<&CircuitIndex> = lab.network.compiled.index.circuits.values().collect();
    if let Some(wanted) = circuit
        && !all.iter().any(|c| c.label == wanted)
    {
        let labels = all.iter().map(|c| c.label.as_str());
        return Err(no_such("circuit", wanted, labels));
    }
    Ok(all
        .into_iter()
        .filter(|c| circuit.is_none_or(|wanted| c.label == wanted))
        .flat_map(|c| {
            c.legs.iter().zip(Leg::BOTH).map(|(index, leg)| ShownLeg {
                circuit: c.label.as_str(),
                leg,
                index,
            })
        })
        .collect())
}

/// A value as Terraform prints outputs, on one line.
pub(crate) fn value_text(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None if value.is_wholly_known() => skybridge_hcl::to_json(value),
        None => "(unknown)".to_owned(),
    }
}
