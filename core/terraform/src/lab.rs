//! References of lab files (`*.sky.hcl`) into an applied stack: the same names, the same values.

use skybridge_hcl::ast::{Expr, Step};
use skybridge_hcl::{Diagnostic, Files, Resolved, Scope, Span, Value, evaluate};

use crate::address::{Address, Mode};
use crate::apply::Apply;
use crate::scope::{ModuleScope, Values};
use crate::stack::Stack;

/// The names of the root module of a stack: `var`, `local`, `module`, `data` and resources, with
/// the values of an apply.
#[derive(Clone, Debug)]
pub struct StackScope {
    stack: std::sync::Arc<Stack>,
    values: Values,
}

impl Apply {
    /// The scope for lab files, as far as the apply has come. Take it before
    /// [`Apply::finish`].
    #[must_use]
    pub fn scope(&self) -> StackScope {
        StackScope {
            stack: std::sync::Arc::clone(&self.stack),
            values: self.values.clone(),
        }
    }
}

impl StackScope {
    /// Evaluates an expression of a lab file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn evaluate(&self, expr: &Expr, files: &dyn Files) -> Result<Value, Vec<Diagnostic>> {
        let value = evaluate(expr, self, files);
        value.map_err(|errors| {
            if errors.is_empty() {
                let detail = "it refers to a resource that does not exist because its apply failed";
                vec![Diagnostic::error("Value not available", detail).at(&expr.span)]
            } else {
                errors
            }
        })
    }

    /// The resource instance that a value *is* (`circuit = azurerm_express_route_circuit.hq`), if
    /// it is a whole one.
    #[must_use]
    pub fn instance_of(value: &Value) -> Option<Address> {
        value.origin()?.parse().ok()
    }

    /// The instance of an address, in whatever module.
    #[must_use]
    pub fn instance(&self, address: &Address) -> Option<&Value> {
        self.values.resources.get(address)
    }

    /// All managed instances.
    pub fn instances(&self) -> impl Iterator<Item = (&Address, &Value)> {
        self.values
            .resources
            .iter()
            .filter(|(a, _)| a.mode == Mode::Managed)
    }
}

impl Scope for StackScope {
    fn resolve(&self, name: &str, steps: &[Step], span: &Span) -> Resolved {
        ModuleScope::new(&self.stack.config, &self.values, &[]).resolve(name, steps, span)
    }

    fn names(&self) -> Vec<String> {
        ModuleScope::new(&self.stack.config, &self.values, &[]).names()
    }
}
