//! The walk over the graph: what happens at each node, in the plan and in the apply.

use std::collections::BTreeSet;
use std::sync::Arc;

use skybridge_hcl::ast::{Expr, ExprKind, Step};
use skybridge_hcl::{
    Diagnostic, Severity, Span, Spans, Value, convert, evaluate_with, has_errors, references,
    references_in,
};

use crate::action::Action;
use crate::address::{Address, InstanceKey, Mode, ModuleStep};
use crate::apply::{Apply, Phase, Running, RunningKind, Status};
use crate::body::{BodyContext, evaluate_body};
use crate::builtin::{self, is_builtin};
use crate::config::{Check, Condition, IgnoreChanges, ProviderKey, Resource, Variable};
use crate::diff::{Diff, diff};
use crate::expand::{Voice, check, expand, expand_if};
use crate::graph::{Node, NodeKind, provider_of_resource};
use crate::outcome::{Change, PlannedInstance};
use crate::reason::{Reason, TRIGGER};
use crate::said::Said;
use crate::schema::Category;
use crate::scope::{Expansion, ModulePath, ModuleScope};
use crate::stack::Stack;
use crate::unmodelled::is_network;

/// What a check says whose condition is not known in a plan.
pub(crate) const PENDING_CHECK: &str = "Check block assertion known after apply";

/// What stands below a value at steps that are written out.
fn below<'v>(value: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Attr(name, _) => value.attr(name),
        Step::Index(index) => match crate::endpoint::key(index)? {
            InstanceKey::Key(name) => value.attr(&name),
            InstanceKey::Index(at) => value.as_slice()?.get(usize::try_from(at).ok()?),
            InstanceKey::Single => None,
        },
        Step::AttrSplat(_) | Step::FullSplat(_) => Some(value),
    })
}

impl Apply {
    /// Does what a node asks for. Its actions, if any, are counted in `outstanding`.
    pub(crate) fn visit(&mut self, index: usize) {
        let node = self.graph.nodes[index].clone();
        let broken = self.graph.needs[index]
            .iter()
            .find(|n| self.status[**n] == Status::Failed);
        if let Some(broken) = broken {
            self.status[index] = Status::Failed;
            let cause = self.graph.nodes[*broken].to_string();
            // In a plan the cause was said; in an apply the user wants to know what was left out.
            if self.phase == Phase::Apply
                && matches!(node.kind, NodeKind::Resource(Mode::Managed, ..))
            {
                let detail = format!("{node} was skipped because {cause} failed");
                self.diagnostics
                    .push(Diagnostic::warning("Skipped", detail));
            }
            return;
        }
        let stack = Arc::clone(&self.stack);
        let Some(module) = stack.config.modules.get(&node.path) else {
            return;
        };
        let before = self.diagnostics.len();
        for path in self.values.instances(&node.path) {
            match &node.kind {
                NodeKind::Variable(name) => {
                    if let Some(variable) = module.variables.get(name) {
                        self.visit_variable(&stack, &path, name, variable);
                    }
                }
                NodeKind::Local(name) => {
                    if let Some(local) = module.locals.get(name)
                        && let Some(value) = self.value(&stack, &path, &local.expr, &local.span)
                    {
                        self.values.locals.insert((path, name.clone()), value);
                    }
                }
                NodeKind::Output(name) => {
                    if let Some(output) = module.outputs.get(name)
                        && self.holds(&stack, &path, name, &output.preconditions)
                        && let Some(value) = self.value(&stack, &path, &output.expr, &output.span)
                    {
                        self.check_output(&path, name, output, &value);
                        let value = if output.sensitive {
                            value.sensitive()
                        } else {
                            value
                        };
                        self.values.outputs.insert((path, name.clone()), value);
                    }
                }
                NodeKind::Import(at) => {
                    if let Some(import) = module.imports.get(*at) {
                        self.visit_import(&stack, import);
                    }
                }
                NodeKind::Provider(key) => self.visit_provider(&stack, &path, key),
                NodeKind::Check(name) => {
                    if let Some(found) = module.checks.get(name) {
                        self.visit_check(&stack, &path, name, found);
                    }
                }
                NodeKind::Call(name) => {
                    if let Some(call) = module.calls.get(name) {
                        let scope = ModuleScope::new(&stack.config, &self.values, &path);
                        let expansion = expand(
                            &stack,
                            &scope,
                            (&call.count, &call.for_each),
                            &mut self.diagnostics,
                        );
                        let expansion = self.counted(expansion, &call.span);
                        self.values.calls.insert((path, name.clone()), expansion);
                    }
                }
                NodeKind::Resource(mode, ty, name) => {
                    if let Some(resource) = module.resources.get(&(*mode, ty.clone(), name.clone()))
                    {
                        self.visit_resource(&stack, index, &path, (*mode, name), resource);
                    }
                }
            }
        }
        if has_errors(&self.diagnostics[before..]) {
            self.status[index] = Status::Failed;
        }
        self.say_once(before);
    }

