//! BIRD 2, as `bird.conf`. BIRD gives no addresses: they stand in comments.

use std::fmt::Write;

use super::{Edge, EdgePath};

pub(super) fn write(edge: &Edge<'_>, out: &mut String) -> std::fmt::Result {
    writeln!(out, "# Before BIRD starts:")?;
    for path in &edge.paths {
        let name = path.linux_interface();
        if let (Some(vlan), Some((port, _))) = (path.vlan, name.split_once('.')) {
            writeln!(
                out,
                "#   ip link add link {port} name {name} type vlan id {vlan}"
            )?;
        }
        writeln!(out, "#   ip address add {} dev {name}", path.net())?;
        writeln!(out, "#   ip link set {name} up mtu {}", path.mtu)?;
    }
    writeln!(out)?;
    writeln!(out, "log stderr {{ warning, error, fatal, bug, auth }};")?;
    writeln!(out, "router id {};", edge.router_id)?;
    writeln!(out)?;
    writeln!(out, "protocol device {{")?;
    writeln!(out, "}}")?;
    writeln!(out)?;
    writeln!(
        out,
        "# What the kernel forwards by: what Azure announces, over both paths where they are equal."
    )?;
    writeln!(out, "protocol kernel {{")?;
    writeln!(out, "    merge paths on;")?;
    writeln!(out, "    ipv4 {{")?;
    writeln!(out, "        import none;")?;
    writeln!(out, "        export where source = RTS_BGP;")?;
    writeln!(out, "    }};")?;
    writeln!(out, "}}")?;
    writeln!(out)?;
    writeln!(out, "# The site's networks, so that they can be announced.")?;
    writeln!(out, "protocol static site {{")?;
    writeln!(out, "    ipv4;")?;
    for network in &edge.networks {
        writeln!(out, "    route {network} blackhole;")?;
    }
    writeln!(out, "}}")?;
    writeln!(out)?;
    bfd(edge, out)?;
    for path in &edge.paths {
        session(edge, path, out)?;
    }
    Ok(())
}

fn bfd(edge: &Edge<'_>, out: &mut String) -> std::fmt::Result {
    if edge.paths.iter().all(|p| p.bfd.is_none()) {
        return Ok(());
    }
    writeln!(out, "protocol bfd {{")?;
    for path in &edge.paths {
        let Some((interval_ms, multiplier)) = path.bfd_ms() else {
            continue;
        };
        writeln!(out, "    interface \"{}\" {{", path.linux_interface())?;
        writeln!(out, "        interval {interval_ms} ms;")?;
        writeln!(out, "        multiplier {multiplier};")?;
        writeln!(out, "    }};")?;
    }
    writeln!(out, "}}")?;
    writeln!(out)
}

fn session(edge: &Edge<'_>, path: &EdgePath, out: &mut String) -> std::fmt::Result {
    let name = format!("azure_{}", path.path);
    writeln!(out, "filter from_{name} {{")?;
    if let Some(preference) = path.local_pref {
        writeln!(out, "    bgp_local_pref = {preference};")?;
    }
    writeln!(out, "    accept;")?;
    writeln!(out, "}}")?;
    writeln!(out)?;
    writeln!(out, "filter to_{name} {{")?;
    writeln!(out, "    if proto != \"site\" then reject;")?;
    for _ in 0..path.prepend {
        writeln!(out, "    bgp_path.prepend({});", edge.asn)?;
    }
    writeln!(out, "    accept;")?;
    writeln!(out, "}}")?;
    writeln!(out)?;
    writeln!(out, "protocol bgp {name} {{")?;
    writeln!(
        out,
        "    description \"MSEE {} {}\";",
        path.circuit, path.path
    )?;
    writeln!(out, "    local {} as {};", path.address, edge.asn)?;
    writeln!(
        out,
        "    neighbor {} as {};",
        path.microsoft, path.remote_asn
    )?;
    writeln!(out, "    interface \"{}\";", path.linux_interface())?;
    if let Some(key) = &path.key {
        writeln!(out, "    password \"{key}\";")?;
    }
    writeln!(out, "    hold time {};", path.hold_s)?;
    writeln!(out, "    keepalive time {};", path.keepalive_s)?;
    if path.bfd.is_some() {
        writeln!(out, "    bfd on;")?;
    }
    writeln!(out, "    ipv4 {{")?;
    writeln!(out, "        import filter from_{name};")?;
    writeln!(out, "        export filter to_{name};")?;
    writeln!(out, "        next hop self;")?;
    writeln!(out, "    }};")?;
    writeln!(out, "}}")?;
    writeln!(out)
}
