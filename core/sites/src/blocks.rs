//! The blocks of a lab file.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use skybridge_hcl::ast::Block;
use skybridge_hcl::{Diagnostic, Value, nearest_name};

use crate::arguments::{
    Arguments, Context, destination, endpoint, endpoints, part_of_site, place, port, resource,
    resource_of,
};
use crate::limits::{canonical, limit_names};
use crate::model::{
    Element, Expectation, Forward, LabFile, LabHost, LinkSettings, LinkTarget, Path, Protocol,
    Service, Target, Within,
};
use crate::premises::HostPlace;
use crate::units::{parse_duration, parse_loss_ppm, parse_rate_bps};

/// Most elements that may fail at once.
const SURVIVES_MAX: u64 = 2;

/// The one label of a block; notes an error when it has none or more.
pub(crate) fn label(context: &mut Context<'_>, block: &Block) -> Option<String> {
    if let [label] = block.labels.as_slice() {
        return Some(label.text.clone());
    }
    let detail = format!(
        "a {} block has one label, as in {} \"name\"",
        block.kind, block.kind
    );
    context.error("Wrong number of labels", detail, &block.span);
    None
}

pub(crate) fn service(context: &mut Context<'_>, block: &Block) -> Option<Service> {
    let name = label(context, block);
    let arguments = Arguments::new(context, block, &["host", "tcp", "to"]);
    let whole = arguments.required(context, "host") & arguments.required(context, "tcp");
    let host = arguments.parsed(context, "host", endpoint);
    let tcp = arguments.parsed(context, "tcp", port);
    let to = arguments.text(context, "to", target);
    Some(Service {
        name: name.filter(|_| whole)?,
        host: host?,
        tcp: tcp?,
        to,
        place: place(&block.span),
    })
}

pub(crate) fn forward(context: &mut Context<'_>, block: &Block) -> Option<Forward> {
    let name = label(context, block);
    let names = ["listen", "from", "host", "tcp", "anywhere"];
    let arguments = Arguments::new(context, block, &names);
    let whole = ["listen", "host", "tcp"]
        .map(|name| arguments.required(context, name))
        .iter()
        .all(|there| *there);
    let anywhere = arguments.parsed(context, "anywhere", flag);
    let listen = arguments.text(context, "listen", |text| {
        listen_address(text, anywhere.unwrap_or(false))
    });
    let from = arguments.parsed(context, "from", endpoint);
    if arguments.attribute("from").is_some() && from.is_none() {
        return None;
    }
    let host = arguments.parsed(context, "host", endpoint);
    let tcp = arguments.parsed(context, "tcp", port);
    Some(Forward {
        name: name.filter(|_| whole)?,
        listen: listen?,
        from,
        host: host?,
        tcp: tcp?,
        place: place(&block.span),
    })
}

/// `address:port`, on loopback unless the file says that others may come.
fn listen_address(text: &str, anywhere: bool) -> Result<SocketAddr, String> {
    let address = text.parse::<SocketAddr>().ok();
    let address = address
        .filter(|address| address.port() > 0)
        .ok_or_else(|| format!("\"{text}\" is not address:port, such as \"127.0.0.1:15432\""))?;
    if address.ip().is_loopback() || anywhere {
        return Ok(address);
    }
    Err(format!(
        "{} is not a loopback address, so others could reach the network by it; \
         anywhere = true listens all the same",
        address.ip()
    ))
}

/// `host:port`.
fn target(text: &str) -> Result<Target, String> {
    let expected = || format!("\"{text}\" is not host:port, such as \"127.0.0.1:5432\"");
    let (host, port) = text.rsplit_once(':').ok_or_else(expected)?;
    let port: u16 = port.parse().ok().filter(|p| *p > 0).ok_or_else(expected)?;
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let host = bare.unwrap_or(host);
    if host.is_empty() || (bare.is_none() && host.contains(':')) {
        return Err(expected());
    }
    Ok(Target {
        host: host.to_owned(),
        port,
    })
}

pub(crate) fn expectation(context: &mut Context<'_>, block: &Block) -> Option<Expectation> {
    let text = label(context, block);
    let names = [
        "from",
        "to",
        "tcp",
        "udp",
        "icmp",
        "survives",
        "within",
        "reachable",
    ];
    let arguments = Arguments::new(context, block, &names);
    let whole = arguments.required(context, "from") & arguments.required(context, "to");
    let from = arguments.parsed(context, "from", |v| endpoints(v, endpoint));
    let to = arguments.parsed(context, "to", |v| endpoints(v, destination));
    let protocol = protocol(context, &arguments);
    let survives = arguments.parsed(context, "survives", |value| {
        value
            .as_u64()
            .filter(|n| *n <= SURVIVES_MAX)
            .and_then(|n| u8::try_from(n).ok())
            .ok_or_else(|| format!("a number from 0 to {SURVIVES_MAX} is expected"))
    });
    let within = arguments.parsed(context, "within", within);
    let reachable = arguments.parsed(context, "reachable", flag);
    Some(Expectation {
        text: text.filter(|_| whole)?,
        from: from?,
        to: to?,
        protocol: protocol?,
        survives: survives.unwrap_or(0),
        within,
        reachable: reachable.unwrap_or(true),
        place: place(&block.span),
    })
}

