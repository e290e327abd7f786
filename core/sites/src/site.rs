//! Reading sites and carriers.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use skybridge_base::{Asn, VlanId};
use skybridge_hcl::ast::Block;
use skybridge_hcl::{Diagnostic, Span, Value, nearest_name};

use crate::arguments::{Arguments, Context, place, resource_of};
use crate::blocks::{label, path};
use crate::model::{Endpoint, LabFile, LabHost};
use crate::premises::{
    Attach, Bfd, Carrier, HandOff, HostPlace, Network, Persona, PortMode, Router, Site,
};
use crate::units::parse_duration;

/// The router that stands for everything inside a site.
const LAN: &str = "lan";
/// Longest name of an interface that Linux takes.
const INTERFACE_NAME_MAX: usize = 15;
/// Routers of a site that can be told apart inside it.
const ROUTERS_MAX: usize = 60;
/// Models of carriers that nobody acts on yet.
const MODELS_RESERVED: [&str; 3] = ["l3", "exchange", "direct"];

pub(crate) fn site(context: &mut Context<'_>, block: &Block, lab: &mut LabFile) {
    let name = clean_label(context, block);
    let arguments = Arguments::with_blocks(context, block, &["asn"], &["network", "router"]);
    let whole = arguments.required(context, "asn");
    let asn = arguments.parsed(context, "asn", asn);
    let mut networks = Vec::new();
    let mut routers = Vec::new();
    // Networks and routers are referred to alike: site.hq.lan, site.hq.ce1.
    let mut seen: BTreeMap<String, Span> = BTreeMap::new();
    for inner in &block.body.blocks {
        if let Some(text) = inner.label(0) {
            if let Some(first) = seen.get(text) {
                let detail = format!("\"{text}\" is defined in this site at {first} already");
                context.error("Duplicate block", detail, &inner.span);
            } else {
                seen.insert(text.to_owned(), inner.span.clone());
            }
        }
        match inner.kind.as_str() {
            "network" => {
                networks.extend(network(context, inner, name.as_deref(), lab));
            }
            "router" => routers.extend(router(context, inner)),
            // Named by the arguments already.
            _ => {}
        }
    }
    if routers.len() > ROUTERS_MAX {
        let detail = format!("a site has at most {ROUTERS_MAX} routers");
        context.error("Too many routers", detail, &block.span);
    }
    if let (Some(name), Some(asn), true) = (name, asn, whole) {
        lab.sites.push(Site {
            name,
            asn,
            networks,
            routers,
            place: place(&block.span),
        });
    }
}

fn asn(value: &Value) -> Result<Asn, String> {
    let number = value.as_u64().and_then(|n| u32::try_from(n).ok());
    number
        .filter(|n| *n > 0)
        .map(Asn)
        .ok_or_else(|| "an AS number from 1 to 4294967295 is expected".to_owned())
}

fn network(
    context: &mut Context<'_>,
    block: &Block,
    site: Option<&str>,
    lab: &mut LabFile,
) -> Option<Network> {
    let name = clean_label(context, block);
    let arguments = Arguments::with_blocks(context, block, &["cidr"], &["host"]);
    let whole = arguments.required(context, "cidr");
    let cidr = arguments.text(context, "cidr", |text| {
        let net: Ipv4Net = text
            .parse()
            .map_err(|_| format!("\"{text}\" is not an IPv4 prefix such as \"192.168.0.0/16\""))?;
        if net != net.trunc() {
            return Err(format!(
                "\"{text}\" has bits beyond its length; {} has none",
                net.trunc()
            ));
        }
        if net.prefix_len() > 30 {
            return Err(format!("\"{text}\" has no room for a gateway and a host"));
        }
        Ok(net)
    });
    let name = name.filter(|_| whole)?;
    for inner in block.body.blocks.iter().filter(|b| b.kind == "host") {
        let host = label(context, inner);
        let arguments = Arguments::new(context, inner, &["address"]);
        let address = arguments.text(context, "address", |text| address_in(text, cidr));
        if let (Some(host), Some(site)) = (host, site) {
            lab.hosts.push(LabHost {
                name: host,
                subnet: HostPlace::Network {
                    site: site.to_owned(),
                    network: name.clone(),
                },
                address: address.map(Into::into),
                place: place(&inner.span),
            });
        }
    }
    Some(Network {
        name,
        cidr: cidr?,
        place: place(&block.span),
    })
}