    /// Drops what was said from `start` on and had been said before: plan and apply evaluate the
    /// same expressions, and instances share theirs.
    fn say_once(&mut self, start: usize) {
        let fresh = self.diagnostics.split_off(start);
        if self.said.len() > start {
            self.said = Said::default();
        }
        self.said.take(&self.diagnostics);
        for diagnostic in fresh {
            if self.said.is_new(&diagnostic) {
                self.diagnostics.push(diagnostic);
                self.said.take(&self.diagnostics);
            }
        }
    }

    /// A value of an expression in a module instance.
    fn value(
        &mut self,
        stack: &Stack,
        path: &[ModuleStep],
        expr: &Expr,
        span: &Span,
    ) -> Option<Value> {
        let scope = ModuleScope::new(&stack.config, &self.values, path);
        let value = evaluate_with(expr, &scope, stack.files.as_ref(), &mut self.diagnostics)?;
        self.fits(&value, span).then_some(value)
    }

    /// Whether the preconditions of an output hold.
    fn holds(
        &mut self,
        stack: &Stack,
        path: &[ModuleStep],
        name: &str,
        conditions: &[Condition],
    ) -> bool {
        let before = self.diagnostics.len();
        let scope = ModuleScope::new(&stack.config, &self.values, path);
        let what = format!("output.{name}");
        let voice = Voice::new("Module output value precondition failed", &what);
        check(stack, &scope, conditions, voice, &mut self.diagnostics);
        !has_errors(&self.diagnostics[before..])
    }

    /// The assertions of a `check` block warn, whatever is wrong with them.
    fn visit_check(&mut self, stack: &Stack, path: &[ModuleStep], name: &str, found: &Check) {
        let before = self.diagnostics.len();
        let scope = ModuleScope::new(&stack.config, &self.values, path);
        let what = format!("check.{name}");
        let mut voice = Voice::new("Check block assertion failed", &what);
        voice.pending = (self.phase == Phase::Plan).then_some(PENDING_CHECK);
        check(stack, &scope, &found.asserts, voice, &mut self.diagnostics);
        for said in &mut self.diagnostics[before..] {
            said.severity = Severity::Warning;
        }
    }

    fn visit_variable(
        &mut self,
        stack: &Stack,
        path: &ModulePath,
        name: &str,
        variable: &Variable,
    ) {
        let given = match path.split_last() {
            None => {
                let place = stack.variable_places.get(name).unwrap_or(&variable.span);
                let value = stack.variables.get(name).cloned();
                value.map(|value| (value, place.clone()))
            }
            Some((step, above)) => self.argument(stack, step, above, name, variable),
        };
        let Some((mut value, place)) = given else {
            return;
        };
        if variable.sensitive {
            value = value.sensitive();
        }
        if variable.ephemeral {
            value = value.ephemeral();
        }
        self.values
            .variables
            .insert((path.clone(), name.to_owned()), value);
        let scope = ModuleScope::new(&stack.config, &self.values, path);
        let what = format!("var.{name}");
        let mut voice = Voice::new("Invalid value for variable", &what);
        voice.place = Some(&place);
        let conditions = &variable.validations;
        check(stack, &scope, conditions, voice, &mut self.diagnostics);
    }

