//! Tables, in the columns of the clouds' own tools where those have some.

use skybridge_lab::document::{
    ArpTable, BfdRow, CircuitRow, CounterRow, DrgRow, EffectiveTable, ForwardRow, GatewayRow,
    LinkRow, PeeringRow, ProviderPathRow, ProviderRow, RouteSummaryTable, RouteTable, SessionRow,
    VirtualCircuitRow,
};

use super::table::{heading, micros, or_dash, paragraph, table};
use crate::screen::Screen;

pub(super) fn circuits(rows: &[CircuitRow], screen: &Screen) -> String {
    let cells = rows.iter().map(|row| {
        vec![
            row.name.clone(),
            row.provider.clone(),
            row.location.clone(),
            format!("{} Mbps", row.bandwidth_mbps),
            row.sku.clone(),
            row.circuit_state.clone(),
            row.provider_state.clone(),
            row.service_key.clone(),
        ]
    });
    table(
        &[
            "Circuit",
            "Provider",
            "Location",
            "Bandwidth",
            "SKU",
            "Status",
            "Provider status",
            "Service key",
        ],
        cells,
        screen,
    )
}

pub(super) fn peerings(rows: &[PeeringRow], screen: &Screen) -> String {
    let cells = rows.iter().map(|row| {
        vec![
            row.circuit.clone(),
            row.peering.clone(),
            row.state.clone(),
            row.peer_asn.to_string(),
            format!("S {} C {}", row.s_tag, row.vlan),
            row.primary.clone(),
            row.secondary.clone(),
            if row.md5 { "set" } else { "-" }.to_owned(),
            row.sessions.join(" / "),
        ]
    });
    table(
        &[
            "Circuit",
            "Peering",
            "State",
            "Peer AS",
            "Tags",
            "Primary",
            "Secondary",
            "Key",
            "Sessions",
        ],
        cells,
        screen,
    )
}

pub(super) fn virtual_circuits(rows: &[VirtualCircuitRow], screen: &Screen) -> String {
    let cells = rows.iter().map(|row| {
        let mappings = row
            .mappings
            .iter()
            .map(|(oracle, customer)| format!("{oracle} ↔ {customer}"))
            .collect::<Vec<_>>();
        vec![
            row.name.clone(),
            row.lifecycle_state.clone(),
            row.provider_state.clone(),
            row.bgp_session_states.join(" / "),
            row.bandwidth.clone(),
            row.drg.clone(),
            mappings.join("\n"),
            if row.bfd { "on" } else { "off" }.to_owned(),
            row.mtu.to_string(),
        ]
    });
    table(
        &[
            "Virtual circuit",
            "Lifecycle",
            "Provider",
            "BGP",
            "Bandwidth",
            "DRG",
            "Oracle ↔ customer",
            "BFD",
            "MTU",
        ],
        cells,
        screen,
    )
}

pub(super) fn gateways(rows: &[GatewayRow], screen: &Screen) -> String {
    each(rows, |row| {
        let instances = row
            .instances
            .iter()
            .map(|(node, address)| format!("{node} {address}"))
            .collect::<Vec<_>>();
        let mut out = heading(
            &format!(
                "{}: {} in {}, AS {}, {}",
                row.name, row.sku, row.network, row.asn, row.state
            ),
            screen,
        );
        out.push_str(&paragraph(
            "Instances:  ",
            &or_dash(&instances.join(", ")),
            screen,
        ));
        out.push_str(&paragraph(
            "Advertises: ",
            &or_dash(&row.advertised.join(", ")),
            screen,
        ));
        let learned = row.learned.iter().map(|route| {
            vec![
                route.network.clone(),
                route.next_hop.clone(),
                route.as_path.clone(),
                route.weight.to_string(),
            ]
        });
        out.push_str(&table(
            &["Network", "NextHop", "AsPath", "Weight"],
            learned,
            screen,
        ));
        out
    })
}

