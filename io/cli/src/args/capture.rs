//! Arguments of `capture`, and lengths of time as people write them.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use skybridge_lab::request::Request;

/// Arguments of `capture`.
#[derive(Debug, Args)]
pub(crate) struct CaptureArgs {
    /// A link, `NODE/PORT`, a host, `CIRCUIT/primary` or `CIRCUIT/secondary`.
    point: String,
    /// Write pcapng to a file, or to standard output by `-` (`… -w - | wireshark -k -i -`).
    #[arg(short, long, value_name = "FILE|-")]
    pub(crate) write: Option<PathBuf>,
    /// End after so many frames.
    #[arg(short, long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this time, such as `500ms`, `10s` or `2m`.
    #[arg(short, long, value_parser = duration)]
    duration: Option<Duration>,
}

impl From<&CaptureArgs> for Request {
    fn from(args: &CaptureArgs) -> Self {
        Self::Capture {
            point: args.point.clone(),
            count: args.count,
            duration_ms: (args.duration)
                .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// Reads `500ms`, `10s`, `2m`, `1h`; a bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no length of time; write 500ms, 10s, 2m or 1h");
    let unit_at = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    let millis = number.checked_mul(unit_ms).ok_or_else(wrong)?;
    Ok(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_units() {
        for (text, millis) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("2m", 120_000),
            ("3", 3_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "s", "-1s", "1d", "99999999999999999999s", "1 s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
