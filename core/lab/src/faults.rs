//! Breaking and mending: what people call elements, and what is cut.

use skybridge_blueprint::{LinkName, NodeName};
use skybridge_compile::{Leg, LegIndex};
use skybridge_estate::ResourceId;
use skybridge_world::{Command, CommandError, CutMode as WorldMode, Element};

use crate::document::{ErrorDocument, FaultReport};
use crate::lab::Lab;
use crate::names::no_such;
use crate::request::CutMode;

/// Cuts what `wanted` names. `towards` names the node that no longer hears the other, in mode one-way.
pub(crate) fn cut(
    lab: &mut Lab,
    wanted: &str,
    mode: CutMode,
    towards: Option<&str>,
) -> Result<FaultReport, ErrorDocument> {
    let mut elements = elements(lab, wanted, mode)?;
    if elements.is_empty() {
        return Err(ErrorDocument {
            message: format!("{wanted} has no path at present that could fail"),
            help: Some("its other side is not there: see `skybridge provider list`".to_owned()),
            diagnostics: Vec::new(),
        });
    }
    let mode = world_mode(lab, mode, towards)?;
    if let WorldMode::OneWay { towards } = &mode {
        // A circuit has two legs and a node is at the end of one of them: the other is left alone.
        let ends_there = |element: &Element| has_end(lab, element, towards);
        if elements.iter().any(ends_there) {
            elements.retain(ends_there);
        }
    }
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

fn world_mode(lab: &Lab, mode: CutMode, towards: Option<&str>) -> Result<WorldMode, ErrorDocument> {
    let refused = |message: &str, help: &str| ErrorDocument {
        message: message.to_owned(),
        help: Some(help.to_owned()),
        diagnostics: Vec::new(),
    };
    Ok(match (mode, towards) {
        (CutMode::OneWay, Some(towards)) => {
            let nodes = &lab.network.compiled.blueprint.nodes;
            if !nodes.contains_key(towards) {
                let known = nodes.keys().map(NodeName::as_str);
                return Err(no_such("node", towards, known));
            }
            WorldMode::OneWay {
                towards: towards.into(),
            }
        }
        (CutMode::OneWay, None) => {
            return Err(refused(
                "mode one-way needs the end that no longer hears the other",
                "name it with --towards NODE; `skybridge show links` prints the ends",
            ));
        }
        (_, Some(_)) => {
            return Err(refused(
                &format!("mode {} has no direction", mode.label()),
                "--towards goes with --mode one-way",
            ));
        }
        (CutMode::LinkDown, None) => WorldMode::LinkDown,
        (CutMode::Silent, None) => WorldMode::Silent,
        (CutMode::Admin, None) => WorldMode::Admin,
        (CutMode::Session, None) => WorldMode::Session,
    })
}

/// Whether a link, or a circuit on it, ends at a node.
fn has_end(lab: &Lab, element: &Element, node: &NodeName) -> bool {
    let (Element::Link(link) | Element::Circuit { link, .. }) = element else {
        return false;
    };
    (lab.network.compiled.blueprint.links.get(link))
        .is_some_and(|link| link.a.node == *node || link.b.node == *node)
}

/// Mends what `wanted` names, or everything.
pub(crate) fn heal(lab: &mut Lab, wanted: Option<&str>) -> Result<FaultReport, ErrorDocument> {
    let Some(wanted) = wanted else {
        let all: Vec<Element> = lab.network.world.faults().map(|(e, _)| e.clone()).collect();
        command(lab, Command::Heal { element: None })?;
        return Ok(report(lab, &all, "healed"));
    };
    let mut candidates = elements(lab, wanted, CutMode::Silent)?;
    for mode in [CutMode::LinkDown, CutMode::Session] {
        candidates.extend(elements(lab, wanted, mode)?);
    }
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
            help: help(&error).map(str::to_owned),
            message: error.to_string(),
            diagnostics: Vec::new(),
        })
}

/// What to do about a refusal of the world.
fn help(error: &CommandError) -> Option<&'static str> {
    match error {
        CommandError::ModeNotApplicable { element, .. } if element.starts_with("session") => Some(
            "a session fails by --mode session; `skybridge show links` names what fails otherwise",
        ),
        CommandError::ModeNotApplicable {
            mode: "session", ..
        } => Some(
            "name a session by the router and address that `skybridge show bgp` prints, or a leg by \
             CIRCUIT/primary",
        ),
        CommandError::ModeNotApplicable {
            mode: "one-way", ..
        } => Some("only links and circuits have directions"),
        CommandError::ModeNotApplicable { .. }
        | CommandError::UnknownNode(_)
        | CommandError::UnknownLink(_)
        | CommandError::UnknownElement(_)
        | CommandError::NotCut(_)
        | CommandError::NotAHost(_)
        | CommandError::NodeStopped(_)
        | CommandError::PortLinked { .. } => None,
    }
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

