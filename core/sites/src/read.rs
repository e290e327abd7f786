//! Reads the lab files of a directory.

use std::collections::BTreeMap;

use skybridge_hcl::ast::{Block, Body};
use skybridge_hcl::{Diagnostic, Files, Scope, Span, join_path, parse_body};

use crate::arguments::{Context, LabScope};
use crate::blocks;
use crate::model::LabFile;

/// How the name of a lab file ends.
const SUFFIX: &str = ".sky.hcl";

/// Blocks that a lab file may have.
const BLOCKS: [&str; 5] = ["service", "expect", "host", "limits", "link"];

/// Blocks of the language that nobody acts on yet.
const RESERVED: [&str; 4] = ["site", "carrier", "network", "router"];

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
    let hosts = all().filter(|b| b.kind == "host");
    let scope = LabScope {
        stack: scope,
        hosts: hosts
            .filter_map(|b| b.label(0).map(str::to_owned))
            .collect(),
    };
    let mut context = Context { scope, files, said };
    for attribute in bodies.iter().flat_map(|b| &b.attributes) {
        let detail = format!("\"{}\" stands outside any block", attribute.name);
        context.error("Unsupported argument", detail, &attribute.name_span);
    }
    let mut lab = LabFile::default();
    let mut seen: BTreeMap<(String, String), Span> = BTreeMap::new();
    for block in all() {
        once(&mut context, &mut seen, block);
        match block.kind.as_str() {
            "service" => lab.services.extend(blocks::service(&mut context, block)),
            "expect" => lab
                .expectations
                .extend(blocks::expectation(&mut context, block)),
            "host" => lab.hosts.extend(blocks::host(&mut context, block)),
            "limits" => blocks::limits(&mut context, block, &mut lab),
            "link" => lab.links.extend(blocks::link(&mut context, block)),
            other => unknown(&mut context, block, other),
        }
    }
    (lab, context.said)
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

/// A block that is reserved, or misspelt.
fn unknown(context: &mut Context<'_>, block: &Block, kind: &str) {
    if RESERVED.contains(&kind) {
        let name = block.label(0).unwrap_or_default();
        let detail = format!("the block {kind} \"{name}\" is not supported yet");
        context.error("Not supported yet", detail, &block.span);
        return;
    }
    let detail = format!("a lab file has no {kind} blocks");
    let said = Diagnostic::error("Unsupported block", detail)
        .at(&block.span)
        .suggest(kind, BLOCKS.into_iter().chain(RESERVED));
    context.said.push(said);
}

#[cfg(test)]
mod tests;
