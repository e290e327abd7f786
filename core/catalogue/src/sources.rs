//! Where rows come from.

use crate::csv::{CsvError, rows};

/// Something that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// Key that rows name.
    pub key: String,
    /// Repository path, page or document.
    pub place: String,
    /// Its date.
    pub as_of: String,
}

pub(crate) fn sources() -> Result<Vec<Source>, CsvError> {
    let text = include_str!("../../../data/reference/sources.csv");
    rows("sources.csv", text, |row| {
        Ok(Source {
            key: row.owned("key")?,
            place: row.owned("where")?,
            as_of: row.owned("as_of")?,
        })
    })
}
