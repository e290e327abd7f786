//! Flow state of a filtered interface: replies to what a stateful rule allowed pass unasked.

use std::net::IpAddr;
use std::time::Duration;

use skybridge_base::{Instant, Table};
use skybridge_wire::protocol::{ICMP, ICMPV6, TCP, UDP};
use skybridge_wire::tcp::TcpFlags;
use skybridge_wire::{FiveTuple, PacketInfo};

const ICMP_ECHO: u8 = 8;
const ICMP_ECHO_REPLY: u8 = 0;
const ICMPV6_ECHO: u8 = 128;
const ICMPV6_ECHO_REPLY: u8 = 129;

/// Flows of one interface card: Azure's "Azure Virtual Machine network limits" page states 500,000
/// concurrent flows.
pub const FLOWS_MAX: usize = 500_000;

/// Slots examined for expired flows at each opening; two would outrun any growth.
const SWEEP_PER_OPENING: usize = 4;

/// How long a flow without packets is remembered.
///
/// The defaults are OCI's, "Security Rules", connection tracking: TCP established one day, setup
/// 60 s, closing 120 s; UDP 180 s once both sides have sent, 30 s before; ICMP 15 s; others 5 min.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowTimeouts {
    /// TCP before the answer to the first segment.
    pub tcp_setup: Duration,
    /// TCP after it.
    pub tcp_established: Duration,
    /// TCP after a FIN or RST.
    pub tcp_closing: Duration,
    /// UDP before the first answer.
    pub udp_one_way: Duration,
    /// UDP after it.
    pub udp_both_ways: Duration,
    /// ICMP echo.
    pub icmp: Duration,
    /// Everything else.
    pub other: Duration,
}

impl Default for FlowTimeouts {
    fn default() -> Self {
        Self {
            tcp_setup: Duration::from_secs(60),
            tcp_established: Duration::from_secs(86_400),
            tcp_closing: Duration::from_secs(120),
            udp_one_way: Duration::from_secs(30),
            udp_both_ways: Duration::from_secs(180),
            icmp: Duration::from_secs(15),
            other: Duration::from_secs(300),
        }
    }
}

/// Which way a packet crosses the interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Into the router.
    In,
    /// Out of the router.
    Out,
}

impl Direction {
    const fn other(self) -> Self {
        match self {
            Self::In => Self::Out,
            Self::Out => Self::In,
        }
    }
}

/// What came of opening a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opened {
    /// It is remembered (or needs no memory, as for a fragment without its transport header).
    Yes,
    /// The table is full; the packet must not pass.
    Full,
}

/// Addresses and ports with the lower end first, so that both directions have one key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Key {
    low: (IpAddr, u16),
    high: (IpAddr, u16),
    protocol: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Only the opener has sent.
    OneWay,
    /// The other side has answered.
    BothWays,
    /// TCP: one side has said FIN or RST.
    Closing,
}

/// A flow that a packet belongs to, to find it again without looking it up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowRef {
    place: u32,
    number: u64,
    from_opener: bool,
}

#[derive(Clone, Copy, Debug)]
struct Flow {
    key: Key,
    /// Distinguishes it from every other that was in its place.
    number: u64,
    /// True when the opener is the `low` end.
    opener_is_low: bool,
    /// How the opener's packets cross the interface.
    direction: Direction,
    stage: Stage,
    used: Instant,
}

/// The flows of one interface. An entry that is older than its timeout counts as gone; its memory is
/// taken back by a sweep that examines a few slots at every opening. Rules are asked only for the
/// first packet: a flow outlives the rule that allowed it (Azure, "Network security groups").
#[derive(Clone, Debug)]
pub struct FlowTable {
    places: Table<Key, u32>,
    slots: Vec<Option<Flow>>,
    free: Vec<u32>,
    cursor: usize,
    opened: u64,
    timeouts: FlowTimeouts,
    flows_max: usize,
}

impl FlowTable {
    /// A table for at most `flows_max` flows; memory grows with use.
    #[must_use]
    pub fn new(flows_max: usize, timeouts: FlowTimeouts, seed: u64) -> Self {
        Self {
            places: Table::new(flows_max, seed),
            slots: Vec::new(),
            free: Vec::new(),
            cursor: 0,
            opened: 0,
            timeouts,
            flows_max,
        }
    }

