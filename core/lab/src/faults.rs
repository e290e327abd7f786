//! Breaking and mending: what people call elements, and what is cut.

use skybridge_blueprint::{LinkName, NodeName};
use skybridge_compile::{CircuitIndex, Leg};
use skybridge_world::{Command, CutMode as WorldMode, Element};

use crate::document::{ErrorDocument, FaultReport};
use crate::lab::Lab;
use crate::names::no_such;
use crate::request::CutMode;

/// Cuts what `wanted` names.
pub(crate) fn cut(
    lab: &mut Lab,
    wanted: &str,
    mode: CutMode,
) -> Result<FaultReport, ErrorDocument> {
    let elements = elements(lab, wanted, mode)?;
    let mode = match mode {
        CutMode::LinkDown => WorldMode::LinkDown,
        CutMode::Silent => WorldMode::Silent,
        CutMode::Admin => WorldMode::Admin,
    };
    for element in &elements {
        command(
            lab,
            Command::Cut {
                element: element.clone(),
                mode: mode.clone(),
            },
        )?;
    }
    Ok(report(lab, &elements, &format!("cut ({})", mode.label())))
}

/// Mends what `wanted` names, or everything.
pub(crate) fn heal(lab: &mut Lab, wanted: Option<&str>) -> Result<FaultReport, ErrorDocument> {
    let Some(wanted) = wanted else {
        let all: Vec<Element> = lab.network.world.faults().map(|(e, _)| e.clone()).collect();
        command(lab, Command::Heal { element: None })?;
        return Ok(report(lab, &all, "healed"));
    };
    let mut candidates = elements(lab, wanted, CutMode::Silent)?;
    candidates.extend(elements(lab, wanted, CutMode::LinkDown)?);
    candidates.sort();
    candidates.dedup();
    let cut: Vec<Element> = lab.network.world.faults().map(|(e, _)| e.clone()).collect();
    candidates.retain(|e| cut.contains(e));
    if candidates.is_empty() {
        return Err(ErrorDocument {
            message: format!("{wanted} is not cut"),
            help: Some(if cut.is_empty() {
                "nothing is cut at present".to_owned()
            } else {
                let cut: Vec<String> = cut.iter().map(ToString::to_string).collect();
                format!("cut at present: {}", cut.join(", "))
            }),
            diagnostics: Vec::new(),
        });
    }
    for element in &candidates {
        let element = Some(element.clone());
        command(lab, Command::Heal { element })?;
    }
    Ok(report(lab, &candidates, "healed"))
}

fn command(lab: &mut Lab, command: Command) -> Result<(), ErrorDocument> {
    lab.network
        .world
        .command(command)
        .map_err(|error| ErrorDocument {
            message: error.to_string(),
            help: None,
            diagnostics: Vec::new(),
        })
}

fn report(lab: &Lab, elements: &[Element], what: &str) -> FaultReport {
    FaultReport {
        elements: elements.iter().map(ToString::to_string).collect(),
        what: what.to_owned(),
        cut: (lab.network.world.faults())
            .map(|(element, mode)| format!("{element} {}", mode.label()))
            .collect(),
    }
}

/// The elements that a name means: a node, a link, or a circuit's legs. A circuit's leg that shares its
/// link with other circuits is cut by its service tag when it fails silently.
fn elements(lab: &Lab, wanted: &str, mode: CutMode) -> Result<Vec<Element>, ErrorDocument> {
    let blueprint = &lab.network.compiled.blueprint;
    if blueprint.nodes.contains_key(wanted) {
        return Ok(vec![Element::Node(wanted.into())]);
    }
    if blueprint.links.contains_key(wanted) {
        return Ok(vec![Element::Link(wanted.into())]);
    }
    let index = &lab.network.compiled.index;
    for (id, circuit) in &index.circuits {
        let address = lab.control.estate.resource(id).map_or("", |r| r.label());
        for name in [circuit.label.as_str(), address] {
            if wanted == name {
                return Ok(legs(lab, circuit, &Leg::BOTH, mode));
            }
            for leg in Leg::BOTH {
                if wanted == format!("{name}/{}", leg.label()) {
                    return Ok(legs(lab, circuit, &[leg], mode));
                }
            }
        }
    }
    let circuits = index
        .circuits
        .values()
        .flat_map(|c| Leg::BOTH.map(|leg| format!("{}/{}", c.label, leg.label())));
    let known: Vec<String> = circuits
        .chain(blueprint.links.keys().map(LinkName::to_string))
        .chain(blueprint.nodes.keys().map(NodeName::to_string))
        .collect();
    Err(no_such("element", wanted, known.iter().map(String::as_str)))
}

fn legs(lab: &Lab, circuit: &CircuitIndex, legs: &[Leg], mode: CutMode) -> Vec<Element> {
    let blueprint = &lab.network.compiled.blueprint;
    let mut found = Vec::new();
    for (leg, index) in Leg::BOTH.into_iter().zip(&circuit.legs) {
        let Some(link) = index.link.as_ref().filter(|_| legs.contains(&leg)) else {
            continue;
        };
        let router = blueprint.nodes.get(&index.node).and_then(|n| n.as_router());
        let tagging = router.and_then(|r| r.interfaces.get(&index.interface));
        let shared = lab
            .network
            .compiled
            .index
            .circuits
            .values()
            .flat_map(|c| &c.legs)
            .filter(|other| other.link.as_ref() == Some(link))
            .count()
            > 1;
        match tagging.map(|i| i.tagging) {
            Some(skybridge_blueprint::Tagging::QinQ { s_tag, .. })
                if shared && mode == CutMode::Silent =>
            {
                found.push(Element::Circuit {
                    link: link.clone(),
                    s_tag,
                });
            }
            Some(_) | None => found.push(Element::Link(link.clone())),
        }
    }
    found
}
