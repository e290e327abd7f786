//! `moved`, `removed` and `import` blocks.

use skybridge_hcl::ast::{Block, ExprKind};

use super::Builder;
use super::parts::{root_name, unquoted};
use crate::config::{Import, Moved, Removed};
use crate::endpoint::Endpoint;

/// Names that begin something other than the address of a resource.
const RESERVED: [&str; 8] = [
    "count",
    "each",
    "local",
    "path",
    "self",
    "terraform",
    "var",
    "ephemeral",
];

impl Builder<'_> {
    fn endpoint(&mut self, block: &Block, name: &str) -> Option<Endpoint> {
        let Some(attribute) = block.body.attribute(name) else {
            let detail = format!("the argument \"{name}\" is required");
            self.error(&block.span, "Missing required argument", detail);
            return None;
        };
        let root = root_name(&attribute.expr).unwrap_or_default();
        if RESERVED.contains(&root.as_str()) {
            let detail = format!("the keyword \"{root}\" is reserved and names no resource");
            self.error(&attribute.expr.span, "Invalid address", detail);
            return None;
        }
        let found = Endpoint::read(&attribute.expr);
        if found.is_none() {
            let detail = "it must be the address of a module, a resource or an instance, with keys that are written out";
            self.error(&attribute.expr.span, "Invalid address", detail);
        }
        found
    }

    pub(super) fn moved(&mut self, block: &Block) {
        self.only(&block.body, &["from", "to"], &[]);
        let (from, to) = (self.endpoint(block, "from"), self.endpoint(block, "to"));
        if let (Some(from), Some(to)) = (from, to) {
            let span = block.span.clone();
            if from.is_module() != to.is_module() {
                let detail = "\"from\" and \"to\" must either both be resources or both modules";
                return self.error(&span, "Invalid \"moved\" addresses", detail);
            }
            self.module.moved.push(Moved { from, to, span });
        }
    }

    pub(super) fn removed(&mut self, block: &Block) {
        self.only(
            &block.body,
            &["from"],
            &["lifecycle", "provisioner", "connection"],
        );
        let Some(from) = self.endpoint(block, "from") else {
            return;
        };
        if !from.is_whole()
            && let Some(attribute) = block.body.attribute("from")
        {
            let detail = "a removed block speaks of all instances; leave the key out";
            self.error(
                &attribute.expr.span,
                "Resource instance keys not allowed",
                detail,
            );
        }
        let lifecycle = block.body.blocks_of("lifecycle").next();
        let destroy = lifecycle.and_then(|l| self.flag(&l.body, "destroy"));
        self.module.removed.push(Removed {
            from,
            destroy: destroy.unwrap_or(true),
            span: block.span.clone(),
        });
    }

    pub(super) fn import(&mut self, block: &Block) {
        let known = ["to", "id", "identity", "provider", "for_each"];
        self.only(&block.body, &known, &[]);
        let missing = |name: &str| format!("the argument \"{name}\" is required");
        let id = block.body.attribute("id").map(|a| a.expr.clone());
        if id.is_none() && block.body.attribute("identity").is_none() {
            self.error(&block.span, "Missing required argument", missing("id"));
        }
        let Some(to) = block.body.attribute("to") else {
            return self.error(&block.span, "Missing required argument", missing("to"));
        };
        let import = Import {
            to: unquoted(&to.expr),
            id,
            for_each: block.body.attribute("for_each").map(|a| a.expr.clone()),
            span: block.span.clone(),
        };
        let target = Endpoint::read(&import.to);
        let same = |other: &&Import| target.is_some() && Endpoint::read(&other.to) == target;
        if let (Some(target), Some(other)) = (&target, self.module.imports.iter().find(same)) {
            let summary = format!("Duplicate import configuration for \"{target}\"");
            let detail = format!("it is imported at {} already", other.span);
            self.error(&to.expr.span, &summary, detail);
        }
        if !matches!(import.to.kind, ExprKind::Traversal(..)) {
            let detail = "it must be the address of a resource instance";
            return self.error(&to.expr.span, "Invalid address", detail);
        }
        self.module.imports.push(import);
    }
}
