//! Small values that every layer of BGP names: families, communities, AS paths.

use std::fmt;

use skybridge_base::Asn;

/// An address family with SAFI unicast: the two that this crate carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// IPv4 unicast: AFI 1, SAFI 1.
    V4,
    /// IPv6 unicast: AFI 2, SAFI 1.
    V6,
}

impl Family {
    /// Both, in the order used for output.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family of AFI and SAFI (RFC 4760 §3), when carried here.
    #[must_use]
    pub const fn from_wire(afi: u16, safi: u8) -> Option<Self> {
        match (afi, safi) {
            (1, 1) => Some(Self::V4),
            (2, 1) => Some(Self::V6),
            _ => None,
        }
    }

    /// The address family identifier; the SAFI is 1.
    #[must_use]
    pub const fn afi(self) -> u16 {
        match self {
            Self::V4 => 1,
            Self::V6 => 2,
        }
    }

    /// The family of a prefix.
    #[must_use]
    pub const fn of(net: &ipnet::IpNet) -> Self {
        match net {
            ipnet::IpNet::V4(_) => Self::V4,
            ipnet::IpNet::V6(_) => Self::V6,
        }
    }

    /// Longest prefix length: 32 or 128.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::V4 => 0,
            Self::V6 => 1,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        })
    }
}

/// A set of families.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Families {
    /// IPv4 unicast.
    pub v4: bool,
    /// IPv6 unicast.
    pub v6: bool,
}

impl Families {
    /// IPv4 unicast only.
    pub const V4: Self = Self {
        v4: true,
        v6: false,
    };
    /// IPv6 unicast only.
    pub const V6: Self = Self {
        v4: false,
        v6: true,
    };
    /// Both.
    pub const BOTH: Self = Self { v4: true, v6: true };

    /// True when `family` is in the set.
    #[must_use]
    pub const fn contains(self, family: Family) -> bool {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }

    /// What both sets hold.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            v4: self.v4 && other.v4,
            v6: self.v6 && other.v6,
        }
    }

    /// True when no family is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        !self.v4 && !self.v6
    }

    /// The members in order.
    pub fn iter(self) -> impl Iterator<Item = Family> {
        Family::ALL.into_iter().filter(move |f| self.contains(*f))
    }
}

/// ORIGIN (RFC 4271 §5.1.1); lower is preferred.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Origin {
    /// Learned from the interior of the originating AS.
    #[default]
    Igp,
    /// Learned by EGP.
    Egp,
    /// Learned otherwise.
    Incomplete,
}

/// A community of RFC 1997; displayed as `12076:51004`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Community(pub u32);

impl Community {
    /// Must not leave the AS (RFC 1997).
    pub const NO_EXPORT: Self = Self(0xffff_ff01);
    /// Must not be advertised to anyone (RFC 1997).
    pub const NO_ADVERTISE: Self = Self(0xffff_ff02);
    /// Must not be advertised to external peers (RFC 1997).
    pub const NO_EXPORT_SUBCONFED: Self = Self(0xffff_ff03);

    /// From the two halves of its usual notation.
    #[must_use]
    pub const fn new(high: u16, low: u16) -> Self {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Self(u32::from_be_bytes([a, b, c, d]))
    }
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0 >> 16, self.0 & 0xffff)
    }
}

/// A large community (RFC 8092 §3); displayed as `64496:4294967295:2`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LargeCommunity {
    /// Global administrator, an AS number.
    pub global: u32,
    /// First local part.
    pub local1: u32,
    /// Second local part.
    pub local2: u32,
}

impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.global, self.local1, self.local2)
    }
}

/// How the numbers of a segment are to be read (RFC 4271 §4.3 b).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SegmentKind {
    /// AS_SET: unordered.
    Set,
    /// AS_SEQUENCE: ordered, nearest first.
    Sequence,
}

/// One segment of an AS path; 1 to 255 numbers on the wire (longer ones are split).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Segment {
    /// Ordered or not.
    pub kind: SegmentKind,
    /// The AS numbers, nearest first.
    pub asns: Vec<Asn>,
}

/// An AS path; displayed as `65010 12076 {64512 64513}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct AsPath {
    /// The segments, nearest first.
    pub segments: Vec<Segment>,
}

impl AsPath {
    /// A path of one sequence; empty for no numbers.
    #[must_use]
    pub fn sequence(asns: &[Asn]) -> Self {
        if asns.is_empty() {
            return Self::default();
        }
        Self {
            segments: vec![Segment {
                kind: SegmentKind::Sequence,
                asns: asns.to_vec(),
            }],
        }
    }

    /// Length for the decision: a set counts as 1 (RFC 4271 §9.1.2.2 a).
    #[must_use]
    pub fn len(&self) -> usize {
        self.segments
            .iter()
            .map(|s| match s.kind {
                SegmentKind::Set => 1,
                SegmentKind::Sequence => s.asns.len(),
            })
            .sum()
    }

