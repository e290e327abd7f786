//! The reference graph: which named thing of a configuration needs which others. It is about
//! blocks, not instances: everything that refers to a block waits for all its instances, as in
//! Terraform.

use std::collections::{BTreeMap, BTreeSet};

use skybridge_hcl::ast::{Body, Expr};
use skybridge_hcl::{Diagnostic, Reference, Span, references, references_in};

use crate::address::{Address, Mode};
use crate::config::{Condition, Config, Module, ProviderBlock, ProviderKey, Resource, StaticPath};
use crate::imports::keys;
use crate::providers;
use crate::scope::static_path;
use crate::show::INSTANCE;

/// One named thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Node {
    pub(crate) path: StaticPath,
    pub(crate) kind: NodeKind,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NodeKind {
    Variable(String),
    Local(String),
    Provider(ProviderKey),
    /// The instances of a module call.
    Call(String),
    Resource(Mode, String, String),
    Output(String),
    Check(String),
    /// An `import` block, by its place among them.
    Import(usize),
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for step in &self.path {
            write!(f, "module.{step}.")?;
        }
        match &self.kind {
            NodeKind::Variable(n) => write!(f, "var.{n}"),
            NodeKind::Local(n) => write!(f, "local.{n}"),
            NodeKind::Provider(key) => write!(f, "provider.{key}"),
            NodeKind::Call(n) => write!(f, "module.{n}"),
            NodeKind::Resource(Mode::Managed, t, n) => write!(f, "{t}.{n}"),
            NodeKind::Resource(Mode::Data, t, n) => write!(f, "data.{t}.{n}"),
            NodeKind::Output(n) => write!(f, "output.{n}"),
            NodeKind::Check(n) => write!(f, "check.{n}"),
            NodeKind::Import(n) => write!(f, "import[{n}]"),
        }
    }
}

/// The graph, in an order in which every node comes after what it needs.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    /// What each node needs.
    pub(crate) needs: Vec<BTreeSet<usize>>,
    /// What needs each node.
    pub(crate) needed_by: Vec<BTreeSet<usize>>,
    /// The resources that each resource rests on, through any number of other nodes.
    pub(crate) resources_below: Vec<BTreeSet<usize>>,
}

/// Builds the graph. Undeclared names and cycles are errors, all reported.
pub(crate) fn build(config: &Config, diagnostics: &mut Vec<Diagnostic>) -> Graph {
    let mut builder = Builder {
        config,
        edges: BTreeMap::new(),
        diagnostics,
    };
    for (path, module) in &config.modules {
        builder.module(path, module);
    }
    let edges = builder.edges;
    order(edges, diagnostics)
}

struct Builder<'a> {
    config: &'a Config,
    edges: BTreeMap<Node, BTreeSet<Node>>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

pub(crate) fn node(path: &[String], kind: NodeKind) -> Node {
    Node {
        path: path.to_vec(),
        kind,
    }
}

