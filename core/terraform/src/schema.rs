//! Provider schemas: what the types of resources and data sources look like. They are data
//! (`data/terraform/`), one file per provider.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, OnceLock};

use serde::Deserialize;
use skybridge_hcl::{Type, Value, parse_expr, type_constraint};

use crate::address::Mode;

/// What becomes of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Network, and modelled: the front door acts on it.
    Network,
    /// Part of Terraform itself: held here, and nobody acts on it.
    Builtin,
    /// Network, and not modelled: reported with file and line, its attributes are placeholders.
    NetworkNotModelled,
    /// Not network: reported once per type, its attributes are placeholders.
    Other,
}

/// How two texts of an attribute are compared, because the cloud returns its own spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// As they are.
    Exact,
    /// Letters of both cases are alike.
    IgnoreCase,
    /// An Azure location: `West Europe` is `westeurope`.
    Location,
}

/// How the value of a former attribute becomes one of its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Becoming {
    /// As it is.
    Same,
    /// The only element of a list.
    List,
    /// The opposite boolean.
    Not,
}

/// One attribute of a type or block.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of a schema are independent facts"
)]
pub struct AttributeSchema {
    /// Its type.
    pub ty: Type,
    /// Whether the configuration must set it.
    pub required: bool,
    /// Whether the configuration may set it.
    pub optional: bool,
    /// Whether the cloud fills it in when the configuration does not.
    pub computed: bool,
    /// Whether a change means delete and create.
    pub forces_replacement: bool,
    /// Whether it is hidden in output.
    pub sensitive: bool,
    /// What stands when the configuration leaves it out.
    pub default: Option<Value>,
    /// How texts are compared.
    pub compare: Compare,
    /// The provider version that dropped it, if one did.
    pub removed_in: Option<String>,
    /// The attribute that took its place, and how.
    pub becomes: Option<(String, Becoming)>,
}

/// How nested blocks of one name may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nesting {
    /// At most one (`min`/`max` say whether it is required).
    Single,
    /// Any number, in order.
    List,
    /// Any number, without order.
    Set,
}

/// A nested block.
#[derive(Clone, Debug)]
pub struct BlockSchema {
    /// How often, ordered or not.
    pub nesting: Nesting,
    /// Least number of blocks.
    pub min: usize,
    /// Largest number of blocks; 0 for any.
    pub max: usize,
    /// Whether the cloud fills it in when the configuration has none.
    pub computed: bool,
    /// Whether a change means delete and create.
    pub forces_replacement: bool,
    /// What is inside.
    pub body: BodySchema,
}

/// Attributes and blocks.
#[derive(Clone, Debug, Default)]
pub struct BodySchema {
    /// By name.
    pub attributes: BTreeMap<String, AttributeSchema>,
    /// By name.
    pub blocks: BTreeMap<String, BlockSchema>,
}

/// A resource type or data source.
#[derive(Clone, Debug)]
pub struct TypeSchema {
    /// The provider whose file it stands in (`azurerm`).
    pub provider: String,
    /// What becomes of it.
    pub category: Category,
    /// Whether every argument of the type is listed, so that another one is an error.
    pub complete: bool,
    /// Attributes, at any depth, that name what packets reach by way of it. Only of what is not modelled: a
    /// verdict about a network that is named there is unknown where the network has no route of its own.
    pub carries: Vec<String>,
    /// The documentation page.
    pub source: String,
    /// What it contains.
    pub body: BodySchema,
}

/// All known types. A copy is cheap.
#[derive(Clone, Debug, Default)]
pub struct Schemas {
    types: Arc<BTreeMap<(Mode, String), Entry>>,
}

/// A row as it was read, and its schema once somebody asked for it: a stack uses a few of the types.
#[derive(Clone, Debug)]
struct Entry {
    title: String,
    file: Arc<Head>,
    row: Arc<Row>,
    schema: OnceLock<TypeSchema>,
}

/// What the rows of a file share.
#[derive(Debug)]
struct Head {
    provider: Option<String>,
    source: String,
    groups: Groups,
}

