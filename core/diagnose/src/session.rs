//! The BGP and BFD sessions of an adjacency whose frames arrive.

use skybridge_blueprint::Owner;

use crate::adjacency::ticket;
use crate::attached;
use crate::fault::Fault;
use crate::layer::Layer;
use crate::observation::{Adjacency, End, SessionEnd};

/// The end's session partner as it is configured there.
pub(crate) fn peer_address(adjacency: &Adjacency, end: &End) -> Option<String> {
    ends(adjacency)
        .find(|(e, _)| e.node == end.node)
        .map(|(_, session)| session.remote.to_string())
}

pub(crate) fn last(session: &SessionEnd) -> String {
    if session.last_reset.is_empty() {
        String::new()
    } else {
        format!(" (last: {})", session.last_reset)
    }
}

/// Whether both ends run BFD. A router that cannot be asked shows it by its control packets.
pub(crate) fn both_run_bfd(adjacency: &Adjacency) -> bool {
    let configured = ends(adjacency).filter(|(_, s)| s.bfd.is_some()).count();
    let heard = attached::ends(adjacency).filter(|(_, seen)| seen.bfd_sent > 0);
    configured + heard.count() == 2
}

pub(crate) fn ends(adjacency: &Adjacency) -> impl Iterator<Item = (&End, &SessionEnd)> {
    (adjacency.ends.iter())
        .zip(&adjacency.sessions)
        .filter_map(|(end, session)| Some((end, session.as_ref()?)))
}

/// Why the session is not up, frames and ARP being whole.
pub(crate) fn bgp(adjacency: &Adjacency) -> Option<Fault> {
    if ends(adjacency).all(|(_, session)| session.is_up) {
        return None;
    }
    let fault = attached::shut(adjacency)
        .or_else(|| shut(adjacency))
        .or_else(|| wrong_as(adjacency))
        .or_else(|| too_many(adjacency))
        .or_else(|| signature(adjacency))
        .unwrap_or_else(|| refused(adjacency));
    let mut fault = fault.place(format!("circuit/{}", adjacency.circuit));
    for (end, session) in ends(adjacency) {
        fault = fault.saw(format!(
            "BGP {} → {} on {} is {}{}",
            session.local,
            session.remote,
            end.node,
            session.state,
            last(session)
        ));
    }
    Some(fault)
}

/// Sessions inside a cloud are the cloud's, the others the customer's to configure.
fn configured_by(adjacency: &Adjacency, end: &End) -> Owner {
    let visible = ends(adjacency).any(|(_, session)| session.is_visible);
    if visible { Owner::Customer } else { end.owner }
}

fn shut(adjacency: &Adjacency) -> Option<Fault> {
    // A speaker stays Idle only where someone has stopped it (RFC 4271 §8.2.2).
    let is_stopped = |s: &SessionEnd| s.state == "Idle" && s.last_reset == "configured";
    let is_shut = |session: &SessionEnd| {
        !session.is_enabled
            || session.last_reset.contains("administratively")
            || is_stopped(session)
    };
    let (end, session) = ends(adjacency)
        .find(|(_, session)| is_shut(session))
        .or_else(|| {
            // Only the other end's notification tells of it.
            let told =
                ends(adjacency).find(|(_, s)| s.last_reset.contains("Administrative Shutdown"));
            let told = told.map(|(end, _)| end.node.clone())?;
            ends(adjacency).find(|(end, _)| end.node != told)
        })?;
    let owner = if session.is_enabled {
        end.owner
    } else {
        Owner::Customer
    };
    let name = format!("{} {}", end.node, session.local);
    let fault = Fault::new(
        Layer::Bgp,
        owner,
        adjacency.title(),
        format!("the session is administratively shut down at {}", end.node),
    );
    Some(if session.is_enabled {
        fault
            .saw("its configuration has it enabled".to_owned())
            .mend(ticket(owner, &format!("\"{name}\"")))
    } else {
        fault.mend("enable the peering (`state`, `bgp_admin_state`) and apply")
    })
}

