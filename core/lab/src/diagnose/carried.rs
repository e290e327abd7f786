//! Frames sent at one port and seen at the other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use skybridge_base::Instant;
use skybridge_blueprint::Tagging;
use skybridge_diagnose::Carried;
use skybridge_wire::{Tags, ethernet};
use skybridge_world::{CaptureDirection, CaptureTake, Captured};

/// Frames sent so shortly before the end may still be under way.
const UNDER_WAY: Duration = Duration::from_millis(500);

/// A tag stack in words.
pub(super) fn tag_words(tags: Tags) -> String {
    match tags {
        Tags::Untagged => "untagged".to_owned(),
        Tags::One(tag) => format!("C {}", tag.vid),
        Tags::Two(outer, inner) => format!("S {} C {}", outer.vid, inner.vid),
    }
}

/// An interface's tags in the same words.
pub(super) fn tagging_words(tagging: Tagging) -> String {
    match tagging {
        Tagging::Untagged => "untagged".to_owned(),
        Tagging::Dot1q(tag) => format!("C {tag}"),
        Tagging::QinQ { s_tag, c_tag } => format!("S {s_tag} C {c_tag}"),
    }
}

/// What names a frame whatever its tags: stations, type, payload.
pub(super) type Key = (Vec<u8>, u16, Vec<u8>);

fn key(frame: &Captured) -> Option<(Key, String)> {
    let view = ethernet::parse(&frame.bytes).ok()?;
    let payload = frame.bytes.get(view.payload_offset()..)?;
    let stations = frame.bytes.get(..12)?;
    let key = (stations.to_vec(), view.ethertype().0, payload.to_vec());
    Some((key, tag_words(view.tags())))
}

/// The frames that a port sent with these tags.
pub(super) fn sent_with(take: &CaptureTake, tags: &str) -> BTreeSet<Key> {
    (take.frames.iter())
        .filter(|frame| frame.direction == CaptureDirection::Out)
        .filter_map(key)
        .filter(|(_, with)| with == tags)
        .map(|(key, _)| key)
        .collect()
}

/// Until when both captures are whole: a full one has seen nothing after its last frame.
fn whole_until(now: Instant, takes: [&CaptureTake; 2]) -> Instant {
    let ends = takes.into_iter().map(|take| match take.frames.last() {
        Some(last) if take.missed > 0 => last.at,
        Some(_) | None => now,
    });
    ends.min().unwrap_or(now)
}

/// Between which of two captures frames are followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Across {
    /// Sent at one port of a link, received at the other.
    Link,
    /// Received at one port of a switch, sent out of another.
    Device,
}

/// Frames of one direction: of those that are ours, how many passed.
pub(super) fn carried(
    now: Instant,
    across: Across,
    (before, after): (&CaptureTake, &CaptureTake),
    ours: &BTreeSet<Key>,
    big_len: usize,
) -> Carried {
    let (first, second) = match across {
        Across::Link => (CaptureDirection::Out, CaptureDirection::In),
        Across::Device => (CaptureDirection::In, CaptureDirection::Out),
    };
    let until = whole_until(now, [before, after]);
    let mut seen: BTreeMap<Key, Vec<String>> = BTreeMap::new();
    for frame in after.frames.iter().filter(|f| f.direction == second) {
        if let Some((key, tags)) = key(frame) {
            seen.entry(key).or_default().push(tags);
        }
    }
    let mut carried = Carried::default();
    for frame in before.frames.iter().filter(|f| f.direction == first) {
        let Some((key, tags)) = key(frame) else {
            continue;
        };
        if frame.at + UNDER_WAY > until || !ours.contains(&key) {
            continue;
        }
        let is_big = key.2.len() >= big_len;
        carried.sent += 1;
        carried.big_sent += u64::from(is_big);
        note(&mut carried.tags_sent, tags);
        if let Some(tags) = seen.get_mut(&key).and_then(Vec::pop) {
            carried.arrived += 1;
            carried.big_arrived += u64::from(is_big);
            note(&mut carried.tags_arrived, tags);
        }
    }
    carried
}

fn note(known: &mut Vec<String>, tags: String) {
    if !known.contains(&tags) {
        known.push(tags);
    }
}
