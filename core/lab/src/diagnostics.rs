//! Everything that is said about an input, in one form.

use skybridge_estate::{Command, Estate, Finding, Grade, Level, Place, Refusal, Subject};
use skybridge_hcl::{Diagnostic as HclDiagnostic, Severity};

use crate::document::Diagnostic;

/// What the language says.
pub(crate) fn from_hcl(diagnostic: &HclDiagnostic) -> Diagnostic {
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
    };
    let message = if diagnostic.detail.is_empty() {
        diagnostic.summary.clone()
    } else {
        format!("{}: {}", diagnostic.summary, diagnostic.detail)
    };
    let span = diagnostic.span.as_ref();
    Diagnostic {
        level: level.to_owned(),
        message,
        file: span.map(|s| s.file.to_string()),
        line: span.map(|s| s.line),
        column: span.map(|s| s.column),
        span: span.map(|s| (s.start, s.end)),
        rule: diagnostic.rule.clone(),
        help: diagnostic.help.clone(),
        grade: None,
        source: None,
    }
}

/// What a rule found.
pub(crate) fn from_finding(estate: &Estate, finding: &Finding) -> Diagnostic {
    let place = place_of(estate, &finding.subject);
    let related: Vec<String> = (finding.related.iter())
        .filter_map(|subject| {
            let resource = estate.resource(&subject.resource)?;
            let place = place_of(estate, subject);
            Some(place.map_or_else(
                || resource.label().to_owned(),
                |p| format!("{} at {}:{}", resource.label(), p.file, p.line),
            ))
        })
        .collect();
    let label = estate
        .resource(&finding.subject.resource)
        .map_or_else(String::new, |r| format!("{}: ", r.label()));
    let with = if related.is_empty() {
        String::new()
    } else {
        format!(" (with {})", related.join(", "))
    };
    at_place(
        Diagnostic {
            level: level_words(finding.level),
            message: format!("{label}{}{with}", finding.message),
            file: None,
            line: None,
            column: None,
            span: None,
            rule: Some(finding.rule.to_owned()),
            help: (!finding.help.is_empty()).then(|| finding.help.clone()),
            grade: Some(grade_words(finding.grade).to_owned()),
            source: Some(finding.source.to_owned()),
        },
        place,
    )
}

/// What a cloud refused.
pub(crate) fn from_refusal(command: &Command, refusal: &Refusal) -> Diagnostic {
    let (label, place) = match command {
        Command::Put(put) => {
            let origin = put.origin.as_ref();
            let label = origin.map_or(put.name.as_str(), |o| o.address.as_str());
            let pointer = refusal.pointer.as_deref().unwrap_or_default();
            (label.to_owned(), origin.and_then(|o| o.place(pointer)))
        }
        Command::Delete { id, .. } => (format!("deleting {}", id.leaf()), None),
        Command::Provider { service_key, .. } => (format!("provider of {service_key}"), None),
    };
    let cloud = match command.party() {
        skybridge_estate::Party::Azure => "Azure",
        skybridge_estate::Party::Oci => "OCI",
    };
    at_place(
        Diagnostic {
            level: format!("rejected by {cloud}"),
            message: format!("{label}: {}", refusal.message),
            file: None,
            line: None,
            column: None,
            span: None,
            rule: Some(refusal.rule.unwrap_or(refusal.code).to_owned()),
            help: None,
            grade: None,
            source: Some(format!("{} ({})", refusal.code, refusal.status)),
        },
        place,
    )
}

/// A diagnostic without a place.
pub(crate) fn plain(level: &str, message: String, help: Option<String>) -> Diagnostic {
    Diagnostic {
        level: level.to_owned(),
        message,
        file: None,
        line: None,
        column: None,
        span: None,
        rule: None,
        help,
        grade: None,
        source: None,
    }
}

/// True for what must be mended before anything is brought up; `force` lets the merely broken pass.
pub(crate) fn is_fatal(diagnostic: &Diagnostic, force: bool) -> bool {
    diagnostic.level == "error"
        || diagnostic.level.starts_with("rejected by")
        || (diagnostic.level == "will not work" && !force)
}

/// Worst first, then by place; the same thing said twice is said once.
pub(crate) fn sort(diagnostics: &mut Vec<Diagnostic>) {
    let rank = |d: &Diagnostic| match d.level.as_str() {
        "error" => 0,
        "will not work" => 2,
        "warning" => 3,
        "advice" => 4,
        "notice" => 5,
        _ => 1,
    };
    diagnostics.sort_by(|a, b| {
        (rank(a), &a.file, a.line, &a.message).cmp(&(rank(b), &b.file, b.line, &b.message))
    });
    diagnostics.dedup();
}

fn place_of<'a>(estate: &'a Estate, subject: &Subject) -> Option<&'a Place> {
    let resource = estate.resource(&subject.resource)?;
    let own = resource.origin.as_ref();
    own.and_then(|o| o.place(&subject.pointer)).or_else(|| {
        let parent = estate.resource(resource.parent.as_ref()?)?;
        parent.origin.as_ref()?.place("")
    })
}

fn at_place(diagnostic: Diagnostic, place: Option<&Place>) -> Diagnostic {
    let Some(place) = place else {
        return diagnostic;
    };
    Diagnostic {
        file: Some(place.file.to_string()),
        line: Some(place.line),
        column: Some(place.column),
        span: Some((place.start, place.end)),
        ..diagnostic
    }
}

pub(crate) fn level_words(level: Level) -> String {
    match level {
        Level::Rejected(cloud) => format!("rejected by {}", cloud.label()),
        Level::WillNotWork => "will not work".to_owned(),
        Level::Advice => "advice".to_owned(),
    }
}

/// `documented`, `observed` or `assumed`.
pub(crate) const fn grade_words(grade: Grade) -> &'static str {
    match grade {
        Grade::Documented => "documented",
        Grade::Observed => "observed",
        Grade::Assumed => "assumed",
    }
}