pub(crate) fn flag(value: &Value) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| "true or false is expected".to_owned())
}

/// What is sent: at most one of `tcp`, `udp`, `icmp`.
fn protocol(context: &mut Context<'_>, arguments: &Arguments<'_>) -> Option<Protocol> {
    let tcp = arguments.parsed(context, "tcp", port).map(Protocol::Tcp);
    let udp = arguments.parsed(context, "udp", port).map(Protocol::Udp);
    let icmp = arguments.parsed(context, "icmp", |value| match flag(value)? {
        true => Ok(Protocol::Icmp),
        false => Err("true is expected; leave it out to send nothing of it".to_owned()),
    });
    let named: Vec<&str> = ["tcp", "udp", "icmp"]
        .into_iter()
        .filter(|n| arguments.attribute(n).is_some())
        .collect();
    match named.as_slice() {
        [] => Some(Protocol::Icmp),
        [_] => tcp.or(udp).or(icmp),
        [_, second, ..] => {
            let detail = format!(
                "an expectation has one of tcp, udp and icmp; this has {}",
                named.join(", ")
            );
            let span = arguments.attribute(second).map(|a| a.name_span.clone());
            context
                .said
                .push(Diagnostic::error("Too many protocols", detail).at_opt(span.as_ref()));
            None
        }
    }
}

/// One duration, or one per kind of element.
fn within(value: &Value) -> Result<Within, String> {
    if let Some(text) = value.as_str() {
        return parse_duration(text).map(Within::Any);
    }
    let expected =
        || "a duration, or an object of durations by kind of element, is expected".to_owned();
    let mut durations = BTreeMap::new();
    for (name, value) in value.as_map().ok_or_else(expected)? {
        let names = || Element::ALL.iter().map(|(n, _)| *n);
        let Some((_, element)) = Element::ALL.iter().find(|(n, _)| n == name) else {
            let near = nearest_name(name, names());
            let help = near
                .map(|n| format!("; did you mean \"{n}\"?"))
                .unwrap_or_default();
            let all: Vec<&str> = names().collect();
            return Err(format!("\"{name}\" is not one of {}{help}", all.join(", ")));
        };
        let text = value.as_str().ok_or_else(expected)?;
        durations.insert(*element, parse_duration(text)?);
    }
    Ok(Within::PerElement(durations))
}

pub(crate) fn host(context: &mut Context<'_>, block: &Block) -> Option<LabHost> {
    let name = label(context, block);
    let arguments = Arguments::new(context, block, &["subnet", "network", "address"]);
    let whole = one_place(context, &arguments);
    let types = ["azurerm_subnet", "oci_core_subnet"];
    let subnet = arguments.parsed(context, "subnet", |v| {
        resource_of(v, &types).map(HostPlace::Subnet)
    });
    let network = arguments.parsed(context, "network", |v| {
        let (site, network) = part_of_site(v, "network")
            .ok_or_else(|| "a network of a site is expected, such as site.hq.lan".to_owned())?;
        Ok(HostPlace::Network { site, network })
    });
    let address = arguments.text(context, "address", |text| {
        text.parse::<IpAddr>()
            .map_err(|_| format!("\"{text}\" is not an IP address"))
    });
    Some(LabHost {
        name: name.filter(|_| whole)?,
        subnet: subnet.or(network)?,
        address,
        place: place(&block.span),
    })
}

/// True when a host has either a subnet or a site's network.
fn one_place(context: &mut Context<'_>, arguments: &Arguments<'_>) -> bool {
    match (
        arguments.attribute("subnet"),
        arguments.attribute("network"),
    ) {
        (Some(_), None) | (None, Some(_)) => true,
        (None, None) => arguments.required(context, "subnet"),
        (Some(_), Some(network)) => {
            let detail = "a host stands in either a subnet or a network of a site";
            context.error("Conflicting arguments", detail, &network.name_span);
            false
        }
    }
}