fn address_in(text: &str, cidr: Option<Ipv4Net>) -> Result<Ipv4Addr, String> {
    let address: Ipv4Addr = text
        .parse()
        .map_err(|_| format!("\"{text}\" is not an IPv4 address"))?;
    let Some(cidr) = cidr else {
        return Ok(address);
    };
    let usable = cidr.contains(&address)
        && address != cidr.network()
        && address != cidr.broadcast()
        && cidr.hosts().next() != Some(address);
    if usable {
        Ok(address)
    } else {
        Err(format!(
            "\"{text}\" is no host address of {cidr}, whose first is the gateway's"
        ))
    }
}

const ROUTER: [&str; 12] = [
    "circuit",
    "path",
    "attach",
    "mode",
    "persona",
    "vlan",
    "bfd",
    "hold",
    "keepalive",
    "md5",
    "local_pref",
    "prepend",
];

fn router(context: &mut Context<'_>, block: &Block) -> Option<Router> {
    let name = clean_label(context, block);
    if name.as_deref() == Some(LAN) {
        let detail = format!("\"{LAN}\" is what the router inside a site is called");
        context.error("Invalid name", detail, &block.span);
    }
    let arguments = Arguments::new(context, block, &ROUTER);
    let whole = arguments.required(context, "circuit");
    let types = ["azurerm_express_route_circuit", "oci_core_virtual_circuit"];
    let circuit = arguments.parsed(context, "circuit", |v| resource_of(v, &types));
    let path = arguments.text(context, "path", path);
    let attach = arguments.text(context, "attach", attach);
    let mode = arguments.text(context, "mode", |text| {
        one_of(
            text,
            &[("access", PortMode::Access), ("trunk", PortMode::Trunk)],
        )
    });
    let persona = arguments.text(context, "persona", |text| one_of(text, &Persona::ALL));
    let vlan = arguments.parsed(context, "vlan", |value| {
        let number = value.as_u64().and_then(|n| u16::try_from(n).ok());
        number
            .and_then(VlanId::new)
            .ok_or_else(|| "a VLAN id from 1 to 4094 is expected".to_owned())
    });
    let bfd = arguments.parsed(context, "bfd", bfd);
    let hold_s = arguments.text(context, "hold", |text| seconds(text, 3));
    let keepalive_s = arguments.text(context, "keepalive", |text| seconds(text, 1));
    let md5 = arguments.text(context, "md5", |text| Ok(text.to_owned()));
    let local_pref = arguments.parsed(context, "local_pref", |value| {
        value
            .as_u32()
            .ok_or_else(|| "a number from 0 to 4294967295 is expected".to_owned())
    });
    let prepend = arguments.parsed(context, "prepend", |value| {
        let number = value.as_u64().and_then(|n| u8::try_from(n).ok());
        number
            .filter(|n| *n <= 10)
            .ok_or_else(|| "a number from 0 to 10 is expected".to_owned())
    });
    conflicts(
        context,
        &arguments,
        path.is_some(),
        mode,
        (hold_s, keepalive_s),
    );
    Some(Router {
        name: name.filter(|_| whole)?,
        circuit: circuit?,
        path,
        attach,
        mode: mode.unwrap_or_default(),
        persona,
        vlan,
        bfd: bfd.unwrap_or_default(),
        hold_s,
        keepalive_s,
        md5,
        local_pref,
        prepend: prepend.unwrap_or(0),
        place: place(&block.span),
    })
}