    /// What a module call passes for a variable, or its default.
    fn argument(
        &mut self,
        stack: &Stack,
        step: &ModuleStep,
        above: &[ModuleStep],
        name: &str,
        variable: &Variable,
    ) -> Option<(Value, Span)> {
        let module = stack
            .config
            .modules
            .get(&crate::scope::static_path(above))?;
        let call = module.calls.get(&step.name)?;
        let given = call.arguments.get(name);
        let value = match given {
            Some(expr) => {
                let each = self.values.calls.get(&(above.to_vec(), step.name.clone()));
                let each = each.and_then(|e| e.each(&step.key));
                let scope =
                    ModuleScope::new(&stack.config, &self.values, above).instance(&step.key, each);
                evaluate_with(expr, &scope, stack.files.as_ref(), &mut self.diagnostics)?
            }
            None => Value::null(),
        };
        let use_default = given.is_none() || (value.is_null() && !variable.nullable);
        let (value, span) = match (&variable.default, given) {
            (Some(default), _) if use_default => {
                let scope = ModuleScope::new(&stack.config, &self.values, above);
                let value =
                    evaluate_with(default, &scope, stack.files.as_ref(), &mut self.diagnostics)?;
                (value, &variable.span)
            }
            (_, Some(expr)) => (value, &expr.span),
            // Loading refuses a call without an argument that has no default.
            (_, None) => return None,
        };
        if value.is_null() && !variable.nullable {
            let detail = format!("\"{name}\" (declared at {}) may not be null", variable.span);
            let diagnostic = Diagnostic::error("Required variable not set", detail);
            self.diagnostics.push(diagnostic.at(span));
            return None;
        }
        if value.deep_marks().ephemeral && !variable.ephemeral {
            let detail = format!("\"{name}\" is not declared as accepting ephemeral values");
            let diagnostic = Diagnostic::error("Ephemeral value not allowed", detail);
            self.diagnostics.push(diagnostic.at(span));
        }
        let span = span.clone();
        if !self.fits(&value, &span) {
            return None;
        }
        match convert(&value, &variable.ty) {
            Ok(value) => Some((value, span)),
            Err(e) => {
                let detail = format!(
                    "the value of \"{name}\" (declared at {}) does not fit: {e}",
                    variable.span
                );
                self.diagnostics
                    .push(Diagnostic::error("Invalid value for input variable", detail).at(&span));
                None
            }
        }
    }

    fn visit_provider(&mut self, stack: &Stack, path: &ModulePath, key: &ProviderKey) {
        let module = stack.config.modules.get(&crate::scope::static_path(path));
        let Some(block) = module.and_then(|m| m.providers.get(key)) else {
            return;
        };
        let scope = ModuleScope::new(&stack.config, &self.values, path);
        let what = format!("provider.{key}");
        let context = BodyContext {
            scope: &scope,
            files: stack.files.as_ref(),
            version: None,
            stand_ins: false,
            stored: false,
            what: &what,
        };
        let mut spans = Spans::new(block.span.clone());
        let value = evaluate_body(
            &block.body,
            None,
            &context,
            &mut spans,
            &mut self.diagnostics,
        );
        if let Some(value) = value {
            self.values
                .providers
                .insert((path.clone(), key.clone()), value);
        }
    }

    fn visit_resource(
        &mut self,
        stack: &Stack,
        index: usize,
        path: &ModulePath,
        (mode, name): (Mode, &str),
        resource: &Resource,
    ) {
        let expansion = {
            let scope = ModuleScope::new(&stack.config, &self.values, path);
            expand_if(
                stack,
                &scope,
                (&resource.count, &resource.for_each),
                is_network(stack, mode, &resource.ty),
                &mut self.diagnostics,
            )
        };
        self.check_ignored(stack, mode, resource);
        let expansion = self.counted(expansion, &resource.span);
        let block = (path.clone(), mode, resource.ty.clone(), name.to_owned());
        self.values.blocks.insert(block, expansion.clone());
        let dependencies = Arc::new(self.dependencies(index));
        for key in expansion.keys() {
            let address = Address {
                module: path.clone(),
                mode,
                ty: resource.ty.clone(),
                name: name.to_owned(),
                key: key.clone(),
            };
            // A document need not have every instance that its keys would give.
            if !resource.bodies.is_empty() && !resource.bodies.contains_key(&address) {
                continue;
            }
            let each = expansion.each(&key);
            if let Some((config, spans)) = self.arguments(stack, &address, each, resource) {
                let instance = Instance {
                    index,
                    address,
                    dependencies: Arc::clone(&dependencies),
                    config,
                    spans,
                };
                self.instance(stack, instance, resource);
            }
        }
    }