fn wrong_as(adjacency: &Adjacency) -> Option<Fault> {
    let said = ends(adjacency).any(|(_, session)| session.last_reset.contains("Bad Peer AS"));
    let sessions: Vec<_> = ends(adjacency).collect();
    let differs = match sessions.as_slice() {
        [(_, a), (_, b)] => a.asn.1 != b.asn.0 || b.asn.1 != a.asn.0,
        _ => false,
    };
    if !said && !differs {
        return None;
    }
    let mut fault = Fault::new(
        Layer::Bgp,
        configured_by(adjacency, &adjacency.ends[0]),
        adjacency.title(),
        "the ends do not agree on their AS numbers".to_owned(),
    )
    .mend("make `peer_asn` of the peering the AS number of the router at the other end");
    for (end, session) in &sessions {
        fault = fault.saw(format!(
            "{} is AS {} and expects AS {}",
            end.node, session.asn.0, session.asn.1
        ));
    }
    Some(fault)
}

fn too_many(adjacency: &Adjacency) -> Option<Fault> {
    let over = |s: &SessionEnd| {
        s.last_reset.contains("Maximum Number of Prefixes")
            || s.last_reset.contains("prefixes received")
    };
    let (end, session) = ends(adjacency).find(|(_, s)| over(s))?;
    Some(
        Fault::new(
            Layer::Bgp,
            configured_by(adjacency, end),
            adjacency.title(),
            "the session fell because more prefixes are announced than the other end takes".to_owned(),
        )
        .saw(format!("{}: {}", end.node, session.last_reset))
        .mend("announce fewer prefixes: summarise them, or raise the limit (a Premium circuit, a quota)"),
    )
}

fn signature(adjacency: &Adjacency) -> Option<Fault> {
    let (end, session) = ends(adjacency).find(|(_, session)| session.md5_drops > 0)?;
    Some(
        Fault::new(
            Layer::Bgp,
            configured_by(adjacency, end),
            adjacency.title(),
            "the ends sign their TCP segments with different MD5 keys".to_owned(),
        )
        .saw(format!(
            "{} has refused {} segments for their MD5 signature",
            end.node, session.md5_drops
        ))
        .mend("set the same shared key at both ends (`shared_key` of the peering)"),
    )
}

/// Longest time that routers here wait between two attempts.
const RETRY_S: u64 = 120;

fn refused(adjacency: &Adjacency) -> Fault {
    let sessions: Vec<_> = ends(adjacency).collect();
    let recent = sessions.iter().map(|(_, s)| s.since_s).min().unwrap_or(0);
    let end = sessions.first().map_or(&adjacency.ends[0], |(end, _)| *end);
    let own = attached::ends(adjacency).next();
    let (what, mend) = if let ([(end, _)], None) = (sessions.as_slice(), own) {
        (
            format!("only {} has this session configured", end.node),
            "configure the peering at the other end too".to_owned(),
        )
    } else if recent < RETRY_S {
        (
            format!("the session fell {recent} s ago and waits for its next attempt"),
            format!("nothing below is broken any more: it comes back within {RETRY_S} s"),
        )
    } else if let Some((own, _)) = own {
        (
            format!(
                "frames and ARP are whole, but {} does not bring the session up",
                own.node
            ),
            attached::configure(&own.node),
        )
    } else {
        (
            "frames and ARP are whole, but the session does not come up".to_owned(),
            "compare addresses, AS numbers and keys of both ends".to_owned(),
        )
    };
    Fault::new(
        Layer::Bgp,
        configured_by(adjacency, end),
        adjacency.title(),
        what,
    )
    .saw(format!("not established for {recent} s"))
    .mend(mend)
}

/// BFD down under an established session, where both ends run it.
pub(crate) fn bfd(adjacency: &Adjacency) -> Option<Fault> {
    if !both_run_bfd(adjacency) {
        return None;
    }
    let (end, session) = ends(adjacency).find(|(_, s)| s.bfd == Some(false))?;
    Some(
        Fault::new(
            Layer::Bfd,
            // What the cloud's end is set to is known; the other end can be anything.
            attached::ends(adjacency)
                .next()
                .map_or(end.owner, |(own, _)| own.owner),
            adjacency.title(),
            format!("BFD is down at {} while frames arrive", end.node),
        )
        .saw(format!(
            "BFD {} → {} is down",
            session.local, session.remote
        ))
        .mend("compare intervals and the addresses of both ends"),
    )
}