    /// True when the packet belongs to a flow (sent by its opener in its direction, or a reply in the
    /// other one); the flow is then used.
    pub fn pass(&mut self, now: Instant, direction: Direction, packet: &PacketInfo) -> bool {
        self.admit(now, direction, packet).is_some()
    }

    /// As [`FlowTable::pass`], and says which flow it is.
    pub fn admit(
        &mut self,
        now: Instant,
        direction: Direction,
        packet: &PacketInfo,
    ) -> Option<FlowRef> {
        let found = self.find(now, direction, packet)?;
        self.touch(now, found, packet);
        Some(found)
    }

    /// The flow that the packet belongs to; as [`FlowTable::admit`], but the flow is not used.
    #[must_use]
    pub fn find(&self, now: Instant, direction: Direction, packet: &PacketInfo) -> Option<FlowRef> {
        let (key, src_is_low) = key(packet)?;
        let place = self.places.get(&key).copied()?;
        let flow = self.live(now, place)?;
        let from_opener = src_is_low == flow.opener_is_low;
        let expected = if from_opener {
            flow.direction
        } else {
            flow.direction.other()
        };
        let fits = direction == expected && echo_fits(packet, from_opener);
        fits.then_some(FlowRef {
            place,
            number: flow.number,
            from_opener,
        })
    }

    /// Whether a flow found earlier is still there, and not older than its timeout.
    #[must_use]
    pub fn is_live(&self, now: Instant, found: FlowRef) -> bool {
        self.live(now, found.place)
            .is_some_and(|flow| flow.number == found.number)
    }

    /// Uses a flow that is live for a further packet of the same tuple and direction.
    pub fn touch(&mut self, now: Instant, found: FlowRef, packet: &PacketInfo) {
        if let Some(Some(flow)) = slot_mut(&mut self.slots, found.place) {
            flow.used = now;
            flow.stage = next_stage(flow.stage, packet, found.from_opener);
        }
    }

    /// Whether the other side has answered, or the flow is closing.
    #[must_use]
    pub fn is_answered(&self, found: FlowRef) -> bool {
        let slot = usize::try_from(found.place)
            .ok()
            .and_then(|at| self.slots.get(at));
        slot.is_some_and(|flow| flow.is_some_and(|flow| flow.stage != Stage::OneWay))
    }

    /// True when a packet that an ICMP error quotes belongs to a flow. `quoted` is the quoted packet
    /// as it was sent, `direction` the way of the error: the quoted packet went the other way.
    #[must_use]
    pub fn is_related(&self, now: Instant, direction: Direction, quoted: &FiveTuple) -> bool {
        let (key, src_is_low) = normalise(quoted);
        let place = self.places.get(&key).copied();
        place
            .and_then(|place| self.live(now, place))
            .is_some_and(|flow| {
                let sent = if src_is_low == flow.opener_is_low {
                    flow.direction
                } else {
                    flow.direction.other()
                };
                sent == direction.other()
            })
    }

