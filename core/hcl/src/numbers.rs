//! Decimal numbers with stated limits. Terraform computes with 512-bit binary floats (about 154
//! decimal digits); we keep as many and refuse magnitudes past 10^±5000. A quotient has some digits more,
//! which are rounded away in what is computed of it, so that `10 / 3 * 3` is 10 as there.

use std::str::FromStr;

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, Zero};

/// Decimal digits kept after an operation.
const DIGITS_MAX: u64 = 154;
/// Decimal digits of a quotient.
const QUOTIENT_DIGITS: u64 = 160;
/// Largest magnitude of the decimal exponent.
const EXPONENT_MAX: i64 = 5_000;

/// Reads a number in decimal notation, with or without an exponent.
pub(crate) fn parse(text: &str) -> Option<BigDecimal> {
    let plain = text.strip_prefix(['-', '+']).unwrap_or(text);
    // The syntax is checked here because the decimal crate also takes `_`.
    if text.len() > 10_000
        || !plain.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || !plain
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'))
    {
        return None;
    }
    if let Some((_, exponent)) = plain.split_once(['e', 'E'])
        && !exponent
            .parse::<i64>()
            .is_ok_and(|e| e.abs() <= EXPONENT_MAX)
    {
        return None;
    }
    bounded(BigDecimal::from_str(text).ok()?)
}

/// The number within our digits, or `None` past the largest magnitude.
pub(crate) fn bounded(number: BigDecimal) -> Option<BigDecimal> {
    if number.is_zero() {
        return Some(BigDecimal::zero());
    }
    within(number, DIGITS_MAX)
}

fn within(number: BigDecimal, digits_max: u64) -> Option<BigDecimal> {
    let number = if number.digits() > digits_max {
        number.with_prec(digits_max)
    } else {
        number
    };
    let digits = i64::try_from(number.digits()).ok()?;
    let exponent = digits.checked_sub(number.fractional_digit_count())?;
    (exponent.abs() <= EXPONENT_MAX).then_some(number)
}

/// `a / b`, or `None` when `b` is zero.
pub(crate) fn divide(a: &BigDecimal, b: &BigDecimal) -> Option<BigDecimal> {
    if b.is_zero() {
        return None;
    }
    // Scaled so that the whole part of the quotient has all digits that are kept, and one to round by.
    let (top, top_scale) = a.as_bigint_and_exponent();
    let (bottom, bottom_scale) = b.as_bigint_and_exponent();
    let wanted = QUOTIENT_DIGITS + 2 + b.digits();
    let shift = u32::try_from(wanted.saturating_sub(a.digits())).ok()?;
    let quotient = top * BigInt::from(10).pow(shift) / bottom;
    let scale = top_scale - bottom_scale + i64::from(shift);
    within(BigDecimal::new(quotient, scale), QUOTIENT_DIGITS).map(|n| n.normalized())
}

/// `a % b` with the sign of `a`, or `None` when `b` is zero.
pub(crate) fn modulo(a: &BigDecimal, b: &BigDecimal) -> Option<BigDecimal> {
    if b.is_zero() {
        return None;
    }
    bounded(a % b)
}