    /// The arguments of an instance, with its preconditions checked.
    fn arguments(
        &mut self,
        stack: &Stack,
        address: &Address,
        each: Option<Value>,
        resource: &Resource,
    ) -> Option<(Value, Spans)> {
        let scope = ModuleScope::new(&stack.config, &self.values, &address.module);
        let scope = scope.instance(&address.key, each);
        let what = address.to_string();
        let voice = Voice::new("Resource precondition failed", &what);
        let conditions = &resource.preconditions;
        check(stack, &scope, conditions, voice, &mut self.diagnostics);
        let schema = stack.schemas.find(address.mode, &address.ty);
        let provider = schema.map_or(resource.provider.name.as_str(), |s| s.provider.as_str());
        let context = BodyContext {
            scope: &scope,
            files: stack.files.as_ref(),
            version: stack.provider_version(provider),
            stand_ins: self.phase == Phase::Apply,
            stored: true,
            what: &what,
        };
        let mut spans = Spans::new(resource.span.clone());
        let mut said = Vec::new();
        let body = resource.bodies.get(address).unwrap_or(&resource.body);
        let value = evaluate_body(body, schema, &context, &mut spans, &mut said);
        self.diagnostics.append(&mut said);
        let value = value?;
        if !self.fits(&value, &resource.span) {
            return None;
        }
        Some((value, spans))
    }

    /// Postconditions, with `self` as planned or made. True when they hold.
    pub(crate) fn postconditions(
        &mut self,
        stack: &Stack,
        address: &Address,
        value: &Value,
    ) -> bool {
        let path = crate::scope::static_path(&address.module);
        let block = (address.mode, address.ty.clone(), address.name.clone());
        let module = stack.config.modules.get(&path);
        let Some(resource) = module.and_then(|m| m.resources.get(&block)) else {
            return true;
        };
        if resource.postconditions.is_empty() {
            return true;
        }
        let before = self.diagnostics.len();
        let key = (
            address.module.clone(),
            address.mode,
            address.ty.clone(),
            address.name.clone(),
        );
        let each = (self.values.blocks.get(&key)).and_then(|e| e.each(&address.key));
        let scope = ModuleScope::new(&stack.config, &self.values, &address.module);
        let mut scope = scope.instance(&address.key, each);
        scope.this = Some(value.clone());
        let what = address.to_string();
        let voice = Voice::new("Resource postcondition failed", &what);
        let conditions = &resource.postconditions;
        check(stack, &scope, conditions, voice, &mut self.diagnostics);
        !has_errors(&self.diagnostics[before..])
    }

    /// The first of `replace_triggered_by` that changes, as it is written.
    fn trigger(&self, path: &ModulePath, address: &Address, resource: &Resource) -> Option<String> {
        for expr in &resource.replace_triggered_by {
            for reference in references(expr) {
                let Some(name) = reference.attr(0) else {
                    continue;
                };
                let first = Address {
                    module: path.clone(),
                    mode: Mode::Managed,
                    ty: reference.root.clone(),
                    name: name.to_owned(),
                    key: InstanceKey::Single,
                };
                let from_first = self.plan.range(first.clone()..);
                let matching = from_first.take_while(|(a, _)| {
                    (&a.module, a.mode) == (&first.module, first.mode)
                        && (&a.ty, &a.name) == (&first.ty, &first.name)
                });
                // `a.b[count.index]`, `a.b[each.key]`, `a.b[0]`; then an attribute, if any.
                let (key, rest) = match reference.steps.get(1) {
                    Some(Step::Index(index)) => {
                        let here = matches!(index.kind, ExprKind::Traversal(..));
                        let key = if here {
                            Some(address.key.clone())
                        } else {
                            crate::endpoint::key(index)
                        };
                        (key, 2)
                    }
                    _ => (None, 1),
                };
                let path = reference.steps.get(rest..).unwrap_or_default();
                for (other, planned) in matching {
                    if key.as_ref().is_some_and(|k| *k != other.key) {
                        continue;
                    }
                    let touched = match (planned.change, &planned.before) {
                        (Change::Update | Change::Replace, Some(before)) if !path.is_empty() => {
                            let (was, is) = (below(before, path), below(&planned.attributes, path));
                            was != is || is.is_some_and(|v| !v.is_wholly_known())
                        }
                        (Change::Update | Change::Replace, _) => true,
                        _ => false,
                    };
                    if touched {
                        return Some(other.to_string());
                    }
                }
            }
        }
        None
    }

