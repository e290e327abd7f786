//! Whether two configurations mean one object: for stacks that share an estate.

use skybridge_hcl::Value;

use crate::body::same_attribute;
use crate::schema::{BodySchema, TypeSchema};

/// The arguments in which two instances of a type differ, as paths. What nobody knows on one side, and what
/// the cloud decides when an argument is left out, is passed over.
#[must_use]
pub fn settings_at_odds(schema: &TypeSchema, a: &Value, b: &Value) -> Vec<String> {
    let mut odds = Vec::new();
    compare(&schema.body, a, b, "", &mut odds);
    odds
}

fn compare(body: &BodySchema, a: &Value, b: &Value, path: &str, odds: &mut Vec<String>) {
    for (name, attribute) in &body.attributes {
        if !attribute.optional && !attribute.required {
            continue;
        }
        let (x, y) = (given(a, name), given(b, name));
        let differs = match (x, y) {
            (Some(x), Some(y)) => {
                let known = [x, y].iter().all(|v| is_settled(v));
                known && !same_attribute(attribute, x, y)
            }
            (None, None) => false,
            (Some(one), None) | (None, Some(one)) => !attribute.computed && is_settled(one),
        };
        if differs {
            odds.push(format!("{path}{name}"));
        }
    }
    for (name, block) in &body.blocks {
        let (x, y) = (a.list_attr(name), b.list_attr(name));
        if block.computed && (x.is_empty() || y.is_empty()) {
            continue;
        }
        let at = format!("{path}{name}");
        if x.len() != y.len() {
            odds.push(at);
            continue;
        }
        for (i, (x, y)) in x.iter().zip(y).enumerate() {
            compare(&block.body, x, y, &format!("{at}[{i}]."), odds);
        }
    }
}

/// An argument that says something: empty texts, lists and maps are as good as none.
fn given<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let found = value.attr(name).filter(|v| !v.is_null())?;
    let is_empty = found.as_str().is_some_and(str::is_empty)
        || found.as_slice().is_some_and(<[Value]>::is_empty)
        || found
            .as_map()
            .is_some_and(std::collections::BTreeMap::is_empty);
    (!is_empty).then_some(found)
}

fn is_settled(value: &Value) -> bool {
    value.is_wholly_known() && !value.is_placeholder()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mode, Schemas};

    fn network(location: &str, tag: Option<&str>) -> Value {
        let tags = tag.map(|t| ("owner".to_owned(), Value::string(t)));
        Value::object_of([
            ("name", Value::string("hub")),
            ("location", Value::string(location)),
            ("tags", Value::object(tags.into_iter().collect())),
            ("guid", Value::string(tag.unwrap_or("none"))),
        ])
    }

    #[test]
    fn only_arguments_count_and_only_those_that_differ() {
        let schemas = Schemas::builtin();
        let schema = schemas.find(Mode::Managed, "azurerm_virtual_network");
        let odds = |a: &Value, b: &Value| settings_at_odds(schema.unwrap(), a, b);
        let here = network("East US", None);
        assert!(odds(&here, &here).is_empty());
        assert_eq!(odds(&here, &network("West US", None)), ["location"]);
        assert_eq!(odds(&here, &network("East US", Some("net"))), ["tags"]);
        let unknown = here
            .clone()
            .with_attr("location", Value::string("x").placeholder("r"));
        assert!(odds(&here, &unknown).is_empty());
    }
}
