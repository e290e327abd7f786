//! Walking folders within limits.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::scan;
use super::{FILE_LEN_MAX, STACK_LEN_MAX, SourceError};

/// Folders deeper than this are not entered: links may run in circles.
const DEPTH_MAX: usize = 32;
/// Folders that hold no configuration: history, provider plugins, packages.
const SKIPPED: [&str; 4] = [".git", ".terragrunt-cache", "node_modules", ".hg"];

/// Collects the files of one stack.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    root: &'a Path,
    files: BTreeMap<String, String>,
    octets: u64,
    outer: BTreeSet<String>,
    left_out: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Configuration,
    OtherText,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(root: &'a Path) -> Self {
        Self {
            root,
            files: BTreeMap::new(),
            octets: 0,
            outer: BTreeSet::new(),
            left_out: Vec::new(),
        }
    }

    pub(super) const fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    pub(super) fn finish(self) -> (BTreeMap<String, String>, Vec<String>) {
        (self.files, self.left_out)
    }

    /// The directory and the module folders outside it, and those that they name, and so on.
    pub(super) fn read_configuration(&mut self) -> Result<(), SourceError> {
        self.walk("", Wanted::Configuration, DEPTH_MAX)?;
        let mut scanned = BTreeSet::new();
        loop {
            let fresh: Vec<String> = self
                .files
                .keys()
                .filter(|path| !scanned.contains(*path))
                .cloned()
                .collect();
            if fresh.is_empty() {
                return Ok(());
            }
            let mut folders = BTreeSet::new();
            for path in &fresh {
                let sources = scan::local_sources(&self.files[path]);
                folders.extend(sources.map(|source| scan::join(scan::parent(path), source)));
            }
            scanned.extend(fresh);
            for folder in folders {
                if folder.starts_with("..") && self.outer.insert(folder.clone()) {
                    self.walk(&folder, Wanted::Configuration, 0)?;
                }
            }
        }
    }

    /// Other text files, when the configuration reads files at all.
    pub(super) fn read_what_functions_want(&mut self) -> Result<(), SourceError> {
        if !self.files.values().any(|text| scan::reads_files(text)) {
            return Ok(());
        }
        let named: BTreeSet<String> = self
            .files
            .iter()
            .flat_map(|(path, text)| {
                scan::outer_files(text).map(|file| scan::join(scan::parent(path), file))
            })
            .collect();
        self.walk("", Wanted::OtherText, DEPTH_MAX)?;
        for folder in self.outer.clone() {
            self.walk(&folder, Wanted::OtherText, DEPTH_MAX)?;
        }
        for path in named {
            if self.root.join(&path).is_file() {
                self.read_other(path);
            }
        }
        Ok(())
    }

    fn walk(&mut self, folder: &str, wanted: Wanted, depth: usize) -> Result<(), SourceError> {
        let path = self.root.join(folder);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            // A module folder that is not there: the lab says so, with file and line.
            Err(_) if !folder.is_empty() => return Ok(()),
            Err(source) => return Err(SourceError::Io { path, source }),
        };
        let mut names: Vec<_> = entries
            .filter_map(|entry| entry.ok().map(|entry| entry.file_name()))
            .collect();
        names.sort();
        for name in names {
            // Terraform cannot name such a file either.
            let Some(name) = name.to_str() else { continue };
            let below = if folder.is_empty() {
                name.to_owned()
            } else {
                format!("{folder}/{name}")
            };
            let Ok(meta) = fs::metadata(self.root.join(&below)) else {
                continue;
            };
            if meta.is_dir() {
                let plugins = name == "providers" && folder.ends_with(".terraform");
                if depth > 0 && !plugins && !SKIPPED.contains(&name) {
                    self.walk(&below, wanted, depth - 1)?;
                }
            } else if meta.is_file() {
                match wanted {
                    Wanted::Configuration if is_configuration(&below) => {
                        self.read_configuration_file(below)?;
                    }
                    Wanted::Configuration => {}
                    Wanted::OtherText => self.read_other(below),
                }
            }
        }
        Ok(())
    }

    fn read_configuration_file(&mut self, path: String) -> Result<(), SourceError> {
        let text = text_of(&self.root.join(&path))?;
        self.octets += text.len() as u64;
        if self.octets > STACK_LEN_MAX {
            return Err(SourceError::LongStack(self.root.to_path_buf()));
        }
        self.files.insert(path, text);
        Ok(())
    }

    /// Files that are not text, too long, or one too many are left out: `file()` then says so.
    fn read_other(&mut self, path: String) {
        if self.files.contains_key(&path) {
            return;
        }
        let full = self.root.join(&path);
        let fits = fs::metadata(&full).is_ok_and(|meta| {
            meta.len() <= FILE_LEN_MAX && self.octets + meta.len() <= STACK_LEN_MAX
        });
        if !fits {
            self.left_out.push(path);
            return;
        }
        if let Ok(text) = fs::read_to_string(&full) {
            self.octets += text.len() as u64;
            self.files.insert(path, text);
        }
    }
}

fn is_configuration(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    // Editors' backups and swap files, as Terraform ignores them.
    if name.starts_with('.') || name.ends_with('~') || name.starts_with('#') {
        return false;
    }
    let ends = [
        ".tf",
        ".tf.json",
        ".tofu",
        ".tofu.json",
        ".tfvars",
        ".tfvars.json",
        ".sky.hcl",
    ];
    ends.iter().any(|end| name.ends_with(end))
        || path.ends_with(".terraform/modules/modules.json")
        || path == ".terraform/environment"
}

/// The text of a file that must be readable.
///
/// # Errors
/// When it is too long, not UTF-8, or the system refuses.
pub(super) fn text_of(path: &Path) -> Result<String, SourceError> {
    let io = |source| SourceError::Io {
        path: PathBuf::from(path),
        source,
    };
    if fs::metadata(path).map_err(io)?.len() > FILE_LEN_MAX {
        return Err(SourceError::LongFile(path.to_path_buf()));
    }
    let octets = fs::read(path).map_err(io)?;
    String::from_utf8(octets).map_err(|_| SourceError::NotText(path.to_path_buf()))
}
