//! All together: causes of failed probes first, what only stands by behind them, consequences below.

use skybridge_blueprint::Owner;

use crate::adjacency;
use crate::fault::Fault;
use crate::finding::{Condition, Diagnosis, Finding, LayerRow, LegState, Mark, ProbeRow};
use crate::layer::{Layer, owner_words};
use crate::observation::{CircuitObservation, Observations, Outcome, Packet, Probe};
use crate::probe::{self, Why};

/// Findings of one diagnosis at most; later ones are dropped, the first are the causes.
const FINDINGS_MAX: usize = 16;

/// The end-to-end column.
const END_TO_END: &str = "end to end";

/// Judges a path from what was seen of it.
#[must_use]
pub fn diagnose(seen: &Observations) -> Diagnosis {
    let faults: Vec<Option<Fault>> = (seen.adjacencies.iter())
        .map(|adjacency| adjacency::examine(seen, adjacency))
        .collect();
    let broken: Vec<bool> = faults.iter().map(Option::is_some).collect();
    let circuits: Vec<Fault> = seen.circuits.iter().filter_map(circuit).collect();
    let asked: Vec<&Probe> = seen.probes.iter().filter(|p| is_asked(seen, p)).collect();
    let mut causes = Causes::default();
    let mut answered = 0;
    let mut passed = false;
    for probe in &asked {
        match probe::explain(seen, &broken, probe) {
            Why::Answered => {
                answered += 1;
                passed |= is_first_asked(seen, probe);
            }
            Why::Adjacencies(indices) => {
                for fault in indices.iter().filter_map(|i| faults.get(*i)?.as_ref()) {
                    causes.add(fault);
                }
            }
            Why::Circuits if circuits.is_empty() => causes.add(&nothing_joins(seen)),
            Why::Circuits => circuits.iter().for_each(|fault| causes.add(fault)),
            Why::Fault(fault) => causes.add(&fault),
        }
    }
    let all = asked.len();
    let mut standing_by = Causes::default();
    for fault in circuits.iter().chain(faults.iter().flatten()) {
        if causes.has(fault) {
            causes.add(fault);
        } else {
            standing_by.add(fault);
        }
    }
    let condition = match answered {
        _ if !passed => Condition::Failed,
        n if n < all => Condition::Impaired,
        _ if standing_by.0.is_empty() => Condition::Healthy,
        _ => Condition::Degraded,
    };
    let layers = layers(seen, &faults, &circuits, &causes.0);
    let severity = condition.max(Condition::Degraded);
    let mut findings: Vec<Finding> = (causes.sorted().iter())
        .map(|fault| finding(seen, fault, severity))
        .collect();
    let rest = standing_by.sorted();
    findings.extend(
        rest.iter()
            .map(|fault| finding(seen, fault, Condition::Degraded)),
    );
    findings.truncate(FINDINGS_MAX);
    Diagnosis {
        from: seen.hosts[0].name.clone(),
        to: seen.hosts[1].name.clone(),
        tcp: seen.tcp,
        condition,
        summary: summary(condition, &findings, (answered, all)),
        probes: rows(seen, &broken),
        layers,
        findings,
    }
}

/// Whether a probe is what was asked about. Beside a TCP port, echo requests of full size count only when
/// small ones pass: a filter may well forbid them.
fn is_asked(seen: &Observations, probe: &Probe) -> bool {
    match probe.packet {
        Packet::Tcp(_) => true,
        Packet::Echo { .. } if seen.tcp.is_none() => true,
        Packet::Echo { is_full, .. } => is_full && echoes_pass(seen),
    }
}

/// Whether it is what decides between some and none: connections if a port was asked about, else small
/// echo requests.
fn is_first_asked(seen: &Observations, probe: &Probe) -> bool {
    match probe.packet {
        Packet::Tcp(_) => true,
        Packet::Echo { is_full, .. } => seen.tcp.is_none() && !is_full,
    }
}

fn echoes_pass(seen: &Observations) -> bool {
    seen.probes.iter().any(|probe| {
        let is_small = matches!(probe.packet, Packet::Echo { is_full: false, .. });
        is_small && probe.outcome == Outcome::Answered
    })
}

/// Faults by cause, in the order in which they were met.
#[derive(Default)]
struct Causes(Vec<Fault>);

impl Causes {
    fn has(&self, fault: &Fault) -> bool {
        self.0.iter().any(|known| is_same(known, fault))
    }

