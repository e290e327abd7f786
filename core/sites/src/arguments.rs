//! The arguments of one block: evaluated, checked, every fault collected.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use skybridge_estate::Place;
use skybridge_hcl::ast::{Attribute, Block, Step};
use skybridge_hcl::{Diagnostic, Files, Resolved, Scope, Span, Value, evaluate};
use skybridge_terraform::Address;

use crate::model::Endpoint;

/// What can be referred to in a site.
#[derive(Default)]
pub(crate) struct SiteNames {
    pub(crate) networks: BTreeSet<String>,
    pub(crate) routers: BTreeSet<String>,
}

/// The names of the stack, `host` and `site`.
pub(crate) struct LabScope<'a> {
    pub(crate) stack: &'a dyn Scope,
    pub(crate) hosts: BTreeSet<String>,
    pub(crate) sites: BTreeMap<String, SiteNames>,
}

impl Scope for LabScope<'_> {
    fn resolve(&self, name: &str, steps: &[Step], span: &Span) -> Resolved {
        match name {
            "host" => {}
            "site" => return self.resolve_site(steps, span),
            _ => return self.stack.resolve(name, steps, span),
        }
        let Some(Step::Attr(host, span)) = steps.first() else {
            let said = Diagnostic::error("Invalid reference", "a host is named as in host.probe");
            return Resolved::Failed(vec![said.at(span)]);
        };
        if self.hosts.contains(host) {
            let name = Value::object_of([("name", Value::string(host))]);
            return Resolved::Value(name.with_origin(format!("host.{host}")), 1);
        }
        let detail = format!("the lab file has no host \"{host}\"");
        let said = Diagnostic::error("Unknown host", detail).at(span);
        Resolved::Failed(vec![
            said.suggest(host, self.hosts.iter().map(String::as_str)),
        ])
    }

    fn names(&self) -> Vec<String> {
        let mut names = self.stack.names();
        names.extend(["host".to_owned(), "site".to_owned()]);
        names
    }
}

impl LabScope<'_> {
    /// `site.hq.lan` or `site.hq.ce1`.
    fn resolve_site(&self, steps: &[Step], span: &Span) -> Resolved {
        let failed = |said: Diagnostic| Resolved::Failed(vec![said]);
        let (Some(Step::Attr(site, at)), Some(Step::Attr(part, part_at))) =
            (steps.first(), steps.get(1))
        else {
            let detail = "a site's networks and routers are named as in site.hq.lan";
            return failed(Diagnostic::error("Invalid reference", detail).at(span));
        };
        let Some(names) = self.sites.get(site) else {
            let detail = format!("the lab file has no site \"{site}\"");
            let said = Diagnostic::error("Unknown site", detail).at(at);
            return failed(said.suggest(site, self.sites.keys().map(String::as_str)));
        };
        let kind = if names.networks.contains(part) {
            "network"
        } else if names.routers.contains(part) {
            "router"
        } else {
            let detail = format!("site \"{site}\" has no network or router \"{part}\"");
            let said = Diagnostic::error("Unknown part of a site", detail).at(part_at);
            let known = names.networks.iter().chain(&names.routers);
            return failed(said.suggest(part, known.map(String::as_str)));
        };
        let value = Value::object_of([("name", Value::string(part))]);
        Resolved::Value(value.with_origin(format!("{kind}/{site}/{part}")), 2)
    }
}

/// The site and the part of it that a value of [`LabScope::resolve_site`] is.
pub(crate) fn part_of_site(value: &Value, kind: &str) -> Option<(String, String)> {
    let rest = value.origin()?.strip_prefix(kind)?.strip_prefix('/')?;
    let (site, part) = rest.split_once('/')?;
    Some((site.to_owned(), part.to_owned()))
}

/// What reading needs.
pub(crate) struct Context<'a> {
    pub(crate) scope: LabScope<'a>,
    pub(crate) files: &'a dyn Files,
    pub(crate) said: Vec<Diagnostic>,
}

impl Context<'_> {
    /// Notes an error.
    pub(crate) fn error(&mut self, summary: &str, detail: impl Into<String>, span: &Span) {
        self.said.push(Diagnostic::error(summary, detail).at(span));
    }

    /// The value of an argument; `None` after an error was noted.
    pub(crate) fn value(&mut self, attribute: &Attribute) -> Option<Value> {
        let span = &attribute.expr.span;
        match evaluate(&attribute.expr, &self.scope, self.files) {
            Err(said) if said.is_empty() => {
                let detail = "it refers to something that does not exist because its apply failed";
                self.error("Value not available", detail, span);
                None
            }
            Err(said) => {
                self.said.extend(said);
                None
            }
            Ok(value) if !is_known(&value) => {
                let detail = format!("the value of \"{}\" is not known", attribute.name);
                self.error("Value not known", detail, span);
                None
            }
            Ok(value) => Some(value),
        }
    }
}

/// True when nothing in a value is unknown or a placeholder. Of a resource only its address counts.
fn is_known(value: &Value) -> bool {
    let itself = !value.is_unknown() && value.marks().placeholder.is_empty();
    value.origin().is_some() || (itself && value.children().all(is_known))
}

/// The arguments of a block.
pub(crate) struct Arguments<'a> {
    pub(crate) block: &'a Block,
}

impl<'a> Arguments<'a> {
    /// Checks that the block has only the arguments in `names`, and no blocks.
    pub(crate) fn new(context: &mut Context<'_>, block: &'a Block, names: &[&str]) -> Self {
        Self::with_blocks(context, block, names, &[])
    }

