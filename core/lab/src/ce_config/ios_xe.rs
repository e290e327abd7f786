//! Cisco IOS XE.

use std::fmt::Write;

use super::{Edge, EdgePath, repeated};

pub(super) fn write(edge: &Edge<'_>, out: &mut String) -> std::fmt::Result {
    writeln!(out, "hostname {}", edge.router)?;
    writeln!(out, "!")?;
    for path in &edge.paths {
        interface(path, out)?;
    }
    for network in &edge.networks {
        let (net, mask) = (network.network(), network.netmask());
        writeln!(out, "ip route {net} {mask} Null0 254")?;
    }
    writeln!(out, "!")?;
    for (number, network) in edge.networks.iter().enumerate() {
        let sequence = 5 * (number + 1);
        writeln!(out, "ip prefix-list SITE seq {sequence} permit {network}")?;
    }
    writeln!(out, "!")?;
    for path in &edge.paths {
        maps(edge, path, out)?;
    }
    writeln!(out, "router bgp {}", edge.asn)?;
    writeln!(out, " bgp router-id {}", edge.router_id)?;
    writeln!(out, " bgp log-neighbor-changes")?;
    writeln!(out, " no bgp default ipv4-unicast")?;
    for path in &edge.paths {
        neighbour(path, out)?;
    }
    writeln!(out, " !")?;
    writeln!(out, " address-family ipv4")?;
    for network in &edge.networks {
        let (net, mask) = (network.network(), network.netmask());
        writeln!(out, "  network {net} mask {mask}")?;
    }
    for path in &edge.paths {
        let peer = path.microsoft;
        writeln!(out, "  neighbor {peer} activate")?;
        writeln!(out, "  neighbor {peer} soft-reconfiguration inbound")?;
        writeln!(out, "  neighbor {peer} route-map {} in", map(path, "FROM"))?;
        writeln!(out, "  neighbor {peer} route-map {} out", map(path, "TO"))?;
    }
    if edge.paths.len() > 1 {
        writeln!(out, "  maximum-paths {}", edge.paths.len())?;
    }
    writeln!(out, " exit-address-family")?;
    writeln!(out, "!")?;
    writeln!(out, "end")
}

fn interface(path: &EdgePath, out: &mut String) -> std::fmt::Result {
    let port = format!("GigabitEthernet{}", path.port + 1);
    writeln!(out, "interface {port}")?;
    if let Some(vlan) = path.vlan {
        writeln!(out, " no ip address")?;
        writeln!(out, " no shutdown")?;
        writeln!(out, "!")?;
        writeln!(out, "interface {port}.{vlan}")?;
        writeln!(out, " encapsulation dot1Q {vlan}")?;
    }
    writeln!(
        out,
        " description ExpressRoute {} {}",
        path.circuit, path.path
    )?;
    writeln!(out, " ip address {} {}", path.address, path.mask())?;
    writeln!(out, " ip mtu {}", path.mtu)?;
    if let Some((interval_ms, multiplier)) = path.bfd_ms() {
        writeln!(
            out,
            " bfd interval {interval_ms} min_rx {interval_ms} multiplier {multiplier}"
        )?;
        writeln!(out, " no bfd echo")?;
    }
    if path.vlan.is_none() {
        writeln!(out, " no shutdown")?;
    }
    writeln!(out, "!")
}

/// The route map of a path and direction.
fn map(path: &EdgePath, direction: &str) -> String {
    format!("{direction}-AZURE-{}", path.path.to_uppercase())
}

fn maps(edge: &Edge<'_>, path: &EdgePath, out: &mut String) -> std::fmt::Result {
    writeln!(out, "route-map {} permit 10", map(path, "FROM"))?;
    if let Some(preference) = path.local_pref {
        writeln!(out, " set local-preference {preference}")?;
    }
    writeln!(out, "!")?;
    writeln!(out, "route-map {} permit 10", map(path, "TO"))?;
    writeln!(out, " match ip address prefix-list SITE")?;
    if path.prepend > 0 {
        let asns = repeated(edge.asn, path.prepend, " ");
        writeln!(out, " set as-path prepend {asns}")?;
    }
    writeln!(out, "!")
}

fn neighbour(path: &EdgePath, out: &mut String) -> std::fmt::Result {
    let peer = path.microsoft;
    writeln!(out, " neighbor {peer} remote-as {}", path.remote_asn)?;
    writeln!(
        out,
        " neighbor {peer} description MSEE {} {}",
        path.circuit, path.path
    )?;
    if let Some(key) = &path.key {
        writeln!(out, " neighbor {peer} password {key}")?;
    }
    writeln!(
        out,
        " neighbor {peer} timers {} {}",
        path.keepalive_s, path.hold_s
    )?;
    if path.bfd.is_some() {
        writeln!(out, " neighbor {peer} fall-over bfd")?;
    }
    Ok(())
}
