//! Ports of this machine that lead into the network: which there are, who may use them, where they lead.
//!
//! A client outside connects to a listener; its connection enters the network as one *from a host in it*, so
//! that routing and security rules decide as they would for that host. The listener is for one port of
//! one host, or speaks SOCKS 5 and goes wherever the client wants (`socks.rs`). `bridge.rs` carries the bytes.
//!
//! Limits: [`FORWARDS_MAX`] listeners, one more is refused. Without `--anywhere` only loopback addresses are
//! listened on: whoever reaches a listener speaks with the host's rights.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use skybridge_base::Instant;
use skybridge_blueprint::NodeName;
use skybridge_compile::HostIndex;
use skybridge_sites::Endpoint;

use crate::bridge::{CONNECT_MAX, ClientNews, Wanted};
use crate::document::{Diagnostic, ErrorDocument, ForwardRow, Listing};
use crate::extras::host_ref;
use crate::lab::Lab;
use crate::output::{BridgeId, ClientId, ForwardId, LabOutput};
use crate::request::{ForwardOrder, ForwardTo, Response};
use crate::socks::{Destination, Reply};
use crate::{diagnostics, names};

/// Listeners at a time.
const FORWARDS_MAX: usize = 64;

#[derive(Debug)]
struct Forward {
    name: String,
    listen: SocketAddr,
    from: Option<String>,
    to: ForwardTo,
    keeper: Keeper,
    state: ListenState,
    connected: u64,
    failed: u64,
    last_failure: Option<String>,
}

/// How long a listener stays.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Keeper {
    /// As long as the lab file of this stack has it.
    LabFile(String),
    /// Until somebody removes it.
    Detached,
    /// As long as this client waits.
    Client(ClientId),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum ListenState {
    /// The driver is asked; this client waits for what comes of it.
    Opening(Option<ClientId>),
    Listening,
    Failed(String),
}

/// Every listener.
#[derive(Debug, Default)]
pub(crate) struct Forwards {
    next: u64,
    all: BTreeMap<ForwardId, Forward>,
}

/// Opens or removes a listener by command. `None`: answered when the driver has listened.
pub(crate) fn answer(
    lab: &mut Lab,
    client: ClientId,
    order: ForwardOrder,
) -> Result<Option<Response>, ErrorDocument> {
    match order {
        ForwardOrder::Open {
            listen,
            from,
            to,
            detached,
            anywhere,
        } => {
            let at = listen_address(&listen, anywhere)?;
            check_target(lab, from.as_deref(), &to)?;
            let keeper = if detached {
                Keeper::Detached
            } else {
                Keeper::Client(client)
            };
            let name = free_name(&lab.forwards, &to.label());
            let forward = Forward::new(name, at, from, to, keeper, Some(client));
            open(lab, forward)?;
            Ok(None)
        }
        ForwardOrder::Remove { name } => {
            let all = &lab.forwards.all;
            let found = all
                .iter()
                .find(|(_, f)| f.name == name || f.listen.to_string() == name);
            let Some((id, forward)) = found else {
                let known = all.values().map(|f| f.name.as_str());
                return Err(names::no_such("forward", &name, known));
            };
            if let Keeper::LabFile(_) = forward.keeper {
                return Err(ErrorDocument {
                    message: format!("{name} is in a lab file"),
                    help: Some("take it out there and run `skybridge up` again".to_owned()),
                    diagnostics: Vec::new(),
                });
            }
            let (id, message) = (*id, format!("{} is removed", forward.name));
            close(lab, id, true);
            Ok(Some(Response::Done { message }))
        }
    }
}

/// The table of listeners.
pub(crate) fn rows(lab: &Lab) -> Vec<ForwardRow> {
    let row = |(id, forward): (&ForwardId, &Forward)| ForwardRow {
        name: forward.name.clone(),
        listen: forward.listen.to_string(),
        from: source(lab, forward).map_or_else(|_| "no host".to_owned(), |node| node.to_string()),
        to: forward.to.label(),
        state: match &forward.state {
            ListenState::Opening(_) => "opening".to_owned(),
            ListenState::Listening => "listening".to_owned(),
            ListenState::Failed(why) => why.clone(),
        },
        kept_by: match forward.keeper {
            Keeper::LabFile(_) => "lab file",
            Keeper::Detached => "detached",
            Keeper::Client(_) => "attached",
        }
        .to_owned(),
        open: lab.bridges.client_count(*id) as u64,
        connected: forward.connected,
        failed: forward.failed,
        last_failure: forward.last_failure.clone(),
    };
    lab.forwards.all.iter().map(row).collect()
}

