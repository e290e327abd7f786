//! `format`, `formatlist` and `formatdate`.

use bigdecimal::{BigDecimal, RoundingMode, Signed, ToPrimitive};

use super::encoding::json_text;
use super::{Call, CallError, Function, P, Result, pure, string, strings};
use crate::convert::convert;
use crate::refine;
use crate::ty::Type;
use crate::value::{Kind, Marks, Value, number_to_string};

pub(super) const FUNCTIONS: &[Function] = &[
    pure("format", &[P::Str], string, |c| {
        formatted(&c.args[0], &c.args[1..])
    })
    .rest(P::Nullable)
    .raw(),
    pure("formatlist", &[P::Str], strings, formatlist)
        .rest(P::Nullable)
        .raw(),
    pure("formatdate", &[P::Str, P::Str], string, formatdate),
    pure("timeadd", &[P::Str, P::Str], string, timeadd).nullable(),
    pure("timecmp", &[P::Str, P::Str], super::number, |c| {
        let (a, b) = (instant(c, 0)?, instant(c, 1)?);
        Ok(Value::number(match a.0.cmp(&b.0) {
            std::cmp::Ordering::Less => -1_i64,
            std::cmp::Ordering::Equal => 0,
            std::cmp::Ordering::Greater => 1,
        }))
    }),
];

/// Widest field and most digits that a verb may ask for.
const WIDTH_MAX: usize = 4_096;

/// One `%` of a format text.
#[derive(Default)]
struct Verb {
    plus: bool,
    minus: bool,
    space: bool,
    zero: bool,
    sharp: bool,
    width: usize,
    precision: Option<usize>,
}

fn format(text: &str, args: &[Value]) -> Result<String> {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    let mut next = 0;
    let mut highest = 0;
    let mut explicit = false;
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut verb = Verb::default();
        while let Some(flag) = chars.next_if(|c| matches!(c, '+' | '-' | ' ' | '0' | '#')) {
            match flag {
                '+' => verb.plus = true,
                '-' => verb.minus = true,
                ' ' => verb.space = true,
                '0' => verb.zero = true,
                _ => verb.sharp = true,
            }
        }
        let mut digits = || -> Result<Option<usize>> {
            let mut text = String::new();
            while let Some(d) = chars.next_if(char::is_ascii_digit) {
                text.push(d);
            }
            if text.is_empty() {
                return Ok(None);
            }
            let number = text.parse().ok().filter(|n| *n <= WIDTH_MAX);
            number
                .map(Some)
                .ok_or_else(|| CallError::arg(0, "a width or precision is too large"))
        };
        verb.width = digits()?.unwrap_or(0);
        if chars.next_if_eq(&'.').is_some() {
            let mut text = String::new();
            while let Some(d) = chars.next_if(char::is_ascii_digit) {
                text.push(d);
            }
            let number = if text.is_empty() {
                Some(0)
            } else {
                text.parse().ok()
            };
            let number = number.filter(|n| *n <= WIDTH_MAX);
            verb.precision =
                Some(number.ok_or_else(|| CallError::arg(0, "a precision is too large"))?);
        }
        if chars.next_if_eq(&'[').is_some() {
            let mut text = String::new();
            while let Some(d) = chars.next_if(char::is_ascii_digit) {
                text.push(d);
            }
            let index: Option<usize> = text.parse().ok().filter(|i| *i > 0);
            match (index, chars.next()) {
                (Some(index), Some(']')) => next = index - 1,
                _ => {
                    return Err(CallError::arg(
                        0,
                        "an argument index must be a number from 1 in brackets",
                    ));
                }
            }
            explicit = true;
        }
        match chars.next() {
            Some('%') => out.push('%'),
            Some(letter) => {
                let arg = args.get(next).ok_or_else(|| {
                    CallError::arg(
                        0,
                        format!(
                            "not enough arguments for \"%{letter}\": need number {}",
                            next + 1
                        ),
                    )
                })?;
                next += 1;
                highest = highest.max(next);
                let piece = verb
                    .apply(letter, arg)
                    .map_err(|m| CallError::about(next, m))?;
                out.push_str(&piece);
            }
            None => return Err(CallError::arg(0, "the text ends in the middle of a verb")),
        }
        if out.len() > crate::STRING_LEN_MAX {
            return Err("the resulting text is longer than 16 MiB".into());
        }
    }
    if highest < args.len() && !explicit {
        return Err(format!("too many arguments; only {highest} used by the format text").into());
    }
    Ok(out)
}

