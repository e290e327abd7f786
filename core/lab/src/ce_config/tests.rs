//! Every format, of a plain router and of one with everything: the files beside are what is printed.

use super::*;

fn path(name: &str, number: usize) -> EdgePath {
    let base = 4 * u8::try_from(number).unwrap();
    EdgePath {
        path: name.to_owned(),
        circuit: "hq".to_owned(),
        port: number,
        vlan: None,
        address: Ipv4Addr::new(172, 30, 255, base + 1),
        prefix_len: 30,
        microsoft: Ipv4Addr::new(172, 30, 255, base + 2),
        remote_asn: 12076,
        mtu: 1500,
        key: Some("Skybridge1Example".to_owned()),
        hold_s: 180,
        keepalive_s: 60,
        bfd: Some((Duration::from_millis(300), 3)),
        local_pref: None,
        prepend: 0,
    }
}

/// One path, access, as the lab file's defaults make it.
fn plain() -> Edge<'static> {
    Edge {
        site: "hq",
        router: "ce1",
        asn: 65010,
        router_id: Ipv4Addr::new(172, 30, 255, 1),
        networks: vec!["192.168.0.0/16".parse().unwrap()],
        paths: vec![path("primary", 0)],
    }
}

/// Both paths on trunks, preferred and prepended, two networks, no BFD on one path.
fn full() -> Edge<'static> {
    let mut edge = plain();
    edge.networks.push("10.9.0.0/24".parse().unwrap());
    edge.paths.push(path("secondary", 1));
    for path in &mut edge.paths {
        path.vlan = Some(100);
    }
    edge.paths[0].local_pref = Some(200);
    edge.paths[1].prepend = 2;
    edge.paths[1].bfd = None;
    edge.paths[1].key = None;
    edge.paths[1].hold_s = 9;
    edge.paths[1].keepalive_s = 3;
    edge
}

fn text(edge: Edge<'_>, format: CeFormat, show_secrets: bool) -> String {
    printed(edge, format, show_secrets).0
}

#[test]
fn each_format_is_written_as_in_the_file_beside() {
    let mut differing = Vec::new();
    for (name, edge, format, wanted) in [
        (
            "frr-plain",
            plain(),
            CeFormat::Frr,
            include_str!("golden/frr-plain.txt"),
        ),
        (
            "frr-full",
            full(),
            CeFormat::Frr,
            include_str!("golden/frr-full.txt"),
        ),
        (
            "bird-plain",
            plain(),
            CeFormat::Bird,
            include_str!("golden/bird-plain.txt"),
        ),
        (
            "bird-full",
            full(),
            CeFormat::Bird,
            include_str!("golden/bird-full.txt"),
        ),
        (
            "ios-xe-plain",
            plain(),
            CeFormat::IosXe,
            include_str!("golden/ios-xe-plain.txt"),
        ),
        (
            "ios-xe-full",
            full(),
            CeFormat::IosXe,
            include_str!("golden/ios-xe-full.txt"),
        ),
        (
            "junos-plain",
            plain(),
            CeFormat::Junos,
            include_str!("golden/junos-plain.txt"),
        ),
        (
            "junos-full",
            full(),
            CeFormat::Junos,
            include_str!("golden/junos-full.txt"),
        ),
    ] {
        let text = text(edge, format, false);
        if text != wanted {
            differing.push(format!("golden/{name}.txt should be:\n{text}\u{1e}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn a_key_is_printed_only_when_asked_for() {
    for format in [
        CeFormat::Frr,
        CeFormat::Bird,
        CeFormat::IosXe,
        CeFormat::Junos,
    ] {
        let hidden = text(plain(), format, false);
        assert!(!hidden.contains("Skybridge1Example"), "{hidden}");
        assert!(hidden.contains("--show-secrets"), "{hidden}");
        let shown = text(plain(), format, true);
        assert!(shown.contains("Skybridge1Example"), "{shown}");
        assert!(
            !shown.contains("--show-secrets") && !shown.contains(KEY_HIDDEN),
            "{shown}"
        );
    }
}
