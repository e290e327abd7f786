//! From files to a [`Config`].

use std::collections::BTreeMap;

use skybridge_hcl::ast::Body;
use skybridge_hcl::{Diagnostic, Files, Span, join_path, parse_body, parse_json};

use crate::build::build;
use crate::config::{Config, Module, ModuleCall, StaticPath};
use crate::{json, overrides, providers, versions};

/// How deep modules may call modules.
const MODULE_DEPTH_MAX: usize = 32;
/// How many modules a stack may have, each call counted.
const MODULES_MAX: usize = 1_000;

/// Reads the configuration of a directory and of the local modules it calls. The second part is
/// what there is to say; with an error in it the configuration must not be used.
#[must_use]
pub fn load(files: &dyn Files, directory: &str) -> (Config, Vec<Diagnostic>) {
    let mut loader = Loader {
        files,
        config: Config::default(),
        diagnostics: Vec::new(),
        manifest: manifest(files, directory),
    };
    loader.module(Vec::new(), directory);
    versions::check(&loader.config, &mut loader.diagnostics);
    providers::check(&loader.config, &mut loader.diagnostics);
    arguments(&loader.config, &mut loader.diagnostics);
    (loader.config, loader.diagnostics)
}

/// Arguments that a call gives and its module does not have, and the other way round.
fn arguments(config: &Config, said: &mut Vec<Diagnostic>) {
    for (path, module) in &config.modules {
        for (name, call) in &module.calls {
            let mut child = path.clone();
            child.push(name.clone());
            let Some(inside) = config.modules.get(&child) else {
                continue;
            };
            let required = inside.variables.iter().filter(|(_, v)| v.default.is_none());
            for (variable, declared) in required {
                if !call.arguments.contains_key(variable) {
                    let detail = format!(
                        "module.{name} needs \"{variable}\" (declared at {})",
                        declared.span
                    );
                    let diagnostic = Diagnostic::error("Missing required argument", detail);
                    said.push(diagnostic.at(&call.span));
                }
            }
            for (argument, expr) in &call.arguments {
                if !inside.variables.contains_key(argument) {
                    let detail = format!("module.{name} has no variable \"{argument}\"");
                    let diagnostic = Diagnostic::error("Unsupported argument", detail);
                    let names = inside.variables.keys().map(String::as_str);
                    said.push(diagnostic.at(&expr.span).suggest(argument, names));
                }
            }
        }
    }
}

/// `.terraform/modules/modules.json`: where `terraform init` put the modules, by dotted key.
fn manifest(files: &dyn Files, directory: &str) -> BTreeMap<String, String> {
    let path = join_path(directory, ".terraform/modules/modules.json");
    let Some(json) = files
        .read(&path)
        .ok()
        .and_then(|b| serde_json::from_slice::<serde_json::Value>(&b).ok())
    else {
        return BTreeMap::new();
    };
    let modules = json
        .get("Modules")
        .and_then(|m| m.as_array())
        .into_iter()
        .flatten();
    modules
        .filter_map(|m| {
            let text = |name: &str| m.get(name).and_then(|v| v.as_str());
            Some((text("Key")?.to_owned(), join_path(directory, text("Dir")?)))
        })
        .collect()
}

struct Loader<'a> {
    files: &'a dyn Files,
    config: Config,
    diagnostics: Vec<Diagnostic>,
    manifest: BTreeMap<String, String>,
}

