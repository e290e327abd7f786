//! The labels of blocks: how many, and what a name may look like.

use skybridge_hcl::Diagnostic;
use skybridge_hcl::ast::Block;

/// Names that mean something else in a `module` block, where variables are set.
const RESERVED_VARIABLES: [&str; 8] = [
    "source",
    "version",
    "providers",
    "count",
    "for_each",
    "depends_on",
    "lifecycle",
    "locals",
];

const NAME: &str = "a name must start with a letter or underscore and may contain only letters, digits, underscores, and dashes";

/// What is wrong with the number of labels.
pub(super) fn wrong_count(block: &Block, wanted: usize) -> Option<Diagnostic> {
    let names = if wanted == 2 { "type, name" } else { "name" };
    let kind = &block.kind;
    if block.labels.len() < wanted {
        let detail = format!("all {kind} blocks must have {wanted} labels ({names})");
        let summary = format!("Missing name for {kind}");
        return Some(Diagnostic::error(summary, detail).at(&block.span));
    }
    let extra = block.labels.get(wanted)?;
    let detail = match wanted {
        0 => format!("no labels are expected for {kind} blocks"),
        _ => format!("only {wanted} labels ({names}) are expected for {kind} blocks"),
    };
    let summary = format!("Extraneous label for {kind}");
    Some(Diagnostic::error(summary, detail).at(&extra.span))
}

/// Labels that no reference could name.
pub(super) fn invalid(block: &Block) -> Vec<Diagnostic> {
    let what: &[&str] = match block.kind.as_str() {
        "variable" => &["variable name"],
        "output" => &["output name"],
        "module" => &["module instance name"],
        "check" => &["check block name"],
        "provider" => &["provider local name"],
        "resource" => &["resource type name", "resource name"],
        "data" => &["data resource type name", "data resource name"],
        "ephemeral" => &["ephemeral resource type name", "ephemeral resource name"],
        _ => &[],
    };
    let mut out = Vec::new();
    for (label, what) in block.labels.iter().zip(what) {
        let summary = format!("Invalid {what}");
        if !is_name(&label.text) {
            out.push(Diagnostic::error(summary, NAME).at(&label.span));
        } else if block.kind == "variable" && RESERVED_VARIABLES.contains(&label.text.as_str()) {
            let detail = format!(
                "the variable name \"{}\" is reserved due to its special meaning inside module blocks",
                label.text
            );
            out.push(Diagnostic::error(summary, detail).at(&label.span));
        }
    }
    out
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_');
    first && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}