fn whole(letter: char, number: BigDecimal) -> std::result::Result<BigDecimal, String> {
    if number.is_integer() {
        return Ok(number);
    }
    Err(format!(
        "unsupported value for \"%{letter}\": a whole number is required"
    ))
}

impl Verb {
    fn apply(&self, letter: char, arg: &Value) -> std::result::Result<String, String> {
        let to = |ty: &Type| {
            if arg.is_null() {
                return Err(format!("unsupported value for \"%{letter}\": null"));
            }
            convert(arg, ty).map_err(|e| format!("unsupported value for \"%{letter}\": {e}"))
        };
        let number = || to(&Type::Number).map(|v| v.as_number().cloned().unwrap_or_default());
        let whole = || number().and_then(|n| whole(letter, n));
        let text = match letter {
            'v' if self.sharp => json_text(arg),
            'v' => return Ok(self.pad(&self.default_text(arg), false)),
            't' => {
                let value = to(&Type::Bool)?;
                if value.as_bool() == Some(true) {
                    "true".to_owned()
                } else {
                    "false".to_owned()
                }
            }
            's' | 'q' => {
                let value = to(&Type::String)?;
                let text = value.as_str().unwrap_or_default();
                let text: String = match self.precision {
                    Some(most) => text.chars().take(most).collect(),
                    None => text.to_owned(),
                };
                if letter == 'q' {
                    json_text(&Value::string(text))
                } else {
                    text
                }
            }
            'd' => self.signed(&whole()?, |n| {
                n.with_scale_round(0, RoundingMode::Down)
                    .abs()
                    .to_plain_string()
            }),
            'b' | 'o' | 'x' | 'X' => {
                let base = match letter {
                    'b' => 2,
                    'o' => 8,
                    _ => 16,
                };
                let prefix = match (self.sharp, letter) {
                    (true, 'x') => "0x",
                    (true, 'X') => "0X",
                    (true, 'o') => "0",
                    _ => "",
                };
                self.signed(&whole()?, |n| {
                    let whole = n.with_scale_round(0, RoundingMode::Down).abs();
                    let digits = whole.into_bigint_and_exponent().0.to_str_radix(base);
                    let digits = if letter == 'X' {
                        digits.to_uppercase()
                    } else {
                        digits
                    };
                    format!("{prefix}{digits}")
                })
            }
            'f' | 'F' => {
                let places = i64::try_from(self.precision.unwrap_or(6)).unwrap_or(6);
                self.signed(&number()?, |n| {
                    n.with_scale_round(places, RoundingMode::HalfEven)
                        .abs()
                        .to_plain_string()
                })
            }
            'e' | 'E' | 'g' | 'G' => {
                let value = number()?;
                let float = value
                    .to_f64()
                    .filter(|f| f.is_finite())
                    .ok_or("the number is too large")?;
                let text = if matches!(letter, 'e' | 'E') {
                    exponent(float.abs(), self.precision.unwrap_or(6))
                } else {
                    general(float.abs(), self.precision)
                };
                let text = if letter.is_uppercase() {
                    text.to_uppercase()
                } else {
                    text
                };
                self.signed(&value, |_| text.clone())
            }
            other => return Err(format!("\"%{other}\" is not a verb")),
        };
        let numeric = matches!(
            letter,
            'd' | 'b' | 'o' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E' | 'g' | 'G'
        );
        Ok(self.pad(&text, numeric))
    }

    fn default_text(&self, arg: &Value) -> String {
        match arg.kind() {
            Kind::String(s) => s.to_string(),
            Kind::Number(n) => number_to_string(n),
            _ => json_text(arg),
        }
    }

    fn signed(&self, number: &BigDecimal, magnitude: impl Fn(&BigDecimal) -> String) -> String {
        let text = magnitude(number);
        let zero = text.chars().all(|c| matches!(c, '0' | '.'));
        let sign = if number.is_negative() && !zero {
            "-"
        } else if self.plus {
            "+"
        } else if self.space {
            " "
        } else {
            ""
        };
        format!("{sign}{text}")
    }

    fn pad(&self, text: &str, numeric: bool) -> String {
        let len = text.chars().count();
        let missing = self.width.saturating_sub(len);
        if missing == 0 {
            return text.to_owned();
        }
        if self.minus {
            return format!("{text}{}", " ".repeat(missing));
        }
        if self.zero {
            let (sign, digits) = match text.strip_prefix(['-', '+', ' ']) {
                Some(rest) if numeric => text.split_at(text.len() - rest.len()),
                _ => ("", text),
            };
            return format!("{sign}{}{digits}", "0".repeat(missing));
        }
        format!("{}{text}", " ".repeat(missing))
    }
}