static BUILTIN: LazyLock<Schemas> = LazyLock::new(|| {
    let mut schemas = Schemas::default();
    for text in [
        include_str!("../../../data/terraform/azurerm.json"),
        include_str!("../../../data/terraform/oci.json"),
        include_str!("../../../data/terraform/misc.json"),
        include_str!("../../../data/terraform/terraform.json"),
    ] {
        schemas
            .take(text)
            .expect("the built-in schemas are well formed");
    }
    schemas
});

impl Schemas {
    /// The types that ship with Skybridge.
    ///
    /// # Panics
    /// Never: a test reads every file.
    #[must_use]
    pub fn builtin() -> Self {
        BUILTIN.clone()
    }

    /// Adds the types of a schema file (format: `data/terraform/README.md`).
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        self.take(text)?;
        self.types.values().try_for_each(|e| e.build().map(|_| ()))
    }

    fn take(&mut self, text: &str) -> Result<(), String> {
        let file: File = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let head = Arc::new(Head {
            provider: file.provider,
            source: file.source,
            groups: file.groups,
        });
        let types = Arc::make_mut(&mut self.types);
        for (title, row) in file.types {
            let (mode, ty) = match title.split_once(' ') {
                Some(("resource", ty)) => (Mode::Managed, ty),
                Some(("data", ty)) => (Mode::Data, ty),
                _ => {
                    return Err(format!(
                        "\"{title}\" is neither a resource nor a data source"
                    ));
                }
            };
            let entry = Entry {
                title: title.clone(),
                file: head.clone(),
                row: Arc::new(row),
                schema: OnceLock::new(),
            };
            for name in std::iter::once(ty).chain(entry.row.aliases.iter().map(String::as_str)) {
                types.insert((mode, name.to_owned()), entry.clone());
            }
        }
        Ok(())
    }

    /// The schema of a type.
    #[must_use]
    pub fn find(&self, mode: Mode, ty: &str) -> Option<&TypeSchema> {
        self.types.get(&(mode, ty.to_owned())).map(Entry::schema)
    }

    /// All types in order.
    pub fn iter(&self) -> impl Iterator<Item = (Mode, &str, &TypeSchema)> {
        self.types
            .iter()
            .map(|((mode, ty), entry)| (*mode, ty.as_str(), entry.schema()))
    }
}

impl Entry {
    /// # Panics
    /// Never: [`Schemas::add`] tried it, and a test tries what is built in.
    fn schema(&self) -> &TypeSchema {
        self.schema
            .get_or_init(|| self.build().expect("a row that was read before"))
    }

    fn build(&self) -> Result<TypeSchema, String> {
        let row = &self.row;
        let mut body = body(&row.attributes, &row.blocks, &self.file.groups)
            .map_err(|e| format!("{}: {e}", self.title))?;
        // Every resource of the clouds' providers has it; the block is read before its body is.
        let is_cloud = self.title.starts_with("resource ")
            && self.file.provider.is_some()
            && row.category != Some(Category::Builtin);
        if is_cloud && !body.attributes.contains_key("timeouts") {
            let timeouts = attribute("any optional")?;
            body.attributes.insert("timeouts".to_owned(), timeouts);
        }
        let ty = self.title.split(' ').next_back().unwrap_or_default();
        let provider = self.file.provider.clone();
        Ok(TypeSchema {
            provider: provider.unwrap_or_else(|| provider_of(ty).to_owned()),
            category: row.category.unwrap_or(Category::Network),
            complete: row.complete,
            carries: row.carries.clone(),
            source: row
                .source
                .clone()
                .unwrap_or_else(|| self.file.source.clone()),
            body,
        })
    }
}

/// The provider that a type belongs to by its name: the part before the first `_`.
#[must_use]
pub fn provider_of(ty: &str) -> &str {
    ty.split('_').next().unwrap_or(ty)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    provider: Option<String>,
    /// For the reader; the version the rows were written from.
    #[serde(rename = "version")]
    _version: String,
    #[serde(rename = "date")]
    _date: String,
    source: String,
    /// Attributes that many types share, taken in by `"@name": ""`.
    #[serde(default)]
    groups: BTreeMap<String, BTreeMap<String, String>>,
    types: BTreeMap<String, Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(default)]
    category: Option<Category>,
    #[serde(default)]
    complete: bool,
    #[serde(default)]
    carries: Vec<String>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    blocks: BTreeMap<String, RowBlock>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RowBlock {
    nesting: Nesting,
    #[serde(default)]
    min: usize,
    #[serde(default)]
    max: usize,
    #[serde(default)]
    computed: bool,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    blocks: BTreeMap<String, Self>,
}

