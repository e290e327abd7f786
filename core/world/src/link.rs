//! A link between two ports: queue, delay, jitter, loss, and what cuts it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use skybridge_base::{Instant, Rng, VlanId};
use skybridge_blueprint::{Endpoint, Link, LinkName};
use skybridge_nodes::PortIndex;
use skybridge_wire::ethernet::{self, Tags};
use skybridge_wire::{Frame, gso};

use crate::command::{TagFault, TagLevel};
use crate::slot::NodeIndex;

/// A link by number. Numbers are given in order and never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct LinkIndex(pub(crate) u32);

/// Frames under way in one direction of a link; a further one is dropped as [`LinkDrop::QueueFull`].
pub const FRAMES_IN_FLIGHT_MAX: usize = 262_144;

/// A rate-limited link queues at most this much time's worth of frames ...
pub const QUEUE_TIME: Duration = Duration::from_millis(50);

/// ... but never less than this many octets.
pub(crate) const QUEUE_BYTES_MIN: u64 = 150_000;

/// What one frame costs on the wire beside its bytes: preamble and start delimiter (8), FCS (4) and
/// inter-packet gap (12) of IEEE 802.3.
const WIRE_OVERHEAD: u64 = 24;

/// The shortest frame without FCS (IEEE 802.3 §3.2.8 pads to it).
const FRAME_LEN_MIN: u64 = 60;

/// Why a link lost a frame.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LinkDrop {
    /// The link is down and its ends know.
    LinkDown,
    /// A silent or one-way cut swallowed it.
    Cut,
    /// The circuit of its outer tag is cut.
    CircuitCut,
    /// Random loss of the link.
    Loss,
    /// Its IP packet is larger than the link's MTU.
    TooBig,
    /// The queue, or the room for frames under way, was full.
    QueueFull,
    /// The node at the far end does not run.
    NodeStopped,
}

/// What one direction of a link does with frames.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Carriage {
    /// Carries them.
    #[default]
    Carries,
    /// Loses them; nobody is told.
    Swallows,
    /// The link is down at both ends.
    Down,
}

/// A frame under way.
#[derive(Debug)]
struct InFlight {
    at: Instant,
    sequence: u64,
    frame: Frame,
}

/// One direction of a link. Frames leave in the order they came, so only the head is an event.
#[derive(Debug)]
pub(crate) struct Direction {
    rng: Rng,
    /// When the last frame queued has been serialised.
    busy_until: Instant,
    /// When the last frame under way arrives; no later one arrives before it.
    last_arrival: Instant,
    flight: VecDeque<InFlight>,
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
    pub(crate) drops: BTreeMap<LinkDrop, u64>,
    pub(crate) carriage: Carriage,
    pub(crate) cut_circuits: Vec<VlanId>,
}

impl Direction {
    fn new(rng: Rng) -> Self {
        Self {
            rng,
            busy_until: Instant::ZERO,
            last_arrival: Instant::ZERO,
            flight: VecDeque::new(),
            frames: 0,
            bytes: 0,
            drops: BTreeMap::new(),
            carriage: Carriage::Carries,
            cut_circuits: Vec::new(),
        }
    }

    /// The next arrival, with its place in the order of everything.
    pub(crate) fn head(&self) -> Option<(Instant, u64)> {
        self.flight.front().map(|f| (f.at, f.sequence))
    }

    /// Frames under way.
    pub(crate) fn in_flight(&self) -> usize {
        self.flight.len()
    }

    /// Octets that wait for serialisation at `now`.
    pub(crate) fn queued_bytes(&self, now: Instant, rate_bps: Option<u64>) -> u64 {
        rate_bps.map_or(0, |rate| {
            let waiting = self.busy_until.since(now).as_nanos();
            u64::try_from(waiting * u128::from(rate) / 8_000_000_000).unwrap_or(u64::MAX)
        })
    }

    pub(crate) fn count_drop(&mut self, reason: LinkDrop, frames: u64) {
        *self.drops.entry(reason).or_default() += frames;
    }

    /// Loses everything under way.
    pub(crate) fn lose_flight(&mut self, reason: LinkDrop) {
        let lost = self.flight.iter().map(|f| gso::shape(&f.frame).frames);
        let lost = lost.sum();
        if lost > 0 {
            self.count_drop(reason, lost);
        }
        self.flight.clear();
        self.busy_until = Instant::ZERO;
        self.last_arrival = Instant::ZERO;
    }