pub(super) fn drgs(rows: &[DrgRow], screen: &Screen) -> String {
    each(rows, |row| {
        let mut out = heading(&row.name, screen);
        let attachments = row.attachments.iter().map(|(name, kind, network, routes)| {
            vec![name.clone(), kind.clone(), network.clone(), routes.clone()]
        });
        out.push_str(&table(
            &["Attachment", "Type", "Network", "Route table"],
            attachments,
            screen,
        ));
        for routes in &row.tables {
            out.push('\n');
            out.push_str(&heading(
                &format!("{}, route table {}", row.name, routes.name),
                screen,
            ));
            let cells = routes.routes.iter().map(|(prefix, hop, source, status)| {
                vec![prefix.clone(), hop.clone(), source.clone(), status.clone()]
            });
            out.push_str(&table(
                &["Destination", "Next hop attachment", "Source", "Status"],
                cells,
                screen,
            ));
        }
        out
    })
}

pub(super) fn arp(rows: &[ArpTable], screen: &Screen) -> String {
    each(rows, |row| {
        let cells = row.entries.iter().map(|entry| {
            vec![
                entry.age.to_string(),
                entry.interface_property.clone(),
                entry.ip_address.clone(),
                entry.mac_address.clone(),
            ]
        });
        let header = ["Age", "InterfaceProperty", "IpAddress", "MacAddress"];
        heading(&format!("{}, {} path", row.circuit, row.path), screen)
            + &table(&header, cells, screen)
    })
}

pub(super) fn routes(rows: &[RouteTable], screen: &Screen) -> String {
    each(rows, |row| {
        let lost = row.entries.iter().any(|entry| entry.lost_by.is_some());
        let cells = row.entries.iter().map(|entry| {
            let mut cells = vec![
                if entry.best { "*>" } else { "*" }.to_owned(),
                entry.network.clone(),
                entry.next_hop.clone(),
                entry.loc_prf.clone(),
                entry.weight.to_string(),
                entry.path.clone(),
            ];
            if lost {
                cells.push(entry.lost_by.clone().unwrap_or_default());
            }
            cells
        });
        let header = [
            "",
            "Network",
            "NextHop",
            "LocPrf",
            "Weight",
            "Path",
            "Not used because",
        ];
        heading(&format!("{}, {} path", row.circuit, row.path), screen)
            + &table(&header[..if lost { 7 } else { 6 }], cells, screen)
    })
}

pub(super) fn route_summary(rows: &[RouteSummaryTable], screen: &Screen) -> String {
    each(rows, |row| {
        let cells = row.entries.iter().map(|entry| {
            vec![
                entry.neighbor.clone(),
                entry.v.to_string(),
                entry.asn.to_string(),
                entry.up_down.clone(),
                entry.state_pfx_rcd.clone(),
            ]
        });
        heading(&format!("{}, {} path", row.circuit, row.path), screen)
            + &table(
                &["Neighbor", "V", "AS", "UpDown", "StatePfxRcd"],
                cells,
                screen,
            )
    })
}

pub(super) fn sessions(rows: &[SessionRow], screen: &Screen) -> String {
    let reset = rows.iter().any(|row| row.last_reset.is_some());
    let cells = rows.iter().map(|row| {
        let peering = match row.path.as_str() {
            "" => row.peering.clone(),
            path => format!("{} {path}", row.peering),
        };
        let mut cells = vec![
            row.local.clone(),
            row.remote.clone(),
            format!("{} ↔ {}", row.asn.0, row.asn.1),
            peering,
            row.state.clone(),
            row.uptime
                .map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1} s")),
            format!("{} / {}", row.prefixes_received, row.prefixes_sent),
            row.bfd.clone(),
        ];
        if reset {
            cells.push(row.last_reset.clone().unwrap_or_default());
        }
        cells
    });
    let header = [
        "Local",
        "Remote",
        "AS",
        "Peering",
        "State",
        "Up",
        "In / out",
        "BFD",
        "Last reset",
    ];
    table(&header[..if reset { 9 } else { 8 }], cells, screen)
}

pub(super) fn bfd(rows: &[BfdRow], screen: &Screen) -> String {
    let cells = rows.iter().map(|row| {
        vec![
            row.router.clone(),
            row.local.clone(),
            row.remote.clone(),
            row.peering.clone(),
            or_dash(&row.path),
            row.state.clone(),
            row.detection_ms
                .map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms")),
            or_dash(&row.diagnostic),
        ]
    });
    table(
        &[
            "Router",
            "Local",
            "Remote",
            "Peering",
            "Path",
            "State",
            "Detects in",
            "Last down",
        ],
        cells,
        screen,
    )
}