type Groups = BTreeMap<String, BTreeMap<String, String>>;

fn body(
    attributes: &BTreeMap<String, String>,
    blocks: &BTreeMap<String, RowBlock>,
    groups: &Groups,
) -> Result<BodySchema, String> {
    let mut out = BodySchema::default();
    for (name, spec) in attributes {
        if let Some(group) = name.strip_prefix('@') {
            let group = groups
                .get(group)
                .ok_or_else(|| format!("no group \"{group}\""))?;
            for (name, spec) in group {
                // What the type says itself goes first.
                if !attributes.contains_key(name) {
                    let schema = attribute(spec).map_err(|e| format!("{name}: {e}"))?;
                    out.attributes.insert(name.clone(), schema);
                }
            }
            continue;
        }
        let schema = attribute(spec).map_err(|e| format!("{name}: {e}"))?;
        out.attributes.insert(name.clone(), schema);
    }
    for (name, block) in blocks {
        let inner =
            body(&block.attributes, &block.blocks, groups).map_err(|e| format!("{name}: {e}"))?;
        let schema = BlockSchema {
            nesting: block.nesting,
            min: block.min,
            max: if block.nesting == Nesting::Single {
                1
            } else {
                block.max
            },
            computed: block.computed,
            forces_replacement: block.force,
            body: inner,
        };
        out.blocks.insert(name.clone(), schema);
    }
    Ok(out)
}

/// Reads `TYPE WORD…`: the type without blanks, then flags.
fn attribute(spec: &str) -> Result<AttributeSchema, String> {
    let mut words = spec.split_whitespace();
    let ty = words.next().ok_or("no type")?;
    let ty = parse_expr("schema", ty)
        .and_then(|e| type_constraint(&e))
        .map_err(|e| {
            e.first()
                .map_or("not a type", |d| d.detail.as_str())
                .to_owned()
        })?;
    let mut schema = AttributeSchema {
        ty,
        required: false,
        optional: false,
        computed: false,
        forces_replacement: false,
        sensitive: false,
        default: None,
        compare: Compare::Exact,
        removed_in: None,
        becomes: None,
    };
    for word in words {
        match word.split_once('=') {
            None => match word {
                "required" => schema.required = true,
                "optional" => schema.optional = true,
                "computed" => schema.computed = true,
                "force" => schema.forces_replacement = true,
                "sensitive" => schema.sensitive = true,
                _ => return Err(format!("unknown word \"{word}\"")),
            },
            Some(("default", text)) => {
                let json: serde_json::Value =
                    serde_json::from_str(text).map_err(|e| format!("default: {e}"))?;
                schema.default = Some(plain_value(&json)?);
            }
            Some(("compare", "location")) => schema.compare = Compare::Location,
            Some(("compare", "case")) => schema.compare = Compare::IgnoreCase,
            Some(("removed", version)) => schema.removed_in = Some(version.to_owned()),
            Some(("becomes", successor)) => {
                let (name, how) = successor.split_once(':').unwrap_or((successor, "same"));
                let how = match how {
                    "same" => Becoming::Same,
                    "list" => Becoming::List,
                    "not" => Becoming::Not,
                    _ => return Err(format!("unknown word \"{word}\"")),
                };
                schema.becomes = Some((name.to_owned(), how));
            }
            Some(_) => return Err(format!("unknown word \"{word}\"")),
        }
    }
    // Neither required nor computed nor said: it may be set.
    schema.optional |= !schema.required && !schema.computed;
    Ok(schema)
}

fn plain_value(json: &serde_json::Value) -> Result<Value, String> {
    Ok(match json {
        serde_json::Value::Bool(b) => Value::bool(*b),
        serde_json::Value::String(s) => Value::string(s),
        serde_json::Value::Number(n) => {
            Value::number(n.as_i64().ok_or("default: not a whole number")?)
        }
        serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
            return Err("default: only booleans, numbers and strings".to_owned());
        }
    })
}
