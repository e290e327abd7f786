//! Comma separated values with a header line and RFC 4180 quotes.

use std::fmt;

use crate::Grade;

/// Why an embedded file cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CsvError {
    file: &'static str,
    line: usize,
    what: String,
}

impl fmt::Display for CsvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

impl std::error::Error for CsvError {}

/// One record, its fields reached by column name.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    file: &'static str,
    line: usize,
    header: &'a [String],
    fields: Vec<String>,
}

impl Row<'_> {
    pub(crate) fn error(&self, what: impl Into<String>) -> CsvError {
        CsvError {
            file: self.file,
            line: self.line,
            what: what.into(),
        }
    }

    /// The text of a column; a column that the header lacks is an error.
    pub(crate) fn text(&self, column: &str) -> Result<&str, CsvError> {
        self.header
            .iter()
            .position(|h| h == column)
            .and_then(|at| self.fields.get(at))
            .map(String::as_str)
            .ok_or_else(|| self.error(format!("no column {column}")))
    }

    /// An owned copy of a column's text.
    pub(crate) fn owned(&self, column: &str) -> Result<String, CsvError> {
        self.text(column).map(str::to_owned)
    }

    /// A number.
    pub(crate) fn number<T: std::str::FromStr>(&self, column: &str) -> Result<T, CsvError> {
        let text = self.text(column)?;
        text.parse()
            .map_err(|_| self.error(format!("{column}: {text:?} is not a number in range")))
    }

    /// A number, or `None` where the cell is empty.
    pub(crate) fn optional<T: std::str::FromStr>(
        &self,
        column: &str,
    ) -> Result<Option<T>, CsvError> {
        if self.text(column)?.is_empty() {
            return Ok(None);
        }
        self.number(column).map(Some)
    }

    /// `yes` or `no`, or `None` where the cell is empty.
    pub(crate) fn flag(&self, column: &str) -> Result<Option<bool>, CsvError> {
        match self.text(column)? {
            "yes" => Ok(Some(true)),
            "no" => Ok(Some(false)),
            "" => Ok(None),
            other => Err(self.error(format!("{column}: {other:?} is neither yes nor no"))),
        }
    }

    /// Items separated by semicolons.
    pub(crate) fn list(&self, column: &str) -> Result<Vec<String>, CsvError> {
        let items = self.text(column)?.split(';').map(str::trim);
        Ok(items.filter(|i| !i.is_empty()).map(str::to_owned).collect())
    }

    /// The `grade` column.
    pub(crate) fn grade(&self) -> Result<Grade, CsvError> {
        match self.text("grade")? {
            "documented" => Ok(Grade::Documented),
            "observed" => Ok(Grade::Observed),
            "assumed" => Ok(Grade::Assumed),
            other => Err(self.error(format!("unknown grade {other:?}"))),
        }
    }

    /// The grade that a file without such a column implies by its sources.
    pub(crate) fn grade_by_source(&self) -> Result<Grade, CsvError> {
        let source = self.text("source")?;
        Ok(match source {
            s if s.contains("recalled") || s.contains("inferred") => Grade::Assumed,
            s if s.starts_with("github-issue") => Grade::Observed,
            _ => Grade::Documented,
        })
    }
}

/// Reads every record of `text` through `read`.
pub(crate) fn rows<T>(
    file: &'static str,
    text: &str,
    mut read: impl FnMut(&Row<'_>) -> Result<T, CsvError>,
) -> Result<Vec<T>, CsvError> {
    let mut lines = text.lines().enumerate();
    let header = match lines.next() {
        Some((_, line)) => split(file, 1, line)?,
        None => Vec::new(),
    };
    let mut out = Vec::new();
    for (index, line) in lines {
        if line.is_empty() {
            continue;
        }
        let fields = split(file, index + 1, line)?;
        let row = Row {
            file,
            line: index + 1,
            header: &header,
            fields,
        };
        if row.fields.len() != header.len() {
            return Err(row.error(format!(
                "{} fields where the header has {}",
                row.fields.len(),
                header.len()
            )));
        }
        out.push(read(&row)?);
    }
    Ok(out)
}

/// The fields of one line; a quoted field may hold commas and doubled quotes (RFC 4180 §2), no line ends.
fn split(file: &'static str, line: usize, text: &str) -> Result<Vec<String>, CsvError> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    if quoted {
        return Err(CsvError {
            file,
            line,
            what: "a quote is not closed".to_owned(),
        });
    }
    fields.push(field);
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_commas_and_doubled_quotes() {
        assert_eq!(
            split("t", 1, r#"a,"b, ""c""",,d"#).unwrap(),
            ["a", r#"b, "c""#, "", "d"]
        );
    }

    #[test]
    fn errors_name_file_and_line() {
        let read = |row: &Row<'_>| row.number::<u8>("n");
        assert_eq!(rows("t", "n\n1\n2\n", read).unwrap(), [1, 2]);
        let bad = rows("t", "n\n1\n300\n", read).unwrap_err();
        assert_eq!(bad.to_string(), "t:3: n: \"300\" is not a number in range");
        let bad = rows("t", "n,m\n1\n", read).unwrap_err();
        assert_eq!(bad.to_string(), "t:2: 1 fields where the header has 2");
        let bad = rows("t", "n\n\"1\n", read).unwrap_err();
        assert_eq!(bad.to_string(), "t:2: a quote is not closed");
    }
}