    /// True for a route that originates in our own AS.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The neighbouring AS (RFC 4271 §9.1.2.2 c), when the path starts with a sequence.
    #[must_use]
    pub fn first(&self) -> Option<Asn> {
        let first = self.segments.first()?;
        match first.kind {
            SegmentKind::Sequence => first.asns.first().copied(),
            SegmentKind::Set => None,
        }
    }

    /// True when `asn` occurs anywhere.
    #[must_use]
    pub fn contains(&self, asn: Asn) -> bool {
        self.iter().any(|a| a == asn)
    }

    /// Every number, nearest first, sets included.
    pub fn iter(&self) -> impl Iterator<Item = Asn> + '_ {
        self.segments.iter().flat_map(|s| s.asns.iter().copied())
    }

    /// Puts `asn` in front `times` times (RFC 4271 §5.1.2 b).
    pub fn prepend(&mut self, asn: Asn, times: usize) {
        if times == 0 {
            return;
        }
        let leading = self
            .segments
            .first_mut()
            .filter(|s| s.kind == SegmentKind::Sequence);
        if let Some(segment) = leading {
            segment.asns.splice(0..0, std::iter::repeat_n(asn, times));
        } else {
            self.segments.insert(
                0,
                Segment {
                    kind: SegmentKind::Sequence,
                    asns: vec![asn; times],
                },
            );
        }
    }

    /// Drops the private numbers of RFC 6996; empty segments go too.
    pub fn remove_private(&mut self) {
        for segment in &mut self.segments {
            segment.asns.retain(|a| !a.is_private());
        }
        self.segments.retain(|s| !s.asns.is_empty());
    }

    /// Joins a path of a 2-octet speaker with its AS4_PATH (RFC 6793 §4.2.3): the leading numbers of
    /// `self` that `as4` does not cover, then `as4`. An AS4_PATH longer than the path is ignored.
    #[must_use]
    pub fn merge_as4(self, as4: &Self) -> Self {
        let Some(mut keep) = self.len().checked_sub(as4.len()) else {
            return self;
        };
        let mut segments: Vec<Segment> = Vec::new();
        for mut segment in self.segments {
            if keep == 0 {
                break;
            }
            match segment.kind {
                SegmentKind::Set => keep -= 1,
                SegmentKind::Sequence => {
                    segment.asns.truncate(keep);
                    keep -= segment.asns.len();
                }
            }
            segments.push(segment);
        }
        for segment in &as4.segments {
            match segments.last_mut() {
                Some(last)
                    if last.kind == SegmentKind::Sequence
                        && segment.kind == SegmentKind::Sequence =>
                {
                    last.asns.extend_from_slice(&segment.asns);
                }
                Some(_) | None => segments.push(segment.clone()),
            }
        }
        Self { segments }
    }
}

impl fmt::Display for AsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        for segment in &self.segments {
            f.write_str(gap)?;
            let set = segment.kind == SegmentKind::Set;
            if set {
                f.write_str("{")?;
            }
            for (i, asn) in segment.asns.iter().enumerate() {
                if i > 0 {
                    f.write_str(" ")?;
                }
                write!(f, "{asn}")?;
            }
            if set {
                f.write_str("}")?;
            }
            gap = " ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(asns: &[u32]) -> AsPath {
        AsPath::sequence(&asns.iter().copied().map(Asn).collect::<Vec<_>>())
    }

    #[test]
    fn a_set_counts_as_one_and_is_shown_in_braces() {
        let mut p = path(&[65010, 12076]);
        p.segments.push(Segment {
            kind: SegmentKind::Set,
            asns: vec![Asn(1), Asn(2)],
        });
        assert_eq!(p.len(), 3);
        assert_eq!(p.to_string(), "65010 12076 {1 2}");
        assert_eq!(p.first(), Some(Asn(65010)));
    }

    #[test]
    fn merging_takes_the_leading_part_from_the_two_octet_path() {
        let merged = path(&[100, 23456, 23456]).merge_as4(&path(&[70000, 70001]));
        assert_eq!(merged, path(&[100, 70000, 70001]));
    }

    #[test]
    fn an_as4_path_longer_than_the_path_is_ignored() {
        let merged = path(&[100]).merge_as4(&path(&[70000, 70001]));
        assert_eq!(merged, path(&[100]));
    }

    #[test]
    fn private_numbers_are_removed_and_empty_segments_with_them() {
        let mut p = path(&[64512, 4_200_000_000]);
        p.remove_private();
        assert!(p.segments.is_empty());
    }

    #[test]
    fn prepending_before_a_set_makes_a_new_sequence() {
        let mut p = AsPath {
            segments: vec![Segment {
                kind: SegmentKind::Set,
                asns: vec![Asn(1)],
            }],
        };
        p.prepend(Asn(9), 2);
        assert_eq!(p.to_string(), "9 9 {1}");
    }
}
