//! Putting IPv4 fragments together again (RFC 791 §3.2, RFC 815).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use skybridge_base::Instant;
use skybridge_wire::ipv4::{Ipv4Repr, Ipv4View};

/// Packets being put together at once; beyond it the oldest is given up.
const PACKETS_MAX: usize = 16;
/// Fragments of one packet.
const FRAGMENTS_MAX: usize = 64;
/// How long a packet may stay incomplete (RFC 1122 §3.3.2: 60 to 120 seconds; Linux: 30).
const LIFETIME: Duration = Duration::from_secs(30);

/// RFC 791 §3.2: what the fragments of one packet share.
type Key = (Ipv4Addr, Ipv4Addr, u8, u16);

#[derive(Debug)]
struct Partial {
    since: Instant,
    first: Option<Ipv4Repr>,
    total: Option<usize>,
    pieces: BTreeMap<usize, Vec<u8>>,
    trace: u32,
}

#[derive(Debug, Default)]
pub(super) struct Reassembly {
    packets: BTreeMap<Key, Partial>,
}

impl Reassembly {
    /// Takes a fragment; gives the whole packet and its trace when it was the last one missing.
    /// Fragments that overlap others end the packet, as attacks do and routers do not (RFC 5722's
    /// reasoning, which Linux applies to IPv4 too).
    pub(super) fn add(
        &mut self,
        now: Instant,
        view: &Ipv4View<'_>,
        trace: u32,
    ) -> Option<(Vec<u8>, u32)> {
        self.packets
            .retain(|_, partial| now.since(partial.since) < LIFETIME);
        let key = (
            view.src(),
            view.dst(),
            view.protocol(),
            view.identification(),
        );
        if !self.packets.contains_key(&key) && self.packets.len() >= PACKETS_MAX {
            let oldest = self.packets.iter().min_by_key(|(_, partial)| partial.since);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.packets.remove(&oldest);
            }
        }
        let partial = self.packets.entry(key).or_insert_with(|| Partial {
            since: now,
            first: None,
            total: None,
            pieces: BTreeMap::new(),
            trace: 0,
        });
        partial.trace = partial.trace.max(trace);
        let offset = usize::from(view.fragment_offset());
        let end = offset + view.payload().len();
        if offset == 0 {
            partial.first = Some(view.repr());
        }
        if !view.more_fragments() {
            partial.total = Some(end);
        }
        let before = partial.pieces.range(..end).next_back();
        let overlaps = before.is_some_and(|(at, piece)| at + piece.len() > offset);
        if overlaps || partial.pieces.len() >= FRAGMENTS_MAX || end > usize::from(u16::MAX) {
            self.packets.remove(&key);
            return None;
        }
        partial.pieces.insert(offset, view.payload().to_vec());
        let whole = partial.whole()?;
        let trace = partial.trace;
        self.packets.remove(&key);
        Some((whole, trace))
    }
}

impl Partial {
    fn whole(&self) -> Option<Vec<u8>> {
        let (first, total) = (self.first?, self.total?);
        let have: usize = self.pieces.values().map(Vec::len).sum();
        // Pieces do not overlap, so equal length means no hole, unless something lies beyond.
        let last = self.pieces.last_key_value()?;
        if have != total || last.0 + last.1.len() != total {
            return None;
        }
        let repr = Ipv4Repr {
            more_fragments: false,
            fragment_offset: 0,
            payload_len: total,
            ..first
        };
        let mut packet = Vec::with_capacity(total + 20);
        repr.emit(&mut packet);
        for piece in self.pieces.values() {
            packet.extend_from_slice(piece);
        }
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skybridge_wire::ipv4;

    fn fragments() -> (Vec<u8>, Vec<Vec<u8>>) {
        let payload: Vec<u8> = (0..=255).cycle().take(3000).collect();
        let repr = Ipv4Repr {
            dont_fragment: false,
            identification: 7,
            ..Ipv4Repr::new(
                Ipv4Addr::new(10, 0, 0, 1),
                Ipv4Addr::new(10, 0, 0, 2),
                17,
                payload.len(),
            )
        };
        let mut packet = Vec::new();
        repr.emit(&mut packet);
        packet.extend_from_slice(&payload);
        let fragments = ipv4::fragment(&ipv4::parse(&packet).unwrap(), 576);
        (packet, fragments)
    }

    fn add(to: &mut Reassembly, now: Instant, fragment: &[u8]) -> Option<(Vec<u8>, u32)> {
        to.add(now, &ipv4::parse(fragment).unwrap(), 9)
    }

    #[test]
    fn fragments_in_any_order_become_the_packet_again() {
        let (packet, mut fragments) = fragments();
        fragments.reverse();
        fragments.swap(0, 2);
        let mut reassembly = Reassembly::default();
        let last = fragments.pop().unwrap();
        for fragment in &fragments {
            assert_eq!(add(&mut reassembly, Instant::ZERO, fragment), None);
        }
        let whole = add(&mut reassembly, Instant::ZERO, &last);
        assert_eq!(whole, Some((packet, 9)));
    }

    #[test]
    fn overlaps_and_late_fragments_yield_nothing() {
        let (_, fragments) = fragments();
        let mut reassembly = Reassembly::default();
        add(&mut reassembly, Instant::ZERO, &fragments[0]);
        add(&mut reassembly, Instant::ZERO, &fragments[0]);
        assert!(reassembly.packets.is_empty());
        let mut now = Instant::ZERO;
        for fragment in &fragments {
            assert_eq!(add(&mut reassembly, now, fragment), None);
            now += Duration::from_secs(20);
        }
    }

    #[test]
    fn the_oldest_packet_is_given_up_at_the_limit() {
        let (_, fragments) = fragments();
        let mut reassembly = Reassembly::default();
        for i in 0..40_u64 {
            let mut fragment = fragments[0].clone();
            fragment[5] = u8::try_from(i).unwrap();
            add(&mut reassembly, Instant::from_nanos(i), &fragment);
        }
        assert_eq!(reassembly.packets.len(), PACKETS_MAX);
    }
}