pub(super) fn effective_routes(rows: &[EffectiveTable], screen: &Screen) -> String {
    each(rows, |row| {
        let cells = row.routes.iter().map(|route| {
            vec![
                route.source.clone(),
                route.state.clone(),
                route.address_prefix.clone(),
                route.next_hop_type.clone(),
                route.next_hop_ip.clone(),
            ]
        });
        let header = [
            "Source",
            "State",
            "Address Prefix",
            "Next Hop Type",
            "Next Hop IP",
        ];
        heading(&row.host, screen) + &table(&header, cells, screen)
    })
}

pub(super) fn links(rows: &[LinkRow], screen: &Screen) -> String {
    let cells = rows.iter().map(|row| {
        vec![
            row.name.clone(),
            format!("{} ↔ {}", row.ends.0, row.ends.1),
            row.state.clone(),
            or_dash(&row.owner),
            row.delay_us.map_or_else(|| "unset".to_owned(), micros),
            format!("{} / {}", row.frames.0, row.frames.1),
            format!("{} / {}", row.octets.0, row.octets.1),
            format!("{} / {}", row.lost.0, row.lost.1),
        ]
    });
    table(
        &[
            "Link",
            "Ends",
            "State",
            "Owner",
            "Delay",
            "Frames → / ←",
            "Octets",
            "Lost",
        ],
        cells,
        screen,
    )
}

pub(super) fn counters(rows: &[CounterRow], screen: &Screen) -> String {
    let cells = rows.iter().map(|row| {
        vec![
            row.node.clone(),
            or_dash(&row.interface),
            row.counter.clone(),
            row.value.to_string(),
        ]
    });
    table(&["Node", "Interface", "Counter", "Value"], cells, screen)
}

pub(super) fn forwards(rows: &[ForwardRow], screen: &Screen) -> String {
    let cells = rows.iter().map(|row| {
        let failed = match &row.last_failure {
            Some(why) => format!("{} ({why})", row.failed),
            None => row.failed.to_string(),
        };
        vec![
            row.name.clone(),
            row.listen.clone(),
            row.to.clone(),
            row.from.clone(),
            row.state.clone(),
            row.kept_by.clone(),
            format!("{} / {}", row.open, row.connected),
            failed,
        ]
    });
    table(
        &[
            "Forward",
            "Listens on",
            "To",
            "As",
            "State",
            "Kept by",
            "Open / so far",
            "Failed",
        ],
        cells,
        screen,
    )
}

pub(super) fn provider(rows: &[ProviderRow], screen: &Screen) -> String {
    let cells = rows.iter().map(|row| {
        vec![
            row.service_key.clone(),
            row.circuit.clone(),
            row.provider.clone(),
            row.location.clone(),
            format!("{} Mbps", row.bandwidth_mbps),
            row.state.clone(),
            row.mode.clone(),
            row.s_tag.to_string(),
            carriers(&row.paths),
        ]
    });
    table(
        &[
            "Service key",
            "Circuit",
            "Provider",
            "Location",
            "Bandwidth",
            "State",
            "Mode",
            "S-tag",
            "Carrier",
        ],
        cells,
        screen,
    )
}

/// The carrier, and what it does wrong on which path.
fn carriers(paths: &[ProviderPathRow]) -> String {
    let Some(first) = paths.first() else {
        return String::new();
    };
    let wrong: Vec<String> = paths
        .iter()
        .filter(|p| !p.faults.is_empty())
        .map(|p| format!("{} {}", p.path, p.faults.join(" ")))
        .collect();
    if wrong.is_empty() {
        first.carrier.clone()
    } else {
        format!("{}: {}", first.carrier, wrong.join(", "))
    }
}

fn each<T>(rows: &[T], text: impl FnMut(&T) -> String) -> String {
    if rows.is_empty() {
        return "(none)\n".to_owned();
    }
    rows.iter().map(text).collect::<Vec<_>>().join("\n")
}