    /// Checks that the block has only the arguments in `names`, and only `blocks`.
    pub(crate) fn with_blocks(
        context: &mut Context<'_>,
        block: &'a Block,
        names: &[&str],
        blocks: &[&str],
    ) -> Self {
        for attribute in &block.body.attributes {
            if !names.contains(&attribute.name.as_str()) {
                let detail = format!(
                    "a {} block has no argument \"{}\"",
                    block.kind, attribute.name
                );
                let said = Diagnostic::error("Unsupported argument", detail)
                    .at(&attribute.name_span)
                    .suggest(&attribute.name, names.iter().copied());
                context.said.push(said);
            }
        }
        let others = block.body.blocks.iter();
        for inner in others.filter(|b| !blocks.contains(&b.kind.as_str())) {
            let detail = format!(
                "a {} block has no block \"{}\" in it",
                block.kind, inner.kind
            );
            let said = Diagnostic::error("Unsupported block", detail)
                .at(&inner.span)
                .suggest(&inner.kind, blocks.iter().copied());
            context.said.push(said);
        }
        Self { block }
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&'a Attribute> {
        self.block.body.attribute(name)
    }

    /// Notes that a required argument is missing.
    pub(crate) fn required(&self, context: &mut Context<'_>, name: &str) -> bool {
        let there = self.attribute(name).is_some();
        if !there {
            let detail = format!("a {} block needs the argument \"{name}\"", self.block.kind);
            context.error("Missing argument", detail, &self.block.span);
        }
        there
    }

    /// An argument read by `parse`, which says what was expected.
    pub(crate) fn parsed<T>(
        &self,
        context: &mut Context<'_>,
        name: &str,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let attribute = self.attribute(name)?;
        let value = context.value(attribute)?;
        match parse(&value) {
            Ok(parsed) => Some(parsed),
            Err(why) => {
                let detail = format!("{name}: {why}");
                context.error("Invalid value", detail, &attribute.expr.span);
                None
            }
        }
    }

    /// A text argument read by `parse`.
    pub(crate) fn text<T>(
        &self,
        context: &mut Context<'_>,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.parsed(context, name, |value| {
            parse(
                value
                    .as_str()
                    .ok_or_else(|| "a text is expected".to_owned())?,
            )
        })
    }
}

/// A port from 1 to 65535.
pub(crate) fn port(value: &Value) -> Result<u16, String> {
    value
        .as_u64()
        .and_then(|p| u16::try_from(p).ok())
        .filter(|p| *p > 0)
        .ok_or_else(|| "a port from 1 to 65535 is expected".to_owned())
}

/// The resource instance that a value is.
pub(crate) fn resource(value: &Value) -> Result<Address, String> {
    let address = value.origin().and_then(|o| o.parse::<Address>().ok());
    address.ok_or_else(|| "a whole resource is expected, such as oci_core_instance.db".to_owned())
}

/// A resource of one of some types.
pub(crate) fn resource_of(value: &Value, types: &[&str]) -> Result<Address, String> {
    let address = resource(value)?;
    if types.contains(&address.ty.as_str()) {
        return Ok(address);
    }
    Err(format!(
        "{address} is not one of the types {}",
        types.join(", ")
    ))
}

/// Types of cloud hosts.
const HOSTS: [&str; 9] = [
    "azurerm_linux_virtual_machine",
    "azurerm_windows_virtual_machine",
    "azurerm_virtual_machine",
    "azurerm_network_interface",
    "oci_core_instance",
    "oci_database_db_system",
    "oci_database_autonomous_database",
    "oci_core_vnic_attachment",
    "oci_core_private_ip",
];

/// A cloud host, a host of the lab file or a site's network.
pub(crate) fn endpoint(value: &Value) -> Result<Endpoint, String> {
    if let Some((site, network)) = part_of_site(value, "network") {
        return Ok(Endpoint::SiteNetwork { site, network });
    }
    if let Some((site, router)) = part_of_site(value, "router") {
        return Err(format!(
            "site.{site}.{router} is a router; a host or a network of the site is expected"
        ));
    }
    if let Some(host) = value.origin().and_then(|o| o.strip_prefix("host.")) {
        return Ok(Endpoint::Host(host.to_owned()));
    }
    resource_of(value, &HOSTS).map(Endpoint::Resource)
}

/// Every host of a list (`count` and `for_each` make lists and maps of instances), or the one host.
pub(crate) fn endpoints(
    value: &Value,
    one: impl Fn(&Value) -> Result<Endpoint, String>,
) -> Result<Vec<Endpoint>, String> {
    let is_one = value.origin().is_some() || value.as_str().is_some();
    let many: Vec<&Value> = if is_one {
        vec![value]
    } else {
        value.children().collect()
    };
    if many.is_empty() {
        return Err("at least one host is expected".to_owned());
    }
    many.into_iter().map(one).collect()
}

/// A host, or an address in text.
pub(crate) fn destination(value: &Value) -> Result<Endpoint, String> {
    match value.as_str() {
        Some(text) => text
            .parse::<IpAddr>()
            .map(Endpoint::Ip)
            .map_err(|_| format!("\"{text}\" is neither a host nor an IP address")),
        None => endpoint(value),
    }
}

/// A place in the estate's form.
pub(crate) fn place(span: &Span) -> Place {
    Place {
        file: span.file.clone(),
        line: span.line,
        column: span.column,
        start: span.start,
        end: span.end,
    }
}
