//! Tagged links, as another program reads them: this needs no peer, only tshark.

use std::fs;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use skybridge_base::{Instant, VlanId, WallTime};
use skybridge_blueprint::{Blueprint, NodeKind, Role, Tagging};
use skybridge_nodes::{ConnectionId, HostCommand, SessionState};
use skybridge_world::{CapturePoint, Command, World, pcap_bytes};

use crate::ours::{self, Options};
use crate::scenarios::{nothing_malformed, tshark};

/// Two of our routers on a link with two tags (or one): BGP with MD5, BFD and a ping between hosts.
pub(crate) fn tagged_link(label: &str, is_double: bool) -> Result<()> {
    let tag = |id| VlanId::new(id).ok_or_else(|| anyhow!("a VLAN id in range"));
    let (s_tag, c_tag) = (tag(1001)?, tag(100)?);
    let tagging = if is_double {
        Tagging::QinQ { s_tag, c_tag }
    } else {
        Tagging::Dot1q(c_tag)
    };
    let mut world = World::new(blueprint(tagging)?, 7)
        .map_err(|faults| anyhow!("the blueprint has faults: {faults:?}"))?;
    let capture = world.start_capture(CapturePoint::Link("wan".into()), 1 << 16)?;
    world.run_until(Instant::from_secs(20));
    let up = world
        .router(&"left".into())
        .is_some_and(|router| router.bgp()[0].state == SessionState::Established);
    ensure!(up, "the session over the tagged link is not up");
    world.command(Command::Host {
        node: "left-host".into(),
        command: HostCommand::Echo {
            id: ConnectionId(1),
            sequence: 1,
            target: "10.2.0.9".parse()?,
            ttl: 64,
            payload_len: 56,
            dont_fragment: true,
            timeout: Duration::from_secs(2),
            trace: 0,
        },
    })?;
    world.run_until(Instant::from_secs(25));
    let taken = world
        .stop_capture(capture)
        .ok_or_else(|| anyhow!("the capture runs"))?;
    let folder = std::env::temp_dir().join(format!("sky-{label}-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let path = folder.join("link.pcap");
    fs::write(&path, pcap_bytes(&taken.frames, WallTime(0)))?;
    let judged = judge(&path, is_double);
    fs::remove_dir_all(&folder)?;
    judged
}

fn judge(path: &std::path::Path, is_double: bool) -> Result<()> {
    nothing_malformed(path)?;
    let tags = if is_double {
        // The outer tag is IEEE 802.1ad's own type, the inner 802.1Q's.
        "ieee8021ad.id == 1001 && vlan.id == 100"
    } else {
        "vlan.id == 100 && !ieee8021ad"
    };
    let all = tshark(path, &[])?.lines().count();
    let tagged = tshark(path, &["-Y", tags])?.lines().count();
    ensure!(
        all > 20 && tagged == all,
        "{tagged} of {all} frames carry the tags"
    );
    for (what, filter) in [
        ("an OPEN", "bgp.type == 1"),
        ("an UPDATE", "bgp.type == 2"),
        ("MD5 digests", "bgp && tcp.options.md5.digest"),
        ("BFD", "bfd"),
        ("an echo reply", "icmp.type == 0"),
        ("ARP", "arp"),
    ] {
        let found = tshark(path, &["-Y", filter])?;
        ensure!(!found.is_empty(), "tshark sees no {what}");
    }
    Ok(())
}

fn blueprint(tagging: Tagging) -> Result<Blueprint> {
    let options = |passive| Options {
        passive,
        key: Some("tagged-key"),
        bfd_interval: Some(Duration::from_millis(300)),
        hold_time_s: 30,
        more_prefixes: Vec::new(),
    };
    let mut blueprint = Blueprint::default();
    for (name, mac, own, other, lan, passive) in [
        ("left", 0x10, (1, 65_001), (2, 65_002), 1, false),
        ("right", 0x30, (2, 65_002), (1, 65_001), 2, true),
    ] {
        let local = format!("192.0.2.{}", own.0);
        let remote = format!("192.0.2.{}", other.0);
        let prefix = format!("10.{lan}.0.0/24");
        let bgp = ours::instance(
            own.1,
            &local,
            &prefix,
            (&remote, other.1),
            &options(passive),
        )?;
        let (wan, gateway) = (format!("{local}/30"), format!("10.{lan}.0.1"));
        let router = ours::router(mac, tagging, &wan, &format!("{gateway}/24"), bgp)?;
        let kind = NodeKind::Router(Box::new(router));
        blueprint
            .nodes
            .insert(name.into(), ours::node(Role::ProviderEdge, kind));
        let host = ours::host(mac + 8, &format!("10.{lan}.0.9/24"), &gateway)?;
        let host_name = format!("{name}-host");
        let link = ours::link((name, "lan"), (&host_name, "eth0"));
        blueprint.nodes.insert(host_name.into(), host);
        blueprint.links.insert(format!("{name}-lan").into(), link);
    }
    let wan = ours::link(("left", "wan"), ("right", "wan"));
    blueprint.links.insert("wan".into(), wan);
    Ok(blueprint)
}
