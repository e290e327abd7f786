//! What `moved` and `removed` blocks point at: a module, a resource, or one instance of either.

use std::fmt;

use skybridge_hcl::ast::{Expr, ExprKind, Step};
use skybridge_hcl::{Value, parse_expr};

use crate::address::{Address, InstanceKey, Mode, ModuleStep};

/// A resource of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pointed {
    mode: Mode,
    ty: String,
    name: String,
    key: Option<InstanceKey>,
}

/// What an endpoint is with its last key given: a resource instance, or an instance of a module call by
/// the path above it and its name.
pub(crate) enum Seen {
    Resource(Address),
    Module(Vec<ModuleStep>, String),
}

/// An endpoint; an instance key that is not written stands for all instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    module: Vec<(String, Option<InstanceKey>)>,
    resource: Option<Pointed>,
}

enum Token<'a> {
    Name(&'a str),
    Key(InstanceKey),
}

impl Endpoint {
    /// Reads `module.a["k"].azurerm_subnet.b[0]`; `None` for anything else.
    #[must_use]
    pub fn read(expr: &Expr) -> Option<Self> {
        if let ExprKind::Literal(value) = &expr.kind {
            // As JSON has to spell it.
            return Self::read(&parse_expr(&expr.span.file, value.as_str()?).ok()?);
        }
        let ExprKind::Traversal(base, steps) = &expr.kind else {
            return None;
        };
        let ExprKind::Variable(root) = &base.kind else {
            return None;
        };
        let mut tokens = vec![Token::Name(root)];
        for step in steps {
            tokens.push(match step {
                Step::Attr(name, _) => match name.parse() {
                    Ok(at) => Token::Key(InstanceKey::Index(at)),
                    Err(_) => Token::Name(name),
                },
                Step::Index(index) => Token::Key(key(index)?),
                Step::AttrSplat(_) | Step::FullSplat(_) => return None,
            });
        }
        Self::of(tokens)
    }

    fn of(tokens: Vec<Token<'_>>) -> Option<Self> {
        let mut tokens = tokens.into_iter().peekable();
        let mut out = Self {
            module: Vec::new(),
            resource: None,
        };
        while let Some(token) = tokens.next() {
            let Token::Name(first) = token else {
                return None;
            };
            let mut name = || match tokens.next() {
                Some(Token::Name(name)) => Some(name.to_owned()),
                Some(Token::Key(_)) | None => None,
            };
            if first == "module" {
                let name = name()?;
                let key = next_key(&mut tokens);
                out.module.push((name, key));
                continue;
            }
            let (mode, ty) = match first {
                "data" => (Mode::Data, name()?),
                ty => (Mode::Managed, ty.to_owned()),
            };
            let name = name()?;
            let key = next_key(&mut tokens);
            out.resource = Some(Pointed {
                mode,
                ty,
                name,
                key,
            });
            return tokens.next().is_none().then_some(out);
        }
        Some(out)
    }

    /// Whether an address lies at the endpoint, seen from a module instance.
    pub(crate) fn covers(&self, within: &[ModuleStep], address: &Address) -> bool {
        let Some(inside) = address.module.strip_prefix(within) else {
            return false;
        };
        let modules = self.module.iter().zip(inside);
        let same_modules = inside.len() >= self.module.len()
            && modules.into_iter().all(|((name, key), step)| {
                *name == step.name && key.as_ref().is_none_or(|k| *k == step.key)
            });
        let same_resource = self.resource.as_ref().is_none_or(|r| {
            inside.len() == self.module.len()
                && (r.mode, &r.ty, &r.name) == (address.mode, &address.ty, &address.name)
                && r.key.as_ref().is_none_or(|k| *k == address.key)
        });
        same_modules && same_resource
    }

