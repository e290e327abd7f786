//! What carriers do wrong when told to: `provider set KEY[/PATH] fault=…`.

use skybridge_base::VlanId;
use skybridge_blueprint::{CarrierFault, CrossConnectEnd, Node, Tagging};
use skybridge_compile::{CarriedLeg, Leg};
use skybridge_sites::parse_loss_ppm;
use skybridge_world::Command;

use crate::document::{ErrorDocument, ProviderPathRow};
use crate::lab::Lab;

/// What `fault=` takes.
pub(crate) const FAULTS: &str = "strip-tag, wrong-s-tag[=N], wrong-c-tag[=N], mtu=N, loss=PERCENT, silent, one-way=customer, one-way=cloud, ok";

/// A fault as it is written; `None` is `ok`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wanted {
    Fault(CarrierFault),
    WrongSTag,
    WrongCTag,
    Ok,
}

/// The paths of a circuit that a carrier carries, one or all.
pub(crate) fn paths(lab: &Lab, key: &str, path: Option<Leg>) -> Vec<CarriedLeg> {
    let circuits = &lab.network.azure.circuits;
    let circuit = circuits.iter().find(|c| c.service_key == key);
    let index = circuit.and_then(|c| lab.network.compiled.index.circuits.get(&c.id));
    let carried = index.map_or(&[][..], |c| &c.carried);
    let wanted = carried.iter().filter(|c| path.is_none_or(|p| p == c.path));
    wanted.cloned().collect()
}

/// What carries a circuit, with what it does wrong.
pub(crate) fn rows(lab: &Lab, key: &str) -> Vec<ProviderPathRow> {
    let row = |leg: CarriedLeg| {
        let faults = lab
            .network
            .world
            .carrier_faults(&leg.switch, &leg.cross_connect);
        ProviderPathRow {
            path: leg.path.label().to_owned(),
            carrier: leg.carrier,
            switch: leg.switch.to_string(),
            cross_connect: leg.cross_connect.to_string(),
            faults: faults.iter().map(ToString::to_string).collect(),
        }
    };
    paths(lab, key, None).into_iter().map(row).collect()
}

/// Sets a fault on each of `legs`, or mends them.
pub(crate) fn set(
    lab: &mut Lab,
    wanted: &str,
    legs: &[CarriedLeg],
    value: &str,
) -> Result<String, ErrorDocument> {
    let order = parse(value).map_err(|message| refused(message, format!("known: {FAULTS}")))?;
    for leg in legs {
        let Some(fault) = resolved(lab, leg, order) else {
            clear(lab, leg)?;
            continue;
        };
        let command = Command::SetCarrierFault {
            node: leg.switch.clone(),
            cross_connect: leg.cross_connect.clone(),
            fault,
        };
        command_world(lab, command)?;
    }
    let names: Vec<&str> = legs.iter().map(|leg| leg.path.label()).collect();
    let names = names.join(" and ");
    Ok(match order {
        Wanted::Ok => format!("the carrier of {wanted} does its {names} path right"),
        Wanted::Fault(_) | Wanted::WrongSTag | Wanted::WrongCTag => {
            format!("the carrier of {wanted} goes wrong on its {names} path: {value}")
        }
    })
}

/// Hands the customer tag on wrongly on every path, or mends that alone.
pub(crate) fn set_c_tag(
    lab: &mut Lab,
    legs: &[CarriedLeg],
    tag: Option<VlanId>,
) -> Result<(), ErrorDocument> {
    for leg in legs {
        let (node, cross_connect) = (leg.switch.clone(), leg.cross_connect.clone());
        let set = |fault| Command::SetCarrierFault {
            node: node.clone(),
            cross_connect: cross_connect.clone(),
            fault,
        };
        if let Some(tag) = tag {
            command_world(lab, set(CarrierFault::WrongCTag(tag)))?;
            continue;
        }
        let faults = lab.network.world.carrier_faults(&node, &cross_connect);
        let others: Vec<CarrierFault> = faults
            .iter()
            .filter(|f| !matches!(f, CarrierFault::WrongCTag(_)))
            .copied()
            .collect();
        clear(lab, leg)?;
        for fault in others {
            command_world(lab, set(fault))?;
        }
    }
    Ok(())
}

fn clear(lab: &mut Lab, leg: &CarriedLeg) -> Result<(), ErrorDocument> {
    let (node, cross_connect) = (leg.switch.clone(), leg.cross_connect.clone());
    let world = &lab.network.world;
    if world.carrier_faults(&node, &cross_connect).is_empty() {
        return Ok(());
    }
    let command = Command::ClearCarrierFaults {
        node,
        cross_connect,
    };
    command_world(lab, command)
}

