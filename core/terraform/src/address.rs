//! Names of resource instances.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which instance of a block with `count` or `for_each`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstanceKey {
    /// The block has neither.
    #[default]
    Single,
    /// `count`: an index from 0.
    Index(u64),
    /// `for_each`: a key.
    Key(String),
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single => Ok(()),
            Self::Index(i) => write!(f, "[{i}]"),
            Self::Key(k) => {
                f.write_str("[\"")?;
                let mut chars = k.chars().peekable();
                while let Some(c) = chars.next() {
                    match c {
                        '\\' | '"' => write!(f, "\\{c}")?,
                        '\n' => f.write_str("\\n")?,
                        '\r' => f.write_str("\\r")?,
                        '\t' => f.write_str("\\t")?,
                        // It would begin a template.
                        '$' | '%' if chars.peek() == Some(&'{') => write!(f, "{c}{c}")?,
                        _ => f.write_char(c)?,
                    }
                }
                f.write_str("\"]")
            }
        }
    }
}

/// One step into a module: its call and the instance of the call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleStep {
    /// The name of the `module` block.
    pub name: String,
    /// The instance.
    pub key: InstanceKey,
}

/// Managed resource or data source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// `data`
    Data,
    /// `resource`
    Managed,
}

/// The address of a resource instance: `module.hub["a"].data.http.ip[0]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The module instance, from the root.
    pub module: Vec<ModuleStep>,
    /// Managed or data.
    pub mode: Mode,
    /// The resource type.
    pub ty: String,
    /// The name of the block.
    pub name: String,
    /// The instance.
    pub key: InstanceKey,
}

impl Address {
    /// The address without its instance key.
    #[must_use]
    pub fn resource(&self) -> Self {
        Self {
            key: InstanceKey::Single,
            ..self.clone()
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.module {
            write!(f, "module.{}{}.", step.name, step.key)?;
        }
        if self.mode == Mode::Data {
            f.write_str("data.")?;
        }
        write!(f, "{}.{}{}", self.ty, self.name, self.key)
    }
}

/// The text is not the address of a resource instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseAddressError(pub String);

impl fmt::Display for ParseAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is not the address of a resource", self.0)
    }
}

impl std::error::Error for ParseAddressError {}

/// Splits `name[key]…` off the front; the rest starts after the following dot.
fn part(text: &str) -> Option<(&str, InstanceKey, &str)> {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return None;
    }
    let (key, rest) = if let Some(quoted) = rest.strip_prefix("[\"") {
        let mut key = String::new();
        let mut chars = quoted.char_indices();
        let end = loop {
            match chars.next()? {
                (_, '\\') => key.push(match chars.next()?.1 {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    other => other,
                }),
                (at, '$' | '%') if doubled(&quoted[at..]) => {
                    key.push(chars.next()?.1);
                }
                (at, '"') => break at,
                (_, c) => key.push(c),
            }
        };
        (InstanceKey::Key(key), quoted[end + 1..].strip_prefix(']')?)
    } else if let Some(index) = rest.strip_prefix('[') {
        let (index, rest) = index.split_once(']')?;
        (InstanceKey::Index(index.parse().ok()?), rest)
    } else {
        (InstanceKey::Single, rest)
    };
    match rest.strip_prefix('.') {
        Some(rest) if !rest.is_empty() => Some((name, key, rest)),
        None if rest.is_empty() => Some((name, key, "")),
        _ => None,
    }
}

/// Whether a text begins with the sign of a template twice, which stands for the sign itself.
fn doubled(text: &str) -> bool {
    text.starts_with("$${") || text.starts_with("%%{")
}

fn parse(text: &str) -> Option<Address> {
    let mut rest = text;
    let mut module = Vec::new();
    while let Some(inner) = rest.strip_prefix("module.") {
        let (name, key, after) = part(inner)?;
        module.push(ModuleStep {
            name: name.to_owned(),
            key,
        });
        rest = after;
    }
    let (mode, rest) = match rest.strip_prefix("data.") {
        Some(rest) => (Mode::Data, rest),
        None => (Mode::Managed, rest),
    };
    let (ty, InstanceKey::Single, rest) = part(rest)? else {
        return None;
    };
    let (name, key, "") = part(rest)? else {
        return None;
    };
    Some(Address {
        module,
        mode,
        ty: ty.to_owned(),
        name: name.to_owned(),
        key,
    })
}

impl FromStr for Address {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| ParseAddressError(text.to_owned()))
    }
}

impl Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_back_as_they_are_written() {
        for text in [
            "azurerm_subnet.a",
            "data.http.ip",
            "oci_core_vcn.v[3]",
            "module.hub.azurerm_subnet.a[\"x.y\"]",
            "azurerm_subnet.a[\"$${x} %%{y} $ $$ \\n\\t é\"]",
            "module.hub[\"a\\\"b\"].module.b[0].data.oci_core_images.i[\"k\"]",
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
        for text in [
            "",
            "azurerm_subnet",
            "a.b.c",
            "module.x",
            "a.b[",
            "a.b[\"x]",
            "a[0].b",
            "a.b.",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
