//! `required_version`: whether the version of Terraform that we evaluate as will do.

use skybridge_hcl::{Diagnostic, Span};

use crate::config::Config;

/// The version whose language and built-in types we follow.
const EVALUATED_AS: [u64; 3] = [1, 11, 4];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Pessimistic,
}

/// Longest first, so that `>=` is not read as `>`.
const OPERATORS: [(&str, Operator); 7] = [
    (">=", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("!=", Operator::NotEqual),
    ("~>", Operator::Pessimistic),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("=", Operator::Equal),
];

/// One comparison of a constraint.
#[derive(Debug)]
struct Part {
    operator: Operator,
    version: [u64; 3],
    /// How many of the numbers are written.
    written: usize,
}

impl Part {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (operator, rest) = OPERATORS
            .iter()
            .find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?)))
            .unwrap_or((Operator::Equal, text));
        let rest = rest.trim();
        // A prerelease (`1.2.0-rc1`) stands for its release.
        let number = rest.split(['-', '+']).next().unwrap_or(rest);
        let number = number.strip_prefix('v').unwrap_or(number);
        let numbers: Option<Vec<u64>> = number.split('.').map(|n| n.parse().ok()).collect();
        let numbers = numbers.filter(|n| (1..=3).contains(&n.len()))?;
        let mut version = [0; 3];
        version[..numbers.len()].copy_from_slice(&numbers);
        Some(Self {
            operator,
            version,
            written: numbers.len(),
        })
    }

    fn allows(&self, version: [u64; 3]) -> bool {
        match self.operator {
            Operator::Equal => version == self.version,
            Operator::NotEqual => version != self.version,
            Operator::Greater => version > self.version,
            Operator::GreaterOrEqual => version >= self.version,
            Operator::Less => version < self.version,
            Operator::LessOrEqual => version <= self.version,
            Operator::Pessimistic => {
                let fixed = self.written.saturating_sub(1).max(1);
                version >= self.version && version[..fixed] == self.version[..fixed]
            }
        }
    }

    /// Whether only versions older than this one are allowed.
    fn wants_older_than(&self, version: [u64; 3]) -> bool {
        match self.operator {
            Operator::Less => self.version <= version,
            Operator::LessOrEqual | Operator::Equal | Operator::Pessimistic => {
                self.version < version
            }
            Operator::NotEqual | Operator::Greater | Operator::GreaterOrEqual => false,
        }
    }

    /// Whether a later version of the same major one is allowed. 1.x keeps what 1.0 understood (Terraform
    /// v1.x Compatibility Promises).
    fn wants_newer_minor_than(&self, version: [u64; 3]) -> bool {
        let same_major = self.version[0] == version[0];
        match self.operator {
            Operator::Greater | Operator::GreaterOrEqual => same_major,
            Operator::Equal | Operator::Pessimistic => same_major && self.version > version,
            Operator::NotEqual | Operator::Less | Operator::LessOrEqual => false,
        }
    }
}

/// Checks the constraints of all modules. The language of older versions is understood, and what a later 1.x
/// adds to it is an error of its own where it is used: a warning both times. No version of ours: an error.
pub(crate) fn check(config: &Config, said: &mut Vec<Diagnostic>) {
    for (path, module) in &config.modules {
        let whose = match path.last() {
            None => "this configuration".to_owned(),
            Some(_) => format!("module.{}", path.join(".module.")),
        };
        for (text, span) in &module.required_version {
            said.extend(verdict(text, &whose, span));
        }
    }
}

impl Config {
    /// Whether it may have been written for a Terraform that knew of no sensitive values (before 0.14): it names
    /// no version and declares nothing sensitive, so that the mark is a provider's.
    pub(crate) fn predates_sensitive_values(&self) -> bool {
        self.modules.values().all(|module| {
            let mut variables = module.variables.values();
            let mut outputs = module.outputs.values();
            module.required_version.is_empty()
                && !variables.any(|v| v.sensitive)
                && !outputs.any(|o| o.sensitive)
        })
    }
}

fn verdict(text: &str, whose: &str, span: &Span) -> Option<Diagnostic> {
    let parts: Option<Vec<Part>> = text.split(',').map(Part::parse).collect();
    let Some(parts) = parts else {
        let detail = format!("\"{text}\" does not use correct version constraint syntax");
        return Some(Diagnostic::error("Invalid version constraint", detail).at(span));
    };
    let refusing: Vec<&Part> = parts.iter().filter(|p| !p.allows(EVALUATED_AS)).collect();
    if refusing.is_empty() {
        return None;
    }
    let [major, minor, patch] = EVALUATED_AS;
    let ours = format!("{major}.{minor}.{patch}");
    if refusing.iter().all(|p| p.wants_older_than(EVALUATED_AS)) {
        let detail = format!(
            "{whose} wants Terraform {text} and is evaluated as by {ours}; forms of older versions are understood"
        );
        return Some(Diagnostic::warning("Older Terraform version wanted", detail).at(span));
    }
    if refusing
        .iter()
        .all(|p| p.wants_newer_minor_than(EVALUATED_AS))
    {
        let detail = format!(
            "{whose} wants Terraform {text} and is evaluated as by {ours}; what later versions add to the language is refused by its name"
        );
        return Some(Diagnostic::warning("Newer Terraform version wanted", detail).at(span));
    }
    let detail = format!("{whose} does not support Terraform {ours}, as which it is evaluated");
    let diagnostic = Diagnostic::error("Unsupported Terraform Core version", detail);
    Some(diagnostic.at(span).rule("required-version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> &'static str {
        match verdict(text, "x", &Span::file("x")) {
            None => "fits",
            Some(d) if d.is_error() && d.summary.starts_with("Invalid") => "invalid",
            Some(d) if d.is_error() => "unfit",
            Some(d) if d.summary.starts_with("Newer") => "too old",
            Some(_) => "too new",
        }
    }

    #[test]
    fn constraints_are_read_as_terraform_reads_them() {
        for (text, expected) in [
            (">= 1.0", "fits"),
            ("~> 1.5", "fits"),
            ("~>1.11.0", "fits"),
            ("~> 1", "fits"),
            (">= 0.13, < 2.0", "fits"),
            ("1.11.4", "fits"),
            ("!= 1.11.3", "fits"),
            (">= 1.11.4-beta1", "fits"),
            ("~> 0.12", "too new"),
            ("< 1.0.0", "too new"),
            ("= 1.5.7", "too new"),
            ("~> 1.9.0", "too new"),
            (">= 1.12", "too old"),
            ("> 1.11.4", "too old"),
            (">= 1.14.2, < 2.0", "too old"),
            ("~> 1.12.0", "too old"),
            (">= 2.0", "unfit"),
            ("~> 2.0", "unfit"),
            ("!= 1.11.4", "unfit"),
            ("< 1, >= 3", "unfit"),
            ("at least one", "invalid"),
            (">= ", "invalid"),
            ("", "invalid"),
            ("1.2.3.4", "invalid"),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
    }
}