/// Brings the listeners of lab files to what these say.
pub(crate) fn follow_lab_files(lab: &mut Lab) -> Vec<Diagnostic> {
    let mut said = Vec::new();
    let mut wanted = Vec::new();
    for file in lab.lab_files() {
        for entry in &file.forwards {
            // A host that is not there (yet) is looked up for each client.
            let host = |endpoint: &Endpoint| host_name(lab, &file.stack, endpoint);
            wanted.push(Forward::new(
                entry.name.clone(),
                entry.listen,
                entry.from.as_ref().map(host),
                ForwardTo::Port {
                    host: host(&entry.host),
                    port: entry.tcp,
                },
                Keeper::LabFile(file.stack.clone()),
                None,
            ));
        }
    }
    let of_files = lab.forwards.all.iter();
    let stale: Vec<ForwardId> = of_files
        .filter(|(_, forward)| matches!(forward.keeper, Keeper::LabFile(_)))
        .filter(|(_, forward)| !wanted.iter().any(|w| w.is_as(forward)))
        .map(|(id, _)| *id)
        .collect();
    for id in stale {
        close(lab, id, true);
    }
    for forward in wanted {
        let runs = lab
            .forwards
            .all
            .values()
            .any(|f| f.is_as(&forward) && !matches!(f.state, ListenState::Failed(_)));
        if !runs {
            let failed = lab.forwards.all.iter().find(|(_, f)| f.is_as(&forward));
            if let Some(id) = failed.map(|(id, _)| *id) {
                close(lab, id, true);
            }
            if let Err(error) = open(lab, forward) {
                said.push(diagnostics::plain("warning", error.message, error.help));
            }
        }
    }
    said
}

/// A client that waited has gone: its listener and the connections by it go too.
pub(crate) fn forget(lab: &mut Lab, client: ClientId) {
    let kept = lab.forwards.all.iter();
    let kept: Vec<ForwardId> = kept
        .filter(|(_, forward)| forward.keeper == Keeper::Client(client))
        .map(|(id, _)| *id)
        .collect();
    for id in kept {
        close(lab, id, true);
    }
}

/// What came of a listener.
pub(crate) fn listening(lab: &mut Lab, id: ForwardId, result: Result<SocketAddr, String>) {
    let Some(forward) = lab.forwards.all.get_mut(&id) else {
        return;
    };
    let (state, waiting) = match (&result, &forward.state) {
        (Ok(at), ListenState::Opening(waiting)) => {
            forward.listen = *at;
            (ListenState::Listening, *waiting)
        }
        (Err(why), ListenState::Opening(waiting)) => (ListenState::Failed(why.clone()), *waiting),
        (_, ListenState::Listening | ListenState::Failed(_)) => return,
    };
    forward.state = state;
    let stays = matches!(forward.keeper, Keeper::Client(_));
    let Some(client) = waiting else {
        return;
    };
    if let Err(why) = result {
        let message = format!("cannot listen on {}: {why}", forward.listen);
        close(lab, id, false);
        let error = ErrorDocument {
            message,
            help: Some("choose another with --listen".to_owned()),
            diagnostics: Vec::new(),
        };
        lab.respond(client, Response::Error(error), true);
        return;
    }
    let name = forward.name.clone();
    let row = rows(lab).into_iter().filter(|row| row.name == name);
    let listing = Listing {
        rows: row.collect(),
    };
    lab.respond(client, Response::Forwards(listing), !stays);
}

/// A client outside has connected to a listener. `None`: it is to be reset.
pub(crate) fn accepted(lab: &mut Lab, now: Instant, id: ForwardId) -> Option<BridgeId> {
    let forward = lab.forwards.all.get(&id)?;
    let to = forward.to.clone();
    let from = match source(lab, forward) {
        Ok(from) => from,
        Err(error) => {
            note(lab, id, &error.message);
            return None;
        }
    };
    match to {
        ForwardTo::Socks => {
            let bound = lab
                .network
                .compiled
                .index
                .hosts
                .get(&from)
                .map(|h| h.address);
            let bound = bound.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            lab.bridges.client(now, id, Some(bound))
        }
        ForwardTo::Port { host, port } => {
            let target = match destination(lab, &Destination::Name(host)) {
                Ok(target) => SocketAddr::new(target, port),
                Err(error) => {
                    note(lab, id, &error.message);
                    return None;
                }
            };
            let bridge = lab.bridges.client(now, id, None)?;
            let (world, outputs) = (&mut lab.network.world, &mut lab.outputs);
            lab.bridges.connect(world, bridge, &from, target, outputs);
            Some(bridge)
        }
    }
}

