//! What the stacks of a lab know of one another: outputs, for `terraform_remote_state` without a back end, and
//! the objects that they hold.

use std::collections::BTreeMap;

use skybridge_hcl::{Diagnostic, Spans, Value, join_path};
use skybridge_terraform::StackState;

use crate::adoption::Holdings;

/// Outputs by directory and name, and what each stack holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Siblings {
    outputs: BTreeMap<String, BTreeMap<String, Value>>,
    pub(crate) holdings: Holdings,
}

impl Siblings {
    pub(crate) fn of(states: &BTreeMap<String, StackState>) -> Self {
        let mut out = Self::default();
        for (directory, state) in states {
            out.add(directory, state);
        }
        out
    }

    pub(crate) fn add(&mut self, directory: &str, state: &StackState) {
        self.holdings.take(directory, state);
        let values = state.outputs.iter().map(|(name, output)| {
            let value = output.value.clone();
            let hidden = output.sensitive;
            let value = if hidden { value.sensitive() } else { value };
            (name.clone(), value)
        });
        self.outputs.insert(directory.to_owned(), values.collect());
    }

    /// The attributes of a `terraform_remote_state` in the stack of a directory, and what to say about
    /// them. Outputs of a stack that is not here are stand-ins.
    pub(crate) fn read(
        &self,
        stack: &str,
        address: &str,
        config: &Value,
        spans: &Spans,
    ) -> (Value, Option<Diagnostic>) {
        let defaults = config.attr("defaults").and_then(Value::as_map);
        let mut outputs = defaults.cloned().unwrap_or_default();
        let found = self.find(stack, config);
        let said = match found {
            Some((directory, values, exact)) => {
                outputs.extend(values.iter().map(|(n, v)| (n.clone(), v.clone())));
                let detail = format!("{address} reads the outputs of the stack in {directory}");
                (!exact).then(|| Diagnostic::notice("Remote state", detail))
            }
            None => {
                let detail = format!(
                    "{address} names a state that no stack of this lab has; stand-ins are in the place of its outputs"
                );
                let help =
                    "bring both up together, the one that is read first: `skybridge up DIR1 DIR2`";
                Some(Diagnostic::warning("Remote state not found", detail).help(help))
            }
        };
        let outputs = Value::object(outputs);
        let outputs = match found {
            Some(_) => outputs,
            None => outputs.open(format!("{address}.outputs")),
        };
        let mut attributes = config.as_map().cloned().unwrap_or_default();
        attributes.insert("outputs".to_owned(), outputs);
        let said = said.map(|d| d.at_opt(spans.find("")));
        (Value::object(attributes), said)
    }

    /// The stack that a configuration of a back end means: by its path for `local`; else the only other
    /// one, or the only one whose folder the configuration names.
    fn find(&self, stack: &str, config: &Value) -> Option<(&str, &BTreeMap<String, Value>, bool)> {
        let settings = config.attr("config");
        let text = |name: &str| settings.and_then(|s| s.str_attr(name));
        if config.str_attr("backend") == Some("local") {
            let path = text("path").unwrap_or("terraform.tfstate");
            let path = join_path(stack, path);
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let folder = folder
                .split("/terraform.tfstate.d")
                .next()
                .unwrap_or(folder);
            let (directory, outputs) = self.outputs.get_key_value(folder)?;
            return Some((directory, outputs, true));
        }
        let others: Vec<_> = self.outputs.iter().filter(|(d, _)| *d != stack).collect();
        let names = settings.map(texts).unwrap_or_default();
        let named = |directory: &str| {
            let folder = directory.rsplit('/').next().unwrap_or(directory);
            let mut words = names.iter().flat_map(|n| n.split(['/', '.', ' ']));
            words.any(|word| word == folder)
        };
        let meant: Vec<_> = others.iter().filter(|(d, _)| named(d)).collect();
        let (directory, outputs) = match (meant.as_slice(), others.as_slice()) {
            ([one], _) => **one,
            ([], [one]) => *one,
            _ => return None,
        };
        Some((directory, outputs, false))
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value.as_str() {
        Some(text) => vec![text.to_owned()],
        None => value.children().flat_map(texts).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skybridge_terraform::OutputState;

    fn siblings(directories: &[&str]) -> Siblings {
        let mut out = Siblings::default();
        for directory in directories {
            let value = Value::string(directory);
            let output = OutputState {
                value,
                sensitive: false,
            };
            let state = StackState {
                outputs: BTreeMap::from([("from".to_owned(), output)]),
                ..StackState::default()
            };
            out.add(directory, &state);
        }
        out
    }

    fn read(directories: &[&str], backend: &str, setting: (&str, &str)) -> (Option<String>, bool) {
        let config = Value::object_of([
            ("backend", Value::string(backend)),
            (
                "config",
                Value::object_of([(setting.0, Value::string(setting.1))]),
            ),
        ]);
        let (value, said) = siblings(directories).read(
            "/w/app",
            "data.terraform_remote_state.n",
            &config,
            &Spans::default(),
        );
        let outputs = value.attr("outputs").unwrap();
        (outputs.str_attr("from").map(str::to_owned), said.is_some())
    }

    #[test]
    fn a_local_path_names_the_directory_of_its_stack() {
        let found = read(
            &["/w/net", "/w/db"],
            "local",
            ("path", "../net/terraform.tfstate"),
        );
        assert_eq!(found, (Some("/w/net".to_owned()), false));
        let found = read(&["/w/net"], "local", ("path", "../dns/terraform.tfstate"));
        assert_eq!(found, (None, true));
    }

    #[test]
    fn another_back_end_means_the_only_other_stack_or_the_one_it_names() {
        let found = read(&["/w/net", "/w/app"], "azurerm", ("key", "prod.tfstate"));
        assert_eq!(found, (Some("/w/net".to_owned()), true));
        let found = read(&["/w/net", "/w/db"], "s3", ("key", "prod/db.tfstate"));
        assert_eq!(found, (Some("/w/db".to_owned()), true));
        assert_eq!(read(&["/w/net", "/w/db"], "s3", ("key", "x")), (None, true));
    }
}
