//! Documents of a capture: what it is of, its frames in portions, and how it ended.

use serde::{Deserialize, Serialize};

/// A capture has begun.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CaptureStart {
    /// The link, or `NODE/PORT`.
    pub point: String,
    /// What the directions mean, and what is not seen.
    pub description: String,
    /// Wall time of the lab's beginning in nanoseconds since 1970, less what its clock has slipped:
    /// add it to the frames' times.
    pub epoch_ns: u64,
    /// When it began, nanoseconds since the lab began.
    pub at_ns: u64,
}

/// Frames, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CapturePortion {
    /// The frames.
    pub frames: Vec<FrameRow>,
    /// Frames not kept since the last portion, because nobody took them in time.
    pub missed: u64,
}

/// A captured frame.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FrameRow {
    /// When, nanoseconds since the lab began.
    pub at_ns: u64,
    /// Which way.
    pub direction: Direction,
    /// The frame as on the wire, tags included, without FCS; in hexadecimal.
    #[serde(with = "hexadecimal")]
    pub bytes: Vec<u8>,
}

/// Which way a frame went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Over the link, from its first end to its second.
    AToB,
    /// Over the link, the other way.
    BToA,
    /// Into the port's node.
    In,
    /// Out of the port's node.
    Out,
}

/// A capture has ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CaptureEnd {
    /// Why: `count`, `duration`.
    pub reason: String,
    /// Frames handed over.
    pub frames: u64,
    /// Frames that passed and were not kept.
    pub missed: u64,
}

mod hexadecimal {
    use std::borrow::Cow;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    const DIGITS: &[u8; 16] = b"0123456789abcdef";

    #[allow(clippy::ptr_arg, reason = "serde hands over a reference to the field")]
    pub(super) fn serialize<S: Serializer>(bytes: &Vec<u8>, to: S) -> Result<S::Ok, S::Error> {
        let digit = |octet: u8| char::from(DIGITS[usize::from(octet & 0xf)]);
        let text: String = (bytes.iter())
            .flat_map(|octet| [digit(octet >> 4), digit(*octet)])
            .collect();
        to.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = Cow::<'de, str>::deserialize(from)?;
        let mut digits = text.bytes().map(|digit| char::from(digit).to_digit(16));
        let mut bytes = Vec::with_capacity(text.len() / 2);
        while let Some(high) = digits.next() {
            let octet = match (high, digits.next().flatten()) {
                (Some(high), Some(low)) => u8::try_from(high << 4 | low).ok(),
                _ => None,
            };
            bytes.push(octet.ok_or_else(|| D::Error::custom("not hexadecimal"))?);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_written_in_hexadecimal_and_read_back() {
        let row = FrameRow {
            at_ns: 7,
            direction: Direction::AToB,
            bytes: (0..=255).collect(),
        };
        let text = serde_json::to_string(&row).unwrap();
        assert!(
            text.contains(r#""direction":"a-to-b","bytes":"000102"#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<FrameRow>(&text).unwrap(), row);
        for bad in ["0", "0g", "é1"] {
            let text = format!(r#"{{"at_ns":1,"direction":"in","bytes":"{bad}"}}"#);
            assert!(serde_json::from_str::<FrameRow>(&text).is_err(), "{bad}");
        }
    }
}
