//! Functions that providers bring along (Terraform 1.8). Those of azurerm and azapi that only take identifiers of
//! Azure apart or put them together are computed; what any other gives is unknown.

use std::collections::BTreeMap;

use crate::ty::Type;
use crate::value::Value;

/// The result of a function of a provider; `None` when the arguments are none of its.
pub(super) fn call(name: &str, args: &[Value]) -> Option<Value> {
    let texts: Vec<&str> = args.iter().filter_map(Value::as_str).collect();
    match (name, &texts[..]) {
        ("provider::azurerm::normalise_resource_id", [id]) => Some(Value::string(normal(id))),
        ("provider::azurerm::parse_resource_id", [id]) => Some(Id::parse(id)?.of_azurerm()),
        ("provider::azapi::parse_resource_id", [_, id]) => Some(Id::parse(id)?.of_azapi(id)),
        ("provider::azapi::build_resource_id", [parent, ty, name]) => {
            Some(Value::string(built(parent, ty, name)))
        }
        ("provider::azapi::resource_group_resource_id", [subscription, group, ty]) => {
            let scope = format!("/subscriptions/{subscription}/resourceGroups/{group}");
            Some(Value::string(chained(&scope, ty, args.get(3)?)?))
        }
        ("provider::azapi::subscription_resource_id", [subscription, ty]) => {
            let scope = format!("/subscriptions/{subscription}");
            Some(Value::string(chained(&scope, ty, args.get(2)?)?))
        }
        _ => None,
    }
}

/// The words before names in identifiers, as the API spells them.
const SPELLINGS: [&str; 3] = ["subscriptions", "resourceGroups", "providers"];

fn spelled(word: &str) -> &str {
    let known = SPELLINGS.iter().find(|s| s.eq_ignore_ascii_case(word));
    known.copied().unwrap_or(word)
}

fn normal(id: &str) -> String {
    let parts: Vec<&str> = id.split('/').map(spelled).collect();
    parts.join("/")
}

/// An identifier taken apart.
struct Id<'a> {
    subscription: &'a str,
    group: &'a str,
    /// `Microsoft.Network`
    namespace: &'a str,
    /// Types and names below the namespace.
    below: Vec<(&'a str, &'a str)>,
}

impl<'a> Id<'a> {
    fn parse(id: &'a str) -> Option<Self> {
        let parts: Vec<&str> = id.strip_prefix('/')?.split('/').collect();
        let mut parsed = Self {
            subscription: "",
            group: "",
            namespace: "",
            below: Vec::new(),
        };
        for pair in parts.chunks(2) {
            let [word, name] = pair else {
                return None;
            };
            match spelled(word) {
                "subscriptions" => parsed.subscription = name,
                "resourceGroups" => parsed.group = name,
                "providers" => parsed.namespace = name,
                _ => parsed.below.push((word, name)),
            }
        }
        Some(parsed)
    }

    /// The type of the whole: `Microsoft.Network/virtualNetworks/subnets`.
    fn ty(&self) -> String {
        let mut ty = self.namespace.to_owned();
        for (word, _) in &self.below {
            ty.push('/');
            ty.push_str(word);
        }
        match (ty.is_empty(), self.group.is_empty()) {
            (false, _) => ty,
            (true, false) => "Microsoft.Resources/resourceGroups".to_owned(),
            (true, true) => "Microsoft.Resources/subscriptions".to_owned(),
        }
    }

    fn name(&self) -> &'a str {
        let group = if self.group.is_empty() {
            self.subscription
        } else {
            self.group
        };
        self.below.last().map_or(group, |(_, name)| name)
    }

    fn of_azurerm(&self) -> Value {
        let text = |t: &str| Value::string(t);
        let own = self.below.last().map_or("", |(word, _)| word);
        let above = self.below.split_last().map_or(&[][..], |(_, above)| above);
        let above: BTreeMap<String, Value> = (above.iter())
            .map(|(word, name)| ((*word).to_owned(), text(name)))
            .collect();
        Value::object_of([
            ("full_resource_type", Value::string(self.ty())),
            ("parent_resources", Value::map(Type::String, above)),
            ("resource_group_name", text(self.group)),
            ("resource_name", text(self.name())),
            ("resource_provider", text(self.namespace)),
            ("resource_scope", Value::null_of(Type::String)),
            ("resource_type", text(own)),
            ("subscription_id", text(self.subscription)),
        ])
    }

    fn of_azapi(&self, id: &str) -> Value {
        let text = |t: &str| Value::string(t);
        let mut parts = BTreeMap::new();
        let heads = [
            ("subscriptions", self.subscription),
            ("resourceGroups", self.group),
            ("providers", self.namespace),
        ];
        let given = heads.iter().filter(|(_, name)| !name.is_empty());
        for (word, name) in given.chain(&self.below) {
            parts.insert((*word).to_owned(), text(name));
        }
        let own_len = match self.below.len() {
            // `/providers/NAMESPACE` goes with the first type.
            1 => 4,
            _ => 2,
        };
        let words: Vec<&str> = id.split('/').collect();
        let parent = words[..words.len().saturating_sub(own_len)].join("/");
        Value::object_of([
            ("id", text(id)),
            ("name", text(self.name())),
            ("parent_id", Value::string(parent)),
            ("parts", Value::map(Type::String, parts)),
            ("provider_namespace", text(self.namespace)),
            ("resource_group_name", text(self.group)),
            ("subscription_id", text(self.subscription)),
            ("type", Value::string(self.ty())),
        ])
    }
}

/// The identifier of a resource of type `ty` in `parent`.
fn built(parent: &str, ty: &str, name: &str) -> String {
    let ty = ty.split('@').next().unwrap_or(ty);
    let parent = parent.trim_end_matches('/');
    match ty.split_once('/') {
        Some(("Microsoft.Resources", "resourceGroups")) => {
            format!("{parent}/resourceGroups/{name}")
        }
        Some((_, below)) if below.contains('/') => {
            let own = below.rsplit('/').next().unwrap_or(below);
            format!("{parent}/{own}/{name}")
        }
        _ => format!("{parent}/providers/{ty}/{name}"),
    }
}

/// The identifier of a resource of a nested type by the names of all its parts.
fn chained(scope: &str, ty: &str, names: &Value) -> Option<String> {
    let ty = ty.split('@').next().unwrap_or(ty);
    let (namespace, words) = ty.split_once('/')?;
    let names: Option<Vec<&str>> = names.as_slice()?.iter().map(Value::as_str).collect();
    let names = names?;
    let mut id = format!("{scope}/providers/{namespace}");
    let words: Vec<&str> = words.split('/').collect();
    if words.len() != names.len() {
        return None;
    }
    for (word, name) in words.iter().zip(names) {
        id.push_str(&format!("/{word}/{name}"));
    }
    Some(id)
}