impl Builder<'_> {
    fn module(&mut self, path: &StaticPath, module: &Module) {
        // A thing in a module exists once per instance of the module.
        let call = path
            .split_last()
            .map(|(name, above)| node(above, NodeKind::Call(name.clone())));
        let mut add = |kind: NodeKind, needs: BTreeSet<Node>| {
            let mut needs = needs;
            needs.extend(call.clone());
            self.edges
                .entry(node(path, kind))
                .or_default()
                .extend(needs);
        };
        let mut found: Vec<(NodeKind, BTreeSet<Node>)> = Vec::new();
        let mut diagnostics = Vec::new();
        let mut walk = Walk {
            config: self.config,
            path,
            module,
            diagnostics: &mut diagnostics,
        };
        for (name, local) in &module.locals {
            found.push((NodeKind::Local(name.clone()), walk.exprs([&local.expr])));
        }
        for (name, output) in &module.outputs {
            let mut needs = walk.exprs([&output.expr]);
            needs.extend(walk.exprs(&output.depends_on));
            needs.extend(walk.conditions(&output.preconditions));
            found.push((NodeKind::Output(name.clone()), needs));
        }
        for (name, check) in &module.checks {
            found.push((
                NodeKind::Check(name.clone()),
                walk.conditions(&check.asserts),
            ));
        }
        for (at, import) in module.imports.iter().enumerate() {
            let exprs = import.id.iter().chain(&import.for_each);
            let mut needs = walk.exprs(exprs.chain(keys(&import.to)));
            needs.extend(walk.target(&import.to));
            found.push((NodeKind::Import(at), needs));
        }
        for (key, provider) in &module.providers {
            found.push((NodeKind::Provider(key.clone()), walk.body(&provider.body)));
        }
        for ((mode, ty, name), resource) in &module.resources {
            let kind = NodeKind::Resource(*mode, ty.clone(), name.clone());
            let needs = walk.resource(&kind, resource);
            found.push((kind, needs));
        }
        for (name, call) in &module.calls {
            let needs = walk.exprs(call.count.iter().chain(&call.for_each));
            found.push((NodeKind::Call(name.clone()), needs));
        }
        for (name, variable) in &module.variables {
            let mut needs = walk.variable(name);
            // A validation speaks of its own variable, and of others since Terraform 1.9.
            needs.extend(walk.conditions(&variable.validations));
            needs.remove(&node(path, NodeKind::Variable(name.clone())));
            found.push((NodeKind::Variable(name.clone()), needs));
        }
        walk.depends_on_of_call(&mut found);
        for (kind, needs) in found {
            add(kind, needs);
        }
        self.diagnostics.append(&mut diagnostics);
    }
}

pub(crate) struct Walk<'a> {
    pub(crate) config: &'a Config,
    path: &'a StaticPath,
    module: &'a Module,
    pub(crate) diagnostics: &'a mut Vec<Diagnostic>,
}