pub(crate) fn limits(context: &mut Context<'_>, block: &Block, lab: &mut LabFile) {
    if let Some(label) = block.labels.first() {
        context.error(
            "Wrong number of labels",
            "a limits block has no label",
            &label.span,
        );
    }
    for inner in &block.body.blocks {
        let detail = format!("a limits block has no block \"{}\" in it", inner.kind);
        context.error("Unsupported block", detail, &inner.span);
    }
    let names = limit_names();
    for attribute in &block.body.attributes {
        let name = &attribute.name;
        if !names.contains(name) {
            let detail = format!("the catalogue has no limit \"{name}\"");
            let said = Diagnostic::error("Unknown limit", detail)
                .at(&attribute.name_span)
                .suggest(name, names.iter().map(String::as_str));
            context.said.push(said);
            continue;
        }
        let key = canonical(name).to_owned();
        let Some(value) = context.value(attribute) else {
            continue;
        };
        let Some(number) = value.as_u64() else {
            let detail = format!("{name}: a whole number from 0 up is expected");
            context.error("Invalid value", detail, &attribute.expr.span);
            continue;
        };
        if lab.limits.insert(key.clone(), number).is_some() {
            let detail = format!("the limit \"{name}\" is set twice");
            context.error("Duplicate limit", detail, &attribute.name_span);
        }
        lab.limit_places.insert(key, place(&attribute.name_span));
    }
}

pub(crate) fn link(context: &mut Context<'_>, block: &Block) -> Option<LinkSettings> {
    let name = label(context, block);
    let names = [
        "circuit", "router", "path", "between", "delay", "jitter", "loss", "rate",
    ];
    let arguments = Arguments::new(context, block, &names);
    let target = link_target(context, &arguments);
    let delay = arguments.text(context, "delay", parse_duration);
    let jitter = arguments.text(context, "jitter", parse_duration);
    let loss_ppm = arguments.text(context, "loss", parse_loss_ppm);
    let rate_bps = arguments.text(context, "rate", parse_rate_bps);
    if let (Some(jitter), Some(attribute)) = (jitter, arguments.attribute("jitter"))
        && jitter > delay.unwrap_or_default()
    {
        let detail = "jitter is not larger than the delay";
        context.error("Invalid value", detail, &attribute.expr.span);
    }
    Some(LinkSettings {
        name: name?,
        target: target?,
        delay,
        jitter,
        loss_ppm,
        rate_bps,
        place: place(&block.span),
    })
}

/// A path's name.
pub(crate) fn path(text: &str) -> Result<Path, String> {
    match text {
        "primary" => Ok(Path::Primary),
        "secondary" => Ok(Path::Secondary),
        other => Err(format!(
            "\"{other}\" is neither \"primary\" nor \"secondary\""
        )),
    }
}

/// The access lines of a site's router.
fn router_lines(
    context: &mut Context<'_>,
    arguments: &Arguments<'_>,
    path: Option<Path>,
) -> Option<LinkTarget> {
    for other in ["circuit", "between"] {
        if let Some(attribute) = arguments.attribute(other) {
            let detail = "a link block has one of circuit, router and between";
            context.error("Conflicting arguments", detail, &attribute.name_span);
        }
    }
    let (site, router) = arguments.parsed(context, "router", |v| {
        part_of_site(v, "router")
            .ok_or_else(|| "a router of a site is expected, such as site.hq.ce1".to_owned())
    })?;
    Some(LinkTarget::Router { site, router, path })
}

/// `circuit` with perhaps a `path`, or `between` two resources.
fn link_target(context: &mut Context<'_>, arguments: &Arguments<'_>) -> Option<LinkTarget> {
    let types = ["azurerm_express_route_circuit", "oci_core_virtual_circuit"];
    let circuit = arguments.parsed(context, "circuit", |v| resource_of(v, &types));
    let path = arguments.text(context, "path", path);
    if arguments.attribute("router").is_some() {
        return router_lines(context, arguments, path);
    }
    let between = arguments.parsed(context, "between", |value| match value.as_slice() {
        Some([a, b]) => Ok(LinkTarget::Between(resource(a)?, resource(b)?)),
        _ => Err("a list of two resources is expected".to_owned()),
    });
    let span = &arguments.block.span;
    match (
        arguments.attribute("circuit"),
        arguments.attribute("between"),
    ) {
        (Some(_), Some(between)) => {
            let detail = "a link block has either circuit or between";
            context.error("Conflicting arguments", detail, &between.name_span);
            None
        }
        (None, None) => {
            let detail =
                "a link block needs the argument \"circuit\" or \"between\", or \"router\"";
            context.error("Missing argument", detail, span);
            None
        }
        (Some(_), None) => circuit.map(|circuit| LinkTarget::Circuit { circuit, path }),
        (None, Some(_)) => {
            if let Some(path) = arguments.attribute("path") {
                let detail = "path belongs to circuit";
                context.error("Conflicting arguments", detail, &path.name_span);
            }
            between
        }
    }
}
