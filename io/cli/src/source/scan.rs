//! What a configuration file mentions, found without parsing it: the lab parses, and says what is wrong.

/// Functions that read files (`file(` is the end of `templatefile(` too).
const READERS: [&str; 6] = [
    "file(",
    "fileset(",
    "fileexists(",
    "filebase64(",
    "filemd5(",
    "filesha",
];

/// Whether the text calls a function that reads files.
pub(super) fn reads_files(text: &str) -> bool {
    READERS.iter().any(|reader| text.contains(reader)) || text.contains("filebase64sha")
}

/// Local module sources: the quoted values of `source` that begin with `./` or `../`, in HCL or JSON.
pub(super) fn local_sources(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let rest = line.trim_start().trim_start_matches('"');
        let rest = rest.strip_prefix("source")?.trim_start_matches('"');
        let rest = rest.trim_start().strip_prefix(['=', ':'])?;
        let quoted = rest.trim_start().strip_prefix('"')?;
        let value = quoted.split('"').next()?;
        let local = value.starts_with("./") || value.starts_with("../") || value == "..";
        local.then_some(value)
    })
}

/// Literal arguments of file functions that lead out of a module's directory.
pub(super) fn outer_files(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('(').filter_map(|(at, _)| {
        let called = text[..at]
            .chars()
            .rev()
            .take_while(|c| c.is_ascii_alphanumeric());
        let called: String = called.collect::<Vec<_>>().into_iter().rev().collect();
        if !called.contains("file") {
            return None;
        }
        let quoted = text[at + 1..].trim_start().strip_prefix('"')?;
        let value = quoted.split('"').next()?;
        let value = value.strip_prefix("${path.module}/").unwrap_or(value);
        value.starts_with("../").then_some(value)
    })
}

/// `path` seen from `base`, with `.` and `..` resolved by text; `..` at the front stays.
pub(super) fn join(base: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// The folder of a file.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_found_in_hcl_and_json_and_registry_modules_are_not() {
        let text = "module \"a\" {\n  source  = \"../net\"\n}\nmodule b {\n source=\"./in\" # x\n}\n\
            module \"c\" { \n source = \"Azure/vnet/azurerm\"\n}\n  \"source\": \"../json\",\n source_x = \"../no\"\n";
        let found: Vec<_> = local_sources(text).collect();
        assert_eq!(found, ["../net", "./in", "../json"]);
    }

    #[test]
    fn file_functions_are_noticed_with_their_outer_arguments() {
        let text = "x = templatefile(\"${path.module}/../t/a.tftpl\", {})\ny = file( \"../k.pub\")\nz = file(\"in\")";
        assert!(reads_files(text));
        assert_eq!(
            outer_files(text).collect::<Vec<_>>(),
            ["../t/a.tftpl", "../k.pub"]
        );
        assert!(!reads_files("profile = 1"));
    }

    #[test]
    fn paths_are_resolved_by_text() {
        assert_eq!(join("", "../net"), "../net");
        assert_eq!(join("modules/a", "../../../net/./x"), "../net/x");
        assert_eq!(join("..", "../up"), "../../up");
        assert_eq!(parent("a/b/c.tf"), "a/b");
        assert_eq!(parent("c.tf"), "");
    }
}