/// The fault on a leg: a wrong tag that nobody chose is the next one.
fn resolved(lab: &Lab, leg: &CarriedLeg, order: Wanted) -> Option<CarrierFault> {
    let nodes = &lab.network.compiled.blueprint.nodes;
    let switch = nodes.get(&leg.switch).and_then(Node::as_switch);
    let joined = switch.and_then(|s| s.cross_connects.get(&leg.cross_connect));
    let tags = match joined.map(|joined| joined.b.tagging) {
        Some(Tagging::QinQ { s_tag, c_tag }) => Some((s_tag, c_tag)),
        Some(Tagging::Untagged | Tagging::Dot1q(_)) | None => None,
    };
    match order {
        Wanted::Ok => None,
        Wanted::Fault(fault) => Some(fault),
        Wanted::WrongSTag => tags.map(|(s_tag, _)| CarrierFault::WrongSTag(next(s_tag))),
        Wanted::WrongCTag => tags.map(|(_, c_tag)| CarrierFault::WrongCTag(next(c_tag))),
    }
}

fn next(tag: VlanId) -> VlanId {
    VlanId::new(tag.as_u16() + 1)
        .or_else(|| VlanId::new(1))
        .unwrap_or(tag)
}

fn parse(value: &str) -> Result<Wanted, String> {
    let (name, number) = match value.split_once('=') {
        Some((name, number)) => (name, Some(number)),
        None => (value, None),
    };
    let tag = |number: &str| {
        let tag = number.parse::<u16>().ok().and_then(VlanId::new);
        tag.ok_or_else(|| format!("{number} is no VLAN id from 1 to 4094"))
    };
    let fault = |fault| Ok(Wanted::Fault(fault));
    match (name, number) {
        ("ok", None) => Ok(Wanted::Ok),
        ("strip-tag", None) => fault(CarrierFault::StripTag),
        ("wrong-s-tag", None) => Ok(Wanted::WrongSTag),
        ("wrong-c-tag", None) => Ok(Wanted::WrongCTag),
        ("wrong-s-tag", Some(n)) => fault(CarrierFault::WrongSTag(tag(n)?)),
        ("wrong-c-tag", Some(n)) => fault(CarrierFault::WrongCTag(tag(n)?)),
        ("silent", None) => fault(CarrierFault::Loss { ppm: 1_000_000 }),
        ("mtu", Some(n)) => {
            let mtu = n.parse::<u16>().ok().filter(|mtu| *mtu >= 68);
            let mtu = mtu.ok_or_else(|| format!("{n} is no MTU from 68 to 65535 octets"))?;
            fault(CarrierFault::Mtu(mtu))
        }
        ("loss", Some(share)) => {
            let percent = if share.ends_with('%') {
                share.to_owned()
            } else {
                format!("{share}%")
            };
            let ppm = parse_loss_ppm(&percent)?;
            fault(CarrierFault::Loss { ppm })
        }
        ("one-way", Some("customer")) => fault(CarrierFault::OneWay {
            towards: CrossConnectEnd::A,
        }),
        ("one-way", Some("cloud" | "azure")) => fault(CarrierFault::OneWay {
            towards: CrossConnectEnd::B,
        }),
        (_, _) => Err(format!("a carrier has no fault {value}")),
    }
}

fn refused(message: String, help: String) -> ErrorDocument {
    ErrorDocument {
        message,
        help: Some(help),
        diagnostics: Vec::new(),
    }
}

fn command_world(lab: &mut Lab, command: Command) -> Result<(), ErrorDocument> {
    let world = &mut lab.network.world;
    world.command(command).map_err(|e| ErrorDocument {
        message: e.to_string(),
        help: None,
        diagnostics: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_written_as_they_are_shown() {
        for text in [
            "strip-tag",
            "wrong-s-tag=101",
            "wrong-c-tag=7",
            "mtu=1000",
            "loss=2.5%",
            "silent",
            "one-way=customer",
            "one-way=cloud",
        ] {
            let Ok(Wanted::Fault(fault)) = parse(text) else {
                panic!("{text}");
            };
            assert_eq!(fault.to_string(), text);
        }
        assert_eq!(parse("ok"), Ok(Wanted::Ok));
        assert_eq!(parse("loss=100"), parse("silent"));
        for bad in [
            "",
            "mtu",
            "mtu=1",
            "loss=101",
            "one-way",
            "wrong-s-tag=0",
            "slow",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
