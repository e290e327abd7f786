//! Every rule by name: what Azure refuses, and what it accepts although traffic will not flow.

mod check;
mod table;

use skybridge_estate::{Cloud, Finding, Grade, Level, Refusal, ResourceId, Subject};

pub use check::check;
pub use table::TABLE;

/// A rule, for documentation and for findings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Name, such as `azure.gateway-subnet-size`.
    pub name: &'static str,
    /// How bad breaking it is.
    pub level: Level,
    /// The rule in words.
    pub text: &'static str,
    /// What to do when it is broken.
    pub help: &'static str,
    /// The API's error code and HTTP status, when the API refuses.
    pub refusal: Option<(&'static str, u16)>,
    /// How sure the error code is.
    pub code_grade: Grade,
    /// How sure the rule is.
    pub grade: Grade,
    /// Where it is written: a key of `data/reference/sources.csv`.
    pub source: &'static str,
}

/// A rule by name.
#[must_use]
pub fn rule(name: &str) -> Option<&'static Rule> {
    TABLE.iter().find(|r| r.name == name)
}

fn known(name: &'static str) -> &'static Rule {
    rule(name).expect("rules are named as in the table; a test names each")
}

/// Refuses under a rule of the table.
pub(crate) fn refuse(name: &'static str, pointer: &str, message: impl Into<String>) -> Refusal {
    let rule = known(name);
    let (code, status) = rule.refusal.unwrap_or(("InvalidRequestFormat", 400));
    Refusal {
        code,
        status,
        message: message.into(),
        pointer: (!pointer.is_empty()).then(|| pointer.to_owned()),
        rule: Some(rule.name),
        retryable: false,
    }
}

/// A finding under a rule of the table.
fn finding(
    name: &'static str,
    resource: &ResourceId,
    pointer: &str,
    message: impl Into<String>,
) -> Finding {
    let rule = known(name);
    Finding {
        level: rule.level,
        rule: rule.name,
        message: message.into(),
        help: rule.help.to_owned(),
        subject: Subject::field(resource.clone(), pointer),
        related: Vec::new(),
        grade: rule.grade,
        source: rule.source,
    }
}

/// What a refusal becomes in a report: the finding that the API would have answered it so.
#[must_use]
pub fn finding_of(refusal: &Refusal, resource: &ResourceId) -> Finding {
    let rule = refusal.rule.and_then(rule);
    Finding {
        level: Level::Rejected(Cloud::Azure),
        rule: rule.map_or("azure.refused", |r| r.name),
        message: refusal.to_string(),
        help: rule.map_or_else(String::new, |r| r.help.to_owned()),
        subject: Subject::field(resource.clone(), refusal.pointer.as_deref().unwrap_or("")),
        related: Vec::new(),
        grade: rule.map_or(Grade::Assumed, |r| r.grade),
        source: rule.map_or("assumed", |r| r.source),
    }
}

#[cfg(test)]
mod tests;