    /// Moves the frames of the head's instant into `batch`.
    pub(crate) fn take_head(&mut self, batch: &mut Vec<Frame>) {
        let Some(at) = self.flight.front().map(|f| f.at) else {
            return;
        };
        while self.flight.front().is_some_and(|f| f.at == at) {
            batch.extend(self.flight.pop_front().map(|f| f.frame));
        }
    }

    /// What a frame meets at the sending end, whatever the link's pace: cuts, MTU, a provider's mistakes.
    fn admit(
        &self,
        frame: &mut Frame,
        properties: &Link,
        tag_faults: &[TagFault],
    ) -> Result<(), LinkDrop> {
        match self.carriage {
            Carriage::Carries => {}
            Carriage::Swallows => return Err(LinkDrop::Cut),
            Carriage::Down => return Err(LinkDrop::LinkDown),
        }
        // The header is read only where something depends on it: for most frames nothing does.
        let room = usize::from(properties.mtu) + ethernet::HEADER_LEN;
        let is_plain = frame.len() <= room && self.cut_circuits.is_empty() && tag_faults.is_empty();
        if !is_plain && let Ok(tags) = ethernet::parse(frame.bytes()).map(|view| view.tags()) {
            let outer = tags.outer().and_then(ethernet::Tag::vlan);
            if outer.is_some_and(|tag| self.cut_circuits.contains(&tag)) {
                return Err(LinkDrop::CircuitCut);
            }
            let header_len = ethernet::header_len(tags);
            if ip_len(frame, header_len) > usize::from(properties.mtu) {
                return Err(LinkDrop::TooBig);
            }
            for fault in tag_faults {
                let faulty = fault.applied(tags);
                // The frame was parsed above, so writing its tags again cannot fail.
                if faulty != tags && ethernet::retag(frame, faulty).is_err() {
                    return Err(LinkDrop::Cut);
                }
            }
        }
        Ok(())
    }

    /// Takes a frame at the sending end. True when it became the head.
    fn offer(
        &mut self,
        now: Instant,
        sequence: u64,
        mut frame: Frame,
        properties: &Link,
        tag_faults: &[TagFault],
    ) -> Result<bool, LinkDrop> {
        self.admit(&mut frame, properties, tag_faults)?;
        // A draw per frame only where loss is declared: adding a link's loss shifts nothing else.
        if properties.loss_ppm > 0 && self.rng.chance_ppm(properties.loss_ppm) {
            return Err(LinkDrop::Loss);
        }
        if self.flight.len() >= FRAMES_IN_FLIGHT_MAX {
            return Err(LinkDrop::QueueFull);
        }
        let departure = self.serialise(now, frame.len() as u64, properties.rate_bps)?;
        let jitter = nanos(properties.jitter);
        let jitter = if jitter == 0 {
            0
        } else {
            self.rng.below(jitter.saturating_add(1))
        };
        let arrival =
            departure + properties.delay.unwrap_or(Duration::ZERO) + Duration::from_nanos(jitter);
        let at = arrival.max(self.last_arrival);
        self.last_arrival = at;
        let first = self.flight.is_empty();
        self.flight.push_back(InFlight {
            at,
            sequence,
            frame,
        });
        Ok(first)
    }

    /// When the last bit of a frame of `len` octets leaves.
    fn serialise(
        &mut self,
        now: Instant,
        len: u64,
        rate_bps: Option<u64>,
    ) -> Result<Instant, LinkDrop> {
        let Some(rate) = rate_bps else {
            return Ok(now);
        };
        let rate = rate.max(1);
        let wire_len = len.max(FRAME_LEN_MIN) + WIRE_OVERHEAD;
        let room = (u128::from(rate) * QUEUE_TIME.as_nanos() / 8_000_000_000)
            .max(u128::from(QUEUE_BYTES_MIN));
        let queued = self.queued_bytes(now, rate_bps);
        if u128::from(queued) + u128::from(wire_len) > room {
            return Err(LinkDrop::QueueFull);
        }
        let took = u128::from(wire_len) * 8_000_000_000 / u128::from(rate);
        let took = Duration::from_nanos(u64::try_from(took).unwrap_or(u64::MAX));
        self.busy_until = self.busy_until.max(now) + took;
        Ok(self.busy_until)
    }
}

