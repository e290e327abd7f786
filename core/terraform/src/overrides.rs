//! Override files: their blocks are merged into those of the other files before anything is read from
//! either (Terraform, "Override Files").

use skybridge_hcl::Diagnostic;
use skybridge_hcl::ast::{Block, Body};

/// Merges the blocks of an override file into the blocks of the module so far.
pub(crate) fn merge(base: &mut Vec<Block>, over: Vec<Block>, said: &mut Vec<Diagnostic>) {
    for block in over {
        match block.kind.as_str() {
            "locals" => locals(base, block, said),
            "terraform" => terraform(base, block),
            "moved" | "import" | "removed" | "check" => {
                let detail = format!("a {} block cannot stand in an override file", block.kind);
                said.push(Diagnostic::error("Cannot override", detail).at(&block.span));
            }
            _ => named(base, block, said),
        }
    }
}

/// A block with labels replaces parts of the block of the same labels.
fn named(base: &mut [Block], over: Block, said: &mut Vec<Diagnostic>) {
    let alias = |b: &Block| {
        let alias = b.body.attribute("alias")?;
        Some(format!("{:?}", alias.expr.kind))
    };
    let same = |b: &&mut Block| {
        b.kind == over.kind
            && b.labels.iter().map(|l| &l.text).eq(over.labels.iter().map(|l| &l.text))
            // Configurations of one provider differ by their alias.
            && (over.kind != "provider" || alias(b) == alias(&over))
    };
    let Some(found) = base.iter_mut().find(same) else {
        let labels: Vec<String> = over
            .labels
            .iter()
            .map(|l| format!("{:?}", l.text))
            .collect();
        let detail = format!(
            "there is no {} {} in the other files, and an override file only changes what is there",
            over.kind,
            labels.join(" ")
        );
        let summary = match over.kind.as_str() {
            "variable" => "Missing base variable declaration to override",
            "output" => "Missing base output definition to override",
            "resource" => "Missing resource to override",
            "data" => "Missing data resource to override",
            "module" => "Missing module call to override",
            "provider" => "Missing base provider configuration for override",
            _ => "Missing block to override",
        };
        said.push(Diagnostic::error(summary, detail).at(&over.span));
        return;
    };
    if let Some(depends_on) = over.body.attribute("depends_on") {
        let detail = "depends_on cannot be overridden";
        said.push(Diagnostic::error("Unsupported override", detail).at(&depends_on.name_span));
    }
    let json = found.body.json;
    let mut body = bodies(&found.body, over.body, &["lifecycle"]);
    body.json = json;
    found.body = body;
}

/// A body with the arguments and blocks of another in place of its own. Blocks of one kind are replaced
/// all together; those of a kind in `merged` are merged in their turn.
fn bodies(base: &Body, over: Body, merged: &[&str]) -> Body {
    let mut out = base.clone();
    // `count` and `for_each` exclude each other: the one that overrides ends the other.
    let ends = |a: &str| match a {
        "count" => over.attribute("for_each").is_some(),
        "for_each" => over.attribute("count").is_some(),
        _ => false,
    };
    out.attributes
        .retain(|a| over.attribute(&a.name).is_none() && !ends(&a.name));
    out.attributes.extend(over.attributes);
    let mut added = Vec::new();
    for block in over.blocks {
        let known = merged.contains(&block.kind.as_str());
        match out
            .blocks
            .iter_mut()
            .find(|b| known && b.kind == block.kind)
        {
            Some(found) => found.body = bodies(&found.body, block.body, merged),
            None => added.push(block),
        }
    }
    let kinds: Vec<String> = added.iter().map(made).collect();
    out.blocks.retain(|b| !kinds.contains(&made(b)));
    // An argument of JSON may be a block of the same name.
    out.attributes.retain(|a| !kinds.contains(&a.name));
    out.blocks.extend(added);
    out
}

/// The kind of block that a block is or makes.
fn made(block: &Block) -> String {
    match block.label(0) {
        Some(label) if block.kind == "dynamic" => label.to_owned(),
        _ => block.kind.clone(),
    }
}

/// Local values are overridden one by one, wherever they stand.
fn locals(base: &mut [Block], over: Block, said: &mut Vec<Diagnostic>) {
    for attribute in over.body.attributes {
        let found = base
            .iter_mut()
            .filter(|b| b.kind == "locals")
            .flat_map(|b| &mut b.body.attributes)
            .find(|a| a.name == attribute.name);
        match found {
            Some(found) => *found = attribute,
            None => {
                let detail = format!(
                    "there is no local value \"{}\" in the other files",
                    attribute.name
                );
                let diagnostic =
                    Diagnostic::error("Missing base local value definition to override", detail);
                said.push(diagnostic.at(&attribute.name_span));
            }
        }
    }
}

/// Versions are replaced, required providers one by one, a back end as a whole.
fn terraform(base: &mut Vec<Block>, over: Block) {
    let mut added = Vec::new();
    for inner in over.body.blocks {
        for block in base.iter_mut().filter(|b| b.kind == "terraform") {
            let backend = ["backend", "cloud"];
            if backend.contains(&inner.kind.as_str()) {
                (block.body.blocks).retain(|b| !backend.contains(&b.kind.as_str()));
            } else if inner.kind == "required_providers" {
                for providers in (block.body.blocks.iter_mut()).filter(|b| b.kind == inner.kind) {
                    (providers.body.attributes).retain(|a| inner.body.attribute(&a.name).is_none());
                }
            }
        }
        added.push(inner);
    }
    for attribute in &over.body.attributes {
        for block in base.iter_mut().filter(|b| b.kind == "terraform") {
            (block.body.attributes).retain(|a| a.name != attribute.name);
        }
    }
    base.push(Block {
        body: Body {
            blocks: added,
            ..over.body
        },
        ..over
    });
}