/// Connects SOCKS clients that have said where they want to go, and keeps the books.
pub(crate) fn pump(lab: &mut Lab) {
    while let Some(wanted) = lab.bridges.poll_wanted() {
        connect(lab, &wanted);
    }
    let (now, outputs) = (lab.now, &mut lab.outputs);
    lab.bridges.handle_timeout(now, outputs);
    while let Some((id, news)) = lab.bridges.poll_news() {
        match news {
            ClientNews::Failed(why) => {
                let words = match why.as_str() {
                    "timeout" => format!("no answer within {} s", CONNECT_MAX.as_secs()),
                    other => other.to_owned(),
                };
                note(lab, id, &words);
            }
            ClientNews::Connected => {
                if let Some(forward) = lab.forwards.all.get_mut(&id) {
                    forward.connected += 1;
                }
            }
        }
    }
}

fn connect(lab: &mut Lab, wanted: &Wanted) {
    let Some(forward) = lab.forwards.all.get(&wanted.forward) else {
        return;
    };
    let from = source(lab, forward);
    let target = destination(lab, &wanted.destination);
    let (world, outputs) = (&mut lab.network.world, &mut lab.outputs);
    let bridges = &mut lab.bridges;
    match (from, target) {
        (Ok(from), Ok(target)) => {
            let target = SocketAddr::new(target, wanted.port);
            bridges.connect(world, wanted.id, &from, target, outputs);
        }
        (Ok(_), Err(error)) => {
            let reply = Reply::HostUnreachable;
            bridges.refuse(wanted.id, &error.message, reply, outputs);
        }
        (Err(error), _) => {
            let reply = Reply::GeneralFailure;
            bridges.refuse(wanted.id, &error.message, reply, outputs);
        }
    }
}

impl Forward {
    fn new(
        name: String,
        listen: SocketAddr,
        from: Option<String>,
        to: ForwardTo,
        keeper: Keeper,
        waiting: Option<ClientId>,
    ) -> Self {
        Self {
            name,
            listen,
            from,
            to,
            keeper,
            state: ListenState::Opening(waiting),
            connected: 0,
            failed: 0,
            last_failure: None,
        }
    }

    /// The same entry of the same lab file.
    fn is_as(&self, other: &Self) -> bool {
        (&self.name, self.listen, &self.from, &self.to, &self.keeper)
            == (
                &other.name,
                other.listen,
                &other.from,
                &other.to,
                &other.keeper,
            )
    }
}

fn open(lab: &mut Lab, forward: Forward) -> Result<(), ErrorDocument> {
    let forwards = &mut lab.forwards;
    if forwards.all.len() >= FORWARDS_MAX {
        return Err(ErrorDocument {
            message: format!("{FORWARDS_MAX} ports are forwarded already"),
            help: Some("`skybridge show forwards` lists them".to_owned()),
            diagnostics: Vec::new(),
        });
    }
    forwards.next += 1;
    let id = ForwardId(forwards.next);
    let at = forward.listen;
    forwards.all.insert(id, forward);
    lab.outputs.push_back(LabOutput::Listen { id, at });
    Ok(())
}

fn close(lab: &mut Lab, id: ForwardId, listens: bool) {
    lab.forwards.all.remove(&id);
    if listens {
        lab.outputs.push_back(LabOutput::Unlisten { id });
    }
    let (world, outputs) = (&mut lab.network.world, &mut lab.outputs);
    lab.bridges.end_clients(world, id, outputs);
}

fn note(lab: &mut Lab, id: ForwardId, why: &str) {
    if let Some(forward) = lab.forwards.all.get_mut(&id) {
        forward.failed += 1;
        forward.last_failure = Some(why.to_owned());
    }
}

