//! Captures that clients follow: frames in portions, as fast as the client takes them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use skybridge_base::{Deadline, Instant, WallTime, earliest};
use skybridge_blueprint::{External, NodeKind, NodeName, PortName, Tagging};
use skybridge_compile::Leg;
use skybridge_world::{CaptureDirection, CaptureId, CapturePoint, CaptureTake, Captured, World};

use crate::document::{
    CaptureEnd, CapturePortion, CaptureStart, Direction, ErrorDocument, FrameRow,
};
use crate::lab::Lab;
use crate::names;
use crate::output::{ClientId, LabOutput};
use crate::request::Response;

/// Captures that run at once; one more is refused.
const CAPTURES_MAX: usize = 8;
/// Frames that wait for one client; more are missed, counted and told.
const FRAMES_MAX: usize = 1 << 16;
/// Octets of frames in one portion.
const PORTION_OCTETS: usize = 512 << 10;
/// Portions are at least this far apart, so that frames that come one by one share them.
const PAUSE: Duration = Duration::from_millis(10);

/// Every capture that runs.
#[derive(Debug)]
pub(crate) struct Captures {
    running: BTreeMap<ClientId, Running>,
    epoch: WallTime,
    slipped: Duration,
}

#[derive(Debug)]
struct Running {
    id: CaptureId,
    count_max: u64,
    ends_at: Option<Instant>,
    /// The client has taken the last portion.
    is_ready: bool,
    next_at: Instant,
    frames: u64,
    missed: u64,
}

/// Starts a capture for a client.
pub(crate) fn begin(
    lab: &mut Lab,
    client: ClientId,
    wanted: &str,
    (count, duration_ms): (Option<u64>, Option<u64>),
) -> Result<(), ErrorDocument> {
    if lab.captures.running.len() >= CAPTURES_MAX {
        return Err(refused(
            format!("{CAPTURES_MAX} captures run already"),
            "end one of them",
        ));
    }
    let (point, name, description) = point(lab, wanted)?;
    let id = lab
        .network
        .world
        .start_capture(point, FRAMES_MAX)
        .map_err(|error| refused(error.to_string(), "`skybridge show links` names links"))?;
    let running = Running {
        id,
        count_max: count.unwrap_or(u64::MAX),
        ends_at: duration_ms.map(|ms| lab.now + Duration::from_millis(ms)),
        is_ready: false,
        next_at: lab.now,
        frames: 0,
        missed: 0,
    };
    let captures = &mut lab.captures;
    captures.running.insert(client, running);
    let epoch = Duration::from_millis(captures.epoch.0) + captures.slipped;
    let start = CaptureStart {
        point: name,
        description,
        epoch_ns: u64::try_from(epoch.as_nanos()).unwrap_or(u64::MAX),
        at_ns: lab.now.as_nanos(),
    };
    lab.respond(client, Response::CaptureStart(start), false);
    Ok(())
}

impl Captures {
    pub(crate) const fn new(epoch: WallTime) -> Self {
        Self {
            running: BTreeMap::new(),
            epoch,
            slipped: Duration::ZERO,
        }
    }

    /// The world's clock has slipped: captures that begin later add it to their epoch.
    pub(crate) fn note_slip(&mut self, slip: Duration) {
        self.slipped += slip;
    }

    pub(crate) fn forget(&mut self, world: &mut World, client: ClientId) {
        if let Some(running) = self.running.remove(&client) {
            // Nobody wants what it still holds.
            drop(world.stop_capture(running.id));
        }
    }

    pub(crate) fn drained(&mut self, client: ClientId) {
        if let Some(running) = self.running.get_mut(&client) {
            running.is_ready = true;
        }
    }

    pub(crate) fn poll_timeout(&self, now: Instant, world: &World) -> Option<Deadline> {
        let mut next = None;
        for running in self.running.values() {
            if running.is_ready && world.has_capture_news(running.id) {
                let portion = Deadline::new(running.next_at.max(now), "capture portion");
                next = earliest(next, Some(portion));
            }
            let end = running.ends_at.map(|at| Deadline::new(at, "capture ends"));
            next = earliest(next, end);
        }
        next
    }