    /// Where an address goes that lies at this endpoint, when it moves to `to`.
    pub(crate) fn moved(
        &self,
        to: &Self,
        within: &[ModuleStep],
        address: &Address,
    ) -> Option<Address> {
        if !self.covers(within, address) || self.resource.is_some() != to.resource.is_some() {
            return None;
        }
        // `a` to `a[0]` speaks of the only instance, `a` to `b` of all.
        let kept = |from: Option<&InstanceKey>, to: Option<&InstanceKey>, at: &InstanceKey| match (
            from, to,
        ) {
            (None, Some(to)) if *at == InstanceKey::Single => Some(to.clone()),
            (None, Some(_)) => None,
            (Some(_), to) => Some(to.cloned().unwrap_or_default()),
            (None, None) => Some(at.clone()),
        };
        let inside = &address.module[within.len()..];
        let mut module = within.to_vec();
        let last = self.module.len().checked_sub(1);
        for (at, (name, key)) in to.module.iter().enumerate() {
            // Modules on the way are named on both sides; the last one may itself be what moves.
            let (from, was) = match (self.module.get(at), inside.get(at)) {
                (Some((_, from)), Some(step)) => (from.as_ref(), step.key.clone()),
                _ => (None, InstanceKey::Single),
            };
            let is_moving = self.resource.is_none() && Some(at) == last;
            let key = if is_moving || from.is_none() {
                kept(from, key.as_ref(), &was)?
            } else {
                key.clone().unwrap_or_default()
            };
            module.push(ModuleStep {
                name: name.clone(),
                key,
            });
        }
        module.extend(inside.get(self.module.len()..)?.iter().cloned());
        Some(match (&self.resource, &to.resource) {
            (Some(from), Some(to)) => Address {
                module,
                mode: to.mode,
                ty: to.ty.clone(),
                name: to.name.clone(),
                key: kept(from.key.as_ref(), to.key.as_ref(), &address.key)?,
            },
            _ => Address {
                module,
                ..address.clone()
            },
        })
    }

    /// The resource block that it names, from its module on: static path, mode, type and name.
    pub(crate) fn block(&self) -> (Vec<String>, Option<(Mode, String, String)>) {
        let path = self.module.iter().map(|(name, _)| name.clone()).collect();
        let resource = self.resource.as_ref();
        (
            path,
            resource.map(|r| (r.mode, r.ty.clone(), r.name.clone())),
        )
    }

    /// The key that is written last.
    pub(crate) fn last_key(&self) -> Option<&InstanceKey> {
        match &self.resource {
            Some(resource) => resource.key.as_ref(),
            None => self.module.last()?.1.as_ref(),
        }
    }

    /// The endpoint seen from a module instance, with its last key.
    pub(crate) fn seen_from(&self, within: &[ModuleStep], key: &InstanceKey) -> Seen {
        let mut module = within.to_vec();
        module.extend(self.module.iter().map(|(name, key)| ModuleStep {
            name: name.clone(),
            key: key.clone().unwrap_or_default(),
        }));
        match &self.resource {
            Some(resource) => Seen::Resource(Address {
                module,
                mode: resource.mode,
                ty: resource.ty.clone(),
                name: resource.name.clone(),
                key: key.clone(),
            }),
            None => {
                let name = module.pop().map(|step| step.name).unwrap_or_default();
                Seen::Module(module, name)
            }
        }
    }

    /// Whether it names a module.
    pub(crate) fn is_module(&self) -> bool {
        self.resource.is_none()
    }

    /// Whether it names all instances of a thing.
    pub(crate) fn is_whole(&self) -> bool {
        let last = self.module.last().and_then(|(_, key)| key.as_ref());
        match &self.resource {
            Some(resource) => resource.key.is_none(),
            None => last.is_none(),
        }
    }
}

fn next_key<'a>(
    tokens: &mut std::iter::Peekable<impl Iterator<Item = Token<'a>>>,
) -> Option<InstanceKey> {
    match tokens.next_if(|t| matches!(t, Token::Key(_))) {
        Some(Token::Key(key)) => Some(key),
        _ => None,
    }
}

/// An instance key that is written out.
pub(crate) fn key(index: &Expr) -> Option<InstanceKey> {
    match &index.kind {
        ExprKind::Literal(value) => value.as_str().map(|s| InstanceKey::Key(s.to_owned())),
        ExprKind::Number(n) => Value::number(n.clone()).as_u64().map(InstanceKey::Index),
        ExprKind::Parens(inner) => key(inner),
        _ => None,
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut dot = "";
        for (name, key) in &self.module {
            write!(f, "{dot}module.{name}")?;
            if let Some(key) = key {
                write!(f, "{key}")?;
            }
            dot = ".";
        }
        if let Some(resource) = &self.resource {
            let data = if resource.mode == Mode::Data {
                "data."
            } else {
                ""
            };
            write!(f, "{dot}{data}{}.{}", resource.ty, resource.name)?;
            if let Some(key) = &resource.key {
                write!(f, "{key}")?;
            }
        }
        Ok(())
    }
}