/// Arguments that do not go together.
fn conflicts(
    context: &mut Context<'_>,
    arguments: &Arguments<'_>,
    has_path: bool,
    mode: Option<PortMode>,
    (hold_s, keepalive_s): (Option<u16>, Option<u16>),
) {
    let summary = "Conflicting arguments";
    if let Some(attribute) = arguments.attribute("persona")
        && arguments.attribute("attach").is_none()
    {
        let detail = "persona stands in for an attached router; this one the lab runs itself";
        context.error(summary, detail, &attribute.name_span);
    }
    if let Some(attribute) = arguments.attribute("attach")
        && !has_path
        && arguments.attribute("path").is_none()
    {
        let detail = "an attached router has one port and needs the path that ends there";
        context.error("Missing argument", detail, &attribute.name_span);
    }
    if let Some(attribute) = arguments.attribute("vlan")
        && mode != Some(PortMode::Trunk)
    {
        let detail = "vlan belongs to mode = \"trunk\": an access port has no tags";
        context.error(summary, detail, &attribute.name_span);
    }
    if let (Some(hold), Some(keepalive)) = (hold_s, keepalive_s)
        && keepalive > hold / 3
        && let Some(attribute) = arguments.attribute("keepalive")
    {
        let detail = "keepalive is at most a third of the hold time (RFC 4271 §4.4)";
        context.error("Invalid value", detail, &attribute.expr.span);
    }
}

/// `netns:NAME`, `tap:NAME`, `packet:INTERFACE`, `interface:INTERFACE`.
fn attach(text: &str) -> Result<Attach, String> {
    let expected = || {
        format!(
            "\"{text}\" is none of \"netns:NAME\", \"tap:NAME\", \"packet:INTERFACE\" and \"interface:INTERFACE\""
        )
    };
    let (kind, name) = text.split_once(':').ok_or_else(expected)?;
    let clean = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(clean) || name.starts_with(['-', '.']) {
        return Err(format!(
            "\"{name}\" is not a name of letters, digits, \"-\", \"_\" and \".\""
        ));
    }
    if kind != "netns" && name.len() > INTERFACE_NAME_MAX {
        return Err(format!(
            "\"{name}\" is longer than an interface's name may be"
        ));
    }
    let name = name.to_owned();
    match kind {
        "netns" => Ok(Attach::Namespace(name)),
        "tap" => Ok(Attach::Tap(name)),
        "packet" => Ok(Attach::Packet(name)),
        "interface" => Ok(Attach::Interface(name)),
        _ => Err(expected()),
    }
}

/// A word among some, or what was expected.
fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, found)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*found);
    }
    let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let near = nearest_name(text, all.iter().copied());
    let help = near
        .map(|n| format!("; did you mean \"{n}\"?"))
        .unwrap_or_default();
    Err(format!("\"{text}\" is not one of {}{help}", all.join(", ")))
}

/// Whole seconds from `least` to 65535.
fn seconds(text: &str, least: u16) -> Result<u16, String> {
    let duration = parse_duration(text)?;
    let whole = u16::try_from(duration.as_secs()).ok();
    whole
        .filter(|s| duration.subsec_nanos() == 0 && *s >= least)
        .ok_or_else(|| format!("\"{text}\" is not whole seconds, {least} at least"))
}

/// `true`, `false`, or the timers.
fn bfd(value: &Value) -> Result<Bfd, String> {
    if let Some(on) = value.as_bool() {
        return Ok(if on { Bfd::Usual } else { Bfd::Off });
    }
    let expected =
        || "true, false or { interval = \"300ms\", multiplier = 3 } is expected".to_owned();
    let timers = value.as_map().ok_or_else(expected)?;
    if let Some(name) = timers
        .keys()
        .find(|n| *n != "interval" && *n != "multiplier")
    {
        return Err(format!("\"{name}\" is not one of interval, multiplier"));
    }
    let interval = timers.get("interval").and_then(Value::as_str);
    let interval = parse_duration(interval.ok_or_else(expected)?)?;
    if interval.as_millis() < 10 {
        return Err("an interval of 10ms at least is expected".to_owned());
    }
    let multiplier = timers.get("multiplier").map_or(Some(3), Value::as_u64);
    let multiplier = multiplier
        .and_then(|n| u8::try_from(n).ok())
        .filter(|n| *n > 0)
        .ok_or_else(|| "a multiplier from 1 to 255 is expected".to_owned())?;
    Ok(Bfd::On {
        interval,
        multiplier,
    })
}