    /// Says so when something that must not be destroyed would be.
    pub(crate) fn check_destroyable(&mut self, address: &Address) {
        let path = crate::scope::static_path(&address.module);
        let block = (address.mode, address.ty.clone(), address.name.clone());
        let module = self.stack.config.modules.get(&path);
        let Some(resource) = module.and_then(|m| m.resources.get(&block)) else {
            return;
        };
        if resource.prevent_destroy {
            let detail =
                format!("{address} has lifecycle.prevent_destroy set, but the plan destroys it");
            let diagnostic = Diagnostic::error("Instance cannot be destroyed", detail);
            self.diagnostics.push(diagnostic.at(&resource.span));
        }
    }

    fn instance(&mut self, stack: &Stack, instance: Instance, resource: &Resource) {
        let schema = stack
            .schemas
            .find(instance.address.mode, &instance.address.ty);
        let modelled =
            schema.is_some_and(|s| matches!(s.category, Category::Network | Category::Builtin));
        let prior = self.prior.instances.get(&instance.address).cloned();
        if !modelled {
            return self.not_modelled_instance(stack, instance, resource);
        }
        if instance.address.mode == Mode::Data {
            return self.data_instance(stack, instance, resource);
        }
        let before = prior.as_ref().map(|p| &p.attributes);
        let mut diff = diff(schema, before, &instance.config, &resource.ignore_changes);
        if is_builtin(&instance.address) {
            builtin::plan(&mut diff, before);
        }
        if prior.is_some()
            && self.phase == Phase::Plan
            && let Some(trigger) =
                self.trigger(&instance.address.module, &instance.address, resource)
        {
            diff.changed.push(format!("{TRIGGER}{trigger})"));
            diff.replace.push(format!("{TRIGGER}{trigger})"));
        }
        let change = match (&prior, diff.changed.is_empty(), diff.replace.is_empty()) {
            (None, ..) => Change::Create,
            (Some(prior), ..) if prior.tainted => Change::Replace,
            (Some(_), true, _) => Change::None,
            (Some(_), false, true) => Change::Update,
            (Some(_), false, false) => Change::Replace,
        };
        if self.phase == Phase::Plan {
            self.plan_instance(stack, instance, diff, change, resource);
        } else {
            self.apply_instance(stack, instance, resource, diff, change);
        }
    }

    fn plan_instance(
        &mut self,
        stack: &Stack,
        instance: Instance,
        found: Diff,
        change: Change,
        resource: &Resource,
    ) {
        let mut attributes = found.planned;
        if change == Change::Replace {
            if resource.prevent_destroy {
                let detail = format!(
                    "{} has lifecycle.prevent_destroy set, but the plan replaces it ({})",
                    instance.address,
                    found.replace.join(", ")
                );
                self.diagnostics.push(
                    Diagnostic::error("Instance cannot be destroyed", detail).at(&resource.span),
                );
            }
            attributes = fresh(stack, &instance.address, &instance.config);
        }
        let value = attributes.clone().with_origin(instance.address.to_string());
        self.values
            .resources
            .insert(instance.address.clone(), value.clone());
        self.postconditions(stack, &instance.address, &value);
        let reason = (change == Change::Replace).then(|| {
            let prior = self.prior.instances.get(&instance.address);
            Reason::of_replacement(prior.is_some_and(|p| p.tainted), &found.replace)
        });
        let planned = PlannedInstance {
            change,
            reason,
            before: (self.prior.instances.get(&instance.address)).map(|p| p.attributes.clone()),
            moved_from: self.moved.get(&instance.address).cloned(),
            create_first: change == Change::Replace && resource.create_before_destroy,
            attributes,
            changed: found.changed,
            replace: found.replace,
            spans: instance.spans,
            placeholder: false,
        };
        self.plan.insert(instance.address, planned);
    }