    fn add(&mut self, fault: &Fault) {
        let Some(known) = self.0.iter_mut().find(|known| is_same(known, fault)) else {
            self.0.push(fault.clone());
            return;
        };
        if !known.at.split(", ").any(|at| at == fault.at) {
            known.at = format!("{}, {}", known.at, fault.at);
        }
        merge(&mut known.evidence, &fault.evidence);
        merge(&mut known.consequences, &fault.consequences);
        merge(&mut known.remedy, &fault.remedy);
        merge(&mut known.legs, &fault.legs);
    }

    /// Lowest layer first; the order of the path within a layer.
    fn sorted(&self) -> Vec<Fault> {
        let mut sorted = self.0.clone();
        sorted.sort_by_key(|fault| fault.layer);
        sorted
    }
}

fn is_same(a: &Fault, b: &Fault) -> bool {
    a.layer == b.layer && a.owner == b.owner && a.cause == b.cause
}

fn merge(into: &mut Vec<String>, from: &[String]) {
    for text in from {
        if !into.contains(text) {
            into.push(text.clone());
        }
    }
}

fn circuit(circuit: &CircuitObservation) -> Option<Fault> {
    let name = &circuit.name;
    let fault = |what: String, owner| {
        Fault::new(Layer::Provider, owner, name, what).place(format!("circuit/{name}"))
    };
    if !circuit.is_provisioned {
        return Some(
            fault(
                format!("{name} is not provisioned by {}", circuit.provider),
                Owner::Provider,
            )
            .saw(format!(
                "serviceProviderProvisioningState of {name} is {}",
                circuit.provider_state
            ))
            .mend(format!(
                "give the service key to {} and have it provisioned; in this lab \
                 `skybridge provider provision {name}`",
                circuit.provider
            )),
        );
    }
    if !circuit.is_enabled {
        return Some(
            fault(format!("{name} is not enabled"), Owner::Azure)
                .saw(format!("circuitProvisioningState of {name} is not Enabled"))
                .mend("ask Microsoft why the circuit is disabled"),
        );
    }
    if !circuit.has_peering {
        return Some(
            fault(format!("{name} has no private peering"), Owner::Customer)
                .saw("the circuit is provisioned and has no peering")
                .mend(
                    "configure `azurerm_express_route_circuit_peering` of type AzurePrivatePeering",
                ),
        );
    }
    None
}

fn nothing_joins(seen: &Observations) -> Fault {
    let [from, to] = &seen.hosts;
    Fault::new(
        Layer::Forwarding,
        Owner::Customer,
        format!("{} – {}", from.name, to.name),
        format!("no circuit joins the networks of {} and {}", from.name, to.name),
    )
    .saw(format!("{} circuits looked at", seen.circuits.len()))
    .mend("connect the gateway to a circuit, and the circuit's other side to a DRG with an attachment")
}

fn finding(seen: &Observations, fault: &Fault, severity: Condition) -> Finding {
    let place = fault.written(seen);
    Finding {
        severity,
        layer: fault.layer,
        owner: owner_words(fault.owner).to_owned(),
        at: fault.at.split(", ").map(str::to_owned).collect(),
        what: fault.what.clone(),
        evidence: fault.evidence.clone(),
        consequences: fault.consequences.clone(),
        remedy: fault.remedy.clone(),
        resource: place.map(|p| p.resource.clone()).filter(|r| !r.is_empty()),
        file: place.and_then(|p| p.file.clone()),
        line: place.and_then(|p| p.line),
    }
}