impl Walk<'_> {
    fn exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) -> BTreeSet<Node> {
        let mut needs = BTreeSet::new();
        for expr in exprs {
            for reference in references(expr) {
                self.reference(&reference, &mut needs);
            }
        }
        needs
    }

    fn conditions(&mut self, conditions: &[Condition]) -> BTreeSet<Node> {
        let exprs =
            (conditions.iter()).flat_map(|c| std::iter::once(&c.condition).chain(&c.message));
        self.exprs(exprs)
    }

    fn body(&mut self, body: &Body) -> BTreeSet<Node> {
        let mut needs = BTreeSet::new();
        for reference in references_in(body, &[]) {
            self.reference(&reference, &mut needs);
        }
        needs
    }

    /// What the arguments of a block refer to, which may not be the block itself.
    fn own_body(&mut self, this: &Node, resource: &Resource) -> BTreeSet<Node> {
        let mut needs = BTreeSet::new();
        let number = resource.count.iter().chain(&resource.for_each);
        let number = number.flat_map(references);
        for reference in references_in(&resource.body, &[]).into_iter().chain(number) {
            let mut found = BTreeSet::new();
            self.reference(&reference, &mut found);
            if found.remove(this) {
                let detail = format!("configuration for {this} may not refer to itself");
                let diagnostic = Diagnostic::error("Self-referential block", detail);
                self.diagnostics.push(diagnostic.at(&reference.span));
            }
            needs.append(&mut found);
        }
        needs
    }

    fn resource(&mut self, kind: &NodeKind, resource: &Resource) -> BTreeSet<Node> {
        let this = node(self.path, kind.clone());
        let mut needs = self.own_body(&this, resource);
        for body in resource.bodies.values() {
            needs.extend(self.body(body));
        }
        needs.extend(self.exprs(&resource.depends_on));
        // Published directories have it, and Terraform passes over it.
        needs.remove(&this);
        needs.extend(self.conditions(&resource.preconditions));
        needs.extend(self.conditions(&resource.postconditions));
        needs.extend(self.exprs(&resource.replace_triggered_by));
        let (path, key) = provider_of_resource(self.config, self.path, &resource.provider);
        if self
            .config
            .modules
            .get(&path)
            .is_some_and(|m| m.providers.contains_key(&key))
        {
            needs.insert(node(&path, NodeKind::Provider(key)));
        } else if resource.provider.alias.is_some()
            && !providers::is_configured(self.module, &resource.provider)
        {
            let (what, key) = (this.to_string(), &resource.provider);
            let said = providers::not_present(&what, self.module, key, &resource.span);
            self.diagnostics.push(said);
        }
        needs
    }

    /// A variable of a child module needs what the call passes.
    fn variable(&mut self, name: &str) -> BTreeSet<Node> {
        let Some((call_name, above)) = self.path.split_last() else {
            return BTreeSet::new();
        };
        let above = above.to_vec();
        let Some(module) = self.config.modules.get(&above) else {
            return BTreeSet::new();
        };
        let mut outer = Walk {
            config: self.config,
            path: &above,
            module,
            diagnostics: self.diagnostics,
        };
        outer.exprs(
            module
                .calls
                .get(call_name)
                .and_then(|c| c.arguments.get(name)),
        )
    }

    /// `depends_on` of a module holds for every resource in it.
    fn depends_on_of_call(&mut self, found: &mut [(NodeKind, BTreeSet<Node>)]) {
        let mut above = self.path.clone();
        while let Some(name) = above.pop() {
            let Some(module) = self.config.modules.get(&above) else {
                continue;
            };
            let Some(call) = module.calls.get(&name).filter(|c| !c.depends_on.is_empty()) else {
                continue;
            };
            let mut outer = Walk {
                config: self.config,
                path: &above,
                module,
                diagnostics: self.diagnostics,
            };
            let needs = outer.exprs(&call.depends_on);
            for (kind, of) in found.iter_mut() {
                if matches!(kind, NodeKind::Resource(..)) {
                    of.extend(needs.iter().cloned());
                }
            }
        }
    }

    fn reference(&mut self, reference: &Reference, needs: &mut BTreeSet<Node>) {
        let (kind, name) = (reference.root.as_str(), reference.attr(0));
        match (kind, name) {
            ("path" | "terraform" | "count" | "each" | "self", _) => {}
            (INSTANCE, address) => {
                let address = address.and_then(|a| a.parse::<Address>().ok());
                if let Some(a) = address {
                    let kind = NodeKind::Resource(a.mode, a.ty.clone(), a.name.clone());
                    needs.insert(node(&static_path(&a.module), kind));
                }
            }
            ("ephemeral", Some(ty)) => self.ephemeral_reference(ty, reference),
            ("var", Some(name)) => {
                if self.declared(
                    &self.module.variables,
                    "input variable",
                    name,
                    &reference.span,
                ) {
                    needs.insert(node(self.path, NodeKind::Variable(name.to_owned())));
                }
            }
            ("local", Some(name)) => {
                if self.declared(&self.module.locals, "local value", name, &reference.span) {
                    needs.insert(node(self.path, NodeKind::Local(name.to_owned())));
                }
            }
            ("module", Some(name)) => {
                if self.declared(&self.module.calls, "module", name, &reference.span) {
                    self.module_reference(reference, name, needs);
                }
            }
            ("data", Some(ty)) => {
                self.resource_reference(Mode::Data, ty, reference.attr(1), reference, needs)
            }
            ("var" | "local" | "module" | "data" | "ephemeral", None) => {
                let detail = format!("\"{kind}\" must be followed by a dot and a name");
                self.diagnostics
                    .push(Diagnostic::error("Invalid reference", detail).at(&reference.span));
            }
            (ty, name) => self.resource_reference(Mode::Managed, ty, name, reference, needs),
        }
    }

    /// What is opened here stays unknown, so that nothing need wait for it.
    fn ephemeral_reference(&mut self, ty: &str, reference: &Reference) {
        let name = reference.attr(1).unwrap_or_default();
        let block = (ty.to_owned(), name.to_owned());
        if !self.module.ephemerals.contains_key(&block) {
            let detail = format!("an ephemeral resource \"{ty}\" \"{name}\" has not been declared");
            let diagnostic = Diagnostic::error("Reference to undeclared resource", detail);
            self.diagnostics.push(diagnostic.at(&reference.span));
        }
    }

    fn declared<T>(
        &mut self,
        names: &BTreeMap<String, T>,
        what: &str,
        name: &str,
        span: &Span,
    ) -> bool {
        if names.contains_key(name) {
            return true;
        }
        let detail = format!("{what} \"{name}\" has not been declared");
        let diagnostic = Diagnostic::error(format!("Reference to undeclared {what}"), detail)
            .at(span)
            .suggest(name, names.keys().map(String::as_str));
        self.diagnostics.push(diagnostic);
        false
    }

    fn module_reference(&mut self, reference: &Reference, name: &str, needs: &mut BTreeSet<Node>) {
        let mut child = self.path.clone();
        child.push(name.to_owned());
        needs.insert(node(self.path, NodeKind::Call(name.to_owned())));
        let Some(module) = self.config.modules.get(&child) else {
            return;
        };
        // `module.a.x`, `module.a[0].x`, `module.a.0.x`; anything else may need any output.
        let output = reference.steps.iter().skip(1).find_map(|step| match step {
            skybridge_hcl::ast::Step::Attr(name, _) if !is_number(name) => Some(name.as_str()),
            _ => None,
        });
        if let Some(output) = output.filter(|o| !module.outputs.contains_key(*o)) {
            // How many there are of a repeated module is known when it is evaluated, and then what it lacks.
            let call = self.module.calls.get(name);
            let is_repeated = call.is_some_and(|c| c.count.is_some() || c.for_each.is_some());
            if reference.is_guarded || is_repeated {
                return;
            }
            let detail = format!("module \"{name}\" has no output named \"{output}\"");
            let diagnostic = Diagnostic::error("Unsupported attribute", detail)
                .at(&reference.span)
                .suggest(output, module.outputs.keys().map(String::as_str));
            self.diagnostics.push(diagnostic);
            return;
        }
        match output {
            Some(output) => {
                needs.insert(node(&child, NodeKind::Output(output.to_owned())));
            }
            None => {
                let outputs = module
                    .outputs
                    .keys()
                    .map(|o| node(&child, NodeKind::Output(o.clone())));
                needs.extend(outputs);
                // `depends_on = [module.a]`: its resources too.
                if output.is_none() {
                    let below = self
                        .config
                        .modules
                        .range(child.clone()..)
                        .take_while(|(p, _)| p.starts_with(&child));
                    for (path, module) in below {
                        let resources = module.resources.keys();
                        needs.extend(resources.map(|(m, t, n)| {
                            node(path, NodeKind::Resource(*m, t.clone(), n.clone()))
                        }));
                    }
                }
            }
        }
    }

    fn resource_reference(
        &mut self,
        mode: Mode,
        ty: &str,
        name: Option<&str>,
        reference: &Reference,
        needs: &mut BTreeSet<Node>,
    ) {
        let Some(name) = name else {
            let detail = format!(
                "\"{ty}\" is not a name that can be used here; a reference to a resource is TYPE.NAME"
            );
            let roots = [
                "var",
                "local",
                "module",
                "data",
                "each",
                "count",
                "path",
                "terraform",
            ];
            let diagnostic = Diagnostic::error("Invalid reference", detail).at(&reference.span);
            self.diagnostics.push(diagnostic.suggest(ty, roots));
            return;
        };
        let block = (mode, ty.to_owned(), name.to_owned());
        if self.module.resources.contains_key(&block) {
            let key = NodeKind::Resource(mode, ty.to_owned(), name.to_owned());
            needs.insert(node(self.path, key));
            return;
        }
        let what = if mode == Mode::Data {
            "data resource"
        } else {
            "managed resource"
        };
        let detail = format!("a {what} \"{ty}\" \"{name}\" has not been declared");
        let all: Vec<String> = self
            .module
            .resources
            .keys()
            .filter(|(m, ..)| *m == mode)
            .map(|(_, t, n)| format!("{t}.{n}"))
            .collect();
        let diagnostic = Diagnostic::error("Reference to undeclared resource", detail)
            .at(&reference.span)
            .suggest(&format!("{ty}.{name}"), all.iter().map(String::as_str));
        self.diagnostics.push(diagnostic);
    }
}