/// The length of the largest IP packet that `frame` stands for: of one segment when it is a
/// super-frame.
fn ip_len(frame: &Frame, header_len: usize) -> usize {
    let len = frame.len().saturating_sub(header_len);
    if frame.meta.gso_size == 0 {
        return len;
    }
    let Some(packet) = frame.bytes().get(header_len..) else {
        return len;
    };
    let byte = |at: usize| packet.get(at).copied().map_or(0, usize::from);
    let (ip_header_len, protocol) = match byte(0) >> 4 {
        4 => ((byte(0) & 0x0f) * 4, byte(9)),
        // Super-frames carry no extension headers: the offload refuses them.
        6 => (40, byte(6)),
        _ => return len,
    };
    let transport_header_len = match protocol {
        6 => (byte(ip_header_len + 12) >> 4) * 4,
        _ => 8,
    };
    len.min(ip_header_len + transport_header_len + usize::from(frame.meta.gso_size))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl TagFault {
    /// The tags that come out where `tags` went in.
    fn applied(&self, tags: Tags) -> Tags {
        let swap = |tag: ethernet::Tag| {
            if tag.vid == self.from.as_u16() {
                ethernet::Tag {
                    vid: self.to.as_u16(),
                    ..tag
                }
            } else {
                tag
            }
        };
        match (tags, self.level) {
            (Tags::Untagged, _) => tags,
            (Tags::One(tag), TagLevel::Outer) => Tags::One(swap(tag)),
            (Tags::One(tag), TagLevel::Inner) => Tags::One(tag),
            (Tags::Two(outer, inner), TagLevel::Outer) => Tags::Two(swap(outer), inner),
            (Tags::Two(outer, inner), TagLevel::Inner) => Tags::Two(outer, swap(inner)),
        }
    }
}

/// A running link. Direction 0 carries from `a` to `b`, direction 1 from `b` to `a`.
#[derive(Debug)]
pub(crate) struct LinkState {
    pub(crate) name: LinkName,
    pub(crate) properties: Link,
    pub(crate) ends: [(NodeIndex, PortIndex); 2],
    /// Whether each end's node has been told that the link is up.
    pub(crate) seen_up: [bool; 2],
    pub(crate) tag_faults: Vec<TagFault>,
    pub(crate) directions: [Direction; 2],
}

impl LinkState {
    pub(crate) fn new(
        name: LinkName,
        properties: Link,
        ends: [(NodeIndex, PortIndex); 2],
        seed: &Rng,
    ) -> Self {
        let rng = seed.child(&format!("link/{name}"));
        Self {
            directions: [
                Direction::new(rng.child("a to b")),
                Direction::new(rng.child("b to a")),
            ],
            name,
            properties,
            ends,
            seen_up: [false; 2],
            tag_faults: Vec::new(),
        }
    }

    /// The named end at which direction `side` starts.
    pub(crate) const fn sender(&self, side: usize) -> &Endpoint {
        if side == 0 {
            &self.properties.a
        } else {
            &self.properties.b
        }
    }

    /// The named end at which direction `side` ends.
    pub(crate) const fn receiver(&self, side: usize) -> &Endpoint {
        self.sender(1 - side)
    }

    /// Whether a frame sent from end `side` is at the other end at once, when nothing is under way.
    pub(crate) fn is_straight(&self, side: usize) -> bool {
        let properties = &self.properties;
        let direction = &self.directions[side];
        properties.delay.is_none_or(|delay| delay.is_zero())
            && !self.looks_closer()
            && direction.carriage == Carriage::Carries
    }

    /// Whether nothing is under way in a direction.
    pub(crate) fn is_clear(&self, side: usize) -> bool {
        self.directions[side].flight.is_empty()
    }

    /// Whether the link tells the segments of a super-frame apart: it loses, paces or spreads frames.
    pub(crate) const fn looks_closer(&self) -> bool {
        let properties = &self.properties;
        properties.rate_bps.is_some() || properties.loss_ppm > 0 || !properties.jitter.is_zero()
    }

    /// Lets a frame onto a link that is straight; the frame then is at the other end.
    pub(crate) fn admit(&self, side: usize, frame: &mut Frame) -> Result<(), LinkDrop> {
        self.directions[side].admit(frame, &self.properties, &self.tag_faults)
    }

    /// Takes a frame sent from end `side`. `Ok(true)` when it is the next to arrive there.
    pub(crate) fn offer(
        &mut self,
        now: Instant,
        side: usize,
        sequence: u64,
        frame: Frame,
    ) -> Result<bool, LinkDrop> {
        let direction = &mut self.directions[side];
        let frames = gso::shape(&frame).frames;
        let offered = direction.offer(now, sequence, frame, &self.properties, &self.tag_faults);
        if let Err(reason) = offered {
            direction.count_drop(reason, frames);
        }
        offered
    }
}
