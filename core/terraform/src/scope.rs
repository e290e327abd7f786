//! What names mean inside one instance of a module.

use std::collections::BTreeMap;

use skybridge_hcl::ast::Step;
use skybridge_hcl::{Diagnostic, Resolved, Scope, Span, Type, Value};

use crate::address::{Address, InstanceKey, Mode, ModuleStep};
use crate::config::{Config, ProviderKey, StaticPath};
use crate::show::INSTANCE;

/// An instance of a module.
pub(crate) type ModulePath = Vec<ModuleStep>;

/// The path without instance keys.
pub(crate) fn static_path(path: &[ModuleStep]) -> StaticPath {
    path.iter().map(|s| s.name.clone()).collect()
}

/// The instances a block with `count` or `for_each` has.
#[derive(Clone, Debug, Default)]
pub(crate) enum Expansion {
    /// One, without a key.
    #[default]
    Single,
    /// `count`
    Count(u64),
    /// `for_each`: keys and values.
    Each(BTreeMap<String, Value>),
    /// Its number is not known, in a plan that goes on after an error.
    Failed,
}

impl Expansion {
    pub(crate) fn keys(&self) -> Vec<InstanceKey> {
        match self {
            Self::Single => vec![InstanceKey::Single],
            Self::Count(n) => (0..*n).map(InstanceKey::Index).collect(),
            Self::Each(map) => map.keys().cloned().map(InstanceKey::Key).collect(),
            Self::Failed => Vec::new(),
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Single => 1,
            Self::Count(n) => usize::try_from(*n).unwrap_or(usize::MAX),
            Self::Each(map) => map.len(),
            Self::Failed => 0,
        }
    }

    /// Whether there is an instance of a key.
    pub(crate) fn has(&self, key: &InstanceKey) -> bool {
        match (self, key) {
            (Self::Single, InstanceKey::Single) => true,
            (Self::Count(n), InstanceKey::Index(at)) => at < n,
            (Self::Each(map), InstanceKey::Key(key)) => map.contains_key(key),
            _ => false,
        }
    }

    /// The value under `each` for a key.
    pub(crate) fn each(&self, key: &InstanceKey) -> Option<Value> {
        match (self, key) {
            (Self::Each(map), InstanceKey::Key(k)) => map.get(k).cloned(),
            _ => None,
        }
    }
}

/// A resource block inside a module instance.
pub(crate) type BlockKey = (ModulePath, Mode, String, String);

/// Everything evaluated so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    pub(crate) variables: BTreeMap<(ModulePath, String), Value>,
    pub(crate) locals: BTreeMap<(ModulePath, String), Value>,
    pub(crate) outputs: BTreeMap<(ModulePath, String), Value>,
    pub(crate) providers: BTreeMap<(ModulePath, ProviderKey), Value>,
    pub(crate) resources: BTreeMap<Address, Value>,
    pub(crate) blocks: BTreeMap<BlockKey, Expansion>,
    /// The instances of each module call, by the path of the calling instance and its name.
    pub(crate) calls: BTreeMap<(ModulePath, String), Expansion>,
    /// The value of each block with all its instances, once they are there: what refers to one of many
    /// would otherwise put them together again every time.
    wholes: BTreeMap<BlockKey, Value>,
}

impl Values {
    /// Whether the block of an instance has it.
    pub(crate) fn has_instance(&self, address: &Address) -> bool {
        let (module, name) = (address.module.clone(), address.name.clone());
        let block = (module, address.mode, address.ty.clone(), name);
        let expansion = self.blocks.get(&block);
        expansion.is_some_and(|e| e.has(&address.key))
    }

    /// All instances of a block as one value; `None` while one of them has none.
    fn whole(&self, block: &BlockKey) -> Option<Value> {
        let expansion = self.blocks.get(block)?;
        let (module, mode, ty, name) = block;
        let mut items = Vec::new();
        for key in expansion.keys() {
            let address = Address {
                module: module.clone(),
                mode: *mode,
                ty: ty.clone(),
                name: name.clone(),
                key,
            };
            let value = self.resources.get(&address)?.clone();
            items.push((address.key, value));
        }
        match expansion {
            Expansion::Single => items.pop().map(|(_, value)| value),
            Expansion::Count(_) => Some(Value::tuple(items.into_iter().map(|(_, v)| v).collect())),
            Expansion::Each(_) => {
                Some(Value::object_of(items.into_iter().map(
                    |(key, value)| match key {
                        InstanceKey::Key(key) => (key, value),
                        InstanceKey::Single | InstanceKey::Index(_) => (key.to_string(), value),
                    },
                )))
            }
            Expansion::Failed => None,
        }
    }