fn summary(condition: Condition, findings: &[Finding], (answered, all): (usize, usize)) -> String {
    let probes = format!("{answered} of {all} probes answered");
    let Some(first) = findings.first() else {
        return format!("{probes}; every layer of every path is whole");
    };
    let more = match findings.len() {
        1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    let layer = first.layer.label();
    match condition {
        Condition::Healthy | Condition::Degraded => format!(
            "{probes}, but a redundant path is broken: {layer}, owner {}{more}",
            first.owner
        ),
        Condition::Impaired | Condition::Failed => {
            format!("{probes}: {layer}, owner {}{more}", first.owner)
        }
    }
}

fn rows(seen: &Observations, broken: &[bool]) -> Vec<ProbeRow> {
    let mut rows: Vec<ProbeRow> = Vec::new();
    for probe in &seen.probes {
        let what = match probe.packet {
            Packet::Tcp(port) => format!("TCP {port}"),
            Packet::Echo { ip_len, .. } => format!("echo, {ip_len} octets"),
        };
        if rows.last().is_none_or(|row| row.what != what) {
            rows.push(ProbeRow {
                what,
                sent: 0,
                answered: 0,
                note: String::new(),
            });
        }
        let Some(row) = rows.last_mut() else { continue };
        row.sent += 1;
        if matches!(probe::explain(seen, broken, probe), Why::Answered) {
            row.answered += 1;
        } else if row.note.is_empty() {
            row.note = match &probe.outcome {
                Outcome::Answered => "answered by another station".to_owned(),
                Outcome::Refused => "refused".to_owned(),
                Outcome::Failed(why) => why.clone(),
            };
        }
    }
    rows
}

/// The picture: layers by legs.
fn layers(
    seen: &Observations,
    faults: &[Option<Fault>],
    circuits: &[Fault],
    causes: &[Fault],
) -> Vec<LayerRow> {
    let mut legs: Vec<&str> = Vec::new();
    for adjacency in &seen.adjacencies {
        if !adjacency.leg.is_empty() && !legs.contains(&adjacency.leg.as_str()) {
            legs.push(&adjacency.leg);
        }
    }
    legs.sort_unstable();
    Layer::ALL
        .into_iter()
        .filter_map(|layer| {
            let mut states: Vec<LegState> = (legs.iter())
                .map(|leg| LegState {
                    leg: (*leg).to_owned(),
                    mark: leg_mark(seen, faults, layer, leg),
                })
                .collect();
            states.push(LegState {
                leg: END_TO_END.to_owned(),
                mark: whole_mark(seen, circuits, causes, layer),
            });
            let is_empty = states.iter().all(|state| state.mark == Mark::None);
            (!is_empty).then_some(LayerRow {
                layer,
                legs: states,
            })
        })
        .collect()
}

fn leg_mark(seen: &Observations, faults: &[Option<Fault>], layer: Layer, leg: &str) -> Mark {
    let is_there = match layer {
        Layer::Device
        | Layer::Link
        | Layer::Tags
        | Layer::Loss
        | Layer::Arp
        | Layer::Bgp
        | Layer::Mtu => true,
        Layer::Bfd => (seen.adjacencies.iter())
            .any(|adjacency| adjacency.leg == leg && crate::session::both_run_bfd(adjacency)),
        Layer::Provider
        | Layer::Routes
        | Layer::Forwarding
        | Layer::Filters
        | Layer::Policers
        | Layer::Host
        | Layer::Service => false,
    };
    let on_leg = || {
        (seen.adjacencies.iter().zip(faults))
            .filter(|(adjacency, _)| adjacency.leg == leg)
            .filter_map(|(_, fault)| fault.as_ref())
    };
    if on_leg().any(|fault| fault.layer == layer) {
        return Mark::Broken;
    }
    // Packets of full size are tried whether or not a session is up.
    let rests = |below: Layer| below < layer && !(layer == Layer::Mtu && below > Layer::Arp);
    match (is_there, on_leg().any(|fault| rests(fault.layer))) {
        (false, _) => Mark::None,
        (true, true) => Mark::Follows,
        (true, false) => Mark::Ok,
    }
}

fn whole_mark(seen: &Observations, circuits: &[Fault], causes: &[Fault], layer: Layer) -> Mark {
    let is_there = match layer {
        Layer::Provider => !seen.circuits.is_empty(),
        Layer::Routes | Layer::Forwarding | Layer::Filters | Layer::Policers | Layer::Host => true,
        Layer::Service => seen.tcp.is_some(),
        Layer::Device
        | Layer::Link
        | Layer::Tags
        | Layer::Loss
        | Layer::Arp
        | Layer::Bgp
        | Layer::Bfd
        | Layer::Mtu => false,
    };
    let here = |fault: &&Fault| fault.legs.iter().all(String::is_empty);
    if circuits
        .iter()
        .chain(causes.iter().filter(here))
        .any(|fault| fault.layer == layer)
    {
        return Mark::Broken;
    }
    match (is_there, causes.iter().any(|fault| fault.layer < layer)) {
        (false, _) => Mark::None,
        (true, true) => Mark::Follows,
        (true, false) => Mark::Ok,
    }
}