/// Where the configuration of a provider stands: the module itself, or the nearest one above that
/// has it, with names as the calls on the way pass them.
pub(crate) fn provider_of_resource(
    config: &Config,
    path: &[String],
    key: &ProviderKey,
) -> (StaticPath, ProviderKey) {
    let mut path = path.to_vec();
    let mut key = key.clone();
    loop {
        let own = config
            .modules
            .get(&path)
            .and_then(|m| m.providers.get(&key));
        let above = path.split_last().and_then(|(name, above)| {
            let call = config.modules.get(above)?.calls.get(name)?;
            Some(call.providers.get(&key).map(|(outer, _)| outer.clone()))
        });
        // An empty block in a module says only that it wants to be given one.
        let is_proxy = |p: &ProviderBlock| {
            providers::is_empty(&p.body) && (key.alias.is_none() || matches!(above, Some(Some(_))))
        };
        let (Some(passed), true) = (&above, own.is_none_or(is_proxy)) else {
            return (path, key);
        };
        match passed {
            Some(outer) => key = outer.clone(),
            // Only default configurations are inherited.
            None if key.alias.is_some() => return (path, key),
            None => {}
        }
        path.pop();
    }
}

/// Kahn's algorithm: the order, or the cycles.
fn order(edges: BTreeMap<Node, BTreeSet<Node>>, diagnostics: &mut Vec<Diagnostic>) -> Graph {
    let known: BTreeMap<Node, BTreeSet<Node>> = edges
        .iter()
        .map(|(n, needs)| {
            (
                n.clone(),
                needs
                    .iter()
                    .filter(|d| edges.contains_key(*d))
                    .cloned()
                    .collect(),
            )
        })
        .collect();
    let mut waiting: BTreeMap<&Node, usize> = known.iter().map(|(n, d)| (n, d.len())).collect();
    let mut users: BTreeMap<&Node, Vec<&Node>> = BTreeMap::new();
    for (n, needs) in &known {
        for need in needs {
            users.entry(need).or_default().push(n);
        }
    }
    let mut ready: BTreeSet<&Node> = waiting
        .iter()
        .filter(|(_, c)| **c == 0)
        .map(|(n, _)| *n)
        .collect();
    let mut sorted: Vec<&Node> = Vec::new();
    while let Some(n) = ready.pop_first() {
        sorted.push(n);
        waiting.remove(n);
        for user in users.get(n).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(*user) {
                *count -= 1;
                if *count == 0 {
                    ready.insert(user);
                }
            }
        }
    }
    if !waiting.is_empty() {
        let left: BTreeSet<&Node> = waiting.keys().copied().collect();
        let cycle = one_cycle(&known, &left);
        let names: Vec<String> = cycle.iter().map(ToString::to_string).collect();
        let detail = format!("{} need each other", names.join(" -> "));
        diagnostics.push(Diagnostic::error("Cycle", detail));
        return Graph::default();
    }
    index(&sorted, &known)
}

