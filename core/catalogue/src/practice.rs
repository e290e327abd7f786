//! How the clouds behave: durations, wrong deletions, constants of the model.

use std::time::Duration;

use crate::Grade;
use crate::csv::{CsvError, Row, rows};

/// What a control plane is doing for so long.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LifecycleOp {
    /// Creates.
    Create,
    /// Changes.
    Update,
    /// Deletes.
    Delete,
    /// A connectivity provider's work.
    Provider,
}

/// How long an operation takes in the real cloud.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lifecycle {
    /// Resource kind; `*` for kinds not listed.
    pub kind: String,
    /// The operation.
    pub operation: LifecycleOp,
    /// How long.
    pub duration: Duration,
    /// Remarks.
    pub note: String,
    /// How sure.
    pub grade: Grade,
    /// Source key.
    pub source: String,
}

/// What deleting something in a certain condition does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deletion {
    /// Resource kind.
    pub kind: String,
    /// The condition's name, such as `subnet-in-use`.
    pub condition: String,
    /// The condition in words.
    pub description: String,
    /// What happens.
    pub outcome: DeletionOutcome,
    /// How sure.
    pub grade: Grade,
    /// Source key.
    pub source: String,
}

/// What a deletion does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DeletionOutcome {
    /// The API refuses.
    Refused {
        /// Its error code.
        code: String,
        /// HTTP status.
        status: u16,
    },
    /// The API accepts and the resource ends as failed.
    AcceptedThenFailed,
    /// The resource goes.
    Allowed,
}

/// A constant of the model.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Behaviour {
    /// Name, unit last, such as `msee_bgp_hold_s`.
    pub name: String,
    /// The value.
    pub value: u64,
    /// Its unit.
    pub unit: String,
    /// Remarks.
    pub note: String,
    /// How sure.
    pub grade: Grade,
    /// Source key.
    pub source: String,
}

pub(crate) fn lifecycles() -> Result<Vec<Lifecycle>, CsvError> {
    let text = include_str!("../../../data/lifecycles.csv");
    rows("lifecycles.csv", text, |row| {
        Ok(Lifecycle {
            kind: row.owned("kind")?,
            operation: match row.text("operation")? {
                "create" => LifecycleOp::Create,
                "update" => LifecycleOp::Update,
                "delete" => LifecycleOp::Delete,
                "provider" => LifecycleOp::Provider,
                other => return Err(row.error(format!("unknown operation {other:?}"))),
            },
            duration: Duration::from_secs(row.number("seconds")?),
            note: row.owned("note")?,
            grade: row.grade()?,
            source: row.owned("source")?,
        })
    })
}

pub(crate) fn deletions() -> Result<Vec<Deletion>, CsvError> {
    let text = include_str!("../../../data/deletions.csv");
    rows("deletions.csv", text, |row| {
        Ok(Deletion {
            kind: row.owned("kind")?,
            condition: row.owned("condition")?,
            description: row.owned("description")?,
            outcome: outcome(row)?,
            grade: row.grade()?,
            source: row.owned("source")?,
        })
    })
}

fn outcome(row: &Row<'_>) -> Result<DeletionOutcome, CsvError> {
    match row.text("outcome")? {
        "allowed" => Ok(DeletionOutcome::Allowed),
        "accepted-then-failed" => Ok(DeletionOutcome::AcceptedThenFailed),
        other => match other.strip_prefix("refused:") {
            Some(code) => Ok(DeletionOutcome::Refused {
                code: code.to_owned(),
                status: row.number("status")?,
            }),
            None => Err(row.error(format!("unknown outcome {other:?}"))),
        },
    }
}

pub(crate) fn behaviours() -> Result<Vec<Behaviour>, CsvError> {
    let text = include_str!("../../../data/behaviours.csv");
    rows("behaviours.csv", text, |row| {
        Ok(Behaviour {
            name: row.owned("name")?,
            value: row.number("value")?,
            unit: row.owned("unit")?,
            note: row.owned("note")?,
            grade: row.grade()?,
            source: row.owned("source")?,
        })
    })
}