    /// Notes that the instances of a block in every instance of its module have their values.
    pub(crate) fn settle(&mut self, path: &[String], block: &(Mode, String, String)) {
        let (mode, ty, name) = block;
        for module in self.instances(path) {
            let key = (module, *mode, ty.clone(), name.clone());
            if let Some(whole) = self.whole(&key) {
                self.wholes.insert(key, whole);
            }
        }
    }

    /// All instances of a module, in order.
    pub(crate) fn instances(&self, path: &[String]) -> Vec<ModulePath> {
        let mut found: Vec<ModulePath> = vec![Vec::new()];
        for name in path {
            found = found
                .into_iter()
                .flat_map(|above| {
                    let expansion = self.calls.get(&(above.clone(), name.clone()));
                    let keys = expansion.map(Expansion::keys).unwrap_or_default();
                    keys.into_iter().map(move |key| {
                        let mut path = above.clone();
                        path.push(ModuleStep {
                            name: name.clone(),
                            key,
                        });
                        path
                    })
                })
                .collect();
        }
        found
    }
}

/// What is wrong with how an instance of a block is named: without a key where there are many, with one where there is
/// a single one.
fn misplaced_key(
    expansion: &Expansion,
    address: &Address,
    next: Option<&Step>,
    span: &Span,
) -> Option<Diagnostic> {
    let data = if address.mode == Mode::Data {
        "data."
    } else {
        ""
    };
    let block = format!("{data}{}.{}", address.ty, address.name);
    let missing = |what: &str, example: &str| {
        let detail = format!(
            "{block} has \"{what}\" set, so its attributes are those of one of its instances"
        );
        let help =
            format!("Write {block}[{example}] for the instance of the same key, or [*] for all.");
        Diagnostic::error("Missing resource instance key", detail)
            .at(span)
            .help(help)
    };
    match (expansion, next?) {
        (Expansion::Count(_), Step::Attr(attr, _)) if attr.parse::<u64>().is_err() => {
            Some(missing("count", "count.index"))
        }
        (Expansion::Each(map), Step::Attr(attr, _)) if !map.contains_key(attr) => {
            Some(missing("for_each", "each.key"))
        }
        (Expansion::Single, Step::Index(_)) => {
            let detail =
                format!("{block} has neither \"count\" nor \"for_each\", so it has no index");
            Some(
                Diagnostic::error("Unexpected resource instance key", detail)
                    .at(span)
                    .help(format!("Write {block} without the bracketed index.")),
            )
        }
        _ => None,
    }
}

/// The scope of a module instance, or of a resource instance in it.
#[derive(Clone, Debug)]
pub(crate) struct ModuleScope<'a> {
    pub(crate) config: &'a Config,
    pub(crate) values: &'a Values,
    pub(crate) path: ModulePath,
    /// `count.index`, `each.key`
    pub(crate) key: InstanceKey,
    /// `each.value`
    pub(crate) each: Option<Value>,
    /// `self`
    pub(crate) this: Option<Value>,
}

impl<'a> ModuleScope<'a> {
    pub(crate) fn new(config: &'a Config, values: &'a Values, path: &[ModuleStep]) -> Self {
        Self {
            config,
            values,
            path: path.to_vec(),
            key: InstanceKey::Single,
            each: None,
            this: None,
        }
    }

    pub(crate) fn instance(mut self, key: &InstanceKey, each: Option<Value>) -> Self {
        self.key = key.clone();
        self.each = each;
        self
    }

    fn named(
        &self,
        map: &BTreeMap<(ModulePath, String), Value>,
        what: &str,
        steps: &[Step],
        span: &Span,
    ) -> Resolved {
        let Some(name) = step_name(steps, 0) else {
            // The whole of `var` or `local`, as in `keys(local)`: not a value in Terraform either.
            return failed(
                "Invalid reference",
                format!("\"{what}\" must be followed by a dot and a name"),
                span,
            );
        };
        match map.get(&(self.path.clone(), name.to_owned())) {
            Some(value) => Resolved::Value(value.clone(), 1),
            None => {
                let known = map
                    .keys()
                    .filter(|(p, _)| *p == self.path)
                    .map(|(_, n)| n.as_str());
                let detail = format!("there is no value for \"{what}.{name}\"");
                let diagnostic = Diagnostic::error("Reference to undeclared name", detail);
                Resolved::Failed(vec![diagnostic.at(span).suggest(name, known)])
            }
        }
    }

