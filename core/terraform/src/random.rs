//! What the `random` provider would draw: the same each time, and of the form that was asked for, so that it can be
//! an index of a list, part of a name, or a key.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use skybridge_hcl::{Type, Value};

use crate::placeholder::hash;

type Attributes = BTreeMap<String, Value>;

/// The attributes of a type of the provider that follow from its arguments and the name of the instance.
pub(crate) fn drawn(ty: &str, name: &str, config: &Attributes) -> Vec<(&'static str, Value)> {
    let whole = |argument: &str| config.get(argument).and_then(Value::as_i64);
    let mut draw = Draw(hash(name));
    match ty {
        "random_integer" => {
            let (Some(min), Some(max)) = (whole("min"), whole("max")) else {
                return Vec::new();
            };
            let count = u64::try_from(max.saturating_sub(min))
                .unwrap_or(0)
                .saturating_add(1);
            let result = min.saturating_add(i64::try_from(draw.next() % count).unwrap_or(0));
            vec![
                ("result", Value::number(result)),
                ("id", Value::string(result.to_string())),
            ]
        }
        "random_shuffle" => {
            let items = config.get("input").and_then(Value::as_slice);
            let items = items.unwrap_or_default();
            let count = whole("result_count").and_then(|n| usize::try_from(n).ok());
            let count = count.unwrap_or(items.len()).min(MOST);
            let result = items.iter().cycle().take(count).cloned().collect();
            vec![("result", Value::list(Type::String, result))]
        }
        "random_string" | "random_password" => {
            let result = text(&mut draw, config, length(whole("length")));
            let mut out = vec![("result", Value::string(&result))];
            if ty == "random_string" {
                out.push(("id", Value::string(result)));
            }
            out
        }
        "random_pet" => vec![("id", Value::string(pet(&mut draw, config, whole("length"))))],
        "random_uuid" => {
            let hex = hex(&draw.bytes(16));
            let parts = [
                &hex[..8],
                &hex[8..12],
                &hex[12..16],
                &hex[16..20],
                &hex[20..],
            ];
            let uuid = Value::string(parts.join("-"));
            vec![("result", uuid.clone()), ("id", uuid)]
        }
        "random_id" => {
            let bytes = draw.bytes(length(whole("byte_length")));
            let prefix = config.get("prefix").and_then(Value::as_str).unwrap_or("");
            let with = |text: String| Value::string(format!("{prefix}{text}"));
            vec![("hex", with(hex(&bytes))), ("dec", with(decimal(&bytes)))]
        }
        _ => Vec::new(),
    }
}

/// Longest text or list that is drawn.
const MOST: usize = 4096;

fn length(asked: Option<i64>) -> usize {
    asked
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(8)
        .min(MOST)
}

/// SplitMix64, begun with the name.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).unwrap_or(0)
    }
}

/// A text of the kinds of characters that the arguments allow, one of each first.
fn text(draw: &mut Draw, config: &Attributes, len: usize) -> String {
    let allows = |kind: &str| config.get(kind).and_then(Value::as_bool) != Some(false);
    let special = config.get("override_special").and_then(Value::as_str);
    let special = special
        .filter(|s| !s.is_empty())
        .unwrap_or("!@#$%&*()-_=+[]{}<>:?");
    let kinds = [
        ("lower", "abcdefghijklmnopqrstuvwxyz"),
        ("upper", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        ("numeric", "0123456789"),
        ("special", special),
    ];
    let is_numeric = allows("number");
    let kinds: Vec<Vec<char>> = (kinds.iter())
        .filter(|(kind, _)| allows(kind) && (*kind != "numeric" || is_numeric))
        .map(|(_, characters)| characters.chars().collect())
        .collect();
    if kinds.is_empty() {
        return String::new();
    }
    let all: Vec<char> = kinds.concat();
    let mut out = String::new();
    for i in 0..len {
        let from = kinds.get(i).unwrap_or(&all);
        out.push(from[draw.below(from.len())]);
    }
    out
}

const WORDS: [&str; 8] = [
    "amber", "birch", "cedar", "heron", "maple", "otter", "robin", "tern",
];

fn pet(draw: &mut Draw, config: &Attributes, words: Option<i64>) -> String {
    let text = |name: &str| config.get(name).and_then(Value::as_str);
    let count = words
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(2)
        .min(MOST / 8);
    let mut parts: Vec<&str> = text("prefix")
        .filter(|p| !p.is_empty())
        .into_iter()
        .collect();
    for _ in 0..count {
        parts.push(WORDS[draw.below(WORDS.len())]);
    }
    parts.join(text("separator").unwrap_or("-"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a text cannot fail.
        let _infallible = write!(out, "{byte:02x}");
        out
    })
}

/// The number that the octets write, in decimal.
fn decimal(bytes: &[u8]) -> String {
    let mut digits = vec![0_u32];
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            let value = *digit * 256 + carry;
            *digit = value % 10;
            carry = value / 10;
        }
        while carry > 0 {
            digits.push(carry % 10);
            carry /= 10;
        }
    }
    digits
        .iter()
        .rev()
        .map(|d| char::from_digit(*d, 10).unwrap_or('0'))
        .collect()
}
