//! Numeric functions.

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, RoundingMode, Signed, ToPrimitive, Zero};

use super::{Call, CallError, Function, P, Result, number, pure};
use crate::numbers;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    pure("abs", &[P::Num], number, |c| {
        Ok(Value::number(num(c, 0).abs()))
    }),
    pure("ceil", &[P::Num], number, |c| {
        Ok(round(c, RoundingMode::Ceiling))
    }),
    pure("floor", &[P::Num], number, |c| {
        Ok(round(c, RoundingMode::Floor))
    }),
    pure("log", &[P::Num, P::Num], number, |c| {
        let (value, base) = (float(c, 0)?, float(c, 1)?);
        from_float(value.ln() / base.ln())
    }),
    pure("max", &[P::Num], number, |c| Ok(best(c, |a, b| a > b))).rest(P::Num),
    pure("min", &[P::Num], number, |c| Ok(best(c, |a, b| a < b))).rest(P::Num),
    pure("parseint", &[P::Any, P::Num], number, parseint),
    pure("pow", &[P::Num, P::Num], number, pow),
    pure("signum", &[P::Num], number, |c| {
        let value = num(c, 0);
        c.int(0)?;
        Ok(Value::number(
            i64::from(value.is_positive()) - i64::from(value.is_negative()),
        ))
    }),
];

fn num(c: &Call<'_>, index: usize) -> BigDecimal {
    c.args
        .get(index)
        .and_then(Value::as_number)
        .cloned()
        .unwrap_or_default()
}

fn float(c: &Call<'_>, index: usize) -> Result<f64> {
    let value = num(c, index).to_f64().filter(|f| f.is_finite());
    value.ok_or_else(|| CallError::arg(index, "the number is too large"))
}

fn from_float(value: f64) -> Result {
    // The shortest text that reads back as the same float, as Terraform prints it.
    if !value.is_finite() {
        return Err("the result is not a number".into());
    }
    let number = numbers::parse(&format!("{value}"));
    number
        .map(Value::number)
        .ok_or_else(|| "the result is too large".into())
}

fn round(c: &Call<'_>, mode: RoundingMode) -> Value {
    Value::number(num(c, 0).with_scale_round(0, mode))
}

fn best(c: &Call<'_>, better: fn(&BigDecimal, &BigDecimal) -> bool) -> Value {
    let mut found = num(c, 0);
    for index in 1..c.len() {
        let next = num(c, index);
        if better(&next, &found) {
            found = next;
        }
    }
    Value::number(found)
}

/// Whole powers are exact; others go through floats, as in Terraform.
fn pow(c: &Call<'_>) -> Result {
    let (base, exponent) = (num(c, 0), num(c, 1));
    let whole = exponent.is_integer().then(|| exponent.to_u32()).flatten();
    match whole.filter(|e| *e <= 4096) {
        Some(mut left) => {
            let mut result = BigDecimal::from(1);
            let mut square = base;
            let large = || CallError::from("the result is too large");
            while left > 0 {
                if left & 1 == 1 {
                    result = numbers::bounded(&result * &square).ok_or_else(large)?;
                }
                left >>= 1;
                if left > 0 {
                    square = numbers::bounded(&square * &square).ok_or_else(large)?;
                }
            }
            Ok(Value::number(result))
        }
        None => from_float(float(c, 0)?.powf(float(c, 1)?)),
    }
}

fn parseint(c: &Call<'_>) -> Result {
    let Some(text) = c.args[0].as_str() else {
        return Err(CallError::arg(0, "a string is required"));
    };
    let base = u32::try_from(c.int(1)?)
        .ok()
        .filter(|b| (2..=62).contains(b));
    let base = base.ok_or_else(|| CallError::arg(1, "the base must be between 2 and 62"))?;
    let number = super::strings::parse_int(text, base);
    number.map(Value::number).ok_or_else(|| {
        CallError::arg(
            0,
            format!("cannot parse \"{text}\" as a base {base} integer"),
        )
    })
}

/// The whole part of a number, if it has no other.
pub(super) fn integer(value: &BigDecimal) -> Option<BigInt> {
    if value.is_zero() {
        return Some(BigInt::from(0));
    }
    value
        .is_integer()
        .then(|| value.with_scale(0).into_bigint_and_exponent().0)
}
