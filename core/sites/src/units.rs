//! Durations, loss and rates as people write them.

use std::time::Duration;

/// Splits `1.5ms` into number and unit; blanks between them are allowed.
fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = text[..end].parse().ok()?;
    Some((number, text[end..].trim()))
}

/// A duration: a number and `us`, `ms`, `s`, `m` or `h`, such as `200ms`, `1.5s`, `1m`.
///
/// # Errors
/// What was expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("\"{text}\" is not a duration such as \"200ms\", \"2s\" or \"1m\"");
    let (number, unit) = split(text).ok_or_else(expected)?;
    let seconds = match unit {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(expected()),
    };
    let duration = Duration::try_from_secs_f64(seconds).map_err(|_| expected())?;
    if duration > Duration::from_secs(24 * 3600) {
        return Err(format!("\"{text}\" is longer than a day"));
    }
    Ok(duration)
}

/// A share of frames, `0.1%`, as frames per million.
///
/// # Errors
/// What was expected.
pub fn parse_loss_ppm(text: &str) -> Result<u32, String> {
    let expected = || format!("\"{text}\" is not a share such as \"0.1%\"");
    let (number, unit) = split(text).ok_or_else(expected)?;
    if unit != "%" || number > 100.0 {
        return Err(expected());
    }
    // Whole frames per million: text of an integer from 0 to 1,000,000.
    format!("{:.0}", number * 1e4)
        .parse()
        .map_err(|_| expected())
}

/// A rate: a number and `bps`, `kbps`, `Mbps` or `Gbps`, such as `1 Gbps`, in bit/s.
///
/// # Errors
/// What was expected.
pub fn parse_rate_bps(text: &str) -> Result<u64, String> {
    let expected = || format!("\"{text}\" is not a rate such as \"500 Mbps\" or \"1 Gbps\"");
    let (number, unit) = split(text).ok_or_else(expected)?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "bps" => 1.0,
        "kbps" => 1e3,
        "mbps" => 1e6,
        "gbps" => 1e9,
        _ => return Err(expected()),
    };
    let bps: u64 = format!("{:.0}", number * factor)
        .parse()
        .map_err(|_| expected())?;
    if bps == 0 { Err(expected()) } else { Ok(bps) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        let ms = |text: &str| parse_duration(text).map(|d| d.as_micros());
        assert_eq!(ms("200ms"), Ok(200_000));
        assert_eq!(ms("2s"), Ok(2_000_000));
        assert_eq!(ms("1.5 s"), Ok(1_500_000));
        assert_eq!(ms("1m"), Ok(60_000_000));
        assert_eq!(ms("10us"), Ok(10));
        for bad in ["", "2", "s", "2x", "-1s", "1.2.3s", "25h"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn loss_is_a_percentage_and_rates_have_units() {
        assert_eq!(parse_loss_ppm("0.1%"), Ok(1000));
        assert_eq!(parse_loss_ppm("100%"), Ok(1_000_000));
        assert!(parse_loss_ppm("0.1").is_err());
        assert!(parse_loss_ppm("101%").is_err());
        assert_eq!(parse_rate_bps("1 Gbps"), Ok(1_000_000_000));
        assert_eq!(parse_rate_bps("500Mbps"), Ok(500_000_000));
        assert!(parse_rate_bps("0 bps").is_err());
        assert!(parse_rate_bps("fast").is_err());
    }
}
