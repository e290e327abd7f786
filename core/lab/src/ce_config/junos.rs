//! Junos, as `set` commands.

use std::fmt::Write;

use super::{Edge, EdgePath, repeated};

pub(super) fn write(edge: &Edge<'_>, out: &mut String) -> std::fmt::Result {
    writeln!(out, "set system host-name {}", edge.router)?;
    for path in &edge.paths {
        interface(path, out)?;
    }
    writeln!(out, "set routing-options router-id {}", edge.router_id)?;
    writeln!(out, "set routing-options autonomous-system {}", edge.asn)?;
    for network in &edge.networks {
        writeln!(out, "set routing-options static route {network} discard")?;
        writeln!(
            out,
            "set routing-options static route {network} preference 254"
        )?;
        writeln!(out, "set policy-options prefix-list SITE {network}")?;
    }
    if edge.paths.len() > 1 {
        writeln!(
            out,
            "set policy-options policy-statement BALANCE then load-balance per-packet"
        )?;
        writeln!(out, "set routing-options forwarding-table export BALANCE")?;
        writeln!(out, "set protocols bgp group AZURE multipath")?;
    }
    writeln!(out, "set protocols bgp group AZURE type external")?;
    writeln!(out, "set protocols bgp group AZURE family inet unicast")?;
    for path in &edge.paths {
        policies(edge, path, out)?;
        neighbour(path, out)?;
    }
    Ok(())
}

fn interface(path: &EdgePath, out: &mut String) -> std::fmt::Result {
    let port = format!("ge-0/0/{}", path.port);
    let unit = path.vlan.unwrap_or(0);
    if path.vlan.is_some() {
        writeln!(out, "set interfaces {port} vlan-tagging")?;
    }
    let unit = format!("set interfaces {port} unit {unit}");
    writeln!(
        out,
        "{unit} description \"ExpressRoute {} {}\"",
        path.circuit, path.path
    )?;
    if let Some(vlan) = path.vlan {
        writeln!(out, "{unit} vlan-id {vlan}")?;
    }
    writeln!(out, "{unit} family inet mtu {}", path.mtu)?;
    writeln!(out, "{unit} family inet address {}", path.net())
}

/// The policy of a path and direction.
fn policy(path: &EdgePath, direction: &str) -> String {
    format!("{direction}-AZURE-{}", path.path.to_uppercase())
}

fn policies(edge: &Edge<'_>, path: &EdgePath, out: &mut String) -> std::fmt::Result {
    let from = format!(
        "set policy-options policy-statement {} term all",
        policy(path, "FROM")
    );
    if let Some(preference) = path.local_pref {
        writeln!(out, "{from} then local-preference {preference}")?;
    }
    writeln!(out, "{from} then accept")?;
    let to = format!("set policy-options policy-statement {}", policy(path, "TO"));
    writeln!(out, "{to} term site from protocol static")?;
    writeln!(out, "{to} term site from prefix-list SITE")?;
    if path.prepend > 0 {
        let asns = repeated(edge.asn, path.prepend, " ");
        writeln!(out, "{to} term site then as-path-prepend \"{asns}\"")?;
    }
    writeln!(out, "{to} term site then accept")?;
    writeln!(out, "{to} term rest then reject")
}

fn neighbour(path: &EdgePath, out: &mut String) -> std::fmt::Result {
    let peer = format!("set protocols bgp group AZURE neighbor {}", path.microsoft);
    writeln!(
        out,
        "{peer} description \"MSEE {} {}\"",
        path.circuit, path.path
    )?;
    writeln!(out, "{peer} local-address {}", path.address)?;
    writeln!(out, "{peer} peer-as {}", path.remote_asn)?;
    if let Some(key) = &path.key {
        writeln!(out, "{peer} authentication-key \"{key}\"")?;
    }
    // Junos sends a keepalive every third of the hold time.
    writeln!(out, "{peer} hold-time {}", path.hold_s)?;
    writeln!(out, "{peer} import {}", policy(path, "FROM"))?;
    writeln!(out, "{peer} export {}", policy(path, "TO"))?;
    if let Some((interval_ms, multiplier)) = path.bfd_ms() {
        writeln!(
            out,
            "{peer} bfd-liveness-detection minimum-interval {interval_ms}"
        )?;
        writeln!(out, "{peer} bfd-liveness-detection multiplier {multiplier}")?;
    }
    Ok(())
}