pub(crate) fn carrier(context: &mut Context<'_>, block: &Block) -> Option<Carrier> {
    let name = clean_label(context, block);
    let names = ["model", "provider", "hand_off", "delay", "mtu"];
    let arguments = Arguments::new(context, block, &names);
    let whole = arguments.required(context, "model");
    let model = model(context, &arguments);
    let providers = arguments.parsed(context, "provider", providers);
    let hand_off = arguments.text(context, "hand_off", |text| {
        one_of(
            text,
            &[
                ("redundant", HandOff::Redundant),
                ("single", HandOff::Single),
            ],
        )
    });
    let delay = arguments.text(context, "delay", parse_duration);
    let mtu = arguments.parsed(context, "mtu", |value| {
        let number = value.as_u64().and_then(|n| u16::try_from(n).ok());
        number
            .filter(|n| (576..=9216).contains(n))
            .ok_or_else(|| "octets of an IP packet from 576 to 9216 are expected".to_owned())
    });
    let name = name?;
    (whole && model).then(|| Carrier {
        name,
        providers: providers.unwrap_or_default(),
        hand_off: hand_off.unwrap_or_default(),
        delay,
        mtu,
        place: place(&block.span),
    })
}

/// True for a model that is supported; the others are refused by name.
fn model(context: &mut Context<'_>, arguments: &Arguments<'_>) -> bool {
    let Some(text) = arguments.text(context, "model", |text| Ok(text.to_owned())) else {
        return false;
    };
    let span = arguments.attribute("model").map(|a| a.expr.span.clone());
    if text == "l2" {
        return true;
    }
    let said = if MODELS_RESERVED.contains(&text.as_str()) {
        let detail = format!("the carrier model \"{text}\" is not supported yet; \"l2\" is");
        Diagnostic::error("Not supported yet", detail)
    } else {
        let detail = format!("model: \"{text}\" is no model of a carrier");
        let known = std::iter::once("l2").chain(MODELS_RESERVED);
        Diagnostic::error("Invalid value", detail).suggest(&text, known)
    };
    context.said.push(said.at_opt(span.as_ref()));
    false
}

/// One provider, or a list.
fn providers(value: &Value) -> Result<Vec<String>, String> {
    let expected = || "a provider's name, or a list of names, is expected".to_owned();
    if let Some(text) = value.as_str() {
        return Ok(vec![text.to_owned()]);
    }
    let many = value.as_slice().ok_or_else(expected)?;
    let names: Option<Vec<String>> = many.iter().map(|v| v.as_str().map(str::to_owned)).collect();
    names.filter(|n| !n.is_empty()).ok_or_else(expected)
}

/// The one label, which becomes part of nodes' names.
fn clean_label(context: &mut Context<'_>, block: &Block) -> Option<String> {
    let name = label(context, block)?;
    let clean = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_clean = !name.is_empty() && name.chars().all(clean);
    if !is_clean {
        let detail = format!("\"{name}\" is not a name of letters, digits, \"-\", \"_\" and \".\"");
        context.error("Invalid name", detail, &block.span);
    }
    is_clean.then_some(name)
}

/// A service answers as one host: a network with hosts of its own is none.
pub(crate) fn services_have_one_host(context: &mut Context<'_>, lab: &LabFile) {
    for service in &lab.services {
        let Endpoint::SiteNetwork { site, network } = &service.host else {
            continue;
        };
        let named = lab.hosts.iter().find(|host| {
            matches!(&host.subnet, HostPlace::Network { site: s, network: n } if s == site && n == network)
        });
        if let Some(host) = named {
            let detail = format!(
                "site.{site}.{network} has hosts of its own; name one, such as host.{}",
                host.name
            );
            let place = &service.place;
            let span = Span {
                file: place.file.clone(),
                line: place.line,
                column: place.column,
                start: place.start,
                end: place.end,
            };
            context.error("Invalid value", detail, &span);
        }
    }
}

/// Carriers that claim the same provider.
pub(crate) fn one_carrier_each(context: &mut Context<'_>, carriers: &[(Carrier, Span)]) {
    let mut claimed: BTreeMap<String, &str> = BTreeMap::new();
    for (carrier, span) in carriers {
        let all = vec![String::new()];
        let providers = if carrier.providers.is_empty() {
            &all
        } else {
            &carrier.providers
        };
        for provider in providers {
            if let Some(other) = claimed.insert(provider.to_ascii_lowercase(), &carrier.name) {
                let whom = if provider.is_empty() {
                    "every provider".to_owned()
                } else {
                    format!("provider {provider}")
                };
                let detail = format!("carrier \"{other}\" stands for {whom} already");
                context.error("Duplicate carrier", detail, span);
            }
        }
    }
}