    fn resource(
        &self,
        mode: Mode,
        ty: &str,
        steps: &[Step],
        taken: usize,
        span: &Span,
    ) -> Resolved {
        let Some(name) = step_name(steps, taken) else {
            return Resolved::Missing;
        };
        let block = (self.path.clone(), mode, ty.to_owned(), name.to_owned());
        let Some(expansion) = self.values.blocks.get(&block) else {
            let detail = format!("a resource \"{ty}\" \"{name}\" has not been declared");
            return failed("Reference to undeclared resource", detail, span);
        };
        let address = |key: InstanceKey| Address {
            module: self.path.clone(),
            mode,
            ty: ty.to_owned(),
            name: name.to_owned(),
            key,
        };
        if let Some(error) = misplaced_key(
            expansion,
            &address(InstanceKey::Single),
            steps.get(taken + 1),
            span,
        ) {
            return Resolved::Failed(vec![error]);
        }
        // An index that is written out needs that instance only, and works while others are
        // on their way.
        let wanted = match (steps.get(taken + 1), expansion) {
            (Some(Step::Index(expr)), Expansion::Count(_) | Expansion::Each(_)) => {
                literal_key(expr)
            }
            (Some(Step::Attr(name, _)), Expansion::Count(_)) => {
                name.parse().ok().map(InstanceKey::Index)
            }
            _ => None,
        };
        if let Some(wanted) = wanted.filter(|key| expansion.has(key)) {
            return match self.values.resources.get(&address(wanted)) {
                Some(value) => Resolved::Value(value.clone(), taken + 2),
                None => Resolved::Failed(Vec::new()),
            };
        }
        let whole = self.values.wholes.get(&block).cloned();
        match whole.or_else(|| self.values.whole(&block)) {
            Some(value) => Resolved::Value(value, taken + 1),
            // An instance failed, which was said where it did.
            None => Resolved::Failed(Vec::new()),
        }
    }

    fn module(&self, steps: &[Step], span: &Span) -> Resolved {
        let Some(name) = step_name(steps, 0) else {
            return failed(
                "Invalid reference",
                "\"module\" must be followed by a dot and a name",
                span,
            );
        };
        let Some(expansion) = self.values.calls.get(&(self.path.clone(), name.to_owned())) else {
            return failed(
                "Reference to undeclared module",
                format!("module \"{name}\" has not been declared"),
                span,
            );
        };
        let mut child = static_path(&self.path);
        child.push(name.to_owned());
        let outputs = self.config.modules.get(&child).map(|m| &m.outputs);
        let object = |key: InstanceKey| {
            let mut path = self.path.clone();
            path.push(ModuleStep {
                name: name.to_owned(),
                key,
            });
            // Outputs that are not needed here may not be there yet.
            let present = outputs
                .into_iter()
                .flat_map(BTreeMap::keys)
                .filter_map(|output| {
                    let value = self.values.outputs.get(&(path.clone(), output.clone()))?;
                    Some((output.clone(), value.clone()))
                });
            Value::object_of(present)
        };
        let value = match expansion {
            Expansion::Single => object(InstanceKey::Single),
            Expansion::Count(n) => {
                Value::tuple((0..*n).map(|i| object(InstanceKey::Index(i))).collect())
            }
            Expansion::Each(map) => Value::object_of(
                map.keys()
                    .map(|k| (k.clone(), object(InstanceKey::Key(k.clone())))),
            ),
            Expansion::Failed => return Resolved::Failed(Vec::new()),
        };
        Resolved::Value(value, 1)
    }

    /// An instance by its whole address, as documents refer to it.
    fn anywhere(&self, steps: &[Step]) -> Resolved {
        let address = match steps.first() {
            Some(Step::Index(index)) => match literal_key(index) {
                Some(InstanceKey::Key(text)) => text.parse::<Address>().ok(),
                _ => None,
            },
            _ => None,
        };
        match address.and_then(|a| self.values.resources.get(&a)) {
            Some(value) => Resolved::Value(value.clone(), 1),
            None => Resolved::Failed(Vec::new()),
        }
    }

    fn workspace(&self) -> Value {
        let name = self.config.workspace.as_str();
        Value::string(if name.is_empty() { "default" } else { name })
    }