    fn apply_instance(
        &mut self,
        stack: &Stack,
        instance: Instance,
        resource: &Resource,
        found: Diff,
        change: Change,
    ) {
        let planned = self.plan.get(&instance.address).map(|p| p.change);
        let dependencies = Arc::clone(&instance.dependencies);
        let (provider, provider_config) = self.provider(stack, &instance.address, resource);
        let mut waits: BTreeSet<Address> = BTreeSet::new();
        let prior = self.prior.instances.get(&instance.address).cloned();
        if let Some(prior) = &prior {
            let below = prior.dependencies.iter();
            waits.extend(below.filter(|a| self.deletes.contains(*a)).cloned());
        }
        // What was planned as a replacement has its old self deleted already; an update that turns
        // out to need one with the values known is refused below.
        let replaced = planned == Some(Change::Replace);
        let kind = match (replaced, change) {
            (true, _) | (_, Change::Create) => RunningKind::Create,
            (false, Change::None) => {
                let before = prior.map(|p| p.attributes).unwrap_or(found.planned);
                return self.record(
                    &instance.address,
                    before,
                    provider,
                    dependencies,
                    instance.spans,
                    false,
                );
            }
            (false, Change::Replace) => {
                let detail = format!(
                    "{} was to be updated, but with all values known it must be replaced ({}); apply again",
                    instance.address,
                    found.replace.join(", ")
                );
                self.diagnostics
                    .push(Diagnostic::error("Inconsistent final plan", detail).at(&resource.span));
                return;
            }
            _ => RunningKind::Update,
        };
        let mut planned = found.planned;
        if replaced {
            waits.insert(instance.address.clone());
            planned = fresh(stack, &instance.address, &instance.config);
        }
        let mut target = self.target(&instance.address, &provider, &instance.spans);
        target.provider_config = provider_config;
        let running = Running {
            node: Some(instance.index),
            address: instance.address,
            kind,
            planned: planned.clone(),
            dependencies,
            provider,
            spans: instance.spans,
        };
        let action = match prior.filter(|_| kind == RunningKind::Update) {
            Some(prior) => Action::Update {
                target,
                before: prior.attributes,
                after: planned,
            },
            None => Action::Create {
                target,
                planned,
                replaces: replaced,
            },
        };
        self.start(action, running, waits);
    }

    fn data_instance(&mut self, stack: &Stack, instance: Instance, resource: &Resource) {
        if let Some((config, value)) = self.reads.get(&instance.address).cloned()
            && config == instance.config
        {
            let dependencies = Arc::clone(&instance.dependencies);
            let (provider, _) = self.provider(stack, &instance.address, resource);
            return self.record(
                &instance.address,
                value,
                provider,
                dependencies,
                instance.spans,
                false,
            );
        }
        let deferred =
            !instance.config.is_wholly_known() || self.waits_for_changes(&instance, resource);
        let schema = stack.schemas.find(Mode::Data, &instance.address.ty);
        let wanted = diff(schema, None, &instance.config, &IgnoreChanges::None).planned;
        if self.phase == Phase::Plan {
            let planned = PlannedInstance {
                change: if deferred {
                    Change::ReadDuringApply
                } else {
                    Change::Read
                },
                reason: None,
                before: None,
                moved_from: None,
                create_first: false,
                attributes: wanted.clone(),
                changed: Vec::new(),
                replace: Vec::new(),
                spans: instance.spans.clone(),
                placeholder: false,
            };
            self.plan.insert(instance.address.clone(), planned);
            if deferred {
                let value = wanted.with_origin(instance.address.to_string());
                self.values.resources.insert(instance.address, value);
                return;
            }
        }
        let (provider, provider_config) = self.provider(stack, &instance.address, resource);
        let mut target = self.target(&instance.address, &provider, &instance.spans);
        target.provider_config = provider_config;
        let running = Running {
            node: Some(instance.index),
            address: instance.address,
            kind: RunningKind::Read,
            planned: instance.config.clone(),
            dependencies: instance.dependencies,
            provider,
            spans: instance.spans,
        };
        let action = Action::Read {
            target,
            config: instance.config,
        };
        self.start(action, running, BTreeSet::new());
    }