    /// Remembers a packet that a stateful rule allowed.
    pub fn open(&mut self, now: Instant, direction: Direction, packet: &PacketInfo) -> Opened {
        let Some((key, src_is_low)) = key(packet) else {
            return Opened::Yes;
        };
        self.sweep(now, SWEEP_PER_OPENING);
        self.opened = self.opened.wrapping_add(1);
        let flow = Flow {
            key,
            number: self.opened,
            opener_is_low: src_is_low,
            direction,
            stage: next_stage(Stage::OneWay, packet, true),
            used: now,
        };
        if let Some(place) = self.places.get(&key).copied() {
            // An expired flow, or one opened from the other side: the new opener counts.
            if let Some(slot) = slot_mut(&mut self.slots, place) {
                *slot = Some(flow);
            }
            return Opened::Yes;
        }
        if self.places.len() >= self.flows_max {
            return Opened::Full;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len().saturating_sub(1)).unwrap_or(u32::MAX)
        });
        if self.places.insert(key, place).is_err() {
            self.free.push(place);
            return Opened::Full;
        }
        if let Some(slot) = slot_mut(&mut self.slots, place) {
            *slot = Some(flow);
        }
        Opened::Yes
    }

    /// Takes back the memory of expired flows among the next `slots_max` slots.
    pub fn sweep(&mut self, now: Instant, slots_max: usize) {
        for _ in 0..slots_max.min(self.slots.len()) {
            if self.cursor >= self.slots.len() {
                self.cursor = 0;
            }
            let at = self.cursor;
            self.cursor = self.cursor.saturating_add(1);
            let Some(slot) = self.slots.get_mut(at) else {
                return;
            };
            let Some(flow) = slot else { continue };
            if now.since(flow.used) > timeout(&self.timeouts, flow) {
                let key = flow.key;
                *slot = None;
                self.places.remove(&key);
                self.free.push(u32::try_from(at).unwrap_or(u32::MAX));
            }
        }
    }

    /// Flows held, expired ones included until they are swept.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.places.len()
    }

    /// True when no flow is held.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn live(&self, now: Instant, place: u32) -> Option<&Flow> {
        self.slots
            .get(usize::try_from(place).ok()?)?
            .as_ref()
            .filter(|flow| now.since(flow.used) <= timeout(&self.timeouts, flow))
    }
}

fn slot_mut(slots: &mut [Option<Flow>], place: u32) -> Option<&mut Option<Flow>> {
    slots.get_mut(usize::try_from(place).ok()?)
}

/// The key of a packet and whether its source is the lower end; `None` when it cannot belong to a
/// flow: a later fragment, or an ICMP message that is no echo.
fn key(packet: &PacketInfo) -> Option<(Key, bool)> {
    let is_echo = |kind| {
        matches!(
            kind,
            ICMP_ECHO | ICMP_ECHO_REPLY | ICMPV6_ECHO | ICMPV6_ECHO_REPLY
        )
    };
    if packet.icmp.is_some_and(|(kind, _)| !is_echo(kind)) {
        return None;
    }
    packet.five_tuple().as_ref().map(normalise)
}

fn normalise(tuple: &FiveTuple) -> (Key, bool) {
    let src = (tuple.src, tuple.src_port);
    let dst = (tuple.dst, tuple.dst_port);
    let src_is_low = src <= dst;
    let (low, high) = if src_is_low { (src, dst) } else { (dst, src) };
    let protocol = tuple.protocol;
    (
        Key {
            low,
            high,
            protocol,
        },
        src_is_low,
    )
}

/// Echo requests belong to the opener and replies to the other side.
fn echo_fits(packet: &PacketInfo, from_opener: bool) -> bool {
    packet.icmp.is_none_or(|(kind, _)| {
        let is_request = matches!(kind, ICMP_ECHO | ICMPV6_ECHO);
        is_request == from_opener
    })
}

fn next_stage(stage: Stage, packet: &PacketInfo, from_opener: bool) -> Stage {
    let flags = packet.tcp_flags;
    if packet.protocol == TCP && (flags.contains(TcpFlags::FIN) || flags.contains(TcpFlags::RST)) {
        return Stage::Closing;
    }
    match stage {
        Stage::OneWay if !from_opener => Stage::BothWays,
        Stage::OneWay => Stage::OneWay,
        Stage::BothWays => Stage::BothWays,
        Stage::Closing => Stage::Closing,
    }
}

const fn timeout(timeouts: &FlowTimeouts, flow: &Flow) -> Duration {
    match (flow.key.protocol, flow.stage) {
        (TCP, Stage::OneWay) => timeouts.tcp_setup,
        (TCP, Stage::BothWays) => timeouts.tcp_established,
        (TCP, Stage::Closing) => timeouts.tcp_closing,
        (UDP, Stage::OneWay) => timeouts.udp_one_way,
        (UDP, Stage::BothWays | Stage::Closing) => timeouts.udp_both_ways,
        (ICMP | ICMPV6, _) => timeouts.icmp,
        (_, _) => timeouts.other,
    }
}