    fn directory(&self) -> String {
        let path = static_path(&self.path);
        self.config
            .modules
            .get(&path)
            .map_or_else(|| ".".to_owned(), |m| m.directory.clone())
    }
}

fn failed(summary: &str, detail: impl Into<String>, span: &Span) -> Resolved {
    Resolved::Failed(vec![Diagnostic::error(summary, detail).at(span)])
}

/// What is wrong with an attribute of `path` or `terraform` that they do not have.
fn unlisted(what: &str, names: &[&str], steps: &[Step], span: &Span) -> Option<Resolved> {
    let name = step_name(steps, 0)?;
    if names.contains(&name) {
        return None;
    }
    let detail = format!("the \"{what}\" object does not have an attribute named \"{name}\"");
    let diagnostic = Diagnostic::error(format!("Invalid \"{what}\" attribute"), detail);
    let diagnostic = diagnostic.at(span).suggest(name, names.iter().copied());
    Some(Resolved::Failed(vec![diagnostic]))
}

fn step_name(steps: &[Step], index: usize) -> Option<&str> {
    match steps.get(index) {
        Some(Step::Attr(name, _)) => Some(name),
        _ => None,
    }
}

/// The instance key of an index that is written out.
fn literal_key(expr: &skybridge_hcl::ast::Expr) -> Option<InstanceKey> {
    use skybridge_hcl::ast::ExprKind;
    match &expr.kind {
        ExprKind::Literal(value) => value.as_str().map(|s| InstanceKey::Key(s.to_owned())),
        ExprKind::Number(n) => Value::number(n.clone()).as_u64().map(InstanceKey::Index),
        _ => None,
    }
}

impl Scope for ModuleScope<'_> {
    fn resolve(&self, name: &str, steps: &[Step], span: &Span) -> Resolved {
        match name {
            INSTANCE => self.anywhere(steps),
            "var" => self.named(&self.values.variables, "var", steps, span),
            "local" => self.named(&self.values.locals, "local", steps, span),
            "module" => self.module(steps, span),
            "data" => match step_name(steps, 0) {
                Some(ty) => self.resource(Mode::Data, ty, steps, 1, span),
                None => failed(
                    "Invalid reference",
                    "\"data\" must be followed by a type and a name",
                    span,
                ),
            },
            "path" => {
                let root = self
                    .config
                    .modules
                    .get(&Vec::new())
                    .map_or(".", |m| m.directory.as_str());
                if let Some(said) = unlisted(name, &["module", "root", "cwd"], steps, span) {
                    return said;
                }
                let object = [
                    ("module", Value::string(self.directory())),
                    ("root", Value::string(root)),
                    ("cwd", Value::string(".")),
                ];
                Resolved::Value(Value::object_of(object), 0)
            }
            "terraform" => unlisted(name, &["workspace"], steps, span).unwrap_or_else(|| {
                Resolved::Value(Value::object_of([("workspace", self.workspace())]), 0)
            }),
            "ephemeral" => Resolved::Value(Value::unknown(Type::Dynamic).ephemeral(), 2),
            "count" => match &self.key {
                InstanceKey::Index(i) => {
                    Resolved::Value(Value::object_of([("index", Value::number(*i))]), 0)
                }
                _ => failed(
                    "Reference to \"count\" in non-counted context",
                    "only blocks with \"count\" have it",
                    span,
                ),
            },
            "each" => match (&self.key, &self.each) {
                (InstanceKey::Key(key), each) => {
                    let value = each.clone().unwrap_or_else(|| Value::string(key));
                    let object = [("key", Value::string(key)), ("value", value)];
                    Resolved::Value(Value::object_of(object), 0)
                }
                _ => failed(
                    "Reference to \"each\" in context without for_each",
                    "only blocks with \"for_each\" have it",
                    span,
                ),
            },
            "self" => match &self.this {
                Some(value) => Resolved::Value(value.clone(), 0),
                None => failed(
                    "Invalid \"self\" reference",
                    "it is not available here",
                    span,
                ),
            },
            ty => self.resource(Mode::Managed, ty, steps, 0, span),
        }
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = ["var", "local", "module", "data", "path", "terraform"]
            .map(str::to_owned)
            .to_vec();
        names.extend(
            self.values
                .blocks
                .keys()
                .filter(|k| k.0 == self.path)
                .map(|k| k.2.clone()),
        );
        names.dedup();
        names
    }
}