impl Loader<'_> {
    fn module(&mut self, path: StaticPath, directory: &str) {
        let mut module = Module {
            directory: directory.to_owned(),
            ..Module::default()
        };
        let mut names = self.files.list(directory).unwrap_or_default();
        names.sort();
        let stem = |n: &str| {
            let stem = n.strip_suffix(".json").unwrap_or(n);
            let plain = stem.strip_suffix(".tf");
            plain
                .or_else(|| stem.strip_suffix(".tofu"))
                .map(str::to_owned)
        };
        // OpenTofu reads `x.tofu` in the place of `x.tf`.
        let hidden = |n: &str| {
            let twin = match n.strip_suffix(".tf.json") {
                Some(stem) => Some(format!("{stem}.tofu.json")),
                None => n.strip_suffix(".tf").map(|stem| format!("{stem}.tofu")),
            };
            twin.is_some_and(|twin| names.contains(&twin))
        };
        let is_override = |stem: &str| stem == "override" || stem.ends_with("_override");
        let sources: Vec<(&String, bool)> = names
            .iter()
            .filter(|n| !hidden(n))
            .filter_map(|n| Some((n, is_override(&stem(n)?))))
            .collect();
        let mut body = Body::default();
        for (name, _) in sources.iter().filter(|(_, over)| !over) {
            if let Some(file) = self.file(directory, name) {
                body.attributes.extend(file.attributes);
                body.blocks.extend(file.blocks);
            }
        }
        for (name, _) in sources.iter().filter(|(_, over)| *over) {
            if let Some(file) = self.file(directory, name) {
                body.attributes.extend(file.attributes);
                overrides::merge(&mut body.blocks, file.blocks, &mut self.diagnostics);
            }
        }
        build(&mut module, &body, &mut self.diagnostics);
        let calls: Vec<(String, ModuleCall)> = module
            .calls
            .iter()
            .map(|(n, c)| (n.clone(), c.clone()))
            .collect();
        self.config.modules.insert(path.clone(), module);
        for (name, call) in calls {
            let mut child = path.clone();
            child.push(name);
            self.child(child, directory, &call);
        }
    }

    fn child(&mut self, path: StaticPath, directory: &str, call: &ModuleCall) {
        let source = &call.source;
        let found = self.manifest.get(&path.join(".")).cloned();
        let local =
            source.starts_with("./") || source.starts_with("../") || source.starts_with('/');
        let target = match found {
            Some(directory) => directory,
            None if local => join_path(directory, source),
            None => {
                let detail = format!(
                    "the source \"{source}\" is not a local path and the module has not been fetched"
                );
                let beside = join_path(directory, source);
                let help = if self
                    .files
                    .list(&beside)
                    .is_some_and(|names| !names.is_empty())
                {
                    format!(
                        "There is a directory \"{beside}\": its source is written \"./{source}\"."
                    )
                } else {
                    "Run `terraform init` in this directory, or pass a plan made with `terraform show -json`."
                        .to_owned()
                };
                let diagnostic = Diagnostic::error("Module not installed", detail);
                self.diagnostics.push(diagnostic.at(&call.span).help(help));
                return;
            }
        };
        if path.len() > MODULE_DEPTH_MAX || self.config.modules.len() >= MODULES_MAX {
            let detail = format!(
                "modules nest more than {MODULE_DEPTH_MAX} deep or are more than {MODULES_MAX}; does a module call itself?"
            );
            self.diagnostics
                .push(Diagnostic::error("Too many modules", detail).at(&call.span));
            return;
        }
        if self.files.list(&target).is_none_or(|names| {
            let ends = [".tf", ".tf.json", ".tofu", ".tofu.json"];
            !names
                .iter()
                .any(|n| ends.iter().any(|end| n.ends_with(end)))
        }) {
            let detail = format!("there is no configuration in \"{target}\"");
            let help = "A local source is relative to the directory of the module that calls; the directory above it must be among those that were read.";
            let error = Diagnostic::error("Unreadable module directory", detail);
            self.diagnostics.push(error.at(&call.span).help(help));
            return;
        }
        self.module(path, &target);
    }

    fn file(&mut self, directory: &str, name: &str) -> Option<Body> {
        let path = join_path(directory, name);
        let text = match self.files.read(&path) {
            Ok(bytes) => {
                String::from_utf8(bytes).map_err(|_| "the file is not valid UTF-8".to_owned())
            }
            Err(e) => Err(e),
        };
        let parsed = text.map(|text| {
            if name.ends_with(".json") {
                let expr = parse_json(&path, &text)?;
                Ok(json::file_body(&expr, &mut self.diagnostics))
            } else {
                parse_body(&path, &text)
            }
        });
        match parsed {
            Ok(Ok(body)) => Some(body),
            Ok(Err(errors)) => {
                self.diagnostics.extend(errors);
                None
            }
            Err(reason) => {
                let diagnostic = Diagnostic::error("Failed to read file", reason);
                self.diagnostics.push(diagnostic.at(&Span::file(&path)));
                None
            }
        }
    }
}