/// The elements that a name means: a node, a link, a session, or the legs of a circuit or virtual circuit (in mode
/// session their own ends: those of MSEEs or of FastConnect edges). A circuit's leg that shares its link with other circuits is cut by its service tag when
/// its frames vanish.
fn elements(lab: &Lab, wanted: &str, mode: CutMode) -> Result<Vec<Element>, ErrorDocument> {
    let blueprint = &lab.network.compiled.blueprint;
    if blueprint.nodes.contains_key(wanted) {
        return Ok(vec![Element::Node(wanted.into())]);
    }
    if blueprint.links.contains_key(wanted) {
        return Ok(vec![Element::Link(wanted.into())]);
    }
    let circuits = circuits(lab);
    for (id, label, ends) in &circuits {
        let address = lab.control.estate.resource(id).map_or("", |r| r.label());
        for name in [*label, address] {
            if wanted == name {
                return Ok(legs(lab, ends, &Leg::BOTH, mode));
            }
            for leg in Leg::BOTH {
                if wanted == format!("{name}/{}", leg.label()) {
                    return Ok(legs(lab, ends, &[leg], mode));
                }
            }
        }
    }
    let sessions = sessions(lab, wanted);
    if !sessions.is_empty() {
        return Ok(sessions);
    }
    let paths = (circuits.iter())
        .flat_map(|(_, label, _)| Leg::BOTH.map(|leg| format!("{label}/{}", leg.label())));
    let known: Vec<String> = paths
        .chain(blueprint.links.keys().map(LinkName::to_string))
        .chain(blueprint.nodes.keys().map(NodeName::to_string))
        .collect();
    Err(no_such("element", wanted, known.iter().map(String::as_str)))
}

/// Circuits of Azure and virtual circuits of OCI, with their labels and their own ends of the legs.
fn circuits(lab: &Lab) -> Vec<(&ResourceId, &str, &[LegIndex])> {
    let index = &lab.network.compiled.index;
    let azure = (index.circuits.iter()).map(|(id, c)| (id, c.label.as_str(), c.legs.as_slice()));
    let oci = index.virtual_circuits.iter().filter_map(|(id, legs)| {
        // The instance at the edge is called after the virtual circuit.
        Some((id, legs.first()?.instance.as_str(), legs.as_slice()))
    });
    azure.chain(oci).collect()
}

/// The ends of sessions that a name means: the first column of `show bgp` (router and address), a peering
/// with its path (`payments-azure/private/primary`), or the world's own name (router, instance, peer).
fn sessions(lab: &Lab, wanted: &str) -> Vec<Element> {
    let mut found = Vec::new();
    for (node, spec) in &lab.network.compiled.blueprint.nodes {
        for (instance, bgp) in spec.as_router().iter().flat_map(|r| &r.bgp) {
            for (name, peer) in &bgp.peers {
                let names = [
                    format!("{node} {}", peer.local),
                    format!("{}/{}", peer.role.peering, peer.role.path),
                    format!("{node}/{instance}/{name}"),
                ];
                // Several sessions of a router may share an address; then the peering tells them apart.
                if names.iter().any(|n| n == wanted) {
                    found.push(session(node, instance, name));
                }
            }
        }
    }
    found
}

fn session(node: &NodeName, instance: &str, peer: &str) -> Element {
    Element::Session {
        node: node.clone(),
        instance: instance.to_owned(),
        peer: peer.to_owned(),
    }
}

fn legs(lab: &Lab, ends: &[LegIndex], legs: &[Leg], mode: CutMode) -> Vec<Element> {
    let blueprint = &lab.network.compiled.blueprint;
    let mut found = Vec::new();
    for (leg, index) in Leg::BOTH.into_iter().zip(ends) {
        if mode == CutMode::Session {
            if legs.contains(&leg) {
                found.push(session(&index.node, &index.instance, &index.peer));
            }
            continue;
        }
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
                if shared && matches!(mode, CutMode::Silent | CutMode::OneWay) =>
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