/// `1.500000e+03`: at least two digits of exponent, with its sign.
fn exponent(value: f64, places: usize) -> String {
    let text = format!("{value:.places$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// `%g`: the shorter of plain and exponent notation.
fn general(value: f64, precision: Option<usize>) -> String {
    let magnitude = if value == 0.0 {
        0.0
    } else {
        value.log10().floor()
    };
    let limit = precision.map_or(6.0, |p| {
        f64::from(u32::try_from(p.max(1)).unwrap_or(u32::MAX))
    });
    if magnitude < -4.0 || magnitude >= limit {
        let text = match precision {
            Some(p) => exponent(value, p.max(1) - 1),
            None => {
                let short = format!("{value:e}");
                let (mantissa, exp) = short.split_once('e').unwrap_or((&short, "0"));
                let places = mantissa.split_once('.').map_or(0, |(_, f)| f.len());
                let _ = exp;
                exponent(value, places)
            }
        };
        return text;
    }
    match precision {
        None => format!("{value}"),
        Some(p) => {
            let whole_digits = if magnitude < 0.0 {
                0.0
            } else {
                magnitude + 1.0
            };
            let places = (limit - whole_digits - magnitude.min(-1.0) - 1.0).max(0.0);
            let places = places.to_usize().unwrap_or(p);
            let text = format!("{value:.places$}");
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                text
            }
        }
    }
}

/// Lists go element by element, single values are repeated.
/// A text from its format; before all of it is known, as much as stands before the first verb.
fn formatted(text: &Value, args: &[Value]) -> Result {
    let mut marks = Marks::default();
    for arg in args {
        marks.join(&arg.deep_marks());
    }
    let value = match text.as_str() {
        Some(text) if args.iter().all(Value::is_wholly_known) => Value::string(format(text, args)?),
        Some(text) => {
            let known = text.split('%').next().unwrap_or_default();
            let known = refine::safe_prefix(known);
            Value::unknown(Type::String).refined(refine::beginning(known))
        }
        None => Value::unknown(Type::String),
    };
    Ok(value.with_marks(&marks))
}

fn formatlist(c: &Call<'_>) -> Result {
    let args = &c.args[1..];
    let mut marks = Marks::default();
    for arg in args {
        marks.join(&arg.deep_marks());
    }
    let lens: Vec<usize> = args
        .iter()
        .filter_map(|a| a.as_slice().map(<[Value]>::len))
        .collect();
    let len = match lens.first() {
        None => 1,
        Some(first) if lens.iter().all(|l| l == first) => *first,
        Some(_) => return Err("all lists must have the same length".into()),
    };
    let list = |v: &Value| {
        matches!(
            v.ty(),
            Type::List(_) | Type::Set(_) | Type::Tuple(_) | Type::Dynamic
        )
    };
    let unsure = |a: &Value| matches!(a.kind(), Kind::Set(..)) && !a.is_wholly_known();
    if c.args[0].is_unknown()
        || args
            .iter()
            .any(|a| (a.is_unknown() && list(a)) || unsure(a))
    {
        return Ok(Value::unknown(strings(c.args)).with_marks(&marks));
    }
    let mut out = Vec::with_capacity(len);
    for index in 0..len {
        let row: Vec<Value> = args
            .iter()
            .map(|a| {
                a.as_slice()
                    .map_or_else(|| a.clone(), |items| items[index].clone())
            })
            .collect();
        out.push(formatted(&c.args[0], &row)?.without_marks());
    }
    Ok(Value::list(Type::String, out).with_marks(&marks))
}

/// Seconds since 1970 in UTC, and the offset of the zone it was written in, in seconds.
fn instant(c: &Call<'_>, index: usize) -> Result<(i64, i64)> {
    parse_time(c.str(index)).ok_or_else(|| {
        CallError::arg(
            index,
            "not a valid RFC 3339 timestamp (2006-01-02T15:04:05Z)",
        )
    })
}

/// RFC 3339 §5.6, without fractions of a second.
fn parse_time(text: &str) -> Option<(i64, i64)> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let part = text.get(range)?;
        part.chars()
            .all(|c| c.is_ascii_digit())
            .then(|| part.parse().ok())
            .flatten()
    };
    let mark = |at: usize, c: &str| text.get(at..=at).filter(|m| *m == c);
    mark(4, "-")?;
    mark(7, "-")?;
    mark(10, "T")?;
    mark(13, ":")?;
    mark(16, ":")?;
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !(1..=12).contains(&month)
        || !(1..=days_in(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    let zone = text.get(19..)?;
    let offset = match zone {
        "Z" => 0,
        _ => {
            let sign = match zone.get(..1)? {
                "+" => 1,
                "-" => -1,
                _ => return None,
            };
            mark(22, ":")?;
            if text.len() != 25 {
                return None;
            }
            sign * (number(20..22)? * 3600 + number(23..25)? * 60)
        }
    };
    let seconds = days_from_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some((seconds - offset, offset))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar; years start in March so that the leap day is last.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];

fn zone(offset: i64, colon: bool) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.abs() / 60;
    let dots = if colon { ":" } else { "" };
    format!("{sign}{:02}{dots}{:02}", minutes / 60, minutes % 60)
}

