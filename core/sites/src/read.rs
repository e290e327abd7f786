//! Reads the lab files of a directory.

use std::collections::BTreeMap;

use skybridge_hcl::ast::{Block, Body};
use skybridge_hcl::{Diagnostic, Files, Scope, Span, join_path, parse_body};

use crate::arguments::{Context, LabScope, SiteNames};
use crate::model::LabFile;
use crate::{appliances, blocks, site};

/// How the name of a lab file ends.
const SUFFIX: &str = ".sky.hcl";

/// Blocks that a lab file may have.
const BLOCKS: [&str; 9] = [
    "service",
    "forward",
    "expect",
    "host",
    "appliance",
    "limits",
    "link",
    "site",
    "carrier",
];

/// Blocks that stand in a site.
const INNER: [&str; 2] = ["network", "router"];

/// Reads every `*.sky.hcl` file in `directory` of `files`, in the order of their names. `scope` gives the
/// names of the Terraform configuration: that of the stack after its apply
/// ([`skybridge_terraform::Apply::scope`]), or an empty map for a directory without one.
///
/// The second part is everything there is to say; what could not be read is left out of the first.
#[must_use]
pub fn read(files: &dyn Files, directory: &str, scope: &dyn Scope) -> (LabFile, Vec<Diagnostic>) {
    let mut said = Vec::new();
    let mut bodies: Vec<Body> = Vec::new();
    let mut names = files.list(directory).unwrap_or_default();
    names.retain(|n| n.ends_with(SUFFIX));
    names.sort_unstable();
    for name in names {
        let path = join_path(directory, &name);
        match text(files, &path).and_then(|text| parse_body(&path, &text)) {
            Ok(body) => bodies.push(body),
            Err(errors) => said.extend(errors),
        }
    }
    let all = || bodies.iter().flat_map(|b| &b.blocks);
    let sites = || all().filter(|b| b.kind == "site");
    let inside = sites().flat_map(|site| &site.body.blocks);
    let hosts = all()
        .chain(inside.flat_map(|network| &network.body.blocks))
        .filter(|b| b.kind == "host");
    let scope = LabScope {
        stack: scope,
        hosts: hosts
            .filter_map(|b| b.label(0).map(str::to_owned))
            .collect(),
        sites: sites()
            .filter_map(|b| Some((b.label(0)?.to_owned(), site_names(b))))
            .collect(),
    };
    let mut context = Context { scope, files, said };
    for attribute in bodies.iter().flat_map(|b| &b.attributes) {
        let detail = format!("\"{}\" stands outside any block", attribute.name);
        context.error("Unsupported argument", detail, &attribute.name_span);
    }
    let mut lab = LabFile::default();
    let mut seen: BTreeMap<(String, String), Span> = BTreeMap::new();
    let mut carriers = Vec::new();
    for block in all() {
        once(&mut context, &mut seen, block);
        for network in block.body.blocks.iter().filter(|_| block.kind == "site") {
            for host in network.body.blocks.iter().filter(|b| b.kind == "host") {
                once(&mut context, &mut seen, host);
            }
        }
        match block.kind.as_str() {
            "service" => lab.services.extend(blocks::service(&mut context, block)),
            "forward" => lab.forwards.extend(blocks::forward(&mut context, block)),
            "expect" => lab
                .expectations
                .extend(blocks::expectation(&mut context, block)),
            "host" => lab.hosts.extend(blocks::host(&mut context, block)),
            "appliance" => lab
                .appliances
                .extend(appliances::appliance(&mut context, block)),
            "limits" => blocks::limits(&mut context, block, &mut lab),
            "link" => lab.links.extend(blocks::link(&mut context, block)),
            "site" => site::site(&mut context, block, &mut lab),
            "carrier" => {
                let carrier = site::carrier(&mut context, block);
                carriers.extend(carrier.map(|c| (c, block.span.clone())));
            }
            other => unknown(&mut context, block, other),
        }
    }
    site::one_carrier_each(&mut context, &carriers);
    lab.carriers = carriers.into_iter().map(|(carrier, _)| carrier).collect();
    site::services_have_one_host(&mut context, &lab);
    (lab, context.said)
}

/// What can be referred to in a site.
fn site_names(block: &Block) -> SiteNames {
    let labels = |kind: &str| {
        let inner = block.body.blocks.iter().filter(|b| b.kind == kind);
        inner
            .filter_map(|b| b.label(0).map(str::to_owned))
            .collect()
    };
    SiteNames {
        networks: labels("network"),
        routers: labels("router"),
    }
}

fn text(files: &dyn Files, path: &str) -> Result<String, Vec<Diagnostic>> {
    let unreadable =
        |why: String| vec![Diagnostic::error("Lab file cannot be read", why).at(&Span::file(path))];
    let bytes = files.read(path).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|_| unreadable(format!("{path} is not UTF-8")))
}

/// A block of a kind that has a name is there once.
fn once(context: &mut Context<'_>, seen: &mut BTreeMap<(String, String), Span>, block: &Block) {
    let Some(label) = block.label(0) else { return };
    let key = (block.kind.clone(), label.to_owned());
    if let Some(first) = seen.get(&key) {
        let detail = format!("{} \"{label}\" is defined at {first} already", block.kind);
        context.error("Duplicate block", detail, &block.span);
    } else {
        seen.insert(key, block.span.clone());
    }
}

/// A block in the wrong place, or misspelt.
fn unknown(context: &mut Context<'_>, block: &Block, kind: &str) {
    if INNER.contains(&kind) {
        let name = block.label(0).unwrap_or_default();
        let detail = format!("{kind} \"{name}\" stands in a site block");
        context.error("Unsupported block", detail, &block.span);
        return;
    }
    let detail = format!("a lab file has no {kind} blocks");
    let said = Diagnostic::error("Unsupported block", detail)
        .at(&block.span)
        .suggest(kind, BLOCKS);
    context.said.push(said);
}

#[cfg(test)]
mod tests;