/// A cycle among nodes that are left over: follow needs until a node comes again.
fn one_cycle<'a>(
    known: &'a BTreeMap<Node, BTreeSet<Node>>,
    left: &BTreeSet<&'a Node>,
) -> Vec<&'a Node> {
    let mut trail: Vec<&Node> = Vec::new();
    let mut at = left.first().copied();
    while let Some(n) = at {
        if let Some(start) = trail.iter().position(|t| *t == n) {
            trail.drain(..start);
            trail.push(n);
            return trail;
        }
        trail.push(n);
        at = known[n].iter().find(|d| left.contains(d));
    }
    trail
}

fn index(sorted: &[&Node], known: &BTreeMap<Node, BTreeSet<Node>>) -> Graph {
    let place: BTreeMap<&Node, usize> = sorted.iter().enumerate().map(|(i, n)| (*n, i)).collect();
    let mut graph = Graph {
        needed_by: vec![BTreeSet::new(); sorted.len()],
        ..Graph::default()
    };
    for (i, n) in sorted.iter().enumerate() {
        let needs: BTreeSet<usize> = known[*n].iter().map(|d| place[d]).collect();
        let mut below = BTreeSet::new();
        for &d in &needs {
            graph.needed_by[d].insert(i);
            if matches!(sorted[d].kind, NodeKind::Resource(..)) {
                below.insert(d);
            }
            // What a managed resource rests on is behind it; other nodes pass theirs on.
            if !matches!(sorted[d].kind, NodeKind::Resource(Mode::Managed, ..)) {
                below.extend(graph.resources_below[d].iter().copied());
            }
        }
        graph.nodes.push((*n).clone());
        graph.needs.push(needs);
        graph.resources_below.push(below);
    }
    graph
}

/// Whether a step is a legacy index (`.0`).
fn is_number(step: &str) -> bool {
    step.bytes().all(|b| b.is_ascii_digit())
}