fn formatdate(c: &Call<'_>) -> Result {
    let (utc, offset) = instant(c, 1)?;
    let local = utc + offset;
    let (year, month, day) = civil(local.div_euclid(86_400));
    let second = local.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let weekday = DAYS[usize::try_from(local.div_euclid(86_400).rem_euclid(7)).unwrap_or(0)];
    let month_name = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
    let mut out = String::new();
    let mut chars = c.str(0).chars().peekable();
    while let Some(letter) = chars.next() {
        if letter == '\'' {
            // Quoted text; two quotes are one.
            loop {
                match chars.next() {
                    Some('\'') if chars.next_if_eq(&'\'').is_some() => out.push('\''),
                    Some('\'') => break,
                    Some(other) => out.push(other),
                    None => return Err(CallError::arg(0, "a quote does not end")),
                }
            }
            continue;
        }
        if !letter.is_ascii_alphabetic() {
            out.push(letter);
            continue;
        }
        let mut count = 1;
        while chars.next_if_eq(&letter).is_some() {
            count += 1;
        }
        let twelve = (hour + 11) % 12 + 1;
        out.push_str(&match (letter, count) {
            ('Y', 2) => format!("{:02}", year % 100),
            ('Y', 4) => format!("{year:04}"),
            ('M', 1) => month.to_string(),
            ('M', 2) => format!("{month:02}"),
            ('M', 3) => month_name[..3].to_owned(),
            ('M', 4) => month_name.to_owned(),
            ('D', 1) => day.to_string(),
            ('D', 2) => format!("{day:02}"),
            ('E', 3) => weekday[..3].to_owned(),
            ('E', 4) => weekday.to_owned(),
            ('h', 1) => hour.to_string(),
            ('h', 2) => format!("{hour:02}"),
            ('H', 1) => twelve.to_string(),
            ('H', 2) => format!("{twelve:02}"),
            ('A', 2) => (if hour < 12 { "AM" } else { "PM" }).to_owned(),
            ('a', 2) => (if hour < 12 { "am" } else { "pm" }).to_owned(),
            ('m', 1) => minute.to_string(),
            ('m', 2) => format!("{minute:02}"),
            ('s', 1) => second.to_string(),
            ('s', 2) => format!("{second:02}"),
            ('Z', 1) if offset == 0 => "Z".to_owned(),
            ('Z', 3) if offset == 0 => "UTC".to_owned(),
            ('Z', 4) => zone(offset, false),
            ('Z', 1 | 3 | 5) => zone(offset, true),
            _ => {
                return Err(CallError::arg(
                    0,
                    format!(
                        "\"{}\" is not a date verb",
                        letter.to_string().repeat(count)
                    ),
                ));
            }
        });
    }
    Ok(Value::string(out))
}

fn timeadd(c: &Call<'_>) -> Result {
    let (utc, offset) = instant(c, 0)?;
    let seconds =
        duration(c.str(1)).ok_or_else(|| CallError::arg(1, "not a duration such as \"1h30m\""))?;
    let local = utc + offset + seconds;
    let (year, month, day) = civil(local.div_euclid(86_400));
    let second = local.rem_euclid(86_400);
    let zone = if offset == 0 {
        "Z".to_owned()
    } else {
        zone(offset, true)
    };
    Ok(Value::string(format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}{zone}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )))
}

/// Whole seconds of `-1h30m5s`; parts of a second are cut off.
fn duration(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let value: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let unit_end = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        total += value
            * match &rest[..unit_end] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[unit_end..];
    }
    (sign * total)
        .trunc()
        .to_i64()
        .filter(|s| s.abs() < 100_000_000_000)
}