    /// A data source is read only when what `depends_on` names, its own or that of a module around it, has
    /// settled, and the managed resources that its arguments name.
    fn waits_for_changes(&self, instance: &Instance, resource: &Resource) -> bool {
        if self.phase != Phase::Plan {
            return false;
        }
        let mut pending = (instance.dependencies.iter())
            .filter(|a| self.plan.get(a).is_some_and(|p| p.change != Change::None));
        if !resource.depends_on.is_empty() || self.calls_depend(&instance.address.module) {
            return pending.next().is_some();
        }
        let references = references_in(&resource.body, &[]);
        pending.any(|a| {
            a.module == instance.address.module
                && references
                    .iter()
                    .any(|r| r.root == a.ty && r.attr(0) == Some(a.name.as_str()))
        })
    }

    /// Whether a call of one of the modules around an instance has `depends_on`.
    fn calls_depend(&self, module: &[ModuleStep]) -> bool {
        let path = crate::scope::static_path(module);
        (1..=path.len()).any(|depth| {
            let (outer, name) = (&path[..depth - 1], &path[depth - 1]);
            let outer = self.stack.config.modules.get(outer);
            let call = outer.and_then(|m| m.calls.get(name));
            call.is_some_and(|c| !c.depends_on.is_empty())
        })
    }

    /// The managed instances that a node rests on.
    pub(crate) fn dependencies(&self, index: usize) -> Vec<Address> {
        let mut out = Vec::new();
        for &below in &self.graph.resources_below[index] {
            let Node {
                path,
                kind: NodeKind::Resource(Mode::Managed, ty, name),
            } = &self.graph.nodes[below]
            else {
                continue;
            };
            for module in self.values.instances(path) {
                let block = (module.clone(), Mode::Managed, ty.clone(), name.clone());
                let keys = self
                    .values
                    .blocks
                    .get(&block)
                    .map(Expansion::keys)
                    .unwrap_or_default();
                out.extend(keys.into_iter().map(|key| Address {
                    module: module.clone(),
                    mode: Mode::Managed,
                    ty: ty.clone(),
                    name: name.clone(),
                    key,
                }));
            }
        }
        out.sort();
        out
    }

    /// The name and the arguments of the provider of an instance.
    pub(crate) fn provider(
        &self,
        stack: &Stack,
        address: &Address,
        resource: &Resource,
    ) -> (String, Value) {
        let inside = crate::scope::static_path(&address.module);
        let (path, key) = provider_of_resource(&stack.config, &inside, &resource.provider);
        let module: ModulePath = address.module.iter().take(path.len()).cloned().collect();
        let config = self.values.providers.get(&(module.clone(), key.clone()));
        let mut name = String::new();
        for step in &module {
            name.push_str(&format!("module.{}{}.", step.name, step.key));
        }
        name.push_str(&key.to_string());
        (name, config.cloned().unwrap_or_else(Value::null))
    }
}

/// The attributes of an instance that is made anew.
fn fresh(stack: &Stack, address: &Address, config: &Value) -> Value {
    let schema = stack.schemas.find(address.mode, &address.ty);
    let mut diff = diff(schema, None, config, &IgnoreChanges::None);
    if is_builtin(address) {
        builtin::plan(&mut diff, None);
    }
    diff.planned
}

/// One instance at its node.
pub(crate) struct Instance {
    pub(crate) index: usize,
    pub(crate) address: Address,
    /// The managed instances that its node rests on.
    pub(crate) dependencies: Arc<Vec<Address>>,
    pub(crate) config: Value,
    pub(crate) spans: Spans,
}
