//! Files as values: the caller reads, the evaluator asks.

use std::collections::BTreeMap;

/// Where `file()`, `templatefile()`, modules and variable files come from. Paths are relative to
/// the directory of the stack unless they are absolute, with `/` between parts.
pub trait Files: Send + Sync {
    /// The bytes of a file.
    ///
    /// # Errors
    /// The reason, to be shown to the writer of the stack.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;

    /// Whether a regular file is there.
    fn exists(&self, path: &str) -> bool;

    /// The names of the regular files directly in a directory; `None` when there is no such
    /// directory.
    fn list(&self, directory: &str) -> Option<Vec<String>>;

    /// The paths of all regular files below a directory, seen from it.
    fn below(&self, directory: &str) -> Vec<String>;
}

/// No files at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("no file exists at \"{path}\""))
    }

    fn exists(&self, _: &str) -> bool {
        false
    }

    fn list(&self, _: &str) -> Option<Vec<String>> {
        None
    }

    fn below(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// Files held in memory: path to content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryFiles {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemoryFiles {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    #[must_use]
    pub fn with(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.insert(path, content);
        self
    }

    /// Adds a file.
    pub fn insert(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        self.files.insert(join_path("", path), content.into());
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let found = self.files.get(&join_path("", path));
        found
            .cloned()
            .ok_or_else(|| format!("no file exists at \"{path}\""))
    }

    fn exists(&self, path: &str) -> bool {
        self.files.contains_key(&join_path("", path))
    }

    fn list(&self, directory: &str) -> Option<Vec<String>> {
        let below = self.below(directory);
        if below.is_empty() && join_path("", directory) != "." {
            return None;
        }
        let direct = below.into_iter().filter(|name| !name.contains('/'));
        Some(direct.collect())
    }

    fn below(&self, directory: &str) -> Vec<String> {
        let directory = join_path("", directory);
        let prefix = if directory == "." {
            String::new()
        } else {
            format!("{directory}/")
        };
        let paths = self.files.range(prefix.clone()..).map(|(path, _)| path);
        let inside = paths
            .take_while(|path| path.starts_with(&prefix))
            .map(|path| path[prefix.len()..].to_owned());
        // What lies above or elsewhere is not below the directory of the stack.
        let own = |path: &String| {
            !prefix.is_empty() || !(path.starts_with('/') || path.starts_with("../"))
        };
        inside.filter(own).collect()
    }
}

/// `path` seen from `base`, with `.` and `..` resolved by text; absolute paths stay. The empty
/// path is `.`.
#[must_use]
pub fn join_path(base: &str, path: &str) -> String {
    let joined = if path.starts_with('/') || base.is_empty() {
        path.to_owned()
    } else {
        format!("{base}/{path}")
    };
    let absolute = joined.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            _ => parts.push(part),
        }
    }
    let text = parts.join("/");
    match (absolute, text.is_empty()) {
        (true, _) => format!("/{text}"),
        (false, true) => ".".to_owned(),
        (false, false) => text,
    }
}