/// Reads `ADDRESS:PORT` or `PORT`.
fn listen_address(text: &str, anywhere: bool) -> Result<SocketAddr, ErrorDocument> {
    let refused = |message: String, help: &str| ErrorDocument {
        message,
        help: Some(help.to_owned()),
        diagnostics: Vec::new(),
    };
    let port = text.parse::<u16>().ok();
    let on_loopback = port.map(|port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
    let Some(at) = on_loopback.or_else(|| text.parse().ok()) else {
        return Err(refused(
            format!("{text} is no address to listen on"),
            "write 127.0.0.1:15432, [::1]:15432 or 15432",
        ));
    };
    if !at.ip().is_loopback() && !anywhere {
        return Err(refused(
            format!(
                "{} is not a loopback address: others could reach the network by it",
                at.ip()
            ),
            "--anywhere listens all the same",
        ));
    }
    Ok(at)
}

/// Names that nobody has are told at once, not to each client.
fn check_target(lab: &Lab, from: Option<&str>, to: &ForwardTo) -> Result<(), ErrorDocument> {
    if let Some(from) = from {
        names::host(lab, from)?;
    }
    match to {
        ForwardTo::Socks => {}
        ForwardTo::Port { host, .. } => {
            destination(lab, &Destination::Name(host.clone()))?;
        }
    }
    Ok(())
}

/// `db:5432`, or `db:5432-2` when that is taken.
fn free_name(forwards: &Forwards, wanted: &str) -> String {
    let taken = |name: &str| forwards.all.values().any(|f| f.name == name);
    if !taken(wanted) {
        return wanted.to_owned();
    }
    let more = (2..).map(|n| format!("{wanted}-{n}"));
    more.into_iter()
        .find(|name| !taken(name))
        .unwrap_or_default()
}

/// The host that a forward's connections come from: the one asked for, else the first host (by name) of
/// another network than the target's, else the first there is.
fn source(lab: &Lab, forward: &Forward) -> Result<NodeName, ErrorDocument> {
    if let Some(from) = &forward.from {
        return names::host(lab, from);
    }
    let hosts = &lab.network.compiled.index.hosts;
    let target = match &forward.to {
        ForwardTo::Port { host, .. } => names::host(lab, host).ok(),
        ForwardTo::Socks => None,
    };
    let target = target.and_then(|node| hosts.get(&node));
    let elsewhere = hosts
        .iter()
        .find(|(_, host)| target.is_some_and(|target| target.network != host.network));
    let chosen = elsewhere.or_else(|| hosts.iter().next());
    chosen
        .map(|(node, _)| node.clone())
        .ok_or_else(|| ErrorDocument {
            message: "the network has no host that connections could come from".to_owned(),
            help: None,
            diagnostics: Vec::new(),
        })
}

/// The address that is meant: itself, or that of a host by any of its names.
fn destination(lab: &Lab, wanted: &Destination) -> Result<IpAddr, ErrorDocument> {
    match wanted {
        Destination::Address(address) => Ok(*address),
        Destination::Name(name) => {
            if let Ok(address) = name.parse() {
                return Ok(address);
            }
            names::host_at(lab, name).map(|(_, address)| address)
        }
    }
}

/// What an endpoint of a lab file is called; its own words when nothing is there (yet).
fn host_name(lab: &Lab, stack: &str, endpoint: &Endpoint) -> String {
    let wanted = host_ref(&lab.control.estate, stack, endpoint);
    let hosts = lab.network.compiled.index.hosts.iter();
    let is_it = |host: &HostIndex| {
        wanted
            .as_ref()
            .is_some_and(|w| host.address_as(w).is_some())
    };
    let node = hosts.filter(|(_, host)| is_it(host));
    match (node.map(|(node, _)| node).next(), endpoint) {
        (Some(node), _) => node.to_string(),
        (None, Endpoint::Resource(address)) => address.to_string(),
        (None, Endpoint::Host(name)) => name.clone(),
        (None, Endpoint::SiteNetwork { site, network }) => format!("site.{site}.{network}"),
        (None, Endpoint::Ip(address)) => address.to_string(),
    }
}

impl Lab {
    /// What came of a listener: where it listens, or why not.
    pub fn listening(&mut self, now: Instant, id: ForwardId, result: Result<SocketAddr, String>) {
        self.catch_up(now);
        listening(self, id, result);
        self.work();
    }

    /// A client has connected to a listener. `None`: it is to be reset. Otherwise [`Lab::bridge_room`] and
    /// [`Lab::bridge`] serve it as any bridge.
    pub fn accepted(&mut self, now: Instant, id: ForwardId) -> Option<BridgeId> {
        self.catch_up(now);
        let bridge = accepted(self, now, id);
        self.work();
        bridge
    }
}
