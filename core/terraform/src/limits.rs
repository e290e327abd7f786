//! What values, outputs and blocks must keep within.

use skybridge_hcl::{Diagnostic, Span, Value};

use crate::address::{Mode, ModuleStep};
use crate::apply::Apply;
use crate::config::{IgnoreChanges, Output, PathStep, Resource};
use crate::scope::Expansion;
use crate::stack::Stack;

/// How deep values may nest. Locals can wrap each other without end, and a stored value takes three
/// levels of JSON for one of its own, of which readers take 128.
const VALUE_DEPTH_MAX: usize = 32;

/// Most values in one that is kept, and what all of them may need in memory.
const VALUES_MAX: u64 = 1_000_000;
const OCTETS_MAX: u64 = 512 << 20;
/// Most instances of modules and resources together.
const INSTANCES_MAX: usize = 100_000;

/// About what a value needs where it is written down.
const VALUE_OCTETS: u64 = 32;

impl Apply {
    /// Whether a value is small enough to be kept; says so when it is not.
    pub(crate) fn fits(&mut self, value: &Value, span: &Span) -> bool {
        let weight = value.weight();
        // What is shared is written out for whoever reads it.
        let written = weight.values.saturating_mul(VALUE_OCTETS);
        self.octets = self.octets.saturating_add(weight.octets.max(written));
        let (summary, detail) = if weight.depth > VALUE_DEPTH_MAX {
            let detail = format!("values nest at most {VALUE_DEPTH_MAX} deep");
            ("Value nested too deeply", detail)
        } else if weight.values > VALUES_MAX {
            let detail = format!("it holds more than {VALUES_MAX} values");
            ("Value too large", detail)
        } else if self.octets > OCTETS_MAX {
            let detail = format!(
                "the values of a stack need at most {} MiB",
                OCTETS_MAX >> 20
            );
            ("Values too large", detail)
        } else {
            return true;
        };
        self.diagnostics
            .push(Diagnostic::error(summary, detail).at(span));
        false
    }

    /// The expansion of a block, unless the stack has too many instances with it.
    pub(crate) fn counted(&mut self, expansion: Expansion, span: &Span) -> Expansion {
        self.instances += expansion.len();
        if self.instances <= INSTANCES_MAX {
            return expansion;
        }
        let detail =
            format!("a stack has at most {INSTANCES_MAX} instances of modules and resources");
        let diagnostic = Diagnostic::error("Too many instances", detail);
        self.diagnostics.push(diagnostic.at(span));
        Expansion::Failed
    }

    /// What a value must not be for an output to put it out.
    pub(crate) fn check_output(
        &mut self,
        path: &[ModuleStep],
        name: &str,
        output: &Output,
        value: &Value,
    ) {
        let marks = value.deep_marks();
        let is_root = path.is_empty();
        let (summary, detail, place) = if is_root && output.ephemeral {
            (
                "Ephemeral output not allowed",
                "outputs of the root module are stored and cannot be ephemeral",
                &output.span,
            )
        } else if marks.ephemeral && !output.ephemeral {
            (
                "Ephemeral value not allowed",
                "it is not declared as ephemeral and cannot be set to a result of an ephemeral value",
                &output.expr.span,
            )
        } else if output.ephemeral && !marks.ephemeral && value.is_wholly_known() {
            (
                "Value not allowed in ephemeral output",
                "it is declared as ephemeral and can only be set to an ephemeral value",
                &output.expr.span,
            )
        } else if is_root && marks.sensitive && !output.sensitive {
            (
                "Output refers to sensitive values",
                "its value is derived from something sensitive; declare it with sensitive = true, or take the mark off with nonsensitive()",
                &output.span,
            )
        } else {
            return;
        };
        let said = format!("output \"{name}\": {detail}");
        let is_old = marks.sensitive && self.stack.config.predates_sensitive_values();
        let diagnostic = if is_old && summary == "Output refers to sensitive values" {
            let said = format!("{said}; Terraform before 0.15 took it as it is");
            Diagnostic::warning(summary, said)
        } else {
            Diagnostic::error(summary, said)
        };
        self.diagnostics.push(diagnostic.at(place));
    }

    /// `ignore_changes` names attributes of the type.
    pub(crate) fn check_ignored(&mut self, stack: &Stack, mode: Mode, resource: &Resource) {
        let IgnoreChanges::Attributes(paths) = &resource.ignore_changes else {
            return;
        };
        let schema = stack.schemas.find(mode, &resource.ty);
        let Some(schema) = schema.filter(|s| s.complete) else {
            return;
        };
        for (path, span) in paths.iter().zip(&resource.ignored_at) {
            let Some(PathStep::Name(name)) = path.first() else {
                continue;
            };
            let body = &schema.body;
            if !body.attributes.contains_key(name) && !body.blocks.contains_key(name) {
                let detail = format!("{} has no argument or block named \"{name}\"", resource.ty);
                let diagnostic = Diagnostic::error("Unsupported attribute", detail).at(span);
                let names = body.attributes.keys().chain(body.blocks.keys());
                self.diagnostics
                    .push(diagnostic.suggest(name, names.map(String::as_str)));
            }
        }
    }
}