    /// Hands over what clients are ready for, and ends what has reached its end.
    pub(crate) fn pump(
        &mut self,
        now: Instant,
        world: &mut World,
        outputs: &mut VecDeque<LabOutput>,
    ) {
        self.running.retain(|client, running| {
            let mut say = |response, last| {
                outputs.push_back(LabOutput::Response {
                    client: *client,
                    response,
                    last,
                });
            };
            let is_over = running.ends_at.is_some_and(|at| at <= now);
            let is_due = running.is_ready && now >= running.next_at;
            if is_due || is_over {
                let octets_max = if is_over { usize::MAX } else { PORTION_OCTETS };
                let taken = world.take_capture_part(running.id, octets_max);
                if let Some(portion) = taken.and_then(|taken| running.portion(taken)) {
                    running.is_ready = false;
                    running.next_at = now + PAUSE;
                    say(Response::CapturePortion(portion), false);
                }
            }
            let is_full = running.frames >= running.count_max;
            if is_over || is_full {
                drop(world.stop_capture(running.id));
                let end = CaptureEnd {
                    reason: if is_full { "count" } else { "duration" }.to_owned(),
                    frames: running.frames,
                    missed: running.missed,
                };
                say(Response::CaptureEnd(end), true);
            }
            !(is_over || is_full)
        });
    }
}

impl Running {
    /// A portion of what was taken, up to the count; `None` when there is nothing to tell.
    fn portion(&mut self, mut taken: CaptureTake) -> Option<CapturePortion> {
        let room = usize::try_from(self.count_max - self.frames).unwrap_or(usize::MAX);
        taken.frames.truncate(room);
        if taken.frames.is_empty() && taken.missed == 0 {
            return None;
        }
        self.frames += taken.frames.len() as u64;
        self.missed += taken.missed;
        Some(CapturePortion {
            frames: taken.frames.into_iter().map(row).collect(),
            missed: taken.missed,
        })
    }
}

fn row(frame: Captured) -> FrameRow {
    FrameRow {
        at_ns: frame.at.as_nanos(),
        direction: match frame.direction {
            CaptureDirection::AToB => Direction::AToB,
            CaptureDirection::BToA => Direction::BToA,
            CaptureDirection::In => Direction::In,
            CaptureDirection::Out => Direction::Out,
        },
        bytes: frame.bytes,
    }
}

fn refused(message: String, help: &str) -> ErrorDocument {
    ErrorDocument {
        message,
        help: Some(help.to_owned()),
        diagnostics: Vec::new(),
    }
}

/// What `wanted` names, its name, and what its directions mean.
fn point(lab: &Lab, wanted: &str) -> Result<(CapturePoint, String, String), ErrorDocument> {
    let blueprint = &lab.network.compiled.blueprint;
    if blueprint.links.contains_key(wanted) {
        let link = CapturePoint::Link(wanted.into());
        return Ok(described(lab, link));
    }
    if let Some(circuit) = circuit_leg(lab, wanted)? {
        return Ok(described(lab, circuit));
    }
    if let Some((node, port)) = wanted.rsplit_once('/')
        && let Some(ports) = ports_of(lab, &node.into())
    {
        if !ports.iter().any(|known| known.as_str() == port) {
            let ports = ports.iter().map(PortName::as_str);
            return Err(names::no_such(&format!("port of {node}"), port, ports));
        }
        let (node, port) = (node.into(), port.into());
        return Ok(described(lab, CapturePoint::Port { node, port }));
    }
    let host = names::host(lab, wanted).unwrap_or_else(|_| wanted.into());
    match ports_of(lab, &host) {
        // A host in a namespace is seen where it meets the network, as an internal one is.
        Some(ports) if ports.len() == 1 || lab.network.compiled.index.hosts.contains_key(&host) => {
            let (node, port) = (host, ports[0].clone());
            Ok(described(lab, CapturePoint::Port { node, port }))
        }
        Some(ports) => {
            let ports: Vec<String> = ports.iter().map(|p| format!("{host}/{p}")).collect();
            Err(refused(
                format!("{host} has {} ports", ports.len()),
                &format!("choose one: {}", ports.join(", ")),
            ))
        }
        None => {
            let index = &lab.network.compiled.index;
            let circuits = index.circuits.values();
            let legs =
                circuits.flat_map(|c| Leg::BOTH.map(|l| format!("{}/{}", c.label, l.label())));
            let known: Vec<String> = legs
                .chain(blueprint.links.keys().map(ToString::to_string))
                .chain(index.hosts.keys().map(ToString::to_string))
                .collect();
            let known = known.iter().map(String::as_str);
            Err(names::no_such("place to capture", wanted, known))
        }
    }
}

fn ports_of(lab: &Lab, node: &NodeName) -> Option<Vec<PortName>> {
    let node = lab.network.compiled.blueprint.nodes.get(node)?;
    Some(match &node.kind {
        NodeKind::Router(router) => router.ports.keys().cloned().collect(),
        NodeKind::Host(host) => vec![host.port.clone()],
        NodeKind::External(external) => {
            vec![external.port().clone(), External::OUTSIDE.into()]
        }
        NodeKind::Switch(switch) => switch.ports.keys().cloned().collect(),
    })
}

/// The cross-connect of a circuit's path, and only this circuit's frames where it shares the link.
fn circuit_leg(lab: &Lab, wanted: &str) -> Result<Option<CapturePoint>, ErrorDocument> {
    let index = &lab.network.compiled.index;
    for (id, circuit) in &index.circuits {
        let address = lab.control.estate.resource(id).map_or("", |r| r.label());
        for name in [circuit.label.as_str(), address] {
            if wanted == name {
                return Err(refused(
                    format!("{name} has two paths"),
                    &format!("capture {name}/primary or {name}/secondary"),
                ));
            }
            for (leg, place) in Leg::BOTH.into_iter().zip(&circuit.legs) {
                if wanted != format!("{name}/{}", leg.label()) {
                    continue;
                }
                let Some(link) = place.link.clone() else {
                    return Err(refused(
                        format!("{wanted} has no cross-connect yet"),
                        "`skybridge provider list` shows whether the circuit is provisioned",
                    ));
                };
                let all_legs = index.circuits.values().flat_map(|c| &c.legs);
                let is_shared = all_legs.filter(|l| l.link.as_ref() == Some(&link)).count() > 1;
                let node = lab.network.compiled.blueprint.nodes.get(&place.node);
                let interface = (node.and_then(|n| n.as_router()))
                    .and_then(|router| router.interfaces.get(&place.interface));
                return Ok(Some(match interface.map(|i| i.tagging) {
                    Some(Tagging::QinQ { s_tag, .. }) if is_shared => {
                        CapturePoint::Circuit { link, s_tag }
                    }
                    Some(_) | None => CapturePoint::Link(link),
                }));
            }
        }
    }
    Ok(None)
}

fn described(lab: &Lab, point: CapturePoint) -> (CapturePoint, String, String) {
    let ends = |link| {
        let link = lab.network.compiled.blueprint.links.get(link);
        link.map_or_else(String::new, |link| {
            let (a, b) = (&link.a, &link.b);
            format!(
                "outbound is from {}/{} to {}/{}; lost frames are not seen",
                a.node, a.port, b.node, b.port
            )
        })
    };
    let (name, description) = match &point {
        CapturePoint::Link(link) => (link.to_string(), ends(link)),
        CapturePoint::Circuit { link, s_tag } => {
            let only = format!("outer tag {s_tag} only; {}", ends(link));
            (link.to_string(), only)
        }
        CapturePoint::Port { node, port } => (
            format!("{node}/{port}"),
            format!("outbound is what {node} sends, whether or not the link carries it"),
        ),
    };
    (point, name, description)
}
